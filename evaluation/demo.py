"""`repofill demo`: the real server, as an editor runs it, on the source of an installed third-party package.

Cuts the rest of real lines out of the package, types the last characters ahead of each, asks for ghost text at every
one of them, and shows the prompt's files in order and the last ghost text in place beside what the author wrote.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from repofill.context.index import WorkspaceIndex
from repofill.evaluation.editor import Editor, EditorError, editor
from repofill.evaluation.holes import Hole, sample

PACKAGE = "pygls"
SUGGESTIONS = 5
_MOST_PLACES = 60
_SAMPLED = 600
_SEED = 4
_DEPENDENCIES = 4
"""Places are looked for in files that depend on at least so many others: context is what there is to see."""

_TYPED = 8
"""Characters, at most, and of the same line."""
_LINES_AROUND = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One ghost text: where, what, how long each request took that was made on the way there, the last of which brought
    it, and the server's explanation."""

    hole: Hole
    text: str
    milliseconds: list[float]
    plan: dict[str, Any]


def run(console: Console) -> None:
    """Run the demo; raises EditorError when the server shows no ghost text at all."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EditorError(f"the package {PACKAGE} is not installed here")
    source = Path(next(iter(spec.submodule_search_locations)))
    with tempfile.TemporaryDirectory(prefix="repofill-demo-") as folder:
        workspace = Path(folder)
        shutil.copytree(source, workspace / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        index = WorkspaceIndex(workspace)
        index.build()
        stats = index.stats()
        console.rule(f"{PACKAGE} {metadata.version(PACKAGE)}: {stats.files} files, {stats.edges} imports between them")
        asyncio.run(_session(console, workspace, _places(index)))


def _places(index: WorkspaceIndex) -> list[Hole]:
    holes = sample(index, _SAMPLED, _SEED)
    connected = (hole for hole in holes if len(index.dependencies(hole.path)) >= _DEPENDENCIES)
    return list(itertools.islice(connected, _MOST_PLACES))


async def _session(console: Console, workspace: Path, holes: list[Hole]) -> None:
    """Ask at hole after hole until enough ghost texts have been shown."""
    shown: list[Shown] = []
    asked = 0
    # One answer per place is all there will be, so wait for the whole of a cold prompt.
    async with editor(workspace, {"suggest": {"deadline_ms": 10_000}}) as server:
        for hole in holes:
            asked += 1
            texts, milliseconds = await _typed(server, hole, is_first=asked == 1)
            if texts:
                plan = await server.explain(hole.path, hole.text, hole.offset)
                shown.append(Shown(hole=hole, text=texts[0], milliseconds=milliseconds, plan=plan))
                if len(shown) == 1:
                    console.print(_context_table(shown[0]))
                console.print(_ghost(shown[-1]))
            server.close(hole.path)
            if len(shown) == SUGGESTIONS:
                break
    if not shown:
        raise EditorError(f"the server was asked at {asked} places and showed no ghost text")
    right = sum(one.text == one.hole.target for one in shown)
    keystroke = statistics.median(milliseconds for one in shown for milliseconds in one.milliseconds[1:])
    first = statistics.median(one.milliseconds[0] for one in shown)
    console.print(
        f"Typed at {asked} places: silent at {asked - len(shown)}, ghost text at {len(shown)}, {right} of them exactly "
        f"what the author wrote. From keystroke to answer {keystroke:.0f} ms, the first in a file {first:.0f} ms "
        f"(medians). Model: {shown[0].plan['last']['model']}."
    )


async def _typed(server: Editor, hole: Hole, *, is_first: bool) -> tuple[list[str], list[float]]:
    """Type what stands ahead of a hole; the suggestions at its end, and how long each answer took. As in the editors
    nothing is asked while what is shown is typed."""
    line = hole.text.rfind("\n", 0, hole.offset) + 1
    offset = max(hole.offset - _TYPED, line)
    text = hole.text[:offset] + hole.text[hole.offset :]
    server.open(hole.path, text)
    if is_first:  # what the server makes ready for a file that is opened would else be there, or not yet
        await server.explain(hole.path, text, 0)
    texts, first = await server.suggestions(hole.path, text, offset)
    milliseconds = [first]
    for character in hole.text[offset : hole.offset]:
        text = server.insert(hole.path, text, offset, character)
        offset += 1
        texts = [shown.removeprefix(character) for shown in texts[:1] if len(shown) > 1 and shown.startswith(character)]
        if not texts:
            texts, took = await server.suggestions(hole.path, text, offset)
            milliseconds.append(took)
    return texts, milliseconds


def _context_table(one: Shown) -> Table:
    last = one.plan["last"]
    table = Table(
        title=f"The prompt at {one.hole.path}: its own dependencies, in dependency order, ahead of the file itself",
        caption=f"{one.plan['tokens']} of {last['prompt_tokens']} tokens are other files",
    )
    for column in ("file", "form", "tokens"):
        table.add_column(column)
    for file in one.plan["files"]:
        table.add_row(file["path"], file["form"], str(file["tokens"]))
    return table


def _ghost(one: Shown) -> Panel:
    before, after = one.hole.text[: one.hole.offset], one.hole.text[one.hole.offset :]
    *lines, line = before.split("\n")[-_LINES_AROUND:]
    ghost = Text(line).append(f"⟦{one.text}⟧", style="bold green").append(after.split("\n")[0])
    above = Syntax("\n".join(lines), "python", background_color="default")
    below = Syntax("\n".join(after.split("\n")[1:2]), "python", background_color="default")
    verdict = "exactly what the author wrote" if one.text == one.hole.target else f"the author wrote: {one.hole.target}"
    return Panel(
        Group(above, ghost, below),
        title=f"{one.hole.path}:{before.count(chr(10)) + 1}",
        subtitle=f"{one.milliseconds[-1]:.0f} ms · {verdict}",
    )
