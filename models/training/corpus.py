"""From released packages to a folder of workspaces, one per package: fetch, filter, deduplicate. Called by `__main__`.

The filter is the `context` package's own; the dependency order comes with the index that `tokens` builds of each
workspace, so the model sees in training what the server builds for a cursor.
"""

from __future__ import annotations

import ast
import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from repofill.context.scan import read_source, scan

MANIFEST = Path(__file__).with_name("manifest.toml")

_BATCH, _DOWNLOADS = 12, 4
"""Wheels fetched by one call of pip, and calls at a time."""

_PACKAGE_BYTES = 4_200_000
"""No package gives more: variety beats the bulk of a few huge ones."""

_TEST_SHARE = 10
"""One test file in so many is kept: tests repeat themselves."""

_SHINGLE, _PERMUTATIONS, _SIMILARITY = 5, 256, 0.7

_BANDS = 32
"""Two signatures are compared if one of so many bands is equal: 8 values each, which few similar texts miss."""

_Signature = NDArray[np.uint32]
_VALIDATION_SHARE = 40
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64", "manylinux1_x86_64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    name: str
    version: str
    licence: str = ""

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`held_out` packages are never trained on; `left_out` are files, as PACKAGE/PATH, that share ten words in a row
    with a public benchmark (`contamination` finds them)."""

    packages: tuple[Release, ...]
    held_out: tuple[Release, ...]
    left_out: frozenset[str]


def read_manifest(path: Path = MANIFEST) -> Manifest:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Manifest(
        packages=tuple(Release(**entry) for entry in table["packages"]),
        held_out=tuple(Release(**entry) for entry in table["held_out"]),
        left_out=frozenset(table["left_out"]),
    )


def build_corpus(manifest: Manifest, cache: Path, output: Path) -> Counter[str]:
    """Write the files that are kept to `output`/PACKAGE; return how many files fell out and why.

    Raises CalledProcessError where a release cannot be fetched.
    """
    releases = (*manifest.held_out, *manifest.packages)
    fetch(releases, cache / "wheels")
    roots = {release: unpack(release, cache) for release in releases}
    shutil.rmtree(output, ignore_errors=True)
    fate: Counter[str] = Counter()
    seen = NearDuplicates()
    with ProcessPoolExecutor() as pool:
        read = pool.map(read_package, roots.values(), chunksize=1)
        for release, texts in zip(roots, read, strict=True):
            kept = {path: text for path, text in texts.items() if not seen.add(text)}
            fate["duplicate"] += len(texts) - len(kept)
            if release in manifest.held_out:
                continue
            clean = {path: text for path, text in kept.items() if f"{release.name}/{path}" not in manifest.left_out}
            fate["in a benchmark"] += len(kept) - len(clean)
            chosen = limited(clean, _PACKAGE_BYTES)
            fate["over the package's share"] += len(clean) - len(chosen)
            fate["kept"] += len(chosen)
            fate["kept bytes"] += sum(len(text.encode()) for text in chosen.values())
            for path, text in chosen.items():
                file = output / release.name / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="")
    return fate


def workspaces(corpus: Path, *, validation: bool) -> list[Path]:
    """The packages of a corpus that are trained on, or those set aside for validation, in a fixed order."""
    return [folder for folder in sorted(corpus.iterdir()) if is_validation(folder.name) == validation]


def texts_of(folder: Path) -> Iterator[str]:
    """The texts of a package, in a fixed order."""
    return (path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))


def fetch(releases: Sequence[Release], wheels: Path) -> None:
    """Download the wheels that are missing, several at a time."""
    missing = [release.requirement for release in releases if not any(_wheels_of(release, wheels))]
    platforms = [option for platform in _PLATFORMS for option in ("--platform", platform)]
    options = ["--no-deps", "--only-binary", ":all:", "--python-version", "3.11", *platforms, "--dest", str(wheels)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options]
    batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        for done in [pool.submit(subprocess.run, [*command, *batch], check=True) for batch in batches]:
            done.result()


def unpack(release: Release, cache: Path) -> Path:
    """The folder with the release's Python files, unpacked from its wheel on first use.

    A third of them lie under `src/`, as in many repositories: paths in prompts look like that, too.
    """
    root = cache / "packages" / release.requirement
    if root.exists():
        return root
    wheel = next(_wheels_of(release, cache / "wheels"))
    partial = root.with_name(root.name + ".part")
    inside = partial / "src" if number(release.name) % 3 == 0 else partial
    inside.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".py") and not _foreign(name):
                archive.extract(name, inside)
    return partial.rename(root)


def _wheels_of(release: Release, wheels: Path) -> Iterator[Path]:
    wanted = re.sub(r"[-_.]+", "_", release.name).lower(), release.version
    for path in sorted(wheels.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        if (re.sub(r"[-_.]+", "_", name).lower(), version) == wanted:
            yield path


def _foreign(name: str) -> bool:
    """Whether a file of a wheel lies outside the package proper: installed scripts, data, other projects' copies."""
    parts = PurePosixPath(name).parts
    return any(".data" in part or "vendor" in part or part in ("extern", "third_party", "externals") for part in parts)


