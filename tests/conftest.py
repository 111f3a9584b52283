"""For all tests."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time, so that a red run means the change at hand; a busy machine is no failure.
settings.register_profile("repeatable", deadline=None, derandomize=True)
# `pytest --hypothesis-profile=search` looks for new ones.
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("repeatable")

DEAD = """
import builtins, io, os, time

def dead(call):
    def hanging(path, *arguments, **options):
        while isinstance(path, (str, os.PathLike)) and os.fspath(path) == {file!r} and os.path.lexists({mark!r}):
            time.sleep(0.05)
        return call(path, *arguments, **options)
    return hanging

os.stat = dead(os.stat)
builtins.open = io.open = dead(io.open)
"""


@dataclass(frozen=True, slots=True)
class DeadMount:
    """Whoever looks at `file` waits until there is an answer: until `revive`."""

    file: Path
    mark: Path

    def revive(self) -> None:
        """From now on `file` is what is there."""
        self.mark.unlink()


@pytest.fixture
def dead_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeadMount:
    """A network mount that does not answer, for every Python process that is started from now on."""
    folder = tmp_path / "mount"
    folder.mkdir()
    mount = DeadMount(folder / "model.gguf", folder / "dead")
    mount.mark.touch()
    (folder / "sitecustomize.py").write_text(DEAD.format(file=str(mount.file), mark=str(mount.mark)))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    return mount
