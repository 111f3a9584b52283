"""The workspace index: every source file, what it imports and defines, the one dependency order, the texts to copy
from.

One per workspace folder. The editor's open text wins over the disk. Thread-safe: one writer at a time reads, parses and
orders, and then publishes all of it at once; nobody who asks ever waits for that. The language server calls `change`,
`release` and what asks on its loop, everything else on a worker thread. Texts and outlines of closed files lie in a
`Store`; memory holds what resolving names takes.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice, takewhile
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from repofill.context import matches
from repofill.context.alike import alike
from repofill.context.defined import DefinedNames
from repofill.context.graph import ImportGraph
from repofill.context.languages import language_of
from repofill.context.languages.support import Resolution
from repofill.context.names import NOTHING, Names
from repofill.context.order import Position, subgraph_count
from repofill.context.pack import Chosen, pack
from repofill.context.parse import parse
from repofill.context.passages import Filters, Nearby, PassageIndex, Passages
from repofill.context.reader import lf, read, read_many, shown_to_others, stamp_of
from repofill.context.redact import REDACTED
from repofill.context.scan import (
    IGNORE_FILES,
    IgnoreRules,
    is_config,
    is_secret,
    is_source,
    read_config,
    read_source,
    scan,
)
from repofill.context.select import View, pieces
from repofill.context.store import Known, Row, Stamp, Store, Symbols, describe, digest_of, symbols_of

MAX_FILES = 20_000
"""Files indexed at first; a workspace like `/` stops here instead of walking the whole disk. Beyond that only what is
around open files is read."""
_AROUND = 2_000
"""Files read around an open one, or in folders that have changed, where there are too many."""

_FIRST_BATCH = 64
_COPY_ONE_FILE = 400_000
_COPIED = 0.7
"""From this Jaccard similarity of their lines on, a file of the same name is a copy of the one that is being edited."""
_COPIES = 64
"""Files of one name that are compared; a name of more is what people call things."""
_MOST_CHARACTERS = 4_000_000
"""Of an open file: a longer one would be parsed for seconds whenever typing pauses."""
_TEXT_CHARACTERS = 8_000_000
_NAMES_FILES = 2_048
"""Of closed files what is kept at hand."""

_NOTHING = Resolution()
_NONE: Mapping[str, str] = MappingProxyType({})
_Content = tuple[str, Names]
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStats:
    """Figures for people: `edges` counts imports between files, `truncated` says that MAX_FILES was reached."""

    files: int = 0
    characters: int = 0
    edges: int = 0
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """What the index knows, as a whole; never changed, only replaced. The `View` of selection and packing. `opened` are
    the files that the editor shows; `closed` gets the others. `copies` are those of the file that a plan is for."""

    known: Mapping[str, Known] = field(default_factory=dict)
    opened: Mapping[str, _Content] = field(default_factory=dict)
    resolutions: Mapping[str, Resolution] = field(default_factory=dict)
    positions: Mapping[str, Position] = field(default_factory=dict)
    defined: DefinedNames = field(default_factory=DefinedNames)
    passages: Passages = field(default_factory=Passages)
    stats: IndexStats = IndexStats()
    copies: frozenset[str] = frozenset()
    closed: _Closed

    def names(self, path: str) -> Names:
        """The definitions of a file."""
        if path in self.opened:
            return self.opened[path][1]
        known = self.known.get(path)
        return NOTHING if known is None else self.closed.names(path, known.digest)

    def text(self, path: str) -> str | None:
        """The text that they were found in."""
        if path in self.opened:
            return self.opened[path][0]
        known = self.known.get(path)
        return None if known is None else self.closed.text(path, known.digest)

    def digest(self, path: str) -> bytes | None:
        """What identifies that text."""
        known = self.known.get(path)
        return None if known is None else known.digest

    def resolution(self, path: str) -> Resolution:
        """What its imports lead to."""
        return self.resolutions.get(path, _NOTHING)

    def defining(self, name: str, most: int | None = None) -> Sequence[str]:
        """The files with a definition of this name; with "/" ahead of it, the files of this name. None where there are
        more than `most`."""
        return self.defined.files_with(name, most)

    def popular(self, names: Collection[str]) -> Mapping[str, int]:
        """How many files define each of some names."""
        return self.defined.counts(names)

    def beginning(self, start: str) -> tuple[str, ...]:
        """The files whose name, as an import has it, begins so."""
        likely = (path for path in self.known if f"/{start}" in path or path.startswith(start))
        return tuple(sorted(path for path in likely if _module_name(path).startswith(start)))

    def recent(self) -> tuple[str, ...]:
        """The open files, the latest last."""
        return tuple(self.opened)

    def beside(self, path: str) -> tuple[str, ...]:
        """The other files of the same folder and ending."""
        folder, _, name = path.rpartition("/")
        ending = name.rpartition(".")[2]
        here = (other for other in self.known if other.rpartition("/")[0] == folder and other != path)
        return tuple(sorted(other for other in here if other.rpartition(".")[2] == ending))

    def richest(self, words: Sequence[str], most: int, left_out: str) -> list[tuple[str, int, int]]:
        """Where in which files, one and its copies left out, the most of some words stand: from which character to
        which."""
        found = self.passages.richest(words, most * (1 + len(self.copies)), left_out)
        return [place for place in found if place[0] not in self.copies][:most]

    def position(self, path: str) -> Position:
        """A file's place in the one dependency order."""
        return self.positions.get(path, Position())

    def copies_of(self, path: str, text: str) -> frozenset[str]:
        """Files of code that nearly repeat a text which the editor shows: what was built of it, another checkout."""
        language = language_of(path)
        if language is None or language.support is None:
            return frozenset()  # data that is like other data is no copy
        named = (other for other in self.defining(f"/{_module_name(path)}", _COPIES) if other != path)
        near = [other for other in named if len(text) <= 2 * self.known[other].characters <= 4 * len(text)]
        lines = _lines(text) if near else frozenset()
        return frozenset(other for other in near if _similar(lines, _lines(self.text(other) or "")))


