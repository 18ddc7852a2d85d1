"""All connections of an identity: a small universe of connections is the judge of partitions."""

from __future__ import annotations

import json

import pytest
import random_meshes
from hypothesis import given, settings
from hypothesis import strategies as st
from portions import BEYOND, FORWARDED, RESTRICTED, assert_alike, beyond, holding, named
from small import WHO, config, egress, load, routes, service, whole
from thoroughness import examples
from universe import PORTS, UNIVERSE, Wire, aimed, drawn

import fsm_egress as fe
from fsm_egress.connections.payloads import HTTPRequest, Payload, Sends, TLSClientHello
from fsm_egress.policy import LOOPBACK
from fsm_egress.values.dialling import can_be_dialled
from fsm_egress.values.net import GAP_START, Address

EVERY_ADDRESS = 2**128  # those of IPv4, and those of IPv6 but the mapped ones, which are IPv4
MAPPED = Address.from_key(GAP_START - 1)


@given(random_meshes.cases(12), drawn(120))
def test_law_every_connection_is_in_one_portion_with_its_decision(
    case: tuple[Wire, str, Wire], some: list[fe.Connection]
) -> None:
    mesh, who, wires = case
    snapshot = fe.load(mesh)
    engine, found = fe.compile(snapshot, who), fe.partition(snapshot, who)
    assert found.undecided == ()
    for connection in (*aimed(wires), *some):
        (portion,) = holding(found.portions, connection)
        assert_alike(portion, engine.classify(connection))
        assert found.portion(connection) is portion


@given(random_meshes.cases(0))
@settings(max_examples=examples(15))
def test_law_a_witness_is_decided_so_and_can_be_dialled_if_anything_can(
    case: tuple[Wire, str, Wire],
) -> None:
    mesh, who, _ = case
    snapshot = fe.load(mesh)
    engine, pod = fe.compile(snapshot, who), fe.resolve(snapshot, who).interception.own
    own = [(prefix.first, prefix.last) for prefix in pod]
    for portion in fe.partition(snapshot, who).portions:
        witness = portion.witness
        assert witness in portion
        assert whole(portion.decision) == whole(engine.classify(witness))
        assert portion.region.can_be_dialled is can_be_dialled(witness.key, own)
        nowhere = (*LOOPBACK, *pod)
        assert portion.region.can_be_dialled or all(prefix in nowhere for prefix in portion.region.prefixes)


@given(random_meshes.cases(0), st.sampled_from(PORTS))
@settings(max_examples=examples(15))
def test_law_each_address_is_counted_once(case: tuple[Wire, str, Wire], port: int) -> None:
    mesh, who, _ = case
    portions = fe.partition(fe.load(mesh), who).portions
    payloads: tuple[Payload, ...] = (
        Sends.BYTES,
        TLSClientHello("a.com"),
        HTTPRequest("GET", "a.com", "/get"),
    )
    for payload in payloads:
        regions = [
            portion.region
            for portion in portions
            if fe.Connection(Address.from_key(portion.region.spans[0][0]), port, payload) in portion
        ]
        assert sum(region.addresses for region in regions) == EVERY_ADDRESS
        for region in regions:
            gap = sum(2**32 for prefix in region.prefixes if MAPPED in prefix and prefix.size > 1)
            assert sum(prefix.size for prefix in region.prefixes) - gap == region.addresses


@pytest.mark.parametrize("enable", [False, True])
def test_every_connection_of_the_universe_is_in_one_portion(enable: bool) -> None:
    group = routes(
        "r",
        {"methods": ["GET"], "pathRegex": "/get"},
        {"methods": ["*"], "pathRegex": "^/v1/", "headers": [{"x-env": "^prod"}]},
    )
    mesh = load(
        config({"enableEgress": enable, "outboundIPRangeExclusionList": ["54.9.0.0/16"]}),
        egress("web", "http 80", hosts=["a.com", "httpbin.org"], matches=[named("r")]),
        egress("tls", "https 443", hosts=["a.com"], ipAddresses=["54.0.0.0/8", "2001:db8::/32"]),
        egress("raw", "tcp 8080", ipAddresses=["9.9.9.9/32"]),
        group,
        service("web", "http-web 80"),
    )
    engine, found = fe.compile(mesh, WHO), fe.partition(mesh, WHO)
    for connection in UNIVERSE:
        (portion,) = holding(found.portions, connection)
        assert_alike(portion, engine.classify(connection))


