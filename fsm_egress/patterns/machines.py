"""The automaton of a pattern's tree: read byte by byte, it says where the pattern has been found.

It stands at a set of places at once, those of all attempts; such sets are its states, which are made as they
are needed. Which look-aheads hold, it has to be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from functools import reduce
from math import inf
from operator import or_
from typing import TypeAlias

from attrs import field

from ..values.construction import frozen
from . import syntax
from .captures import NOTHING
from .places import Place, Places, Undecided, behind, places_of

__all__ = ["SPELLED", "Automaton", "State", "Undecided"]

# The order of bytes: a smaller text is the one that people would rather read. A rank is a place in it.
SPELLED = bytes(
    dict.fromkeys(
        b"/abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~"
        + bytes(range(0x21, 0x7F))
        + bytes(range(0x80))
        + "é".encode()
        + bytes(range(0x80, 0x100))
    )
)
_RANKS = bytes(map(SPELLED.index, range(256)))

AT_ONCE = 4096  # places that are moved in one step
SYMBOLS = 512  # after which a state remembers the next: enough for all bytes, if not for all look-aheads

_BOUNDARIES = (
    syntax.Assertion(syntax.AssertionKind.WORD_BOUNDARY),
    syntax.Assertion(syntax.AssertionKind.NO_WORD_BOUNDARY),
)
_FOUND = syntax.Chars(NOTHING)  # stands behind a tree: no byte leads on


class _Side(Enum):
    """What stands before or behind a place in the text."""

    START = "start"
    END = "end"
    WORD = "word"
    OTHER = "other"


_Condition: TypeAlias = Callable[[_Side, _Side, int], bool]
"""Whether it holds between two sides, and where these look-aheads hold, each a bit."""


def _is_boundary(before: _Side, behind: _Side, _: int) -> bool:
    return (before is _Side.WORD) is not (behind is _Side.WORD)


_HOLDS: dict[syntax.AssertionKind, _Condition] = {
    syntax.AssertionKind.START: lambda before, _, __: before is _Side.START,
    syntax.AssertionKind.END: lambda _, behind, __: behind is _Side.END,
    syntax.AssertionKind.WORD_BOUNDARY: _is_boundary,
    syntax.AssertionKind.NO_WORD_BOUNDARY: lambda *between: not _is_boundary(*between),
}


def _looking(number: int) -> _Condition:
    return lambda _, __, held: bool(held >> number & 1)


@frozen(eq=False)
class State:
    """Where all attempts to find a pattern stand.

    Attributes:
        places: those at which a byte or a condition decides, each a bit.
        before: what stands before, as far as a condition may ask for it.
        found: whether the tree has come to its end; see `Automaton.lasting`.
        following: the states to which symbols lead, as far as they have been needed.
    """

    places: int
    before: _Side
    found: bool
    following: dict[int, State] = field(factory=dict, init=False, repr=False)

    @property
    def outcome(self) -> bool | None:
        """Whether the pattern is found, if that is certain whatever follows."""
        return True if self.found else None if self.places else False


@frozen(eq=False)
class Automaton:
    """The automaton of one tree, with the states that have been needed so far.

    It reads *symbols*: the kind of each byte, and `end` behind the last. To each symbol, the look-aheads that
    hold in front of it add `end + 1`, shifted by their numbers.

    Attributes:
        web: the places of the tree, and a last one, where it has come to its end.
        ranks: the kind of each rank: bytes of one kind are alike to the tree.
        sides: what each symbol is to a word boundary.
        consuming: the places that consume each symbol.
        conditions: the places at which each condition decides.
        conditional: all of these.
        looking: the look-aheads among the conditions, each a bit.
        lasting: whether what has been found stays found. Otherwise a state says only whether the tree came to
            its end in front of the symbol that led there.
        kept: how many states are kept.
    """

    web: Places
    ranks: bytes
    sides: tuple[_Side, ...]
    consuming: tuple[int, ...]
    conditions: Mapping[_Condition, int]
    conditional: int
    looking: int
    lasting: bool
    kept: float
    states: dict[tuple[int, _Side, bool], State] = field(factory=dict, init=False)

    @classmethod
    def of(
        cls,
        tree: syntax.Node,
        looks: tuple[syntax.LookAhead, ...] = (),
        *,
        lasting: bool = True,
        kept: float = inf,
    ) -> Automaton:
        """The automaton of a tree whose look-aheads are among these, in the order of their numbers.

        Raises:
            Undecided: if it would be too large, or the tree refers to a group.
        """
        web = behind(places_of(tree), places_of(_FOUND))
        marks = _marks(web.each)
        sets = {place.members: mark for place, mark in marks.items() if isinstance(place, syntax.Chars)}
        words = NOTHING if marks.keys().isdisjoint(_BOUNDARIES) else syntax.CLASSES["w"]
        signatures: list[list[int]] = [[] for _ in syntax.BYTES]
        for number, members in enumerate([words, *sets]):
            for byte in members:
                signatures[_RANKS[byte]].append(number)
        kinds: dict[tuple[int, ...], int] = {}
        ranks = bytes([kinds.setdefault(tuple(signature), len(kinds)) for signature in signatures])
        masks = [0, *sets.values()]
        holds: dict[Place, _Condition] = {
            syntax.Assertion(kind): condition for kind, condition in _HOLDS.items()
        }
        holds |= {look: _looking(number) for number, look in enumerate(looks)}
        conditions = {
            holds[place]: mark for place, mark in marks.items() if not isinstance(place, syntax.Chars)
        }
        return cls(
            web,
            ranks,
            (*[_Side.WORD if signature[:1] == (0,) else _Side.OTHER for signature in kinds], _Side.END),
            (*[reduce(or_, [masks[number] for number in signature], 0) for signature in kinds], 0),
            conditions,
            reduce(or_, conditions.values(), 0),
            sum([1 << number for number, look in enumerate(looks) if look in marks]),
            lasting,
            kept,
        )

    @property
    def start(self) -> State:
        """The state before the first byte."""
        return self.state(self.web.first, _Side.START, found=False)

    @property
    def end(self) -> int:
        """The symbol that stands for the end of the text."""
        return len(self.sides) - 1

    @property
    def steps(self) -> int:
        """The steps at most that a byte takes: each moves some places one way, or asks one condition.

        All of that is done once for each condition that may stand behind another, and once for the byte.
        """
        web = self.web
        ways = 1 + len(web.steps) + len(web.leaps) + len(self.conditions)
        return (1 + int(web.chains.inside)) * ways * (1 + len(web.each) // AT_ONCE)

    def spelled(self, text: bytes) -> bytes:
        """The symbols of a text, without its end and without look-aheads."""
        return text.translate(_RANKS.translate(self.ranks))

    def state(self, places: int, before: _Side, *, found: bool) -> State:
        """The one state of these places, without what can no longer matter."""
        if self.lasting and (found or places & self.web.last):
            places, found = self.web.last, True
        elif before is not _Side.START:
            places &= ~self.conditions.get(_HOLDS[syntax.AssertionKind.START], 0)
        if not places & self.conditional:
            before = _Side.OTHER
        known = self.states.get((places, before, found))
        if known is None:
            if len(self.states) >= self.kept:
                self.forget()
            # Of two threads that come here at once, both go on with the state of one.
            known = self.states.setdefault((places, before, found), State(places, before, found))
        return known

    def forget(self) -> None:
        """Let go of all states; who stands at one may go on from there."""
        for state in self.states.copy().values():
            state.following.clear()
        self.states.clear()

    def follow(self, state: State, symbol: int) -> State:
        """The state to which a symbol leads."""
        known = state.following.get(symbol)
        if known is None:
            held, kind = divmod(symbol, self.end + 1)
            side = self.sides[kind]
            reached = self.passed(state.places, state.before, side, held)
            consumed = self.web.after(reached & self.consuming[kind])
            known = self.state(consumed | self.web.first, side, found=bool(reached & self.web.last))
            if len(state.following) >= SYMBOLS:
                state.following.clear()
            state.following[symbol] = known
        return known

    def passed(self, places: int, before: _Side, behind: _Side, held: int) -> int:
        """The places, and those that can be reached over conditions that hold there."""
        pending = places & self.conditional
        while pending:
            holding = 0
            for condition, here in self.conditions.items():
                if pending & here and condition(before, behind, held):
                    holding |= pending & here
            new = self.web.after(holding) & ~places
            places |= new
            pending = new & self.conditional
        return places

    def row(self, state: State) -> tuple[State, ...]:
        """The next state, for each kind of byte."""
        return tuple([self.follow(state, kind) for kind in range(self.end)])


def _marks(places: tuple[Place, ...]) -> dict[Place, int]:
    """Where the same decides: each place as a bit."""
    marks: dict[Place, bytearray] = {}
    size = len(places) // 8 + 1
    for at, place in enumerate(places):
        marks.setdefault(place, bytearray(size))[at // 8] |= 1 << at % 8
    return {place: int.from_bytes(mark, "little") for place, mark in marks.items()}
