"""Recall: which definitions count as shown, where the holes and their truth come from, and what planners may show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import platformdirs
import pytest

from repofill.context.index import WorkspaceIndex
from repofill.evaluation import recall
from repofill.evaluation.truth import Definition, Place
from repofill.evaluation.truth.cases import cases
from repofill.evaluation.truth.shown import header, is_shown

SHAPES = '''"""Shapes."""

LIMIT = {
    "sides": 4,
}


class Shape:
    def __init__(self, name: str) -> None:
        self.name = name

    def area(self) -> float:
        raise NotImplementedError


class Square(Shape):
    def __init__(self, side: float) -> None:
        super().__init__("square")
        self.side = side

    def area(self) -> float:
        return self.side**2


def total(
    shapes: list[Shape],
    start: float = 0.0,
) -> float:
    return sum((shape.area() for shape in shapes), start)
'''


def defined(line: str, name: str, nth: int = 0, text: str = SHAPES) -> Definition:
    """The definition of `name` on the nth line that has `line`."""
    number = [at for at, found in enumerate(text.split("\n")) if line in found][nth]
    column = text.split("\n")[number].index(name)
    return Definition(place=Place(path="shapes.py", line=number, column=column), name=name, owner="module")


@pytest.mark.parametrize(
    ("definition", "context", "shown"),
    [
        (defined("class Square", "Square"), SHAPES, True),
        (defined("class Square", "Square"), "class Square(Shape): ...\n", True),
        (defined("class Square", "Square"), "Square(Shape)\n", False),
        (defined("class Square", "Square"), "# class Square(Shape):\n", False),
        (defined("class Square", "Square"), "class Squares(Shape):\n", False),
        (defined("LIMIT", "LIMIT"), "LIMIT = ...\n", True),
        (defined("LIMIT", "LIMIT"), "print(LIMIT)\nLIMIT.clear()\n", False),
        (defined("def area", "area", 0), SHAPES, True),
        (defined("def area", "area", 0), "class Shape:\n    def area(self) -> float: ...\n", True),
        (defined("def area", "area", 0), "class Square(Shape):\n    def area(self) -> float: ...\n", False),
        (defined("def area", "area", 1), "class Square(Shape):\n    def area(self) -> float: ...\n", True),
        (defined("def area", "area", 1), "    def area(self) -> float:\n        return self.side**2\n", True),
        (defined("def area", "area", 0), "    def area(self) -> float:\n        return self.side**2\n", False),
        (
            defined("start: float", "start"),
            "def total(\n    shapes: list[Shape],\n    start: float = 0.0,\n): ...\n",
            True,
        ),
        (defined("start: float", "start"), "def total(...): ...\n", False),
        (defined("self.side = side", "side"), SHAPES, True),
        (defined("class Square", "Square"), "", False),
    ],
)
def test_a_definition_is_shown_by_its_header(definition: Definition, context: str, shown: bool) -> None:
    """By the beginning of its line, up to what follows the name; homonyms are told apart by what is around them."""
    assert is_shown(header(definition, SHAPES), context) is shown


USER = (
    "import shapes\nfrom shapes import (\n    Square,\n)\n\n\n"
    + "def cube(edge):\n    square = Square(side=edge)\n    return shapes.total([square]) * square.area()\n\n\n" * 3
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of two files; the cache is elsewhere and empty."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache")
    root = tmp_path / "project"
    root.mkdir()
    (root / "shapes.py").write_text(SHAPES, "utf-8")
    (root / "user.py").write_text(USER, "utf-8")
    return root


def by_name(root: Path, places: Sequence[Place]) -> list[tuple[Definition, ...]]:
    """A resolver: whatever is called like a definition of shapes.py leads there."""
    known = {d.name: d for d in (defined("class Square", "Square"), defined("def total", "total"))}
    found = []
    for place in places:
        word = (root / place.path).read_text("utf-8").split("\n")[place.line][place.column :]
        found.append(tuple(d for name, d in known.items() if word.startswith(name)))
    return found


def test_cases_use_names_of_other_files(project: Path) -> None:
    found = cases("project", project, (".py",), by_name, 40)
    assert {case.hole.path for case in found} == {"user.py"}
    assert len({(case.line, case.column) for case in found}) == len(found)
    for case in found:
        before, after = case.hole.text[: case.hole.offset], case.hole.text[case.hole.offset :]
        assert before + case.hole.target + after == USER
        line = USER.split("\n")[case.line]
        assert line[case.column :] == case.hole.target
        for use in case.uses:
            assert line.rindex(use.name) + len(use.name) > case.column
    reaches = {(use.name, use.reach) for case in found for use in case.uses}
    assert reaches == {("Square", "import"), ("Square", "name"), ("total", "attribute")}


def test_cases_are_kept_and_continued(project: Path) -> None:
    """A greater count begins with the same cases, and nothing is resolved twice."""
    asked: list[Place] = []

    def resolve(root: Path, places: Sequence[Place]) -> list[tuple[Definition, ...]]:
        asked.extend(places)
        return by_name(root, places)

    few = cases("project", project, (".py",), resolve, 3)
    assert asked
    asked.clear()
    assert cases("project", project, (".py",), resolve, 3) == few
    assert not asked
    assert cases("project", project, (".py",), resolve, 200)[:3] == few
    assert asked


def in_characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


@pytest.mark.parametrize("planner", recall.PLANNERS)
@pytest.mark.parametrize("budget", [0, 60, 300, 5000])
def test_planners_keep_to_other_files_and_to_the_budget(project: Path, planner: str, budget: int) -> None:
    (project / "other.py").write_text("from user import cube\n\n\ndef tesseract():\n    return cube(2)\n", "utf-8")
    index = WorkspaceIndex(project)
    index.build()
    plan = recall.PLANNERS[planner](index, in_characters)
    at = USER.index("total(")
    excerpts = plan("user.py", USER[:at], USER[at:], budget)
    assert sum(len(excerpt.text) for excerpt in excerpts) <= budget
    assert "user.py" not in {excerpt.path for excerpt in excerpts}
    assert all(excerpt.tokens == len(excerpt.text) for excerpt in excerpts)
    assert bool(excerpts) == (budget == 5000 and planner != "nothing") or 0 < budget < 5000
    if budget == 5000 and planner != "nothing":
        shown = [excerpt.text for excerpt in excerpts if excerpt.path == "shapes.py"]
        assert any(is_shown(header(defined("def total", "total"), SHAPES), text) for text in shown)


@pytest.mark.parametrize("planner", recall.PLANNERS)
def test_planners_take_a_file_that_the_index_leaves_out(project: Path, planner: str) -> None:
    index = WorkspaceIndex(project)
    index.build()
    plan = recall.PLANNERS[planner](index, in_characters)
    assert all(excerpt.path in ("shapes.py", "user.py") for excerpt in plan("unknown.py", "total(", ")", 3000))


def test_every_planner_is_measured_at_every_hole(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = cases("project", project, (".py",), by_name, 5)
    outcomes = list(recall.measure("project", project, found, in_characters, tuple(recall.PLANNERS)))
    assert len(outcomes) == 5 * len(recall.ORDERS) * len(recall.PLANNERS) * len(recall.BUDGETS)
    for outcome in outcomes:
        wanted = outcome.planner != "nothing" and outcome.budget_tokens > len(SHAPES) + 100
        assert all(outcome.shown) or not wanted
        assert not (any(outcome.shown) and outcome.planner == "nothing")
    recall.show("Title", outcomes, as_json=True)
    assert len(json.loads(capsys.readouterr().out)["holes"]) == 5
    recall.show("Title", outcomes, as_json=False, width=200)
    rows = [[cell.strip() for cell in line.split("│")] for line in capsys.readouterr().out.splitlines()]
    assert ["finished", "nothing", *["0.0 / 0.0"] * 4] in [row[1:7] for row in rows]
