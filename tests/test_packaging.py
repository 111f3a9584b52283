"""The wheel holds everything: installed in a clean environment it completes code."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """Run to its end; the output if it succeeds, a failure with what it said otherwise."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, as `python -m build` does."""
    out = tmp_path_factory.mktemp("dist")
    tracked = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines()
    source = tmp_path_factory.mktemp("source")
    for name in tracked:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source, cwd=source)
    (built,) = out.glob("*.whl")
    return built


def test_everything_lies_under_one_import_package(wheel: Path) -> None:
    """Nothing at the top level but `repofill`: a folder called `models` would shadow the user's own."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"repofill"}
    for folder in ("context", "models", "lsp_server", "evaluation"):
        sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        assert {f"repofill/{name}" for name in sources} <= set(names)
        assert f"repofill/{folder}/py.typed" in names


def test_it_works_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    """Only the wheel provides `repofill` there; its dependencies are links to those installed here."""
    clean = tmp_path / "clean"
    venv.create(clean, with_pip=False)
    packages = next(clean.glob("lib/python*/site-packages"))
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not entry.name.startswith(("repofill", "__editable__")) and entry.suffix != ".pth":
            (packages / entry.name).symlink_to(entry)
    zipfile.ZipFile(wheel).extractall(packages)
    (tmp_path / "a.py").write_text("import json\n\n\ndef load(text):\n    return js\n", "utf-8")
    python = clean / "bin" / "python"
    where = run(python, "-c", "import repofill.models; print(repofill.models.__file__)", cwd=tmp_path)
    assert str(packages) in where
    out = run(python, "-m", "repofill.lsp_server", "complete", "a.py:5:14", "--json", cwd=tmp_path)
    answer = json.loads(out)
    assert answer["prompt_tokens"] > 10
    assert answer["items"]
