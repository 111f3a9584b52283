"""Shell: definitions by tree-sitter's grammar of Bash, and from `source` to files.

What is sourced is known when the script runs. Here it is read off the text: the script's own folder in the forms that
scripts use for it, else the end of the path.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

import tree_sitter_bash
from tree_sitter import Language, Node

from repofill.context.languages.support import Binding, Resolution, Support
from repofill.context.languages.syntax import Patterns, Source, Span, bracketed, captures, definitions, matched, read
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Import, Interface, Outline

_LANGUAGE = Language(tree_sitter_bash.language())
_QUERY = Patterns(
    _LANGUAGE,
    """
    ((command name: (command_name) @_command . argument: (_) @sourced) (#any-of? @_command "source" "."))
    (function_definition name: (word) @name body: (_) @body) @function
    (program (variable_assignment name: (variable_name) @name value: (_)? @body) @variable)
    (program (declaration_command (variable_assignment name: (variable_name) @name value: (_)? @body)) @variable)
    """,
)
_DIRECTIVE = re.compile(r"#\s*shellcheck\s.*?\bsource=(\S+)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_OWN_PLACE = re.compile(r"\$\{?(?:BASH_SOURCE|0|\{0)")
_FOLDER = re.compile(r"\bdirname\b|%/\*|:a:h|:A:h")
_FURTHER = re.compile(r"[)}]\"?((?:/[\w.-]+)+)")
_MOST_HOPS = 4


def outline(path: str, source: bytes) -> Outline:
    """`source` and `.` anywhere in the file; functions, and the variables of the top level."""
    parsed = read(_LANGUAGE, source)
    sourced = captures(_QUERY, parsed).get("sourced", [])
    defined = definitions(matched(_QUERY, parsed), parsed, inside=_inside)
    return Outline(
        interface=Interface(
            language="shell",
            imports=tuple(made for node in sourced for made in _imports(parsed, node)),
            names=frozenset(d.name for d in defined),
        ),
        definitions=defined,
        has_error=parsed.root.has_error,
    )


def _inside(source: Source, body: Node) -> Span:
    """What is in the braces or parentheses of a function or an array; another value whole."""
    if body.type in ("compound_statement", "subshell", "array"):
        return bracketed(source, body)
    is_value = body.parent is not None and body.parent.type == "variable_assignment"
    return (body.start_byte if is_value else body.end_byte), body.end_byte


def _imports(source: Source, node: Node) -> Iterator[Import]:
    """`kind` is "here" for a path from the script's own folder, "plain" for one that is written out, "tail" for one of
    which only the end is known."""
    row = node.start_point.row
    directive = _directive(source, node)
    base, literal = _split(source, node)
    if directive:
        kind, module = "plain", directive.removeprefix("SCRIPTDIR/")
    elif base:
        folder = _folder(base, source.encoded)
        kind = "tail" if folder is None else "here"
        module = posixpath.normpath(posixpath.join(folder or "", literal.lstrip("/")))
    else:
        kind, module = ("tail" if literal.startswith("/") else "plain"), literal
    if literal.strip("/") or directive:
        yield Import(module=module, names=("*",), kind=kind, line=row)


def _directive(source: Source, node: Node) -> str:
    """What a ShellCheck directive on the line above says is sourced."""
    start = source.encoded.rfind(b"\n", 0, node.start_byte)
    above = source.encoded[source.encoded.rfind(b"\n", 0, max(start, 0)) + 1 : max(start, 0)]
    found = _DIRECTIVE.search(above.decode("utf-8", "replace"))
    return found[1] if found is not None and found[1] != "/dev/null" else ""


def _split(source: Source, node: Node) -> tuple[str, str]:
    """What is expanded, as it is written, and the literal that ends the word."""
    pieces = list(_pieces(node))
    literal = ""
    while pieces and pieces[-1].type in ("word", "string_content", "raw_string"):
        literal = source.text(pieces.pop()).strip("'") + literal
    if not pieces:
        return "", literal
    return source.encoded[pieces[0].start_byte : pieces[-1].end_byte].decode("utf-8", "replace"), literal


def _pieces(node: Node) -> Iterator[Node]:
    if node.type in ("string", "concatenation"):
        for child in node.named_children:
            yield from _pieces(child)
    else:
        yield node


def _folder(base: str, text: bytes) -> str | None:
    """The folder that an expansion stands for, from the script's own; None when it is not known. Variables count as
    what the script last sets them to."""
    further = ""
    for _ in range(_MOST_HOPS):
        if _OWN_PLACE.search(base) and _FOLDER.search(base):
            inside = "".join(_FURTHER.findall(base)).lstrip("/")
            return posixpath.normpath(posixpath.join("../" * (base.count("dirname") - 1), inside, further))
        variable = _VARIABLE.match(base.strip('"'))
        if variable is None:
            return None
        further = base.strip('"')[variable.end() :].strip('"/') + "/" + further
        name = (variable[1] or variable[2]).encode()
        values = re.findall(
            rb"(?m)^[ \t]*(?:(?:readonly|local|export|declare|typeset)\s+(?:-\w+\s+)*)?" + name + rb"=(.*)", text
        )
        if not values:
            return None
        base = values[-1].decode("utf-8", "replace").strip()
    return None


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. Sourcing a file brings all that it defines."""
    interface = tree.interface(path)
    found = {_sourced(path, statement, tree) for statement in (interface.imports if interface is not None else ())}
    files = sorted(file for file in found if file is not None and file != path)
    return Resolution(
        imports=frozenset(files), bindings=tuple(Binding(local="*", path=file, name="*") for file in files)
    )


def _sourced(path: str, statement: Import, tree: FileTree) -> str | None:
    """A path that is written out may start at the script's folder, or at one around it from which the script is run;
    of one that is installed elsewhere, or unknown, the longest end that a file has counts, of several files the
    nearest."""
    folder = posixpath.dirname(path)
    file = posixpath.normpath(posixpath.join(folder, statement.module))
    if statement.kind != "tail" and file in tree:
        return file
    while statement.kind == "plain" and folder:
        folder = posixpath.dirname(folder)
        file = posixpath.normpath(posixpath.join(folder, statement.module))
        if file in tree:
            return file
    if statement.kind == "plain":
        return None
    parts = [part for part in statement.module.split("/") if part not in ("", ".", "..")]
    same = [file for file in tree.named(parts[-1]) if file in tree and file != path] if parts else []
    for count in range(len(parts)):
        tail = "/".join(parts[count:])
        ending = [file for file in same if f"/{file}".endswith(f"/{tail}")]
        if ending:
            return _nearest(path, ending)
    return None


def _nearest(path: str, files: list[str]) -> str | None:
    """The file that shares more leading folders with `path` than any other."""
    shared = {file: len(posixpath.commonpath([f"/{file}", f"/{path}"])) for file in files}
    best = [file for file in files if shared[file] == max(shared.values())]
    return best[0] if len(best) == 1 else None


SUPPORT = Support(outline=outline, resolve=resolve, empty_body=" :; ")
