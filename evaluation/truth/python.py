"""Python: definitions by jedi's inference. What is installed on this machine takes no part in it."""

from __future__ import annotations

import ast
import keyword
import multiprocessing
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.progress import track

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.truth import Definition, Owner, Place

_PROCESSES = 2


def resolve(root: Path, places: Sequence[Place]) -> list[tuple[Definition, ...]]:
    """What `jedi.Script.goto` finds, imports followed. Modules are no definitions."""
    _jedi()
    found: dict[int, tuple[Definition, ...]] = dict.fromkeys(range(len(places)), ())
    order = sorted(_promising(root, places), key=lambda number: places[number])
    files = [list(group) for _, group in groupby(order, key=lambda number: places[number].path)]
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(_PROCESSES, mp_context=context) as processes:
        work = processes.map(partial(_resolve_file, root.resolve()), [[places[n] for n in group] for group in files])
        for group, definitions in zip(files, track(work, "jedi", len(files), transient=True), strict=True):
            found.update(zip(group, definitions, strict=True))
    return [found[number] for number in range(len(places))]


def _promising(root: Path, places: Sequence[Place]) -> Iterator[int]:
    """The numbers of the places with a word that some file binds: other words, most of them keywords, text and what the
    standard library defines, lead nowhere in the workspace, and jedi would be minutes about it."""
    bound: set[str] = set()
    for file in root.rglob("*.py*"):
        with suppress(SyntaxError, ValueError):
            for node in ast.walk(ast.parse(file.read_bytes())):
                bound.update(_bound_by(node))
    lines = {path: _text(root / path).split("\n") for path in {place.path for place in places}}
    for number, place in enumerate(places):
        word = re.match(r"\w*", lines[place.path][place.line][place.column :])
        if word is not None and word[0] in bound and not keyword.iskeyword(word[0]):
            yield number


def _bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.arg():
            yield node.arg
        case ast.Name(ctx=ast.Store()):
            yield node.id
        case ast.Attribute(ctx=ast.Store()):
            yield node.attr
        case ast.alias(asname=str(name)):
            yield name


def _text(file: Path) -> str:
    return file.read_text("utf-8", "replace").replace("\r\n", "\n")


def _jedi() -> Any:
    try:
        import jedi
    except ImportError as error:
        raise BenchmarkError("jedi is missing: pip install 'repofill[bench]'") from error
    return jedi


@cache
def _project(root: Path) -> Any:
    """The standard library comes from typeshed, so the search path is the workspace alone."""
    return _jedi().Project(root, sys_path=[str(root)], smart_sys_path=False)


def _resolve_file(root: Path, places: Sequence[Place]) -> list[tuple[Definition, ...]]:
    file = root / places[0].path
    environment = _jedi().InterpreterEnvironment()  # this process, instead of one more for each of its own
    script = _jedi().Script(_text(file), path=file, project=_project(root), environment=environment)
    return [_definitions(root, script, place) for place in places]


def _definitions(root: Path, script: Any, place: Place) -> tuple[Definition, ...]:
    try:
        names = script.goto(place.line + 1, place.column, follow_imports=True)
    except Exception:  # jedi's inference fails on some code with errors of many kinds
        return ()
    found = {}
    for name in names:
        file = name.module_path
        if file is None or name.type == "module" or name.line is None or not file.is_relative_to(root):
            continue
        at = Place(path=file.relative_to(root).as_posix(), line=name.line - 1, column=name.column)
        found[at] = Definition(place=at, name=name.name, owner=_owner(name))
    return tuple(found[at] for at in sorted(found))


def _owner(name: Any) -> Owner:
    if name.type == "param":
        return "parameter"
    around = name.parent()
    if around is None or around.type not in ("class", "function"):
        return "module"
    outside = around.parent()
    in_method = around.type == "function" and outside is not None and outside.type == "class"
    return "class" if around.type == "class" or in_method else "function"  # methods set attributes
