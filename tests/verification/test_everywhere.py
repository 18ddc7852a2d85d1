"""What is so in every mesh: how bad that IPv6 passes by the sidecar is, depends on whether there is any."""

from __future__ import annotations

import pytest

import fsm_egress as fe
from fsm_egress.verification.everywhere import EVERYWHERE, judged, severity_in

CONFIG = {
    "apiVersion": "config.flomesh.io/v1alpha3",
    "kind": "MeshConfig",
    "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
    "spec": {"featureFlags": {"enableEgressPolicy": True}},
}


def document(kind: str, group: str = "v1", **content: object) -> dict[str, object]:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": "a", "namespace": "shop"}, **content}


def ranged(prefix: str) -> dict[str, object]:
    source = {"kind": "ServiceAccount", "name": "cart", "namespace": "shop"}
    spec = {"sources": [source], "ports": [{"number": 25, "protocol": "tcp"}], "ipAddresses": [prefix]}
    return document("Egress", "policy.flomesh.io/v1alpha1", spec=spec)


def service(address: str) -> dict[str, object]:
    return document("Service", spec={"clusterIP": address, "ports": [{"port": 80}]})


def endpoints(key: str, address: str) -> dict[str, object]:
    return document("Endpoints", subsets=[{key: [{"ip": address}], "ports": [{"port": 80}]}])


def pod(address: str) -> dict[str, object]:
    return document("Pod", status={"podIPs": [{"ip": address}]})


@pytest.mark.parametrize(
    ("with_ipv6", "without"),
    [
        (service("2001:db8::1"), service("10.96.0.1")),
        (service("2001:db8::1"), service("None")),
        (endpoints("addresses", "2001:db8::1"), endpoints("addresses", "10.0.0.1")),
        (endpoints("notReadyAddresses", "2001:db8::1"), endpoints("notReadyAddresses", "10.0.0.1")),
        (pod("2001:db8::1"), pod("10.0.0.1")),
        (ranged("2001:db8::/32"), ranged("54.0.0.0/8")),
    ],
)
def test_ipv6_is_a_warning_where_there_is_any(
    with_ipv6: dict[str, object], without: dict[str, object]
) -> None:
    code = fe.Code.IPV6_NOT_INTERCEPTED
    assert severity_in(fe.load(with_ipv6), code) is fe.Severity.WARNING
    assert severity_in(fe.load(without), code) is fe.Severity.INFO


def test_other_codes_are_as_bad_everywhere() -> None:
    mesh = fe.load(CONFIG)
    assert [severity_in(mesh, code) for code in fe.Code if code is not fe.Code.IPV6_NOT_INTERCEPTED] == [
        code.severity for code in fe.Code if code is not fe.Code.IPV6_NOT_INTERCEPTED
    ]


def test_findings_are_as_bad_as_they_are_in_the_mesh() -> None:
    mesh = fe.load(CONFIG, ranged("54.0.0.0/8"))
    found = fe.enforceability(mesh, "cart.shop")
    assert {it.code for it in found} <= EVERYWHERE
    assert {it.severity for it in found} == {fe.Severity.INFO}
    rule = fe.FieldRef(fe.ResourceRef("Egress", "shop", "a"))
    assert judged(mesh, [fe.Finding(fe.Code.NAMED_TWICE, rule, "so")])[0].severity is fe.Severity.INFO


def test_the_stock_findings_of_a_clean_mesh_are_none_that_fails() -> None:
    mesh = fe.load(CONFIG, ranged("54.0.0.0/8"))
    assert not [it for it in fe.lint(mesh) if it.severity.is_at_least(fe.Severity.WARNING)]
