"""Rest-of-line and block completion of held-out code: what the model writes, copying alone, and both together.

Every case goes the way of a keystroke (`lsp_server.completion`), with the server's own prompt; only the deadline is
lifted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import get_args

from rich.progress import track

from repofill.context.index import WorkspaceIndex
from repofill.context.matches import Candidate
from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.figures import show as show_figures
from repofill.evaluation.holes import Alike, Hole, cut_added, sample
from repofill.lsp_server.completion import Completer, Gathered
from repofill.lsp_server.planning import Cursor
from repofill.lsp_server.settings import Settings
from repofill.models.beginning import begins
from repofill.models.choice import rank_found, sure_enough
from repofill.models.common import ORIGIN
from repofill.models.rank import Ranked

LEVELS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One hole with what was gathered at it and the ranking of it; `order` is "finished" or "writing", `alike` says how
    the hole was drawn."""

    hole: Hole
    order: str
    alike: Alike
    gathered: Gathered
    ranked: tuple[Ranked, ...]


def unhurried(settings: Settings, *, blocks: bool = False) -> Settings:
    """`settings` with a deadline that no measurement of quality meets; unless it is about `blocks`, one line per
    suggestion."""
    max_lines = settings.suggest.max_lines if blocks else 1
    return replace(settings, suggest=replace(settings.suggest, deadline_ms=60_000, max_lines=max_lines))


async def gather_cases(
    completer: Completer, folders: Iterable[Path], per_folder: int, settings: Settings, seed: int = 1
) -> list[Case]:
    """`per_folder` holes of each folder, half of them in lines drawn alike and half in characters, and half as many
    blocks and ends of lines, each in finished code and in writing order. Raises BenchmarkError."""
    cases = []
    for folder in folders:
        index = WorkspaceIndex(folder)
        index.build()
        half = per_folder // 2
        counts: dict[Alike, int] = {"lines": per_folder - half, "characters": half, "blocks": half, "ends": half}
        for alike, count in counts.items():
            holes = list(sample(index, count, seed, alike=alike))
            cases += await gather_at(completer, index, holes, settings, alike=alike, description=folder.name)
    if not cases:
        raise BenchmarkError("there is no code to measure on: no file with ten lines, some of them not blank")
    return cases


async def gather_additions(
    completer: Completer, releases: Iterable[tuple[Path, Path]], per_release: int, settings: Settings, seed: int = 1
) -> list[Case]:
    """`per_release` holes in what each later release, the second folder, added to the earlier one, the first, which is
    the workspace. Raises BenchmarkError."""
    cases = []
    for earlier, later in releases:
        index = WorkspaceIndex(earlier)
        index.build()
        paths = [path for path in index.ordered() if (later / path).is_file()]
        old = {path: (index.text(path) or "").replace("\r\n", "\n") for path in paths}
        new = {path: (later / path).read_text("utf-8", "replace").replace("\r\n", "\n") for path in paths}
        holes = list(islice(cut_added(old, new, seed), per_release))
        cases += await gather_at(completer, index, holes, settings, alike="additions", description=later.name)
    return cases


async def gather_at(
    completer: Completer,
    index: WorkspaceIndex,
    holes: Iterable[Hole],
    settings: Settings,
    *,
    alike: Alike = "lines",
    explicit: bool = False,
    description: str,
) -> list[Case]:
    """These holes, each in finished code and, but for additions to it, in writing order, in the workspace of `index`;
    as somebody types there or, `explicit`, asks for a suggestion. Raises BenchmarkError."""
    settings = unhurried(settings, blocks=alike == "blocks")
    cases = []
    # File by file, so that holes of one file find their context in the cache.
    in_order = sorted(holes, key=lambda hole: (hole.path, hole.offset))
    for hole in track(in_order, description=description, transient=True):
        orders = {"finished": hole}
        if alike != "additions":
            orders["writing"] = hole.in_writing_order()
        for order, shown in orders.items():
            index.open(shown.path, shown.text)
            cursor = Cursor(path=shown.path, text=shown.text, offset=shown.offset)
            gathered = await completer.gather(index, cursor, settings, explicit=explicit)
            index.close(shown.path)
            if gathered.answer is None:
                where = f"{shown.path}:{shown.offset}"
                raise BenchmarkError(completer.trouble or f"the engine gave no answer at {where}")
            ranked = tuple(rank_found(gathered))
            cases.append(Case(hole=shown, order=order, alike=alike, gathered=gathered, ranked=ranked))
    return cases


