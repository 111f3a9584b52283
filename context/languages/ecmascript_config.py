"""What tsconfig.json and package.json have in common: JSON with comments, and paths relative to where it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from repofill.context.languages.tree import FileTree

_STRING_OR_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


def json_object(tree: FileTree, path: str) -> Mapping[str, Any]:
    """The object in a configuration file, comments and trailing commas left out; {} of a broken one and of none."""
    text = tree.config(path) or ""
    plain = _STRING_OR_COMMENT.sub(lambda match: match[1] or " ", text.removeprefix("\ufeff"))
    try:
        value = json.loads(_STRING_OR_TRAILING_COMMA.sub(lambda match: match[1] or "", plain), strict=False)
    except (ValueError, RecursionError):
        return {}
    return mapping(value)


def strings(value: object) -> list[str]:
    """The strings in a list, or the one string that stands for a list."""
    return [
        item
        for item in ([value] if isinstance(value, str) else value if isinstance(value, list) else [])
        if isinstance(item, str)
    ]


def mapping(value: object) -> dict[str, Any]:
    """An object of JSON, an empty one where something else stands."""
    return value if isinstance(value, dict) else {}


def folder_of(path: str) -> str:
    """The folder that a file or folder is in."""
    return path.rpartition("/")[0]


def joined(folder: str, relative: str) -> str | None:
    """`relative` seen from `folder`; None outside of the workspace."""
    parts = folder.split("/") if folder else []
    for part in relative.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def folders_up(folder: str) -> list[str]:
    """`folder` and those around it, the workspace's root last."""
    found = [folder]
    while folder:
        folder = folder_of(folder)
        found.append(folder)
    return found
