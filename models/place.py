"""What the lines around a cursor say of how its own may end. Pure; made by the completion path, weighed by `rank`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from repofill.context.matches import indent_columns
from repofill.models.trim import left_open

_OPENS_BLOCK = re.compile(r"(?::|=>)[ \t]*$")
_LINE_CHARACTERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The cursor's line ahead of it and behind it, the last line `above` that is not blank, without its indentation,
    and the indentation, in columns, of the first one below; None where there is none."""

    line: str = ""
    rest: str = ""
    above: str = ""
    below: int | None = None

    @classmethod
    def between(cls, before: str, after: str) -> Place:
        """The place of a cursor between two texts (LF line ends)."""
        rest, _, lines = after.partition("\n")
        above, _, line = before.rpartition("\n")
        below = next((line for line in lines.split("\n", 8) if line.strip()), None)
        return cls(
            line=line[-_LINE_CHARACTERS:],
            rest=rest[:_LINE_CHARACTERS],
            above=above.rstrip().rpartition("\n")[2].lstrip()[:_LINE_CHARACTERS],
            below=None if below is None else indent_columns(below),
        )

    @property
    def finished(self) -> bool:
        """Whether the line is blank, and the code below goes on indented as much or deeper."""
        blank = not f"{self.line}{self.rest}".strip()
        return blank and self.below is not None and self.below >= indent_columns(self.line)

    def features(self, text: str) -> dict[str, float]:
        """What is weighed of a text at this place: whether its last line opens something, a block or a bracket that it
        does not close, and whether the line below is indented as if it did."""
        last = f"{self.line}{text}{self.rest}".rpartition("\n")[2]
        opens = _OPENS_BLOCK.search(last) is not None or left_open(last, "") < len(last)
        deeper = self.below is not None and self.below > indent_columns(last)
        return {
            "below": float(self.below is not None),
            "opens": float(opens),
            "opens_deeper": float(opens and deeper),
            "opens_level": float(opens and not deeper and self.below is not None),
            "closed_deeper": float(deeper and not opens),
        }
