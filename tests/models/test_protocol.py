"""Frames and messages: what goes in comes out, and nothing else comes out."""

from __future__ import annotations

import asyncio
import io
import json
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.models import protocol
from repofill.models.gguf import undescribed
from repofill.models.protocol import (
    Cancel,
    CandidateScore,
    Count,
    Counted,
    Described,
    EngineOptions,
    Failed,
    Fill,
    FillAnswer,
    Filled,
    FillRequest,
    Hello,
    Message,
    ProtocolError,
    Ready,
)

texts = st.text(st.characters(), max_size=30)  # lone surrogates included
numbers = st.floats(allow_nan=False)
requests = st.builds(
    FillRequest,
    context=st.lists(texts, max_size=3).map(tuple),
    header=texts,
    prefix=texts,
    suffix=texts,
    candidates=st.lists(texts, max_size=3).map(tuple),
    max_tokens=st.integers(0, 500),
    block_indent=st.none() | st.integers(0, 40),
    deadline_s=numbers,
)
scores = st.none() | st.builds(CandidateScore, logprob=numbers, tokens=st.integers(0, 99))
answers = st.builds(
    FillAnswer,
    text=texts,
    ended=texts,
    logprob=numbers,
    scores=st.lists(scores, max_size=3).map(tuple),
    prompt_tokens=st.integers(0, 99),
    cached_tokens=st.integers(0, 99),
    timings_ms=st.dictionaries(texts, numbers, max_size=3),
)
ids = st.integers(0, 2**60)
descriptions = st.builds(
    lambda name, path, value: replace(undescribed(name), path=Path(path), overrides={name: value}),
    texts,
    texts,
    texts | numbers,
)
messages = st.one_of(
    st.builds(Hello, client=texts, model=texts, options=st.builds(EngineOptions, n_ctx=ids), version=ids),
    st.builds(Described, model=descriptions),
    st.builds(Ready, n_ctx=ids, tokens_per_s=numbers),
    st.builds(Failed, reason=texts),
    st.builds(Fill, client=texts, id=ids, request=requests, prefill_only=st.booleans()),
    st.builds(Filled, client=texts, id=ids, answer=st.none() | answers),
    st.builds(Cancel, client=texts, id=ids),
    st.builds(Count, client=texts, id=ids, texts=st.lists(texts, max_size=4).map(tuple)),
    st.builds(Counted, client=texts, id=ids, counts=st.lists(ids, max_size=4).map(tuple)),
)


def read_all(data: bytes) -> list[Message]:
    """All messages of `data`, read by the blocking and the asyncio reader, which must agree."""

    async def receive() -> list[Message]:
        stream = asyncio.StreamReader()
        stream.feed_data(data)
        stream.feed_eof()
        return [message async for message in _until_none(lambda: protocol.receive_message(stream))]

    blocking = io.BytesIO(data)
    read = list(iter(lambda: protocol.read_message(blocking), None))
    assert asyncio.run(receive()) == read
    return read


async def _until_none(receive):
    while (message := await receive()) is not None:
        yield message


@given(st.lists(messages, max_size=4))
def test_round_trip(sent):
    assert read_all(b"".join(protocol.encode(message) for message in sent)) == sent


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"3",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type":"Unknown"}',
        b'{"type":{}}',
        b'{"type":"Cancel"}',
        b'{"type":"Cancel","client":"","id":"a"}',
        b'{"type":"Cancel","client":"","id":1,"more":2}',
        b'{"type":"Count","client":"","id":1,"texts":5}',
        b'{"type":"Fill","client":"","id":1,"request":null}',
    ],
)
def test_payloads_that_are_no_messages(payload):
    with pytest.raises(ProtocolError):
        protocol.decode(payload)


def test_what_is_no_message_is_not_repeated():
    """What goes wrong is logged, and the log holds no source text."""
    answer = {"text": "def secret():", "ended": "eos"}
    payload = json.dumps({"type": "Filled", "client": "", "id": 1, "answer": answer}).encode()
    with pytest.raises(ProtocolError) as caught:
        protocol.decode(payload)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@given(st.binary(min_size=1, max_size=40))
def test_streams_that_are_no_frames_are_refused(data):
    try:
        read = read_all(data)
    except ProtocolError:
        return
    assert read == [], "random bytes made a message"


def test_cut_and_oversized_frames_are_refused():
    frame = protocol.encode(Cancel(client="c", id=1))
    for data in [
        frame[:2],
        frame[:-1],
        frame[:4],
        b"\xff\xff\xff\xff",
        (protocol.MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
    ]:
        with pytest.raises(ProtocolError):
            protocol.read_message(io.BytesIO(data))
    with pytest.raises(ProtocolError):
        protocol.encode(Failed(reason="x" * (protocol.MAX_FRAME_BYTES + 1)))


def test_frames_are_plain_ascii_json():
    frame = protocol.encode(Failed(reason="é\ud800", passing=True))
    assert json.loads(frame[4:].decode("ascii")) == {"type": "Failed", "reason": "é\ud800", "passing": True}
