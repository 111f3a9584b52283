"""Shell: outlines, skeletons, and from `source` to files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

import pytest
import tree_sitter_bash
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from repofill.context.forms import render
from repofill.context.graph import ImportGraph
from repofill.context.outline import Outline, pack
from repofill.context.parse import parse

GRAMMAR = Language(tree_sitter_bash.language())


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
    ("echo hello", ""),
    ("f() {\n  local x=1\n  g() { :; }\n}\nfunction h { :; }\nfunction i() ( : )", "f h i"),
    ("A=1\nexport B=2\nreadonly -a C=(1 2)\ndeclare -x D\nE+=3\nF=1 cmd", "A B C E"),
    ("if x; then\n  f() { :; }\n  A=1\nfi", "f"),
    ("f() { :; }\ng() {\nif x; then", "f"),
]


@pytest.mark.parametrize(("text", "definitions"), OUTLINES)
def test_outline(text: str, definitions: str) -> None:
    """Functions and the variables of the top level."""
    outline = outline_of("a.sh", text)
    assert [definition.qualified for definition in outline.definitions] == definitions.split()
    assert outline.interface.names == set(definitions.split())


SKELETONS = [
    ("# Does.\n# More.\nf() {\n  echo 1\n}\n", "# Does.\nf() { :; }\n"),
    ("function f\n{\n  echo 1\n}\ng() (\n  echo\n)\n", "function f\n{ :; }\ng() ( :; )\n"),
    ("f() { echo; } 2>&1\n", None),
    ("f() if x; then\n  y\nfi\n", None),
    ("A=1\nexport B=\"a b\"\nreadonly C=(\n  1\n  2\n  3\n)\nD='\n\n\n'\n", 'A=1\nexport B="a b"\nreadonly C=()\nD=\n'),
    ("if x; then\n  f() {\n    cat <<E\nx\nE\n  }\nfi\n", None),
]


@pytest.mark.parametrize(("text", "expected"), SKELETONS)
def test_skeleton(text: str, expected: str | None) -> None:
    """Valid for the grammar and for Bash itself."""
    outline = outline_of("a.sh", text)
    assert not outline.has_error
    form = render(text, outline, shown=range(len(outline.definitions)))
    assert not Parser(GRAMMAR).parse(form.encode()).root_node.has_error, form
    bash = shutil.which("bash")
    assert bash is not None
    assert not subprocess.run([bash, "-n"], input=form, text=True, check=False).returncode, form
    assert expected is None or form == expected


TREE = (
    "top.sh lib/a.sh lib/b.bash lib/deep/c.sh bin/run.sh bin/util.sh scripts/util.sh one/same.sh two/same.sh "
    "modules/net/net-lib.sh"
)
SOURCES = [
    # written out: from the script's folder, or from one around it
    (
        "top.sh",
        "source lib/a.sh\n. ./lib/b.bash\n. 'lib/deep/c.sh'\nsource \"bin/util.sh\" x",
        "lib/a.sh lib/b.bash lib/deep/c.sh bin/util.sh",
    ),
    ("bin/run.sh", ". util.sh\nsource ../lib/a.sh", "bin/util.sh lib/a.sh"),
    ("lib/deep/x.sh", "source lib/a.sh\nsource scripts/util.sh", "lib/a.sh scripts/util.sh"),
    # from the script's own folder
    ("bin/run.sh", 'source "$(dirname "$0")/util.sh"', "bin/util.sh"),
    ("bin/run.sh", '. "$(dirname "${BASH_SOURCE[0]}")"/../lib/a.sh', "lib/a.sh"),
    ("bin/run.sh", 'source "${BASH_SOURCE%/*}/../lib/deep/c.sh"\n. ${0%/*}/util.sh', "lib/deep/c.sh bin/util.sh"),
    ("bin/run.sh", 'source "$(cd "$(dirname "$0")/.." && pwd)/lib/a.sh"', "lib/a.sh"),
    ("bin/run.sh", '. "$(dirname "$(dirname "$(readlink -f "$0")")")/lib/b.bash"', "lib/b.bash"),
    # through variables
    ("bin/run.sh", 'DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"\nsource "$DIR/util.sh"', "bin/util.sh"),
    (
        "bin/run.sh",
        'readonly ROOT="$(dirname "$0")/.."\nLIB=$ROOT/lib\n. "$LIB"/a.sh\n. ${LIB}/deep/c.sh',
        "lib/a.sh lib/deep/c.sh",
    ),
    ("bin/run.sh", 'A=$B\nB=$A\nC=$C\n. "$A/x.sh"\n. "$C/y.sh"\n. "$A"', ""),
    # unknown, or installed: the longest end of the path, the nearest
    ("bin/run.sh", '. "$PREFIX/lib/a.sh"\n. "$X/$Y/deep/c.sh"', "lib/a.sh lib/deep/c.sh"),
    ("modules/net/x.sh", "type f > /dev/null || . /lib/net-lib.sh", "modules/net/net-lib.sh"),
    ("one/x.sh", '. "$LIB/same.sh"', "one/same.sh"),
    ("top.sh", '. "$LIB/same.sh"\n. /etc/profile\n. "$x"\n. "$x/"', ""),
    # ShellCheck's directive
    (
        "top.sh",
        '# shellcheck source=lib/a.sh\n. "$x"\n# shellcheck disable=SC1 source=bin/util.sh\nsource "$y"',
        "lib/a.sh bin/util.sh",
    ),
    ("top.sh", '# shellcheck source=/dev/null\n. "$x"', ""),
    # anywhere; nothing in text
    ("top.sh", "f() {\n  if x; then . lib/a.sh; fi\n}\n[ -f x ] && source lib/b.bash", "lib/a.sh lib/b.bash"),
    ("top.sh", "echo source lib/a.sh\n# . lib/a.sh\nx='. lib/a.sh'\ncat <<E\n. lib/a.sh\nE\nsource top.sh", ""),
]


@pytest.mark.parametrize(("path", "text", "imports"), SOURCES)
def test_source(path: str, text: str, imports: str) -> None:
    """The files that a script sources."""
    graph = graph_of({**dict.fromkeys(TREE.split(), ""), path: text})
    assert sorted(graph.imports(path)) == sorted(imports.split())
    assert {(b.local, b.path, b.name) for b in graph.resolutions[path].bindings} == {
        ("*", target, "*") for target in imports.split()
    }


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000,
        "f() {\n" * 300,
        "$(" * 500,
        "\x00source \udcff",
        ". ",
        'source "$(',
        "${",
        ". '",
        'source "$x"/..',
        "f() {\n  x\n\n",
    ],
)
def test_broken_text(text: str) -> None:
    """An outline with its places in order, whatever the text."""
    graph_of({"a.sh": text})
    outline = outline_of("a.sh", text)
    assert isinstance(render(text, outline, shown=range(len(outline.definitions))), str)
    for d in outline.definitions:
        assert d.start <= d.signature <= d.body_start <= d.body_end <= d.end


PATHS = ["a.sh", "lib/a.sh", "lib/x/a.sh", "lib/b.sh", "x.sh"]
TEXTS = ["", ". a.sh", '. "$LIB/a.sh"', ". /usr/lib/x/a.sh", 'D=$(dirname "$0")\n. "$D/../a.sh"']
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
