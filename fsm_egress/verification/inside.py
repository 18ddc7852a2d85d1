"""What is compared once: for all identities that reach the same services, for both sidecars, for all ports.

Most classes of a mesh are those at the addresses of its own services, and these are the same for whoever
reaches the services. So what was found at the addresses of a match is kept with everything that it hangs on:
the match and where it leads, and what the sidecar looks at there. It is taken for the next identity whose
sides are equal in all of this. So it is for those who claim the same on a port, where what passes by the
sidecar hangs on none; and what neither side names is the same on every port.
"""

from __future__ import annotations

from functools import cached_property, partial
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from attrs import field

from ..division.classes import Place
from ..division.criteria import owner_of
from ..division.dividing import Rank
from ..pipy.sidecar import Sidecar
from ..policy import OutboundPolicy
from ..resolution.inmesh import references_of
from ..values.construction import frozen
from ..values.net import IPV6_START

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..division.dividing import OnPort
    from ..division.layers import Placed
    from ..policy.parts import MeshMatch
    from ..snapshot import Snapshot

__all__ = [
    "Basis",
    "Compared",
    "Known",
    "Walk",
    "around_of",
    "basis_of",
    "nothing_known",
    "parted",
]

F = TypeVar("F")
Basis: TypeAlias = "tuple[object, ...]"

ALIKE = 8  # latest answers at the addresses of a match that are looked through


@frozen(eq=False)
class Compared(Generic[F]):
    """How many classes were compared, and what was found, each with the rank of its class."""

    classes: int
    found: tuple[tuple[Rank, F], ...]


Compare: TypeAlias = "Callable[[OnPort, Sequence[Placed]], Compared[F]]"
"""Compares the classes on some spans of a port."""


class Known(Generic[F]):
    """What was found at some addresses, with what it hangs on; threads may share it."""

    def __init__(self) -> None:
        self._known: dict[Basis, tuple[tuple[Basis, Compared[F]], ...]] = {}

    def once(self, where: Basis, basis: Basis, work: Callable[[], Compared[F]]) -> Compared[F]:
        """What was found where all of this was the same; it is looked for unless that was lately.

        Args:
            where: what can be looked up.
            basis: the rest, which is compared.
            work: looks for it.
        """
        known = self._known.get(where, ())
        for other, found in known:
            if other == basis:
                return found
        found = work()
        self._known[where] = ((basis, found), *known[: ALIKE - 1])
        return found


def nothing_known(_: Snapshot, _where: str, _around: Basis) -> Known[Any]:
    """Where to begin with a mesh, at its services or at claims, under what `around_of` says."""
    return Known()


