"""Changes on disk that did not come through the editor: a branch switch, a generator, another program.

The only place besides `context.scan` that touches the disk; owned by the server's session. Runs watchdog's threads and
one timer thread; `on_change` is called on the timer's thread.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from repofill.context.scan import IgnoreRules

_log = logging.getLogger(__name__)

QUIET_S = 0.25
"""A batch is delivered after this long without a further event, so a branch switch arrives as one change."""
POLL_S = 5.0
_ACTIONS = frozenset({"created", "modified", "moved", "deleted"})


class WorkspaceWatcher:
    """Watches `root` and delivers debounced batches of changed paths, relative to it.

    A directory that appeared, moved or vanished is delivered as the directory's own path. When the operating system
    refuses more watches it polls instead; `notice` then holds the one sentence to show.
    """

    def __init__(self, root: Path, on_change: Callable[[frozenset[str]], None]) -> None:
        self.notice: str | None = None
        self._root = Path(os.path.abspath(root))
        self._on_change = on_change
        self._ignore = IgnoreRules(self._root)
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._timer: threading.Timer | None = None
        self._observer: BaseObserver | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to watch; falls back to polling instead of failing. After `stop` it does nothing."""
        if self._stopped:
            return
        try:
            self._observer = self._observe(Observer())
        except OSError as error:
            self.notice = (
                f"The system allows no more file watches ({error.strerror}): looking for changes every {POLL_S:.0f} s."
            )
            _log.warning("%s", self.notice)
            self._observer = self._observe(PollingObserver(timeout=POLL_S))

    def stop(self) -> None:
        """End all threads; a batch that is still waiting is dropped."""
        with self._lock:
            self._stopped = True
            if self._timer is not None:
                self._timer.cancel()
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=POLL_S)

    def _observe(self, observer: BaseObserver) -> BaseObserver:
        observer.schedule(_Handler(self._note), str(self._root), recursive=True)
        observer.start()
        return observer

    def _note(self, event: FileSystemEvent) -> None:
        for name in (event.src_path, event.dest_path):
            if not name:
                continue
            try:
                path = Path(os.fsdecode(name)).relative_to(self._root).as_posix()
            except ValueError:
                continue
            if not self._ignore.ignores(path, event.is_directory):
                self._add(path)

    def _add(self, path: str) -> None:
        with self._lock:
            if self._stopped:
                return
            self._pending.add(path)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(QUIET_S, self._deliver)
            self._timer.daemon = True
            self._timer.start()

    def _deliver(self) -> None:
        with self._lock:
            if self._stopped:
                return
            batch, self._pending = frozenset(self._pending), set()
        try:
            self._on_change(batch)
        except Exception:
            _log.exception("taking over %d changed files failed", len(batch))


class _Handler(FileSystemEventHandler):
    def __init__(self, note: Callable[[FileSystemEvent], None]) -> None:
        self._note = note

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _ACTIONS and not (event.is_directory and event.event_type == "modified"):
            self._note(event)
