"""Selection: which definitions of other files a cursor is likely to need. Pure; called by `context.index`.

Names lead to definitions: those that the file's imports bring, what belongs to them (members, base classes, the types
in their signatures), and definitions anywhere that are called like a word near the cursor. Each gets the probability
that what is written at the cursor uses it, by a logistic model of how it was reached and how near its name stands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Literal, Protocol

from repofill.context.languages.support import Resolution
from repofill.context.outline import Definition, Outline

Reach = Literal["named", "member", "module", "visible", "base", "type", "word", "dependency", "recent"]

_WORD = re.compile(r"[^\W\d]\w*")
_NEAR_CHARACTERS = 12_000
"""Of the text on each side of the cursor that words are taken from."""
_HOMONYMS = 6
"""Definitions of one name looked at, anywhere in the workspace; of a name that many share, none says much."""
_HOPS = 2
_MOST = 4000
_MOST_NEIGHBOURS = 50
_NEIGHBOUR = 0.1
"""The value of a file about which nothing is known but its name."""


class View(Protocol):
    """What selection sees of a workspace at one moment."""

    def outline(self, path: str) -> Outline | None:
        """The outline of a file, None without one."""

    def text(self, path: str) -> str | None:
        """Its text, which the outline's offsets belong to."""

    def digest(self, path: str) -> bytes | None:
        """What identifies that text."""

    def resolution(self, path: str) -> Resolution:
        """What its imports lead to."""

    def defining(self, name: str) -> Sequence[str]:
        """Paths of files with a definition of this name at any level."""

    def recent(self) -> Sequence[str]:
        """Paths of the files that the user has open, the latest last."""

    def beside(self, path: str) -> Sequence[str]:
        """Paths of the files in the same folder with the same ending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A definition of another file: the `number`th of the outline of `path`. `value` is the probability that it is
    used at the cursor."""

    path: str
    number: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the probability of a piece is computed from. Distances are in words from the cursor, the nearest mention
    counts, None where there is none."""

    reach: Reach
    hops: int
    distance: int | None
    mentions: int
    owner_distance: int | None
    homonyms: int
    kind: str
    private: bool
    size: int


def pieces(view: View, path: str, before: str, after: str) -> list[Piece]:
    """The definitions of other files that the cursor between `before` and `after` in `path` may need, the most
    probable first; ties in a fixed order."""
    found = features(view, path, before, after)
    if not found and view.outline(path) is None:
        return _neighbours(view, path)
    scored = [Piece(path=p, number=n, value=probability(f)) for (p, n), f in found.items()]
    return sorted(scored, key=lambda piece: (-piece.value, piece.path, piece.number))


def _neighbours(view: View, path: str) -> list[Piece]:
    """For a language without a grammar here: whole files in the same folder, those with the most similar name first."""
    name = path.rpartition("/")[2]
    scored = [
        Piece(path=other, number=0, value=_NEIGHBOUR * SequenceMatcher(None, name, other.rpartition("/")[2]).ratio())
        for other in view.beside(path)[:_MOST_NEIGHBOURS]
        if view.outline(other) is None
    ]
    return sorted(scored, key=lambda piece: (-piece.value, piece.path))


def probability(piece: Features) -> float:
    """That a definition is used at the cursor."""
    score = _BIAS + _REACH[piece.reach] + _HOP * piece.hops + _KIND.get(piece.kind, 0.0)
    if piece.distance is not None:
        score += _MENTIONED + _NEARNESS / (1 + math.log1p(piece.distance)) + _MENTIONS * math.log1p(piece.mentions)
    if piece.owner_distance is not None:
        score += _OWNER + _OWNER_NEARNESS / (1 + math.log1p(piece.owner_distance))
    score += _PRIVATE * piece.private + _HOMONYM * math.log(max(piece.homonyms, 1)) + _SIZE * math.log1p(piece.size)
    return 1 / (1 + math.exp(-score))


_BIAS = -5.0
_REACH: Mapping[Reach, float] = {
    "named": 2.5,
    "member": 0.8,
    "module": 0.5,
    "visible": 0.5,
    "base": 1.0,
    "type": 0.3,
    "word": 0.0,
    "dependency": -0.5,
    "recent": -0.5,
}
_HOP = -0.5
_KIND: Mapping[str, float] = {"class": 0.3, "variable": -0.3}
_MENTIONED = 0.5
_NEARNESS = 3.0
_MENTIONS = 0.4
_OWNER = 0.2
_OWNER_NEARNESS = 1.5
_PRIVATE = -1.0
_HOMONYM = -0.5
_SIZE = 0.0


def features(view: View, path: str, before: str, after: str) -> dict[tuple[str, int], Features]:
    """Every definition that can be reached from the cursor, by file and number, with its features; the first way to
    reach it counts, and the ways are tried in the order of their promise."""
    return _Search(view, path, _Words(before, after)).run()


class _Words:
    """The words around a cursor, by how far from it they stand."""

    def __init__(self, before: str, after: str) -> None:
        left = _WORD.findall(before, max(0, len(before) - _NEAR_CHARACTERS))
        right = _WORD.findall(after, 0, _NEAR_CHARACTERS)
        head = _WORD.findall(before, 0, max(0, len(before) - _NEAR_CHARACTERS))
        self.distances: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        for side in (left[::-1], right):
            for distance, word in enumerate(side):
                self.distances[word] = min(distance, self.distances.get(word, distance))
                self.counts[word] = self.counts.get(word, 0) + 1
        for word in head:
            self.counts[word] = self.counts.get(word, 0) + 1
            self.distances.setdefault(word, len(left) + len(head))


@dataclass(slots=True)
class _Search:
    view: View
    path: str
    words: _Words
    found: dict[tuple[str, int], Features] = field(default_factory=dict)

    def run(self) -> dict[tuple[str, int], Features]:
        resolution = self.view.resolution(self.path)
        own = self.view.outline(self.path)
        for binding in resolution.bindings:
            if binding.name not in ("", "*"):
                self._named(binding.path, binding.name, "named", 0, binding.local)
        for binding in resolution.bindings:
            if binding.name == "":
                self._top_level(binding.path, "module", binding.local)
        for binding in resolution.bindings:
            if binding.name == "*":
                self._top_level(binding.path, "visible", "")
        known = {definition.name for definition in own.definitions} if own is not None else set()
        self._words(known | {binding.local for binding in resolution.bindings})
        for target in sorted(resolution.dependencies):
            self._everything(target, "dependency")
        for target in reversed(self.view.recent()):
            self._everything(target, "recent")
        return self.found

    def _named(self, path: str, name: str, reach: Reach, hops: int, local: str) -> None:
        """The definition of `name` in `path`, what belongs to it, and what its signature speaks of."""
        outline = self.view.outline(path)
        if outline is None:
            return
        for number, definition in enumerate(outline.definitions):
            if definition.name == name and not definition.parent and (path, number) not in self.found:
                self._add(path, number, definition, reach, hops, local)
                self._members(path, outline, definition, "member" if reach == "named" else reach, hops, local)
                if hops < _HOPS:
                    self._spoken_of(path, outline, definition, hops + 1)

    def _members(self, path: str, outline: Outline, owner: Definition, reach: Reach, hops: int, local: str) -> None:
        if owner.kind != "class":
            return
        for number, definition in enumerate(outline.definitions):
            if definition.parent == owner.qualified or definition.parent.startswith(f"{owner.qualified}."):
                self._add(path, number, definition, reach, hops, local)

    def _spoken_of(self, path: str, outline: Outline, definition: Definition, hops: int) -> None:
        """Base classes and the types of parameters, results and fields: names in the signatures of a definition and of
        its members."""
        text = self.view.text(path)
        if text is None:
            return
        signatures = [text[definition.signature : definition.body_start]]
        if definition.kind == "class":
            signatures += [
                text[d.signature : min(d.body_start, d.signature + 400)]
                for d in outline.definitions
                if d.parent == definition.qualified
            ]
        first, *others = [dict.fromkeys(_WORD.findall(signature)) for signature in signatures]
        bindings = {binding.local: binding for binding in self.view.resolution(path).bindings}
        names = outline.interface.names
        ways: list[tuple[Reach, dict[str, None]]] = [("base" if definition.kind == "class" else "type", first)]
        ways.append(("type", dict.fromkeys(word for words in others for word in words)))
        for reach, words in ways:
            for word in words:
                if word in bindings and bindings[word].name:
                    self._named(bindings[word].path, bindings[word].name, reach, hops, word)
                elif word in names and word != definition.name:
                    self._named(path, word, reach, hops, word)

    def _top_level(self, path: str, reach: Reach, local: str) -> None:
        outline = self.view.outline(path)
        if outline is None or path == self.path:
            return
        for number, definition in enumerate(outline.definitions):
            if not definition.parent:
                self._add(path, number, definition, reach, 0, local)
        for number, definition in enumerate(outline.definitions):
            if definition.parent:
                self._add(path, number, definition, reach, 1, definition.parent.rpartition(".")[2])

    def _words(self, known: set[str]) -> None:
        """Definitions anywhere that are called like a word near the cursor."""
        for word in self.words.distances:
            if word in known or len(word) < 3:
                continue
            paths = self.view.defining(word)
            if not paths or len(paths) > _HOMONYMS:
                continue
            for path in paths:
                outline = self.view.outline(path)
                if path == self.path or outline is None:
                    continue
                for number, definition in enumerate(outline.definitions):
                    if definition.name == word:
                        self._add(path, number, definition, "word", 0, definition.parent.rpartition(".")[2], len(paths))

    def _everything(self, path: str, reach: Reach) -> None:
        outline = self.view.outline(path)
        if outline is None:
            return
        for number, definition in enumerate(outline.definitions):
            self._add(path, number, definition, reach, bool(definition.parent), definition.parent.rpartition(".")[2])

    def _add(
        self, path: str, number: int, definition: Definition, reach: Reach, hops: int, local: str, homonyms: int = 1
    ) -> None:
        if (path, number) in self.found or path == self.path or len(self.found) >= _MOST:
            return
        name = local if reach == "named" and local else definition.name
        owner = definition.parent.rpartition(".")[2] or local
        self.found[path, number] = Features(
            reach=reach,
            hops=hops,
            distance=self.words.distances.get(name),
            mentions=self.words.counts.get(name, 0),
            owner_distance=self.words.distances.get(owner) if owner != name else None,
            homonyms=homonyms,
            kind=definition.kind,
            private=definition.name.startswith("_"),
            size=definition.body_start - definition.signature,
        )
