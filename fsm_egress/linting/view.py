"""The policies of one identity as lint looks at them: port by port, at one address of each place.

A place is where something else decides; what a connection is to show is read off the engine's decision.
"""

from __future__ import annotations

from functools import cached_property
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING

from ..connections.connection import Connection
from ..connections.decision import Decision
from ..connections.findings import Code, Finding
from ..connections.payloads import Sends
from ..engine import Engine
from ..policy.groups import EgressGroup
from ..policy.parts import Claim
from ..resolution import Resolution
from ..resources.checks import LAST_PORT
from ..values.construction import frozen
from ..values.dialling import Appeal, Dialling
from ..values.net import IPV6_START, LAST_KEY, Address
from ..values.prefix_table import PrefixTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..connections.payloads import Payload
    from ..policy import OutboundPolicy, PortPolicy
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot
    from ..values.net import Prefix
    from ..values.references import FieldRef

__all__ = ["Opened", "Place", "View"]


@frozen(eq=False)
class Place:
    """A run of addresses on a port, by one that is good to show, and what is decided there about plain bytes.

    Attributes:
        group: the claims that cover the addresses, where there are any.
        decides: whether they get to decide: neither a service nor an exclusion does so before them.
    """

    connection: Connection
    decision: Decision
    group: EgressGroup | None
    decides: bool


@frozen(eq=False)
class Opened:
    """A claim, and where it takes part in the decision: one place of each of its groups."""

    claim: Claim
    places: tuple[Place, ...]


@frozen(eq=False)
class View:
    """The policies of an identity, resolved, and the engine that decides by them."""

    resolution: Resolution
    engine: Engine

    @classmethod
    def of(cls, snapshot: Snapshot, identity: Subject) -> View:
        """The view of an identity."""
        resolution = Resolution.of(snapshot, identity)
        return cls(resolution, Engine.compile(resolution.policy, incomplete=True))

    @property
    def policy(self) -> OutboundPolicy:
        """The resolved policy."""
        return self.resolution.policy

    @cached_property
    def ports(self) -> tuple[tuple[PortPolicy, tuple[Place, ...]], ...]:
        """Every port that a policy claims, and its places by address."""
        claimed = self.resolution.claims.by_port
        ports = [port for port in self.policy.ports if port.port in claimed]
        return tuple((port, tuple(self.places(port))) for port in ports)

    @cached_property
    def free_port(self) -> int:
        """A port that no service, no policy and no exclusion names; the last one if all are named."""
        excluded = (number for number, _ in self.policy.interception.excluded_ports)
        named = {*excluded, *(port.port for port in self.policy.ports)}
        return next((number for number in range(1, LAST_PORT) if number not in named), LAST_PORT)

    @cached_property
    def opened(self) -> tuple[tuple[Opened, ...], ...]:
        """The claims of each port, in their order."""
        return tuple(tuple(self._opened(port.port, places)) for port, places in self.ports)

    def places(self, port: PortPolicy) -> Iterator[Place]:
        """The places of a port that somebody can dial, those that are best to show first."""
        interception = self.policy.interception
        cuts: dict[Prefix, Prefix | None] = {prefix: prefix for prefix in interception.local}
        cuts.update((prefix, prefix) for prefix, _ in (*interception.excluded, *interception.included))
        cuts.update((owner.prefix, owner.prefix) for match in port.mesh for owner in match.owners)
        cuts.update((prefix, prefix) for group in port.groups for prefix in group.prefixes)
        ranged = ((prefix, group) for group in port.groups for prefix in group.prefixes)
        anywhere = next((group for group in port.groups if not group.prefixes), None)
        groups = PrefixTable[EgressGroup | None](ranged, anywhere)
        own = ((prefix.first, prefix.last) for prefix in interception.own)
        choice = Dialling.of((prefix.first for prefix in cuts), own)
        starts = sorted({IPV6_START, *PrefixTable(cuts.items(), None).starts})
        runs = zip_longest(starts, starts[1:], fillvalue=LAST_KEY + 1)
        places = sorted(choice.best([(first, after - 1)]) for first, after in runs)
        for _, key in takewhile(lambda place: place[0] is not Appeal.NOWHERE, places):
            connection = Connection(Address.from_key(key), port.port, Sends.BYTES)
            decision, group = self.engine.classify(connection), groups.lookup(key)
            decides = group is not None and group.claims[0].rule in decision.considered[:1]
            yield Place(connection, decision, group, decides)

    def _opened(self, port: int, places: Iterable[Place]) -> Iterator[Opened]:
        first: dict[int, Place] = {}
        for place in places:
            if place.decides:
                first.setdefault(id(place.group), place)
        reached: dict[int, list[Place]] = {}
        for place in first.values():
            for claim in place.group.claims if place.group else ():
                reached.setdefault(id(claim), []).append(place)
        for claim in self.resolution.ports[port].claims:
            yield Opened(claim, tuple(reached.get(id(claim), ())))

    def finding(self, code: Code, rule: FieldRef, message: str, witness: Connection | None) -> Finding:
        """A finding about this identity."""
        return Finding(code, rule, message, witness=witness, identity=self.policy.identity)

    def sent(self, place: Place, payload: Payload) -> tuple[Connection, Decision]:
        """A connection to a place, and what is decided about it."""
        connection = place.connection.replace(sends=payload)
        return connection, self.engine.classify(connection)
