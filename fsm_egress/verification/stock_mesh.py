"""A mesh as a stock `fsm-controller` reads it, and what is suspected of it: which rules bring what about."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, field

from ..connections.connection import Connection
from ..connections.findings import Code
from ..connections.payloads import HTTPRequest, Sends, TLSClientHello
from ..pipy.outcome import Fate
from ..pipy.scripts import Match
from ..pipy.sidecar import Sidecar
from ..policy import OutboundPolicy
from ..policy.parts import Claim
from ..resolution.mesh_service import MeshService, hostnames_of
from ..resources.words import Protocol
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.identity import Memory
from ..values.net import Address, Prefix
from ..values.prefix_table import PrefixTable
from ..values.references import FieldRef
from .sides import Disagreement
from .stock_config import written_port
from .stock_view import StockView, stock_claims

if TYPE_CHECKING:
    from ..connections.decision import Decision
    from ..connections.payloads import Payload
    from ..values.references import ResourceRef

__all__ = [
    "OUTSIDE",
    "Claiming",
    "Ranges",
    "Shown",
    "StockMesh",
    "Suspicion",
    "Trait",
    "concerning",
    "to_claim",
    "to_service",
    "touching",
]

OUTSIDE = Address("192.0.2.1")  # of no mesh: RFC 5737
Trait: TypeAlias = tuple[str, Hashable]
"""What many disagreements have, by its sort: a rule that `claims` or `decides`, a host that is `dialled`."""


@frozen(eq=False)
class Ranges:
    """Ranges of addresses, in which many connections are looked up."""

    prefixes: frozenset[Prefix]

    def __bool__(self) -> bool:
        return bool(self.prefixes)

    @cached_property
    def table(self) -> PrefixTable[bool]:
        """Whether an address is in one of them."""
        return PrefixTable(((prefix, True) for prefix in self.prefixes), False)


@frozen(eq=False)
class Claiming:
    """The rules that claim a destination: the same ones for many connections."""

    rules: tuple[FieldRef, ...]

    @cached_property
    def known(self) -> frozenset[FieldRef]:
        """The rules, for looking up."""
        return frozenset(self.rules)


@frozen(eq=False)
class Shown:
    """A disagreement of policies and the controller's config.

    Attributes:
        differs: unless ours has the same outcome.
        claiming: the rules that claim the destination.
        dialled: the hosts that are dialled.
    """

    of: Disagreement
    differs: bool
    claiming: Claiming
    dialled: frozenset[str]

    @property
    def connection(self) -> Connection:
        """One of its class."""
        return self.of.connection

    @property
    def decision(self) -> Decision:
        """What the policies mean for it."""
        return self.of.decision

    def concerns(self, rule: FieldRef) -> bool:
        """Whether the rule decides, or claims the destination."""
        return rule == self.decision.rule or rule in self.claiming.known

    def traits(self, sort: str) -> tuple[object, Iterable[Hashable]]:
        """What it has of a sort, and the object from which that is read: see `Trait`."""
        if sort == "claims":
            return self.claiming, self.claiming.rules
        if sort == "dialled":
            return self.dialled, self.dialled
        return self.decision, (self.decision.rule,)

    def at(self, ranges: Ranges) -> bool:
        """Whether it goes to an address in one of these."""
        return ranges.table.lookup(self.connection.key)

    def reaches(self, hosts: Iterable[str]) -> bool:
        """Whether one of these is dialled."""
        return not self.dialled.isdisjoint(hosts)

    @property
    def is_certified_otherwise(self) -> bool:
        """Whether another certificate is shown, or none, or one that is none."""
        is_closed = self.of.outcome.fate is Fate.CLOSED and self.of.due.fate is Fate.DIALLED
        return is_closed or self.of.outcome.mtls != self.of.due.mtls


@frozen(eq=False)
class Suspicion:
    """A line of the page that a rule touches.

    Attributes:
        shows: whether a disagreement is brought about by it, one on its port where it has one; None where
            none is.
        concerns: a connection that the rule is about, for a finding that nothing shows.
        always: whether there is a finding where nothing shows it.
        not_by: the protocol of the match by which nothing is taken that shows it; None for any.
        among: traits, of which all that shows it has one; none where that is not known. It has a port.
        hangs_on: the rules that decide, and the server names, by which it is told whether something shows it,
            where more is looked at than the address, what happens there, what claims it, and what is due.
    """

    code: Code
    rule: FieldRef
    shows: Callable[[Shown], bool] | None = None
    port: int | None = None
    concerns: Connection | None = None
    always: bool = field(default=False, kw_only=True)
    not_by: str | None = field(default=None, kw_only=True)
    among: tuple[Trait, ...] = field(default=(), kw_only=True)
    hangs_on: tuple[Hashable, ...] = field(default=(), kw_only=True)


@frozen(eq=False)
class StockMesh:
    """A mesh as the controller reads it, for one identity, and the sidecar with its config, unpacked."""

    view: StockView
    snapshot: Snapshot
    policy: OutboundPolicy
    sidecar: Sidecar
    claims: tuple[Claim, ...]
    services: tuple[MeshService, ...]
    _matches: Memory[Match | None] = field(init=False, factory=Memory, repr=False)

    @classmethod
    def of(cls, view: StockView, snapshot: Snapshot, policy: OutboundPolicy, sidecar: Sidecar) -> StockMesh:
        """The mesh, given our policy of the identity and the sidecar with the controller's config."""
        by_port = stock_claims(view, policy.identity)
        return cls(
            view,
            snapshot,
            policy,
            sidecar,
            tuple(
                evolve(claim, port=written_port(claim.port))
                for claims in by_port.values()
                for claim in claims
                if written_port(claim.port)
            ),
            view.services_of(policy.identity),
        )

    def match(self, connection: Connection) -> Match | None:
        """The match of the controller's config that takes a connection."""
        return self._matches.once(connection, lambda it: self.sidecar.taking(it).match)

    def is_taken_by_another(self, connection: Connection, protocol: str) -> bool:
        """Whether a match of the controller's config takes a connection that has another protocol."""
        match = self.match(connection)
        return match is not None and match.protocol != protocol

    def claims_of(self, resource: ResourceRef) -> tuple[Claim, ...]:
        """What a policy claims."""
        return self._claims.get(resource, ())

    @cached_property
    def _claims(self) -> dict[ResourceRef, tuple[Claim, ...]]:
        """The claims of each policy."""
        found: dict[ResourceRef, list[Claim]] = {}
        for claim in self.claims:
            found.setdefault(claim.rule.resource, []).append(claim)
        return {resource: tuple(claims) for resource, claims in found.items()}


