"""Fitting: the weights that made the choices are found again."""

from __future__ import annotations

import numpy as np

from repofill.evaluation.tune import fit


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
