"""Ruby: imports, definitions and constants by tree-sitter. The way from them to files is in `ruby_imports`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

import tree_sitter_ruby
from msgspec.structs import replace
from tree_sitter import Language, Node

from repofill.context.languages import ruby_imports
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Patterns, Source, Span, ahead, captures, definitions, matched, read
from repofill.context.outline import Definition, Import, Interface, Outline

_LANGUAGE = Language(tree_sitter_ruby.language())
_QUERY = Patterns(
    _LANGUAGE,
    """
    ((call !receiver method: (identifier) @_method) @import
        (#any-of? @_method "require" "require_relative" "load" "autoload" "require_dependency"))
    [(class) (module)] @scope
    (constant) @constant
    (scope_resolution) @path
    (class name: [(constant) @name (scope_resolution name: (constant) @name)] body: (_)? @body) @class
    (module name: [(constant) @name (scope_resolution name: (constant) @name)] body: (_)? @body) @class
    (singleton_class value: (self) @name body: (_)? @body) @class
    (method name: (_) @name body: (_)? @body) @function
    (singleton_method name: (_) @name body: (_)? @body) @function
    (program (assignment left: [(constant) (global_variable)] @name right: (_) @body) @variable)
    (body_statement (assignment left: (constant) @name right: (_) @body) @variable)
    (body_statement ((call !receiver method: (identifier) @_method
        arguments: (argument_list . (simple_symbol) @name)) @variable
        (#any-of? @_method "attr_reader" "attr_writer" "attr_accessor" "scope" "delegate"
            "belongs_to" "has_one" "has_many" "has_and_belongs_to_many")))
    """,
)
_MENTIONS = ("constant", "path")
_CONSTANT = re.compile(r"(?:::)?[A-Z]\w*(?:::[A-Z]\w*)*")


def outline(path: str, source: bytes) -> Outline:
    """`require` and its kin anywhere in the file; modules, classes, methods, constants, and what `attr_reader` and the
    associations of Rails declare. A reference is a constant as it is written, after the names of the modules around it,
    separated by spaces: "Admin User Role" stands for `Role` inside of `class User` inside of `module Admin`."""
    parsed = read(_LANGUAGE, source)
    found = captures(_QUERY, parsed)
    imports = [made for node in found.get("import", []) for made in _imports(parsed, node)]
    defined = definitions(
        matched(_QUERY, parsed),
        parsed,
        inside=_inside,
        wrappers=_WRAPPERS,
        qualifier=_qualifier,
        separators=frozenset({"heredoc_body"}),
    )
    defined = tuple(map(_without_colon, defined))
    return Outline(
        interface=Interface(
            language="ruby",
            imports=tuple(sorted(imports, key=lambda i: i.line)),
            names=frozenset(d.qualified.partition(".")[0] for d in defined),
            references=frozenset(_references(parsed, found, defined)),
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


_WRAPPERS = frozenset({"call", "argument_list"})
"""`private def f`."""


def _inside(source: Source, body: Node) -> Span:
    """From the end of the header to `end`; nothing of a body without `end`; a constant's value whole, with its
    heredoc."""
    parent = body.parent
    if parent is None or parent.type == "assignment":
        return body.start_byte, source.root.end_byte
    end, header = parent.children[-1], ahead(body)
    if end.type != "end" or header is None:
        return parent.end_byte, parent.end_byte
    return header.end_byte, end.start_byte


def _qualifier(source: Source, node: Node) -> str:
    """What stands ahead of the name in `class A::B`."""
    name = node.child_by_field_name("name") if node.type in ("class", "module") else None
    scope = name.child_by_field_name("scope") if name is not None and name.type == "scope_resolution" else None
    return source.text(scope).lstrip(":").replace("::", ".")


def _without_colon(definition: Definition) -> Definition:
    return replace(definition, name=definition.name[1:]) if definition.name.startswith(":") else definition


def _imports(source: Source, node: Node) -> Iterator[Import]:
    kind, line = source.text(node.child_by_field_name("method")), node.start_point.row
    arguments = node.child_by_field_name("arguments")
    given = [child for child in arguments.named_children if child.type != "comment"] if arguments is not None else []
    if kind == "autoload":
        if given and given[0].type == "simple_symbol":
            name = source.text(given[0])[1:]
            feature = _literal(source, given[1]) if len(given) > 1 else _conventional(source, node, name)
            if feature:
                yield Import(module=feature, names=("",), bound=(name,), kind=kind, line=line)
        return
    relative = _relative(source, given[0]) if given else ""
    if relative:
        yield Import(module=relative, names=("*",), kind="require_relative", line=line)
    elif given and (feature := _literal(source, given[0])):
        yield Import(module=feature, names=("*",), kind=kind, line=line)


def _literal(source: Source, node: Node) -> str:
    """The text of a string without interpolation."""
    if node.type == "string" and all(child.type == "string_content" for child in node.named_children):
        return "".join(map(source.text, node.named_children))
    return ""


def _conventional(source: Source, node: Node, name: str) -> str:
    """The feature that `autoload :Name` of ActiveSupport loads: by the names of the modules around it."""
    names = [name]
    around = node.parent
    while around is not None:
        if around.type in ("class", "module"):
            names.insert(0, source.text(around.child_by_field_name("name")))
        around = around.parent
    return ruby_imports.underscored("::".join(names))


def _relative(source: Source, node: Node) -> str:
    """The path from the file's folder that `File.expand_path("../x", __FILE__)`, `File.join(__dir__, "x")` and
    `"#{__dir__}/x"` stand for."""
    if node.type == "string" and len(node.named_children) == 2:
        first, rest = node.named_children
        return source.text(rest).lstrip("/") if source.text(first) == "#{__dir__}" else ""
    if node.type == "binary" and len(node.named_children) == 2:
        return (
            _literal(source, node.named_children[1]).lstrip("/") if _is_folder(source, node.named_children[0]) else ""
        )
    arguments = node.child_by_field_name("arguments") if source.text(node).startswith("File.") else None
    given = arguments.named_children if arguments is not None else []
    if len(given) == 1:
        return _relative(source, given[0])
    if len(given) != 2:
        return ""
    if source.text(node.child_by_field_name("method")) == "join":
        return _literal(source, given[1]).lstrip("/") if _is_folder(source, given[0]) else ""
    literal = _literal(source, given[0])
    if literal and source.text(given[1]) == "__FILE__":
        return posixpath.normpath(f"file/{literal}")
    return literal if _is_folder(source, given[1]) else ""


def _is_folder(source: Source, node: Node) -> bool:
    return source.text(node) in ("__dir__", "File.dirname(__FILE__)")


def _references(source: Source, found: dict[str, list[Node]], defined: Iterable[Definition]) -> Iterator[str]:
    """Every constant with the modules around it, except what the file itself defines there. A module with others in it
    may be defined elsewhere and only opened here."""
    own = {d.qualified for d in defined} - {d.parent for d in defined if d.kind == "class"}
    scopes = sorted(
        (name.start_byte, name.end_byte, node.end_byte, source.text(name))
        for node in found.get("scope", [])
        if (name := node.child_by_field_name("name")) is not None
    )
    mentions = sorted({(node.start_byte, -node.end_byte) for kind in _MENTIONS for node in found.get(kind, [])})
    around: list[tuple[int, str]] = []  # of the modules that are open here: end, name
    at = covered = 0
    for start, minus_end in mentions:
        if start < covered:
            continue  # within a longer path, or the name of a definition
        while at < len(scopes) and scopes[at][0] <= start:
            _, covered, end, opened = scopes[at]
            around = [*((outer, name) for outer, name in around if outer >= end), (end, opened)]
            at += 1
        if start < covered:
            continue
        covered = -minus_end
        written = source.encoded[start:covered].decode("utf-8", "replace")
        names = [name for outer, name in around if outer > start]
        if _CONSTANT.fullmatch(written) and not any(dotted in own for dotted in _candidates(names, written)):
            yield " ".join([*names, written])


def _candidates(names: list[str], written: str) -> Iterator[str]:
    """The dotted names that a constant may have, by the modules around it."""
    for count in range(len(names) + 1):
        yield ".".join([*names[:count], written]).replace("::", ".")


SUPPORT = Support(outline=outline, resolve=ruby_imports.resolve, empty_body="\n", empty_value="nil")
