"""The choice: which of the texts found at a cursor are shown, and in what order. Pure; called by the completion path.

A small model has scored the copied texts, and `rank` weighs all of them together. A larger one has only written: its
text is as sure as it says, and the copied ones have the probability that it leaves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from repofill.context.matches import Candidate
from repofill.models.beginning import SURE, begins, gain, parts, sure_beginning
from repofill.models.gguf import ModelDescription
from repofill.models.place import Place
from repofill.models.protocol import FillAnswer
from repofill.models.rank import Option, Ranked, merge, rank, wanted

_DOUBT = 1.5
"""What a model writes where the project goes on otherwise is less probable than it says: by this power, which was
right for Qwen2.5-Coder's 0.5B and 1.5B models (evaluation/LOG.md, 2026-11-27)."""

_CUT_SHORT = frozenset({"unlikely", "deadline"})
"""How an answer ended of which beginnings may be shown, but not all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known at a cursor, at its `place` in a file of this `language`. `answer` is the `model`'s, None where it
    had none in time; `written` is its text as it would be shown. `scored`: the model was asked for the copied texts,
    too. `nothing`: the option that the line is finished as it stands, None where that is out of the question or
    nothing is known of it."""

    copies: tuple[Candidate, ...]
    nothing: Option | None
    written: str
    answer: FillAnswer | None
    scored: bool
    model: ModelDescription
    place: Place
    language: str


def sure_enough(found: Found, least: float) -> list[Ranked]:
    """The options at a cursor that are right with a probability of at least `least`, the most probable first; ahead of
    them the beginning of a line, where it is so much surer that more is gained by it."""
    ranked = rank_found(found)
    likely = [r for r in ranked if r.confidence >= least]
    beginning = _beginning(found, ranked, least)
    if likely and beginning and gain(likely[0]) >= gain(beginning[0]):
        return likely
    return [*beginning, *likely]


def all_options(found: Found) -> list[Ranked]:
    """Every option at a cursor, for whoever asks how it goes on: the most probable first, then the beginning of one,
    where that is sure, then the others."""
    ranked = rank_found(found)
    return [*ranked[:1], *_beginning(found, ranked, 0.0), *ranked[1:]]


def _beginning(found: Found, ranked: Sequence[Ranked], least: float) -> list[Ranked]:
    """The beginning of a line, or of what a larger model wrote, by which most is gained, if any is sure."""
    if found.scored:
        beginning = sure_beginning(ranked, found.place, max(least, SURE))
    else:
        enough = least if "\n" in found.written else max(least, SURE)
        beginning = max((r for r in _parts(found) if r.confidence >= enough), key=gain, default=None)
    return [] if beginning is None else [beginning]


def options_of(found: Found) -> list[Option]:
    """The copied candidates at a cursor, that nothing is missing there and, where the model has scored them, its own
    text."""
    answer, nothing = found.answer, found.nothing
    if answer is None or not found.scored:
        copied = replace(nothing, logprob=None) if nothing is not None and nothing.copy is not None else None
        return merge(found.copies, [None] * len(found.copies), nothing=copied)
    scores = [None if score is None else (score.logprob, score.tokens) for score in answer.scores]
    ended = answer.ended not in {"length", *_CUT_SHORT}
    text = found.written if ended else answer.text
    own = Option(text=text, logprob=answer.logprob, tokens=len(answer.steps), generated=True, whole=ended)
    return merge(found.copies, scores, own if answer.ended != "deadline" else None, nothing)


def rank_found(found: Found) -> list[Ranked]:
    """The options at a cursor that may be shown, the most probable first."""
    answer, nothing = found.answer, found.nothing
    ranked = rank(options_of(found), found.place, found.language, found.model.name)
    ranked = [r for r in ranked if r.option.whole and r.option.text]
    if answer is None or found.scored:
        return ranked
    left = 1 - math.exp(nothing.logprob) if nothing is not None and nothing.logprob is not None else 1.0
    best: list[Ranked] = []
    if found.written and answer.ended not in _CUT_SHORT:
        own = _own(found, answer, found.written)
        left = max(left - own.confidence, 0.0)
        best = [_agreed(own, next((r for r in ranked if r.option.text == found.written), None))]
    # Such a model has not looked at the copies: they have no more than the probability that it leaves.
    others = [replace(r, confidence=r.confidence * left) for r in ranked if r.option.text != found.written]
    return sorted([*best, *others], key=lambda r: -r.confidence)


def _agreed(own: Ranked, copied: Ranked | None) -> Ranked:
    """A text that was written and copied: wrong only where both are."""
    if copied is None:
        return own
    wrong = (1 - own.confidence) * (1 - copied.confidence)
    return Ranked(option=replace(own.option, copy=copied.option.copy), confidence=1 - wrong)


def _parts(found: Found) -> list[Ranked]:
    """How far what a model wrote may be shown, short of all of it."""
    answer = found.answer
    return [] if answer is None else [_own(found, answer, part) for part in parts(found.written, found.place)]


def _own(found: Found, answer: FillAnswer, text: str) -> Ranked:
    """A beginning of what a model wrote, or all of it, as sure as the model is: pre-trained ones are right as often as
    the product of their tokens' probabilities says, but for `_DOUBT`."""
    logprob = answer.logprob_of(len(text))
    option = Option(text=text, logprob=logprob, generated=True)
    doubted = found.copies and not any(begins(text, copy.text) for copy in found.copies)
    probability = math.exp(logprob * (_DOUBT if doubted else 1.0))
    return Ranked(option=option, confidence=probability * wanted(option, found.place))
