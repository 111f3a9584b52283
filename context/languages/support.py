"""What a language module provides: the way from text to outline and from a file to the files it imports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from repofill.context.languages.syntax import Source
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Outline


class Binding(Struct, frozen=True, kw_only=True, gc=False):
    """A name that an import brings into a file. `local` is the name there, `path` the file that defines it (behind
    re-exports), `name` its name in that file: "" for the file or module itself, "*" (with `local` "*" too) for every
    name at its top level, as a star import, an `#include` or a neighbour in the same package brings them."""

    local: str
    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What a file's imports resolve to. `imports`: the files that its statements name, as the language's own tools
    see it. `origins`: files that define names which the imported ones only pass on. `bindings`: what that brings into
    the file's scope, or what it passes on. None of them is the file itself."""

    imports: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    bindings: tuple[Binding, ...] = ()

    @property
    def dependencies(self) -> frozenset[str]:
        """All of it: the edges of the dependency order."""
        return self.imports | self.origins


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """`outline`: path and UTF-8 source to outline; never raises, whatever the source. `resolve`: path and tree to the
    files it imports, asking nothing but the tree. `configs`: patterns (fnmatch, on the file's name) of configuration
    files that the resolver reads through `FileTree.config`. `read`: path and UTF-8 source to the whole syntax tree, of
    the languages that the bundled model is trained on.

    In a skeleton `empty_body` stands for a body that is left out, `doc_body` for one whose first line of documentation
    ("{doc}") belongs inside, "" where documentation stands ahead as a comment; `empty_value` stands for a constant's
    value. "\\n" begins a line indented like the definition, "\\t" after it indents by one level more.
    """

    outline: Callable[[str, bytes], Outline]
    resolve: Callable[[str, FileTree], Resolution]
    configs: tuple[str, ...] = ()
    read: Callable[[str, bytes], Source] | None = None
    empty_body: str = ""
    doc_body: str = ""
    empty_value: str = ""
