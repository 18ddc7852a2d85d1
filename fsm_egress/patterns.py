r"""Patterns as the sidecar reads them: text -> syntax tree -> a Python pattern of the same meaning.

The dialect is that of C++ `std::regex` in libstdc++ with the ECMAScript grammar, over bytes, searched without
anchors (`spec/sidecar.md`, last paragraph). Where it departs from ECMAScript, the engine is followed: `\cA`
is the letter `A`, `\u0141` is cut to its low byte, ranges compare bytes as signed numbers, numbers are cut to
32 bits, captures of earlier iterations are kept, a back-reference to a group that took no part fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cached_property, partial
from itertools import count
from operator import eq
from typing import Any, NoReturn, TypeAlias
from urllib.parse import quote

from attrs import Factory, define, field, frozen

from .errors import InvalidValue, Problem, show

__all__ = [
    "Alternation",
    "Assertion",
    "AssertionKind",
    "BackReference",
    "Chars",
    "Group",
    "LookAhead",
    "Node",
    "Pattern",
    "PatternError",
    "Repeat",
    "Sequence",
    "children",
    "parse_pattern",
    "searchable",
    "walk",
]

LENGTH = 4096  # characters of a pattern: more than any route needs, few enough for every later proof
DEPTH = 100  # groups and repetitions inside each other: Python's own recursion stays far from its limit
STATES = 100_000  # of the sidecar's automaton: it compiles no pattern that needs more
REPAIRS = 16  # mistakes of one pattern that a proposal mends

BYTES = frozenset(range(256))


def _between(first: str, last: str) -> frozenset[int]:
    return frozenset(range(ord(first), ord(last) + 1))


_DIGIT = _between("0", "9")
_UPPER = _between("A", "Z")
_LOWER = _between("a", "z")
_ALNUM = _DIGIT | _UPPER | _LOWER
_GRAPH = _between("!", "~")
_SPACE = frozenset(b" \t\n\v\f\r")

_CLASSES = {  # the names of `[[:alpha:]]`, in any letter case; `\d`, `\s` and `\w` are the same table
    "d": _DIGIT,
    "s": _SPACE,
    "w": _ALNUM | frozenset(b"_"),
    "alnum": _ALNUM,
    "alpha": _UPPER | _LOWER,
    "blank": frozenset(b" \t"),
    "cntrl": _between("\0", "\x1f") | frozenset(b"\x7f"),
    "digit": _DIGIT,
    "graph": _GRAPH,
    "lower": _LOWER,
    "print": _GRAPH | frozenset(b" "),
    "punct": _GRAPH - _ALNUM,
    "space": _SPACE,
    "upper": _UPPER,
    "xdigit": _DIGIT | _between("A", "F") | _between("a", "f"),
}

# The names of `[[.hyphen.]]` and `[[=a=]]`: POSIX's portable character set, in its order.
_PORTABLE = """
    NUL SOH STX ETX EOT ENQ ACK alert backspace tab newline vertical-tab form-feed carriage-return SO SI
    DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC IS4 IS3 IS2 IS1
    space exclamation-mark quotation-mark number-sign dollar-sign percent-sign ampersand apostrophe
    left-parenthesis right-parenthesis asterisk plus-sign comma hyphen period slash
    zero one two three four five six seven eight nine
    colon semicolon less-than-sign equals-sign greater-than-sign question-mark commercial-at
    A B C D E F G H I J K L M N O P Q R S T U V W X Y Z
    left-square-bracket backslash right-square-bracket circumflex underscore grave-accent
    a b c d e f g h i j k l m n o p q r s t u v w x y z
    left-curly-bracket vertical-line right-curly-bracket tilde DEL
