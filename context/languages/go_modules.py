"""Go: from an import path to the folder of a package, by go.mod, go.work and, without them, the layout of GOPATH."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import normpath

from repofill.context.languages.tree import FileTree


@dataclass(frozen=True, slots=True, kw_only=True)
class _Module:
    """A module in `folder`; `replaced` are import paths that its go.mod leads to folders of the workspace."""

    folder: str
    path: str
    replaced: tuple[tuple[str, str], ...]


def package_folder(folder: str, import_path: str, tree: FileTree) -> str | None:
    """The folder of the workspace that a file in `folder` means by `import_path`; None for a package from outside."""
    own = tree.ask(_module_folder, folder)
    return tree.ask(_package_folder, own, import_path)


def _package_folder(tree: FileTree, own: str | None, import_path: str) -> str | None:
    """The module whose path is the longest beginning of the import path has the package, as long as it is there; among
    equals what the importing module says itself counts first."""
    for path, folder in _roots(tree, own):
        if import_path == path or import_path.startswith(f"{path}/") or not path:
            rest = import_path[len(path) :].strip("/")
            package = "/".join(part for part in (folder, rest) if part)
            if _has_source(tree, package) and (not path or tree.ask(_module_folder, package) == folder):
                return package
    return None


def _roots(tree: FileTree, own: str | None) -> list[tuple[str, str]]:
    """Import paths and the folders that they lead to from a module, the longest first. Modules that the workspace
    holds beside are taken for what they are called, go.work or not: the file on the disk says more than a version from
    elsewhere."""
    modules = tree.ask(_modules)
    if own is None:
        return [(module.path, module.folder) for module in modules.values() if module.path] + [("", "src"), ("", "")]
    mine = [*modules[own].replaced, (modules[own].path, own)] if own in modules else []
    others = [
        *tree.ask(_replaced_by_workspaces),
        *((module.path, module.folder) for module in modules.values() if module.folder != own),
    ]
    return sorted((root for root in mine + others if root[0]), key=lambda root: -len(root[0]))


def _has_source(tree: FileTree, folder: str) -> bool:
    return any(name.endswith(".go") for name in tree.entries(folder))


def _module_folder(tree: FileTree, folder: str) -> str | None:
    """The nearest folder, from `folder` upwards, with a go.mod."""
    while tree.config(f"{folder}/go.mod" if folder else "go.mod") is None:
        if not folder:
            return None
        folder = folder.rpartition("/")[0]
    return folder


def _modules(tree: FileTree) -> dict[str, _Module]:
    """Every module of the workspace, by its folder."""
    modules = {}
    for file in tree.named("go.mod"):
        folder = file.rpartition("/")[0]
        directives = tuple(_directives(tree.config(file) or ""))
        path = next((words[1] for words in directives if words[0] == "module" and len(words) > 1), "")
        modules[folder] = _Module(folder=folder, path=path, replaced=tuple(_replaced(folder, directives)))
    return modules


def _replaced_by_workspaces(tree: FileTree) -> tuple[tuple[str, str], ...]:
    files = [(file.rpartition("/")[0], tree.config(file) or "") for file in tree.named("go.work")]
    return tuple(pair for folder, text in files for pair in _replaced(folder, tuple(_directives(text))))


def _replaced(folder: str, directives: tuple[list[str], ...]) -> Iterator[tuple[str, str]]:
    """`replace old [version] => ../new`: import paths with folders of the workspace."""
    for words in directives:
        if words[0] == "replace" and "=>" in words[1:-1] and words[-1].startswith("."):
            target = normpath(f"{folder}/{words[-1]}" if folder else words[-1])
            if not target.startswith(".."):
                yield words[1], "" if target == "." else target


def _directives(text: str) -> Iterator[list[str]]:
    """The lines of a go.mod or go.work as words, those of a block each with its verb."""
    verb: list[str] = []
    for line in text.splitlines():
        try:
            words = shlex.split(line.partition("//")[0])
        except ValueError:
            continue  # an open quote
        if words == [")"]:
            verb = []
        elif words[1:] == ["("]:
            verb = words[:1]
        elif words:
            yield [*verb, *words]
