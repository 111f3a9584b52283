"""Changes on disk, seen by the system's own notifications on a real folder."""

from __future__ import annotations

import functools
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from repofill.context import watch
from repofill.context.scan import scan
from repofill.context.watch import WorkspaceWatcher

PATIENCE_S = 60.0
"""Until something that ought to happen has not."""


class Batches:
    """What a watcher delivered."""

    def __init__(self) -> None:
        self.all: list[frozenset[str]] = []
        self._arrived = threading.Condition()

    def take(self, batch: frozenset[str]) -> None:
        with self._arrived:
            self.all.append(batch)
            self._arrived.notify_all()

    @property
    def paths(self) -> set[str]:
        return set().union(*self.all)

    def wait_for(self, *paths: str) -> None:
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: self.paths.issuperset(paths), PATIENCE_S)
        assert arrived, f"{paths} not among {self.paths}"


Start = Callable[[], Batches]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begin to watch `tmp_path`."""
    watchers = []

    def start() -> Batches:
        batches = Batches()
        watchers.append(WorkspaceWatcher(tmp_path, batches.take, also="settings"))
        watchers[-1].start()
        assert watchers[-1].notice is None
        return batches

    yield start
    for watcher in watchers:
        watcher.stop()


def write(root: Path, *names: str, text: str = "value = word\n") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")


def check(root: Path, start: Start, before: str, change: Callable[[Path], object], expected: str) -> None:
    """In a tree of the files `before`, `change` is delivered as exactly the paths `expected`."""
    write(root, *before.split())
    batches = start()
    change(root)
    write(root, "last.py")
    batches.wait_for("last.py", *expected.split())
    assert batches.paths == {"last.py", *expected.split()}


def written_beside(root: Path, name: str) -> None:
    write(root, f"{name}~")
    (root / f"{name}~").replace(root / name)


def ignoring_less(root: Path) -> None:
    write(root, ".gitignore", text="")
    write(root, "out/c.py")


@pytest.mark.parametrize(
    ("before", "change", "expected"),
    [
        ("", lambda root: write(root, "a.py"), "a.py"),
        ("a.py", lambda root: write(root, "a.py", text="value = other\n"), "a.py"),
        ("a.py", lambda root: (root / "a.py").unlink(), "a.py"),
        ("a.py", lambda root: (root / "a.py").rename(root / "b.py"), "a.py b.py"),
        ("a.py", lambda root: (root / "a.py").rename(root / "A.py"), "a.py A.py"),
        ("a.py b.py", lambda root: (root / "a.py").replace(root / "b.py"), "a.py b.py"),
        ("sub/a.py", lambda root: write(root, "sub/a.py", "sub/b.py"), "sub/a.py sub/b.py"),
        # an editor that writes to one side and renames
        ("a.py", lambda root: written_beside(root, "a.py"), "a.py"),
        # directories
        ("", lambda root: write(root, "new/deep/a.py"), "new new/deep new/deep/a.py"),
        ("old/a.py", lambda root: (root / "old").rename(root / "new"), "old new old/a.py new/a.py"),
        ("old/a.py", lambda root: shutil.rmtree(root / "old"), "old old/a.py"),
        ("old/a.py", lambda root: (root / "old").rename(root.parent / f"{root.name}-gone"), "old"),
        # what is of no interest: other files, secrets, what is ignored, reading, links to elsewhere
        ("a.py", lambda root: write(root, "a.pyc", "a.log", "a", ".env.py", "id_rsa"), ""),
        ("a.py .git/HEAD", lambda root: write(root, ".git/HEAD", ".git/a.py", "node_modules/p/a.js"), ""),
        ("a.py", lambda root: (root / "a.py").read_text(), ""),
        ("sub/a.py", lambda root: (root / "link").symlink_to("sub"), ""),
    ],
)
def test_changes(
    tmp_path: Path,
    start: Start,
    before: str,
    change: Callable[[Path], object],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each kind of change, alone."""
    monkeypatch.setattr(watch, "QUIET_S", 0.02)
    check(tmp_path, start, before, change, expected)


