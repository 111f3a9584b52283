"""Two releases of each package that is measured on: what the later one has more, somebody has typed into the code of
the earlier one. Fetches them on first use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from repofill.evaluation import packages
from repofill.evaluation.graph_truth import debian, npm
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


def _debian(name: str, earlier: str, later: str) -> tuple[Release, Release]:
    """The source of a package in Debian 12 and in Debian 13."""
    return partial(debian.source, name, earlier), partial(debian.source, name, later, "trixie")


def _crate(name: str, earlier: str, later: str) -> tuple[Release, Release]:
    def fetched(version: str, suite: str) -> Path:
        registry = debian.binary(f"librust-{name}-dev={version}", suite=suite) / "usr/share/cargo/registry"
        return next(registry.iterdir())

    return partial(fetched, earlier, "bookworm"), partial(fetched, later, "trixie")


REPORTED = (
    *_wheels(packages.REPORTED),
    _npm("rxjs", "7.5.0", "7.8.2", "dist"),
    _npm("zod", "4.1.0", "4.6.7", "[!ps]*"),
    _npm("@reduxjs/toolkit", "2.2.0", "2.14.0", *BUILT),
    _npm("@trpc/server", "11.0.0", "11.25.2", *BUILT),
    _npm("eslint", "8.40.0", "8.57.1"),
)
"""Figures are reported on these."""

OTHERS = (
    _debian("commons-io", "2.11.0-2", "2.19.0-1"),
    _debian("guava-libraries", "31.1-1", "32.0.1-1"),
    _debian("prometheus", "2.42.0+ds-5+deb12u1", "2.53.3+ds1-2"),
    _debian("hugo", "0.111.3-1", "0.131.0-1"),
    _debian("tmux", "3.3a-3", "3.5a-3"),
    _debian("googletest", "1.12.1-0.2", "1.16.0-1"),
    _crate("tokio", "1.24.2-1", "1.43.1-1"),
    _crate("rustls", "0.20.8-4", "0.23.26+ds-1"),
    _debian("phpunit", "9.6.7-1+deb12u1", "11.5.19-1+deb13u1"),
)
"""Java, Go, C, C++, Rust and PHP, which the bundled model has not learned: figures are reported on these, too."""

TUNED = (
    *_wheels(packages.TUNED),
    _npm("mobx", "6.12.0", "7.1.3", *BUILT),
    _npm("@tanstack/query-core", "5.40.0", "5.108.0", *BUILT),
    _npm("knex", "2.5.1", "3.3.0"),
    _npm("yjs", "13.6.8", "13.6.33", "dist"),
    _debian("libcommons-compress-java", "1.22-1", "1.27.1-2"),
    _debian("golang-github-spf13-cobra", "1.6.1-1", "1.8.1-1"),
    _debian("golang-github-labstack-echo", "4.2.1-3", "4.12.0-1"),
    _debian("libuv1", "1.44.2-1+deb12u1", "1.50.0-2"),
    _debian("lua5.4", "5.4.4-3+deb12u1", "5.4.7-1"),
    _debian("spdlog", "1:1.10.0+ds-0.4", "1:1.15.2+ds-2"),
    _debian("fmtlib", "9.1.0+ds1-2", "10.1.1+ds1-4"),
    _crate("image", "0.24.3-1", "0.25.5-3"),
    _crate("h2", "0.3.13-2", "0.4.7-3"),
)
"""The ranking's weights are fitted on these, too."""
