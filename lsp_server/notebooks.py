"""Notebooks: their cells are documents to the protocol, and one text to everything behind it. Pure.

Earlier cells are what stands before the cursor, later ones what stands after it, as if the notebook were a file; cells
in another language, prose for example, are in another file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repofill.context.languages import suffix_of
from repofill.lsp_server.documents import Document

_CELL_END = "\n\n"


class Notebooks:
    """Which cells the open notebooks have, in order, all by their URIs."""

    def __init__(self) -> None:
        self._cells: dict[str, tuple[str, ...]] = {}

    def arrange(self, notebook: str, cells: Sequence[str]) -> None:
        """A notebook has these cells, be they open yet or not; a closed notebook has none."""
        if cells:
            self._cells[notebook] = tuple(cells)
        else:
            self._cells.pop(notebook, None)

    def holding(self, cell: str) -> str | None:
        """The notebook that a cell is in; None for whatever is no cell."""
        return next((notebook for notebook, cells in self._cells.items() if cell in cells), None)

    def around(self, document: Document, documents: Mapping[str, Document]) -> tuple[str, str]:
        """What stands before and after a document: the cells of its notebook, of those that are open, in its language.
        Nothing where it is no cell."""
        cells = self._cells.get(self.holding(document.uri) or "", (document.uri,))
        at = cells.index(document.uri)
        opened = [[documents[uri] for uri in uris if uri in documents] for uris in (cells[:at], cells[at + 1 :])]
        before, after = ([c.text for c in part if c.language_id == document.language_id] for part in opened)
        return "".join(text + _CELL_END for text in before), "".join(_CELL_END + text for text in after)


def path_of_cells(notebook_path: str, language_id: str) -> str:
    """Where the cells of a notebook that are in one language count as a file: beside it, "a.ipynb.py", which nobody can
    import."""
    return notebook_path + suffix_of(language_id)
