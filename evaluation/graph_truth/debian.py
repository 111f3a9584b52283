"""Packages of Debian, fetched by apt-get with lists of its own: nothing of the system is changed."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import platformdirs

from repofill.evaluation.figures import BenchmarkError

_SUITE = "bookworm"
_HELPER = "/usr/lib/apt/apt-helper"
_ARCHIVE = re.compile(r"^'(\S+)' (\S+\.orig\.tar\.\w+) \d+ (\S+)$", re.MULTILINE)


def source(package: str, version: str, suite: str = _SUITE) -> Path:
    """The folder of an upstream source tree, without Debian's patches; downloaded on first use."""
    folder = platformdirs.user_cache_path("repofill") / "packages" / f"{package}-{version}"
    if not folder.is_dir():
        apt = folder.with_name(f"apt-source-{suite}")
        command = _apt(apt, suite=suite)
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        _run([*command, "update"], apt)
        _run([*command, "source", "--download-only", f"{package}={version}"], part)
        _run(
            [
                "dpkg-source",
                "--no-check",
                "--skip-patches",
                "-x",
                next(str(file) for file in part.glob("*.dsc")),
                "tree",
            ],
            part,
        )
        (part / "tree").rename(folder)
        shutil.rmtree(part)
    return folder


def upstream(package: str, version: str, *without: str) -> Path:
    """The folder of the main archive alone, of a source package that is made of several, less what the glob patterns
    `without` match; downloaded on first use."""
    folder = platformdirs.user_cache_path("repofill") / "packages" / f"{package}-{version}"
    if not folder.is_dir():
        apt = folder.with_name("apt")
        command = _apt(apt)
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        _run([*command, "update"], apt)
        listed = _run([*command, "source", "--print-uris", f"{package}={version}"], part)
        uri, _, digest = next(_ARCHIVE.finditer(listed)).groups()
        archive = part / "archive"
        _run([_HELPER, *command[2:], "download-file", uri, str(archive), digest], part)
        unpack(archive, part / "tree", *without)
        (part / "tree").rename(folder)
        shutil.rmtree(part)
    return folder


def binary(*packages: str, suite: str = _SUITE, dependencies: bool = False) -> Path:
    """The folder with the files of binary packages, each "name=version", as they would lie below "/", and with
    `dependencies` those of all that they need, so that they run beside any system; downloaded on first use. Nothing is
    installed."""
    folder = platformdirs.user_cache_path("repofill") / "packages" / "+".join(packages).replace("=", "-")
    if not folder.is_dir():
        apt = folder.with_name(f"apt-{suite}")
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        (part / "partial").mkdir(parents=True)
        command = [*_apt(apt, "deb", suite), "-o", f"Dir::Cache::archives={part}", "-o", "Dir::State::status=/dev/null"]
        _run([*command, "update"], apt)
        wanted = ["install", "--yes", "--download-only", "--no-install-recommends"] if dependencies else ["download"]
        _run([*command, *wanted, *packages], part)
        for archive in sorted(part.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(archive), "tree"], part)
        (part / "tree").rename(folder)
        shutil.rmtree(part)
    return folder


def unpack(archive: Path, folder: Path, *without: str) -> None:
    """An archive with one folder in it, as `folder`, less what the glob patterns `without` match."""
    inner = folder.with_name(f"{folder.name}.inner")
    with tarfile.open(archive) as opened:
        opened.extractall(inner, filter="data")
    next(inner.iterdir()).rename(folder)
    inner.rmdir()
    for pattern in without:
        for unwanted in sorted(folder.glob(pattern)):
            if unwanted.is_dir():
                shutil.rmtree(unwanted)
            else:
                unwanted.unlink()


def program(name: str, package: str) -> str:
    """The path of an installed program, or an error that says which package has it."""
    path = shutil.which(name)
    if path is None:
        raise BenchmarkError(f"{name} is missing: install Debian's {package}, or what your system calls it")
    return path


def _apt(home: Path, kind: str = "deb-src", suite: str = _SUITE) -> list[str]:
    """apt-get with lists and caches under `home`, and the mirror that the system uses, for packages of a kind."""
    program("dpkg-source", "dpkg-dev")
    for folder in ("lists/partial", "archives/partial"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    mirrors = _run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"], home).split()
    if not mirrors:
        raise BenchmarkError("apt-get knows no mirror of Debian's archive")
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (home / "sources.list").write_text(f"{kind} [signed-by={keys}] {mirrors[0]} {suite} main\n")
    options = {
        "Dir::Etc::sourcelist": home / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": home,
        "Dir::State::lists": home / "lists",
        "Dir::Cache::archives": home / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "root",
    }
    return ["apt-get", "-qq", *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BenchmarkError(f"{command[0]} is missing: the projects are Debian's source packages") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise BenchmarkError(f"{command[0]} failed, check the network and apt's settings: {reason}")
    return done.stdout
