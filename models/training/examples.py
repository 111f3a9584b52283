"""From a workspace to training examples, each with what the server would show at that cursor: the same index, selection
and packing. Called by `tokens`; knows no tokenizer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

from repofill.context.index import WorkspaceIndex
from repofill.context.languages import path_comment
from repofill.models.training.corpus import syntax_of
from repofill.models.training.infilling import Marker, Piece, Source, arrange, cut

CHARACTERS_PER_EXAMPLE = 3000
"""So much text of a file asks for one more example of it."""

_CHARACTERS_PER_TOKEN = 3.0
_IMPORT = re.compile(r"import|require|\bfrom\b")
_CONTEXT_SHARES = (0.0, 0.0, 0.0, 0.2, 0.3, 0.4, 0.5, 0.5)
"""Of an example's length for other files. The server's own is a half, where there is so much to show."""


def examples(folder: Path, window: int, seed: int, share: float) -> Iterator[list[Piece]]:
    """Examples of at most about `window` tokens: for each file as many as its length asks, of which a `share` of 0 to 1
    is made, each with a hole of its own. Equal arguments give equal examples."""
    index = WorkspaceIndex(folder)
    index.build()
    choice = random.Random(f"{seed} {folder.name}")
    for path in index.ordered():
        text = index.text(path)
        count = int(share * (1 + len(text or "") // CHARACTERS_PER_EXAMPLE) + choice.random())
        if not text or not count:
            continue
        source = Source(header=path_comment(path) + "\n", text=text, tree=syntax_of(path, text))
        for _ in range(count):
            yield _example(index, path, source, window, choice)


def _example(index: WorkspaceIndex, path: str, source: Source, window: int, choice: random.Random) -> list[Piece]:
    length = choice.choices((1.0, 0.5, choice.uniform(0.12, 0.4)), (35, 25, 40))[0]
    characters = int(window * length * _CHARACTERS_PER_TOKEN)
    room = int(characters * choice.choice(_CONTEXT_SHARES))
    made = cut(source, characters - room, choice)
    middle = source.text[made.start : made.end]
    if _IMPORT.search(middle) and made.layout != "plain":
        room = 0  # the index knows where it leads: the context would give it away
    after = source.text[made.end :] if made.layout != "plain" else ""
    chosen = index.plan(path, source.text[: made.start], after, room) if room else ()
    pieces = arrange(made.layout, source.header, [c.text for c in chosen], made.before, middle, made.after)
    return [*pieces, Marker.EOS] if made.layout == "plain" and made.end == len(source.text) else pieces
