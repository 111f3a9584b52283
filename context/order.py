"""The one dependency order: which file comes before which in every prompt. Pure; called by `context.index` and by
training.

DeepSeek Coder's Algorithm 1 (arXiv 2401.14196): in each connected subgraph repeatedly place the file of minimal
in-degree, which need not be zero: that is how cycles are tolerated.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping


def dependency_order(edges: Mapping[str, Collection[str]]) -> list[list[str]]:
    """The nodes of `edges` (path → the paths it depends on), dependencies first, one list per connected subgraph.

    Deterministic: ties are broken by path, subgraphs stand in the order of their smallest path. Self edges and
    targets that are not nodes count for nothing. O((V + E) log V), without recursion.
    """
    dependencies = {
        path: {target for target in targets if target != path and target in edges} for path, targets in edges.items()
    }
    dependents: dict[str, list[str]] = {path: [] for path in dependencies}
    for path, targets in dependencies.items():
        for target in targets:
            dependents[target].append(path)
    return [_place(subgraph, dependencies, dependents) for subgraph in _subgraphs(dependencies, dependents)]


def _subgraphs(dependencies: Mapping[str, set[str]], dependents: Mapping[str, list[str]]) -> list[list[str]]:
    """Connected parts, edges taken in both directions, by their smallest path."""
    seen: set[str] = set()
    subgraphs = []
    for start in sorted(dependencies):
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


def _place(members: list[str], dependencies: Mapping[str, set[str]], dependents: Mapping[str, list[str]]) -> list[str]:
    degree = {path: len(dependencies[path]) for path in members}
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
