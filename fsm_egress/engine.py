"""A resolved policy compiled into tables: `classify` looks up what is decided, and decides nothing anew.

The tables are laid out by port, then by place on the line of all addresses; at each place stands a *leaf*,
which holds for every kind of payload either the decision or the table of hosts or server names that leads
to it (`docs/decision.md`). What a host or a server name leads to is laid out when it is first asked for, so
that many ranges within what many policies claim are not the product of both.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from math import gcd, lcm
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from attrs import evolve, field

from .connections.columns import Columns
from .connections.connection import KINDS, Connection, Sends, socket_address
from .connections.decision import (
    ORIGINAL_DESTINATION,
    Decision,
    Reason,
    Target,
    TrafficMatch,
    UsedGateway,
    Verdict,
)
from .connections.findings import Finding
from .patterns import searchable
from .policy import EgressGroup
from .resolution.routes import united
from .resources.checks import FORWARDED_METHODS, Protocol
from .resources.losses import Loss
from .resources.subjects import Subject, Unnamed
from .values.construction import frozen
from .values.errors import IncompleteMesh, InvalidValue
from .values.identity import Memory
from .values.net import LAST_KEY, Prefix
from .values.prefix_table import PrefixTable

if TYPE_CHECKING:
    from .patterns import Pattern
    from .policy import (
        Cluster,
        HTTPRoute,
        Interception,
        MeshMatch,
        OutboundPolicy,
        PortPolicy,
        VirtualHost,
        WeightedCluster,
    )
    from .values.references import FieldRef

__all__ = ["Engine", "used_gateways"]

ORIGINAL = (ORIGINAL_DESTINATION,)
PARTS = attrgetter("parts")
SOCKET = attrgetter("host", "port")
FORBIDDEN = 403
NOT_FOUND = 404
STREAM_WEIGHT = 100  # of an endpoint that has none
KINDS_NAMED = 3  # of pods, where they differ
FEW = 32  # claims of a group, which are laid out though others share them


V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)
Wanted: TypeAlias = "tuple[tuple[str, Pattern], ...]"
RouteEntry: TypeAlias = "tuple[str, Pattern | None, Wanted, Decision]"
"""A text or a pattern to look for in the path, headers that are wanted besides, and what is decided then."""


@frozen(eq=False)
class RouteTable:
    """The routes of one host by method, in canonical order; a decision where the path does not matter."""

    by_method: Mapping[str, Decision | tuple[RouteEntry, ...]]
    otherwise: Decision


@frozen(eq=False)
class HostTable:
    """The hosts of one HTTP match.

    Attributes:
        by_host: those that are laid out.
        otherwise: the routes of every other host, where it has any.
        unknown: what is decided where there are none.
        allowed: of what the routes of a host are laid out when it is first asked for.
    """

    by_host: dict[str, RouteTable]
    otherwise: RouteTable | None
    unknown: Decision
    allowed: _Requests | None = None

    def __reduce__(self) -> tuple[type[HostTable], tuple[Any, ...]]:
        allowed, by_host = self.allowed, self.by_host
        if allowed is not None and allowed.allowed.is_small:
            by_host, allowed = allowed.tables(), None  # which is less than what they are made of
        return HostTable, (by_host, self.otherwise, self.unknown, allowed)

    def decide(self, parts: tuple[str, str, str, Mapping[str, str], str | None]) -> Decision:
        """The decision of the first route of the host that matches."""
        authority, method, path, headers, host = parts
        table = self.by_host.get(authority)
        if table is None:
            table = self._other(authority)
            if table is None:
                return self.unknown
        routes = table.by_method.get(method, ())
        if type(routes) is Decision:
            return routes
        if not path.isascii():
            path = searchable(path)
        for text, pattern, wanted, decision in routes:
            if (text in path if pattern is None else pattern.find(path)) and (
                not wanted or _has_headers(wanted, headers, host)
            ):
                return decision
        return table.otherwise

    def _other(self, authority: str) -> RouteTable | None:
        """The routes of a host that is not laid out, if it has any."""
        name = None if self.allowed is None else self.allowed.name_of(authority)
        if name is None or self.allowed is None:
            return self.otherwise
        table = self.by_host.get(name) or self.by_host.setdefault(name, self.allowed.table(name))
        return self.by_host.setdefault(authority, table)


def _has_headers(wanted: Wanted, headers: Mapping[str, str], host: str | None) -> bool:
    """Whether each pattern is found in its header; a missing one reads as the empty string."""
    return all(
        pattern.search((host if name == "host" else headers.get(name)) or "") for name, pattern in wanted
    )


Cell: TypeAlias = "Decision | HostTable | _ServerNames | _Later"
Leaf: TypeAlias = "tuple[Cell, Cell, Cell, Cell, Cell]"
"""What is decided at one port and place: a cell for each of `KINDS`, in that order."""


@frozen(eq=False)
class Segments(Generic[V_co]):
    """The line of all addresses, cut where the value changes: from `starts[i]` on it is `values[i]`."""

    starts: tuple[int, ...]
    values: tuple[V_co, ...]


@frozen(eq=False)
class Engine:
    """Decides about the outbound connections of one identity; immutable, picklable, shared by threads.

    Attributes:
        unnamed: that no document of the mesh names the identity, where that is so and was looked at.
    """

    identity: Subject
    _ports: Mapping[int, Segments[Leaf]] = field(repr=False)
    _other: Segments[Leaf] = field(repr=False)
    _unclaimed: Leaf = field(repr=False)
    unnamed: Unnamed | None = field(default=None, kw_only=True, repr=False)

    @classmethod
    def compile(cls, policy: OutboundPolicy, *, incomplete: bool = False) -> Engine:
        """The tables of a policy.

        Args:
            policy: of one identity.
            incomplete: whether it may be one of a mesh of which documents could not be read; each decision
                then carries what it was made without.

        Raises:
            IncompleteMesh: documents could not be read on which decisions may hang.
            InvalidValue: it is of an account whose pods are not intercepted alike: each kind has its own.
        """
        if policy.interception.apart:
            raise _of_several_kinds(policy)
        if policy.lost and not incomplete:
            raise IncompleteMesh(problem for loss in policy.lost for problem in loss.problems)
        compiler = _Compiler(policy)
        engine = compiler.engine(compiler.unclaimed(), {})
        return _marking(engine, policy)

    def recompiled(self, before: OutboundPolicy, policy: OutboundPolicy) -> Engine:
        """The tables of a changed policy: ports whose policy is the same object as before keep theirs.

        Args:
            before: the policy that this engine was compiled from.
            policy: the one that it has become.
        """
        is_around = all(a is b for a, b in zip(_around(before), _around(policy), strict=True))
        if policy.lost or before.lost or not is_around:
            return Engine.compile(policy, incomplete=bool(before.lost))
        same = {id(port) for port in before.ports}
        kept = (port.port for port in policy.ports if id(port) in same)
        known = {number: self._ports[number] for number in kept if number in self._ports}
        return _marking(_Compiler(policy).engine(self._unclaimed, known), policy)

    def classify(self, connection: Connection) -> Decision:
        """The one decision for a connection; total, deterministic, without I/O and without a clock.

        Raises:
            InvalidValue: it is no connection.
        """
        try:
            port, key, slot, sent = connection.parts
        except AttributeError:
            raise InvalidValue.of("a value of type `Connection`", connection) from None
        line = self._ports.get(port, self._other)
        cell = line.values[bisect_right(line.starts, key) - 1][slot]
        return cell if type(cell) is Decision else cell.decide(sent)

    def classify_many(self, connections: Iterable[Connection] | Columns) -> list[Decision]:
        """The decision for each of these connections, in their order, quicker than one by one.

        Raises:
            InvalidValue: a value of the columns cannot be; its path names the column and the row. Or one of
                them is no connection.
        """
        ports, other = self._ports, self._other
        decisions = []
        lookups = connections.lookups() if isinstance(connections, Columns) else map(PARTS, connections)
        try:
            for port, key, slot, sent in lookups:
                line = ports.get(port, other)
                cell = line.values[bisect_right(line.starts, key) - 1][slot]
                decisions.append(cell if type(cell) is Decision else cell.decide(sent))
        except AttributeError as error:
            raise InvalidValue.of("a value of type `Connection`", error.obj) from error
        return decisions


@frozen(eq=False)
class IncompleteEngine(Engine):
    """An engine of a mesh of which documents could not be read, or not all is modelled; decisions say so.

    Attributes:
        without: what decisions are made without; each carries that for which it may differ.
        conditions: what they stand under.
    """

    without: tuple[Loss, ...]
    conditions: tuple[Finding, ...] = ()
    _marked: Memory[Decision] = field(factory=Memory, init=False, repr=False)

    @classmethod
    def of(
        cls, engine: Engine, without: tuple[Loss, ...], conditions: tuple[Finding, ...] = ()
    ) -> IncompleteEngine:
        """The engine, whose decisions are made without these, under those conditions."""
        return cls(engine.identity, engine._ports, engine._other, engine._unclaimed, without, conditions)  # noqa: SLF001  # because it is one

    def classify(self, connection: Connection) -> Decision:
        """The one decision for a connection, and what it was made without."""
        return self._mark(Engine.classify(self, connection))

    def classify_many(self, connections: Iterable[Connection] | Columns) -> list[Decision]:
        """The decision for each of these connections, and what it was made without."""
        return list(map(self._mark, Engine.classify_many(self, connections)))

    def _mark(self, decision: Decision) -> Decision:
        """The decision as this engine makes it, once."""
        return self._marked.once(decision, self._marked_anew)

    def _marked_anew(self, decision: Decision) -> Decision:
        without = tuple(it for it in self.without if it.bearing.on(is_allowed=decision.allowed))
        return evolve(decision, without=without, conditions=self.conditions)


def _marking(engine: Engine, policy: OutboundPolicy) -> Engine:
    """The engine; one whose decisions say so where a policy is not all that governs them."""
    conditions = policy.conditions
    return IncompleteEngine.of(engine, policy.lost, conditions) if policy.lost or conditions else engine


def _of_several_kinds(policy: OutboundPolicy) -> InvalidValue:
    names = ", ".join(f"`{kind.first}`" for kind in policy.interception.apart[:KINDS_NAMED])
    expected = f"a pod of this account, as those are not intercepted alike, such as {names}"
    return InvalidValue.of(expected, str(policy.identity))


# --- compiling -------------------------------------------------------------------------------------------


def _around(policy: OutboundPolicy) -> tuple[object, ...]:
    """Whatever of a policy the tables of every port depend on."""
    return policy.identity, policy.spec, policy.switch, policy.interception, policy.clusters, policy.forward


def used_gateways(policy: OutboundPolicy) -> tuple[UsedGateway, ...]:
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


class _Compiler:
    """Makes every decision of a policy once."""

    def __init__(self, policy: OutboundPolicy) -> None:
        self.policy = policy
        self.clusters = {cluster.name: cluster for cluster in policy.clusters}
        self.gateways = used_gateways(policy)

    def engine(self, unclaimed: Leaf, known: Mapping[int, Segments[Leaf]]) -> Engine:
        """All ports, those apart that are known already, and what holds on every other."""
        interception = self.policy.interception
        if interception.without is not None:
            passed = Decision(Verdict.PASSTHROUGH, Reason.NO_SIDECAR, interception.without, targets=ORIGINAL)
            return Engine(self.policy.identity, {}, Segments((0,), (_everything(passed),)), unclaimed)
        excluded = _excluded(interception)
        unseen = _over(excluded, _not_included(interception))
        ports = {
            port.port: known.get(port.port) or _over(unseen, self.port(port, unclaimed))
            for port in self.policy.ports
        }
        for number, rule in reversed(interception.excluded_ports):
            ports[number] = _over(excluded, Segments((0,), (_everything(_not_intercepted(rule)),)))
        return Engine(self.policy.identity, ports, _over(unseen, Segments((0,), (unclaimed,))), unclaimed)

    def port(self, policy: PortPolicy, unclaimed: Leaf) -> Segments[Leaf]:
        """One port: in-mesh addresses win over every claim, a longer prefix of a claim over a shorter one."""
        anywhere = unclaimed
        claimed: list[tuple[Prefix, Leaf]] = []
        for group in policy.groups:
            leaf = self.group_leaf(group)
            if group.prefixes:
                claimed.extend([(prefix, leaf) for prefix in group.prefixes])
            else:
                anywhere = leaf
        inside = [
            (owner.prefix, leaves[id(owner.rule)])
            for match in policy.mesh
            for leaves in (self.mesh_leaves(match),)
            for owner in match.owners
        ]
        if not claimed:
            return _cut(PrefixTable(inside, anywhere))
        owned: list[tuple[Prefix, Leaf | None]] = [*inside]
        return _over(_cut(PrefixTable(owned, None)), _cut(PrefixTable(claimed, anywhere)))

    def unclaimed(self) -> Leaf:
        """Stage 3: what no rule claims."""
        if self.policy.spec.enable_egress:
            decision = Decision(
                Verdict.PASSTHROUGH,
                Reason.EGRESS_ENABLED,
                self.policy.switch,
                targets=ORIGINAL,
                gateways=self.gateways,
            )
        else:
            decision = Decision(Verdict.DENIED, Reason.EGRESS_DISABLED, self.policy.switch)
        return _everything(decision)

    # --- stage 1 ---

    def mesh_leaves(self, match: MeshMatch) -> Mapping[int, Leaf]:
        """The leaf of each service that owns addresses of an in-mesh match, by the `id` of its rule."""
        rules = {id(owner.rule): owner.rule for owner in match.owners}
        owners = tuple(rules.values())
        taken = TrafficMatch(match.port, match.protocol.value, tuple([it.prefix for it in match.owners]))
        if not match.is_http:
            return {
                name: _everything(self.in_mesh(match.clusters, Reason.TCP_SERVICE, rule, None, taken, owners))
                for name, rule in rules.items()
            }
        by_host: dict[str, RouteTable] = {}
        for host in match.virtual_hosts:
            by_host.update(dict.fromkeys(host.hostnames, self.mesh_routes(host, taken, owners)))
        otherwise = by_host[min(by_host)] if by_host and self.policy.spec.enable_auto_default_route else None
        leaves: dict[int, Leaf] = {}
        for name, rule in rules.items():
            mismatch = _denied(Reason.PROTOCOL_MISMATCH, rule, taken, owners)
            unknown = _denied(Reason.NO_HOST, rule, taken, owners, FORBIDDEN)
            leaves[name] = _leaf(mismatch, tls=mismatch, http=HostTable(by_host, otherwise, unknown))
        return leaves

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
        return _route_table(entries, _denied(Reason.NO_ROUTE, host.rule, taken, owners, FORBIDDEN))

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
        known = [
            (self.clusters[cluster.name], cluster.weight)
            for cluster in clusters
            if cluster.name in self.clusters
        ]
        targets = _targets(known if refusal else _streamed(known))
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

    # --- stage 2 ---

    def group_leaf(self, group: EgressGroup) -> Leaf:
        """What the union of a group's claims allows, and why the rest is denied."""
        allowed = _Allowed(group, self.gateways, has_default=self.policy.spec.enable_auto_default_route)
        if allowed.is_small:
            return allowed.leaf
        first, second, third, fourth, fifth = (_Later(allowed, slot) for slot in range(len(KINDS)))
        return first, second, third, fourth, fifth


