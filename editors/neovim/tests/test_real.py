"""The real server with the bundled model, in each real Neovim: what a user sees and what the file then holds."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SERVER, Start, server_options
from editor import CHECKOUT, Nvim

SHAPES = "".join(
    f"def {name}(shape):\n    outline = shape.width * shape.height + shape.border\n    return outline\n\n\n"
    for name in ("first", "second", "third")
)
OTHERWISE = "def other(shape):\n    outline = shape.width + shape.height - shape.margin\n    return outline\n\n\n"
TYPED, REST = OTHERWISE + SHAPES + "def fourth(shape):\n    outline = shape.width * sha", "pe.height + shape.border"
"""A line that the file itself continues three times over, and once otherwise. Elsewhere a suggestion is what it is."""
SCRIPT = (
    "".join(
        f"function {name}(shape) {{\n"
        "  const outline = shape.width * shape.height + shape.border\n  return outline\n}\n\n"
        for name in ("first", "second", "third")
    )
    + "function fourth(shape) {\n  const outline = shape.width * sha"
)


STATUS = """
local server, bufnr = require('repofill.server'), vim.api.nvim_get_current_buf()
status = nil
return server.execute(bufnr, 'repofill.status', {}, function(answer) status = answer end) ~= nil
"""


REQUESTS = """
requests = { pending = 0, cancel = 0, complete = 0 }
vim.api.nvim_create_autocmd("LspRequest", {
  callback = function(args)
    local request = args.data.request
    if request.method == "textDocument/inlineCompletion" then
      requests[request.type] = requests[request.type] + 1
    end
  end,
})
"""


def status(nvim: Nvim) -> dict[str, Any]:
    """What the server says of itself, once it knows the current file."""
    nvim.until(lambda: nvim.lua(STATUS), "a server for the file")
    nvim.until(lambda: nvim.lua("return status ~= nil"), "an answer to repofill.status")
    return dict(json.loads(nvim.lua("return vim.json.encode(status)")))


def ready(nvim: Nvim) -> None:
    """Until the project is read and the model loaded: from then on an answer depends on nothing but the text."""

    def is_ready() -> bool:
        now = status(nvim)
        return bool(now["ready"] and now["folders"] and now["engine"]["state"] == "ready")

    nvim.until(is_ready, "the server is ready", wait_s=90)


def opened(start: Start, project: Path, text: str = TYPED, name: str = "a.py", **settings: object) -> tuple[Nvim, Path]:
    """A file that ends in `text` (bytes as they are), the cursor behind it in insert mode."""
    file = project / name
    file.write_bytes(text.encode())
    nvim = start(file, server_options(**settings))
    nvim.command("set nofixendofline")
    ready(nvim)
    nvim.press("G$a")
    return nvim, file


def written(nvim: Nvim, file: Path) -> str:
    """The file's bytes after leaving insert mode and saving, as text."""
    nvim.press("<Esc>")
    nvim.command("write")
    return file.read_bytes().decode()


def test_seen_and_accepted(start: Start, project: Path) -> None:
    """Ghost text behind the cursor; Tab makes it text; undo takes exactly that back, in one step."""
    nvim, file = opened(start, project)
    assert nvim.until_ghost() == REST
    assert nvim.screen.lines()[len(nvim.buffer) - 1] == "    outline = shape.width * sha" + REST
    assert nvim.buffer == TYPED.split("\n"), "ghost text is no text"
    nvim.press("<Tab>")
    assert nvim.buffer == (TYPED + REST).split("\n")
    nvim.type(" + 1")
    assert written(nvim, file) == TYPED + REST + " + 1"
    nvim.press("u")
    assert nvim.buffer == (TYPED + REST).split("\n")
    nvim.press("u")
    assert nvim.buffer == TYPED.split("\n")
    nvim.press("<C-r>")
    assert nvim.buffer == (TYPED + REST).split("\n")
    assert status(nvim)["accepted"] == 1


def test_word_line_and_cycle(start: Start, project: Path) -> None:
    """Words, then the rest of the line; other candidates in a ring."""
    nvim, file = opened(start, project)
    nvim.until_ghost(REST)
    nvim.press("<M-Right>")
    assert nvim.buffer[-1].endswith("* shape")
    assert nvim.ghost == REST[2:]
    nvim.press("<M-Right><M-Right>")
    assert nvim.buffer[-1].endswith("* shape.height")
    nvim.press("<M-C-Right>")
    assert written(nvim, file) == TYPED + REST
    nvim.press("uA")
    assert nvim.buffer[-1].endswith("* shape.height"), "a step of undo for each"
    first = nvim.until_ghost()
    stem = nvim.buffer[-1]
    seen = [first]
    for _ in range(3):
        nvim.press("<M-]>")
        seen.append(nvim.ghost)
        if seen[-1] == first:
            break
    assert len(seen) > 2, seen
    assert seen[-1] == first, seen
    nvim.press("<M-[>")
    assert nvim.ghost == seen[-2]
    nvim.press("<Tab>")
    assert nvim.buffer[-1] == stem + seen[-2]


