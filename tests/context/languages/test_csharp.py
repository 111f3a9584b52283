"""C#: outlines, skeletons, and from names to the files that declare them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import tree_sitter_c_sharp
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from repofill.context.forms import render
from repofill.context.graph import ImportGraph
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

CSHARP = Language(tree_sitter_c_sharp.language())


def outline_of(text: str) -> Outline:
    outline = parse("A.cs", text)
    assert outline is not None
    return outline


def graph_of(files: Mapping[str, str]) -> ImportGraph:
    graph = ImportGraph()
    update(graph, files)
    return graph


def update(graph: ImportGraph, files: Mapping[str, str | None]) -> None:
    graph.update(
        {p: None if t is None else pack(outline_of(t).interface) for p, t in files.items() if p.endswith(".cs")},
        {p: t for p, t in files.items() if not p.endswith(".cs")},
    )


OUTLINES = [
    ("", "global::", ""),
    ("namespace A . B; class C {} struct S {}", "A.B", "C S"),
    ("namespace A { namespace B.C { class D {} } class E {} } namespace F {}", "A A.B.C F", "D E"),
    ("global using X; class C {}", "global:: global::using", "C"),
    ("class C { int a = 1, b; C() {} ~C() {} void F() { void G() {} int c; } }", "global::", "C C.a C.C C.C C.F"),
    ("class C { int P { get; } int Q => 1; event E e; event E f { add {} } }", "global::", "C C.P C.Q C.e C.f"),
    ("class C { int this[int i] => 1; static C operator +(C a, C b) => a; }", "global::", "C C.this C.+"),
    ("class C { delegate int D(); record R(int x); interface I { void F(); } }", "global::", "C C.D C.R C.I C.I.F"),
    ("enum E { A, [Q] B = 2, }", "global::", "E E.A E.B"),
    ("namespace A { class C {\n#if X\n void F() {}\n#else\n void G() {}\n#endif\n} }", "A", "C C.F C.G"),
    # a condition in the midst: its first branch counts
    ("namespace A { class C { void F(int a\n#if X\n, int b\n#endif\n) {} void G() {} } }", "A", "C C.G"),
    ("namespace A { class C { void F( { } class B {} } class", "A", None),
    ("namespace A { class C { void F() { if (", "A", None),
]


@pytest.mark.parametrize(("text", "scope", "definitions"), OUTLINES)
def test_outline(text: str, scope: str, definitions: str | None) -> None:
    """The namespaces, and definitions by their dotted names."""
    outline = outline_of(text)
    assert outline.interface.scope == scope
    if definitions is not None:
        assert [definition.qualified for definition in outline.definitions] == definitions.split()


USINGS = [
    ("using A.B; using global::C;", [("A.B", "*", "", "namespace"), ("C", "*", "", "namespace")]),
    ("using static A.B.C;", [("A.B.C", "*", "", "static")]),
    ("using X = A.B.C; using Y = D;", [("A.B", "C", "X", "alias"), ("", "D", "Y", "alias")]),
    ("using X = A.B<C.D>;", [("A", "B", "X", "alias")]),
    (
        "global using A; global using static A.B; global using X = A.B;",
        [("A", "*", "", "global namespace"), ("A.B", "*", "", "global static"), ("A", "B", "X", "global alias")],
    ),
    (
        "namespace N { using A; class C { void F() { using (x) {} using var y = z; } } }",
        [("A", "*", "", "inner namespace")],
    ),
    ("using ; using static; using X =", None),
]


@pytest.mark.parametrize(("text", "expected"), USINGS)
def test_usings(text: str, expected: list[tuple[str, str, str, str]] | None) -> None:
    """Every form of `using`, as (namespace or type, name, local name, kind)."""
    imports = outline_of(text).interface.imports
    if expected is not None:
        assert [(i.module, *i.names, "".join(i.bound), i.kind) for i in imports] == expected


REFERENCES = [
    ("class X : A, I<B> { C f; D P { get; } E M(F[] p, G? q, (H, J) t) => null; }", "A I B C D E F G H J"),
    ("class X { void M() { new A(); x is B; var y = (C)z; z = x as D; typeof(E); default(F); } }", "A B C D E F"),
    ("class X { void M() { try {} catch (A e) {} foreach (B b in c) {} D.e(); F<G>.h(); } }", "A B D F G"),
    ("class X { void M() { switch (x) { case A a: break; case B.c: break; } nameof(D); e.F.g(); } }", "A B D"),
    ("class X { bool b = x is A && y is B || z; }", "A B"),
    ("class X { void M() { if (x) {\n#if X\n A.b(); }\n#else\n B.c(); }\n#endif\n } }", "A B"),
    ("[A] [B.C] class X { D I.M() => null; }", "A AAttribute B B.C B.CAttribute D I"),
    ("class X { A.B b; C.D.E<F> e; global::G.H h; }", "A A.B C C.D C.D.E F global::G global::G.H"),
    ("class X { int i = A.B.C.d(E.F, G<H>(), j.K<L>()); }", "A A.B A.B.C E H L"),
    # the file's own types, unless there are other parts of them
    ("class X<T> { T t; X<T> x; Y y; class Y {} } partial class Z { }", "Z"),
]


@pytest.mark.parametrize(("text", "references"), REFERENCES)
def test_references(text: str, references: str) -> None:
    """Types that are mentioned, simple and qualified."""
    assert outline_of(text).interface.references >= set(references.split()) - {"A.B.C"}
    assert outline_of(text).interface.references <= set(references.split())


CLASS = """using System;
namespace N
{
    /// <summary>
    /// Says it.
    /// </summary>
    [Serializable]
    public sealed class A<T> : B
        where T : C
    {
        private static readonly int[] Table =
        {
            1,
            2,
        };
        public int P { get; set; } = 1;
        public int Q
        {
            get { return 1; }
            set
            {
                x = value;
            }
        }

        // Makes.
        public A(int x) : base(x)
        {
            this.x = x;
        }

        public override string ToString() => "A";
    }
}
"""
SKELETON = """// Says it.
[Serializable]
public sealed class A<T> : B
    where T : C
{
    private static readonly int[] Table = null;
    public int P { get; set; } = 1;
    public int Q
    {
        get {}
        }
    // Makes.
    public A(int x) : base(x)
    {}
    public override string ToString() => "A";
}
"""
SKELETONS = [
    (CLASS, SKELETON),
    ("class A {}", "class A {}\n"),
    ("record R(int x);", "record R(int x);\n"),
    ("enum E : byte { A, B = 2 }", "enum E : byte { A, B = 2 }\n"),
    ("enum E : byte {\n    A, B = 2 }", "enum E : byte {\n    A,\n    B = 2\n}\n"),
    (
        "namespace N; interface I {\n    int P { get; } void F(); }",
        "interface I {\n    int P { get; }\n    void F();\n}\n",
    ),
    ("namespace N; interface I { int P { get; } void F(); }", "interface I { int P { get; } void F(); }\n"),
    (
        "[A]\n#if X\n[B]\n#else\n[C]\n#endif\nclass D { int f(\n#if X\nint a\n#endif\n) {} int g; }",
        "class D {\n    int g;\n}\n",
    ),
    ("class C { int a = 1, b = F(\n1,\n2), c; fixed int d[3]; event E e = null; this[int i] { get { } } }", None),
    ("class C {\n    int x = // why\n        1\n        + 2\n        + 3;\n}", "class C {\n    int x = null;\n}\n"),
    ("class C { event E e { add { } remove { } } public static implicit operator D(C c) { return null; } }", None),
]


@pytest.mark.parametrize(("text", "expected"), SKELETONS)
def test_skeleton(text: str, expected: str | None) -> None:
    """Valid C#; of accessors the first has its body left out, and with it the others go."""
    outline = outline_of(text)
    form = render(text, outline, shown=range(len(outline.definitions)))
    assert not Parser(CSHARP).parse(form.encode()).root_node.has_error, form
    assert expected is None or form == expected


