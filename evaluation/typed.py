"""Typing what releases added, through the real server at a typist's speed: how soon a suggestion is there whenever
typing pauses. Two files of a project are worked on in turn, as with a module and its test.

Unlike `keystrokes`, which waits for every answer, this meets prompts that are not evaluated yet, or only in part.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from repofill.context.index import WorkspaceIndex
from repofill.evaluation.editor import Editor, editor, model_setting
from repofill.evaluation.figures import BenchmarkError, show
from repofill.evaluation.holes import Hole
from repofill.evaluation.releases import Release

_LOOKED_S = 2.5
"""From when the cursor is somewhere until something is typed there."""
_KEY_S = 0.2
_LINE_PAUSES_S, _WORD_PAUSES_S = (0.5, 1.0, 2.0), (0.5, 1.0)
_WORD_PAUSE = 0.15
"""How often typing pauses behind a blank or a sign. All of these are assumptions, not measured on people."""
_REST_S = 0.25
_PAUSE_S = 0.5
_PLACES_OF_A_FILE = 2
_LINES, _CHARACTERS = 25, 120
_DEADLINE_MS = 60_000


def run(pairs: Sequence[tuple[Release, Release]], places: int, *, model: str | None = None, as_json: bool) -> None:
    """Type at `places` places of each package and print how soon answers came. Raises BenchmarkError, EditorError."""
    settings: dict[str, Any] = {"suggest": {"deadline_ms": _DEADLINE_MS}}
    if model is not None:
        settings["model"] = {"path": model_setting(model)}
    answers = [
        answer for earlier, later in pairs for answer in asyncio.run(_measure(earlier(), later(), places, settings))
    ]
    if not answers:
        raise BenchmarkError("there is nothing to type: no release added lines to a file of the one before")
    show("From keystroke to ghost text whenever typing pauses", {"": figures(answers)}, as_json=as_json)


def figures(answers: Sequence[float | None]) -> dict[str, float]:
    """Of the answers' milliseconds at each pause, None where it ended before."""
    given = [answer for answer in answers if answer is not None]
    return {
        "pauses": len(answers),
        "answered within half a second, %": 100 * sum(answer <= _PAUSE_S * 1000 for answer in given) / len(answers),
        "answered before the pause ended, %": 100 * len(given) / len(answers),
        "milliseconds of these, median": statistics.median(given) if given else 0.0,
    }


def insertions(earlier: Mapping[str, str], later: Mapping[str, str]) -> Iterator[list[Hole]]:
    """For each file what `later` texts have between two lines of the `earlier` ones, up to 25 lines each, to be typed
    from the end of the line above; above it stands the text of `later`, below it that of `earlier`."""
    for path in sorted(earlier.keys() & later.keys()):
        old, new = earlier[path].split("\n"), later[path].split("\n")
        found = []
        for what, at, _, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if what == "insert" and 0 < start < end <= start + _LINES and any(map(str.strip, new[start:end])):
                before = "\n".join(new[:start])
                target = "\n".join(["", *new[start:end]])[:_CHARACTERS]
                found.append(Hole(path=path, text="\n".join([before, *old[at:]]), offset=len(before), target=target))
        if found:
            yield found


def in_turn(files: Iterable[Sequence[Hole]], places: int) -> list[Hole]:
    """So many places of files that are worked on two at a time, each twice."""
    visits: list[Hole] = []
    for pair in zip(*[iter([holes[:_PLACES_OF_A_FILE] for holes in files])] * 2, strict=False):
        visits += filter(None, chain.from_iterable(zip_longest(*pair)))
    return visits[:places]


async def _measure(earlier: Path, later: Path, places: int, settings: dict[str, Any]) -> list[float | None]:
    generator = random.Random(1)
    files = list(insertions(_texts(earlier), _texts(later)))
    generator.shuffle(files)
    answers = []
    async with editor(earlier, settings) as server:
        opened = set[str]()
        for hole in in_turn(files, places):
            if hole.path in opened:
                server.replace(hole.path, hole.text)
            else:
                server.open(hole.path, hole.text)
            opened.add(hole.path)
            answers += await _typed(server, hole, generator)
    return answers


async def _typed(server: Editor, hole: Hole, generator: random.Random) -> list[float | None]:
    await asyncio.sleep(_REST_S)
    await server.rest(hole.path, hole.text, hole.offset)
    await asyncio.sleep(_LOOKED_S - _REST_S)
    answers: list[float | None] = []
    asked: list[asyncio.Task[tuple[list[str], float]]] = []
    text = hole.text
    for typed, character in enumerate(hole.target):
        text = server.insert(hole.path, text, hole.offset + typed, character)
        began, waits = time.monotonic(), _wait(character, last=typed == len(hole.target) - 1, generator=generator)
        asking = asyncio.create_task(server.suggestions(hole.path, text, hole.offset + typed + 1))
        await asyncio.wait({asking}, timeout=waits)
        if waits >= _PAUSE_S:
            answers.append(asking.result()[1] if asking.done() else None)
        await asyncio.sleep(max(0.0, began + waits - time.monotonic()))
        asked.append(asking)
    await asyncio.gather(*asked)
    return answers


def _wait(character: str, *, last: bool, generator: random.Random) -> float:
    """Seconds until the next keystroke."""
    if last or character == "\n":
        return generator.choice(_LINE_PAUSES_S)
    if character in " (.=" and generator.random() < _WORD_PAUSE:
        return generator.choice(_WORD_PAUSES_S)
    return _KEY_S


def _texts(folder: Path) -> dict[str, str]:
    index = WorkspaceIndex(folder)
    index.build()
    return {path: index.text(path) or "" for path in index.ordered()}
