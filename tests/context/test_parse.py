"""Outlines and definitions of Python: right on real packages, never a crash on broken text."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from repofill.context.forms import render
from repofill.context.outline import Import
from repofill.context.parse import parse


def check(
    text: str, imports: list[tuple[str, int, tuple[str, ...], int]], definitions: list[tuple[str, str, str]]
) -> None:
    """Imports as (module, level, names, line), definitions as (parent, kind, name)."""
    outline = parse("a.py", text)
    assert outline is not None
    assert [(i.module, i.level, i.names, i.line) for i in outline.interface.imports] == imports
    assert [(d.parent, d.kind, d.name) for d in outline.definitions] == definitions


@pytest.mark.parametrize(
    ("text", "imports", "definitions"),
    [
        ("", [], []),
        ("import a.b, c as d\n", [("a.b", 0, (), 0), ("c", 0, (), 0)], []),
        ("from a import (\n    b as x,\n    c,\n)\n", [("a", 0, ("b", "c"), 0)], []),
        ("from . import x\nfrom ..p.q import *\n", [("", 1, ("x",), 0), ("p.q", 2, ("*",), 1)], []),
        (
            "def f():\n    import late\ntry:\n    import json\nexcept ImportError:\n    json = None\n",
            [("late", 0, (), 1), ("json", 0, (), 3)],
            [("", "function", "f")],
        ),
        ("if TYPE_CHECKING:\n    from m import T\n", [("m", 0, ("T",), 1)], []),
        # in every kind of block
        (
            "if a: import b\nelif c: import d\nelse:\n    while e:\n        import f\ntry:\n    with g: import h\n"
            "except* i:\n    for j in k: import l\nfinally:\n    import m\nmatch n:\n    case 1:\n        import o\n"
            "class P:\n    async def q(self):\n        async with r:\n            import s\n",
            [(n, 0, (), at) for n, at in zip("bdfhlmos", (0, 1, 4, 6, 8, 10, 13, 17), strict=True)],
            [("", "class", "P"), ("P", "function", "q")],
        ),
        # what methods set, once, also in the middle of a chain and deep inside; not what other functions do
        (
            "class A:\n    x = y = 1\n    def f(self):\n        self.x = 1\n"
            "        if a:\n            b = self.c = self.d = 2\n        self.e.g = 3\n"
            "        def h():\n            self.i: int = 4\n"
            "        class B:\n            def j(self):\n                self.k = 5\n"
            "def l(self):\n    self.m = 6\n",
            [],
            [
                ("", "class", "A"),
                ("A", "variable", "x"),
                ("A", "function", "f"),
                ("A", "variable", "c"),
                ("A", "variable", "i"),
                ("", "function", "l"),
            ],
        ),
        (
            "X = 1\nclass A(B):\n    y: int = 2\n    @property\n    def f(self): return 1\n    class C: pass\n",
            [],
            [
                ("", "variable", "X"),
                ("", "class", "A"),
                ("A", "variable", "y"),
                ("A", "function", "f"),
                ("A", "class", "C"),
            ],
        ),
        # what is local to a function is nobody else's
        ("def f():\n    x = 1\n    def g(): pass\n", [], [("", "function", "f")]),
        ("async def f(): ...\n", [], [("", "function", "f")]),
        # broken code: what can be read is read
        ("import a\ndef f(:\n    x = (\nclass B:\n    def g(self): pass\n", [("a", 0, (), 0)], None),
        ("import a\r\nimport b\r\n", [("a", 0, (), 0), ("b", 0, (), 1)], []),
        ("\x00import a\n\udcff = 1\n", None, None),
    ],
)
def test_outline(
    text: str,
    imports: list[tuple[str, int, tuple[str, ...], int]] | None,
    definitions: list[tuple[str, str, str]] | None,
) -> None:
    outline = parse("a.py", text)
    assert outline is not None
    check(
        text,
        [(i.module, i.level, i.names, i.line) for i in outline.interface.imports] if imports is None else imports,
        [(d.parent, d.kind, d.name) for d in outline.definitions] if definitions is None else definitions,
    )


def test_bound_names() -> None:
    """The local names that an import binds."""
    outline = parse("a.py", "import a.b\nimport c.d as e\nfrom f import g, h as i\n")
    assert outline is not None
    assert [i.bound for i in outline.interface.imports] == [("a",), ("e",), ("g", "i")]
    assert isinstance(outline.interface.imports[0], Import)


FORMS = [
    ("import os\n", ""),
    ("X = 1\n", "X = 1\n"),
    ("X = {\n    1: 2,\n    3: 4,\n    5: 6,\n}\n", "X = ...\n"),
    ("X = \\\n    [\n        1,\n        2,\n    ]\n", "X = ...\n"),
    (
        "class A:\n    def f(self):\n        self.x =\\\n            [\n1,\n2,\n]\n",
        "class A:\n    def f(self):\n        self.x =...\n",
    ),
    ('def f(a, b=1):\n    """First.\n\n    More.\n    """\n    return a\n', 'def f(a, b=1):\n    """First."""\n'),
    ("def f(\n    a,\n):  # why\n    # a comment\n    return a\n", "def f(\n    a,\n):  # why\n    ...\n"),
    ("def f(): return 1\n", "def f(): return 1\n"),
    ("class A: pass\n", "class A: pass\n"),
    ("class A(B):\n    pass\n", "class A(B):\n    ...\n"),
    (
        "@dataclass\nclass A:\n    x: int\n    y: int = 0\n\n    def f(self):\n        return self.x\n",
        "@dataclass\nclass A:\n    x: int\n    y: int = 0\n    def f(self):\n        ...\n",
    ),
    ("class A:\n\tdef f(self):\n\t\treturn 1\n", "class A:\n\tdef f(self):\n\t\t...\n"),
    # a definition under a condition keeps its indentation only where that is valid
    ("if x:\n    def f():\n        return 1\nelse:\n    def f():\n        return 2\n", None),
    ("try:\n    import a\nexcept ImportError:\n    class A:\n        def f(self):\n            return 1\n", None),
    ('def f():\n    "quoted \\" oddly"\n    return 1\n', None),
    ("class A:\n    if x:\n        def f(self): pass\n    y = 1\n", None),
]


@pytest.mark.parametrize(("text", "expected"), FORMS)
def test_skeleton(text: str, expected: str | None) -> None:
    """Signatures and constants, always valid Python."""
    outline = parse("a.py", text)
    assert outline is not None
    form = render(text, outline, shown=range(len(outline.definitions)))
    ast.parse(form)
    assert expected is None or form == expected


@pytest.mark.parametrize("package", ["pygls", "watchdog", "django"])
def test_definitions_of_real_packages(package: str) -> None:
    """Every file's definitions parse, and name every function and class of its top level."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    longer = 0
    files = sorted(Path(next(iter(spec.submodule_search_locations))).rglob("*.py"))
    for file in files:
        text = file.read_text("utf-8")
        outline = parse(file.name, text)
        assert outline is not None
        form = render(text, outline, shown=range(len(outline.definitions)))
        named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        try:
            shown = {node.name for node in ast.parse(form).body if isinstance(node, named)}
        except SyntaxError as error:
            raise AssertionError(f"{file}: {error}\n{form}") from error
        assert {node.name for node in ast.parse(text).body if isinstance(node, named)} <= shown, file
        longer += len(form) > len(text)
    assert longer <= len(files) // 100


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "".join("  " * n + f"def f{n}():\n" for n in range(500)),
        "class A:\n" * 300,
        "x = 1\n" * 100_000,
        "def f(\n" * 1000,
        "\ufeffimport a\n",
        "\x0c\x0bimport a\n",
        "é = '\U0001f600'\nimport ä\n",
    ],
    ids=["brackets", "nested", "flat", "long", "unclosed", "bom", "form feed", "unicode"],
)
def test_strange_text(text: str) -> None:
    """An outline and definitions, whatever the text."""
    outline = parse("a.py", text)
    assert outline is not None
    assert isinstance(render(text, outline, shown=range(len(outline.definitions))), str)


def test_unknown_language() -> None:
    """No grammar: no outline."""
    assert parse("a.toml", "x = 1") is None
    assert parse("README", "x") is None
