"""Lua: imports and definitions by tree-sitter, and from `require` to the files on `package.path`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

import tree_sitter_lua
from tree_sitter import Language, Node

from repofill.context.languages.support import Binding, Resolution, Support
from repofill.context.languages.syntax import (
    Patterns,
    Source,
    Span,
    ahead,
    bracketed,
    captures,
    definitions,
    matched,
    read,
)
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Import, Interface, Outline

_LANGUAGE = Language(tree_sitter_lua.language())
_QUERY = Patterns(
    _LANGUAGE,
    """
    ((function_call name: (identifier) @_called) @call (#any-of? @_called "require" "pcall" "dofile" "loadfile"))
    (function_declaration name: [
        (identifier) @name
        (dot_index_expression field: (identifier) @name)
        (method_index_expression method: (identifier) @name)] body: (_)? @body) @function
    (chunk [
        (variable_declaration (assignment_statement
            (variable_list . name: (identifier) @name)
            (expression_list . value: (function_definition body: (_)? @body)))) @function
        (assignment_statement
            (variable_list . name: [(identifier) @name (dot_index_expression field: (identifier) @name)])
            (expression_list . value: (function_definition body: (_)? @body))) @function
        (variable_declaration (assignment_statement
            (variable_list . name: (identifier) @name)
            (expression_list . value: (table_constructor (field name: (_) value: (function_definition))) @body))) @class
        (assignment_statement
            (variable_list . name: [(identifier) @name (dot_index_expression field: (identifier) @name)])
            (expression_list . value:
                (table_constructor (field name: (_) value: (function_definition))) @body)) @class
        (return_statement "return" @name (expression_list .
            (table_constructor (field name: (_) value: (function_definition))) @body)) @class])
    (chunk (_ (expression_list . (table_constructor (field
        name: (_) @name value: (function_definition body: (_)? @body)) @function @member))))
    (chunk (_ (expression_list . (table_constructor (field name: (_) @name value: (_) @body) @variable @member))))
    (chunk (_ (assignment_statement (expression_list . (table_constructor (field
        name: (_) @name value: (function_definition body: (_)? @body)) @function @member)))))
    (chunk (_ (assignment_statement (expression_list . (table_constructor
        (field name: (_) @name value: (_) @body) @variable @member)))))
    (chunk [
        (variable_declaration (assignment_statement
            (variable_list . name: (identifier) @name) (expression_list . value: (_) @body))) @variable
        (assignment_statement
            (variable_list . name: [(identifier) @name (dot_index_expression field: (identifier) @name)])
            (expression_list . value: (_) @body)) @variable]
        (#not-match? @body "^require[^a-zA-Z0-9_]"))
    """,
)
_SEPARATORS = frozenset({",", ";"})
_USUAL_ROOTS = frozenset({"", "src", "lib", "lua", "share"})
_MODULE = re.compile(r"""(?:\[\s*["']([\w.-]+)["']\s*\]|\b(\w+))\s*=\s*["']([^"'\n]+\.lua)["']""")


def outline(path: str, source: bytes) -> Outline:
    """Calls of `require`, `dofile` and `loadfile` anywhere in the file; functions, and the tables and variables of the
    top level. What is defined as `M.f` or `M:f` belongs to `M`."""
    parsed = read(_LANGUAGE, source)
    found = captures(_QUERY, parsed)
    imports = [made for node in found.get("call", []) for made in _imports(parsed, node)]
    defined = definitions(
        matched(_QUERY, parsed), parsed, inside=_inside, qualifier=_qualifier, separators=_SEPARATORS, name=_name
    )
    return Outline(
        interface=Interface(
            language="lua",
            imports=tuple(sorted(imports, key=lambda i: i.line)),
            names=frozenset(d.qualified.partition(".")[0] for d in defined),
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _inside(source: Source, body: Node) -> Span:
    """A function's body between its parameters and `end`; what is in a table's braces; another value whole."""
    parent = body.parent
    if parent is None or parent.type not in ("function_declaration", "function_definition"):
        if body.type == "table_constructor":
            return bracketed(source, body)
        return body.start_byte, body.end_byte
    end, header = parent.children[-1], ahead(body)
    if end.type != "end" or header is None:
        return parent.end_byte, parent.end_byte
    return header.end_byte, end.start_byte


def _name(source: Source, node: Node) -> str:
    return source.text(node).strip("\"'")


def _qualifier(source: Source, node: Node) -> str:
    """The table ahead of the name in `function A.b:c()` and `A.b.c = 1`."""
    name = node.child_by_field_name("name")
    if node.type == "assignment_statement" and node.named_children:
        name = node.named_children[0].child_by_field_name("name")
    return source.text(name.child_by_field_name("table")) if name is not None else ""


def _imports(source: Source, call: Node) -> Iterator[Import]:
    """`local a = require "m"`, `local b = require("m").b`, `local ok, a = pcall(require, "m")`, `dofile "f.lua"`."""
    kind = source.text(call.child_by_field_name("name"))
    arguments = call.child_by_field_name("arguments")
    given = arguments.named_children if arguments is not None else []
    is_protected = kind == "pcall"
    if is_protected:
        kind, given = (source.text(given[0]), given[1:]) if given else ("", [])
    if kind not in ("require", "dofile", "loadfile") or not given or given[0].type != "string":
        return
    module = source.text(given[0].child_by_field_name("content"))
    value, names = call, list[str]()
    if call.parent is not None and call.parent.type == "dot_index_expression":
        value, names = call.parent, [source.text(call.parent.child_by_field_name("field"))]
    local = _assigned(source, value, 1 if is_protected else 0)
    if module:
        bound = (local,) if local else ()
        yield Import(module=module, names=tuple(names), bound=bound, kind=kind, line=call.start_point.row)


def _assigned(source: Source, value: Node, after: int) -> str:
    """The variable that gets a value of an assignment, or that many variables after it."""
    values = value.parent
    statement = values.parent if values is not None and values.type == "expression_list" else None
    if values is None or statement is None or statement.type != "assignment_statement":
        return ""
    variables = statement.named_children[0].children_by_field_name("name")
    at = values.named_children.index(value) + after
    return source.text(variables[at]) if at < len(variables) and variables[at].type == "identifier" else ""


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. A module is where a rockspec says, or where its name leads below a folder that may be on
    `package.path`: one around the importing file, or one of the usual source folders."""
    interface = tree.interface(path)
    bindings: list[Binding] = []
    for statement in interface.imports if interface is not None else ():
        file = _required(path, statement, tree)
        if file is None or file == path:
            continue
        surface = tree.surface(file)
        name = next((n for n in statement.names if surface is not None and n in surface.names), "")
        bindings += [Binding(local=local, path=file, name=name) for local in statement.bound]
        if not statement.bound:
            bindings.append(Binding(local="*", path=file, name="*"))
    return Resolution(imports=frozenset(b.path for b in bindings), bindings=tuple(dict.fromkeys(bindings)))


def _required(path: str, statement: Import, tree: FileTree) -> str | None:
    if statement.kind != "require":
        beside = posixpath.join(posixpath.dirname(path), statement.module)
        return next((file for file in map(posixpath.normpath, (statement.module, beside)) if file in tree), None)
    listed = tree.ask(_rocks).get(statement.module)
    if listed is not None and listed in tree:
        return listed
    inner = statement.module.replace(".", "/")
    for feature in (f"{inner}.lua", f"{inner}/init.lua"):
        found = [
            (file, root)
            for file in tree.named(posixpath.basename(feature))
            if file != path
            and f"/{file}".endswith(f"/{feature}")
            and _may_be_searched(root := file[: -len(feature)].rstrip("/"), path)
        ]
        if found:
            return min(found, key=lambda pair: (-len(posixpath.commonpath([f"/{pair[1]}", f"/{path}"])), pair))[0]
    return None


def _may_be_searched(root: str, path: str) -> bool:
    return posixpath.basename(root) in _USUAL_ROOTS or path.startswith(f"{root}/")


def _rocks(tree: FileTree) -> Mapping[str, str]:
    """The Lua files that rockspecs list under `build.modules`, by the modules' names."""
    return {
        quoted or plain: posixpath.normpath(file)
        for folder in ("", "rockspec", "rockspecs")
        for name in tree.entries(folder)
        if name.endswith(".rockspec")
        for quoted, plain, file in _MODULE.findall(tree.config(posixpath.join(folder, name)) or "")
    }


SUPPORT = Support(outline=outline, resolve=resolve, configs=("*.rockspec",), empty_body="\n", empty_value="nil")
