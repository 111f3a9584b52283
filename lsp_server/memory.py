"""The memory of a process that keeps indexes. Called by `cli`, `session` and the benchmark of the index."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_USUAL = gc.get_threshold()
_NEW_OBJECTS = 50_000
"""The usual 700 is for programs with little to keep: a fifth of the time in which an index is read went into looking
for garbage. Afterwards so many would scatter memory: 30 MB in a few hundred plans."""


def look_for_garbage_rarely() -> None:
    """For a process that is about to read an index, which all stays."""
    gc.set_threshold(_NEW_OBJECTS)


def keep_what_is_read() -> None:
    """Once an index is read: it stays, so Python need not look for garbage in it time and again, which would take 0.2 s
    at 10,000 files; and what reading took and glibc holds back, a third of it all, goes back to the system."""
    gc.set_threshold(*_USUAL)
    gc.freeze()
    with suppress(AttributeError, OSError, TypeError):  # other systems have other allocators, Windows no such library
        ctypes.CDLL(None).malloc_trim(0)


def collect_what_was_left() -> None:
    """Once an index is needed no longer: among what `keep_what_is_read` has kept is garbage now, 9 MB of 1,000 files,
    which nobody would ever look for."""
    gc.unfreeze()
    gc.collect()
    keep_what_is_read()