class _Recent(Generic[_Value]):
    """The values used last, each by a path and the digest of its text; of `most` together, each of its size.
    Thread-safe."""

    def __init__(self, most: int, size: Callable[[_Value], int]) -> None:
        self._most, self._size = most, size
        self._lock = Lock()
        self._values: OrderedDict[tuple[str, bytes], _Value] = OrderedDict()
        self._used = 0

    def get(self, key: tuple[str, bytes]) -> _Value | None:
        """What is kept under a key."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: tuple[str, bytes], value: _Value) -> None:
        """Keep a value, in the place of those that have not been asked for the longest."""
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._used += self._size(value)
            while self._used > self._most and len(self._values) > 1:
                self._used -= self._size(self._values.popitem(last=False)[1])


class _Closed:
    """The files that the editor does not show, each by the digest of the text that is asked for: from memory, the
    store, or the disk, if it is still that text. Thread-safe."""

    def __init__(self, root: Path, store: Store) -> None:
        self._root, self._store = root, store
        self._names = _Recent[Names](_NAMES_FILES, lambda names: 1)
        self._texts = _Recent[str](_TEXT_CHARACTERS, len)

    def names(self, path: str, digest: bytes) -> Names:
        """The definitions of a file; none where it has another text by now."""
        names = self._names.get((path, digest))
        if names is None:
            outline = self._store.outline(path, digest)
            if outline is None:
                text = self.text(path, digest)
                if text is None:
                    return NOTHING
                outline = parse(path, text)
            names = Names(path, outline, lambda: self.text(path, digest) or "")
            self._names.keep((path, digest), names)
        return names

    def text(self, path: str, digest: bytes, *, keep: bool = True) -> str | None:
        """The text of a file; `keep` it at hand for the next time."""
        text = self._texts.get((path, digest))
        if text is None:
            text = self._store.text(path, digest)
            if text is None:
                text = self._reread(path, digest)
            if text is not None and keep:
                self._texts.keep((path, digest), text)
        return text

    def _reread(self, path: str, digest: bytes) -> str | None:
        """For a store that could not keep it, or that another server has overwritten."""
        text = read_source(self._root, path)
        shown = None if text is None else shown_to_others(text)
        return shown if shown is not None and digest_of(shown) == digest else None


class _News(NamedTuple):
    """What is new of files on disk; None: there is no such file."""

    known: Mapping[str, Known | None]
    symbols: Mapping[str, Symbols]
    filters: Mapping[str, Filters | None]


def _news(read: Mapping[str, Row | None]) -> _News:
    rows = {path: row if row is not None and row.of_memory().counts else None for path, row in read.items()}
    return _News(
        {path: None if row is None else row.of_memory() for path, row in rows.items()},
        {path: row.of_graph() for path, row in rows.items() if row is not None},
        {path: None if row is None else row.of_match() for path, row in rows.items()},
    )


class WorkspaceIndex:
    """See the module. `root` is the workspace folder; paths are relative to it, with forward slashes; texts have LF
    line ends. Without a `store` one of this process alone is used."""

    def __init__(self, root: Path, store: Store | None = None) -> None:
        self.root = Path(os.path.abspath(root))
        self._store = store or Store()
        self._rules = IgnoreRules(self.root)
        self._writing = Lock()
        self._graph = ImportGraph()
        self._passages = PassageIndex()
        self._on_disk: dict[str, Known] = {}
        self._truncated = False
        self._covered: set[str] = set()
        self._stopped = False
        self._closed = _Closed(self.root, self._store)
        self._now = _Snapshot(closed=self._closed)
        self._lock = Lock()  # of what follows; never held while working
        self._open: dict[str, str] = {}
        self._stale: set[str] = set()

    # What changes it

    def build(self, progress: Callable[[int], None] | None = None) -> None:
        """Take over everything on disk: what the store has already as it is, the rest is read and parsed. Blocking;
        meanwhile the index answers with what it has so far. Again, it takes over what has changed since."""
        report = progress or (lambda files: None)
        self._rules = IgnoreRules(self.root)
        self._covered.clear()
        known, configs = dict(self._on_disk), self._graph.configs  # what comes during the next line is not gone
        stamps = dict(self._stamps())
        if self._stopped:
            return  # before everything was looked at
        self._store.open()  # which may take long: ahead of the lock that others wait for
        with self._writing:
            if is_new := not self._on_disk:
                known = self._store.known()
            same = {path: kept for path, kept in known.items() if stamps.get(path) == kept.stamp}
            missing = (known.keys() | configs) - stamps.keys()
            gone = dict.fromkeys(path for path in missing if self._on_disk.get(path) in (None, known.get(path)))
            self._store.write([], gone)
            first = dict.fromkeys(filter(is_config, stamps))  # what leads from imports to files, before there are any
            self._take_over(_News(first | gone, {}, gone))
            if is_new:
                same = self._take_from_store(same)
        report(len(self._on_disk))
        self._read_all(self._nearest_first(path for path in stamps if path not in same), report)

    def _read_all(self, paths: Sequence[str], report: Callable[[int], None]) -> None:
        """Read files in batches: after every batch all is ordered anew, so they double. Texts and outlines go to the
        store at once."""
        batch: dict[str, Row | None] = {}
        for chunk in read_many(self.root, paths):
            if self._stopped:
                return
            self._store.write(row for row in chunk.values() if row is not None)
            batch |= {path: None if row is None else row.without_text() for path, row in chunk.items()}
            if len(batch) >= max(_FIRST_BATCH, len(self._on_disk) // 2):
                self._keep(batch)
                report(len(self._on_disk))
                batch = {}
        self._keep(batch)
        report(len(self._on_disk))

    def _take_from_store(self, files: Mapping[str, Known]) -> dict[str, Known]:
        """Take over files that are stored as they are on disk; returns those that need not be read again."""
        counting = {path: known for path, known in files.items() if known.counts}
        symbols = self._store.symbols(counting)
        readable = {path: known for path, known in counting.items() if path in symbols}
        self._passages.reserve(known.characters for known in readable.values())
        for filters in self._store.filters(readable):
            self._passages.update(filters)
        self._take_over(_News(readable, symbols, {}))
        return {path: known for path, known in files.items() if path in readable or not known.counts}

    def _stamps(self) -> Iterator[tuple[str, Stamp]]:
        """The files that count, with their stamps. Those around what the editor shows come first, which matters where
        there are too many."""
        with self._lock:
            folders = {"", *(folder for path in self._open for folder in _folders_of(path))}
        for number, path in enumerate(self._outward(folders)):
            self._truncated = number >= MAX_FILES
            if self._truncated or self._stopped:
                return
            if (stamp := stamp_of(self.root, path)) is not None:
                yield path, stamp

    def _outward(self, folders: Iterable[str]) -> Iterator[str]:
        """All files in some folders, those of the deepest folder first."""
        done: set[str] = set()
        for folder in sorted(folders, key=lambda folder: (-_depth(folder), folder)):
            yield from scan(self.root, folder, done)
            done.add(folder)

    def _nearest_first(self, paths: Iterable[str]) -> list[str]:
        """In the order in which the user is likely to need them, by the files that are open now."""
        with self._lock:
            around = {folder for path in self._open for folder in _folders_of(path)}

        def nearness(path: str) -> int:
            return max((_depth(folder) for folder in _folders_of(path) if folder in around), default=0)

        return sorted(paths, key=nearness, reverse=True) if around else list(paths)

    def read_around(self) -> None:
        """In a workspace with too many files: read more of those around the open ones. Blocking."""
        with self._lock:
            opened = list(self._open) if self._truncated else []
        for path in opened:
            folder, *around = _folders_of(path)
            if folder not in self._covered:
                self._covered.add(folder)
                near = self._outward(filter(None, (folder, *around)))  # but not all that there is
                unknown = (other for other in near if other not in self._on_disk)
                self._read_all(list(islice(unknown, _AROUND)), lambda files: None)

    def refresh(self, paths: Iterable[str]) -> None:
        """Take over files that were changed, created or deleted on disk, in one batch; a directory stands for
        everything that was or is in it and has another stamp. Unchanged text changes nothing."""
        self._rules = IgnoreRules(self.root)  # a folder may have brought ignore files along
        files = sorted(self._files_at(set(paths)))
        ignored = {path for path in files if self._rules.ignores(path)}
        self._keep(dict.fromkeys(ignored))
        self._read_all([path for path in files if path not in ignored], lambda files: None)

    def _files_at(self, paths: set[str]) -> set[str]:
        paths = {path.rpartition("/")[0] if path.rpartition("/")[2] in IGNORE_FILES else path for path in paths}
        known = dict(self._on_disk)
        files = paths & known.keys()
        if folders := paths - known.keys():
            below = [f for f in known.keys() | self._graph.configs if not folders.isdisjoint(_folders_of(f))]
            files.update(
                file
                for file in below
                if file not in known or self._rules.ignores(file) or stamp_of(self.root, file) != known[file].stamp
            )
            room = max(MAX_FILES - len(known), _AROUND)
            found = list(islice(chain.from_iterable(map(self._found_at, sorted(folders))), room + 1))
            self._truncated = self._truncated or len(found) > room
            files.update(path for path in found[:room] if path not in known)
        return files

    def _found_at(self, path: str) -> Iterable[str]:
        """What is there by now: a file, or those of a folder."""
        if (self.root / path).is_dir():
            return scan(self.root, path)
        return [path] if is_source(path) or is_config(path) else []

    def open(self, path: str, text: str) -> None:
        """The editor opened a file: from now on its text counts, not the disk's."""
        self.change(path, text)
        self.settle()
        self.read_around()

    def close(self, path: str) -> None:
        """The editor closed a file: the disk counts again."""
        self.release(path)
        self.settle()

    def change(self, path: str, text: str, part_of: str = "") -> None:
        """The editor opened or changed a file. Cheap, for every keystroke: what is parsed follows at the next
        `settle`. Files that are ignored, hold secrets or are too long stay out, and so does what is `part_of` one."""
        if len(text) > _MOST_CHARACTERS:
            self.release(path)
            return
        if self.is_secret(path) or (path not in self._open and self._rules.ignores(part_of or path)):
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
                typed = {path: self._open.get(path) for path in self._stale}
                self._stale.clear()
            closed = {path: self._read(path) for path, text in typed.items() if text is None}
            self._store.write(row for row in closed.values() if row is not None)
            opened = {path: text for path, text in typed.items() if text is not None}
            self._take_over(_news(closed), opened, closed)

    def stop(self) -> None:
        """For good: whatever is being read and parsed is left as it is."""
        self._stopped = True

    @property
    def rebuilt(self) -> bool:
        """Whether what was kept of the workspace could not be used."""
        return self._store.rebuilt

    def _read(self, path: str) -> Row | None:
        return None if self._stopped or self._rules.ignores(path) else read(self.root, path)

    def _keep(self, rows: Mapping[str, Row | None]) -> None:
        """Take over what was read from disk; what has changed since, which another thread may know, is read again."""
        with self._writing:
            again = {path: self._read(path) for path, row in rows.items() if not self._is_current(path, row)}
            rows = {**rows, **again}
            self._store.write(filter(None, again.values()), [path for path, row in rows.items() if row is None])
            self._take_over(_news(rows))

    def _is_current(self, path: str, row: Row | None) -> bool:
        return path not in self._on_disk if row is None else row.of_memory().stamp == stamp_of(self.root, path)

    def _take_over(self, news: _News, typed: Mapping[str, str] = _NONE, closed: Collection[str] = ()) -> None:
        """Publish what is new of files on disk and in the editor, whose text wins."""
        if self._stopped:
            return
        now = self._now
        self._passages.update(news.filters)
        for path, known in news.known.items():
            if known is None:
                self._on_disk.pop(path, None)
            else:
                self._on_disk[path] = known
        opened = {path: content for path, content in now.opened.items() if path not in closed}
        current = {path: kept for path, kept in news.known.items() if path not in opened and path not in typed}
        symbols = dict(news.symbols)
        for path, text in typed.items():
            shown = shown_to_others(text)
            if path not in opened or opened[path][0] != shown:
                opened[path] = _content(path, shown)
                current[path], symbols[path] = describe(shown), symbols_of(opened[path][1].outline)
        changed = {path: known for path, known in current.items() if _digest(known) != now.digest(path)}
        configs = {path: self._config(path) for path in news.known if is_config(path)}
        if changed or configs or news.filters or opened.keys() != now.opened.keys():
            of_changed = {path: None if known is None else symbols[path] for path, known in changed.items()}
            self._graph.update({p: None if s is None else s.interface for p, s in of_changed.items()}, configs)
            self._publish(changed, opened, now.defined.changed((p, _names(p, s)) for p, s in of_changed.items()))

    def _config(self, path: str) -> str | None:
        """As it was saved: what is typed into it means nothing yet, and mostly is no JSON or TOML."""
        return None if self._rules.ignores(path) else read_config(self.root, path)

    def _publish(
        self, changed: Mapping[str, Known | None], opened: Mapping[str, _Content], defined: DefinedNames
    ) -> None:
        now, graph = self._now, self._graph
        known = {**now.known, **{path: k for path, k in changed.items() if k is not None}}
        for path in (path for path, k in changed.items() if k is None):
            known.pop(path, None)
        more = sum(_characters(k) - _characters(now.known.get(path)) for path, k in changed.items())
        self._now = replace(
            now,
            known=known,
            opened=opened,
            resolutions=graph.resolutions,
            positions=graph.positions,
            defined=defined,
            passages=self._passages.passages,
            stats=IndexStats(files=len(known), characters=now.stats.characters + more, edges=graph.edge_count),
        )

    # What asks it

    def stats(self) -> IndexStats:
        """Figures of the whole index."""
        return replace(self._now.stats, truncated=self._truncated)

    def subgraphs(self) -> int:
        """Connected parts of the whole."""
        return subgraph_count({path: found.dependencies for path, found in self._now.resolutions.items()})

    def ordered(self) -> list[str]:
        """Every file in the one dependency order, dependencies first."""
        positions = self._now.positions
        return sorted(positions, key=positions.__getitem__)

    def text(self, path: str) -> str | None:
        """The text that counts for `path`: the editor's if open, else the disk's as last read."""
        with self._lock:
            if path in self._open:
                return self._open[path]
        return self._now.text(path)

    def is_secret(self, path: str) -> bool:
        """Whether a file, by its own name and those of the folders around it, is known to hold secrets."""
        return is_secret((self.root / path).as_posix())

    @property
    def view(self) -> View:
        """What the index knows now, as a whole."""
        return self._now

    def plan(
        self, path: str, before: str, after: str, budget_characters: int, previous: Sequence[Chosen] = ()
    ) -> tuple[Chosen, ...]:
        """What of other files the prompt for a cursor between `before` and `after` in `path` shows, in prompt order. As
        much of the `previous` context as is worth it stays at its beginning, up to where that shows this file."""
        now = self._now
        now = replace(now, copies=now.copies_of(path, before + after))
        previous = tuple(takewhile(lambda chosen: chosen.path not in {path, *now.copies}, previous))
        if path not in now.known:  # opened a moment ago: its own names would pass for those of other files
            now = replace(now, opened={**now.opened, path: _content(path, before + after)})
        return pack(
            now,
            [piece for piece in pieces(now, path, before, after) if piece.path not in now.copies],
            alike(now, path, before, after),
            budget_characters,
            now.position,
            previous,
        )

    def still_true(self, chosen: Iterable[Chosen]) -> bool:
        """Whether a context shows the files as they are."""
        now = self._now
        return all(now.digest(c.path) == c.digest for c in chosen)

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
        now = self._now
        itself = {path, *now.copies_of(path or "", before + after)}
        others = [text for name, (text, _) in now.opened.items() if name not in itself and len(text) <= _COPY_ONE_FILE]
        before, after = before[-_COPY_ONE_FILE:], after[:_COPY_ONE_FILE]
        found = matches.candidates(
            before,
            after,
            [
                matches.Text(text=before, origin="before", latest_first=True),
                matches.Text(text=after, origin="after"),
                *(matches.Text(text=text, origin="open") for text in reversed(others)),
                Nearby(
                    now.passages,
                    path or "",
                    {*now.opened, *itself}.__contains__,
                    partial(self._closed.text, keep=False),
                ),
            ],
            limit=limit,
            block_indent=block_indent,
        )
        return tuple(candidate for candidate in found if REDACTED not in candidate.text)


