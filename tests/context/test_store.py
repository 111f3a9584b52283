"""The store: what goes in comes out, for as long as the code that made it is the same; a bad file is replaced."""

from __future__ import annotations

import os
import sqlite3
from collections import ChainMap
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from repofill.context import store as store_module
from repofill.context.outline import Interface, Outline
from repofill.context.parse import parse
from repofill.context.store import Row, Stamp, Store, digest_of, encode


def row(path: str, text: str, modified_ns: int = 1) -> Row:
    return encode(path, text, parse(path, text), Stamp(modified_ns=modified_ns, size=len(text)))


def defined(path: str, text: str) -> Outline | None:
    """An outline as the store has it: of the interface, which is kept beside it, the language alone."""
    outline = parse(path, text)
    return outline and replace(outline, interface=Interface(language=outline.interface.language))


def kept(store: Store, path: str, text: str) -> tuple[str | None, Outline | None]:
    """What the store has of a text."""
    return store.text(path, digest_of(text)), store.outline(path, digest_of(text))


@given(st.dictionaries(st.sampled_from(["a.py", "b/é.py", "c.toml"]), st.text(), max_size=3))
def test_what_goes_in_comes_out(texts: dict[str, str]) -> None:
    """Text, outline and what memory keeps, together; never those of another text."""
    store = Store()
    rows = {path: row(path, text) for path, text in texts.items()}
    store.write(rows.values())
    assert store.known() == {path: made.of_memory() for path, made in rows.items()}
    assert store.symbols(texts) == {path: made.of_graph() for path, made in rows.items()}
    assert dict(ChainMap(*store.filters(texts))) == {path: made.of_match() for path, made in rows.items()}
    for path, text in texts.items():
        assert kept(store, path, text) == (text, defined(path, text))
        assert kept(store, path, text + "x") == (None, None)
    store.write([], texts)
    assert store.known() == {}
    store.close()


TEXT = "import os\n\n\ndef f(x):\n    '''What.'''\n    return os.path\n"


def test_it_outlives_the_process(tmp_path: Path) -> None:
    """In a folder that need not exist; two at a time see each other's files."""
    path = tmp_path / "new" / "index.db"
    first = Store(path)
    first.write([row("a.py", TEXT)])
    second = Store(path)
    assert kept(second, "a.py", TEXT) == (TEXT, defined("a.py", TEXT))
    first.close()
    second.write([row("a.py", TEXT, modified_ns=2)])
    assert Store(path).known()["a.py"].stamp.modified_ns == 2


def test_other_code_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its outlines do not count."""
    path = tmp_path / "index.db"
    Store(path).write([row("a.py", TEXT)])
    monkeypatch.setattr(store_module, "fingerprint", lambda: "another version")
    store = Store(path)
    assert store.known() == {}
    assert not store.rebuilt


def test_other_code_has_taken_it_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of before an upgrade that still runs writes nothing into it."""
    path = tmp_path / "index.db"
    old = Store(path)
    old.open()
    with monkeypatch.context() as upgraded:
        upgraded.setattr(store_module, "fingerprint", lambda: "another version")
        new = Store(path)
        new.write([row("a.py", TEXT)])
    old.write([row("b.py", TEXT)], ["a.py"])
    assert new.known().keys() == {"a.py"}


def nonsense(path: Path) -> None:
    path.write_bytes(b"nonsense" * 1000)


def another_program(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE file (colour TEXT)")
    database.commit()


def half(path: Path) -> None:
    Store(path).write(row(f"{n}.py", f"x = {n}\n" * 500) for n in range(200))
    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3] + b"\xff" * 5000)


@pytest.mark.parametrize("spoil", [nonsense, another_program, half])
def test_a_bad_file_is_replaced(tmp_path: Path, spoil: object) -> None:
    """And what is written from then on is kept."""
    path = tmp_path / "index.db"
    spoil(path)  # type: ignore[operator]
    store = Store(path)
    store.write([row("a.py", TEXT)])
    assert kept(store, "a.py", TEXT) == (TEXT, defined("a.py", TEXT))
    again = Store(path)
    assert kept(again, "a.py", TEXT) == (TEXT, defined("a.py", TEXT)) or store.rebuilt


