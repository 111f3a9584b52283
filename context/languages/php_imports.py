"""PHP: from names to the files that Composer's autoloader would load for them, and from `include` to files.

A class is where PSR-4 or PSR-0 of any composer.json of the workspace puts it; without such a place (class maps,
"files", code without Composer) where a file of its namespace defines it. Sources of the rules: "autoload" in Composer's
schema, PSR-4, and "Name resolution rules" in PHP's manual.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from repofill.context.languages.support import Binding, Resolution
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Import, Interface

GLOBAL = "\\"
"""The scope of files outside of every namespace."""


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. The files whose classes and functions this one uses, imported by `use` or not, and those
    that it includes."""
    interface = tree.interface(path)
    if interface is None:
        return Resolution()
    found: dict[Binding, None] = {}
    for statement in interface.imports:
        if statement.kind in ("include", "tail"):
            file = _included(path, statement, tree)
            bindings = [Binding(local="*", path=file, name="*")] if file is not None else []
        else:
            bindings = [*_imported(statement, path, tree)]
        found |= dict.fromkeys(bindings)
    found |= dict.fromkeys(_referred(interface, path, tree))
    bindings = [binding for binding in found if binding.path != path]
    return Resolution(imports=frozenset(binding.path for binding in bindings), bindings=tuple(bindings))


def _imported(statement: Import, path: str, tree: FileTree) -> Iterator[Binding]:
    for name, local in zip(statement.names, statement.bound, strict=True):
        file = _defining(path, statement.module, name, tree)
        if file is not None:
            yield Binding(local=local, path=file, name=name)


def _referred(interface: Interface, path: str, tree: FileTree) -> Iterator[Binding]:
    """Names used as PHP resolves them: fully qualified, through the alias of their first part, else in the file's own
    namespace; a function that is not there in the global one."""
    types = {
        local: (statement.module, name)
        for statement in interface.imports
        if statement.kind == "class"
        for name, local in zip(statement.names, statement.bound, strict=True)
    }
    functions = {local for statement in interface.imports if statement.kind == "function" for local in statement.bound}
    for reference in sorted(interface.references):
        written = reference.removesuffix("()")
        if written in types or written in functions:
            continue  # the `use` has bound it
        name = written.rpartition("\\")[2]
        scopes = [_scope(written, own, types) for own in interface.scope.split()]
        if written != reference and written == name:
            scopes.append(GLOBAL)
        file = next((file for scope in scopes if (file := _defining(path, scope, name, tree)) is not None), None)
        if file is not None:
            yield Binding(local=name, path=file, name=name)


def _scope(written: str, own: str, types: Mapping[str, tuple[str, str]]) -> str:
    """The namespace of a name as it is written in a file of the namespace `own`."""
    space = written.rpartition("\\")[0]
    if written.startswith("\\"):
        return space.lstrip("\\") or GLOBAL
    if not space:
        return own
    first, _, rest = space.partition("\\")
    base = _joined(*types[first]) if first in types else _joined(own, first)
    return _joined(base, rest)


def _joined(space: str, name: str) -> str:
    return "\\".join(part for part in (space.strip("\\"), name) if part)


def _defining(path: str, scope: str, name: str, tree: FileTree) -> str | None:
    """The file that defines a name of a namespace: Composer's, else, of those of the namespace, the nearest one."""
    file = tree.ask(_autoloaded, _joined(scope, name))
    if file is not None:
        return file
    files = tree.ask(_declared, scope).get(name, ())
    return min(files, key=lambda file: (-_shared(file, path), file)) if files else None


def _declared(tree: FileTree, scope: str) -> Mapping[str, tuple[str, ...]]:
    """Every top-level name of a namespace with the files that define it."""
    found: dict[str, tuple[str, ...]] = {}
    for path in tree.in_scope("php", scope):
        surface = tree.surface(path)
        for name in surface.names if surface is not None else ():
            found[name] = (*found.get(name, ()), path)
    return found


def _autoloaded(tree: FileTree, name: str) -> str | None:
    """The file of a class by its fully qualified name; the longest prefix first."""
    for prefix, folder, is_psr4 in tree.ask(_prefixes):
        if name.startswith(prefix):
            rest = name.removeprefix(prefix) if is_psr4 else _underscored(name)
            file = posixpath.normpath(posixpath.join(folder, rest.replace("\\", "/") + ".php"))
            if file in tree:
                return file
    return None


def _underscored(name: str) -> str:
    """PSR-0: an underscore in the class's own name stands for a folder."""
    space, separator, last = name.rpartition("\\")
    return space + separator + last.replace("_", "\\")


def _prefixes(tree: FileTree) -> tuple[tuple[str, str, bool], ...]:
    """Prefix, folder and whether it is PSR-4's, of every composer.json, the longest prefix first."""
    found = [
        (prefix, posixpath.join(posixpath.dirname(path), folder), standard == "psr-4")
        for path in tree.named("composer.json")
        for section in ("autoload", "autoload-dev")
        for standard in ("psr-4", "psr-0")
        for prefix, folders in _object(_object(_parsed(tree.config(path)).get(section)).get(standard)).items()
        for folder in (folders if isinstance(folders, list) else [folders])
        if isinstance(folder, str)
    ]
    return tuple(sorted(found, key=lambda rule: (-len(rule[0]), not rule[2])))


def _parsed(text: str | None) -> dict[str, Any]:
    try:
        return _object(json.loads(text or ""))
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _included(path: str, statement: Import, tree: FileTree) -> str | None:
    """The included file: from a folder that is known, else beside the file or at the workspace's root; where what
    stands ahead of the literal is not known, the only file whose path ends like that."""
    folder = posixpath.dirname(path)
    if statement.level:
        return _existing([_up(folder, statement.level - 1, statement.module)], tree)
    tail = statement.module.lstrip("./")
    if statement.kind == "tail":
        files = [file for file in tree.named(posixpath.basename(tail)) if f"/{file}".endswith(f"/{tail}")]
        return _existing(files, tree) if len(files) == 1 else None
    return _existing([posixpath.join(folder, statement.module), statement.module], tree)


def _up(folder: str, levels: int, literal: str) -> str:
    return posixpath.join(folder, "../" * levels + literal.lstrip("/"))


def _existing(files: list[str], tree: FileTree) -> str | None:
    return next((file for file in map(posixpath.normpath, files) if file in tree), None)


def _shared(one: str, other: str) -> int:
    """Leading folders in common."""
    pairs = zip(one.split("/")[:-1], other.split("/")[:-1], strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(one.count("/"), other.count("/")))
