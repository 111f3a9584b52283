"""Selection: which definitions of other files a cursor is likely to need. Pure; called by `context.index`.

Names lead to definitions: what stands before the dot at the cursor and the objects near it, as `context.infer` sees
them, to their members; the names that the file's imports bring to what belongs to them (members, base classes, the
types in their signatures); words near the cursor to definitions anywhere that are called like them. Each gets the
probability that what is written at the cursor uses it, by a logistic model of how it was reached and how near its name
stands.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cache, lru_cache, partial
from importlib import resources
from itertools import islice
from posixpath import commonpath
from typing import Literal, Protocol

from msgspec import Struct

from repofill.context.infer import ABOVE, ITSELF, Inference, Ref, near_chains
from repofill.context.languages.support import Binding, Resolution
from repofill.context.names import NAME, PART, Names, bare, parts
from repofill.context.outline import Definition

Reach = Literal[
    "receiver", "called", "inherited", "held", "alike", "named", "member", "module", "visible", "base", "type", "word",
    "file", "counterpart", "dependency",
]  # fmt: skip
"""How a definition was reached: as a member of what stands before the dot; as what the cursor is an argument of; as a
member of the class around it; of an object near it; of what has the members that are taken of one whose class nothing
says; by an imported name, as a member of that, in an imported module, in a file all of whose names are visible; as a
base or in a signature of one of these; by its name alone; in a file that is called like a word of the line; in the test
of this file, or in what it is the test of, or in its header; in a file that is imported."""

_WORD = re.compile(NAME)
_TYPED = re.compile(rf"(?<![\w$]){NAME}$")
_RECEIVER = re.compile(r"([\w$]*)[)\]]*\s*[!?]?(?:\.|->|::)\s*#?[\w$]*$")
"""What stands before the dot of an attribute, as far as the cursor has come."""
_IMPORTS = re.compile(
    r"[ \t]*+(?:from|import|use|using|require|export|#[ \t]*include|(?:pub[ \t]+)?use|.*\brequire[ (])\b[^\n]*$",
    re.MULTILINE,
)
_TEST = re.compile(r"^test_|(?:_tests?|_spec|Tests?|Spec)$")
_ATTRIBUTE = re.compile(rf"(?<=\.){NAME}")
_ALONE = re.compile(rf"(?<![\w$.]){NAME}")
_OPEN_LIST = re.compile(r"[({][\w$\s,.*]*$")
_LINE_WORDS = 8
_LINE_CHARACTERS = 240
"""Of the cursor's line that are looked at: in one without end, a single long word would take its square."""
_NEAR_CHARACTERS = 12_000
"""Of the text on each side of the cursor that words are taken from, with their distances."""
_NEAR_WORDS = 24
"""On each side of the cursor, whose parts are compared with those of names."""
_LIKE = 5
"""With so many tenths of its parts there a name counts as spoken of."""
_FAR_CHARACTERS = 100_000
"""Of the text before that, words alone."""
_HOMONYMS = 6
"""Definitions of one name looked at, anywhere in the workspace; of a name that more files share, only those in the
files opened last say anything."""
_RECENT = 6
_WORD_FILES = 24
"""Files looked into for definitions that are called like a word."""
_COUNTERPARTS = 2
_HOPS = 2
_CHAINS = 32
"""Names and attributes near the cursor that are asked for their types."""
_ALIKE = 4
"""Objects near the cursor whose class nothing says that are looked for by their members."""
_BEGUN = 6
"""Names that may have begun at the cursor whose types are asked for."""
_CONSTRUCTORS = frozenset({"__init__", "__new__", "constructor", "__construct", "initialize", "new"})
"""Called by the name of their class."""
_ENOUGH = 300
"""With so many definitions found already, one that is spoken of nowhere near the cursor is left out, unless the way to
it is a short one."""
_SHORT: frozenset[Reach] = frozenset({"receiver", "called", "inherited", "named", "file"})
_INCLUDING = frozenset({"c", "cpp"})
"""Languages in which what a file includes brings along what that includes."""
_MOST_INCLUDED = 100
"""Files that are looked at of these, a few more where the last one includes many: words near the cursor lead to the
others."""
_MOST_NEIGHBOURS = 50
_NEIGHBOUR = 0.1
"""The value of a file about which nothing is known but its name."""


