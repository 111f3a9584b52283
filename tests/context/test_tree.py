"""The tree of facts: answers stay for as long as what they are based on, and no longer."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from repofill.context.languages.tree import FileTree
from repofill.context.outline import Interface, pack

NAMES = ["a", "b.c", "d/e", "d/f/g", "x.cfg"]


def everything(tree: FileTree) -> tuple[object, ...]:
    """A query that reads every fact there is about a few names, through another one."""
    return (
        [(name in tree, tree.is_directory(name), tree.entries(name), tree.config(name)) for name in ["", "d", *NAMES]],
        [tree.interface(name) for name in NAMES],
        [tree.named(name.rpartition("/")[2]) for name in NAMES],
        tree.ask(scoped, "s"),
    )


def scoped(tree: FileTree, scope: str) -> tuple[str, ...]:
    return tree.in_scope("python", scope)


def reads_nothing(tree: FileTree) -> object:
    return object()


PYTHON = pack(Interface(language="python"))
INTERFACES = st.sampled_from([None, PYTHON, pack(Interface(language="python", scope="s"))])
BATCHES = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(NAMES[:4]), INTERFACES),
        st.dictionaries(st.just("x.cfg"), st.sampled_from([None, "", "text"])),
    ),
    max_size=6,
)


@given(BATCHES)
def test_an_answer_is_that_of_a_fresh_tree(
    batches: list[tuple[Mapping[str, bytes | None], Mapping[str, str | None]]],
) -> None:
    """After any changes; what nothing was read for is never asked again."""
    tree = FileTree()
    kept = tree.ask(reads_nothing)
    files: dict[str, bytes | None] = {}
    configs: dict[str, str | None] = {}
    for interfaces, texts in batches:
        before = tree.ask(everything)
        dropped = tree.update(interfaces, texts)
        files |= interfaces
        configs |= texts
        fresh = FileTree()
        fresh.update(files, configs)
        assert tree.ask(everything) == fresh.ask(everything)
        assert ((everything, ()) in dropped) or before == tree.ask(everything)
        assert tree.ask(reads_nothing) is kept


def test_only_what_was_read_counts() -> None:
    """A new file drops the answers that looked for it, or at its directory, and no others."""
    tree = FileTree()
    tree.update({"a/b.py": PYTHON}, {})

    def there(tree: FileTree, path: str) -> bool:
        return path in tree

    def beside(tree: FileTree, path: str) -> tuple[str, ...]:
        return tree.entries(path)

    for path in ("a/b.py", "a/c.py", "d/e.py"):
        tree.ask(there, path)
    for path in ("", "a", "d"):
        tree.ask(beside, path)
    assert tree.update({"a/c.py": PYTHON}, {}) == {(there, ("a/c.py",)), (beside, ("a",))}
    assert tree.ask(beside, "a") == ("b.py", "c.py")
    assert tree.update({"d/e.py": PYTHON}, {}) == {
        (there, ("d/e.py",)),
        (beside, ("d",)),
        (beside, ("",)),
    }
    assert tree.ask(beside, "") == ("a/", "d/")
    assert tree.update({"d/e.py": PYTHON}, {}) == set()
