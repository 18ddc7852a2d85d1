"""The places of a pattern at which a byte or a condition decides, and which lead to which, as bits.

A regular tree is a web of such places (Glushkov's automaton): it begins at some, ends behind some, and each
leads to those that may come next. A set of places is an integer, so one operation moves them all. Parts are
joined by shifting one behind the other; what is repeated is laid by doubling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import NamedTuple, TypeAlias

from attrs import evolve, field

from ..values.construction import frozen
from ..values.errors import FSMEgressError
from . import syntax

__all__ = ["Place", "Places", "Undecided", "behind", "places_of"]

PLACES = 100_000  # of one tree
STEPS = 4  # from one part to the next, up to which each is kept by itself,
STEPS_BACK = 64  # and from one iteration to the next: there the same distances come again and again
LEAPS = 4096  # of one tree: each is looked at for each byte


class Undecided(FSMEgressError):
    """Whether there is such a text was not decided; the message says what stood in the way."""


Place: TypeAlias = syntax.Chars | syntax.Assertion | syntax.LookAhead
"""What decides at a place: the next byte, or what holds between two bytes."""


class Chains(NamedTuple):
    """How many conditions may have to be passed one after the other, between two bytes, at most.

    Attributes:
        through: from the beginning of a part to its end; below any number if a byte stands between.
        head: from the beginning on.
        tail: up to the end.
        inside: anywhere.
    """

    through: float = 0
    head: float = 0
    tail: float = 0
    inside: float = 0

    def beside(self, other: Chains) -> Chains:
        """Of two parts of which either may be taken."""
        return Chains(*map(max, self, other))

    def before(self, other: Chains) -> Chains:
        """Of two parts, one behind the other."""
        return Chains(
            self.through + other.through,
            max(self.head, self.through + other.head),
            max(other.tail, other.through + self.tail),
            max(self.inside, other.inside, self.tail + other.head),
        )

    def endless(self) -> Chains:
        """Of a part that is repeated: who comes to its beginning again finds nothing new behind its end."""
        return self._replace(inside=max(self.inside, self.tail + self.head))

    def or_not(self) -> Chains:
        """Of a part that may be passed over."""
        return self._replace(through=max(self.through, 0))


_BYTE = Chains(through=-inf)
_CONDITION = Chains(1, 1, 1, 1)


@frozen(eq=False)
class Places:
    """The places of a part of a tree; each is a bit of a number, the lowest is the first.

    Attributes:
        each: what decides at each.
        first: those at which it begins.
        last: those behind which it may end.
        empty: whether it may be passed without any.
        steps: for distances, the places that lead so far on, or back if below zero.
        leaps: sets of places, with the set of those to which each member leads.
        chains: the conditions that may come one after the other.
    """

    each: tuple[Place, ...] = ()
    first: int = 0
    last: int = 0
    empty: bool = True
    steps: Mapping[int, int] = field(factory=dict)
    leaps: tuple[tuple[int, int], ...] = ()
    chains: Chains = Chains()

    def after(self, places: int) -> int:
        """The places to which these lead."""
        reached = 0
        for distance, sources in self.steps.items():
            going = places & sources
            reached |= going << distance if distance >= 0 else going >> -distance
        for sources, targets in self.leaps:
            if places & sources:
                reached |= targets
        return reached


def places_of(node: syntax.Node) -> Places:
    """The places of a tree; raises `Undecided` if there are too many, or if it refers to a group."""
    match node:
        case syntax.Sequence():
            return _folded(behind, list(map(places_of, node.items)))
        case syntax.Alternation():
            return _folded(_beside, list(map(places_of, node.options)))
        case syntax.Repeat():
            return _repeated(places_of(node.item), node.minimum, node.maximum)
        case syntax.Group():
            return places_of(node.item)
        case syntax.BackReference():
            raise Undecided("an automaton cannot refer to what a group has matched")
        case _:
            chains = _BYTE if isinstance(node, syntax.Chars) else _CONDITION
            return Places((node,), first=1, last=1, empty=False, chains=chains)


def _folded(join: Callable[[Places, Places], Places], parts: list[Places]) -> Places:
    """The parts joined, those of each half first: then none is shifted often."""
    half = len(parts) // 2
    if not half:
        return parts[0] if parts else Places()
    return join(_folded(join, parts[:half]), _folded(join, parts[half:]))


def _beside(left: Places, right: Places) -> Places:
    size = len(left.each)
    if size + len(right.each) > PLACES:
        raise Undecided(f"an automaton would have more than {PLACES} places")
    if len(left.leaps) + len(right.leaps) > LEAPS:
        raise Undecided(f"an automaton would have more than {LEAPS} ways to leave things out")
    steps = dict(left.steps)
    for distance, sources in right.steps.items():
        steps[distance] = steps.get(distance, 0) | sources << size
    return Places(
        left.each + right.each,
        left.first | right.first << size,
        left.last | right.last << size,
        left.empty or right.empty,
        steps,
        left.leaps + tuple([(sources << size, targets << size) for sources, targets in right.leaps]),
        left.chains.beside(right.chains),
    )


def behind(left: Places, right: Places, steps: int = STEPS) -> Places:
    """The places of one part and then of another, which follows it."""
    both = _beside(left, right)
    joined = evolve(
        both,
        first=both.first if left.empty else left.first,
        last=both.last if right.empty else right.last << len(left.each),
        empty=left.empty and right.empty,
        chains=left.chains.before(right.chains),
    )
    return _linked(joined, left.last, right.first << len(left.each), steps)


def _linked(part: Places, sources: int, targets: int, single: int) -> Places:
    """The part, in which each of some places leads to each of others."""
    if sources.bit_count() * targets.bit_count() > single:
        return evolve(part, leaps=(*part.leaps, (sources, targets)))
    steps = dict(part.steps)
    for source in _bits(sources):
        for target in _bits(targets):
            steps[target - source] = steps.get(target - source, 0) | 1 << source
    return evolve(part, steps=steps)


def _bits(places: int) -> Iterator[int]:
    while places:
        lowest = places & -places
        yield lowest.bit_length() - 1
        places ^= lowest


def _repeated(item: Places, minimum: int, maximum: int | None) -> Places:
    # An iteration without places is as good as none: then the others are none too many.
    once = evolve(item, empty=False)
    needed = 0 if item.empty else minimum
    if not any(isinstance(place, syntax.Chars) for place in item.each):
        needed, maximum = min(needed, 1), 0 if maximum == 0 else 1  # what holds once holds again
    if maximum is None:
        endless = _linked(evolve(once, chains=once.chains.endless()), once.last, once.first, STEPS_BACK)
        if not needed:
            return evolve(endless, empty=True, chains=endless.chains.or_not())
        return behind(_in_a_row(once, needed - 1)[0], endless, STEPS_BACK)
    row, ends = _in_a_row(once, maximum - needed)
    others = evolve(row, last=ends, empty=True, chains=row.chains.or_not())
    return behind(_in_a_row(once, needed)[0], others, STEPS_BACK)


def _in_a_row(item: Places, times: int) -> tuple[Places, int]:
    """So many copies, one behind the other, and the places behind which any of them may end."""
    if not times:
        return Places(), 0
    half, ends = _in_a_row(item, times // 2)
    row = behind(half, half, STEPS_BACK)
    ends |= ends << len(half.each)
    if times % 2:
        ends |= item.last << len(row.each)
        row = behind(row, item, STEPS_BACK)
    return row, ends
