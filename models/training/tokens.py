"""From workspaces to rows of tokens: examples built, tokenised and packed, reproducibly. Called by `__main__`.

What stands ahead of a file in an example is what the server would show at that cursor: the same index, selection and
packing.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import tree_sitter_python
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tree_sitter import Language

from repofill.context.index import WorkspaceIndex
from repofill.context.languages import path_comment, syntax
from repofill.models.training.infilling import Marker, Piece, Source, arrange, assemble, cut
from repofill.models.training.rows import packed
from repofill.models.training.tokenizer import encode_all, load_tokenizer

_PYTHON = Language(tree_sitter_python.language())
_CHARACTERS_PER_TOKEN = 3.0
_CHARACTERS_PER_EXAMPLE = 3000
"""So much text of a file asks for one more example of it."""
_FILLED = 0.45
"""The mean length of an example as a share of the window, roughly."""
_CONTEXT_SHARES = (0.0, 0.0, 0.0, 0.2, 0.3, 0.4, 0.5, 0.5)
"""Of an example's length for other files. The server's own is a half, where there is so much to show."""
_MARKER_ORDER = (Marker.BOS, Marker.EOS, Marker.HOLE, Marker.BEGIN, Marker.END)

_Tokens = NDArray[np.uint16]


def write_rows(path: Path, folders: Sequence[Path], tokenizer: Path, *, window: int, tokens: int, seed: int) -> int:
    """Write rows of `window` + 1 tokens as a flat file, of examples that hold `tokens` together; return the number of
    rows. Equal arguments give an equal file. One process per core."""
    examples: list[_Tokens] = []
    total = passes = 0
    with ProcessPoolExecutor() as pool:
        size = sum(pool.map(_examples_asked, folders))
        share = min(tokens / (size * window * _FILLED), 1.0)
        while total < tokens:
            make = partial(_encoded, tokenizer=tokenizer, window=window, seed=seed + passes, share=share)
            for made in pool.map(make, folders):
                examples += made
                total += sum(map(len, made))
            passes += 1
    random.Random(seed).shuffle(examples)  # a row should not hold one file's text twice
    rows = 0
    partial_file = path.with_suffix(".part")
    with partial_file.open("wb") as file:
        for row in packed((example.tolist() for example in examples), window + 1):
            file.write(row.tobytes())
            rows += 1
    partial_file.replace(path)
    return rows


def _examples_asked(folder: Path) -> int:
    return sum(1 + file.stat().st_size // _CHARACTERS_PER_EXAMPLE for file in folder.rglob("*.py"))


def _encoded(folder: Path, *, tokenizer: Path, window: int, seed: int, share: float) -> list[_Tokens]:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # there is a process per core already
    encoder = load_tokenizer(tokenizer)
    examples = list(_examples(folder, window, seed, share))
    encoded = iter(encode_all(encoder, [piece for pieces in examples for piece in pieces if isinstance(piece, str)]))
    ids = _marker_ids(encoder)
    return [
        np.array(assemble(pieces, [next(encoded) for piece in pieces if isinstance(piece, str)], ids), dtype=np.uint16)
        for pieces in examples
    ]


def _marker_ids(tokenizer: Tokenizer) -> dict[Marker, int]:
    first = tokenizer.get_vocab_size()
    return {marker: first + at for at, marker in enumerate(_MARKER_ORDER)}


def _examples(folder: Path, window: int, seed: int, share: float) -> Iterator[list[Piece]]:
    """Each file's examples: as many as its length asks, of which `share` are made, each with a hole of its own."""
    index = WorkspaceIndex(folder)
    index.build()
    choice = random.Random(f"{seed} {folder.name}")
    for path in index.ordered():
        text = index.text(path)
        count = int(share * (1 + len(text or "") // _CHARACTERS_PER_EXAMPLE) + choice.random())
        if not text or not count:
            continue
        source = Source(
            header=path_comment(path) + "\n", text=text, tree=syntax.read(_PYTHON, text.encode("utf-8", "replace"))
        )
        for _ in range(count):
            yield _example(index, path, source, window, choice)


def _example(index: WorkspaceIndex, path: str, source: Source, window: int, choice: random.Random) -> list[Piece]:
    length = choice.choices((1.0, 0.5, choice.uniform(0.12, 0.4)), (35, 25, 40))[0]
    characters = int(window * length * _CHARACTERS_PER_TOKEN)
    room = int(characters * choice.choice(_CONTEXT_SHARES))
    made = cut(source, characters - room, choice)
    middle = source.text[made.start : made.end]
    if "import" in middle and made.layout != "plain":
        room = 0  # the index knows where it leads: the context would give it away
    after = source.text[made.end :] if made.layout != "plain" else ""
    chosen = index.plan(path, source.text[: made.start], after, room) if room else ()
    pieces = arrange(made.layout, source.header, [c.text for c in chosen], made.before, middle, made.after)
    return [*pieces, Marker.EOS] if made.layout == "plain" and made.end == len(source.text) else pieces
