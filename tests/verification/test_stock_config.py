"""The stock controller's config: its recorded outcomes key for key, and where it goes its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from controller_cases import BY_NAME, CASES, ELSEWHERE, FURTHER, RANGES, VARIED, Path_, Wire, normal, replaced
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import resource
from small import WHO, config, egress, flat, load, routes, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.verification.stock_config import stock_config

if TYPE_CHECKING:
    from small import Entry

FSM_MTLS = {"issuer": "fsm"}
OTHER_MTLS = {"issuer": "other", "cert": {"secret": {"name": "gone", "namespace": "curl"}}}
EMPTY_CERTIFICATE = {"FsmIssued": False, "Expiration": "", "CertChain": "", "PrivateKey": "", "IssuingCA": ""}
FSM_CERTIFICATE = {**EMPTY_CERTIFICATE, "FsmIssued": True}


def stock(*entries: Entry) -> Wire:
    """What the controller writes for `curl.curl`, of a mesh that may hold mistakes."""
    return stock_config(tolerant(*entries), WHO).to_mapping()


def tolerant(*entries: Entry) -> fe.Snapshot:
    listed = flat(entries)
    given = any(document["kind"] == "MeshConfig" for document in listed)
    return fe.load(listed if given else [config(), *listed], strict=False)


def matches(port: int, *entries: Entry) -> list[Wire]:
    found: list[Wire] = stock(*entries)["Outbound"]["TrafficMatches"][str(port)]
    return found


def shape(port: int, *entries: Entry) -> list[tuple[str, list[str] | None]]:
    """The matches of a port in their order: protocol and ranges."""
    return [(match["Protocol"], match[RANGES] and sorted(match[RANGES])) for match in matches(port, *entries)]


def clusters(*entries: Entry) -> Wire:
    found: Wire = stock(*entries)["Outbound"]["ClustersConfigs"]
    return found


# --- the controller's outcomes ---------------------------------------------------------------------------

NETWORK = {"54.1.0.0/16": None}
A_COM: Wire = {"Type": "Regex", "TargetClusters": {"a.com:80": 100}}
INSTEAD: dict[str, dict[Path_, Any]] = {
    # A range is kept as the network that the sidecar makes of it; the text with host bits is not kept.
    # Two paths of which one is in capitals are no list whose order is chance: that of the group counts.
    "methods": {
        ("Outbound", "TrafficMatches", "80", 0, "HttpServiceRouteRules", "a.com", "RouteRules"): [
            A_COM | entry
            for entry in (
                {"Path": "/v1"},
                {"Path": "/v2", "Methods": ["GET", "PUT"]},
                {"Path": "/v2"},
                {"Path": "/V2"},
                {"Path": ".*", "Methods": ["TRACE"]},
            )
        ]
    },
    "host bits": {("Outbound", "TrafficMatches", port, 0, RANGES): NETWORK for port in ("25", "80", "443")},
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_the_controller_computes_is_written_key_for_key(case: dict[str, Any]) -> None:
    mesh = fe.load(case["resources"], strict=False)
    found = stock_config(mesh, case["identity"]).to_mapping()
    assert {part: found.get(part) for part in ("Spec", "Outbound", "Forward")} == replaced(
        case["config"], INSTEAD.get(case["name"], {})
    )


@pytest.mark.parametrize("case", [*FURTHER, *ELSEWHERE, *VARIED], ids=lambda case: case["name"])
def test_what_is_written_is_one_of_the_outcomes_of_the_controller(case: dict[str, Any]) -> None:
    mesh = fe.load(case["resources"], strict=False)
    found = normal(stock_config(mesh, case["identity"]).to_mapping())
    assert found in [normal(config) for config in case["configs"]]


# --- one match for all policies of a protocol ------------------------------------------------------------


def test_a_policy_without_ranges_is_narrowed_to_those_of_its_neighbours() -> None:
    for protocol in ("http", "https", "tcp"):
        found = shape(
            80,
            egress("a", f"{protocol} 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8", "9.9.9.9/32"]),
            egress("b", f"{protocol} 80", hosts=["b.com"]),
        )
        assert found == [(protocol, ["54.0.0.0/8", "9.9.9.9/32"])]


def test_hosts_of_all_policies_share_their_ranges() -> None:
    (found,) = matches(
        80,
        egress("a", "http 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"]),
        egress("b", "http 80", hosts=["b.com"], ipAddresses=["55.0.0.0/8"]),
    )
    assert list(found["HttpServiceRouteRules"]) == ["a.com", "b.com"]
    assert list(found[RANGES]) == ["54.0.0.0/8", "55.0.0.0/8"]


def test_each_protocol_has_a_match_of_its_own_and_those_without_ranges_come_last() -> None:
    assert shape(
        80,
        egress("a", "tcp-server-first 80", "tcp 80", ipAddresses=["54.0.0.0/8"]),
        egress("b", "https 80", "http 80", hosts=["a.com"]),
    ) == [("tcp", ["54.0.0.0/8"]), ("tcp", ["54.0.0.0/8"]), ("http", None), ("https", None)]


def test_the_ranges_of_http_go_with_the_routes_of_hosts() -> None:
    gone = [{"apiGroup": random_meshes.ROUTES, "kind": "HTTPRouteGroup", "name": "gone"}]
    lost = egress("a", "http 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"], matches=gone)
    (found,) = matches(80, lost)
    assert found[RANGES] is None
    assert found["HttpServiceRouteRules"] == {"a.com": {"RouteRules": None}}
    assert stock(lost)["Outbound"]["ClustersConfigs"] is None
    assert shape(80, egress("a", "http 80", ipAddresses=["54.0.0.0/8"])) == [("http", None)]


def test_https_without_hosts_lets_nothing_through() -> None:
    mesh = egress("a", "https 443")
    (found,) = matches(443, mesh)
    assert found["TcpServiceRouteRules"] == {"TargetClusters": {"443": 100}, "AllowedEgressTraffic": False}
    assert clusters(mesh) == {"443": {"Endpoints": None}}


def test_a_gateway_is_named_by_every_match() -> None:
    gateway = resource(random_meshes.FLOMESH, "EgressGateway", "fsm", "g", spec={"global": []})
    mesh = [gateway, egress("a", "http 80", "https 80", "tcp 80", hosts=["a.com"])]
    http, https, tcp = matches(80, *mesh)
    rules = (http["HttpServiceRouteRules"]["a.com"], *(it["TcpServiceRouteRules"] for it in (https, tcp)))
    assert [rule["EgressForwardGateway"] for rule in rules] == ["*", "*", "*"]


# --- what a load refuses ---------------------------------------------------------------------------------


def test_what_is_no_range_is_dropped_for_http() -> None:
    for text in ("54.1.2.3", "everything"):
        assert shape(80, egress("a", "http 80", hosts=["a.com"], ipAddresses=[text])) == [("http", None)]
        both = egress("a", "http 80", hosts=["a.com"], ipAddresses=[text, "9.9.9.9/32"])
        assert shape(80, both) == [("http", ["9.9.9.9/32"])]


@pytest.mark.parametrize("protocol", ["https", "tcp", "tcp-server-first"])
def test_what_is_no_range_is_passed_on_for_streams(protocol: str) -> None:
    for text in ("54.1.2.3", "everything"):
        found = shape(80, egress("a", f"{protocol} 80", ipAddresses=["9.9.9.9/32", text]))
        assert found == [(protocol.removesuffix("-server-first"), sorted(["9.9.9.9/32", text]))]


def test_a_grpc_port_is_dropped() -> None:
    mesh = stock(egress("a", "grpc 80", "gRPC 81", "tcp 25"))
    assert list(mesh["Outbound"]["TrafficMatches"]) == ["25"]
    assert stock(egress("a", "grpc 80"))["Outbound"] is None


@pytest.mark.parametrize(
    "spec",
    [
        {"hosts": ["a.com", 7]},
        {"ipAddresses": ["54.1.2.3", 7]},
        {"ipAddresses": "54.1.2.3"},
        {"hosts": "a.com"},
        {"ports": [{"number": True, "protocol": "tcp"}]},
        {"ports": [7]},
        {"ports": [{"number": 80, "protocol": 7}]},
        {"ports": {}},
        {"unknown": 1},
    ],
)
def test_a_policy_with_another_mistake_is_left_out(spec: Wire) -> None:
    wrong = egress("a", "grpc 80", "tcp 25")
    wrong["spec"].update(spec)
    assert stock(wrong)["Outbound"] is None


def test_other_resources_that_were_refused_are_left_out() -> None:
    wrong = [
        resource(random_meshes.FLOMESH, "Egress", "curl", "a", spec=7),
        resource("v1", "Service", "shop", "web", spec={"ports": [{"port": 0}]}),
    ]
    assert stock(*wrong, egress("b", "tcp 25"))["Outbound"]["TrafficMatches"].keys() == {"25"}


def test_a_policy_that_took_the_place_of_a_refused_one_is_read_instead() -> None:
    mesh = tolerant(egress("a", "tcp 25", ipAddresses=["54.1.2.3"]))
    (good,) = load(egress("a", "tcp 26")).kind(fe.EgressPolicy)
    assert list(stock_config(mesh.with_(good), WHO).to_mapping()["Outbound"]["TrafficMatches"]) == ["26"]
    assert stock_config(mesh.without(good.ref), WHO).to_mapping()["Outbound"] is None


# --- certificates ----------------------------------------------------------------------------------------


def test_a_missing_secret_gives_an_empty_certificate() -> None:
    mesh = egress("a", "tcp 25", "http 80", hosts=["a.com"], mtls=OTHER_MTLS, ipAddresses=["54.0.0.0/8"])
    (found,) = matches(25, mesh)
    assert found[RANGES] == {"54.0.0.0/8": {"SourceCert": EMPTY_CERTIFICATE}}
    assert found["TcpServiceRouteRules"]["AllowedEgressTraffic"]
    assert clusters(mesh)["a.com:80"]["SourceCert"] == EMPTY_CERTIFICATE


def test_the_first_stream_policy_of_a_port_certifies_the_ranges_of_all() -> None:
    https, tcp = matches(
        443,
        egress("a", "http 443", hosts=["a.com"]),
        egress("b", "https 443", hosts=["b.com"], mtls=FSM_MTLS),
        egress("c", "tcp 443", ipAddresses=["54.0.0.0/8"], mtls=OTHER_MTLS),
        egress("d", "https 443", ipAddresses=["55.0.0.0/8"]),
    )[:2]
    assert https[RANGES] == {"55.0.0.0/8": {"SourceCert": FSM_CERTIFICATE}}
    assert tcp[RANGES] == {"54.0.0.0/8": {"SourceCert": FSM_CERTIFICATE}}
    assert tcp["Protocol"] == "tcp"


def test_without_ranges_the_certificate_is_lost() -> None:
    (found,) = matches(25, egress("a", "tcp 25", mtls=FSM_MTLS))
    assert found[RANGES] is None


# --- services --------------------------------------------------------------------------------------------


def test_an_ipv6_address_takes_a_whole_range_into_the_mesh() -> None:
    mesh = service("web", "tcp-x 80", ip="2001:db8::1", pods=["2001:db8::a"])
    assert shape(80, mesh) == [("tcp", ["2001:db8::1/32", "2001:db8::a/32"])]


def test_an_ipv6_endpoint_that_ends_like_a_port_gets_none() -> None:
    mesh = service("web", "tcp-x 80", ip="10.96.0.1", pods=["2001:db8::1", "2001:db8::a", "10.0.0.1"])
    endpoints = clusters(mesh)["shop/web|80"]["Endpoints"]
    assert list(endpoints) == ["10.0.0.1:80", "2001:db8::1", "2001:db8::a:80"]
    (name,) = clusters(egress("a", "https 443", hosts=["2001:db8::1"]))["443"]["Endpoints"]
    assert name == "2001:db8::1"


def test_so_do_the_endpoints_of_gateways() -> None:
    spec = {"global": [{"service": "gw", "namespace": "fsm"}]}
    gateway = resource(random_meshes.FLOMESH, "EgressGateway", "fsm", "g", spec=spec)
    mesh = stock(gateway, service("gw", "tcp-x 1080", space="fsm", pods=["2001:db8::1"]))
    assert mesh["Forward"]["EgressGateways"]["gw.fsm"]["Endpoints"] == {"2001:db8::1": {"Weight": 100}}


def test_a_headless_service_without_addresses_takes_its_whole_port() -> None:
    empty = service("db", "tcp-x 80", "http 81", ip="None", pods=[])
    assert shape(80, empty) == [("tcp", None)]
    assert shape(80, empty, service("web", "http 80")) == [
        ("http", ["10.0.0.1/32", "10.96.0.1/32"]),
        ("tcp", None),
    ]
    (found,) = matches(81, empty)
    assert (found[RANGES], list(found["HttpServiceRouteRules"])) == (None, ["db.shop"])
    assert clusters(empty) == {"shop/db|80": {"Endpoints": None}, "shop/db|81": {"Endpoints": None}}


def test_its_hosts_are_among_those_of_other_http_services() -> None:
    empty = service("db", "http 80", ip="None", pods=[])
    (found,) = matches(80, empty, service("web", "http 80"))
    assert list(found["HttpServiceRouteRules"]) == ["db.shop", "web.shop"]
    assert list(found[RANGES]) == ["10.0.0.1/32", "10.96.0.1/32"]


def test_a_udp_port_is_proxied_as_http() -> None:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}]
    assert shape(53, service("dns", "dns 53", ports=ports)) == [("http", ["10.0.0.1/32", "10.96.0.1/32"])]


def test_an_unknown_protocol_leads_nowhere() -> None:
    ports = [{"name": "x", "port": 80, "appProtocol": name} for name in ("Redis",)]
    mesh = [
        service("cache", "x 80", ports=ports),
        service("web", "tcp-x 80", ip="10.96.0.2", pods=["10.0.0.2"]),
    ]
    web, cache = sorted(matches(80, *mesh), key=lambda match: match["Protocol"], reverse=True)
    assert cache == {RANGES: {"10.0.0.1/32": None, "10.96.0.1/32": None}, "Port": 80, "Protocol": "redis"}
    assert web["TcpServiceRouteRules"]["TargetClusters"] == {"shop/web|80": 100}
    assert list(clusters(*mesh)) == ["shop/web|80"]


def test_a_pod_behind_two_stream_services_is_in_both_matches() -> None:
    one = service("one", "tcp-x 80", ip="None")
    two = service("two", "tcp-y 80", ip="None")
    assert shape(80, one, two) == [("tcp", ["10.0.0.1/32"]), ("tcp", ["10.0.0.1/32"])]


def test_http_and_grpc_on_a_port_are_taken_for_grpc() -> None:
    other = service("api", "grpc-x 80", ip="10.96.0.2", pods=["10.0.0.2"])
    assert [protocol for protocol, _ in shape(80, service("web", "http 80"), other)] == ["grpc"]


# --- headers and switches --------------------------------------------------------------------------------


def test_header_names_are_as_written() -> None:
    group = routes("r", {"headers": [{"X-Env": "a"}, {"b": "c"}]}, {"headers": [{"x-env": "a"}, {"b": "c"}]})
    named = [{"apiGroup": random_meshes.ROUTES, "kind": "HTTPRouteGroup", "name": "r"}]
    (found,) = matches(80, group, egress("a", "http 80", hosts=["a.com"], matches=named))
    rules = found["HttpServiceRouteRules"]["a.com"]["RouteRules"]
    assert [rule["Headers"] for rule in rules] == [{"X-Env": "a", "b": "c"}, {"b": "c", "x-env": "a"}]


def test_so_are_those_of_traffic_splits() -> None:
    split = resource(
        "split.smi-spec.io/v1alpha4",
        "TrafficSplit",
        "shop",
        "s",
        spec={
            "service": "web",
            "backends": [{"service": "web", "weight": 1}],
            "matches": [{"kind": "HTTPRouteGroup", "name": "r"}],
        },
    )
    group = routes("r", {"pathRegex": "/a", "headers": [{"X-Env": "a"}]}, space="shop")
    (found,) = matches(80, service("web", "http 80"), split, group)
    rules = found["HttpServiceRouteRules"]["web.shop"]["RouteRules"]
    assert [rule.get("Headers") for rule in rules] == [{"X-Env": "a"}, None]


def test_an_absent_flag_switches_egress_policies_off() -> None:
    mesh = [random_meshes.mesh_config("v1alpha3", {}), egress("a", "tcp 25")]
    assert stock(*mesh)["Outbound"] is None
    assert fe.pipy_config(load(*mesh), WHO).to_mapping()["Outbound"] is not None
    assert stock_config(fe.Snapshot(), WHO).to_mapping()["Outbound"] is None


def test_a_retry_without_times_is_written_without_them() -> None:
    retry = {
        "source": random_meshes.account(WHO),
        "destinations": [{"kind": "Service", "name": "web", "namespace": "shop"}],
        "retryPolicy": {"retryOn": "5xx", "numRetries": 2},
    }
    mesh = [
        config(featureFlags={"enableRetryPolicy": True}),
        resource(random_meshes.FLOMESH, "Retry", "curl", "r", spec=retry),
        egress("a", "http 80", hosts=["web.shop"]),
    ]
    assert clusters(*mesh)["web.shop:80"]["RetryPolicy"] == {"RetryOn": "5xx", "NumRetries": 2}


# --- order -----------------------------------------------------------------------------------------------


def test_ranges_that_overlap_are_in_the_controllers_order() -> None:
    web = service("web", "http 80")
    few = egress("a", "tcp 80", ipAddresses=["10.0.0.0/8", "192.168.0.0/16"])
    assert [protocol for protocol, _ in shape(80, web, few)] == ["http", "tcp"]
    more = egress("a", "tcp 80", ipAddresses=["10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"])
    assert [protocol for protocol, _ in shape(80, web, more)] == ["tcp", "http"]


def test_the_longer_range_comes_first_else_the_higher_address() -> None:
    wide = egress("a", "http 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"])
    narrow = egress("b", "tcp 80", ipAddresses=["54.1.0.0/16"])
    assert [protocol for protocol, _ in shape(80, wide, narrow)] == ["tcp", "http"]
    six = egress("b", "tcp 80", ipAddresses=["54.0.0.0/8", "fd00::/8"])
    assert [protocol for protocol, _ in shape(80, wide, six)] == ["tcp", "http"]


def test_ranges_apart_stay_in_canonical_order() -> None:
    low = egress("a", "http 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"])
    high = egress("b", "tcp 80", ipAddresses=["55.0.0.0/16", "56.0.0.0/16"])
    assert [protocol for protocol, _ in shape(80, low, high)] == ["http", "tcp"]


def test_a_text_that_is_no_range_leaves_the_order_alone() -> None:
    wide = egress("a", "http 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"])
    narrow = egress("b", "tcp 80", ipAddresses=["54.1.0.0/16", "54.1.2.3"])
    assert [protocol for protocol, _ in shape(80, wide, narrow)] == ["http", "tcp"]


# --- laws ------------------------------------------------------------------------------------------------


def test_the_rest_is_what_this_library_writes() -> None:
    carried = {"Inbound": {"a": 1}, "Probes": {"b": 2}}
    mesh = load(egress("a", "tcp 25"))
    assert stock_config(mesh, WHO, carried) == fe.pipy_config(mesh, WHO, carried)
    with pytest.raises(fe.InvalidValue):
        stock_config(mesh, WHO, {"Outbound": {}})
    with pytest.raises(fe.InvalidValue):
        stock_config(mesh, "curl")


def test_every_outcome_that_does_not_deviate_is_ours_too() -> None:
    for case in CASES:
        mesh = fe.load(case["resources"], strict=False)
        equal = stock_config(mesh, case["identity"]) == fe.pipy_config(mesh, case["identity"])
        assert equal or "deviates" in case


def test_the_resources_are_left_as_they_are() -> None:
    mesh = fe.load(BY_NAME["bare address"]["resources"], strict=False)
    before = fe.pipy_config(mesh, WHO)
    assert stock_config(mesh, WHO) != before
    assert fe.pipy_config(mesh, WHO) == before


@given(random_meshes.meshes(), random_meshes.identities(), st.data())
@settings(max_examples=examples(20))
def test_law_permuted_documents_give_equal_bytes(
    mesh: random_meshes.Documents, identity: str, data: st.DataObject
) -> None:
    permuted = data.draw(random_meshes.permuted(mesh))
    made = stock_config(fe.load(mesh), identity)
    assert stock_config(fe.load(permuted), identity).to_json() == made.to_json()
    assert fe.PipyConfig.from_bytes(made.to_gzip()) == made


@given(random_meshes.meshes(), random_meshes.identities())
@settings(max_examples=examples(20))
def test_law_only_the_outbound_part_and_gateways_differ(mesh: random_meshes.Documents, identity: str) -> None:
    snapshot = fe.load(mesh)
    ours, theirs = (
        it.to_mapping() for it in (fe.pipy_config(snapshot, identity), stock_config(snapshot, identity))
    )
    parts = {*ours, *theirs} - {"Outbound", "Forward", "Version"}
    assert {part: ours[part] for part in parts} == {part: theirs[part] for part in parts}


@given(random_meshes.meshes(), random_meshes.identities())
@settings(max_examples=examples(20))
def test_law_at_most_one_egress_match_a_port_and_protocol(
    mesh: random_meshes.Documents, identity: str
) -> None:
    outbound = stock_config(fe.load(mesh), identity).to_mapping()["Outbound"] or {"TrafficMatches": {}}
    for found in outbound["TrafficMatches"].values():
        hosts = [match for match in found if "HttpServiceRouteRules" in match]
        open_streams = [
            match for match in found if match.get("TcpServiceRouteRules", {}).get("AllowedEgressTraffic")
        ]
        assert len(hosts) <= 2  # one of the mesh, one of egress
        assert len(open_streams) <= 2  # of tcp and tcp-server-first