class View(Protocol):
    """What selection sees of a workspace at one moment."""

    def names(self, path: str) -> Names:
        """The definitions of a file; of one that is not there none."""

    def text(self, path: str) -> str | None:
        """Its text, which their offsets belong to."""

    def digest(self, path: str) -> bytes | None:
        """What identifies that text."""

    def resolution(self, path: str) -> Resolution:
        """What its imports lead to."""

    def defining(self, name: str, most: int | None = None) -> Sequence[str]:
        """Paths of files with a definition of this name at any level; of files of this name, with "/" ahead of it. None
        where there are more than `most`."""

    def popular(self, names: Collection[str]) -> Mapping[str, int]:
        """How many files define each of some names."""

    def beginning(self, start: str) -> Sequence[str]:
        """Paths of files whose name begins so."""

    def recent(self) -> Sequence[str]:
        """Paths of the files that the user has open, the latest last."""

    def beside(self, path: str) -> Sequence[str]:
        """Paths of the files in the same folder with the same ending."""

    def richest(self, words: Sequence[str], most: int, left_out: str) -> Sequence[tuple[str, int, int]]:
        """Where in which files, one left out, the most of some words stand: from which character to which."""


class Piece(Struct, frozen=True, kw_only=True, gc=False):
    """A definition of another file: the `number`th of the outline of `path`. `value` is the probability that it is
    used at the cursor."""

    path: str
    number: int
    value: float


class About(Struct, frozen=True, gc=False):
    """What a definition is, wherever the cursor stands: `size` in characters of its signature, `popular` in files with
    a definition of the same name."""

    kind: str
    private: bool
    size: int
    popular: int

    def inputs(self) -> dict[str, float]:
        """What the model weighs of it."""
        made = {self.kind: 1.0, "size": math.log1p(self.size), "popular": math.log(max(self.popular, 1))}
        return {**made, "private": 1.0} if self.private else made


class Way(Struct, frozen=True, gc=False):
    """How it was reached, and what is written at the cursor: `after_dot`; `inferred`: it is known what stands before
    the dot; `received`: that is called like the owner of the definition. `typed` are the characters of its name that
    stand there already, -1 if it is another name that has begun, 0 if none has. `unused`: an import brings its
    name, which is not mentioned again. `importing`: the cursor is in an import."""

    reach: Reach
    hops: int
    homonyms: int
    is_member: bool
    after_dot: bool
    inferred: bool
    received: bool
    typed: int
    mentioned: bool
    unused: bool
    importing: bool

    def inputs(self) -> dict[str, float]:
        """What the model weighs of it."""
        made = {
            "bias": 1.0,
            self.reach: 1.0,
            "hops": math.log1p(self.hops),
            "homonyms": math.log(max(self.homonyms, 1)),
        }
        if self.mentioned:
            made[f"{self.reach} mentioned"] = 1.0
        level = "member" if self.is_member else "top level"
        made[f"{level}, {'after dot' if self.after_dot else 'no dot'}"] = 1.0
        if self.inferred and self.reach != "receiver":
            made["not of the receiver"] = 1.0
        if self.received:
            made["received"] = 1.0
        if self.typed > 0:
            made["typed"] = 1.0
            made["typed characters"] = math.log1p(self.typed)
        elif self.typed < 0:
            made["another name typed"] = 1.0
        if self.unused:
            made["unused"] = 1.0
        if self.importing:
            made[f"{self.reach} importing"] = 1.0
        return made


class Near(Struct, frozen=True, gc=False):
    """How near its name, or its owner's, is mentioned, in words from the cursor, and how often. `likeness` is the share
    of its name's parts that the words next to the cursor have, in tenths."""

    distance: int | None
    mentions: int
    owner_distance: int | None
    likeness: int

    def inputs(self) -> dict[str, float]:
        """What the model weighs of it."""
        made = {}
        if self.distance is not None:
            made["mentioned"] = 1.0
            made["nearness"] = 1 / (1 + math.log1p(self.distance))
            made["mentions"] = math.log1p(self.mentions)
        if self.owner_distance is not None:
            made["owner mentioned"] = 1.0
            made["owner nearness"] = 1 / (1 + math.log1p(self.owner_distance))
        if self.likeness:
            made["likeness" if self.distance is None else "likeness mentioned"] = self.likeness / 10
        return made


