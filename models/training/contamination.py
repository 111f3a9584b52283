"""Which files of a corpus share ten words in a row with a public benchmark: the list for the manifest's `left_out`.

    python -m repofill.models.training.contamination FILE...

Each FILE is a benchmark of JSON lines, gzipped or not, with `prompt`, `suffix` and `canonical_solution`. Words are what
white space separates, as in DeepSeek Coder's filter (Guo et al. 2024, section 2.3). Prints one line per file found.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from platformdirs import user_cache_path

from repofill.models.training.corpus import files_of

WORDS = 10


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Every run of ten words."""
    words = text.split()
    return (tuple(words[at : at + WORDS]) for at in range(len(words) - WORDS + 1))


def benchmark_runs(files: Iterable[Path]) -> frozenset[tuple[str, ...]]:
    """The runs of all tasks, each as a whole text."""
    found: set[tuple[str, ...]] = set()
    for file in files:
        data = file.read_bytes()
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8")
        for task in map(json.loads, text.splitlines()):
            found.update(runs("\n".join((task["prompt"], task["canonical_solution"], task["suffix"]))))
    return frozenset(found)


def contaminated(corpus: Path, known: frozenset[tuple[str, ...]]) -> Iterator[str]:
    """ECOSYSTEM/PACKAGE/PATH of the files with one of these runs."""
    for file in files_of(corpus):
        if not known.isdisjoint(runs(file.read_text(encoding="utf-8"))):
            yield file.relative_to(corpus).as_posix()


def main() -> None:
    """The command; it looks at the corpus that the last training run left in the cache."""
    known = benchmark_runs(map(Path, sys.argv[1:]))
    for path in contaminated(user_cache_path("repofill") / "training" / "corpus", known):
        print(f'  "{path}",')


if __name__ == "__main__":
    main()
