"""The longest match: candidates are real continuations, the longest context first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.context.matches import LONGEST, Source, candidates


def check(
    before: str, others: dict[str, str], expected: list[tuple[str, int]], block_indent: int | None = None
) -> None:
    """`others` maps an origin to a text; `expected` lists (text, match length) in order."""
    sources = [Source(text=before, origin="before", latest_first=True)]
    sources += [Source(text=text, origin=origin) for origin, text in others.items()]
    found = candidates(before, sources, block_indent=block_indent)
    assert [(c.text, c.match_length) for c in found] == expected


@pytest.mark.parametrize(
    ("before", "others", "expected", "block_indent"),
    [
        ("", {}, [], None),
        ("import os\nimp", {}, [("ort os", 3)], None),
        # the place that shares more of the left context wins, whatever its order
        ("x = load(", {"near": "y = load(one)\nx = load(two)\n"}, [("two)", 9), ("one)", 8)], None),
        # one continuation seen twice counts once; white space at its end is not part of it
        ("call(", {"near": "call(a)  \ncall(a)\n"}, [("a)", 5)], None),
        # the end of a text is the end of its line
        ("return se", {"near": "return self"}, [("lf", 9)], None),
        # white space alone says nothing
        ("        ", {"near": "        return 1\n"}, [], None),
        # a match goes over line ends
        ("a = 1\nb", {"near": "a = 1\nb = 2\n"}, [(" = 2", 7)], None),
        # a block: the lines indented by more than the header
        (
            "def f(x):",
            {"near": "def f(x):\n    y = x\n\n    return y\n\nz = 1\n"},
            [("\n    y = x\n\n    return y", 9)],
            0,
        ),
        ("größe = naïv", {"near": "größe = naïveté()\n"}, [("eté()", 12)], None),
    ],
)
def test_candidates(
    before: str, others: dict[str, str], expected: list[tuple[str, int]], block_indent: int | None
) -> None:
    check(before, others, expected, block_indent)


def test_votes_and_origin() -> None:
    """Votes count the places; the origin is where the longest match stands."""
    (first, second) = candidates(
        "x = get(",
        [Source(text="y = get(a)\n", origin="open"), Source(text="x = get(b)\nz = get(b)\n", origin="project")],
    )
    assert (first.text, first.votes, first.origin) == ("b)", 2, "project")
    assert (second.text, second.votes, second.origin) == ("a)", 1, "open")


@given(
    text=st.text(alphabet="ab \n(", max_size=120),
    query=st.text(alphabet="ab \n(", min_size=1, max_size=30),
    start=st.integers(0, 120),
)
def test_longest_match_is_the_longest(text: str, query: str, start: int) -> None:
    """Against a plain scan of the same text: the first candidate has the longest match and goes on so."""
    found = candidates(query, [Source(text=text, origin="near", start=min(start, len(text)))])
    lengths = {}
    for end in range(3, len(text) + 1):
        length = next((n for n in range(min(len(query), end, LONGEST), 0, -1) if text[:end].endswith(query[-n:])), 0)
        continuation = text[end:].split("\n")[0].rstrip()
        telling = any(query[-anchor:].strip() for anchor in (16, 8, 5, 3) if anchor <= length)
        if telling and continuation.strip():
            lengths[end] = length
    if found:
        assert found[0].match_length == max(lengths.values())
        best = [end for end, length in lengths.items() if length == max(lengths.values())]
        assert found[0].text in {text[end:].split("\n")[0].rstrip() for end in best}
    else:
        assert not lengths
