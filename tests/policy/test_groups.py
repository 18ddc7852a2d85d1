"""The addresses that the same claims cover, and what these allow."""

from __future__ import annotations

import attrs

from fsm_egress.policy.groups import EgressGroup
from fsm_egress.policy.parts import Claim, VirtualHost
from fsm_egress.resources.words import Protocol
from fsm_egress.values.references import FieldRef, ResourceRef

RULE = FieldRef(ResourceRef("Egress", "curl", "httpbin"), "spec.ports[0]")


def test_a_group_has_the_protocols_of_its_claims() -> None:
    claims = (Claim(RULE, 80, Protocol.HTTP, prefixes=()), Claim(RULE, 80, Protocol.TCP, prefixes=()))
    group = EgressGroup(80, (), claims, None, (), ())
    assert group.has(Protocol.HTTP)
    assert group.has(Protocol.HTTPS, Protocol.TCP)
    assert not group.has(Protocol.HTTPS, Protocol.TCP_SERVER_FIRST)
    assert not group.has()
    assert not attrs.evolve(group, own=()).has(*Protocol)


def test_groups_are_equal_where_they_and_what_lies_around_them_is() -> None:
    def inside(around: EgressGroup | None, *own: Claim) -> EgressGroup:
        return EgressGroup(443, (), own, around, (), ())

    tcp, http = (Claim(RULE, 443, it, (), (), ()) for it in (Protocol.TCP, Protocol.HTTP))
    one, same, other = inside(None, tcp), inside(None, tcp), inside(None, http)
    assert (one == same, one == other, hash(one) == hash(same)) == (True, False, True)
    assert (inside(one) == inside(same), inside(one) == inside(other)) == (True, False)
    assert one != "443"


def test_a_group_is_entangled_where_its_host_with_the_port_is_another_one_around() -> None:
    def named(host: str, around: EgressGroup | None = None) -> EgressGroup:
        return EgressGroup(80, (), (), around, (), (VirtualHost(host, (host,), (), RULE),))

    around = named("2001:db8::1:80")
    assert named("2001:db8::1", around).is_entangled
    assert not named("2001:db8::2", around).is_entangled
    assert not named("2001:db8::1").is_entangled
