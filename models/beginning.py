"""How far a line is sure: where no whole one is, or is much less so. Pure; called by the completion path.

That the author's text begins in some way is more probable than the options that begin so are together: what is none of
them may begin so, too. A logistic model says how probable; its weights are fitted by `repofill bench tune` beside those
of `models.rank`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from repofill.models.place import Place
from repofill.models.rank import Option, Ranked, bundled_weights
from repofill.models.trim import is_closed

SURE = 0.55
"""So probable must a beginning be at least: as often right as whole lines are from the default confidence on."""
FEATURES = ("bias", "options", "share", "count", "match", "length", "in_word")

_TOKEN = re.compile(r"\w+|[^\w\s]")
_WORD = re.compile(r"\w+")
OPTIONS = 6
"""The most probable ones, whose beginnings are looked at."""
_SHORTEST, _LONGEST = 3, 80
"""Characters that are worth a key, and that are looked at."""
_LINE_CHARACTERS = 200
"""Of the line ahead of the cursor, in which a string may have begun."""
_WRONG = 8
"""What a wrong one costs, in characters that a right one saves."""


def sure_beginning(ranked: Sequence[Ranked], place: Place, least: float = SURE) -> Ranked | None:
    """Of the beginnings of the options at a place, the most probable first, the one to gain most by that is right with
    a probability of at least `least`; None where there is none."""
    texts = beginnings((r.option.text for r in ranked[:OPTIONS]), place)
    probable = ((text, _probability(features(text, ranked, place))) for text in texts if _is_worth_it(text, place))
    sure = [Ranked(option=_option(text, ranked), confidence=p) for text, p in probable if p >= least]
    return max(sure, key=gain, default=None)


def gain(ranked: Ranked) -> float:
    """What showing a text is worth, in characters that need not be typed."""
    return ranked.confidence * len(ranked.option.text) - (1 - ranked.confidence) * _WRONG


def _is_worth_it(text: str, place: Place) -> bool:
    """Not so short, nor on a new line one word alone: `return`, `self`. Where words stand behind the cursor, only what
    leads to them."""
    begun = bool(place.line.strip()) or len(_WORD.findall(text)) > 1
    return len(text.strip()) >= _SHORTEST and begun and not _WORD.search(place.rest)


def _probability(row: Mapping[str, float]) -> float:
    weights = bundled_weights().beginning
    return 1 / (1 + math.exp(-sum(weights[name] * value for name, value in row.items())))


def parts(text: str, place: Place) -> list[str]:
    """Where a text that a model wrote can be cut, the shorter ones first: of several lines behind each but the last, of
    a single one as `beginnings` says, where that is worth it."""
    if "\n" in text:
        lines = text.split("\n")
        upto = ("\n".join(lines[:count]) for count in range(1, len(lines)))
        return [part for part in upto if part.strip() and is_closed(part, place.line[-_LINE_CHARACTERS:])]
    return [part for part in beginnings([text], place) if part != text and _is_worth_it(part, place)]


def beginnings(texts: Iterable[str], place: Place) -> Iterator[str]:
    """Where texts, those of one line, can be cut: behind a word or a sign, where no bracket or quote that they have
    opened is left open. Each once, the shorter ones of a text first."""
    line = place.line[-_LINE_CHARACTERS:]
    found: dict[str, None] = {}
    for text in (text for text in texts if "\n" not in text):
        ends = (token.end() for token in _TOKEN.finditer(text[: _LONGEST + 1]))
        found.update(dict.fromkeys(text[:end] for end in ends if end <= _LONGEST))
    return (text for text in found if is_closed(text, line))


def begins(text: str, whole: str) -> bool:
    """Whether `whole` begins with `text`, and not in the middle of a word."""
    return whole.startswith(text) and not (_is_word(text[-1:]) and _is_word(whole[len(text) : len(text) + 1]))


def features(text: str, ranked: Sequence[Ranked], place: Place) -> dict[str, float]:
    """What is weighed of a beginning: the probability of the options that begin so, their share of that of all options,
    their number, their longest match, its length, and whether it ends a word that has begun at the cursor."""
    agreeing = [r for r in ranked if begins(text, r.option.text)]
    probability = sum(r.confidence for r in agreeing)
    return {
        "bias": 1.0,
        "options": math.log((probability + 0.01) / (1.01 - probability)),
        "share": math.log(probability / max(sum(r.confidence for r in ranked), 1e-9) + 0.02),
        "count": math.log(max(len(agreeing), 1)),
        "match": math.log1p(max((r.option.copy.match_length for r in agreeing if r.option.copy), default=0)) / 3,
        "length": math.log(len(text)),
        "in_word": float(_is_word(place.line[-1:])),
    }


def _option(text: str, ranked: Sequence[Ranked]) -> Option:
    agreeing = [r.option for r in ranked if begins(text, r.option.text)]
    copy = next((option.copy for option in agreeing if option.copy is not None), None)
    return Option(text=text, copy=copy, generated=any(option.generated for option in agreeing))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
