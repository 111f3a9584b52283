"""What the objects near a cursor are: light type inference from text alone, the same for all languages. Pure.

A chain such as `self.request.connection` is followed from the declaration of its first name to the declared type of
each of its attributes: the classes that an annotation, a result, an initial value or a loop's subject speaks of.
Generic arguments count like the type itself, since whoever indexes or iterates gets them. It only ranks what a prompt
shows, so it may be wrong, but it must be quick.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repofill.context.languages.support import Binding
from repofill.context.names import NAME, Names
from repofill.context.outline import Definition

if TYPE_CHECKING:
    from repofill.context.select import View

ITSELF = frozenset({"self", "cls", "this", "Self"})
ABOVE = frozenset({"super", "base", "parent"})

_NAME = re.compile(rf"#?{NAME}")
_DOTTED = re.compile(rf"{NAME}(?:(?:\.|::){NAME})*")
_SCOPES = re.compile(r"\.|::")
_LINK = re.compile(r"(?:[?!]?\.|->|::)\s*(?=[^\W\d]|[$#])")
_LINK_BEFORE = re.compile(r"([?!]?\.|->|::)\s*$")
_PREFIX = re.compile(r"(?:(?:await|async|new|not|yield|from|return|move|mut|ref|co_await|typeof)\b\s*|[&*!\s])*")
_GENERIC = re.compile(r"(?:::)?<[\w\s,.:&'\[\]<>]*>(?=[({.])")
_OPENING = {")": "(", "]": "[", "}": "{"}
_CLOSING = {opening: closing for closing, opening in _OPENING.items()}

_ASSIGNED = re.compile(r"\s*(?:,\s*\*?\w+\s*)*(?::=|=(?![=>]))\s*")
_ANNOTATED = re.compile(r"[?!]?\s*:(?![:=])\s*([^=\n;{]+)")
_FROM = re.compile(r"\s*(?:,\s*\w+\s*)*[\])}]?\s+(?:in|of)\s+|\s*:\s+(?=[^\W\d])|\s*:?=\s*range\s+")
_TAKEN_OUT = re.compile(r"[^{}=;]*\}\s*(?::\s*([^=\n;{]+))?(?:=\s*)?")
_LOOP = re.compile(r"\bfor(?:each)?\b[^;]*$")
_AS = re.compile(r"(?:\bwith|\bexcept|\bcase|,|\()\s*([^,]*\S)\s+as\s+$")
_TYPED = re.compile(r"(?<!\w)([^\W\d][\w$.:]*+)\s*(<[^;{}()=]*>)?(?:\s*\[\])*(?:\s*[*&]+\s*|\s+)(?:const\s+|mut\s+)?$")
_TYPED_AFTER = re.compile(r"\s+(?:\*|\[\w*\]|\.\.\.|map\[\w+\]|chan\s+)*\s*([^\W\d][\w.]*)")
_ASKED = re.compile(r"\s*,\s*([^)]+)\)")
_CAST = re.compile(r"\s+(?:instanceof|as|is)\s+((?:[^\W\d]|\$)[\w$.]*)")
_RETURNED = re.compile(r"^[ \t]*return\s+", re.MULTILINE)
_DOCUMENTED = re.compile(r"@(?:returns?|type)\s*\{([^}]*)\}")
_LINK_BELOW = re.compile(r"\s*[?!]*\s*\n?\s*\.(?=[^\W\d]|[$#])")
"""A chain that goes on on the next line."""
_ANNOTATED_VALUE = re.compile(r"[?!]?\s*:[^=\n;{]+=\s*")
_NEXT_OPERAND = re.compile(r"[^\w\n]*(?:\b(?:or|if|else|and)\b\s*)?")
_SELF_TYPE = re.compile(r"\bSelf\b")
_DOTTED_NEAR = re.compile(rf"(?<![\w$.#]){NAME}(?:(?:\?\.|\.|->|::)#?{NAME})*")
_TAKEN = re.compile(rf"(?<![\w$.#])(?>{NAME})(?:(?:\?\.|\.|->|::)#?{NAME})+")
"""The same with one attribute at least."""
_SEPARATED = re.compile(r"\?\.|\.|->|::")
_CLASS_HEAD = re.compile(r"^([ \t]*)(?:[a-z]+[ \t]+)*class[ \t]+([\w$]+)([^\n{]*)", re.MULTILINE)

_OF_ELEMENTS = frozenset({
    "get", "at", "pop", "shift", "find", "first", "last", "next", "values", "items", "iter", "iterator", "stream",
    "filter", "slice", "sort", "reverse", "concat", "new", "await", "then", "finally", "unwrap", "expect", "clone",
    "borrow", "lock", "read", "write", "as_ref", "as_mut", "orElse", "orElseThrow",
})  # fmt: skip
"""Methods of containers, which are not in the workspace, that give what these hold; what makes an object in Ruby."""

_PASSES_ON = frozenset({"python", "rust"})
"""Languages in which who takes all names of a file takes those that it imports, too."""

_WINDOW = 8_000
"""Characters before a place that are searched for the declaration of a variable."""
_OCCURRENCES = 16
_EXPRESSION = 240
_DEPTH = 6
_MOST_CLASSES = 4
"""Of which something is taken to be an object at most: an annotation that speaks of more says little."""
_MOST_BASES = 24
_MOST_STARS = 400
"""Files looked at for names that are passed on from file to file."""
_MOST_LOOKUPS = 1500
"""Look-ups per cursor: the bound on its time."""
_COMMON = 24
"""A member of classes in more files than this says nothing of what has it."""
_ALIKE_FILES = 24
"""Files looked into for classes with the members of one object."""
_FEW = 2
"""Classes that have a member at most, for it to tell alone what has it."""

Ref = tuple[str, int]
"""A definition: path and number; the number of a module itself is -1."""
Step = tuple[str, str]
"""A link of a chain: a name and what stands in the brackets behind it; the name of a bracketed beginning is "("."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which text names are looked up."""

    path: str
    text: str
    offset: int


