"""Packing: which definitions and files stand before the current file in the prompt, within a token budget, in which
order. Pure; `context.index` calls it with what `context.select` found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Literal, NamedTuple

from repofill.context.forms import render, shows_value
from repofill.context.infer import Ref
from repofill.context.languages import path_comment
from repofill.context.order import Position
from repofill.context.outline import Outline
from repofill.context.select import Piece, View

_WORD = re.compile(r"\w+|[^\w\s]")

Form = Literal["whole", "definitions"]

_BODY_WORTH = 0.15
"""What the body of a definition adds to its signature, as a share of its value."""
_PATTERN_WORTH = 0.5
"""What the end of the cursor's line, where it stands in a body, is worth beside a definition that is used there. At 2K
tokens more of it would cost definitions in code that is being written."""
_LEAST_VALUE = 0.0002
"""Below this probability of use a definition is not worth its tokens: when in doubt, leave it out."""
_WHOLE_FILE = 1.25
_WHOLE_FILE_CHARACTERS = 200
"""A file whose whole text costs at most so many times its chosen definitions and so much more is shown whole."""
_LINE_CHARACTERS = 6
"""What indentation and line ends add to a line, on average."""
_SIMILAR = 0.7
"""From this Jaccard similarity of their words on, definitions of one name and signature enter once."""
_COMPARED_CHARACTERS = 2_000
_CACHE_WORTH = 0.7
"""What keeping all of the previous context is worth, as a share of the value of the best context: every token of it
that changes must be evaluated anew before the user sees anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """One file of a prompt; `text` includes its path comment, `tokens` counts all of it."""

    path: str
    tokens: int
    form: Form
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a context shows of one file: the numbers of its definitions as skeletons and with their bodies. `text` is
    the result with its path comment, `cost` its characters or, where those are more, the ones that were reckoned
    with, so that the same plan costs as much the next time. `digest` identifies the file's text it was made from."""

    path: str
    shown: frozenset[int]
    whole: frozenset[int]
    form: Form
    text: str
    cost: float
    digest: bytes | None


def pack(
    view: View,
    ranked: Sequence[Piece],
    patterns: Mapping[Ref, float],
    budget_characters: int,
    position: Callable[[str], Position],
    previous: Sequence[Chosen] = (),
) -> tuple[Chosen, ...]:
    """The context of the most value within a budget, in the workspace's one dependency order. `patterns` are functions
    with the probability that how the line at the cursor ends stands in their bodies.

    Definitions enter by value per character: first their signatures, then the bodies of those that are worth it. As
    much of the beginning of the `previous` context as is still worth its place stays as it is, so that the KV cache of
    its tokens survives; what is new follows, in dependency order again.
    """
    if budget_characters <= 0:
        return ()
    kept = _still_true(view, previous)
    values = {(p.path, p.number): p.value for p in ranked if p.value >= _LEAST_VALUE}
    offered = _Offered(view, values, patterns, kept)
    used = [0.0, *accumulate(chosen.cost for chosen in kept)]
    filled = [_Packing(offered, {}, budget_characters)]
    for chosen, length in zip(kept, used[1:], strict=True):
        if length <= budget_characters:
            filled.append(filled[-1].behind(chosen, budget_characters - length))
    worth = _CACHE_WORTH * filled[0].value / budget_characters
    count = max(range(len(filled)), key=lambda count: (filled[count].value + worth * used[count], count))
    added = _added(filled[count], budget_characters - used[count])
    added.sort(key=lambda chosen: (position(chosen.path), chosen.path))
    return (*kept[:count], *added)


def _still_true(view: View, previous: Sequence[Chosen]) -> list[Chosen]:
    """The files up to the first one that has changed."""
    kept = []
    for chosen in previous:
        if view.digest(chosen.path) != chosen.digest:
            break
        kept.append(chosen)
    return kept


