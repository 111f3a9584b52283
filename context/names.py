"""The definitions of a file by their names, as `select` and `infer` look them up. Pure; kept by what identifies a text,
since making them anew for every cursor would take longer than all the rest."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from repofill.context.languages import language_of
from repofill.context.outline import Definition, Interface, Outline

if TYPE_CHECKING:
    from repofill.context.select import View

NAME = r"(?:[^\W\d]|\$)[\w$]*"
"""A name in code: JavaScript's may have a "$" in it."""
_SIGILS = frozenset({"php", "shell"})
"""Languages in which a "$" ahead of a name is no part of it."""
_WORD = re.compile(NAME)
_SIGNATURE = 400
"""Characters of a signature that are searched for names."""
_KEPT = 512


def bare(path: str, text: str) -> str:
    """Code of a file with blanks instead of what stands ahead of its names."""
    language = language_of(path)
    return text.replace("$", " ") if language is not None and language.name in _SIGILS else text


class Names:
    """`definitions` and what they are called: `qualified` by dotted name, `simple` by the last part of it, `members` by
    the dotted name of the class that they belong to, directly. All are numbers of definitions."""

    def __init__(self, outline: Outline, text: str) -> None:
        self.language = outline.interface.language
        self.definitions = outline.definitions
        self._text = text
        self._spoken: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    @cached_property
    def qualified(self) -> dict[str, list[int]]:
        return _numbers(definition.qualified for definition in self.definitions)

    @cached_property
    def simple(self) -> dict[str, list[int]]:
        return _numbers(definition.name for definition in self.definitions)

    @cached_property
    def members(self) -> dict[str, list[int]]:
        return _numbers(definition.parent for definition in self.definitions)

    @cached_property
    def outer(self) -> frozenset[int]:
        """What belongs to the module itself: its top level, and what the table has that Lua's and CommonJS's give."""
        of_table = self.language == "lua"
        return frozenset(n for n, d in enumerate(self.definitions) if of_table or d.parent in ("", "exports"))

    def within(self, owner: str) -> list[int]:
        """Everything inside of a class, at any depth."""
        found = []
        for number in self.members.get(owner, ()):
            found.append(number)
            definition = self.definitions[number]
            if definition.kind == "class" and definition.name:  # what is in a nameless one belongs to the class itself
                found += self.within(definition.qualified)
        return found

    def class_at(self, offset: int) -> int | None:
        """The innermost class around an offset."""
        around = (n for n, d in enumerate(self.definitions) if d.kind == "class" and d.start <= offset <= d.end)
        return max(around, default=None, key=lambda number: self.definitions[number].start)

    def signature(self, definition: Definition) -> str:
        """The beginning of a definition, up to its body."""
        end = max(definition.body_start, definition.signature)
        return self._text[definition.signature : min(end, definition.signature + _SIGNATURE)]

    def spoken(self, number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The words of a definition's signature, and those of its members'."""
        if number not in self._spoken:
            definition = self.definitions[number]
            members = [self.definitions[n] for n in self.members.get(definition.qualified, ())]
            own = dict.fromkeys(_WORD.findall(self.signature(definition)))
            others = dict.fromkeys(word for d in members for word in _WORD.findall(self.signature(d)))
            self._spoken[number] = tuple(own), tuple(others)
        return self._spoken[number]


def _numbers(names: Iterable[str]) -> dict[str, list[int]]:
    """The numbers of definitions by what each is called; those without a name are left out."""
    found: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        if name:
            found.setdefault(name, []).append(number)
    return found


_NOTHING = Names(Outline(interface=Interface(language=""), definitions=(), has_error=False), "")
_kept: OrderedDict[tuple[str, bytes], Names] = OrderedDict()
_lock = Lock()


def names_of(view: View, path: str) -> Names:
    """The names of a file; of one without an outline there are none."""
    digest = view.digest(path)
    if digest is not None:
        with _lock:
            if (names := _kept.get((path, digest))) is not None:
                _kept.move_to_end((path, digest))
                return names
    outline, text = view.outline(path), view.text(path)
    if outline is None or text is None:
        return _NOTHING
    names = Names(outline, bare(path, text))
    if digest is not None:
        with _lock:
            _kept[path, digest] = names
            if len(_kept) > _KEPT:
                _kept.popitem(last=False)
    return names
