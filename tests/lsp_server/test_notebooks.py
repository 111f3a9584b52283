"""What stands around a cell."""

from __future__ import annotations

from repofill.lsp_server.documents import Document
from repofill.lsp_server.notebooks import Notebooks, path_of_cells


def documents(**texts: str) -> dict[str, Document]:
    """Open documents by name; those whose name begins with "m" are prose."""
    return {
        uri: Document(uri=uri, language_id="markdown" if uri.startswith("m") else "python", text=text)
        for uri, text in texts.items()
    }


def check(cells: str, cell: str, before: str, after: str, opened: dict[str, Document]) -> None:
    notebooks = Notebooks()
    notebooks.arrange("other", ["x", "y"])
    notebooks.arrange("notebook", cells.split())
    assert notebooks.around(opened[cell], opened) == (before, after)


def test_the_cells_of_a_language_in_their_order() -> None:
    opened = documents(a="A", b="B", c="C", m="M", n="N", x="X", y="Y")
    for cells, cell, before, after in [
        ("a b c", "b", "A\n\n", "\n\nC"),
        ("a b c", "c", "A\n\nB\n\n", ""),
        ("c b a", "c", "", "\n\nB\n\nA"),
        ("a m b", "b", "A\n\n", ""),
        ("m a m2 b", "m", "", ""),
        ("a unopened b", "b", "A\n\n", ""),
        ("a b", "x", "", "\n\nY"),
        ("a b", "n", "", ""),
    ]:
        check(cells, cell, before, after, opened)


def test_a_notebook_that_is_closed_or_arranged_anew() -> None:
    opened, notebooks = documents(a="A", b="B"), Notebooks()
    assert notebooks.around(opened["a"], opened) == ("", "")
    notebooks.arrange("n", ["a", "b"])
    assert notebooks.holding("a") == "n"
    notebooks.arrange("n", ["b"])
    assert (notebooks.holding("a"), notebooks.around(opened["b"], opened)) == (None, ("", ""))
    notebooks.arrange("n", [])
    assert notebooks.holding("b") is None


def test_a_name_by_the_language() -> None:
    for language, path in [
        ("python", "a.ipynb.py"),
        ("markdown", "a.ipynb.md"),
        ("typescript", "a.ipynb.ts"),
        ("pony", "a.ipynb.pony"),
    ]:
        assert path_of_cells("a.ipynb", language) == path
