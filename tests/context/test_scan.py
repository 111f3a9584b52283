"""Which files count: ignore files as git reads them, and nothing that is secret, outside, binary or not written by
hand."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from repofill.context.ignore import IgnorePatterns
from repofill.context.scan import MAX_BYTES, IgnoreRules, is_secret, is_source, read_source, scan


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))


# What Python opens and lists while a test looks; a hook of the interpreter, so nothing can read past it.
_events: list[tuple[str, str]] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _events is not None and event in ("open", "os.scandir"):
        _events.append((event, str(arguments[0])))


sys.addaudithook(_note)


@contextmanager
def watched() -> Iterator[list[tuple[str, str]]]:
    """The files opened and folders listed meanwhile, as (audit event, path)."""
    global _events
    events: list[tuple[str, str]] = []
    _events = events
    try:
        yield events
    finally:
        _events = None


# Ignore files

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="compares with git itself")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    git(root, ["init", "--quiet"])
    return root


def git(root: Path, arguments: Sequence[str], given: str = "") -> str:
    """Git's answer, whatever the user's own settings are."""
    quiet = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", "-c", f"core.excludesFile={os.devnull}", *arguments]
    done = subprocess.run(command, cwd=root, input=given, capture_output=True, text=True, env={**os.environ, **quiet})
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


NAMES = st.sampled_from(["a", "b", "ab", "abab", "a.py", "b.py", "x y", "[a]"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
GLOBS = (
    r"a|b|*a*b*|*a*b|a*?b*[ab]|*|**|***|?|a*|*.py|?.py|*b|x y|x\ y|"
    r"[ab]|[!a]*|[a-c]?|[a-]*|[[:alpha:]]|[]a]|[z-a]|[a|\[a\]|\a|a\|#a|\!a"
)
PATTERNS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(st.sampled_from(GLOBS.split("|")), min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "", "", "/", "/*", "/**", "/**/", "//", " ", "\\ ", "\r"]),
)
IGNORES = st.dictionaries(st.just("") | PATHS, st.lists(PATTERNS, min_size=1, max_size=4), min_size=1, max_size=3)


@needs_git
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(PATHS, min_size=4, max_size=16), ignores=IGNORES)
@example(files=["a/b.py", "a/keep.py", "a/b/c.py"], ignores={"": ["a/**", "!a/keep.py"]})
@example(files=["a.py", "b", "a/a.py", "a/b"], ignores={"": ["*", "!*/", "!*.py"]})
@example(files=["a.py", "a/a.py", "b/a.py", "b/a/a.py"], ignores={"": ["/*", "!/b/"], "b": ["a"]})
@example(files=["a/a.py", "a/b.py"], ignores={"": ["a/"], "a": ["!a.py"]})
@example(files=["a/b", "a/b.py"], ignores={"": ["a[!x]b*"]})
@example(files=["a.py", "b/a.py", "b/b/a.py"], ignores={"": ["***/b/***/a.py", "!/***/a.py"], "b": ["b/***"]})
@example(files=["a.py", "b.py"], ignores={"": ["\ufeffa.py", "b.py  "]})
@example(files=["x\x0by.py", "y.py", "é.py"], ignores={"": ["x\x0by.py", "é.py\r"]})
def test_ignore_files_are_read_as_git_reads_them(
    repository: Path, files: list[str], ignores: dict[str, list[str]]
) -> None:
    """In any tree with any ignore files, for every file and directory; in a part of it, too, unless it is ignored."""
    root = Path(tempfile.mkdtemp(dir=repository))
    for name in files:
        _put(root / name, "")
    for folder, patterns in ignores.items():
        _put(root / folder / ".gitignore", "\n".join(patterns))
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
    ignored = set(git(root, ["check-ignore", "--stdin", "-z"], "\0".join(paths)).split("\0"))
    rules = IgnoreRules(root)
    assert {path for path in paths if rules.ignores(path, (root / path).is_dir())} == ignored - {""}
    for part in (path for path in paths if (root / path).is_dir() and path not in ignored):
        sources = {path for path in paths if path.startswith(f"{part}/") and is_source(path)} - ignored
        assert {f"{part}/{path}" for path in scan(root / part)} == {path for path in sources if (root / path).is_file()}
    assert set(scan(root)) == {path for path in paths if is_source(path) and (root / path).is_file()} - ignored


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("*a*a*a*a*a*a*a*a*b", "a" * 120), ("**/a/" * 9 + "b", "a/" * 120 + "c"), ("*a?*" * 9 + "b", "a" * 200)],
)
def test_no_pattern_takes_forever(pattern: str, path: str) -> None:
    """Each of these takes a naive translation hours."""
    assert IgnorePatterns(pattern).decide(path, is_dir=False) is None


def _put(file: Path, text: str) -> None:
    """Unless a directory is in its place, or a file in that of its directory."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8", newline="")
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        pass


