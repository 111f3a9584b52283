"""package.json: which package a name stands for in a workspace of npm, yarn or pnpm, and what a package offers
(https://nodejs.org/api/packages.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from repofill.context.languages.ecmascript_config import folder_of, folders_up, joined, json_object, mapping, strings
from repofill.context.languages.tree import FileTree

_MAIN_FIELDS = ("source", "types", "typings", "module", "main")
_CONDITIONS = frozenset({"types", "import", "require", "node", "default", "source", "development", "module", "browser"})
_PNPM_PACKAGES = re.compile(r"^packages:[ \t]*(?:#.*)?\n((?:[ \t]*(?:-.*|#.*)?\n)*)", re.MULTILINE)
_PNPM_ITEM = re.compile(r"""^[ \t]*-[ \t]*["']?([^"'#\n]+?)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)
_LINKED = ("file:", "link:", "portal:", "workspace:")


def package_around(tree: FileTree, path: str) -> str | None:
    """The folder of the package that a file is in."""
    return next((folder for folder in folders_up(folder_of(path)) if _is_package(tree, folder)), None)


def package_folder(tree: FileTree, folder: str, name: str) -> str | None:
    """The folder of the package `name` as files of `folder` see it: their own package, a package of the workspace or
    one that a dependency names by its path."""
    for around in folders_up(folder):
        manifest = _manifest(tree, around)
        if manifest.get("name") == name:
            return around
        linked = _linked(manifest, around, name)
        if linked is not None and _is_package(tree, linked):
            return linked
        member = tree.ask(_members, around).get(name)
        if member is not None:
            return member
    return None


def _is_package(tree: FileTree, folder: str) -> bool:
    return tree.config(_file(folder, "package.json")) is not None


def _linked(manifest: Mapping[str, Any], folder: str, name: str) -> str | None:
    for field in ("dependencies", "devDependencies", "peerDependencies"):
        target = mapping(manifest.get(field)).get(name)
        for prefix in _LINKED:
            if isinstance(target, str) and target.startswith((f"{prefix}.", f"{prefix}..")):
                return joined(folder, target.removeprefix(prefix))
    return None


def _members(tree: FileTree, root: str) -> Mapping[str, str]:
    """Name → folder of the packages that the workspace at `root` is made of."""
    manifest = _manifest(tree, root)
    workspaces = manifest.get("workspaces")
    patterns = strings(mapping(workspaces).get("packages")) or strings(workspaces)
    listed = _PNPM_PACKAGES.search(f"{tree.config(_file(root, 'pnpm-workspace.yaml')) or ''}\n")
    patterns += _PNPM_ITEM.findall(listed[1]) if listed is not None else []
    if not patterns:
        return {}
    wanted = [_glob(pattern) for pattern in patterns if not pattern.startswith("!")]
    unwanted = [_glob(pattern[1:]) for pattern in patterns if pattern.startswith("!")]
    found: dict[str, str] = {}
    for path in tree.named("package.json"):
        folder = folder_of(path)
        inner = folder.removeprefix(f"{root}/") if root else folder
        if (root and inner == folder) or not any(glob.fullmatch(inner) for glob in wanted):
            continue
        name = _manifest(tree, folder).get("name")
        if isinstance(name, str) and not any(glob.fullmatch(inner) for glob in unwanted):
            found.setdefault(name, folder)
    return found


def _glob(pattern: str) -> re.Pattern[str]:
    plain = pattern.strip().removeprefix("./").rstrip("/")
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\{[^{}]*\})", plain)
    return re.compile("".join(map(_translated, parts)))


def _translated(part: str) -> str:
    plain = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part)
    if plain is not None:
        return plain
    if part.startswith("{") and part.endswith("}"):
        return f"(?:{'|'.join(map(re.escape, part[1:-1].split(',')))})"
    return re.escape(part)


def main_files(tree: FileTree, package: str) -> tuple[str, ...]:
    """What the package.json in a folder names as its main file, the most telling first; () without one."""
    manifest = _manifest(tree, package)
    return tuple(target for field in _MAIN_FIELDS if isinstance(target := manifest.get(field), str))


def exported(tree: FileTree, package: str, subpath: str, conditions: tuple[str, ...]) -> tuple[str, ...]:
    """What `exports` of a package names for `subpath` ("" for the package itself), under each condition that could
    hold."""
    exports = _manifest(tree, package).get("exports")
    if not isinstance(exports, dict) or not any(key.startswith(".") for key in exports):
        exports = {".": exports}
    return tuple(_targets(exports, f"./{subpath}" if subpath else ".", _CONDITIONS.union(conditions)))


def imported(tree: FileTree, folder: str, name: str) -> tuple[str, ...]:
    """What `imports` of the package around a folder names for "#name"."""
    package = package_around(tree, _file(folder, ""))
    imports = _manifest(tree, package).get("imports") if package is not None else None
    return tuple(_targets(mapping(imports), name, _CONDITIONS))


def _targets(table: Mapping[str, Any], name: str, conditions: frozenset[str]) -> Iterator[str]:
    """The entry for `name`: the exact one, else that with the longest text ahead of its "*"."""
    if name in table and "*" not in name:
        yield from _under_conditions(table[name], "", conditions)
        return
    for pattern in sorted(table, key=lambda key: -len(key.partition("*")[0])):
        before, star, after = pattern.partition("*")
        if not star and pattern.endswith("/"):
            before, star = pattern, "*"  # a folder, as Node.js 14 had it
        if star and len(name) >= len(before) + len(after) and name.startswith(before) and name.endswith(after):
            middle = name[len(before) : len(name) - len(after)]
            yield from _under_conditions(table[pattern], middle, conditions)
            return


def _under_conditions(target: object, middle: str, conditions: frozenset[str]) -> Iterator[str]:
    if isinstance(target, str):
        yield target + middle if target.endswith("/") else target.replace("*", middle)
    elif isinstance(target, list):
        for item in target:
            yield from _under_conditions(item, middle, conditions)
    elif isinstance(target, dict):
        for condition, inner in target.items():
            if condition in conditions or condition.startswith("types@"):
                yield from _under_conditions(inner, middle, conditions)


def _manifest(tree: FileTree, folder: str) -> Mapping[str, Any]:
    return tree.ask(json_object, _file(folder, "package.json"))


def _file(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