"""
_COLLATING = {name: code for code, name in enumerate(_PORTABLE.split())}


class AssertionKind(Enum):
    r"""A condition on a place in the text; newlines mean nothing to any of them."""

    START = "^"
    END = "$"
    WORD_BOUNDARY = r"\b"
    NO_WORD_BOUNDARY = r"\B"


@frozen
class Chars:
    """One byte out of a set: a literal, `.`, a class; the empty set (`[]`) matches nowhere."""

    members: frozenset[int]


@frozen
class Sequence:
    """One after the other; without items, the empty text."""

    items: tuple[Node, ...]


@frozen
class Alternation:
    """The first of two or more options that lets the rest match."""

    options: tuple[Node, ...]


@frozen
class Repeat:
    """`item` again and again, `minimum` to `maximum` times (`None`: without end), many first if `greedy`."""

    item: Node
    minimum: int
    maximum: int | None
    greedy: bool = True


@frozen
class Group:
    """What `item` matches, kept under `index`, counted from 1 by opening parentheses."""

    item: Node
    index: int


@frozen
class BackReference:
    """The text that the closed group `index` matched last; fails while it has matched none."""

    index: int


@frozen
class Assertion:
    """A condition on the place between two bytes."""

    kind: AssertionKind


@frozen
class LookAhead:
    """Whether `item` matches here, or `negative`, whether it does not; consumes nothing.

    In an attempt that begins at the start of the text, the sidecar's engine runs a look-ahead as if the text
    began where the look-ahead stands: there `^` holds, and for a word boundary there is no byte before.
    """

    item: Node
    negative: bool = False


Node: TypeAlias = Chars | Sequence | Alternation | Repeat | Group | BackReference | Assertion | LookAhead

_SIMPLE: dict[str, Node] = {
    ".": Chars(BYTES - frozenset(b"\n\r")),
    "^": Assertion(AssertionKind.START),
    "$": Assertion(AssertionKind.END),
}
_BOUNDARIES = {
    "b": Assertion(AssertionKind.WORD_BOUNDARY),
    "B": Assertion(AssertionKind.NO_WORD_BOUNDARY),
}


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    match node:
        case Sequence():
            return node.items
        case Alternation():
            return node.options
        case Repeat() | Group() | LookAhead():
            return (node.item,)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all nodes below, in the order of the text."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(children(node)))


class PatternError(InvalidValue):
    """A pattern that the sidecar does not compile, or that cannot be given the same meaning here.

    Attributes:
        position: where, as an offset from 0 into the pattern.
        reason: what is wrong there, as a phrase.
    """

    def __init__(self, problem: Problem, position: int = 0, reason: str = "") -> None:
        super().__init__(problem)
        self.position = position
        self.reason = reason


class _Refused(Exception):
    """Why a text is no pattern, and the text with this mistake mended."""

    def __init__(self, position: int, reason: str, repair: str | None = None) -> None:
        super().__init__(position, reason, repair)
        self.position = position
        self.reason = reason
        self.repair = repair


def _read(text: Any) -> Node:
    """The tree of a pattern; raises `PatternError`."""
    if not isinstance(text, str):
        raise InvalidValue.of("a regular expression as a string", text)
    try:
        return _tree(text)
    except _Refused as refused:
        problem = Problem(
            expected="a regular expression of the sidecar's dialect",
            found=show(text),
            proposal=_mended(refused.repair),
            reason=f"at position {refused.position}, {refused.reason}",
        )
        raise PatternError(problem, refused.position, refused.reason) from None


def _mended(candidate: str | None) -> str | None:
    """The candidate with all its mistakes mended, if that makes it a pattern."""
    for _ in range(REPAIRS):
        if candidate is None:
            break
        try:
            _tree(candidate)
        except _Refused as refused:
            candidate = refused.repair
        else:
            return candidate
    return None


def _tree(text: str) -> Node:
    if len(text) > LENGTH:
        raise _Refused(LENGTH, f"it is longer than {LENGTH} characters")
    foreign = _NON_ASCII.search(text)
    if foreign:
        raise _Refused(
            foreign.start(),
            f"U+{ord(foreign[0]):04X} is not ASCII, as paths and header values are",
            None if "[" in text else _NON_ASCII.sub(_percent_encoded, text),
        )
    return _Reader(text).read()


_NON_ASCII = re.compile(r"[^\x00-\x7f](?P<repeated>(?=[*+?{]))?")


def _percent_encoded(found: re.Match[str]) -> str:
    encoded = quote(found[0], errors="surrogatepass")
    return encoded if found["repeated"] is None else f"(?:{encoded})"


_OPENINGS = {"(?:": 1, "(?=": 2, "(?!": 2, "(": 2}  # and the states that each adds to the sidecar's automaton
_WHOLE = 3  # states around the whole pattern
_BRANCH = 3  # states that `|` adds, with the end of its branch

_UNKNOWN_GROUPS = (  # what may follow `(?` elsewhere, why not here, and what to write instead
    (re.compile(r"\(\?P?<(?P<name>[A-Za-z_]\w*)>", re.ASCII), "named groups are unknown to it", "("),
    (re.compile(r"\(\?#[^)]*\)"), "comments are unknown to it", ""),
    (re.compile(r"\(\?<[=!]"), "it cannot look behind", None),
    (re.compile(r"\(\?P=(?P<name>)"), "named references are unknown to it", None),
    (re.compile(r"\(\?>"), "atomic groups are unknown to it", None),
    (re.compile(r"\(\?[A-Za-z-]+[:)]"), "inline flags are unknown to it", None),
    (re.compile(r"\(\?"), "`(?` is followed by none of `:`, `=` and `!`", None),
)
_NAMED_REFERENCES = ("(?P=", r"\k<")

_SHORT_REPEATS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_SHORT_STATES = {"*": 1, "+": 1, "?": 2}
_BRACES = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_OPEN_BRACES = re.compile(r"\{(?=,[0-9]+\})")

_ESCAPED = {"0": 0, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_HEX = {"x": re.compile("[0-9A-Fa-f]{2}"), "u": re.compile("[0-9A-Fa-f]{4}")}
_NUMBER = re.compile("[0-9]+")
_DASH = ord("-")
_BACKSPACE = 8


def _int32(digits: str) -> int:
    """A decimal number as the sidecar's engine holds it."""
    return (int(digits) + 2**31) % 2**32 - 2**31


