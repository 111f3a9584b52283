"""The workspace index: the editor's text wins, changes arrive in batches, incremental equals fresh."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from repofill.context import index as index_module
from repofill.context import reader, scan
from repofill.context.graph import ImportGraph
from repofill.context.index import WorkspaceIndex, relative_path
from repofill.context.store import Store


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def built(root: Path) -> WorkspaceIndex:
    index = WorkspaceIndex(root)
    index.build()
    return index


README = {
    "utils.py": "import math\n\ndef load_data():\n    return [math.pi]\n",
    "model.py": "import utils\n\nclass IrisClassifier:\n    data = utils.load_data()\n",
    "main.py": "from utils import load_data\nfrom model import IrisClassifier as Classifier\n\nprint(Classifier)\n",
}


def test_order_of_the_deepseek_readme_example(tmp_path: Path) -> None:
    """utils, model, main: dependencies first, whatever the names' order."""
    write(tmp_path, README)
    index = built(tmp_path)
    assert index.ordered() == ["utils.py", "model.py", "main.py"]
    assert index.dependencies("main.py") == ["utils.py", "model.py"]
    shown = index.plan("main.py", README["main.py"], "", 10_000)
    assert [c.text for c in shown] == [f"# {path}\n{README[path]}" for path in ("utils.py", "model.py")]


def test_open_text_wins_over_disk(tmp_path: Path) -> None:
    """An open file is what the editor shows, until it is closed."""
    write(tmp_path, README)
    index = built(tmp_path)
    index.open("model.py", "import main\n")
    assert index.dependencies("model.py") == ["main.py"]
    write(tmp_path, {"model.py": "value = one\n"})
    index.refresh(["model.py"])
    assert index.text("model.py") == "import main\n"
    index.close("model.py")
    assert index.text("model.py") == "value = one\n"
    assert index.dependencies("model.py") == []


def test_typing_leaves_the_plan_alone_until_it_settles(tmp_path: Path) -> None:
    """A keystroke changes neither graph nor resolution; a new import does, at the next pause."""
    write(tmp_path, README)
    index = built(tmp_path)
    index.open("utils.py", README["utils.py"])
    before = index.resolution("utils.py")
    index.change("utils.py", README["utils.py"] + "value = one\n")
    index.settle()
    assert index.resolution("utils.py") == before
    index.change("utils.py", "import model\n" + README["utils.py"])
    assert index.resolution("utils.py") == before
    index.settle()
    assert index.resolution("utils.py") != before


@pytest.mark.parametrize(
    ("path", "text", "true"),
    [
        ("utils.py", README["utils.py"] + "\nLIMIT = 3\n", False),
        ("main.py", "import utils\n", True),
        ("main.py", README["main.py"] + "print(1)\n", True),
        ("other.py", "import main\n", True),
    ],
)
def test_a_plan_is_true_until_what_it_shows_changes(tmp_path: Path, path: str, text: str, true: bool) -> None:
    write(tmp_path, README)
    index = built(tmp_path)
    plan = index.plan("main.py", README["main.py"], "", 10_000)
    assert plan
    assert index.still_true(plan)
    write(tmp_path, {path: text})
    index.refresh([path])
    assert index.still_true(plan) == true


def test_a_plan_keeps_no_file_of_itself(tmp_path: Path) -> None:
    """The first keystroke in that file would change what stands ahead of all the rest."""
    write(tmp_path, README)
    index = built(tmp_path)
    before = index.plan("main.py", README["main.py"], "", 10_000)
    shown = index.plan("model.py", README["model.py"], "", 10_000, before)
    assert [c.path for c in before] == ["utils.py", "model.py"]
    assert [c.path for c in shown] == ["utils.py"]


def test_copies_come_from_the_project_and_never_from_a_stale_text(tmp_path: Path) -> None:
    """Open texts and closed files are searched, a closed file's old text is not."""
    write(tmp_path, {"a.py": "value = compute(first)\n", "b.py": "pass\n"})
    index = built(tmp_path)
    query = "value = compute("
    assert [c.text for c in index.copy_candidates("b.py", query, "")] == ["first)"]
    write(tmp_path, {"a.py": "value = compute(second)\n"})
    index.refresh(["a.py"])
    assert [c.text for c in index.copy_candidates("b.py", query, "")] == ["second)"]
    index.open("a.py", "value = compute(third)\n")
    assert [c.text for c in index.copy_candidates("b.py", query, "")] == ["third)"]
    assert [c.text for c in index.copy_candidates("a.py", query, "")] == []
    index.close("a.py")
    assert [c.text for c in index.copy_candidates("b.py", query, "")] == ["second)"]
    assert [c.text for c in index.copy_candidates("a.py", query, "")] == []  # the editor has just opened it


