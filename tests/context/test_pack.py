"""Packing: within the budget, the relevant first, laid out in dependency order, windows that do not slide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.context.pack import Dependency, by_relevance, pack, prefix_window, suffix_window


def dependency(path: str, depth: int, position: int, whole: int, definitions: int | None, *names: str) -> Dependency:
    """A dependency whose texts are as many words as their token counts."""
    return Dependency(
        path=path,
        depth=depth,
        position=position,
        names=frozenset(names),
        whole=f"# {path}\n" + "w " * whole,
        definitions=None if definitions is None else f"# {path}\n" + "d " * definitions,
    )


A = dependency("a.py", 1, 2, 100, 20, "Alpha")
B = dependency("b.py", 1, 0, 40, 10, "Beta")
C = dependency("c.py", 2, 1, 30, 5)
D = dependency("data.toml", 1, 3, 8, None)


def check(files: list[Dependency], budget: int, expected: list[tuple[str, str]], current: str = "") -> None:
    ranked = by_relevance(files, current)
    counts = {text: len(text.split()) for d in files for text in (d.whole, d.definitions) if text is not None}
    packed = pack(ranked, counts, budget)
    assert [(file.path, file.form) for file in packed] == expected
    assert sum(file.tokens for file in packed) <= budget
    assert all(file.text.startswith(f"# {file.path}\n") for file in packed)


@pytest.mark.parametrize(
    ("files", "budget", "expected", "current"),
    [
        ([], 100, [], ""),
        ([A, B, C], 0, [], ""),
        # room for everything: whole files, dependencies first
        ([A, B, C], 1000, [("b.py", "whole"), ("c.py", "whole"), ("a.py", "whole")], ""),
        # little room: definitions, the direct ones first
        ([A, B, C], 40, [("b.py", "definitions"), ("a.py", "definitions")], ""),
        # the file whose names the current text mentions is served first
        ([A, B, C], 25, [("a.py", "definitions")], "Alpha()"),
        ([A, B, C], 25, [("b.py", "definitions"), ("c.py", "definitions")], "Beta()"),
        # a file larger than its share stays at its definitions
        ([A, B], 150, [("b.py", "whole"), ("a.py", "definitions")], ""),
        # a file without definitions enters whole or not at all
        ([D], 10, [("data.toml", "whole")], ""),
        ([D], 9, [], ""),
    ],
)
def test_pack(files: list[Dependency], budget: int, expected: list[tuple[str, str]], current: str) -> None:
    check(files, budget, expected, current)


@given(lines=st.lists(st.text(alphabet="abc ", max_size=30), max_size=80), size=st.integers(20, 400))
def test_prefix_window_is_an_end_in_whole_lines(lines: list[str], size: int) -> None:
    """A window is an end of the text, no longer than asked for, and it grows with typing instead of sliding."""
    before = "\n".join(lines)
    window = prefix_window(before, size)
    assert before.endswith(window)
    assert len(window) <= size
    start = len(before) - len(window)
    moves = {len(before + "x" * n) - len(prefix_window(before + "x" * n, size)) for n in range(6)}
    assert len(moves) <= 2
    assert start in moves


def test_suffix_window() -> None:
    """Whole lines when it is cut, everything when it fits."""
    assert suffix_window("a\nb\nccc", 100) == "a\nb\nccc"
    assert suffix_window("a\nb\nccc", 5) == "a\nb\n"
    assert suffix_window("abcdef", 3) == "abc"
