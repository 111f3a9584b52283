"""Whether a context shows a definition: the line with its name stands in what it has of that file. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from repofill.evaluation.truth import Definition

_AFTER_NAME = re.compile(r"[ \t]*\S?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The line that holds a definition's name. `start` is its beginning, up to the character after the name: a skeleton
    may leave out what follows. Where other lines of the file begin so too (`unique` is false), `around`, the beginning
    of the line that it is nested in, or `following`, the line after it, tells them apart."""

    path: str
    start: str
    unique: bool
    around: str
    following: str


def header(definition: Definition, text: str) -> Header:
    """The header of a definition in a file with this text."""
    place = definition.place
    lines = text.split("\n")
    line = lines[place.line]
    tail = _AFTER_NAME.match(line, place.column + len(definition.name))
    start = line[: tail.end() if tail else len(line)].strip()
    return Header(
        path=place.path,
        start=start,
        unique=sum(other.lstrip().startswith(start) for other in lines) == 1,
        around=_around(lines, place.line),
        following=lines[place.line + 1].strip() if place.line + 1 < len(lines) else "",
    )


def is_shown(header: Header, text: str) -> bool:
    """Whether `text`, some of the file that has the header, shows it."""
    if header.start not in text:
        return False
    lines = _lines(text)
    at = [number for number, line in enumerate(lines) if line.lstrip().startswith(header.start)]
    return bool(at) and (header.unique or any(_same(header, lines, number) for number in at))


def _same(header: Header, lines: Sequence[str], number: int) -> bool:
    following = lines[number + 1].strip() if number + 1 < len(lines) else ""
    return (following != "" and following == header.following) or _around(lines, number) == header.around


@lru_cache(maxsize=64)
def _lines(text: str) -> list[str]:
    return text.split("\n")


def _around(lines: Sequence[str], number: int) -> str:
    """The nearest line before, less indented, that begins with a word: as a rule the head of a class. Without what
    follows its first bracket or colon."""
    indent = _indent(lines[number])
    for line in reversed(lines[:number]):
        if line.strip() and _indent(line) < indent and (line.strip()[0].isalnum() or line.strip()[0] == "_"):
            return re.split(r"[({:]", line.strip())[0].rstrip()
    return ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
