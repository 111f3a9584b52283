"""The definitions of a file by their names, as `select` and `infer` look them up. Pure; `context.index` keeps them,
since making them anew for every cursor would take longer than all the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

from repofill.context.languages import language_of
from repofill.context.outline import Definition, Outline

NAME = r"[\w$](?<!\d)[\w$]*"
"""A name in code, which does not begin with a digit: JavaScript's may have a "$" in it."""
_SIGILS = frozenset({"php", "shell"})
"""Languages in which a "$" ahead of a name is no part of it."""
_OUTSIDE = frozenset({"", "exports"})
"""The parents of what belongs to a module itself, but for Lua, where the table that it gives has any name."""
_ALONE: tuple[tuple[int, ...], ...] = tuple(zip(range(4_096), strict=True))
"""Every number by itself."""
_WORD = re.compile(NAME)
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
"""What names are made of: `Http` and `client` of `_Http_client`."""
LONG_PART = re.compile(r"[A-Za-z][a-z]+|[A-Z]{2,}(?![a-z])")
"""The same without those of one letter."""
_SIGNATURE = 400
"""Characters of a signature that are searched for names."""


def bare(path: str, text: str) -> str:
    """Code of a file with blanks instead of what stands ahead of its names."""
    language = language_of(path)
    return text.replace("$", " ") if language is not None and language.name in _SIGILS else text


@lru_cache(maxsize=16_384)
def parts(name: str) -> tuple[str, ...]:
    """What a name is made of, each part once, without those of one letter: `http`, `client` of `_HttpClient`."""
    return tuple(dict.fromkeys(map(str.lower, LONG_PART.findall(name))))


class Names:
    """`definitions` and what they are called: `qualified` by dotted name, `simple` by the last part of it, `members` by
    the dotted name of the class that they belong to, directly. All are numbers of definitions. `outside` are the
    parents of what belongs to the module itself, which Lua and CommonJS give as a table. A file of a language without a
    grammar has no `outline`; `text` gives the file's text."""

    def __init__(self, path: str, outline: Outline | None, text: Callable[[], str]) -> None:
        self.outline = outline
        self.language = outline.interface.language if outline is not None else ""
        self.definitions = outline.definitions if outline is not None else ()
        self.outside = _OUTSIDE if self.language != "lua" else frozenset(d.parent for d in self.definitions)
        self._path, self._text = path, text
        self._spoken: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    @cached_property
    def qualified(self) -> dict[str, tuple[int, ...]]:
        return _numbers([d.qualified if d.parent else d.name for d in self.definitions])

    @cached_property
    def simple(self) -> dict[str, tuple[int, ...]]:
        return _numbers([definition.name for definition in self.definitions])

    @cached_property
    def members(self) -> dict[str, tuple[int, ...]]:
        return _numbers([definition.parent for definition in self.definitions])

    @cached_property
    def outer(self) -> tuple[int, ...]:
        """What belongs to the module itself."""
        return tuple([number for number, d in enumerate(self.definitions) if d.parent in self.outside])

    def within(self, owner: str) -> list[int]:
        """Everything inside of a class, at any depth, once: a namespace may be opened a hundred times."""
        numbers = self.members.get(owner, ())
        classes = (d for d in (self.definitions[number] for number in numbers) if d.kind == "class")
        inner = dict.fromkeys(d.qualified for d in classes if d.name)  # in a nameless one it belongs to the owner
        return [*numbers, *(number for name in inner for number in self.within(name))]

    @cached_property
    def _classes(self) -> list[tuple[int, Definition]]:
        return [(number, d) for number, d in enumerate(self.definitions) if d.kind == "class"]

    def class_at(self, offset: int) -> int | None:
        """The innermost class around an offset."""
        around = [number for number, d in self._classes if d.start <= offset <= d.end]
        return max(around, default=None, key=lambda number: self.definitions[number].start)

    def code(self) -> str:
        """The text, with blanks instead of what stands ahead of its names."""
        return bare(self._path, self._text())

    def signature(self, definition: Definition) -> str:
        """The beginning of a definition, up to its body."""
        return _signature(self.code(), definition)

    def spoken(self, number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The words of a definition's signature, and those of its members'."""
        if number not in self._spoken:
            definition = self.definitions[number]
            members = [self.definitions[n] for n in self.members.get(definition.qualified, ())]
            code = self.code()
            own = _WORD.findall(_signature(code, definition))
            others = _WORD.findall("\n".join([_signature(code, member) for member in members]))
            self._spoken[number] = tuple(dict.fromkeys(own)), tuple(dict.fromkeys(others))
        return self._spoken[number]


def _signature(code: str, definition: Definition) -> str:
    end = max(definition.body_start, definition.signature)
    return code[definition.signature : min(end, definition.signature + _SIGNATURE)]


def _numbers(names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The numbers of definitions by what each is called; those without a name are left out. Tuples, most of them the
    same for all files, since in half a million lists Python would look for garbage time and again, for 0.1 s each."""
    numbers = _ALONE if len(names) <= len(_ALONE) else tuple(zip(range(len(names)), strict=True))
    found: dict[str, tuple[int, ...]] = dict(zip(names, numbers, strict=False))
    if len(found) < len(names):
        earlier: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            if found[name][0] != number:
                earlier.setdefault(name, []).append(number)
        found.update({name: (*others, *found[name]) for name, others in earlier.items()})
    found.pop("", None)
    return found


NOTHING = Names("", None, str)
"""Of a file that is not there."""