@pytest.mark.parametrize(
    ("name", "file_format", "text"),
    [
        ("crlf.py", "dos", TYPED.replace("\n", "\r\n")),
        ("mac.py", "mac", TYPED.replace("\n", "\r")),
        ("multibyte.py", "unix", SHAPES + "# Größe 界 👍🏽\ndef 長(shape):\n    outline = shape.width * sha"),
        ("behind.py", "unix", SHAPES + '長 = "👍🏽"; outline = shape.width * sha'),
        ("tabs.py", "unix", TYPED.replace("    ", "\t")),
        ("other.ts", "unix", SCRIPT),
    ],
)
def test_bytes(start: Start, project: Path, name: str, file_format: str, text: str) -> None:
    """The file holds what it held plus what the screen showed, to the byte."""
    file = project / name
    file.write_bytes(text.encode())
    nvim = start(None, server_options())
    nvim.command("set nofixendofline fileformats=unix,dos,mac")
    nvim.command(f"edit ++ff={file_format} {file}")
    ready(nvim)
    nvim.press("G$a")
    shown = nvim.until_ghost()
    nvim.press("<Tab>")
    assert written(nvim, file) == text + shown


def test_crlf_over_lines(start: Start, project: Path) -> None:
    """A block accepted in a CRLF file has CRLF line ends."""
    body = "class Box:\n    def area(self):\n        total = self.width * self.height\n        return total\n"
    text = body + "\n\nclass Crate:\n    def area(self):"
    (project / "shapes.py").write_text(body)
    nvim, file = opened(start, project, text.replace("\n", "\r\n"))
    assert nvim.call("nvim_get_option_value", "fileformat", {}) == "dos"
    ghost = nvim.until_ghost()
    nvim.press("<Tab>")
    got = written(nvim, file)
    assert got.startswith(text.replace("\n", "\r\n"))
    assert len(got) > len(text) + text.count("\n")
    assert "\n" in ghost, "the block opens, so the suggestion has lines"
    assert "\n" in got[len(text) + text.count("\n") :]
    assert re.fullmatch(r"(?:[^\r\n]|\r\n)*", got), "no line end but CRLF"


def test_typed_through(start: Start, project: Path) -> None:
    """What is typed as suggested stays on the screen without a flicker, and nothing is asked meanwhile."""
    nvim, file = opened(start, project)
    rest = nvim.until_ghost()
    assert len(rest) > 3
    nvim.settle()
    frame = len(nvim.screen.frames)
    row = len(nvim.buffer) - 1
    for letter in rest[:-1]:
        nvim.type(letter)
        nvim.settle()
    assert nvim.ghost == rest[-1]
    frames = nvim.screen.frames[frame:]
    assert len(frames) >= len(rest) - 1
    assert {lines[row] for lines, _ in frames} == {"    outline = shape.width * sha" + rest}, "the whole line, always"
    nvim.press("<Tab>")
    assert written(nvim, file) == TYPED + rest


def test_typing_fast_cancels(start: Start, project: Path) -> None:
    """Requests that the next key makes pointless are cancelled; every one comes to an end, and what is shown at last is
    for the text at last."""
    head, line = OTHERWISE + SHAPES + "def fourth(shape):\n    ", "outline = shape.width * sha"
    nvim, file = opened(start, project, head)
    nvim.lua(REQUESTS)
    server = server_of(nvim)
    os.kill(server, signal.SIGSTOP)  # so that no answer comes before the next key
    for key in line:
        nvim.type(key)
        time.sleep(0.05)
    os.kill(server, signal.SIGCONT)
    shown = nvim.until_ghost(REST)
    nvim.until(lambda: nvim.lua("return requests.complete == requests.pending"), "an end of every request")
    asked, cancelled = nvim.lua("return { requests.pending, requests.cancel }")
    assert asked > 3
    assert 0 < cancelled < asked
    nvim.press("<Tab>")
    assert written(nvim, file) == head + line + shown


