"""Trimming: nothing that already follows, nothing past the line or block, the file's own line ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.models.trim import block_indent, closes, trim, with_line_ends


def check(raw: str, around: str, expected: str) -> None:
    """`around` is the document with `|` at the cursor."""
    before, after = around.split("|")
    assert trim(raw, before, after, block_indent=block_indent(before, after)) == expected


@pytest.mark.parametrize(
    ("raw", "around", "expected"),
    [
        ("lf.x\nmore", "return se|\n", "lf.x"),
        ("", "x = |", ""),
        ("   ", "x = |", ""),
        ("1   \n", "x = |\n", "1"),
        # the rest of the line stands there already
        ("a, b):", "def f(|):\n    pass", "a, b"),
        ("a, b) -> int:", "def f(|) -> int:\n    pass", "a, b"),
        ("bar(x))", "foo(|)", "bar(x)"),
        ("bar(x)", "foo(|)", "bar(x)"),
        ("x]", "a[|]", "x"),
        ('name"]', 'a["|"]', "name"),
        ("value", "x = |  # the value", "value"),
        ("value  # the value", "x = |  # the value", "value"),
        # the bracket that the cursor stands in closes once, whatever else was written behind it
        ("user, resource):", "if user_is_allowed(|)", "user, resource"),
        ("self, x) -> None:", "def f(|):\n    pass", "self, x"),
        ("a) + b", "print(|)", "a"),
        ("x[i]])", "f(a[|])", "x[i]"),
        ("x])", "f(a[|)", "x]"),
        ("a, (b), c", "f(|)", "a, (b), c"),
        ("a, b)", "foo(| b)", "a,"),
        ("a )", "foo(| )", "a"),
        ("mal;", "add(BigDeci|)", "mal"),
        ("; i < n; i++", "for (int i = 0|)", "; i < n; i++"),
        ("g(); }", "if (x) { f(); |}", "g(); "),
        ("g();", "if (x) { f(); |}", "g();"),
        ("1,", "f(|)", "1"),
        (",", "f(1|)", ""),
        ("1,)", "x = (|)", "1,"),
        (")", 'fail("internal err|")', ""),
        ("l;", "type: 'nul|'", "l"),
        ("or(", "expect('TypeErr|')", "or"),
        # nothing is closed that is not open, as the lines above are indented
        ("r)", "func save(a int) {\n\ttx, er|\n", "r"),
        ("r)", "func save(\n\ttx, er|\n", "r)"),
        ("d) {", "class A {\n  f() {\n    if (this.b = c.conflicte|\n", "d) {"),
        ("d) {", "class A {\n  f() {\n    this.b = c.conflicte|\n", "d"),
        (")", "f(a, (x) => {\n  g();\n}|\n", ")"),
        (")", "f(\n  a,\n  (x) => {\n    g();\n  }|\n", ")"),
        (")", "while (x) {\n  g();\n}|\n", ""),
        (")", "try:\n    x()\nexcept IndexError|:\n    pass\n", ""),
        (");", "for (a of b) {\n  c();\n|}\n", ""),
        # nor what the line below closes
        (")", 'skip(\n    "why"|\n)\n', ""),
        (") + 1", "a(\n    b(\n        c|\n    )\n)\n", ""),
        (") + 1", "a(\n    b(\n        c|\n)\n", ") + 1"),
        (") {", "if (a &&\n    b|\n}\n", ") {"),
        ("on) any later version.", " * (at your\n * opti|\n", "on) any later version."),
        # nor does it open what the bracket behind the cursor would close in its place
        ("f(x", "print(|)", "f"),
        ("(source, subscriber) => {", "return operate(|)", "(source, subscriber) =>"),
        ("{", "source.subscribe(|)", ""),
        ("b({c: 1}), d(", "a(|);", "b({c: 1}), d"),
        ("'({', x", "f(|)", "'({', x"),
        ("f(x;", "y = |;", "f"),
        ("f(x", "y = |", "f(x"),
        ("[", "x = |  # why", "["),
        # what goes on to the end of its line, where the code behind the cursor does otherwise, would be in its place
        (" extends Config = Config,", "config| extends Config,", ""),
        (".on('a', listener)", "emitter|.off('a', listener)", ""),
        ("./types';", "import { Refs } from '|../refs';", ""),
        ("node.children:", "for child in | + rest:", ""),
        ("node.children + rest:", "for child in | + rest:", "node.children"),
        (",", "kind: FileText|;", ""),
        ("*/", " |*\n * more", ""),
        ("value", "x = |  // why", "value"),
        # within a string a bracket is no code
        ('x}")', 'print(f"{|}")', "x"),
        ('x)}"', 'f"{foo(|)}"', "x"),
        ('foo)"', 'm = "see (|)"', "foo"),
        # brackets in strings are text, apostrophes are no strings
        ('f("don\'t")', "print(|)", 'f("don\'t")'),
        ('")", b)', "print(|)", '")", b'),
        ('c")', 'print("ab|)', 'c"'),
        ("can't)", "# it doesn't (|)", "can't"),
        ('"\\")", b)', "print(|)", '"\\")", b'),
        # a string ends once
        ('name"] = 1', 'a["|"]', "name"),
        ('say \\"x\\""', 'a = "|"', 'say \\"x\\"'),
        ('Says "x"."""', 'def f():\n    """|"""\n    pass', 'Says "x".'),
        ("it's", 'a = "|"', "it's"),
        ("b', 'c')", "f('a|', 'c')", "b"),
        # within braces in it there is code, with strings of its own
        ('d["k"]}")', 'print(f"{|}")', 'd["k"]'),
        ('f"{d["k"]!r:>9} {e}", x)', "log(|", 'f"{d["k"]!r:>9} {e}", x)'),
        ("f'{x!r}', b)", "log(|)", "f'{x!r}', b"),
        ("x!r}'", "f'{|}'", "x!r"),
        ('"a"]}")', 'print(f"{x[|]}")', '"a"'),
        ('x, "a")}");', 'Log($"{f(|)}");', 'x, "a"'),
        ('{d["k"]} b");', 'Log($"a |");', '{d["k"]} b'),
        ('#{h["b"]} c"', 'puts "a |"', '#{h["b"]} c'),
        ("a['b']}`);", "log(`${|}`);", "a['b']"),
        ("a ? `b` : `c`}`);", "log(`${|}`);", "a ? `b` : `c`"),
        ("log(`Can't find ${name('a')}`);", "  |\n", "log(`Can't find ${name('a')}`);"),
        ("`a) ${x}`, b);", "log(|);", "`a) ${x}`, b"),
        ("hello ${a}`", "x = `|`;", "hello ${a}"),
        ("hello ${a}", "x = `|`;", "hello ${a}"),
        ("see (a)", 'print("|")', "see (a)"),
        # one that begins behind the cursor is code
        (") {", "add(|'b');", ""),
        ("x)", 'print(|"")', ""),
        ('x, "b")', 'print(|"b")', "x, "),
        ("(x):", "if f|:", "(x)"),
        # lines that follow the cursor are not suggested again
        ("    return x", "def f(x):\n|\n    return x\n", ""),
        ("\n    y = 1\n    z = 2", "def f():|\nz = 2\n", "\n    y = 1"),
        ("return x", "def f(x):\n    |\n    return x\n", ""),
        ("mport os", "i|\nimport os\n", ""),
        ("*/", "/**\n |\n */", ""),
        # what follows stays in the comment or docstring that it is in, or in none
        (" it. */", "/**\n * Adds|\n * to it.\n */\nf();\n", " it."),
        ("*/ f();", "/* a |\n * b */\n", ""),
        (" it. */", "/**\n * Adds|\nf();\n/** b */\n", " it. */"),
        ("/**", "a();\n|\nb();\n/** c */\n", ""),
        ("g(); /* a", "a();\n|\nb();\n", "g();"),
        ("g(/* a */);", "a();\n|\nb();\n", "g(/* a */);"),
        ("/**", "a();\n|\n * b\n */\n", "/**"),
        ("/**", "a();\n|\n", "/**"),
        ('"src/*");', "glob(|\nb();\n", '"src/*");'),
        ('it."""', 'def f():\n    """Adds\n    |\n    more."""\n', "it."),
        ('"""', 'def f():\n    """Adds\n    |\n    a()\n', '"""'),
        ('"""Adds', "a()\n|\nb()\n", ""),
        ('"""Adds."""', "a()\n|\nb()\n", '"""Adds."""'),
        # what ends a block stands where the block began
        ("}", "if (x) {\n  return;\n  |\n}\n", ""),
        ("}", "function f() {\n  if (x) {\n    return;\n  |\n}\n", "}"),
        ("    })", "f(() => {\n    run(() => {\n        x();\n|\n", "    })"),
        ("}", "rows, err := query()\n\n|\n", ""),
        ("end", "  def a\n  end\n  |\n", ""),
        ("end", "  def a\n    b\n  |\n", "end"),
        ("]", "x = [\n|", "]"),
        ("}", "int f() {\n  g();\n#endif\n|\n", "}"),
        ("end_of(x)", "a = 1\n|", "end_of(x)"),
        # a block ends where its indentation ends
        ("\n    a = 1\n    return a\n\nb = 2", "def f():|\n", "\n    a = 1\n    return a"),
        # hardly anybody writes the line above once more, indented alike
        (" == right", "check(a)\nassert left == right\n\nassert left|\n", ""),
        ("x", "call(x)\ncall(|)\n", ""),
        ("x)", "if a:\n    call(x)\ncall(|\n", "x)"),
        ("x, y)", "call(x)\ncall(|\n", "x, y)"),
        # a line is repeated where it is indented alike; a block that was cut leaves no bracket open
        ("if (x) {\n    g();\n  }\n  return 1;\n}", "function f() {\n  |\n}\n", "if (x) {\n    g();\n  }\n  return 1;"),
        ("a();\n  if (x) {\n    g();", "function f() {\n  |\n}\n", "a();"),
        ("if (x) {\n    g();", "function f() {\n  |\n}\n", ""),
        ("if (x) {\n    g();\n  } else {\n    h();", "function f() {\n  |\n}\n", ""),
        ("f(", "def f():\n    |\n", ""),
        ("a()\n    if b:", "def f():\n    |\n", "a()"),
        ("a()\n    try:\n        b()", "def f():\n    |\n", "a()"),
        ("try:\n        b()", "def f():\n    |\n", ""),
        (
            "try:\n        b()\n    except C:\n        pass",
            "def f():\n    |\n",
            "try:\n        b()\n    except C:\n        pass",
        ),
        ("a()\n    # b" + "\n    b()" * 12, "def f():\n    |\n", "a()\n    # b" + "\n    b()" * 10),
        ("a()" + "\n    a()" * 9 + "\n\n    # b\n    b()", "def f():\n    |\n", "a()" + "\n    a()" * 9),
        ("a()" + "\n    a()" * 9 + "\n    # b", "def f():\n    |\n", "a()" + "\n    a()" * 9 + "\n    # b"),
        ("# don't (\n    a = 1", "def f():\n    |\n", ""),
        ("a = 1\n    return a\nb = 2", "def f():\n    |\n", "a = 1\n    return a"),
        # a body that stands below already: the rest of the line only
        ("\n    a = 1", "def f():|\n    b = 2\n", ""),
        ("  # why\n    a = 1", "def f():|\n    b = 2\n", "  # why"),
        # carriage returns never come through, undecodable text never shows
        ("a\r\nb", "x = |", "a"),
        ("a\ufffd", "x = |", ""),
        ("a\0", "x = |", ""),
    ],
)
def test_trim(raw: str, around: str, expected: str) -> None:
    check(raw, around, expected)


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ("def f():|", 0),
        ("def f():  # why\n|", 0),
        ("class A:\n    async def f(self):\n        |", 4),
        ("if x:|\n    y = 1", None),
        ("x = {1:|", None),
        ("x = 1|", None),
        ("for a in b:| c", None),
        ("\tif x:|", 8),
        ("function f(x) {\n  |\n}\n", 0),
        ("  if err != nil {  // why\n\t|\n  }\n", 2),
        ("run(() => {\n  |\n});\n", 0),
        ("impl Shape for Circle {|", 0),
        ("} else {\n  |\n}\n", 0),
        ("f() {\n  |\n  return 1;\n}\n", None),
        ("const a = {\n  |\n};\n", None),
        ("call({\n  |\n});\n", None),
        ("return {\n  |\n};\n", None),
        ("const {\n  |\n} = a;\n", None),
        ("import {\n  |\n} from 'a';\n", None),
        ("x = `${\n  |\n}`;\n", None),
        ("type A = B & {\n  |\n};\n", None),
    ],
)
def test_block_indent(around: str, expected: int | None) -> None:
    before, after = around.split("|")
    assert block_indent(before, after) == expected


