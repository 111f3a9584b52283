"""Ignore files: git's pattern language, matched as git itself does (gitignore(5), dir.c, wildmatch.c). Pure; called by
`context.scan`, which reads the files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<folders>   (?<![^/]) (?:\*\*+/)+ )      # any number of directories, or none
  | (?P<all>       (?<![^/]) \*\*+ \Z )         # everything in here
  | (?P<some>      \*+ )
  | (?P<any>       \? )
  | \[ (?> (?P<not>[!^]?) (?P<set> (?:\\.|\[:\w+:\]|[^\\]) (?:\\.|\[:\w+:\]|[^]\\])* ) ) \]
  | \\ (?P<escaped>. )
  | (?P<literal>   [^[\\] )
    """,
    re.VERBOSE | re.DOTALL,
)
_GLOBS = {"folders": "(?:.*/)?", "all": ".*", "some": "[^/]*", "any": "[^/]"}

_ITEM = re.compile(r"\[:(?P<name>\w+):\]|\\?(?P<low>.)-\\?(?P<high>.)|\\?(?P<one>.)", re.DOTALL)
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t-\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


@dataclass(frozen=True, slots=True)
class _Pattern:
    regex: re.Pattern[str]
    negated: bool
    only_directories: bool


class IgnorePatterns:
    """The patterns of one directory's ignore files. What git cannot read either matches nothing."""

    def __init__(self, text: str) -> None:
        self._patterns = [p for line in text.split("\n") if (p := _pattern(line)) is not None]
        self._patterns.reverse()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._patterns)

    def decide(self, path: str, is_dir: bool) -> bool | None:
        """Whether `path`, relative to the directory of the ignore files, is ignored: its last pattern decides. None
        when there is none. Directories above `path` are the caller's business."""
        for pattern in self._patterns:
            if (is_dir or not pattern.only_directories) and pattern.regex.fullmatch(path):
                return not pattern.negated
        return None


def _pattern(line: str) -> _Pattern | None:
    if not line or line.startswith("#"):
        return None
    glob = _without_trailing_spaces(line.removesuffix("\r"))
    negated, glob = glob.startswith("!"), glob.removeprefix("!")
    only_directories, glob = glob.endswith("/"), glob.removesuffix("/")
    anchored, glob = "/" in glob, glob.removeprefix("/")
    regex = _regex(glob)
    if regex is None:
        return None
    return _Pattern(re.compile(regex if anchored else "(?:.*/)?" + regex, re.DOTALL), negated, only_directories)


def _without_trailing_spaces(line: str) -> str:
    """A space after a backslash stays."""
    kept = line.rstrip(" ")
    escaped = (len(kept) - len(kept.rstrip("\\"))) % 2 == 1
    return line[: len(kept) + 1] if escaped else kept


def _regex(glob: str) -> str | None:
    """None for a glob that is empty or matches nothing, such as one with an open bracket."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(glob):
        token = _TOKEN.match(glob, at)
        part = None if token is None else _translated(token)
        if token is None or part is None:
            return None
        tokens.append((str(token.lastgroup), part))
        at = token.end()
    return _folders(tokens) if tokens else None


# A wildcard with another one of its kind behind it takes the first place where the fixed part after it fits, and keeps
# to it (an atomic group, as in `fnmatch.translate`): the later one can make up for whatever an earlier one might take.
# Without that, `*a*a*a*a*b` takes a time exponential in its stars.


def _folders(tokens: list[tuple[str, str]]) -> str:
    first, *others = _split(tokens, ("folders", "all"))
    regex = _stars(first)
    for at, part in enumerate(others):
        wildcard, fixed = part[0][1], _stars(part[1:])
        regex += wildcard + fixed if at == len(others) - 1 else f"(?>(?:.*?/)??{fixed})"
    return regex


def _stars(tokens: list[tuple[str, str]]) -> str:
    first, *others = _split(tokens, ("some",))
    regex = "".join(part for _, part in first)
    for at, part in enumerate(others):
        fixed = "".join(text for _, text in part[1:])
        regex += f"[^/]*{fixed}" if at == len(others) - 1 else f"(?>[^/]*?{fixed})"
    return regex


def _split(tokens: list[tuple[str, str]], kinds: tuple[str, ...]) -> list[list[tuple[str, str]]]:
    """Parts that begin with a token of `kinds`, but for the first."""
    parts: list[list[tuple[str, str]]] = [[]]
    for token in tokens:
        if token[0] in kinds:
            parts.append([])
        parts[-1].append(token)
    return parts


def _translated(token: re.Match[str]) -> str | None:
    kind = token.lastgroup
    assert kind is not None
    if kind != "set":
        return _GLOBS.get(kind) or re.escape(token[kind])
    members = ""
    for item in _ITEM.finditer(token["set"]):
        name, low, high, one = item.group("name", "low", "high", "one")
        if name is not None and name not in _CLASSES:
            return None
        members += _CLASSES[name] if name is not None else re.escape(low or one)
        if low is not None and low <= high:
            members += f"-{re.escape(high)}"
    return f"(?!/)[{'^' if token['not'] else ''}{members}]"
