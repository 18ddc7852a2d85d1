"""The resolved policy of one identity: everything that is enforced for it, in canonical order.

Made by `resolution` and read twice, independently: by the engine, which decides, and by `pipy/config.py`,
which writes what the sidecar reads. Each part knows the resource and field that it came from.
"""

from __future__ import annotations

from functools import cached_property
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import evolve, field

from .connections.findings import Code, Finding
from .patterns import Pattern
from .resources.checks import Protocol
from .resources.egress import ConnectionSettings, RetryPolicy
from .resources.losses import Loss
from .resources.subjects import Pods, Subject
from .values.construction import frozen
from .values.frozen import EMPTY, FrozenMap
from .values.net import Prefix
from .values.notebook import Shown, Table, listed
from .values.references import FieldRef
from .values.secrecy import unless_empty

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "LOOPBACK",
    "Claim",
    "Cluster",
    "EgressGroup",
    "Endpoint",
    "Forward",
    "Gateway",
    "Growth",
    "HTTPRoute",
    "Interception",
    "MeshMatch",
    "OutboundPolicy",
    "Owner",
    "PortPolicy",
    "ServerName",
    "SidecarSpec",
    "SourceCert",
    "VirtualHost",
    "WeightedCluster",
]


@frozen(order=True)
class Growth:
    """The least and the greatest weight that an endpoint has, by the age of its pod."""

    least: int
    most: int


@frozen(order=True)
class Endpoint:
    """Where a cluster's connections go: an address or a DNS name, and a port.

    Attributes:
        weight: its share beside the others of the cluster; of a pod whose share grows, when it is grown up.
        outside: whether it is of a service of the mesh, and yet no pod's address, as far as is known.
        key: the other cluster that it leads to, if it leads to one.
        path: what the sidecar puts before the path of a request there.
        growth: the weights that it has by the age of its pod; None where it always has the one.
    """

    host: str
    port: int
    weight: int = 100
    outside: bool = False
    key: str = ""
    path: str = ""
    growth: Growth | None = field(default=None, order=False)


@frozen(order=True)
class WeightedCluster:
    """A cluster by name and its share; weights count relative to their sum."""

    name: str
    weight: int = 100


@frozen
class SourceCert:
    """The client certificate that is shown to an outside host; its content is in no `repr`."""

    fsm_issued: bool
    subject_alt_names: tuple[str, ...] = ()
    expiration: str = ""
    cert_chain: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    issuing_ca: str = field(default="", repr=False)

    def without_secrets(self) -> SourceCert:
        """The same without what its Secret holds."""
        held = (self.cert_chain, self.private_key, self.issuing_ca)
        return SourceCert(self.fsm_issued, self.subject_alt_names, self.expiration, *map(unless_empty, held))


@frozen
class Cluster:
    """Endpoints that are balanced over, and how they are connected to."""

    name: str
    endpoints: tuple[Endpoint, ...]
    rule: FieldRef
    connection_settings: ConnectionSettings | None = None
    retry_policy: RetryPolicy | None = None
    source_cert: SourceCert | None = None


RouteKey: TypeAlias = "tuple[str, tuple[str, ...], tuple[tuple[str, Pattern], ...]]"


@frozen
class HTTPRoute:
    """One way for a request to be allowed: a path, methods and headers that must all match.

    Attributes:
        path: searched in path and query.
        methods: sorted; empty for the seven methods that the sidecar forwards.
        headers: names in lower case, sorted, with the pattern that is searched in each value.
        clusters: where the request goes.
        rule: the Egress port or the Service port that the route belongs to.
        route: the match of an HTTPRouteGroup that it was made from; None for the wildcard.
    """

    path: Pattern
    methods: tuple[str, ...]
    headers: tuple[tuple[str, Pattern], ...]
    clusters: tuple[WeightedCluster, ...]
    rule: FieldRef
    route: FieldRef | None = None

    @property
    def key(self) -> RouteKey:
        """What a request must be; routes with the same are the same route."""
        return self.path.text, self.methods, self.headers


@frozen
class VirtualHost:
    """The routes of one service or outside host, and the Host headers that select them.

    Attributes:
        plugins: what plugins in the sidecar's chain are told there, by their names.
    """

    name: str
    hostnames: tuple[str, ...]
    routes: tuple[HTTPRoute, ...]
    rule: FieldRef
    plugins: FrozenMap[Any] = field(default=EMPTY, kw_only=True)


