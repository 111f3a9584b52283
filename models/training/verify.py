"""Does the exported file compute what was trained, and can a later run begin from it?

Called by `__main__`; imports torch, runs llama.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from repofill.models.gguf import read_description
from repofill.models.llama import Llama, StopFlag
from repofill.models.protocol import EngineOptions
from repofill.models.training.model import Network
from repofill.models.training.rows import PADDING
from repofill.models.training.tokenizer import SPECIAL_TOKENS, encode_all, load_tokenizer
from repofill.models.training.train import load_network
from repofill.models.training.warm_start import read_network

_ODD_TEXTS = (
    "",
    "\n",
    "    ",
    f"x = '{SPECIAL_TOKENS[2]}' {SPECIAL_TOKENS[0]} <|EOT|>",
    "\t\tfoo\r\n  \n\n   x=1  \n",
    "日本語のテキスト 한국어 عربى 🎉🎉 ñandú naïve",
    "  1234567 0x_ff 1e-5j \x0c\x0b a\u00a0b\u2003c\u3000d",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """`ids`: share of texts with the same token ids in llama.cpp; `top_1`: share of `positions` with the same likeliest
    next token; `weights`: the largest difference of a weight read back from the file."""

    ids: float
    top_1: float
    positions: int
    weights: float


def compare(
    model: Path, checkpoint: Path, tokenizer: Path, texts: Sequence[str], rows: NDArray[np.uint16]
) -> Agreement:
    """Compare the file with the trainer's tokenizer on `texts` and with the checkpoint on half of each row."""
    network, _ = load_network(checkpoint)
    llama = Llama(read_description(model), EngineOptions(), StopFlag())
    texts = [*texts, *_ODD_TEXTS]
    expected = encode_all(load_tokenizer(tokenizer), texts)
    same_ids = [list(llama.tokenize(text)) == ids for text, ids in zip(texts, expected, strict=True)]
    same_token = [
        same for row in rows for same in _same_likeliest(network, llama, row[row != PADDING][: len(row) // 2])
    ]
    read_back, _ = read_network(model, window=network.shape.window)
    differences = [
        (a - b).abs().max().item() for a, b in zip(network.parameters(), read_back.parameters(), strict=True)
    ]
    return Agreement(
        ids=float(np.mean(same_ids)),
        top_1=float(np.mean(same_token)),
        positions=len(same_token),
        weights=max(differences),
    )


def _same_likeliest(network: Network, llama: Llama, row: NDArray[np.uint16]) -> list[bool]:
    tokens = [int(token) for token in row]
    with torch.no_grad():
        trained = network.logits(torch.tensor([tokens]))[0].argmax(-1).tolist()
    llama.prefill(tokens[:1])
    likeliest = [int(llama.logits().argmax())]
    for token in tokens[1:]:
        llama.extend([token])
        likeliest.append(int(llama.logits().argmax()))
    return [a == b for a, b in zip(trained, likeliest, strict=True)]
