"""A resolved policy compiled into tables: `classify` looks up what is decided, and decides nothing anew.

The tables are laid out by port, then by place on the line of all addresses; at each place stands a *leaf*,
which holds for every kind of payload either the decision or the table of hosts or server names that leads
to it. All decisions are made when the engine is compiled (`spec/decision.md`, "Order").
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from math import lcm
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from attrs import evolve, field, frozen

from .checks import FORWARDED_METHODS, STREAMS, Protocol
from .columns import Columns
from .connection import KINDS, Connection, Sends, socket_address
from .decision import ORIGINAL_DESTINATION, Decision, Reason, Target, TrafficMatch, UsedGateway, Verdict
from .net import Prefix, PrefixTable
from .policy import LOOPBACK
from .resource import ServiceIdentity
from .routes import united

if TYPE_CHECKING:
    from .patterns import Pattern
    from .policy import (
        Cluster,
        EgressGroup,
        HTTPRoute,
        Interception,
        MeshMatch,
        OutboundPolicy,
        PortPolicy,
        VirtualHost,
        WeightedCluster,
    )
    from .references import FieldRef

__all__ = ["Engine"]

PARTS = attrgetter("parts")
FORBIDDEN = 403
NOT_FOUND = 404


V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)
RouteEntry: TypeAlias = "tuple[Pattern | None, tuple[tuple[str, Pattern], ...], Decision]"


@frozen(eq=False)
class RouteTable:
    """The routes of one host by method, in canonical order: the first that matches decides."""

    by_method: Mapping[str, tuple[RouteEntry, ...]]
    otherwise: Decision

    def decide(self, method: str, path: str, headers: Mapping[str, str], host: str) -> Decision:
        """The decision of the first route that matches."""
        for pattern, wanted, decision in self.by_method.get(method, ()):
            if (pattern is None or pattern.search(path)) and (
                not wanted or _has_headers(wanted, headers, host)
            ):
                return decision
        return self.otherwise


def _has_headers(wanted: tuple[tuple[str, Pattern], ...], headers: Mapping[str, str], host: str) -> bool:
    """Whether each pattern is found in its header; a missing one reads as the empty string."""
    return all(pattern.search(host if name == "host" else headers.get(name, "")) for name, pattern in wanted)


@frozen(eq=False)
class HostTable:
    """The hosts of one HTTP match."""

    by_host: Mapping[str, RouteTable]
    otherwise: RouteTable | None
    unknown: Decision

    def decide(self, parts: tuple[str, str, str, Mapping[str, str], str]) -> Decision:
        """The decision of the host's routes."""
        authority, method, path, headers, host = parts
        routes = self.by_host.get(authority, self.otherwise)
        return self.unknown if routes is None else routes.decide(method, path, headers, host)


@frozen(eq=False)
class ServerNameTable:
    """The server names that TLS connections may ask for."""

    by_name: Mapping[str, Decision]
    otherwise: Decision

    def decide(self, parts: tuple[str, str | None]) -> Decision:
        """The decision for the server name."""
        return self.by_name.get(parts[0], self.otherwise)


Cell: TypeAlias = "Decision | HostTable | ServerNameTable"
Leaf: TypeAlias = "tuple[Cell, Cell, Cell, Cell, Cell]"
"""What is decided at one port and place: a cell for each of `KINDS`, in that order."""


@frozen(eq=False)
class Segments(Generic[V_co]):
    """The line of all addresses, cut where the value changes: from `starts[i]` on it is `values[i]`."""

    starts: tuple[int, ...]
    values: tuple[V_co, ...]

    def at(self, key: int) -> V_co:
        """The value at a place on the line."""
        return self.values[bisect_right(self.starts, key) - 1]


@frozen(eq=False)
class Engine:
    """Decides about the outbound connections of one identity; immutable, picklable, shared by threads."""

    identity: ServiceIdentity
    _ports: Mapping[int, Segments[Leaf]] = field(repr=False)
    _other: Segments[Leaf] = field(repr=False)

    @classmethod
    def compile(cls, policy: OutboundPolicy) -> Engine:
        """The tables of a policy."""
        return _Compiler(policy).engine()

    def classify(self, connection: Connection) -> Decision:
        """The one decision for a connection; total, deterministic, without I/O and without a clock."""
        port, key, slot, sent = connection.parts
        line = self._ports.get(port, self._other)
        cell = line.values[bisect_right(line.starts, key) - 1][slot]
        return cell if type(cell) is Decision else cell.decide(sent)

    def classify_many(self, connections: Iterable[Connection] | Columns) -> list[Decision]:
        """The decision for each of these connections, in their order, quicker than one by one.

        Raises:
            InvalidValue: a value of the columns cannot be; its path names the column and the row.
        """
        ports, other = self._ports, self._other
        decisions = []
        lookups = connections.lookups() if isinstance(connections, Columns) else map(PARTS, connections)
        for port, key, slot, sent in lookups:
            line = ports.get(port, other)
            cell = line.values[bisect_right(line.starts, key) - 1][slot]
            decisions.append(cell if type(cell) is Decision else cell.decide(sent))
        return decisions


