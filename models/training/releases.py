"""Released packages, fetched by pip and npm and unpacked to the source files that people wrote. Nothing of them is run.

Called by `corpus`.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

Ecosystem = Literal["pypi", "npm"]
ECOSYSTEMS: tuple[Ecosystem, ...] = ("pypi", "npm")

_BATCH, _DOWNLOADS = 12, 4
"""Packages fetched by one call of pip or npm, and calls at a time."""

_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64", "manylinux1_x86_64")

_SCRIPT = re.compile(r"(?<!\.d)(?<!\.min)(\.[cm]?[jt]sx?)$")
_SOURCE_FOLDERS = ("src", "src.ts")
_BUILT_FOLDERS = re.compile(
    r"(^|/)(dist|build|out|output|bundles?|prebuilt|generated|_?(esm|cjs|umd|es)\d*|commonjs|module|lib-esm|node_modules)/",
    re.IGNORECASE,
)
_BUILT = re.compile(
    r"\b(sourceMappingURL=|__webpack_require__|__awaiter|__importDefault|_interopRequire|_createClass\()"
    r"|exports, [\"']__esModule|@babel/runtime|\breact/jsx-runtime|react/compiler-runtime"
)
"""What compilers and bundlers leave behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    ecosystem: Ecosystem
    name: str
    version: str
    licence: str = ""

    @property
    def requirement(self) -> str:
        """As pip or npm is asked for it."""
        return f"{self.name}{'==' if self.ecosystem == 'pypi' else '@'}{self.version}"

    @property
    def folder(self) -> str:
        """Its name as that of a folder: "@tanstack+store" for "@tanstack/store"."""
        return self.name.replace("/", "+")


def fetch(releases: Sequence[Release], cache: Path) -> None:
    """Download the archives that are missing, several at a time. Raises CalledProcessError where one cannot be had."""
    platforms = [option for platform in _PLATFORMS for option in ("--platform", platform)]
    wheels = ["--no-deps", "--only-binary", ":all:", "--python-version", "3.11", *platforms]
    commands: dict[Ecosystem, list[str]] = {
        "pypi": [sys.executable, "-m", "pip", "download", "--quiet", *wheels, "--dest"],
        "npm": ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination"],
    }
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        running = []
        for ecosystem, command in commands.items():
            archives = cache / ecosystem
            archives.mkdir(parents=True, exist_ok=True)
            wanted = [release for release in releases if release.ecosystem == ecosystem]
            missing = [release.requirement for release in wanted if _archive(release, cache) is None]
            batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
            running += [
                pool.submit(subprocess.run, [*command, str(archives), *batch], check=True, stdout=subprocess.DEVNULL)
                for batch in batches
            ]
        for done in running:
            done.result()


def unpack(release: Release, cache: Path) -> Path:
    """The folder with the release's source files, unpacked on first use."""
    root = cache / "packages" / release.requirement.replace("/", "+")
    if root.exists():
        return root
    archive = _archive(release, cache)
    if archive is None:
        raise FileNotFoundError(f"{release.requirement} was not downloaded")
    partial = root.with_name(root.name + ".part")
    partial.mkdir(parents=True, exist_ok=True)
    (_unpack_wheel if release.ecosystem == "pypi" else _unpack_npm)(release, archive, partial)
    return partial.rename(root)


def _archive(release: Release, cache: Path) -> Path | None:
    if release.ecosystem == "npm":
        file = cache / "npm" / f"{release.name.removeprefix('@').replace('/', '-')}-{release.version}.tgz"
        return file if file.exists() else None
    wanted = re.sub(r"[-_.]+", "_", release.name).lower(), release.version
    for path in sorted((cache / "pypi").glob("*.whl")):
        name, version = path.name.split("-")[:2]
        if (re.sub(r"[-_.]+", "_", name).lower(), version) == wanted:
            return path
    return None


def _unpack_wheel(release: Release, wheel: Path, folder: Path) -> None:
    """A third of the wheels go below `src/`, as in many repositories: paths in prompts look like that, too."""
    inside = folder / "src" if number(release.name) % 3 == 0 else folder
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".py") and not _foreign(name):
                archive.extract(name, inside)


def _unpack_npm(release: Release, archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        members = {
            member.name.partition("/")[2]: member for member in tar if member.isfile() and ".." not in member.name
        }
        for name in sources(members):
            file = tar.extractfile(members[name])
            text = file.read().decode("utf-8", "replace") if file is not None else ""
            if not is_built(text):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8", newline="")


def sources(names: Iterable[str]) -> Iterator[str]:
    """Of the files of an npm package those of JavaScript and TypeScript that are not built from others, by their names:
    what is in `src`, where there is one; nothing of a folder for builds, nor a script beside its TypeScript."""
    scripts = [
        name for name in names if _SCRIPT.search(name) and not _BUILT_FOLDERS.search(name) and not _foreign(name)
    ]
    below = [name for name in scripts if name.partition("/")[0] in _SOURCE_FOLDERS]
    typed = {_SCRIPT.sub("", name) for name in scripts if _is_typescript(name)}
    for name in below or scripts:
        if _is_typescript(name) or _SCRIPT.sub("", name) not in typed:
            yield name


def is_built(text: str) -> bool:
    """Whether a compiler or a bundler wrote a script."""
    return _BUILT.search(text) is not None


def _is_typescript(name: str) -> bool:
    return name.rpartition(".")[2] in ("ts", "tsx", "mts", "cts")


def _foreign(name: str) -> bool:
    """Whether a file lies outside the package proper: installed scripts, data, other projects' copies."""
    parts = PurePosixPath(name).parts
    return any(".data" in part or "vendor" in part or part in ("extern", "third_party", "externals") for part in parts)


def number(text: str) -> int:
    """A fixed pseudo-random number for a text, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
