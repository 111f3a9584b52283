"""The loss curve of a run as a small SVG picture. Called by `__main__`."""

from __future__ import annotations

import json
from pathlib import Path

_WIDTH, _HEIGHT, _MARGIN = 640, 320, 48


def write_loss_curve(log: Path, output: Path) -> None:
    """Training loss (mean of 20 steps) and each ecosystem's validation loss against millions of tokens seen."""
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    steps = [(entry["tokens"] / 1e6, entry["loss"]) for entry in entries if "loss" in entry]
    training = [
        (part[-1][0], sum(loss for _, loss in part) / len(part))
        for part in (steps[i : i + 20] for i in range(0, len(steps), 20))
    ]
    validation = [
        (entry["tokens"] / 1e6, loss)
        for entry in entries
        if "validation_loss" in entry
        for loss in entry["validation_loss"].values()
    ]
    output.write_text(loss_curve(training, validation), encoding="utf-8")


def loss_curve(training: list[tuple[float, float]], validation: list[tuple[float, float]]) -> str:
    points = training + validation
    right, low, high = max(x for x, _ in points), min(y for _, y in points) - 0.2, min(6.0, max(y for _, y in points))

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _MARGIN + x / right * (_WIDTH - 2 * _MARGIN),
            _MARGIN + (high - min(y, high)) / (high - low) * (_HEIGHT - 2 * _MARGIN),
        )

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in training))
    dots = "".join('<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="#c33"/>'.format(*place(*point)) for point in validation)
    left_axis = "".join(_label(*place(0, y), f"{y:.1f}", "end", -6, 4) for y in _ticks(low, high, 0.5))
    bottom_axis = "".join(_label(*place(x, low), f"{x:.0f}", "middle", 0, 16) for x in _ticks(0, right, 5))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="11">'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<polyline points="{line}" fill="none" stroke="#36c" stroke-width="1.5"/>{dots}{left_axis}{bottom_axis}'
        f'<text x="{_MARGIN}" y="24">nats a token against millions of tokens; dots: packages set aside</text></svg>\n'
    )


def _ticks(low: float, high: float, step: float) -> list[float]:
    first = -int(-low // step)
    return [step * i for i in range(first, int(high / step) + 1)]


def _label(x: float, y: float, text: str, anchor: str, dx: float, dy: float) -> str:
    return f'<text x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{anchor}">{text}</text>'
