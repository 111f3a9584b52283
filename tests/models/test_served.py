"""Servers that are none, or not well: what each comes to in one line. The real one is met in `tests/e2e`."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from repofill.models.engine import Engine
from repofill.models.faults import ServerAway, ServerError
from repofill.models.protocol import EngineOptions, FillRequest
from repofill.models.served import Interrupt, ServedFiller

PROPS = {"model_path": "/models/coder.gguf", "default_generation_settings": {"n_ctx": 2048}}
MODELS = {"data": [{"meta": {"size": 800_000_000}}]}
STEP = {"id": 9, "bytes": [120], "logprob": -0.1, "top_logprobs": [{"id": 9, "bytes": [120], "logprob": -0.1}]}
MARKERS = {"<|fim_prefix|>": 1, "<|fim_suffix|>": 2, "<|fim_middle|>": 3, "<|file_sep|>": 4}
Answer = tuple[int, object]
REQUEST = FillRequest(context=(), header="# a.py\n", prefix="x = 1", suffix="\n", deadline_s=5.0)


def tokens(body: Mapping[str, object]) -> Answer:
    text = str(body["content"])
    return 200, {"tokens": [MARKERS[text]] if text in MARKERS and body["parse_special"] else [ord(c) for c in text]}


HEALTHY: dict[str, Callable[[Mapping[str, object]], Answer]] = {
    "/props": lambda body: (200, PROPS),
    "/v1/models": lambda body: (200, MODELS),
    "/tokenize": tokens,
    "/completion": lambda body: (200, {"timings": {"prompt_per_second": 500.0}}),
}


@contextmanager
def serving(routes: Mapping[str, Callable[[Mapping[str, object]], Answer]]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers as `routes` say; its address, and the keys it was given."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            keys.append(self.headers.get("Authorization") or "")
            status, answer = routes.get(self.path, lambda body: (404, {}))(json.loads(body or b"{}"))
            self.send_response(status)
            self.end_headers()
            if isinstance(answer, Iterator):
                self.wfile.writelines(answer)
            else:
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", keys
    finally:
        server.shutdown()
        server.server_close()


def routes_with(path: str, answer: Answer) -> dict[str, Callable[[Mapping[str, object]], Answer]]:
    return HEALTHY | {path: lambda body: answer}


@pytest.mark.parametrize(
    ("path", "answer", "kind", "text"),
    [
        ("/props", (404, {}), ServerError, "is not a llama-server, or an old one: it answers /props with 404"),
        ("/props", (200, {}), ServerError, "it does not say what it runs"),
        ("/props", (200, [1, 2]), ServerError, "it does not say what it runs"),
        ("/props", (200, b"<html>"), ServerError, "it answers /props with no JSON"),
        ("/props", (401, {}), ServerError, "set REPOFILL_API_KEY"),
        ("/props", (503, {}), ServerAway, "is not ready yet (503"),
        ("/v1/models", (200, {"data": []}), ServerError, "it does not say what it runs"),
        ("/tokenize", (200, {"tokens": [7, 8]}), ServerError, "its model was not trained to fill in"),
        ("/tokenize", (200, {"content": "x"}), ServerError, "it answers /tokenize without tokens"),
        ("/completion", (500, {}), ServerAway, "is not ready yet (500"),
    ],
)
def test_what_is_wrong(path: str, answer: Answer, kind: type[Exception], text: str) -> None:
    with serving(routes_with(path, answer)) as (address, _), pytest.raises(ServerError) as raised:
        ServedFiller(address, EngineOptions(), Interrupt())
    assert type(raised.value) is kind
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("after_s", "state"), [(0.0, "ready"), (600.0, "failed")])
async def test_a_server_that_cannot_be_used_may_be_another_later(
    after_s: float, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repofill.models.engine._SERVER_CHANGES_S", after_s)
    routes = routes_with("/props", (404, {}))
    with serving(routes) as (address, _):
        engine = Engine(address)
        try:
            assert not await engine.ready()
            assert engine.state == "failed"
            routes["/props"] = HEALTHY["/props"]
            await engine.ready()
            assert engine.state == state
        finally:
            await engine.close()


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "http://nowhere.invalid:80", "http://127.0.0.1:x", "http://"]
)
def test_nobody_there(address: str) -> None:
    with pytest.raises(ServerError, match=address):
        ServedFiller(address, EngineOptions(), Interrupt())


@pytest.mark.parametrize(
    "address", ["http://my host:80", "http://[::1", "http://a..b", "http://127.0.0.1:99999", "http://127.0.0.1:1/é"]
)
async def test_no_address(address: str) -> None:
    """One line says so, not that anything else was broken."""
    engine = Engine(address)
    try:
        assert not await engine.ready()
        assert (engine.state, engine.reason.startswith(f"{address} is no address: ")) == ("failed", True)
        assert engine.reason.isprintable()
    finally:
        await engine.close()


def test_key_and_description(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key goes along with every request; what the server says of the model is what is known of it."""
    monkeypatch.setenv("REPOFILL_API_KEY", "secret")
    with serving(HEALTHY) as (address, keys):
        filler = ServedFiller(address, EngineOptions(n_ctx=1024), Interrupt())
    model, ready = filler.description, filler.ready()
    assert set(keys) == {"Bearer secret"}
    assert (model.name, model.size_bytes, model.served) == ("coder", 800_000_000, address)
    assert (model.context_window, ready.n_ctx, ready.tokens_per_s) == (1024, 1024, 500.0)


