"""Where weighted clusters lead, and what the shares may come to by the age of pods."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from random_meshes import FLOMESH, resource
from small import WHO, config, load, service

import fsm_egress as fe
from fsm_egress.connections.decision import ByAge
from fsm_egress.engine.targets import streamed, targets_of
from fsm_egress.policy.parts import Cluster, Endpoint, Growth
from fsm_egress.values.references import FieldRef, ResourceRef

RULE = FieldRef(ResourceRef("Service", "shop", "web"), "spec.ports[0]")
ON = {"enableTrafficWarmupPolicy": True}
WEB = fe.http("10.96.0.1", 80, "GET", "http://web.shop/")


def cluster(name: str, *ends: Endpoint) -> Cluster:
    return Cluster(name, ends, RULE)


def end(ip: int, weight: int = 100, *growth: int) -> Endpoint:
    return Endpoint(f"10.0.0.{ip}", 80, weight, growth=Growth(*growth) if growth else None)


def shared(*clusters: tuple[Cluster, int], is_stream: bool = False) -> list[tuple[str, int, ByAge | None]]:
    found = targets_of(streamed(clusters) if is_stream else clusters)
    return [(it.host.rpartition(".")[2], it.weight, it.by_age) for it in found]


def part(least: tuple[int, int], most: tuple[int, int]) -> ByAge:
    return ByAge(Fraction(*least), Fraction(*most))


def test_shares_are_those_of_grown_pods_and_say_what_else_they_may_be() -> None:
    both = part((1, 11), (10, 11))
    assert shared((cluster("a", end(1, 100, 10, 100), end(2, 100, 10, 100)), 1)) == [
        ("1", 1, both),
        ("2", 1, both),
    ]
    beside = cluster("a", end(1, 100, 10, 100), end(2))
    assert shared((beside, 1)) == [("1", 1, part((1, 11), (1, 2))), ("2", 1, part((1, 2), (10, 11)))]
    half = (cluster("b", end(3)), 50)
    assert shared((beside, 50), half) == [
        ("1", 25, part((1, 22), (1, 4))),
        ("2", 25, part((1, 4), (10, 22))),
        ("3", 50, None),
    ]


@pytest.mark.parametrize(
    ("weights", "weight", "expected"),
    [
        ((100, 100), 1, (1, 1)),
        ((100, 100, 100), 2, (2, 2, 2)),
        ((100, 100), 50, (25, 25)),
        ((30, 10), 1, (3, 1)),
        ((30, 10, 10), 100, (60, 20, 20)),
        ((10, 0, 10), 1, (1, 1)),
        ((0, 5), 1, (1,)),
    ],
)
def test_a_weight_is_shared_as_the_endpoints_weigh(
    weights: tuple[int, ...], weight: int, expected: tuple[int, ...]
) -> None:
    ends = [end(at, one) for at, one in enumerate(weights, 1)]
    found = shared((cluster("a", *reversed(ends)), weight))
    heavy = [str(at) for at, one in enumerate(weights, 1) if one]
    assert found == [(at, part, None) for at, part in zip(heavy, expected, strict=True)]


def test_a_target_alone_has_all_at_every_age() -> None:
    assert shared((cluster("a", end(1, 100, 10, 100)), 100)) == [("1", 100, None)]


@pytest.mark.parametrize("growth", [(0, 100), (10, 100)])
def test_so_has_one_that_is_alone_in_its_cluster(growth: tuple[int, int]) -> None:
    alone, others = cluster("a", end(1, 100, *growth)), cluster("b", end(2, 100, 10, 100), end(3))
    assert shared((alone, 100)) == [("1", 100, None)]
    assert shared((alone, 1), (others, 1)) == [
        ("1", 2, None),
        ("2", 1, part((1, 22), (1, 4))),
        ("3", 1, part((1, 4), (10, 22))),
    ]


def test_of_streams_those_that_have_a_weight_keep_it_and_how_it_grows() -> None:
    assert shared((cluster("a", end(1, 50, 10, 50), end(2, 0)), 1), is_stream=True) == [
        ("1", 1, part((1, 11), (1, 3))),
        ("2", 2, part((2, 3), (10, 11))),
    ]


def test_clusters_without_weight_lead_nowhere() -> None:
    nothing = cluster("a", end(1, 0), end(2, 0))
    assert shared((nothing, 100)) == shared((nothing, 0)) == []
    assert shared((cluster("a", end(1, 100, 10, 100), end(2)), 0)) == []
    assert shared((nothing, 50), (cluster("b", end(3)), 50)) == [("3", 50, None)]


def test_streams_take_one_without_weight_for_as_good_as_another() -> None:
    young = cluster("a", end(1, 30, 0, 30), end(2))
    assert shared((young, 1), is_stream=True) == [
        ("1", 3, part((1, 101), (1, 2))),
        ("2", 10, part((1, 2), (100, 101))),
    ]
    assert shared((young, 1)) == [("1", 3, part((0, 1), (3, 13))), ("2", 10, part((10, 13), (1, 1)))]
    assert shared((cluster("a", end(1, 0), end(2)), 1), is_stream=True) == [("1", 1, None), ("2", 1, None)]


WEIGHTS = st.integers(0, 120)
GROWING = st.builds(lambda a, b: Growth(min(a, b), max(a, b)), WEIGHTS, WEIGHTS)


@given(st.lists(st.lists(GROWING, min_size=1, max_size=3), min_size=1, max_size=3), st.data())
def test_law_a_share_is_within_its_bounds_at_all_ages(drawn: list[list[Growth]], data: st.DataObject) -> None:
    grown = [
        (
            cluster(
                str(at),
                *(Endpoint(f"10.0.{at}.{no}", 80, it.most, growth=it) for no, it in enumerate(ends)),
            ),
            at,
        )
        for at, ends in enumerate(drawn, 1)
    ]
    aged = [
        (
            evolve(
                it,
                endpoints=tuple(
                    evolve(end, weight=data.draw(st.integers(end.growth.least, end.growth.most)), growth=None)
                    for end in it.endpoints
                    if end.growth
                ),
            ),
            weight,
        )
        for it, weight in grown
    ]
    leads = [any(end.weight for end in it.endpoints) for it, _ in aged]
    if not all(leads):  # requests to a cluster without weight get 404 at that age
        return
    found = targets_of(aged)
    whole = sum(it.weight for it in found)
    parts = {it.host: Fraction(it.weight, whole) for it in found}
    bounds = targets_of(grown)
    assert {it.host for it in found} <= {it.host for it in bounds}
    for target in bounds:
        exact = Fraction(target.weight, sum(it.weight for it in bounds))
        least, most = (target.by_age.least, target.by_age.most) if target.by_age else (exact, exact)
        assert least <= parts.get(target.host, 0) <= most


# --- what is said of it ----------------------------------------------------------------------------------


def warming(**spec: Any) -> fe.Snapshot:
    warmup = resource(FLOMESH, "TrafficWarmup", "shop", "web", spec={"maxWeight": 100, **spec})
    web = service("web", "http 80", pods=["10.0.0.1", "10.0.0.2"])
    return load(config(featureFlags=ON), web, warmup)


def test_decisions_say_that_the_choice_is_by_age() -> None:
    decision = fe.compile(warming(), WHO).classify(WEB)
    assert json.loads(json.dumps(decision.to_mapping(WEB)["targets"])) == [
        {"address": f"10.0.0.{at}:80", "weight": 50, "by_age": {"least": 0.090909, "most": 0.909091}}
        for at in (1, 2)
    ]
    said = "10.0.0.1:80 (50, by age 9% to 91%), 10.0.0.2:80 (50, by age 9% to 91%)"
    assert said in str(decision.table())
    assert said in str(fe.explain(warming(), WHO, WEB))


def test_a_difference_is_that_shares_come_to_hang_on_age() -> None:
    before, after = warming(enable=False), warming()
    assert "re-routed" in str(fe.diff(before, after, WHO))
    assert not fe.equivalent(before, after, WHO)
    assert fe.equivalent(after, warming(), WHO)


@pytest.mark.parametrize(
    ("weights", "agrees"),
    [
        ((100, 100), True),
        ((10, 100), True),
        ((100, 37), True),
        ((9, 100), False),
        ((100, 0), False),
        ((100,), False),
        ((100, 100, 100), False),
    ],
)
def test_a_sidecar_agrees_whose_shares_are_those_of_some_age(
    weights: tuple[int, ...], *, agrees: bool
) -> None:
    mesh = warming()
    tree = json.loads(fe.pipy_config(mesh, WHO).to_json())
    ends = tree["Outbound"]["ClustersConfigs"]["shop/web|80"]["Endpoints"]
    ends.clear()
    ends.update({f"10.0.0.{at}:80": {"Weight": weight} for at, weight in enumerate(weights, 1)})
    found = fe.verify(mesh, WHO, tree)
    differing = [
        it for it in found.disagreements if it.decision.reason is fe.Reason.HTTP_ROUTE and it.outcome.targets
    ]
    assert (differing == []) is agrees
