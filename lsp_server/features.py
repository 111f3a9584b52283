"""The protocol's handlers, a few lines each. Registered by `server.build_server`.

`answered` is the one boundary of a request: what goes wrong inside is logged with its traceback and answered with no
suggestion; only what the user can mend is said, once.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from lsprotocol import types

from repofill.lsp_server.completion import Completion
from repofill.lsp_server.documents import Document, offset_at, position_at
from repofill.lsp_server.planning import Plan
from repofill.lsp_server.session import Session
from repofill.models.engine import EngineUnavailable

_log = logging.getLogger(__name__)

ACCEPTED, CURSOR, EXPLAIN, REINDEX, STATUS = (
    f"repofill.{name}" for name in ("accepted", "cursor", "explain", "reindex", "status")
)


async def inline_completion(session: Session, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    """Ghost text. An empty list, not null, where there is none: null would leave outdated ghost text on the screen."""
    document = session.document(params.text_document.uri)
    if document is None:
        return types.InlineCompletionList(items=[])
    position, chosen = params.position, params.context.selected_completion_info
    text, typed = document.text, ""
    offset = offset_at(text, position, session.encoding)
    where = types.Range(start=position, end=position)
    if chosen is not None:
        # The item selected in the completion menu counts as typed; the answer has to begin with it, at its range.
        start, typed, where = offset_at(text, chosen.range.start, session.encoding), chosen.text, chosen.range
        end = offset_at(text, chosen.range.end, session.encoding)
        text, offset = text[:start] + typed + text[end:], start + len(typed)
    explicit = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    over_closers = session.over_closers and chosen is None
    completion = await answered(session, document, text, offset, explicit=explicit, over_closers=over_closers)
    accepted = types.Command(title="accepted", command=ACCEPTED)
    return types.InlineCompletionList(
        items=[
            types.InlineCompletionItem(
                insert_text=typed + item.text,
                range=types.Range(
                    start=where.start,
                    end=types.Position(line=where.end.line, character=where.end.character + item.replaces),
                ),
                command=accepted,
            )
            for item in (completion.items if completion else ())
        ]
    )


async def completion(session: Session, params: types.CompletionParams) -> types.CompletionList:
    """The same for clients without ghost text: one item, first in the list. Its range begins at the word before the
    cursor and its filter text repeats that word, so that no client's filter drops it."""
    document = session.document(params.text_document.uri)
    nothing = types.CompletionList(is_incomplete=not session.inline, items=[])  # what is incomplete is asked for anew
    if document is None or session.inline:
        return nothing
    offset = offset_at(document.text, params.position, session.encoding)
    answer = await answered(session, document, document.text, offset)
    if answer is None or not answer.items:
        return nothing
    word_start = _word_start(document.text, offset)
    text = document.text[word_start:offset] + answer.text
    start = position_at(document.text, word_start, session.encoding)
    item = types.CompletionItem(
        label=text.strip().split("\n")[0].rstrip(),
        detail="repofill",
        kind=types.CompletionItemKind.Text,
        sort_text="\x00",
        filter_text=text,
        preselect=True,
        insert_text_mode=types.InsertTextMode.AsIs,
        text_edit=types.TextEdit(range=types.Range(start=start, end=params.position), new_text=text),
        command=types.Command(title="accepted", command=ACCEPTED),
    )
    return types.CompletionList(is_incomplete=True, items=[item])


def _word_start(text: str, offset: int) -> int:
    while offset and (text[offset - 1].isalnum() or text[offset - 1] == "_"):
        offset -= 1
    return offset


async def answered(
    session: Session,
    document: Document,
    text: str,
    offset: int,
    *,
    explicit: bool = False,
    over_closers: bool = False,
) -> Completion | None:
    """The completion of `text` at `offset`, or None: also when the document has moved on meanwhile."""
    index, path = session.locate(document.uri)
    settings = session.settings_of(index)
    suggest = settings.suggest
    if not suggest.enabled or document.language_id in suggest.disabled_languages or index.is_secret(path):
        return None
    session.asked()
    cursor = session.cursor(path, document, text, offset)
    try:
        completion = await session.completer.complete(
            index, cursor, settings, explicit=explicit, over_closers=over_closers
        )
    except Exception:
        _log.exception("completing %s failed", path)
        return None
    session.say_what_failed()
    if session.document(document.uri) is not document:
        return None
    if completion is not None:
        session.last = completion
    return completion


def cursor(session: Session, place: dict[str, Any]) -> None:
    """The cursor rests at `{textDocument, position}`."""
    session.rests_at(place["textDocument"]["uri"], _position(place))


def _position(place: dict[str, Any]) -> types.Position:
    return types.Position(line=place["position"]["line"], character=place["position"]["character"])


async def explain(session: Session, place: dict[str, Any]) -> dict[str, Any]:
    """The prompt plan that would be used at `{textDocument, position}`, and the figures of the last answer."""
    uri = place["textDocument"]["uri"]
    document = session.document(uri)
    plan = Plan()
    index, path = session.locate(uri)
    if document is not None and not index.is_secret(path):
        await session.settled(uri)
        offset = offset_at(document.text, _position(place), session.encoding)
        cursor = session.cursor(path, document, document.text, offset)
        try:
            plan = await session.completer.plan(index, cursor, session.settings_of(index))
        except EngineUnavailable as error:
            _log.info("not planned: %s", error)
            session.say_what_failed()
    return {**plan_figures(plan), "last": completion_figures(session.last) if session.last else None}


def plan_figures(plan: Plan) -> dict[str, Any]:
    """The JSON of `repofill context`."""
    files = [asdict(file) for file in plan.files]
    return {"files": files, "tokens": plan.tokens, "shared_tokens": plan.shared_tokens}


def completion_figures(completion: Completion) -> dict[str, Any]:
    """The JSON of `repofill complete`."""
    return {
        "text": completion.text,
        "items": [asdict(item) for item in completion.items],
        "prompt_tokens": completion.prompt_tokens,
        "cached_tokens": completion.cached_tokens,
        "context": [{"path": f.path, "tokens": f.tokens, "form": f.form} for f in completion.context],
        "timings_ms": {stage: round(value, 2) for stage, value in completion.timings_ms.items()},
        "deadline_ms": completion.deadline_ms,
        "model": completion.model,
    }
