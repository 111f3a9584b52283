"""Packing: which definitions and files stand before the current file in the prompt, within a token budget, in which
order. Pure; `context.index` calls it with what `context.select` found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from repofill.context.forms import enclosing, render, shows_value
from repofill.context.languages import path_comment
from repofill.context.outline import Outline
from repofill.context.select import Piece, View

Form = Literal["whole", "definitions"]

_BODY_WORTH = 0.15
"""What the body of a definition adds to its signature, as a share of its value."""
_LEAST_VALUE = 0.002
"""Below this probability of use a definition is not worth its tokens: when in doubt, leave it out."""
_WHOLE_FILE = 1.25
_WHOLE_FILE_CHARACTERS = 200
"""A file whose whole text costs at most so many times its chosen definitions and so much more is shown whole."""
_LINE_CHARACTERS = 6
"""What indentation and line ends add to a line, on average."""
_CACHE_WORTH = 0.35
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
    the result with its path comment, `digest` identifies the file's text that it was made from."""

    path: str
    shown: frozenset[int]
    whole: frozenset[int]
    form: Form
    text: str
    digest: bytes | None


def pack(
    view: View,
    ranked: Sequence[Piece],
    budget_characters: int,
    position: Callable[[str], int],
    previous: Sequence[Chosen] = (),
) -> tuple[Chosen, ...]:
    """The context of the most value within a budget, in the workspace's one dependency order.

    Definitions enter by value per character: first their signatures, then the bodies of those that are worth it. As
    much of the beginning of the `previous` context as is still worth its place stays as it is, so that the KV cache of
    its tokens survives; what is new follows, in dependency order again.
    """
    values = {(piece.path, piece.number): piece.value for piece in ranked if piece.value >= _LEAST_VALUE}
    kept = _still_true(view, previous)
    best: tuple[Chosen, ...] = ()
    best_score, best_value = -1.0, 0.0
    if budget_characters <= 0:
        return ()
    for count in sorted({0, len(kept) // 4, len(kept) // 2, 3 * len(kept) // 4, len(kept)}):
        start = kept[:count]
        used = sum(len(chosen.text) for chosen in start)
        if used > budget_characters:
            break
        added, value = _added(view, values, start, budget_characters - used)
        best_value = value if count == 0 else best_value
        score = value + _CACHE_WORTH * best_value * used / budget_characters
        if score >= best_score:
            added.sort(key=lambda chosen: (position(chosen.path), chosen.path))
            best, best_score = (*start, *added), score
    return best


def _added(
    view: View, values: Mapping[tuple[str, int], float], start: Sequence[Chosen], left: float
) -> tuple[list[Chosen], float]:
    """What follows `start` within what is left of the budget, and the value of both. What a definition costs is an
    estimate until it is rendered; where it was too low, another attempt has that much less to spend."""
    allowed = left
    while True:
        packing = _Packing(view, values, start, allowed)
        packing.fill()
        added = list(packing.rendered())
        over = sum(len(chosen.text) for chosen in added) - left
        if over <= 0:
            return added, packing.value
        allowed -= over


def _still_true(view: View, previous: Sequence[Chosen]) -> list[Chosen]:
    """The files up to the first one that has changed."""
    kept = []
    for chosen in previous:
        if view.digest(chosen.path) != chosen.digest:
            break
        kept.append(chosen)
    return kept


@dataclass(slots=True)
class _Packing:
    view: View
    values: Mapping[tuple[str, int], float]
    kept: Sequence[Chosen]
    left: float
    value: float = 0.0
    files: dict[str, _File] = field(default_factory=dict)

    def fill(self) -> None:
        """Spend what is left of the budget."""
        shown = {(c.path, n) for c in self.kept for n in c.shown}
        whole = {(c.path, n) for c in self.kept for n in c.whole}
        self.value = sum(self.values.get(key, 0.0) for key in shown)
        self.value += sum(self.values.get(key, 0.0) * _BODY_WORTH for key in whole)
        offers = []
        for (path, number), value in self.values.items():
            file = self._file(path)
            if (path, number) not in shown:
                offers.append((value / file.header(number), False, path, number))
            if (path, number) not in whole and (body := file.body(number)) > 0:
                offers.append((value * _BODY_WORTH / body, True, path, number))
        for _, is_body, path, number in sorted(offers, key=lambda offer: (-offer[0], offer[1:])):
            file = self.files[path]
            if is_body and number not in file.shown and (path, number) not in shown:
                continue  # its signature was too much already
            cost = file.cost(number, is_body)
            if cost <= self.left:
                self.left -= cost
                file.take(number, is_body)
                self.value += self.values[path, number] * (_BODY_WORTH if is_body else 1)

    def _file(self, path: str) -> _File:
        if path not in self.files:
            outline, text = self.view.outline(path), self.view.text(path)
            assert outline is not None
            assert text is not None
            self.files[path] = _File(path, text, outline, enclosing(outline), self.view.digest(path))
        return self.files[path]

    def rendered(self) -> Iterable[Chosen]:
        """What was chosen, file by file."""
        for _, file in sorted(self.files.items()):
            if file.shown:
                chosen = file.rendered(self.left)
                self.left -= max(len(chosen.text) - file.spent, 0)
                yield chosen


@dataclass(slots=True)
class _File:
    path: str
    source: str
    outline: Outline
    parents: list[int]
    digest: bytes | None
    shown: set[int] = field(default_factory=set)
    whole: set[int] = field(default_factory=set)
    spent: float = 0.0

    def header(self, number: int) -> float:
        """Characters of a definition as a skeleton."""
        definition = self.outline.definitions[number]
        shown_to = definition.body_start if self.body(number) or definition.kind == "class" else definition.end
        return shown_to - definition.signature + len(definition.doc) + 2 * _LINE_CHARACTERS

    def body(self, number: int) -> float:
        """Characters that its body adds; 0 for a class, which is shown by its members, and for a short constant, whose
        skeleton has it already."""
        definition = self.outline.definitions[number]
        whole = definition.kind == "class" or (definition.kind == "variable" and shows_value(self.source, definition))
        return 0 if whole else definition.body_end - definition.body_start

    def cost(self, number: int, is_body: bool) -> float:
        """Characters that showing it adds, with the classes around it and the file's path comment if need be."""
        if is_body:
            return self.body(number)
        opening = 0 if self.shown else len(self.path) + _LINE_CHARACTERS
        return opening + sum(map(self.header, self._missing(number)))

    def take(self, number: int, is_body: bool) -> None:
        """Show it."""
        self.spent += self.cost(number, is_body)
        self.shown.update(self._missing(number))
        if is_body:
            self.whole.add(number)

    def _missing(self, number: int) -> list[int]:
        missing = []
        while number >= 0 and number not in self.shown:
            missing.append(number)
            number = self.parents[number]
        return missing

    def rendered(self, left: float) -> Chosen:
        """Its chosen definitions, or the whole file where that costs little more."""
        opening = path_comment(self.path) + "\n"
        text = opening + render(self.source, self.outline, shown=self.shown, whole=self.whole)
        whole = opening + self.source.strip("\n") + "\n"
        form: Form = "definitions"
        if len(whole) <= len(text) * _WHOLE_FILE + _WHOLE_FILE_CHARACTERS and len(whole) - len(text) <= max(left, 0):
            text, form = whole, "whole"
            self.shown = set(range(len(self.outline.definitions)))
            self.whole = self.shown
        return Chosen(
            path=self.path,
            shown=frozenset(self.shown),
            whole=frozenset(self.whole),
            form=form,
            text=text,
            digest=self.digest,
        )


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
