"""What becomes of policies under a stock controller: line by line, each with a connection that shows it."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from attrs import evolve, frozen
from controller_cases import CASES, ELSEWHERE, FURTHER, VARIED, normal
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import account, resource
from small import WHO, config, egress, flat, routes, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.findings import Code
from fsm_egress.verification.sides import Disagreement, Sides, own_config
from fsm_egress.verification.stock_config import stock_config
from fsm_egress.verification.stock_findings import stock_findings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from small import Entry

FSM_MTLS = {"issuer": "fsm"}
OTHER_MTLS = {"issuer": "other", "cert": {"secret": {"name": "gone", "namespace": "curl"}}}
RANGE = ["54.0.0.0/8"]
OPEN = config({"enableEgress": True})
ABSENT = random_meshes.mesh_config("v1alpha3", {"traffic": {"enablePermissiveTrafficPolicyMode": True}})
DEFAULT_ROUTE = config(featureFlags={"enableAutoDefaultRoute": True})

# A witness of these always shows that the sidecar does otherwise, unless the finding is a remark that nothing
# shows; of the others, where that can be seen.
SHOWN = {
    Code.NEIGHBOURS_HOSTS,
    Code.HEADER_NAME_AS_WRITTEN,
    Code.EGRESS_BEFORE_MESH,
    Code.CERTIFICATE_OF_NEIGHBOUR,
    Code.IPV6_ENDPOINT_WITHOUT_PORT,
    Code.PROTOCOLS_OVERLAP,
    Code.STOCK_CONTROLLER_DIFFERS,
}


def meshed(*entries: Entry) -> fe.Snapshot:
    listed = flat(entries)
    given = any(document["kind"] == "MeshConfig" for document in listed)
    return fe.load(listed if given else [config(), *listed], strict=False)


def sides(mesh: fe.Snapshot, identity: str = WHO, fsm: str | None = None) -> tuple[Sides, Sides]:
    """The policies against our config, and against the controller's; whatever plugins do is a condition."""
    spec = mesh.mesh_config.spec
    flags = evolve(spec.feature_flags, enable_plugin_policy=False)
    mesh = mesh.with_(evolve(mesh.mesh_config, spec=evolve(spec, feature_flags=flags)))
    ours = Sides.of(mesh, identity, fsm=fsm)
    carried = {"Certificate": own_config(mesh, ours.policy).tree["Certificate"]}
    return ours, Sides.of(mesh, identity, stock_config(mesh, identity, carried, fsm=fsm), fsm=fsm)


def shows(
    mesh: fe.Snapshot, connection: fe.Connection | None, identity: str = WHO, fsm: str | None = None
) -> bool:
    """Whether the sidecar does otherwise than is due with the controller's config, and not so with ours."""
    return differs(sides(mesh, identity, fsm), connection)


def differs(both: tuple[Sides, Sides], connection: fe.Connection | None) -> bool:
    """The same, of sides that are asked about several connections."""
    assert connection is not None
    ours, theirs = both
    found = theirs.compare(connection)
    return isinstance(found, Disagreement) and found.outcome != ours.outcome(connection)


def found(*entries: Entry) -> list[tuple[str, str]]:
    return [(finding.code.code, str(finding.rule)) for finding in stock_findings(meshed(*entries), WHO)]


def named(kind: str, name: str) -> dict[str, Any]:
    group = random_meshes.ROUTES if kind == "HTTPRouteGroup" else random_meshes.FLOMESH
    return {"apiGroup": group, "kind": kind, "name": name}


def retry(destination: str) -> dict[str, Any]:
    spec = {
        "source": account(WHO),
        "destinations": [{"kind": "Service", "name": destination, "namespace": "shop"}],
        "retryPolicy": {"retryOn": "5xx"},
    }
    return resource(random_meshes.FLOMESH, "Retry", "curl", "r", spec=spec)


def gateways(*names: str) -> dict[str, Any]:
    entries = [{"service": name, "namespace": "shop"} for name in names]
    return resource(random_meshes.FLOMESH, "EgressGateway", "fsm", "g", spec={"global": entries})


def setting(name: str, limit: int) -> dict[str, Any]:
    spec = {"host": "a.com", "connectionSettings": {"tcp": {"maxConnections": limit}}}
    return resource(random_meshes.FLOMESH, "UpstreamTrafficSetting", "curl", name, spec=spec)


def port_of(name: str, number: int, **more: str) -> dict[str, Any]:
    return {"ports": [{"name": name, "port": number, **more}]}


def split(name: str, apex: str, *matches: str, **backends: int) -> dict[str, Any]:
    listed = [{"service": service, "weight": weight} for service, weight in backends.items()]
    groups = [{"kind": "HTTPRouteGroup", "name": match} for match in matches]
    return random_meshes.traffic_split("shop", name, apex, listed, groups or None)


WEB = service("web", "http 80")
V1 = service("v1", "http 80", ip="10.96.0.2", pods=["10.0.0.2"])
WARMING = [
    config(featureFlags={"enableTrafficWarmupPolicy": True}),
    service("web", "http 80", pods=["10.0.0.1", "10.0.0.2"]),
    resource(random_meshes.FLOMESH, "TrafficWarmup", "shop", "web", spec={"maxWeight": 100}),
]


def limit(name: str, host: str, most: int) -> dict[str, Any]:
    spec = {"host": host, "connectionSettings": {"tcp": {"maxConnections": most}}}
    return resource(random_meshes.FLOMESH, "UpstreamTrafficSetting", "shop", name, spec=spec)


def once(name: str) -> dict[str, Any]:
    """A Retry of one time, by a name before the other's."""
    document = random_meshes.retry(1)
    return {**document, "metadata": {**document["metadata"], "name": f"a-{name}"}}


def half_ready() -> list[dict[str, Any]]:
    """A headless service with a pod that has a hostname, and is ready to be reached at one of two ports."""
    documents = service("db", "http 80", "other 81", ip="None", pods=[])
    ports = documents[1]["subsets"][0]["ports"]
    documents[1]["subsets"] = [
        {
            "addresses": [{"ip": "10.0.0.1", "hostname": "db-0"}],
            "ports": [*ports[:1], {"port": 9, "name": "x"}],
        },
        {"addresses": [], "ports": ports},
    ]
    return documents


def abroad(name: str, *targets: int, kind: str = "ActiveActive") -> list[dict[str, Any]]:
    """A service that other clusters have at these target ports, run by `other`."""
    ends = [
        {"clusterKey": f"c{index}", "target": {"ip": f"10.20.0.{index}", "port": target}}
        for index, target in enumerate(targets, 1)
    ]
    ports = [{"port": 80, "endpoints": ends}]
    return [
        random_meshes.imported_service("shop", name, ports, "other"),
        random_meshes.global_policy("shop", name, kind, []),
    ]


def opened(account_name: str) -> dict[str, Any]:
    spec = {"sources": [account(WHO)], "rules": [{"kind": "TCPRoute", "name": "r"}]}
    return random_meshes.traffic_target("shop", account_name, None, account_name, spec)


