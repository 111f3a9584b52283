"""From released packages to a folder of workspaces, one per package: fetch, filter, deduplicate. Called by `__main__`.

The filter is the `context` package's own; the dependency order comes with the index that `tokens` builds of each
workspace, so the model sees in training what the server builds for a cursor.
"""

from __future__ import annotations

import ast
import hashlib
import re
import shutil
import tomllib
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from repofill.context.languages import language_of, syntax
from repofill.context.scan import read_source, scan
from repofill.models.training.releases import ECOSYSTEMS, Ecosystem, Release, fetch, number, unpack

MANIFEST = Path(__file__).with_name("manifest.toml")

_PACKAGE_BYTES: Mapping[Ecosystem, int] = MappingProxyType({"pypi": 4_200_000, "npm": 2_500_000})
"""No package gives more: variety beats the bulk of a few huge ones."""

_TEST_SHARE = 10
"""One test file in so many is kept: tests repeat themselves."""

_SHINGLE, _PERMUTATIONS, _SIMILARITY = 5, 256, 0.7

_BANDS = 32
"""Two signatures are compared if one of so many bands is equal: 8 values each, which few similar texts miss."""

_Signature = NDArray[np.uint32]
_VALIDATION_SHARE = 40
_TEST = re.compile(
    r"(^|/)(tests?|testing|__tests__)/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$|\.(test|spec)\.[cm]?[jt]sx?$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`held_out` packages are never trained on; `left_out` are files, as paths in the corpus, that share ten words in a
    row with a public benchmark (`contamination` finds them)."""

    packages: tuple[Release, ...]
    held_out: tuple[Release, ...]
    left_out: frozenset[str]


def read_manifest(path: Path = MANIFEST) -> Manifest:
    table = tomllib.loads(path.read_text(encoding="utf-8"))

    def releases(kind: str) -> tuple[Release, ...]:
        return tuple(Release(ecosystem=name, **entry) for name in ECOSYSTEMS for entry in table[name][kind])

    return Manifest(packages=releases("packages"), held_out=releases("held_out"), left_out=frozenset(table["left_out"]))


def build_corpus(manifest: Manifest, cache: Path, output: Path) -> Counter[str]:
    """Write the files that are kept to `output`/ECOSYSTEM/PACKAGE; return how many files fell out and why.

    Raises CalledProcessError where a release cannot be fetched.
    """
    releases = (*manifest.held_out, *manifest.packages)
    fetch(releases, cache)
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
            folder = Path(release.ecosystem, release.folder)
            clean = {path: text for path, text in kept.items() if (folder / path).as_posix() not in manifest.left_out}
            fate["in a benchmark"] += len(kept) - len(clean)
            chosen = limited(clean, _PACKAGE_BYTES[release.ecosystem])
            fate["over the package's share"] += len(clean) - len(chosen)
            for path, text in chosen.items():
                language = language_of(path)
                name = language.name if language is not None else ""
                fate[f"{name} kept"] += 1
                fate[f"{name} bytes"] += len(text.encode())
                file = output / folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="")
    return fate


def workspaces(corpus: Path, ecosystem: Ecosystem, *, validation: bool) -> list[Path]:
    """The packages of a corpus that are trained on, or those set aside for validation, in a fixed order."""
    folders = sorted((corpus / ecosystem).iterdir())
    return [folder for folder in folders if is_validation(folder.name) == validation]


def files_of(folder: Path) -> list[Path]:
    """The files of a package, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def read_package(root: Path) -> dict[str, str]:
    """path -> text of the files that pass the server's own filter, parse and are not mostly empty."""
    texts = {}
    for path in scan(root):
        text = read_source(root, path)
        if text is None or len(text) < 200 or _left_out_test(path):
            continue
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if _parses(path, text):
            texts[path] = text
    return texts


def _left_out_test(path: str) -> bool:
    return _TEST.search(path) is not None and number(path) % _TEST_SHARE != 0


def _parses(path: str, text: str) -> bool:
    if not path.endswith(".py"):
        return not syntax_of(path, text).root.has_error
    with warnings.catch_warnings():  # more exact than a grammar, which takes Python 2 as well
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def syntax_of(path: str, text: str) -> syntax.Source:
    """A text as the grammar of its file's language reads it."""
    language = language_of(path)
    assert language is not None
    assert language.support is not None
    assert language.support.read is not None
    return language.support.read(path, text.encode("utf-8", "replace"))


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
