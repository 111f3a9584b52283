"""One editor's session: its open documents, workspace folders, settings, and the engine. Loop thread only.

Made by `server.build_server`, used by `features`. Blocking work (scanning, parsing) goes to threads of its own; every
task is kept, and its exception logged.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from lsprotocol import types
from pygls import uris

from repofill.context.index import WorkspaceIndex, relative_path
from repofill.context.store import Store
from repofill.context.watch import WorkspaceWatcher
from repofill.lsp_server.completion import Completer, Completion
from repofill.lsp_server.documents import Document, Encoding, edited, offset_at
from repofill.lsp_server.log import log_path, log_to_file
from repofill.lsp_server.memory import collect_what_was_left, keep_what_is_read
from repofill.lsp_server.notebooks import Notebooks, path_of_cells
from repofill.lsp_server.planning import Cursor
from repofill.lsp_server.settings import FILE_NAME, Settings, layered
from repofill.models.engine import Engine, EngineUnavailable
from repofill.models.protocol import is_address

_log = logging.getLogger(__name__)

SETTLE_S = 0.3
"""Typing pauses for this long before what was typed is parsed."""

_IN_USE_S = 10.0
"""A document asked about this recently keeps the model's cache to itself."""
_WRITING_S = 300.0
"""Whoever has asked so recently is writing, not reading: where their cursor comes to rest they may go on."""

_FOLDER_THREADS = 2


class Client(Protocol):
    """What a session says to its editor."""

    def say(self, message: str) -> None:
        """Show one sentence to the user."""

    def working(self, title: str) -> Callable[[str | None], None]:
        """Begin to show work in progress: call the result with a message, and with None at its end."""


@dataclass(slots=True)
class Folder:
    """A workspace folder with its index, and the settings for its documents. `ready` once everything has been read."""

    root: Path
    index: WorkspaceIndex
    watcher: WorkspaceWatcher
    settings: Settings
    ready: bool = False


