"""Descriptions of model files: what is read, what is corrected, what is refused and how."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import gguf
import pytest

from repofill.models.gguf import ModelFileError, read_description

DEEPSEEK = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜fim▁hole｜>", "<｜fim▁begin｜>", "<｜fim▁end｜>")
QWEN = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|endoftext|>", "<|file_sep|>")
STARCODER = ("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<|endoftext|>")
FIRST = 257
"""Id of the first special token."""


@pytest.mark.parametrize(
    ("specials", "metadata", "family", "template", "separator"),
    [
        (DEEPSEEK, {}, "deepseek", (3, "prefix", 2, "suffix", 4), None),
        (DEEPSEEK, {"repofill.fim.layout": "spm"}, "deepseek", (3, 2, "suffix", 4, "prefix"), None),
        (DEEPSEEK, {"repofill.fim.layout": "psm"}, "deepseek", (3, "prefix", 2, "suffix", 4), None),
        (QWEN, {}, "qwen", (0, "prefix", 2, "suffix", 1), 4),
        ((*QWEN[:4], "<|file_separator|>"), {}, "codegemma", (0, "prefix", 2, "suffix", 1), 4),
        (QWEN[:4], {}, "granite", (0, "prefix", 2, "suffix", 1), None),
        (STARCODER, {}, "starcoder", (0, "prefix", 2, "suffix", 1), None),
        ((*STARCODER, "<file_sep>"), {}, "starcoder2", (0, "prefix", 2, "suffix", 1), 4),
        (STARCODER, {"general.name": "Mellum 4b base"}, "mellum", (2, "suffix", 0, "prefix", 1), None),
        (("<fim-prefix>", "<fim-middle>", "<fim-suffix>"), {}, "santacoder", (0, "prefix", 2, "suffix", 1), None),
        (("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"), {}, "codellama", (0, "prefix", 1, "suffix", 2), None),
        (("[SUFFIX]", "[PREFIX]"), {}, "codestral", (0, "suffix", 1, "prefix"), None),
        (
            ("<|code_prefix|>", "<|code_middle|>", "<|code_suffix|>"),
            {},
            "codegeex",
            (2, "suffix", 0, "prefix", 1),
            None,
        ),
        (
            ("a1", "a2", "a3", "a4"),
            {f"tokenizer.ggml.fim_{part}_token_id": FIRST + at for at, part in enumerate(("pre", "suf", "mid", "sep"))},
            "declared",
            (0, "prefix", 1, "suffix", 2),
            3,
        ),
        (
            ("a1", "a2", "a3"),
            {f"tokenizer.ggml.{part}_token_id": FIRST + at for at, part in enumerate(("prefix", "suffix", "middle"))},
            "declared",
            (0, "prefix", 1, "suffix", 2),
            None,
        ),
        (  # declared ids go before texts
            (*DEEPSEEK, "other"),
            {"tokenizer.ggml.fim_pre_token_id": FIRST + 5},
            "deepseek",
            (5, "prefix", 2, "suffix", 4),
            None,
        ),
        (  # ids beyond the vocabulary are nobody's
            DEEPSEEK,
            {"tokenizer.ggml.fim_pre_token_id": 100_000},
            "deepseek",
            (3, "prefix", 2, "suffix", 4),
            None,
        ),
    ],
)
def test_infilling_formats(make_gguf, specials, metadata, family, template, separator):
    description = read_description(make_gguf(specials=specials, metadata={"x": 1, **metadata}))
    fim = description.fim
    assert fim.family == family
    assert fim.template == tuple(FIRST + piece if isinstance(piece, int) else piece for piece in template)
    assert fim.file_separator == (None if separator is None else FIRST + separator)
    assert {piece for piece in fim.template if isinstance(piece, int)} <= fim.stop_ids
    assert fim.layout == ("psm" if template.index("prefix") < template.index("suffix") else "spm")


def test_what_a_description_says(make_gguf):
    path = make_gguf(window=768, merges=[("a", "b"), ("c", "d")])
    description = read_description(path)
    assert (description.name, description.architecture, description.path) == ("tiny", "llama", path)
    assert (description.context_window, description.quantisation) == (768, "F32")
    assert description.size_bytes == path.stat().st_size
    reader = gguf.GGUFReader(path)
    assert description.parameters == sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert description.vocabulary_size == len(reader.fields["tokenizer.ggml.tokens"].data) == 263
    assert (description.bos_id, description.eos_id, description.eot_id) == (258, 259, None)
    assert description.add_bos
    assert (description.warnings, description.overrides) == ((), {})


def test_a_model_in_several_files_counts_as_a_whole(make_gguf):
    whole, first = read_description(make_gguf()), make_gguf(split=8)
    parts = sorted(first.parent.iterdir())
    assert (len(parts), parts[0]) == (4, first)
    description = read_description(first)
    assert description.size_bytes == sum(part.stat().st_size for part in parts)
    assert description.parameters == whole.parameters
    assert description.vocabulary_size == whole.vocabulary_size


def test_a_model_in_several_files_has_to_be_there_as_a_whole(make_gguf):
    first = make_gguf(split=8)
    second = first.with_name("tiny-00002-of-00004.gguf")
    check_refused(second, "part 2 of 4 of a model; choose the first, tiny-00001-of-00004.gguf")
    content = second.read_bytes()
    second.write_bytes(content[:-40])
    with pytest.raises(ModelFileError, match=f"^{second}: it is truncated"):
        read_description(first)
    second.unlink()
    with pytest.raises(ModelFileError, match=f"^{second}: this part of the model is missing"):
        read_description(first)
    check_refused(first.rename(first.with_name("other.gguf")), "must end in -00001-of-00004.gguf")


@pytest.mark.parametrize(
    ("declared", "specials", "expected"),
    [(None, DEEPSEEK, True), (False, DEEPSEEK, False), (None, (*DEEPSEEK[:2], *STARCODER), False)],
)
def test_bos(make_gguf, declared, specials, expected):
    metadata = {} if declared is None else {"tokenizer.ggml.add_bos_token": declared}
    assert read_description(make_gguf(specials=specials, metadata=metadata)).add_bos is expected


PRE = {"tokenizer.ggml.pre": "deepseek-coder"}
ROPE = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}


@pytest.mark.parametrize(
    ("pre", "metadata", "overrides"),
    [
        (None, {}, {**PRE, **ROPE}),
        ("default", {}, {**PRE, **ROPE}),
        ("deepseek-coder", {}, ROPE),
        (None, ROPE, PRE),
        (None, {"llama.rope.scale_linear": 4.0}, PRE),
        ("deepseek-coder", ROPE, {}),
    ],
)
def test_old_deepseek_conversions_are_corrected_with_one_warning(make_gguf, pre, metadata, overrides):
    path = make_gguf(first_special=32013, pre=pre, rope_base=100_000.0, layers=1, metadata=metadata)
    description = read_description(path)
    assert description.overrides == overrides
    assert len(description.warnings) == (1 if overrides else 0)


def test_only_deepseek_coder_is_corrected(make_gguf):
    """The same token texts under other ids are another model's, which knows its own tokenizer and RoPE."""
    assert read_description(make_gguf(pre=None, rope_base=100_000.0)).overrides == {}