@frozen(eq=False)
class _Allowed:
    """What the union of a group's claims allows."""

    group: EgressGroup
    gateways: tuple[UsedGateway, ...]
    has_default: bool

    def __reduce__(self) -> tuple[type[_Allowed], tuple[EgressGroup, tuple[UsedGateway, ...], bool]]:
        return _Allowed, (self.group, self.gateways, self.has_default)

    @property
    def is_small(self) -> bool:
        """Whether to lay all of it out is little work, however many groups share what lies around them."""
        return self.group.around is None or self.group.size <= FEW

    @cached_property
    def rules(self) -> tuple[FieldRef, ...]:
        """What is considered."""
        return tuple([claim.rule for claim in self.group.claims])

    @cached_property
    def taken(self) -> TrafficMatch:
        """The match by which connections are taken."""
        group = self.group
        protocol = (
            "tcp" if group.stream else "http" if group.has(Protocol.HTTP) else group.lead.protocol.value
        )
        return TrafficMatch(group.port, protocol, group.prefixes)

    @cached_property
    def leaf(self) -> Leaf:
        """What is decided about each kind of payload."""
        group = self.group
        if group.stream:
            return _everything(self.by(Reason.TCP_PORT, group.stream.rule, ORIGINAL_DESTINATION))
        tls: Cell = self.server_names if group.has(Protocol.HTTPS) else self.denied
        http: Cell = _Requests.of(self) if group.has(Protocol.HTTP) else self.denied
        return _leaf(self.denied, tls=tls, http=http)

    @cached_property
    def denied(self) -> Decision:
        """What is decided about all that no claim speaks of."""
        lacking = self.group.first("stream")
        if lacking is not None:  # only a certificate that is missing keeps a stream from being opened
            return _denied(Reason.NO_CERTIFICATE, lacking.rule, self.taken, self.rules)
        return _denied(Reason.PROTOCOL_MISMATCH, self.group.lead.rule, self.taken, self.rules)

    def by(self, reason: Reason, rule: FieldRef, target: Target, route: FieldRef | None = None) -> Decision:
        """Allowed by an Egress policy, through the mesh's gateways where it has any."""
        return Decision(
            Verdict.EGRESS_POLICY,
            reason,
            rule,
            self.taken,
            (target,),
            self.gateways,
            None,
            route,
            self.rules,
        )

    @cached_property
    def server_names(self) -> Cell:
        """TLS: any, or by server name; a claim whose certificate is missing allows none of its names."""
        if self.group.any_tls:
            return self.by(Reason.TLS_ANY, self.group.any_tls.rule, ORIGINAL_DESTINATION)
        denied, is_lacking = self.denied, False
        https, anything = self.group.first("https"), self.group.first("no_tls")
        if denied.reason is not Reason.NO_CERTIFICATE and https is not None:
            reason, claim = (
                (Reason.NO_SERVER_NAME, https) if anything is None else (Reason.NO_CERTIFICATE, anything)
            )
            denied, is_lacking = _denied(reason, claim.rule, self.taken, self.rules), anything is None
        return _ServerNames(self, denied, is_lacking)


