"""The files of a workspace as resolvers see them: facts to ask for and memoised queries over them.

Incremental equals fresh, by construction: every fact that a query reads is recorded, and a fact that changes drops
exactly the answers that were based on it, directly or through other queries (the idea of "Build Systems à la Carte",
Mokhov et al. 2018). A resolver is written as plain functions of a tree; nobody else needs to know what to redo when.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar, TypeVarTuple

from msgspec.structs import replace

from repofill.context.outline import Interface, unpack_declared, unpack_interface

_Arguments = TypeVarTuple("_Arguments")
_Answer = TypeVar("_Answer")
_Query = tuple[Callable[..., Any], tuple[Any, ...]]
_Fact = tuple[str, str]
_UNKNOWN: Any = object()


class FileTree:
    """Source files with their interfaces, configuration files with their texts. Paths are relative to the workspace,
    with forward slashes; "" is the root. One thread at a time.

    A query is a function of a tree and hashable arguments that asks nothing but the tree; it may ask other queries, but
    never, not even through others, itself with the same arguments: follow chains of files with a loop and a set of
    those seen.
    """

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}  # interfaces: as values they would take most of the memory there is
        self._configs: dict[str, str] = {}
        self._entries: dict[str, list[str]] = {"": []}  # of each directory: what is directly in it, "name/" a directory
        self._named: dict[str, list[str]] = {}
        self._scopes: dict[tuple[str, str], list[str]] = {}
        self._answers: dict[_Query, Any] = {}
        self._readers: dict[Hashable, _Query | set[_Query]] = {}
        self._reading: list[set[Hashable]] = []

    # Facts

    def __contains__(self, path: str) -> bool:
        """Whether there is such a source file."""
        self._read(("file", path))
        return path in self._packed

    def interface(self, path: str) -> Interface | None:
        """The interface of a source file."""
        self._read(("interface", path))
        return self._interface(path)

    def surface(self, path: str) -> Interface | None:
        """The interface without its references: what other files build on, which changes less often than a file does
        under the user's hands."""
        self._read(("surface", path))
        return _surface(self._interface(path))

    def _interface(self, path: str) -> Interface | None:
        packed = self._packed.get(path)
        return None if packed is None else unpack_interface(packed)

    def is_directory(self, path: str) -> bool:
        """Whether any source or configuration file is in or below `path`."""
        self._read(("directory", path))
        return path in self._entries

    def entries(self, directory: str) -> tuple[str, ...]:
        """Names of source files, configuration files and, with a "/" at the end, directories directly in
        `directory`, sorted."""
        self._read(("entries", directory))
        return tuple(self._entries.get(directory, ()))

    def named(self, name: str) -> tuple[str, ...]:
        """Paths of source and configuration files with this last component, anywhere, sorted; with a "/" at its end,
        those of directories."""
        self._read(("named", name))
        return tuple(self._named.get(name, ()))

    def in_scope(self, language: str, scope: str) -> tuple[str, ...]:
        """Paths of the files of a language whose interface declares this scope, alone or among others, sorted."""
        self._read(("scope", f"{language} {scope}"))
        return tuple(self._scopes.get((language, scope), ()))

    def config(self, path: str) -> str | None:
        """The text of a configuration file."""
        self._read(("config", path))
        return self._configs.get(path)

    @property
    def configs(self) -> frozenset[str]:
        """Their paths, for the one who keeps it up; no fact to build on."""
        return frozenset(self._configs)

    # Queries

    def ask(self, query: Callable[[FileTree, *_Arguments], _Answer], *arguments: *_Arguments) -> _Answer:
        """`query(tree, *arguments)`, computed once for as long as what it is based on stays the same."""
        key: _Query = (query, arguments)
        self._read(key)
        answer: _Answer = self._answers.get(key, _UNKNOWN)
        if answer is _UNKNOWN:
            self._reading.append(set())
            try:
                answer = self._answers[key] = query(self, *arguments)
            finally:
                self._add_reader(self._reading.pop(), key)
        return answer

    def _add_reader(self, facts: Iterable[Hashable], query: _Query) -> None:
        """Most facts are read by one query alone, which needs no set around it."""
        for fact in facts:
            readers = self._readers.setdefault(fact, query)
            if isinstance(readers, set):
                readers.add(query)
            elif readers != query:
                self._readers[fact] = {readers, query}

    def _read(self, fact: Hashable) -> None:
        if self._reading:
            self._reading[-1].add(fact)

    # Changes

    def update(self, interfaces: Mapping[str, bytes | None], configs: Mapping[str, str | None]) -> set[_Query]:
        """Take over what is new or changed, interfaces packed; None removes a file. Returns the queries whose answers
        were dropped."""
        facts: set[_Fact] = set()
        for path, packed in interfaces.items():
            facts |= self._change_interface(path, packed)
        for path, text in configs.items():
            if text != self._configs.get(path):
                facts.add(("config", path))
                if _set_or_remove(self._configs, path, text):
                    facts |= self._change_place(path, text is not None)
        return self._drop(facts)

    def _change_interface(self, path: str, packed: bytes | None) -> set[_Fact]:
        before = self._packed.get(path)
        facts: set[_Fact] = {("interface", path), ("surface", path)}
        if packed is not None and before is not None:
            interface, replaced = unpack_interface(packed), unpack_interface(before)
            if interface == replaced:
                return set()
            if _surface(interface) == _surface(replaced):
                facts.remove(("surface", path))
        elif packed is before:
            return set()
        if _set_or_remove(self._packed, path, packed):
            facts |= {("file", path), *self._change_place(path, packed is not None)}
        before_in, now_in = _scopes(before), _scopes(packed)
        for key in before_in ^ now_in:
            _insert_or_remove(self._scopes, key, path, key in now_in)
            facts.add(("scope", " ".join(key)))
        return facts

    def _change_place(self, path: str, present: bool) -> set[_Fact]:
        """A file came or went; a directory is there for as long as anything is in it."""
        folder, _, name = path.rpartition("/")
        facts = {("named", name)}
        _insert_or_remove(self._named, name, path, present)
        while True:
            facts.add(("entries", folder))
            was_there = folder in self._entries
            _insert_or_remove(self._entries, folder, name, present)
            self._entries.setdefault("", [])
            if was_there == (folder in self._entries):
                return facts
            last = folder.rpartition("/")[2]
            _insert_or_remove(self._named, f"{last}/", folder, present)
            facts |= {("directory", folder), ("named", f"{last}/")}
            folder, name = folder.rpartition("/")[0], f"{last}/"

    def _drop(self, facts: Iterable[Hashable]) -> set[_Query]:
        dropped: set[_Query] = set()
        waiting = list(facts)
        while waiting:
            readers = self._readers.pop(waiting.pop(), set())
            for query in readers if isinstance(readers, set) else (readers,):
                if query in self._answers:
                    del self._answers[query]
                    dropped.add(query)
                    waiting.append(query)
        return dropped


_Value = TypeVar("_Value")
_Key = TypeVar("_Key")


def _set_or_remove(values: dict[str, _Value], path: str, value: _Value | None) -> bool:
    """Whether `path` came or went."""
    was_there = path in values
    if value is None:
        values.pop(path, None)
    else:
        values[path] = value
    return was_there != (value is not None)


def _insert_or_remove(lists: dict[_Key, list[str]], key: _Key, name: str, present: bool) -> None:
    """Keep a sorted list of names under `key`; none when it is empty."""
    names = lists.setdefault(key, [])
    at = bisect_left(names, name)
    if present:
        if names[at : at + 1] != [name]:
            insort(names, name)
    elif names[at : at + 1] == [name]:
        del names[at]
    if not names:
        del lists[key]


def _surface(interface: Interface | None) -> Interface | None:
    if interface is None or not interface.references:
        return interface
    return replace(interface, references=frozenset())


def _scopes(packed: bytes | None) -> set[tuple[str, str]]:
    if packed is None:
        return set()
    declared = unpack_declared(packed)
    return {(declared.language, scope) for scope in declared.scope.split()}
