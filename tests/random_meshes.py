"""Random meshes as plain documents, and connections that meet them: made to collide, not to be plausible.

Services and policies share a handful of ports, hosts and addresses, and prefixes lie inside one another, so
that most connections are claimed by more than one of them. Every document is valid for the strict load. What
the pages leave open is not drawn: Endpoints are hostnamed wholly or not at all, the pods of a namespace have
addresses of their own and the labels of every service that lists them. A split that names a backend twice,
plugins, and services of other clusters are in `meshes_and_more`.

Drawing is kept apart from building: the strategies are made once and draw plain choices, functions turn these
into documents. What repeats in a tuple of choices is likelier; what is likeliest comes first.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from hypothesis import strategies as st
from iptables import rules_of, shell_argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from hypothesis.strategies import SearchStrategy

Document: TypeAlias = dict[str, Any]
Documents: TypeAlias = list[Document]
PortPair: TypeAlias = tuple[Document, Document | None]  # of a service, and of its Endpoints
Aim: TypeAlias = tuple[str, int, tuple[str, ...]]  # destination, port, hosts

IDENTITIES = ("curl.curl", "wget.curl", "job.batch")
PORTS = (80, 443, 8080, 25, 14001)
PREFIXES = (
    "54.0.0.0/8",
    "54.9.0.0/16",
    "0.0.0.0/0",
    "54.9.9.9/32",
    "10.0.0.0/8",
    "54.9.1.1/16",  # host bits set: the network counts
    "2001:db8::/32",
    "::/0",
    "2001:db8::5/128",
)
HOSTS = ("a.com", "b.com", "c.org", "httpbin.org")

CLUSTER_IPS = ("10.96.0.1", "10.96.0.2", "54.9.9.9", "10.0.0.1", "2001:db8::5")
POD_IPS = ("10.0.0.1", "10.0.0.2", "10.0.0.3", "54.9.1.1", "2001:db8::6")
OUTSIDE = (
    "54.9.9.8",
    "203.0.113.77",
    "54.1.1.1",
    "9.9.9.9",
    "2001:db9::1",
    "10.200.0.1",
    "2001:db8::7",
    "127.0.0.1",
    "127.0.0.2",
    "::ffff:54.9.9.9",  # an IPv4 address in disguise
)
DESTINATIONS = tuple(dict.fromkeys((*CLUSTER_IPS, *POD_IPS, *OUTSIDE)))

SERVICES = ("web", "api", "web-v1", "web-v2")
SERVICE_NAMESPACES = ("shop", "curl", "data")
POLICY_NAMESPACES = ("curl", "shop")

FLOMESH = "policy.flomesh.io/v1alpha1"
LEGACY = "policy.openservicemesh.io/v1alpha1"
ROUTES = "specs.smi-spec.io/v1alpha4"


# How to draw


def one_in(times: int, other: SearchStrategy[Any], usual: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """What is usual, but one time in so many something else."""
    return st.integers(1, times).flatmap(lambda turn: usual if turn < times else other)


def fields(**values: SearchStrategy[Any]) -> SearchStrategy[Document]:
    """A mapping of these fields; one whose value is drawn as None is not written."""
    return st.fixed_dictionaries(values).map(
        lambda drawn: {key: value for key, value in drawn.items() if value is not None}
    )


def some(
    choices: Sequence[Any] | SearchStrategy[Any], least: int, most: int, *, unique: bool = False
) -> SearchStrategy[list[Any]]:
    strategy = choices if isinstance(choices, st.SearchStrategy) else st.sampled_from(choices)
    return st.lists(strategy, min_size=least, max_size=most, unique=unique)


def distinct(resources: SearchStrategy[Document], least: int, most: int) -> SearchStrategy[Documents]:
    """Resources, each in a place of its own."""
    return st.lists(resources, min_size=least, max_size=most).map(
        lambda drawn: list({place(document): document for document in drawn}.values())
    )


# Building and taking apart


def resource(group: str, kind: str, space: str, name: str, **content: Any) -> Document:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": space}, **content}


def account(identity: str) -> Document:
    name, _, space = identity.partition(".")
    return {"kind": "ServiceAccount", "name": name, "namespace": space}


def place(document: Document) -> tuple[str, str]:
    return document["metadata"].get("namespace", ""), document["metadata"]["name"]


def ready(endpoints: Document) -> Documents:
    return [item for subset in endpoints["subsets"] for item in subset.get("addresses", [])]


@lru_cache(maxsize=1024)
def holds(prefix: str, ip: str) -> bool:
    return ip_address(ip.removeprefix("::ffff:")) in ip_network(prefix, strict=False)


# The mesh's settings


def mesh_config(version: str, spec: Document) -> Document:
    return resource(f"config.flomesh.io/{version}", "MeshConfig", "fsm-system", "fsm-mesh-config", spec=spec)


SWITCH = st.sampled_from((None, True, False))
RANGES = one_in(16, st.sampled_from((["10.0.0.0/8"], ["54.9.9.9/32", "198.51.100.7"])), st.none())
WILDCARDS = st.builds(
    lambda ips, enable: {
        "localDNSProxy": {"enable": enable, "wildcard": {"enable": True, "ips": [{"ipv4": ip} for ip in ips]}}
    },
    st.sampled_from((["203.0.113.77"], ["54.9.9.9", "10.0.0.2"], [""], ["127.0.0.2", "54.1.1.1"])),
    st.sampled_from((True, True, True, False)),
)
MESH_CONFIGS = st.builds(
    mesh_config,
    st.sampled_from(("v1alpha3", "v1alpha2", "v1alpha1")),
    fields(
        traffic=fields(
            enableEgress=SWITCH,
            enablePermissiveTrafficPolicyMode=st.sampled_from((True, True, True, True, False, None)),
            outboundIPRangeExclusionList=RANGES,
            outboundIPRangeInclusionList=RANGES,
            outboundPortExclusionList=one_in(16, st.sampled_from(([25], [14001, 25])), st.none()),
            serviceAccessMode=st.sampled_from((None, "mixed", "ip", "domain")),
            serviceAccessNames=fields(
                mustWithServicePort=SWITCH, withTrustDomain=SWITCH, mustWithNamespace=SWITCH
            ),
        ),
        featureFlags=fields(
            enableEgressPolicy=st.sampled_from((None, None, None, True, True, True, True, False)),
            enableAutoDefaultRoute=SWITCH,
            enableRetryPolicy=SWITCH,
            enableSidecarPrettyConfig=one_in(6, st.just(False), st.sampled_from((None, True))),
        ),
        sidecar=one_in(8, WILDCARDS, st.none()),
    ),
)


def monitored_namespace(name: str, label: str, excluded: str | None = None, mesh: str = "fsm") -> Document:
    metadata: Document = {"name": name, "labels": {label: mesh}}
    if excluded is not None:
        metadata["annotations"] = {"flomesh.io/service-exclusion-list": excluded}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


NAMESPACES = st.builds(
    monitored_namespace,
    st.sampled_from((*SERVICE_NAMESPACES, "fsm")),
    st.sampled_from(("flomesh.io/monitored-by", "flomesh.io/monitored-by", "team")),
    one_in(3, st.sampled_from(("web", "api, web-v1", "gone")), st.none()),
    st.sampled_from((*["fsm"] * 5, "other")),
)


# Egress policies and what they refer to


CERTIFICATE = {"sn": 1, "subjectAltNames": ["a"], "expiration": "2030-01-01"}
MTLS: tuple[Document, ...] = (
    {"issuer": "FSM"},
    {"issuer": "other", "cert": {**CERTIFICATE, "secret": {"name": "s0", "namespace": "curl"}}},
    {"issuer": "other", "cert": {**CERTIFICATE, "secret": {"name": "s0"}}},
    {"issuer": "other", "cert": {**CERTIFICATE, "secret": {"name": "gone", "namespace": "curl"}}},
    {"issuer": "other"},
)
ACCOUNTS = tuple(account(identity) for identity in ("curl.curl", "curl.curl", *IDENTITIES))
SOURCES = (
    *ACCOUNTS * 8,
    *({**source, "mtls": mtls} for source, mtls in product(ACCOUNTS, MTLS)),
    {**ACCOUNTS[0], "kind": "Group"},
)

PROTOCOLS = ("http", "https", "HTTP", "tcp", "Https", "http", "tcp-server-first", "https", "TCP")
POLICY_PORTS = tuple(
    {"number": number, "protocol": protocol} for number, protocol in product((*PORTS, 80, 443), PROTOCOLS)
)
POLICY_HOSTS = (*HOSTS, "A.com", "B.com", *HOSTS, "*.a.com", "54.9.9.9")

GROUP = {"apiGroup": ROUTES, "kind": "HTTPRouteGroup"}
GROUPS = tuple({**GROUP, "name": name} for name in ("r0", "r1", "gone"))
SETTINGS = tuple(
    {"apiGroup": group, "kind": "UpstreamTrafficSetting", "name": "u0"} for group in (FLOMESH, LEGACY)
)
POLICY_MATCHES = st.sampled_from(
    (
        *[None] * 4,
        *[[]] * 2,
        *([group] for group in GROUPS[:2] * 4),
        *([GROUPS[0], group] for group in GROUPS[1:] * 2),
        [GROUPS[2]],
        *([setting] for setting in SETTINGS),
        [GROUPS[0], SETTINGS[0]],
    )
)


def egress_policy(group: str, space: str, name: str, spec: Document) -> Document:
    return resource(group, "Egress", space, name, spec=spec)


def egress_policies(names: Sequence[str] = ("e0", "e1", "e2")) -> SearchStrategy[Document]:
    """One policy; its sources name one identity or several, its ports any protocol in any letter case."""
    return st.builds(
        egress_policy,
        st.sampled_from((FLOMESH, LEGACY)),
        st.sampled_from(POLICY_NAMESPACES),
        st.sampled_from(names),
        fields(
            sources=some(SOURCES, 1, 3),
            ports=some(POLICY_PORTS, 1, 3),
            hosts=one_in(3, st.sampled_from((None, [])), some(POLICY_HOSTS, 1, 3, unique=True)),
            ipAddresses=some(PREFIXES, 0, 2, unique=True),
            matches=POLICY_MATCHES,
        ),
    )


ROUTE_MATCHES = fields(
    pathRegex=st.sampled_from((None, "/get", "/status.*", "^/v1/", "/g[a-z]+$", ".*")),
    methods=st.sampled_from((*[None] * 4, ["GET"], ["PUT", "GET"], ["*"], ["GET", "*"], ["POST"], ["TRACE"])),
    headers=st.sampled_from(
        (
            *[None] * 6,
            [{"x-env": "^prod"}],
            [{"X-Env": "^prod$"}],
            [{"x-env": "^dev"}, {"x-env": "^prod"}],
            [{"X-ENV": "^dev"}, {"x-env": "^prod"}],
            [{"x-env": "^(prod|dev)"}, {"x-key": "[0-9]"}],
            [{"x-key": "^$"}],
        )
    ),
)


def route_group(space: str, name: str, matches: Documents) -> Document:
    named = [{"name": f"m{index}", **match} for index, match in enumerate(matches)]
    return resource(ROUTES, "HTTPRouteGroup", space, name, spec={"matches": named})


ROUTE_GROUPS = st.builds(
    route_group,
    st.sampled_from(("curl", "shop", "curl", "shop", "data")),
    st.sampled_from(("r0", "r0", "r1")),
    some(ROUTE_MATCHES, 0, 3),
)


def upstream_traffic_setting(space: str) -> Document:
    settings = {"tcp": {"maxConnections": 4, "connectTimeout": "1s"}}
    spec = {"host": "a.com", "connectionSettings": settings}
    return resource(FLOMESH, "UpstreamTrafficSetting", space, "u0", spec=spec)


def secret(space: str) -> Document:
    data = {"ca.crt": "Y2E=", "tls.crt": "Y3J0", "tls.key": "a2V5"}
    return resource("v1", "Secret", space, "s0", data=data)


def retry(number: int) -> Document:
    spec = {
        "source": account("curl.curl"),
        "destinations": [{"kind": "Service", "name": "web", "namespace": "shop"}],
        "retryPolicy": {"retryOn": "5xx", "numRetries": number, "perTryTimeout": "2s"},
    }
    return resource(FLOMESH, "Retry", "curl", "again", spec=spec)


UPSTREAM_TRAFFIC_SETTINGS = st.sampled_from(POLICY_NAMESPACES).map(upstream_traffic_setting)
SECRETS = st.sampled_from(POLICY_NAMESPACES).map(secret)
RETRIES = st.sampled_from((1, 3)).map(retry)


# Egress gateways


GATEWAYS = tuple(
    {"service": service, "namespace": space, **weight}
    for (service, space), weight in product(
        (("gateway", "fsm"), ("web", "shop"), ("gone", "fsm")),
        ({}, {"weight": 1}, {"weight": 70}, {"weight": 0}),
    )
)


def isolation(name: str, cidrs: list[str]) -> Document:
    return {
        "apiVersion": FLOMESH,
        "kind": "Isolation",
        "metadata": {"name": name},
        "spec": {"cidrs": cidrs},
    }


ISOLATIONS = st.builds(
    isolation,
    st.sampled_from(("i0", "i1")),
    some(("10.0.0.1/32", "10.0.0.2/31", "10.0.0.0/29", "10.96.0.1/32", "10.0.9.0/24", "2001:db8::/64"), 1, 2),
)


def egress_gateway(name: str, entries: Documents) -> Document:
    return resource(FLOMESH, "EgressGateway", "fsm", name, spec={"global": entries})


def gateway_service(cluster_ip: str, addresses: Documents | None) -> Documents:
    """The service that EgressGateways name, or none; its endpoints may be missing or not listed at all."""
    ports = [{"name": "tcp-proxy", "port": 1080}]
    service = resource("v1", "Service", "fsm", "gateway", spec={"clusterIP": cluster_ip, "ports": ports})
    subsets = [{"addresses": addresses, "ports": ports}]
    return (
        [service]
        if addresses is None
        else [service, resource("v1", "Endpoints", "fsm", "gateway", subsets=subsets)]
    )


EGRESS_GATEWAYS = st.builds(
    egress_gateway,
    st.sampled_from(("g0", "g1")),
    st.lists(st.sampled_from(GATEWAYS), max_size=2, unique_by=lambda entry: entry["service"]),
)
GATEWAY_SERVICES: SearchStrategy[Documents] = st.one_of(
    st.just([]),
    st.builds(
        gateway_service,
        st.sampled_from(("None", "10.96.9.9")),
        st.sampled_from(([{"ip": "10.0.9.1"}], [{"ip": "10.0.9.1"}], [], None)),
    ),
)


# Services


PREFIXED = ("http", "http", "http", "http", "tcp", "tcp", "grpc", "tcp-server-first", "https")
DECLARED = ("http", "HTTP", "gRPC", "tcp", "TCP-Server-First", "https", "redis")
PORT_STYLES: tuple[Document, ...] = (
    *({"name": f"{prefix}-{{}}"} for prefix in PREFIXED),
    *({"name": "p{}", "appProtocol": protocol} for protocol in DECLARED),
    {"name": "tcp{}"},
    {"name": "tcp"},
    {},
)
TRANSPORTS: tuple[Document, ...] = (
    *[{"protocol": "TCP"}] * 14,
    {},
    {},
    {"protocol": "UDP"},
    {"protocol": "SCTP"},
)
LISTED = (*["same"] * 9, *["other number"] * 4, "other name", "missing")


def service_port(number: int, style: Document, transport: Document, listed: str) -> PortPair:
    """A service port, and the Endpoints port that stands for it."""
    port = {"port": number, **style, **transport}
    if "name" in port:
        port["name"] = port["name"].format(number)
    target = {**port, "port": number if listed != "other number" else 9000 + number % 1000}
    target.pop("appProtocol", None)
    if listed == "other name":
        target["name"] = f"other-{number}"
    return port, None if listed == "missing" else target


def service(space: str, ports: list[PortPair], rest: Document) -> tuple[Document, Document]:
    """A service with its Endpoints: with ClusterIP, headless, or headless with hostnames."""
    name, form, ips, second = rest["name"], rest["form"], rest["ips"], rest["second subset"]
    if not all(len({port.get(key) for port, _ in ports} - {None}) == len(ports) for key in ("name", "port")):
        ports = ports[:1]
    hostname = {"hostname": "h0"} if form == "hostnamed" else {}
    targets = [target for _, target in ports if target is not None]
    addresses = [{"ip": ip, **hostname} for ip in ips]
    if hostname and len(addresses) > 1:
        addresses[-1]["hostname"] = "h1"
    subsets: Documents = [{"addresses": addresses, "ports": targets}]
    if second == "not ready":
        subsets.append({"notReadyAddresses": [{"ip": "10.0.0.3"}], "ports": targets})
    if second == "same port":
        subsets.append({"addresses": [{"ip": "10.0.0.2", **hostname}], "ports": targets})
    if second == "other port":
        elsewhere = [{**target, "port": target["port"] + 1} for target in targets]
        subsets.append({"addresses": [{"ip": "54.9.1.1", **hostname}], "ports": elsewhere})
    spec = {
        "clusterIP": rest["cluster ip"] if form == "cluster" else "None",
        "selector": {f"serves-{name}": "yes"},
        "ports": [port for port, _ in ports],
    }
    made = resource("v1", "Service", space, name, spec=spec)
    if rest["exclusion"] is not None:
        made["metadata"]["annotations"] = {"flomesh.io/service-exclusion": rest["exclusion"]}
    return made, resource("v1", "Endpoints", space, name, subsets=subsets)


def family(ports: list[PortPair], members: Documents) -> list[tuple[Document, Document]]:
    """A service and others with the same ports, to which a TrafficSplit can send its traffic."""
    names = ("web", "web-v1", "web-v2", "api")
    return [
        service("shop", ports, {**member, "name": name}) for name, member in zip(names, members, strict=False)
    ]


SERVICE_PORTS = some(
    st.builds(
        service_port,
        st.sampled_from((80, 80, *PORTS)),
        st.sampled_from(PORT_STYLES),
        st.sampled_from(TRANSPORTS),
        st.sampled_from(LISTED),
    ),
    1,
    2,
)
SPACES = st.sampled_from(("shop", "shop", *SERVICE_NAMESPACES))
MEMBERS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(("web", *SERVICES)),
        "form": st.sampled_from(("cluster", "cluster", "cluster", "headless", "hostnamed")),
        "ips": one_in(8, st.just([]), some(POD_IPS, 1, 3, unique=True)),
        "cluster ip": st.sampled_from(CLUSTER_IPS),
        "second subset": st.sampled_from((*["none"] * 6, "not ready", "same port", "other port")),
        "exclusion": one_in(16, st.sampled_from(("true", "Yes", "enabled", "false", "no")), st.none()),
    }
)
BACKED_SERVICES: SearchStrategy[list[tuple[Document, Document]]] = st.one_of(
    st.builds(family, SERVICE_PORTS, some(MEMBERS, 2, 4)),
    some(st.builds(service, SPACES, SERVICE_PORTS, MEMBERS), 1, 4),
)


# Who may call them, and what is behind them


def pods_of(served: Documents, accounts: Sequence[str]) -> Documents:
    """A pod for each address in a namespace: of some account, of the default one, or gone; or a machine."""
    labels: dict[tuple[str, str], dict[str, str]] = {}
    for document in served:
        if document["kind"] == "Endpoints":
            space, name = place(document)
            for item in ready(document):
                labels.setdefault((space, item["ip"]), {})[f"serves-{name}"] = "yes"
    pods = []
    for index, (space, ip) in enumerate(labels):
        named = accounts[index % len(accounts)]
        if named == "machine":
            spec = {"serviceAccountName": "web", "machineIP": ip}
            machine = resource(
                "machine.flomesh.io/v1alpha1", "VirtualMachine", space, f"vm-{index}", spec=spec
            )
            machine["metadata"]["labels"] = labels[space, ip]
            pods.append(machine)
        elif named != "gone":
            spec = {} if named == "default" else {"serviceAccountName": named}
            status = {"podIP": ip, "podIPs": [{"ip": ip}]}
            pod = resource("v1", "Pod", space, f"pod-{index}", spec=spec, status=status)
            pod["metadata"]["labels"] = labels[space, ip]
            pods.append(pod)
    return pods


LISTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("outbound-ip-range-exclusion-list", "54.9.9.9/32,203.0.113.0/24"),),
    (("outbound-port-exclusion-list", "25,8080"),),
    (("outbound-port-exclusion-list", "8080, 25"),),
    (("outbound-ip-range-inclusion-list", "54.0.0.0/8"),),
    (("outbound-port-exclusion-list", "443"), ("outbound-ip-range-inclusion-list", "10.0.0.0/8,54.9.1.1/16")),
)
WISHES = (*["yes"] * 4, None, "True", "no", "DISABLED")
# How a pod is there: described, on the host's network, running without or with a sidecar, and started with
# rules; or as the template of a Deployment.
MANNERS = (
    *["described"] * 3,
    "on host",
    "bare",
    "with sidecar",
    "started",
    "started",
    "template",
    "template",
)
STARTED_WITH: tuple[tuple[list[str], list[str], list[int]], ...] = (
    ([], [], []),
    (["54.9.0.0/16"], [], [25]),
    ([], ["54.0.0.0/8", "10.0.0.1"], [80]),
)
SOURCE_NAMES = ("p0", "p1", "p2")
OWN_IPS = ("10.200.0.1", "54.9.9.8", "9.9.9.9")


def source_pod(identity: str, key: str, value: str) -> Document:
    """A pod that is annotated with one list."""
    name, _, space = identity.partition(".")
    pod = resource("v1", "Pod", space, f"{name}-{key[9:11]}", spec={"serviceAccountName": name})
    pod["metadata"]["annotations"] = {f"flomesh.io/{key}": value, "flomesh.io/sidecar-injection": "yes"}
    return pod


def any_pod(
    identity: str,
    name: str,
    lists: Sequence[tuple[str, str]],
    wish: str | None,
    manner: str,
    rules: tuple[list[str], list[str], list[int]],
    ip: str,
) -> Document:
    """A pod that connections come from, or what makes such pods."""
    account_name, _, space = identity.partition(".")
    metadata: Document = {"annotations": {f"flomesh.io/{key}": value for key, value in lists}}
    if wish is not None:
        metadata["annotations"]["flomesh.io/sidecar-injection"] = wish
    spec: Document = {"serviceAccountName": account_name, "containers": [{"name": "app"}]}
    if manner == "template":
        template = {"metadata": metadata, "spec": spec}
        return resource("apps/v1", "Deployment", space, name, spec={"template": template})
    if manner == "on host":
        spec["hostNetwork"] = True
    if manner in ("with sidecar", "started"):
        spec["containers"].append({"name": "sidecar"})
    if manner == "started":
        text = shell_argument(rules_of(*rules, []))
        spec["initContainers"] = [{"name": "fsm-init", "args": ["-c", text]}]
    pod = resource("v1", "Pod", space, name, spec=spec)
    pod["metadata"].update(metadata)
    if manner in ("bare", "with sidecar", "started"):
        pod["status"] = {"podIPs": [{"ip": ip}]}
    return pod


SOURCE_PODS = st.builds(
    any_pod,
    st.sampled_from(("curl.curl", *IDENTITIES)),
    st.sampled_from(SOURCE_NAMES),
    st.sampled_from(LISTS),
    st.sampled_from(WISHES),
    st.sampled_from(MANNERS),
    st.sampled_from(STARTED_WITH),
    st.sampled_from(OWN_IPS),
)


def without_sources(documents: Sequence[Document]) -> Documents:
    """A mesh whose accounts have no pods but those behind services."""
    return [it for it in documents if not is_source(it)]


def is_source(document: Document) -> bool:
    return document["kind"] in ("Pod", "Deployment") and place(document)[1] in SOURCE_NAMES


def subjects_of(documents: Sequence[Document], identity: str) -> list[str]:
    """Whom a decision can be asked for: each pod and template of an account, or itself if it has but one."""
    found = [subject_of(it) for it in documents if account_of(it) == identity]
    return [identity, *found] if len(found) < 2 else found  # pods that differ are asked for one by one


def subject_of(document: Document) -> str:
    space, name = place(document)
    return f"{document['kind'].lower()}/{name}.{space}"


def account_of(document: Document) -> str | None:
    """Whom a pod or a template runs as; `None` for another kind."""
    if document["kind"] not in ("Pod", "Deployment"):
        return None
    spec = document["spec"]
    runs_as = spec.get("template", {"spec": spec})["spec"].get("serviceAccountName", "default")
    return f"{runs_as}.{place(document)[0]}"


RULES: tuple[Documents, ...] = (
    [{"kind": "HTTPRouteGroup", "name": "r0", "matches": ["m0"]}],
    [{"kind": "HTTPRouteGroup", "name": "r0"}, {"kind": "TCPRoute", "name": "t0"}],
    [{"kind": "TCPRoute", "name": "t0"}],
    [{"kind": "TCPRoute", "name": "t0"}, {"kind": "UDPRoute", "name": "u0"}],
    [],
)


def traffic_target(space: str, name: str, home: str | None, named: str, spec: Document) -> Document:
    destination = {"kind": "ServiceAccount", "name": named, "namespace": space}
    spec = {"destination": destination, **spec}
    return resource("access.smi-spec.io/v1alpha3", "TrafficTarget", home or space, name, spec=spec)


TRAFFIC_TARGETS = st.builds(
    traffic_target,
    SPACES,
    st.sampled_from(("t0", "t1")),
    one_in(8, st.sampled_from(SERVICE_NAMESPACES), st.none()),
    st.sampled_from(("web", "web", "web", "web", "other", "default")),
    st.fixed_dictionaries(
        {
            "sources": some((*ACCOUNTS * 3, {**ACCOUNTS[0], "kind": "Group"}), 1, 2, unique=False),
            "rules": st.sampled_from((*[RULES[0]] * 6, *RULES)),
        }
    ),
)


def traffic_split(
    space: str, name: str, apex: str, backends: Documents, matches: Documents | None
) -> Document:
    clusters = {}
    for backend in backends:
        service = backend["service"]
        clusters[service if "/" in service else f"{space}/{service}"] = backend
    spec: Document = {"service": apex.format(space), "backends": list(clusters.values())}
    if matches is not None:
        spec["matches"] = matches
    return resource("split.smi-spec.io/v1alpha4", "TrafficSplit", space, name, spec=spec)


SPLIT_GROUPS = tuple({"kind": "HTTPRouteGroup", "name": name} for name in ("r0", "r1", "gone"))
BACKENDS = tuple(
    {"service": service, "weight": weight}
    for service, weight in product(
        ("web-v1", "web-v2", "web-v1", "web-v2", *SERVICES, "gone", "data/api", "shop/web"),
        (10, 90, 1, 100, 0),
    )
)
TRAFFIC_SPLITS = st.builds(
    traffic_split,
    SPACES,
    st.sampled_from(("s0", "s1")),
    st.sampled_from(("web", "web.{}", "web.{}.svc.cluster.local", "web", "api")),
    some(BACKENDS, 2, 3),
    st.sampled_from((None, [], *([group] for group in SPLIT_GROUPS), list(SPLIT_GROUPS[:2]))),
)


# Meshes


def mesh(
    config: Document, backed: list[tuple[Document, Document]], accounts: list[str], *others: Documents
) -> Documents:
    places = {place(pair[0]): pair for pair in backed}
    served = [document for pair in places.values() for document in pair]
    return [
        config,
        *served,
        *pods_of(served, accounts),
        *(document for group in others for document in group),
    ]


def versions() -> SearchStrategy[str | None]:
    """FSM 1.5 to 1.7, or an older one: one of each row of the table, and more."""
    older = ("1.2", "1.3.7", "1.3.8", "1.3", "1.4.1", "1.4.2", "1.4.3", "1.4.6", "1.4")
    return st.sampled_from((*[None] * len(older), *older, "1.7"))


def identities() -> SearchStrategy[str]:
    return st.sampled_from(("curl.curl", *IDENTITIES))


@lru_cache(maxsize=1)
def meshes() -> SearchStrategy[Documents]:
    """Everything that a decision depends on, in one list of documents."""
    return st.builds(
        mesh,
        MESH_CONFIGS,
        BACKED_SERVICES,
        some(("web", "web", "web", "other", "default", "gone", "machine"), 3, 3),
        distinct(egress_policies(), 2, 5),
        distinct(TRAFFIC_TARGETS, 2, 5),
        distinct(TRAFFIC_SPLITS, 1, 4),
        distinct(ROUTE_GROUPS, 2, 5),
        distinct(UPSTREAM_TRAFFIC_SETTINGS, 0, 2),
        distinct(SECRETS, 0, 2),
        distinct(EGRESS_GATEWAYS, 0, 2),
        GATEWAY_SERVICES,
        one_in(3, distinct(SOURCE_PODS, 1, 4), st.just([])),
        one_in(12, distinct(NAMESPACES, 1, 4), st.just([])),
        distinct(RETRIES, 0, 1),
        one_in(8, distinct(ISOLATIONS, 1, 2), st.just([])),
    )


# What a stock controller is asked about besides


def imported_port(number: int, style: Document, ends: Documents) -> Document:
    """A port of a service in other clusters; each end of it is in a place of its own."""
    port = {"port": number, **style, "endpoints": ends}
    if "name" in port:
        port["name"] = port["name"].format(number)
    return port


def imported_service(space: str, name: str, ports: Documents, runs_as: str) -> Document:
    spec = {"type": "ClusterSetIP", "ports": ports, "serviceAccountName": runs_as}
    return resource(MULTICLUSTER, "ServiceImport", space, name, spec=spec)


def global_policy(space: str, name: str, kind: str, targets: Documents) -> Document:
    return resource(
        MULTICLUSTER, "GlobalTrafficPolicy", space, name, spec={"lbType": kind, "targets": targets}
    )


MULTICLUSTER = "multicluster.flomesh.io/v1alpha1"
CLUSTER_KEYS = ("a", "a", "b", "")
ENDS = st.lists(
    st.builds(
        lambda ip, port, key, path: {"clusterKey": key, "target": {"ip": ip, "port": port, "path": path}},
        st.sampled_from(("10.20.0.1", "10.20.0.2", "10.0.0.1", "54.9.9.8")),
        st.sampled_from((80, 443, 9080)),
        st.sampled_from(CLUSTER_KEYS),
        st.sampled_from(("", "/web")),
    ),
    max_size=3,
    unique_by=lambda end: (end["target"]["ip"], end["target"]["port"]),
)
IMPORTED_SPACES = st.sampled_from(("shop", "shop", "data"))
IMPORTED_NAMES = st.sampled_from(("web", "web", "web-v1", "api"))
SERVICE_IMPORTS = st.builds(
    imported_service,
    IMPORTED_SPACES,
    IMPORTED_NAMES,
    st.lists(
        st.builds(imported_port, st.sampled_from((80, 80, 443)), st.sampled_from(PORT_STYLES), ENDS),
        min_size=1,
        max_size=2,
        unique_by=(lambda port: port["port"], lambda port: port.get("name")),
    ),
    st.sampled_from(("*", "*", "web", "other")),
)
GLOBAL_POLICIES = st.builds(
    global_policy,
    IMPORTED_SPACES,
    IMPORTED_NAMES,
    st.sampled_from((*["ActiveActive"] * 2, *["FailOver"] * 2, "Locality")),
    one_in(
        2,
        st.sampled_from(([{"clusterKey": "a", "weight": 30}], [{"clusterKey": "a"}, {"clusterKey": "b"}])),
        st.just([]),
    ),
)


def plugged(priority: float, chains: Sequence[str], named: Sequence[str], *, is_on: bool) -> Documents:
    """A plugin with its chain, and with a config for services; and whether the mesh has any."""

    def made(kind: str, **spec: Any) -> Document:
        return resource("plugin.flomesh.io/v1alpha1", kind, "fsm", "auth", spec=spec)

    refs = [{"kind": "Service", "namespace": "shop", "name": name} for name in named]
    flags = {"enablePluginPolicy": is_on}
    return [
        mesh_config("v1alpha3", {"featureFlags": flags}),
        made("Plugin", priority=priority, pipyscript="pipy({})"),
        made("PluginChain", chains=[{"name": chain, "plugins": ["auth"]} for chain in chains]),
        made("PluginConfig", plugin="auth", config={"keys": ["a"]}, destinationRefs=refs),
    ]


PLUGGED = st.builds(
    plugged,
    st.sampled_from((115, 165.5, 1)),
    st.sampled_from((("outbound-http",), ("outbound-tcp", "outbound-http"), ("inbound-http",))),
    st.sampled_from((("web",), ("web", "web-v1"), ())),
    is_on=st.sampled_from((True, True, True, False)),
)


def repeated_split(space: str, weights: tuple[int, int]) -> Document:
    """A TrafficSplit that names a backend twice."""
    backends = [{"service": "web-v1", "weight": weight} for weight in weights]
    spec = {"service": "web", "backends": backends}
    return resource("split.smi-spec.io/v1alpha4", "TrafficSplit", space, "again", spec=spec)


REPEATED_SPLITS = st.builds(repeated_split, SPACES, st.sampled_from(((10, 90), (50, 50), (0, 0), (100, 0))))


def with_more(documents: Documents, plugins: Documents, *others: Documents) -> Documents:
    """A mesh with these documents, and the feature flags that the first of the plugins' has."""
    config, *rest = documents
    switch, *plugins = plugins or [config]
    flags = {**config["spec"].get("featureFlags", {}), **switch["spec"].get("featureFlags", {})}
    config = {**config, "spec": {**config["spec"], "featureFlags": flags}}
    return [config, *rest, *plugins, *(document for group in others for document in group)]