@given(
    raw=st.text(alphabet="ab()\n :", max_size=40),
    before=st.text(alphabet="ab( \n", max_size=20),
    after=st.text(alphabet="ab) \n", max_size=20),
)
def test_never_more_than_the_model_wrote(raw: str, before: str, after: str) -> None:
    """A trimmed text is a beginning of the raw one, and at the end of a line it ends in no white space."""
    text = trim(raw, before, after)
    assert raw.startswith(text)
    assert after.split("\n")[0].strip() or text == text.rstrip()


@given(raw=st.text(alphabet="ab()[], ", max_size=40), inside=st.sampled_from(["f(|)", "f(| )", "f(|) + (b)", "f(|):"]))
def test_no_bracket_is_closed_twice(raw: str, inside: str) -> None:
    """The longest beginning that does not leave the cursor's bracket, as far as every bracket that it opens is closed,
    white space and commas at its end aside."""
    before, after = inside.split("|")
    kept = next(raw[:end] for end in range(len(raw), -1, -1) if is_nested(raw[:end]))
    opened = [at for at, character in enumerate(kept) if character in "([" and not is_closed(kept[at:])]
    assert trim(raw, before, after).rstrip(", ") == kept[: opened[0] if opened else None].rstrip(", ")


def is_nested(text: str) -> bool:
    """Whether every bracket that is closed is the last one that was opened."""
    brackets = "".join(character for character in text if character in "([)]")
    while (shorter := brackets.replace("()", "").replace("[]", "")) != brackets:
        brackets = shorter
    return not set(brackets) & set(")]")