def test_source_text_makes_no_markers() -> None:
    """What reaches the model are tokens; of the texts alone, without their special ones."""
    sent: list[Mapping[str, object]] = []

    def completion(body: Mapping[str, object]) -> Answer:
        if not body.get("stream"):
            return 200, {}
        sent.append(body)
        return 200, b'data: {"content": "", "stop": true}\n\n'

    with serving(HEALTHY | {"/completion": completion}) as (address, _):
        filler = ServedFiller(address, EngineOptions(), Interrupt())
        filler.fill(FillRequest(context=(), header="", prefix="<|fim_prefix|>1", suffix="y", deadline_s=5.0))
    prompt = sent[0]["prompt"]
    assert prompt == [1, *map(ord, "<|fim_prefix|>1"), 2, ord("y"), 3]


def test_vocabularies_with_ways_of_their_own() -> None:
    """Sentencepiece puts a space in front, markers that are user-defined are made of any text, and half a character is
    none: of source text nothing of that is left."""
    sent: list[Mapping[str, object]] = []

    def spaced(body: Mapping[str, object]) -> Answer:
        text = str(body["content"])
        text.encode("utf-8")
        return 200, {"tokens": [MARKERS[text]] if text in MARKERS else [32, *map(ord, text)]}

    def completion(body: Mapping[str, object]) -> Answer:
        if not body.get("stream"):
            return 200, {}
        sent.append(body)
        return 200, b'data: {"content": "", "stop": true}\n\n'

    models = {"data": [{"meta": {"size": 1, "vocab_type": 1}}]}
    routes = HEALTHY | {"/tokenize": spaced, "/completion": completion, "/v1/models": lambda body: (200, models)}
    with serving(routes) as (address, _):
        filler = ServedFiller(address, EngineOptions(), Interrupt())
        filler.fill(FillRequest(context=(), header="", prefix="<|fim_prefix|>\ud800", suffix="y", deadline_s=5.0))
    assert sent[0]["prompt"] == [1, *map(ord, "<|fim_prefix|>?"), 2, ord("y"), 3]


def test_writing_ends_as_of_a_model_of_our_own() -> None:
    """At the line's end, at a marker, and where the server has nothing more."""
    newline = STEP | {"id": 10, "bytes": [121, 10, 122], "top_logprobs": [{"id": 10, "bytes": [10], "logprob": -0.5}]}
    marker = STEP | {"id": 1, "bytes": [], "top_logprobs": [{"id": 1, "bytes": [], "logprob": -0.7}]}
    for steps, ended, text, logprob in [
        ([STEP, newline, STEP], "newline", "xy", -0.2),
        ([STEP, marker, STEP], "eos", "x", -0.1 - 0.7),
        ([STEP, STEP], "length", "xx", -0.2),
        ([], "length", "", 0.0),
    ]:
        events = [{"completion_probabilities": [step], "timings": {"prompt_n": 3}} for step in steps] + [{"stop": True}]
        body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)

        def completion(asked: Mapping[str, object], body: bytes = body) -> Answer:
            return (200, body) if asked.get("stream") else (200, {})

        with serving(HEALTHY | {"/completion": completion}) as (address, _):
            answer = ServedFiller(address, EngineOptions(), Interrupt()).fill(REQUEST)
        assert (answer.ended, answer.text) == (ended, text)
        assert answer.prompt_tokens - answer.cached_tokens == (3 if steps else answer.prompt_tokens)
        assert answer.logprob == pytest.approx(logprob)