class Inference:
    """Answers for one cursor; `before` is the text of `path` ahead of it."""

    def __init__(self, view: View, path: str, before: str) -> None:
        self._view = view
        self.here = Place(path, before, len(before))
        self._left = _MOST_LOOKUPS
        self._names: dict[str, Names] = {}
        self._bindings: dict[str, tuple[dict[str, Binding], frozenset[str]]] = {}
        self._types: dict[Ref, tuple[Ref, ...]] = {}
        self._declarations: dict[tuple[str, str, int], tuple[Ref, ...]] = {}
        self._bases: dict[Ref, tuple[Ref, ...]] = {}
        self._stars: dict[str, Collection[str]] = {}
        self._busy: set[object] = set()
        self._vain: dict[object, int] = {}
        self._taken: Mapping[str, Collection[str]] | None = None

    # What is asked

    def names(self, path: str) -> Names:
        """The names of a file, the same for all of one cursor, so that numbers of definitions stay true."""
        if path not in self._names:
            self._names[path] = self._view.names(path)
        return self._names[path]

    def receiver(self) -> tuple[Ref, ...]:
        """The classes and modules of what stands before the dot at the cursor, as far as it has come; () without a dot
        or where nothing is known."""
        return self.of_chain(self.chain_ahead(), self.here)

    def chain_ahead(self) -> list[Step]:
        """What stands before the dot at the cursor."""
        text = self.here.text
        end = len(text)
        while end > 0 and _in_name(text[end - 1]):
            end -= 1
        link = _LINK_BEFORE.search(text, max(0, end - 40), end - (text[max(end - 1, 0) : end] == "#"))
        return _chain_before(text, link.start()) if link else []

    def types(self, refs: Iterable[Ref]) -> tuple[Ref, ...]:
        """The classes of what definitions name: of the value of a variable, of the result of a function."""
        return self._types_of(refs, 0)

    def called(self) -> tuple[Ref, ...]:
        """The function or class in whose brackets the cursor stands."""
        opening = _opening_before(self.here.text)
        if opening < 0:
            return ()
        *owner, last = _chain_before(self.here.text, opening) or [("", "")]
        if not owner:
            return self.lookup(self.here, last[0])
        return tuple(found for one in self.of_chain(owner, self.here) for found in self.member(one, last[0]))

    def itself(self) -> tuple[Ref, ...]:
        """The class around the cursor, or its bases where it has errors."""
        return self._itself(self.here)

    def alike(self, steps: Sequence[Step], after: str) -> tuple[Ref, ...]:
        """The classes that have the members which the code around the cursor takes of a chain: what it may be an object
        of where nothing says so (structural typing). Those with most of them, each member counting for more the fewer
        classes have it; one member alone counts if it is that of few."""
        if self._taken is None:
            self._taken = _members_taken(self.here.text[-_WINDOW:], after[:_WINDOW])
        called = any(within for _, within in steps)
        members = () if called else self._taken.get(".".join(name for name, _ in steps), ())
        looked_into: set[str] = set()
        found: dict[Ref, list[float]] = {}
        for member in members:
            paths = self._view.defining(member, _COMMON)
            looked_into.update(paths[: max(_ALIKE_FILES - len(looked_into), 0)])
            owners = {ref: None for path in paths if path in looked_into for ref in self._owners(path, member)}
            for owner in owners:
                found.setdefault(owner, []).append(1 / len(owners))
        likely = [ref for ref, shares in found.items() if len(shares) > 1 or shares[0] >= 1 / _FEW]
        best = max((len(found[ref]) for ref in likely), default=0)
        likely = [ref for ref in likely if len(found[ref]) > best / 2]
        return tuple(sorted(likely, key=lambda ref: (-sum(found[ref]), ref)))[:_MOST_CLASSES]

    def _owners(self, path: str, member: str) -> Iterator[Ref]:
        """The classes of a file that have a member of this name themselves."""
        names = self.names(path)
        for number in names.simple.get(member, ()):
            parent = names.definitions[number].parent
            yield from ((path, n) for n in names.qualified.get(parent, ()) if names.definitions[n].kind == "class")

    def of_chain(self, steps: Sequence[Step], place: Place, depth: int = 0) -> tuple[Ref, ...]:
        """The classes and modules that a chain may be an object of, or be itself."""
        if not steps or depth > _DEPTH:
            return ()
        (name, within), *others = steps
        if name == "(":
            found = self._of_expression(within, place, depth + 1)
        elif name in ITSELF:
            found = self._itself(place)
        elif name in ABOVE:
            found = tuple(base for one in self._itself(place) for base in self.bases(one)[1:] or (one,))
        else:
            named = self.lookup(place, name)
            found = self._types_of(named, depth) or self._declared(name, place, depth + 1)
            if not found and within:
                found = self._of_expression(within, place, depth + 1)  # `list(x)`, `enumerate(x)`, `cast(T, x)`
        path = name
        for link, arguments in others:
            path = f"{path}.{link}"
            members = [found_member for one in found for found_member in self.member(one, link)]
            types = self._types_of(members, depth)
            if not types and name in ITSELF and link == others[0][0]:
                types = self._declared(path, place, depth + 1) or self._declared(link, place, depth + 1)
            if not members and link in _OF_ELEMENTS:
                types = types or found
            found = types or (self._of_expression(arguments, place, depth + 1) if arguments else ())
        return found

    def bases(self, ref: Ref) -> tuple[Ref, ...]:
        """A class and those that it inherits from, nearest first; a module alone."""
        if ref in self._bases:
            return self._bases[ref]
        order: dict[Ref, None] = {ref: None}
        queue = [ref]
        while queue and len(order) < _MOST_BASES:
            path, number = queue.pop(0)
            if number < 0:
                continue
            names = self.names(path)
            definition = names.definitions[number]
            head = names.signature(definition)
            for base in self._classes(head, Place(path, "", definition.signature), 1, bases_of=definition.name):
                if base not in order and base[1] >= 0:
                    order[base] = None
                    queue.append(base)
        self._bases[ref] = tuple(order)
        return self._bases[ref]

    def member(self, ref: Ref, name: str) -> list[Ref]:
        """The definitions of a member, of the nearest class that has it."""
        path, number = ref
        if number < 0:
            top_level = list(self.lookup(Place(path, "", 0), name))
            top_level = top_level or [other for other in self.members(ref) if self._name(other) == name]
            return top_level or ([ref] if self._is_within(ref, name) else [])
        for base_path, base in self.bases(ref):
            names = self.names(base_path)
            qualified = f"{names.definitions[base].qualified}.{name}"
            if found := names.qualified.get(qualified):
                return [(base_path, n) for n in found]
            for other in self._same_package(base_path, names, name):
                if found := self.names(other).qualified.get(qualified):
                    return [(other, n) for n in found]
        return []

    def members(self, ref: Ref) -> Iterator[Ref]:
        """Everything that belongs to a class itself, without its bases; the top level of a module."""
        path, number = ref
        names = self.names(path)
        if number < 0:
            yield from ((path, n) for n in names.outer)
            return
        owner = names.definitions[number].qualified
        yield from ((path, n) for n in names.members.get(owner, ()))
        for other in self._same_package(path, names, ""):
            yield from ((other, n) for n in self.names(other).members.get(owner, ()))

    def _name(self, ref: Ref) -> str:
        return self.names(ref[0]).definitions[ref[1]].name

    def lookup(self, place: Place, name: str) -> tuple[Ref, ...]:
        """What a bare name leads to at the top level of a file, or in the class around a place."""
        self._left -= 1
        if self._left < 0:
            return ()
        if found := self.names(place.path).qualified.get(name):
            return tuple((place.path, n) for n in found)
        bindings, _ = self._bound(place.path)
        if (binding := bindings.get(name)) is not None:
            if not binding.name:
                return self._modules(place.path, binding)
            if found := self.names(binding.path).qualified.get(binding.name):
                return tuple((binding.path, n) for n in found)
        return self.passed_on(place.path, name)

    def _modules(self, path: str, binding: Binding) -> tuple[Ref, ...]:
        """What a module's name stands for; in Python, where `import a.b` and `import a.c` bind a, for all of them."""
        if self.names(path).language != "python":
            return ((binding.path, -1),)
        same = (other for other in self._view.resolution(path).bindings if other.local == binding.local)
        return tuple((other.path, -1) for other in same if not other.name)

    def _is_within(self, module: Ref, name: str) -> bool:
        """Whether a module that is bound to the name of a package around it goes by this name itself, or one between
        them does."""
        return self.names(module[0]).language == "python" and name in module[0].removesuffix(".py").split("/")

    def passed_on(self, path: str, name: str) -> tuple[Ref, ...]:
        """What a name leads to in the files all of whose names a file takes, and in those that these take them from."""
        if not self._bound(path)[1] or not (paths := self._view.defining(name)):
            return ()
        stars = self._all_stars(path)
        for other in (path for path in paths if path in stars):
            if found := self.names(other).qualified.get(name):
                return tuple((other, n) for n in found)
        for other in stars if self.names(path).language in _PASSES_ON else ():
            binding = self._bound(other)[0].get(name)
            if binding is not None and (found := self.names(binding.path).qualified.get(binding.name)):
                return tuple((binding.path, n) for n in found)
        return ()

    # How

    def _all_stars(self, path: str) -> Collection[str]:
        if path not in self._stars:
            found = dict.fromkeys(sorted(self._bound(path)[1]))
            queue = list(found) if len(found) < _MOST_STARS else []
            while queue and len(found) < _MOST_STARS:
                more = [other for other in sorted(self._bound(queue.pop(0))[1]) if other not in found]
                found.update(dict.fromkeys(more))
                queue += more
            self._stars[path] = found.keys()
        return self._stars[path]

    def _bound(self, path: str) -> tuple[dict[str, Binding], frozenset[str]]:
        """What a file's imports bind, by local name, and the files that all names are taken of."""
        if path not in self._bindings:
            all_bindings = self._view.resolution(path).bindings
            named = {binding.local: binding for binding in all_bindings if binding.name != "*"}
            self._bindings[path] = named, frozenset(b.path for b in all_bindings if b.name == "*")
        return self._bindings[path]

    def _same_package(self, path: str, names: Names, name: str) -> Iterable[str]:
        """Go's methods may stand in any file of the package."""
        if names.language != "go":
            return ()
        folder = path.rpartition("/")[0]
        stars = self._bound(path)[1]
        paths = self._view.defining(name) if name else sorted(stars)
        return (other for other in paths if other in stars and other.rpartition("/")[0] == folder)

    def _itself(self, place: Place) -> tuple[Ref, ...]:
        if (number := self.names(place.path).class_at(place.offset)) is not None:
            return ((place.path, number),)
        if place is not self.here:
            return ()
        indent = len(_last_line(place.text)) - len(_last_line(place.text).lstrip())
        for head in _class_heads(place.text):
            if len(head[1]) < max(indent, 1):
                return self._classes(head[3], place, 1)
        return ()

    def _types_of(self, refs: Iterable[Ref], depth: int) -> tuple[Ref, ...]:
        found = tuple(dict.fromkeys(found for ref in refs for found in self._type_of(ref, depth)))
        return found[: max(_MOST_CLASSES, sum(number < 0 for _, number in found))]

    def _type_of(self, ref: Ref, depth: int) -> tuple[Ref, ...]:
        """The classes of what a definition names: of the value of a variable, of the result of a function."""
        path, number = ref
        if number < 0 or self._is_class(ref):
            return (ref,)
        definition = self.names(path).definitions[number]
        if ref in self._types:
            return self._types[ref]
        if depth > _DEPTH or ref in self._busy:
            return ()
        self._busy.add(ref)
        place = Place(path, self.names(path).code(), definition.signature)
        if definition.kind == "function":
            found = self._of_function(definition, place, depth + 1)
        else:
            found = self._of_variable(definition, place, depth + 1)
        self._busy.discard(ref)
        self._types[ref] = found
        return found

    def _is_class(self, ref: Ref) -> bool:
        """Whether it has members: a function that makes objects, too, in the JavaScript of old."""
        names = self.names(ref[0])
        definition = names.definitions[ref[1]]
        return definition.kind == "class" or (definition.kind == "function" and definition.qualified in names.members)

    def _of_function(self, definition: Definition, place: Place, depth: int) -> tuple[Ref, ...]:
        signature = place.text[definition.signature : max(definition.body_start, definition.signature)]
        at = _mention(definition.name, signature)
        opening = signature.find("(", at + len(definition.name)) if at >= 0 else -1
        head = signature[: max(at, 0)]
        tail = signature[_end_of_brackets(signature, opening) :] if opening >= 0 else ""
        if _SELF_TYPE.search(tail):
            return self._itself(place)
        if found := self._classes(head + " " + tail, place, depth):
            return found
        document = place.text[definition.start : definition.signature]
        for described in _DOCUMENTED.finditer(document):
            if found := self._classes(described[1], place, depth):
                return found
        for number, returned in enumerate(_RETURNED.finditer(place.text, definition.body_start, definition.body_end)):
            inside = Place(place.path, place.text, returned.start())
            if number > 3:
                break
            if found := self._of_expression(place.text[returned.end() :][:_EXPRESSION], inside, depth):
                return found
        return ()

    def _of_variable(self, definition: Definition, place: Place, depth: int) -> tuple[Ref, ...]:
        written = place.text[definition.signature : min(definition.end, definition.signature + 2 * _EXPRESSION)]
        at = _mention(definition.name, written)
        if at < 0:
            return ()
        head, tail = written[:at], written[at + len(definition.name) :]
        found = self._declares(head, tail, place, depth)
        if not found and (described := _DOCUMENTED.search(place.text, definition.start, definition.signature)):
            found = self._classes(described[1], place, depth)
        return found

    def _declared(self, name: str, place: Place, depth: int) -> tuple[Ref, ...]:
        """The classes of a variable, by the nearest text before a place that looks like its declaration."""
        key = (name, place.path, place.offset if place is not self.here else -1)
        if key in self._declarations:
            return self._declarations[key]
        if key in self._busy or depth > _DEPTH or (len(name) < 2 and not name.isalpha()):
            return ()
        # What was asked in vain is so again where nothing was learnt since, for as many look-ups.
        state = (key, depth, frozenset(self._busy), self._learnt())
        if (spent := self._vain.get(state, self._left + 1)) <= self._left:
            self._left -= spent
            return ()
        before = self._left
        self._busy.add(key)
        text, start, at = place.text, max(0, place.offset - _WINDOW), place.offset
        found: tuple[Ref, ...] = ()
        for _ in range(_OCCURRENCES):
            at = text.rfind(name, start, at)
            if at < 0 or self._left < 0 or found:
                break
            end = at + len(name)
            ahead = text[at - 1 : at]
            if ahead in (".", ">") or _in_name(ahead) or _in_name(text[end : end + 1]):
                continue
            self._left -= 1
            head = text[max(text.rfind("\n", 0, at) + 1, at - _EXPRESSION) : at]
            tail = text[end : min(end + _EXPRESSION, len(text))]
            found = self._declares(head, tail, place, depth) or self._taken_out(name, head, tail, place, depth)
        self._busy.discard(key)
        if found or not self._busy:  # within another question nothing may mean that it goes round in a circle
            self._declarations[key] = found
        elif state[-1] == self._learnt() and self._left >= 0:
            self._vain[state] = before - self._left
        return found

    def _learnt(self) -> int:
        return len(self._types) + len(self._declarations) + len(self._bases)

    def _declares(self, head: str, tail: str, place: Place, depth: int) -> tuple[Ref, ...]:
        """What the text around a name says of it: `head` on its line before it, `tail` after it."""
        if (match := _ANNOTATED.match(tail)) and (found := self._classes(_cut(match[1]), place, depth)):
            return found
        if match := _ASSIGNED.match(tail):
            return self._typed(head, place, depth) or self._of_expression(tail[match.end() :], place, depth)
        if match := _ANNOTATED_VALUE.match(tail):
            return self._of_expression(tail[match.end() :], place, depth)
        if (match := _FROM.match(tail)) and _LOOP.search(head):
            return self._typed(head, place, depth) or self._of_expression(tail[match.end() :], place, depth)
        if head.rstrip().endswith("as") and (match := _AS.search(head)):
            return self._of_expression(match[1], place, depth)
        if head.endswith("isinstance(") and (match := _ASKED.match(tail)):
            return self._classes(match[1], place, depth)
        if match := _CAST.match(tail):
            return self._classes(match[1], place, depth)
        if found := self._typed(head, place, depth):
            return found
        if self.names(place.path).language == "go" and (match := _TYPED_AFTER.match(tail)):
            return self._classes(match[1], place, depth)
        return ()

    def _taken_out(self, name: str, head: str, tail: str, place: Place, depth: int) -> tuple[Ref, ...]:
        """The classes of a name that is taken out of an object: `const { a } = b`, `({ a }: B) =>`."""
        match = _TAKEN_OUT.match(tail) if "{" in head[head.rfind("}") + 1 :] else None
        if match is None:
            return ()
        owners = self._classes(_cut(match[1]), place, depth) if match[1] else ()
        owners = owners or self._of_expression(tail[match.end() :], place, depth)
        return self._types_of([member for owner in owners for member in self.member(owner, name)], depth)

    def _typed(self, head: str, place: Place, depth: int) -> tuple[Ref, ...]:
        """The classes of a type that stands ahead of the name."""
        match = _TYPED.search(head) if head[-1:].isspace() or head[-1:] in "*&" else None
        return self._classes(f"{match[1]} {match[2] or ''}", place, depth) if match else ()

    def _of_expression(self, text: str, place: Place, depth: int) -> tuple[Ref, ...]:
        """The classes of the first chain of an expression that has any."""
        at = 0
        for _ in range(3):
            steps, at = _steps(text, at)
            if not steps:
                return ()
            if found := self.of_chain(steps, place, depth):
                return found
            following = _NEXT_OPERAND.match(text, at)
            at = following.end() if following else at
        return ()

    def _classes(self, text: str, place: Place, depth: int, bases_of: str = "") -> tuple[Ref, ...]:
        """The classes that a type speaks of; what stands for one (an alias, a type variable) is followed."""
        found: dict[Ref, None] = {}
        for match in _DOTTED.finditer(text):
            first, *others = _SCOPES.split(match[0])
            if first == bases_of:
                continue
            refs: Iterable[Ref] = self.lookup(place, first)
            if not refs and not others and place.path:
                refs = self._nested(place, first)
            for name in others:
                refs = [member for ref in refs for member in self.member(ref, name)]
            for ref in (ref for ref in refs if ref[1] >= 0):
                if self._is_class(ref):
                    found[ref] = None
                elif self.names(ref[0]).definitions[ref[1]].kind == "variable" and not bases_of:
                    found.update(dict.fromkeys(self._type_of(ref, depth + 1)))
            if len(found) >= _MOST_CLASSES and not bases_of:
                break
        return tuple(found)

    def _nested(self, place: Place, name: str) -> tuple[Ref, ...]:
        """A class inside of the class around a place."""
        names = self.names(place.path)
        around = names.class_at(place.offset) if name in names.simple else None
        if around is None:
            return ()
        found = names.qualified.get(f"{names.definitions[around].qualified}.{name}", ())
        return tuple((place.path, n) for n in found)


