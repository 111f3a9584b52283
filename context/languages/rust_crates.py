"""Rust: packages, their crates and their dependencies within the workspace, as Cargo finds them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import normpath
from typing import Any

from repofill.context.languages.tree import FileTree


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    """`library` is the root of its library with `library_name`, `roots` are those of all its crates that are named;
    `dependencies` are local names with folders of packages in the workspace."""

    folder: str
    library_name: str
    library: str
    roots: frozenset[str]
    dependencies: Mapping[str, str]


def dependency(tree: FileTree, file: str, name: str) -> str | None:
    """The root of the library that a file of a package knows by a name; None for those from elsewhere."""
    library = tree.ask(_libraries, file.rpartition("/")[0]).get(name)
    return library if library != file else None


def _libraries(tree: FileTree, folder: str) -> Mapping[str, str]:
    """The libraries that files in a folder know, by their names."""
    package = tree.ask(_package, tree.ask(_package_folder, folder))
    if package is None:
        return {}
    others = {name: tree.ask(_package, path) for name, path in package.dependencies.items()}
    known = {name: other.library for name, other in others.items() if other is not None}
    return {n: library for n, library in {**known, package.library_name: package.library}.items() if library in tree}


def is_root(tree: FileTree, file: str) -> bool:
    """Whether a file is the root of a crate."""
    folder = tree.ask(_package_folder, file.rpartition("/")[0])
    package = tree.ask(_package, folder)
    if package is None:
        return file.rpartition("/")[2] in ("lib.rs", "main.rs")
    inner = file[len(folder) :].strip("/") if folder else file
    around, _, last = inner.rpartition("/")
    if file in package.roots or inner in ("src/lib.rs", "src/main.rs", "build.rs"):
        return True
    targets = ("src/bin", "tests", "examples", "benches")
    return around in targets or (last == "main.rs" and around.rpartition("/")[0] in targets)


def _package_folder(tree: FileTree, folder: str) -> str:
    """The nearest folder with a package, from a folder upwards."""
    while folder and tree.ask(_package, folder) is None:
        folder = folder.rpartition("/")[0]
    return folder


def _package(tree: FileTree, folder: str) -> _Package | None:
    """The package whose Cargo.toml is in a folder; None without one, and for one that is a workspace alone."""
    manifest = tree.ask(_manifest, folder)
    about = _table(manifest, "package")
    name = about.get("name")
    if not isinstance(name, str):
        return None
    library = _table(manifest, "lib")
    targets = [library, *(t for kind in ("bin", "test", "example", "bench") for t in _list(manifest, kind))]
    roots = [path for target in targets if isinstance(path := target.get("path"), str)]
    roots += [build] if isinstance(build := about.get("build"), str) else []
    named, path = library.get("name"), library.get("path")
    return _Package(
        folder=folder,
        library_name=named if isinstance(named, str) else name.replace("-", "_"),
        library=_inside(folder, path if isinstance(path, str) else "src/lib.rs"),
        roots=frozenset(_inside(folder, root) for root in roots),
        dependencies=_dependencies(tree, folder, manifest),
    )


def _dependencies(tree: FileTree, folder: str, manifest: Mapping[str, Any]) -> dict[str, str]:
    tables = [manifest, *(t for t in _table(manifest, "target").values() if isinstance(t, dict))]
    found = {}
    for table in tables:
        for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
            for name, said in _table(table, kind).items():
                place, said = (folder, said) if isinstance(said, dict) else (folder, {})
                if said.get("workspace") is True:
                    place, said = _inherited(tree, folder, name)
                if isinstance(path := said.get("path"), str):
                    target = _inside(place, path)
                    original = said.get("package", name)
                    inner = _table(tree.ask(_manifest, target), "lib").get("name")
                    local = inner if isinstance(inner, str) and original == name else name
                    found[local.replace("-", "_")] = target
    return found


def _inherited(tree: FileTree, folder: str, name: str) -> tuple[str, Mapping[str, Any]]:
    """What the workspace around a package says of a dependency, and its folder."""
    while True:
        manifest = tree.ask(_manifest, folder)
        if "workspace" in manifest or not folder:
            said = _table(_table(manifest, "workspace"), "dependencies").get(name)
            return folder, said if isinstance(said, dict) else {}
        folder = folder.rpartition("/")[0]


def _manifest(tree: FileTree, folder: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(tree.config(f"{folder}/Cargo.toml" if folder else "Cargo.toml") or "")
    except tomllib.TOMLDecodeError:
        return {}


def _table(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = manifest.get(name)
    return table if isinstance(table, dict) else {}


def _list(manifest: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = manifest.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _inside(folder: str, path: str) -> str:
    joined = normpath(f"{folder}/{path}" if folder else path)
    return "" if joined == "." else joined
