"""The command line: parses and calls. Exit 0 on success, 2 on bad usage, 1 with one line on stderr otherwise."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import re
import stat
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import metadata
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from lsprotocol import types
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from repofill.context.index import WorkspaceIndex, relative_path
from repofill.context.pack import ContextFile
from repofill.context.store import Store
from repofill.evaluation import (
    demo,
    fill,
    graphs,
    indexing,
    infilling,
    keystrokes,
    packages,
    recall,
    releases,
    selection,
    stability,
    tune,
    typed,
)
from repofill.evaluation import model as model_figures
from repofill.evaluation.editor import EditorError
from repofill.evaluation.figures import BenchmarkError, show
from repofill.evaluation.truth.languages import LANGUAGES
from repofill.lsp_server import doctor
from repofill.lsp_server.completion import Completer, Completion
from repofill.lsp_server.documents import offset_at, position_at
from repofill.lsp_server.features import completion_figures, plan_figures
from repofill.lsp_server.log import log_to_file
from repofill.lsp_server.memory import look_for_garbage_rarely
from repofill.lsp_server.planning import Cursor
from repofill.lsp_server.server import build_server, bundled_model, make_engine
from repofill.lsp_server.settings import FILE_NAME, Settings, layered
from repofill.models.engine import Engine, EngineUnavailable
from repofill.models.gguf import ModelDescription, ModelFileError, read_description
from repofill.models.protocol import is_address

_log = logging.getLogger(__name__)

_MANIFESTS = (
    *("pyproject.toml", "setup.py", "package.json", "tsconfig.json", "go.mod", "Cargo.toml", "pom.xml"),
    *("build.gradle", "build.gradle.kts", "composer.json", "Gemfile", "*.gemspec", "*.sln", "*.csproj"),
    *("CMakeLists.txt", "compile_commands.json", "Makefile", "*.rockspec"),
)
PROJECT_MARKS = ((FILE_NAME,), (".git",), _MANIFESTS)
"""What makes a folder a project, as glob patterns: those of an earlier group count before those of a later one, however
far up. A repository may hold many manifests and is one project. Neovim's `root_markers` are the same."""

_UNHURRIED_MS = 600_000


class UserError(Exception):
    """Something the user can mend; its text is the one line on stderr."""


_EXPECTED = (
    UserError,
    ModelFileError,
    EngineUnavailable,
    EditorError,
    packages.FetchError,
    BenchmarkError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    if isinstance(sys.stdout, TextIOWrapper):  # a path may hold what the terminal's encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    look_for_garbage_rarely()
    try:
        try:
            log_to_file(layered()[0].log)
            options = _parser().parse_args(arguments)
            options.run(options)
        finally:
            _flush()  # a full disk is told here, not by the interpreter at its end
    except _EXPECTED as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        _drop_output()
        if isinstance(error, BrokenPipeError):
            return 1
        _log.error("a command failed", exc_info=error)
        return _failed(f"{error.filename or 'output'}: {error.strerror or repr(error)}")
    for problem in options.problems:
        print(f"repofill: {problem}", file=sys.stderr)
    return 0


def _failed(why: str) -> int:
    print(f"repofill: {why}", file=sys.stderr)
    return 1


def _flush() -> None:
    if sys.stdout is not None and not sys.stdout.closed:  # none where there is no terminal; the server closes its own
        sys.stdout.flush()


def _drop_output() -> None:
    """Let go of what stdout does not take, over which the interpreter would stumble again at its end."""
    try:
        _flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="repofill", description="Local code completion with the whole project.")
    parser.add_argument("--version", action="version", version=f"repofill {metadata.version('repofill')}")
    parser.set_defaults(problems=())
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    serve = command("serve", _serve, "Run the language server on stdin and stdout.")
    serve.add_argument("--stdio", action="store_true", help="accepted for clients that add it; there is no other way")

    complete = command("complete", _complete, "Complete at one place and print the suggestion.")
    context = command("context", _context, "Print the files that a prompt at one place would show.")
    for sub in (complete, context):
        sub.add_argument("place", type=_place, metavar="FILE:LINE:COL", help="1-based line and column")
        sub.add_argument("--workspace", type=_folder, metavar="DIR", help="default: the project around the file")
        sub.add_argument(
            "--model",
            metavar="PATH",
            help="a GGUF file or a llama-server's address; default: as set, else the bundled one",
        )
        sub.add_argument("--json", action="store_true")
    complete.add_argument("--explain", action="store_true", help="also print the prompt's files and the time per stage")
    context.add_argument("--budget", type=_natural, metavar="N", help="tokens for other files")

    index = command("index", _index, "Read a workspace and print its files in dependency order.")
    index.add_argument("directory", type=_folder, metavar="DIR")
    index.add_argument("--json", action="store_true")

    models = command(
        "models", _models, "Describe model files, or what a llama-server at an address has; default: ours."
    )
    models.add_argument("paths", nargs="*", metavar="PATH")
    models.add_argument("--json", action="store_true")

    check = command("doctor", _doctor, "Say what is installed, configured and working.")
    check.add_argument("--json", action="store_true")

    bench = command("bench", None, "Measure on held-out packages, fetched with pip, or on your own workspace.")
    _add_bench(bench.add_subparsers(required=True))
    command("demo", _demo, "See the server complete a real package.")
    return parser


