"""From a request to the tokens of its prompt. Pure; used in the model process by whatever runs the model."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from repofill.models.fim import FimFormat, behind_prefix, build_prompt, fit
from repofill.models.protocol import FillRequest

_CACHED_TEXTS = 256
"""Texts whose tokens are kept: those of a few requests, for most come again with the next keystroke."""


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
