"""What is known of a workspace's files, kept on disk between sessions: one SQLite database per workspace.

A row holds a file's redacted text and outline, so that whoever reads it gets both as they belong together. Several
servers may share a database. It is a cache: whatever is wrong with it, it is thrown away and made anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from platformdirs import user_cache_path

from repofill.context.outline import Outline, pack, pack_definitions, unpack_definitions
from repofill.context.passages import Filters, filters

_log = logging.getLogger(__name__)

_SCHEMA = """
DROP TABLE IF EXISTS made_by;
DROP TABLE IF EXISTS file;
CREATE TABLE made_by (fingerprint TEXT NOT NULL);
CREATE TABLE file (
    path TEXT PRIMARY KEY,
    modified_ns INTEGER NOT NULL,
    size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    characters INTEGER NOT NULL,
    interface BLOB,
    checksum INTEGER NOT NULL,
    defined TEXT NOT NULL,
    outline BLOB,
    filters BLOB NOT NULL,
    text BLOB NOT NULL
);
"""
_BUSY_MS = 3000
_AT_A_TIME = 64
"""Rows written in one transaction."""
_READ_AT_A_TIME = 1000
_FORGOTTEN_S = 90 * 86_400.0
"""A workspace that nobody has opened for so long is forgotten."""
_Result = TypeVar("_Result")
_MODULES = (
    "outline.py",
    "matches.py",
    "parse.py",
    "passages.py",
    "quality.py",
    "reader.py",
    "redact.py",
    "secret_values.py",
    "scan.py",
    "secret_rules.toml",
    "store.py",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the file system says of a file; equal stamps, equal content. `size` is in bytes."""

    modified_ns: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is kept in memory of a file. `digest` identifies its text, which is `characters` long; one that does not
    count has none."""

    stamp: Stamp
    digest: bytes
    characters: int

    @property
    def counts(self) -> bool:
        """Whether it is source. Of any other file the stamp alone is kept: it need not be read again."""
        return bool(self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbols:
    """What a file imports and defines: its interface, packed, and the names of its definitions at any level, a line
    each."""

    interface: bytes | None = None
    defined: str = ""


class Row(NamedTuple):
    """A file as the database has it."""

    path: str
    modified_ns: int
    size: int
    digest: bytes
    characters: int
    interface: bytes | None
    checksum: int
    defined: str
    outline: bytes | None
    filters: bytes
    text: bytes

    def of_memory(self) -> Known:
        """What memory keeps of it."""
        stamp = Stamp(modified_ns=self.modified_ns, size=self.size)
        return Known(stamp=stamp, digest=self.digest, characters=self.characters)

    def without_text(self) -> Row:
        """What memory and graph need of it."""
        return self._replace(outline=None, text=b"")

    def of_graph(self) -> Symbols:
        """What it imports and defines."""
        return Symbols(interface=self.interface, defined=self.defined)

    def of_match(self) -> Filters:
        """What the longest match needs."""
        return _filters(self.digest, self.characters, self.modified_ns, self.filters)


class Store:
    """See the module. Thread-safe. `path` None: a database of this process alone, gone with it. `tidies`: what lies
    beside it unused for long is removed. `rebuilt` says that what was found at `path` could not be used.

    Nothing touches the disk before `open`, or what is asked first: it may be slow, and another server busy with it."""

    def __init__(self, path: Path | None = None, *, tidies: bool = False) -> None:
        self.rebuilt = False
        self._path = path
        self._tidies = tidies
        self._lock = Lock()
        self._database: sqlite3.Connection | None = None

    @classmethod
    def of_workspace(cls, root: Path) -> Store:
        """The database that is kept for a workspace folder, in the user's cache directory."""
        name = f"{root.name or 'root'}-{hashlib.blake2b(os.fsencode(root), digest_size=8).hexdigest()}.db"
        return cls(user_cache_path("repofill") / "workspaces" / name, tidies=True)

    def open(self) -> None:
        """Opens the database unless it is open."""
        with self._lock:
            self._connection()

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            path = self._path
            try:
                self._database = self._opened()
            except (sqlite3.DatabaseError, OSError) as error:
                _log.warning("the index at %s is made anew: %s", path, error)
                self.rebuilt = True
                if _is_busy(error):
                    self._path = None  # another server works with it
                self._database = self._anew()
            if path is not None and self._tidies:
                _tidy(path)
        return self._database

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(
            "" if self._path is None else self._path, timeout=_BUSY_MS / 1000, check_same_thread=False
        )
        try:
            _write_ahead(database)
            database.execute("PRAGMA synchronous = NORMAL")
            if _made_by(database) != fingerprint():  # another version of repofill reads texts in another way
                _make_tables(database)
        except BaseException:
            database.close()
            raise
        return database

    def _anew(self) -> sqlite3.Connection:
        """A new file in the place of one that is no use; where even that fails, a database of this process alone."""
        try:
            if self._path is not None:
                _remove(self._path)
            return self._opened()
        except (sqlite3.DatabaseError, OSError) as error:
            _log.warning("no index can be kept at %s: %s", self._path, error)
            self._path = None
            return self._opened()

    def known(self) -> dict[str, Known]:
        """Everything that is stored, by path."""
        rows = self._select("SELECT path, modified_ns, size, digest, characters FROM file")
        return {
            path: Known(stamp=Stamp(modified_ns=modified_ns, size=size), digest=digest, characters=characters)
            for path, modified_ns, size, digest, characters in rows
        }

    def symbols(self, paths: Collection[str]) -> dict[str, Symbols]:
        """Of some files, without those whose rows are damaged."""
        found = {}
        for path, interface, checksum, defined in self._select("SELECT path, interface, checksum, defined FROM file"):
            if path in paths and _checksum(interface) == checksum:  # unpacking all of them here would take 0.1 s
                found[path] = Symbols(interface=interface, defined=defined)
            elif path in paths:
                _log.warning("the index at %s holds a damaged row", self._path)
        return found

    def outline(self, path: str, digest: bytes) -> Outline | None:
        """What a file defines and its language, None unless that of that very text is stored."""
        query = "SELECT outline FROM file WHERE path = ? AND digest = ? AND outline IS NOT NULL"
        return self._decoded(query, path, digest, unpack_definitions)

    def text(self, path: str, digest: bytes) -> str | None:
        """The text of a file, None unless that very text is stored."""
        query = "SELECT text FROM file WHERE path = ? AND digest = ?"
        return self._decoded(query, path, digest, lambda text: str(text, "utf-8", "surrogatepass"))

    def _decoded(self, query: str, path: str, digest: bytes, decode: Callable[[bytes], _Result]) -> _Result | None:
        try:
            for (value,) in self._select(query, path, digest):
                return decode(value)
        except (ValueError, TypeError, AttributeError) as error:
            _log.warning("the index at %s holds a damaged row: %s", self._path, error)
        return None

    def filters(self, paths: Collection[str]) -> Iterator[dict[str, Filters]]:
        """Of some files, for the longest match, a part at a time."""
        query = "SELECT path, digest, characters, modified_ns, filters FROM file WHERE path > ? ORDER BY path LIMIT ?"
        last = ""
        while rows := self._select(query, last, _READ_AT_A_TIME):
            yield {path: _filters(*row) for path, *row in rows if path in paths}
            last = rows[-1][0]

    def write(self, rows: Iterable[Row], gone: Iterable[str] = ()) -> None:
        """Keep files, made by `encode`, and forget others. What cannot be written is not there to be read. A few at a
        time, so that nobody who reads waits for long."""
        self._change("DELETE FROM file WHERE path = ?", ((path,) for path in gone))
        self._change(f"INSERT OR REPLACE INTO file VALUES ({', '.join('?' * len(Row._fields))})", rows)

    def _change(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        def change(database: sqlite3.Connection) -> None:
            with database:
                database.execute("BEGIN IMMEDIATE")
                if _made_by(database) == fingerprint():  # another version of repofill may have taken it over
                    database.executemany(statement, some)

        left = iter(rows)
        while some := list(islice(left, _AT_A_TIME)):
            self._try(change, None)

    def _select(self, query: str, *arguments: object) -> list[Any]:
        return self._try(lambda database: database.execute(query, arguments).fetchall(), [])

    def _try(self, work: Callable[[sqlite3.Connection], _Result], otherwise: _Result) -> _Result:
        with self._lock:
            database = self._connection()
            try:
                return work(database)
            except sqlite3.Error as error:
                _log.warning("the index at %s failed: %s", self._path, error)
                if type(error) is not sqlite3.DatabaseError:  # whatever has a class of its own may pass
                    return otherwise
            self.rebuilt = True  # the file is damaged
            database.close()
            self._database = database = self._anew()
            try:
                return work(database)
            except sqlite3.Error as error:
                _log.warning("the new index at %s failed: %s", self._path, error)
                return otherwise

    def close(self) -> None:
        """For good."""
        with self._lock:
            if self._database is not None:
                self._database.close()


def _tidy(path: Path) -> None:
    """Say that a database is in use, and remove those beside it that have not been for long."""
    with suppress(OSError):
        os.utime(path)
    with suppress(OSError):
        for old in path.parent.glob("*.db"):
            if old != path and time.time() - old.stat().st_mtime > _FORGOTTEN_S:
                _remove(old)


def _remove(path: Path) -> None:
    """With what a server that was killed has left beside it."""
    for ending in ("-wal", "-shm", ""):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _write_ahead(database: sqlite3.Connection) -> None:
    """SQLite itself does not wait for another server that does the same."""
    until = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _make_tables(database: sqlite3.Connection) -> None:
    """Anew, unless a server that started at the same time has just done so."""
    with database:
        database.execute("BEGIN IMMEDIATE")
        if _made_by(database) != fingerprint():
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute("INSERT INTO made_by VALUES (?)", (fingerprint(),))


def _is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _made_by(database: sqlite3.Connection) -> str | None:
    try:
        found = database.execute("SELECT fingerprint FROM made_by").fetchone()
    except sqlite3.OperationalError:
        return None  # new, or not ours
    return None if found is None else str(found[0])


def digest_of(text: str) -> bytes:
    """What identifies a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@cache
def fingerprint() -> str:
    """Identifies the code that made the rows: an outline made by another is not to be trusted."""
    here = Path(__file__).parent
    files = [*(here / name for name in _MODULES), *sorted((here / "languages").glob("*.py"))]
    code = hashlib.blake2b(digest_size=16)
    for file in files:
        code.update(file.read_bytes() if file.exists() else b"")
    return code.hexdigest()


def describe(text: str, stamp: Stamp | None = None) -> Known:
    """What memory keeps of a file; one that the editor shows has no stamp that would say anything."""
    return Known(stamp=stamp or Stamp(modified_ns=0, size=0), digest=digest_of(text), characters=len(text))


def symbols_of(outline: Outline | None) -> Symbols:
    """What a file imports and defines."""
    if outline is None:
        return Symbols()
    return Symbols(interface=pack(outline.interface), defined="\n".join(sorted({d.name for d in outline.definitions})))


def encode(path: str, text: str, outline: Outline | None, stamp: Stamp) -> Row:
    """What the store keeps of a file."""
    symbols = symbols_of(outline)
    return Row(
        path=path,
        modified_ns=stamp.modified_ns,
        size=stamp.size,
        digest=digest_of(text),
        characters=len(text),
        interface=symbols.interface,
        checksum=_checksum(symbols.interface),
        defined=symbols.defined,
        outline=None if outline is None else pack_definitions(outline),
        filters=filters(text),
        text=text.encode("utf-8", "surrogatepass"),
    )


def left_out(path: str, stamp: Stamp) -> Row:
    """What the store keeps of a file that does not count."""
    return Row(path, stamp.modified_ns, stamp.size, b"", 0, None, 0, "", None, b"", b"")


def _checksum(interface: object) -> int:
    return crc32(interface) if isinstance(interface, bytes) else 0


def _filters(digest: bytes, characters: int, modified_ns: int, data: bytes) -> Filters:
    return Filters(digest=digest, characters=characters, modified_ns=modified_ns, data=data)
