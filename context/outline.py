"""The outline of a file: what it imports and what it defines. Values, and the bytes that they are kept as; made by
`context.languages`, used everywhere."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Literal

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import replace

Kind = Literal["function", "class", "variable"]


class Import(Struct, frozen=True, kw_only=True, array_like=True, gc=False, eq=False):
    """One imported module as it is written: `import a.b as c`, `from ..a import b, c`, `#include "a.h"`, `use a::b`.

    `names` are the names taken out of the module, ("*",) for all, () when the module itself is imported; `bound` are
    the local names, one for each of `names` or one for the module. `level` counts Python's leading dots; `kind` is the
    language's own word for the variety of the statement, for its resolver alone. `line` is 0-based and no part of what
    is imported.
    """

    module: str
    names: tuple[str, ...] = ()
    bound: tuple[str, ...] = ()
    level: int = 0
    kind: str = ""
    line: int = 0

    def _compared(self) -> tuple[object, ...]:
        return self.module, self.names, self.bound, self.level, self.kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Import) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())


class Definition(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A definition at the top level of a file or of a class. A "class" is whatever has members: a struct, a trait, an
    interface, an enumeration, a namespace, a module of Ruby. One without a name only holds others together: `const (…)`
    of Go, an `impl` of Rust, whose `parent` is the type that it is for.

    Offsets are in code points of the text, ends are exclusive. `start` includes a doc comment ahead of it, `signature`
    begins after that, at the decorators if there are any. From `body_start` to `body_end` stands what a skeleton leaves
    out, without braces or `end`; the two are equal where there is nothing to leave out. `parent` is the dotted name of
    the enclosing class, "" at the top level. `doc` is the first line of the docstring or doc comment, without markers.
    """

    name: str
    kind: Kind
    parent: str
    start: int
    signature: int
    body_start: int
    body_end: int
    end: int
    doc: str = ""

    @property
    def qualified(self) -> str:
        """The dotted name."""
        return f"{self.parent}.{self.name}" if self.parent and self.name else self.parent or self.name


class Declared(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What a file declares itself to be: `scope` is what it is part of, a Java package, C# or PHP namespaces, a Go
    package's name; several are separated by spaces."""

    language: str
    scope: str = ""


class Interface(Declared, frozen=True, kw_only=True, array_like=True, gc=False):
    """What of a file decides where names lead, its own and those of others; nothing of where in the text it stands.

    `names` are its top-level definitions. `references` are names that the file mentions, for languages in which files
    see one another without an import; () where the language has no need of it.
    """

    imports: tuple[Import, ...] = ()
    names: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()


class Outline(Struct, frozen=True, kw_only=True, array_like=True, dict=True):
    """`definitions` in order of their places, an outer one before what is in it; `has_error` says that the text does
    not parse as a whole."""

    interface: Interface
    definitions: tuple[Definition, ...]
    has_error: bool

    @cached_property
    def enclosing(self) -> tuple[int, ...]:
        """For each definition the number of the innermost one around it, -1 at the top level."""
        around: list[int] = []
        found = []
        for number, definition in enumerate(self.definitions):
            while around and self.definitions[around[-1]].end <= definition.signature:
                around.pop()
            found.append(around[-1] if around else -1)
            around.append(number)
        return tuple(found)


_ENCODER = Encoder(order="deterministic")
_DECLARED = Decoder(Declared)
_INTERFACES = Decoder(Interface)
_OUTLINES = Decoder(Outline)


def pack(value: Interface | Outline) -> bytes:
    """Equal values give equal bytes, but for the lines of imports."""
    return _ENCODER.encode(value)


@lru_cache(maxsize=1024)
def unpack_interface(packed: bytes) -> Interface:
    """What `pack` was given. Raises ValueError."""
    return _INTERFACES.decode(packed)


def unpack_declared(packed: bytes) -> Declared:
    """The beginning of a packed interface, at a tenth of the time. Raises ValueError."""
    return _DECLARED.decode(packed)


def pack_definitions(outline: Outline) -> bytes:
    """An outline without what is kept as its interface already: of that the language alone."""
    return pack(replace(outline, interface=Interface(language=outline.interface.language)))


def unpack_definitions(packed: bytes) -> Outline:
    """What `pack_definitions` keeps. Raises ValueError."""
    return _OUTLINES.decode(packed)