@lru_cache(maxsize=1)
def meshes_and_more() -> SearchStrategy[Documents]:
    """As `meshes`, with services of other clusters, plugins, and backends that are named twice."""
    return st.builds(
        with_more,
        meshes(),
        one_in(3, PLUGGED, st.just([])),
        one_in(2, distinct(SERVICE_IMPORTS, 1, 2), st.just([])),
        one_in(2, distinct(GLOBAL_POLICIES, 1, 3), st.just([])),
        one_in(4, distinct(REPEATED_SPLITS, 1, 1), st.just([])),
    )


# Connections


def connections(documents: Sequence[Document] = (), identity: str = "") -> SearchStrategy[Document]:
    """Any connection; given a mesh and an identity, mostly one that something there is meant for."""
    aimed = [st.sampled_from(found) for found in aims(documents, identity) if found]
    aim = one_in(6, ANYWHERE, st.one_of(aimed)) if aimed else ANYWHERE
    return st.builds(connection, aim, st.integers(0, 15), CLIENTS, REQUESTS)


def cases(
    count: int = 8, drawn: SearchStrategy[Documents] | None = None
) -> SearchStrategy[tuple[Documents, str, Documents]]:
    """A mesh, an account or a pod, and its connections, most of them aimed at what the mesh holds for it."""
    subjects = (meshes() if drawn is None else drawn).flatmap(
        lambda mesh: st.tuples(st.just(mesh), subjects_in(mesh))
    )
    return subjects.flatmap(
        lambda case: st.tuples(
            st.just(case[0]),
            st.just(case[1]),
            st.lists(connections(*case), min_size=count, max_size=count),
        )
    )


