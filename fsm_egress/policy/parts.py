"""What a policy is made of: endpoints, clusters, routes, hosts, in-mesh matches and claims.

Each part knows the resource and field that it came from.
"""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import Any, TypeAlias

from attrs import field

from ..patterns import Pattern
from ..resources.egress import ConnectionSettings, RetryPolicy
from ..resources.words import Protocol
from ..values.construction import frozen
from ..values.frozen import EMPTY, FrozenMap
from ..values.net import Prefix
from ..values.references import FieldRef
from ..values.secrecy import unless_empty

__all__ = [
    "Claim",
    "Cluster",
    "Endpoint",
    "Growth",
    "HTTPRoute",
    "MeshMatch",
    "Owner",
    "Place",
    "RouteKey",
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


Place: TypeAlias = tuple[str, str, int]
"""The namespace and name of a policy, and which of its ports it is."""
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

    @cached_property
    def leads_to(self) -> frozenset[str]:
        """The names of all clusters that it leads to."""
        routes = (route for host in self.virtual_hosts for route in host.routes)
        return frozenset(it.name for it in chain(self.clusters, *(route.clusters for route in routes)))


@frozen
class Claim:
    """One port of one Egress policy: what it claims, and what it allows there.

    Attributes:
        rule: `spec.ports[i]` of the policy.
        prefixes: the addresses it claims, sorted; empty for every address.
        hosts: of an `http` or `https` port, sorted.
        broken: the policy's certificate is missing, so that it claims but allows nothing.
        place: by what the claims of a port are in order.
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
    place: Place = field(default=("", "", 0), kw_only=True, eq=False, repr=False)  # as the rule says it, too

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """Where requests to each of its hosts would go, were it the first that names them."""
        port, more = self.port, (self.rule, self.connection_settings, None, self.source_cert)
        return tuple([Cluster(f"{host}:{port}", (Endpoint(host, port),), *more) for host in self.hosts])