def check_refused(path: Path, reason: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        read_description(path)
    text = str(caught.value)
    assert reason in text
    assert text.startswith(str(path).replace("\0", "?"))
    assert text.isprintable()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello, world\n" * 10, "not a GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"tjgg" + bytes(100), "old GGML"),
        (b"GGUF", "truncated"),
        (b"GGUF\x03\0\0\0", "truncated"),
        (struct.pack("<4sIQQ", b"GGUF", 1, 0, 0), "version 1"),
        (struct.pack("<4sIQQ", b"GGUF", 4, 0, 0), "version 4"),
        (struct.pack(">4sIQQ", b"GGUF", 3, 0, 0), "big-endian"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 0), "no complete model"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 2**63, 2**63), "damaged"),
        (struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 2**62) + bytes(64), "damaged"),
        (struct.pack("<4sIQQQ1sIIQ", b"GGUF", 3, 0, 1, 1, b"k", 9, 0, 2**60) + bytes(64), "truncated"),
        (struct.pack("<4sIQQQ1sIIQ", b"GGUF", 3, 0, 1, 1, b"k", 9, 8, 2**60) + bytes(64), "damaged"),
        (struct.pack("<4sIQQQ1sIIQ", b"GGUF", 3, 0, 1, 1, b"k", 9, 9, 4) + bytes(64), "damaged"),
        (struct.pack("<4sIQQQ1sI", b"GGUF", 3, 0, 1, 1, b"k", 77) + bytes(64), "damaged"),
    ],
)
def test_files_that_are_no_models(tmp_path, content, reason):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    check_refused(path, reason)


def test_paths_that_are_no_files(tmp_path):
    check_refused(tmp_path / "missing.gguf", "no such file")
    check_refused(tmp_path, "folder")
    check_refused(tmp_path / "a\0b.gguf", "cannot be read")
    check_refused(tmp_path / ("x" * 5000), "cannot be read")


def test_models_that_cannot_be_used(make_gguf):
    check_refused(make_gguf(specials=DEEPSEEK[:2]), "not trained to fill in")
    check_refused(make_gguf(window=5), "context length")


def test_truncated_anywhere(make_gguf, tmp_path):
    whole = make_gguf().read_bytes()
    path = tmp_path / "cut.gguf"
    for size in [*range(24, 3000, 97), *range(3000, len(whole), 9001), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ModelFileError):
            read_description(path)


def test_flipped_bits_are_refused_or_harmless(make_gguf, tmp_path):
    """Whatever stands in the header, reading it ends at once, with a description or one line."""
    whole = make_gguf().read_bytes()
    path, rng = tmp_path / "flipped.gguf", random.Random(5)
    refused = []
    for at in [*range(0, 800, 3), *(rng.randrange(len(whole) // 4) for _ in range(200))]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) + whole[at + 1 :])
        try:
            read_description(path)
        except ModelFileError as error:
            refused.append(str(error))
    assert len(refused) > 50
    assert all(text.isprintable() for text in refused)


def test_a_download_that_reserved_its_size_and_stopped_is_refused(make_gguf, tmp_path):
    """Such a file has the right length, and zeros where the rest of its header should be."""
    path = tmp_path / "sparse.gguf"
    path.write_bytes(make_gguf().read_bytes()[:64])
    os.truncate(path, 1 << 30)
    check_refused(path, "no complete model")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """To open one would be to wait for ever."""
    os.mkfifo(tmp_path / "model.gguf")
    with pytest.raises(ModelFileError, match="is no file"):
        read_description(tmp_path / "model.gguf")
