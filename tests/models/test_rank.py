"""Ranking: options are merged, features say what they mean, weights order them; budgets fit the window."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.context.matches import Candidate
from repofill.models.budget import budget_for
from repofill.models.common import ORIGIN
from repofill.models.place import Place
from repofill.models.rank import FEATURES, Option, bundled_weights, by_promise, features, merge, rank

BUNDLED = bundled_weights().model


def copy(text: str, match_length: int, votes: int = 1, origin: str = "project") -> Candidate:
    return Candidate(text=text, match_length=match_length, votes=votes, origin=origin)


def own(text: str, logprob: float, tokens: int, *, whole: bool = True) -> Option:
    return Option(text=text, logprob=logprob, tokens=tokens, generated=True, whole=whole)


def test_equal_texts_become_one_option() -> None:
    """A copied text that the model wrote too keeps both its origins, with the model's own score."""
    options = merge([copy("a)", 12), copy("b)", 9)], [(-3.0, 2), (-1.0, 2)], own("b)", -0.9, 3))
    assert [(o.text, o.copy is not None, o.generated, o.logprob) for o in options] == [
        ("a)", True, False, -3.0),
        ("b)", True, True, -0.9),
    ]


def test_what_the_model_gave_up_takes_its_share_alone() -> None:
    """It competes with the copied texts, and does not agree with one that it is only the beginning of."""
    copies, scores = [copy("a)", 12)], [(-3.0, 2)]
    there, given_up = merge(copies, scores), merge(copies, scores, own("b", -1.5, 1, whole=False))
    assert [(o.text, o.whole) for o in given_up] == [("a)", True), ("b", False)]
    assert merge(copies, scores, own("a)", -1.5, 1, whole=False)) == there
    alone, beside = (rank(options, Place(), "python", BUNDLED) for options in (there, given_up))
    assert alone[0].confidence > next(r.confidence for r in beside if r.option.whole)


def test_the_most_promising_copies_come_first() -> None:
    """By what the weights without a model make of them, each once."""
    copies = [copy("alpha)", 12), copy("beta)", 60, 4), copy("gamma)", 9)]
    ordered = by_promise(copies, Place(), "python", BUNDLED)
    ranked = rank(merge(copies, [None] * 3), Place(), "python", BUNDLED)
    assert ordered == [r.option.copy for r in ranked]
    assert ordered[0].text == "beta)"
    assert by_promise([], Place(), "", BUNDLED) == []


def test_nothing_written_is_no_option() -> None:
    """White space from the model is not an option; no scores are none."""
    assert merge([], [], own("  ", -0.1, 1)) == []
    assert merge([copy("x", 5)], [None])[0].logprob is None
    assert rank([], Place(), "python", BUNDLED) == []


def test_features_are_finite_and_complete() -> None:
    """Every option has every feature; impossible scores stay bounded."""
    rows = features(
        merge([copy("a", 200, 64), copy("b", 3)], [(-1e9, 1), (-2.0, 1)], own("c", -0.0, 0)), Place(), "python"
    )
    assert all(set(row) == set(FEATURES) for row in rows)
    assert all(abs(value) < 100 for row in rows for value in row.values())
    assert abs(sum(row["logprob_share"] for row in rows) - 1) < 1e-6


@pytest.mark.parametrize("language", ["python", "rust", ""])
@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (copy("self.value)", 60), copy("self.other)", 5)),
        (copy("self.value)", 20, votes=9), copy("self.other)", 20, votes=1)),
    ],
)
def test_longer_and_more_frequent_matches_rank_higher(better: Candidate, worse: Candidate, language: str) -> None:
    """With nothing else to go by, the shipped weights follow the match."""
    ranked = rank(merge([worse, better], [None, None]), Place(), language, BUNDLED)
    assert ranked[0].option.text == better.text
    assert 0 <= ranked[1].confidence < ranked[0].confidence <= 1


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 64), st.floats(-100, 0)), min_size=1, max_size=12))
def test_probabilities_make_at_most_one(found: list[tuple[int, int, float]]) -> None:
    copies = [copy(f"text{at}", length, votes) for at, (length, votes, _) in enumerate(found)]
    for scores in ([None] * len(found), [(logprob, 3) for *_, logprob in found]):
        ranked = rank(merge(copies, scores), Place(), "python", BUNDLED)
        confidences = [r.confidence for r in ranked]
        assert confidences == sorted(confidences, reverse=True)
        assert all(confidence >= 0 for confidence in confidences)
        assert sum(confidences) <= 1 + 1e-9


def test_what_stands_below_decides_between_equal_matches() -> None:
    """The one below which its source goes on as the code does here."""
    copies = [copy("alpha)", 10), Candidate(text="gamma)", match_length=10, votes=1, origin="project", follows=30)]
    place = Place(line="x = f(", below=0)
    assert rank(merge(copies, [None, None]), place, "python", BUNDLED)[0].option.text == "gamma)"
    assert rank(merge(copies, [(-4.0, 3), (-4.0, 3)]), place, "python", BUNDLED)[0].option.text == "gamma)"


def test_what_other_packages_have_decides_between_equal_matches() -> None:
    """A line that is common, or common below the one above it; in Python, whose common lines alone are known."""
    copies = [copy("elf, other)", 20), copy("elf):", 20)]
    place = Place(line="    def __init__(s", above="class Shape:")
    for scores in ([None, None], [(-4.0, 3), (-4.0, 3)]):
        ranked = rank(merge(copies, scores), place, "python", BUNDLED)
        elsewhere = rank(merge(copies, scores), replace(place, line="    def __what__(s"), "python", BUNDLED)
        assert ranked[0].option.text == "elf):"
        assert ranked[0].confidence > max(r.confidence for r in elsewhere)
    assert {row["common"] for row in features(merge(copies, [None] * 2), place, "rust")} == {0.0}


