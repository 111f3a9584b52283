"""Prompt, scores and greedy text with a real model in this process: what is written where, when it ends, and that
reusing the cache changes nothing."""

from __future__ import annotations

import math
import random
import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repofill.models import llama
from repofill.models.copying import Copying
from repofill.models.decoding import Filler
from repofill.models.faults import Aborted
from repofill.models.gguf import read_description
from repofill.models.healing import Pieces, begun, joins
from repofill.models.kept import KeptCells
from repofill.models.llama import Llama, ModelFault, StopFlag, quota
from repofill.models.protocol import EngineOptions, FillRequest


def load(path, **options):
    description = read_description(path)
    stop = StopFlag()
    llama = Llama(description, EngineOptions(threads=1, **options), stop)
    return llama, Filler(llama, description), stop


def request(prefix, suffix="", **more):
    return FillRequest(context=(), header="# a.py\n", prefix=prefix, suffix=suffix, **more)


EOS = "<｜end▁of▁sentence｜>"

# Certain of every next token: ":" opens a block of two lines, "=" a line with an end of text, "q" one that never ends.
CHAIN = {
    ":": "\n\t",
    "\n\t": "x",
    "x": "\n\n\t",
    "\n\n\t": "y",
    "y": "\n",
    "\n": "z",
    "=": "1",
    "1": EOS,
    "2": "1",
    "(": ")\n",
    "q": "é",
    "é": "é",
    "r": "\r",
}


@pytest.fixture(scope="module")
def chain(make_gguf):
    merges = [("\n", "\t"), ("\n", "\n\t"), (")", "\n")]
    chain = {left: right for left, right in CHAIN.items() if "é" not in left + right}
    return load(make_gguf(merges=merges, successors={**chain, "q": "w", "w": "q"}))[1]


@pytest.mark.parametrize(
    ("prefix", "block_indent", "text", "ended", "tokens"),
    [
        ("a =", None, "1", "eos", 2),
        ("if x:", None, "", "newline", 0),
        ("f(", None, ")", "newline", 2),
        ("r", None, "", "newline", 0),
        ("y", None, "", "newline", 0),
        ("if x:", 0, "\n\tx\n\n\ty", "dedent", 5),
        ("if x:", 7, "\n\tx\n\n\ty", "dedent", 5),
        ("if x:", 8, "", "dedent", 0),
        ("a =", 0, "1", "eos", 2),
        ("q", None, "wqwqwqw", "length", 8),
        ("q", 0, "wqwqwqw", "length", 8),
    ],
)
def test_where_the_text_ends(chain, prefix, block_indent, text, ended, tokens):
    answer = chain.fill(request(prefix, max_tokens=8, block_indent=block_indent))
    assert (answer.text, answer.ended, len(answer.steps)) == (text, ended, tokens)
    assert answer.logprob == pytest.approx(0, abs=1e-2)


def test_the_certain_candidate_scores_zero_and_the_others_do_not(chain):
    candidates = ("1", "2", "1 + 1", "")
    scores = chain.fill(request("a = 2", candidates=candidates)).scores
    assert scores[0].logprob == pytest.approx(0, abs=1e-2)
    assert all(score.logprob < -5 for score in scores[1:])
    assert [score.tokens for score in scores] == [1, 1, 5, 0]


def test_how_the_text_came_about(make_gguf):
    """Token by token: where each ends, in whole characters, and how probable all so far are."""
    successors = {"=": "a", "a": "Ã", "Ã": "©", "©": "b", "b": EOS}  # the two bytes of é
    _, filler, _ = load(make_gguf(successors=successors, certainty=0.3))
    answer = filler.fill(request("x =", max_tokens=9))
    assert answer.text == "aéb"
    assert [end for end, _ in answer.steps] == [0, 1, 1, 2, 3]
    logprobs = [logprob for _, logprob in answer.steps]
    assert logprobs == sorted(logprobs, reverse=True)
    assert answer.logprob < logprobs[-1] < 0  # which ends there, too
    assert [answer.logprob_of(count) for count in range(4)] == [logprobs[0], logprobs[1], logprobs[3], answer.logprob]
    assert filler.fill(request("y", max_tokens=0)).steps == ()


