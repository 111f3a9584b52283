"""From documents to rows of tokens: examples built, tokenised and packed, reproducibly. Called by `__main__`."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer

from repofill.context.languages import path_comment
from repofill.models.training.corpus import Document
from repofill.models.training.infilling import Marker, Source, assemble, context_block, example
from repofill.models.training.rows import packed
from repofill.models.training.tokenizer import encode_all

_CHARACTERS_PER_TOKEN = 3.0
_BATCH = 8192
"""So many examples are tokenised, and shuffled, together: a row should not hold one file's text twice."""


def write_rows(
    path: Path, documents: Sequence[Document], tokenizer: Tokenizer, *, window: int, tokens: int, seed: int
) -> int:
    """Write rows of `window` + 1 tokens as a flat file until it holds `tokens`; return the number of rows."""
    bos_first = tokenizer.get_vocab_size()
    ids = {marker: bos_first + i for i, marker in enumerate(_MARKER_ORDER)}
    rows = 0
    with path.open("wb") as file:
        for row in packed(_encoded(_examples(documents, window, seed), tokenizer, ids), window + 1):
            file.write(row.tobytes())
            rows += 1
            if rows * window >= tokens:
                break
    return rows


_MARKER_ORDER = (Marker.BOS, Marker.EOS, Marker.HOLE, Marker.BEGIN, Marker.END)


def _encoded(
    examples: Iterator[list[str | Marker]], tokenizer: Tokenizer, ids: dict[Marker, int]
) -> Iterator[list[int]]:
    choice = random.Random(0)
    while batch := list(islice(examples, _BATCH)):
        choice.shuffle(batch)
        texts = [piece for pieces in batch for piece in pieces if isinstance(piece, str)]
        encoded = iter(encode_all(tokenizer, texts))
        for pieces in batch:
            count = sum(isinstance(piece, str) for piece in pieces)
            yield assemble(pieces, [next(encoded) for _ in range(count)], ids)


def _examples(documents: Sequence[Document], window: int, seed: int) -> Iterator[list[str | Marker]]:
    """Endless: every document again and again, in a new order, each time with new holes, as many as its length asks."""
    choice = random.Random(seed)
    by_path: dict[str, dict[str, Document]] = defaultdict(dict)
    for document in documents:
        by_path[document.package][document.path] = document
    while True:
        for document in choice.sample(documents, len(documents)):
            for _ in range(1 + len(document.text) // 3000):
                share = choice.choices((1.0, 0.5, choice.uniform(0.12, 0.4)), (35, 25, 40))[0]
                characters = int(window * share * _CHARACTERS_PER_TOKEN)
                context = _context(document, by_path[document.package], characters, choice)
                header = path_comment(document.path) + "\n"
                yield example(Source(header=header, text=document.text, context=context), characters, choice)


def _context(
    document: Document, package: dict[str, Document], characters: int, choice: random.Random
) -> tuple[str, ...]:
    """Up to three of the file's dependencies in the package's order, as definitions or whole, cut to a share."""
    near = [path for path in document.dependencies if path in package]
    if not near or choice.random() < 0.3:
        return ()
    chosen = set(choice.sample(near, min(len(near), choice.choice((1, 2, 3)))))
    room = int(characters * choice.choice((0.2, 0.35, 0.5))) // len(chosen)
    blocks = []
    for other in (package[path] for path in package if path in chosen):  # the corpus is in dependency order
        short = other.definitions if other.definitions and choice.random() < 0.65 else other.text
        blocks.append(context_block(path_comment(other.path) + "\n", short, room))
    return tuple(block for block in blocks if block is not None)