def subjects_in(documents: Documents) -> SearchStrategy[str]:
    """An account, or one of its pods; as often one of those pods that connections come from."""
    accounts = identities().flatmap(lambda identity: st.sampled_from(subjects_of(documents, identity)))
    sources = [subject_of(it) for it in documents if is_source(it)]
    return one_in(2, st.sampled_from(sources), accounts) if sources else accounts


ANYWHERE = st.tuples(st.sampled_from(DESTINATIONS), st.sampled_from((*PORTS, 444)), st.just(HOSTS))
SENDS = (*["http"] * 5, *["tls"] * 3, "bytes", "nothing")
SPELLINGS = (*["{lower}"] * 5, "{lower}:{port}", "{upper}", "{upper}:{port}", "{lower}:81", "")
METHODS = (*["GET"] * 5, "POST", "PUT", "DELETE", "TRACE", "PURGE")
PATHS = ("/get", "/", "/get?x=1", "/x?u=/get", "/status/200", "/v1/a")
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"x-env": "prod-1"},
    {"X-Env": "prod"},
    {"x-env": "dev"},
    {"x-env": "prod", "X-Key": "7"},
)
CLIENTS = st.sampled_from(tuple(product(SENDS, SPELLINGS)))
REQUESTS = st.sampled_from(tuple(product(METHODS, PATHS, HEADERS)))