def _signed(byte: int) -> int:
    """A byte as the sidecar's engine compares it."""
    return (byte + 128) % 256 - 128


@frozen
class _Part:
    """An item that has been read, with its cost in states of the sidecar's automaton."""

    node: Node
    states: int = 1
    depth: int = 0
    repeatable: bool = True


@define
class _Scope:
    """A group, or the whole pattern, that is still open."""

    position: int = 0
    opening: str = ""
    index: int = 0
    branches: list[list[_Part]] = field(factory=lambda: [[]])

    def node(self) -> Node:
        options = [_joined([part.node for part in branch]) for branch in self.branches]
        return options[0] if len(options) == 1 else Alternation(tuple(options))

    @property
    def joints(self) -> int:
        """States that tie the parts together."""
        return _BRANCH * len(self.branches) - _BRANCH + 1

    @property
    def parts(self) -> list[_Part]:
        return [part for branch in self.branches for part in branch]


def _joined(items: list[Node]) -> Node:
    return items[0] if len(items) == 1 else Sequence(tuple(items))


@define
class _Reader:
    """Reads one pattern, from left to right, with a stack of open groups."""

    text: str
    at: int = 0
    states: int = _WHOLE
    groups: int = 0
    scopes: list[_Scope] = field(factory=lambda: [_Scope()])
    closed: set[int] = field(factory=set[int])
    references: dict[int, int] = field(factory=dict[int, int])  # group -> where it is first referred to

    def read(self) -> Node:
        while self.at < len(self.text):
            step = _STEPS.get(self.text[self.at], _Reader.simple)
            step(self)
        scope = self.scopes.pop()
        if scope.opening:
            raise _Refused(scope.position, "the group is not closed")
        self.grow(scope.joints, 0)
        tree = scope.node()
        self.check_captures(tree)
        return tree

    def refuse(self, position: int, reason: str, replacement: str | None = None, length: int = 0) -> NoReturn:
        """Raise, proposing `replacement` for `length` characters at the position."""
        before, after = self.text[:position], self.text[position + length :]
        raise _Refused(position, reason, None if replacement is None else before + replacement + after)

    def grow(self, states: int, position: int) -> None:
        self.states += states
        if self.states > STATES:
            self.refuse(position, f"its automaton would have more than {STATES} states")

    def add(self, part: _Part, new_states: int, position: int) -> None:
        self.grow(new_states, position)
        if part.depth > DEPTH:
            self.refuse(position, f"more than {DEPTH} groups and repetitions stand inside each other")
        self.scopes[-1].branches[-1].append(part)

    def skip(self, text: str) -> bool:
        """Whether `text` comes next; if so, go on behind it."""
        found = self.text.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def simple(self) -> None:
        char = self.text[self.at]
        node = _SIMPLE.get(char, Chars(frozenset({ord(char)})))
        self.add(_Part(node, repeatable=isinstance(node, Chars)), 1, self.at)
        self.at += 1

    def branch(self) -> None:
        self.scopes[-1].branches.append([])
        self.at += 1

    def open_group(self) -> None:
        position = self.at
        opening = next(filter(self.skip, _OPENINGS))
        if opening == "(":
            self.check_group(position)
            self.groups += 1
        self.scopes.append(_Scope(position, opening, self.groups))

    def check_group(self, position: int) -> None:
        for unknown, reason, replacement in _UNKNOWN_GROUPS:
            found = unknown.match(self.text, position)
            if found:
                named = "name" in unknown.groupindex and any(name in self.text for name in _NAMED_REFERENCES)
                self.refuse(position, reason, None if named else replacement, len(found[0]))

    def close_group(self) -> None:
        scope = self.scopes.pop()
        if not scope.opening:
            self.refuse(self.at, "`)` closes no group", "\\")
        node = scope.node()
        if scope.opening == "(":
            node = Group(node, scope.index)
            self.closed.add(scope.index)
        elif scope.opening != "(?:":
            node = LookAhead(node, scope.opening == "(?!")
        around = scope.joints + _OPENINGS[scope.opening]
        part = _Part(
            node,
            around + sum(part.states for part in scope.parts),
            1 + max((part.depth for part in scope.parts), default=0),
            repeatable=scope.opening in {"(", "(?:"},
        )
        self.add(part, around, scope.position)
        self.at += 1

    def repeat(self) -> None:
        position = self.at
        sign = self.text[position]
        branch = self.scopes[-1].branches[-1]
        if not branch:
            self.refuse(position, f"`{sign}` has nothing to repeat", "\\")
        if not branch[-1].repeatable:
            self.refuse(position, f"`{sign}` cannot repeat an assertion")
        part = branch.pop()
        if sign == "{":
            minimum, maximum = self.braces()
            more = part.states + 1 if maximum is None else (maximum - minimum) * (part.states + 1) + 1
            new = states = 1 + minimum * part.states + more
        else:
            self.at += 1
            minimum, maximum = _SHORT_REPEATS[sign]
            new = _SHORT_STATES[sign]
            states = part.states + new
        node = Repeat(part.node, minimum, maximum, greedy=not self.skip("?"))
        self.add(_Part(node, states, part.depth + 1), new, position)

    def braces(self) -> tuple[int, int | None]:
        """The least and the greatest number of times; below zero the sidecar counts their distance only."""
        found = _BRACES.match(self.text, self.at)
        if not found:
            replacement = "{0" if _OPEN_BRACES.match(self.text, self.at) else r"\{"
            self.refuse(self.at, "`{` starts no repetition", replacement, 1)
        minimum = _int32(found[1])
        maximum = _int32(found[3]) if found[3] else None if found[2] else minimum
        if maximum is not None and maximum < minimum:
            self.refuse(self.at, "the repetition ends below its beginning")
        self.at = found.end()
        below = min(minimum, 0)
        return minimum - below, None if maximum is None else maximum - below

    def escape(self) -> None:
        position = self.at
        found = self.escaped()
        if isinstance(found, int):
            node: Node = Chars(frozenset({found}))
        elif isinstance(found, frozenset):
            node = Chars(found)
        else:
            node = found
        if isinstance(node, BackReference):
            if node.index not in self.closed:
                self.refuse(position, "no group of that number is closed before it")
            self.references.setdefault(node.index, position)
        self.add(_Part(node, repeatable=not isinstance(node, Assertion)), 1, position)

    def escaped(self) -> int | frozenset[int] | Assertion | BackReference:
        """What a backslash and the characters after it stand for: a byte, a set of them, or a node."""
        position = self.at
        if position + 1 == len(self.text):
            self.refuse(position, "the backslash escapes nothing", "\\")
        char = self.text[position + 1]
        self.at += 2
        if char in _ESCAPED:
            return _ESCAPED[char]
        if char in _BOUNDARIES:
            return _BOUNDARIES[char]
        if char in "dsw":
            return _CLASSES[char]
        if char in "DSW":
            return BYTES - _CLASSES[char.lower()]
        if char in _HEX:
            digits = self.expect(_HEX[char], position, rf"`\{char}` is followed by too few hex digits")
            return int(digits, 16) % 256
        if char == "c":
            if self.at == len(self.text):
                self.refuse(position, r"`\c` needs a character")
            self.at += 1
            return ord(self.text[self.at - 1])
        if char in "123456789":
            self.at -= 1
            return BackReference(_int32(self.expect(_NUMBER, position, "")))
        return ord(char)

    def expect(self, expression: re.Pattern[str], position: int, reason: str) -> str:
        found = expression.match(self.text, self.at)
        if not found:
            self.refuse(position, reason)
        self.at = found.end()
        return found[0]

    def bracket(self) -> None:
        position = self.at
        self.at += 1
        negated = self.skip("^")
        members: set[int] = set()
        low: int | None = None  # where a dash would start a range
        behind_class = False
        while not self.skip("]"):
            dash = self.at
            if not self.skip("-"):
                found = self.member(position)
            elif low is not None and not self.text.startswith("]", self.at):
                members |= self.span(low, dash, position)
                low = None
                continue
            elif behind_class and not self.text.startswith("]", self.at):
                self.refuse(dash, "a range cannot start with a class", "\\")
            else:
                found = _DASH
            behind_class = isinstance(found, frozenset)
            members |= found if isinstance(found, frozenset) else {found}
            low = None if isinstance(found, frozenset) else found
        self.add(_Part(Chars(BYTES - members if negated else frozenset(members))), 1, position)

    def span(self, low: int, dash: int, position: int) -> frozenset[int]:
        named = self.text.startswith("[.", self.at)
        high = _DASH if self.skip("-") else self.member(position)
        if named or isinstance(high, frozenset):
            self.refuse(dash, "a range cannot end with a class or a name", "\\")
        if _signed(high) < _signed(low):
            self.refuse(dash, "the range ends before its beginning")
        return frozenset(byte % 256 for byte in range(_signed(low), _signed(high) + 1))

    def member(self, position: int) -> int | frozenset[int]:
        """The next byte or set of bytes of the bracket that was opened at `position`."""
        if self.at == len(self.text):
            self.refuse(position, "the bracket is not closed")
        if self.text.startswith(("[:", "[=", "[."), self.at):
            return self.named()
        start = self.at
        if self.text[start] != "\\":
            self.at += 1
            return ord(self.text[start])
        found = self.escaped()
        if isinstance(found, Assertion) and found.kind is AssertionKind.WORD_BOUNDARY:
            return _BACKSPACE
        if isinstance(found, (Assertion, BackReference)):
            self.refuse(start, f"`{self.text[start : self.at]}` has no meaning between brackets")
        return found

    def named(self) -> int | frozenset[int]:
        position = self.at
        sign = self.text[position + 1]
        end = self.text.find(sign, position + 2)
        if end < 0 or not self.text.startswith("]", end + 1):
            self.refuse(position, f"`[{sign}` is not closed by `{sign}]`", "\\")
        self.at = end + 2
        name = self.text[position + 2 : end]
        if sign == ":":
            members = _CLASSES.get(name.lower())
            if members is None:
                self.refuse(position, f"there is no class `{name}`")
            return members
        code = _COLLATING.get(name)
        if code is None:
            self.refuse(position, f"there is no character named `{name}`")
        return code if sign == "." else frozenset(chr(code).lower().encode() + chr(code).upper().encode())

    def check_captures(self, tree: Node) -> None:
        """Refuse back-references whose value the sidecar and Python do not compute alike."""
        if not self.references:
            return
        unsure = frozenset(_unsure(tree))
        for index in sorted(unsure & _abandoned(tree)):
            reason = f"what a look-ahead captured in group {index} may stem from a way that was given up"
            self.refuse(self.references[index], reason)
        for index in sorted(_NOTHING.union(*(_volatile(node, unsure) for node in walk(tree)))):
            reason = f"group {index} may be set by an iteration that matches nothing"
            self.refuse(self.references[index], reason)


