"""How many tokens each part of a prompt may take, by the size and the speed of the model. Pure; called by the
completion path.

Source of the defaults: the HCP evaluation (AAAI 2025) on CrossCodeEval: a 1.3B model loses from long whole-file
prompts and gains from short ones, a 6.7B model gains up to about 8K tokens. Where this machine takes too long for so
much, it is less: whoever types at a new place waits for all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_CONTEXT_BY_BYTES = ((200_000_000, 1024), (2_000_000_000, 3072), (6_000_000_000, 8192))
_LARGEST = 12_288
_ANSWER = 96
_MARKERS = 16

_CONTEXT_S, _PREFIX_S = 8.0, 2.0
"""Seconds for evaluating the other files, which a new file costs, and the text ahead of the cursor, which every jump
within one does; the text behind it takes another quarter of that."""
_LEAST_CONTEXT, _LEAST_PREFIX = 512, 256
_STEP = 64
"""Speeds are measured, so they vary a little; budgets should not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Tokens for the other files, for the text before and after the cursor, and for the answer; together they fit the
    window. While somebody types, the text before the cursor grows to `longest_prefix`."""

    context: int
    prefix: int
    longest_prefix: int
    suffix: int
    answer: int

    @property
    def total(self) -> int:
        """Tokens of the window that all of it needs, with the prompt's markers."""
        return self.context + self.longest_prefix + self.suffix + self.answer + _MARKERS


def budget_for(
    window_tokens: int,
    size_bytes: int,
    tokens_per_s: float = math.inf,
    *,
    context: int = 0,
    prefix: int = 0,
    suffix: int = 0,
) -> Budget:
    """The budget for a model file of `size_bytes` with a window of `window_tokens`, of which this machine evaluates so
    many in a second; a part given as 0 gets its default.

    The answer, the suffix and the prefix are served first, each bounded by a share of the window; the context gets
    the rest at most.
    """
    ahead = _in_time(768, _PREFIX_S * tokens_per_s, _LEAST_PREFIX)
    others = next((tokens for limit, tokens in _CONTEXT_BY_BYTES if size_bytes <= limit), _LARGEST)
    answer = min(_ANSWER, window_tokens // 8)
    suffix = min(suffix or ahead // 4, window_tokens // 4)
    prefix = min(prefix or ahead, window_tokens // 2)
    longest = min(prefix + prefix // 2, window_tokens // 2)
    wanted = context or _in_time(others, _CONTEXT_S * tokens_per_s, _LEAST_CONTEXT)
    return Budget(
        context=max(0, min(wanted, window_tokens - longest - suffix - answer - _MARKERS)),
        prefix=prefix,
        longest_prefix=longest,
        suffix=suffix,
        answer=answer,
    )


def _in_time(wanted: int, affordable: float, least: int) -> int:
    return wanted if affordable >= wanted else max(least, int(affordable) // _STEP * _STEP)
