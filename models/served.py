"""A model on the user's own llama-server: the answers that `decoding` gives, over HTTP. Runs in the model process, in
the place of llama.cpp, and is all of repofill that opens a connection.

llama-server keeps the KV cache, of which it reuses what a prompt begins with. It gives no probabilities of texts that
it has not written, so copied candidates are not scored.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import socket
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from repofill.models.clock import Clock
from repofill.models.faults import Aborted, ServerAway, ServerError
from repofill.models.fim import FimFormat, fim_format, marker_texts
from repofill.models.gguf import undescribed
from repofill.models.healing import begun, joins
from repofill.models.prompt import Prompter, SourceTokenizer
from repofill.models.protocol import EngineOptions, FillAnswer, FillRequest, Ready
from repofill.models.written import Written

KEY = "REPOFILL_API_KEY"
"""The environment variable with the key of a server that was started with one."""

_TIMEOUT_S = 10.0
"""For a connection, and for what is answered at once."""
_LONG_S = 600.0
"""For a prompt; the stop flag ends it sooner."""
_LIKELIEST = 250
"""Tokens whose probabilities come with each one written: what is less probable than these counts for nothing."""
_NOTHING = math.log(1e-4)
_STEPS = "completion_probabilities"
_SENTENCEPIECE = 1
"""How llama.cpp numbers the kinds of vocabularies (`LLAMA_VOCAB_TYPE_SPM`)."""
_TRIALS, _TRIAL_TOKENS = 3, 64
_TRIAL_TEXT = "def area(width, height):\n    return width * height\n\n\n"
_PATH = re.compile(r".*[/\\]|\.gguf$", re.DOTALL)


class Interrupt(threading.Event):
    """A stop flag that ends the request under way: its connection is shut when the flag is set."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def set(self) -> None:
        super().set()
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def ending(self, connected: socket.socket) -> Iterator[None]:
        """A connection is shut when the flag is set within."""
        with self._lock:
            self._socket = connected
        try:
            yield
        finally:
            with self._lock:
                self._socket = None


