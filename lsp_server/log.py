"""The log file. Called by the command line at its start and by the session when settings change where it is."""

from __future__ import annotations

import logging
import logging.handlers
import os
from pathlib import Path

import platformdirs

from repofill.lsp_server.settings import LogSettings

_BYTES, _FILES = 2_000_000, 3


def log_path(settings: LogSettings) -> Path:
    """The log file that the settings name, else the one in the user's log directory."""
    named = os.path.expanduser(settings.file)  # leaves an unknown user's home as it is
    return Path(named) if named else platformdirs.user_log_path("repofill") / "repofill.log"


def log_to_file(settings: LogSettings) -> None:
    """Send the log to its rotating file, and nothing to stdout or stderr, also where that file cannot be written."""
    path = log_path(settings)
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    logging.getLogger("repofill").setLevel(settings.level.upper())
    # pygls logs the parameters of whatever fails, and with them source text; Server.report_server_error says the same.
    logging.getLogger("pygls").setLevel(logging.CRITICAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=_BYTES, backupCount=_FILES, encoding="utf-8", errors="backslashreplace"
        )
    except (OSError, ValueError):  # ValueError: a NUL in the path
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    for previous in root.handlers:
        previous.close()
    root.handlers = [handler]
