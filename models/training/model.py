"""The bundled model's network and its optimiser. Imported by `train` and `export` only; imports torch.

Design choices, each because two CPU cores can train it overnight, and a GPU in half an hour:

- Llama architecture, so that llama.cpp runs it: RMSNorm, SwiGLU, rotary positions, grouped-query attention, no biases.
- Input and output embedding are one matrix.
- The loss is computed chunk by chunk together with its gradient, so the logits never exist as a whole.
- Muon (Jordan et al. 2024: momentum, orthogonalised by five Newton-Schulz steps) for the matrices inside the
  layers, those of one shape at once; AdamW for the embedding and the norms.
"""

# mypy: allow-subclassing-any, allow-untyped-decorators, allow-untyped-calls, no-warn-return-any
# (checked where torch is not installed as well, and there its classes are of any type)

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of the network; `window` is the longest prompt it is meant for, in tokens."""

    vocabulary: int = 8192
    width: int = 512
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 1280
    window: int = 4096
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "small": Shape(),
        "large": Shape(vocabulary=16_384, width=640, layers=8, heads=10, kv_heads=2, hidden=1792),
    }
)
"""15.2M parameters, for two CPU cores, and 45.9M, for ten minutes of a GPU: about as many as it can teach in that time,
and few enough that a laptop's CPU writes a line in a tenth of a second."""


def compute_type(device: str) -> torch.dtype:
    """The number format of matrix products that is quicker on this machine: a CPU without instructions for bfloat16
    emulates it, many times slower than single precision."""
    if device != "cpu":
        return torch.bfloat16
    return min((torch.float32, torch.bfloat16), key=_product_s)


def _product_s(dtype: torch.dtype) -> float:
    """Seconds of a matrix product, the quickest of a few: beside other work a single small one tells little."""
    matrix = torch.ones(1024, 1024, dtype=dtype)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - start)
    return min(seconds)


