"""From keystroke to ghost text: typing in real files through the real server, with the KV cache and without it.

Both ways are measured in the same run, keystroke by keystroke in turn, so that the machine's other load falls on both.
Keystrokes that type on what was shown are counted, not timed: for these nothing is evaluated.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from repofill.context.index import WorkspaceIndex
from repofill.evaluation.editor import Editor, EditorError, editor, model_setting
from repofill.evaluation.figures import BenchmarkError, show
from repofill.evaluation.holes import Hole, sample

_TYPED = 10
_DEADLINE_MS = 60_000
_OTHER = "elsewhere.py"
_OTHER_TEXT = "import os\n\n\ndef home():\n    return os."


def run(folders: Sequence[Path], places: int, *, model: str | None = None, as_json: bool) -> None:
    """Type ten characters at `places` places of each folder, and print what each keystroke cost. `model`: a model
    file or a server's address, as set by default. Raises BenchmarkError and EditorError."""
    # Without the cache nothing may be there, not even for going back.
    settings: dict[str, Any] = {"suggest": {"deadline_ms": _DEADLINE_MS}, "model": {"prompt_cache_mb": 0}}
    if model is not None:
        settings["model"] |= {"path": model_setting(model)}
    warm: list[dict[str, float]] = []
    cold: list[dict[str, float]] = []
    for folder in folders:
        index = WorkspaceIndex(folder)
        index.build()
        holes = [hole for hole in sample(index, places * 20, 1) if len(hole.target) >= _TYPED][:places]
        asyncio.run(_measure(folder, settings, holes, warm, cold))
    if not warm:
        raise BenchmarkError(f"there is no code to measure on: no place with {_TYPED} characters to type")
    figures = {"cache": _figures(warm), "no cache": _figures(cold)}
    show("From request to ghost text, per keystroke", figures, as_json=as_json)


async def _measure(
    folder: Path,
    settings: dict[str, Any],
    holes: list[Hole],
    warm: list[dict[str, float]],
    cold: list[dict[str, float]],
) -> None:
    async with editor(folder, settings) as server:
        server.open(_OTHER, _OTHER_TEXT)
        for hole in holes:
            server.open(hole.path, hole.text)
            text, offset = hole.text, hole.offset
            await server.suggestions(hole.path, text, offset)
            for character in hole.target[:_TYPED]:
                text = server.insert(hole.path, text, offset, character)
                offset += 1
                warm.append(await _ask(server, hole.path, text, offset))
                # A prompt that shares nothing empties the cache; the same keystroke then pays for everything.
                await server.suggestions(_OTHER, _OTHER_TEXT, len(_OTHER_TEXT))
                cold.append(await _ask(server, hole.path, text, offset))
            server.close(hole.path)


async def _ask(server: Editor, path: str, text: str, offset: int) -> dict[str, float]:
    _, milliseconds = await server.suggestions(path, text, offset)
    last = (await server.explain(path, text, offset))["last"]
    if last is None:
        raise EditorError("the server has no model that answers; `repofill doctor` says what is wrong")
    evaluated = last["prompt_tokens"] - last["cached_tokens"]
    return {
        "milliseconds": milliseconds,
        "prompt_tokens": last["prompt_tokens"],
        "evaluated_tokens": evaluated,
        "typed_on": float(not last["timings_ms"]["total"]),
    }


def _figures(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    typed_on = sum(row["typed_on"] for row in rows)
    rows = [row for row in rows if not row["typed_on"]] or rows
    times = sorted(row["milliseconds"] for row in rows)
    return {
        "keystrokes": len(rows),
        "typed on what was shown": typed_on,
        "p50 ms": times[len(times) // 2],
        "p90 ms": times[int(len(times) * 0.9)],
        "p99 ms": times[int(len(times) * 0.99)],
        "prompt tokens, mean": statistics.fmean(row["prompt_tokens"] for row in rows),
        "evaluated tokens, mean": statistics.fmean(row["evaluated_tokens"] for row in rows),
    }
