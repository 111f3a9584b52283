"""Two releases of each package that is measured on: what the later one has more, somebody has typed into the code of
the earlier one. Fetches them on first use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from repofill.evaluation import packages
from repofill.evaluation.graph_truth import npm
from repofill.evaluation.truth.languages import BUILT

Release = Callable[[], Path]
"""Returns a package's folder. Raises FetchError or BenchmarkError."""


_EARLIER = {
    "prompt_toolkit": "3.0.48",
    "trio": "0.30.0",
    "werkzeug": "3.0.6",
    "httpx": "0.27.2",
    "pygls": "2.0.0",
    "watchdog": "5.0.3",
    "starlette": "0.46.2",
    "textual": "6.0.0",
    "networkx": "3.4.2",
    "tornado": "6.4.2",
}
"""The release before that of `packages`."""


def _wheels(requirements: Sequence[str]) -> list[tuple[Release, Release]]:
    names = [(requirement.partition("==")[0], requirement) for requirement in requirements]
    return [(partial(packages.fetch, f"{n}=={_EARLIER[n]}"), partial(packages.fetch, later)) for n, later in names]


def _npm(name: str, earlier: str, later: str, *without: str) -> tuple[Release, Release]:
    return partial(npm.package, name, earlier, *without), partial(npm.package, name, later, *without)


REPORTED = (
    *_wheels(packages.REPORTED),
    _npm("rxjs", "7.5.0", "7.8.2", "dist"),
    _npm("zod", "4.1.0", "4.6.7", "[!ps]*"),
    _npm("@reduxjs/toolkit", "2.2.0", "2.14.0", *BUILT),
    _npm("@trpc/server", "11.0.0", "11.25.2", *BUILT),
    _npm("eslint", "8.40.0", "8.57.1"),
)
"""Figures are reported on these."""

TUNED = (
    *_wheels(packages.TUNED),
    _npm("mobx", "6.12.0", "7.1.3", *BUILT),
    _npm("@tanstack/query-core", "5.40.0", "5.108.0", *BUILT),
    _npm("knex", "2.5.1", "3.3.0"),
    _npm("yjs", "13.6.8", "13.6.33", "dist"),
)
"""The ranking's weights are fitted on these, too."""
