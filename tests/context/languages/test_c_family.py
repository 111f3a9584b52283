"""C and C++: outlines, skeletons, and from includes to files as a compiler looks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
import tree_sitter_c
import tree_sitter_cpp
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from repofill.context.forms import render
from repofill.context.graph import ImportGraph
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

GRAMMARS = {"c": Language(tree_sitter_c.language()), "cpp": Language(tree_sitter_cpp.language())}


def outline_of(path: str, text: str) -> Outline:
    outline = parse(path, text)
    assert outline is not None
    return outline


def graph_of(files: Mapping[str, str]) -> ImportGraph:
    graph = ImportGraph()
    update(graph, files)
    return graph


def update(graph: ImportGraph, files: Mapping[str, str | None]) -> None:
    graph.update(
        {
            p: None if t is None else pack(outline_of(p, t).interface)
            for p, t in files.items()
            if not p.endswith(".json")
        },
        {p: t for p, t in files.items() if p.endswith(".json")},
    )


OUTLINES = [
    ("a.c", "", ""),
    ("a.c", "int f(void) { int x; struct S { int y; } s; return 0; }\nint *g(int);", "f g"),
    ("a.c", "int x = 1; char *y[3]; int (*p)(int); extern int z;", "x y p z"),
    ("a.c", "void (*handler(int n))(int);", "handler"),
    ("a.c", "#define A 1\n#define B\n#define F(x) ((x) + 1)", "A F"),
    ("a.c", "struct S { int a; char *b; int (*f)(int); union { int c; }; };", "S S.a S.b S.f S S.c"),
    ("a.c", "typedef struct tag { int a; } T; typedef int N; typedef int (*F)(int);", "T T.a N F"),
    ("a.c", "enum E { A, B = 2 }; enum { C };", "E E.A E.B  C"),
    ("a.c", "#ifdef X\nint f(int a);\n#else\nint g(void) { return 1; }\n#endif", "f g"),
    (
        "a.cc",
        "namespace a::b { namespace { int x; } class C { void m(); int y; }; }",
        "a.b a.b a.b.x a.b.C a.b.C.m a.b.C.y",
    ),
    (
        "a.cc",
        "void A::B::f() {}\nA::A() : x(1) {}\nA::~A() {}\nA::operator int() { return 1; }",
        "A.B.f A.A A.~A A.operator int",
    ),
    ("a.cc", "template <class T> struct S { T t; S(); bool operator==(S o) const; };", "S S.t S.S S.operator=="),
    ("a.cc", "using V = int; template <class T> T f(T t) { return t; }", "V f"),
    ("a.h", 'extern "C" {\nint f(void);\n}', " f"),
    ("a.h", '#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n#ifdef __cplusplus\n}\n#endif', "f"),
    # what no grammar can read
    ("a.c", "LIB_API int LIB_CALL f(int a);\nLIB_API void (g)(int a);\nZEXTERN int ZEXPORT h OF((int a));", "f g h"),
    ("a.c", "static FORCE_INLINE int f(int a) { return a; }\nl_inline Type g(int a) { return a; }", "f g"),
    (
        "a.c",
        "void f(int a) {\n#ifdef X\n  if (a) {\n#else\n  if (!a) {\n#endif\n  }\n}\nint g(void) { return 0; }",
        "f g",
    ),
    ("a.c", 'int t[] = {\n#include "t.h"\n};\nenum E {\n#include "e.h"\n  A\n};', "t E E.A"),
    ("a.c", "#define M(x) do { /* one */ \\\n  f(x); \\\n} while (0)\nint g;", "M g"),
    ("a.c", "// The union\nstruct S { int a; };\nenum E {\n  // (or so)\n  A_B = 0\n};", "S S.a E E.A_B"),
    (
        "a.cc",
        "class LIB_API C final : public B {\n  Mutex m GUARDED_BY(x);\n  Q_OBJECT\n public:\n  void f() NOTHROW;\n};",
        "C C.m C.f",
    ),
    ("a.cc", "LIB_BEGIN_NAMESPACE\n// about\nclass C { int x; };", "C C.x"),
    ("a.c", "int f(void) { return", None),
]


@pytest.mark.parametrize(("path", "text", "definitions"), OUTLINES)
def test_outline(path: str, text: str, definitions: str | None) -> None:
    """Definitions by their dotted names."""
    outline = outline_of(path, text)
    if definitions is not None:
        names = [definition.qualified for definition in outline.definitions]
        assert " ".join(names).split() == definitions.split()


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("a.c", "int class;", "c"),
        ("a.cc", "int x;", "cpp"),
        ("a.h", "int class_;\nstruct S { int new; };", "c"),
        ("a.h", "#include <string.h>\nint f(void);", "c"),
        ("a.h", "#include <vector>", "cpp"),
        ("a.h", "namespace a {}", "cpp"),
        ("a.h", "class A;\n", "cpp"),
        ("a.h", "template <class T> T f();", "cpp"),
    ],
)
def test_language_of_a_header(path: str, text: str, language: str) -> None:
    """C++ is what says so."""
    assert outline_of(path, text).interface.language == language


SKELETONS = [
    ("a.c", "/* Adds. */\nint add(int a, int b)\n{\n    return a + b;\n}\n", "// Adds.\nint add(int a, int b)\n{}\n"),
    ("a.c", "int add(int a);\nint x = 1;\n", "int add(int a);\nint x = 1;\n"),
    ("a.c", "int x[] = {\n1,\n2,\n3\n};\n", "int x[] = {};\n"),
    ("a.c", "typedef struct S { int a; char *b; } S;\n", "typedef struct S { int a; char *b; } S;\n"),
    ("a.c", "enum E { A, B = 2 };\n", "enum E { A, B = 2 };\n"),
    ("a.c", "typedef struct S {\n  int a;\n  char *b;\n} S;\n", "typedef struct S {\n  int a;\n  char *b;\n} S;\n"),
    ("a.c", "enum E {\n    A, B = 2\n};\n", "enum E {\n    A,\n    B = 2\n};\n"),
    ("a.c", "#define A 1\n#define F(x) (x)\n", "#define A 1\n#define F(x) (x)\n"),
    ("a.c", "#define A \\\n  a \\\n  b \\\n  c\nint y;\n", "#define A {}\nint y;\n"),
    ("a.c", "#define F(x) \\\n  a \\\n  b \\\n  c\nint y;\n", "#define F(x)\nint y;\n"),
    ("a.c", "#define A 1 \\\n  + 2 \\\n\nint y;\n", "#define A 1 \\\n  + 2\nint y;\n"),
    ("a.c", "int x[] = // why\n{\n1,\n2\n};\n", "int x[] = {};\n"),
    (
        "a.cc",
        "namespace n {\ntemplate <class T>\nclass C : B {\n  C() : x(1) { f(); }\n  int x;\n};\n}\n",
        "namespace n {\n    template <class T>\n    class C : B {\n      C() : x(1) {}\n      int x;\n    };\n}\n",
    ),
    ("a.cc", "enum class E : int { A };\nusing V = int;\nauto f() -> int { return 1; }\n", None),
    (
        "a.cc",
        'extern "C" {\nint f();\n}\nextern "C" int g();\n',
        'extern "C" {\n    int f();\n}\nextern "C" int g();\n',
    ),
]


@pytest.mark.parametrize(("path", "text", "expected"), SKELETONS)
def test_skeleton(path: str, text: str, expected: str | None) -> None:
    """Valid code without the bodies."""
    outline = outline_of(path, text)
    assert not outline.has_error
    form = render(text, outline, shown=range(len(outline.definitions)))
    assert not Parser(GRAMMARS[outline.interface.language]).parse(form.encode()).root_node.has_error, form
    assert expected is None or form == expected


def database(root: str, *commands: tuple[str, str, str]) -> str:
    return json.dumps([{"directory": f"{root}/{d}", "file": f, "command": f"cc {o} -c {f}"} for d, f, o in commands])


RESOLUTIONS = [
    # quotes: beside the file first; angle brackets: never the system's headers
    ("a.h src/a.h src/x.c", "src/x.c", '#include "a.h"', "src/a.h"),
    ("a.h src/b/x.c", "src/b/x.c", '#include "../../a.h"', "a.h"),
    ("include/p/a.h src/x.c", "src/x.c", '#include <p/a.h>\n# include "p/a.h"', "include/p/a.h"),
    ("compat/string.h x.c", "x.c", "#include <string.h>\n#include <vector>", ""),
    ("compat/string.h x.c", "x.c", '#include "string.h"', "compat/string.h"),
    # but for those that the project has itself, in a folder `include` around the file
    ("include/linux/a.h kernel/x.c", "kernel/x.c", "#include <linux/a.h>", "include/linux/a.h"),
    ("include/stdio.h a/include/stdio.h a/b/x.c", "a/b/x.c", "#include <stdio.h>", "a/include/stdio.h"),
    ("other/include/linux/a.h kernel/x.c", "kernel/x.c", "#include <linux/a.h>", ""),
    ("src/sds.h deps/sds.h src/x.c", "src/x.c", "#include <sds.h>", "deps/sds.h"),
    ("src/sds.h src/x.c", "src/x.c", "#include <sds.h>", "src/sds.h"),
    # the nearest of several; a usual root
    ("p/inc/a.h q/inc/a.h q/src/x.c", "q/src/x.c", '#include "a.h"', "q/inc/a.h"),
    ("aaa/a.h include/a.h t/x.c", "t/x.c", '#include "a.h"', "include/a.h"),
    ("b.h x.c", "x.c", '// #include "b.h"\n/*\n#include "b.h"\n*/\n#include MACRO\n#include "gone.h"', ""),
    ("b.h x.c", "x.c", '#if 0\n#include "b.h"\n#endif\n#include "x.c"', "b.h"),
]


@pytest.mark.parametrize(("tree", "path", "text", "imports"), RESOLUTIONS)
def test_resolution(tree: str, path: str, text: str, imports: str) -> None:
    """Without a compilation database."""
    graph = graph_of({name: text if name == path else "" for name in tree.split()})
    assert graph.imports(path) == set(imports.split())


TREE = {"one/a.h": "", "two/a.h": "", "sys/string.h": "", "src/x.c": '#include "a.h"', "lib/y.c": "#include <a.h>"}


@pytest.mark.parametrize(
    ("commands", "imports"),
    [
        ([("", "src/x.c", "-I two")], "two/a.h"),
        ([("build", "../src/x.c", "-I../two -I../one")], "two/a.h"),
        ([("", "src/x.c", "-Ione -iquote two")], "two/a.h"),
        ([("", "src/x.c", "-isystem two -I one")], "one/a.h"),
        # the nearest file's own paths, then those of all
        ([("", "lib/y.c", "-Ione"), ("", "src/x.c", "-Itwo")], "two/a.h"),
        ([("", "lib/y.c", "-Itwo")], "two/a.h"),
        ([("", "src/x.c", "-I/usr/include -I'two")], "one/a.h"),
    ],
)
def test_compilation_database(commands: list[tuple[str, str, str]], imports: str) -> None:
    """Include paths of the project, wherever it stood when it was compiled."""
    files = {**TREE, "build/compile_commands.json": database("/home/me/p", *commands)}
    assert graph_of(files).imports("src/x.c") == {imports}


def test_arguments_of_a_compilation_database() -> None:
    """As a list."""
    entry = {"directory": "/p", "file": "/p/src/x.c", "arguments": ["cc", "-I", "/p/two", "/p/src/x.c"]}
    assert graph_of({**TREE, "compile_commands.json": json.dumps([entry])}).imports("src/x.c") == {"two/a.h"}


@pytest.mark.parametrize("broken", ["", "{", "[1]", "{}", '[{"file": 1}]', "[" * 100_000, "1", "null"])
def test_broken_compilation_database(broken: str) -> None:
    """Counts as absent."""
    assert graph_of({**TREE, "compile_commands.json": broken}).imports("src/x.c") == {"one/a.h"}


def test_bindings() -> None:
    """All names of the headers, in the order of the statements."""
    files = {"x.c": '#include "b.h"\n#include "a.h"', "a.h": '#include "c.h"', "b.h": "", "c.h": ""}
    resolution = graph_of(files).resolutions["x.c"]
    assert [(b.local, b.path, b.name) for b in resolution.bindings] == [("*", f"{n}.h", "*") for n in "ba"]
    assert resolution.imports == {"a.h", "b.h"}


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000,
        "struct S {" * 300,
        "#if X\n" * 500,
        "#endif\n#else\n",
        "A_MACRO(" * 500,
        "#define X \\\n" * 500,
        "\udcff\x00",
        "class " * 1000,
        "A B " * 2000,
        "template <" * 300,
        "::" * 2000,
        '#include\n#include <\n#include "',
        "/*",
        '"',
    ],
)
@pytest.mark.parametrize("path", ["a.c", "a.cc", "a.h"])
def test_broken_text(path: str, text: str) -> None:
    """An outline, whatever the text."""
    graph_of({path: text})
    outline = outline_of(path, text)
    assert isinstance(render(text, outline, shown=range(len(outline.definitions))), str)


PATHS = ["compile_commands.json", "a.h", "i/a.h", "src/b.h", "src/x.c"]
TEXTS = {
    ".json": [database("/p", ("", "src/x.c", "-Ii")), database("/p", ("src", "x.c", "-I..")), "["],
    ".c": ['#include "a.h"', "#include <a.h>", '#include "b.h"\nint x;', ""],
    ".h": ['#include "a.h"', '#include "b.h"', "int f(void);"],
}
CHANGES = st.lists(
    st.sampled_from(PATHS).flatmap(
        lambda path: st.tuples(st.just(path), st.sampled_from([*TEXTS["." + path.rpartition(".")[2]], None]))
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