def _add_bench(parts: Any) -> None:
    for name, run, holes, text in (
        ("fill", _bench_fill, 100, "rest-of-line exact match: what the model writes, copying alone, both together"),
        ("keystrokes", _bench_keystrokes, 5, "milliseconds from keystroke to ghost text, with and without the cache"),
        ("tune", _bench_tune, 400, "fit the ranking's weights, on packages of their own"),
        (
            "model",
            _bench_model,
            25,
            "the figures of a model's card: alone and together, file and project, speed, memory",
        ),
    ):
        part = parts.add_parser(name, help=text, description=text)
        part.set_defaults(run=run)
        part.add_argument("--workspace", type=_folder, metavar="DIR", help="default: held-out packages")
        part.add_argument("--model", metavar="PATH")
        part.add_argument("--holes", type=_natural, default=holes, metavar="N", help=f"places per package ({holes})")
        part.add_argument("--json", action="store_true")
        if name == "tune":
            part.add_argument("--out", type=Path, required=True, metavar="FILE")
    text = "how often the context changes while somebody types, and what of it another file's shares"
    part = parts.add_parser("stability", help=text, description=text)
    part.set_defaults(run=_bench_stability)
    part.add_argument("--workspace", type=_folder, metavar="DIR", help="default: held-out packages")
    part.add_argument("--model", metavar="PATH")
    part.add_argument("--places", type=_natural, default=10, metavar="N", help="places per package (10)")
    part.add_argument("--json", action="store_true")
    text = "how soon a suggestion is there whenever somebody who types what releases added pauses"
    part = parts.add_parser("typing", help=text, description=text)
    part.set_defaults(run=_bench_typing)
    part.add_argument("--model", metavar="PATH")
    part.add_argument("--places", type=_natural, default=4, metavar="N", help="places per package (4)")
    part.add_argument("--json", action="store_true")
    text = "cold and warm start of the index, a change, a plan, memory; beside bare tree-sitter parsing"
    part = parts.add_parser("index", help=text, description=text)
    part.set_defaults(run=_bench_index)
    part.add_argument("folder", type=_folder, metavar="DIR")
    part.add_argument("--json", action="store_true")
    text = "exact match of the model alone on a public benchmark's file: HumanEval infilling, Santa-FIM"
    part = parts.add_parser("infill", help=text, description=text)
    part.set_defaults(run=_bench_infill)
    part.add_argument("file", type=Path, metavar="FILE", help="JSON lines with prompt, suffix, canonical_solution")
    part.add_argument("--language", default="py", metavar="NAME", help="as the benchmark names it (py)")
    part.add_argument("--model", metavar="PATH")
    text = "the import graph of real projects against their languages' own tools: precision and recall"
    part = parts.add_parser("graphs", help=text, description=text)
    part.set_defaults(run=_bench_graphs)
    part.add_argument("languages", nargs="*", metavar="LANGUAGE", help=f"default: {', '.join(graphs.LANGUAGES)}")
    part.add_argument("--json", action="store_true")
    text = "how often the context shows the definitions that a hole needs, beside other ways to choose it"
    part = parts.add_parser("recall", help=text, description=text)
    part.set_defaults(run=_bench_recall)
    part.add_argument("--language", choices=LANGUAGES, default="python", help="default: python")
    part.add_argument("--holes", type=_natural, default=1000, metavar="N", help="in all packages together (1000)")
    part.add_argument("--development", action="store_true", help="on the packages that the weights are fitted on")
    part.add_argument("--model", metavar="PATH", help="whose tokens are counted; default: the bundled one")
    part.add_argument("--planner", choices=recall.PLANNERS, action="append", help="this one alone; may be repeated")
    part.add_argument("--json", action="store_true")
    text = "fit the weights that choose definitions, on packages of their own"
    part = parts.add_parser("select", help=text, description=text)
    part.set_defaults(run=_bench_select)
    part.add_argument("--language", choices=LANGUAGES, action="append", help="may be repeated; default: python")
    part.add_argument("--holes", type=_natural, default=100, metavar="N", help="places per package (100)")
    part.add_argument("--out", type=Path, required=True, metavar="FILE")


