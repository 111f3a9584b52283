"""The lines that many packages have, from a corpus: `python -m repofill.models.training.common CORPUS` writes the file
that `models.common` reads. Called by `__main__`, too.

A line counts once for each file that has it, whatever it is indented by; so does a line below another one. Files that
nearly repeat others are not in a corpus. What all the other lines begin with counts, too: without that nobody could say
how probable a common line is.
"""

from __future__ import annotations

import argparse
import gzip
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from repofill.context.matches import shared
from repofill.context.redact import redact
from repofill.models.common import FILE, LONGEST, OTHERS, SHORTEST
from repofill.models.training.corpus import files_of, workspaces

_LEAST_PACKAGES = 4
"""What three packages have is mostly chance, or a project of several packages."""
_LEAST_OTHERS = 5
"""Fewer other lines than this are taken for such as begin like the common ones for a character less."""
_OF_SOMEBODY = "copyright"

_Counts = Counter[tuple[str, str]]


def write_common_lines(corpus: Path, output: Path) -> None:
    """Count the lines of all packages of Python that are trained on. The same corpus gives the same file."""
    packages, files = _count(workspaces(corpus, "pypi", validation=False))
    output.write_bytes(gzip.compress("".join(_rows(packages, files)).encode(), mtime=0))


def _count(folders: Iterable[Path]) -> tuple[_Counts, _Counts]:
    """How many packages and how many files have each line, with "" and with the line above it."""
    packages, files = _Counts(), _Counts()
    for folder in folders:
        here: set[tuple[str, str]] = set()
        for file in files_of(folder):
            pairs = set(_pairs(file.read_text(encoding="utf-8")))
            pairs |= {(line, "") for line, _ in pairs}
            files.update(pairs)
            here |= pairs
        packages.update(here)
    return packages, files


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Lines without their indentation, each with the one above it that is not blank."""
    above = ""
    for line in filter(None, map(str.strip, text.split("\n"))):
        is_code = len(line) <= LONGEST and "\t" not in line and _OF_SOMEBODY not in line.lower()
        if is_code and len(line) >= SHORTEST:
            yield line, above
        above = line if is_code else ""


def _rows(packages: _Counts, files: _Counts) -> Iterator[str]:
    """Files, line and, of a pair, the line above it, with tabs between them; of others how they begin."""
    common: defaultdict[str, list[str]] = defaultdict(list)
    others: defaultdict[str, dict[str, int]] = defaultdict(dict)
    frequent = sorted(pair for pair, count in packages.items() if count >= _LEAST_PACKAGES)
    without_secrets = set(redact("\n".join(dict.fromkeys(line for line, _ in frequent))).split("\n"))
    for line, above in frequent:
        if line in without_secrets:
            common[above].append(line)
    for (line, above), count in files.items():
        if above in common:
            others[above][line] = count
    for above, lines in sorted(common.items()):
        counted = {line: others[above].pop(line) for line in lines}
        rows = [(line, str(count)) for line, count in counted.items()]
        rows += [(start, f"{OTHERS}{count}") for start, count in _beginnings(others[above], lines).items()]
        for line, number in sorted(rows):
            if line or above:
                yield "\t".join([number, line, *filter(None, [above])]) + "\n"


def _beginnings(others: Mapping[str, int], common: list[str]) -> dict[str, int]:
    """How many lines begin in which way, each as far as it begins like the common line, of sorted ones, that it is most
    like."""
    found: Counter[str] = Counter()
    for line, count in others.items():
        at = bisect_left(common, line)
        near = common[max(at - 1, 0) : at + 1]
        found[line[: max(shared(line, other) for other in near)]] += count
    for start in sorted(found, key=len, reverse=True):
        while start in found and start and found[start] < _LEAST_OTHERS:
            found[start[:-1]] += found.pop(start)
            start = start[:-1]
    return +found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m repofill.models.training.common", description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parents[1] / "bundled" / FILE)
    options = parser.parse_args()
    write_common_lines(options.corpus, options.output)


if __name__ == "__main__":
    main()
