"""Answers that are proofs: whose connections they are about, in words and for machines."""

from __future__ import annotations

import json
from typing import Any

import pytest
import random_meshes
from hypothesis import given, settings
from hypothesis import strategies as st
from small import WHO, config, egress, load
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.answers.proofs import counted, extent, identities_of

CURL = fe.ServiceIdentity("curl", "curl")
API = fe.ServiceIdentity("api", "shop")
OTHER, IN_SHOP = fe.AnyOtherAccount(), fe.AnyOtherAccount("shop")


def test_whose_connections_are_meant() -> None:
    mesh = load(egress("web", "tcp 443"))
    assert identities_of(None, mesh) == (CURL, OTHER)
    assert identities_of(None, mesh, mesh) == (CURL, OTHER)
    assert identities_of(WHO, mesh) == (CURL,)
    assert identities_of(CURL, mesh) == (CURL,)
    assert identities_of(["api.shop", CURL, WHO]) == (API, CURL)
    assert identities_of("any other account", mesh) == (OTHER,)
    with pytest.raises(fe.InvalidValue):
        identities_of("curl")


def test_how_much_was_looked_at() -> None:
    assert extent([CURL], 1) == "1 identity, 1 class of connections"
    assert extent([CURL, API], 12) == "2 identities, 12 classes of connections"
    assert extent([CURL, API, OTHER], 1) == "2 identities and any other account, 1 class of connections"
    assert counted([]) == "0 identities"
    assert counted([OTHER]) == "any other account"
    assert counted([CURL, IN_SHOP]) == "1 identity and any other account of shop"
    assert counted([IN_SHOP, OTHER]) == "any other account"


def test_a_proof_a_refutation_and_neither() -> None:
    mesh = load(config({"enableEgress": False}), egress("web", "tcp 443"))
    proof = fe.never(mesh, fe.Where.port(80) & fe.Where.outside())
    assert (bool(proof), proof.proven) == (True, True)
    assert proof.to_mapping()["witness"] is None
    assert repr(proof) == f"<Answer {str(proof).splitlines()[0]}>"
    assert str(proof).splitlines()[1:] == ["  for TCP over IPv4; UDP and IPv6 pass by the sidecar"]
    refuted = fe.never(mesh, fe.Where.outside())
    assert (bool(refuted), refuted.proven) == (False, False)
    assert refuted.witness is not None
    assert str(refuted.witness) == (
        "curl.curl: 192.0.2.1:443 TCP: EGRESS_POLICY (tcp_port) by Egress curl/web spec.ports[0]"
    )
    mapping = refuted.to_mapping()
    assert json.loads(json.dumps(mapping)) == mapping
    assert mapping["witness"]["identity"] == "curl.curl"
    assert [it["verdict"] for it in mapping["witness"]["decisions"]] == ["EGRESS_POLICY"]


def test_who_is_named_by_no_document_is_told() -> None:
    mesh = load(config({"enableEgress": False}), egress("web", "tcp 443"))
    nobody = fe.never(mesh, fe.Where.governed() & fe.Where.allowed(), "nobody.here").to_mapping()
    assert nobody["unnamed"] == ["no document names account nobody.here"]
    assert "unnamed" not in fe.never(mesh, fe.Where.outside(), WHO).to_mapping()


def test_equal_answers_to_a_question_that_is_asked_twice() -> None:
    mesh, outside = load(egress("web", "tcp 443")), fe.Where.outside()
    assert fe.never(mesh, outside) == fe.never(mesh, outside)
    assert fe.never(mesh, outside) != fe.never(mesh, fe.Where.allowed())


def changed(mesh: fe.Snapshot, patch: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {(it.effect, str(it.region)) for it in fe.diff(mesh, mesh.patched(patch)).changes}


@given(random_meshes.meshes(), st.sampled_from(random_meshes.SERVICE_NAMESPACES))
@settings(max_examples=examples(3))
def test_law_an_account_that_nothing_else_names_changes_no_answer(
    documents: random_meshes.Documents, space: str
) -> None:
    mesh = fe.load(documents)
    more = mesh.with_(fe.ServiceAccount(fe.ObjectMeta("unheard-of", space)))
    here = fe.AnyOtherAccount(space)
    other = here if here in fe.subjects_of(mesh) else fe.AnyOtherAccount()
    for where in (fe.Where.outside(), fe.Where.host("web"), fe.Where.port(14001)):
        assert fe.never(more, where).proven == fe.never(mesh, where).proven
    opened = {"spec": {"traffic": {"enableEgress": True}}}
    assert changed(more, opened) == changed(mesh, opened)
    assert fe.implies(more, more.patched(opened)).proven == fe.implies(mesh, mesh.patched(opened)).proven
    ways = [way.portion for way in fe.reachable(more, port=80).ways if way.identity.name == "unheard-of"]
    assert ways == [way.portion for way in fe.reachable(mesh, port=80).ways if way.identity == other]


@given(random_meshes.meshes(), st.sampled_from(random_meshes.SERVICE_NAMESPACES))
@settings(max_examples=examples(2), deadline=None)
def test_law_an_account_that_nothing_else_names_changes_no_review(
    documents: random_meshes.Documents, space: str
) -> None:
    known = fe.ServiceAccount(fe.ObjectMeta("known", "elsewhere"))  # so that the mesh tells of accounts
    mesh = fe.load(documents).with_(known)
    more = mesh.with_(fe.ServiceAccount(fe.ObjectMeta("unheard-of", space)))
    here = fe.AnyOtherAccount(space)
    other = here if here in fe.subjects_of(mesh) else fe.AnyOtherAccount()

    def amiss(snapshot: fe.Snapshot) -> set[tuple[str, str, str]]:
        found = fe.lint(snapshot, sidecar=False)
        return {(it.code.code, str(it.rule), it.message) for it in found}

    assert amiss(more) == amiss(mesh)
    opened = {"spec": {"traffic": {"enableEgress": True}}}
    assert (
        fe.equivalent(more, more.patched(opened)).proven == fe.equivalent(mesh, mesh.patched(opened)).proven
    )
    stranger = fe.ServiceIdentity("unheard-of", space)
    parts, others = fe.partition(more, stranger).portions, fe.partition(mesh, other).portions
    assert [str(it) for it in parts] == [str(it) for it in others]
    differences, rest = fe.verify(more, stranger).disagreements, fe.verify(mesh, other).disagreements
    assert [str(it) for it in differences] == [str(it) for it in rest]


def test_nobody_is_named_and_yet_something_gets_out() -> None:
    mesh = load(config({"enableEgress": True}))
    refuted = fe.never(mesh, fe.Where.outside())
    assert refuted.proven is False
    assert str(refuted.witness).startswith("any other account: 192.0.2.1:1 TCP: PASSTHROUGH (egress_enabled)")
    closed = mesh.patched({"spec": {"traffic": {"enableEgress": False}}})
    assert fe.implies(mesh, closed).proven is False
    assert fe.equivalent(mesh, closed).proven is False
    assert [list(map(str, it.identities)) for it in fe.diff(mesh, closed).changes] == [["any other account"]]
    assert fe.reachable(mesh, "54.9.9.9").headline == "to 54.9.9.9/32: any other account reaches it"
    assert fe.reachable(closed, "54.9.9.9").headline == "to 54.9.9.9/32: any other account does not reach it"
