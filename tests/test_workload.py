"""A workload that follows a mesh is the one that would be made anew, and keeps whatever has not changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import random_meshes
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from pods import pod
from small import WHO, config, egress, load, routes, service, whole

import fsm_egress as fe
from fsm_egress.engine import Engine
from fsm_egress.pipy.matches import group_matches
from fsm_egress.policy import Interception

Mesh = list[dict[str, Any]]
Case = tuple[Mesh, str, Mesh]
CURL = fe.ServiceIdentity.parse(WHO)
OTHER = {"kind": "ServiceAccount", "name": "wget", "namespace": "curl"}


def policies_of(mesh: fe.Snapshot) -> dict[fe.ResourceRef, fe.EgressPolicy]:
    return {policy.ref: policy for policy in mesh.kind(fe.EgressPolicy)}


def same(one: fe.Workload, other: fe.Workload, connections: Mesh) -> bool:
    """Whether two workloads mean the same."""
    made = [fe.Connection.from_mapping(connection) for connection in connections]
    return (
        one.policy == other.policy
        and one.config == other.config
        and list(map(whole, one.engine.classify_many(made)))
        == list(map(whole, other.engine.classify_many(made)))
    )


@given(random_meshes.cases(24), random_meshes.meshes(), st.randoms(use_true_random=False))
def test_law_a_workload_that_follows_is_the_one_made_anew(case: Case, others: Mesh, random: Any) -> None:
    mesh, identity, connections = case
    before = fe.load(mesh)
    workload = fe.Workload.of(before, identity)
    ours, theirs = policies_of(before), policies_of(fe.load(others))
    for _ in range(3):
        gone = random.sample(sorted(ours), min(len(ours), random.randint(0, 2)))
        put = random.sample(sorted(theirs), min(len(theirs), random.randint(0, 2)))
        after = before.without(*gone).with_(*(theirs[ref] for ref in put))
        following = workload.after(after)
        assert same(following, fe.Workload.of(fe.Snapshot.of(after), identity), connections)
        assert policies_of(after) == policies_of(fe.Snapshot.of(after))
        assert after.kind(fe.EgressPolicy).sources == fe.Snapshot.of(after).kind(fe.EgressPolicy).sources
        before, workload, ours = after, following, policies_of(after)


@given(random_meshes.cases(24), random_meshes.meshes())
def test_law_a_workload_follows_any_other_mesh(case: Case, others: Mesh) -> None:
    mesh, identity, connections = case
    kinds = {"Pod", "Deployment"}  # those stay, as it may be one of them that is asked for
    stay = [document for document in mesh if document["kind"] in kinds]
    other = fe.load(stay, [document for document in others if document["kind"] not in kinds])
    workload = fe.Workload.of(fe.load(mesh), identity)
    assert same(workload.after(other), fe.Workload.of(other, identity), connections)


MESH = load(
    config({"outboundPortExclusionList": [9000]}),
    service("web", "http-web 80"),
    egress("a", "tcp 25", ipAddresses=["54.0.0.0/8"]),
    egress("b", "http 80", "tcp 9000", hosts=["a.com"], matches=[]),
    egress("other", "tcp 25", sources=[OTHER]),
    routes("r", {"pathRegex": "/x"}),
)


def test_an_identity_that_no_changed_policy_names_keeps_its_objects() -> None:
    workload = fe.Workload.of(MESH, CURL)
    changed = fe.load(egress("other", "tcp 443", sources=[OTHER])).kind(fe.EgressPolicy)
    assert workload.after(MESH.with_(*changed)) is workload
    assert workload.after(MESH.without(*(policy.ref for policy in changed))) is workload
    assert workload.after(fe.Snapshot.of(MESH)) is not workload


def test_a_port_that_no_changed_policy_opens_keeps_its_objects() -> None:
    workload = fe.Workload.of(MESH, CURL)
    changed = fe.load(egress("a", "tcp 26")).kind(fe.EgressPolicy)
    after = workload.after(MESH.with_(*changed))
    assert [port.port for port in after.policy.ports] == [26, 80, 9000]
    assert after.policy.ports[1] is workload.policy.ports[0 + 1]
    request = fe.http("54.9.9.9", 80, "GET", "a.com/")
    assert after.engine.classify(request) is workload.engine.classify(request)
    assert after.engine.classify(fe.tcp("54.9.9.9", 25)) is workload.engine.classify(fe.tcp("54.9.9.9", 1))
    assert after.engine.classify(fe.tcp("54.9.9.9", 9000)).reason is fe.Reason.NOT_INTERCEPTED
    assert after.engine.classify(fe.tcp("54.9.9.9", 26)).verdict is fe.Verdict.EGRESS_POLICY


def test_a_finding_about_a_policy_of_others_makes_a_new_policy_of_the_same_ports() -> None:
    workload = fe.Workload.of(MESH, CURL)
    odd = fe.load(egress("odd", "tcp 25", sources=[{**OTHER, "kind": "Group"}])).kind(fe.EgressPolicy)
    after = workload.after(MESH.with_(*odd))
    assert [finding.code.code for finding in after.policy.findings if "Group" in finding.message] == [
        "FSE003"
    ]
    assert all(a is b for a, b in zip(after.policy.ports, workload.policy.ports, strict=True))
    assert after.config == workload.config


def test_what_is_carried_stays() -> None:
    workload = fe.Workload.of(MESH, WHO, {"Inbound": {"TrafficMatches": {}}})
    changed = fe.load(egress("a", "tcp 26")).kind(fe.EgressPolicy)
    after = workload.after(MESH.with_(*changed))
    assert json.loads(after.config.to_json())["Inbound"] == {"TrafficMatches": {}}
    with pytest.raises(fe.InvalidValue, match="`Nothing`"):
        fe.Workload.of(MESH, WHO, {"Nothing": 1})


def test_a_workload_names_itself() -> None:
    workload = fe.Workload.of(MESH, WHO)
    assert workload.identity == CURL
    assert repr(workload) == f"<Workload curl.curl: 3 ports, config {workload.config.version}>"


def test_tables_of_another_identity_are_no_start() -> None:
    policy, other = fe.resolve(MESH, WHO), fe.resolve(MESH, "wget.curl")
    engine = Engine.compile(policy).recompiled(policy, other)
    assert engine.identity == other.identity
    assert engine.classify(fe.tcp("54.9.9.9", 80)).reason is fe.Reason.EGRESS_DISABLED


ANYWHERE = fe.FieldRef(fe.ResourceRef("MeshConfig", "fsm-system", "fsm-mesh-config"), "spec.traffic")


@pytest.mark.parametrize(
    "changed",
    [
        {"identity": fe.ServiceIdentity("wget", "curl")},
        {"interception": Interception(excluded_ports=((25, ANYWHERE),))},
        {"clusters": ()},
        {"spec": "opened"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_else_of_a_policy_changes_no_table_of_a_port_stays(changed: dict[str, Any]) -> None:
    before = fe.resolve(load(egress("a", "tcp 25"), service("db", "tcp-x 3306")), WHO)
    opened = {"spec": evolve(before.spec, enable_egress=True)}
    after = evolve(before, **(opened if changed == {"spec": "opened"} else changed))
    assert all(a is b for a, b in zip(before.ports, after.ports, strict=True))
    engine = Engine.compile(before).recompiled(before, after)
    for connection in (fe.tcp("10.96.0.1", 3306), fe.tcp("54.9.9.9", 25), fe.tcp("54.9.9.9", 26)):
        assert whole(engine.classify(connection)) == whole(Engine.compile(after).classify(connection))
    assert engine.identity == after.identity


def test_a_workload_of_pods_that_differ_has_a_config_and_no_engine() -> None:
    alike, unlike = load(pod("a")), load(pod("a"), pod("b", sidecar_injection="no"))
    workload = fe.Workload.of(alike, WHO)
    apart = workload.after(unlike)
    assert apart.config == workload.config == fe.Workload.of(unlike, WHO).config
    with pytest.raises(fe.InvalidValue, match="not intercepted alike"):
        _ = apart.engine
    connection = fe.tcp("54.9.9.9", 25)
    found = apart.after(alike).engine.classify(connection)
    assert whole(found) == whole(workload.engine.classify(connection))
    assert apart.after(unlike) is apart
    changed = apart.after(unlike.with_(*load(egress("e", "tcp 25")).kind(fe.EgressPolicy)))
    with pytest.raises(fe.InvalidValue, match="not intercepted alike"):
        _ = changed.engine


def test_a_workload_without_a_sidecar_follows_too() -> None:
    bare = load(egress("e", "tcp 25"), egress("f", "tcp 26"), pod("a", sidecar_injection="no"))
    changed = bare.without(fe.ResourceRef("Egress", "curl", "f"))
    following = fe.Workload.of(bare, WHO).after(changed)
    assert following.engine.classify(fe.tcp("54.9.9.9", 25)).reason is fe.Reason.NO_SIDECAR
    assert following.config == fe.Workload.of(changed, WHO).config


def test_groups_of_claims_that_stay_are_the_same_objects_and_are_not_written_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ranges = [egress(f"e{at}", "tcp 25", ipAddresses=[f"54.{at}.0.0/16"]) for at in range(9)]
    named = egress("named", "https 25", "http 25", hosts=["a.com"], matches=[])
    mesh = load(*ranges, named)
    workload = fe.Workload.of(mesh, CURL)
    written: list[Any] = []

    def noted(group: Any, *rest: Any) -> Any:
        written.append(group)
        return group_matches(group, *rest)

    monkeypatch.setattr("fsm_egress.pipy.config.group_matches", noted)
    changed = load(egress("e3", "tcp 25", ipAddresses=["54.30.0.0/16"])).kind(fe.EgressPolicy)
    after = workload.after(mesh.with_(*changed))
    (before,), (port,) = workload.policy.ports, after.policy.ports
    fresh = [group for group in port.groups if not any(group is it for it in before.groups)]
    assert [str(group.prefixes[0]) for group in fresh] == ["54.30.0.0/16"]
    assert written == fresh
    assert port.clusters[0] is before.clusters[0]
    assert after.config == fe.Workload.of(fe.Snapshot.of(mesh.with_(*changed)), CURL).config