CLOSED = config({"enablePermissiveTrafficPolicyMode": False})
RETRYING = config(featureFlags={"enableRetryPolicy": True})
POD = resource(
    "v1",
    "Pod",
    "shop",
    "web-0",
    spec={"serviceAccountName": "web"},
    status={"podIPs": [{"ip": "10.0.0.1"}]},
)
POD["metadata"]["labels"] = {"app": "web"}


# --- lines -----------------------------------------------------------------------------------------------


@frozen
class Line:
    """A mesh that touches a line of the page: the code, the rule, the witness, and whether anything shows.

    What else is found there is `besides`, by code and rule.
    """

    code: Code
    rule: str
    witness: str
    mesh: list[Any]
    seen: bool = True
    besides: tuple[str, ...] = ()


LINES = {
    "a policy without ranges is narrowed": Line(
        Code.NEIGHBOURS_RANGES,
        "Egress curl/b spec.ports[0]",
        "192.0.2.1:80 GET http://b.com/",
        [
            egress("a", "http 80", hosts=["a.com"], ipAddresses=RANGE),
            egress("b", "http 80", hosts=["b.com"]),
        ],
    ),
    "hosts are reached in the ranges of others": Line(
        Code.NEIGHBOURS_HOSTS,
        "Egress curl/a spec.ports[0]",
        "55.0.0.0:80 GET http://a.com/",
        [
            egress("a", "http 80", hosts=["a.com"], ipAddresses=RANGE),
            egress("b", "http 80", hosts=[], ipAddresses=RANGE),
            egress("c", "http 80", hosts=["c.com"], ipAddresses=["55.0.0.0/8"], sources=[account(WHO)]),
        ],
        besides=("FSE051 Egress curl/c spec.ports[0]", "FSE061 Egress curl/b spec.ports[0]"),
    ),
    "https without hosts lets nothing through": Line(
        Code.TLS_WITHOUT_HOSTS,
        "Egress curl/a spec.ports[0]",
        "192.0.2.1:443 TLS without server name",
        [egress("a", "https 443")],
    ),
    "a bare address opens every address for http": Line(
        Code.RANGE_DROPPED,
        "Egress curl/a spec.ipAddresses[0]",
        "192.0.2.1:80 GET http://a.com/",
        [egress("a", "http 80", hosts=["a.com"], ipAddresses=["54.1.2.3"])],
        besides=("FSE056 Egress curl/a",),
    ),
    "a bare address beside a range is dropped": Line(
        Code.RANGE_DROPPED,
        "Egress curl/a spec.ipAddresses[1]",
        "54.1.2.3:80 GET http://a.com/",
        [egress("a", "http 80", hosts=["a.com"], ipAddresses=["55.0.0.0/8", "54.1.2.3"])],
        seen=False,
        besides=("FSE056 Egress curl/a",),
    ),
    "a bare address is passed on for tcp": Line(
        Code.RANGE_PASSED_ON,
        "Egress curl/a spec.ipAddresses[0]",
        "192.0.2.1:25 TCP",
        [egress("a", "tcp 25", ipAddresses=["54.1.2.3"])],
        besides=("FSE056 Egress curl/a",),
    ),
    "what is no address at all closes the port": Line(
        Code.RANGE_PASSED_ON,
        "Egress curl/a spec.ipAddresses[0]",
        "192.0.2.1:25 TCP",
        [OPEN, egress("a", "tcp 25", ipAddresses=["everything"])],
        besides=("FSE056 Egress curl/a",),
    ),
    "what is no address at all, where nothing is open": Line(
        Code.RANGE_PASSED_ON,
        "Egress curl/a spec.ipAddresses[0]",
        "192.0.2.1:25 TCP",
        [egress("a", "tcp 25", ipAddresses=["everything"])],
        seen=False,
    ),
    "a grpc port is dropped": Line(
        Code.GRPC_PORT,
        "Egress curl/a spec.ports[1]",
        "54.0.0.0:81 GET http://a.com/",
        [egress("a", "tcp 80", "grpc 81", hosts=["a.com"], ipAddresses=RANGE)],
        seen=False,
        besides=("FSE056 Egress curl/a",),
    ),
    "the rest of a refused policy is in force": Line(
        Code.REFUSED_IN_FORCE,
        "Egress curl/a",
        "54.0.0.0:80 TCP",
        [egress("a", "tcp 80", "grpc 81", hosts=["a.com"], ipAddresses=RANGE)],
        besides=("FSE055 Egress curl/a spec.ports[1]",),
    ),
    "protocols that meet where nothing comes": Line(
        Code.PROTOCOLS_MEET,
        "Egress curl/a spec.ports[0]",
        "[::]:443 TLS a.com",
        [egress("a", "https 443", "tcp 443", hosts=["a.com"], ipAddresses=["::/0"])],
        seen=False,
    ),
    "an IPv6 address takes a range": Line(
        Code.IPV6_ADDRESS_AS_RANGE,
        "Service shop/web spec.ports[0]",
        "[2001:db8::]:80 GET http://web.shop/",
        service("web", "http 80", ip="2001:db8::1"),
        seen=False,
    ),
    "an IPv6 endpoint loses its port": Line(
        Code.IPV6_ENDPOINT_WITHOUT_PORT,
        "Service shop/db spec.ports[0]",
        "10.96.0.1:80 TCP",
        service("db", "tcp-x 80", pods=["2001:db8::1"]),
        besides=("FSE057 Service shop/db spec.ports[0]",),
    ),
    "so does one of a gateway": Line(
        Code.IPV6_ENDPOINT_WITHOUT_PORT,
        "EgressGateway fsm/g spec.global",
        "10.96.0.1:25 TCP",
        [gateways("gw"), service("gw", "http 81", pods=["2001:db8::1"]), egress("a", "tcp 25")],
        besides=("FSE057 Service shop/gw spec.ports[0]", "FSE063 Service shop/gw spec.ports[0]"),
    ),
    "header names keep their capitals": Line(
        Code.HEADER_NAME_AS_WRITTEN,
        "HTTPRouteGroup curl/r spec.matches[0]",
        "192.0.2.1:80 GET http://a.com/",
        [
            routes("r", {"headers": [{"X-Env": "prod"}]}),
            egress("a", "http 80", hosts=["a.com"], matches=[named("HTTPRouteGroup", "r")]),
        ],
    ),
    "header names keep their capitals where both ways lead to one place": Line(
        Code.HEADER_NAME_AS_WRITTEN,
        "HTTPRouteGroup shop/r spec.matches[0]",
        "10.96.0.1:80 GET http://web.shop/",
        [
            WEB,
            V1,
            routes("r", {"pathRegex": "/v1", "headers": [{"X-Env": "prod"}]}, space="shop"),
            split("s", "web", "r", v1=100),
            split("t", "web", v1=100),
        ],
        seen=False,
    ),
    "a port named twice": Line(
        Code.NAMED_TWICE,
        "Egress curl/a spec.ports[1]",
        "192.0.2.1:25 TCP",
        [egress("a", "tcp 25", "TCP 25")],
        seen=False,
    ),
    "a source named twice": Line(
        Code.NAMED_TWICE,
        "Egress curl/a spec.sources[1]",
        "192.0.2.1:25 TCP",
        [egress("a", "tcp 25", sources=[account(WHO), account(WHO)])],
        seen=False,
    ),
    "an egress range takes addresses of the mesh": Line(
        Code.EGRESS_BEFORE_MESH,
        "Service shop/web spec.ports[0]",
        "10.0.0.1:80 TCP",
        [
            service("web", "http 80"),
            egress("a", "tcp 80", ipAddresses=["10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"]),
        ],
    ),
    "without routes the ranges are lost": Line(
        Code.RANGES_LOST,
        "Egress curl/a spec.ports[0]",
        "192.0.2.1:80 GET http://a.com/",
        [
            egress(
                "a",
                "http 80",
                hosts=["a.com"],
                ipAddresses=RANGE,
                matches=[named("HTTPRouteGroup", "gone")],
            )
        ],
    ),
    "ranges get the certificate of a neighbour": Line(
        Code.CERTIFICATE_OF_NEIGHBOUR,
        "Egress curl/b spec.ports[0]",
        "55.0.0.0:25 TCP",
        [
            egress("a", "tcp 25", ipAddresses=RANGE, mtls=FSM_MTLS),
            egress("b", "tcp 25", ipAddresses=["55.0.0.0/8"]),
        ],
        besides=("FSE008 Egress curl/a spec.ports[0]",),
    ),
    "policies of several protocols overlap": Line(
        Code.PROTOCOLS_OVERLAP,
        "Egress curl/b spec.ports[0]",
        "54.1.0.0:80 TCP",
        [
            egress("a", "http 80", hosts=["a.com"], ipAddresses=["54.1.0.0/16"]),
            egress("b", "tcp 80", ipAddresses=RANGE),
        ],
        besides=("FSE012 Egress curl/a spec.ports[0]",),
    ),
    "the flag is absent": Line(
        Code.EGRESS_POLICY_FLAG_ABSENT,
        "MeshConfig fsm-system/fsm-mesh-config spec.featureFlags.enableEgressPolicy",
        "192.0.2.1:25 TCP",
        [ABSENT, egress("a", "tcp 25")],
    ),
    "a secret is missing": Line(
        Code.MISSING_SECRET,
        "Egress curl/a spec.sources[0].mtls",
        "192.0.2.1:80 GET http://a.com/",
        [egress("a", "http 80", hosts=["a.com"], mtls=OTHER_MTLS)],
    ),
    "a certificate is lost": Line(
        Code.CERTIFICATE_LOST,
        "Egress curl/a spec.ports[0]",
        "192.0.2.1:25 TCP",
        [egress("a", "tcp 25", mtls=FSM_MTLS)],
        seen=False,
    ),
    "TLS is wrapped in TLS": Line(
        Code.TLS_IN_TLS,
        "Egress curl/a spec.ports[0]",
        "54.0.0.0:443 TLS a.com",
        [egress("a", "https 443", hosts=["a.com"], mtls=FSM_MTLS, ipAddresses=RANGE)],
        seen=False,
    ),
    "a setting has no effect": Line(
        Code.SETTING_WITHOUT_EFFECT,
        "Egress curl/a spec.ports[1]",
        "192.0.2.1:25 TCP",
        [
            setting("u", 1),
            egress("a", "http 80", "tcp 25", hosts=["a.com"], matches=[named("UpstreamTrafficSetting", "u")]),
        ],
        seen=False,
    ),
    "settings of one host differ": Line(
        Code.CONFLICTING_SETTINGS,
        "Egress curl/b spec.ports[0]",
        "192.0.2.1:80 GET http://a.com/",
        [
            setting("u", 1),
            egress("a", "http 80", hosts=["a.com"], matches=[named("UpstreamTrafficSetting", "u")]),
            egress("b", "http 80", hosts=["a.com"]),
        ],
        seen=False,
    ),
    "an unknown protocol leads nowhere": Line(
        Code.UNKNOWN_APP_PROTOCOL,
        "Service shop/cache spec.ports[0]",
        "10.0.0.1:80 TCP",
        [
            service("cache", "x 80", **port_of("x", 80, appProtocol="redis")),
            egress("a", "tcp 80"),
        ],
        besides=("FSE064 Egress curl/a spec.ports[0]",),
    ),
    "an unknown protocol, where nothing is open": Line(
        Code.UNKNOWN_APP_PROTOCOL,
        "Service shop/cache spec.ports[0]",
        "10.96.0.1:80 TCP",
        service("cache", "x 80", **port_of("x", 80, appProtocol="redis")),
        seen=False,
    ),
    "a headless service takes its port": Line(
        Code.HEADLESS_WITHOUT_ADDRESSES,
        "Service shop/db spec.ports[0]",
        "192.0.2.1:80 TCP",
        [service("db", "http 80", ip="None", pods=[]), OPEN],
    ),
    "a headless service that lends its hosts": Line(
        Code.HEADLESS_WITHOUT_ADDRESSES,
        "Service shop/db spec.ports[0]",
        "10.0.0.1:80 GET http://db.shop/",
        [service("db", "http 80", ip="None", pods=[]), service("web", "http 80")],
    ),
    "a headless service, where nothing is open": Line(
        Code.HEADLESS_WITHOUT_ADDRESSES,
        "Service shop/db spec.ports[0]",
        "192.0.2.1:80 TCP",
        service("db", "tcp-x 80", ip="None", pods=[]),
        seen=False,
    ),
    "a UDP port is proxied": Line(
        Code.NOT_TCP,
        "Service shop/dns spec.ports[0]",
        "10.0.0.1:53 GET http://10.0.0.1/",
        service("dns", "dns 53", **port_of("dns", 53, protocol="UDP")),
    ),
    "a pod is behind two services": Line(
        Code.SHARED_ADDRESS,
        "Service shop/two spec.ports[0]",
        "10.0.0.1:80 TCP",
        [
            service("one", "tcp-x 80"),
            service("two", "tcp-y 80", ip="10.96.0.2", pods=["10.0.0.1", "10.0.0.2"]),
        ],
    ),
    "HTTP and gRPC share a port": Line(
        Code.HTTP_AND_GRPC,
        "Service shop/one spec.ports[0]",
        "10.96.0.1:80 GET http://one.shop/",
        [service("one", "grpc-x 80"), service("two", "http 80", ip="10.96.0.2", pods=["10.0.0.2"])],
        seen=False,
    ),
    "a gateway's mode is misspelled": Line(
        Code.GATEWAY_MODE,
        "Service shop/gw metadata.annotations.flomesh.io/egress-gateway-mode",
        "192.0.2.1:25 TCP",
        [
            gateways("gw"),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    "name": "gw",
                    "namespace": "shop",
                    "annotations": {"flomesh.io/egress-gateway-mode": "socks5"},
                },
                "spec": {},
            },
            egress("a", "tcp 25"),
        ],
        seen=False,
        besides=("FSE020 EgressGateway fsm/g spec.global[0]",),
    ),
    "a gateway is not there": Line(
        Code.UNUSABLE_GATEWAY,
        "EgressGateway fsm/g spec.global[0]",
        "192.0.2.1:25 TCP",
        [gateways("gone"), egress("a", "tcp 25")],
        seen=False,
    ),
    "a retry has no times": Line(
        Code.RETRY_WITHOUT_TIMES,
        "Retry curl/r spec.retryPolicy",
        "10.96.0.1:80 GET http://web.shop/",
        [
            config(featureFlags={"enableRetryPolicy": True}),
            retry("web"),
            service("api", "http 80", ip="10.96.0.2", pods=["10.0.0.2"]),
            service("web", "http 80"),
        ],
        seen=False,
    ),
    "every address of a service is isolated": Line(
        Code.ISOLATED_SERVICE,
        "Service shop/db spec.ports[0]",
        "192.0.2.1:80 TCP",
        [service("db", "http 80"), random_meshes.isolation("i", ["10.0.0.0/8"]), OPEN],
    ),
    "a host keeps its capitals": Line(
        Code.HOST_AS_WRITTEN,
        "Egress curl/a spec.hosts[1]",
        "192.0.2.1:80 GET http://A.com/",
        [egress("a", "http 80", hosts=["b.com", "A.com"])],
    ),
    "so does one that is written small, too": Line(
        Code.HOST_AS_WRITTEN,
        "Egress curl/a spec.hosts[1]",
        "192.0.2.1:80 GET http://A.com/",
        [egress("a", "http 80", hosts=["a.com", "A.com"])],
    ),
    "so does one of TLS": Line(
        Code.HOST_AS_WRITTEN,
        "Egress curl/a spec.hosts[0]",
        "192.0.2.1:443 TCP",
        [egress("a", "https 443", hosts=["A.com"])],
    ),
    "a split leaves its service without hosts": Line(
        Code.SPLIT_WITHOUT_HOST,
        "TrafficSplit shop/s spec",
        "10.0.0.1:80 GET http://10.0.0.1/",
        [WEB, V1, split("s", "web", web=50), split("t", "web", v1=100)],
    ),
    "a split of TLS that leads nowhere": Line(
        Code.SPLIT_WITHOUT_HOST,
        "TrafficSplit shop/s spec",
        "10.0.0.1:443 TCP",
        [
            service("web", "x 443", **port_of("x", 443, appProtocol="https")),
            service("v1", "x 443", ip="10.96.0.2", pods=["10.0.0.2"]),
            split("s", "web", web=50),
            split("t", "web", v1=100),
        ],
    ),
    "a split by the routes of another namespace": Line(
        Code.SPLIT_READ_OTHERWISE,
        "TrafficSplit shop/s spec",
        "10.96.0.1:80 GET http://web.shop/",
        [WEB, V1, routes("r", {"pathRegex": "/a"}), split("s", "web", "r", v1=100)],
        seen=False,
    ),
    "a split of a stream by an unnamed port": Line(
        Code.SPLIT_READ_OTHERWISE,
        "TrafficSplit shop/s spec",
        "10.0.0.1:80 TCP",
        [
            service("db", "tcp-x 80"),
            service("v1", "tcp-x 81", ip="10.96.0.2", pods=["10.0.0.2"])[:1],
            resource(
                "v1",
                "Endpoints",
                "shop",
                "v1",
                subsets=[{"addresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 8080}]}],
            ),
            split("s", "db", v1=100),
        ],
    ),
    "a secret without namespace": Line(
        Code.CERTIFICATE_READ_OTHERWISE,
        "Egress curl/a spec.sources[0].mtls",
        "192.0.2.1:80 GET http://a.com/",
        [
            random_meshes.secret("curl"),
            egress("a", "http 80", hosts=["a.com"], mtls=random_meshes.MTLS[2]),
        ],
    ),
    "a certificate for another kind": Line(
        Code.CERTIFICATE_READ_OTHERWISE,
        "Egress curl/a spec.sources[1].mtls",
        "192.0.2.1:80 GET http://a.com/",
        [
            egress(
                "a",
                "http 80",
                hosts=["a.com"],
                sources=[{**account(WHO), "kind": "User", "mtls": FSM_MTLS}, account(WHO)],
            )
        ],
    ),
    "a setting of the legacy group": Line(
        Code.SETTING_READ_OTHERWISE,
        "Egress curl/a spec.matches[0]",
        "192.0.2.1:25 TCP",
        [
            egress(
                "a",
                "tcp 25",
                matches=[{**random_meshes.SETTINGS[1], "name": "gone"}],
            )
        ],
    ),
    "a setting for every service": Line(
        Code.SETTING_READ_OTHERWISE,
        "UpstreamTrafficSetting curl/u spec.host",
        "10.96.0.1:80 GET http://web.shop/",
        [
            WEB,
            {**setting("u", 1), "spec": {**setting("u", 1)["spec"], "host": ""}},
        ],
        seen=False,
    ),
    "two global gateways": Line(
        Code.TWO_GLOBAL_GATEWAYS,
        "EgressGateway fsm/h spec.global",
        "192.0.2.1:25 TCP",
        [
            gateways("gw"),
            random_meshes.egress_gateway("h", [{"service": "gw", "namespace": "shop"}]),
            service("gw", "tcp-x 81"),
            egress("a", "tcp 25"),
        ],
        seen=False,
    ),
    "paths that differ in the case of letters": Line(
        Code.PATHS_LETTER_CASE,
        "HTTPRouteGroup curl/r spec.matches[0]",
        "192.0.2.1:80 GET http://a.com/",
        [
            routes("r", {"pathRegex": "^/get$"}, {"pathRegex": "^/Get$"}),
            egress("a", "http 80", hosts=["a.com"], matches=[named("HTTPRouteGroup", "r")]),
        ],
        seen=False,
    ),
    "paths of splits that do": Line(
        Code.PATHS_LETTER_CASE,
        "HTTPRouteGroup shop/q spec.matches[0]",
        "10.0.0.1:80 POST http://10.0.0.1/",
        [
            service("web", "http 80"),
            service("v1", "http 80", ip="10.96.0.2", pods=["10.0.0.2"]),
            routes("r", {"pathRegex": "/[A-Z]*"}, space="shop"),
            routes("q", {"pathRegex": "/[a-z]*", "methods": ["POST"]}, space="shop"),
            split("s", "web", "r", v1=100),
            split("t", "web", "q", web=100),
        ],
    ),
    "retries by chance": Line(
        Code.RETRY_BY_CHANCE,
        "Service shop/v1 spec.ports[0]",
        "10.96.0.2:80 GET http://v1.shop/",
        [
            config(featureFlags={"enableRetryPolicy": True}),
            WEB,
            V1,
            split("s", "web", v1=100),
            random_meshes.retry(3),
        ],
        seen=False,
        besides=("FSE021 Retry curl/again spec.retryPolicy",),
    ),
    "a pod that sends is isolated": Line(
        Code.ISOLATED_SOURCE,
        "Pod curl/me status.podIPs",
        "192.0.2.1:25 TCP",
        [
            random_meshes.isolation("i", ["10.1.0.0/16"]),
            resource(
                "v1",
                "Pod",
                "curl",
                "me",
                spec={"serviceAccountName": "curl"},
                status={"podIPs": [{"ip": "10.1.0.1"}]},
            ),
            resource(
                "v1",
                "Pod",
                "curl",
                "other",
                spec={"serviceAccountName": "curl"},
                status={"podIPs": [{"ip": "10.2.0.1"}]},
            ),
            egress("a", "tcp 25"),
        ],
        seen=False,
    ),
    "a packed config of two services with the same pods": Line(
        Code.PACKED_CONFIG,
        "MeshConfig fsm-system/fsm-mesh-config spec.featureFlags.enableSidecarPrettyConfig",
        "10.0.0.1:80 GET http://10.96.0.1/",
        [
            config(featureFlags={"enableSidecarPrettyConfig": False}),
            WEB,
            V1,
            service("v3", "http 80", ip="10.96.0.3"),
            split("s", "web", web=50, v1=30, v3=20),
        ],
    ),
    "shares that grow with the age of pods": Line(
        Code.SHARES_BY_AGE,
        "TrafficWarmup shop/web spec",
        "10.96.0.1:80 GET http://web.shop/",
        WARMING,
        seen=False,
    ),
    "a pod that is not ready at every port takes one": Line(
        Code.HEADLESS_WITHOUT_ADDRESSES,
        "Service shop/db spec.ports[1]",
        "10.0.0.1:81 TCP",
        [half_ready(), OPEN],
    ),
    "retries of one service": Line(
        Code.RETRY_BY_CHANCE,
        "Retry curl/again spec.destinations[0]",
        "10.96.0.1:80 GET http://web.shop/",
        [RETRYING, WEB, once("web"), random_meshes.retry(3)],
        seen=False,
        besides=("FSE021 Retry curl/a-web spec.retryPolicy", "FSE021 Retry curl/again spec.retryPolicy"),
    ),
    "retries of a host that reads like a service": Line(
        Code.RETRY_BY_CHANCE,
        "Retry curl/again spec.destinations[0]",
        "192.0.2.1:80 GET http://web.shop/",
        [RETRYING, egress("a", "http 80", hosts=["web.shop"]), once("web"), random_meshes.retry(3)],
        seen=False,
        besides=("FSE021 Retry curl/a-web spec.retryPolicy", "FSE021 Retry curl/again spec.retryPolicy"),
    ),
    "settings of one service": Line(
        Code.CONFLICTING_SETTINGS,
        "UpstreamTrafficSetting shop/v spec.host",
        "10.96.0.1:80 GET http://web.shop/",
        [WEB, limit("u", "web.shop", 1), limit("v", "web.shop.svc.cluster.local", 2)],
        seen=False,
    ),
    "a certificate beside a policy without": Line(
        Code.CONFLICTING_SETTINGS,
        "Egress curl/a spec.ports[0]",
        "54.0.0.0:25 TCP",
        [egress("a", "tcp 25", ipAddresses=RANGE, mtls=FSM_MTLS), egress("b", "tcp 25")],
        seen=False,
        besides=("FSE050 Egress curl/b spec.ports[0]", "FSE062 Egress curl/b spec.ports[0]"),
    ),
    "an odd part of a split": Line(
        Code.SHARE_BY_CHANCE,
        "TrafficSplit shop/s spec.backends[0]",
        "10.96.0.1:80 GET http://web.shop/",
        [WEB, *abroad("v1", 8080, 9090), split("s", "web", v1=15)],
        seen=False,
    ),
    "two splits of a stream": Line(
        Code.SPLIT_READ_OTHERWISE,
        "TrafficSplit shop/s spec",
        "10.96.0.1:80 TCP",
        [
            service("db", "tcp-x 80"),
            service("v1", "tcp-x 80", ip="10.96.0.2", pods=["10.0.0.2"]),
            split("s", "db", db=50, v1=50),
            split("t", "db", db=10, v1=50),
        ],
        seen=False,
    ),
    "a service here and elsewhere, opened by two targets": Line(
        Code.SHARE_BY_CHANCE,
        "ServiceImport shop/web spec.ports[0]",
        "10.96.0.1:80 GET http://web.shop/",
        [CLOSED, WEB, POD, *abroad("web", 80, kind="FailOver"), *(opened(who) for who in ("web", "other"))],
        seen=False,
    ),
    "hosts without ranges are reached in those of nobody": Line(
        Code.NEIGHBOURS_HOSTS,
        "Egress curl/c spec.ports[0]",
        "54.0.0.0:80 GET http://c.com/",
        [
            DEFAULT_ROUTE,
            egress("a", "http 80", hosts=["a.com"], ipAddresses=RANGE),
            egress("b", "http 80", hosts=["b.com"]),
            egress("c", "http 80", hosts=["c.com"], ipAddresses=["55.0.0.0/8"]),
        ],
        besides=("FSE050 Egress curl/b spec.ports[0]", "FSE051 Egress curl/a spec.ports[0]"),
    ),
    "an egress range takes none of the addresses of the mesh": Line(
        Code.HEADER_NAME_AS_WRITTEN,
        "HTTPRouteGroup shop/r spec.matches[0]",
        "10.0.0.1:80 GET http://10.0.0.1/v1",
        [
            WEB,
            V1,
            routes("r", {"pathRegex": "/v1", "headers": [{"X-Env": "prod"}]}, space="shop"),
            split("s", "web", "r", v1=100),
            split("t", "web", web=100),
            egress("a", "tcp 80", ipAddresses=["10.0.0.0/8"]),
        ],
    ),
    "one certificate is a neighbour's, another its own": Line(
        Code.CERTIFICATE_OF_NEIGHBOUR,
        "Egress curl/b spec.ports[0]",
        "55.0.0.0:25 TCP",
        [
            egress("a", "tcp 25", ipAddresses=RANGE, mtls=FSM_MTLS),
            egress("b", "tcp 25", ipAddresses=["55.0.0.0/8"]),
            egress("c", "https 25", hosts=["c.com"], ipAddresses=["56.0.0.0/8"]),
        ],
        besides=("FSE008 Egress curl/a spec.ports[0]",),
    ),
    "a host keeps its capitals on one port of two": Line(
        Code.HOST_AS_WRITTEN,
        "Egress curl/a spec.hosts[0]",
        "192.0.2.1:443 TCP",
        [egress("a", "https 443", hosts=["A.com"]), egress("b", "http 25", hosts=["a.com"])],
    ),
    "two certificates are lost": Line(
        Code.CERTIFICATE_LOST,
        "Egress curl/b spec.ports[0]",
        "192.0.2.1:26 TCP",
        [egress("a", "tcp 25", mtls=FSM_MTLS), egress("b", "tcp 26", mtls=FSM_MTLS)],
        seen=False,
        besides=("FSE005 Egress curl/a spec.ports[0]",),
    ),
    "TLS is wrapped in TLS on two ports": Line(
        Code.TLS_IN_TLS,
        "Egress curl/b spec.ports[0]",
        "54.0.0.0:444 TLS b.com",
        [
            egress("a", "https 443", hosts=["a.com"], mtls=FSM_MTLS, ipAddresses=RANGE),
            egress("b", "https 444", hosts=["b.com"], mtls=FSM_MTLS, ipAddresses=RANGE),
        ],
        seen=False,
        besides=("FSE006 Egress curl/a spec.ports[0]",),
    ),
    "a secret is missing beside a policy that needs none": Line(
        Code.MISSING_SECRET,
        "Egress curl/a spec.sources[0].mtls",
        "192.0.2.1:80 GET http://a.com/",
        [
            egress("a", "http 80", hosts=["a.com"], mtls=OTHER_MTLS),
            egress("b", "http 80", hosts=["b.com"]),
        ],
    ),
    "two secrets are missing": Line(
        Code.MISSING_SECRET,
        "Egress curl/b spec.sources[0].mtls",
        "192.0.2.1:81 GET http://b.com/",
        [
            egress("a", "http 80", hosts=["a.com"], mtls=OTHER_MTLS),
            egress("b", "http 81", hosts=["b.com"], mtls=OTHER_MTLS),
        ],
        besides=("FSE004 Egress curl/a spec.sources[0].mtls",),
    ),
    "one of the groups of a split is refused here": Line(
        Code.REFUSED_IN_FORCE,
        "HTTPRouteGroup shop/r",
        "10.0.0.1:80 GET http://10.0.0.1/",
        [
            WEB,
            V1,
            routes("q", {"pathRegex": "/q"}, space="shop"),
            routes("r", {"pathRegex": "("}, space="shop"),
            split("s", "web", "q", "r", v1=100),
            split("t", "web", web=100),
        ],
        besides=("FSE123 TrafficSplit shop/s spec",),
    ),
    "what no line explains": Line(
        Code.STOCK_CONTROLLER_DIFFERS,
        "Service shop/web spec.ports[0]",
        "10.0.0.9:80 GET http://Web.shop/",
        [
            DEFAULT_ROUTE,
            service("web", "http 80", ip="10.96.0.9", pods=["10.0.0.9"]),
            service("dns", "x 80", ip="10.0.0.1", pods=[], **port_of("x", 80, protocol="UDP")),
        ],
        besides=("FSE016 Service shop/dns spec.ports[0]",),
    ),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_each_line_has_a_finding_with_a_witness(line: Line) -> None:
    mesh = meshed(*line.mesh)
    by_rule = {(finding.code, str(finding.rule)): finding for finding in stock_findings(mesh, WHO)}
    finding = by_rule[line.code, line.rule]
    assert str(finding.witness) == line.witness
    assert shows(mesh, finding.witness) is line.seen
    assert finding.fix
    others = [f"{code.code} {rule}" for code, rule in by_rule if (code, rule) != (line.code, line.rule)]
    assert sorted(others) == sorted(line.besides)


def test_every_code_of_the_page_has_a_line() -> None:
    of_the_page = {
        code for code in Code if "FSE050" <= code.code <= "FSE065" or "FSE120" <= code.code <= "FSE130"
    } | {Code.SHARES_BY_AGE, Code.SHARE_BY_CHANCE}
    assert of_the_page <= {line.code for line in LINES.values()}


def test_ranges_that_are_lost_without_harm_are_a_remark() -> None:
    nowhere = routes("r")
    mesh = meshed(
        egress("a", "http 80", hosts=["a.com"]),
        egress("b", "http 80", hosts=["a.com"], ipAddresses=RANGE, matches=[named("HTTPRouteGroup", "r")]),
        nowhere,
    )
    (finding,) = (it for it in stock_findings(mesh, WHO) if it.code is Code.RANGES_LOST)
    assert (str(finding.rule), finding.severity) == ("Egress curl/b spec.ports[0]", fe.Severity.INFO)


def test_lost_ranges_are_shown_where_a_neighbour_has_its_own() -> None:
    """A connection to the ranges that are lost comes to no match, and is closed instead of answered 403."""
    (finding,) = stock_findings(
        meshed(
            egress("named", "http 80", hosts=["a.com"], ipAddresses=["3.0.0.0/16"]),
            egress("bare", "http 80", ipAddresses=["198.51.100.7/32"]),
        ),
        WHO,
    )
    assert (finding.code, finding.severity) == (Code.RANGES_LOST, fe.Severity.ERROR)
    assert str(finding.rule) == "Egress curl/bare spec.ports[0]"
    assert finding.witness is not None
    assert str(finding.witness.destination) == "198.51.100.7"


def test_tls_without_hosts_is_a_remark_where_it_goes_out_all_the_same() -> None:
    for mesh, severity in ((OPEN, fe.Severity.INFO), (config(), fe.Severity.ERROR)):
        (finding,) = stock_findings(meshed(mesh, egress("a", "https 443")), WHO)
        assert (finding.code, finding.severity) == (Code.TLS_WITHOUT_HOSTS, severity)
        assert str(finding.witness) == "192.0.2.1:443 TLS without server name"


# --- where there is nothing to find ----------------------------------------------------------------------


def test_a_split_onto_a_protocol_that_is_unknown_is_told_of_that() -> None:
    cache = service(
        "cache", "x 80", ip="10.96.0.2", pods=["10.0.0.2"], **port_of("x", 80, appProtocol="redis")
    )
    mesh = meshed(service("web", "http 80", pods=[]), cache, split("s", "web", cache=1))
    (finding,) = stock_findings(mesh, WHO)
    assert (finding.code, str(finding.rule)) == (
        Code.UNKNOWN_APP_PROTOCOL,
        "Service shop/cache spec.ports[0]",
    )
    assert str(finding.witness) == "10.96.0.1:80 GET http://10.96.0.1/"
    assert shows(mesh, finding.witness)


def test_a_mesh_that_touches_no_line_has_no_findings() -> None:
    assert found(service("web", "http 80"), egress("a", "http 80", "tcp 25", hosts=["a.com"])) == []


def test_ranges_apart_or_alike_are_no_neighbours() -> None:
    both = [egress(name, "http 80", hosts=[f"{name}.com"], ipAddresses=RANGE) for name in "ab"]
    assert found(*both, egress("c", "tcp 25"), egress("d", "http 81", hosts=["a.com"])) == []


def test_policies_of_others_touch_nothing() -> None:
    others = [account("wget.curl")]
    assert (
        found(
            egress("a", "http 80", hosts=["a.com"], ipAddresses=["54.1.2.3"], sources=others),
            egress("b", "grpc 80", sources=others),
            egress("c", "tcp 25", "tcp 25", sources=others),
        )
        == []
    )


def test_policies_that_are_switched_off_touch_nothing() -> None:
    off = config(featureFlags={"enableEgressPolicy": False})
    assert found(off, egress("a", "grpc 80"), egress("b", "tcp 25", ipAddresses=["54.1.2.3"])) == []


@pytest.mark.parametrize("spec", [{"ports": None}, {"ports": []}])
def test_a_refused_policy_without_ports_claims_nothing(spec: dict[str, Any]) -> None:
    policy = egress("a", hosts=["a.com"], ipAddresses=["54.1.2.3"])
    assert found({**policy, "spec": {**policy["spec"], **spec}}) == []


@pytest.mark.parametrize("entry", [WEB, egress("a", "tcp 25")], ids=["a service", "a policy"])
def test_a_refused_group_that_nothing_names_touches_nothing(entry: Entry) -> None:
    assert found(entry, routes("r", {"pathRegex": "("})) == []


def test_a_refused_group_beside_another_one_is_in_force() -> None:
    groups = [routes(name, {"pathRegex": path}) for name, path in (("q", "/q"), ("r", "("))]
    policy = egress("a", "http 80", hosts=["a.com"], matches=[named("HTTPRouteGroup", it) for it in "qr"])
    assert ("FSE056", "HTTPRouteGroup curl/r") in found(policy, *groups)


def test_a_policy_that_is_wrong_otherwise_touches_nothing() -> None:
    assert found(egress("a", "tcp 0", ipAddresses=["54.1.2.3"])) == []


def test_where_no_policy_is_in_force_nothing_else_can_be_wrong_with_one() -> None:
    assert found(ABSENT, egress("a", "tcp 25", mtls=OTHER_MTLS)) == [
        ("FSE010", "MeshConfig fsm-system/fsm-mesh-config spec.featureFlags.enableEgressPolicy")
    ]


def test_a_finding_may_have_no_witness_where_nothing_is_reached() -> None:
    flag = config(featureFlags={"enableRetryPolicy": True})
    findings = stock_findings(meshed(flag, retry("gone"), gateways("gone")), WHO)
    assert [(finding.code.code, finding.witness) for finding in findings] == [
        ("FSE020", None),
        ("FSE021", None),
    ]


def test_certificates_that_are_alike_are_nobodys_in_particular() -> None:
    both = [egress(name, "tcp 25", ipAddresses=RANGE, mtls=FSM_MTLS) for name in "ab"]
    assert found(*both) == []


def test_what_says_the_same_leaves_nothing_to_chance() -> None:
    same = once("web")
    other = {**same, "metadata": {**same["metadata"], "name": "again"}}
    settings_ = limit("u", "web.shop", 1), limit("v", "web.shop.svc.cluster.local", 1)
    untimed = [
        ("FSE021", "Retry curl/a-web spec.retryPolicy"),
        ("FSE021", "Retry curl/again spec.retryPolicy"),
    ]
    assert found(RETRYING, WEB, same, other, *settings_) == untimed
    nobody = egress("a", "http 80", hosts=["a.b.c.svc.d"])  # which reads like no service
    assert found(RETRYING, nobody, once("web"), random_meshes.retry(3)) == untimed


def test_a_wrong_identity_is_refused() -> None:
    with pytest.raises(fe.InvalidValue):
        stock_findings(fe.Snapshot(), "curl")


# --- versions --------------------------------------------------------------------------------------------

ZERO = [WEB, V1, split("s", "web", web=0, v1=0)]
ISOLATED = [WEB, random_meshes.isolation("i", ["10.96.0.1/32", "10.0.0.1/32"])]
UNTARGETED = [service("web", "http 80", "tcp-x 90", pods=[])]
UNTARGETED[0][1]["subsets"] = [
    {"addresses": [{"ip": "10.0.0.1"}], "ports": [{"name": "http", "port": 80}, {"name": "y", "port": 91}]}
]
NAMED = [config({"serviceAccessNames": {"mustWithServicePort": True}}), WEB]
SHORT = [config({"serviceAccessNames": {"mustWithNamespace": False}}), WEB]


def test_what_an_older_controller_reads_otherwise_is_found_where_no_request_shows_it() -> None:
    """A request for any host is sent on with `enableAutoDefaultRoute`, whatever names the service has."""
    mesh = [
        config(
            {"serviceAccessNames": {"mustWithServicePort": True}},
            featureFlags={"enableAutoDefaultRoute": True},
        ),
        WEB,
    ]
    assert old_rules(mesh, "1.3.7") == [
        ("Service shop/web spec.ports[0]", "10.96.0.1:80 GET http://web.shop/")
    ]
    nowhere = [service("web", "http 80", pods=[]), split("s", "web", web=0)]
    assert old_rules(nowhere, "1.4.6") == [
        ("Service shop/web spec.ports[0]", "10.96.0.1:80 GET http://web.shop/")
    ]
    assert old_rules(nowhere, "1.4.7") == []
    warming = [("TrafficWarmup shop/web spec", "10.96.0.1:80 GET http://web.shop/")]
    assert (old_rules(WARMING, "1.4"), old_rules(WARMING, "1.5")) == (warming, [])


def old_rules(mesh: list[Any], version: str) -> list[tuple[str, str]]:
    found = stock_findings(meshed(*mesh), WHO, fsm=version)
    return [(str(it.rule), str(it.witness)) for it in found if it.code is Code.OLDER_VERSION]


@pytest.mark.parametrize(
    ("mesh", "version", "rule"),
    [
        (ZERO, "1.4.6", "Service shop/web spec.ports[0]"),
        (ZERO, "1.4.7", None),
        (ISOLATED, "1.3.8", "Service shop/web spec.ports[0]"),
        (ISOLATED, "1.3.9", None),
        (UNTARGETED, "1.4", "Service shop/web spec.ports[1]"),
        (UNTARGETED, "1.5", None),
        (NAMED, "1.3.7", "Service shop/web spec.ports[0]"),
        (NAMED, "1.3.8", None),
        (SHORT, "1.4.2", "Service shop/web spec.ports[0]"),
        (SHORT, "1.4.3", None),
    ],
)
def test_what_an_older_controller_reads_otherwise_is_found(
    mesh: list[Any], version: str, rule: str | None
) -> None:
    found = stock_findings(meshed(*mesh), WHO, fsm=version)
    old = [it for it in found if it.code is Code.OLDER_VERSION]
    assert [str(it.rule) for it in old] == ([rule] if rule else [])
    assert all(shows(meshed(*mesh), it.witness, fsm=version) for it in old)


# --- laws ------------------------------------------------------------------------------------------------


@given(random_meshes.meshes_and_more(), random_meshes.identities(), random_meshes.versions())
@settings(max_examples=examples(20), deadline=None)
def test_law_a_witness_shows_what_its_code_claims(
    mesh: random_meshes.Documents, identity: str, version: str | None
) -> None:
    snapshot = fe.load(mesh)
    identity, *_ = random_meshes.subjects_of(mesh, identity)
    findings = stock_findings(snapshot, identity, fsm=version)
    both = sides(snapshot, identity, version)
    for finding in findings:
        if finding.code in SHOWN and finding.severity is not fe.Severity.INFO:
            assert differs(both, finding.witness)
    assert len({(finding.code, finding.rule) for finding in findings}) == len(findings)


def announced(findings: fe.Findings, port: int) -> bool:
    """Whether a finding is about a port: by its witness, unless its rule is of more than a port."""
    return any(
        it.witness is None
        or it.witness.port == port
        or it.rule.resource.kind not in {"Service", "Egress"}
        or ".ports[" not in it.rule.path
        for it in findings
    )


@given(random_meshes.meshes_and_more(), random_meshes.identities(), random_meshes.versions())
@settings(max_examples=examples(15), deadline=None)
def test_law_the_config_differs_only_where_a_finding_says_so(
    mesh: random_meshes.Documents, identity: str, version: str | None
) -> None:
    snapshot = fe.load(random_meshes.without_sources(mesh))  # what passes by a sidecar shows nothing of it
    flags = snapshot.mesh_config.spec.feature_flags
    ours, theirs = (
        outbound(make(snapshot, identity, fsm=version)) for make in (fe.pipy_config, stock_config)
    )
    findings = stock_findings(snapshot, identity, fsm=version)
    if flags.enable_sidecar_pretty_config is False:  # names are others everywhere
        ours = theirs = None
    matches = [(tree or {}).get("TrafficMatches") or {} for tree in (ours, theirs)]
    for port in {*matches[0], *matches[1]}:
        if matches[0].get(port) != matches[1].get(port):
            assert announced(findings, int(port))
    if ours != theirs:
        assert findings


def _comes_by_ipv4(match: Any) -> bool:
    """Whether anything over IPv4 comes to a match; its ranges of IPv6 are taken out."""
    ranges = match["DestinationIPRanges"]
    if ranges is None:
        return True
    for text in [it for it in ranges if ip_network(it, strict=False).version == 6]:
        del ranges[text]
    return bool(ranges)


def _side_by_side(matches: Iterable[Any]) -> list[Any]:
    """The matches, those that follow one another and differ in their ranges only as one."""
    found: list[Any] = []
    for match in matches:
        last = found[-1] if found else {}
        ranges = last.get("DestinationIPRanges")
        if ranges and match["DestinationIPRanges"] and last == {**match, "DestinationIPRanges": ranges}:
            ranges.update(match["DestinationIPRanges"])
        else:
            found.append(match)
    return found


def outbound(config: fe.PipyConfig) -> Any:
    """The outbound part without what says nothing.

    That are ranges inside others of their match or of one before it, matches that are repeated or differ from
    the one before in their ranges only, and whatever is of IPv6, which comes to no sidecar.
    """
    found = config.to_mapping()["Outbound"]
    for port, listed in list(found["TrafficMatches"].items()) if found else ():
        before: list[Any] = []
        matches: list[Any] = []
        for match in _side_by_side(filter(_comes_by_ipv4, listed)):
            nets = {text: ip_network(text, strict=False) for text in match["DestinationIPRanges"] or {}}
            for text, net in nets.items():
                if any(net.subnet_of(other) for other in (*before, *(set(nets.values()) - {net}))):
                    del match["DestinationIPRanges"][text]
            before += nets.values()
            if match["DestinationIPRanges"] is None or match["DestinationIPRanges"]:
                matches.append(match)
        found["TrafficMatches"][port] = [it for at, it in enumerate(matches) if it not in matches[:at]]
        if not matches:
            del found["TrafficMatches"][port]
    return found


OUTCOMES = [*FURTHER, *CASES, *ELSEWHERE, *VARIED]


@pytest.mark.parametrize("case", OUTCOMES, ids=lambda case: case["name"])
def test_of_the_controllers_outcomes_none_differs_unannounced(case: dict[str, Any]) -> None:
    snapshot, identity = fe.load(case["resources"], strict=False), case["identity"]
    ours, theirs = (fe.pipy_config(snapshot, identity), stock_config(snapshot, identity))
    if outbound(ours) != outbound(theirs):
        is_unreachable = case["name"] == "crafted: egress: port 0"  # no connection goes to it
        assert bool(stock_findings(snapshot, identity)) is not is_unreachable


BY_CHANCE = {
    Code.CONFLICTING_SETTINGS,
    Code.SHARED_ADDRESS,
    Code.HTTP_AND_GRPC,
    Code.CERTIFICATE_OF_NEIGHBOUR,
    Code.SPLIT_WITHOUT_HOST,
    Code.SPLIT_READ_OTHERWISE,
    Code.SETTING_READ_OTHERWISE,
    Code.TWO_GLOBAL_GATEWAYS,
    Code.PATHS_LETTER_CASE,
    Code.RETRY_BY_CHANCE,
    Code.SHARE_BY_CHANCE,
}


@pytest.mark.parametrize(
    "case", [it for it in OUTCOMES if len(it.get("configs", ())) > 1], ids=lambda case: case["name"]
)
def test_where_the_controller_has_several_outcomes_a_finding_says_so(case: dict[str, Any]) -> None:
    snapshot, identity = fe.load(case["resources"], strict=False), case["identity"]
    if len({json.dumps(normal(config), sort_keys=True) for config in case["configs"]}) > 1:
        assert {finding.code for finding in stock_findings(snapshot, identity)} & BY_CHANCE


@given(random_meshes.cases(6, random_meshes.meshes_and_more()), random_meshes.versions())
@settings(max_examples=examples(12), deadline=None)
def test_law_whatever_goes_astray_has_a_finding(
    case: tuple[random_meshes.Documents, str, random_meshes.Documents], version: str | None
) -> None:
    documents_, identity, connections = case
    mesh = fe.load(documents_)
    drawn = [fe.Connection.from_mapping(connection) for connection in connections]
    both = sides(mesh, identity, version)
    astray = [connection for connection in drawn if differs(both, connection)]
    findings = stock_findings(mesh, identity, fsm=version) if astray else fe.Findings()
    assert all(announced(findings, connection.port) for connection in astray)
    assert not astray or any(it.witness is not None and differs(both, it.witness) for it in findings)


@given(random_meshes.meshes(), random_meshes.identities(), st.data())
@settings(max_examples=examples(8), deadline=None)
def test_law_permuted_documents_have_the_same_findings(
    mesh: random_meshes.Documents, identity: str, data: st.DataObject
) -> None:
    def findings(entries: random_meshes.Documents) -> set[tuple[str, str]]:
        who, *_ = random_meshes.subjects_of(mesh, identity)
        return {(it.code.code, str(it.rule.resource)) for it in stock_findings(fe.load(entries), who)}

    assert findings(data.draw(random_meshes.permuted(mesh))) == findings(mesh)
