"""The import graph: every form of Python's imports, and incremental equals fresh."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repofill.context.graph import ImportGraph
from repofill.context.outline import pack
from repofill.context.parse import parse


def graph_of(files: Mapping[str, str]) -> ImportGraph:
    graph = ImportGraph()
    graph.update(interfaces_of(files))
    return graph


def interfaces_of(files: Mapping[str, str]) -> dict[str, bytes | None]:
    return {path: interface_of(path, text) for path, text in files.items()}


@lru_cache
def interface_of(path: str, text: str) -> bytes | None:
    outline = parse(path, text)
    return None if outline is None else pack(outline.interface)


def check(files: Mapping[str, str], path: str, imports: str, origins: str = "") -> None:
    """What `path` imports, and where names that are only passed on to it come from; both separated by spaces."""
    graph = graph_of(files)
    assert sorted(graph.imports(path)) == sorted(imports.split())
    assert sorted(graph.dependencies(path)) == sorted({*imports.split(), *origins.split()})


TREE = (
    "main.py helper.py pkg/__init__.py pkg/a.py pkg/b.py pkg/sub/__init__.py pkg/sub/c.py pkg/sub/d.py pkg/plain/e.py"
)
ROOTS = "src/app/__init__.py src/app/core.py tests/__init__.py tests/test_core.py tests/tools.py setup.py"
NAMESPACE = "ns/one.py src/ns/two.py src/ns/inner/three.py lib/ns/inner/four.py main.py"
STUBS = "main.py m.pyi both.py both.pyi p/__init__.pyi p/q.pyi"

FORMS = [
    # absolute
    (TREE, "main.py", "import helper", "helper.py"),
    (TREE, "main.py", "import helper as h, pkg.a", "helper.py pkg/__init__.py pkg/a.py"),
    (TREE, "main.py", "import pkg.sub.c", "pkg/__init__.py pkg/sub/__init__.py pkg/sub/c.py"),
    (TREE, "main.py", "from pkg import a, b as x", "pkg/__init__.py pkg/a.py pkg/b.py"),
    (TREE, "main.py", "from pkg import (\n    a,\n    anything,\n)", "pkg/__init__.py pkg/a.py"),
    (TREE, "main.py", "from pkg.sub.c import anything", "pkg/__init__.py pkg/sub/__init__.py pkg/sub/c.py"),
    (TREE, "main.py", "import pkg . sub . c", "pkg/__init__.py pkg/sub/__init__.py pkg/sub/c.py"),
    # Python has loaded what stands before the part that is missing
    (TREE, "main.py", "import pkg.sub.missing.more", "pkg/__init__.py pkg/sub/__init__.py"),
    (TREE, "main.py", "import pkg.a.missing", "pkg/__init__.py pkg/a.py"),
    (TREE, "main.py", "from pkg.a.missing import x", "pkg/__init__.py pkg/a.py"),
    (TREE, "main.py", "import numpy, missing.helper\nfrom missing import pkg", ""),
    (TREE, "pkg/sub/c.py", "import helper, pkg.b", "helper.py pkg/b.py"),
    # an absolute import does not look beside the importing file of a package
    (TREE, "pkg/a.py", "import b\nfrom sub import c", ""),
    # relative: the packages around the file run before it; they count where a name is taken out of them
    (TREE, "pkg/a.py", "from . import b", "pkg/b.py"),
    (TREE, "pkg/a.py", "from . import anything", "pkg/__init__.py"),
    (TREE, "pkg/a.py", "from .b import x", "pkg/b.py"),
    (TREE, "pkg/a.py", "from .sub.c import x", "pkg/sub/__init__.py pkg/sub/c.py"),
    (TREE, "pkg/a.py", "from .sub import c, x", "pkg/sub/__init__.py pkg/sub/c.py"),
    (TREE, "pkg/sub/c.py", "from . import d\nfrom .. import a\nfrom ..b import x", "pkg/sub/d.py pkg/a.py pkg/b.py"),
    (TREE, "pkg/sub/c.py", "from ..missing import x\nfrom .missing import y", ""),
    (
        TREE,
        "pkg/sub/__init__.py",
        "from .c import x\nfrom . import d\nfrom .. import a",
        "pkg/sub/c.py pkg/sub/d.py pkg/a.py",
    ),
    (TREE, "pkg/sub/__init__.py", "from .. import anything", "pkg/__init__.py"),
    (TREE, "pkg/__init__.py", "from .sub.d import *\nfrom . import a", "pkg/sub/__init__.py pkg/sub/d.py pkg/a.py"),
    (TREE, "pkg/sub/c.py", "from ..... import helper", ""),
    (TREE, "pkg/a.py", "from . b import x\nfrom . . import y", "pkg/b.py"),
    # a package may itself be the folder that was opened
    ("__init__.py a.py sub/__init__.py sub/b.py", "sub/b.py", "from ..a import x", "a.py"),
    ("__init__.py a.py", "a.py", "from . import x", "__init__.py"),
    # anywhere in the file
    (
        TREE,
        "main.py",
        "def f():\n    import helper\n    class C:\n        from pkg import a",
        "helper.py pkg/__init__.py pkg/a.py",
    ),
    (TREE, "main.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import helper", "helper.py"),
    (TREE, "main.py", "try:\n    import fast as h\nexcept ImportError:\n    import helper as h", "helper.py"),
    (TREE, "main.py", "with x: import helper; import pkg", "helper.py pkg/__init__.py"),
    # what is written in strings and comments is no import
    (TREE, "main.py", '"""\nimport helper\n"""\n# import helper\nx = "import helper"', ""),
    (TREE, "main.py", "from __future__ import annotations", ""),
    # star: the module, not its submodules
    (TREE, "main.py", "from pkg import *", "pkg/__init__.py"),
    (TREE, "pkg/a.py", "from . import *", "pkg/__init__.py"),
    # itself
    (TREE, "main.py", "import main\nfrom main import main", ""),
    (TREE, "pkg/a.py", "from . import a\nimport pkg.a\nfrom .a import x", ""),
    (TREE, "pkg/__init__.py", "import pkg\nfrom . import x\nfrom pkg import y", ""),
    # unparsable: what can be read is read
    (TREE, "main.py", "import helper\ndef f(:\n    pass\nimport pkg.a\n", "helper.py pkg/__init__.py pkg/a.py"),
    (TREE, "main.py", "import \nfrom import x\nfrom . import\nfrom pkg import a", "pkg/__init__.py pkg/a.py"),
    (TREE, "main.py", "\x00\nimport helper\n\udcff = 1\n", "helper.py"),
    (TREE, "main.py", "\ufeffimport helper\r\nimport pkg\r\n", "helper.py pkg/__init__.py"),
    # a package hides a module of its name
    ("m.py m/__init__.py main.py", "main.py", "import m", "m/__init__.py"),
    ("m.py m/x.py main.py", "main.py", "import m, m.x", "m.py"),
    # the standard library hides a workspace's module, except beside the importing file
    ("src/json.py src/main.py tests/a.py tests/__init__.py", "tests/a.py", "import json", ""),
    ("src/json.py src/main.py tests/a.py tests/__init__.py", "src/main.py", "import json", "src/json.py"),
    # several roots: src layout, tests as a package, tests without one
    (
        ROOTS,
        "tests/test_core.py",
        "from app import core\nfrom app.core import f",
        "src/app/__init__.py src/app/core.py",
    ),
    (ROOTS, "tests/test_core.py", "from tests.tools import f\nfrom . import tools", "tests/tools.py"),
    (ROOTS, "tests/test_core.py", "import tools", ""),
    (ROOTS, "src/app/core.py", "import app\nimport setup", "setup.py"),
    ("tests/a.py tests/tools.py", "tests/a.py", "import tools", "tests/tools.py"),
    (
        "deep/down/pkg/__init__.py deep/down/pkg/m.py main.py",
        "main.py",
        "import pkg.m",
        "deep/down/pkg/__init__.py deep/down/pkg/m.py",
    ),
    # the nearest of several packages of one name
    ("x/util/__init__.py y/util/__init__.py x/main.py y/main.py", "y/main.py", "import util", "y/util/__init__.py"),
    (
        "x/util/__init__.py x/test/t.py y/util/__init__.py y/test/t.py",
        "y/test/t.py",
        "import util",
        "y/util/__init__.py",
    ),
    # namespace packages: one package from several roots, loading no file of its own
    (NAMESPACE, "main.py", "import ns\nfrom ns import missing\nimport ns.inner", ""),
    (NAMESPACE, "main.py", "import ns.one, ns.two", "ns/one.py src/ns/two.py"),
    (NAMESPACE, "main.py", "from ns import one, two", "ns/one.py src/ns/two.py"),
    (NAMESPACE, "main.py", "from ns.inner import three, four", "src/ns/inner/three.py lib/ns/inner/four.py"),
    (NAMESPACE, "src/ns/two.py", "from . import inner\nfrom .inner.three import x", "src/ns/inner/three.py"),
    (TREE, "main.py", "import pkg.plain.e", "pkg/__init__.py pkg/plain/e.py"),
    ("ns/a.py src/ns/__init__.py main.py", "main.py", "import ns", "src/ns/__init__.py"),
    # stubs stand in where there is no source
    (STUBS, "main.py", "import m, both", "m.pyi both.py"),
    (STUBS, "main.py", "from p.q import f", "p/__init__.pyi p/q.pyi"),
    (STUBS, "p/q.pyi", "from . import x", "p/__init__.pyi"),
    # only the workspace's files are nodes
    ("main.py", "main.py", "import os, django.db\nfrom . import gone", ""),
]


@pytest.mark.parametrize(("tree", "path", "text", "imports"), FORMS)
def test_forms(tree: str, path: str, text: str, imports: str) -> None:
    """Every form of an import, in a tree of files that are otherwise empty."""
    check({name: text if name == path else "" for name in tree.split()}, path, imports)


REEXPORTS = [
    ({"p/__init__.py": "from .m import f", "p/m.py": "def f(): ..."}, "from p import f", "p/__init__.py", "p/m.py"),
    ({"p/__init__.py": "from .m import g as f", "p/m.py": "g = 1"}, "from p import f as h", "p/__init__.py", "p/m.py"),
    ({"p/__init__.py": "from .m import *", "p/m.py": "class f: ..."}, "from p import f", "p/__init__.py", "p/m.py"),
    # through several hands
    (
        {"p/__init__.py": "from .m import f", "p/m.py": "from q import f", "q.py": "f = 1"},
        "from p import f",
        "p/__init__.py",
        "q.py",
    ),
    # either of two definitions
    (
        {
            "p.py": "try:\n    from fast import f\nexcept ImportError:\n    from slow import f",
            "fast.py": "f=1",
            "slow.py": "f=2",
        },
        "from p import f",
        "p.py",
        "fast.py slow.py",
    ),
    # one name is followed, not all of them
    (
        {"p/__init__.py": "from .m import f\nfrom .n import g", "p/m.py": "f = 1", "p/n.py": "g = 1"},
        "from p import g",
        "p/__init__.py",
        "p/n.py",
    ),
    # nobody defines it; it is defined on the spot; it is a class's member; the module itself; passed on in a circle
    ({"p/__init__.py": "from .m import f", "p/m.py": "other = 1"}, "from p import f", "p/__init__.py", ""),
    ({"p/__init__.py": "from .m import g\nf = g", "p/m.py": "g = 1"}, "from p import f", "p/__init__.py", ""),
    ({"p/__init__.py": "from .m import *", "p/m.py": "class A:\n    f = 1"}, "from p import f", "p/__init__.py", ""),
    ({"p/__init__.py": "from .m import f", "p/m.py": "f = 1"}, "import p\np.f", "p/__init__.py", ""),
    ({"p.py": "from q import f", "q.py": "from p import f"}, "from p import f", "p.py", ""),
    # a name that is a submodule is no re-export
    (
        {"p/__init__.py": "from . import m", "p/m.py": "m = 1", "q.py": "from p import m"},
        "from q import m",
        "q.py",
        "",
    ),
]


@pytest.mark.parametrize(("files", "text", "imports", "origins"), REEXPORTS)
def test_names_that_are_passed_on(files: dict[str, str], text: str, imports: str, origins: str) -> None:
    """The file that defines a name is a dependency, too, but no import."""
    check({"main.py": text, **files}, "main.py", imports, origins)


def test_a_file_that_is_gone() -> None:
    """It has neither imports nor dependencies."""
    graph = graph_of({"a.py": "import b", "b.py": ""})
    graph.update({"a.py": None})
    assert graph.dependencies("a.py") == graph.imports("a.py") == frozenset()


def bindings(files: Mapping[str, str], path: str) -> set[tuple[str, str, str]]:
    return {(b.local, b.path, b.name) for b in graph_of(files).resolutions[path].bindings}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a", {("a", "a.py", "")}),
        ("import p.m as q", {("q", "p/m.py", "")}),
        ("from p import m", {("m", "p/m.py", "")}),
        ("from p.m import f as g", {("g", "p/m.py", "f")}),
        ("from p import f", {("f", "p/m.py", "f")}),
        ("from a import *", {("*", "a.py", "*")}),
        ("from a import missing", {("missing", "a.py", "missing")}),
    ],
)
def test_bindings(text: str, expected: set[tuple[str, str, str]]) -> None:
    """The names that imports bring, with the files that define them."""
    files = {"a.py": "x = 1", "p/__init__.py": "from .m import f", "p/m.py": "def f(): pass", "main.py": text}
    assert bindings(files, "main.py") == expected


def test_a_chain_longer_than_the_stack() -> None:
    """A name passed on by thousands of files costs no recursion."""
    files = {f"m{n}.py": f"from m{n + 1} import f" for n in range(3000)}
    assert graph_of(files).edges["m0.py"] == {"m1.py"}


PATHS = ["top.py", "p/__init__.py", "p/m.py", "src/s.pyi"]
LINES = [
    "import s",
    "from p import *",
    "from p import f",
    "from .m import f",
    "from s import f",
    "f = 1",
    "def g(): ...",
]
TEXTS = st.lists(st.sampled_from(LINES), max_size=2, unique=True).map("\n".join)
CHANGES = st.dictionaries(st.sampled_from(PATHS), TEXTS | TEXTS | st.none(), min_size=1, max_size=2)
PASSED_ON = {"top.py": "from p import f", "p/__init__.py": "from .m import f", "p/m.py": "import s", "src/s.pyi": ""}


@given(first=st.fixed_dictionaries(dict.fromkeys(PATHS, TEXTS)), batches=st.lists(CHANGES, max_size=6))
@example(first=PASSED_ON, batches=[{"p/m.py": "import s\nf = 1"}])
@example(first=PASSED_ON, batches=[{"p/m.py": "from s import f"}, {"src/s.pyi": "f = 1"}])
@example(
    first={**PASSED_ON, "p/m.py": "from s import f", "src/s.pyi": "f = 1"},
    batches=[{"top.py": "import s\nfrom p import *"}],
)
def test_incremental_equals_fresh(first: dict[str, str | None], batches: list[dict[str, str | None]]) -> None:
    """After every batch of added, changed and removed files the graph is that of the files there are."""
    graph, files = ImportGraph(), dict[str, str]()
    for batch in [first, *batches]:
        for path, text in batch.items():
            if text is None:
                files.pop(path, None)
            else:
                files[path] = text
        graph.update({path: None if text is None else interface_of(path, text) for path, text in batch.items()})
        fresh = graph_of(files)
        assert shape(graph) == shape(fresh)
        assert (graph.positions, graph.edge_count) == (fresh.positions, fresh.edge_count)


def shape(graph: ImportGraph) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Every node with its dependencies and its imports."""
    return {path: (targets, graph.imports(path)) for path, targets in graph.edges.items()}