class Features(Struct, frozen=True, gc=False):
    """What the probability of a piece is computed from. In three parts, each of which many pieces share."""

    about: About
    way: Way
    near: Near


def pieces(view: View, path: str, before: str, after: str) -> list[Piece]:
    """The definitions of other files that the cursor between `before` and `after` in `path` may need, the most
    probable first; ties in a fixed order."""
    found = features(view, path, before, after)
    if not found and view.names(path).outline is None:
        return _neighbours(view, path)
    scored = [Piece(path=p, number=n, value=probability(f)) for (p, n), f in found.items()]
    return sorted(scored, key=lambda piece: (-piece.value, piece.path, piece.number))


def _neighbours(view: View, path: str) -> list[Piece]:
    """For a language without a grammar here: whole files in the same folder, those with the most similar name first."""
    name = path.rpartition("/")[2]
    scored = [
        Piece(path=other, number=0, value=_NEIGHBOUR * SequenceMatcher(None, name, other.rpartition("/")[2]).ratio())
        for other in view.beside(path)[:_MOST_NEIGHBOURS]
        if view.names(other).outline is None
    ]
    return sorted(scored, key=lambda piece: (-piece.value, piece.path))


def probability(piece: Features) -> float:
    """That a definition is used at the cursor."""
    return 1 / (1 + math.exp(-_score(piece.about) - _score(piece.way) - _score(piece.near)))


@lru_cache(maxsize=8_192)
def _score(part: About | Way | Near) -> float:
    return sum(WEIGHTS.get(name, 0.0) * value for name, value in part.inputs().items())


def inputs(piece: Features) -> dict[str, float]:
    """What the logistic model weighs, by name; what is not there counts as 0."""
    return {**piece.about.inputs(), **piece.way.inputs(), **piece.near.inputs()}


def _weights() -> Mapping[str, float]:
    content = json.loads(resources.files("repofill.context").joinpath("select.json").read_text("utf-8"))
    return {str(name): float(weight) for name, weight in content["weights"].items()}


WEIGHTS = _weights()
"""Fitted by `repofill bench select` on packages of their own, which `select.json` names."""


def features(view: View, path: str, before: str, after: str) -> dict[Ref, Features]:
    """Every definition that can be reached from the cursor, by file and number, with its features; the first way to
    reach it counts, and the ways are tried in the order of their promise."""
    return _Search(view, path, bare(path, before), bare(path, after)).run()


class _Words:
    """The words around a cursor, by how far from it they stand."""

    def __init__(self, before: str, after: str) -> None:
        left = _WORD.findall(before, max(0, len(before) - _NEAR_CHARACTERS))
        right = _WORD.findall(after, 0, _NEAR_CHARACTERS)
        end = max(0, len(before) - _NEAR_CHARACTERS)
        head = _WORD.findall(before, max(0, end - _FAR_CHARACTERS), end)
        self.counts: Counter[str] = Counter(left)
        self.counts.update(right)
        self.counts.update(head)
        self.distances = dict.fromkeys(head, len(left) + len(head))
        # The nearest mention is written last.
        self.distances.update(zip(right[::-1], range(len(right) - 1, -1, -1), strict=True))
        for distance, word in zip(range(len(left) - 1, -1, -1), left, strict=True):
            if distance <= self.distances.get(word, distance):
                self.distances[word] = distance
        self._plain: dict[str, int] = {}
        for word, distance in self.distances.items():
            plain = _plain(word)
            if distance <= self._plain.get(plain, distance):
                self._plain[plain] = distance
        self._owners: dict[str, int | None] = {}
        line = before[max(before.rfind("\n") + 1, len(before) - _LINE_CHARACTERS) :]
        receiver = _RECEIVER.search(line)
        self.after_dot = receiver is not None
        self.receiver = receiver[1] if receiver is not None else ""
        typed = _TYPED.search(line)
        self.typed = typed[0] if typed is not None else ""
        self.imported = _import_words(before, after)
        self.line = dict.fromkeys((*_WORD.findall(line)[-_LINE_WORDS:], *self.imported))
        near = (*left[-_NEAR_WORDS:], *right[:_NEAR_WORDS])
        near_parts = frozenset(part for word in near for part in parts(word))
        self.likeness = cache(partial(_likeness, near_parts))
        self.silent = cache(partial(_is_silent, self.distances, self.typed, self.likeness))

    def owner_distance(self, owner: str) -> int | None:
        """How far a variable that is called like a class stands: `response` for `HTTPResponse`."""
        if owner not in self._owners:
            humps = PART.findall(owner)
            found = [self._plain.get(name) for name in (_plain(owner), humps[-1].lower() if humps else "")]
            self._owners[owner] = min((distance for distance in found if distance is not None), default=None)
        return self._owners[owner]


