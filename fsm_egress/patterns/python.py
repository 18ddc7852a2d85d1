"""Syntax trees of the sidecar's patterns -> patterns of Python's `re` that mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

from attrs import define, field

from . import syntax
from .captures import NOTHING, groups_in, torn

__all__ = ["rendered"]


_REST = r"[\x00-\xff]*"
_BOUNDARY = r"(?a:\b)"
_WORD_NEXT = r"(?=[0-9A-Z_a-z])"


def rendered(tree: syntax.Node) -> str:
    """The tree as a Python pattern over `searchable` texts."""
    referenced = frozenset(node.index for node in syntax.walk(tree) if isinstance(node, syntax.BackReference))
    plain = _Renderer(referenced).source(tree)
    if not torn(tree):
        return plain
    return rf"\A(?:{_Renderer(referenced, at_start=True).source(tree)})|(?!\A)(?:{plain})"


def _chars(members: frozenset[int]) -> str:
    if len(members) == 1:
        return "".join(map(_char, members))
    negated = not members or len(syntax.BYTES) // 2 < len(members) < len(syntax.BYTES)
    shown = sorted(syntax.BYTES - members if negated else members)
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
    return re.escape(chr(byte)) if byte in syntax.CLASSES["print"] else rf"\x{byte:02x}"


@define
class _Renderer:
    """Spells a tree for Python; `at_start`, as the sidecar runs it in an attempt at the start of the text."""

    referenced: frozenset[int]
    at_start: bool = False
    numbers: Iterator[int] = field(factory=lambda: count(1))
    looking: int = 0  # look-aheads around
    lost: set[int] = field(factory=set[int])  # groups of negative look-aheads, which nobody sees from outside

    def source(self, node: syntax.Node, entry: str = "") -> str:
        """The node's source; `entry` matches where the look-ahead began that sees the text begin there."""
        match node:
            case syntax.Chars():
                return _chars(node.members)
            case syntax.Sequence():
                return "".join(self.atom(item, entry, syntax.Alternation) for item in node.items)
            case syntax.Alternation():
                return "|".join(self.source(option, entry) for option in node.options)
            case syntax.Repeat():
                inner = self.atom(
                    node.item,
                    entry,
                    (syntax.Sequence, syntax.Alternation, syntax.Repeat, syntax.LookAhead, syntax.Assertion),
                )
                return inner + _times(node) + ("" if node.greedy or self.may_be_greedy(node) else "?")
            case syntax.Group():
                name = f"?P<{self.name(node.index)}>" if node.index in self.referenced else "?:"
                return f"({name}{self.source(node.item, entry)})"
            case syntax.BackReference():
                return _chars(NOTHING) if node.index in self.lost else f"(?P={self.name(node.index)})"
            case syntax.LookAhead():
                return self.look(node)
            case _:
                return _assertion(node.kind, entry)

    def name(self, index: int) -> str:
        return f"s{index}" if self.at_start else f"g{index}"

    def atom(self, node: syntax.Node, entry: str, composed: type[Any] | tuple[type[Any], ...]) -> str:
        inner = self.source(node, entry)
        return f"(?:{inner})" if isinstance(node, composed) else inner

    def may_be_greedy(self, node: syntax.Repeat) -> bool:
        """Whether nothing depends on being lazy: Python 3.10 loses captures of lazy repetitions."""
        return not self.looking and not self.referenced.isdisjoint(groups_in(node))

    def look(self, node: syntax.LookAhead) -> str:
        self.looking += 1
        if self.at_start:
            # The rest of the text tells one place from all others: it follows only where it was captured.
            name = f"e{next(self.numbers)}"
            inner = f"(?=(?P<{name}>{_REST})){self.atom(node.item, f'(?P={name})', syntax.Alternation)}"
        else:
            inner = self.source(node.item)
        self.looking -= 1
        if node.negative:
            self.lost |= groups_in(node)
        return f"(?{'!' if node.negative else '='}{inner})"


def _times(node: syntax.Repeat) -> str:
    for sign, times in syntax.SHORT_REPEATS.items():
        if times == (node.minimum, node.maximum):
            return sign
    if node.minimum == node.maximum:
        return f"{{{node.minimum}}}"
    return f"{{{node.minimum},{'' if node.maximum is None else node.maximum}}}"


def _assertion(kind: syntax.AssertionKind, entry: str) -> str:
    if kind is syntax.AssertionKind.END:
        return r"\Z"
    if kind is syntax.AssertionKind.START:
        return f"(?={entry})" if entry else r"\A"
    boundary = f"(?:(?={entry}){_WORD_NEXT}|(?!{entry}){_BOUNDARY})" if entry else _BOUNDARY
    # Python's own `\B` does not hold in an empty text.
    return boundary if kind is syntax.AssertionKind.WORD_BOUNDARY else f"(?!{boundary})"