FILES = {
    "A.cs": "namespace N { public class A { public class In {} } }",
    "B.cs": "namespace N.Sub; public class B {}",
    "C.cs": "namespace N.Sub { class C {} } namespace Other { class D {} }",
    "P1.cs": "namespace N { partial class P {} }",
    "P2.cs": "namespace N { partial class P {} }",
    "Attribute.cs": "namespace N { class MarkAttribute {} }",
    "Global.cs": "class G {}",
}
RESOLUTIONS = [
    # the namespaces around, from the inside
    ("namespace N { class X : A { P p; } }", "A.cs P1.cs P2.cs"),
    ("namespace N.Sub.Deep; class X { A a; B b; G g; }", "A.cs B.cs Global.cs"),
    ("namespace N { namespace Sub { class X { C c; } } }", "C.cs"),
    ("namespace M { class X { A a; B b; } }", ""),
    ("class X { A a; G g; }", "Global.cs"),
    # usings
    ("using N; class X { A a; B b; }", "A.cs"),
    ("using N; using N.Sub; class X { A a; B b; }", "A.cs B.cs"),
    ("using N; class X {}", ""),
    ("using Other; class X { D d; }", "C.cs"),
    ("using static N.A; using Y = N.Sub.B; class X { Y y; }", "A.cs B.cs"),
    ("using System; using Missing.N; using static N.Missing; using Y = N.Missing; class X { Y y; }", ""),
    ("namespace N { using Sub; class X { B b; } }", "B.cs"),
    ("namespace M { using Sub; class X { B b; } }", ""),
    # qualified names, in full, from a namespace around, by an alias
    ("class X { N.A a; N.Sub.B b = N.Sub.C.d(); }", "A.cs B.cs C.cs"),
    ("namespace N { class X { Sub.B b; A.In i; } }", "A.cs B.cs"),
    ("using S = N.Sub; class X { S.B b; }", "B.cs"),
    ("namespace Q { class X { global::N.A a = global::G.g; } }", "A.cs Global.cs"),
    # attributes may leave out the end of their names
    ("namespace N { [Mark] class X {} }", "Attribute.cs"),
    # the file's own types hide others; other parts of one do not
    ("namespace N { class X { A a; class A {} } }", ""),
    ("namespace N { partial class P {} }", "P1.cs P2.cs"),
    # only said
    ('namespace N { /* A */ class X { string s = "A"; int A() => this.A(); } }', ""),
]