@frozen(eq=False)
class _Later:
    """A cell of a leaf that is laid out when it is first asked for, as its claims are many and others'."""

    allowed: _Allowed
    slot: int

    def decide(self, sent: Any) -> Decision:
        """What the cell that stands here decides."""
        cell = self.allowed.leaf[self.slot]
        return cell if type(cell) is Decision else cell.decide(sent)


@frozen(eq=False)
class _ServerNames:
    """The server names that TLS connections may ask for.

    Attributes:
        denied: what is decided about all that no claim names.
        is_lacking: whether a name may be refused for want of a certificate.
    """

    allowed: _Allowed | None
    denied: Decision
    is_lacking: bool
    by_name: dict[str, Decision] = field(factory=dict)

    def __reduce__(self) -> tuple[type[_ServerNames], tuple[Any, ...]]:
        allowed, by_name = self.allowed, self.by_name
        if allowed is not None and allowed.is_small:
            https = (claim for claim in allowed.group.claims if claim.protocol is Protocol.HTTPS)
            named = {host for claim in https for host in claim.hosts}
            by_name, allowed = {name: self._decided(allowed, name) for name in named}, None
        return _ServerNames, (allowed, self.denied, self.is_lacking, by_name)

    def decide(self, parts: tuple[str, str | None]) -> Decision:
        """The decision for the server name."""
        name = parts[0]
        found = self.by_name.get(name)
        if found is None:
            if self.allowed is None or not self.allowed.group.naming(Protocol.HTTPS, name):
                return self.denied
            found = self.by_name.setdefault(name, self._decided(self.allowed, name))
        return found

    def _decided(self, allowed: _Allowed, name: str) -> Decision:
        claims = [claim for _, claim in allowed.group.naming(Protocol.HTTPS, name)]
        whole = next((claim for claim in claims if not claim.broken), None)
        if whole is not None:
            return allowed.by(Reason.TLS_SERVER_NAME, whole.rule, Target(name, allowed.group.port))
        if self.is_lacking:
            return _denied(Reason.NO_CERTIFICATE, claims[0].rule, allowed.taken, allowed.rules)
        return self.denied


