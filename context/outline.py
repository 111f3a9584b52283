"""The outline of a file: what it imports and what it defines. Values only; made by `context.languages`, used
everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["function", "class", "variable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported module as it is written: `import a.b as c`, or `from ..a import b, c`.

    `level` counts leading dots; `names` are the names taken out of the module, ("*",) for all, () when the module
    itself is imported; `bound` are the local names; `line` is 0-based.
    """

    module: str
    level: int
    names: tuple[str, ...]
    bound: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A definition at the top level of a file or of a class.

    Lines are 0-based with exclusive ends: `start_line` includes decorators, `header_end` is the line after the
    signature. `parent` is the dotted name of the enclosing class, "" at the top level. `doc` is the first line of the
    docstring.
    """

    name: str
    kind: Kind
    parent: str
    start_line: int
    header_end: int
    end_line: int
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """Imports and definitions in order of their places; `has_error` says that the text does not parse as a whole."""

    language: str
    imports: tuple[Import, ...]
    definitions: tuple[Definition, ...]
    has_error: bool
