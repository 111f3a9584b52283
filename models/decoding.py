"""From a request to an answer with a loaded model: prompt, prefill, scores of the candidates, greedy text. Runs in the
model process, on the thread that owns the context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from repofill.context.matches import shared
from repofill.models.clock import Clock
from repofill.models.copying import Copying, Ids, Logprobs
from repofill.models.faults import Aborted
from repofill.models.gguf import ModelDescription
from repofill.models.healing import Begun, Path, Pieces, begun, joins
from repofill.models.llama import MAX_BRANCHES, Llama, Logits, ModelFault
from repofill.models.prompt import Prompter
from repofill.models.protocol import CandidateScore, FillAnswer, FillRequest, Ready
from repofill.models.written import Written

_EVALUATED = MAX_BRANCHES - 1
_UNSEEN = -2.0
"""The first _EVALUATED candidates are evaluated token by token. Of the others, which are rarely right, the first
token's log-probability is known, and this is reckoned for each further one and for the end."""
_MOST_CANDIDATE_TOKENS = 96

Follows = Callable[[bytes, Logits], Logprobs]
"""From a text, what was typed of it included, and the logits behind it to the log-probabilities of what follows."""


class Filler:
    """Answers requests with one model."""

    def __init__(self, llama: Llama, description: ModelDescription) -> None:
        self._llama = llama
        bos = description.bos_id if description.add_bos else None
        self._prompter = Prompter(description.fim, llama.tokenize, bos=bos, n_ctx=llama.n_ctx)
        markers = {token for token in description.fim.marker_ids if token < len(llama.pieces)}
        self._end_of_text = llama.end_of_text | markers
        self._endings = _endings(llama.pieces, self._end_of_text)
        self._pieces = Pieces(llama.pieces)
        self._joined = joins(llama.tokenize)
        self._last: tuple[list[int], Logits] = [], np.empty(0, np.float32)

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
        prompt, tail = self._prompter.prompt(self._healed(request)[0])
        if self._llama.tokens[: len(prompt)] != prompt:
            self._llama.prefill(prompt, tail)

    def fill(self, request: FillRequest) -> FillAnswer:
        """The answer; it ends with "cancelled", with what there is by then, when the stop flag is set meanwhile."""
        clock = Clock("tokenize")
        asked, typed = self._healed(request)
        prompt, tail = self._prompter.prompt(asked)
        start = Begun(typed=typed.encode("utf-8", "replace"), tokens=self._prompter.tokenize(typed))
        follows = self._follows(request, start.typed)
        candidates = [self._candidate(typed + text, start) for text in request.candidates]
        scores: tuple[CandidateScore | None, ...] = (None,) * len(candidates)
        cached = shared(self._llama.tokens, prompt[:-1])
        written = Written(self._end_of_text, request)
        nothing = None
        max_tokens = min(request.max_tokens, self._llama.n_ctx - len(prompt) - len(start.tokens))
        try:
            clock.enter("prefill")
            cached, logits = self._behind(prompt, tail)
            first = follows(b"", logits)
            clock.enter("score")
            scores, nothing = self._score(first, follows, candidates, start)
            clock.enter("decode")
            self._write(first, follows, written, max_tokens, start, nothing)
        except Aborted:
            written.ended = "cancelled"
        text, logprob, steps = written.result()
        return FillAnswer(
            text=text,
            ended=written.ended,
            logprob=logprob,
            steps=steps,
            scores=scores,
            prompt_tokens=len(prompt),
            cached_tokens=cached,
            end_logprob=None if nothing is None else nothing.score(start.total).logprob,
            timings_ms=clock.laps_ms(),
        )

    def _behind(self, prompt: list[int], tail: int) -> tuple[int, Logits]:
        """How many tokens of a prompt needed no evaluation, and the logits of what follows it. While a word is typed,
        its prompt stays as it is, and nothing of it needs any."""
        last, logits = self._last
        if prompt == last and self._llama.back_to(prompt):
            return len(prompt), logits
        cached = self._llama.prefill(prompt, tail)
        self._last = prompt, self._llama.logits().copy()
        return cached, self._last[1]

    def _healed(self, request: FillRequest) -> tuple[FillRequest, str]:
        """The request without what was typed of a token, and that."""
        typed = begun(request.prefix, joined=self._joined)
        if self._pieces.of(self._prompter.tokenize(typed)) != typed.encode("utf-8", "replace"):
            typed = ""
        return replace(request, prefix=request.prefix[: len(request.prefix) - len(typed)]), typed

    def _follows(self, request: FillRequest, typed: bytes) -> Follows:
        if request.matched is None:
            return lambda _, logits: _logprobs(logits)
        copying = Copying(request, request.matched, typed, self._llama.tokenize, self._pieces, self._endings[b""])
        return lambda text, logits: copying.mixed(text, _logprobs(logits))

    def _candidate(self, text: str, start: Begun) -> _Candidate:
        tokens = self._prompter.tokenize(text)
        pieces = [self._pieces[token] for token in tokens]
        return _Candidate(tokens, pieces, reaches=start.reached_by(tokens, self._pieces))

    def _score(
        self, first: Logprobs, follows: Follows, candidates: Sequence[_Candidate], start: Begun
    ) -> tuple[tuple[CandidateScore | None, ...], _Candidate]:
        """Of each candidate, by what follows the prompt, `first`, and in one batch what follows the tokens of the first
        ones; of one that is far too long nothing. And the candidate that nothing follows what was typed, the last token
        of which is not evaluated where there are no others."""
        short = [candidate for candidate in candidates if len(candidate.tokens) <= _MOST_CANDIDATE_TOKENS]
        nothing = _Candidate(start.tokens, [self._pieces[token] for token in start.tokens])
        self._show([nothing, *short], start, (), first)
        fitting = self._fitting([nothing, *short[:_EVALUATED]])

        def see(path: Path, logits: Logits) -> None:
            self._show(fitting, start, path, follows(self._pieces.of(path), logits))

        tokens = (candidate.tokens for candidate in fitting) if candidates else (start.tokens[:-1],)
        if branches := {*tokens} - {()}:
            self._llama.branch_logits(branches, see)
        ways = {candidate.tokens[: candidate.reaches]: candidate.reached for candidate in short if candidate.reaches}
        start.total = float(np.logaddexp.reduce([start.total, *ways.values()]))
        scores = (candidate.score(start.total) if candidate in short else None for candidate in candidates)
        return tuple(scores), nothing

    def _show(self, candidates: Sequence[_Candidate], start: Begun, path: Path, logprobs: Logprobs) -> None:
        """`candidates` begin with what was typed alone."""
        start.see(path, candidates[0].logprob, logprobs, self._pieces)
        for candidate in candidates:
            candidate.see(path, logprobs, self._endings)

    def _fitting(self, candidates: Iterable[_Candidate]) -> list[_Candidate]:
        """Those that one batch has room for."""
        room, fitting = self._llama.branch_room, []
        for candidate in candidates:
            if len(candidate.tokens) <= room:
                room -= len(candidate.tokens)
                fitting.append(candidate)
        return fitting

    def _write(
        self, first: Logprobs, follows: Follows, written: Written, max_tokens: int, start: Begun, nothing: _Candidate
    ) -> None:
        """Greedy text: the likeliest way from what was typed, or from what follows `first` where that is nothing, and
        on."""

        def behind(tokens: Sequence[int], text: bytes) -> Logprobs:
            self._llama.extend(tokens)
            return follows(text, self._llama.logits())

        logprobs = first
        if start.way and max_tokens > 0:
            if as_typed := start.way == start.tokens:
                logprobs = behind(start.way, start.typed)
                nothing.see(start.way, logprobs, self._endings)
            logprob, end = start.likeliest - start.total, nothing.score(start.total).logprob
            if not written.add(start.way[-1], start.new, logprob, end):
                return
            if not as_typed:
                logprobs = behind(start.way, start.typed + start.new)
        while len(written.tokens) < max_tokens:
            token = int(logprobs.argmax())
            end = _logsumexp(logprobs[self._endings[b""]])
            if not written.add(token, self._pieces[token], float(logprobs[token]), end):
                break
            if len(written.tokens) < max_tokens:
                logprobs = behind(written.tokens[-1:], start.typed + written.data)


