"""Lines that many packages have: what a project without much text of its own cannot propose yet. Pure; asked by the
completion path, weighed by `models.rank`.

`models.training.common` counts them in the packages that the bundled model is trained on; a file of them ships with it.
"""

from __future__ import annotations

import gzip
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from heapq import nsmallest
from importlib import resources
from itertools import accumulate
from typing import NamedTuple

FILE = "common_lines.txt.gz"
SHORTEST, LONGEST = 4, 100
"""Characters of a line that is worth a key, and that is kept."""
ORIGIN = "common"
"""Of a candidate that is such a line's rest."""

OTHERS = "~"
"""Ahead of the number of files with lines that are none of these, but begin in some way."""

_BEGUN = 2
"""Characters of a line from which on it says something of its rest."""
_END = "\U0010ffff"


class Counted(NamedTuple):
    """How many files have a line, and what share that is of all lines that begin like it."""

    files: int = 0
    share: float = 0.0


class Lines:
    """Lines with the number of files that have each, and how many have `others`, by their beginnings."""

    def __init__(self, counts: Mapping[str, int], others: Mapping[str, int]) -> None:
        self._counts = counts
        rows = sorted([*counts.items(), *others.items()])
        self._lines = [line for line, _ in rows]
        self._sums = [0, *accumulate(count for _, count in rows)]

    def beginning(self, start: str, most: int) -> list[str]:
        """The most frequent ones that begin so and go on, the first in the alphabet first."""
        counts = self._counts
        found = self._lines[slice(*self._range(start))]
        longer = {line for line in found if line in counts and line != start}
        return nsmallest(most, longer, key=lambda line: (-counts[line], line))

    def counted(self, line: str, start: str) -> Counted:
        """What is known of a line that begins with `start`."""
        if line not in self._counts:
            return Counted()
        low, high = self._range(start)
        return Counted(self._counts[line], self._counts[line] / (self._sums[high] - self._sums[low]))

    def _range(self, start: str) -> tuple[int, int]:
        return bisect_left(self._lines, start), bisect_left(self._lines, start + _END)


_NONE = Lines({}, {})
Row = tuple[str, str, str]
"""The number of files, of OTHERS where that is ahead of it; a line, or how others begin; the line above, or ""."""


class CommonLines:
    """The common lines of a language: all, and those below a given other one."""

    def __init__(self, rows: Iterable[Row]) -> None:
        below: defaultdict[str, tuple[dict[str, int], dict[str, int]]] = defaultdict(lambda: ({}, {}))
        for number, line, above in rows:
            below[above][number.startswith(OTHERS)][line] = int(number.removeprefix(OTHERS))
        self._below = {above: Lines(*counts) for above, counts in below.items()}
        self._all = self._below.pop("", _NONE)

    def continuing(self, line: str, above: str, most: int) -> list[str]:
        """How a line that has begun so, indented or not, may go on below another one: up to `most` rests, those first
        that stand below that one elsewhere."""
        start = line.lstrip()
        found = self._below.get(above.strip(), _NONE).beginning(start, most)
        if len(start) >= _BEGUN:
            found += self._all.beginning(start, most)
        return [whole[len(start) :] for whole in dict.fromkeys(found)][:most]

    def counted(self, line: str, text: str, above: str) -> tuple[Counted, Counted]:
        """What is known of `line` with `text` at its end: of itself, and of it below that other one."""
        whole = f"{line}{text}".strip()
        start = line.lstrip()[: len(whole)]
        alone = self._all.counted(whole, start) if len(start) >= _BEGUN else Counted()
        return alone, self._below.get(above.strip(), _NONE).counted(whole, start)


@lru_cache(maxsize=1)
def common_lines() -> CommonLines:
    """Those of Python, which ship. (Those of TypeScript and JavaScript, written with and without semicolons, in two
    kinds of quotes, helped nowhere.)"""
    data = resources.files("repofill.models.bundled").joinpath(FILE).read_bytes()
    rows = (row.split("\t") for row in gzip.decompress(data).decode().rstrip("\n").split("\n"))
    return CommonLines((number, line, "".join(above)) for number, line, *above in rows)


def common_lines_of(language: str) -> CommonLines | None:
    """Those of a language, by its name in `context.languages`, where there are any."""
    return common_lines() if language == "python" else None
