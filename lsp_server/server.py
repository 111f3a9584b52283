"""The language server: the only place where the parts are wired. Called by the command line."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import os
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol

from repofill.lsp_server import features
from repofill.lsp_server.documents import Document
from repofill.lsp_server.session import Session
from repofill.lsp_server.settings import Settings
from repofill.models.engine import Engine
from repofill.models.protocol import EngineOptions

_log = logging.getLogger(__name__)


class _Protocol(LanguageServerProtocol):
    """pygls' own, which never lets go of the outcome of a notification: two kilobytes for every keystroke."""

    def _check_handler_result(self, future: Any) -> None:
        super()._check_handler_result(future)
        for number in [number for number, kept in self._request_futures.items() if kept.done()]:
            del self._request_futures[number]

    def give_up_commands(self) -> None:
        """Answer those under way, ahead of pygls, which stumbles over what is answered while it looks for it."""
        for number, future in list(self._request_futures.items()):
            if isinstance(future, Future) and number != self.msg_id:
                future.cancel()


class Server(LanguageServer):
    """pygls' server with a session. Its own errors go to the log: a pop-up while typing is worse than no suggestion."""

    protocol: _Protocol
    session: Session
    leaving = False
    left_early = False

    def serve(self) -> bool:
        """Speak on stdin and stdout until the client has gone; False where it said `exit` without a `shutdown`."""
        try:
            self.start_io()
        finally:
            if hasattr(self, "session"):  # it was initialized
                self.session.stop()
        return not self.left_early

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Called by pygls for everything that escapes a handler, invalid parameters among it, and for what cannot be
        sent, which is no news once the editor is leaving."""
        if not self.leaving:
            _log.error("%s", source, exc_info=error)

    def say(self, message: str) -> None:
        """Show one sentence to the user."""
        self.window_show_message(
            types.ShowMessageParams(type=types.MessageType.Warning, message=f"repofill: {message}")
        )

    def working(self, title: str) -> Callable[[str | None], None]:
        """Work-done progress, where the client can show it and, asked, does not refuse to."""
        window = self.client_capabilities.window
        if window is None or not window.work_done_progress:
            return lambda message: None
        token = f"repofill-{next(_TOKENS)}"
        shown = self.work_done_progress
        created = asyncio.create_task(shown.create_async(token))

        def then(show: Callable[[], None]) -> None:
            created.add_done_callback(lambda _: None if created.cancelled() or created.exception() else show())

        def report(message: str | None) -> None:
            if message is None:
                then(lambda: shown.end(token, types.WorkDoneProgressEnd()))
            elif created.done():
                then(lambda: shown.report(token, types.WorkDoneProgressReport(message=message)))

        then(lambda: shown.begin(token, types.WorkDoneProgressBegin(title=title)))
        return report


_TOKENS = itertools.count(1)
_SILENT = logging.CRITICAL + 1


def bundled_model() -> Path:
    """The model that ships with repofill."""
    return Path(str(resources.files("repofill.models.bundled").joinpath("repofill-small.gguf")))


def make_engine(settings: Settings, turn: asyncio.Lock | None = None) -> Engine:
    """An engine for the model the settings name. Nothing is loaded before its first use, and its `turn`."""
    path = os.path.expanduser(settings.model.path) or bundled_model()
    options = EngineOptions(
        n_ctx=settings.model.context_window,
        context_tokens=settings.context.budget_tokens,
        prefix_tokens=settings.context.prefix_tokens,
        suffix_tokens=settings.context.suffix_tokens,
        threads=settings.model.threads,
        n_gpu_layers=settings.model.gpu_layers,
        kept_bytes=settings.model.prompt_cache_mb * 1_000_000,
    )
    return Engine(path, options, turn=turn, idle_s=settings.model.idle_minutes * 60 or math.inf)


def build_server() -> Server:
    """A server with all its features, ready to be started."""
    server = Server(
        "repofill",
        metadata.version("repofill"),
        text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
        notebook_document_sync=types.NotebookDocumentSyncOptions(
            notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")]
        ),
        protocol_cls=_Protocol,
    )
    _register_life(server)
    _register_documents(server)
    _register_notebooks(server)
    _register_answers(server)
    return server


def _register_life(server: Server) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(ls: Server, params: types.InitializeParams) -> None:
        ls.session = Session(ls, partial(make_engine, turn=asyncio.Lock()))
        text_document = params.capabilities.text_document
        ls.session.inline = text_document is not None and text_document.inline_completion is not None
        experimental = params.capabilities.experimental
        ls.session.over_closers = isinstance(experimental, dict) and experimental.get("repofill.overClosers") is True
        if params.initialization_options is not None:
            ls.session.configure("initializationOptions", _section(params.initialization_options))

    @server.feature(types.INITIALIZED)
    async def initialized(ls: Server, params: types.InitializedParams) -> None:
        ls.session.encoding = ls.workspace.position_encoding or types.PositionEncodingKind.Utf16
        folders = [folder.uri for folder in ls.workspace.folders.values()]  # its keys have lost their escapes
        roots = folders or [uri for uri in (ls.workspace.root_uri,) if uri]
        ls.session.add_folders(roots)
        if not await _pull_settings(ls):
            ls.session.configure()
        model = Path(ls.session.settings.model.path or bundled_model()).name  # or where a server is
        _log.info("initialized: model %s, %d workspace folders", model, len(roots))

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def configuration(ls: Server, params: types.DidChangeConfigurationParams) -> None:
        if not await _pull_settings(ls) and params.settings is not None:
            ls.session.configure("workspace/didChangeConfiguration", _section(params.settings))

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders(ls: Server, params: types.DidChangeWorkspaceFoldersParams) -> None:
        ls.session.remove_folders(folder.uri for folder in params.event.removed)
        ls.session.add_folders(folder.uri for folder in params.event.added)
        ls.session.configure()  # by the files of the folders that are there now

    @server.feature(types.SHUTDOWN)
    async def shutdown(ls: Server, params: None) -> None:
        ls.leaving = True
        for library in ("pygls", "asyncio", "concurrent"):  # they would tell of the same, and of what is cut off
            logging.getLogger(library).setLevel(_SILENT)
        await ls.session.close()
        ls.protocol.give_up_commands()

    @server.feature(types.EXIT)
    def exit(ls: Server, params: None) -> None:
        ls.left_early = not ls.leaving


def _register_documents(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
        ls.session.open(_document(params.text_document))

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
        ls.session.change(params.text_document.uri, params.content_changes)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
        ls.session.close_documents(params.text_document.uri)


def _register_notebooks(server: Server) -> None:
    def arrange(ls: Server, uri: str) -> None:
        notebook = ls.workspace.get_notebook_document(notebook_uri=uri)
        ls.session.arrange(uri, [cell.document for cell in notebook.cells] if notebook is not None else [])

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def did_open(ls: Server, params: types.DidOpenNotebookDocumentParams) -> None:
        arrange(ls, params.notebook_document.uri)
        ls.session.open(*map(_document, params.cell_text_documents))

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def did_change(ls: Server, params: types.DidChangeNotebookDocumentParams) -> None:
        cells = params.change.cells
        if cells is not None and cells.structure is not None:
            ls.session.close_documents(*(closed.uri for closed in cells.structure.did_close or ()))
            arrange(ls, params.notebook_document.uri)
            ls.session.open(*map(_document, cells.structure.did_open or ()))
        for edits in cells.text_content or () if cells is not None else ():
            ls.session.change(edits.document.uri, edits.changes)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def did_close(ls: Server, params: types.DidCloseNotebookDocumentParams) -> None:
        ls.session.close_documents(*(cell.uri for cell in params.cell_text_documents))
        arrange(ls, params.notebook_document.uri)


def _document(opened: types.TextDocumentItem) -> Document:
    return Document(uri=opened.uri, language_id=opened.language_id, text=opened.text)


def _register_answers(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline(ls: Server, params: types.InlineCompletionParams) -> types.InlineCompletionList:
        return await features.inline_completion(ls.session, params)

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())
    async def completion(ls: Server, params: types.CompletionParams) -> types.CompletionList:
        return await features.completion(ls.session, params)

    @server.command(features.EXPLAIN)
    async def explain(ls: Server, place: dict[str, Any]) -> dict[str, Any]:
        return await features.explain(ls.session, place)

    @server.command(features.CURSOR)
    def cursor(ls: Server, place: dict[str, Any]) -> None:
        features.cursor(ls.session, place)

    @server.command(features.STATUS)
    def status(ls: Server, *arguments: Any) -> dict[str, Any]:
        return ls.session.status()

    @server.command(features.ACCEPTED)
    def accepted(ls: Server, *arguments: Any) -> None:
        ls.session.accepted += 1

    @server.command(features.REINDEX)
    async def reindex(ls: Server, *arguments: Any) -> None:
        await ls.session.reindex()


async def _pull_settings(ls: Server) -> bool:
    """Ask the client for its settings; False when it has no way to tell."""
    workspace = ls.client_capabilities.workspace
    if workspace is None or not workspace.configuration:
        return False
    try:
        values = await ls.workspace_configuration_async(
            types.ConfigurationParams(items=[types.ConfigurationItem(section="repofill")])
        )
    except JsonRpcException as error:
        _log.warning("the editor announced settings and refuses to tell them: %s", error)
        return False
    ls.session.configure("workspace/configuration", next(iter(values or ()), None))
    return True


def _section(values: Any) -> Any:
    """Settings may come with or without the outer `repofill`."""
    if isinstance(values, dict) and isinstance(values.get("repofill"), dict):
        return values["repofill"]
    return values
