"""The one dependency order: which file comes before which in every prompt. Pure; called by `context.index` and by
training.

DeepSeek Coder's Algorithm 1 (arXiv 2401.14196): in each connected subgraph repeatedly place the file of minimal in-
degree, which need not be zero: that is how cycles are tolerated. Taken by itself that rule may also place a file
before one it depends on when some other cycle blocks the way, so it is applied within each cycle, and the cycles
(strongly connected components) are placed as wholes: without cycles the result is Algorithm 1's, and with them every
edge outside of a cycle still holds.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping

_Edges = Mapping[str, Collection[str]]


def dependency_order(edges: _Edges) -> list[list[str]]:
    """The nodes of `edges` (path → the paths it depends on), dependencies first, one list per connected subgraph.

    Deterministic: ties are broken by path, subgraphs stand in the order of their smallest path. Self edges and
    targets that are not nodes count for nothing. O((V + E) log V), without recursion.
    """
    dependencies = {
        path: sorted({target for target in edges[path] if target != path and target in edges}) for path in sorted(edges)
    }
    dependents = _reversed(dependencies)
    return [_place_subgraph(members, dependencies) for members in _subgraphs(dependencies, dependents)]


def _subgraphs(dependencies: _Edges, dependents: _Edges) -> list[list[str]]:
    """Connected parts, edges taken in both directions, by their smallest path."""
    seen: set[str] = set()
    subgraphs = []
    for start in dependencies:
        if start in seen:
            continue
        seen.add(start)
        members, waiting = [], [start]
        while waiting:
            path = waiting.pop()
            members.append(path)
            for neighbour in (*dependencies[path], *dependents[path]):
                if neighbour not in seen:
                    seen.add(neighbour)
                    waiting.append(neighbour)
        subgraphs.append(members)
    return subgraphs


def _place_subgraph(members: Iterable[str], dependencies: _Edges) -> list[str]:
    """Cycles as wholes, named by their smallest path; a file on no cycle is one of its own."""
    cycles = {min(cycle): cycle for cycle in _cycles({path: dependencies[path] for path in members})}
    cycle_of = {path: name for name, cycle in cycles.items() for path in cycle}
    between = {
        name: {cycle_of[target] for path in cycle for target in dependencies[path]} - {name}
        for name, cycle in cycles.items()
    }
    placed: list[str] = []
    for name in _place(between):
        inside = set(cycles[name])
        placed += _place({path: inside.intersection(dependencies[path]) for path in inside})
    return placed


def _place(dependencies: _Edges) -> list[str]:
    """Algorithm 1: the node of minimal in-degree, ties by path, again and again."""
    dependents = _reversed(dependencies)
    degree = {path: len(targets) for path, targets in dependencies.items()}
    heap = [(count, path) for path, count in degree.items()]
    heapq.heapify(heap)
    placed: list[str] = []
    while heap:
        count, path = heapq.heappop(heap)
        if degree.get(path) != count:
            continue  # an outdated entry: its in-degree has fallen since, or it is placed
        del degree[path]
        placed.append(path)
        for dependent in dependents[path]:
            if dependent in degree:
                degree[dependent] -= 1
                heapq.heappush(heap, (degree[dependent], dependent))
    return placed


def _cycles(dependencies: _Edges) -> list[list[str]]:
    """Strongly connected components (Tarjan 1972), with a stack of its own instead of recursion."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_nodes: list[str] = []
    is_open: set[str] = set()
    cycles = []
    for start in dependencies:
        if start in number:
            continue
        work = [(start, iter(dependencies[start]))]
        while work:
            path, targets = work[-1]
            if path not in number:
                number[path] = lowest[path] = len(number)
                open_nodes.append(path)
                is_open.add(path)
            for target in targets:
                if target not in number:
                    work.append((target, iter(dependencies[target])))
                    break
                if target in is_open:
                    lowest[path] = min(lowest[path], lowest[target])
            else:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[path])
                if lowest[path] == number[path]:
                    cycle = [open_nodes.pop()]
                    while cycle[-1] != path:
                        cycle.append(open_nodes.pop())
                    is_open.difference_update(cycle)
                    cycles.append(cycle)
    return cycles


def _reversed(dependencies: _Edges) -> dict[str, list[str]]:
    dependents: dict[str, list[str]] = {path: [] for path in dependencies}
    for path, targets in dependencies.items():
        for target in targets:
            dependents[target].append(path)
    return dependents
