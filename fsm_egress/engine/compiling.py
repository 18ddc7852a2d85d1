"""A policy laid out as tables: by port, by place, by kind of payload, every decision made once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from ..connections.connection import socket_address
from ..connections.decision import Decision, Reason, TrafficMatch, UsedGateway, Verdict
from ..values.prefix_table import PrefixTable
from ..values.segments import Segments
from .allowing import allowed_leaf
from .lines import cut, over
from .ports import Ports, Shared
from .tables import (
    FORBIDDEN,
    ORIGINAL,
    UNSEEN,
    HostTable,
    Leaf,
    RouteTable,
    denial,
    everything,
    leaf_of,
    not_intercepted,
    route_table,
)
from .targets import streamed, targets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..connections.findings import Finding
    from ..policy import Forward, Interception, PortPolicy, SidecarSpec
    from ..policy.parts import Cluster, MeshMatch, VirtualHost, WeightedCluster
    from ..resources.losses import Loss
    from ..resources.subjects import Subject
    from ..values.net import Prefix
    from ..values.references import FieldRef
    from .ports import Line

__all__ = ["Governing", "lay_out", "unclaimed", "used_gateways"]

NOT_FOUND = 404


class Governing(Protocol):
    """What governs an identity, port by port; see `OutboundPolicy`, which is such a thing."""

    @property
    def identity(self) -> Subject:
        """Whose connections."""
        ...

    @property
    def spec(self) -> SidecarSpec:
        """Switches and settings, mesh-wide."""
        ...

    @property
    def switch(self) -> FieldRef:
        """The field that decides about what no rule claims."""
        ...

    @property
    def interception(self) -> Interception:
        """What the sidecar never sees."""
        ...

    @property
    def forward(self) -> Forward | None:
        """The egress gateways."""
        ...

    @property
    def conditions(self) -> tuple[Finding, ...]:
        """What the mesh uses and this library does not model."""
        ...

    @property
    def lost(self) -> tuple[Loss, ...]:
        """The documents that could not be read."""
        ...

    @property
    def numbers(self) -> frozenset[int]:
        """The ports that it speaks of."""
        ...

    def later(self, number: int) -> Callable[[], PortPolicy]:
        """The policy of one of these ports, for when it is needed; it holds on to no other."""
        ...

    @property
    def cluster(self) -> Callable[[str], Cluster | None]:
        """Where matches lead that name it, if anywhere."""
        ...


def used_gateways(policy: Governing) -> tuple[UsedGateway, ...]:
    """The egress gateways that carry anything."""
    return tuple(
        UsedGateway(
            gateway.name,
            gateway.weight,
            gateway.mode,
            tuple(socket_address(endpoint.host, endpoint.port) for endpoint in gateway.endpoints),
        )
        for gateway in (policy.forward.gateways if policy.forward else ())
        if gateway.endpoints
    )


def unclaimed(policy: Governing) -> Leaf:
    """Stage 3: what no rule claims."""
    if policy.spec.enable_egress:
        decision = Decision(
            Verdict.PASSTHROUGH,
            Reason.EGRESS_ENABLED,
            policy.switch,
            targets=ORIGINAL,
            gateways=used_gateways(policy),
        )
    else:
        decision = Decision(Verdict.DENIED, Reason.EGRESS_DISABLED, policy.switch)
    return everything(decision)


def lay_out(policy: Governing, otherwise: Leaf, known: Mapping[int, Shared]) -> Ports:
    """The tables of each port that a policy speaks of, laid out when they are asked for, and of every other.

    Args:
        policy: of one identity.
        otherwise: what is decided where no rule claims anything.
        known: the tables of ports on which nothing has changed, where no rule of stage 0 has.
    """
    interception = policy.interception
    if interception.without is not None:
        passed = Decision(Verdict.PASSTHROUGH, Reason.NO_SIDECAR, interception.without, targets=ORIGINAL)
        return Ports({}, Segments((0,), (everything(passed),)))
    excluded = _excluded(interception)
    unseen = over(excluded, _not_included(interception))
    passing = dict(reversed(interception.excluded_ports))
    compiler = _Compiler(policy)

    def passed_by(rule: FieldRef) -> Line:
        return over(excluded, Segments((0,), (everything(not_intercepted(rule)),)))

    def seen(port: Callable[[], PortPolicy]) -> Line:
        return over(unseen, compiler.port(port(), otherwise))

    named = {number: Shared(partial(seen, policy.later(number))) for number in policy.numbers - {*known}}
    passing_by = {number: Shared(partial(passed_by, rule)) for number, rule in passing.items()}
    return Ports({**named, **passing_by, **known}, over(unseen, Segments((0,), (otherwise,))))


class _Compiler:
    """Makes every decision of a policy once."""

    def __init__(self, policy: Governing) -> None:
        self.cluster = policy.cluster
        self.has_default = policy.spec.enable_auto_default_route
        self.gateways = used_gateways(policy)

    def port(self, policy: PortPolicy, otherwise: Leaf) -> Line:
        """One port: in-mesh addresses win over every claim, a longer prefix of a claim over a shorter one."""
        anywhere = otherwise
        claimed: list[tuple[Prefix, Leaf]] = []
        for group in policy.groups:
            leaf = allowed_leaf(group, self.gateways, has_default=self.has_default)
            if group.prefixes:
                claimed.extend([(prefix, leaf) for prefix in group.prefixes])
            else:
                anywhere = leaf
        inside = [owned for match in policy.mesh for owned in self.mesh_leaves(match)]
        if not claimed:
            return cut(PrefixTable(inside, anywhere))
        owned: list[tuple[Prefix, Leaf | None]] = [*inside]
        return over(cut(PrefixTable(owned, None)), cut(PrefixTable(claimed, anywhere)))

    # --- stage 1 ---

    def mesh_leaves(self, match: MeshMatch) -> list[tuple[Prefix, Leaf]]:
        """The addresses of an in-mesh match, each with the leaf of the service that owns it."""
        rules = {id(owner.rule): owner.rule for owner in match.owners}
        owners = tuple(rules.values())
        taken = TrafficMatch(match.port, match.protocol.value, tuple([it.prefix for it in match.owners]))
        leaves: dict[int, Leaf] = {}
        if not match.is_http:
            for name, rule in rules.items():
                decision = self.in_mesh(match.clusters, Reason.TCP_SERVICE, rule, None, taken, owners)
                leaves[name] = everything(decision)
            return [(owner.prefix, leaves[id(owner.rule)]) for owner in match.owners]
        by_host: dict[str, RouteTable] = {}
        for host in match.virtual_hosts:
            by_host.update(dict.fromkeys(host.hostnames, self.mesh_routes(host, taken, owners)))
        otherwise = by_host[min(by_host)] if by_host and self.has_default else None
        for name, rule in rules.items():
            mismatch = denial(Reason.PROTOCOL_MISMATCH, rule, taken, owners)
            unknown = denial(Reason.NO_HOST, rule, taken, owners, FORBIDDEN)
            leaves[name] = leaf_of(mismatch, tls=mismatch, http=HostTable(by_host, otherwise, unknown))
        return [(owner.prefix, leaves[id(owner.rule)]) for owner in match.owners]

    def mesh_routes(self, host: VirtualHost, taken: TrafficMatch, owners: tuple[FieldRef, ...]) -> RouteTable:
        """The routes of a service of the mesh."""
        entries = [
            (
                route,
                self.in_mesh(
                    route.clusters, Reason.HTTP_ROUTE, host.rule, route.route, taken, owners, NOT_FOUND
                ),
            )
            for route in host.routes
        ]
        return route_table(entries, denial(Reason.NO_ROUTE, host.rule, taken, owners, FORBIDDEN))

    def in_mesh(
        self,
        clusters: Iterable[WeightedCluster],
        reason: Reason,
        rule: FieldRef,
        route: FieldRef | None,
        taken: TrafficMatch,
        owners: tuple[FieldRef, ...],
        refusal: int | None = None,
    ) -> Decision:
        """To the endpoints of these clusters; denied where there is none."""
        found = [(self.cluster(cluster.name), cluster.weight) for cluster in clusters]
        known = [(cluster, weight) for cluster, weight in found if cluster is not None]
        targets = targets_of(known if refusal else streamed(known))
        if not targets:
            return Decision(Verdict.DENIED, Reason.NO_ENDPOINTS, rule, taken, (), (), refusal, route, owners)
        return Decision(
            Verdict.IN_MESH,
            reason,
            rule,
            taken,
            targets,
            (),
            None,
            route,
            owners,
            leads_outside=any(it.outside for cluster, share in known if share for it in cluster.endpoints),
        )


def _excluded(interception: Interception) -> Segments[Leaf | None]:
    """Stage 0: the addresses excluded on every port; of two entries that hold one, the first counts."""
    line: Segments[Leaf | None] = Segments((0,), (None,))
    for prefix, rule in reversed(interception.excluded):
        line = over(cut(PrefixTable([(prefix, everything(not_intercepted(rule)))], None)), line)
    local: dict[Prefix, Leaf | None] = dict.fromkeys(interception.local, everything(UNSEEN))
    return over(cut(PrefixTable(local.items(), None)), line)


def _not_included(interception: Interception) -> Segments[Leaf | None]:
    """Stage 0: the addresses outside the inclusion list, where there is one."""
    if not interception.included:
        return Segments((0,), (None,))
    outside = everything(not_intercepted(interception.included[0][1]))
    included = dict.fromkeys(prefix for prefix, _ in interception.included)
    return cut(PrefixTable(((prefix, None) for prefix in included), outside))
