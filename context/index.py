"""The workspace index: every source file, what it imports and defines, the one dependency order, the texts to copy
from.

One per workspace folder. The editor's open text wins over the disk. All methods are thread-safe: the language server
calls the cheap ones on its loop and `build`, `refresh` and `settle` on a worker thread.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from repofill.context import matches
from repofill.context.graph import ImportGraph
from repofill.context.languages import path_comment
from repofill.context.order import dependency_order
from repofill.context.outline import Outline
from repofill.context.pack import Dependency
from repofill.context.parse import definitions_form, parse
from repofill.context.scan import IGNORE_FILES, IgnoreRules, is_secret, read_source, scan

MAX_FILES = 20_000
"""Files indexed at most; a workspace like `/` stops here instead of walking the whole disk."""

_FIRST_BATCH = 64
_MAX_DEPENDENCIES = 48
_COPY_CHARACTERS = 8_000_000
"""Text the longest match searches at most: the bound on the time of one look-up."""
_COPY_ONE_FILE = 400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStats:
    """Figures for people: `edges` counts imports between files, `subgraphs` the connected parts, `truncated` says
    that MAX_FILES was reached."""

    files: int
    characters: int
    edges: int
    subgraphs: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class _File:
    text: str
    outline: Outline | None
    version: int


@dataclass(frozen=True, slots=True)
class _Pool:
    """All closed files as one text, separated by NUL, so that a search is one call."""

    text: str
    paths: tuple[str, ...]
    starts: tuple[int, ...]

    def start_of(self, path: str) -> int:
        """Where files sorted next to `path` begin: neighbours in the tree are searched first."""
        at = bisect.bisect_left(self.paths, path)
        return self.starts[at] if at < len(self.starts) else 0


class WorkspaceIndex:
    """See the module. `root` is the workspace folder; paths are relative to it, with forward slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._rules = IgnoreRules(root)
        self._lock = RLock()
        self._files: dict[str, _File] = {}
        self._open: dict[str, str] = {}
        self._stale: set[str] = set()
        self._graph = ImportGraph()
        self._positions: tuple[int, dict[str, int]] = (-1, {})
        self._subgraphs = 0
        self._version = 0
        self._pool: _Pool | None = None
        self._truncated = False

    # What changes it

    def build(self, progress: Callable[[int], None] | None = None, cancelled: Callable[[], bool] | None = None) -> None:
        """Read and parse everything. Blocking; meanwhile the index answers with what it has so far."""
        batch: list[str] = []
        seen: set[str] = set()
        self._rules = IgnoreRules(self.root)
        for path in scan(self.root):
            if cancelled is not None and cancelled():
                return
            if len(seen) >= MAX_FILES:
                self._truncated = True
                break
            seen.add(path)
            batch.append(path)
            if len(batch) >= max(_FIRST_BATCH, len(seen) // 2):  # each batch resolves all imports anew, so they double
                self.refresh(batch)
                batch.clear()
                if progress is not None:
                    progress(len(seen))
        with self._lock:
            gone = self._files.keys() - seen - self._open.keys()
        self.refresh([*batch, *sorted(gone)])
        if progress is not None:
            progress(len(seen))

    def refresh(self, paths: Iterable[str]) -> None:
        """Take over files that were changed, created or deleted on disk, in one batch. Unchanged text changes
        nothing."""
        read = {path: self._read(path) for path in self._files_at(paths)}
        with self._lock:
            known = {path: file.text for path, file in self._files.items() if path in read}
        changed = {path: text for path, text in read.items() if path not in self._open and known.get(path) != text}
        outlines = {path: None if text is None else parse(path, text) for path, text in changed.items()}
        with self._lock:
            self._store({path: text for path, text in changed.items() if path not in self._open}, outlines)

    def _files_at(self, paths: Iterable[str]) -> set[str]:
        """The files that changed paths stand for: a directory for everything that was or is in it."""
        files: set[str] = set()
        for path in paths:
            if path.rpartition("/")[2] in IGNORE_FILES:
                self._rules = IgnoreRules(self.root)
                path = path.rpartition("/")[0]
            prefix = f"{path}/" if path else ""
            with self._lock:
                files.update(name for name in self._files if name == path or name.startswith(prefix))
            files.update(scan(self.root, path) if (self.root / path).is_dir() else [path])
        return files

    def _read(self, path: str) -> str | None:
        return None if self._rules.ignores(path) else read_source(self.root, path)

    def open(self, path: str, text: str) -> None:
        """The editor opened a file: from now on its text counts, not the disk's."""
        self.change(path, text)
        self.settle()

    def change(self, path: str, text: str) -> None:
        """The editor opened or changed a file. Cheap, for every keystroke: what is parsed follows at the next
        `settle`. Files that hold secrets stay out."""
        if is_secret(path):
            return
        with self._lock:
            if path not in self._open:
                self._pool = None
            self._open[path] = text
            self._stale.add(path)

    def settle(self) -> None:
        """Parse what changed since the last call; the server calls it when typing pauses."""
        with self._lock:
            texts = {path: self._open[path] for path in self._stale if path in self._open}
            self._stale.clear()
        self._take_over(texts)

    def close(self, path: str) -> None:
        """The editor closed a file: the disk counts again."""
        with self._lock:
            self._open.pop(path, None)
            self._stale.discard(path)
            self._pool = None
        self.refresh([path])

    def _take_over(self, texts: dict[str, str]) -> None:
        outlines = {path: parse(path, text) for path, text in texts.items()}
        with self._lock:
            self._store({path: text for path, text in texts.items() if path in self._open}, outlines)

    def _store(self, texts: dict[str, str | None], outlines: dict[str, Outline | None]) -> None:
        if not texts:
            return
        self._version += 1
        for path, text in texts.items():
            if text is None:
                self._files.pop(path, None)
            else:
                self._files[path] = _File(text, outlines[path], self._version)
        self._graph.update({path: outlines[path] for path in texts})
        if any(path not in self._open for path in texts):
            self._pool = None

    # What asks it

    def stats(self) -> IndexStats:
        """Figures of the whole index."""
        with self._lock:
            self._order()
            return IndexStats(
                files=len(self._files),
                characters=sum(len(file.text) for file in self._files.values()),
                edges=sum(len(targets) for targets in self._graph.edges.values()),
                subgraphs=self._subgraphs,
                truncated=self._truncated,
            )

    def ordered(self) -> list[str]:
        """Every file in the one dependency order, dependencies first."""
        with self._lock:
            positions = self._order()
            return sorted(positions, key=positions.__getitem__)

    def text(self, path: str) -> str | None:
        """The text that counts for `path`: the editor's if open, else the disk's as last read."""
        with self._lock:
            if path in self._open:
                return self._open[path]
            file = self._files.get(path)
            return None if file is None else file.text

    def signature(self, path: str) -> tuple[object, ...]:
        """Changes exactly when `dependencies(path)` could change: equal signatures mean that a plan is still good."""
        with self._lock:
            levels = self._levels(path)
            return (self._graph.generation, *((name, self._files[name].version) for name in levels))

    def dependencies(self, path: str) -> list[Dependency]:
        """What `path` imports, then what that imports, breadth first, nearest first."""
        with self._lock:
            positions = self._order()
            levels = self._levels(path)
            chosen = [(name, depth, positions.get(name, 0), self._files[name]) for name, depth in levels.items()]
        return [_dependency(name, depth, position, file) for name, depth, position, file in chosen]

    def copy_candidates(
        self, path: str | None, before: str, after: str, *, limit: int = 10, block_indent: int | None = None
    ) -> tuple[matches.Candidate, ...]:
        """How the text before the cursor goes on elsewhere: in this file, in the open ones, in the whole project."""
        with self._lock:
            pool = self._pool = self._pool or self._join()
            others = [text for name, text in self._open.items() if name != path]
        before, after = before[-_COPY_ONE_FILE:], after[:_COPY_ONE_FILE]
        return matches.candidates(
            before,
            [
                matches.Source(text=before, origin="before", latest_first=True),
                matches.Source(text=after, origin="after"),
                *(matches.Source(text=text, origin="open") for text in reversed(others)),
                matches.Source(text=pool.text, origin="project", start=pool.start_of(path or "")),
            ],
            limit=limit,
            block_indent=block_indent,
        )

    def _order(self) -> dict[str, int]:
        generation, positions = self._positions
        if generation != self._graph.generation:
            subgraphs = dependency_order(self._graph.edges)
            names = (name for subgraph in subgraphs for name in subgraph)
            positions = {name: position for position, name in enumerate(names)}
            self._positions = self._graph.generation, positions
            self._subgraphs = len(subgraphs)
        return positions

    def _levels(self, path: str) -> dict[str, int]:
        levels: dict[str, int] = {}
        depth, frontier = 1, [path]
        while frontier and len(levels) < _MAX_DEPENDENCIES:
            found = {target for name in frontier for target in self._graph.dependencies(name)}
            frontier = sorted(name for name in found if name != path and name not in levels and name in self._files)
            levels.update((name, depth) for name in frontier[: _MAX_DEPENDENCIES - len(levels)])
            depth += 1
        return levels

    def _join(self) -> _Pool:
        paths, starts, parts, size = [], [], [], 0
        for path in sorted(self._files.keys() - self._open.keys()):
            text = self._files[path].text
            if size + len(text) > _COPY_CHARACTERS:
                break
            paths.append(path)
            starts.append(size)
            parts.append(text)
            size += len(text) + 1
        return _Pool("\0".join(parts), tuple(paths), tuple(starts))


def _dependency(name: str, depth: int, position: int, file: _File) -> Dependency:
    header = path_comment(name) + "\n"
    definitions = None if file.outline is None else definitions_form(file.text, file.outline)
    names = frozenset() if file.outline is None else frozenset(d.name for d in file.outline.definitions)
    return Dependency(
        path=name,
        depth=depth,
        position=position,
        names=names,
        whole=header + _lines(file.text),
        definitions=header + _lines(definitions) if definitions and definitions.strip() else None,
    )


def _lines(text: str) -> str:
    """Line feeds only, and exactly one at the end: the form of the training data."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n") + "\n"


def relative_path(root: Path, file: Path) -> str | None:
    """`file` as a workspace path, or None when it lies outside of `root`."""
    try:
        relative = Path(os.path.abspath(file)).relative_to(os.path.abspath(root))
    except ValueError:
        return None
    return relative.as_posix()
