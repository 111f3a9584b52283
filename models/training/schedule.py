"""The learning rate as a function of time, so that a run ends well whatever speed the machine has. Pure."""

from __future__ import annotations

_WARM_UP, _DECAY_FROM = 0.02, 0.35


def rate_factor(progress: float) -> float:
    """The share of the peak rate at `progress` (elapsed time / budget): linearly up, constant, linearly to zero."""
    if progress < _WARM_UP:
        return max(progress, 0.0) / _WARM_UP
    return min(1.0, max(0.0, (1.0 - progress) / (1.0 - _DECAY_FROM)))
