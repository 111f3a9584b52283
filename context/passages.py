"""Where in a project a text can stand: so that the longest match of a text before the cursor is looked for in a few
files, not in all of them, and functions like those around it neither. Made and asked by `context.index`, searched
through by `context.matches`.

Every file is cut into passages, and of each there is a Bloom filter of its short byte sequences (Bloom 1970; the bits
of a sequence within one word: Putze, Sanders & Singler 2007). A passage that has a needle has all of the needle's
sequences; which ones that are is a few vectorised looks into the filters of all passages. The texts stay in the store.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from repofill.context.matches import LONGEST_NEEDLE, OCCURRENCES

_PASSAGE = 16_384
"""Characters; smaller ones are found more precisely, larger ones are fewer."""
_SEQUENCES = (3, 5)
"""Bytes: the shortest needle, and what is rare enough to tell places apart."""
_CHARACTERS_PER_WORD = 16
"""Of text for a word of 32 bits: two bits a character, of which about a quarter are set in source code."""
_MOST_WORDS = 24_000_000
"""Of all filters together, enough for 384 million characters; files beyond are not searched."""
_SPARE = 1.2
_RECENT = 16
"""Files modified last are searched first."""
_VAIN = 32
"""Passages looked into for a needle that they have not: what is then still to be found is far away, or rare."""
_NEAR = 1_024
"""Passages before and behind a file, in the order of their paths, that are searched for words."""
_FAR = 16
"""So far from the needle's end every fourth sequence is looked for: by then few passages are left, or the needle is
everywhere."""

Words = NDArray[np.uint32]
_Numbers = NDArray[np.int64]


def filters(text: str) -> bytes:
    """The filters of a text's passages, one after the other."""
    return b"".join(_filter(text[start : start + _PASSAGE + LONGEST_NEEDLE], words) for start, words in _layout(text))


def _layout(text: str) -> Iterator[tuple[int, int]]:
    sizes = _words(np.array([len(text)]))[1]
    return ((number * _PASSAGE, int(size)) for number, size in enumerate(sizes))


