"""What a tolerant load leaves out, and what it keeps of a MeshConfig."""

from __future__ import annotations

from typing import Any

import pytest
from random_meshes import mesh_config, resource
from small import WHO, config, egress

import fsm_egress as fe
from fsm_egress.documents import Document
from fsm_egress.manifests.losses import readable_part


def lost(*documents: Any) -> list[tuple[str, tuple[str, ...]]]:
    mesh = fe.load(list(documents), strict=False)
    return [(str(loss.ref), loss.fields) for loss in mesh.lost]


def test_each_resource_once_with_its_problems_and_place() -> None:
    head = "apiVersion: policy.flomesh.io/v1alpha1\nkind: Egress\nmetadata: {name: a}\n"
    text = f"{head}spec: {{ports: 7, hosts: 8}}\n"
    (loss,) = fe.loads(text, "a.yaml", strict=False).lost
    assert (str(loss.ref), loss.place, loss.accounts) == ("Egress default/a", "a.yaml:4", None)
    assert {problem.path for problem in loss.problems} >= {"spec.ports", "spec.hosts"}
    assert fe.load([config(), egress("a", "tcp 25")], strict=False).lost == ()


def test_texts_that_cannot_be_read_are_lost() -> None:
    (loss,) = fe.loads("a: [\n", "a.yaml", strict=False).lost
    assert (loss.ref, loss.place.partition(":")[0]) == (None, "a.yaml")
    assert bool(loss.bearing)


def test_of_two_of_one_name_both_are() -> None:
    assert lost(egress("a", "tcp 25"), egress("a", "tcp 26")) == [("Egress curl/a", ())]


@pytest.mark.parametrize(
    ("sources", "accounts"),
    [
        ([{"kind": "ServiceAccount", "name": "a", "namespace": "b"}], {("a", "b")}),
        ([{"kind": "ServiceAccount", "name": "a", "namespace": 7}], None),
        ([{"name": "a", "namespace": "b"}, "c"], None),
        ("a", None),
        ([], None),
    ],
)
def test_a_policy_concerns_the_accounts_that_its_sources_name(sources: Any, accounts: Any) -> None:
    policy = egress("a", "tcp 0")
    policy["spec"]["sources"] = sources
    (loss,) = fe.load([policy], strict=False).lost
    assert loss.accounts == accounts


def test_a_policy_whose_spec_cannot_be_read_may_concern_everybody() -> None:
    (loss,) = fe.load([{**egress("a", "tcp 0"), "spec": 7}], strict=False).lost
    assert loss.accounts is None
    (named,) = fe.load([resource("v1", "Secret", "shop", "s", data=7)], strict=False).lost
    assert named.accounts is None


# --- the MeshConfig --------------------------------------------------------------------------------------


def test_only_the_fields_of_a_mesh_config_that_cannot_be_read_are_lost() -> None:
    chains = {"outbound-tcp": [{"plugin": "modules/x", "priority": "199", "disable": False}]}
    wrong = config({"enableEgress": True, "outboundPortExclusionList": [443, "80"]}, pluginChains=chains)
    mesh = fe.load([wrong], strict=False)
    assert mesh.mesh_config.spec.traffic.enable_egress
    assert mesh.mesh_config.spec.traffic.outbound_port_exclusion_list == ()
    assert mesh.refused == ()
    fields = ("spec.traffic.outboundPortExclusionList", "spec.pluginChains.outbound-tcp")
    assert [(str(loss.ref), set(loss.fields)) for loss in mesh.lost] == [
        ("MeshConfig fsm-system/fsm-mesh-config", set(fields))
    ]
    with pytest.raises(fe.LoadError):
        fe.load([wrong])


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"traffic": 7}, ("spec.traffic",)),
        ({"traffic": {"enableEgress": "yes"}}, ("spec.traffic.enableEgress",)),
        ({"pluginChains": {"inbound-tcp": [{"priority": 1}]}}, ("spec.pluginChains.inbound-tcp",)),
        ({"trafic": {}}, ("spec.trafic",)),
    ],
)
def test_a_field_is_left_out_with_all_below_it(spec: Any, fields: tuple[str, ...]) -> None:
    assert lost(mesh_config("v1alpha3", spec)) == [("MeshConfig fsm-system/fsm-mesh-config", fields)]


