"""The resolvers of the truth: what each kind of name leads to, on a few lines of every language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repofill.evaluation.figures import BenchmarkError
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


Wanted = dict[str, tuple[str, int, Owner] | None]


def check(root: Path, language: str, files: dict[str, str], wanted: Wanted) -> None:
    """`wanted`: from the last word of a snippet of the last file to the path, line (from 1) and owner of what it
    leads to."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8", newline="")
    user, text = list(files.items())[-1]
    places = []
    for snippet in wanted:
        offset = text.index(snippet) + re.search(r"\w+\W*$", snippet).start()
        line = text.count("\n", 0, offset)
        places.append(Place(path=user, line=line, column=offset - text.rfind("\n", 0, offset) - 1))
    try:
        found = LANGUAGES[language].resolve(root, places)
    except BenchmarkError as error:
        pytest.skip(str(error))  # without the language's own tool there is no truth
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


TYPESCRIPT = {
    "shapes.ts": """export interface Shape { area(): number; }
export class Square implements Shape {
    constructor(readonly side: number) {}
    area() { return this.side ** 2; }
}
function hidden() {}
export { hidden as shown };
""",
    "index.ts": "export * from './shapes';\n",
    "old.js": "function helper() {}\nmodule.exports = { helper, nested: { value: 1 } };\n",
    "user.ts": """/* 🙂 */ import { Square as Form, shown } from './index.js'; import * as all from './shapes';
import old from './old';
const form = new Form(2), { side: length } = form;
form.area(); shown(); all.Square; old.helper(); [form].map((one) => one.side);
const text = 'Square', known: Shape = form;
Math.abs(form.missing);
""",
}


def test_typescript(tmp_path: Path) -> None:
    check(
        tmp_path,
        "typescript",
        TYPESCRIPT,
        {
            "import { Square": ("shapes.ts", 2, "module"),
            "as Form, shown": ("shapes.ts", 6, "module"),
            "import * as all": None,
            "new Form": ("shapes.ts", 2, "module"),
            "{ side": ("shapes.ts", 3, "class"),
            "form.area": ("shapes.ts", 4, "class"),
            "; shown": ("shapes.ts", 6, "module"),
            "all.Square": ("shapes.ts", 2, "module"),
            "old.helper": ("old.js", 1, "module"),
            "one.side": ("shapes.ts", 3, "class"),
            "'Square": None,
            "known: Shape": None,
            "Math.abs": None,
            "form.missing": None,
        },
    )


JAVA = {
    "src/shapes/Shape.java": """package shapes;

public abstract class Shape {
    /* 🙂 */ protected int sides; static final int MOST = 8;
    Shape(int sides) { this.sides = sides; }
    public int count() { return sides; }
    static Shape of(int sides) { return new Square(sides); }
    enum Kind { ROUND }
}
""",
    "src/shapes/Square.java": """package shapes;

import missing.Library;
import shapes.Shape.Kind;

class Square extends Shape {
    Square(int sides) { super(Shape.MOST); String text = "Shape"; }
    int twice(Library library) { return 2 * count() + this.sides + Shape.of(sides).count(); }
    Object kind() { Runnable run = this::count; return Kind.ROUND; }
}
""",
}


def test_java(tmp_path: Path) -> None:
    shape = "src/shapes/Shape.java"
    check(
        tmp_path,
        "java",
        JAVA,
        {
            "import shapes.Shape": (shape, 3, "module"),
            "import shapes.Shape.Kind": (shape, 8, "class"),
            "extends Shape": (shape, 3, "module"),
            "Shape.MOST": (shape, 4, "class"),
            '"Shape': None,
            "2 * count": (shape, 6, "class"),
            "this.sides": (shape, 4, "class"),
            "Shape.of": (shape, 7, "class"),
            "of(sides).count": (shape, 6, "class"),
            "this::count": (shape, 6, "class"),
            "Kind.ROUND": (shape, 8, "class"),
            "(Library": None,
            "Object": None,
        },
    )


GO = {
    "go.mod": "module example.org/shapes\n\ngo 1.19\n",
    "shape.go": """package shapes

type Shape struct{ Sides int }

func (s *Shape) Count() int { return s.Sides }

const Most = 8
""",
    "inner/other.go": "package inner\n\nvar Least = 1\n",
    "user.go": """package shapes

import (
	"strings"

	"example.org/shapes/inner"
	"missing.org/library"
)

func use() int {
	/* 🙂 */ one := &Shape{Sides: Most}
	library.Load(one)
	return one.Count() + inner.Least + strings.Count("Shape", one.Missing)
}
""",
}


def test_go(tmp_path: Path) -> None:
    check(
        tmp_path,
        "go",
        GO,
        {
            "&Shape": ("shape.go", 3, "module"),
            "{Sides": ("shape.go", 3, "class"),
            "Sides: Most": ("shape.go", 7, "module"),
            "one.Count": ("shape.go", 5, "class"),
            "inner.Least": ("inner/other.go", 3, "module"),
            "strings.Count": None,
            '"Shape': None,
            "library.Load": None,
            "one.Missing": None,
        },
    )


C = {
    "include/shapes/shape.h": """#define MOST(sides) ((sides) + 8)
typedef struct shape { int sides; } shape_t;
enum kind { ROUND };
int count(const shape_t *shape);
""",
    "src/shape.c": """#include <shapes/shape.h>
int other;
int count(const shape_t *shape) { return shape->sides; }
""",
    "src/user.c": """#include <shapes/shape.h>
#include "missing.h"
#include <string.h>
static int use(struct shape *one, shape_t *two) {
    /* 🙂 */ const char *text = "shape"; int number = MOST(one->sides) + (int)strlen(text);
    missing(one);
    return ROUND + number;
}
""",
}


def test_c(tmp_path: Path) -> None:
    header = "include/shapes/shape.h"
    check(
        tmp_path,
        "c",
        C,
        {
            "use(struct shape": (header, 2, "module"),
            ", shape_t": (header, 2, "module"),
            '"shape': None,
            "= MOST": (header, 1, "module"),
            "one->sides": (header, 2, "class"),
            "(int)strlen": None,
            "    missing": ("src/user.c", 6, "module"),
            "return ROUND": (header, 3, "module"),
            "ROUND + number": ("src/user.c", 5, "function"),
        },
    )


def test_a_c_function_is_defined_where_it_is_declared_and_where_its_body_is(tmp_path: Path) -> None:
    for path, text in {**C, "src/call.c": '#include "shape.h"\nint n(shape_t *s) { return count(s); }\n'}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    place = Place(path="src/call.c", line=1, column=31 - 4)
    (found,) = LANGUAGES["c"].resolve(tmp_path, [place])
    assert [(d.place.path, d.place.line) for d in found] == [("include/shapes/shape.h", 3), ("src/shape.c", 2)]