@frozen(eq=False)
class _Requests:
    """The routes of the hosts that `http` claims name; those of broken claims come last, and refuse.

    Attributes:
        default: the host whose routes an unknown one has.
    """

    allowed: _Allowed
    default: str | None

    @classmethod
    def of(cls, allowed: _Allowed) -> HostTable:
        """The table of these hosts, none of which is laid out yet."""
        default = min(allowed.group.hosts, default=None) if allowed.has_default else None
        found = cls(allowed, default)
        otherwise = None if default is None else found.laid_out("", default)
        http = allowed.group.first("http")
        return HostTable(
            {}, otherwise, found.refused(Reason.NO_HOST, None if http is None else http.rule), found
        )

    def tables(self) -> dict[str, RouteTable]:
        """Those of all hosts that are named."""
        group = self.allowed.group
        hosts = sorted(
            {host for claim in group.claims if claim.protocol is Protocol.HTTP for host in claim.hosts}
        )
        found: dict[str, RouteTable] = {}
        for host in hosts:
            found[host] = found[f"{host}:{group.port}"] = self.table(host)
        return found

    def name_of(self, authority: str) -> str | None:
        """The host that is named, with its port or without; None where none is."""
        group = self.allowed.group
        names = authority, authority.removesuffix(f":{group.port}")
        return next((name for name in names if group.naming(Protocol.HTTP, name)), None)

    def table(self, host: str) -> RouteTable:
        """The routes of a host that is named."""
        return self.laid_out(host, host if self.allowed.group.host(host) else self.default)

    def laid_out(self, host: str, served: str | None) -> RouteTable:
        """The routes of a host, which may be served as another one."""
        group = self.allowed.group
        entries: list[tuple[HTTPRoute, Decision]] = []
        routed = None if served is None else group.host(served)
        if routed is not None:
            target = Target(routed.name, group.port)
            entries.extend(
                (route, self.allowed.by(Reason.HTTP_ROUTE, route.rule, target, route.route))
                for route in routed.routes
            )
        if self.is_mismatch:
            lacking = (claim for _, claim in group.naming(Protocol.HTTP, host) if claim.broken)
            entries.extend(
                (route, self.refused(Reason.NO_CERTIFICATE, route.rule, route.route))
                for route in united(route for claim in lacking for route in claim.routes)
            )
        _, first = group.naming(Protocol.HTTP, served or host)[0]
        return _route_table(entries, self.refused(Reason.NO_ROUTE, first.rule))

    @property
    def is_mismatch(self) -> bool:
        """Whether no stream is refused besides."""
        return self.allowed.denied.reason is Reason.PROTOCOL_MISMATCH

    def refused(self, reason: Reason, rule: FieldRef | None, route: FieldRef | None = None) -> Decision:
        """That a request is denied, as the stream is where one is refused."""
        denied = self.allowed.denied
        if not self.is_mismatch:
            reason, rule, route = denied.reason, denied.rule, None
        return _denied(reason, rule, self.allowed.taken, self.allowed.rules, FORBIDDEN, route)


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
    return Decision(Verdict.PASSTHROUGH, Reason.NOT_INTERCEPTED, rule, targets=ORIGINAL)


