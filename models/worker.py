"""The model process: `python -m repofill.models.worker`, started by engine.py, speaking protocol.py on its stdin and
stdout. It has a model loaded, or asks the server that has.

Three kinds of thread: one reads messages, and so can set the stop flag the moment a newer request arrives; the main
thread alone evaluates; timers set the flag at deadlines. The process ends when its stdin does.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Protocol

from repofill.models import protocol
from repofill.models.faults import Aborted, ServerAway, ServerError
from repofill.models.gguf import ModelFileError, read_description
from repofill.models.protocol import (
    Cancel,
    Count,
    Counted,
    Described,
    Failed,
    Fill,
    FillAnswer,
    Filled,
    FillRequest,
    Hello,
    Message,
    Ready,
    is_address,
)


class _Stop(Protocol):
    """Ends an evaluation while it is set."""

    def set(self) -> None: ...

    def clear(self) -> None: ...


class _Filler(Protocol):
    """What answers: `decoding.Filler`, with a model of its own, or `served.ServedFiller`."""

    def ready(self) -> Ready: ...

    def count(self, texts: tuple[str, ...]) -> tuple[int, ...]: ...

    def prefill(self, request: FillRequest) -> None: ...

    def fill(self, request: FillRequest) -> FillAnswer: ...

    def clear(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Job:
    """A Fill on its way. `stopped`: why it is to end early, "" while it is not."""

    fill: Fill
    arrived: float = field(default_factory=time.monotonic)
    stopped: str = ""


class _Jobs:
    """What waits and what runs: of every client the newest request, and the newest prompt to prefill when idle."""

    def __init__(self, stop: _Stop) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._waiting: list[_Job] = []
        self._running: _Job | None = None

    def submit(self, job: _Job) -> list[_Job]:
        """Queues a job. Waiting ones that it supersedes are returned; a running one is stopped, as is any prefill."""
        with self._changed:
            superseded = [other for other in self._waiting if _supersedes(job, other)]
            self._waiting = [*(other for other in self._waiting if other not in superseded), job]
            if self._running and (self._running.fill.prefill_only or _supersedes(job, self._running)):
                self._halt(self._running, "cancelled")
            self._changed.notify()
            return superseded

    def cancel(self, client: str, id: int) -> list[_Job]:
        """Stops a job: returned if it was waiting, halted if it runs."""
        with self._changed:
            cancelled = [job for job in self._waiting if (job.fill.client, job.fill.id) == (client, id)]
            self._waiting = [job for job in self._waiting if job not in cancelled]
            if self._running and (self._running.fill.client, self._running.fill.id) == (client, id):
                self._halt(self._running, "cancelled")
            return cancelled

    def expire(self, job: _Job) -> None:
        """The deadline of a job."""
        with self._changed:
            if self._running is job:
                self._halt(job, "deadline")

    def next(self) -> _Job:
        """Waits for the next job and makes it the running one: requests before prefills."""
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: bool(self._waiting))
            job = min(self._waiting, key=lambda job: job.fill.prefill_only)
            self._waiting.remove(job)
            return self._run(job)

    def go_on(self, job: _Job) -> bool:
        """Makes `job` the running one again unless something else waits."""
        with self._changed:
            self._running = None
            if self._waiting:
                return False
            self._run(job)
            return True

    def _run(self, job: _Job) -> _Job:
        self._stop.clear()
        self._running = job
        return job

    def _halt(self, job: _Job, why: str) -> None:
        job.stopped = why
        self._stop.set()


def _supersedes(job: _Job, other: _Job) -> bool:
    """A request replaces whatever its client asked before; a prefill only an earlier prefill."""
    return job.fill.client == other.fill.client and (other.fill.prefill_only or not job.fill.prefill_only)


class _Worker:
    """One client connection and its model."""

    def __init__(self, inbox: BinaryIO, outbox: BinaryIO) -> None:
        self._inbox, self._outbox = inbox, outbox
        self._sending = threading.Lock()

    def run(self) -> int:
        hello = protocol.read_message(self._inbox)
        if not isinstance(hello, Hello) or hello.version != protocol.VERSION:
            self._send(Failed(reason=f"the other side does not speak version {protocol.VERSION} of the protocol"))
            return 1
        try:
            self._filler, stop = (_served if is_address(hello.model) else _loaded)(hello, self._send)
        except (ModelFileError, ServerError) as error:
            self._send(Failed(reason=str(error), passing=isinstance(error, ServerAway)))
            return 0
        self._jobs = _Jobs(stop)
        self._send(self._filler.ready())
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        try:
            while True:
                self._work(self._jobs.next())
        except ServerError as error:
            self._send(Failed(reason=str(error), passing=True))
            return 0

    def _read(self) -> None:
        try:
            while (message := protocol.read_message(self._inbox)) is not None:
                self._take(message)
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(0)  # nobody is left to answer; the main thread may be deep inside an evaluation

    def _take(self, message: Message) -> None:
        match message:
            case Fill():
                for superseded in self._jobs.submit(_Job(message)):
                    self._answer(superseded, None)
            case Cancel():
                for cancelled in self._jobs.cancel(message.client, message.id):
                    self._answer(cancelled, None)
            case Count():  # tokenizing touches no context and needs not wait for the main thread
                counts = self._filler.count(message.texts)
                self._send(Counted(client=message.client, id=message.id, counts=counts))
            case _:
                raise protocol.ProtocolError(f"not a message to a worker: {type(message).__name__}")

    def _work(self, job: _Job) -> None:
        request = job.fill.request
        if job.fill.prefill_only:
            self._prefill(job)
            self._answer(job, None)
            return
        timer = threading.Timer(request.deadline_s - (time.monotonic() - job.arrived), self._jobs.expire, [job])
        timer.daemon = True
        timer.start()
        answer = self._fill(job)
        timer.cancel()
        self._answer(job, answer)
        if answer is not None and answer.ended == "deadline":
            # The next keystroke asks for nearly the same prompt: have it ready by then.
            background = _Job(fill=replace(job.fill, prefill_only=True))
            if self._jobs.go_on(background):
                self._prefill(background)

    def _fill(self, job: _Job) -> FillAnswer | None:
        try:
            answer = self._filler.fill(job.fill.request)
        except ServerError:
            raise
        except Exception:
            traceback.print_exc()
            self._filler.clear()
            return None
        if answer.ended != "cancelled":
            return answer
        return replace(answer, ended="deadline") if job.stopped == "deadline" else None

    def _prefill(self, job: _Job) -> None:
        try:
            self._filler.prefill(job.fill.request)
        except Aborted:
            pass
        except ServerError:
            raise
        except Exception:
            traceback.print_exc()
            self._filler.clear()

    def _answer(self, job: _Job, answer: FillAnswer | None) -> None:
        self._send(Filled(client=job.fill.client, id=job.fill.id, answer=answer))

    def _send(self, message: Message) -> None:
        with self._sending:
            self._outbox.write(protocol.encode(message))
            self._outbox.flush()


def _loaded(hello: Hello, send: Callable[[Message], None]) -> tuple[_Filler, _Stop]:
    """A model of this process. Raises ModelFileError. llama.cpp is not even looked for where a server has the model."""
    description = read_description(hello.model)
    send(Described(model=description))

    from repofill.models.decoding import Filler
    from repofill.models.llama import Llama, StopFlag

    stop = StopFlag()
    return Filler(Llama(description, hello.options, stop), description), stop


def _served(hello: Hello, send: Callable[[Message], None]) -> tuple[_Filler, _Stop]:
    """That of a server. Raises ServerError."""
    from repofill.models.served import Interrupt, ServedFiller

    stop = Interrupt()
    filler = ServedFiller(hello.model, hello.options, stop)
    send(Described(model=filler.description))
    return filler, stop


def main() -> int:
    """Serves one client on stdin and stdout until it hangs up."""
    try:
        return _Worker(*_own_streams()).run()
    except BrokenPipeError:
        return 0


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """The process's stdin and stdout for the protocol alone: what a library prints goes to stderr from here on."""
    streams = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return streams


if __name__ == "__main__":
    sys.exit(main())
