"""Definition recall: how often the context shows the definitions that the code at the cursor is about to use.

The truth comes from `truth`, which shares nothing with `context`; every planner gets the same holes and budgets.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from repofill.context.index import WorkspaceIndex
from repofill.evaluation import baselines
from repofill.evaluation.baselines import CountTokens, Excerpt, Planner
from repofill.evaluation.signatures import signatures
from repofill.evaluation.truth.cases import Case, cases
from repofill.evaluation.truth.languages import LANGUAGES
from repofill.evaluation.truth.shown import Header, header, is_shown

BUDGETS = (1024, 2048, 4096, 8192)
TIMED = 2048
"""The budget that speed and reach are shown at."""
ORDERS = ("finished", "writing")
_CHARACTERS_PER_TOKEN = 3.6
_TIGHTER = 0.97
_KNOWN_TEXTS = 50_000


def ours(index: WorkspaceIndex, count_tokens: CountTokens) -> Planner:
    """The server's own way (`lsp_server.completion`), as if nothing had been shown before."""

    def plan(path: str, before: str, after: str, budget_tokens: int) -> Sequence[Excerpt]:
        characters = int(budget_tokens * _CHARACTERS_PER_TOKEN)
        while True:
            chosen = index.plan(path, before, after, characters)
            counts = count_tokens([c.text for c in chosen])
            if sum(counts) <= budget_tokens:
                return [Excerpt(path=c.path, text=c.text, tokens=n) for c, n in zip(chosen, counts, strict=True)]
            characters = int(characters * budget_tokens / sum(counts) * _TIGHTER)

    return plan


