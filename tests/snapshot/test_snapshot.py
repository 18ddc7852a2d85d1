"""Snapshots: what they hold, what they share, and what is looked up in them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty
from random_meshes import resource
from small import WHO, config, egress, load, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.resources.kinds import KINDS

if TYPE_CHECKING:
    from fsm_egress.resources.resource import Resource
    from fsm_egress.snapshot.kind import Kind

CURL = fe.ServiceIdentity.parse(WHO)


def policy(name: str, space: str = "curl") -> fe.EgressPolicy:
    (found,) = load(egress(name, "tcp 25", space=space)).kind(fe.EgressPolicy)
    return found


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def kinds(mesh: fe.Snapshot) -> dict[type[Resource], Kind[Any]]:
    return {kind: mesh.kind(kind) for kind in KINDS}


# --- what is in it ---------------------------------------------------------------------------------------


def test_a_snapshot_counts_what_it_holds() -> None:
    mesh = load(egress("a", "tcp 25"), egress("b", "tcp 25"), service("web", "http 80"))
    assert len(mesh) == 5
    assert sorted(str(resource.ref) for resource in mesh) == [
        "Egress curl/a",
        "Egress curl/b",
        "Endpoints shop/web",
        "MeshConfig fsm-system/fsm-mesh-config",
        "Service shop/web",
    ]
    assert repr(mesh) == "<Snapshot: 1 MeshConfig, 2 Egress, 1 Service, 1 Endpoints>"


def test_a_snapshot_may_be_empty() -> None:
    assert repr(fe.Snapshot()) == repr(fe.Snapshot.of()) == "<Snapshot: empty>"
    assert len(fe.load()) == 0
    assert not fe.Snapshot().kind(fe.EgressPolicy).by_source


def test_a_resource_that_is_there_twice_is_refused() -> None:
    with pytest.raises(fe.InvalidValue) as caught:
        fe.Snapshot.of([policy("a"), policy("a")])
    assert str(caught.value) == "Egress curl/a: expected each resource once, found it again"


def test_the_problems_of_a_load_stay_with_it() -> None:
    wrong = egress("wrong", "tcp 0")
    mesh = fe.load([config(), wrong], strict=False)
    assert [str(problem.resource) for problem in mesh.problems] == ["Egress curl/wrong"]
    assert mesh.with_(policy("a")).problems == mesh.problems
    with pytest.raises(fe.LoadError):
        fe.load([config(), wrong])


def test_a_text_is_loaded_under_a_name() -> None:
    text = json.dumps(egress("a", "tcp 25"))
    (named,) = fe.loads(text, "a.json").kind(fe.EgressPolicy)
    (unnamed,) = fe.loads(text.encode()).kind(fe.EgressPolicy)
    assert named == unnamed
    assert [named.source and named.source.document, unnamed.source and unnamed.source.document] == [
        "a.json",
        "<text>",
    ]


def test_a_text_is_loaded_tolerantly_on_request() -> None:
    document = {**egress("a", "tcp 25"), "strange": 1}
    with pytest.raises(fe.LoadError):
        fe.loads(json.dumps(document))
    assert len(fe.loads(json.dumps(document), strict=False)) == 0
    assert len(fe.loads(json.dumps(document), lenient_fields=True)) == 1


# --- equal snapshots -------------------------------------------------------------------------------------


@given(random_meshes.meshes(), st.randoms(use_true_random=False))
@settings(max_examples=examples(25))
def test_law_a_snapshot_equals_another_of_the_same_resources(mesh: list[dict[str, Any]], chance: Any) -> None:
    one = fe.load(mesh)
    chance.shuffle(mesh)
    other = fe.loads(json.dumps({"apiVersion": "v1", "kind": "List", "items": mesh}), "mesh.json")
    assert one == other
    assert hash(one) == hash(other)
    assert one.with_(policy("added")) != other
    assert one.with_(policy("added")).without(policy("added").ref) == other
    for kind, table in kinds(one).items():
        assert (table == other.kind(kind), hash(table) == hash(other.kind(kind))) == (True, True)


def test_several_resources_go_at_once() -> None:
    added = [policy(name, space) for space in ("curl", "shop") for name in "abc"]
    mesh = fe.Snapshot().with_(*added)
    left = mesh.without(*(it.ref for it in added if it.ref.name != "b" or it.ref.namespace == "shop"))
    assert list(left) == [policy("b")]
    assert left == fe.Snapshot().with_(policy("b"))


def test_a_snapshot_equals_none_that_lacks_something_else_and_nothing_of_another_type() -> None:
    mesh, wrong = load(egress("a", "tcp 25")), egress("wrong", "tcp 0")
    assert mesh != fe.load([config(), egress("a", "tcp 25"), wrong], strict=False)
    assert mesh != load(egress("a", "tcp 26"))
    assert mesh != list(mesh)
    assert fe.Snapshot() == fe.load()


# --- changed snapshots -----------------------------------------------------------------------------------


@given(random_meshes.meshes())
@settings(max_examples=examples(25))
def test_law_a_changed_snapshot_shares_every_other_kind(mesh: list[dict[str, Any]]) -> None:
    before = fe.load(mesh)
    added = policy("added")
    after = before.with_(added)
    for kind, table in kinds(before).items():
        assert (after.kind(kind) is table) is (kind is not fe.EgressPolicy)
    assert len(after) == len(before) + 1
    assert after.kind(fe.EgressPolicy).get("curl", "added") is added
    assert before.kind(fe.EgressPolicy).get("curl", "added") is None


@given(random_meshes.meshes())
@settings(max_examples=examples(25))
def test_law_what_is_added_and_taken_away_leaves_the_same(mesh: list[dict[str, Any]]) -> None:
    before = fe.load(mesh)
    added = policy("added")
    after = before.with_(added).without(added.ref)
    assert list(after) == list(before)
    assert all(after.kind(kind) is table for kind, table in kinds(before).items() if kind is not type(added))


def test_a_resource_takes_the_place_of_its_namesake() -> None:
    before = fe.Snapshot.of([policy("a"), policy("b")])
    (changed,) = load(egress("a", "http 80")).kind(fe.EgressPolicy)
    assert list(before.with_(changed)) == [changed, policy("b")]


def test_nothing_changes_where_nothing_is_taken_away() -> None:
    mesh = load(egress("a", "tcp 25"), service("web", "http 80"))
    same = mesh.without(fe.ResourceRef("Egress", "curl", "gone"), fe.ResourceRef("Service", "curl", "a"))
    assert all(same.kind(kind) is table for kind, table in kinds(mesh).items())
    assert list(mesh.without(*(resource.ref for resource in mesh))) == []


def test_a_refused_resource_is_gone_with_its_name() -> None:
    mesh = fe.load([config(), egress("a", "tcp 0"), egress("b", "tcp 0")], strict=False)
    assert [refused.ref.name for refused in mesh.refused] == ["a", "b"]
    assert [refused.ref.name for refused in mesh.with_(policy("a")).refused] == ["b"]
    assert [refused.ref.name for refused in mesh.without(policy("b").ref).refused] == ["a"]
    assert mesh.patched({"spec": {"traffic": {"enableEgress": True}}}).refused == mesh.refused
    assert load(egress("a", "tcp 25")).refused == ()


# --- what is looked up -----------------------------------------------------------------------------------


def test_policies_are_found_by_the_account_they_name() -> None:
    named = {"kind": "ServiceAccount", "name": "curl", "namespace": "curl"}
    mesh = load(
        egress("b", "tcp 25"),
        egress("a", "tcp 25", sources=[named, named]),
        egress("group", "tcp 25", sources=[{**named, "kind": "Group"}]),
        egress("other", "tcp 25", sources=[{**named, "name": "wget"}]),
    )
    assert [item.name for item in mesh.policies_for(CURL)] == ["a", "b"]
    assert [item.name for item in mesh.policies_for(fe.ServiceIdentity("wget", "curl"))] == ["other"]
    assert mesh.policies_for(fe.ServiceIdentity("curl", "shop")) == ()
    assert mesh.kind(fe.MeshConfig).by_source == {}


def test_what_was_worked_out_is_in_no_picture_of_a_mesh() -> None:
    mesh = load(egress("a", "tcp 25"))
    fe.compile(mesh, WHO)
    shown = pretty(mesh)
    assert shown == repr(mesh) or shown.endswith("_known=...)")  # the `repr` by older versions


def test_every_namespace_is_monitored_until_one_is_given() -> None:
    assert load().monitors("curl")
    mesh = load(namespace("curl", **{"flomesh.io/monitored-by": "fsm"}), namespace("shop", team="a"))
    assert [mesh.monitors(name) for name in ("curl", "shop", "data")] == [True, False, False]


def watched(*meshes: str) -> list[dict[str, Any]]:
    return [namespace(f"s{index}", **{"flomesh.io/monitored-by": mesh}) for index, mesh in enumerate(meshes)]


def started(kind: str, *args: str, space: str = "fsm-system") -> dict[str, Any]:
    """What runs `fsm-controller` with these arguments."""
    other = {"name": "pipy", "args": ["--mesh-name", "no"]}
    spec = {"containers": [other, {"name": "fsm-controller", "args": list(args)}]}
    if kind == "Pod":
        return resource("v1", kind, space, "fsm-controller-0", spec=spec)
    return resource("apps/v1", kind, space, "fsm-controller", spec={"template": {"spec": spec}})


@pytest.mark.parametrize(
    ("meshes", "others", "monitored"),
    [
        (("fsm", "other"), [], [True, False]),
        (("other", "fsm"), [], [False, True]),
        (("other", "third"), [], [True, False]),
        (("other",), [], [True]),
        (("fsm", "other"), [started("Deployment", "--mesh-name", "other")], [False, True]),
        (("fsm", "other"), [started("Pod", "--verbose", "--mesh-name=other")], [False, True]),
        (("fsm", "other"), [started("Pod", "--mesh-name")], [True, False]),
        (("fsm", "other"), [started("Pod", "--mesh-name", "other", space="elsewhere")], [True, False]),
        (
            ("fsm", "other"),
            [started("Pod", "--mesh-name", "fsm"), started("Deployment", "--mesh-name", "other")],
            [False, True],
        ),
        (("fsm",), [started("Deployment", "--mesh-name", "third")], [False]),
    ],
)
def test_a_namespace_is_monitored_by_the_mesh_that_its_label_names(
    meshes: tuple[str, ...], others: list[dict[str, Any]], monitored: list[bool]
) -> None:
    mesh = load(*watched(*meshes), *others)
    assert [mesh.monitors(f"s{index}") for index in range(len(meshes))] == monitored


def test_what_the_control_plane_is_told_stands_where_it_is_written() -> None:
    mesh = load(started("Deployment", "--trust-domain", "corp.example"))
    assert mesh.trust_domain == "corp.example"
    told = mesh.told("--trust-domain")
    assert told is not None
    assert str(told[1]) == "Deployment fsm-system/fsm-controller spec.template.spec.containers[1].args[0]"
    assert (load().trust_domain, load().mesh_name) == ("cluster.local", "fsm")


def test_without_a_mesh_config_the_control_plane_may_be_anywhere() -> None:
    mesh = fe.load([started("Pod", "--mesh-name", "other", space="elsewhere")])
    assert mesh.mesh_name == "other"


def test_a_machine_names_its_account() -> None:
    def machine(name: str, **spec: str) -> dict[str, Any]:
        spec = {"machineIP": "10.3.0.1", **spec}
        return resource("machine.flomesh.io/v1alpha1", "VirtualMachine", "shop", name, spec=spec)

    mesh = load(machine("m", serviceAccountName="cart"), machine("n"))
    assert list(map(str, mesh.identities())) == ["cart.shop"]


def mesh_config(name: str, space: str, *, enable: bool) -> dict[str, Any]:
    document = config({"enableEgress": enable})
    return {**document, "metadata": {"name": name, "namespace": space}}


def test_the_mesh_config_is_the_one_of_its_name_else_the_first_else_the_default() -> None:
    named = mesh_config("fsm-mesh-config", "mesh", enable=True)
    first = mesh_config("a", "mesh", enable=False)
    second = mesh_config("b", "mesh", enable=False)
    assert fe.load(first, named).mesh_config.name == "fsm-mesh-config"
    assert fe.load(second, first).mesh_config.name == "a"
    assert fe.load().mesh_config == fe.MeshConfig()


# --- patches ---------------------------------------------------------------------------------------------

ON = {"spec": {"traffic": {"enableEgress": True}}}


@pytest.mark.parametrize("patch", [ON, json.dumps(ON), json.dumps(ON).encode()])
def test_a_merge_patch_changes_the_mesh_config_and_nothing_else(patch: Any) -> None:
    before = load(egress("a", "tcp 25"))
    after = before.patched(patch)
    assert not before.mesh_config.spec.traffic.enable_egress
    assert after.mesh_config.spec.traffic.enable_egress
    assert after.mesh_config.spec.traffic.enable_permissive_traffic_policy_mode
    assert after.kind(fe.EgressPolicy) is before.kind(fe.EgressPolicy)


def test_helm_keys_change_the_mesh_config() -> None:
    after = load().helm_set("fsm.enableEgress=true,fsm.outboundPortExclusionList={25,26}")
    assert after.mesh_config.spec.traffic.enable_egress
    assert after.mesh_config.spec.traffic.outbound_port_exclusion_list == (25, 26)


def test_a_mesh_without_mesh_config_gets_one_by_a_patch() -> None:
    mesh = fe.Snapshot().patched(ON)
    assert [str(resource.ref) for resource in mesh] == ["MeshConfig fsm-system/fsm-mesh-config"]


def test_a_changed_mesh_config_keeps_its_document() -> None:
    mesh = fe.loads(json.dumps(config()), "config.json").patched(ON)
    assert mesh.mesh_config.at("spec").location in {"config.json", "config.json:1"}


def test_a_changed_field_is_where_it_was_changed_and_no_other_is() -> None:
    text = json.dumps(config({"outboundPortExclusionList": [25]}), indent=1)
    mesh = fe.loads(text, "config.json")
    at = "spec.traffic.enableEgress"

    def places(changed: fe.Snapshot) -> list[str | None]:
        fields = (at, "spec.traffic", "spec.traffic.outboundPortExclusionList[0]")
        return [changed.mesh_config.at(path).location for path in fields]

    before = places(mesh)
    assert places(mesh.patched(ON)) == ["patch", *before[1:]]
    assert places(mesh.helm_set("fsm.enableEgress=true")) == ["set fsm.enableEgress=true", *before[1:]]
    assert places(mesh.helm_set("fsm.outboundPortExclusionList={26}")) == [*before[:2], "set"]
    assert mesh.patched(ON).mesh_config.at(at).mark is None
    assert places(mesh.patched({"spec": {"traffic": {"outboundPortExclusionList": [25]}}})) == before
    twice = mesh.patched(ON).helm_set("fsm.enableEgress=false").mesh_config.at(at)
    assert pickle.loads(pickle.dumps(twice)).location == "set fsm.enableEgress=false"  # noqa: S301  # because the bytes are our own
    assert fe.Snapshot().patched(ON).mesh_config.at(at).location is None


def test_what_a_change_has_wrong_is_where_it_was_changed() -> None:
    mesh = fe.loads(json.dumps(config()), "config.json")
    with pytest.raises(fe.LoadError, match=r"^<set>: MeshConfig"):
        mesh.helm_set("fsm.enableEgress=yes")


def test_a_patch_must_not_rename_the_mesh_config() -> None:
    with pytest.raises(fe.PatchError) as caught:
        load().patched({"metadata": {"name": "other"}})
    assert str(caught.value) == (
        "expected a patch of MeshConfig fsm-system/fsm-mesh-config,"
        " found one that makes it MeshConfig fsm-system/other"
    )


def test_a_patch_that_is_none_or_makes_no_mesh_config_is_refused() -> None:
    with pytest.raises(fe.PatchError):
        load().patched("[")
    with pytest.raises(fe.PatchError):
        load().helm_set("fsm.enableEgres=true")
    with pytest.raises(fe.LoadError, match=r"spec\.traffic\.enableEgress"):
        load().patched({"spec": {"traffic": {"enableEgress": 1}}})


def test_the_identities_of_a_mesh_are_those_that_something_names() -> None:
    def named(kind: str, name: str, namespace: str) -> dict[str, str]:
        return {"kind": kind, "name": name, "namespace": namespace}

    target = {
        "destination": named("ServiceAccount", "web", "shop"),
        "sources": [named("ServiceAccount", "job", "batch"), named("Group", "all", "batch")],
        "rules": [],
    }
    retry = {"source": named("ServiceAccount", "slow", "curl"), "destinations": [], "retryPolicy": {}}
    pod = random_meshes.resource("v1", "Pod", "shop", "p", spec={"serviceAccountName": "web"})
    nowhere = random_meshes.resource(
        random_meshes.FLOMESH, "Egress", "curl", "e", spec={"sources": [named("ServiceAccount", "a", "b.c")]}
    )
    mesh = load(
        egress("a", "tcp 80"),
        nowhere,
        pod,
        random_meshes.resource("v1", "ServiceAccount", "curl", "idle"),
        random_meshes.resource("access.smi-spec.io/v1alpha3", "TrafficTarget", "shop", "t", spec=target),
        random_meshes.resource(random_meshes.FLOMESH, "Retry", "curl", "r", spec=retry),
    )
    assert list(map(str, mesh.identities())) == [
        "job.batch",
        "curl.curl",
        "idle.curl",
        "slow.curl",
        "web.shop",
    ]


# --- what is worked out once -----------------------------------------------------------------------------


def test_a_question_is_answered_once_until_what_it_is_about_changes() -> None:
    asked: list[int] = []

    def ports(view: fe.Snapshot, least: int) -> tuple[int, ...]:
        asked.append(least)
        assert not len(view.kind(fe.Service))
        found = (port.number for policy in view.kind(fe.EgressPolicy) for port in policy.spec.ports)
        return tuple(port for port in found if port >= least)

    mesh = load(egress("a", "tcp 25", "tcp 80"), service("web", "http-web 80"))
    kinds = (fe.EgressPolicy,)
    assert [mesh.once(ports, kinds, 26), mesh.once(ports, kinds, 26), mesh.once(ports, kinds, 1)] == [
        (80,),
        (80,),
        (25, 80),
    ]
    others = mesh.without(*(found.ref for found in mesh.kind(fe.Service)))
    assert others.once(ports, kinds, 26) == (80,)
    assert asked == [26, 1]
    changed = mesh.with_(*fe.load(egress("a", "tcp 443")).kind(fe.EgressPolicy))
    assert changed.once(ports, kinds, 26) == (443,)
    assert mesh.once(ports, kinds, 26) == (80,)
    assert asked == [26, 1, 26]


def test_a_snapshot_is_pickled_without_its_answers() -> None:
    mesh = load(egress("a", "tcp 25"))
    size = len(pickle.dumps(mesh))
    fe.resolve(mesh, "curl.curl")
    assert len(pickle.dumps(mesh)) == size
    assert list(pickle.loads(pickle.dumps(mesh))) == list(mesh)  # noqa: S301  # because it was made here


def test_what_is_assumed_without_a_mesh_config() -> None:
    installed = fe.load(
        Path(__file__).parents[1] / "vectors" / "meshconfig-installed.json", lenient_fields=True
    )
    empty = fe.load([])
    one, other = (fe.resolve(mesh, WHO) for mesh in (empty.with_defaults("chart"), installed))
    for name in ("enable_egress", "http1_per_request_load_balancing", "http2_per_request_load_balancing"):
        assert getattr(one.spec, name) == getattr(other.spec, name)
    assert one.interception == other.interception
    chart, known = (mesh.mesh_config.spec for mesh in (empty.with_defaults("chart"), installed))
    for part, name in (
        ("traffic", "enable_permissive_traffic_policy_mode"),
        ("traffic", "service_access_mode"),
        ("traffic", "service_access_names"),
        ("feature_flags", "enable_egress_policy"),
        ("feature_flags", "enable_auto_default_route"),
        ("feature_flags", "enable_retry_policy"),
    ):
        assert getattr(getattr(chart, part), name) == getattr(getattr(known, part), name)
    assert empty.with_defaults() is empty
    assert installed.with_defaults("chart") is installed
    with pytest.raises(fe.InvalidValue):
        empty.with_defaults("helm")


def test_of_several_mesh_configs_that_of_the_control_plane_is_taken() -> None:
    def named(name: str, namespace: str) -> fe.MeshConfig:
        return fe.MeshConfig(fe.ObjectMeta(name, namespace))

    usual, other, spare = (
        named("fsm-mesh-config", "fsm-system"),
        named("fsm-mesh-config", "a"),
        named("a", "a"),
    )
    assert fe.Snapshot.of([spare, other, usual]).mesh_config == usual
    assert fe.Snapshot.of([spare, other]).mesh_config == other
    assert fe.Snapshot.of([spare]).mesh_config == spare
