"""C#: from names to the files that declare them, as the C# language specification finds types (chapters 7.8 and 14).

A simple name means the first of: a type of the namespaces around it, from the innermost to the global one, and a type
of a namespace that a `using` names. The parts of a partial type are in several files, and each of them uses the others.
Where there are project files, names lead to the file's own project and to those that it references.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from repofill.context.languages.support import Binding, Resolution
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Import

GLOBAL = "global::"
"""The scope of files outside of every namespace."""

GLOBAL_USINGS = "global::using"
"""A scope, too, of files whose usings count in the whole project."""

_PROPERTIES = "Directory.Build.props"


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. Types of libraries resolve to nothing."""
    interface = tree.interface(path)
    if interface is None:
        return Resolution()
    project = tree.ask(_project, posixpath.dirname(path))
    usings = (*interface.imports, *tree.ask(_global_usings, project))
    spaces = tuple(_around(interface.scope))
    searched = [*spaces, *(space for using in usings for space in _used(using, spaces))]
    names = _Names(
        tree=tree,
        project=project,
        visible=None if project is None else tree.ask(_reached, project),
        spaces=spaces,
        types=tuple(types for space in dict.fromkeys(searched) if (types := tree.ask(_declared, space))),
        aliases={using.bound[0]: _joined(using.module, using.names[0]) for using in usings if using.bound},
    )
    brought = [*interface.imports, *(using for using in usings if not interface.references.isdisjoint(using.bound))]
    bindings = dict.fromkeys(binding for using in brought for binding in names.imported(using))
    for reference in sorted(interface.references):
        name = reference.rpartition(".")[2]
        bindings |= dict.fromkeys(Binding(local=name, path=f, name=name) for f in names.files(reference))
    found = tuple(binding for binding in bindings if binding.path != path)
    # Nothing says which of a project's files use the members of a type that one using names for all of them.
    everywhere = (binding for using in usings if using.kind == "global static" for binding in names.imported(using))
    return Resolution(
        imports=frozenset(binding.path for binding in found),
        bindings=tuple(dict.fromkeys((*found, *(binding for binding in everywhere if binding.path != path)))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What names mean in one file. `visible` are the projects that its own one sees, None for all; `spaces` the
    namespaces around its code, from the innermost to the global one; `types` what these and those of its usings
    declare."""

    tree: FileTree
    project: str | None
    visible: frozenset[str] | None
    spaces: tuple[str, ...]
    types: tuple[Mapping[str, tuple[str, ...]], ...]
    aliases: Mapping[str, str]

    def imported(self, using: Import) -> Iterator[Binding]:
        """What a using names that names a type."""
        if using.kind.endswith("namespace"):
            return
        static = using.kind.endswith("static")
        target = using.module if static else _joined(using.module, using.names[0])
        for file, name in self._qualified(target):
            yield Binding(local="*" if static else using.bound[0], path=file, name="*" if static else name)

    def files(self, reference: str) -> list[str]:
        """The files that declare a type by its name in this file, in several parts perhaps."""
        if "." in reference or reference.startswith(GLOBAL):
            head, _, rest = reference.partition(".")
            target = f"{self.aliases[head]}.{rest}" if head in self.aliases else reference
            return [] if self._simple(head) else [file for file, _ in self._qualified(target)]
        return [] if reference in self.aliases else self._simple(reference)

    def _simple(self, name: str) -> list[str]:
        return next((files for types in self.types if (files := self._seen(types.get(name, ())))), [])

    def _qualified(self, target: str) -> list[tuple[str, str]]:
        """The files of a type by its qualified name, with its own name."""
        parts = target.removeprefix(GLOBAL).split(".")
        for around in (GLOBAL,) if target.startswith(GLOBAL) else self.spaces:
            space = around
            for part in parts:
                if files := self._seen(self.tree.ask(_declared, space).get(part, ())):
                    return [(file, part) for file in files]
                space = part if space == GLOBAL else _joined(space, part)
        return []

    def _seen(self, files: tuple[str, ...]) -> list[str]:
        """Of the files that declare a type those that count: the own project's before those of others."""
        if not files or self.visible is None:
            return list(files)
        projects = {file: self.tree.ask(_project, posixpath.dirname(file)) for file in files}
        own = [file for file in files if projects[file] == self.project]
        return own or [file for file in files if (at := projects[file]) is None or at in self.visible]


def _around(scope: str) -> Iterator[str]:
    for space in scope.split():
        while space and not space.startswith(GLOBAL):
            yield space
            space = space.rpartition(".")[0]
    yield GLOBAL


def _used(using: Import, spaces: tuple[str, ...]) -> tuple[str, ...]:
    """The namespaces that a using may name: within a namespace it may leave out the beginning."""
    if not using.kind.endswith("namespace"):
        return ()
    outer = spaces[:-1] if using.kind.startswith("inner") else ()
    return (*(_joined(space, using.module) for space in outer), using.module)


def _joined(space: str, name: str) -> str:
    return f"{space}.{name}" if space else name


def _declared(tree: FileTree, space: str) -> Mapping[str, tuple[str, ...]]:
    """Every type of a namespace, with the files that declare it."""
    found: dict[str, tuple[str, ...]] = {}
    for path in tree.in_scope("csharp", space):
        surface = tree.surface(path)
        for name in surface.names if surface is not None else ():
            found[name] = (*found.get(name, ()), path)
    return found


def _global_usings(tree: FileTree, project: str | None) -> tuple[Import, ...]:
    """Usings that count in every file of a project: of its files and of its project file."""
    found = []
    for path in tree.in_scope("csharp", GLOBAL_USINGS):
        surface = tree.surface(path)
        if surface is not None and tree.ask(_project, posixpath.dirname(path)) == project:
            found += [using for using in surface.imports if using.kind.startswith("global")]
    for file in [*_project_files(project, tree), *_properties(project, tree)]:
        for item in tree.ask(_items, file, "Using"):
            found += [_using(item, target.strip()) for target in item["Include"].split(";")]
    return tuple(found)


def _using(item: Mapping[str, str], target: str) -> Import:
    """A `<Using Include="A.B" />` of a project file, which may have `Static="true"` or an `Alias`."""
    if "Alias" in item:
        module, _, name = target.rpartition(".")
        return Import(module=module, names=(name,), bound=(item["Alias"],), kind="global alias")
    is_static = item.get("Static", "").lower() == "true"
    return Import(module=target, names=("*",), kind=f"global {'static' if is_static else 'namespace'}")


# Projects: a folder with a project file, and everything below it that has none of its own


def _project(tree: FileTree, folder: str) -> str | None:
    """The project of the files of a folder; None without one."""
    while True:
        if any(name.endswith(".csproj") for name in tree.entries(folder)):
            return folder
        if not folder:
            return None
        folder = posixpath.dirname(folder)


def _project_files(project: str | None, tree: FileTree) -> list[str]:
    names = tree.entries(project) if project is not None else ()
    return [posixpath.join(project or "", name) for name in names if name.endswith(".csproj")]


def _properties(project: str | None, tree: FileTree) -> list[str]:
    """The nearest `Directory.Build.props` around a project, which is part of its project file."""
    folder = project
    while folder is not None:
        if _PROPERTIES in tree.entries(folder):
            return [posixpath.join(folder, _PROPERTIES)]
        folder = posixpath.dirname(folder) if folder else None
    return []


def _reached(tree: FileTree, project: str) -> frozenset[str] | None:
    """The projects that a project references, through others too, or whose files it compiles itself; None for all,
    where that takes MSBuild to say."""
    seen = {project}
    waiting = [project]
    while waiting:
        for file in _project_files(waiting.pop(), tree):
            items = (*tree.ask(_items, file, "ProjectReference"), *tree.ask(_items, file, "Compile"))
            includes = [item["Include"] for item in items]
            if any("$(" in include for include in includes):
                return None
            for include in includes:
                target = posixpath.normpath(posixpath.join(posixpath.dirname(file), include.replace("\\", "/")))
                reached = tree.ask(_project, posixpath.dirname(target))
                if reached is not None and reached not in seen:
                    seen.add(reached)
                    waiting.append(reached)
    return frozenset(seen)


def _items(tree: FileTree, file: str, kind: str) -> tuple[Mapping[str, str], ...]:
    """The attributes of a project file's items of one kind that include something; none of a broken file."""
    text = tree.config(file) or ""
    if "<!DOCTYPE" in text:  # no project file has one, but it could hold entities that grow without bound
        return ()
    try:
        root = ElementTree.fromstring(text.lstrip("\ufeff"))
    except (ElementTree.ParseError, ValueError):
        return ()
    return tuple(item.attrib for item in root.iterfind(f".//{{*}}{kind}") if item.get("Include"))
