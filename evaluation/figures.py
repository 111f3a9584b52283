"""What the benchmarks have in common: figures by column and name, and the one error that ends a benchmark."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table


class BenchmarkError(Exception):
    """A benchmark cannot be run; its text says why, in one line."""


def show(title: str, figures: Mapping[str, Mapping[str, float]], *, as_json: bool) -> None:
    """Print figures as a table, with an empty field where a column has none of that name, or as JSON."""
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    table = Table(title=title)
    table.add_column("")
    for column in figures:
        table.add_column(column, justify="right")
    for name in dict.fromkeys(name for column in figures.values() for name in column):
        table.add_row(name, *(f"{column[name]:.1f}" if name in column else "" for column in figures.values()))
    Console().print(table)
