"""The command line: what it prints, how it exits, and that whatever is wrong is one line on stderr."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from repofill.context import index as index_module
from repofill.evaluation import keystrokes
from repofill.lsp_server.cli import main, project_around
from repofill.lsp_server.server import bundled_model

UTILS = """\
import random


def load_data(count: int) -> list[tuple[float, int]]:
    return [(random.random(), random.randrange(3)) for _ in range(count)]


def evaluate_predictions(targets: list[int], predicted: list[int]) -> float:
    return sum(a == b for a, b in zip(targets, predicted)) / len(targets)
"""
MODEL = """\
from utils import evaluate_predictions


class IrisClassifier:
    def __init__(self) -> None:
        self.weights = [0.0, 0.0, 0.0]

    def train_model(self, rows: list[tuple[float, int]], epochs: int) -> None:
        for _ in range(epochs):
            for value, label in rows:
                self.weights[label] += value
        evaluate_predictions([label for _, label in rows], [0 for _ in rows])
"""
MAIN = """\
from model import IrisClassifier as Classifier
from utils import load_data, evaluate_predictions


def main():
    rows = load_data(100)
    model = Classifier()
    model.
"""


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for settings and log, and the root logger as it was."""
    folder = tmp_path / "home"
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(folder))
    root = logging.getLogger()
    before = root.handlers, root.level
    root.handlers = []
    yield folder
    root.handlers = before[0]
    root.setLevel(before[1])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in (("utils.py", UTILS), ("model.py", MODEL), ("main.py", MAIN)):
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> Result:
        try:
            status = main(arguments)
        except SystemExit as exit:
            status = exit.code if isinstance(exit.code, int) else 1
        out, err = capfd.readouterr()
        return Result(status, out, err)

    return call


PLACE = "main.py:8:11"


