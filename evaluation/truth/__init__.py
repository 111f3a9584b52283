"""Which definitions a name in real code leads to, from resolvers that share nothing with `context`: one module per
language around the ecosystem's own tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cattrs.preconf.json import make_converter

Owner = Literal["module", "class", "function", "parameter"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where a name stands: `path` relative to the workspace, with forward slashes; `line` and `column` count from 0,
    columns in code points."""

    path: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Where a name is defined: `place` is that of the `name`; `owner` is what it belongs to: its module, a class, the
    inside of a function, or, for a parameter, the list of parameters."""

    place: Place
    name: str
    owner: Owner


Resolve = Callable[[Path, Sequence[Place]], list[tuple[Definition, ...]]]
"""Takes the workspace folder and the places of words in it; returns, for each of them, what it leads to within that
folder, () for what is no name or leads nowhere or elsewhere. Raises `BenchmarkError` where its tool is missing."""


_converter = make_converter()


def definitions(answer: str) -> list[tuple[Definition, ...]]:
    """From a tool's answer in JSON: for each place the list of its definitions, in any order and more than once."""
    found = _converter.loads(answer, list[list[Definition]])
    return [tuple(sorted(set(one), key=lambda definition: definition.place)) for one in found]
