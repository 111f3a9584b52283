"""Training data: every example is the source's text, cut once, in the layout the server sends."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import tarfile
import tomllib
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.models.training import infilling
from repofill.models.training.contamination import benchmark_runs, contaminated, runs
from repofill.models.training.corpus import (
    MANIFEST,
    Manifest,
    NearDuplicates,
    build_corpus,
    files_of,
    is_validation,
    limited,
    read_manifest,
    syntax_of,
    workspaces,
)
from repofill.models.training.examples import examples
from repofill.models.training.infilling import Marker, Piece, Source, arrange, assemble, cut
from repofill.models.training.releases import ECOSYSTEMS, Release, is_built, sources
from repofill.models.training.report import loss_curve
from repofill.models.training.rows import PADDING, packed, read_rows
from repofill.models.training.schedule import rate_factor

BOS, EOS, BEGIN, HOLE, END = Marker.BOS, Marker.EOS, Marker.BEGIN, Marker.HOLE, Marker.END

HEADER = "# pkg/shapes.py\n"
TEXT = """\
from math import pi


class Circle:
    def __init__(self, radius: float) -> None:
        self.radius = radius

    def area(self) -> float:
        if self.radius < 0:
            raise ValueError("negative", [self.radius])

        return pi * self.radius**2


def main():
\tprint(Circle(2).area())
"""
CONTEXT = ("# pkg/a.py\nA = 1\n", "# pkg/b.py\nfrom a import A\n")


TYPESCRIPT = """\
import { pi } from "./numbers";

export class Circle {
  constructor(readonly radius: number) {}

  area(): number {
    if (this.radius < 0) {
      throw new RangeError("negative");
    }

    return pi * this.radius ** 2;
  }
}

export const areas = (circles: Circle[]) =>
  circles.map((circle) => circle.area());

