"""Trimming: from the model's raw text to what may be shown at the cursor. Pure; called by the completion path.

Truncation matters as much as the model (SAFIM, 2024: syntax-aware truncation moved one model from 16 to 41 points).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from repofill.context.matches import indent_columns

_OPENS_BLOCK = re.compile(r":\s*(#.*)?$")
_BLOCK_KEYWORD = re.compile(
    r"\s*(async\s+)?(def|class|for|while|with)\b|\s*(if|elif|else|try|except|finally|match|case)\b", re.ASCII
)
_OPENS_BRACES = re.compile(
    r"""[^\s=(,:\[?&|{$"'`](?<!\breturn)(?<!\byield)(?<!\bin)(?<!\bimport)(?<!\bexport)(?<!\bconst)(?<!\blet)"""
    r"[ \t]*\{[ \t]*(?://.*)?$"
)
"""A brace that opens statements or members; one behind `=`, `(` or `return` opens an object, or takes one apart."""
_OPENING, CLOSING, _QUOTES = "([{", ")]}", "\"'`"
_ENDS = CLOSING + ",;"
"""What ends an expression that stands ahead of it."""
_INTERPOLATED = {
    quote: r"\{[\w@(]C*+(?:QC*+QC*+)*+\}".replace("C", rf"[^{{}}{quote}\n]").replace("Q", quote) for quote in _QUOTES
}
"""Code within a string, which may have such strings itself."""
_STRINGS = [rf"{quote}(?:\\.|{code}|[^{quote}\\\n])*+{quote}" for quote, code in _INTERPOLATED.items()]
_TOKEN = re.compile("|".join([*_STRINGS, r"""[()\[\]{}"'`]"""]))
"""A string, a bracket or a lone quote."""
_WORD = re.compile(r"\w")
_COMMENT = re.compile(r"#|//|/\*|--\s")
_OPENED_COMMENT = re.compile(r"(?<!\S)/\*(?!.*\*/)", re.DOTALL)
_AHEAD = re.compile(r"\s*(?:#|//|/?\*|--|@|$)")
"""A line that belongs to the one below it."""
_TRIED = re.compile(r"^([ \t]*)try:(?!.*^\1(?:except|finally)\b)|^[^\n]*:\Z", re.MULTILINE | re.DOTALL)
"""A `try` without what catches, or a last line that opens a block."""
_PROSE = re.compile(r"\s*(?:#|//|/?\*|--)")
_CLOSING_LINE = re.compile(r"\s*(?:[)\]}]|(?:end|fi|done|esac)[),;]*\s*$)")
"""A line that ends a block, in whatever language."""
_CLOSED_BELOW = re.compile(r"[^\n]*+\n(?:[ \t]*+\n)*+([ \t]*+([)\]}]))")
_CLOSED_IN_STRING = re.compile(r"[)\]}]+([\"'`])")
CLOSERS = re.compile(r"[)\]}\"'`]+(?=[ \t]*(?:\r?\n|$))")
"""What editors write behind the cursor by themselves."""
_LINE_CHARACTERS = 1000
"""Of the cursor's line before it, as much is read."""

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
    opens = (_OPENS_BLOCK.search(header) and _BLOCK_KEYWORD.match(header)) or _OPENS_BRACES.search(header)
    if not opens:
        return None
    columns = indent_columns(header)
    below = next((text for text in after.split("\n")[1:] if text.strip()), "")
    return None if indent_columns(below) > columns else columns


def trim(
    raw: str, before: str, after: str, *, block_indent: int | None = None, max_lines: int = 12, inserted: bool = False
) -> str:
    """What of `raw` is shown between `before` and `after` (LF line ends), "" when nothing is left.

    One line, or with `block_indent` the lines of the block; never a line that already follows the cursor, nor the one
    above once more, as 1 of 1000 lines is; never the rest of the cursor's line a second time, no trailing white space.
    Unless `inserted`, `raw` goes on to the end of its line: where code stands behind the cursor that it does not end
    in, it would be in the place of that.
    """
    lines = raw.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = lines[:1] if block_indent is None else _block(lines, block_indent, max_lines)
    if any("\0" in line or "\ufffd" in line for line in lines):
        return ""
    above, _, line = before.rpartition("\n")
    line = line[-_LINE_CHARACTERS:]
    lines = _without_what_follows(lines, line, after)
    if lines and not line.strip() and not _is_in_place(line + lines[0], above):
        return ""
    text = _without_turning("\n".join(lines), before, after).rstrip()
    if _stray(text, line) < len(text) and not _PROSE.match(line):
        opened = _opened_above(_depth(line + text), above)[_closed_below(after, above) :]
        text = text[: _stray(text, line, opened)].rstrip()
    rest = after.partition("\n")[0]
    text = _without_rest_of_line(text, line, rest, inserted)
    while block_indent is not None and (cut := _not_ended(text, line)) < len(text):
        text = text[: max(text.rfind("\n", 0, cut), 0)].rstrip()
    said_above = f"{line}{text}{rest}".rstrip() == next(_upwards(above), "").rstrip()
    return "" if said_above or not text.strip() else text


def closes(text: str, line: str, closers: str) -> bool:
    """Whether `text`, which continues `line`, itself closes everything that `closers` behind the cursor close."""
    for number, closer in enumerate(closers):
        if closer in _QUOTES:
            inside, found = text, _unescaped(text, closer)
        elif in_string := _CLOSED_IN_STRING.match(closers, number):
            inside = _inside(text, in_string)
            found = _unmatched(inside, "", closer)
        else:
            inside, found = text, _unmatched(text, line[-_LINE_CHARACTERS:], closer)
        if found == len(inside):
            return False
        line, text = line + text[: found + 1], text[found + 1 :]
    return True


def with_line_ends(text: str, document: str) -> str:
    """`text` with the line ends of `document`: CRLF where the document's first line ends so."""
    first = document.find("\n")
    return text.replace("\n", "\r\n") if first > 0 and document[first - 1] == "\r" else text


def _block(lines: list[str], columns: int, max_lines: int) -> list[str]:
    kept = lines[:1]
    for line in lines[1:max_lines]:
        if line.strip() and indent_columns(line) <= columns:
            break
        kept.append(line)
    if len(kept) == max_lines < len(lines):
        while len(kept) > 1 and _AHEAD.match(kept[-1]):
            kept.pop()
    return kept


def _not_ended(text: str, line: str) -> int:
    """Where in a block, which continues `line`, something begins that was cut before its end; its length when nothing
    does."""
    tried = _TRIED.search(line + text) if "\n" in text else None
    return min(left_open(text, line), len(text) if tried is None else max(tried.start() - len(line), 0))


def _is_in_place(line: str, above: str) -> bool:
    """Whether `line` is none that ends a block, or is indented less than the last line above, or as much as that one
    where that one opens what it closes."""
    if not _CLOSING_LINE.match(line):
        return True
    last = next(_upwards(above), "")
    room = indent_columns(last) - indent_columns(line)
    return room > 0 or (room == 0 and left_open(last, "") < len(last))


def _closed_below(after: str, above: str) -> int:
    """How many of the brackets that are open above stay open until the line below closes the last of them."""
    below = _CLOSED_BELOW.match(after)
    opened = _opened_above(_depth(below[1]), above) if below is not None else ""
    return len(opened) if below is not None and opened.endswith(_OPENING[CLOSING.index(below[2])]) else 0


def _upwards(above: str) -> Iterator[str]:
    """The lines whose indentation says something, the last one first: none that is blank or for a preprocessor."""
    return (line for line in reversed(above.split("\n")) if line.strip() and line[0] != "#")


def _without_what_follows(lines: list[str], line: str, after: str) -> list[str]:
    """Cut the suggestion, which continues `line`, where it begins to repeat the lines below the cursor. One of brackets
    alone repeats another only where it is indented alike."""
    below = [text.rstrip() for text in after.split("\n")[1:] if text.strip()][:3]
    if not below:
        return lines
    following = [text.strip() for text in below]
    for at, text in enumerate(lines):
        if at > 0 and text.strip() == following[0] and (_WORD.search(text) or text.rstrip() == below[0]):
            return lines[:at]
    if (line + lines[0]).rstrip() == below[0]:
        return []
    whole = [text.strip() for text in lines if text.strip()]
    return [] if whole and whole == following[: len(whole)] and len("".join(whole)) > 3 else lines


def _without_turning(text: str, before: str, after: str) -> str:
    """Cut `text` where it begins a comment or docstring that what follows would be in, or ends one that goes on."""
    if not after.strip():
        return text
    for quotes in ('"""', "'''"):
        if text.count(quotes) % 2 and (before.count(quotes) + after.count(quotes)) % 2 == 0:
            text = text[: text.rfind(quotes)]
    head, end, _ = after.partition("*/")
    inside, goes_on = before.rfind("/*") > before.rfind("*/"), bool(end) and "/*" not in head
    if inside and goes_on:
        text = text.partition("*/")[0]
    elif not inside and not goes_on and (opened := _OPENED_COMMENT.search(text)):
        text = text[: opened.start()]
    return text


def _without_rest_of_line(text: str, line: str, rest: str, inserted: bool) -> str:
    """Drop what already stands behind the cursor, between `line` and `rest`, and whatever `text` has after that; where
    it does not get so far, what it ends its own line with."""
    spaced, rest = rest[:1].isspace(), rest.strip()
    if not rest:
        return text
    if rest[0] in _QUOTES and len([*_all_unescaped(line, rest[0])]) % 2:
        at = _unescaped(text, rest[:3] if rest[:3] == rest[0] * 3 else rest[0])
        text = text[:at] if at < len(text) else text[: _stray(text, "")].rstrip(_OPENING + ",;")
        return text.rstrip() if spaced else text
    if in_string := _CLOSED_IN_STRING.match(rest):
        inside = _inside(text, in_string)
        text = inside[: _unmatched(inside, "", rest[0])]
    elif rest[0] in CLOSING:
        at = _unmatched(text, line, rest[0])
        text = text[:at] if at < len(text) else text.rstrip("," if rest[0] == "}" else ",;")
    else:
        at = text.rfind(rest) if len(rest) >= _TELLING or text.endswith(rest) else -1
        if at < 0 and not (inserted or _COMMENT.match(rest)):
            return ""
        text = text if at < 0 else text[:at]
    if rest[0] in _ENDS and (opened := left_open(text, line)) < len(text):
        return text[:opened].rstrip()
    return text.rstrip() if spaced else text


def _inside(text: str, closed: re.Match[str]) -> str:
    """What of `text` stands within the string that is closed so behind the cursor; between braces that is code."""
    end = _unmatched(text, "", "}") if "}" in closed[0] else len(text)
    return text[: end + 1] if end < len(text) else text[: _unescaped(text, closed[1])]


def _unmatched(text: str, line: str, closer: str) -> int:
    """Where in `text`, which continues `line`, a bracket is closed that it did not open; its length when none is.

    A string counts as a whole, also one that begins in `line`; a lone quote is an apostrophe.
    """
    opener = _OPENING[CLOSING.index(closer)]
    depth = 0
    for token in _TOKEN.finditer(line + text):
        if token.start() >= len(line):
            depth += (token[0] == opener) - (token[0] == closer)
        if depth < 0:
            return token.start() - len(line)
    return len(text)


def _stray(text: str, line: str, opened: str = "") -> int:
    """Where in `text`, which continues `line`, a bracket is closed that neither they nor the lines above, with these
    brackets, have opened; its length when none is."""
    brackets = [*opened]
    for token in _TOKEN.finditer(line + text):
        if token[0] in _OPENING:
            brackets.append(token[0])
        elif brackets and token[0] == CLOSING[_OPENING.index(brackets[-1])]:
            brackets.pop()
        elif token[0] in CLOSING and token.start() >= len(line):
            return token.start() - len(line)
    return len(text)


def _depth(line: str) -> int:
    """A line that is indented by fewer columns has `line` under it; what closes stands where it was opened."""
    return indent_columns(line) + (line.lstrip()[:1] in CLOSING)


@lru_cache(maxsize=4)  # the same for most options at one cursor
def _opened_above(columns: int, above: str) -> str:
    """The brackets that are open where a line of this depth begins, outermost first, by the lines above that it is
    indented under."""
    opened = ""
    for header in _upwards(above):
        if indent_columns(header) < columns:
            opened = "".join(header[at] for at in _left_open(header, "")) + opened
            columns = _depth(header)
    return opened


def left_open(text: str, line: str) -> int:
    """Where in `text`, which continues `line`, a bracket is opened that it does not close; its length when none is."""
    return next(iter(_left_open(text, line)), len(text))


def is_closed(text: str, line: str) -> bool:
    """Whether `text`, which continues `line`, leaves no bracket and no quote open that it opens."""
    quotes = [token[0] for token in _TOKEN.finditer(line + text) if token.start() >= len(line) and token[0] in _QUOTES]
    return left_open(text, line) == len(text) and all(quotes.count(quote) % 2 == 0 for quote in _QUOTES)


def _left_open(text: str, line: str) -> list[int]:
    """Where in `text`, which continues `line`, brackets are opened that it does not close."""
    opened: list[int] = []
    for token in _TOKEN.finditer(line + text):
        if token.start() >= len(line) and token[0] in _OPENING:
            opened.append(token.start() - len(line))
        elif token.start() >= len(line) and token[0] in CLOSING and opened:
            opened.pop()
    return opened


def _unescaped(text: str, quote: str) -> int:
    """Where `quote` first stands in `text` without a backslash; its length when it does not."""
    return next(_all_unescaped(text, quote), len(text))


def _all_unescaped(text: str, quote: str) -> Iterator[int]:
    """Wherever `quote` stands in `text` without a backslash."""
    found = re.finditer(rf"\\.|{_INTERPOLATED[quote[0]]}|{quote}", text)
    return (match.start() for match in found if match[0] == quote)