def test_a_server_name_is_decided_otherwise_in_a_range_that_is_open_for_any_tls() -> None:
    mesh = load(
        config({"enableEgress": False}),
        egress("named", "https 443", hosts=["a.com"]),
        egress("open", "https 443", ipAddresses=["54.0.0.0/8"]),
    )
    engine, found = fe.compile(mesh, WHO), fe.partition(mesh, WHO)
    for address, rule in (("54.9.9.9", "open"), ("9.9.9.9", "named")):
        asked = fe.tls(address, 443, "a.com")
        (portion,) = holding(found.portions, asked)
        assert_alike(portion, engine.classify(asked))
        assert str(portion.decision.rule) == f"Egress curl/{rule} spec.ports[0]"


def test_a_partition_in_words() -> None:
    found = fe.partition(load(*RESTRICTED), WHO)
    assert repr(found) == "<Partition of curl.curl: 8 portions>"
    lines = [" ".join(line.split()) for line in str(found).splitlines()]
    denied = (
        "DENIED (egress_disabled) by MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress any TCP"
    )
    web = "by Egress curl/web spec.ports[0]"
    claimed = "port 80 10.0.0.7, 54.9.0.0/16 (65,537)"
    assert lines == [
        "curl.curl: every connection, by 52 classes",
        f"port any but 80 all IPv4 except 0.0.0.0, 127.0.0.0/8 and all IPv6 {denied}",
        "port any any address PASSTHROUGH (not_intercepted) UDP",
        f"{claimed} DENIED (protocol_mismatch) {web} bytes; any TLS",
        f"{claimed} EGRESS_POLICY (http_route) {web} {FORWARDED} to `a.com`, `a.com:80`",
        f"{claimed} DENIED (no_route) {web} TRACE/CONNECT/unknown methods to `a.com`, `a.com:80`",
        f"{claimed} DENIED (no_host) {web} any request to any host but `a.com`, `a.com:80`",
        f"port 80 all IPv4 except 0.0.0.0, 10.0.0.7, 54.9.0.0/16, 127.0.0.0/8 and all IPv6 {denied}",
        "port any 0.0.0.0, 127.0.0.0/8 (16,777,217) PASSTHROUGH (not_intercepted): not dialable any TCP",
    ]


def test_a_partition_for_machines() -> None:
    found = fe.partition(load(*RESTRICTED), WHO).to_mapping()
    assert json.loads(json.dumps(found)) == found
    assert {key: found[key] for key in ("identity", "classes", "undecided")} == {
        "identity": "curl.curl",
        "classes": 52,
        "undecided": [],
    }
    portion = next(it for it in found["portions"] if it["decision"]["verdict"] == "EGRESS_POLICY")
    assert portion["ports"] == [[80, 80]]
    assert portion["ranges"] == [["10.0.0.7", "10.0.0.7"], ["54.9.0.0", "54.9.255.255"]]
    assert portion["addresses"] == 65_537
    assert portion["sends"] == [
        {
            "kind": "http",
            "host": {"anyOf": ["a.com", "a.com:80"]},
            "method": {"anyOf": ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]},
        }
    ]
    assert portion["witness"]["request"]["host"] == "a.com"


def test_what_no_rule_decides_has_a_dash_for_it() -> None:
    found = fe.partition(load(*RESTRICTED), WHO)
    rules = {(row[3], row[4]) for row in found.table().rows}
    assert ("not_intercepted", "-") in rules
    assert ("http_route", "Egress curl/web spec.ports[0]") in rules


def test_a_portion_says_what_becomes_of_whom() -> None:
    portion = fe.partition(load(*RESTRICTED), WHO).portion(fe.http("10.0.0.7", 80, "GET", "a.com/"))
    assert portion is not None
    assert repr(portion) == (
        f"<Portion {FORWARDED} to `a.com`, `a.com:80` to 10.0.0.7, 54.9.0.0/16 (65,537), "
        "port 80: EGRESS_POLICY (http_route) by Egress curl/web spec.ports[0]>"
    )
    assert repr(portion.region).startswith("<Region GET/HEAD")


BEYOND_PATH = "/a" + "b" * 16


@pytest.mark.usefixtures("few_states")
def test_what_no_automaton_reads_is_undecided_and_said_so() -> None:
    mesh = beyond(BEYOND, "^/x")
    found = fe.partition(mesh, WHO)
    (open_part,) = found.undecided
    assert open_part.identities == (fe.ServiceIdentity("curl", "curl"),)
    asked = fe.http("54.9.9.9", 80, "GET", f"a.com{BEYOND_PATH}")
    assert found.portion(asked) is None
    assert asked in open_part.region
    assert "not decided for some: " in str(open_part)
    assert "not decided for some: " in str(found)
    assert set(open_part.to_mapping()) == {"identities", "region", "reason"}
    assert "witness" not in open_part.to_mapping()["region"]
    assert found.to_mapping()["undecided"] == [open_part.to_mapping()]
