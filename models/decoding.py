"""From a request to an answer with a loaded model: prompt, prefill, scores of the candidates, greedy text. Runs in the
model process, on the thread that owns the context.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from repofill.context.matches import shared
from repofill.models.clock import Clock
from repofill.models.faults import Aborted
from repofill.models.gguf import ModelDescription
from repofill.models.llama import MAX_BRANCHES, Llama, Logits, ModelFault
from repofill.models.prompt import Prompter
from repofill.models.protocol import CandidateScore, FillAnswer, FillRequest, Ready
from repofill.models.written import Written

_SCORING_S = 0.15
"""Seconds for evaluating candidates: a large model has no time for all of them."""
_LEAST_SCORED, _MOST_SCORED = 8, 96
"""Tokens of candidates that are evaluated, of the first one and of each."""
_UNSEEN = -2.0
"""Log-probability that is reckoned for each token of a candidate that is not evaluated, and for its end."""

_Ids = npt.NDArray[np.int64]


class Filler:
    """Answers requests with one model."""

    def __init__(self, llama: Llama, description: ModelDescription) -> None:
        self._llama = llama
        bos = description.bos_id if description.add_bos else None
        self._prompter = Prompter(description.fim, llama.tokenize, bos=bos, n_ctx=llama.n_ctx)
        markers = {token for token in description.fim.marker_ids if token < len(llama.pieces)}
        self._end_of_text = llama.end_of_text | markers
        self._endings = _endings(llama.pieces, self._end_of_text)

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
        candidates = [self._candidate(text) for text in request.candidates]
        cached = shared(self._llama.tokens, prompt[:-1])
        max_tokens = min(request.max_tokens, self._llama.n_ctx - len(prompt))
        written = Written(self._end_of_text, request, max_tokens)
        end_logprob = None
        try:
            clock.enter("prefill")
            cached = self._llama.prefill(prompt, tail)
            logits = self._llama.logits().copy()
            end_logprob = _logsumexp(logits[self._endings[b""]]) - _logsumexp(logits)
            clock.enter("score")
            self._score(logits, candidates, written)
            clock.enter("decode")
            self._write(written)
        except Aborted:
            written.ended = "cancelled"
        text, logprob, steps = written.result()
        return FillAnswer(
            text=text,
            ended=written.ended,
            logprob=logprob,
            steps=steps,
            scores=tuple(candidate.score() for candidate in candidates),
            prompt_tokens=len(prompt),
            cached_tokens=cached,
            end_logprob=end_logprob,
            timings_ms=clock.laps_ms(),
        )

    def _candidate(self, text: str) -> _Candidate:
        tokens = self._prompter.tokenize(text)
        return _Candidate(tokens, [self._llama.pieces[token] for token in tokens])

    def _score(self, first: Logits, candidates: Sequence[_Candidate], written: Written) -> None:
        """Shows the candidates the logits behind the prompt, `first`, and in one evaluation those behind as many of
        their tokens as there is time for. They are drafts of the text, too: as far as it goes on like one of them, it
        is written (speculative decoding, Leviathan et al. 2023)."""

        def see(path: tuple[int, ...], logits: Logits) -> bool:
            total = _logsumexp(logits)
            for candidate in candidates:
                candidate.see(path, logits, total, self._endings)
            follows = written.going and path == tuple(written.tokens)
            if follows:
                self._take(logits, total, written)
            return follows

        see((), first)
        if drafts := self._drafts(candidates):
            self._llama.branch_logits(drafts, see)

    def _drafts(self, candidates: Sequence[_Candidate]) -> set[tuple[int, ...]]:
        """The first candidates, as far as there is time for their tokens."""
        room = max(int(_SCORING_S * self._llama.tokens_per_s), _LEAST_SCORED)
        room = min(room, self._llama.branch_room)
        drafts: set[tuple[int, ...]] = set()
        for candidate in candidates[:MAX_BRANCHES]:
            draft = candidate.tokens[: min(room, _MOST_SCORED)]
            room -= len(draft)
            drafts.add(draft)
        return drafts - {()}

    def _write(self, written: Written) -> None:
        """Goes on with a text whose last token is not evaluated."""
        while written.going:
            self._llama.step(written.tokens[-1])
            logits = self._llama.logits()
            self._take(logits, _logsumexp(logits), written)

    def _take(self, logits: Logits, total: float, written: Written) -> None:
        """Writes the likeliest token."""
        token = int(logits.argmax())
        end = _logsumexp(logits[self._endings[b""]]) - total
        written.add(token, self._llama.pieces[token], float(logits[token]) - total, end)


@dataclass(slots=True)
class _Candidate:
    """A text and what is known of its log-probability: that of its first `known` tokens, and that of the whole with its
    end, by the ways seen so far."""

    tokens: tuple[int, ...]
    pieces: Sequence[bytes]
    known: int = -1
    logprob: float = 0.0
    ended: float = -np.inf

    def see(self, path: tuple[int, ...], logits: Logits, total: float, endings: Mapping[bytes, _Ids]) -> None:
        """Takes the logits behind a `path`, the logarithm of whose exponentials' sum is `total`; of paths that the text
        begins with the shorter ones come first."""
        if self.tokens[: len(path)] != path:
            return
        self.known = len(path)
        ids = endings.get(b"".join(self.pieces[self.known :]))
        if ids is not None:
            self.ended = float(np.logaddexp(self.ended, self.logprob + _logsumexp(logits[ids]) - total))
        if self.known < len(self.tokens):
            self.logprob += float(logits[self.tokens[self.known]]) - total

    def score(self) -> CandidateScore | None:
        """None where nothing is known; where not all tokens have been seen, it is an estimate."""
        if self.known < 0:
            return None
        logprob = self.ended
        if self.known < len(self.tokens):
            unseen = _UNSEEN * (len(self.tokens) - self.known)
            logprob = float(np.logaddexp(logprob, self.logprob + unseen))
        return CandidateScore(logprob=logprob, tokens=len(self.tokens))


def _endings(pieces: Sequence[bytes], end_of_text: Iterable[int]) -> dict[bytes, _Ids]:
    """By what is left of a text, the tokens that end it so: many vocabularies have `);` with the line's end as one
    token, and of a text that ends there a model expects that."""
    found: dict[bytes, list[int]] = {b"": list(end_of_text)}
    for token, piece in enumerate(pieces):
        line = next(iter(piece.splitlines()), piece)
        if line != piece:
            found.setdefault(line, []).append(token)
    return {text: np.array(sorted(set(ids)), dtype=np.int64) for text, ids in found.items()}


def _logsumexp(logits: Logits) -> float:
    top = float(logits.max(initial=-np.inf))
    if not np.isfinite(top):
        raise ModelFault("the model's output is not a number: its file is damaged")
    return top + float(np.log(np.exp(logits - top).sum(dtype=np.float64)))
