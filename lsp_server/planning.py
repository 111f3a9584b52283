"""What a prompt shows: which other files, and how much of the cursor's own. Used by the completion path.

Both stay as they are while somebody types, and with them the engine's KV cache; what typing changes of them is made up
for in pauses.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from repofill.context.index import WorkspaceIndex
from repofill.context.languages.support import Resolution
from repofill.context.pack import Chosen, ContextFile, prefix_window
from repofill.context.reader import lf
from repofill.models.budget import Budget

CHARACTERS_PER_TOKEN = 3
_CONTEXT_CHARACTERS_PER_TOKEN = 3.6
"""More than most models need for code: a context that turns out too long is packed again, tighter."""
_TIGHTER = 0.98
_PLANS = 64
_PLACE_LINES = 40
"""A cursor so near to where a plan was made is at the same place: while the user types there, the plan stays."""
_TYPING_S = 5.0
"""Who has asked at a place so recently is typing there."""
_BEGINNING = 200
"""Characters by which the beginning of what is shown of the cursor's file is found again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in a document: `path` within the workspace, the whole `text`, `offset` in code points from its start."""

    path: str
    text: str
    offset: int

    def without(self, following: str) -> Cursor:
        """The same place without what follows it, which begins so."""
        end = self.offset + len(following)
        return replace(self, text=self.text[: self.offset] + self.text[end:]) if following else self

    def sides(self) -> tuple[str, str]:
        """The text before and after it, with LF line ends."""
        return lf(self.text[: self.offset]), lf(self.text[self.offset :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The other files of a prompt, in prompt order, and their tokens in all; `shared_tokens` at their beginning are
    those of the plan before. `chosen` is what they are made of, `resolution` what the current file's imports led to."""

    files: tuple[ContextFile, ...] = ()
    shared_tokens: int = 0
    chosen: tuple[Chosen, ...] = ()
    resolution: Resolution = field(default_factory=Resolution)

    @property
    def tokens(self) -> int:
        """Tokens of all files."""
        return sum(file.tokens for file in self.files)


@dataclass(slots=True, eq=False)
class Planned:
    """The plan of a place, the line it was made for and the budget it was made within, when it was last used by
    somebody typing, and where in the cursor's file the text of the prompt begins: behind so many characters, so."""

    plan: asyncio.Task[Plan]
    line: int
    budget: Budget
    typed_at: float
    start: int = 0
    beginning: str = ""

    @property
    def made(self) -> Plan | None:
        """The plan, None as long as there is none."""
        failed = not self.plan.done() or self.plan.cancelled() or self.plan.exception() is not None
        return None if failed else self.plan.result()

    def ahead(self, before: str, *, typing: bool) -> str:
        """How much of the text before the cursor the prompt shows: from where it did the last time, for as long as that
        is neither too long nor much too short."""
        fresh, longest = (tokens * CHARACTERS_PER_TOKEN for tokens in (self.budget.prefix, self.budget.longest_prefix))
        most = longest if typing else (fresh + longest) // 2
        there = before[self.start : self.start + _BEGINNING]
        same = self.beginning and there[: len(self.beginning)] == self.beginning[: len(there)]
        if not same or not fresh // 2 <= len(before) - self.start <= most:
            window = prefix_window(before, fresh)
            self.start, self.beginning = len(before) - len(window), window[:_BEGINNING]
        return before[self.start :]


class Planner:
    """Keeps the last plan of every file; `count` tells how many tokens texts have."""

    def __init__(self, count: Callable[[Sequence[str]], Awaitable[list[int]]]) -> None:
        self._count = count
        self._plans: WeakKeyDictionary[WorkspaceIndex, OrderedDict[str, Planned]] = WeakKeyDictionary()

    def at(self, index: WorkspaceIndex, cursor: Cursor, budget: Budget, *, typing: bool) -> Planned:
        """The plan of the cursor's place: the one made before, for as long as it is good. While somebody is `typing`
        there, what the imports of the file lead to may have changed. A new one keeps what it can of the one before, be
        it another file's."""
        plans = self._plans.setdefault(index, OrderedDict())
        line = cursor.text.count("\n", 0, cursor.offset)
        now = asyncio.get_running_loop().time()
        known = plans.get(cursor.path)
        frozen = typing and known is not None and now < known.typed_at + _TYPING_S
        if known is None or not _good(known, index, cursor.path, line, budget, frozen=frozen):
            before = (known, *reversed(plans.values())) if known is not None else reversed(plans.values())
            previous = next((made for made in (planned.made for planned in before) if made is not None), Plan())
            plan = asyncio.get_running_loop().create_task(self._plan(index, cursor, budget, previous))
            known = plans[cursor.path] = Planned(plan, line, budget, typed_at=now)
        if typing:
            known.typed_at = now
        plans.move_to_end(cursor.path)
        if len(plans) > _PLANS:
            plans.popitem(last=False)
        return known

    async def _plan(self, index: WorkspaceIndex, cursor: Cursor, budget: Budget, previous: Plan) -> Plan:
        resolution = index.resolution(cursor.path)
        before, after = cursor.sides()
        characters = int(budget.context * _CONTEXT_CHARACTERS_PER_TOKEN)
        while True:
            chosen = await asyncio.to_thread(index.plan, cursor.path, before, after, characters, previous.chosen)
            counts = await self._count([c.text for c in chosen])
            if (total := sum(counts)) <= budget.context:
                break
            characters = int(characters * budget.context / total * _TIGHTER)
        same = [a.text == b.text for a, b in zip(chosen, previous.chosen, strict=False)]
        shared = same.index(False) if False in same else len(same)
        return Plan(
            files=tuple(
                ContextFile(path=c.path, tokens=tokens, form=c.form, text=c.text)
                for c, tokens in zip(chosen, counts, strict=True)
            ),
            shared_tokens=sum(counts[:shared]),
            chosen=chosen,
            resolution=resolution,
        )


def _good(known: Planned, index: WorkspaceIndex, path: str, line: int, budget: Budget, *, frozen: bool) -> bool:
    """Whether a plan serves a line: made for a place near by, or being made, from what is still true. While it is
    `frozen`, the file's imports may lead elsewhere."""
    if abs(line - known.line) > _PLACE_LINES or known.budget != budget:
        return False
    if not known.plan.done():
        return True
    plan = known.made
    if plan is None or not index.still_true(plan.chosen):
        return False
    return frozen or plan.resolution == index.resolution(path)