def connection(aim: Aim, turn: int, client: tuple[str, str], request: tuple[str, str, Document]) -> Document:
    """A connection to the aim, by one of its hosts mostly, in some spelling."""
    destination, port, hosts = aim
    sends, spelling = client
    method, path, headers = request
    names = (*hosts, "other.net", *hosts, *HOSTS)
    name = names[turn % len(names)]
    host = spelling.format(lower=name, upper=name.upper(), port=port)
    found: Document = {"destination": destination, "port": port, "sends": sends}
    if sends == "http":
        found["request"] = {"method": method, "host": host, "path": path, "headers": dict(headers)}
    if sends == "tls":
        found["sni"] = host.partition(":")[0] or None
    return found


def aims(documents: Sequence[Document], identity: str) -> tuple[list[Aim], list[Aim], list[Aim]]:
    """Where services, policies and a pod's own rules wait for a connection of the identity."""
    at_services: list[Aim] = []
    at_policies: list[Aim] = []
    at_itself: list[Aim] = []
    own = next((it for it in documents if account_of(it) and subject_of(it) == identity), None)
    if own is not None:
        ips = [it["ip"] for it in own.get("status", {}).get("podIPs", ())]
        at_itself = [(ip, port, HOSTS) for ip in (*ips, "54.9.9.9") for port in PORTS]
    account = account_of(own) if own else identity
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] == "Service":
            names, ips = names_and_addresses(document, documents)
            at_services += [(ip, port["port"], (ip, *names)) for ip in ips for port in spec["ports"]]
        if document["kind"] == "ServiceImport":
            (space, name), ends = (
                place(document),
                [end for port in spec["ports"] for end in port["endpoints"]],
            )
            ips = [end["target"]["ip"] for end in ends]
            at_services += [
                (ip, port["port"], (f"{name}.{space}", ip)) for ip in ips for port in spec["ports"]
            ]
        if document["kind"] == "Egress" and any(names_account(source, account) for source in spec["sources"]):
            hosts, prefixes = tuple(spec.get("hosts", ())), spec["ipAddresses"]
            ips = [ip for ip in DESTINATIONS if any(holds(prefix, ip) for prefix in prefixes)]
            at_policies += [
                (ip, port["number"], hosts) for ip in ips or OUTSIDE[:4] for port in spec["ports"]
            ]
    return at_services, at_policies, at_itself


