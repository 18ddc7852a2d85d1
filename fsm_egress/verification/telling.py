"""Which of many disagreements are told, and which classes of connections need not be asked about for that.

A sidecar that takes any host of a range does something else with each server name in each range: what is due
times what happens is the square of the policies, and nobody reads that. So of disagreements about which the
same rule decides the same, and in which the same happens but for the places that are led to, the first is
told, and each that leads to a place to which none led that was told before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.decision import ORIGINAL_DESTINATION, shares
from ..values.identity import Memory
from .inside import Compared
from .sides import Disagreement, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..connections.connection import Connection
    from ..division.dividing import OnPort, Rank
    from ..division.layers import Placed
    from ..pipy.outcome import Outcome
    from .sides import Sides, Sort

__all__ = ["crossed", "manner_of", "places_of", "told_on"]

_SEVERAL = 2


def manner_of(outcome: Outcome) -> object:
    """What happens but for the places that are led to: it is the same of outcomes of one manner."""
    others, either = (frozenset(map(manner_of, them)) for them in (outcome.others, outcome.either))
    gateways = shares((it.name, it.mode, frozenset(it.endpoints), it.weight) for it in outcome.gateways)
    hosts = {target.host for target in outcome.targets}
    led = ORIGINAL_DESTINATION.host in hosts, min(len(outcome.targets), _SEVERAL)
    return outcome.fate, led, outcome.status, outcome.mtls, gateways, outcome.cause, others, either


def places_of(outcome: Outcome) -> frozenset[tuple[str, int]]:
    """The hosts and ports that are led to; no host is the original destination.

    A connection that is lent leads where it would be led without it.
    """
    parts = (outcome, *outcome.others)
    return frozenset((target.host, target.port) for part in parts for target in part.targets)


def crossed(
    dues: Sequence[Outcome], manners: Sequence[object], differ: Callable[[Outcome, int], bool]
) -> Iterator[tuple[int, int]]:
    """Of what is due in some cases and what happens in others, all of which meet, the pairs that are told.

    Besides there is one more for what is due in a manner, where there is one: it shows that not all are told.

    Args:
        dues: what is due, in the order of the cases.
        manners: of what happens in the other cases, in their order, no two of which are the same.
        differ: whether something else happens, by its number, than is due.

    Returns:
        The numbers of what is due and of what happens.
    """
    everything = range(len(manners))
    leading = [next((at for at, due in enumerate(dues) if differ(due, it)), None) for it in everything]
    yield from ((at, it) for it, at in enumerate(leading) if at is not None)
    alike: dict[object, list[int]] = {}
    for it in everything:
        alike.setdefault(manners[it], []).append(it)
    for at, due in enumerate(dues):
        for numbers in alike.values():
            differing = (it for it in numbers if differ(due, it))
            first = next(differing, None)
            untold = next((it for it in differing if leading[it] != at), None)
            yield from ((at, it) for it in (first, untold) if it is not None)


class _Telling:
    """What is told on a stretch of classes."""

    def __init__(self, sides: Sides) -> None:
        self.sides = sides
        self.more: set[object] = set()
        self._seen: set[Sort] = set()
        self._kinds: set[object] = set()
        self._led_to: dict[object, set[tuple[str, int]]] = {}
        self._manners: Memory[object] = Memory()

    def manner(self, outcome: Outcome) -> object:
        """See `manner_of`."""
        return self._manners.once(outcome, manner_of)

    def kind(self, it: Disagreement) -> object:
        """What disagreements have in common that may stand for each other."""
        decision, _, *others = self.sides.sort(it)
        return decision, self.manner(it.outcome), *others

    def tells(self, it: Disagreement) -> bool:
        """Whether a disagreement is told, after those that were asked about before."""
        sort = self.sides.sort(it)
        if sort in self._seen:
            return False
        self._seen.add(sort)
        kind, places = self.kind(it), places_of(it.outcome)
        led_to = self._led_to.setdefault(self.manner(it.outcome), set())
        if kind in self._kinds and led_to.issuperset(places):
            self.more.add(kind)
            return False
        self._kinds.add(kind)
        led_to.update(places)
        return True


class _Crossing:
    """Chooses the classes that have to be asked about where they are names times parts."""

    def __init__(self, telling: _Telling) -> None:
        self.telling = telling
        self.left_out = 0

    def choose(
        self, by_name: Sequence[Connection], by_part: Sequence[Connection]
    ) -> Iterator[tuple[int, int]]:
        """See `division.dividing.Choose`: it is decided by the name, and the part says what happens."""
        sides = self.telling.sides
        dues = [sides.due(sides.engine.classify(it)) for it in by_name]
        parts: dict[int, tuple[int, Outcome]] = {}
        for number, it in enumerate(by_part):
            outcome = sides.outcome(it)
            parts.setdefault(sides.number(outcome), (number, outcome))
        numbers, outcomes = zip(*parts.values(), strict=True)
        manners = list(map(self.telling.manner, outcomes))
        pairs = crossed(dues, manners, lambda due, it: sides.differ(due, outcomes[it]))
        found = sorted({(at, numbers[it]) for at, it in pairs})
        self.left_out += len(by_name) * len(by_part) - len(found)
        yield from found


def told_on(sides: Sides, port: OnPort, placed: Sequence[Placed]) -> Compared[Disagreement | Undecided]:
    """How the sides differ on some spans of a port, as far as it is told."""
    telling = _Telling(sides)
    crossing = _Crossing(telling)
    found: list[tuple[Rank, Disagreement | Undecided]] = []
    reasons: set[str] = set()
    count = 0
    for rank, part in port.classes(placed, crossing.choose):
        count += not part.undecided
        it = Undecided(part.witness, part.undecided) if part.undecided else sides.compare(part.witness)
        if isinstance(it, Undecided):
            if it.reason not in reasons:
                reasons.add(it.reason)
                found.append((rank, it))
        elif it is not None and telling.tells(it):
            found.append((rank, sides.simplest(it)))
    told = ((rank, _with_more(it, telling)) for rank, it in found)
    return Compared(count + crossing.left_out, tuple(told))


def _with_more(it: Disagreement | Undecided, telling: _Telling) -> Disagreement | Undecided:
    """A disagreement with what is known at the end: whether it stands for others."""
    if isinstance(it, Disagreement) and telling.kind(it) in telling.more:
        return evolve(it, more=True)
    return it
