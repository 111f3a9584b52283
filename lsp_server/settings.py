"""Every setting, defined once: its name, type, default, bounds and description. Pure but for reading `repofill.toml`.

Layers, later over earlier: the defaults, the user's own `repofill.toml`, the workspace's, initializationOptions,
workspace/configuration. A wrong value is one problem in one sentence, and the value of the layer below counts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import platformdirs

FILE_NAME = "repofill.toml"

UNTRUSTED = frozenset({"model.path", "log.file"})
"""What a workspace's file may not name: opening someone's project must not load a file of their choosing, nor write
one."""


def _setting(default: Any, description: str, *, least: float | None = None, most: float | None = None) -> Any:
    """`least` and `most` are the bounds of every value but the default."""
    return field(default=default, metadata={"description": description, "least": least, "most": most})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """`repofill.model.*`"""

    path: str = _setting(
        "",
        "Path of a GGUF model that can fill in the middle, or the address of your own llama-server that has one "
        "(http://localhost:8080), where prompts go then; empty for the bundled model.",
    )
    threads: int = _setting(0, "Threads that compute; 0 for the number of physical cores.", least=0, most=256)
    gpu_layers: int = _setting(0, "Layers kept on a GPU; -1 for all. Needs llama-cpp-python built for it.", least=-1)
    idle_minutes: int = _setting(
        30, "Minutes without typing after which the model leaves the memory, until it is needed; 0 for never.", least=0
    )
    prompt_cache_mb: int = _setting(
        256,
        "Megabytes for evaluated prompts of other files, so that going back to one needs no evaluation; never more "
        "than half of the model's size.",
        least=0,
    )
    context_window: int = _setting(
        0, "Tokens of prompt and answer the model is loaded with; 0 for what suits its size.", least=128, most=131_072
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings:
    """`repofill.context.*`"""

    budget_tokens: int = _setting(
        0, "Tokens for other files in the prompt; 0 for what suits model and machine.", least=0
    )
    prefix_tokens: int = _setting(
        0,
        "Tokens of the current file before the cursor, half as many more while you type; 0 for what suits the machine.",
        least=0,
    )
    suffix_tokens: int = _setting(
        0, "Tokens of the current file after the cursor; 0 for what suits the machine.", least=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestSettings:
    """`repofill.suggest.*`"""

    enabled: bool = _setting(True, "Whether to suggest anything.")
    deadline_ms: int = _setting(500, "Milliseconds until an answer, with what there is by then.", least=20, most=60_000)
    max_lines: int = _setting(12, "Lines of a suggestion where the cursor opens a block; 1 for single lines.", least=1)
    max_items: int = _setting(3, "Suggestions to cycle through.", least=1, most=10)
    min_confidence: float = _setting(0.25, "Probability of being right below which nothing is shown.", least=0, most=1)
    disabled_languages: tuple[str, ...] = _setting((), "Language ids, as the editor names them, without suggestions.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """`repofill.log.*`"""

    level: str = _setting("info", "How much is logged: error, warning, info or debug. Never source text.")
    file: str = _setting("", "Path of the log file; empty for the user's log directory.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings."""

    model: ModelSettings = field(default_factory=ModelSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    suggest: SuggestSettings = field(default_factory=SuggestSettings)
    log: LogSettings = field(default_factory=LogSettings)


LOG_LEVELS = ("error", "warning", "info", "debug")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One setting as documentation and editors show it."""

    name: str
    type: type | Any
    default: Any
    description: str
    least: float | None
    most: float | None


def describe_settings() -> list[Described]:
    """Every setting in order, under its dotted name without the leading "repofill."."""
    return [
        Described(
            name=f"{section.name}.{leaf.name}",
            type=get_type_hints(type(part))[leaf.name],
            default=getattr(part, leaf.name),
            description=leaf.metadata["description"],
            least=leaf.metadata["least"],
            most=leaf.metadata["most"],
        )
        for section in fields(Settings)
        for part in (getattr(Settings(), section.name),)
        for leaf in fields(part)
    ]


_BY_NAME = {described.name: described for described in describe_settings()}


def apply(settings: Settings, layer: object, where: str, *, trusted: bool = True) -> tuple[Settings, list[str]]:
    """`settings` with the values of one layer (nested mappings) over it, and the problems found, each in one sentence.

    `where` names the layer in the problems.
    """
    problems: list[str] = []
    for name, value in _leaves(layer):
        described = _BY_NAME.get(name)
        if described is None and value == []:
            continue  # Lua's empty table, which becomes a list
        if described is None:
            shown = name if name.isprintable() else ascii(name)
            problems.append(f"{where}: there is no setting repofill.{shown}; it is ignored.")
            continue
        if not trusted and name in UNTRUSTED:
            problems.append(f"{where}: repofill.{name} counts only in your own settings, not in a workspace's.")
            continue
        wrong = _wrong(described, value)
        if wrong:
            problems.append(f"{where}: repofill.{name} {wrong}; it is ignored.")
        else:
            settings = _with(settings, name, value)
    return settings, problems


def read_file(path: Path) -> tuple[object, list[str]]:
    """The content of a `repofill.toml`, {} when there is none or it cannot be read, and the problem then."""
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is not a regular file")  # nobody may ever write into a pipe
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}, []
    except (OSError, ValueError, RecursionError) as error:
        return {}, [f"{path} cannot be read and is ignored: {getattr(error, 'strerror', None) or error}"]
    return content.get("repofill", content), []


def user_file() -> Path:
    """The user's own `repofill.toml`."""
    return platformdirs.user_config_path("repofill") / FILE_NAME


def layered(workspace: Path | None = None, *layers: tuple[str, object]) -> tuple[Settings, list[str]]:
    """The settings of all layers, lowest first, and all problems. `layers` are (name, nested values) above the
    files."""
    settings, problems = Settings(), []
    sources: list[tuple[Path, bool]] = [(user_file(), True)]
    if workspace is not None:
        sources.append((workspace / FILE_NAME, False))
    for path, trusted in sources:
        content, unreadable = read_file(path)
        settings, wrong = apply(settings, content, str(path), trusted=trusted)
        problems += unreadable + wrong
    for where, layer in layers:
        settings, wrong = apply(settings, layer, where)
        problems += wrong
    return settings, problems


def _leaves(layer: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted names with their values. Nulls, which editors send for what is not set, are left out."""
    if not isinstance(layer, Mapping):
        if layer is not None:
            yield prefix.rstrip("."), layer
        return
    for key, value in layer.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{name}.")
        elif value is not None:
            yield name, value


def _wrong(described: Described, value: object) -> str:
    """What is wrong with a value, "" when nothing is."""
    expected = described.type
    given = float if expected is float and type(value) is int else type(value)
    if expected == tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return f"must be a list of strings, not {value!r}"
    elif given is not expected:
        return f"must be of type {expected.__name__}, not {value!r}"
    if described.name == "log.level" and value not in LOG_LEVELS:
        return f"must be one of {', '.join(LOG_LEVELS)}, not {value!r}"
    if isinstance(value, int | float) and value != described.default:
        if described.least is not None and not value >= described.least:  # NaN is not at least anything
            default = f"{described.default} or " if described.default < described.least else ""
            return f"must be {default}at least {described.least:g}, not {value!r}"
        if described.most is not None and value > described.most:
            return f"must be at most {described.most:g}, not {value!r}"
    return ""


def _with(settings: Settings, name: str, value: object) -> Settings:
    section, leaf = name.split(".")
    part = getattr(settings, section)
    assert is_dataclass(part)
    converted = tuple(value) if isinstance(value, list) else value
    return replace(settings, **{section: replace(part, **{leaf: converted})})  # type: ignore[arg-type, type-var]
