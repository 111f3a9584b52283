"""A session by itself, without a server around it."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from repofill.context import store as store_module
from repofill.context.index import WorkspaceIndex
from repofill.context.store import Store
from repofill.lsp_server.completion import Completer
from repofill.lsp_server.documents import Document
from repofill.lsp_server.planning import Cursor
from repofill.lsp_server.server import make_engine
from repofill.lsp_server.session import Session
from repofill.lsp_server.settings import Settings


class Silent:
    """A client that shows nothing."""

    def say(self, message: str) -> None:
        """Nothing."""

    def working(self, title: str) -> Callable[[str | None], None]:
        return lambda message: None


async def test_what_is_typed_does_not_wait_for_folders_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are."""
    go_on, folders = threading.Event(), [tmp_path / f"folder{number}" for number in range(4)]
    monkeypatch.setattr(WorkspaceIndex, "build", lambda index, progress=None: go_on.wait(30.0))
    monkeypatch.setattr(Store, "of_workspace", lambda root: Store())
    for folder in folders:
        folder.mkdir()
    session = Session(Silent(), make_engine)
    try:
        session.add_folders(folder.as_uri() for folder in folders)
        uri = (folders[0] / "a.py").as_uri()
        session.open(Document(uri=uri, language_id="python", text="def area():\n    return 1\n"))
        await asyncio.wait_for(session.settled(uri), 20.0)
        index, path = session.locate(uri)
        assert index.ordered() == [path]
        assert not go_on.is_set()
    finally:
        go_on.set()
        await session.close()


async def test_a_store_that_another_server_holds_on_to_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the loop nor what is typed: it is opened where its folder is read."""
    monkeypatch.setattr(store_module, "user_cache_path", lambda name: tmp_path)
    monkeypatch.setattr(store_module, "_BUSY_MS", 15_000)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "b.py").write_text("def load_data(count):\n    return list(range(count))\n")
    path = Store.of_workspace(folder)._path
    assert path is not None
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    session = Session(Silent(), make_engine)
    try:
        started = time.monotonic()
        session.add_folders([folder.as_uri()])
        uri = (folder / "a.py").as_uri()
        session.open(Document(uri=uri, language_id="python", text="def area():\n    return 1\n"))
        await session.settled(uri)
        index, _ = session.locate(uri)
        assert index.ordered() == ["a.py"]
        assert time.monotonic() - started < 5.0
        other.execute("ROLLBACK")
        async with asyncio.timeout(20.0):
            while len(index.ordered()) < 2:
                await asyncio.sleep(0.01)
        assert Store(path).known().keys() == {"b.py"}
    finally:
        other.close()
        await session.close()


async def test_of_a_folder_that_was_left_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the garbage collector does not come by before the next folder is read, which hides it all."""
    monkeypatch.setattr(store_module, "user_cache_path", lambda name: tmp_path / "cache")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.py").write_text("def area():\n    return 1\n")
    session = Session(Silent(), make_engine)

    def databases() -> list[str]:
        links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        return [link for link in links if os.path.realpath(link).startswith(str(tmp_path / "cache"))]

    gc.disable()
    try:
        session.add_folders([folder.as_uri()])
        index = weakref.ref(session.locate((folder / "a.py").as_uri())[0])
        async with asyncio.timeout(20.0):
            while not session.status()["ready"]:
                await asyncio.sleep(0.01)
            assert databases() != []
            session.remove_folders([folder.as_uri()])
            while index() is not None or databases() != []:
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
        gc.unfreeze()
        await session.close()


@pytest.mark.parametrize("asked", [False, True])
async def test_what_was_asked_is_not_made_ready_once_more(asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the beginning of the file, where nobody types: that would take the model's cache."""
    warmed: list[str] = []
    go_on = threading.Event()

    async def warm(completer: Completer, index: WorkspaceIndex, cursor: Cursor, settings: Settings) -> None:
        warmed.append(cursor.path)

    monkeypatch.setattr(Completer, "warm", warm)
    monkeypatch.setattr(WorkspaceIndex, "settle", lambda index: go_on.wait(30.0))
    session = Session(Silent(), make_engine)
    try:
        session.open(Document(uri="untitled:a", language_id="python", text="def area():\n    return 1\n"))
        await asyncio.sleep(0)
        if asked:
            session.asked()
        go_on.set()
        async with asyncio.timeout(20.0):
            while session._tasks:
                await asyncio.sleep(0.01)
        assert len(warmed) == (not asked)
    finally:
        go_on.set()
        await session.close()


async def test_a_folder_that_is_being_read_is_watched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where somebody asks for all to be read anew meanwhile."""
    monkeypatch.setattr(store_module, "user_cache_path", lambda name: tmp_path / "cache")
    folder = tmp_path / "project"
    folder.mkdir()
    session = Session(Silent(), make_engine)

    def watches() -> int:
        links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        return sum(os.path.realpath(link).endswith("anon_inode:inotify") for link in links)

    before = watches()
    try:
        session.add_folders([folder.as_uri()])
        await asyncio.gather(*(session.reindex() for _ in range(4)))
        async with asyncio.timeout(20.0):
            while not session.status()["ready"] or watches() != before + 1:
                await asyncio.sleep(0.01)
        await session.reindex()
        assert watches() == before + 1
    finally:
        await session.close()