class RMSNorm(nn.Module):
    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + self.epsilon)
        return (x.float() * scale * self.weight).to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions in the half-split layout: x (batch, heads, length, head_width), cos and sin (length, half)."""
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        kv_width = shape.kv_heads * shape.head_width
        self.attention_norm = RMSNorm(shape.width, shape.norm_epsilon)
        self.qkv = nn.Linear(shape.width, shape.width + 2 * kv_width, bias=False)
        self.attention_out = nn.Linear(shape.width, shape.width, bias=False)
        self.feed_norm = RMSNorm(shape.width, shape.norm_epsilon)
        self.gate_up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        shape, (batch, length, _) = self.shape, x.shape
        kv_width = shape.kv_heads * shape.head_width
        q, k, v = self.qkv(self.attention_norm(x)).split((shape.width, kv_width, kv_width), dim=-1)
        q = rotate(q.view(batch, length, shape.heads, -1).transpose(1, 2), cos, sin)
        k = rotate(k.view(batch, length, shape.kv_heads, -1).transpose(1, 2), cos, sin)
        v = v.view(batch, length, shape.kv_heads, -1).transpose(1, 2)
        group = shape.heads // shape.kv_heads
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(batch, length, shape.width))
        gate, up = self.gate_up(self.feed_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Network(nn.Module):
    """tokens (batch, length) -> hidden states (batch, length, width), normalised; `embedding.weight` maps to logits."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.width, shape.norm_epsilon)
        frequency = shape.rope_base ** (-torch.arange(0, shape.head_width, 2).float() / shape.head_width)
        angles = torch.outer(torch.arange(shape.window).float(), frequency)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                deep = name.endswith(("attention_out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / ((2 * shape.layers) ** 0.5 if deep else 1.0))

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, self.cos[:length], self.sin[:length])
        return self.norm(x)

    def logits(self, tokens: Tensor) -> Tensor:
        return F.linear(self(tokens), self.embedding.weight)


@torch.compile(dynamic=False)
def _chunk_loss(hidden: Tensor, weight: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Summed loss of one chunk and the gradient of that sum by its logits; a target of -1 does not count."""
    logits = (hidden @ weight.T).float()
    log_sum = logits.logsumexp(-1, keepdim=True)
    counted = (target >= 0).unsqueeze(-1)
    index = target.clamp_min(0).unsqueeze(-1)
    loss = ((log_sum - logits.gather(-1, index)) * counted).sum()
    right = torch.arange(len(weight), device=weight.device) == index
    gradient = ((logits - log_sum).exp() - right.float()) * counted
    return loss, gradient.to(hidden.dtype)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, target: Tensor, chunk: int, dtype: torch.dtype) -> Tensor:
        hidden, half = hidden.to(dtype), weight.to(dtype)
        count = (target >= 0).sum().clamp_min(1)
        by_hidden, by_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        total = torch.zeros((), device=hidden.device)
        for start in range(0, len(hidden), chunk):
            part = slice(start, start + chunk)
            loss, by_logits = _chunk_loss(hidden[part], half, target[part])
            total += loss
            by_hidden[part] = by_logits @ half
            by_weight += by_logits.T @ hidden[part]
        ctx.save_for_backward(by_hidden, by_weight, count)
        return total / count

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        by_hidden, by_weight, count = ctx.saved_tensors
        scale = outputs[0] / count
        return by_hidden * scale, by_weight * scale, None, None, None


def linear_cross_entropy(hidden: Tensor, weight: Tensor, target: Tensor, *, dtype: torch.dtype, chunk: int) -> Tensor:
    """Mean cross entropy of `hidden @ weight.T` against `target` (-1: not counted), in products of `dtype`, `chunk`
    tokens at a time.

    hidden (tokens, width), weight (vocabulary, width), target (tokens,).
    """
    return _LinearCrossEntropy.apply(hidden, weight, target, chunk, dtype)


def _orthogonal(gradients: Tensor, dtype: torch.dtype, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrices, roughly: the quintic Newton-Schulz iteration with Muon's coefficients.

    gradients (matrices, rows, columns).
    """
    x = gradients.to(dtype)
    if transposed := x.shape[1] > x.shape[2]:
        x = x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.mT if transposed else x).to(gradients.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonalised updates for matrices; a step has root-mean-square 0.2 per entry times the rate.

    `stacked` says of a parameter by its `id` which rows make up the matrices that stand in it one above the other.
    """

    def __init__(
        self,
        parameters: list[nn.Parameter],
        rate: float,
        weight_decay: float,
        dtype: torch.dtype,
        stacked: Mapping[int, tuple[int, ...]],
    ) -> None:
        super().__init__(parameters, {"lr": rate, "momentum": 0.95, "weight_decay": weight_decay})
        self._dtype = dtype
        self._stacked = stacked

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for parameter in group["params"]:
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - momentum)
                update = parameter.grad.lerp(state["momentum"], momentum)
                rows = self._stacked.get(id(parameter), (len(parameter),))
                for matrix, its_update in zip(parameter.split(rows), update.split(rows), strict=True):
                    by_shape[matrix.shape].append((matrix, its_update))
            for shape, pairs in by_shape.items():
                scale = 0.2 * max(shape) ** 0.5
                updates = _orthogonal(torch.stack([update for _, update in pairs]), self._dtype)
                for (matrix, _), update in zip(pairs, updates, strict=True):
                    matrix.mul_(1 - rate * group["weight_decay"]).add_(update, alpha=-rate * scale)


def optimisers(network: Network, rate: float, dtype: torch.dtype) -> list[torch.optim.Optimizer]:
    """Muon, in products of `dtype`, for the layers' matrices and AdamW for everything else, with one base rate."""
    shape = network.shape
    kv_width = shape.kv_heads * shape.head_width
    stacked: dict[int, tuple[int, ...]] = {}
    for layer in network.layers:
        stacked[id(layer.qkv.weight)] = (shape.width, kv_width, kv_width)
        stacked[id(layer.gate_up.weight)] = (shape.hidden, shape.hidden)
    matrices = [p for layer in network.layers for p in layer.parameters() if p.dim() == 2]
    inside = {id(p) for p in matrices}
    rest = [p for p in network.parameters() if id(p) not in inside]
    return [
        Muon(matrices, rate, 0.1, dtype, stacked),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]
