"""JavaScript and TypeScript: from an import to the files that it names, and behind re-exports to those that define what
is taken. Where a name stands for a module: `ecmascript_modules`.

The kinds of imports: "import" and "require" bring names into the file, "export" passes names of another module on,
"local" (without a module) gives names of the file other ones outside, "reference" is `/// <reference path>`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from repofill.context.languages.ecmascript_config import folder_of, joined
from repofill.context.languages.ecmascript_modules import module, source_file
from repofill.context.languages.support import Binding, Resolution
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Import

ASSIGNED = "export="
"""What `module.exports = …` and `export = …` export, as TypeScript names it."""

_MOST_FILES = 1000
"""Files that are searched for one name at most, through `export *`."""


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. What is not in the workspace (installed packages, typing mistakes) resolves to nothing."""
    interface = tree.interface(path)
    imports, origins = set[str](), set[str]()
    bindings: dict[Binding, None] = {}
    for statement in interface.imports if interface is not None else ():
        target = _target(tree, path, statement)
        if target is None:
            continue
        imports.add(target)
        for local, file, name in _brought(tree, statement, target):
            origins.add(file)
            if file != path:
                bindings[Binding(local=local, path=file, name=name)] = None
    return Resolution(
        imports=frozenset(imports - {path}), origins=frozenset(origins - imports - {path}), bindings=tuple(bindings)
    )


def _brought(tree: FileTree, statement: Import, target: str) -> Iterator[tuple[str, str, str]]:
    """Each name that a statement brings: the name here, the file that defines it and its name there."""
    if statement.names == ("*",):
        yield "*", target, "*"
    elif statement.names:
        for name, local in zip(statement.names, statement.bound, strict=False):
            yield local, *tree.ask(_origin, target, name)
    else:
        whole = tree.ask(_origin, target, ASSIGNED) if statement.kind == "require" else (target, "")
        for local in statement.bound:
            yield local, *whole


def _target(tree: FileTree, path: str, statement: Import) -> str | None:
    if not statement.module:
        return None
    if statement.kind == "reference":
        target = joined(folder_of(path), statement.module)
        return tree.ask(source_file, target) if target is not None else None
    return tree.ask(module, folder_of(path), statement.module)


@dataclass(frozen=True, slots=True)
class _Exports:
    """`given`: exported name → (file, name there); `passed_on`: files all of whose names are exported too."""

    given: dict[str, tuple[str, str]]
    passed_on: tuple[str, ...]


def _exports(tree: FileTree, file: str) -> _Exports:
    """What a file exports of its own and of others, without looking into those."""
    interface = tree.surface(file)
    given: dict[str, tuple[str, str]] = {}
    passed_on: list[str] = []
    taken: dict[str, tuple[str, str]] = {}
    for statement in interface.imports if interface is not None else ():
        target = _target(tree, file, statement)
        if target is None:
            continue
        if statement.kind == "export" and statement.names == ("*",):
            passed_on.append(target)
        elif statement.kind in ("import", "require", "export"):
            names = statement.names or ("",)
            into = given if statement.kind == "export" else taken
            into.update((local, (target, name)) for name, local in zip(names, statement.bound, strict=False))
    own = interface.names if interface is not None else frozenset()
    given.update((name, (file, name)) for name in own)
    for statement in interface.imports if interface is not None else ():
        if statement.kind == "local":
            for name, exported in zip(statement.names, statement.bound, strict=True):
                if name in own or name not in taken:
                    given[exported] = file, name
                else:
                    given[exported] = taken[name]
    return _Exports(given, tuple(dict.fromkeys(passed_on)))


def _origin(tree: FileTree, file: str, name: str) -> tuple[str, str]:
    """The file that defines what `file` exports as `name`, and its name there: "" for the whole module. Where nobody
    does, `file` itself."""
    seen = {(file, name)}
    waiting = [(file, name)]
    while waiting and len(seen) <= _MOST_FILES:
        at, wanted = waiting.pop()
        exports = tree.ask(_exports, at)
        found = exports.given.get(wanted)
        if found is None and wanted == "default":
            found = exports.given.get(ASSIGNED)  # what `esModuleInterop` makes of CommonJS
        if found is not None and (found[0] == at or not found[1]):
            return found
        further = [found] if found is not None else [(target, wanted) for target in reversed(exports.passed_on)]
        if wanted == "default" and found is None:
            continue  # `export *` leaves it out
        waiting += [step for step in further if step not in seen]
        seen.update(further)
    return file, "" if name in ("default", ASSIGNED) else name
