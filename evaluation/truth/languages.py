"""The languages that recall is measured in: their resolver, and real packages that nothing was trained on."""

from __future__ import annotations

from dataclasses import dataclass

from repofill.evaluation import packages
from repofill.evaluation.truth import Resolve, python


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`suffixes` are those of the files that holes are cut in. Figures are given on the `reported` packages; the
    `development` ones are for looking at misses and fitting weights. Both as `packages.fetch` takes them."""

    suffixes: tuple[str, ...]
    resolve: Resolve
    reported: tuple[str, ...]
    development: tuple[str, ...]


LANGUAGES = {
    "python": Measured(
        suffixes=(".py",), resolve=python.resolve, reported=packages.REPORTED, development=packages.TUNED
    ),
}
