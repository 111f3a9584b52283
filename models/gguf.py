"""What a GGUF file says of its model: all that is known before, and without, loading it. Files are read by the model
process and by the command line, never by the server; only the header.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gguf.constants import LlamaFileType

from repofill.models.fim import FimFormat, fim_format, marker_texts
from repofill.models.gguf_header import Header, ModelFileError, Value, read_header

__all__ = ["ModelDescription", "ModelFileError", "read_description", "undescribed"]

_DECLARED = {
    "pre": ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"),
    "suf": ("tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"),
    "mid": ("tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"),
    "sep": ("tokenizer.ggml.fim_sep_token_id",),
}
_EOT_TEXTS = ("<|EOT|>", "<|im_end|>", "<|eot_id|>", "▁<EOT>", "<EOT>")
_FILE_TYPES = {int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_") for kind in LlamaFileType}
_DEEPSEEK_CODER = {"<｜fim▁hole｜>": 32015, "<｜fim▁begin｜>": 32016, "<｜fim▁end｜>": 32017}
_DEEPSEEK_ROPE_BASE = 100_000.0
_UNKNOWN_FORMAT = FimFormat(family="unknown", template=("prefix", "suffix"), stop_ids=frozenset())
_UNKNOWN_WINDOW = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """A model file, or the first of several, whose sizes count together. `parameters`: numbers in its tensors.
    `context_window`: tokens it was trained for. `overrides`: metadata that the file lacks or has wrong, to be given to
    the loader; `warnings` says so, one line each. `served`: the address of the server that has
    the model; then there is no file, and what that would say besides name, size and window is not known."""

    path: Path
    name: str
    architecture: str
    parameters: int
    size_bytes: int
    quantisation: str
    context_window: int
    vocabulary_size: int
    fim: FimFormat
    bos_id: int | None
    eos_id: int | None
    eot_id: int | None
    add_bos: bool
    warnings: tuple[str, ...] = ()
    overrides: Mapping[str, str | float] = field(default_factory=dict)
    served: str = ""


def undescribed(name: str, *, served: str = "") -> ModelDescription:
    """A model of which its name alone is known, or where it is `served`: no file of it has been read."""
    return ModelDescription(
        path=Path(),
        name=name,
        architecture="",
        parameters=0,
        size_bytes=0,
        quantisation="",
        context_window=_UNKNOWN_WINDOW,
        vocabulary_size=0,
        fim=_UNKNOWN_FORMAT,
        bos_id=None,
        eos_id=None,
        eot_id=None,
        add_bos=False,
        served=served,
    )


def read_description(path: str | os.PathLike[str]) -> ModelDescription:
    """The description of the model file at `path`.

    Raises ModelFileError, whose text is one line, for anything but a whole GGUF file of a model that can fill in.
    """
    path = Path(path)
    header = _whole(path, read_header(path, marker_texts() | set(_EOT_TEXTS)))
    metadata = header.metadata
    architecture = _text(metadata, "general.architecture")
    if header.tensors == 0 or header.vocabulary_size == 0 or not architecture:
        raise ModelFileError(path, "it holds no complete model; choose a file with weights and vocabulary")
    name = _text(metadata, "general.name") or path.stem
    bos, eos, eot = (_id(header, f"tokenizer.ggml.{which}_token_id") for which in ("bos", "eos", "eot"))
    if eot is None:
        eot = next((header.token_ids[text] for text in _EOT_TEXTS if text in header.token_ids), None)
    fim = fim_format(
        header.token_ids,
        declared={part: _first_id(header, keys) for part, keys in _DECLARED.items()},
        layout=_text(metadata, "repofill.fim.layout") or None,
        name=name,
        stop_ids=frozenset(token for token in (eos, eot) if token is not None),
    )
    if fim is None:
        raise ModelFileError(path, "it was not trained to fill in (no infilling tokens); choose a base code model")
    overrides, warnings = _deepseek_faults(header, architecture)
    return ModelDescription(
        path=path,
        name=name,
        architecture=architecture,
        parameters=header.parameters,
        size_bytes=header.size_bytes,
        quantisation=_quantisation(header),
        context_window=_window(path, metadata, architecture),
        vocabulary_size=header.vocabulary_size,
        fim=fim,
        bos_id=bos,
        eos_id=eos,
        eot_id=eot,
        add_bos=bos is not None and _add_bos(metadata, fim),
        warnings=warnings,
        overrides=overrides,
    )


def _whole(path: Path, first: Header) -> Header:
    """The header of a model in several files, with the sizes of them all; llama.cpp knows the others by their names."""
    number, count = (first.metadata.get(key, 0) for key in ("split.no", "split.count"))
    if not isinstance(number, int) or not isinstance(count, int) or count < 2:
        return first
    ending = f"-{number + 1:05}-of-{count:05}.gguf"
    if not path.name.endswith(ending):
        raise ModelFileError(path, f"it is part {number + 1} of {count} of a model; its name must end in {ending}")
    start = path.name.removesuffix(ending)
    if number:
        reason = f"it is part {number + 1} of {count} of a model; choose the first, {start}-00001-of-{count:05}.gguf"
        raise ModelFileError(path, reason)
    headers = [first]
    for part in range(2, count + 1):
        other = path.with_name(f"{start}-{part:05}-of-{count:05}.gguf")
        if not other.exists():
            raise ModelFileError(other, "this part of the model is missing; download it as well")
        headers.append(read_header(other, ()))
    return replace(
        first,
        size_bytes=sum(header.size_bytes for header in headers),
        tensors=sum(header.tensors for header in headers),
        parameters=sum(header.parameters for header in headers),
        tensor_type=max(headers, key=lambda header: header.size_bytes).tensor_type,
    )


def _deepseek_faults(header: Header, architecture: str) -> tuple[dict[str, str | float], tuple[str, ...]]:
    """Overrides and the one warning for conversions of DeepSeek Coder made before llama.cpp knew its tokenizer and
    wrote its RoPE scaling. Both faults are silent: the model loads and writes worse code."""
    metadata, overrides = header.metadata, dict[str, str | float]()
    if architecture != "llama" or any(header.token_ids.get(text) != at for text, at in _DEEPSEEK_CODER.items()):
        return {}, ()
    if metadata.get("tokenizer.ggml.model") == "gpt2" and metadata.get("tokenizer.ggml.pre") in (None, "default"):
        overrides["tokenizer.ggml.pre"] = "deepseek-coder"
    scaled = metadata.keys() & {"llama.rope.scaling.factor", "llama.rope.scale_linear"}
    if metadata.get("llama.rope.freq_base") == _DEEPSEEK_ROPE_BASE and not scaled:
        overrides |= {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    if not overrides:
        return {}, ()
    lacking = [
        name
        for key, name in (("tokenizer.ggml.pre", "its pre-tokenizer"), ("llama.rope.scaling.factor", "its RoPE factor"))
        if key in overrides
    ]
    return overrides, (f"an old conversion of DeepSeek Coder without {' and '.join(lacking)}: corrected while loading",)


def _window(path: Path, metadata: Mapping[str, Value], architecture: str) -> int:
    window = metadata.get(f"{architecture}.context_length")
    if not isinstance(window, int) or window < 128:
        raise ModelFileError(path, "its header names no usable context length; choose another conversion")
    return window


def _quantisation(header: Header) -> str:
    """As llama.cpp names the whole file, else the type that most of the bytes have."""
    kind = header.metadata.get("general.file_type")
    code = kind if isinstance(kind, int) and kind != LlamaFileType.GUESSED else -1
    return _FILE_TYPES.get(code, header.tensor_type)


def _add_bos(metadata: Mapping[str, Value], fim: FimFormat) -> bool:
    """Whether prompts begin with BOS: as the file says, else as llama.cpp assumes of sentencepiece vocabularies, and as
    DeepSeek Coder was trained."""
    declared = metadata.get("tokenizer.ggml.add_bos_token")
    if isinstance(declared, bool):
        return declared
    return metadata.get("tokenizer.ggml.model") == "llama" or fim.family == "deepseek"


def _first_id(header: Header, keys: tuple[str, ...]) -> int | None:
    return next((token for token in (_id(header, key) for key in keys) if token is not None), None)


def _id(header: Header, key: str) -> int | None:
    """A token id of the metadata, None where there is none within the vocabulary."""
    token = header.metadata.get(key)
    is_id = isinstance(token, int) and not isinstance(token, bool) and 0 <= token < header.vocabulary_size
    return int(token) if is_id and token is not None else None


def _text(metadata: Mapping[str, Value], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""
