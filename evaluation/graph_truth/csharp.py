"""C#: the types that Roslyn, the C# compiler, finds behind every name of a file.

Nobody needs an SDK: .NET's runtime comes from the package index (`dotnetcore2`, with `pythonnet` to call it), the
compiler's libraries with a code generator of the npm registry that is built on them. Each project file is a compilation
of its own, without a symbol of the preprocessor and without .NET's libraries: names of the project's types do not need
them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path

import platformdirs

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import Project, debian, npm

_RUNTIME = ("dotnetcore2==3.1.23", "pythonnet==3.0.5", "clr-loader==0.2.7.post0")
_COMPILER = ("@autorest/csharp", "3.0.0-beta.20230104.1")

_PROGRAM = r"""
import json, os, sys
from pathlib import Path
from xml.etree import ElementTree

import dotnetcore2
from clr_loader import get_coreclr
from pythonnet import set_runtime

compiler, root, settings = sys.argv[1:]
runtime = Path(dotnetcore2.__file__).parent / "bin"
framework = next(runtime.glob("shared/Microsoft.NETCore.App/*"))
framework_version = {"name": framework.parent.name, "version": framework.name}
Path(settings).write_text(json.dumps({"runtimeOptions": {"tfm": "netcoreapp3.1", "framework": framework_version}}))
set_runtime(get_coreclr(runtime_config=settings, dotnet_root=str(runtime)))

import clr
for name in ("Microsoft.CodeAnalysis", "Microsoft.CodeAnalysis.CSharp"):
    clr.AddReference(f"{compiler}/{name}.dll")
from Microsoft.CodeAnalysis import MetadataReference, ModelExtensions, OutputKind, SymbolKind, SyntaxTree
from Microsoft.CodeAnalysis.CSharp import (
    CSharpCompilation, CSharpCompilationOptions, CSharpExtensions, CSharpParseOptions, CSharpSyntaxTree,
    LanguageVersion)
from Microsoft.CodeAnalysis.CSharp.Syntax import (
    BaseTypeDeclarationSyntax, SimpleNameSyntax)
from System import Array
from System.Linq import Enumerable
from System.Threading import CancellationToken

NOTHING = getattr(CancellationToken, "None")
OPTIONS = CSharpParseOptions(LanguageVersion.Latest)
trees = {}

def tree(path):
    if path not in trees:
        text = Path(path).read_text("utf-8-sig", "replace")
        trees[path] = CSharpSyntaxTree.ParseText(text, OPTIONS, path)
    return trees[path]

def items(project, kind):
    found = (item.get("Include") for item in ElementTree.parse(project).iterfind(f".//{{*}}{kind}"))
    paths = (os.path.normpath(os.path.join(os.path.dirname(project), i.replace("\\", "/"))) for i in found if i)
    return [path for path in paths if os.path.isfile(path)]

def sources(project):
    listed = [path for path in items(project, "Compile") if path.endswith(".cs")]
    folder = Path(project).parent
    nested = [other.parent for other in folder.rglob("*.csproj") if other.parent != folder]
    return listed or [str(f) for f in sorted(folder.rglob("*.cs")) if not any(n in f.parents for n in nested)]

compilations = {}

def compilation(project):
    if project not in compilations:
        compilations[project] = None  # in a circle
        files = sources(project) if project else [str(file) for file in sorted(Path(root).rglob("*.cs"))]
        others = [compilation(other) for other in items(project, "ProjectReference")] if project else []
        references = [other.ToMetadataReference() for other in others if other is not None]
        compilations[project] = CSharpCompilation.Create(
            f"p{len(compilations)}", Array[SyntaxTree]([tree(file) for file in files]),
            Array[MetadataReference](references), CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary))
    return compilations[project]

def show(path, symbol):
    for part in symbol.OriginalDefinition.DeclaringSyntaxReferences:
        print(path, part.SyntaxTree.FilePath, sep="\t")

projects = sorted(str(file) for file in Path(root).rglob("*.csproj")) or [""]
for project in projects:
    whole = compilation(project)
    for one in list(whole.SyntaxTrees):
        model, top = whole.GetSemanticModel(one), one.GetRoot(NOTHING)
        for declaration in Enumerable.OfType[BaseTypeDeclarationSyntax](top.DescendantNodes()):
            show(one.FilePath, CSharpExtensions.GetDeclaredSymbol(model, declaration, NOTHING))
        for name in Enumerable.OfType[SimpleNameSyntax](top.DescendantNodes()):
            if name.IsVar:
                continue
            found = ModelExtensions.GetSymbolInfo(model, name, NOTHING)
            symbol = found.Symbol
            if symbol is None and found.CandidateSymbols.Length == 1:
                symbol = found.CandidateSymbols[0]
            if symbol is None:
                continue
            if symbol.Kind == SymbolKind.Method and symbol.Name == ".ctor":
                symbol = symbol.ContainingType
            if symbol.Kind == SymbolKind.NamedType:
                show(one.FilePath, symbol)
"""


def edges(root: Path) -> set[tuple[str, str]]:
    """Every file with those that declare the types it names, and with the other parts of its partial types."""
    root = root.resolve()
    tools = _tools()
    compiler = npm.package(*_COMPILER)
    settings = tools / "runtimeconfig.json"
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(compiler), str(root), str(settings)],
        env={**os.environ, "PYTHONPATH": str(tools), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f"Roslyn failed: {done.stderr.strip()[-300:]}")
    pairs = (line.split("\t") for line in set(done.stdout.splitlines()))
    return {(_relative(path, root), _relative(target, root)) for path, target in pairs}


def _relative(path: str, root: Path) -> str:
    return Path(path).relative_to(root).as_posix()


def _tools() -> Path:
    """The folder with .NET's runtime and the way to it from Python, installed on first use."""
    folder = platformdirs.user_cache_path("repofill") / "packages" / "dotnet-3.1.23"
    if not folder.is_dir():
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        _pip("install", "--target", str(part), *_RUNTIME)
        part.rename(folder)
    return folder


def _sdist(name: str, version: str) -> Path:
    """The folder of a source distribution, downloaded on first use."""
    folder = platformdirs.user_cache_path("repofill") / "packages" / f"{name}-{version}.sdist"
    if not folder.is_dir():
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        _pip("download", "--no-deps", "--no-binary", name, "--dest", str(part), f"{name}=={version}")
        with tarfile.open(next(part.glob("*.tar.gz"))) as archive:
            archive.extractall(part, filter="data")
        (part / f"{name}-{version}").rename(folder)
        shutil.rmtree(part)
    return folder


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"pip failed, check the network and pip's settings: {done.stderr.strip()[-300:]}")


PROJECTS = (
    Project(name="c#: keepass", fetch=partial(debian.source, "keepass2", "2.47+dfsg-2"), edges=edges),
    Project(name="c#: pythonnet", fetch=partial(_sdist, "pythonnet", "3.0.5"), edges=edges),
)