@pytest.mark.parametrize(("text", "imports"), RESOLUTIONS)
def test_resolution(text: str, imports: str) -> None:
    """The files that a file uses."""
    assert sorted(graph_of({**FILES, "X.cs": text}).imports("X.cs")) == sorted(imports.split())


def project(*references: str, items: str = "") -> str:
    found = "".join(f'<ProjectReference Include="{reference}" />' for reference in references)
    return f'<Project Sdk="Microsoft.NET.Sdk"><ItemGroup>{found}{items}</ItemGroup></Project>'


OLD = """\ufeff<?xml version="1.0" encoding="utf-8"?>
<Project xmlns="http://schemas.microsoft.com/developer/msbuild/2003">
  <ItemGroup><ProjectReference Include="..\\a\\a.csproj"><Name>a</Name></ProjectReference></ItemGroup>
</Project>"""
A = "namespace N; class A {}"
USES_A = "namespace N; class X { A a; }"
PROJECTS = [
    # only what is referenced is seen, directly or through others
    ({"a/a.csproj": project(), "x/x.csproj": project()}, ""),
    ({"a/a.csproj": project(), "x/x.csproj": project("..\\a\\a.csproj")}, "a/A.cs"),
    (
        {"a/a.csproj": project(), "m/m.csproj": project("../a/a.csproj"), "x/x.csproj": project("../m/m.csproj")},
        "a/A.cs",
    ),
    ({"a/a.csproj": project(), "x/x.csproj": project("..\\missing\\a.csproj")}, ""),
    ({"a/a.csproj": project(), "x/x.csproj": project(items='<Compile Include="..\\a\\A.cs" />')}, "a/A.cs"),
    # the formats of before the SDK; what only MSBuild could say; broken files; no projects
    ({"a/a.csproj": project(), "x/x.csproj": OLD}, "a/A.cs"),
    ({"a/a.csproj": project(), "x/x.csproj": project("$(Root)\\a.csproj")}, "a/A.cs"),
    ({"a/a.csproj": "<", "x/x.csproj": "<!DOCTYPE x>"}, ""),
    ({"x/x.csproj": project()}, "a/A.cs"),
    ({}, "a/A.cs"),
]


@pytest.mark.parametrize(("configs", "imports"), PROJECTS)
def test_projects(configs: dict[str, str], imports: str) -> None:
    """A project is the nearest folder with a project file."""
    assert graph_of({"a/A.cs": A, "x/deep/X.cs": USES_A, **configs}).imports("x/deep/X.cs") == set(imports.split())


def test_the_own_project_first() -> None:
    """A type that a referenced project declares, too, is the own one."""
    files = {
        "a/a.csproj": project(),
        "x/x.csproj": project("../a/a.csproj"),
        "a/A.cs": A,
        "x/B.cs": A,
        "x/X.cs": USES_A,
    }
    assert graph_of(files).imports("x/X.cs") == {"x/B.cs"}


