"""From a text to its outline, and to the file as its definitions. Pure; broken code is input like any other."""

from __future__ import annotations

from repofill.context.languages import BY_NAME, language_of
from repofill.context.outline import Outline as Outline


def parse(path: str, text: str) -> Outline | None:
    """The outline of `text`, None when the language of `path` has no grammar here."""
    language = language_of(path)
    if language is None or language.support is None:
        return None
    return language.support.outline(text.encode("utf-8", "replace"))


def definitions_form(text: str, outline: Outline) -> str:
    """The file as its definitions: signatures, first docstring lines, class members, constants; "" without any."""
    support = BY_NAME[outline.language].support
    return "" if support is None else support.definitions_form(text, outline)