def test_dismiss_and_toggle(start: Start, project: Path) -> None:
    """Dismissed until the next letter, then off in this buffer, then on again."""
    nvim, _ = opened(start, project)
    nvim.until_ghost()
    nvim.press("<C-]>")
    nvim.stays(lambda: not nvim.ghost, "a dismissed suggestion is gone")
    nvim.type("p")
    nvim.until_ghost()
    nvim.press("<Cmd>Repofill toggle buffer<CR>")
    assert not nvim.ghost
    assert nvim.lua("return require('repofill').statusline()") == "repofill off"
    nvim.press("<Tab><BS>")
    assert nvim.buffer[-1].startswith("    outline = shape.width * shap"), "then Tab is Tab"
    nvim.press("<Cmd>Repofill toggle buffer<CR>e")
    nvim.until_ghost()


def children(pid: int) -> list[int]:
    """The processes below one, from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == pid:
                found.append(int(entry.name))
                found.extend(children(int(entry.name)))
    return found


def is_server(pid: int) -> bool:
    try:
        return b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def server_of(nvim: Nvim) -> int:
    found: list[int] = nvim.until(
        lambda: [pid for pid in children(nvim.process.pid) if is_server(pid)], "a server process"
    )
    return found[0]


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_killed_and_back(start: Start, project: Path) -> None:
    """A killed server takes its ghost text with it, disturbs nobody, and suggests again; killed over and over it is
    left alone until :Repofill restart."""
    nvim, _ = opened(start, project)
    nvim.until_ghost()
    os.kill(server_of(nvim), signal.SIGKILL)
    nvim.until_no_ghost()
    nvim.press("p")
    assert nvim.buffer[-1].endswith("* shap")
    nvim.until_ghost()
    for _ in range(2):
        os.kill(server_of(nvim), signal.SIGKILL)
        nvim.until_no_ghost()
        nvim.lua("vim.wait(700)")
    nvim.press("<BS>")
    assert nvim.mode == "i"
    assert "keeps ending" not in nvim.text, "nobody who types is disturbed"
    nvim.press("<Esc>")
    nvim.until(lambda: "keeps ending (signal 9)" in nvim.text, "one line says so")
    nvim.press("A<Cmd>Repofill restart<CR>p")
    nvim.until_ghost()


def test_nothing_is_left_behind(start: Start, project: Path) -> None:
    """Quitting ends the server and its model process, and does not wait for them."""
    nvim, _ = opened(start, project)
    nvim.until_ghost()
    processes = children(nvim.process.pid)
    assert len(processes) >= 2
    nvim.type("<Esc>:qall!<CR>")
    assert nvim.process.wait(10) == 0
    for pid in processes:
        nvim.until(lambda pid=pid: not alive(pid), f"{pid} ended")


def test_model_missing(start: Start, project: Path) -> None:
    """One message, on one line, that does not stop the typist; the rest under :Repofill status."""
    file = project / "a.py"
    file.write_text(TYPED)
    gone = "/nowhere/" + "deep/" * 20 + "model.gguf"
    options = f"{{ cmd = {{ '{SERVER}', 'serve' }}, settings = {{ model = {{ path = '{gone}' }} }} }}"
    nvim = start(file, options)
    nvim.press("G$a")
    nvim.until(lambda: nvim.lua("return #require('repofill.server').said > 0"), "a message")
    nvim.press("p")
    nvim.press("e")
    nvim.stays(lambda: nvim.mode == "i", "typing goes on")
    assert nvim.buffer[-1].endswith("* shape")
    said = nvim.lua("return require('repofill.server').said")
    assert len(said) == 1, said
    assert gone in said[0]
    nvim.press("<Esc>")
    nvim.until(lambda: "repofill: /nowhere/deep/" in nvim.text, "the message, as insert mode is left")
    nvim.settle()
    nvim.command("Repofill status")
    nvim.until(lambda: any(gone in line for line in nvim.buffer), "the whole message")


def test_server_missing(start: Start, project: Path, tmp_path: Path) -> None:
    """Without a server there is one line that says how to get it, and an editor as before."""
    file = project / "a.py"
    file.write_text(TYPED)
    nvim = start(file, "{ cmd = { 'no-such-repofill', 'serve' } }")
    nvim.until(lambda: "`no-such-repofill` cannot be run (:help repofill-install)" in nvim.text, "the whole line")
    nvim.press("G$ape<Tab>")
    assert nvim.buffer[-1].lstrip().startswith("outline = shape.width * shape")
    nvim.command(f"edit {project / 'shapes.py'}")
    assert len(nvim.lua("return require('repofill.server').said")) == 1
    assert nvim.lua("return require('repofill').statusline()") == "repofill missing"


def test_found_on_path(start: Start, project: Path, tmp_path: Path) -> None:
    """`repofill` of PATH comes before the checkout's own."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "repofill").symlink_to(SERVER)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    nvim = start(None, "{}", path=path)
    assert nvim.lua("return require('repofill.server').find()") == str(tmp_path / "bin" / "repofill")
    (tmp_path / "bin" / "repofill").unlink()
    assert nvim.lua("return require('repofill.server').find()") == str(CHECKOUT / ".venv" / "bin" / "repofill")


