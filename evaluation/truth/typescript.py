"""TypeScript and JavaScript: definitions by the compiler's type checker."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import debian, npm
from repofill.evaluation.truth import Definition, Place, definitions

_COMPILER = ("typescript", "5.9.3")
_MEGABYTES = 6000
SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")

_SCRIPT = r"""
const [, , compiler, root] = process.argv;
const ts = require(compiler), fs = require('fs');
const { files, places } = JSON.parse(fs.readFileSync(0, 'utf8'));
const options = {
    allowJs: true, strict: true, noEmit: true, skipLibCheck: true, types: [], jsx: ts.JsxEmit.Preserve,
    target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler, experimentalDecorators: true, maxNodeModuleJsDepth: 0,
};
const program = ts.createProgram(files.map((file) => `${root}/${file}`), options);
const checker = program.getTypeChecker();

function identifierAt(source, offset) {
    let found;
    (function visit(node) {
        if (node.getStart(source) <= offset && offset < node.end) {
            if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) found = node;
            ts.forEachChild(node, visit);
        }
    })(source);
    return found;
}

function symbolAt(node) {
    const parent = node.parent;
    if (ts.isShorthandPropertyAssignment(parent)) return checker.getShorthandAssignmentValueSymbol(parent);
    if (ts.isBindingElement(parent) && (parent.propertyName ?? parent.name) === node) {  // the property taken out
        const type = ts.isObjectBindingPattern(parent.parent) && checker.getTypeAtLocation(parent.parent);
        const property = type && type.getProperty(node.text);
        if (property) return property;
    }
    return checker.getSymbolAtLocation(node);
}

// What a name stands for, through imports and through objects that only gather names for export.
function declarationsOf(symbol, depth = 0) {
    if (!symbol || depth > 8) return [];
    if (symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
    return (symbol.declarations ?? []).flatMap((declaration) => {
        let value;
        if (ts.isShorthandPropertyAssignment(declaration)) {
            value = checker.getShorthandAssignmentValueSymbol(declaration);
        } else if (ts.isPropertyAssignment(declaration) && ts.isIdentifier(declaration.initializer)) {
            value = checker.getSymbolAtLocation(declaration.initializer);
        } else if (ts.isBinaryExpression(declaration) && ts.isIdentifier(declaration.right)) {
            value = checker.getSymbolAtLocation(declaration.right);
        }
        if (value && value !== symbol) {
            const found = declarationsOf(value, depth + 1);
            if (found.length) return found;
        }
        return [declaration];
    });
}

function ownerOf(declaration) {
    if (ts.isParameterPropertyDeclaration(declaration, declaration.parent)) return 'class';
    if (ts.isParameter(declaration)) return 'parameter';
    for (let node = declaration.parent; node; node = node.parent) {
        if (ts.isClassLike(node) || ts.isInterfaceDeclaration(node) || ts.isTypeLiteralNode(node) ||
            ts.isEnumDeclaration(node) || ts.isObjectLiteralExpression(node)) return 'class';
        if (ts.isFunctionLike(node)) return 'function';
    }
    return 'module';
}

const lineStarts = new Map();  // lines end at \n alone, columns count code points
function startsOf(source) {
    if (!lineStarts.has(source)) {
        const starts = [0];
        for (let at; (at = source.text.indexOf('\n', starts.at(-1))) >= 0;) starts.push(at + 1);
        lineStarts.set(source, starts);
    }
    return lineStarts.get(source);
}
function offsetOf(source, line, column) {
    const start = startsOf(source)[line];
    return start + [...source.text.slice(start, startsOf(source)[line + 1])].slice(0, column).join('').length;
}
function placeOf(source, offset) {
    const starts = startsOf(source);
    let line = 0;
    while (line + 1 < starts.length && starts[line + 1] <= offset) line++;
    return { line, column: [...source.text.slice(starts[line], offset)].length };
}

function definitionsAt({ path, line, column }) {
    const source = program.getSourceFile(`${root}/${path}`);
    if (!source) return [];
    const node = identifierAt(source, offsetOf(source, line, column));
    return !node ? [] : declarationsOf(symbolAt(node)).flatMap((declaration) => {
        const file = declaration.getSourceFile();
        const name = ts.getNameOfDeclaration(declaration);
        if (ts.isSourceFile(declaration) || !name || !file.fileName.startsWith(`${root}/`)) return [];
        const last = ts.isPropertyAccessExpression(name) ? name.name : name;
        const place = { path: file.fileName.slice(root.length + 1), ...placeOf(file, last.getStart(file)) };
        return [{ place, name: last.getText(file), owner: ownerOf(declaration) }];
    });
}

process.stdout.write(JSON.stringify(places.map(definitionsAt)));
"""


def resolve(root: Path, places: Sequence[Place]) -> list[tuple[Definition, ...]]:
    """What `checker.getSymbolAtLocation` finds, aliases and objects that gather exports followed. Modules are no
    definitions."""
    node, compiler, root = debian.program("node", "nodejs"), npm.package(*_COMPILER), root.resolve()
    files = [file.relative_to(root).as_posix() for file in sorted(root.rglob("*")) if file.suffix in SUFFIXES]
    asked = json.dumps({"files": files, "places": [asdict(place) for place in places]})
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "definitions.cjs")
        script.write_text(_SCRIPT)
        command = [node, f"--max-old-space-size={_MEGABYTES}", str(script), str(compiler), str(root)]
        done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"TypeScript failed: {done.stderr.strip()[-300:]}")
    return definitions(done.stdout)
