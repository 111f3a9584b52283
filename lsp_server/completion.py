"""From a cursor to suggestions: the way of a keystroke, straight down. Called by the server's features and by the CLI.

Knows neither LSP nor llama.cpp: it asks the index for context and candidates, the engine for text and scores, and ranks
and trims what comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from repofill.context.index import WorkspaceIndex
from repofill.context.languages import language_of, path_comment
from repofill.context.matches import Candidate
from repofill.context.pack import ContextFile, suffix_window
from repofill.lsp_server.planning import CHARACTERS_PER_TOKEN, Cursor, Plan, Planned, Planner
from repofill.lsp_server.settings import Settings
from repofill.models.budget import Budget, budget_for
from repofill.models.choice import Found, all_options, sure_enough
from repofill.models.clock import Clock
from repofill.models.common import ORIGIN, common_lines, common_lines_of
from repofill.models.engine import Engine, EngineUnavailable
from repofill.models.place import Place
from repofill.models.protocol import FillAnswer, FillRequest
from repofill.models.rank import FAMILIES, Option, Ranked, by_promise
from repofill.models.trim import CLOSERS, CLOSING, block_indent, closes, trim, with_line_ends

SCORED_MODEL_BYTES = 150_000_000
"""Up to this file size the model chooses among copied candidates, too; a larger one has only time for its own text."""

_CANDIDATES = 10
_COMMON = 3
_SEARCH_THREADS = 2
"""One for a search that nobody waits for any longer, the other for the newest."""
_LINE_TOKENS = 48
_UNLIKELY = -4.0
"""A text that is less probable by itself (natural logarithm) is not written to its end: of the bundled model none such
was right at 840 places, of Qwen2.5-Coder none at 300."""
_NEAR_CHARACTERS = 20_000
"""So much around the cursor is looked at for every option: all of a large file would hold up the loop."""
_LEAST_CHARACTERS = 2
"""A single one is typed as fast as it is accepted."""
_TYPED_AT_ONCE = 6
"""Characters between two requests; more are inserted, or come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Text to insert at the cursor, in the place of so many characters behind it. `confidence` is the probability that
    it is exactly right or, of the beginning of a line, that the line begins so; `source` is "project" for text copied
    from the project, "common" for what many packages have, "model" for what the model wrote, "both" where it agrees
    with the project."""

    text: str
    confidence: float
    source: str
    replaces: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The answer to one keystroke, best suggestion first, with the figures of how it came about."""

    items: tuple[Suggestion, ...]
    prompt_tokens: int
    cached_tokens: int
    context: tuple[ContextFile, ...]
    timings_ms: dict[str, float]
    deadline_ms: int
    model: str

    @property
    def text(self) -> str:
        """The best suggestion, or "" when there is none."""
        return self.items[0].text if self.items else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered(Found):
    """What one cursor yields before anything is chosen, and how it came about."""

    plan: Plan
    timings_ms: dict[str, float]


