"""How a connection fares in a sidecar, or would if that did what is decided: the ways that it may go."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ..connections.connection import socket_address
from ..connections.decision import Reason, Verdict
from ..values.construction import frozen
from .reading import Gateways, gateways_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from ..policy import OutboundPolicy
    from .reading import Fate

__all__ = ["CLOSED", "ECHOED", "PASSED", "UNKNOWN", "Fare", "Way", "answered", "due", "fare"]

WHOLE = Fraction(1)


@frozen
class Way:
    """One way: dialled to a target, where an empty host is the original destination, or not dialled at all.

    Attributes:
        end: `dialled`, `answered`, `closed`, `echoed` or `unknown`.
        mtls: whether the sidecar opens TLS of its own towards the target.
        gateways: what it is tunnelled through, with shares.
    """

    end: str
    target: tuple[str, int] | None = None
    status: int | None = None
    mtls: bool = False
    gateways: Gateways = ()

    def __str__(self) -> str:
        if self.target is None:
            return f"{self.end} {self.status}" if self.status else self.end
        place = socket_address(*self.target) if self.target[0] else "the original destination"
        through = f" through {', '.join(name for name, *_ in self.gateways)}" if self.gateways else ""
        return f"{self.end} to {place}{' with mTLS' if self.mtls else ''}{through}"


@frozen
class Fare:
    """All ways that a connection may go, with shares that add up to one.

    Attributes:
        lent: whether it may go otherwise, on a connection that was opened for another match and is kept.
    """

    ways: tuple[tuple[Way, Fraction], ...]
    lent: bool = False

    @property
    def outcome(self) -> Fare:
        """What differs for the connection."""
        return self

    @property
    def manner(self) -> Hashable:
        """What is the same of fares that differ in nothing but the places that are dialled, and how often."""
        ways = ((way, way.target and bool(way.target[0])) for way, _ in self.ways)
        return frozenset((it.end, led, it.status, it.mtls, it.gateways) for it, led in ways), self.lent

    @property
    def places(self) -> frozenset[tuple[str, int]]:
        """All that is dialled."""
        return frozenset(way.target for way, _ in self.ways if way.target)

    def __str__(self) -> str:
        told = ", or ".join(str(way) for way, _ in self.ways)
        return f"{told}, or on a kept connection otherwise" if self.lent else told


def fare(ways: Iterable[tuple[Way, Fraction | int]], *, lent: bool = False) -> Fare:
    """The ways with their weights as shares, each once."""
    found: dict[Way, Fraction] = {}
    for way, weight in ways:
        found[way] = found.get(way, Fraction(0)) + weight
    total = sum(found.values())
    shares = ((way, share / total) for way, share in found.items() if share)
    return Fare(tuple(sorted(shares, key=repr)), lent)


def answered(status: int) -> Fare:
    """The sidecar itself answers."""
    return Fare(((Way("answered", status=status), WHOLE),))


CLOSED = Fare(((Way("closed"), WHOLE),))
ECHOED = Fare(((Way("echoed"), WHOLE),))
UNKNOWN = Fare(((Way("unknown"), WHOLE),))
PASSED = Fare(((Way("dialled", ("", 0)), WHOLE),))


def due(policy: OutboundPolicy, *, has_certificate: bool) -> Callable[[Fate], Fare]:
    """How a connection fares in a sidecar that does what is decided.

    Where shares hang on the age of pods they are those of pods that are grown up, as in a config that is
    written here: for the config of another moment this may fail to prove what is so.

    Args:
        policy: what is decided by.
        has_certificate: whether the sidecar has one, which it shows inside the mesh.
    """
    used = gateways_of(policy)
    ends = (end for cluster in policy.clusters for end in cluster.endpoints)
    below = frozenset((end.host, end.port) for end in ends if end.path)  # of other clusters, below a path

    def due_of(fate: Fate) -> Fare:
        if fate.verdict is Verdict.DENIED:
            return answered(fate.status) if fate.status else CLOSED
        inside = fate.verdict is Verdict.IN_MESH
        shown = has_certificate if inside else fate.certified
        away = below if inside and fate.reason is Reason.HTTP_ROUTE else frozenset()
        return fare(
            (
                Way(
                    "dialled",
                    target,
                    mtls=shown and target not in away,
                    gateways=used if target in away else fate.gateways,
                ),
                share,
            )
            for target, share in (((host, port), grown) for host, port, grown, _, _ in fate.targets)
        )

    return due_of
