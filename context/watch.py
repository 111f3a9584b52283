"""Changes on disk that did not come through the editor: a branch switch, a generator, another program.

Beside `context.scan`, `reader` and `store` the only place that touches the disk; the server's session has one for each
folder. Runs watchdog's threads and, while a batch waits, a timer's, on which `on_change` is called, a batch at a time.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserverVFS

from repofill.context.scan import IGNORE_FILES, IgnoreRules, is_config, is_source

_log = logging.getLogger(__name__)

QUIET_S = 0.25
"""A batch is delivered after this long without a further event, so a branch switch arrives as one change."""
LONGEST_S = 2.0
"""Nor does it wait any longer than this: a file that is written all the time must not hold up the others."""
POLL_S = 5.0
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


class WorkspaceWatcher:
    """Watches `root` and delivers debounced batches of changed paths, relative to it: source, configuration and ignore
    files and directories, unless they are ignored, and the file `also` in any case.

    A directory that appeared, moved or vanished is delivered as the directory's own path, `root` as "". When the
    operating system refuses more watches it polls instead; `notice` then holds the one sentence to show,
    which `on_notice` gets as well, on whatever thread found out.
    """

    def __init__(
        self,
        root: Path,
        on_change: Callable[[frozenset[str]], None],
        on_notice: Callable[[str], object] = _log.warning,
        also: str = "",
    ) -> None:
        self.notice: str | None = None
        self._on_notice = on_notice
        self._root = Path(os.path.abspath(root))
        self._watched = Path(os.path.realpath(root))  # of a link the system would watch the link
        self._on_change = on_change
        self._also = also
        self._ignore = IgnoreRules(self._root)
        self._lock = threading.Lock()
        self._delivering = threading.Lock()
        self._pending: set[str] = set()
        self._due = self._latest = 0.0
        self._timer: threading.Timer | None = None
        self._observer: BaseObserver | None = None
        self._has_grown = False
        self._stopped = False

    def start(self) -> None:
        """Begin to watch; falls back to polling instead of failing. After `stop` it does nothing."""
        if self._stopped or not self._root.is_dir():
            return
        try:
            self._observe(_system_observer(self._lost))
        except OSError as error:
            self._poll(error)
        else:
            self._poll_if_refused()

    def stop(self) -> None:
        """End all threads; a batch that is still waiting is dropped."""
        with self._lock:
            self._stopped = True
            if self._timer is not None:
                self._timer.cancel()
        if self._observer is not None:
            _end(self._observer)

    def _observe(self, observer: BaseObserver) -> None:
        self._observer = observer
        observer.schedule(_Handler(self._note), str(self._watched), recursive=True, event_filter=_EVENTS)
        observer.start()
        if self._stopped:  # meanwhile
            _end(observer)

    def _poll_if_refused(self) -> bool:
        """An observer leaves out the directories that it gets no watch for, and says nothing."""
        error = _refusal(self._watched)
        if error is not None:
            self._poll(error)
        return error is not None

    def _poll(self, error: OSError) -> None:
        if self._observer is not None:
            _end(self._observer)
        self._observe(PollingObserverVFS(os.lstat, self._entries, polling_interval=POLL_S))
        self.notice = (
            f"The system allows no more file watches ({error.strerror}): looking for changes every {POLL_S:.0f} s."
        )
        self._on_notice(self.notice)

    def _entries(self, folder: str | None) -> Iterator[os.DirEntry[str]]:
        """What polling looks at: nothing that is ignored, nothing behind a link, nothing that cannot be read."""
        try:
            with os.scandir(folder) as entries:
                return iter([e for e in entries if self._counts(e.path, e.is_dir(follow_symlinks=False)) is not None])
        except OSError:
            return iter(())

    def _counts(self, name: str | bytes, is_directory: bool) -> str | None:
        """The workspace path of what an event or a listing names, None if it is of no interest."""
        try:
            path = "/".join(Path(os.fsdecode(name)).relative_to(self._watched).parts)
        except ValueError:
            return None
        is_ignore_file = os.path.basename(path) in IGNORE_FILES
        counts = is_directory or is_ignore_file or is_source(path) or is_config(path)
        return path if path == self._also or (counts and not self._ignore.ignores(path, is_directory)) else None

    def _note(self, event: FileSystemEvent) -> None:
        for name in (event.src_path, event.dest_path):
            path = self._counts(name, event.is_directory) if name else None
            if path is None:
                continue
            if os.path.basename(path) in IGNORE_FILES:
                self._ignore = IgnoreRules(self._root)
            self._add(path, event.is_directory)

    def _lost(self) -> None:
        """Nobody knows what has changed: everything is looked at."""
        self._ignore = IgnoreRules(self._root)
        self._add("", is_directory=True)

    def _add(self, path: str, is_directory: bool) -> None:
        now = time.monotonic()
        with self._lock:
            if self._stopped:
                return
            if not self._pending:
                self._latest = now + LONGEST_S
                self._wait(QUIET_S)
            self._pending.add(path)
            self._has_grown = self._has_grown or is_directory
            self._due = min(now + QUIET_S, self._latest)

    def _wait(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._deliver)
        self._timer.daemon = True
        self._timer.start()

    def _deliver(self) -> None:
        with self._delivering:
            with self._lock:
                if self._stopped:
                    return
                early_s = self._due - time.monotonic()
                if early_s > 0:
                    self._wait(early_s)
                    return
                batch, self._pending = frozenset(self._pending), set()
                has_grown, self._has_grown = self._has_grown, False
            if has_grown:
                self._ignore = IgnoreRules(self._root)  # a folder may have brought ignore files along
            try:
                if has_grown and self.notice is None and self._poll_if_refused():
                    batch |= {""}  # what has changed between the last notification and the first look is not known
                self._on_change(batch)
            except Exception:
                _log.exception("taking over %d changed files failed", len(batch))


class _Handler(FileSystemEventHandler):
    def __init__(self, note: Callable[[FileSystemEvent], None]) -> None:
        self._note = note

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._note(event)


def _system_observer(on_loss: Callable[[], None]) -> BaseObserver:
    """An observer by the system's own notifications. `on_loss` is called, on a thread of its, when some did not arrive.

    Linux drops what comes too fast, and watchdog tells nobody; of folders that were moved out of the tree and made anew
    watchdog loses track, and an error of it would end the thread that reads.
    """
    if sys.platform != "linux":
        return Observer()
    from watchdog.observers.inotify import InotifyEmitter, InotifyObserver
    from watchdog.observers.inotify_c import InotifyEvent, InotifyFD

    class Notifications(InotifyFD):
        def handle_event(self, event: InotifyEvent) -> None:
            lost = event.is_queue_overflow
            try:
                super().handle_event(event)
            except Exception:
                _log.exception("a notification of a change on disk went wrong")
                lost = True
            if lost:
                on_loss()

    class SystemObserver(InotifyObserver):
        def __init__(self) -> None:
            self._inotify_fd = Notifications()
            self._inotify_fd.start()
            BaseObserver.__init__(self, InotifyEmitter, inotify_fd=self._inotify_fd)

        def on_thread_stop(self) -> None:
            with suppress(KeyError):  # of a folder it has lost track of
                super().on_thread_stop()
            self._inotify_fd.stop()

    return SystemObserver()


def _refusal(folder: Path) -> OSError | None:
    """The system's refusal of one more watch, found out by asking for one."""
    probe: BaseObserver | None = None
    try:
        probe = Observer()
        probe.schedule(FileSystemEventHandler(), str(folder))
        probe.start()
    except OSError as error:
        return error if error.errno == errno.ENOSPC else None
    finally:
        if probe is not None:
            _end(probe)
    return None


def _end(observer: BaseObserver) -> None:
    observer.stop()
    if observer.is_alive():
        observer.join(timeout=POLL_S)
