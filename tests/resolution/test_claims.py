"""Claims of Egress policies, the groups that unite them, and what is found wrong with them."""

from __future__ import annotations

from typing import Any

import pytest
from random_meshes import FLOMESH, resource
from small import WHO, config, egress, found, load, resolved, routes

import fsm_egress as fe
from fsm_egress.policy.parts import Claim
from fsm_egress.resolution.claims import (
    changed_claims,
    claims_on,
    host_clusters,
    resolve_claims,
)
from fsm_egress.values.references import FieldRef, ResourceRef

CURL = fe.ServiceIdentity.parse(WHO)
HTTP, HTTPS, TCP = fe.Protocol.HTTP, fe.Protocol.HTTPS, fe.Protocol.TCP


def claim(name: str, prefixes: tuple[str, ...] = (), protocol: fe.Protocol = TCP, **rest: Any) -> Claim:
    rule = FieldRef(ResourceRef("Egress", "curl", name), "spec.ports[0]")
    return Claim(rule, 80, protocol, tuple(sorted(set(map(fe.Prefix, prefixes)))), **rest)


def claims_of(*entries: Any, port: int = 80) -> tuple[Claim, ...]:
    return resolve_claims(load(*entries), CURL).by_port[port]


def test_only_requests_to_hosts_have_clusters() -> None:
    policies = egress("a", "https 80", "tcp 80", hosts=["a.com"]), egress("b", "http 80", hosts=["a.com"])
    clusters, findings = host_clusters(claims_of(setting("u", 4), *policies))
    assert [(name, it.rule.resource.name) for name, it in clusters.items()] == [("a.com:80", "b")]
    assert findings == ()


# --- claims ----------------------------------------------------------------------------------------------


def test_claims_come_by_namespace_name_and_port_and_each_port_once() -> None:
    claims = resolve_claims(
        load(
            egress("b", "http 80", "HTTP 80", "tcp 25", hosts=["b.com", "a.com", "a.com"]),
            egress("a", "https 80", ipAddresses=["54.0.0.0/8", "10.0.0.0/8", "54.0.0.0/8"]),
            egress("a", "tcp 80", space="app"),
        ),
        CURL,
    ).by_port
    assert list(claims) == [25, 80]
    assert [str(claim.rule) for claim in claims[80]] == [
        "Egress app/a spec.ports[0]",
        "Egress curl/a spec.ports[0]",
        "Egress curl/b spec.ports[0]",
    ]
    app, ranged, hosted = claims[80]
    assert list(map(str, ranged.prefixes)) == ["10.0.0.0/8", "54.0.0.0/8"]
    assert hosted.hosts == ("a.com", "b.com")
    assert (app.hosts, app.routes, ranged.routes) == ((), (), ())
    assert claims[25][0].hosts == ()
    assert [route.path.text for route in hosted.routes] == [".*"]


CHANGES = [  # of one policy after the other: what it claims now, or that it is gone
    ("b", ["http 80"]),  # without hosts, which is reported
    ("a", ["tcp 80", "tcp 25"]),
    ("c", ["https 80", "tcp 443"]),
    ("a", ["http 80"]),
    ("b", ["tcp 25"]),
    ("c", ["https 80", "tcp 443"]),
    ("d", ["http 443"]),
    ("a", ["http 25"]),
    ("b", []),
    ("c", ["http 80"]),
    ("a", []),
    ("c", []),
]


def test_claims_follow_each_change_of_a_policy_as_if_they_were_worked_out_anew() -> None:
    mesh = load(egress("e", "tcp 7", hosts=["*.e.com"]))
    claims = resolve_claims(mesh, CURL)
    for name, ports in CHANGES:
        changed = load(egress(name, *ports)).kind(fe.EgressPolicy) if ports else ()
        mesh = mesh.with_(*changed) if ports else mesh.without(ResourceRef("Egress", "curl", name))
        claims = changed_claims(mesh, CURL, claims)
        anew = resolve_claims(mesh, CURL)
        assert claims == anew
        assert (list(claims.by_port), claims.findings) == (list(anew.by_port), anew.findings)
        assert changed_claims(mesh, CURL, claims) is claims
        assert set(claims.found) == {finding.rule.resource for finding in claims.findings}
        policies = mesh.policies_for(CURL)
        for port in (7, 25, 80, 443):
            assert claims_on(mesh, CURL, port, policies) == claims.by_port.get(port, ())


def test_what_is_said_of_the_flag_follows_the_number_of_policies() -> None:
    off = config(featureFlags={"enableEgressPolicy": False})
    mesh = load(off, egress("a", "tcp 25"))
    claims = resolve_claims(mesh, CURL)
    more = changed_claims(mesh.with_(*load(egress("b", "tcp 25")).kind(fe.EgressPolicy)), CURL, claims)
    assert ["the flag is off: 1 " in it.message for it in claims.findings] == [True]
    assert ["the flag is off: 2 " in it.message for it in more.findings] == [True]


