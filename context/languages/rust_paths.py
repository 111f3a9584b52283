"""Rust: from the paths that a file writes to the files that define what they name.

A module is a file; `use` and paths in the code lead from module to module, through what these pass on, to an item. The
file that defines the item is what the importing file depends on; `mod name;` names the file of the module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from repofill.context.languages.rust_crates import dependency, is_root
from repofill.context.languages.support import Binding, Resolution
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Import

_MOST_LOOKUPS = 100
"""Names looked for in modules, for one path; real chains of re-exports have one or two links."""

Item = tuple[str, str]
"""A file and the name of an item in it; "" is the module itself."""
_Seen = dict[tuple[str, str, bool], Item | None]
"""What names in modules turned out to be, None for as long as they are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Module:
    """What a file has of its own, the statements that bring more, by the names that they bind, and the files of the
    modules that it declares: `modules` by their names, those in modules within the file also by "outer/name", `around`
    with the modules within the file that they are declared in."""

    names: frozenset[str]
    around: Mapping[str, str]
    modules: Mapping[str, str]
    uses: Mapping[str, Import]
    stars: tuple[Import, ...]


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. `imports` are the files that define what the file names by a path, and those of the
    modules that it declares."""
    interface = tree.interface(path)
    found = _Found(path=path)
    for statement in interface.imports if interface is not None else ():
        if statement.kind in ("mod", "path"):
            target = _declared(path, statement, tree)
            if target is not None:
                found.add((target, ""), statement.bound[0])
        elif statement.names == ("*",):
            item = _find(path, _split(statement.module), tree)
            if item is not None:
                found.add((item[0], item[1] or "*"), "*")
                found.bindings += tree.ask(_passed_on, *item) if item[1] else ()
        else:
            item = _find(path, (*_split(statement.module), *statement.names), tree)
            if item is not None:
                found.add(item, statement.bound[0])
    for reference in sorted(interface.references) if interface is not None else ():
        if reference.endswith("!"):
            segments: tuple[str, ...] = (reference[:-1],)
            item = tree.ask(_known, path, reference[:-1], False) or _macro(path, reference[:-1], tree)
        else:
            segments = _split(reference)
            item = _find(path, segments, tree)
        if item is not None and item[0] != path:
            found.imports.add(item[0])
            if len(segments) == 1:
                found.bindings.append(Binding(local=segments[0], path=item[0], name=item[1]))
    return Resolution(
        imports=frozenset(found.imports - {path}),
        bindings=tuple(dict.fromkeys(binding for binding in found.bindings if binding.path != path)),
    )


@dataclass(slots=True)
class _Found:
    path: str
    imports: set[str] = field(default_factory=set)
    bindings: list[Binding] = field(default_factory=list)

    def add(self, item: Item, local: str) -> None:
        self.imports.add(item[0])
        self.bindings.append(Binding(local=local, path=item[0], name=item[1]))


def _passed_on(tree: FileTree, file: str, inner: str) -> tuple[Binding, ...]:
    """What a module within a file takes from elsewhere and passes on: a prelude."""
    surface = tree.surface(file)
    found = []
    for statement in surface.imports if surface is not None else ():
        if statement.kind == f"pub {inner}":
            star = statement.names == ("*",)
            item = _find(file, (*_split(statement.module), *(() if star else statement.names)), tree)
            if item is not None:
                local, name = ("*", item[1] or "*") if star else (statement.bound[0], item[1])
                found.append(Binding(local=local, path=item[0], name=name))
    return tuple(found)


def _split(path: str) -> tuple[str, ...]:
    return tuple(path.split("::")) if path else ()


def _find(file: str, segments: tuple[str, ...], tree: FileTree, seen: _Seen | None = None) -> Item | None:
    """What a path written in a file names; where its end is not known, the module that it gets to. Re-exports
    may go in circles, which `seen` ends. The first of a chain of lookups, without it, is remembered."""
    if not segments:
        return None
    first, *rest = segments
    item: Item | None
    if first == "crate":
        item = (tree.ask(_root, file), "")
    elif first == "self":
        item = (file, "")
    elif first == "super":
        item = _above((file, ""), tree)
    elif first == "":
        item = _module(dependency(tree, file, rest.pop(0))) if rest else None
    else:
        item = _lookup(file, first, bool(rest), tree, seen) or _module(dependency(tree, file, first))
        if item is None and rest and tree.ask(_root, file) != file:  # as paths were before 2018
            item = _lookup(tree.ask(_root, file), first, True, tree, seen)
    while item is not None and rest and (not item[1] or item[1][0].islower()):  # a module, or one within the file
        name = rest.pop(0)
        if name == "super":
            item = _above(item, tree)
        elif name != "self":
            inner = _within(item, name, tree) or _lookup(item[0], name, bool(rest), tree, seen)
            if inner is None:
                return item if item[0] != file else None
            item = inner
    return item


def _above(item: Item, tree: FileTree) -> Item | None:
    """The module around one, which may stand within a file."""
    file, inner = item
    if inner:
        return file, inner.rpartition("/")[0]
    parent = tree.ask(_parent, file)
    module = tree.ask(_contents, parent) if parent is not None else None
    return (parent, module.around.get(file, "")) if parent is not None and module is not None else None


def _within(item: Item, name: str, tree: FileTree) -> Item | None:
    """The module that a module within a file declares."""
    module = tree.ask(_contents, item[0]) if item[1] else None
    return _module(module.modules.get(f"{item[1]}/{name}")) if module is not None else None


def _module(file: str | None) -> Item | None:
    return (file, "") if file is not None else None


def _lookup(file: str, name: str, inside: bool, tree: FileTree, seen: _Seen | None) -> Item | None:
    return tree.ask(_known, file, name, inside) if seen is None else _member(file, name, inside, tree, seen)


def _known(tree: FileTree, file: str, name: str, inside: bool) -> Item | None:
    return _member(file, name, inside, tree, {})


def _member(file: str, name: str, inside: bool, tree: FileTree, seen: _Seen) -> Item | None:
    """What a name is in a module: an item of its own, a module that it declares, what a `use` brings, or a macro that
    is known in all of the crate. A module may have the name of a function; `inside` asks for the module."""
    module = tree.ask(_contents, file)
    if module is None:
        return None
    if inside and name in module.modules:
        return module.modules[name], ""
    if name in module.names:
        return file, name
    key = (file, name, inside)
    if key not in seen and len(seen) < _MOST_LOOKUPS:
        seen[key] = None
        found = _brought(file, name, inside, module, tree, seen)
        seen[key] = found or (tree.ask(_macro_of, file, name) if tree.ask(_root, file) == file else None)
    return seen.get(key)


def _contents(tree: FileTree, file: str) -> _Module | None:
    interface = tree.surface(file)
    if interface is None:
        return None
    around, modules, uses = dict[str, str](), dict[str, str](), dict[str, Import]()
    for statement in interface.imports:
        if statement.kind not in ("mod", "path"):
            for name in statement.bound:
                uses.setdefault(name, statement)
        elif (target := _declared(file, statement, tree)) is not None:
            inner = statement.module if statement.kind == "mod" else ""
            around[target] = inner
            modules.setdefault(_join(inner, statement.bound[0]), target)
            modules.setdefault(statement.bound[0], target)
    stars = tuple(statement for statement in interface.imports if statement.names == ("*",))
    return _Module(names=interface.names, around=around, modules=modules, uses=uses, stars=stars)


def _brought(file: str, name: str, inside: bool, module: _Module, tree: FileTree, seen: _Seen) -> Item | None:
    """What a `use`, a `mod` or, where none names it, a `use …::*` makes of a name."""
    if name in module.uses:
        statement = module.uses[name]
        return _find(file, (*_split(statement.module), *statement.names), tree, seen)
    if name in module.modules:
        return module.modules[name], ""
    for statement in module.stars:
        around = _find(file, _split(statement.module), tree, seen)
        if around is not None and around[0] != file:
            item = _member(around[0], name, inside, tree, seen)
            if item is not None:
                return item
    return None


def _macro(file: str, name: str, tree: FileTree) -> Item | None:
    """What `name!` or `#[name]` is that no path leads to: a macro of the crate, whatever module it is in, or one of a
    crate that the root takes the macros of."""
    root = tree.ask(_root, file)
    return tree.ask(_macro_of, root, name) or tree.ask(_macro_from_outside, root, name)


def _macro_of(tree: FileTree, root: str, name: str) -> Item | None:
    """The macro of a crate with a name. Those of `macro_rules!` have one scope from their definition on, or stand at
    the crate's root; which of several with one name it is, only the order of the text would tell."""
    for file in tree.in_scope("rust", name):
        if tree.ask(_root, file) == root:
            return file, name
    return None


