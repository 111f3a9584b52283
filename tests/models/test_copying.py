"""Copying as a language model: what it goes on with, how sure it is, and what becomes of the model's own
probabilities."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from repofill.models.copying import Copying
from repofill.models.healing import Pieces
from repofill.models.protocol import FillRequest

WORDS = [b"subscribe", b"sub", b"scribe(", b"tract"]
PIECES = [bytes([byte]) for byte in range(256)] + WORDS
END, LINE_END = len(PIECES), len(PIECES) + 1
SIZE = LINE_END + 1


def tokenize(text: str) -> tuple[int, ...]:
    """The longest word at each place, or a byte."""
    data, tokens = text.encode("utf-8", "replace"), []
    while data:
        token = max((t for t, piece in enumerate(PIECES) if data.startswith(piece)), key=lambda t: len(PIECES[t]))
        tokens.append(token)
        data = data[len(PIECES[token]) :]
    return tuple(tokens)


def copying(prefix, *, typed="", suffix="", context=(), candidates=(), matched=(), block_indent=None):
    request = FillRequest(
        context=context, header="", prefix=prefix, suffix=suffix, candidates=candidates, block_indent=block_indent
    )
    ends = np.array([END, LINE_END])
    return Copying(request, matched, typed.encode("utf-8", "replace"), tokenize, Pieces([*PIECES, b"", b"\n"]), ends)


def mixed(model: Copying, written: bytes = b"", own: dict[int, float] | None = None):
    """Of a model that finds all tokens alike, but for its `own`."""
    logits = np.zeros(SIZE, np.float32)
    for token, more in (own or {}).items():
        logits[token] += more
    logprobs = logits - np.float32(np.logaddexp.reduce(logits))
    return logprobs, model.mixed(written, logprobs)


@pytest.mark.parametrize(
    ("arguments", "written", "expected"),
    [
        ({"prefix": "a.subscribe(x)\nb.subscribe"}, b"", b"("),
        ({"prefix": "a.subscribe(x)\nb.subscribe"}, b"(", b"x"),
        ({"prefix": "a.subscribe(x)\nb.subscribe"}, b"(x)", b""),
        ({"prefix": "x = b.", "context": ("# c.py\ny = b.subscribe()\n",)}, b"", b"subscribe"),
        ({"prefix": "x = b.", "suffix": "\ny = b.tract\n"}, b"", b"tract"),
        ({"prefix": "if q.b.", "candidates": ("tract()",), "matched": (4,)}, b"", b"tract"),
        ({"prefix": "if q.b.", "candidates": ("tract()",), "matched": (4,)}, b"tract()", b""),
        ({"prefix": "a.subscribe\na.subscribe\nc = a.sub", "typed": "sub"}, b"", b"subscribe"),
        ({"prefix": "a.subz\na.sub", "typed": "sub"}, b"", b"sub"),
        ({"prefix": "a.subz\na.sub", "typed": "sub"}, b"sub", b"z"),
        ({"prefix": "one\ntwo\n\n\nth"}, b"", None),
        ({"prefix": "if q.b.", "candidates": ("tract()",), "matched": (0,)}, b"", None),
        ({"prefix": "key = ", "context": ('key = "REDACTED"\n',)}, b"", None),
        ({"prefix": "for a in b:\nfor a in b:", "block_indent": 0}, b"", None),
        ({"prefix": "x = b.", "suffix": "x = b."}, b"", None),  # nobody knows what follows there
        ({"prefix": "é = ü.", "suffix": "\né = ü.tract\n"}, "ü".encode()[:1], None),
    ],
)
def test_what_is_copied(arguments, written, expected):
    own, after = mixed(copying(**arguments), written)
    if expected is None:
        assert after is own
        return
    assert float(np.logaddexp.reduce(after)) == pytest.approx(0, abs=1e-4)
    token = END if expected == b"" else PIECES.index(expected)
    assert int(after.argmax()) == token
    others = np.delete(after, token), np.delete(own, token)
    assert arguments.get("typed") or others[0] == pytest.approx(others[1] + math.log1p(-share(own, after)), abs=1e-4)


def share(own, after) -> float:
    """What all tokens together give up to the one that is copied."""
    return -math.expm1(float((after - own).min()))


def test_the_longer_the_match_the_surer():
    text = "the quick brown fox jumps over the lazy dog and"
    shares = []
    for length in (3, 8, 20, len(text)):
        ahead = text[-length:]
        own, after = mixed(copying(f"{text} tract\n~{ahead}"))
        shares.append(share(own, after))
    assert shares == sorted(shares)
    assert 0.03 < shares[0] < 0.1
    assert 0.4 < shares[-1] < 0.7


def test_a_longer_match_outweighs_many_shorter_ones():
    """And those as long share the probability."""
    _, after = mixed(copying("y = b.tract\n" + "= b.sub\n" * 4 + "y = b."))
    assert after[PIECES.index(b"tract")] > after[PIECES.index(b"sub")]
    _, after = mixed(copying("(b.tract\n(b.sub\n(b.sub\n~(b."))
    assert math.exp(after[PIECES.index(b"sub")] - after[PIECES.index(b"tract")]) == pytest.approx(2, rel=0.1)


def test_what_a_model_is_sure_of_stays():
    own, after = mixed(copying("a.subscribe\n~a."), own={PIECES.index(b"tract"): 12.0})
    assert int(after.argmax()) == int(own.argmax()) == PIECES.index(b"tract")


def test_the_likeliest_end_ends_a_copy():
    own, after = mixed(copying("f(x)\ng(x)"), own={LINE_END: 1.0})
    assert after[LINE_END] > own[LINE_END]
    assert after[END] < own[END]


def test_only_what_begins_as_typed_gives_way():
    """That the text begins so is as probable as the model says, whatever is copied."""
    own, after = mixed(copying("a.subscribe\n~a.sub", typed="sub"))
    begun = [PIECES.index(b"subscribe"), PIECES.index(b"sub")]
    assert np.logaddexp.reduce(after[begun]) == pytest.approx(np.logaddexp.reduce(own[begun]), abs=1e-5)
    assert np.array_equal(np.delete(after, begun), np.delete(own, begun))


def test_probabilities_stay_probabilities():
    """Whatever the texts are: repetitive, cut inside a character, with what parts them in the pool."""
    drawn = random.Random(1)
    parts = ["sub", "scribe(", "tract", "a.", " ", "\n", "\n    ", "\0", "é", "日", "\ud800", "REDACTED", ")"]
    copied = 0
    for _ in range(1000):
        prefix, suffix, context, candidate = ("".join(drawn.choices(parts, k=12)) for _ in range(4))
        typed = prefix[len(prefix) - drawn.randrange(4) :] if drawn.random() < 0.5 else ""
        written = (typed + suffix + candidate).encode("utf-8", "replace")[: drawn.randrange(12)]
        model = copying(
            prefix,
            typed=typed,
            suffix=suffix,
            context=(context, prefix + candidate),
            candidates=(candidate,),
            matched=(drawn.randrange(8),),
            block_indent=drawn.choice([None, 0]),
        )
        own, after = mixed(model, written, {drawn.randrange(SIZE): drawn.random() * 20})
        copied += after is not own
        assert float(np.logaddexp.reduce(after)) == pytest.approx(0, abs=1e-3)
    assert copied > 300
