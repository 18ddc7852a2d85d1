"""What is not modelled is said where a mesh uses it."""

from __future__ import annotations

from typing import Any

import pytest
import random_meshes
from small import config, load, service

from fsm_egress.resolution.conditions import CONNECTED, conditions_of
from fsm_egress.resources.subjects import read_subject

MESH = "MeshConfig fsm-system/fsm-mesh-config spec."


def rules(*entries: Any, who: str = "curl.curl") -> list[str]:
    subject = read_subject(who)
    return [str(finding.rule) for finding in conditions_of(load(*entries), subject)]


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        (config({"interceptionMode": "NodeLevel"}), "traffic.interceptionMode"),
        (config({"networkInterfaceExclusionList": ["eth1"]}), "traffic.networkInterfaceExclusionList"),
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
    traffic = {"interceptionMode": "PodLevel", "networkInterfaceExclusionList": []}
    dns = {"enable": True, "wildcard": {"enable": True, "ips": [{"ipv4": "203.0.113.77"}]}}
    assert rules(config(traffic, sidecar={"localDNSProxy": dns}), service("web", "http 80")) == []


def test_namespaces_of_several_meshes_are_said() -> None:
    one, two, none = (
        random_meshes.monitored_namespace(name, label)
        for name, label in (("a", "flomesh.io/monitored-by"), ("b", "flomesh.io/monitored-by"), ("c", "team"))
    )
    two["metadata"]["labels"] = {"flomesh.io/monitored-by": "other"}
    assert rules(one, none) == []
    assert rules(one, two, none) == ["Namespace b metadata.labels.flomesh.io/monitored-by"]
    assert rules(one, two, none, controller("--mesh-name", "fsm")) == []


def controller(*args: str) -> Any:
    """The Deployment of `fsm-controller`, beside the MeshConfig."""
    template = {"spec": {"containers": [{"name": "fsm-controller", "args": list(args)}]}}
    spec = {"template": template}
    return random_meshes.resource("apps/v1", "Deployment", "fsm-system", "fsm-controller", spec=spec)


SETTING = {"connectionSettings": {"tcp": {"maxConnections": 1}}}


@pytest.mark.parametrize(
    ("host", "is_said"),
    [
        ("web.shop.svc.corp.example", True),
        ("web-0.web.shop.svc.corp.example", True),
        ("web.shop.svc.cluster.local", False),
        ("other.shop.svc.corp.example", False),
        ("web.shop.svc", False),
        ("web.shop", False),
    ],
)
def test_another_trust_domain_is_said_unless_the_controller_says_its_own(host: str, is_said: bool) -> None:
    setting = random_meshes.resource(
        random_meshes.FLOMESH, "UpstreamTrafficSetting", "shop", "u", spec={"host": host, **SETTING}
    )
    mesh = [service("web", "http 80"), setting]
    assert rules(*mesh) == (["UpstreamTrafficSetting shop/u spec.host"] if is_said else [])
    assert rules(*mesh, controller("--trust-domain=corp.example")) == []


def test_a_machine_redirects_as_it_was_set_up() -> None:
    def machine(**spec: str) -> Any:
        group = "machine.flomesh.io/v1alpha1"
        spec = {"machineIP": "10.3.0.1", **spec}
        return random_meshes.resource(group, "VirtualMachine", "curl", "m", spec=spec)

    assert rules(machine(serviceAccountName="curl")) == ["VirtualMachine curl/m"]
    assert rules(machine(serviceAccountName="wget")) == rules(machine()) == []


@pytest.mark.parametrize("name", CONNECTED)
def test_services_of_connectors_are_said(name: str) -> None:
    made, endpoints = service("web", "http 80")
    made["metadata"]["annotations"] = {name: "x"}
    assert rules(made, endpoints) == [f"Service shop/web metadata.annotations.{name}"]
