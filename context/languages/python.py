"""Python: imports and definitions by tree-sitter. The way from an import to a file is in `python_imports`."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_python
from tree_sitter import Language, Node

from repofill.context.languages import python_imports
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Patterns, Source, Span, captures, definitions, read
from repofill.context.outline import Import, Interface, Outline

_LANGUAGE = Language(tree_sitter_python.language())
_QUERY = Patterns(
    _LANGUAGE,
    """
    (import_statement) @import
    (import_from_statement) @from
    (function_definition name: (identifier) @name body: (block) @body) @function
    (class_definition name: (identifier) @name body: (block) @body) @class
    (module (expression_statement (assignment left: (identifier) @name right: (_)? @body) @variable))
    (class_definition body: (block
        (expression_statement (assignment left: (identifier) @name right: (_)? @body) @variable)))
    ((assignment
        left: (attribute object: (identifier) @self attribute: (identifier) @name) right: (_)? @body) @attribute
        (#eq? @self "self"))
    """,
)


def outline(path: str, source: bytes) -> Outline:
    """Imports anywhere in the file; functions, classes and plain assignments at the top level or in a class."""
    parsed = _read(path, source)
    found = captures(_QUERY, parsed)
    imports = [made for node in found.get("import", []) for made in _plain_imports(parsed, node)]
    imports += [_from_import(parsed, node) for node in found.get("from", [])]
    defined = definitions(_QUERY, parsed, inside=_inside, wrappers=frozenset({"decorated_definition"}), doc=_doc)
    return Outline(
        interface=Interface(
            language="python",
            imports=tuple(sorted(imports, key=lambda i: i.line)),
            names=frozenset(d.name for d in defined if not d.parent),
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _read(path: str, source: bytes) -> Source:
    return read(_LANGUAGE, source)


def _inside(source: Source, body: Node) -> Span:
    """A block from the end of the header's line on, nothing of one that begins on that line; a constant's value."""
    if body.type != "block" or body.parent is None:
        return body.start_byte, body.end_byte
    colon = next((child for child in body.parent.children if child.type == ":"), body)
    newline = source.encoded.find(b"\n", colon.end_byte)
    return (newline, body.end_byte) if 0 <= newline < body.start_byte else (body.end_byte, body.end_byte)


def _plain_imports(source: Source, node: Node) -> Iterator[Import]:
    for name in node.children_by_field_name("name"):
        module = name.child_by_field_name("name") if name.type == "aliased_import" else name
        alias = name.child_by_field_name("alias")
        dotted = _squeeze(source.text(module))
        bound = source.text(alias) or dotted.partition(".")[0]
        yield Import(module=dotted, level=0, names=(), bound=(bound,), line=node.start_point.row)


def _from_import(source: Source, node: Node) -> Import:
    dotted = _squeeze(source.text(node.child_by_field_name("module_name")))
    module = dotted.lstrip(".")
    names, bound = [], []
    for name in node.children_by_field_name("name"):
        target = name.child_by_field_name("name") if name.type == "aliased_import" else name
        names.append(_squeeze(source.text(target)))
        bound.append(source.text(name.child_by_field_name("alias")) or names[-1])
    if any(child.type == "wildcard_import" for child in node.children):
        names, bound = ["*"], []
    return Import(
        module=module,
        level=len(dotted) - len(module),
        names=tuple(names),
        bound=tuple(bound),
        line=node.start_point.row,
    )


def _squeeze(dotted: str) -> str:
    return "".join(dotted.split())


def _doc(source: Source, body: Node) -> str:
    statement = _first_child(body)
    string = _first_child(statement) if statement is not None and statement.type == "expression_statement" else None
    if string is None or string.type != "string":
        return ""
    content = next((source.text(child) for child in string.children if child.type == "string_content"), "")
    line = next((line.strip() for line in content.splitlines() if line.strip()), "")
    return "" if '"""' in line or line.endswith(('"', "\\")) else line


def _first_child(node: Node | None) -> Node | None:
    return node.named_children[0] if node is not None and node.named_children else None


SUPPORT = Support(
    outline=outline,
    read=_read,
    resolve=python_imports.resolve,
    empty_body="\n\t...",
    doc_body='\n\t"""{doc}"""',
    empty_value="...",
)