def test_ignore_files(tmp_path: Path, start: Start) -> None:
    """What they leave out is not delivered; a changed one is, and it counts from then on."""
    write(tmp_path, ".gitignore", text="out\n*_x.py\n")
    check(tmp_path, start, "out/a.py", lambda root: write(root, "out/a.py", "out/b.py", "a_x.py", "a.py"), "a.py")
    check(tmp_path, start, "", ignoring_less, ".gitignore out/c.py")


def test_a_file_that_counts_in_any_case(tmp_path: Path, start: Start) -> None:
    """Whatever it is, at the top."""
    write(tmp_path, ".gitignore", text="settings\n")
    check(tmp_path, start, "settings", lambda root: write(root, "settings", "sub/settings"), "settings sub")


def test_a_folder_takes_its_ignore_file_along(tmp_path: Path, start: Start) -> None:
    """Another of its name knows nothing of that."""
    write(tmp_path, "p/.gitignore", text="a.py\n")
    batches = start()
    write(tmp_path, "p/a.py", "p/b.py")
    batches.wait_for("p/b.py")
    assert "p/a.py" not in batches.paths
    (tmp_path / "p").rename(tmp_path.parent / f"{tmp_path.name}-gone")
    write(tmp_path, "p/c.py")
    batches.wait_for("p", "p/c.py")
    write(tmp_path, "p/a.py")
    batches.wait_for("p/a.py")


def test_a_burst(tmp_path: Path, start: Start) -> None:
    """A branch switch: five hundred files of one, then of another kind, in a few batches."""
    names = [f"pkg{n % 20}/m{n}.py" for n in range(500)]
    write(tmp_path, *names[:250])
    batches = start()
    for name in names[:250]:
        (tmp_path / name).unlink()
    write(tmp_path, *names[250:])
    batches.wait_for(*names)
    assert len(batches.all) < 50
    assert set(scan(tmp_path)) == set(names[250:])


