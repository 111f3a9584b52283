"""Two releases of each package that is measured on: what the later one has more, somebody has typed into the code of
the earlier one. Fetches them on first use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from repofill.evaluation import packages
from repofill.evaluation.graph_truth import npm

Release = Callable[[], Path]
"""Returns a package's folder. Raises FetchError or BenchmarkError."""


def _wheels(name: str, *versions: str) -> tuple[Release, Release]:
    earlier, later = (partial(packages.fetch, f"{name}=={version}") for version in versions)
    return earlier, later


def _npm(name: str, earlier: str, later: str, *without: str) -> tuple[Release, Release]:
    return partial(npm.package, name, earlier, *without), partial(npm.package, name, later, *without)


_BUILT = ("dist", "lib", "cjs", "esm", "build")

REPORTED = (
    _wheels("prompt_toolkit", "3.0.48", "3.0.53"),
    _wheels("trio", "0.30.0", "0.35.0"),
    _wheels("werkzeug", "3.0.6", "3.1.9"),
    _wheels("httpx", "0.27.2", "0.28.1"),
    _wheels("pygls", "2.0.0", "2.1.1"),
    _wheels("watchdog", "5.0.3", "7.1.0"),
    _npm("rxjs", "7.5.0", "7.8.2", "dist"),
    _npm("zod", "4.1.0", "4.6.7", "[!ps]*"),
    _npm("@reduxjs/toolkit", "2.2.0", "2.14.0", *_BUILT),
    _npm("@trpc/server", "11.0.0", "11.25.2", *_BUILT),
    _npm("eslint", "8.40.0", "8.57.1"),
)
"""Figures are reported on these."""

TUNED = (
    _wheels("starlette", "0.46.2", "1.10.0"),
    _wheels("textual", "6.0.0", "8.2.8"),
    _wheels("networkx", "3.4.2", "3.6.1"),
    _wheels("tornado", "6.4.2", "6.6.1"),
    _npm("mobx", "6.12.0", "7.1.3", *_BUILT),
    _npm("@tanstack/query-core", "5.40.0", "5.108.0", *_BUILT),
    _npm("knex", "2.5.1", "3.3.0"),
    _npm("yjs", "13.6.8", "13.6.33", "dist"),
)
"""The ranking's weights are fitted on these, too."""
