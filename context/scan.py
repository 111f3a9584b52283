"""Which files of a workspace count, and reading them. Called by `context.index`, `context.watch` and training.

Honours nested `.gitignore` and `.repofillignore` files and those of the repository around the workspace, never follows
a link out of it, and never touches a file that is known to hold secrets.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Container, Iterator
from fnmatch import translate
from pathlib import Path

from repofill.context.ignore import IgnorePatterns
from repofill.context.languages import CONFIG_NAMES, language_of
from repofill.context.quality import passes_filter

MAX_BYTES = 1 << 20
"""Larger files are data, not source."""

IGNORE_FILES = (".gitignore", ".repofillignore")
"""In one directory the later file's patterns override the earlier's."""

_SKIPPED = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        ".jj",
        "CVS",
        "node_modules",
        "bower_components",
        "site-packages",
        "__pycache__",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".hypothesis",
        ".tox",
        ".nox",
        ".venv",
        ".eggs",
        ".idea",
        ".vscode",
        ".gradle",
        ".terraform",
        "_vendor",
        "vendored",
        "third_party",
    ]
)
_VENDOR = "vendor"
_PSEUDO = frozenset({"proc", "sys", "dev", "run"})
"""Not files at all, in a workspace that is the whole disk."""

_SECRET_NAMES = [
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.p8",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.asc",
    "*.gpg",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "credentials",
    "credentials.*",
    "credentials-*",
    ".credentials*",
    "*credentials.json",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".pgpass",
    ".my.cnf",
    ".git-credentials",
    ".dockercfg",
    "secret.*",
    "secrets.*",
    ".secrets*",
    "*.secret",
    "*.secrets",
    "*.tfvars",
    "*.tfstate",
    "*.tfstate.backup",
]
_SECRET_NAME = re.compile("|".join(map(translate, _SECRET_NAMES)))
_CODE_NAME = re.compile(
    r"(?:secret|credentials)\.(?:java|cs|go|rs)|secrets\.(?:go|rs)"
    r"|(?:secrets?|credentials)[.-](?:[\w.-]+[.-])?(?:actions?|adapter|api|cache|chain|client|command|component|context"
    r"|controller|d|dialog|dto|entity|errors?|factory|form|guard|handler|helpers?|hooks?|interfaces?|list|loader|manager"
    r"|middleware|modal|model|module|page|parser|plugin|process|providers?|repository|resolver|routes?|schema|service"
    r"|slice|spec|storage|store|test|types?|utils?|validator|view)\.(?:[cm]?[jt]sx?|php|py|rb)"
)
"""Where such a name is that of a type, or of a program's part, which nobody keeps secrets in."""
_SECRET_FOLDERS = frozenset({".ssh", ".aws", ".gnupg", ".kube", ".azure", ".docker"})
_GENERATED_NAMES = ("*.min.js", "*.min.css", "*.bundle.js", "*_pb2.py", "*_pb2_grpc.py", "*_pb2.pyi", "*.pb.go")
_GENERATED_NAME = re.compile("|".join(map(translate, _GENERATED_NAMES)))
_GENERATED = re.compile(
    r"^\W*(@generated|(code|this file)( is| was)?( automatically| auto)?[ -]?generated|(auto-?)?generated (by|from))\b"
    r"|\bdo not edit\b",
    re.IGNORECASE,
)
_MARKER_LINES = 24
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def is_secret(path: str) -> bool:
    """Whether a file of this name, or in a folder of this name, is known to hold secrets."""
    *folders, name = path.lower().split("/")
    by_name = _SECRET_NAME.match(name) is not None and _CODE_NAME.fullmatch(name) is None
    return by_name or not _SECRET_FOLDERS.isdisjoint(folders)


