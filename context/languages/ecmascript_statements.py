"""JavaScript and TypeScript: what a file's statements, calls and comments import and export, by the captures of its
queries. The kinds of imports are those of `ecmascript_imports`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tree_sitter import Node

from repofill.context.languages.ecmascript_imports import ASSIGNED
from repofill.context.languages.syntax import Source
from repofill.context.outline import Import

MODULES = """
(import_statement) @import
(export_statement source: (_)) @export
(export_statement (export_clause) !source) @export
(export_statement "default" declaration: (_ name: (_) @default))
(export_statement "default" value: (identifier) @default)
(expression_statement (assignment_expression
    left: (member_expression object: (identifier) @_module property: (property_identifier) @_exports)
    right: [(identifier) (object) (class name: (_)) (function_expression name: (_))] @assigned)
    (#eq? @_module "module") (#eq? @_exports "exports"))
(expression_statement (assignment_expression
    left: (member_expression object: [(identifier) (member_expression)] @_exports) right: (identifier)) @given
    (#any-of? @_exports "exports" "module.exports"))
"""
CALLS = """
(call_expression function: (import) arguments: (arguments . [(string) (template_string)])) @call
(call_expression function: (identifier) @_require arguments: (arguments . (string) .) (#eq? @_require "require")) @call
"""
TYPESCRIPT_MODULES = """
(export_statement "=" (identifier) @assigned)
(ambient_declaration (module name: (string) @augmented))
"""

_REFERENCE = re.compile(rb"""^///\s*<reference\s+path\s*=\s*["']([^"']+)["']""", re.MULTILINE)
_JSDOC = re.compile(rb"/\*\*.*?\*/", re.DOTALL)
_JSDOC_IMPORT = re.compile(
    rb"""\bimport\(\s*["']([^"'\n]+)["']\s*\)(?:\.([\w$]+))?|@import\s[^@]*?\bfrom\s+["']([^"'\n]+)["']"""
)


def statements(source: Source, found: dict[str, list[Node]]) -> Iterator[Import]:
    """The imports that the captures of `MODULES` and `CALLS` make."""
    for node in found.get("import", []):
        yield from _import(source, node)
    for node in found.get("export", []):
        yield from _export(source, node)
    for node in found.get("default", []):
        yield _local(source, [(source.text(node), "default")], node)
    for node in found.get("assigned", []):
        yield from _assigned(source, node)
    for node in found.get("given", []):
        exported = source.text(node.child_by_field_name("left")).rpartition(".")[2]
        yield _local(source, [(source.text(node.child_by_field_name("right")), exported)], node)
    for node in found.get("augmented", []):
        yield Import(module=_literal(source, node), kind="import", line=node.start_point.row)
    for node in found.get("call", []):
        yield from _call(source, node)


def _import(source: Source, node: Node) -> Iterator[Import]:
    """`import d, {a as b} from "m"`, `import * as n from "m"`, `import "m"`, `import n = require("m")`."""
    line = node.start_point.row
    module = _literal(source, node.child_by_field_name("source"))
    pairs: list[tuple[str, str]] = []
    spaces: list[str] = []
    for clause in (child for part in node.named_children for child in (part, *part.named_children)):
        if clause.type == "import_require_clause":
            required = _literal(source, clause.child_by_field_name("source"))
            yield Import(module=required, bound=_identifiers(source, clause), kind="require", line=line)
        elif clause.type == "identifier" and clause.parent is not None and clause.parent.type == "import_clause":
            pairs.append(("default", source.text(clause)))
        elif clause.type == "namespace_import":
            spaces += _identifiers(source, clause)
        elif clause.type == "named_imports":
            pairs += _specifiers(source, clause)
    for name in spaces:
        yield Import(module=module, bound=(name,), kind="import", line=line)
    if module and (pairs or not spaces):
        yield _made(module, pairs, "import", line)


def _export(source: Source, node: Node) -> Iterator[Import]:
    """`export * from "m"`, `export * as n from "m"`, `export {a as b} from "m"`, `export {a as b}`."""
    line = node.start_point.row
    target = node.child_by_field_name("source")
    module = _literal(source, target)
    if target is not None and not module:
        return
    kind = "export" if module else "local"
    pairs: list[tuple[str, str]] = []
    for clause in node.named_children:
        if clause.type == "export_clause":
            pairs += _specifiers(source, clause)
        elif clause.type == "namespace_export":
            yield Import(module=module, bound=_identifiers(source, clause), kind=kind, line=line)
            return
    if any(child.type == "*" for child in node.children):
        yield Import(module=module, names=("*",), kind=kind, line=line)
    else:
        yield _made(module, pairs, kind, line)


def _call(source: Source, node: Node) -> Iterator[Import]:
    """`require("m")` and `import("m")` with what the names around them make of it."""
    arguments = node.child_by_field_name("arguments")
    module = _literal(source, arguments.named_children[0]) if arguments is not None else ""
    line = node.start_point.row
    if not module:
        return
    taken, outer = "", node.parent
    if outer is not None and outer.type == "await_expression":
        outer = outer.parent
    if outer is not None and outer.type == "member_expression":
        taken, outer = source.text(outer.child_by_field_name("property")), outer.parent
    names = (taken,) if taken else ()
    target = source.text(_assignee(outer))
    pattern = outer.child_by_field_name("name") if outer is not None and outer.type == "variable_declarator" else None
    if pattern is not None and pattern.type == "object_pattern" and not taken:
        yield _made(module, _destructured(source, pattern), "require", line)
    elif pattern is not None and pattern.type == "identifier":
        yield Import(module=module, names=names, bound=(source.text(pattern),), kind="require", line=line)
    elif target == "module.exports":
        yield Import(module=module, names=names or ("*",), bound=(ASSIGNED,) if taken else (), kind="export", line=line)
    elif target.startswith(("exports.", "module.exports.")):
        yield Import(module=module, names=names, bound=(target.rpartition(".")[2],), kind="export", line=line)
    else:
        yield Import(module=module, names=names, bound=names, kind="require", line=line)


def _assignee(node: Node | None) -> Node | None:
    return node.child_by_field_name("left") if node is not None and node.type == "assignment_expression" else None


def _destructured(source: Source, pattern: Node) -> Iterator[tuple[str, str]]:
    for child in pattern.named_children:
        if child.type == "shorthand_property_identifier_pattern":
            yield source.text(child), source.text(child)
        elif child.type == "pair_pattern":
            value = child.child_by_field_name("value")
            if value is not None and value.type == "identifier":
                yield source.text(child.child_by_field_name("key")), source.text(value)


def _assigned(source: Source, node: Node) -> Iterator[Import]:
    """`export = C`, `module.exports = C`, `module.exports = {a, b: c}`, `module.exports = class C {}`."""
    if node.type == "identifier":
        yield _local(source, [(source.text(node), ASSIGNED)], node)
    elif node.type != "object":
        yield _local(source, [(source.text(node.child_by_field_name("name")), ASSIGNED)], node)
    else:
        pairs = []
        for child in node.named_children:
            value = child.child_by_field_name("value")
            if child.type == "shorthand_property_identifier":
                pairs.append((source.text(child), source.text(child)))
            elif value is not None and value.type == "identifier":
                pairs.append((source.text(value), source.text(child.child_by_field_name("key"))))
        if pairs:
            yield _local(source, pairs, node)


def _local(source: Source, pairs: list[tuple[str, str]], node: Node) -> Import:
    return _made("", pairs, "local", node.start_point.row)


def _made(module: str, pairs: Iterable[tuple[str, str]], kind: str, line: int) -> Import:
    """`pairs`: the name in the module and the name for it here, or, of an export, the name for it elsewhere."""
    pairs = list(pairs)
    names, bound = tuple(name for name, _ in pairs), tuple(name for _, name in pairs)
    return Import(module=module, names=names, bound=bound, kind=kind, line=line)


def _specifiers(source: Source, clause: Node) -> Iterator[tuple[str, str]]:
    for child in clause.named_children:
        name = source.text(child.child_by_field_name("name")).strip("'\"")
        if name:
            yield name, source.text(child.child_by_field_name("alias")).strip("'\"") or name


def _identifiers(source: Source, clause: Node) -> tuple[str, ...]:
    return tuple(source.text(child) for child in clause.named_children if child.type == "identifier")


def _literal(source: Source, node: Node | None) -> str:
    """The text of a string, "" of none and of a template with values in it."""
    if node is None or any(child.type == "template_substitution" for child in node.named_children):
        return ""
    return source.text(node)[1:-1].strip()


def in_comments(source: bytes) -> Iterator[Import]:
    """`/// <reference path="m" />`, and the types that comments of JavaScript take from elsewhere."""
    if b"<reference" in source:
        for match in _REFERENCE.finditer(source):
            line = source.count(b"\n", 0, match.start())
            yield Import(module=match[1].decode("utf-8", "replace"), names=("*",), kind="reference", line=line)
    if b"import(" in source or b"@import" in source:
        for comment in _JSDOC.finditer(source):
            for match in _JSDOC_IMPORT.finditer(comment[0]):
                names = (match[2].decode("utf-8", "replace"),) if match[2] else ()
                module = (match[1] or match[3]).decode("utf-8", "replace")
                line = source.count(b"\n", 0, comment.start() + match.start())
                yield Import(module=module, names=names, bound=names, kind="import", line=line)