@pytest.mark.parametrize(
    ("ignore_files", "left"),
    [
        ({}, "a.py b.py sub/a.py sub/b.py"),
        ({".repofillignore": "a.py"}, "b.py sub/b.py"),
        ({".repofillignore": "/a.py"}, "b.py sub/a.py sub/b.py"),
        # in one directory it overrides git's, and a deeper ignore file of either kind overrides both
        ({".gitignore": "*.py", ".repofillignore": "!a.py"}, "a.py sub/a.py"),
        ({".gitignore": "!a.py", ".repofillignore": "a.py"}, "b.py sub/b.py"),
        ({".repofillignore": "a.py", "sub/.gitignore": "!a.py"}, "b.py sub/a.py sub/b.py"),
        ({".repofillignore": "sub", "sub/.repofillignore": "!*"}, "a.py b.py"),
        ({".git/info/exclude": "a.py"}, "b.py sub/b.py"),
        ({".git/info/exclude": "a.py", ".gitignore": "!/a.py"}, "a.py b.py sub/b.py"),
        ({".gitignore": b"\xff\xfe\n\x00\n[\n\\\n!\n/\na.py"}, "b.py sub/b.py"),
        ({".gitignore/folder": "a.py"}, "a.py b.py sub/a.py sub/b.py"),
    ],
)
def test_ignore_files_of_our_own(tmp_path: Path, ignore_files: dict[str, str | bytes], left: str) -> None:
    """Like git's, on top of them."""
    write(tmp_path, {**dict.fromkeys(["a.py", "b.py", "sub/a.py", "sub/b.py"], ""), **ignore_files})
    assert list(scan(tmp_path)) == left.split()


@pytest.mark.parametrize(
    ("ignore_files", "left"),
    [
        ({".git/HEAD": "", ".gitignore": "b.py", "part/.gitignore": "!/sub/b.py"}, "a.py sub/a.py sub/b.py"),
        ({".git/HEAD": "", ".git/info/exclude": "/part/sub/"}, "a.py b.py"),
        ({".git": "gitdir: elsewhere", ".repofillignore": "b.py"}, "a.py sub/a.py"),
        # it is a repository itself, ignored as a whole, or in none
        ({".git/HEAD": "", ".gitignore": "b.py", "part/.git/HEAD": ""}, "a.py b.py sub/a.py sub/b.py"),
        ({".git/HEAD": "", ".gitignore": "*"}, "a.py b.py sub/a.py sub/b.py"),
        ({".gitignore": "b.py"}, "a.py b.py sub/a.py sub/b.py"),
    ],
)
def test_ignore_files_around_the_workspace(tmp_path: Path, ignore_files: dict[str, str], left: str) -> None:
    """A part of a repository that is opened alone."""
    files = dict.fromkeys(["part/a.py", "part/b.py", "part/sub/a.py", "part/sub/b.py"], "")
    write(tmp_path, {**files, **ignore_files})
    assert list(scan(tmp_path / "part")) == left.split()


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("src/vendor/a.py", True),
        ("build/a.py", True),
        (".github/a.yml", True),
        ("vendor/a.py", False),
        ("third_party/a.py", False),
        ("sub/node_modules/p/a.js", False),
        (".git/hooks/a.py", False),
        (".venv/a.py", False),
        ("env/lib/python3/site-packages/a.py", False),
        ("a/__pycache__/a.py", False),
        ("own/a.py", False),
    ],
)
def test_what_was_not_written_here(tmp_path: Path, path: str, counts: bool) -> None:
    """Version control, caches, installed and copied-in packages; `own` is a virtual environment by its marker."""
    write(tmp_path, {path: "", "own/pyvenv.cfg": "", "env/lib/python3/keep.py": ""})
    assert (path in set(scan(tmp_path))) == counts
    assert IgnoreRules(tmp_path).ignores(path) != counts
    assert list(scan(tmp_path, path.rpartition("/")[0])) == ([path] if counts else [])