@pytest.mark.parametrize(("prefix", "sure"), [("y", True), ("r", True), ("a = 1", True), ("a =", False), ("q", False)])
def test_whether_anything_is_missing(chain, prefix, sure):
    """Of a line alone: behind it stands its end, or that of the text."""
    end_logprob = chain.fill(request(prefix, max_tokens=8)).end_logprob
    assert end_logprob == pytest.approx(0, abs=1e-2) if sure else end_logprob < -5


def test_no_tokens_asked_for_means_scores_only(chain):
    answer = chain.fill(request("a =", candidates=("1",), max_tokens=0))
    assert (answer.text, answer.ended, len(answer.steps)) == ("", "length", 0)
    assert answer.scores[0] is not None


@pytest.mark.parametrize("circle", ["v", "vw", "vwxy"])
@pytest.mark.parametrize("block_indent", [None, 0])
def test_a_text_that_goes_in_circles_is_left_early(make_gguf, circle, block_indent):
    successors = dict(zip("1" + circle, circle + circle[0], strict=True))
    _, filler, _ = load(make_gguf(successors=successors))
    answer = filler.fill(request("1", max_tokens=100, block_indent=block_indent))
    assert answer.text == (circle * 12)[:12]
    assert (answer.ended, len(answer.steps)) == ("length", 12)


def test_special_tokens_in_source_text_stay_text(make_gguf):
    """Also where the file calls its markers user-defined, which llama.cpp parses even with special tokens off."""
    for special_type in (3, 4):
        declared = {f"tokenizer.ggml.fim_{part}_token_id": 257 + at for at, part in enumerate(("pre", "suf", "mid"))}
        path = make_gguf(specials=("<|a|>", "<|b|>", "<|c|>"), special_type=special_type, metadata=declared)
        llama, _, _ = load(path)
        assert b"".join(llama.pieces[token] for token in llama.tokenize("x<|a|><|b|><<|c|>y")) == b"x<|a|><|b|><<|c|>y"


def test_counting_keeps_nothing(random_model):
    """A workspace is counted once; its tokens would fill the memory."""
    _, filler, _ = load(random_model)
    texts = [f"{at:04}" + "x" * 20_000 for at in range(40)]
    tracemalloc.start()
    try:
        assert filler.count(texts) == (20_004,) * 40
        assert tracemalloc.get_traced_memory()[0] < 400_000, "less than three of the texts would leave behind"
    finally:
        tracemalloc.stop()


def test_text_survives_tokenizing(random_model):
    llama, _, _ = load(random_model)
    for text in ["", "é", "a\0b", "\r\n\t", "<｜fim▁hole｜> <｜end▁of▁sentence｜>", "日本", "𝒳", "return x"]:
        assert b"".join(llama.pieces[token] for token in llama.tokenize(text)) == text.encode()
    assert b"".join(llama.pieces[token] for token in llama.tokenize("a\ud800b")) == b"a?b"


@pytest.mark.parametrize("text", ["ab", " ab", "a b", "\nab", "", "é", "  a"])
def test_sentencepiece_puts_no_space_before_a_piece(make_gguf, text):
    """Context, prefix, suffix and candidates are pieces of a larger text: nothing may come between them."""
    llama, _, _ = load(make_gguf(sentencepiece=True, specials=("▁<PRE>", "▁<SUF>", "▁<MID>", "</s>")))
    assert b"".join(llama.pieces[token] for token in llama.tokenize(text)) == text.encode()
    assert llama.tokenize("ab") == (llama.pieces.index(b"ab"),)


