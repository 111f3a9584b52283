"""A session by itself, without a server around it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from repofill.context.index import WorkspaceIndex
from repofill.context.store import Store
from repofill.lsp_server.documents import Document
from repofill.lsp_server.server import make_engine
from repofill.lsp_server.session import Session


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
