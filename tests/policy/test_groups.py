"""The addresses that the same claims cover, and what these allow."""

from __future__ import annotations

import attrs

from fsm_egress.policy.groups import EgressGroup
from fsm_egress.policy.parts import Claim
from fsm_egress.resources.words import Protocol
from fsm_egress.values.references import FieldRef, ResourceRef

RULE = FieldRef(ResourceRef("Egress", "curl", "httpbin"), "spec.ports[0]")


def test_a_group_has_the_protocols_of_its_claims() -> None:
    claims = (Claim(RULE, 80, Protocol.HTTP, prefixes=()), Claim(RULE, 80, Protocol.TCP, prefixes=()))
    group = EgressGroup(80, (), claims, None, (), (), "80-tls", (0, 1))
    assert group.has(Protocol.HTTP)
    assert group.has(Protocol.HTTPS, Protocol.TCP)
    assert not group.has(Protocol.HTTPS, Protocol.TCP_SERVER_FIRST)
    assert not group.has()
    assert not attrs.evolve(group, own=(), places=()).has(*Protocol)
