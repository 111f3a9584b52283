"""The workspace index: every source file, what it imports and defines, the one dependency order, the texts to copy
from.

One per workspace folder. The editor's open text wins over the disk. Thread-safe: one writer at a time reads, parses and
orders, and then publishes all of it at once; nobody who asks ever waits for that. The language server calls `change`,
`release` and what asks on its loop, everything else on a worker thread.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from threading import Lock

from repofill.context import matches
from repofill.context.forms import definitions_form
from repofill.context.graph import ImportGraph
from repofill.context.languages import path_comment
from repofill.context.order import dependency_order
from repofill.context.outline import Outline
from repofill.context.pack import Dependency
from repofill.context.parse import parse
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

    files: int = 0
    characters: int = 0
    edges: int = 0
    subgraphs: int = 0
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class _File:
    text: str
    outline: Outline | None
    version: int


@dataclass(frozen=True, slots=True)
class _Pool:
    """All closed files as one text, each ended by a line of NUL, so that a search is one call."""

    text: str = ""
    paths: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()
    left_out: frozenset[str] = frozenset()

    def start_of(self, path: str) -> int:
        """Where files sorted next to `path` begin: neighbours in the tree are searched first."""
        at = bisect.bisect_left(self.paths, path)
        return self.starts[at] if at < len(self.starts) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """What the index knows, as a whole; never changed, only replaced."""

    files: Mapping[str, _File] = field(default_factory=dict)
    edges: Mapping[str, frozenset[str]] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)
    generation: int = -1
    pool: _Pool = _Pool()
    stats: IndexStats = IndexStats()


class WorkspaceIndex:
    """See the module. `root` is the workspace folder; paths are relative to it, with forward slashes; texts have LF
    line ends."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self._rules = IgnoreRules(self.root)
        self._writing = Lock()
        self._graph = ImportGraph()
        self._version = 0
        self._truncated = False
        self._stopped = False
        self._now = _Snapshot()
        self._lock = Lock()  # of the two below; never held while working
        self._open: dict[str, str] = {}
        self._stale: set[str] = set()

    # What changes it

    def build(self, progress: Callable[[int], None] | None = None) -> None:
        """Read and parse everything. Blocking; meanwhile the index answers with what it has so far."""
        batch: list[str] = []
        seen: set[str] = set()
        self._rules = IgnoreRules(self.root)
        for path in scan(self.root):
            if self._stopped:
                return
            if len(seen) >= MAX_FILES:
                self._truncated = True
                break
            seen.add(path)
            batch.append(path)
            if len(batch) >= max(_FIRST_BATCH, len(seen) // 2):  # each batch resolves all imports anew, so they double
                self._refresh_files(batch)
                batch.clear()
                if progress is not None:
                    progress(len(seen))
        self._refresh_files([*batch, *(self._now.files.keys() - seen)])
        if progress is not None:
            progress(len(seen))

    def catch_up(self, since_s: float) -> None:
        """Take over what changed on disk since a time, in seconds since the epoch: what happened during `build`, before
        anybody watched."""
        present, known = set(scan(self.root)), self._now.files.keys()
        newer = {path for path in present & known if _changed_s(self.root / path) >= since_s}
        self._refresh_files(newer | (present ^ known))

    def refresh(self, paths: Iterable[str]) -> None:
        """Take over files that were changed, created or deleted on disk, in one batch; a directory stands for
        everything that was or is in it. Unchanged text changes nothing."""
        self._refresh_files(self._files_at(set(paths)))

    def open(self, path: str, text: str) -> None:
        """The editor opened a file: from now on its text counts, not the disk's."""
        self.change(path, text)
        self.settle()

    def close(self, path: str) -> None:
        """The editor closed a file: the disk counts again."""
        self.release(path)
        self.settle()

    def change(self, path: str, text: str) -> None:
        """The editor opened or changed a file. Cheap, for every keystroke: what is parsed follows at the next
        `settle`. Files that are ignored or hold secrets stay out."""
        if self.is_secret(path) or (path not in self._open and self._rules.ignores(path)):
            return
        with self._lock:
            self._open[path] = lf(text)
            self._stale.add(path)

    def release(self, path: str) -> None:
        """The editor closed a file. Cheap; the disk is read at the next `settle`."""
        with self._lock:
            if self._open.pop(path, None) is not None:
                self._stale.add(path)

    def settle(self) -> None:
        """Take over what was changed and released since the last call; the server calls it when typing pauses."""
        with self._writing:
            with self._lock:
                texts = {path: self._open.get(path) for path in self._stale}
                self._stale.clear()
            self._take_over({path: self._read(path) if text is None else text for path, text in texts.items()})

    def stop(self) -> None:
        """For good: whatever is being read and parsed is left as it is."""
        self._stopped = True

    def _refresh_files(self, files: Iterable[str]) -> None:
        with self._writing:
            with self._lock:
                closed = set(files) - self._open.keys()
            self._take_over({path: self._read(path) for path in closed if not self._stopped})

    def _files_at(self, paths: set[str]) -> set[str]:
        if any(path.rpartition("/")[2] in IGNORE_FILES for path in paths):
            self._rules = IgnoreRules(self.root)
            paths = {path.rpartition("/")[0] if path.rpartition("/")[2] in IGNORE_FILES else path for path in paths}
        known = self._now.files.keys()
        files = paths & known
        if folders := paths - known:
            files |= {file for file in known if not folders.isdisjoint(_folders_of(file))}
            for path in folders:
                files.update(scan(self.root, path) if (self.root / path).is_dir() else [path])
        return files

    def _read(self, path: str) -> str | None:
        text = None if self._rules.ignores(path) else read_source(self.root, path)
        return None if text is None else lf(text)

    def _take_over(self, texts: Mapping[str, str | None]) -> None:
        """Parse what is new in `texts` (None: no such file), and publish it."""
        now = self._now
        known = {path: now.files[path].text if path in now.files else None for path in texts}
        changed = {path: text for path, text in texts.items() if text != known[path] and not self._stopped}
        outlines: dict[str, Outline | None] = {}
        for path, text in changed.items():
            outlines[path] = None if text is None or self._stopped else parse(path, text)
        with self._lock:
            opened = frozenset(self._open)
        if self._stopped or not (changed or opened != now.pool.left_out):
            return
        self._version += 1
        files = dict(now.files)
        for path, text in changed.items():
            if text is None:
                files.pop(path, None)
            else:
                files[path] = _File(text, outlines[path], self._version)
        self._graph.update({path: None if o is None else o.interface for path, o in outlines.items()})
        self._publish(files, changed.keys(), opened)

    def _publish(self, files: Mapping[str, _File], changed: Iterable[str], opened: frozenset[str]) -> None:
        now, graph = self._now, self._graph
        edges, positions, subgraphs = now.edges, now.positions, now.stats.subgraphs
        if graph.generation != now.generation:
            edges = graph.edges
            ordered = dependency_order(edges)
            subgraphs = len(ordered)
            positions = {path: at for at, path in enumerate(path for subgraph in ordered for path in subgraph)}
        keeps_pool = opened == now.pool.left_out and opened.issuperset(changed)
        self._now = _Snapshot(
            files=files,
            edges=edges,
            positions=positions,
            generation=graph.generation,
            pool=now.pool if keeps_pool else _join(files, opened),
            stats=IndexStats(
                files=len(files),
                characters=sum(len(file.text) for file in files.values()),
                edges=sum(map(len, edges.values())),
                subgraphs=subgraphs,
            ),
        )

    # What asks it

    def stats(self) -> IndexStats:
        """Figures of the whole index."""
        return replace(self._now.stats, truncated=self._truncated)

    def ordered(self) -> list[str]:
        """Every file in the one dependency order, dependencies first."""
        return list(self._now.positions)

    def text(self, path: str) -> str | None:
        """The text that counts for `path`: the editor's if open, else the disk's as last read."""
        with self._lock:
            if path in self._open:
                return self._open[path]
        file = self._now.files.get(path)
        return None if file is None else file.text

    def is_secret(self, path: str) -> bool:
        """Whether a file, by its own name and those of the folders around it, is known to hold secrets."""
        return is_secret((self.root / path).as_posix())

    def signature(self, path: str) -> tuple[object, ...]:
        """As long as it stays the same, so does what `dependencies(path)` gives."""
        now = self._now
        return (now.generation, *((name, now.files[name].version) for name in _levels(now, path)))

    def dependencies(self, path: str) -> list[Dependency]:
        """What `path` imports, then what that imports, breadth first, nearest first."""
        now = self._now
        levels = _levels(now, path)
        return [_dependency(name, depth, now.positions.get(name, 0), now.files[name]) for name, depth in levels.items()]

    def copy_candidates(
        self, path: str | None, before: str, after: str, *, limit: int = 10, block_indent: int | None = None
    ) -> tuple[matches.Candidate, ...]:
        """How the text before the cursor goes on elsewhere: in this file, in the open ones, in the whole project."""
        pool = self._now.pool
        with self._lock:
            others = [text for name, text in self._open.items() if name != path and len(text) <= _COPY_ONE_FILE]
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


def _levels(now: _Snapshot, path: str) -> dict[str, int]:
    """What `path` depends on with the number of imports on the way, the fewest first."""
    levels: dict[str, int] = {}
    depth, frontier = 1, [path]
    while frontier and len(levels) < _MAX_DEPENDENCIES:
        found = {target for name in frontier for target in now.edges.get(name, ())}
        frontier = sorted(name for name in found if name != path and name not in levels and name in now.files)
        levels.update((name, depth) for name in frontier[: _MAX_DEPENDENCIES - len(levels)])
        depth += 1
    return levels


def _join(files: Mapping[str, _File], opened: frozenset[str]) -> _Pool:
    paths, starts, parts, size = [], [], [], 0
    for path in sorted(files.keys() - opened):
        text = files[path].text
        if size + len(text) > _COPY_CHARACTERS:
            break
        paths.append(path)
        starts.append(size)
        parts.append(text)
        size += len(text) + 2
    return _Pool("\n\0".join(parts), tuple(paths), tuple(starts), opened)


def _folders_of(path: str) -> Iterable[str]:
    """ "" included."""
    return ("", *(parent.as_posix() for parent in PurePosixPath(path).parents))


def _changed_s(file: Path) -> float:
    try:
        stat = file.stat()
    except OSError:
        return float("inf")
    return max(stat.st_mtime, stat.st_ctime)


def lf(text: str) -> str:
    """`text` with LF line ends only."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _dependency(name: str, depth: int, position: int, file: _File) -> Dependency:
    header = path_comment(name) + "\n"
    definitions = None if file.outline is None else definitions_form(file.text, file.outline)
    names = frozenset() if file.outline is None else file.outline.interface.names
    return Dependency(
        path=name,
        depth=depth,
        position=position,
        names=names,
        whole=header + _one_end(file.text),
        definitions=header + _one_end(definitions) if definitions and definitions.strip() else None,
    )


def _one_end(text: str) -> str:
    """Exactly one line feed at the end: the form of the training data."""
    return text.strip("\n") + "\n"


def relative_path(root: Path, file: Path) -> str | None:
    """`file` as a workspace path, or None when it lies outside of `root`."""
    try:
        relative = Path(os.path.abspath(file)).relative_to(os.path.abspath(root))
    except ValueError:
        return None
    return relative.as_posix()