SHAPES = """class Shape:
    def area(self, factor):
        outline = self.width * self.height
        return outline * factor

    def scaled(self, factor):
        return Shape(self.width * factor, self.height * factor)


def total(shapes):
    return sum(shape.area(2) for shape in shapes)
"""


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize(
    ("copy", "text", "shown"),
    [
        ("build/lib/shapes.py", SHAPES.replace("area(2)", "area(3)"), False),
        ("build/lib/shapes.py", SHAPES.replace("Shape", "Form").replace("factor", "ratio"), True),
        ("round.py", SHAPES, True),
    ],
)
def test_a_copy_of_the_file_that_is_edited_has_nothing_to_say(
    tmp_path: Path, copy: str, text: str, shown: bool, opened: bool
) -> None:
    """What was built of it, as it was then; another file does show it. Another file of the same name is no copy."""
    write(tmp_path, {"src/shapes.py": SHAPES, copy: text, "main.py": "import shapes\n"})
    index = built(tmp_path)
    if opened:
        index.open(copy, text)
    before, _, after = SHAPES.partition("area(2)")
    context = index.plan("main.py", "Shape.area(total(", "", 10_000)
    assert "total" in "".join(c.text for c in context)
    for previous in ((), context):
        plan = index.plan("src/shapes.py", before, after, 10_000, previous)
        assert (copy in [c.path for c in plan]) == shown
    assert bool(index.copy_candidates("src/shapes.py", before, after)) == shown


def test_a_directory_that_appears_or_vanishes(tmp_path: Path) -> None:
    """A moved directory arrives as one path and takes its files along."""
    write(tmp_path, {"pkg/__init__.py": "", "pkg/a.py": "value = one\n", "main.py": "from pkg import a\n"})
    index = built(tmp_path)
    assert set(index.dependencies("main.py")) == {"pkg/__init__.py", "pkg/a.py"}
    (tmp_path / "pkg").rename(tmp_path / "lib")
    index.refresh(["pkg", "lib"])
    assert sorted(index.ordered()) == ["lib/__init__.py", "lib/a.py", "main.py"]
    assert index.dependencies("main.py") == []


def test_a_moved_folder_brings_its_ignore_file_along(tmp_path: Path) -> None:
    """And the one that was there before has taken its own with it."""
    write(tmp_path, {"a/.gitignore": "m.py\n", "a/m.py": "value = one\n", "b/m.py": "value = two\n"})
    index = built(tmp_path)
    index.refresh(["a/m.py", "b/m.py"])
    for one, other in (("b", "c"), ("a", "b"), ("c", "a")):
        (tmp_path / one).rename(tmp_path / other)
    index.refresh(["a", "b", "c"])
    assert index.ordered() == ["a/m.py"]


@pytest.mark.parametrize("ignored", [True, False])
def test_a_configuration_file_that_vanishes_with_its_folder(tmp_path: Path, ignored: bool) -> None:
    """Or is ignored from now on: it says nothing any more."""
    package = {"package.json": '{"name": "core", "main": "core.ts"}', "core.ts": "export const core = compute()\n"}
    write(tmp_path, {"package.json": '{"workspaces": ["packages/*"]}', "app.ts": "import { core } from 'core'\n"})
    for name in ("b", "a-copy"):
        write(tmp_path, {f"packages/{name}/{file}": text for file, text in package.items()})
    index = built(tmp_path)
    assert index.dependencies("app.ts") == ["packages/a-copy/core.ts"]
    if ignored:
        write(tmp_path, {".gitignore": "*-copy/\n"})
    else:
        shutil.rmtree(tmp_path / "packages" / "a-copy")
    index.refresh([".gitignore" if ignored else "packages/a-copy"])
    assert index.dependencies("app.ts") == ["packages/b/core.ts"]