def _natural(text: str) -> int:
    if not re.fullmatch(r"0*[1-9]\d{0,8}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def _place(text: str) -> tuple[Path, int, int]:
    """File, line and column, the two counted from 1."""
    match = re.fullmatch(r"(.+?):([1-9]\d{0,8}):([1-9]\d{0,8})", text, re.ASCII)
    if match is None or re.search(r":\d+$", match[1]):
        raise argparse.ArgumentTypeError(f"{text} is not FILE:LINE:COL, counted from 1, such as src/app.py:10:5")
    return Path(os.path.abspath(match[1])), int(match[2]), int(match[3])


def _folder(text: str) -> Path:
    """The absolute path of a folder that exists. Raises UserError."""
    folder = Path(os.path.abspath(text))
    if not folder.is_dir():
        raise UserError(f"{text} is not a directory")
    return folder


# Commands


def _serve(options: argparse.Namespace) -> None:
    _log.info("repofill %s with Python %s", metadata.version("repofill"), platform.python_version())
    if not build_server().serve():
        raise UserError("the editor said exit without a shutdown before")


def _complete(options: argparse.Namespace) -> None:
    settings = _settings(options)
    settings = replace(settings, suggest=replace(settings.suggest, deadline_ms=_UNHURRIED_MS))
    index, cursor = _open(options)
    completion = asyncio.run(_with_engine(settings, lambda completer: _completion(completer, index, cursor, settings)))
    if options.json:
        print(json.dumps(completion_figures(completion), indent=2))
        return
    if options.explain:
        _print_explained(completion)
    print(completion.text)


async def _completion(completer: Completer, index: WorkspaceIndex, cursor: Cursor, settings: Settings) -> Completion:
    completion = await completer.complete(index, cursor, settings, explicit=True)
    if completion is None or not completion.prompt_tokens:
        raise UserError(completer.trouble or "the model gave no answer; `repofill doctor` says what is wrong")
    return completion


def _context(options: argparse.Namespace) -> None:
    settings = _settings(options)
    if options.budget:
        settings = replace(settings, context=replace(settings.context, budget_tokens=options.budget))
    index, cursor = _open(options)
    plan = asyncio.run(_with_engine(settings, lambda completer: completer.plan(index, cursor, settings)))
    if options.json:
        print(json.dumps(plan_figures(plan), indent=2))
    else:
        _print_files(plan.files)


def _index(options: argparse.Namespace) -> None:
    index = WorkspaceIndex(options.directory, Store.of_workspace(options.directory))
    index.build()
    stats, ordered, subgraphs = index.stats(), index.ordered(), index.subgraphs()
    if options.json:
        edges = {path: sorted(index.dependencies(path)) for path in ordered}
        figures = {**asdict(stats), "subgraphs": subgraphs, "order": ordered, "edges_by_file": edges}
        print(json.dumps(figures, indent=2))
        return
    for path in ordered:
        print(path)
    _flush()
    print(f"{stats.files} files, {stats.edges} imports, {subgraphs} connected parts", file=sys.stderr)


def _models(options: argparse.Namespace) -> None:
    named = options.paths or [str(bundled_model())]
    described = [asdict(asyncio.run(_served(m)) if is_address(m) else read_description(m)) for m in named]
    if options.json:
        print(json.dumps(described, indent=2, default=_jsonable))
        return
    for model in described:
        table = Table(title=escape(model["served"] or str(model["path"])), show_header=False)
        for name, value in model.items():
            table.add_row(name, escape(str(value)))
        Console().print(table)


async def _served(address: str) -> ModelDescription:
    engine = Engine(address)
    try:
        if not await engine.ready():
            raise UserError(engine.reason)
        return engine.model
    finally:
        await engine.close()


def _doctor(options: argparse.Namespace) -> None:
    settings, problems = layered()
    findings = asyncio.run(doctor.examine(settings, problems))
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'BAD '} {finding.name}: {finding.text}")
    if bad := [finding for finding in findings if not finding.ok]:
        raise UserError(f"{len(bad)} of {len(findings)} checks failed: {', '.join(f.name for f in bad)}")