def test_a_damaged_row_is_left_out(tmp_path: Path) -> None:
    """Whatever stands in it; the others count."""
    store = Store(tmp_path / "index.db")
    store.write([row("a.py", TEXT), row("b.py", TEXT), row("c.py", TEXT)])
    with sqlite3.connect(tmp_path / "index.db") as database:
        database.execute("UPDATE file SET interface = ?, outline = ? WHERE path = 'a.py'", (b"\x93\x01", b"no outline"))
        database.execute("UPDATE file SET interface = 'text', outline = 7, text = 7 WHERE path = 'b.py'")
    assert store.symbols({"a.py", "b.py", "c.py"}).keys() == {"c.py"}
    assert kept(store, "a.py", TEXT) == (TEXT, None)
    assert kept(store, "b.py", TEXT) == (None, None)
    assert kept(store, "c.py", TEXT) == (TEXT, defined("c.py", TEXT))


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """Then it lasts as long as the process."""
    (tmp_path / "file").write_text("not a folder")
    store = Store(tmp_path / "file" / "index.db")
    store.write([row("a.py", TEXT)])
    assert kept(store, "a.py", TEXT) == (TEXT, defined("a.py", TEXT))


def test_a_workspace_that_nobody_opens_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves nothing behind, though its last server was killed; one in use stays."""
    monkeypatch.setattr(store_module, "user_cache_path", lambda name: tmp_path)
    old = Store.of_workspace(tmp_path / "old")
    old.write([row("a.py", TEXT)])
    left = [*(tmp_path / "workspaces").iterdir()]
    assert len(left) == 3
    for file in left:
        os.utime(file, (0, 0))
    Store.of_workspace(tmp_path / "old").write([row("b.py", TEXT)])
    Store.of_workspace(tmp_path / "new").open()
    assert all(file.exists() for file in left)
    for file in left:
        os.utime(file, (0, 0))
    Store.of_workspace(tmp_path / "new").open()
    assert not any(file.exists() for file in left)


def test_servers_that_start_together(tmp_path: Path) -> None:
    """None throws away what another has made."""
    stores: list[Store] = []

    def start(number: int) -> None:
        store = Store(tmp_path / "index.db")
        store.write([row(f"{number}.py", TEXT)])
        stores.append(store)

    threads = [Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(store.rebuilt for store in stores)
    assert [len(store.known()) for store in stores] == [8] * 8


def test_a_file_that_another_server_holds_on_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not thrown away; what this one reads lasts as long as its process."""
    monkeypatch.setattr(store_module, "_BUSY_MS", 50)
    Store(tmp_path / "index.db").write([row("a.py", TEXT)])
    with sqlite3.connect(tmp_path / "index.db") as database:
        database.execute("BEGIN IMMEDIATE")
        assert Store(tmp_path / "index.db").known().keys() == {"a.py"}
        with monkeypatch.context() as another_version:
            another_version.setattr(store_module, "fingerprint", lambda: "another version")
            store = Store(tmp_path / "index.db")
            store.write([row("b.py", TEXT)])
    assert store.known().keys() == {"b.py"}
    assert Store(tmp_path / "index.db").known().keys() == {"a.py"}


def test_writers_on_many_threads(tmp_path: Path) -> None:
    """Of two servers on one workspace: everything arrives."""
    stores = [Store(tmp_path / "index.db") for _ in range(2)]

    def work(number: int) -> None:
        for step in range(20):
            stores[number % 2].write([row(f"{number}-{step}.py", f"x = {step}\n")])

    threads = [Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].known().keys() == stores[1].known().keys() == {f"{n}-{s}.py" for n in range(6) for s in range(20)}