def near_chains(before: str, after: str, most: int) -> Iterator[tuple[Step, ...]]:
    """Names, and names with their attributes, that stand near a cursor, nearest first, each once; a chain's own last
    attribute is left out, since what belongs to it is not spoken of yet."""
    seen: set[str] = set()
    texts = [(before[-2_400:], True), (after[:800], False)]
    for text, backwards in texts:
        found = list(_DOTTED_NEAR.finditer(text))
        for match in reversed(found) if backwards else found:
            parts = _SEPARATED.split(match[0])
            called = text[match.end() : match.end() + 1] == "("
            for count in range(1, len(parts) + (not called)):
                key = ".".join(parts[:count])
                if key not in seen and (len(key) > 1 or key.isalpha()):
                    seen.add(key)
                    yield tuple((part, "") for part in parts[:count])
                    if len(seen) >= most:
                        return


def _class_heads(text: str) -> Iterator[re.Match[str]]:
    """The first lines of classes, the last one first."""
    at = len(text)
    while (at := text.rfind("class", 0, at)) >= 0:
        at = text.rfind("\n", 0, at) + 1
        if (head := _CLASS_HEAD.match(text, at)) is not None:
            yield head


def _members_taken(*texts: str) -> dict[str, dict[str, None]]:
    """What the names in some texts, and the chains that begin with them, are asked for: `a.b` has c in `a.b.c`."""
    taken: dict[str, dict[str, None]] = {}
    for text in texts:
        for chain in _TAKEN.findall(text):
            parts = _SEPARATED.split(chain)
            for count in range(1, len(parts)):
                taken.setdefault(".".join(parts[:count]), {})[parts[count]] = None
    return taken


