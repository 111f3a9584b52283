"""Python: imports and definitions by tree-sitter. The way from an import to a file is in `python_imports`."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_python
from tree_sitter import Language, Node

from repofill.context.languages import python_imports
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Match, Source, Span, definitions, read
from repofill.context.outline import Import, Interface, Kind, Outline

_LANGUAGE = Language(tree_sitter_python.language())
_DEFINING: dict[str, Kind] = {"function_definition": "function", "class_definition": "class"}
_COMPOUND = frozenset(
    {
        "module",
        "block",
        "decorated_definition",
        "if_statement",
        "elif_clause",
        "else_clause",
        "for_statement",
        "while_statement",
        "try_statement",
        "except_clause",
        "finally_clause",
        "with_statement",
        "match_statement",
        "case_clause",
        "ERROR",
        *_DEFINING,
    }
)
"""Nodes with statements in them."""
_SCOPES = ("module", "class_definition")
_SOUGHT = _COMPOUND | {"import_statement", "import_from_statement"}


def outline(path: str, source: bytes) -> Outline:
    """Imports anywhere in the file; functions, classes and plain assignments at the top level or in a class; what
    methods set."""
    parsed = _read(path, source)
    imports, matches = _walk(parsed)
    wrappers = frozenset({"decorated_definition"})
    defined = definitions(matches, parsed, inside=_inside, wrappers=wrappers, doc=_doc)
    return Outline(
        interface=Interface(
            language="python", imports=tuple(imports), names=frozenset(d.name for d in defined if not d.parent)
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _walk(source: Source) -> tuple[list[Import], list[Match]]:
    """What the statements of a module import, in order, and define. They are far fewer than all nodes, so this takes
    half of the time of a query."""
    imports, matches = list[Import](), list[Match]()
    waiting = [(source.root, source.root.type, "", False)]  # is the module itself, or a class, directly around it?
    while waiting:
        node, kind, owner, is_direct = waiting.pop()
        if kind == "import_statement":
            imports += _plain_imports(source, node)
        elif kind == "import_from_statement":
            imports.append(_from_import(source, node))
        else:
            if (defined := _DEFINING.get(kind)) is not None:
                name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
                matches.append(Match(defined, node, name, body))
                owner = "class" if defined == "class" else "method" if owner in ("class", "method") else "function"
                if owner == "function" and source.encoded.find(b"import", node.start_byte, node.end_byte) < 0:
                    continue  # nothing that is local to it counts
            is_direct = kind in _SCOPES or (kind == "block" and is_direct)
            inner = []
            for child in node.named_children:
                if (of := child.type) in _SOUGHT:
                    inner.append((child, of, owner, is_direct))
                elif of == "expression_statement" and (
                    is_direct or (owner == "method" and b"self." in source.encoded[child.start_byte : child.end_byte])
                ):
                    matches += _assignments(source, child, is_direct)
            waiting += reversed(inner)
    return imports, matches


def _assignments(source: Source, statement: Node, is_direct: bool) -> Iterator[Match]:
    """Of `x = …` in a module or a class, of `self.x = …` anywhere, also in the middle of a chain."""
    node = _first_child(statement)
    while node is not None and node.type == "assignment":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is not None and left.type == "identifier":
            if is_direct:
                yield Match("variable", node, left, right)
        elif left is not None and source.text(left.child_by_field_name("object")) == "self":
            yield Match("variable", node, left.child_by_field_name("attribute"), right, is_attribute=True)
        node, is_direct = right, False


def _read(path: str, source: bytes) -> Source:
    return read(_LANGUAGE, source)


def _inside(source: Source, body: Node) -> Span:
    """A block from the end of the header's line on, nothing of one that begins on that line; a constant's value."""
    if body.type != "block":
        return body.start_byte, body.end_byte
    colon = body.prev_sibling
    while colon is not None and colon.type != ":":
        colon = colon.prev_sibling
    newline = source.encoded.find(b"\n", colon.end_byte if colon is not None else body.start_byte)
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


def _first_child(node: Node) -> Node | None:
    return node.named_child(0) if node.named_child_count else None


SUPPORT = Support(
    outline=outline,
    read=_read,
    resolve=python_imports.resolve,
    empty_body="\n\t...",
    doc_body='\n\t"""{doc}"""',
    empty_value="...",
)
