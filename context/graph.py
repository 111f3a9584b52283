"""Which file imports which. Pure; kept up by `context.index` and built once per package by training.

Incremental equals fresh: a change re-resolves exactly the files whose imports could mean something else now.
"""

from __future__ import annotations

from collections.abc import Mapping

from repofill.context.languages import BY_NAME
from repofill.context.languages.support import FileTree, Resolution
from repofill.context.outline import Outline

_NOTHING = Resolution(imports=frozenset(), origins=frozenset(), consulted=frozenset())


class ImportGraph:
    """Nodes are the workspace's files that have an outline. `generation` grows exactly with a change of nodes
    or edges."""

    def __init__(self) -> None:
        self.generation = 0
        self._outlines: dict[str, Outline] = {}
        self._resolutions: dict[str, Resolution] = {}
        self._tree = FileTree({})

    @property
    def edges(self) -> Mapping[str, frozenset[str]]:
        """Every file with the files it depends on."""
        return {path: self.dependencies(path) for path in self._outlines}

    def imports(self, path: str) -> frozenset[str]:
        """What running the import statements of `path` loads, nothing else: Python's own edges."""
        return self._resolutions.get(path, _NOTHING).imports

    def dependencies(self, path: str) -> frozenset[str]:
        """What `path` imports, and the files that define names which the imported ones only pass on."""
        resolution = self._resolutions.get(path, _NOTHING)
        return resolution.imports | resolution.origins

    def dependents(self, path: str) -> frozenset[str]:
        """The files that depend on `path`."""
        return frozenset(other for other in self._outlines if path in self.dependencies(other))

    def update(self, changes: Mapping[str, Outline | None]) -> None:
        """Take over new outlines in one batch; None removes a file."""
        before, after = self._outlines, dict(self._outlines)
        for path, outline in changes.items():
            if outline is None:
                after.pop(path, None)
            else:
                after[path] = outline
        changed = {path for path in changes if before.get(path) != after.get(path)}
        if not changed:
            return
        if after.keys() == before.keys():
            before.update(after)  # the tree looks at the same mapping; where names lead can only change through it
            affected = changed | {p for p, r in self._resolutions.items() if not changed.isdisjoint(r.consulted)}
        else:
            self._outlines, self._tree = after, FileTree(after)
            affected = set(after)
        resolutions = {path: self._resolve(path) for path in affected}
        kept = {path: resolution for path, resolution in self._resolutions.items() if path in after} | resolutions
        if kept != self._resolutions:
            self.generation += 1
        self._resolutions = kept

    def _resolve(self, path: str) -> Resolution:
        outline = self._outlines[path]
        support = BY_NAME[outline.language].support
        return _NOTHING if support is None else support.resolve(path, outline, self._tree)
