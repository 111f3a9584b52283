"""What is typed, where, and what is said of the answers."""

from __future__ import annotations

import pytest

from repofill.evaluation.holes import Hole
from repofill.evaluation.typed import figures, in_turn, insertions

OLD = "import os\n\n\ndef one():\n    return 1\n"


@pytest.mark.parametrize(
    ("new", "typed"),
    [
        (OLD, []),
        (OLD.replace("return 1\n", "return 1\n\n\ndef two():\n    return 2\n"), ["\n\ndef two():\n    return 2\n"]),
        (OLD.replace("os\n", "os\nimport re\n"), ["\nimport re"]),
        (OLD.replace("os\n", "re\n"), []),  # nothing was inserted
        ("import re\n" + OLD, []),  # ahead of the first line
        (OLD.replace("\n\n\n", "\n\n\n\n"), []),  # blank lines
        (OLD.replace("os\n", "os\nimport re\n").replace("():\n", "():\n    x = 1\n"), ["\nimport re", "\n    x = 1"]),
        (OLD + "x = 1\n" * 40, []),  # generated
    ],
)
def test_what_is_typed(new: str, typed: list[str]) -> None:
    """At the end of the line above; what stands above is new already, what stands below still old."""
    holes = [hole for file in insertions({"a.py": OLD, "b.py": OLD}, {"a.py": new}) for hole in file]
    assert [hole.target for hole in holes] == typed
    for hole in holes:
        whole = hole.text[: hole.offset] + hole.target + hole.text[hole.offset :]
        assert whole.startswith(new[: hole.offset + len(hole.target)])
        assert OLD.endswith(hole.text[hole.offset :])


def test_two_files_are_worked_on_in_turn() -> None:
    most = {"a": 3, "b": 1, "c": 2, "d": 2, "e": 9}
    files = [[Hole(path=path, text="", offset=0, target=str(n)) for n in range(count)] for path, count in most.items()]
    visits = [hole.path + hole.target for hole in in_turn(files, 6)]
    assert visits == ["a0", "b0", "a1", "c0", "d0", "c1"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [([100.0, 300.0, 700.0, None], [4, 50, 75, 300]), ([None], [1, 0, 0, 0]), ([500.0], [1, 100, 100, 500])],
)
def test_what_is_said_of_answers(answers: list[float | None], expected: list[float]) -> None:
    assert list(figures(answers).values()) == expected
