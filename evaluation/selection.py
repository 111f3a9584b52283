"""Fits the weights of `context.select`: how probable it is that a definition is used at a cursor, by how it was reached
and how near its name stands. On the development packages of the recall benchmark, whose truth is not ours.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repofill.context.index import WorkspaceIndex
from repofill.context.outline import Definition as Outlined
from repofill.context.select import Features, features, inputs
from repofill.evaluation.truth.cases import Case, cases
from repofill.evaluation.truth.languages import LANGUAGES

_ROUNDS = 40
_RIDGE = 3.0
_UNUSED = 5
"""Of so many definitions that are not used one is looked at, and counts for all of them."""

Example = tuple[Features, bool]


def run(languages: Sequence[str], holes: int, out: Path) -> None:
    """Fit on `holes` places of each development package and write `out` in the form of `context/select.json`. Raises
    `BenchmarkError`."""
    made: list[Example] = []
    packages = []
    for language in languages:
        measured = LANGUAGES[language]
        for fetch in measured.development:
            root = fetch()
            found = cases(f"{language}-{root.name}", root, measured.suffixes, measured.resolve, holes)
            made += _thinned(examples(root, found))
            packages.append(root.name)
    weights = {name: round(weight, 3) for name, weight in fit(made).items()}
    content = {"fitted_on": packages, "holes": holes, "weights": weights}
    out.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def examples(root: Path, cases: Sequence[Case]) -> Iterator[Example]:
    """Every definition that can be reached at the holes, in finished code and in writing order, and whether it is one
    that the removed text uses."""
    index = WorkspaceIndex(root)
    index.build()
    for case in cases:
        for hole in (case.hole, case.hole.in_writing_order()):
            index.open(hole.path, hole.text)
            used = {
                (d.place.path, "" if d.owner == "parameter" else d.name, d.place.line)
                for use in case.uses
                for d in use.definitions
            }
            found = features(index.view, hole.path, hole.text[: hole.offset], hole.text[hole.offset :])
            for (path, number), reached in found.items():
                outline, text = index.view.names(path).outline, index.view.text(path)
                if outline is not None and text is not None:
                    yield reached, _is_used(outline.definitions[number], path, text, used)
        index.close(case.hole.path)


def _thinned(made: Iterator[Example]) -> Iterator[Example]:
    generator = random.Random(1)
    return (example for example in made if example[1] or generator.randrange(_UNUSED) == 0)


def _is_used(definition: Outlined, path: str, text: str, used: set[tuple[str, str, int]]) -> bool:
    """`used`: path, name ("" for a parameter of any function) and line."""
    names = {(name, line) for other, name, line in used if other == path and name in ("", definition.name)}
    if not names or (definition.kind != "function" and all(name == "" for name, _ in names)):
        return False
    first = text.count("\n", 0, definition.signature)
    last = first + text.count("\n", definition.signature, max(definition.body_start, definition.signature))
    return any(first <= line <= last for name, line in names if name or definition.kind == "function")


def fit(made: Sequence[Example]) -> dict[str, float]:
    """Weights by input, of the logistic model of least loss (Newton's method with a little ridge); of the definitions
    that are not used, `made` has one of `_UNUSED`."""
    rows = [inputs(reached) for reached, _ in made]
    names = sorted({name for row in rows for name in row})
    x: NDArray[np.float64] = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    y = np.array([used for _, used in made], dtype=np.float64)
    counts = np.where(y > 0, 1.0, _UNUSED)
    penalty = np.array([0.0 if name == "bias" else _RIDGE for name in names])
    weights = np.zeros(len(names))
    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (counts * (p - y)) + penalty * weights
        curvature = (x * (counts * p * (1 - p))[:, None]).T @ x + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if math.sqrt(float(step @ step)) < 1e-6:
            break
    return dict(zip(names, weights.tolist(), strict=True))
