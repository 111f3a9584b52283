"""Common lines: what many packages have is offered by how a line begins and by the line above it, and counted."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from repofill.models.common import FILE, CommonLines, Counted, common_lines, common_lines_of
from repofill.models.training.common import write_common_lines

LINES = CommonLines(
    [
        ("9", "return None", ""),
        ("7", "return True", ""),
        ("7", "return []", ""),
        ("~20", "return ", ""),
        ("~3", "return N", ""),
        ("5", "pass", ""),
        ("5", "pass", "except ImportError:"),
        ("4", "return None", "except ImportError:"),
        ("~1", "", "except ImportError:"),
    ]
)


def check(line: str, above: str, expected: list[str], most: int = 3) -> None:
    assert LINES.continuing(line, above, most) == expected


@pytest.mark.parametrize(
    ("line", "above", "expected"),
    [
        # the more packages the better, then by the alphabet; indentation counts for nothing
        ("    re", "", ["turn None", "turn True", "turn []"]),
        ("\treturn ", "", ["None", "True", "[]"]),
        # a line says something from its second character on, unless the one above does
        ("", "", []),
        ("r", "", []),
        ("", "except ImportError:", ["pass", "return None"]),
        ("  ", "    except ImportError:", ["pass", "return None"]),
        ("r", "except ImportError:", ["eturn None"]),
        # below that line first what stands there elsewhere
        ("ret", "except ImportError:", ["urn None", "urn True", "urn []"]),
        # what is complete goes on in no way
        ("return None", "", []),
        ("no line begins so", "", []),
    ],
)
def test_continuing(line: str, above: str, expected: list[str]) -> None:
    check(line, above, expected)


def test_as_many_as_are_asked_for() -> None:
    """Each once."""
    check("re", "", ["turn None"], most=1)
    check("re", "except ImportError:", ["turn None", "turn True"], most=2)


def test_counted() -> None:
    """Files, and the share of all lines that begin so, also of those that are not common; below the line above, too."""
    assert LINES.counted("    ret", "urn True", "") == (Counted(7, 7 / 46), Counted())
    assert LINES.counted("return N", "one", "") == (Counted(9, 9 / 12), Counted())
    assert LINES.counted("re", "turn None", "  except ImportError:") == (Counted(9, 9 / 46), Counted(4, 1.0))
    assert LINES.counted("", "pass", "except ImportError:") == (Counted(), Counted(5, 5 / 10))
    assert LINES.counted("ret", "urn 1", "except ImportError:") == (Counted(), Counted())
    # the line as it stands
    assert LINES.counted("return None", "", "") == (Counted(9, 1.0), Counted())
    assert LINES.counted("  return None ", "", "") == (Counted(9, 1.0), Counted())


@pytest.mark.parametrize(
    ("line", "above", "first"),
    [
        ("    def __in", "class A:", "it__(self):"),
        ("", 'if __name__ == "__main__":', "main()"),
        ("import num", "", "py as np"),
    ],
)
def test_the_lines_that_ship(line: str, above: str, first: str) -> None:
    """Python alone has some."""
    assert first in common_lines().continuing(line, above, 3)
    assert common_lines_of("python") is common_lines()
    assert common_lines_of("typescript") is None


def test_lines_of_a_corpus(tmp_path: Path) -> None:
    """Those of four packages or more, with the files that have each; none that names an owner, holds a secret, or is
    too long or short to matter. Of the others how they begin. Equal runs give equal files."""
    secret = "key = 'AKIAIOSFODNN7EXAMPL3'"
    text = f"# Copyright Example\ndef f():\n    return value\n\n    return value\n{secret}\nif\nlong = {'x' * 100}\n"
    for number in range(4):
        folder = tmp_path / "corpus" / "pypi" / f"package{number}"
        folder.mkdir(parents=True)
        for name in ("a.py", "b.py"):
            (folder / name).write_text(f"{text}def once{number}():\nreturn v{number}{name}\n", "utf-8")
    first, again = tmp_path / "first.gz", tmp_path / FILE
    for output in (first, again):
        write_common_lines(tmp_path / "corpus", output)
    assert first.read_bytes() == again.read_bytes()
    rows = [row.split("\t") for row in gzip.decompress(again.read_bytes()).decode().splitlines()]
    assert rows == [
        ["~8", "def "],
        ["8", "def f():"],
        ["~8", "return v"],
        ["8", "return value"],
        ["8", "return value", "def f():"],
        ["~8", "", "return value"],
        ["8", "return value", "return value"],
    ]
