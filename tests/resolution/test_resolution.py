"""The resolved policy: interception, gateways, what the sidecar is told, findings, and where things stand."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
import random_meshes
from hypothesis import given, settings
from random_meshes import retry
from small import WHO, config, egress, flat, found, load, resolved, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.policy import Interception
from fsm_egress.resolution import Resolution

MESH = "MeshConfig fsm-system/fsm-mesh-config"
WORKED_OUT = [
    ".Resolution",
    ".grouping._Cover",
    ".claims._Note",
    ".imports.Import",
    ".inmesh.InMesh",
    ".inmesh.OnPort",
    ".outline.Outline",
    ".ports.ResolvedPort",
    ".services._Mesh",
]


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


def test_where_a_stream_is_open_no_host_has_a_cluster() -> None:
    assert outside(egress("a", "tcp 80"), egress("b", "http 80", hosts=["b.com"])) == {}


def test_clusters_come_by_name_whatever_range_they_are_for() -> None:
    ranged = egress("a", "http 80", hosts=["z.com"], ipAddresses=["54.0.0.0/8"])
    (port,) = resolved(ranged, egress("b", "http 80", hosts=["a.com"])).ports
    assert [cluster.name for cluster in port.outside] == ["a.com:80", "z.com:80"]


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


def test_so_does_one_that_only_begins_like_a_service() -> None:
    flags = config(featureFlags={"enableRetryPolicy": True})
    hosts = ["web.shop.svc.cluster.local", "web.shop.com", "www.web.shop", "a.b.c.svc.d"]
    policy = resolved(flags, retry(3), egress("e", "http 80", hosts=hosts))
    assert {it.name: it.retry_policy is not None for it in policy.ports[0].clusters} == {
        "a.b.c.svc.d:80": False,
        "web.shop.com:80": True,
        "web.shop.svc.cluster.local:80": True,
        "www.web.shop:80": False,
    }


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
@settings(max_examples=examples(30))
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


def test_a_resolution_stays_where_nothing_has_changed_and_follows_what_has() -> None:
    mesh = load(egress("a", "tcp 25"))
    first = Resolution.of(mesh, fe.ServiceIdentity.parse(WHO))
    assert first.after(mesh) is first
    more, odd = (
        mesh.with_(*load(document).kind(fe.EgressPolicy))
        for document in (
            egress("b", "tcp 26"),
            egress("c", "tcp 27", sources=[{"kind": "Group", "name": "g", "namespace": "curl"}]),
        )
    )
    assert [port.port for port in first.after(more).policy.ports] == [25, 26]
    assert found(first.after(odd).policy) == [("FSE003", "Egress curl/c spec.sources[0].kind")]
    assert first.after(odd).policy.ports[0] is first.policy.ports[0]


def test_sources_that_name_nobody_are_reported_by_policy() -> None:
    groups = [[{"kind": kind, "name": "g", "namespace": "curl"}] for kind in ("User", "Group")]
    mesh = [egress(name, "tcp 25", sources=sources) for name, sources in zip("ab", groups, strict=True)]
    assert found(resolved(*mesh, egress("c", "tcp 25"))) == [
        ("FSE003", "Egress curl/a spec.sources[0].kind"),
        ("FSE003", "Egress curl/b spec.sources[0].kind"),
    ]


@pytest.mark.parametrize("name", WORKED_OUT)
def test_what_is_worked_out_of_a_mesh_equals_nothing_but_itself(name: str) -> None:
    """Comparing what it holds would cost as much as working it out."""
    module, _, made = f"fsm_egress.resolution{name}".rpartition(".")
    assert not {"__eq__", "__hash__"} & vars(getattr(import_module(module), made)).keys()
