"""Fits the ranking's weights: a conditional logit model of which option is exactly right, if any, on
`models.rank.FEATURES`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from repofill.evaluation.fill import Case, right
from repofill.models.beginning import FEATURES as OF_BEGINNING
from repofill.models.beginning import OPTIONS, beginnings, begins
from repofill.models.beginning import features as of_beginning
from repofill.models.choice import options_of
from repofill.models.rank import FAMILIES, FEATURES, Option, bundled_weights, features

_OTHERS_SHARE = 2
"""Of the languages that share their weights so many fewer places are drawn of each package."""
_L2 = 10.0
"""How strongly the weights are drawn to those that ship, which stand for the cases of earlier runs."""
_STEPS = 50
_SMALLEST_STEP = 1e-6


def fit(
    rows: npt.NDArray[np.float64],
    labels: npt.NDArray[np.float64],
    groups: npt.NDArray[np.intp],
    start: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Weights, shape (features,), of a conditional logit model, L2-regularised towards `start`, by Newton's method.

    `rows` has shape (options, features), `labels` (options,) holds 0 and 1, at most one 1 per group; `groups`
    (options,) numbers the case that an option belongs to. "None of them" is an option of every group, with score 0.
    """
    weights = start

    def loss(weights: npt.NDArray[np.float64]) -> float:
        scores = rows @ weights
        likelihood = (labels * scores).sum() - np.logaddexp(0, _log_sums(scores, groups)).sum()
        return float(_L2 / 2 * ((weights - start) ** 2).sum() - likelihood)

    now = loss(weights)
    for _ in range(_STEPS):
        scores = rows @ weights
        probability = np.exp(scores - np.logaddexp(0, _log_sums(scores, groups))[groups])
        weighted = rows * probability[:, None]
        mean = np.zeros((groups.max() + 1, rows.shape[1]))
        np.add.at(mean, groups, weighted)
        gradient = rows.T @ (probability - labels) + _L2 * (weights - start)
        curvature = weighted.T @ rows - mean.T @ mean + _L2 * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        while (then := loss(weights - step)) > now and np.abs(step).max() > _SMALLEST_STEP:
            step = step / 2  # Newton's method alone may leap over the optimum, and away
        weights, now = weights - step, then
        if np.abs(step).max() < _SMALLEST_STEP:
            break
    return weights


def holes_of(language: str, holes: int) -> int:
    """How many are drawn of each package of a language where of Python's so many are."""
    return holes if language in FAMILIES else -(-holes // _OTHERS_SHARE)


def _log_sums(scores: npt.NDArray[np.float64], groups: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """The logarithm of the summed exponentials of each group's scores."""
    top = np.full(groups.max() + 1, -np.inf)
    np.maximum.at(top, groups, scores)
    with np.errstate(divide="ignore"):  # of a case without options: minus infinity
        return np.asarray(top + np.log(np.bincount(groups, np.exp(scores - top[groups]))))


def weights_by_family(cases: Sequence[Case]) -> dict[str, dict[str, dict[str, float]]]:
    """Weights of their own for each of FAMILIES, and "" for all other languages together; of those without a case the
    ones that ship."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(FAMILIES.get(case.gathered.language, ""), []).append(case)
    known = bundled_weights().weights
    fitted = {family: _weights_from(group, known[family]) for family, group in groups.items()}
    return {family: fitted.get(family) or {kind: dict(of) for kind, of in known[family].items()} for family in known}


def _weights_from(cases: Sequence[Case], known: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Weights for options scored by a model, and for copied options when there was no time to score them."""
    scored, copied = [], []
    for case in cases:
        options = options_of(case.gathered)
        scored.append((case, options))
        unscored: list[Option] = [replace(o, logprob=None, tokens=0, generated=False) for o in options if o.copy]
        copied.append((case, unscored))
    return {"scored": _fit_named(scored, known["scored"]), "copied": _fit_named(copied, known["copied"])}


def _fit_named(groups: Sequence[tuple[Case, list[Option]]], known: Mapping[str, float]) -> dict[str, float]:
    found = (features(options, case.gathered.place, case.gathered.language) for case, options in groups)
    rows = [[row[name] for name in FEATURES] for of_case in found for row in of_case]
    best = [_longest_right(options, case) for case, options in groups]
    labels = [float(o is wanted) for (_, options), wanted in zip(groups, best, strict=True) for o in options]
    numbers = [number for number, (_, options) in enumerate(groups) for _ in options]
    start = np.array([known.get(name, 0.0) for name in FEATURES])
    weights = fit(np.array(rows), np.array(labels), np.array(numbers), start)
    return {name: round(float(weight), 4) for name, weight in zip(FEATURES, weights, strict=True)}


def _longest_right(options: Sequence[Option], case: Case) -> Option | None:
    """The one that is right; of several beginnings of a block the longest."""
    fitting = (option for option in options if option.whole and right(option.text, case))
    return max(fitting, key=lambda option: len(option.text), default=None)


def beginning_weights(cases: Sequence[Case]) -> dict[str, float]:
    """Weights of `models.beginning`: with one option a group the same model is plain logistic regression."""
    rows, labels = [], []
    for case in (case for case in cases if case.alike != "blocks"):
        for text in beginnings((r.option.text for r in case.ranked[:OPTIONS]), case.gathered.place):
            row = of_beginning(text, case.ranked, case.gathered.place)
            rows.append([row[name] for name in OF_BEGINNING])
            labels.append(float(begins(text, case.hole.target)))
    start = np.array([bundled_weights().beginning.get(name, 0.0) for name in OF_BEGINNING])
    weights = fit(np.array(rows), np.array(labels), np.arange(len(rows)), start)
    return {name: round(float(weight), 4) for name, weight in zip(OF_BEGINNING, weights, strict=True)}


def write(cases: Sequence[Case], packages: Sequence[str], model: str, out: Path) -> None:
    """Fit and write `out` in the form of `models/bundled/rank.json`."""
    content = {"fitted_on": list(packages), "model": model, "cases": len(cases), "weights": weights_by_family(cases)}
    content["beginning"] = beginning_weights(cases)
    out.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