@pytest.mark.parametrize("text", ["a", "(", "1", " ", "\n", "é", "\ud800", "a b(1)\n", "\0"])
def test_endless_words_are_tokenized(random_model, text):
    """Any of these, repeated, may end a process that hands it to llama.cpp in one piece."""
    llama, _, _ = load(random_model)
    whole = text * 100_000
    assert b"".join(llama.pieces[token] for token in llama.tokenize(whole)) == whole.encode("utf-8", "replace")


def test_overrides_reach_llama_cpp(make_gguf):
    """An old conversion of DeepSeek Coder behaves as the corrected one: digits stay single, positions are scaled."""
    settings = {"first_special": 32013, "rope_base": 100_000.0, "merges": [("1", "2")], "layers": 1}
    rope = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    old, right = (load(make_gguf(**settings, **more))[0] for more in ({"pre": None}, {"metadata": rope}))
    default = load(make_gguf(**settings, pre="default", metadata=rope))[0]
    assert old.tokenize("12") == right.tokenize("12") == default.tokenize("12")
    assert len(old.tokenize("12")) == 2
    prompt = list(range(40, 140))
    old.prefill(prompt)
    right.prefill(prompt)
    assert np.array_equal(old.logits(), right.logits())


def sequential_logprob(llama, filler, prompt, ids, *, ends, copying=None):
    """Log P(ids, and an end if it ends | prompt), one token after the other in an empty cache."""
    llama.clear()
    llama.prefill(prompt)
    total, written = 0.0, b""
    for token in (*ids, None) if ends else ids:
        logits = llama.logits().astype(np.float64)
        logprobs = logits - np.logaddexp.reduce(logits)
        if copying is not None:
            logprobs = copying.mixed(written, logprobs)
        total += float(np.logaddexp.reduce(logprobs[filler._endings[b""] if token is None else [token]]))
        if token is not None:
            llama.extend([token])
            written += llama.pieces[token]
    return total


def test_candidates_score_what_they_do_one_by_one(random_model):
    """In one batch, the first four that are not far too long."""
    llama, filler, _ = load(random_model)
    candidates = ("return x", "ret", "z" * 500, "", "return y\n    pass")
    asked = request("def f(x):\n    " * 8 + "y2", "\nprint(f(2))\n", candidates=candidates, max_tokens=12)
    alone = filler.fill(request(asked.prefix, asked.suffix, max_tokens=12))
    llama.clear()
    answer = filler.fill(asked)
    assert (answer.text, answer.ended) == (alone.text, alone.ended)
    assert answer.logprob == pytest.approx(alone.logprob, abs=1e-2)
    prompt = llama.tokens[: answer.prompt_tokens]
    for candidate, score in zip(candidates, answer.scores, strict=True):
        assert (score is None) is (len(candidate) == 500)
        if score is not None:
            ids = llama.tokenize(candidate)
            logprob = sequential_logprob(llama, filler, prompt, ids, ends=True)
            assert (score.logprob, score.tokens) == (pytest.approx(logprob, abs=1e-2), len(ids))


def test_candidates_without_room_in_the_batch_are_reckoned(random_model, monkeypatch):
    """By their first token alone; a random model gives each less than a hundredth."""
    monkeypatch.setattr(Llama, "branch_room", 150)
    scores = load(random_model)[1].fill(request("x = 2", candidates=("a" * 90, "b" * 90, "c" * 60))).scores
    each = [score.logprob / score.tokens for score in scores]
    assert each[0] < -4
    assert -2.3 < each[1] < -2
    assert each[2] < -4