def group_match(name: str) -> dict[str, Any]:
    return {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": name}


def setting_match(name: str) -> dict[str, Any]:
    return {"apiGroup": FLOMESH, "kind": "UpstreamTrafficSetting", "name": name}


def setting(name: str, connections: int) -> dict[str, Any]:
    spec = {"host": "a.com", "connectionSettings": {"tcp": {"maxConnections": connections}}}
    return resource(FLOMESH, "UpstreamTrafficSetting", "curl", name, spec=spec)


def test_routes_are_those_of_the_groups_in_the_policy_s_namespace() -> None:
    (found_claim,) = claims_of(
        routes("r0", {"pathRegex": "/a"}, {"pathRegex": "/b"}),
        routes("r1", {"pathRegex": "/c"}),
        routes("r0", {"pathRegex": "/other"}, space="shop"),
        egress("e", "http 80", hosts=["a.com"], matches=[group_match("r0"), group_match("r1")]),
    )
    assert [route.path.text for route in found_claim.routes] == ["/a", "/b", "/c"]


def test_hosts_come_by_name_and_once() -> None:
    listed = [f"h{number}.com" for number in range(9)]
    (hosted,) = claims_of(egress("e", "http 80", hosts=[*reversed(listed), *listed]))
    assert list(hosted.hosts) == listed


def test_settings_come_with_the_clusters_of_hosts() -> None:
    named = [group_match("r"), setting_match("u")]
    mesh = load(setting("u", 4), routes("r", {}), egress("e", "http 80", hosts=["a.com"], matches=named))
    clusters, findings = host_clusters(resolve_claims(mesh, CURL).by_port[80])
    settings = clusters["a.com:80"].connection_settings
    assert settings is not None
    assert settings.tcp is not None
    assert settings.tcp.max_connections == 4
    assert findings == ()


# --- certificates ----------------------------------------------------------------------------------------

CERT = {"subjectAltNames": ["a"], "expiration": "2030-01-01"}


def secret(space: str) -> dict[str, Any]:
    return resource(
        "v1", "Secret", space, "s0", data={"tls.crt": "Y3J0", "tls.key": "a2V5", "ca.crt": "/w=="}
    )


def test_claims_are_worked_out_once_for_all_whom_a_policy_names_but_for_their_certificates() -> None:
    me, other = ({"kind": "ServiceAccount", "name": name, "namespace": "curl"} for name in ("curl", "wget"))
    plain = egress("plain", "http 80", hosts=["a.com"], sources=[me, other])
    shown = egress("shown", "http 81", hosts=["a.com"], sources=[{**me, "mtls": {"issuer": "fsm"}}, other])
    mesh, wget = load(plain, shown), fe.ServiceIdentity("wget", "curl")
    mine, theirs, again = (resolve_claims(mesh, who).by_port for who in (CURL, wget, CURL))
    assert mine[80][0] is theirs[80][0]
    assert [claims[81][0].source_cert is not None for claims in (mine, theirs, again)] == [True, False, True]


def test_fsm_issues_a_certificate_in_any_letter_case() -> None:
    (made,) = claims_of(egress("e", "http 80", hosts=["a.com"], mtls={"issuer": "Fsm"}))
    assert made.source_cert is not None
    assert made.source_cert.fsm_issued
    assert not made.broken


@pytest.mark.parametrize(
    ("reference", "space"), [({"name": "s0"}, "curl"), ({"name": "s0", "namespace": "shop"}, "shop")]
)
def test_a_secret_is_looked_for_where_it_is_said_else_beside_the_policy(
    reference: dict[str, str], space: str
) -> None:
    mtls = {"issuer": "other", "cert": {**CERT, "secret": reference}}
    (made,) = claims_of(secret(space), egress("e", "http 80", hosts=["a.com"], mtls=mtls))
    cert = made.source_cert
    assert cert is not None
    assert (cert.fsm_issued, cert.subject_alt_names, cert.expiration) == (False, ("a",), "2030-01-01")
    assert (cert.cert_chain, cert.private_key, cert.issuing_ca) == ("crt", "key", "\N{REPLACEMENT CHARACTER}")
    assert "key" not in repr(cert).replace("private_key", "")


@pytest.mark.parametrize(
    "mtls",
    [
        {"issuer": "other"},
        {"issuer": "other", "cert": CERT},
        {"issuer": "other", "cert": {**CERT, "secret": {"name": "gone"}}},
    ],
)
def test_a_certificate_without_its_secret_breaks_the_claim(mtls: dict[str, Any]) -> None:
    policy = egress("e", "http 80", hosts=["a.com"], mtls=mtls)
    (made,) = claims_of(policy)
    assert made.broken
    assert host_clusters([made]) == ({}, ())
    assert found(resolved(policy)) == [("FSE004", "Egress curl/e spec.sources[0].mtls")]


def test_only_the_first_source_that_is_the_identity_counts() -> None:
    me = {"kind": "ServiceAccount", "name": "curl", "namespace": "curl"}
    mtls = {"issuer": "fsm"}
    others = [{**me, "name": "wget", "mtls": mtls}, {**me, "kind": "Group", "mtls": mtls}]
    (plain,) = claims_of(egress("e", "http 80", sources=[*others, me, {**me, "mtls": mtls}]))
    (shown,) = claims_of(egress("e", "http 80", sources=[*others, {**me, "mtls": mtls}, me]))
    assert plain.source_cert is None
    assert shown.source_cert is not None


# --- findings --------------------------------------------------------------------------------------------

FSM = {"issuer": "fsm"}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "curl"}}
ABSENT = {**config(), "spec": {"traffic": {"enablePermissiveTrafficPolicyMode": True}}}
MESH = "MeshConfig fsm-system/fsm-mesh-config spec.featureFlags.enableEgressPolicy"