def _macro_from_outside(tree: FileTree, root: str, name: str) -> Item | None:
    module = tree.ask(_contents, root)
    for statement in module.uses.values() if module is not None else ():
        library = dependency(tree, root, statement.names[0]) if statement.kind == "macro_use" else None
        item = tree.ask(_known, library, name, False) if library is not None else None
        if item is not None:
            return item
    return None


def _declared(file: str, statement: Import, tree: FileTree) -> str | None:
    """The file of `mod name;`."""
    for target in _candidates(file, statement, tree):
        if target in tree:
            return target
    return None


def _candidates(file: str, statement: Import, tree: FileTree) -> Iterator[str]:
    folder, _, last = file.rpartition("/")
    if statement.kind == "path":
        yield _normal(folder, statement.module)
        return
    own = _join(folder, last.removesuffix(".rs"))
    bases = (folder,) if last == "mod.rs" or tree.ask(is_root, file) else (own,)
    for base in bases:
        inner = _join(base, statement.module) if statement.module else base
        yield _join(inner, f"{statement.bound[0]}.rs")
        yield _join(inner, f"{statement.bound[0]}/mod.rs")


def _parent(tree: FileTree, file: str) -> str | None:
    """The file that declares the module of this one; None for the root of a crate."""
    if tree.ask(is_root, file):
        return None
    folder, _, last = file.rpartition("/")
    if last == "mod.rs":
        folder = folder.rpartition("/")[0]
    near = [_join(folder, name) for name in tree.entries(folder) if name.endswith(".rs")]
    candidates = [*_heads(folder), *near]
    while folder:  # further up where a module within a file declares this one
        folder = folder.rpartition("/")[0]
        candidates += _heads(folder)
    for candidate in dict.fromkeys(candidates):
        if candidate != file and _declares(candidate, file, tree):
            return candidate
    return None


def _heads(folder: str) -> list[str]:
    """The files that a module whose files are in a folder may have."""
    return [*([f"{folder}.rs"] if folder else []), *(_join(folder, name) for name in ("mod.rs", "lib.rs", "main.rs"))]


def _declares(candidate: str, file: str, tree: FileTree) -> bool:
    module = tree.ask(_contents, candidate)
    return module is not None and file in module.around


def _root(tree: FileTree, file: str) -> str:
    """The root file of the crate that a file is part of."""
    seen = {file}
    while (above := tree.ask(_parent, file)) is not None and above not in seen:
        seen.add(above)
        file = above
    return file


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _normal(folder: str, path: str) -> str:
    parts = folder.split("/") if folder else []
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
