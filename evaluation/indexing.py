"""The index at scale: cold and warm start, one file's change, a plan, a longest match, memory; beside bare tree-sitter
parsing of the same files in the same number of processes, in the same run.

Each figure comes from a process of its own, so that memory is that of one way alone.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from tree_sitter import Language as TreeSitterLanguage
from tree_sitter import Parser

from repofill.context.index import WorkspaceIndex
from repofill.context.languages import language_of
from repofill.context.reader import process_count
from repofill.context.scan import read_source, scan
from repofill.context.store import Store
from repofill.evaluation.figures import BenchmarkError, show
from repofill.lsp_server.memory import keep_what_is_read, look_for_garbage_rarely

_MODULES = {"csharp": "c_sharp", "shell": "bash"}
_PLANS, _CHANGES = 300, 40
_BUDGET_CHARACTERS = 6000


def run(folder: Path, *, as_json: bool) -> None:
    """Measure on a folder. Raises BenchmarkError."""
    with tempfile.TemporaryDirectory(prefix="repofill-bench-") as scratch:
        database = Path(scratch) / "index.db"
        bare = _bare(folder)
        cold = _in_a_process("start", folder, database)
        if not cold["files"]:
            raise BenchmarkError(f"{folder} has no source files")
        warm = _in_a_process("start", folder, database)
        use = _in_a_process("use", folder, database)
    figures = {
        "files": cold["files"],
        "million characters": cold["characters"] / 1e6,
        "bare parsing, s": bare,
        "cold start, s": cold["seconds"],
        "cold / bare": cold["seconds"] / bare,
        "warm start, s": warm["seconds"],
        "cold / warm": cold["seconds"] / warm["seconds"],
        "memory after a warm start, MB": warm["megabytes"],
        **{name: use[name] for name in use if name.endswith("ms")},
        "memory in use, MB": use["megabytes"],
    }
    show(f"The index of {folder}", {"": figures}, as_json=as_json)


def _in_a_process(part: str, folder: Path, database: Path) -> dict[str, float]:
    command = [sys.executable, "-P", "-m", "repofill.evaluation.indexing", part, str(folder), str(database)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"measuring {folder} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _bare(folder: Path) -> float:
    """Seconds for reading and parsing the same files, nothing else, in as many processes as the index uses."""
    command = [sys.executable, "-P", "-m", "repofill.evaluation.indexing", "parse", str(folder)]
    count = process_count()
    start = time.perf_counter()
    processes = [subprocess.Popen([*command, f"{number}/{count}"]) for number in range(count)]
    if any(process.wait() for process in processes):
        raise BenchmarkError(f"parsing {folder} failed")
    return time.perf_counter() - start


def _parse(folder: Path, share: str) -> None:
    number, count = map(int, share.split("/"))
    for at, path in enumerate(scan(folder)):
        language = language_of(path)
        if at % count == number and language is not None and language.support is not None:
            text = read_source(folder, path)
            if text is not None:
                Parser(_grammar(language.name)).parse(text.encode("utf-8", "replace"))


@cache
def _grammar(language: str) -> TreeSitterLanguage:
    module = import_module(f"tree_sitter_{_MODULES.get(language, language)}")
    function = getattr(module, f"language_{language}", None) or module.language
    return TreeSitterLanguage(function())


def _start(folder: Path, database: Path) -> Iterator[tuple[str, float]]:
    start = time.perf_counter()
    index = WorkspaceIndex(folder, Store(database))
    index.build()
    yield "seconds", time.perf_counter() - start
    keep_what_is_read()
    yield "files", index.stats().files
    yield "characters", index.stats().characters
    yield "megabytes", _megabytes()


def _use(folder: Path, database: Path) -> Iterator[tuple[str, float]]:
    index = WorkspaceIndex(folder, Store(database))
    index.build()
    keep_what_is_read()
    generator = random.Random(1)
    paths = index.ordered()
    plans, matches, changes = [], [], []
    for number in range(_PLANS):
        path = generator.choice(paths)
        text = index.text(path) or ""
        at = generator.randrange(len(text) + 1)
        start = time.perf_counter()
        index.plan(path, text[:at], text[at:], _BUDGET_CHARACTERS)
        plans.append(1000 * (time.perf_counter() - start))
        start = time.perf_counter()
        index.copy_candidates(path, text[:at], text[at:])
        matches.append(1000 * (time.perf_counter() - start))
        if number < _CHANGES:
            index.open(path, text)
            start = time.perf_counter()
            index.open(path, f"{text[:at]}\nvalue = {number}\n{text[at:]}")
            changes.append(1000 * (time.perf_counter() - start))
            index.close(path)
    for name, times in (("a plan", plans), ("a longest match", matches), ("one file's change", changes)):
        yield f"{name}, median ms", sorted(times)[len(times) // 2]
        yield f"{name}, p99 ms", sorted(times)[int(len(times) * 0.99)]
    yield "megabytes", _megabytes()


def _megabytes() -> float:
    """Resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def main() -> None:
    """One part of the measurement, in a process of its own."""
    part, folder, *rest = sys.argv[1:]
    look_for_garbage_rarely()  # as the server does
    if part == "parse":
        _parse(Path(folder), rest[0])
    else:
        print(json.dumps(dict((_start if part == "start" else _use)(Path(folder), Path(rest[0])))))


if __name__ == "__main__":
    main()