def test_a_configuration_file_counts_once_it_is_saved(tmp_path: Path) -> None:
    """The editor shows it, half written."""
    config = {"package.json": '{"imports": {"#core": "./core.ts"}}'}
    write(tmp_path, {**config, "core.ts": "export const one = 1\n", "app.ts": "import { one } from '#core'\n"})
    index = built(tmp_path)
    index.open("package.json", '{"imports": {"#co')
    assert index.dependencies("app.ts") == ["core.ts"]
    write(tmp_path, {"package.json": "{}"})
    index.refresh(["package.json"])
    assert index.dependencies("app.ts") == []
    write(tmp_path, config)
    index.close("package.json")
    assert index.dependencies("app.ts") == ["core.ts"]


def test_secrets_never_enter(tmp_path: Path) -> None:
    """Neither from disk nor from the editor."""
    write(tmp_path, {"a.py": "value = one\n", ".env.py": "KEY = 'hunter2'\n", "credentials.py": "KEY = 'hunter2'\n"})
    index = built(tmp_path)
    index.open("credentials.py", "KEY = 'hunter2'\n")
    assert index.ordered() == ["a.py"]
    assert index.copy_candidates("a.py", "KEY = 'hun", "") == ()


@pytest.mark.parametrize("seed", range(8))
def test_incremental_equals_fresh(tmp_path: Path, seed: int) -> None:
    """After any sequence of writes, deletes, opens, edits and closes the index equals one built anew."""
    generator = random.Random(seed)
    names = [f"p/m{i}.py" for i in range(5)] + ["p/__init__.py", "top.py"]
    write(tmp_path, {"p/__init__.py": "", "top.py": "import p\n"})
    index = built(tmp_path)
    opened: dict[str, str] = {}
    for _ in range(40):
        name = generator.choice(names)
        imports = generator.sample(["import top\n", *(f"from p import m{i}\n" for i in range(5))], 2)
        text = "".join(imports) + f"value = number({generator.random()})\n"
        action = generator.choice(["write", "delete", "open", "change", "close"])
        if action == "write":
            write(tmp_path, {name: text})
            index.refresh([name])
        elif action == "delete":
            (tmp_path / name).unlink(missing_ok=True)
            index.refresh([name])
        elif action == "open" or (action == "change" and name not in opened):
            index.open(name, text)
            opened[name] = text
        elif action == "change":
            index.change(name, text)
            opened[name] = text
        elif name in opened:
            index.close(name)
            del opened[name]
    index.settle()
    fresh = built(tmp_path)
    for name, text in opened.items():
        fresh.open(name, text)
    assert index.ordered() == fresh.ordered()
    for name in names:
        assert index.text(name) == fresh.text(name)
        assert index.dependencies(name) == fresh.dependencies(name)
        assert index.copy_candidates(name, "from p import m", "") == fresh.copy_candidates(name, "from p import m", "")


def test_relative_path(tmp_path: Path) -> None:
    """Inside: the path; outside: None. Behind links: that of the real file, but no secret loses its name."""
    root = tmp_path / "root"
    write(root, {"a/b.py": "value = one\n"})
    write(tmp_path, {"outside/c.py": "value = two\n"})
    for name, target in {"c.py": "a/b.py", "d": "a", "out": "../outside", ".env": "a/b.py", "e.py": "e.py"}.items():
        (root / name).symlink_to(target)
    (tmp_path / "way").symlink_to("root")
    for path, known in {
        "root/a/b.py": "a/b.py",
        "root/a/new.py": "a/new.py",
        "root/c.py": "a/b.py",
        "root/d/b.py": "a/b.py",
        "root/d/new.py": "a/new.py",
        "root/out/c.py": "out/c.py",
        "root/.env": ".env",
        "root/e.py": "e.py",
        "root/\0.py": "\0.py",
        "way/c.py": "a/b.py",
        "way/.env": None,
        "outside/c.py": None,
    }.items():
        assert relative_path(root, tmp_path / path) == known


def test_a_link_is_the_file_that_it_leads_to(tmp_path: Path) -> None:
    """It is known once, also where the editor opens it by its other name."""
    write(tmp_path, README)
    (tmp_path / "also.py").symlink_to("utils.py")
    index = built(tmp_path)
    assert index.ordered() == ["utils.py", "model.py", "main.py"]
    path = relative_path(tmp_path, tmp_path / "also.py") or ""
    index.open(path, "LIMIT = compute(third)\n")
    assert index.ordered() == built(tmp_path).ordered()
    assert index.copy_candidates(path, "LIMIT = compute(", "") == ()
    assert [c.text for c in index.copy_candidates("main.py", "LIMIT = compute(", "")] == ["third)"]


