"""Infilling formats: how a model was taught to fill in between two texts, and the prompt in that form. Pure integers:
texts come in tokenised, each piece separately and with special tokens off, so source code never becomes a marker.
Used by the model process; the formats are found by gguf.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Piece = int | Literal["prefix", "suffix"]
Part = Literal["pre", "suf", "mid", "prefix", "suffix"]
Layout = Literal["psm", "spm"]

_CUT_TOKENS = 64
"""Prompts that outgrow the window are cut in steps of this many tokens, so that most keystrokes leave what remains, and
with it the KV cache, as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FimFormat:
    """How one family of models fills in.

    `template`: marker ids and the places of prefix and suffix, in prompt order. `layout`: which of the two comes first;
    with the suffix first ("spm") the text that grows as the user types is at the end and the KV cache is reused whole.
    `file_separator`: id before each file of the context and before the current one, None where the family has none.
    `context_inside`: other files stand at the head of the prefix, not ahead of the whole. `stop_ids`: ids that end the
    middle. `marker_ids`: every id that source text must never turn into.
    """

    family: str
    template: tuple[Piece, ...]
    stop_ids: frozenset[int]
    file_separator: int | None = None
    context_inside: bool = False

    @property
    def layout(self) -> Layout:
        return "psm" if self.template.index("prefix") < self.template.index("suffix") else "spm"

    @property
    def marker_ids(self) -> frozenset[int]:
        separator = () if self.file_separator is None else (self.file_separator,)
        return self.stop_ids.union(separator, (piece for piece in self.template if isinstance(piece, int)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The token texts of a family of models, and its template over "pre", "suf", "mid", "prefix" and "suffix"."""

    name: str
    pre: str
    suf: str
    mid: str | None
    template: tuple[Part, ...]
    separator: str | None = None
    stops: tuple[str, ...] = ()
    context_inside: bool = False


_PSM: tuple[Part, ...] = ("pre", "prefix", "suf", "suffix", "mid")
_SPM_MARKED: tuple[Part, ...] = ("pre", "suf", "suffix", "mid", "prefix")
_SPM: tuple[Part, ...] = ("suf", "suffix", "pre", "prefix", "mid")

FAMILIES = (
    Family(
        name="deepseek",
        pre="<｜fim▁begin｜>",
        suf="<｜fim▁hole｜>",
        mid="<｜fim▁end｜>",
        template=_PSM,
        stops=("<｜end▁of▁sentence｜>", "<|EOT|>"),
    ),
    Family(  # Qwen2.5-Coder, Qwen3-Coder; the technical report stops at any of these
        name="qwen",
        pre="<|fim_prefix|>",
        suf="<|fim_suffix|>",
        mid="<|fim_middle|>",
        template=_PSM,
        separator="<|file_sep|>",
        stops=("<|endoftext|>", "<|im_end|>", "<|fim_pad|>", "<|repo_name|>"),
    ),
    Family(
        name="codegemma",
        pre="<|fim_prefix|>",
        suf="<|fim_suffix|>",
        mid="<|fim_middle|>",
        template=_PSM,
        separator="<|file_separator|>",
        stops=("<eos>",),
    ),
    Family(
        name="granite",
        pre="<|fim_prefix|>",
        suf="<|fim_suffix|>",
        mid="<|fim_middle|>",
        template=_PSM,
        stops=("<|end_of_text|>", "<|endoftext|>", "<|fim_pad|>", "<|filename|>", "<|reponame|>"),
    ),
    Family(  # StarCoder2, CodeQwen1.5
        name="starcoder2",
        pre="<fim_prefix>",
        suf="<fim_suffix>",
        mid="<fim_middle>",
        template=_PSM,
        separator="<file_sep>",
        stops=("<|endoftext|>", "<fim_pad>", "<repo_name>"),
    ),
    Family(  # StarCoder, Granite Code 3B to 34B, StableCode, Refact
        name="starcoder",
        pre="<fim_prefix>",
        suf="<fim_suffix>",
        mid="<fim_middle>",
        template=_PSM,
        stops=("<|endoftext|>", "<|end_of_text|>", "<fim_pad>", "<filename>", "<reponame>"),
    ),
    Family(
        name="santacoder",
        pre="<fim-prefix>",
        suf="<fim-suffix>",
        mid="<fim-middle>",
        template=_PSM,
        stops=("<|endoftext|>", "<fim-pad>"),
    ),
    Family(name="codellama", pre="▁<PRE>", suf="▁<SUF>", mid="▁<MID>", template=_PSM, stops=("▁<EOT>", "</s>")),
    Family(name="codellama", pre="<PRE>", suf="<SUF>", mid="<MID>", template=_PSM, stops=("<EOT>", "</s>")),
    Family(
        name="codestral",
        pre="[PREFIX]",
        suf="[SUFFIX]",
        mid=None,
        template=("suf", "suffix", "pre", "prefix"),
        stops=("</s>", "[MIDDLE]"),
        context_inside=True,
    ),
    Family(
        name="codegeex",
        pre="<|code_prefix|>",
        suf="<|code_suffix|>",
        mid="<|code_middle|>",
        template=_SPM,
        stops=("<|endoftext|>", "<|user|>"),
    ),
    Family(
        name="seed-coder",
        pre="<[fim-prefix]>",
        suf="<[fim-suffix]>",
        mid="<[fim-middle]>",
        template=_SPM,
        stops=("<[end▁of▁sentence]>",),
    ),
)


def fim_format(
    ids: Mapping[str, int],
    *,
    declared: Mapping[str, int | None],
    layout: str | None = None,
    name: str = "",
    stop_ids: frozenset[int] = frozenset(),
) -> FimFormat | None:
    """The format of a model, None when it cannot fill in.

    `ids`: token text to id. `declared`: ids the file itself names, under "pre", "suf", "mid" and "sep". `layout`: the
    order the file itself names. `name`: the model's own name. `stop_ids`: its end-of-text ids.
    """
    family = _family(ids, name)
    pre, suf, mid = (declared.get(part) for part in ("pre", "suf", "mid"))
    if family is not None:
        pre, suf = (ids[family.pre] if pre is None else pre), (ids[family.suf] if suf is None else suf)
        mid = ids.get(family.mid or "") if mid is None else mid
    if pre is None or suf is None:
        return None
    if mid is None and (family is None or family.mid is not None):
        return None
    template = _PSM if family is None else family.template
    if mid is not None and layout in ("psm", "spm"):
        template = _PSM if layout == "psm" else _SPM_MARKED
    separator = declared.get("sep")
    if family is not None and separator is None:
        separator = ids.get(family.separator or "")
    markers = {"pre": pre, "suf": suf, "mid": mid}
    stops = {pre, suf, mid, separator} | stop_ids | {ids.get(text) for text in (family.stops if family else ())}
    return FimFormat(
        family=family.name if family else "declared",
        template=tuple(_piece(part, markers) for part in template),
        stop_ids=frozenset(stop for stop in stops if stop is not None),
        file_separator=separator,
        context_inside=family is not None and family.context_inside,
    )


def marker_texts() -> frozenset[str]:
    """Every token text the families are known by: all that must be kept of a vocabulary to find a format."""
    texts = [(f.pre, f.suf, f.mid, f.separator, *f.stops) for f in FAMILIES]
    return frozenset(text for row in texts for text in row if text is not None)


def build_prompt(
    format: FimFormat,
    context_ids: Sequence[Sequence[int]],
    header_prefix_ids: Sequence[int],
    suffix_ids: Sequence[int],
    *,
    bos: int | None,
) -> list[int]:
    """The prompt: context ahead of the infilling part, which is plain text where there is nothing after the cursor
    (half of what such models were trained on). `bos`: the id every prompt begins with, None for none."""
    separator = [] if format.file_separator is None or not context_ids else [format.file_separator]
    context = [token for block in context_ids for token in (*separator, *block)] + separator
    prompt = [] if bos is None else [bos]
    if not suffix_ids:
        return [*prompt, *context, *header_prefix_ids]
    prefix = header_prefix_ids
    if format.context_inside:
        prefix = [*context, *prefix]
    else:
        prompt += context
    for piece in format.template:
        prompt += [piece] if isinstance(piece, int) else prefix if piece == "prefix" else suffix_ids
    return prompt


def behind_prefix(format: FimFormat, suffix_ids: Sequence[int]) -> int:
    """How many tokens a prompt has behind its prefix."""
    behind = format.template[format.template.index("prefix") + 1 :] if suffix_ids else ()
    return sum(1 if isinstance(piece, int) else len(suffix_ids) for piece in behind)


def fit(
    format: FimFormat,
    context_ids: Sequence[Sequence[int]],
    header_prefix_ids: Sequence[int],
    suffix_ids: Sequence[int],
    *,
    room: int,
) -> tuple[Sequence[Sequence[int]], Sequence[int], Sequence[int]]:
    """The three parts of a prompt, cut so that with markers and BOS it takes at most `room` tokens.

    The first context blocks go first: they are the farthest from the cursor. Then the suffix gives way down to a
    quarter of the room, its far end first, and last the oldest part of the prefix.
    """
    fixed = 2 + len(format.template)  # BOS and the separator before the current file among them
    room = max(0, room - fixed)
    suffix = suffix_ids[: max(room // 4, room - len(header_prefix_ids))]
    prefix = _newest(header_prefix_ids, room - len(suffix))
    free = room - len(prefix) - len(suffix)
    kept = len(context_ids)
    while kept and len(context_ids[kept - 1]) + 1 <= free:
        kept -= 1
        free -= len(context_ids[kept]) + 1
    return context_ids[kept:], prefix, suffix


def _newest(ids: Sequence[int], room: int) -> Sequence[int]:
    excess = len(ids) - room
    return ids if excess <= 0 else ids[min(len(ids), -(-excess // _CUT_TOKENS) * _CUT_TOKENS) :]


def _family(ids: Mapping[str, int], name: str) -> Family | None:
    found = (f for f in FAMILIES if f.pre in ids and f.suf in ids and (f.mid is None or f.mid in ids))
    # Families that share their markers differ in the separator; the one without any comes last.
    family = next((f for f in found if f.separator is None or f.separator in ids), None)
    if family is not None and "mellum" in name.lower():  # StarCoder's markers, but trained suffix first
        return Family(name="mellum", pre=family.pre, suf=family.suf, mid=family.mid, template=_SPM, stops=family.stops)
    return family


def _piece(part: Part, markers: Mapping[str, int | None]) -> Piece:
    if part == "prefix" or part == "suffix":
        return part
    marker = markers[part]
    assert marker is not None, f"template needs {part}"
    return marker
