"""Every known shortcoming of the stock sidecar is found where it is, with a witness, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from small import WHO, Entry, config, egress, flat, load, routes, service

import fsm_egress as fe
from fsm_egress.api import pipy_config
from fsm_egress.connections.findings import Code
from fsm_egress.pipy.outcome import Fate, Outcome
from fsm_egress.values.errors import Severity
from fsm_egress.verification import enforceability as enforceability_module
from fsm_egress.verification.agreement import Verification, verify
from fsm_egress.verification.enforceability import (
    advice,
    codes_of,
    enforceability,
    findings_of,
    without_codes,
)
from fsm_egress.verification.sides import Disagreement, Undecided

IPV4 = ["0.0.0.0/0"]
CERT: dict[str, Any] = {"issuer": "fsm"}
GATEWAY: list[Entry] = [
    {
        "apiVersion": "policy.flomesh.io/v1alpha1",
        "kind": "EgressGateway",
        "metadata": {"name": "g", "namespace": "fsm"},
        "spec": {"global": [{"service": "gw", "namespace": "fsm"}]},
    },
    service("gw", "tcp-g 1080", space="fsm", ip="10.96.9.9", pods=["10.0.9.9"]),
]
BACKUP = {
    "apiVersion": "policy.flomesh.io/v1alpha1",
    "kind": "EgressGateway",
    "metadata": {"name": "h", "namespace": "fsm"},
    "spec": {"global": [{"service": "gw", "namespace": "fsm"}, {"service": "gw2", "namespace": "fsm"}]},
}


def mesh_wide(*, ipv4: bool = True, mtls: bool = True, **traffic: Any) -> Entry:
    """A MeshConfig; without IPv6 in it unless said so, as that is a finding for almost every mesh."""
    included = {"outboundIPRangeInclusionList": IPV4} if ipv4 else {}
    flags = {"enableAutoDefaultRoute": traffic.pop("auto", False)}
    return config({**included, **traffic}, sidecar={"sidecarDisabledMTLS": not mtls}, featureFlags=flags)


def found(*entries: Entry) -> list[str]:
    """The findings: the code, the rule, the witness."""
    findings = enforceability(load(*flat(entries)), WHO)
    return [f"{finding.code} {finding.rule}: {finding.witness}" for finding in findings]


def codes(*entries: Entry) -> list[str]:
    return [text.partition(" ")[0] for text in found(*entries)]


SPLIT = {
    "apiVersion": "split.smi-spec.io/v1alpha4",
    "kind": "TrafficSplit",
    "metadata": {"name": "s", "namespace": "shop"},
    "spec": {
        "service": "db",
        "backends": [{"service": "db", "weight": 10}, {"service": "db2", "weight": 30}],
    },
}


def test_the_server_name_is_never_compared() -> None:
    assert found(mesh_wide(), egress("a", "https 443", hosts=["a.com"])) == [
        "FSE029 Egress curl/a spec.ports[0]: 192.0.2.1:443 TLS without server name",
        "FSE031 Egress curl/a spec.ports[0]: 192.0.2.1:443 TCP",
    ]


def test_two_hosts_on_a_port_are_balanced() -> None:
    both = [egress("a", "https 443", hosts=["a.com"]), egress("b", "https 443", hosts=["b.com"])]
    assert [text for text in found(mesh_wide(), *both) if "FSE030" in text] == [
        "FSE030 Egress curl/a spec.ports[0]: 192.0.2.1:443 TLS a.com",
        "FSE030 Egress curl/b spec.ports[0]: 192.0.2.1:443 TLS b.com",
    ]


def test_any_tls_lets_plain_bytes_out() -> None:
    assert found(mesh_wide(), egress("a", "https 443")) == [
        "FSE031 Egress curl/a spec.ports[0]: 192.0.2.1:443 TCP",
    ]


@pytest.mark.parametrize("protocol", ["http", "https"])
def test_ranges_get_the_mesh_s_own_mtls(protocol: str) -> None:
    policy = egress("a", f"{protocol} 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"])
    assert "FSE032" in codes(mesh_wide(), policy)
    assert "FSE032" not in codes(mesh_wide(mtls=False), policy)
    assert "FSE032" not in codes(mesh_wide(), egress("a", f"{protocol} 80", hosts=["a.com"]))


@pytest.mark.parametrize("protocol", ["http", "https"])
def test_ranges_bypass_the_gateway(protocol: str) -> None:
    policy = egress("a", f"{protocol} 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"])
    assert "FSE033" in codes(mesh_wide(mtls=False), policy, *GATEWAY)
    assert "FSE033" not in codes(mesh_wide(mtls=False), policy)
    assert "FSE033" not in codes(
        mesh_wide(mtls=False), egress("a", f"{protocol} 80", hosts=["a.com"]), *GATEWAY
    )


def test_a_gateway_without_endpoints_lets_its_share_bypass() -> None:
    empty = service("gw2", "tcp-g 1080", space="fsm", ip="10.96.9.8", pods=[])
    assert "FSE033" in codes(mesh_wide(enableEgress=True), *GATEWAY, BACKUP, empty)


def test_ipv6_passes_by() -> None:
    assert found(mesh_wide(ipv4=False)) == [
        "FSE034 MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress: [2001:db8::1]:1 TCP"
    ]
    assert found(mesh_wide(ipv4=False, enableEgress=True)) == []


def test_a_host_in_capitals_and_a_strange_method() -> None:
    assert found(mesh_wide(), egress("a", "http 80", hosts=["a.com"])) == [
        "FSE035 Egress curl/a spec.ports[0]: 192.0.2.1:80 GET http://A.com/",
        "FSE036 Egress curl/a spec.ports[0]: 192.0.2.1:80 PURGE http://a.com/",
    ]


def test_these_are_said_once_for_a_mesh() -> None:
    policies = [egress(name, f"http {port}", hosts=["a.com"]) for name, port in (("a", 80), ("b", 81))]
    assert codes(mesh_wide(), *policies) == ["FSE035", "FSE036"]


def test_a_service_without_endpoints_is_passed_through() -> None:
    empty = service("db", "tcp-x 3306", pods=[])
    assert found(mesh_wide(enableEgress=True), empty) == [
        "FSE037 Service shop/db spec.ports[0]: 10.96.0.1:3306 TCP"
    ]
    assert found(mesh_wide(), empty) == []


def test_a_claim_without_its_certificate_is_passed_through() -> None:
    lacking = egress("a", "tcp 3306", mtls={"issuer": "other", "cert": {"secret": {"name": "gone"}}})
    assert found(mesh_wide(enableEgress=True), lacking) == [
        "FSE037 Egress curl/a spec.ports[0]: 192.0.2.1:3306 TCP"
    ]
    assert found(mesh_wide(), lacking) == []


def test_a_backend_without_endpoints_fails_its_share() -> None:
    full, empty = (
        service("db", "tcp-x 3306", ip="10.96.0.1"),
        service("db2", "tcp-x 3306", ip="10.96.0.2", pods=[]),
    )
    assert found(mesh_wide(), SPLIT, full, empty) == [
        "FSE038 Service shop/db spec.ports[0]: 10.0.0.1:3306 TCP"
    ]


def test_a_certificate_that_the_sidecar_does_not_have() -> None:
    policy = egress("a", "tcp 3306", ipAddresses=["54.0.0.0/8"], mtls=CERT)
    assert found(mesh_wide(mtls=False), policy) == ["FSE039 Egress curl/a spec.ports[0]: 54.0.0.0:3306 TCP"]
    assert found(mesh_wide(), policy) == []


def test_a_certificate_without_ranges_is_lost() -> None:
    policy = egress("a", "tcp 3306", mtls=CERT)
    assert found(mesh_wide(), policy) == ["FSE005 Egress curl/a spec.ports[0]: 192.0.2.1:3306 TCP"]


def test_tls_is_wrapped_in_tls() -> None:
    policy = egress("a", "https 443", hosts=["a.com"], ipAddresses=["54.0.0.0/8"], mtls=CERT)
    assert "FSE006 Egress curl/a spec.ports[0]: 54.0.0.0:443 TLS a.com" in found(mesh_wide(), policy)


@pytest.mark.parametrize("broken", ["a route", "the match"])
def test_a_default_route_with_hosts_is_not_what_closes(broken: str) -> None:
    named = [{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}]
    policy = egress("a", "http 80", hosts=["a.com"], matches=named)
    mesh = load(mesh_wide(auto=True), routes("r", {"pathRegex": "/get"}), policy)
    tree = pipy_config(mesh, WHO).to_mapping()
    (match,) = tree["Outbound"]["TrafficMatches"]["80"]
    if broken == "a route":
        for rules in match["HttpServiceRouteRules"].values():
            rules["RouteRules"][0]["Type"] = "Odd"
    else:
        match["Protocol"] = "tcp"
    verification = verify(mesh, WHO, tree)
    found = {code.code for it in verification.disagreements for code in codes_of(verification, it)}
    assert found
    assert "FSE040" not in found


def test_a_default_route_without_hosts_closes() -> None:
    policy = egress("a", "http 80")
    assert "FSE040 Egress curl/a spec.ports[0]: 192.0.2.1:80 GET http://other.example/" in found(
        mesh_wide(auto=True), policy
    )
    assert "FSE040" not in codes(mesh_wide(), policy)


@pytest.mark.parametrize(
    ("version", "code"), [("1.3", "FSE133"), ("1.4.3", "FSE133"), ("1.4.4", ""), ("1.2", "")]
)
def test_an_unknown_host_is_closed_by_some_versions(version: str, code: str) -> None:
    mesh = load(mesh_wide(), egress("a", "http 80", hosts=["a.com"]))
    findings = {it.code.code: it for it in enforceability(mesh, WHO, fsm=version)}
    assert ("FSE133" in findings) is bool(code)
    assert not {"FSE040", "FSE041"} & set(findings)
    if code:
        assert str(findings[code].witness) == "192.0.2.1:80 GET http://other.example/"


def test_http_and_https_meet() -> None:
    both = [egress("a", "http 80", hosts=["a.com"]), egress("b", "https 80", hosts=["b.com"])]
    assert "FSE012 Egress curl/b spec.ports[0]: 192.0.2.1:80 TLS b.com" in found(mesh_wide(), *both)


def test_a_method_that_the_sidecar_knows_is_not_to_blame() -> None:
    named = [{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}]
    policy = egress("a", "http 80", hosts=["a.com"], matches=named)
    mesh = load(mesh_wide(), routes("r", {"methods": ["GET"]}), policy)
    tree = pipy_config(mesh, WHO).to_mapping()
    (match,) = tree["Outbound"]["TrafficMatches"]["80"]
    for rules in match["HttpServiceRouteRules"].values():
        rules["RouteRules"][0]["Methods"] = ["PUT"]
    verification = verify(mesh, WHO, tree)
    shown = {str(it.connection): codes_of(verification, it) for it in verification.disagreements}
    assert Code.UNKNOWN_METHOD not in shown["192.0.2.1:80 PUT http://a.com/"]


def test_what_is_closed_bypasses_no_gateway() -> None:
    both = [egress("a", "http 80", hosts=["a.com"]), egress("b", "https 80", hosts=["b.com"])]
    verification = verify(load(*flat([mesh_wide(mtls=False), *both, *GATEWAY])), WHO)
    shown = {str(it.connection): codes_of(verification, it) for it in verification.disagreements}
    assert shown["10.0.9.9:80 TLS b.com"] == (Code.PROTOCOLS_MEET,)


def test_what_some_shortcomings_explain_is_left_out_and_nothing_else() -> None:
    policy = egress("a", "https 443", hosts=["a.com"], ipAddresses=["54.0.0.0/8"])
    verification = verify(load(*flat([mesh_wide(), policy, *GATEWAY])), WHO)
    assert [codes_of(verification, it) for it in verification.disagreements] == [
        (Code.PROTOCOL_NOT_COMPARED,),
        (Code.SERVER_NAME_NOT_COMPARED,),
        (Code.GATEWAY_BYPASSED, Code.MTLS_TO_OUTSIDE),
    ]

    def left(*codes: Code) -> list[int]:
        rest = without_codes(verification, codes).disagreements
        return [verification.disagreements.index(it) for it in rest]

    assert left() == [0, 1, 2]
    assert left(Code.PROTOCOL_NOT_COMPARED) == [1, 2]
    assert left(Code.GATEWAY_BYPASSED) == [0, 1, 2]
    assert left(Code.GATEWAY_BYPASSED, Code.MTLS_TO_OUTSIDE) == [0, 1]


def test_what_is_not_decided_is_left_out_where_that_is_said() -> None:
    verification = evolve(
        verify(load(mesh_wide(), egress("a", "tcp 80")), WHO),
        undecided=(Undecided(fe.tcp("54.9.9.9", 80), "too much"),),
    )
    assert without_codes(verification, [Code.NOT_DECIDED]).undecided == ()
    assert without_codes(verification, [Code.PROTOCOLS_MEET]).undecided == verification.undecided
    (finding,) = findings_of(verification)
    assert finding.code is Code.NOT_DECIDED
    assert finding.message == "54.9.9.9:80 TCP: not decided: too much"


def test_a_difference_that_nobody_foresaw_is_named() -> None:
    verification = verify(load(mesh_wide(), egress("a", "tcp 80")), WHO, {})
    (finding,) = findings_of(verification)
    assert finding.code is Code.NOT_ENFORCED
    assert finding.message == (
        "the sidecar does otherwise: 192.0.2.1:80 TCP"
        " should be dialled to the original destination, and is refused"
    )


def test_a_decision_of_no_rule_is_shown_at_the_switch() -> None:
    verification = verify(load(mesh_wide(), egress("a", "tcp 80")), WHO, {})
    (found_one,) = verification.disagreements
    nameless = evolve(found_one, decision=evolve(found_one.decision, rule=None), outcome=Outcome(Fate.ECHOED))
    (finding,) = findings_of(evolve(verification, disagreements=(nameless,)))
    assert finding.rule == verification.sides.policy.switch


def test_advice_names_what_to_do() -> None:
    assert advice(Code.SERVER_NAMES_BALANCED) == (
        "FSE030 error: the sidecar balances over all hosts of the port, whatever the server name;"
        " fix: add the module, or give each host a policy and a port of its own"
    )
    assert Code.HOST_LETTER_CASE.severity is Severity.INFO


def test_what_a_difference_at_a_service_shows_is_worked_out_once_for_all_who_reach_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Disagreement] = []
    work = enforceability_module._alone  # noqa: SLF001  # because it is counted

    def alone(verification: Verification, shown: Disagreement) -> Code | None:
        asked.append(shown)
        return work(verification, shown)

    monkeypatch.setattr(enforceability_module, "_alone", alone)
    mesh = load(config(), service("web", "http-web 80"))
    first = enforceability(mesh, WHO)
    at_services = [it for it in asked if it.decision.rule and it.decision.rule.resource.kind == "Service"]
    assert at_services
    asked.clear()
    second = enforceability(mesh, "wget.curl")
    assert not {id(it) for it in at_services} & {id(it) for it in asked}
    assert list(map(str, first)) == list(map(str, second))
