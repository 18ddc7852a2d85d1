r"""The grammar of patterns in the sidecar's dialect.

The dialect is that of C++ `std::regex` in libstdc++ with the ECMAScript grammar, over bytes
(`patterns.json`). Where it departs from ECMAScript, the engine is followed: `\cA` is the
letter `A`, `\u0141` is cut to its low byte, ranges compare bytes as signed numbers, and numbers are cut to
32 bits. Captures of earlier iterations are kept there, and a back-reference to a group without part fails:
what Python cannot be made to do alike is refused.
"""

from __future__ import annotations

import re
from math import inf
from typing import TYPE_CHECKING, NoReturn

from attrs import define, field

from ..values.construction import frozen
from . import syntax
from .captures import NOTHING, abandoned, unsure, volatile

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Refused", "parsed"]

DEPTH = 100  # groups and repetitions inside each other: Python's own recursion stays far from its limit
STATES = 100_000  # of the sidecar's automaton: it compiles no pattern that needs more


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

_SIMPLE: dict[str, syntax.Node] = {
    ".": syntax.Chars(syntax.BYTES - frozenset(b"\n\r")),
    "^": syntax.Assertion(syntax.AssertionKind.START),
    "$": syntax.Assertion(syntax.AssertionKind.END),
}
_BOUNDARIES = {
    "b": syntax.Assertion(syntax.AssertionKind.WORD_BOUNDARY),
    "B": syntax.Assertion(syntax.AssertionKind.NO_WORD_BOUNDARY),
}


class Refused(Exception):
    """Why a text is no pattern, and the text with this mistake mended."""

    def __init__(self, position: int, reason: str, repair: str | None = None, *, ours: bool = False) -> None:
        super().__init__(position, reason, repair)
        self.position = position
        self.reason = reason
        self.repair = repair
        self.ours = ours


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

    node: syntax.Node
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

    def node(self) -> syntax.Node:
        options = [_joined([part.node for part in branch]) for branch in self.branches]
        return options[0] if len(options) == 1 else syntax.Alternation(tuple(options))

    @property
    def joints(self) -> int:
        """States that tie the parts together."""
        return _BRANCH * len(self.branches) - _BRANCH + 1

    @property
    def parts(self) -> list[_Part]:
        return [part for branch in self.branches for part in branch]


def _joined(items: list[syntax.Node]) -> syntax.Node:
    return items[0] if len(items) == 1 else syntax.Sequence(tuple(items))