_STEPS: dict[str, Callable[[_Reader], None]] = {
    "\\": _Reader.escape,
    "(": _Reader.open_group,
    ")": _Reader.close_group,
    "[": _Reader.bracket,
    "|": _Reader.branch,
    **dict.fromkeys("*+?{", _Reader.repeat),
}


_NOTHING: frozenset[int] = frozenset()


def _matches_empty(node: Node, trusted: Callable[[Node], bool]) -> bool:
    """Whether the node can match the empty text, where `trusted` answers for assertions and references."""
    match node:
        case Chars():
            return False
        case Sequence():
            return all(_matches_empty(item, trusted) for item in node.items)
        case Alternation():
            return any(_matches_empty(option, trusted) for option in node.options)
        case Repeat():
            return node.minimum == 0 or _matches_empty(node.item, trusted)
        case Group():
            return _matches_empty(node.item, trusted)
        case _:
            return trusted(node)


def _may_be_empty(node: Node) -> bool:
    return _matches_empty(node, lambda _: True)


def _may_consume(node: Node) -> bool:
    if isinstance(node, LookAhead):
        return False
    return isinstance(node, (Chars, BackReference)) or any(map(_may_consume, children(node)))


def _chooses(node: Node) -> bool:
    """Whether there is more than one way through the node that can be taken up again later."""
    if isinstance(node, LookAhead):
        return False
    return isinstance(node, (Alternation, Repeat)) or any(map(_chooses, children(node)))


