"""PHP: outlines, skeletons, and from names to files as Composer's autoloader finds them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
import tree_sitter_php
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from repofill.context.forms import render
from repofill.context.graph import ImportGraph
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

CODE = Language(tree_sitter_php.language_php_only())


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
        {p: None if t is None else pack(outline_of(p, t).interface) for p, t in files.items() if p.endswith(".php")},
        {p: t for p, t in files.items() if p.endswith(".json")},
    )


OUTLINES = [
    ("", "", ""),
    ("<html><?php echo 1 ?></html>", "", ""),
    ("<?php namespace A\\B; function f() { function g() {} }", "A\\B", "f"),
    ("<?php class A { const X = 1; private ?B $b = null; function f() { $x = 1; } }", "\\", "A A.X A.b A.f"),
    (
        "<?php interface I { function f(); } trait T { public $x; } enum E: int { case A = 1; const B = 2; }",
        "\\",
        "I I.f T T.x E E.A E.B",
    ),
    ("<?php const X = 1; define('Y', 2); define(name(), 3); $z = 4; other('W', 5);", "\\", "X Y $z"),
    ("<?php if (!function_exists('f')) { function f() {} }", "\\", "f"),
    ("<?php namespace A { class B {} } namespace C { class D {} }", "A C", "B D"),
    # what is in a class without a name is nobody else's
    ("<?php return new class extends M { function up() {} };\nf(new class { public $x; function g() {} });", "\\", ""),
    ("<?php class A { function __construct(private int $x) {} } class {", "\\", "A A.__construct"),
]


@pytest.mark.parametrize(("text", "scope", "definitions"), OUTLINES)
def test_outline(text: str, scope: str, definitions: str) -> None:
    """The namespace, and definitions by their dotted names."""
    outline = outline_of("a.php", text)
    assert outline.interface.scope == (scope or "\\")
    assert [definition.qualified for definition in outline.definitions] == definitions.split()


IMPORTS = [
    ("use A\\B;", [("A", "B", "B", "class")]),
    ("use \\A\\B as C, D;", [("A", "B", "C", "class"), ("\\", "D", "D", "class")]),
    (
        "use A\\{B, C\\D as E, function f, const X};",
        [("A", "B", "B", "class"), ("A\\C", "D", "E", "class"), ("A", "f", "f", "function"), ("A", "X", "X", "const")],
    ),
    ("use function A\\{f, g};", [("A", "f", "f", "function"), ("A", "g", "g", "function")]),
    ("use const A\\X;", [("A", "X", "X", "const")]),
    ("class A { use T; } $f = function () use ($x) {};", []),
    ("use ; use A\\{; use B\\C", None),
]


@pytest.mark.parametrize(("text", "expected"), IMPORTS)
def test_use(text: str, expected: list[tuple[str, str, str, str]] | None) -> None:
    """Every form of `use`, as (namespace, name, local name, kind)."""
    imports = outline_of("a.php", f"<?php {text}").interface.imports
    if expected is not None:
        assert [(i.module, *i.names, *i.bound, i.kind) for i in imports] == expected


SKELETONS = [
    ("function f(int $a): A { return $a; }", "function f(int $a): A {}\n"),
    (
        "/**\n * Says it.\n * @param x\n */\n#[Attr]\nfunction f()\n{\n    return 1;\n}\n",
        "// Says it.\n#[Attr]\nfunction f()\n{}\n",
    ),
    (
        "abstract class A extends B implements C\n{\n    use T;\n    const X = [\n        1,\n        2,\n    ];\n"
        "    /** Does. */\n    public function f(): void\n    {\n        x();\n    }\n    abstract function g();\n}\n",
        "abstract class A extends B implements C\n{\n    const X = null;\n"
        "    // Does.\n    public function f(): void\n    {}\n    abstract function g();\n}\n",
    ),
    ("class A {}", "class A {}\n"),
    (
        "enum E: string { case A = 'a'; public function f() { return 1; } }",
        "enum E: string {\n    case A = 'a';\n    public function f() {}\n}\n",
    ),
    ("$x = [\n1,\n2,\n3];\ndefine('A', 1);", "$x = null;\ndefine('A', 1);\n"),
    ("namespace A { interface B { function f(); } }", "interface B { function f(); }\n"),
    ("namespace A { interface B {\n    function f(); } }", "interface B {\n    function f();\n}\n"),
    ("class A { public int $x = 1, $y = 2; const B = 1, C = 2; }", None),
    (
        "$x = // why\n[\n1,\n2];\nclass A {\n    const B = # why\n[\n1,\n2];\n}",
        "$x = null;\nclass A {\n    const B = null;\n}\n",
    ),
    ("class A { function f($x = [1], ?B ...$y) { return fn() => 1; } static $z = <<<E\n1\n2\n3\nE; }", None),
    ("if (X) {\n    class A {\n        function f() {}\n    }\n} else {\n    class A {}\n}", None),
]


@pytest.mark.parametrize(("text", "expected"), SKELETONS)
def test_skeleton(text: str, expected: str | None) -> None:
    """Valid PHP, without the opening tag."""
    whole = f"<?php\n{text}"
    outline = outline_of("a.php", whole)
    assert not outline.has_error
    form = render(whole, outline, shown=range(len(outline.definitions)))
    assert not Parser(CODE).parse(form.encode()).root_node.has_error, form
    assert expected is None or form == expected


COMPOSER = json.dumps(
    {
        "autoload": {"psr-4": {"App\\": "src/", "App\\Lib\\": ["lib", "more/"]}},
        "autoload-dev": {"psr-4": {"App\\Tests\\": "tests/"}},
    }
)
APP = {
    "composer.json": COMPOSER,
    "src/A.php": "<?php namespace App; class A {}",
    "src/Sub/B.php": "<?php namespace App\\Sub; class B {}",
    "src/Sub/C.php": "<?php namespace App\\Sub; class C {}",
    "lib/L.php": "<?php namespace App\\Lib; class L {}",
    "more/M.php": "<?php namespace App\\Lib; class M {}",
    "src/functions.php": "<?php namespace App; function f() {} const X = 1;",
    "helpers.php": "<?php function helper() {} class Plain {}",
    "tests/Base.php": "<?php namespace App\\Tests; class Base {}",
    "copy/src/A.php": "<?php namespace Other; class A {}",
}
RESOLUTIONS = [
    # use, wherever it leads
    ("x.php", "use App\\A;", "src/A.php"),
    ("x.php", "use App\\{A as Z, Sub\\B};", "src/A.php src/Sub/B.php"),
    ("x.php", "use App\\Lib\\L, App\\Lib\\M, App\\Tests\\Base;", "lib/L.php more/M.php tests/Base.php"),
    ("x.php", "use function App\\f; f();", "src/functions.php"),
    ("x.php", "use const App\\X;", "src/functions.php"),
    ("x.php", "use Psr\\Log\\LoggerInterface; use App\\Missing; use App\\Sub;", ""),
    # names without one
    ("src/Sub/X.php", "namespace App\\Sub; class X extends B implements C {}", "src/Sub/B.php src/Sub/C.php"),
    ("src/Sub/X.php", "namespace App\\Sub; new A; new \\App\\A;", "src/A.php"),
    ("src/X.php", "namespace App; function g(Sub\\B $b): A {}", "src/Sub/B.php src/A.php"),
    ("src/X.php", "namespace App; use App\\Sub as S; S\\B::f(); namespace\\Sub\\C::g();", "src/Sub/B.php"),
    (
        "src/X.php",
        "namespace App; try { f(); } catch (A | Lib\\L $e) { $e instanceof Sub\\C; }",
        "src/functions.php src/A.php lib/L.php src/Sub/C.php",
    ),
    (
        "src/X.php",
        "namespace App; #[A] class X { use Sub\\B; public ?Lib\\L $l; const Y = Sub\\C::class; }",
        "src/A.php src/Sub/B.php lib/L.php src/Sub/C.php",
    ),
    ("x.php", "namespace Other { class Z {} } namespace App { new A; new Sub\\C; }", "copy/src/A.php src/Sub/C.php"),
    # an alias hides the namespace's own name
    ("src/Sub/X.php", "namespace App\\Sub; use App\\A as B; new B;", "src/A.php"),
    # a function falls back to the global one, a class does not
    ("src/X.php", "namespace App; helper(); strlen('x'); new Plain;", "helpers.php"),
    ("x.php", "new Plain; helper(); new A;", "helpers.php"),
    # what is only said
    ("src/Sub/X.php", "namespace App\\Sub; // B\n$x = 'B'; $y->B(); $z = B;", ""),
    # include
    (
        "src/X.php",
        "require __DIR__ . '/A.php'; include_once(dirname(__FILE__) . '/Sub/B.php');",
        "src/A.php src/Sub/B.php",
    ),
    (
        "src/Sub/X.php",
        "require dirname(__DIR__) . '/A.php'; require dirname(__DIR__, 2) . '/lib/L.php';",
        "src/A.php lib/L.php",
    ),
    (
        "src/Sub/X.php",
        "require __DIR__ . '/../../helpers.php'; require \"{$root}/more/M.php\";",
        "helpers.php more/M.php",
    ),
    (
        "src/X.php",
        "include 'A.php'; include 'helpers.php'; include './Sub/B.php';",
        "src/A.php helpers.php src/Sub/B.php",
    ),
    ("src/X.php", "require ROOT . '/lib/L.php'; require ROOT . 'src/A.php'; require $x; require __DIR__;", "lib/L.php"),
]


@pytest.mark.parametrize(("path", "text", "imports"), RESOLUTIONS)
def test_resolution(path: str, text: str, imports: str) -> None:
    """The files that a file uses."""
    graph = graph_of({**APP, path: f"<?php {text}"})
    assert sorted(graph.imports(path)) == sorted(imports.split())


def test_bindings() -> None:
    """Local names lead to names elsewhere."""
    text = "<?php namespace App; use App\\Sub\\B as Z; use function App\\f as g; new A; include 'helpers.php';"
    found = {(b.local, b.path, b.name) for b in graph_of({**APP, "src/X.php": text}).resolutions["src/X.php"].bindings}
    assert found == {
        ("Z", "src/Sub/B.php", "B"),
        ("g", "src/functions.php", "f"),
        ("A", "src/A.php", "A"),
        ("*", "helpers.php", "*"),
    }


COMPOSERS = [
    ("composer.json", '{"autoload": {"psr-4": {"P\\\\": ""}}}', "Q/R.php", "P\\Q\\R"),
    ("composer.json", '{"autoload": {"psr-4": {"": "src"}}}', "src/Q/R.php", "Q\\R"),
    ("composer.json", '{"autoload": {"psr-0": {"P_": "src/"}}}', "src/P/Q/R.php", "P_Q_R"),
    ("composer.json", '{"autoload": {"psr-0": {"P\\\\": "src/"}}}', "src/P/Q_Q/R/S.php", "P\\Q_Q\\R_S"),
    ("packages/p/composer.json", '{"autoload": {"psr-4": {"P\\\\": "src"}}}', "packages/p/src/R.php", "P\\R"),
]


@pytest.mark.parametrize(("config", "text", "path", "name"), COMPOSERS)
def test_autoload_rules(config: str, text: str, path: str, name: str) -> None:
    """Whatever the file declares, it is where the rules put the class; without them, or with broken ones, nowhere."""
    files = {path: "<?php", "x.php": f"<?php new \\{name};"}
    assert graph_of({**files, config: text}).imports("x.php") == {path}
    for broken in ("", "{", "[1]", '{"autoload": 1}', '{"autoload": {"psr-4": {"P\\\\": {"a": 1}}}}'):
        assert not graph_of({**files, config: broken}).imports("x.php")


def test_the_nearest_of_several_definitions() -> None:
    """Where no rule says which."""
    one = "<?php namespace N; class A {}"
    graph = graph_of({"a/A.php": one, "b/c/A.php": one, "b/c/x.php": "<?php new N\\A;", "a/y.php": "<?php new N\\A;"})
    assert graph.imports("b/c/x.php") == {"b/c/A.php"}
    assert graph.imports("a/y.php") == {"a/A.php"}


@pytest.mark.parametrize(
    "text",
    [
        "<?php " + "(" * 3000,
        "<?php class A {" * 300,
        "<?php use A\\{" * 50,
        "\x00<?php new \udcff;",
        "<?php require",
        "<?php class A { function f() { x(); \n\n",
    ],
)
def test_broken_text(text: str) -> None:
    """An outline with its places in order, whatever the text."""
    graph_of({"a.php": text})
    outline = outline_of("a.php", text)
    assert isinstance(render(text, outline, shown=range(len(outline.definitions))), str)
    for d in outline.definitions:
        assert d.start <= d.signature <= d.body_start <= d.body_end <= d.end


PATHS = ["composer.json", "src/A.php", "lib/A.php", "x.php"]
TEXTS = {
    "composer.json": ['{"autoload": {"psr-4": {"N\\\\": "src"}}}', '{"autoload": {"psr-4": {"N\\\\": "lib"}}}', "{"],
    ".php": [
        "<?php namespace N; class A {}",
        "<?php class A {}",
        "<?php new N\\A;",
        "<?php namespace N; new A; require 'lib/A.php';",
    ],
}
CHANGES = st.lists(
    st.sampled_from(PATHS).flatmap(
        lambda path: st.tuples(st.just(path), st.sampled_from([*TEXTS.get(path, TEXTS[".php"]), None]))
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
