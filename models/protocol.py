"""The protocol between the process that serves an editor and the process that runs the model: values, messages, frames.

Pure: no sockets, no subprocess, no llama.cpp. A frame is four bytes (payload length, big endian) and a payload of UTF-8
JSON, so it can travel through a pipe as well as a local socket. Lone surrogates travel as JSON escapes. Every message
names its client: one model process can serve several editor windows, and the newest request of each client wins.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from cattrs import BaseValidationError
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from repofill.models.gguf import ModelDescription

VERSION = 3
MAX_FRAME_BYTES = 64 << 20
_HEAD_BYTES = 4


class ProtocolError(Exception):
    """The other side does not speak this protocol; the connection is of no further use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How a model is loaded. `n_ctx`: tokens of prompt and answer together, 0 for what suits the model's size and what
    of a prompt is asked for: `context_tokens` of other files, `prefix_tokens` and `suffix_tokens` of the cursor's, each
    0 for the default. `threads`: 0 for the physical cores; `n_gpu_layers`: layers kept on a GPU, -1 for all.
    `kept_bytes`: the most for evaluated prompts beside the one in the cache, of half of the model's size at most."""

    n_ctx: int = 0
    context_tokens: int = 0
    prefix_tokens: int = 0
    suffix_tokens: int = 0
    threads: int = 0
    n_gpu_layers: int = 0
    kept_bytes: int = 256_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRequest:
    """What to fill in, LF line ends throughout.

    `context`: other files, dependencies first, each beginning with its path comment and ending in a newline. `header`:
    the current file's path comment with its newline. `candidates`: texts whose probability at the cursor is wanted, the
    most promising first: that of the others is an estimate. `matched`: of each candidate, how many characters ahead of
    the cursor stand ahead of it in the project, too; 0 of one that is not from there. Where this is given, all
    probabilities are those of the model mixed with copying (`models.copying`). `least_logprob`: a text that is less
    probable by itself is not worth writing to its end.
    `block_indent`: None stops at the end of the line; n says that the cursor opens a block, which ends before a
    non-blank line indented by at most n columns. `deadline_s`: seconds from arrival.
    """

    context: tuple[str, ...]
    header: str
    prefix: str
    suffix: str
    candidates: tuple[str, ...] = ()
    matched: tuple[int, ...] | None = None
    max_tokens: int = 48
    block_indent: int | None = None
    least_logprob: float | None = None
    deadline_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateScore:
    """Natural log-probability of a candidate and of ending there, given what stands before the cursor; it has `tokens`
    tokens together with what was typed of the first one."""

    logprob: float
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FillAnswer:
    """What the model wrote, greedily.

    `ended`: "eos", "newline", "dedent", "length", "unlikely", "deadline" or "cancelled". `logprob`: natural, over the
    text's tokens and, in the first three cases, its end. `steps`: behind how many characters of the text each of its
    tokens ends, and the log-probability of all so far. `end_logprob`: that nothing is missing at the cursor,
    estimated where without candidates the model writes something else than what was typed as it stands; None where the
    prompt was not evaluated in time. `scores` align with the request's candidates; None where one could
    not be scored in time or in the window. `cached_tokens`: tokens of the prompt that were not evaluated for this
    request. `timings_ms`: tokenize, prefill, score, decode.
    """

    text: str
    ended: str
    logprob: float
    scores: tuple[CandidateScore | None, ...]
    prompt_tokens: int
    cached_tokens: int
    steps: tuple[tuple[int, float], ...] = ()
    end_logprob: float | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)

    def logprob_of(self, characters: int) -> float:
        """Log-probability of the first characters of the text; of all of them it includes that of its end."""
        if characters >= len(self.text):
            return self.logprob
        return next((logprob for end, logprob in self.steps if end >= characters), self.logprob)


def is_address(model: str) -> bool:
    """Whether a model is named by the address of a server, not by the path of a file."""
    return model.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """First message of a client: the protocol it speaks and the model it wants, a file or the address of a server."""

    client: str
    model: str
    options: EngineOptions
    version: int = VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """First answer to Hello: what the model's file says of it, which is going to be loaded, or its server."""

    model: ModelDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Second answer to Hello: the model is loaded; `n_ctx` tokens of prompt and answer fit, of which it evaluates so
    many in a second."""

    n_ctx: int
    tokens_per_s: float
    version: int = VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The model cannot be used, in one line that says what to do; `passing`: it may be by itself, later."""

    reason: str
    passing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Ask for an answer. `prefill_only`: just bring the prompt into the cache, giving way to everything else."""

    client: str
    id: int
    request: FillRequest
    prefill_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The answer to Fill; None when it was superseded, cancelled, could not be computed, or was prefill only."""

    client: str
    id: int
    answer: FillAnswer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Nobody waits for the answer to this Fill any more."""

    client: str
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Ask how many tokens each text takes."""

    client: str
    id: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The answer to Count, aligned with its texts."""

    client: str
    id: int
    counts: tuple[int, ...]


Message = Hello | Described | Ready | Failed | Fill | Filled | Cancel | Count | Counted

_converter = make_converter(forbid_extra_keys=True)
configure_tagged_union(Message, _converter, tag_name="type")


def encode(message: Message) -> bytes:
    """`message` as one frame. Raises ProtocolError when it is too large for one."""
    payload = json.dumps(_converter.unstructure(message, Message), separators=(",", ":")).encode("ascii")
    if len(payload) > MAX_FRAME_BYTES:
        raise ProtocolError(f"a message of {len(payload)} bytes is larger than a frame")
    return len(payload).to_bytes(_HEAD_BYTES, "big") + payload


def decode(payload: bytes) -> Message:
    """The message in a frame's payload. Raises ProtocolError for anything else."""
    try:
        value: Any = json.loads(payload)
        message: Message = _converter.structure(value, Message)  # type: ignore[arg-type]
    except (BaseValidationError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"{len(payload)} bytes are no message") from error  # it goes to the log: no text
    return message


def read_message(stream: BinaryIO) -> Message | None:
    """The next message of a blocking stream, None at its end. Raises ProtocolError for anything else."""
    head = stream.read(_HEAD_BYTES)
    if not head:
        return None
    payload = stream.read(_payload_bytes(head))
    if len(payload) < _payload_bytes(head):
        raise ProtocolError("the stream ended inside a frame")
    return decode(payload)


async def receive_message(stream: asyncio.StreamReader) -> Message | None:
    """The next message of an asyncio stream, None at its end. Raises ProtocolError for anything else."""
    try:
        head = await stream.readexactly(_HEAD_BYTES)
        return decode(await stream.readexactly(_payload_bytes(head)))
    except asyncio.IncompleteReadError as error:
        if error.partial or error.expected != _HEAD_BYTES:
            raise ProtocolError("the stream ended inside a frame") from error
        return None


def _payload_bytes(head: bytes) -> int:
    size = int.from_bytes(head, "big")
    if len(head) < _HEAD_BYTES or size > MAX_FRAME_BYTES:
        raise ProtocolError(f"not a frame: it begins with {head!r}")
    return size