def _groups(node: Node) -> frozenset[int]:
    return frozenset(inner.index for inner in walk(node) if isinstance(inner, Group))


def _groups_ahead(node: Node) -> frozenset[int]:
    """The groups inside look-aheads."""
    return _NOTHING.union(*(_groups(inner) for inner in walk(node) if isinstance(inner, LookAhead)))


def _certain(node: Node) -> frozenset[int]:
    """The groups that every match of the node has set."""
    if isinstance(node, Alternation):
        first, *others = map(_certain, node.options)
        return first.intersection(*others)
    if (isinstance(node, Repeat) and not node.minimum) or (isinstance(node, LookAhead) and node.negative):
        return _NOTHING
    own = frozenset({node.index}) if isinstance(node, Group) else _NOTHING
    return own.union(*map(_certain, children(node)))


def _abandoned(node: Node) -> frozenset[int]:
    """The groups of look-aheads that may run again in an attempt, after a choice before or around them."""
    match node:
        case Sequence():
            groups = _NOTHING
            chosen = False
            for item in node.items:
                chosen = chosen or _chooses(item)
                groups |= _groups_ahead(item) if chosen else _abandoned(item)
            return groups
        case Group() | LookAhead():
            return _abandoned(node.item)
        case _:
            return _groups_ahead(node)


