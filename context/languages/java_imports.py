"""Java: from names to the files that declare them, as the Java Language Specification finds types (chapters 6 and 7).

A file uses another one when it names a type of it: by an import, by its full name, or by its simple name, which means
the first of: a type imported by that name, one of the file's own package, one of a package imported with a star. A
package is what files declare, whatever folder they are in, so all source roots and modules of a workspace are one class
path; of several files that declare the same type the nearest one counts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from repofill.context.languages.support import Binding, Resolution
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Import, Interface

UNNAMED = "."
"""The scope of files that declare no package; they see one another within one folder."""


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. Types of libraries resolve to nothing."""
    interface = tree.interface(path)
    if interface is None:
        return Resolution()
    found = dict.fromkeys([*_imported(interface.imports, path, tree), *_mentioned(interface, path, tree)])
    bindings = tuple(binding for binding in found if binding.path != path)
    return Resolution(imports=frozenset(binding.path for binding in bindings), bindings=bindings)


def _imported(imports: Sequence[Import], path: str, tree: FileTree) -> Iterator[Binding]:
    """What imports name that names a type: all but packages with a star."""
    for statement in imports:
        (name,) = statement.names
        static = statement.kind == "static"
        owner = _declaring(statement.module if static or name == "*" else f"{statement.module}.{name}", path, tree)
        if owner is None:
            continue
        file, type_name = owner
        if name == "*":
            yield Binding(local="*", path=file, name="*")
        else:
            yield Binding(local=name, path=file, name=f"{type_name}.{name}" if static else type_name)


def _mentioned(interface: Interface, path: str, tree: FileTree) -> Iterator[Binding]:
    """The types that are named without an import of their own."""
    stars = [i.module for i in interface.imports if i.names == ("*",) and i.kind != "static"]
    visible = [_neighbours(interface.scope, path, tree), *(tree.ask(_declared, package) for package in stars)]
    for name in sorted(interface.references):
        if "." in name:
            owner = _declaring(name, path, tree)
            file = owner[0] if owner is not None else None
        else:
            file = next((nearest for types in visible if (nearest := _nearest(types.get(name, ()), path))), None)
        if file is not None:
            simple = name.rpartition(".")[2]
            yield Binding(local=simple, path=file, name=simple)


def _declaring(qualified: str, path: str, tree: FileTree) -> tuple[str, str] | None:
    """The file of a type by its full name, and its name there ("Outer.Inner"); the longest package counts."""
    parts = qualified.split(".")
    for count in range(len(parts) - 1, 0, -1):
        files = tree.ask(_declared, ".".join(parts[:count])).get(parts[count], ())
        if file := _nearest(files, path):
            return file, ".".join(parts[count:])
    return None


def _neighbours(package: str, path: str, tree: FileTree) -> Mapping[str, tuple[str, ...]]:
    """The types of a file's own package."""
    types = tree.ask(_declared, package)
    if package != UNNAMED:
        return types
    folder = posixpath.dirname(path)
    return {name: tuple(file for file in files if posixpath.dirname(file) == folder) for name, files in types.items()}


def _declared(tree: FileTree, package: str) -> Mapping[str, tuple[str, ...]]:
    """Every top-level type of a package, with the files that declare it."""
    found: dict[str, tuple[str, ...]] = {}
    for path in tree.in_scope("java", package):
        surface = tree.surface(path)
        for name in surface.names if surface is not None else ():
            found[name] = (*found.get(name, ()), path)
    return found


def _nearest(files: Sequence[str], path: str) -> str | None:
    return min(files, key=lambda file: (-_shared(file, path), file)) if files else None


def _shared(one: str, other: str) -> int:
    """Leading directories in common."""
    count = 0
    for a, b in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if a != b:
            break
        count += 1
    return count
