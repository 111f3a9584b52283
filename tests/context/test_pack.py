"""Packing: within the budget, the most valuable first, in dependency order, keeping what it can of the context before;
windows that do not slide."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repofill.context.languages.support import Resolution
from repofill.context.names import NOTHING, Names
from repofill.context.pack import Chosen, pack, prefix_window, suffix_window
from repofill.context.parse import parse
from repofill.context.select import Piece

POINT = '''class Point:
    """A place."""
    x: int

    def move(self, by):
        """Go there."""
        self.x += by
        return self

    def _check(self):
        assert self.x
'''
TABLE = """SIZES = {
    1: 'one',
    2: 'two',
    3: 'three',
}


def size(n):
    return SIZES[n] or size(n - 1)
"""
LONG = "import os\n\n\ndef first():\n" + "    work()\n" * 100 + "\n\ndef second():\n" + "    work()\n" * 100
DOCUMENTED = (
    "/**\n * Adds.\n"
    + " * Much more.\n" * 100
    + " */\nexport function add(a) {\n  return a\n}\n"
    + "\n// Rest.\n" * 100
)
ADD = "def add(one, two):\n    return one + two\n"
PROPS = "class Props:\n    title: str\n    size: int\n"
MADE = "class Client:\n    def __init__(self, url):\n        self.url = url\n" + "\n# Rest.\n" * 100
LIKE = "class Props:\n    title: str\n    colour: float\n    weight: bytes\n    shade: complex\n"
OTHER = "def add(one, two):\n    return [*map(one, two)]\n"
FILES = {
    "a/point.py": POINT,
    "b/table.py": TABLE,
    "c/long.py": LONG,
    "d/documented.ts": DOCUMENTED,
    "e/add.py": ADD,
    "f/built/add.py": "# built\n" + ADD,
    "g/other.py": OTHER,
    "h/props.py": PROPS,
    "i/props.py": LIKE,
    "j/made.py": MADE,
}


NONE: Mapping[str, float] = {}


class Files:
    """A workspace of texts."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def text(self, path: str) -> str | None:
        return self.files.get(path)

    def names(self, path: str) -> Names:
        text = self.files.get(path)
        return NOTHING if text is None else Names(path, parse(path, text), lambda: text)

    def digest(self, path: str) -> bytes | None:
        return path.encode()

    def resolution(self, path: str) -> Resolution:
        return Resolution()

    def defining(self, name: str, most: int | None = None) -> Sequence[str]:
        return ()

    def popular(self, names: Collection[str]) -> Mapping[str, int]:
        return dict.fromkeys(names, 0)

    def recent(self) -> Sequence[str]:
        return ()

    def beside(self, path: str) -> Sequence[str]:
        return ()

    def richest(self, words: Sequence[str], most: int, left_out: str) -> Sequence[tuple[str, int, int]]:
        return ()


def packed(
    values: Mapping[str, float], budget: int, previous: Sequence[Chosen] = (), patterns: Mapping[str, float] = NONE
) -> tuple[Chosen, ...]:
    """`values` and `patterns`: "path name" to probability."""
    view = Files(FILES)

    def ref(place: str) -> tuple[str, int]:
        path, name = place.split()
        return path, next(n for n, d in enumerate(view.names(path).definitions) if d.qualified == name)

    refs = ((*ref(place), value) for place, value in values.items())
    ranked = [Piece(path=path, number=number, value=value) for path, number, value in refs]
    likely = {ref(place): value for place, value in patterns.items()}
    return pack(view, ranked, likely, budget, sorted(FILES).index, previous)


def test_of_repetitions_the_one_stays_that_is_there() -> None:
    """Whatever is more valuable at the next cursor."""
    first = packed({"f/built/add.py add": 0.9, "e/add.py add": 0.8}, 1000)
    assert packed({"f/built/add.py add": 0.8, "e/add.py add": 0.9}, 1000, first) == first


def check(values: Mapping[str, float], budget: int, expected: str, patterns: Mapping[str, float] = NONE) -> None:
    chosen = packed(values, budget, (), patterns)
    assert "".join(c.text for c in chosen) == expected
    assert len(expected) <= budget


