"""Shares that grow with the age of pods, against FSM's own arithmetic, and where they are said."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_meshes import FLOMESH, monitored_namespace, resource
from small import WHO, config, load, service

import fsm_egress as fe
from fsm_egress.policy.parts import Endpoint, Growth
from fsm_egress.resolution.warming import Warmup, warmups
from fsm_egress.resources.meshconfig import TrafficWarmupSpec
from fsm_egress.values.references import FieldRef, ResourceRef

if TYPE_CHECKING:
    from small import Entry

RULE = FieldRef(ResourceRef("TrafficWarmup", "shop", "web"), "spec")
ON = {"enableTrafficWarmupPolicy": True}
TWO = service("web", "http 80", pods=["10.0.0.1", "10.0.0.2"])


def weight(young: int, grown: int, aggression: float, window: float, age: int) -> int:
    """What the controller writes for a pod of an age in seconds, step by step as its code has it."""
    if age <= 0:
        return young
    factor = age / window if window else inf
    risen = nan if factor < 0 and (1 / aggression) % 1 else factor ** (1 / aggression)
    lowest = young / grown if grown else nan
    found = grown * max(lowest, risen)
    return 0 if isnan(found) else int(min(found, grown))


@given(
    young=st.integers(0, 100),
    grown=st.integers(0, 100),
    aggression=st.sampled_from((1, 1.5, 2, 10, -1.0, -2.5)),
    window=st.sampled_from((90, 0, 0.5, 3600)),
    age=st.integers(-5, 10**6),
    own=st.integers(0, 200),
)
def test_law_a_weight_is_within_what_is_said_at_every_age(
    young: int, grown: int, aggression: float, window: float, age: int, own: int
) -> None:
    spec = TrafficWarmupSpec(duration=f"{window}s", min_weight=young, max_weight=grown, aggression=aggression)
    end = Warmup.of(spec, RULE).grow(Endpoint("10.0.0.1", 80, own))
    least, most = (end.growth.least, end.growth.most) if end.growth else (end.weight, end.weight)
    assert least <= min(weight(young, grown, aggression, window, age), own) <= most
    if aggression > 0:
        assert end.weight == min(weight(young, grown, aggression, window, 10**9), own)


@pytest.mark.parametrize(
    ("young", "most", "aggression", "duration", "expected"),
    [
        (10, 100, 1, "90s", (10, 100, 100)),
        (10, 100, 0.5, "90s", (10, 100, 100)),
        (10, 100, 0, "90s", (10, 100, 100)),
        (10, 100, 1, "0s", (10, 100, 100)),
        (10, 100, 1, "500ms", (10, 100, 100)),
        (10, 100, -1, "90s", (10, 100, 10)),
        (10, 100, 1, "-90s", (10, 100, 10)),
        (50, 10, 1, "90s", (10, 50, 10)),
        (50, 10, -1, "90s", (10, 50, 10)),
        (10, 0, 1, "90s", (0, 10, 0)),
        (10, 0, -1, "90s", (0, 10, 0)),
        (15, 22, -1, "90s", (14, 22, 14)),  # 22 * (15 / 22) is a little less than 15
    ],
)
def test_weights_rise_or_fall_between_those_of_a_young_and_a_grown_pod(
    young: int, most: int, aggression: float, duration: str, expected: tuple[int, int, int]
) -> None:
    spec = TrafficWarmupSpec(duration=duration, min_weight=young, max_weight=most, aggression=aggression)
    made = Warmup.of(spec, RULE)
    assert (made.least, made.most, made.grown) == expected


def warmup(name: str = "web", **spec: Any) -> Any:
    return resource(FLOMESH, "TrafficWarmup", "shop", name, spec={"maxWeight": 100, **spec})


def space(name: str = "shop", enable: str = "true", **said: str) -> Any:
    found = monitored_namespace(name, "flomesh.io/monitored-by")
    names = {"enable": enable, "maxweight": "100", **said}
    found["metadata"]["annotations"] = {f"flomesh.io/traffic-warmup-{key}": it for key, it in names.items()}
    return found


def weights(*entries: Entry, who: str = WHO) -> list[tuple[str, int, Growth | None]]:
    """The endpoints of all clusters: address, weight, and what they have besides by their age."""
    policy = fe.resolve(load(*entries), who)
    return [(it.host, it.weight, it.growth) for cluster in policy.clusters for it in cluster.endpoints]


def growth(*entries: Entry) -> Growth | None:
    """How the first endpoint grows."""
    return weights(*entries, TWO)[0][2]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([config(featureFlags=ON)], None),
        ([config(), warmup()], None),
        ([config(featureFlags=ON), warmup()], Growth(10, 100)),
        ([config(featureFlags=ON), warmup(minWeight=0)], Growth(0, 100)),
        ([config(featureFlags=ON), warmup(minWeight=30, maxWeight=70)], Growth(30, 70)),
        ([config(featureFlags=ON), warmup(minWeight=50, maxWeight=50)], None),
        ([config(featureFlags=ON), warmup(enable=False)], None),
        ([config(featureFlags=ON), warmup("other")], None),
        ([config(featureFlags=ON, warmup={"enable": True, "minWeight": 5})], Growth(5, 100)),
        ([config(featureFlags=ON, warmup={})], Growth(10, 100)),  # as an API server fills it in
        ([config(featureFlags=ON, warmup={"enable": False})], None),
        ([config(warmup={})], None),
    ],
)
def test_shares_grow_where_a_resource_or_the_mesh_says_so(
    entries: list[Any], expected: Growth | None
) -> None:
    assert growth(*entries) == expected


def test_all_warmups_of_a_mesh_are_those_that_count() -> None:
    unwatched = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "far"}}
    far = resource(FLOMESH, "TrafficWarmup", "far", "web", spec={})
    said = [space(), space("data", "no"), warmup(), warmup("api", enable=False), unwatched, far]
    on = config(featureFlags=ON, warmup={"enable": True})
    assert [str(it.rule) for it in warmups(load(on, *said))] == [
        "MeshConfig fsm-system/fsm-mesh-config spec.warmup",
        "Namespace shop metadata.annotations.flomesh.io/traffic-warmup-enable",
        "TrafficWarmup shop/web spec",
    ]
    assert list(warmups(load(config(warmup={"enable": True}), *said))) == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (space(), Growth(10, 100)),
        (space(enable="Enabled", minweight="20", maxweight="40"), Growth(20, 40)),
        (space(enable="YES", aggression="1.5", duration="1m30s"), Growth(10, 100)),
        (space(enable="no", minweight="20"), Growth(7, 100)),
        (space(enable="perhaps"), Growth(7, 100)),
        (space(minweight="-1"), None),
        (space(minweight="many"), None),
        (space(aggression="fast"), None),
        (space(duration="soon"), None),
    ],
)
def test_the_annotations_of_a_namespace_count_before_the_mesh(said: Any, expected: Growth | None) -> None:
    mesh = config(featureFlags=ON, warmup={"enable": True, "minWeight": 7})
    assert growth(mesh, said) == expected
    assert growth(mesh, said, warmup(minWeight=60)) == Growth(60, 100)  # and a TrafficWarmup before both
    assert growth(mesh, said, warmup(minWeight=60, enable=False)) == expected


def running(name: str, *ips: str, namespace: str = "shop") -> Any:
    status = {"podIPs": [{"ip": ip} for ip in ips]}
    spec = {"serviceAccountName": "web"}
    return resource("v1", "Pod", namespace, name, spec=spec, status=status)


def test_pods_have_an_age_and_nothing_else_has() -> None:
    mesh = config(featureFlags=ON)
    web = service("web", "http 80", pods=["10.0.0.1", "10.0.0.2", "2001:db8::6"])
    grown, growing = (100, None), (100, Growth(10, 100))
    assert [it[1:] for it in weights(mesh, warmup(), web)] == [growing, growing, grown]
    known = weights(mesh, warmup(), web, running("web", "10.0.0.2", "2001:db8::6"))
    assert [it[1:] for it in known] == [grown, growing, grown]
    machine = resource(
        "machine.flomesh.io/v1alpha1",
        "VirtualMachine",
        "shop",
        "vm",
        spec={"serviceAccountName": "web", "machineIP": "10.0.0.1"},
    )
    assert [it[1:] for it in weights(mesh, warmup(), web, machine)] == [grown, growing, grown]


def test_pods_of_other_namespaces_have_an_age_where_the_mesh_watches_them() -> None:
    mesh = config(featureFlags=ON)
    pods = [running("web", "10.0.0.9"), running("far", "10.0.0.1", namespace="far")]
    assert [it[2] for it in weights(mesh, warmup(), TWO, pods)] == [Growth(10, 100), None]
    watched = [monitored_namespace(name, "flomesh.io/monitored-by") for name in ("shop", "curl")]
    assert [it[2] for it in weights(mesh, warmup(), TWO, pods, watched)] == [None, None]


def test_a_named_pod_of_a_headless_service_goes_with_the_service() -> None:
    pods = [{"ip": "10.0.0.1", "hostname": "h0"}]
    web = service("web", "http 80", ip="None", pods=pods)
    assert weights(config(featureFlags=ON), warmup(), web) == [("10.0.0.1", 100, Growth(10, 100))]


def test_what_other_clusters_have_grows_where_it_is_a_pods() -> None:
    group = "multicluster.flomesh.io/v1alpha1"
    ends = [{"clusterKey": "a", "target": {"ip": "10.20.0.1", "port": 80}}]
    port = {"name": "http", "port": 80, "endpoints": ends}
    away = resource(group, "ServiceImport", "shop", "web", spec={"type": "ClusterSetIP", "ports": [port]})
    shared = resource(
        group, "GlobalTrafficPolicy", "shop", "web",
        spec={"lbType": "ActiveActive", "targets": [{"clusterKey": "a", "weight": 30}]},
    )  # fmt: skip
    mesh = [config(featureFlags=ON), warmup(minWeight=20), service("web", "http 80"), away, shared]
    assert weights(*mesh) == [("10.0.0.1", 100, Growth(20, 100)), ("10.20.0.1", 30, None)]
    known = weights(*mesh, running("web", "10.20.0.1"))
    assert known == [("10.0.0.1", 100, None), ("10.20.0.1", 30, Growth(20, 30))]


def test_a_mesh_that_changes_is_decided_about_anew() -> None:
    before = load(config(featureFlags=ON), TWO)
    after = before.with_(*fe.load([warmup()]).kind(fe.TrafficWarmup))
    workload = fe.Workload.of(before, WHO)
    sent = fe.http("10.96.0.1", 80, "GET", "http://web.shop/")
    choices = [
        [target.by_age is not None for target in it.engine.classify(sent).targets]
        for it in (workload, workload.after(after))
    ]
    assert choices == [[False, False], [True, True]]
