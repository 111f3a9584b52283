"""VS Code's settings are the server's own, and no workspace names what only the user may name."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from repofill.lsp_server.settings import Settings, apply, describe_settings

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "editors" / "vscode"
MANIFEST = json.loads((EXTENSION / "package.json").read_text("utf-8"))
PROPERTIES: dict[str, dict[str, Any]] = MANIFEST["contributes"]["configuration"]["properties"]


@pytest.fixture(scope="module")
def generator() -> Any:
    spec = importlib.util.spec_from_file_location("vscode_settings", EXTENSION / "scripts" / "settings.py")
    assert isinstance(spec, ModuleSpec)
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_package_json_is_what_the_generator_writes(generator: Any) -> None:
    """After a change of settings: `python editors/vscode/scripts/settings.py`."""
    assert generator.properties() == PROPERTIES
    restricted = MANIFEST["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert generator.restricted() == restricted


def test_every_setting_of_the_server_is_there_as_the_server_describes_it() -> None:
    """Independent of the generator: names, defaults and descriptions, in order."""
    theirs = [(s.name, json.loads(json.dumps(s.default)), s.description) for s in describe_settings()]
    ours = [(name.removeprefix("repofill."), p["default"], p["description"]) for name, p in PROPERTIES.items()]
    assert ours[: len(theirs)] == theirs
    assert [name for name, *_ in ours[len(theirs) :]] == ["server.command"]


def test_the_server_takes_every_default() -> None:
    for name, schema in PROPERTIES.items():
        if not name.startswith("repofill.server."):
            section, leaf = name.removeprefix("repofill.").split(".")
            assert apply(Settings(), {section: {leaf: schema["default"]}}, "default") == (Settings(), [])


def test_a_workspace_names_no_program_no_file_and_no_address() -> None:
    """Whatever looks like one of these is the user's own; new settings must take a side."""
    telling = re.compile(r"path|file|command|program|address|host|url|port|key", re.IGNORECASE)
    for name, schema in PROPERTIES.items():
        names_something = schema["type"] == "string" and telling.search(name) is not None
        assert (schema["scope"] == "machine") == names_something, name


def test_the_extension_has_the_server_s_version() -> None:
    """The wheel inside of the extension, and the environment it is installed into, go by it."""
    assert MANIFEST["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def test_commands_are_explained_and_none_is_registered_twice() -> None:
    """The client registers the server's own commands under their names."""
    commands = [command["command"] for command in MANIFEST["contributes"]["commands"]]
    assert len(set(commands)) == len(commands)
    assert not {"repofill.accepted", "repofill.explain", "repofill.reindex", "repofill.status"} & set(commands)


def test_no_lock_file_names_a_registry() -> None:
    lock = json.loads((EXTENSION / "package-lock.json").read_text("utf-8"))
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
