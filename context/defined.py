"""Which files define a name. Made by `context.index`; a value: what an object answers never changes.

A hundred thousand names as a dictionary of tuples take 40 MB; as sorted hashes with the number of a file beside each
they take two. Files that have changed since these were sorted are kept apart.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from types import MappingProxyType

import numpy as np

_MASK = (1 << 64) - 1
_APART = 32
"""Changed files kept apart; with more of them everything is sorted anew."""


@dataclass(frozen=True, slots=True)
class DefinedNames:
    """`keys` are the sorted hashes of names, `files` the numbers in `paths` of the files that define them; what `newer`
    says of a file counts instead of that, and `outdated` are the numbers of these. `more` says by how much that changes
    how many files define a name."""

    paths: Sequence[str] = ()
    keys: array[int] = field(default_factory=lambda: array("Q"))
    files: array[int] = field(default_factory=lambda: array("I"))
    newer: Mapping[str, frozenset[int]] = field(default_factory=lambda: MappingProxyType({}))
    outdated: frozenset[int] = frozenset()
    more: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))

    def files_with(self, name: str, most: int | None = None) -> list[str]:
        """The files that define a name, sorted; none where there are more than `most`. One answer in 10^13 is wrong:
        two names of one hash."""
        key, numbers = self._numbers(name)
        if most is not None and len(numbers) > most + len(self.outdated):
            return []
        found = [self.paths[file] for file in numbers if file not in self.outdated]
        found += [path for path, keys in self.newer.items() if key in keys]
        return [] if most is not None and len(found) > most else sorted(found)

    def counts(self, names: Collection[str]) -> dict[str, int]:
        """How many files define each of some names."""
        keys = array("Q", [hash(name) & _MASK for name in names])
        starts = np.searchsorted(np.asarray(self.keys), np.asarray(keys), "left").tolist()
        ends = np.searchsorted(np.asarray(self.keys), np.asarray(keys), "right").tolist()
        counted = zip(names, keys, starts, ends, strict=True)
        return {name: end - start + self.more.get(key, 0) for name, key, start, end in counted}

    def _numbers(self, name: str) -> tuple[int, array[int]]:
        key = hash(name) & _MASK  # Python's own hash: of this process alone, and kept within the string
        start = bisect_left(self.keys, key)
        return key, self.files[start : bisect_right(self.keys, key, start)]

    def changed(self, files: Iterable[tuple[str, Iterable[str]]]) -> DefinedNames:
        """With other names of some files, each once; a file without any is gone."""
        hashed = {path: array("Q", {hash(name) & _MASK for name in names}) for path, names in files}
        if len(self.newer.keys() | hashed.keys()) > _APART:
            return self._sorted({**self.newer, **hashed})
        newer = {**self.newer, **{path: frozenset(keys) for path, keys in hashed.items()}}
        outdated = self.outdated
        more = Counter(self.more)
        for path, keys in hashed.items():
            more.update(keys)
            more.subtract(self.newer.get(path, ()))
        if first := hashed.keys() - self.newer.keys():
            numbers = list(compress(range(len(self.paths)), map(first.__contains__, self.paths)))
            outdated = outdated.union(numbers)
            for number in numbers:
                more.subtract(np.asarray(self.keys)[np.asarray(self.files) == number].tolist())
        return DefinedNames(self.paths, self.keys, self.files, newer, outdated, more)

    def _sorted(self, newer: Mapping[str, Collection[int]]) -> DefinedNames:
        kept = [path for path in self.paths if path not in newer]
        paths = [*kept, *(path for path, keys in newer.items() if keys)]
        number = {path: at for at, path in enumerate(kept)}
        moved = np.array([number.get(path, -1) for path in self.paths], np.int64)
        old_files = moved[np.frombuffer(self.files, np.uint32)] if self.files else np.zeros(0, np.int64)
        old_keys = np.frombuffer(self.keys, np.uint64)[old_files >= 0] if self.files else np.zeros(0, np.uint64)
        counts = [len(newer[path]) for path in paths[len(kept) :]]
        added = array("Q", (key for path in paths[len(kept) :] for key in newer[path]))
        keys = np.concatenate([old_keys, np.array(added, np.uint64)])
        files = np.concatenate([old_files[old_files >= 0], np.repeat(np.arange(len(kept), len(paths)), counts)])
        order = np.argsort(keys)
        return DefinedNames(
            paths,
            array("Q", keys[order].tobytes()),
            array("I", files[order].astype(np.uint32).tobytes()),
        )
