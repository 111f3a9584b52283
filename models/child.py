"""The model process as its parent sees it: started with a safe environment, its stderr in the parent's log, stopped
without leaving anything behind. Used by engine.py alone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path

from repofill.models import protocol
from repofill.models.protocol import Message

_log = logging.getLogger(__name__)

_KILLED = -9
_GRACE_S = 2.0
_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads are a catastrophe on a machine where anything else runs
    "GGML_NO_BACKTRACE": "1",  # an abort must be quick; nobody reads its stack
    "PYTHONIOENCODING": "utf-8:backslashreplace",
}


class Child:
    """A running model process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        inbox, outbox, stderr = process.stdin, process.stdout, process.stderr
        if inbox is None or outbox is None or stderr is None:
            raise ValueError("a process without pipes")
        self._process, self._inbox, self._outbox, self._stderr = process, inbox, outbox, stderr
        self._logging = asyncio.create_task(self._pass_on_log(), name="model process log")
        self.last_line = ""
        self.is_dismissed = False

    @classmethod
    async def start(cls) -> Child:
        """Starts one. -P and the working directory keep the user's own modules from shadowing ours."""
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "repofill.models.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=tempfile.gettempdir(),
                env={**os.environ, **_ENVIRONMENT, **_absolute_python_path()},
                start_new_session=True,  # Ctrl-C in a terminal is for the parent, who then closes us
            )
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Message) -> None:
        """Sends a message; to a process that has gone it is lost, which `receive` will tell."""
        if not self._inbox.is_closing():
            self._inbox.write(protocol.encode(message))

    async def receive(self) -> Message | None:
        """The next message; None when the process has gone. Raises ProtocolError."""
        return await protocol.receive_message(self._outbox)

    def dismiss(self) -> None:
        """Lets the process end by itself: it is not needed any more."""
        self.is_dismissed = True
        self._inbox.close()

    def kill(self) -> None:
        """Ends the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self) -> str:
        """Ends the process, kindly and then at once, and says how it ended; at once, too, if nobody waits for that. One
        that even then does not end, because the system waits for a dead disk, is left to the system."""
        self._inbox.close()
        try:
            if not await self._ends():
                self.kill()
                if not await self._ends():
                    self._logging.cancel()
                    self._leave()
                    return "left to the system"
        except asyncio.CancelledError:
            self._leave()
            raise
        await self._logging
        with contextlib.suppress(OSError):
            await self._inbox.wait_closed()
        return self._how_it_ended()

    def _leave(self) -> None:
        """Kills the process and closes what belongs to it, waiting for nothing: the loop may end first."""
        transport = self._process._transport  # type: ignore[attr-defined]  # asyncio has no public name for it
        transport.close()
        left = transport.get_extra_info("subprocess")
        if left.returncode is None:  # else Python warns that it still runs, should the loop end before the process has
            left.returncode = _KILLED

    async def _ends(self) -> bool:
        with contextlib.suppress(TimeoutError):
            # `wait_for` might swallow a cancellation, before Python 3.12.
            async with asyncio.timeout(_GRACE_S):
                await self._process.wait()
        return self._process.returncode is not None

    async def _pass_on_log(self) -> None:
        while True:
            try:
                line = await self._stderr.readline()
            except ValueError:  # longer than the buffer
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            self.last_line = text or self.last_line
            _log.debug("model process: %s", text)

    def _how_it_ended(self) -> str:
        code = self._process.returncode or 0
        if code < 0:
            with contextlib.suppress(ValueError):
                return signal.Signals(-code).name
        return f"exit code {code}"


def _absolute_python_path() -> dict[str, str]:
    """PYTHONPATH as the parent reads it: its relative entries mean the parent's working directory."""
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return {"PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in entries)} if entries else {}
