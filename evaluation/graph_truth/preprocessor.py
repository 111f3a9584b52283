"""C and C++: the includes that gcc's preprocessor follows, and where each of them leads."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import debian

_SUFFIXES = frozenset({".c", ".h", ".cc", ".cpp", ".hpp"})
_FLAG = re.compile(r"-(?:I|D|U|isystem|iquote|include|std=|f|m|x)")
_MARKER = re.compile(r'# \d+ "((?:[^"\\]|\\.)*)"')
_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*(?:include|import)[ \t]*(\"[^\"]+\"|<[^>]+>)")

Edge = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A translation unit: `file` relative to the project, `flags` with absolute paths."""

    file: str
    compiler: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Include:
    file: str
    written: str
    compiler: str
    flags: tuple[str, ...]


def edges(root: Path, units: Iterable[Unit]) -> set[Edge]:
    """Which file includes which: every directive that is active in a unit, resolved by the compiler on its own, for a
    header that a guard skips is an include like any other."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        active = {include for found in pool.map(lambda unit: _active(root, unit), units) for include in found}
        targets = pool.map(lambda include: (include.file, _target(root, include)), sorted(active, key=repr))
        return {(file, target) for file, target in targets if target is not None}


def skipped(root: Path, units: Iterable[Unit]) -> set[Edge]:
    """What the preprocessor leaves open: directives that are active in no unit, with every file they might mean."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        active = {(i.file, i.written) for found in pool.map(lambda unit: _active(root, unit), units) for i in found}
    files = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.suffix in _SUFFIXES]
    return {
        (file, other)
        for file in files
        for line in (root / file).read_text("utf-8", "replace").splitlines()
        if (directive := _DIRECTIVE.match(line)) and (file, directive[1]) not in active
        for other in files
        if f"/{other}".endswith("/" + directive[1][1:-1].lstrip("./"))
    }


def cmake_units(root: Path, *options: str) -> tuple[Unit, ...]:
    """The translation units that CMake would compile."""
    with tempfile.TemporaryDirectory() as build:
        command = [debian.program("cmake", "cmake"), "-S", str(root), "-B", build, *options]
        done = subprocess.run(
            [*command, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchmarkError(f"cmake failed: {(done.stderr.strip().splitlines() or ['it printed nothing'])[-1]}")
        commands = json.loads((Path(build) / "compile_commands.json").read_text("utf-8"))
    units = []
    for entry in commands:
        words = shlex.split(entry["command"])
        file = Path(entry["file"]).resolve()
        if file.is_relative_to(root):
            flags = tuple(_flags(words[1:]))
            units.append(Unit(file=file.relative_to(root).as_posix(), compiler=words[0], flags=flags))
    return tuple(units)


def _flags(words: list[str]) -> Iterator[str]:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if _FLAG.match(word):
            yield word
            if word in ("-I", "-D", "-isystem", "-iquote", "-include"):
                yield following


@cache
def _active(root: Path, unit: Unit) -> frozenset[_Include]:
    """The directives of the project's files that are active in a unit; of one that ends with an error those ahead of
    it."""
    command = [debian.program(unit.compiler, "gcc"), "-E", "-dI", *unit.flags, unit.file]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    found = set()
    current: str | None = None
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if marker := _MARKER.match(line):
            current = _inside(root, root, marker[1])
        elif current is not None and (directive := _DIRECTIVE.match(line)):
            found.add(_Include(current, directive[1], unit.compiler, unit.flags))
    return frozenset(found)


@cache
def _target(root: Path, include: _Include) -> str | None:
    """The file of the project that an include leads to."""
    folder = root / os.path.dirname(include.file)
    command = [include.compiler, "-nostdinc", "-H", "-E", "-x", _dialect(include.compiler), *include.flags, "-"]
    text = f"#include {include.written}\n"
    done = subprocess.run(
        command, cwd=folder, input=text, capture_output=True, text=True, errors="replace", check=False
    )
    opened = next((line[2:] for line in done.stderr.splitlines() if line.startswith(". ")), None)
    return None if opened is None else _inside(root, folder, opened)


def _dialect(compiler: str) -> str:
    return "c++" if compiler.endswith("++") else "c"


def _inside(root: Path, folder: Path, path: str) -> str | None:
    """A path that the compiler names, relative to the project; None outside of it."""
    whole = os.path.normpath(os.path.join(folder, path))
    relative = os.path.relpath(whole, root)
    return relative if not relative.startswith("..") and os.path.isfile(whole) else None
