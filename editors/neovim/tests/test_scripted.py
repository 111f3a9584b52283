"""The plugin against a server that answers as a script says: late, in the wrong order, differently each time."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import HERE, Start
from editor import PLUGIN, Nvim, NvimError

from repofill.context.languages import BY_NAME
from repofill.lsp_server.cli import PROJECT_MARKS, project_around

PROPERTY_STEPS, PROPERTY_ACCEPTED = 120, 8
BUFFER_AND_CURSOR = "return { vim.api.nvim_buf_get_lines(0, 0, -1, false), vim.api.nvim_win_get_cursor(0) }"


class Script:
    """What the scripted server is to do, and what it noted."""

    def __init__(self, folder: Path) -> None:
        self.file, self.log = folder / "script.json", folder / "log"
        self.log.touch()
        self.set(answers=[[]])

    def set(self, **plan: Any) -> None:
        temporary = self.file.with_suffix(".new")
        temporary.write_text(json.dumps({"log": str(self.log), **plan}))
        temporary.rename(self.file)

    @property
    def options(self) -> str:
        command = ", ".join(repr(str(part)) for part in (sys.executable, HERE / "scripted_server.py", self.file))
        return f"{{ cmd = {{ {command} }}, filetypes = {{ '*' }} }}"

    def noted(self, event: str) -> list[dict[str, Any]]:
        notes = (json.loads(line) for line in self.log.read_text("utf-8").splitlines())
        return [note for note in notes if note["event"] == event]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


Edit = Callable[..., Nvim]


@pytest.fixture
def edit(start: Start, script: Script, tmp_path: Path) -> Edit:
    """Neovim with the scripted server, at the end of a file in insert mode."""

    def begin(text: str = "", *, before: str = "", name: str = "a.txt", **more: Any) -> Nvim:
        file = tmp_path / name
        file.write_bytes(text.encode())
        nvim = start(file, script.options, before=before, **more)
        nvim.command("set nofixendofline noautoindent formatoptions= noexpandtab nosmarttab tabstop=4")
        nvim.until(
            lambda: nvim.lua("return require('repofill.server').client_of(vim.api.nvim_get_current_buf()) ~= nil"),
            "a server for the file",
        )
        nvim.press("G$a")
        return nvim

    return begin


def test_the_server_is_told_where_the_cursor_rests(edit: Edit, script: Script) -> None:
    """In normal mode, and once for many movements; what is typed is asked about anyway."""
    nvim = edit("one\nt\u00e9o two\nthree")
    nvim.press("x<Esc>")
    for keys in ("gg", "j", "$"):
        nvim.press(keys)

    def rested() -> list[dict[str, int]]:
        return [
            note["arguments"][0]["position"] for note in script.noted("command") if note["name"] == "repofill.cursor"
        ]

    nvim.until(lambda: rested()[-1:] == [{"line": 1, "character": 6}], "where the cursor rests")
    assert len(rested()) <= 2
    nvim.press("ihello")
    time.sleep(0.5)
    assert rested()[-1] == {"line": 1, "character": 6}


def test_typing_fast_cancels(edit: Edit, script: Script) -> None:
    """A superseded request is cancelled; at the end the one answer counts that belongs to the text."""
    script.set(**{"continue": "alphabet soup"}, delay_ms=[150, 150])
    nvim = edit()
    for letter in "alphabe":
        nvim.type(letter)
        time.sleep(0.06)
    nvim.until_ghost("t soup")
    requests, cancels, answers = (len(script.noted(event)) for event in ("request", "cancel", "answer"))
    assert requests >= 3
    assert answers + cancels >= requests, "every request came to an end"
    assert cancels >= requests - 2, "nearly all of them by cancelling"
    for lines, _ in nvim.screen.frames:
        assert "alphabet soup".startswith(lines[0]), lines[0]


def test_late_answers_are_dropped(edit: Edit, script: Script) -> None:
    """An answer for a text that has moved on is never seen, also when the server ignores cancelling."""
    script.set(answers=[["LATE"], []], delay_ms=[200, 200])
    nvim = edit("x")
    nvim.until(lambda: script.noted("request"), "a request")
    nvim.lua("vim.lsp.get_clients()[1].cancel_request = function() return true end")
    nvim.press("y")
    nvim.until(lambda: len(script.noted("answer")) >= 2, "both answers")
    nvim.settle()
    assert not any("LATE" in row for lines, _ in nvim.screen.frames for row in lines)


def test_typed_otherwise(edit: Edit, script: Script) -> None:
    """Ghost text that was not followed is gone with the letter, and cannot be accepted while the next answer is out."""
    script.set(answers=[["suggestion"]])
    nvim = edit()
    nvim.until_ghost("suggestion")
    script.set(answers=[["never"]], delay_ms=[60_000, 60_000])
    frame = len(nvim.screen.frames)
    nvim.press("sux")
    assert not nvim.ghost
    assert not any(re.match("su?xg", lines[0]) for lines, _ in nvim.screen.frames[frame:])
    nvim.press("<Tab>y")
    assert nvim.buffer == ["sux\ty"]


def test_keys_ahead_of_the_screen(edit: Edit, script: Script) -> None:
    """Letters and Tab in one breath: Tab goes by what has been typed, not by what was last drawn."""
    script.set(answers=[["suggestion"]])
    nvim = edit()
    nvim.until_ghost("suggestion")
    script.set(answers=[[]])
    nvim.press("sug<Tab>!")
    assert nvim.buffer == ["suggestion!"]
    nvim.press("<C-u>")
    script.set(answers=[["suggestion"]])
    nvim.press("a<BS>")
    nvim.until_ghost("suggestion")
    script.set(answers=[[]])
    nvim.press("sux<Tab>!")
    assert nvim.buffer == ["sux\t!"]
    nvim.press("<C-u>")
    script.set(answers=[["alpha", "beta"]])
    nvim.press("a<BS>")
    nvim.until_ghost("alpha")
    script.set(answers=[[]])
    nvim.press("be<Tab>!")
    assert nvim.buffer == ["be\t!"], "a candidate that was not seen is not accepted"


def test_lines_typed_through(edit: Edit, script: Script) -> None:
    """Enter and the indentation that Neovim adds by itself count as typed; Backspace brings back what was suggested."""
    script.set(answers=[["if x:\n    return y\nend"]])
    nvim = edit()
    nvim.command("set autoindent")
    nvim.until_ghost()
    assert nvim.screen.lines()[:3] == ["if x:", "    return y", "end"]
    script.set(answers=[["WRONG"]])
    nvim.press("if x:<CR>    ret")
    assert nvim.ghost == "urn y\nend"
    nvim.press("<BS><BS>")
    assert nvim.ghost == "eturn y\nend"
    nvim.press("eturn y<CR><BS>")
    nvim.press("<Tab>")
    assert nvim.buffer in (["if x:", "    return y", "end"], ["if x:", "    return y", "   \t"]), nvim.buffer


def test_text_behind_the_cursor(edit: Edit, script: Script) -> None:
    """What stands behind the cursor is shown where it will stand: after the last line of the suggestion."""
    script.set(answers=[["one(\n\ttwo"]])
    nvim = edit("f()")
    nvim.press("<Left>x")
    nvim.until_ghost()
    assert nvim.screen.lines()[:2] == ["f(xone(", "    two)"]
    nvim.press("<Tab>")
    assert nvim.buffer == ["f(xone(", "\ttwo)"]
    assert nvim.screen.lines()[:2] == ["f(xone(", "    two)"]
    assert nvim.call("nvim_win_get_cursor", 0) == [2, 4]


@pytest.mark.parametrize(
    ("before", "suggested", "shown"),
    [
        ("\tx", "\ty\tz", "    x   y   z"),
        ("界", "\té", "界  é"),
        ("", "a\x1b[0mb", "a^[[0mb"),
        ("x", "👍🏽 ok", "x👍🏽 ok"),
    ],
)
def test_drawn_as_it_will_stand(edit: Edit, script: Script, before: str, suggested: str, shown: str) -> None:
    """Tabs, wide and control characters look as ghost text as they will look as text."""
    script.set(answers=[[suggested]])
    nvim = edit(before)
    nvim.until_ghost()
    assert nvim.screen.lines()[0] == shown
    script.set(answers=[[]])
    nvim.press("<Tab>")
    nvim.until_no_ghost()
    assert nvim.buffer == [before + suggested]
    assert nvim.screen.lines()[0] == shown


def test_repeated(edit: Edit, script: Script) -> None:
    """What was accepted is part of what was inserted: for ".", for a count, and in a block."""
    script.set(**{"continue": "alphabet soup"})
    nvim = edit()
    nvim.press("alp")
    nvim.until_ghost("habet soup")
    nvim.press("<M-Right>")
    nvim.until_ghost(" soup")
    nvim.press("<Tab>!<Esc>o<Esc>")
    nvim.press("2Aal")
    nvim.until_ghost("phabet soup")
    nvim.press("<Tab>!<Esc>")
    assert nvim.buffer == ["alphabet soup!", "alphabet soup!alphabet soup!"]
    nvim.press("Sa")
    nvim.until_ghost("lphabet soup")
    nvim.press("<Tab>!<Esc>k.")
    assert nvim.buffer == ["alphabet soup!"] * 2
    nvim.press("0<C-v>jIal")
    nvim.until_ghost("phabet soup")
    nvim.press("<Tab> <Esc>")
    assert nvim.buffer == ["alphabet soup alphabet soup!"] * 2


def test_recorded(edit: Edit, script: Script) -> None:
    """A macro is recorded without suggestions, and does the same when it is played."""
    script.set(**{"continue": "alphabet soup"})
    nvim = edit()
    nvim.until_ghost("alphabet soup")
    nvim.press("<Esc>qaoalp")
    nvim.stays(lambda: not nvim.ghost, "none is shown", for_s=0.2)
    nvim.press("<M-]><Tab>!<Esc>q@aSalp")
    nvim.until_ghost("habet soup")
    nvim.press("<Esc>u")
    assert nvim.buffer == ["", "alp\t!", "alp\t!"]


def test_asking_by_hand(edit: Edit, script: Script) -> None:
    """The key for the next candidate asks where none is shown, and says that the user did."""
    script.set(answers=[[], ["one", "two", "three"]])
    nvim = edit("x")
    nvim.until(lambda: len(script.noted("answer")) == 1, "an answer")
    nvim.press("<M-]>")
    nvim.until_ghost("one")
    assert script.noted("request")[-1]["kind"] == 1
    for key, ghost in (("<M-]>", "two"), ("<M-]>", "three"), ("<M-]>", "one"), ("<M-[>", "three")):
        nvim.press(key)
        assert nvim.ghost == ghost
    nvim.press("t")
    assert nvim.ghost == "hree"
    nvim.press("<M-[>")
    assert nvim.ghost == "wo", "only candidates that begin with what was typed"
    nvim.press("<Tab>")
    assert nvim.buffer == ["xtwo"]
    nvim.until(lambda: any(n["name"] == "repofill.accepted" for n in script.noted("command")), "the server is told")


def test_the_native_menu_has_its_keys(edit: Edit, script: Script) -> None:
    """While the menu is open there is no ghost text and Tab is the menu's; afterwards it is back."""
    script.set(answers=[["ghost"]])
    nvim = edit("apple apricot a", before="vim.keymap.set('i', '<Tab>', function() return "
                "vim.fn.pumvisible() == 1 and '<C-n>' or '<Tab>' end, { expr = true })")  # fmt: skip
    nvim.until_ghost("ghost")
    nvim.command("set completeopt=menuone,noselect")
    nvim.press("<C-x><C-n>")
    nvim.until(lambda: "apricot" in nvim.screen.lines()[1] + nvim.screen.lines()[2], "the menu")
    nvim.until_no_ghost()
    nvim.press("<Tab>")
    assert nvim.buffer == ["apple apricot apple"] or nvim.buffer == ["apple apricot apricot"]
    chosen = nvim.buffer[0]
    nvim.press("<C-y>")
    nvim.until_ghost("ghost")
    nvim.press("<Tab>")
    assert nvim.buffer == [chosen + "ghost"]