def test_commands(start: Start, project: Path) -> None:
    """:Repofill status, explain, models and log show what they should."""
    nvim, _ = opened(start, project)
    nvim.until_ghost()
    shows: list[tuple[str, Callable[[str], object]]] = [
        ("status", lambda page: "suggestions here: on" in page and str(project) in page and "repofill-small" in page),
        ("explain", lambda page: "tokens of other files" in page and "the last answer, by repofill-small" in page),
        ("models", lambda page: "repofill-small" in page),
        ("log", lambda page: True),
    ]
    nvim.press("<Esc>")
    for name, holds in shows:
        nvim.command(f"Repofill {name}")
        nvim.until(lambda name=name: len(nvim.call("nvim_list_wins")) == 2, f"a window for {name}")
        page = "\n".join(nvim.buffer)
        assert holds(page), page
        nvim.command("close")
    for name, holds in shows[:2] * 2:  # each from the page before
        nvim.command(f"Repofill {name}")
        nvim.until(lambda name=name: f"://{name}/" in nvim.call("nvim_buf_get_name", 0), f"a page for {name}")
        assert holds("\n".join(nvim.buffer)), nvim.buffer
    assert len(nvim.call("nvim_list_wins")) == 2
    nvim.command("Repofill nonsense")
    assert "there is no :Repofill nonsense" in nvim.command("messages")
    assert nvim.call("nvim_get_mode")["mode"] == "n"


def test_statusline(start: Start, project: Path) -> None:
    """Model, then milliseconds; kept up to date on the screen while typing."""
    nvim, _ = opened(start, project)
    nvim.command("set laststatus=2 statusline=[%{v:lua.require'repofill'.statusline()}]")
    nvim.until_ghost()
    nvim.until(lambda: re.search(r"\[repofill-small \d+ ms\]", nvim.text), "model and latency")


def test_health(start: Start, project: Path) -> None:
    """:checkhealth finds the server, lets it examine itself, and complains of nothing."""
    nvim, _ = opened(start, project)
    nvim.until_ghost()
    nvim.press("<Esc>")
    nvim.command("checkhealth repofill")
    page = "\n".join(nvim.buffer)
    assert str(SERVER) in page
    assert "model" in page
    assert "doctor" in page
    assert not re.search("ERROR|WARNING", page), page


def test_help(start: Start, project: Path) -> None:
    """The manual has its tags, and every option is in it."""
    nvim = start(None, server_options())
    doc = CHECKOUT / "editors" / "neovim" / "doc"
    nvim.command(f"helptags {doc}")
    (doc / "tags").unlink()
    manual = (doc / "repofill.txt").read_text()
    for option in nvim.lua("return vim.tbl_keys(require('repofill.config').options)"):
        assert f"*repofill-{option}*" in manual, option
    for action in nvim.lua("return vim.tbl_keys(require('repofill.config').options.keys)"):
        assert f"<Plug>(repofill-{action.replace('_', '-')})" in manual, action


def test_several_projects(start: Start, project: Path, tmp_path: Path) -> None:
    """Files of another project join the same server, one model for all; the last one takes its project along."""
    nvim, _ = opened(start, project)
    nvim.until_ghost()
    other = tmp_path / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text("")
    (other / "b.py").write_text("x = 1\n")
    nvim.press("<Esc>")
    nvim.command(f"edit! {other / 'b.py'}")

    def folders() -> set[Path]:
        return {Path(folder["root"]) for folder in status(nvim)["folders"]}

    nvim.until(lambda: folders() == {project, other}, "two folders")
    assert nvim.lua("return #vim.lsp.get_clients()") == 1
    nvim.command(f"edit {other / 'c.py'}")
    nvim.command("bwipeout b.py | buffer a.py")
    assert folders() == {project, other}
    nvim.command("bwipeout c.py")
    nvim.until(lambda: folders() == {project}, "one folder")
    nvim.command("bwipeout! a.py")
    nvim.command(f"edit {project / 'a.py'}")
    nvim.command("bwipeout")
    nvim.command(f"edit {other / 'b.py'}")
    nvim.until(lambda: folders() == {other}, "the other folder")
