"""Shell: `source` commands as Bash itself parses and expands them; where dracut installs files, by its own code."""

from __future__ import annotations

import posixpath
import re
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from repofill.evaluation.graph_truth import Project, debian, npm

_PRINTED = "f() {\n%s\n}\ndeclare -f f\n"
_COMMAND = re.compile(
    r"(?:^|[;&|({]|\b(?:then|do|else)\b)[ \t]*(?:\.|source) "
    r"(\"?\$\(dirname '[^']*'\)[^ \n;&|]*|[^ \n;&|)$`]*(?:\$\w+|\$\{\w+\})?[^ \n;&|)$`]*)",
    re.MULTILINE,
)
_INSTALL = """
command_not_found_handle() { return 0; }
inst() { printf 'INSTALL\\t%s\\t%s\\n' "$1" "${2:-$1}"; }
inst_simple() { inst "$@"; }
inst_script() { inst "$@"; }
initdir=/nonexistent
moddir=${PWD}
. ./module-setup.sh
install
"""


def edges(variables: Mapping[str, str], root: Path) -> set[tuple[str, str]]:
    """Every file with those that it sources, with `variables` set; "{root}" in one is the project's folder, "{folder}"
    the file's own."""
    root = root.resolve()
    bash = debian.program("bash", "bash")
    installed = _installed(bash, root)
    found = set()
    for file in (file for ending in ("*.sh", "*.bash") for file in root.rglob(ending)):
        setting = {name: value.format(root=root, folder=file.parent) for name, value in variables.items()}
        for word in _words(bash, file):
            told = _bash(bash, f"printf %s {word}", file.parent, setting).strip()
            place = posixpath.join(file.parent, installed.get(posixpath.normpath(told), told))
            target = Path(posixpath.normpath(place))
            if told and target.is_file() and target.is_relative_to(root):
                found.add((file.relative_to(root).as_posix(), target.relative_to(root).as_posix()))
    return found


def _words(bash: str, file: Path) -> list[str]:
    """The first arguments of `source`, as they are written, in what Bash prints of the file's commands: those without
    a command in them other than `dirname` of the script."""
    printed = _bash(bash, _PRINTED % file.read_text("utf-8", "replace"), file.parent, {"PATH": "/nonexistent"})
    own = f"'{file}'"
    return list(_COMMAND.findall(printed.replace('"${BASH_SOURCE[0]}"', own).replace('"$0"', own)))


def _installed(bash: str, root: Path) -> dict[str, str]:
    """Where dracut's modules put their files, with the files' places in the project; nothing but Bash's own commands
    is run."""
    found = {}
    for setup in sorted(root.glob("modules.d/*/module-setup.sh")):
        for line in _bash(bash, _INSTALL, setup.parent, {"PATH": "/nonexistent"}).splitlines():
            name, *places = line.split("\t")
            if name == "INSTALL" and len(places) == 2 and places[0].startswith(f"{root}/"):
                found[posixpath.normpath(places[1])] = places[0]
    return found


def _bash(bash: str, script: str, folder: Path, variables: Mapping[str, str]) -> str:
    command = [bash, "--norc", "--noprofile"]
    setting = {"PATH": "/usr/bin:/bin", **variables}
    done = subprocess.run(command, cwd=folder, input=script.encode(), env=setting, capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace")


PROJECTS = (
    Project(
        name="shell: dracut",
        fetch=partial(debian.source, "dracut", "059-4"),
        edges=partial(edges, {"basedir": "{root}", "dracutbasedir": "{root}", "moddir": "{folder}"}),
    ),
    Project(name="shell: bats-assert", fetch=partial(npm.package, "bats-assert", "2.2.4"), edges=partial(edges, {})),
)
