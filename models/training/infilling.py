"""Training examples in the layouts the server sends. Pure (no torch, no files); called by `tokens` and by tests.

An example is a list of pieces, texts and markers. Every text piece is tokenised on its own, exactly as
`repofill.models.fim` does for a prompt, so a cursor in the middle of a word splits the word's tokens here, too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from repofill.context.languages import syntax


class Marker(Enum):
    BOS = "<｜begin▁of▁sentence｜>"
    EOS = "<｜end▁of▁sentence｜>"
    BEGIN = "<｜fim▁begin｜>"
    HOLE = "<｜fim▁hole｜>"
    END = "<｜fim▁end｜>"


Piece = str | Marker
Layout = Literal["spm", "psm", "plain"]

LAYOUTS: dict[Layout, int] = {"spm": 65, "psm": 8, "plain": 27}
"""How many of a hundred examples have each layout."""

_MIDDLE_CHARACTERS = 600
_OPENER = re.compile(r"^([ \t]*)\S.*(?:[:{(\[]|=>)[ \t]*$", re.MULTILINE)
_REST_COLUMNS = ("line start", "after indentation", "inside", "inside", "inside", "inside", "inside")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file as training sees it; `header` is its path comment with a line break, `tree` its syntax."""

    header: str
    text: str
    tree: syntax.Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A file with a hole from `start` to `end`, and as much of the text `before` and `after` it as there is room for.
    In the plain layout the hole is all that is shown."""

    layout: Layout
    start: int
    end: int
    before: str
    after: str


def arrange(layout: Layout, header: str, context: Sequence[str], before: str, middle: str, after: str) -> list[Piece]:
    """One example; `context` are other files as the server shows them. In the plain layout `middle` simply goes on
    where `before` ends and `after` is left out."""
    prefix = header + before
    if layout == "plain":
        return [Marker.BOS, *context, prefix + middle]
    if layout == "psm":
        block: list[Piece] = [Marker.BEGIN, prefix, Marker.HOLE, after, Marker.END]
    else:
        block = [Marker.BEGIN, Marker.HOLE, after, Marker.END, prefix]
    return [Marker.BOS, *context, *block, middle, Marker.EOS]


def cut(source: Source, characters: int, choice: random.Random) -> Cut:
    """A random layout, a random hole, and about `characters` of text in all.

    Raises ValueError where the text has no line to complete.
    """
    layout = choice.choices(list(LAYOUTS), list(LAYOUTS.values()))[0]
    text, room = source.text, max(characters - len(source.header), 120)
    if layout == "plain":
        start = line_start(text, choice.randrange(max(len(text) - room // 2, 1)))
        return Cut(layout=layout, start=start, end=min(start + room, len(text)), before="", after="")
    start, end = hole(source, choice)
    after_room = int((room - (end - start)) * choice.choice((0.1, 0.2, 0.3, 0.5)))
    after = cut_after(text[end:], after_room)
    before = cut_before(text[:start], room - (end - start) - len(after))
    return Cut(layout=layout, start=start, end=end, before=before, after=after)


def hole(source: Source, choice: random.Random) -> tuple[int, int]:
    """Start and end of what is to be filled in: mostly the rest of a line, else lines, a block or a syntax node."""
    kind = choice.choices((rest_of_line, some_lines, block, syntax_node), (74, 8, 9, 9))[0]
    for _ in range(4):
        found = kind(source, choice)
        if found is not None and found[1] - found[0] <= _MIDDLE_CHARACTERS:
            return found
    for _ in range(50):
        found = rest_of_line(source, choice)
        if found is not None:
            return found
    raise ValueError("no line to complete")


def rest_of_line(source: Source, choice: random.Random) -> tuple[int, int] | None:
    """From a random column, the line's start or its first word to its end."""
    text = source.text
    start, end = _random_line(text, choice)
    line = text[start:end]
    if not line.strip():
        return None
    indentation = len(line) - len(line.lstrip())
    where = choice.choice(_REST_COLUMNS)
    column = {"line start": 0, "after indentation": indentation}.get(where)
    return start + (choice.randint(indentation, len(line)) if column is None else column), end


def some_lines(source: Source, choice: random.Random) -> tuple[int, int] | None:
    """One to six whole lines, with or without the first one's indentation."""
    text = source.text
    start, end = _random_line(text, choice)
    line = text[start:end]
    if not line.strip():
        return None
    for _ in range(choice.randrange(6)):
        following = _line_end(text, end + 1)
        if end >= len(text) or not text[end:following].strip():
            break
        end = following
    return start + choice.choice((0, len(line) - len(line.lstrip()))), end


def block(source: Source, choice: random.Random) -> tuple[int, int] | None:
    """What a line opens that ends in a colon, a bracket or an arrow: from there, or from the next line's first word, to
    the dedent."""
    text = source.text
    opener = _OPENER.search(text, choice.randrange(len(text) + 1))
    if opener is None:
        return None
    end, indentation = opener.end(), len(opener[1])
    last = end
    for match in re.compile(r"\n([ \t]*)(\S[^\n]*)?").finditer(text, end):
        if match[2] is not None:
            if len(match[1]) <= indentation:
                break
            last = match.end()
    if last == end:
        return None
    first_word = re.compile(r"\s*").match(text, end)
    assert first_word is not None
    return choice.choice((end, first_word.end())), last


def syntax_node(source: Source, choice: random.Random) -> tuple[int, int] | None:
    """A name, an argument, a statement: a node around a random place, as large as a middle may be at most."""
    at = choice.randrange(len(source.tree.encoded) + 1)
    node = source.tree.root.named_descendant_for_byte_range(at, at)
    spans = []
    while node is not None and node.parent is not None and node.end_byte - node.start_byte <= _MIDDLE_CHARACTERS:
        spans.append((source.tree.offset(node.start_byte), source.tree.offset(node.end_byte)))
        node = node.parent
    filled = [(start, end) for start, end in spans if start < end]
    return choice.choice(filled) if filled else None


def cut_before(text: str, characters: int) -> str:
    """The end of `text`, from a line's beginning unless its last line alone is longer."""
    if len(text) <= characters:
        return text
    start = len(text) - max(characters, 1)
    newline = text.find("\n", start)
    return text[newline + 1 :] if newline >= 0 else text[start:]


def cut_after(text: str, characters: int) -> str:
    """The beginning of `text` in whole lines."""
    return text if len(text) <= characters else text[: text.rfind("\n", 0, max(characters, 1)) + 1]


def line_start(text: str, position: int) -> int:
    return text.rfind("\n", 0, position) + 1


def assemble(pieces: Sequence[Piece], text_tokens: Sequence[list[int]], marker_ids: dict[Marker, int]) -> list[int]:
    """The example's tokens, given those of its text pieces in their order."""
    texts = iter(text_tokens)
    return [token for piece in pieces for token in ([marker_ids[piece]] if isinstance(piece, Marker) else next(texts))]


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _random_line(text: str, choice: random.Random) -> tuple[int, int]:
    start = line_start(text, choice.randrange(len(text) + 1))
    return start, _line_end(text, start)
