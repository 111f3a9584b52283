"""Java: the types that javac's attribution finds behind every name of a file, through the compiler's own tree API."""

from __future__ import annotations

import subprocess
import tempfile
from functools import partial
from pathlib import Path

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import Project, debian

_PROGRAM = """
import com.sun.source.tree.*;
import com.sun.source.util.*;
import java.nio.file.*;
import java.util.*;
import javax.lang.model.element.*;
import javax.tools.*;

class Uses {
    public static void main(String[] arguments) throws Exception {
        var compiler = ToolProvider.getSystemJavaCompiler();
        var files = compiler.getStandardFileManager(null, null, null);
        var paths = Files.readAllLines(Path.of(arguments[0])).stream().map(Path::of).toList();
        // Libraries are not there: what does not depend on them is attributed all the same.
        var options = List.of("-proc:none", "-XDshould-stop.ifError=FLOW", "-Xmaxerrs", "1");
        var task = (JavacTask) compiler.getTask(
            null, files, diagnostic -> {}, options, null, files.getJavaFileObjectsFromPaths(paths));
        var units = new ArrayList<CompilationUnitTree>();
        task.parse().forEach(units::add);
        task.analyze();
        var trees = Trees.instance(task);
        for (var unit : units) {
            new TreePathScanner<Void, Void>() {
                @Override public Void visitIdentifier(IdentifierTree tree, Void nothing) {
                    show();
                    return super.visitIdentifier(tree, nothing);
                }
                @Override public Void visitMemberSelect(MemberSelectTree tree, Void nothing) {
                    show();
                    return super.visitMemberSelect(tree, nothing);
                }
                private void show() {
                    var element = trees.getElement(getCurrentPath());
                    if (element == null || !(element.getKind().isClass() || element.getKind().isInterface())) return;
                    while (element.getEnclosingElement() != null
                           && element.getEnclosingElement().getKind() != ElementKind.PACKAGE) {
                        element = element.getEnclosingElement();
                    }
                    var path = trees.getPath(element);
                    if (path != null) {
                        System.out.println(name(unit) + "\\t" + name(path.getCompilationUnit()));
                    }
                }
                private String name(CompilationUnitTree tree) {
                    return Path.of(tree.getSourceFile().toUri()).toString();
                }
            }.scan(unit, null);
        }
    }
}
"""


def edges(root: Path) -> set[tuple[str, str]]:
    """Every file with those that declare the types it names, nested ones included."""
    java = debian.program("java", "default-jdk-headless")
    root = root.resolve()
    files = [str(file) for file in sorted(root.rglob("*.java")) if file.name != "module-info.java"]
    with tempfile.TemporaryDirectory() as folder:
        program, names = Path(folder, "Uses.java"), Path(folder, "files")
        program.write_text(_PROGRAM)
        names.write_text("\n".join(files))
        done = subprocess.run([java, str(program), str(names)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"java failed, it takes a JDK of version 17 or newer: {done.stderr.strip()[-300:]}")
    pairs = (line.split("\t") for line in done.stdout.splitlines())
    return {(_relative(path, root), _relative(target, root)) for path, target in pairs}


def _relative(path: str, root: Path) -> str:
    return Path(path).relative_to(root).as_posix()


PROJECTS = (
    Project(
        name="java: commons-lang",
        fetch=partial(debian.source, "libcommons-lang3-java", "3.12.0-2+deb12u1"),
        edges=edges,
    ),
    Project(name="java: jsoup", fetch=partial(debian.source, "jsoup", "1.15.3-1"), edges=edges),
)
