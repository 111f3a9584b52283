"""Real projects whose dependency edges are known from the ecosystem's own tool: one module per language, each with its
`PROJECTS`. They run that tool; nothing of `context` is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`fetch` returns the folder that holds the project, downloaded on first use; `edges` takes that folder and returns
    which file depends on which, as pairs of paths relative to it, with forward slashes; `skipped` returns pairs that
    the tool leaves open, which count neither way (an `#include` that is not active). All raise `BenchmarkError` where
    a tool is missing."""

    name: str
    fetch: Callable[[], Path]
    edges: Callable[[Path], set[tuple[str, str]]]
    skipped: Callable[[Path], set[tuple[str, str]]] = lambda _: set()
