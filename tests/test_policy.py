"""The resolved policy: plain values, and the few questions that they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from fsm_egress import policy
from fsm_egress.policy import (
    Claim,
    EgressGroup,
    Endpoint,
    Interception,
    MeshMatch,
    OutboundPolicy,
    SidecarSpec,
    SourceCert,
    WeightedCluster,
)
from fsm_egress.resources.checks import Protocol
from fsm_egress.resources.resource import ServiceIdentity
from fsm_egress.values.frozen import EMPTY, FrozenMap
from fsm_egress.values.references import FieldRef, ResourceRef

if TYPE_CHECKING:
    from collections.abc import Iterator

RULE = FieldRef(ResourceRef("Egress", "curl", "httpbin"), "spec.ports[0]")
SWITCH = FieldRef(ResourceRef("MeshConfig", "fsm-system", "fsm-mesh-config"), "spec.traffic.enableEgress")
SPEC = SidecarSpec(
    log_level="error",
    timeout=60,
    enable_egress=False,
    http1_per_request_load_balancing=False,
    http2_per_request_load_balancing=False,
    enable_sidecar_active_health_checks=False,
    enable_auto_default_route=False,
    compress_config=True,
    tracing=None,
    remote_logging=FrozenMap({"authorization": "hunter2"}),
    cluster_set=None,
    chains=EMPTY,
)
EMPTY_POLICY = OutboundPolicy(
    identity=ServiceIdentity("curl", "shop"),
    spec=SPEC,
    switch=SWITCH,
    interception=Interception(),
    clusters=(),
    ports=(),
    forward=None,
    forwarded=False,
    findings=(),
)


def classes() -> Iterator[Any]:
    return (getattr(policy, name) for name in policy.__all__ if name != "LOOPBACK")


def test_every_part_of_a_policy_is_a_frozen_slotted_value() -> None:
    for kind in classes():
        assert attrs.has(kind)
        assert "__dict__" not in dir(kind)
        assert kind.__hash__ is not None
    with pytest.raises(FrozenInstanceError):
        EMPTY_POLICY.ports = ()  # type: ignore[misc]  # because that is what must fail
    assert hash(EMPTY_POLICY) == hash(attrs.evolve(EMPTY_POLICY))
    assert attrs.evolve(EMPTY_POLICY, forwarded=True) != EMPTY_POLICY


@pytest.mark.parametrize(
    ("protocol", "is_http"),
    [
        (Protocol.HTTP, True),
        (Protocol.GRPC, True),
        (Protocol.HTTPS, False),
        (Protocol.TCP, False),
        (Protocol.TCP_SERVER_FIRST, False),
    ],
)
def test_requests_are_routed_one_by_one_where_http_is_spoken(protocol: Protocol, is_http: bool) -> None:
    assert MeshMatch(80, protocol, owners=()).is_http is is_http


def test_a_group_has_the_protocols_of_its_claims() -> None:
    claims = (Claim(RULE, 80, Protocol.HTTP, prefixes=()), Claim(RULE, 80, Protocol.TCP, prefixes=()))
    group = EgressGroup(80, (), claims, None, (), (), "80-tls", (0, 1))
    assert group.has(Protocol.HTTP)
    assert group.has(Protocol.HTTPS, Protocol.TCP)
    assert not group.has(Protocol.HTTPS, Protocol.TCP_SERVER_FIRST)
    assert not group.has()
    assert not attrs.evolve(group, own=(), places=()).has(*Protocol)


def test_endpoints_and_clusters_have_a_canonical_order() -> None:
    endpoints = [Endpoint("b", 80), Endpoint("a", 443), Endpoint("a", 80, 50), Endpoint("a", 80)]
    assert sorted(endpoints) == [endpoints[2], endpoints[3], endpoints[1], endpoints[0]]
    assert sorted([WeightedCluster("b", 1), WeightedCluster("a")]) == [
        WeightedCluster("a", 100),
        WeightedCluster("b", 1),
    ]


def test_no_credential_is_shown() -> None:
    cert = SourceCert(fsm_issued=False, cert_chain="hunter2", private_key="hunter2", issuing_ca="hunter2")
    assert "hunter2" not in f"{cert!r}{SPEC!r}{EMPTY_POLICY!r}"
    assert cert != SourceCert(fsm_issued=False)


def test_a_policy_shows_itself_in_one_line() -> None:
    assert repr(EMPTY_POLICY) == "<OutboundPolicy of curl.shop: 0 ports, 0 findings>"
