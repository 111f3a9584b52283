"""C and C++: definitions by tree-sitter. What its grammars cannot read is dealt with in `c_macros`, the way from an
`#include` to a file in `c_includes`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_c
import tree_sitter_cpp
from tree_sitter import Language, Node

from repofill.context.languages import c_includes
from repofill.context.languages.c_macros import readable
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Patterns, Source, Span, bracketed, definitions, matched, read
from repofill.context.outline import Import, Interface, Outline

_C = """
    (preproc_def name: (identifier) @name value: (preproc_arg) @body) @variable
    (preproc_function_def name: (identifier) @name value: (preproc_arg)? @body) @function
    (linkage_specification body: (declaration_list) @body) @group

    (type_definition type: (_ body: (_) @body) declarator: (_) @name) @class
    (type_definition declarator: (_) @name) @variable
    (declaration type: (_ body: (_) @body) declarator: (_) @name) @class
    (field_declaration type: (_ body: (_) @body) declarator: (_) @name) @class
    (struct_specifier name: (_) @name body: (_) @body) @class
    (union_specifier name: (_) @name body: (_) @body) @class
    (enum_specifier name: (_) @name body: (_) @body) @class
    (struct_specifier !name body: (_) @body) @group
    (union_specifier !name body: (_) @body) @group
    (enum_specifier !name body: (_) @body) @group
    (enumerator name: (identifier) @name) @variable
    (function_definition declarator: (_) @name body: (_) @body) @function

    (declaration declarator: (init_declarator value: (_) @body) @name) @variable
"""
_DECLARED = """
    ({0} declarator: (function_declarator
        declarator: (parenthesized_declarator (pointer_declarator (function_declarator)))) @name) @function
    ({0} declarator: (function_declarator declarator: (parenthesized_declarator (pointer_declarator))) @name) @variable
    ({0} declarator: (function_declarator) @name) @function
    ({0} declarator: (_ (function_declarator)) @name) @function
    ({0} declarator: (_ (_ (function_declarator))) @name) @function
"""
_VARIABLES = """
    (declaration declarator: (_) @name) @variable
    (field_declaration declarator: (_) @name) @variable
"""
_CPP = """
    (class_specifier name: (_) @name body: (_) @body) @class
    (class_specifier !name body: (_) @body) @group
    (namespace_definition name: (_) @name body: (declaration_list) @body) @class
    (namespace_definition !name body: (declaration_list) @body) @group
    (function_definition declarator: (_) @name) @function
    (declaration declarator: (operator_cast) @name) @function
    (alias_declaration name: (_) @name) @variable
    (concept_definition name: (_) @name) @variable
    (field_declaration declarator: (_) @name default_value: (_) @body) @variable
