"""Writes what the server says of its settings into package.json: `python editors/vscode/scripts/settings.py`.

The server's table (`lsp_server/settings.py`) is the only place where settings are described; a test compares the two.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from repofill.lsp_server.settings import LOG_LEVELS, UNTRUSTED, Described, describe_settings

MANIFEST = Path(__file__).resolve().parent.parent / "package.json"
OWN = {
    "repofill.server.command": {
        "type": "string",
        "default": "",
        "description": "Path of the repofill program to start; empty for the one this extension installed, "
        "else the one on the PATH.",
        "scope": "machine",
    }
}
"""Settings of the extension itself; the server never hears of them."""

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", tuple[str, ...]: "array"}


def properties() -> dict[str, Any]:
    """`contributes.configuration.properties`, in the server's order."""
    described = {f"repofill.{setting.name}": _property(setting) for setting in describe_settings()}
    return {name: {**value, "order": order} for order, (name, value) in enumerate((described | OWN).items())}


def restricted() -> list[str]:
    """Settings that count only in the user's own: scope "machine", and restricted in untrusted workspaces."""
    return [name for name, value in properties().items() if value["scope"] == "machine"]


def _property(setting: Described) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _TYPES[setting.type], "default": setting.default}
    if schema["type"] == "array":
        schema |= {"default": list(setting.default), "items": {"type": "string"}, "uniqueItems": True}
    if setting.name == "log.level":
        schema["enum"] = list(LOG_LEVELS)
    least = None if setting.least is None else min(setting.least, setting.default)
    bounds = {"minimum": least, "maximum": setting.most}
    schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    scope = "machine" if setting.name in UNTRUSTED else "window"
    return {**schema, "description": setting.description, "scope": scope}


def main() -> None:
    """Rewrite package.json."""
    manifest = json.loads(MANIFEST.read_text("utf-8"))
    manifest["contributes"]["configuration"]["properties"] = properties()
    manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = restricted()
    MANIFEST.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