def test_a_token_may_end_a_text_and_its_line(make_gguf):
    """As in many vocabularies: the text is as probable as all ways to write it and a line's end behind it."""
    merges = [(")", ";"), (");", "\n"), (";", "\n")]
    successors = {"(": {"a": 1.0}, "a": {");\n": 0.4, ");": 0.2, ")": 0.2}, ");": "\n", ")": {";\n": 0.3}}
    llama, filler, _ = load(make_gguf(merges=merges, successors=successors))
    answer = filler.fill(request("f(", candidates=("a);", "a)")))
    assert (answer.text, answer.ended) == ("a);", "newline")
    one, parts = (llama.tokenize(text) for text in ("a);", "a)"))
    assert (len(one), len(parts)) == (2, 2)
    prompt = [*llama.tokens[: answer.prompt_tokens], *llama.tokenize("(")]
    ways = [
        sequential_logprob(llama, filler, prompt, [one[0], llama.pieces.index(b");\n")], ends=False),
        sequential_logprob(llama, filler, prompt, one, ends=True),
    ]
    assert answer.scores[0].logprob == pytest.approx(np.logaddexp(*ways), abs=1e-2)
    assert answer.scores[1].logprob == pytest.approx(
        sequential_logprob(llama, filler, prompt, parts, ends=True), abs=1e-2
    )


@pytest.mark.parametrize(
    ("prefix", "typed"), [("x = retu", " retu"), ("f(x):\n    re", " re"), ("f(", "("), ("a ", " ")]
)
@pytest.mark.parametrize("matched", [None, (4, 0, 9, 0)])
def test_what_was_typed_of_a_token_is_given(random_model, prefix, typed, matched):
    """Its probability by every way to write it, one token after the other, divides those of all that begins so."""
    llama, filler, _ = load(random_model)
    candidates = ("rn x", "", "): pass", "turn")
    suffix = "\nprint(f(2))\na = a return x\n"
    asked = request(prefix, suffix, candidates=candidates, matched=matched, max_tokens=3)
    answer = filler.fill(asked)
    prompt = llama.tokens[: answer.prompt_tokens]
    ends = filler._endings[b""]
    copying = matched and Copying(asked, matched, typed.encode(), llama.tokenize, Pieces(llama.pieces), ends)
    tokens, data = llama.tokenize(typed), typed.encode()
    ways = set()
    for count in range(len(tokens)):
        rest = data[sum(len(llama.pieces[token]) for token in tokens[:count]) :]
        ways |= {(*tokens[:count], token) for token, piece in enumerate(llama.pieces) if piece.startswith(rest)}
    for candidate in candidates:
        reached, way = 0, []
        for token in llama.tokenize(typed + candidate):
            if reached < len(data):
                way.append(token)
                reached += len(llama.pieces[token])
        ways.add(tuple(way))
    ways = [sequential_logprob(llama, filler, prompt, way, ends=False, copying=copying) for way in ways]
    given = np.logaddexp.reduce(ways)
    for candidate, score in zip(candidates, answer.scores, strict=True):
        ids = llama.tokenize(typed + candidate)
        logprob = sequential_logprob(llama, filler, prompt, ids, ends=True, copying=copying)
        assert score.logprob == pytest.approx(logprob - given, abs=2e-2)
    assert answer.end_logprob == pytest.approx(answer.scores[1].logprob, abs=2e-2)


@pytest.mark.parametrize(
    ("prefix", "text"),
    [("a.", "subset"), ("a.s", "ubset"), ("a.sub", "set"), ("a.subs", "et"), ("a.subset", ""), ("a.submit", "")],
)
def test_a_word_goes_on_wherever_the_cursor_stands_in_it(make_gguf, prefix, text):
    merges = [("s", "u"), ("su", "b"), ("s", "e"), ("se", "t"), ("m", "i"), ("mi", "t")]
    successors = {".": {"sub": 0.9, "x": 0.01}, "sub": "set", "set": EOS, "mit": EOS}
    path = make_gguf(merges=merges, successors=successors, metadata={"repofill.fim.layout": "spm"})
    _, filler, _ = load(path)
    answer = filler.fill(request(prefix, candidates=(text, "x")))
    assert (answer.text, answer.ended) == (text, "eos")
    assert answer.scores[0].logprob > -0.1
    assert answer.scores[1].logprob < -2


