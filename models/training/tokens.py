"""From workspaces to rows of tokens: examples made, tokenised and packed, reproducibly. Called by `__main__`."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from repofill.models.training.corpus import files_of
from repofill.models.training.examples import CHARACTERS_PER_EXAMPLE, examples
from repofill.models.training.infilling import Marker, assemble
from repofill.models.training.rows import packed
from repofill.models.training.tokenizer import encode_all, load_tokenizer

_FILLED = 0.45
"""The mean length of an example as a share of the window, roughly."""
_MARKER_ORDER = (Marker.BOS, Marker.EOS, Marker.HOLE, Marker.BEGIN, Marker.END)

_Tokens = NDArray[np.uint16]


def write_rows(
    path: Path, parts: Sequence[tuple[Sequence[Path], int]], tokenizer: Path, *, window: int, seed: int
) -> int:
    """Write rows of `window` + 1 tokens as a flat file; return their number. `parts` are folders and how many tokens
    the examples of each hold together. Equal arguments give an equal file. One process per core."""
    made: list[_Tokens] = []
    with ProcessPoolExecutor() as pool:
        for folders, tokens in parts:
            made += _made(pool, folders, tokens, tokenizer, window, seed)
    random.Random(seed).shuffle(made)  # a row should not hold one file's text twice
    rows = 0
    partial_file = path.with_suffix(".part")
    with partial_file.open("wb") as file:
        for row in packed((example.tolist() for example in made), window + 1):
            file.write(row.tobytes())
            rows += 1
    partial_file.replace(path)
    return rows


def _made(
    pool: ProcessPoolExecutor, folders: Sequence[Path], tokens: int, tokenizer: Path, window: int, seed: int
) -> list[_Tokens]:
    made: list[_Tokens] = []
    total = passes = 0
    size = sum(pool.map(_examples_asked, folders))
    while total < tokens:
        share = min(tokens / (size * window * _FILLED), 1.0)
        make = partial(_encoded, tokenizer=tokenizer, window=window, seed=seed + passes, share=share)
        for of_folder in pool.map(make, folders):
            made += of_folder
            total += sum(map(len, of_folder))
        passes += 1
    return made


def _examples_asked(folder: Path) -> int:
    return sum(1 + file.stat().st_size // CHARACTERS_PER_EXAMPLE for file in files_of(folder))


def _encoded(folder: Path, *, tokenizer: Path, window: int, seed: int, share: float) -> list[_Tokens]:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # there is a process per core already
    encoder = load_tokenizer(tokenizer)
    all_pieces = list(examples(folder, window, seed, share))
    encoded = iter(encode_all(encoder, [piece for pieces in all_pieces for piece in pieces if isinstance(piece, str)]))
    ids = _marker_ids(encoder)
    return [
        np.array(assemble(pieces, [next(encoded) for piece in pieces if isinstance(piece, str)], ids), dtype=np.uint16)
        for pieces in all_pieces
    ]


def _marker_ids(tokenizer: Tokenizer) -> dict[Marker, int]:
    first = tokenizer.get_vocab_size()
    return {marker: first + at for at, marker in enumerate(_MARKER_ORDER)}
