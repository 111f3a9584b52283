"""The engine with its real model process: answers, giving way, dying and coming back, and files that are no models."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from repofill.models import protocol
from repofill.models.child import Child
from repofill.models.engine import Engine, EngineUnavailable
from repofill.models.gguf import read_description
from repofill.models.protocol import Cancel, Described, EngineOptions, Fill, FillRequest, Hello, Ready

pytestmark = pytest.mark.filterwarnings("error")  # a leaked pipe or a forgotten task is a failure

SLOW_WINDOW = 4096


def request(prefix="def f(x):\n    ret", suffix="\nprint(f(2))\n", **more):
    settings = {"max_tokens": 8, "deadline_s": 30.0, **more}
    return FillRequest(context=("# b.py\nB = 1\n",), header="# a.py\n", prefix=prefix, suffix=suffix, **settings)


def long_request(seed=0, **more):
    """A prompt that takes the slow model seconds."""
    rng = random.Random(seed)
    return request("".join(rng.choice("abcdefgh \n") for _ in range(3500)), **more)


@contextlib.asynccontextmanager
async def running(path, idle_s=math.inf, **options):
    engine = Engine(path, EngineOptions(threads=1, **options), idle_s=idle_s)
    try:
        yield engine
    finally:
        await engine.close()
        assert engine.process_id is None
        await asyncio.sleep(0)  # the loop closes the pipes' transports


async def until(condition, timeout_s=30.0):
    """Waits for what is bound to happen; only a broken engine meets the limit."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def idle(pid):
    """Waits until a process uses no more CPU time."""
    used, before = cpu_ticks(pid), -1
    while used != before:
        await asyncio.sleep(0.5)
        used, before = cpu_ticks(pid), used


def cpu_ticks(pid):
    return sum(int(field) for field in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])


async def stop(pid):
    """Stops every thread of a process."""
    os.kill(pid, signal.SIGSTOP)
    threads = [path / "stat" for path in Path(f"/proc/{pid}/task").iterdir()]
    await until(lambda: all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads))


@pytest.fixture(scope="session")
def slow_model(make_gguf):
    return make_gguf(width=256, layers=8, window=SLOW_WINDOW, metadata={"repofill.fim.layout": "spm"})


async def test_an_engine_answers(random_model):
    async with running(random_model) as engine:
        assert (engine.state, engine.process_id, engine.tokens_per_s) == ("idle", None, math.inf)
        assert (engine.model.name, engine.model.size_bytes) == ("tiny", 0), "its name alone"
        answer = await engine.fill(request(candidates=("urn x", "")))
        assert answer.text
        assert engine.model == read_description(random_model)
        assert len(answer.scores) == 2
        assert answer.timings_ms.keys() == {"tokenize", "prefill", "score", "decode"}
        assert (engine.state, engine.reason) == ("ready", "")
        assert 0 < engine.tokens_per_s < math.inf
        assert await engine.fill(request(candidates=("urn x", ""))) is not None
    assert engine.state == "closed"
    assert await engine.fill(request()) is None
    with pytest.raises(EngineUnavailable):
        await engine.count_tokens(["y"])
    await engine.close()


async def test_a_model_in_several_files_answers_like_the_whole(make_gguf):
    async with running(make_gguf()) as whole, running(make_gguf(split=8)) as split:
        expected, answer = await asyncio.gather(whole.fill(request()), split.fill(request()))
        assert (answer.text, answer.logprob) == (expected.text, expected.logprob)


async def test_count_tokens(random_model):
    """ "ret" is one token of this model, and a token's text in source is no token."""
    async with running(random_model) as engine:
        assert await engine.count_tokens([]) == []
        assert await engine.count_tokens(["ret", "", "aa", "ret", "<｜fim▁hole｜>", "\ud800"]) == [1, 0, 2, 1, 18, 1]
        assert await engine.count_tokens(["aa", "a" * 300_000, "b" * 300_000]) == [2, 300_000, 300_000]


async def test_typing_evaluates_only_the_tail(random_model):
    """With the suffix first, ten keystrokes in one place reuse all that was there before."""
    async with running(random_model) as engine:
        prefix = "import os\n" * 40
        before = await engine.fill(request(prefix))
        for character in "def g(yz):":
            prefix += character
            answer = await engine.fill(request(prefix))
            assert answer.cached_tokens >= before.prompt_tokens - 3
            before = answer


