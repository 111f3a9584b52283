"""One editor's session: its open documents, workspace folders, settings, and the engine. Loop thread only.

Made by `server.build_server`, used by `features`. Blocking work (scanning, parsing) goes to worker threads; every task
is kept, and its exception logged.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lsprotocol import types
from pygls import uris

from repofill.context.index import WorkspaceIndex, relative_path
from repofill.context.scan import is_secret
from repofill.context.watch import WorkspaceWatcher
from repofill.lsp_server.completion import Completer, Completion, Cursor
from repofill.lsp_server.documents import Document, Encoding, edited, offset_at
from repofill.lsp_server.log import log_path, log_to_file
from repofill.lsp_server.settings import Settings, layered
from repofill.models.engine import Engine, EngineUnavailable
from repofill.models.gguf import ModelFileError

_log = logging.getLogger(__name__)

SETTLE_S = 0.3
"""Typing pauses for this long before what was typed is parsed."""


class Client(Protocol):
    """What a session says to its editor."""

    def say(self, message: str) -> None:
        """Show one sentence to the user."""

    def working(self, title: str) -> Callable[[str | None], None]:
        """Begin to show work in progress: call the result with a message, and with None at its end."""


@dataclass(slots=True)
class Folder:
    """A workspace folder with its index. `ready` once everything has been read."""

    root: Path
    index: WorkspaceIndex
    watcher: WorkspaceWatcher
    ready: bool = False
    removed: bool = False


class Session:
    """See the module. `start` begins the work on folders; until then nothing touches the disk."""

    def __init__(self, client: Client, make_engine: Callable[[Settings], Engine]) -> None:
        self.encoding: Encoding = types.PositionEncodingKind.Utf16
        self.inline = False
        self.settings = Settings()
        self.last: Completion | None = None
        self.accepted = 0
        self._client = client
        self._make_engine = make_engine
        self._layers: dict[str, object] = {}
        self._documents: dict[str, Document] = {}
        self._folders: dict[Path, Folder] = {}
        self._loose = WorkspaceIndex(Path(os.devnull))
        self._said: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._settling: dict[WorkspaceIndex, asyncio.TimerHandle] = {}
        self.engine = make_engine(self.settings)
        self.completer = Completer(self.engine)

    # Settings

    def configure(self, where: str = "", layer: object = None) -> None:
        """Take over one layer of settings; a layer of the same name is replaced. Without one, read the files alone
        anew. Changed model settings load it anew."""
        if where:
            self._layers[where] = layer
        root = next(iter(self._folders), None)
        settings, problems = layered(root, *(("the editor's settings", layer) for layer in self._layers.values()))
        for problem in problems:
            self.say(problem)
        if settings.log != self.settings.log:
            log_to_file(settings.log)
        if (settings.model, settings.context) != (self.settings.model, self.settings.context):
            self.run(self.engine.close())
            self.engine = self._make_engine(settings)
            self.completer = Completer(self.engine)
        self.settings = settings

    def say(self, message: str) -> None:
        """Tell the user something once."""
        if message not in self._said:
            self._said.add(message)
            _log.warning("%s", message)
            self._client.say(message)

    # Folders

    def add_folders(self, roots: Iterable[str]) -> None:
        """Index and watch the folders at these URIs."""
        for uri in roots:
            path = uris.to_fs_path(uri)
            if path is None or (root := Path(path)) in self._folders:
                continue
            index = WorkspaceIndex(root)
            folder = self._folders[root] = Folder(root, index, WorkspaceWatcher(root, index.refresh))
            for document in self._documents.values():
                self._show(document)
            self.run(self._build(folder))

    def remove_folders(self, roots: Iterable[str]) -> None:
        """Forget the folders at these URIs; their open documents are completed by themselves from now on."""
        for uri in roots:
            folder = self._folders.pop(Path(uris.to_fs_path(uri) or os.devnull), None)
            if folder is not None:
                folder.removed = True
                self.run(asyncio.to_thread(folder.watcher.stop))
        for document in self._documents.values():
            self._show(document)

    async def reindex(self) -> None:
        """Read every folder anew."""
        await asyncio.gather(*(self._build(folder, watch=False) for folder in self._folders.values()))

    async def refresh(self, file_uris: Iterable[str]) -> None:
        """Files that the editor saw change on disk."""
        for uri in file_uris:
            index, path = self.locate(uri)
            if index is not self._loose:
                await asyncio.to_thread(index.refresh, [path])

    async def _build(self, folder: Folder, *, watch: bool = True) -> None:
        loop = asyncio.get_running_loop()
        report = self._client.working("repofill: reading the project")

        def counted(files: int) -> None:
            loop.call_soon_threadsafe(report, f"{files} files")

        try:
            await asyncio.to_thread(folder.index.build, counted, lambda: folder.removed)
            truncated = folder.index.stats().truncated
            if watch and not truncated:  # a tree that large, `/` for example, would take every watch there is
                await asyncio.to_thread(folder.watcher.start)
        finally:
            folder.ready = True
            report(None)
        if folder.watcher.notice:
            self.say(folder.watcher.notice)
        if truncated:
            self.say(f"{folder.root} has too many files: the first are read, and once. Open a smaller folder.")

    # Documents

    def open(self, document: Document) -> None:
        """The editor opened a document."""
        self._take(document)
        self.run(self._warm(document))

    def change(self, uri: str, version: int, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        """The editor's user typed; changes apply one after the other."""
        document = self._documents.get(uri)
        if document is None:
            return
        text = document.text
        for change in changes:
            text = edited(text, change, self.encoding)
        self._take(Document(uri=uri, language_id=document.language_id, version=version, text=text))

    def close_document(self, uri: str) -> None:
        """The editor closed a document; the disk counts again."""
        if self._documents.pop(uri, None) is not None:
            index, path = self.locate(uri)
            self.run(asyncio.to_thread(index.close, path))

    def document(self, uri: str) -> Document | None:
        """The open document at `uri`."""
        return self._documents.get(uri)

    def locate(self, uri: str) -> tuple[WorkspaceIndex, str]:
        """The index that a document belongs to, of the innermost folder around it, and its path there."""
        file = Path(uris.to_fs_path(uri) or uri)
        for root in sorted(self._folders, key=lambda root: -len(root.parts)):
            path = relative_path(root, file)
            if path is not None:
                return self._folders[root].index, path
        return self._loose, file.as_posix().lstrip("/")

    def cursor(self, document: Document, position: types.Position) -> Cursor:
        """A place in an open document."""
        _, path = self.locate(document.uri)
        return Cursor(path=path, text=document.text, offset=offset_at(document.text, position, self.encoding))

    def _take(self, document: Document) -> None:
        self._documents[document.uri] = document
        self._show(document)

    async def _warm(self, document: Document) -> None:
        """Load the model and its context before the first keystroke asks for them."""
        index, path = self.locate(document.uri)
        if is_secret(path) or not self.settings.suggest.enabled:
            return
        report = self._client.working("repofill: loading the model") if self.engine.state == "idle" else None
        try:
            await asyncio.to_thread(index.settle)
            await self.completer.warm(index, Cursor(path=path, text=document.text, offset=0), self.settings)
        except (ModelFileError, EngineUnavailable) as error:
            _log.info("not warmed: %s", error)  # the first request says it, where a suggestion is missed
        finally:
            if report is not None:
                report(None)

    def _show(self, document: Document) -> None:
        index, path = self.locate(document.uri)
        index.change(path, document.text)
        if (timer := self._settling.get(index)) is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._settling[index] = loop.call_later(SETTLE_S, self._settle, index)

    def _settle(self, index: WorkspaceIndex) -> None:
        self._settling.pop(index, None)
        self.run(asyncio.to_thread(index.settle))

    # Life

    def status(self) -> dict[str, Any]:
        """What a status line shows."""
        folders = [
            {"root": str(f.root), "ready": f.ready, "files": f.index.stats().files, "edges": f.index.stats().edges}
            for f in self._folders.values()
        ]
        return {
            "ready": all(folder.ready for folder in self._folders.values()) and self.engine.state != "failed",
            "engine": {"state": self.engine.state, "reason": self.engine.reason, "pid": self.engine.process_id},
            "log": str(log_path(self.settings.log)),
            "folders": folders,
            "accepted": self.accepted,
            "model": self.last.model if self.last else None,
            "last_ms": self.last.timings_ms.get("total") if self.last else None,
        }

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background; if it fails, the log says so."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)

    async def close(self) -> None:
        """End everything: watchers, index threads, the model process."""
        for folder in self._folders.values():
            folder.removed = True
            await asyncio.to_thread(folder.watcher.stop)
        for timer in self._settling.values():
            timer.cancel()
        await self.engine.close()