def test_writers_on_many_threads_end_with_the_newest_texts(tmp_path: Path) -> None:
    """Overlapping settles and refreshes never publish an older text over a newer one."""
    names = [f"m{i}.py" for i in range(6)]
    write(tmp_path, dict.fromkeys(names, "value = one\n"))
    index = built(tmp_path)

    def work(number: int) -> None:
        generator = random.Random(number)
        name = names[number]  # every thread has a file of its own on disk, and all of them type into the last
        for step in range(30):
            write(tmp_path, {name: f"import {names[generator.randrange(6)][:-3]}\nvalue = number({step})\n"})
            index.refresh([name])
            index.change(names[5], f"import {name[:-3]}\nvalue = typed({number}, {step})\n")
            index.settle()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(work, range(5)))
    fresh = built(tmp_path)
    fresh.open(names[5], index.text(names[5]) or "")
    assert index.ordered() == fresh.ordered()
    assert [index.text(name) for name in names] == [fresh.text(name) for name in names]
    assert [index.dependencies(name) for name in names] == [fresh.dependencies(name) for name in names]


def test_asking_never_waits_for_a_writer(tmp_path: Path) -> None:
    """While somebody writes, a keystroke is taken and the index answers with what it knew."""
    write(tmp_path, README)
    index = built(tmp_path)
    with index._writing:
        index.change("main.py", "import utils\n")
        assert index.text("main.py") == "import utils\n"
        assert index.dependencies("main.py") == ["utils.py", "model.py"]
        assert index.copy_candidates("main.py", "class Iris", "")


def test_what_changed_before_anybody_watched_is_caught_up_with(tmp_path: Path) -> None:
    """Changed, created and deleted files; files that were not touched are not read again."""
    write(tmp_path, README)
    index = built(tmp_path)
    write(tmp_path, {"utils.py": "value = one\n", "new.py": "import utils\n"})
    (tmp_path / "model.py").unlink()
    index.build()
    assert index.ordered() == built(tmp_path).ordered()
    assert index.text("utils.py") == "value = one\n"
    before = index.resolution("new.py")
    index.build()
    assert index.resolution("new.py") is before