def test_what_is_missing_is_left_out_with_what_should_hold_it() -> None:
    value = config({"enableEgress": True})
    missing = fe.Problem("a number", path="spec.featureFlags.gone.deeper")
    both = (missing, fe.Problem("a flag", path="spec.featureFlags"))
    kept, fields = readable_part(Document("a", value, {}), value, "", None, both, lenient_fields=False)
    assert isinstance(kept, fe.MeshConfig)
    assert (kept.spec.traffic.enable_egress, fields) == (True, ("spec.featureFlags",))


def test_a_field_may_be_gone_with_what_held_it() -> None:
    value = config({"enableEgress": True})
    both = (
        fe.Problem("a flag", path="spec.traffic.enableEgress"),
        fe.Problem("a mapping", path="spec.traffic"),
        fe.Problem("a network", path="spec", severity=fe.Severity.WARNING),
    )
    for problems in (both, both[::-1]):
        kept, fields = readable_part(
            Document("a", value, {}), value, "", None, problems, lenient_fields=False
        )
        assert isinstance(kept, fe.MeshConfig)
        assert fields == ("spec.traffic", "spec.traffic.enableEgress")


def test_a_mesh_config_of_a_version_that_nobody_knows_is_lost() -> None:
    unknown = {**config(), "apiVersion": "config.flomesh.io/v9"}
    assert lost(unknown) == [("MeshConfig fsm-system/fsm-mesh-config", ())]
    mesh = fe.load([unknown], strict=False)
    assert fe.never(mesh, fe.Where.outside()).proven is None


def test_what_a_field_lacks_is_left_out_with_the_field() -> None:
    unnamed = {**config(), "metadata": {"namespace": "fsm-system"}}
    (loss,) = fe.load([unnamed], strict=False).lost
    assert (loss.fields, bool(loss.bearing)) == ((), True)
    assert lost({**config(), "spec": 7}) == [("MeshConfig fsm-system/fsm-mesh-config", ("spec",))]


def test_a_field_is_lost_in_a_list_of_resources_too() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [config({"enableEgress": 7})]}
    assert lost(listed) == [("MeshConfig fsm-system/fsm-mesh-config", ("spec.traffic.enableEgress",))]


# --- what becomes of it ----------------------------------------------------------------------------------


def test_an_engine_is_compiled_from_what_is_left_only_where_that_is_asked_for() -> None:
    mesh = fe.load([config(), egress("a", "tcp 0"), egress("b", "tcp 25")], strict=False)
    with pytest.raises(fe.IncompleteMesh, match="a port number from 1 to 65535"):
        fe.compile(mesh, WHO)
    engine = fe.compile(mesh, WHO, incomplete=True)
    sent = fe.tcp("54.9.9.9", 25)
    decision = engine.classify(sent)
    assert decision.without == mesh.lost
    assert engine.classify(sent) is engine.classify_many([sent])[0] is decision
    assert decision.to_mapping(sent)["without"] == [mesh.lost[0].to_mapping()]
    assert "decided without" in [row[0] for row in decision.table().rows]
    other = fe.compile(mesh, "other.shop").classify(sent)
    assert other.without == ()
    assert "without" not in other.to_mapping(sent)


def test_a_workload_follows_a_mesh_that_is_read_whole() -> None:
    whole = fe.load([config(), egress("b", "tcp 25")])
    broken = fe.load([config(), egress("b", "tcp 25"), egress("a", "tcp 0")], strict=False)
    workload = fe.Workload.of(whole, WHO)
    with pytest.raises(fe.IncompleteMesh):
        workload.after(broken)
    assert workload.after(whole.with_(*fe.load([egress("a", "tcp 26")]))).policy.lost == ()


def test_what_takes_the_place_of_a_lost_resource_is_no_loss() -> None:
    mesh = fe.load([config({"enableEgress": 7}), egress("a", "tcp 0")], strict=False)
    good = fe.load([egress("a", "tcp 25")])
    assert [str(loss.ref) for loss in mesh.with_(*good).lost] == ["MeshConfig fsm-system/fsm-mesh-config"]
    patched = mesh.patched({"spec": {"traffic": {"enableEgress": True}}})
    assert patched.lost == mesh.lost  # a patch does not say the rest of what could not be read
    assert mesh != fe.load([config({"enableEgress": False}), egress("a", "tcp 0")], strict=False)