# --- compiling -------------------------------------------------------------------------------------------


class _Compiler:
    """Makes every decision of a policy once."""

    def __init__(self, policy: OutboundPolicy) -> None:
        self.policy = policy
        self.clusters = {
            cluster.name: cluster
            for cluster in (
                *policy.clusters,
                *(cluster for port in policy.ports for cluster in port.clusters),
            )
        }
        self.gateways = tuple(
            UsedGateway(
                gateway.name,
                gateway.weight,
                gateway.mode,
                tuple(socket_address(endpoint.host, endpoint.port) for endpoint in gateway.endpoints),
            )
            for gateway in (policy.forward.gateways if policy.forward else ())
            if gateway.endpoints
        )

    def engine(self) -> Engine:
        """All ports, and what holds on every other."""
        interception = self.policy.interception
        excluded = _excluded(interception)
        unseen = _over(excluded, _not_included(interception))
        unclaimed = self.unclaimed()
        ports = {port.port: _over(unseen, self.port(port, unclaimed)) for port in self.policy.ports}
        for number, rule in reversed(interception.excluded_ports):
            ports[number] = _over(excluded, Segments((0,), (_everything(_not_intercepted(rule)),)))
        return Engine(self.policy.identity, ports, _over(unseen, Segments((0,), (unclaimed,))))

    def port(self, policy: PortPolicy, unclaimed: Leaf) -> Segments[Leaf]:
        """One port: in-mesh addresses win over every claim, a longer prefix of a claim over a shorter one."""
        outside = {group.prefixes: self.group_leaf(group) for group in policy.groups}
        anywhere = outside.pop((), unclaimed)
        claimed = [(prefix, leaf) for prefixes, leaf in outside.items() for prefix in prefixes]
        inside: list[tuple[Prefix, Leaf | None]] = [
            (owner.prefix, leaf)
            for match in policy.mesh
            for owner, leaf in zip(match.owners, self.mesh_leaves(match), strict=True)
        ]
        return _over(_cut(PrefixTable(inside, None)), _cut(PrefixTable(claimed, anywhere)))

    def unclaimed(self) -> Leaf:
        """Stage 3: what no rule claims."""
        if self.policy.spec.enable_egress:
            decision = Decision(
                Verdict.PASSTHROUGH,
                Reason.EGRESS_ENABLED,
                self.policy.switch,
                targets=(ORIGINAL_DESTINATION,),
                gateways=self.gateways,
            )
        else:
            decision = Decision(Verdict.DENIED, Reason.EGRESS_DISABLED, self.policy.switch)
        return _everything(decision)

    # --- stage 1 ---

    def mesh_leaves(self, match: MeshMatch) -> Iterator[Leaf]:
        """The leaf of each address of an in-mesh match, in the order of its owners."""
        ranges = tuple(owner.prefix for owner in match.owners)
        taken = TrafficMatch(match.port, match.protocol.value, ranges)
        owners = tuple(dict.fromkeys(owner.rule for owner in match.owners))
        denied = Decision(Verdict.DENIED, Reason.PROTOCOL_MISMATCH, None, taken, considered=owners)
        by_host = {
            hostname: table
            for host in match.virtual_hosts
            for table in (self.mesh_routes(denied, host),)
            for hostname in host.hostnames
        }
        otherwise = by_host[min(by_host)] if by_host and self.policy.spec.enable_auto_default_route else None
        leaves: dict[FieldRef, Leaf] = {}
        for owner in match.owners:
            if owner.rule not in leaves:
                mine = evolve(denied, rule=owner.rule)
                if match.is_http:
                    unknown = evolve(mine, reason=Reason.NO_HOST, status=FORBIDDEN)
                    leaves[owner.rule] = _leaf(mine, tls=mine, http=HostTable(by_host, otherwise, unknown))
                else:
                    leaves[owner.rule] = _everything(
                        self.in_mesh(mine, match.clusters, Reason.TCP_SERVICE, owner.rule)
                    )
            yield leaves[owner.rule]

    def mesh_routes(self, denied: Decision, host: VirtualHost) -> RouteTable:
        """The routes of a service of the mesh."""
        refused = evolve(denied, status=NOT_FOUND)
        entries = (
            (route, self.in_mesh(refused, route.clusters, Reason.HTTP_ROUTE, host.rule, route.route))
            for route in host.routes
        )
        return _route_table(entries, evolve(denied, reason=Reason.NO_ROUTE, rule=host.rule, status=FORBIDDEN))

    def in_mesh(
        self,
        denied: Decision,
        clusters: Iterable[WeightedCluster],
        reason: Reason,
        rule: FieldRef,
        route: FieldRef | None = None,
    ) -> Decision:
        """To the endpoints of these clusters; denied where there is none."""
        known = (
            (self.clusters[cluster.name], cluster.weight)
            for cluster in clusters
            if cluster.name in self.clusters
        )
        targets = _targets(known)
        if not targets:
            return evolve(denied, reason=Reason.NO_ENDPOINTS, rule=rule, route=route)
        return evolve(
            denied,
            verdict=Verdict.IN_MESH,
            reason=reason,
            rule=rule,
            route=route,
            targets=targets,
            status=None,
        )

    # --- stage 2 ---

    def group_leaf(self, group: EgressGroup) -> Leaf:
        """What the union of a group's claims allows, and why the rest is denied."""
        rules = tuple(claim.rule for claim in group.claims)
        protocol = "http" if group.has(Protocol.HTTP) else group.claims[0].protocol.value
        taken = TrafficMatch(group.port, "tcp" if group.stream else protocol, group.prefixes)
        denied = Decision(Verdict.DENIED, Reason.PROTOCOL_MISMATCH, rules[0], taken, considered=rules)
        if group.stream:
            return _everything(self.onward(denied, Reason.TCP_PORT, group.stream.rule))
        streams = (claim.rule for claim in group.claims if claim.broken and claim.protocol in STREAMS)
        lacking = next(streams, None)
        if lacking is not None:
            denied = evolve(denied, reason=Reason.NO_CERTIFICATE, rule=lacking)
        tls: Cell = denied
        http: Cell = denied
        if group.has(Protocol.HTTPS):
            tls = self.server_names(denied, group)
        if group.has(Protocol.HTTP):
            http = self.requests(evolve(denied, status=FORBIDDEN), group)
        return _leaf(denied, tls=tls, http=http)

    def onward(self, denied: Decision, reason: Reason, rule: FieldRef) -> Decision:
        """Allowed, to the original destination."""
        return self.allowed(denied, reason, rule, ORIGINAL_DESTINATION)

    def allowed(
        self, denied: Decision, reason: Reason, rule: FieldRef, target: Target, route: FieldRef | None = None
    ) -> Decision:
        """Allowed by an Egress policy, through the mesh's gateways where it has any."""
        return evolve(
            denied,
            verdict=Verdict.EGRESS_POLICY,
            reason=reason,
            rule=rule,
            route=route,
            targets=(target,),
            gateways=self.gateways,
            status=None,
        )

    def server_names(self, denied: Decision, group: EgressGroup) -> Cell:
        """TLS: any, or by server name; a claim whose certificate is missing allows none of its names."""
        if group.any_tls:
            return self.onward(denied, Reason.TLS_ANY, group.any_tls.rule)
        names: dict[str, Decision] = {}
        if denied.reason is not Reason.NO_CERTIFICATE:
            https = [claim for claim in group.claims if claim.protocol is Protocol.HTTPS]
            denied = evolve(denied, reason=Reason.NO_SERVER_NAME, rule=https[0].rule)
            lacking = [claim for claim in https if claim.broken]
            anything = next((claim for claim in lacking if not claim.hosts), None)
            if anything:
                denied = evolve(denied, reason=Reason.NO_CERTIFICATE, rule=anything.rule)
            else:
                for claim in reversed(lacking):
                    refused = evolve(denied, reason=Reason.NO_CERTIFICATE, rule=claim.rule)
                    names.update(dict.fromkeys(claim.hosts, refused))
        for name in group.server_names:
            target = Target(name.host, group.port)
            names[name.host] = self.allowed(denied, Reason.TLS_SERVER_NAME, name.rule, target)
        return ServerNameTable(names, denied)

    def requests(self, denied: Decision, group: EgressGroup) -> HostTable:
        """HTTP: by host, then by route; those of a claim without its certificate come last, and refuse."""
        http = [claim for claim in group.claims if claim.protocol is Protocol.HTTP]
        lacking = [claim for claim in http if claim.broken]
        mismatch = denied.reason is Reason.PROTOCOL_MISMATCH
        routed = {host.name: host for host in group.virtual_hosts}
        default = min(routed) if routed and self.policy.spec.enable_auto_default_route else None

        def table(host: str | None) -> RouteTable:
            served = host if host in routed else default
            first = next(claim for claim in http if (served or host) in claim.hosts)
            no_route = evolve(denied, reason=Reason.NO_ROUTE, rule=first.rule) if mismatch else denied
            entries: list[tuple[HTTPRoute, Decision]] = []
            if served is not None:
                target = Target(served, group.port)
                entries.extend(
                    (route, self.allowed(denied, Reason.HTTP_ROUTE, route.rule, target, route.route))
                    for route in routed[served].routes
                )
            if mismatch:
                refused = united(route for claim in lacking if host in claim.hosts for route in claim.routes)
                entries.extend(
                    (route, evolve(denied, reason=Reason.NO_CERTIFICATE, rule=route.rule, route=route.route))
                    for route in refused
                )
            return _route_table(entries, no_route)

        hosts = sorted({host for claim in http for host in claim.hosts})
        by_host: dict[str, RouteTable] = {}
        for host in hosts:
            by_host[host] = by_host[f"{host}:{group.port}"] = table(host)
        unknown = evolve(denied, reason=Reason.NO_HOST, rule=http[0].rule) if mismatch else denied
        return HostTable(by_host, table(None) if default is not None else None, unknown)


