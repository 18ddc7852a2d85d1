"""Egress policies that this library refuses, as a stock controller takes them."""

from __future__ import annotations

from typing import Any

import pytest
from small import WHO, config, egress, routes, service

import fsm_egress as fe
from fsm_egress.connections.findings import Code
from fsm_egress.verification.stock_config import stock_config
from fsm_egress.verification.stock_findings import stock_findings

RANGES = "DestinationIPRanges"


def outbound(policy: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = stock_config(fe.load([config(), policy], strict=False), WHO).to_mapping()[
        "Outbound"
    ]
    return found


@pytest.mark.parametrize(
    "host", ["http://a.com", "a.com:8443", "a.com/x", "a.com.", "b\u00fccher.example", "a b"]
)
def test_hosts_of_any_form_are_written_as_they_are(host: str) -> None:
    found = outbound(egress("a", "http 80", "https 443", hosts=[host, "b.com"]))
    (http,) = found["TrafficMatches"]["80"]
    assert set(http["HttpHostPort2Service"]) == {host, f"{host}:80", "b.com", "b.com:80"}
    assert set(http["HttpServiceRouteRules"]) == {host, "b.com"}
    tls = host if host.endswith(":8443") else f"{host}:443"
    assert set(found["ClustersConfigs"]["443"]["Endpoints"]) == {tls, "b.com:443"}


def test_a_host_of_both_spellings_has_both() -> None:
    for hosts in (["a.com", "A.com"], ["A.com", "a.com", "B.com:1"]):
        (http,) = outbound(egress("a", "http 80", hosts=hosts))["TrafficMatches"]["80"]
        assert set(http["HttpServiceRouteRules"]) == set(hosts)


def test_of_a_number_that_is_no_port_the_last_16_bits_count() -> None:
    found = outbound(egress("a", "http 65616", "tcp 0", "tcp 25", "https -1", hosts=["a.com"]))
    assert {
        port: [match["Port"] for match in listed] for port, listed in found["TrafficMatches"].items()
    } == {
        "0": [0],
        "25": [25],
        "80": [80],
        "65535": [65535],
    }
    assert "a.com:65616" in found["TrafficMatches"]["80"][0]["HttpHostPort2Service"]
    assert "a.com:65535" in found["ClustersConfigs"]["-1"]["Endpoints"]


def test_a_protocol_that_is_none_drops_its_port() -> None:
    assert set(outbound(egress("a", "httpx 80", "tcp 25"))["TrafficMatches"]) == {"25"}


@pytest.mark.parametrize(
    "policy",
    [
        egress("a", "http 80", hosts=["a b", "a.com:81"]),
        egress("a", "tcp 65616"),
        egress("a", "grpc 80", "tcp 25"),
        egress("a", "grpc 0", "tcp 25"),
    ],
)
def test_what_is_in_force_there_is_found(policy: dict[str, Any]) -> None:
    findings = stock_findings(fe.load([config(), policy], strict=False), WHO)
    assert Code.REFUSED_IN_FORCE in {finding.code for finding in findings}
    assert Code.STOCK_CONTROLLER_DIFFERS not in {finding.code for finding in findings}


def test_a_policy_of_which_nothing_is_in_force_is_no_finding() -> None:
    assert stock_findings(fe.load([config(), egress("a", "tcp 0")], strict=False), WHO) == ()


def test_before_1_3_8_names_and_health_checks_are_not_told_apart() -> None:
    check = service("check", "http 80")
    check[0]["metadata"]["annotations"] = {"flomesh.io/cloud-health-check-service": "true", "team": "a"}
    dns = {"enable": True, "wildcard": {"enable": True, "ips": [{"ipv4": "203.0.113.77"}]}}
    names = {"mustWithServicePort": True, "withTrustDomain": False}
    settings = config({"serviceAccessNames": names}, sidecar={"localDNSProxy": dns})
    snapshot = fe.load([settings, *check, *service("web", "http 80", ip="10.96.0.2")])
    old, new = (
        stock_config(snapshot, WHO, fsm=version).to_mapping()["Outbound"]["TrafficMatches"]["80"][0]
        for version in ("1.3.7", "1.3.8")
    )
    assert {"check.shop", "web.shop.svc.cluster.local"} <= set(old["HttpHostPort2Service"])
    assert "203.0.113.77/32" not in old[RANGES]
    assert set(new["HttpHostPort2Service"]) == {"web.shop:80", "10.96.0.2:80", "10.0.0.1:80"}
    assert "203.0.113.77/32" in new[RANGES]


# --- route groups ----------------------------------------------------------------------------------------

USES = [{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}]
POLICY = egress("a", "http 80", hosts=["a.com"], matches=USES)


def mesh(*documents: Any) -> fe.Snapshot:
    return fe.load([config(), *documents], strict=False)


def rules(snapshot: fe.Snapshot, port: str, name: str) -> list[dict[str, Any]]:
    (match,) = stock_config(snapshot, WHO).to_mapping()["Outbound"]["TrafficMatches"][port]
    found: list[dict[str, Any]] = match["HttpServiceRouteRules"][name]["RouteRules"]
    return found


@pytest.mark.parametrize("path", ["(", "/b\u00fccher", "(?<=a)b"])
def test_a_pattern_that_is_refused_here_is_written_as_it_is(path: str) -> None:
    group = routes("r", {"pathRegex": path, "headers": [{"X-A": "["}, {"x-b": "^b"}]}, {"pathRegex": "/z"})
    found = rules(mesh(group, POLICY), "80", "a.com")
    assert {rule["Path"]: rule.get("Headers") for rule in found} == {
        path: {"X-A": "[", "x-b": "^b"},
        "/z": None,
    }


def test_a_route_group_in_force_is_found() -> None:
    snapshot = mesh(routes("r", {"pathRegex": "/get"}, {"pathRegex": "("}), POLICY)
    (finding,) = (it for it in stock_findings(snapshot, WHO) if it.code is Code.REFUSED_IN_FORCE)
    assert str(finding.rule) == "HTTPRouteGroup curl/r"
    assert str(finding.witness) == "192.0.2.1:80 GET http://a.com/"


def test_a_route_group_of_a_split_in_force_is_found() -> None:
    split = {
        "apiVersion": "split.smi-spec.io/v1alpha4",
        "kind": "TrafficSplit",
        "metadata": {"name": "s", "namespace": "shop"},
        "spec": {
            "service": "web",
            "backends": [{"service": "v1", "weight": 100}],
            "matches": [{"kind": "HTTPRouteGroup", "name": "r"}],
        },
    }
    services = [*service("web", "http 80"), *service("v1", "http 80", ip="10.96.0.2", pods=["10.0.0.2"])]
    snapshot = mesh(*services, split, routes("r", {"pathRegex": "("}, space="shop"))
    assert [rule["Path"] for rule in rules(snapshot, "80", "web.shop")] == ["(", ".*"]
    codes = {(it.code, str(it.rule)) for it in stock_findings(snapshot, WHO)}
    assert (Code.REFUSED_IN_FORCE, "HTTPRouteGroup shop/r") in codes


@pytest.mark.parametrize(
    "spec",
    [
        {"matches": [{"name": "m", "pathRegex": "(", "methods": ["get"]}]},
        {"matches": [{"name": "m", "pathRegex": "(", "headers": {"x": "("}}]},
        {"matches": ["("]},
        {"matches": {"pathRegex": "("}},
        {"matches": [{"name": "m", "pathRegex": 5}]},
        [],
    ],
)
def test_a_route_group_with_another_mistake_is_left_out(spec: Any) -> None:
    group = {**routes("r"), "spec": spec}
    assert not rules(mesh(group, POLICY, egress("b", "http 80", hosts=["b.com"])), "80", "a.com")
    assert not any(it.code is Code.REFUSED_IN_FORCE for it in stock_findings(mesh(group, POLICY), WHO))
