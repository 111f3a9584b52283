"""Neovim's own inline completion, set up by the lines that the README shows, against the real server: no plugin."""

from __future__ import annotations

import re
from pathlib import Path

from conftest import SERVER, Start
from editor import CHECKOUT
from test_real import REST, TYPED

README = (CHECKOUT / "editors" / "neovim" / "README.md").read_text("utf-8")


READY = """
local answer = vim.lsp.get_clients()[1]:request_sync('workspace/executeCommand', { command = 'repofill.status' }, 5000)
local status = answer and answer.result
return status and status.ready and status.engine.state == 'ready' and #status.folders == 1
"""


def test_without_the_plugin(start: Start, project: Path, version: str, tmp_path: Path) -> None:
    """The lines of the README work as they stand: ghost text, and Tab that accepts it."""
    (lines,) = re.findall(r"## Without the plugin\n.*?```lua\n(.*?)```", README, re.DOTALL)
    assert len(lines.strip().splitlines()) == 5
    if version == "0.10":
        assert "Neovim 0.12" in README
        return  # it has no vim.lsp.inline_completion
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "repofill").symlink_to(SERVER)
    settings = tmp_path / "home-0" / "config" / "repofill"
    settings.mkdir(parents=True)
    (settings / "repofill.toml").write_text("[suggest]\ndeadline_ms = 60000\nmin_confidence = 0.0\n")
    file = project / "a.py"
    file.write_text(TYPED)
    nvim = start(None, plugin=False, path=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    nvim.command("set nofixendofline")
    nvim.lua(lines)
    nvim.command(f"edit {file}")
    nvim.until(lambda: nvim.lua("return #vim.lsp.get_clients({ bufnr = 0 }) == 1"), "a client")
    nvim.until(lambda: nvim.lua(READY), "the server is ready", wait_s=90)
    nvim.press("G$a")
    assert nvim.until_ghost() == REST
    nvim.press("<Tab>")
    nvim.until(lambda: nvim.buffer[-1].endswith(REST), "accepted")
    nvim.press("<Esc>")
    nvim.command("write")
    assert file.read_text() == TYPED + REST
