"""Java: outlines, skeletons, and from names to the files that declare them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import tree_sitter_java
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from repofill.context.forms import render
from repofill.context.graph import ImportGraph
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

JAVA = Language(tree_sitter_java.language())


def outline_of(text: str) -> Outline:
    outline = parse("A.java", text)
    assert outline is not None
    return outline


def graph_of(files: Mapping[str, str]) -> ImportGraph:
    graph = ImportGraph()
    graph.update({path: pack(outline_of(text).interface) for path, text in files.items()})
    return graph


OUTLINES = [
    ("", ".", ""),
    ("package a . b; class A {}", "a.b", "A"),
    ("class A { int x = 1, y; static { int z; } A() {} void f() { class L { int l; } } }", ".", "A A.x A.A A.f"),
    ("interface I { int X = 1; void f(); default void g() {} class N { int n; } }", ".", "I I.X I.f I.g I.N I.N.n"),
    ("enum E { A, B(1) { void h() {} }; private int x; E() {} }", ".", "E E.A E.B E.x E.E"),
    ("record R(int a) { R { } static int f() { return 1; } }", ".", "R R.R R.f"),
    ('@interface N { String value() default ""; }', ".", "N N.value"),
    # what is in a class without a name is nobody else's
    ("class A { Object o = new Object() { int x; void f() {} }; }", ".", "A A.o"),
    ("class A { void f( { } class B {} } class", ".", None),
]


@pytest.mark.parametrize(("text", "scope", "definitions"), OUTLINES)
def test_outline(text: str, scope: str, definitions: str | None) -> None:
    """The package, and definitions by their dotted names."""
    outline = outline_of(text)
    assert outline.interface.scope == scope
    if definitions is not None:
        assert [definition.qualified for definition in outline.definitions] == definitions.split()


IMPORTS = [
    ("import a.b.C; import a . D;", [("a.b", "C", ""), ("a", "D", "")]),
    ("import a.b.*;", [("a.b", "*", "")]),
    ("import static a.B.f; import static a.B.*;", [("a.B", "f", "static"), ("a.B", "*", "static")]),
    ('import a.B.Inner;\n// import c.D;\nString s = "import e.F;";', [("a.B", "Inner", "")]),
    ("import C; import ; import a.", None),
]


@pytest.mark.parametrize(("text", "expected"), IMPORTS)
def test_imports(text: str, expected: list[tuple[str, str, str]] | None) -> None:
    """Every form of an import, as (package or class, name, kind)."""
    imports = outline_of(text).interface.imports
    if expected is not None:
        assert [(i.module, *i.names, i.kind) for i in imports] == expected


REFERENCES = [
    (
        "class X extends A<B[]> implements C { @D E f(F... f) throws G { return (H) new I<J>(); } }",
        "A B C D E F G H I J",
    ),
    ("class X { { A.f(); B.c.d(); E::g; F.class.x(); for (G g : h) if (g instanceof I i) {} } }", "A B E F G I"),
    ("class X { Object o = switch (x) { case A(B b) -> 1; case C c -> 2; }; }", "A B C Object"),
    ("class X { Map.Entry<A.B, ? extends C> e; Outer.Inner.Most m = D.E.F; }", "Map A C Outer D"),
    ("class X { a.b.C c; a.b.C.D d = p.q.R.S.f(p.q.T.g); @n.M int i; }", "a.b.C p.q.R p.q.T n.M"),
    ("class X<T> { <U extends A> T f(U u) { this.B.c(); super.D.d(); x.e(); y.z = 1; } }", "A"),
    # what an import or the file itself names
    ("import a.A; import static b.B.C; class X { A a; C c; N n; class N { X x; } }", ""),
    ("module m { requires x; uses a.B; provides c.D with e.F, e.G; exports a; }", "a.B c.D e.F e.G"),
]


@pytest.mark.parametrize(("text", "references"), REFERENCES)
def test_references(text: str, references: str) -> None:
    """Types that are mentioned; of qualified names what leads to a file. Parts of packages do no harm."""
    found = outline_of(text).interface.references
    assert {name for name in found if not name.islower()} == set(references.split())


CLASS = """package p;
import a.B;

