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

Reach = Literal["named", "member", "module", "visible", "base", "type", "word", "file", "dependency"]

_WORD = re.compile(r"[^\W\d]\w*")
_RECEIVER = re.compile(r"(\w*)[)\]]*\s*[!?]?(?:\.|->|::)\s*\w*$")
"""What stands before the dot of an attribute, as far as the cursor has come."""
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ITSELF = frozenset({"self", "cls", "this", "super", "base", "parent"})
_LINE_WORDS = 8
_NEAR_CHARACTERS = 12_000
"""Of the text on each side of the cursor that words are taken from."""
_HOMONYMS = 6
"""Definitions of one name looked at, anywhere in the workspace; of a name that more files share, only those in open
files say anything."""
_HOPS = 2
_SIGNATURE = 400
"""Characters of a signature that are searched for names."""
_CONSTRUCTORS = frozenset({"__init__", "__new__", "constructor", "__construct", "initialize", "new"})
"""Called by the name of their class."""
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
        """Paths of files with a definition of this name at any level; of files of this name, with "/" ahead of it."""

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
    popular: int
    after_dot: bool
    received: bool
    is_member: bool


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
    score = sum(WEIGHTS.get(name, 0.0) * value for name, value in inputs(piece).items())
    return 1 / (1 + math.exp(-score))


def inputs(piece: Features) -> dict[str, float]:
    """What the logistic model weighs, by name; what is not there counts as 0."""
    made = {
        "bias": 1.0,
        piece.reach: 1.0,
        piece.kind: 1.0,
        "hops": piece.hops,
        "size": math.log1p(piece.size),
        "popular": math.log(max(piece.popular, 1)),
        "homonyms": math.log(max(piece.homonyms, 1)),
    }
    if piece.private:
        made["private"] = 1.0
    if piece.distance is not None:
        made["mentioned"] = 1.0
        made["nearness"] = 1 / (1 + math.log1p(piece.distance))
        made["mentions"] = math.log1p(piece.mentions)
        made[f"{piece.reach} mentioned"] = 1.0
    if piece.owner_distance is not None:
        made["owner mentioned"] = 1.0
        made["owner nearness"] = 1 / (1 + math.log1p(piece.owner_distance))
    if piece.is_member:
        made["member, after dot" if piece.after_dot else "member, no dot"] = 1.0
    elif piece.after_dot:
        made["top level, after dot"] = 1.0
    if piece.received:
        made["received"] = 1.0
    return made


WEIGHTS: Mapping[str, float] = {
    "base": -0.65,
    "base mentioned": 0.72,
    "bias": -5.49,
    "class": -0.29,
    "constructor": 1.39,
    "dependency": -2.14,
    "dependency mentioned": 0.51,
    "file": 1.48,
    "file mentioned": -0.47,
    "function": -0.81,
    "homonyms": -1.23,
    "hops": 0.16,
    "member": 0.49,
    "member mentioned": 0.58,
    "member, after dot": -2.89,
    "member, no dot": -3.11,
    "mentioned": 1.90,
    "mentions": 0.19,
    "module": -0.63,
    "module mentioned": 0.29,
    "named": 0.12,
    "named mentioned": 0.13,
    "nearness": 1.77,
    "owner mentioned": -0.22,
    "owner nearness": 2.58,
    "popular": -0.29,
    "private": -0.89,
    "received": 1.67,
    "size": -0.03,
    "top level, after dot": -1.22,
    "type": 1.09,
    "type mentioned": -0.10,
    "variable": -0.29,
    "word": 0.25,
    "word mentioned": 0.25,
    "visible": -0.40,
}
"""Fitted by `evaluation.selection` on starlette 1.10.0 and tornado 6.6.1: 160 holes, each in finished code and in
writing order, what they use found by jedi. "visible" does not occur there and is set by hand."""


def features(view: View, path: str, before: str, after: str) -> dict[tuple[str, int], Features]:
    """Every definition that can be reached from the cursor, by file and number, with its features; the first way to
    reach it counts, and the ways are tried in the order of their promise."""
    return _Search(view, path, _Words(before, after), len(before)).run()


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
        self.plain: dict[str, int] = {}
        for word, distance in self.distances.items():
            plain = _plain(word)
            self.plain[plain] = min(distance, self.plain.get(plain, distance))
        line = before[before.rfind("\n") + 1 :]
        receiver = _RECEIVER.search(line)
        self.after_dot = receiver is not None
        self.receiver = _plain(receiver[1]) if receiver is not None else ""
        self.line = _WORD.findall(line)[-_LINE_WORDS:]

    def owner_distance(self, owner: str) -> int | None:
        """How far a variable that is called like a class stands: `response` for `HTTPResponse`."""
        humps = _HUMP.findall(owner)
        found = [self.plain.get(name) for name in (_plain(owner), humps[-1].lower() if humps else "")]
        return min((distance for distance in found if distance is not None), default=None)