class Session:
    """See the module. `add_folders` begins the work on the disk."""

    def __init__(self, client: Client, make_engine: Callable[[Settings], Engine]) -> None:
        self.encoding: Encoding = types.PositionEncodingKind.Utf16
        self.inline = False
        self.over_closers = False
        self.settings = Settings()
        self.last: Completion | None = None
        self.accepted = 0
        self._client = client
        self._make_engine = make_engine
        self._layers: dict[str, object] = {}
        self._documents: dict[str, Document] = {}
        self._notebooks = Notebooks()
        self._places: dict[str, tuple[WorkspaceIndex, str]] = {}
        self._newest = ""
        self._rest: tuple[str, int] = "", 0
        self._asked_at = -math.inf
        self._folders: dict[Path, Folder] = {}
        self._loose = WorkspaceIndex(Path(os.devnull))
        self._said: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._settling: dict[WorkspaceIndex, asyncio.TimerHandle] = {}
        self._folder_threads = ThreadPoolExecutor(_FOLDER_THREADS, thread_name_prefix="index")
        self._settle_thread = ThreadPoolExecutor(1, thread_name_prefix="settle")  # waits for no folder to be read
        self._stopped = False
        self.engine = make_engine(self.settings)
        self.completer = Completer(self.engine)

    # Settings

    def configure(self, where: str = "", layer: object = None) -> None:
        """Take over one layer of settings; a layer of the same name is replaced. Without one, read the files alone
        anew. Changed model settings load it anew; the first folder's count, for there is one model for all."""
        if where:
            self._layers[where] = layer
        layers = [("the editor's settings", layer) for layer in self._layers.values()]
        settings, problems = layered(next(iter(self._folders), None), *layers)
        for folder in self._folders.values():
            of_folder, wrong = layered(folder.root, *layers)
            folder.settings = replace(of_folder, model=settings.model)
            problems += wrong
        for problem in problems:
            self.say(problem)
        if settings.log != self.settings.log:
            log_to_file(settings.log)
        before, self.settings = self.settings, settings
        if (settings.model, settings.context) != (before.model, before.context):
            self.run(self.engine.close())
            self.engine = self._make_engine(settings)
            self.completer = Completer(self.engine)
            self.run(self._warm())

    def settings_of(self, index: WorkspaceIndex) -> Settings:
        """The settings of a folder, by its index."""
        return next((f.settings for f in self._folders.values() if f.index is index), self.settings)

    def say(self, message: str) -> None:
        """Tell the user something once."""
        if message not in self._said:
            self._said.add(message)
            _log.warning("%s", message)
            self._client.say(message)

    def say_what_failed(self) -> None:
        """Tell the user why the model cannot be used; not what passes, which has another reason at every try."""
        if self.engine.state == "failed":
            self.say(self.engine.reason)

    # Folders

    def add_folders(self, roots: Iterable[str]) -> None:
        """Index and watch the folders at these URIs."""
        loop = asyncio.get_running_loop()

        def say(message: str) -> None:
            loop.call_soon_threadsafe(self.say, message)

        for uri in roots:
            path = uris.to_fs_path(uri)
            if path is None or (root := Path(path)) in self._folders:
                continue
            index = WorkspaceIndex(root, Store.of_workspace(root))
            watcher = WorkspaceWatcher(root, partial(self._changed_on_disk, loop, root), say, also=FILE_NAME)
            folder = self._folders[root] = Folder(root, index, watcher, self.settings)
            self.run(self._build(folder))
        for document in self._documents.values():
            self._show(document)

    def _changed_on_disk(self, loop: asyncio.AbstractEventLoop, root: Path, batch: frozenset[str]) -> None:
        """Called in a watcher's thread, which may outlive the index."""
        folder = self._folders.get(root)
        if folder is None:
            return
        if not batch.isdisjoint({FILE_NAME, ""}):
            loop.call_soon_threadsafe(self.configure)
        folder.index.refresh(batch)

    def remove_folders(self, roots: Iterable[str]) -> None:
        """Forget the folders at these URIs; their open documents are completed by themselves from now on."""
        for uri in roots:
            folder = self._folders.pop(Path(uris.to_fs_path(uri) or os.devnull), None)
            if folder is not None:
                folder.index.stop()
                self.run(self._in_thread(self._folder_threads, folder.watcher.stop))
                asyncio.get_running_loop().call_soon(collect_what_was_left)  # nothing here holds on to it then
        for document in self._documents.values():
            self._show(document)

    async def reindex(self) -> None:
        """Read every folder anew, but those that are being read for the first time."""
        await asyncio.gather(*(self._build(folder) for folder in self._folders.values() if folder.ready))

    async def _build(self, folder: Folder) -> None:
        """Read a folder; the first time watch it from then on, and catch up with what changed in between."""
        loop = asyncio.get_running_loop()
        report = self._client.working("repofill: reading the project")

        def counted(files: int) -> None:
            loop.call_soon_threadsafe(report, f"{files} files")

        try:
            await self._in_thread(self._folder_threads, folder.index.build, counted)
            truncated = folder.index.stats().truncated
            if not (truncated or folder.ready):  # a tree that large, `/` for example, would take every watch there is
                await self._in_thread(self._folder_threads, folder.watcher.start)
                await self._in_thread(self._folder_threads, folder.index.build)
        finally:
            folder.ready = True
            report(None)
            keep_what_is_read()
        stats = folder.index.stats()
        _log.info("%s has been read: %d files, %d imports", folder.root, stats.files, stats.edges)
        if folder.index.rebuilt:
            self.say(f"What was kept of {folder.root} from the last time could not be read; it was made anew.")
        if truncated:
            self.say(f"{folder.root} has too many files: those around open ones are read, once. Open a smaller folder.")
        await self._warm()

    # Documents

    def open(self, *documents: Document) -> None:
        """The editor opened a document, or several of a notebook."""
        if not documents:
            return
        for document in documents:
            self._take(document)
        self.run(self.settled(self._newest))
        in_use = time.monotonic() - self._asked_at < _IN_USE_S
        if not in_use and all(folder.ready for folder in self._folders.values()):  # otherwise once they are
            self.run(self._warm())

    def change(self, uri: str, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        """The editor's user typed; changes apply one after the other."""
        document = self._documents.get(uri)
        if document is None:
            return
        text = document.text
        for change in changes:
            text = edited(text, change, self.encoding)
        self._take(replace(document, text=text))

    def close_documents(self, *uris: str) -> None:
        """The editor closed documents; the disk counts again, or what else is open of the same notebook."""
        for uri in uris:
            if self._documents.pop(uri, None) is not None:
                self._leave(self._places.pop(uri))

    def arrange(self, notebook: str, cells: Sequence[str]) -> None:
        """A notebook has these cells, in this order, be they open yet or not; a closed one has none."""
        self._notebooks.arrange(notebook, cells)
        for document in filter(None, map(self._documents.get, cells)):
            self._show(document)

    def document(self, uri: str) -> Document | None:
        """The open document at `uri`: the same object for as long as it has not changed."""
        return self._documents.get(uri)

    def locate(self, uri: str) -> tuple[WorkspaceIndex, str]:
        """The index that a document belongs to, of the innermost folder around it, and its path there. What is no file
        belongs to none: an unsaved document, a file of another revision. A cell is where its notebook is."""
        cell, notebook = self._documents.get(uri), self._notebooks.holding(uri)
        if cell is not None and notebook is not None:
            index, beside = self.locate(notebook)
            return index, path_of_cells(beside, cell.language_id)
        name = uris.to_fs_path(uri) if uri.startswith("file:") else None
        if name is None:
            return self._loose, unquote(urlsplit(uri).path).lstrip("/") or "untitled"
        for root in sorted(self._folders, key=lambda root: -len(root.parts)):
            path = relative_path(root, Path(name))
            if path is not None:
                return self._folders[root].index, path
        return self._loose, Path(name).as_posix().lstrip("/")

    def cursor(self, path: str, document: Document, text: str, offset: int) -> Cursor:
        """The place at `offset` if the open document at `path` holds `text`; around a cell stand the others of its
        notebook."""
        before, after = self._notebooks.around(document, self._documents)
        return Cursor(path=path, text=before + text + after, offset=len(before) + offset)

    async def settled(self, uri: str) -> None:
        """Return when everything typed so far has been parsed."""
        index, _ = self.locate(uri)
        await self._in_thread(self._settle_thread, index.settle)

    def rests_at(self, uri: str, position: types.Position) -> None:
        """The cursor has come to rest at a place of an open document."""
        document = self._documents.get(uri)
        if document is not None:
            self._newest = uri
            self._rest = uri, offset_at(document.text, position, self.encoding)
            if time.monotonic() - self._asked_at < _WRITING_S:
                self.run(self._warm())

    def asked(self) -> None:
        """Somebody waits for a suggestion: until that is over nothing else may take the model's cache."""
        self._asked_at = time.monotonic()

    def _take(self, document: Document) -> None:
        self._documents[document.uri] = document
        self._newest = document.uri
        self._show(document)

    def _show(self, document: Document) -> None:
        """Give the document's text to the index it belongs to now."""
        index, path = place = self.locate(document.uri)
        left = self._places.get(document.uri, place)
        self._places[document.uri] = place
        if left != place:
            self._leave(left)
        self._change(index, path, document)

    def _leave(self, place: tuple[WorkspaceIndex, str]) -> None:
        """A document is no longer at a place; another cell of its notebook may be."""
        index, path = place
        still = next((self._documents[uri] for uri, other in self._places.items() if other == place), None)
        if still is not None:
            self._change(index, path, still)
        else:
            index.release(path)
            self._settle_soon(index)

    def _change(self, index: WorkspaceIndex, path: str, document: Document) -> None:
        notebook = self._notebooks.holding(document.uri)
        part_of = "" if notebook is None else self.locate(notebook)[1]
        index.change(path, self.cursor(path, document, document.text, 0).text, part_of)
        self._settle_soon(index)

    def _settle_soon(self, index: WorkspaceIndex) -> None:
        if (timer := self._settling.get(index)) is not None:
            timer.cancel()
        self._settling[index] = asyncio.get_running_loop().call_later(SETTLE_S, self._settle, index)

    def _settle(self, index: WorkspaceIndex) -> None:
        self._settling.pop(index, None)
        self.run(self._pause(index))

    async def _pause(self, index: WorkspaceIndex) -> None:
        """Typing pauses: take over what was typed, first in the index and then in the prompt."""
        await self._in_thread(self._settle_thread, index.settle)
        if index.stats().truncated:
            self.run(self._in_thread(self._folder_threads, index.read_around))
        try:
            await self.completer.pause()
        except EngineUnavailable as error:
            _log.info("not warmed: %s", error)

    async def _warm(self) -> None:
        """Load the model, and into its cache the prompt where the cursor is in the newest document, before the first
        keystroke asks for it; not once one has."""
        began = time.monotonic()
        document = self._documents.get(self._newest)
        if document is None:
            return
        index, path = self.locate(document.uri)
        settings = self.settings_of(index)
        suggest = settings.suggest
        if not suggest.enabled or document.language_id in suggest.disabled_languages or index.is_secret(path):
            return
        report = self._client.working("repofill: loading the model") if self.engine.state == "idle" else None
        try:
            await self.settled(document.uri)
            if self._asked_at > began:
                return
            uri, offset = self._rest
            offset = min(offset, len(document.text)) if uri == document.uri else 0
            cursor = self.cursor(path, document, document.text, offset)
            await self.completer.warm(index, cursor, settings)
        except EngineUnavailable as error:
            _log.info("not warmed: %s", error)  # a request says it
            if is_address(settings.model.path) and self.engine.state == "crashed":
                self.say(
                    f"{settings.model.path} does not answer. Until it does, the project's own text alone proposes."
                )
        finally:
            if report is not None:
                report(None)

    # Life

    def status(self) -> dict[str, Any]:
        """What a status line shows."""
        folders = [
            {"root": str(f.root), "ready": f.ready, "files": f.index.stats().files, "edges": f.index.stats().edges}
            for f in self._folders.values()
        ]
        engine = self.engine
        return {
            "ready": all(folder.ready for folder in self._folders.values()) and engine.state != "failed",
            "engine": {"state": engine.state, "reason": engine.reason, "pid": engine.process_id},
            "log": str(log_path(self.settings.log)),
            "folders": folders,
            "accepted": self.accepted,
            "model": self.last.model if self.last else None,
            "last_ms": self.last.timings_ms.get("total") if self.last else None,
        }

    async def _in_thread(self, threads: ThreadPoolExecutor, work: Callable[..., None], *arguments: Any) -> None:
        if not self._stopped:
            await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background; if it fails, the log says so."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)

    def stop(self) -> None:
        """Let go of the disk: no thread goes on for long after this. For an editor that has vanished, too."""
        self._stopped = True
        for folder in self._folders.values():
            folder.index.stop()
        for threads in (self._folder_threads, self._settle_thread):
            threads.shutdown(wait=False, cancel_futures=True)

    async def close(self) -> None:
        """End everything: background work, watchers, the model process."""
        self.stop()
        for timer in self._settling.values():
            timer.cancel()
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for folder in self._folders.values():
            await asyncio.to_thread(folder.watcher.stop)
        await self.engine.close()
