"""What a language module provides: the way from text to outline and from an import to files of the workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from repofill.context.outline import Outline


class FileTree:
    """The files and directories of a workspace, to look names up in. A new tree is made when files come or go.

    `outlines` maps every path to its outline; `cache` is for the language modules.
    """

    def __init__(self, outlines: Mapping[str, Outline]) -> None:
        self.outlines = outlines
        self.directories: set[str] = {""}
        self.cache: dict[object, object] = {}
        for path in outlines:
            parent = path.rpartition("/")[0]
            while parent not in self.directories:
                self.directories.add(parent)
                parent = parent.rpartition("/")[0]

    def __contains__(self, path: str) -> bool:
        return path in self.outlines


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What a file's imports resolve to. `imports`: files that running its import statements loads. `origins`: files
    that define names which the imported ones only pass on. `consulted`: files whose outlines were looked at on the
    way; no part of what was found."""

    imports: frozenset[str]
    origins: frozenset[str]
    consulted: frozenset[str] = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """`outline`: UTF-8 source to outline. `definitions_form`: text and outline to the file as its definitions.
    `resolve`: path, outline and tree to the files it imports; never itself."""

    outline: Callable[[bytes], Outline]
    definitions_form: Callable[[str, Outline], str]
    resolve: Callable[[str, Outline, FileTree], Resolution]
