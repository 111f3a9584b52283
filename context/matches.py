"""Longest-match candidates: how the project's own text goes on where it last looked like the text before the cursor.

Pure text in, candidates out; called by `context.index`, which owns the texts, and by the benchmarks.

The idea is the oldest of the field (Hellendoorn & Devanbu 2017 "nested caches"; infini-gram's longest-suffix back-off):
take the longest suffix of the text before the cursor that occurs elsewhere and continue as the text there continues.
Matching runs over characters, not tokens, so a cursor in the middle of a word is no special case, and the length of the
match is a good confidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

LONGEST = 200
"""Characters before the cursor that are compared; longer matches are all equally certain."""

_ANCHORS = (32, 16, 8, 5, 3)
"""Suffix lengths searched for, longest first: each is one scan of the text, and most cursors are settled by the first
two."""

LONGEST_NEEDLE = _ANCHORS[0]
"""Characters that a source is asked for at most."""

OCCURRENCES = 64
"""Occurrences looked at per source and anchor; frequent short anchors would otherwise cost milliseconds."""

_FOLLOWING = 80
"""Characters below that are compared."""
_NOT_BLANK = re.compile(r"\S")
_BLOCK_LINES = 12
_TAB = 8
_LINE_CHARACTERS = 400
_LINE = re.compile(rf"[^\n]{{0,{_LINE_CHARACTERS}}}+(?=\n)")
"""What is left of a line. None of a longer one: it is data, which nobody wants copied, and must cost no time. None of
one that the text ends in: it is being typed, here or in another open file."""

_STEP = re.compile(r"^([ \t]*+)\S.*[:{][ \t]*$(?=\n(?:[ \t]*\n)*\1([ \t]+))", re.MULTILINE)
"""A line that opens a block, and what the first one below it is indented by more."""
_STEP_CHARACTERS = 2000


class Source(Protocol):
    """What can be copied from. `origin` names how near it is: "before" and "after" the cursor, "open", "project"."""

    @property
    def origin(self) -> str:
        """See the class."""

    def occurrences(self, needle: str) -> Iterator[tuple[int, str, int]]:
        """Up to OCCURRENCES places that end with `needle`, nearest first: a text with LF line ends, a number that
        identifies it within the source, and the offset behind the needle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A single text as a source. With `latest_first` it is the one before the cursor: it ends with what is looked for,
    and the last occurrence is the nearest."""

    text: str
    origin: str
    latest_first: bool = False

    def occurrences(self, needle: str) -> Iterator[tuple[int, str, int]]:
        """See `Source`."""
        return ((0, self.text, end) for end in islice(self._ends(needle), OCCURRENCES))

    def _ends(self, needle: str) -> Iterator[int]:
        text, size = self.text, len(needle)
        if not self.latest_first:
            at = text.find(needle)
            while at >= 0:
                yield at + size
                at = text.find(needle, at + 1)
            return
        # The last characters are the needle itself: an occurrence must end before the cursor.
        at = text.rfind(needle, 0, max(len(text) - 1, 0))
        while at >= 0:
            yield at + size
            at = text.rfind(needle, 0, at + size - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A continuation of the line (or block) as it stands elsewhere; "" where the line ends there.

    `match_length` is in characters, `votes` counts the occurrences seen that go on in the same way, `origin` is that of
    the longest match. `follows` are the characters below it, from the next line's first on, that stand below the cursor
    as well; the most of all occurrences.
    """

    text: str
    match_length: int
    votes: int
    origin: str
    follows: int = 0


def candidates(
    before: str, after: str, sources: Iterable[Source], *, limit: int = 10, block_indent: int | None = None
) -> tuple[Candidate, ...]:
    """Up to `limit` distinct continuations of `before`, ahead of `after` (LF line ends), first those with the longest
    match before and behind them, then the more frequent, then the nearer.

    `sources` stand in order of nearness. With `block_indent` the continuation is not the rest of the line but the block
    of lines indented by more than that many columns. Lines come indented as the cursor's place asks, not as they stand
    in their source.
    """
    query = before[-LONGEST:]
    cursor = _cursor(before, block_indent)
    below = _below(after, 0) if block_indent is None else ""
    found: dict[str, _Tally] = {}
    seen: set[tuple[int, int, int]] = set()
    origins = list(sources)
    for needle in _needles(query):
        for rank, source in enumerate(origins):
            for number, text, end in source.occurrences(needle):
                if (rank, number, end) in seen:
                    continue  # it was found under a longer anchor
                seen.add((rank, number, end))
                copied = _continuation(text, end, cursor)
                if copied is not None:
                    tally = found.setdefault(copied, _Tally())
                    tally.add(_common_suffix(text, end, query), rank)
                    if below:
                        tally.follows = max(tally.follows, shared(_below(text, end), below))
        if len(found) >= limit:
            break
    ranked = sorted(found.items(), key=lambda item: (-item[1].length - item[1].follows, -item[1].votes, item[1].rank))
    return tuple(
        Candidate(
            text=text,
            match_length=tally.length,
            votes=tally.votes,
            origin=origins[tally.rank].origin,
            follows=tally.follows,
        )
        for text, tally in ranked[:limit]
    )


