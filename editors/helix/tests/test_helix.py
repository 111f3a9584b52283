"""The real server in a real Helix, configured as `languages.toml` says: a client without ghost text."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import pytest

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent.parent
SERVER = CHECKOUT / ".venv" / "bin" / "repofill"
SHAPES = "".join(
    f"def {name}(shape):\n    outline = shape.width * shape.height + shape.border\n    return outline\n\n\n"
    for name in ("first", "second", "third")
)
TYPED, REST = SHAPES + "def fourth(shape):\n    outline = shape.width * sha", "pe.height + shape.border"
SERVES = 'args = ["serve"]'
MENU = re.compile(r"shape\.height \+ shape\.border +text")
"""The menu's item, with its kind."""
WAIT_S = 90.0


class Helix:
    """Helix in a terminal of its own; what it has written there is kept."""

    def __init__(self, executable: str, file: Path, environment: dict[str, str], logs: list[Path]) -> None:
        self.output, self.logs = "", logs
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(file.parent)
            os.execve(executable, [executable, str(file)], environment)
        ioctl(self.terminal, TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())
        self.read(0.3)

    def read(self, for_s: float) -> None:
        end = time.monotonic() + for_s
        while (left := end - time.monotonic()) > 0:
            if select.select([self.terminal], [], [], left)[0]:
                try:
                    self.output += os.read(self.terminal, 65536).decode("utf-8", "replace")
                except OSError:
                    return

    def until(self, what: Callable[[], bool], why: str) -> None:
        end = time.monotonic() + WAIT_S
        while not what():
            assert time.monotonic() < end, f"never: {why}\n{self.told()}"
            self.read(0.2)

    def told(self) -> str:
        """What was on the screen, the last of it as it was written, and what both programs logged."""
        logged = [f"{log.name}:\n{log.read_text() if log.exists() else 'not there'}" for log in self.logs]
        return "\n".join([text_of(self.output), repr(self.output[-500:]), *logged])

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.fixture
def helix(tmp_path: Path) -> Iterator[Helix]:
    """Helix with a file that ends in TYPED, `repofill` on its PATH, the configuration copied from the repository."""
    done = subprocess.run(
        [CHECKOUT / "editors" / "neovim" / "tests" / "fetch", "helix"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for folder in ("bin", "config/helix", "config/repofill", "project"):
        (tmp_path / folder).mkdir(parents=True)
    assert SERVER.exists(), "run `make install`"
    (tmp_path / "bin" / "repofill").symlink_to(SERVER)
    languages = (HERE.parent / "languages.toml").read_text()
    assert SERVES in languages
    # Helix gives a server 20 s to start, and then up for good: on a busy machine a first start may take longer.
    patient = languages.replace(SERVES, f"{SERVES}\ntimeout = {WAIT_S:.0f}")
    (tmp_path / "config" / "helix" / "languages.toml").write_text(patient)
    (tmp_path / "config" / "repofill" / "repofill.toml").write_text(
        '[suggest]\ndeadline_ms = 60000\nmin_confidence = 0.0\n[log]\nlevel = "debug"\n'
    )
    (tmp_path / "project" / "pyproject.toml").touch()
    file = tmp_path / "project" / "a.py"
    file.write_text(TYPED + "\n")
    folders = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    logs = [tmp_path / "cache" / "helix" / "helix.log", tmp_path / "state" / "repofill" / "log" / "repofill.log"]
    opened = Helix(done.stdout.strip(), file, {**os.environ, **folders, "PATH": path, "TERM": "xterm-256color"}, logs)
    yield opened
    opened.close()


def text_of(output: str) -> str:
    """What was written to the terminal, without escape sequences."""
    return re.sub(r"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][0-9A-B]|[=>])", "", output)


def test_completed_from_the_menu(helix: Helix, tmp_path: Path) -> None:
    """The suggestion is the menu's item; chosen, the file holds it to the byte."""
    helix.until(lambda: "fourth" in text_of(helix.output), "the file on the screen")
    helix.type("geA")  # a quarter of a second later Helix asks by itself: a quick answer may be there already
    patience = iter([2.0, 4.0, 8.0])

    def menu() -> bool:
        if MENU.search(text_of(helix.output)) is None:
            helix.type("\x18")  # Ctrl-x asks for the menu; Helix lets go of what it has asked before
            helix.read(next(patience, 16.0))
        return MENU.search(text_of(helix.output)) is not None

    helix.until(menu, "the suggestion in the menu")
    helix.type("\x0e")  # Ctrl-n selects the first item
    helix.type("\r")
    helix.type("\x1b")
    helix.type(":wq\r")
    file = tmp_path / "project" / "a.py"
    helix.until(lambda: file.read_text() != TYPED + "\n", "the file written")
    assert file.read_text() == TYPED + REST + "\n"
