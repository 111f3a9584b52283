"""Holes in real code: places where the rest of a line is cut out, or has not been written yet, so that a completion can
be compared with it. Pure but for reading files."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import Literal

from repofill.context.index import WorkspaceIndex
from repofill.context.matches import indent_columns
from repofill.models.trim import block_indent

_WHOLE_LINE = re.compile(r"\S.*\n")

Where = Literal["rest of line", "whole line"]
"""Whether a hole begins at a random column, or behind the line's indentation."""

Alike = Literal["lines", "characters", "blocks", "additions", "ends"]
"""What is drawn with equal probability: a line, a character, which makes long lines more frequent, what is indented
below a line that opens a block, a line that a release added to the one before, or the end of a finished line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A cursor at `offset` in `text`, from which the rest of the line, or a block, `target`, was removed."""

    path: str
    text: str
    offset: int
    target: str

    def in_writing_order(self) -> Hole:
        """The same hole while the file is being written: nothing stands after the cursor yet."""
        return Hole(path=self.path, text=self.text[: self.offset], offset=self.offset, target=self.target)


def sample(
    index: WorkspaceIndex, count: int, seed: int, *, where: Where = "rest of line", alike: Alike = "characters"
) -> Iterator[Hole]:
    """`count` holes in the files of a workspace, as `cut` makes them."""
    texts = {path: (index.text(path) or "").replace("\r\n", "\n") for path in sorted(index.ordered())}
    if alike == "blocks":
        return islice(cut_blocks(texts, seed), count)
    if alike == "ends":
        return (_finished(hole) for hole in islice(cut(texts, seed, where=where, alike="lines"), count))
    return islice(cut(texts, seed, where=where, alike=alike), count)


def _finished(hole: Hole) -> Hole:
    """The end of the hole's line, where nothing is missing."""
    end = hole.offset + len(hole.target)
    text = hole.text[: hole.offset] + hole.target + hole.text[hole.offset :]
    return Hole(path=hole.path, text=text, offset=end, target="")


def cut_blocks(texts: Mapping[str, str], seed: int) -> Iterator[Hole]:
    """Holes in the place of a whole block, behind the indentation of its first line; each block once."""
    blocks = [(path, *block) for path, text in texts.items() for block in _blocks(text)]
    random.Random(seed).shuffle(blocks)
    for path, start, end in blocks:
        text = texts[path]
        yield Hole(path=path, text=text[:start] + text[end:], offset=start, target=text[start:end])


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """From where to where a block stands below each line that opens one, as the server sees it."""
    lines = text.split("\n")
    at = 0
    for number, header in enumerate(lines):
        at += len(header) + 1
        first = lines[number + 1] if number + 1 < len(lines) else ""
        start = at + len(first) - len(first.lstrip())
        below = number + 1
        while below < len(lines) and (
            not lines[below].strip() or indent_columns(lines[below]) > indent_columns(header)
        ):
            below += 1
        end = at + len("\n".join(lines[number + 1 : below]).rstrip())
        if first.strip() and start < end and block_indent(text[:start], text[end:]) is not None:
            yield start, end


def cut_added(earlier: Mapping[str, str], later: Mapping[str, str], seed: int) -> Iterator[Hole]:
    """Holes up to a line's end in the lines that `later` texts have and `earlier` ones of the same path have not, each
    line once, in the text as it was when the line was written, if people write from top to bottom: above it that of
    `later`, below it that of `earlier`."""
    generator = random.Random(seed)
    lines = {
        path: (earlier[path].split("\n"), later[path].split("\n")) for path in sorted(earlier.keys() & later.keys())
    }
    added = [(path, at, below) for path, (old, new) in lines.items() for at, below in _added(old, new)]
    generator.shuffle(added)
    for path, at, below in added:
        old, new = lines[path]
        line = new[at]
        column = generator.randrange(len(line) - len(line.lstrip()), len(line.rstrip()))
        before = "\n".join([*new[:at], line[:column]])
        text = "\n".join([before, *old[below:]])
        yield Hole(path=path, text=text, offset=len(before), target=line[column:].rstrip())


def _added(old: list[str], new: list[str]) -> Iterator[tuple[int, int]]:
    """The numbers of the lines that are new and not blank, each with that of the old line that follows."""
    for what, _, below, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what in ("insert", "replace"):
            yield from ((at, below) for at in range(start, end) if new[at].strip())


def cut(
    texts: Mapping[str, str], seed: int, *, where: Where = "rest of line", alike: Alike = "characters"
) -> Iterator[Hole]:
    """Holes up to a line's end without end, at random places, the same for the same seed and texts; none where no file
    has ten lines, some of them not blank. `texts` have LF line ends."""
    generator = random.Random(seed)
    texts = {path: text for path, text in texts.items() if text.count("\n") >= 10 and _WHOLE_LINE.search(text)}
    paths = list(texts)
    weights = [text.count("\n") if alike == "lines" else len(text) for text in texts.values()]
    starts = {path: [0, *(match.end() for match in re.finditer("\n", text))] for path, text in texts.items()}
    while paths:
        path = generator.choices(paths, weights)[0]
        text = texts[path]
        if alike == "lines":
            start = generator.choice(starts[path])
        else:
            start = text.rfind("\n", 0, generator.randrange(len(text))) + 1
        end = text.find("\n", start)
        line = text[start:end]
        if end < 0 or not line.strip():
            continue
        column = generator.randrange(len(line) - len(line.lstrip()), len(line.rstrip()))
        if where == "whole line":
            column = len(line) - len(line.lstrip())
        target = line[column:].rstrip()
        yield Hole(path=path, text=text[: start + column] + text[end:], offset=start + column, target=target)
