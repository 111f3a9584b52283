"""Python: imports and definitions by tree-sitter. The way from an import to a file is in `python_imports`."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from repofill.context.languages import python_imports
from repofill.context.languages.support import Support
from repofill.context.outline import Definition, Import, Kind, Outline

_LANGUAGE = Language(tree_sitter_python.language())
_QUERY = Query(
    _LANGUAGE,
    """
    (import_statement) @import
    (import_from_statement) @from
    (function_definition) @function
    (class_definition) @class
    (module (expression_statement (assignment left: (identifier)) @variable))
    (class_definition body: (block (expression_statement (assignment left: (identifier)) @variable)))
    """,
)
_LONGEST_CONSTANT = 3
"""Lines up to which a constant is shown with its value."""


def outline(source: bytes) -> Outline:
    """Imports anywhere in the file; functions, classes and plain assignments at the top level or in a class."""
    root = Parser(_LANGUAGE).parse(source).root_node
    captures = QueryCursor(_QUERY).captures(root)
    imports = [found for node in captures.get("import", []) for found in _plain_imports(node)]
    imports += [_from_import(node) for node in captures.get("from", [])]
    kinds: tuple[Kind, ...] = ("function", "class", "variable")
    definitions = [d for kind in kinds for node in captures.get(kind, []) if (d := _definition(node, kind)) is not None]
    return Outline(
        language="python",
        imports=tuple(sorted(imports, key=lambda i: i.line)),
        definitions=tuple(sorted(definitions, key=lambda d: (d.start_line, -d.end_line))),
        has_error=root.has_error,
    )


def definitions_form(text: str, outline: Outline) -> str:
    """Signatures with the first line of the docstring, classes with their members, constants with their values.

    A definition under a condition is shown at the indentation it would have without it.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    owners = {d.parent for d in outline.definitions}
    inner = {"": ""}
    out: list[str] = []
    for definition in outline.definitions:
        base = inner.get(definition.parent)
        header = lines[definition.start_line : definition.header_end]
        if base is None or not header:
            continue  # broken code
        own = _indent(header[0])
        header = [base + line[len(own) :] if line.startswith(own) else line for line in header]
        name = f"{definition.parent}.{definition.name}" if definition.parent else definition.name
        if definition.kind == "variable":
            out += header if len(header) <= _LONGEST_CONSTANT else _shortened(header[0])
            continue
        out += header
        if definition.header_end >= definition.end_line:
            continue  # the body stands on the line of the header
        body = lines[definition.header_end : definition.end_line]
        first = _indent(next((line for line in body if line.strip()), own + "    "))
        inside = base + (first[len(own) :] if first.startswith(own) and first != own else "    ")
        if definition.kind == "class":
            inner[name] = inside
        if definition.doc:
            out.append(f'{inside}"""{definition.doc}"""')
        elif definition.kind == "function" or name not in owners:
            out.append(f"{inside}...")
    return "\n".join(out) + "\n" if out else ""


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _shortened(line: str) -> list[str]:
    name, equals, _ = line.partition("=")
    return [f"{name.rstrip()} = ..."] if equals else []


def _text(node: Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def _plain_imports(node: Node) -> Iterator[Import]:
    for name in node.children_by_field_name("name"):
        module = name.child_by_field_name("name") if name.type == "aliased_import" else name
        alias = name.child_by_field_name("alias")
        dotted = _squeeze(_text(module))
        bound = _text(alias) or dotted.partition(".")[0]
        yield Import(module=dotted, level=0, names=(), bound=(bound,), line=node.start_point.row)


def _from_import(node: Node) -> Import:
    source = _squeeze(_text(node.child_by_field_name("module_name")))
    module = source.lstrip(".")
    names, bound = [], []
    for name in node.children_by_field_name("name"):
        target = name.child_by_field_name("name") if name.type == "aliased_import" else name
        names.append(_squeeze(_text(target)))
        bound.append(_text(name.child_by_field_name("alias")) or names[-1])
    if any(child.type == "wildcard_import" for child in node.children):
        names, bound = ["*"], []
    return Import(
        module=module,
        level=len(source) - len(module),
        names=tuple(names),
        bound=tuple(bound),
        line=node.start_point.row,
    )


def _squeeze(dotted: str) -> str:
    return "".join(dotted.split())


def _definition(node: Node, kind: Kind) -> Definition | None:
    """None for what is local to a function."""
    parents = []
    ancestor = node.parent
    while ancestor is not None:
        if ancestor.type == "class_definition":
            parents.append(_text(ancestor.child_by_field_name("name")))
        elif ancestor.type in ("function_definition", "lambda"):
            return None
        ancestor = ancestor.parent
    outer = node.parent if node.parent is not None and node.parent.type == "decorated_definition" else node
    end_line = outer.end_point.row + 1
    name = node.child_by_field_name("left" if kind == "variable" else "name")
    colon = None if kind == "variable" else next((child for child in node.children if child.type == ":"), None)
    return Definition(
        name=_text(name),
        kind=kind,
        parent=".".join(reversed(parents)),
        start_line=outer.start_point.row,
        header_end=end_line if colon is None else colon.end_point.row + 1,
        end_line=end_line,
        doc="" if kind == "variable" else _doc(node.child_by_field_name("body")),
    )


def _doc(body: Node | None) -> str:
    statement = _first_child(body)
    string = _first_child(statement) if statement is not None and statement.type == "expression_statement" else None
    if string is None or string.type != "string":
        return ""
    content = next((_text(child) for child in string.children if child.type == "string_content"), "")
    line = next((line.strip() for line in content.splitlines() if line.strip()), "")
    return "" if '"""' in line or line.endswith(('"', "\\")) else line


def _first_child(node: Node | None) -> Node | None:
    return node.named_children[0] if node is not None and node.named_children else None


SUPPORT = Support(outline=outline, definitions_form=definitions_form, resolve=python_imports.resolve)
