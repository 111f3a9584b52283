"""Packing: which files stand before the current one in the prompt, in which form, within a token budget.

Pure: `context.index` supplies the files, the caller supplies token counts (made with the model's own tokenizer).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Form = Literal["whole", "definitions"]

_WHOLE_SHARE = 3
"""One file may take a third of what is left as whole text; beyond that its definitions say more per token."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A file the current one depends on, in both forms (each with its path comment, each ending in a newline).

    `depth` is 1 for a direct dependency; `position` is its place in the workspace's one dependency order; `names` are
    its top-level definitions.
    """

    path: str
    depth: int
    position: int
    names: frozenset[str]
    whole: str
    definitions: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """One file of a prompt; `text` includes its path comment, `tokens` counts all of it."""

    path: str
    tokens: int
    form: Form
    text: str


def by_relevance(dependencies: Sequence[Dependency], current_text: str) -> list[Dependency]:
    """Most relevant first: nearer in the graph, then the more of its names the current file mentions, then by path."""
    mentioned = frozenset(_WORD.findall(current_text))
    return sorted(dependencies, key=lambda d: (d.depth, -len(d.names & mentioned), d.path))


def pack(ranked: Sequence[Dependency], counts: Mapping[str, int], budget_tokens: int) -> tuple[ContextFile, ...]:
    """Fill the budget with the most relevant files and lay them out in dependency order.

    Every file first gets the cheaper of its forms while the budget lasts; what remains then turns definitions into
    whole texts, the most relevant first. `counts` maps each text to its tokens; a text without a count is left out.
    Files keep the relative order of the workspace's one order whatever file is current, so prompts of neighbouring
    files share their beginnings and the KV cache survives.
    """
    left = budget_tokens
    chosen: dict[str, tuple[Dependency, ContextFile]] = {}
    for dependency in ranked:
        forms = [form for form in _forms(dependency, counts) if form.tokens <= left]
        if forms:
            cheapest = min(forms, key=lambda form: form.tokens)
            chosen[dependency.path] = dependency, cheapest
            left -= cheapest.tokens
    for dependency, small in list(chosen.values()):
        if small.form == "definitions" and (tokens := counts.get(dependency.whole)) is not None:
            extra = tokens - small.tokens
            if extra <= left and tokens <= max(budget_tokens // _WHOLE_SHARE, small.tokens):
                whole = ContextFile(path=dependency.path, tokens=tokens, form="whole", text=dependency.whole)
                chosen[dependency.path] = dependency, whole
                left -= extra
    return tuple(file for _, file in sorted(chosen.values(), key=lambda pair: pair[0].position))


def _forms(dependency: Dependency, counts: Mapping[str, int]) -> list[ContextFile]:
    texts: list[tuple[Form, str | None]] = [("whole", dependency.whole), ("definitions", dependency.definitions)]
    return [
        ContextFile(path=dependency.path, tokens=counts[text], form=form, text=text)
        for form, text in texts
        if text is not None and text in counts
    ]


def prefix_window(before: str, max_characters: int) -> str:
    """The end of `before` that the prompt shows, from a line's beginning.

    Its start moves in steps of a quarter of the window, not with every keystroke: a sliding start would change the
    prompt's first tokens and so throw away the whole KV cache.
    """
    if len(before) <= max_characters:
        return before
    step = max(max_characters // 4, 1)
    start = -(-(len(before) - max_characters) // step) * step
    newline = before.find("\n", start)
    return before[newline + 1 :] if 0 <= newline < len(before) - 1 else before[start:]


def suffix_window(after: str, max_characters: int) -> str:
    """The beginning of `after` that the prompt shows, in whole lines when it is cut."""
    if len(after) <= max_characters:
        return after
    newline = after.rfind("\n", 0, max_characters)
    return after[: newline + 1] if newline > 0 else after[:max_characters]