# Secrets

SECRETS = """
.env .env.local .env.py prod.env .envrc server.pem tls.key a.p12 id_rsa id_rsa.pub id_ed25519.py credentials
credentials.toml credentials-prod.yaml Credentials.py .credentials.yaml google-credentials.json .netrc .npmrc .pypirc
.git-credentials
secrets.toml secret.yaml SECRETS.PY prod.tfvars .ssh/config.py .aws/a.toml sub/.kube/a.yaml .Docker/a.py
secret.py secrets.rb secrets.ts secrets.prod.ts secrets.h Secrets.cs Secrets.java secrets.json secrets.yml
credentials.example.js .ssh/secret.go credentials-prod.ts credentials-acme.js secrets.service.yaml
credentials-provider.json .env.service.ts id_rsa.test.ts
"""
HARMLESS = """
env.py environment.py key.py keys/a.py monkey.py pem.py rsa.py netrc.py my_secrets.py aws/a.py CredentialsProvider.java
Secret.java Secret.cs secret.go secrets.go secret.rs Credentials.java credentials.go SecretService.cs
secret.service.ts secrets.spec.ts credentials.guard.ts credentials-provider.ts credentials-provider.test.ts
credentials-provider-chain.mts credentials-helper.py secrets.manager.js
"""


@pytest.mark.parametrize("path", [*SECRETS.split(), *HARMLESS.split()])
def test_is_secret(path: str) -> None:
    """By the file's name and its folders', in any case."""
    assert is_secret(path) == (path in SECRETS.split())


def test_secrets_are_neither_listed_nor_opened(tmp_path: Path) -> None:
    """Not by their own name, and not through a link that hides it."""
    secrets, harmless = SECRETS.split(), HARMLESS.split()
    tmp_path = tmp_path.resolve()
    write(tmp_path, dict.fromkeys([*secrets, *harmless], "value = word\n"))
    (tmp_path / "link.py").symlink_to(".env.local")
    (tmp_path / "linked").symlink_to(".ssh")
    with watched() as events:
        found = list(scan(tmp_path))
        texts = {path: read_source(tmp_path, path) for path in [*found, *secrets, "linked/config.py"]}
    assert set(found) == {*harmless, "link.py"}
    assert {path for path, text in texts.items() if text is not None} == set(harmless)
    opened = {os.path.realpath(path) for event, path in events if event == "open"}
    assert {str(tmp_path / path) for path in harmless} <= opened
    assert not {str(tmp_path / path) for path in secrets} & opened


# Texts