def test_a_file_that_is_written_all_the_time(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not hold up what else has changed."""
    monkeypatch.setattr(watch, "LONGEST_S", 2 * watch.QUIET_S)
    batches = start()
    write(tmp_path, "a.py")
    until = time.monotonic() + PATIENCE_S
    while not batches.all and time.monotonic() < until:
        write(tmp_path, "restless.py")
        time.sleep(watch.QUIET_S / 10)
    assert "a.py" in batches.paths


def test_a_failure_to_take_over_changes_is_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And logged."""
    batches = Batches()

    def take(batch: frozenset[str]) -> None:
        batches.take(batch)
        if batch == {"bad.py"}:
            raise ValueError("bad")

    watcher = WorkspaceWatcher(tmp_path, take)
    watcher.start()
    write(tmp_path, "bad.py")
    batches.wait_for("bad.py")
    write(tmp_path, "good.py")
    batches.wait_for("good.py")
    watcher.stop()
    assert "taking over 1 changed files failed" in caplog.text


def threads_end(before: set[threading.Thread]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while set(threading.enumerate()) > before and time.monotonic() < until:
        time.sleep(0.01)
    return set(threading.enumerate()) <= before


def test_stopping_ends_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of a batch that still waits, too; that batch is dropped. Twice is once, and there is no way back."""
    monkeypatch.setattr(watch, "QUIET_S", 2 * PATIENCE_S)
    monkeypatch.setattr(watch, "LONGEST_S", 2 * PATIENCE_S)
    before = set(threading.enumerate())
    batches = Batches()
    watcher = WorkspaceWatcher(tmp_path, batches.take)
    watcher.start()
    write(tmp_path, "a.py")
    until = time.monotonic() + PATIENCE_S
    while not any(isinstance(thread, threading.Timer) for thread in threading.enumerate()):
        assert time.monotonic() < until
    watcher.stop()
    assert threads_end(before)
    watcher.stop()
    watcher.start()
    write(tmp_path, "b.py")
    assert set(threading.enumerate()) <= before
    assert not batches.all


def test_stopped_before_and_while_it_starts(tmp_path: Path) -> None:
    """Whoever comes first, no thread stays behind."""
    write(tmp_path, *(f"f{n}/a.py" for n in range(50)))
    before = set(threading.enumerate())
    for delay_s in (0.0, 0.0005, 0.001, 0.002, 0.005):
        watcher = WorkspaceWatcher(tmp_path, lambda batch: None)
        starting = threading.Thread(target=watcher.start)
        starting.start()
        time.sleep(delay_s)
        watcher.stop()
        starting.join()
        assert threads_end(before)


def test_a_folder_that_is_a_link(tmp_path: Path) -> None:
    """Changes in it arrive, by whatever way they are made."""
    write(tmp_path, "real/sub/a.py")
    (tmp_path / "link").symlink_to("real")
    batches = Batches()
    watcher = WorkspaceWatcher(tmp_path / "link", batches.take)
    watcher.start()
    write(tmp_path, "link/b.py", "real/c.py", "link/sub/d.py")
    batches.wait_for("b.py", "c.py", "sub/d.py")
    watcher.stop()


def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    """Before or while it is watched: no error, and no thread stays behind."""
    before = set(threading.enumerate())
    write(tmp_path, "root/a.py")
    batches = Batches()
    watcher = WorkspaceWatcher(tmp_path / "root", batches.take)
    watcher.start()
    shutil.rmtree(tmp_path / "root")
    batches.wait_for("a.py", "")
    watcher.stop()
    WorkspaceWatcher(tmp_path / "root", batches.take).start()
    assert threads_end(before)


# Where notifications do not arrive

FULL = """
import sys
from pathlib import Path
from repofill.context.watch import WorkspaceWatcher

watcher = WorkspaceWatcher(Path(sys.argv[1]), lambda batch: print(sorted(batch), flush=True))
watcher.start()
print("watching", flush=True)
sys.stdin.read()
watcher.stop()
"""
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


@pytest.mark.skipif(not QUEUE.exists() or int(QUEUE.read_text()) > 100_000, reason="inotify has a queue, here too long")
def test_more_changes_than_the_system_remembers(tmp_path: Path) -> None:
    """Then everything is looked at, though all that was seen was of no interest."""
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        impatience = threading.Timer(PATIENCE_S, child.kill)
        impatience.start()
        try:
            assert child.stdout.readline() == "watching\n"
            child.send_signal(signal.SIGSTOP)
            for _ in range(int(QUEUE.read_text())):  # each is two of them
                (tmp_path / "a.log").touch()
                (tmp_path / "a.log").unlink()
            write(tmp_path, "new/a.py")
            child.send_signal(signal.SIGCONT)
            assert child.stdout.readline() == "['']\n"
            write(tmp_path, "new/b.py")
            assert child.stdout.readline() == "['new/b.py']\n"
            child.stdin.close()
            assert child.wait(PATIENCE_S) == 0
        finally:
            impatience.cancel()
            child.kill()


def test_a_folder_that_left_the_tree_and_was_made_anew(tmp_path: Path) -> None:
    """When both have vanished, changes are still delivered, and no thread stays behind."""
    before = set(threading.enumerate())
    root, trash = tmp_path / "root", tmp_path / "trash"
    write(root, "p/a.py")
    batches = Batches()
    watcher = WorkspaceWatcher(root, batches.take)
    watcher.start()
    (root / "p").rename(trash)
    write(root, "gone.py")
    batches.wait_for("p", "gone.py")
    write(root, "p/b.py")
    batches.wait_for("p/b.py")
    for folder in (root / "p", trash):
        shutil.rmtree(folder)
        time.sleep(watch.QUIET_S)
    write(root, "last.py")
    batches.wait_for("last.py")
    watcher.stop()
    assert threads_end(before)


# Where the system refuses watches

CHILD = """
import json, logging, os, resource, shutil, sys, threading, time
from pathlib import Path
from repofill.context import watch
from repofill.context.scan import scan

root, limit = Path(sys.argv[1]), sys.argv[2]
logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
watch.POLL_S, watch.QUIET_S = 0.1, 0.02
seen = set()

def take(batch):
    for path in batch:  # as the index reads it
        seen.update([path], scan(root, path) if (root / path).is_dir() else ())

watcher = watch.WorkspaceWatcher(root, take)
files = resource.getrlimit(resource.RLIMIT_NOFILE)
if limit == "files":
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), files[1]))
watcher.start()
resource.setrlimit(resource.RLIMIT_NOFILE, files)
listed = set()
sys.addaudithook(lambda event, arguments: listed.add(str(arguments[0])) if event == "os.scandir" else None)