# By what stands behind the last marker: which tokens follow, how probably. They go on to the end of the line.
WORDS = {
    "": {"sub": 0.3, "subset": 0.5, "x": 0.2},
    "subse": {"t": 1.0},
    "sub": {"ject": 1.0},
    "subject": {"\n": 1.0},
    "subset": {"\n": 1.0},
    "x": {"\n": 1.0},
    "z": {"oo": 1.0},
    "zoo": {"\n": 1.0},
    "é": {"\n": 1.0},
}
VOCABULARY = sorted({token for following in WORDS.values() for token in following} | {"su"})


def words(body: Mapping[str, object]) -> Answer:
    """What begins with one of them has that for its first token."""
    first = max((word for word in VOCABULARY if str(body["content"]).startswith(word)), key=len, default="")
    ids = [1000 + VOCABULARY.index(first)] if first else []
    rest = tokens({**body, "content": str(body["content"])[len(first) :]})[1]
    return 200, {"tokens": [*ids, *dict(rest)["tokens"]]}  # type: ignore[call-overload]


def writing(distributions: Mapping[str, Mapping[str, float]], asked: list[str]) -> Callable[..., Answer]:
    """A server with a model of a few words; `asked` takes what it is asked behind."""

    def completion(body: Mapping[str, object]) -> Answer:
        if not body.get("stream"):
            return 200, {}
        prompt = body["prompt"]
        assert isinstance(prompt, list)
        path = prompt[prompt.index(MARKERS["<|fim_middle|>"]) + 1 :]
        text = "".join(VOCABULARY[token - 1000] if token >= 1000 else chr(token) for token in path)
        asked.append(text)
        events = []
        while following := distributions.get(text):
            entries = [
                {
                    "id": 1000 + VOCABULARY.index(token),
                    "bytes": list(token.encode()),
                    "logprob": math.log(p) if p else -3.4e38,
                }
                for token, p in following.items()
            ]
            best = max(entries, key=lambda entry: float(str(entry["logprob"])))
            text += VOCABULARY[int(str(best["id"])) - 1000]
            step = {"completion_probabilities": [best | {"top_logprobs": entries}], "timings": {"prompt_n": 2}}
            events.append(b"data: " + json.dumps(step).encode() + b"\n\n")
        return 200, b"".join(events)

    return completion


@pytest.mark.parametrize(
    ("typed", "first", "asked", "text", "probability", "steps"),
    [
        ("subs", {}, [""], "et", 0.5 / 0.8, 1),
        ("sub", {}, [""], "set", 0.5 / 0.8, 1),
        ("sub", {"sub": 0.5, "subset": 0.3}, [""], "ject", 0.5 / 0.8, 1),
        ("sub", {"x": 0.6, "sub": 0.3, "subset": 0.1}, ["", "sub"], "ject", 0.75, 1),
        ("sub", {"x": 0.6, "sub": 0.1, "subset": 0.3}, ["", "subset"], "set", 0.75, 1),
        ("subj", {}, ["", "sub"], "ect", 1.0, 1),
        ("sub", {"x": 0.9, "su": 0.1}, ["", "sub"], "ject", 1.0, 1),
        ("subse", {"x": 1.0}, ["", "subse"], "t", 1.0, 1),
        ("z", {}, ["", "z"], "oo", 1.0, 1),
        ("sub", {"x": 1.0, "subset": 0.0}, ["", "sub"], "ject", 1.0, 1),
        ("é", {"x": 1.0}, ["", "é"], "", 1.0, 0),
        ("subset", {}, [""], "", 1.0, 0),
        ("1", {}, [""], "subset", 0.5, 1),
    ],
)
def test_a_word_goes_on_wherever_the_cursor_stands_in_it(
    typed: str, first: Mapping[str, float], asked: list[str], text: str, probability: float, steps: int
) -> None:
    """The server writes again what was typed of a token; where it would write something else, it is asked once more."""
    behind: list[str] = []
    distributions = WORDS | ({"": first} if first else {})
    with serving(HEALTHY | {"/tokenize": words, "/completion": writing(distributions, behind)}) as (address, _):
        filler = ServedFiller(address, EngineOptions(), Interrupt())
        answer = filler.fill(FillRequest(context=(), header="# a.py\n", prefix=f"a.{typed}", suffix="y"))
    assert behind == asked
    assert (answer.text, len(answer.steps)) == (text, steps)
    assert answer.logprob == pytest.approx(math.log(probability))
    assert answer.prompt_tokens - answer.cached_tokens == 2 * len(asked)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'data: {"content": "x"}\n\n', "llama-server is too old"),
        (b'data: {"content": "x", "completion_probabilities": [{"id": 9}]}\n\n', "llama-server is too old"),
        (b'data: {"content"\n\n', "llama-server is too old"),
        (b'error: {"code": 500, "message": "out of memory"}\n\n', "fails: error: .*out of memory"),
    ],
)
def test_what_is_wrong_while_it_writes(body: bytes, text: str) -> None:
    def completion(asked: Mapping[str, object]) -> Answer:
        return (200, body) if asked.get("stream") else (200, {})

    with serving(HEALTHY | {"/completion": completion}) as (address, _):
        filler = ServedFiller(address, EngineOptions(), Interrupt())
        with pytest.raises(ServerError, match=text):
            filler.fill(REQUEST)


