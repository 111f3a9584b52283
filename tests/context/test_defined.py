"""Which files define a name: after any changes what a plain dictionary says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repofill.context import defined
from repofill.context.defined import DefinedNames

FILES = [f"{letter}.py" for letter in "abcdef"]
NAMES = ["f", "g", "h", "/a", ""]
CHANGES = st.lists(st.dictionaries(st.sampled_from(FILES), st.sets(st.sampled_from(NAMES))), max_size=8)


@pytest.mark.parametrize("apart", [0, 3])
@given(changes=CHANGES)
def test_defined_names(apart: int, changes: list[dict[str, set[str]]]) -> None:
    """However many changes are kept apart; and what was, stays true."""
    plain: dict[str, set[str]] = {}
    names, before = DefinedNames(), list[tuple[DefinedNames, dict[str, set[str]]]]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(defined, "_APART", apart)
        for change in changes:
            plain = {**plain, **change}
            names = names.changed(change.items())
            before.append((names, plain))
    for then, expected in before:
        for name in (*NAMES, "unknown"):
            files = sorted(path for path, defines in expected.items() if name in defines)
            assert then.files_with(name) == files
            assert then.files_with(name, 2) == (files if len(files) <= 2 else [])
            assert then.counts([name, "f"])[name] == len(files)