/**
 * Says <b>it</b>.
 * @since 1
 */
@Deprecated
public final class A<T> extends B
        implements C {

    /** How many. */
    static final int N = 3;
    int[] table = {
        1,
        2,
    };
    static { f(); }

    // Makes.
    public A(int x) throws D {
        this.x = x;
    }

    @Override abstract void g();
}
"""
CLASS_SKELETON = """// Says it.
@Deprecated
public final class A<T> extends B
        implements C {
    // How many.
    static final int N = 3;
    int[] table = null;
    // Makes.
    public A(int x) throws D {}
    @Override abstract void g();
}
"""
ENUM = """enum E {
    /** One. */
    A(1) { int g() { return 1; } },
    B(2),
    ;
    int x;
    int f() {
        return x;
    }
}
"""
ENUM_SKELETON = """enum E {
    /** One. */
    A(1) { int g() { return 1; } },
    B(2),
    ;
    int x;
    int f() {}
}
"""
SKELETONS = [
    ("class A {\n    int f(int a) {\n        return a;\n    }\n}\n", "class A {\n    int f(int a) {}\n}\n"),
    (CLASS, CLASS_SKELETON),
    ("class A {}", "class A {}\n"),
    ("enum E { A, B; }", "enum E { A, B; }\n"),
    ("/** Two. */\nenum E {\n    A,\n    B\n}", "// Two.\nenum E {\n    A,\n    B\n}\n"),
    (ENUM, ENUM_SKELETON),
    ("enum E { ; static int f() { return 1; } }", "enum E { ;\n    static int f() {}\n}\n"),
    ("record R(int a, B... b) implements C { R { a = 1; } }", "record R(int a, B... b) implements C {\n    R {}\n}\n"),
    (
        "@interface N { int value() default 1; class M { int m() { return 1; } } }",
        "@interface N {\n    int value() default 1;\n    class M {\n        int m() {}\n    }\n}\n",
    ),
    ("interface I { int X = f(\n1,\n2); default int g() { return 1; } <T> T h(T t); }", None),
    ("class A { int x = 1, y[] = {\n1,\n2\n}, z; Runnable r = () -> {\n\n\n}; }", None),
    ("class A { synchronized <T extends B & C> T[] f(final @N T t)[] { } }", None),
    ("class A {\n    int x = // why\n        1\n        + 2\n        + 3;\n}", "class A {\n    int x = null;\n}\n"),
]


@pytest.mark.parametrize(("text", "expected"), SKELETONS)
def test_skeleton(text: str, expected: str | None) -> None:
    """Valid Java; an enumeration's constants belong to its head."""
    outline = outline_of(text)
    assert not outline.has_error
    form = render(text, outline, shown=range(len(outline.definitions)))
    assert not Parser(JAVA).parse(form.encode()).root_node.has_error, form
    assert expected is None or form == expected