MENUS = {
    "nvim-cmp": """
        local listeners = {}
        package.loaded['cmp'] = {
          visible = function() return _G.open end,
          event = { on = function(_, name, f) listeners[name] = f end },
        }
        function _G.menu(open) _G.open = open; listeners[open and 'menu_opened' or 'menu_closed']() end
    """,
    "blink.cmp": """
        package.loaded['blink.cmp'] = { is_visible = function() return _G.open end }
        function _G.menu(open)
          vim.api.nvim_exec_autocmds('User', { pattern = open and 'BlinkCmpMenuOpen' or 'BlinkCmpMenuClose' })
          _G.open = open
        end
    """,
}


@pytest.mark.parametrize("menu", MENUS)
def test_menus_of_plugins(edit: Edit, script: Script, menu: str) -> None:
    """The same for the menus of plugins, played here by the functions and events of theirs that we use."""
    script.set(answers=[["ghost"]])
    nvim = edit("x", before="_G.open = false\n" + MENUS[menu])
    nvim.until_ghost("ghost")
    nvim.lua("menu(true)")
    nvim.until_no_ghost()
    nvim.press("<Tab>")
    assert nvim.buffer == ["x\t"]
    nvim.lua("menu(false)")
    nvim.until_ghost("ghost")
    nvim.press("<Tab>")
    assert nvim.buffer == ["x\tghost"]


