"""The resolvers of the truth: what each kind of name leads to, on a few lines of every language."""

from __future__ import annotations

from pathlib import Path

import pytest

from repofill.evaluation.truth import Owner, Place
from repofill.evaluation.truth.languages import LANGUAGES

PYTHON = {
    "pkg/__init__.py": "from .shapes import Shape as Shape\n",
    "pkg/shapes.py": """class Shape:
    def __init__(self, side):
        self.side = side

    def area(self): ...
""",
    "user.py": """import pkg
from pkg import shapes
from pkg import Shape as Form

class Square(Form):
    def twice(self):
        return 2 * self.area()

square = pkg.Shape(side=2)
shapes.Shape(1).side
len("Shape")
square.missing
""",
}


def check(root: Path, language: str, files: dict[str, str], wanted: dict[str, tuple[str, int, Owner] | None]) -> None:
    """`wanted`: from the last word of a snippet of the last file to the path, line (from 1) and owner of what it
    leads to."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    user, text = list(files.items())[-1]
    places = []
    for snippet in wanted:
        offset = text.index(snippet) + max(snippet.rfind(stop) for stop in ' .(>:*"') + 1
        line = text.count("\n", 0, offset)
        places.append(Place(path=user, line=line, column=offset - text.rfind("\n", 0, offset) - 1))
    found = LANGUAGES[language].resolve(root, places)
    told = [{(d.place.path, d.place.line + 1, d.owner) for d in definitions} for definitions in found]
    assert dict(zip(wanted, told, strict=True)) == {s: set() if w is None else {w} for s, w in wanted.items()}


@pytest.mark.parametrize("crlf", [False, True])
def test_python(tmp_path: Path, crlf: bool) -> None:
    files = {path: text.replace("\n", "\r\n") if crlf else text for path, text in PYTHON.items()}
    check(
        tmp_path,
        "python",
        files,
        {
            "import pkg": None,
            "import Shape": ("pkg/shapes.py", 1, "module"),
            "class Square(Form": ("pkg/shapes.py", 1, "module"),
            "self.area": ("pkg/shapes.py", 5, "class"),
            "pkg.Shape": ("pkg/shapes.py", 1, "module"),
            "pkg.Shape(side": ("pkg/shapes.py", 2, "parameter"),
            "shapes.Shape(1).side": ("pkg/shapes.py", 3, "class"),
            'len("Shape': None,
            "square.missing": None,
            "return": None,
        },
    )