def _unsure(
    node: Node,
    sure: frozenset[int] = _NOTHING,
    ahead: frozenset[int] = _NOTHING,
) -> Iterator[int]:
    """The groups that are referred to where they need not have been set on the way.

    The sidecar does not forget what a look-ahead captured when it takes back its steps. Inside a repetition,
    where the look-ahead may have run again since, its groups (`ahead`) are sure up to the next choice only.
    """
    match node:
        case BackReference():
            if node.index not in sure:
                yield node.index
        case Sequence():
            for item in node.items:
                yield from _unsure(item, sure, ahead)
                sure |= _certain(item)
                if _chooses(item):
                    sure -= ahead
        case Repeat():
            again = node.maximum != 1
            yield from _unsure(node.item, sure - ahead, ahead | _groups_ahead(node.item) if again else ahead)
        case LookAhead():
            yield from _unsure(node.item, sure)
        case _:
            chosen = sure - ahead if isinstance(node, Alternation) else sure
            for child in children(node):
                yield from _unsure(child, chosen, ahead)


def _volatile(node: Node, unsure: frozenset[int]) -> frozenset[int]:
    """The groups of a repetition that depend on how many iterations match nothing: there two, in Python one.

    One is enough where each iteration sets all groups anew; or where there is a single group, nothing in the
    repetition asks for it, and no condition keeps the iteration that matches nothing from being the last.
    """
    if not isinstance(node, Repeat) or node.maximum in {node.minimum, 1} or not _may_be_empty(node.item):
        return _NOTHING
    groups = [inner for inner in walk(node.item) if isinstance(inner, Group) and _may_be_empty(inner.item)]
    loose = unsure.intersection(group.index for group in groups)
    conditional = any(isinstance(inner, (Assertion, LookAhead)) for inner in walk(node.item))
    fragile = conditional or len(loose) > 1 or not loose.isdisjoint(_unsure(node.item))
    return loose if fragile and not loose <= _certain(node.item) else _NOTHING


