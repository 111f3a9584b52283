"""Layers of settings: the highest that is right counts, and each wrong value is one sentence."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from repofill.lsp_server import settings as subject
from repofill.lsp_server.settings import Settings, apply, describe_settings, layered, read_file


def value(settings: Settings, name: str) -> object:
    section, leaf = name.split(".")
    return getattr(getattr(settings, section), leaf)


@dataclass(frozen=True)
class Wrong:
    name: str
    given: object
    says: str


WRONG = [
    Wrong("suggest.enabled", 1, "type bool"),
    Wrong("suggest.enabled", "yes", "type bool"),
    Wrong("model.threads", True, "type int"),
    Wrong("model.threads", 2.0, "type int"),
    Wrong("model.threads", -1, "at least 0"),
    Wrong("model.threads", 1000, "at most 256"),
    Wrong("model.context_window", 8, "0 or at least 128"),
    Wrong("model.context_window", -1, "0 or at least 128"),
    Wrong("model.path", 7, "type str"),
    Wrong("suggest.min_confidence", True, "type float"),
    Wrong("suggest.min_confidence", 1.5, "at most 1"),
    Wrong("suggest.min_confidence", float("nan"), "at least 0"),
    Wrong("suggest.min_confidence", 10**400, "at most 1"),
    Wrong("suggest.deadline_ms", 10**30, "at most 60000"),
    Wrong("suggest.max_items", [3], "type int"),
    Wrong("suggest.disabled_languages", "python", "list of strings"),
    Wrong("suggest.disabled_languages", ["python", 3], "list of strings"),
    Wrong("log.level", "loud", "one of error, warning, info, debug"),
    Wrong("suggest.max_items", {"a": 1}, "no setting repofill.suggest.max_items.a"),
    Wrong("suggest.enabeld", False, "no setting repofill.suggest.enabeld"),
    Wrong("suggest.a\n\x1b[1m", 1, "no setting repofill.'suggest.a\\n\\x1b[1m'"),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case.name}={case.given!r:.20s}")
def test_a_wrong_value_is_one_problem_and_the_layer_below_counts(case: Wrong) -> None:
    lower, none = apply(Settings(), {"suggest": {"max_items": 2}, "model": {"threads": 5}}, "lower")
    section, leaf = case.name.split(".")
    upper, problems = apply(lower, {section: {leaf: case.given}}, "upper")
    assert none == []
    assert len(problems) == 1
    assert problems[0].startswith("upper: ")
    assert case.says in problems[0]
    assert "\n" not in problems[0]
    assert upper == lower


@pytest.mark.parametrize("layer", [["suggest"], "suggest", 3, {"suggest": 3}], ids=repr)
def test_a_layer_of_another_shape_is_one_problem(layer: object) -> None:
    settings, problems = apply(Settings(), layer, "layer")
    assert (settings, len(problems)) == (Settings(), 1)


def test_right_values_null_and_ints_for_floats_are_no_problem() -> None:
    layer = {
        "suggest": {"min_confidence": 1, "disabled_languages": ["markdown"], "enabled": None},
        "model": None,
        "log": {},
        "context": [],  # Lua's empty table
    }
    settings, problems = apply(Settings(), layer, "layer")
    assert problems == []
    assert settings.suggest.min_confidence == 1
    assert settings.suggest.disabled_languages == ("markdown",)
    assert settings.suggest.enabled is True
    for nothing in (None, {}, []):
        assert apply(Settings(), nothing, "nothing") == (Settings(), [])


def test_every_layer_covers_the_ones_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, workspace = tmp_path / "mine.toml", tmp_path / "project"
    workspace.mkdir()
    monkeypatch.setattr(subject, "user_file", lambda: mine)
    mine.write_text('[model]\npath = "/mine.gguf"\nthreads = 1\n[suggest]\nmax_items = 4\nmax_lines = 4\n')
    (workspace / "repofill.toml").write_text("[repofill.suggest]\nmax_items = 5\nmax_lines = 5\ndeadline_ms = 700\n")
    settings, problems = layered(
        workspace, ("initializationOptions", {"suggest": {"max_items": 6}}), ("pulled", {"suggest": {"max_items": 7}})
    )
    assert problems == []
    assert (settings.suggest.max_items, settings.suggest.max_lines, settings.suggest.deadline_ms) == (7, 5, 700)
    assert (settings.model.path, settings.model.threads) == ("/mine.gguf", 1)
    assert layered(None)[0].suggest.max_items == 4


def test_a_workspace_may_not_choose_the_model_nor_the_log_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "user_file", lambda: tmp_path / "none.toml")
    (tmp_path / "repofill.toml").write_text('model.path = "evil.gguf"\nlog.file = "/etc/x"\nmodel.threads = 2\n')
    settings, problems = layered(tmp_path)
    assert (settings.model.path, settings.log.file, settings.model.threads) == ("", "", 2)
    assert [next(name for name in ("model.path", "log.file") if name in p) for p in problems] == [
        "model.path",
        "log.file",
    ]


UNREADABLE = {
    "not closed": b"suggest = [",
    "no UTF-8": b"\xff\xfe",
    "twice": b"suggest.max_items = 3\nsuggest.max_items = 4",
    "too deep": b"a = " + b"[" * 5000,
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_file_is_one_problem_and_no_setting(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "repofill.toml"
    file.write_bytes(content)
    settings, problems = read_file(file)
    assert (settings, len(problems)) == ({}, 1)
    assert str(file) in problems[0]
    assert "\n" not in problems[0]
    os.mkfifo(tmp_path / "pipe.toml")
    for name in (".", "pipe.toml"):
        assert "not a regular file" in read_file(tmp_path / name)[1][0]
    for absent in (tmp_path / "absent.toml", file / "repofill.toml"):
        assert read_file(absent) == ({}, [])


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "repofill.toml").write_bytes(b"\xef\xbb\xbfsuggest.max_items = 2\n")
    assert read_file(tmp_path / "repofill.toml") == ({"suggest": {"max_items": 2}}, [])


def test_every_setting_is_described_with_its_default() -> None:
    described = {d.name: d for d in describe_settings()}
    names = [f"{section.name}.{leaf.name}" for section in fields(Settings) for leaf in fields(section.default_factory)]
    assert list(described) == names
    for name, setting in described.items():
        assert setting.default == value(Settings(), name)
        assert setting.description.endswith(".")
        raw = list(setting.default) if isinstance(setting.default, tuple) else setting.default
        section, leaf = name.split(".")
        assert apply(Settings(), {section: {leaf: raw}}, "own default") == (Settings(), [])