def test_what_comes_while_everything_is_looked_at_is_not_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder has been looked at already."""
    write(tmp_path, README)
    index = built(tmp_path)
    new = {
        "package.json": '{"workspaces": ["packages/*"]}',
        "packages/new/package.json": '{"name": "new", "main": "new.ts"}',
        "packages/new/new.ts": "export const one = 1\n",
        "app.ts": "import { one } from 'new'\n",
    }

    def scanned(*arguments: object) -> Iterator[str]:
        yield from scan.scan(*arguments)  # type: ignore[arg-type]
        write(tmp_path, new)
        index.refresh(new)

    monkeypatch.setattr(index_module, "scan", scanned)
    index.build()
    assert index.dependencies("app.ts") == ["packages/new/new.ts"]


@pytest.mark.parametrize("before", ["value = one\n", None])
@pytest.mark.parametrize("after", ["value = three\n", None])
def test_what_comes_while_files_are_read_or_looked_for_is_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None, after: str | None
) -> None:
    """Whoever began earlier and ends later knows less."""

    def put(text: str | None) -> None:
        if text is None:
            (tmp_path / "a.py").unlink(missing_ok=True)
        else:
            write(tmp_path, {"a.py": text})

    def late(slow: Callable[..., Iterator[Any]], index: WorkspaceIndex, *arguments: Any) -> Iterator[Any]:
        with monkeypatch.context() as quick:
            quick.setattr(index_module, slow.__name__, slow)
            found = list(slow(*arguments))
            put(after)
            index.refresh(["a.py"])
        yield from found

    for slow in (reader.read_many, scan.scan):
        put("value = two\n")
        index = built(tmp_path)
        put(before)
        with monkeypatch.context() as patched:
            patched.setattr(index_module, slow.__name__, partial(late, slow, index))
            index.refresh(["a.py"]) if slow is reader.read_many else index.build()
        assert index.text("a.py") == after


@pytest.mark.parametrize("gone", ["a\udcff", "a\nb", "a\0b"])
def test_a_name_that_no_file_of_a_prompt_may_have(tmp_path: Path, gone: str) -> None:
    """A folder of such a name that vanishes takes nothing of the rest of its batch along."""
    names = [f"m{n}.py" for n in range(reader.FEW)]
    write(tmp_path, dict.fromkeys(names, "value = one\n"))
    index = built(tmp_path)
    write(tmp_path, dict.fromkeys(names, "value = two\n"))
    index.refresh([*names, gone])
    assert {index.text(name) for name in names} == {"value = two\n"}


def test_a_file_of_a_far_future(tmp_path: Path) -> None:
    """Its time does not fit into a database."""
    write(tmp_path, README)
    os.utime(tmp_path / "utils.py", ns=(0, 1 << 63))
    index = built(tmp_path)
    assert index.ordered() == ["utils.py", "model.py", "main.py"]
    write(tmp_path, {"utils.py": "value = two\n"})
    index.refresh(["utils.py"])
    assert index.text("utils.py") == "value = two\n"


def test_a_second_session_reads_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And knows the same as a fresh one, be it of deleted files, of another branch, or of files that do not count."""
    root, database = tmp_path / "project", tmp_path / "index.db"
    generated = {f"{name}.py": "# Generated by a tool\nimport utils\n" for name in ("made", "edited", "vanished")}
    write(root, {**README, **generated, "gone.py": "import utils\n"})
    WorkspaceIndex(root, Store(database)).build()
    write(root, {"model.py": "class Other:\n    pass\n", "new/m.py": "import model\n"})
    write(root, {"edited.py": "import utils\n", "utils.py": f"# Generated by a tool\n{README['utils.py']}"})
    (root / "gone.py").unlink()
    (root / "vanished.py").unlink()
    asked = []
    monkeypatch.setattr(reader, "read_text", lambda root, path: asked.append(path) or scan.read_text(root, path))
    index = WorkspaceIndex(root, Store(database))
    index.build()
    assert sorted(asked) == ["edited.py", "model.py", "new/m.py", "utils.py"]
    assert Store(database).known().keys() == {"edited.py", "made.py", "main.py", "model.py", "new/m.py", "utils.py"}
    fresh = built(root)
    assert sorted(fresh.ordered()) == ["edited.py", "main.py", "model.py", "new/m.py"]
    assert index.ordered() == fresh.ordered()
    assert index.stats() == fresh.stats()
    for path in fresh.ordered():
        assert index.text(path) == fresh.text(path)
        assert index.resolution(path) == fresh.resolution(path)
        assert index.plan(path, "Other()", "", 2000) == fresh.plan(path, "Other()", "", 2000)


def test_a_changed_folder_is_read_as_far_as_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ignore file stands for its folder."""
    write(tmp_path, README)
    index = built(tmp_path)
    write(tmp_path, {"utils.py": "value = two\n", "more.py": "import utils\n", ".gitignore": "model.py\n"})
    asked: list[str] = []
    monkeypatch.setattr(reader, "read_text", lambda root, path: asked.append(path) or scan.read_text(root, path))
    index.refresh([".gitignore"])
    assert sorted(asked) == ["more.py", "utils.py"]
    assert sorted(index.ordered()) == ["main.py", "more.py", "utils.py"]


def test_a_branch_switch_is_published_a_few_times_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with every handful of files that has been read."""
    names = [f"m{n}.py" for n in range(300)]
    write(tmp_path, dict.fromkeys(names, "value = one\n"))
    index = built(tmp_path)
    updates: list[int] = []
    update = ImportGraph.update

    def counted(graph: ImportGraph, interfaces: Mapping[str, bytes | None], *configs: Mapping[str, str]) -> None:
        updates.append(len(interfaces))
        update(graph, interfaces, *configs)

    monkeypatch.setattr(ImportGraph, "update", counted)
    write(tmp_path, {name: f"import m{n // 2}\n" for n, name in enumerate(names)})
    index.refresh(names)
    assert index.dependencies("m299.py") == ["m149.py"]
    assert len(updates) <= 3


def test_a_file_that_was_just_opened_knows_its_own_names(tmp_path: Path) -> None:
    """Another file's definition of the same name has nothing to say there."""
    write(tmp_path, {"settings.py": "LIMIT = 3\n"})
    index = built(tmp_path)
    text = "LIMIT = 2\n\n\nprint(LIMIT"
    assert [c.path for c in index.plan("new.py", "print(LIMIT", "", 10_000)] == ["settings.py"]
    index.change("new.py", text)
    assert index.plan("new.py", text, "", 10_000) == ()