def _mention(name: str, text: str) -> int:
    """Where a name, and not a part of another one, stands first; -1 if nowhere. A pattern of it would be compiled."""
    at = text.find(name)
    while at >= 0 and (_in_name(text[max(at - 1, 0) : at]) or _in_name(text[at + len(name) : at + len(name) + 1])):
        at = text.find(name, at + 1)
    return at


def _in_name(character: str) -> bool:
    return character.isalnum() or character in ("_", "$")


def _steps(text: str, start: int) -> tuple[list[Step], int]:
    """The chain that begins at an offset, behind words that say nothing of its type, and where it ends."""
    prefix = _PREFIX.match(text, start)
    at = prefix.end() if prefix else start
    steps: list[Step] = []
    if text[at : at + 1] in ("(", "[", "{"):
        end = _end_of_brackets(text, at)
        steps.append(("(", text[at + 1 : end - 1]))
        at = end
    while True:
        name = _NAME.match(text, at)
        if name is None and not steps:
            return [], at
        if name is not None:
            at = name.end()
            arguments = ""
            while True:
                if generic := _GENERIC.match(text, at):
                    arguments, at = arguments + text[at : generic.end()], generic.end()
                if text[at : at + 1] not in ("(", "["):
                    break
                end = _end_of_brackets(text, at)
                arguments, at = arguments + text[at + 1 : end - 1], end
            steps.append((name[0], arguments[:_EXPRESSION]))
        link = _LINK.match(text, at) or _LINK_BELOW.match(text, at)
        if link is None:
            return steps, at
        at = link.end()


