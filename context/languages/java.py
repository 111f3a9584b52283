"""Java: imports, types and their members by tree-sitter. The way from a name to a file is in `java_imports`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import tree_sitter_java
from tree_sitter import Language, Node

from repofill.context.languages import java_imports
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Patterns, Source, Span, bracketed, captures, definitions, matched, read
from repofill.context.outline import Import, Interface, Outline

_LANGUAGE = Language(tree_sitter_java.language())
_QUERY = Patterns(
    _LANGUAGE,
    """
    (package_declaration (_) @package)
    (import_declaration) @import
    (type_parameter (type_identifier) @parameter)
    (class_declaration name: (identifier) @name body: (class_body) @body) @class
    (interface_declaration name: (identifier) @name body: (interface_body) @body) @class
    (enum_declaration name: (identifier) @name body: (enum_body) @body) @class
    (record_declaration name: (identifier) @name body: (class_body) @body) @class
    (annotation_type_declaration name: (identifier) @name body: (annotation_type_body) @body) @class
    (method_declaration name: (identifier) @name body: (block)? @body) @function
    (constructor_declaration name: (identifier) @name body: (constructor_body) @body) @function
    (compact_constructor_declaration name: (identifier) @name body: (block) @body) @function
    (annotation_type_element_declaration name: (identifier) @name) @function
    (field_declaration declarator: (variable_declarator name: (identifier) @name value: (_)? @body)) @variable
    (constant_declaration declarator: (variable_declarator name: (identifier) @name value: (_)? @body)) @variable
    (enum_constant name: (identifier) @name) @variable
    """,
)
_REFERENCES = Patterns(
    _LANGUAGE,
    """
    (type_identifier) @type
    (scoped_type_identifier (_) (type_identifier) @inner) @dotted
    [(marker_annotation name: (identifier) @type) (annotation name: (identifier) @type)]
    [(marker_annotation name: (scoped_identifier) @dotted) (annotation name: (scoped_identifier) @dotted)]
    (record_pattern . (identifier) @type)
    (method_invocation object: (identifier) @value)
    (field_access object: (identifier) @value)
    (method_reference . (identifier) @value)
    (field_access object: [(identifier) (field_access)]) @dotted
    (uses_module_directive (scoped_identifier) @dotted)
    (provides_module_directive (scoped_identifier) @dotted)
    """,
)
_PACKAGED = re.compile(r"(?:(?!this\.|super\.)(?:[a-z_]\w*\.)+)?[A-Z]\w*")
"""A name that begins with a package, or with a type."""


def outline(path: str, source: bytes) -> Outline:
    """Types with their members: methods, constructors, fields, enumeration constants; the types that are mentioned
    without an import that names them."""
    parsed = read(_LANGUAGE, source)
    found = captures(_QUERY, parsed)
    imports = tuple(_imports(parsed, found.get("import", [])))
    defined = definitions(matched(_QUERY, parsed), parsed, inside=_inside)
    return Outline(
        interface=Interface(
            language="java",
            scope=next((_dotted(parsed, node) for node in found.get("package", [])), java_imports.UNNAMED),
            imports=imports,
            names=frozenset(d.name for d in defined if not d.parent),
            references=_references(parsed)
            - {name for statement in imports for name in statement.bound}
            - {d.name for d in defined if d.kind == "class"}
            - {parsed.text(node) for node in found.get("parameter", [])},
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _inside(source: Source, body: Node) -> Span:
    """A body without its braces and, of an enumeration, without its constants; a field's value."""
    if body.type == "enum_body":
        rest = next((child for child in body.children if child.type == "enum_body_declarations"), None)
        if rest is None or not rest.named_children:
            return body.end_byte, body.end_byte
        return rest.children[0].end_byte, bracketed(source, body)[1]  # from the semicolon on
    if body.type == "block" or body.type.endswith("_body"):
        return bracketed(source, body)
    return body.start_byte, body.end_byte


def _imports(source: Source, nodes: Sequence[Node]) -> Iterator[Import]:
    """`import a.b.C` takes C out of a.b, `import static a.b.C.f` f out of a.b.C."""
    for node in nodes:
        kinds = [child.type for child in node.children]
        target = next((child for child in node.named_children if child.type.endswith("identifier")), None)
        dotted = _dotted(source, target)
        module, _, name = (dotted, "", "*") if "asterisk" in kinds else dotted.rpartition(".")
        if module:
            yield Import(
                module=module,
                names=(name,),
                bound=() if name == "*" else (name,),
                kind="static" if "static" in kinds else "",
                line=node.start_point.row,
            )


def _references(source: Source) -> frozenset[str]:
    """Type names as they are written, up to the first part that is a type by Java's naming conventions."""
    found: Mapping[str, list[Node]] = captures(_REFERENCES, source)
    inner = {node.start_byte for node in found.get("inner", [])}
    names = {source.text(node) for node in found.get("type", []) if node.start_byte not in inner}
    values = {source.text(node) for node in found.get("value", [])}
    dotted = {_dotted(source, node) for node in found.get("dotted", [])}
    matches = [_PACKAGED.match(name) for name in values | dotted]
    return frozenset(names | {match[0] for match in matches if match is not None})


def _dotted(source: Source, node: Node | None) -> str:
    return "".join(source.text(node).split())


SUPPORT = Support(outline=outline, resolve=java_imports.resolve, empty_value="null")
