"""The nearest tsconfig.json or jsconfig.json of a folder with all that it extends: the options that say where modules
are (https://www.typescriptlang.org/tsconfig/#Modules_6244)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from repofill.context.languages.ecmascript_config import folder_of, folders_up, joined, json_object, mapping, strings
from repofill.context.languages.ecmascript_packages import package_folder
from repofill.context.languages.tree import FileTree

_NAMES = ("tsconfig.json", "jsconfig.json")
_MOST_EXTENDED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Folders are relative to the workspace. `paths` are patterns with their targets, of which each has "*" where the
    pattern has it, relative to `base_url` or else `paths_base`; with a "/" ahead to the workspace."""

    base_url: str | None = None
    paths: tuple[tuple[str, tuple[str, ...]], ...] = ()
    paths_base: str = ""
    root_dirs: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    def targets(self, name: str) -> Iterator[str]:
        """Where `paths` lead for `name`: the exact pattern, else that with the longest text ahead of its "*"."""
        matching = [(pattern, targets) for pattern, targets in self.paths if _matched(pattern, name) is not None]
        pattern, targets = max(matching, key=lambda p: ("*" not in p[0], len(p[0].partition("*")[0])), default=("", ()))
        middle = _matched(pattern, name) or ""
        base = self.base_url if self.base_url is not None else self.paths_base
        for target in targets:
            path = joined("" if target.startswith("/") else base, target.replace("*", middle))
            if path is not None:
                yield path


NO_OPTIONS = Options()


def options_for(tree: FileTree, folder: str) -> Options | None:
    """The options for the files of a folder; None without a configuration file."""
    for around in folders_up(folder):
        for name in _NAMES:
            path = f"{around}/{name}" if around else name
            if tree.config(path) is not None:
                return tree.ask(_project, path)
    return None


def _project(tree: FileTree, path: str) -> Options:
    """Those of one configuration file, or of the first beside it that it refers to and that says anything."""
    own = tree.ask(_options, path)
    if own.paths or own.base_url is not None:
        return own
    references = tree.ask(json_object, path).get("references")
    for reference in references if isinstance(references, list) else ():
        target = joined(folder_of(path), str(mapping(reference).get("path")))
        if target is not None and target != path and folder_of(target) == folder_of(path):
            options = tree.ask(_options, target)
            if options.paths or options.base_url is not None:
                return options
    return own


def _options(tree: FileTree, path: str) -> Options:
    """Of a file and all that it extends, which it overrides; of several the later one."""
    options = Options()
    for extended in reversed(_extended(tree, path)):
        options = _overridden(options, extended, tree.ask(json_object, extended), folder_of(path))
    return options


def _extended(tree: FileTree, path: str) -> list[str]:
    """`path` and what it extends, what overrides ahead of what is overridden."""
    found: list[str] = []
    waiting = [path]
    while waiting and len(found) < _MOST_EXTENDED:
        path = waiting.pop()
        if path in found:
            continue
        found.append(path)
        for name in strings(tree.ask(json_object, path).get("extends")):
            base = _extended_file(tree, folder_of(path), name)
            if base is not None:
                waiting.append(base)
    return found


def _extended_file(tree: FileTree, folder: str, name: str) -> str | None:
    if name.startswith("."):
        target = joined(folder, name)
    else:
        parts = name.split("/")
        count = 2 if name.startswith("@") else 1
        package = tree.ask(package_folder, folder, "/".join(parts[:count]))
        if package is None:
            return None
        manifest = tree.ask(json_object, joined(package, "package.json") or "")
        inner = "/".join(parts[count:]) or str(manifest.get("tsconfig") or "tsconfig.json")
        target = joined(package, inner)
    candidates = (target, f"{target}.json", f"{target}/tsconfig.json") if target is not None else ()
    return next((path for path in candidates if tree.config(path) is not None), None)


def _overridden(options: Options, path: str, config: Mapping[str, Any], project: str) -> Options:
    """`project` is the folder of the file that extends all others: `${configDir}`."""
    compiler = mapping(config.get("compilerOptions"))
    folder = folder_of(path)

    def place(text: str) -> str | None:
        whole = text.startswith("${configDir}")
        return joined(project if whole else folder, text.removeprefix("${configDir}"))

    def target(text: str) -> str:
        return f"/{place(text)}" if text.startswith("${configDir}") else text

    if isinstance(base := compiler.get("baseUrl"), str):
        options = replace(options, base_url=place(base))
    if isinstance(paths := compiler.get("paths"), dict):
        patterns = tuple((pattern, tuple(map(target, strings(targets)))) for pattern, targets in paths.items())
        options = replace(options, paths=patterns, paths_base=folder)
    if roots := strings(compiler.get("rootDirs")):
        options = replace(options, root_dirs=tuple(root for root in map(place, roots) if root is not None))
    if conditions := strings(compiler.get("customConditions")):
        options = replace(options, conditions=tuple(conditions))
    return options


def _matched(pattern: str, name: str) -> str | None:
    """What stands for the "*" of a pattern, "" without one; None where `name` does not match."""
    before, star, after = pattern.partition("*")
    if not star:
        return "" if pattern == name else None
    if len(name) < len(before) + len(after) or not name.startswith(before) or not name.endswith(after):
        return None
    return name[len(before) : len(name) - len(after)]
