"""Hypothesis strategies for meshes, policies and connections: to test policies, and whatever reads them.

Ten lines test somebody's own policies (the extra `hypothesis` brings what they need):

    >>> from hypothesis import given, settings
    >>> import fsm_egress as fe
    >>> from fsm_egress import strategies as fst
    >>> mesh = fe.load("examples/egress-demo/mesh-config.yaml", "examples/egress-demo/http.yaml")
    >>> engine = fe.compile(mesh, "curl.curl")
    >>> @given(fst.connections_near(mesh, "curl.curl"))
    ... @settings(max_examples=50, database=None)
    ... def test_only_httpbin_is_reached(connection):
    ...     decision = engine.classify(connection)
    ...     if decision.verdict is fe.Verdict.EGRESS_POLICY:
    ...         assert connection.sends.authority in {"httpbin.org", "httpbin.org:80"}
    >>> test_only_httpbin_is_reached()

What is drawn is made to collide: few ports, hosts, names and prefixes, so that rules meet. Examples shrink to
few and plain resources. Where this package is installed, Hypothesis knows its types: it draws
`st.from_type(fe.Connection)` without a word.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..connections.connection import Connection, HTTPRequest, Payload, Sends, TLSClientHello
from ..connections.decision import Reason, Verdict
from ..patterns.automata import Texts, Undecided, witness
from ..resolution import resolve
from ..resources.checks import LAST_PORT
from ..resources.core import Endpoints, Namespace, Pod, Secret, Service, ServiceAccount
from ..resources.egress import EgressGateway, EgressPolicy, Retry, UpstreamTrafficSetting
from ..resources.meshconfig import MeshConfig
from ..resources.resource import ServiceIdentity
from ..resources.smi import HTTPRouteGroup, TrafficSplit, TrafficTarget
from ..snapshot import Snapshot, load
from ..values.errors import InvalidValue, LoadError, MissingExtra
from ..values.net import GAP_END, GAP_START, IPV6_START, LAST_KEY, Address, Prefix

try:
    from hypothesis import strategies as st
except ImportError:
    raise MissingExtra("fsm_egress.strategies", "hypothesis") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hypothesis.strategies import SearchStrategy

    from ..patterns import Pattern
    from ..policy import HTTPRoute, OutboundPolicy, VirtualHost
    from ..resources.resource import Resource

__all__ = [
    "addresses",
    "connections",
    "connections_near",
    "documents",
    "egress_policies",
    "hosts",
    "http_route_groups",
    "identities",
    "invalid_documents",
    "mesh_configs",
    "meshes",
    "ports",
    "prefixes",
    "requests",
]

T = TypeVar("T")
Tree: TypeAlias = dict[str, Any]

PORTS = (80, 443, 8080, 3306)
HOSTS = ("a.com", "b.com", "c.org")
NAMES = ("a", "b", "c")
SPACES = ("curl", "shop")
PREFIXES = (
    "54.0.0.0/8",
    "54.9.0.0/16",
    "54.9.9.9/32",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "2001:db8::/32",
    "2001:db8::5/128",
    "::/0",
)
PATHS = ("/", "/get", "/v1/items/7", "/get?x=1", "/x?u=/get")
PATTERNS = ("/get", "^/v1/", "^/get$", ".*", "/items/[0-9]+")
METHODS = ("GET", "POST", "PUT", "DELETE", "TRACE", "PURGE")
HEADERS = ("x-env", "x-tenant")
VALUES = ("prod", "dev", "7")
PROTOCOLS = ("http", "https", "tcp", "tcp-server-first")
POLICY, ROUTES, ACCESS, SPLIT = (
    "policy.flomesh.io/v1alpha1",
    "specs.smi-spec.io/v1alpha4",
    "access.smi-spec.io/v1alpha3",
    "split.smi-spec.io/v1alpha4",
)


# --- parts -----------------------------------------------------------------------------------------------


def addresses(*, version: int | None = None) -> SearchStrategy[Address]:
    """IP addresses, simple ones first; an IPv4 address mapped into IPv6 is that IPv4 address.

    Args:
        version: 4 or 6; None for both.
    """
    ipv4 = st.integers(0, IPV6_START - 1)
    ipv6 = st.integers(IPV6_START, GAP_START - 1) | st.integers(GAP_END, LAST_KEY)
    keys = {4: ipv4, 6: ipv6, None: ipv4 | ipv6}
    if version not in keys:
        raise InvalidValue.of("4, 6 or None", version)
    return keys[version].map(Address.from_key)


def prefixes(*, version: int | None = None) -> SearchStrategy[Prefix]:
    """Ranges of addresses, of any length."""

    def around(address: Address) -> SearchStrategy[Prefix]:
        lengths = st.integers(0, Prefix.host(address).length)
        return lengths.map(lambda length: Prefix.around(address, length))

    return addresses(version=version).flatmap(around)


def ports() -> SearchStrategy[int]:
    """Port numbers: those that meshes of this room have, or any other."""
    return st.sampled_from(PORTS) | st.integers(1, LAST_PORT)


def hosts() -> SearchStrategy[str]:
    """Hosts in lower case: those that meshes of this room have, or others."""
    label = st.from_regex(r"[a-z]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
    return st.sampled_from(HOSTS) | st.builds("{}.{}".format, label, st.sampled_from(("com", "org", "net")))


def identities() -> SearchStrategy[ServiceIdentity]:
    """The identities that meshes of this room have."""
    return st.builds(ServiceIdentity, st.sampled_from(NAMES), st.sampled_from(SPACES))


def requests(
    hosts_: SearchStrategy[str] | None = None, paths: SearchStrategy[str] | None = None
) -> SearchStrategy[HTTPRequest]:
    """HTTP requests.

    Args:
        hosts_: what Hosts are drawn from; by default `hosts`.
        paths: what paths are drawn from.
    """
    headers = st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(VALUES), max_size=2)
    return st.builds(
        HTTPRequest,
        st.sampled_from(METHODS),
        hosts() if hosts_ is None else hosts_,
        st.sampled_from(PATHS) if paths is None else paths,
        headers,
    )


def connections() -> SearchStrategy[Connection]:
    """Connections of any kind, to anywhere; `connections_near` aims at a mesh."""
    return st.builds(Connection, addresses(), ports(), _payloads(hosts(), requests()))


def _payloads(names: SearchStrategy[str], sent: SearchStrategy[HTTPRequest]) -> SearchStrategy[Payload]:
    plain: SearchStrategy[Payload] = st.sampled_from((Sends.BYTES, Sends.NOTHING, Sends.DATAGRAM))
    return plain | st.builds(TLSClientHello, st.none() | names) | sent


# --- connections near a mesh -----------------------------------------------------------------------------


def connections_near(mesh: Snapshot, identity: ServiceIdentity | str) -> SearchStrategy[Connection]:
    """Connections of an identity that its rules tell apart, and their neighbours.

    They go to ports that are named or the next ones, to the first and last address of each range or the ones
    beside, for hosts that are listed or nearly so, with methods, paths and headers that routes ask for.

    Args:
        mesh: the resources.
        identity: `name.namespace`.

    Raises:
        InvalidValue: the text is no identity.
    """
    policy = resolve(mesh, identity)
    routes = list(_routes(policy))
    names = _some([*_listed_hosts(policy), *HOSTS[:1]])
    sent = st.builds(
        HTTPRequest,
        _some([*chain.from_iterable(route.methods for route in routes), *METHODS]),
        names.flatmap(_spelled),
        _some([*filter(None, (_found(route.path, Texts.PATH) for route in routes)), *PATHS]),
        st.fixed_dictionaries({}, optional=_headers(routes)),
    )
    places = [_edges(prefix) for prefix in _ranges(policy)]
    keys = _some([*chain.from_iterable(places), Address("9.9.9.9").key, Address("2001:db8::9").key])
    numbers = [number for port in policy.ports for number in (port.port, port.port + 1)]
    anywhere = st.builds(
        Connection,
        keys.map(Address.from_key),
        _some([*(number for number in numbers if number <= LAST_PORT), *PORTS[:1]]),
        _payloads(names.map(_as_server_name), sent),
    )
    aims = list(dict.fromkeys(_aims(policy)))
    if not aims:
        return anywhere
    aimed = st.sampled_from(aims)
    return aimed | st.builds(_mixed, aimed, anywhere, st.sampled_from(_PARTS)) | anywhere


_PARTS = ("destination", "port", "sends", "method", "host", "path", "headers")


def _mixed(aim: Connection, other: Connection, part: str) -> Connection:
    """What a rule is there for, but for one part."""
    if hasattr(aim, part):
        return aim.replace(**{part: getattr(other, part)})
    if isinstance(aim.sends, HTTPRequest) and isinstance(other.sends, HTTPRequest):
        return aim.replace(sends=aim.sends.replace(**{part: getattr(other.sends, part)}))
    return other


def _aims(policy: OutboundPolicy) -> Iterator[Connection]:
    """A connection for each rule, host and route: what it is there for, where that is known."""
    for port in policy.ports:
        for match in port.mesh:
            for owner in match.owners[:1]:
                payloads: list[Payload] = [Sends.BYTES, *_asked(match.virtual_hosts)]
                for payload in payloads:
                    yield Connection(owner.prefix.network, port.port, payload)
        for group in port.groups:
            place = group.prefixes[0].network if group.prefixes else Address("9.9.9.9")
            names = (host for claim in group.claims for host in claim.hosts)
            named = map(TLSClientHello, names)
            opened: list[Payload] = [Sends.BYTES, *named, *_asked(group.virtual_hosts)]
            for payload in opened:
                yield Connection(place, port.port, payload)


def _asked(hosts_: Iterable[VirtualHost]) -> Iterator[HTTPRequest]:
    """A request for each route of these hosts."""
    for host in hosts_:
        for route in host.routes:
            path = _found(route.path, Texts.PATH)
            headers = {
                name: _found(pattern, Texts.VALUE) for name, pattern in route.headers if name != "host"
            }
            if path is not None and None not in headers.values():
                method = route.methods[0] if route.methods else "GET"
                given = {name: text for name, text in headers.items() if text}
                yield HTTPRequest(method, min(host.hostnames), path, given)


def _some(values: Iterable[T]) -> SearchStrategy[T]:
    return st.sampled_from(list(dict.fromkeys(values)))


def _virtual_hosts(policy: OutboundPolicy) -> Iterator[VirtualHost]:
    for port in policy.ports:
        for match in port.mesh:
            yield from match.virtual_hosts
        for group in port.groups:
            yield from group.virtual_hosts


def _routes(policy: OutboundPolicy) -> Iterator[HTTPRoute]:
    for host in _virtual_hosts(policy):
        yield from host.routes


def _listed_hosts(policy: OutboundPolicy) -> Iterator[str]:
    for host in _virtual_hosts(policy):
        yield from host.hostnames
    for port in policy.ports:
        for group in port.groups:
            for claim in group.claims:
                yield from claim.hosts


def _spelled(host: str) -> SearchStrategy[str]:
    """A host as it is listed, or nearly so."""
    return st.sampled_from(
        (
            host,
            host,
            host.upper(),
            f"{host.partition(':')[0]}:80",
            f"www.{host}",
            f"{host}.",
            "other.example",
            "",
        )
    )


def _as_server_name(host: str) -> str:
    return host.partition(":")[0]


def _ranges(policy: OutboundPolicy) -> Iterator[Prefix]:
    for port in policy.ports:
        yield from (owner.prefix for match in port.mesh for owner in match.owners)
        for group in port.groups:
            yield from group.prefixes
    excluded, included = policy.interception.excluded, policy.interception.included
    yield from (prefix for prefix, _ in (*excluded, *included))


def _edges(prefix: Prefix) -> Iterator[int]:
    """The first and the last address of a range, and the ones beside."""
    first, last = prefix.network.key, prefix.last
    near = (first, last, first - 1, last + 1)
    return (key for key in near if 0 <= key <= LAST_KEY and not GAP_START <= key < GAP_END)


def _found(pattern: Pattern, texts: Texts) -> str | None:
    """The smallest text in which a pattern is found, where that is known."""
    try:
        return witness([(pattern, True)], texts)
    except Undecided:
        return None


def _headers(routes: Iterable[HTTPRoute]) -> dict[str, SearchStrategy[str]]:
    """A strategy for each header that a route asks for."""
    asked: dict[str, list[str]] = {name: list(VALUES) for name in HEADERS[:1]}
    for route in routes:
        for name, pattern in route.headers:
            text = _found(pattern, Texts.VALUE)
            asked.setdefault(name, list(VALUES)).extend([text] if text else [])
    asked.pop("host", None)
    return {name: _some(values) for name, values in asked.items()}


# --- documents and resources -----------------------------------------------------------------------------


def _resource(
    group: str, kind: str, content: SearchStrategy[Tree], *, space: str | None = None
) -> SearchStrategy[Tree]:
    """A document of this kind, with a name that others may have, too."""

    def made(name: str, namespace: str, parts: Tree) -> Tree:
        return {
            "apiVersion": group,
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            **parts,
        }

    spaces = st.sampled_from(SPACES) if space is None else st.just(space)
    return st.builds(made, st.sampled_from(NAMES), spaces, content)


def _spec(**fields: SearchStrategy[Any]) -> SearchStrategy[Tree]:
    """A spec of these fields, each of which may be missing, but for what is required."""
    return st.fixed_dictionaries(fields).map(
        lambda found: {"spec": {key: value for key, value in found.items() if value not in (None, [], {})}}
    )


def _few(values: Sequence[Any], least: int = 0, most: int = 2) -> SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True)


_ACCOUNTS = st.builds(
    lambda name, space: {"kind": "ServiceAccount", "name": name, "namespace": space},
    st.sampled_from(NAMES),
    st.sampled_from(SPACES),
)
_EGRESS_PORTS = st.builds(
    lambda number, protocol: {"number": number, "protocol": protocol},
    st.sampled_from(PORTS),
    st.sampled_from(PROTOCOLS),
)
_MATCHES = st.builds(
    lambda name, path, methods, headers: {
        "name": name,
        **({"pathRegex": path} if path else {}),
        "methods": methods,
        **({"headers": [headers]} if headers else {}),
    },
    st.sampled_from(NAMES),
    st.none() | st.sampled_from(PATTERNS),
    st.just(["*"]) | _few(METHODS[:4], 1),
    st.none() | st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(VALUES), min_size=1, max_size=1),
)
_GROUPS = st.builds(
    lambda name: {"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": name}, st.sampled_from(NAMES)
)


def _egress_documents() -> SearchStrategy[Tree]:
    return _resource(
        POLICY,
        "Egress",
        _spec(
            sources=st.lists(_ACCOUNTS, min_size=1, max_size=2),
            ports=st.lists(_EGRESS_PORTS, min_size=1, max_size=2),
            hosts=_few(HOSTS),
            ipAddresses=_few(PREFIXES),
            matches=st.lists(_GROUPS, max_size=1),
        ),
    )


def _route_group_documents() -> SearchStrategy[Tree]:
    unique = st.lists(_MATCHES, min_size=1, max_size=2, unique_by=lambda match: match["name"])
    return _resource(ROUTES, "HTTPRouteGroup", _spec(matches=unique))


def _mesh_config_documents() -> SearchStrategy[Tree]:
    traffic = st.fixed_dictionaries(
        {
            "enableEgress": st.booleans(),
            "enablePermissiveTrafficPolicyMode": st.booleans(),
            "outboundIPRangeExclusionList": _few(PREFIXES[:5], 0, 1),
            "outboundPortExclusionList": _few(PORTS, 0, 1),
        }
    )
    return traffic.map(
        lambda found: {
            "apiVersion": "config.flomesh.io/v1alpha3",
            "kind": "MeshConfig",
            "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
            "spec": {
                "traffic": {key: value for key, value in found.items() if value != []},
                "featureFlags": {"enableEgressPolicy": True},
            },
        }
    )


def _service_documents() -> SearchStrategy[list[Tree]]:
    """A Service and its Endpoints."""

    def made(name: str, space: str, address: str, number: int, protocol: str) -> list[Tree]:
        port = {"name": f"{protocol}-port", "port": number}
        metadata = {"name": name, "namespace": space}
        return [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"clusterIP": address, "ports": [port]},
            },
            {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": metadata,
                "subsets": [{"addresses": [{"ip": "10.1.0.1"}], "ports": [port]}],
            },
        ]

    return st.builds(
        made,
        st.sampled_from(NAMES),
        st.sampled_from(SPACES),
        st.sampled_from(("10.96.0.1", "10.96.0.2", "54.9.9.9")),
        st.sampled_from(PORTS),
        st.sampled_from(("http", "tcp")),
    )


_PLAIN: dict[str, Tree] = {
    "Namespace": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "curl"}},
    "ServiceAccount": {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "a", "namespace": "curl"},
    },
    "Pod": {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {"serviceAccountName": "a"},
    },
    "Secret": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "curl"}},
    "EgressGateway": {
        "apiVersion": POLICY,
        "kind": "EgressGateway",
        "metadata": {"name": "a", "namespace": "fsm"},
        "spec": {"global": [{"service": "a", "namespace": "curl"}]},
    },
    "UpstreamTrafficSetting": {
        "apiVersion": POLICY,
        "kind": "UpstreamTrafficSetting",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {"host": "a.com", "connectionSettings": {"tcp": {"maxConnections": 1}}},
    },
    "Retry": {
        "apiVersion": POLICY,
        "kind": "Retry",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {
            "source": {"kind": "ServiceAccount", "name": "a", "namespace": "curl"},
            "destinations": [{"kind": "Service", "name": "a", "namespace": "curl"}],
            "retryPolicy": {"retryOn": "5xx", "numRetries": 1, "retryBackoffBaseInterval": "1s"},
        },
    },
    "TrafficSplit": {
        "apiVersion": SPLIT,
        "kind": "TrafficSplit",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {"service": "a", "backends": [{"service": "b", "weight": 1}]},
    },
    "TrafficTarget": {
        "apiVersion": ACCESS,
        "kind": "TrafficTarget",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {
            "destination": {"kind": "ServiceAccount", "name": "a", "namespace": "curl"},
            "sources": [{"kind": "ServiceAccount", "name": "b", "namespace": "curl"}],
        },
    },
}


def documents() -> SearchStrategy[Tree]:
    """Valid documents of every kind, as mappings in wire names."""
    pairs = _service_documents()
    return st.one_of(
        _egress_documents(),
        _route_group_documents(),
        _mesh_config_documents(),
        pairs.map(lambda pair: pair[0]),
        pairs.map(lambda pair: pair[1]),
        *(_renamed(tree) for tree in _PLAIN.values()),
    )


def _renamed(tree: Tree) -> SearchStrategy[Tree]:
    return st.sampled_from(NAMES).map(lambda name: {**tree, "metadata": {**tree["metadata"], "name": name}})


def invalid_documents() -> SearchStrategy[Tree]:
    """Documents that the strict load refuses: valid ones in which one thing has been spoiled."""
    return (
        st.tuples(documents(), st.sampled_from(_SPOILING), st.randoms(use_true_random=False))
        .map(lambda drawn: drawn[1](drawn[0], drawn[2]))
        .filter(_is_refused)
    )


def _is_refused(tree: Tree) -> bool:
    try:
        load(tree)
    except LoadError:
        return True
    return False


def _without_name(tree: Tree, _: Any) -> Tree:
    return {**tree, "metadata": {key: value for key, value in tree["metadata"].items() if key != "name"}}


def _with_unknown_key(tree: Tree, _: Any) -> Tree:
    return {**tree, "spec": {**tree.get("spec", {}), "unknwon": 1}}


def _with_wrong_type(tree: Tree, random: Any) -> Tree:
    spec = dict(tree.get("spec", {"a": 1}))
    spec[random.choice(sorted(spec) or ["a"])] = random.choice([17, "text", [None], {"a": {}}])
    return {**tree, "spec": spec}


def _with_bad_name(tree: Tree, _: Any) -> Tree:
    return {**tree, "metadata": {**tree["metadata"], "name": "Not A Name"}}


_SPOILING: tuple[Callable[[Tree, Any], Tree], ...] = (
    _without_name,
    _with_unknown_key,
    _with_wrong_type,
    _with_bad_name,
)


def _one(kind: type[T], trees: SearchStrategy[Tree]) -> SearchStrategy[T]:
    """The resource that a document is."""

    def made(tree: Tree) -> T:
        (found,) = load(tree).kind(kind)  # type: ignore[type-var]  # every kind here is a resource
        return found

    return trees.map(made)


def egress_policies() -> SearchStrategy[EgressPolicy]:
    """Egress policies."""
    return _one(EgressPolicy, _egress_documents())


def http_route_groups() -> SearchStrategy[HTTPRouteGroup]:
    """Groups of HTTP routes, such as Egress policies name."""
    return _one(HTTPRouteGroup, _route_group_documents())


def mesh_configs() -> SearchStrategy[MeshConfig]:
    """MeshConfigs, with the egress policies in force."""
    return _one(MeshConfig, _mesh_config_documents())


def meshes(*, max_policies: int = 3) -> SearchStrategy[Snapshot]:
    """Meshes whose rules meet: a MeshConfig, policies, route groups and services.

    Args:
        max_policies: how many Egress policies there are at most.
    """
    return st.builds(
        _mesh,
        _mesh_config_documents(),
        st.lists(_egress_documents(), max_size=max_policies),
        st.lists(_route_group_documents(), max_size=2),
        st.lists(_service_documents(), max_size=2).map(chain.from_iterable),
    )


def _mesh(config: Tree, *parts: Iterable[Tree]) -> Snapshot:
    """The mesh of these documents; of several with the same name the last one counts."""
    trees = {
        (tree["kind"], tree["metadata"]["namespace"], tree["metadata"]["name"]): tree
        for tree in chain([config], *parts)
    }
    return load(list(trees.values()))


# --- what Hypothesis knows -------------------------------------------------------------------------------


_OTHERS: tuple[type[Resource], ...] = (
    Namespace,
    ServiceAccount,
    Pod,
    Secret,
    EgressGateway,
    UpstreamTrafficSetting,
    Retry,
    TrafficSplit,
    TrafficTarget,
)


def _lazily(strategy: Callable[[], SearchStrategy[Any]]) -> Callable[[type[Any]], SearchStrategy[Any]]:
    return lambda _: strategy()


def _among_services(kind: type[Any]) -> Callable[[], SearchStrategy[Any]]:
    index = (Service, Endpoints).index(kind)
    return lambda: _one(kind, _service_documents().map(lambda pair: pair[index]))


def _of_plain(kind: type[Any]) -> Callable[[], SearchStrategy[Any]]:
    return lambda: _one(kind, _renamed(_PLAIN[kind.__name__]))


def _register() -> None:
    """Tell Hypothesis of the types of this package."""
    simple: dict[type[Any], Callable[[], SearchStrategy[Any]]] = {
        Address: addresses,
        Prefix: prefixes,
        ServiceIdentity: identities,
        HTTPRequest: requests,
        TLSClientHello: lambda: st.builds(TLSClientHello, st.none() | hosts()),
        Connection: connections,
        EgressPolicy: egress_policies,
        HTTPRouteGroup: http_route_groups,
        MeshConfig: mesh_configs,
        Snapshot: meshes,
        Verdict: lambda: st.sampled_from(Verdict),
        Reason: lambda: st.sampled_from(Reason),
    }
    for kind, strategy in simple.items():
        st.register_type_strategy(kind, _lazily(strategy))
    for kind in (Service, Endpoints):
        st.register_type_strategy(kind, _lazily(_among_services(kind)))
    for kind in _OTHERS:
        st.register_type_strategy(kind, _lazily(_of_plain(kind)))


_register()
