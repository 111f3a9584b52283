"""Which file imports which. Pure; kept up by `context.index` and built once per package by training.

Incremental equals fresh: `languages.tree` knows what each file's resolution was based on.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from repofill.context.languages import BY_NAME
from repofill.context.languages.support import Resolution
from repofill.context.languages.tree import FileTree
from repofill.context.order import DependencyOrder, Position

_NOTHING = Resolution()


class ImportGraph:
    """Nodes are the workspace's files that have an outline, edges lead from each to those that it depends on."""

    def __init__(self) -> None:
        self.edge_count = 0
        self._order = DependencyOrder()
        self._resolutions: dict[str, Resolution] = {}
        self._tree = FileTree()

    @property
    def resolutions(self) -> Mapping[str, Resolution]:
        """Every file with what its imports resolve to. A new mapping after every change."""
        return self._resolutions

    @property
    def edges(self) -> dict[str, frozenset[str]]:
        """Every file with the files it depends on."""
        return {path: resolution.dependencies for path, resolution in self._resolutions.items()}

    @property
    def positions(self) -> Mapping[str, Position]:
        """Every file with its place in the dependency order. A new mapping after every change."""
        return self._order.positions

    @property
    def configs(self) -> frozenset[str]:
        """The configuration files that it knows."""
        return self._tree.configs

    def imports(self, path: str) -> frozenset[str]:
        """What the import statements of `path` name, nothing else: the edges that the language's own tools see."""
        return self._resolutions.get(path, _NOTHING).imports

    def dependencies(self, path: str) -> frozenset[str]:
        """What `path` imports, and the files that define names which the imported ones only pass on."""
        return self._resolutions.get(path, _NOTHING).dependencies

    def update(
        self, interfaces: Mapping[str, bytes | None], configs: Mapping[str, str | None] = MappingProxyType({})
    ) -> None:
        """Take over new interfaces, packed, and texts of configuration files in one batch; None removes a file."""
        before = self._resolutions
        dropped = self._tree.update(interfaces, configs)
        affected = {arguments[0] for query, arguments in dropped if query is _resolve}
        affected.update(path for path in interfaces if path not in before)
        resolved = {path: self._tree.ask(_resolve, path) for path in sorted(affected) if path in self._tree}
        gone = [path for path in interfaces if path in before and path not in self._tree]
        edges: dict[str, frozenset[str] | None] = {path: found.dependencies for path, found in resolved.items()}
        edges = {p: targets for p, targets in edges.items() if p not in before or targets != self.dependencies(p)}
        edges |= dict.fromkeys(gone)
        self.edge_count += sum(len(targets or ()) - len(self.dependencies(path)) for path, targets in edges.items())
        self._order.update(edges)
        now = {**before, **resolved}
        for path in gone:
            del now[path]
        self._resolutions = now


def _resolve(tree: FileTree, path: str) -> Resolution:
    interface = tree.interface(path)
    support = None if interface is None else BY_NAME[interface.language].support
    return _NOTHING if support is None else support.resolve(path, tree)
