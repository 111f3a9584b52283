"""Token healing: a cursor inside a word cuts a token that a model has only ever seen whole. Pure; used by decoding.py
and served.py.

What of a token has been typed, "sub" of "subscribe", is taken from the prompt, and the model writes it again: only what
begins so counts, and probabilities are those given that it does. What was typed may have several tokens of its own, and
be written by others when more follows: every way counts that goes along its own for a while, or not at all, and has a
token then that reaches to the cursor or beyond it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MOST_CHARACTERS = 40
_LETTERS, _SIGN, _BLANK = r"[^\W\d_]", r"(?:[^\w\s]|_)", r"[^\S\r\n]"
_BEGUN = re.compile(rf"{_BLANK}?(?:{_LETTERS}+|{_SIGN}+)\Z|{_BLANK}\Z")
"""Letters, or punctuation, each with the blank ahead of it, or a blank: what tokens of source code are made of. Digits
are tokens of their own."""
_BEGUN_BY_SIGN = re.compile(rf"(?<=[^\W_]){_SIGN}{_LETTERS}+\Z")
"""In many vocabularies, as in Qwen's and Llama 3's, letters with a single sign ahead of them, too: `.append`."""
_JOINED = ".get"

Path = tuple[int, ...]


def joins(tokenize: Callable[[str], Sequence[int]]) -> bool:
    """Whether a vocabulary has tokens of a sign and the letters behind it."""
    return len(tokenize(_JOINED)) == 1


def begun(prefix: str, *, joined: bool) -> str:
    """The end of `prefix` that may be the beginning of a token; `joined`: of letters and the sign ahead of them."""
    end = prefix[-_MOST_CHARACTERS - 2 :]
    found = (_BEGUN_BY_SIGN.search(end) if joined else None) or _BEGUN.search(end)
    return found[0] if found is not None and len(found[0]) <= _MOST_CHARACTERS else ""


class Pieces:
    """The bytes of a vocabulary's tokens, by id and by what they begin with."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._order = np.array(sorted(range(len(pieces)), key=pieces.__getitem__), dtype=np.int64)
        self._sorted = sorted(pieces)

    def __getitem__(self, token: int) -> bytes:
        return self._pieces[token]

    def of(self, tokens: Sequence[int]) -> bytes:
        return b"".join(self._pieces[token] for token in tokens)

    def starting(self, beginning: bytes) -> npt.NDArray[np.int64]:
        """Ids of the tokens that begin with `beginning`, which is not empty."""
        first = bisect_left(self._sorted, beginning)
        last = bisect_right(self._sorted, beginning, lo=first, key=lambda piece: piece[: len(beginning)])
        return self._order[first:last]


@dataclass(slots=True, eq=False)
class Begun:
    """What was typed of a token as the model has it: `total`, the log-probability of everything that begins so, and the
    likeliest `way` to go on, tokens of which the last has the bytes `new` beyond what was typed, and its `likeliest`
    log-probability."""

    typed: bytes
    tokens: Path
    total: float = -np.inf
    likeliest: float = -np.inf
    way: Path = ()
    new: bytes = b""

    def __post_init__(self) -> None:
        if not self.tokens:
            self.total = self.likeliest = 0.0

    def see(self, path: Path, so_far: float, logprobs: npt.NDArray[np.float32], pieces: Pieces) -> None:
        """Takes the log-probabilities of what follows a `path`, its own being `so_far`."""
        if len(path) >= len(self.tokens) or self.tokens[: len(path)] != path:
            return
        rest = self.typed[len(pieces.of(path)) :]
        ids = pieces.starting(rest)
        if not len(ids):
            return
        ways = so_far + logprobs[ids].astype(np.float64)
        self.total = float(np.logaddexp(self.total, np.logaddexp.reduce(ways)))
        top = int(ways.argmax())
        if ways[top] > self.likeliest:
            self.likeliest = float(ways[top])
            self.way, self.new = (*path, int(ids[top])), pieces[int(ids[top])][len(rest) :]

    def reached_by(self, tokens: Path, pieces: Pieces) -> int:
        """How many of these tokens, which begin with what was typed, reach to the cursor, if that is a way of their own
        that `see` has not counted; else 0."""
        reached = count = 0
        while reached < len(self.typed) and count < len(tokens):
            reached += len(pieces[tokens[count]])
            count += 1
        return count if count and tokens[: count - 1] != self.tokens[: count - 1] else 0
