"""The syntax tree of a pattern: what automata and proofs about patterns stand on as well."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from ..values.construction import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Alternation",
    "Assertion",
    "AssertionKind",
    "BackReference",
    "Chars",
    "Group",
    "LookAhead",
    "Node",
    "Repeat",
    "Sequence",
    "children",
    "walk",
]

BYTES = frozenset(range(256))
"""What a `Chars` may hold: the sidecar matches bytes."""


def _between(first: str, last: str) -> frozenset[int]:
    return frozenset(range(ord(first), ord(last) + 1))


_DIGIT = _between("0", "9")
_UPPER = _between("A", "Z")
_LOWER = _between("a", "z")
_ALNUM = _DIGIT | _UPPER | _LOWER
_GRAPH = _between("!", "~")
_SPACE = frozenset(b" \t\n\v\f\r")

CLASSES = {  # the names of `[[:alpha:]]`, in any letter case; `\d`, `\s` and `\w` are the same table
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

SHORT_REPEATS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


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
