"""TrafficSplits as a stock controller reads them."""

from __future__ import annotations

import pytest
import random_meshes
from small import WHO, load, routes, service

import fsm_egress as fe
from fsm_egress.resolution.services import reached_services
from fsm_egress.verification.stock_splits import StockBackends, apex_named
from fsm_egress.verification.stock_view import view_of

SPACES = frozenset({"shop", "data"})


@pytest.mark.parametrize(
    ("text", "apex"),
    [
        ("web", "web"),
        ("web.shop", "web"),
        ("web.gone", "gone"),
        ("web:80", "web"),
        ("web.shop.svc", "web"),
        ("pod-0.web.shop", "web"),
        ("pod-0.web.shop.svc", "web"),
        ("web.shop.svc.cluster.local", "web"),
        ("pod-0.web.shop.svc.cluster.local", "web"),
        ("a.b.c.d.e.f.g", "a"),
    ],
)
def test_the_apex_is_read_by_the_number_of_parts(text: str, apex: str) -> None:
    assert apex_named(text, SPACES) == apex


APEX = [
    service("web", "http-x 80"),
    service("v1", "http-x 80", ip="10.96.0.2", pods=["10.0.0.2"]),
    service("v2", "http-x 80", ip="10.96.0.3", pods=["10.0.0.3"]),
]


def split(
    name: str, *backends: tuple[str, int], apex: str = "web", group: str | None = None
) -> dict[str, object]:
    listed = [{"service": service, "weight": weight} for service, weight in backends]
    spec: dict[str, object] = {"service": apex, "backends": listed}
    if group:
        spec["matches"] = [{"kind": "HTTPRouteGroup", "name": group}]
    return random_meshes.resource("split.smi-spec.io/v1alpha4", "TrafficSplit", "shop", name, spec=spec)


def ways(*entries: object) -> list[tuple[str, dict[str, int]]] | None:
    """The routes of `web.shop`: path, and clusters with their weights."""
    view = view_of(load(*entries))  # type: ignore[arg-type]  # because the helpers of tests are loosely typed
    who = fe.ServiceIdentity.parse(WHO)
    (web,) = [it for it in reached_services(view.snapshot, who, []) if it.name == "web"]
    found = StockBackends(view).routes_of(web)
    if found is None:
        return None
    return [(it.path.text, {cluster.name: cluster.weight for cluster in it.clusters}) for it in found]


def test_without_a_split_a_service_goes_to_itself() -> None:
    assert ways(*APEX) == [(".*", {"shop/web|80": 100})]


def test_a_missing_group_takes_the_hosts_unless_all_weights_are_100() -> None:
    assert ways(*APEX, split("s", ("v1", 90), ("v2", 10), group="gone")) is None
    whole = {"shop/v1|80": 100, "shop/v2|80": 100}
    assert ways(*APEX, split("s", ("v1", 100), ("v2", 100), group="gone")) == [(".*", whole)]


def test_two_unlike_splits_without_routes_take_the_hosts_and_two_alike_do_not() -> None:
    assert ways(*APEX, split("s", ("v1", 100)), split("t", ("v2", 50))) is None
    assert ways(*APEX, split("s", ("v1", 100)), split("t", ("v1", 100))) == [(".*", {"shop/v1|80": 100})]


def test_a_backend_that_is_named_twice_takes_the_hosts_unless_its_weights_differ() -> None:
    assert ways(*APEX, split("s", ("v1", 50), ("v1", 50))) is None
    group = routes("r", {"pathRegex": "/a"}, space="shop")
    assert ways(*APEX, group, split("s", ("v1", 50), ("v1", 60), group="r")) == [
        ("/a", {"shop/v1|80": 60}),
        (".*", {"shop/v1|80": 100}),
    ]


def test_of_equal_routes_of_two_splits_the_first_counts() -> None:
    group = routes("r", {"pathRegex": "/a"}, space="shop")
    found = ways(*APEX, group, split("s", ("v1", 100), group="r"), split("t", ("v2", 100), group="r"))
    assert found == [
        ("/a", {"shop/v1|80": 100}),
        (".*", {"shop/v1|80": 100, "shop/v2|80": 100}),
    ]


def test_a_route_that_takes_every_path_is_the_last_one() -> None:
    group = routes("r", {"methods": ["GET"]}, space="shop")
    assert ways(*APEX, group, split("s", ("v1", 100), group="r")) == [(".*", {"shop/v1|80": 100})]


def test_groups_are_found_in_any_namespace_that_is_monitored() -> None:
    group = routes("r", {"pathRegex": "/a"}, space="data")
    entries = [*APEX, group, split("s", ("v1", 100), group="r")]
    assert [path for path, _ in ways(*entries) or ()] == ["/a", ".*"]
    spaces = [random_meshes.monitored_namespace("shop", "flomesh.io/monitored-by")]
    spaces.append(random_meshes.monitored_namespace("data", "team"))
    assert [path for path, _ in ways(*entries, *spaces) or ()] == [".*"]


def test_the_apex_may_be_named_with_its_namespace_and_a_backend_be_none() -> None:
    assert ways(*APEX, split("s", ("v1", 100), ("gone", 1), apex="shop/web")) == [(".*", {"shop/v1|80": 100})]
    assert ways(*APEX, split("s", ("v1", 100), apex="web.v2")) == [(".*", {"shop/web|80": 100})]
