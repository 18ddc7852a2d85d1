"""The resolved policy: interception, gateways, what the sidecar is told, findings, and where things stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from attrs import fields
from hypothesis import given, settings
from random_meshes import FLOMESH, egress_gateway, resource, retry, source_pod
from small import WHO, config, egress, flat, found, load, resolved, service

import fsm_egress as fe
from fsm_egress.policy import Endpoint, Interception, OutboundPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_egress.policy import Gateway
    from fsm_egress.values.references import FieldRef

MESH = "MeshConfig fsm-system/fsm-mesh-config"


def test_the_identity_is_a_text_or_a_value() -> None:
    mesh = load(egress("e", "tcp 25"))
    assert fe.resolve(mesh, WHO) == fe.resolve(mesh, fe.ServiceIdentity("curl", "curl"))
    with pytest.raises(fe.InvalidValue, match=r"a service identity `name\.namespace`"):
        fe.resolve(mesh, "curl")


def test_the_policy_of_an_empty_mesh() -> None:
    policy = fe.resolve(fe.Snapshot(), WHO)
    assert repr(policy) == "<OutboundPolicy of curl.curl: 0 ports, 0 findings>"
    assert (policy.ports, policy.clusters, policy.forward, policy.forwarded) == ((), (), None, False)
    assert policy.interception == Interception()
    assert str(policy.switch) == f"{MESH} spec.traffic.enableEgress"


def test_ports_are_in_numeric_order_with_mesh_and_egress_together() -> None:
    policy = resolved(service("web", "http 443"), egress("e", "tcp 9090", "tcp 80", "https 443"))
    assert [(port.port, len(port.mesh), len(port.groups)) for port in policy.ports] == [
        (80, 0, 1),
        (443, 1, 1),
        (9090, 0, 1),
    ]


# --- clusters of outside hosts ---------------------------------------------------------------------------


def outside(*entries: Any) -> dict[str, list[str]]:
    (port,) = resolved(*entries).ports
    return {
        cluster.name: [f"{endpoint.host}:{endpoint.port}" for endpoint in cluster.endpoints]
        for cluster in port.clusters
    }


def test_hosts_have_a_cluster_each_and_server_names_one_together() -> None:
    assert outside(egress("e", "http 80", hosts=["b.com", "a.com"])) == {
        "a.com:80": ["a.com:80"],
        "b.com:80": ["b.com:80"],
    }
    assert outside(egress("e", "https 443", hosts=["b.com", "a.com"])) == {"443": ["a.com:443", "b.com:443"]}


def test_what_a_stream_or_any_tls_claim_opens_needs_no_cluster() -> None:
    assert outside(egress("e", "tcp 80", "http 80", "https 80", hosts=["a.com"])) == {}
    assert outside(egress("a", "https 443", hosts=["a.com"]), egress("b", "https 443")) == {}


def test_a_host_without_routes_has_no_cluster() -> None:
    match = {"apiGroup": random_meshes.ROUTES, "kind": "HTTPRouteGroup", "name": "gone"}
    assert outside(egress("e", "http 80", hosts=["a.com"], matches=[match])) == {}


def test_a_host_that_reads_like_a_service_gets_its_retries() -> None:
    flags = config(featureFlags={"enableRetryPolicy": True})
    policy = resolved(flags, retry(3), egress("e", "http 80", hosts=["web.shop", "a.com"]))
    assert {it.name: it.retry_policy is not None for it in policy.ports[0].clusters} == {
        "a.com:80": False,
        "web.shop:80": True,
    }


# --- interception ----------------------------------------------------------------------------------------


def listed(entries: Iterable[tuple[Any, FieldRef]]) -> list[tuple[str, str]]:
    return [(str(value), str(rule)) for value, rule in entries]


def annotated(key: str, value: str, identity: str = WHO) -> dict[str, Any]:
    return source_pod(identity, key, value)


RANGES_OUT = "outbound-ip-range-exclusion-list"
RANGES_IN = "outbound-ip-range-inclusion-list"
PORTS_OUT = "outbound-port-exclusion-list"


def test_the_lists_of_the_mesh_config_come_with_their_places() -> None:
    interception = resolved(
        config(
            {
                "outboundIPRangeExclusionList": ["10.0.0.0/8", "::/0"],
                "outboundIPRangeInclusionList": ["54.0.0.0/8"],
                "outboundPortExclusionList": [25],
            }
        )
    ).interception
    traffic = f"{MESH} spec.traffic"
    assert listed(interception.excluded) == [
        ("10.0.0.0/8", f"{traffic}.outboundIPRangeExclusionList[0]"),
        ("::/0", f"{traffic}.outboundIPRangeExclusionList[1]"),
    ]
    assert listed(interception.included) == [("54.0.0.0/8", f"{traffic}.outboundIPRangeInclusionList[0]")]
    assert listed(interception.excluded_ports) == [("25", f"{traffic}.outboundPortExclusionList[0]")]


def test_annotations_of_the_identity_s_pods_are_added() -> None:
    interception = resolved(
        config({"outboundPortExclusionList": [25]}),
        annotated(RANGES_OUT, "10.0.0.0/8, ::/0 ,"),
        annotated(PORTS_OUT, " 26,27"),
        annotated(RANGES_IN, "54.0.0.0/8", "wget.curl"),
        annotated(RANGES_IN, "54.0.0.0/8", "curl.shop"),
    ).interception
    rule = f"Pod curl/curl-ip metadata.annotations.flomesh.io/{RANGES_OUT}"
    assert listed(interception.excluded) == [("10.0.0.0/8", rule), ("::/0", rule)]
    assert interception.included == ()
    assert [port for port, _ in interception.excluded_ports] == [25, 26, 27]


@pytest.mark.parametrize(
    ("key", "text", "kept"),
    [
        (RANGES_OUT, "10.0.0.1,54.0.0.0/8", ["54.0.0.0/8"]),
        (RANGES_IN, "x", []),
        (PORTS_OUT, "0,25,65536,a", ["25"]),
        (PORTS_OUT, "\N{ARABIC-INDIC DIGIT FIVE},26", ["26"]),
        (PORTS_OUT, "9" * 5000, []),
    ],
)
def test_a_bad_entry_is_left_out_and_found(key: str, text: str, kept: list[str]) -> None:
    policy = resolved(annotated(key, text))
    interception = policy.interception
    entries = (*interception.excluded, *interception.included, *interception.excluded_ports)
    assert [value for value, _ in listed(entries)] == kept
    rule = f"Pod curl/{'curl-ip' if 'ip' in key else 'curl-po'} metadata.annotations.flomesh.io/{key}"
    assert set(found(policy)) == {("FSE025", rule)}
    assert all(finding.message.endswith(": the entry is left out") for finding in policy.findings)


# --- gateways --------------------------------------------------------------------------------------------


def gateway(name: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return egress_gateway(name, list(entries))


def to(name: str, **rest: Any) -> dict[str, Any]:
    return {"service": name, "namespace": "fsm", **rest}


def proxy(name: str = "gw", mode: str | None = None, pods: Iterable[str] = ("10.0.9.1",)) -> list[Any]:
    entries = service(name, "tcp-proxy 1080", space="fsm", ip="10.96.9.9", pods=pods)
    if mode:
        entries[0]["metadata"]["annotations"] = {"flomesh.io/egress-gateway-mode": mode}
    return entries


def gateways(policy: OutboundPolicy) -> dict[str, Gateway]:
    assert policy.forward is not None
    return {gateway.name: gateway for gateway in policy.forward.gateways}


def test_gateways_come_by_name_with_weight_mode_and_endpoints() -> None:
    policy = resolved(
        gateway("g0", to("gw", weight=70), to("a")),
        proxy(pods=["10.0.9.2", "10.0.9.1"]),
        proxy("a", "sock5"),
    )
    assert list(gateways(policy)) == ["a.fsm", "gw.fsm"]
    assert gateways(policy)["gw.fsm"].endpoints == (Endpoint("10.0.9.1", 1080), Endpoint("10.0.9.2", 1080))
    assert [(it.weight, it.mode) for it in gateways(policy).values()] == [(100, "sock5"), (70, "http2tunnel")]
    assert policy.forwarded
    assert policy.forward is not None
    assert str(policy.forward.rule) == "EgressGateway fsm/g0 spec.global"
    assert not [code for code, _ in found(policy) if code in {"FSE019", "FSE020"}]


def test_the_last_resource_by_name_says_the_weight() -> None:
    policy = resolved(gateway("g1", to("gw", weight=2)), gateway("g0", to("gw", weight=1)), proxy())
    assert gateways(policy)["gw.fsm"].weight == 2


def test_no_list_at_all_is_no_gateway() -> None:
    policy = resolved(resource(FLOMESH, "EgressGateway", "fsm", "g", spec={}))
    assert (policy.forward, policy.forwarded) == (None, False)


def test_gateways_that_carry_nothing_are_found() -> None:
    empty, missing, bare = gateway("g"), gateway("g", to("gone")), gateway("g", to("gw"))
    for entries, place in (
        ([empty], "spec.global"),
        ([missing], "spec.global[0]"),
        ([bare, *proxy()[:1]], "spec.global[0]"),
        ([bare, *proxy(pods=[])], "spec.global[0]"),
    ):
        policy = resolved(*entries)
        assert policy.forwarded
        assert ("FSE020", f"EgressGateway fsm/g {place}") in found(policy)
    assert resolved(empty).forward is None
    assert resolved(missing).forward is None
    assert gateways(resolved(bare, proxy()[:1]))["gw.fsm"].endpoints == ()


def test_an_unknown_mode_is_read_as_http2tunnel_and_found() -> None:
    policy = resolved(gateway("g", to("gw")), proxy(mode="socks5"))
    assert gateways(policy)["gw.fsm"].mode == "http2tunnel"
    assert found(policy) == [("FSE019", "Service fsm/gw metadata.annotations.flomesh.io/egress-gateway-mode")]


# --- what the sidecar is told ----------------------------------------------------------------------------


def test_switches_and_settings_are_those_of_the_mesh_config() -> None:
    spec = resolved(
        config(
            {
                "enableEgress": True,
                "http1PerRequestLoadBalancing": True,
                "http2PerRequestLoadBalancing": True,
            },
            featureFlags={"enableAutoDefaultRoute": True, "enableSidecarActiveHealthChecks": True},
            sidecar={"logLevel": "debug", "sidecarTimeout": 5, "compressConfig": False},
            clusterSet={"properties": [{"name": "CLUSTER", "value": "a"}]},
        )
    ).spec
    assert (spec.log_level, spec.timeout, spec.compress_config) == ("debug", 5, False)
    assert spec.cluster_set == {"CLUSTER": "a"}
    switches = [field.name for field in fields(type(spec)) if field.type == "bool"]
    assert all(getattr(spec, name) for name in switches if name != "compress_config")


def observed(**observability: Any) -> Any:
    return resolved(config(observability=observability)).spec


def test_tracing_is_told_where_spans_go() -> None:
    assert observed(tracing={"enable": False, "address": "a"}).tracing is None
    assert observed(tracing={"enable": True}).tracing == {
        "address": "jaeger.fsm-system.svc.cluster.local:9411",
        "endpoint": "/api/v2/spans",
        "sampledFraction": "1.00",
    }
    given = {"enable": True, "address": "a", "port": 1, "endpoint": "/x", "sampledFraction": "0.5"}
    assert observed(tracing=given).tracing == {"address": "a:1", "endpoint": "/x", "sampledFraction": "0.50"}


def test_remote_logging_leaves_out_what_is_empty() -> None:
    assert observed(remoteLogging={"enable": False}).remote_logging is None
    given = {"enable": True, "address": "a", "port": 1, "level": 2, "endpoint": "/x", "authorization": "key"}
    assert observed(remoteLogging=given).remote_logging == {
        "address": "a:1",
        "level": 2,
        "endpoint": "/x",
        "authorization": "key",
    }
    assert observed(remoteLogging={"enable": True, "address": "a", "port": 1}).remote_logging == {
        "address": "a:1"
    }


def test_the_credential_of_remote_logging_is_in_no_repr() -> None:
    spec = observed(remoteLogging={"enable": True, "address": "a", "port": 1, "authorization": "s3cret"})
    assert "s3cret" not in repr(spec)


def plugin(name: str, priority: int = 0, **rest: bool) -> dict[str, Any]:
    return {"plugin": f"modules/{name}", "priority": priority, **rest}


def test_chains_are_fsm_s_own_unless_configured() -> None:
    chains = resolved(
        config(
            pluginChains={
                "outbound-tcp": [
                    plugin("low", 1),
                    plugin("off", 9, disable=True),
                    plugin("first", 5),
                    plugin("second", 5),
                ]
            }
        )
    ).spec.chains
    assert list(chains) == ["inbound-tcp", "inbound-http", "outbound-tcp", "outbound-http"]
    assert chains["outbound-tcp"] == ("modules/first.js", "modules/second.js", "modules/low.js")
    assert chains["inbound-tcp"] == (
        "modules/inbound-tls-termination.js",
        "modules/inbound-tcp-routing.js",
        "modules/inbound-tcp-load-balancing.js",
        "modules/inbound-tcp-default.js",
    )


@pytest.mark.parametrize("entries", [[], [plugin("off", disable=True)]])
def test_a_chain_without_modules_is_fsm_s_own_and_found(entries: list[dict[str, Any]]) -> None:
    policy = resolved(config(pluginChains={"outbound-tcp": entries}))
    assert policy.spec.chains == resolved().spec.chains
    assert found(policy) == [("FSE028", f"{MESH} spec.pluginChains.outbound-tcp")]


# --- findings --------------------------------------------------------------------------------------------


def test_a_source_that_names_nobody_is_found_whoever_asks() -> None:
    group = {"kind": "Group", "name": "curl", "namespace": "curl"}
    account = {**group, "kind": "ServiceAccount"}
    mesh = load(egress("e", "tcp 25", sources=[account, group]))
    for identity in (WHO, "wget.curl"):
        (finding,) = fe.resolve(mesh, identity).findings
        assert str(finding) == (
            "FSE003 error: Egress curl/e spec.sources[1].kind:"
            " kind `Group` names nobody: only `ServiceAccount` does"
        )
        assert finding.severity is fe.Severity.ERROR


@pytest.mark.parametrize(
    ("protocols", "ranges", "told"),
    [
        (("http", "https"), [], "`http` and `https` claims meet on port 80, any address"),
        (("tcp", "http"), ["54.0.0.0/8"], "`tcp` and `http` claims meet on port 80, 54.0.0.0/8"),
        (
            ("https", "tcp-server-first", "http"),
            ["54.0.0.0/8", "::/0"],
            "`tcp` and `http` and `https` claims meet on port 80, 54.0.0.0/8, ::/0",
        ),
    ],
)
def test_protocols_that_meet_are_found(protocols: tuple[str, ...], ranges: list[str], told: str) -> None:
    policy = resolved(
        egress("e", *(f"{protocol} 80" for protocol in protocols), hosts=["a.com"], ipAddresses=ranges)
    )
    (finding,) = policy.findings
    assert finding.code is fe.Code.PROTOCOLS_MEET
    first = told.split(maxsplit=1)[0]
    assert finding.message == f"{told}: the stock sidecar uses {first} only"


def test_protocols_that_do_not_meet_are_not_found() -> None:
    assert (
        resolved(
            egress("a", "http 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"]),
            egress("b", "tcp 80", ipAddresses=["55.0.0.0/8"]),
            egress("c", "tcp 25", "tcp-server-first 25"),
        ).findings
        == ()
    )


def times(**policy: str) -> dict[str, Any]:
    document = retry(3)
    spec = {**document["spec"], "retryPolicy": {"retryOn": "5xx", **policy}}
    return {**document, "spec": spec}


@pytest.mark.parametrize(
    ("policy", "is_found"),
    [
        ({}, True),
        ({"perTryTimeout": "1s"}, True),
        ({"retryBackoffBaseInterval": "1s"}, True),
        ({"perTryTimeout": "1s", "retryBackoffBaseInterval": "1s"}, False),
    ],
)
def test_a_retry_without_times_is_found_where_it_counts(policy: dict[str, str], *, is_found: bool) -> None:
    on = config(featureFlags={"enableRetryPolicy": True})
    expected = [("FSE021", "Retry curl/again spec.retryPolicy")] if is_found else []
    assert found(resolved(on, times(**policy))) == expected
    assert found(resolved(times(**policy))) == []
    assert fe.resolve(load(on, times(**policy)), "wget.curl").findings == ()


@given(random_meshes.meshes(), random_meshes.identities())
@settings(max_examples=30)
def test_law_each_finding_is_told_once_and_points_into_the_mesh(
    mesh: list[dict[str, Any]], identity: str
) -> None:
    snapshot = fe.load(mesh)
    findings = fe.resolve(snapshot, identity).findings
    refs = {resource.ref for resource in (*snapshot, snapshot.mesh_config)}
    assert len(set(findings)) == len(findings)
    assert {finding.rule.resource for finding in findings} <= refs


# --- where things stand ----------------------------------------------------------------------------------

TEXT = """\
apiVersion: policy.flomesh.io/v1alpha1
kind: Egress
metadata:
  name: e
  namespace: curl
