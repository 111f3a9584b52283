"""The way of a keystroke: nothing on it stops the loop, and an answer comes by its deadline."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repofill.context.index import WorkspaceIndex
from repofill.context.store import Store
from repofill.lsp_server import completion
from repofill.lsp_server.completion import (
    Completer,
    Cursor,
    _closers,
    _suggestions,
    _unwanted,
)
from repofill.lsp_server.server import make_engine
from repofill.lsp_server.settings import Settings
from repofill.models.choice import sure_enough
from repofill.models.engine import Engine
from repofill.models.protocol import FillAnswer, FillRequest
from repofill.models.rank import Option, Ranked

CODE = "def area(width, height):\n    return width * height\n\n\n" * 4
TYPED = "def area(wid"
NAMES = ("apple", "banana", "cherry", "damson", "elder", "fig", "grape", "hazel")
UNHURRIED = replace(Settings(), suggest=replace(Settings().suggest, deadline_ms=60_000))


class Busy:
    """A lock that somebody else holds until the loop has had its turn, or for ten seconds at most."""

    def __init__(self) -> None:
        self.freed = threading.Event()
        self.gave_up = False

    def __enter__(self) -> None:
        self.gave_up |= not self.freed.wait(10)

    def __exit__(self, *_: object) -> None:
        pass


async def test_a_busy_store_stops_neither_the_loop_nor_the_answer(tmp_path: Path) -> None:
    """As while many files are being written to it: the project's text is not at hand, so nothing is copied."""
    (tmp_path / "shapes.py").write_text(CODE, encoding="utf-8")
    store = Store()
    index = WorkspaceIndex(tmp_path, store)
    index.build()
    engine = make_engine(Settings())
    hurried = replace(Settings(), suggest=replace(Settings().suggest, deadline_ms=200))
    cursor = Cursor(path="new.py", text=TYPED, offset=len(TYPED))
    completer = Completer(engine)
    try:
        await completer.gather(index, cursor, UNHURRIED)  # the model is loaded now
        index = WorkspaceIndex(tmp_path, store)  # and nothing is at hand
        index.build()
        busy = Busy()
        store._lock = busy  # type: ignore[assignment]
        found = await completer.gather(index, cursor, hurried)
        assert not busy.gave_up
        assert found.copies == ()
        busy.freed.set()
        found = await completer.gather(index, cursor, UNHURRIED)
        assert "th, height):" in [copy.text for copy in found.copies]
    finally:
        await engine.close()


