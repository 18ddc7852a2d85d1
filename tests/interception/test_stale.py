"""Whether a running pod is intercepted otherwise than one that starts now."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pods import RULES, pod
from small import load
from thoroughness import examples

from fsm_egress.interception.hosts import hosts_of
from fsm_egress.interception.stale import difference, stale
from fsm_egress.policy import Interception
from fsm_egress.values.net import Prefix
from fsm_egress.values.references import FieldRef, ResourceRef

RULE = FieldRef(ResourceRef("Pod", "curl", "a"), "")
RANGES = st.lists(st.sampled_from(("10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "0.0.0.0/0")), max_size=3)


def lists(out: list[str], into: list[str], ports: list[int]) -> Interception:
    return Interception(
        excluded=tuple((Prefix(it), RULE) for it in out),
        included=tuple((Prefix(it), RULE) for it in into),
        excluded_ports=tuple((it, RULE) for it in ports),
    )


LISTS = st.builds(lists, RANGES, RANGES, st.lists(st.sampled_from((25, 80, 443)), max_size=3))


def shown(one: Interception, other: Interception) -> str | None:
    found = difference(one, other)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("one", "other", "port"),
    [
        (lists([], [], [25]), lists([], [], []), 25),
        (lists(["10.0.0.0/8"], [], [80]), lists([], [], [80]), 443),
        (lists([], ["10.0.0.0/8"], []), lists([], [], []), 80),
    ],
)
def test_a_connection_shows_what_one_list_alone_redirects(
    one: Interception, other: Interception, port: int
) -> None:
    found = difference(one, other)
    assert found is not None
    assert found.port == port


def test_two_halves_are_the_whole() -> None:
    assert difference(lists(["10.0.0.0/9", "10.128.0.0/9"], [], []), lists(["10.0.0.0/8"], [], [])) is None


@settings(max_examples=examples(15))
@given(LISTS, LISTS)
def test_law_what_differs_differs_both_ways(one: Interception, other: Interception) -> None:
    assert shown(one, other) == shown(other, one)
    assert difference(one, one) is None


@pytest.mark.parametrize(
    ("rules", "containers", "port"),
    [
        (RULES, ("sidecar",), 25),
        (None, ("sidecar",), None),
        (["-A FSM_PROXY_OUTBOUND -m odd -j RETURN", *RULES], ("sidecar",), None),
        (RULES, ("app",), None),
    ],
)
def test_only_a_pod_whose_rules_are_known_is_stale(
    rules: list[str] | None, containers: tuple[str, ...], port: int | None
) -> None:
    mesh = load(pod("a", "10.244.0.9", rules, *containers, outbound_port_exclusion_list="25"))
    found = stale(mesh, hosts_of(mesh)[0])
    assert (found.port if found else None) == port