class ServedFiller:
    """Answers requests with the model that a llama-server has loaded. `description` is what that said of it."""

    def __init__(self, address: str, options: EngineOptions, stop: Interrupt) -> None:
        """Asks the server what it has. Raises ServerError."""
        self._address, self._server = address, _Server(address, stop)
        name, size_bytes, window, spaced = self._model()
        self._n_ctx = min(window, options.n_ctx or window)
        fim, parsed = self._format(name)
        text = _TRIAL_TEXT * _TRIAL_TOKENS
        plain, begun = self._raw(text), self._raw(text, add_special=True)
        bos = begun[0] if begun[1 : len(plain) + 1] == plain else None
        self._stops = fim.marker_ids
        self._evaluated: list[int] = []
        self._tokens = SourceTokenizer(self._raw, parsed, spaced=spaced)
        self._joined = joins(self._tokens)
        self._prompter = Prompter(fim, self._tokens, bos=bos, n_ctx=self._n_ctx)
        rate = max(self._rate(plain[:_TRIAL_TOKENS]) for _ in range(_TRIALS))  # the machine may be busy
        self._ready = Ready(n_ctx=self._n_ctx, tokens_per_s=rate)
        said = undescribed(name, served=address)
        self.description = replace(said, size_bytes=size_bytes, context_window=self._n_ctx, fim=fim)

    def ready(self) -> Ready:
        """Its window, and how fast it turned out to be."""
        return self._ready

    def clear(self) -> None:
        """Nothing: the server knows what its cache holds."""

    def count(self, texts: Iterable[str]) -> tuple[int, ...]:
        """Tokens of each text. May be called from another thread."""
        return tuple(len(self._tokens(text)) for text in texts)

    def prefill(self, request: FillRequest) -> None:
        """Brings the prompt into the cache, unless it was asked for last. Raises Aborted and ServerError."""
        prompt, _ = self._prompter.prompt(self._healed(request)[0])
        if prompt != self._evaluated:
            for _ in self._server.events("/completion", self._asked(prompt, 0)):
                pass
            self._evaluated = prompt

    def fill(self, request: FillRequest) -> FillAnswer:
        """The answer; it ends with "cancelled", with what there is by then, when the stop flag is set meanwhile. Raises
        ServerError."""
        clock = Clock("tokenize")
        asked, typed = self._healed(request)
        prompt, _ = self._prompter.prompt(asked)
        written = Written(self._stops, request)
        end_logprob, evaluated = None, len(prompt)
        clock.enter("prefill")
        try:
            with contextlib.closing(self._steps(prompt, typed, request.max_tokens)) as steps:
                for step in steps:
                    if end_logprob is None:
                        clock.enter("decode")
                        self._evaluated, end_logprob = prompt, step.end
                    evaluated = min(step.evaluated, len(prompt))
                    if not written.add(step.token, step.data, step.logprob, step.end):
                        break
        except Aborted:
            written.ended = "cancelled"
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ServerError(
                f"{self._address} tells no probabilities of what it writes: llama-server is too old"
            ) from error
        text, logprob, ends = written.result()
        return FillAnswer(
            text=text,
            ended=written.ended,
            logprob=logprob,
            steps=ends,
            scores=(None,) * len(request.candidates),
            prompt_tokens=len(prompt),
            cached_tokens=len(prompt) - evaluated,
            end_logprob=end_logprob,
            timings_ms=clock.laps_ms(),
        )

    def _healed(self, request: FillRequest) -> tuple[FillRequest, bytes]:
        """The request without what was typed of a token, and that."""
        typed = begun(request.prefix, joined=self._joined)
        try:
            return replace(request, prefix=request.prefix[: len(request.prefix) - len(typed)]), typed.encode("utf-8")
        except UnicodeEncodeError:  # half a character is none
            return request, b""

    def _steps(self, prompt: Sequence[int], typed: bytes, tokens: int) -> Generator[_Step]:
        """What follows a prompt and what was typed of a token, token by token. Of the likeliest tokens those alone
        count at first that begin so, and that which what was typed begins with; where the server has written another
        one, it is asked again behind the likeliest of these, and where there is none, behind what was typed as it
        is."""
        own: list[int] = [*self._tokens(typed.decode("utf-8"))]
        path: list[int] = []
        rest, given, evaluated = typed, 0.0, 0
        while True:
            before = evaluated
            with contextlib.closing(self._written([*prompt, *path], tokens)) as written:
                for step, count in written:
                    evaluated = before + count
                    if not rest:
                        end = given + self._end(step["top_logprobs"])
                        yield _Step(step["id"], bytes(step["bytes"]), given + step["logprob"], end, evaluated)
                        given = 0.0
                        continue
                    following = own[len(path) : len(path) + 1] if path == own[: len(path)] else []
                    way = _way(step["top_logprobs"], rest, following)
                    if way is None:
                        path, rest, given = own, b"", 0.0
                        break
                    path.append(way.token)
                    if new := way.data[len(rest) :]:
                        yield _Step(way.token, new, given + way.logprob, given + way.end, evaluated)
                    rest, given = rest[len(way.data) :], 0.0 if new else given + way.logprob
                    if way.token != step["id"]:
                        break
                else:
                    return

    def _written(self, prompt: list[int], tokens: int) -> Generator[tuple[Any, int]]:
        """The server's greedy tokens behind a prompt, as it describes them, and how many tokens of that it
        evaluated."""
        asked = self._asked(prompt, max(min(tokens, self._n_ctx - len(prompt)), 0))
        with contextlib.closing(self._server.events("/completion", asked)) as events:
            for event in events:
                evaluated = event.get("timings", {}).get("prompt_n", len(prompt))
                for step in event[_STEPS] if event.get("content") else event.get(_STEPS, ()):
                    yield step, evaluated

    def _model(self) -> tuple[str, int, int, bool]:
        """Its name, its bytes, the tokens of a request's window, and whether its vocabulary is sentencepiece's."""
        about, models = self._server.ask("/props"), self._server.ask("/v1/models")
        try:
            meta = models["data"][0].get("meta") or {}
            window = int(about["default_generation_settings"]["n_ctx"])
            name = _PATH.sub("", about["model_path"]) or self._address
            return name, int(meta.get("size", 0)), window, meta.get("vocab_type") == _SENTENCEPIECE
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            what = f"{self._address} is not a llama-server, or an old one"
            raise ServerError(f"{what}: it does not say what it runs") from error

    def _format(self, name: str) -> tuple[FimFormat, list[str]]:
        """How it fills in, by the tokens that the families' markers are, and those of them that are never just text."""
        found = {text: self._raw(text, parse_special=True) for text in sorted(marker_texts())}
        markers = {text: tokens[0] for text, tokens in found.items() if len(tokens) == 1}
        fim = fim_format(
            markers,
            declared={},
            layout="spm" if name.startswith("repofill") else None,  # the file says so, the server does not
            name=name,
        )
        if fim is None:
            reason = "its model was not trained to fill in (no infilling tokens); start it with a base code model"
            raise ServerError(f"{self._address}: {reason}")
        return fim, [text for text, token in markers.items() if self._raw(text) == [token]]

    def _rate(self, prompt: Sequence[int]) -> float:
        """How many tokens of a prompt are evaluated in a second; infinitely many where the server does not say."""
        asked = self._asked(prompt, 0) | {"cache_prompt": False}
        answer = self._server.ask("/completion", asked, long=True)
        timings = answer.get("timings", {}) if isinstance(answer, dict) else {}
        return float(timings.get("prompt_per_second") or math.inf)

    def _raw(self, text: str, **options: bool) -> list[int]:
        """What the server makes of a text. Lone surrogates become question marks."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        answer = self._server.ask(
            "/tokenize", {"content": text, "add_special": False, "parse_special": False, **options}
        )
        if not isinstance(answer, dict) or not isinstance(answer.get("tokens"), list):
            raise ServerError(f"{self._address} is not a llama-server: it answers /tokenize without tokens")
        return list(answer["tokens"])

    def _asked(self, prompt: Sequence[int], tokens: int) -> dict[str, Any]:
        """Greedy text behind a prompt."""
        return {
            "prompt": prompt,
            "n_predict": tokens,
            "n_probs": _LIKELIEST,
            "samplers": ["temperature"],
            "temperature": 0,
            "cache_prompt": True,
            "timings_per_token": True,
        }

    def _end(self, likeliest: Iterable[Mapping[str, Any]]) -> float:
        """Log-probability that a text ends in a token's place."""
        ends = (
            t["logprob"] for t in likeliest if t["id"] in self._stops or bytes(t["bytes"]).startswith((b"\n", b"\r"))
        )
        probability = sum(math.exp(logprob) for logprob in ends)
        return math.log(probability) if probability else _NOTHING


