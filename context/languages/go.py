"""Go: imports, definitions and used names by tree-sitter. The way from a name to a file is in `go_imports`."""

from __future__ import annotations

import tree_sitter_go
from tree_sitter import Language, Node

from repofill.context.languages import go_imports
from repofill.context.languages.go_names import PATTERNS, free_names
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Patterns, Source, Span, bracketed, captures, definitions, matched, read
from repofill.context.outline import Import, Interface, Outline

_LANGUAGE = Language(tree_sitter_go.language())
_NAMES = Patterns(_LANGUAGE, PATTERNS)
_QUERY = Patterns(
    _LANGUAGE,
    """
    (package_clause (package_identifier) @package)
    (import_spec) @import
    (function_declaration name: (identifier) @name body: (block)? @body) @function
    (method_declaration name: (field_identifier) @name body: (block)? @body) @function

    (source_file (const_declaration "(") @group @body)
    (source_file (type_declaration "(") @group @body)
    (source_file (var_declaration (var_spec_list) @body) @group)
    (source_file (const_declaration "(" (const_spec . name: (identifier) @name value: (_)? @body) @variable))
    (source_file (var_declaration (var_spec_list (var_spec . name: (identifier) @name value: (_)? @body) @variable)))
    (source_file (const_declaration . (const_spec . name: (identifier) @name value: (_)? @body)) @variable)
    (source_file (var_declaration . (var_spec . name: (identifier) @name value: (_)? @body)) @variable)

    (source_file (type_declaration "("
        (type_spec name: (type_identifier) @name type: (struct_type (field_declaration_list) @body)) @class))
    (source_file (type_declaration "("
        (type_spec name: (type_identifier) @name type: (interface_type) @body) @class))
    (source_file (type_declaration "(" [(type_spec name: (_) @name) (type_alias name: (_) @name)] @class))
    (source_file (type_declaration .
        (type_spec name: (type_identifier) @name type: (struct_type (field_declaration_list) @body))) @class)
    (source_file (type_declaration .
        (type_spec name: (type_identifier) @name type: (interface_type) @body)) @class)
    (source_file (type_declaration . [(type_spec name: (_) @name) (type_alias name: (_) @name)]) @class)

    (field_declaration . name: (field_identifier) @name) @variable
    (field_declaration !name type: [
        (type_identifier) @name
        (qualified_type name: (_) @name)
        (generic_type type: [(type_identifier) @name (qualified_type name: (_) @name)])
    ]) @variable
    (method_elem name: (field_identifier) @name) @function
    (interface_type (type_elem [
        (type_identifier) @name
        (qualified_type name: (_) @name)
        (generic_type type: (type_identifier) @name)
        (negated_type (type_identifier) @name)
    ]) @variable)

    (source_file (const_declaration (const_spec (identifier) @top)))
    (source_file (var_declaration (var_spec name: (identifier) @top)))
    (source_file (var_declaration (var_spec_list (var_spec name: (identifier) @top))))
    """,
)
_DEPTH = 5
"""Of a field: source_file, type_declaration, type_spec, struct_type, field_declaration_list, field_declaration."""


def outline(path: str, source: bytes) -> Outline:
    """Imports; functions, methods under the name of their receiver's type, types with their fields and methods,
    constants and variables. A declaration of several names counts as that of the first."""
    parsed = read(_LANGUAGE, source, depth=_DEPTH)
    found = captures(_QUERY, parsed)
    imports = [made for node in found.get("import", []) if (made := _import(parsed, node)) is not None]
    defined = definitions(matched(_QUERY, parsed), parsed, inside=_inside, qualifier=_receiver)
    names = {d.name for d in defined if d.name and not d.parent} | {parsed.text(node) for node in found.get("top", [])}
    names -= {"_"}
    return Outline(
        interface=Interface(
            language="go",
            scope=next((parsed.text(node) for node in found.get("package", [])), ""),
            imports=tuple(imports),
            names=frozenset(names),
            references=free_names(_NAMES, parsed) - names,
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _import(source: Source, node: Node) -> Import | None:
    """`names` is ("*",) for `import . "p"`; `kind` is "blank" for `import _ "p"`."""
    name, path = node.child_by_field_name("name"), source.text(node.child_by_field_name("path"))[1:-1]
    if not path or path == "C":
        return None
    local = source.text(name)
    return Import(
        module=path,
        names=("*",) if local == "." else (),
        bound=(local,) if local not in ("", ".", "_") else (),
        kind="blank" if local == "_" else "",
        line=node.start_point.row,
    )


def _inside(source: Source, body: Node) -> Span:
    """What is in the braces or parentheses, wherever in the declaration they begin; a value whole."""
    if body.type in ("const_declaration", "type_declaration", "interface_type"):
        opening = next((child for child in body.children if child.type in ("(", "{")), None)
        closing = body.children[-1]
        if opening is not None and closing.type in (")", "}"):
            return opening.end_byte, closing.start_byte
        return body.end_byte, body.end_byte
    return (body.start_byte, body.end_byte) if body.type == "expression_list" else bracketed(source, body)


def _receiver(source: Source, node: Node) -> str:
    """The type that a method belongs to."""
    receiver = node.child_by_field_name("receiver") if node.type == "method_declaration" else None
    while receiver is not None and receiver.type != "type_identifier":
        kind = "type" if receiver.type in ("parameter_declaration", "generic_type") else None
        children = receiver.named_children
        receiver = receiver.child_by_field_name(kind) if kind else children[0] if children else None
    return source.text(receiver)


SUPPORT = Support(
    outline=outline,
    resolve=go_imports.resolve,
    configs=("go.mod", "go.work"),
    empty_value="nil",
)