@dataclass(slots=True)
class _Search:
    view: View
    path: str
    words: _Words
    offset: int
    bases: set[str] = field(default_factory=set)
    found: dict[tuple[str, int], Features] = field(default_factory=dict)
    names_of: dict[str, dict[str, list[tuple[int, Definition]]]] = field(default_factory=dict)

    def run(self) -> dict[tuple[str, int], Features]:
        resolution = self.view.resolution(self.path)
        own, text = self.view.outline(self.path), self.view.text(self.path)
        if own is not None and text is not None:
            around = [d for d in own.definitions if d.kind == "class" and d.start <= self.offset <= d.end]
            self.bases = {w for d in around for w in _WORD.findall(text[d.signature : d.body_start]) if w != d.name}
        for binding in resolution.bindings:
            if binding.name not in ("", "*"):
                self._named(binding.path, binding.name, "named", 0, binding.local)
        for binding in resolution.bindings:
            if binding.name == "":
                self._top_level(binding.path, "module", binding.local)
                self._passed_on(binding.path, "module")
        for binding in resolution.bindings:
            if binding.name == "*":
                self._top_level(binding.path, "visible", "")
                self._passed_on(binding.path, "visible")
        known = {definition.name for definition in own.definitions} if own is not None else set()
        self._words(known | {binding.local for binding in resolution.bindings})
        for word in self.words.line:
            for path in self.view.defining(f"/{word}")[:_HOMONYMS]:
                self._top_level(path, "file", word)
        for target in sorted(resolution.dependencies):
            self._everything(target, "dependency")
        return self.found

    def _named(self, path: str, name: str, reach: Reach, hops: int, local: str) -> None:
        """The definition of `name` in `path`, what belongs to it, and what its signature speaks of."""
        names = self._names(path)
        for number, definition in names.get(name, ()):
            if (path, number) not in self.found:
                self._add(path, number, definition, reach, hops, local)
                for at, member in names.get(f"{name}.", ()):
                    self._add(path, at, member, "member" if reach == "named" else reach, hops, local)
                if hops < _HOPS:
                    self._spoken_of(path, definition, hops + 1)

    def _names(self, path: str) -> dict[str, list[tuple[int, Definition]]]:
        """The definitions of a file by dotted name, and those inside of a class by its name and a dot."""
        if path not in self.names_of:
            outline = self.view.outline(path)
            names: dict[str, list[tuple[int, Definition]]] = {}
            for number, definition in enumerate(outline.definitions if outline is not None else ()):
                names.setdefault(definition.qualified, []).append((number, definition))
                owner = definition.parent
                while owner:
                    names.setdefault(f"{owner}.", []).append((number, definition))
                    owner = owner.rpartition(".")[0]
            self.names_of[path] = names
        return self.names_of[path]

    def _passed_on(self, path: str, reach: Reach) -> None:
        """What a module takes from others is taken from it in turn."""
        for binding in self.view.resolution(path).bindings:
            if binding.name == "*":
                self._top_level(binding.path, reach, "")
            for number, definition in self._names(binding.path).get(binding.name, ()):
                self._add(binding.path, number, definition, reach, 1, binding.local)

    def _spoken_of(self, path: str, definition: Definition, hops: int) -> None:
        """Base classes and the types of parameters, results and fields: names in the signatures of a definition and of
        its members."""
        text, names = self.view.text(path), self._names(path)
        if text is None:
            return
        members = [d for _, d in names.get(f"{definition.qualified}.", ()) if d.parent == definition.qualified]
        own, *others = [
            text[d.signature : min(max(d.body_start, d.signature), d.signature + _SIGNATURE)]
            for d in (definition, *members)
        ]
        bindings = {binding.local: binding for binding in self.view.resolution(path).bindings}
        ways: list[tuple[Reach, list[str]]] = [("base" if definition.kind == "class" else "type", _WORD.findall(own))]
        ways.append(("type", [word for signature in others for word in _WORD.findall(signature)]))
        for reach, words in ways:
            for word in dict.fromkeys(words):
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
            if len(paths) > _HOMONYMS:
                paths = [path for path in self.view.recent() if path in paths][-_HOMONYMS:]
            for path in paths:
                outline = self.view.outline(path) if path != self.path else None
                for number, definition in enumerate(outline.definitions if outline is not None else ()):
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
        if (path, number) in self.found or path == self.path or len(self.found) >= _MOST or not definition.name:
            return
        owner = definition.parent.rpartition(".")[2] or local
        is_constructor = definition.name in _CONSTRUCTORS
        name = owner if is_constructor else local if reach == "named" and local else definition.name
        self.found[path, number] = Features(
            reach=reach,
            hops=hops,
            distance=self.words.distances.get(name),
            mentions=self.words.counts.get(name, 0),
            owner_distance=self.words.owner_distance(owner) if owner != name else None,
            homonyms=homonyms,
            kind="constructor" if is_constructor else definition.kind,
            private=definition.name.startswith("_") and not is_constructor,
            size=definition.body_start - definition.signature,
            popular=len(self.view.defining(definition.name)),
            after_dot=self.words.after_dot,
            received=self._receives(owner, local, reach),
            is_member=bool(definition.parent),
        )

    def _receives(self, owner: str, local: str, reach: Reach) -> bool:
        """Whether what stands before the dot is called like the owner, or is an object of a class derived from it."""
        receiver = self.words.receiver
        if receiver in _ITSELF:
            return owner in self.bases or (bool(self.bases) and reach == "base")
        names = (_plain(owner), _plain(local))
        return len(receiver) > 1 and any(name.endswith(receiver) for name in names)


def _plain(name: str) -> str:
    """A name as people vary it: `http_client`, `_HttpClient`, `httpClient`."""
    return name.replace("_", "").lower()