@frozen(eq=False)
class Walk(Generic[F]):
    """A comparison that goes from port to port, and compares nothing again that is the same elsewhere.

    No decision or outcome at the addresses of a match is one elsewhere, none of the claims of a port is one
    on another, and none beside the sidecar one in it: what is found there stands alone.

    Attributes:
        policy: of an identity.
        sidecar: that it is compared with.
        at_services: what was found at the addresses of services.
        at_claims: what was found where Egress policies claim.
        unnamed: the places on ports that no reading names; where one stands on another port as well, the same
            is looked at there, and decided.
    """

    policy: OutboundPolicy
    sidecar: Sidecar
    at_services: Known[F]
    at_claims: Known[F]
    unnamed: frozenset[Place]
    _counted: dict[tuple[bool, tuple[Place, ...]], int] = field(init=False, factory=dict)

    def on(self, port: OnPort, compare: Compare[F]) -> Compared[F]:
        """The comparison on a port.

        Args:
            port: what both sides have there.
            compare: the classes on some spans.
        """
        inside, others = parted(port)
        named = [it for it in others if not self.unnamed.issuperset(it[1])]
        redirected, passing = ([it for it in named if _is_ipv4(it) is seen] for seen in (True, False))
        parts = [
            *(self._as_elsewhere(port, it, compare) for it in others if self.unnamed.issuperset(it[1])),
            self._claimed(port, redirected, compare, _Doing(self.sidecar, port.number, _starts(redirected))),
            self._claimed(port, passing, compare, None),
        ]
        for match, placed in inside:
            where, basis = basis_of(self.policy, match, port, placed)
            does = _Doing(self.sidecar, port.number, _starts(placed))
            parts.append(self.at_services.once(where, (*basis, does.told), partial(compare, port, placed)))
        found = sorted(chain.from_iterable(part.found for part in parts), key=itemgetter(0))
        return Compared(sum(part.classes for part in parts), tuple(found))

    def _as_elsewhere(self, port: OnPort, it: Placed, compare: Compare[F]) -> Compared[F]:
        """What is found where all is as on ports that nobody names; nothing more, where it was on another."""
        key = _is_ipv4(it), it[1]
        if key in self._counted:
            return Compared(self._counted[key], ())
        found = compare(port, [it])
        self._counted[key] = found.classes
        return found

    def _claimed(self, port: OnPort, placed: list[Placed], compare: Compare[F], does: object) -> Compared[F]:
        """What is found where Egress policies claim; it may be known where others claim the same."""
        if port.port is None or not placed or not all(places[0].source for _, places in placed):
            return compare(port, placed)
        where = port.port, tuple([spans for spans, _ in placed])
        basis = self.policy.port(port.port), port.shown(placed), does
        return self.at_claims.once(where, basis, partial(compare, port, placed))


@frozen(eq=False)
class _Doing:
    """All that it hangs on what a sidecar does at some addresses of a port.

    It is worked out where it is compared: each of many ranges has all that holds there, which is the square.
    """

    sidecar: Sidecar
    port: int
    addresses: tuple[int, ...]

    @cached_property
    def told(self) -> tuple[Basis, ...]:
        """What `Sidecar.basis` says of each address."""
        return tuple([self.sidecar.basis(self.port, address) for address in self.addresses])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Doing) and self.told == other.told

    __hash__ = None  # type: ignore[assignment]  # as it is never looked up


def _starts(placed: Sequence[Placed]) -> tuple[int, ...]:
    """The first address of each of the spans that stand together."""
    return tuple([first for ((first, _), *_), _ in placed])


def _is_ipv4(placed: Placed) -> bool:
    """Whether connections to these addresses are redirected, as long as no list keeps them from it."""
    ((first, _), *_), _ = placed
    return first < IPV6_START


def parted(port: OnPort) -> tuple[list[tuple[MeshMatch, list[Placed]]], list[Placed]]:
    """The spans of each in-mesh match on a port, and all others, where any address can be dialled."""
    inside: dict[int, tuple[MeshMatch, list[Placed]]] = {}
    rest: list[Placed] = []
    for spans, places in port.dialled():
        match = owner_of(places[0])
        at = rest if match is None else inside.setdefault(id(match), (match, []))[1]
        at.append((spans, places))
    return list(inside.values()), rest


def around_of(policy: OutboundPolicy) -> Basis:
    """What decisions about in-mesh connections hang on besides the match that takes them."""
    ends = (end for cluster in policy.clusters for end in cluster.endpoints)
    return (
        policy.spec.enable_auto_default_route,
        policy.forward,
        frozenset((end.host, end.port) for end in ends if end.path),
        policy.interception,
        policy.lost,
        policy.conditions,
    )


def basis_of(
    policy: OutboundPolicy, match: MeshMatch, port: OnPort, placed: Sequence[Placed]
) -> tuple[Basis, Basis]:
    """All that decisions at the addresses of a match hang on besides `around_of`.

    Args:
        policy: of the identity.
        match: which takes the connections.
        port: where it does.
        placed: its addresses.

    Returns:
        What can be looked up, and the rest.
    """
    spans = tuple([spans for spans, _ in placed])
    clusters = tuple([policy.cluster(name) for name in references_of([match])])
    owners = tuple([places[0].source[1] for _, places in placed])
    return (port.port, port.number, spans), (match, clusters, owners, port.shown(placed))