async def test_a_silent_server_is_given_up_at_the_deadline() -> None:
    """The request is answered by its deadline, the next one reaches the server, and closing does not wait for it."""
    silent = threading.Event()
    asked: list[float] = []

    def completion(body: Mapping[str, object]) -> Answer:
        if body.get("stream"):
            asked.append(time.monotonic())
            silent.wait(20.0)
        return 200, {}

    with serving(HEALTHY | {"/completion": completion}) as (address, _):
        engine = Engine(address)
        assert await engine.ready(20.0)
        for _ in range(2):
            started = time.monotonic()
            request = FillRequest(context=(), header="", prefix="x", suffix="", deadline_s=0.3)
            answer = await engine.fill(request)
            assert answer is None or answer.text == ""
            assert time.monotonic() - started < 5.0
        await engine.close()
        silent.set()
    assert len(asked) >= 2


async def test_what_was_written_by_the_deadline_is_there() -> None:
    """Of a server that falls silent in the middle."""
    ended = threading.Event()

    def halting() -> Iterator[bytes]:
        yield b"data: " + json.dumps({"completion_probabilities": [STEP]}).encode() + b"\n\n"
        ended.wait(20.0)

    def completion(body: Mapping[str, object]) -> Answer:
        return (200, halting()) if body.get("stream") else (200, {})

    with serving(HEALTHY | {"/completion": completion}) as (address, _):
        engine = Engine(address)
        assert await engine.ready(20.0)
        answer = await engine.fill(replace(REQUEST, deadline_s=1.0))
        assert answer is not None
        assert (answer.text, answer.ended) == ("x", "deadline")
        ended.set()
        await engine.close()


async def test_a_server_that_was_away_is_asked_again() -> None:
    away = [True]
    with serving(HEALTHY | {"/props": lambda body: (503, {}) if away[0] else (200, PROPS)}) as (address, _):
        engine = Engine(address)
        assert not await engine.ready(20.0)
        assert (engine.state, engine.model.name) == ("crashed", address)
        assert f"{address} is not ready yet" in engine.reason
        away[0] = False
        until = time.monotonic() + 20.0
        while engine.state != "ready":
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        model = engine.model
        assert (model.name, model.context_window, engine.tokens_per_s) == ("coder", 2048, 500.0)
        await engine.close()


def test_a_prompt_that_is_there_is_not_sent_again() -> None:
    """Whenever typing pauses the prompt is made ready, though it mostly is."""
    sent = []

    def completion(body: Mapping[str, object]) -> Answer:
        sent.append(body["n_predict"])
        return HEALTHY["/completion"](body)

    with serving(HEALTHY | {"/completion": completion}) as (address, _):
        filler = ServedFiller(address, EngineOptions(), Interrupt())
        tried_out = len(sent)
        for prefix in ("a1", "a1", "b1", "a1"):
            filler.prefill(FillRequest(context=(), header="", prefix=prefix, suffix="x"))
    assert sent[tried_out:] == [0, 0, 0]
