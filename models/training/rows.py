"""Rows of tokens: examples packed to a fixed length, and the file they lie in. Called by `tokens` and `train`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PADDING = 65_535
"""Fills a row's end; no token of it counts. Rows are unsigned 16-bit integers."""

_OPEN_ROWS = 64


def read_rows(path: Path, window: int) -> NDArray[np.uint16]:
    return np.memmap(path, dtype=np.uint16, mode="r").reshape(-1, window + 1)


def packed(examples: Iterable[list[int]], length: int) -> Iterator[NDArray[np.uint16]]:
    """Rows of `length` tokens, each holding whole examples; longer examples are left out."""
    open_rows: list[list[int]] = []
    for tokens in examples:
        if len(tokens) > length:
            continue
        fitting = [row for row in open_rows if len(row) + len(tokens) <= length]
        if fitting:
            max(fitting, key=len).extend(tokens)
            continue
        open_rows.append(tokens)
        if len(open_rows) > _OPEN_ROWS:
            fullest = max(range(len(open_rows)), key=lambda i: len(open_rows[i]))
            yield _padded(open_rows.pop(fullest), length)
    for row in open_rows:
        yield _padded(row, length)


def _padded(tokens: list[int], length: int) -> NDArray[np.uint16]:
    row = np.full(length, PADDING, dtype=np.uint16)
    row[: len(tokens)] = tokens
    return row