PLANNERS: Mapping[str, Callable[[WorkspaceIndex, CountTokens], Planner]] = {
    "nothing": baselines.nothing,
    "llama.vim's ring": baselines.ring,
    "BM25 chunks": baselines.bm25,
    "imported files": baselines.imported_files,
    "signatures (aider)": signatures,
    "ours": ours,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one planner did at one hole. `shown` says for each use of the case whether one of its definitions is shown;
    `ms` is without the counting of tokens."""

    case: Case
    package: str
    order: str
    planner: str
    budget_tokens: int
    shown: tuple[bool, ...]
    tokens: int
    ms: float


class _Counting:
    """Counts tokens, of a text that comes again not anew, and the time that takes."""

    def __init__(self, count_tokens: CountTokens) -> None:
        self._count = count_tokens
        self._known: dict[str, int] = {}
        self.spent_s = 0.0

    def __call__(self, texts: Sequence[str]) -> list[int]:
        start = time.perf_counter()
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if len(self._known) + len(new) > _KNOWN_TEXTS:
            self._known.clear()
            new = list(dict.fromkeys(texts))
        if new:
            self._known.update(zip(new, self._count(new), strict=True))
        self.spent_s += time.perf_counter() - start
        return [self._known[text] for text in texts]


def measure(
    package: str, root: Path, cases: Sequence[Case], count_tokens: CountTokens, names: Sequence[str]
) -> Iterator[Outcome]:
    """Every planner at every hole of a package, in finished code and in writing order, with every budget."""
    index = WorkspaceIndex(root)
    index.build()
    count = _Counting(count_tokens)
    planners = {name: PLANNERS[name](index, count) for name in names}
    headers = _headers(root, cases)
    for case in track(sorted(cases, key=lambda c: (c.hole.path, c.hole.offset)), package, transient=True):
        wanted = [[headers[d.place.path, d.place.line, d.name] for d in use.definitions] for use in case.uses]
        for order, hole in zip(ORDERS, (case.hole, case.hole.in_writing_order()), strict=True):
            index.open(hole.path, hole.text)
            before, after = hole.text[: hole.offset], hole.text[hole.offset :]
            for name, planner in planners.items():
                for budget in sorted(BUDGETS, key=lambda budget: budget != TIMED):  # the others may use its ranking
                    start, counting = time.perf_counter(), count.spent_s
                    excerpts = planner(hole.path, before, after, budget)
                    ms = 1000 * (time.perf_counter() - start - (count.spent_s - counting))
                    yield Outcome(
                        case=case,
                        package=package,
                        order=order,
                        planner=name,
                        budget_tokens=budget,
                        shown=tuple(any(_any_shown(h, excerpts) for h in use) for use in wanted),
                        tokens=sum(excerpt.tokens for excerpt in excerpts),
                        ms=ms,
                    )
        index.close(case.hole.path)


def _headers(root: Path, cases: Sequence[Case]) -> dict[tuple[str, int, str], Header]:
    definitions = {d for case in cases for use in case.uses for d in use.definitions}
    texts = {
        path: (root / path).read_text("utf-8", "replace").replace("\r\n", "\n")
        for path in {d.place.path for d in definitions}
    }
    return {(d.place.path, d.place.line, d.name): header(d, texts[d.place.path]) for d in definitions}


def _any_shown(header: Header, excerpts: Sequence[Excerpt]) -> bool:
    return any(excerpt.path == header.path and is_shown(header, excerpt.text) for excerpt in excerpts)


def run(
    language: str,
    holes: int,
    count_tokens: CountTokens,
    *,
    development: bool = False,
    planners: Sequence[str] = tuple(PLANNERS),
) -> list[Outcome]:
    """Measure on the language's real packages, about equally many of the `holes` in each. Raises `BenchmarkError`."""
    measured = LANGUAGES[language]
    fetches = measured.development if development else measured.reported
    outcomes: list[Outcome] = []
    for root in (fetch() for fetch in fetches):
        found = cases(f"{language}-{root.name}", root, measured.suffixes, measured.resolve, -(-holes // len(fetches)))
        outcomes += measure(root.name, root, found, count_tokens, planners)
    return outcomes


def show(title: str, outcomes: Sequence[Outcome], *, as_json: bool, width: int | None = None) -> None:
    """Print tables, or JSON with every hole. `width` in columns; default: the terminal's."""
    if as_json:
        print(json.dumps({"title": title, "holes": list(_described(outcomes))}))
        return
    console = Console(width=width)
    console.print(table(title, outcomes))
    console.print(by_reach(outcomes))


def _described(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    """Every hole with its uses and with what each planner showed of them."""
    for (package, case), group in groupby(outcomes, key=lambda outcome: (outcome.package, outcome.case)):
        yield {
            "package": package,
            "path": case.hole.path,
            "line": case.line + 1,
            "column": case.column + 1,
            "removed": case.hole.target,
            "uses": [asdict(use) for use in case.uses],
            "outcomes": [
                {
                    "order": outcome.order,
                    "planner": outcome.planner,
                    "budget_tokens": outcome.budget_tokens,
                    "shown": outcome.shown,
                    "tokens": outcome.tokens,
                    "ms": round(outcome.ms, 2),
                }
                for outcome in group
            ],
        }


def table(title: str, outcomes: Sequence[Outcome]) -> Table:
    """Recall in percent of the holes, for each planner and budget: one of the definitions shown / all of them shown."""
    made = Table(title=title)
    for column in (
        "",
        "planner",
        *(f"{budget // 1024}K" for budget in BUDGETS),
        "tokens at 2K",
        "ms at 2K: median, p99",
    ):
        made.add_column(column, justify="left" if column in ("", "planner") else "right")
    for order in ORDERS:
        for planner in dict.fromkeys(outcome.planner for outcome in outcomes):
            cells = []
            for budget in BUDGETS:
                chosen = [o for o in outcomes if (o.order, o.planner, o.budget_tokens) == (order, planner, budget)]
                cells.append(f"{_percent(any(o.shown) for o in chosen)} / {_percent(all(o.shown) for o in chosen)}")
            at_2k = [o for o in outcomes if (o.order, o.planner, o.budget_tokens) == (order, planner, TIMED)]
            times = sorted(outcome.ms for outcome in at_2k)
            tokens = f"{statistics.mean(outcome.tokens for outcome in at_2k):.0f}"
            speed = f"{statistics.median(times):.1f}, {times[min(int(len(times) * 0.99), len(times) - 1)]:.1f}"
            made.add_row(order, planner, *cells, tokens, speed)
        made.add_section()
    return made


def by_reach(outcomes: Sequence[Outcome]) -> Table:
    """Recall in percent of the names, by how the code reaches them, at one budget, TIMED."""
    made = Table(title=f"Names by how they are reached, {TIMED // 1024}K")
    chosen = [outcome for outcome in outcomes if outcome.budget_tokens == TIMED]
    planners = list(dict.fromkeys(outcome.planner for outcome in chosen))
    for column in ("", "reach", "names", *planners):
        made.add_column(column, justify="left" if column in ("", "reach") else "right")
    for order in ORDERS:
        for reach in sorted({use.reach for outcome in chosen for use in outcome.case.uses}):
            shown = {
                planner: [
                    hit
                    for outcome in chosen
                    if (outcome.order, outcome.planner) == (order, planner)
                    for hit, use in zip(outcome.shown, outcome.case.uses, strict=True)
                    if use.reach == reach
                ]
                for planner in planners
            }
            made.add_row(
                order, reach, str(len(shown[planners[0]])), *(_percent(shown[planner]) for planner in planners)
            )
        made.add_section()
    return made


def _percent(hits: Iterable[bool]) -> str:
    values = list(hits)
    return f"{100 * sum(values) / max(len(values), 1):.1f}"
