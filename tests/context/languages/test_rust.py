"""Rust: skeletons, and from paths to files by crates, module trees and re-exports."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import tree_sitter_rust
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from repofill.context.forms import render
from repofill.context.graph import ImportGraph
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

RUST = Language(tree_sitter_rust.language())


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
        {p: None if t is None else pack(outline_of(p, t).interface) for p, t in files.items() if p.endswith(".rs")},
        {p: t for p, t in files.items() if not p.endswith(".rs")},
    )


SKELETONS = [
    ("/// Says it.\npub fn f<T>(a: &T) -> u8 {\n    1\n}", "// Says it.\npub fn f<T>(a: &T) -> u8 { }\n"),
    ("pub struct S<T> {\n    a: u8,\n    pub b: T,\n}", "pub struct S<T> {\n    a: u8,\n    pub b: T,\n}\n"),
    ("impl T for S {\n    fn f(&self) {\n        g()\n    }\n}", "impl T for S {\n    fn f(&self) { }\n}\n"),
    ("trait T {\n    const A: u8;\n    fn f(&self);\n}", "trait T {\n    const A: u8;\n    fn f(&self);\n}\n"),
    ("/// Says it.\n#[derive(Debug)]\n/// More.\nstruct U;", "// Says it.\nstruct U;\n"),
    (
        "struct S {\n    /// Of it.\n    #[a] b: u8,\n    #[c]\n    d: u8,\n}",
        "struct S {\n    // Of it.\n    b: u8,\n    d: u8,\n}\n",
    ),
    ("struct U;\nstruct V(u8);\nenum E { A, B(u8) }", "struct U;\nstruct V(u8);\nenum E { A, B(u8) }\n"),
    ("mod m {\n    pub fn f() {\n        1;\n    }\n}", "mod m {\n    pub fn f() { }\n}\n"),
    ("const X: [u8; 2] = // why\n    [\n    1,\n    2];", "const X: [u8; 2] = ();\n"),
]


@pytest.mark.parametrize(("text", "expected"), SKELETONS)
def test_skeleton(text: str, expected: str) -> None:
    """Valid Rust."""
    outline = outline_of("a.rs", text)
    form = render(text, outline, shown=range(len(outline.definitions)))
    assert form == expected
    assert not Parser(RUST).parse(form.encode()).root_node.has_error


WORKSPACE = {
    "Cargo.toml": '[workspace]\nmembers = ["app", "my-lib"]\n[workspace.dependencies]\nmy-lib = { path = "my-lib" }\n',
    "app/Cargo.toml": '[package]\nname = "app"\n[dependencies]\nmacros.path = "../macros"\nmy-lib.workspace = true\n'
    'other = { path = "../my-lib", package = "my-lib" }\n',
    "app/src/lib.rs": "#[macro_use]\nextern crate macros;\npub mod a;\nmod b;\nmod c;\npub mod same;\n"
    "mod one { mod twice; mod user; }\nmod two { mod twice; mod user; }\n"
    "pub use b::Deep;\npub fn root() {}\npub mod within { pub use crate::a::A; pub use super::c::*; }",
    "app/src/a.rs": "pub struct A;\npub mod inner;",
    "app/src/a/inner.rs": "pub fn f() {}",
    "app/src/b/mod.rs": "mod deep;\npub use self::deep::*;\npub use super::a::A as Alias;",
    "app/src/b/deep.rs": "pub struct Deep;",
    "app/src/c.rs": "#[macro_export]\nmacro_rules! say { () => {} }\npub struct C;",
    "app/src/same.rs": "pub use self::twin::{twin, Only};\nmod twin;",
    "app/src/same/twin.rs": "pub fn twin() {}\npub struct Only;",
    "app/src/one/twice.rs": "pub struct T;",
    "app/src/two/twice.rs": "pub struct T;",
    "app/tests/common/mod.rs": "pub fn help() {}",
    "macros/Cargo.toml": '[package]\nname = "macros"',
    "macros/src/lib.rs": "mod inner;\npub fn marked() {}",
    "macros/src/inner.rs": "#[macro_export]\nmacro_rules! shout { () => {} }",
    "my-lib/Cargo.toml": '[package]\nname = "my-lib"',
    "my-lib/src/lib.rs": '#[path = "odd/place.rs"]\npub mod odd;\npub struct L;',
    "my-lib/src/odd/place.rs": "pub fn p() {}",
}
X = "app/src/a/inner.rs"
RESOLUTIONS = [
    (X, "use crate::a::A;", "app/src/a.rs"),
    (X, "use super::A;", "app/src/a.rs"),
    (X, "use super::super::{root, a::{self, A}};", "app/src/lib.rs app/src/a.rs"),
    # behind re-exports, stars and aliases
    (X, "use crate::Deep;", "app/src/b/deep.rs"),
    (X, "use crate::b::Alias as Other;", "app/src/a.rs"),
    (X, "use crate::b::*;\nfn f(x: Deep) {}", "app/src/b/mod.rs app/src/b/deep.rs"),
    # paths in the code, in macros, in modules within the file; not in strings and comments
    (X, "fn f() { crate::root(); }", "app/src/lib.rs"),
    (X, "fn f() { assert!(crate::b::Deep::new() == 1); }", "app/src/b/deep.rs"),
    (X, "mod tests { use super::super::A; }", "app/src/a.rs"),
    (X, '// crate::root()\nconst S: &str = "crate::root()";', ""),
    # macros are known in all of the crate, by the names of others where the root takes them, and by path
    (X, "fn f() { say!(); }", "app/src/c.rs"),
    (X, "fn f() { g(shout![]); }\n#[marked]\nfn g() {}", "macros/src/inner.rs macros/src/lib.rs"),
    (X, "use crate::say;\nfn f() { macros::shout!(); }", "app/src/c.rs macros/src/inner.rs"),
    (X, "macro_rules! say { () => {} }\nfn f() { say!(); a != b }", ""),
    ("my-lib/src/odd/place.rs", "fn f() { say!(); shout!(); }", ""),
    ("app/tests/t.rs", "use app::say;\nfn f() { shout!(); }", "app/src/c.rs"),
    # a module with the name of a function in it; modules within a file
    (X, "use crate::same::Only;", "app/src/same/twin.rs"),
    (X, "use crate::same::twin;", "app/src/same/twin.rs"),
    (X, "use crate::within::{A, C};", "app/src/a.rs app/src/c.rs"),
    ("app/src/one/user.rs", "use super::twice::T;\nuse crate::a::A;", "app/src/one/twice.rs app/src/a.rs"),
    ("app/src/two/user.rs", "use super::twice::T;\nuse super::super::root;", "app/src/two/twice.rs app/src/lib.rs"),
    (X, "use crate::two::twice::T;", "app/src/two/twice.rs"),
    # other crates
    (X, "use my_lib::L;", "my-lib/src/lib.rs"),
    (X, "use other::odd::p;", "my-lib/src/odd/place.rs"),
    (X, "use std::io;\nuse missing::x;\nuse crate::missing;", "app/src/lib.rs"),
    ("app/tests/t.rs", "mod common;\nuse app::Deep;", "app/tests/common/mod.rs app/src/b/deep.rs"),
    ("app/src/main.rs", "fn main() { app::root() }", "app/src/lib.rs"),
    ("my-lib/src/lib.rs", "mod m { mod n; }\nuse app::A;", ""),
    (X, "use ; use crate::{ a::; fn (", ""),
]


@pytest.mark.parametrize(("path", "text", "imports"), RESOLUTIONS)
def test_resolution(path: str, text: str, imports: str) -> None:
    """The files that define what a file names."""
    assert sorted(graph_of({**WORKSPACE, path: text}).imports(path)) == sorted(imports.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use my_lib::prelude::*;", "*=my-lib/src/lib.rs:prelude L=my-lib/src/lib.rs:L *=my-lib/src/odd/place.rs:*"),
        ("use my_lib::hidden::*;", "*=my-lib/src/lib.rs:hidden"),
        (
            "use crate::within::*;",
            "*=app/src/lib.rs:within A=app/src/a.rs:A *=app/src/c.rs:*",
        ),
    ],
)
def test_names_that_a_module_within_a_file_passes_on(text: str, expected: str) -> None:
    """All of what such a prelude takes from elsewhere is in scope, mentioned or not."""
    prelude = "pub mod prelude { pub use super::L; pub use crate::odd::*; }\nmod hidden { use super::L; }\n"
    files = {**WORKSPACE, X: text, "my-lib/src/lib.rs": prelude + WORKSPACE["my-lib/src/lib.rs"]}
    found = graph_of(files).resolutions[X].bindings
    assert {f"{b.local}={b.path}:{b.name}" for b in found} == set(expected.split())


PATHS = ["Cargo.toml", "src/lib.rs", "src/a.rs", "src/a/b.rs"]
LINES = ["mod a;", "mod b;", "use crate::a::*;", "pub use self::b::F;", "use super::F;", "pub struct F;"]
LINES += ["pub mod p { pub use crate::a::F as G; pub use super::*; }", "use crate::p::*;"]
LINES += ["macro_rules! m { () => {} }", "m!();", "crate::m!();"]
MANIFEST = '[package]\nname = "x"'
TEXTS = st.lists(st.sampled_from([*LINES, MANIFEST]), max_size=3, unique=True).map("\n".join)
CHANGES = st.dictionaries(st.sampled_from(PATHS), TEXTS | TEXTS | st.none(), min_size=1, max_size=2)


@given(first=st.fixed_dictionaries(dict.fromkeys(PATHS, TEXTS)), batches=st.lists(CHANGES, max_size=5))
def test_incremental_equals_fresh(first: dict[str, str | None], batches: list[dict[str, str | None]]) -> None:
    """After every batch of changes the graph is that of the files there are."""
    graph, files = ImportGraph(), dict[str, str]()
    for batch in [first, *batches]:
        files = {path: text for path, text in {**files, **batch}.items() if text is not None}
        update(graph, batch)
        assert graph.resolutions == graph_of(files).resolutions