const names = [
  "circle",
];
"""


def source(text: str = TEXT, path: str = "pkg/shapes.py") -> Source:
    return Source(header=HEADER, text=text, tree=syntax_of(path, text))


def check(layout: infilling.Layout, context: tuple[str, ...], expected: list[Piece]) -> None:
    """The pieces of a hole in `def f|(x)|: pass`, and their tokens: markers by id, texts as given, in that order."""
    pieces = arrange(layout, "# f.py\n", context, "def f", "(x)", ": pass\n")
    assert pieces == expected
    ids = {marker: -1 - i for i, marker in enumerate(Marker)}
    texts = [piece for piece in pieces if isinstance(piece, str)]
    tokens = assemble(pieces, [list(text.encode()) for text in texts], ids)
    assert bytes(token for token in tokens if token >= 0).decode() == "".join(texts)
    assert [token for token in tokens if token < 0] == [ids[piece] for piece in pieces if isinstance(piece, Marker)]


@pytest.mark.parametrize(
    ("layout", "context", "expected"),
    [
        ("spm", (), [BOS, BEGIN, HOLE, ": pass\n", END, "# f.py\ndef f", "(x)", EOS]),
        ("psm", (), [BOS, BEGIN, "# f.py\ndef f", HOLE, ": pass\n", END, "(x)", EOS]),
        ("plain", (), [BOS, "# f.py\ndef f(x)"]),
        ("spm", CONTEXT, [BOS, *CONTEXT, BEGIN, HOLE, ": pass\n", END, "# f.py\ndef f", "(x)", EOS]),
        ("psm", CONTEXT, [BOS, *CONTEXT, BEGIN, "# f.py\ndef f", HOLE, ": pass\n", END, "(x)", EOS]),
        ("plain", CONTEXT, [BOS, *CONTEXT, "# f.py\ndef f(x)"]),
    ],
)
def test_a_layout_puts_the_context_first_and_markers_around_the_hole(
    layout: infilling.Layout, context: tuple[str, ...], expected: list[Piece]
) -> None:
    check(layout, context, expected)


@given(st.integers(), st.integers(100, 2000))
def test_an_example_is_the_text_cut_once(seed: int, characters: int) -> None:
    made = cut(source(), characters, random.Random(seed))
    middle = TEXT[made.start : made.end]
    assert made.before + middle + made.after in TEXT
    if made.layout == "plain":
        assert made.before == made.after == ""
    else:
        # a suffix is cut after a line; a prefix begins with one unless one line alone is too long
        assert made.after == "" or TEXT.endswith(made.after) or made.after.endswith("\n")
        assert TEXT.startswith(made.before) or ("\n" + made.before) in TEXT or "\n" not in made.before


@given(st.integers())
def test_the_same_seed_gives_the_same_example(seed: int) -> None:
    assert cut(source(), 400, random.Random(seed)) == cut(source(), 400, random.Random(seed))


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        # up to the line's end, not over it, from the indentation or later, or from the line's start
        (infilling.rest_of_line, r"[^\n]*"),
        (infilling.some_lines, r"[^\n]*\S[^\n]*(\n[^\n]*\S[^\n]*){0,5}"),
        # a body: from behind the colon or from its first word, to its last line that is not blank
        (infilling.block, r"(\n+[ \t]+)?\S(.|\n)*\S"),
        (infilling.syntax_node, r"\S(.|\n)*\S|\S"),
    ],
)
def test_a_hole_has_the_shape_of_its_kind(kind, shape: str) -> None:  # type: ignore[no-untyped-def]
    found = [kind(source(), random.Random(seed)) for seed in range(300)]
    holes = {hole for hole in found if hole is not None}
    assert len(holes) >= 4
    for start, end in holes:
        assert re.fullmatch(shape, TEXT[start:end]), TEXT[start:end]
        if kind is not infilling.syntax_node:
            assert TEXT[end] == "\n"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("pkg/shapes.py", TEXT, {"\n\tprint(Circle(2).area())", "self.radius = radius"}),
        (
            "src/shapes.ts",
            TYPESCRIPT,
            {
                '\n      throw new RangeError("negative");',  # what braces enclose, up to the one that closes them
                'throw new RangeError("negative");',
                "circles.map((circle) => circle.area());",
                '\n  "circle",',
            },
        ),
    ],
)
def test_a_block_is_what_is_indented_below_a_line_that_opens_it(path: str, text: str, expected: set[str]) -> None:
    holes = [infilling.block(source(text, path), random.Random(seed)) for seed in range(500)]
    texts = {text[hole[0] : hole[1]] for hole in holes if hole is not None}
    assert expected <= texts
    assert all(text[hole[1]] == "\n" for hole in holes if hole is not None)


def test_syntax_nodes_are_names_arguments_and_statements() -> None:
    holes = {infilling.syntax_node(source(), random.Random(seed)) for seed in range(2000)}
    texts = {TEXT[hole[0] : hole[1]] for hole in holes if hole is not None}
    assert {"radius", "self.radius < 0", '("negative", [self.radius])', "return pi * self.radius**2"} <= texts


def test_a_syntax_node_behind_other_alphabets_is_found_by_code_points() -> None:
    text = "name = '日本語' + str(count)\n"
    holes = {infilling.syntax_node(source(text), random.Random(seed)) for seed in range(300)}
    assert "str(count)" in {text[hole[0] : hole[1]] for hole in holes if hole is not None}


def test_holes_start_at_line_starts_at_indentations_and_inside_words() -> None:
    starts = {infilling.hole(source(), random.Random(seed))[0] for seed in range(400)}
    assert any(TEXT[start - 1] == "\n" and TEXT[start] == " " for start in starts if start)
    assert any(TEXT[start - 1] == " " and TEXT[start] != " " for start in starts if start)
    assert any(TEXT[start - 1].isalpha() and TEXT[start].isalpha() for start in starts if start)


def test_a_text_without_a_line_to_complete_is_refused() -> None:
    with pytest.raises(ValueError, match="no line"):
        infilling.hole(source("\n\n  \n"), random.Random(0))


@pytest.mark.parametrize(("progress", "factor"), [(-1, 0), (0, 0), (0.01, 0.5), (0.02, 1), (0.35, 1), (1, 0), (1.1, 0)])
def test_the_rate_is_a_function_of_the_time_used(progress: float, factor: float) -> None:
    assert rate_factor(progress) == pytest.approx(factor)


def test_the_rate_only_falls_after_the_warm_up() -> None:
    factors = [rate_factor(0.02 + 0.98 * i / 100) for i in range(101)]
    assert factors == sorted(factors, reverse=True)


def test_the_manifest_is_well_formed_and_holds_nothing_back_twice() -> None:
    manifest = read_manifest()
    evaluated = {
        "pypi": {"prompt-toolkit", "trio", "werkzeug", "pygls", "watchdog", "httpx"},
        "npm": {"rxjs", "zod", "@reduxjs/toolkit", "@trpc/server", "mobx", "eslint", "webpack", "mocha", "knex", "yjs"},
    }
    for ecosystem in ECOSYSTEMS:
        names = [release.name for release in manifest.packages if release.ecosystem == ecosystem]
        spelt = [re.sub(r"[-_.]+", "-", name).lower() for name in names]
        held_out = {
            re.sub(r"[-_.]+", "-", release.name).lower()
            for release in manifest.held_out
            if release.ecosystem == ecosystem
        }
        assert len(spelt) == len(set(spelt)) > 200
        assert names == sorted(names)
        assert not held_out.intersection(spelt)
        assert evaluated[ecosystem] <= held_out
    permissive = r"MIT(-0)?|BSD(-[23]-Clause)?|0BSD|Apache-2.0|ISC|PSF-2.0|Zlib|CC0-1.0|Unlicense"
    for release in manifest.packages:
        assert all(re.fullmatch(permissive, part) for part in re.split(" AND | OR ", release.licence)), release
    tables = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    assert set(tables) == {"left_out", *ECOSYSTEMS}
    assert all(set(tables[ecosystem]) == {"packages", "held_out"} for ecosystem in ECOSYSTEMS)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["index.js", "lib/a.cjs", "README.md", "package.json"], ["index.js", "lib/a.cjs"]),
        (["src/a.ts", "src/b.tsx", "lib/a.js", "a.js"], ["src/a.ts", "src/b.tsx"]),  # `lib` is built of `src`
        (["src.ts/a.ts", "lib.esm/a.js"], ["src.ts/a.ts"]),
        (["src/a.ts", "src/a.js", "src/a.d.ts", "src/b.js"], ["src/a.ts", "src/b.js"]),
        (["a.js", "dist/a.js", "esm/a.js", "_cjs/a.js", "es2015/a.js", "a.min.js", "a.d.mts"], ["a.js"]),
        (["a.js", "lib/vendor/b.js", "node_modules/c/c.js"], ["a.js"]),
        (["packages/a/src/x.js", "packages/a/dist/x.js", "latest.js"], ["packages/a/src/x.js", "latest.js"]),
    ],
)
def test_the_sources_of_an_npm_package_are_what_people_wrote(names: list[str], expected: list[str]) -> None:
    assert list(sources(names)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });\n', True),
        ("export const a = 1;\n//# sourceMappingURL=a.js.map\n", True),
        ("var __awaiter = (this && this.__awaiter) || function () {};\n", True),
        ('"use strict";\nexports.a = 1;\n', False),
        (TYPESCRIPT, False),
    ],
)
def test_what_a_compiler_wrote_is_told_by_what_it_leaves_behind(text: str, expected: bool) -> None:
    assert is_built(text) is expected


def archives(cache: Path) -> Manifest:
    """Packages of both ecosystems as if they were downloaded; the held out one's file is in another one, too."""
    held = "".join(f"export const value{i} = compute{i}({i});\n" for i in range(20))
    packages = {
        ("pypi", "shapes"): {
            "shapes/circle.py": TEXT,
            "shapes/broken.py": "def f(:\n" * 40,
            "shapes/short.py": "a = 1\n",
        },
        ("npm", "@geo/shapes"): {
            "package/src/circle.ts": TYPESCRIPT,
            "package/src/square.ts": held,
            "package/src/broken.ts": TYPESCRIPT.replace("{", "", 3),
            "package/dist/circle.js": TYPESCRIPT,
            "package/../outside.js": held.replace("value", "outside"),
        },
        ("npm", "held"): {"package/src/square.ts": held},
    }
    releases = []
    for (ecosystem, name), files in packages.items():
        release = Release(ecosystem=ecosystem, name=name, version="1.0")
        releases.append(release)
        (cache / ecosystem).mkdir(parents=True, exist_ok=True)
        if ecosystem == "pypi":
            with zipfile.ZipFile(cache / "pypi" / "shapes-1.0-py3-none-any.whl", "w") as wheel:
                for path, text in files.items():
                    wheel.writestr(path, text)
        else:
            with tarfile.open(cache / "npm" / f"{name.lstrip('@').replace('/', '-')}-1.0.tgz", "w:gz") as tar:
                for path, text in files.items():
                    member = tarfile.TarInfo(path)
                    member.size = len(text.encode())
                    tar.addfile(member, io.BytesIO(text.encode()))
    return Manifest(packages=tuple(releases[:2]), held_out=tuple(releases[2:]), left_out=frozenset())


