"""The longest match: candidates are real continuations, the longest context first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.context.matches import LONGEST, Text, candidates, longest_matches


def check(
    before: str, others: dict[str, str], expected: list[tuple[str, int]], block_indent: int | None = None
) -> None:
    """`others` maps an origin to a text; `expected` lists (text, match length) in order."""
    sources = [Text(text=before, origin="before", latest_first=True)]
    sources += [Text(text=text, origin=origin) for origin, text in others.items()]
    found = candidates(before, "", sources, block_indent=block_indent)
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
        # a line that the text ends in is being typed: it is no example
        ("return se", {"near": "return self"}, [], None),
        ("if x:", {"near": "if x:\n    y = x\n    z"}, [("\n    y = x", 5)], 0),
        ("get(a, get", {}, [], None),
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
        # a copied block is indented as the cursor's header asks, and ends with its own header's block
        ("if x:", {"near": "        if x:\n            y = x\n        z = 1\n"}, [("\n    y = x", 5)], 0),
        ("        if x:", {"near": "if x:\n    y = x\nz = 1\n"}, [("\n            y = x", 5)], 8),
        (
            "if x:\n",
            {"near": "    if x:\n        y = x\n\n        z = x\n    w = 1\n"},
            [("    y = x\n\n    z = x", 6)],
            0,
        ),
        ("if x:", {"near": "\t\tif x:\n\t\t\ty = x\n\t\t\t  z = x\n\t\tw = 1\n"}, [("\n\ty = x\n\t  z = x", 5)], 0),
        ("if x:\n    ", {"near": "if x:\n    y = x\n    z = x\nw = 1\n"}, [("y = x\n    z = x", 10)], 0),
        # as the file at the cursor is, by tabs or by spaces, however many
        (
            "def f():\n\treturn 1\n\ndef g(x):",
            {"near": "def g(x):\n    if x:\n        y = x\n    return y\n"},
            [("\n\tif x:\n\t\ty = x\n\treturn y", 9)],
            0,
        ),
        (
            "class A {\n  h(x) {",
            {"near": "class A {\n\th(x) {\n\t\tif (y) {\n\t\t\tg();\n\t\t}\n\t}\n}\n"},
            [("\n    if (y) {\n      g();\n    }", 6), ("\n    g();", 3)],
            2,
        ),
        (
            "if y:\n  z = y\nif x:",
            {"near": "    if x:\n\n        y = x\n        if y:\n            z = y\n    w = 1\n"},
            [("\n\n  y = x\n  if y:\n    z = y", 5)],
            0,
        ),
        ("if y:\n    z = y\nif x:\n", {"near": "if x:\n\ty = x\n"}, [("    y = x", 6)], None),
        # behind its indentation the cursor wants no more of it
        ("if x:\n    ", {"near": "    if x:\n        y = x\n"}, [], 0),
        ("a = 1\n    ", {"near": "a = 1\n        b = 2\n"}, [], None),
        # a line below a known one is indented as that one is here
        ("a = 1\n", {"near": "    a = 1\n    b = 2\n"}, [("b = 2", 6)], None),
        ("    a = 1\n", {"near": "a = 1\nb = 2\n"}, [("    b = 2", 6)], None),
        ("if a:\n", {"near": "  if a:\n    b = 2\n"}, [("  b = 2", 6)], None),
        # a line too long to copy is no candidate, and ends a block
        ("x = [", {"near": "x = [" + "1, " * 200 + "]\n"}, [], None),
        # a line that ends where the cursor stands; not a blank one, nor where a block is wanted
        ("x = 1", {"near": "x = 1  \ny = 1\nx = 1 + 2\n"}, [("", 5), (" + 2", 5)], None),
        ("x = 1", {"near": "x = 1"}, [], None),
        ("a = 1\n", {"near": "a = 1\n\n"}, [], None),
        ("if x:", {"near": "if x:\ny = 1\n"}, [], 0),
        ("x = [", {"near": "x = [" + "1" * 400 + "\n"}, [("1" * 400, 5)], None),
        ("if x:", {"near": "if x:\n    y = x\n    z = '" + "1" * 400 + "'\n    a = 1\n"}, [("\n    y = x", 5)], 0),
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
        "",
        [Text(text="y = get(a)\n", origin="open"), Text(text="x = get(b)\nz = get(b)\n", origin="project")],
    )
    assert (first.text, first.votes, first.origin) == ("b)", 2, "project")
    assert (second.text, second.votes, second.origin) == ("a)", 1, "open")


@pytest.mark.parametrize(
    ("before", "after", "other", "expected"),
    [
        # of two places alike before the cursor the one that goes on below as the code here does
        (
            "x = get(",
            "\n    \n  return a\n",
            "x = get(1)\nreturn b\nx = get(2)\n    return a\n",
            [("2)", 9), ("1)", 7)],
        ),
        # nothing stands below, or what stands on the cursor's own line
        ("x = get(", ")", "x = get(1)\nreturn b\n", [("1)", 0)]),
        ("x = get(", "\n\n", "x = get(1)\nreturn b\n", [("1)", 0)]),
        ("x = get(", "\nreturn b", "x = get(1)\n", [("1)", 0)]),
        # the most of several places; a line that is given a new beginning
        ("x = get(", "\ny = 2\n", "x = get(1)\ny = 1\n\nx = get(1)\ny = 2\n", [("1)", 6)]),
        ("x = 1\n", "\ny = 2\n", "x = 1\nz = 3\ny = 2\n", [("z = 3", 6)]),
    ],
)
def test_what_follows_below(before: str, after: str, other: str, expected: list[tuple[str, int]]) -> None:
    found = candidates(before, after, [Text(text=other, origin="open")])
    assert [(c.text, c.follows) for c in found] == expected


@given(
    text=st.text(alphabet="ab \n(", max_size=120),
    query=st.text(alphabet="ab \n(", min_size=1, max_size=30),
)
def test_longest_match_is_the_longest(text: str, query: str) -> None:
    """Against a plain scan of the same text: the first candidate has the longest match and goes on so."""
    found = candidates(query, "", [Text(text=text, origin="near")])
    lengths = {}
    for end in range(3, len(text) + 1):
        length = next((n for n in range(min(len(query), end, LONGEST), 0, -1) if text[:end].endswith(query[-n:])), 0)
        telling = any(query[-anchor:].strip() for anchor in (16, 8, 5, 3) if anchor <= length)
        if telling and fitting(text, end, query) is not None:
            lengths[end] = length
    if found:
        assert found[0].match_length == max(lengths.values())
        best = [end for end, length in lengths.items() if length == max(lengths.values())]
        assert found[0].text.strip() in {fitting(text, end, query) for end in best}
    else:
        assert not lengths


@given(
    text=st.text(alphabet="ab \n(", max_size=80),
    before=st.text(alphabet="ab \n(", min_size=1, max_size=40),
)
def test_where_a_text_has_looked_alike(text: str, before: str) -> None:
    """Against a plain scan: all places that the longest needle found anywhere ends at, with the length of each match.
    White space alone is no needle, unless it is of the longest."""
    needles = [before[-anchor:] for anchor in (32, 16, 8, 5, 3) if len(before) >= anchor]
    found = next((n for n in needles if (n.strip() or len(n) == 32) and n in text), None)
    expected = []
    for end in range(len(text) + 1) if found else ():
        if text[:end].endswith(found or ""):
            length = next(n for n in range(min(len(before), end), 0, -1) if text[:end].endswith(before[-n:]))
            expected.append((length, end))
    matches = longest_matches(before, Text(text=text, origin="near"))
    assert [(length, end) for length, _, end in matches] == expected[:64]


def fitting(text: str, end: int, query: str) -> str | None:
    """What is left of the line at `end`, but for white space around it; None where that stands in the way, of a line
    that the text ends in, and of a blank one."""
    line, ended, _ = text[end:].partition("\n")
    begun = query.split("\n")[-1]
    misfits = begun.isspace() and line[:1].isspace()
    return None if misfits or not ended or not (begun.strip() or line.strip()) else line.strip()


LINES = st.tuples(st.integers(1, 3), st.sampled_from(["a = 1", "", "if b:", "c(d)"]))


@given(
    block=st.lists(LINES, min_size=1, max_size=8).filter(lambda lines: any(code for _, code in lines)),
    source=st.integers(0, 5),
    here=st.integers(0, 5),
    typed=st.sampled_from(["", "\n"]),
)
def test_a_block_is_copied_alike_from_any_depth(
    block: list[tuple[int, str]], source: int, here: int, typed: str
) -> None:
    def at_depth(depth: int) -> str:
        lines = [(0, "while x:"), *block]
        return "\n".join("    " * (depth + level) + code if code else "" for level, code in lines)

    before = "    " * here + "while x:" + typed
    text = at_depth(source) + "\n" + "    " * source + "return x\n"
    found = candidates(before, "", [Text(text=text, origin="near")], block_indent=4 * here)
    assert [candidate.text for candidate in found] == [at_depth(here).rstrip().removeprefix(before)]
