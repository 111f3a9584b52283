"""How good a model is, alone and with what the project proposes: the figures of the bundled model's card.

On packages that nothing was trained or tuned on, every hole with the server's own prompt: once in its project, and once
in an empty workspace, where the file itself is all there is.
"""

from __future__ import annotations

import ast
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from rich.console import Console
from rich.table import Table

from repofill.context.index import WorkspaceIndex
from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.fill import Case, best, exact_match, gather_at, percent
from repofill.evaluation.holes import Hole, sample
from repofill.evaluation.truth.cases import cases as other_file_cases
from repofill.evaluation.truth.languages import LANGUAGES
from repofill.lsp_server.completion import Completer
from repofill.lsp_server.settings import Settings
from repofill.models.engine import Engine
from repofill.models.protocol import FillRequest

_SEED = 1
_PROMPT_WORDS, _ROUNDS = 700, 5
_DEADLINE_S = 60.0

Figures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The figures of one kind of holes, in one order, with what was in sight."""

    holes: str
    order: str
    sight: str
    figures: Figures


async def measure(completer: Completer, folders: Sequence[Path], per_folder: int, settings: Settings) -> list[Row]:
    """The rest of a line, whole lines, and lines that use a name of another file (by jedi), in every folder together.
    Raises BenchmarkError."""
    gathered: dict[tuple[str, str], list[Case]] = {}
    for folder in folders:
        project = WorkspaceIndex(folder)
        project.build()
        for kind, holes in _holes(project, folder, per_folder).items():
            for sight in ("file", "project"):
                with tempfile.TemporaryDirectory(prefix="repofill-bench-") as empty:
                    index = project if sight == "project" else WorkspaceIndex(Path(empty))
                    name = f"{folder.name}, {kind}"
                    found = await gather_at(completer, index, holes, settings, explicit=True, description=name)
                gathered.setdefault((kind, sight), []).extend(found)
    if not any(gathered.values()):
        raise BenchmarkError("there is no code to measure on: no file with ten lines, some of them not blank")
    return [
        Row(holes=kind, order=order, sight=sight, figures=figures([case for case in cases if case.order == order]))
        for (kind, sight), cases in gathered.items()
        for order in ("finished", "writing")
    ]


def _holes(index: WorkspaceIndex, folder: Path, count: int) -> Mapping[str, Sequence[Hole]]:
    python = LANGUAGES["python"]
    try:
        using = other_file_cases(f"python-{folder.name}", folder, python.suffixes, python.resolve, count, _SEED)
    except BenchmarkError:
        using = []
    return {
        "rest of line": list(sample(index, count, _SEED, alike="lines")),
        "whole line": list(sample(index, count, _SEED, where="whole line", alike="lines")),
        "uses another file": [case.hole for case in using],
    }


def figures(cases: Sequence[Case]) -> Figures:
    """Percent of the holes; similarity is difflib's ratio, in percent. "parses": the file does, with the model's text
    in the hole, of those files that do with the author's (finished code only)."""
    targets = [case.hole.target for case in cases]
    written = [case.gathered.written for case in cases]
    parsing = [case for case in cases if case.order == "finished" and _parses(case.hole, case.hole.target)]
    answers = [case.gathered.answer for case in cases if case.gathered.answer is not None]
    found = {
        "holes": float(len(cases)),
        **exact_match(cases),
        "model, similarity": _mean(map(_similarity, written, targets)),
        "together, similarity": _mean(map(_similarity, map(best, cases), targets)),
        "ends by itself": percent(answer.ended in ("eos", "newline") for answer in answers),
    }
    if parsing:
        found["parses"] = percent(_parses(case.hole, case.gathered.written) for case in parsing)
    return found


def _similarity(one: str, other: str) -> float:
    return 100 * SequenceMatcher(None, one.rstrip(), other.rstrip(), autojunk=False).ratio()


def _parses(hole: Hole, text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(hole.text[: hole.offset] + text + hole.text[hole.offset :])
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / max(len(known), 1)


async def speed(engine: Engine) -> Figures:
    """Tokens per second of evaluating a prompt that shares nothing with the last one and of writing, the best of five
    rounds; the most memory its process has held. Raises BenchmarkError."""
    prefill = decode = 0.0
    for number in range(_ROUNDS):
        prefix = "".join(f"value_{number}_{word} = other_{word % 7}\n" for word in range(_PROMPT_WORDS // 7))
        answer = await engine.fill(
            FillRequest(
                context=(),
                header=f"# number_{number}.py\n",
                prefix=f"{prefix}def main():\n",
                suffix="",
                block_indent=0,
                max_tokens=96,
                deadline_s=_DEADLINE_S,
            )
        )
        if answer is None:
            raise BenchmarkError("the engine gave no answer; `repofill doctor` says what is wrong")
        evaluated = answer.prompt_tokens - answer.cached_tokens
        prefill = max(prefill, evaluated / answer.timings_ms["prefill"] * 1000)
        decode = max(decode, len(answer.steps) / max(answer.timings_ms["decode"], 1e-3) * 1000)
    return {
        "prefill, tokens/s": prefill,
        "decode, tokens/s": decode,
        "file, MB": engine.model.size_bytes / 1e6,
        "memory at most, MB": _peak_megabytes(engine.process_id),
    }


def _peak_megabytes(process: int | None) -> float:
    """As Linux counts it; not a number elsewhere."""
    try:
        status = Path(f"/proc/{process}/status").read_text("ascii")
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmHWM"))


def show(rows: Sequence[Row], speeds: Figures) -> None:
    """Print both as tables."""
    console = Console()
    table = Table(title="Exact match, similarity and shares in percent")
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    for column in ("holes", "order", "in sight", *names):
        table.add_column(column)
    for row in rows:
        shown = (f"{row.figures[name]:.1f}" if name in row.figures else "" for name in names)
        table.add_row(row.holes, row.order, row.sight, *shown)
    console.print(table)
    for name, value in speeds.items():
        console.print(f"{name}: {value:.0f}")
