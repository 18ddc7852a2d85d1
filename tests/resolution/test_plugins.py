"""Plugins in the chains of sidecars, and what they are told before services."""

from __future__ import annotations

from typing import Any

import pytest
from random_meshes import resource
from small import WHO, config, load, service

import fsm_egress as fe
from fsm_egress.resolution.plugins import plugins_of
from fsm_egress.resources.subjects import read_subject
from fsm_egress.verification.stock_config import stock_config

Wire = dict[str, Any]
ON = config(featureFlags={"enablePluginPolicy": True})
SERVICES = [*service("web", "http 80"), *service("db", "tcp-x 90", ip="10.96.0.2", pods=["10.0.0.2"])]


def plugin(name: str, priority: float = 115) -> Wire:
    return made("Plugin", name, priority=priority, pipyscript="pipy({})")


def chain(*mounts: tuple[str, str], name: str = "c", **selectors: Wire) -> Wire:
    chains = [{"name": mount, "plugins": plugins.split()} for mount, plugins in mounts]
    return made("PluginChain", name, chains=chains, selectors=selectors)


def told(name: str, plugin: str, config: Wire, *services: str, kind: str = "Service") -> Wire:
    refs = [{"kind": kind, "namespace": "shop", "name": service} for service in services]
    return made("PluginConfig", name, plugin=plugin, config=config, destinationRefs=refs)


def made(kind: str, name: str, **spec: Any) -> Wire:
    return resource("plugin.flomesh.io/v1alpha1", kind, "fsm", name, spec=spec)


def pod(name: str, **labels: str) -> Wire:
    document = resource("v1", "Pod", "curl", name, spec={"serviceAccountName": "curl"})
    document["metadata"]["labels"] = labels
    return document


def chains(*documents: Any, who: str = WHO) -> Wire:
    found: Wire = fe.pipy_config(load(*documents), who).to_mapping()["Chains"]
    return found


def names(modules: list[str]) -> list[str]:
    return [module.rpartition("/")[2].removesuffix(".js").removeprefix("outbound-") for module in modules]


HTTP = ["http-routing", "metrics-http", "tracing-http", "logging-http", "circuit-breaker"]
LAST = ["http-load-balancing", "http-default"]


def test_plugins_stand_among_the_modules_by_priority() -> None:
    found = chains(ON, plugin("auth"), plugin("early", 165.5), chain(("outbound-http", "auth early")))
    assert names(found["outbound-http"]) == ["early", *HTTP, "auth", *LAST]
    assert "plugins/auth.js" in found["outbound-http"]
    assert found["outbound-tcp"] == chains()["outbound-tcp"]


def test_they_stand_among_those_that_the_mesh_lists() -> None:
    listed = [
        {"plugin": "modules/outbound-tcp-routing", "priority": 120},
        {"plugin": "modules/x", "priority": 9},
    ]
    mesh = config(featureFlags={"enablePluginPolicy": True}, pluginChains={"outbound-tcp": listed})
    found = chains(mesh, plugin("auth", 10), chain(("outbound-tcp", "auth")))
    assert names(found["outbound-tcp"]) == ["tcp-routing", "auth", "x"]


def test_a_chain_of_its_own_holds_them_alone() -> None:
    found = chains(ON, plugin("a", 1), plugin("b", 2), chain(("outbound-udp", "a b")))
    assert found["outbound-udp"] == ["plugins/b.js", "plugins/a.js"]


@pytest.mark.parametrize(
    "documents",
    [
        [config(), plugin("auth"), chain(("outbound-http", "auth"))],
        [ON, plugin("auth"), chain(("outbound-http", "gone"))],
        [ON, plugin("auth")],
    ],
)
def test_without_the_flag_a_plugin_or_a_chain_nothing_is_put_in(documents: list[Any]) -> None:
    assert chains(*documents) == chains()
    assert fe.resolve(load(*documents), WHO).conditions == ()


APP: Wire = {"matchLabels": {"app": "curl"}}
SPACE: Wire = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "curl", "labels": {"flomesh.io/monitored-by": "fsm", "team": "a"}},
}


@pytest.mark.parametrize(
    ("selectors", "documents", "selected"),
    [
        ({}, [], True),
        ({"podSelector": {}}, [], True),
        ({"podSelector": APP}, [pod("c", app="curl")], True),
        ({"podSelector": APP}, [pod("c", app="wget")], False),
        ({"podSelector": APP}, [], None),
        ({"namespaceSelector": {"matchLabels": {"team": "a"}}}, [SPACE], True),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}, "podSelector": APP}, [SPACE], False),
        ({"namespaceSelector": {"matchLabels": {"team": "a"}}}, [], None),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}, [pod("c")], False),
    ],
)
def test_a_chain_is_about_those_that_it_selects(
    selectors: Wire, documents: list[Any], selected: bool | None
) -> None:
    mesh = [
        ON,
        plugin("auth"),
        chain(("outbound-tcp", "auth"), ("inbound-tcp", "auth"), **selectors),
        *documents,
    ]
    assert ("plugins/auth.js" in chains(*mesh)["outbound-tcp"]) is bool(selected)
    said = [str(it) for it in fe.resolve(load(*mesh), WHO).conditions]
    assert len(said) == (selected is not False)
    assert all(("may stand" in text) is (selected is None) for text in said)


