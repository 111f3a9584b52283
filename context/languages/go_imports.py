"""Go: from the names that a file uses to the files that define them.

A package is a folder, and its files see one another. An import names a package; what a file depends on are the files of
that package which define the names that it uses, as the compiler needs no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from repofill.context.languages.go_modules import package_folder
from repofill.context.languages.support import Binding, Resolution
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Interface

_TARGET = re.compile(
    r"(?:_(aix|android|darwin|dragonfly|freebsd|hurd|illumos|ios|js|linux|nacl|netbsd|openbsd|plan9|solaris|wasip1"
    r"|windows|zos))?"
    r"(?:_(386|amd64|arm|arm64|loong64|mips|mips64|mips64le|mipsle|ppc64|ppc64le|riscv64|s390x|sparc64|wasm))?"
    r"(?:_test)?\.go$"
)
"""System and processor that a file is for, by the end of its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    """The files in `folder` that say `package name`, with or without those of its tests."""

    folder: str
    name: str
    tests: bool


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. `imports` are the files that define a name which the file uses, of its own package or of
    one that it imports, and all files of a package of which it uses nothing by name."""
    interface = tree.interface(path)
    if interface is None:
        return Resolution()
    own = _Package(folder=_folder(path), name=interface.scope, tests=_is_test(path))
    packages = dict(_imported(own, interface, tree))
    found = _Found(path=path)
    visible = [tree.ask(_definers, package) for local, package in packages.items() if local.startswith(".")]
    visible.append(tree.ask(_definers, own))
    named = {local: tree.ask(_definers, package) for local, package in packages.items()}
    used = set()
    for reference in sorted(interface.references):
        name, _, member = reference.partition(".")
        if name in named:
            used.add(name)
            found.use(named[name].get(member, ()))
        else:
            found.use((file for names in visible for file in names.get(name, ())), name)
    for local, package in packages.items():
        if local not in used and not local.startswith("."):
            found.use(tree.ask(_files, package))
        found.bindings += tree.ask(_bindings, package, "*" if local.startswith(".") else local)
    found.bindings += tree.ask(_bindings, own, "*")
    return Resolution(
        imports=frozenset(found.imports),
        bindings=tuple(dict.fromkeys(binding for binding in found.bindings if binding.path != path)),
    )


@dataclass(slots=True)
class _Found:
    path: str
    imports: set[str] = field(default_factory=set)
    bindings: list[Binding] = field(default_factory=list)

    def use(self, files: Iterable[str], name: str = "") -> None:
        """Depend on those of `files` that are compiled together with this one, for a name that they define."""
        for file in files:
            if file != self.path and _compiled_together(self.path, file):
                self.imports.add(file)
                if name:
                    self.bindings.append(Binding(local=name, path=file, name=name))


def _imported(own: _Package, interface: Interface, tree: FileTree) -> Iterator[tuple[str, _Package]]:
    """The packages of the workspace that a file imports, by their names in it; such a name begins with "." where the
    package's names are the file's own, with "_" where it is imported for its effects."""
    for number, statement in enumerate(interface.imports):
        folder = package_folder(own.folder, statement.module, tree)
        name = tree.ask(_package_name, folder) if folder is not None else ""
        if folder is None or not name:
            continue
        # The tests of a package that stand outside of it see what its inner tests define.
        package = _Package(folder=folder, name=name, tests=own.tests and folder == own.folder)
        if statement.names:
            yield f".{number}", package
        elif statement.kind == "blank":
            yield f"_ {number}", package
        else:
            yield statement.bound[0] if statement.bound else name, package


def _package_name(tree: FileTree, folder: str) -> str:
    """What the most files in a folder say; "" without any."""
    names = [interface.scope for _, interface in _interfaces(tree, folder, tests=False)]
    return max(sorted(set(names) - {""}), key=names.count, default="")


def _files(tree: FileTree, package: _Package) -> tuple[str, ...]:
    found = _interfaces(tree, package.folder, tests=package.tests)
    return tuple(file for file, interface in found if interface.scope == package.name)


def _definers(tree: FileTree, package: _Package) -> Mapping[str, tuple[str, ...]]:
    """The top-level names of a package with the files that define them: several where each is for another system."""
    definers: dict[str, tuple[str, ...]] = {}
    for file, interface in _interfaces(tree, package.folder, tests=package.tests):
        if interface.scope == package.name:
            for name in interface.names:
                definers[name] = (*definers.get(name, ()), file)
    return definers


def _bindings(tree: FileTree, package: _Package, local: str) -> tuple[Binding, ...]:
    """All files of a package, bound to its name or, as "*", with all that they define. One value for all who import
    it."""
    name = "*" if local == "*" else ""
    return tuple(Binding(local=local, path=file, name=name) for file in tree.ask(_files, package))


def _interfaces(tree: FileTree, folder: str, *, tests: bool) -> Iterator[tuple[str, Interface]]:
    for name in tree.entries(folder):
        if name.endswith(".go") and (tests or not _is_test(name)):
            path = f"{folder}/{name}" if folder else name
            interface = tree.surface(path)
            if interface is not None:
                yield path, interface


def _compiled_together(one: str, other: str) -> bool:
    """Whether no system or processor in the names of two files keeps them apart."""
    return all(a is None or b is None or a == b for a, b in zip(_target(one), _target(other), strict=True))


@lru_cache(maxsize=10_000)
def _target(path: str) -> tuple[str | None, str | None]:
    found = _TARGET.search(path)
    return (found[1], found[2]) if found is not None else (None, None)


def _is_test(path: str) -> bool:
    return path.endswith("_test.go")


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
