"""Takes the secrets out of source text, before it can enter a prompt or be copied from. Pure.

The formats of tokens, and the names and words that decide about other values, are data: `secret_rules.toml`. Fast
searches find what every secret has in it or beside it (a long run of letters and digits, a word such as "token"); only
there a regular expression looks closer.
"""

from __future__ import annotations

import base64
import binascii
import re
import string
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from repofill.context.secret_values import PIECE, RULES, is_password, is_phrase, is_random

REDACTED = "REDACTED"
"""What stands in the text instead of a secret: valid in a string, a URL, a shell word, and as a name."""

_Span = tuple[int, int]
_Kind = Literal["human", "machine"]


def redact(text: str) -> str:
    """`text` with each secret replaced by `REDACTED`, its quotes, prefix and lines kept; the same object without any.
    Idempotent."""
    # Bytes, because lower() must keep every offset.
    original = redacted = text.encode("utf-8", "surrogatepass")
    # To the end: taking a secret out can bring what follows it within a rule's reach.
    while spans := _secrets(redacted):
        redacted = _without(redacted, spans)
    return text if redacted is original else redacted.decode("utf-8", "surrogatepass")


def _secrets(data: bytes) -> list[_Span]:
    lowered = data.lower()
    found = {*_tokens(data), *_private_keys(data), *_in_urls(data), *_in_headers(data, lowered), *_named(data, lowered)}
    return sorted(span for span in found if _replaceable(data[slice(*span)]))


def _replaceable(secret: bytes) -> bool:
    """Without the placeholder, so that every round leaves less to replace, and within one line."""
    return REDACTED.encode() not in secret and len(secret.decode("utf-8", "surrogatepass").splitlines()) == 1


def _without(data: bytes, spans: list[_Span]) -> bytes:
    """`data` with the sorted `spans` replaced, overlapping and touching ones by one placeholder."""
    parts, copied = [], -1
    for start, end in spans:
        if start > copied:
            parts += [data[max(copied, 0) : start], REDACTED.encode()]
        copied = max(copied, end)
    return b"".join([*parts, data[copied:]])


def _places(data: bytes, literal: bytes) -> Iterator[int]:
    at = data.find(literal)
    while at >= 0:
        yield at
        at = data.find(literal, at + len(literal))


# --- Tokens: known by their format -----------------------------------------------------------------------------------


def _by_first_letter(patterns: list[str]) -> str:
    """The alternation of `patterns`, where one comparison rules out all those that begin with another letter."""
    groups: dict[str, list[str]] = {}
    for pattern in patterns:
        groups.setdefault(pattern[0] if re.match(r"\w[^?+*{]", pattern) else "", []).append(pattern)
    return "|".join(
        f"{letter}(?:{'|'.join(pattern[len(letter) :] for pattern in group)})" for letter, group in groups.items()
    )


_TOKEN = re.compile(
    rb"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))(?:%s)"
    % "|".join(_by_first_letter([*table.values()]) for table in RULES["tokens"].values()).encode()
)
_SHAPE = bytes(ord("x") if re.match(rb"[A-Za-z0-9_-]", bytes([byte])) else 0 for byte in range(256))
_RUN = b"x" * 20
"""Every format has so many of these characters in a row."""
_DIGIT = re.compile(rb"[0-9]")
_BEFORE, _AFTER = 128, 256
"""How far from its run a token may begin, and go on before it is known as one."""
_LONGEST = 20_000


def _tokens(data: bytes) -> Iterator[_Span]:
    shape = data.translate(_SHAPE)
    at = shape.find(_RUN)
    while at >= 0:
        end = _end(shape, b"\0", at, len(data))
        if _changes_often(data[at:end]):
            nearest = max(at - _BEFORE, 0)
            first = max(nearest, data.rfind(b"\n", nearest, at) + 1)
            last = _end(data, b"\n", end, min(end + _LONGEST, len(data)))
            for start in [match.start() for match in _TOKEN.finditer(data, first, min(last, end + _AFTER))]:
                if match := _TOKEN.match(data, start, last):
                    yield match.span(match.lastindex or 0)
        at = shape.find(_RUN, end)


def _changes_often(run: bytes) -> bool:
    """Whether `run` has digits, or is capitals alone, or changes case more often than the names programmers give."""
    if _DIGIT.search(run):
        return True
    return not run.islower() and ((run.isalpha() and run.isupper()) or 5 * len(PIECE.findall(run)) > len(run))


def _end(data: bytes, mark: bytes, start: int, limit: int) -> int:
    found = data.find(mark, start, limit)
    return limit if found < 0 else found


# --- Private keys: known by their markers ----------------------------------------------------------------------------

_MARKER = re.compile(rb"BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?")
_BETWEEN = rb"(?:\\[nrt]|[^A-Za-z0-9\\]|\\(?![nrt])){0,80}?"
_KEY_HEADER = re.compile(_BETWEEN + rb"[A-Z][A-Za-z-]{2,20}: (?:(?!\\[nr])[^\r\n]){0,100}")
_KEY_LINE = re.compile(_BETWEEN + rb"([A-Za-z0-9+/]{20,}={0,2})")
_KEY_END = re.compile(_BETWEEN + rb"([A-Za-z0-9][A-Za-z0-9+/]{0,18}={0,2})" + _BETWEEN + rb"-{4,5} ?END ")


