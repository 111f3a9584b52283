"""Rust: the definitions that rust-analyzer finds behind the names of a file.

Nothing of a project is run: no build script, no procedural macro. Its manifests are reduced to what tells crates from
one another, with every feature on, so that no registry is asked; crates from elsewhere stay unknown.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import tree_sitter_rust
from tree_sitter import Language, Node, Parser

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import Project, debian

_VERSION = "1.85.1+dfsg1-1+deb13u1"
_ANALYZER = (f"rust-analyzer={_VERSION}", f"rust-src={_VERSION}")
_LANGUAGE = Language(tree_sitter_rust.language())


def edges(root: Path) -> set[tuple[str, str]]:
    """Every file with those that define what it names by a path or a macro, with the modules that it declares, and with
    those that a `use` ends at. Fields and methods do not count: they are found by the types of values."""
    return _analysed(root)[1]


def unseen(root: Path) -> set[tuple[str, str]]:
    """All pairs with a file that is in no crate for rust-analyzer: data of tests, code for other systems."""
    files = {file.relative_to(root).as_posix() for file in root.rglob("*.rs")}
    known = _analysed(root)[0]
    return {(a, b) for a in files for b in files if a not in known or b not in known}


@cache
def _analysed(root: Path) -> tuple[set[str], set[tuple[str, str]]]:
    """The files that rust-analyzer knows, and the edges between them."""
    with indexed(root) as index:
        return set(index.documents.values()), set(index.edges())


@contextmanager
def indexed(root: Path) -> Iterator[Index]:
    """What rust-analyzer finds in a copy of the project, which is there while the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder).resolve() / "project"
        shutil.copytree(root, project)
        shutil.rmtree(project / ".cargo", ignore_errors=True)
        (project / "Cargo.lock").unlink(missing_ok=True)
        for file in project.rglob("Cargo.toml"):
            _reduce(file)
        index = Index(project=project)
        for line in _index(project):
            index.read(json.loads(line))
        yield index


def _reduce(file: Path) -> None:
    try:
        manifest = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return  # data of a test
    kept: dict[str, Any] = {}
    if isinstance(about := manifest.get("package"), dict):
        kept["package"] = {"version": "0.0.0", **_only(about, "name", "edition", "build")}
        depended = {name for key, value in manifest.items() if key.endswith("dependencies") for name in value}
        features = sorted({*manifest.get("features", {}), *depended} - {"default"})
        kept["features"] = {"default": features, **{name: [] for name in features}}
    if "lib" in manifest:
        kept["lib"] = _only(manifest["lib"], "name", "path", "proc-macro")
    for kind in ("bin", "test", "example", "bench"):
        if kind in manifest:
            kept[kind] = [_only(target, "name", "path") for target in manifest[kind]]
    for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
        kept[kind] = dict(_local(manifest.get(kind, {}), file.parent))
        for name in kept[kind]:  # which may not be a feature as well
            kept["features"]["default"] = [f for f in kept["features"]["default"] if f != name]
            kept["features"].pop(name, None)
    if "workspace" in manifest:
        kept["workspace"] = _only(manifest["workspace"], "members", "exclude")
        kept["workspace"]["dependencies"] = dict(_local(manifest["workspace"].get("dependencies", {}), file.parent))
    file.write_text("".join(f"{_toml(name)} = {_toml(value)}\n" for name, value in kept.items()))


