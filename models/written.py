"""Text as a model writes it, token by token: what ends it, and what it was worth. Pure; used in the model process by
whatever runs the model.
"""

from __future__ import annotations

import codecs
import math
from dataclasses import dataclass
from itertools import accumulate

from repofill.context.matches import indent_columns
from repofill.models.protocol import FillRequest

_PERIOD, _PERIODS = 4, 3
"""Greedy text that repeats so many tokens so many times has run into a circle. Finds circles of 1, 2 and 4 tokens."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A token's log-probability, that of an end in its place, and where its text starts, in bytes."""

    logprob: float
    end: float
    start: int


class Written:
    """Greedy text as it grows, with what ends it."""

    def __init__(self, end_of_text: frozenset[int], request: FillRequest) -> None:
        self._end_of_text = end_of_text
        self._block = request.block_indent
        self._least = -math.inf if request.least_logprob is None else request.least_logprob
        self._logprob = 0.0
        self._data = b""
        self._cut: int | None = None
        self._steps: list[_Step] = []
        self.tokens: list[int] = []
        self.ended = "length"

    def add(self, token: int, piece: bytes, logprob: float, end: float) -> bool:
        """Takes the next token with its bytes, its log-probability, and that of an end in its place; False when the
        text has ended."""
        self._steps.append(_Step(logprob, end, len(self._data)))
        self._logprob += logprob
        if token in self._end_of_text:
            return self._end("eos", len(self._data))
        self.tokens.append(token)
        self._data += piece
        if self._block is None:
            how, at = "newline", _line_end(self._data)
        else:
            how, at = "dedent", _dedent(self._data, self._block)
        if at is not None:
            return self._end(how, at)
        if self._logprob < self._least:
            self.ended = "unlikely"
            return False
        return not self._goes_round()

    @property
    def data(self) -> bytes:
        """All of it so far."""
        return self._data

    def _goes_round(self) -> bool:
        """Whether the last tokens are the same few over and over, as they would be for ever."""
        return self.tokens[-_PERIOD * _PERIODS :] == self.tokens[-_PERIOD:] * _PERIODS

    def result(self) -> tuple[str, float, tuple[tuple[int, float], ...]]:
        """The text, its log-probability with that of its end where it ended by itself, and how both came about, token
        by token."""
        cut = len(self._data) if self._cut is None else self._cut
        shown = [step for step in self._steps if step.start < cut]
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        ends = [*(step.start for step in shown[1:]), cut]
        texts = [decode(self._data[step.start : end]) for step, end in zip(shown, ends, strict=False)]
        characters = accumulate(map(len, texts))
        steps = tuple(zip(characters, accumulate(step.logprob for step in shown), strict=True))
        logprob = steps[-1][1] if steps else 0.0
        if self._cut is not None:  # a token that reaches beyond the cut has the end in its own probability
            logprob += next((step.end for step in self._steps if step.start == cut), 0.0)
        return "".join(texts), logprob, steps

    def _end(self, how: str, cut: int) -> bool:
        self.ended, self._cut = how, cut
        return False


def _line_end(data: bytes) -> int | None:
    """Where the first line ends."""
    return min((data.find(end) for end in (b"\n", b"\r") if end in data), default=None)


def _dedent(data: bytes, columns: int) -> int | None:
    """Where the block ends: before the first line, other than the cursor's own, that is not blank and indented by at
    most `columns`."""
    at = data.find(b"\n")
    while at >= 0:
        following = data.find(b"\n", at + 1)
        line = data[at + 1 : following if following >= 0 else None].decode("utf-8", "replace")
        if line.strip() and indent_columns(line) <= columns:
            return at
        at = following
    return None
