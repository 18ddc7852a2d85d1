"""What is decided for a connection, and by what (`docs/decision.md`)."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any, final

from attrs import field

from ..resources.losses import Loss
from ..values.construction import frozen
from ..values.enums import Word
from ..values.net import IPV6_START, Prefix
from ..values.notebook import Shown, Table
from ..values.references import FieldRef
from .connection import socket_address
from .findings import Finding, stated
from .payloads import Sends

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction  # noqa: TC004  # because most shares have no age

    from .connection import Connection

__all__ = [
    "ORIGINAL_DESTINATION",
    "PASSING",
    "ByAge",
    "Decision",
    "Reason",
    "Target",
    "TrafficMatch",
    "UsedGateway",
    "Verdict",
    "shares",
    "ungoverned",
]


class Verdict(Word):
    """What becomes of a connection."""

    IN_MESH = "IN_MESH"
    EGRESS_POLICY = "EGRESS_POLICY"
    PASSTHROUGH = "PASSTHROUGH"
    DENIED = "DENIED"


class Reason(Word):
    """Why, from a closed set."""

    NOT_INTERCEPTED = "not_intercepted"
    NO_SIDECAR = "no_sidecar"
    TCP_SERVICE = "tcp_service"
    HTTP_ROUTE = "http_route"
    TCP_PORT = "tcp_port"
    TLS_SERVER_NAME = "tls_server_name"
    TLS_ANY = "tls_any"
    NO_HOST = "no_host"
    NO_ROUTE = "no_route"
    NO_ENDPOINTS = "no_endpoints"
    NO_SERVER_NAME = "no_server_name"
    NO_CERTIFICATE = "no_certificate"
    PROTOCOL_MISMATCH = "protocol_mismatch"
    EGRESS_ENABLED = "egress_enabled"
    EGRESS_DISABLED = "egress_disabled"


@frozen
class ByAge:
    """The least and the greatest part of the connections that a target gets, of one, by the age of pods.

    Shares of pods grow while they are young (`TrafficWarmup`); no clock is read, so all ages are possible.
    """

    least: Fraction
    most: Fraction

    def to_mapping(self) -> dict[str, Any]:
        """The parts for machines, as decimal fractions."""
        return {"least": round(float(self.least), 6), "most": round(float(self.most), 6)}

    def __str__(self) -> str:
        return f"by age {float(self.least):.0%} to {float(self.most):.0%}"


@frozen(order=True)
class Target:
    """Where a connection goes, and its weight relative to the other targets.

    `host` is an address or a DNS name; `ORIGINAL_DESTINATION` stands for the connection's own destination.
    Where the choice is by the age of pods the weight is that of grown ones, and `by_age` says what it may be.
    """

    host: str
    port: int
    weight: int = 100
    by_age: ByAge | None = field(default=None, order=False)

    @property
    def original(self) -> bool:
        """Whether this is the connection's own destination."""
        return not self.host

    def address(self, connection: Connection) -> str:
        """`host:port` of the target, for this connection."""
        if self.original:
            return socket_address(str(connection.destination), connection.port)
        return socket_address(self.host, self.port)

    def to_mapping(self, connection: Connection) -> dict[str, Any]:
        """The target for machines, for this connection."""
        original = {"original": True} if self.original else {}
        by_age = {"by_age": self.by_age.to_mapping()} if self.by_age else {}
        return {"address": self.address(connection), "weight": self.weight, **by_age, **original}

    @property
    def share(self) -> str:
        """The weight in words, and what else it may be."""
        return f"{self.weight}, {self.by_age}" if self.by_age else str(self.weight)

    def spoken(self, *, with_weight: bool = False) -> str:
        """The target in words, whatever the connection."""
        place = "the original destination" if self.original else socket_address(self.host, self.port)
        return f"{place} ({self.share})" if with_weight else place


ORIGINAL_DESTINATION = Target("", 0)


@frozen
class UsedGateway:
    """An egress gateway that the connection is tunnelled through, with its share."""

    name: str
    weight: int
    mode: str
    endpoints: tuple[str, ...]

    def to_mapping(self) -> dict[str, Any]:
        """The gateway for machines."""
        return {
            "name": self.name,
            "weight": self.weight,
            "mode": self.mode,
            "endpoints": list(self.endpoints),
        }


@frozen
class TrafficMatch:
    """The port, protocol and addresses by which a connection was taken; no ranges: any address."""

    port: int
    protocol: str
    ranges: tuple[Prefix, ...]

    def __str__(self) -> str:
        where = ", ".join(map(str, self.ranges)) or "any address"
        return f"{self.protocol} port {self.port}, {where}"