def _torn(node: Node, moved: bool = False, entry: bool = False) -> bool:
    """Whether the sidecar's look-aheads see the start of the text where it is not (see `LookAhead`).

    `moved`: bytes may have been consumed; `entry`: this may be where a look-ahead begins, after such bytes.
    """
    match node:
        case Assertion():
            return entry and node.kind is not AssertionKind.END
        case Sequence():
            for item in node.items:
                if _torn(item, moved, entry):
                    return True
                moved = moved or _may_consume(item)
                entry = entry and _may_be_empty(item)
            return False
        case LookAhead():
            return _torn(node.item, moved, moved)
        case Repeat():
            return _torn(node.item, moved or (node.maximum != 1 and _may_consume(node.item)), entry)
        case _:
            return any(_torn(child, moved, entry) for child in children(node))


_REST = r"[\x00-\xff]*"
_BOUNDARY = r"(?a:\b)"
_WORD_NEXT = r"(?=[0-9A-Z_a-z])"


def _python(tree: Node) -> str:
    """The tree as a Python pattern over `searchable` texts."""
    referenced = frozenset(node.index for node in walk(tree) if isinstance(node, BackReference))
    plain = _Renderer(referenced).source(tree)
    if not _torn(tree):
        return plain
    return rf"\A(?:{_Renderer(referenced, at_start=True).source(tree)})|(?!\A)(?:{plain})"


def _chars(members: frozenset[int]) -> str:
    if len(members) == 1:
        return "".join(map(_char, members))
    negated = not members or len(BYTES) // 2 < len(members) < len(BYTES)
    shown = sorted(BYTES - members if negated else members)
    ranges: list[list[int]] = []
    for byte in shown:
        if ranges and ranges[-1][-1] == byte - 1:
            ranges[-1].append(byte)
        else:
            ranges.append([byte])
    return f"[{'^' if negated else ''}{''.join(map(_range, ranges))}]"


def _range(run: list[int]) -> str:
    first, last = run[0], run[-1]
    return f"{_char(first)}-{_char(last)}" if last - first > 1 else "".join(map(_char, run))


def _char(byte: int) -> str:
    return re.escape(chr(byte)) if byte in _CLASSES["print"] else rf"\x{byte:02x}"


@define
class _Renderer:
    """Spells a tree for Python; `at_start`, as the sidecar runs it in an attempt at the start of the text."""

    referenced: frozenset[int]
    at_start: bool = False
    numbers: Iterator[int] = field(factory=lambda: count(1))
    looking: int = 0  # look-aheads around
    lost: set[int] = field(factory=set[int])  # groups of negative look-aheads, which nobody sees from outside

    def source(self, node: Node, entry: str = "") -> str:
        """The node's source; `entry` matches where the look-ahead began that sees the text begin there."""
        match node:
            case Chars():
                return _chars(node.members)
            case Sequence():
                return "".join(self.atom(item, entry, Alternation) for item in node.items)
            case Alternation():
                return "|".join(self.source(option, entry) for option in node.options)
            case Repeat():
                inner = self.atom(node.item, entry, (Sequence, Alternation, Repeat, LookAhead, Assertion))
                return inner + _times(node) + ("" if node.greedy or self.may_be_greedy(node) else "?")
            case Group():
                name = f"?P<{self.name(node.index)}>" if node.index in self.referenced else "?:"
                return f"({name}{self.source(node.item, entry)})"
            case BackReference():
                return _chars(_NOTHING) if node.index in self.lost else f"(?P={self.name(node.index)})"
            case LookAhead():
                return self.look(node)
            case _:
                return _assertion(node.kind, entry)

    def name(self, index: int) -> str:
        return f"s{index}" if self.at_start else f"g{index}"

    def atom(self, node: Node, entry: str, composed: type[Any] | tuple[type[Any], ...]) -> str:
        inner = self.source(node, entry)
        return f"(?:{inner})" if isinstance(node, composed) else inner

    def may_be_greedy(self, node: Repeat) -> bool:
        """Whether nothing depends on being lazy: Python 3.10 loses captures of lazy repetitions."""
        return not self.looking and not self.referenced.isdisjoint(_groups(node))

    def look(self, node: LookAhead) -> str:
        self.looking += 1
        if self.at_start:
            # The rest of the text tells one place from all others: it follows only where it was captured.
            name = f"e{next(self.numbers)}"
            inner = f"(?=(?P<{name}>{_REST})){self.atom(node.item, f'(?P={name})', Alternation)}"
        else:
            inner = self.source(node.item)
        self.looking -= 1
        if node.negative:
            self.lost |= _groups(node)
        return f"(?{'!' if node.negative else '='}{inner})"


