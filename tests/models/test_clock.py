"""The clock: every stage in order, one after the other, nothing lost between them."""

from __future__ import annotations

import time

from repofill.models.clock import Clock


def test_the_stages_follow_each_other_and_make_up_the_whole() -> None:
    clock = Clock("a")
    assert list(clock.laps_ms()) == ["a"]
    time.sleep(0.01)
    clock.enter("b")
    clock.enter("c")
    before_ms = clock.total_s() * 1000
    laps = clock.laps_ms()
    after_ms = clock.total_s() * 1000
    assert list(laps) == ["a", "b", "c"]
    assert laps["a"] >= 10
    assert min(laps.values()) >= 0
    assert before_ms - 1e-6 <= sum(laps.values()) <= after_ms + 1e-6


def test_reading_ends_no_stage() -> None:
    clock = Clock("a")
    first = clock.laps_ms()["a"]
    time.sleep(0.002)
    assert clock.laps_ms()["a"] >= first + 2
