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
_REST_COLUMNS = ("line start", "after indentation", "inside", "inside", "inside", "inside", "inside")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file as training sees it; `header` is its path comment line, `context` are blocks of other files, all of them
    ending in a line break."""

    header: str
    text: str
    context: tuple[str, ...] = ()


def arrange(layout: Layout, source: Source, before: str, middle: str, after: str) -> list[Piece]:
    """One example; in the plain layout `middle` simply goes on where `before` ends and `after` is left out."""
    prefix = source.header + before
    if layout == "plain":
        return [Marker.BOS, *source.context, prefix + middle]
    if layout == "psm":
        block: list[Piece] = [Marker.BEGIN, prefix, Marker.HOLE, after, Marker.END]
    else:
        block = [Marker.BEGIN, Marker.HOLE, after, Marker.END, prefix]
    return [Marker.BOS, *source.context, *block, middle, Marker.EOS]


def example(source: Source, characters: int, choice: random.Random) -> list[Piece]:
    """An example of at most about `characters`: a random layout, a random hole, and the text around it.

    Raises ValueError where the text has no line to complete.
    """
    layout = choice.choices(list(LAYOUTS), list(LAYOUTS.values()))[0]
    room = max(characters - sum(map(len, source.context)) - len(source.header), 120)
    if layout == "plain":
        start = line_start(source.text, choice.randrange(max(len(source.text) - room // 2, 1)))
        pieces = arrange("plain", source, "", source.text[start:][:room], "")
        return [*pieces, Marker.EOS] if start + room >= len(source.text) else pieces
    start, end = hole(source.text, choice)
    after_room = int((room - (end - start)) * choice.choice((0.1, 0.2, 0.3, 0.5)))
    after = cut_after(source.text[end:], after_room)
    before = cut_before(source.text[:start], room - (end - start) - len(after))
    return arrange(layout, source, before, source.text[start:end], after)


def hole(text: str, choice: random.Random) -> tuple[int, int]:
    """Start and end of what is to be filled in: mostly the rest of a line, sometimes lines, a block or an argument."""
    kind = choice.choices((rest_of_line, some_lines, block, bracket), (74, 8, 9, 9))[0]
    for _ in range(4):
        found = kind(text, choice)
        if found is not None and found[1] - found[0] <= _MIDDLE_CHARACTERS:
            return found
    for _ in range(50):
        found = rest_of_line(text, choice)
        if found is not None:
            return found
    raise ValueError("no line to complete")


def rest_of_line(text: str, choice: random.Random) -> tuple[int, int] | None:
    """From a random column, the line's start or its first word to its end."""
    start, end = _random_line(text, choice)
    line = text[start:end]
    if not line.strip():
        return None
    indentation = len(line) - len(line.lstrip())
    where = choice.choice(_REST_COLUMNS)
    column = {"line start": 0, "after indentation": indentation}.get(where)
    return start + (choice.randint(indentation, len(line)) if column is None else column), end


def some_lines(text: str, choice: random.Random) -> tuple[int, int] | None:
    """One to six whole lines, with or without the first one's indentation."""
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


def block(text: str, choice: random.Random) -> tuple[int, int] | None:
    """What a line that ends in a colon opens: from that colon, or from the next line's first word, to the dedent."""
    opener = re.compile(r"^([ \t]*)\S.*:[ \t]*$", re.M).search(text, choice.randrange(len(text) + 1))
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


def bracket(text: str, choice: random.Random) -> tuple[int, int] | None:
    """The inside of a pair of brackets, quotes not understood: a wrong pair is merely an odd hole."""
    opening = re.compile(r"[(\[{]").search(text, choice.randrange(max(len(text), 1)))
    if opening is None:
        return None
    open_, close, depth = opening[0], _BRACKETS[opening[0]], 0
    for match in re.compile(f"[{re.escape(open_ + close)}]").finditer(text, opening.start()):
        depth += 1 if match[0] == open_ else -1
        if depth == 0:
            return opening.end(), match.start()
        if match.start() - opening.start() > _MIDDLE_CHARACTERS:
            break
    return None


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


def context_block(header: str, text: str, characters: int) -> str | None:
    """The first lines of a file under its path comment, ending in a line break; None if not even one line fits."""
    body = cut_after(text, characters - len(header))
    return f"{header}{body}" + ("" if body.endswith("\n") else "\n") if body.strip() else None


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
