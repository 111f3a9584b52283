"""What is known of a workspace's files, kept on disk between sessions: one SQLite database per workspace.

A row holds a file's redacted text and outline, so that whoever reads it gets both as they belong together. Several
servers may share a database. It is a cache: whatever is wrong with it, it is thrown away and made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from repofill.context.outline import Definition, Import, Interface, Outline

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
    interface TEXT,
    definitions BLOB,
    text BLOB NOT NULL
);
"""
_BUSY_MS = 3000
_LEVEL = 1
_Result = TypeVar("_Result")
_MODULES = ("outline.py", "parse.py", "quality.py", "redact.py", "scan.py", "store.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the file system says of a file; equal stamps, equal content. `size` is in bytes."""

    modified_ns: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file as it was read: `digest` identifies its text."""

    stamp: Stamp
    digest: bytes
    text: str
    outline: Outline | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a warm start needs of a file: its text and definitions stay where they are."""

    stamp: Stamp
    digest: bytes
    interface: Interface | None


class Store:
    """See the module. Thread-safe. `path` None: a database of this process alone, gone with it. `rebuilt` says that
    what was found at `path` could not be used."""

    def __init__(self, path: Path | None = None) -> None:
        self.rebuilt = False
        self._path = path
        self._lock = Lock()
        try:
            self._database = self._opened()
        except (sqlite3.DatabaseError, OSError) as error:
            _log.warning("the index at %s is made anew: %s", path, error)
            self.rebuilt = True
            self._database = self._anew()

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(
            "" if self._path is None else self._path, timeout=_BUSY_MS / 1000, check_same_thread=False
        )
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            if _made_by(database) != fingerprint():  # another version of repofill reads texts in another way
                database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
                with database:
                    database.execute("INSERT INTO made_by VALUES (?)", (fingerprint(),))
        except BaseException:
            database.close()
            raise
        return database

    def _anew(self) -> sqlite3.Connection:
        """A new file in the place of one that is no use; where even that fails, a database of this process alone."""
        try:
            if self._path is not None:
                for ending in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
            return self._opened()
        except (sqlite3.DatabaseError, OSError) as error:
            _log.warning("no index can be kept at %s: %s", self._path, error)
            self._path = None
            return self._opened()

    def known(self) -> dict[str, Known]:
        """Everything that is stored, by path."""
        rows = self._select("SELECT path, modified_ns, size, digest, interface FROM file")
        return {
            path: Known(
                stamp=Stamp(modified_ns=modified_ns, size=size),
                digest=digest,
                interface=None if interface is None else _interface(interface),
            )
            for path, modified_ns, size, digest, interface in rows
        }

    def defined(self) -> Iterator[tuple[str, set[str]]]:
        """Every path with the names of its definitions."""
        for path, definitions in self._select("SELECT path, definitions FROM file WHERE definitions IS NOT NULL"):
            yield path, {row[0] for row in json.loads(zlib.decompress(definitions))[1]}

    def read(self, path: str, digest: bytes) -> tuple[str, Outline | None] | None:
        """The text and the outline of a file, None unless that very text is stored."""
        rows = self._select("SELECT interface, definitions, text FROM file WHERE path = ? AND digest = ?", path, digest)
        try:
            for interface, definitions, text in rows:
                outline = None if interface is None else _outline(interface, definitions)
                return zlib.decompress(text).decode("utf-8", "surrogatepass"), outline
        except (ValueError, zlib.error) as error:
            _log.warning("the index at %s holds a damaged row: %s", self._path, error)
        return None

    def write(self, entries: Mapping[str, Entry | None]) -> None:
        """Keep files, or forget those given as None. What cannot be written is not there to be read."""
        gone = [(path,) for path, entry in entries.items() if entry is None]
        rows = [_row(path, entry) for path, entry in entries.items() if entry is not None]

        def insert(database: sqlite3.Connection) -> None:
            with database:
                database.executemany("DELETE FROM file WHERE path = ?", gone)
                database.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

        self._try(insert, None)

    def _select(self, query: str, *arguments: object) -> list[Any]:
        return self._try(lambda database: database.execute(query, arguments).fetchall(), [])

    def _try(self, work: Callable[[sqlite3.Connection], _Result], otherwise: _Result) -> _Result:
        with self._lock:
            try:
                return work(self._database)
            except sqlite3.Error as error:
                _log.warning("the index at %s failed: %s", self._path, error)
                if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                    self.rebuilt = True  # the file is damaged; anything else may pass
                    self._database.close()
                    self._database = self._anew()
                return otherwise

    def close(self) -> None:
        """For good."""
        with self._lock:
            self._database.close()


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


def _row(path: str, entry: Entry) -> tuple[object, ...]:
    interface = definitions = None
    if entry.outline is not None:
        interface = json.dumps(_interface_values(entry.outline.interface), ensure_ascii=True, separators=(",", ":"))
        values = [entry.outline.has_error, [[getattr(d, name) for name in _FIELDS] for d in entry.outline.definitions]]
        definitions = zlib.compress(json.dumps(values, separators=(",", ":")).encode(), _LEVEL)
    text = zlib.compress(entry.text.encode("utf-8", "surrogatepass"), _LEVEL)
    return path, entry.stamp.modified_ns, entry.stamp.size, entry.digest, interface, definitions, text


_FIELDS = tuple(Definition.__slots__)


def _interface_values(interface: Interface) -> list[object]:
    imports = [[i.module, i.names, i.bound, i.level, i.kind, i.line] for i in interface.imports]
    return [interface.language, interface.scope, imports, sorted(interface.names), sorted(interface.references)]


def _interface(values: str) -> Interface:
    language, scope, imports, names, references = json.loads(values)
    return Interface(
        language=language,
        scope=scope,
        imports=tuple(
            Import(module=module, names=tuple(taken), bound=tuple(bound), level=level, kind=kind, line=line)
            for module, taken, bound, level, kind, line in imports
        ),
        names=frozenset(names),
        references=frozenset(references),
    )


def _outline(interface: str, definitions: bytes) -> Outline:
    has_error, rows = json.loads(zlib.decompress(definitions))
    return Outline(
        interface=_interface(interface),
        definitions=tuple(Definition(**dict(zip(_FIELDS, row, strict=True))) for row in rows),
        has_error=has_error,
    )
