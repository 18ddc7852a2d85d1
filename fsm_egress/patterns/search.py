"""Searches that no text makes long: by backtracking where that is quick, and byte by byte elsewhere.

By backtracking, with Python's `re`, a search is quick where the bound of its steps is low
(`cost.py`). Any other text is read once, by an automaton that takes all attempts along. For each
look-ahead it is read once more before, from its end to its start, by an automaton that says where it holds.
How many steps that takes for each byte is known before there is any text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from math import inf

from attrs import evolve

from ..values.construction import frozen
from . import syntax
from .captures import torn
from .core import core
from .cost import cost
from .machines import Automaton
from .python import rendered

__all__ = ["Reading", "finder", "steps_by_byte"]

STATES = 256  # of each automaton that are kept for the next text


def finder(tree: syntax.Node) -> Callable[[str], object]:
    """What searches `searchable` texts: it returns something true of those in which the tree is found."""
    kept = core(tree)
    search = re.compile(rendered(kept)).search
    longest = cost(kept).longest
    return search if longest == inf else _Finder(kept, search, longest).find


def steps_by_byte(tree: syntax.Node) -> float:
    """The steps at most that a search for a tree takes for each byte of a text that is not short.

    Raises:
        Undecided: they are too many to be counted.
    """
    kept = core(tree)
    bound = cost(kept)
    return bound.factor if bound.longest == inf else Reading.of(kept).steps


@frozen(eq=False)
class _Finder:
    """Searches texts up to the longest that is quick by backtracking, and others by reading them."""

    tree: syntax.Node
    search: Callable[[str], object]
    longest: float

    @cached_property
    def reading(self) -> Reading:
        return Reading.of(self.tree)

    def find(self, text: str) -> object:
        return self.search(text) if len(text) <= self.longest else self.reading.finds(text)


@frozen(eq=False)
class Reading:
    """Searches for a tree in a time that grows with the length of the text, whatever the text.

    Attributes:
        attempts: what is read at once; more than one where attempts are not alike.
    """

    attempts: tuple[_Attempts, ...]

    @classmethod
    def of(cls, tree: syntax.Node) -> Reading:
        """The reading of a tree; raises `Undecided` if it refers to a group."""
        if not torn(tree):
            return cls((_Attempts.of(tree),))
        at_start = _Attempts.of(syntax.Sequence((_START, tree)), from_look=True)
        return cls((at_start, _Attempts.of(syntax.Sequence((_NOT_AT_START, tree)))))

    @property
    def steps(self) -> int:
        """The steps at most that a byte takes."""
        return sum(attempts.steps for attempts in self.attempts)

    def finds(self, text: str) -> bool:
        """Whether the tree is found in a `searchable` text."""
        content = text.encode("latin-1")
        return any(attempts.find(content) for attempts in self.attempts)


_START = syntax.Assertion(syntax.AssertionKind.START)
_END = syntax.Assertion(syntax.AssertionKind.END)
_NOT_AT_START = syntax.LookAhead(_START, negative=True)


@frozen(eq=False)
class _Attempts:
    """Attempts to find a tree, all at once.

    Attributes:
        automaton: that of the tree.
        looks: its look-ahead, each after those inside it; with the automata of what they ask for, backwards.
        from_look: whether look-aheads are run as if the text began where they stand.
    """

    automaton: Automaton
    looks: tuple[tuple[syntax.LookAhead, Automaton], ...]
    from_look: bool

    @classmethod
    def of(cls, tree: syntax.Node, *, from_look: bool = False) -> _Attempts:
        inner_first = reversed(list(syntax.walk(tree)))
        looks = tuple(dict.fromkeys(node for node in inner_first if isinstance(node, syntax.LookAhead)))
        backwards = [Automaton.of(_reversed(look.item), looks, lasting=False, kept=STATES) for look in looks]
        return cls(
            Automaton.of(tree, looks, kept=STATES), tuple(zip(looks, backwards, strict=True)), from_look
        )

    @property
    def steps(self) -> int:
        backwards = sum(automaton.steps for _, automaton in self.looks)
        return self.automaton.steps + backwards * (2 if self.from_look else 1)

    def find(self, content: bytes) -> bool:
        automaton = self.automaton
        state = automaton.start
        symbols = [*automaton.spelled(content), automaton.end]
        if self.looks:
            base = automaton.end + 1
            symbols = [symbol + base * held for symbol, held in zip(symbols, self.held(content), strict=True)]
        for symbol in symbols:
            state = state.following.get(symbol) or automaton.follow(state, symbol)
        return state.found

    def held(self, content: bytes) -> list[int]:
        """Which look-aheads hold in front of each byte, and at the end; each is a bit."""
        held = [0] * (len(content) + 1)
        for number, (look, automaton) in enumerate(self.looks):
            bit = 1 << number
            end, base = automaton.end, automaton.end + 1
            state = automaton.start
            symbols = [end, *automaton.spelled(content)]  # in front of each place
            for at in range(len(content), -1, -1):
                inner = base * (held[at] & automaton.looking)
                after = automaton.follow(state, symbols[at] + inner)
                seen = automaton.follow(state, end + inner) if self.from_look else after
                if seen.found is not look.negative:
                    held[at] |= bit
                state = after
        return held


def _reversed(node: syntax.Node) -> syntax.Node:
    """What matches the same texts read backwards; look-aheads are only moved."""
    match node:
        case syntax.Sequence():
            return syntax.Sequence(tuple(map(_reversed, reversed(node.items))))
        case syntax.Alternation():
            return syntax.Alternation(tuple(map(_reversed, node.options)))
        case syntax.Repeat() | syntax.Group():
            return evolve(node, item=_reversed(node.item))
        case syntax.Assertion(syntax.AssertionKind.START):
            return _END
        case syntax.Assertion(syntax.AssertionKind.END):
            return _START
        case _:
            return node