async def test_the_newest_request_wins(slow_model):
    async with running(slow_model, n_ctx=SLOW_WINDOW) as engine:
        assert await engine.fill(request()) is not None
        older = asyncio.create_task(engine.fill(long_request()))
        await asyncio.sleep(0.1)
        assert not older.done()
        newer = await engine.fill(request("x = "))
        assert await older is None
        assert newer is not None


async def test_a_cancelled_prefill_gives_way_and_changes_nothing(slow_model):
    async with running(slow_model, n_ctx=SLOW_WINDOW) as engine, running(slow_model, n_ctx=SLOW_WINDOW) as fresh:
        await asyncio.gather(engine.fill(request()), fresh.fill(request("other")))
        task = asyncio.create_task(engine.fill(long_request()))
        await asyncio.sleep(0.15)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await idle(engine.process_id)
        answer, expected = await asyncio.gather(engine.fill(long_request()), fresh.fill(long_request()))
        assert answer.cached_tokens < answer.prompt_tokens - 64, "it was not finished behind our back"
        assert (answer.text, answer.logprob, answer.ended) == (expected.text, expected.logprob, expected.ended)


async def test_after_a_deadline_the_prompt_is_finished_in_idle_time(slow_model):
    async with running(slow_model, n_ctx=SLOW_WINDOW) as engine:
        await engine.fill(request())
        late = await engine.fill(long_request(deadline_s=0.1))
        if late is not None:  # the part of the prompt at hand ended soon enough
            assert (late.text, late.ended, len(late.steps)) == ("", "deadline", 0)
            assert late.cached_tokens < late.prompt_tokens // 2
        await idle(engine.process_id)
        answer = await engine.fill(long_request())
        assert answer.cached_tokens == answer.prompt_tokens - 1


async def test_warm_prefills_and_gives_way(slow_model):
    async with running(slow_model, n_ctx=SLOW_WINDOW) as engine:
        await engine.warm(request())
        assert (await engine.fill(request())).cached_tokens > 20
        warming = asyncio.create_task(engine.warm(long_request()))
        await asyncio.sleep(0.1)
        answer = await engine.fill(request("y"))
        await warming
        assert answer is not None
        late = await engine.fill(long_request(deadline_s=0.05))
        assert late is None or late.ended == "deadline", "the prefill gave way"


async def test_a_model_slower_than_typing_gets_on(slow_model):
    """What is being evaluated when the next keystroke comes is not lost."""
    async with running(slow_model, n_ctx=SLOW_WINDOW) as engine:
        await engine.fill(request())
        typing = []
        for _ in range(20):
            typing.append(asyncio.create_task(engine.fill(long_request())))
            await asyncio.sleep(0.01)
        assert await asyncio.gather(*typing[:-1]) == [None] * 19
        assert (await typing[-1]).cached_tokens >= 64


async def test_a_killed_process_is_replaced(slow_model):
    async with running(slow_model, n_ctx=SLOW_WINDOW) as engine:
        expected = await engine.fill(request())
        first = engine.process_id
        task = asyncio.create_task(engine.fill(long_request()))
        await asyncio.sleep(0.1)
        os.kill(first, signal.SIGKILL)
        assert await task is None
        await until(lambda: engine.state == "crashed")
        assert "SIGKILL" in engine.reason
        assert await engine.fill(request()) is None, "no waiting for a process that is not there"
        await until(lambda: engine.state == "ready")
        again = await engine.fill(request())
        assert (again.text, again.logprob) == (expected.text, expected.logprob)
        assert engine.process_id != first
    for pid in (first, engine.process_id):
        assert pid is None or not Path(f"/proc/{pid}").exists(), "no zombie"


@pytest.mark.parametrize("state", ["idle", "starting", "ready"])
async def test_closing_in_the_middle(slow_model, state):
    """Whatever goes on, closing ends it: not yet started, starting, evaluating."""
    async with running(slow_model, n_ctx=SLOW_WINDOW) as engine:
        tasks = [asyncio.create_task(engine.fill(long_request())), asyncio.create_task(engine.count_tokens(["x"]))]
        await until(lambda: engine.state == state)
        await asyncio.sleep(0 if state == "idle" else 0.05)
        await engine.close()
        filled, counted = await asyncio.gather(*tasks, return_exceptions=True)
        assert filled is None
        assert isinstance(counted, EngineUnavailable) or counted == [1]


