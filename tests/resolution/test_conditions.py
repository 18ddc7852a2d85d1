"""What is not modelled is said where a mesh uses it."""

from __future__ import annotations

from typing import Any

import pytest
import random_meshes
from pods import RULES, pod
from small import WHO, config, egress, load, service

import fsm_egress as fe
from fsm_egress.interception.kinds import bound
from fsm_egress.resolution.conditions import CONNECTED, conditions_of
from fsm_egress.resources.subjects import read_subject

MESH = "MeshConfig fsm-system/fsm-mesh-config spec."


def rules(*entries: Any, who: str = "curl.curl") -> list[str]:
    return [str(finding.rule) for finding in conditions_of([read_subject(who)], load(*entries))]


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        (config({"interceptionMode": "NodeLevel"}), "traffic.interceptionMode"),
        (config({"networkInterfaceExclusionList": ["eth1"]}), "traffic.networkInterfaceExclusionList"),
    ],
)
def test_a_setting_that_is_not_modelled_is_said(entry: Any, rule: str) -> None:
    assert rules(entry) == [MESH + rule]


def test_it_is_said_once_for_many_and_for_each_mesh() -> None:
    one, other = (
        load(config({"interceptionMode": "NodeLevel", "networkInterfaceExclusionList": [name]}))
        for name in ("eth1", "eth2")
    )
    subjects = list(map(read_subject, ("curl.curl", "wget.curl")))
    assert len(conditions_of(subjects, one)) == len(conditions_of(subjects, one, other)) == 2


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


WARM = {"enableTrafficWarmupPolicy": True}


@pytest.mark.parametrize("flags", [WARM, {}])
def test_shares_that_begin_with_nothing_are_said_where_the_flag_is_on(flags: Any) -> None:
    """Requests to pods that have no share get 404; shares that begin with something are decided by age."""
    spaces = [random_meshes.monitored_namespace(name, "flomesh.io/monitored-by") for name in ("shop", "curl")]
    for space, enable in zip(spaces, ("Yes", "no"), strict=True):
        annotated = {"enable": enable, "minweight": "0", "maxweight": "100"}
        named = {f"flomesh.io/traffic-warmup-{name}": text for name, text in annotated.items()}
        space["metadata"]["annotations"] = named
    found = rules(
        config(featureFlags=flags, warmup={"enable": True, "minWeight": 0}),
        *spaces,
        warmup("web", minWeight=0),
        warmup("grows", minWeight=1),
        warmup("never", minWeight=50, maxWeight=0),
        warmup("off", enable=False, minWeight=0),
    )
    said = [
        MESH + "warmup",
        "Namespace shop metadata.annotations.flomesh.io/traffic-warmup-enable",
        "TrafficWarmup shop/never spec",
        "TrafficWarmup shop/web spec",
    ]
    assert found == (said if flags else [])
    assert rules(config(featureFlags=flags, warmup={"enable": False, "minWeight": 0})) == []
    elsewhere = random_meshes.monitored_namespace("curl", "flomesh.io/monitored-by")
    assert rules(config(featureFlags=flags), elsewhere, warmup("web", minWeight=0)) == []


def warmup(name: str, **spec: Any) -> Any:
    return random_meshes.resource(random_meshes.FLOMESH, "TrafficWarmup", "shop", name, spec=spec)


@pytest.mark.parametrize(
    ("sharing", "ways", "is_said"),
    [
        ("ActiveActive", 1, True),
        ("FailOver", 1, True),
        ("Locality", 1, False),
        ("ActiveActive", 0, False),
        ("", 1, False),
    ],
)
def test_other_clusters_are_said_where_they_take_part(sharing: str, ways: int, *, is_said: bool) -> None:
    group = "multicluster.flomesh.io/v1alpha1"
    endpoint = {"clusterKey": "b", "target": {"ip": "10.9.0.1", "port": 80, "host": "b", "path": "/"}}
    ports = [{"port": 80, "protocol": "TCP", "endpoints": [endpoint] * ways}]
    spec = {"type": "ClusterSetIP", "ports": ports, "serviceAccountName": "*"}
    imported = random_meshes.resource(group, "ServiceImport", "shop", "web", spec=spec)
    policies = [
        random_meshes.resource(group, "GlobalTrafficPolicy", "shop", name, spec={"lbType": sharing})
        for name in ("web", "gone")
        if sharing
    ]
    assert rules(imported, *policies) == (["GlobalTrafficPolicy shop/web spec.lbType"] if is_said else [])


