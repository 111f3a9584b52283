"""Ruby: outlines, skeletons, and from `require` and constants to files."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import tree_sitter_ruby
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from repofill.context.forms import render
from repofill.context.graph import ImportGraph
from repofill.context.languages.ruby_imports import underscored
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

GRAMMAR = Language(tree_sitter_ruby.language())


def outline_of(path: str, text: str) -> Outline:
    outline = parse(path, text)
    assert outline is not None
    return outline


def graph_of(files: Mapping[str, str]) -> ImportGraph:
    graph = ImportGraph()
    update(graph, files)
    return graph


def update(graph: ImportGraph, files: Mapping[str, str | None]) -> None:
    graph.update({p: None if t is None else pack(outline_of(p, t).interface) for p, t in files.items()})


OUTLINES = [
    ("", ""),
    ("puts 1", ""),
    ("module A\n class B < C\n  D = 1\n  def e; end\n  def self.f; end\n end\nend", "A A.B A.B.D A.B.e A.B.f"),
    ("class A::B::C\n def d; end\nend", "A.B.C A.B.C.d"),
    ("class A\n class << self\n  def b; end\n end\n def c = 1\nend", "A A.self A.self.b A.c"),
    ("class A\n attr_reader :b, :c\n has_many :d, through: :e\n scope :f, -> {}\n validates :g\nend", "A A.b A.d A.f"),
    ("class A\n private def b; end\n memoize def c(x) = x\n def ==(o) = 1\nend", "A A.b A.c A.=="),
    ("$a = 1\nB = 2\nc = 3\ndef d\n def e; end\nend", "$a B d"),
    ("P = Struct.new(:a) do\n def b; end\nend", "P"),
    ("class A\n def b; end\nend\nclass (", "A A.b"),
]


@pytest.mark.parametrize(("text", "definitions"), OUTLINES)
def test_outline(text: str, definitions: str) -> None:
    """Definitions by their dotted names."""
    assert [definition.qualified for definition in outline_of("a.rb", text).definitions] == definitions.split()


def test_documentation() -> None:
    """The comments directly above, also above the first statement of a class."""
    text = "# Top.\nmodule A\n  # First.\n  # More.\n  class B # not this\n    def c; end\n\n    # D.\n\n"
    text += "    def e; end\n  end\nend"
    assert [d.doc for d in outline_of("a.rb", text).definitions] == ["Top.", "First.", "", ""]


REFERENCES = [
    ("A", "A"),
    ("module A\n  B\nend", "A B"),
    ("module A\n class B::C < D\n  E::F.new\n  ::G\n end\nend\nH", "A B::C D|A B::C E::F|A B::C ::G|H"),
    # what the file defines itself; what is only opened
    ("module A\n X = 1\n class B; end\n def c = [X, B, A::B]\nend", ""),
    ("module A\n class B; end\n A\nend", "A A"),
    ("foo::Bar\nself.class::Baz\n:Sym\n'Str'", ""),
]


@pytest.mark.parametrize(("text", "references"), REFERENCES)
def test_references(text: str, references: str) -> None:
    """Constants with the modules around them."""
    assert outline_of("a.rb", text).interface.references == {r for r in references.split("|") if r}


SKELETONS = [
    ("def a(b, c = 1)\n  d\nrescue E\n  f\nend\n", "def a(b, c = 1)\nend\n"),
    ("def a; 1; end\n", "def a;\nend\n"),
    ("def a = 1\n", "def a = 1\n"),
    ("def a; end\n", "def a; end\n"),
    ("def a b, *c, &d\n  # why\n  1\nend\n", "def a b, *c, &d\nend\n"),
    (
        "# Top.\nmodule A\n  # First.\n  class B < C # why\n    attr_reader :x\n    # f\n"
        "    def self.f(a)\n      x\n    end\n    private def g\n      y\n    end\n"
        "    class << self\n      def h\n        1\n      end\n    end\n  end\nend\n",
        "# Top.\nmodule A\n  # First.\n  class B < C\n    attr_reader :x\n    # f\n    def self.f(a)\n    end\n"
        "    private def g\n    end\n    class << self\n      def h\n      end\n    end\n  end\nend\n",
    ),
    ("class A < B; end\n", "class A < B; end\n"),
    ("class A\n  # nothing\nend\n", None),
    ("X = [\n  1,\n  2,\n  3,\n].freeze\nY = 1\n", "X = nil\nY = 1\n"),
    ("X = # why\n  [\n    1,\n  ]\nY = \\\n  [\n    1,\n  ]\n", "X = nil\nY = nil\n"),
    ("X = f(<<~A, <<-B).g\n  a\nA\n  b\n  B\nY = <<~E\n  a\nE\nZ = 1\n", "X = nil\nY = <<~E\n  a\nE\nZ = 1\n"),
    ("def f(x = {a: 1}, y: [1])\n  <<~E\n    x\n  E\nend\n", None),
    ("if x\n  def a\n    1\n  end\nelse\n  class B\n    def c() 1 end\n  end\nend\n", None),
    (
        "class A\n  def b\n    1\n  end if C\n  D = Class.new(E) do\n    def f\n      1\n    end\n    1\n  end\nend\n",
        None,
    ),
]


@pytest.mark.parametrize(("text", "expected"), SKELETONS)
def test_skeleton(text: str, expected: str | None) -> None:
    """Valid Ruby."""
    outline = outline_of("a.rb", text)
    assert not outline.has_error
    form = render(text, outline, shown=range(len(outline.definitions)))
    assert not Parser(GRAMMAR).parse(form.encode()).root_node.has_error, form
    assert expected is None or form == expected


@pytest.mark.parametrize(
    ("name", "path"),
    [("User", "user"), ("Admin::UserRole", "admin/user_role"), ("HTMLPage", "html_page"), ("Utf8Text", "utf8_text")],
)
def test_underscored(name: str, path: str) -> None:
    """As `String#underscore` of ActiveSupport."""
    assert underscored(name) == path


GEM = (
    "lib/gem.rb lib/gem/a.rb lib/gem/b/c.rb test/helper.rb test/gem/test_a.rb other/lib/gem/a.rb tasks/t.rake "
    "ext/native.rb"
)
REQUIRES = [
    ("lib/x.rb", "require 'gem'\nrequire \"gem/a\"\nrequire 'gem/b/c.rb'", "lib/gem.rb lib/gem/a.rb lib/gem/b/c.rb"),
    ("other/test/x.rb", "require 'gem/a'", "other/lib/gem/a.rb"),
    ("test/gem/test_a.rb", "require 'helper'\nrequire 'native'", "test/helper.rb ext/native.rb"),
    ("test/x.rb", "require 'test_a'\nrequire 'a'\nrequire 'json'\nrequire name\nrequire \"gem/#{a}\"", ""),
    (
        "lib/gem/x.rb",
        "require_relative 'a'\nrequire_relative '../gem'\nrequire_relative 'b/c'",
        "lib/gem/a.rb lib/gem.rb lib/gem/b/c.rb",
    ),
    ("lib/gem/x.rb", "def f\n  require 'gem/a' unless defined?(A)\nend", "lib/gem/a.rb"),
    ("Rakefile.rb", "load 'tasks/t.rake'\nload './lib/gem.rb'", "tasks/t.rake lib/gem.rb"),
    ("test/x.rb", "require File.expand_path('../helper', __FILE__)", "test/helper.rb"),
    (
        "test/x.rb",
        "require File.expand_path('../lib/gem', __dir__)\nrequire File.join(__dir__, 'helper')",
        "lib/gem.rb test/helper.rb",
    ),
    (
        "test/x.rb",
        "require File.dirname(__FILE__) + '/helper'\nrequire \"#{__dir__}/gem/test_a\"",
        "test/helper.rb test/gem/test_a.rb",
    ),
    ("test/x.rb", "require File.expand_path(File.dirname(__FILE__) + '/../lib/gem')", "lib/gem.rb"),
    ("lib/gem.rb", "module Gem\n  autoload :A, 'gem/a'\n  autoload :Z, 'gem/z'\nend", "lib/gem/a.rb"),
    (
        "lib/gem.rb",
        "module Gem\n  eager_autoload do\n    autoload :A\n    module B\n      autoload :C\n    end\n  end\nend",
        "lib/gem/a.rb lib/gem/b/c.rb",
    ),
    ("lib/gem/a.rb", "foo.require 'gem'\n# require 'gem'\n'require \"gem\"'\nrequire 'gem/a'", ""),
]


@pytest.mark.parametrize(("path", "text", "imports"), REQUIRES)
def test_require(path: str, text: str, imports: str) -> None:
    """The features that a file loads."""
    graph = graph_of({**dict.fromkeys(GEM.split(), ""), path: text})
    assert sorted(graph.imports(path)) == sorted(imports.split())


RAILS = (
    "config/application.rb app/models/user.rb app/models/admin.rb app/models/admin/user.rb "
    "app/models/concerns/named.rb app/models/html.rb app/models/oauth2.rb app/controllers/admin/pages.rb lib/tool.rb "
    "lib/tool/part.rb app/models/deep/thing.rb engines/e/app/models/user.rb test/models/user_test.rb test/lib/tool.rb"
)
CONSTANTS = [
    (
        "app/x.rb",
        "User\nHTML\nOAuth2\nMissing\nString",
        "app/models/user.rb app/models/html.rb app/models/oauth2.rb",
    ),
    (
        "app/x.rb",
        "class X < Admin::User\n  include Named\nend",
        "app/models/admin/user.rb app/models/concerns/named.rb",
    ),
    # lexical scope: the innermost first
    ("app/x.rb", "module Admin\n  User\n  ::User\nend", "app/models/admin/user.rb app/models/user.rb"),
    ("app/x.rb", "class Admin::Y\n  User\nend", "app/models/user.rb"),
    (
        "app/x.rb",
        "module Admin\n  HTML\n  Pages\nend",
        "app/models/html.rb app/controllers/admin/pages.rb",
    ),
    # a constant within a class has the class's file
    ("app/x.rb", "User::ROLES\nAdmin::User::Role", "app/models/user.rb app/models/admin/user.rb"),
    ("app/x.rb", "Deep::Thing::MOST\nDeep::Other", "app/models/deep/thing.rb"),
    ("app/x.rb", "module Deep\n  Thing.new\nend", "app/models/deep/thing.rb"),
    ("app/x.rb", "Tool::Part\nTool", "lib/tool.rb lib/tool/part.rb"),
    ("engines/e/app/x.rb", "User", "engines/e/app/models/user.rb"),
    ("test/models/user_test.rb", "class UserTest\n  User\nend", "app/models/user.rb"),
    ("app/models/user.rb", "class User\n  User\nend", ""),
    ("app/x.rb", "class User\n  Role = 1\nend\nUser\nModels::User", ""),
]


@pytest.mark.parametrize(("path", "text", "imports"), CONSTANTS)
def test_constants_of_an_application(path: str, text: str, imports: str) -> None:
    """The files that Zeitwerk loads for the constants of a file."""
    graph = graph_of({**dict.fromkeys(RAILS.split(), ""), path: text})
    assert sorted(graph.imports(path)) == sorted(imports.split())


def test_constants_of_a_gem() -> None:
    """They are imports where the gem has a loader, else dependencies that somebody else has required."""
    files = {"lib/g.rb": "module G; end", "lib/g/a.rb": "module G\n  class A\n    B\n  end\nend", "lib/g/b.rb": ""}
    graph = graph_of(files)
    assert (graph.imports("lib/g/a.rb"), graph.dependencies("lib/g/a.rb")) == (set(), {"lib/g/b.rb"})
    update(graph, {"lib/g.rb": "require 'zeitwerk'\nmodule G; end"})
    assert graph.imports("lib/g/a.rb") == {"lib/g/b.rb"}


def test_bindings() -> None:
    """Constants lead to files, `require` brings all that is in one."""
    text = "require 'tool'\nautoload :Z, 'tool/part'\nAdmin::User"
    graph = graph_of({**dict.fromkeys(RAILS.split(), ""), "app/x.rb": text})
    found = {(b.local, b.path, b.name) for b in graph.resolutions["app/x.rb"].bindings}
    assert found == {
        ("*", "lib/tool.rb", "*"),
        ("Z", "lib/tool/part.rb", ""),
        ("User", "app/models/admin/user.rb", ""),
    }


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000,
        "class A\n" * 300,
        "module A::" * 50,
        "\x00require \udcff",
        "autoload :",
        "def " * 500,
        "class ::",
        "class A\n  def f\n    x\n\n",
    ],
)
def test_broken_text(text: str) -> None:
    """An outline with its places in order, whatever the text."""
    graph_of({"a.rb": text})
    outline = outline_of("a.rb", text)
    assert isinstance(render(text, outline, shown=range(len(outline.definitions))), str)
    for d in outline.definitions:
        assert d.start <= d.signature <= d.body_start <= d.body_end <= d.end


PATHS = ["lib/a.rb", "lib/a/b.rb", "app/models/b.rb", "x.rb", "config/application.rb"]
TEXTS = ["", "require 'a'", "A::B\nB", "module A\n  B\nend", "require 'zeitwerk'", "require_relative 'lib/a/b'"]
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
