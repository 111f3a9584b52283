"""Selection: the definitions that a cursor needs come first, however they are reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from repofill.context.index import WorkspaceIndex
from repofill.context.select import pieces

FILES = {
    "shapes/__init__.py": "from .circle import Circle\n",
    "shapes/base.py": "class Shape:\n    def area(self): ...\n    def _check(self): ...\n",
    "shapes/circle.py": (
        "from .base import Shape\nfrom .unit import Length\n\n\n"
        "class Circle(Shape):\n    radius: Length\n\n    def grow(self, by: Length) -> None: ...\n\n\n"
        "def unused(): ...\n"
    ),
    "shapes/unit.py": "class Length:\n    def metres(self): ...\n",
    "tools/far.py": "class Far:\n    def unusual_name(self): ...\n    def run(self): ...\n",
    **{f"tools/m{n}.py": "def run(): ...\n" for n in range(9)},
}


def check(tmp_path: Path, before: str, after: str, first: str, absent: str = "") -> None:
    """The names found begin with those of `first`, in any order, and hold none of `absent`."""
    for path, text in {**FILES, "main.py": before + after}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    names = []
    for piece in pieces(index.view, "main.py", before, after):
        outline = index.view.outline(piece.path)
        assert outline is not None
        names.append(outline.definitions[piece.number].qualified)
    assert set(names[: len(first.split())]) == set(first.split()), names
    assert set(names).isdisjoint(absent.split())


@pytest.mark.parametrize(
    ("before", "after", "first", "absent"),
    [
        ("", "", "", "Circle Far run"),
        ("from shapes.circle import Circle\n\nCircle().", "", "Circle", "Far"),
        # behind a re-export, and under another name
        ("from shapes import Circle as C\n\nC().", "", "Circle", "Far"),
        # the base's members, and the members of what a signature speaks of
        ("from shapes import Circle\n\nCircle().area", "\n", "Circle Shape.area", "Far"),
        ("from shapes import Circle\n\nCircle().radius.metres", "\n", "Circle Length.metres Circle.radius", "Far"),
        ("import shapes.circle\n\nshapes.circle.unused", "", "unused", "Far"),
        ("from shapes.circle import *\n\nunused()", "\n", "unused", "Far"),
        # a name that is unusual in the workspace leads to its definition without an import, a common one does not
        ("x.unusual_name()\n", "", "Far.unusual_name", "Far.run run"),
        ("import nowhere\nfrom . import no\nfrom shapes.circle import missing\n", "", "", "Far run"),
    ],
)
def test_pieces(tmp_path: Path, before: str, after: str, first: str, absent: str) -> None:
    """In the order of their promise."""
    check(tmp_path, before, after, first, absent)