def test_drawn_once(edit: Edit, script: Script) -> None:
    """Where Neovim's own inline completion is enabled as well, it leaves our suggestions to us."""
    script.set(answers=[["ghost"]])
    nvim = edit("x", before="if vim.lsp.inline_completion then vim.lsp.inline_completion.enable() end")
    nvim.until_ghost("ghost")
    nvim.press("y")
    nvim.until_ghost("ghost")
    nvim.stays(lambda: nvim.ghost == "ghost", "drawn once")


def test_a_snippet_has_tab(edit: Edit, script: Script) -> None:
    """Tab goes to a snippet's next place; the other keys still accept."""
    script.set(answers=[["ghost"]])
    nvim = edit(before="vim.keymap.set('i', '<Tab>', function() return vim.snippet.active({ direction = 1 }) and "
                "'<Cmd>lua vim.snippet.jump(1)<CR>' or '<Tab>' end, { expr = true })")  # fmt: skip
    nvim.lua("vim.snippet.expand('f($1, $2)$0')")
    nvim.press("x")
    nvim.until_ghost("ghost")
    nvim.press("<Tab>y")
    assert nvim.buffer == ["f(x, y)"]
    nvim.until_ghost("ghost")
    nvim.press("<M-C-Right>")
    assert nvim.buffer == ["f(x, yghost)"]


