"""The dependency order: dependencies first outside of cycles, deterministic, the example of DeepSeek Coder."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.context.order import dependency_order

Edges = dict[str, set[str]]


def check(edges: Edges, expected: list[list[str]]) -> None:
    assert dependency_order(edges) == expected


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ({}, []),
        ({"b": set(), "a": set()}, [["a"], ["b"]]),
        ({"a": {"b"}, "b": {"c"}, "c": set()}, [["c", "b", "a"]]),
        # DeepSeek Coder's own example
        (
            {"main.py": {"utils.py", "model.py"}, "model.py": {"utils.py"}, "utils.py": set()},
            [["utils.py", "model.py", "main.py"]],
        ),
        # the smallest path of the lowest in-degree comes first; an edge to itself or to no file counts for nothing
        ({"z": set(), "y": set(), "a": {"z", "y", "a", "missing"}}, [["y", "z", "a"]]),
        # a cycle: minimal in-degree, not zero
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, [["a", "b", "c"]]),
        # what a cycle needs comes before it, what needs the cycle comes after it
        ({"a": {"b", "x"}, "b": {"a"}, "x": set(), "y": {"b"}}, [["x", "a", "b", "y"]]),
        # two cycles, the first depends on the second, although its files have fewer dependencies
        (
            {"a": {"b"}, "b": {"a", "p"}, "p": {"q", "r"}, "q": {"p", "r"}, "r": {"p", "q"}},
            [["p", "q", "r", "a", "b"]],
        ),
        # separate subgraphs by their smallest path
        ({"b": {"c"}, "c": set(), "a": {"d"}, "d": set()}, [["d", "a"], ["c", "b"]]),
    ],
)
def test_order(edges: Edges, expected: list[list[str]]) -> None:
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
    ordered = [path for subgraph in dependency_order(edges) for path in subgraph]
    assert sorted(ordered) == sorted(edges)
    place = {path: at for at, path in enumerate(ordered)}
    for path, targets in edges.items():
        for target in targets & edges.keys():
            if path not in reachable(edges, target):
                assert place[target] < place[path]
    shuffled = list(edges.items())
    random.Random(seed).shuffle(shuffled)
    assert dependency_order(dict(shuffled)) == dependency_order(edges)


def test_a_long_chain_does_not_recurse() -> None:
    """Fifty thousand files, each depending on the next."""
    count = 50_000
    edges = {f"{n:06}": ({f"{n + 1:06}"} if n + 1 < count else set()) for n in range(count)}
    (ordered,) = dependency_order(edges)
    assert ordered == sorted(edges, reverse=True)