def _likeness(near: frozenset[str], name: str) -> int:
    """The share of a name's parts that the words next to the cursor have, in tenths."""
    made_of = parts(name)
    return 10 * len(near.intersection(made_of)) // max(len(made_of), 1)


def _is_silent(distances: Mapping[str, int], typed: str, likeness: Callable[[str], int], name: str) -> bool:
    """Whether nothing near the cursor mentions or begins a name, or is like it."""
    return name not in distances and not (typed and name.startswith(typed)) and likeness(name) < _LIKE


def _import_words(before: str, after: str) -> list[str]:
    """The words of the import statement that the cursor stands in, which may list its names on lines of their own."""
    opened = _OPEN_LIST.search(before, max(0, len(before) - 1_500))
    end = opened.start() if opened is not None else len(before)
    start = before.rfind("\n", 0, end) + 1
    if _IMPORTS.match(before, start) is None:
        return []
    rest = after[: after.find("\n") + 1]
    if opened is not None and opened[0][0] == "{" and (closing := after.find("}")) in range(1_500):
        rest = after[closing : closing + 200].split("\n")[0]
    return _WORD.findall(before[start:])[-24:] + _WORD.findall(rest)


@dataclass(slots=True)
class _Search:
    view: View
    path: str
    before: str
    after: str
    found: dict[Ref, tuple[Definition, Way, Near]] = field(default_factory=dict)
    words: _Words = field(init=False)
    inference: Inference = field(init=False)
    bases: set[str] = field(default_factory=set)
    inferred: bool = False
    unspoken: list[Callable[[], None]] = field(default_factory=list)
    bindings: dict[str, dict[str, Binding]] = field(default_factory=dict)
    shown: set[Ref] = field(default_factory=set)
    listed: set[tuple[str, Reach]] = field(default_factory=set)
    named: dict[Ref, int] = field(default_factory=dict)

    def run(self) -> dict[Ref, Features]:
        self.words = _Words(self.before, self.after)
        self.inference = Inference(self.view, self.path, self.before)
        resolution, own = self.view.resolution(self.path), self._names(self.path)
        self._objects()
        for binding in resolution.bindings:
            if binding.name not in ("", "*"):
                self._named(binding.path, binding.name, "named", 0, binding.local)
        for binding in resolution.bindings:
            if binding.name == "":
                self._top_level(binding.path, "module", binding.local)
                self._passed_on(binding.path, "module")
        if own.language in _INCLUDING:
            for file in self._included():
                self._top_level(file, "visible", "", spoken=not self._has_room())
        else:
            for binding in resolution.bindings:
                if binding.name == "*":
                    self._top_level(binding.path, "visible", "")
                    self._passed_on(binding.path, "visible")
        self._words(own.simple.keys() | {binding.local for binding in resolution.bindings})
        for word in self.words.line:
            for path in self.view.defining(f"/{word}")[:_HOMONYMS]:
                self._top_level(path, "file", word)
        if self.words.imported and self.words.typed:
            for path in self.view.beginning(self.words.typed)[:_HOMONYMS]:
                self._top_level(path, "file", self.words.typed)
        for path in self._counterparts():
            self._top_level(path, "counterpart", "")
        for target in sorted(resolution.dependencies):
            self._everything(target)
        for add in self.unspoken:
            if len(self.found) >= _ENOUGH:
                break
            add()
        self.unspoken.clear()  # they hold this search, and it them: garbage that would have to be looked for
        popular = self.view.popular({definition.name for definition, _, _ in self.found.values()})
        return {
            ref: Features(_about(definition, popular[definition.name]), way, near)
            for ref, (definition, way, near) in self.found.items()
        }

    def _included(self) -> list[str]:
        """What the file includes, directly or through others, the nearest first."""
        found = {self.path: None}
        for path in (queue := [self.path]):
            included = dict.fromkeys(binding.path for binding in self.view.resolution(path).bindings)
            queue += [file for file in included if file not in found]
            found.update(included)
            if len(found) > _MOST_INCLUDED:
                break
        return list(found)[1:]

    def _names(self, path: str) -> Names:
        return self.inference.names(path)

    def _objects(self) -> None:
        """What belongs to the objects at and near the cursor."""
        receiver = self.inference.receiver() if self.words.after_dot else ()
        self.inferred = bool(receiver)
        self._belonging(receiver, "receiver", 0)
        for path, number in self.inference.called():
            self._one(path, number, "called", 0)
            if number >= 0:
                self._constructors(path, number)
        unknown = {tuple(self.inference.chain_ahead()): None} if self.words.after_dot and not receiver else {}
        itself = self.inference.itself()
        near = min((self.words.distances[word] for word in ITSELF if word in self.words.distances), default=None)
        if self.words.typed:
            self._belonging(self._begun(receiver), "held", 0, begun=True)
        self._belonging(itself, "inherited", near)
        for ref in itself:
            self.bases.update(self._name(base) for base in self.inference.bases(ref)[ref[0] == self.path :])
        for chain in near_chains(self.before, self.after, _CHAINS):
            types = self.inference.of_chain(chain, self.inference.here)
            self._belonging([ref for ref in types if ref[1] >= 0], "held", self.words.distances.get(chain[-1][0]))
            if not types:
                unknown[chain] = None
        guessed = ((chain, owners) for chain in unknown if (owners := self.inference.alike(chain, self.after)))
        for chain, owners in islice(guessed, _ALIKE):
            self._belonging(owners, "alike", self.words.distances.get(chain[-1][0]))

    def _begun(self, receiver: Sequence[Ref]) -> list[Ref]:
        """The classes of the objects whose name may have begun at the cursor."""
        typed, ahead = self.words.typed, self.inference.chain_ahead() if self.words.after_dot else ()
        found: dict[Ref, None] = {}
        for owner in receiver:
            begun = [ref for ref in self.inference.members(owner) if self._name(ref).lstrip("#").startswith(typed)]
            found.update(dict.fromkeys(self.inference.types(begun)))
        if self.words.after_dot and not ahead:
            return list(found)
        names = [word for word in self.words.distances if word.startswith(typed) and len(word) > len(typed)]
        for name in sorted(names, key=self.words.distances.__getitem__)[:_BEGUN]:
            for link in (name, f"#{name}") if ahead else (name,):
                found.update(dict.fromkeys(self.inference.of_chain([*ahead, (link, "")], self.inference.here)))
        return [ref for ref in found if ref[1] >= 0]

    def _name(self, ref: Ref) -> str:
        return self._names(ref[0]).definitions[ref[1]].name if ref[1] >= 0 else ""

    def _belonging(self, owners: Iterable[Ref], reach: Reach, distance: int | None, *, begun: bool = False) -> None:
        """The members of classes and of their bases, whose own line counts too; the top level of modules."""
        for owner in owners:
            if owner[1] < 0:
                for word in self.words.distances:
                    for ref in self.inference.passed_on(owner[0], word):
                        self._one(*ref, reach, 1, distance)
            for hops, base in enumerate(self.inference.bases(owner)):
                if base[1] >= 0 and reach != "receiver" and not begun:
                    self._one(*base, reach, hops, distance)
                if base in self.shown:
                    continue
                self.shown.add(base)
                for path, number in self.inference.members(base):
                    self._one(path, number, reach, hops, distance, begun=begun)
            if owner[1] < 0:
                self._passed_on(owner[0], reach)

    def _constructors(self, path: str, number: int) -> None:
        if self._names(path).definitions[number].kind == "class":
            for base, at in self.inference.bases((path, number)):
                names = self._names(base)
                for member in names.members.get(names.definitions[at].qualified, ()):
                    if names.definitions[member].name in _CONSTRUCTORS:
                        self._one(base, member, "called", 0)

    def _one(
        self, path: str, number: int, reach: Reach, hops: int, distance: int | None = None, *, begun: bool = False
    ) -> None:
        if number >= 0:
            self._add(path, number, self._names(path), reach, hops, "", owner_distance=distance, begun=begun)

    def _named(self, path: str, name: str, reach: Reach, hops: int, local: str) -> None:
        """The definition of `name` in `path`, what belongs to it, and what its signature speaks of."""
        names = self._names(path)
        for number in names.qualified.get(name, ()):
            if self.named.get((path, number), _HOPS + 1) > hops:
                self.named[path, number] = hops
                self._add(path, number, names, reach, hops, local)
                for at in names.within(name):
                    self._add(path, at, names, "member" if reach == "named" else reach, hops, local)
                if hops < _HOPS:
                    self._spoken_of(path, names, number, hops + 1)

    def _passed_on(self, path: str, reach: Reach) -> None:
        """What a module takes from others is taken from it in turn."""
        for binding in self.view.resolution(path).bindings:
            if binding.name == "*":
                self._top_level(binding.path, reach, "")
            elif self.words.silent(binding.local):  # not worth a look into its file yet
                if self._has_room():
                    self.unspoken.append(partial(self._taken_over, binding, reach, late=True))
            else:
                self._taken_over(binding, reach)

    def _taken_over(self, binding: Binding, reach: Reach, *, late: bool = False) -> None:
        names = self._names(binding.path)
        for number in names.qualified.get(binding.name, ()):
            self._add(binding.path, number, names, reach, 1, binding.local, late=late)

    def _spoken_of(self, path: str, names: Names, number: int, hops: int) -> None:
        """Base classes and the types of parameters, results and fields: names in the signatures of a definition and of
        its members."""
        if path not in self.bindings:
            self.bindings[path] = {b.local: b for b in self.view.resolution(path).bindings if b.name}
        bindings, definition = self.bindings[path], names.definitions[number]
        own, others = names.spoken(number)
        ways: list[tuple[Reach, Sequence[str]]] = [("base" if definition.kind == "class" else "type", own)]
        for reach, words in (*ways, ("type", others)):
            for word in words:
                if word in bindings:
                    self._named(bindings[word].path, bindings[word].name, reach, hops, word)
                elif word in names.qualified and word != definition.name:
                    self._named(path, word, reach, hops, word)

    def _counterparts(self) -> list[str]:
        """The files that are called like this one, but for what calls one of them a test; the nearest ones."""
        folder, _, name = self.path.rpartition("/")
        stem = _TEST.sub("", name.partition(".")[0])
        names = (f"/{stem}", *(f"/{form.format(stem)}" for form in ("test_{}", "{}_test", "{}Test", "{}_spec")))
        paths = {path for name in names for path in self.view.defining(name)} - {self.path}
        if not stem or len(paths) > _HOMONYMS:
            return []
        return sorted(paths, key=lambda path: (-len(commonpath([path, folder])), path))[:_COUNTERPARTS]

    def _top_level(self, path: str, reach: Reach, local: str, *, spoken: bool = False) -> None:
        """Everything in a file, or what is `spoken` of alone, once: in a package all of whose files see one another,
        each of them leads to all."""
        if (path, reach) in self.listed:
            return
        self.listed.add((path, reach))
        names = self._names(path)
        numbers: Collection[int] = range(len(names.definitions))
        if spoken:
            words = names.simple.keys() & self.words.distances.keys()
            if typed := self.words.typed:
                words.update(name for name in names.simple if name.startswith(typed))
            numbers = sorted(number for word in words for number in names.simple[word])
        for number in names.outer:
            if not spoken or number in numbers:
                self._add(path, number, names, reach, 0, local)
        for number in numbers:
            parent = names.definitions[number].parent
            if parent not in names.outside:
                self._add(path, number, names, reach, 1, parent.rpartition(".")[2])

    def _words(self, known: set[str]) -> None:
        """Definitions anywhere that are called like a word near the cursor, the nearest word first. In an import those
        at the top level of a file, first those of words that begin with what is typed."""
        looked_into: set[str] = set()
        distances, importing, typed = self.words.distances, bool(self.words.imported), self.words.typed
        attributes = set(_ATTRIBUTE.findall(self.after)) - set(_ALONE.findall(self.after)) if importing else set()
        recent = self.view.recent()[-_RECENT:]

        def promise(word: str) -> tuple[bool, int]:
            return importing and not (typed and word.startswith(typed)), distances[word]

        words = [word for word in distances if len(word) >= 3 and word not in known and word not in attributes]
        popular = self.view.popular(words)
        for word in sorted(filter(popular.get, words), key=promise):
            paths = self.view.defining(word, _HOMONYMS) or [p for p in recent if word in self._names(p).simple]
            for path in paths:
                if path not in looked_into and len(looked_into) >= _WORD_FILES:
                    continue
                looked_into.add(path)
                names = self._names(path)
                for number in names.simple.get(word, ()):
                    parent = names.definitions[number].parent
                    if importing and parent:
                        continue
                    self._add(path, number, names, "word", 0, parent.rpartition(".")[2], homonyms=len(paths))

    def _everything(self, path: str) -> None:
        names = self._names(path)
        for number, definition in enumerate(names.definitions):
            parent = definition.parent
            self._add(path, number, names, "dependency", bool(parent), parent.rpartition(".")[2])

    def _add(
        self,
        path: str,
        number: int,
        names: Names,
        reach: Reach,
        hops: int,
        local: str,
        *,
        homonyms: int = 1,
        owner_distance: int | None = None,
        begun: bool = False,
        late: bool = False,
    ) -> None:
        definition = names.definitions[number]
        if path == self.path or not definition.name or (path, number) in self.found:
            return
        words = self.words
        is_outer = definition.parent in names.outside
        owner = local if is_outer else definition.parent.rpartition(".")[2]
        is_constructor = definition.name in _CONSTRUCTORS
        name = owner if is_constructor else local if reach == "named" and local else definition.name
        if reach not in _SHORT and not begun and not late and words.silent(name):
            if self._has_room():
                add = partial(self._add, path, number, names, reach, hops, local)
                self.unspoken.append(partial(add, homonyms=homonyms, owner_distance=owner_distance, late=True))
            return
        distance = words.distances.get(name)
        typed = 0
        if words.typed and reach != "called" and not begun:  # there the name of an argument, or of the owner, has begun
            typed = len(words.typed) if name.startswith(words.typed) else -1
        if owner_distance is None and owner != name:
            owner_distance = words.owner_distance(owner)
        self.found[path, number] = (
            definition,
            Way(
                reach,
                hops,
                homonyms,
                not is_outer,
                words.after_dot,
                self.inferred,
                not self.inferred and words.after_dot and self._receives(owner, local, reach),
                typed,
                distance is not None,
                reach in ("named", "member") and hops == 0 and words.counts[local] == 1,
                bool(words.imported),
            ),
            Near(
                distance,
                words.counts[name] if distance is not None else 0,
                owner_distance,
                words.likeness(definition.name),
            ),
        )

    def _has_room(self) -> bool:
        """Whether what nothing near the cursor speaks of may still be looked at, behind all the rest."""
        return len(self.unspoken) < _ENOUGH and len(self.found) < _ENOUGH

    def _receives(self, owner: str, local: str, reach: Reach) -> bool:
        """Whether what stands before the dot is called like the owner, or is an object of a class derived from it."""
        receiver = self.words.receiver
        if receiver in ITSELF or receiver in ABOVE:
            return owner in self.bases or (bool(self.bases) and reach == "base")
        receiver = _plain(receiver)
        return len(receiver) > 1 and any(_plain(name).endswith(receiver) for name in (owner, local))


def _about(definition: Definition, popular: int) -> About:
    is_constructor = definition.name in _CONSTRUCTORS
    return About(
        "constructor" if is_constructor else definition.kind,
        definition.name.startswith("_") and not is_constructor,
        definition.body_start - definition.signature,
        popular,
    )


@lru_cache(maxsize=16_384)
def _plain(name: str) -> str:
    """A name as people vary it: `http_client`, `_HttpClient`, `httpClient`."""
    return name.replace("_", "").lower()