class IgnoreRules:
    """What a workspace leaves out, as git reads its ignore files and those of the repository around it: the deepest
    file decides, and nothing inside an ignored directory comes back. Reads each ignore file once; make a new object
    when one changes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._top = _top(root)
        self._down = "".join(f"{name}/" for name in root.relative_to(self._top).parts)
        self._patterns: dict[str, list[tuple[int, IgnorePatterns]]] = {}
        self._directories: dict[str, bool] = {"": False}

    def ignores(self, path: str, is_dir: bool = False) -> bool:
        """Whether `path`, or a directory above it, is ignored."""
        if is_dir:
            return self._ignores_directory(path)
        return self._ignores_directory(path.rpartition("/")[0]) or self._matches(path, is_dir=False)

    def _ignores_directory(self, path: str) -> bool:
        known = path
        while known not in self._directories:
            known = known.rpartition("/")[0]
        ignored = self._directories[known]
        for name in path[len(known) :].strip("/").split("/") if path != known else ():
            known = f"{known}/{name}" if known else name
            ignored = ignored or self._is_foreign(known, name) or self._matches(known, is_dir=True)
            self._directories[known] = ignored
        return ignored

    def _is_foreign(self, path: str, name: str) -> bool:
        """Version control, caches, installed or copied-in third-party code."""
        if name in _SKIPPED or path == _VENDOR or os.path.isfile(os.path.join(self._root, path, "pyvenv.cfg")):
            return True
        return path in _PSEUDO and self._root == Path(self._root.anchor)

    def _matches(self, path: str, is_dir: bool) -> bool:
        path = self._down + path
        for start, patterns in self._patterns_for(path.rpartition("/")[0]):
            ignored = patterns.decide(path[start:], is_dir)
            if ignored is not None:
                return ignored
        return False

    def _patterns_for(self, folder: str) -> list[tuple[int, IgnorePatterns]]:
        """What decides about the paths in a folder, the deepest first; each sees of them what begins there."""
        waiting = [folder]
        while waiting[-1] and waiting[-1] not in self._patterns:
            waiting.append(waiting[-1].rpartition("/")[0])
        found: list[tuple[int, IgnorePatterns]] = []
        for at in reversed(waiting):
            if at not in self._patterns:
                names = IGNORE_FILES if at else (".git/info/exclude", *IGNORE_FILES)
                own = IgnorePatterns("\n".join(_text(os.path.join(self._top, at, name)) for name in names))
                self._patterns[at] = [(len(at) + bool(at), own), *found] if own else found
            found = self._patterns[at]
        return found


def _top(root: Path) -> Path:
    """The top of the repository that a workspace is a part of; the workspace itself where that ignores it."""
    top = next((folder for folder in (root, *root.parents) if os.path.exists(folder / ".git")), root)
    ignored = top != root and IgnoreRules(top).ignores(root.relative_to(top).as_posix(), is_dir=True)
    return root if ignored else top


def scan(root: Path, under: str = "", without: Container[str] = ()) -> Iterator[str]:
    """Paths of the source and configuration files below `root / under`, lazily and in a fixed order, those in the
    fewest folders first: what many others need is mostly not the deepest, where there are too many. Unreadable
    directories, links to directories and the folders in `without` are skipped."""
    rules = IgnoreRules(root)
    if under and (rules.ignores(under, is_dir=True) or _through_link(root, under)):
        return
    waiting = deque([under])
    while waiting:
        folder = waiting.popleft()
        files, folders = _entries(root, folder)
        yield from (path for path in files if not rules.ignores(path))
        waiting += [path for path in folders if path not in without and not rules.ignores(path, is_dir=True)]


def read_source(root: Path, path: str) -> str | None:
    """The text of a source file, or None when it does not count."""
    text = read_text(root, path)
    return text if text is not None and counts(path, text) else None


def read_text(root: Path, path: str) -> str | None:
    """The text of a source file, whatever it is; None without one: of no known language, secret, outside of the
    workspace, a link to another source file, over MAX_BYTES, or not UTF-8."""
    if not is_source(path):
        return None
    try:
        file = root / path
        target = file.resolve()
        real = target.relative_to(root.resolve()).as_posix()
        if is_secret(target.as_posix()) or (real != path and is_source(real)):
            return None
        if not file.is_file() or file.stat().st_size > MAX_BYTES:
            return None
        return file.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError, RuntimeError):  # not UTF-8 and not within `root` are ValueErrors, a loop of links is
        # a RuntimeError
        return None


def counts(path: str, text: str) -> bool:
    """Whether a text is source that somebody wrote: not binary, generated, minified, or rejected by the training
    filter."""
    return "\0" not in text and not _is_generated(text) and (not text.strip() or passes_filter(path, text))


def is_source(path: str) -> bool:
    """Whether the name alone makes it a source file: of a known language, neither secret nor generated, and fit for a
    path comment."""
    name = path.rpartition("/")[2].lower()
    return (
        language_of(path) is not None
        and not is_secret(path)
        and _GENERATED_NAME.match(name) is None
        and _UNPRINTABLE.search(path) is None
    )


def is_config(path: str) -> bool:
    """Whether it is, by its name, a configuration file that the way from an import to a file depends on."""
    name = path.rpartition("/")[2]
    return CONFIG_NAMES.fullmatch(name) is not None and not is_secret(path) and _UNPRINTABLE.search(path) is None


def read_config(root: Path, path: str) -> str | None:
    """The text of a configuration file, None when it cannot be read or is too large."""
    try:
        file = root / path
        file.resolve().relative_to(root.resolve())
        if not file.is_file() or file.stat().st_size > MAX_BYTES:
            return None
        return file.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError, RuntimeError):
        return None


def _entries(root: Path, folder: str) -> tuple[list[str], list[str]]:
    """Source files and folders directly in `folder`, sorted by name; links to folders are left out."""
    files, folders = [], []
    try:
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif (is_source(path) or is_config(path)) and _is_file(entry):
                    files.append(path)
    except OSError:
        return [], []
    return sorted(files), sorted(folders)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Also behind a link; no loop of links is."""
    return entry.is_file(follow_symlinks=False) or os.path.isfile(entry)


def _through_link(root: Path, folder: str) -> bool:
    return os.path.realpath(root / folder) != os.path.join(os.path.realpath(root), *folder.split("/"))


def _is_generated(text: str) -> bool:
    """A marker in a comment of the first lines; prose and strings further down may speak of generating."""
    for line in text.split("\n", _MARKER_LINES)[:_MARKER_LINES]:
        stripped = line.strip()
        if stripped.startswith(("#", "//", "/*", "*", "--", "<!--")) and _GENERATED.search(stripped):
            return True
    return False


def _text(ignore_file: str) -> str:
    """Bytes that are not UTF-8 become what Python makes of them in the names of files."""
    if not os.path.isfile(ignore_file):  # opening a pipe would wait forever
        return ""
    try:
        content = Path(ignore_file).read_bytes()
    except OSError:
        return ""
    return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
