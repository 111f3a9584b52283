"""Python: from an import statement to the files that running it loads, as Python's own import system would find them.

An edge is what a statement makes Python load. Packages that enclose the importing file are loaded already when it runs;
they count only where a name is taken out of their `__init__`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from repofill.context.languages.support import Binding, Resolution
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Import, Interface

_USUAL_ROOTS = ("src", "lib", "python")
_MOST_HOPS = 8
"""Re-exports followed at most; real chains have one or two links."""
_Place = tuple[str | None, tuple[str, ...]]
"""A module's file, None for a namespace package, and the directories of its submodules."""
_NOWHERE: _Place = (None, ())


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. Unresolvable names (installed packages, typing mistakes) resolve to nothing."""
    interface = tree.interface(path)
    found = _Found(path=path, tree=tree, source_root=tree.ask(_source_root, _folder(path)))
    for statement in interface.imports if interface is not None else ():
        found.add(statement)
    found.imports.update(file for file in found.loaded if not _encloses(file, path))
    return Resolution(
        imports=frozenset(found.imports - {path}),
        origins=frozenset(found.origins - found.imports - {path}),
        bindings=tuple(dict.fromkeys(binding for binding in found.bindings if binding.path != path)),
    )


@dataclass(slots=True)
class _Found:
    path: str
    tree: FileTree
    source_root: str
    loaded: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    origins: set[str] = field(default_factory=set)
    bindings: list[Binding] = field(default_factory=list)

    def add(self, statement: Import) -> None:
        module = _module(self.path, self.source_root, statement, self.tree)
        if module is None:
            return
        self.loaded.update(module.loaded)
        for name, local in zip(statement.names, statement.bound or ("*",), strict=False):
            self._add_name(module, name, local)
        if not statement.names and module.file is not None:
            for local in statement.bound:
                bound = module.loaded if local == statement.module.partition(".")[0] else [module.file]
                self.bindings += [Binding(local=local, path=file, name="") for file in bound]

    def _add_name(self, module: _Module, name: str, local: str) -> None:
        name, local = sys.intern(name), sys.intern(local)  # the same names are imported all over a project
        submodule = None if name == "*" else _find(module.directories, name, self.tree)[0]
        if submodule is not None:
            self.loaded.add(submodule)
            self.bindings.append(Binding(local=local, path=submodule, name=""))
        elif module.file is not None:
            self.imports.add(module.file)
            is_own = name == "*" or _defines(module.file, name, self.tree)  # mostly, and then no question to remember
            origins = () if is_own else self.tree.ask(_origins, module.file, name)
            self.origins.update(file for file, _ in origins)
            for file, original in origins or [(module.file, name)]:
                self.bindings.append(Binding(local=local, path=file, name=original))


def _defines(file: str, name: str, tree: FileTree) -> bool:
    interface = tree.interface(file)
    return interface is not None and name in interface.names


def _origins(tree: FileTree, file: str, name: str) -> tuple[tuple[str, str], ...]:
    """The files that define `name`, which `file` may only pass on, and its name there; two where one is the other's
    substitute (`try: from fast import f`, `except ImportError: from slow import f`)."""
    seen = {(file, name)}
    waiting = [(file, name)]
    found = []
    while waiting and len(seen) <= _MOST_HOPS:
        file, name = waiting.pop()
        interface = tree.interface(file)
        if interface is None:
            continue
        if name in interface.names:
            found.append((file, name))
            continue
        for source in _passed_on(file, interface, name, tree):
            if source not in seen:
                seen.add(source)
                waiting.append(source)
    return tuple(found)


def _passed_on(file: str, interface: Interface, name: str, tree: FileTree) -> Iterable[tuple[str, str]]:
    """Where `file` takes `name` from: (file, name there), through `from m import name` or `from m import *`."""
    source_root = tree.ask(_source_root, _folder(file))
    for statement in interface.imports:
        star = statement.names == ("*",)
        if not star and name not in statement.bound:
            continue
        module = _module(file, source_root, statement, tree)
        if module is None or not statement.names:
            continue
        origin = name if star else statement.names[statement.bound.index(name)]
        if _find(module.directories, origin, tree)[0] is None and module.file is not None:
            yield module.file, origin


@dataclass(frozen=True, slots=True)
class _Module:
    """A module found: its `file` (None for a namespace package), the `directories` its submodules are in (none for a
    plain module, perhaps several for a namespace package), and the files that loading it runs: the `__init__` of the
    packages around it, then its own."""

    file: str | None
    directories: tuple[str, ...]
    loaded: tuple[str, ...]


def _module(path: str, source_root: str, statement: Import, tree: FileTree) -> _Module | None:
    if statement.level:
        return tree.ask(_relative, _folder(path), statement.level, statement.module)
    return tree.ask(_absolute, source_root, statement.module)


def _relative(tree: FileTree, folder: str, level: int, module: str) -> _Module | None:
    for _ in range(level - 1):
        if not folder:
            return None
        folder = _folder(folder)
    if module:
        return _descend((folder,), module, tree)
    init = _init(folder, tree)
    return _Module(init, (folder,), () if init is None else (init,))


def _absolute(tree: FileTree, source_root: str, module: str) -> _Module | None:
    top = module.partition(".")[0]
    if not top or not tree.ask(_anywhere, top):
        return None
    roots = (source_root,) if top in sys.stdlib_module_names else tree.ask(_roots, source_root)
    return _descend(roots, module, tree)


def _anywhere(tree: FileTree, name: str) -> bool:
    """Whether any file or directory of the workspace could be a module of this name: most imports are of others."""
    return any(tree.named(f"{name}{ending}") for ending in (".py", "/", ".pyi"))


def _descend(directories: tuple[str, ...], module: str, tree: FileTree) -> _Module | None:
    """Follow a dotted name down from `directories`. Where a part does not exist, what stands before it was still
    loaded."""
    file: str | None = None
    loaded: list[str] = []
    for part in module.split("."):
        file, directories = _find(directories, part, tree)
        if file is not None:
            loaded.append(file)
        elif not directories:
            return _Module(None, (), tuple(loaded)) if loaded else None
    return _Module(file, directories, tuple(loaded))


def _find(directories: Iterable[str], name: str, tree: FileTree) -> _Place:
    """The file of module `name` and the directories of its submodules: the first regular module or package wins, else
    the namespace package of all directories of this name."""
    namespace: list[str] = []
    for directory in directories:
        file, inner = tree.ask(_modules, directory).get(name, _NOWHERE)
        if file is not None:
            return file, inner
        namespace += inner
    return None, tuple(namespace)


def _modules(tree: FileTree, directory: str) -> Mapping[str, _Place]:
    """What can be imported from a directory, in Python's own precedence: package, module; a stub where there is no
    source; else a namespace package."""
    entries = tree.entries(directory)
    folders = {entry[:-1]: _join(directory, entry[:-1]) for entry in entries if entry.endswith("/")}
    found: dict[str, _Place] = {name: (None, (folder,)) for name, folder in folders.items()}
    for ending in (".pyi", ".py"):
        modules = (entry for entry in entries if entry.endswith(ending))
        found |= {module.removesuffix(ending): (_join(directory, module), ()) for module in modules}
        inits = ((name, folder, f"{folder}/__init__{ending}") for name, folder in folders.items())
        found |= {name: (init, (folder,)) for name, folder, init in inits if init in tree}
    return found


def _roots(tree: FileTree, source_root: str) -> tuple[str, ...]:
    """Directories that could be on `sys.path`, the nearest to the importing file's own source root first."""
    roots = tree.ask(_package_parents) | {"", source_root}
    return tuple(sorted(roots, key=lambda root: (root != source_root, -_shared(root, source_root), root)))