def _demo(options: argparse.Namespace) -> None:
    demo.run(Console())


def _bench_fill(options: argparse.Namespace) -> None:
    cases = _cases(options, _folders(options, packages.REPORTED), options.holes)
    figures = fill.report(cases + _additions(options, releases.REPORTED))
    others = fill.report(_additions(options, releases.OTHERS))
    figures |= {f"{name}, other languages": of for name, of in others.items()}
    fill.show(figures, as_json=options.json)


def _bench_model(options: argparse.Namespace) -> None:
    settings, folders = _settings(options), _folders(options, packages.REPORTED)
    engine = make_engine(settings)

    async def measure() -> tuple[list[model_figures.Row], model_figures.Figures]:
        try:
            rows = await model_figures.measure(Completer(engine), folders, options.holes, settings)
            return rows, await model_figures.speed(engine)
        finally:
            await engine.close()

    rows, speeds = asyncio.run(measure())
    if options.json:
        print(json.dumps({"quality": [asdict(row) for row in rows], "speed": speeds}, indent=2))
    else:
        model_figures.show(rows, speeds)


def _bench_infill(options: argparse.Namespace) -> None:
    engine = make_engine(_settings(options))

    async def measure() -> dict[str, float]:
        try:
            return await infilling.run(engine, options.file, options.language)
        finally:
            await engine.close()

    print(json.dumps(asyncio.run(measure()), indent=2))


def _bench_graphs(options: argparse.Namespace) -> None:
    languages = tuple(options.languages) or graphs.LANGUAGES
    show("Import graphs", graphs.report(languages), as_json=options.json)


def _bench_recall(options: argparse.Namespace) -> None:
    engine = make_engine(_settings(options))
    with asyncio.Runner() as runner:
        try:
            outcomes = recall.run(
                options.language,
                options.holes,
                lambda texts: runner.run(engine.count_tokens(texts)),
                development=options.development,
                planners=options.planner or tuple(recall.PLANNERS),
            )
        finally:
            runner.run(engine.close())
    kind = "development" if options.development else "reported"
    recall.show(f"Definition recall, {options.language}, {kind} packages", outcomes, as_json=options.json)


def _bench_select(options: argparse.Namespace) -> None:
    selection.run(options.language or ["python"], options.holes, options.out)


def _bench_keystrokes(options: argparse.Namespace) -> None:
    folders = _folders(options, packages.REPORTED)
    keystrokes.run(folders, options.holes, model=options.model, as_json=options.json)


def _bench_typing(options: argparse.Namespace) -> None:
    typed.run(releases.REPORTED, options.places, model=options.model, as_json=options.json)


def _bench_stability(options: argparse.Namespace) -> None:
    settings, folders = _settings(options), _folders(options, packages.REPORTED)
    places = asyncio.run(
        _with_engine(settings, lambda completer: stability.measure(completer, folders, options.places, settings))
    )
    stability.report(places, as_json=options.json)


def _bench_index(options: argparse.Namespace) -> None:
    indexing.run(options.folder, as_json=options.json)


def _bench_tune(options: argparse.Namespace) -> None:
    folders = _folders(options, packages.TUNED)
    cases = _cases(options, folders, options.holes) + _additions(options, releases.TUNED)
    if not options.workspace:
        for name in (name for name in LANGUAGES if name != "python"):
            others = [fetch() for fetch in LANGUAGES[name].development]
            cases += _cases(options, others, tune.holes_of(name, options.holes))
            folders += others
    tune.write(cases, [folder.name for folder in folders], cases[0].gathered.model.name, options.out)


