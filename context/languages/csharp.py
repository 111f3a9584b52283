"""C#: namespaces, usings, types and their members by tree-sitter. The way from a name to a file is in
`csharp_imports`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import tree_sitter_c_sharp
from msgspec.structs import replace
from tree_sitter import Language, Node

from repofill.context.languages import csharp_imports
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Patterns, Source, Span, bracketed, captures, definitions, matched, read
from repofill.context.outline import Definition, Import, Interface, Outline

_LANGUAGE = Language(tree_sitter_c_sharp.language())
_QUERY = Patterns(
    _LANGUAGE,
    """
    (namespace_declaration) @namespace
    (file_scoped_namespace_declaration) @namespace
    (ERROR "namespace" . [(identifier) (qualified_name)] @open)
    (using_directive) @using
    (type_parameter name: (identifier) @parameter)
    (_ (modifier) @_partial name: (identifier) @partial body: (declaration_list) (#eq? @_partial "partial"))
    (class_declaration name: (identifier) @name body: (declaration_list) @body) @class
    (struct_declaration name: (identifier) @name body: (declaration_list) @body) @class
    (interface_declaration name: (identifier) @name body: (declaration_list) @body) @class
    (record_declaration name: (identifier) @name body: (declaration_list)? @body) @class
    (enum_declaration name: (identifier) @name body: (enum_member_declaration_list) @body) @class
    (enum_member_declaration name: (identifier) @name) @variable
    (delegate_declaration name: (identifier) @name) @function
    (method_declaration name: (identifier) @name body: (block)? @body) @function
    (constructor_declaration name: (identifier) @name body: (block)? @body) @function
    (destructor_declaration name: (identifier) @name body: (block)? @body) @function
    (operator_declaration operator: _ @name body: (block)? @body) @function
    (conversion_operator_declaration type: (_) @name body: (block)? @body) @function
    (indexer_declaration "this" @name accessors: (accessor_list)? @body) @function
    (property_declaration name: (identifier) @name accessors: (accessor_list)? @body) @function
    (event_declaration name: (identifier) @name accessors: (accessor_list)? @body) @function
    (event_field_declaration (variable_declaration (variable_declarator name: (identifier) @name))) @variable
    (field_declaration
        (variable_declaration (variable_declarator name: (identifier) @name (expression)? @body))) @variable
    """,
)
_REFERENCES = Patterns(
    _LANGUAGE,
    """
    (_ type: (identifier) @type)
    (_ returns: (identifier) @type)
    (base_list (identifier) @type)
    (type_argument_list (identifier) @type)
    (generic_name . (identifier) @type)
    (as_expression right: (identifier) @type)
    (is_expression right: (identifier) @type)
    (explicit_interface_specifier (identifier) @type)
    (attribute name: (identifier) @attribute)
    (attribute name: (qualified_name) @attribute)
    (constant_pattern (identifier) @value)
    (constant_pattern (binary_expression left: (identifier) @value))
    (constant_pattern (binary_expression left: (binary_expression left: (identifier) @value)))
    (member_access_expression expression: (identifier) @value)
    (invocation_expression
        function: (identifier) @_nameof arguments: (argument_list (argument (identifier) @value))
        (#eq? @_nameof "nameof"))
    (qualified_name qualifier: (identifier) @value)
    (qualified_name) @dotted
    (alias_qualified_name) @dotted
    (member_access_expression expression: (member_access_expression) @dotted)
    (member_access_expression name: (generic_name . (identifier) @member))
    (invocation_expression function: (generic_name . (identifier) @member))
    (qualified_name name: (generic_name . (identifier) @member))
    """,
)
_NAME = re.compile(r"(?:global::)?[^\W\da-z]\w*(?:\.[^\W\da-z]\w*)*")
"""A name in the conventions of types and namespaces."""
_DIRECTIVE = re.compile(rb"\s*#\s*([a-z]*)")
_CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:if|elif|else|endif)\b.*\n?", re.MULTILINE)
_VISIBLE = re.compile(rb"[^\r\n]")


def outline(path: str, source: bytes) -> Outline:
    """Types with their members; namespaces are no definitions but the file's scope. References are the types that are
    mentioned and no types of the file itself, unless they have parts in other files."""
    parsed, divided = _read(source)
    found = captures(_QUERY, parsed)
    imports = tuple(_usings(parsed, found.get("using", [])))
    defined = definitions(matched(_QUERY, parsed), parsed, inside=_inside, separators=frozenset({","}))
    defined = tuple(_undivided(source.decode("utf-8", "replace"), defined)) if divided else defined
    references = _references(parsed) | (_references(divided) if divided else frozenset())
    scopes = [_namespace(parsed, node) for node in found.get("namespace", [])]
    scopes = scopes or [_dotted(parsed, node) for node in found.get("open", [])] or [csharp_imports.GLOBAL]
    if any(statement.kind.startswith("global") for statement in imports):
        scopes.append(csharp_imports.GLOBAL_USINGS)
    partial = {parsed.text(node) for node in found.get("partial", [])}
    own = {definition.name for definition in defined if definition.kind == "class"}
    own |= {parsed.text(node) for node in found.get("parameter", [])}
    own |= {name for i in imports for name in (i.module, f"{i.module}.{i.names[0]}")}.union(scopes)
    return Outline(
        interface=Interface(
            language="csharp",
            scope=" ".join(dict.fromkeys(scopes)),
            imports=imports,
            names=frozenset(definition.name for definition in defined if not definition.parent),
            references=(references - own) | partial,
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _read(source: bytes) -> tuple[Source, Source | None]:
    """Conditions may stand in the midst of a declaration or statement, which is more than the grammar takes; what does
    not parse is read again as a compiler would see it. Then the first reading is the second of the two: it has the
    names of every branch."""
    parsed = read(_LANGUAGE, source)
    if parsed.root.has_error and b"#if" in source:
        again = read(_LANGUAGE, source, readable=_first_branches(source))
        if not again.root.has_error:
            return again, parsed
    return parsed, None


def _first_branches(source: bytes) -> bytes:
    """The first branch of each `#if`; directives and the other branches are blank, so that offsets stay."""
    lines = []
    depth = hidden = 0  # conditions around a line, and the one whose other branch it is in
    for line in source.splitlines(keepends=True):
        directive = _DIRECTIVE.match(line)
        word = directive[1] if directive is not None else b""
        depth += word == b"if"
        if word in (b"elif", b"else") and not hidden:
            hidden = depth
        lines.append(_VISIBLE.sub(b" ", line) if directive is not None or hidden else line)
        if word == b"endif":
            hidden = 0 if hidden == depth else hidden
            depth -= 1
    return b"".join(lines)


def _undivided(text: str, defined: Sequence[Definition]) -> Iterator[Definition]:
    """Without those that a condition divides outside of their bodies: they would be no valid skeletons. A class begins
    after it."""
    for definition in defined:
        is_class = definition.kind == "class"
        left_out = definition.end if definition.kind == "variable" else definition.body_start
        conditions = [*_CONDITION.finditer(text, definition.signature, left_out)]
        if is_class and conditions:
            yield replace(definition, start=conditions[-1].end(), signature=conditions[-1].end())
        elif is_class or not (conditions or _CONDITION.search(text, definition.body_end, definition.end)):
            yield definition


def _inside(source: Source, body: Node) -> Span:
    """A body without its braces; of accessors what is between the first body's opening and the last one's closing
    brace; a field's value."""
    if body.type == "block" or body.type.endswith("declaration_list"):
        return bracketed(source, body)
    if body.type != "accessor_list":
        return body.start_byte, body.end_byte
    blocks = [inner for accessor in body.children if (inner := accessor.child_by_field_name("body")) is not None]
    blocks = [block for block in blocks if block.type == "block"]
    if not blocks:
        return body.end_byte, body.end_byte
    return bracketed(source, blocks[0])[0], bracketed(source, blocks[-1])[1]


def _namespace(source: Source, node: Node) -> str:
    """The full name of a namespace, which may stand in others."""
    parts = []
    outer: Node | None = node
    while outer is not None:
        if outer.type.endswith("namespace_declaration"):
            parts.append(_dotted(source, outer.child_by_field_name("name")))
        outer = outer.parent
    return ".".join(part for part in reversed(parts) if part) or csharp_imports.GLOBAL


def _usings(source: Source, nodes: Sequence[Node]) -> Iterator[Import]:
    """`using A.B` takes everything out of A.B, as does `using static A.B.C`; `using X = A.B.C` takes C out of A.B."""
    for node in nodes:
        kinds = [child.type for child in node.children]
        alias = node.child_by_field_name("name")
        target = next((child for child in node.named_children if child != alias), None)
        dotted = re.sub(r"<.*", "", _dotted(source, target)).removeprefix("global::")
        kind = "alias" if alias is not None else "static" if "static" in kinds else "namespace"
        module, _, name = dotted.rpartition(".") if alias is not None else (dotted, "", "*")
        where = "global " if "global" in kinds else "inner " if node.parent != source.root else ""
        if dotted:
            yield Import(
                module=module,
                names=(name,),
                bound=(source.text(alias),) if alias is not None else (),
                kind=where + kind,
                line=node.start_point.row,
            )


def _references(source: Source) -> frozenset[str]:
    """Names of types as they are written: simple ones, and of qualified ones the first part and the whole."""
    found = captures(_REFERENCES, source)
    members = {node.start_byte for node in found.get("member", [])}
    names = {source.text(node) for node in found.get("type", []) if node.start_byte not in members}
    attributes = {_dotted(source, node) for node in found.get("attribute", [])}
    names |= attributes | {f"{name}Attribute" for name in attributes}
    values = {_dotted(source, node) for kind in ("value", "dotted") for node in found.get(kind, [])}
    matches = [_NAME.match(name) for name in values]
    return frozenset(names | {match[0] for match in matches if match is not None})


def _dotted(source: Source, node: Node | None) -> str:
    return "".join(source.text(node).split())


SUPPORT = Support(
    outline=outline,
    resolve=csharp_imports.resolve,
    configs=("*.csproj", "Directory.Build.props"),
    empty_value="null",
)