FILES = {
    "main/a/A.java": "package a; public class A { public static int f; static class In { class Most {} } }",
    "main/a/B.java": "package a; class B {} class Second {}",
    "main/a/b/C.java": "package a.b; public interface C {}",
    "main/a/b/String.java": "package a.b; public class String {}",
    "test/a/Base.java": "package a; class Base {}",
    "other/main/x/X.java": "package x; public enum X { ONE }",
    "other/main/a/B.java": "package a; class B {}",
    "Plain.java": "class Plain {}",
    "deep/Plain.java": "class Plain {}",
}
MAIN = "main/a/Main.java"
TEST = "test/a/Test.java"
RESOLUTIONS = [
    # imports
    (TEST, "package t; import a.A; import a.b.C;", "main/a/A.java main/a/b/C.java"),
    (TEST, "package t; import a.A.In; import a.A.In.Most;", "main/a/A.java"),
    (TEST, "package t; import static a.A.f; import static x.X.*;", "main/a/A.java other/main/x/X.java"),
    (TEST, "package t; import a.A.*;", "main/a/A.java"),
    (
        TEST,
        "package t; import java.util.List; import a.Missing; import a.b; import missing.*; import static a.b.*;",
        "",
    ),
    # a package with a star: what is used of it
    (TEST, "package t; import a.*; class T { A a; Second s; C c; }", "main/a/A.java main/a/B.java"),
    (TEST, "package t; import a.*; class T {}", ""),
    # the file's own package, in every source root
    (MAIN, "package a; class Main extends A { B b = new B(); }", "main/a/A.java main/a/B.java"),
    (TEST, "package a; class Test extends Base { A a; }", "main/a/A.java test/a/Base.java"),
    ("other/test/a/T.java", "package a; class T { B b; }", "other/main/a/B.java"),
    (MAIN, "package a; class Main { void f() { A.f(); Second.class.toString(); } }", "main/a/A.java main/a/B.java"),
    (MAIN, "package a; class Main { C c; String s; }", ""),
    # where the file stands does not matter, what it declares does
    ("Main.java", "package a; class Main { A a; }", "main/a/A.java"),
    # an import hides the package's own type, and that one a star's
    (MAIN, "package a; import java.x.A; class Main { A a; }", ""),
    ("main/a/b/D.java", "package a.b; import s.*; class D { String s; }", "main/a/b/String.java"),
    # the file's own types and type parameters hide others
    (MAIN, "package a; class Main<A> { A a; class B {} B b; }", ""),
    # full names
    (
        TEST,
        "package t; class T { a.A a; Object o = a.b.C.class; x.X e = x.X.ONE; }",
        "main/a/A.java main/a/b/C.java other/main/x/X.java",
    ),
    (TEST, "package t; class T { a.Missing m; A.b.C c; }", ""),
    ("module-info.java", "module m { uses a.b.C; provides a.b.C with a.A; }", "main/a/A.java main/a/b/C.java"),
    # files without a package see those of their folder
    ("deep/Main.java", "class Main { Plain p; A a; }", "deep/Plain.java"),
    (MAIN, "package a; class Main { Plain p; }", ""),
    # only said
    (MAIN, 'package a; /** {@link A} */ class Main { String s = "A"; int A() { return b.A(); } }', ""),
]


@pytest.mark.parametrize(("path", "text", "imports"), RESOLUTIONS)
def test_resolution(path: str, text: str, imports: str) -> None:
    """The files that a file uses."""
    assert sorted(graph_of({**FILES, path: text}).imports(path)) == sorted(imports.split())


def test_bindings() -> None:
    """Local names lead to names elsewhere."""
    text = """package a; import a.A.In; import static a.A.f; import static x.X.*; import a.b.*;
        class Main { B b; C c; x.X e; }"""
    found = {(b.local, b.path, b.name) for b in graph_of({**FILES, MAIN: text}).resolutions[MAIN].bindings}
    assert found == {
        ("In", "main/a/A.java", "A.In"),
        ("f", "main/a/A.java", "A.f"),
        ("*", "other/main/x/X.java", "*"),
        ("B", "main/a/B.java", "B"),
        ("C", "main/a/b/C.java", "C"),
        ("X", "other/main/x/X.java", "X"),
    }


@pytest.mark.parametrize(
    "text",
    ["(" * 3000, "class A {" * 300, "import a." * 50, "enum E {", "enum E { A(", "\x00import \udcff.a;", "a.b.C" * 99],
)
def test_broken_text(text: str) -> None:
    """An outline, whatever the text."""
    graph_of({"A.java": text})
    outline = outline_of(text)
    assert isinstance(render(text, outline, shown=range(len(outline.definitions))), str)


PATHS = ["a/A.java", "b/A.java", "a/B.java", "X.java"]
TEXTS = [
    "package a; class A {}",
    "package b; public class A { B b; }",
    "package a; class B { A a; }",
    "package b; import a.*; class X { A a; B b; }",
    "import a.A; import b.A.C; class X extends A {}",
    "class B { b.A a; }",
]
CHANGES = st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from([*TEXTS, None])), max_size=8)


@given(changes=CHANGES)
def test_incremental_equals_fresh(changes: list[tuple[str, str | None]]) -> None:
    """After every change the graph is that of the files there are."""
    graph, files = ImportGraph(), dict[str, str]()
    for path, text in changes:
        files.pop(path, None)
        if text is not None:
            files[path] = text
        graph.update({path: None if text is None else pack(outline_of(text).interface)})
        assert graph.resolutions == graph_of(files).resolutions