@pytest.mark.parametrize("layout", ["psm", "spm"])
def test_while_a_word_is_typed_its_prompt_stays(make_gguf, layout):
    """Nothing of it is evaluated again, in whichever layout, and the answers are an empty cache's."""
    path = make_gguf(metadata={"repofill.fim.layout": layout})
    (_, filler, _), (_, fresh, _) = load(path), load(path)
    evaluated = []
    for prefix in ("x = ", "x = r", "x = re", "x = ret", "x = ret(", "x = re"):
        answer = filler.fill(request(prefix, "\nprint(x)\n", max_tokens=6))
        evaluated.append(answer.prompt_tokens - answer.cached_tokens)
        fresh.clear()
        other = fresh.fill(request(prefix, "\nprint(x)\n", max_tokens=6))
        assert (answer.text, answer.ended, other.cached_tokens) == (other.text, other.ended, 0)
        assert answer.logprob == pytest.approx(other.logprob, abs=1e-2)
    assert evaluated[2:4] == [0, 0]
    assert all(evaluated[at] > 0 for at in (0, 4, 5))


@pytest.mark.parametrize("following", ["\n", "!"])
@pytest.mark.parametrize("typed", ["a", "ab", "abc"])
def test_without_candidates_what_was_typed_is_evaluated_as_text(make_gguf, typed, following):
    """Its last token once, as the first one of what is written; the answer is the same."""
    llama, filler, _ = load(make_gguf(successors={"=": "a", "a": "b", "b": "c", "c": following}, certainty=0.5))
    asked = request(f"x ={typed}", max_tokens=4)
    batches = []
    llama.branch_logits = lambda branches, see: (
        batches.append(sorted(branches)) or Llama.branch_logits(llama, branches, see)
    )
    alone, beside = filler.fill(asked), filler.fill(replace(asked, candidates=("?",)))
    tokens = llama.tokenize(typed)
    assert batches == [*([[tokens[:-1]]] if tokens[1:] else []), sorted([tokens, llama.tokenize(f"{typed}?")])]
    assert (alone.text, alone.ended) == (beside.text, beside.ended)
    assert (alone.logprob, alone.end_logprob) == pytest.approx((beside.logprob, beside.end_logprob), abs=1e-3)


@pytest.mark.parametrize(
    ("prefix", "expected", "joined"),
    [
        ("", "", None),
        ("x", "x", None),
        ("x = foo", " foo", None),
        ("\n", "", None),
        ("if x:\n\t", "\t", None),
        ("    ", " ", None),
        ("a.b_", "_", None),
        ("f('", "('", None),
        ("f2", "", None),
        ("naïve", "naïve", None),
        ("return -", " -", None),
        ("a" * 40, "a" * 40, None),
        ("a" * 41, "", None),
        ("a.b", "b", ".b"),
        ("a2.get", "get", ".get"),
        ("f(_x", "x", None),
        ("f(self", "self", "(self"),
        ("as_json", "json", "_json"),
        (".b", "b", None),
        ("a b", " b", None),
        ("a." + "b" * 39, "b" * 39, "." + "b" * 39),
        ("a." + "b" * 40, "b" * 40, ""),
    ],
)
def test_what_may_be_the_beginning_of_a_token(prefix, expected, joined):
    """`joined`: where a vocabulary has tokens of a sign and the letters behind it."""
    assert begun(prefix, joined=False) == expected
    assert begun(prefix, joined=True) == (expected if joined is None else joined)


def test_a_vocabulary_with_tokens_of_a_sign_and_letters(make_gguf):
    merges = [("g", "e"), ("ge", "t"), (".", "get")]
    of_qwen = make_gguf(merges=merges, metadata={"tokenizer.ggml.pre": "qwen2"})
    assert [joins(load(path)[0].tokenize) for path in (make_gguf(merges=merges), of_qwen)] == [False, True]


