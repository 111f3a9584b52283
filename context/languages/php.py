"""PHP: imports and definitions by tree-sitter. The way from a name to a file is in `php_imports`."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_php
from tree_sitter import Language, Node

from repofill.context.languages import php_imports
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Patterns, Source, Span, bracketed, captures, definitions, matched, read
from repofill.context.outline import Import, Interface, Outline

_LANGUAGE = Language(tree_sitter_php.language_php())
_QUERY = Patterns(
    _LANGUAGE,
    """
    (namespace_definition name: (namespace_name) @namespace)
    (namespace_use_declaration) @use
    [(require_expression) (require_once_expression) (include_expression) (include_once_expression)] @include
    (named_type [(name) (qualified_name)] @type)
    (base_clause [(name) (qualified_name)] @type)
    (class_interface_clause [(name) (qualified_name)] @type)
    (use_declaration [(name) (qualified_name)] @type)
    (attribute [(name) (qualified_name)] @type)
    (object_creation_expression [(name) (qualified_name)] @type)
    (class_constant_access_expression . [(name) (qualified_name)] @type)
    (scoped_call_expression scope: [(name) (qualified_name)] @type)
    (scoped_property_access_expression scope: [(name) (qualified_name)] @type)
    (binary_expression operator: "instanceof" right: [(name) (qualified_name)] @type)
    (function_call_expression function: [(name) (qualified_name)] @call)
    (function_definition name: (name) @name body: (compound_statement) @body) @function
    (class_declaration name: (name) @name body: (declaration_list) @body) @class
    (interface_declaration name: (name) @name body: (declaration_list) @body) @class
    (trait_declaration name: (name) @name body: (declaration_list) @body) @class
    (enum_declaration name: (name) @name body: (enum_declaration_list) @body) @class
    (method_declaration name: (name) @name body: (compound_statement)? @body) @function @member
    (declaration_list (const_declaration (const_element (name) @name (expression) @body)) @variable @member)
    (enum_declaration_list (const_declaration (const_element (name) @name (expression) @body)) @variable @member)
    (property_declaration
        (property_element name: (variable_name (name) @name) default_value: (_)? @body)) @variable @member
    (enum_case name: (name) @name) @variable @member
    (program (const_declaration (const_element (name) @name (expression) @body)) @variable)
    (program (expression_statement
        (assignment_expression left: (variable_name) @name right: (_) @body)) @variable)
    (program (expression_statement
        (function_call_expression function: (name) @_define
            arguments: (arguments . (argument (string (string_content) @name)) . (argument) @body))
        (#eq? @_define "define")) @variable)
    """,
)


def outline(path: str, source: bytes) -> Outline:
    """`use`, `include` and its kin anywhere in the file; functions, types and their members, constants and the
    variables of the top level."""
    parsed = read(_LANGUAGE, source)
    found = captures(_QUERY, parsed)
    imports = [made for node in found.get("use", []) for made in _uses(parsed, node)]
    imports += [made for node in found.get("include", []) for made in _includes(parsed, node)]
    defined = definitions(matched(_QUERY, parsed), parsed, inside=_inside)
    references = {parsed.text(node) for node in found.get("type", [])}
    references |= {f"{parsed.text(node)}()" for node in found.get("call", [])}
    return Outline(
        interface=Interface(
            language="php",
            scope=" ".join(dict.fromkeys(map(parsed.text, found.get("namespace", [])))) or php_imports.GLOBAL,
            imports=tuple(sorted(imports, key=lambda i: i.line)),
            names=frozenset(d.name for d in defined if not d.parent),
            references=frozenset(references),
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _inside(source: Source, body: Node) -> Span:
    """A body without its braces; a constant's value whole."""
    blocks = ("compound_statement", "declaration_list", "enum_declaration_list")
    return bracketed(source, body) if body.type in blocks else (body.start_byte, body.end_byte)


def _uses(source: Source, node: Node) -> Iterator[Import]:
    """One import for each name of `use A\\B, C\\D as E` and of `use A\\{B, function c}`: `module` is the namespace."""
    kind = _kind(node)
    prefix = next((source.text(child) for child in node.children if child.type == "namespace_name"), "")
    body = node.child_by_field_name("body")
    for clause in (body if body is not None else node).named_children:
        target = next((child for child in clause.children if child.type in ("name", "qualified_name")), None)
        if clause.type != "namespace_use_clause" or target is None:
            continue
        space, _, name = f"{prefix}\\{source.text(target)}".strip("\\").rpartition("\\")
        yield Import(
            module=space or php_imports.GLOBAL,
            names=(name,),
            bound=(source.text(clause.child_by_field_name("alias")) or name,),
            kind=_kind(clause) or kind or "class",
            line=clause.start_point.row,
        )


def _kind(node: Node) -> str:
    return next((child.type for child in node.children if child.type in ("function", "const")), "")


def _includes(source: Source, node: Node) -> Iterator[Import]:
    """`level` counts from 1 for the file's own folder, 0 where what stands ahead of the literal is not known; `kind`
    tells a literal that is alone from one that follows something."""
    operand = node.named_children[0] if node.named_children else None
    while operand is not None and operand.type == "parenthesized_expression" and operand.named_children:
        operand = operand.named_children[0]
    left = operand.child_by_field_name("left") if operand is not None else None
    if operand is not None and left is not None:
        operand = operand.child_by_field_name("right")
    if operand is None or operand.type not in ("string", "encapsed_string"):
        return
    literal = "".join(source.text(child) for child in operand.named_children if child.type == "string_content")
    interpolated = len(operand.named_children) != 1
    if literal:
        kind = "tail" if left is not None or interpolated else "include"
        level = _folders_up(source, left) if not interpolated else 0
        yield Import(module=literal, names=("*",), level=level, kind=kind, line=node.start_point.row)


def _folders_up(source: Source, node: Node | None) -> int:
    """`__DIR__` and `dirname(__FILE__)` are 1, `dirname(__DIR__, 2)` is 3; 0 for everything else."""
    up = 0
    while node is not None and node.type == "function_call_expression" and len(node.named_children) == 2:
        name, arguments = node.named_children
        inner = arguments.named_children
        if source.text(name).lower().lstrip("\\") != "dirname" or not inner or not inner[0].named_children:
            return 0
        levels = source.text(inner[1]) if len(inner) > 1 else "1"
        up += int(levels) if levels.isdecimal() and len(levels) == 1 else 0
        node = inner[0].named_children[0]
    place = source.text(node).upper()
    return up + 1 if place == "__DIR__" else up if place == "__FILE__" else 0


SUPPORT = Support(outline=outline, resolve=php_imports.resolve, configs=("composer.json",), empty_value="null")