@pytest.mark.parametrize(
    ("text", "around", "expected"),
    [
        ("data: bytes) -> bytes:", "def decode(self, |)", True),
        ("data: bytes", "def decode(self, |)", False),
        ("(a, b) => {", "operate(|)", False),
        ("(a, b) => {});", "operate(|)", True),
        ("hello')", "print('|')", True),
        ("hello', end='')", "print('|')", True),
        ("it\\'s'", "print('|')", False),
        ("x]), 1", "f(a[|])", True),
        ("x), 1", "f(a[|])", False),
        ("f(x)", "g(|)", False),
        ("', end='')", "print('|')", True),
        ('x}")', 'print(f"{|}")', True),
        ('x)}"', 'f"{foo(|)}"', True),
        ('d["k"]}")', 'print(f"{|}")', True),
        ("hello ${a}`)", "log(`|`)", True),
        ("x", 'print(f"{|}")', False),
        ('x")', 'print(f"{|}")', False),
    ],
)
def test_what_closes_by_itself(text: str, around: str, expected: bool) -> None:
    before, after = around.split("|")
    assert closes(text, before, after) is expected


def is_closed(text: str) -> bool:
    """Whether the bracket that a text begins with is closed in it, by whatever bracket."""
    return any(sum(map(text[:end].count, "([")) == sum(map(text[:end].count, ")]")) for end in range(1, len(text) + 1))


def test_line_ends() -> None:
    """A CRLF document gets CRLF, any other LF."""
    assert with_line_ends("a\nb", "x\r\ny\r\n") == "a\r\nb"
    assert with_line_ends("a\nb", "x\ny\r\n") == "a\nb"
    assert with_line_ends("a\nb", "x") == "a\nb"
