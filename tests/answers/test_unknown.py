"""No answer is proven that hangs on a document which could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pods import pod
from small import WHO, config, egress, load, whole
from thoroughness import examples

import fsm_egress as fe

if TYPE_CHECKING:
    from random import Random

BAD: dict[str, list[Any]] = {"?": []}  # no field takes it
WHERES = (fe.Where.outside(), fe.Where.allowed() & fe.Where.port(25), fe.Where.verdict("DENIED"))


def damaged(random: Random, document: random_meshes.Document) -> random_meshes.Document:
    """The document with one field that cannot be read."""

    def leaf(value: Any) -> Any:
        if isinstance(value, dict) and value:
            key = random.choice(sorted(value))
            return {**value, key: leaf(value[key])}
        if isinstance(value, list) and value:
            return [leaf(value[0]), *value[1:]]
        return BAD

    part = "spec" if document.get("spec") else "metadata"
    return {**document, part: leaf(document[part])}


@given(random_meshes.meshes(), st.sampled_from(WHERES), st.randoms(use_true_random=False), st.integers(1, 3))
@settings(max_examples=examples(12))
def test_law_nothing_is_proven_that_is_refuted_by_what_was_lost(
    documents: random_meshes.Documents, where: fe.Where, random: Random, count: int
) -> None:
    broken = list(documents)
    for index in random.sample(range(len(documents)), min(count, len(documents))):
        broken[index] = damaged(random, documents[index])
    whole, rest = fe.load(documents), fe.load(broken, strict=False)
    assume(rest.lost)
    opened = {"spec": {"traffic": {"enableEgress": True}}}
    if fe.never(rest, where).proven:
        assert fe.never(whole, where).proven
    if fe.implies(rest, rest.patched(opened)).proven:
        assert fe.implies(whole, whole.patched(opened)).proven
    if fe.equivalent(rest, rest.patched(opened)).proven:
        assert fe.equivalent(whole, whole.patched(opened)).proven
    found = fe.diff(rest, rest.patched(opened))
    if not found.changes and not found.undecided:
        assert not fe.diff(whole, whole.patched(opened)).changes
    reached = fe.reachable(rest, port=25)
    if not reached.undecided:
        assert reached.accounts == fe.reachable(whole, port=25, identities=reached.identities).accounts


@given(random_meshes.meshes(), random_meshes.identities(), st.randoms(use_true_random=False))
@settings(max_examples=examples(6))
def test_law_what_is_said_of_one_identity_stands_or_is_not_decided(
    documents: random_meshes.Documents, who: str, random: Random
) -> None:
    index = random.randrange(len(documents))
    broken = [*documents[:index], damaged(random, documents[index]), *documents[index + 1 :]]
    whole, rest = fe.load(documents), fe.load(broken, strict=False)
    assume(rest.lost)
    parts = fe.partition(rest, who)
    if not parts.undecided:
        allowed = [str(it.region) for it in parts.portions if it.decision.allowed]
        again = fe.partition(whole, who).portions
        assert allowed == [str(it.region) for it in again if it.decision.allowed]
    if fe.verify(rest, who).agreed:
        assert fe.verify(whole, who).agreed


def test_every_answer_says_what_it_was_given_without() -> None:
    mesh = fe.load([config({"enableEgress": False}), egress("a", "tcp 0")], strict=False)
    reason = str(mesh.lost[0])
    outside = fe.Where.outside()
    answers = (fe.never(mesh, outside), fe.implies(mesh, mesh), fe.equivalent(mesh, mesh))
    assert [answer.proven for answer in answers] == [None, None, None]
    for found in (
        *answers,
        fe.diff(mesh, mesh),
        fe.reachable(mesh),
        fe.partition(mesh, WHO),
        fe.residual(mesh, WHO, fe.Partial(port=25)),
    ):
        assert [(it.reason, list(map(str, it.identities))) for it in found.undecided] == [(reason, [WHO])]
        assert reason in str(found)
    assert fe.diff(mesh, mesh)
    assert fe.residual(mesh, WHO, fe.Partial(port=25)).allowed is None
    verification = fe.verify(mesh, WHO)
    assert not verification.agreed
    assert reason in [it.reason for it in verification.undecided]
    assert fe.never(mesh, outside, "any other account").proven
    assert fe.partition(mesh, "any other account").undecided == ()


def test_a_refutation_stands() -> None:
    mesh = fe.load([config({"enableEgress": True}), egress("a", "tcp 0")], strict=False)
    assert fe.never(mesh, fe.Where.outside()).proven is False


@pytest.mark.parametrize(("changed", "proven"), [(fe.never, True), (fe.implies, True), (fe.equivalent, None)])
def test_where_it_only_leads_elsewhere_what_is_allowed_is_known(changed: Any, proven: bool | None) -> None:
    gateway = random_meshes.resource(random_meshes.FLOMESH, "EgressGateway", "shop", "g", spec={"global": 7})
    mesh = fe.load([config({"enableEgress": False}), gateway], strict=False)
    assert changed(mesh, fe.Where.outside() if changed is fe.never else mesh).proven is proven


def test_what_bears_on_nothing_is_no_matter() -> None:
    account = random_meshes.resource("v1", "ServiceAccount", "shop", "a", metadata={"name": 7})
    sidecar = config({"enableEgress": False}, sidecar={"logLevel": 7})
    mesh = fe.load([sidecar, account], strict=False)
    assert len(mesh.lost) == 2
    assert fe.never(mesh, fe.Where.outside())
    found, expected = (
        fe.compile(it, WHO).classify(fe.tcp("54.9.9.9", 25))
        for it in (mesh, load(config({"enableEgress": False})))
    )
    assert whole(found) == whole(expected)


NODES = config({"interceptionMode": "NodeLevel", "enableEgress": False})
ON_NODES = "the mesh intercepts on the nodes (`NodeLevel`): no sidecar is in the pod"


def test_of_pods_that_the_node_intercepts_nothing_is_proven() -> None:
    mesh = load(NODES, egress("e", "tcp 25"))
    closed, opened = fe.Where.port(80), fe.Where.port(25) & fe.Where.verdict("EGRESS_POLICY")
    answers = [fe.never(mesh, where) for where in (closed, opened)]
    later = mesh.without(fe.ResourceRef("Egress", "curl", "e"))
    answers += [ask(mesh, later) for ask in (fe.implies, fe.equivalent)]
    assert [answer.proven for answer in answers] == [None] * 4
    divided, reached = fe.partition(mesh, WHO), fe.reachable(mesh, port=25)
    undecided = [*(it.undecided for it in answers), fe.diff(mesh, later).undecided]
    for found in (*undecided, divided.undecided, reached.undecided):
        assert [it.reason for it in found] == [ON_NODES]
    residual = fe.residual(mesh, WHO, fe.Partial(port=25))
    assert (residual.decision, residual.allowed) == (None, None)
    verified = fe.verify(mesh, WHO)
    assert not verified.agreed
    assert [str(it) for it in verified.undecided] == [f"192.0.2.1:80 TCP: not decided: {ON_NODES}"]
    assert not [it for it in fe.lint(mesh) if it.code is fe.Code.NOT_DECIDED]


@pytest.mark.parametrize("ask", [fe.implies, fe.equivalent])
def test_nothing_is_refuted_by_a_mesh_in_which_nothing_is_known(ask: Any) -> None:
    known = load(config({"enableEgress": True}))
    mesh = load(NODES)
    for pair in ((known, mesh), (mesh, known)):
        assert ask(*pair).proven is None


def test_pods_with_a_sidecar_or_without_any_are_proven_in_such_a_mesh_too() -> None:
    running = pod("a", "10.244.0.9", None, "sidecar")
    bare = pod("b", sidecar_injection="no")
    mesh = load(NODES, running, bare, pod("c"))
    where = fe.Where.allowed() & fe.Where.port(80)
    proven = {str(who): fe.never(mesh, where, [who]).proven for who in fe.kinds_of_pods(WHO, mesh)}
    assert proven == {"pod/a.curl": True, "pod/b.curl": False, "pod/c.curl": None}