@pytest.mark.parametrize(
    ("values", "budget", "expected"),
    [
        ({}, 1000, ""),
        ({"a/point.py Point.move": 0.9}, 0, ""),
        ({"a/point.py Point.move": 0.9}, 20, ""),
        ({"a/point.py Point.move": 0.0001}, 1000, ""),  # when in doubt, nothing
        # a member stands in its class
        (
            {"a/point.py Point.move": 0.9},
            110,
            '# a/point.py\nclass Point:\n    """A place."""\n    def move(self, by):\n        """Go there."""\n',
        ),
        # a constant too long for a skeleton
        ({"b/table.py SIZES": 0.9}, 60, "# b/table.py\nSIZES = ...\n"),
        # with room the body too
        ({"b/table.py size": 0.9}, 90, "# b/table.py\ndef size(n):\n    return SIZES[n] or size(n - 1)\n"),
        # below the first line of what is said of it
        (
            {"d/documented.ts add": 0.9},
            90,
            "// d/documented.ts\n// Adds.\nexport function add(a) {\n  return a\n}\n",
        ),
        # a small file of which most is wanted is shown whole
        ({"b/table.py SIZES": 0.9, "b/table.py size": 0.9}, 1000, "# b/table.py\n" + TABLE),
        # dependency order, not that of the values
        (
            {"c/long.py second": 0.9, "a/point.py Point": 0.5},
            150,
            '# a/point.py\nclass Point:\n    """A place."""\n# c/long.py\ndef second():\n    ...\n',
        ),
        ({"c/long.py first": 0.1, "c/long.py second": 0.9}, 45, "# c/long.py\ndef second():\n    ...\n"),
        # what repeats a more valuable one is left out, what is only called like it is not
        ({"e/add.py add": 0.5, "f/built/add.py add": 0.9}, 1000, f"# f/built/add.py\n# built\n{ADD}"),
        ({"e/add.py add": 0.9, "f/built/add.py add": 0.5}, 1000, f"# e/add.py\n{ADD}"),
        # members are those of their class
        (
            {
                "h/props.py Props": 0.9,
                "h/props.py Props.title": 0.9,
                "i/props.py Props": 0.5,
                "i/props.py Props.title": 0.4,
            },
            1000,
            f"# h/props.py\n{PROPS}# i/props.py\n{LIKE}",
        ),
        ({"e/add.py add": 0.9, "g/other.py add": 0.5}, 1000, f"# e/add.py\n{ADD}# g/other.py\n{OTHER}"),
    ],
)
def test_pack(values: Mapping[str, float], budget: int, expected: str) -> None:
    """What is worth most for its characters, within them."""
    check(values, budget, expected)


@pytest.mark.parametrize(
    ("values", "patterns", "budget", "expected"),
    [
        # a pattern is its body, and brings its signature along
        ({}, {"b/table.py size": 0.1}, 90, "# b/table.py\ndef size(n):\n    return SIZES[n] or size(n - 1)\n"),
        ({}, {"b/table.py size": 0.1}, 60, ""),
        # within its class
        (
            {},
            {"a/point.py Point.move": 0.1},
            150,
            '# a/point.py\nclass Point:\n    """A place."""\n'
            '    def move(self, by):\n        """Go there."""\n        self.x += by\n        return self\n',
        ),
        # what is used is worth more where there is no room for both
        ({"c/long.py second": 0.5}, {"b/table.py size": 0.1}, 90, "# c/long.py\ndef second():\n    ...\n"),
        # one that is used as well is shown for either
        (
            {"b/table.py size": 0.001, "c/long.py second": 0.01},
            {"b/table.py size": 0.5},
            60,
            "# c/long.py\ndef second():\n    ...\n",
        ),
        ({"b/table.py size": 0.01}, {"e/add.py add": 0.5}, 70, f"# e/add.py\n{ADD}"),
        # nor does it repeat another
        ({"e/add.py add": 0.5}, {"f/built/add.py add": 0.5}, 1000, f"# e/add.py\n{ADD}"),
    ],
)
def test_patterns(values: Mapping[str, float], patterns: Mapping[str, float], budget: int, expected: str) -> None:
    """Functions like what is being written, beside the definitions that are used."""
    check(values, budget, expected, patterns)