def longest_matches(before: str, source: Source) -> Iterator[tuple[int, str, int]]:
    """The places of a source whose text ends as `before` does, by the longest needle that stands there at all: length
    of the match, text, and the offset behind it."""
    query = before[-LONGEST:]
    for needle in _needles(query):
        found = [(text, end) for _, text, end in source.occurrences(needle)]
        if found:
            return ((_common_suffix(text, end, query), text, end) for text, end in found)
    return iter(())


def _needles(query: str) -> Iterator[str]:
    """The ends of a text that are looked for, the longest first. White space alone says nothing, unless it is long."""
    for anchor in _ANCHORS:
        needle = query[-anchor:]
        if len(needle) == anchor and (needle.strip() or anchor == _ANCHORS[0]):
            yield needle


class _Tally:
    """What is known of one continuation."""

    __slots__ = ("follows", "length", "rank", "votes")

    def __init__(self) -> None:
        self.follows = 0
        self.length = 0
        self.rank = 0
        self.votes = 0

    def add(self, length: int, rank: int) -> None:
        self.votes += 1
        if length > self.length:
            self.length, self.rank = length, rank


def _common_suffix(text: str, end: int, query: str) -> int:
    """Length of the longest common suffix of `text[:end]` and `query`: equality is monotonic, so bisect."""
    low, high = 0, min(end, len(query))
    while low < high:
        middle = (low + high + 1) // 2
        if text.endswith(query[-middle:], 0, end):
            low = middle
        else:
            high = middle - 1
    return low


def _below(text: str, at: int) -> str:
    """The first characters below the line of an offset that are not white space."""
    start = text.find("\n", at) + 1
    if not start:
        return ""
    first = _NOT_BLANK.search(text, start, start + _FOLLOWING)
    return text[first.start() : first.start() + _FOLLOWING] if first is not None else ""


def shared(one: Sequence[object], other: Sequence[object]) -> int:
    """Leading characters, or tokens, in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


@dataclass(frozen=True, slots=True)
class _Cursor:
    """The cursor's line, as far as it decides what is copied. `may_end`: it is not blank, and no block is wanted.
    `indent`: its columns, or those of the line above when nothing stands on it yet. `step`: what the nearest block
    above is indented by, "" where there is none."""

    on_new_line: bool
    after_indent: bool
    may_end: bool
    indent: int
    block_indent: int | None
    step: str


def _cursor(before: str, block_indent: int | None) -> _Cursor:
    line = before.rpartition("\n")[2]
    return _Cursor(
        on_new_line=before.endswith("\n"),
        after_indent=bool(line) and not line.strip(),
        may_end=bool(line.strip()) and block_indent is None,
        indent=indent_columns(before.removesuffix("\n").rpartition("\n")[2]),
        block_indent=block_indent,
        step=(["", *(match[2] for match in _STEP.finditer(before[-_STEP_CHARACTERS:]))])[-1],
    )


def _continuation(text: str, end: int, cursor: _Cursor) -> str | None:
    """How `text` goes on after `end`; None when that does not fit at the cursor."""
    start = end - cursor.on_new_line  # so that the first line is indented like any other
    more = cursor.on_new_line if cursor.block_indent is None else _BLOCK_LINES
    lines = islice(_lines(text, start), 1 + more)
    copied = list(islice(lines, 1))
    if not copied:
        return None
    base = deep = _indent_before(text, start)
    above, step = text[max(0, start - 1) : start] + copied[0], 0
    for line in lines:
        if line.strip():
            columns = indent_columns(line)
            if not step and columns > deep and above.rstrip().endswith((":", "{")):
                step = columns - deep
            above, deep = line, columns
        placed = _placed(line, base, step, cursor)
        if cursor.block_indent is not None and placed and indent_columns(placed) <= cursor.block_indent:
            break
        copied.append(placed)
    joined = "\n".join(copied)[cursor.on_new_line :].rstrip()
    fits = not (cursor.after_indent and joined[0].isspace()) if joined else cursor.may_end
    return joined if fits else None


def _lines(text: str, start: int) -> Iterator[str]:
    """Lines from `start` on, up to one that the text ends in or that is too long to copy."""
    while (line := _LINE.match(text, start)) is not None:
        yield line[0]
        start = line.end() + 1


def _indent_before(text: str, at: int) -> int:
    """Columns that the line of `at` is indented by, up to `at`."""
    least = max(0, at - _LINE_CHARACTERS)
    start = max(least, text.rfind("\n", least, at) + 1)
    return indent_columns(text[start:at])


def _placed(line: str, base: int, step: int, cursor: _Cursor) -> str:
    """`line`, from below one indented by `base` columns, where blocks are by `step`, indented as at the cursor; nothing
    of a blank one."""
    body = line.lstrip(" \t").rstrip()
    deeper = indent_columns(line) - base
    if step and cursor.step:
        deeper = deeper * indent_columns(cursor.step) // step
    columns = max(0, cursor.indent + deeper)
    tabs = columns // _TAB if (cursor.step or line).startswith("\t") else 0
    return "\t" * tabs + " " * (columns - tabs * _TAB) + body if body else ""


def indent_columns(line: str) -> int:
    """Columns of white space a line begins with; a tab goes to the next multiple of eight, as Python reads it."""
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(_TAB))
