"""What the README says of settings and commands is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repofill.lsp_server.cli import main
from repofill.lsp_server.settings import describe_settings

README = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")


def test_settings_table() -> None:
    """Every setting with its default and description, in the code's order."""
    rows = re.findall(r"^\| `(\w+\.\w+)` \| `(.*?)` \| (.*?) \|$", README, re.MULTILINE)
    assert rows == [(s.name, repr(s.default), s.description) for s in describe_settings()]


@pytest.mark.parametrize("command", sorted(set(re.findall(r"repofill ([a-z]+)\b(?= |`)", README))))
def test_commands_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that the README shows explains itself."""
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    assert f"repofill {command}" in capsys.readouterr().out
