"""In-mesh traffic: services, ports, names, owners, splits, SMI, retries and settings, one rule at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from random_meshes import FLOMESH, account, resource, retry, traffic_split, traffic_target
from small import WHO, config, flat, found, load, resolved, routes, service

import fsm_egress as fe
from fsm_egress.resolution.inmesh import resolve_in_mesh
from fsm_egress.resolution.mesh_service import hostnames_of
from fsm_egress.resolution.services import reached_services

if TYPE_CHECKING:
    from fsm_egress.policy.parts import Cluster, MeshMatch, VirtualHost
    from fsm_egress.resolution.inmesh import InMesh

CURL = fe.ServiceIdentity.parse(WHO)


def in_mesh(*entries: Any) -> InMesh:
    return resolve_in_mesh(load(*entries), CURL)


def matches(*entries: Any, port: int = 80) -> list[tuple[str, list[str]]]:
    """The matches of a port: protocol and addresses."""
    return [
        (match.protocol.value, [str(owner.prefix) for owner in match.owners])
        for match in in_mesh(*entries).matches.get(port, ())
    ]


def only_match(*entries: Any, port: int = 80) -> MeshMatch:
    (match,) = in_mesh(*entries).matches[port]
    return match


def hosts(*entries: Any) -> dict[str, VirtualHost]:
    return {host.name: host for host in only_match(*entries).virtual_hosts}


def clusters(*entries: Any) -> dict[str, list[str]]:
    """The clusters with their endpoints."""
    return {
        cluster.name: [f"{endpoint.host}:{endpoint.port}" for endpoint in cluster.endpoints]
        for cluster in in_mesh(*entries).clusters
    }


def cluster(name: str, *entries: Any) -> Cluster:
    return next(found for found in in_mesh(*entries).clusters if found.name == name)


def weights(*entries: Any) -> list[tuple[str, dict[str, int]]]:
    """The routes of `web.shop`: path, and clusters with their weights."""
    return [
        (route.path.text, {found.name: found.weight for found in route.clusters})
        for route in hosts(*entries)["web.shop"].routes
    ]


def codes(*entries: Any) -> list[tuple[str, str]]:
    return found(resolved(*entries))


def test_what_is_reached_comes_by_port() -> None:
    first = service("aa", "http 8080", ip="10.96.0.2", pods=["10.0.0.2"])
    assert list(in_mesh(first, service("web", "http 80")).matches) == [80, 8080]


def test_a_service_without_addresses_has_no_host_beside_others() -> None:
    headless = service("aa", "http 80", ip="None", pods=[])
    assert list(hosts(headless, service("web", "http 80"))) == ["web.shop"]


def test_it_is_worked_out_once_for_all_accounts_that_it_is_the_same_for() -> None:
    wget, other = fe.ServiceIdentity("wget", "curl"), fe.ServiceIdentity("curl", "other")

    def alike(**rest: Any) -> list[bool]:
        mesh = load(config(**rest), service("web", "http 80", space="curl"))
        own = resolve_in_mesh(mesh, CURL)
        return [resolve_in_mesh(mesh, who) is own for who in (CURL, wget, other)]

    anywhere = {"serviceAccessNames": {"mustWithNamespace": False}}
    assert alike() == [True, True, False]  # a service of the own namespace has a shorter name
    assert alike(traffic=anywhere) == [True, True, True]
    assert alike(traffic={"enablePermissiveTrafficPolicyMode": False}) == [True, False, False]
    assert alike(featureFlags={"enableRetryPolicy": True}) == [True, False, False]
    named = [
        set(hosts(service("web", "http 80", space=space))[f"web.{space}"].hostnames)
        for space in ("curl", "shop")
    ]
    assert ["web" in it for it in named] == [True, False]


def test_what_is_reached_is_shown_short_and_knows_no_other_cluster() -> None:
    reached = in_mesh(service("web", "http 80"))
    assert repr(reached) == f"InMesh(_identity={resolve_in_mesh(load(), CURL)._identity!r})"  # noqa: SLF001  # shown
    assert reached.cluster("shop/web|80") is not None
    assert reached.cluster("shop/web|81") is None


# --- ports and protocols ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("http-web", "http"),
        ("grpc-web", "grpc"),
        ("tcp-web", "tcp"),
        ("tcp-server-first-web", "tcp-server-first"),
        ("https-web", "http"),  # `https` is no prefix that counts
        ("tcp", "http"),
        ("tcpweb", "http"),
        ("web", "http"),
    ],
)
def test_the_prefix_of_a_port_s_name_is_its_protocol(name: str, protocol: str) -> None:
    assert only_match(service("web", f"{name} 80")).protocol.value == protocol


def declared(app_protocol: str, transport: str = "TCP") -> list[dict[str, Any]]:
    entries = service("web", "tcp-web 80")
    entries[0]["spec"]["ports"][0].update({"appProtocol": app_protocol, "protocol": transport})
    return entries


@pytest.mark.parametrize("protocol", ["http", "GRPC", "https", "TCP", "Tcp-Server-First"])
def test_app_protocol_wins_in_any_letter_case(protocol: str) -> None:
    assert only_match(declared(protocol)).protocol.value == protocol.lower()


def test_a_port_of_unknown_protocol_or_not_tcp_takes_no_part() -> None:
    redis, udp = declared("redis"), declared("http", "UDP")
    assert in_mesh(redis).matches == in_mesh(udp).matches == {}
    assert codes(redis) == [("FSE014", "Service shop/web spec.ports[0]")]
    assert codes(udp) == [("FSE016", "Service shop/web spec.ports[0]")]


def test_the_target_port_is_that_of_the_endpoints_by_name() -> None:
    assert clusters(service("web", "http-web 80 8080")) == {"shop/web|8080": ["10.0.0.1:80"]}


def test_a_port_that_the_endpoints_do_not_name_takes_no_part() -> None:
    other = service("web", "http-web 80")
    other[1]["subsets"][0]["ports"] = [{"name": "other", "port": 80}, {"name": "another", "port": 81}]
    for entries in (other, other[:1]):
        found = in_mesh(entries)
        assert (found.matches, found.clusters, found.findings) == ({}, (), ())


def test_the_only_port_of_the_endpoints_stands_for_every_port_of_the_service() -> None:
    other = service("web", "http-web 80", "http-more 81")
    other[1]["subsets"][0]["ports"] = [{"name": "other", "port": 8080}]
    assert clusters(other) == {"shop/web|8080": ["10.0.0.1:80", "10.0.0.1:81"]}
    unnamed = service("web", "http-web 80")
    del unnamed[0]["spec"]["ports"][0]["name"]
    unnamed[1]["subsets"][0]["ports"] = [{"name": "a", "port": 8081}, {"name": "b", "port": 8082}]
    assert clusters(unnamed) == {"shop/web|8081": ["10.0.0.1:80"]}


def test_only_subsets_with_the_target_port_have_endpoints_but_all_have_addresses() -> None:
    entries = service("web", "http-web 80", pods=["10.0.0.1", "10.0.0.1", "10.0.0.3"])
    second = {"addresses": [{"ip": "10.0.0.2"}], "ports": [{"name": "http-web", "port": 81}]}
    not_ready = {
        "notReadyAddresses": [{"ip": "10.0.0.9"}],
        "ports": [{"name": "http-web", "port": 80}],
    }
    entries[1]["subsets"] += [second, not_ready]
    assert clusters(entries) == {"shop/web|80": ["10.0.0.1:80", "10.0.0.3:80"]}
    assert matches(entries) == [
        ("http", ["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32", "10.96.0.1/32"]),
    ]


def test_a_service_without_ready_addresses_keeps_its_cluster_ip() -> None:
    entries = service("web", "http-web 80", pods=[])
    assert matches(entries) == [("http", ["10.96.0.1/32"])]
    assert clusters(entries) == {"shop/web|80": []}
    assert codes(entries) == [("FSE027", "Service shop/web spec.ports[0]")]


# --- addresses and their owners --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "addresses"),
    [
        ("mixed", ["10.0.0.1/32", "10.96.0.1/32"]),
        ("ip", ["10.0.0.1/32", "10.96.0.1/32"]),
        ("domain", ["10.96.0.1/32"]),
    ],
)
def test_the_access_mode_says_which_addresses_count(mode: str, addresses: list[str]) -> None:
    assert matches(config({"serviceAccessMode": mode}), service("web", "http-web 80")) == [
        ("http", addresses)
    ]


@pytest.mark.parametrize("ip", ["None", ""])
def test_a_headless_service_has_the_addresses_of_its_pods(ip: str) -> None:
    entries = service("db", "tcp-db 80 8080", ip=ip, pods=["10.0.0.2", "10.0.0.1"])
    assert matches(entries) == [("tcp", ["10.0.0.1/32", "10.0.0.2/32"])]
    assert clusters(entries) == {"shop/db|8080": ["10.0.0.1:80", "10.0.0.2:80"]}


def test_hostnamed_pods_are_services_of_their_own() -> None:
    pods = [{"ip": "10.0.0.1", "hostname": "db-0"}, {"ip": "10.0.0.2", "hostname": "db-1"}]
    entries = service("db", "http-db 80", ip="None", pods=pods)
    assert clusters(entries) == {
        "shop/db-0.db|80": ["10.0.0.1:80"],
        "shop/db-1.db|80": ["10.0.0.2:80"],
    }
    assert "db-0.db.shop" in hosts(entries)["db-0.db.shop"].hostnames


def test_a_headless_service_without_ready_addresses_takes_no_part() -> None:
    entries = service("db", "tcp-db 80", ip="None", pods=[])
    assert in_mesh(entries).matches == {}
    assert codes(entries) == [("FSE015", "Service shop/db spec.ports[0]")]


def test_http_services_share_a_match_and_stream_services_do_not() -> None:
    assert matches(
        service("a", "http-x 80", ip="10.96.0.4", pods=["10.0.0.4"]),
        service("b", "http-x 80", ip="10.96.0.3", pods=["10.0.0.3"]),
        service("c", "tcp-x 80", ip="10.96.0.2", pods=["10.0.0.2"]),
        service("d", "tcp-server-first-x 80", ip="10.96.0.1", pods=["10.0.0.1"]),
    ) == [
        ("tcp-server-first", ["10.0.0.1/32", "10.96.0.1/32"]),
        ("tcp", ["10.0.0.2/32", "10.96.0.2/32"]),
        ("http", ["10.0.0.3/32", "10.0.0.4/32", "10.96.0.3/32", "10.96.0.4/32"]),
    ]


def test_grpc_alone_is_grpc_and_with_http_it_is_http() -> None:
    grpc = service("a", "grpc-x 80")
    http = service("b", "http-x 80", ip="10.96.0.2", pods=["10.0.0.2"])
    assert only_match(grpc).protocol is fe.Protocol.GRPC
    assert only_match(grpc, http).protocol is fe.Protocol.HTTP
    assert codes(grpc, http) == [("FSE018", "Service shop/a spec.ports[0]")]


def test_an_address_of_two_stream_services_belongs_to_the_first_by_name() -> None:
    one = service("one", "tcp-x 90", ip="10.96.0.1")
    two = service("two", "tcp-x 90", ip="10.96.0.2", space="data")
    assert matches(one, two, port=90) == [
        ("tcp", ["10.0.0.1/32", "10.96.0.2/32"]),
        ("tcp", ["10.96.0.1/32"]),
    ]
    assert codes(one, two) == [("FSE017", "Service shop/one spec.ports[0]")]


def test_an_address_belongs_to_the_service_whose_cluster_ip_it_is() -> None:
    pod = service("a", "tcp-x 90", ip="10.96.0.1", pods=["10.96.0.2"])
    owner = service("b", "tcp-x 90", ip="10.96.0.2", pods=["10.0.0.2"])
    assert matches(pod, owner, port=90) == [
        ("tcp", ["10.0.0.2/32", "10.96.0.2/32"]),
        ("tcp", ["10.96.0.1/32"]),
    ]
    same = service("c", "tcp-x 90", ip="10.96.0.2", pods=["10.0.0.3"])
    assert matches(owner, same, port=90) == [
        ("tcp", ["10.0.0.2/32", "10.96.0.2/32"]),
        ("tcp", ["10.0.0.3/32"]),
    ]


def test_http_services_share_an_address_silently() -> None:
    one, two = service("one", "http-x 80"), service("two", "http-x 80", ip="10.96.0.2")
    assert matches(one, two) == [("http", ["10.0.0.1/32", "10.96.0.1/32", "10.96.0.2/32"])]
    assert "FSE017" not in dict(codes(one, two))


def test_a_stream_service_without_any_address_of_its_own_has_no_match() -> None:
    first = service("a", "tcp-x 90", ip="None", pods=["10.0.0.1"])
    second = service("b", "tcp-x 90", ip="None", pods=["10.0.0.1"])
    assert matches(first, second, port=90) == [("tcp", ["10.0.0.1/32"])]
    assert list(clusters(first, second)) == ["shop/a|90"]


# --- hostnames -------------------------------------------------------------------------------------------


def hostnames(*, space: str = "shop", mode: str = "domain", **names: Any) -> list[str]:
    """The hostnames of `web` for `curl.curl`, its addresses last."""
    switches = {"serviceAccessMode": mode, "serviceAccessNames": names}
    mesh = load(config(switches), service("web", "http-web 80", space=space))
    (reached,) = reached_services(mesh, CURL, [])
    return list(hostnames_of(mesh, CURL, reached))


SHORT: dict[str, Any] = {"withTrustDomain": False}


def test_the_settings_say_which_hostnames_a_service_answers_to() -> None:
    full = ["web.shop", "web.shop.svc", "web.shop.svc.cluster", "web.shop.svc.cluster.local"]
    assert hostnames() == [*full, *(f"{name}:80" for name in full)]
    assert hostnames(**SHORT) == ["web.shop", "web.shop:80"]
    assert hostnames(**SHORT, mustWithServicePort=True) == ["web.shop:80"]
    assert hostnames(**SHORT, mustWithNamespace=False) == ["web", "web.shop", "web:80", "web.shop:80"]
    assert hostnames(space="curl", **SHORT) == ["web", "web.curl", "web:80", "web.curl:80"]


def test_the_access_mode_says_whether_names_or_addresses_count() -> None:
    addresses = ["10.96.0.1", "10.0.0.1", "10.96.0.1:80", "10.0.0.1:80"]
    assert hostnames(mode="ip") == addresses
    assert hostnames(mode="mixed", **SHORT) == ["web.shop", *addresses[:2], "web.shop:80", *addresses[2:]]


def test_hosts_come_by_name_whatever_their_length() -> None:
    entries = service("zz", "http 80"), service("aaaa", "http 80", ip="10.96.0.2", pods=["10.0.0.2"])
    assert [host.name for host in only_match(*entries).virtual_hosts] == ["aaaa.shop", "zz.shop"]


def test_a_hostname_of_two_services_goes_to_the_shorter_full_name() -> None:
    longer = service("aaa", "http-x 80", space="shops")
    shorter = service("zz", "http-x 80", ip="10.96.0.2")
    named = hosts(longer, shorter)
    assert "10.0.0.1" in named["zz.shop"].hostnames
    assert "10.0.0.1" not in named["aaa.shops"].hostnames
    assert set(codes(longer, shorter)) == {("FSE023", "Service shops/aaa spec.ports[0]")}


def test_a_name_that_two_ports_share_is_one_host_with_all_their_names() -> None:
    """A service `a.b` of namespace `c` and a pod `a` of the headless service `b` there have one full name."""
    pods = [{"ip": "10.0.0.2", "hostname": "a"}]
    both = [
        *service("b", "http-x 80", space="c", ip="None", pods=pods),
        *service("a.b", "http-x 80 81", space="c"),
    ]
    (host,) = only_match(both).virtual_hosts
    assert host.name == "a.b.c"
    assert {"10.0.0.1", "10.0.0.2", "a.b.c"} <= set(host.hostnames)
    (route,) = host.routes
    assert {cluster.name for cluster in route.clusters} == {"c/a.b|81", "c/a.b|80"}


def test_so_they_are_where_they_speak_http_and_grpc() -> None:
    pods = [{"ip": "10.0.0.2", "hostname": "a"}]
    both = [
        *service("b", "grpc-x 80", space="c", ip="None", pods=pods),
        *service("a.b", "http-x 80 81", space="c"),
    ]
    (host,) = only_match(both).virtual_hosts
    assert str(host.rule) == "Service c/a.b spec.ports[0]"
    assert {"10.0.0.1", "10.0.0.2", "a.b.c"} <= set(host.hostnames)
    assert list(host.hostnames) == sorted(host.hostnames)
    (route,) = host.routes
    assert [cluster.name for cluster in route.clusters] == ["c/a.b|81", "c/a.b|80"]


@pytest.mark.parametrize(
    ("first", "second", "is_found"),
    [
        ("http-x", "http-x", False),
        ("http-x", "grpc-x", False),
        ("http-x", "tcp-x", True),
        ("tcp-x", "http-x", True),
        ("tcp-x", "tcp-x", True),
    ],
)
def test_an_address_of_two_services_is_reported_unless_requests_are_told_apart(
    first: str, second: str, *, is_found: bool
) -> None:
    entries = service("aa", f"{first} 80"), service("bb", f"{second} 80", ip="10.96.0.2")
    assert ("FSE017" in dict(codes(*entries))) is is_found


# --- traffic splits --------------------------------------------------------------------------------------

APEX = flat(
    [
        service("web", "http-x 80"),
        service("v1", "http-x 80", ip="10.96.0.2", pods=["10.0.0.2"]),
        service("v2", "http-x 80 8080", ip="10.96.0.3", pods=["10.0.0.3"]),
    ]
)


def split(
    name: str = "s0", apex: str = "web", *matches: str, space: str = "shop", **backends: Any
) -> dict[str, Any]:
    listed = [{"service": service, "weight": weight} for service, weight in backends.items()]
    named = [{"kind": "HTTPRouteGroup", "name": match} for match in matches]
    return traffic_split(space, name, apex, listed, named or None)


def test_a_service_without_split_goes_to_itself() -> None:
    assert weights(APEX) == [(".*", {"shop/web|80": 100})]


@pytest.mark.parametrize("apex", ["web", "web.shop", "web.shop.svc.cluster.local"])
def test_a_split_sends_its_apex_to_the_backends_by_weight(apex: str) -> None:
    entries = [*APEX, split("s0", apex, v1=90, v2=0)]
    assert weights(entries) == [(".*", {"shop/v1|80": 90, "shop/v2|8080": 0})]
    assert list(clusters(entries)) == ["shop/v1|80", "shop/v2|8080"]


@pytest.mark.parametrize("protocol", ["http-x", "grpc-x"])
def test_a_route_whose_weights_are_all_zero_gives_each_cluster_its_share(protocol: str) -> None:
    entries = [
        service("web", f"{protocol} 80"),
        service("v1", f"{protocol} 80", ip="10.96.0.2"),
        service("v2", f"{protocol} 80", ip="10.96.0.3"),
        routes("r", {"pathRegex": "/a"}, space="shop"),
    ]
    assert weights(*entries, split(v1=0, v2=0)) == [(".*", {"shop/v1|80": 100, "shop/v2|80": 100})]
    both = split("s0", "web", "r", v1=0), split("s1", v2=0)
    assert weights(*entries, *both) == [("/a", {"shop/v1|80": 100}), (".*", {"shop/v2|80": 100})]


def test_a_stream_whose_weights_are_all_zero_keeps_them() -> None:
    entries = [service("web", "tcp-x 80"), service("v1", "tcp-x 80", ip="10.96.0.2"), split(v1=0)]
    found_weights = {
        match.owners[0].rule.resource.name: [cluster.weight for cluster in match.clusters]
        for match in in_mesh(*entries).matches[80]
    }
    assert found_weights == {"web": [0], "v1": [100]}


def test_a_split_of_another_namespace_is_of_another_service() -> None:
    assert weights([*APEX, split(space="data", v1=1)]) == [(".*", {"shop/web|80": 100})]


def test_a_split_s_routes_go_to_its_backends_and_the_rest_to_all_of_them_alike() -> None:
    entries = [*APEX, routes("r", {"pathRegex": "/a"}, space="shop"), split("s0", "web", "r", v1=90, v2=10)]
    assert weights(entries) == [
        ("/a", {"shop/v1|80": 90, "shop/v2|8080": 10}),
        (".*", {"shop/v1|80": 100, "shop/v2|8080": 100}),
    ]


def test_the_rest_goes_to_the_splits_without_routes() -> None:
    entries = [
        *APEX,
        routes("r", {"pathRegex": "/a"}, space="shop"),
        split("s0", "web", "r", v1=90),
        split("s1", v2=10, v1=5),
        split("s2", v2=7),
    ]
    assert weights(entries) == [
        ("/a", {"shop/v1|80": 90}),
        (".*", {"shop/v2|8080": 10, "shop/v1|80": 5}),
    ]


def test_a_split_with_a_wildcard_route_gets_no_other() -> None:
    entries = [*APEX, routes("r", {}, space="shop"), split("s0", "web", "r", v1=90)]
    assert weights(entries) == [(".*", {"shop/v1|80": 90})]


def test_routes_of_a_split_that_do_not_exist_are_found() -> None:
    entries = [*APEX, split("s0", "web", "gone", v1=90)]
    assert weights(entries) == [(".*", {"shop/v1|80": 100})]
    assert codes(entries) == [("FSE002", "TrafficSplit shop/s0 spec.matches[0]")]


@pytest.mark.parametrize("backend", ["gone", "data/v1"])
def test_a_backend_that_is_no_service_is_left_out_and_found(backend: str) -> None:
    shares: dict[str, Any] = {"v1": 1, backend: 9}
    entries = [*APEX, split(**shares)]
    assert weights(entries) == [(".*", {"shop/v1|80": 1})]
    assert codes(entries) == [("FSE022", "TrafficSplit shop/s0 spec.backends[1]")]


def test_a_backend_needs_a_port_of_the_apex_s_number_with_endpoints() -> None:
    other_port = service("v3", "http-x 81", ip="10.96.0.4", pods=["10.0.0.4"])
    no_endpoints = service("v4", "http-x 80", ip="10.96.0.5")[:1]
    entries = [*APEX, *other_port, *no_endpoints, split("s0", "web", v1=1, v3=9, v4=9)]
    assert weights(entries) == [(".*", {"shop/v1|80": 1})]
    assert [code for code, _ in codes(entries)] == ["FSE022", "FSE022"]


def test_a_backend_may_be_in_another_namespace() -> None:
    other = service("v1", "http-x 80", space="data", ip="10.96.0.4", pods=["10.0.0.4"])
    shares: dict[str, Any] = {"data/v1": 1}
    entries = [*APEX, *other, split(**shares)]
    assert weights(entries) == [(".*", {"data/v1|80": 1})]
    assert clusters(entries)["data/v1|80"] == ["10.0.0.4:80"]


def test_a_stream_s_split_goes_to_all_backends_of_all_its_splits() -> None:
    entries = [
        *service("web", "tcp-x 80"),
        *service("v1", "tcp-x 80", ip="10.96.0.2", pods=["10.0.0.2"]),
        split("s0", v1=10, web=1),
        split("s1", v1=20),
    ]
    found_match = next(match for match in in_mesh(entries).matches[80] if len(match.clusters) > 1)
    assert [(it.name, it.weight) for it in found_match.clusters] == [("shop/v1|80", 20), ("shop/web|80", 1)]


# --- who may be reached ----------------------------------------------------------------------------------

SMI = config({"enablePermissiveTrafficPolicyMode": False})
RULES = [{"kind": "HTTPRouteGroup", "name": "r"}, {"kind": "TCPRoute", "name": "t"}]


def pod(name: str, ip: str, named: str = "web", **labels: str) -> dict[str, Any]:
    document = resource(
        "v1",
        "Pod",
        "shop",
        name,
        spec={"serviceAccountName": named},
        status={"podIPs": [{"ip": ip}]},
    )
    document["metadata"]["labels"] = labels
    return document


def target(home: str | None = None, **spec: Any) -> dict[str, Any]:
    return traffic_target("shop", "t0", home, "web", {"sources": [account(WHO)], "rules": RULES, **spec})


SERVED = service("web", "http-x 80", pods=["10.0.0.1", "10.0.0.2"], selector={"app": "web"})
PODS = [
    pod("a", "10.0.0.1", app="web"),
    pod("b", "10.0.0.2", "other", app="web"),
    pod("c", "10.0.0.3", app="web"),
]


def test_a_traffic_target_lets_the_pods_of_its_account_be_reached() -> None:
    assert clusters(SMI, SERVED, PODS, target()) == {"shop/web|80": ["10.0.0.1:80"]}
    assert matches(SMI, SERVED, PODS, target()) == [("http", ["10.0.0.1/32", "10.0.0.2/32", "10.96.0.1/32"])]
    assert codes(SMI, SERVED, PODS, target()) == []


def test_without_a_traffic_target_nothing_is_reached() -> None:
    other = account("wget.curl")
    assert clusters(SMI, SERVED, PODS) == {}
    assert clusters(SMI, SERVED, PODS, target(sources=[other])) == {}
    assert clusters(SERVED, PODS) == {"shop/web|80": ["10.0.0.1:80", "10.0.0.2:80"]}


def test_a_service_is_reached_only_if_it_selects_such_a_pod() -> None:
    assert clusters(SMI, SERVED, pod("a", "10.0.0.1", app="other"), target()) == {}
    bare = service("web", "http-x 80", selector={})
    assert clusters(SMI, bare, PODS, target()) == {}


@pytest.mark.parametrize(
    "broken",
    [
        target(home="data"),
        target(rules=[]),
        target(rules=[*RULES, {"kind": "UDPRoute", "name": "u"}]),
    ],
)
def test_a_traffic_target_that_does_not_count_is_found(broken: dict[str, Any]) -> None:
    assert clusters(SMI, SERVED, PODS, broken) == {}
    space = broken["metadata"]["namespace"]
    assert codes(SMI, SERVED, PODS, broken) == [("FSE024", f"TrafficTarget {space}/t0 spec")]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"destination": {"kind": "Group", "name": "web", "namespace": "shop"}}, "destination.kind"),
        ({"sources": [{"kind": "Group", "name": "curl", "namespace": "curl"}]}, "sources[0].kind"),
    ],
)
def test_a_traffic_target_of_another_kind_shows_services_without_endpoints(
    changes: dict[str, Any], path: str
) -> None:
    odd = target(**changes)
    assert clusters(SMI, SERVED, PODS, odd) == {"shop/web|80": []}
    assert ("FSE024", f"TrafficTarget shop/t0 spec.{path}") in codes(SMI, SERVED, PODS, odd)


def test_a_source_without_a_namespace_is_nobody_and_is_told_while_others_are_let_in() -> None:
    nobody = {"kind": "ServiceAccount", "name": "curl"}
    assert clusters(SMI, SERVED, PODS, target(sources=[nobody])) == {}
    assert codes(SMI, SERVED, PODS, target(sources=[nobody])) == [
        ("FSE024", "TrafficTarget shop/t0 spec.sources[0]")
    ]
    both = target(sources=[nobody, {**nobody, "namespace": "curl"}])
    assert clusters(SMI, SERVED, PODS, both) == {"shop/web|80": ["10.0.0.1:80"]}
    assert codes(SMI, SERVED, PODS, both) == [("FSE024", "TrafficTarget shop/t0 spec.sources[0]")]


def test_a_pod_of_the_account_counts_though_the_service_does_not_select_it() -> None:
    other = pod("b", "10.0.0.2", app="other")
    assert clusters(SMI, SERVED, pod("a", "10.0.0.1", app="web"), other, target()) == {
        "shop/web|80": ["10.0.0.1:80", "10.0.0.2:80"]
    }


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def test_services_targets_and_splits_of_unmonitored_namespaces_do_not_count() -> None:
    watched = namespace("shop", **{"flomesh.io/monitored-by": "fsm"})
    assert clusters(watched, SERVED) == {"shop/web|80": ["10.0.0.1:80", "10.0.0.2:80"]}
    assert clusters(namespace("shop"), SERVED) == {}
    moved = target(home="data")
    assert codes(SMI, watched, SERVED, PODS, moved) == []
    elsewhere = [*APEX, split(space="data", v1=1), watched]
    assert weights(elsewhere) == [(".*", {"shop/web|80": 100})]


def test_a_backend_that_may_not_be_reached_has_no_cluster() -> None:
    backend = service("v1", "http-x 80", ip="10.96.0.2", pods=["10.0.0.9"], selector={"app": "v1"})
    entries = [SMI, *SERVED, *backend, *PODS, target(), split(v1=1, web=1)]
    assert weights(entries) == [(".*", {"shop/v1|80": 1, "shop/web|80": 1})]
    assert list(clusters(entries)) == ["shop/web|80"]


# --- settings and retries --------------------------------------------------------------------------------


def setting(host: str, connections: int, name: str = "u", space: str = "shop") -> dict[str, Any]:
    spec = {"host": host, "connectionSettings": {"tcp": {"maxConnections": connections}}}
    return resource(FLOMESH, "UpstreamTrafficSetting", space, name, spec=spec)


@pytest.mark.parametrize(
    ("host", "counts"),
    [("web.shop", True), ("web.shop.svc.cluster.local", True), ("web", False), ("web.shop.svc", False)],
)
def test_settings_are_those_whose_host_is_the_service(host: str, *, counts: bool) -> None:
    settings = cluster("shop/web|80", service("web", "http-x 80"), setting(host, 4)).connection_settings
    assert (settings is not None) is counts


def test_the_first_setting_of_the_service_s_namespace_counts() -> None:
    settings = cluster(
        "shop/web|80",
        service("web", "http-x 80"),
        setting("web.shop", 1, space="curl"),
        setting("web.shop", 2, "b"),
        setting("web.shop", 3, "a"),
    ).connection_settings
    assert settings is not None
    assert settings.tcp is not None
    assert settings.tcp.max_connections == 3


def test_a_cluster_without_endpoints_has_neither_settings_nor_retries() -> None:
    flags = config(featureFlags={"enableRetryPolicy": True})
    empty = cluster(
        "shop/web|80", flags, service("web", "http-x 80", pods=[]), setting("web.shop", 1), retry(3)
    )
    assert (empty.connection_settings, empty.retry_policy) == (None, None)


def retries(*entries: Any, enabled: bool = True) -> int | None:
    flags = config(featureFlags={"enableRetryPolicy": enabled})
    policy = cluster("shop/web|80", flags, *entries).retry_policy
    return policy.num_retries if policy else None


def changed(document: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**document, "spec": {**document["spec"], **spec}}


WEB = service("web", "http-x 80")


def test_a_retry_counts_from_its_account_to_its_services_behind_a_flag() -> None:
    assert retries(WEB, retry(3)) == 3
    assert retries(WEB, retry(3), enabled=False) is None
    assert retries(WEB) is None
    assert retries(service("web", "grpc-x 80"), retry(3)) == 3


def test_a_retry_of_others_or_for_others_or_for_streams_does_not_count() -> None:
    assert retries(WEB, changed(retry(3), source=account("wget.curl"))) is None
    assert retries(WEB, changed(retry(3), source={**account(WHO), "kind": "Group"})) is None
    elsewhere = [{"kind": "Service", "name": "web", "namespace": "data"}]
    assert retries(WEB, changed(retry(3), destinations=elsewhere)) is None
    assert retries(WEB, changed(retry(3), destinations=[])) is None
    among = [*elsewhere, *retry(3)["spec"]["destinations"]]
    assert retries(WEB, changed(retry(3), destinations=among)) == 3
    assert retries(service("web", "tcp-x 80"), retry(3)) is None


def test_the_first_retry_by_name_counts() -> None:
    first = retry(1)
    first["metadata"] = {**first["metadata"], "name": "a"}
    assert retries(WEB, retry(3), first) == 1


def split_onto_web(apex: str) -> dict[str, Any]:
    return traffic_split("shop", f"s-{apex}", apex, [{"service": "web", "weight": 1}], None)


def retry_of(name: str, number: int) -> dict[str, Any]:
    made = changed(retry(number), destinations=[{"kind": "Service", "name": name, "namespace": "shop"}])
    return {**made, "metadata": {**made["metadata"], "name": f"again-{name}"}}


def test_of_several_services_split_onto_one_the_retries_of_the_first_by_name_count_then_its_own() -> None:
    both = [
        service("web", "http-x 80", "http-y 443 80"),
        service("zz", "http-x 80", ip="10.96.0.2", pods=["10.0.0.2"]),
        service("aa", "http-x 443", ip="10.96.0.3", pods=["10.0.0.3"]),
        split_onto_web("zz"),
        split_onto_web("aa"),
    ]
    of_aa, of_web, of_zz = retry_of("aa", 1), retry_of("web", 2), retry_of("zz", 3)
    assert retries(*both, of_aa, of_web, of_zz) == 1
    assert retries(*both, of_web, of_zz) == 3
    assert retries(*both, of_web) == 2
    assert list(clusters(*both)) == ["shop/web|80"]


def test_clusters_come_by_name() -> None:
    first = service("zz", "http-x 80"), service("aa", "http-x 443", ip="10.96.0.2", pods=["10.0.0.2"])
    assert list(clusters(*first)) == ["shop/aa|443", "shop/zz|80"]


def test_a_retry_of_a_headless_service_is_that_of_its_pods() -> None:
    pods = [{"ip": "10.0.0.1", "hostname": "h0"}]
    flags = config(featureFlags={"enableRetryPolicy": True})
    entries = service("web", "http-x 80", ip="None", pods=pods)
    assert cluster("shop/h0.web|80", flags, entries, retry(3)).retry_policy is not None


def test_the_retries_of_a_service_stand_on_the_clusters_that_it_is_split_onto() -> None:
    flags = config(featureFlags={"enableRetryPolicy": True})
    own = changed(retry(1), destinations=[{"kind": "Service", "name": "v1", "namespace": "shop"}])
    own["metadata"] = {**own["metadata"], "name": "a"}

    def on_the_backend(*entries: Any) -> int | None:
        policy = cluster("shop/v1|80", flags, *APEX, *entries).retry_policy
        return policy.num_retries if policy else None

    assert on_the_backend(retry(3)) is None
    assert on_the_backend(own) == 1
    assert on_the_backend(retry(3), split(v1=1)) == 3
    assert on_the_backend(retry(3), own, split(v1=1)) == 3
    assert on_the_backend(own, split(v1=1)) == 1


def test_so_do_those_of_a_service_that_speaks_tls() -> None:
    secure = [
        service("web", "x 80"),
        service("v1", "y 80", ip="10.96.0.2", pods=["10.0.0.2"]),
    ]
    for entries in secure:
        entries[0]["spec"]["ports"][0]["appProtocol"] = "https"
    flags = config(featureFlags={"enableRetryPolicy": True})
    policy = cluster("shop/v1|80", flags, *secure, split(v1=1), retry(3)).retry_policy
    assert policy is not None


def test_a_retry_of_a_pod_is_that_of_its_service() -> None:
    named = changed(retry(3), destinations=[{"kind": "Service", "name": "h0.web", "namespace": "shop"}])
    assert retries(WEB, named) == 3