def parsed(text: str) -> syntax.Node:
    """The tree of a pattern; raises `Refused` where it is none."""
    return _Reader(text).read()


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

    def read(self) -> syntax.Node:
        while self.at < len(self.text):
            step = _STEPS.get(self.text[self.at], _Reader.simple)
            step(self)
        scope = self.scopes.pop()
        if scope.opening:
            raise Refused(scope.position, "the group is not closed")
        self.grow(scope.joints, 0)
        tree = scope.node()
        self.check_captures(tree)
        return tree

    def refuse(self, position: int, reason: str, replacement: str | None = None, length: int = 0) -> NoReturn:
        """Raise, proposing `replacement` for `length` characters at the position."""
        before, after = self.text[:position], self.text[position + length :]
        raise Refused(position, reason, None if replacement is None else before + replacement + after)

    def grow(self, states: int, position: int) -> None:
        self.states += states
        if self.states > STATES:
            self.refuse(position, f"its automaton would have more than {STATES} states")

    def add(self, part: _Part, new_states: int, position: int) -> None:
        self.grow(new_states, position)
        if part.depth > DEPTH:
            raise Refused(
                position, f"more than {DEPTH} groups and repetitions stand inside each other", ours=True
            )
        self.scopes[-1].branches[-1].append(part)

    def skip(self, text: str) -> bool:
        """Whether `text` comes next; if so, go on behind it."""
        found = self.text.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def simple(self) -> None:
        char = self.text[self.at]
        node = _SIMPLE.get(char, syntax.Chars(frozenset({ord(char)})))
        self.add(_Part(node, repeatable=isinstance(node, syntax.Chars)), 1, self.at)
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
            node = syntax.Group(node, scope.index)
            self.closed.add(scope.index)
        elif scope.opening != "(?:":
            node = syntax.LookAhead(node, scope.opening == "(?!")
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
            meant = "." if sign == "*" else "\\"  # `*` alone is any text to those who write wildcards
            self.refuse(position, f"`{sign}` has nothing to repeat", meant)
        if not branch[-1].repeatable:
            self.refuse(position, f"`{sign}` cannot repeat an assertion")
        part = branch.pop()
        if sign == "{":
            minimum, maximum = self.braces()
            more = part.states + 1 if maximum is None else (maximum - minimum) * (part.states + 1) + 1
            new = states = 1 + minimum * part.states + more
        else:
            self.at += 1
            minimum, maximum = syntax.SHORT_REPEATS[sign]
            new = _SHORT_STATES[sign]
            states = part.states + new
        node = syntax.Repeat(part.node, minimum, maximum, greedy=not self.skip("?"))
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
            node: syntax.Node = syntax.Chars(frozenset({found}))
        elif isinstance(found, frozenset):
            node = syntax.Chars(found)
        else:
            node = found
        if isinstance(node, syntax.BackReference):
            if node.index not in self.closed:
                self.refuse(position, "no group of that number is closed before it")
            self.references.setdefault(node.index, position)
        self.add(_Part(node, repeatable=not isinstance(node, syntax.Assertion)), 1, position)

    def escaped(self) -> int | frozenset[int] | syntax.Assertion | syntax.BackReference:
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
            return syntax.CLASSES[char]
        if char in "DSW":
            return syntax.BYTES - syntax.CLASSES[char.lower()]
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
            return syntax.BackReference(_int32(self.expect(_NUMBER, position, "")))
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
        self.add(_Part(syntax.Chars(syntax.BYTES - members if negated else frozenset(members))), 1, position)

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
        if isinstance(found, syntax.Assertion) and found.kind is syntax.AssertionKind.WORD_BOUNDARY:
            return _BACKSPACE
        if isinstance(found, (syntax.Assertion, syntax.BackReference)):
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
            members = syntax.CLASSES.get(name.lower())
            if members is None:
                self.refuse(position, f"there is no class `{name}`")
            return members
        code = _COLLATING.get(name)
        if code is None:
            self.refuse(position, f"there is no character named `{name}`")
        return code if sign == "." else frozenset(chr(code).lower().encode() + chr(code).upper().encode())

    def check_captures(self, tree: syntax.Node) -> None:
        """Refuse back-references whose value the sidecar and Python do not compute alike."""
        if not self.references:
            return
        doubtful = frozenset(unsure(tree))
        for index in sorted(doubtful & abandoned(tree)):
            reason = f"what a look-ahead captured in group {index} may stem from a way that was given up"
            raise Refused(self.references[index], reason, ours=True)
        for index in sorted(NOTHING.union(*(volatile(node, doubtful) for node in syntax.walk(tree)))):
            reason = f"group {index} may be set by an iteration that matches nothing"
            raise Refused(self.references[index], reason, ours=True)
        from .cost import cost  # noqa: PLC0415  # because hardly any pattern comes so far

        worst = cost(tree)
        if worst.longest < inf:
            first = min(self.references.values())
            raise Refused(first, f"with such a reference, a search may take {worst}", ours=True)


_STEPS: dict[str, Callable[[_Reader], None]] = {
    "\\": _Reader.escape,
    "(": _Reader.open_group,
    ")": _Reader.close_group,
    "[": _Reader.bracket,
    "|": _Reader.branch,
    **dict.fromkeys("*+?{", _Reader.repeat),
}
