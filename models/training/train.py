"""The training run: as many steps as a time budget allows, resumable. Called by `__main__`; imports torch."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from repofill.models.training.model import Network, Shape, compute_type, linear_cross_entropy, optimisers
from repofill.models.training.releases import ECOSYSTEMS, Ecosystem
from repofill.models.training.rows import PADDING, read_rows
from repofill.models.training.schedule import rate_factor

PEAK_RATE = 3.5e-3
WARM_PEAK_RATE = 1.5e-3
"""Of a run that goes on from trained weights: the full rate undoes what they have learned before it teaches more."""

_TOKENS_PER_STEP = {"cpu": 16_384, "cuda": 131_072}
_TOKENS_PER_CHUNK = {"cpu": 2048, "cuda": 16_384}
"""Of the loss: so many logits are in memory at a time."""
_LONG_FROM = 0.85
"""From this share of the budget on, rows are as long as the longest prompts."""

_SAVE_EVERY_S = 240.0
_COOLING = 0.96
"""By so much the logits shrink at a step of the search for the temperature."""
_VALIDATIONS = 12
"""So often in a run."""
_VALIDATION_TOKENS = 65_536
"""Of each ecosystem."""


@dataclass(slots=True, kw_only=True)
class Position:
    """Where a run stands; `rows` counts those read from each file, by their window."""

    elapsed_s: float = 0.0
    tokens: int = 0
    steps: int = 0
    rows: dict[int, int]


def train(
    folder: Path,
    network: Network,
    *,
    budget_s: float,
    windows: tuple[int, int],
    on_save: Callable[[Path], None],
    trained_tokens: int = 0,
    peak_rate: float | None = None,
) -> Path:
    """Train until `budget_s` seconds of training are spent over all calls; return the checkpoint's path.

    Reads `train-WINDOW.bin` and `validation-ECOSYSTEM.bin` of `folder`; keeps `checkpoint.pt` and `log.jsonl` there,
    and goes on from that checkpoint if there is one. `on_save` is called after each checkpoint with its path.
    `trained_tokens` were seen by an earlier run; the default rate depends on whether there were any. Runs on a GPU
    where there is one.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = compute_type(device)
    network.to(device)
    peak_rate = peak_rate or (WARM_PEAK_RATE if trained_tokens else PEAK_RATE)
    optimizers = optimisers(network, peak_rate, dtype)
    position = Position(tokens=trained_tokens, rows=dict.fromkeys(windows, 0))
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        position = _restore(checkpoint, network, optimizers)
    rows = {window: read_rows(folder / f"train-{window}.bin", window) for window in windows}
    validation = {name: read_rows(folder / f"validation-{name}.bin", windows[0]) for name in ECOSYSTEMS}
    loss_of = _compiled(network, device, dtype)
    for window in windows:  # compiled before the clock runs: the rate rises with it
        loss_of(
            _next_batch(rows[window], window, replace(position, rows={window: 0}), _TOKENS_PER_STEP[device])
        ).backward()
        network.zero_grad()
    if not position.steps:
        _log(folder, position, validation_loss=validation_losses(loss_of, validation))
    last, saved_at, validated_at = time.monotonic(), position.elapsed_s, position.elapsed_s
    loss_before: Tensor | None = None
    with _progress() as progress:
        bar = progress.add_task("", total=budget_s, loss=float("nan"), tokens=0.0)
        while position.elapsed_s < budget_s:
            share = position.elapsed_s / budget_s
            window = windows[share >= _LONG_FROM]
            batch = _next_batch(rows[window], window, position, _TOKENS_PER_STEP[device])
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
            value = (
                loss_before.item() if loss_before is not None else None
            )  # of the step before: a GPU is never waited for
            loss_before = loss.detach()
            now = time.monotonic()
            position.elapsed_s += now - last
            position.tokens += int((batch != PADDING).sum())
            position.steps += 1
            if value is not None:
                _log(folder, position, loss=value, rate=rate, window=window, seconds=now - last)
            progress.update(bar, completed=position.elapsed_s, loss=value or float("nan"), tokens=position.tokens / 1e6)
            if position.elapsed_s - validated_at > budget_s / _VALIDATIONS:
                _log(folder, position, validation_loss=validation_losses(loss_of, validation))
                validated_at = position.elapsed_s
            if position.elapsed_s - saved_at > _SAVE_EVERY_S:
                _save(checkpoint, network, optimizers, position)
                on_save(checkpoint)
                saved_at = position.elapsed_s
            last = time.monotonic()  # neither validating nor saving counts as training time
    found = _calibrate(network, loss_of, validation)
    _log(folder, position, validation_loss=found)
    by_ecosystem = ", ".join(f"{loss:.3f} ({name})" for name, loss in found.items())
    print(f"validation loss: {by_ecosystem} nats a token after {position.tokens / 1e6:.1f}M tokens")
    _save(checkpoint, network, optimizers, position)
    return checkpoint