class Completer:
    """Completes at cursors with one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._planner = Planner(engine.count_tokens)
        self._place: tuple[WorkspaceIndex, Cursor, Settings] | None = None
        self._newest = 0
        self._shown: tuple[Cursor, Completion] | None = None
        self._searches = ThreadPoolExecutor(_SEARCH_THREADS, thread_name_prefix="copy")
        self._reading = self._searches.submit(common_lines)  # once, which takes longer than a keystroke may
        self._copying: asyncio.Future[tuple[Candidate, ...]] | None = None

    @property
    def trouble(self) -> str:
        """Why the model gives no answers now, in one line; "" where it does."""
        return self._engine.reason

    async def plan(self, index: WorkspaceIndex, cursor: Cursor, settings: Settings, *, typing: bool = False) -> Plan:
        """The other files that the prompt at `cursor` shows; `typing`: to somebody who is."""
        return await asyncio.shield((await self._planned(index, cursor, settings, typing=typing)).plan)

    async def warm(self, index: WorkspaceIndex, cursor: Cursor, settings: Settings, *, typing: bool = False) -> None:
        """Bring the prompt at `cursor` into the cache, so that the first keystroke finds it there; at the beginning of
        a file, where nobody types, its other files alone. Not once something is asked elsewhere."""
        self._place = place = index, cursor, settings
        planned = await self._planned(index, cursor, settings, typing=typing)
        plan = await asyncio.shield(planned.plan)
        if self._place is not place:
            return
        if cursor.text[: cursor.offset].strip():
            await self._engine.warm(_request(plan, planned, cursor.path, *cursor.sides(), typing=typing))
        elif not self._engine.model.fim.context_inside:  # nothing known yet begins their prompts
            context = tuple(file.text for file in plan.files)
            await self._engine.warm(FillRequest(context=context, header="", prefix="", suffix=""))

    async def pause(self) -> None:
        """Typing pauses, and what was typed is known to the index: bring the prompt where it ended into the cache. What
        has changed of the other files' part comes in once the pause has lasted as long as an evaluation takes, for then
        it is likely to go on as long again."""
        place = self._place
        if place is None or self._engine.state != "ready":
            return
        await self.warm(*place, typing=True)
        budget = self._budget(place[-1])
        await asyncio.sleep((budget.prefix + budget.suffix) / self._engine.tokens_per_s)
        if self._place == place:
            await self.warm(*place)

    async def complete(
        self,
        index: WorkspaceIndex,
        cursor: Cursor,
        settings: Settings,
        *,
        explicit: bool = False,
        over_closers: bool = False,
    ) -> Completion | None:
        """Suggestions at `cursor`; None where none are wanted. `explicit`: the user asked, so unsure suggestions are
        shown as well. `over_closers`: they may take the place of brackets and quotes that end the cursor's line, which
        the editor has mostly written by itself. While what was shown is being typed, its rest is what is shown."""
        if not explicit and _unwanted(cursor):
            return None
        closers = _closers(cursor) if over_closers else ""
        self._place = place = index, cursor.without(closers), settings
        shown, self._shown = self._shown, None
        if not explicit and shown is not None and (rest := _rest_of(*shown, cursor)) is not None:
            self._shown = cursor, rest
            return rest
        gathered = await self.gather(*place, explicit=explicit, typing=not explicit)
        sure = all_options(gathered) if explicit else sure_enough(gathered, settings.suggest.min_confidence)
        items = [s for s in _suggestions(sure, cursor, closers) if explicit or len(s.text) >= _LEAST_CHARACTERS]
        answer = gathered.answer
        completion = Completion(
            items=tuple(items[: settings.suggest.max_items]),
            prompt_tokens=answer.prompt_tokens if answer else 0,
            cached_tokens=answer.cached_tokens if answer else 0,
            context=gathered.plan.files,
            timings_ms={**gathered.timings_ms, **(answer.timings_ms if answer else {})},
            deadline_ms=settings.suggest.deadline_ms,
            model=gathered.model.name,
        )
        late = answer is None or answer.ended == "deadline"  # the next keystroke may bring more
        self._shown = None if late else (cursor, completion)
        return completion

    async def gather(
        self,
        index: WorkspaceIndex,
        cursor: Cursor,
        settings: Settings,
        *,
        explicit: bool = False,
        typing: bool = False,
    ) -> Gathered:
        """Everything that is known at `cursor` before ranking: copied candidates, the model's text and its scores.
        What the model does not give by the deadline, or before a newer call, is left out, and so is, unless it was
        asked for `explicit`ly, a text that it gives no chance. While somebody is `typing`, the prompt stays as it is
        ahead of the cursor."""
        clock = Clock("copy")
        self._newest = number = self._newest + 1
        before, after = cursor.sides()
        near = before[-_NEAR_CHARACTERS:], after[:_NEAR_CHARACTERS]
        max_lines = settings.suggest.max_lines
        block = block_indent(*near) if max_lines > 1 else None
        shown_as = partial(trim, before=near[0], after=near[1], block_indent=block, max_lines=max_lines)
        deadline_s = settings.suggest.deadline_ms / 1000
        copying = self._copies(
            partial(index.copy_candidates, cursor.path, before, after, limit=_CANDIDATES, block_indent=block)
        )
        awaited: set[asyncio.Future[Any]] = {copying, asyncio.wrap_future(self._reading)}
        await asyncio.wait(awaited, timeout=deadline_s)
        found = copying.result() if copying.done() and not copying.cancelled() else ()
        place = Place.between(*near)
        language = _language_name(cursor.path)
        offered = [*found, *(_common(place, language) if block is None else ())]
        distinct = _distinct(replace(copy, text=shown_as(copy.text)) for copy in offered)

        clock.enter("plan")
        loaded = await self._engine.ready(max(deadline_s - clock.total_s(), 0))
        model = self._engine.model
        copies = by_promise(distinct, place, language, model.name)
        plan, answer = None, None
        if loaded:
            planned = self._planner.at(index, cursor, self._budget(settings), typing=typing)
            await asyncio.wait({planned.plan}, timeout=max(deadline_s - clock.total_s(), 0))
            plan = planned.made

        clock.enter("engine")
        scored = model.size_bytes <= SCORED_MODEL_BYTES and not model.served
        if plan is not None and number == self._newest:  # a late one would take the newest one's place in the engine
            request = _request(plan, planned, cursor.path, before, after, typing=typing)
            answer = await self._engine.fill(
                replace(
                    request,
                    candidates=tuple(copy.text for copy in copies) if scored else (),
                    matched=tuple(copy.match_length for copy in copies) if scored and language in FAMILIES else None,
                    max_tokens=planned.budget.answer if block is not None else request.max_tokens,
                    block_indent=block,
                    least_logprob=None if explicit else _UNLIKELY,
                    deadline_s=deadline_s - clock.total_s(),
                )
            )
        return Gathered(
            copies=tuple(copies),
            nothing=_nothing(found, place, answer) if block is None else None,
            written=shown_as(_whole_lines(answer), inserted=answer.ended == "eos") if answer else "",
            answer=answer,
            scored=scored,
            plan=plan or Plan(),
            model=model,
            place=place,
            language=language,
            timings_ms={**clock.laps_ms(), "total": clock.total_s() * 1000},
        )

    def _copies(self, search: Callable[[], tuple[Candidate, ...]]) -> asyncio.Future[tuple[Candidate, ...]]:
        """Begin a search in a thread, for it reads the store, which may be busy. The one before is given up."""
        if self._copying is not None:
            self._copying.cancel()
        self._copying = asyncio.get_running_loop().run_in_executor(self._searches, search)
        return self._copying

    async def _planned(self, index: WorkspaceIndex, cursor: Cursor, settings: Settings, *, typing: bool) -> Planned:
        await self._engine.ready()  # how much of the project is worth its time is known then
        if self._engine.state == "failed":
            raise EngineUnavailable(self._engine.reason)
        return self._planner.at(index, cursor, self._budget(settings), typing=typing)

    def _budget(self, settings: Settings) -> Budget:
        model, context = self._engine.model, settings.context
        return budget_for(
            min(model.context_window, settings.model.context_window or model.context_window),
            model.size_bytes,
            self._engine.tokens_per_s,
            context=context.budget_tokens,
            prefix=context.prefix_tokens,
            suffix=context.suffix_tokens,
        )


def _request(plan: Plan, planned: Planned, path: str, before: str, after: str, *, typing: bool) -> FillRequest:
    """The prompt at a cursor between two texts, for the rest of its line."""
    return FillRequest(
        context=tuple(file.text for file in plan.files),
        header=path_comment(path) + "\n",
        prefix=planned.ahead(before, typing=typing),
        suffix=suffix_window(after, planned.budget.suffix * CHARACTERS_PER_TOKEN),
        max_tokens=min(planned.budget.answer, _LINE_TOKENS),
    )


def _rest_of(then: Cursor, shown: Completion, now: Cursor) -> Completion | None:
    """What is left of suggestions shown at a cursor if the beginning of the first was typed since, and nothing else."""
    before, after = then.text[: then.offset], then.text[then.offset :]
    typed = now.text[then.offset : now.offset]
    typed_on = now == replace(then, text=before + typed + after, offset=then.offset + len(typed))
    if not typed_on or not 0 < len(typed) <= _TYPED_AT_ONCE:
        return None
    going_on = (item for item in shown.items if item.text.startswith(typed))
    left = [replace(item, text=item.text.removeprefix(typed)) for item in going_on]
    items = tuple(i for i in left if len(i.text) >= _LEAST_CHARACTERS and i.text != after[: i.replaces])
    if not items or typed + items[0].text != shown.text:
        return None
    return replace(shown, items=items, cached_tokens=shown.prompt_tokens, timings_ms={"total": 0.0})


def _language_name(path: str) -> str:
    language = language_of(path)
    return "" if language is None else language.name


def _common(place: Place, language: str) -> list[Candidate]:
    """How the line at a place goes on in many packages."""
    lines = common_lines_of(language)
    texts = lines.continuing(place.line, place.above, _COMMON) if lines is not None else []
    return [Candidate(text=text, match_length=0, votes=1, origin=ORIGIN) for text in texts]


def _nothing(copies: Iterable[Candidate], place: Place, answer: FillAnswer | None) -> Option | None:
    """That the line is finished as it stands: by the first of the copied texts that has no more, and by the model."""
    copy = next((copy for copy in copies if copy.text.strip() == place.rest.strip()), None)
    logprob = None if answer is None else answer.end_logprob
    known = copy is not None or logprob is not None
    return Option(text="", copy=copy, logprob=logprob) if known and place.line.strip() else None


def _distinct(copies: Iterable[Candidate]) -> list[Candidate]:
    """Copied candidates that trimming left something of, each text once."""
    distinct: dict[str, Candidate] = {}
    for copy in copies:
        if copy.text:
            distinct.setdefault(copy.text, copy)
    return list(distinct.values())


def _whole_lines(answer: FillAnswer) -> str:
    """What the model wrote, without a line that it has had no room to end."""
    return answer.text.rpartition("\n")[0] if answer.ended == "length" else answer.text


def _closers(cursor: Cursor) -> str:
    """Brackets and quotes behind the cursor that end its line; none where without them a block would be asked for,
    which never has its own closing bracket."""
    match = CLOSERS.match(cursor.text, cursor.offset)
    without = cursor.without(match[0]) if match is not None else cursor
    before, after = without.text[: without.offset], without.text[without.offset :]
    return match[0] if match is not None and block_indent(before, after) is None else ""


def _suggestions(sure: Iterable[Ranked], cursor: Cursor, closers: str) -> tuple[Suggestion, ...]:
    """Options as they are inserted: of those that leave the same text the first, none that changes nothing."""
    distinct: dict[str, Suggestion] = {}
    for suggestion in (_suggestion(ranked, cursor, closers) for ranked in sure):
        distinct.setdefault(suggestion.text + closers[suggestion.replaces :], suggestion)
    distinct.pop(closers, None)
    return tuple(distinct.values())


def _suggestion(ranked: Ranked, cursor: Cursor, closers: str) -> Suggestion:
    """An option as it is inserted: in the place of `closers` behind the cursor if it has them itself, else ahead of
    them."""
    option = ranked.option
    copied = option.copy is not None and option.copy.origin != ORIGIN
    source = ("both" if copied else "model") if option.generated else "project" if copied else ORIGIN
    text, replaces = option.text, len(closers)
    line = cursor.text[cursor.text.rfind("\n", 0, cursor.offset) + 1 : cursor.offset]
    if closers and not closes(text, line, closers):
        text, replaces = trim(text, line, closers), 0
    text = with_line_ends(text, cursor.text)
    return Suggestion(text=text, confidence=ranked.confidence, source=source, replaces=replaces)


def _unwanted(cursor: Cursor) -> bool:
    """Inside a word, ahead of what a line consists of, or in a file that is still empty, nobody wants to be
    interrupted."""
    before, after = cursor.text[: cursor.offset], cursor.text[cursor.offset :]
    line, rest = before.rpartition("\n")[2], after.partition("\n")[0].strip()
    ahead = not line.strip() and rest != "" and rest[0] not in CLOSING
    return after[:1].isalnum() or after[:1] == "_" or ahead or not before.strip()
