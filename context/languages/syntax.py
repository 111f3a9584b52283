"""From a tree-sitter grammar and a query to the definitions of an outline: what the language modules have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tree_sitter import Language, Node, Parser, Query, QueryCursor, Tree

from repofill.context.outline import Definition, Kind

_KINDS: tuple[Kind, ...] = ("function", "class", "variable")
_MARKERS = re.compile(r"^\s*(?:/\*+!?|\*+/|\*+|//+!?|#+|--+(?:\[=*\[)?|;+)?\s?")
_COMMENTS = frozenset({"comment", "line_comment", "block_comment"})
_ASIDE = _COMMENTS | {"line_continuation"}
_TAGGED = re.compile(r"<[^<>]*>")


class Patterns:
    """What is looked for in trees of a grammar. Compiled when it is first looked for: for some grammars that takes a
    quarter of a second, and hardly a workspace has all languages."""

    def __init__(self, language: Language, patterns: str) -> None:
        self._language = language
        self._patterns = patterns

    @cached_property
    def query(self) -> Query:
        """The compiled patterns."""
        return Query(self._language, self._patterns)


class Source:
    """A text as its grammar reads it. Offsets of nodes are in bytes, those of outlines in code points."""

    def __init__(self, encoded: bytes, tree: Tree, depth: int | None) -> None:
        self.encoded = encoded
        self.depth = depth
        self.root = tree.root_node
        self._matches: dict[int, list[dict[str, list[Node]]]] = {}
        self._code_points: NDArray[np.int64] | None = None
        if not encoded.isascii():  # every byte but a continuation begins a code point
            begins = np.frombuffer(encoded, np.uint8) & 0xC0 != 0x80
            self._code_points = np.concatenate([[0], np.cumsum(begins)])

    def matches(self, query: Patterns) -> list[dict[str, list[Node]]]:
        """The captures of every match of a query, in the order of its patterns. It runs once: one query for all that is
        wanted of a file costs least."""
        if id(query) not in self._matches:
            cursor = QueryCursor(query.query)
            if self.depth is not None:
                cursor.set_max_start_depth(self.depth)
            found = sorted(cursor.matches(self.root), key=itemgetter(0))
            self._matches[id(query)] = [nodes for _, nodes in found]
        return self._matches[id(query)]

    def offset(self, byte: int) -> int:
        """The code point at a byte."""
        return byte if self._code_points is None else int(self._code_points[byte])

    def text(self, node: Node | None) -> str:
        """The text of a node, "" of none."""
        if node is None:
            return ""
        return self.encoded[node.start_byte : node.end_byte].decode("utf-8", "replace")


def read(language: Language, source: bytes, depth: int | None = None, readable: bytes | None = None) -> Source:
    """Parse; broken text gives a tree with errors. Matches of queries begin at most `depth` levels below the root:
    where definitions are never deep, that spares the inside of functions. The grammar is given `readable`, as long as
    `source`, instead."""
    return Source(source, Parser(language).parse(source if readable is None else readable), depth)


def captures(query: Patterns, source: Source) -> dict[str, list[Node]]:
    """All nodes that a query captures, by the names it gives them."""
    found: dict[str, list[Node]] = {}
    for match in source.matches(query):
        for name, nodes in match.items():
            found.setdefault(name, []).extend(nodes)
    return found


Span = tuple[int, int]


class Match(NamedTuple):
    """A node that defines something, the one with its name, and what a skeleton leaves out, where there is something. A
    group is what stands around definitions without a name of its own (`const (…)`, an `impl`). A member counts only
    inside of another definition (a method, not one of an anonymous class). An attribute is set in a method and belongs
    to the class around it, once (`self.x = 1`)."""

    kind: Kind
    node: Node
    name: Node | None
    body: Node | None
    is_group: bool = False
    is_member: bool = False
    is_attribute: bool = False


def matched(query: Patterns, source: Source) -> Iterator[Match]:
    """What a query finds: it captures the defining node as @function, @class, @variable, @group or @attribute, its name
    as @name, what a skeleton leaves out as @body, and any part of a member as @member, too."""
    for nodes in source.matches(query):
        name, body = _first(nodes.get("name")), _first(nodes.get("body"))
        for kind in _KINDS:
            if kind in nodes:
                yield Match(kind, nodes[kind][0], name, body, is_member="member" in nodes)
        if "attribute" in nodes:
            yield Match("variable", nodes["attribute"][0], name, body, is_attribute=True)
        if "group" in nodes:
            yield Match("class", nodes["group"][0], None, body, is_group=True)


_CLOSING = {"{": "}", "[": "]", "(": ")"}


def bracketed(source: Source, body: Node) -> Span:
    """What is inside of a body in braces or brackets, in bytes; nothing of a body without them."""
    children = body.children
    while children and children[-1].type in _COMMENTS:  # of JavaScript, which looks for a semicolon behind a block
        children.pop()
    if len(children) >= 2 and _CLOSING.get(children[0].type) == children[-1].type:
        return children[0].end_byte, children[-1].start_byte
    return body.end_byte, body.end_byte


def definitions(
    matches: Iterable[Match],
    source: Source,
    *,
    inside: Callable[[Source, Node], Span] = bracketed,
    wrappers: frozenset[str] = frozenset(),
    comments: frozenset[str] = _COMMENTS,
    attributes: frozenset[str] = frozenset(),
    doc: Callable[[Source, Node], str] | None = None,
    qualifier: Callable[[Source, Node], str] | None = None,
    separators: frozenset[str] = frozenset(),
    name: Callable[[Source, Node], str] = Source.text,
) -> tuple[Definition, ...]:
    """Every match, except what is local to a function.

    Of a body `inside` takes off the delimiters. Parents of a type in `wrappers` (decorators, `export`) belong to the
    definition that is in them, comments directly ahead of it are its documentation, which `attributes` may stand below
    or amid; `doc` reads the first line of a docstring inside of a body instead. `qualifier` gives the dotted name of a
    class that a definition, or what is in a group, belongs to without standing in it (a method of Go), "" for none.
    `separators` directly after a definition belong to it: an enumeration's skeleton needs its commas. `name` reads the
    name out of the node that has it (a declarator of C). Of two matches with one body the outer one counts.
    """
    found = sorted(matches, key=lambda match: (match.node.start_byte, -match.node.end_byte, not match.is_group))
    made: list[Definition] = []
    known = set[tuple[str, str]]()  # parents and names of these
    around: list[tuple[int, Kind, str]] = []  # of the definitions that are open here: end, kind, dotted name
    last: Node | None = None
    bodies: set[int] = set()
    for match in found:
        node, body = match.node, match.body
        if node == last:
            continue  # two patterns for one node: the first counts
        last = node
        if body is not None:
            if body.id in bodies:
                continue
            bodies.add(body.id)
        while around and around[-1][0] <= node.start_byte:
            around.pop()
        if match.is_attribute:
            of_class = [kind for _, kind, _ in around[-2:]] == ["class", "function"]
            owner = around[-2][2] if of_class else None
            if owner is None or (owner, source.text(match.name)) in known:
                continue
            if made[-1].kind == "variable" and source.offset(node.start_byte) < made[-1].end:
                continue  # the second of `self.a = self.b = 1`
            definition = _attribute(source, match, owner)
        elif (around and around[-1][1] != "class") or (match.is_member and not around):
            if match.kind == "class":  # what its methods set is not of the class around it
                around.append((node.end_byte, "variable", ""))
            continue
        else:
            parent = around[-1][2] if around else ""
            if qualifier is not None and (own := qualifier(source, node)):
                parent = f"{parent}.{own}" if parent else own
            definition = _definition(
                source, match, parent, inside, wrappers, comments, attributes, doc, separators, name
            )
            if not definition.name and not match.is_group:
                continue  # broken code
            around.append((node.end_byte, match.kind, definition.qualified))
        made.append(definition)
        known.add((definition.parent, definition.name))
    return tuple(sorted(made, key=lambda d: (d.signature, -d.end)))


def _attribute(source: Source, match: Match, owner: str) -> Definition:
    """What a method of a class sets."""
    start, end = source.offset(match.node.start_byte), source.offset(match.node.end_byte)
    return Definition(
        name=source.text(match.name),
        kind="variable",
        parent=owner,
        start=start,
        signature=start,
        body_start=source.offset(_value_start(source, match.body)) if match.body is not None else end,
        body_end=end,
        end=end,
    )


def _first(nodes: Sequence[Node] | None) -> Node | None:
    return nodes[0] if nodes else None


def _definition(
    source: Source,
    match: Match,
    parent: str,
    inside: Callable[[Source, Node], Span],
    wrappers: frozenset[str],
    comments: frozenset[str],
    attributes: frozenset[str],
    doc: Callable[[Source, Node], str] | None,
    separators: frozenset[str],
    name: Callable[[Source, Node], str],
) -> Definition:
    outer = match.node
    while (around := outer.parent) is not None and around.type in wrappers:
        outer = around
    signature = outer.start_byte
    first, documentation = outer, ""
    if doc is None:
        first = _first_comment(outer, comments | attributes)
        documentation = first_line(_text_between(source, first, signature, attributes)) if first != outer else ""
    elif match.body is not None:
        documentation = doc(source, match.body)
    last = outer
    while separators and (after := last.next_sibling) is not None and after.type in separators:
        last = after
    end = last.end_byte
    while source.encoded[end - 1 : end].isspace():  # directives of C, continued on an empty line perhaps
        end -= 1
        end -= source.encoded[end - 1 : end] == b"\\"
    body_start, body_end = inside(source, match.body) if match.body is not None else (end, end)
    if match.body is not None and body_start == match.body.start_byte:
        body_start = _value_start(source, match.body)
    body_end = min(body_end, end)  # what is missing in broken code stands behind its end
    body_start = min(body_start, body_end)
    return Definition(
        name=name(source, match.name) if match.name is not None else "",
        kind=match.kind,
        parent=parent,
        start=source.offset(first.start_byte),
        signature=source.offset(signature),
        body_start=source.offset(body_start),
        body_end=source.offset(body_end),
        end=source.offset(end),
        doc=documentation,
    )


def _text_between(source: Source, first: Node, end: int, without: frozenset[str]) -> str:
    """From a node up to a byte, without siblings of some types."""
    if not without:
        return source.encoded[first.start_byte : end].decode("utf-8", "replace")
    kept, node = list[str](), first
    while node.start_byte < end:
        if node.type not in without:
            kept.append(source.text(node))
        if node.next_sibling is None:
            break
        node = node.next_sibling
    return "\n".join(kept)


def _first_comment(node: Node, comments: frozenset[str]) -> Node:
    """The first of the comments that stand directly above a node, each on lines of its own; the node itself without.
    Those above the first statement of a block may be siblings of the block."""
    first = _outermost(node)
    while (before := first.prev_sibling) is not None and before.type in comments:
        # The end of a line comment may lie on the next line's first column.
        gap = first.start_point.row - before.end_point.row - (before.end_point.column > 0)
        if gap > 0 or _shares_its_line(before):
            break
        first = before
    return first


def _value_start(source: Source, value: Node) -> int:
    """The byte at which something else may stand for a value: ahead of the comments before one that begins its line."""
    line = source.encoded[value.start_byte - value.start_point.column : value.start_byte]
    before = None if line.strip() else ahead(value)
    if before is None:
        return value.start_byte
    return before.end_byte + source.encoded[before.end_byte : before.end_byte + 1].isspace()


def ahead(node: Node) -> Node | None:
    """What stands before a node, comments and continued lines aside."""
    before = _outermost(node).prev_sibling
    while before is not None and before.type in _ASIDE:
        before = before.prev_sibling
    return before


def _outermost(node: Node) -> Node:
    """The outermost of the nodes that begin with a node."""
    while node.prev_sibling is None and node.parent is not None and node.parent.start_byte == node.start_byte:
        node = node.parent
    return node


def _shares_its_line(comment: Node) -> bool:
    before = comment.prev_sibling
    return before is not None and before.end_point.row == comment.start_point.row and before.end_point.column > 0


def first_line(documentation: str) -> str:
    """The first line that says something, without the markers of comments and tags."""
    for line in documentation.splitlines():
        plain = _TAGGED.sub("", _MARKERS.sub("", line, count=1)).replace("*/", "").strip()
        if any(map(str.isalpha, plain)) and not plain.startswith("@"):
            return plain
    return ""