def load_network(checkpoint: Path) -> tuple[Network, Position]:
    """The network of a checkpoint, on the CPU, and where its run stood."""
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    network = Network(Shape(**state["shape"]))
    network.load_state_dict(state["network"])
    return network, Position(**state["position"])


def validation_losses(
    loss_of: Callable[[Tensor], Tensor], validation: Mapping[Ecosystem, NDArray[np.uint16]]
) -> dict[Ecosystem, float]:
    """Mean loss, in nats a token, over the first validation rows of each ecosystem."""
    stance = "force_eager" if torch.cuda.is_available() else "default"  # a GPU reads so few sooner than it compiles
    with torch.no_grad(), torch.compiler.set_stance(stance):
        return {name: _mean_loss(loss_of, rows) for name, rows in validation.items()}


def _calibrate(
    network: Network, loss_of: Callable[[Tensor], Tensor], validation: Mapping[Ecosystem, NDArray[np.uint16]]
) -> dict[Ecosystem, float]:
    """Divide all logits, by the last norm's weights, by the temperature with the least validation losses, which are
    returned (temperature scaling, Guo et al. 2017): who has read the same texts several times is too sure of others."""
    weights = network.norm.weight
    losses = validation_losses(loss_of, validation)
    while True:
        before = weights.detach().clone()
        with torch.no_grad():
            weights.mul_(_COOLING)
        cooler = validation_losses(loss_of, validation)
        if sum(cooler.values()) >= sum(losses.values()):
            with torch.no_grad():
                weights.copy_(before)
            return losses
        losses = cooler


def _mean_loss(loss_of: Callable[[Tensor], Tensor], rows: NDArray[np.uint16]) -> float:
    window = rows.shape[1] - 1
    size, most = max(_TOKENS_PER_STEP["cpu"] // window, 1), _VALIDATION_TOKENS // window
    batches = [torch.from_numpy(rows[i : i + size].astype(np.int64)) for i in range(0, most, size)]
    return float(np.mean([loss_of(batch).item() for batch in batches if len(batch) == size]))


def _progress() -> Progress:
    columns = (
        TextColumn("{task.fields[tokens]:.2f}M tokens, loss {task.fields[loss]:.3f}"),
        BarColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns)


def _compiled(network: Network, device: str, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """rows (batch, window + 1) -> mean loss. Shapes are static: for each window one layer is compiled."""
    for layer in network.layers:
        layer.compile(dynamic=False)

    def loss_of(batch: Tensor) -> Tensor:
        batch = batch.to(device, non_blocking=True)
        tokens, target = batch[:, :-1].contiguous(), batch[:, 1:].reshape(-1)
        with torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16):
            hidden = network(tokens.masked_fill(tokens == PADDING, 0))
        target = target.masked_fill(target == PADDING, -1)
        hidden = hidden.reshape(len(target), -1)
        chunk = _TOKENS_PER_CHUNK[device]
        return linear_cross_entropy(hidden, network.embedding.weight, target, dtype=dtype, chunk=chunk)

    return loss_of


def _next_batch(rows: NDArray[np.uint16], window: int, position: Position, tokens: int) -> Tensor:
    """The next rows of the file, again from its beginning when it is used up: the file's order is random already."""
    size = tokens // window
    start = position.rows[window]
    position.rows[window] += size
    return torch.from_numpy(rows[np.arange(start, start + size) % len(rows)].astype(np.int64))


def _log(folder: Path, position: Position, **values: float | Mapping[Ecosystem, float]) -> None:
    entry = {"elapsed_s": round(position.elapsed_s, 1), "tokens": position.tokens, "step": position.steps, **values}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def _save(path: Path, network: Network, optimizers: list[torch.optim.Optimizer], position: Position) -> None:
    state = {
        "shape": asdict(network.shape),
        "network": network.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "position": asdict(position),
    }
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    partial.replace(path)


def _restore(path: Path, network: Network, optimizers: list[torch.optim.Optimizer]) -> Position:
    state = torch.load(path, weights_only=True, map_location="cpu")
    network.load_state_dict(state["network"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return Position(**state["position"])
