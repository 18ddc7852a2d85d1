"""The resolved policy: plain values, and the few questions that they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from fsm_egress import policy
from fsm_egress.policy import Interception, OutboundPolicy, SidecarSpec, groups, parts
from fsm_egress.policy.parts import SourceCert
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
    named = (getattr(room, name) for room in (policy, groups, parts) for name in room.__all__)
    return (
        it for it in named if type(it) is type
    )  # to Python 3.10 `tuple[int, str]` is an instance of `type`


def test_every_part_of_a_policy_is_a_frozen_slotted_value() -> None:
    assert {parts.Claim, groups.EgressGroup, OutboundPolicy} <= set(classes())
    for kind in classes():
        assert attrs.has(kind)
        assert "__dict__" not in dir(kind)
        assert kind.__hash__ is not None
    with pytest.raises(FrozenInstanceError):
        EMPTY_POLICY.ports = ()  # type: ignore[misc]  # because that is what must fail
    assert hash(EMPTY_POLICY) == hash(attrs.evolve(EMPTY_POLICY))
    assert attrs.evolve(EMPTY_POLICY, forwarded=True) != EMPTY_POLICY


def test_no_credential_is_shown() -> None:
    cert = SourceCert(fsm_issued=False, cert_chain="hunter2", private_key="hunter2", issuing_ca="hunter2")
    assert "hunter2" not in f"{cert!r}{SPEC!r}{EMPTY_POLICY!r}"
    assert cert != SourceCert(fsm_issued=False)


def test_a_policy_shows_itself_in_one_line() -> None:
    assert repr(EMPTY_POLICY) == "<OutboundPolicy of curl.shop: 0 ports, 0 findings>"
