"""`python -m repofill.models.training`: packages → corpus → common lines and tokenizer → rows → training → GGUF, each
stage reused."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from platformdirs import user_cache_path

from repofill.models.common import FILE
from repofill.models.training.common import write_common_lines
from repofill.models.training.corpus import build_corpus, files_of, read_manifest, workspaces
from repofill.models.training.export import write_gguf
from repofill.models.training.model import SHAPES, Network, Shape
from repofill.models.training.releases import ECOSYSTEMS, Ecosystem, number
from repofill.models.training.report import write_loss_curve
from repofill.models.training.rows import read_rows
from repofill.models.training.tokenizer import train_tokenizer
from repofill.models.training.tokens import write_rows
from repofill.models.training.train import train
from repofill.models.training.verify import compare
from repofill.models.training.warm_start import read_network, read_tokenizer

_WINDOWS = {"small": (1024, 4096), "large": (2048, 4096)}
"""The rows' lengths in tokens, for most of a run and for its end: a GPU can afford longer ones."""
_LONG_SHARE = 5
"""One token in so many is prepared in rows of the longer window."""
_VALIDATION_TOKENS = 200_000
_TOKENIZER_SHARE = 3
_CHECKED_FILES, _CHECKED_ROWS = 500, 3
"""Of each ecosystem."""


def main() -> None:
    options = _options()
    corpus, folder = options.cache / "corpus", options.cache / options.size
    folder.mkdir(parents=True, exist_ok=True)
    if not options.resume:
        for name in ("checkpoint.pt", "log.jsonl"):
            (folder / name).unlink(missing_ok=True)
    windows = _WINDOWS[options.size]
    torch.manual_seed(0)
    network, trained_tokens = Network(SHAPES[options.size]), 0
    if options.start_from:
        network, trained_tokens = read_network(options.start_from, window=windows[-1])
        if not (folder / "tokenizer.json").exists():
            read_tokenizer(options.start_from).save(str(folder / "tokenizer.json"))
    tokens = int(options.tokens * 1e6)
    of_npm = int(tokens * options.npm_share)
    shares: dict[Ecosystem, int] = {"pypi": tokens - of_npm, "npm": of_npm}
    prepare(corpus, folder, windows, tokens=shares, shape=network.shape, seed=trained_tokens)

    def export(checkpoint: Path) -> None:
        write_gguf(checkpoint, folder / "tokenizer.json", options.output)

    shutil.copyfile(folder / FILE, options.output.with_name(FILE))
    checkpoint = train(
        folder,
        network,
        budget_s=options.budget_minutes * 60,
        windows=windows,
        on_save=export,
        trained_tokens=trained_tokens,
        peak_rate=options.rate,
    )
    export(checkpoint)
    write_loss_curve(folder / "log.jsonl", options.output.with_name("loss.svg"))
    check(corpus, folder, windows[0])


def check(corpus: Path, folder: Path, window: int) -> None:
    """Raises SystemExit unless llama.cpp tokenises as the trainer does and a file in half precision computes what was
    trained."""
    full = folder / "full.gguf"
    write_gguf(folder / "checkpoint.pt", folder / "tokenizer.json", full, full=True)
    texts = [text for name in ECOSYSTEMS for text in islice(_texts(corpus, name), _CHECKED_FILES)]
    rows = np.concatenate([read_rows(folder / f"validation-{name}.bin", window)[:_CHECKED_ROWS] for name in ECOSYSTEMS])
    found = compare(full, folder / "checkpoint.pt", folder / "tokenizer.json", texts, rows)
    print(f"equal token ids: {found.ids:.2%} of {len(texts)} files")
    print(f"same likeliest token: {found.top_1:.2%} of {found.positions} positions")
    print(f"largest difference of a weight read back: {found.weights:.2g}")
    if found.ids < 1 or found.top_1 < 0.99 or found.weights > 0.002:
        raise SystemExit(f"{full} does not compute what was trained")


def prepare(
    corpus: Path, folder: Path, windows: tuple[int, int], *, tokens: Mapping[Ecosystem, int], shape: Shape, seed: int
) -> None:
    """Make what is missing of the corpus, its common lines, the tokenizer and the rows, of so many tokens from each
    ecosystem; delete a file to have it made anew."""
    tokenizer = folder / "tokenizer.json"
    if not corpus.exists():
        partial = corpus.with_suffix(".part")
        fate = build_corpus(read_manifest(), corpus.parent, partial)
        (corpus.parent / "corpus.json").write_text(json.dumps(fate, indent=2) + "\n", encoding="utf-8")
        print("files:", dict(fate), flush=True)
        partial.rename(corpus)
    if not tokenizer.exists():
        texts = (text for name in ECOSYSTEMS for text in _texts(corpus, name))
        sample = (text for text in texts if number(text) % _TOKENIZER_SHARE == 0)
        train_tokenizer(sample, shape.vocabulary).save(str(tokenizer))
    if not (folder / FILE).exists():
        write_common_lines(corpus, folder / FILE)
    for name in ECOSYSTEMS:
        path = folder / f"validation-{name}.bin"
        if not path.exists():
            set_aside = workspaces(corpus, name, validation=True)
            write_rows(path, [(set_aside, _VALIDATION_TOKENS)], tokenizer, window=windows[0], seed=0)
    for window in windows:
        path = folder / f"train-{window}.bin"
        if not path.exists():
            share = 1 if window == windows[0] else _LONG_SHARE
            parts = [(workspaces(corpus, name, validation=False), tokens[name] // share) for name in ECOSYSTEMS]
            count = write_rows(path, parts, tokenizer, window=window, seed=seed + window)
            print(f"rows of {window} tokens: {count}", flush=True)


def _texts(corpus: Path, ecosystem: Ecosystem) -> Iterator[str]:
    """Those that are trained on."""
    folders = workspaces(corpus, ecosystem, validation=False)
    return (path.read_text(encoding="utf-8") for folder in folders for path in files_of(folder))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m repofill.models.training", description=__doc__)
    parser.add_argument("--budget-minutes", type=float, default=70, help="training time over all calls (default: 70)")
    parser.add_argument("--size", choices=SHAPES, default="small", help="small for a CPU, large for a GPU")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint instead of starting anew")
    parser.add_argument(
        "--start-from", type=Path, metavar="GGUF", help="begin with the weights and the tokenizer of an exported file"
    )
    parser.add_argument("--tokens", type=float, default=60, help="millions of tokens to prepare (default: 60)")
    parser.add_argument(
        "--npm-share", type=float, default=0.5, help="of them so many, of 1, from npm's packages (default: 0.5)"
    )
    parser.add_argument("--rate", type=float, help="peak learning rate (default: 0.0035, 0.0015 with --start-from)")
    parser.add_argument("--cache", type=Path, default=user_cache_path("repofill") / "training")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "bundled" / "repofill-small.gguf")
    return parser.parse_args()


if __name__ == "__main__":
    main()
