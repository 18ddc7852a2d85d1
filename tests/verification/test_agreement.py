"""Engine against sidecar: the walk over all classes finds every difference, and only differences."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from random_meshes import FLOMESH, cases, resource
from small import WHO, config, egress, load, routes, service

import fsm_egress as fe
from fsm_egress.connections.findings import Code
from fsm_egress.connections.payloads import HTTPRequest
from fsm_egress.pipy.config import in_version
from fsm_egress.pipy.versions import fsm_version
from fsm_egress.verification.agreement import Verification, verify
from fsm_egress.verification.enforceability import codes_of, enforceability, findings_of
from fsm_egress.verification.sides import Disagreement, Undecided, own_config
from fsm_egress.verification.telling import manner_of, places_of

Case = tuple[list[Any], str, list[dict[str, Any]]]

# Nothing here reaches IPv6, HTTP or TLS, which no stock sidecar handles as decided.
PLAIN = config({"outboundIPRangeInclusionList": ["0.0.0.0/0"]})


def missed(verification: Verification, connections: list[dict[str, Any]]) -> list[object]:
    """How the sides differ on connections in a way that the verification does not name."""
    told = verification.disagreements
    known = {(found.decision, found.outcome) for found in told}
    alike = {(found.decision, manner_of(found.outcome)) for found in told if found.more}
    places = {(manner_of(found.outcome), place) for found in told for place in places_of(found.outcome)}
    reasons = {found.reason for found in verification.undecided}
    unknown: list[object] = []
    for wire in connections:
        found = verification.sides.compare(fe.Connection.from_mapping(wire))
        if isinstance(found, Undecided):
            unknown += [found] if found.reason not in reasons else []
        elif found is not None and (found.decision, found.outcome) not in known:
            manner = manner_of(found.outcome)
            is_led = all((manner, place) in places for place in places_of(found.outcome))
            unknown += [] if is_led and (found.decision, manner) in alike else [found]
    return unknown


# --- laws ------------------------------------------------------------------------------------------------


@given(cases(24))
def test_law_the_walk_misses_nothing_that_chance_finds(case: Case) -> None:
    documents, identity, connections = case
    assert missed(verify(fe.load(documents), identity), connections) == []


@given(cases(24), cases(1))
def test_law_the_walk_misses_nothing_over_the_config_of_another_mesh(case: Case, other: Case) -> None:
    documents, identity, connections = case
    elsewhere = fe.load(other[0])
    given_config = own_config(elsewhere, fe.resolve(elsewhere, other[1]))
    assert missed(verify(fe.load(documents), identity, given_config), connections) == []


@given(cases(1), st.booleans(), st.sampled_from((None, "1.4", "1.3.7")))
def test_law_the_text_of_a_config_is_read_as_what_is_written_is(
    case: Case, enforce: bool, fsm: str | None
) -> None:
    mesh = fe.load(case[0])
    policy = fe.resolve(mesh, case[1])
    text = own_config(mesh, policy, enforce=enforce)
    if fsm is not None:
        text = in_version(text, fsm_version(fsm))
    found, again = (
        verify(mesh, case[1], enforce=enforce, fsm=fsm),
        verify(mesh, case[1], text.to_json(), fsm=fsm),
    )
    assert found.classes == again.classes
    assert found.disagreements == again.disagreements
    assert found.undecided == again.undecided


@given(cases(1))
def test_law_every_witness_differs(case: Case) -> None:
    documents, identity, _ = case
    verification = verify(fe.load(documents), identity)
    for found in verification.disagreements:
        assert verification.sides.compare(found.connection) == found


@given(cases(24))
def test_law_every_difference_was_announced(case: Case) -> None:
    """A mesh without findings is one where engine and sidecar agree on every connection."""
    documents, identity, connections = case
    verification = verify(fe.load(documents), identity)
    announced = {finding.code for finding in findings_of(verification)}
    for wire in connections:
        found = verification.sides.compare(fe.Connection.from_mapping(wire))
        if isinstance(found, Disagreement):
            assert set(codes_of(verification, found)) <= announced
        else:
            assert found is None
    assert Code.NOT_ENFORCED not in announced
    assert verification.agreed is not bool(announced)


@given(cases(1))
def test_law_every_announced_witness_differs(case: Case) -> None:
    documents, identity, _ = case
    mesh = fe.load(documents)
    verification = verify(mesh, identity)
    announced = enforceability(mesh, identity)
    # How bad a finding is in this mesh is told of the mesh, not of one sidecar.
    plain = tuple(evolve(it, cured=False, severity=it.code.severity) for it in announced)
    assert plain == findings_of(verification)
    for finding in announced:
        assert finding.witness is not None
        found = verification.sides.compare(finding.witness)
        assert isinstance(found, Disagreement)
        assert finding.code in codes_of(verification, found)
        assert finding.fix


# --- named cases -----------------------------------------------------------------------------------------


def differences(mesh: fe.Snapshot, given_config: Any = None) -> list[str]:
    return list(map(str, verify(mesh, WHO, given_config).disagreements))


@pytest.mark.parametrize(("weight", "agrees"), [(100, True), (900, True), (1_000, True), (1_001, False)])
def test_shares_of_pods_that_are_possible_at_some_age_are_as_due(weight: int, agrees: bool) -> None:
    mesh = load(
        config(
            {"outboundIPRangeInclusionList": ["0.0.0.0/0"]},
            featureFlags={"enableTrafficWarmupPolicy": True},
        ),
        service("web", "tcp-x 80", pods=["10.0.0.1", "10.0.0.2"]),
        resource(FLOMESH, "TrafficWarmup", "shop", "web", spec={"maxWeight": 100}),
    )
    tree = own_config(mesh, fe.resolve(mesh, WHO)).to_mapping()
    for cluster in tree["Outbound"]["ClustersConfigs"].values():
        assert set(cluster["Endpoints"]) == {"10.0.0.1:80", "10.0.0.2:80"}
        cluster["Endpoints"]["10.0.0.1:80"]["Weight"] = weight
        cluster["Endpoints"]["10.0.0.2:80"]["Weight"] = 100
    assert verify(mesh, WHO, tree).agreed is agrees


def test_each_host_in_other_letters_is_told_where_the_sidecar_does_not_know_it() -> None:
    mesh = load(*(egress(name, "http 80", hosts=[f"{name}.com"]) for name in "ab"))
    asked = [it.connection.sends for it in verify(mesh, WHO).disagreements if it.connection.port == 80]
    hosts = {it.host for it in asked if isinstance(it, HTTPRequest)}
    assert {"A.com", "B.com"} <= hosts


def test_a_plain_mesh_agrees_everywhere() -> None:
    mesh = load(PLAIN, egress("db", "tcp 3306", ipAddresses=["10.1.0.0/16"]), service("cache", "tcp-r 6379"))
    verification = verify(mesh, WHO)
    assert verification.agreed
    assert verification.classes > 20
    assert verification.identity == fe.ServiceIdentity.parse(WHO)
    assert enforceability(mesh, WHO) == ()


def test_a_sidecar_without_anything_to_do_refuses_what_is_denied() -> None:
    assert verify(load(PLAIN), WHO).agreed


def test_a_difference_says_all_that_there_is_to_say() -> None:
    mesh = load(PLAIN, egress("web", "https 443", hosts=["a.com"]))
    assert differences(mesh) == [
        (
            "192.0.2.1:443 TCP: DENIED (protocol_mismatch) by Egress curl/web spec.ports[0];"
            " should be: closed; the sidecar: dialled to a.com:443"
        ),
        (
            "192.0.2.1:443 TLS without server name: DENIED (no_server_name) by Egress curl/web spec.ports[0];"
            " should be: closed; the sidecar: dialled to a.com:443"
        ),
    ]
    first = verify(mesh, WHO).disagreements[0].to_mapping()
    assert first["connection"] == {"destination": "192.0.2.1", "port": 443, "sends": "bytes"}
    assert first["decision"]["verdict"] == "DENIED"
    assert first["due"]["outcome"] == "closed"
    assert first["sidecar"]["targets"] == [{"address": "a.com:443", "weight": 100}]


def test_a_dumped_config_is_compared_as_it_is() -> None:
    mesh = load(PLAIN, egress("db", "tcp 3306"))
    dumped = fe.pipy_config(mesh, WHO).to_mapping()
    assert differences(mesh, dumped) == []
    assert differences(mesh, json.dumps(dumped).encode()) == []
    dumped["Outbound"]["TrafficMatches"]["3306"][0]["DestinationIPRanges"] = {"10.0.0.0/8": None}
    assert differences(mesh, dumped) == [
        (
            "192.0.2.1:3306 TCP: EGRESS_POLICY (tcp_port) by Egress curl/db spec.ports[0];"
            " should be: dialled to the original destination; the sidecar: closed"
        )
    ]
    dumped["Outbound"]["TrafficMatches"]["3306"][0]["DestinationIPRanges"] = {
        "0.0.0.0/1": None,
        "128.0.0.0/1": None,
    }
    assert differences(mesh, dumped) == []


def test_routes_in_another_order_are_told_apart() -> None:
    group = routes("r", {"pathRegex": "^/a", "methods": ["GET"]}, {"pathRegex": "^/ab", "methods": ["GET"]})
    matches = [{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}]
    mesh = load(PLAIN, group, egress("web", "http 80", hosts=["a.com"], matches=matches))
    dumped = fe.pipy_config(mesh, WHO).to_mapping()
    rules = dumped["Outbound"]["TrafficMatches"]["80"][0]["HttpServiceRouteRules"]["a.com"]["RouteRules"]
    rules[0]["TargetClusters"], rules[1]["TargetClusters"] = {"other": 100}, {"a.com:80": 100}
    rules.reverse()
    shown = [str(found.connection) for found in verify(mesh, WHO, dumped).disagreements]
    assert "192.0.2.1:80 GET http://a.com/a" in shown
    assert "192.0.2.1:80 GET http://a.com/ab" not in shown


def test_in_mesh_and_egress_on_one_port_and_address_agree() -> None:
    policies = [
        egress("around", "tcp 3306", ipAddresses=["10.0.0.0/8"]),
        egress("inside", "tcp 3306", ipAddresses=["10.96.0.0/16", "10.96.0.1/32"]),
        egress("anywhere", "tcp 3306"),
    ]
    mesh = load(
        PLAIN, *policies, service("db", "tcp-x 3306"), service("gone", "tcp-x 3306", ip="10.97.0.1", pods=[])
    )
    verification = verify(mesh, WHO)
    assert verification.agreed
    dialled = {
        str(verification.sides.outcome(fe.tcp(ip, 3306))) for ip in ("10.96.0.1", "10.97.0.1", "10.96.0.2")
    }
    assert dialled == {"dialled to 10.0.0.1:3306 with mTLS", "closed", "dialled to the original destination"}


def test_a_witness_is_as_plain_as_its_difference_lets_it_be() -> None:
    group = routes(
        "r",
        {"pathRegex": "^/$", "methods": ["GET"], "headers": [{"x": "1"}]},
        {"pathRegex": "/get", "methods": ["GET"], "headers": [{"x": "1"}]},
    )
    matches = [{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}]
    mesh = load(PLAIN, group, egress("web", "http 80", hosts=["a.com"], matches=matches))
    shown = [
        found.connection.sends
        for found in verify(mesh, WHO, {"Spec": {"Traffic": {"EnableEgress": True}}}).disagreements
        if isinstance(found.connection.sends, fe.HTTPRequest)
    ]
    assert [(request.method, request.path, dict(request.headers)) for request in shown] == [
        ("GET", "/", {}),
        ("GET", "/", {"x": "1"}),
        ("GET", "/get", {"x": "1"}),
        ("GET", "/", {}),
    ]


def test_the_weights_are_compared_as_shares() -> None:
    split = {
        "apiVersion": "split.smi-spec.io/v1alpha4",
        "kind": "TrafficSplit",
        "metadata": {"name": "s", "namespace": "shop"},
        "spec": {
            "service": "db",
            "backends": [{"service": "db", "weight": 10}, {"service": "db2", "weight": 30}],
        },
    }
    mesh = load(
        PLAIN,
        split,
        service("db", "tcp-x 3306", ip="10.96.0.1", pods=["10.0.0.1", "10.0.0.2"]),
        service("db2", "tcp-x 3306", ip="10.96.0.2", pods=["10.0.0.3"]),
    )
    dumped = fe.pipy_config(mesh, WHO).to_mapping()
    assert differences(mesh, dumped) == []
    routing = dumped["Outbound"]["TrafficMatches"]["3306"]
    weights = [match["TcpServiceRouteRules"]["TargetClusters"] for match in routing]
    (shares,) = [entry for entry in weights if len(entry) == 2]
    for name in shares:
        shares[name] *= 7
    assert differences(mesh, dumped) == []
    shares[next(iter(shares))] += 1
    assert len(differences(mesh, dumped)) == 1


def test_what_the_model_cannot_tell_is_undecided_and_never_agreed() -> None:
    mesh = load(PLAIN, egress("db", "tcp 3306"))
    dumped = fe.pipy_config(mesh, WHO).to_mapping()
    dumped["Chains"]["outbound-tcp"].insert(0, "plugins/mine.js")
    verification = verify(mesh, WHO, dumped)
    assert verification.disagreements == ()
    assert list(map(str, verification.undecided)) == [
        (
            "192.0.2.1:3306 TCP: not decided: Chains.outbound-tcp:"
            " `plugins/mine.js` is no module that this model knows"
        )
    ]
    assert not verification.agreed
    (finding,) = findings_of(verification)
    assert finding.code is Code.NOT_DECIDED


@pytest.mark.usefixtures("few_states")
def test_a_pattern_that_no_automaton_reads_is_undecided() -> None:
    group = routes("r", {"pathRegex": "^/a(?!b)b", "methods": ["*"]}, {"pathRegex": r"^/a(?!b).*b(?!c)c"})
    matches = [{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}]
    mesh = load(PLAIN, group, egress("web", "http 80", hosts=["a.com"], matches=matches))
    verification = verify(mesh, WHO)
    assert not verification.agreed
    assert [found.reason.split(",")[0] for found in verification.undecided] == ["look-aheads"]