def test_a_common_line_is_no_match() -> None:
    """It is weighed by how common it is, and takes nothing from what is copied."""
    listed = Candidate(text="py as np", match_length=0, votes=1, origin=ORIGIN)
    rows = features(merge([copy("ba", 9), listed], [None, None]), Place(line="import num"), "python")
    assert [row["copied"] for row in rows] == [1.0, 0.0]
    assert [row["listed"] for row in rows] == [0.0, 1.0]
    assert rows[0]["vote_share"] == 1.0
    assert rows[1]["common_share"] > 1 > rows[0]["common_share"] == 0.0


def test_the_model_decides_between_equal_matches() -> None:
    """The shipped weights follow the model where the matches say nothing."""
    ranked = rank(merge([copy("alpha)", 10), copy("gamma)", 10)], [(-12.0, 3), (-0.5, 3)]), Place(), "python", BUNDLED)
    assert ranked[0].option.text == "gamma)"


def test_elsewhere_the_models_word_counts_for_less() -> None:
    """In a language that it was not trained on; another model may know that."""
    options = merge([copy("alpha)", 12)], [(-6.0, 3)], own("gamma)", -1.5, 3))

    def sure(language: str, model: str) -> float:
        return next(r.confidence for r in rank(options, Place(), language, model) if r.option.generated)

    assert sure("go", BUNDLED) < sure("python", BUNDLED) == sure("go", "another")


@pytest.mark.parametrize("language", ["python", "typescript", "go"])
@pytest.mark.parametrize("score", [None, (-3.0, 3)])
def test_that_nothing_is_missing_is_an_option(score: tuple[float, int] | None, language: str) -> None:
    """The surer, the likelier the model finds it, and the longer the match of a line that ends so. It takes nothing
    from what the others are weighed by."""
    copies, place = [copy(" + 1", 12)], Place(line="return value")

    def sure(nothing: Option | None) -> float:
        ranked = rank(merge(copies, [score], nothing=nothing), place, language, BUNDLED)
        return next(r.confidence for r in ranked if r.option.text)

    short, long = (Option(text="", copy=copy("", length)) for length in (5, 40))
    assert sure(None) > sure(short) > sure(long)
    likely, unlikely = (Option(text="", logprob=logprob) for logprob in (-0.1, -6.0))
    if score is not None:
        assert sure(unlikely) > 1.5 * sure(likely)
    else:  # the model came no further: what is copied is weighed as without it
        assert sure(unlikely) == sure(likely)
    alone, beside = (features(merge(copies, [score], nothing=n), place, language) for n in (None, long))
    assert alone == beside[:1]


def test_several_lines_are_less_sure_than_one() -> None:
    """Matched and scored alike."""
    sure = [
        rank(merge([copy(text, 40)], [(-2.0, 8)]), Place(), language, BUNDLED)[0].confidence
        for language in ("python", "go")
        for text in ("return self.value + 1", "value = self.value\n    return")
    ]
    assert sure[0] > sure[1]
    assert sure[2] > sure[3]


@pytest.mark.parametrize("language", ["python", "go"])
@pytest.mark.parametrize("score", [None, (-2.0, 8)])
def test_maybe_only_a_blank_line_is_wanted(score: tuple[float, int] | None, language: str) -> None:
    """In finished code, unless it goes on below as it does where a text is copied from."""
    writing, finished = (Place(line="    ", below=below) for below in (0, 4))

    def sure(place: Place, follows: int) -> float:
        candidate = Candidate(text="close(it)", match_length=60, votes=1, origin="project", follows=follows)
        return rank(merge([candidate], [score]), place, language, BUNDLED)[0].confidence

    assert sure(finished, 3) == sure(writing, 3) / 2
    assert sure(finished, 4) == sure(writing, 4)


@given(
    window=st.integers(64, 20_000),
    size=st.integers(0, 10**11),
    wanted=st.integers(0, 30_000),
    speed=st.floats(0, 1e6) | st.just(math.inf),
)
def test_budgets_fit_the_window(window: int, size: int, wanted: int, speed: float) -> None:
    """Context, prefix, suffix and answer never exceed the window, whatever is asked for and however slow it is."""
    budget = budget_for(window, size, speed, context=wanted, prefix=wanted, suffix=wanted)
    parts = (budget.context, budget.longest_prefix, budget.suffix, budget.answer)
    assert budget.prefix <= budget.longest_prefix
    assert min(parts) >= 0
    assert sum(parts) <= window


@pytest.mark.parametrize(
    ("size", "speed", "context", "prefix", "suffix"),
    [
        (800_000_000, math.inf, 3072, 768, 192),
        (800_000_000, 400, 3072, 768, 192),
        (800_000_000, 190, 1472, 320, 80),
        (800_000_000, 191, 1472, 320, 80),
        (800_000_000, 74, 576, 256, 64),
        (4_000_000_000, 10, 512, 256, 64),
        (16_000_000, 2000, 1024, 768, 192),
    ],
)
def test_a_slow_machine_gets_short_prompts(size: int, speed: float, context: int, prefix: int, suffix: int) -> None:
    """Of what an evaluation takes seconds for there is less, unless the user has said how much."""
    budget = budget_for(16_384, size, speed)
    assert (budget.context, budget.prefix, budget.suffix) == (context, prefix, suffix)
    budget = budget_for(16_384, size, speed, context=2000, prefix=500, suffix=100)
    assert (budget.context, budget.prefix, budget.suffix) == (2000, 500, 100)
