"""`python -m repofill.models.training`: packages → corpus → tokenizer → rows → training → GGUF, each stage reused."""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import torch
from platformdirs import user_cache_path

from repofill.models.training.corpus import build_corpus, is_validation, number, read_corpus, read_manifest
from repofill.models.training.export import write_gguf
from repofill.models.training.model import Network, Shape
from repofill.models.training.report import write_loss_curve
from repofill.models.training.rows import read_rows
from repofill.models.training.tokenizer import load_tokenizer, train_tokenizer
from repofill.models.training.tokens import write_rows
from repofill.models.training.train import train
from repofill.models.training.verify import compare
from repofill.models.training.warm_start import read_network, read_tokenizer

WINDOWS = (1024, 2048)
_VALIDATION_TOKENS = 200_000
_TOKENIZER_SHARE = 3


def main() -> None:
    options = _options()
    folder: Path = options.cache
    folder.mkdir(parents=True, exist_ok=True)
    if not options.resume:
        for name in ("checkpoint.pt", "log.jsonl"):
            (folder / name).unlink(missing_ok=True)
    if options.start_from and not (folder / "tokenizer.json").exists():
        read_tokenizer(options.start_from).save(str(folder / "tokenizer.json"))
    prepare(folder, tokens=int(options.tokens * 1e6), vocabulary=Shape().vocabulary)

    def export(checkpoint: Path) -> None:
        write_gguf(checkpoint, folder / "tokenizer.json", options.output)

    torch.manual_seed(0)
    network, trained_tokens = read_network(options.start_from) if options.start_from else (Network(Shape()), 0)
    budget_s = options.budget_minutes * 60
    checkpoint = train(
        folder, network, budget_s=budget_s, windows=WINDOWS, on_save=export, trained_tokens=trained_tokens
    )
    export(checkpoint)
    write_loss_curve(folder / "log.jsonl", options.output.with_name("loss.svg"))
    check(folder, options.output)


def check(folder: Path, output: Path) -> None:
    """Raises SystemExit unless llama.cpp tokenises as the trainer does and the file computes what was trained."""
    texts = [document.text for document in islice(read_corpus(folder / "corpus.jsonl"), 300)]
    rows = read_rows(folder / "validation.bin", WINDOWS[0])[:4]
    found = compare(output, folder / "checkpoint.pt", folder / "tokenizer.json", texts, rows)
    print(f"equal token ids: {found.ids:.2%} of {len(texts)} files; same likeliest token: {found.top_1:.2%}")
    print(f"largest difference of a weight read back: {found.weights:.2g}")
    if found.ids < 1 or found.top_1 < 0.98 or found.weights > 0.02:
        raise SystemExit(f"{output} does not compute what was trained")


def prepare(folder: Path, *, tokens: int, vocabulary: int) -> None:
    """Make what is missing of the corpus, the tokenizer and the rows; delete a file to have it made anew."""
    corpus, tokenizer_path, validation = folder / "corpus.jsonl", folder / "tokenizer.json", folder / "validation.bin"
    rows = {window: folder / f"train-{window}.bin" for window in WINDOWS}
    if all(path.exists() for path in (tokenizer_path, validation, *rows.values())):
        return
    if not corpus.exists():
        partial = corpus.with_suffix(".part")
        print("files:", dict(build_corpus(read_manifest(), folder, partial)), flush=True)
        partial.replace(corpus)
    documents = list(read_corpus(corpus))
    training = [document for document in documents if not is_validation(document.package)]
    if not tokenizer_path.exists():
        sample = (document.text for document in training if number(document.path) % _TOKENIZER_SHARE == 0)
        train_tokenizer(sample, vocabulary).save(str(tokenizer_path))
    tokenizer = load_tokenizer(tokenizer_path)
    set_aside = [document for document in documents if is_validation(document.package)]
    write_rows(validation, set_aside, tokenizer, window=WINDOWS[0], tokens=_VALIDATION_TOKENS, seed=0)
    for window, path in rows.items():
        if not path.exists():
            share = tokens if window == WINDOWS[0] else tokens // 4
            print("rows:", write_rows(path, training, tokenizer, window=window, tokens=share, seed=window), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m repofill.models.training", description=__doc__)
    parser.add_argument("--budget-minutes", type=float, default=70, help="training time over all calls (default: 70)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint instead of starting anew")
    parser.add_argument(
        "--start-from", type=Path, metavar="GGUF", help="begin with the weights and the tokenizer of an exported file"
    )
    parser.add_argument("--tokens", type=float, default=60, help="millions of tokens to prepare (default: 60)")
    parser.add_argument("--cache", type=Path, default=user_cache_path("repofill") / "training")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "bundled" / "repofill-py.gguf")
    return parser.parse_args()


if __name__ == "__main__":
    main()