def _local(dependencies: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, said in dependencies.items():
        if isinstance(said, dict) and ("workspace" in said or ("path" in said and (folder / said["path"]).is_dir())):
            yield name, _only(said, "path", "package", "workspace")


def _only(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: table[name] for name in names if name in table}


def _toml(value: object) -> str:
    """A value in one line; strings of JSON are strings of TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(name)} = {_toml(inner)}" for name, inner in value.items()) + "}"
    return "[" + ", ".join(map(_toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def _index(project: Path) -> list[str]:
    """The lines of the project's index in the Language Server Index Format."""
    debian.program("cargo", "cargo")
    installed = debian.binary(*_ANALYZER, suite="trixie", dependencies=True)
    loader = next(installed.glob("usr/lib/*/ld-linux-*"))
    library = next(installed.glob("usr/src/rustc-*/library"))
    command = [str(loader), "--library-path", str(loader.parent), str(installed / "usr/bin/rust-analyzer")]
    settings = {**os.environ, "RUST_SRC_PATH": str(library), "CARGO_NET_OFFLINE": "true"}
    done = subprocess.run([*command, "lsif", str(project)], env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"rust-analyzer failed: {done.stderr.strip()[-300:]}")
    return [line for line in done.stdout.splitlines() if line.startswith("{")]


@dataclass(frozen=True, slots=True)
class Span:
    """Where in a file's lines a name stands. Rows and columns count from 0."""

    path: str
    row: int
    start: int
    end: int


@dataclass(slots=True, kw_only=True)
class Index:
    """The part of an index that leads from names to definitions: a range has a result set ("next"), that has
    definitions, which are ranges again."""

    project: Path
    documents: dict[int, str] = field(default_factory=dict)
    ranges: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    document_of: dict[int, int] = field(default_factory=dict)
    result_set: dict[int, int] = field(default_factory=dict)
    definition: dict[int, int] = field(default_factory=dict)
    targets: dict[int, set[int]] = field(default_factory=dict)
    texts: dict[str, tuple[list[str], Node]] = field(default_factory=dict)

    def read(self, element: Mapping[str, Any]) -> None:
        match element["label"]:
            case "document":
                file = Path(element["uri"].removeprefix("file://"))
                if file.is_relative_to(self.project):
                    self.documents[element["id"]] = file.relative_to(self.project).as_posix()
            case "range":
                start, end = element["start"], element["end"]
                self.ranges[element["id"]] = (start["line"], start["character"], end["character"])
            case "contains":
                self.document_of |= dict.fromkeys(element["inVs"], element["outV"])
            case "next":
                self.result_set[element["outV"]] = element["inV"]
            case "textDocument/definition":
                self.definition[element["outV"]] = element["inV"]
            case "item" if "property" not in element:
                self.targets.setdefault(element["outV"], set()).update(element["inVs"])

    def definitions(self) -> Iterator[tuple[Span, Span]]:
        """Every name of the project with what defines it there."""
        for used, results in self.result_set.items():
            use = self._place(used)
            for target in self.targets.get(self.definition.get(results, -1), ()) if use is not None else ():
                place = self._place(target)
                if use is not None and place is not None:
                    yield use, place

    def edges(self) -> Iterator[tuple[str, str]]:
        """Files that use one another's definitions."""
        for use, place in self.definitions():
            if use.path != place.path and self._counts(use, place):
                yield use.path, place.path

    def _place(self, number: int) -> Span | None:
        path = self.documents.get(self.document_of.get(number, -1))
        return Span(path, *self.ranges[number]) if path is not None and number in self.ranges else None

    def _counts(self, use: Span, target: Span) -> bool:
        """Not what is reached through a value, and modules only where a path ends at them."""
        line = self._text(use.path)[0][use.row]
        before, token, after = line[: use.start], line[use.start : use.end], line[use.end :]
        if before.endswith("."):
            return False
        lines, tree = self._text(target.path)
        row = lines[target.row]
        start, end = (len(row[:column].encode()) for column in (target.start, target.end))
        defined = tree.named_descendant_for_point_range((target.row, start), (target.row, end))
        parent = defined.parent if defined is not None else None
        if (target.row, target.start, target.end) == (0, 0, 0) or (parent is not None and parent.type == "mod_item"):
            if after.startswith("::"):
                return after.startswith("::*")
            return token not in ("crate", "self", "super") or before.rstrip().endswith(("{", ","))
        return parent is None or not _is_member(parent)

    def _text(self, path: str) -> tuple[list[str], Node]:
        if path not in self.texts:
            source = (self.project / path).read_bytes()
            self.texts[path] = source.decode("utf-8", "replace").split("\n"), Parser(_LANGUAGE).parse(source).root_node
        return self.texts[path]


def _is_member(definition: Node) -> bool:
    block = definition.parent
    around = block.parent if block is not None and block.type == "declaration_list" else None
    return definition.type == "field_declaration" or (around is not None and around.type in ("impl_item", "trait_item"))


PROJECTS = (
    Project(
        name="rust: cargo",
        fetch=partial(debian.source, "cargo", "0.66.0+ds1-1"),
        edges=edges,
        skipped=unseen,
    ),
    Project(
        name="rust: rustls",
        fetch=lambda: debian.binary("librust-rustls-dev=0.20.8-4") / "usr/share/cargo/registry/rustls-0.20.8",
        edges=edges,
        skipped=unseen,
    ),
)
