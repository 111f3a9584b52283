"""aider's repository map as a planner: nothing but the signatures of definitions, ranked by PageRank over "this file
mentions a name that that one defines", personalised to the current file.

Edges, weights and the ranking are those of aider's `repomap.py`; mentions are words, definitions the outlines'.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from repofill.context.index import WorkspaceIndex
from repofill.context.languages import path_comment
from repofill.context.parse import parse
from repofill.evaluation.baselines import CountTokens, Excerpt, Planner

_WORD = re.compile(r"[^\W\d]\w*")
_CURRENT = 50.0
_SPEAKING = 10.0
_PRIVATE = 0.1
_COMMON = 0.1
_MANY_DEFINERS = 5
_UNUSED = 0.1
_DAMPING = 0.85
_STEPS = 40
_LINES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signature:
    """`outer` is the qualified name of the class around it, "" for none."""

    offset: int
    text: str
    outer: str
    qualified: str


@dataclass(frozen=True, slots=True)
class _Edges:
    """One for each name that a file (`source`) mentions and file that defines it (`target`); arrays of one length."""

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    name: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]


def signatures(index: WorkspaceIndex, count_tokens: CountTokens) -> Planner:
    """See the module."""
    return _Map(index, count_tokens).plan


class _Map:
    def __init__(self, index: WorkspaceIndex, count_tokens: CountTokens) -> None:
        self._paths = sorted(index.ordered())
        self._numbers = {path: number for number, path in enumerate(self._paths)}
        texts = [index.text(path) or "" for path in self._paths]
        self._last: tuple[tuple[str, str, str], list[tuple[int, int]]] = ("", "", ""), []
        self._names: dict[str, int] = {}
        self._definers: list[set[int]] = []
        self._signatures: list[dict[int, list[_Signature]]] = [{} for _ in texts]  # by file and name
        for number, (path, text) in enumerate(zip(self._paths, texts, strict=True)):
            for signature in _signatures(path, text):
                name = self._names.setdefault(signature.qualified.rpartition(".")[2], len(self._names))
                self._definers += [set() for _ in range(name + 1 - len(self._definers))]
                self._definers[name].add(number)
                self._signatures[number].setdefault(name, []).append(signature)
        self._edges = self._all_edges(texts)
        self._flow = np.zeros((len(texts) + 1, len(texts) + 1))  # the last is for a file that the index leaves out
        np.add.at(self._flow, (self._edges.source, self._edges.target), self._edges.weight)
        shown = [s.text for found in self._signatures for named in found.values() for s in named]
        self._tokens = dict(zip(shown, count_tokens([f"{text}\n" for text in shown]), strict=True))
        self._opening = dict(zip(self._paths, count_tokens([f"{path_comment(p)}\n" for p in self._paths]), strict=True))

    def plan(self, path: str, before: str, after: str, budget_tokens: int) -> Sequence[Excerpt]:
        """As many of the best signatures as fit, file by file, the best file last."""
        left = budget_tokens
        chosen: dict[int, dict[int, _Signature]] = {}
        for number, name in self._ranked_at(path, before, after):
            known = chosen.get(number, {})
            added = {s.offset: s for s in self._shown_for(number, name) if s.offset not in known}
            cost = sum(self._tokens[signature.text] for signature in added.values())
            cost += 0 if known else self._opening[self._paths[number]]
            if cost > left:
                break
            left -= cost
            chosen[number] = known | added
        return [self._excerpt(self._paths[number], found) for number, found in reversed(chosen.items())]

    def _ranked_at(self, path: str, before: str, after: str) -> list[tuple[int, int]]:
        """For one hole the budgets follow one another, so the last ranking is kept."""
        if self._last[0] != (path, before, after):
            current = self._numbers.get(path, len(self._paths))
            self._last = (path, before, after), self._ranked(current, _mentions(before + after, self._names))
        return self._last[1]

    def _shown_for(self, number: int, name: int) -> Iterator[_Signature]:
        """The definitions of a name in a file, each after the class around it."""
        for signature in self._signatures[number].get(name, ()):
            outer = self._names.get(signature.outer.rpartition(".")[2], -1)
            yield from (s for s in self._signatures[number].get(outer, ()) if s.qualified == signature.outer)
            yield signature

    def _excerpt(self, path: str, found: dict[int, _Signature]) -> Excerpt:
        lines = [path_comment(path), *(signature.text for _, signature in sorted(found.items()))]
        tokens = self._opening[path] + sum(self._tokens[signature.text] for signature in found.values())
        return Excerpt(path=path, text="".join(f"{line}\n" for line in lines), tokens=tokens)

    def _ranked(self, current: int, mentions: Counter[int]) -> list[tuple[int, int]]:
        """Files and names, the most important definitions first; none of the current file."""
        own = self._edges_from(current, mentions, _CURRENT)
        flow = self._flow.copy()
        flow[current] = np.bincount(own.target, own.weight, len(flow)) if len(own.target) else 0.0
        out = flow.sum(axis=1)
        rank = _page_rank(flow, out, current)
        kept = self._edges.source != current
        edges = _Edges(
            *(np.concatenate([a[kept], b]) for a, b in zip(_columns(self._edges), _columns(own), strict=True))
        )
        worth = rank[edges.source] * edges.weight / out[edges.source]
        keys, where = np.unique(edges.target * len(self._names) + edges.name, return_inverse=True)
        order = np.argsort(-np.bincount(where, worth, len(keys)), kind="stable")
        found = (divmod(int(key), len(self._names)) for key in keys[order])
        return [(number, name) for number, name in found if number != current]

    def _all_edges(self, texts: Sequence[str]) -> _Edges:
        mentions = [_mentions(text, self._names) for text in texts]
        parts = [self._edges_from(number, found, 1.0) for number, found in enumerate(mentions)]
        used = set().union(*mentions)
        unused = [(d, name) for name, definers in enumerate(self._definers) if name not in used for d in definers]
        at, names = np.array([d for d, _ in unused], np.int64), np.array([name for _, name in unused], np.int64)
        parts.append(_Edges(at, at, names, np.full(len(unused), _UNUSED)))
        return _Edges(*(np.concatenate(columns) for columns in zip(*map(_columns, parts), strict=True)))

    def _edges_from(self, source: int, mentions: Counter[int], factor: float) -> _Edges:
        names = list(self._names)
        found = [
            (t, name, factor * self._worth(names[name], name) * count**0.5)
            for name, count in mentions.items()
            for t in self._definers[name]
        ]
        targets, numbers, weights = zip(*found, strict=True) if found else ((), (), ())
        return _Edges(
            np.full(len(found), source, np.int64),
            np.array(targets, np.int64),
            np.array(numbers, np.int64),
            np.array(weights, np.float64),
        )

    def _worth(self, word: str, name: int) -> float:
        speaking = len(word) >= 8 and ("_" in word or (word != word.lower() and word != word.upper()))
        worth = _SPEAKING if speaking else 1.0
        worth *= _PRIVATE if word.startswith("_") else 1.0
        return worth * (_COMMON if len(self._definers[name]) > _MANY_DEFINERS else 1.0)


def _signatures(path: str, text: str) -> Iterator[_Signature]:
    outline = parse(path, text)
    for definition in outline.definitions if outline is not None else ():
        if definition.name:
            start = text.rfind("\n", 0, definition.signature) + 1
            end = definition.body_start if definition.body_end > definition.body_start else definition.end
            lines = text[start:end].rstrip().split("\n")[:_LINES]
            yield _Signature(
                offset=start, text="\n".join(lines), outer=definition.parent, qualified=definition.qualified
            )


def _mentions(text: str, names: dict[str, int]) -> Counter[int]:
    return Counter(names[word] for word in _WORD.findall(text) if word in names)


def _columns(edges: _Edges) -> tuple[npt.NDArray[np.generic], ...]:
    return edges.source, edges.target, edges.name, edges.weight


def _page_rank(flow: npt.NDArray[np.float64], out: npt.NDArray[np.float64], current: int) -> npt.NDArray[np.float64]:
    """The share of a random reader's time that each file gets (Page et al. 1999); who is lost begins again at the
    current file. `flow` has shape (files, files), rows are sources, `out` their sums."""
    steps = flow / np.where(out > 0, out, 1.0)[:, None]
    rank = np.zeros(len(flow))
    rank[current] = 1.0
    for _ in range(_STEPS):
        lost = rank[out == 0].sum()
        rank = _DAMPING * (rank @ steps)
        rank[current] += 1 - _DAMPING + _DAMPING * lost
    return rank
