"""From a request to an answer with a loaded model: prompt, prefill, scores of the candidates, greedy text. Runs in the
model process, on the thread that owns the context.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from repofill.context.matches import shared
from repofill.models.clock import Clock
from repofill.models.faults import Aborted
from repofill.models.gguf import ModelDescription
from repofill.models.llama import MAX_BRANCHES, Llama, Logits, ModelFault, beginnings
from repofill.models.prompt import Prompter
from repofill.models.protocol import CandidateScore, FillAnswer, FillRequest, Ready
from repofill.models.written import Written

_UNSEEN = -2.0
"""The first MAX_BRANCHES candidates are evaluated token by token. Of the others, which are rarely right, the first
token's log-probability is known, and this is reckoned for each further one and for the end."""
_MOST_CANDIDATE_TOKENS = 96


class Filler:
    """Answers requests with one model."""

    def __init__(self, llama: Llama, description: ModelDescription) -> None:
        self._llama = llama
        bos = description.bos_id if description.add_bos else None
        self._prompter = Prompter(description.fim, llama.tokenize, bos=bos, n_ctx=llama.n_ctx)
        markers = {token for token in description.fim.marker_ids if token < len(llama.pieces)}
        self._end_of_text = llama.end_of_text | markers
        newline = [token for token, piece in enumerate(llama.pieces) if piece.startswith((b"\n", b"\r"))]
        self._end_ids = np.array(sorted(self._end_of_text.union(newline)), dtype=np.int64)

    def ready(self) -> Ready:
        """What is known of the model now that it is loaded."""
        return Ready(n_ctx=self._llama.n_ctx, tokens_per_s=self._llama.tokens_per_s)

    def clear(self) -> None:
        """Empties the cache, of which nothing is known any more."""
        self._llama.clear()

    def count(self, texts: Iterable[str]) -> tuple[int, ...]:
        """Tokens of each text, none of which is kept. May be called from another thread."""
        return tuple(len(self._llama.tokenize(text)) for text in texts)

    def prefill(self, request: FillRequest) -> None:
        """Brings the prompt into the cache, unless what stands there begins with it. Raises Aborted."""
        prompt, tail = self._prompter.prompt(request)
        if self._llama.tokens[: len(prompt)] != prompt:
            self._llama.prefill(prompt, tail)

    def fill(self, request: FillRequest) -> FillAnswer:
        """The answer; it ends with "cancelled", with what there is by then, when the stop flag is set meanwhile."""
        clock = Clock("tokenize")
        prompt, tail = self._prompter.prompt(request)
        candidates = [self._prompter.tokenize(text) for text in request.candidates]
        cached = shared(self._llama.tokens, prompt[:-1])
        scores: list[CandidateScore | None] = [None] * len(candidates)
        written = Written(self._end_of_text, request)
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

    def _write(self, logits: Logits, written: Written, max_tokens: int) -> None:
        """Greedy text after `logits`."""
        while len(written.tokens) < max_tokens:
            token, total = int(logits.argmax()), _logsumexp(logits)
            end = _logsumexp(logits[self._end_ids]) - total
            if not written.add(token, self._llama.pieces[token], float(logits[token]) - total, end):
                break
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


def _logsumexp(logits: Logits) -> float:
    top = float(logits.max(initial=-np.inf))
    if not np.isfinite(top):
        raise ModelFault("the model's output is not a number: its file is damaged")
    return top + float(np.log(np.exp(logits - top).sum(dtype=np.float64)))
