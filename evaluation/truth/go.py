"""Go: definitions as go/types resolves them, for one system; what comes from outside of the workspace but not from the
standard library stays unknown."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import debian
from repofill.evaluation.truth import Definition, Place, definitions

_PROGRAM = r"""package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

type Place struct {
	Path   string `json:"path"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

type Definition struct {
	Place Place  `json:"place"`
	Name  string `json:"name"`
	Owner string `json:"owner"`
}

// resolver type-checks the packages of a workspace from their sources.
type resolver struct {
	root     string
	files    *token.FileSet
	standard types.Importer
	packages map[string]*build.Package
	checked  map[string]*types.Package
	sources  map[string][]string
	wanted   map[Place]bool
	found    map[Place][]Definition
}

type imports struct {
	*resolver
	own *types.Package // what the outer tests of a package see of it
}

func (i imports) Import(name string) (*types.Package, error) {
	if i.own != nil && i.own.Path() == name {
		return i.own, nil
	}
	found := i.packages[name]
	if found == nil && !strings.Contains(strings.Split(name, "/")[0], ".") {
		return i.standard.Import(name)
	} else if found == nil {
		return nil, fmt.Errorf("%s is not part of the workspace", name)
	}
	if i.checked[name] == nil {
		i.checked[name] = types.NewPackage(name, found.Name) // against import cycles
		i.checked[name] = i.check(name, found, append(found.GoFiles, found.CgoFiles...), nil)
	}
	return i.checked[name], nil
}

func (r *resolver) check(name string, found *build.Package, names []string, own *types.Package) *types.Package {
	var files []*ast.File
	for _, name := range names {
		if file, _ := parser.ParseFile(r.files, filepath.Join(found.Dir, name), nil, 0); file != nil {
			files = append(files, file)
		}
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: imports{r, own}, Error: func(error) {}, FakeImportC: true}
	checked, _ := config.Check(name, r.files, files, &info)
	for used, object := range info.Uses {
		if place := r.place(used.Pos()); r.wanted[place] && object.Pos().IsValid() {
			if target := r.place(object.Pos()); target.Path != "" {
				r.found[place] = append(r.found[place], Definition{target, object.Name(), owner(object)})
			}
		}
	}
	return checked
}

func owner(object types.Object) string {
	switch object := object.(type) {
	case *types.Func:
		if object.Type().(*types.Signature).Recv() != nil {
			return "class"
		}
	case *types.Var:
		if object.IsField() {
			return "class"
		}
	}
	if object.Pkg() != nil && object.Parent() == object.Pkg().Scope() {
		return "module"
	}
	return "function"
}

// place has an empty path for what is not in the workspace.
func (r *resolver) place(at token.Pos) Place {
	position := r.files.PositionFor(at, false)
	relative, err := filepath.Rel(r.root, position.Filename)
	if err != nil || strings.HasPrefix(relative, "..") {
		return Place{}
	}
	lines, known := r.sources[relative]
	if !known {
		text, _ := os.ReadFile(position.Filename)
		lines = strings.Split(string(text), "\n")
		r.sources[relative] = lines
	}
	column := utf8.RuneCountInString(lines[position.Line-1][:position.Column-1])
	return Place{filepath.ToSlash(relative), position.Line - 1, column}
}

var module = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)`)

// find adds every package below the root, under the import path that the go.mod above it gives.
func (r *resolver) find() {
	modules := map[string]string{}
	filepath.WalkDir(r.root, func(folder string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		name, known := modules[filepath.Dir(folder)]
		if known {
			name = path.Join(name, entry.Name())
		}
		if text, err := os.ReadFile(filepath.Join(folder, "go.mod")); err == nil {
			if stated := module.FindSubmatch(text); stated != nil {
				name, known = string(stated[1]), true
			}
		}
		if !known {
			return nil
		}
		modules[folder] = name
		if found, _ := build.ImportDir(folder, 0); found != nil && found.Name != "" {
			r.packages[name] = found
		}
		return nil
	})
}

func main() {
	var places []Place
	if err := json.NewDecoder(os.Stdin).Decode(&places); err != nil {
		panic(err)
	}
	files := token.NewFileSet()
	r := &resolver{
		os.Args[1], files, importer.ForCompiler(files, "source", nil), map[string]*build.Package{},
		map[string]*types.Package{}, map[string][]string{}, map[Place]bool{}, map[Place][]Definition{},
	}
	for _, place := range places {
		r.wanted[place] = true
	}
	r.find()
	for name, found := range r.packages {
		tested, _ := imports{r, nil}.Import(name)
		if len(found.TestGoFiles) > 0 {
			names := append(append(append([]string{}, found.GoFiles...), found.CgoFiles...), found.TestGoFiles...)
			tested = r.check(name, found, names, nil)
		}
		if len(found.XTestGoFiles) > 0 {
			r.check(name+"_test", found, found.XTestGoFiles, tested)
		}
	}
	answer := make([][]Definition, len(places))
	for number, place := range places {
		answer[number] = append([]Definition{}, r.found[place]...)
	}
	json.NewEncoder(os.Stdout).Encode(answer)
}
"""


def resolve(root: Path, places: Sequence[Place]) -> list[tuple[Definition, ...]]:
    """What go/types records as the use of an object: fields and methods too. Packages are no definitions."""
    go, root = debian.program("go", "golang-go"), root.resolve()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "main.go")
        program.write_text(_PROGRAM)
        settings = {**os.environ, "GO111MODULE": "off", "CGO_ENABLED": "0", "GOFLAGS": ""}
        asked = json.dumps([asdict(place) for place in places])
        command = [go, "run", str(program), str(root)]
        done = subprocess.run(command, env=settings, input=asked, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"go failed: {done.stderr.strip()[-300:]}")
    return definitions(done.stdout)
