"""Lua: calls of `require` in what Lua's own compiler makes of a file, found by `package.searchpath`."""

from __future__ import annotations

import re
import subprocess
from functools import partial
from pathlib import Path

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import Project, debian

_INSTRUCTION = re.compile(r"^\t\d+\t\[-?\d+\]\t(\w+) *\t([^\t;]*)(?:\t; (.*))?$")
_FIND = """
for name in io.lines() do
  print(name .. "\\t" .. (package.searchpath(name, arg[1]) or ""))
end
"""


def edges(folders: tuple[str, ...], root: Path) -> set[tuple[str, str]]:
    """Every file with the modules that it requires by a literal name, wherever in the file, from the folders that the
    project has on its path."""
    lua, compiler = debian.program("lua5.4", "lua5.4"), debian.program("luac5.4", "lua5.4")
    files = sorted(file.relative_to(root).as_posix() for file in root.rglob("*.lua"))
    required = {file: _required(compiler, file, root) for file in files}
    names = sorted({name for found in required.values() for name in found})
    path = ";".join(f"{folder}/{form}" for folder in folders for form in ("?.lua", "?/init.lua"))
    told = _run([lua, "-e", _FIND, "/dev/null", path], root, "\n".join(names))
    places = dict(line.split("\t") for line in told.splitlines())
    return {(file, str(Path(places[name]))) for file, found in required.items() for name in found if places[name]}


def _required(compiler: str, file: str, root: Path) -> set[str]:
    """The names with which a file's bytecode calls `require`: three instructions, the last with or without the name's
    result being returned. `pcall(require, name)` differs in the third alone."""
    done = subprocess.run([compiler, "-l", "-p", file], cwd=root, capture_output=True, text=True, check=False)
    instructions = [match.groups() for line in done.stdout.splitlines() if (match := _INSTRUCTION.match(line))]
    return {
        name.strip('"')
        for (_, _, function), (loads, _, name), (calls, _, _) in zip(
            instructions, instructions[1:], instructions[2:], strict=False
        )
        if function in ('_ENV "require"', "require") and loads == "LOADK" and calls in ("CALL", "TAILCALL") and name
    }


def _run(command: list[str], folder: Path, text: str) -> str:
    done = subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


PROJECTS = (
    Project(
        name="lua: luarocks",
        fetch=partial(debian.source, "luarocks", "3.8.0+dfsg1-1"),
        edges=partial(edges, (".", "src")),
    ),
    Project(
        name="lua: neovim",
        fetch=partial(debian.source, "neovim", "0.7.2-7"),
        edges=partial(edges, (".", "runtime/lua")),
    ),
)
