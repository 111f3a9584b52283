"""Go: the names that a file uses without defining them, by the language's own scopes."""

from __future__ import annotations

import sys

from tree_sitter import QueryCursor

from repofill.context.languages.syntax import Patterns, Source

PATTERNS = """
    [
        (function_declaration) (method_declaration) (method_elem) (func_literal) (function_type) (block)
        (if_statement) (for_statement) (expression_switch_statement) (type_switch_statement)
        (expression_case) (type_case) (default_case) (communication_case)
    ] @scope
    (source_file (type_declaration) @scope)
    [(parameter_list) (short_var_declaration) (var_spec) (const_spec) (range_clause) (receive_statement)] @statement
    (parameter_declaration name: (identifier) @local)
    (variadic_parameter_declaration name: (identifier) @local)
    (type_parameter_declaration name: (identifier) @local)
    (method_declaration receiver: (parameter_list (parameter_declaration type: [
        (generic_type (type_arguments (type_elem (type_identifier) @local)))
        (pointer_type (generic_type (type_arguments (type_elem (type_identifier) @local))))
    ])))
    (short_var_declaration left: (expression_list (identifier) @local))
    (range_clause left: (expression_list (identifier) @local))
    (receive_statement left: (expression_list (identifier) @local))
    (type_switch_statement alias: (expression_list (identifier) @local))
    (var_spec name: (identifier) @local)
    (const_spec (identifier) @local)
    (type_spec name: (type_identifier) @local)
    (type_alias name: (type_identifier) @local)
    (keyed_element key: (literal_element (identifier) @key))
    (composite_literal
        type: [(map_type) (slice_type) (array_type) (implicit_length_array_type)]
        body: (literal_value (keyed_element key: (literal_element (identifier) @index))))
    [(qualified_type) (selector_expression operand: (identifier))] @member
    [(identifier) (type_identifier)] @name
"""
_SCOPE, _STATEMENT, _LOCAL, _MEMBER, _NAME = range(5)


def free_names(query: Patterns, source: Source) -> frozenset[str]:
    """Names that are used where no declaration inside of a top-level one binds them: "name" or, of what may be a
    package, "name.Exported"."""
    found = QueryCursor(query.query).captures(source.root)
    keys = {node.start_byte for node in found.get("key", ())} - {node.start_byte for node in found.get("index", ())}
    events = []  # where a node begins, the negative of where it ends, what it is: sorted, an outer node comes first
    for kind, capture in enumerate(("scope", "statement", "local", "member", "name")):
        events += [(node.start_byte, -node.end_byte, kind) for node in found.get(capture, ())]
    events.sort()
    scopes = _Scopes()
    free = set()
    read_to = 0
    for start, negative_end, kind in events:
        if start >= scopes.end:
            scopes.leave(start)
        if kind <= _STATEMENT:
            scopes.enter(-negative_end, is_scope=kind == _SCOPE)
        elif start >= read_to:  # neither the same node again nor the second part of a member
            read_to = -negative_end
            name = source.encoded[start:read_to]
            if kind == _LOCAL:
                scopes.declare(name)
            elif kind == _MEMBER:
                first, _, member = map(bytes.strip, name.partition(b"."))
                if first not in scopes.bound:
                    free.add(b"%b.%b" % (first, member) if member[:1].isupper() else first)
            elif name not in scopes.bound and start not in keys:
                free.add(name)
    return frozenset(name.decode("utf-8", "replace") for name in free - {b"_"})


class _Scopes:
    """The scopes and declaring statements around a place. A name is bound from the end of the statement that declares
    it to the end of the scope that is in: in `url := url.Parse(s)` the second `url` is still the package. `end` is that
    of the innermost of them."""

    def __init__(self) -> None:
        self.bound: dict[bytes, int] = {}
        self.end = sys.maxsize
        self._open: list[tuple[int, bool, list[bytes]]] = []

    def enter(self, end: int, *, is_scope: bool) -> None:
        self._open.append((end, is_scope, []))
        self.end = end

    def declare(self, name: bytes) -> None:
        if not self._open:
            return  # at the top level
        _, is_scope, names = self._open[-1]
        names.append(name)
        if is_scope:
            self.bound[name] = self.bound.get(name, 0) + 1

    def leave(self, place: int) -> None:
        """Close what ends before `place`."""
        while self._open and self._open[-1][0] <= place:
            _, is_scope, names = self._open.pop()
            for name in names:
                if not is_scope:
                    self.declare(name)
                elif self.bound[name] > 1:
                    self.bound[name] -= 1
                else:
                    del self.bound[name]
        self.end = self._open[-1][0] if self._open else sys.maxsize