def test_an_ignored_file_stays_out_when_it_is_opened(tmp_path: Path) -> None:
    """The editor shows it, prompts of other files do not."""
    write(tmp_path, {".repofillignore": "private.py\n", "a.py": "import private\n"})
    index = built(tmp_path)
    index.open("private.py", "PASSPHRASE = 'correct horse'\n")
    assert index.dependencies("a.py") == []
    assert index.copy_candidates("a.py", "PASSPHRASE = 'corr", "") == ()


def test_a_text_too_long_to_parse_stays_out_when_it_is_opened(tmp_path: Path) -> None:
    """What fits again is taken again."""
    write(tmp_path, README)
    index = built(tmp_path)
    long = "import main\n" * 350_000
    for text, dependencies in ((long, []), ("import main\n", ["main.py"]), (long, [])):
        index.open("long.py", text)
        assert index.dependencies("long.py") == dependencies
    (shown,) = index.plan("long.py", f"{long}\nload_data", "", 10_000)  # by its name
    assert shown.path == "utils.py"


def test_a_stopped_index_reads_nothing_more(tmp_path: Path) -> None:
    """The editor has gone. What is kept for the next one stays."""
    root, database = tmp_path / "project", tmp_path / "index.db"
    write(root, README)
    WorkspaceIndex(root, Store(database)).build()
    index = WorkspaceIndex(root, Store(database))
    index.stop()
    index.build()
    index.refresh(["utils.py"])
    assert index.ordered() == []
    assert Store(database).known().keys() == README.keys()


@pytest.mark.parametrize(("folder", "path"), [(".kube", "config.yaml"), (".ssh", "a/hosts.py"), ("a", "id_rsa.py")])
def test_folders_around_the_workspace_count_for_secrets(tmp_path: Path, folder: str, path: str) -> None:
    """A workspace inside of a folder that holds secrets has nothing to show."""
    write(tmp_path / folder, {path: "value = one\n", "other.py": "value = two\n"})
    index = built(tmp_path / folder)
    assert index.is_secret(path)
    assert index.text(path) is None


def test_no_secret_in_text_leaves_its_file(tmp_path: Path) -> None:
    """Neither shown to other files, nor copied, nor kept on disk; the editor's file itself is the user's."""
    key = "AKIA" + "Q3EGRIPTUYLZ7BNM"
    write(
        tmp_path,
        {"conf.py": f'ACCESS = "{key}"\ndef access(): return ACCESS\n', "main.py": "from conf import ACCESS\n"},
    )
    database = tmp_path / "index.db"
    index = WorkspaceIndex(tmp_path, Store(database))
    index.build()
    for opened in (False, True):
        if opened:
            index.open("conf.py", f'ACCESS = "{key}"\ndef access(): return ACCESS\n')
        shown = "".join(c.text for c in index.plan("main.py", "from conf import ACCESS\n", "", 5000))
        assert "ACCESS = " in shown
        assert key not in shown
        assert index.copy_candidates("main.py", 'ACCESS = "', "") == ()
    assert key.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("index.db*"))
    assert key in (index.text("conf.py") or "")


def test_what_is_part_of_an_ignored_file_stays_out(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.ipynb\n!kept.ipynb\n")
    index = WorkspaceIndex(tmp_path)
    for name in ("study", "kept"):
        index.change(f"{name}.ipynb.py", "def measured():\n    return 1\n", part_of=f"{name}.ipynb")
    index.settle()
    assert index.ordered() == ["kept.ipynb.py"]


DYING = """
import os, sys, time
from repofill.context import reader
read = reader.read
reader.read = lambda root, path: END if path == "m7.py" else read(root, path)
sys.argv = ["reader", sys.argv[-1]]
reader.main()
"""


@pytest.mark.parametrize("end", ["os._exit(1)", "time.sleep(1000)"])
def test_a_file_that_ends_its_reader_or_keeps_it_is_left_out(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of its batch are not, nor does the server end with it."""
    count = reader.FEW + 1
    (tmp_path / "files").mkdir()
    for number in range(count):
        (tmp_path / "files" / f"m{number}.py").write_text(f"def f{number}():\n    return {number}\n")
    (tmp_path / "dying.py").write_text(DYING.replace("END", end))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path / "dying.py"}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(reader, "_HUNG_AFTER_S", 5.0)
    index = WorkspaceIndex(tmp_path / "files")
    index.build()
    assert len(index.ordered()) == count - 1
    assert index.text("m7.py") is None
    assert index.text("m8.py") == "def f8():\n    return 8\n"
