"""JavaScript and TypeScript, with and without JSX: imports, exports and definitions by tree-sitter. The way from an
import to a file is in `ecmascript_imports`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, QueryCursor

from repofill.context.languages import ecmascript_imports
from repofill.context.languages.ecmascript_definitions import JAVASCRIPT, TYPESCRIPT
from repofill.context.languages.ecmascript_statements import CALLS, MODULES, TYPESCRIPT_MODULES, in_comments, statements
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Patterns, Source, Span, bracketed, captures, definitions, matched, read
from repofill.context.languages.typescript_syntax import read_typescript
from repofill.context.outline import Definition, Interface, Outline

_DEPTH = 8
"""Levels below the root at which definitions and static imports are looked for: as deep as those of a class in two
namespaces or in a function that encloses the whole file."""

_JAVASCRIPT = Language(tree_sitter_javascript.language())
_TYPESCRIPT = Language(tree_sitter_typescript.language_typescript())
_TSX = Language(tree_sitter_typescript.language_tsx())


@dataclass(frozen=True, slots=True)
class _Grammar:
    name: str
    language: Language
    query: Patterns
    calls: Patterns


def _grammar(name: str, language: Language, patterns: str) -> _Grammar:
    return _Grammar(name, language, Patterns(language, MODULES + patterns), Patterns(language, CALLS))


_DEFAULT = _grammar("javascript", _JAVASCRIPT, JAVASCRIPT)
_BY_SUFFIX = {
    **dict.fromkeys(("ts", "mts", "cts"), _grammar("typescript", _TYPESCRIPT, TYPESCRIPT_MODULES + TYPESCRIPT)),
    "tsx": _grammar("typescript", _TSX, TYPESCRIPT_MODULES + TYPESCRIPT),
}

_FUNCTIONS = ("arrow_function", "function_expression")
_LOADS = re.compile(rb"\b(?:require|import)\s*\(")


def outline(path: str, source: bytes) -> Outline:
    """Imports and `require` anywhere in the file; functions, classes, types, namespaces and variables at the top level,
    members of classes, types and objects. What a file exports under another name is an import of the kind "local"."""
    grammar = _grammar_of(path)
    parsed = _read(path, source, _DEPTH)
    nodes = {**captures(grammar.query, parsed), "call": _calls(grammar, parsed)}
    imports = sorted([*statements(parsed, nodes), *in_comments(source)], key=lambda i: i.line)
    loaded = frozenset(name for statement in imports if statement.kind == "require" for name in statement.bound)
    found = definitions(
        matched(grammar.query, parsed),
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


def _grammar_of(path: str) -> _Grammar:
    return _BY_SUFFIX.get(path.rpartition(".")[2].lower(), _DEFAULT)


def _read(path: str, source: bytes, depth: int | None = None) -> Source:
    grammar = _grammar_of(path)
    reading = read_typescript if grammar.name == "typescript" else read
    return reading(grammar.language, source, depth)


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


def _qualifier(source: Source, node: Node) -> str:
    """`C` of `C.prototype.m = …` and `C.m = …`."""
    if node.type != "assignment_expression":
        return ""
    left = node.child_by_field_name("left")
    owner = source.text(left.child_by_field_name("object") if left is not None else None).removesuffix(".prototype")
    return "" if owner in ("exports", "module", "module.exports") else owner


def _calls(grammar: _Grammar, source: Source) -> list[Node]:
    """Every `require("m")` and `import("m")`, however deep; most files have none."""
    if _LOADS.search(source.encoded) is None:
        return []
    return QueryCursor(grammar.calls.query).captures(source.root).get("call", [])


SUPPORT = Support(
    outline=outline,
    read=_read,
    resolve=ecmascript_imports.resolve,
    configs=("package.json", "*tsconfig*.json", "jsconfig*.json", "pnpm-workspace.yaml"),
    empty_value="null",
)