@pytest.mark.parametrize("steps", range(6))
async def test_closing_at_the_moment_when_the_process_has_ended(random_model, monkeypatch, steps):
    """Whatever step of the loop that is: `asyncio.wait_for` of Python 3.11 may swallow that it was cancelled."""

    class Ending:
        pid, last_line, is_dismissed = 1, "", False

        def __init__(self):
            self.messages, self.gone = iter([Ready(n_ctx=512, tokens_per_s=1.0), None]), asyncio.Event()
            started.append(self)

        @classmethod
        async def start(cls):
            return cls()

        def send(self, message):
            """Nobody reads it."""

        async def receive(self):
            return next(self.messages)

        async def stop(self):
            await asyncio.wait_for(self.gone.wait(), 30.0)
            return "exit code 1"

    started = []
    monkeypatch.setattr("repofill.models.engine.Child", Ending)
    async with running(random_model) as engine:
        assert await engine.ready()
        started[0].gone.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        await asyncio.wait_for(engine.close(), 10.0)
        assert engine.state == "closed"
        assert len(started) == 1


@pytest.mark.parametrize("asked", ["fill", "count_tokens", "warm"])
async def test_a_process_that_hangs_is_ended(random_model, monkeypatch, asked):
    """Whatever was asked of it."""
    async with running(random_model) as engine:
        assert await engine.count_tokens(["x"]) == [1]
        monkeypatch.setattr("repofill.models.engine._HUNG_AFTER_S", 0.5)
        await stop(engine.process_id)
        if asked == "fill":
            assert await engine.fill(request(deadline_s=0.1)) is None
        elif asked == "warm":
            await engine.warm(request())
        else:
            with pytest.raises(EngineUnavailable):
                await engine.count_tokens(["unknown"])
        await until(lambda: engine.state == "crashed")
        assert "SIGKILL" in engine.reason


@pytest.mark.parametrize("steps", range(5))
async def test_a_cancellation_at_the_moment_when_the_process_has_ended_is_not_lost(steps):
    """Whatever step of the loop that is: else who ends everything by cancelling it would wait for ever."""
    gone = asyncio.Event()
    process = await asyncio.create_subprocess_exec("true", stdin=PIPE, stdout=PIPE, stderr=PIPE)
    await process.wait()
    process.wait = gone.wait
    stopping = asyncio.create_task(Child(process).stop())
    await asyncio.sleep(0.01)
    gone.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    cancelled = stopping.cancel()
    await asyncio.wait([stopping])
    assert stopping.cancelled() == cancelled


def test_a_process_that_nobody_waits_for_is_killed_and_closed(recwarn):
    """Though the loop ends before the process has."""

    async def leave() -> int:
        child = Child(await asyncio.create_subprocess_exec("sleep", "60", stdin=PIPE, stdout=PIPE, stderr=PIPE))
        stopping = asyncio.create_task(child.stop())
        await asyncio.sleep(0.01)
        stopping.cancel()
        await asyncio.wait([stopping])
        assert stopping.cancelled()
        return child.pid

    left = asyncio.run(leave())
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
    with contextlib.suppress(ChildProcessError):  # collected already
        assert os.WTERMSIG(os.waitpid(left, 0)[1]) == signal.SIGKILL


async def test_what_is_not_used_is_unloaded(random_model):
    """And loaded again when something is asked; not while anything is."""
    async with running(random_model, idle_s=0.5) as engine:
        assert await engine.fill(request()) is not None
        first = engine.process_id
        await until(lambda: engine.state == "idle")
        await until(lambda: engine.process_id is None)
        await until(lambda: not Path(f"/proc/{first}").exists())
        answer = await engine.fill(request())
        assert answer.prompt_tokens > 0
        assert (engine.state, engine.reason) == ("ready", "")
        assert engine.process_id not in (None, first)
    assert engine.state == "closed"


