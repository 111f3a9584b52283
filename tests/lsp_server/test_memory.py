"""Garbage is looked for rarely while an index is read, and as usual afterwards, but not in what was read."""

from __future__ import annotations

import gc

from repofill.lsp_server.memory import keep_what_is_read, look_for_garbage_rarely


def test_the_collector_is_put_back_once_an_index_is_read() -> None:
    before = gc.get_threshold()  # what a command that another test ran has left
    try:
        keep_what_is_read()
        usual = gc.get_threshold()
        look_for_garbage_rarely()
        assert gc.get_threshold()[0] > 10 * usual[0]
        keep_what_is_read()
        assert gc.get_threshold() == usual
        assert gc.get_freeze_count() > 0
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
