"""Ranking: which of several possible completions to show, and how sure to be of it. Pure; called by the completion
path.

Every option, copied from the project or written by the model, is a row of a few features, and so is that nothing is
missing. At most one of them is exactly the text the user is about to write: a conditional logit model (McFadden 1974)
shares the probability out among them and "none of these", whose score is 0. Its weights are fitted by `repofill bench
tune` on packages that are neither trained on nor reported on, and stand in `models/bundled/rank.json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

from repofill.context.matches import Candidate, shared
from repofill.models.common import ORIGIN, CommonLines, Counted, common_lines_of
from repofill.models.place import Place

FAMILIES: Mapping[str, str] = MappingProxyType(
    {"python": "python", "javascript": "ecmascript", "typescript": "ecmascript"}
)
"""The languages that the bundled model was trained on, by whose weights count for them: elsewhere its word counts for
less."""
FEATURES = (
    "bias",
    "copied",
    "match",
    "match_long",
    "match_full",
    "same_file",
    "after",
    "votes",
    "vote_share",
    "first",
    "margin",
    "follows",
    "follows_long",
    "follows_best",
    "below",
    "opens",
    "opens_deeper",
    "opens_level",
    "closed_deeper",
    "length",
    "short",
    "block",
    "lines",
    "scored",
    "logprob",
    "logprob_mean",
    "logprob_share",
    "generated",
    "agrees",
    "like_generated",
    "listed",
    "common",
    "common_share",
    "common_below",
    "common_below_share",
    "ends",
    "ends_odds",
    "ends_copied",
    "ends_match",
    "ends_share",
    "ends_first",
)
_TELLING = 4
"""Characters below, shared with those below the place that a text is copied from, from which on they are no chance."""
_MISSING = 0.5
"""How probable it is that anything is missing in finished code: nobody knows, so the odds are even."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One possible completion, or that nothing is missing, "". `copy` says where it stands in the project, or that it
    is common, `logprob` is the model's log-probability of the text and of ending there over `tokens` tokens,
    `generated` says that it is the model's own answer. One that is not `whole` was given up by the model: it has its
    share of the probability, but is never shown."""

    text: str
    copy: Candidate | None = None
    logprob: float | None = None
    tokens: int = 0
    generated: bool = False
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """An option with its probability of being exactly right, 0 to 1; those of all options make at most 1 together."""

    option: Option
    confidence: float


def merge(
    copies: Sequence[Candidate],
    scores: Sequence[tuple[float, int] | None],
    written: Option | None = None,
    nothing: Option | None = None,
) -> list[Option]:
    """Options from copied candidates with their scores (log-probability, tokens), the model's own, and that nothing is
    missing; equal texts become one."""
    options = {
        copy.text: Option(text=copy.text, copy=copy, logprob=score and score[0], tokens=score[1] if score else 0)
        for copy, score in zip(copies, scores, strict=True)
    }
    if written is not None and written.text.strip():
        same = options.get(written.text)
        if same is None or written.whole:
            options[written.text] = replace(written, copy=None if same is None else same.copy)
    return [*options.values(), *([] if nothing is None else [nothing])]


def by_promise(copies: Sequence[Candidate], place: Place, language: str, model: str) -> list[Candidate]:
    """Copied candidates of distinct texts, first those that are the most probable by all that is known without the
    model."""
    ranked = rank(merge(copies, [None] * len(copies)), place, language, model)
    return [r.option.copy for r in ranked if r.option.copy is not None]


def rank(options: Sequence[Option], place: Place, language: str, model: str) -> list[Ranked]:
    """The options at a place, the most probable first. `language` by its name in `context.languages`, "" if it is none
    of them; `model` by its own: one that the weights were not fitted with is taken to know every language."""
    fitted = bundled_weights()
    family = FAMILIES.get(language, "") if model == fitted.model else "python"
    scored = any(option.logprob is not None for option in options if option.text)
    weights = fitted.weights.get(family, fitted.weights[""])["scored" if scored else "copied"]
    rows = features(options, place, language)
    scores = [sum(weights.get(name, 0.0) * value for name, value in row.items()) for row in rows]
    top = max(scores, default=0.0)
    shares = [math.exp(score - max(top, 0.0)) for score in scores]
    total = sum(shares) + math.exp(-max(top, 0.0))
    ranked = [
        Ranked(option=option, confidence=share / total * wanted(option, place))
        for option, share in zip(options, shares, strict=True)
    ]
    return sorted(ranked, key=lambda r: -r.confidence)


def wanted(option: Option, place: Place) -> float:
    """How probable it is that anything is missing at the place of an option. Weights are fitted where something is, but
    below a finished line maybe a blank one is all that is wanted; unless the code goes on as it does where the option
    is copied from."""
    found = option.copy is not None and option.copy.follows >= _TELLING
    return 1.0 if found or not place.finished else _MISSING


def features(options: Sequence[Option], place: Place, language: str) -> list[dict[str, float]]:
    """One row per option; what it says of an option depends on the others shown beside it."""
    texts = [option for option in options if option.text]
    copies = [option.copy for option in texts if option.copy is not None and option.copy.origin != ORIGIN]
    logprobs = [option.logprob for option in texts if option.logprob is not None]
    total = math.log(sum(math.exp(value - max(logprobs)) for value in logprobs)) + max(logprobs) if logprobs else 0.0
    common = common_lines_of(language)
    return [
        (_row(option, texts, copies, total) if option.text else _nothing(option, copies))
        | place.features(option.text)
        | _known(option.text, place, common)
        for option in options
    ]


def _nothing(option: Option, copies: Sequence[Candidate]) -> dict[str, float]:
    """That nothing is missing: how probable the model finds it, and what it is copied from beside the `copies`."""
    row = dict.fromkeys(FEATURES, 0.0)
    row["ends"] = 1.0
    if option.logprob is not None:
        row["ends_odds"] = _logit(math.exp(option.logprob)) / 3
    if option.copy is not None:
        row["ends_copied"] = 1.0
        row["ends_match"] = math.log1p(option.copy.match_length) / 3
        row["ends_share"] = option.copy.votes / (option.copy.votes + sum(other.votes for other in copies))
        row["ends_first"] = float(option.copy.match_length >= max((o.match_length for o in copies), default=0))
    return row


def _known(text: str, place: Place, common: CommonLines | None) -> dict[str, float]:
    """What of an option's line other packages know."""
    nothing = Counted(), Counted()
    alone, below = nothing if common is None else common.counted(place.line, text + place.rest, place.above)
    return {
        "common": math.log1p(alone.files) / 3,
        "common_share": _odds(alone),
        "common_below": math.log1p(below.files) / 3,
        "common_below_share": _odds(below),
    }


