"""Public benchmarks: holes are read as the text they were cut from."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.infilling import read_tasks


@pytest.mark.parametrize(
    ("prompt", "solution", "suffix"),
    [
        ("def f():\n", "    return 1\n", "\nprint(f())\n"),  # HumanEval: pieces of one text
        ("def f():", "    return 1", "\nprint(f())\n"),  # Santa-FIM: lines, their ends left out
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_pieces_make_the_text(tmp_path: Path, prompt: str, solution: str, suffix: str, packed: bool) -> None:
    entry = {"prompt": prompt, "canonical_solution": solution, "suffix": suffix}
    data = (json.dumps(entry) + "\n").encode()
    file = tmp_path / "tasks.jsonl"
    file.write_bytes(gzip.compress(data) if packed else data)
    (task,) = read_tasks(file)
    assert task.prompt + task.solution + task.suffix == "def f():\n    return 1\n\nprint(f())\n"
    assert task.language == "py"


@pytest.mark.parametrize("content", [b"", b"no json\n", b'{"prompt": 1}\n', b"\x1f\x8b broken", b"[]\n"])
def test_other_files_are_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tasks.jsonl").write_bytes(content)
    if content:
        with pytest.raises(BenchmarkError, match="no infilling benchmark"):
            list(read_tasks(tmp_path / "tasks.jsonl"))
    else:
        assert list(read_tasks(tmp_path / "tasks.jsonl")) == []
