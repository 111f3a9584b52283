"""Java: definitions by javac's attribution, through the compiler's own tree API."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from repofill.evaluation.figures import BenchmarkError
from repofill.evaluation.graph_truth import debian
from repofill.evaluation.truth import Definition, Place, definitions

_EXPORTS = ("--add-exports", "jdk.compiler/com.sun.tools.javac.tree=ALL-UNNAMED")
_PROGRAM = r"""
import com.sun.source.tree.*;
import com.sun.source.util.*;
import com.sun.tools.javac.tree.JCTree;
import java.nio.file.*;
import java.util.*;
import java.util.stream.*;
import javax.lang.model.element.*;
import javax.tools.*;

/** Takes the files and the places asked for (path, line and column, both from 0) as lines of two files. */
class Definitions {
    static Path root;
    static Trees trees;
    static final Map<CompilationUnitTree, String> texts = new HashMap<>();
    static final Map<CompilationUnitTree, int[]> lineStarts = new HashMap<>();
    /** By path, line and column: what stands there as JSON. */
    static final Map<String, String> found = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        root = Path.of(arguments[0]);
        var asked = Files.readAllLines(Path.of(arguments[2]));
        var wanted = new HashSet<>(asked);
        var compiler = ToolProvider.getSystemJavaCompiler();
        var files = compiler.getStandardFileManager(null, null, null);
        var paths = Files.readAllLines(Path.of(arguments[1])).stream().map(root::resolve).toList();
        // Libraries are not there: what does not depend on them is attributed all the same.
        var options = List.of("-proc:none", "-XDshould-stop.ifError=FLOW", "-Xmaxerrs", "1", "-encoding", "UTF-8");
        var task = (JavacTask) compiler.getTask(
            null, files, diagnostic -> {}, options, null, files.getJavaFileObjectsFromPaths(paths));
        var units = new ArrayList<CompilationUnitTree>();
        task.parse().forEach(units::add);
        task.analyze();
        trees = Trees.instance(task);
        for (var unit : units) {
            new TreePathScanner<Void, Void>() {
                @Override public Void visitIdentifier(IdentifierTree tree, Void nothing) {
                    show(start(unit, tree));
                    return super.visitIdentifier(tree, nothing);
                }
                @Override public Void visitMemberSelect(MemberSelectTree tree, Void nothing) {
                    show(end(unit, tree) - tree.getIdentifier().length());
                    return super.visitMemberSelect(tree, nothing);
                }
                @Override public Void visitMemberReference(MemberReferenceTree tree, Void nothing) {
                    show(end(unit, tree) - tree.getName().length());
                    return super.visitMemberReference(tree, nothing);
                }
                private void show(long offset) {
                    if (offset < 0) return;
                    var place = place(unit, (int) offset);
                    if (!wanted.contains(place)) return;
                    var element = trees.getElement(getCurrentPath());
                    var path = element == null ? null : trees.getPath(element);
                    if (path != null) found.put(place, definition(element, path));
                }
            }.scan(unit, null);
        }
        System.out.println(asked.stream().map(place -> "[" + found.getOrDefault(place, "") + "]")
            .collect(Collectors.joining(",", "[", "]")));
    }

    static String definition(Element element, TreePath path) {
        var unit = path.getCompilationUnit();
        var name = element.getKind() == ElementKind.CONSTRUCTOR
            ? element.getEnclosingElement().getSimpleName() : element.getSimpleName();
        var offset = word(text(unit), name.toString(), ((JCTree) path.getLeaf()).pos);
        if (offset < 0) return "";
        var place = place(unit, offset).split("\t");
        var owner = switch (element.getKind()) {
            case PARAMETER, EXCEPTION_PARAMETER, TYPE_PARAMETER -> "parameter";
            case LOCAL_VARIABLE, RESOURCE_VARIABLE, BINDING_VARIABLE -> "function";
            default -> element.getEnclosingElement().getKind() == ElementKind.PACKAGE ? "module" : "class";
        };
        return String.format(
            "{\"place\": {\"path\": \"%s\", \"line\": %s, \"column\": %s}, \"name\": \"%s\", \"owner\": \"%s\"}",
            place[0], place[1], place[2], name, owner);
    }

    static int word(String text, String name, int from) {
        var match = java.util.regex.Pattern.compile("\\b" + java.util.regex.Pattern.quote(name) + "\\b").matcher(text);
        return match.find(Math.max(from, 0)) ? match.start() : -1;
    }

    static String place(CompilationUnitTree unit, int offset) {
        var starts = lineStarts.computeIfAbsent(unit, given -> {
            var text = text(given);
            return IntStream.concat(IntStream.of(0), IntStream.rangeClosed(1, text.length())
                .filter(at -> text.charAt(at - 1) == '\n')).toArray();
        });
        var found = Arrays.binarySearch(starts, offset);
        var line = found < 0 ? -found - 2 : found;
        var path = root.relativize(Path.of(unit.getSourceFile().toUri()));
        return path + "\t" + line + "\t" + text(unit).codePointCount(starts[line], offset);
    }

    static String text(CompilationUnitTree unit) {
        return texts.computeIfAbsent(unit, given -> {
            try {
                return given.getSourceFile().getCharContent(true).toString();
            } catch (java.io.IOException error) {
                throw new java.io.UncheckedIOException(error);
            }
        });
    }

    static long start(CompilationUnitTree unit, Tree tree) {
        return trees.getSourcePositions().getStartPosition(unit, tree);
    }

    static long end(CompilationUnitTree unit, Tree tree) {
        return trees.getSourcePositions().getEndPosition(unit, tree);
    }
}
"""


def resolve(root: Path, places: Sequence[Place]) -> list[tuple[Definition, ...]]:
    """The element that javac attributes to a name, a class for a constructor's call. Packages are no definitions."""
    java, root = debian.program("java", "default-jdk-headless"), root.resolve()
    files = [file.relative_to(root).as_posix() for file in sorted(root.rglob("*.java"))]
    with tempfile.TemporaryDirectory() as folder:
        program, names, asked = (Path(folder, name) for name in ("Definitions.java", "files", "places"))
        program.write_text(_PROGRAM)
        names.write_text("\n".join(file for file in files if not file.endswith("-info.java")))
        asked.write_text("".join(f"{place.path}\t{place.line}\t{place.column}\n" for place in places))
        command = [java, *_EXPORTS, str(program), str(root), str(names), str(asked)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"java failed, it takes a JDK of version 17 or newer: {done.stderr.strip()[-300:]}")
    return definitions(done.stdout)