def port(index: int = 0, name: str = "e") -> str:
    return f"Egress curl/{name} spec.ports[{index}]"


@pytest.mark.parametrize(
    ("entries", "findings"),
    [
        (
            [egress("e", "http 80", hosts=["a.com"], matches=[setting_match("gone")])],
            [("FSE001", "Egress curl/e spec.matches[0]")],
        ),
        (
            [egress("e", "http 80", hosts=["a.com"], matches=[group_match("gone")])],
            [("FSE002", port())],
        ),
        (
            [egress("e", "tcp 25", "https 443", hosts=["a.com"], mtls=FSM)],
            [("FSE005", port()), ("FSE005", port(1)), ("FSE006", port(1))],
        ),
        (
            [egress("e", "tcp 25", "https 443", hosts=["a.com"], ipAddresses=["54.0.0.0/8"], mtls=FSM)],
            [("FSE006", port(1))],
        ),
        (
            [setting("u", 4), egress("e", "tcp-server-first 25", "https 443", matches=[setting_match("u")])],
            [("FSE007", port()), ("FSE007", port(1))],
        ),
        (
            [
                setting("u", 4),
                setting("v", 5),
                *(
                    egress(name, "http 80", hosts=["a.com"], matches=matches)
                    for name, matches in (
                        ("e", [setting_match("u")]),
                        ("f", [setting_match("u")]),
                        ("g", [setting_match("v")]),
                        ("h", []),
                    )
                ),
            ],
            [("FSE008", port(name="g")), ("FSE008", port(name="h"))],
        ),
        (
            [
                egress("e", "http 80", hosts=["a.com"]),
                egress("f", "http 80", hosts=["a.com"], mtls=FSM),
            ],
            [("FSE008", port(name="f"))],
        ),
        (
            [egress("e", "http 80", hosts=["a.com", "*.a.com"])],
            [("FSE009", "Egress curl/e spec.hosts[1]")],
        ),
        ([ABSENT, egress("e", "tcp 25")], [("FSE010", MESH)]),
        ([ABSENT], []),
        ([config(featureFlags={"enableEgressPolicy": False}), egress("e", "tcp 25")], [("FSE011", MESH)]),
        ([config(featureFlags={"enableEgressPolicy": False})], []),
        (
            [egress("e", "http 80", "https 80", hosts=["a.com"])],
            [("FSE012", port())],
        ),
        ([egress("e", "http 80")], [("FSE013", port())]),
        ([NAMESPACE, egress("e", "tcp 25")], [("FSE026", "Egress curl/e")]),
        ([egress("e", "http 80", "https 443", "tcp 25", hosts=["a.com"])], []),
    ],
)
def test_a_policy_that_does_not_do_what_it_says_is_found(
    entries: list[Any], findings: list[tuple[str, str]]
) -> None:
    assert found(resolved(*entries)) == findings


def test_a_policy_with_a_missing_setting_claims_nothing() -> None:
    policy = resolved(egress("e", "http 80", hosts=["a.com"], matches=[setting_match("gone")]))
    assert policy.ports == ()


def test_policies_that_are_switched_off_or_unmonitored_claim_nothing() -> None:
    off = config(featureFlags={"enableEgressPolicy": False})
    assert resolved(off, egress("e", "tcp 25")).ports == ()
    assert resolved(NAMESPACE, egress("e", "tcp 25")).ports == ()


def test_a_missing_flag_reads_as_true() -> None:
    assert [port.port for port in resolved(ABSENT, egress("e", "tcp 25")).ports] == [25]
