"""The engine: the one door to a model for everything that runs in the editor's server. Starts the model process on
first use, asks it, and starts it again when it dies. Loop thread only; knows nothing of llama.cpp, nor of HTTP. The
model's file is read by that process alone: its disk may be slow, or dead.

States: "idle" (not used yet, or not for long), "starting", "ready", "crashed" (waiting to start again), "failed" (the
model cannot be used; `reason` says what to do, and a changed file, or after a while a server or what was too slow, is
tried again), "closed".
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from repofill.models.child import Child
from repofill.models.gguf import ModelDescription, ModelFileError, undescribed
from repofill.models.protocol import (
    Cancel,
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
    ProtocolError,
    Ready,
    is_address,
)

_log = logging.getLogger(__name__)

_FIRST_BACK_OFF_S, _LAST_BACK_OFF_S = 0.5, 30.0
_HUNG_AFTER_S = 15.0
_FINISHED_TOKENS = 192
"""A process that is this late with an answer, and could have evaluated so many tokens meanwhile, is taken for hung and
killed: what it has begun it finishes, 64 tokens as a rule."""

_FROM_OUTSIDE = frozenset({"SIGKILL", "SIGTERM"})
_MOST_KILLS = 4
"""So often a process is killed from outside while it loads before the model is given up: memory may be short for a
moment only."""

_SERVER_CHANGES_S = 30.0
"""A server that cannot be used may have another model as long after that."""

_LOAD_S, _LOAD_S_PER_GB = 120.0, 180.0
"""A model that takes longer to load is given up: a slow disk reads 6 MB in a second."""
_STALLED_S = 300.0
"""Its disk may be back as long after that."""

_GRACE_S = 0.05
"""For an answer that was sent at its deadline."""
_LOOK_S = 1.0
"""For finding out whether a file has changed."""
_COUNTED_TEXTS = 8192
_COUNT_CHARACTERS = 1 << 18


_Signature = tuple[int, int]


class EngineUnavailable(Exception):
    """The model process is not there now; the text is one line that says why."""


class Engine:
    """One model, in a process of its own. Use it from one event loop, and close it there. Of the engines that share a
    `turn` one at a time has a process: the memory may not hold two. After `idle_s` in which nothing is asked there is
    no process, until something is."""

    def __init__(
        self,
        model: str | os.PathLike[str],
        options: EngineOptions | None = None,
        *,
        client: str = "editor",
        turn: asyncio.Lock | None = None,
        idle_s: float = math.inf,
    ) -> None:
        self._address = os.fspath(model) if is_address(os.fspath(model)) else ""
        self._path = Path(os.path.expanduser(model)).absolute()
        self._options = options or EngineOptions()
        self._client = client
        self._turn = turn or asyncio.Lock()
        self._idle_s = idle_s
        self._rest: asyncio.TimerHandle | None = None
        self._ids = itertools.count(1)
        self._late: set[asyncio.Task[Filled | Counted | None]] = set()
        self._pending: dict[int, asyncio.Future[Filled | Counted | None]] = {}
        self._counts: OrderedDict[bytes, int] = OrderedDict()
        self._model = undescribed(self._address or self._path.stem, served=self._address)
        self._looking: asyncio.Future[_Signature] | None = None
        self._failed_file: _Signature | None = None
        self._again_at = math.inf
        self._child: Child | None = None
        self._supervisors: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._state, self._reason = "idle", ""
        self._back_off_s = _FIRST_BACK_OFF_S
        self._ready: Ready | None = None

    @property
    def state(self) -> str:
        return self._state

    @property
    def reason(self) -> str:
        """One line on why the engine is "crashed" or "failed", else ""."""
        return self._reason

    @property
    def process_id(self) -> int | None:
        """The model process, None while there is none."""
        return self._child.pid if self._child else None

    @property
    def model(self) -> ModelDescription:
        """What is known of the model by now: its name, and once there was a process, what that read or was told."""
        return self._model

    @property
    def tokens_per_s(self) -> float:
        """Tokens of a prompt that the model evaluates in a second, as measured when it was loaded; infinite before."""
        return math.inf if self._ready is None else self._ready.tokens_per_s

    @property
    def _patience_s(self) -> float:
        return max(_HUNG_AFTER_S, _FINISHED_TOKENS / self.tokens_per_s)

    @property
    def _load_s(self) -> float:
        """How long loading may take; of a server the process itself knows when to give up."""
        return math.inf if self._address else _LOAD_S + self._model.size_bytes / 1e9 * _LOAD_S_PER_GB

    async def ready(self, timeout_s: float | None = None) -> bool:
        """Starts the process if need be and waits until it is ready, or there is no hope for now."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._start()
                await self._settled.wait()
        return self._state == "ready"

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text. Raises EngineUnavailable."""
        keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._counts}
        known = {key: self._counts[key] for key in keys if key in self._counts}
        if unknown and not await self.ready():
            raise EngineUnavailable(self._reason or f"the engine is {self._state}")
        for chunk in _chunks(unknown):
            counted = await self._count([unknown[key] for key in chunk])
            if not isinstance(counted, Counted):
                raise EngineUnavailable(self._reason or f"the engine is {self._state}")
            known |= zip(chunk, counted.counts, strict=True)
        for key in keys:
            self._counts[key] = known[key]
            self._counts.move_to_end(key)
        while len(self._counts) > _COUNTED_TEXTS:
            self._counts.popitem(last=False)
        return [known[key] for key in keys]

    async def fill(self, request: FillRequest) -> FillAnswer | None:
        """The answer by the request's deadline, counted from now; None when there is none: the process is not ready or
        still busy with a part of the prompt, a newer request came, or this one could not be evaluated. Cancelling the
        awaiting task stops the evaluation."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + request.deadline_s
        if not await self.ready(request.deadline_s):
            return None
        id, left = next(self._ids), deadline - loop.time()
        message = Fill(client=self._client, id=id, request=replace(request, deadline_s=left))
        asking = asyncio.create_task(self._ask(id, message, left + self._patience_s), name="fill")
        try:
            await asyncio.wait({asking}, timeout=max(left, 0) + _GRACE_S)
        except asyncio.CancelledError:
            asking.cancel()
            raise
        if not asking.done():
            self._late.add(asking)  # what it evaluates is there for the next request
            asking.add_done_callback(self._late.discard)
            return None
        filled = asking.result()
        if not isinstance(filled, Filled) or filled.answer is None:
            return None
        self._back_off_s = _FIRST_BACK_OFF_S
        return filled.answer

    async def warm(self, request: FillRequest) -> None:
        """Brings a prompt into the cache while nothing else is asked for; returns when it is there or was given up."""
        if not await self.ready():
            return
        id = next(self._ids)
        message = Fill(client=self._client, id=id, request=request, prefill_only=True)
        prefill = asyncio.create_task(self._ask(id, message), name="prefill")
        try:
            while not (await asyncio.wait([prefill], timeout=self._patience_s))[0]:
                await self._count([])  # a prefill takes as long as it takes, but this is answered at once
            await prefill
        finally:
            prefill.cancel()

    async def close(self) -> None:
        """Ends the model process, for good. Requests under way are answered with None."""
        self._enter("closed")
        if self._rest is not None:
            self._rest.cancel()
        for supervisor in (running := list(self._supervisors)):
            supervisor.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _count(self, texts: Sequence[str]) -> Filled | Counted | None:
        id = next(self._ids)
        return await self._ask(id, Count(client=self._client, id=id, texts=tuple(texts)), self._patience_s)

    async def _ask(self, id: int, message: Fill | Count, timeout_s: float | None = None) -> Filled | Counted | None:
        child = self._child
        if child is None:
            return None
        answer: asyncio.Future[Filled | Counted | None] = asyncio.get_running_loop().create_future()
        self._pending[id] = answer
        try:
            child.send(message)
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            _log.error("the model process hangs and is ended")
            child.kill()
            return None
        except asyncio.CancelledError:
            child.send(Cancel(client=self._client, id=id))
            raise
        finally:
            del self._pending[id]
            self._rest_later()

    def _rest_later(self) -> None:
        """Begin anew to count how long nothing is asked."""
        if self._rest is not None:
            self._rest.cancel()
        if self._idle_s < math.inf:
            self._rest = asyncio.get_running_loop().call_later(self._idle_s, self._end_if_idle)

    def _end_if_idle(self) -> None:
        """The memory is the user's."""
        if self._child is not None and self._state == "ready" and not self._pending:
            _log.info("nothing was asked for a while: the model is unloaded")
            self._enter("idle")
            self._child.dismiss()

    async def _start(self) -> None:
        """Begin, unless it has been or there is no hope."""
        again = self._state == "failed" and await self._may_work_now()
        if self._state == "idle" or (self._state == "failed" and again):
            self._enter("starting")
            supervisor = asyncio.create_task(self._take_turn(), name="model process supervisor")
            self._supervisors.add(supervisor)
            supervisor.add_done_callback(self._supervisor_done)

    async def _take_turn(self) -> None:
        async with self._turn:
            await self._supervise()

    async def _supervise(self) -> None:
        """Keeps a model process running until the model turns out to be unusable."""
        kills = 0
        while True:
            self._enter("starting")
            self._again_at = math.inf
            looking = self._look()
            self._counts.clear()
            self._child = child = await Child.start()
            how = ""
            try:
                failure = await self._serve(child)
            finally:
                self._child = None
                how = await child.stop()
                self._give_up_pending()
            if child.is_dismissed or self._state == "closed":
                return
            if self._state != "starting":
                kills = 0
            elif failure is None:
                kills += how in _FROM_OUTSIDE
                passing = how in _FROM_OUTSIDE and kills < _MOST_KILLS
                failure = Failed(reason=self._start_failure(how, child.last_line), passing=passing)
            if failure is not None and not failure.passing:
                self._failed_file = looking.result() if looking.done() else None
                if self._address:
                    self._again_at = time.monotonic() + _SERVER_CHANGES_S
                self._enter("failed", failure.reason)
                return
            why = f"the model process ended ({how})" if failure is None else failure.reason
            self._enter("crashed", f"{why}; tried again in {self._back_off_s:g} s")
            await asyncio.sleep(self._back_off_s)
            self._back_off_s = min(self._back_off_s * 2, _LAST_BACK_OFF_S)

    async def _serve(self, child: Child) -> Failed | None:
        """Hands out the child's answers until it goes, or says why it cannot use the model."""
        child.send(Hello(client=self._client, model=self._address or str(self._path), options=self._options))
        try:
            async with asyncio.timeout(self._load_s) as loading:
                while (message := await child.receive()) is not None:
                    match message:
                        case Described():
                            self._model = message.model
                            loading.reschedule(asyncio.get_running_loop().time() + self._load_s)
                        case Ready():
                            loading.reschedule(None)
                            self._ready = message
                            _log.info("the model is loaded: it reads %.0f tokens/s", message.tokens_per_s)
                            self._enter("ready")
                            self._rest_later()
                        case Failed():
                            return message
                        case Filled() | Counted():
                            answer = self._pending.get(message.id)
                            if answer is not None and not answer.done():
                                answer.set_result(message)
                        case _:
                            raise ProtocolError(f"not a message from a worker: {type(message).__name__}")
        except TimeoutError:
            child.kill()
            self._again_at = time.monotonic() + _STALLED_S
            reason = f"it was not loaded within {self._load_s / 60:.0f} minutes; copy it to a faster disk"
            return Failed(reason=str(ModelFileError(self._path, f"{reason}, or choose a smaller one")))
        except ProtocolError:
            _log.exception("the model process does not speak the protocol and is ended")
            child.kill()
            return Failed(reason="the model process does not speak the protocol", passing=True)
        return None

    def _start_failure(self, how: str, last_line: str) -> str:
        """Why a process ended before it was ready, in one line."""
        if how.startswith("exit code"):
            return f"the model process cannot start ({last_line or how}); reinstall repofill"
        why = f"llama.cpp crashed while loading it ({how}); download it again or choose a smaller one"
        if how in _FROM_OUTSIDE:
            why = f"its process was killed while loading it ({how}), as happens when memory is short; make room and"
            why += " restart the editor, or choose a smaller one"
        return str(ModelFileError(self._address or self._path, why))

    def _supervisor_done(self, task: asyncio.Task[None]) -> None:
        self._supervisors.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("supervising the model process failed", exc_info=error)
            self._enter("failed", f"the model process cannot be started: {error}")

    def _give_up_pending(self) -> None:
        for answer in self._pending.values():
            if not answer.done():
                answer.set_result(None)

    def _enter(self, state: str, reason: str = "") -> None:
        if self._state == "closed":
            return
        if reason:
            _log.warning("%s", reason)
        self._state, self._reason = state, reason
        if state in ("idle", "starting"):
            self._settled.clear()
        else:
            self._settled.set()

    async def _may_work_now(self) -> bool:
        """Whether the file is another than the one that failed, or it is time to try again; not as long as its disk
        does not answer."""
        looking = self._look()
        await asyncio.wait({looking}, timeout=_LOOK_S)
        return looking.done() and (looking.result() != self._failed_file or time.monotonic() >= self._again_at)

    def _look(self) -> asyncio.Future[_Signature]:
        """The signature of the file as it is now. One look at a time: on a dead disk it takes for ever."""
        if self._looking is None or self._looking.done():
            self._looking = _beside(self._signature)
        return self._looking

    def _signature(self) -> _Signature:
        """Changes when the file does."""
        try:
            status = self._path.stat()
        except (OSError, ValueError):
            return (0, 0)
        return status.st_mtime_ns, status.st_size


def _beside(work: Callable[[], _Signature]) -> asyncio.Future[_Signature]:
    """The result of `work`, which may hang, in a thread that nobody waits for at the end."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[_Signature] = loop.create_future()

    def run() -> None:
        found = work()
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(result.set_result, found)

    threading.Thread(target=run, name="look", daemon=True).start()
    return result


def _chunks(texts: dict[bytes, str]) -> Iterator[list[bytes]]:
    """Keys in groups whose texts make messages of moderate size, so that a cancellation never waits long behind one."""
    group: list[bytes] = []
    characters = 0
    for key, text in texts.items():
        if group and characters + len(text) > _COUNT_CHARACTERS:
            yield group
            group, characters = [], 0
        group.append(key)
        characters += len(text)
    if group:
        yield group
