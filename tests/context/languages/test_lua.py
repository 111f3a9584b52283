"""Lua: outlines, skeletons, and from `require` to files."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import tree_sitter_lua
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from repofill.context.forms import render
from repofill.context.graph import ImportGraph
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

GRAMMAR = Language(tree_sitter_lua.language())


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
        {p: None if t is None else pack(outline_of(p, t).interface) for p, t in files.items() if p.endswith(".lua")},
        {p: t for p, t in files.items() if p.endswith(".rockspec")},
    )


OUTLINES = [
    ("", ""),
    ("print(1)", ""),
    (
        "local M = {}\nfunction M.f() end\nfunction M:g() end\nM.h = function() end\nM.x = 1\nreturn M",
        "M M.f M.g M.h M.x",
    ),
    ("M = { sub = {} }\nfunction M.sub.f()\n  local function g() end\nend", "M M.sub.f"),
    ("local function f() end\nfunction g() end\nlocal h = function() end\nlocal x <const> = 1\ny = 2", "f g h x y"),
    ("local T = { a = 1, f = function() end, ['g'] = function() end }", "T T.a T.f T.g"),
    ("local T = { a = 1, { f = function() end } }", "T"),
    ("return { f = function() end }", "return return.f"),
    ("local a = require 'b'\nlocal c = require('d').e", ""),
    ("if x then\n  function f() end\n  y = 1\nend", "f"),
    ("local M = {}\nfunction M.f() end\nx = = 1", "M M.f x"),
]


@pytest.mark.parametrize(("text", "definitions"), OUTLINES)
def test_outline(text: str, definitions: str) -> None:
    """Definitions by their dotted names."""
    assert [definition.qualified for definition in outline_of("a.lua", text).definitions] == definitions.split()


IMPORTS = [
    ('local a = require "m.n"', [("m.n", (), ("a",), "require")]),
    ("local a, b = require('m'), require [[n]]", [("m", (), ("a",), "require"), ("n", (), ("b",), "require")]),
    ("local f = require('m').f", [("m", ("f",), ("f",), "require")]),
    ("local ok, a = pcall(require, 'm')", [("m", (), ("a",), "require")]),
    ("require 'm'\nfoo(require 'n')", [("m", (), (), "require"), ("n", (), (), "require")]),
    ("function f()\n  return require('m').g(1)\nend", [("m", ("g",), (), "require")]),
    ("dofile 'a.lua'\nloadfile('b.lua')", [("a.lua", (), (), "dofile"), ("b.lua", (), (), "loadfile")]),
    ("require(x)\nrequire('a' .. b)\npcall(f, 'x')\nx.require 'y'\npcall()\nrequire ''", []),
]


@pytest.mark.parametrize(("text", "expected"), IMPORTS)
def test_imports(text: str, expected: list[tuple[str, tuple[str, ...], tuple[str, ...], str]]) -> None:
    """As (module, names, local names, kind)."""
    found = outline_of("a.lua", text).interface.imports
    assert [(i.module, i.names, i.bound, i.kind) for i in found] == expected


SKELETONS = [
    ("--- Does.\n-- @param a\nfunction f(a)\n  return a\nend\n", "-- Does.\nfunction f(a)\nend\n"),
    ("local function f() end\n", "local function f() end\n"),
    (
        "local M = {}\nM.x = 1\n\nfunction M.f(a, ...)\n  -- why\n  return a\nend\n\n"
        "M.g = function(a) return a end\nreturn M\n",
        "local M = {}\nM.x = 1\nfunction M.f(a, ...)\nend\nM.g = function(a)\nend\n",
    ),
    (
        "local T = {\n  a = 1,\n  f = function(x)\n    return x\n  end,\n  ['g'] = function() return 1 end\n}\n",
        "local T = {\n  a = 1,\n  f = function(x)\n  end,\n  ['g'] = function()\n  end\n}\n",
    ),
    ("local x = -- why\n  1\nlocal y = {\n  1,\n  2,\n  3,\n}\n", "local x = -- why\n  1\nlocal y = {nil}\n"),
    ("local x = -- why\n  [[\n  a\n  b]]\nlocal s = [[\na\nb\nc]]\n", None),
    ("local x = -- why\n  f(\n    1\n  )\n", "local x = nil\n"),
    ("return {\n  name = 'a';\n  f = function() end;\n  { g = function() end },\n}\n", None),
    ("do\n  local function f()\n    return 1\n  end\n  function g() return 2 end\nend\n", None),
]


@pytest.mark.parametrize(("text", "expected"), SKELETONS)
def test_skeleton(text: str, expected: str | None) -> None:
    """Valid Lua."""
    outline = outline_of("a.lua", text)
    assert not outline.has_error
    form = render(text, outline, shown=range(len(outline.definitions)))
    assert not Parser(GRAMMAR).parse(form.encode()).root_node.has_error, form
    assert expected is None or form == expected


TREE = (
    "main.lua a.lua a/b.lua a/b/c.lua a/p/init.lua src/s.lua src/s/t.lua lua/plug/init.lua lua/plug/x.lua "
    "plugins/q/lua/q/init.lua plugins/q/lua/q/y.lua game/player.lua game/menu/main.lua other/util.lua spec/s_spec.lua"
)
REQUIRES = [
    ("main.lua", "require 'a'\nrequire 'a.b'\nrequire 'a.b.c'\nrequire 'a.p'", "a.lua a/b.lua a/b/c.lua a/p/init.lua"),
    ("a/b/c.lua", "require 'a'\nrequire 's'\nrequire 's.t'", "a.lua src/s.lua src/s/t.lua"),
    ("spec/s_spec.lua", "local s = require('s')", "src/s.lua"),
    ("lua/plug/init.lua", "require 'plug.x'\nrequire('plug')", "lua/plug/x.lua"),
    ("plugins/q/lua/q/init.lua", "require('q.y')\nrequire('plug')", "plugins/q/lua/q/y.lua lua/plug/init.lua"),
    ("game/menu/main.lua", "require 'player'\nrequire 'menu.main'", "game/player.lua"),
    ("main.lua", "require 'player'\nrequire 'util'\nrequire 'string'\nrequire 'q.z'", ""),
    ("main.lua", "dofile 'a/b.lua'\nloadfile('./src/s.lua')", "a/b.lua src/s.lua"),
    ("game/menu/main.lua", "dofile('../player.lua')", "game/player.lua"),
    ("main.lua", "-- require 'a'\nx = \"require 'a'\"\nrequire 'main'", ""),
    ("main.lua", "require '../a'\nrequire '..'\nrequire '.'\nrequire '/'", ""),
]


@pytest.mark.parametrize(("path", "text", "imports"), REQUIRES)
def test_require(path: str, text: str, imports: str) -> None:
    """The files that a file loads."""
    graph = graph_of({**dict.fromkeys(TREE.split(), ""), path: text})
    assert sorted(graph.imports(path)) == sorted(imports.split())


def test_file_before_folder() -> None:
    """In the order of the default `package.path`."""
    assert graph_of({"m.lua": "", "m/init.lua": "", "x.lua": "require 'm'"}).imports("x.lua") == {"m.lua"}


def test_rockspec() -> None:
    """What it lists counts; a broken one does not."""
    files = {"source/one.lua": "", "x.lua": "require 'm.one'\nrequire 'two'", "source/2.lua": ""}
    spec = "build = { modules = { ['m.one'] = 'source/one.lua', two = \"source/2.lua\", n = { sources = 'n.c' } } }"
    assert graph_of({**files, "m-1.rockspec": spec}).imports("x.lua") == {"source/one.lua", "source/2.lua"}
    assert graph_of({**files, "rockspecs/m-1.rockspec": spec}).imports("x.lua") == {"source/one.lua", "source/2.lua"}
    assert not graph_of({**files, "m-1.rockspec": "build = {{{ 'm.one"}).imports("x.lua")


def test_bindings() -> None:
    """A variable leads to a module, or to what its file defines under a name."""
    text = "local a = require 'a'\nlocal f = require('a').f\nlocal g = require('a').g\nrequire 'b'"
    graph = graph_of({"x.lua": text, "a.lua": "local M = {}\nfunction M.f() end\nfunction g() end", "b.lua": ""})
    found = {(b.local, b.path, b.name) for b in graph.resolutions["x.lua"].bindings}
    assert found == {("a", "a.lua", ""), ("f", "a.lua", ""), ("g", "a.lua", "g"), ("*", "b.lua", "*")}


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000,
        "function f(\n" * 300,
        "{" * 2000,
        "\x00require \udcff",
        "local = require",
        "M.f. = 1",
        "x = {" * 99,
        "function f()\n  x()\n\n",
    ],
)
def test_broken_text(text: str) -> None:
    """An outline with its places in order, whatever the text."""
    graph_of({"a.lua": text})
    outline = outline_of("a.lua", text)
    assert isinstance(render(text, outline, shown=range(len(outline.definitions))), str)
    for d in outline.definitions:
        assert d.start <= d.signature <= d.body_start <= d.body_end <= d.end


PATHS = ["a.lua", "a/init.lua", "src/a.lua", "x.lua", "m-1.rockspec"]
TEXTS = ["", "f = 1", "local f = require('a').f", "require 'a'", "modules = { a = 'x.lua' }"]
CHANGES = st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(TEXTS) | st.none()), max_size=8)


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
