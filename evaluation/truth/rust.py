"""Rust: definitions as rust-analyzer finds them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from repofill.evaluation.graph_truth.rust import Index, Span, indexed
from repofill.evaluation.truth import Definition, Owner, Place

_AROUND: dict[str, Owner] = {
    "struct": "class",
    "enum": "class",
    "union": "class",
    "trait": "class",
    "impl": "class",
    "fn": "function",
}
_OPENS = re.compile(r"\s*(?:pub(?:\([^)]*\))?\s+|unsafe\s+|async\s+|const\s+|default\s+)*(\w+)\b")


def resolve(root: Path, places: Sequence[Place]) -> list[tuple[Definition, ...]]:
    """What rust-analyzer's index leads to from a name. Modules are no definitions."""
    asked = {(place.path, place.line): [] for place in places}  # type: dict[tuple[str, int], list[int]]
    for number, place in enumerate(places):
        asked[place.path, place.line].append(number)
    found: list[set[Definition]] = [set() for _ in places]
    with indexed(root.resolve()) as index:
        lines: dict[str, list[str]] = {}
        for use, target in index.definitions():
            for number in asked.get((use.path, use.row), ()):
                if use.start == places[number].column:
                    found[number].update(_definition(index, lines, target))
    return [tuple(sorted(one, key=lambda definition: definition.place)) for one in found]


def _definition(index: Index, lines: dict[str, list[str]], target: Span) -> list[Definition]:
    """None for a module: its declaration, or the beginning of its file."""
    if target.path not in lines:
        lines[target.path] = (index.project / target.path).read_text("utf-8", "replace").split("\n")
    text = lines[target.path]
    line = text[target.row]
    name = line[target.start : target.end]
    if not re.fullmatch(r"\w+", name) or re.search(r"\bmod\s+$", line[: target.start]):
        return []
    place = Place(path=target.path, line=target.row, column=target.start)
    return [Definition(place=place, name=name, owner=_owner(text, target.row))]


def _owner(lines: Sequence[str], row: int) -> Owner:
    """By the nearest line before that is indented less: rustfmt's layout is nearly everybody's."""
    indent = _indent(lines[row])
    for line in reversed(lines[:row]):
        if line.strip() and _indent(line) < indent and (opened := _OPENS.match(line)) is not None:
            return _AROUND.get(opened[1], "module")
    return "module"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
