"""Where the text before a cursor stands in a prompt."""

from __future__ import annotations

import pytest

from repofill.models.fim import FimFormat, fim_format
from repofill.models.prompt import Prompter
from repofill.models.protocol import FillRequest

MARKERS = {"<|fim_prefix|>": 1, "<|fim_suffix|>": 2, "<|fim_middle|>": 3}
LONG = "y" * 511


def shown(layout: str, prefix: str, suffix: str, *, n_ctx: int = 2048, max_tokens: int = 8) -> tuple[str, str]:
    """The prompt with its markers as 1, 2, 3, up to what stands behind the prefix, and that."""
    format = fim_format(MARKERS, declared={}, layout=layout, name="")
    assert isinstance(format, FimFormat)
    prompter = Prompter(format, lambda text: tuple(map(ord, text)), bos=None, n_ctx=n_ctx)
    request = FillRequest(context=(), header="#a\n", prefix=prefix, suffix=suffix, max_tokens=max_tokens)
    prompt, tail = prompter.prompt(request)
    assert len(prompt) + max_tokens <= n_ctx
    text = "".join(str(token) if token < 4 else chr(token) for token in prompt)
    return text[:tail], text[tail:]


@pytest.mark.parametrize(
    ("layout", "prefix", "suffix", "expected"),
    [
        ("psm", "x\n  y =", ")\n", ("1#a\nx\n", "2)\n3  y =")),
        ("psm", "x\n", ")\n", ("1#a\nx\n", "2)\n3")),
        ("psm", "y =", ")\n", ("1#a\n", "2)\n3y =")),
        ("psm", "x\n  y =", " \n", ("#a\nx\n  y =", "")),
        ("psm", f"x\n{LONG}", ")\n", (f"1#a\nx\n{LONG}", "2)\n3")),
        ("spm", "x\n  y =", ")\n", ("12)\n3#a\nx\n  y =", "")),
    ],
)
def test_the_beginning_of_a_line_is_that_of_what_is_filled_in(
    layout: str, prefix: str, suffix: str, expected: tuple[str, str]
) -> None:
    """Where the suffix stands ahead of it: all but the line stays while somebody types there."""
    assert shown(layout, prefix, suffix) == expected


@pytest.mark.parametrize(("letters", "inside"), [(0, True), (40, True), (148, True), (149, False), (9000, False)])
def test_a_line_that_takes_too_much_is_cut_like_the_rest(letters: int, inside: bool) -> None:
    """More than a quarter of the window's 592 tokens."""
    ahead, behind = shown("psm", "x\n" * 400 + "z" * letters, ")\n" * 400, n_ctx=600)
    assert ahead.endswith("x\n" if inside else "z" * 149)
    assert behind.endswith(f"3{'z' * letters}" if inside else "3")