def _added(packing: _Packing, left: float) -> list[Chosen]:
    """What a first attempt adds within what is left of the budget. What a definition costs is an estimate until it is
    rendered; where it was too low, another attempt has that much less to spend."""
    allowed = left
    while True:
        added = packing.rendered()
        over = sum(chosen.cost for chosen in added) - left
        if over <= 0:
            return added
        allowed = max(allowed - over, allowed / 2)
        packing = packing.again(allowed)


class _Offered:
    """What there is to choose from, with what it costs: signatures and bodies, those of the most value per character
    first."""

    def __init__(
        self, view: View, values: Mapping[Ref, float], patterns: Mapping[Ref, float], kept: Sequence[Chosen]
    ) -> None:
        paths = dict.fromkeys((*(path for path, _ in (*values, *patterns)), *(chosen.path for chosen in kept)))
        texts = {path: view.text(path) for path in paths}
        self.files = {
            path: _File(path, text, view.names(path).outline, view.digest(path))
            for path, text in texts.items()
            if text and not text.isspace()  # else it has just changed, or there is nothing to show
        }
        known = {place: values.get(place, 0.0) for place in (*values, *patterns) if place[0] in self.files}
        self.values = {place: known[place] for place in self._distinct(known, kept)}
        self.bodies = {
            place: value * _BODY_WORTH + patterns.get(place, 0.0) * _PATTERN_WORTH
            for place, value in self.values.items()
        }
        offers = []
        for place, value in self.values.items():
            path, number = place
            file = self.files[path]
            header, body = file.costs(number)
            if value:
                offers.append((-value / header, False, place, header))
            if body:
                cost = body if value else header + body
                offers.append((-self.bodies[place] / cost, True, place, header + body))
        offers.sort()
        self.in_order = [(is_body, place, cost) for _, is_body, place, cost in offers]
        """Whether it is a body, of which definition, and what it costs at least, unless that is shown already."""

    def _distinct(self, values: Mapping[Ref, float], kept: Sequence[Chosen]) -> Iterator[Ref]:
        """Without what belongs to top-level definitions that nearly repeat others: a copy of the file, what was built
        of it. Of those that repeat one another the one stays that stands in the context already, else the most
        valuable."""
        tops = {(path, number): (path, self.files[path].top(number)) for path, number in values}
        known = (chosen for chosen in kept if chosen.path in self.files)
        there = {(chosen.path, self.files[chosen.path].top(n)) for chosen in known for n in chosen.shown}
        worth: dict[Ref, float] = {}
        for place, value in values.items():
            top = tops[place]
            worth[top] = max(worth.get(top, 0.0), value)
        called = {(path, number): self.files[path].name(number) for path, number in worth}
        common = Counter(called.values())
        named_alike = [top for top, name in called.items() if name and common[name] > 1]
        alike: dict[tuple[str, ...], list[Ref]] = {}
        for top in sorted(named_alike, key=lambda top: (top not in there, -worth[top])):
            alike.setdefault((called[top], *self.files[top[0]].signature(top[1])), []).append(top)
        repeated = set()
        for group in (group for group in alike.values() if len(group) > 1):
            kept_bodies: list[frozenset[str]] = []
            for top in group:
                body = self.files[top[0]].body_words(top[1])
                if any(_similar(body, other) for other in kept_bodies):
                    repeated.add(top)
                else:
                    kept_bodies.append(body)
        return (place for place in values if tops[place] not in repeated)


def _similar(one: frozenset[str], other: frozenset[str]) -> bool:
    """A body that is not there, as in a header or a stub, is like any."""
    return not one or not other or len(one & other) >= _SIMILAR * len(one | other)


