"""JavaScript and TypeScript, with and without JSX: imports, exports and definitions by tree-sitter. The way from an
import to a file is in `ecmascript_imports`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, Query

from repofill.context.languages import ecmascript_imports
from repofill.context.languages.ecmascript_definitions import JAVASCRIPT, TYPESCRIPT
from repofill.context.languages.ecmascript_imports import ASSIGNED
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Source, Span, bracketed, captures, definitions, read
from repofill.context.outline import Definition, Import, Interface, Outline

_MODULES = """
(import_statement) @import
(export_statement source: (_)) @export
(export_statement (export_clause) !source) @export
(export_statement "default" declaration: (_ name: (_) @default))
(export_statement "default" value: (identifier) @default)
(call_expression function: (import) arguments: (arguments . [(string) (template_string)]) ) @call
(call_expression function: (identifier) @_require arguments: (arguments . (string) .) (#eq? @_require "require")) @call
(expression_statement (assignment_expression
    left: (member_expression object: (identifier) @_module property: (property_identifier) @_exports)
    right: [(identifier) (object) (class name: (_)) (function_expression name: (_))] @assigned)
    (#eq? @_module "module") (#eq? @_exports "exports"))
"""
_TYPESCRIPT_MODULES = """
(export_statement "=" (identifier) @assigned)
(ambient_declaration (module name: (string) @augmented))
"""


_JAVASCRIPT = Language(tree_sitter_javascript.language())
_TYPESCRIPT = Language(tree_sitter_typescript.language_typescript())
_TSX = Language(tree_sitter_typescript.language_tsx())


@dataclass(frozen=True, slots=True)
class _Grammar:
    name: str
    language: Language
    query: Query


_DEFAULT = _Grammar("javascript", _JAVASCRIPT, Query(_JAVASCRIPT, _MODULES + JAVASCRIPT))
_BY_SUFFIX = {
    suffix: _Grammar("typescript", language, Query(language, _MODULES + _TYPESCRIPT_MODULES + TYPESCRIPT))
    for language, suffixes in ((_TYPESCRIPT, ("ts", "mts", "cts")), (_TSX, ("tsx",)))
    for suffix in suffixes
}

_REFERENCE = re.compile(rb"""^///\s*<reference\s+path\s*=\s*["']([^"']+)["']""", re.MULTILINE)
_JSDOC = re.compile(rb"/\*\*.*?\*/", re.DOTALL)
_JSDOC_IMPORT = re.compile(
    rb"""\bimport\(\s*["']([^"'\n]+)["']\s*\)(?:\.([\w$]+))?|@import\s[^@]*?\bfrom\s+["']([^"'\n]+)["']"""
)


def outline(path: str, source: bytes) -> Outline:
    """Imports and `require` anywhere in the file; functions, classes, types, namespaces and variables at the top level,
    members of classes, types and objects. What a file exports under another name is an import of the kind "local"."""
    grammar = _BY_SUFFIX.get(path.rpartition(".")[2].lower(), _DEFAULT)
    parsed = read(grammar.language, source)
    imports = sorted(_imports(parsed, captures(grammar.query, parsed)), key=lambda i: i.line)
    loaded = frozenset(name for statement in imports if statement.kind == "require" for name in statement.bound)
    found = definitions(
        grammar.query,
        parsed,
        inside=_inside,
        wrappers=frozenset({"export_statement", "ambient_declaration", "expression_statement"}),
        comments=frozenset({"comment", "decorator"}),
        qualifier=_qualifier,
        separators=frozenset({",", ";"}),
    )
    defined = tuple(d for d in found if not _is_import(d, loaded))
    return Outline(
        interface=Interface(
            language=grammar.name,
            imports=tuple(imports),
            names=frozenset(d.name for d in defined if not d.parent),
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _is_import(definition: Definition, loaded: frozenset[str]) -> bool:
    """Whether it is `const x = require("x")`, which brings a name and defines none."""
    return definition.kind == "variable" and not definition.parent and definition.name in loaded


def _inside(source: Source, body: Node) -> Span:
    """A block, class or object without its braces; a value whole."""
    value = body.type == "array" or (body.type == "object" and not _has_members(body))
    return (body.start_byte, body.end_byte) if value else _block(source, body)


def _block(source: Source, body: Node) -> Span:
    span = bracketed(source, body)
    return span if span[0] < body.end_byte else (body.start_byte, body.end_byte)


def _has_members(body: Node) -> bool:
    return any(
        child.type == "method_definition"
        or ((value := child.child_by_field_name("value")) is not None and value.type in _FUNCTIONS)
        for child in body.named_children
    )


_FUNCTIONS = ("arrow_function", "function_expression")


def _qualifier(source: Source, node: Node) -> str:
    """`C` of `C.prototype.m = …` and `C.m = …`."""
    if node.type != "assignment_expression":
        return ""
    left = node.child_by_field_name("left")
    owner = source.text(left.child_by_field_name("object") if left is not None else None).removesuffix(".prototype")
    return "" if owner in ("exports", "module", "module.exports") else owner


def _imports(source: Source, found: dict[str, list[Node]]) -> Iterator[Import]:
    for node in found.get("import", []):
        yield from _import(source, node)
    for node in found.get("export", []):
        yield from _export(source, node)
    for node in found.get("default", []):
        yield _local(source, [(source.text(node), "default")], node)
    for node in found.get("call", []):
        yield from _call(source, node)
    for node in found.get("assigned", []):
        yield from _assigned(source, node)
    for node in found.get("augmented", []):
        yield Import(module=_literal(source, node), kind="import", line=node.start_point.row)
    yield from _in_comments(source.encoded)


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


def _made(module: str, pairs: Iterator[tuple[str, str]] | list[tuple[str, str]], kind: str, line: int) -> Import:
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


def _in_comments(source: bytes) -> Iterator[Import]:
    """`/// <reference path="m" />`, and the types that comments of JavaScript take from elsewhere."""
    if b"<reference" in source:
        for match in _REFERENCE.finditer(source):
            line = source.count(b"\n", 0, match.start())
            yield Import(module=match[1].decode("utf-8", "replace"), names=("*",), kind="reference", line=line)
    if b"import" in source:
        for comment in _JSDOC.finditer(source):
            for match in _JSDOC_IMPORT.finditer(comment[0]):
                names = (match[2].decode("utf-8", "replace"),) if match[2] else ()
                module = (match[1] or match[3]).decode("utf-8", "replace")
                line = source.count(b"\n", 0, comment.start() + match.start())
                yield Import(module=module, names=names, bound=names, kind="import", line=line)


SUPPORT = Support(
    outline=outline,
    resolve=ecmascript_imports.resolve,
    configs=("package.json", "*tsconfig*.json", "jsconfig*.json", "pnpm-workspace.yaml"),
    empty_value="null",
)
