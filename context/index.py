"""The workspace index: every source file, what it imports and defines, the one dependency order, the texts to copy
from.

One per workspace folder. The editor's open text wins over the disk. Thread-safe: one writer at a time reads, parses and
orders, and then publishes all of it at once; nobody who asks ever waits for that. The language server calls `change`,
`release` and what asks on its loop, everything else on a worker thread.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from threading import Lock

from repofill.context import matches
from repofill.context.graph import ImportGraph
from repofill.context.languages.support import Resolution
from repofill.context.order import dependency_order
from repofill.context.outline import Outline
from repofill.context.pack import Chosen, pack
from repofill.context.parse import parse
from repofill.context.scan import IGNORE_FILES, IgnoreRules, is_secret, read_source, scan
from repofill.context.select import pieces

MAX_FILES = 20_000
"""Files indexed at most; a workspace like `/` stops here instead of walking the whole disk."""

_FIRST_BATCH = 64
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
    """What the index knows, as a whole; never changed, only replaced. The `View` of selection and packing."""

    files: Mapping[str, _File] = field(default_factory=dict)
    resolutions: Mapping[str, Resolution] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)
    defined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    generation: int = -1
    pool: _Pool = _Pool()
    stats: IndexStats = IndexStats()

    def outline(self, path: str) -> Outline | None:
        """The outline of a file."""
        file = self.files.get(path)
        return None if file is None else file.outline

    def text(self, path: str) -> str | None:
        """The text that its outline was made from."""
        file = self.files.get(path)
        return None if file is None else file.text

    def resolution(self, path: str) -> Resolution:
        """What its imports lead to."""
        return self.resolutions.get(path, _NOTHING)

    def defining(self, name: str) -> tuple[str, ...]:
        """The files with a definition of this name."""
        return self.defined.get(name, ())

    def position(self, path: str) -> int:
        """A file's place in the one dependency order."""
        return self.positions.get(path, 0)


_NOTHING = Resolution()


class WorkspaceIndex:
    """See the module. `root` is the workspace folder; paths are relative to it, with forward slashes; texts have LF
    line ends."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self._rules = IgnoreRules(self.root)
        self._writing = Lock()
        self._graph = ImportGraph()
        self._defined: dict[str, tuple[str, ...]] = {}
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
        files = dict(now.files)
        for path, text in changed.items():
            if text is None:
                files.pop(path, None)
            else:
                files[path] = _File(text, outlines[path])
        self._graph.update({path: None if o is None else o.interface for path, o in outlines.items()})
        self._define({path: now.outline(path) for path in changed}, outlines)
        self._publish(files, changed.keys(), opened)

    def _define(self, before: Mapping[str, Outline | None], after: Mapping[str, Outline | None]) -> None:
        """Keep up which files define a name. In place: who reads it meanwhile finds a whole tuple of either time."""
        gone, come = _defined_names(before), _defined_names(after)
        for name in gone.keys() | come.keys():
            leaving, entering = gone.get(name, set()), come.get(name, set())
            paths = [path for path in self._defined.get(name, ()) if path not in leaving]
            if paths or entering:
                self._defined[name] = (*paths, *sorted(entering))
            else:
                self._defined.pop(name, None)

    def _publish(self, files: Mapping[str, _File], changed: Iterable[str], opened: frozenset[str]) -> None:
        now, graph = self._now, self._graph
        positions, stats = now.positions, now.stats
        if graph.generation != now.generation:
            edges = graph.edges
            ordered = dependency_order(edges)
            positions = {path: at for at, path in enumerate(path for subgraph in ordered for path in subgraph)}
            stats = replace(stats, edges=sum(map(len, edges.values())), subgraphs=len(ordered))
        keeps_pool = opened == now.pool.left_out and opened.issuperset(changed)
        self._now = _Snapshot(
            files=files,
            resolutions=graph.resolutions,
            positions=positions,
            defined=self._defined,
            generation=graph.generation,
            pool=now.pool if keeps_pool else _join(files, opened),
            stats=replace(stats, files=len(files), characters=sum(len(file.text) for file in files.values())),
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

    def plan(
        self, path: str, before: str, after: str, budget_characters: int, previous: Sequence[Chosen] = ()
    ) -> tuple[Chosen, ...]:
        """What of other files the prompt for a cursor between `before` and `after` in `path` shows, in prompt order. As
        much of the `previous` context as is worth it stays at its beginning."""
        now = self._now
        return pack(now, pieces(now, path, before, after), budget_characters, now.position, previous)

    def still_true(self, path: str, resolution: Resolution, chosen: Iterable[Chosen]) -> bool:
        """Whether a plan for `path` shows the files as they are, and the imports lead where they led."""
        now = self._now
        return now.resolution(path) == resolution and all(now.text(c.path) == c.source for c in chosen)

    def resolution(self, path: str) -> Resolution:
        """What the imports of `path` lead to."""
        return self._now.resolution(path)

    def dependencies(self, path: str) -> list[str]:
        """The files that `path` depends on directly, in prompt order."""
        now = self._now
        return sorted(now.resolution(path).dependencies, key=lambda path: (now.position(path), path))

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


def _defined_names(outlines: Mapping[str, Outline | None]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for path, outline in outlines.items():
        for definition in outline.definitions if outline is not None else ():
            names.setdefault(definition.name, set()).add(path)
    return names


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


def relative_path(root: Path, file: Path) -> str | None:
    """`file` as a workspace path, or None when it lies outside of `root`."""
    try:
        relative = Path(os.path.abspath(file)).relative_to(os.path.abspath(root))
    except ValueError:
        return None
    return relative.as_posix()
