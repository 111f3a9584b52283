"""A stopwatch for the stages of one answer. Pure; used on both sides of the model process."""

from __future__ import annotations

import time


class Clock:
    """Starts with its first stage; each stage lasts until the next one is entered."""

    def __init__(self, stage: str) -> None:
        self._starts = [(stage, time.monotonic())]

    def enter(self, stage: str) -> None:
        """Ends the stage under way and begins `stage`; each name once."""
        self._starts.append((stage, time.monotonic()))

    def laps_ms(self) -> dict[str, float]:
        """Milliseconds per stage, in order, the one under way up to now."""
        ends = [*(start for _, start in self._starts[1:]), time.monotonic()]
        return {stage: (end - start) * 1000 for (stage, start), end in zip(self._starts, ends, strict=True)}

    def total_s(self) -> float:
        """Seconds since the first stage began."""
        return time.monotonic() - self._starts[0][1]
