"""Which evaluated prompts are kept."""

from __future__ import annotations

import ctypes

import pytest

from repofill.models.kept import Cells, KeptCells


def cells(text: str, *, exact: int | None = None, size: int = 10) -> Cells:
    tokens = [ord(character) for character in text]
    return Cells(tokens, len(tokens) if exact is None else exact, len(tokens), (ctypes.c_uint8 * size)())


@pytest.mark.parametrize(
    ("kept", "prompt", "best"),
    [
        ([], "abc", None),
        (["abcd", "abxy", "zz"], "abxz", "abxy"),
        (["abcd", "abcdef"], "abcdeg", "abcdef"),  # the first is its beginning
        (["aaaa", "bbbb", "cccc", "dddd"], "aaab", "bbbb"),  # there is room for three; none spares anything
        (["aaaa", "bbbb", "cccc", "dddd"], "bbbc", "bbbb"),
        (["aaaa", "bbbb", "aaaa", "cccc", "dddd"], "aaab", "aaaa"),  # kept again
    ],
)
def test_the_last_ones_are_kept(kept: list[str], prompt: str, best: str | None) -> None:
    store = KeptCells(39)
    for text in kept:
        store.keep(cells(text))
    found = store.best([ord(character) for character in prompt])
    assert (None if found is None else "".join(map(chr, found.tokens))) == best


def test_what_is_not_exact_spares_nothing() -> None:
    """And the last token is always evaluated: it has the logits."""
    prompt = [ord(character) for character in "abcd"]
    assert [cells("abcde", exact=exact).common(prompt) for exact in (0, 2, 5)] == [0, 2, 3]


def test_what_is_larger_than_all_room_is_not_kept() -> None:
    store = KeptCells(39)
    store.keep(cells("abc", size=40))
    assert store.best([1]) is None