@pytest.mark.parametrize("scope", ["buffer", "filetype", "globally"])
def test_toggle(edit: Edit, script: Script, scope: str) -> None:
    """Switched off, ghost text is gone and nothing is asked; switched on, it is back."""
    script.set(answers=[["ghost"]])
    nvim = edit()
    for _ in range(2):
        nvim.until_ghost("ghost")
        nvim.press(f"<Cmd>Repofill toggle {scope}<CR>")
        assert not nvim.ghost
        assert nvim.lua("return require('repofill').statusline()") == "repofill off"
        asked = len(script.noted("request"))
        nvim.press("ab<M-]>")
        nvim.stays(lambda: not nvim.ghost, "nothing while it is off", for_s=0.2)
        assert len(script.noted("request")) == asked
        nvim.press("<Esc>a" if nvim.mode == "i" else "a")
        nvim.press(f"<Cmd>Repofill toggle {scope}<CR>")
        assert nvim.lua("return require('repofill').statusline()").startswith("scripted")
        nvim.press("x")


def test_keys_do_what_they_did(edit: Edit, script: Script) -> None:
    """Without a suggestion a key does what it was mapped to before, by whatever kind of mapping; a second setup{} maps
    others and gives the first ones back."""
    nvim = edit(before="vim.keymap.set('i', '<Tab>', 'plain'); vim.g.n = 0\n"
                "vim.keymap.set('i', '<C-]>', function() vim.g.n = vim.g.n + 1 end)")  # fmt: skip
    nvim.press("<Tab><C-]>")
    assert (nvim.buffer, nvim.lua("return vim.g.n")) == (["plain"], 1)
    options = script.options.replace("{ cmd", "{ keys = { accept = '<C-l>', dismiss = false }, cmd")
    nvim.lua(f"require('repofill').setup({options})")
    nvim.press("<Tab><C-]>")
    assert (nvim.buffer, nvim.lua("return vim.g.n")) == (["plainplain"], 2)
    script.set(answers=[["ghost"]])
    nvim.press("x")
    nvim.until_ghost("ghost")
    nvim.press("<Tab>")
    assert nvim.buffer == ["plainplainxplain"]
    nvim.until_ghost("ghost")
    nvim.press("<C-l>")
    assert nvim.buffer == ["plainplainxplainghost"]
    assert "repofill" not in nvim.command("imap <C-]>")


def test_keys_that_name_themselves(edit: Edit, script: Script) -> None:
    """A mapping of before that ends in its own key, as LuaSnip and vsnip advise it: that is the bare key."""
    nvim = edit(before="vim.cmd([[imap <expr> <Tab> get(g:, 'jumps') ? '<Plug>(jump)' : '<Tab>'\n"
                "inoremap <Plug>(jump) J\nimap <C-]> <C-]>d]])")  # fmt: skip
    nvim.press("<Tab><Tab>x<C-]><C-]>")
    assert nvim.buffer == ["\t\txdd"]
    script.set(answers=[["ghost"]])
    nvim.command("let g:jumps = 1")
    nvim.press("<Tab>")
    nvim.until_ghost("ghost")
    nvim.press("<Tab><Tab>")
    assert nvim.buffer == ["\t\txddJghostJ"]


def test_set_up_again(edit: Edit, script: Script) -> None:
    """After somebody else took a mapping away, and by a plugin manager that loads the modules anew."""
    nvim = edit(before="vim.keymap.set('i', '<Tab>', 'plain')")
    nvim.lua("vim.keymap.del('i', '<C-]>')")
    for again in (
        "",
        "for name in pairs(package.loaded) do if name:match('^repofill') then package.loaded[name] = nil end end\n",
    ):
        nvim.lua(f"{again}require('repofill').setup({script.options})")
        nvim.press("<Tab>")
    assert nvim.buffer == ["plainplain"]
    nvim.lua("require('repofill').setup({ keys = { accept = false } })")
    nvim.press("<Tab>")
    assert nvim.buffer == ["plainplainplain"]
    assert "repofill" not in nvim.command("imap <Tab>")


def test_a_part_that_there_is_not(edit: Edit, script: Script) -> None:
    """It is an error: it was typed into the file."""
    script.set(answers=[["ghost"]])
    nvim = edit()
    nvim.until_ghost("ghost")
    with pytest.raises(NvimError, match="there is no accept_words"):
        nvim.lua("require('repofill').accept('words')")
    nvim.settle()
    assert nvim.buffer == [""]