def test_a_corpus_holds_the_sources_of_both_ecosystems_without_what_is_held_out(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    fate = build_corpus(archives(tmp_path), tmp_path, corpus)
    assert [path.relative_to(corpus).as_posix() for path in files_of(corpus)] == [
        "npm/@geo+shapes/src/circle.ts",
        "pypi/shapes/shapes/circle.py",
    ]
    assert fate["duplicate"] == 1
    assert fate["typescript kept"] == fate["python kept"] == 1
    assert [folder.name for folder in workspaces(corpus, "npm", validation=False)] == ["@geo+shapes"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b c d e f g h i", []),
        ("a b c d e f g h i j", ["a b c d e f g h i j"]),
        ("a\nb  c d e f g h i\tj k", ["a b c d e f g h i j", "b c d e f g h i j k"]),
    ],
)
def test_runs_are_of_ten_words(text: str, expected: list[str]) -> None:
    assert [" ".join(run) for run in runs(text)] == expected


def test_files_that_share_a_run_with_a_benchmark_are_named(tmp_path: Path) -> None:
    (tmp_path / "corpus" / "one").mkdir(parents=True)
    (tmp_path / "corpus" / "one" / "a.py").write_text("x = 1\na b c d e f g h i j\n", encoding="utf-8")
    (tmp_path / "corpus" / "one" / "b.py").write_text("a b c d e f g h i\n", encoding="utf-8")
    task = {"prompt": "z a b c", "canonical_solution": "d e f", "suffix": "g h i j"}
    benchmark = tmp_path / "tasks.jsonl.gz"
    benchmark.write_bytes(gzip.compress(json.dumps(task).encode()))
    assert list(contaminated(tmp_path / "corpus", benchmark_runs([benchmark]))) == ["one/a.py"]


