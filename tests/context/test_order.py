"""The dependency order: dependencies first outside of cycles, deterministic, the example of DeepSeek Coder."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.context.order import DependencyOrder, subgraph_count

Edges = dict[str, set[str]]


def ordered(*changes: Mapping[str, set[str] | None]) -> list[str]:
    """The files in order, after changes one after the other."""
    order = DependencyOrder()
    for changed in changes:
        order.update(changed)
    return sorted(order.positions, key=order.positions.__getitem__)


def check(edges: Edges, expected: list[str]) -> None:
    assert ordered(edges) == expected


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ({}, []),
        ({"b": set(), "a": set()}, ["a", "b"]),
        ({"a": {"b"}, "b": {"c"}, "c": set()}, ["c", "b", "a"]),
        # DeepSeek Coder's own example
        (
            {"main.py": {"utils.py", "model.py"}, "model.py": {"utils.py"}, "utils.py": set()},
            ["utils.py", "model.py", "main.py"],
        ),
        # the smallest path of the lowest in-degree comes first; an edge to itself or to no file counts for nothing
        ({"z": set(), "y": set(), "a": {"z", "y", "a", "missing"}}, ["y", "z", "a"]),
        # a cycle: minimal in-degree, not zero
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, ["a", "b", "c"]),
        # what a cycle needs comes before it, what needs the cycle comes after it
        ({"a": {"b", "x"}, "b": {"a"}, "x": set(), "y": {"b"}}, ["x", "a", "b", "y"]),
        # two cycles, the first depends on the second, although its files have fewer dependencies
        (
            {"a": {"b"}, "b": {"a", "p"}, "p": {"q", "r"}, "q": {"p", "r"}, "r": {"p", "q"}},
            ["p", "q", "r", "a", "b"],
        ),
        # level by level: what depends on nothing, what depends on that alone, ...
        ({"b": {"c"}, "c": set(), "a": {"d"}, "d": set(), "e": {"b", "d"}}, ["c", "d", "a", "b", "e"]),
    ],
)
def test_order(edges: Edges, expected: list[str]) -> None:
    check(edges, expected)


NODES = "abcdefgh"
GRAPHS = st.dictionaries(st.sampled_from(NODES), st.sets(st.sampled_from(NODES), max_size=4), max_size=len(NODES))


def reachable(edges: Edges, start: str) -> set[str]:
    """Everything that `start` depends on, itself included if it is on a cycle."""
    seen: set[str] = set()
    waiting = [target for target in edges[start] if target in edges]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += [target for target in edges[node] if target in edges]
    return seen


@given(edges=GRAPHS, seed=st.integers(0, 9))
def test_every_edge_outside_of_cycles_is_respected(edges: Edges, seed: int) -> None:
    """A permutation of the nodes; a dependency that does not depend back stands first; input order does not matter."""
    found = ordered(edges)
    assert sorted(found) == sorted(edges)
    place = {path: at for at, path in enumerate(found)}
    for path, targets in edges.items():
        for target in targets & edges.keys():
            if path not in reachable(edges, target):
                assert place[target] < place[path]
    shuffled = list(edges.items())
    random.Random(seed).shuffle(shuffled)
    assert ordered(dict(shuffled)) == found


CHANGES = st.dictionaries(
    st.sampled_from(NODES), st.none() | st.sets(st.sampled_from(NODES), max_size=4), min_size=1, max_size=3
)


@given(edges=GRAPHS, changes=st.lists(CHANGES, max_size=8))
def test_an_incremental_order_equals_a_fresh_one(edges: Edges, changes: list[dict[str, set[str] | None]]) -> None:
    """After any changes of dependencies, new files and removed ones, in batches."""
    now: dict[str, set[str] | None] = dict(edges)
    for changed in changes:
        now |= changed
    fresh = DependencyOrder()
    fresh.update({path: targets for path, targets in now.items() if targets is not None})
    order = DependencyOrder()
    for changed in ({**edges}, *changes):
        order.update(changed)
    assert order.positions == fresh.positions


def test_what_does_not_move_anything_costs_nothing() -> None:
    """Equal positions are the same mapping."""
    order = DependencyOrder()
    order.update({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    before = order.positions
    order.update({"a": {"b"}})
    assert order.positions is before
    order.update({"a": {"c"}})
    assert order.positions != before


def test_a_long_chain_does_not_recurse() -> None:
    """Fifty thousand files, each depending on the next."""
    count = 50_000
    edges = {f"{n:06}": ({f"{n + 1:06}"} if n + 1 < count else set()) for n in range(count)}
    assert ordered(edges) == sorted(edges, reverse=True)


@given(edges=GRAPHS)
def test_subgraphs_are_what_hangs_together(edges: Edges) -> None:
    """As many as a plain search finds."""
    both = {path: set(targets & edges.keys()) for path, targets in edges.items()}
    for path, targets in edges.items():
        for target in targets & edges.keys():
            both[target].add(path)
    parts = {frozenset({path, *reachable(both, path)}) for path in both}
    assert subgraph_count(edges) == len(parts)
