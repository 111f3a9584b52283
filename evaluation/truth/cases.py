"""Holes whose removed text uses names that other files define, with those definitions. Finding them takes minutes, so
they are kept in the user's cache directory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

import platformdirs
from cattrs.preconf.json import make_converter

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.holes import Hole, cut
from repofill.evaluation.truth import Definition, Place, Resolve

Reach = Literal["import", "name", "attribute", "inherited", "member", "parameter"]
"""How the code reaches a definition: within an import statement; by a bare name; as an attribute of a module or
namespace; as a member of the object itself, or of another one; as an argument's name."""

_REVISION = 1
"""Of the truth that is kept: grows with every change of what the resolvers return."""
_PER_CASE = 4
"""Holes looked at for each case that is still wanted, at most `_BATCH` at a time."""
_BATCH = 400
_MOST_PER_CASE = 40

_WORD = re.compile(r"[^\W\d]\w*")
_RECEIVER = re.compile(r"(\w*)[)\]]*\s*[!?]?(?:\.|->|::)\s*$")
_IMPORT = re.compile(r"\s*(?:from|import|export|use|using|require\w*|#\s*include)\b")
_NAMES_ALONE = re.compile(r"[\s\w,.*]*(?:(?:#|//).*)?$")
_ITSELF = ("self", "cls", "this", "super")

_converter = make_converter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A name in the removed text, wholly or by its end, and its definitions, all of them in other files; more than one
    where the resolver cannot tell, or for overloads."""

    name: str
    reach: Reach
    definitions: tuple[Definition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A hole in finished code with the uses in its removed text, at least one. `line` and `column` count from 0."""

    hole: Hole
    line: int
    column: int
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeptCase:
    path: str
    line: int
    column: int
    uses: tuple[Use, ...]


@dataclass(slots=True, kw_only=True)
class _Kept:
    """The cases among the first `examined` holes."""

    examined: int = 0
    cases: list[_KeptCase] = field(default_factory=list)


def cases(name: str, root: Path, suffixes: Sequence[str], resolve: Resolve, count: int, seed: int = 1) -> list[Case]:
    """`count` cases of the package `name` in the folder `root`, fewer where it has not so many, the same for the same
    seed. What is in the cache is continued where it is not enough. Raises `BenchmarkError`."""
    texts = dict(_texts(root, suffixes))
    file = platformdirs.user_cache_path("repofill") / "truth" / f"{name}-{seed}-{_REVISION}.json"
    kept = _converter.loads(file.read_text("utf-8"), _Kept) if file.is_file() else _Kept()
    while len(kept.cases) < count and kept.examined < _MOST_PER_CASE * count:
        batch = min(_PER_CASE * (count - len(kept.cases)), _BATCH)
        holes = islice(cut(texts, seed), kept.examined, kept.examined + batch)
        known = {(case.path, case.line, case.column) for case in kept.cases}
        kept.cases += [
            _KeptCase(path=case.hole.path, line=case.line, column=case.column, uses=case.uses)
            for case in _resolved(root, texts, resolve, list(dict.fromkeys(holes)))
            if (case.hole.path, case.line, case.column) not in known
        ]
        kept.examined += batch
        _write(file, kept)
    if not kept.cases:
        raise BenchmarkError(f"no name in {root} leads to another of its files")
    return [_case(texts[kept_case.path], kept_case) for kept_case in kept.cases[:count]]


def _write(file: Path, kept: _Kept) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(_converter.dumps(kept), "utf-8")
    part.replace(file)


def _texts(root: Path, suffixes: Sequence[str]) -> Iterator[tuple[str, str]]:
    for file in sorted(root.rglob("*")):
        if file.suffix in suffixes and file.is_file() and not file.is_symlink():
            yield file.relative_to(root).as_posix(), file.read_text("utf-8", "replace").replace("\r\n", "\n")


def _resolved(root: Path, texts: Mapping[str, str], resolve: Resolve, holes: Sequence[Hole]) -> Iterator[Case]:
    """Those of the holes that use names of other files."""
    places: dict[Place, None] = {}
    lines = {path: texts[path].split("\n") for path in sorted({hole.path for hole in holes})}
    words = []
    for hole in holes:
        line, column = hole.text.count("\n", 0, hole.offset), hole.offset - hole.text.rfind("\n", 0, hole.offset) - 1
        found = [match for match in _WORD.finditer(lines[hole.path][line]) if match.end() > column]
        named = [(match[0], Place(path=hole.path, line=line, column=match.start())) for match in found]
        words.append((line, column, named))
        places.update(dict.fromkeys(place for _, place in named))
    definitions = dict(zip(places, resolve(root, list(places)), strict=True))
    for hole, (line, column, named) in zip(holes, words, strict=True):
        uses = tuple(
            Use(name=name, reach=_reach(lines[hole.path], place, definitions[place]), definitions=definitions[place])
            for name, place in named
            if definitions[place] and all(d.place.path != hole.path for d in definitions[place])
        )
        if uses:
            yield Case(hole=hole, line=line, column=column, uses=uses)


def _reach(lines: Sequence[str], place: Place, definitions: Sequence[Definition]) -> Reach:
    if any(definition.owner == "parameter" for definition in definitions):
        return "parameter"
    if _in_import(lines, place.line):
        return "import"
    receiver = _RECEIVER.search(lines[place.line][: place.column])
    if receiver is None:
        return "name"
    if any(definition.owner == "module" for definition in definitions):
        return "attribute"
    return "inherited" if receiver[1] in _ITSELF else "member"


def _in_import(lines: Sequence[str], number: int) -> bool:
    """Whether a line belongs to an import, which may list its names on lines of their own."""
    if _IMPORT.match(lines[number]):
        return True
    while number > 0 and _NAMES_ALONE.match(lines[number]):
        number -= 1
        if _IMPORT.match(lines[number]):
            return lines[number].rstrip().endswith(("(", "{"))
    return False


def _case(text: str, kept: _KeptCase) -> Case:
    start = sum(len(line) + 1 for line in text.split("\n")[: kept.line])
    end = text.find("\n", start)
    offset = start + kept.column
    hole = Hole(path=kept.path, text=text[:offset] + text[end:], offset=offset, target=text[offset:end].rstrip())
    return Case(hole=hole, line=kept.line, column=kept.column, uses=kept.uses)
