"""Benchmarks: figures as a table or JSON, the model that was asked for, and one line where nothing can be measured."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from repofill.evaluation import fill, keystrokes
from repofill.evaluation.editor import EditorError, editor
from repofill.evaluation.figures import BenchmarkError, show
from repofill.lsp_server.completion import Completer
from repofill.lsp_server.server import bundled_model, make_engine
from repofill.lsp_server.settings import ModelSettings, Settings

CODE = "def area(width, height):\n    return width * height\n\n\n" * 4


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace beside the working directory's `model.gguf`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.gguf").symlink_to(bundled_model())
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "shapes.py").write_text(CODE, "utf-8")
    return tmp_path / "project"


def test_figures_are_shown_as_json_or_table(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"one": {"cases": 2.0, "exact": 50.0}, "other": {"cases": 4.0, "exact": 25.04, "shown": 5.0}}
    show("Title", figures, as_json=True)
    assert json.loads(capsys.readouterr().out) == figures
    show("Title", figures, as_json=False)
    rows = [line.strip("│┃ ").split() for line in capsys.readouterr().out.splitlines()]
    assert ["cases", "│", "2.0", "│", "4.0"] in rows
    assert ["exact", "│", "50.0", "│", "25.0"] in rows
    assert ["shown", "│", "│", "5.0"] in rows
    show("Title", {}, as_json=False)


@pytest.mark.parametrize("foreseen", [False, True])
def test_keystrokes_are_measured_with_and_without_the_cache(
    foreseen: bool, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And with the model that was named, relative to this process, not to the server's. Those that type on what was
    shown cost nothing, and are left out."""
    if not foreseen:
        lines = (f"{hashlib.sha256(bytes([at])).hexdigest()}\n" for at in range(40))
        (project / "shapes.py").write_text("".join(lines), "utf-8")
    keystrokes.run([project], 1, model="model.gguf", as_json=True)
    figures = json.loads(capsys.readouterr().out)
    typed_on = figures["cache"]["typed on what was shown"]
    assert (typed_on > 0) is foreseen
    assert figures["cache"]["keystrokes"] == (10 - typed_on or 10)
    assert figures["no cache"]["keystrokes"] == 10
    assert figures["cache"]["evaluated tokens, mean"] < figures["no cache"]["evaluated tokens, mean"]


def test_without_a_model_there_are_no_figures(project: Path) -> None:
    with pytest.raises(EditorError, match="gguf: there is no such file"):
        keystrokes.run([project], 1, model="missing.gguf", as_json=True)
    with pytest.raises(BenchmarkError, match="gguf: there is no such file"):
        asyncio.run(gather(project, model="missing.gguf"))


def test_nothing_to_measure_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "blank.py").write_text("\n" * 40, "utf-8")
    with pytest.raises(BenchmarkError, match="no code"):
        keystrokes.run([tmp_path], 1, as_json=True)
    with pytest.raises(BenchmarkError, match="no code"):
        asyncio.run(gather(tmp_path))


def test_every_kind_of_place_has_its_figures(project: Path) -> None:
    """At the ends of lines nothing can be right, so it is what is shown in vain that counts."""
    report = fill.report(asyncio.run(gather(project, 2)))
    kinds = ("lines", "characters", "blocks", "ends")
    assert sorted(report) == sorted(f"{order}, {kind} alike" for order in ("finished", "writing") for kind in kinds)
    for name, figures in report.items():
        assert ("together" in figures) is ("ends" not in name)
        assert {"cases", "shown at 0.25"} <= figures.keys()
        assert all(0 <= value <= 100 for value in figures.values())


async def gather(folder: Path, holes: int = 1, model: str = "") -> list[fill.Case]:
    settings = Settings(model=ModelSettings(path=model))
    engine = make_engine(settings)
    try:
        return await fill.gather_cases(Completer(engine), [folder], holes, settings)
    finally:
        await engine.close()


async def test_an_error_in_a_session_ends_the_server(project: Path) -> None:
    """Instead of waiting for it to end by itself."""
    with pytest.raises(ZeroDivisionError):
        async with editor(project, {}):
            raise ZeroDivisionError