@pytest.mark.parametrize("name", CONNECTED)
def test_services_of_connectors_are_said(name: str) -> None:
    made, endpoints = service("web", "http 80")
    made["metadata"]["annotations"] = {name: "x"}
    assert rules(made, endpoints) == [f"Service shop/web metadata.annotations.{name}"]


def test_of_those_behind_one_that_takes_no_part_it_is_said_as_ever() -> None:
    (out, _), (made, _) = service("api", "http 80"), service("web", "http 80")
    out["metadata"]["annotations"] = {CONNECTED[0]: "x", "flomesh.io/service-exclusion": "yes"}
    made["metadata"]["annotations"] = {CONNECTED[0]: "x"}
    assert rules(out, made) == [f"Service shop/web metadata.annotations.{CONNECTED[0]}"]


def test_of_a_service_that_takes_no_part_it_is_said_where_something_leads_to_it() -> None:
    made, endpoints = service("web", "http 80")
    named = "Service shop/web metadata.annotations.flomesh.io/cloud-endpoint-addr"
    made["metadata"]["annotations"] = {CONNECTED[0]: "x", "flomesh.io/service-exclusion": "yes"}
    gateway = random_meshes.egress_gateway("g", [{"service": "web", "namespace": "shop"}])
    splits = [
        random_meshes.traffic_split(space, "s", "api", [{"service": backend, "weight": 1}], None)
        for space, backend in (("shop", "web"), ("data", "shop/web"), ("data", "web"))
    ]
    assert rules(made, endpoints) == rules(made, endpoints, splits[2]) == []
    assert rules(made, endpoints, gateway) == [named]
    assert rules(made, endpoints, splits[0]) == rules(made, endpoints, splits[1]) == [named]


@pytest.mark.parametrize(
    ("shared", "is_said"),
    [
        ({"type": "FailOver", "masterNamespace": "Shop", "slaveNamespaces": ["a"]}, True),
        ({"type": "FailOver", "masterNamespace": "data", "slaveNamespaces": ["a"]}, False),
        ({"type": "FailOver", "masterNamespace": "shop", "slaveNamespaces": []}, False),
        ({"type": "ActiveActive", "masterNamespace": "shop", "slaveNamespaces": ["a"]}, False),
        ({}, False),
    ],
)
def test_namespaces_that_stand_in_for_another_are_said(shared: dict[str, Any], *, is_said: bool) -> None:
    backends = [{"service": name, "weight": 1} for name in ("other/web", "web")]
    split = random_meshes.traffic_split("shop", "s", "api", backends, None)
    found = rules(config(connector={"lb": shared, "viaGateway": {}}), split)
    assert found == (["MeshConfig fsm-system/fsm-mesh-config spec.connector.lb"] if is_said else [])


# --- every answer says so --------------------------------------------------------------------------------

UNDER = load(config({"interceptionMode": "NodeLevel"}), egress("a", "tcp 25"))
SAID = (
    "FSE131 warning: MeshConfig fsm-system/fsm-mesh-config spec.traffic.interceptionMode:"
    " connections are redirected by the node"
)
ANSWERS: dict[str, Any] = {
    "never": lambda mesh: fe.never(mesh, fe.Where.port(26), WHO),
    "never, refuted": lambda mesh: fe.never(mesh, fe.Where.port(25), WHO),
    "never, of what passes by": lambda mesh: fe.never(mesh, fe.Where.sends("datagram"), WHO),
    "equivalent": lambda mesh: fe.equivalent(mesh, mesh, WHO),
    "implies": lambda mesh: fe.implies(mesh, mesh.without(mesh.policies_for(read_subject(WHO))[0].ref), WHO),
    "diff": lambda mesh: fe.diff(mesh, mesh, WHO),
    "partition": lambda mesh: fe.partition(mesh, WHO),
    "residual": lambda mesh: fe.residual(mesh, WHO, fe.Partial(port=25)),
    "reach": lambda mesh: fe.reachable(mesh, port=25, identities=WHO),
}


