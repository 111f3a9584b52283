"""Selection: the definitions that a cursor needs come first, however they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from repofill.context.index import WorkspaceIndex
from repofill.context.names import Names
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
    "parts.py": "def open_file(): ...\ndef make_blue_shape(): ...\ndef close_door(): ...\n",
    "tools/far.py": "class Far:\n    def unusual_name(self): ...\n    def run(self): ...\n",
    **{f"tools/m{n}.py": "def run(): ...\n" for n in range(9)},
}


def check(
    tmp_path: Path,
    before: str,
    after: str,
    first: str,
    absent: str = "",
    files: Mapping[str, str] = FILES,
    main: str = "main.py",
) -> None:
    """The names found begin with those of `first`, in any order, and hold none of `absent`."""
    for path, text in {**files, main: before + after}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    names = []
    for piece in pieces(index.view, main, before, after):
        outline = index.view.names(piece.path).outline
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
        # a member that is unusual in the workspace leads to its class without an import, a common name does not
        ("x.unusual_name()\n", "", "Far Far.unusual_name", "run"),
        # a name made of the same parts as those at the cursor
        ("import parts\n\nblue_shape = parts.", "\n", "make_blue_shape", "Far"),
        ("import nowhere\nfrom . import no\nfrom shapes.circle import missing\n", "", "", "Far run"),
    ],
)
def test_pieces(tmp_path: Path, before: str, after: str, first: str, absent: str) -> None:
    """In the order of their promise."""
    check(tmp_path, before, after, first, absent)


def test_a_namespace_that_is_opened_time_and_again(tmp_path: Path) -> None:
    """Holds everything that is in it once, at any depth."""
    line = "export namespace A { export namespace B { export class C { f() {} } } }\n"
    (tmp_path / "a.ts").write_text(line * 30, "utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    names = index.view.names("a.ts")
    assert sorted(names.within("A")) == [n for n, d in enumerate(names.definitions) if d.name != "A"]


def test_a_large_package_is_gone_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though every file of it sees every other."""
    files = {f"m{n}.go": f"package p\n\nfunc Run{n}() {{}}\n" for n in range(40)}
    asked: list[str] = []
    outer = Names.__dict__["outer"].func

    def counted(names: Names) -> frozenset[int]:
        asked.append(names._path)
        found: frozenset[int] = outer(names)
        return found

    monkeypatch.setattr(Names, "outer", property(counted))
    package = {"go.mod": "module m\n", **files}
    check(tmp_path, "package p\n\nfunc main() {\n\tRun7", "\n}\n", "Run7", "", package, "main.go")
    assert set(files) <= set(asked)
    assert len(asked) < 10 * len(files)


@pytest.mark.parametrize(
    ("main", "other"),
    [
        ("p/test_shape.py", "p/shape.py"),
        ("p/shape.py", "tests/test_shape.py"),
        ("p/shape_test.go", "p/shape.go"),
        ("src/ShapeTest.java", "src/Shape.java"),
        ("src/shape.ts", "src/shape.test.ts"),
        ("shape.h", "shape.c"),
    ],
)
def test_counterparts(tmp_path: Path, main: str, other: str) -> None:
    """A test and what it tests, a header and its source, know each other without an import."""
    texts = {
        "py": "def alone():\n    ...\n",
        "go": "package p\nfunc alone() {}\n",
        "java": "class Shape { void alone() {} }\n",
        "ts": "export function alone() {}\n",
        "c": "int alone(void) { return 1; }\n",
    }
    index = WorkspaceIndex(tmp_path)
    for path, text in {main: "", other: texts[other.rpartition(".")[2]]}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    index.build()
    assert {piece.path for piece in pieces(index.view, main, "", "")} == {other}