@pytest.mark.parametrize(
    ("files", "imports"),
    [
        ({"x/Usings.cs": "global using N;"}, "A.cs"),
        ({"x/Usings.cs": "global using static N.A;"}, ""),
        ({"x/Usings.cs": "global using Z = N.A;", "x/x.csproj": project()}, ""),
        ({"x/Usings.cs": "global using Z = N.A;", "x/X.cs": "class X { Z z; }"}, "A.cs"),
        ({"x/Usings.cs": "global using N;", "x/x.csproj": project()}, "A.cs"),
        ({"Usings.cs": "global using N;", "x/x.csproj": project()}, ""),
        ({"x/x.csproj": project(items='<Using Include="N" />')}, "A.cs"),
        ({"x/x.csproj": project(items='<Using Include="M; N" />')}, "A.cs"),
        ({"x/x.csproj": project(items='<Using Include="N.A" Alias="Z" />'), "x/X.cs": "class X { Z z; }"}, "A.cs"),
        ({"x/x.csproj": project(items='<Using Include="N.A" Static="true" />')}, ""),
        ({"x/x.csproj": project(), "Directory.Build.props": project(items='<Using Include="N" />')}, "A.cs"),
        ({"x/x.csproj": project(), "y/Directory.Build.props": project(items='<Using Include="N" />')}, ""),
        ({"Directory.Build.props": project(items='<Using Include="N" />')}, ""),
    ],
)
def test_global_usings(files: dict[str, str], imports: str) -> None:
    """They count in the whole project."""
    assert graph_of({"A.cs": A, "x/X.cs": "class X { A a; }", **files}).imports("x/X.cs") == set(imports.split())


def test_bindings() -> None:
    """Local names lead to names elsewhere."""
    text = "using N; using static N.Sub.B; using Y = N.Sub.C; class X { A a; P p; Y y; }"
    found = {(b.local, b.path, b.name) for b in graph_of({**FILES, "X.cs": text}).resolutions["X.cs"].bindings}
    assert found == {
        ("A", "A.cs", "A"),
        ("*", "B.cs", "*"),
        ("Y", "C.cs", "C"),
        ("P", "P1.cs", "P"),
        ("P", "P2.cs", "P"),
    }


@pytest.mark.parametrize(
    "files",
    [
        {"x/Usings.cs": "global using static N.A;", "x/x.csproj": project()},
        {"x/x.csproj": project(items='<Using Include="N.A" Static="true" />')},
        {"x/x.csproj": project(), "Directory.Build.props": project(items='<Using Include="N.A" Static="True" />')},
    ],
)
def test_members_that_are_visible_everywhere(files: dict[str, str]) -> None:
    """What a global using takes out of a type is in scope in every file of the project, and used by none for that."""
    graph = graph_of({"A.cs": A, "x/X.cs": "class X { int i = f(); }", "y/Y.cs": "class Y {}", **files})
    assert [(b.local, b.path, b.name) for b in graph.resolutions["x/X.cs"].bindings] == [("*", "A.cs", "*")]
    assert graph.imports("x/X.cs") == frozenset()
    assert graph.resolutions["y/Y.cs"].bindings == ()


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000,
        "class A {" * 300,
        "using A." * 50,
        "namespace N {" * 50,
        "\n#else\n#endif\n#if {(",
        "\x00using \udcff;",
    ],
)
def test_broken_text(text: str) -> None:
    """An outline, whatever the text."""
    graph_of({"A.cs": text})
    outline = outline_of(text)
    assert isinstance(render(text, outline, shown=range(len(outline.definitions))), str)


PATHS = ["a/a.csproj", "x/x.csproj", "Directory.Build.props", "a/A.cs", "x/X.cs", "Usings.cs"]
TEXTS = {
    ".csproj": [project(), project("../a/a.csproj"), "<"],
    ".Build.props": [project(items='<Using Include="N" />'), project(items='<Using Include="N.A" Static="true" />')],
    ".cs": [
        A,
        USES_A,
        "global using N;",
        "class X { A a; N.A b; }",
        "namespace N { partial class X {} } namespace M {}",
    ],
}
CHANGES = st.lists(
    st.sampled_from(PATHS).flatmap(
        lambda path: st.tuples(st.just(path), st.sampled_from([*TEXTS[path[path.index(".") :]], None]))
    ),
    max_size=8,
)


@given(changes=CHANGES)
def test_incremental_equals_fresh(changes: list[tuple[str, str | None]]) -> None:
    """After every change the graph is that of the files there are."""
    graph, files = ImportGraph(), dict[str, str]()
    for path, text in changes:
        files.pop(path, None)
        if text is not None:
            files[path] = text
        update(graph, {path: text})
        assert graph.resolutions == graph_of(files).resolutions
