"""What is not modelled is said where a mesh uses it."""

from __future__ import annotations

from typing import Any

import pytest
import random_meshes
from small import config, load, service

from fsm_egress.resolution.conditions import CONNECTED, conditions_of

MESH = "MeshConfig fsm-system/fsm-mesh-config spec."
DNS: dict[str, Any] = {"enable": True, "wildcard": {"enable": True, "ips": [{"ipv4": "203.0.113.77"}]}}


def rules(*entries: Any) -> list[str]:
    return [str(finding.rule) for finding in conditions_of(load(*entries))]


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        (config({"interceptionMode": "NodeLevel"}), "traffic.interceptionMode"),
        (config({"networkInterfaceExclusionList": ["eth1"]}), "traffic.networkInterfaceExclusionList"),
        (config(sidecar={"localDNSProxy": DNS}), "sidecar.localDNSProxy.wildcard"),
        (config(featureFlags={"enablePluginPolicy": True}), "featureFlags.enablePluginPolicy"),
        (config(featureFlags={"enableTrafficWarmupPolicy": True}), "featureFlags.enableTrafficWarmupPolicy"),
    ],
)
def test_a_setting_that_is_not_modelled_is_said(entry: Any, rule: str) -> None:
    assert rules(entry) == [MESH + rule]


def test_of_pods_it_is_said_one_by_one_that_the_node_redirects() -> None:
    pod = random_meshes.resource("v1", "Pod", "curl", "curl-0", spec={"serviceAccountName": "curl"})
    assert rules(config({"interceptionMode": "NodeLevel"}), pod) == []


def test_what_changes_nothing_is_not_said() -> None:
    off = {"enable": False, "wildcard": {"enable": True}}
    traffic = {"interceptionMode": "PodLevel", "networkInterfaceExclusionList": []}
    assert rules(config(traffic, sidecar={"localDNSProxy": off})) == []
    assert rules(config(sidecar={"localDNSProxy": {"enable": True}}), service("web", "http 80")) == []


def test_namespaces_of_several_meshes_are_said() -> None:
    one, two, none = (
        random_meshes.monitored_namespace(name, label)
        for name, label in (("a", "flomesh.io/monitored-by"), ("b", "flomesh.io/monitored-by"), ("c", "team"))
    )
    two["metadata"]["labels"] = {"flomesh.io/monitored-by": "other"}
    assert rules(one, none) == []
    assert rules(one, two, none) == ["Namespace b metadata.labels.flomesh.io/monitored-by"]


@pytest.mark.parametrize("name", CONNECTED)
def test_services_of_connectors_are_said(name: str) -> None:
    made, endpoints = service("web", "http 80")
    made["metadata"]["annotations"] = {name: "x"}
    assert rules(made, endpoints) == [f"Service shop/web metadata.annotations.{name}"]