@dataclass(slots=True, eq=False)
class _Candidate:
    """A text, what was typed of it included, and what is known of its log-probability: that of its first tokens, behind
    `known` of which logits were seen, that of the first that `reaches` tells, and that of the whole with its end, by
    the ways seen so far."""

    tokens: tuple[int, ...]
    pieces: Sequence[bytes]
    reaches: int = 0
    reached: float = -np.inf
    known: int = -1
    logprob: float = 0.0
    ended: float = -np.inf

    def see(self, path: Path, logprobs: Logprobs, endings: Mapping[bytes, Ids]) -> None:
        """Takes the log-probabilities of what follows a `path`; of those that the text begins with the shorter ones
        come first, and each counts once."""
        if len(path) <= self.known or self.tokens[: len(path)] != path:
            return
        self.known = len(path)
        ids = endings.get(b"".join(self.pieces[self.known :]))
        if ids is not None:
            self.ended = float(np.logaddexp(self.ended, self.logprob + _logsumexp(logprobs[ids])))
        if self.known < len(self.tokens):
            self.logprob += float(logprobs[self.tokens[self.known]])
            if self.known + 1 == self.reaches:
                self.reached = self.logprob

    def score(self, typed: float) -> CandidateScore:
        """Given what was typed, which has the log-probability `typed`. Where not all tokens have been seen, it is an
        estimate."""
        logprob = self.ended
        if self.known < len(self.tokens):
            unseen = _UNSEEN * (len(self.tokens) - self.known)
            logprob = float(np.logaddexp(logprob, self.logprob + unseen))
        return CandidateScore(logprob=min(logprob - typed, 0.0), tokens=len(self.tokens))


def _endings(pieces: Sequence[bytes], end_of_text: Iterable[int]) -> dict[bytes, Ids]:
    """By what is left of a text, the tokens that end it so: many vocabularies have `);` with the line's end as one
    token, and of a text that ends there a model expects that."""
    found: dict[bytes, list[int]] = {b"": list(end_of_text)}
    for token, piece in enumerate(pieces):
        line = next(iter(piece.splitlines()), piece)
        if line != piece:
            found.setdefault(line, []).append(token)
    return {text: np.array(sorted(set(ids)), dtype=np.int64) for text, ids in found.items()}


def _logprobs(logits: Logits) -> Logprobs:
    """A copy, so that the next evaluation does not change it."""
    total = _logsumexp(logits)
    if not np.isfinite(total):
        raise ModelFault("the model's output is not a number: its file is damaged")
    return logits - np.float32(total)


def _logsumexp(logits: Logits) -> float:
    top = float(logits.max(initial=-np.inf))
    return top + float(np.log(np.exp(logits - top).sum(dtype=np.float64))) if np.isfinite(top) else top