def _cases(options: argparse.Namespace, folders: Sequence[Path], holes: int) -> list[fill.Case]:
    settings = _settings(options)
    return asyncio.run(_with_engine(settings, lambda completer: fill.gather_cases(completer, folders, holes, settings)))


def _additions(
    options: argparse.Namespace, pairs: Sequence[tuple[releases.Release, releases.Release]]
) -> list[fill.Case]:
    """What these releases added to the ones before; nothing where a workspace is measured on."""
    if options.workspace:
        return []
    settings, folders = _settings(options), [(earlier(), later()) for earlier, later in pairs]
    return asyncio.run(_with_engine(settings, lambda c: fill.gather_additions(c, folders, options.holes, settings)))


def _folders(options: argparse.Namespace, names: Sequence[str]) -> list[Path]:
    return [options.workspace] if options.workspace else [packages.fetch(name) for name in names]


# Helpers of the commands


async def _with_engine(settings: Settings, work: Any) -> Any:
    engine = make_engine(settings)
    try:
        return await work(Completer(engine))
    finally:
        await engine.close()


def _settings(options: argparse.Namespace) -> Settings:
    """The settings that count for a command; what is wrong with them is said once it has succeeded."""
    settings, options.problems = layered(_workspace(options))
    if options.model:
        settings = replace(settings, model=replace(settings.model, path=options.model))
    return settings


def _workspace(options: argparse.Namespace) -> Path | None:
    """The folder that the options name, else the project around their file, if they name one."""
    named: Path | None = getattr(options, "workspace", None)
    return project_around(options.place[0]) if named is None and "place" in options else named


def project_around(file: Path) -> Path:
    marked = (folder for marks in PROJECT_MARKS for folder in file.parents if _holds(folder, marks))
    return next(marked, file.parent)


def _holds(folder: Path, marks: Sequence[str]) -> bool:
    return any(any(folder.glob(mark)) for mark in marks)


def _open(options: argparse.Namespace) -> tuple[WorkspaceIndex, Cursor]:
    """The indexed workspace and the cursor that the options name. Raises UserError."""
    (file, line, column), root = options.place, _workspace(options)
    assert root is not None
    path = relative_path(root, file)
    if path is None:
        raise UserError(f"{file} is not inside the workspace {root}")
    index = WorkspaceIndex(root, Store.of_workspace(root))
    if index.is_secret(path):
        raise UserError(f"{path} may hold secrets: repofill never reads such files")
    text = _read(file)
    place = types.Position(line=line - 1, character=column - 1)
    offset = offset_at(text, place, types.PositionEncodingKind.Utf32)
    if position_at(text, offset, types.PositionEncodingKind.Utf32) != place:
        raise UserError(f"{file} has no line {line} with a column {column}")
    index.build()
    index.open(path, text)
    return index, Cursor(path=path, text=text, offset=offset)


def _read(file: Path) -> str:
    try:
        if stat.S_ISREG(file.stat().st_mode):
            return file.read_bytes().decode("utf-8-sig")
        reason = "it is not a regular file"  # reading a pipe would wait for whoever writes into it
    except OSError as error:
        reason = error.strerror or str(error)
    except ValueError:
        reason = "it is not UTF-8 text"
    raise UserError(f"{file} cannot be read: {reason}")


def _print_files(files: Sequence[ContextFile]) -> None:
    table = Table(title=f"{sum(file.tokens for file in files)} tokens of other files, in prompt order")
    for column in ("file", "form", "tokens"):
        table.add_column(column)
    for file in files:
        table.add_row(escape(file.path), file.form, str(file.tokens))
    Console().print(table)


def _print_explained(completion: Completion) -> None:
    _print_files(completion.context)
    print(f"prompt: {completion.prompt_tokens} tokens, {completion.cached_tokens} of them cached")
    print("ms: " + ", ".join(f"{stage} {value:.1f}" for stage, value in completion.timings_ms.items()))
    for item in completion.items:
        print(f"{item.confidence:.2f} {item.source:8} {item.text!r}")


def _jsonable(value: object) -> Any:
    return sorted(value) if isinstance(value, frozenset) else str(value)
