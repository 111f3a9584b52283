"""Fitting: the weights that made the choices are found again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from repofill.context.matches import Candidate
from repofill.evaluation.tune import beginning_weights, fit
from repofill.models.beginning import features
from repofill.models.place import Place
from repofill.models.rank import Option, Ranked, bundled_weights


def test_the_weights_behind_the_choices_are_found() -> None:
    """Of 20,000 groups of one to six options, one of which, or none, was chosen with the model's own probabilities."""
    random = np.random.default_rng(0)
    weights = np.array([-1.0, 2.0, 0.5])
    rows, labels, groups = [], [], []
    for group in range(20_000):
        count = int(random.integers(1, 7))
        options = np.column_stack((np.ones(count), random.normal(size=(count, 2))))
        shares = np.exp(options @ weights)
        chosen = random.choice(len(options) + 1, p=np.append(shares, 1) / (shares.sum() + 1))
        rows += list(options)
        labels += [float(at == chosen) for at in range(len(options))]
        groups += [group] * len(options)
    for start in (np.zeros(3), weights + 1):
        found = fit(np.array(rows), np.array(labels), np.array(groups), start)
        assert np.abs(found - weights).max() < 0.1


@pytest.mark.parametrize(("target", "surer"), [("alpha.three", True), ("omega", False)])
def test_beginnings_are_as_sure_as_they_were_right(target: str, surer: bool) -> None:
    """Where lines go on as several options begin, or never do, the fitted weights say so more than those that ship."""
    place = Place(line="x = ")
    copies = [Candidate(text=text, match_length=9, votes=1, origin="after") for text in ("alpha.one", "alpha.two")]
    ranked = tuple(Ranked(option=Option(text=copy.text, copy=copy), confidence=0.2) for copy in copies)
    gathered, hole = SimpleNamespace(place=place), SimpleNamespace(target=target)
    case: Any = SimpleNamespace(alike="lines", ranked=ranked, gathered=gathered, hole=hole)
    block: Any = SimpleNamespace(alike="blocks")  # not looked at
    row = features("alpha.", ranked, place)

    def score(weights: Any) -> float:
        return sum(weights[name] * value for name, value in row.items())

    assert (score(beginning_weights([case, block] * 200)) > score(bundled_weights().beginning)) is surer