class _File:
    """A file and what its definitions cost. One without an outline has a single piece, number 0: its whole text."""

    def __init__(self, path: str, source: str, outline: Outline | None, digest: bytes | None) -> None:
        self.path, self.source, self.outline, self.digest = path, source, outline, digest
        self.opening = path_comment(path) + "\n"
        self._parents = outline.enclosing if outline is not None else (-1,)
        self._costs: dict[int, tuple[float, float]] = {}
        self._rendered: dict[tuple[frozenset[int], frozenset[int]], str] = {}

    def costs(self, number: int) -> tuple[float, float]:
        """Characters of a definition as a skeleton, and those that its body adds: 0 for a class, which is shown by its
        members, and for a short constant, whose skeleton has it already."""
        if number not in self._costs:
            self._costs[number] = self._reckoned(number)
        return self._costs[number]

    def _reckoned(self, number: int) -> tuple[float, float]:
        if self.outline is None:
            return len(self.source), 0
        definition = self.outline.definitions[number]
        whole = definition.kind == "class" or (definition.kind == "variable" and shows_value(self.source, definition))
        body = 0 if whole else definition.body_end - definition.body_start
        shown_to = definition.body_start if body or definition.kind == "class" else definition.end
        return shown_to - definition.signature + len(definition.doc) + 2 * _LINE_CHARACTERS, body

    def name(self, number: int) -> str:
        """The dotted name of a definition, "" without one."""
        return self.outline.definitions[number].qualified if self.outline is not None else ""

    def top(self, number: int) -> int:
        """The definition at the top level that one is, or belongs to."""
        while self._parents[number] >= 0:
            number = self._parents[number]
        return number

    def signature(self, number: int) -> list[str]:
        """The words of a definition's signature."""
        assert self.outline is not None
        definition = self.outline.definitions[number]
        return _WORD.findall(self.source, definition.signature, max(definition.body_start, definition.signature))

    def body_words(self, number: int) -> frozenset[str]:
        """Those of its body."""
        assert self.outline is not None
        definition = self.outline.definitions[number]
        end = min(definition.body_end, definition.body_start + _COMPARED_CHARACTERS)
        return frozenset(_WORD.findall(self.source, definition.body_start, end))

    def within(self, number: int) -> Iterator[int]:
        """What stands in a definition: the attributes that a constructor sets."""
        assert self.outline is not None
        definitions = self.outline.definitions
        following = range(number + 1, len(definitions))
        return takewhile(lambda other: definitions[other].signature < definitions[number].end, following)

    def missing(self, number: int, shown: AbstractSet[int]) -> list[int]:
        """What must be shown to show a definition: it and the classes around it."""
        missing = []
        while number >= 0 and number not in shown:
            missing.append(number)
            number = self._parents[number]
        return missing

    def _some(self, shown: frozenset[int], whole: frozenset[int]) -> str:
        """Some of its definitions, the same ones rendered once."""
        if self.outline is None:
            return ""
        if (shown, whole) not in self._rendered:
            self._rendered[shown, whole] = render(self.source, self.outline, shown=shown, whole=whole)
        return self._rendered[shown, whole]

    def chosen(self, shown: frozenset[int], whole: frozenset[int], spent: float, left: float) -> Chosen:
        """Some of its definitions, for which `spent` was reckoned, or the whole file where that costs little more and
        there is so much left."""
        some = self._some(shown, whole)
        more = len(self.source) - len(some)
        form: Form = "definitions"
        if self.outline is None or (
            more <= max(left, 0) and more <= len(some) * (_WHOLE_FILE - 1) + _WHOLE_FILE_CHARACTERS
        ):
            form, some = "whole", self.source.strip("\n") + "\n"
            shown = whole = frozenset(range(len(self.outline.definitions) if self.outline is not None else 1))
        text = self.opening + some
        return Chosen(
            path=self.path,
            shown=shown,
            whole=whole,
            form=form,
            text=text,
            cost=max(len(text), spent),
            digest=self.digest,
        )


class _Step(NamedTuple):
    """What an attempt took: the offer at which place in their order, its cost, what is shown for it, and of that what
    is shown whole."""

    at: int
    cost: float
    shown: Sequence[int]
    whole: Sequence[int]