def _times(node: Repeat) -> str:
    for sign, times in _SHORT_REPEATS.items():
        if times == (node.minimum, node.maximum):
            return sign
    if node.minimum == node.maximum:
        return f"{{{node.minimum}}}"
    return f"{{{node.minimum},{'' if node.maximum is None else node.maximum}}}"


def _assertion(kind: AssertionKind, entry: str) -> str:
    if kind is AssertionKind.END:
        return r"\Z"
    if kind is AssertionKind.START:
        return f"(?={entry})" if entry else r"\A"
    boundary = f"(?:(?={entry}){_WORD_NEXT}|(?!{entry}){_BOUNDARY})" if entry else _BOUNDARY
    # Python's own `\B` does not hold in an empty text.
    return boundary if kind is AssertionKind.WORD_BOUNDARY else f"(?!{boundary})"


def searchable(text: str) -> str:
    """The text as patterns search it: one character for each byte of its UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


@frozen(repr=False)
class Pattern:
    """A pattern of the sidecar's dialect; equal to another if the texts are equal.

    Attributes:
        text: the pattern as it is written.
        tree: its syntax tree.
        python: a pattern of Python's `re` that is found in the same texts (made `searchable`).

    Raises:
        PatternError: if the sidecar does not compile it, or it cannot be rendered with the same meaning.
    """

    text: str
    tree: Node = field(init=False, eq=False, default=Factory(lambda self: _read(self.text), takes_self=True))
    python: str = field(
        init=False, eq=False, default=Factory(lambda self: _python(self.tree), takes_self=True)
    )

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.python)

    def compiled(self) -> re.Pattern[str]:
        """The Python pattern, compiled at the first call; search `searchable` texts with it."""
        return self._compiled

    def search(self, text: str) -> bool:
        """Whether the sidecar finds the pattern anywhere in the text."""
        return self._compiled.search(searchable(text)) is not None

    @property
    def matches_everything(self) -> bool:
        """Whether the pattern is found in every text, as it matches nothing at its start or at its end.

        `False` says only that this has not been proved.
        """
        return any(
            _matches_empty(self.tree, partial(eq, Assertion(kind)))
            for kind in (AssertionKind.START, AssertionKind.END)
        )

    @property
    def literal(self) -> str | None:
        """The text that the pattern is, where it is nothing else: found in `text` if `literal in text`."""
        items = self.tree.items if isinstance(self.tree, Sequence) else (self.tree,)
        sets = [item.members for item in items if isinstance(item, Chars) and len(item.members) == 1]
        letters = bytes(byte for members in sets for byte in members)
        return letters.decode() if len(letters) == len(items) and letters.isascii() else None

    def __reduce__(self) -> tuple[type[Pattern], tuple[str]]:
        return type(self), (self.text,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"


def parse_pattern(text: str) -> Pattern:
    """A pattern of the sidecar's dialect (`spec/resources.md`, `pathRegex` and header regexes).

    Raises:
        PatternError: if the sidecar does not compile it, or it cannot be rendered with the same meaning.
        InvalidValue: if it is no string.
    """
    return Pattern(text)
