"""The registry of languages: by a file's name, its comment syntax and, where there is one, its grammar and resolver.

A new language is one module here, with a `SUPPORT` of its own, and one line in the table below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate

from repofill.context.languages import bash, c_family, csharp, ecmascript, go, java, lua, php, python, ruby, rust
from repofill.context.languages.support import Support


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """`opening` and `closing` enclose a comment of one line. Without `support` a file has no outline and no imports."""

    name: str
    suffixes: tuple[str, ...]
    opening: str
    closing: str = ""
    support: Support | None = None

    @property
    def comment(self) -> tuple[str, str]:
        """What stands before and after the text of a comment."""
        return self.opening, self.closing


LANGUAGES = (
    Language(name="python", suffixes=(".py", ".pyi", ".pyw"), opening="# ", support=python.SUPPORT),
    Language(name="javascript", suffixes=(".js", ".mjs", ".cjs", ".jsx"), opening="// ", support=ecmascript.SUPPORT),
    Language(name="typescript", suffixes=(".ts", ".mts", ".cts", ".tsx"), opening="// ", support=ecmascript.SUPPORT),
    Language(name="java", suffixes=(".java",), opening="// ", support=java.SUPPORT),
    Language(name="kotlin", suffixes=(".kt", ".kts"), opening="// "),
    Language(name="scala", suffixes=(".scala",), opening="// "),
    Language(name="go", suffixes=(".go",), opening="// ", support=go.SUPPORT),
    Language(name="rust", suffixes=(".rs",), opening="// ", support=rust.SUPPORT),
    Language(name="c", suffixes=(".c", ".h"), opening="// ", support=c_family.SUPPORT),
    Language(
        name="cpp",
        suffixes=(".cc", ".cpp", ".cxx", ".c++", ".hh", ".hpp", ".hxx", ".h++", ".inl", ".ipp", ".tpp", ".tcc"),
        opening="// ",
        support=c_family.SUPPORT,
    ),
    Language(name="csharp", suffixes=(".cs",), opening="// ", support=csharp.SUPPORT),
    Language(name="swift", suffixes=(".swift",), opening="// "),
    Language(name="php", suffixes=(".php",), opening="// ", support=php.SUPPORT),
    Language(name="ruby", suffixes=(".rb", ".rake"), opening="# ", support=ruby.SUPPORT),
    Language(name="shell", suffixes=(".sh", ".bash", ".zsh"), opening="# ", support=bash.SUPPORT),
    Language(name="perl", suffixes=(".pl", ".pm"), opening="# "),
    Language(name="r", suffixes=(".r",), opening="# "),
    Language(name="julia", suffixes=(".jl",), opening="# "),
    Language(name="elixir", suffixes=(".ex", ".exs"), opening="# "),
    Language(name="lua", suffixes=(".lua",), opening="-- ", support=lua.SUPPORT),
    Language(name="haskell", suffixes=(".hs",), opening="-- "),
    Language(name="sql", suffixes=(".sql",), opening="-- "),
    Language(name="html", suffixes=(".html", ".htm"), opening="<!-- ", closing=" -->"),
    Language(name="markdown", suffixes=(".md",), opening="<!-- ", closing=" -->"),
    Language(name="css", suffixes=(".css",), opening="/* ", closing=" */"),
    Language(name="toml", suffixes=(".toml",), opening="# "),
    Language(name="yaml", suffixes=(".yaml", ".yml"), opening="# "),
)

CONFIG_NAMES = re.compile(
    "|".join(translate(name) for language in LANGUAGES if language.support for name in language.support.configs)
    or r"(?!)"
)
"""Of the configuration files that the resolvers read."""

BY_NAME = {language.name: language for language in LANGUAGES}
_BY_SUFFIX = {suffix: language for language in LANGUAGES for suffix in language.suffixes}


def language_of(path: str) -> Language | None:
    """The language of a file, by the ending of its name; None when it is not known."""
    stem, _, suffix = path.rpartition("/")[2].rpartition(".")
    return _BY_SUFFIX.get(f".{suffix.lower()}") if stem else None


def suffix_of(name: str) -> str:
    """How the names of a language's files end, the language as editors name it: ".py" for "python"."""
    language = BY_NAME.get(name)
    return f".{name}" if language is None else language.suffixes[0]


def path_comment(path: str) -> str:
    """The comment line that precedes a file in a prompt, without its line end: "# pkg/mod.py"."""
    language = language_of(path)
    return f"# {path}" if language is None else f"{language.opening}{path}{language.closing}"
