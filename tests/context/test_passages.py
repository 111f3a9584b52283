"""Passages: what is found in them is what a plain scan of the same texts finds, in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.context import passages as module
from repofill.context.matches import LONGEST_NEEDLE, OCCURRENCES, Text, candidates
from repofill.context.passages import Filters, Nearby, PassageIndex, filters

TEXT = st.text(alphabet="ab \n(é\U0001f600", max_size=90) | st.text(alphabet="ab", max_size=90)
PATH = st.sampled_from(["a.py", "b/a.py", "b/c.py", "d.py", "e/f.py"])
QUERY = st.text(alphabet="ab \n(é\U0001f600", min_size=3, max_size=LONGEST_NEEDLE)


@dataclass(frozen=True)
class Plain:
    """The reference: one text after the other, each from its beginning to its end."""

    texts: Sequence[str]
    origin: str = "project"

    def occurrences(self, needle: str) -> Iterator[tuple[int, str, int]]:
        places = (
            (number, text, at + len(needle))
            for number, text in enumerate(self.texts)
            for at in range(len(text))
            if text.startswith(needle, at)
        )
        return islice(places, OCCURRENCES)


def described(text: str, modified_ns: int) -> Filters:
    data = filters(text)
    return Filters(digest=text.encode(), characters=len(text), modified_ns=modified_ns, data=data)


@given(
    steps=st.lists(st.tuples(PATH, st.none() | TEXT), min_size=1, max_size=9),
    recent=st.integers(0, 2),
    path=PATH,
    opened=st.sets(PATH, max_size=2),
    query=QUERY,
    after=TEXT,
    size=st.sampled_from([4, 7, 16_384]),
)
def test_the_same_as_a_plain_scan(
    steps: list[tuple[str, str | None]],
    recent: int,
    path: str,
    opened: set[str],
    query: str,
    after: str,
    size: int,
) -> None:
    """After any sequence of changes, from any place in the tree, with passages of any size: first what was modified
    last, then what is nearest; every needle in any order, and the candidates in the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PASSAGE", size)
        patch.setattr(module, "_RECENT", recent)
        index, texts = PassageIndex(), dict[str, tuple[int, str]]()
        for time, (changed, text) in enumerate(steps):
            index.update({changed: None if text is None else described(text, time)})
            texts.pop(changed, None)
            if text is not None:
                texts[changed] = -time, text
        latest = sorted(texts, key=lambda name: texts[name])[:recent]
        near = sorted(texts.keys() - set(latest), key=lambda name: (name < path, name))
        plain = Plain([texts[name][1] for name in (*latest, *near) if name not in opened])

        def nearby() -> Nearby:
            return Nearby(index.passages, path, opened.__contains__, lambda _, digest: digest.decode())

        def places(source: Plain | Nearby, needle: str) -> list[tuple[str, int]]:
            return [(text, end) for _, text, end in source.occurrences(needle)]

        source = nearby()
        for needle in (query, query[-3:], query[:3], query[-5:], query):
            assert places(source, needle) == places(plain, needle)
        before = [Text(text=after, origin="open")]
        assert candidates(query, after, [*before, nearby()]) == candidates(query, after, [*before, plain])


@given(st.text(alphabet="abcdefgh_.( \n", max_size=2000), st.integers(0, 2000), st.integers(3, LONGEST_NEEDLE))
def test_what_a_text_has_its_filters_never_deny(text: str, start: int, size: int) -> None:
    index = PassageIndex()
    index.update({"a.py": described(text, 1), "b.py": described("", 1)})
    needle = text[start : start + size]
    if len(needle) >= 3:
        source = Nearby(index.passages, "z.py", lambda _: False, lambda _, digest: digest.decode())
        assert next(source.occurrences(needle))[1] == text


def test_what_a_text_has_not_is_mostly_not_read() -> None:
    """The point of it: of a thousand files only those are read that can hold the needle."""
    index, read = PassageIndex(), []
    texts = {f"m{n}.py": f"def function_{n}(value):\n    return value + {n}\n" * 20 for n in range(1000)}
    index.update({path: described(text, 1) for path, text in texts.items()})
    source = Nearby(index.passages, "m5.py", lambda _: False, lambda path, digest: read.append(path) or digest.decode())
    assert [text for _, text, _ in source.occurrences("def function_777(value):\n")] == [texts["m777.py"]] * 20
    assert len(read) < 30


@pytest.mark.parametrize(
    ("words", "most", "left_out", "expected"),
    [
        (["circle_area"], 9, "", ["a.py 16384", "b.py 0"]),
        (["circle_area"], 1, "", ["a.py 16384"]),
        (["circle_area"], 9, "a.py", ["b.py 0"]),
        # the rarer word counts more, two more than one
        (["circle_area", "square"], 9, "", ["c.py 0", "a.py 16384", "b.py 0"]),
        (["circle_area", "square", "roots"], 9, "a.py", ["b.py 0", "c.py 0"]),
        (["nowhere"], 9, "", []),
        ([], 9, "", []),
    ],
)
def test_richest(words: list[str], most: int, left_out: str, expected: list[str]) -> None:
    """The passages with most of some words."""
    index = PassageIndex()
    texts = {
        "a.py": "# nothing\n" * 2000 + "circle_area(\n",
        "b.py": "circle_area, roots\n",
        "c.py": "square\n",
        "d.py": "",
    }
    index.update({path: described(text, 1) for path, text in texts.items()})
    assert [f"{path} {start}" for path, start, _ in index.passages.richest(words, most, left_out)] == expected


def test_what_is_looked_for_in_vain_is_given_up() -> None:
    """Passages that have all parts of a needle, but not itself, are read until it is clear that this leads nowhere."""
    index, read = PassageIndex(), []
    texts = {f"m{n}.py": f"value_{n} = alpha_bet + pha_beta\n" for n in range(100)}
    texts |= {"a.py": "alpha_beta = 1\n", "z.py": "alpha_beta = 2\n"}
    index.update({path: described(text, 0) for path, text in texts.items()})
    source = Nearby(index.passages, "a.py", lambda _: False, lambda path, digest: read.append(path) or digest.decode())
    assert [text for _, text, _ in source.occurrences("alpha_beta")] == [texts["a.py"]]
    assert 20 < len(read) < 60


def test_beyond_the_bound_nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and what is no longer there makes room."""
    monkeypatch.setattr(module, "_MOST_WORDS", 100)
    index = PassageIndex()
    for round in range(50):
        index.update({f"{n}.py": described(f"value = {round}\n" * 30, n) for n in range(4)})
        assert len(index.passages.arena) <= 100
    assert list(index.passages.paths) == ["0.py", "1.py", "2.py", "3.py"]
    index.update({f"{n}.py": described("value = 1\n" * 30, n) for n in range(50)})
    assert len(index.passages.arena) <= 100
    assert 0 < len(index.passages.paths) < 50
