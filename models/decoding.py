"""From a request to an answer with a loaded model: prompt, prefill, scores of the candidates, greedy text. Runs in the
model process, on the thread that owns the context.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np

from repofill.context.matches import indent_columns, shared
from repofill.models.clock import Clock
from repofill.models.fim import behind_prefix, build_prompt, fit
from repofill.models.gguf import ModelDescription
from repofill.models.llama import MAX_BRANCHES, Aborted, Llama, Logits, ModelFault, beginnings
from repofill.models.protocol import CandidateScore, FillAnswer, FillRequest

_CACHED_TEXTS = 256
"""Texts whose tokens are kept: those of a few requests, for most come again with the next keystroke."""

_UNSEEN = -2.0
"""The first MAX_BRANCHES candidates are evaluated token by token. Of the others, which are rarely right, the first
token's log-probability is known, and this is reckoned for each further one and for the end."""
_MOST_CANDIDATE_TOKENS = 96
_PERIOD, _PERIODS = 4, 3
"""Greedy text that repeats so many tokens so many times has run into a circle. Finds circles of 1, 2 and 4 tokens."""


class Filler:
    """Answers requests with one model."""

    def __init__(self, llama: Llama, description: ModelDescription) -> None:
        self._llama, self._fim = llama, description.fim
        self._tokenize = lru_cache(maxsize=_CACHED_TEXTS)(llama.tokenize)
        self._bos = description.bos_id if description.add_bos else None
        self._end_of_text = llama.end_of_text | {token for token in self._fim.marker_ids if token < len(llama.pieces)}
        newline = [token for token, piece in enumerate(llama.pieces) if piece.startswith((b"\n", b"\r"))]
        self._end_ids = np.array(sorted(self._end_of_text.union(newline)), dtype=np.int64)

    def count(self, texts: Iterable[str]) -> tuple[int, ...]:
        """Tokens of each text, none of which is kept. May be called from another thread."""
        return tuple(len(self._llama.tokenize(text)) for text in texts)

    def prefill(self, request: FillRequest) -> None:
        """Brings the prompt into the cache, unless what stands there begins with it. Raises Aborted."""
        prompt, tail = self._prompt(request)
        if self._llama.tokens[: len(prompt)] != prompt:
            self._llama.prefill(prompt, tail)

    def fill(self, request: FillRequest) -> FillAnswer:
        """The answer; it ends with "cancelled", with what there is by then, when the stop flag is set meanwhile."""
        clock = Clock("tokenize")
        prompt, tail = self._prompt(request)
        candidates = [self._tokenize(text) for text in request.candidates]
        cached = shared(self._llama.tokens, prompt[:-1])
        scores: list[CandidateScore | None] = [None] * len(candidates)
        written = _Written(self._end_ids, self._end_of_text, self._llama.pieces, request)
        end_logprob = None
        max_tokens = min(request.max_tokens, self._llama.n_ctx - len(prompt))
        try:
            clock.enter("prefill")
            cached = self._llama.prefill(prompt, tail)
            logits = self._llama.logits().copy()
            end_logprob = _logsumexp(logits[self._end_ids]) - _logsumexp(logits)
            clock.enter("score")
            self._score(logits, candidates, scores)
            clock.enter("decode")
            self._write(logits, written, max_tokens)
        except Aborted:
            written.ended = "cancelled"
        text, logprob, steps = written.result()
        return FillAnswer(
            text=text,
            ended=written.ended,
            logprob=logprob,
            steps=steps,
            scores=tuple(scores),
            prompt_tokens=len(prompt),
            cached_tokens=cached,
            end_logprob=end_logprob,
            timings_ms=clock.laps_ms(),
        )

    def _prompt(self, request: FillRequest) -> tuple[list[int], int]:
        """The prompt, and where in it the tokens behind the prefix begin."""
        tokenize = self._tokenize
        context = [tokenize(block) for block in request.context]
        suffix = tokenize(request.suffix) if request.suffix.strip() else ()
        n_ctx = self._llama.n_ctx
        room = n_ctx - min(request.max_tokens, n_ctx // 2)
        parts = fit(self._fim, context, tokenize(request.header + request.prefix), suffix, room=room)
        prompt = build_prompt(self._fim, *parts, bos=self._bos)
        return prompt, len(prompt) - behind_prefix(self._fim, parts[-1])

    def _write(self, logits: Logits, written: _Written, max_tokens: int) -> None:
        """Greedy text after `logits`."""
        while len(written.tokens) < max_tokens and written.add(logits):
            if len(written.tokens) < max_tokens:
                self._llama.step(written.tokens[-1])
                logits = self._llama.logits()

    def _score(self, first: Logits, candidates: Sequence[tuple[int, ...]], scores: list[CandidateScore | None]) -> None:
        """Fills in `scores`: those of the first candidates in groups that fit one batch, then estimates of the others;
        a candidate too long for any batch stays without."""
        group: list[int] = []
        room = self._llama.branch_room
        longest = min(_MOST_CANDIDATE_TOKENS, self._llama.n_ctx - len(self._llama.tokens), room)
        short = [index for index, ids in enumerate(candidates) if len(ids) <= longest]
        for index in short[:MAX_BRANCHES]:
            if len(candidates[index]) > room:
                self._score_group(first, candidates, group, scores)
                group, room = [], self._llama.branch_room
            group.append(index)
            room -= len(candidates[index])
        self._score_group(first, candidates, group, scores)
        total = _logsumexp(first)
        for index in short[MAX_BRANCHES:]:
            ids = candidates[index]
            begins = float(first[ids[0]]) - total if ids else 0.0
            scores[index] = CandidateScore(logprob=begins + _UNSEEN * len(ids), tokens=len(ids))

    def _score_group(
        self,
        first: Logits,
        candidates: Sequence[tuple[int, ...]],
        group: Sequence[int],
        scores: list[CandidateScore | None],
    ) -> None:
        branches = {candidates[index] for index in group}
        following: dict[tuple[int, ...], set[int]] = {}
        for path in (path for branch in branches for path in beginnings(branch)):
            following.setdefault(path[:-1], set()).add(path[-1])
        steps: dict[tuple[int, ...], float] = {}
        ends: dict[tuple[int, ...], float] = {}

        def see(path: tuple[int, ...], logits: Logits) -> None:
            total = _logsumexp(logits)
            steps.update({(*path, token): float(logits[token]) - total for token in following.get(path, ())})
            if path in branches:
                ends[path] = _logsumexp(logits[self._end_ids]) - total

        see((), first)
        if not_empty := branches - {()}:
            self._llama.branch_logits(not_empty, see)
        for index in group:
            ids = candidates[index]
            logprob = sum(steps[path] for path in beginnings(ids)) + ends[ids]
            scores[index] = CandidateScore(logprob=logprob, tokens=len(ids))


@dataclass(frozen=True, slots=True)
class _Step:
    """A token's log-probability, that of an end in its place, and where its text starts, in bytes."""

    logprob: float
    end: float
    start: int


class _Written:
    """Greedy text as it grows, with what ends it."""

    def __init__(
        self,
        end_ids: np.typing.NDArray[np.int64],
        end_of_text: frozenset[int],
        pieces: list[bytes],
        request: FillRequest,
    ) -> None:
        self._end_ids, self._end_of_text, self._pieces = end_ids, end_of_text, pieces
        self._block = request.block_indent
        self._least = -math.inf if request.least_logprob is None else request.least_logprob
        self._logprob = 0.0
        self._data = b""
        self._cut: int | None = None
        self._steps: list[_Step] = []
        self.tokens: list[int] = []
        self.ended = "length"

    def add(self, logits: Logits) -> bool:
        """Takes the most probable token of `logits`; False when the text has ended."""
        total = _logsumexp(logits)
        token = int(logits.argmax())
        end = _logsumexp(logits[self._end_ids]) - total
        self._steps.append(_Step(float(logits[token]) - total, end, len(self._data)))
        self._logprob += self._steps[-1].logprob
        if token in self._end_of_text:
            return self._end("eos", len(self._data))
        self.tokens.append(token)
        self._data += self._pieces[token]
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


def _logsumexp(logits: Logits) -> float:
    top = float(logits.max(initial=-np.inf))
    if not np.isfinite(top):
        raise ModelFault("the model's output is not a number: its file is damaged")
    return top + float(np.log(np.exp(logits - top).sum(dtype=np.float64)))
