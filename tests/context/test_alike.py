"""Functions that are like the code around a cursor, in a real index."""

from __future__ import annotations

from pathlib import Path

import pytest

from repofill.context.alike import alike, bm25
from repofill.context.index import WorkspaceIndex

FILES = {
    "shapes.py": (
        "def circle_area(circle):\n    return 3.14 * circle.radius ** 2\n\n\n"
        "def square_area(square):\n    return square.side ** 2\n"
    ),
    "report.py": (
        "def printed(shapes):\n    for shape in shapes:\n        print(triangle_area(shape), shape.name)\n\n\n"
        "def unlike():\n    raise OSError('none of these words')\n"
    ),
    "shapes.ts": "export function triangleArea(triangle) {\n  return triangle.base * triangle_area / 2\n}\n",
    "notes.md": "triangle_area triangle area\n",
}
WRITTEN = "def triangle_area(triangle):\n    return "


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        # what does the same, and what calls it; not what another language has
        ("main.py", WRITTEN, "\n", "circle_area printed square_area"),
        ("main.ts", "function triangleArea(triangle) {\n  return ", "\n}\n", "triangleArea"),
        # nor what the file itself has
        ("shapes.py", FILES["shapes.py"] + "\n" * 12 + WRITTEN, "\n", "printed"),
        ("main.py", "", "", ""),
        ("main.py", "import nothing_that_is_anywhere\n", "", ""),
        # nor what has nothing in common but the language's own words
        ("main.py", "def home():\n    return os.", "\n", ""),
        ("main.txt", WRITTEN, "", ""),
        # the lines near the cursor decide
        ("main.py", WRITTEN + "0\n" + "#\n" * 12, "#\n" * 12 + WRITTEN, ""),
        ("main.py", "x = 0\n" * 12, "\n" + WRITTEN, "circle_area printed square_area"),
    ],
)
def test_alike(tmp_path: Path, path: str, before: str, after: str, expected: str) -> None:
    """By name, the likest first; ever less probable."""
    for name, text in {**FILES, path: before + after}.items():
        (tmp_path / name).write_text(text, "utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    found = alike(index.view, path, before, after)
    assert " ".join(sorted(index.view.names(other).definitions[n].name for other, n in found)) == expected
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert all(0 < probability <= 1 for probability in found.values())
    assert path not in {other for other, _ in found}


@pytest.mark.parametrize(
    ("query", "texts", "order"),
    [
        ("read_file", ["readFile()", "READ", "write()"], [0, 1, 2]),
        # a part that few have says more; a shorter text says it with more weight; once more says little more
        ("open door", ["open", "open", "door"], [2, 0, 1]),
        ("door", ["door and a house around it", "door", "none"], [1, 0, 2]),
        ("open door", ["open open open", "open door house", "house"], [1, 0, 2]),
    ],
)
def test_bm25(query: str, texts: list[str], order: list[int]) -> None:
    """In the order of likeness, from 0 to 1."""
    likeness = bm25(query, texts)
    assert sorted(range(len(texts)), key=lambda at: -likeness[at]) == order
    assert all(0 <= share < 1 for share in likeness)


def test_bm25_of_nothing() -> None:
    """No texts, or no words."""
    assert bm25("a query", []) == []
    assert bm25("", ["text", ""]) == [0, 0]
