"""From an exported file back to a network and its tokenizer, so that a later run builds on an earlier one.

A checkpoint (`train`) goes on with the same run; an exported file starts a new one whose weights are not random.
Called by `__main__`; imports torch.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import gguf.quants
import numpy as np
import torch
from gguf import GGUFReader
from numpy.typing import NDArray
from tokenizers import Tokenizer, models
from torch import Tensor

from repofill.models.training.model import Network, Shape
from repofill.models.training.tokenizer import SPECIAL_TOKENS, new_tokenizer

TRAINED_TOKENS = "repofill.training.tokens"


def read_tokenizer(file: Path) -> Tokenizer:
    """The byte-level BPE of a file written by `write_gguf`."""
    fields = GGUFReader(file).fields
    texts = fields["tokenizer.ggml.tokens"].contents()[: -len(SPECIAL_TOKENS)]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    return new_tokenizer(models.BPE({text: i for i, text in enumerate(texts)}, merges))


def read_network(file: Path, *, window: int) -> tuple[Network, int]:
    """The network of a file written by `write_gguf`, for a window of so many tokens, and the tokens it was trained on.

    Weights are exact to their quantisation. Raises ValueError for a file of another kind.
    """
    reader = GGUFReader(file)
    try:
        network = Network(_shape(reader, window))
    except KeyError as error:
        raise ValueError(f"{file} was not written by this recipe: it has no {error}") from error
    weights = {tensor.name: _values(tensor) for tensor in reader.tensors}
    state = {"embedding.weight": weights["token_embd.weight"], "norm.weight": weights["output_norm.weight"]}
    for i in range(network.shape.layers):
        of_layer = {name.removeprefix(f"blk.{i}."): value for name, value in weights.items()}
        heads, kv_heads = network.shape.heads, network.shape.kv_heads
        qkv = (_halves(of_layer["attn_q.weight"], heads), _halves(of_layer["attn_k.weight"], kv_heads))
        state |= {
            f"layers.{i}.attention_norm.weight": of_layer["attn_norm.weight"],
            f"layers.{i}.qkv.weight": torch.cat((*qkv, of_layer["attn_v.weight"])),
            f"layers.{i}.attention_out.weight": of_layer["attn_output.weight"],
            f"layers.{i}.feed_norm.weight": of_layer["ffn_norm.weight"],
            f"layers.{i}.gate_up.weight": torch.cat((of_layer["ffn_gate.weight"], of_layer["ffn_up.weight"])),
            f"layers.{i}.down.weight": of_layer["ffn_down.weight"],
        }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{file} does not have the shape {network.shape}: {error}") from error
    trained = reader.fields.get(TRAINED_TOKENS)
    return network, int(trained.contents()) if trained else 0


def _shape(reader: GGUFReader, window: int) -> Shape:
    def value(name: str) -> int:
        return int(reader.fields[f"llama.{name}"].contents())

    return Shape(
        vocabulary=value("vocab_size"),
        width=value("embedding_length"),
        layers=value("block_count"),
        heads=value("attention.head_count"),
        kv_heads=value("attention.head_count_kv"),
        hidden=value("feed_forward_length"),
        window=window,
        rope_base=float(reader.fields["llama.rope.freq_base"].contents()),
        norm_epsilon=float(reader.fields["llama.attention.layer_norm_rms_epsilon"].contents()),
    )


def _values(tensor: gguf.ReaderTensor) -> Tensor:
    values: NDArray[np.float32] = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return torch.from_numpy(np.array(values, dtype=np.float32))


def _halves(weight: Tensor, heads: int) -> Tensor:
    """Rows of each head from neighbouring pairs to (first half, second half): undoes `export`."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)