TEXT = "value = word\n"
LARGEST = TEXT * (MAX_BYTES // len(TEXT)) + "\n" * (MAX_BYTES % len(TEXT))


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.py", b"value = word\n", TEXT),
        ("a.py", b"\xef\xbb\xbfvalue = word\n", TEXT),
        ("a.py", b"value = word\r\n\tmore\r\n", "value = word\r\n\tmore\r\n"),
        ("a.py", "wert = 'größer'\n".encode(), "wert = 'größer'\n"),
        ("a.py", b"", ""),
        ("a.py", b" \n\n", " \n\n"),
        ("a.py", b"value = word", "value = word"),
        # not text
        ("a.py", b"value = '\x00'\n", None),
        ("a.py", b"wert = 'gr\xf6\xdfer'\n", None),
        ("a.py", b"value = '\xed\xa0\x80'\n", None),
        ("a.py", "value = word\n".encode("utf-16"), None),
        ("a.py", b"\x89PNG\r\n\x1a\n\x00\x00", None),
        # no language that is known
        ("a.xyz", b"value = word\n", None),
        ("Makefile", b"value = word\n", None),
        ("a.json", b'{"value": "word"}\n' * 5, None),
        # size
        ("a.py", LARGEST.encode(), LARGEST),
        ("a.py", LARGEST.encode() + b"\n", None),
        # minified, generated
        ("a.js", b"f(word);" * 126, None),
        ("a.min.js", b"f(word)\n", None),
        ("api_pb2.py", b"value = word\n", None),
        ("a.py", b"# @generated by a tool\nvalue = word\n", None),
        ("a.py", b"#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# Generated by Django 5.2\nvalue = word\n", None),
        ("a.go", b"// Code generated by stringer; DO NOT EDIT.\nvalue = word\n", None),
        ("a.css", b"/* This file was automatically generated */\nvalue = word\n", None),
        ("a.py", b"######## do not edit ########\nvalue = word\n", None),
        ("a.py", b"'''Code generated by hand.'''\nvalue = word\n", "'''Code generated by hand.'''\nvalue = word\n"),
        ("a.py", b"# a generated name\nvalue = word\n", "# a generated name\nvalue = word\n"),
        ("a.py", TEXT.encode() * 24 + b"# @generated\n", TEXT * 24 + "# @generated\n"),
        # what the training data left out
        ("a.py", b"1234567890\n" * 9, None),
    ],
)
def test_read_source(tmp_path: Path, name: str, content: bytes, text: str | None) -> None:
    """The text, without a byte order mark; None for what does not count."""
    write(tmp_path, {name: content})
    assert read_source(tmp_path, name) == text


def test_a_long_line_of_one_character_is_judged_at_once(tmp_path: Path) -> None:
    """A mebibyte of `#` in one line: no search for markers may start anew at each of them."""
    write(tmp_path, {"a.py": b"#" * MAX_BYTES})
    assert read_source(tmp_path, "a.py") is None


@pytest.mark.parametrize("name", ["a\nimport os.py", "a\x1b[2J.py", "a\x85.py", os.fsdecode(b"\xff.py")])
def test_names_unfit_for_a_path_comment(tmp_path: Path, name: str) -> None:
    """They could not stand in a prompt as one line of text."""
    write(tmp_path, {name: "value = word\n", "b.py": ""})
    assert list(scan(tmp_path)) == ["b.py"]
    assert read_source(tmp_path, name) is None


# The file system

needs_posix = pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")


@needs_posix
def test_links(tmp_path: Path) -> None:
    """None is a second file beside the one it leads to; none leads out of the workspace, to a directory, or around in a
    circle. A file without a name of its own that would count has its link's."""
    root = tmp_path / "root"
    write(tmp_path, {"root/a.py": TEXT, "root/sub/b.py": TEXT, "outside/c.py": TEXT, "outside/deep/d.py": TEXT})
    write(root, {"tool": TEXT})
    for name, target in {
        "inside.py": "sub/b.py",
        "named.py": "tool",
        "out.py": "../outside/c.py",
        "absolute.py": str(tmp_path / "outside" / "c.py"),
        "gone.py": "nowhere.py",
        "loop.py": "loop.py",
        "ping.py": "pong.py",
        "pong.py": "ping.py",
        "folder": "../outside",
        "same": "sub",
        "sub/up": "..",
        "whole": "/",
        "folder.py": "sub",
    }.items():
        (root / name).symlink_to(target)
    found = list(scan(root))
    assert found == ["a.py", "absolute.py", "inside.py", "named.py", "out.py", "sub/b.py"]
    assert {path for path in found if read_source(root, path)} == {"a.py", "named.py", "sub/b.py"}
    for folder in ["folder", "folder/deep", "same", "sub/up", "sub/up/sub", "whole", "whole/etc", "..", "../outside"]:
        assert list(scan(root, folder)) == []
    for path in [
        "folder/c.py",
        "folder/deep/d.py",
        "../outside/c.py",
        "loop.py",
        "whole/etc/a.py",
        "a.py/b.py",
        "\0.py",
    ]:
        assert read_source(root, path) is None
    (tmp_path / "way").symlink_to(root)
    assert list(scan(tmp_path / "way")) == found
    assert list(scan(tmp_path / "way", "sub")) == ["sub/b.py"]
    assert read_source(tmp_path / "way", "a.py") == TEXT