spec:
  sources:
  - kind: ServiceAccount
    name: curl
    namespace: curl
  hosts:
  - "a.com"
  - "*.a.com"
  ports:
  - number: 25
    protocol: tcp
  - number: 80
    protocol: http
"""


def test_rules_know_document_and_line() -> None:
    policy = fe.resolve(fe.loads(TEXT, "e.yaml").with_(load().mesh_config), WHO)
    rules = [claim.rule for port in policy.ports for group in port.groups for claim in group.claims]
    assert list(map(str, rules)) == [
        "Egress curl/e spec.ports[0] (e.yaml:15)",
        "Egress curl/e spec.ports[1] (e.yaml:17)",
    ]
    assert rules[1].mark == fe.Mark(17, 5)
    host = policy.ports[1].groups[0].virtual_hosts[0]
    assert str(host.rule) == str(host.routes[0].rule) == "Egress curl/e spec.ports[1] (e.yaml:17)"
    assert found(policy) == [("FSE009", "Egress curl/e spec.hosts[1] (e.yaml:13)")]


def test_rules_of_json_know_their_line_too() -> None:
    text = json.dumps(egress("e", "tcp 25"), indent=1)
    policy = fe.resolve(fe.loads(text, "e.json"), WHO)
    (claim,) = policy.ports[0].groups[0].claims
    number = next(line for line, content in enumerate(text.splitlines(), 1) if '"number"' in content)
    assert claim.rule.location == f"e.json:{number - 1}"


def test_rules_of_mappings_know_their_resource_alone() -> None:
    (claim,) = resolved(flat([egress("e", "tcp 25")])).ports[0].groups[0].claims
    assert (claim.rule.location, claim.rule.mark) == (None, None)
