"""Ruby: from `require` to the files on a load path, and from constants to the files that Zeitwerk loads for them.

A file on a load path is found by its feature's name alone: whatever ends like it, below a folder that gems and test
tools put on the path. A constant's file is found the same way, below the roots of Zeitwerk (source: Zeitwerk's README,
"File structure"; the Rails guide "Autoloading and Reloading Constants").
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from repofill.context.languages.support import Binding, Resolution
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Import

_LOAD_PATH = frozenset({"", "lib", "test", "spec", "src", "ext", "app", "features"})
_APP = re.compile(r"(?:|.*/)app/[^/]+(?:/concerns)?")
_LIB = re.compile(r"(?!(?:.*/)?(?:test|spec)/)(?:|.*/)lib")
_WORDS = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z\d])(?=[A-Z])")


def underscored(name: str) -> str:
    """The path that belongs to a constant's name, without its ending: "Admin::HTMLPage" is "admin/html_page"."""
    return _WORDS.sub("_", name.replace("::", "/")).lower()


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. `imports` are the files that are required, and those that Zeitwerk loads for a constant;
    `origins` are files of which this one uses a constant that somebody else has required."""
    interface = tree.interface(path)
    if interface is None:
        return Resolution()
    found = _Found(path=path, tree=tree)
    for statement in interface.imports:
        found.require(statement)
    for reference in sorted(interface.references):
        found.refer(reference)
    return Resolution(
        imports=frozenset(found.imports - {path}),
        origins=frozenset(found.origins - found.imports - {path}),
        bindings=tuple(dict.fromkeys(binding for binding in found.bindings if binding.path != path)),
    )


@dataclass(slots=True)
class _Found:
    path: str
    tree: FileTree
    imports: set[str] = field(default_factory=set)
    origins: set[str] = field(default_factory=set)
    bindings: list[Binding] = field(default_factory=list)

    def require(self, statement: Import) -> None:
        file = _required(self.path, statement, self.tree)
        if file is not None:
            self.imports.add(file)
            local, name = (statement.bound[0], "") if statement.bound else ("*", "*")
            self.bindings.append(Binding(local=local, path=file, name=name))

    def refer(self, reference: str) -> None:
        file = _constant(self.path, reference, self.tree)
        if file is not None:
            is_autoloaded = file.is_whole and self.tree.ask(_is_autoloaded, file.root)
            (self.imports if is_autoloaded else self.origins).add(file.path)
            self.bindings.append(Binding(local=file.name, path=file.path, name=""))


def _required(path: str, statement: Import, tree: FileTree) -> str | None:
    feature = statement.module
    if not feature.endswith((".rb", ".rake")):
        feature += ".rb"
    folder = posixpath.dirname(path)
    if statement.kind == "require_relative" or feature.startswith("."):
        file = posixpath.normpath(posixpath.join(folder, feature))
        return file if file in tree else None
    found = [place for place in tree.ask(_ending, feature) if _is_on_load_path(place.root)]
    return _nearest(path, found).path if found else None


def _is_on_load_path(root: str) -> bool:
    return posixpath.basename(root) in _LOAD_PATH or _APP.fullmatch(root) is not None


@dataclass(frozen=True, slots=True)
class _Place:
    """A file of a feature or, then with its name, a constant, below the folder `root`. `is_whole` is false of the file
    of `A` for `A::B` where `A` may be the namespace of a whole library, which nobody loads for the sake of `B`."""

    path: str
    root: str
    name: str = ""
    is_whole: bool = True


def _ending(tree: FileTree, feature: str) -> tuple[_Place, ...]:
    """The files whose path is a folder's and then the feature's."""
    feature = posixpath.normpath(feature)
    return tuple(
        _Place(path=file, root=file[: -len(feature)].rstrip("/"))
        for file in tree.named(posixpath.basename(feature))
        if f"/{file}".endswith(f"/{feature}")
    )


def _nearest(path: str, places: list[_Place]) -> _Place:
    """The place that shares most leading folders with a file; `lib` before others."""
    return min(places, key=lambda p: (-_shared(p.path, path), posixpath.basename(p.root) != "lib", p.path))


def _constant(path: str, reference: str, tree: FileTree) -> _Place | None:
    """The file of a constant, as Ruby looks it up: in the modules around it from the innermost on, then at the top
    level; where the last part of `A::B::C` has no file of its own, that of `A::B`."""
    *around, written = reference.split(" ")
    absolute = written.startswith("::")
    parts = written.lstrip(":").split("::")
    for outer in _nestings([] if absolute else around):
        for count in range(len(parts), 0, -1):
            found = tree.ask(_places, "::".join([*([outer] if outer else []), *parts[:count]]))
            if found:
                nearest = _nearest(path, list(found))
                is_whole = count == len(parts) or outer != "" or count > 1 or _APP.fullmatch(nearest.root) is not None
                return replace(nearest, name=parts[count - 1], is_whole=is_whole)
    return None


def _nestings(around: list[str]) -> Iterator[str]:
    for count in range(len(around), 0, -1):
        yield "::".join(around[:count])
    yield ""


def _places(tree: FileTree, name: str) -> tuple[_Place, ...]:
    """The files that are called like a constant, below a root that Zeitwerk or a gem may have."""
    path = underscored(name)
    plain = posixpath.join(posixpath.dirname(path), path.rpartition("/")[2].replace("_", ""))
    found = tree.ask(_ending, f"{path}.rb") or (tree.ask(_ending, f"{plain}.rb") if plain != path else ())
    return tuple(place for place in found if _LIB.fullmatch(place.root) or _APP.fullmatch(place.root))


def _is_autoloaded(tree: FileTree, root: str) -> bool:
    """Whether Zeitwerk loads what is in a folder: below `app`, the `lib` of a Rails application, that of a gem with a
    loader of its own."""
    if _APP.fullmatch(root) is not None:
        return True
    if posixpath.join(posixpath.dirname(root), "config/application.rb") in tree:
        return True
    files = [posixpath.join(root, name) for name in tree.entries(root) if name.endswith(".rb")]
    surfaces = [surface for file in files if (surface := tree.surface(file)) is not None]
    return any(statement.module == "zeitwerk" for surface in surfaces for statement in surface.imports)


def _shared(one: str, other: str) -> int:
    """Leading folders in common."""
    pairs = zip(one.split("/")[:-1], other.split("/")[:-1], strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(one.count("/"), other.count("/")))
