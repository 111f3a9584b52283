"""From a text to its outline. Pure; broken code is input like any other."""

from __future__ import annotations

from repofill.context.languages import language_of
from repofill.context.outline import Outline


def parse(path: str, text: str) -> Outline | None:
    """The outline of `text` (LF line ends), None when the language of `path` has no grammar here."""
    language = language_of(path)
    if language is None or language.support is None:
        return None
    return language.support.outline(path, text.encode("utf-8", "replace"))