def read_package(root: Path) -> dict[str, str]:
    """path -> text of the files that pass the server's own filter, parse as Python and are not mostly empty."""
    texts = {}
    for path in scan(root):
        text = read_source(root, path)
        if text is None or len(text) < 200 or _left_out_test(path):
            continue
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if _parses(text):
            texts[path] = text
    return texts


def _left_out_test(path: str) -> bool:
    test = re.search(r"(^|/)(tests?|testing)/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$", path)
    return test is not None and number(path) % _TEST_SHARE != 0


def _parses(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def number(text: str) -> int:
    """A fixed pseudo-random number for a text, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def is_validation(package: str) -> bool:
    """Whole packages are set aside, one in forty, so the loss on them says something about unseen projects."""
    return number(package) % _VALIDATION_SHARE == 7


def limited(texts: Mapping[str, str], most_bytes: int) -> dict[str, str]:
    """Whole folders, in a fixed random order, until the bytes are used up: neighbours import one another."""
    chosen: dict[str, str] = {}
    left = most_bytes
    for path in sorted(texts, key=lambda path: (number(str(PurePosixPath(path).parent)), path)):
        if (size := len(texts[path])) <= left:
            chosen[path] = texts[path]
            left -= size
    return chosen


class NearDuplicates:
    """Remembers texts; a text is a duplicate if an earlier one is equal up to white space, or has an estimated
    Jaccard similarity of 0.7 in word 5-grams (MinHash, 256 permutations, as DeepSeek Coder's data)."""

    def __init__(self) -> None:
        self._exact: set[bytes] = set()
        self._signatures: list[_Signature] = []
        self._bands: dict[bytes, list[int]] = defaultdict(list)
        random = np.random.default_rng(0)
        self._factors = random.integers(1, 2**63, (_PERMUTATIONS, 1), dtype=np.uint64) | np.uint64(1)
        self._terms = random.integers(0, 2**63, (_PERMUTATIONS, 1), dtype=np.uint64)

    def add(self, text: str) -> bool:
        """Whether the text is a duplicate; if it is not, it is remembered."""
        words = re.findall(r"\w+|[^\w\s]", text)
        digest = hashlib.blake2b(" ".join(words).encode(), digest_size=16).digest()
        if digest in self._exact:
            return True
        self._exact.add(digest)
        signature = self._signature(words)
        rows = _PERMUTATIONS // _BANDS
        bands = [bytes([band]) + signature[band * rows :][:rows].tobytes() for band in range(_BANDS)]
        near = {index for band in bands for index in self._bands.get(band, ())}
        if any(np.mean(self._signatures[index] == signature) >= _SIMILARITY for index in near):
            return True
        for band in bands:
            self._bands[band].append(len(self._signatures))
        self._signatures.append(signature)
        return False

    def _signature(self, words: list[str]) -> _Signature:
        """The least of each permutation's 32-bit values over the shingles (multiply-shift hashing)."""
        codes = np.array([number_of_word(word) for word in words], dtype=np.uint64)
        shingles = np.zeros(max(len(codes) - _SHINGLE + 1, 1), dtype=np.uint64)
        for offset in range(min(_SHINGLE, len(codes))):
            shingles = shingles * np.uint64(0x9E3779B97F4A7C15) + codes[offset : offset + len(shingles)]
        shingles = np.unique(shingles ^ (shingles >> np.uint64(29)))
        least = np.full(_PERMUTATIONS, 2**32 - 1, dtype=np.uint64)
        for start in range(0, len(shingles), 1024):
            values = (self._factors * shingles[start : start + 1024] + self._terms) >> np.uint64(32)
            least = np.minimum(least, values.min(axis=1))
        return least.astype(np.uint32)


def number_of_word(word: str, _known: dict[str, int] = {}) -> int:  # noqa: B006 - the memory is the purpose
    if word not in _known:
        _known[word] = number(word)
    return _known[word]
