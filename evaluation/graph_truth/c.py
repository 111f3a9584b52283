"""C: what gcc's preprocessor includes, with the include paths of the projects' Makefiles."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from repofill.evaluation.graph_truth import Project, debian, preprocessor
from repofill.evaluation.graph_truth.preprocessor import Edge, Unit

_LZ4 = {
    "lib": [],
    "programs": ["lib"],
    "tests": ["lib", "programs"],
    "examples": ["lib"],
    "contrib/gen_manual": [],
    "ossfuzz": ["lib"],
}
_REDIS = {
    "src": ["deps/hiredis", "deps/linenoise", "deps/lua/src", "deps/hdr_histogram"],
    "src/modules": [],
    "tests/modules": ["src"],
    "deps/hiredis": [],
    "deps/linenoise": [],
    "deps/hdr_histogram": [],
    "deps/lua/src": [],
}
"""Folders whose files are compiled, with the include paths they are compiled with."""


@cache
def _units(root: Path, folders: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[Unit, ...]:
    return tuple(
        Unit(file=file.relative_to(root).as_posix(), compiler="gcc", flags=tuple(f"-I{root / path}" for path in paths))
        for folder, paths in folders
        for file in sorted((root / folder).glob("*.c"))
    )


def _project(name: str, package: str, version: str, folders: Mapping[str, list[str]]) -> Project:
    compiled = tuple((folder, tuple(paths)) for folder, paths in folders.items())

    def edges(root: Path) -> set[Edge]:
        return preprocessor.edges(root, _units(root, compiled))

    def skipped(root: Path) -> set[Edge]:
        return preprocessor.skipped(root, _units(root, compiled))

    return Project(name=name, fetch=partial(debian.source, package, version), edges=edges, skipped=skipped)


PROJECTS = (
    _project("lz4 1.9.4", "lz4", "1.9.4-1", _LZ4),
    _project("redis 7.0.15", "redis", "5:7.0.15-1~deb12u7", _REDIS),
)