async def test_a_slow_machine_is_asked_for_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The speed is known before the first plan is made, and counts for the text around the cursor as well."""
    for name in NAMES:
        code = f"def {name}_area({name}):\n" + f"    {name} = {name} + {name}\n" * 40
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    text = (
        "".join(f"from {name} import {name}_area\n" for name in NAMES) + "".join(f"{n}_area(1)\n" for n in NAMES) * 30
    )
    cursor = Cursor(path="new.py", text=text, offset=len(text))
    found = {}
    for speed in (None, 10.0):
        engine = make_engine(Settings())
        if speed is not None:
            monkeypatch.setattr(Engine, "tokens_per_s", speed)
        completer = Completer(engine)
        try:
            plan = await completer.plan(index, cursor, UNHURRIED)
            gathered = await completer.gather(index, cursor, UNHURRIED)
        finally:
            await engine.close()
        assert gathered.answer is not None
        assert gathered.plan == plan
        found[speed] = plan.tokens, gathered.answer.prompt_tokens - plan.tokens
    assert found[10.0][0] <= 512 < found[None][0]
    assert found[10.0][1] < 500 < found[None][1]


async def test_an_older_request_never_takes_the_place_of_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = WorkspaceIndex(tmp_path)
    busy, copied = Busy(), index.copy_candidates

    def first_held_up(path: str, before: str, *rest: Any, **more: Any) -> Any:
        if before == TYPED:
            with busy:
                pass
        return copied(path, before, *rest, **more)

    monkeypatch.setattr(index, "copy_candidates", first_held_up)
    sent: list[str] = []

    async def fill(request: FillRequest) -> None:
        sent.append(request.prefix)
        busy.freed.set()

    engine = make_engine(Settings())
    monkeypatch.setattr(engine, "fill", fill)
    completer = Completer(engine)
    asked = []
    for text in (TYPED, f"{TYPED}t"):
        cursor = Cursor(path="new.py", text=text, offset=len(text))
        asked.append(asyncio.create_task(completer.gather(index, cursor, UNHURRIED)))
        await asyncio.sleep(0)
    await asyncio.gather(*asked)
    assert sent == [f"{TYPED}t"]


async def test_of_the_searches_that_a_busy_store_holds_up_few_and_the_newest_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = WorkspaceIndex(tmp_path)
    busy, copied, searched = Busy(), index.copy_candidates, list[str]()

    def held_up(path: str, before: str, *rest: Any, **more: Any) -> Any:
        searched.append(before)
        with busy:
            return copied(path, before, *rest, **more)

    monkeypatch.setattr(index, "copy_candidates", held_up)
    engine = make_engine(Settings())
    engine._enter("crashed")
    completer = Completer(engine)
    texts = [f"{CODE}{TYPED}"[:end] for end in range(-9, 0)] + [f"{CODE}{TYPED}"]
    asked = []
    for text in texts:
        cursor = Cursor(path="new.py", text=text, offset=len(text))
        asked.append(asyncio.create_task(completer.gather(index, cursor, UNHURRIED)))
        await asyncio.sleep(0)
    busy.freed.set()
    *_, newest = await asyncio.gather(*asked)
    assert newest.copies[0].text == "th, height):"
    assert searched[-1] == texts[-1]
    assert len(searched) < 5


async def test_of_a_large_file_every_option_is_held_against_what_is_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def trim(raw: str, before: str, after: str, **more: Any) -> str:
        seen.append(len(before) + len(after))
        return real(raw, before, after, **more)

    real = completion.trim
    monkeypatch.setattr(completion, "trim", trim)
    engine = make_engine(Settings())
    engine._enter("crashed")
    before, after = f"{CODE * 1000}{TYPED}", f"\nx = 1\n{CODE * 1000}"
    cursor = Cursor(path="new.py", text=before + after, offset=len(before))
    found = await Completer(engine).gather(WorkspaceIndex(tmp_path), cursor, UNHURRIED)
    assert found.copies[0].text == "th, height):"
    assert 0 < max(seen) < len(after)


async def test_where_no_whole_line_is_sure_its_beginning_is_shown(tmp_path: Path) -> None:
    lines = [f'    registry.register("{name}", make_{name}, {at})\n' for at, name in enumerate(NAMES)]
    text = "def fill(registry):\n" + "".join(lines) + "    regis"
    index = WorkspaceIndex(tmp_path)
    engine = make_engine(Settings())
    cursor = Cursor(path="new.py", text=text, offset=len(text))
    try:
        found = await Completer(engine).complete(index, cursor, UNHURRIED)
        assert found is not None
        assert [item.text for item in found.items] == ["try"]
        assert found.items[0].confidence >= 0.6
        strict = replace(UNHURRIED, suggest=replace(UNHURRIED.suggest, min_confidence=1.0))
        found = await Completer(engine).complete(index, cursor, strict)
        assert found is not None
        assert found.items == ()
    finally:
        await engine.close()


@pytest.mark.parametrize(
    ("before", "typed", "after", "explicit", "left"),
    [
        ("def area(wid", "t", "", False, "h, height):"),
        ("def area(wid", "th, he", "", False, "ight):"),
        # more is inserted than anybody types, something else is typed, nothing is, or another place is meant
        ("def area(wid", "th, hei", "", False, None),
        ("def area(wid", "e", "", False, None),
        ("def area(wid", "", "", False, None),
        ("def area(wid", "t", "\n", False, None),
        ("def arena(wid", "t", "", False, None),
        # whoever asks wants to know
        ("def area(wid", "t", "", True, None),
    ],
)
async def test_while_it_is_typed_what_was_shown_stays(
    before: str, typed: str, after: str, explicit: bool, left: str | None, tmp_path: Path
) -> None:
    """Without asking the model, which may find something else from one keystroke to the next."""
    (tmp_path / "shapes.py").write_text(CODE, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    engine = make_engine(Settings())
    sensitive = replace(UNHURRIED, suggest=replace(UNHURRIED.suggest, min_confidence=0.01))
    completer, asked = Completer(engine), list[FillRequest]()
    fill = engine.fill

    async def seen(request: FillRequest) -> FillAnswer | None:
        asked.append(request)
        return await fill(request)

    engine.fill = seen  # type: ignore[method-assign]
    try:
        cursor = Cursor(path="new.py", text=TYPED, offset=len(TYPED))
        shown = await completer.complete(index, cursor, sensitive)
        assert shown is not None
        assert shown.text == "th, height):"
        cursor = Cursor(path="new.py", text=before + typed + after, offset=len(before + typed))
        found = await completer.complete(index, cursor, sensitive, explicit=explicit)
        assert found is not None
        assert len(asked) == (2 if left is None else 1)
        if left is not None:
            assert found.text == left
            assert found.cached_tokens == found.prompt_tokens == shown.prompt_tokens
    finally:
        await engine.close()


async def test_common_lines_are_read_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where somebody types before they are there."""
    busy, asked = Busy(), list[bool]()

    def read() -> None:
        with busy:
            pass

    def common(*_: object) -> list[object]:
        asked.append(completer._reading.done())
        return []

    monkeypatch.setattr(completion, "common_lines", read)
    monkeypatch.setattr(completion, "_common", common)
    engine = make_engine(Settings())
    completer = Completer(engine)
    try:
        cursor = Cursor(path="new.py", text=TYPED, offset=len(TYPED))
        asking = asyncio.create_task(completer.gather(WorkspaceIndex(tmp_path), cursor, UNHURRIED))
        await asyncio.sleep(0.2)
        busy.freed.set()
        await asking
        assert asked == [True]
        assert not busy.gave_up
    finally:
        await engine.close()


