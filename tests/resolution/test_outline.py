"""A policy in outline is the one that is resolved whole, port by port."""

from __future__ import annotations

from typing import Any

import pytest
import random_meshes
from hypothesis import given, settings
from small import WHO, config, egress, load, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.resolution.outline import Outline
from fsm_egress.resources.subjects import read_subject


@given(random_meshes.meshes_and_more(), random_meshes.identities())
@settings(max_examples=examples(60))
def test_law_each_port_in_outline_is_that_of_the_whole(mesh: list[dict[str, Any]], identity: str) -> None:
    who = read_subject(identity)
    outline = Outline.of(fe.load(mesh), who)
    ports = {number: outline.port(number) for number in sorted(outline.numbers)}
    whole = fe.resolve(fe.load(mesh), who)
    assert {number: port for number, port in ports.items() if port.mesh or port.groups} == {
        port.port: port for port in whole.ports
    }
    for cluster in whole.clusters:
        found = outline.cluster(cluster.name)
        assert found is not None
        assert found.endpoints == cluster.endpoints
    assert (outline.spec, outline.switch, outline.interception) == (
        whole.spec,
        whole.switch,
        whole.interception,
    )
    assert (outline.forward, outline.conditions, outline.lost) == (
        whole.forward,
        whole.conditions,
        whole.lost,
    )


def test_nothing_leads_to_a_cluster_that_is_not_there() -> None:
    assert Outline.of(load(service("web", "http-web 80")), read_subject(WHO)).cluster("shop/api|80") is None


def test_of_a_port_that_nobody_names_nothing_is_said() -> None:
    outline = Outline.of(load(config(), service("web", "http-web 80")), read_subject(WHO))
    assert outline.numbers == {80}
    assert (outline.port(82).mesh, outline.port(82).groups) == ((), ())


@pytest.mark.parametrize("port", [80, 443])
def test_a_policy_claims_each_of_its_ports(port: int) -> None:
    outline = Outline.of(load(egress("a", "http 80", "https 443", hosts=["a.com"])), read_subject(WHO))
    ((claim,),) = (group.claims for group in outline.port(port).groups)
    assert claim.port == port
