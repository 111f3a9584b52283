"""Every test runs in each Neovim that is supported: the oldest and the newest, fetched from Debian's archive."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from editor import CHECKOUT, GHOSTS, PLUGIN, Nvim

HERE = Path(__file__).resolve().parent
VERSIONS = ("0.10", "0.12")
SERVER = CHECKOUT / ".venv" / "bin" / "repofill"


@pytest.fixture(scope="session", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def executable(version: str) -> Path:
    """A Neovim of that version. Where none can be had, tests fail: skipping would look like passing."""
    done = subprocess.run([HERE / "fetch", f"neovim-{version}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


Start = Callable[..., Nvim]


@pytest.fixture
def start(executable: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts Neovim with a file, the plugin set up with the given options (a Lua table's text)."""
    started: list[Nvim] = []

    def begin(file: Path | None, options: str = "{}", *, before: str = "", plugin: bool = True, **more: Any) -> Nvim:
        home = tmp_path / f"home-{len(started)}"
        home.mkdir(exist_ok=True)
        nvim = Nvim(executable, home, **more)
        started.append(nvim)
        nvim.command("set noswapfile nomodeline shortmess+=I")
        nvim.command("filetype plugin indent on")
        for group in GHOSTS:  # a colour of its own tells ghost text from all else on the screen
            nvim.command(f"highlight {group} guifg=#808182")
        if before:
            nvim.lua(before)
        if plugin:
            nvim.command(f"set rtp^={PLUGIN}")
            nvim.lua(f"require('repofill').setup({options})")
        if file is not None:
            nvim.command(f"edit {file}")
        return nvim

    yield begin
    troubles = [trouble for nvim in started for trouble in nvim.troubles()]
    for nvim in started:
        nvim.close()
    assert not troubles


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[project]\nname = 'small'\n")
    (folder / "shapes.py").write_text("WIDTH = 3\n")
    return folder


def server_options(**settings: Any) -> str:
    """Options of `setup` for the real server, in no hurry, so that a slow machine changes nothing."""
    suggest = {"deadline_ms": 60_000, "min_confidence": 0, **settings}
    table = ", ".join(f"{name} = {str(value).lower()}" for name, value in suggest.items())
    assert os.access(SERVER, os.X_OK), f"{SERVER} is missing: run `make install`"
    return f"{{ cmd = {{ '{SERVER}', 'serve' }}, settings = {{ suggest = {{ {table} }} }} }}"
