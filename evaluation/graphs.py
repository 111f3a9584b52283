"""The import graph of real projects against what their languages' own tools say: precision and recall."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from repofill.context.graph import ImportGraph
from repofill.context.languages import BY_NAME, Language, language_of
from repofill.context.outline import pack
from repofill.context.parse import parse
from repofill.evaluation import graph_truth
from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import Project

LANGUAGES = tuple(
    sorted(module.name for module in pkgutil.iter_modules(graph_truth.__path__) if module.name in BY_NAME)
)


def report(languages: tuple[str, ...] = LANGUAGES) -> dict[str, dict[str, float]]:
    """Figures of each project, by its name."""
    return {project.name: _figures(*compare(project, language)) for language, project in projects(languages)}


def projects(languages: tuple[str, ...]) -> Iterator[tuple[str, Project]]:
    """Every project of these languages."""
    for language in languages:
        if language not in LANGUAGES:
            raise BenchmarkError(f"there is no project of {language!r}; there are {', '.join(LANGUAGES)}")
        for project in importlib.import_module(f"{graph_truth.__name__}.{language}").PROJECTS:
            yield language, project


def compare(project: Project, language: str) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The edges of the graph and those of the ecosystem's tool, of one language's files."""
    root = project.fetch()
    interfaces, configs = _read(root, BY_NAME[language])
    graph = ImportGraph()
    graph.update(interfaces, configs)
    found = {(path, target) for path in interfaces for target in graph.imports(path)}
    true = {(a, b) for a, b in project.edges(root) if a in interfaces and b in interfaces and a != b}
    return found - (project.skipped(root) - true), true


def _read(root: Path, language: Language) -> tuple[dict[str, bytes], dict[str, str]]:
    """The packed interfaces of the project's source files, in this language and those that import one another with it
    (JavaScript and TypeScript), and the texts of its configuration files."""
    interfaces, configs = dict[str, bytes](), dict[str, str]()
    patterns = language.support.configs if language.support is not None else ()
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        known = language_of(path)
        if not file.is_file() or file.is_symlink():
            continue
        if known is not None and known.support is language.support:
            outline = parse(path, file.read_text("utf-8", "replace").replace("\r\n", "\n"))
            if outline is not None:
                interfaces[path] = pack(outline.interface)
        elif any(fnmatch(file.name, pattern) for pattern in patterns):
            configs[path] = file.read_text("utf-8", "replace")
    return interfaces, configs


def _figures(found: set[tuple[str, str]], true: set[tuple[str, str]]) -> dict[str, float]:
    if not true:
        raise BenchmarkError("the ecosystem's tool found no dependency at all")
    both = len(found & true)
    return {
        "edges": len(true),
        "precision %": 100 * both / len(found) if found else 0.0,
        "recall %": 100 * both / len(true),
    }