def test_pods_that_chains_tell_apart_are_answered_for_each() -> None:
    mesh = load(
        ON, plugin("auth"), chain(("outbound-tcp", "auth"), podSelector=APP), pod("a", app="curl"), pod("b")
    )
    subjects = [str(it.identity) for it in (fe.partition(mesh, it) for it in fe.subjects_of(mesh))]
    assert subjects[:2] == ["pod/a.curl", "pod/b.curl"]
    found = [fe.resolve(mesh, f"pod/{name}.curl").spec.chains["outbound-tcp"] for name in "ab"]
    assert [("plugins/auth.js" in modules) for modules in found] == [True, False]
    unplugged = load(
        config(), chain(("outbound-tcp", "auth"), podSelector=APP), pod("a", app="curl"), pod("b")
    )
    assert "pod/a.curl" not in map(str, fe.subjects_of(unplugged))


def test_what_plugins_are_told_stands_on_the_rules_of_services() -> None:
    mesh = load(
        ON,
        *SERVICES,
        plugin("auth"),
        chain(("outbound-http", "auth"), ("outbound-tcp", "auth")),
        told("k", "auth", {"first": 1}, "db"),
        told("l", "auth", {"last": [1, {"a": None}]}, "web", "gone"),
        told("m", "other", {}, "web"),
        told("n", "auth", {"last": [1, {"a": None}]}, "other", kind="Pod"),
    )
    expected = {"auth": {"last": [1, {"a": None}]}}  # of several configs of a plugin the last
    for written in (fe.pipy_config(mesh, WHO), stock_config(mesh, WHO)):
        matches = written.to_mapping()["Outbound"]["TrafficMatches"]
        assert matches["80"][0]["HttpServiceRouteRules"]["web.shop"]["Plugins"] == expected
        assert matches["90"][0]["TcpServiceRouteRules"]["Plugins"] == expected


def test_services_are_told_what_is_for_the_plugins_of_each_chain() -> None:
    mesh = load(
        *(ON, *SERVICES, plugin("auth"), plugin("log")),
        chain(("outbound-http", "log auth"), ("outbound-tcp", "auth")),
        told("a", "log", {"a": 1}, "web", "db"),
        told("b", "auth", {"b": 2}, "web"),
        told("c", "auth", {"b": 2}, "db", kind="Pod"),
    )
    found = plugins_of(mesh, read_subject(WHO)).configs
    assert found == {
        ("shop", "web"): {
            "outbound-http": {"auth": {"b": 2}, "log": {"a": 1}},
            "outbound-tcp": {"auth": {"b": 2}},
        },
        ("shop", "db"): {"outbound-http": {"log": {"a": 1}}},
    }
    assert list(found["shop", "web"]["outbound-http"]) == ["auth", "log"]


def test_a_plugin_that_is_in_no_chain_is_told_nothing() -> None:
    mesh = load(ON, *SERVICES, plugin("auth"), told("k", "auth", {"a": 1}, "web"))
    rules = fe.pipy_config(mesh, WHO).to_mapping()["Outbound"]["TrafficMatches"]["80"][0]
    assert "Plugins" not in rules["HttpServiceRouteRules"]["web.shop"]
    assert plugins_of(mesh, read_subject(WHO)).configs == {("shop", "web"): {}}


def test_what_a_plugin_does_is_a_condition_and_not_decided_for_the_sidecar() -> None:
    mesh = load(ON, *SERVICES, plugin("auth"), chain(("outbound-http", "auth")))
    (condition,) = fe.never(mesh, fe.Where.port(26), WHO).conditions
    assert str(condition.rule) == "PluginChain fsm/c spec.chains[0]"
    assert condition.message.startswith("plugin `auth` stands in chain `outbound-http` of the sidecar")
    assert any("plugins/auth.js" in it.reason for it in fe.verify(mesh, WHO).undecided)


def test_all_plugins_of_a_chain_are_named_that_are_there() -> None:
    mesh = load(ON, *SERVICES, plugin("auth"), plugin("log"), chain(("outbound-http", "log gone auth")))
    ((_, what),) = plugins_of(mesh, read_subject(WHO)).in_force
    assert what == "plugins `log`, `auth` stand in chain `outbound-http` of the sidecar"


@pytest.mark.parametrize(
    ("operator", "values", "labels", "admits"),
    [
        ("In", ["a", "b"], {"k": "a"}, True),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {"k": "a"}, False),
        ("NotIn", ["a"], {}, True),
        ("Exists", [], {"k": ""}, True),
        ("Exists", [], {}, False),
        ("DoesNotExist", [], {}, True),
        ("DoesNotExist", [], {"k": "a"}, False),
        ("Gt", ["1"], {"k": "2"}, False),
    ],
)
def test_requirements_of_labels(operator: str, values: list[str], labels: Wire, *, admits: bool) -> None:
    expression = {"key": "k", "operator": operator, "values": values}
    document = chain(("outbound-tcp", "auth"), podSelector={"matchExpressions": [expression]})
    (read,) = load(document).kind(fe.PluginChain)
    selector = read.spec.selectors.pod_selector
    assert selector is not None
    assert selector.admits(labels) is admits