def test_names_are_copied_that_the_model_has_not_learnt(make_gguf):
    """What the prompt goes on with behind the same text, or a candidate does, outweighs what a model finds as
    improbable as everything else; unless it is asked for its own text alone."""
    _, filler, _ = load(make_gguf(successors={"~": "~"}))
    prefix = "import subscriptions\nx = subscriptions.cancel_all(now)\ny = subscr"
    assert not filler.fill(request(prefix)).text.startswith("iptions")
    assert filler.fill(request(prefix, matched=())).text == "iptions.cancel_all(now)"
    offered = request("z = subscr", candidates=("iptions.renew()",), matched=(10,))
    assert filler.fill(offered).text == "iptions.renew()"


def test_of_less_promising_candidates_the_first_token_counts(chain):
    """Behind the first four: the certain token and an end cost two units each, what begins otherwise much more."""
    scores = chain.fill(request("a = 2", candidates=("2", "3", "4", "5", "1", "1y", "6", ""))).scores
    assert [score.logprob for score in scores[4:6]] == pytest.approx([-2, -4], abs=1e-2)
    assert scores[6].logprob < scores[4].logprob - 3
    assert [score.tokens for score in scores[4:]] == [1, 2, 1, 0]


@pytest.mark.parametrize(
    ("least", "ended", "text"), [(None, "newline", "vw"), (-0.3, "unlikely", "v"), (-9, "newline", "vw")]
)
def test_a_text_that_gets_too_improbable_is_given_up(make_gguf, least, ended, text):
    successors = {"u": "v", "v": "w", "w": "\n"}
    _, filler, _ = load(make_gguf(successors=successors, certainty=0.35))
    whole = filler.fill(request("u"))
    answer = filler.fill(request("u", least_logprob=least))
    assert (answer.text, answer.ended) == (text, ended)
    assert (answer.logprob == whole.logprob) is (answer.text == whole.text)


@pytest.mark.parametrize(("prefix", "text"), [("a =", "1"), ("if x:", ""), ("u", "vw")])
def test_the_written_text_has_the_score_of_a_candidate(make_gguf, prefix, text):
    """Both ways of computing the probability of a text, and of ending there, agree."""
    successors = {":": "\n", "=": "1", "1": EOS, "u": "v", "v": "w", "w": "\n"}
    _, filler, _ = load(make_gguf(successors=successors, certainty=0.35))
    answer = filler.fill(request(prefix, candidates=(text, text[:-1] + "?")))
    assert answer.text == text
    assert answer.logprob == pytest.approx(answer.scores[0].logprob, abs=1e-3)
    assert answer.scores[1].logprob < answer.logprob < -0.1


@pytest.mark.parametrize("keeping", [False, True])
@pytest.mark.parametrize(
    ("layout", "moved", "width"), [("spm", False, 32), ("spm", False, 64), ("psm", False, 32), ("psm", True, 32)]
)
def test_reused_cache_answers_as_an_empty_one(make_gguf, monkeypatch, layout, moved, width, keeping):
    """Random edits: typing, deleting, jumping, other suffixes and context; every answer equals a fresh cache's, be its
    beginning one that was kept. Cells of a single layer depend on their own tokens alone, so that is true of those that
    were moved there, too."""
    path = make_gguf(layers=1 if moved else 2, width=width, window=2048, metadata={"repofill.fim.layout": layout})
    kept, kept_filler, _ = load(path)
    fresh, fresh_filler, _ = load(path)
    if moved:
        monkeypatch.setattr(llama, "_MOVED_S", 0)
    if keeping:
        monkeypatch.setattr(llama, "_KEPT_S", 0)
    kept._kept, fresh._kept = KeptCells(10**6), KeptCells(0)
    rng = random.Random(7)
    prefix, suffix, context, reused = "import os\n" * 6, "\nend\n", ("# b.py\nB = 1\n",), 0
    for _ in range(60):
        match rng.randrange(6):
            case 0 | 1 | 2:
                prefix += rng.choice(["x", " = ", "ret", "\n", "é"])
            case 3:
                prefix = prefix[: -rng.randrange(1, 9)]
            case 4:
                suffix = rng.choice(["", "\nend\n", "\nx = 3\n" * 5])
            case 5:
                context = tuple(f"# {name}.py\n{name} = 1\n" for name in "abcd"[: rng.randrange(5)])
        asked = FillRequest(
            context=context, header="# a.py\n", prefix=prefix, suffix=suffix, candidates=("x", "ret x"), max_tokens=6
        )
        fresh.clear()
        one, other = kept_filler.fill(asked), fresh_filler.fill(asked)
        assert kept.tokens[: one.prompt_tokens] == fresh.tokens[: other.prompt_tokens]
        assert (one.text, one.ended, one.prompt_tokens) == (other.text, other.ended, other.prompt_tokens)
        assert one.logprob == pytest.approx(other.logprob, abs=1e-2)
        for mine, its in zip(one.scores, other.scores, strict=True):
            assert mine.logprob == pytest.approx(its.logprob, abs=1e-2)
        assert other.cached_tokens == 0
        reused += one.cached_tokens
    assert reused > 1000


