"""Egress policies that this library refuses, as a stock controller takes them."""

from __future__ import annotations

from typing import Any

import pytest
from small import WHO, config, egress

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
