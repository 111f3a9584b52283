"""The one dependency order: which file comes before which in every prompt. Pure; kept up by `context.graph`.

DeepSeek Coder's Algorithm 1 (arXiv 2401.14196) repeatedly places the file of minimal in-degree, which need not be zero:
that is how cycles are tolerated. Taken by itself that rule may also place a file before one it depends on when some
other cycle blocks the way, so it is applied within each cycle, and the cycles (strongly connected components) are
placed as wholes, level by level: a level depends on lower ones alone. So a file's place follows from what it depends
on, and a change moves nothing but what depends on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import NamedTuple


class Position(NamedTuple):
    """A file's place in the order: one level above the highest that it depends on, in the cycle named by its smallest
    path, the file itself where it is on none, and at which place in that."""

    level: int = -1
    cycle: str = ""
    at: int = 0


class DependencyOrder:
    """The order of files that come, change and go. Incremental equals fresh."""

    def __init__(self) -> None:
        self._dependencies: dict[str, tuple[str, ...]] = {}
        self._dependents: dict[str, list[str]] = {}
        self._positions: dict[str, Position] = {}

    @property
    def positions(self) -> Mapping[str, Position]:
        """Where every file stands: what it depends on comes first, outside of cycles. A new mapping after every
        change."""
        return self._positions

    def update(self, changed: Mapping[str, Collection[str] | None]) -> None:
        """Take over what files depend on; None removes a file. What is no file, and a file itself, count for nothing.
        O((V + E) log V) of what depends on them, without recursion."""
        moved = [path for path, targets in changed.items() if not self._stays(path, targets)]
        for path, targets in changed.items():
            self._link(path, targets)
        if moved:
            positions = dict(self._positions)
            region = _reachable(moved, self._dependents)
            for path in region:
                positions.pop(path, None)
            inside = region & self._dependencies.keys()
            for cycle in _cycles({path: self._within(path, inside) for path in inside}):
                self._place(cycle, positions)
            self._positions = positions

    def _stays(self, path: str, targets: Collection[str] | None) -> bool:
        """Whether a file stands where it stood, unless another one moves: it is on no cycle, these will put it on none,
        and their level is what it was."""
        before, known = self._positions.get(path), self._positions
        if before is None or targets is None:
            return before is None and targets is None
        if any(known[target].cycle == before.cycle for target in self._dependencies[path] if target in known):
            return False
        levels = (known[target].level for target in targets if target in known and target != path)
        return max(levels, default=-1) + 1 == before.level

    def _link(self, path: str, targets: Collection[str] | None) -> None:
        for target in self._dependencies.pop(path, ()):
            self._dependents[target].remove(path)
            if not self._dependents[target]:
                del self._dependents[target]
        if targets is not None:
            self._dependencies[path] = tuple(sorted(target for target in targets if target != path))
            for target in self._dependencies[path]:
                self._dependents.setdefault(target, []).append(path)

    def _within(self, path: str, inside: Collection[str]) -> list[str]:
        return [target for target in self._dependencies[path] if target in inside]

    def _place(self, cycle: Collection[str], positions: dict[str, Position]) -> None:
        """One cycle, above everything that it depends on, all of which is placed."""
        members, name = set(cycle), min(cycle)
        below = (positions[t].level for m in cycle for t in self._dependencies[m] if t in positions)
        level = max(below, default=-1) + 1
        ordered = _by_degree({path: self._within(path, members) for path in cycle}) if len(members) > 1 else cycle
        positions.update({path: Position(level, name, at) for at, path in enumerate(ordered)})


def subgraph_count(dependencies: Mapping[str, Iterable[str]]) -> int:
    """Connected parts, dependencies taken in both directions."""
    top = {path: path for path in dependencies}

    def find(path: str) -> str:
        while top[path] != path:
            top[path] = path = top[top[path]]
        return path

    for path, targets in dependencies.items():
        for target in targets:
            if target in top:
                top[find(path)] = find(target)
    return sum(path == above for path, above in top.items())


def _reachable(start: Iterable[str], neighbours: Mapping[str, Iterable[str]]) -> set[str]:
    seen, waiting = set(start), list(start)
    while waiting:
        found = [path for path in neighbours.get(waiting.pop(), ()) if path not in seen]
        seen.update(found)
        waiting += found
    return seen


def _by_degree(dependencies: Mapping[str, Collection[str]]) -> list[str]:
    """Algorithm 1: the node of minimal in-degree, ties by path, again and again."""
    dependents: dict[str, list[str]] = {path: [] for path in dependencies}
    for path, targets in dependencies.items():
        for target in targets:
            dependents[target].append(path)
    degree = {path: len(targets) for path, targets in dependencies.items()}
    heap = [(count, path) for path, count in degree.items()]
    heapify(heap)
    placed: list[str] = []
    while heap:
        count, path = heappop(heap)
        if degree.get(path) != count:
            continue  # an outdated entry: its in-degree has fallen since, or it is placed
        del degree[path]
        placed.append(path)
        for dependent in dependents[path]:
            if dependent in degree:
                degree[dependent] -= 1
                heappush(heap, (degree[dependent], dependent))
    return placed


def _cycles(dependencies: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Strongly connected components (Tarjan 1972), each after those that it depends on, with a stack of its own instead
    of recursion."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_nodes: list[str] = []
    is_open: set[str] = set()
    for start in dependencies:
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
                    yield cycle
