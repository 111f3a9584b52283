"""What the lines around a cursor say of its own."""

from __future__ import annotations

import pytest

from repofill.models.place import Place


def check(before: str, text: str, after: str, expected: set[str]) -> None:
    """`expected` are the features that hold."""
    features = Place.between(before, after).features(text)
    assert {name for name, value in features.items() if value} == expected
    assert set(features.values()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("before", "text", "after", "expected"),
    [
        ("", "", "", set()),
        ("if a", ":", "", {"opens"}),
        ("if a", ":", "\n    b\n", {"below", "opens", "opens_deeper"}),
        ("if a", ":", "\n\n\n    b\n", {"below", "opens", "opens_deeper"}),
        ("    if a", ":", "\n    b\n", {"below", "opens", "opens_level"}),
        ("if a", ".b", "\n    c\n", {"below", "closed_deeper"}),
        ("x =", " 1", "\ny = 2\n", {"below"}),
        ("x =", " [1, 2]", "\ny = 2\n", {"below"}),
        ("x = f(", "a, [b],", "\n      c)\n", {"below", "opens", "opens_deeper"}),
        ("x = f(", "a", ")\ny\n", {"below"}),
        ("items.map(", "item => {", "\n\titem\n", {"below", "opens", "opens_deeper"}),
        # a new line, a block
        ("if a:\n", "    b\n    if c:", "\nd\n", {"below", "opens", "opens_level"}),
        ("if a:\n", "    b\n    c", "\nd\n", {"below"}),
        # lines too long to read count as what is read of them
        ("(" * 5000, "a", "b" * 5000 + "\n", {"opens"}),
    ],
)
def test_a_line_and_what_stands_below(before: str, text: str, after: str, expected: set[str]) -> None:
    check(before, text, after, expected)


@pytest.mark.parametrize(
    ("before", "expected"),
    [("", ""), ("x", ""), ("if a:\n  b", "if a:"), ("a\n\n  if b:  \n \n\tc", "if b:"), ("\n\n", "")],
)
def test_the_line_above(before: str, expected: str) -> None:
    assert Place.between(before, "\nafter").above == expected


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ("def f():\n    a()\n    |\n    b()\n", True),
        ("def f():\n    a()\n    |\n\n    b()\n", True),
        ("def f():\n    a()\n|\n    b()\n", True),
        ("\ta();\n\t|\n\tb();\n", True),
        ("def f():\n    a()\n    |\n\n\ndef g():\n", False),
        ("if x:\n        |\n    b()\n", False),
        ("def f():\n    a()\n    |", False),
        ("def f():\n    a(|\n    b()\n", False),
        ("f(\n    |)\n    b()\n", False),
    ],
)
def test_a_blank_line_in_finished_code(around: str, expected: bool) -> None:
    before, after = around.split("|")
    assert Place.between(before, after).finished is expected