PLACES = [
    "a/point.py Point",
    "a/point.py Point.move",
    "b/table.py SIZES",
    "b/table.py size",
    "c/long.py first",
    "d/documented.ts add",
]
VALUES = st.dictionaries(st.sampled_from(PLACES), st.floats(0.001, 1), max_size=5)


@given(first=VALUES, second=VALUES, patterns=VALUES, budget=st.integers(0, 3000))
@example(  # more room left than was reckoned with
    first={"a/point.py Point.move": 1.0, "c/long.py first": 0.5, "d/documented.ts add": 0.5, "b/table.py SIZES": 0.75},
    second={},
    patterns={"a/point.py Point": 1.0, "a/point.py Point.move": 1.0, "d/documented.ts add": 0.5},
    budget=97,
)
def test_a_plan_keeps_to_its_budget_and_to_what_was_there(
    first: dict[str, float], second: dict[str, float], patterns: dict[str, float], budget: int
) -> None:
    """Whatever stood there before; and the same cursor again changes nothing."""
    before = packed(first, budget, (), patterns)
    after = packed(second, budget, before)
    for chosen in (before, after):
        assert sum(len(c.text) for c in chosen) <= budget
        assert len({c.text for c in chosen}) == len(chosen)
    assert packed(first, budget, before, patterns)[: len(before)] == before
    turned = dict(reversed(second.items())), dict(reversed(patterns.items()))
    assert packed(second, budget, (), patterns) == packed(turned[0], budget, (), turned[1])


def test_what_is_new_follows_what_is_kept() -> None:
    """So the tokens before it stay in the cache; a file that has changed since is shown anew."""
    before = packed({"c/long.py second": 0.5}, 400)
    after = packed({"c/long.py second": 0.5, "a/point.py Point": 0.2}, 400, before)
    assert [c.path for c in after] == ["c/long.py", "a/point.py"]
    stale = [replace(chosen, digest=b"another") for chosen in before]
    again = packed({"c/long.py second": 0.5, "a/point.py Point": 0.2}, 400, stale)
    assert [c.path for c in again] == ["a/point.py", "c/long.py"]


@pytest.mark.parametrize(
    ("first", "room", "second", "expected"),
    [
        # not the whole file, though it costs little more
        (
            {"a/point.py Point": 0.9},
            60,
            {"a/point.py Point": 0.9, "a/point.py Point.move": 0.9, "a/point.py Point._check": 0.9},
            POINT.replace("    x: int\n\n", "").replace("\n\n", "\n"),
        ),
        # nor what stands in a body
        ({"j/made.py Client.__init__": 0.9}, 300, {"j/made.py Client.url": 0.9}, ""),
    ],
)
def test_what_is_kept_is_not_shown_again(
    first: Mapping[str, float], room: int, second: Mapping[str, float], expected: str
) -> None:
    """But for the classes around what is new."""
    before = packed(first, room)
    after = packed(second, 700, before)
    path = before[0].path
    assert after == before if not expected else [c.text for c in after[1:]] == [f"# {path}\n{expected}"]
    assert after[: len(before)] == before


@given(lines=st.lists(st.text(alphabet="abc ", max_size=30), max_size=80), size=st.integers(20, 400))
def test_prefix_window_is_an_end_in_whole_lines(lines: list[str], size: int) -> None:
    """A window is an end of the text, no longer than asked for, and it grows with typing instead of sliding."""
    before = "\n".join(lines)
    window = prefix_window(before, size)
    assert before.endswith(window)
    assert len(window) <= size
    start = len(before) - len(window)
    moves = {len(before + "x" * n) - len(prefix_window(before + "x" * n, size)) for n in range(6)}
    assert len(moves) <= 2
    assert start in moves


def test_suffix_window() -> None:
    """Whole lines when it is cut, everything when it fits."""
    assert suffix_window("a\nb\nccc", 100) == "a\nb\nccc"
    assert suffix_window("a\nb\nccc", 5) == "a\nb\n"
    assert suffix_window("abcdef", 3) == "abc"
