"""Trimming: from the model's raw text to what may be shown at the cursor. Pure; called by the completion path.

Truncation matters as much as the model (SAFIM, 2024: syntax-aware truncation moved one model from 16 to 41 points).
"""

from __future__ import annotations

import re

from repofill.context.matches import indent_columns

_OPENS_BLOCK = re.compile(r":\s*(#.*)?$")
_BLOCK_KEYWORD = re.compile(
    r"\s*(async\s+)?(def|class|for|while|with)\b|\s*(if|elif|else|try|except|finally|match|case)\b", re.ASCII
)
_TELLING = 4
"""Characters from which on a repeated rest of the line is no chance."""


def block_indent(before: str, after: str) -> int | None:
    """The indentation, in columns, of the block header that the cursor stands under, or None: complete one line only.

    A block is asked for when the line of the cursor is still empty and the line above it opens one, or when the cursor
    stands at the end of the header itself, and when no body stands below already.
    """
    head, _, line = before.rpartition("\n")
    if after.partition("\n")[0].strip():
        return None
    header = line
    if not line.strip():
        header = head.rpartition("\n")[2]
    if not (_OPENS_BLOCK.search(header) and _BLOCK_KEYWORD.match(header)):
        return None
    columns = indent_columns(header)
    below = next((text for text in after.split("\n")[1:] if text.strip()), "")
    return None if indent_columns(below) > columns else columns


def trim(raw: str, before: str, after: str, *, block_indent: int | None = None, max_lines: int = 12) -> str:
    """What of `raw` is shown between `before` and `after` (LF line ends), "" when nothing is left.

    One line, or with `block_indent` the lines of the block; never a line that already follows the cursor, never the
    rest of the cursor's line a second time, no trailing white space.
    """
    lines = raw.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = _block(lines, block_indent, max_lines) if block_indent is not None else _first_line(lines, before, after)
    if any("\0" in line or "\ufffd" in line for line in lines):
        return ""
    lines = _without_what_follows(lines, after)
    text = _without_rest_of_line("\n".join(lines).rstrip(), after.partition("\n")[0])
    return "" if not text.strip() else text


def with_line_ends(text: str, document: str) -> str:
    """`text` with the line ends of `document`: CRLF where the document's first line ends so."""
    first = document.find("\n")
    return text.replace("\n", "\r\n") if first > 0 and document[first - 1] == "\r" else text


def _first_line(lines: list[str], before: str, after: str) -> list[str]:
    """The first line, or the one after it when the model begins with a line end that nothing forbids."""
    if lines[0].strip() or len(lines) == 1:
        return lines[:1]
    at_end = not after.partition("\n")[0].strip()
    return lines[:2] if at_end and before.rpartition("\n")[2].strip() else lines[:1]


def _block(lines: list[str], columns: int, max_lines: int) -> list[str]:
    kept = lines[:1]
    for line in lines[1:max_lines]:
        if line.strip() and indent_columns(line) <= columns:
            break
        kept.append(line)
    return kept


def _without_what_follows(lines: list[str], after: str) -> list[str]:
    """Cut the suggestion where it begins to repeat the lines below the cursor."""
    following = [line.strip() for line in after.split("\n")[1:] if line.strip()][:3]
    if not following:
        return lines
    for at, line in enumerate(lines):
        if at > 0 and line.strip() == following[0]:
            return lines[:at]
    whole = [line.strip() for line in lines if line.strip()]
    return [] if whole and whole == following[: len(whole)] and len("".join(whole)) > 3 else lines


def _without_rest_of_line(text: str, rest: str) -> str:
    """Drop what already stands behind the cursor: the rest of the line, or the closers it begins with."""
    rest = rest.strip()
    if not rest:
        return text
    if any(character.isalnum() for character in rest):
        # The rest of the line, and perhaps more: only what stands before it fits the hole.
        at = text.rfind(rest) if len(rest) >= _TELLING else len(text) - len(rest) * text.endswith(rest)
        text = text if at < 0 else text[:at]
    for size in range(len(rest), 0, -1):
        if text.endswith(rest[:size]) and _unbalanced(text):
            return text[:-size]
    return text


def _unbalanced(text: str) -> bool:
    """More brackets closed than opened, or an odd number of quotes: the last closer belongs to what stands outside."""
    depth = 0
    for character in text:
        depth += character in "([{"
        depth -= character in ")]}"
        if depth < 0:
            return True
    return any(text.count(quote) % 2 for quote in "\"'")
