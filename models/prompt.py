"""From source text to tokens, and from a request to those of its prompt. Used in the model process by whatever runs the
model: llama.cpp there, or a server, makes tokens of strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise

from repofill.models.fim import FimFormat, behind_prefix, build_prompt, fit
from repofill.models.protocol import FillRequest

_CACHED_TEXTS = 256
"""Texts whose tokens are kept: those of a few requests, for most come again with the next keystroke."""
_LONG_RUN = re.compile(r"\S{1024}|\s{1024}")
"""llama.cpp splits text with std::regex, which takes about 300 bytes of stack for every character of a match: a word of
40,000 letters ends the process. So such runs are tokenized in parts; no source code worth completing has any."""


class SourceTokenizer:
    """Tokens of source text by what llama.cpp makes of a string. `raw` gives that, with special tokens off; it makes
    them of `parsed` texts all the same, those that a file calls user-defined instead of control. `spaced`: as
    sentencepiece vocabularies do, it puts a space in front."""

    def __init__(self, raw: Callable[[str], list[int]], parsed: Iterable[str], *, spaced: bool) -> None:
        inside = [f"{re.escape(text[0])}(?={re.escape(text[1:])})" for text in parsed if len(text) > 1]
        self._raw = raw
        self._markers = re.compile("|".join(inside)) if inside else None
        self._lead = raw("\n") if spaced else []

    def __call__(self, text: str) -> tuple[int, ...]:
        """Never a special token, no BOS, and no space put in front, since every text is a piece of a larger whole."""
        cuts = {match.end() for match in _LONG_RUN.finditer(text)}
        if self._markers:
            cuts |= {match.end() for match in self._markers.finditer(text)}
        edges = [0, *sorted(cuts), len(text)]
        return tuple(token for start, end in pairwise(edges) for token in self._continuation(text[start:end]))

    def _continuation(self, text: str) -> list[int]:
        if not self._lead or not text:
            return self._raw(text)
        ids = self._raw("\n" + text)
        return ids[len(self._lead) :] if ids[: len(self._lead)] == self._lead else self._raw(text)


class Prompter:
    """Makes prompts in one model's format: `tokenize` makes no markers of what source code says, `bos` begins every
    prompt, None for nothing, and prompt and answer have `n_ctx` tokens."""

    def __init__(
        self, fim: FimFormat, tokenize: Callable[[str], tuple[int, ...]], *, bos: int | None, n_ctx: int
    ) -> None:
        self.tokenize = lru_cache(maxsize=_CACHED_TEXTS)(tokenize)
        self._fim, self._bos, self._n_ctx = fim, bos, n_ctx

    def prompt(self, request: FillRequest) -> tuple[list[int], int]:
        """The prompt, and where in it the tokens behind the prefix begin."""
        context = [self.tokenize(block) for block in request.context]
        suffix = self.tokenize(request.suffix) if request.suffix.strip() else ()
        room = self._n_ctx - min(request.max_tokens, self._n_ctx // 2)
        parts = fit(self._fim, context, self.tokenize(request.header + request.prefix), suffix, room=room)
        prompt = build_prompt(self._fim, *parts, bos=self._bos)
        return prompt, len(prompt) - behind_prefix(self._fim, parts[-1])
