"""An editor without a screen: the real server as a subprocess, spoken to as an editor does. Used by demo and
benchmarks."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

from repofill.lsp_server.documents import position_at
from repofill.models.protocol import is_address

_READY_S = 120.0


def model_setting(model: str) -> str:
    """A model file or a server's address, given here, as the server takes it, whose folder may be another."""
    return model if is_address(model) else str(Path(model).expanduser().absolute())


class EditorError(Exception):
    """The server did not do what a server does; one line says what."""


class Editor:
    """One client and its server. Made by `editor`."""

    def __init__(self, client: LanguageClient, workspace: Path) -> None:
        self._client = client
        self._workspace = workspace
        self._versions: dict[str, int] = {}

    def open(self, path: str, text: str) -> None:
        """Open a document with a text that need not be the disk's."""
        uri = self._uri(path)
        self._versions[uri] = 1
        document = types.TextDocumentItem(uri=uri, language_id="python", version=1, text=text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document))

    def insert(self, path: str, text: str, offset: int, typed: str) -> str:
        """Type `typed` at `offset` of `text`, which is what the document holds; returns what it holds then."""
        uri, place = self._uri(path), self._place(text, offset)
        self._versions[uri] += 1
        change = types.TextDocumentContentChangePartial(range=types.Range(start=place, end=place), text=typed)
        document = types.VersionedTextDocumentIdentifier(uri=uri, version=self._versions[uri])
        self._client.text_document_did_change(
            types.DidChangeTextDocumentParams(text_document=document, content_changes=[change])
        )
        return text[:offset] + typed + text[offset:]

    def replace(self, path: str, text: str) -> None:
        """Give a document another text."""
        uri = self._uri(path)
        self._versions[uri] += 1
        document = types.VersionedTextDocumentIdentifier(uri=uri, version=self._versions[uri])
        change = types.TextDocumentContentChangeWholeDocument(text=text)
        self._client.text_document_did_change(
            types.DidChangeTextDocumentParams(text_document=document, content_changes=[change])
        )

    def close(self, path: str) -> None:
        """Close a document."""
        document = types.TextDocumentIdentifier(uri=self._uri(path))
        self._client.text_document_did_close(types.DidCloseTextDocumentParams(text_document=document))

    async def suggestions(self, path: str, text: str, offset: int) -> tuple[list[str], float]:
        """The texts suggested at `offset`, and the milliseconds from request to answer."""
        params = types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(uri=self._uri(path)),
            position=self._place(text, offset),
            context=types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Automatic),
        )
        started = time.monotonic()
        answer = await self._client.text_document_inline_completion_async(params)
        milliseconds = (time.monotonic() - started) * 1000
        items = answer.items if isinstance(answer, types.InlineCompletionList) else answer or []
        return [str(item.insert_text) for item in items], milliseconds

    async def explain(self, path: str, text: str, offset: int) -> dict[str, Any]:
        """The server's `repofill.explain` at a place."""
        return await self.command("repofill.explain", self._cursor(path, text, offset))

    async def rest(self, path: str, text: str, offset: int) -> None:
        """The cursor comes to rest at a place."""
        await self._execute("repofill.cursor", self._cursor(path, text, offset))

    async def command(self, name: str, *arguments: Any) -> dict[str, Any]:
        """Execute one of the server's commands that answer."""
        result = await self._execute(name, *arguments)
        if not isinstance(result, dict):
            raise EditorError(f"the server's answer to {name} is not an object")
        return result

    async def _execute(self, name: str, *arguments: Any) -> Any:
        params = types.ExecuteCommandParams(command=name, arguments=list(arguments))
        return await self._client.workspace_execute_command_async(params)

    def _cursor(self, path: str, text: str, offset: int) -> dict[str, Any]:
        place = self._place(text, offset)
        position = {"line": place.line, "character": place.character}
        return {"textDocument": {"uri": self._uri(path)}, "position": position}

    def _uri(self, path: str) -> str:
        return (self._workspace / path).as_uri()

    def _place(self, text: str, offset: int) -> types.Position:
        return position_at(text, offset, types.PositionEncodingKind.Utf16)


@asynccontextmanager
async def editor(workspace: Path, settings: Mapping[str, Any]) -> AsyncIterator[Editor]:
    """A server on `workspace` that has read it, with `settings` as initialization options; shut down at the end.
    Raises EditorError, also where it turns out to have no model."""
    client = LanguageClient("repofill-evaluation", metadata.version("repofill"))
    await client.start_io(sys.executable, "-m", "repofill.lsp_server", "serve", cwd=workspace)
    drain = asyncio.create_task(_drain(client))
    try:
        inline = types.TextDocumentClientCapabilities(inline_completion=types.InlineCompletionClientCapabilities())
        await client.initialize_async(
            types.InitializeParams(
                capabilities=types.ClientCapabilities(text_document=inline),
                workspace_folders=[types.WorkspaceFolder(uri=workspace.as_uri(), name=workspace.name)],
                initialization_options=dict(settings),
            )
        )
        client.initialized(types.InitializedParams())
        opened = Editor(client, workspace)
        until = time.monotonic() + _READY_S
        while not (await opened.command("repofill.status"))["ready"]:
            if time.monotonic() > until:
                raise EditorError("the server was not ready in time; see `repofill doctor`")
            await asyncio.sleep(0.05)
        yield opened
        if reason := (await opened.command("repofill.status"))["engine"]["reason"]:
            raise EditorError(reason)
        await client.shutdown_async(None)
        client.exit(None)
    except BaseException:
        _kill(client)  # `stop` waits for a server that nobody told to end
        raise
    finally:
        await client.stop()  # type: ignore[no-untyped-call]
        drain.cancel()


def _kill(client: LanguageClient) -> None:
    process = client._server
    if process is not None and process.returncode is None:
        process.kill()


async def _drain(client: LanguageClient) -> None:
    """Read the server's stderr, which would otherwise fill its pipe and stop the server."""
    process = client._server
    while process is not None and process.stderr is not None and await process.stderr.read(65536):
        pass