RUST = {
    "Cargo.toml": "[package]\nname = 'p'\n",
    "src/lib.rs": "pub mod shapes;\npub mod app;\n",
    "src/shapes.rs": (
        "pub struct Shape { pub width: u32 }\nimpl Shape { pub fn area(&self) -> Unit {} }\n"
        "impl Draw for Shape { fn draw(&self) {} }\npub struct Unit;\nimpl Unit { fn metres(&self) {} }\n"
    ),
}
LANGUAGES = [
    (
        "src/app.rs",
        RUST,
        "use crate::shapes::Shape;\nfn f(s: &Shape) { s.",
        "}",
        "Shape Shape.area Shape.draw Shape.width",
    ),
    ("src/app.rs", RUST, "use crate::shapes::Shape;\nfn f(s: &Shape) { s.area().", "}", "Shape Shape.area Unit.metres"),
    (
        "p/main.go",
        {
            "go.mod": "module m\n",
            "p/shape.go": "package p\ntype Shape struct { Width int }\n",
            "p/area.go": "package p\nfunc (s *Shape) Area() int { return 1 }\n",
        },
        "package p\nfunc f(s *Shape) {\n\ts.",
        "\n}\n",
        "Shape Shape.Area Shape.Width",
    ),
    (
        "p/Main.java",
        {"p/Shape.java": "package p;\nclass Shape { Unit side; int area() { return 1; } }\nclass Unit { int m; }\n"},
        "package p;\nclass Main {\n  Shape s;\n  void f() {\n    s.",
        "\n  }\n}\n",
        "Shape Shape.area Shape.side",
    ),
    (
        "main.c",
        {"shape.h": "struct shape { int width; };\nint shape_area(struct shape *s);\n"},
        '#include "shape.h"\nint f(struct shape *s) { return s->',
        "; }\n",
        "shape shape.width",
    ),
    (
        "main.c",
        {"all.h": '#include "shape.h"\n', "shape.h": "struct shape { int width; };\nint shape_area(int width);\n"},
        '#include "all.h"\nint f(int width) { return shape_',
        ";\n}\n",
        "shape_area shape",
    ),
    (
        "main.cpp",
        {"shape.hpp": "namespace n { class Shape { public: int area() const; int width; }; }\n"},
        '#include "shape.hpp"\nint f(const n::Shape &s) { return s.',
        "; }\n",
        "n n.Shape n.Shape.area n.Shape.width",
    ),
    (
        "Main.cs",
        {"Shape.cs": "namespace N { public class Shape { public int Width; public int Area() { return 1; } } }\n"},
        "namespace N {\n  class Main {\n    int F(Shape s) {\n      return s.",
        ";\n    }\n  }\n}\n",
        "Shape Shape.Area Shape.Width",
    ),
    (
        "main.php",
        {"Shape.php": "<?php\nnamespace N;\nclass Shape { public int $width; public function area() { return 1; } }\n"},
        "<?php\nnamespace N;\nfunction f(Shape $s) {\n  return $s->",
        ";\n}\n",
        "Shape Shape.area Shape.width",
    ),
    (
        "main.rb",
        {"shape.rb": "class Shape\n  def area\n    1\n  end\nend\n"},
        "require_relative 'shape'\n\ns = Shape.new\ns.ar",
        "\n",
        "Shape.area",
    ),
    (
        "main.lua",
        {"shape.lua": "local Shape = {}\nfunction Shape.area(s)\n  return 1\nend\nreturn Shape\n"},
        "local Shape = require('shape')\nShape.",
        "\n",
        "Shape Shape.area",
    ),
    (
        "main.sh",
        {"lib.sh": "greet_all() {\n  echo hi\n}\n"},
        "source ./lib.sh\ngre",
        "\n",
        "greet_all",
    ),
    (
        "main.js",
        {"shape.js": "export class Shape {\n  constructor(w) {\n    this.width = w\n  }\n  area() {}\n}\n"},
        "import { Shape } from './shape'\nconst s = new Shape(1)\ns.",
        "\n",
        "Shape.constructor Shape Shape.area Shape.width",
    ),
    (
        "main.ts",
        {"core/index.ts": "export * from './a'\n", "core/a.ts": "export function $make() {}\nexport class $A {}\n"},
        "import * as core from './core'\ncore.$m",
        "\n",
        "$make",
    ),
]


@pytest.mark.parametrize(("main", "files", "before", "after", "first"), LANGUAGES)
def test_pieces_in_other_languages(
    tmp_path: Path, main: str, files: dict[str, str], before: str, after: str, first: str
) -> None:
    check(tmp_path, before, after, first, files=files, main=main)


@pytest.mark.parametrize(("main", "files", "before", "after", "first"), LANGUAGES)
def test_no_cursor_is_too_strange(
    tmp_path: Path, main: str, files: dict[str, str], before: str, after: str, first: str
) -> None:
    """Every place in a file, written up to there."""
    for end in range(len(before)):
        check(tmp_path, before[:end], after, "", files=files if not end else {}, main=main)
