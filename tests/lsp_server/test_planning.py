"""What a prompt shows stays while somebody types, and follows in pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from repofill.context.index import WorkspaceIndex
from repofill.lsp_server.completion import Completer
from repofill.lsp_server.planning import Cursor, Planned, Planner
from repofill.lsp_server.server import make_engine
from repofill.lsp_server.settings import Settings
from repofill.models.budget import Budget
from repofill.models.engine import Engine

BUDGET = Budget(context=400, prefix=100, longest_prefix=150, suffix=25, answer=48)
FILES = {
    "one.py": "def area(width, height):\n    return width * height\n",
    "two.py": "def volume(width, height, depth):\n    return width * height * depth\n",
}
ONE, BOTH = "from one import area\n", "from one import area\nfrom two import volume\n"
UNHURRIED = replace(Settings(), suggest=replace(Settings().suggest, deadline_ms=60_000))
LINE = "value = area(2, 3)\n"


async def count(texts: Sequence[str]) -> list[int]:
    return [len(text) // 4 for text in texts]


def made(folder: Path) -> WorkspaceIndex:
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    index = WorkspaceIndex(folder)
    index.build()
    return index


def at_end(text: str) -> Cursor:
    return Cursor(path="main.py", text=text, offset=len(text))


@pytest.mark.parametrize(
    ("text", "typing", "ago_s", "disk", "shown"),
    [
        (f"{ONE}{LINE}", True, 0, {}, ["one.py"]),
        (f"{BOTH}volume(", True, 0, {}, ["one.py"]),  # while they type
        (f"{BOTH}volume(", True, 60, {}, ["one.py", "two.py"]),
        (f"{BOTH}volume(", False, 0, {}, ["one.py", "two.py"]),  # in a pause
        (f"{ONE}area(", True, 0, {"one.py": "area = 3\n"}, ["one.py"]),  # as it is now, whoever types
        (f"{BOTH}{LINE * 60}volume(", True, 0, {}, ["one.py", "two.py"]),  # elsewhere
    ],
)
async def test_what_is_shown_of_other_files(
    text: str, typing: bool, ago_s: float, disk: dict[str, str], shown: list[str], tmp_path: Path
) -> None:
    index, planner = made(tmp_path), Planner(count)
    index.open("main.py", ONE)
    planned = planner.at(index, at_end(f"{ONE}area("), BUDGET, typing=True)
    assert [file.path for file in (await planned.plan).files] == ["one.py"]
    planned.typed_at -= ago_s
    for name, changed in disk.items():
        (tmp_path / name).write_text(changed, encoding="utf-8")
        index.refresh([name])
    index.open("main.py", text)
    plan = await planner.at(index, at_end(text), BUDGET, typing=typing).plan
    assert [file.path for file in plan.files] == shown
    assert all(file.text.endswith(index.text(file.path) or "") for file in plan.files)


async def test_a_plan_that_is_being_made_serves_its_own_place_alone(tmp_path: Path) -> None:
    index, planner = made(tmp_path), Planner(count)
    text = f"{BOTH}{LINE * 60}volume("
    index.open("main.py", text)
    beginning = planner.at(index, Cursor(path="main.py", text=text, offset=0), BUDGET, typing=False)
    end = planner.at(index, at_end(text), BUDGET, typing=True)
    assert end is not beginning
    assert planner.at(index, at_end(text), BUDGET, typing=True) is end
    await asyncio.gather(beginning.plan, end.plan)


async def test_the_text_ahead_begins_where_it_did(tmp_path: Path) -> None:
    """It grows by half, in pauses by a quarter, and begins anew where it has changed or the cursor is elsewhere."""
    nothing = asyncio.get_running_loop().create_future()
    planned = Planned(asyncio.create_task(asyncio.wait_for(nothing, None)), 0, BUDGET, typed_at=0)  # type: ignore[arg-type]
    text = "".join(f"line = {number:04}\n" for number in range(1000))

    def start(length: int, *, typing: bool = True, text: str = text) -> int:
        ahead = planned.ahead(text[:length], typing=typing)
        assert text[:length].endswith(ahead)
        return length - len(ahead)

    first = start(5000)
    assert 4700 <= first <= 4775
    assert first == 12 * round(first / 12)  # at a line's beginning
    assert [start(length) for length in (5001, 5050, first + 450)] == [first] * 3
    again = start(first + 451)
    assert again > first
    assert start(again + 375, typing=False) == again
    assert start(again + 376, typing=False) > again
    here = start(5600)
    assert start(here + 150) == here  # a little up
    assert start(here + 149) < here
    here = start(5600)
    assert start(5600, text="x" + text) != here
    nothing.set_result(None)
    assert [start(length) for length in (0, 12, 200)] == [0, 0, 0]


async def test_the_prompt_where_the_cursor_rests_is_there_before_it_is_asked_for(tmp_path: Path) -> None:
    index, engine = made(tmp_path), make_engine(Settings())
    completer = Completer(engine)
    text = f"{BOTH}{LINE * 60}"
    index.open("main.py", text)
    places = [Cursor(path="main.py", text=text, offset=offset) for offset in (len(text) // 2 + 4, len(text))]
    evaluated = []
    try:
        for warmed in (False, True):
            await completer.gather(index, places[0], UNHURRIED)
            if warmed:
                await completer.warm(index, places[1], UNHURRIED)
            found = await completer.gather(index, places[1], UNHURRIED)
            assert found.answer is not None
            evaluated.append(found.answer.prompt_tokens - found.answer.cached_tokens)
    finally:
        await engine.close()
    assert evaluated[0] > 50 > 2 > evaluated[1] == 1


@pytest.mark.parametrize(("speed", "in_time"), [(1e9, True), (20.0, False)])
async def test_a_pause_brings_in_what_was_typed_once_it_has_lasted(
    speed: float, in_time: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as an evaluation takes, so that one who goes on does not wait for it."""
    monkeypatch.setattr(Engine, "tokens_per_s", speed)
    index, engine = made(tmp_path), make_engine(Settings())
    completer = Completer(engine)
    index.open("main.py", ONE)
    try:
        await completer.complete(index, at_end(f"{ONE}x = area("), UNHURRIED)
        index.open("main.py", f"{BOTH}x = volume(")
        await completer.complete(index, at_end(f"{BOTH}x = volume("), UNHURRIED)
        pause = asyncio.create_task(completer.pause())
        await asyncio.wait({pause}, timeout=2)
        assert pause.done() == in_time
        plan = await completer.plan(index, at_end(f"{BOTH}x = volume("), Settings(), typing=True)
        assert ("two.py" in [file.path for file in plan.files]) == in_time
        pause.cancel()
    finally:
        await engine.close()
