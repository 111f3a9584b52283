"""Copying as a language model: how the text that a model is shown goes on wherever it has looked as it does now, mixed
into the model's own probabilities, token by token. Pure; used by decoding.py.

An interpolated cache (Kuhn & De Mori 1990) that goes by the longest suffix found (Hellendoorn & Devanbu 2017, Liu et
al. 2024): a model of few parameters has not learnt a project's names, and copies them badly though it reads them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from repofill.context.matches import Text, longest_matches
from repofill.context.redact import REDACTED
from repofill.models.healing import Pieces
from repofill.models.protocol import FillRequest

_BIAS, _LENGTH = -4.73, 1.26
"""The odds that a text goes on as it did behind a match of n characters: exp(_BIAS + _LENGTH * log(1 + n))."""
_SHARPNESS = 8.0
"""By this power of its length a match counts beside others. All three: the likeliest ones for lines that releases of
eight packages added, given the bundled model (evaluation/LOG.md, 2026-11-28)."""
_FOLLOWING = 40
"""Characters behind a match, in which its next token is."""
_BETWEEN = "\0"
_END = -1

Logprobs = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


class Copying:
    """What can be copied at one cursor: from the other files of the prompt, from both sides of the cursor, and from the
    candidates, of whose places in the project nothing else is known here."""

    def __init__(
        self,
        request: FillRequest,
        matched: Iterable[int],
        typed: bytes,
        tokenize: Callable[[str], tuple[int, ...]],
        pieces: Pieces,
        ends: Ids,
    ) -> None:
        """`request` as it came, its candidates `matched`; `typed`: what the model writes of its prefix again; `ends`:
        what ends a text."""
        self._typed, self._tokenize, self._pieces, self._ends = typed, cache(tokenize), pieces, ends
        self._prefix, self._ends_lines = request.prefix, request.block_indent is None
        found = zip(request.candidates, matched, strict=True)
        copies = [f"{request.prefix[-count:]}{text}\n" for text, count in found if count]
        self._shown = _BETWEEN.join((*request.context, *copies, request.suffix, request.prefix))
        self._shares = cache(self._copied)

    def mixed(self, written: bytes, logprobs: Logprobs) -> Logprobs:
        """The model's own `logprobs`, (vocabulary,), of what follows on `written`, which begins with what was typed or
        is the beginning of it, with what copying says."""
        shares = self._shares(written)
        if not shares:
            return logprobs
        rest = self._typed[len(written) :]
        among = self._pieces.starting(rest) if rest else slice(None)  # these give way to copies
        given = float(np.logaddexp.reduce(logprobs[among])) if rest else 0.0
        mixed = logprobs.copy()
        mixed[among] += math.log1p(-sum(shares.values()))
        for token, share in shares.items():
            at = int(self._ends[logprobs[self._ends].argmax()]) if token == _END else token
            mixed[at] = np.logaddexp(mixed[at], given + math.log(share))
        return mixed

    def _copied(self, written: bytes) -> Mapping[int, float]:
        """By token the probability that it is copied now; together they are less than 1."""
        rest = self._typed[len(written) :]
        new = written[len(self._typed) :].decode("utf-8", "replace")
        source = Text(text=self._shown + new, origin="", latest_first=True)
        matches = list(longest_matches(self._prefix + new, source))
        if not matches:
            return {}
        longest = max(length for length, _, _ in matches)
        weights = [((length + 1) / (longest + 1)) ** _SHARPNESS for length, _, _ in matches]
        odds = math.exp(_BIAS + _LENGTH * math.log1p(longest))
        unit = odds / (1 + odds) / sum(weights)
        shares: dict[int, float] = {}
        for (_, text, end), weight in zip(matches, weights, strict=True):
            token = self._next(text[end : end + _FOLLOWING], rest)
            if token is not None:
                shares[token] = shares.get(token, 0.0) + weight * unit
        return shares

    def _next(self, following: str, rest: bytes) -> int | None:
        """The first token of a text behind what is left of what was typed, if it reaches beyond that, or _END; None
        where nobody knows, or wants, what follows."""
        line, newline, _ = following.partition(_BETWEEN)[0].partition("\n")
        if REDACTED in line or not (line or newline):
            return None
        if rest or line.strip():
            token = next(iter(self._tokenize(rest.decode("utf-8", "replace") + line)), None)
            return token if token is not None and self._pieces[token].startswith(rest) else None
        return _END if newline and self._ends_lines else None
