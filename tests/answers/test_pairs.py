"""What need not be looked at of the policies before and after a change, as all is decided alike there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from small import config, load, service

import fsm_egress as fe
from fsm_egress.answers.pairs import pairs_of
from fsm_egress.connections.payloads import Sends

if TYPE_CHECKING:
    from fsm_egress.division.classes import Class

REFUSED = {Sends.BYTES, Sends.NOTHING, Sends.DATAGRAM, Sends.TLS}


def services(pod_of_last: str, protocol: str = "http", **spec: Any) -> fe.Snapshot:
    """Three services with a pod each."""
    pods = ("10.0.0.1", "10.0.0.2", pod_of_last)
    named = ((f"s{number}", f"10.96.0.{number}", ip) for number, ip in enumerate(pods))
    listed = [service(name, f"{protocol} 80", ip=ip, pods=(pod,)) for name, ip, pod in named]
    return load(config(**spec), *listed)


def looked_at(before: fe.Snapshot, after: fe.Snapshot, address: str) -> list[Class]:
    """The classes at an address that are looked at."""
    key = fe.Address(address).key
    return [
        part
        for pair in pairs_of(before, after, [fe.ServiceIdentity("curl", "curl")])
        for part, _ in pair.classes()
        if part.port == 80 and any(first <= key <= last for first, last in part.spans)
    ]


def test_hosts_that_have_the_same_routes_before_and_after_are_not_looked_at() -> None:
    """A change of one service of many asks about requests to that one's hosts, and to no other's."""
    there = looked_at(services("10.0.0.99"), services("10.0.0.88"), "10.96.0.1")
    named = (part.sent.names for part in there if part.sent.kind is Sends.HTTP)
    asked = {host for names in named if not names.but for host in names.words}
    assert {"10.0.0.88", "10.0.0.99"} <= asked
    assert asked.isdisjoint({"s1.shop", "s1.shop.svc"})


def test_what_a_service_refuses_before_and_after_is_not_looked_at() -> None:
    there = looked_at(services("10.0.0.99"), services("10.0.0.88"), "10.96.0.1")
    assert {part.sent.kind for part in there} == {Sends.HTTP}
    assert not any(part.sent.names.but for part in there)  # the rest of all hosts


def test_where_an_unknown_host_is_taken_for_the_first_one_it_is_looked_at() -> None:
    flags = {"enableAutoDefaultRoute": True}
    before, after = (services(pod, featureFlags=flags) for pod in ("10.0.0.99", "10.0.0.88"))
    assert any(part.sent.names.but for part in looked_at(before, after, "10.96.0.1"))


def test_what_another_service_refuses_is_looked_at() -> None:
    before = services("10.0.0.99")
    (second,) = (it for it in before if isinstance(it, fe.Service) and it.name == "s1")
    renamed = load(
        config(),
        service("s0", "http 80", ip="10.96.0.0", pods=("10.0.0.1",)),
        service("other", "http 80", ip=second.spec.cluster_ip, pods=("10.0.0.2",)),
        service("s2", "http 80", ip="10.96.0.2", pods=("10.0.0.99",)),
    )
    assert {part.sent.kind for part in looked_at(before, renamed, "10.96.0.1")} >= REFUSED


@pytest.mark.parametrize(("address", "is_apart"), [("10.96.0.0", False), ("10.96.0.2", True)])
def test_a_stream_is_looked_at_where_what_it_leads_to_has_changed(address: str, is_apart: bool) -> None:
    """The others are one class, whatever they lead to."""
    there = looked_at(services("10.0.0.99", "tcp-x"), services("10.0.0.88", "tcp-x"), address)
    key = fe.Address("10.96.0.1").key
    held = {any(first <= key <= last for first, last in part.spans) for part in there}
    assert held == {not is_apart}