def concerning(rule: FieldRef) -> tuple[Trait, ...]:
    """The traits of what a rule concerns: see `Shown.concerns`."""
    return ("claims", rule), ("decides", rule)


def to_claim(claim: Claim, address: Address | None = None) -> Connection:
    """A connection that a claim is about."""
    first = claim.prefixes[0].network if claim.prefixes else OUTSIDE
    host = next(filter(_may_be_sent, claim.hosts), None)
    sends: Payload = Sends.BYTES
    if claim.protocol is Protocol.HTTP:
        sends = HTTPRequest("GET", host or "")
    elif claim.protocol is Protocol.HTTPS:
        sends = TLSClientHello(host)
    return Connection(address or first, claim.port, sends)


def to_service(service: MeshService, address: Address | None = None) -> Connection:
    """A connection to a service, or to its port."""
    first = next(iter(service.reached_at), OUTSIDE)
    sends = HTTPRequest("GET", service.full_name) if service.is_http else Sends.BYTES
    return Connection(address or first, service.port, sends)


def _may_be_sent(host: str) -> bool:
    try:
        return bool(TLSClientHello(host))
    except InvalidValue:
        return False


def touching(mesh: StockMesh, service: MeshService) -> Callable[[Shown], bool]:
    """Whether a connection goes to a service, by address or host; to its whole port where it has neither."""
    addresses = frozenset(service.reached_at)
    hosts = hostnames_of(mesh.view.snapshot, mesh.policy.identity, service) if service.is_http else ()
    names = frozenset(hosts)

    def shows(it: Shown) -> bool:
        sent, match = it.connection.sends, mesh.match(it.connection)
        is_named = isinstance(sent, HTTPRequest) and sent.authority in names
        is_anywhere = not addresses and match is not None and match.ranges is None
        return it.differs and (it.connection.destination in addresses or is_named or is_anywhere)

    return shows