def _package_parents(tree: FileTree) -> frozenset[str]:
    """Every directory that holds a top-level package, and the usual source folders."""
    packages = {_folder(init) for name in ("__init__.py", "__init__.pyi") for init in tree.named(name)} - {""}
    tops = {parent for parent in map(_folder, packages) if parent not in packages and _init(parent, tree) is None}
    return frozenset(tops | {root for root in _USUAL_ROOTS if tree.is_directory(root)})


def _source_root(tree: FileTree, folder: str) -> str:
    """The nearest directory above, or at, `folder` that is not a package: Python finds the file's own package from
    there."""
    while folder and _init(folder, tree) is not None:
        folder = _folder(folder)
    return folder


def _init(folder: str, tree: FileTree) -> str | None:
    for file in (_join(folder, "__init__.py"), _join(folder, "__init__.pyi")):
        if file in tree:
            return file
    return None


def _encloses(file: str, path: str) -> bool:
    """Whether `file` is the `__init__` of a package around `path`."""
    folder, _, name = file.rpartition("/")
    return name in ("__init__.py", "__init__.pyi") and path.startswith(f"{folder}/" if folder else "") and file != path


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _shared(one: str, other: str) -> int:
    """Leading directories in common."""
    count = 0
    for a, b in zip(one.split("/"), other.split("/"), strict=False):
        if a != b:
            break
        count += 1
    return count
