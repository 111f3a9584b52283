"""The server's text is the client's text after any edits, in every position encoding, and places are counted alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from repofill.lsp_server.documents import edited, offset_at, position_at

UTF8, UTF16, UTF32 = (types.PositionEncodingKind(f"utf-{bits}") for bits in (8, 16, 32))
ENCODINGS = (UTF8, UTF16, UTF32)


# The reference: an editor that keeps a list of lines, each a list of characters, and counts units one by one.


def units(character: str, encoding: types.PositionEncodingKind) -> int:
    code = ord(character)
    if encoding == UTF8:
        return 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)
    return 2 if encoding == UTF16 and code > 0xFFFF else 1


def lines_of(text: str) -> list[str]:
    return re.split("\r\n|\n|\r", text)


def places(text: str, encoding: types.PositionEncodingKind) -> list[tuple[int, types.Position]]:
    """Every offset that a cursor can be at (never between CR and LF), with its position."""
    found, offset, line, column = [], 0, 0, 0
    while True:
        found.append((offset, types.Position(line=line, character=column)))
        if offset == len(text):
            return found
        step = 2 if text[offset : offset + 2] == "\r\n" else 1
        if text[offset] in "\r\n":
            line, column = line + 1, 0
        else:
            column += units(text[offset], encoding)
        offset += step


TEXTS = st.lists(
    st.sampled_from(["\r\n", "\r", "\n", "\t", "\f", "\v", "\x1c", "\x85", "\u2028", "\u2029", "a", "bc", " "])
    | st.sampled_from(["é", "e\u0301", "漢", "😀", "👩‍💻", "\ud800", "\udfff", "\0", "\ufeff"]),
    max_size=24,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(ENCODINGS), TEXTS)
def test_after_any_edits_the_servers_text_is_the_clients(
    data: st.DataObject, encoding: types.PositionEncodingKind, text: str
) -> None:
    server = client = text
    for _ in range(data.draw(st.integers(1, 4))):
        new = data.draw(TEXTS)
        known = places(client, encoding)
        if data.draw(st.integers(0, 9)) == 0:
            client = new
            change: types.TextDocumentContentChangeEvent = types.TextDocumentContentChangeWholeDocument(text=new)
        else:
            first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(known) - 1)] * 2)))
            (start, begin), (end, stop) = known[first], known[last]
            client = client[:start] + new + client[end:]
            change = types.TextDocumentContentChangePartial(range=types.Range(start=begin, end=stop), text=new)
        server = edited(server, change, encoding)
        assert server == client


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ENCODINGS), TEXTS)
def test_offsets_and_positions_are_two_names_of_one_place(encoding: types.PositionEncodingKind, text: str) -> None:
    for offset, position in places(text, encoding):
        assert position_at(text, offset, encoding) == position
        assert offset_at(text, position, encoding) == offset


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ENCODINGS), TEXTS, st.integers(0, 30), st.integers(0, 40))
def test_any_position_means_the_last_place_at_or_before_it(
    encoding: types.PositionEncodingKind, text: str, line: int, character: int
) -> None:
    """Beyond a line's end, beyond the last line, inside a character."""
    lines = lines_of(text)
    if line >= len(lines):
        expected = len(text)
    else:
        on_line = [(o, p.character) for o, p in places(text, encoding) if p.line == line]
        expected = max(offset for offset, column in on_line if column <= character)
    assert offset_at(text, types.Position(line=line, character=character), encoding) == expected


@dataclass(frozen=True)
class At:
    text: str
    line: int
    character: int
    encoding: types.PositionEncodingKind
    before: str


TABLE = {
    "start": At("abc", 0, 0, UTF16, ""),
    "beyond the line's end": At("ab\ncd", 0, 99, UTF16, "ab"),
    "beyond CRLF": At("ab\r\ncd", 0, 99, UTF16, "ab"),
    "beyond the last line": At("ab\ncd", 7, 0, UTF16, "ab\ncd"),
    "the line after a last line feed": At("ab\n", 1, 0, UTF16, "ab\n"),
    "no line after a text without one": At("ab", 1, 0, UTF16, "ab"),
    "CR alone ends a line": At("a\rb\rc", 2, 1, UTF16, "a\rb\rc"),
    "form feed, U+2028, U+0085 do not": At("a\f\u2028\x85b\nc", 1, 1, UTF16, "a\f\u2028\x85b\nc"),
    "after an emoji, utf-16": At("😀=1", 0, 2, UTF16, "😀"),
    "after an emoji, utf-8": At("😀=1", 0, 4, UTF8, "😀"),
    "after an emoji, utf-32": At("😀=1", 0, 1, UTF32, "😀"),
    "inside a surrogate pair": At("a😀b", 0, 2, UTF16, "a"),
    "inside a utf-8 character": At("a漢b", 0, 3, UTF8, "a"),
    "a combining mark is a character": At("e\u0301x", 0, 1, UTF16, "e"),
    "a lone surrogate is one unit": At("\ud800x", 0, 1, UTF16, "\ud800"),
    "empty": At("", 3, 4, UTF16, ""),
}


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE.keys())
def test_a_position_is_where_the_protocol_says(case: At) -> None:
    position = types.Position(line=case.line, character=case.character)
    assert case.text[: offset_at(case.text, position, case.encoding)] == case.before


def test_an_end_before_its_start_deletes_nothing() -> None:
    backwards = types.Range(start=types.Position(line=1, character=1), end=types.Position(line=0, character=0))
    assert edited("ab\ncd", types.TextDocumentContentChangePartial(range=backwards, text="X"), UTF16) == "ab\ncXd"