def wait_for(*paths):
    until = time.monotonic() + 60
    while not seen.issuperset(paths) and time.monotonic() < until:
        time.sleep(0.01)

notices = [watcher.notice]
for n in range(10):
    (root / f"old{n}" / "a.py").write_text("value = word")
wait_for(*(f"old{n}/a.py" for n in range(10)))
for n in range(10):
    (root / f"new{n}").mkdir()
    (root / f"new{n}" / "a.py").write_text("value = word")
(root / "ignored" / "b.py").write_text("value = word")
wait_for(*(f"new{n}/a.py" for n in range(10)))
while limit == "late" and watcher.notice is None:
    time.sleep(0.01)
for n in range(10):
    (root / f"new{n}" / "b.py").write_text("value = word")
(root / "old0" / "a.py").unlink()
(root / "old1").rename(root / "moved")
wait_for("moved/b.py", *(f"new{n}/b.py" for n in range(10)))
notices.append(watcher.notice)
watcher.stop()
threads = threading.active_count()
print(json.dumps({"notices": notices, "seen": sorted(seen), "listed": sorted(listed), "threads": threads}))
"""


@functools.cache
def has_namespaces() -> bool:
    """Whether a user may lower limits for a process of theirs alone."""
    if not shutil.which("unshare") or not Path("/proc/sys/user/max_inotify_watches").exists():
        return False
    return subprocess.run(["unshare", "-Ur", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="inotify has limits")
@pytest.mark.parametrize(
    ("limit", "count", "refused"),
    [
        ("max_inotify_watches", 0, "watch limit"),
        ("max_inotify_watches", 5, "watch limit"),
        ("late", 16, "watch limit"),
        ("max_inotify_instances", 0, "instance limit"),
        ("files", 0, "instance limit"),
        ("max_inotify_instances", 1, None),
    ],
)
def test_refused_watches(tmp_path: Path, limit: str, count: int, refused: str | None) -> None:
    """At once, within a tree or when it grows: it says so once, and finds the changes all the same. A second observer
    that the system refuses is no reason."""
    write(tmp_path, *(f"old{n}/b.py" for n in range(10)), "ignored/b.py")
    write(tmp_path, ".gitignore", text="ignored\n")
    (tmp_path / "circle.py").symlink_to(".")
    command = [sys.executable, "-c", CHILD, str(tmp_path), limit]
    if limit != "files":
        if not has_namespaces():
            pytest.skip("needs a namespace of its own to lower the limits in")
        name = "max_inotify_watches" if limit == "late" else limit
        command = ["unshare", "-Ur", "sh", "-c", f'echo {count} >/proc/sys/user/{name}; exec "$@"', "sh", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5 * PATIENCE_S)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    changed = {f"{folder}/a.py" for n in range(10) for folder in (f"old{n}", f"new{n}")}
    assert changed | {f"new{n}/b.py" for n in range(10)} | {"moved", "moved/b.py", "old1"} <= set(found["seen"])
    assert not any(path.startswith(("ignored", "circle.py/")) for path in found["seen"])
    assert found["threads"] == 1
    if refused is None:
        assert found["notices"] == [None, None]
        assert str(tmp_path) not in found["listed"]
        assert not done.stderr
    else:
        assert refused in found["notices"][1]
        assert found["notices"][0] == (None if limit == "late" else found["notices"][1])
        assert str(tmp_path) in found["listed"]
        assert not {str(tmp_path / name) for name in ("ignored", "circle.py")} & set(found["listed"])
        assert done.stderr.count("allows no more file watches") == 1