@dataclass(frozen=True, slots=True)
class _Step:
    """A token with its bytes, its log-probability and that of an end in its place, after so many tokens of prompts were
    evaluated."""

    token: int
    data: bytes
    logprob: float
    end: float
    evaluated: int = 0


def _way(likeliest: Iterable[Mapping[str, Any]], rest: bytes, own: Sequence[int]) -> _Step | None:
    """The likeliest token that begins with the `rest` of what was typed, or is one of the rest's `own`, as probable as
    it is among these; None where there is none."""
    fitting = []
    for token in likeliest:
        data = bytes(token["bytes"])
        if data.startswith(rest) or (data and token["id"] in own and rest.startswith(data)):
            fitting.append((token["logprob"], token["id"], data))
    total = sum(math.exp(logprob) for logprob, _, _ in fitting)
    if not total:
        return None
    ends = sum(math.exp(p) for p, _, data in fitting if data.startswith((rest + b"\n", rest + b"\r")))
    logprob, token, data = max(fitting)
    return _Step(token, data, logprob - math.log(total), math.log(ends / total) if ends else _NOTHING)


class _Server:
    """Requests to a llama-server, each on a connection of its own."""

    def __init__(self, address: str, stop: Interrupt) -> None:
        self._address, self._stop = address, stop
        try:
            parts = urlsplit(address)
            self._secure, self._host, self._path = parts.scheme == "https", parts.hostname or "", parts.path.rstrip("/")
            self._port = parts.port
            self._host.encode("idna")
            self._path.encode("ascii")
            self._connection(_TIMEOUT_S)  # nothing is sent yet, but blanks are found
        except (ValueError, HTTPException) as error:
            raise ServerError(f"{address} is no address: {error}") from error
        key = os.environ.get(KEY, "").strip()
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def ask(self, path: str, body: object = None, *, long: bool = False) -> Any:
        """The answer to a request. Raises ServerError."""
        connection = self._connection(_LONG_S if long else _TIMEOUT_S)
        with contextlib.closing(connection):
            try:
                with self._response(connection, path, body) as response:
                    return json.loads(response.read())
            except (OSError, HTTPException) as error:
                raise self._away(error) from error
            except ValueError as error:
                raise ServerError(f"{self._address} is not a llama-server: it answers {path} with no JSON") from error

    def events(self, path: str, body: Mapping[str, object]) -> Generator[Any]:
        """What the answer to a request consists of, as it comes. Raises Aborted when the stop flag is set, and
        ServerError."""
        connection = self._connection(_LONG_S)
        with contextlib.closing(connection):
            try:
                connection.connect()
                with self._stop.ending(connection.sock):
                    if not self._stop.is_set():
                        yield from self._read(connection, path, body)
            except (OSError, HTTPException) as error:
                if not self._stop.is_set():
                    raise self._away(error) from error
        if self._stop.is_set():
            raise Aborted

    def _read(self, connection: HTTPConnection, path: str, body: Mapping[str, object]) -> Iterator[Any]:
        with self._response(connection, path, {**body, "stream": True}) as response:
            for line in response:
                if line.startswith(b"data: {"):
                    yield json.loads(line.removeprefix(b"data: "))
                elif line.startswith(b"error: "):
                    raise ServerError(f"{self._address} fails: {line.decode('utf-8', 'replace').strip()[:200]}")

    def _connection(self, timeout_s: float) -> HTTPConnection:
        kind = HTTPSConnection if self._secure else HTTPConnection
        return kind(self._host, self._port, timeout=timeout_s)

    def _response(self, connection: HTTPConnection, path: str, body: object) -> HTTPResponse:
        data = None if body is None else json.dumps(body).encode("ascii")
        connection.request("GET" if data is None else "POST", self._path + path, data, self._headers)
        response = connection.getresponse()
        if response.status == 200:
            return response
        response.close()
        if response.status in (401, 403):
            raise ServerError(f"{self._address} asks for a key: set {KEY} in the environment of the editor")
        if response.status >= 500:
            raise ServerAway(f"{self._address} is not ready yet ({response.status} {response.reason})")
        reason = f"it answers {path} with {response.status} {response.reason}"
        raise ServerError(f"{self._address} is not a llama-server, or an old one: {reason}")

    def _away(self, error: Exception) -> ServerAway:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return ServerAway(f"{self._address} does not answer ({reason}): start llama-server there")