async def test_asked_at_the_moment_of_unloading(random_model):
    """Whoever asks then waits for the next process; closing then leaves none."""
    for closing in (False, True):
        async with running(random_model, idle_s=0.3) as engine:
            await engine.fill(request())
            first = engine.process_id
            await until(lambda: engine.state == "idle")
            asked = asyncio.create_task(engine.fill(request()))
            await asyncio.sleep(0)
            if closing:
                await engine.close()
            answer = await asked
            assert (answer is None) == closing
        await until(lambda first=first: not Path(f"/proc/{first}").exists())


async def test_a_long_evaluation_is_use(slow_model):
    async with running(slow_model, n_ctx=SLOW_WINDOW, idle_s=0.3) as engine:
        await engine.fill(request())
        first = engine.process_id
        await engine.warm(long_request())
        assert engine.process_id == first


async def test_a_slow_process_gets_more_time(random_model, monkeypatch):
    """As long as it may take to finish what it has begun."""
    async with running(random_model) as engine:
        await engine.fill(request())
        first = engine.process_id
        monkeypatch.setattr("repofill.models.engine._HUNG_AFTER_S", 0.2)
        monkeypatch.setattr("repofill.models.engine._FINISHED_TOKENS", 60 * engine.tokens_per_s)
        await stop(first)
        assert await engine.fill(request("other", deadline_s=0.1)) is None
        await asyncio.sleep(1.0)
        os.kill(first, signal.SIGCONT)
        await until(lambda: engine.state == "ready")
        assert (await engine.fill(request())).prompt_tokens > 0
        assert engine.process_id == first


async def test_a_long_prefill_is_no_hang(slow_model, monkeypatch):
    async with running(slow_model, n_ctx=SLOW_WINDOW) as engine:
        await engine.fill(request())
        first = engine.process_id
        monkeypatch.setattr("repofill.models.engine._HUNG_AFTER_S", 0.5)
        await engine.warm(long_request())
        answer = await engine.fill(long_request())
        assert answer.cached_tokens == answer.prompt_tokens - 1
        assert engine.process_id == first


