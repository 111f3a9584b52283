"""How stable the context is: while somebody types, and when they go on to another file of the same package.

What changes at its beginning or in its middle must be evaluated anew before the user sees anything.
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from repofill.context.index import WorkspaceIndex
from repofill.evaluation.figures import BenchmarkError, show
from repofill.lsp_server.completion import Completer
from repofill.lsp_server.planning import Cursor
from repofill.lsp_server.settings import Settings

KEYSTROKES = 100
_PAUSE_AFTER = 25
"""Keystrokes between two pauses, in which the index takes over what was typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place where somebody typed: how often the context changed, its tokens, and how many of them at its beginning
    stood at the beginning of the last place's context, too; `follows`: there was such a place in the same folder."""

    changes: int
    tokens: int
    shared_tokens: int
    follows: bool


async def measure(completer: Completer, folders: Iterable[Path], places: int, settings: Settings) -> list[Place]:
    """Type at `places` places of each folder, every one in another file than the one before. Raises BenchmarkError."""
    measured = []
    for folder in folders:
        index = WorkspaceIndex(folder)
        index.build()
        generator = random.Random(1)
        paths = [path for path in index.ordered() if len(index.text(path) or "") > 2 * KEYSTROKES]
        if len(paths) < 2:
            raise BenchmarkError(f"{folder} has no two files to type in")
        last = ""
        for _ in range(places):
            path = generator.choice([other for other in paths if other != last])
            measured.append(await _typed(completer, index, path, generator, settings, follows=last != ""))
            last = path
    return measured


async def _typed(
    completer: Completer,
    index: WorkspaceIndex,
    path: str,
    generator: random.Random,
    settings: Settings,
    *,
    follows: bool,
) -> Place:
    """Cut a hundred characters out of a file and type them again."""
    text = index.text(path) or ""
    start = generator.randrange(len(text) - KEYSTROKES)
    index.open(path, text[:start] + text[start + KEYSTROKES :])
    contexts, first = [], None
    for typed in range(KEYSTROKES + 1):
        end = start + typed
        shown = text[:end] + text[start + KEYSTROKES :]
        index.change(path, shown)
        cursor = Cursor(path=path, text=shown, offset=end)
        if typed % _PAUSE_AFTER == 0:
            index.settle()
            await completer.plan(index, cursor, settings)
        plan = await completer.plan(index, cursor, settings, typing=True)
        first = first or plan
        contexts.append("".join(file.text for file in plan.files))
    index.close(path)
    assert first is not None
    changes = sum(one != other for one, other in itertools.pairwise(contexts))
    return Place(changes=changes, tokens=first.tokens, shared_tokens=first.shared_tokens, follows=follows)


def report(places: list[Place], *, as_json: bool) -> None:
    """Print the figures; what is shared, over the places that show anything and follow another of their folder."""
    with_context = [place for place in places if place.follows and place.tokens]
    shared = [100 * place.shared_tokens / place.tokens for place in with_context]
    figures = {
        "places": len(places),
        "keystrokes at each": KEYSTROKES,
        "changes of the context per place, mean": statistics.fmean(place.changes for place in places),
        "changes of the context per place, most": max(place.changes for place in places),
        "tokens of context, mean": statistics.fmean(place.tokens for place in places),
        "shared with another file's context, mean %": statistics.fmean(shared) if shared else 0.0,
        "shared with another file's context, median %": statistics.median(shared) if shared else 0.0,
    }
    show("How stable the context is", {"": figures}, as_json=as_json)