def words(count: int, seed: int) -> list[str]:
    choice = random.Random(seed)
    return [f"w{choice.randrange(10_000)}" for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" ".join(words(300, 1)), True),
        ("\n".join(words(300, 1)), True),  # white space does not count
        (" ".join([*words(300, 1)[:150], "new", *words(300, 1)[150:]]), True),
        (" ".join([*words(300, 1)[:150], *words(150, 3)]), False),
        (" ".join(words(300, 2)), False),
        ("x", False),
        ("", False),
    ],
)
def test_near_duplicates_are_found(text: str, expected: bool) -> None:
    seen = NearDuplicates()
    assert not seen.add(" ".join(words(300, 1)))
    assert seen.add(text) is expected
    assert seen.add(text)


def test_a_large_package_gives_whole_folders_up_to_its_limit() -> None:
    texts = {f"p/{folder}/{name}.py": "x" * 10 for folder in "abcdef" for name in "mn"}
    chosen = limited(texts, 60)
    assert sum(map(len, chosen.values())) == 60
    assert all({f"p/{path[2]}/m.py", f"p/{path[2]}/n.py"} <= chosen.keys() for path in chosen)
    assert chosen == limited(dict(reversed(texts.items())), 60)


def test_the_loss_curve_is_drawn_inside_its_picture() -> None:
    picture = loss_curve([(1.0, 5.0), (2.0, 9.0), (12.0, 3.0)], [(11.0, 3.2)])
    points = re.search(r'points="([^"]+)"', picture)
    assert points is not None
    places = [tuple(map(float, pair.split(","))) for pair in points[1].split()]
    assert places == sorted(places)
    assert all(48 <= x <= 592 and 48 <= y <= 272 for x, y in places)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=25), max_size=300))