@pytest.mark.parametrize("busy", [True, False])
def test_the_process_ends_with_its_parent(slow_model, busy):
    """Even when the parent is killed, be the process idle or deep inside an evaluation."""
    script = (
        "import asyncio, sys\n"
        "from repofill.models.engine import Engine\n"
        "from repofill.models.protocol import EngineOptions, FillRequest\n"
        "async def main():\n"
        f"    engine = Engine({str(slow_model)!r}, EngineOptions(n_ctx={SLOW_WINDOW}, threads=1))\n"
        "    await engine.count_tokens(['x'])\n"
        "    print(engine.process_id, flush=True)\n"
        "    request = FillRequest(context=(), header='', prefix='ab' * 1800, suffix='', deadline_s=60)\n"
        f"    await (engine.fill(request) if {busy} else asyncio.sleep(60))\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        time.sleep(0.1)
        parent.kill()
    end = time.monotonic() + 30
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < end
        time.sleep(0.02)


async def test_the_users_modules_shadow_nothing(random_model, tmp_path, monkeypatch):
    for name in ("repofill", "llama_cpp", "json", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with running(random_model) as engine:
        assert await engine.fill(request()) is not None


async def test_one_process_serves_several_clients(slow_model):
    """A newer request supersedes those of its own client only."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "repofill.models.worker"), stdin=-1, stdout=-1, stderr=subprocess.DEVNULL
    )
    options = EngineOptions(n_ctx=SLOW_WINDOW, threads=1)

    async def ask(*messages, answers):
        for message in messages:
            worker.stdin.write(protocol.encode(message))
        return {
            (m.client, m.id): m.answer for m in [await protocol.receive_message(worker.stdout) for _ in range(answers)]
        }

    worker.stdin.write(protocol.encode(Hello(client="a", model=str(slow_model), options=options)))
    described, loaded = [await protocol.receive_message(worker.stdout) for _ in range(2)]
    assert described == Described(model=read_description(slow_model))
    assert (loaded.n_ctx, math.isfinite(loaded.tokens_per_s)) == (SLOW_WINDOW, True)
    answers = await ask(
        Fill(client="a", id=1, request=long_request()),
        Fill(client="b", id=1, request=request("b")),
        Fill(client="b", id=2, request=request("bb")),
        Fill(client="a", id=2, request=request("aa")),
        Fill(client="c", id=1, request=request("c")),
        Cancel(client="c", id=1),
        answers=5,
    )
    given_up = {key for key, answer in answers.items() if answer is None}
    assert given_up == {("a", 1), ("b", 1), ("c", 1)}
    assert answers.keys() - given_up == {("a", 2), ("b", 2)}
    worker.stdin.close()
    assert await worker.wait() == 0
    await worker.stdout.read()


async def test_a_worker_refuses_what_is_no_protocol():
    for data in (b"hello, world, this is text", protocol.encode(Cancel(client="", id=1)), b""):
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "repofill.models.worker"), stdin=-1, stdout=-1, stderr=subprocess.DEVNULL
        )
        out, _ = await worker.communicate(data)
        assert worker.returncode == 1
        assert out == b"" or isinstance(protocol.decode(out[4:]), protocol.Failed)


async def check_failed(path, reason):
    async with running(path) as engine:
        assert await engine.fill(request()) is None
        assert engine.state == "failed"
        assert reason in engine.reason
        assert engine.reason.startswith(str(path))
        assert engine.reason.isprintable()
        assert await engine.fill(request()) is None
        with pytest.raises(EngineUnavailable):
            await engine.count_tokens(["x"])
        return engine


async def test_files_that_are_no_models(random_model, tmp_path):
    whole = random_model.read_bytes()
    files = {
        "empty": b"",
        "text": b"hello\n" * 50,
        "cut": whole[: len(whole) // 2],
        "stub": whole[:100],
        "odd": whole[:-1],
    }
    reasons = {"empty": "is empty", "text": "not a GGUF", "stub": "damaged", "cut": "truncated", "odd": "truncated"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        await check_failed(tmp_path / name, reasons[name])
    await check_failed(tmp_path / "missing.gguf", "no such file")
    await check_failed(tmp_path, "folder")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"metadata": {"llama.block_count": 1_000_000}}, "crashed while loading it (SIG"),
        ({"metadata": {"tokenizer.ggml.model": "llama"}}, "crashed while loading it (SIG"),
        ({"metadata": {"llama.attention.layer_norm_rms_epsilon": -1.0}}, "crashed while loading it (SIG"),
        ({"metadata": {"llama.rope.freq_base": 0.0}}, "not a number"),
        ({"metadata": {"llama.attention.head_count": 3}}, "llama.cpp cannot load it"),
        ({"metadata": {"tokenizer.ggml.pre": "nobody's"}}, "unknown pre-tokenizer"),
    ],
)
async def test_damage_that_only_llama_cpp_finds(make_gguf, settings, reason):
    """Some of it ends the process; the user sees one line, and no restarts."""
    await check_failed(make_gguf(**settings), reason)


async def test_flipped_bits_never_reach_the_parent(random_model, tmp_path):
    whole, rng = random_model.read_bytes(), random.Random(11)
    for index in range(12):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[rng.randrange(12_000)] ^= 1 << rng.randrange(8)
        path = tmp_path / f"{index}.gguf"
        path.write_bytes(damaged)
        async with running(path) as engine:
            answer = await engine.fill(request())
            assert (engine.state, engine.reason) == ("ready", "") or (answer is None and engine.reason.isprintable())


async def test_a_file_cut_while_in_use(random_model, tmp_path):
    """Its mapped pages are gone, which ends the process; the next one finds the file truncated."""
    path = tmp_path / "model.gguf"
    path.write_bytes(random_model.read_bytes())
    async with running(path) as engine:
        assert await engine.fill(request()) is not None
        os.truncate(path, 20_000)
        assert await engine.fill(request("other")) is None
        await until(lambda: engine.state == "failed")
        assert "truncated" in engine.reason


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_process_killed_while_it_loads_is_replaced(random_model, dead_mount, number):
    async with running(dead_mount.file) as engine:
        loading = asyncio.create_task(engine.ready())
        await until(lambda: engine.process_id)
        os.kill(engine.process_id, number)
        assert not await loading
        assert engine.state == "crashed"
        assert f"was killed while loading it ({number.name}), as happens when memory is short" in engine.reason
        dead_mount.file.write_bytes(random_model.read_bytes())
        dead_mount.revive()
        await until(lambda: engine.state == "ready")
        assert await engine.fill(request()) is not None


async def test_a_process_killed_whenever_it_loads_is_given_up(dead_mount):
    """After a few times, with one line."""
    killed = set()
    async with running(dead_mount.file) as engine:
        loading = asyncio.create_task(engine.ready())
        while engine.state != "failed":
            if engine.process_id not in {None, *killed}:
                killed.add(engine.process_id)
                os.kill(engine.process_id, signal.SIGKILL)
            await asyncio.sleep(0.01)
        assert not await loading
        assert len(killed) == 4
        assert engine.reason.startswith(f"{dead_mount.file}: its process was killed while loading it (SIGKILL)")
        assert engine.reason.endswith("make room and restart the editor, or choose a smaller one")
        assert not await engine.ready()
        assert (engine.state, engine.process_id) == ("failed", None)


async def test_a_process_that_hangs_while_it_loads_is_ended(dead_mount, monkeypatch):
    """The user sees one line."""
    monkeypatch.setattr("repofill.models.engine._LOAD_S", 1.0)
    async with running(dead_mount.file) as engine:
        assert not await asyncio.wait_for(engine.ready(), 15.0)
        assert (engine.state, engine.process_id) == ("failed", None)
        assert "it was not loaded within 0 minutes; copy it to a faster disk" in engine.reason


@pytest.mark.parametrize(("left_s", "state"), [(0.01, "failed"), (60.0, "ready")])
async def test_how_long_loading_may_take_depends_on_the_size(slow_model, monkeypatch, left_s, state):
    """Once that is known."""
    monkeypatch.setattr("repofill.models.engine._LOAD_S", 20.0)
    monkeypatch.setattr("repofill.models.engine._LOAD_S_PER_GB", (left_s - 20.0) * 1e9 / slow_model.stat().st_size)
    async with running(slow_model) as engine:
        await asyncio.wait_for(engine.ready(), 60.0)
        assert engine.state == state


async def test_a_dead_mount_that_is_back(random_model, dead_mount, monkeypatch):
    """As long as it does not answer, a request is answered in time all the same."""
    back, stat = threading.Event(), Path.stat

    def late(path, **options):
        if path == dead_mount.file:
            back.wait(30.0)
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", late)
    monkeypatch.setattr("repofill.models.engine._LOAD_S", 1.0)
    async with running(dead_mount.file) as engine:
        assert not await engine.ready()
        for _ in range(2):
            started = time.monotonic()
            assert await engine.fill(request(deadline_s=0.2)) is None
            assert time.monotonic() - started < 5.0
            assert engine.state == "failed"
        dead_mount.file.write_bytes(random_model.read_bytes())
        dead_mount.revive()
        back.set()
        monkeypatch.setattr("repofill.models.engine._LOAD_S", 60.0)
        assert await engine.fill(request()) is not None


@pytest.mark.parametrize(("after_s", "state"), [(0.0, "ready"), (600.0, "failed")])
async def test_what_was_too_slow_is_tried_again_later(random_model, dead_mount, monkeypatch, after_s, state):
    """Though its file is the same: the disk may have stalled in the middle of it."""
    dead_mount.file.write_bytes(random_model.read_bytes())
    monkeypatch.setattr("repofill.models.engine._LOAD_S", 1.0)
    monkeypatch.setattr("repofill.models.engine._STALLED_S", after_s)
    async with running(dead_mount.file) as engine:
        assert not await engine.ready()
        assert engine.state == "failed"
        dead_mount.revive()
        monkeypatch.setattr("repofill.models.engine._LOAD_S", 60.0)
        await engine.ready()
        assert engine.state == state


async def test_closing_does_not_wait_for_a_process_that_the_system_cannot_end(random_model, monkeypatch):
    """As where it waits for a dead disk."""
    async with running(random_model) as engine:
        await engine.ready()
        child = engine._child
        await stop(child.pid)
        with monkeypatch.context() as patch:
            patch.setattr(Child, "kill", lambda self: None)
            await asyncio.wait_for(engine.close(), 20.0)
        child.kill()
        await child._process.wait()


async def test_a_replaced_file_is_tried_again(random_model, tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"not yet")
    async with running(path) as engine:
        assert await engine.fill(request()) is None
        assert engine.state == "failed"
        path.write_bytes(random_model.read_bytes())
        assert await engine.fill(request()) is not None
        assert engine.model.fim.layout == "spm"