UNSEEN = _not_intercepted(None)


def _denied(
    reason: Reason,
    rule: FieldRef | None,
    taken: TrafficMatch | None,
    considered: tuple[FieldRef, ...],
    status: int | None = None,
    route: FieldRef | None = None,
) -> Decision:
    return Decision(Verdict.DENIED, reason, rule, taken, (), (), status, route, considered)


def _route_table(entries: Sequence[tuple[HTTPRoute, Decision]], otherwise: Decision) -> RouteTable:
    """Routes by method; one that names none takes those that the sidecar forwards.

    What stands behind a route that takes every request is never looked at.
    """
    by_method: dict[str, Decision | tuple[RouteEntry, ...]] = {}
    for route, decision in entries:
        takes_all = route.path.matches_everything
        text = "" if takes_all else route.path.literal
        entry = ((text or "", route.path if text is None else None, route.headers, decision),)
        for method in route.methods or FORWARDED_METHODS:
            known = by_method.get(method, ())
            if type(known) is Decision:
                continue
            by_method[method] = decision if takes_all and not known and not route.headers else known + entry
    return RouteTable(by_method, otherwise)


def _streamed(clusters: Iterable[tuple[Cluster, int]]) -> list[tuple[Cluster, int]]:
    """Clusters as streams are shared over them: an endpoint without weight counts as any other."""
    return [
        (cluster if all(it.weight for it in cluster.endpoints) else _evenly(cluster), share)
        for cluster, share in clusters
    ]


