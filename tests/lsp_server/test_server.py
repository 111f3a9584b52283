"""The real server as a process with the real model, spoken to as editors do."""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import LanguageClient
from pytest_lsp.client import make_test_lsp_client

from repofill.lsp_server.documents import position_at
from repofill.lsp_server.server import Server, build_server, bundled_model, make_engine
from repofill.lsp_server.settings import ModelSettings, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = {
    "utils.py": "def load_data(count):\n    return list(range(count))\n",
    "model.py": "from utils import load_data\n\n\nclass Classifier:\n    rows = load_data(3)\n",
    "main.py": "from utils import load_data\nfrom model import Classifier\n\nprint(Classifier, load_data)\n",
    "shapes.py": "def first(shape):\n    outline = shape.width * shape.height + shape.border_thickness\n    return 1\n",
}
TYPED, REST = "def second(shape):\n    outline = shape.width * sha", "pe.height + shape.border_thickness"
UNHURRIED = {"suggest": {"deadline_ms": 60_000, "min_confidence": 0}}
WAIT_S = 90.0
Items = list[types.InlineCompletionItem]


class Editor:
    """A client with documents that know their text and version, and counts in its own position encoding."""

    def __init__(self, client: LanguageClient, workspace: Path, encoding: types.PositionEncodingKind) -> None:
        self.client, self.workspace, self.encoding = client, workspace, encoding
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}

    @property
    def process(self) -> asyncio.subprocess.Process:
        process = self.client._server
        assert process is not None
        return process

    @property
    def said(self) -> list[str]:
        return [message.message for message in self.client.messages]

    def uri(self, path: str) -> str:
        return (self.workspace / path).as_uri()

    def document(self, path: str) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(uri=self.uri(path))

    def place(self, path: str, offset: int | None = None) -> types.Position:
        text = self.texts[path]
        return position_at(text, len(text) if offset is None else offset, self.encoding)

    def open(self, path: str, text: str, language: str = "python") -> None:
        self.texts[path], self.versions[path] = text, 1
        item = types.TextDocumentItem(uri=self.uri(path), language_id=language, version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))

    def type(self, path: str, typed: str) -> None:
        """At the end of the document."""
        change, document = self.typing(path, typed)
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(text_document=document, content_changes=[change])
        )

    def typing(
        self, path: str, typed: str
    ) -> tuple[types.TextDocumentContentChangePartial, types.VersionedTextDocumentIdentifier]:
        """What typing at the end of a document changes, and the document after that."""
        end = self.place(path)
        self.versions[path] += 1
        self.texts[path] += typed
        change = types.TextDocumentContentChangePartial(range=types.Range(start=end, end=end), text=typed)
        return change, types.VersionedTextDocumentIdentifier(uri=self.uri(path), version=self.versions[path])

    def asking(
        self, path: str, offset: int | None = None, chosen: types.SelectedCompletionInfo | None = None
    ) -> types.InlineCompletionParams:
        trigger = types.InlineCompletionTriggerKind.Automatic
        return types.InlineCompletionParams(
            text_document=self.document(path),
            position=self.place(path, offset),
            context=types.InlineCompletionContext(trigger_kind=trigger, selected_completion_info=chosen),
        )

    async def inline(self, path: str, offset: int | None = None, **more: Any) -> Items:
        """Suggestions at the end of the document, or at `offset`."""
        params = self.asking(path, offset, **more)
        answer = await asyncio.wait_for(self.client.text_document_inline_completion_async(params), WAIT_S)
        assert isinstance(answer, types.InlineCompletionList)
        return list(answer.items)

    def ask(self, path: str) -> Awaitable[types.InlineCompletionList]:
        """Suggestions at the end of the document; the request is on its way when this returns."""
        method = types.TEXT_DOCUMENT_INLINE_COMPLETION
        return asyncio.wrap_future(self.client.protocol.send_request(method, self.asking(path)))

    async def menu(self, path: str) -> types.CompletionList:
        params = types.CompletionParams(text_document=self.document(path), position=self.place(path))
        answer = await asyncio.wait_for(self.client.text_document_completion_async(params), WAIT_S)
        assert isinstance(answer, types.CompletionList)
        return answer

    def raw(self, method: str, params: Any, **more: Any) -> None:
        """A message that no library would send."""
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def command(self, name: str, *arguments: Any) -> Any:
        params = types.ExecuteCommandParams(command=name, arguments=list(arguments))
        return await asyncio.wait_for(self.client.workspace_execute_command_async(params), WAIT_S)

    async def explain(self, path: str) -> Any:
        place = self.place(path)
        position = {"line": place.line, "character": place.character}
        return await self.command("repofill.explain", {"textDocument": {"uri": self.uri(path)}, "position": position})

    async def context(self, path: str) -> list[str]:
        return [file["path"] for file in (await self.explain(path))["files"]]

    async def status(self) -> Any:
        return await self.command("repofill.status")

    async def until(self, what: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not await what():
                await asyncio.sleep(0.05)

    async def ready(self) -> None:
        async def is_ready() -> bool:
            return bool((await self.status())["ready"])

        await self.until(is_ready)


@asynccontextmanager
async def editor(
    workspace: Path | None,
    home: Path,
    *,
    inline: bool = True,
    folders: bool = True,
    options: Mapping[str, Any] | None = UNHURRIED,
    configuration: Mapping[str, Any] | None = None,
    experimental: Mapping[str, Any] | None = None,
    encoding: types.PositionEncodingKind = types.PositionEncodingKind.Utf16,
) -> AsyncIterator[Editor]:
    """A server that has read its workspace; killed at the end if it is still there."""
    client = make_test_lsp_client()
    environment = {**os.environ, "XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    await client.start_io(sys.executable, "-m", "repofill.lsp_server", "serve", "--stdio", env=environment)
    capable = types.InlineCompletionClientCapabilities() if inline else None
    root = workspace.as_uri() if workspace else None
    if configuration is not None:
        client.set_configuration({"repofill": dict(configuration)})
    result = await client.initialize_session(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(
                experimental=dict(experimental or {}),
                general=types.GeneralClientCapabilities(position_encodings=[encoding]),
                text_document=types.TextDocumentClientCapabilities(inline_completion=capable),
                window=types.WindowClientCapabilities(work_done_progress=True),
                workspace=types.WorkspaceClientCapabilities(
                    configuration=configuration is not None, workspace_folders=folders
                ),
            ),
            root_uri=root,
            workspace_folders=[types.WorkspaceFolder(uri=root, name="project")] if root and folders else None,
            initialization_options=options,
        )
    )
    assert result.capabilities.position_encoding == encoding
    assert result.capabilities.inline_completion_provider
    opened = Editor(client, workspace or home, encoding)
    try:
        await opened.ready()
        yield opened
    finally:
        if opened.process.returncode is None:
            opened.process.kill()
        await client.stop()


def in_process() -> tuple[Server, list[Any]]:
    """A server without a process of its own, initialized, and the messages that it sends."""
    server, sent = build_server(), list[Any]()

    class Writer:
        def write(self, data: bytes) -> None:
            sent.append(json.loads(data.partition(b"\r\n\r\n")[2]))

    server.protocol.set_writer(Writer())
    capabilities = types.ClientCapabilities(window=types.WindowClientCapabilities(work_done_progress=True))
    initialize = types.InitializeRequest(id=1, params=types.InitializeParams(capabilities=capabilities))
    server.protocol.handle_message(initialize)
    return server, sent


def make_project(folder: Path) -> Path:
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    """One server for the tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("shared")
    async with editor(make_project(folder / "project"), folder) as one:
        yield one
        assert one.said == []


def empty_at(place: types.Position) -> types.Range:
    return types.Range(start=place, end=place)


# Suggestions


async def test_what_is_typed_is_completed_at_the_cursor_with_an_empty_range(shared: Editor) -> None:
    shared.open("new.py", "import math\n\n\n")
    assert await shared.inline("new.py", 0) == []  # nothing stands before the cursor yet
    for typed in (TYPED[:20], TYPED[20:]):
        shared.type("new.py", typed)
    items = await shared.inline("new.py")
    assert REST in [item.insert_text for item in items]
    for item in items:
        assert item.range == empty_at(shared.place("new.py"))
    inside = len(shared.texts["new.py"]) - 2
    assert await shared.inline("new.py", inside) == []  # within a word


async def test_what_closes_behind_the_cursor_is_replaced_for_a_client_that_wants_it(
    project: Path, tmp_path: Path
) -> None:
    """Others get the suggestion up to there."""
    (project / "calls.py").write_text("total = collected(alpha_one, beta_two).rounded(3)\n" * 2)
    typed, rest = "total = collected(alpha_o", "ne, beta_two).rounded(3)"
    for over_closers, text, replaced in ((True, rest, 1), (False, "ne, beta_two", 0)):
        async with editor(project, tmp_path, experimental={"repofill.overClosers": over_closers}) as one:
            one.open("new.py", f"{typed})\n")
            items = await one.inline("new.py", len(typed))
            start = one.place("new.py", len(typed))
            where = types.Range(start=start, end=one.place("new.py", len(typed) + replaced))
            assert (text, where) in [(item.insert_text, item.range) for item in items]


async def test_a_client_with_ghost_text_gets_no_menu_items_and_need_not_ask_again(shared: Editor) -> None:
    shared.open("menu.py", TYPED)
    menu = await shared.menu("menu.py")
    assert (menu.is_incomplete, list(menu.items)) == (False, [])


async def test_what_the_menu_has_selected_counts_as_typed(shared: Editor) -> None:
    text = "def third(shape):\n    outline = shape.wi"
    shared.open("chosen.py", text)
    word = types.Range(start=shared.place("chosen.py", len(text) - 2), end=shared.place("chosen.py"))
    chosen = types.SelectedCompletionInfo(range=word, text="width")
    items = await shared.inline("chosen.py", chosen=chosen)
    assert f"width * sha{REST}" in [item.insert_text for item in items]
    assert all(item.range == word and str(item.insert_text).startswith("width") for item in items)


async def test_emoji_before_the_cursor_count_as_the_client_counts(shared: Editor) -> None:
    text = f"# 😀\n\n\n{FILES['shapes.py']}\n\ndef fourth(shape):\n    name = '😀👩‍💻'; outline = shape.width * sha"
    shared.open("emoji.py", text)
    shared.type("emoji.py", "pe.hei")
    items = await shared.inline("emoji.py")
    assert "ght + shape.border_thickness" in [item.insert_text for item in items]
    columns = len(text.rpartition("\n")[2].encode("utf-16-le")) // 2 + len("pe.hei")
    assert items[0].range is not None
    assert items[0].range.end.character == columns


async def test_a_document_with_crlf_gets_crlf(shared: Editor) -> None:
    body = "    total = amount * price\r\n    total += total * tax\r\n    return total\r\n"
    text = f"def cost(amount, price, tax):\r\n{body}\r\n\r\ndef cost_again(amount, price, tax):\r\n    "
    shared.open("crlf.py", text)
    items = await shared.inline("crlf.py")
    texts = [str(item.insert_text) for item in items]
    assert any(body.strip().startswith(text) and "\r\n" in text for text in texts), texts
    assert not any("\n" in text.replace("\r\n", "") for text in texts)


async def test_an_outdated_document_gets_no_items(shared: Editor) -> None:
    shared.open("old.py", TYPED)
    asked = shared.ask("old.py")
    shared.type("old.py", "p")
    assert not (await asked).items
    assert REST[1:] in [item.insert_text for item in await shared.inline("old.py")]


async def test_a_request_sees_the_document_it_was_sent_for(shared: Editor) -> None:
    """Not what arrives right behind it, where its position would mean another place."""
    for turn in range(5):
        shared.open(f"sent{turn}.py", TYPED)
        shared.process.send_signal(signal.SIGSTOP)  # both messages are there before the first one is read
        asked = shared.ask(f"sent{turn}.py")
        shared.type(f"sent{turn}.py", "\n\n")  # the cursor is at the end of its line still
        shared.process.send_signal(signal.SIGCONT)
        assert not (await asked).items


async def test_a_document_opened_anew_with_the_same_version_is_another(shared: Editor) -> None:
    shared.open("again.py", TYPED)
    asked = shared.ask("again.py")
    shared.client.text_document_did_close(types.DidCloseTextDocumentParams(text_document=shared.document("again.py")))
    shared.open("again.py", "import math\n\nprint(math.pi)\n")
    assert not (await asked).items


async def test_without_the_model_in_time_the_project_still_proposes(project: Path, tmp_path: Path) -> None:
    async with editor(project, tmp_path, options={"suggest": {"deadline_ms": 1, "min_confidence": 0}}) as one:
        one.open("new.py", TYPED)
        assert REST in [item.insert_text for item in await one.inline("new.py")]


async def test_typing_evaluates_only_the_tail(shared: Editor) -> None:
    shared.open("main.py", FILES["main.py"] + "\n\ndef run(shape):\n    value = ")
    await shared.inline("main.py")
    previous = (await shared.explain("main.py"))["last"]
    assert {"utils.py", "model.py"} <= {file["path"] for file in previous["context"]}
    asked = []
    for typed in "load_data(":
        shared.type("main.py", typed)
        await shared.inline("main.py")
        last = (await shared.explain("main.py"))["last"]
        assert last["cached_tokens"] >= previous["prompt_tokens"] - 6
        asked.append("decode" in last["timings_ms"])
        previous = last
    assert any(asked)  # the model is not while what is shown is being typed


async def test_where_the_cursor_rests_little_is_left_to_evaluate(shared: Editor) -> None:
    text = "".join(f"row_{number} = {number}\n" for number in range(100))
    place = text.index("row_70") - 1
    evaluated = []
    for path, rests in (("rows.py", False), ("rest.py", True)):
        shared.open(path, text)
        await shared.inline(path, 300)
        if rests:
            there = shared.place(path, place)
            position = {"line": there.line, "character": there.character}
            await shared.command("repofill.cursor", {"textDocument": {"uri": shared.uri(path)}, "position": position})
            await asyncio.sleep(2)
        await shared.inline(path, place)
        last = (await shared.explain(path))["last"]
        evaluated.append(last["prompt_tokens"] - last["cached_tokens"])
    assert evaluated[0] > 100
    assert evaluated[1] < 30


# Which documents


async def test_the_plan_shows_dependencies_first_and_sees_the_disk_change(shared: Editor) -> None:
    shared.open("user.py", "import model\nimport generated\n")
    kept = "shapes.py"  # of the file before
    assert [path for path in await shared.context("user.py") if path != kept] == ["utils.py", "model.py"]
    await shared.command("repofill.reindex")
    (shared.workspace / "generated.py").write_text("def made():\n    return 1\n")

    async def seen() -> bool:
        return "generated.py" in await shared.context("user.py")

    await shared.until(seen)
    (shared.workspace / "generated.py").unlink()

    async def gone() -> bool:
        return "generated.py" not in await shared.context("user.py")

    await shared.until(gone)


async def test_folders_come_and_go(shared: Editor, tmp_path: Path) -> None:
    other = make_project(tmp_path / "other")
    (other / "main.py").write_text("import utils\n")
    there = Editor(shared.client, other, shared.encoding)
    there.open("main.py", "import utils\n")
    assert await there.context("main.py") == []  # in no folder yet
    folder = types.WorkspaceFolder(uri=other.as_uri(), name="other")

    def change(added: list[types.WorkspaceFolder], removed: list[types.WorkspaceFolder]) -> None:
        event = types.WorkspaceFoldersChangeEvent(added=added, removed=removed)
        shared.client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event=event))

    async def known() -> bool:
        return await there.context("main.py") == ["utils.py"]

    change([folder], [])
    await shared.until(known)
    change([], [folder])
    assert await there.context("main.py") == []
    assert [Path(folder["root"]) for folder in (await shared.status())["folders"]] == [shared.workspace]


async def test_a_file_in_no_folder_or_of_no_file_completes_from_itself(shared: Editor, tmp_path: Path) -> None:
    outside = Editor(shared.client, tmp_path, shared.encoding)
    outside.uri = lambda path: f"untitled:{path}" if path.startswith("Untitled") else (tmp_path / path).as_uri()  # type: ignore[method-assign]
    for path in ("loose.py", "Untitled-1"):
        outside.open(path, f"{FILES['shapes.py']}\n\n{TYPED}")
        assert REST in [item.insert_text for item in await outside.inline(path)]


async def test_files_with_secrets_get_nothing_and_show_nowhere(shared: Editor) -> None:
    for path, language in ((".env", "dotenv"), ("credentials.py", "python")):
        shared.open(path, f"{FILES['shapes.py']}\n\n{TYPED}", language)
        assert await shared.inline(path) == []
        assert await shared.context(path) == []
    shared.open("uses.py", "import credentials\nimport model\n")
    kept = "shapes.py"  # of the file before
    assert [path for path in await shared.context("uses.py") if path != kept] == ["utils.py", "model.py"]
    assert {".env", "credentials.py"}.isdisjoint(await shared.context("uses.py"))


async def test_odd_text_and_deleted_files_do_not_matter(shared: Editor) -> None:
    odd = "a = '\0\ud800'\r\rdef (((:\n\t\fx\u2028 = <｜fim▁hole｜>\n"
    shared.open("odd.py", odd + TYPED)
    assert REST in [item.insert_text for item in await shared.inline("odd.py")]
    (shared.workspace / "short.py").write_text("import model\n")
    shared.open("short.py", "import model\n" + TYPED)
    (shared.workspace / "short.py").unlink()
    shared.type("short.py", "p")
    assert REST[1:] in [item.insert_text for item in await shared.inline("short.py")]
    imported = [path for path in await shared.context("short.py") if path in ("utils.py", "model.py")]
    assert imported == ["utils.py", "model.py"]  # among files with functions like the one that is typed


class Cells(Editor):
    """The cells of a notebook, by name, as VS Code tells of them."""

    def __init__(self, client: LanguageClient, workspace: Path, encoding: types.PositionEncodingKind) -> None:
        super().__init__(client, workspace, encoding)
        self.notebook = (workspace / "study.ipynb").as_uri()

    def uri(self, path: str) -> str:
        return f"{self.notebook.replace('file://', 'vscode-notebook-cell:')}#{path}"

    def items(self, cells: Mapping[str, str]) -> tuple[list[types.NotebookCell], list[types.TextDocumentItem]]:
        for name, text in cells.items():
            self.texts[name], self.versions[name] = text, 1
        kinds = {
            name: types.NotebookCellKind.Markup if "prose" in name else types.NotebookCellKind.Code for name in cells
        }
        described = [types.NotebookCell(kind=kinds[name], document=self.uri(name)) for name in cells]
        documents = [
            types.TextDocumentItem(
                uri=self.uri(name), language_id="markdown" if "prose" in name else "python", version=1, text=text
            )
            for name, text in cells.items()
        ]
        return described, documents

    def show(self, cells: Mapping[str, str]) -> None:
        """Open the notebook."""
        described, documents = self.items(cells)
        notebook = types.NotebookDocument(
            uri=self.notebook, notebook_type="jupyter-notebook", version=1, cells=described
        )
        self.client.notebook_document_did_open(
            types.DidOpenNotebookDocumentParams(notebook_document=notebook, cell_text_documents=documents)
        )

    def rearrange(self, start: int, removed: list[str], added: Mapping[str, str]) -> None:
        """Cells go, others come in their place."""
        described, documents = self.items(added)
        array = types.NotebookCellArrayChange(start=start, delete_count=len(removed), cells=described)
        closed = [self.document(name) for name in removed]
        structure = types.NotebookDocumentCellChangeStructure(array=array, did_open=documents, did_close=closed)
        self.change(types.NotebookDocumentCellChanges(structure=structure))

    def type(self, path: str, typed: str) -> None:
        change, document = self.typing(path, typed)
        content = types.NotebookDocumentCellContentChanges(document=document, changes=[change])
        self.change(types.NotebookDocumentCellChanges(text_content=[content]))

    def change(self, cells: types.NotebookDocumentCellChanges) -> None:
        self.client.notebook_document_did_change(
            types.DidChangeNotebookDocumentParams(
                notebook_document=types.VersionedNotebookDocumentIdentifier(uri=self.notebook, version=1),
                change=types.NotebookDocumentChangeEvent(cells=cells),
            )
        )

    def hide(self) -> None:
        """Close the notebook."""
        notebook = types.NotebookDocumentIdentifier(uri=self.notebook)
        documents = [self.document(name) for name in self.texts]
        self.client.notebook_document_did_close(
            types.DidCloseNotebookDocumentParams(notebook_document=notebook, cell_text_documents=documents)
        )


async def test_the_cells_of_a_notebook_are_one_file_of_the_project(shared: Editor) -> None:
    cells = Cells(shared.client, shared.workspace, shared.encoding)

    async def edges() -> int:
        return int((await shared.status())["folders"][0]["edges"])

    async def more_edges(wanted: int) -> None:
        async def are_there() -> bool:
            return await edges() == before + wanted

        await shared.until(are_there)

    async def prompt_tokens() -> int:
        return int((await cells.explain("new"))["last"]["prompt_tokens"])

    before = await edges()
    sizes = "def size(crate):\n    measured = crate.length * crate.depth + crate.lid\n    return measured\n"
    cells.show({"prose": "import main\n", "sizes": sizes, "new": "", "later": "import model\n"})
    await more_edges(1)
    assert "model.py" in await cells.context("new")
    cells.type("new", "def again(crate):\n    measured = crate.length * cra")
    assert "te.depth + crate.lid" in [item.insert_text for item in await cells.inline("new")]
    tokens = await prompt_tokens()

    cells.rearrange(0, [], {"imports": "import utils\n", "data": "# 😀 nothing to learn from\n" * 20})
    await more_edges(2)
    items = await cells.inline("new")
    assert [item.range for item in items] == [empty_at(cells.place("new"))] * len(items) != []
    assert await prompt_tokens() > tokens + 100
    cells.rearrange(1, ["data"], {})
    cells.type("imports", "import shapes\n")
    await more_edges(3)
    await cells.inline("new")
    assert await prompt_tokens() < tokens + 100
    cells.rearrange(0, ["imports"], {})
    await more_edges(1)

    cells.hide()
    assert await cells.inline("new") == []
    await more_edges(0)


# What goes wrong


async def test_a_cancelled_request_is_answered_and_the_server_goes_on(shared: Editor) -> None:
    shared.open("cancelled.py", FILES["shapes.py"] * 200 + TYPED)
    for wait in (0.0, 0.05):
        shared.type("cancelled.py", "\n\n" + TYPED)
        asked = shared.client.protocol.send_request_async(
            types.TEXT_DOCUMENT_INLINE_COMPLETION, shared.asking("cancelled.py"), msg_id=f"mine-{wait}"
        )
        await_answer = asyncio.ensure_future(asked)
        await asyncio.sleep(wait)
        shared.client.protocol.notify(types.CANCEL_REQUEST, types.CancelParams(id=f"mine-{wait}"))
        try:
            answer = await asyncio.wait_for(await_answer, WAIT_S)
        except JsonRpcException as error:
            assert error.code == types.LSPErrorCodes.RequestCancelled  # noqa: PT017
        else:
            assert isinstance(answer, types.InlineCompletionList)
    assert REST in [item.insert_text for item in await shared.inline("cancelled.py")]


async def test_invalid_parameters_neither_kill_nor_pop_up(shared: Editor) -> None:
    shared.open("invalid.py", TYPED)
    document, place = {"uri": shared.uri("invalid.py")}, {"line": 1, "character": 3}
    for params in (
        {"textDocument": document, "position": place, "context": {"triggerKind": 0}},
        {"textDocument": document, "position": place},
        {"textDocument": document, "position": {"line": -1, "character": 0}, "context": {"triggerKind": 1}},
        {},
        None,
    ):
        shared.raw(types.TEXT_DOCUMENT_INLINE_COMPLETION, params, id=f"invalid {params}")
    shared.raw("$/unknown", {"a": 1})
    shared.raw("textDocument/unknown", {"a": 1}, id="unknown")
    shared.raw(types.TEXT_DOCUMENT_DID_CHANGE, {"textDocument": document})
    shared.raw(types.TEXT_DOCUMENT_DID_OPEN, {"textDocument": {**document, "text": 7}})
    shared.raw(types.WORKSPACE_EXECUTE_COMMAND, {"command": "repofill.explain", "arguments": [{"a": 1}]}, id="explain")
    shared.raw(types.WORKSPACE_EXECUTE_COMMAND, {"command": "repofill.explain"}, id="explain nothing")
    assert REST in [item.insert_text for item in await shared.inline("invalid.py")]


async def test_a_killed_model_process_comes_back(project: Path, tmp_path: Path) -> None:
    async with editor(project, tmp_path) as one:
        one.open("new.py", FILES["shapes.py"] * 300 + TYPED)
        await one.inline("new.py")
        for typed in "pe":
            first = (await one.status())["engine"]["pid"]
            one.type("new.py", "\n\n" + TYPED + typed)
            asked = asyncio.create_task(one.inline("new.py"))
            await asyncio.sleep(0.02)
            os.kill(first, signal.SIGKILL)
            await asked

            async def answered(first: int = first) -> bool:
                await one.inline("new.py")
                engine, last = (await one.status())["engine"], (await one.explain("new.py"))["last"]
                return engine["pid"] not in (None, first) and last["prompt_tokens"] > 0

            await one.until(answered)
        assert one.said == []


@pytest.mark.parametrize("content", [None, b"GGUF"], ids=["missing", "broken"])
async def test_a_model_that_cannot_be_used_is_said_once_and_the_project_proposes(
    project: Path, tmp_path: Path, content: bytes | None
) -> None:
    """Until its file is another."""
    model = tmp_path / "own.gguf"
    if content is not None:
        model.write_bytes(content)
    async with editor(project, tmp_path, options={"model": {"path": str(model)}, **UNHURRIED}) as one:
        one.open("new.py", TYPED)
        for typed in "pe.":
            one.type("new.py", typed)
            offered = [item.insert_text for item in await one.inline("new.py")]
        assert "height + shape.border_thickness" in offered
        (message,) = one.said
        assert "own.gguf" in message
        assert "\n" not in message
        engine = (await one.status())["engine"]
        assert (engine["state"], engine["reason"]) == ("failed", message.removeprefix("repofill: "))
        model.write_bytes(bundled_model().read_bytes())
        assert "height + shape.border_thickness" in [item.insert_text for item in await one.inline("new.py")]
        assert (await one.status())["engine"]["state"] == "ready"


async def test_a_model_on_a_dead_mount_holds_up_nothing(project: Path, tmp_path: Path, dead_mount: Any) -> None:
    """The project proposes by the deadline, until the mount answers; nor does the end of the server wait for it."""
    settings = {"suggest": {"deadline_ms": 500, "min_confidence": 0}, "context": {"budget_tokens": 512}}
    for revived in (False, True):
        dead_mount.mark.touch()
        options = {"model": {"path": str(dead_mount.file)}, **settings}
        async with asyncio.timeout(WAIT_S), editor(project, tmp_path, options=options) as one:
            one.open("new.py", TYPED)
            for typed in "pe.":
                one.type("new.py", typed)
                async with asyncio.timeout(10.0):
                    offered = [item.insert_text for item in await one.inline("new.py")]
            assert "height + shape.border_thickness" in offered
            assert (await one.status())["engine"]["state"] == "starting"
            if revived:
                dead_mount.file.write_bytes(bundled_model().read_bytes())
                dead_mount.revive()

                async def is_loaded() -> bool:
                    return bool((await one.status())["engine"]["state"] == "ready")

                await one.until(is_loaded)
            assert one.said == []
            await asyncio.wait_for(one.client.shutdown_session(), WAIT_S)
            assert one.process.returncode == 0


async def test_a_server_that_is_away_is_said_once_and_the_project_proposes(project: Path, tmp_path: Path) -> None:
    """Nobody listens at the address; the lines of the project are there all the same."""
    options = {"model": {"path": "http://127.0.0.1:1"}, **UNHURRIED}
    async with editor(project, tmp_path, options=options) as one:
        one.open("new.py", TYPED)
        for typed in "pe.":
            one.type("new.py", typed)
            offered = [item.insert_text for item in await one.inline("new.py")]
            assert await one.context("new.py") == []
        assert "height + shape.border_thickness" in offered
        (message,) = one.said
        assert "http://127.0.0.1:1 does not answer" in message
        engine = (await one.status())["engine"]
        assert (engine["state"], "http://127.0.0.1:1" in engine["reason"]) == ("crashed", True)


async def test_a_server_of_another_kind_is_said_once(project: Path, tmp_path: Path) -> None:
    """Why it cannot be used; not that it would not answer. The project proposes."""
    web = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True).start()
    options = {"model": {"path": f"http://127.0.0.1:{web.server_port}"}, **UNHURRIED}
    async with editor(project, tmp_path, options=options) as one:
        one.open("new.py", TYPED)
        for typed in "pe.":
            one.type("new.py", typed)
            offered = [item.insert_text for item in await one.inline("new.py")]
        assert "height + shape.border_thickness" in offered
        (message,) = one.said
        assert "is not a llama-server" in message
        assert (await one.status())["engine"]["state"] == "failed"
    web.shutdown()
    web.server_close()


@pytest.mark.parametrize(("minutes", "seconds"), [(0, math.inf), (30, 1800)])
async def test_when_a_model_leaves_the_memory(minutes: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr("repofill.lsp_server.server.Engine", lambda *_, **given: made.append(given))
    make_engine(Settings(model=ModelSettings(idle_minutes=minutes)))
    assert made[0]["idle_s"] == seconds


async def test_nothing_is_kept_of_a_notification() -> None:
    """Of every keystroke, that would be."""
    protocol = build_server().protocol
    trace = types.SetTraceNotification(params=types.SetTraceParams(value=types.TraceValue.Off))

    def kept() -> int:
        return sum(issubclass(type(one), Future) for one in gc.get_objects())  # a lazy proxy would answer for itself

    before = kept()
    for _ in range(100):
        protocol.handle_message(trace)
    assert kept() <= before


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (types.WorkDoneProgressCreateResponse(id="", result=None), ["begin", "report", "end"]),
        (types.ResponseErrorMessage(id="", error=types.ResponseError(code=-32601, message="no")), []),
    ],
)
async def test_progress_is_shown_unless_the_client_refuses(answer: Any, expected: list[str]) -> None:
    server, sent = in_process()
    report = server.working("reading")
    await asyncio.sleep(0.01)
    answer.id = sent[-1]["id"]
    server.protocol.handle_message(answer)
    await asyncio.sleep(0.01)
    report("9 files")
    report(None)
    await asyncio.sleep(0.01)
    assert [message["params"]["value"]["kind"] for message in sent if message.get("method") == "$/progress"] == expected
    await server.session.close()


# Settings and clients


async def test_settings_of_every_layer_count_and_each_wrong_one_is_said_once(project: Path, tmp_path: Path) -> None:
    (project / "repofill.toml").write_text("suggest.max_items = 1\nsuggest.max_lines = 0\n")
    options = {"repofill": {"suggest": {"deadline_ms": 60_000, "max_items": "many"}}}
    pulled = {"suggest": {"min_confidence": -1, "max_items": "many", "disabled_languages": ["markdown"]}}
    async with editor(project, tmp_path, options=options, configuration=pulled) as one:
        one.open("notes.md", TYPED, "markdown")
        assert await one.inline("notes.md") == []
        one.open("new.py", TYPED)
        assert len(await one.inline("new.py")) <= 1
        one.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))
        await one.status()
        wrong = ("suggest.max_lines", "suggest.max_items", "suggest.min_confidence")
        assert [sum(f"repofill.{name} must be" in said for said in one.said) for name in wrong] == [1, 1, 1]
        assert len(one.said) == 3


async def test_the_settings_of_a_folder_count_while_it_is_there(project: Path, tmp_path: Path) -> None:
    (project / "repofill.toml").write_text("suggest.disabled_languages = ['markdown']\n")
    folder = types.WorkspaceFolder(uri=project.as_uri(), name="project")
    async with editor(None, tmp_path) as one:
        one.open("notes.md", f"{FILES['shapes.py']}\n\n{TYPED}", "markdown")
        assert await one.inline("notes.md") != []
        for added, removed in (([folder], []), ([], [folder])):
            event = types.WorkspaceFoldersChangeEvent(added=added, removed=removed)
            one.client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event=event))
            assert (await one.inline("notes.md") == []) == bool(added)


async def test_every_folder_has_settings_of_its_own(project: Path, tmp_path: Path) -> None:
    """As far as they are about its documents; a file that git ignores counts as well, as soon as it is written."""
    other = make_project(tmp_path / "other")
    (other / ".gitignore").write_text("repofill.toml\n")
    text = f"from model import Classifier\n\n\n{FILES['shapes.py']}\n\n{TYPED}"
    folder = types.WorkspaceFolder(uri=other.as_uri(), name="other")
    event = types.WorkspaceFoldersChangeEvent(added=[folder], removed=[])
    async with editor(project, tmp_path) as one:
        one.client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event=event))
        two = Editor(one.client, other, one.encoding)
        await one.ready()
        for there in (one, two):
            there.open("new.py", text)
            assert await there.inline("new.py") != []
            assert await there.context("new.py") != []
        (other / "repofill.toml").write_text("suggest.max_items = 1\ncontext.budget_tokens = 1\n")

        async def nothing_of_other_files() -> bool:
            return await two.context("new.py") == []

        await two.until(nothing_of_other_files)
        assert await one.context("new.py") != []
        (other / "repofill.toml").write_text("suggest.enabled = false\n")

        async def silent() -> bool:
            return await two.inline("new.py") == []

        await two.until(silent)
        assert await one.inline("new.py") != []


async def test_a_settings_file_counts_as_soon_as_it_is_written(project: Path, tmp_path: Path) -> None:
    async with editor(project, tmp_path) as one:
        one.open("notes.md", f"{FILES['shapes.py']}\n\n{TYPED}", "markdown")
        assert await one.inline("notes.md") != []
        (project / "repofill.toml").write_text("suggest.disabled_languages = ['markdown']\n")

        async def silent() -> bool:
            return await one.inline("notes.md") == []

        await one.until(silent)


async def test_another_model_is_loaded_once_the_one_before_is_gone(project: Path, tmp_path: Path) -> None:
    async with editor(project, tmp_path) as one:
        one.open("new.py", TYPED)
        await one.inline("new.py")
        first = (await one.status())["engine"]["pid"]
        os.kill(first, signal.SIGSTOP)  # it takes its time
        for threads in (1, 2):
            one.client.workspace_did_change_configuration(
                types.DidChangeConfigurationParams(settings={"repofill": {"model": {"threads": threads}}})
            )

        async def replaced() -> bool:
            return (await one.status())["engine"]["pid"] not in (None, first)

        await one.until(replaced)
        assert not Path(f"/proc/{first}").exists()
        assert REST in [item.insert_text for item in await one.inline("new.py")]


@pytest.mark.parametrize("folders", [True, False])
async def test_a_folder_whose_name_a_uri_must_escape(tmp_path: Path, folders: bool) -> None:
    project = make_project(tmp_path / "c# 100%?")
    (project / "new #2%20.py").write_text("import model\n")
    async with editor(project, tmp_path, folders=folders) as one:
        assert [Path(folder["root"]) for folder in (await one.status())["folders"]] == [project]
        one.open("new #2%20.py", "import model\n")
        assert await one.context("new #2%20.py") == ["utils.py", "model.py"]


async def test_a_client_that_knows_no_workspace_folders_has_its_root(project: Path, tmp_path: Path) -> None:
    async with editor(project, tmp_path, folders=False) as one:
        assert [Path(folder["root"]) for folder in (await one.status())["folders"]] == [project]


async def test_a_client_without_ghost_text_gets_one_menu_item_that_its_filter_keeps(
    project: Path, tmp_path: Path
) -> None:
    (project / "repofill.toml").write_text("suggest.disabled_languages = ['markdown']\n")
    async with editor(project, tmp_path, inline=False, encoding=types.PositionEncodingKind.Utf8) as one:
        line = "    x = '漢😀'; outline = shape.width * "
        one.open("menu.py", f"def 漢(shape):\n{line}shape.border\n    return x\n\n\ndef 字(shape):\n{line}sha")
        menu = await one.menu("menu.py")
        assert menu.is_incomplete
        (item,) = menu.items
        assert isinstance(item.text_edit, types.TextEdit)
        assert item.text_edit.new_text == item.filter_text == "shape.border"
        assert item.sort_text is not None
        assert item.sort_text < "0"
        end = one.place("menu.py")
        start = types.Position(line=end.line, character=end.character - len("sha"))
        assert item.text_edit.range == types.Range(start=start, end=end)
        one.open("notes.md", TYPED, "markdown")  # the workspace's own file counts without the client's settings
        assert not (await one.menu("notes.md")).items


# Its end, and its log


async def test_shutdown_and_exit_end_with_0_and_leave_a_log_without_source(project: Path, tmp_path: Path) -> None:
    async with editor(project, tmp_path) as one:
        one.open("new.py", TYPED)
        assert await one.inline("new.py")
        child = (await one.status())["engine"]["pid"]
        one.raw(types.TEXT_DOCUMENT_DID_CHANGE, {"textDocument": {"uri": TYPED}})
        one.raw(types.TEXT_DOCUMENT_INLINE_COMPLETION, {"position": TYPED}, id="invalid")
        await asyncio.wait_for(one.client.shutdown_session(), WAIT_S)
        assert one.process.returncode == 0
        assert not Path(f"/proc/{child}").exists()
    (log,) = tmp_path.rglob("repofill.log")
    for source in ("border_thickness", "shape.width", "def "):
        assert source not in log.read_text()


@pytest.mark.parametrize("opened", [True, False])
async def test_an_editor_that_does_not_wait_for_the_end_leaves_no_trouble_in_the_log(
    project: Path, tmp_path: Path, *, opened: bool
) -> None:
    async with editor(project, tmp_path) as one:
        if opened:
            one.open("new.py", TYPED)
        one.raw(types.SHUTDOWN, None, id="last")
        one.raw(types.EXIT, None)
        assert await asyncio.wait_for(one.process.wait(), WAIT_S) == 0
    (log,) = tmp_path.rglob("repofill.log")
    assert [line for line in log.read_text().splitlines() if " INFO " not in line] == []


async def test_commands_under_way_at_the_end_are_answered() -> None:
    """And so is the request to end."""
    server, sent = in_process()

    @server.command("wait")
    async def wait(ls: Server, *arguments: Any) -> None:
        await asyncio.Event().wait()

    for number in (2, 3, 4):
        params = types.ExecuteCommandParams(command="wait")
        server.protocol.handle_message(types.ExecuteCommandRequest(id=number, params=params))
    server.protocol.handle_message(types.ShutdownRequest(id=5))
    async with asyncio.timeout(WAIT_S):
        while sent[-1]["id"] != 5:
            await asyncio.sleep(0.01)
    cancelled = types.LSPErrorCodes.RequestCancelled
    assert [(message["id"], message["error"]["code"]) for message in sent[1:-1]] == [(n, cancelled) for n in (2, 3, 4)]
    assert sent[-1]["result"] is None


async def test_an_exit_without_shutdown_ends_with_1(project: Path, tmp_path: Path) -> None:
    """As the specification says; the model process ends, too."""
    async with editor(project, tmp_path) as one:
        one.open("new.py", TYPED)
        await one.inline("new.py")
        child = (await one.status())["engine"]["pid"]
        one.raw(types.EXIT, None)
        assert await asyncio.wait_for(one.process.wait(), WAIT_S) == 1
        assert not Path(f"/proc/{child}").exists()


async def test_an_editor_that_vanishes_leaves_no_process_behind(project: Path, tmp_path: Path) -> None:
    async with editor(project, tmp_path) as one:
        one.open("new.py", FILES["shapes.py"] * 300 + TYPED)
        await one.inline("new.py")
        child = (await one.status())["engine"]["pid"]
        one.type("new.py", "\n\n" + TYPED)
        one.client.protocol.send_request(types.TEXT_DOCUMENT_INLINE_COMPLETION, one.asking("new.py"))
        assert one.process.stdin is not None
        one.process.stdin.close()
        await asyncio.wait_for(one.process.wait(), WAIT_S)
        async with asyncio.timeout(WAIT_S):
            while Path(f"/proc/{child}").exists():
                await asyncio.sleep(0.05)
