"""Packages of the npm registry, fetched by `npm pack`: nothing of them is run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import platformdirs

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import debian


def package(name: str, version: str, *without: str) -> Path:
    """The folder of a published package, downloaded on first use, less what the glob patterns `without` match."""
    folder = platformdirs.user_cache_path("repofill") / "packages" / f"npm-{name.replace('/', '-')}-{version}"
    if not folder.is_dir():
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        command = [debian.program("npm", "npm"), "pack", "--silent", f"{name}@{version}"]
        done = subprocess.run(command, cwd=part, capture_output=True, text=True, check=False)
        archive = next(part.glob("*.tgz"), None)
        if archive is None:
            raise BenchmarkError(f"npm failed, check the network and npm's settings: {done.stderr.strip()[-300:]}")
        debian.unpack(archive, part / "tree", *without)
        (part / "tree").rename(folder)
        shutil.rmtree(part)
    return folder
