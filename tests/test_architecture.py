"""The arrows between the packages: lsp_server → models → context, and who may know what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LLAMA = {"models/llama.py", "models/training/export.py", "models/training/verify.py"}

FORBIDDEN = {
    "context": (
        "repofill.models",
        "repofill.lsp_server",
        "repofill.evaluation",
        "pygls",
        "lsprotocol",
        "llama_cpp",
        "gguf",
    ),
    "models": ("repofill.lsp_server", "repofill.evaluation", "pygls", "lsprotocol"),
    "lsp_server": ("repofill.models.llama", "repofill.models.training", "torch"),
    "evaluation": ("repofill.models.training", "torch"),
}


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports inside the product are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_arrows(folder: str) -> None:
    """No file imports what its package must not know."""
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    for file in files:
        for name in imported(file):
            for forbidden in FORBIDDEN[folder]:
                assert not f"{name}.".startswith(f"{forbidden}."), f"{file.relative_to(ROOT)} imports {name}"


def test_one_importer_of_llama_cpp() -> None:
    """A crash inside llama.cpp must find itself in the model process; the training tools run apart from any server."""
    importers = {
        file.relative_to(ROOT).as_posix()
        for folder in FORBIDDEN
        for file in (ROOT / folder).rglob("*.py")
        if any(name.split(".")[0] == "llama_cpp" for name in imported(file))
    }
    assert "models/llama.py" in importers
    assert importers <= LLAMA


def test_one_opens_connections() -> None:
    """Nothing leaves the machine but to a server that the user names. Training and benchmarks fetch what they need."""
    network = ("http", "socket", "ssl", "urllib.request", "requests", "httpx", "aiohttp")
    folders = [ROOT / "context", ROOT / "lsp_server", ROOT / "models"]
    importers = {
        file.relative_to(ROOT).as_posix()
        for folder in folders
        for file in folder.rglob("*.py")
        if "training" not in file.parts
        if any(f"{name}.".startswith(f"{module}.") for name in imported(file) for module in network)
    }
    assert importers == {"models/served.py"}