def _odds(counted: Counted) -> float:
    """Log-odds that a line goes on so, moved to where those of any common line are positive; 0 of others."""
    return _logit(counted.share) / 3 + 1.5 if counted.files else 0.0


def _logit(probability: float) -> float:
    """Log-odds, finite also of 0 and 1."""
    return math.log((probability + 0.01) / (1.01 - probability))


def _row(option: Option, options: Sequence[Option], copies: Sequence[Candidate], total: float) -> dict[str, float]:
    row = dict.fromkeys(FEATURES, 0.0)
    row["bias"] = 1.0
    row["length"] = math.log1p(len(option.text)) / 3
    row["short"] = float(len(option.text) <= 2)
    row["block"] = float(any("\n" in o.text for o in options))
    row["lines"] = math.log1p(option.text.count("\n"))
    row["generated"] = float(option.generated)
    if (written := next((o.text for o in options if o.generated), None)) is not None:
        row["like_generated"] = shared(option.text, written) / max(len(option.text), len(written))
    copy = option.copy
    row["agrees"] = float(option.generated and copy is not None)
    if copy is not None and copy.origin == ORIGIN:
        row["listed"], row["length"] = 1.0, 0.0  # how probable one is, is known whatever its length
    elif copy is not None:
        others = [other.match_length for other in copies if other is not copy]
        row["copied"] = 1.0
        row["match"] = math.log1p(copy.match_length) / 3
        row["match_long"] = min(max(copy.match_length - 12, 0), 48) / 48
        row["match_full"] = float(copy.match_length >= 60)
        row["same_file"] = float(copy.origin in ("before", "after"))
        row["after"] = float(copy.origin == "after")
        row["votes"] = math.log(copy.votes)
        row["vote_share"] = copy.votes / sum(other.votes for other in copies)
        row["first"] = float(copy.match_length >= max(others, default=0))
        row["margin"] = max(-40, min(copy.match_length - max(others, default=0), 40)) / 40
        row["follows"] = math.log1p(copy.follows) / 3
        row["follows_long"] = float(copy.follows >= 40)
        row["follows_best"] = float(copy.follows >= _TELLING and copy.follows == max(other.follows for other in copies))
    if option.logprob is not None:
        row["scored"] = 1.0
        row["logprob"] = max(option.logprob, -40.0) / 10
        row["logprob_mean"] = max(option.logprob / max(option.tokens, 1), -8.0) / 4
        row["logprob_share"] = math.exp(option.logprob - total)
    return row


class Weights(NamedTuple):
    """What was fitted with the model of this name: weights by family, "" for the languages that it was not trained on;
    "scored" for options with a log-probability, "copied" without. `beginning` are those of `models.beginning`."""

    model: str
    weights: Mapping[str, Mapping[str, Mapping[str, float]]]
    beginning: Mapping[str, float]


@lru_cache(maxsize=1)
def bundled_weights() -> Weights:
    """The weights that ship with the bundled model."""
    content = json.loads(resources.files("repofill.models.bundled").joinpath("rank.json").read_text("utf-8"))
    return Weights(model=content["model"], weights=content["weights"], beginning=content["beginning"])
