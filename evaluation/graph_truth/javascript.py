"""JavaScript: the same as TypeScript, for projects without it."""

from __future__ import annotations

from functools import partial

from repofill.evaluation.graph_truth import Project, npm, typescript

PROJECTS = (
    Project(name="javascript: eslint", fetch=partial(npm.package, "eslint", "8.57.1"), edges=typescript.edges),
    Project(name="javascript: webpack", fetch=partial(npm.package, "webpack", "5.99.9"), edges=typescript.edges),
)
