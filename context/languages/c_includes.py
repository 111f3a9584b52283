"""C and C++: from an `#include` to a file, as a compiler looks for it: beside the including file, then in the include
paths. Those are in a compilation database; without one, any folder from which the name leads to a file counts as one.

Format of the database: https://clang.llvm.org/docs/JSONCompilationDatabase.html
"""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from repofill.context.languages.support import Binding, Resolution
from repofill.context.languages.tree import FileTree
from repofill.context.outline import Import

_USUAL_ROOTS = ("include", "src", "")
_PATH_OPTIONS = ("-iquote", "-isystem", "-idirafter", "-I", "/I")
_HEADERS = """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
    stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype
    aio cpio dirent dlfcn fcntl fmtmsg fnmatch ftw glob grp iconv langinfo libgen mqueue ndbm netdb nl_types poll
    pthread pwd regex sched search semaphore spawn strings stropts syslog tar termios trace ulimit unistd utime
    utmpx wordexp alloca byteswap endian err error execinfo features getopt ifaddrs malloc memory mntent paths
    shadow stdio_ext sysexits values windows winsock2 io process direct intrin immintrin emmintrin
"""
_STANDARD = frozenset(_HEADERS.split())
"""Headers of C, POSIX and common systems: in angle brackets they are the system's unless an include path says
otherwise, or the project has them in a folder `include`."""
_SYSTEM_FOLDERS = frozenset({"sys", "netinet", "arpa", "net", "linux", "asm", "mach", "bits", "machine"})


def resolve(path: str, tree: FileTree) -> Resolution:
    """See `support.Support`. Headers outside of the workspace resolve to nothing."""
    interface = tree.surface(path)
    statements = interface.imports if interface is not None else ()
    found = (_file(path, statement, tree) for statement in statements)
    files = dict.fromkeys(file for file in found if file is not None and file != path)
    return Resolution(
        imports=frozenset(files), bindings=tuple(Binding(local="*", path=file, name="*") for file in files)
    )


def _file(path: str, statement: Import, tree: FileTree) -> str | None:
    name, folder = statement.module.replace("\\", "/"), posixpath.dirname(path)
    if statement.kind == "quote" and (beside := _normal(folder, name)) in tree:
        return beside
    paths = tree.ask(_include_paths, folder)
    for directory in paths:
        if (file := _normal(directory, name)) in tree:
            return file
    if statement.kind == "angle" and paths:
        return None
    if statement.kind == "angle" and _is_system(name):
        return tree.ask(_own, folder, name)
    return tree.ask(_anywhere, folder, name, statement.kind)


def _is_system(name: str) -> bool:
    stem, dot, _ = name.partition(".")
    return not dot or stem in _STANDARD or stem.partition("/")[0] in _SYSTEM_FOLDERS


def _own(tree: FileTree, folder: str, name: str) -> str | None:
    """The project's own header of a system's name: in the nearest folder `include` of those around `folder`, as in a
    kernel or a library of C."""
    end = f"include/{_normal('', name)}"
    tops = [
        f"/{file}".removesuffix(end) for file in tree.named(posixpath.basename(end)) if f"/{file}".endswith(f"/{end}")
    ]
    around = [top for top in tops if f"/{folder}/".startswith(top)]
    return f"{max(around, key=len)}{end}"[1:] if around else None


def _anywhere(tree: FileTree, folder: str, name: str, kind: str) -> str | None:
    """The file that `name` leads to from any folder: that which is nearest to `folder`. It is not beside the including
    file if it stands in angle brackets and there is another."""
    tail = _normal("", name)
    while tail.startswith("../"):
        tail = tail[3:]
    found = [file for file in tree.named(posixpath.basename(tail)) if file == tail or file.endswith(f"/{tail}")]
    beside = _normal(folder, tail) if kind == "angle" else None
    return min(found, key=lambda file: (file == beside, _distance(folder, file, tail)), default=None)


def _distance(folder: str, file: str, tail: str) -> tuple[int, int, int, str]:
    """The steps from `folder` to the folder that `tail` starts from; of equals a usual root first."""
    root = file[: len(file) - len(tail)].rstrip("/")
    shared = _shared(folder, root)
    last = posixpath.basename(root)
    usual = _USUAL_ROOTS.index(last) if last in _USUAL_ROOTS else len(_USUAL_ROOTS)
    return -shared, usual, root.count("/"), file


# Compilation databases


@dataclass(frozen=True, slots=True)
class _Unit:
    """One command of a database: the folder of its file and its include paths, both relative to the workspace."""

    folder: str
    paths: tuple[str, ...]


def _include_paths(tree: FileTree, folder: str) -> tuple[str, ...]:
    """The include paths of the file compiled nearest to `folder`, then those of all others."""
    units = [unit for file in tree.named("compile_commands.json") for unit in tree.ask(_units, file)]
    units.sort(key=lambda unit: -_shared(folder, unit.folder))
    return tuple(dict.fromkeys(path for unit in units for path in unit.paths))


def _units(tree: FileTree, database: str) -> tuple[_Unit, ...]:
    """The commands of a database, one for each set of folder and include paths; none of a broken one."""
    try:
        commands = [command for command in json.loads(tree.config(database) or "[]") if isinstance(command, dict)]
    except (ValueError, TypeError, RecursionError):
        return ()
    root = next((root for command in commands if (root := _root(_source(command), tree)) is not None), None)
    if root is None:
        return ()
    units = []
    for command in commands:
        paths = (_relative(root, _text(command, "directory"), path) for path in _paths(command))
        source = _relative(root, "", _source(command))
        if source is not None:
            units.append(_Unit(posixpath.dirname(source), tuple(path for path in paths if path is not None)))
    return tuple(dict.fromkeys(units))


def _root(source: str, tree: FileTree) -> str | None:
    """Where the workspace was when `source` of it was compiled: what stands ahead of its longest end that exists."""
    parts = source.split("/")
    for count in range(len(parts)):
        if "/".join(parts[count:]) in tree:
            return "/".join(parts[:count])
    return None


def _source(command: dict[str, Any]) -> str:
    return _normal(_text(command, "directory"), _text(command, "file"))


def _paths(command: dict[str, Any]) -> Iterator[str]:
    """The directories of -I and its kin, those for quotes first."""
    arguments = command.get("arguments")
    if not isinstance(arguments, list):
        arguments = _words(_text(command, "command"))
    words = [str(word) for word in arguments]
    found: dict[str, list[str]] = {option: [] for option in _PATH_OPTIONS}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option = next((option for option in _PATH_OPTIONS if word.startswith(option)), None)
        if option is not None:
            found[option].append(word[len(option) :].removeprefix("=") or following)
    for option in ("-iquote", "-I", "/I", "-isystem", "-idirafter"):
        yield from found[option]


def _words(command: str) -> Iterable[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _relative(root: str, directory: str, path: str) -> str | None:
    """A path of the database relative to the workspace; None outside of it."""
    whole = _normal(directory, path)
    if whole == root:
        return ""
    return whole[len(root) + 1 :] if whole.startswith(f"{root}/") else None


def _text(command: dict[str, Any], key: str) -> str:
    value = command.get(key)
    return value.replace("\\", "/") if isinstance(value, str) else ""


def _normal(folder: str, name: str) -> str:
    """`name` as seen from `folder`, without dots; "" for the root."""
    joined = posixpath.normpath(posixpath.join(folder, name))
    return "" if joined == "." else joined


def _shared(one: str, other: str) -> int:
    """Leading directories in common."""
    count = 0
    for a, b in zip(one.split("/"), other.split("/"), strict=False):
        if a != b or not a:
            break
        count += 1
    return count