@frozen
class Owner:
    """A service's hold on one address of a traffic match."""

    prefix: Prefix
    rule: FieldRef


@frozen
class MeshMatch:
    """In-mesh traffic on one port: the HTTP services together, each stream service by itself.

    Attributes:
        plugins: what plugins in the sidecar's chain are told of a stream, by their names.
    """

    port: int
    protocol: Protocol
    owners: tuple[Owner, ...]
    virtual_hosts: tuple[VirtualHost, ...] = ()
    clusters: tuple[WeightedCluster, ...] = ()
    plugins: FrozenMap[Any] = field(default=EMPTY, kw_only=True)

    @property
    def is_http(self) -> bool:
        """Whether requests are routed one by one; otherwise the whole stream is."""
        return self.protocol in {Protocol.HTTP, Protocol.GRPC}


@frozen
class Claim:
    """One port of one Egress policy: what it claims, and what it allows there.

    Attributes:
        rule: `spec.ports[i]` of the policy.
        prefixes: the addresses it claims, sorted; empty for every address.
        hosts: of an `http` or `https` port, sorted.
        broken: the policy's certificate is missing, so that it claims but allows nothing.
    """

    rule: FieldRef
    port: int
    protocol: Protocol
    prefixes: tuple[Prefix, ...]
    hosts: tuple[str, ...] = ()
    routes: tuple[HTTPRoute, ...] = ()
    connection_settings: ConnectionSettings | None = None
    source_cert: SourceCert | None = None
    broken: bool = field(default=False, kw_only=True)


_PROTOCOL = attrgetter("protocol")
_PLACE = itemgetter(0)


@frozen
class ServerName:
    """A TLS server name that an `https` claim allows."""

    host: str
    rule: FieldRef


Sort: TypeAlias = Literal["any", "http", "https", "stream", "opening", "any_tls", "no_tls", "broken"]
"""Sorts of claims; `opening` streams and `any_tls`, which is `https` without hosts, are not broken."""


def _sorts_of(claim: Claim) -> Iterator[Sort]:
    yield "any"
    if claim.broken:
        yield "broken"
    if claim.protocol is Protocol.HTTP:
        yield "http"
    elif claim.protocol is Protocol.HTTPS:
        yield "https"
        if not claim.hosts:
            yield "no_tls" if claim.broken else "any_tls"
    else:
        yield "stream"
        if not claim.broken:
            yield "opening"


Placed: TypeAlias = tuple[int, Claim]
"""A claim, and its place among all claims of the port."""


