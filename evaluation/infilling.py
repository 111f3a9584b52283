"""Public infilling benchmarks of single files: HumanEval infilling (single line) and Santa-FIM, exact match.

The files are the user's: JSON lines, gzipped or not, with `prompt`, `suffix` and `canonical_solution` each
(Bavarian et al. 2022; Ben Allal et al. 2023). The prompt is the bare model's, without a project and without candidates.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.fill import exact
from repofill.models.engine import Engine
from repofill.models.protocol import FillRequest

_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One hole between `prompt` and `suffix`; `solution` may end with a newline. `language` as the benchmark says."""

    prompt: str
    suffix: str
    solution: str
    language: str


def read_tasks(file: Path) -> Iterator[Task]:
    """The tasks of one benchmark file. Raises BenchmarkError."""
    try:
        data = file.read_bytes()
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8")
        for line in text.splitlines():
            entry = json.loads(line)
            joint = "" if entry["canonical_solution"].endswith("\n") else "\n"  # Santa-FIM leaves the line ends out
            yield Task(
                prompt=entry["prompt"] + joint,
                suffix=joint + entry["suffix"],
                solution=entry["canonical_solution"],
                language=entry.get("language", "py"),
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BenchmarkError(f"{file} is no infilling benchmark: {error}") from error


async def run(engine: Engine, file: Path, language: str) -> dict[str, float]:
    """Exact match in percent over the tasks of one language, white space around the line aside."""
    tasks = [task for task in read_tasks(file) if task.language == language]
    if not tasks:
        raise BenchmarkError(f"{file} has no tasks in {language!r}")
    hits = ended = 0
    for task in track(tasks, description=file.name, transient=True):
        request = FillRequest(
            context=(), header="", prefix=task.prompt, suffix=task.suffix, max_tokens=96, deadline_s=_DEADLINE_S
        )
        answer = await engine.fill(request)
        if answer is None:
            raise BenchmarkError(f"the engine gave no answer to a task of {file}")
        hits += exact(answer.text.strip(), task.solution.strip())
        ended += answer.ended in ("eos", "newline")
    return {"tasks": len(tasks), "exact match": 100 * hits / len(tasks), "ended by itself": 100 * ended / len(tasks)}
