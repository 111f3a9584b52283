"""The forms in which a file enters a prompt: its definitions, some of them whole, the others as skeletons. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice, takewhile

from repofill.context.languages import BY_NAME
from repofill.context.languages.support import Support
from repofill.context.outline import Definition, Outline

_LONGEST_CONSTANT = 3
"""Lines up to which a constant is shown with its value."""

_INDENT = "    "
_NEXT_LINE = re.compile(r"\n([^\S\n]*)(?=\S)")
"""The first line below that has anything on it, by its indentation."""


def render(text: str, outline: Outline, *, shown: Collection[int], whole: Collection[int] = ()) -> str:
    """The definitions numbered in `shown` as skeletons and those in `whole` with their bodies, each within the classes
    around it, below the first line of the comment ahead of it; a class that is one line of fields as it is. Valid code
    where the text is; a definition under a condition is shown at the indentation it would have without it."""
    language = BY_NAME[outline.interface.language]
    if language.support is None:
        return ""
    parents = outline.enclosing
    wanted: set[int] = set()
    for number in {*shown, *whole}:
        while number >= 0 and number not in wanted:
            wanted.add(number)
            number = parents[number]
    members: dict[int, list[int]] = {-1: [], **{number: [] for number in wanted}}
    for number in sorted(wanted):
        if not _in_head(outline, number, parents[number]):
            members[parents[number]].append(number)
    form = _Form(text, outline.definitions, members, frozenset(whole), language.support, language.comment)
    return "".join(f"{line}\n" for number in members[-1] for line in form.lines(number, ""))


def shows_value(text: str, constant: Definition) -> bool:
    """Whether the skeleton of a constant has its value."""
    return text.count("\n", constant.signature, constant.end) < _LONGEST_CONSTANT


def _in_head(outline: Outline, number: int, parent: int) -> bool:
    """Whether a member stands ahead of its class's body, where it is shown with the signature: the constants of Java's
    enumerations."""
    return parent >= 0 and outline.definitions[number].end <= outline.definitions[parent].body_start


@dataclass(frozen=True, slots=True)
class _Form:
    text: str
    definitions: tuple[Definition, ...]
    members: dict[int, list[int]]
    whole: frozenset[int]
    support: Support
    comment: tuple[str, str]

    def lines(self, number: int, base: str) -> list[str]:
        """One definition, indented by `base`."""
        definition = self.definitions[number]
        own = self._indent_at(definition.signature)
        if number in self.whole or definition.body_start >= definition.body_end or self._on_one_line(number):
            whole = self.text[definition.signature : definition.end]
            return [*self._comment(definition, base), *_moved(whole, own, base)]
        head = self.text[definition.signature : definition.body_start]
        signature = [*self._comment(definition, base), *_moved(head.rstrip(), own, base)]
        tail = self.text[definition.body_end : definition.end].strip()
        inner = base + self._deeper(definition, own)
        if members := self.members[number]:
            docs = (
                self._filled(self.support.doc_body, definition, base, inner).splitlines()[1:] if definition.doc else []
            )
            shown = [line for member in members for line in self.lines(member, inner)]
            return [*signature, *docs, *shown, *([base + tail] if tail else [])]
        if definition.kind == "variable":
            if shows_value(self.text, definition):
                whole = self.text[definition.signature : definition.end]
                return [*self._comment(definition, base), *_moved(whole, own, base)]
            filler = self.support.empty_value if head.rstrip() == head else f" {self.support.empty_value}"
        else:
            inside = self.support.doc_body if definition.doc else ""
            filler = self._filled(inside or self.support.empty_body, definition, base, inner)
        return [*signature[:-1], *f"{signature[-1]}{filler}{tail}".split("\n")]

    def _on_one_line(self, number: int) -> bool:
        """Whether a class is one line, with members of which nothing is left out."""
        definition = self.definitions[number]
        if definition.kind != "class" or "\n" in self.text[definition.signature : definition.end]:
            return False
        following = islice(self.definitions, number + 1, None)
        members = list(takewhile(lambda other: other.signature < definition.end, following))
        return bool(members) and all(member.body_start >= member.body_end for member in members)

    def _comment(self, definition: Definition, base: str) -> list[str]:
        if not definition.doc or self.support.doc_body:
            return []
        opening, closing = self.comment
        return [f"{base}{opening}{definition.doc}{closing}"]

    def _filled(self, filler: str, definition: Definition, base: str, inner: str) -> str:
        lines = filler.replace("{doc}", definition.doc).split("\n")
        return "\n".join(
            [lines[0], *(inner + line[1:] if line.startswith("\t") else base + line for line in lines[1:])]
        )

    def _deeper(self, definition: Definition, own: str) -> str:
        """By how much the body is indented more than the definition."""
        first = _NEXT_LINE.search(self.text, definition.body_start, definition.body_end)
        indent = first[1] if first is not None else ""
        return indent[len(own) :] if indent.startswith(own) and indent != own else _INDENT

    def _indent_at(self, offset: int) -> str:
        line = self.text[self.text.rfind("\n", 0, offset) + 1 : offset]
        return line if not line.strip() else _indent(line)


def _moved(code: str, own: str, base: str) -> list[str]:
    """The lines of `code`, whose first is indented by `own` where it comes from, indented by `base`."""
    first, *others = code.split("\n")
    return [
        base + first,
        *(base + line[len(own) :] if line.strip() and line.startswith(own) else line for line in others),
    ]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
