"""Whatever a user's files hold, the index takes it, and what it shows of it is text a prompt may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from repofill.context import index as index_module
from repofill.context.index import IndexStats, WorkspaceIndex

MARKER = "marker_name = compute(value)\n"


def built(root: Path) -> WorkspaceIndex:
    index = WorkspaceIndex(root)
    index.build()
    return index


def check(root: Path, text: str) -> None:
    """A document of this text, open in the editor: what depends on it is shown it, in LF lines, whole and as its
    definitions, and copies from it; at its end a cursor has a plan; when it is closed, the disk counts."""
    (root / "bad.py").write_text("value = disk\n", "utf-8")
    (root / "main.py").write_text("import bad\n", "utf-8")
    index = built(root)
    index.open("bad.py", "typed = soon\n")
    index.open("bad.py", text + "\n" + MARKER)
    assert index.dependencies("main.py") == ["bad.py"]
    lines = f"{text}\n{MARKER}".replace("\r\n", "\n").replace("\r", "\n")
    assert index.text("bad.py") == lines
    copies = [(copy.text, copy.origin) for copy in index.copy_candidates("main.py", "marker_name = comp", "")]
    assert copies == [("ute(value)", "open")] or len(text) > 300_000  # not every text is searched to its end
    assert index.copy_candidates("bad.py", "marker_name = comp", text) == ()
    index.copy_candidates("bad.py", text, text, block_indent=0)
    for budget in (0, 300, 3000, 10 * len(lines)):
        shown = index.plan("main.py", "import bad\nbad.marker", "", budget)
        assert [chosen.path for chosen in shown] in ([], ["bad.py"])
        assert sum(len(chosen.text) for chosen in shown) <= budget
        assert all(chosen.text.startswith("# bad.py\n") and chosen.text.endswith("\n") for chosen in shown)
    assert index.plan("bad.py", text, text, 3000) == ()
    index.close("bad.py")
    assert index.text("bad.py") == "value = disk\n"
    assert index.copy_candidates("main.py", "marker_name = comp", "") == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        "def f(:\n    x = ((\nclass",
        "class A:\n  def f(self):\n      '''open",
        "x = 1\r\n\tif y:\r\n\t\tz = 2\r\n",
        "x = 1\ry = 2\r",
        "if x:\n\ty = 1\n        z = 2\n",
        "\ufeffimport os\n",
        "x = '\0'\n\0\0import main\n",
        "x = '\ud800'\n\udcff = 1\nimport \udc80\n",
        "\x0c\x1b[31m\x85\u2028\u2029\n",
        "# <\uff5cfim\u2581hole\uff5c> <|endoftext|> [SUFFIX]\n",
        "é = '\U0001f600'\n" * 3,
        " " * 100_000,
        "x" * 100_000,
        "x = (" * 20_000,
        "".join("  " * depth + f"def f{depth}():\n" for depth in range(400)),
        "value + " * 30_000,
        "import main\nfrom bad import *\nfrom . import bad\n",
    ],
    ids=lambda text: repr(text)[:30],
)
def test_open_documents(tmp_path: Path, text: str) -> None:
    """Syntax errors, foreign line ends, control characters, half characters, one endless line, depth without end."""
    check(tmp_path, text)


def test_a_hundred_thousand_lines(tmp_path: Path) -> None:
    """In the editor; nothing here recurses or takes the square of it."""
    body = "    value = value + 1\n" * 18
    check(tmp_path, "".join(f"def function_{n}(value):\n{body}    return value\n" for n in range(5000)))


@pytest.mark.parametrize(
    "content",
    [
        b"value = word\r\n\tmore = word\r\n",
        b"\xef\xbb\xbfvalue = word\n",
        b"def f(:\n    value = ((\n",
        b"value = word\xc2\x85 = \xe2\x80\xa8\n",
        b"",
    ],
)
def test_files(tmp_path: Path, content: bytes) -> None:
    """As on disk, without the byte order mark and in LF lines."""
    (tmp_path / "bad.py").write_bytes(content)
    (tmp_path / "main.py").write_text("import bad\n", "utf-8")
    index = built(tmp_path)
    assert index.dependencies("main.py") == ["bad.py"]
    assert index.text("bad.py") == content.decode("utf-8-sig").replace("\r\n", "\n")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"value = '\0'\n", b"value = '\xed\xa0\x80'\n", b"1234567890\n" * 9])
def test_files_that_do_not_count(tmp_path: Path, content: bytes) -> None:
    """Nothing depends on them, until they are opened."""
    (tmp_path / "bad.py").write_bytes(content)
    (tmp_path / "main.py").write_text("import bad\n", "utf-8")
    index = built(tmp_path)
    assert index.ordered() == ["main.py"]
    assert index.dependencies("main.py") == []
    index.open("bad.py", "value = word\n")
    assert index.dependencies("main.py") == ["bad.py"]


@pytest.mark.parametrize("empty", ["", "\n \n"])
def test_an_empty_file_of_a_language_without_a_grammar(tmp_path: Path, empty: str) -> None:
    """Has nothing to show; the others in its folder have."""
    for name, text in {"a.css": "a { color: red }\n", "b.css": empty, "c.css": "c { color: red }\n"}.items():
        (tmp_path / name).write_text(text, "utf-8")
    assert [c.path for c in built(tmp_path).plan("a.css", "a", "", 3000)] == ["c.css"]


def test_an_empty_workspace(tmp_path: Path) -> None:
    """Has nothing to say; so has one that does not exist."""
    for root in (tmp_path, tmp_path / "nowhere"):
        index = built(root)
        assert index.stats() == IndexStats(files=0, characters=0, edges=0, truncated=False)
        assert index.ordered() == []
        assert index.dependencies("a.py") == []
        assert index.copy_candidates("a.py", "value = ", "") == index.copy_candidates(None, "", "") == ()
        assert index.text("a.py") is None
        assert index.plan("a.py", MARKER, "", 1000) == ()
        index.refresh(["", "a.py", "sub"])
        index.close("a.py")
        index.settle()
        index.open("a.py", MARKER)
        assert index.ordered() == ["a.py"]
        assert [copy.text for copy in index.copy_candidates("b.py", "marker_name = comp", "")] == ["ute(value)"]


def test_a_file_that_is_deleted_while_it_is_open(tmp_path: Path) -> None:
    """Lives on in the editor, and is gone when it is closed."""
    (tmp_path / "a.py").write_text(MARKER, "utf-8")
    (tmp_path / "main.py").write_text("import a\n", "utf-8")
    index = built(tmp_path)
    index.open("a.py", MARKER)
    (tmp_path / "a.py").unlink()
    index.refresh(["a.py"])
    assert index.text("a.py") == MARKER
    assert index.dependencies("main.py") == ["a.py"]
    index.close("a.py")
    assert index.text("a.py") is None
    assert index.ordered() == ["main.py"]
    assert index.dependencies("main.py") == []
    assert index.copy_candidates("main.py", "marker_name = comp", "") == ()


def test_the_whole_disk_as_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is read as far as the limit."""
    monkeypatch.setattr(index_module, "MAX_FILES", 30)
    stats = built(Path("/")).stats()
    assert stats.truncated
    assert stats.files <= 30


