"""Whom the answers about a mesh look at, and that nobody else is governed otherwise."""

from __future__ import annotations

import pytest
import random_meshes
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import account, resource
from small import config, egress, load, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.manifests.unread import Unread
from fsm_egress.resolution.everyone import may_name_more, unnamed

SPACES = (*random_meshes.SERVICE_NAMESPACES, "batch", "nowhere")


def subjects(mesh: fe.Snapshot) -> list[str]:
    return list(map(str, fe.subjects_of(mesh)))


@given(random_meshes.meshes(), st.sampled_from(SPACES))
@settings(max_examples=examples(60))
def test_law_an_account_that_nothing_names_is_governed_as_any_other(
    documents: random_meshes.Documents, space: str
) -> None:
    mesh = fe.load(documents)
    unheard = fe.ServiceIdentity("unheard-of", space)
    here = fe.AnyOtherAccount(space)
    other = here if here in fe.subjects_of(mesh) else fe.AnyOtherAccount()
    assert fe.resolve(mesh, unheard) == evolve(fe.resolve(mesh, other), identity=unheard)


def test_those_who_are_named_and_any_other_account() -> None:
    assert subjects(fe.load([config()])) == ["any other account"]
    assert subjects(load(egress("a", "tcp 25"))) == ["curl.curl", "any other account"]


def test_an_account_with_services_of_its_own_namespace_has_shorter_names_for_them() -> None:
    web = service("web", "http-web 80")
    everyone = ["any other account of shop", "any other account"]
    assert subjects(load(*web)) == everyone
    anywhere = config({"serviceAccessNames": {"mustWithNamespace": False}})
    closed = config({"enablePermissiveTrafficPolicyMode": False})
    for mesh in (
        load(service("web", "tcp-web 80")),  # no request is asked for its Host
        load(config({"serviceAccessMode": "ip"}), *web),
        load(anywhere, *web),
        load(closed, *web),
    ):
        assert subjects(mesh) == ["any other account"]
    host = fe.http("10.96.0.1", 80, "GET", "http://web/")
    mesh = load(*web)
    assert fe.compile(mesh, "any other account of shop").classify(host).verdict is fe.Verdict.IN_MESH
    assert fe.compile(mesh, "any other account").classify(host).verdict is fe.Verdict.DENIED


def test_accounts_come_by_namespace_and_name_and_any_other_ones_behind_them() -> None:
    spaces = [f"s{number}" for number in range(9)]
    web = [service("web", "http-web 80", space=space) for space in reversed(spaces)]
    sources = [account(f"{name}.{space}") for name in "ba" for space in ("s8", "s1")]
    assert subjects(load(*web, egress("a", "tcp 25", sources=sources))) == [
        *(f"{name}.{space}" for space in ("s1", "s8") for name in "ab"),
        *(f"any other account of {space}" for space in spaces),
        "any other account",
    ]


def test_a_traffic_target_names_its_sources_whatever_their_kind() -> None:
    sources = [
        {"kind": "Group", "name": "all", "namespace": "batch"},
        {"kind": "ServiceAccount", "name": "nobody"},  # of no namespace
    ]
    destination = {"kind": "ServiceAccount", "name": "web", "namespace": "shop"}
    spec = {"destination": destination, "sources": sources, "rules": []}
    target = resource("access.smi-spec.io/v1alpha3", "TrafficTarget", "shop", "t", spec=spec)
    assert subjects(load(target)) == ["all.batch", "any other account"]
    assert load(target).identities() == ()


def test_of_several_meshes_all_are_meant() -> None:
    one, other = load(egress("a", "tcp 25")), load(service("web", "http-web 80"))
    both = ["curl.curl", "any other account of shop", "any other account"]
    assert list(map(str, fe.subjects_of(one, other))) == both


def test_the_accounts_of_a_policy_that_could_not_be_read_are_looked_at() -> None:
    sources = [{"name": name, "namespace": "shop"} for name in ("cart", "no account")]
    mesh = fe.load([config(), egress("a", "tcp 0", sources=sources)], strict=False)
    assert subjects(mesh) == ["cart.shop", "any other account"]


# --- whom no document names ------------------------------------------------------------------------------


def test_a_slip_of_the_pen_is_told_with_what_is_most_like_it() -> None:
    mesh = load(egress("a", "tcp 25"))
    slip, strange = (fe.ServiceIdentity.parse(text) for text in ("crul.curl", "x.far-away"))
    found = unnamed([slip, strange, fe.ServiceIdentity("curl", "curl"), fe.AnyOtherAccount()], mesh)
    assert list(map(str, found)) == [
        "no document names account crul.curl; nearest: curl.curl",
        "no document names account x.far-away",
    ]
    assert unnamed([slip], mesh, load(egress("b", "tcp 25", sources=[account("crul.curl")]))) == ()
    engine = fe.compile(mesh, "crul.curl")
    assert engine.unnamed == found[0]
    assert fe.compile(mesh, "curl.curl").unnamed is None


def test_a_source_of_a_traffic_target_is_named() -> None:
    spec = {
        "destination": account("web.shop"),
        "sources": [{"kind": "Group", "name": "all", "namespace": "batch"}],
        "rules": [],
    }
    target = resource("access.smi-spec.io/v1alpha3", "TrafficTarget", "shop", "t", spec=spec)
    assert unnamed([fe.ServiceIdentity("all", "batch")], load(target)) == ()


@pytest.mark.parametrize(
    ("lost", "is_so"),
    [
        ([], False),
        ([Unread("Egress", "no")], True),
        ([Unread("Service", "no")], False),
        ([Unread("Egress", "no", "curl", "a")], False),
        ([Unread("Service", "no"), Unread("Egress", "no")], True),
        ([Unread("Egress", "no", "curl", "a"), Unread("Service", "no", "curl", "a")], False),
    ],
)
def test_what_is_lost_may_name_more_if_it_is_all_of_a_kind_that_names_accounts(
    lost: list[Unread], *, is_so: bool
) -> None:
    mesh = fe.load([config(), *(it.to_mapping() for it in lost)], strict=False)
    assert may_name_more(load(), mesh) is is_so


def test_a_text_that_is_lost_may_name_more() -> None:
    mesh = fe.load([config(), {"kind": "Egress"}, Unread("Service", "no").to_mapping()], strict=False)
    assert None in [loss.ref for loss in mesh.lost]
    assert may_name_more(mesh)


def test_every_answer_says_whom_no_document_names() -> None:
    mesh = load(egress("a", "tcp 25"))
    where, slip = fe.Where.outside(), "crul.curl"
    for answer in (
        fe.never(mesh, where, slip),
        fe.never(mesh.patched({"spec": {"traffic": {"enableEgress": True}}}), where, slip),
        fe.implies(mesh, mesh, slip),
        fe.diff(mesh, mesh, slip),
        fe.reachable(mesh, identities=slip),
        fe.partition(mesh, slip),
        fe.residual(mesh, slip, fe.Partial(port=25)),
    ):
        note = "no document names account crul.curl; nearest: curl.curl"
        assert answer.to_mapping()["unnamed"] == [note] == list(map(str, answer.unnamed))
    assert "unnamed" not in fe.never(mesh, where, "curl.curl").to_mapping()


def test_the_name_that_fsm_gives_an_account_is_read_as_it_is_meant() -> None:
    assert str(fe.ServiceIdentity.parse("checkout.shop.cluster.local")) == "checkout.shop"
    assert str(fe.ServiceIdentity.parse("shop.cluster.local")) == "shop.cluster.local"