def test_ended_on_purpose(edit: Edit, script: Script, version: str, tmp_path: Path) -> None:
    """A server that somebody stops stays away until a file is opened; one that Neovim 0.12 restarts is asked."""
    script.set(answers=[["ghost"]])
    nvim = edit()
    clients = "return #vim.lsp.get_clients()"
    nvim.until_ghost("ghost")
    nvim.press("<Esc>")
    nvim.lua("vim.lsp.stop_client(vim.lsp.get_clients())")
    nvim.until(lambda: nvim.lua(clients) == 0, "no server")
    nvim.stays(lambda: nvim.lua(clients) == 0, "none is started", for_s=0.8)
    nvim.command(f"edit {tmp_path / 'b.txt'}")
    nvim.press("a")
    nvim.until_ghost("ghost")
    nvim.press("<Esc>")
    if version != "0.10":
        ready = "return (require('repofill.server').client_of(vim.api.nvim_get_current_buf()) or {}).id"
        before = nvim.lua(ready)
        nvim.command("lsp restart")
        nvim.until(lambda: nvim.lua(ready) not in (None, before), "another client")
    nvim.command(f"edit {tmp_path / 'c.txt'}")
    nvim.press("a")
    nvim.until_ghost("ghost")
    assert nvim.lua("return { #vim.lsp.get_clients(), #require('repofill.server').said }") == [1, 0]


def test_switched_on_everywhere(edit: Edit, script: Script, tmp_path: Path) -> None:
    """Also in files that were opened while suggestions were off."""
    script.set(answers=[["ghost"]])
    nvim = edit()
    nvim.press("<Esc>")
    for scope in ("globally", "filetype"):
        nvim.command(f"Repofill disable {scope}")
        nvim.command(f"edit {tmp_path / scope}.txt")
        nvim.command("edit #")
        nvim.command(f"Repofill enable {scope}")
        nvim.command("edit #")
        nvim.press("a")
        nvim.until_ghost("ghost")
        nvim.press("<Esc>")


def test_named_late(start: Start, script: Script, tmp_path: Path) -> None:
    """A buffer whose filetype was set before it had a name gets suggestions when it is written."""
    script.set(answers=[["ghost"]])
    nvim = start(None, script.options)
    nvim.command("enew")
    nvim.command("setfiletype python")
    nvim.command(f"write {tmp_path / 'named.py'}")
    nvim.press("a")
    nvim.until_ghost("ghost")


@pytest.mark.parametrize("rename", ["file new.txt", "saveas new.txt", "call nvim_buf_set_name(0, 'new.txt')"])
def test_renamed(edit: Edit, script: Script, tmp_path: Path, rename: str) -> None:
    """A buffer is known by its new name at once, and by no other; by the old one where the new one is taken."""
    script.set(**{"continue": "alphabet soup"})
    nvim = edit("alpha")
    nvim.until_ghost("bet soup")
    nvim.press("<Esc>")
    nvim.command(f"cd {tmp_path} | badd taken.txt | call bufload('taken.txt')")
    nvim.command("silent! file taken.txt")
    nvim.press("ab")
    nvim.until_ghost("et soup")
    nvim.press("<Esc>")
    nvim.command(rename)
    nvim.press("ae")
    nvim.until_ghost("t soup")
    nvim.press("<Esc>")
    nvim.command("write!")
    nvim.press("at")
    nvim.until_ghost(" soup")
    old = (tmp_path / "a.txt").as_uri()
    assert {note["uri"] for note in script.noted("close")} == {old}
    nvim.press("<Esc>")
    nvim.command("bwipeout! %")
    nvim.until(lambda: script.noted("close")[-1]["uri"] == old.replace("a.txt", "new.txt"), "the new one closed")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("#!/no/such/python\n", "the server cannot be started (:checkhealth repofill)"),
        ("#!/bin/sh\necho no such module >&2\nexit 1\n", "the server keeps ending (exit code 1)"),
    ],
)
def test_broken_server(start: Start, tmp_path: Path, program: str, said: str) -> None:
    """It is said once, and every way to learn more leads there: an environment whose Python is gone is common."""
    broken = tmp_path / "repofill"
    broken.write_text(program)
    broken.chmod(0o755)
    nvim = start(None, f"{{ cmd = {{ '{broken}', 'serve' }}, filetypes = {{ '*' }} }}")
    messages = "return require('repofill.server').said"
    for name in ("a", "b", "c"):
        nvim.command(f"edit {tmp_path / name}.txt")
        nvim.until(lambda: nvim.lua(messages), "a message")
    (message,) = nvim.lua(messages)
    assert said in message
    assert nvim.lua("return require('repofill').statusline()") == "repofill failed"
    if "log" in message:
        nvim.command("Repofill log")
        assert "no such module" in "\n".join(nvim.buffer)
    nvim.command("Repofill models")
    shown = "://models/"
    nvim.until(lambda: len(nvim.lua(messages)) == 2 or shown in nvim.call("nvim_buf_get_name", 0), "an answer")
    nvim.command("checkhealth repofill")
    page = "\n".join(nvim.buffer)
    assert "ERROR the server does not run" in page
    assert message in page
    assert "no such module" in page or f"{broken} cannot be started" in page, page


def test_wrong_options_are_named(start: Start, script: Script) -> None:
    """A typing error in setup{} is one line, and everything else works."""
    nvim = start(None, "{ filetype = { 'python' }, debounce_ms = 'fast', keys = { next = false } }")
    said = "\n".join(nvim.lua("return require('repofill.server').said"))
    assert "knows no option `filetype`" in said
    assert "`debounce_ms` must be a number" in said
    assert nvim.lua("return require('repofill.config').options.debounce_ms") == 20


