"""C++: what g++'s preprocessor includes in the translation units that CMake would compile."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from repofill.evaluation.graph_truth import Project, debian, preprocessor
from repofill.evaluation.graph_truth.preprocessor import Edge, Unit


@cache
def _units(root: Path, options: tuple[str, ...]) -> tuple[Unit, ...]:
    return preprocessor.cmake_units(root, *options)


def _project(name: str, package: str, version: str, *options: str) -> Project:
    def edges(root: Path) -> set[Edge]:
        return preprocessor.edges(root, _units(root, options))

    def skipped(root: Path) -> set[Edge]:
        return preprocessor.skipped(root, _units(root, options))

    return Project(name=name, fetch=partial(debian.source, package, version), edges=edges, skipped=skipped)


PROJECTS = (
    _project("leveldb 1.23", "leveldb", "1.23-4", "-DLEVELDB_BUILD_TESTS=OFF", "-DLEVELDB_BUILD_BENCHMARKS=OFF"),
    _project(
        "googletest 1.12.1",
        "googletest",
        "1.12.1-0.2",
        "-Dgtest_build_tests=ON",
        "-Dgmock_build_tests=ON",
        "-Dgtest_build_samples=ON",
    ),
)
