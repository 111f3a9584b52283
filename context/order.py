"""The one dependency order: which file comes before which in every prompt. Pure; called by `context.index` and by
training.

DeepSeek Coder's Algorithm 1 (arXiv 2401.14196): in each connected subgraph repeatedly place the file of minimal in-
degree, which need not be zero: that is how cycles are tolerated. Taken by itself that rule may also place a file
before one it depends on when some other cycle blocks the way, so it is applied within each cycle, and the cycles
(strongly connected components) are placed as wholes: without cycles the result is Algorithm 1's, and with them every
edge outside of a cycle still holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush

_Graph = Mapping[int, Collection[int]]
"""Files by their number in the order of paths, so that ties are broken by path, with the files that each depends on."""


def dependency_order(edges: Mapping[str, Collection[str]]) -> list[list[str]]:
    """The nodes of `edges` (path → the paths it depends on), dependencies first, one list per connected subgraph.

    Deterministic: ties are broken by path, subgraphs stand in the order of their smallest path. Self edges and
    targets that are not nodes count for nothing. O((V + E) log V), without recursion.
    """
    paths = sorted(edges)
    number = {path: at for at, path in enumerate(paths)}
    dependencies: list[list[int]] = []
    for path in paths:
        targets = {number[target] for target in edges[path] if target in number}
        targets.discard(number[path])
        dependencies.append(sorted(targets))
    return [[paths[at] for at in _placed(members, dependencies)] for members in _subgraphs(dependencies)]


def _subgraphs(dependencies: Sequence[Sequence[int]]) -> list[list[int]]:
    """Connected parts, edges taken in both directions, by their smallest path."""
    dependents = _reversed(dict(enumerate(dependencies)))
    seen = bytearray(len(dependencies))
    subgraphs = []
    for start in range(len(dependencies)):
        if seen[start]:
            continue
        seen[start] = True
        members, waiting = [], [start]
        while waiting:
            at = waiting.pop()
            members.append(at)
            for neighbours in (dependencies[at], dependents[at]):
                for neighbour in neighbours:
                    if not seen[neighbour]:
                        seen[neighbour] = True
                        waiting.append(neighbour)
        subgraphs.append(members)
    return subgraphs


def _placed(members: Sequence[int], dependencies: Sequence[Sequence[int]]) -> list[int]:
    """One subgraph in order: cycles as wholes, named by their smallest path; a file on no cycle is one of its own."""
    if len(members) == 1:
        return list(members)
    cycles = {min(cycle): cycle for cycle in _cycles(members, dependencies)}
    if len(cycles) == len(members):
        return _by_degree({at: dependencies[at] for at in members})
    cycle_of = {at: name for name, cycle in cycles.items() for at in cycle}
    between = {
        name: {cycle_of[target] for at in cycle for target in dependencies[at]} - {name}
        for name, cycle in cycles.items()
    }
    placed: list[int] = []
    for name in _by_degree(between):
        inside = set(cycles[name])
        placed += (
            inside if len(inside) == 1 else _by_degree({at: inside.intersection(dependencies[at]) for at in inside})
        )
    return placed


def _by_degree(dependencies: _Graph) -> list[int]:
    """Algorithm 1: the node of minimal in-degree, ties by path, again and again."""
    dependents = _reversed(dependencies)
    degree = {at: len(targets) for at, targets in dependencies.items()}
    size = max(degree) + 1
    heap = [count * size + at for at, count in degree.items()]  # an integer compares faster than a pair
    heapify(heap)
    placed: list[int] = []
    while heap:
        count, at = divmod(heappop(heap), size)
        if degree.get(at) != count:
            continue  # an outdated entry: its in-degree has fallen since, or it is placed
        del degree[at]
        placed.append(at)
        for dependent in dependents[at]:
            if dependent in degree:
                degree[dependent] = less = degree[dependent] - 1
                heappush(heap, less * size + dependent)
    return placed


def _cycles(members: Iterable[int], dependencies: Sequence[Sequence[int]]) -> list[list[int]]:
    """Strongly connected components (Tarjan 1972), with a stack of its own instead of recursion."""
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    open_nodes: list[int] = []
    is_open: set[int] = set()
    cycles = []
    for start in members:
        if start in number:
            continue
        work = [(start, iter(dependencies[start]))]
        while work:
            at, targets = work[-1]
            if at not in number:
                number[at] = lowest[at] = len(number)
                open_nodes.append(at)
                is_open.add(at)
            for target in targets:
                if target not in number:
                    work.append((target, iter(dependencies[target])))
                    break
                if target in is_open and lowest[target] < lowest[at]:
                    lowest[at] = lowest[target]
            else:
                work.pop()
                if work and lowest[at] < lowest[work[-1][0]]:
                    lowest[work[-1][0]] = lowest[at]
                if lowest[at] == number[at]:
                    cycle = [open_nodes.pop()]
                    while cycle[-1] != at:
                        cycle.append(open_nodes.pop())
                    is_open.difference_update(cycle)
                    cycles.append(cycle)
    return cycles


def _reversed(dependencies: _Graph) -> dict[int, list[int]]:
    dependents: dict[int, list[int]] = {at: [] for at in dependencies}
    for at, targets in dependencies.items():
        for target in targets:
            dependents[target].append(at)
    return dependents