class _Packing:
    """One attempt to spend what is left of a budget, best first what there is room for, behind what is `there` already,
    each with its body or without. `known` are the steps of an attempt with as much left or more, behind as much or
    less: as long as they are possible, they are the same. `value` is that of what was taken, and of what was there."""

    def __init__(self, offered: _Offered, there: Mapping[Ref, bool], left: float, known: Sequence[_Step] = ()) -> None:
        self._offered, self._there, self._left = offered, there, left
        self._shown: dict[str, set[int]] = {}
        self._whole: dict[str, set[int]] = {}
        self._steps: list[_Step] = []
        values, bodies = offered.values, offered.bodies
        self.value = sum([values[key] + bodies[key] * whole for key, whole in there.items() if key in values])
        self._fill(self._repeat(known))

    def again(self, left: float) -> _Packing:
        """Another attempt with less to spend."""
        return _Packing(self._offered, self._there, left, self._steps)

    def behind(self, chosen: Chosen, left: float) -> _Packing:
        """Another one behind one more file, with less to spend."""
        is_new = all(path != chosen.path for path, _ in self._there)  # else a body that is there may not be any more
        there = {**self._there, **{(chosen.path, n): n in chosen.whole for n in chosen.shown}}
        return _Packing(self._offered, there, left, self._steps if is_new else ())

    def _repeat(self, known: Sequence[_Step]) -> int:
        """Take known steps, up to the first one that is not possible; returns at which offer to go on."""
        for step in known:
            if step.cost > self._left or self._is_there(step.at):
                return step.at
            self._take(step)
        return len(self._offered.in_order) if known else 0

    def _fill(self, start: int) -> None:
        for at, (is_body, (path, number), least) in enumerate(self._offered.in_order[start:], start):
            if least > self._left and (path not in self._shown or number not in self._shown[path]):
                continue
            if self._is_there(at):
                continue
            file, shown = self._offered.files[path], self._shown.get(path, set())
            # A body brings its signature along, also where that stands in the kept part.
            needed = file.missing(number, shown)
            cost = sum([file.costs(n)[0] for n in needed]) + (0 if shown else len(file.opening))
            cost += file.costs(number)[1] if is_body and number not in self._whole.get(path, ()) else 0
            if cost <= self._left:
                whole = [number, *file.within(number)] if is_body else []
                self._take(_Step(at, cost, [*needed, *whole], whole))

    def _is_there(self, at: int) -> bool:
        """Whether an offer is shown already."""
        is_body, place, _ = self._offered.in_order[at]
        return self._there.get(place, False) or (not is_body and place in self._there)

    def _take(self, step: _Step) -> None:
        is_body, place, _ = self._offered.in_order[step.at]
        self._left -= step.cost
        self._shown.setdefault(place[0], set()).update(step.shown)
        if is_body:
            self._whole.setdefault(place[0], set()).update(step.whole)
        self.value += (self._offered.bodies if is_body else self._offered.values)[place]
        self._steps.append(step)

    def rendered(self) -> list[Chosen]:
        """What was taken, file by file; one of which the kept part shows some is not shown whole."""
        chosen = []
        kept = {path for path, _ in self._there}
        spent = dict.fromkeys(self._shown, 0.0)
        for step in self._steps:
            spent[self._offered.in_order[step.at][1][0]] += step.cost
        remaining = self._left
        for path in sorted(self._shown):
            left = 0 if path in kept else remaining
            shown, whole = frozenset(self._shown[path]), frozenset(self._whole.get(path, ()))
            made = self._offered.files[path].chosen(shown, whole, spent[path], left)
            remaining -= made.cost - spent[path]
            chosen.append(made)
        return chosen


def prefix_window(before: str, max_characters: int) -> str:
    """The end of `before` that the prompt shows, from a line's beginning.

    Its start moves in steps of a quarter of the window, not with every keystroke: a sliding start would change the
    prompt's first tokens and so throw away the whole KV cache.
    """
    if len(before) <= max_characters:
        return before
    step = max(max_characters // 4, 1)
    start = -(-(len(before) - max_characters) // step) * step
    newline = before.find("\n", start)
    return before[newline + 1 :] if 0 <= newline < len(before) - 1 else before[start:]


def suffix_window(after: str, max_characters: int) -> str:
    """The beginning of `after` that the prompt shows, in whole lines when it is cut."""
    if len(after) <= max_characters:
        return after
    newline = after.rfind("\n", 0, max_characters)
    return after[: newline + 1] if newline > 0 else after[:max_characters]
