"""A real Neovim with a screen: `nvim --embed` with an attached UI, spoken to over msgpack-RPC.

What a test sees is what a terminal would draw: every `flush` is a frame.
"""

from __future__ import annotations

import itertools
import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack

PLUGIN = Path(__file__).resolve().parent.parent
CHECKOUT = PLUGIN.parent.parent
WAIT_S = 30.0
WIDTH, HEIGHT = 90, 24
GHOSTS = ("RepofillSuggestion", "ComplHint")


class NvimError(Exception):
    """What Neovim answered instead of a result."""


class Screen:
    """The cells of the one grid, each its text and highlight id. Fed by the reader thread only."""

    def __init__(self) -> None:
        self.cells = [[(" ", 0)] * WIDTH for _ in range(HEIGHT)]
        self.names: dict[int, set[str]] = {}
        self.cursor = (0, 0)
        self.frames: list[tuple[list[str], float]] = []

    def feed(self, event: str, args: Sequence[Any]) -> None:
        """One event of Neovim's UI protocol (ext_linegrid, ext_hlstate)."""
        if event == "grid_resize":
            self.cells = [[(" ", 0)] * args[1] for _ in range(args[2])]
        elif event == "grid_clear":
            self.cells = [[(" ", 0)] * len(row) for row in self.cells]
        elif event == "grid_cursor_goto":
            self.cursor = (args[1], args[2])
        elif event == "grid_line":
            self._line(*args[1:4])
        elif event == "grid_scroll":
            self._scroll(*args[1:6])
        elif event == "hl_attr_define":
            self.names[args[0]] = {part.get("hi_name", "") for part in args[3]}
        elif event == "flush":
            self.frames.append((self.lines(), time.monotonic()))

    def lines(self) -> list[str]:
        """The text of the rows, without spaces at their ends."""
        return ["".join(text for text, _ in row).rstrip() for row in self.cells]

    def ghost(self) -> str:
        """All text that is drawn as ghost text, row by row."""
        rows = ("".join(text for text, id in row if self.names.get(id, set()) & set(GHOSTS)) for row in self.cells)
        return "\n".join(row for row in rows if row)

    def _line(self, row: int, column: int, cells: Sequence[Sequence[Any]]) -> None:
        highlight = 0
        for cell in cells:
            highlight = cell[1] if len(cell) > 1 else highlight
            for _ in range(cell[2] if len(cell) > 2 else 1):
                self.cells[row][column] = (cell[0], highlight)
                column += 1

    def _scroll(self, top: int, bottom: int, left: int, right: int, rows: int) -> None:
        order = range(top, bottom - rows) if rows > 0 else range(bottom - 1, top - rows - 1, -1)
        for row in order:
            self.cells[row][left:right] = self.cells[row + rows][left:right]


class Nvim:
    """One Neovim. `type` sends keys as a terminal would; `lua` and `command` run code in it."""

    def __init__(self, executable: Path, home: Path, *, arguments: Sequence[str] = (), path: str | None = None) -> None:
        self.screen = Screen()
        folders = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
        environment: Mapping[str, str] = {**os.environ, **folders, "NVIM_LOG_FILE": str(home / "nvim.log")}
        if path is not None:
            environment = {**environment, "PATH": path}
        self.process = subprocess.Popen(
            [executable, "--embed", "--clean", "-n", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=home,
        )
        self._ids = itertools.count(1)
        self._answers: dict[int, queue.Queue[tuple[Any, Any]]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()
        self.call("nvim_ui_attach", WIDTH, HEIGHT, {"ext_linegrid": True, "ext_hlstate": True, "rgb": True})

    def call(self, method: str, *args: Any) -> Any:
        """One API call. Raises NvimError, and TimeoutError when Neovim is blocked."""
        id = next(self._ids)
        answer = self._answers[id] = queue.Queue()
        stdin = self.process.stdin
        assert stdin is not None
        stdin.write(msgpack.packb([0, id, method, args], use_bin_type=False, unicode_errors="surrogateescape"))
        stdin.flush()
        try:
            error, result = answer.get(timeout=WAIT_S)
        except queue.Empty:
            raise TimeoutError(f"{method}: no answer; the screen:\n{self.text}") from None
        if error is not None:
            raise NvimError(error[1])
        return result

    def lua(self, code: str, *args: Any) -> Any:
        return self.call("nvim_exec_lua", code, args)

    def command(self, command: str) -> Any:
        return self.call("nvim_exec2", command, {"output": True})["output"]

    def type(self, keys: str) -> None:
        """Keys in Neovim's notation ("<lt>" for "<"). Returns at once."""
        self.call("nvim_input", keys)

    def press(self, keys: str) -> None:
        """Keys, and wait until they are taken."""
        self.type(keys)
        self.settle()

    def settle(self) -> None:
        """Until the keys sent so far have been taken and the screen drawn: a blocked Neovim fails here."""
        self.until(lambda: not self.call("nvim_get_mode")["blocking"], "Neovim waits for a key")
        self.lua("vim.cmd.redraw()")

    @property
    def mode(self) -> str:
        return str(self.call("nvim_get_mode")["mode"])

    @property
    def text(self) -> str:
        return "\n".join(self.screen.lines())

    @property
    def ghost(self) -> str:
        """The ghost text on the screen."""
        return self.screen.ghost()

    @property
    def buffer(self) -> list[str]:
        return list(self.call("nvim_buf_get_lines", 0, 0, -1, False))

    def until(self, what: Callable[[], Any], why: str, wait_s: float = WAIT_S) -> Any:
        """Wait until something is true, and return it."""
        end = time.monotonic() + wait_s
        while not (result := what()):
            if time.monotonic() > end:
                raise AssertionError(f"never: {why}; the screen:\n{self.text}\nmessages:\n{self._messages()}")
            time.sleep(0.01)
        return result

    def until_ghost(self, *wanted: str) -> str:
        """Wait for ghost text, of one of the given texts if there are any."""
        return str(self.until(lambda: (g := self.ghost) and (not wanted or g in wanted) and g, f"ghost text {wanted}"))

    def until_no_ghost(self) -> None:
        self.until(lambda: not self.ghost, "ghost text gone")

    def stays(self, what: Callable[[], Any], why: str, for_s: float = 0.6) -> None:
        """Something is true and remains so for a while."""
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            assert what(), f"{why}; the screen:\n{self.text}"
            time.sleep(0.02)

    def troubles(self) -> list[str]:
        """Messages that tell of an error in Lua or Vim script."""
        if self.process.poll() is not None:
            return []
        return [line for line in self._messages().splitlines() if "traceback" in line or re.search(r"\bE\d+:", line)]

    def close(self) -> None:
        """End it, if need be by force."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _messages(self) -> str:
        try:
            return str(self.command("messages"))
        except (NvimError, TimeoutError, OSError) as error:
            return f"({error})"

    def _read(self) -> None:
        assert self.process.stdout is not None
        unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", ext_hook=lambda code, data: code)
        while data := self.process.stdout.read1(65536):  # type: ignore[attr-defined]
            unpacker.feed(data)
            for kind, *rest in unpacker:
                if kind == 1:
                    self._answers.pop(rest[0]).put((rest[1], rest[2]))
                elif kind == 2 and rest[0] == "redraw":
                    for event, *calls in rest[1]:
                        for args in calls:
                            self.screen.feed(event, args)
