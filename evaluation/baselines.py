"""Other ways to choose context of other files, by which ours is measured. Each sees what ours sees: the files of the
workspace except the current one, and the current one around the cursor. Best last in the prompt.

They are written to be good: where a peer's way leaves something open, the choice here is in its favour.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

import numpy as np

from repofill.context.index import WorkspaceIndex
from repofill.context.languages import path_comment
from repofill.evaluation.figures import BenchmarkError

_WORD = re.compile(r"[^\W\d]\w*")

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """What a prompt shows of one file, its path comment included, and the tokens of that; one file may have several."""

    path: str
    text: str
    tokens: int


Planner = Callable[[str, str, str, int], Sequence[Excerpt]]
"""Takes the current file's path, its text before and after the cursor and a budget in tokens; returns what a prompt
shows of other files, in prompt order."""


@dataclass(slots=True)
class _Filling:
    """Takes excerpts in, the best first, until the budget is spent; what no longer fits is cut to its first lines."""

    count_tokens: CountTokens
    left: int
    taken: list[Excerpt] = field(default_factory=list)

    def add(self, path: str, lines: Sequence[str], tokens: int | None = None) -> bool:
        """Whether there is room for more; `tokens`, if known, are those of all the lines."""
        tokens = self._tokens(path, lines) if tokens is None else tokens
        while tokens > self.left and lines:
            lines = lines[: min(len(lines) * self.left // tokens, len(lines) - 1)]
            tokens = self._tokens(path, lines)
        if lines:
            self.taken.append(Excerpt(path=path, text=_text(path, lines), tokens=tokens))
            self.left -= tokens
        return self.left > _LEAST_TOKENS and bool(lines)

    def _tokens(self, path: str, lines: Sequence[str]) -> int:
        return self.count_tokens([_text(path, lines)])[0]


_LEAST_TOKENS = 24


def _text(path: str, lines: Sequence[str]) -> str:
    return "\n".join((path_comment(path), *lines, ""))


def _lines_of(index: WorkspaceIndex) -> dict[str, list[str]]:
    return {path: (index.text(path) or "").rstrip("\n").split("\n") for path in sorted(index.ordered())}


def nothing(index: WorkspaceIndex, count_tokens: CountTokens) -> Planner:
    """No context."""
    return lambda path, before, after, budget_tokens: ()


def ring(index: WorkspaceIndex, count_tokens: CountTokens) -> Planner:
    """llama.vim's ring: the last 16 places of other files that the user was at, 64 lines around each (its
    `ring_n_chunks` and `ring_chunk_size`; it may keep a random half of a chunk, here it keeps all).

    The places are invented, the same for every hole of a file: half of them in files that the current one imports or
    that import it, a quarter in its folder, a quarter anywhere, all at random lines.
    """
    lines = _lines_of(index)
    neighbours: dict[str, set[str]] = {path: set() for path in lines}
    for path in lines:
        for other in index.dependencies(path):
            neighbours[path].add(other)
            neighbours.setdefault(other, set()).add(path)

    def plan(path: str, before: str, after: str, budget_tokens: int) -> Sequence[Excerpt]:
        generator = random.Random(path)
        others = [other for other in lines if other != path]
        beside = [other for other in others if PurePosixPath(other).parent == PurePosixPath(path).parent]
        near = sorted(neighbours.get(path, set()) - {path})
        filling = _Filling(count_tokens, budget_tokens)
        for _ in range(_RING_CHUNKS):
            groups = [group for group in (near, near, beside, others) if group]
            if not groups:
                break
            visited = generator.choice(generator.choice(groups))
            start = max(generator.randrange(len(lines[visited])) - _RING_LINES // 2, 0)
            if not filling.add(visited, lines[visited][start : start + _RING_LINES]):
                break
        return filling.taken[::-1]

    return plan


_RING_CHUNKS = 16
_RING_LINES = 64


def bm25(index: WorkspaceIndex, count_tokens: CountTokens) -> Planner:
    """The chunks of 60 lines most like the ten lines before and after the cursor, by BM25 over words."""
    try:
        import bm25s
    except ImportError as error:
        raise BenchmarkError("bm25s is missing: pip install 'repofill[bench]'") from error
    chunks = [
        (path, lines[start : start + _CHUNK_LINES])
        for path, lines in _lines_of(index).items()
        for start in range(0, len(lines), _CHUNK_LINES)
    ]
    sizes = count_tokens([_text(path, lines) for path, lines in chunks])
    retriever = bm25s.BM25()
    retriever.index([_WORD.findall("\n".join(lines)) or [""] for _, lines in chunks], show_progress=False)
    vocabulary = retriever.vocab_dict

    @lru_cache(maxsize=1)  # for one hole the budgets follow one another
    def ranked(before: str, after: str) -> list[int]:
        window = before.split("\n")[-_WINDOW_LINES - 1 :] + after.split("\n")[: _WINDOW_LINES + 1]
        words = [word for word in _WORD.findall("\n".join(window)) if word in vocabulary]
        scores = retriever.get_scores(words) if words else np.zeros(len(chunks))
        return [int(number) for number in np.argsort(-scores, kind="stable") if scores[number] > 0]

    def plan(path: str, before: str, after: str, budget_tokens: int) -> Sequence[Excerpt]:
        filling = _Filling(count_tokens, budget_tokens)
        for number in ranked(before, after):
            other, lines = chunks[number]
            if other != path and not filling.add(other, lines, sizes[number]):
                break
        return filling.taken[::-1]

    return plan


_CHUNK_LINES = 60
_WINDOW_LINES = 10


def imported_files(index: WorkspaceIndex, count_tokens: CountTokens) -> Planner:
    """The files that the current one imports, whole, in dependency order, then those that these import; where the
    budget ends, the ones that come last in the order are kept."""
    lines = _lines_of(index)
    order = {path: at for at, path in enumerate(index.ordered())}
    sizes = dict(zip(lines, count_tokens([_text(*file) for file in lines.items()]), strict=True))

    def plan(path: str, before: str, after: str, budget_tokens: int) -> Sequence[Excerpt]:
        filling = _Filling(count_tokens, budget_tokens)
        seen, level, room = {path}, [path], True
        while level and room:
            level = sorted({other for p in level for other in index.dependencies(p)} - seen, key=lambda p: -order[p])
            seen.update(level)
            for other in level:
                if room := room and filling.add(other, lines[other], sizes[other]):
                    continue
                break
        return sorted(filling.taken, key=lambda excerpt: order[excerpt.path])

    return plan
