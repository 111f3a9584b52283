"""Holes: where the rest of a line was, the same for the same seed, and none where there is nothing to cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.context.index import WorkspaceIndex
from repofill.evaluation.holes import Alike, Hole, Where, cut_added, cut_blocks, sample

LINES = st.lists(st.sampled_from(["", "   ", "a = 1", "    return a  ", "\tb", "\f"]), min_size=8, max_size=14)


def holes(
    text: str, count: int = 20, seed: int = 1, where: Where = "rest of line", alike: Alike = "lines"
) -> list[Hole]:
    index = WorkspaceIndex(Path("nowhere"))
    index.open("a.py", text)
    return list(sample(index, count, seed, where=where, alike=alike))


@given(
    lines=LINES,
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.sampled_from(["", "a = 1"]),
    where=st.sampled_from(["rest of line", "whole line"]),
    alike=st.sampled_from(["lines", "characters"]),
)
def test_a_hole_filled_with_its_target_is_the_line_again(
    lines: list[str], end: str, last: str, where: Where, alike: Alike
) -> None:
    """White space at its end aside. There are as many as asked for, or none: without ten lines, or in blank ones."""
    text = end.join([*lines, last])
    found = holes(text, where=where, alike=alike)
    assert len(found) == (20 if len(lines) >= 10 and any(line.strip() for line in lines) else 0)
    for hole in found:
        before, after = hole.text[: hole.offset], hole.text[hole.offset :]
        assert hole.target.strip()
        assert after.startswith("\n")
        whole = (before + hole.target + after).split("\n")
        assert [line.rstrip() for line in whole] == [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
        assert hole.in_writing_order().text == before
        assert where != "whole line" or not before.rpartition("\n")[2].strip()


@given(lines=LINES)
def test_at_the_ends_of_lines_nothing_is_missing(lines: list[str]) -> None:
    """The text is whole, and the cursor stands behind the last sign of a line."""
    text = "\n".join([*lines, ""])
    for hole in holes(text, alike="ends"):
        before, after = hole.text[: hole.offset], hole.text[hole.offset :]
        assert hole.target == ""
        assert before[-1:].strip()
        assert after.startswith("\n")
        assert [line.rstrip() for line in hole.text.split("\n")] == [line.rstrip() for line in text.split("\n")]


def test_lines_or_characters_are_drawn_alike() -> None:
    """Half of the lines are nine times as long as the others."""
    text = ("x = 1\n" + "y" * 45 + "\n") * 20
    for alike, expected in (("lines", 0.5), ("characters", 0.9)):
        found = holes(text, count=2000, alike=alike)
        long = sum(
            "y" in hole.text[hole.text.rfind("\n", 0, hole.offset) + 1 : hole.offset] + hole.target for hole in found
        )
        assert abs(long / len(found) - expected) < 0.05


@given(old=LINES, new=LINES)
def test_what_was_added_is_written_from_top_to_bottom(old: list[str], new: list[str]) -> None:
    """Above a hole stands the new text, below it an end of the old one; every line that only the new one has comes."""
    found = list(cut_added({"a.py": "\n".join(old), "gone.py": "x"}, {"a.py": "\n".join(new), "more.py": "y"}, 1))
    for hole in found:
        before, after = hole.text[: hole.offset], hole.text[hole.offset :]
        number = before.count("\n")
        assert before.split("\n")[:-1] == new[:number]
        assert (before.split("\n")[-1] + hole.target).rstrip() == new[number].rstrip()
        below = after.split("\n")[1:]
        assert below == old[len(old) - len(below) :]
        assert hole.target.strip()
    wanted = {line.rstrip() for line in new if line.strip()} - {line.rstrip() for line in old}
    written = {(hole.text[: hole.offset].split("\n")[-1] + hole.target).rstrip() for hole in found}
    assert wanted <= written
    assert old != new or not found


def test_blocks() -> None:
    """Each block once, where the server would ask for one; with it the text is whole again."""
    python = "def f(x):\n    if x:\n        return 1\n\n    return 2\n\n\nclass A:\n    y = 1\n"
    braces = "function f(x) {\n\tif (x) {\n\t\treturn 1;\n\t}\n}\n\nconst a = {\n\tb: 1,\n};\n"
    holes = list(cut_blocks({"a.py": python, "b.ts": braces}, seed=1))
    assert sorted((hole.path, hole.target) for hole in holes) == [
        ("a.py", "if x:\n        return 1\n\n    return 2"),
        ("a.py", "return 1"),
        ("a.py", "y = 1"),
        ("b.ts", "if (x) {\n\t\treturn 1;\n\t}"),
        ("b.ts", "return 1;"),
    ]
    for hole in holes:
        filled = hole.text[: hole.offset] + hole.target + hole.text[hole.offset :]
        assert filled == (python if hole.path == "a.py" else braces)


def test_the_same_seed_gives_the_same_holes() -> None:
    text = "value = compute(argument)\n" * 20
    assert holes(text, seed=3) == holes(text, seed=3) != holes(text, seed=4)


@pytest.mark.parametrize("text", ["\n" * 40, "", "x" * 100, "\n" * 40 + "a = 1"])
def test_nothing_to_cut(text: str) -> None:
    assert holes(text) == []
