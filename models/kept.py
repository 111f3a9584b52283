"""Evaluated prompts of other files and places, kept for when somebody goes back there. Pure; used by llama.py."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from repofill.context.matches import shared


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """What a sequence held: its `tokens`, of which the first `exact` were evaluated as they stand, where in them the
    text behind the cursor begins, and the `data` that llama.cpp makes them of again."""

    tokens: list[int]
    exact: int
    tail: int
    data: ctypes.Array[ctypes.c_uint8]

    def common(self, prompt: Sequence[int]) -> int:
        """How many tokens of a prompt they spare."""
        return min(shared(self.tokens, prompt), self.exact, len(prompt) - 1)


class KeptCells:
    """The cells kept last, of at most so many bytes together."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._kept: list[Cells] = []

    def best(self, prompt: Sequence[int]) -> Cells | None:
        """Those that spare the most tokens of a prompt."""
        return max(self._kept, key=lambda cells: cells.common(prompt), default=None)

    def keep(self, cells: Cells) -> None:
        """Keep cells, in the place of those that have nothing more, and then of the oldest."""
        others = [kept for kept in self._kept if shared(kept.tokens, cells.tokens) < len(kept.tokens)]
        self._kept = [*others, cells]
        while sum(len(kept.data) for kept in self._kept) > self.most_bytes:
            del self._kept[0]
