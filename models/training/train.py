"""The training run: as many steps as a time budget allows, resumable. Called by `__main__`; imports torch."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repofill.models.training.model import Network, Shape, linear_cross_entropy, optimisers
from repofill.models.training.rows import PADDING, read_rows
from repofill.models.training.schedule import rate_factor

PEAK_RATE = 3.5e-3
WARM_PEAK_RATE = 1.5e-3
"""Of a run that goes on from trained weights: the full rate undoes what they have learned before it teaches more."""

_TOKENS_PER_STEP = 16_384
_LONG_FROM = 0.8
"""From this share of the budget on, rows are as long as the longest prompts."""

_SAVE_EVERY_S, _VALIDATE_EVERY_S = 240.0, 420.0


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where a run stands; `position` counts the rows read from each file."""

    elapsed_s: float = 0.0
    tokens: int = 0
    steps: int = 0
    position: dict[int, int]


def train(
    folder: Path,
    network: Network,
    *,
    budget_s: float,
    windows: tuple[int, int],
    on_save: Callable[[Path], None],
    trained_tokens: int = 0,
) -> Path:
    """Train until `budget_s` seconds of training are spent over all calls; return the checkpoint's path.

    Reads `train-WINDOW.bin` and `validation.bin` of `folder`; keeps `checkpoint.pt` and `log.jsonl` there, and
    goes on from that checkpoint if there is one. `on_save` is called after each checkpoint with its path.
    `trained_tokens` were seen by an earlier run: this one begins with the rows behind them.
    """
    peak_rate = WARM_PEAK_RATE if trained_tokens else PEAK_RATE
    optimizers = optimisers(network, peak_rate)
    first, _ = windows
    progress = Progress(tokens=trained_tokens, position=dict.fromkeys(windows, 0) | {first: trained_tokens // first})
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        progress = _restore(checkpoint, network, optimizers)
    rows = {window: read_rows(folder / f"train-{window}.bin", window) for window in windows}
    validation = read_rows(folder / "validation.bin", windows[0])
    loss_of = _compiled(network)
    last, saved_at, validated_at = time.monotonic(), progress.elapsed_s, progress.elapsed_s
    while progress.elapsed_s < budget_s:
        share = progress.elapsed_s / budget_s
        window = windows[share >= _LONG_FROM]
        batch = _next_batch(rows[window], window, progress)
        rate = peak_rate * rate_factor(share)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        loss = loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        now = time.monotonic()
        progress.elapsed_s += now - last
        progress.tokens += int((batch != PADDING).sum())
        progress.steps += 1
        _log(folder, progress, loss=loss.item(), rate=rate, window=window, seconds=now - last)
        if progress.elapsed_s - validated_at > _VALIDATE_EVERY_S:
            _log(folder, progress, validation_loss=validation_loss(loss_of, validation))
            validated_at = progress.elapsed_s
        if progress.elapsed_s - saved_at > _SAVE_EVERY_S:
            _save(checkpoint, network, optimizers, progress)
            on_save(checkpoint)
            saved_at = progress.elapsed_s
        last = time.monotonic()  # neither validating nor saving counts as training time
    _log(folder, progress, validation_loss=validation_loss(loss_of, validation))
    _save(checkpoint, network, optimizers, progress)
    return checkpoint


def load_network(checkpoint: Path) -> tuple[Network, Progress]:
    state = torch.load(checkpoint, weights_only=True)
    network = Network(Shape(**state["shape"]))
    network.load_state_dict(state["network"])
    return network, Progress(**state["progress"])


def validation_loss(loss_of: Callable[[Tensor], Tensor], rows: NDArray[np.uint16]) -> float:
    """Mean loss, in nats a token, over the first 128 validation rows."""
    size = _TOKENS_PER_STEP // (rows.shape[1] - 1)
    with torch.no_grad():
        batches = [torch.from_numpy(rows[i : i + size].astype(np.int64)) for i in range(0, 128, size)]
        return float(np.mean([loss_of(batch).item() for batch in batches if len(batch) == size]))


def _compiled(network: Network) -> Callable[[Tensor], Tensor]:
    """rows (batch, window + 1) -> mean loss. Shapes are static: each window is compiled once."""
    hidden_of = torch.compile(network, dynamic=False)

    def loss_of(batch: Tensor) -> Tensor:
        tokens, target = batch[:, :-1].contiguous(), batch[:, 1:].reshape(-1)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = hidden_of(tokens.masked_fill(tokens == PADDING, 0))
        target = target.masked_fill(target == PADDING, -1)
        return linear_cross_entropy(hidden.reshape(len(target), -1), network.embedding.weight, target)

    return loss_of


def _next_batch(rows: NDArray[np.uint16], window: int, progress: Progress) -> Tensor:
    """The next rows of the file, again from its beginning when it is used up: the file's order is random already."""
    size = _TOKENS_PER_STEP // window
    start = progress.position[window]
    progress.position[window] += size
    return torch.from_numpy(rows[np.arange(start, start + size) % len(rows)].astype(np.int64))


def _log(folder: Path, progress: Progress, **values: float) -> None:
    entry = {"elapsed_s": round(progress.elapsed_s, 1), "tokens": progress.tokens, "step": progress.steps, **values}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    if progress.steps % 10 == 0 or "validation_loss" in values:
        print(" ".join(f"{key} {value:.4g}" for key, value in entry.items()), flush=True)


def _save(path: Path, network: Network, optimizers: list[torch.optim.Optimizer], progress: Progress) -> None:
    state = {
        "shape": asdict(network.shape),
        "network": network.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "progress": asdict(progress),
    }
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    partial.replace(path)


def _restore(path: Path, network: Network, optimizers: list[torch.optim.Optimizer]) -> Progress:
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return Progress(**state["progress"])
