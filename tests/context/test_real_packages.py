"""The graph and the order of real packages, against Python's own import system."""

from __future__ import annotations

import ast
import importlib.util
import random
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from repofill.context.graph import ImportGraph
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

PACKAGES = ("pygls", "watchdog", "django")


@lru_cache
def sources(package: str) -> Mapping[str, str]:
    """Path (relative to the folder that holds the package) → text of every module."""
    folder = Path(next(iter(importlib.util.find_spec(package).submodule_search_locations or ())))  # type: ignore[union-attr]
    files = sorted(folder.rglob("*.py"))
    return {file.relative_to(folder.parent).as_posix(): file.read_text("utf-8") for file in files}


@lru_cache
def outlines(package: str) -> Mapping[str, Outline]:
    return {path: outline for path, text in sources(package).items() if (outline := parse(path, text)) is not None}


def interfaces(package: str) -> Mapping[str, bytes]:
    return {path: pack(outline.interface) for path, outline in outlines(package).items()}


class Truth:
    """What the import statements of one package's files load, found by `importlib`'s own search and `ast`."""

    def __init__(self, package: str) -> None:
        self.root = Path(next(iter(importlib.util.find_spec(package).submodule_search_locations or ()))).parent  # type: ignore[union-attr]
        self.package = package
        self._found: dict[str, tuple[str | None, list[str] | None]] = {}

    def find(self, name: str) -> tuple[str | None, list[str] | None]:
        """(file, search locations) of a module by its absolute name; (None, None) when Python finds nothing."""
        if name not in self._found:
            parent, _, _ = name.rpartition(".")
            locations: list[str] | None = [str(self.root)]
            if parent:
                locations = self.find(parent)[1]
            spec = PathFinder.find_spec(name, locations) if locations else None
            if spec is None or name.partition(".")[0] != self.package:
                self._found[name] = None, None
            else:
                inside = spec.origin if spec.origin and spec.origin.endswith(".py") else None
                places = list(spec.submodule_search_locations) if spec.submodule_search_locations else None
                self._found[name] = inside and Path(inside).relative_to(self.root).as_posix(), places
        return self._found[name]

    def edges(self, path: str, text: str) -> set[str]:
        """An `__init__` around the importing file runs before it anyway: it counts only where a name that is no
        submodule is taken out of it."""
        parts = path.removesuffix(".py").split("/")
        is_init = parts[-1] == "__init__"
        enclosing = {f"{'/'.join(parts[:n])}/__init__.py" for n in range(1, len(parts))} - {path}
        package = ".".join(parts[:-1])
        loaded: set[str] = set()
        taken: set[str] = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    loaded |= self._loaded(alias.name)
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                try:
                    name = importlib.util.resolve_name(base, package) if node.level else base
                except ImportError:
                    continue
                loaded |= self._loaded(name)
                for alias in node.names:
                    file, _ = self.find(f"{name}.{alias.name}") if alias.name != "*" else (None, None)
                    if file is not None:
                        loaded.add(file)
                    elif (own := self.find(name)[0]) is not None:
                        taken.add(own)
        assert is_init or path not in enclosing
        return ((loaded - enclosing) | taken) - {path}

    def _loaded(self, name: str) -> set[str]:
        parts = name.split(".")
        found: set[str] = set()
        for count in range(1, len(parts) + 1):
            file, locations = self.find(".".join(parts[:count]))
            if file is not None:
                found.add(file)
            if file is None and locations is None:
                break
        return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_edge_of_pythons_import_system_and_no_other(package: str) -> None:
    """Precision and recall are both one."""
    graph, truth = ImportGraph(), Truth(package)
    graph.update(interfaces(package))
    expected = {path: truth.edges(path, text) for path, text in sources(package).items()}
    found = {path: set(graph.imports(path)) for path in sources(package)}
    assert sum(map(len, expected.values())) > len(expected) / 2
    assert found == expected


def components(edges: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """Strongly connected components by Kosaraju's two passes, independent of the code under test."""
    finished: list[str] = []
    seen: set[str] = set()

    def visit(start: str, neighbours: Mapping[str, list[str]]) -> Iterator[str]:
        work = [(start, iter(neighbours[start]))]
        seen.add(start)
        while work:
            node, rest = work[-1]
            following = next((n for n in rest if n not in seen), None)
            if following is None:
                work.pop()
                yield node
            else:
                seen.add(following)
                work.append((following, iter(neighbours[following])))

    forward = {node: sorted(targets) for node, targets in edges.items()}
    backward: dict[str, list[str]] = {node: [] for node in edges}
    for node, targets in forward.items():
        for target in targets:
            backward[target].append(node)
    for node in forward:
        if node not in seen:
            finished += visit(node, forward)
    seen.clear()
    component: dict[str, int] = {}
    for number, node in enumerate(reversed(finished)):
        if node not in seen:
            component.update((member, number) for member in visit(node, backward))
    return component


@pytest.mark.parametrize("package", PACKAGES)
def test_the_order_respects_every_edge_outside_of_cycles(package: str) -> None:
    """And it is the same on a second run, and when the file system lists files in another order."""
    graph = ImportGraph()
    graph.update(interfaces(package))
    edges = graph.edges
    place = graph.positions
    component = components(edges)
    assert place.keys() == outlines(package).keys()
    for path, targets in edges.items():
        for target in targets:
            assert component[path] == component[target] or place[target] < place[path], f"{path} needs {target}"
    shuffled = list(interfaces(package).items())
    random.Random(7).shuffle(shuffled)
    again = ImportGraph()
    for start in range(0, len(shuffled), 100):
        again.update(dict(shuffled[start : start + 100]))
    assert again.edges == edges
    assert again.positions == place
