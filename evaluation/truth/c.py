"""C and C++: definitions as libclang sees them, in every file by itself, as if all folders with headers were on the
include path."""

from __future__ import annotations

import multiprocessing
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.progress import track

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import debian
from repofill.evaluation.truth import Definition, Owner, Place

_PROCESSES = 2
_KEEP_GOING = 0x200
_HEADERS = (".h", ".hh", ".hpp", ".hxx")
_UNITS = {"c": (".c",), "c++": (".cc", ".cpp", ".cxx")}
_FLAGS = {"c": ("-xc", "-std=gnu17"), "c++": ("-xc++", "-std=gnu++20")}


def resolve(root: Path, places: Sequence[Place], *, language: str = "c") -> list[tuple[Definition, ...]]:
    """What a name refers to: a type's or a macro's definition; a function's and a variable's declaration, and its
    definition wherever in the workspace it is. `language` is "c" or "c++"."""
    _clang()
    root = root.resolve()
    order = sorted(range(len(places)), key=lambda number: places[number])
    files = [list(group) for _, group in groupby(order, key=lambda number: places[number].path)]
    units = [
        file.relative_to(root).as_posix()
        for file in sorted(root.rglob("*"))
        if file.suffix in _UNITS[language] and file.is_file()
    ]
    found: dict[int, tuple[Definition, ...]] = {}
    with ProcessPoolExecutor(_PROCESSES, mp_context=multiprocessing.get_context("forkserver")) as processes:
        outside: dict[str, Definition] = {}
        for defined in track(
            processes.map(partial(_defined, root, language), units), "definitions", len(units), transient=True
        ):
            outside.update(defined)
        work = processes.map(partial(_uses, root, language), [[places[n] for n in group] for group in files])
        for group, uses in zip(files, track(work, "uses", len(files), transient=True), strict=True):
            for number, use in zip(group, uses, strict=True):
                elsewhere = {outside[usr] for usr in use if usr in outside}
                found[number] = tuple(sorted({*use.values(), *elsewhere}, key=lambda d: d.place)) if use else ()
    return [tuple(d for d in found[number] if d.name) for number in range(len(places))]


def _clang() -> Any:
    try:
        from clang import cindex
    except ImportError as error:
        raise BenchmarkError("libclang is missing: pip install 'repofill[bench]'") from error
    return cindex


@cache
def _arguments(root: Path, language: str) -> tuple[str, ...]:
    """Folders of the workspace come after the system's where a name is in angle brackets."""
    gcc = debian.program("gcc", "gcc")
    own = subprocess.run([gcc, "-print-file-name=include"], capture_output=True, text=True, check=True).stdout.strip()
    headers = {file.parent for file in root.rglob("*") if file.suffix in _HEADERS}
    folders = sorted(
        {folder for header in headers for folder in (header, *header.parents) if root in (folder, *folder.parents)}
    )
    paths = (flag for folder in folders for flag in ("-iquote", str(folder), "-idirafter", str(folder)))
    return (*_FLAGS[language], "-isystem", own, "-ferror-limit=0", *paths)


def _parsed(root: Path, language: str, path: str) -> Any:
    clang = _clang()
    index = clang.Index.create()
    options = clang.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD | _KEEP_GOING
    try:
        return index.parse(str(root / path), args=list(_arguments(root, language)), options=options)
    except clang.TranslationUnitLoadError:
        return None


def _defined(root: Path, language: str, path: str) -> dict[str, Definition]:
    """What other files may use of one unit: its functions and variables, by clang's name of the thing."""
    unit = _parsed(root, language, path)
    return {} if unit is None else dict(_external(root, path, unit.cursor))


def _external(root: Path, path: str, cursor: Any) -> Iterator[tuple[str, Definition]]:
    clang = _clang()
    for child in cursor.get_children():
        if child.location.file is None or child.location.file.name != str(root / path):
            continue
        if child.kind in (clang.CursorKind.NAMESPACE, clang.CursorKind.LINKAGE_SPEC):
            yield from _external(root, path, child)
        elif child.linkage == clang.LinkageKind.EXTERNAL and child.is_definition():
            definition = _definition(root, child)
            if definition is not None:
                yield child.get_usr(), definition


def _uses(root: Path, language: str, places: Sequence[Place]) -> list[dict[str, Definition]]:
    """For every place of one file, by clang's name of the thing, what is seen of it there."""
    clang = _clang()
    path = places[0].path
    unit = _parsed(root, language, path)
    if unit is None:
        return [{} for _ in places]
    file, lines = clang.File.from_name(unit, str(root / path)), _lines(root / path)
    found = []
    for place in places:
        line = lines[place.line]
        word = re.match(r"\w*", line[place.column :])
        start = len(line[: place.column].encode()) + 1
        ends = [clang.SourceLocation.from_position(unit, file, place.line + 1, column) for column in (start, start + 1)]
        tokens = list(unit.get_tokens(extent=clang.SourceRange.from_locations(*ends)))
        found.append(_referenced(root, tokens[0].cursor, word[0] if word else "") if tokens else {})
    return found


def _referenced(root: Path, cursor: Any, word: str) -> dict[str, Definition]:
    clang = _clang()
    target = cursor.referenced
    if target is None or target.spelling != word:
        return {}
    if target.kind not in (clang.CursorKind.FUNCTION_DECL, clang.CursorKind.VAR_DECL, clang.CursorKind.CXX_METHOD):
        target = target.get_definition() or target
    definition = _definition(root, target)
    return {} if definition is None else {target.get_usr(): definition}


def _definition(root: Path, cursor: Any) -> Definition | None:
    """None outside of the workspace, and where a macro wrote the name."""
    location = cursor.location
    file = None if location.file is None else Path(location.file.name).resolve()
    if file is None or not file.is_relative_to(root):
        return None
    line = _lines(file)[location.line - 1]
    column = len(line.encode()[: location.column - 1].decode("utf-8", "replace"))
    if not cursor.spelling or not line.startswith(cursor.spelling, column):
        return None
    place = Place(path=file.relative_to(root).as_posix(), line=location.line - 1, column=column)
    return Definition(place=place, name=cursor.spelling, owner=_owner(cursor))


def _owner(cursor: Any) -> Owner:
    clang = _clang()
    if cursor.kind == clang.CursorKind.PARM_DECL:
        return "parameter"
    around = cursor.semantic_parent
    kinds: Mapping[Any, Owner] = {
        clang.CursorKind.STRUCT_DECL: "class",
        clang.CursorKind.UNION_DECL: "class",
        clang.CursorKind.CLASS_DECL: "class",
        clang.CursorKind.CLASS_TEMPLATE: "class",
        clang.CursorKind.FUNCTION_DECL: "function",
        clang.CursorKind.CXX_METHOD: "function",
    }
    return "module" if around is None else kinds.get(around.kind, "module")


@cache
def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8", "replace").replace("\r\n", "\n").split("\n")