@final
@frozen
class Decision(Shown):
    """What is decided, and by what. It belongs to its rule, not to the connection, and is made once.

    Decisions are equal where the same is decided by the same rule and route; what else was considered, and
    by which match a connection was taken, is as it is for the connection that was asked about.

    Attributes:
        verdict: what becomes of the connection.
        reason: why.
        rule: the field of the resource that decided; None where nothing but the absence of a rule did.
        match: the traffic match that took the connection.
        targets: where it goes; empty when it is denied.
        gateways: the egress gateways that carry it.
        status: the HTTP status that the client gets when it is denied; None where the connection is closed.
        route: the match of an HTTPRouteGroup that let the request through.
        considered: all rules that claim the destination, the deciding one among them.
        leads_outside: whether it is in-mesh, and may leave the cluster, as a target is no pod's address.
        without: the documents that could not be read, for which it may be decided otherwise.
        conditions: what the mesh uses and is not modelled: the decision stands under these.
    """

    verdict: Verdict
    reason: Reason
    rule: FieldRef | None = None
    match: TrafficMatch | None = field(default=None, eq=False)  # by which of them it is taken decides nothing
    targets: tuple[Target, ...] = ()
    gateways: tuple[UsedGateway, ...] = ()
    status: int | None = None
    route: FieldRef | None = None
    considered: tuple[FieldRef, ...] = field(default=(), eq=False)
    leads_outside: bool = field(default=False, kw_only=True, eq=False)  # it follows from the targets
    without: tuple[Loss, ...] = ()
    conditions: tuple[Finding, ...] = field(default=(), kw_only=True, eq=False)  # of the mesh, as others

    @property
    def allowed(self) -> bool:
        """Whether the connection gets anywhere."""
        return self.verdict is not Verdict.DENIED

    def __bool__(self) -> bool:
        """Whether it is allowed, as a proof is true when something is proven."""
        return self.allowed

    def to_mapping(self, connection: Connection) -> dict[str, Any]:
        """The decision for machines, as `fsm-egress decide -o json` prints it for this connection.

        Of IPv6, which passes by every sidecar, it is what the policies say and nobody enforces; then
        `ungoverned` is `IPv6`.
        """
        passing = "" if self.reason in PASSING else ungoverned(connection)
        return {
            "verdict": self.verdict.value,
            "reason": self.reason.value,
            "status": self.status,
            "targets": [target.to_mapping(connection) for target in self.targets],
            "gateway": [used.to_mapping() for used in self.gateways] or None,
            "rule": f"{self.rule.resource} {self.rule.path}".rstrip() if self.rule else None,
            "source": self.rule.location if self.rule else None,
            **({"ungoverned": passing} if passing else {}),
            **({"without": [loss.to_mapping() for loss in self.without]} if self.without else {}),
            **stated(self.conditions),
        }

    def table(self) -> Table:
        """What a notebook shows of it."""
        facts = {
            "reason": self.reason.value,
            "rule": str(self.rule or ""),
            "route": str(self.route or ""),
            "match": str(self.match or ""),
            "targets": ", ".join(it.spoken(with_weight=len(self.targets) > 1) for it in self.targets),
            "gateways": ", ".join(used.name for used in self.gateways),
            "status": str(self.status or ""),
            "considered": ", ".join(map(str, self.considered)) if len(self.considered) > 1 else "",
            "decided without": ", ".join(map(str, self.without)),
            "stands under": ", ".join(map(str, self.conditions)),
        }
        rows = tuple((name, text) for name, text in facts.items() if text)
        return Table(self.verdict.value, (), rows)

    def __str__(self) -> str:
        text = f"{self.verdict} ({self.reason})"
        return f"{text} by {self.rule}" if self.rule else text

    def __repr__(self) -> str:
        return f"<Decision {self}>"


PASSING = frozenset({Reason.NOT_INTERCEPTED, Reason.NO_SIDECAR})
"""The reasons of what never comes to a sidecar."""


def ungoverned(connection: Connection) -> str:
    """What FSM's iptables rules never redirect to the sidecar, whatever the lists say; empty for the rest."""
    if connection.sends is Sends.DATAGRAM:
        return "UDP"
    return "IPv6" if connection.key >= IPV6_START else ""


def shares(entries: Iterable[tuple[Any, ...]]) -> frozenset[tuple[Any, ...]]:
    """Entries whose last part is a weight, with the weights in their smallest terms."""
    listed = list(entries)
    common = gcd(*(entry[-1] for entry in listed)) or 1
    return frozenset((*entry[:-1], entry[-1] // common) for entry in listed)
