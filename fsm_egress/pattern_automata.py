"""The automaton of a pattern's tree: read byte by byte, it says where the pattern has been found.

It stands at a set of places at once, one for each attempt; such sets are its states, which are made as they
are needed. What it cannot say of look-aheads and back-references it leaves out: then it finds too much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from attrs import define, field, frozen

from .errors import FSMEgressError
from .pattern_tree import (
    BYTES,
    CLASSES,
    Alternation,
    Assertion,
    AssertionKind,
    BackReference,
    Chars,
    Group,
    Node,
    Repeat,
    Sequence,
    walk,
)

__all__ = ["SPELLED", "Automaton", "State", "Undecided"]

PLACES = 100_000  # of one automaton

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


class Undecided(FSMEgressError):
    """Whether there is such a text was not decided; the message says what stood in the way."""


_ANYTHING = Repeat(Chars(BYTES), 0, None)
_BOUNDARIES = (Assertion(AssertionKind.WORD_BOUNDARY), Assertion(AssertionKind.NO_WORD_BOUNDARY))


class _Side(Enum):
    """What stands before or behind a place in the text."""

    START = "start"
    END = "end"
    WORD = "word"
    OTHER = "other"


_HOLDS: dict[AssertionKind, Callable[[_Side, _Side], bool]] = {
    AssertionKind.START: lambda before, _: before is _Side.START,
    AssertionKind.END: lambda _, behind: behind is _Side.END,
    AssertionKind.WORD_BOUNDARY: lambda *sides: sides.count(_Side.WORD) == 1,
    AssertionKind.NO_WORD_BOUNDARY: lambda *sides: sides.count(_Side.WORD) != 1,
}


@frozen
class _Place:
    """Leads to its targets: over a byte of these kinds, or where the condition holds, or at once."""

    targets: tuple[int, ...]
    kinds: tuple[int, ...] = ()
    condition: AssertionKind | None = None


_FOUND = 0  # the place where a pattern has been found; it is never left


@define
class _Builder:
    """Lays the places of a tree, from its end to its beginning."""

    ranks: bytes  # the kind of each rank
    groups: Mapping[int, Node]
    places: list[_Place]

    def place(
        self, *targets: int, kinds: tuple[int, ...] = (), condition: AssertionKind | None = None
    ) -> int:
        if len(self.places) >= PLACES:
            raise Undecided(f"an automaton would have more than {PLACES} places")
        self.places.append(_Place(targets, kinds, condition))
        return len(self.places) - 1

    def enter(self, node: Node, then: int, copied: bool = False) -> int:
        """The place where the node begins, then goes on; `copied`, it is a text that the node matched."""
        match node:
            case Chars():
                kinds = tuple(sorted({self.ranks[_RANKS[byte]] for byte in node.members}))
                return self.place(then, kinds=kinds) if kinds else self.place()
            case Sequence():
                for item in reversed(node.items):
                    then = self.enter(item, then, copied)
                return then
            case Alternation():
                return self.place(*[self.enter(option, then, copied) for option in node.options])
            case Repeat():
                return self.repeat(node, then, copied)
            case Group():
                return self.enter(node.item, then, copied)
            case BackReference():
                return self.enter(_ANYTHING if copied else self.groups[node.index], then, copied=True)
            case Assertion() if not copied:
                return self.place(then, condition=node.kind)
            case _:
                return then

    def repeat(self, node: Repeat, then: int, copied: bool) -> int:
        minimum = node.minimum
        if node.maximum is None:
            entry = self.place()
            item = self.enter(node.item, entry, copied)
            self.places[entry] = _Place((item, then))
            if minimum:
                entry, minimum = item, minimum - 1
        else:
            entry = then
            for _ in range(node.maximum - minimum):
                entry = self.place(self.enter(node.item, entry, copied), then)
        for _ in range(minimum):
            entry = self.enter(node.item, entry, copied)
        return entry


@frozen(eq=False)
class State:
    """Where all attempts to find a pattern stand, each at one of the places.

    Attributes:
        places: those at which a byte or a condition decides.
        before: what stands before, as far as a condition may ask for it.
        outcome: whether the pattern has been found, if that is certain whatever follows.
        at_end: whether it has been found if the text ends here.
    """

    places: frozenset[int]
    before: _Side
    outcome: bool | None
    at_end: bool


@frozen(eq=False)
class Automaton:
    """The automaton of one tree, with the states that have been needed so far.

    Attributes:
        places: those of all attempts.
        ranks: the kind of each rank: bytes of one kind are alike to the tree.
        sides: what a byte of each kind is to a word boundary.
        entered: where an attempt begins, at each byte again.
        conditional: the places at which a condition decides.
    """

    places: tuple[_Place, ...]
    ranks: bytes
    sides: tuple[_Side, ...]
    entered: frozenset[int]
    conditional: frozenset[int]
    at_start: frozenset[int]
    states: dict[tuple[frozenset[int], _Side], State] = field(factory=dict)
    rows: dict[State, tuple[State, ...]] = field(factory=dict)

    @classmethod
    def of(cls, tree: Node) -> Automaton:
        """The automaton of a tree; raises `Undecided` if it would be too large."""
        nodes = list(walk(tree))
        sets = {node.members for node in nodes if isinstance(node, Chars)}
        words = CLASSES["w"] if any(node in _BOUNDARIES for node in nodes) else frozenset[int]()
        signatures: list[list[int]] = [[] for _ in BYTES]
        for number, members in enumerate([words, *sets]):
            for byte in members:
                signatures[_RANKS[byte]].append(number)
        kinds: dict[tuple[int, ...], int] = {}
        ranks = bytes([kinds.setdefault(tuple(signature), len(kinds)) for signature in signatures])
        groups = {node.index: node.item for node in nodes if isinstance(node, Group)}
        builder = _Builder(ranks, groups, [_Place((_FOUND,), tuple(range(len(kinds))))])
        entry = builder.enter(tree, _FOUND)
        places = tuple(builder.places)
        asked = {at: place.condition for at, place in enumerate(places) if place.condition is not None}
        return cls(
            places,
            ranks,
            tuple(_Side.WORD if signature[:1] == (0,) else _Side.OTHER for signature in kinds),
            _reached(places, {entry}),
            frozenset(asked),
            frozenset(at for at, condition in asked.items() if condition is AssertionKind.START),
        )

    @property
    def start(self) -> State:
        """The state before the first byte."""
        return self.state(self.entered, _Side.START)

    def state(self, places: frozenset[int], before: _Side) -> State:
        """The one state of these places, without what can no longer matter."""
        if _FOUND in places:
            places = frozenset({_FOUND})
        elif before is not _Side.START:
            places -= self.at_start
        if places.isdisjoint(self.conditional):
            before = _Side.OTHER
        known = self.states.get((places, before))
        if known is None:
            outcome = True if _FOUND in places else None if places else False
            at_end = _FOUND in self.passed(places, before, _Side.END)
            # Of two threads that come here at once, both go on with the state of one.
            known = self.states.setdefault((places, before), State(places, before, outcome, at_end))
        return known

    def passed(self, places: frozenset[int], before: _Side, behind: _Side) -> set[int]:
        """The places, and those that can be reached over conditions between these sides."""
        reached = set(places)
        pending = list(places & self.conditional)
        for at in pending:
            place = self.places[at]
            if place.condition is not None and _HOLDS[place.condition](before, behind):
                new = _reached(self.places, place.targets) - reached
                reached |= new
                pending += new & self.conditional
        return reached

    def row(self, state: State) -> tuple[State, ...]:
        """The next state, for each kind of byte."""
        known = self.rows.get(state)
        if known is None:
            targets: list[set[int]] = [set() for _ in self.sides]
            for side in set(self.sides):
                for at in self.passed(state.places, state.before, side):
                    place = self.places[at]
                    for kind in place.kinds:
                        if self.sides[kind] is side:
                            targets[kind].update(place.targets)
            known = self.rows[state] = tuple(
                self.state(self.entered | _reached(self.places, there), side)
                for there, side in zip(targets, self.sides, strict=True)
            )
        return known


def _reached(places: tuple[_Place, ...], targets: Iterable[int]) -> frozenset[int]:
    """The places at which a byte or a condition decides, from the targets on."""
    pending = list(targets)
    seen = set(pending)
    decisive = set()
    for at in pending:
        place = places[at]
        if place.kinds or place.condition:
            decisive.add(at)
        else:
            new = [target for target in place.targets if target not in seen]
            seen.update(new)
            pending += new
    return frozenset(decisive)