def _chain_before(text: str, end: int) -> list[Step]:
    """The chain that ends at an offset."""
    start = end
    while True:
        at = start
        while at > 0 and text[at - 1] in ")]":
            at = _start_of_brackets(text, at)
            if at < 0:
                return []
        begin = at
        while begin > 0 and _in_name(text[begin - 1]):
            begin -= 1
        begin -= text[max(begin - 2, 0) : begin] == ".#"  # a private member of JavaScript
        if begin == start:
            break
        start = begin
        link = _LINK_BEFORE.search(text, max(0, start - 40), start)
        if link is None:
            break
        start = link.start()
        while start > 0 and text[start - 1].isspace():  # a chain that goes on on the next line
            start -= 1
    return _steps(text[:end], start)[0]


def _end_of_brackets(text: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`."""
    depth = 0
    for at in range(start, min(len(text), start + 2_000)):
        if text[at] in _CLOSING:
            depth += 1
        elif text[at] in _OPENING:
            depth -= 1
            if depth == 0:
                return at + 1
    return min(len(text), start + 2_000)


def _start_of_brackets(text: str, end: int) -> int:
    """Where the bracket opens that closes before `end`, -1 if it is far."""
    depth = 0
    for at in range(end - 1, max(-1, end - 2_000), -1):
        if text[at] in _OPENING:
            depth += 1
        elif text[at] in _CLOSING:
            depth -= 1
            if depth == 0:
                return at
    return -1


def _opening_before(text: str) -> int:
    """The round bracket that is open at the end of a text, -1 if there is none near."""
    depth = 0
    for at in range(len(text) - 1, max(-1, len(text) - 1_500), -1):
        character = text[at]
        if character in ")]}":
            depth += 1
        elif character in "([{":
            depth -= 1
            if depth < 0:
                if character == "(":
                    return at
                depth = 0
    return -1


def _cut(annotation: str) -> str:
    """An annotation up to the comma or bracket that ends it."""
    depth = 0
    for at, character in enumerate(annotation):
        if character in "([<{":
            depth += 1
        elif character in ")]>}":
            depth -= 1
            if depth < 0:
                return annotation[:at]
        elif character == "," and depth == 0:
            return annotation[:at]
    return annotation


def _last_line(text: str) -> str:
    return text[text.rfind("\n") + 1 :]
