"""TypeScript and JavaScript: what the compiler itself takes for imports of each file and where it finds them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import Project, debian, npm

_COMPILER = ("typescript", "5.9.3")
_SCRIPT = r"""
const [, , compiler, root, outputs] = process.argv;
const ts = require(compiler), fs = require('fs'), path = require('path');
const built = JSON.parse(outputs);

const SOURCES = { '.js': ['.ts', '.tsx', '.js', '.jsx'], '.cjs': ['.cts', '.cjs'], '.mjs': ['.mts', '.mjs'] };
function madeFrom(file) {  // the source of a file that the project's build would write
    const extension = path.extname(file);
    for (const [output, source] of Object.entries(built)) {
        const at = file.lastIndexOf(`/${output}/`);
        if (at < 0 || !SOURCES[extension] || !fs.existsSync(`${file.slice(0, at)}/package.json`)) continue;
        const stem = `${file.slice(0, at)}/${source}/${file.slice(at + output.length + 2, -extension.length)}`;
        for (const end of SOURCES[extension]) if (fs.existsSync(stem + end)) return stem + end;
    }
}
function isOutputFolder(folder) {
    return Object.entries(built).some(([output, source]) => {
        const at = `${folder}/`.lastIndexOf(`/${output}/`);
        return at >= 0 && fs.existsSync(`${folder.slice(0, at)}/package.json`) &&
            fs.existsSync(`${folder.slice(0, at)}/${source}${folder.slice(at + output.length + 1)}`);
    });
}
const host = {
    ...ts.sys,
    fileExists: (file) => ts.sys.fileExists(file) || madeFrom(file) !== undefined,
    directoryExists: (folder) => ts.sys.directoryExists(folder) || isOutputFolder(folder),
    readDirectory: () => [],
    getCurrentDirectory: () => root,
};

function optionsFor(config) {
    const options = config
        ? ts.parseJsonConfigFileContent(ts.readConfigFile(config, ts.sys.readFile).config, host,
                                        path.dirname(config), undefined, config).options
        : { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
    return { ...options, allowJs: true, noLib: true, noResolve: true, types: [] };
}
function configFor(folder) {
    for (; folder.startsWith(root); folder = path.dirname(folder)) {
        const found = ['tsconfig.json', 'jsconfig.json'].map((name) => `${folder}/${name}`).find(ts.sys.fileExists);
        if (found) return found;
    }
}

const groups = new Map();
for (const file of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    const config = configFor(path.dirname(`${root}/${file}`));
    groups.set(config, [...(groups.get(config) ?? []), `${root}/${file}`]);
}
const edges = [];
for (const [config, rootNames] of groups) {
    const options = optionsFor(config);
    const program = ts.createProgram({ rootNames, options });
    const cache = ts.createModuleResolutionCache(root, (name) => name, options);
    for (const name of rootNames) {
        const source = program.getSourceFile(name);
        for (const reference of source.referencedFiles) {
            edges.push([name, path.resolve(path.dirname(name), reference.fileName)]);
        }
        const augmented = source.moduleAugmentations.filter((node) => node.text !== undefined);
        for (const node of [...source.imports, ...augmented]) {
            const mode = ts.getModeForUsageLocation(source, node, options);
            const found = ts.resolveModuleName(node.text, name, options, host, cache, undefined, mode);
            const target = found.resolvedModule?.resolvedFileName;
            if (target) edges.push([name, fs.realpathSync(fs.existsSync(target) ? target : madeFrom(target))]);
        }
    }
}
process.stdout.write(JSON.stringify(edges));
"""
_SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")


def edges(root: Path, *, built: dict[str, str] | None = None) -> set[tuple[str, str]]:
    """Every file with those that it imports. The packages of a workspace are linked into `node_modules` as npm does.
    `built`: folder of a package that its build writes, which is not there → folder of the sources."""
    node = debian.program("node", "nodejs")
    compiler = npm.package(*_COMPILER)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / "project"
        shutil.copytree(root, copy, symlinks=True)
        files = sorted(file.relative_to(copy).as_posix() for file in copy.rglob("*") if file.suffix in _SUFFIXES)
        _link_packages(copy)
        script = copy.parent / "edges.cjs"
        script.write_text(_SCRIPT)
        command = [node, str(script), str(compiler), str(copy), json.dumps(built or {})]
        done = subprocess.run(command, input="\n".join(files), capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"TypeScript failed: {done.stderr.strip()[-300:]}")
        return {
            tuple(os.path.relpath(path, copy) for path in pair)  # type: ignore[misc]
            for pair in json.loads(done.stdout)
            if pair[1].startswith(f"{copy}/")
        }


def _link_packages(root: Path) -> None:
    for manifest in _packages(root):
        name = json.loads(manifest.read_text("utf-8")).get("name")
        link = root / "node_modules" / str(name)
        if name and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(manifest.parent)


def _packages(root: Path) -> Iterator[Path]:
    manifest = root / "package.json"
    workspaces = json.loads(manifest.read_text("utf-8")).get("workspaces", []) if manifest.is_file() else []
    for pattern in workspaces if isinstance(workspaces, list) else workspaces["packages"]:
        yield from sorted(root.glob(f"{pattern}/package.json"))


PROJECTS = (
    Project(
        name="typescript: babel",
        fetch=partial(
            debian.upstream,
            "node-babel7",
            "7.20.15+ds1+~cs214.269.168-3+deb12u2",
            "**/test/fixtures",
        ),
        edges=partial(edges, built={"lib": "src"}),
    ),
    Project(name="typescript: rxjs", fetch=partial(npm.package, "rxjs", "7.8.2", "dist"), edges=edges),
)
