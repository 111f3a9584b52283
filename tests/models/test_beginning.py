"""How far a line is sure where no whole one is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.context.matches import Candidate
from repofill.models.beginning import SURE, beginnings, begins, features, parts, sure_beginning
from repofill.models.place import Place
from repofill.models.rank import Option, Ranked
from repofill.models.trim import is_closed


def ranked(*options: tuple[str, float, int]) -> list[Ranked]:
    """Options by their text, confidence and the characters that match ahead of them, 0 for what the model wrote."""
    return [
        Ranked(
            option=Option(
                text=text,
                copy=Candidate(text=text, match_length=match, votes=1, origin="before") if match else None,
                generated=not match,
            ),
            confidence=confidence,
        )
        for text, confidence, match in options
    ]


def check(line: str, options: list[Ranked], expected: str) -> None:
    """`expected` is what is shown behind `line`, "" for nothing."""
    found = sure_beginning(options, Place(line=line))
    assert (found.option.text if found else "") == expected
    assert found is None or SURE <= found.confidence <= 1


ERRORS = [("rror, FeatureRequestError)", 0.14, 40), ("rror, JsonRpcError)", 0.13, 40), ("rror, exc)", 0.1, 0)]


@pytest.mark.parametrize(
    ("line", "options", "expected"),
    [
        # what they have in common
        ("send(e", ERRORS, "rror,"),
        # with some of them surer, more of it
        ("send(e", [("rror, Feature.a", 0.24, 60), ("rror, Feature.b", 0.24, 60), ("x", 0.01, 3)], "rror, Feature."),
        # where they differ from the first word on, or none is likely, nothing
        ("send(e", [("rror", 0.1, 8), ("vent", 0.1, 8), ("xc", 0.1, 8)], ""),
        ("send(e", [("rror, FeatureRequestError)", 0.02, 3), ("rror, JsonRpcError)", 0.02, 3)], ""),
        ("send(e", [], ""),
        # not so little that typing it takes no longer
        ("send(e", [("x, FeatureRequestError)", 0.2, 40), ("x, JsonRpcError)", 0.2, 40)], ""),
        ("close()", [(" -> None:", 0.2, 40), (" -> int:", 0.2, 40)], ""),
        # nor a sign that may well be another
        ("x.", [("width: int", 0.13, 40), ("width = 1", 0.12, 40), ("width: str", 0.02, 40)], "width"),
        # on a new line not one word alone
        ("    ", [("return width", 0.2, 40), ("return height", 0.2, 40)], ""),
        ("    ", [("return self.width", 0.2, 40), ("return self.height", 0.2, 40)], "return self."),
        # nothing that would have to be closed: neither a bracket nor a quote
        ("self.", [("assertEqual(a, b)", 0.2, 40), ("assertEqual(c, d)", 0.2, 40)], "assertEqual"),
        ("print", [('("some text")', 0.2, 40), ('("some words")', 0.2, 40)], ""),
        ("value = ", [("'some text'", 0.2, 40), ("'some words'", 0.2, 40)], ""),
        ('x = "a', [('" + "b', 0.24, 60), ('" + "c', 0.24, 60)], '" +'),
        # what the line has opened may be closed
        ("f(value", [("s).first()", 0.2, 40), ("s).second()", 0.2, 40)], "s)."),
        ('log("not', [(' read", a)', 0.24, 60), (' read", b)', 0.24, 60)], ' read",'),
        # an apostrophe in a string opens none, nor does a string within one end it
        ("log(", [('"can\'t read", a)', 0.24, 60), ('"can\'t read", b)', 0.24, 60)], '"can\'t read",'),
        ("log(", [('f"{a["b"]!r}", x)', 0.24, 60), ('f"{a["b"]!r}", y)', 0.24, 60)], 'f"{a["b"]!r}",'),
        ("log(", [("f'{a!r}', x)", 0.24, 60), ("f'{a!r}', y)", 0.24, 60)], "f'{a!r}',"),
        # blocks are shown whole or not at all
        ("if a:", [("\n    return self.b", 0.2, 40), ("\n    return self.c", 0.2, 40)], ""),
    ],
)
def test_beginnings(line: str, options: list[tuple[str, float, int]], expected: str) -> None:
    check(line, ranked(*options), expected)


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("x = ", "value.first + va", ["value", "value.", "value.first", "value.first +"]),
        ("x = ", "value.first +", ["value", "value.", "value.first"]),
        ("x = ", "call(value, oth", ["call"]),
        ("call(", "value, other).fir", ["value", "value,", "value, other", "value, other)", "value, other)."]),
        ("x = ", "va", []),
        ("", "return value", []),
        ("", "return self.value", ["return self", "return self."]),
        ("", "", []),
        # of a block the lines
        ("if a:", "\n    b = 1\n    c =", ["\n    b = 1"]),
        ("if a:", "\n    b = f(\n        c,", []),
        ("if a:", "\n    b", []),
        ("if a:\n    ", "b = f(\n        c)\n\n    d", ["b = f(\n        c)", "b = f(\n        c)\n"]),
    ],
)
def test_parts_of_what_was_written(line: str, text: str, expected: list[str]) -> None:
    assert parts(text, Place(line=line)) == expected


@pytest.mark.parametrize(
    ("rest", "expected"), [("", "rror,"), (")", "rror,"), ("  # said", ""), (".args)", ""), (", exc)", "")]
)
def test_a_beginning_leads_to_no_words_behind_the_cursor(rest: str, expected: str) -> None:
    found = sure_beginning(ranked(*ERRORS), Place(line="send(e", rest=rest))
    assert (found.option.text if found else "") == expected
    assert parts("rror, Feature", Place(line="send(e", rest=rest)) == [expected[:4], expected][: 2 * bool(expected)]


def test_a_beginning_says_where_it_comes_from() -> None:
    found = sure_beginning(ranked(*ERRORS), Place(line="send(e"))
    assert found is not None
    assert found.option.generated
    assert found.option.copy is not None


TEXTS = st.lists(st.sampled_from(["a", "bc", ".", "(", ")", '"', " ", "é", "\n", "x_1"]), min_size=1, max_size=6)


@given(st.lists(TEXTS.map("".join), max_size=8, unique=True), st.sampled_from(["", "f(", "x = 'a", "na"]))
def test_a_beginning_is_one_of_an_option(texts: list[str], line: str) -> None:
    """All those, and no others, that are whole words and signs of a single line, and leave nothing open."""
    cuts = {
        text[:end] for text in texts if "\n" not in text for end in range(1, len(text) + 1) if begins(text[:end], text)
    }
    found = list(beginnings(texts, Place(line=line)))
    assert sorted(found) == sorted(cut for cut in cuts if not cut[-1].isspace() and is_closed(cut, line))
    options = ranked(*((text, 1 / (2 + len(texts)), 5) for text in texts))
    for text in found:
        agreeing = [option for option in texts if begins(text, option)]
        assert features(text, options, Place(line=line))["count"] == math.log(len(agreeing))


@pytest.mark.parametrize(
    ("text", "whole", "expected"),
    [
        ("foo", "foo(bar)", True),
        ("foo", "foo", True),
        ("foo", "foobar", False),
        ("foo", "foo_bar", False),
        ("foo(", "foo(bar)", True),
        ("foo", "fo", False),
        ("é", "éa", False),
    ],
)
def test_words_are_whole(text: str, whole: str, expected: bool) -> None:
    assert begins(text, whole) == expected