def _private_keys(data: bytes) -> Iterator[_Span]:
    """The lines of base64 that follow a marker, whatever quotes, operators or comment signs stand between them."""
    if b" PRIVATE KEY" not in data:
        return
    for marker in _MARKER.finditer(data):
        at = marker.end()
        while header := _KEY_HEADER.match(data, at):
            at = header.end()
        while line := _KEY_LINE.match(data, at):
            yield line.span(1)
            at = line.end()
        if at > marker.end() and (last := _KEY_END.match(data, at)):
            yield last.span(1)


# --- Credentials in URLs and headers: known by their place -----------------------------------------------------------

_IN_URL = re.compile(rb"""://(?P<user>[^\s:/?#@"'`<>\\]{0,100}):(?P<secret>[^\s/"'`<>\\]{3,200})@[\w\[{$%]""")
_SCHEME = re.compile(rb"(?i:basic|bearer)\s{1,4}(?P<secret>[\w.~+/-]{6,4000}={0,2})")
_USER_OPTION = re.compile(rb"""-u(?:ser)?[ =]["']?[\w.@+-]{1,64}:(?P<secret>[!#-&(-.0-?A-~]{4,128})""")
_CLIENT_OPTION = re.compile(  # of mysql and its kin, in a shell or as a list of words
    rb"""[\w-]{0,20}+["']?,?[ \t](?P<options>(?:\\\r?\n|[^\n;|]){0,200}?)(?<=[\s"',\[])
         -p(?P<quote>["'])?(?P<secret>(?:(?(quote)[^"'\n]|[^\s"'`()<>\[\];|&,\\])){4,128})""",
    re.VERBOSE,
)
_PAIR = re.compile(
    rb"""(?i:auth|login|credential)\w{0,20}+\s{0,4}+=?\s{0,4}+\(\s{0,20}+  # auth=("me", "...") login(user, "...")
         (?:[\w.]{1,40}+|"[^"\n]{1,64}+"|'[^'\n]{1,64}+'),\s{0,20}+
         (?P<quote>["'])(?P<secret>[^"'\n]{4,128}+)(?P=quote)\s{0,20}+[,)]""",
    re.VERBOSE,
)


def _in_urls(data: bytes) -> Iterator[_Span]:
    for at in _places(data, b"://"):
        match = _IN_URL.match(data, at)
        if match and match["user"].lower() != match["secret"].lower() and is_password(match["secret"], in_url=True):
            yield match.span("secret")


def _in_headers(data: bytes, lowered: bytes) -> Iterator[_Span]:
    for at in _places(lowered, b"basic"):
        if (match := _SCHEME.match(data, at)) and _is_basic(match["secret"]):
            yield match.span("secret")
    for at in _places(lowered, b"bearer"):
        if (match := _SCHEME.match(data, at)) and is_random(match["secret"]):
            yield match.span("secret")
    for at in _places(data, b"-u"):
        if (match := _USER_OPTION.match(data, at)) and is_password(match["secret"]):
            yield match.span("secret")
    for client in (b"mysql", b"mariadb"):
        for at in _places(data, client):
            match = _CLIENT_OPTION.match(data, at + len(client))
            if match and is_password(match["secret"], in_url=b"-u" in match["options"]):
                yield match.span("secret")


def _is_basic(value: bytes) -> bool:
    """Whether it is `user:password` in base64 (RFC 7617)."""
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return bool(colon and password) and f"{user}{password}".isprintable()


# --- Values: known by the name they are given ------------------------------------------------------------------------

_LITERAL = (
    rb"""[bBrRuUfFlL@$]{0,2}(?P<quote>\\?(?:\"{3}|'{3}|["'`]))"""
    rb"(?P<secret>(?:(?!(?P=quote))(?:\\.|[^\\\n])){4,4096})(?P=quote)"
)
_QUOTED = re.compile(
    rb"""(?:\\?["'`])?+\]?+(?:\[\d{0,5}\])?+[ \t]{0,8}+
         (?P<operator>
             :\s{0,4}+[\w.&*|?'<>\[\], ]{1,60}+=(?!=)           # name: type =
           | (?:[A-Za-z][\w.*\[\]]{0,30}+[ \t]{1,4}+)?+          # name type =
             (?:[:+?|]?=>?|[!=]==?)                            # name = , name := , name => , name ==
           | ::? | \?: | \( | , | <-
           | value\s?=\s? |                                    # an attribute of XML; SQL: PASSWORD '...'
         )
         \s{0,40}+(?P<call>(?:new\ )?[A-Za-z_][\w.:]{0,40}+\()?+(?:[(\[{]?\s{0,40})?+"""
    + _LITERAL,
    re.VERBOSE,
)
_NEXT_LITERAL = re.compile(rb"\s{0,40}[+,.&\\]?\s{0,40}" + _LITERAL)
_BARE = re.compile(
    rb"""(?:\.[\w.-]{0,40})?(?:\\?["'])?(?P<operator>\s{0,4}[=:]\s{0,4}|%3D|>|\s)"""
    rb"""(?P<secret>[!#$%*+./0-9?@A-Z^_a-z~-]{6,200})"""
)
_BARE_REST = re.compile(rb"[!#$%*+./0-9:?@A-Z^_a-z~-]{0,4096}={0,2}")
_CONNECTION = re.compile(
    rb"""\s?=\s?(?P<secret>(?:&(?:amp|lt|gt|quot|apos|\#\d{1,5});|[^\s;"'`\\]){4,128})\s?(?P<end>[;"'`])""", re.VERBOSE
)
"""What follows the name of a password in a connection string: anything up to the semicolon or the quote."""
_IN_CONNECTION = re.compile(rb"""["'`>](?P<before>\w[^"'`\n(){}<>]{0,300};[ ]?)?\Z""")
_IN_STRING = re.compile(rb"""["'`]|[;&](?:["'`]|\w[\w ]{0,30}=)|\s\w{1,30}=""")