@frozen
class EgressGroup:
    """Addresses of a port that the same claims cover, and the union of what those allow.

    The claims of what lies around a group cover it, too. They are kept there, and joined with its own where
    somebody asks: a thousand ranges within what a thousand claims cover are no million of claims.

    Attributes:
        prefixes: the addresses, sorted, none inside another; empty for every address that no other group has.
        own: the claims that cover the addresses besides those of what lies around.
        around: the group of what lies around, if any claim covers that.
        own_names: what `https` claims allow, by host, where it is not as it is around.
        own_hosts: what `http` claims allow, likewise.
        tls_cluster: the name of the cluster that stands for `server_names`.
    """

    port: int
    prefixes: tuple[Prefix, ...]
    own: tuple[Claim, ...]
    around: EgressGroup | None = field(repr=False)
    own_names: tuple[ServerName, ...]
    own_hosts: tuple[VirtualHost, ...]
    tls_cluster: str
    _places: tuple[int, ...] = field(eq=False, repr=False)

    @cached_property
    def placed(self) -> tuple[Placed, ...]:
        """All claims that cover the addresses, each with its place."""
        own = zip(self._places, self.own, strict=True)
        return tuple(sorted([*self.around.placed, *own], key=_PLACE)) if self.around else tuple(own)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Those that cover the addresses, by namespace, name and port of the policy."""
        return tuple([claim for _, claim in self.placed])

    @cached_property
    def size(self) -> int:
        """How many claims cover the addresses."""
        return len(self.own) + (self.around.size if self.around else 0)

    @cached_property
    def protocols(self) -> frozenset[Protocol]:
        """Those of the claims."""
        own = frozenset(map(_PROTOCOL, self.own))
        return own | self.around.protocols if self.around else own

    def has(self, *protocols: Protocol) -> bool:
        """Whether a claim of one of these protocols covers the group."""
        return not self.protocols.isdisjoint(protocols)

    @cached_property
    def firsts(self) -> Mapping[Sort, Placed]:
        """The first claim of each sort, with its place."""
        found = dict(self.around.firsts) if self.around else {}
        for placed in zip(self._places, self.own, strict=True):
            for sort in _sorts_of(placed[1]):
                if sort not in found or placed[0] < found[sort][0]:
                    found[sort] = placed
        return found

    def first(self, sort: Sort) -> Claim | None:
        """The first claim of a sort, if there is one."""
        placed = self.firsts.get(sort)
        return placed and placed[1]

    @property
    def lead(self) -> Claim:
        """The first of all claims."""
        return self.firsts["any"][1]

    @property
    def stream(self) -> Claim | None:
        """The `tcp` claim that opens the group for anything, if there is one."""
        return self.first("opening")

    @property
    def any_tls(self) -> Claim | None:
        """The `https` claim without hosts that opens it for every TLS connection, if there is one."""
        return self.first("any_tls")

    @cached_property
    def _named(self) -> Mapping[tuple[Protocol, str], tuple[Placed, ...]]:
        found: dict[tuple[Protocol, str], list[Placed]] = {}
        for placed in zip(self._places, self.own, strict=True):
            for host in placed[1].hosts:
                found.setdefault((placed[1].protocol, host), []).append(placed)
        if self.around is None:
            return {key: tuple(listed) for key, listed in found.items()}
        return {
            key: tuple(sorted([*self.around.naming(*key), *listed], key=_PLACE))
            for key, listed in found.items()
        }

    @property
    def named(self) -> Iterable[tuple[Protocol, str]]:
        """The hosts that its own claims name, by protocol."""
        return self._named

    def naming(self, protocol: Protocol, host: str) -> tuple[Placed, ...]:
        """The claims that name a host by a protocol, in their order."""
        found = self._named.get((protocol, host))
        if found is None:
            return self.around.naming(protocol, host) if self.around else ()
        return found

    def host(self, name: str) -> VirtualHost | None:
        """What the `http` claims allow of a host; see `hosts`."""
        found = self._own_hosts.get(name)
        return self.around.host(name) if found is None and self.around else found

    @cached_property
    def _own_hosts(self) -> Mapping[str, VirtualHost]:
        return {host.name: host for host in self.own_hosts}

    @cached_property
    def names(self) -> Mapping[str, ServerName]:
        """What the `https` claims with hosts allow, by host; none where a stream is opened."""
        if self.stream:
            return {}
        own = {name.host: name for name in self.own_names}
        return dict(sorted({**self.around.names, **own}.items())) if self.around else own

    @cached_property
    def hosts(self) -> Mapping[str, VirtualHost]:
        """What the `http` claims allow, by host; none where a stream is opened."""
        if self.stream:
            return {}
        own = self._own_hosts
        return dict(sorted({**self.around.hosts, **own}.items())) if self.around else own

    @property
    def server_names(self) -> tuple[ServerName, ...]:
        """What the `https` claims with hosts allow, sorted; none where a stream is opened."""
        return tuple(self.names.values())

    @property
    def virtual_hosts(self) -> tuple[VirtualHost, ...]:
        """What the `http` claims allow, sorted by host; none where a stream is opened."""
        return tuple(self.hosts.values())


@frozen
class PortPolicy:
    """Everything that is decided on one destination port, in the order of the config.

    Attributes:
        mesh: the in-mesh matches.
        groups: the range groups of egress, the one without ranges last.
        outside: the clusters of the outside hosts that requests go to, by name.
    """

    port: int
    mesh: tuple[MeshMatch, ...]
    groups: tuple[EgressGroup, ...]
    outside: tuple[Cluster, ...]

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """Those of the outside hosts, and of the server names of each group, by name."""
        found = {cluster.name: cluster for cluster in self.outside}
        ends: dict[str, Endpoint] = {}
        for group in self.groups:
            if group.names and group.any_tls is None:
                name = group.tls_cluster
                listed = [ends.get(it) or ends.setdefault(it, Endpoint(it, self.port)) for it in group.names]
                found[name] = Cluster(name, tuple(listed), next(iter(group.names.values())).rule)
        return tuple([found[name] for name in sorted(found)])


LOOPBACK = (Prefix("0.0.0.0/32"), Prefix("127.0.0.0/8"))  # what leaves by `lo` is never redirected


@frozen
class Interception:
    """Which connections the sidecar never sees; each entry with the place where it was written.

    Attributes:
        excluded: ranges that pass by it.
        included: ranges outside of which everything passes by it; none: there is no such list.
        excluded_ports: ports that pass by it.
        own: the addresses of the pod itself, which leave by the loopback interface.
        without: the field by which the pod has no sidecar at all, if it has none; then nothing else counts.
        why: why it has none.
        interfaces: network interfaces by which connections pass by it: which one a connection takes, no
            address tells.
        unproven: why nothing here is proven, where no sidecar is in the pod and yet it is intercepted.
        apart: a pod of each kind, where those of an account are not intercepted alike: then the lists are
            those of the mesh alone, and decide for none of them.
    """

    excluded: tuple[tuple[Prefix, FieldRef], ...] = ()
    included: tuple[tuple[Prefix, FieldRef], ...] = ()
    excluded_ports: tuple[tuple[int, FieldRef], ...] = ()
    own: tuple[Prefix, ...] = ()
    without: FieldRef | None = None
    why: str = ""
    interfaces: tuple[tuple[str, FieldRef], ...] = ()
    unproven: str = ""
    apart: tuple[Pods, ...] = field(default=(), eq=False)

    @property
    def local(self) -> tuple[Prefix, ...]:
        """What leaves by the loopback interface, whatever the lists say."""
        return (*LOOPBACK, *self.own)


@frozen
class Gateway:
    """A service that egress is tunnelled through: its weight, mode and endpoints."""

    name: str
    weight: int
    mode: str
    endpoints: tuple[Endpoint, ...]


@frozen
class Forward:
    """The egress gateways of the mesh; those without endpoints carry nothing."""

    gateways: tuple[Gateway, ...]
    rule: FieldRef


@frozen
class SidecarSpec:
    """What the sidecar is told besides the policy; times in seconds."""

    log_level: str
    timeout: int
    enable_egress: bool
    http1_per_request_load_balancing: bool
    http2_per_request_load_balancing: bool
    enable_sidecar_active_health_checks: bool
    enable_auto_default_route: bool
    compress_config: bool
    tracing: FrozenMap[str] | None
    remote_logging: FrozenMap[str | int] | None = field(repr=False)  # it holds a credential
    cluster_set: FrozenMap[str] | None
    chains: FrozenMap[tuple[str, ...]]

    def without_secrets(self) -> SidecarSpec:
        """The same without the credential."""
        if self.remote_logging is None:
            return self
        credential = unless_empty(str(self.remote_logging["authorization"]))
        return evolve(self, remote_logging=FrozenMap({**self.remote_logging, "authorization": credential}))


@frozen
class OutboundPolicy(Shown):
    """All that governs the outbound connections of one identity.

    Attributes:
        identity: whose connections.
        spec: switches and settings, mesh-wide.
        switch: the field `spec.traffic.enableEgress` that decides about what no rule claims.
        interception: what the sidecar never sees.
        clusters: those of the services inside the mesh, by name.
        ports: one policy a port, by port number.
        forward: the egress gateways, where a usable resource names any.
        forwarded: whether egress rules name the gateways at all (`EgressForwardGateway`).
        findings: what was left out or cannot be honoured.
        lost: the documents that could not be read, for which it may be another.
    """

    identity: Subject
    spec: SidecarSpec
    switch: FieldRef
    interception: Interception
    clusters: tuple[Cluster, ...]
    ports: tuple[PortPolicy, ...]
    forward: Forward | None
    forwarded: bool
    findings: tuple[Finding, ...]
    lost: tuple[Loss, ...] = ()

    @property
    def conditions(self) -> tuple[Finding, ...]:
        """What the mesh uses and this library does not model: what is decided stands under these."""
        return tuple(it for it in self.findings if it.code is Code.NOT_MODELLED)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims of Egress policies, by port."""
        groups = (group for port in self.ports for group in port.groups)
        return tuple(dict.fromkeys(claim for group in groups for claim in group.claims))

    def table(self) -> Table:
        """What a notebook shows of it: a row for each claim of an Egress policy."""
        rows = tuple(
            (
                str(claim.port),
                claim.protocol.value,
                listed(claim.prefixes),
                listed(claim.hosts),
                str(len(claim.routes) or "-"),
                str(claim.rule),
            )
            for claim in self.claims
        )
        columns = ("port", "protocol", "addresses", "hosts", "routes", "rule")
        return Table(repr(self)[1:-1], columns, rows)

    def __repr__(self) -> str:
        counts = {"port": len(self.ports), "finding": len(self.findings)}
        said = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
        return f"<OutboundPolicy of {self.identity}: {said}>"
