"""Prompts: the pieces in the order of the format, and never more than the room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from repofill.models.fim import FimFormat, build_prompt, fit

PRE, SUF, MID, SEP, BOS = 1000, 1001, 1002, 1003, 1004
PSM = FimFormat(family="x", template=(PRE, "prefix", SUF, "suffix", MID), stop_ids=frozenset({9}))
SPM = FimFormat(family="x", template=(PRE, SUF, "suffix", MID, "prefix"), stop_ids=frozenset({9}))
SEPARATED = FimFormat(family="x", template=PSM.template, stop_ids=frozenset(), file_separator=SEP)
INSIDE = FimFormat(family="x", template=(SUF, "suffix", PRE, "prefix"), stop_ids=frozenset(), context_inside=True)


def check(format, context, prefix, suffix, expected, *, bos=BOS):
    assert build_prompt(format, context, prefix, suffix, bos=bos) == expected


def test_prompts():
    check(PSM, [[1, 2], [3]], [4, 5], [6], [BOS, 1, 2, 3, PRE, 4, 5, SUF, 6, MID])
    check(SPM, [[1, 2], [3]], [4, 5], [6], [BOS, 1, 2, 3, PRE, SUF, 6, MID, 4, 5])
    check(PSM, [], [4], [6], [PRE, 4, SUF, 6, MID], bos=None)
    check(PSM, [[1]], [4], [], [BOS, 1, 4])
    check(SPM, [[1]], [4], [], [BOS, 1, 4])
    check(SEPARATED, [[1], [2]], [4], [6], [BOS, SEP, 1, SEP, 2, SEP, PRE, 4, SUF, 6, MID])
    check(SEPARATED, [], [4], [6], [BOS, PRE, 4, SUF, 6, MID])
    check(SEPARATED, [[1]], [4], [], [BOS, SEP, 1, SEP, 4])
    check(INSIDE, [[1], [2]], [4], [6], [BOS, SUF, 6, PRE, 1, 2, 4])
    check(INSIDE, [[1], [2]], [4], [], [BOS, 1, 2, 4])


def test_layout_and_markers():
    assert (PSM.layout, SPM.layout, INSIDE.layout) == ("psm", "spm", "spm")
    assert SEPARATED.marker_ids == {PRE, SUF, MID, SEP}
    assert PSM.marker_ids == {PRE, SUF, MID, 9}


ids = st.lists(st.integers(0, 99), max_size=300)


@given(st.sampled_from([PSM, SPM, SEPARATED, INSIDE]), st.lists(ids, max_size=6), ids, ids, st.integers(8, 900))
def test_fitting_never_exceeds_the_room_and_drops_what_is_far(format, context, prefix, suffix, room):
    kept, new_prefix, new_suffix = fit(format, context, prefix, suffix, room=room)
    assert len(build_prompt(format, kept, new_prefix, new_suffix, bos=BOS)) <= room
    assert list(kept) == context[len(context) - len(kept) :]
    assert prefix[len(prefix) - len(new_prefix) :] == list(new_prefix)
    assert suffix[: len(new_suffix)] == list(new_suffix)
    if new_prefix != prefix or new_suffix != suffix:
        assert not kept or not kept[-1] or sum(len(block) + 1 for block in kept) <= 64
    if len(build_prompt(format, context, prefix, suffix, bos=BOS)) + 8 + len(context) <= room:
        assert (kept, new_prefix, new_suffix) == (context, prefix, suffix)


def test_a_growing_prefix_is_cut_in_steps():
    """Most keystrokes leave the beginning of a prompt that is too long as it was, and the cache with it."""
    starts = [fit(PSM, [], range(size), [], room=200)[1][0] for size in range(300, 400)]
    assert len(set(starts)) <= 3