_NAME = string.ascii_letters.encode() + b"0123456789_-"
_LONGEST_NAME = 80
_LONGEST_CONNECTION = 320
_HUMAN, _MACHINE = (re.compile("|".join(RULES["names"][kind]).encode(), re.IGNORECASE) for kind in ("human", "machine"))
_PUBLIC = re.compile(rb"public|publish", re.IGNORECASE)
_ABOUT = re.compile(RULES["names"]["about"].encode(), re.IGNORECASE)
_STEMS = [stem.encode() for stem in RULES["names"]["stems"]]


def _named(data: bytes, lowered: bytes) -> Iterator[_Span]:
    for stem in _STEMS:
        for at in _places(lowered, stem):
            before, after = data[max(at - _LONGEST_NAME, 0) : at], data[at : at + _LONGEST_NAME]
            start, end = at - len(before) + len(before.rstrip(_NAME + b".")), at + len(after) - len(after.lstrip(_NAME))
            if kind := _kind(data[start:end]):
                if match := _QUOTED.match(data, end):
                    yield from _literals(data, kind, match)
                elif match := _BARE.match(data, end):
                    yield from _bare(data, start, kind, match)
                if kind == "human" and (match := _CONNECTION.match(data, end)):
                    yield from _connection(data, start, match)
            if (match := _PAIR.match(data, at)) and is_password(match["secret"]):
                yield match.span("secret")


@lru_cache(maxsize=4096)
def _kind(name: bytes) -> _Kind | None:
    """Whether people make up the values of this name, or machines; None if it does not name a secret."""
    if _PUBLIC.search(name):
        return None
    if _HUMAN.search(name):
        return "machine" if _ABOUT.search(name) else "human"
    return "machine" if _MACHINE.search(name) else None


def _literals(data: bytes, kind: _Kind, match: re.Match[bytes]) -> Iterator[_Span]:
    """The literal after a name, and those that go on with it, by concatenation or as a list."""
    if not match["operator"] and (kind == "machine" or match["quote"] == b"`"):
        return  # without an operator the quote may as well end a string that speaks of tokens
    by_human = kind == "human" and not match["call"]
    if match["operator"] == b",":  # may be any list of words, unless these are the two parts of one pair
        by_human = by_human and data[match.end() :].lstrip()[:1] in b")]"
    secret = match["secret"]
    if kind == "machine" and secret.count(b" ") == 1:
        secret = secret[secret.index(b" ") + 1 :]  # Authorization: token ...
    phrase = by_human and match["operator"] not in (b"", b",") and is_phrase(secret)
    if not (phrase or (is_password(secret) if by_human else is_random(secret))):
        return
    yield match.end("secret") - len(secret), match.end("secret")
    while (following := _NEXT_LITERAL.match(data, match.end())) and is_random(following["secret"]):
        match = following
        yield match.span("secret")


def _bare(data: bytes, start: int, kind: _Kind, match: re.Match[bytes]) -> Iterator[_Span]:
    """A value without quotes. The text may as well be code, so either the value is random, or the place says that this
    is a command line, a connection string, an environment or XML."""
    name, operator = data[start : match.start()], match["operator"]
    option = name.startswith(b"--") or data[max(start - 2, 0) : start] == b"--"
    if operator.isspace() and not option:
        return
    rest = _BARE_REST.match(data, match.end())
    end = rest.end() if rest else match.end()
    if data[end : end + 1] in (b"(", b"["):
        return
    literal = (
        option
        or (operator == b"=" and (name.isupper() or _IN_STRING.match(data, end) is not None))
        or (operator == b">" and data.startswith(b"</", end))
    )
    if is_password(match["secret"]) if kind == "human" and literal else is_random(match["secret"]):
        yield match.start("secret"), end


def _connection(data: bytes, start: int, match: re.Match[bytes]) -> Iterator[_Span]:
    """A value in a string of names and values that semicolons separate."""
    within = _IN_CONNECTION.search(data, max(start - _LONGEST_CONNECTION, 0), start)
    if within and (within["before"] or match["end"] == b";") and is_password(match["secret"]):
        yield match.span("secret")