def exact(text: str, target: str) -> bool:
    """Equal up to trailing white space."""
    return text.rstrip() == target.rstrip()


def right(text: str, case: Case) -> bool:
    """Exactly what was removed; of a block, whole lines that it begins with."""
    target = case.hole.target
    return exact(text, target) or (case.alike == "blocks" and f"{target}\n".startswith(f"{text.rstrip()}\n"))


def report(cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """Per order and way of drawing: exact match in percent of the model, of copying and of both; share and precision at
    each confidence."""
    result = {}
    for alike in get_args(Alike):
        for order in ("finished", "writing"):
            chosen = [case for case in cases if (case.order, case.alike) == (order, alike)]
            if chosen:
                name = alike if alike == "additions" else f"{order}, {alike} alike"
                result[name] = _in_vain(chosen) if alike == "ends" else _figures(chosen)
    return result


def _in_vain(cases: Sequence[Case]) -> dict[str, float]:
    """Of places where nothing is missing, the percent where something is shown."""
    figures = {"cases": float(len(cases))}
    for level in LEVELS:
        figures[f"shown at {level}"] = percent(bool(c.ranked) and c.ranked[0].confidence >= level for c in cases)
    least = Settings().suggest.min_confidence
    figures["and beginnings: shown"] = percent(bool(sure_enough(case.gathered, least)) for case in cases)
    return figures


def percent(hits: Iterable[bool]) -> float:
    """How many of a hundred; 0 of none."""
    known = list(hits)
    return 100 * sum(known) / max(len(known), 1)


def best(case: Case) -> str:
    """What would be shown first, however sure."""
    return case.ranked[0].option.text if case.ranked else ""


def exact_match(cases: Sequence[Case]) -> dict[str, float]:
    """Percent of the cases that the model, copying and both together get right. What the bundled model writes has
    copying mixed in already (`models.copying`)."""
    copied = [(_longest_match(case.gathered.copies), case) for case in cases]
    return {
        "model": percent(right(case.gathered.written, case) for case in cases),
        "copying": percent(right(text, case) for text, case in copied),
        "together": percent(right(best(case), case) for case in cases),
    }


def _longest_match(copies: Sequence[Candidate]) -> str:
    """Of the text before and behind a cursor; of several the most frequent."""
    copied = (copy for copy in copies if copy.origin != ORIGIN)
    longest = max(copied, key=lambda copy: (copy.match_length + copy.follows, copy.votes), default=None)
    return "" if longest is None else longest.text


def _figures(cases: Sequence[Case]) -> dict[str, float]:
    words = [case for case in cases if len(re.findall(r"[^\W\d]", case.hole.target)) >= 4]
    figures = {
        "cases": float(len(cases)),
        **exact_match(cases),
        "among candidates": percent(any(right(r.option.text, c) for r in c.ranked) for c in cases),
        "together, targets of 4+ letters": exact_match(words)["together"],
    }
    if all(case.alike != "blocks" for case in cases):
        figures |= _as_typed(cases)
    for level in LEVELS:
        shown = [case for case in cases if case.ranked and case.ranked[0].confidence >= level]
        figures[f"shown at {level}"] = 100 * len(shown) / len(cases)
        figures[f"precision at {level}"] = exact_match(shown)["together"]
    return figures


def _as_typed(cases: Sequence[Case]) -> dict[str, float]:
    """What the default confidence shows, whole lines alone and beginnings of others, too: in percent of the cases; how
    many of these are right in all that they insert; and the characters that need not be typed."""
    least = Settings().suggest.min_confidence
    sure = [next((r.option.text for r in sure_enough(case.gathered, least)), "") for case in cases]
    whole = [best(case) if case.ranked and case.ranked[0].confidence >= least else "" for case in cases]
    targets = [case.hole.target for case in cases]
    figures = {}
    for name, texts in (("whole lines", whole), ("and beginnings", sure)):
        shown = [(text.rstrip(), target) for text, target in zip(texts, targets, strict=True) if text]
        saved = [len(text) for text, target in shown if begins(text, target)]
        figures[f"{name}: shown"] = 100 * len(shown) / len(cases)
        figures[f"{name}: right"] = 100 * len(saved) / max(len(shown), 1)
        figures[f"{name}: characters saved"] = 100 * sum(saved) / sum(map(len, targets))
    return figures


def show(figures: dict[str, dict[str, float]], *, as_json: bool) -> None:
    """Print a table, or JSON."""
    show_figures("Rest of line, exact match and shares in percent", figures, as_json=as_json)