def test_packadd(start: Start, script: Script, tmp_path: Path) -> None:
    """The lines that the README shows for `:packadd` install the plugin on a machine that has none yet."""
    text = (PLUGIN / "README.md").read_text("utf-8")
    (commands, lines) = re.findall(r"```sh\n(mkdir.*?)```.*?```lua\n(vim\.cmd\.packadd.*?)```", text, re.DOTALL)[0]
    commands = commands.replace("CHECKOUT/editors/neovim", str(PLUGIN)).replace(
        "~/.local/share", str(tmp_path / "data")
    )
    subprocess.run(commands, shell=True, check=True)
    nvim = start(None, plugin=False)
    nvim.command(f"set packpath^={tmp_path / 'data' / 'nvim' / 'site'}")
    nvim.lua(lines)
    assert nvim.lua("return vim.fn.exists(':Repofill')") == 2


def test_vim_pack(start: Start, script: Script, tmp_path: Path, version: str) -> None:
    """The lines that the README shows for vim.pack install the plugin from a repository."""
    text = (PLUGIN / "README.md").read_text("utf-8")
    (lines,) = re.findall(r"```lua\n(vim\.pack\.add.*?)```", text, re.DOTALL)
    if version == "0.10":
        assert "vim.pack (Neovim 0.12)" in text
        return  # it has no vim.pack
    repository = tmp_path / "checkout"
    shutil.copytree(PLUGIN / "lua", repository / "editors" / "neovim" / "lua")
    commit = "git init -q && git add . && git -c user.name=t -c user.email=t@t commit -qm all"
    subprocess.run(commit, shell=True, cwd=repository, check=True)
    nvim = start(None, plugin=False)
    nvim.lua("local add = vim.pack.add; vim.pack.add = function(list) return add(list, { confirm = false }) end")
    nvim.lua(lines.replace("CHECKOUT", f"file://{repository}"))
    assert nvim.lua("return vim.fn.exists(':Repofill')") == 2


@pytest.mark.parametrize(
    ("there", "root"),
    [
        (["p/Cargo.toml", "p/a/lib.rs"], "p"),
        (["package.json", "p/tsconfig.json", "p/a/go.mod"], "p/a"),
        (["p/Shop.csproj", "Shop.sln"], "p"),
        ([".git/HEAD", "p/package.json", "p/a/pyproject.toml"], "."),
        (["p/.git", "p/a/pom.xml"], "p"),
        (["repofill.toml", "p/.git/HEAD", "p/a/setup.py"], "."),
    ],
)
def test_root(start: Start, script: Script, tmp_path: Path, there: list[str], root: str) -> None:
    """Settings, then a repository, then the nearest manifest; the same as on the command line."""
    for name in [*there, "p/a/b.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    nvim = start(tmp_path / "p" / "a" / "b.txt", script.options)
    assert Path(nvim.lua("return require('repofill.config').root(0)")).resolve() == (tmp_path / root).resolve()
    assert project_around(tmp_path / "p" / "a" / "b.txt") == tmp_path / root
    markers = nvim.lua("return require('repofill.config').options.root_markers")
    assert [[marker] if isinstance(marker, str) else marker for marker in markers] == [*map(list, PROJECT_MARKS)]


def test_markers_of_ones_own(start: Start, script: Script, tmp_path: Path) -> None:
    """In the order given, as in `vim.lsp.Config`: a name alone, or several that count the same."""
    for name in ("outer", "p/inner", "p/a/other", "p/a/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    nvim = start(tmp_path / "p" / "a" / "b.txt", script.options)
    for markers, root in (("'outer', 'other'", "."), ("'none', { 'outer', 'in*', '*er' }", "p/a"), ("'none'", None)):
        nvim.lua(f"require('repofill').setup({{ root_markers = {{ {markers} }} }})")
        found = nvim.lua("return require('repofill.config').root(0)")
        assert found == (root and str((tmp_path / root).resolve()))


def test_status_without_a_project(edit: Edit) -> None:
    """It says that there is none, and what would make one; a repository does."""
    nvim = edit()
    nvim.press("<Esc>")
    folder = Path(nvim.call("nvim_buf_get_name", 0)).parent
    for there in (False, True):
        nvim.command("Repofill status")
        nvim.until(lambda: any("state:" in line for line in nvim.buffer), "the status")
        assert ("none here; .git" in "\n".join(nvim.buffer)) is not there
        (folder / ".git").mkdir(exist_ok=True)
        nvim.command("close")


def test_status_of_a_server_that_hangs(edit: Edit) -> None:
    """The page comes all the same, and says so."""
    nvim = edit()
    nvim.press("<Esc>")
    (server,) = nvim.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())")
    os.kill(server, signal.SIGSTOP)
    try:
        nvim.command("Repofill status")
        nvim.until(lambda: any("does not answer" in line for line in nvim.buffer), "the status")
    finally:
        os.kill(server, signal.SIGCONT)
    nvim.stays(lambda: len(nvim.call("nvim_list_wins")) == 2, "one page")


def test_page_for_one_who_types(edit: Edit) -> None:
    """It opens beside the text, which goes on; where nothing else is on the screen, its key closes it all the same."""
    nvim = edit("x")
    (server,) = nvim.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())")
    os.kill(server, signal.SIGSTOP)
    nvim.press("<Cmd>Repofill status<CR>ab")
    os.kill(server, signal.SIGCONT)
    nvim.until(lambda: len(nvim.call("nvim_list_wins")) == 2, "the page")
    nvim.press("cd")
    assert nvim.buffer == ["xabcd"]
    nvim.press("<Esc>")
    nvim.command("set hidden | wincmd j | only")
    assert nvim.buffer[0] == "suggestions here: on"
    nvim.press("q")
    assert nvim.buffer == ["xabcd"]


