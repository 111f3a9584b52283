"""Reading files of a workspace: from a path to what the index keeps of it. In this process, or for many files in
processes beside it, so that parsing never makes a keystroke wait.

`python -m repofill.context.reader ROOT` is such a process: it takes lines of paths, with NUL between them, and answers
each line with the pickled results of `read`; it ends with its input.
"""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Timer

from repofill.context.parse import parse
from repofill.context.redact import redact
from repofill.context.scan import counts, read_text
from repofill.context.store import Row, Stamp, encode, left_out

_log = logging.getLogger(__name__)

_CHUNK = 64
FEW = 3 * _CHUNK
"""So many files are read here and now: starting a process takes longer."""
_MOST_PROCESSES = 4
_NICENESS = 10
_HUNG_AFTER_S = 60.0
"""A process that takes this long for one chunk is ended: else a single file could hold up the rest, and the server's
end."""
_LATEST_NS = (1 << 63) - 1
"""What a database holds: a file may say that it is of the year 2300."""


def read(root: Path, path: str) -> Row | None:
    """Read and parse one file; None when it cannot be read."""
    stamp = stamp_of(root, path)
    text = None if stamp is None else read_text(root, path)
    if text is None or stamp is None:
        return None
    if not counts(path, text):
        return left_out(path, stamp)
    text = shown_to_others(text)
    return encode(path, text, parse(path, text), stamp)


def shown_to_others(text: str) -> str:
    """A file's text as prompts for other files may show it: without secrets, with LF line ends."""
    return redact(lf(text))


def lf(text: str) -> str:
    """`text` with LF line ends only."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def stamp_of(root: Path, path: str) -> Stamp | None:
    """What the file system says of a file, None without one."""
    try:
        stat = os.stat(os.path.join(root, path))
    except (OSError, ValueError):
        return None
    return Stamp(modified_ns=min(max(stat.st_mtime_ns, stat.st_ctime_ns), _LATEST_NS), size=stat.st_size)


def process_count() -> int:
    """How many processes read at a time: half of the machine's cores, the rest is the user's."""
    return min(max((os.cpu_count() or 1) // 2, 1), _MOST_PROCESSES)


def read_many(root: Path, paths: Sequence[str]) -> Iterator[dict[str, Row | None]]:
    """Read files chunk by chunk, many of them in half of the machine's cores, at low priority."""
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    if len(paths) <= FEW:
        for chunk in chunks:
            yield {path: read(root, path) for path in chunk}
        return
    with ExitStack() as stack:
        count = process_count()
        processes = [stack.enter_context(_Process(root)) for _ in range(count)]
        threads = stack.enter_context(ThreadPoolExecutor(count, thread_name_prefix="reader"))
        free = list(processes)

        def work(chunk: Sequence[str]) -> dict[str, Row | None]:
            process = free.pop()  # as many threads as processes
            try:
                return process.read(chunk)
            finally:
                free.append(process)

        yield from threads.map(work, chunks)


class _Process:
    """A process that reads files."""

    def __init__(self, root: Path) -> None:
        self._command = [sys.executable, "-P", "-m", "repofill.context.reader", str(root)]
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
            start_new_session=True,
        )

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def read(self, paths: Sequence[str]) -> dict[str, Row | None]:
        """Their rows. A file that ends the process, or keeps it for ever, by a fault of its parser, is left out; the
        others are not."""
        try:
            rows = self._answer(paths)
        except (OSError, EOFError, pickle.UnpicklingError):
            self._end()
            self._process = self._started()
            if len(paths) > 1:
                return {path: self.read([path])[path] for path in paths}
            rows = [None]
            _log.warning("%s is left out: whatever reads it comes to a sudden end, or to none", *paths)
        return dict(zip(paths, rows, strict=True))

    def _answer(self, paths: Sequence[str]) -> list[Row | None]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        hung = Timer(_HUNG_AFTER_S, self._process.kill)
        hung.start()
        try:
            self._process.stdin.write(b"\0".join(map(os.fsencode, paths)) + b"\n")
            self._process.stdin.flush()
            rows: list[Row | None] = pickle.load(self._process.stdout)
            return rows
        finally:
            hung.cancel()


def main() -> None:
    """The process."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    root = Path(os.fsdecode(sys.argv[1]))
    for line in sys.stdin.buffer:
        rows = [read(root, os.fsdecode(path)) for path in line.rstrip(b"\n").split(b"\0")]
        pickle.dump(rows, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