def test_going_back_to_a_prompt_evaluates_little(make_gguf, monkeypatch):
    """Between two files and back, with something typed in each; until there is no room, or llama.cpp refuses."""
    monkeypatch.setattr(llama, "_KEPT_S", 0)
    one, filler, _ = load(make_gguf(window=2048))
    files = [("alpha = 1\n" * 40, "\nalpha()\n"), ("beta = 2\n" * 40, "\nbeta()\n")]

    def evaluated(typed):
        answers = [filler.fill(request(text + typed, suffix)) for text, suffix in files]
        return min(answer.prompt_tokens - answer.cached_tokens for answer in answers)

    one._kept = KeptCells(10**6)
    assert evaluated("") > 300
    assert evaluated("b") <= 20
    assert evaluated("be") <= 20
    monkeypatch.setattr(llama.C, "llama_state_seq_set_data", lambda *_: 0)
    assert evaluated("bet") > 300
    monkeypatch.undo()
    monkeypatch.setattr(llama, "_KEPT_S", 0)
    one._kept = KeptCells(10)
    assert evaluated("beta") > 300


def test_no_more_is_kept_than_is_wanted(random_model):
    size = read_description(random_model).size_bytes
    kept = [load(random_model, kept_bytes=wanted)[0]._kept.most_bytes for wanted in (0, 1000, 10 * size)]
    assert kept == [0, 1000, size // 2]


def test_what_follows_the_cursor_moves_with_it(make_gguf, monkeypatch):
    """Where evaluating it anew would take too long: typing costs what is typed. Elsewhere everything is exact again."""
    monkeypatch.setattr(llama, "_MOVED_S", 0)
    path = make_gguf(window=2048)
    kept, filler, _ = load(path)
    _, fresh_filler, _ = load(path)
    text, suffix = "def f(x):\n    " * 8, "\nprint(f(2))\n" * 12
    filler.fill(request(text, suffix))
    for character in "12345678":
        text += character
        answer = filler.fill(request(text, suffix))
        assert answer.prompt_tokens - answer.cached_tokens <= 4
        assert kept.exact < answer.prompt_tokens
    again = filler.fill(request(text, suffix))
    assert again.prompt_tokens == again.cached_tokens
    elsewhere = request(text, "value = 3\n" * 12)
    answer, other = filler.fill(elsewhere), fresh_filler.fill(elsewhere)
    assert (answer.text, answer.prompt_tokens) == (other.text, other.prompt_tokens)
    assert answer.logprob == pytest.approx(other.logprob, abs=1e-2)
    assert kept.exact == len(kept.tokens)


@pytest.mark.parametrize(
    ("layout", "width", "share"),
    [("spm", 64, (1 + 34 / 64) / 2), ("spm", 48, 1), ("spm", 80, 1), ("psm", 64, 1)],  # heads of 32, 24, 40, 32
)
def test_keys_take_half_the_room_where_they_can(make_gguf, layout, width, share):
    """Where a head's width is no multiple of 32, llama.cpp would refuse to; where cells are moved, it crashes."""
    model, _, _ = load(make_gguf(width=width, metadata={"repofill.fim.layout": layout}))
    model.prefill(list(range(200)))
    size = llama.C.llama_state_seq_get_size(model._context, 0)
    assert size == pytest.approx(200 * 2 * 2 * width * 2 * share, rel=0.1)  # layers, keys and values, two bytes


def test_an_aborted_prefill_resumes_to_the_same_bits(random_model):
    """Whatever was evaluated when the flag was set is kept, and what comes after is as if nothing had happened."""
    fresh, _, _ = load(random_model)
    llama, _, stop = load(random_model)
    prompt = [random.Random(1).randrange(256) for _ in range(1024)]
    fresh.prefill(prompt)
    expected = fresh.logits().copy()
    partial = 0
    for delay_ms in (0, 1, 2, 3, 4, 6, 8, 10):
        llama.clear()
        stop.clear()
        timer = threading.Timer(delay_ms / 1000, stop.set)
        timer.start()
        aborted = False
        try:
            llama.prefill(prompt)
        except Aborted:
            aborted = True
            partial += 0 < len(llama.tokens) < len(prompt)
        timer.join()
        stop.clear()
        assert llama.tokens == prompt[: len(llama.tokens)]
        if not aborted:  # by a quicker machine: the last token alone would be evaluated again, and rounded otherwise
            continue
        llama.prefill(prompt)
        assert np.array_equal(llama.logits(), expected)
    assert partial > 0


def test_little_work_is_done_by_one_thread(random_model, monkeypatch):
    """The more tokens at once, the more work; the user's number of threads is for more than little."""
    model, _, _ = load(random_model)
    model._threads = 2
    least = llama._READING_TOKENS + 4
    monkeypatch.setattr(llama, "_ALONE_BYTES", least * model._size_bytes)
    used = []
    for count in (4, 5, 1):
        model.clear()
        model.prefill(list(range(count)))
        used.append(llama.C.llama_n_threads(model._context))
    assert used == [1, 2, 1]


def test_what_llama_cpp_would_abort_on_is_an_error(random_model):
    llama, _, _ = load(random_model, n_ctx=256)
    for prompt in ([], [1] * 257, [llama.vocabulary_size], [-1]):
        with pytest.raises(ModelFault):
            llama.prefill(prompt)
    llama.prefill([1] * 256)
    with pytest.raises(ModelFault):
        llama.extend([1])
    with pytest.raises(ModelFault):
        llama.branch_logits([(1,)] * 17, lambda path, logits: None)
    llama.prefill([1, 2, 3])
    assert llama.tokens == [1, 2, 3]


def test_a_prompt_that_outgrows_the_window_is_cut(random_model):
    llama, filler, _ = load(random_model, n_ctx=256)
    for size in (10, 100, 1000, 5000):
        answer = filler.fill(
            FillRequest(
                context=("# b.py\n" + "b" * 100 + "\n",) * 4,
                header="# a.py\n",
                prefix="p" * size,
                suffix="s" * size,
                candidates=("c" * 20,),
                max_tokens=30,
            )
        )
        assert answer.prompt_tokens <= 256 - 30
        assert math.isfinite(answer.logprob)
        assert answer.scores[0] is not None
    assert len(llama.tokens) <= 256


@pytest.mark.parametrize(
    ("content", "cores"),
    [("200000 100000\n", 2.0), ("50000 100000\n", 0.5), ("max 100000\n", math.inf), ("", math.inf), (None, math.inf)],
)
def test_what_a_container_may_use(content: str | None, cores: float, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "cpu.max").write_text(content)
    assert quota(tmp_path / "cpu.max") == cores


def test_threads_keep_to_what_a_container_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for allowed, threads in [(0.5, 1), (1.0, 1)]:
        monkeypatch.setattr(llama, "quota", lambda limit, allowed=allowed: allowed)
        assert llama.physical_cores() == threads
