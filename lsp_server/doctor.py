"""`repofill doctor`: what is installed, configured and working, each finding in one line. Called by the CLI only."""

from __future__ import annotations

import logging
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from repofill.lsp_server.log import log_path
from repofill.lsp_server.server import make_engine
from repofill.lsp_server.settings import Settings, user_file
from repofill.models.protocol import FillRequest

_PACKAGES = ("repofill", "pygls", "llama-cpp-python", "gguf", "tree-sitter", "tree-sitter-python", "watchdog")
_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
_FEW_WATCHES = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    text: str


async def examine(settings: Settings, problems: Sequence[str]) -> list[Finding]:
    """Look at everything, the model with a real completion."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    findings = [
        Finding(name="python", ok=True, text=f"{sys.version.split()[0]} on {platform.platform()}"),
        Finding(name="packages", ok=True, text=versions),
        Finding(
            name="settings",
            ok=not problems,
            text="; ".join(problems)
            or f"{user_file()} {'read' if user_file().exists() else 'does not exist, defaults'}",
        ),
        _watches(),
        _log(log_path(settings.log)),
    ]
    return [*findings, *await _model(settings)]


def _watches() -> Finding:
    try:
        count = int(_WATCHES.read_text())
    except (OSError, ValueError):
        return Finding(name="file watches", ok=True, text="no limit known on this system")
    ok = count >= _FEW_WATCHES
    text = f"up to {count} directories" + ("" if ok else "; raise fs.inotify.max_user_watches for large projects")
    return Finding(name="file watches", ok=ok, text=text)


def _log(path: Path) -> Finding:
    """The log file, which the command line has opened at its start, if it can be written."""
    ok = any(isinstance(handler, logging.FileHandler) for handler in logging.getLogger().handlers)
    text = str(path) if ok else f"{path} cannot be written; choose another with repofill.log.file"
    return Finding(name="log", ok=ok, text=text)


async def _model(settings: Settings) -> list[Finding]:
    """Load the model, then complete one line."""
    engine = make_engine(settings)
    started = time.monotonic()
    try:
        if not await engine.ready():
            return [Finding(name="model", ok=False, text=engine.reason)]
        model = engine.model
        size = f"{model.size_bytes >> 20} MiB {model.quantisation}, window {model.context_window}"
        fim = f"infilling {model.fim.family}, {model.fim.layout}"
        text = "; ".join([f"{model.name} at {model.served or model.path}, {size}, {fim}", *model.warnings])
        found = [Finding(name="model", ok=True, text=text)]
        request = FillRequest(context=(), header="# a.py\n", prefix="import o", suffix="\n", deadline_s=60.0)
        answer = await engine.fill(request)
        seconds = time.monotonic() - started
        if answer is None:
            return [*found, Finding(name="engine", ok=False, text=engine.reason or "no answer within 60 s")]
        return [*found, Finding(name="engine", ok=True, text=f"loaded and answered in {seconds:.2f} s")]
    finally:
        await engine.close()
