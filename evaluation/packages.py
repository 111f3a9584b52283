"""Real packages to measure on, fetched from the package index by name and version, never trained on."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import platformdirs

REPORTED = (
    "prompt_toolkit==3.0.53",
    "trio==0.35.0",
    "werkzeug==3.1.9",
    "httpx==0.28.1",
    "pygls==2.1.1",
    "watchdog==7.1.0",
)
"""Figures are reported on these."""

TUNED = ("starlette==1.10.0", "textual==8.2.8", "networkx==3.6.1", "tornado==6.6.1")
"""The ranking's weights are fitted on these."""


class FetchError(Exception):
    """A package could not be fetched; the message says what to do, in one line."""


def fetch(requirement: str) -> Path:
    """The folder that holds the package's source, as a workspace of its own; downloads its wheel on first use."""
    folder = platformdirs.user_cache_path("repofill") / "packages" / requirement.replace("==", "-")
    if not folder.is_dir():
        wheels = folder.with_name(folder.name + ".wheels")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--dest", str(wheels), requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = sorted(wheels.glob("*.whl"))
        if done.returncode or not found:
            reason = (done.stderr.strip().splitlines() or ["pip printed nothing"])[-1]
            raise FetchError(f"{requirement} could not be downloaded, check the network and pip's settings: {reason}")
        unpacked = folder.with_name(folder.name + ".part")
        with zipfile.ZipFile(found[-1]) as wheel:
            wheel.extractall(unpacked, [name for name in wheel.namelist() if name.endswith((".py", ".pyi"))])
        unpacked.rename(folder)
    return folder