def test_one_window_for_all_pages(edit: Edit) -> None:
    """However often it is called, and from where; what is said is about the file that was left last."""
    nvim = edit(name="first.txt")
    nvim.press("<Esc>")
    nvim.command("new second.txt")
    nvim.command("let b:repofill = v:false")
    pages = "return vim.fn.getcompletion('repofill://', 'buffer')"
    for _ in range(12):
        before = nvim.lua(pages)
        nvim.command("Repofill status")
        nvim.until(lambda before=before: nvim.lua(pages) != before, "another page")
        assert nvim.buffer[0] == "suggestions here: off"
    assert (len(nvim.lua(pages)), len(nvim.call("nvim_list_wins"))) == (1, 3)
    nvim.command("2wincmd w")
    nvim.command("3wincmd w")
    nvim.command("Repofill status")
    nvim.until(lambda: nvim.buffer[0] == "suggestions here: on", "the status of the first file")
    nvim.command("Repofill disable buffer")
    nvim.command("Repofill status")
    nvim.until(lambda: nvim.buffer[0] == "suggestions here: off", "off in the first file")
    nvim.press("q")
    assert len(nvim.call("nvim_list_wins")) == 2
    assert nvim.call("nvim_buf_get_name", 0).endswith("first.txt")


def test_on_in_every_language(start: Start) -> None:
    """Of those that the server knows imports and definitions of."""
    types = set(start(None, "{}").lua("return require('repofill.config').options.filetypes"))
    called = {"csharp": "cs", "shell": "sh"}
    assert types >= {called.get(name, name) for name, language in BY_NAME.items() if language.support is not None}


def test_highlight(start: Start, script: Script) -> None:
    """One group, linked to a standard one, also after a change of colours; the user's own wins."""
    nvim = start(None, plugin=False)
    nvim.command("highlight clear RepofillSuggestion")
    nvim.command(f"set rtp^={PLUGIN}")
    nvim.lua(f"require('repofill').setup({script.options})")
    for _ in range(2):
        link = nvim.call("nvim_get_hl", 0, {"name": "RepofillSuggestion"})
        assert link.get("link") in ("ComplHint", "NonText")
        nvim.command("colorscheme habamax")


@pytest.mark.parametrize("file_format", ["unix", "dos"])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_but_keys_and_suggestions(edit: Edit, script: Script, seed: int, file_format: str) -> None:
    """Random typing, accepting, moving and foreign edits against random answers at random times: every byte of the
    file was typed or stood in an accepted suggestion, which continued what stood there when it was asked for."""
    script.set(random=True, delay_ms=[0, 60], seed=seed)
    end = "\r\n" if file_format == "dos" else "\n"
    nvim = edit(end.join(["first line", "a(b)", "界 é", ""]), name=f"{seed}-{file_format}.txt")
    assert nvim.call("nvim_get_option_value", "fileformat", {}) == file_format
    typist = Typist(nvim, script, random.Random(f"{seed} {file_format}"), crlf=file_format == "dos")
    steps = 0
    while steps < PROPERTY_STEPS or typist.accepted < PROPERTY_ACCEPTED:
        assert steps < 10 * PROPERTY_STEPS, "a run without accepting proves nothing"
        typist.step()
        steps += 1
    text = "\n".join(nvim.buffer)
    nvim.press("<Esc>")
    nvim.command("write")
    file = Path(nvim.call("nvim_buf_get_name", 0))
    assert file.read_bytes().decode("utf-8", "surrogateescape") == text.replace("\n", end) + end