@pytest.mark.parametrize("ask", ANSWERS.values(), ids=ANSWERS)
def test_every_answer_says_under_which_conditions_it_stands(ask: Any) -> None:
    answer = ask(UNDER)
    (condition,) = answer.conditions
    assert condition.code is fe.Code.NOT_MODELLED
    assert answer.to_mapping()["conditions"] == [condition.to_mapping()]
    assert SAID in str(answer)
    plain = ask(UNDER.patched({"spec": {"traffic": {"interceptionMode": "PodLevel"}}}))
    assert plain.conditions == ()
    assert "conditions" not in plain.to_mapping()


def test_so_does_a_decision_also_after_a_change() -> None:
    connection = fe.tcp("192.0.2.1", 25)
    workload = fe.Workload.of(UNDER, WHO)
    later = workload.after(UNDER.without(UNDER.policies_for(workload.identity)[0].ref))
    for engine in (fe.compile(UNDER, WHO), workload.engine, later.engine):
        decision = engine.classify(connection)
        assert [str(it.rule) for it in decision.conditions] == [MESH + "traffic.interceptionMode"]
        assert decision.to_mapping(connection)["conditions"][0]["code"] == "FSE131"
        assert SAID in str(decision.table())
    assert fe.compile(UNDER, WHO).classify_many([connection])[0].conditions
    assert SAID in str(fe.explain(UNDER, WHO, connection))


def test_so_does_a_verification() -> None:
    verification = fe.verify(UNDER, WHO)
    assert [str(it.rule) for it in verification.conditions] == [MESH + "traffic.interceptionMode"]
    assert MESH + "traffic.interceptionMode" in str(verification.table())


def test_interfaces_that_a_running_pod_was_started_without_are_said() -> None:
    rules_ = ["-A FSM_PROXY_OUTBOUND -o net1 -j RETURN", *RULES]
    running = pod("a", "10.244.0.9", rules_, "sidecar")
    assert rules(running) == ["Pod curl/a spec.initContainers[0].args[1]"]
    assert rules(running, who="wget.curl") == []
    (condition,) = fe.never(load(running), fe.Where.port(80), WHO).conditions
    assert condition.message.startswith("connections by interface `net1` are not redirected")


def starting(name: str, *containers: str) -> dict[str, Any]:
    document = pod(name, "", None, "app", "sidecar")
    document["spec"]["initContainers"] = [{"name": it} for it in containers]
    return document


def test_init_containers_before_the_rules_are_a_condition_of_their_pods() -> None:
    entries = [
        starting("a", "fsm-init", "later"),
        starting("b", "setup", "more", "fsm-init"),
        starting("c", "setup"),
    ]
    (found,) = conditions_of([read_subject("curl.curl")], load(*entries))
    assert str(found.rule) == "Pod curl/b spec.initContainers[0]"
    assert found.severity is fe.Severity.INFO
    assert found.message.startswith("init containers run before `fsm-init` sets the rules")
    mesh = load(*entries)
    (found,) = conditions_of([bound(mesh, read_subject("pod/c.curl"))], mesh)
    assert str(found.rule) == "Pod curl/c spec.initContainers[0]"
    assert conditions_of([bound(mesh, read_subject("pod/a.curl"))], mesh) == ()
    assert rules(*entries, who="wget.curl") == []
    assert "init containers run before" in str(fe.never(load(*entries, config()), fe.Where.outside()))


def test_a_template_gets_its_rules_last_and_a_pod_without_a_sidecar_gets_none() -> None:
    spec = {"template": {"spec": {"serviceAccountName": "curl", "initContainers": [{"name": "setup"}]}}}
    metadata = {"name": "curl", "namespace": "curl"}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    assert rules(deployment) == ["Deployment curl/curl spec.template.spec.initContainers[0]"]
    bare = pod("old", sidecar_injection="no")
    bare["spec"]["initContainers"] = [{"name": "setup"}]
    assert rules(bare) == []