def test_the_real_command_completes_with_json_alone_on_stdout(project: Path) -> None:
    command = [sys.executable, "-m", "repofill.lsp_server", "complete", PLACE, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    figures = json.loads(done.stdout)
    assert done.stderr == ""
    assert set(figures) == {
        *("text", "items", "prompt_tokens", "cached_tokens", "context", "timings_ms", "deadline_ms", "model")
    }
    assert [file["path"] for file in figures["context"]] == ["utils.py", "model.py"]
    assert all(set(item) == {"text", "confidence", "source", "replaces"} for item in figures["items"])
    assert figures["items"]
    assert figures["text"] == figures["items"][0]["text"]
    assert {"plan", "copy", "engine", "total"} <= set(figures["timings_ms"])
    assert figures["timings_ms"]["total"] < figures["deadline_ms"]
    assert figures["prompt_tokens"] > sum(file["tokens"] for file in figures["context"])


def test_context_keeps_dependency_order_and_budget(project: Path, run: Run) -> None:
    whole = run("context", PLACE, "--json").json
    assert [file["path"] for file in whole["files"]] == ["utils.py", "model.py"]
    assert {file["form"] for file in whole["files"]} <= {"whole", "definitions"}
    for file, text in zip(whole["files"], (UTILS, MODEL), strict=True):
        lines = f"# {file['path']}\n{text}...".splitlines()
        shown_lines = [line for line in file["text"].splitlines() if line.strip() != "..."]
        assert shown_lines == [line for line in lines if line in shown_lines]
        assert file["form"] == ("whole" if file["text"] == f"# {file['path']}\n{text}" else "definitions")
    assert whole["tokens"] == sum(file["tokens"] for file in whole["files"])
    less = run("context", PLACE, "--json", "--budget", str(whole["tokens"] - 1)).json
    assert 0 < less["tokens"] < whole["tokens"]
    assert run("context", PLACE, "--json", "--budget", "1").json == {"files": [], "tokens": 0, "shared_tokens": 0}
    shown = run("context", PLACE)
    assert shown.status == 0
    assert shown.out.index("utils.py") < shown.out.index("model.py")


def test_explain_shows_files_cache_stages_and_the_suggestion(project: Path, run: Run) -> None:
    result = run("complete", PLACE, "--explain")
    assert (result.status, result.err) == (0, "")
    for part in ("utils.py", "model.py", "prompt:", "cached", "ms:", "engine"):
        assert part in result.out


def test_brackets_in_a_path_are_shown(project: Path, run: Run) -> None:
    """As Next.js has them; rich takes them for its markup."""
    folder = project / "[id]"
    folder.mkdir()
    (folder / "utils.py").write_text(UTILS)
    (folder / "main.py").write_text("from utils import load_data\n\nrows = load_data(\n")
    model = folder / "model.gguf"
    model.write_bytes(bundled_model().read_bytes())
    assert "[id]/utils.py" in run("context", f"{folder}/main.py:3:18", "--workspace", ".").out
    assert "[id]" in run("models", str(model)).out


def test_index_prints_every_file_in_dependency_order(project: Path, run: Run) -> None:
    figures = run("index", ".", "--json").json
    assert (figures["files"], figures["edges"], figures["subgraphs"], figures["truncated"]) == (3, 3, 1, False)
    assert figures["order"] == ["utils.py", "model.py", "main.py"]
    assert figures["edges_by_file"]["main.py"] == ["model.py", "utils.py"]
    assert run("index", ".").out.split() == figures["order"]


def test_doctor_loads_the_model_and_reports_a_bad_one(project: Path, run: Run, home: Path) -> None:
    result = run("doctor", "--json")
    findings = {finding["name"]: finding for finding in result.json}
    assert {"python", "packages", "settings", "log", "model", "engine"} <= set(findings)
    assert all(findings[name]["ok"] for name in ("settings", "model", "engine"))
    assert Path(findings["log"]["text"]).is_file()
    (home / "repofill").mkdir(exist_ok=True)
    wrong = 'model.path = "/nowhere.gguf"\nlog.file = "/proc/nowhere/my.log"\nsuggest.max_items = 99\n'
    (home / "repofill" / "repofill.toml").write_text(wrong)
    result = run("doctor")
    assert result.status == 1
    assert result.err.endswith("checks failed: settings, log, model\n")
    assert result.err.count("\n") == 1


def test_models_describes_files(run: Run) -> None:
    (described,) = run("models", "--json").json
    assert described["path"] == str(bundled_model())
    assert described["fim"]
    assert described["context_window"] > 0
    assert run("models").status == 0


USAGE = {
    "": "required",
    "explode": "invalid choice: 'explode'",
    "complete": "FILE:LINE:COL",
    "complete a.py:1:1 --budget 3": "--budget",
    "context a.py:1:1 --budget 0": "a whole number of at least 1",
    "context a.py:1:1 --budget many": "a whole number of at least 1, not 'many'",
    "index": "DIR",
    "bench fill --holes -1": "a whole number of at least 1",
    "complete a.py": "a.py is not FILE:LINE:COL, counted from 1",
    "complete a.py:2": "a.py:2 is not FILE:LINE:COL",
    "complete a.py:x:y": "a.py:x:y is not FILE:LINE:COL",
    "complete a.py:1:1:1": "a.py:1:1:1 is not FILE:LINE:COL",
    "complete a.py:0:1": "counted from 1",
    "context a.py:1:0": "counted from 1",
    f"context a.py:{10**12}:1": "FILE:LINE:COL",
}


@pytest.mark.parametrize("line", USAGE)
def test_bad_usage_exits_2(line: str, run: Run) -> None:
    result = run(*line.split())
    assert (result.status, result.out) == (2, "")
    assert "usage: repofill" in result.err
    assert USAGE[line] in result.err


def fails(result: Result, *parts: str) -> None:
    """Exit 1 with one clear line on stderr and nothing on stdout."""
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("repofill: ")
    assert result.err.count("\n") == 1, result.err
    for part in parts:
        assert part in result.err


PLACES = {
    "missing": ("absent.py:1:1", "absent.py cannot be read"),
    "directory": ("folder:1:1", "folder cannot be read"),
    "invalid UTF-8": ("latin.py:1:1", "not UTF-8"),
    "lone surrogate": ("surrogate.py:1:1", "not UTF-8"),
    "pipe": ("pipe.py:1:1", "pipe.py cannot be read: it is not a regular file"),
    "line too far": ("main.py:99:1", "no line 99"),
    "column too far": ("main.py:1:99", "column 99"),
    "secret": (".env:1:1", "secrets"),
    "secret python": ("credentials.py:1:1", "secrets"),
    "outside": ("../outside.py:1:1", "not inside the workspace"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_wrong_place_is_one_line(name: str, project: Path, run: Run) -> None:
    place, says = PLACES[name]
    (project / "folder").mkdir()
    os.mkfifo(project / "pipe.py")
    (project / "latin.py").write_bytes(b"name = '\xe9'\n")
    (project / "surrogate.py").write_bytes("name = '\ud800'\n".encode("utf-8", "surrogatepass"))
    for secret in (".env", "credentials.py", "../outside.py"):
        (project / secret).write_text("TOKEN = 1\n")
    for command in ("complete", "context"):
        fails(run(command, place, "--workspace", "."), says)


def test_a_wrong_directory_is_one_line(project: Path, run: Run) -> None:
    for directory in ("absent", "main.py"):
        for command in ("index", "bench index", f"complete {PLACE} --workspace", "bench fill --workspace"):
            fails(run(*command.split(), directory), f"{directory} is not a directory")
    (project / "empty").mkdir()
    fails(run("bench", "index", "empty"), "empty has no source files")


def test_a_relative_workspace_is_the_same_for_all(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Path] = []
    monkeypatch.setattr(keystrokes, "run", lambda folders, *_, **__: measured.extend(folders))
    assert run("bench", "keystrokes", "--workspace", ".").status == 0
    assert measured == [project]


MARKS = {
    "a manifest": (["p/package.json"], "p"),
    "the nearest manifest": (["package.json", "p/tsconfig.json", "p/q/go.mod"], "p/q"),
    "a manifest of any name": (["p/Shop.csproj", "Shop.sln"], "p"),
    "a repository before its manifests": ([".git/HEAD", "p/Cargo.toml", "p/q/pyproject.toml"], "."),
    "a worktree": (["p/.git", "p/q/pom.xml"], "p"),
    "settings before a repository": (["repofill.toml", "p/.git/HEAD", "p/q/setup.py"], "."),
    "nothing": (["p/sln", "p/package.json5"], "p/q"),
}


@pytest.mark.parametrize("name", MARKS)
def test_the_project_around_a_file(name: str, tmp_path: Path) -> None:
    there, root = MARKS[name]
    for file in [*there, "p/q/a.py"]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert project_around(tmp_path / "p/q/a.py") == tmp_path / root


def test_a_package_without_a_repository_is_a_project(tmp_path: Path, run: Run) -> None:
    (tmp_path / "src" / "internal" / "operators").mkdir(parents=True)
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "src" / "internal" / "types.ts").write_text("export interface Shape { width: number }\n")
    file = tmp_path / "src" / "internal" / "operators" / "area.ts"
    file.write_text("import { Shape } from '../types';\n\nexport function area(shape: Shape) {\n  return shape.\n")
    files = run("context", f"{file}:4:16", "--json").json["files"]
    assert [file["path"] for file in files] == ["src/internal/types.ts"]


def test_the_settings_of_the_project_around_a_file_count(project: Path, run: Run) -> None:
    (project / "repofill.toml").write_text("suggest.max_items = 1\nsuggest.max_itmes = 2\n")
    result = run("complete", PLACE, "--json")
    assert (result.status, len(result.json["items"])) == (0, 1)
    assert result.err.startswith(
        f"repofill: {project / 'repofill.toml'}: there is no setting repofill.suggest.max_itmes"
    )


@pytest.mark.parametrize("command", [f"context {PLACE} --json", "index .", "models", "--help"])
def test_a_full_disk_is_one_line(command: str, project: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "repofill.lsp_server", *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )
    assert (done.returncode, done.stderr) == (1, "repofill: output: No space left on device\n")


def flipped(whole: bytes) -> bytes:
    """Every bit of the header's counts and first key turned over."""
    return whole[:8] + bytes(255 - byte for byte in whole[8:64]) + whole[64:]


BAD_MODELS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "text": lambda whole: b"# just text\n" * 500,
    "truncated header": lambda whole: whole[:3000],
    "truncated weights": lambda whole: whole[: len(whole) * 2 // 3],
    "bits flipped": flipped,
    "another version": lambda whole: whole[:4] + b"\x63\0\0\0" + whole[8:],
}


@pytest.mark.parametrize("damage", BAD_MODELS)
def test_a_bad_model_is_one_line(damage: str, project: Path, run: Run) -> None:
    model = project / "bad.gguf"
    model.write_bytes(BAD_MODELS[damage](bundled_model().read_bytes()))
    for arguments in (("complete", PLACE, "--model", str(model)), ("models", str(model))):
        fails(run(*arguments), "bad.gguf: ")


def test_a_model_that_llama_cpp_refuses_is_one_line(project: Path, run: Run) -> None:
    """Be other files shown or none, whose tokens would be counted by it."""
    model, alone = project / "odd.gguf", project.parent / "alone.py"
    model.write_bytes(bundled_model().read_bytes().replace(b"deepseek-coder", b"nobody's-coder"))
    alone.write_text(UTILS)
    for place in (PLACE, f"{alone}:5:8"):
        fails(run("complete", place, "--model", str(model)), "odd.gguf: llama.cpp cannot load it", "pre-tokenizer")


def test_a_missing_model_is_one_line(project: Path, run: Run) -> None:
    for absent in ("absent.gguf", "~nobody-of-this-name/absent.gguf"):
        fails(run("complete", PLACE, "--model", absent), absent, "no such file")
    fails(run("complete", PLACE, "--model", "."), "repofill: ")
    (project / "repofill.toml").write_text("nonsense = 1\n")
    fails(run("complete", PLACE, "--model", "absent.gguf"), "absent.gguf")


ODD = {
    "CRLF": (b"def add(a, b):\r\n    return a + b\r\n\r\nprint(add(1, \r\n", "4:14"),
    "CR": (b"a = 1\rb = a\rprint(a, \r", "3:10"),
    "tabs": (b"def add(a, b):\n\treturn a + b\n\nif add(1, 2):\n\tprint(\n", "5:8"),
    "BOM": (b"\xef\xbb\xbfimport os\nimport os.\n", "2:11"),
    "null bytes": (b"a = 1\0\0\nb = a\0\nprint(\n", "3:7"),
    "syntax errors": (b"def (((:\n  class\n    )]}} = lambda\nprint(\n", "4:7"),
    "form feeds": (b"import os\n\f\nimport sys\x0b\nprint(\n", "4:7"),
    "emoji": ("# 😀 漢 e\u0301\nname = '👩‍💻'\nprint(nam\n".encode(), "3:10"),
    "special tokens": ("x = '<｜fim▁hole｜><｜fim▁begin｜><｜end▁of▁sentence｜>'\nprint(\n".encode(), "2:7"),
    "empty": (b"", "1:1"),
    "no line feed at the end": (b"import os\nimport s", "2:9"),
    "100,000 lines": (b"def f(a):\n    return a + 1\n\n\n" * 25_000 + b"print(f(1\n", "100001:10"),
    "one endless line": (b"x = [" + b"1, " * 300_000 + b"\n", "1:900006"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_complete(name: str, tmp_path: Path, run: Run) -> None:
    content, place = ODD[name]
    file = tmp_path / "alone" / "odd.py"
    file.parent.mkdir()
    file.write_bytes(content)
    result = run("complete", f"{file}:{place}", "--json")
    assert (result.status, result.err) == (0, "")
    assert result.json["prompt_tokens"] > 0


def test_an_empty_workspace_has_no_files(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    assert run("index", str(tmp_path / "empty"), "--json").json["order"] == []


def test_the_whole_disk_as_workspace_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr(index_module, "MAX_FILES", 150)
    figures = run("index", "/", "--json").json
    assert figures["truncated"]
    assert figures["files"] <= 150


def test_the_log_begins_with_the_version(home: Path) -> None:
    subprocess.run([sys.executable, "-m", "repofill.lsp_server", "serve"], stdin=subprocess.DEVNULL, check=True)
    (log,) = home.rglob("repofill.log")
    assert f"INFO repofill.lsp_server.cli: repofill {metadata.version('repofill')} with Python" in log.read_text()


def test_the_log_is_a_file_without_source_text(project: Path, run: Run, home: Path) -> None:
    (home / "repofill").mkdir(parents=True)
    log = home / "elsewhere" / "my.log"
    (home / "repofill" / "repofill.toml").write_text(f'log.file = "{log}"\n')
    model = project / "cut.gguf"
    model.write_bytes(bundled_model().read_bytes()[:-4_000_000])
    assert run("complete", PLACE).status == 0
    fails(run("complete", PLACE, "--model", str(model)))
    written = log.read_text()
    for source in ("IrisClassifier", "load_data", "def "):
        assert source not in written
    for nowhere in ("/proc/nowhere/my.log", "~nobody-of-this-name/my.log", str(project), "a\\u0000b"):
        (home / "repofill" / "repofill.toml").write_text(f'log.file = "{nowhere}"\n')
        result = run("complete", PLACE)
        assert (result.status, result.err) == (0, "")