# --- parts of tables -------------------------------------------------------------------------------------


def _everything(decision: Decision) -> Leaf:
    """The leaf where every TCP connection is decided alike; UDP passes by the sidecar."""
    return _leaf(decision, tls=decision, http=decision)


def _leaf(plain: Decision, *, http: Cell, tls: Cell | None = None) -> Leaf:
    cells: dict[Sends, Cell] = {
        Sends.BYTES: plain,
        Sends.NOTHING: plain,
        Sends.DATAGRAM: UNSEEN,
        Sends.TLS: tls or plain,
        Sends.HTTP: http,
    }
    first, second, third, fourth, fifth = (cells[kind] for kind in KINDS)
    return first, second, third, fourth, fifth


def _not_intercepted(rule: FieldRef | None) -> Decision:
    return Decision(Verdict.PASSTHROUGH, Reason.NOT_INTERCEPTED, rule, targets=(ORIGINAL_DESTINATION,))


UNSEEN = _not_intercepted(None)


def _route_table(entries: Iterable[tuple[HTTPRoute, Decision]], otherwise: Decision) -> RouteTable:
    """Routes by method; one that names none takes those that the sidecar forwards."""
    by_method: dict[str, list[RouteEntry]] = {}
    for route, decision in entries:
        path = None if route.path.matches_everything else route.path
        for method in route.methods or FORWARDED_METHODS:
            by_method.setdefault(method, []).append((path, route.headers, decision))
    return RouteTable({method: tuple(routes) for method, routes in by_method.items()}, otherwise)


