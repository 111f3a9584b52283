"""The languages that recall is measured in: their resolver, and real packages that nothing was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from repofill.evaluation import packages
from repofill.evaluation.graph_truth import debian, npm
from repofill.evaluation.truth import Resolve, c, go, java, python, rust, typescript


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`suffixes` are those of the files that holes are cut in. Figures are given on the `reported` packages; the
    `development` ones are for looking at misses and fitting weights. Each fetches a package and returns its folder."""

    suffixes: tuple[str, ...]
    resolve: Resolve
    reported: tuple[Callable[[], Path], ...]
    development: tuple[Callable[[], Path], ...]


def _wheels(requirements: tuple[str, ...]) -> tuple[Callable[[], Path], ...]:
    return tuple(partial(packages.fetch, requirement) for requirement in requirements)


def _crate(name: str, version: str) -> Callable[[], Path]:
    folder = f"usr/share/cargo/registry/{name}-{version.rpartition('-')[0]}"
    return lambda: debian.binary(f"librust-{name}-dev={version}") / folder


BUILT = ("dist", "lib", "cjs", "esm", "build")
"""Folders of npm packages with what is built of their sources."""

LANGUAGES = {
    "python": Measured(
        suffixes=(".py",),
        resolve=python.resolve,
        reported=_wheels(packages.REPORTED),
        development=_wheels(packages.TUNED),
    ),
    "typescript": Measured(
        suffixes=(".ts", ".tsx"),
        resolve=typescript.resolve,
        reported=(
            partial(npm.package, "rxjs", "7.8.2", "dist"),
            partial(npm.package, "zod", "4.6.7", "[!ps]*"),  # what is built of src lies around it
            partial(npm.package, "@reduxjs/toolkit", "2.14.0", *BUILT),
            partial(npm.package, "@trpc/server", "11.25.2", *BUILT),
        ),
        development=(
            partial(npm.package, "mobx", "7.1.3", *BUILT),
            partial(npm.package, "@tanstack/query-core", "5.108.0", *BUILT),
        ),
    ),
    "javascript": Measured(
        suffixes=(".js", ".jsx", ".mjs", ".cjs"),
        resolve=typescript.resolve,
        reported=(
            partial(npm.package, "eslint", "8.57.1"),
            partial(npm.package, "webpack", "5.99.9"),
            partial(npm.package, "mocha", "12.0.3"),
        ),
        development=(partial(npm.package, "knex", "3.3.0"), partial(npm.package, "yjs", "13.6.33", "dist")),
    ),
    "java": Measured(
        suffixes=(".java",),
        resolve=java.resolve,
        reported=(
            partial(debian.source, "libcommons-lang3-java", "3.12.0-2+deb12u1"),
            partial(debian.source, "jsoup", "1.15.3-1"),
            partial(debian.source, "commons-io", "2.11.0-2"),
        ),
        development=(partial(debian.source, "libcommons-collections4-java", "4.2-1"),),
    ),
    "go": Measured(
        suffixes=(".go",),
        resolve=go.resolve,
        reported=(
            partial(debian.source, "prometheus", "2.42.0+ds-5+deb12u1"),
            partial(debian.source, "golang-google-grpc", "1.33.3-2"),
            partial(debian.source, "hugo", "0.111.3-1"),
        ),
        development=(partial(debian.source, "golang-github-spf13-cobra", "1.6.1-1"),),
    ),
    "c": Measured(
        suffixes=(".c", ".h"),
        resolve=c.resolve,
        reported=(
            partial(debian.source, "redis", "5:7.0.15-1~deb12u7"),
            partial(debian.source, "curl", "7.88.1-10+deb12u15"),
            partial(debian.source, "tmux", "3.3a-3"),
        ),
        development=(
            partial(debian.source, "lua5.4", "5.4.4-3+deb12u1"),
            partial(debian.source, "libuv1", "1.44.2-1+deb12u1"),
        ),
    ),
    "cpp": Measured(
        suffixes=(".cc", ".cpp", ".h", ".hpp"),
        resolve=partial(c.resolve, language="c++"),
        reported=(
            partial(debian.source, "leveldb", "1.23-4"),
            partial(debian.source, "googletest", "1.12.1-0.2"),
        ),
        development=(partial(debian.source, "libjsoncpp", "1.9.5-4"),),
    ),
    "rust": Measured(
        suffixes=(".rs",),
        resolve=rust.resolve,
        reported=(
            partial(debian.source, "cargo", "0.66.0+ds1-1"),
            partial(debian.source, "rust-clap", "4.0.32-1"),
            _crate("rustls", "0.20.8-4"),
        ),
        development=(_crate("nom", "7.1.1-1"), _crate("image", "0.24.3-1")),
    ),
}
