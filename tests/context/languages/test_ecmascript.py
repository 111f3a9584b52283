"""JavaScript and TypeScript: outlines, skeletons, and from imports to files by the rules of TypeScript and Node.js."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import tree_sitter_javascript
import tree_sitter_typescript
from hypothesis import example, given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from repofill.context.forms import render
from repofill.context.graph import ImportGraph
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

GRAMMARS = {
    "js": Language(tree_sitter_javascript.language()),
    "ts": Language(tree_sitter_typescript.language_typescript()),
    "tsx": Language(tree_sitter_typescript.language_tsx()),
}


def outline_of(path: str, text: str) -> Outline:
    outline = parse(path, text)
    assert outline is not None
    return outline


def is_config(path: str) -> bool:
    return path.endswith((".json", ".yaml"))


def update(graph: ImportGraph, files: Mapping[str, str | None]) -> None:
    graph.update(
        {p: None if t is None else pack(outline_of(p, t).interface) for p, t in files.items() if not is_config(p)},
        {p: t for p, t in files.items() if is_config(p)},
    )


def graph_of(files: Mapping[str, str]) -> ImportGraph:
    graph = ImportGraph()
    update(graph, files)
    return graph


def check(files: Mapping[str, str], path: str, imports: str, origins: str = "") -> None:
    """What `path` imports, and where names that are only passed on to it come from; both separated by spaces."""
    graph = graph_of(files)
    assert sorted(graph.imports(path)) == sorted(imports.split())
    assert sorted(graph.dependencies(path)) == sorted({*imports.split(), *origins.split()})


IMPORTS = [
    ("import 'm'", "import m"),
    ("import d from 'm'", "import m default=d"),
    ('import { a, b as c, default as e, "x-y" as f } from "m"', "import m a=a b=c default=e x-y=f"),
    ("import type { T } from 'm'", "import m T=T"),
    ("import * as n from 'm'", "import m =n"),
    ("import d, * as n from 'm'", "import m =n; import m default=d"),
    ("export * from 'm'", "export m *"),
    ("export * as n from 'm'", "export m =n"),
    ("export { a, b as c } from 'm'", "export m a=a b=c"),
    ("export { a, b as c }", "local  a=a b=c"),
    ("export default a", "local  a=default"),
    ("export default function f() {}", "local  f=default"),
    ("import('m')", "require m"),
    ("const n = await import(`m`)", "require m =n"),
    ("const { a, b: c } = await import('m')", "require m a=a b=c"),
    ("import(`m${x}`); import(m); require(m); require(); require('a' + b)", ""),
    ("const n = require('m')", "require m =n"),
    ("const { a, b: c, ...d } = require('m')", "require m a=a b=c"),
    ("const n = require('m').a", "require m a=n"),
    ("function f() { if (x) { return () => { g(require('m')) } } }", "require m"),
    ("module.exports = require('m')", "export m *"),
    ("module.exports = require('m').a", "export m a=export="),
    ("exports.x = require('m')", "export m =x"),
    ("module.exports.x = require('m').a", "export m a=x"),
    ("module.exports = f", "local  f=export="),
    ("module.exports = class C {}", "local  C=export="),
    ("module.exports = { a, b: c, d: 1, e() {} }", "local  a=a c=b"),
    ("exports.a = b; module.exports.c = d", "local  b=a; local  d=c"),
    ("/** @type {import('m').T} */ let x", "import m T=T"),
    ("/** @import { T } from 'm' */", "import m"),
    ("// import 'm'\nx = \"import 'm'\"", ""),
]
TYPESCRIPT_IMPORTS = [
    ("import n = require('m')", "require m =n"),
    ("import d, { type T } from 'm'", "import m default=d T=T"),
    ("import A = N.B", ""),
    ("export = f", "local  f=export="),
    ("type T = import('m').U", "require m U=U"),
    ("declare module './m' { interface I { a: 1 } }", "import ./m"),
    ('/// <reference path="m.d.ts" />', "reference m.d.ts *"),
    ("export type { T } from 'm'", "export m T=T"),
]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [(path, *case) for case in IMPORTS for path in ("a.js", "a.ts")] + [("a.ts", *case) for case in TYPESCRIPT_IMPORTS],
)
def test_imports(path: str, text: str, expected: str) -> None:
    """Kind, module, and each name with what it is called on the other side."""
    found = []
    for made in outline_of(path, text).interface.imports:
        names = made.names or ("",) * len(made.bound)
        pairs = [f"{name}={bound}" for name, bound in zip(names, made.bound, strict=False)] or list(made.names)
        found.append(" ".join([made.kind, made.module, *pairs]))
    assert "; ".join(found) == expected


OUTLINES = [
    ("a.js", "", ""),
    ("a.js", "function f() { function g() {} } async function* h() {}", "f h"),
    (
        "a.js",
        "class A extends B { x = 1; static #y; f = () => {}; get z() {} constructor() {} }",
        "A A.x A.#y A.f A.z A.constructor",
    ),
    ("a.js", "const a = 1; let b; var c = 2, d = 3; const { e, f } = g", "a b c e"),
    ("a.js", "const f = () => {}, g = 1; export const h = async function () {}; const i = x => x", "f h i"),
    ("a.js", "const o = { f() {}, g: () => {}, h: 1 }; const p = { a: 1 }", "o o.f o.g o.h p"),
    ("a.js", "const C = class { f() {} }; const M = (B) => class extends B { g() {} }", "C C.f M M.g"),
    ("a.js", "A.prototype.f = function () {}; A.g = () => {}; exports.h = function () {}", "A.f A.g h"),
    ("a.js", "module.exports.a = 'b'; exports.c = d; A.prototype.f = g; a.b.c = 1", "a c A.f"),
    ("a.js", "class A { f() { if (x) { this.y = 1 } } }", "A A.f A.y"),
    ("a.js", "class A { f() { class B { g() { this.x = 1 } } this.y = 1 } }", "A A.f A.y"),
    ("a.js", "module.exports = { f() {}, a: 1 }; module.exports.g = () => {}", "exports exports.f exports.a g"),
    ("a.js", "export default class { f() {} }", "default default.f"),
    ("a.js", "export default { data() {}, name: 'x' }", "default default.data default.name"),
    ("a.js", "export default () => { return 1 }", "default"),
    ("a.js", "(function () { function f() {} })()", "f"),
    # what a call or a condition encloses is not of the top level, unless it declares a function
    ("a.js", "describe('x', () => { const a = 1; new (class { m() {} })() }); if (x) { function f() {} }", "f"),
    ("a.js", "const a = require('a'), b = 1; const { c } = require('c'); const d = require('d').e", ""),
    ("a.jsx", "export const A = memo(() => { return <div/> }); const B = () => <p/>", "A B"),
    ("a.ts", "interface I { a: number; f(): void; new (): I } type T = { b: 1 }; type U = 'x'", "I I.a I.f T T.b U"),
    ("a.ts", "enum E { A, B = 2, 'c' } declare const enum F { D }", "E E.A E.B E.'c' F F.D"),
    ("a.ts", "abstract class A { abstract f(): void; protected g?: string; declare h: 1 }", "A A.f A.g A.h"),
    ("a.ts", "namespace N.M { export function f() {} export const c = 1; const d = 2 }", "N.M N.M.f N.M.c N.M.d"),
    ("a.ts", "declare module 'x' { export function f(): void; const c: 1 }", "'x' 'x'.f 'x'.c"),
    (
        "a.ts",
        "function f(a: 1): void; function f(a: any) {} export declare function g(): void; declare const v: 1",
        "f f g v",
    ),
    ("a.ts", "@d() export class A { @e() f() {} }", "A A.f"),
    (
        "a.js",
        "class A { x = 1; constructor(y) { this.x = 2; this.y = y } f() { this.z = 3 } }",
        "A A.x A.constructor A.y A.f A.z",
    ),
    ("a.ts", "class A { constructor(private x: B, readonly y?: C, z: D) {} }", "A A.constructor A.x A.y"),
    ("a.ts", "type T = A & { a: 1; f(): void }; type U<V> = V extends W ? { b: 2 } : never", "T T.a T.f U U.b"),
    # what the grammar takes for an error
    (
        "a.ts",
        "interface I {\n  a: A\n  // so\n  <T extends B>(x: T): C\n  b: D\n  (y: E): F\n  c: G\n}",
        "I I.a I.b I.c",
    ),
    ("a.ts", "const f = <T>(x: T) => x; const x = <any>y", "f x"),
    ("a.tsx", "export default function App({ a }: P) { return <A b={a}/> }", "App"),
    # broken
    ("a.ts", "function f( { class A { x = ", ""),
    ("a.js", "class A { f() {", ""),
]


@pytest.mark.parametrize(("path", "text", "definitions"), OUTLINES)
def test_outline(path: str, text: str, definitions: str) -> None:
    """Dotted names in order of their places."""
    outline = outline_of(path, text)
    if not outline.has_error:
        assert " ".join(d.qualified for d in outline.definitions) == definitions


def test_how_type_parameters_vary() -> None:
    """Which the grammar takes for errors, in skeletons too."""
    outline = outline_of("a.ts", "interface I<in out A, out B = C> { a: A }\nconst b = 1")
    assert not outline.has_error
    assert [d.qualified for d in outline.definitions] == ["I", "I.a", "b"]


@pytest.mark.parametrize(
    ("text", "definitions"),
    [
        ("const a = 1;\nexport const b = 2;\nexport interface I extends A<{\n", "a b"),
        ("const a = f(x;\nexport const b = 2;\nfunction g() { const c = 1; return (c; }\n", "a b g"),
    ],
)
def test_what_is_whole_in_a_broken_file_counts(text: str, definitions: str) -> None:
    outline = outline_of("a.ts", text)
    assert outline.has_error
    assert " ".join(d.qualified for d in outline.definitions) == definitions


SKELETONS = [
    (
        "a.js",
        "/** Adds.\n * @param a */\nexport async function f(a) {\n  return 1\n}\n",
        "// Adds.\nexport async function f(a) {}\n",
    ),
    (
        "a.js",
        "class A extends B {\n  x = 1;\n  // Says.\n  f(a) { return 1 }\n  g = (b) => {\n    c()\n  };\n}\n",
        "class A extends B {\n  x = 1;\n  // Says.\n  f(a) {}\n  g = (b) => {};\n}\n",
    ),
    ("a.js", "const a = [\n  1,\n  2,\n  3,\n];\nconst b = 2;\n", "const a = null;\nconst b = 2;\n"),
    (
        "a.js",
        "const f = (a) => {\n  b()\n};\nconst g = (a) =>\n  h(\n    a\n  );\n",
        "const f = (a) => {};\nconst g = (a) => null;\n",
    ),
    (
        "a.js",
        "module.exports = {\n  a: 1,\n  f(x) { return x },\n  g: 2\n};\n",
        "module.exports = {\n  a: 1,\n  f(x) {},\n  g: 2\n};\n",
    ),
    ("a.js", "A.prototype.f = function (a) { return a };\n", "A.prototype.f = function (a) {};\n"),
    (
        "a.ts",
        "interface I {\n  a: A\n  <T>(x: T): C\n  b: D\n}\n",
        "interface I {\n  a: A\n  b: D\n}\n",
    ),
    (
        "a.js",
        "class A {\n  f(x) {\n    this.x = [\n      1,\n      2,\n    ];\n    g()\n  }\n}\n",
        "class A {\n  f(x) {\n    this.x = null\n  }\n}\n",
    ),
    ("a.ts", "enum E {\n  A = 1, B,\n  C,\n}\n", "enum E {\n  A = 1,\n  B,\n  C,\n}\n"),
    ("a.ts", "interface I<T> {\n  a: T;\n  f(x: T): void,\n}\n", "interface I<T> {\n  a: T;\n  f(x: T): void,\n}\n"),
    ("a.ts", "type U =\n  | 'a'\n  | 'b'\n  | 'c'\n  | 'd';\n", "type U =\n  | 'a'\n  | 'b'\n  | 'c'\n  | 'd';\n"),
    (
        "a.ts",
        "@d({ a: 1 })\nexport class A {\n  @e() x = 1;\n  constructor(private y: B) { z() }\n}\n",
        "@d({ a: 1 })\nexport class A {\n  @e() x = 1;\n  constructor(private y: B) {}\n}\n",
    ),
    (
        "a.ts",
        "namespace N {\n  export const c = 1;\n  export class C { f(): void { g() } }\n}\n",
        "namespace N {\n  export const c = 1;\n  export class C {\n      f(): void {}\n  }\n}\n",
    ),
    (
        "a.tsx",
        "export const Row = memo<P>(({ x }) => {\n  return <i>{x}</i>;\n});\n",
        "export const Row = memo<P>(({ x }) => {});\n",
    ),
    ("a.tsx", "const V = () => (\n  <div>\n    <p/>\n  </div>\n);\n", "const V = () => (null);\n"),
    ("a.js", "const f = (a) =>\n  // why\n  g(\n    a,\n  );\n", "const f = (a) => null;\n"),
    ("a.js", "class A {\n  x = // why\n    [\n1,\n2,\n];\n}\n", "class A {\n  x = null;\n}\n"),
    ("a.js", "function f() {\n  g()\n} // f\nlet x\n", "function f() {} // f\nlet x\n"),
    (
        "a.ts",
        "class A {\n  f() {\n    class B {\n      constructor(private x: C) {}\n    }\n  }\n}\n",
        "class A {\n  f() {}\n}\n",
    ),
]


@pytest.mark.parametrize(("path", "text", "skeleton"), SKELETONS)
def test_skeleton(path: str, text: str, skeleton: str) -> None:
    """Bodies left out, and still code of the language."""
    outline = outline_of(path, text)
    assert render(text, outline, shown=range(len(outline.definitions))) == skeleton
    parses(path, skeleton)


@pytest.mark.parametrize(("path", "text"), [case[:2] for case in OUTLINES])
def test_skeletons_parse(path: str, text: str) -> None:
    """Wherever the source does."""
    outline = outline_of(path, text)
    if not outline.has_error:
        parses(path, render(text, outline, shown=range(len(outline.definitions))))


def parses(path: str, text: str) -> None:
    grammar = GRAMMARS[path.rpartition(".")[2].replace("jsx", "js")]
    assert not Parser(grammar).parse(text.encode()).root_node.has_error, text


def tree(paths: str, **configs: str) -> dict[str, str]:
    """Files without text."""
    return dict.fromkeys(paths.split(), "")


RELATIVE = [
    # endings, in TypeScript's order; a written ending stands for that of the source
    ("a.ts b.ts", "./b", "b.ts"),
    ("a.ts b.ts b.js b/index.ts", "./b", "b.ts"),
    ("a.ts b.d.ts b.js", "./b", "b.d.ts"),
    ("a.ts b.jsx", "./b", "b.jsx"),
    ("a.ts b.ts", "./b.js", "b.ts"),
    ("a.ts b.tsx", "./b.js", "b.tsx"),
    ("a.ts b.tsx b.jsx", "./b.jsx", "b.tsx"),
    ("a.ts b.mts c.cts", "./b.mjs", "b.mts"),
    ("a.ts b.cts", "./b.cjs", "b.cts"),
    ("a.ts b.js", "./b.js", "b.js"),
    ("a.ts b.ts", "./b.ts", "b.ts"),
    ("a.ts b.service.ts", "./b.service", "b.service.ts"),
    ("a.ts b.ts", "./b?worker", "b.ts"),
    ("a.ts b.ts", "./c", ""),
    ("a.ts b.ts", "../b", ""),
    ("a.ts b.ts", "b", ""),
    ("a.ts b.ts", "/b", ""),
    # directories
    ("a.ts b/index.ts", "./b", "b/index.ts"),
    ("a.ts b.ts b/index.ts", "./b/", "b/index.ts"),
    ("a.ts b/c/d.js b/index.jsx", "./b/c/..", "b/index.jsx"),
    ("a.ts index.ts", ".", "index.ts"),
    ("a.ts index.ts", "./", "index.ts"),
]


@pytest.mark.parametrize(("paths", "name", "target"), RELATIVE)
def test_relative(paths: str, name: str, target: str) -> None:
    """As TypeScript reads a path without any configuration."""
    check({**dict.fromkeys(paths.split(), ""), "a.ts": f"import '{name}'"}, "a.ts", target)


CONFIGURED = [
    # paths and baseUrl
    ({"tsconfig.json": '{"compilerOptions": {"baseUrl": "src"}}'}, "src/b.ts", "b", "src/b.ts"),
    ({"jsconfig.json": '{"compilerOptions": {"baseUrl": "./src"}}'}, "src/b/index.js", "b", "src/b/index.js"),
    ({"tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}'}, "src/b.ts", "@/b", "src/b.ts"),
    ({"tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["src/*"]}}}'}, "src/b.ts", "@/b.js", "src/b.ts"),
    ({"tsconfig.json": '{"compilerOptions": {"paths": {"lib": ["x", "src/b"]}}}'}, "src/b.ts", "lib", "src/b.ts"),
    (
        {"tsconfig.json": '{"compilerOptions": {"baseUrl": "x", "paths": {"*": ["t/*"], "@a/*": ["../src/*"]}}}'},
        "src/b.ts x/t/@a/b.ts",
        "@a/b",
        "src/b.ts",
    ),
    ({"tsconfig.json": '{"compilerOptions": {"paths": {"d": ["d.json"]}}}'}, "d/index.ts x.ts", "d", ""),
    ({"tsconfig.json": '{"compilerOptions": {"baseUrl": "../..", "rootDirs": ["..", "."]}}'}, "b.ts", "b", ""),
    # comments, trailing commas, a byte order mark; what is broken counts as absent
    (
        {"tsconfig.json": '\ufeff{ // c\n "compilerOptions": { /* "x" */ "baseUrl": "src", }, "a": "//,}", }'},
        "src/b.ts",
        "b",
        "src/b.ts",
    ),
    ({"tsconfig.json": '{"compilerOptions": {"baseUrl": "src"'}, "src/b.ts", "b", ""),
    ({"tsconfig.json": '{"compilerOptions": ["baseUrl"], "references": true, "extends": {}}'}, "src/b.ts", "b", ""),
    # extends: a file, several, a package, itself
    (
        {
            "tsconfig.json": '{"extends": "./conf/tsconfig.base"}',
            "conf/tsconfig.base.json": '{"compilerOptions": {"baseUrl": "../src"}}',
        },
        "src/b.ts",
        "b",
        "src/b.ts",
    ),
    (
        {
            "tsconfig.json": '{"extends": ["./tsconfig.a.json", "./tsconfig.b.json"]}',
            "tsconfig.a.json": '{"compilerOptions": {"paths": {"b": ["x"]}}}',
            "tsconfig.b.json": '{"compilerOptions": {"paths": {"b": ["src/b"]}}}',
        },
        "src/b.ts x.ts",
        "b",
        "src/b.ts",
    ),
    (
        {
            "tsconfig.json": '{"extends": "@x/conf/tsconfig.base.json"}',
            "package.json": '{"workspaces": ["packages/*"]}',
            "packages/conf/package.json": '{"name": "@x/conf"}',
            "packages/conf/tsconfig.base.json": '{"compilerOptions": {"paths": {"b": ["${configDir}/src/b"]}}}',
        },
        "src/b.ts",
        "b",
        "src/b.ts",
    ),
    (
        {"tsconfig.json": '{"extends": "./tsconfig.json", "compilerOptions": {"baseUrl": "src"}}'},
        "src/b.ts",
        "b",
        "src/b.ts",
    ),
    # one that only refers to others
    (
        {
            "tsconfig.json": '{"files": [], "references": [{"path": "./tsconfig.app.json"}]}',
            "tsconfig.app.json": '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}',
        },
        "src/b.ts",
        "@/b",
        "src/b.ts",
    ),
    # rootDirs
    ({"tsconfig.json": '{"compilerOptions": {"rootDirs": [".", "gen"]}}'}, "gen/b.ts", "./b", "gen/b.ts"),
    # a package of its own name, by exports and imports
    ({"package.json": '{"name": "me", "exports": {"./b": "./src/b.js"}}'}, "src/b.ts", "me/b", "src/b.ts"),
    ({"package.json": '{"imports": {"#b": "./src/b.js", "#x/*": "./src/*.js"}}'}, "src/b.ts", "#x/b", "src/b.ts"),
    ({"package.json": '{"imports": {"#b": {"node": "./src/b.js"}}}'}, "src/b.ts", "#b", "src/b.ts"),
    ({"package.json": '{"imports": {"#b": "#b"}}'}, "src/b.ts", "#b", ""),
    # a directory's package.json
    ({"b/package.json": '{"main": "lib/x"}'}, "b/lib/x.js b/index.js", "./b", "b/lib/x.js"),
    ({"b/package.json": '{"main": "lib/x.js", "types": "t.d.ts"}'}, "b/lib/x.js b/t.d.ts", "./b", "b/t.d.ts"),
    ({"b/package.json": '{"main": "gone.js"}'}, "b/index.js", "./b", "b/index.js"),
    ({"b/package.json": '{"main": "."}'}, "b/index.js", "./b", "b/index.js"),
    # what a build would write
    ({"package.json": "{}"}, "src/b.ts", "./dist/b.js", "src/b.ts"),
    ({"package.json": "{}"}, "src/b/index.ts", "./lib/b", "src/b/index.ts"),
    ({"package.json": "{}"}, "src/b.ts", "./other/b.js", ""),
]


@pytest.mark.parametrize(("configs", "paths", "name", "target"), CONFIGURED)
def test_configured(configs: dict[str, str], paths: str, name: str, target: str) -> None:
    """As tsconfig.json and package.json of the project say."""
    check({**dict.fromkeys(paths.split(), ""), **configs, "a.ts": f"import '{name}'"}, "a.ts", target)


NPM = {"package.json": '{"workspaces": ["packages/*"]}', "packages/a/package.json": '{"name": "a"}'}
PACKAGES = [
    ('{"name": "b"}', "index.js", "b", "index.js"),
    ('{"name": "@s/b"}', "index.ts", "@s/b", "index.ts"),
    ('{"name": "b", "main": "lib/index.js"}', "src/index.ts", "b", "src/index.ts"),
    ('{"name": "b", "types": "dist/esm/x.d.ts"}', "src/x.tsx", "b", "src/x.tsx"),
    ('{"name": "b", "types": "dist/x.d.ts", "main": "src/x.js"}', "dist/x.d.ts src/x.js", "b", "dist/x.d.ts"),
    ('{"name": "b", "source": "src/x.ts", "main": "dist/x.js"}', "dist/x.js src/x.ts", "b", "src/x.ts"),
    ('{"name": "b"}', "lib/c.js", "b/lib/c", "lib/c.js"),
    ('{"name": "b"}', "src/c.ts", "b/dist/c", "src/c.ts"),
    # exports: a path, conditions in their order, patterns; the first that is there
    ('{"name": "b", "exports": "./x.js"}', "x.ts index.ts", "b", "x.ts"),
    ('{"name": "b", "exports": {"import": "./x.mjs", "require": "./y.cjs"}}', "x.mts y.cts", "b", "x.mts"),
    ('{"name": "b", "exports": {".": {"types": "./gone.d.ts", "default": "./x.js"}}}', "x.js", "b", "x.js"),
    ('{"name": "b", "exports": {"./c": "./dist/d.js"}}', "src/d.ts c.ts", "b/c", "src/d.ts"),
    ('{"name": "b", "exports": {"./*": "./dist/*.js", "./i/*": null}}', "src/c/d.ts", "b/c/d", "src/c/d.ts"),
    ('{"name": "b", "exports": {"./f/": "./src/"}}', "src/c.js", "b/f/c.js", "src/c.js"),
    ('{"name": "b", "exports": [null, {"deno": "./y.js"}, "./x.js"]}', "x.js y.js", "b", "x.js"),
    ('{"name": "b", "exports": "../../a.ts"}', "x.js", "b", ""),
    ('{"name": 1, "exports": 2, "main": {}, "imports": [], "workspaces": 3}', "index.js", "b", ""),
    ('{"name": "c"}', "index.js", "b", ""),
]


@pytest.mark.parametrize(("manifest", "paths", "name", "target"), PACKAGES)
def test_packages_of_a_workspace(manifest: str, paths: str, name: str, target: str) -> None:
    """By name, as one package sees another."""
    files = {f"packages/b/{path}": "" for path in paths.split()}
    files |= {**NPM, "packages/b/package.json": manifest, "packages/a/src/m.ts": f"import '{name}'"}
    check(files, "packages/a/src/m.ts", target and f"packages/b/{target}")


WORKSPACES = [
    ({"package.json": '{"workspaces": {"packages": ["./libs/**", "!libs/x/*"]}}'}, "libs/deep/b", True),
    ({"package.json": '{"workspaces": {"packages": ["./libs/**", "!libs/x/*"]}}'}, "libs/x/b", False),
    ({"package.json": '{"workspaces": ["{apps,libs}/*"]}'}, "libs/b", True),
    ({"package.json": '{"workspaces": ["libs/*"]}'}, "other/b", False),
    ({"package.json": '{"workspaces": ["("]}'}, "libs/b", False),
    ({"pnpm-workspace.yaml": "# x\npackages:\n  # y\n  - 'libs/*' # z\n  - other\ncatalog:\n  - no\n"}, "libs/b", True),
    ({"pnpm-workspace.yaml": 'packages:\n- "libs/*"'}, "libs/b", True),
    ({"pnpm-workspace.yaml": "catalog:\n  - libs/*\n"}, "libs/b", False),
    ({"package.json": '{"dependencies": {"b": "file:./libs/b"}}'}, "libs/b", True),
    ({"package.json": '{"devDependencies": {"b": "^1.0.0"}}'}, "libs/b", False),
]


@pytest.mark.parametrize(("configs", "folder", "found"), WORKSPACES)
def test_workspaces(configs: dict[str, str], folder: str, found: bool) -> None:
    """Of npm, yarn and pnpm."""
    files = {**configs, f"{folder}/package.json": '{"name": "b"}', f"{folder}/index.ts": "", "m.ts": "import 'b'"}
    check(files, "m.ts", f"{folder}/index.ts" if found else "")


PASSED_ON = [
    (
        {"b.ts": "export { x } from './c'", "c.ts": "export const x = 1"},
        "import { x } from './b'",
        "b.ts",
        "c.ts",
        "x c.ts x",
    ),
    (
        {"b.ts": "export * from './c'", "c.ts": "export class X {}"},
        "import { X as Y } from './b'",
        "b.ts",
        "c.ts",
        "Y c.ts X",
    ),
    (
        {
            "b.ts": "export * from './c'\nexport * from './d'",
            "c.ts": "",
            "d.ts": "export { e as x } from './e'",
            "e.ts": "export let e",
        },
        "import { x } from './b'",
        "b.ts",
        "e.ts",
        "x e.ts e",
    ),
    (
        {"b.ts": "import { x } from './c'\nexport { x as y }", "c.ts": "export const x = 1"},
        "import { y } from './b'",
        "b.ts",
        "c.ts",
        "y c.ts x",
    ),
    (
        {"b.ts": "export { default as X } from './c'", "c.ts": "export default class C {}"},
        "import { X } from './b'",
        "b.ts",
        "c.ts",
        "X c.ts C",
    ),
    ({"b.ts": "export * as n from './c'", "c.ts": ""}, "import { n } from './b'", "b.ts", "c.ts", "n c.ts "),
    ({"b.ts": "const x = 1\nexport default x"}, "import y from './b'", "b.ts", "", "y b.ts x"),
    ({"b.ts": "export default () => {}"}, "import y from './b'", "b.ts", "", "y b.ts default"),
    ({"b.ts": "export * from './c'", "c.ts": "export default 1"}, "import y from './b'", "b.ts", "", "y b.ts "),
    ({"b.ts": ""}, "import * as n from './b'", "b.ts", "", "n b.ts "),
    ({"b.ts": "export const x = 1"}, "export { x as y } from './b'", "b.ts", "", "y b.ts x"),
    ({"b.ts": ""}, "export * from './b'", "b.ts", "", "* b.ts *"),
    ({"b.ts": ""}, "import { gone } from './b'", "b.ts", "", "gone b.ts gone"),
    ({"b.ts": "export * from './b'\nexport * from './a'"}, "import { x } from './b'", "b.ts", "", "x b.ts x"),
    # CommonJS
    ({"b.js": "class C {}\nmodule.exports = C"}, "const D = require('./b')", "b.js", "", "D b.js C"),
    ({"b.js": "class C {}\nmodule.exports = C"}, "import D from './b'", "b.js", "", "D b.js C"),
    ({"b.js": "exports.f = function () {}"}, "const { f: g } = require('./b')", "b.js", "", "g b.js f"),
    (
        {"b.js": "const { f } = require('./c')\nmodule.exports = { f }", "c.js": "exports.f = () => {}"},
        "const { f } = require('./b')",
        "b.js",
        "c.js",
        "f c.js f",
    ),
    (
        {"b.js": "module.exports = require('./c')", "c.js": "function f() {}\nmodule.exports = { f }"},
        "const { f } = require('./b')",
        "b.js",
        "c.js",
        "f c.js f",
    ),
    ({"b.js": ""}, "const b = require('./b')", "b.js", "", "b b.js "),
    ({"b.ts": "function f() {}\nexport = f"}, "import g = require('./b')", "b.ts", "", "g b.ts f"),
    ({"b.ts": "export const x = 1"}, "import './b'", "b.ts", "", ""),
]


@pytest.mark.parametrize(("files", "text", "imports", "origins", "bindings"), PASSED_ON)
def test_names_that_are_passed_on(files: dict[str, str], text: str, imports: str, origins: str, bindings: str) -> None:
    """Each local name with the file that defines it and its name there."""
    files = {**files, "a.ts": text}
    check(files, "a.ts", imports, origins)
    found = {f"{b.local} {b.path} {b.name}" for b in graph_of(files).resolutions["a.ts"].bindings}
    assert found == ({bindings} if bindings else set())


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000,
        "{" * 3000,
        "class A { " * 300,
        "import {" * 300,
        "export * from './a'\n" * 1000,
        "x = `${`" * 300,
        "\ufeffimport 'é'\nconst ä = '\U0001f600'",
        "module.exports = module.exports = exports.x = {",
        "import {} from; export {} from; export * as from ''; require(''); import('')",
        "declare module './' {}\n/// <reference path='../../..' />",
    ],
)
def test_strange_text(text: str) -> None:
    """An outline, a skeleton and a resolution, whatever the text."""
    for path in ("a.js", "a.ts", "a.tsx"):
        outline = outline_of(path, text)
        assert isinstance(render(text, outline, shown=range(len(outline.definitions))), str)
        assert graph_of({path: text}).imports(path) == frozenset()


PATHS = ["a.ts", "src/b.ts", "src/index.js", "p/q/src/c.ts", "p/q/index.d.ts"]
LINES = [
    "import { x } from './b'",
    "import { x } from '@/b'",
    "import { x } from 'q'",
    "export * from './src'",
    "export * from '../../../src/b'",
    "import d from 'src/index.js'",
    "export { x as y } from 'q/dist/c'",
    "export const x = 1",
    "module.exports = x",
]
CONFIGS = {
    "tsconfig.json": [
        '{"compilerOptions": {"paths": {"@/*": ["src/*"]}}}',
        '{"extends": "./p/tsconfig.base.json"}',
        "{",
    ],
    "p/tsconfig.base.json": ['{"compilerOptions": {"baseUrl": ".."}}'],
    "package.json": ['{"workspaces": ["p/*"]}', '{"dependencies": {"q": "link:./p/q"}}'],
    "p/q/package.json": ['{"name": "q", "main": "dist/c.js"}', '{"name": "q", "exports": {"./dist/c": "./src/c.ts"}}'],
}
TEXTS = st.lists(st.sampled_from(LINES), max_size=2, unique=True).map("\n".join)
CHANGED_SOURCES = st.dictionaries(st.sampled_from(PATHS), TEXTS | TEXTS | st.none(), max_size=2)
CHANGED_CONFIGS = st.sampled_from(sorted(CONFIGS)).flatmap(
    lambda path: st.dictionaries(st.just(path), st.sampled_from([*CONFIGS[path], None]), max_size=1)
)
CHANGES = st.builds(lambda sources, configs: {**sources, **configs}, CHANGED_SOURCES, CHANGED_CONFIGS)


@given(first=st.fixed_dictionaries(dict.fromkeys(PATHS, TEXTS)), batches=st.lists(CHANGES, max_size=6))
@example(
    first={"a.ts": "import { x } from 'q'", "p/q/src/c.ts": "export const x = 1"},
    batches=[{"package.json": '{"workspaces": ["p/*"]}', "p/q/package.json": '{"name": "q", "main": "dist/c.js"}'}],
)
def test_incremental_equals_fresh(first: dict[str, str | None], batches: list[dict[str, str | None]]) -> None:
    """After every batch of added, changed and removed files and configurations."""
    graph, files = ImportGraph(), dict[str, str]()
    for batch in [first, *batches]:
        for path, text in batch.items():
            if text is None:
                files.pop(path, None)
            else:
                files[path] = text
        update(graph, batch)
        assert graph.resolutions == graph_of(files).resolutions