def _evenly(cluster: Cluster) -> Cluster:
    endpoints = (evolve(it, weight=it.weight or STREAM_WEIGHT) for it in cluster.endpoints)
    return evolve(cluster, endpoints=tuple(endpoints))


def _targets(clusters: Sequence[tuple[Cluster, int]]) -> tuple[Target, ...]:
    """All endpoints of weighted clusters, with whole weights in proportion; no weight, no target."""
    if len(clusters) == 1:
        ((only, weight),) = clusters
        if weight and len({endpoint.weight for endpoint in only.endpoints}) == 1:
            part = weight // gcd(weight, len(only.endpoints))
            return tuple([Target(it.host, it.port, part) for it in sorted(only.endpoints, key=SOCKET)])
    from fractions import Fraction  # noqa: PLC0415  # because most targets have one share

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
    if top.values == (None,):
        return bottom
    starts: list[int] = []
    values: list[V] = []
    for start, end, value in zip(top.starts, (*top.starts[1:], LAST_KEY + 1), top.values, strict=True):
        if value is None:
            first = bisect_right(bottom.starts, start) - 1
            last = bisect_left(bottom.starts, end)
            pieces = bottom.values[first:last]
            places = (start, *bottom.starts[first + 1 : last])
        else:
            pieces, places = (value,), (start,)
        same = bool(values) and values[-1] is pieces[0]
        starts.extend(places[same:])
        values.extend(pieces[same:])
    return Segments(tuple(starts), tuple(values))


def _excluded(interception: Interception) -> Segments[Leaf | None]:
    """Stage 0: the addresses excluded on every port; of two entries that hold one, the first counts."""
    line: Segments[Leaf | None] = Segments((0,), (None,))
    for prefix, rule in reversed(interception.excluded):
        line = _over(_cut(PrefixTable([(prefix, _everything(_not_intercepted(rule)))], None)), line)
    local: dict[Prefix, Leaf | None] = dict.fromkeys(interception.local, _everything(UNSEEN))
    return _over(_cut(PrefixTable(local.items(), None)), line)


def _not_included(interception: Interception) -> Segments[Leaf | None]:
    """Stage 0: the addresses outside the inclusion list, where there is one."""
    if not interception.included:
        return Segments((0,), (None,))
    outside = _everything(_not_intercepted(interception.included[0][1]))
    included = dict.fromkeys(prefix for prefix, _ in interception.included)
    return _cut(PrefixTable(((prefix, None) for prefix in included), outside))
