"""PHP: names resolved by PHP-Parser's NameResolver, files by the class map that Composer itself writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import Project, debian

_SCRIPT = r"""<?php
require 'PhpParser/autoload.php';
use PhpParser\{ConstExprEvaluator, Node, NodeTraverser, NodeVisitor, NodeVisitorAbstract, ParserFactory};

[, $root, $classMap, $list] = $argv;
$classes = require $classMap;
$files = file($list, FILE_IGNORE_NEW_LINES);

final class Uses extends NodeVisitorAbstract {
    public $classes = [], $calls = [], $functions = [], $included = [];
    private $directory;
    function __construct($directory) { $this->directory = $directory; }
    function leaveNode(Node $node) {
        if ($node instanceof Node\Stmt\Function_) {
            $this->functions[] = strtolower($node->namespacedName->toString());
        } elseif ($node instanceof Node\Stmt\UseUse) {
            $group = $node->getAttribute('parent');
            $prefix = $group instanceof Node\Stmt\GroupUse ? $group->prefix->toString() . '\\' : '';
            if (($node->type | $group->type) & Node\Stmt\Use_::TYPE_FUNCTION) {
                $this->calls[] = [strtolower($prefix . $node->name->toString())];
            } else {
                $this->classes[] = $prefix . $node->name->toString();
            }
        } elseif ($node instanceof Node\Expr\FuncCall && $node->name instanceof Node\Name) {
            $own = $node->name->getAttribute('namespacedName');
            $this->calls[] = array_map('strtolower', [...($own ? [$own->toString()] : []), $node->name->toString()]);
        } elseif ($node instanceof Node\Expr\Include_) {
            try { $this->included[] = (new ConstExprEvaluator([$this, 'value']))->evaluateDirectly($node->expr); }
            catch (\PhpParser\ConstExprEvaluationException $e) { }
        } elseif ($node instanceof Node\Name\FullyQualified) {
            $parent = $node->getAttribute('parent');
            if (!$parent instanceof Node\Expr\FuncCall && !$parent instanceof Node\Expr\ConstFetch) {
                $this->classes[] = $node->toString();
            }
        }
    }
    function value(Node\Expr $e) {
        if ($e instanceof Node\Scalar\MagicConst\Dir) { return $this->directory; }
        if ($e instanceof Node\Scalar\MagicConst\File) { return "$this->directory/file"; }
        if ($e instanceof Node\Expr\FuncCall && $e->name instanceof Node\Name && $e->name->toString() == 'dirname') {
            $evaluator = new ConstExprEvaluator([$this, 'value']);
            return dirname(...array_map(fn($a) => $evaluator->evaluateDirectly($a->value), $e->args));
        }
        throw new \PhpParser\ConstExprEvaluationException('unknown');
    }
}

$parser = (new ParserFactory)->create(ParserFactory::PREFER_PHP7);
$uses = []; $functions = [];
foreach ($files as $file) {
    $traverser = new NodeTraverser;
    $traverser->addVisitor(new NodeVisitor\ParentConnectingVisitor);
    $traverser->addVisitor(new NodeVisitor\NameResolver);
    $traverser->addVisitor($uses[$file] = new Uses(dirname("$root/$file")));
    try { $traverser->traverse($parser->parse(file_get_contents("$root/$file"))); } catch (\PhpParser\Error $e) { }
    foreach ($uses[$file]->functions as $name) { $functions[$name] = "$root/$file"; }
}
$edges = [];
foreach ($uses as $file => $used) {
    foreach ($used->classes as $name) { $edges[] = [$file, $classes[$name] ?? '']; }
    foreach ($used->calls as $names) {
        foreach ($names as $name) { if (isset($functions[$name])) { $edges[] = [$file, $functions[$name]]; break; } }
    }
    foreach ($used->included as $path) {
        chdir(dirname("$root/$file"));
        $edges[] = [$file, is_string($path) ? (realpath($path) ?: '') : ''];
    }
}
echo json_encode($edges);
"""


def edges(root: Path) -> set[tuple[str, str]]:
    """Every file with those that define the classes and functions that it names, and those that it includes."""
    php, composer = debian.program("php", "php-cli"), debian.program("composer", "composer")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / "project"
        shutil.copytree(root, copy, symlinks=True)
        _run([composer, "dump-autoload", "--optimize", "--dev", "--no-scripts", "--no-plugins", "--quiet"], copy)
        files = sorted(file.relative_to(copy).as_posix() for file in copy.rglob("*.php"))
        files = [file for file in files if not file.startswith("vendor/")]
        (copy.parent / "names.php").write_text(_SCRIPT)
        (copy.parent / "files").write_text("\n".join(files))
        class_map = copy / "vendor/composer/autoload_classmap.php"
        told = _run([php, "-d", "memory_limit=-1", "../names.php", str(copy), str(class_map), "../files"], copy)
        return {
            (path, Path(target).relative_to(copy).as_posix())
            for path, target in json.loads(told)
            if target.startswith(f"{copy}/")
        }


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


PROJECTS = (
    Project(name="php: monolog", fetch=partial(debian.source, "php-monolog", "2.9.1-1"), edges=edges),
    Project(name="php: phpunit", fetch=partial(debian.source, "phpunit", "9.6.7-1+deb12u1"), edges=edges),
)
