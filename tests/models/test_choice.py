"""The choice: what more is gained by comes first, and the surer of what was copied and what was written."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from repofill.context.matches import Candidate
from repofill.lsp_server.server import bundled_model
from repofill.models.choice import Found, all_options, rank_found, sure_enough
from repofill.models.gguf import read_description
from repofill.models.place import Place
from repofill.models.protocol import FillAnswer
from repofill.models.rank import Ranked

LEAST = 0.25


def found(line: str, copied: dict[str, int], *, scored: bool, votes: int = 1) -> Found:
    """A place in Python where these texts are copied, each with the length of its match."""
    copies = (Candidate(text=text, match_length=at, votes=votes, origin="before") for text, at in copied.items())
    return Found(
        copies=tuple(copies),
        nothing=None,
        written="",
        answer=None,
        scored=scored,
        model=read_description(bundled_model()),
        place=Place(line=line),
        language="python",
    )


@pytest.mark.parametrize(
    ("line", "copied", "expected"),
    [
        # a line that may go on in two ways, and the word that both begin with
        ("size = frame.l", {"imit": 40, "imit + 1": 44, "imit - 1": 40}, ["imit", "imit + 1"]),
        ("fail(e", {"rror, NotFound)": 40, "rror, Refused)": 38}, ["rror,"]),
        ("fail(e", {"rror, NotFound)": 60, "xc)": 3}, ["rror, NotFound)"]),
        ("fail(e", {"rror)": 3, "xc)": 3}, []),
    ],
)
def test_what_more_is_gained_by_comes_first(line: str, copied: dict[str, int], expected: list[str]) -> None:
    texts = [r.option.text for r in sure_enough(found(line, copied, scored=True), LEAST)]
    assert list(dict.fromkeys(texts)) == expected


def test_whoever_asks_gets_whole_lines_first() -> None:
    """However unsure they are."""
    here = found("fail(e", {"rror, NotFound)": 40, "rror, Refused)": 38}, scored=True)
    assert [r.option.text for r in all_options(here)] == ["rror, NotFound)", "rror,", "rror, Refused)"]


def answered(text: str, probability: float, at: int = 0) -> FillAnswer:
    """What a model wrote with this probability; `at` so many characters ends its first token, which has it, too."""
    return FillAnswer(
        text=text,
        ended="newline",
        logprob=math.log(probability),
        steps=((at, math.log(probability)), (len(text), -9.0)) if at else (),
        scores=(),
        prompt_tokens=9,
        cached_tokens=0,
    )


@pytest.mark.parametrize(("copied", "sure"), [("size", False), ("self.side()", True), ("selfish", False), (None, True)])
def test_the_beginning_of_what_a_model_wrote_is_doubted_where_the_project_goes_on_otherwise(
    copied: str | None, sure: bool
) -> None:
    """0.6 is sure enough, 0.46 is not."""
    here = found("    x = ", {} if copied is None else {copied: 3}, scored=False)
    here = replace(here, written="self.area(1)", answer=replace(answered("self.area(1)", 0.6, at=5), logprob=-9.0))
    assert ("self." in [r.option.text for r in sure_enough(here, LEAST)]) is sure


@pytest.mark.parametrize(
    ("probability", "copied", "expected"),
    [
        # the surer one first, be it copied or written
        (0.1, 200, ["self.side", "shape.area"]),
        (0.3, 3, ["shape.area", "self.side"]),
        (0.9, 200, ["shape.area", "self.side"]),
    ],
)
def test_the_surer_one_of_a_copy_and_what_a_large_model_wrote(
    probability: float, copied: int, expected: list[str]
) -> None:
    """And surer than each where they agree."""
    here = found("    return ", {"self.side": copied}, scored=False, votes=5)

    def ranked(written: str) -> list[Ranked]:
        return rank_found(replace(here, written=written, answer=answered(written, probability)))

    both = ranked("shape.area")
    assert [r.option.text for r in both] == expected
    assert [r.confidence for r in both if r.option.generated] == [pytest.approx(probability**1.5)]  # nothing agrees
    alone = rank_found(replace(here, copies=(), written="x", answer=answered("x", probability)))
    assert [r.confidence for r in alone] == [pytest.approx(probability)]
    agreed = ranked("self.side")
    assert [r.option.text for r in agreed] == ["self.side"]
    assert max(r.confidence for r in both) < agreed[0].confidence < 1