def _targets(clusters: Iterable[tuple[Cluster, int]]) -> tuple[Target, ...]:
    """All endpoints of weighted clusters, with whole weights in proportion; no weight, no target."""
    shares: dict[tuple[str, int], Fraction] = {}
    for cluster, weight in clusters:
        total = sum(endpoint.weight for endpoint in cluster.endpoints)
        for endpoint in cluster.endpoints:
            place = endpoint.host, endpoint.port
            shares[place] = shares.get(place, Fraction(0)) + Fraction(weight * endpoint.weight, total)
    scale = lcm(*(share.denominator for share in shares.values()))
    return tuple(
        Target(host, port, int(share * scale)) for (host, port), share in sorted(shares.items()) if share
    )


# --- lines of addresses ----------------------------------------------------------------------------------


def _cut(table: PrefixTable[V]) -> Segments[V]:
    return Segments(table.starts, table.values)


def _over(top: Segments[V | None], bottom: Segments[V]) -> Segments[V]:
    """The values of `top` where it has any, else those of `bottom`."""
    starts: list[int] = []
    values: list[V] = []
    for start in sorted({*top.starts, *bottom.starts}):
        above = top.at(start)
        value = bottom.at(start) if above is None else above
        if not values or values[-1] is not value:
            starts.append(start)
            values.append(value)
    return Segments(tuple(starts), tuple(values))


def _excluded(interception: Interception) -> Segments[Leaf | None]:
    """Stage 0: the addresses excluded on every port; of two entries that hold one, the first counts."""
    line: Segments[Leaf | None] = Segments((0,), (None,))
    for prefix, rule in (*reversed(interception.excluded), (LOOPBACK, None)):
        line = _over(_cut(PrefixTable([(prefix, _everything(_not_intercepted(rule)))], None)), line)
    return line


def _not_included(interception: Interception) -> Segments[Leaf | None]:
    """Stage 0: the addresses outside the inclusion list, where there is one."""
    if not interception.included:
        return Segments((0,), (None,))
    outside = _everything(_not_intercepted(interception.included[0][1]))
    included = dict.fromkeys(prefix for prefix, _ in interception.included)
    return _cut(PrefixTable(((prefix, None) for prefix in included), outside))
