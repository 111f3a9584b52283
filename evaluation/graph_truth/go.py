"""Go: packages as `go list` finds them, uses of their names as go/types resolves them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import Project, debian

_TARGETS = (
    "linux/amd64",
    "windows/amd64",
    "darwin/arm64",
    "linux/386",
    "freebsd/arm",
    "openbsd/amd64",
    "solaris/amd64",
)
"""Systems and processors; a file that is for none of them takes part in no edge."""

_OFFLINE = {"GO111MODULE": "on", "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOWORK": "off"}

_PROGRAM = r"""package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

type listed struct {
	Dir, ImportPath, Name                          string
	GoFiles, CgoFiles, TestGoFiles, XTestGoFiles []string
}

// uses type-checks packages from their sources. What comes from elsewhere stays unknown, which costs no name of the
// packages that are listed.
type uses struct {
	files    *token.FileSet
	packages map[string]*listed
	checked  map[string]*types.Package
	edges    map[[2]string]bool
}

type importer struct {
	uses *uses
	own  *types.Package // what the outer tests of a package see of it
}

func (i importer) Import(path string) (*types.Package, error) {
	if i.own != nil && i.own.Path() == path {
		return i.own, nil
	}
	found := i.uses.packages[path]
	if found == nil {
		return nil, fmt.Errorf("%s is not part of the project", path)
	}
	if i.uses.checked[path] == nil {
		i.uses.checked[path] = types.NewPackage(path, found.Name) // against import cycles
		i.uses.checked[path] = i.uses.check(path, found.Dir, append(found.GoFiles, found.CgoFiles...), nil)
	}
	return i.uses.checked[path], nil
}

func (u *uses) check(path, dir string, names []string, own *types.Package) *types.Package {
	var files []*ast.File
	for _, name := range names {
		if file, _ := parser.ParseFile(u.files, filepath.Join(dir, name), nil, 0); file != nil {
			files = append(files, file)
		}
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer{u, own}, Error: func(error) {}, FakeImportC: true}
	checked, _ := config.Check(path, u.files, files, &info)
	for used, object := range info.Uses {
		if object.Pkg() != nil && object.Parent() == object.Pkg().Scope() {
			u.edges[[2]string{u.file(used.Pos()), u.file(object.Pos())}] = true
		}
	}
	for _, file := range files {
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if found := u.packages[path]; found != nil && spec.Name != nil && spec.Name.Name == "_" {
				for _, name := range append(found.GoFiles, found.CgoFiles...) {
					u.edges[[2]string{u.file(file.Pos()), filepath.Join(found.Dir, name)}] = true
				}
			}
		}
	}
	return checked
}

func (u *uses) file(place token.Pos) string { return u.files.PositionFor(place, false).Filename }

func main() {
	u := uses{token.NewFileSet(), map[string]*listed{}, map[string]*types.Package{}, map[[2]string]bool{}}
	decoder := json.NewDecoder(os.Stdin)
	for {
		var found listed
		if err := decoder.Decode(&found); err == io.EOF {
			break
		} else if err != nil {
			panic(err)
		}
		u.packages[found.ImportPath] = &found
	}
	for path, p := range u.packages {
		importer{&u, nil}.Import(path)
		names := append(append(append([]string{}, p.GoFiles...), p.CgoFiles...), p.TestGoFiles...)
		tested := u.check(path, p.Dir, names, nil)
		if len(p.XTestGoFiles) > 0 {
			u.check(path+"_test", p.Dir, p.XTestGoFiles, tested)
		}
	}
	edges := [][2]string{}
	for edge := range u.edges {
		edges = append(edges, edge)
	}
	json.NewEncoder(os.Stdout).Encode(edges)
}
"""


def edges(root: Path) -> set[tuple[str, str]]:
    """Every file with those that define package-level names which it uses, on any of the common systems; for `import
    _` all files of the package."""
    with _offline(root) as project:
        (project.parent / "uses").mkdir()
        program = project.parent / "uses" / "main.go"
        program.write_text(_PROGRAM)
        _run(["go", "build", "-o", "program", "main.go"], program.parent)
        found: set[tuple[str, str]] = set()
        for target in _TARGETS:
            packages = "".join(json.dumps(package) for package in _packages(project, target))
            for user, used in json.loads(_run([str(program.with_name("program"))], project, given=packages)):
                found.add((_relative(user, project), _relative(used, project)))
    return found


@contextmanager
def _offline(root: Path) -> Iterator[Path]:
    """A copy in which every go.mod requires nothing: `go list` then needs no network, and what is not in the project
    stays unknown. Modules of the project see one another, as in a workspace of all of them."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder).resolve() / "project"
        shutil.copytree(root, project, symlinks=True)
        for file in project.rglob("go.mod"):
            module = json.loads(_run(["go", "mod", "edit", "-json", str(file)], project))["Module"]["Path"]
            file.write_text(f"module {module}\n\ngo 1.19\n")
        yield project


def _packages(project: Path, target: str) -> Iterator[dict[str, Any]]:
    """What `go list` says of all packages of all modules."""
    system, processor = target.split("/")
    environment = {"GOOS": system, "GOARCH": processor, "CGO_ENABLED": "1"}
    for file in sorted(project.rglob("go.mod")):
        told = _run(["go", "list", "-e", "-json", "./...", *_data(file.parent)], file.parent, environment)
        decoder, at = json.JSONDecoder(), 0
        while at < len(told.rstrip()):
            package, at = decoder.raw_decode(told, at + len(told[at:]) - len(told[at:].lstrip()))
            yield package


def _data(module: Path) -> list[str]:
    """Folders that `./...` leaves out although their packages can be imported."""
    folders = {file.relative_to(module).parent for file in module.rglob("*.go")}
    return [f"./{folder.as_posix()}" for folder in sorted(folders) if "testdata" in folder.parts]


def _relative(file: str, project: Path) -> str:
    return Path(file).relative_to(project).as_posix()


def _run(command: list[str], folder: Path, environment: Mapping[str, str] = _OFFLINE, given: str = "") -> str:
    debian.program("go", "golang-go")
    settings = {**os.environ, **_OFFLINE, **environment}
    done = subprocess.run(command, cwd=folder, env=settings, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{command[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


PROJECTS = (
    Project(name="go: prometheus", fetch=partial(debian.source, "prometheus", "2.42.0+ds-5+deb12u1"), edges=edges),
    Project(name="go: grpc", fetch=partial(debian.source, "golang-google-grpc", "1.33.3-2"), edges=edges),
)
