"""Python: from an import statement to the files that running it loads, as Python's own import system would find them.

An edge is what a statement makes Python load. Packages that enclose the importing file are loaded already when it runs;
they count only where a name is taken out of their `__init__`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from repofill.context.languages.support import FileTree, Resolution
from repofill.context.outline import Import, Outline

_USUAL_ROOTS = ("src", "lib", "python")
_MOST_HOPS = 8
"""Re-exports followed at most; real chains have one or two links."""


def resolve(path: str, outline: Outline, tree: FileTree) -> Resolution:
    """See `support.Support`. Unresolvable names (installed packages, typing mistakes) resolve to nothing."""
    found = _Found(path=path, tree=tree)
    for statement in outline.imports:
        found.add(statement)
    return Resolution(
        imports=frozenset(found.imports - {path}),
        origins=frozenset(found.origins - found.imports - {path}),
        consulted=frozenset(found.consulted),
    )


@dataclass(slots=True)
class _Found:
    path: str
    tree: FileTree
    imports: set[str] = field(default_factory=set)
    origins: set[str] = field(default_factory=set)
    consulted: set[str] = field(default_factory=set)

    def add(self, statement: Import) -> None:
        module = _module(self.path, statement, self.tree)
        if module is None:
            return
        files = [*module.loaded, *([module.file] if module.file is not None else ())]
        self._load(files)
        for name in statement.names:
            self._add_name(module, name)

    def _load(self, files: Iterable[str]) -> None:
        self.imports.update(file for file in files if not _encloses(file, self.path))

    def _add_name(self, module: _Module, name: str) -> None:
        submodule = None if name == "*" else _find(module.directories, name, self.tree)[0]
        if submodule is not None:
            self._load([submodule])
        elif module.file is not None:
            self.imports.add(module.file)
            if name != "*":
                self._follow(module.file, name)

    def _follow(self, file: str, name: str) -> None:
        """Add the file that defines `name`, which `file` may only pass on."""
        seen = {(file, name)}
        waiting = [(file, name)]
        while waiting and len(seen) <= _MOST_HOPS:
            file, name = waiting.pop()
            self.consulted.add(file)
            outline = self.tree.outlines[file]
            if any(d.name == name and not d.parent for d in outline.definitions):
                self.origins.add(file)
                continue
            for source, origin in _passed_on(file, outline, name, self.tree):
                if (source, origin) not in seen:
                    seen.add((source, origin))
                    waiting.append((source, origin))


def _passed_on(file: str, outline: Outline, name: str, tree: FileTree) -> Iterable[tuple[str, str]]:
    """Where `file` takes `name` from: (file, name there), through `from m import name` or `from m import *`."""
    for statement in outline.imports:
        star = statement.names == ("*",)
        if not star and name not in statement.bound:
            continue
        module = _module(file, statement, tree)
        if module is None or not statement.names:
            continue
        origin = name if star else statement.names[statement.bound.index(name)]
        if _find(module.directories, origin, tree)[0] is None and module.file is not None:
            yield module.file, origin


@dataclass(frozen=True, slots=True)
class _Module:
    """A module found: its `file` (None for a namespace package), the `directories` its submodules are in (none for a
    plain module, perhaps several for a namespace package), and the `__init__` files of the packages around it, which
    loading it runs first."""

    file: str | None
    directories: tuple[str, ...]
    loaded: tuple[str, ...]


def _module(path: str, statement: Import, tree: FileTree) -> _Module | None:
    parts = tuple(statement.module.split(".")) if statement.module else ()
    key = (_folder(path) if statement.level else _source_root(_folder(path), tree), statement.level, parts)
    if key not in tree.cache:
        tree.cache[key] = _relative(*key, tree) if statement.level else _absolute(key[0], parts, tree)
    module = tree.cache[key]
    assert module is None or isinstance(module, _Module)
    return module


def _relative(folder: str, level: int, parts: tuple[str, ...], tree: FileTree) -> _Module | None:
    for _ in range(level - 1):
        if not folder:
            return None
        folder = _folder(folder)
    return _descend((folder,), parts, tree) if parts else _Module(_init(folder, tree), (folder,), ())


def _absolute(source_root: str, parts: tuple[str, ...], tree: FileTree) -> _Module | None:
    if not parts or not parts[0]:
        return None
    roots = [source_root] if parts[0] in sys.stdlib_module_names else _roots(source_root, tree)
    return _descend(tuple(roots), parts, tree)


def _descend(directories: tuple[str, ...], parts: tuple[str, ...], tree: FileTree) -> _Module | None:
    """Follow `parts` down from `directories`. Where one does not exist, what stands before it was still loaded."""
    file: str | None = None
    loaded: list[str] = []
    for part in parts:
        if file is not None:
            loaded.append(file)
        file, directories = _find(directories, part, tree)
        if file is None and not directories:
            return _Module(None, (), tuple(loaded)) if loaded else None
    return _Module(file, directories, tuple(loaded))


def _find(directories: Iterable[str], name: str, tree: FileTree) -> tuple[str | None, tuple[str, ...]]:
    """The file of module `name` and the directories of its submodules: the first regular module or package wins, else
    the namespace package of all directories of this name."""
    inner = [_join(directory, name) for directory in directories]
    for directory in inner:
        file = _file(directory, tree)
        if file is not None:
            return file, ((directory,) if file == _init(directory, tree) else ())
    return None, tuple(directory for directory in inner if directory in tree.directories)


def _roots(source_root: str, tree: FileTree) -> list[str]:
    """Directories that could be on `sys.path`, the nearest to the importing file's own source root first."""
    key = ("roots", source_root)
    if key not in tree.cache:
        tree.cache[key] = sorted(
            _package_parents(tree) | {"", source_root},
            key=lambda root: (root != source_root, -_shared(root, source_root), root),
        )
    roots = tree.cache[key]
    assert isinstance(roots, list)
    return roots


def _package_parents(tree: FileTree) -> frozenset[str]:
    """Every directory that holds a top-level package, and the usual source folders."""
    key = "package parents"
    if key not in tree.cache:
        packages = (folder for folder in tree.directories if folder and _init(folder, tree) is not None)
        parents = {_folder(package) for package in packages}
        tops = {folder for folder in parents if _init(folder, tree) is None}
        tree.cache[key] = frozenset(tops | {root for root in _USUAL_ROOTS if root in tree.directories})
    parents_found = tree.cache[key]
    assert isinstance(parents_found, frozenset)
    return parents_found


def _source_root(folder: str, tree: FileTree) -> str:
    """The nearest directory above, or at, `folder` that is not a package: Python finds the file's own package from
    there."""
    while folder and _init(folder, tree) is not None:
        folder = _folder(folder)
    return folder


def _file(inner: str, tree: FileTree) -> str | None:
    """The file of the module at `inner`, in Python's own precedence: package, module; a stub where there is no
    source."""
    for file in (f"{inner}/__init__.py", f"{inner}.py", f"{inner}/__init__.pyi", f"{inner}.pyi"):
        if file in tree:
            return file
    return None


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
