"""Trimming: nothing that already follows, nothing past the line or block, the file's own line ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.models.trim import block_indent, trim, with_line_ends


def check(raw: str, around: str, expected: str) -> None:
    """`around` is the document with `|` at the cursor."""
    before, after = around.split("|")
    assert trim(raw, before, after, block_indent=block_indent(before, after)) == expected


@pytest.mark.parametrize(
    ("raw", "around", "expected"),
    [
        ("lf.x\nmore", "return se|\n", "lf.x"),
        ("", "x = |", ""),
        ("   ", "x = |", ""),
        ("1   \n", "x = |\n", "1"),
        # the rest of the line stands there already
        ("a, b):", "def f(|):\n    pass", "a, b"),
        ("a, b) -> int:", "def f(|) -> int:\n    pass", "a, b"),
        ("bar(x))", "foo(|)", "bar(x)"),
        ("bar(x)", "foo(|)", "bar(x)"),
        ("x]", "a[|]", "x"),
        ('name"]', 'a["|"]', "name"),
        ("value", "x = |  # the value", "value"),
        # lines that follow the cursor are not suggested again
        ("    return x", "def f(x):\n|\n    return x\n", ""),
        ("\n    y = 1\n    z = 2", "def f():|\nz = 2\n", "\n    y = 1"),
        ("return x", "def f(x):\n    |\n    return x\n", ""),
        # a block ends where its indentation ends
        ("\n    a = 1\n    return a\n\nb = 2", "def f():|\n", "\n    a = 1\n    return a"),
        ("a = 1\n    return a\nb = 2", "def f():\n    |\n", "a = 1\n    return a"),
        # a body that stands below already: one line only
        ("\n    a = 1", "def f():|\n    b = 2\n", "\n    a = 1"),
        # carriage returns never come through, undecodable text never shows
        ("a\r\nb", "x = |", "a"),
        ("a\ufffd", "x = |", ""),
        ("a\0", "x = |", ""),
    ],
)
def test_trim(raw: str, around: str, expected: str) -> None:
    check(raw, around, expected)


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ("def f():|", 0),
        ("def f():  # why\n|", 0),
        ("class A:\n    async def f(self):\n        |", 4),
        ("if x:|\n    y = 1", None),
        ("x = {1:|", None),
        ("x = 1|", None),
        ("for a in b:| c", None),
        ("\tif x:|", 8),
    ],
)
def test_block_indent(around: str, expected: int | None) -> None:
    before, after = around.split("|")
    assert block_indent(before, after) == expected


@given(
    raw=st.text(alphabet="ab()\n :", max_size=40),
    before=st.text(alphabet="ab( \n", max_size=20),
    after=st.text(alphabet="ab) \n", max_size=20),
)
def test_never_more_than_the_model_wrote(raw: str, before: str, after: str) -> None:
    """A trimmed text is a beginning of the raw one, and at the end of a line it ends in no white space."""
    text = trim(raw, before, after)
    assert raw.startswith(text)
    assert after.split("\n")[0].strip() or text == text.rstrip()


def test_line_ends() -> None:
    """A CRLF document gets CRLF, any other LF."""
    assert with_line_ends("a\nb", "x\r\ny\r\n") == "a\r\nb"
    assert with_line_ends("a\nb", "x\ny\r\n") == "a\nb"
    assert with_line_ends("a\nb", "x") == "a\nb"
