"""The bundled model's tokenizer: byte-level BPE that llama.cpp reproduces exactly.

Called by `__main__`, `export`, `verify` and `warm_start`.

The pre-tokenizer's expressions are those of llama.cpp's `deepseek-coder` (and of DeepSeek Coder's own tokenizer file).
A line break is always a token of its own. The special tokens are not part of the BPE: no source text can produce one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

PRE_TOKENIZER = "deepseek-coder"
_EXPRESSIONS = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}")

SPECIAL_TOKENS = (
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁begin｜>",
    "<｜fim▁end｜>",
)


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """`vocabulary` counts the special tokens, which get the last ids."""
    tokenizer = new_tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def new_tokenizer(bpe: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(bpe)
    splits = [pre_tokenizers.Split(Regex(expression), "isolated") for expression in _EXPRESSIONS]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [*splits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path))


def encode_all(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]
