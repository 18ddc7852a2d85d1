"""Packing: names for contents, equal ones together, and what that does to shares."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_egress.verification.stock_packing import packed

Wire = dict[str, Any]
ONE, OTHER = ({"Endpoints": {f"10.0.0.{number}:80": {"Weight": 100}}} for number in (1, 2))


def outbound(targets: dict[str, int], clusters: Wire, **more: Any) -> Wire:
    rules = {"web.shop": {"RouteRules": [{"Path": ".*", "Type": "Regex", "TargetClusters": targets}]}}
    match = {
        "Protocol": "http",
        "Port": 80,
        "HttpHostPort2Service": {"web": {"RuleName": "web.shop"}},
        "HttpServiceRouteRules": rules,
        **more,
    }
    return {"TrafficMatches": {"80": [match]}, "ClustersConfigs": clusters}


def targets_of(found: Wire) -> Wire:
    (match,) = found["TrafficMatches"]["80"]
    ((rule,),) = (rules["RouteRules"] for rules in match["HttpServiceRouteRules"].values())
    targets: Wire = rule["TargetClusters"]
    return targets


def test_clusters_and_rules_are_renamed() -> None:
    found = packed(outbound({"a": 70, "b": 30}, {"a": ONE, "b": OTHER}))
    assert found["ClustersConfigs"] == {"00001": ONE, "00002": OTHER}
    assert targets_of(found) == {"00001": 70, "00002": 30}
    (match,) = found["TrafficMatches"]["80"]
    assert match["HttpHostPort2Service"] == {"web": {"RuleName": "00003", "Service": "web.shop"}}
    assert list(match["HttpServiceRouteRules"]) == ["00003"]


def test_names_go_by_the_alphabet_whatever_the_order_of_the_clusters() -> None:
    found = packed(outbound({"b": 30, "a": 70}, {"b": OTHER, "a": ONE}))
    assert found["ClustersConfigs"] == {"00001": ONE, "00002": OTHER}
    assert targets_of(found) == {"00001": 70, "00002": 30}


def test_of_clusters_of_one_content_one_weight_counts() -> None:
    found = packed(outbound({"a": 50, "b": 20, "c": 30}, {"a": ONE, "b": OTHER, "c": dict(ONE)}))
    assert found["ClustersConfigs"] == {"00001": ONE, "00002": OTHER}
    assert targets_of(found) == {"00001": 30, "00002": 20}


def test_a_cluster_without_config_is_left_out() -> None:
    assert targets_of(packed(outbound({"a": 50, "gone": 50}, {"a": ONE}))) == {"00001": 50}


@pytest.mark.parametrize("content", [{"Endpoints": None}, {}, {"Endpoints": {}, "RetryPolicy": None}])
def test_what_is_empty_is_equal(content: Wire) -> None:
    found = packed(outbound({"a": 1, "b": 2}, {"a": {"Endpoints": None}, "b": content}))
    assert list(found["ClustersConfigs"]) == ["00001"]


def test_the_order_of_a_list_does_not_count() -> None:
    hosts = [{"a": 1}, {"b": 2}, {"c": 3}]
    found = packed(outbound({"a": 1, "b": 1}, {"a": {"X": hosts}, "b": {"X": hosts[::-1]}}))
    assert list(found["ClustersConfigs"]) == ["00001"]


def test_rules_of_one_content_are_one() -> None:
    tree = outbound({"a": 100}, {"a": ONE})
    (match,) = tree["TrafficMatches"]["80"]
    match["HttpServiceRouteRules"]["other"] = dict(match["HttpServiceRouteRules"]["web.shop"])
    match["HttpHostPort2Service"]["other"] = {"RuleName": "other"}
    (found,) = packed(tree)["TrafficMatches"]["80"]
    assert len(found["HttpServiceRouteRules"]) == 1
    assert found["HttpHostPort2Service"]["other"] == {"RuleName": "00002", "Service": "other"}


def test_streams_are_packed_where_they_lead_somewhere() -> None:
    stream = {"TcpServiceRouteRules": {"TargetClusters": {"a": 1, "gone": 2}, "AllowedEgressTraffic": False}}
    (found,) = packed(outbound({"a": 1}, {"a": ONE}, **stream))["TrafficMatches"]["80"]
    assert found["TcpServiceRouteRules"]["TargetClusters"] == {"00001": 1}
    nowhere = {"TcpServiceRouteRules": {"TargetClusters": None, "AllowedEgressTraffic": True}}
    (found,) = packed(outbound({"a": 1}, {"a": ONE}, **nowhere, HttpServiceRouteRules=None))[
        "TrafficMatches"
    ]["80"]
    assert found["TcpServiceRouteRules"] == nowhere["TcpServiceRouteRules"]


def test_without_clusters_nothing_is_packed() -> None:
    tree = outbound({"a": 1}, {})
    assert packed(tree) == tree
    tree["ClustersConfigs"] = None
    assert packed(tree) == tree