async def test_what_was_left_does_not_come_back(tmp_path: Path) -> None:
    """Once something else was typed, the model is asked also behind what was shown."""
    (tmp_path / "shapes.py").write_text(CODE, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    engine = make_engine(Settings())
    completer = Completer(engine)
    try:
        for text in (TYPED, f"{TYPED}e", f"{TYPED}t"):
            found = await completer.complete(index, Cursor(path="new.py", text=text, offset=len(text)), UNHURRIED)
            assert found is not None
            assert "engine" in found.timings_ms
    finally:
        await engine.close()


async def test_what_was_shown_stays_to_its_end(tmp_path: Path) -> None:
    """Character by character but for the last, which nobody is shown; behind it the model is asked again."""
    (tmp_path / "shapes.py").write_text(CODE, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    engine = make_engine(Settings())
    completer, rest = Completer(engine), "th * height"
    try:
        for typed in range(len(rest) + 1):
            text = "def area(width, height):\n    return wid" + rest[:typed]
            found = await completer.complete(index, Cursor(path="new.py", text=text, offset=len(text)), UNHURRIED)
            assert found is not None
            assert typed > len(rest) - 2 or found.text == rest[typed:]
            assert (found.timings_ms.keys() == {"total"}) is (0 < typed < len(rest) - 1)
    finally:
        await engine.close()


async def test_what_came_late_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model may have more to say by the next keystroke."""
    (tmp_path / "shapes.py").write_text(CODE, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    engine = make_engine(Settings())
    asked: list[FillRequest] = []

    async def fill(request: FillRequest) -> FillAnswer:
        asked.append(request)
        return FillAnswer(
            text="",
            ended="deadline",
            logprob=0.0,
            scores=(None,) * len(request.candidates),
            prompt_tokens=9,
            cached_tokens=0,
        )

    monkeypatch.setattr(engine, "fill", fill)
    sensitive = replace(UNHURRIED, suggest=replace(UNHURRIED.suggest, min_confidence=0.01))
    completer = Completer(engine)
    for text in (TYPED, f"{TYPED}t"):
        found = await completer.complete(index, Cursor(path="new.py", text=text, offset=len(text)), sensitive)
        assert found is not None
        assert found.text == "def area(width, height):".removeprefix(text)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("new.py", "import os\nimport num", ("py as np", "common")),
        ("new.py", "def main():\n    print(1)\n\n\nif __na", ('me__ == "__main__":', "model")),  # which knows it, too
        ("new.js", "import num", None),  # those of Python alone are known
        ("new.py", "def total(values):\n    return sum(values)\n\n\ndef show(values):\n    pri", None),
    ],
)
async def test_in_a_new_project_what_many_packages_have_is_suggested(
    name: str, text: str, expected: tuple[str, str] | None, tmp_path: Path
) -> None:
    engine = make_engine(Settings())
    try:
        cursor = Cursor(path=name, text=text, offset=len(text))
        found = await Completer(engine).complete(WorkspaceIndex(tmp_path), cursor, UNHURRIED)
        assert found is not None
        shown = [(item.text, item.source) for item in found.items]
        assert shown[:1] == [expected] if expected else all(source != "common" for _, source in shown)
    finally:
        await engine.close()


@pytest.mark.parametrize(("line", "finished"), [("    return width * hei", False), ("    return width * height", True)])
async def test_behind_a_finished_line_nothing_is_shown(line: str, finished: bool, tmp_path: Path) -> None:
    """Though some go on: as the copied ones do where nothing is known of ends."""
    other = "def area(width, height):\n    return width * height * 2\n\n\n"
    (tmp_path / "shapes.py").write_text(CODE + other, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    engine = make_engine(Settings())
    text = f"def area(width, height):\n{line}"
    cursor = Cursor(path="new.py", text=f"{text}\n", offset=len(text))
    try:
        completer = Completer(engine)
        gathered = await completer.gather(index, cursor, UNHURRIED)
        least = Settings().suggest.min_confidence
        assert bool(sure_enough(gathered, least)) is not finished
        assert sure_enough(replace(gathered, nothing=None), least)
    finally:
        await engine.close()


@pytest.mark.parametrize(("logprob", "expected"), [(-0.01, []), (-4.0, ["th, height):"])])
async def test_what_a_large_model_says_of_the_end_counts_for_copies(
    logprob: float, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it wrote nothing that can be shown."""
    (tmp_path / "shapes.py").write_text(CODE, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()

    async def fill(request: FillRequest) -> FillAnswer:
        return FillAnswer(
            text="",
            ended="eos",
            logprob=logprob,
            scores=(),
            prompt_tokens=9,
            cached_tokens=0,
            end_logprob=logprob,
        )

    monkeypatch.setattr(completion, "SCORED_MODEL_BYTES", 0)
    engine = make_engine(Settings())
    monkeypatch.setattr(engine, "fill", fill)
    settings = replace(UNHURRIED, suggest=replace(UNHURRIED.suggest, min_confidence=0.1))
    found = await Completer(engine).complete(index, Cursor(path="new.py", text=TYPED, offset=len(TYPED)), settings)
    assert found is not None
    assert [item.text for item in found.items] == expected


@pytest.mark.parametrize(("explicit", "expected"), [(False, []), (True, [":"])])
async def test_a_single_character_is_typed_unless_it_was_asked_for(
    explicit: bool, expected: list[str], tmp_path: Path
) -> None:
    engine = make_engine(Settings())
    engine._enter("crashed")
    text = f"{CODE}def area(width, height)"
    cursor = Cursor(path="new.py", text=text, offset=len(text))
    found = await Completer(engine).complete(WorkspaceIndex(tmp_path), cursor, UNHURRIED, explicit=explicit)
    assert found is not None
    assert [item.text for item in found.items] == expected


async def test_the_first_prompt_is_as_long_as_the_machine_is_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is not known before the model is loaded: a slow one would take half a minute for it, and begin anew."""
    engine, asked = make_engine(Settings()), []
    monkeypatch.setattr(Engine, "tokens_per_s", property(lambda self: 100 if self.state == "ready" else math.inf))

    async def fill(request: FillRequest) -> None:
        asked.append(request)

    monkeypatch.setattr(engine, "fill", fill)
    text = "size = 1\n" * 400
    try:
        await Completer(engine).gather(WorkspaceIndex(tmp_path), Cursor(path="a.py", text=text, offset=3600), UNHURRIED)
    finally:
        await engine.close()
    assert [256 * 3 * 3 // 4 <= len(request.prefix) <= 256 * 3 for request in asked] == [True]


@pytest.mark.parametrize(("path", "mixed"), [("new.py", True), ("new.go", False)])
async def test_copying_is_mixed_in_where_the_bundled_model_knows_the_language(
    path: str, mixed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"shapes{Path(path).suffix}").write_text(CODE, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    engine, asked = make_engine(Settings()), list[FillRequest]()

    async def fill(request: FillRequest) -> None:
        asked.append(request)

    monkeypatch.setattr(engine, "fill", fill)
    try:
        found = await Completer(engine).gather(index, Cursor(path=path, text=TYPED, offset=len(TYPED)), UNHURRIED)
    finally:
        await engine.close()
    lengths = tuple(copy.match_length for copy in found.copies)
    assert len(TYPED) in lengths
    assert [request.matched for request in asked] == [lengths if mixed else None]


async def test_before_the_model_is_loaded_nothing_is_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much is worth the machine's time is not known yet."""
    (tmp_path / "shapes.py").write_text(CODE, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    planned, plan = [], index.plan

    def noted(path: str, *rest: Any) -> Any:
        planned.append(path)
        return plan(path, *rest)

    monkeypatch.setattr(index, "plan", noted)
    engine = make_engine(Settings())
    completer = Completer(engine)
    cursor = Cursor(path="new.py", text=TYPED, offset=len(TYPED))
    hurried = replace(Settings(), suggest=replace(Settings().suggest, deadline_ms=1))
    try:
        found = await completer.gather(index, cursor, hurried)
        await engine.ready()
        assert (found.plan.files, planned) == ((), [])
        await completer.gather(index, cursor, UNHURRIED)
        assert planned == ["new.py"]
    finally:
        await engine.close()


def recording(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[FillRequest]:
    """What an engine, which is not started, is asked to make ready."""
    asked: list[FillRequest] = []

    async def ready() -> bool:
        return True

    async def count_tokens(texts: Sequence[str]) -> list[int]:
        return [1 for _ in texts]

    async def warm(request: FillRequest) -> None:
        asked.append(request)

    for instead in (ready, count_tokens, warm):
        monkeypatch.setattr(engine, instead.__name__, instead)
    return asked


@pytest.mark.parametrize(("inside", "warmed"), [(False, [1]), (True, [])])
async def test_a_prompt_that_begins_with_the_suffix_is_not_warmed(
    inside: bool, warmed: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shapes.py").write_text(CODE, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    engine = make_engine(Settings())
    model = replace(engine.model, fim=replace(engine.model.fim, context_inside=inside))
    monkeypatch.setattr(Engine, "model", model)
    asked = recording(engine, monkeypatch)
    text = f"from shapes import area\n\n{TYPED}"
    await Completer(engine).warm(index, Cursor(path="new.py", text=text, offset=0), Settings())
    assert [len(request.context) for request in asked] == warmed


async def test_a_place_that_the_cursor_has_left_is_not_warmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While other files were still being chosen."""
    index = WorkspaceIndex(tmp_path)
    index.build()
    engine = make_engine(Settings())
    asked = recording(engine, monkeypatch)
    completer = Completer(engine)
    cursors = [Cursor(path=path, text=f"{path} = 1\n", offset=3) for path in ("left", "entered")]
    await asyncio.gather(*(completer.warm(index, cursor, Settings()) for cursor in cursors))
    assert [request.prefix for request in asked] == ["ent"]


@pytest.mark.parametrize(
    ("ended", "written", "probability", "shown"),
    [
        ("dedent", "edge = 1\n    return edge", 0.97, "edge = 1\n    return edge"),
        ("length", "edge = 1\n    return ed", 0.97, "edge = 1"),
        ("length", "edge = 1 + 1 + 1 + 1", 0.97, ""),
        ("deadline", "edge = 1\n    return ed", 0.97, "edge = 1"),
        ("deadline", "edge = shape.side + sha", 0.97, "edge = shape.side +"),
        ("unlikely", "edge = shape.side + sha", 0.97, "edge = shape.side +"),
        ("unlikely", "edge = shape.side", 0.95, ""),
        ("unlikely", "edge = 1\n    return ed", 0.97, "edge = 1"),
        ("deadline", "ed", 0.97, ""),
        # as far as the model is sure, which it is of less and less: of lines a little, of words more than of nothing
        ("newline", "edge = shape.side", 0.95, "edge = shape.side"),
        ("newline", "edge = shape.side", 0.9, ""),
        ("newline", "edge = shape.side + shape.side", 0.96, "edge = shape."),
        ("newline", "edge = shape.side + shape.side", 0.94, ""),
        ("deadline", "edge = shape.side + sha", 0.96, "edge = shape."),
        ("dedent", "edge = 1\n    return edge", 0.94, "edge = 1"),
        ("dedent", "edge = 1\n    return edge", 0.8, ""),
    ],
)
async def test_of_what_a_large_model_wrote_the_sure_part_is_shown(
    ended: str, written: str, probability: float, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each character is a token of this probability here. Of what it had no room or time to end only what is whole."""
    steps = tuple((end, end * math.log(probability)) for end in range(1, len(written) + 1))

    async def fill(request: FillRequest) -> FillAnswer:
        return FillAnswer(
            text=written,
            ended=ended,
            logprob=steps[-1][1],
            steps=steps,
            scores=(),
            prompt_tokens=9,
            cached_tokens=0,
        )

    monkeypatch.setattr(completion, "SCORED_MODEL_BYTES", 0)
    engine = make_engine(Settings())
    monkeypatch.setattr(engine, "fill", fill)
    text = "def side(shape):\n    "
    cursor = Cursor(path="new.py", text=text, offset=len(text))
    found = await Completer(engine).complete(WorkspaceIndex(tmp_path), cursor, UNHURRIED)
    assert found is not None
    assert found.text == shown


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(("ended", "shown"), [("newline", "edge"), ("unlikely", ""), ("length", "")])
async def test_what_a_small_model_gave_up_is_not_shown(
    ended: str, shown: str, explicit: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it told to give anything up where the user asked."""
    asked: list[FillRequest] = []

    async def fill(request: FillRequest) -> FillAnswer:
        asked.append(request)
        return FillAnswer(text="edge", ended=ended, logprob=-0.01, scores=(), prompt_tokens=9, cached_tokens=0)

    engine = make_engine(Settings())
    monkeypatch.setattr(engine, "fill", fill)
    text = "fn side(shape: Shape) -> f64 {\n    return "
    cursor = Cursor(path="new.rs", text=text, offset=len(text))
    settings = replace(UNHURRIED, suggest=replace(UNHURRIED.suggest, min_confidence=0.0))
    found = await Completer(engine).complete(WorkspaceIndex(tmp_path), cursor, settings, explicit=explicit)
    assert found is not None
    assert found.text == shown
    assert [request.least_logprob is None for request in asked] == [explicit]


@pytest.mark.parametrize(("other", "own"), [(CODE, ""), ("", CODE)], ids=["shows another file", "shows none"])
@pytest.mark.parametrize("state", ["crashed", "failed"])
async def test_without_a_model_the_project_proposes(state: str, other: str, own: str, tmp_path: Path) -> None:
    """While it restarts, and where it cannot be used."""
    (tmp_path / "shapes.py").write_text(other, encoding="utf-8")
    index = WorkspaceIndex(tmp_path)
    index.build()
    engine = make_engine(Settings())
    engine._failed_file = engine._signature()
    engine._enter(state, "the model process ended")
    text = f"from shapes import area\n\n{own}{TYPED}"
    cursor = Cursor(path="new.py", text=text, offset=len(text))
    found = await Completer(engine).gather(index, cursor, UNHURRIED)
    assert found.copies[0].text == "th, height):"
    assert found.answer is None


@pytest.mark.parametrize(
    ("around", "closers", "texts", "expected"),
    [
        # what closes by itself takes the place of what closes behind the cursor, the rest goes ahead of it
        ("f(|)", ")", ["x) + 1", "x, {"], [("x) + 1", 1), ("x,", 0)]),
        # of those that leave the same text the first, none that changes nothing
        ("f(|)", ")", ["x)", "x", ")"], [("x)", 1)]),
        ("f(|)\r\n", ")", ["x", "x)"], [("x", 0)]),
        ("f(|) + 1", "", ["x"], [("x", 0)]),
        # a block has no closing bracket of its own
        ("function f() {|}", "", [""], []),
    ],
)
def test_suggestions_over_closers(around: str, closers: str, texts: list[str], expected: list[tuple[str, int]]) -> None:
    before, after = around.split("|")
    cursor = Cursor(path="a.ts", text=before + after, offset=len(before))
    assert _closers(cursor) == closers
    likely = [Ranked(option=Option(text=text), confidence=0.9) for text in texts]
    assert [(s.text, s.replaces) for s in _suggestions(likely, cursor, closers)] == expected


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ("x = |\n", False),
        ("x = |  # why\n", False),
        ("def f():\n    |\n", False),
        ("f(\n    |)\n", False),
        ("x = na|me\n", True),
        ("x = |_name\n", True),
        ("\n\n|\n", True),
        ("def f():\n|    # why\n", True),
        ('def f():\n    |"""Why."""\n', True),
        ("def f():\r\n    |@property\r\n", True),
    ],
)
def test_where_nobody_wants_to_be_interrupted(around: str, expected: bool) -> None:
    before, after = around.split("|")
    assert _unwanted(Cursor(path="a.py", text=before + after, offset=len(before))) is expected
