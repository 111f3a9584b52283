"""TypeScript that tree-sitter's grammar (0.23) cannot read, in a spelling of the same length that it can. Pure."""

from __future__ import annotations

import re

from tree_sitter import Language, Node

from repofill.context.languages.syntax import Source, read

_VARIANCE = re.compile(rb"(?<=[<,\s])(?:in\s+out|in|out)(?=\s+[A-Za-z_$][\w$]*\s*(?:extends\b|[=,>]))")
"""`<in out T>`: how a type parameter varies."""
_CALL_SIGNATURE = re.compile(
    rb"(?<=[\w$>\])}'\"])((?:[ \t]*(?://[^\n]*)?\n|[ \t]*/?\*[^\n]*\n)+[ \t]*)[ \t](?=<\s*[A-Za-z_$]|<\n|\()"
)
"""A call signature at the beginning of a line whose predecessor ends without a semicolon, comments in between: the
grammar takes it for what follows that."""


def read_typescript(language: Language, source: bytes, depth: int | None) -> Source:
    """As `read`; what does not parse is read again in the other spelling, and the better reading counts."""
    parsed = read(language, source, depth)
    if not parsed.root.has_error:
        return parsed
    readable = _VARIANCE.sub(lambda match: b" " * len(match[0]), source)
    readable = _CALL_SIGNATURE.sub(rb"\1;", readable)
    if readable == source:
        return parsed
    again = read(language, source, depth, readable)
    return again if _unread(again.root) < _unread(parsed.root) else parsed


def _unread(node: Node) -> int:
    """How many bytes do not parse, or are missing."""
    if node.is_error or node.is_missing:
        return node.end_byte - node.start_byte + 1
    return sum(_unread(child) for child in node.children) if node.has_error else 0