@needs_posix
def test_what_is_neither_file_nor_folder(tmp_path: Path) -> None:
    """A pipe nobody writes to would be waited for."""
    write(tmp_path, {"sub/b.py": TEXT})
    os.mkfifo(tmp_path / "a.py")
    os.mkfifo(tmp_path / ".gitignore")
    assert list(scan(tmp_path)) == ["sub/b.py"]
    assert read_source(tmp_path, "a.py") is None


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions mean nothing to root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@needs_posix
def test_what_may_not_be_read() -> None:
    """Is left out, and the rest is found."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        write(
            root, {"a.py": TEXT, "closed.py": TEXT, "locked/b.py": TEXT, "open/.gitignore": "c.py", "open/c.py": TEXT}
        )
        closed = [root / name for name in ("closed.py", "locked", "open/.gitignore")]
        for file in closed:
            file.chmod(0)
        with unprivileged():
            assert list(scan(root)) == ["a.py", "closed.py", "open/c.py"]
            assert [read_source(root, path) for path in ("a.py", "closed.py", "locked/b.py")] == [TEXT, None, None]
            assert list(scan(root, "locked")) == []
        for file in closed:
            file.chmod(0o700)


def test_files_that_vanish_meanwhile(tmp_path: Path) -> None:
    """A branch switch does not wait for the end of a scan."""
    write(tmp_path, dict.fromkeys(["a/1.py", "a/2.py", "b/3.py", "b/c/4.py", "d/5.py"], TEXT))
    found = scan(tmp_path)
    assert next(found) == "a/1.py"
    shutil.rmtree(tmp_path / "b")
    shutil.rmtree(tmp_path / "a")
    assert list(found) == ["a/2.py", "d/5.py"]
    assert read_source(tmp_path, "a/2.py") is None
    shutil.rmtree(tmp_path / "d")
    assert list(scan(tmp_path / "d")) == list(scan(tmp_path)) == list(scan(tmp_path, "b/c")) == []


def test_a_scan_looks_no_further_than_it_is_asked(tmp_path: Path) -> None:
    """Of two hundred folders the first three."""
    write(tmp_path, {f"f{n:03}/a.py": TEXT for n in range(200)})
    with watched() as events:
        assert len(list(itertools.islice(scan(tmp_path), 3))) == 3
    assert sum(event == "os.scandir" for event, _ in events) <= 4


@needs_posix
def test_what_stands_in_the_fewest_folders_comes_first(tmp_path: Path) -> None:
    """A limit cuts off the deepest."""
    for name in ("a/b/c.py", "a/d.py", "e/f.py", "g.py"):
        _put(tmp_path / name, "x = 1\n")
    assert list(scan(tmp_path)) == ["g.py", "a/d.py", "e/f.py", "a/b/c.py"]


def test_the_whole_disk_as_workspace() -> None:
    """A few files of it can be had, and the kernel's own are none."""
    with watched() as events:
        found = list(itertools.islice(scan(Path("/")), 5))
    assert len(found) == 5
    assert all((Path("/") / path).is_file() for path in found)
    listed = {path for event, path in events if event == "os.scandir"}
    assert not any(path.startswith(("/proc", "/sys", "/dev", "/run")) for path in listed)
