"""From a checkpoint to a GGUF file. Called by `__main__`; imports torch.

What silently spoils such files, and is done here: llama.cpp's `llama` architecture rotates neighbouring pairs, so the
rows of q and k are permuted from the half-split layout; the output matrix is the embedding, so it is left out.
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import gguf.quants
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from repofill.models.training.model import Network, Shape
from repofill.models.training.tokenizer import PRE_TOKENIZER, SPECIAL_TOKENS
from repofill.models.training.train import load_network
from repofill.models.training.warm_start import TRAINED_TOKENS

_NORMAL, _CONTROL = 1, 3
_MOST_BYTES = 60_000_000
"""Of a file that ships."""


def write_gguf(checkpoint: Path, tokenizer: Path, output: Path, *, full: bool = False) -> None:
    """Write the checkpoint in Q8_0, in Q5_0 where that would be too large to ship, or with `full` in F16; `output` is
    replaced in one step."""
    partial = output.with_suffix(".part")
    network, position = load_network(checkpoint)
    small = sum(parameter.numel() for parameter in network.parameters()) * 34 / 32 <= _MOST_BYTES
    quantised = gguf.GGMLQuantizationType.Q8_0 if small else gguf.GGMLQuantizationType.Q5_0
    file_type = gguf.LlamaFileType.MOSTLY_Q8_0 if small else gguf.LlamaFileType.MOSTLY_Q5_0
    writer = gguf.GGUFWriter(str(partial), "llama")
    writer.add_name(output.stem)
    writer.add_description(
        "completion of Python, TypeScript and JavaScript with suffix-first infilling, the offline default of repofill; "
        f"{position.tokens / 1e6:.1f}M training tokens"
    )
    writer.add_license("mit")
    writer.add_uint64(TRAINED_TOKENS, position.tokens)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if full else file_type)
    _add_shape(writer, network.shape)
    _add_tokenizer(writer, json.loads(tokenizer.read_text(encoding="utf-8")))
    for name, tensor in _tensors(network).items():
        if tensor.ndim == 1:
            writer.add_tensor(name, tensor)
        elif full:
            writer.add_tensor(name, tensor.astype(np.float16))
        else:
            writer.add_tensor(name, gguf.quants.quantize(tensor, quantised), raw_dtype=quantised)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.replace(output)


def _add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.window)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: dict[str, dict[str, dict[str, int]]]) -> None:
    texts = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].__getitem__)
    ids = {text: len(texts) + i for i, text in enumerate(SPECIAL_TOKENS)}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list([*texts, *SPECIAL_TOKENS])
    writer.add_token_types([_NORMAL] * len(texts) + [_CONTROL] * len(SPECIAL_TOKENS))
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    named = {
        "bos": "<｜begin▁of▁sentence｜>",
        "eos": "<｜end▁of▁sentence｜>",
        "fim_pre": "<｜fim▁begin｜>",
        "fim_suf": "<｜fim▁hole｜>",
        "fim_mid": "<｜fim▁end｜>",
    }
    for name, text in named.items():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", ids[text])
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_bool("tokenizer.ggml.add_eos_token", False)
    writer.add_string("repofill.fim.layout", "spm")


def _tensors(network: Network) -> dict[str, NDArray[np.float32]]:
    shape = network.shape
    kv_width = shape.kv_heads * shape.head_width
    tensors = {"token_embd.weight": network.embedding.weight, "output_norm.weight": network.norm.weight}
    for i, layer in enumerate(network.layers):
        q, k, v = layer.qkv.weight.split((shape.width, kv_width, kv_width))
        gate, up = layer.gate_up.weight.chunk(2)
        tensors |= {
            f"blk.{i}.attn_norm.weight": layer.attention_norm.weight,
            f"blk.{i}.attn_q.weight": _interleaved(q, shape.heads),
            f"blk.{i}.attn_k.weight": _interleaved(k, shape.kv_heads),
            f"blk.{i}.attn_v.weight": v,
            f"blk.{i}.attn_output.weight": layer.attention_out.weight,
            f"blk.{i}.ffn_norm.weight": layer.feed_norm.weight,
            f"blk.{i}.ffn_gate.weight": gate,
            f"blk.{i}.ffn_up.weight": up,
            f"blk.{i}.ffn_down.weight": layer.down.weight,
        }
    return {name: tensor.detach().float().contiguous().numpy() for name, tensor in tensors.items()}


def _interleaved(weight: Tensor, heads: int) -> Tensor:
    """Rows of each head from (first half, second half) to neighbouring pairs."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)
