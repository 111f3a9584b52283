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

Reach = Literal["import", "name", "attribute", "inherited", "member", "key", "parameter"]
"""How the code reaches a definition: within an import statement; by a bare name; as an attribute of a module, package
or class; as a member of the object itself, or of another one; as the key of a literal; as an argument's name."""

_REVISION = 2
"""Of the truth that is kept: grows with every change of what the resolvers return."""
_BATCH = 800
"""Holes looked at before the next is worth starting a resolver for."""
_MOST_PER_CASE = 40

_WORD = re.compile(r"[^\W\d]\w*")
_RECEIVER = re.compile(r"(\w*)[)\]]*\s*[!?]?(?:\.|->|::)\s*$")
_IMPORT = re.compile(
    r"\s*(?:(?:pub(?:\([^)]*\))?\s+)?(?:from|import|use|using|#\s*include)\b|export\s+(?:type\s+)?[{*])"
    r"|.*\brequire(?:_relative)?\s*[('\"]"
)
_KEY = re.compile(r"\s*(?::(?!:)|=(?!=))")
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
class _KeptUse:
    """`column` is that of the name, which may begin before the hole."""

    column: int
    definitions: tuple[Definition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeptCase:
    path: str
    line: int
    column: int
    uses: tuple[_KeptUse, ...]


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
        holes = islice(cut(texts, seed), kept.examined, kept.examined + _BATCH)
        known = {(case.path, case.line, case.column) for case in kept.cases}
        new = _resolved(root, texts, resolve, list(dict.fromkeys(holes)))
        kept.cases += [case for case in new if (case.path, case.line, case.column) not in known]
        kept.examined += _BATCH
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


def _resolved(root: Path, texts: Mapping[str, str], resolve: Resolve, holes: Sequence[Hole]) -> Iterator[_KeptCase]:
    """Those of the holes that use names of other files."""
    places: dict[Place, None] = {}
    lines = {path: texts[path].split("\n") for path in sorted({hole.path for hole in holes})}
    words = []
    for hole in holes:
        line, column = hole.text.count("\n", 0, hole.offset), hole.offset - hole.text.rfind("\n", 0, hole.offset) - 1
        found = [match for match in _WORD.finditer(lines[hole.path][line]) if match.end() > column]
        named = [Place(path=hole.path, line=line, column=match.start()) for match in found]
        words.append((column, named))
        places.update(dict.fromkeys(named))
    definitions = dict(zip(places, resolve(root, list(places)), strict=True))
    for column, named in words:
        uses = tuple(
            _KeptUse(column=place.column, definitions=definitions[place])
            for place in named
            if definitions[place] and all(definition.place.path != place.path for definition in definitions[place])
        )
        if uses:
            yield _KeptCase(path=named[0].path, line=named[0].line, column=column, uses=uses)


def _case(text: str, kept: _KeptCase) -> Case:
    lines = text.split("\n")
    line = lines[kept.line]
    start = sum(len(line) + 1 for line in lines[: kept.line])
    offset = start + kept.column
    return Case(
        hole=Hole(
            path=kept.path,
            text=text[:offset] + text[start + len(line) :],
            offset=offset,
            target=line[kept.column :].rstrip(),
        ),
        line=kept.line,
        column=kept.column,
        uses=tuple(_use(lines, kept.line, use) for use in kept.uses),
    )


def _use(lines: Sequence[str], number: int, use: _KeptUse) -> Use:
    name = _WORD.match(lines[number], use.column)
    reach = _reach(
        lines, number, lines[number][: use.column], lines[number][name.end() if name else 0 :], use.definitions
    )
    return Use(name=name[0] if name else "", reach=reach, definitions=use.definitions)


def _reach(lines: Sequence[str], number: int, before: str, after: str, definitions: Sequence[Definition]) -> Reach:
    owners = {definition.owner for definition in definitions}
    if "parameter" in owners:
        return "parameter"
    if _in_import(lines, number):
        return "import"
    receiver = _RECEIVER.search(before)
    if receiver is None and owners == {"class"}:
        return "key" if _KEY.match(after) or before.endswith(".") else "inherited"
    if receiver is None:
        return "name"
    if "module" in owners:
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