"""
_FUNCTIONS = _DECLARED.format("declaration") + _DECLARED.format("field_declaration")
_GRAMMARS = {"c": Language(tree_sitter_c.language()), "cpp": Language(tree_sitter_cpp.language())}
_QUERIES = {
    "c": Patterns(_GRAMMARS["c"], _C + _FUNCTIONS + _VARIABLES),
    "cpp": Patterns(_GRAMMARS["cpp"], _C + _FUNCTIONS + _CPP + _VARIABLES),
}
_WRAPPERS = frozenset({"template_declaration", "friend_declaration", "linkage_specification"})
_BODIES = frozenset({"compound_statement", "field_declaration_list", "declaration_list", "enumerator_list"})
_STATEMENTS = frozenset({"compound_statement", "for_statement", "condition_clause", "case_statement", "if_statement"})
_LONGEST_MACRO = 3
"""Lines up to which a macro with parameters is shown whole."""

_INCLUDE = re.compile(rb"^[ \t]*#[ \t]*(?:include|import)[ \t]*(?:\"([^\"\n]+)\"|<([^>\n]+)>)", re.MULTILINE)
_ONLY_CPP = re.compile(
    rb"^[ \t]*(?:class\s+\w[^;=()]*[{;]|(?:inline\s+)?namespace\s|template\s*<|using\s+\w|virtual\s|constexpr\s"
    rb"|(?:public|private|protected)\s*:|#[ \t]*include[ \t]*<[a-z_]+>)|\bstd::\w|\boperator\s*[^\w\s]",
    re.MULTILINE,
)


def outline(path: str, source: bytes) -> Outline:
    """Functions and their prototypes, macros, types with their members, variables; in C++ namespaces, and methods
    outside of their class under its name. Of several variables in one declaration the first counts."""
    language = _language(path, source)
    parsed = read(_GRAMMARS[language], source, readable=readable(source))
    defined = definitions(
        matched(_QUERIES[language], parsed),
        parsed,
        inside=_inside,
        wrappers=_WRAPPERS,
        qualifier=_scope,
        separators=frozenset({",", ";"}),
        name=_name,
    )
    return Outline(
        interface=Interface(
            language=language,
            imports=tuple(_includes(parsed)),
            names=frozenset(d.name for d in defined if d.name and not d.parent),
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _language(path: str, source: bytes) -> str:
    """A header is C++ if it says anything that only C++ knows."""
    if path.endswith((".c", ".h", ".H")):
        return "cpp" if not path.endswith(".c") and _ONLY_CPP.search(source) else "c"
    return "cpp"


def _includes(source: Source) -> Iterator[Import]:
    line = at = 0
    for match in _INCLUDE.finditer(source.encoded):
        start = match.start() + match[0].index(b"#")
        node = source.root.descendant_for_byte_range(start, start)
        if node is not None and node.type == "comment":
            continue
        line, at = line + source.encoded.count(b"\n", at, start), start
        quoted, angled = match.groups()
        yield Import(
            module=(quoted or angled).decode("utf-8", "replace").strip(),
            names=("*",),
            kind="quote" if quoted else "angle",
            line=line,
        )


def _inside(source: Source, body: Node) -> Span:
    """A body without its braces, a value, a long macro's text."""
    if body.type in _BODIES:
        return bracketed(source, body)
    macro = body.parent if body.type == "preproc_arg" else None
    head = macro.named_children[-2] if macro is not None and len(macro.named_children) > 1 else None
    if macro is not None and head is not None:
        is_short = body.end_point.row - macro.start_point.row < _LONGEST_MACRO
        is_function = macro.type == "preproc_function_def"
        return body.end_byte if is_short else head.end_byte + (not is_function), body.end_byte
    return body.start_byte, body.end_byte


def _name(source: Source, node: Node) -> str:
    """The name in a declarator, "" of a local variable."""
    around = node.parent
    if around is not None and around.parent is not None and around.parent.type in _STATEMENTS:
        return ""
    named = _declared(node)
    while named.type == "qualified_identifier" and (inner := named.child_by_field_name("name")) is not None:
        named = inner
    if named.type in ("template_function", "template_type", "template_method"):
        named = named.child_by_field_name("name") or named
    if named.type == "operator_cast":
        return f"operator {source.text(named.child_by_field_name('type'))}"
    if named.type == "nested_namespace_specifier":
        return ".".join(source.text(part) for part in named.named_children)
    return source.text(named)


def _declared(node: Node) -> Node:
    """What a declarator declares: `f` of `*(*f)(int)[3]`."""
    while node.type != "operator_cast":
        inner = node.child_by_field_name("declarator")
        if inner is None and node.type in ("parenthesized_declarator", "reference_declarator", "attributed_declarator"):
            inner = next((child for child in reversed(node.named_children) if child.type != "comment"), None)
        if inner is None:
            break
        node = inner
    return node


def _scope(source: Source, node: Node) -> str:
    """`A.B` of `void A::B<int>::f() {}`."""
    declarator = node.child_by_field_name("declarator") or node.child_by_field_name("name")
    named = _declared(declarator) if declarator is not None else None
    scopes = []
    while named is not None and named.type == "qualified_identifier":
        scope = named.child_by_field_name("scope")
        if scope is not None:
            scopes.append(source.text(scope.child_by_field_name("name") or scope))
        named = named.child_by_field_name("name")
    return ".".join(scopes)


SUPPORT = Support(
    outline=outline,
    resolve=c_includes.resolve,
    configs=("compile_commands.json",),
    empty_value="{}",
)