def names_account(source: Document, account: str | None) -> bool:
    return f"{source['name']}.{source['namespace']}" == account


def names_and_addresses(service: Document, documents: Sequence[Document]) -> tuple[list[str], list[str]]:
    space, name = place(service)
    listed = [
        item
        for document in documents
        if document["kind"] == "Endpoints" and place(document) == (space, name)
        for item in ready(document)
    ]
    ips = [item["ip"] for item in listed]
    if service["spec"]["clusterIP"] != "None":
        ips.append(service["spec"]["clusterIP"])
    counted = [f"{item['hostname']}.{name}" for item in listed if "hostname" in item] or [name]
    endings = (f".{space}", "", f".{space}.svc.cluster.local")
    return [*(f"{name}{ending}" for name in counted for ending in endings), "web.shop"], ips


# Order


ORDER_FREE = frozenset(
    {
        "addresses",
        "backends",
        "cidrs",
        "global",
        "headers",
        "hosts",
        "ipAddresses",
        "matches",
        "methods",
        "outboundIPRangeExclusionList",
        "outboundIPRangeInclusionList",
        "outboundPortExclusionList",
        "podIPs",
        "ports",
        "rules",
        "sources",
    }
)


def permuted(documents: Documents) -> SearchStrategy[Documents]:
    """The same mesh, with the documents and every list whose order carries no meaning in another order."""
    return st.randoms(use_true_random=True).map(
        lambda random: [
            shuffled(random, "", document) for document in random.sample(documents, len(documents))
        ]
    )


def shuffled(random: Random, key: str, value: Any) -> Any:
    """A copy in another order; a list in which the first or last of two namesakes counts keeps its own."""
    if isinstance(value, dict):
        return {name: shuffled(random, name, value[name]) for name in random.sample(list(value), len(value))}
    if not isinstance(value, list):
        return value
    free = key in ORDER_FREE and not (key in ("headers", "sources") and namesakes(key, value))
    return [shuffled(random, "", item) for item in (random.sample(value, len(value)) if free else value)]


def namesakes(key: str, items: Iterable[Document]) -> bool:
    """Whether two headers have one name, or two sources name one account."""
    if key == "headers":
        names = [name.lower() for item in items for name in item]
    else:
        names = [f"{item['kind']} {item['name']}.{item['namespace']}" for item in items]
    return len(set(names)) < len(names)
