"""JavaScript and TypeScript: which file a module's name stands for, in TypeScript's order: relative paths, `paths` and
`baseUrl` of the nearest tsconfig, packages of the workspace.

Builds are seldom in a workspace's index: what a package.json or an import names in an output folder stands for the
source that it is made of.
"""

from __future__ import annotations

from collections.abc import Iterator

from repofill.context.languages.ecmascript_config import joined
from repofill.context.languages.ecmascript_packages import (
    exported,
    imported,
    main_files,
    package_around,
    package_folder,
)
from repofill.context.languages.ecmascript_tsconfig import NO_OPTIONS, options_for
from repofill.context.languages.tree import FileTree

_EXTENSIONS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".mjs", ".cts", ".cjs", ".d.mts", ".d.cts")
_WRITTEN_FOR = {
    ".js": (".ts", ".tsx", ".d.ts", ".js", ".jsx"),
    ".jsx": (".tsx", ".ts", ".d.ts", ".jsx", ".js"),
    ".mjs": (".mts", ".d.mts", ".mjs"),
    ".cjs": (".cts", ".d.cts", ".cjs"),
}
"""The files that an import with this ending may mean, in TypeScript's order."""

_OUTPUTS = (".d.ts", ".d.mts", ".d.cts", ".js", ".jsx", ".mjs", ".cjs")
_OUTPUT_FOLDERS = frozenset(
    {"dist", "build", "lib", "out", "output", "bundle", "es", "esm", "cjs", "umd", "commonjs", "module", "modern"}
    | {"node", "browser", "types", "typings", "dts"}
)
_SOURCE_FOLDERS = ("src", "source", "lib", "")


def module(tree: FileTree, folder: str, name: str) -> str | None:
    """The file that `name` stands for in files of `folder`, None when it is not in the workspace."""
    name = name.partition("?")[0]
    if name in (".", "..") or name.startswith(("./", "../")):
        return _relative(tree, folder, name)
    if not name or name.startswith("/"):
        return None
    if name.startswith("#"):
        targets = tree.ask(imported, folder, name)
        found = next((file for target in targets if (file := _inside_package(tree, folder, target))), None)
        if found is not None:
            return found
    options = tree.ask(options_for, folder) or NO_OPTIONS
    mapped = list(options.targets(name))
    if any(target.endswith(".json") for target in mapped):
        return None  # found, and no source
    if options.base_url is not None:
        mapped += [base for base in [joined(options.base_url, name)] if base is not None]
    found = next((file for target in mapped if (file := tree.ask(source_file, target)) is not None), None)
    return found if found is not None else _in_package(tree, folder, name, options.conditions)


def _relative(tree: FileTree, folder: str, name: str) -> str | None:
    target = joined(folder, name)
    if target is None:
        return None
    directory_only = name.endswith(("/", "/.", "/..")) or name in (".", "..")
    found = _directory(tree, target) if directory_only else tree.ask(source_file, target)
    if found is not None:
        return found
    for other in _other_roots(tree, folder, target):
        found = tree.ask(source_file, other)
        if found is not None:
            return found
    package = tree.ask(package_around, target)
    return tree.ask(_made_from, package, target) if package is not None else None


def _other_roots(tree: FileTree, folder: str, target: str) -> Iterator[str]:
    """Where else `target` may be: the `rootDirs` count as one directory."""
    roots = (tree.ask(options_for, folder) or NO_OPTIONS).root_dirs
    home = max((root for root in roots if _is_in(target, root)), key=len, default=None)
    if home is not None:
        rest = target[len(home) :].lstrip("/")
        yield from (f"{root}/{rest}" if root else rest for root in roots if root != home)


def _in_package(tree: FileTree, folder: str, name: str, conditions: tuple[str, ...] = ()) -> str | None:
    parts = name.split("/")
    count = 2 if name.startswith("@") else 1
    package = tree.ask(package_folder, folder, "/".join(parts[:count]))
    if package is None:
        return None
    subpath = "/".join(parts[count:])
    for target in tree.ask(exported, package, subpath, conditions):
        found = _built(tree, package, target)
        if found is not None:
            return found
    # TypeScript's older ways of resolving, which many projects have, do not ask for `exports`.
    return _built(tree, package, f"./{subpath}") if subpath else _directory(tree, package)


def _inside_package(tree: FileTree, folder: str, target: str) -> str | None:
    package = tree.ask(package_around, f"{folder}/")
    if target.startswith("./") and package is not None:
        return _built(tree, package, target)
    return None if target.startswith("#") else _in_package(tree, folder, target)


def source_file(tree: FileTree, target: str) -> str | None:
    """The file or directory `target`, as TypeScript reads it: with or without an ending, another ending's source, a
    directory's main file."""
    stem, dot, ending = target.rpartition(".")
    for extension in _WRITTEN_FOR.get(dot + ending, ()):
        if stem + extension in tree:
            return stem + extension
    if target in tree:
        return target
    for extension in _EXTENSIONS:
        if target + extension in tree:
            return target + extension
    return _directory(tree, target)


def _directory(tree: FileTree, directory: str) -> str | None:
    if not tree.is_directory(directory):
        return None
    for main in tree.ask(main_files, directory):
        found = _built(tree, directory, main)
        if found is not None:
            return found
    return _index(tree, directory)


def _index(tree: FileTree, directory: str) -> str | None:
    start = f"{directory}/index" if directory else "index"
    return next((start + extension for extension in _EXTENSIONS if start + extension in tree), None)


def _built(tree: FileTree, package: str, target: str) -> str | None:
    """The file that a package.json in `package` names: itself, or the source that it is built from."""
    path = joined(package, target)
    if path is None or not _is_in(path, package) or path == package:
        return _index(tree, package) if path == package else None
    plain = tree.ask(_plain, path)
    return plain if plain is not None else tree.ask(_made_from, package, path)


def _plain(tree: FileTree, path: str) -> str | None:
    """`source_file` without what package.json says of directories: never a circle."""
    stem, dot, ending = path.rpartition(".")
    endings = _WRITTEN_FOR.get(dot + ending, ())
    candidates = (*(stem + extension for extension in endings), path, *(path + extension for extension in _EXTENSIONS))
    return next((file for file in candidates if file in tree), None) or _index(tree, path)


def _made_from(tree: FileTree, package: str, path: str) -> str | None:
    """The source of a file or directory that is not there: `dist/esm/a.js` may be made of `src/a.ts`."""
    rest = path[len(package) :].lstrip("/")
    ending = next((ending for ending in _OUTPUTS if rest.endswith(ending)), "")
    parts = rest.removesuffix(ending).split("/")
    for dropped in range(1, len(parts)):
        if parts[dropped - 1] not in _OUTPUT_FOLDERS:
            break
        for source in _SOURCE_FOLDERS:
            stem = "/".join(part for part in (package, source, *parts[dropped:]) if part)
            found = next((stem + extension for extension in _EXTENSIONS if stem + extension in tree), None)
            found = found or (None if ending else _index(tree, stem))
            if found is not None:
                return found
    return None


def _is_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