def test_packed_rows_hold_every_example_that_fits_once(examples: list[list[int]]) -> None:
    numbered = [[10 + i, *tokens] for i, tokens in enumerate(examples)]  # a first token no other example has
    rows = [row.tolist() for row in packed((list(tokens) for tokens in numbered), 20)]
    assert all(len(row) == 20 for row in rows)
    found = []
    for row in rows:
        filled = [token for token in row if token != PADDING]
        assert row[len(filled) :] == [PADDING] * (20 - len(filled))
        starts = [i for i, token in enumerate(filled) if token >= 10] + [len(filled)]
        found += [filled[start:end] for start, end in pairwise(starts)]
    assert sorted(found) == [tokens for tokens in numbered if len(tokens) <= 20]


def test_rows_are_read_back_as_written(tmp_path: Path) -> None:
    rows = list(packed([[i] * (i % 7 + 1) for i in range(1, 200)], 9))
    file = tmp_path / "rows.bin"
    file.write_bytes(b"".join(row.tobytes() for row in rows))
    assert read_rows(file, 8).tolist() == [row.tolist() for row in rows]


def test_whole_packages_are_set_aside_for_validation() -> None:
    for ecosystem in ECOSYSTEMS:
        names = [release.folder for release in read_manifest().packages if release.ecosystem == ecosystem]
        aside = [name for name in names if is_validation(name)]
        assert 0 < len(aside) < len(names) / 10
        assert "django" not in aside


PACKAGE = {
    "pkg/__init__.py": "",
    "pkg/shapes.py": TEXT,
    "pkg/draw.py": (
        "from pkg.shapes import Circle\n\n\ndef draw(radius: float) -> float:\n    circle = Circle(radius)\n"
        "    return circle.area() + Circle(radius * 2).area()\n"
    ),
}


def made_of(folder: Path, seed: int, share: float = 1.0) -> list[list[Piece]]:
    return list(examples(folder, 400, seed, share))


def test_examples_show_of_other_files_what_the_server_shows(tmp_path: Path) -> None:
    """The same for the same seed; the file that is imported, never the file itself, and nothing where the hole is the
    import."""
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    contexts = set()
    for seed in range(120):
        made = made_of(tmp_path, seed)
        assert made == made_of(tmp_path, seed)
        assert len(made) == 2  # one per file with text, short as they are
        for pieces in made:
            first, *others = [piece for piece in pieces if isinstance(piece, str)]
            if first.startswith("# pkg/shapes.py") and any("# pkg/draw.py" in piece for piece in others):
                contexts.add(first)
                assert BEGIN not in pieces or "from pkg" not in str(pieces[-2])
    assert contexts
    assert any("class Circle:" in text for text in contexts)
    lines = {line.strip() for text in contexts for line in text.splitlines()}
    assert lines <= {"# pkg/shapes.py", "...", *(line.strip() for line in TEXT.splitlines())}


def test_examples_of_typescript_begin_with_its_comment_and_show_what_is_imported(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shapes.ts").write_text(TYPESCRIPT, encoding="utf-8")
    draw = 'import { Circle } from "./shapes";\n\nexport function draw(circle: Circle) {\n  return circle.area();\n}\n'
    (tmp_path / "src" / "draw.ts").write_text(draw, encoding="utf-8")
    texts = [
        [piece for piece in pieces if isinstance(piece, str)]
        for seed in range(60)
        for pieces in made_of(tmp_path, seed)
    ]
    assert all(any(piece.startswith("// src/") for piece in pieces) for pieces in texts)
    assert any(
        pieces[0].startswith("// src/shapes.ts") and any(piece.startswith("// src/draw.ts") for piece in pieces[1:])
        for pieces in texts
    )


def test_a_share_of_the_examples_is_made(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("value = compute(argument)\n" * 1200, encoding="utf-8")
    counts = [len(made_of(tmp_path, seed, 0.5)) for seed in range(40)]
    assert set(counts) <= {5, 6}
    assert len(made_of(tmp_path, 0)) == 11
