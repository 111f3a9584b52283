"""Whether a value is a secret, or a word, a name, a placeholder, a template, a path. Pure; for `context.redact`.

What stands for secrets in public code is taken out of a value first; what remains decides. A value is UTF-8 without
the quotes around it.
"""

from __future__ import annotations

import re
import string
import tomllib
from importlib import resources
from itertools import groupby, pairwise

RULES = tomllib.loads(resources.files(__package__).joinpath("secret_rules.toml").read_text("utf-8"))

_ORDINARY_WHOLE = re.compile(
    rb"""\.{0,2}/[a-z]{2,20}\d*[/._-] | \.{1,2}/ | ~/ | [A-Za-z]:\\ | </?\w    # paths, markup
       | (?:arn|data|file|magnet|mailto|urn):                                # names of things elsewhere
       | [\w.+-]+@[\w-]+(?:\.[\w-]+)+\Z                                     # mail addresses
       | [a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)+(?::\d+)?\Z                 # hosts, dotted names
       | [A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\Z                                    # constants
       | \d{4}-\d\d-\d\d[T ]?[\d:.+Z-]*\Z                                  # dates
       | [a-z_]{3,}(?::[\w,]+)?(?:\|[a-z_]{2,}(?::[\w,]+)?)+\Z              # rules of a validator: required|min:8
       | [A-Za-z_][\w.]*\(.*\)\Z | 0[xX] | [@:$]\w+\Z                      # calls, numbers, parameters
       | \#[0-9A-Fa-f]{3,8}\Z                                              # colours""",
    re.VERBOSE,
)
_ORDINARY_PART = re.compile(
    rb"""\s | ://                                                           # text, URLs
       | \\[bBdDsSwW.()\[|] | \[[^\]]{0,20}\w-\w[^\]]{0,40}\]             # regular expressions
       | \(\? | \.[*+] | \|\w{1,20}\|""",
    re.VERBOSE,
)
_TEMPLATE = re.compile(
    rb"""\$\{[^}]{0,80}\} | \{\{[^}]{0,80}\}\} | \#\{[^}]{0,80}\} | \$\([^)]{0,80}\) | \{[^{}\s]{0,80}\} | <[^<>]{0,80}>
       | %\(\w{1,40}\)[sdr] | %[sdrv] | %\w{1,40}% | \$[A-Z_]{2,40}""",
    re.VERBOSE,
)
_WORDS = re.compile(
    rb"(?<![A-Za-z0-9])(?:%s)++(?![A-Za-z])"
    % "|".join(
        f"[{first}{first.upper()}](?i:{'|'.join(sorted((word[1:] for word in words), key=len, reverse=True))})"
        for first, words in groupby(sorted(RULES["placeholders"]["words"].split()), key=lambda word: word[0])
    ).encode()
)
_SEQUENCE = re.compile(
    "|".join(
        rf"(?:{'|'.join(f'{a}(?={b})' for a, b in pairwise(ordered[::step]))}){{3,}}."
        for ordered in (string.digits, string.ascii_lowercase, string.ascii_uppercase)
        for step in (1, -1)
    ).encode()
)
_REPETITION = re.compile(rb"(.)\1{3,}")
PIECE = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
"""A word of a name, or what looks like one: aB, ABC, 123."""
_PAIR_OF_LETTERS = re.compile(rb"(?=([a-z]{2}))")
_COMMON_PAIRS = frozenset(RULES["placeholders"]["pairs"].encode().split())
_HEX = re.compile(rb"[0-9a-f]{16,}|[0-9A-F]{16,}")
_MIXED = re.compile(rb"[A-Za-z\x80-\xff].*(?:[0-9]|[!?@#$%^&*+=~;<>\[\]{}|]\w)|[0-9].*[A-Za-z\x80-\xff]")
_PHRASE = re.compile(rb"[a-z\x80-\xff-]{2,}(?: [a-z\x80-\xff-]{2,})+")
_CAPITALISED = re.compile(rb"[A-Z\x80-\xff][a-z\x80-\xff-]+(?: [A-Z\x80-\xff][a-z\x80-\xff-]+){3,}")
"""A shorter one is mostly a title."""
_MESSAGE = re.compile(rb"\b(?:%s)\b" % "|".join(RULES["placeholders"]["message"].split()).encode(), re.IGNORECASE)
_ESCAPED_BYTE = re.compile(rb"\\x[0-9A-Fa-f]{2}")
_ENOUGH = 256
"""So many bytes at the beginning decide, because a hostile text can offer a long value at every place."""


def is_password(value: bytes, *, in_url: bool = False) -> bool:
    """Whether somebody may have made this up as a password: what is left of it mixes letters with digits or signs, or
    is anything at all if it stands where nothing but a password can (`in_url`)."""
    value = value[:_ENOUGH]
    if _is_binary(value):
        return True
    if _is_ordinary(value):
        return False
    rest = _residue(value)
    if in_url:
        return len(rest) >= 3
    return (len(value) >= 6 and len(rest) >= 5 and _MIXED.search(rest) is not None) or is_random(value)


def is_phrase(value: bytes) -> bool:
    """Whether somebody may have made these words up as a password, and not as a label or a message."""
    value = value[:_ENOUGH]
    if b" " not in value or _MESSAGE.search(value):
        return False
    if _PHRASE.fullmatch(value):
        return len(_residue(value).split()) >= 2
    if _CAPITALISED.fullmatch(value):
        return len(_residue(value).split()) >= 3
    return any(map(is_password, value.split(b" ")))


def is_random(value: bytes) -> bool:
    """Whether a machine made this: its letters and digits change places, and its letters follow each other, as in no
    word or name."""
    value = value[:_ENOUGH]
    if _is_binary(value):
        return True
    if len(value) < 12 or _is_ordinary(value):
        return False
    pieces = PIECE.findall(_residue(value))
    rest = b"".join(pieces)
    letters = sum(len(piece) for piece in pieces if piece.isalpha())
    if len(rest) < 12 or len(set(rest)) < 8 or 6 * letters < len(rest):
        return False
    if letters == len(rest):
        return letters >= 20 and _wordlike(rest) < 0.4
    return _HEX.fullmatch(rest) is not None or len(rest) <= 3 * len(pieces) or _wordlike(rest) < 0.55


def _is_ordinary(value: bytes) -> bool:
    return _ORDINARY_WHOLE.match(value) is not None or _ORDINARY_PART.search(value) is not None


def _wordlike(value: bytes) -> float:
    """The share of common ones among its pairs of letters."""
    pairs = [match[1] for match in _PAIR_OF_LETTERS.finditer(value.lower())]
    return sum(pair in _COMMON_PAIRS for pair in pairs) / max(len(pairs), 1)


def _is_binary(value: bytes) -> bool:
    return len(set(_ESCAPED_BYTE.findall(value))) >= 8


def _residue(value: bytes) -> bytes:
    """What is left without templates, words that stand for a secret, sequences and repetitions."""
    for ordinary in (_TEMPLATE, _WORDS, _SEQUENCE, _REPETITION):
        value = ordinary.sub(b"", value)
    return value