def _content(path: str, text: str) -> _Content:
    outline = parse(path, text) if len(text) <= _MOST_CHARACTERS else None
    return text, Names(path, outline, lambda: text)


def _digest(known: Known | None) -> bytes | None:
    return None if known is None else known.digest


def _characters(known: Known | None) -> int:
    return 0 if known is None else known.characters


def _lines(text: str) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, text.split("\n"))))


def _similar(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= _COPIED * len(one | other)


def _names(path: str, symbols: Symbols | None) -> tuple[str, ...]:
    return () if symbols is None else (*filter(None, symbols.defined.split("\n")), f"/{_module_name(path)}")


def _module_name(path: str) -> str:
    """What an import calls a file: its name, or that of the folder that it stands for."""
    *folders, name = path.split("/")
    stem = name.partition(".")[0]
    return folders[-1] if stem in ("__init__", "index", "mod", "init") and folders else stem


def _folders_of(path: str) -> Iterator[str]:
    """The folders around a file, the innermost first, "" the last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _depth(folder: str) -> int:
    return folder.count("/") + bool(folder)


def relative_path(root: Path, file: Path) -> str | None:
    """`file` as a workspace path, or None when it lies outside of `root`. Behind a link it is the real file's, where
    that is in the workspace, too, and the link's own name is not that of a secret."""
    own, real = (_within(root, file, name) for name in (os.path.abspath, os.path.realpath))
    return own if real is None or is_secret(file.as_posix()) else real


def _within(root: Path, file: Path, name: Callable[[Path], str]) -> str | None:
    try:
        return Path(name(file)).relative_to(name(root)).as_posix()
    except ValueError:  # outside, or no name that a file could have
        return None
