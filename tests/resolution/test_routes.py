"""Routes: their one form, their one order, and each of them once."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from random_meshes import ROUTE_MATCHES
from small import load, routes

import fsm_egress as fe
from fsm_egress.policy.parts import HTTPRoute, WeightedCluster
from fsm_egress.resolution.routes import in_order, routes_of, to_clusters, united, wildcard
from fsm_egress.values.references import FieldRef, ResourceRef

RULE = FieldRef(ResourceRef("Egress", "curl", "e"), "spec.ports[0]")
OTHER = FieldRef(ResourceRef("Egress", "curl", "f"), "spec.ports[0]")


def made(*matches: dict[str, Any], rule: FieldRef = RULE) -> tuple[HTTPRoute, ...]:
    (group,) = load(routes("r", *matches)).kind(fe.HTTPRouteGroup)
    return routes_of(group, rule)


def form(route: HTTPRoute) -> tuple[str, tuple[str, ...], dict[str, str]]:
    return route.path.text, route.methods, {name: value.text for name, value in route.headers}


drawn_routes = st.lists(ROUTE_MATCHES, max_size=6).map(lambda matches: made(*matches))


@pytest.mark.parametrize(
    ("match", "route"),
    [
        ({}, (".*", (), {})),
        ({"pathRegex": ""}, (".*", (), {})),
        ({"pathRegex": "/get"}, ("/get", (), {})),
        ({"methods": ["PUT", "GET", "PUT"]}, (".*", ("GET", "PUT"), {})),
        ({"methods": ["GET", "*"]}, (".*", (), {})),
        ({"headers": [{"X-Env": "a"}, {"Agent": "b"}]}, (".*", (), {"agent": "b", "x-env": "a"})),
        ({"headers": [{"X-Env": "a"}, {"x-env": "b"}]}, (".*", (), {"x-env": "b"})),
    ],
)
def test_a_match_has_one_form(match: dict[str, Any], route: tuple[str, tuple[str, ...], Any]) -> None:
    (found,) = made(match)
    assert form(found) == route
    assert list(form(found)[2]) == sorted(route[2])


def test_a_route_knows_its_rule_and_its_match() -> None:
    found = made({"pathRegex": "/a"}, {"pathRegex": "/b"})
    assert [(str(route.rule), str(route.route)) for route in found] == [
        ("Egress curl/e spec.ports[0]", "HTTPRouteGroup curl/r spec.matches[0]"),
        ("Egress curl/e spec.ports[0]", "HTTPRouteGroup curl/r spec.matches[1]"),
    ]
    assert wildcard(RULE).route is None
    assert form(wildcard(RULE)) == (".*", (), {})


def test_the_order_is_path_then_headers_then_methods() -> None:
    found = in_order(
        made(
            {},
            {"methods": ["GET"]},
            {"pathRegex": "/b"},
            {"pathRegex": "/b", "methods": ["PUT"]},
            {"pathRegex": "/b", "methods": ["GET"]},
            {"pathRegex": "/b", "methods": ["GET", "PUT"]},
            {"pathRegex": "/b", "headers": [{"y": "1"}]},
            {"pathRegex": "/b", "headers": [{"x": "2"}]},
            {"pathRegex": "/b", "headers": [{"x": "1"}, {"y": "1"}]},
            {"pathRegex": "/B"},
            {"pathRegex": "^/z"},
        )
    )
    assert [form(route) for route in found] == [
        ("/B", (), {}),
        ("/b", (), {"x": "1", "y": "1"}),
        ("/b", (), {"x": "2"}),
        ("/b", (), {"y": "1"}),
        ("/b", ("GET", "PUT"), {}),
        ("/b", ("GET",), {}),
        ("/b", ("PUT",), {}),
        ("/b", (), {}),
        ("^/z", (), {}),
        (".*", ("GET",), {}),
        (".*", (), {}),
    ]


def test_equal_routes_come_together_with_the_later_weight_and_the_first_rule() -> None:
    first = to_clusters(made({"pathRegex": "/a"}), WeightedCluster("a", 10), WeightedCluster("b", 20))
    second = to_clusters(
        made({"pathRegex": "/a"}, rule=OTHER), WeightedCluster("b", 30), WeightedCluster("c")
    )
    (route,) = united((*first, *second))
    assert route.rule == RULE
    assert route.clusters == (WeightedCluster("a", 10), WeightedCluster("b", 30), WeightedCluster("c", 100))


def test_routes_lead_where_they_are_told() -> None:
    found = to_clusters(made({}, {"pathRegex": "/a"}), WeightedCluster("a"), WeightedCluster("b"))
    assert [route.clusters for route in found] == [(WeightedCluster("a"), WeightedCluster("b"))] * 2


@given(drawn_routes)
def test_law_united_routes_are_each_there_once_and_none_is_lost(found: tuple[HTTPRoute, ...]) -> None:
    once = united(found)
    assert {str(form(route)) for route in once} == {str(form(route)) for route in found}
    assert len({str(form(route)) for route in once}) == len(once)
    assert united(once) == once


@given(drawn_routes, st.data())
def test_law_the_order_does_not_depend_on_the_order_before(
    found: tuple[HTTPRoute, ...], data: st.DataObject
) -> None:
    permuted = data.draw(st.permutations(found))
    assert [form(route) for route in united(permuted)] == [form(route) for route in united(found)]


@given(drawn_routes)
def test_law_wildcard_paths_come_last_and_more_headers_first(found: tuple[HTTPRoute, ...]) -> None:
    ordered = [evolve(route, rule=OTHER) for route in in_order(found)]
    paths = [path for path, _ in groupby(ordered, key=lambda route: route.path.text)]
    rest = [path for path in paths if path != ".*"]
    assert paths == sorted(rest) + [".*"] * (len(paths) - len(rest))
    for _, same in groupby(ordered, key=lambda route: route.path.text):
        counts = [len(route.headers) for route in same]
        assert counts == sorted(counts, reverse=True)