@pytest.mark.parametrize("opened_first", [True, False])
def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened_first: bool) -> None:
    """What is around an open file is known wherever it lies, nearest first; the rest as far as the limit."""
    monkeypatch.setattr(index_module, "MAX_FILES", 30)
    monkeypatch.setattr(index_module, "_AROUND", 20)
    for folder, count in (("a", 60), ("z/near", 3), ("z/other", 10), ("z/far", 40)):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(count):
            (tmp_path / folder / f"m{number}.py").write_text(f"def f{number}():\n    return {number}\n")
    index, text = WorkspaceIndex(tmp_path), "from z.near.m1 import f1\n"
    if opened_first:
        index.open("z/near/new.py", text)
    index.build()
    before = set(index.ordered())
    index.change("z/near/new.py", text + "\n")
    index.settle()  # what is typed waits for no other file
    assert set(index.ordered()) <= before | {"z/near/new.py"}
    index.open("z/near/new.py", text + "\n")
    known = index.ordered()
    assert [c.path for c in index.plan("z/near/new.py", text, "", 4000)] == ["z/near/m1.py"]
    assert sum(path.startswith("z/near/") for path in known) == 4
    assert len(known) <= 30 + 20 + 1
    (tmp_path / ".gitignore").write_text("*.tmp\n")
    index.refresh([".gitignore"])  # which stands for everything
    assert len(index.ordered()) <= 30 + 20 + 20 + 1
    assert index.stats().truncated