def _words(characters: _Numbers) -> tuple[_Numbers, _Numbers]:
    """Of files so long: to which each passage belongs, and the size of its filter in words."""
    counts = np.maximum(-(-characters // _PASSAGE), 1)
    file = np.repeat(np.arange(len(characters)), counts)
    number = np.arange(len(file)) - np.repeat(np.cumsum(counts) - counts, counts)
    length = np.minimum(characters[file] - number * _PASSAGE, _PASSAGE)
    return file, length // _CHARACTERS_PER_WORD + 1


def _filter(text: str, words: int) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    windows = np.ndarray((len(data),), "<u8", data + bytes(8), strides=(1,))  # from each byte on
    bits = np.zeros(words * 32, np.uint8)
    for size in _SEQUENCES:
        joined = windows[: max(len(data) - size + 1, 0)] & np.uint64((1 << 8 * size) - 1)
        place, first, second = _hash(joined)
        place *= np.uint64(words)  # in place: new memory for every step takes longer than the step
        place >>= np.uint64(32)
        place <<= np.uint64(5)
        first += place
        second += place
        bits[first.view(np.int64)] = bits[second.view(np.int64)] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def _hash(joined: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """32 bits that choose a word, and twice five bits that choose a bit in it, by Fibonacci hashing (Knuth 6.4)."""
    product = joined * np.uint64(0x9E3779B97F4A7C15)
    first, second = product >> np.uint64(27), product >> np.uint64(22)
    first &= np.uint64(31)
    second &= np.uint64(31)
    product >>= np.uint64(32)
    return product, first, second


def _bits(sequences: Sequence[bytes]) -> tuple[NDArray[np.uint64], Words]:
    """Of some sequences the 32 bits that choose a word, and the bits of that word."""
    place, first, second = _hash(np.array([int.from_bytes(each, "little") for each in sequences], np.uint64))
    return place, (np.uint64(1) << first | np.uint64(1) << second).astype(np.uint32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Of one file. `digest` identifies its text of so many characters, last modified at `modified_ns`."""

    digest: bytes
    characters: int
    modified_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Passages:
    """Of many files, sorted by path; never changed. `file` says to which of `paths` each passage belongs, `first` which
    passage of each file is its first, one more at the end; a filter is `words` words of `arena` from `start` on.
    `recent` are the files modified last, by number, the latest first."""

    paths: Sequence[str] = ()
    digests: Sequence[bytes] = ()
    recent: Sequence[int] = ()
    file: _Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    first: _Numbers = field(default_factory=lambda: np.zeros(1, np.int64))
    start: _Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    words: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    arena: Words = field(default_factory=lambda: np.zeros(0, np.uint32))

    def richest(self, words: Sequence[str], most: int, left_out: str) -> list[tuple[str, int, int]]:
        """The `most` passages near a file, but not in it, in which the most of some words stand, of five letters or
        more: each as its file's path and from which character to which it reaches. A word counts by its inverse
        document frequency, as in BM25."""
        number = bisect.bisect_left(self.paths, left_out)
        start = max(int(self.first[min(number, len(self.first) - 1)]) - _NEAR // 2, 0)
        near = np.arange(start, min(start + _NEAR, len(self.start)))
        if number < len(self.paths) and self.paths[number] == left_out:
            near = near[self.file[near] != number]
        holding = self._holding(words, near).astype(np.float64)
        having = holding.sum(axis=1)
        scores = np.log(1 + (len(near) - having + 0.5) / (having + 0.5)) @ holding
        best = [int(near[at]) for at in np.argsort(-scores, kind="stable")[:most] if scores[at] > 0]
        starts = [(passage - int(self.first[self.file[passage]])) * _PASSAGE for passage in best]
        files = [self.paths[self.file[passage]] for passage in best]
        return [(path, at, at + _PASSAGE) for path, at in zip(files, starts, strict=True)]

    def _holding(self, words: Sequence[str], passages: _Numbers) -> NDArray[np.bool_]:
        """Whether a word, first axis, may stand in a passage, second axis: by its first, middle and last sequence."""
        size = _SEQUENCES[-1]
        encoded = [word.encode("utf-8", "surrogatepass") for word in words]
        sequences = [word[at : at + size] for word in encoded for at in (0, (len(word) - size) // 2, len(word) - size)]
        place, mask = (part.reshape(-1, 3, 1) for part in _bits(sequences))
        word = self.start[passages] + ((self.words[passages] * place) >> np.uint64(32)).view(np.int64)
        there = (self.arena[word] & mask) == mask
        kept: NDArray[np.bool_] = there[:, 0] & there[:, 1] & there[:, 2]
        return kept


@dataclass(frozen=True, slots=True)
class _Kept:
    digest: bytes
    characters: int
    modified_ns: int
    start: int
    words: int


class PassageIndex:
    """Keeps up the passages of all files. One writer at a time; what `passages` was, stays true."""

    def __init__(self) -> None:
        self._passages: Passages | None = None
        self._files: dict[str, _Kept] = {}
        self._arena: Words = np.zeros(0, np.uint32)
        self._used = 0

    def update(self, changed: Mapping[str, Filters | None]) -> None:
        """Take over files; None removes one."""
        if not changed:
            return
        new = {path: made for path, made in changed.items() if made is not None}
        for path in changed:
            self._files.pop(path, None)
        self._reserve(sum(len(made.data) for made in new.values()) // 4)
        for path, made in new.items():
            words = np.frombuffer(made.data, np.dtype("<u4"))
            if self._used + len(words) <= len(self._arena):
                self._arena[self._used : self._used + len(words)] = words
                self._files[path] = _Kept(made.digest, made.characters, made.modified_ns, self._used, len(words))
                self._used += len(words)
        self._passages = None

    @property
    def passages(self) -> Passages:
        """Those of all files. Laid out when they are asked for."""
        if self._passages is None:
            self._passages = self._laid_out()
        return self._passages

    def reserve(self, characters: Iterable[int]) -> None:
        """Make room for files so long that are going to come, once instead of time and again."""
        self._reserve(int(_words(np.array([*characters], np.int64))[1].sum()))

    def _laid_out(self) -> Passages:
        paths = sorted(self._files)
        files = [self._files[path] for path in paths]
        file, words = _words(np.array([kept.characters for kept in files], np.int64))
        first = np.searchsorted(file, np.arange(len(files) + 1))
        before = np.cumsum(words) - words
        start = np.array([kept.start for kept in files], np.int64)
        latest = np.array([-kept.modified_ns for kept in files], np.int64)
        return Passages(
            paths=paths,
            digests=[kept.digest for kept in files],
            recent=np.argsort(latest, kind="stable")[:_RECENT].tolist(),
            file=file,
            first=first,
            start=before + (start - before[first[:-1]])[file] if files else start,
            words=words.astype(np.uint64),
            arena=self._arena,
        )

    def _reserve(self, words: int) -> None:
        """Make room at the end of the arena: in a new one, without what is no longer used, if need be."""
        if self._used + words <= len(self._arena):
            return
        live = sum(kept.words for kept in self._files.values())
        arena = np.zeros(min(int((live + words) * _SPARE), max(_MOST_WORDS, live)), np.uint32)
        used = 0
        for path, kept in self._files.items():
            arena[used : used + kept.words] = self._arena[kept.start : kept.start + kept.words]
            self._files[path] = replace(kept, start=used)
            used += kept.words
        self._arena, self._used = arena, used


class Nearby:
    """The texts of many files as one source to copy from: first those modified last, then the files in the order of
    their paths from `path` on, around to it. `load` gives the text that a digest identifies; the files of
    `left_out` do not count. For one cursor."""

    origin = "project"

    def __init__(
        self,
        passages: Passages,
        path: str,
        left_out: Callable[[str], bool],
        load: Callable[[str, bytes], str | None],
    ) -> None:
        self._passages = passages
        self._left_out = left_out
        self._load = load
        self._from = bisect.bisect_left(passages.paths, path)
        self._texts: dict[int, str | None] = {}
        self._needle = b""
        self._holding: dict[int, _Numbers] = {}

    def occurrences(self, needle: str) -> Iterator[tuple[int, str, int]]:
        """The first places that end with `needle`: the file's number, its text and the offset."""
        seen = vain = 0
        for file, number in self._in_order(needle):
            text = self._text(file)
            if text is None:
                continue
            end = number * _PASSAGE + _PASSAGE + len(needle) - 1
            at = text.find(needle, number * _PASSAGE, end)
            vain += at < 0
            while at >= 0:
                yield file, text, at + len(needle)
                seen += 1
                if seen == OCCURRENCES:
                    return
                at = text.find(needle, at + 1, end)
            if vain == _VAIN:
                return

    def _text(self, file: int) -> str | None:
        if file not in self._texts:
            path = self._passages.paths[file]
            self._texts[file] = None if self._left_out(path) else self._load(path, self._passages.digests[file])
        return self._texts[file]

    def _in_order(self, needle: str) -> Iterator[tuple[int, int]]:
        """The passages that may hold it, each as the file's number and its own in the file."""
        here = self._passages
        holding = self._filtered(needle.encode("utf-8", "surrogatepass"))
        start = int(np.searchsorted(holding, here.first[self._from]))
        for file in here.recent:
            low, high = np.searchsorted(holding, here.first[file : file + 2])
            yield from ((file, int(passage - here.first[file])) for passage in holding[low:high])
        for passages in (holding[start:], holding[:start]):
            for passage in passages:  # one by one: mostly the first few are enough
                file = int(here.file[passage])
                if file not in here.recent:
                    yield file, int(passage - here.first[file])

    def _filtered(self, needle: bytes) -> _Numbers:
        """The passages with all sequences of a needle, sorted. What holds a needle holds its end, so one pass from the
        end to the beginning answers for all of its ends, too, which are asked for next."""
        if not self._needle.endswith(needle) or len(needle) not in self._holding:
            self._needle, self._holding = needle, self._passes(needle)
        return self._holding[len(needle)]

    def _passes(self, needle: bytes) -> dict[int, _Numbers]:
        """By length the passages that may hold that much of the needle's end, from the longest sequence on: what is
        rare goes first, since it leaves the least to look at."""
        here = self._passages
        shortest = min(_SEQUENCES[-1], len(needle))
        sequences = {length: _sequences(needle, length) for length in range(shortest, len(needle) + 1)}
        bits = zip(*_bits([each for some in sequences.values() for each in some]), strict=True)
        left = np.arange(len(here.start))
        start, words = here.start, here.words
        found = {}
        for length, some in sequences.items():
            for place, mask in islice(bits, len(some)):
                word = start + ((words * place) >> np.uint64(32)).view(np.int64)
                kept = np.flatnonzero((here.arena[word] & mask) == mask)
                left, start, words = left[kept], start[kept], words[kept]
            found[length] = left
        return found


def _sequences(needle: bytes, length: int) -> list[bytes]:
    """What is looked for of so much of a needle's end, but for what is of less."""
    end, longest = needle[-length:], _SEQUENCES[-1]
    if length <= longest:
        return [end[at : at + size] for size in reversed(_SEQUENCES) for at in range(length - size + 1)]
    return [] if length > _FAR and length % 4 else [end[:longest]]
