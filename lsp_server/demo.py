"""`repofill demo`: the real server, as an editor runs it, on the source of an installed third-party package.

Called by the CLI only. Cuts the rest of real lines out of the package, asks for ghost text there, and shows the
prompt's files in order and the ghost text in place beside what the author wrote.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from repofill.context.index import WorkspaceIndex
from repofill.evaluation.holes import Hole, sample

PACKAGE = "pygls"
SUGGESTIONS = 5
_MOST_PLACES = 60
_SAMPLED = 600
_DEPENDENCIES = 4
"""Places are looked for in files that depend on at least so many others: context is what there is to see."""

_SEED = 4
_LINES_AROUND = 4
_READY_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One ghost text: where, what, and how long it took from request to answer."""

    hole: Hole
    text: str
    milliseconds: float


class DemoError(Exception):
    """The demo could not do its job; one line says why."""


def run(console: Console, package: str = PACKAGE) -> None:
    """Run the demo; raises DemoError when the server shows no ghost text at all."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DemoError(f"the package {package} is not installed here")
    source = Path(next(iter(spec.submodule_search_locations)))
    with tempfile.TemporaryDirectory(prefix="repofill-demo-") as folder:
        workspace = Path(folder)
        shutil.copytree(source, workspace / package, ignore=shutil.ignore_patterns("__pycache__"))
        asyncio.run(_session(console, workspace, f"{package} {metadata.version(package)}"))


async def _session(console: Console, workspace: Path, title: str) -> None:
    index = WorkspaceIndex(workspace)
    index.build()
    connected = (hole for hole in sample(index, _SAMPLED, _SEED) if len(index.dependencies(hole.path)) >= _DEPENDENCIES)
    holes = list(itertools.islice(connected, _MOST_PLACES))
    client = LanguageClient("repofill-demo", metadata.version("repofill"))
    await client.start_io(sys.executable, "-m", "repofill.lsp_server", "serve", cwd=workspace)
    drain = asyncio.create_task(_drain(client))
    try:
        await _initialize(client, workspace)
        console.rule(f"repofill completes {title}: {index.stats().files} files, {index.stats().edges} imports")
        shown, asked, plan = await _ask(client, workspace, holes)
        console.print(_context_table(plan))
        for one in shown:
            console.print(_ghost(one))
        right = sum(one.text == one.hole.target for one in shown)
        console.print(
            f"Asked at {asked} places: silent at {asked - len(shown)}, ghost text at {len(shown)}, "
            f"{right} of them exactly what the author wrote. Model: {plan['last']['model']}."
        )
    finally:
        await _shutdown(client)
        drain.cancel()
    if not shown:
        raise DemoError("the server showed no ghost text")


async def _initialize(client: LanguageClient, workspace: Path) -> None:
    uri = workspace.as_uri()
    await client.initialize_async(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(
                text_document=types.TextDocumentClientCapabilities(
                    inline_completion=types.InlineCompletionClientCapabilities()
                )
            ),
            workspace_folders=[types.WorkspaceFolder(uri=uri, name=workspace.name)],
            # One answer per place is all there will be, so wait for the whole of a cold prompt.
            initialization_options={"suggest": {"deadline_ms": 10_000}},
        )
    )
    client.initialized(types.InitializedParams())
    until = time.monotonic() + _READY_S
    while not (await _command(client, "repofill.status"))["ready"]:
        if time.monotonic() > until:
            raise DemoError("the server was not ready in time; see `repofill doctor`")
        await asyncio.sleep(0.1)


async def _ask(client: LanguageClient, workspace: Path, holes: list[Hole]) -> tuple[list[Shown], int, dict[str, Any]]:
    """Ask at hole after hole until enough ghost texts have been shown; the plan is that of the last one shown."""
    shown: list[Shown] = []
    plan: dict[str, Any] = {}
    for hole in holes:
        uri = (workspace / hole.path).as_uri()
        line = hole.text.count("\n", 0, hole.offset)
        before = hole.text[hole.text.rfind("\n", 0, hole.offset) + 1 : hole.offset]
        position = types.Position(line=line, character=len(before.encode("utf-16-le")) // 2)
        document = types.TextDocumentItem(uri=uri, language_id="python", version=1, text=hole.text)
        client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document))
        started = time.monotonic()
        answer = await client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                text_document=types.TextDocumentIdentifier(uri=uri),
                position=position,
                context=types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Automatic),
            )
        )
        milliseconds = (time.monotonic() - started) * 1000
        items = answer.items if isinstance(answer, types.InlineCompletionList) else answer or []
        if items:
            text = items[0].insert_text
            shown.append(
                Shown(hole=hole, text=text if isinstance(text, str) else text.value, milliseconds=milliseconds)
            )
            place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": position.character}}
            plan = await _command(client, "repofill.explain", place)
        client.text_document_did_close(
            types.DidCloseTextDocumentParams(text_document=types.TextDocumentIdentifier(uri=uri))
        )
        if len(shown) == SUGGESTIONS:
            break
    return shown, holes.index(hole) + 1, plan


async def _command(client: LanguageClient, name: str, *arguments: Any) -> dict[str, Any]:
    result = await client.workspace_execute_command_async(
        types.ExecuteCommandParams(command=name, arguments=list(arguments))
    )
    if not isinstance(result, dict):
        raise DemoError(f"the server's answer to {name} is not an object")
    return result


async def _shutdown(client: LanguageClient) -> None:
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()  # type: ignore[no-untyped-call]


async def _drain(client: LanguageClient) -> None:
    """Read the server's stderr, which would otherwise fill its pipe and stop the server."""
    process = client._server
    while process is not None and process.stderr is not None and await process.stderr.read(65536):
        pass


def _context_table(plan: dict[str, Any]) -> Table:
    table = Table(title=f"Ahead of the last cursor in the prompt, in order ({plan.get('tokens', 0)} tokens)")
    table.add_column("file")
    table.add_column("form")
    table.add_column("tokens", justify="right")
    for file in plan.get("files", []):
        table.add_row(file["path"], file["form"], str(file["tokens"]))
    return table


def _ghost(one: Shown) -> Panel:
    before, after = one.hole.text[: one.hole.offset], one.hole.text[one.hole.offset :]
    text = Text("\n".join(before.split("\n")[-_LINES_AROUND:]), style="default")
    text.append(one.text, style="bold black on green")
    text.append("\n".join(after.split("\n")[:2]))
    verdict = "exactly what the author wrote" if one.text == one.hole.target else f"the author wrote: {one.hole.target}"
    line = before.count("\n") + 1
    return Panel(text, title=f"{one.hole.path}:{line}", subtitle=f"{one.milliseconds:.0f} ms · {verdict}")
