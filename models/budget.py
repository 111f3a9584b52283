"""How many tokens each part of a prompt may take, by the size of the model. Pure; called by the completion path.

Source of the defaults: the HCP evaluation (AAAI 2025) on CrossCodeEval: a 1.3B model loses from long whole-file
prompts and gains from short ones, a 6.7B model gains up to about 8K tokens; and prefill time on a laptop's CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

_CONTEXT_BY_BYTES = ((200_000_000, 1024), (2_000_000_000, 3072), (6_000_000_000, 8192))
_LARGEST = 12_288
_MARKERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Tokens for the other files, for the text before and after the cursor, and for the answer; together they fit the
    window."""

    context: int
    prefix: int
    suffix: int
    answer: int

    @property
    def total(self) -> int:
        """Tokens of the window that all of it needs, with the prompt's markers."""
        return self.context + self.prefix + self.suffix + self.answer + _MARKERS


def budget_for(
    window_tokens: int, size_bytes: int, *, context: int = 0, prefix: int = 0, suffix: int = 0, answer: int = 0
) -> Budget:
    """The budget for a model file of `size_bytes` with a window of `window_tokens`; a part given as 0 gets its default.

    The answer, the suffix and the prefix are served first, each bounded by a share of the window; the context gets
    the rest at most.
    """
    answer = min(answer or 96, window_tokens // 8)
    suffix = min(suffix or 192, window_tokens // 4)
    prefix = min(prefix or 768, window_tokens // 2)
    wanted = context or next((tokens for limit, tokens in _CONTEXT_BY_BYTES if size_bytes <= limit), _LARGEST)
    return Budget(
        context=max(0, min(wanted, window_tokens - prefix - suffix - answer - _MARKERS)),
        prefix=prefix,
        suffix=suffix,
        answer=answer,
    )
