"""Tiny GGUF files, made as a test needs them: real Llama models with a byte-level tokenizer, a few hundred KB each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np
import pytest

BOS, EOS, HOLE, BEGIN, END = (
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁begin｜>",
    "<｜fim▁end｜>",
)
WriteGguf = Callable[..., Path]


def byte_alphabet() -> dict[int, str]:
    """GPT-2's printable stand-in for every byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{b: chr(b) for b in printable}, **{b: chr(256 + at) for at, b in enumerate(others)}}


def write_gguf(
    path: Path,
    *,
    merges: Sequence[tuple[str, str]] = (("e", "r"),),
    specials: Sequence[str] = (BOS, EOS, HOLE, BEGIN, END),
    special_type: gguf.TokenType = gguf.TokenType.CONTROL,
    first_special: int = 0,
    pre: str | None = "deepseek-coder",
    sentencepiece: bool = False,
    successors: Mapping[str, str | Mapping[str, float]] | None = None,
    certainty: float = 1.0,
    width: int = 32,
    layers: int = 2,
    window: int = 512,
    seed: int = 0,
    rope_base: float = 10_000.0,
    metadata: Mapping[str, str | int | float | bool] | None = None,
    split: int = 0,
) -> Path:
    """A model file, or with `split` the first of several, which has no tensors, the others up to so many each. `merges`
    are pairs of texts; `first_special`: least id of the special tokens, unused ones fill the gap. With `successors` the
    model knows the token after each of the given ones, less surely with less `certainty`, or several, each with a
    certainty of its own; else its weights are random. `sentencepiece`: a vocabulary as CodeLlama's, which puts a space
    before every text.
    """
    alphabet = byte_alphabet()
    spell = {text: "".join(alphabet[byte] for byte in text.encode()) for pair in merges for text in pair}
    merged = [spell[left] + spell[right] for left, right in merges]
    tokens = [alphabet[byte] for byte in range(256)] + merged
    types = [gguf.TokenType.NORMAL] * len(tokens)
    if sentencepiece:
        tokens = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefgh", "▁a", "ab"]
        types = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.BYTE] * 256, *[gguf.TokenType.NORMAL] * 11]
    unused = range(len(tokens), first_special)
    tokens += [f"[PAD{at}]" for at in unused] + list(specials)
    types += [gguf.TokenType.UNUSED] * len(unused) + [special_type] * len(specials)
    width = -(-len(tokens) // 32) * 32 if successors is not None else width

    out = gguf.GGUFWriter(path, "llama", split_max_tensors=split, small_first_shard=split > 0)
    out.add_name("tiny")
    out.add_context_length(window)
    out.add_embedding_length(width)
    out.add_block_count(layers)
    out.add_feed_forward_length(32)
    out.add_head_count(2)
    out.add_head_count_kv(2)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_rope_dimension_count(width // 2)
    out.add_rope_freq_base(rope_base)
    out.add_file_type(0)
    out.add_tokenizer_model("llama" if sentencepiece else "gpt2")
    if sentencepiece:
        out.add_token_scores([-float(at) for at in range(len(tokens))])
    elif pre is not None:
        out.add_tokenizer_pre(pre)
    out.add_token_list(tokens)
    out.add_token_types(types)
    if not sentencepiece:
        out.add_token_merges([f"{spell[left]} {spell[right]}" for left, right in merges])
    if BOS in specials and EOS in specials:
        out.add_bos_token_id(tokens.index(BOS))
        out.add_eos_token_id(tokens.index(EOS))
    add: dict[type, Callable[..., None]] = {
        str: out.add_string,
        bool: out.add_bool,
        int: out.add_uint32,
        float: out.add_float32,
    }
    for key, value in (metadata or {}).items():
        add[type(value)](key, value)
    for name, matrix in _tensors(tokens, alphabet, width, layers, successors, certainty, seed).items():
        out.add_tensor(name, matrix.astype(np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return out.format_shard_names(path)[0]


def _tensors(
    tokens: list[str],
    alphabet: dict[int, str],
    width: int,
    layers: int,
    successors: Mapping[str, str | Mapping[str, float]] | None,
    certainty: float,
    seed: int,
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    certain = successors is not None

    def matrix(rows: int, columns: int, scale: float) -> np.ndarray:
        return rng.standard_normal((rows, columns)) * scale

    tensors = {"token_embd.weight": matrix(len(tokens), width, 1.0), "output_norm.weight": np.ones(width)}
    tensors["output.weight"] = matrix(len(tokens), width, 0.5)
    if successors is not None:  # layers that add nothing, and an output that looks the next token up
        tensors["token_embd.weight"] = np.eye(len(tokens), width)
        tensors["output.weight"] = np.zeros((len(tokens), width))
        for left, right in successors.items():
            for text, sure in ({right: certainty} if isinstance(right, str) else right).items():
                tensors["output.weight"][_token(tokens, alphabet, text), _token(tokens, alphabet, left)] = sure
    for layer in range(layers):
        block = f"blk.{layer}."
        tensors |= {block + name: np.ones(width) for name in ("attn_norm.weight", "ffn_norm.weight")}
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors[f"{block}{name}.weight"] = matrix(width, width, 0.0 if certain else 0.3)
        tensors[block + "ffn_gate.weight"] = matrix(32, width, 0.0 if certain else 0.3)
        tensors[block + "ffn_up.weight"] = matrix(32, width, 0.0 if certain else 0.3)
        tensors[block + "ffn_down.weight"] = matrix(width, 32, 0.0 if certain else 0.3)
    return tensors


def _token(tokens: list[str], alphabet: dict[int, str], text: str) -> int:
    return tokens.index(text if text in tokens else "".join(alphabet[byte] for byte in text.encode()))


@pytest.fixture(scope="session")
def make_gguf(tmp_path_factory: pytest.TempPathFactory) -> WriteGguf:
    """Writes a model file with the given settings into a folder of its own."""
    return lambda **settings: write_gguf(tmp_path_factory.mktemp("model") / "tiny.gguf", **settings)


@pytest.fixture(scope="session")
def random_model(make_gguf: WriteGguf) -> Path:
    """A model of random weights that fills in suffix first."""
    return make_gguf(merges=[("r", "e"), ("re", "t"), (" ", "x")], window=2048, metadata={"repofill.fim.layout": "spm"})
