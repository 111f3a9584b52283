"""C and C++: what no grammar can read without a preprocessor, blanked: macros in the place of keywords, and
conditionals of which only one branch makes sense. Every offset stays; what is blanked is missing
from the syntax tree alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_LONGEST_CONDITIONAL = 60
"""Lines up to which a conditional with unbalanced braces is meant so; around more of them somebody is typing."""
_LONGEST_NAME = 80

_NAME = r"[A-Za-z_]\w*"
_MACRO = r"[A-Z_][A-Z0-9_]{2,}(?:[ \t]*\((?:[^(){};]|\([^(){};]*\)){0,200}\))?"
_CALL = r"[A-Z_][A-Z0-9_]{2,}[ \t]*\((?:[^(){};]|\([^(){};]*\)){0,200}\)"
_QUALIFIERS = r"(?:(?:static|extern|inline|const|volatile|constexpr|virtual|explicit|unsigned|signed|long)\s+)*"
_KEYWORDS = """
    alignas auto bool break case char class co_return const constexpr continue default define delete do double else
    enum explicit export extern final float for friend goto if inline int long namespace new operator private
    protected public register return short signed sizeof static struct switch template throw typedef typename undef
    union unsigned using virtual void volatile while
"""
_WORDS = tuple(_KEYWORDS.split())
_NO_WORD = rf"(?!(?:{'|'.join(_WORDS)})\b)"
_TYPES = ("auto", "bool", "char", "double", "float", "int", "long", "short", "void")
_AFTER_WORD = "".join(rf"(?<!\b{word}[ \t])" for word in _WORDS)
_AFTER_TYPE = "".join(rf"(?<!\b{word}[ \t])" for word in _WORDS if word not in _TYPES)
_SCOPES = r"(?:::\w+|<[^;{}()]*>)*"
_IN_FRONT = tuple(
    re.compile(pattern.encode(), re.MULTILINE)
    for pattern in (
        # class API Name … {
        rf"\b(?:class|struct|union)\s+(?!alignas\b)({_NAME}(?:\([^()\n]*\))?)"
        rf"(?=\s+(?!final\b){_NAME}{_SCOPES}(?:\s+final)?\s*(?:\{{|:[^:]))",
        # API int f(…), API(…) class …, also on a line of its own
        rf"^[ \t]*{_QUALIFIERS}({_MACRO})"
        r"(?=\s+(?:(?:template\s*<|using\s|namespace\s*\{|friend\s|extern\s*\")"
        rf"|{_QUALIFIERS}(?!(?:const|volatile|PRI\w+)\b){_NAME}{_SCOPES}(?:\s+|\s*[*&]+\s*)(?:{_NAME}|~|::|\({_NAME}\)\s*\()))",
        # api Type f(…)
        rf"^(?:(?:static|extern|inline)\s+)*({_NO_WORD}{_NAME})(?=\s+{_NO_WORD}{_NAME}(?:\s+|\s*[*&]+\s*){_NAME}\s*\()",
        # int API f(…)
        rf"(?=[A-Z_][A-Z0-9_]{{2}})(?<=[\w*&>][ \t]){_AFTER_TYPE}({_MACRO})(?=[ \t]+(?:{_NAME}::)*~?{_NAME}[ \t]*\()",
    )
)
_BEHIND = tuple(
    re.compile(pattern.encode(), re.MULTILINE)
    for pattern in (
        # void f(…) NOTHROW;
        rf"\)\s+(?:const\s+|noexcept\s+)?({_MACRO})"
        rf"(?=(?:\s+{_MACRO})*\s*(?:[;{{]|=\s*(?:0|default|delete)|const\b|override\b|noexcept\b|final\b|:[^:]))",
        # int x GUARDED_BY(mutex);
        rf"(?=[A-Z_][A-Z0-9_]{{2}})(?<=[\w\]][ \t]){_AFTER_WORD}({_CALL})(?=\s*[;={{])",
        # BEGIN(…) on a line of its own
        rf"^[ \t]*({_CALL})[ \t]*(?=\s*(?://[^\n]*)?\n\s*(?:#|\}}|/[/*]|p(?:ublic|rivate|rotected)\b|"
        rf"{_MACRO}[ \t]*\n))",
        rf"^({_MACRO})(?=[ \t]*\n\s*(?:/[/*]|{_MACRO}[ \t]*\n))",
        rf"^[ \t]*({_MACRO})(?=[ \t]*\n\s*p(?:ublic|rivate|rotected)\b)",
    )
)
_VALUE = re.compile(rb"[^=!<>]=[^=]|\breturn\b")
_DOUBLE_PARENTHESES = re.compile(rb"\(\([^;{}]*\)(\))(?=\s*;)")
_PROTOTYPE_MACRO = re.compile(rb"[\w*]\s+([A-Z_][A-Z0-9_]*[ \t]*\()$")
_DIRECTIVE = re.compile(
    rb"^[ \t]*#[ \t]*(?:(if|ifdef|ifndef)|(elif|else|elifdef|elifndef)|(endif)"
    rb"|(include[ \t]*(?:\"[^\"\n]*\"|<[^>\n]*>)))"
    rb"(?(4)|\b(?:[^\n/\\]|/(?![*])|\\\n?)*)",
    re.MULTILINE,
)
_NO_CODE = re.compile(
    rb"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*",
    re.DOTALL | re.MULTILINE,
)
_DEFINE = re.compile(rb"^[ \t]*#[ \t]*define[ \t]+\w+(?:\([^()]*\))?[ \t]+((?:[^\\\n/]++|\\\n?|/(?!/))+)", re.MULTILINE)
_BRACES = re.compile(rb"[{}]")


def readable(source: bytes) -> bytes:
    """`source`, as long as it is, for the grammar."""
    blanked = bytearray(source)
    for match in _DEFINE.finditer(source):  # its text says nothing, and a comment in it ends it for the grammar
        text = match[1]
        if (comment := text.rfind(b"/*")) > text.rfind(b"*/"):
            text = text[:comment]
        lines = (b"x" * len(line) for line in text.split(b"\\\n"))
        blanked[match.start(1) : match.start(1) + len(text)] = b"\\\n".join(lines)
    for start, end in _conditionals(source):
        _blank(blanked, start, end)
    for match in _DOUBLE_PARENTHESES.finditer(bytes(blanked)):
        start = max(0, match.start() - _LONGEST_NAME)
        if macro := _PROTOTYPE_MACRO.search(bytes(blanked[start : match.start() + 1])):
            _blank(blanked, start + macro.start(1), start + macro.end(1))
            _blank(blanked, *match.span(1))
    for pattern in (*_IN_FRONT, *_BEHIND):
        for match in pattern.finditer(bytes(blanked)):
            line = blanked[blanked.rfind(b"\n", 0, match.start()) + 1 : match.start()]
            if b"//" not in line and (pattern in _IN_FRONT or not _VALUE.search(line)):
                _blank(blanked, *match.span(1))
    return bytes(blanked)


def _blank(text: bytearray, start: int, end: int) -> None:
    text[start:end] = b"\n".join(b" " * len(line) for line in text[start:end].split(b"\n"))


@dataclass(slots=True)
class _Branch:
    start: int
    end: int = 0
    depth: int = 0
    lowest: int = 0

    def read(self, code: bytes) -> None:
        for brace in _BRACES.findall(code):
            self.depth += 1 if brace == b"{" else -1
            self.lowest = min(self.lowest, self.depth)

    @property
    def is_balanced(self) -> bool:
        return self.depth == self.lowest == 0


@dataclass(slots=True)
class _Conditional:
    start: int
    branches: list[_Branch] = field(default_factory=list)
    has_else: bool = False

    def kept(self) -> _Branch | None:
        """The one branch that stays, where they cannot all: one that closes what it opens, be it the `#else` that is
        not there; else the first."""
        if self.has_else:
            return next((branch for branch in self.branches if branch.is_balanced), self.branches[0])
        return None


def _conditionals(source: bytes) -> Iterator[tuple[int, int]]:
    """What to blank so that every conditional leaves the braces around it as they are. And every `#include`: the
    grammars know them between declarations alone."""
    code = _NO_CODE.sub(lambda match: b" " * len(match[0]), source) if b"#" in source else source
    open_ones: list[_Conditional] = []
    last = 0
    for directive in _DIRECTIVE.finditer(source):
        if open_ones:
            open_ones[-1].branches[-1].read(code[last : directive.start()])
        last = directive.end()
        begins, continues, ends, includes = directive.groups()
        if includes:
            yield directive.span()
        elif begins:
            open_ones.append(_Conditional(directive.start(), [_Branch(directive.end())]))
        elif open_ones and continues:
            open_ones[-1].branches[-1].end = directive.start()
            open_ones[-1].branches.append(_Branch(directive.end()))
            open_ones[-1].has_else |= continues == b"else"
        elif open_ones and ends:
            closed = open_ones.pop()
            closed.branches[-1].end = directive.start()
            if all(branch.is_balanced for branch in closed.branches):
                continue
            if source.count(b"\n", closed.start, directive.end()) > _LONGEST_CONDITIONAL:
                continue
            kept = closed.kept()
            yield closed.start, kept.start if kept is not None else directive.end()
            if kept is not None:
                yield kept.end, directive.end()
                if open_ones:
                    around = open_ones[-1].branches[-1]
                    around.lowest = min(around.lowest, around.depth + kept.lowest)
                    around.depth += kept.depth