class Typist:
    """Does something at random and compares what the buffer holds with what it must hold."""

    KEYS = ("a", "b", "x", "(", ")", " ", "é", "界", "<CR>")

    def __init__(self, nvim: Nvim, script: Script, chance: random.Random, *, crlf: bool) -> None:
        self.nvim, self.script, self.chance, self.crlf = nvim, script, chance, crlf
        self.accepted = 0
        self.history: list[tuple[str, str, str, str]] = []

    def step(self) -> None:
        actions = (self.type, self.type, self.follow, self.accept, self.accept, self.burst, self.erase, self.move)
        before, after = self.halves()
        action = self.chance.choice((*actions, self.cycle, self.edit_elsewhere))
        self.history.append((action.__name__, before[-20:], after[:10], self.nvim.ghost))
        action(before, after)
        time.sleep(self.chance.choice((0, 0, 0.02, 0.05, 0.12)))

    def halves(self) -> tuple[str, str]:
        """The buffer before and after the cursor."""
        lines, (row, col) = self.nvim.lua(BUFFER_AND_CURSOR)
        head = lines[row - 1].encode("utf-8", "surrogateescape")
        before, after = head[:col].decode("utf-8", "surrogateescape"), head[col:].decode("utf-8", "surrogateescape")
        return "\n".join([*lines[: row - 1], before]), "\n".join([after, *lines[row:]])

    def inserted(self, before: str, after: str) -> str:
        """What has come to stand at the cursor; all else must be as it was."""
        now_before, now_after = self.halves()
        assert now_after == after
        assert now_before.startswith(before), (now_before, before)
        return now_before[len(before) :]

    def type(self, before: str, after: str) -> None:
        keys = self.chance.choices(self.KEYS, k=self.chance.randint(1, 3))
        self.nvim.press("".join(keys))
        assert self.inserted(before, after) == "".join(keys).replace("<CR>", "\n")

    def follow(self, before: str, after: str) -> None:
        """The first letters of the ghost text, if there is any."""
        letters = self.nvim.ghost.split("\n")[0][: self.chance.randint(1, 3)].replace("<", "")
        self.nvim.press(letters)
        assert self.inserted(before, after) == letters

    def accept(self, before: str, after: str) -> None:
        part = self.chance.choice(("all", "word", "line"))
        if part == "all":
            self.nvim.press("<Tab>")
        else:
            self.nvim.press(f"<Cmd>lua require('repofill').accept('{part}')<CR>")
        self.nvim.settle()
        text = self.inserted(before, after)
        if text not in ("", "\t") or not self.nothing(text, part):
            self.must_be_suggested(before, after, text, part)

    def burst(self, before: str, after: str) -> None:
        """Letters, Tab and a letter more as fast as can be."""
        keys = "".join(self.chance.choices("abx(", k=self.chance.randint(0, 3)))
        self.nvim.press(f"{keys}<Tab>z")
        text = self.inserted(before, after)
        assert text.startswith(keys)
        assert text.endswith("z")
        text = text[len(keys) : -1]
        if text != "\t":
            self.must_be_suggested(before + keys, after, text, "all")

    def erase(self, before: str, after: str) -> None:
        self.nvim.press("<BS>")
        now_before, now_after = self.halves()
        assert now_after == after
        assert before.startswith(now_before)
        assert len(now_before) < len(before) or not before

    def move(self, before: str, after: str) -> None:
        self.nvim.press(self.chance.choice(("<Left>", "<Right>", "<Home>", "<End>", "<Up>", "<Down>", "<Esc>a")))
        assert "".join(self.halves()) == before + after

    def cycle(self, before: str, after: str) -> None:
        self.nvim.press(self.chance.choice(("<M-]>", "<M-[>")))
        assert self.halves() == (before, after)

    def edit_elsewhere(self, before: str, after: str) -> None:
        """Something else than the user changes the buffer."""
        self.nvim.call("nvim_buf_set_lines", 0, 0, 0, False, ["foreign"])
        assert self.halves() == ("foreign\n" + before, after)

    def nothing(self, text: str, part: str) -> bool:
        """Whether that is what the key does without a suggestion."""
        return text == ("\t" if part == "all" else "")

    def must_be_suggested(self, before: str, after: str, text: str, part: str) -> None:
        """`text` is the part of an answer that had begun where the cursor stands, or further left with what was typed
        since."""
        self.accepted += 1
        head_now, tail_now = before.split("\n"), after.split("\n")[0].rstrip("\r")
        for answer in self.script.noted("answer"):
            for whole in answer["texts"]:
                suggestion = whole.replace("\r\n", "\n") if self.crlf else whole
                for cut in range(len(suggestion)):
                    stood = (answer["head"] + suggestion[:cut]).split("\n")
                    same = head_now[-len(stood) :] == stood and tail_now == answer["tail"].rstrip("\r")
                    if same and text == part_of(suggestion[cut:], part):
                        return
        last = "\n".join(map(str, [*self.history[-6:], *self.script.log.read_text("utf-8").splitlines()[-6:]]))
        raise AssertionError(f"{text!r} ({part}) was never suggested between {before!r} and {after!r}:\n{last}")


def part_of(text: str, part: str) -> str:
    """What a key accepts of a suggestion, told in another way than the plugin's."""
    if part == "word":
        match = re.match(r"\s*(?:[A-Za-z0-9_\u0080-\U0010ffff]+|[^\sA-Za-z0-9_\u0080-\U0010ffff]+)", text, re.ASCII)
        return match.group() if match else text
    if part == "line":
        first = re.match(r"(?:\r?\n)?[^\r\n]*", text)
        assert first is not None
        return first.group()
    return text
