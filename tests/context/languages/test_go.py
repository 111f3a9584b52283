"""Go: outlines, the names that a file uses, skeletons, and from names to files by modules and packages."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import tree_sitter_go
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from repofill.context.forms import render
from repofill.context.graph import ImportGraph
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

GO = Language(tree_sitter_go.language())


def outline_of(path: str, text: str) -> Outline:
    outline = parse(path, text)
    assert outline is not None
    return outline


def graph_of(files: Mapping[str, str | None]) -> ImportGraph:
    graph = ImportGraph()
    update(graph, files)
    return graph


def update(graph: ImportGraph, files: Mapping[str, str | None]) -> None:
    graph.update(
        {p: None if t is None else pack(outline_of(p, t).interface) for p, t in files.items() if p.endswith(".go")},
        {p: t for p, t in files.items() if not p.endswith(".go")},
    )


OUTLINES = [
    ("", ""),
    ("func f() { func() {}(); type local struct{ x int } }", "f"),
    ("type T struct { A, B int; *p.C; D[int] }", "T T.A T.C T.D"),
    ("type I interface { M(a int) error; fmt.Stringer; E }", "I I.M I.Stringer I.E"),
    ("type N interface { ~int | ~string }", "N N.int"),
    ("type F func(); type A = F; type M map[string]struct{ x int }", "F A M"),
    ("func (t *T) M() {}\nfunc (G[K]) N() {}\nfunc (*G[K, V]) O() {}\nfunc (T) P()", "T.M G.N G.O T.P"),
    ("const A, B = 1, 2\nvar c, d int\nvar e = func() { var f int }", "A c e"),
    # what stands in parentheses belongs to nobody
    ("const (\nA = iota\nB\n)\nvar (\nc = 1\nd int\n)\ntype (\nT struct{ x int }\nU = T\n)", "A B c d T T.x U"),
    ("func f() {\ntype (\nT struct{ x int }\n)\nconst (\nA = 1\n)\n}", "f"),
    # broken code: what can be read is read
    ("func f( {\n}\ntype T struct { a int }\nfunc (", "f T T.a"),
    ("\x00\ufffd", ""),
]


@pytest.mark.parametrize(("text", "definitions"), OUTLINES)
def test_outline(text: str, definitions: str) -> None:
    """Definitions by their dotted names."""
    outline = outline_of("a.go", f"package p\n{text}")
    assert outline.interface.scope == "p"
    assert [d.qualified for d in outline.definitions if d.name] == definitions.split()


def test_names() -> None:
    """All names of a declaration of several."""
    interface = outline_of("a.go", "package p\nconst A, B = 1, 2\nvar (\nc, d int\n_ = 1\n)\nvar e, f T\n").interface
    assert interface.names == {"A", "B", "c", "d", "e", "f"}


USES = [
    ("func f() { a(b, c.D, e.f.G) }", "a b c.D e"),
    ("var x T\nfunc f(t p.Q) *U { return x }", "T p.Q U"),
    # locals, from their declaration to the end of their block
    ("func f() { x := x(); x(); if y := y(); y { z := 1; z() }; z() }", "x y z"),
    ("func f() { { x := 1; x() }; x.A(); x.a() }", "x x.A"),
    ("func f() { url, err := url.Parse(s); url.Host(err) }", "url.Parse s"),
    ("func f() { var a, b = c, d; const e = a; type t int; t(e); a(b) }", "c d int"),
    ("func f() { for i, v := range xs { i(v) }; for i := 0; i < n; i++ {}; i() }", "xs n i"),
    ("func f() { switch t := x.(type) { case A: t() } ; t() }", "x A t"),
    ("func f() { switch x := g(); { case x: y := 1; y() ; default: y() } }", "g y"),
    ("func f() { select { case m, ok := <-c: m(ok); case m <- d: } }", "c d m"),
    ("func f() { g := func(a, b int, c ...T) (d U) { return a + b + c + d }; g(a) }", "int T U a"),
    # parameters hide names in the body alone
    ("func f(url *url.URL, a, b T) (r R) { url.Path(a, b, r) }", "url.URL T R"),
    ("func (t *T) m(u U) { t.A(u) }\nfunc (t T) n() { t.A() }", "T U"),
    # type parameters
    ("func f[K comparable, V I[K]](k K, v V) {}", "comparable I"),
    ("type G[K any] struct { k K; h H[K] }\nfunc (g *G[K]) m(k K) {}\nfunc (g G[Q]) n() Q {}", "any H"),
    ("var x K\ntype G[K any] struct{ k K }\nvar y K", "K any"),
    # keys of fields are none, those of arrays and maps are
    ("var x = T{A: b, C: D{E: f}}", "T b D f"),
    ("var x = map[K]V{a: b}\nvar y = [...]T{c: d}\nvar z = []T{e: {F: g}}", "K V a b T c d e g"),
    ("var x = p.T{A: q.B}", "p.T q.B"),
    # what the file defines itself, wherever
    ("func f() { g(x) }\nfunc g(t T) {}\nvar x T\ntype T struct{}", ""),
    ("func f() { goto end; end: for { break end } }", ""),
    ("type I interface { M(a A) (b B); p.J }\ntype F func(x X) Y", "A B p.J X Y"),
]


@pytest.mark.parametrize(("text", "used"), USES)
def test_used_names(text: str, used: str) -> None:
    """Names that other files of the package, or packages, have to define."""
    references = outline_of("a.go", f"package p\n{text}").interface.references
    assert sorted(references) == sorted(used.split())


SKELETONS = [
    ("// Says it.\n// More.\nfunc f(a int) (b error) {\n\treturn g(a)\n}", "// Says it.\nfunc f(a int) (b error) {}\n"),
    ("func (t *T) m() { x() }\nfunc asm(a int)", "func (t *T) m() {}\nfunc asm(a int)\n"),
    (
        "// A thing.\ntype T struct {\n\t// Its name.\n\tName string `json:\"n\"`\n\n\t*p.Base // embedded\n}",
        "// A thing.\ntype T struct {\n\t// Its name.\n\tName string `json:\"n\"`\n\t*p.Base\n}\n",
    ),
    ("type E struct{}", "type E struct{}\n"),
    ("type I interface {\n\tM() int\n\t~int | A\n}", "type I interface {\n\tM() int\n\t~int | A\n}\n"),
    (
        "// Kinds.\nconst (\n\tA Kind = iota // first\n\t// The second.\n\tB\n)",
        "// Kinds.\nconst (\n\tA Kind = iota\n\t// The second.\n\tB\n)\n",
    ),
    ("var x = map[string]int{\n\t\"a\": 1,\n\t\"b\": 2,\n\t\"c\": 3,\n}\nvar y = 1", "var x = nil\nvar y = 1\n"),
    ("type (\n\tA struct {\n\t\tx int\n\t}\n\tB = A\n)", "type (\n\tA struct {\n\t\tx int\n\t}\n\tB = A\n)\n"),
    ("var (\n\terrA = errors.New(\"a\")\n\tb, c int\n)", "var (\n\terrA = errors.New(\"a\")\n\tb, c int\n)\n"),
    ("type F func(\n\ta int,\n) error", "type F func(\n\ta int,\n) error\n"),
    ("type G[K comparable, V any] struct {\n\tm map[K]V\n}", "type G[K comparable, V any] struct {\n\tm map[K]V\n}\n"),
    ("type T struct { a struct { b int; c struct{ d int } }; e func(x int) struct{} }", None),
    ("const ()\nvar ()\ntype ()\nconst A, B = `\n\n\n\n`, 2\nvar f = func() {\n\n\n\n}", None),
    ("var x = // why\n\t[]int{\n\t1,\n\t2,\n}", "var x = nil\n"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SKELETONS)
def test_skeleton(text: str, expected: str | None) -> None:
    """Valid Go."""
    outline = outline_of("a.go", f"package p\n\n{text}\n")
    assert not outline.has_error
    form = render(f"package p\n\n{text}\n", outline, shown=range(len(outline.definitions)))
    assert not Parser(GO).parse(form.encode()).root_node.has_error, form
    assert expected is None or form == expected


MODULE = {
    "go.mod": "module example.com/app // the app\n\ngo 1.20\n",
    "main.go": "package main",
    "util/a.go": "package util\nfunc A() { inner() }\nvar V T\nfunc (t T) Method() {}",
    "util/b.go": "package util\ntype T struct{}\nfunc inner() {}\nfunc B() {}",
    "util/b_test.go": "package util\nfunc TestHelper() {}",
    "util/s_linux.go": "package util\nfunc Sys() {}",
    "util/s_windows.go": "package util\nfunc Sys() {}",
    "util/gen.go": "package main\nfunc A() {}",
    "go-log/v2/log.go": "package log\nfunc Print() {}",
    "tools/go.mod": "module example.com/tools\nreplace (\n\texample.com/old v1.2.3 => ../legacy\n)\n",
    "tools/t.go": "package tools\nfunc Tool() {}",
    "legacy/go.mod": 'module "example.com/renamed"\n',
    "legacy/l.go": "package legacy\nfunc L() {}",
    "sub/go.mod": "module example.com/app/sub\n",
    "sub/s.go": "package sub\nfunc S() {}",
}
UTIL = "util/a.go util/b.go util/s_linux.go util/s_windows.go"
RESOLUTIONS = [
    # of a package: the files that define what is used
    ("x.go", 'import "example.com/app/util"\nvar _ = util.A', "util/a.go"),
    ("x.go", 'import u "example.com/app/util"\nvar _ u.T = u.V', "util/a.go util/b.go"),
    ("x.go", 'import "example.com/app/util"\nvar _ = util.Missing', ""),
    ("x.go", 'import "example.com/app/util"\nfunc f(util T) { util.A() }', UTIL),
    # the name that the package gives itself
    ("x.go", 'import "example.com/app/go-log/v2"\nvar _ = log.Print', "go-log/v2/log.go"),
    # for its effects, and not used yet: all of it
    ("x.go", 'import _ "example.com/app/util"', UTIL),
    ("x.go", 'import "example.com/app/util"', UTIL),
    # its names as the file's own
    ("x.go", 'import . "example.com/app/util"\nvar _ = B', "util/b.go"),
    ("x.go", 'import . "example.com/app/util"', ""),
    # package-mates
    ("util/x.go", "func f() { inner(); V.Method(); var B int; B() }", "util/a.go util/b.go"),
    ("util/x.go", "func f() { TestHelper() }", ""),
    ("util/x_test.go", "func f() { TestHelper(); A() }", "util/b_test.go util/a.go"),
    ("util/x.go", "var _ = Sys", "util/s_linux.go util/s_windows.go"),
    ("util/x_windows_amd64.go", "var _ = Sys", "util/s_windows.go"),
    ("util/x_linux_test.go", "var _ = Sys", "util/s_linux.go"),
    ("sub/x.go", "var _ = A", ""),
    # tests that stand outside of their package
    ("util/y_test.go", 'import "example.com/app/util"\nvar _ = util.A', "util/a.go", "util_test"),
    ("util/y_test.go", 'import "example.com/app/util"\nvar _ = util.TestHelper', "util/b_test.go", "util_test"),
    ("util/y_test.go", "var _ = A", "", "util_test"),
    ("x_test.go", 'import "example.com/app/util"\nvar _ = util.TestHelper', "", "app_test"),
    # modules: the nearest beginning of the import path, replacements, neighbours
    ("x.go", 'import "example.com/app/sub"\nvar _ = sub.S', "sub/s.go"),
    ("x.go", 'import "example.com/tools"\nvar _ = tools.Tool', "tools/t.go"),
    ("tools/x.go", 'import "example.com/old"\nvar _ = legacy.L', "legacy/l.go"),
    ("x.go", 'import "example.com/old"\nvar _ = legacy.L', ""),
    ("x.go", 'import "example.com/renamed"\nvar _ = legacy.L', "legacy/l.go"),
    # from elsewhere
    ("x.go", 'import ("fmt"; "C"; "example.com/app/missing"; "example.com/appendix/util"; "util"; "")', ""),
    ("x.go", 'import "example.com/app/util', ""),
]  # fmt: skip


@pytest.mark.parametrize("case", RESOLUTIONS)
def test_resolution(case: tuple[str, ...]) -> None:
    """What a file of a module depends on."""
    path, text, imports, *package = case
    name = package[0] if package else path.rpartition("/")[0].rpartition("/")[2] or "main"
    assert sorted(graph_of({**MODULE, path: f"package {name}\n{text}"}).imports(path)) == sorted(imports.split())


LAYOUTS: list[tuple[dict[str, str], str]] = [
    # GOPATH, opened at its root or at `src`
    ({"src/h.com/p/p.go": "package p\nfunc F() {}"}, "src/h.com/p/p.go"),
    ({"h.com/p/p.go": "package p\nfunc F() {}"}, "h.com/p/p.go"),
    # a workspace's replacement
    (
        {"go.mod": "module m", "go.work": "use .\nreplace h.com/p => ./fork", "fork/p.go": "package p\nfunc F() {}"},
        "",
    ),
    (
        {
            "go.mod": "module m",
            "go.work": "use (\n.\n./fork\n)\nreplace h.com/p => ./fork",
            "fork/go.mod": "module other",
            "fork/p.go": "package p\nfunc F() {}",
        },
        "fork/p.go",
    ),
    # a module's own replacement before another module of that name
    (
        {
            "go.mod": "module m\nreplace h.com/p => ./fork",
            "fork/go.mod": "module h.com/p",
            "fork/p.go": "package p\nfunc F() {}",
            "a/go.mod": "module h.com/p",
            "a/p.go": "package p\nfunc F() {}",
        },
        "fork/p.go",
    ),
    # outside of the workspace, and broken
    ({"go.mod": 'module m\nreplace h.com/p => ../../out\nreplace ( "\nreplace => =>\nmodule'}, ""),
    ({"go.mod": "", "p/p.go": "package p"}, ""),
]


@pytest.mark.parametrize(("files", "expected"), LAYOUTS)
def test_layouts(files: dict[str, str], expected: str) -> None:
    """Where `h.com/p` is."""
    graph = graph_of({"x.go": 'package x\nimport "h.com/p"\nvar _ = p.F', **files})
    assert sorted(graph.imports("x.go")) == expected.split()


def test_bindings() -> None:
    """Used names of the package itself by their files, the other files as if by a star, packages by their name."""
    text = 'package util\nimport l "example.com/app/go-log/v2"\nvar _, _ = inner, l.Print'
    bindings = graph_of({**MODULE, "util/x.go": text}).resolutions["util/x.go"].bindings
    assert {(b.local, b.path, b.name) for b in bindings} == {
        ("inner", "util/b.go", "inner"),
        ("l", "go-log/v2/log.go", ""),
        *(("*", f"util/{name}.go", "*") for name in ("a", "b", "s_linux", "s_windows")),
    }


PATHS = ["go.mod", "a.go", "p/b.go", "p/c_test.go", "q/go.mod"]
LINES = [
    'import "m/p"',
    'import . "m/p"',
    'import "n"',
    "var x = p.F",
    "var y = F",
    "func F() {}",
    "func G() { F(); x() }",
    "module m",
    "module n",
    "replace n => ./p",
]
TEXTS = st.builds(
    lambda package, lines: "\n".join([package, *lines]),
    st.sampled_from(["package p", "package p_test", "// "]),
    st.lists(st.sampled_from(LINES), max_size=3, unique=True),
)
CHANGES = st.dictionaries(st.sampled_from(PATHS), TEXTS | TEXTS | st.none(), min_size=1, max_size=2)


@given(first=st.fixed_dictionaries(dict.fromkeys(PATHS, TEXTS)), batches=st.lists(CHANGES, max_size=5))
def test_incremental_equals_fresh(first: dict[str, str | None], batches: list[dict[str, str | None]]) -> None:
    """After every batch of changes the graph is that of the files there are."""
    graph, files = ImportGraph(), dict[str, str]()
    for batch in [first, *batches]:
        files = {path: text for path, text in {**files, **batch}.items() if text is not None}
        update(graph, batch)
        assert graph.resolutions == graph_of(files).resolutions
