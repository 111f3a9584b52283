"""The text of an open document and places in it, exactly as the Language Server Protocol counts them. Pure.

Lines end at CRLF, LF or CR and nowhere else: Python's own `splitlines` would also break at form feeds and others,
and from then on the server's text would no longer be the client's.
"""

from __future__ import annotations

from dataclasses import dataclass

from lsprotocol import types

Encoding = types.PositionEncodingKind | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An open document at one version: after a change it is another object."""

    uri: str
    language_id: str
    text: str


def edited(text: str, change: types.TextDocumentContentChangeEvent, encoding: Encoding) -> str:
    """`text` after one change: of a range, or the whole."""
    if isinstance(change, types.TextDocumentContentChangeWholeDocument):
        return change.text
    start = offset_at(text, change.range.start, encoding)
    end = max(start, offset_at(text, change.range.end, encoding))
    return text[:start] + change.text + text[end:]


def offset_at(text: str, position: types.Position, encoding: Encoding) -> int:
    """Code points before `position`. Beyond a line's end it is the line's end, beyond the last line the text's."""
    start = _line_start(text, position.line)
    if start is None:
        return len(text)
    line = text[start : _line_end(text, start)]
    return start + _code_points(line, position.character, encoding)


def position_at(text: str, offset: int, encoding: Encoding) -> types.Position:
    """The position of the code point at `offset`."""
    offset = min(max(offset, 0), len(text))
    before = text[:offset]
    carriage_returns = before.count("\r") - before.count("\r\n")
    if before.endswith("\r") and text[offset : offset + 1] == "\n":  # between CR and LF: still on the line
        carriage_returns -= 1
    line = before.count("\n") + carriage_returns
    start = _line_start(text, line)
    return types.Position(line=line, character=_units(text[start:offset], encoding))


def _line_start(text: str, line: int) -> int | None:
    """The offset at which line number `line` begins, None beyond the last one."""
    if "\r" in text:
        text = text.replace("\r\n", " \n").replace("\r", "\n")  # as long as before, with LF alone
    *lines, rest = text.split("\n", line)
    return len(text) - len(rest) if len(lines) == line else None


def _line_end(text: str, start: int) -> int:
    """The offset of the line end at or after `start`, or of the text's end."""
    feed = text.find("\n", start)
    feed = len(text) if feed < 0 else feed
    carriage = text.find("\r", start, feed)
    return feed if carriage < 0 else carriage


def _code_points(line: str, units: int, encoding: Encoding) -> int:
    """Code points that fit into `units`; a place inside a character counts as the place before it."""
    if line.isascii() or encoding == types.PositionEncodingKind.Utf32:
        return min(units, len(line))
    for index, character in enumerate(line):
        units -= _units(character, encoding)
        if units < 0:
            return index
    return len(line)


def _units(text: str, encoding: Encoding) -> int:
    if encoding == types.PositionEncodingKind.Utf32:
        return len(text)
    if encoding == types.PositionEncodingKind.Utf8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
