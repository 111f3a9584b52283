"""The file filter of the StarCoder and DeepSeek Coder training data (arXiv 2401.14196, section 2.1). Pure; called by
`context.scan` for a live workspace and by training, so that the model sees in training what the server builds.
"""

from __future__ import annotations

import re
import string
from pathlib import PurePosixPath

_LONGEST_LINE = 1000
_AVERAGE_LINE = 100
_FEW_LINES = 3
"""Of so many lines or fewer the average says nothing: a module may be one long definition."""
_LETTERS = 0.25
_HTML_VISIBLE = 0.2
_HTML_CHARACTERS = 100
_DATA_CHARACTERS = range(50, 5001)

_ASCII_LETTERS = string.ascii_letters.encode()
_INVISIBLE = re.compile(
    r"<(script|style)\b.*?(</\1\s*>|\Z)|<!--.*?(-->|\Z)|<[^>]*(>|\Z)",  # open to the end: every character is read once
    re.DOTALL | re.IGNORECASE,
)


def passes_filter(path: str, text: str) -> bool:
    """Whether a file of this name (its ending decides the kind) with this text would have been trained on."""
    if not text.strip():
        return False
    suffix = PurePosixPath(path).suffix.lower()
    lengths = [len(line) for line in text.splitlines()]
    if max(lengths) > _LONGEST_LINE:
        return False
    if sum(lengths) > _AVERAGE_LINE * len(lengths) and len(lengths) > _FEW_LINES:
        return False
    if _letters(text) < _LETTERS * len(text):
        return False
    if "<?xml version=" in text[:100] and suffix not in (".xsl", ".xslt"):
        return False
    if suffix in (".html", ".htm"):
        visible = len("".join(_INVISIBLE.sub("", text).split()))
        return visible >= _HTML_CHARACTERS and visible >= _HTML_VISIBLE * len(text)
    if suffix in (".json", ".yaml", ".yml"):
        return len(text) in _DATA_CHARACTERS
    return True


def _letters(text: str) -> int:
    if not text.isascii():
        return sum(map(str.isalpha, text))
    return len(text) - len(text.encode().translate(None, _ASCII_LETTERS))
