"""The policies of identities before and after a change, as far as they differ: each pair once."""

from __future__ import annotations

from functools import cache, cached_property
from operator import is_
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve

from ..connections.decision import Decision
from ..division.classes import Line, Place, Reading, Scope
from ..division.criteria import is_refused_alike, reading_of_policy
from ..division.dividing import dialled
from ..engine import Engine
from ..policy import OutboundPolicy
from ..policy.parts import VirtualHost
from ..resolution import Resolution
from ..resources.egress import EgressPolicy
from ..resources.kinds import KINDS
from ..resources.subjects import Subject
from ..values.construction import frozen
from ..values.identity import Same
from .regions import Region

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..division.classes import Class, Deciders
    from ..snapshot import Snapshot

__all__ = ["Change", "Pair", "pairs_of"]

Change: TypeAlias = tuple[Decision, Decision]


@frozen(eq=False)
class Pair:
    """The policies of some identities before and after, as far as they differ.

    Attributes:
        whole: whether they may differ on ports that neither names, too.
    """

    before: OutboundPolicy
    after: OutboundPolicy
    whole: bool
    identities: tuple[Subject, ...]

    @cached_property
    def readings(self) -> tuple[Reading, Reading]:
        """What both look at, but where all is decided alike."""
        return _where_different(reading_of_policy(self.before), reading_of_policy(self.after))

    def region(self, part: Class) -> Region:
        """The region of a class."""
        return Region.of(part, self.readings[0].ports)

    def classes(self) -> Iterator[tuple[Class, Change | None]]:
        """The classes of both, with both decisions; None where a class is undecided."""
        old, new = (Engine.compile(it, incomplete=True) for it in (self.before, self.after))
        within = Scope(leaves_out=cache(self._is_decided_alike))
        for part in dialled(*self.readings, within=within):
            if part.port is not None or self.whole:
                witness = part.witness
                yield part, None if part.undecided else (old.classify(witness), new.classify(witness))

    def _is_decided_alike(self, deciders: Deciders) -> bool:
        """Whether the same becomes of what is sent, where this decides about it before and after.

        So it is of requests to a host that both list with the same routes, to clusters that are the same, and
        of what the same service refuses.
        """
        old, new = (it.it if isinstance(it, Same) else it for it in deciders)
        if isinstance(old, Place) and isinstance(new, Place):
            return is_refused_alike(old, new)
        if not isinstance(old, VirtualHost) or not isinstance(new, VirtualHost):
            return False
        names = (cluster.name for route in old.routes for cluster in route.clusters)
        return self._is_carried_alike and old == new and self._changed.isdisjoint(names)

    @cached_property
    def _is_carried_alike(self) -> bool:
        """Whether all that decisions depend on is the same but for the rules and the clusters."""
        old, new = (_around(evolve(policy, clusters=())) for policy in (self.before, self.after))
        return old == new

    @cached_property
    def _changed(self) -> frozenset[str]:
        """The names of the clusters that are not the same before and after."""
        old, new = ({it.name: it for it in policy.clusters} for policy in (self.before, self.after))
        return frozenset(name for name in {*old, *new} if old.get(name) != new.get(name))


def _where_different(old: Reading, new: Reading) -> tuple[Reading, Reading]:
    """Two readings that look at nothing where both would see everything decided alike."""
    alike = Place()
    known: dict[tuple[Place, Place], tuple[Place, Place]] = {}
    equal: dict[tuple[Same, Same], bool] = {}  # a match is the source of many places, and compared once

    def is_equal(one: object, other: object) -> bool:
        key = Same(one), Same(other)
        if key not in equal:
            equal[key] = one == other
        return equal[key]

    def places(one: Place, other: Place) -> tuple[Place, Place]:
        if (one, other) not in known:
            is_said = one.source and len(one.source) == len(other.source)
            is_alike = is_said and all(map(is_equal, one.source, other.source))
            known[one, other] = (alike, alike) if is_alike else (one, other)
        return known[one, other]

    def lines(one: Line, other: Line) -> tuple[Line, Line]:
        starts = tuple(sorted({*one.starts, *other.starts}))
        left, right = zip(*(places(one.at(start), other.at(start)) for start in starts), strict=True)
        return Line(starts, left), Line(starts, right)

    ports = {
        port: lines(old.ports.get(port, old.other), new.ports.get(port, new.other))
        for port in (*old.ports, *new.ports)
    }
    others = lines(old.other, new.other)
    first, second = (
        evolve(one, ports={port: pair[side] for port, pair in ports.items()}, other=others[side])
        for side, one in enumerate((old, new))
    )
    return first, second


def pairs_of(before: Snapshot, after: Snapshot, identities: Iterable[Subject]) -> Iterator[Pair]:
    """The policies of these identities where they differ; identities with the same ones are together."""
    found: dict[tuple[int, ...], list[Pair]] = {}
    for who in identities:
        if _is_untouched(before, after, who):
            continue
        resolution = Resolution.of(before, who)
        pair = _narrowed(resolution.policy, resolution.after(after).policy)
        if pair is None:
            continue
        alike = found.setdefault(tuple(port.port for port in (*pair.before.ports, *pair.after.ports)), [])
        for index, known in enumerate(alike):
            if _is_same(known.before, pair.before) and _is_same(known.after, pair.after):
                alike[index] = evolve(known, identities=(*known.identities, who))
                break
        else:
            alike.append(pair)
    for pairs in found.values():
        yield from pairs


def _is_untouched(before: Snapshot, after: Snapshot, identity: Subject) -> bool:
    """Whether nothing that the policy of an identity is made of is another object than before."""
    kinds = (kind for kind in KINDS if kind is not EgressPolicy)
    if not all(before.kind(kind) is after.kind(kind) for kind in kinds):
        return False
    old, new = before.policies_for(identity), after.policies_for(identity)
    return len(old) == len(new) and all(map(is_, old, new))


def _narrowed(before: OutboundPolicy, after: OutboundPolicy) -> Pair | None:
    """The policies on the ports on which they differ; None where there is none."""
    whole = _around(before) != _around(after)
    if before.clusters == after.clusters:
        after = evolve(after, clusters=before.clusters)  # so that they need no more comparing
    if not whole:
        old, new = ({port.port: port for port in policy.ports} for policy in (before, after))
        both = ((number, port, new[number]) for number, port in old.items() if number in new)
        same = {number for number, port, other in both if port is other or port == other}
        before, after = (
            evolve(policy, ports=tuple(port for port in policy.ports if port.port not in same))
            for policy in (before, after)
        )
        if not (before.ports or after.ports):
            return None
    return Pair(before, after, whole, (before.identity,))


def _around(policy: OutboundPolicy) -> tuple[object, ...]:
    """Whatever of a policy the decisions on every port depend on."""
    spec = policy.spec
    gateways = policy.forward.gateways if policy.forward else ()
    return (
        spec.enable_egress,
        spec.enable_auto_default_route,
        policy.switch,
        policy.interception,
        policy.clusters,
        gateways,
    )


def _is_same(one: OutboundPolicy, other: OutboundPolicy) -> bool:
    """Whether two policies decide alike, by the same rules."""
    return one.ports == other.ports and _around(one) == _around(other)
