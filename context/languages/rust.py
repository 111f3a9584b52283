"""Rust: `use`, `mod`, definitions and paths by tree-sitter. The way from a path to a file is in `rust_paths`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_rust
from tree_sitter import Language, Node

from repofill.context.languages import rust_paths
from repofill.context.languages.support import Support
from repofill.context.languages.syntax import Patterns, Source, Span, bracketed, captures, definitions, matched, read
from repofill.context.outline import Import, Interface, Outline

_LANGUAGE = Language(tree_sitter_rust.language())
_QUERY = Patterns(
    _LANGUAGE,
    """
    (use_declaration) @use
    (extern_crate_declaration) @extern
    (mod_item !body) @file
    (mod_item name: (identifier) @name body: (declaration_list) @body) @class @module

    (function_item name: (identifier) @name body: (block) @body) @function
    (function_signature_item name: (identifier) @name) @function
    (struct_item name: (type_identifier) @name body: (field_declaration_list) @body) @class
    (struct_item name: (type_identifier) @name) @class
    (union_item name: (type_identifier) @name body: (field_declaration_list) @body) @class
    (enum_item name: (type_identifier) @name body: (enum_variant_list)) @class
    (trait_item name: (type_identifier) @name body: (declaration_list) @body) @class
    (impl_item body: (declaration_list) @body) @group
    (foreign_mod_item body: (declaration_list) @body) @group
    (type_item name: (type_identifier) @name) @class
    (associated_type name: (type_identifier) @name) @variable
    (const_item name: (identifier) @name value: (_)? @body) @variable
    (static_item name: (identifier) @name value: (_)? @body) @variable
    (field_declaration name: (field_identifier) @name) @variable
    (macro_definition name: (identifier) @name @macro) @function
    """,
)
_WORDS = re.compile(
    rb"""//[^\n]*|/\*.*?\*/|b?r(?P<hashes>\#*)".*?"(?P=hashes)|b?"(?:\\.|[^"\\])*"|b?'(?:\\[^']+|[^'\\\n])'
    |(?P<path>(?<![\w:.])(?:::)?\$?[A-Za-z_]\w*(?:::[A-Za-z_]\w*)++(?!::[{*]))
    |(?P<macro>(?<![\w.'$])[a-z_]\w*(?=!(?!=))|(?<=\#\[)[a-z_]\w*)
    |(?P<name>(?<![\w.'$])(?:[A-Z]\w*|[a-z_]\w*(?=\()))""",
    re.DOTALL | re.VERBOSE,
)
"""Comments and literals, or a path, or a macro's or attribute's name, or one that may be an item's: a type, a constant,
what is called. One pass over the text reads the tokens of macros, which the grammar leaves alone, like all others."""
_STANDARD = frozenset(
    {"allow", "assert", "assert_eq", "assert_ne", "cfg", "cfg_attr", "concat", "debug_assert", "debug_assert_eq"}
    | {"deny", "derive", "doc", "eprintln", "format", "ignore", "inline", "matches", "must_use", "panic", "print"}
    | {"println", "repr", "should_panic", "test", "unreachable", "vec", "write", "writeln"}
)
"""The most frequent macros and attributes of the language and its library, not worth a look."""


def outline(path: str, source: bytes) -> Outline:
    """`use`, `mod` and `extern crate` anywhere; items, the members of types under their names wherever they are
    implemented, macros. Paths in modules within the file are given as they would be written outside of them. The scope
    is the names of the file's macros, by which all of the crate knows them; references to macros end in "!"."""
    parsed = read(_LANGUAGE, source)
    found = captures(_QUERY, parsed)
    modules = [(n.start_byte, n.end_byte, parsed.text(n.child_by_field_name("name"))) for n in found.get("module", [])]
    imports = [
        made for node in found.get("use", []) for made in _uses(parsed, node, _inside_of(node.start_byte, modules))
    ]
    imports += [_extern(parsed, node) for node in found.get("extern", [])]
    imports += [_file(parsed, node, _inside_of(node.start_byte, modules)) for node in found.get("file", [])]
    defined = definitions(
        matched(_QUERY, parsed),
        parsed,
        inside=_body,
        attributes=frozenset({"attribute_item"}),
        qualifier=_implemented,
        separators=frozenset({","}),
    )
    names = frozenset(d.name for d in defined if d.name and not d.parent)
    star = any(statement.names == ("*",) for statement in imports)
    return Outline(
        interface=Interface(
            language="rust",
            scope=" ".join(sorted({parsed.text(node) for node in found.get("macro", [])})),
            imports=tuple(sorted(imports, key=lambda i: i.line)),
            names=names,
            references=frozenset(_paths(source, modules, star=star)) - names - {f"{name}!" for name in names},
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _inside_of(byte: int, modules: list[tuple[int, int, str]]) -> tuple[str, ...]:
    """The modules within the file around a place, the outermost first."""
    return tuple(name for start, end, name in modules if start < byte < end)


def _outward(path: tuple[str, ...], inside: tuple[str, ...]) -> tuple[str, ...]:
    """A path in a module within a file as the file's own."""
    if not inside or path[:1] not in (("self",), ("super",)):
        return path
    while path[:1] == ("super",) and inside:
        path, inside = ("self", *path[1:]) if path[1:2] != ("super",) else path[1:], inside[:-1]
    return ("self", *inside, *path[1:]) if path[:1] == ("self",) else path


def _paths(source: bytes, modules: list[tuple[int, int, str]], *, star: bool) -> Iterator[str]:
    for match in _WORDS.finditer(source):
        if match["path"]:
            path = tuple(match["path"].decode("utf-8", "replace").removeprefix("$").split("::"))
            yield "::".join(_outward(path, _inside_of(match.start(), modules)))
        elif match["macro"]:
            name = match["macro"].decode("utf-8", "replace")
            if name not in _STANDARD:
                yield f"{name}!"
        elif star and match["name"]:
            yield match["name"].decode("utf-8", "replace")


def _uses(source: Source, node: Node, inside: tuple[str, ...]) -> Iterator[Import]:
    """One import for each leaf of a use-tree: `module` is the path ahead of the name, `kind` "pub" if it is passed
    on, and the modules within the file that pass it on."""
    passed_on = any(child.type == "visibility_modifier" for child in node.children)
    kind = " ".join(("pub", *inside)) if passed_on else "use"
    waiting: list[tuple[tuple[str, ...], Node | None]] = [((), node.child_by_field_name("argument"))]
    while waiting:
        prefix, tree = waiting.pop()
        if tree is None:
            continue
        if tree.type == "scoped_use_list":
            inner = (*prefix, *_segments(source, tree.child_by_field_name("path")))
            waiting.append((inner, tree.child_by_field_name("list")))
        elif tree.type == "use_list":
            waiting += [(prefix, child) for child in reversed(tree.named_children)]
        else:
            alias = source.text(tree.child_by_field_name("alias")) if tree.type == "use_as_clause" else ""
            leaf = tree.child_by_field_name("path") if tree.type == "use_as_clause" else tree
            path = (*prefix, *_segments(source, leaf))
            path = path[:-1] if len(path) > 1 and path[-1] == "self" else path
            path = _outward(path, inside)
            if not path or path == ("",):
                continue
            star = path[-1] == "*"
            yield Import(
                module="::".join(path[:-1]),
                names=(path[-1],),
                bound=() if star else (alias or path[-1],),
                kind=kind,
                line=tree.start_point.row,
            )


def _segments(source: Source, node: Node | None) -> tuple[str, ...]:
    text = "".join(source.text(node).split())
    return tuple(text.split("::")) if text and "{" not in text and "/" not in text else ()


def _extern(source: Source, node: Node) -> Import:
    name = source.text(node.child_by_field_name("name"))
    alias = source.text(node.child_by_field_name("alias"))
    macros = any(re.match(r"#\[\s*macro_use\b", text) for text in _attributes(source, node))
    kind = "macro_use" if macros else "extern"
    return Import(module="", names=(name,), bound=(alias or name,), kind=kind, line=node.start_point.row)


def _file(source: Source, node: Node, inside: tuple[str, ...]) -> Import:
    """`mod name;`, as `kind` "mod", with `module` the folders of the modules around it, or "path" with `#[path]`."""
    name = source.text(node.child_by_field_name("name"))
    for text in _attributes(source, node):
        path = re.match(r'#\[\s*path\s*=\s*"([^"]+)"', text)
        if path is not None:
            return Import(module=path[1], names=(), bound=(name,), kind="path", line=node.start_point.row)
    return Import(module="/".join(inside), names=(), bound=(name,), kind="mod", line=node.start_point.row)


def _attributes(source: Source, node: Node) -> Iterator[str]:
    before = node.prev_named_sibling
    while before is not None and before.type in ("attribute_item", "line_comment", "block_comment"):
        yield source.text(before)
        before = before.prev_named_sibling


def _body(source: Source, body: Node) -> Span:
    blocks = ("block", "declaration_list", "field_declaration_list")
    return bracketed(source, body) if body.type in blocks else (body.start_byte, body.end_byte)


def _implemented(source: Source, node: Node) -> str:
    """The type that an `impl` is for."""
    kind = node.child_by_field_name("type") if node.type == "impl_item" else None
    while kind is not None and kind.type not in ("type_identifier", "primitive_type"):
        kind = kind.child_by_field_name("name") or kind.child_by_field_name("type")
    return source.text(kind)


SUPPORT = Support(
    outline=outline,
    resolve=rust_paths.resolve,
    configs=("Cargo.toml",),
    empty_body=" ",
    empty_value="()",
)
