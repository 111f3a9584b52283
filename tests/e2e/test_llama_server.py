"""A real llama-server with the bundled model gives the answers that the model process gives with the same file."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from repofill.lsp_server.server import bundled_model
from repofill.models.engine import Engine
from repofill.models.protocol import FillAnswer, FillRequest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
FETCH = CHECKOUT / "editors" / "neovim" / "tests" / "fetch"
SOURCE = (CHECKOUT / "models" / "trim.py").read_text("utf-8")
STARTS_S = 60.0


class Server:
    """llama-server on a port of its own; `start` and `kill` as often as one likes."""

    def __init__(self, executable: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._executable = executable
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [self._executable, "--model", str(bundled_model()), "--port", str(self.port), "--parallel", "1"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + STARTS_S
        while not self._is_ready():
            assert self._process.poll() is None, "llama-server ended"
            assert time.monotonic() < until, "llama-server does not get ready"
            time.sleep(0.1)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=5.0) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


@pytest.fixture
def server() -> Iterator[Server]:
    done = subprocess.run([FETCH, "llama-server"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    started = Server(done.stdout.strip())
    started.start()
    yield started
    started.kill()


def requests() -> list[FillRequest]:
    """Lines all over a file, from their beginning and from inside, and blocks, with another file ahead."""
    context = ("# b.py\nclass Marker:\n    text = '<｜fim▁begin｜>'\n",)
    lines = [SOURCE.find("\n", at) + 1 for at in range(2000, len(SOURCE) - 500, len(SOURCE) // 12)]
    places = [at + inside for at in lines for inside in (0, 13)]
    return [
        FillRequest(
            context=context,
            header="# a.py\n",
            prefix=SOURCE[at - 1500 : at],
            suffix=SOURCE[at : at + 400],
            block_indent=None if number % 3 else 0,
            max_tokens=24,
            deadline_s=60.0,
        )
        for number, at in enumerate(places)
    ]


async def answers(engine: Engine, asked: list[FillRequest]) -> list[FillAnswer]:
    found = [await engine.fill(request) for request in asked]
    assert None not in found
    return [answer for answer in found if answer is not None]


async def test_the_same_answers(server: Server) -> None:
    """The same prompts, token by token, and greedy texts that differ at most where two tokens are all but equal."""
    served, local = Engine(server.address), Engine(bundled_model())
    theirs, ours = await answers(served, requests()), await answers(local, requests())
    model = served.model
    assert (model.name, model.served, model.context_window) == ("repofill-small", server.address, 4096)
    assert 10 < served.tokens_per_s < 1_000_000
    assert [a.prompt_tokens for a in theirs] == [a.prompt_tokens for a in ours]
    same = [(a, b) for a, b in zip(theirs, ours, strict=True) if a.text == b.text]
    assert len(same) >= 0.8 * len(ours)
    for their, our in same:
        assert their.ended == our.ended
        assert abs(their.logprob - our.logprob) < 0.1 * abs(our.logprob) + 0.2
        assert [end for end, _ in their.steps] == [end for end, _ in our.steps if end]  # a step may be all typed
    await served.close()
    await local.close()


async def test_the_cache_is_reused(server: Server) -> None:
    """One more character of a line: nearly all of the prompt is in the server's cache."""
    engine = Engine(server.address)
    request = requests()[1]
    await engine.warm(request)
    typed = replace(request, prefix=request.prefix + "x")
    first, second = await answers(engine, [request, typed])
    assert first.cached_tokens >= first.prompt_tokens - 8
    assert second.cached_tokens >= second.prompt_tokens - 8
    await engine.close()


async def test_killed_and_back(server: Server) -> None:
    """Without its server the engine says so, and goes on by itself when it is there again."""
    engine = Engine(server.address)
    await answers(engine, requests()[:1])
    server.kill()
    assert await engine.fill(requests()[1]) is None
    assert not await engine.ready(20.0)
    assert (engine.state, server.address in engine.reason) == ("crashed", True)
    server.start()
    until = time.monotonic() + 60.0
    while (answer := await engine.fill(requests()[1])) is None:
        assert time.monotonic() < until, engine.reason
        await asyncio.sleep(0.1)
    assert answer.text
    await engine.close()


def test_on_the_command_line(server: Server) -> None:
    repofill = CHECKOUT / ".venv" / "bin" / "repofill"
    done = subprocess.run([repofill, "models", server.address, "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)[0]["name"]) == (0, "repofill-small")
    command = [repofill, "complete", "models/trim.py:60:20", "--model", server.address]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    server.kill()
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{server.address} does not answer" in done.stderr
