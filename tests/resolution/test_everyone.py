"""Whom the answers about a mesh look at, and that nobody else is governed otherwise."""

from __future__ import annotations

import random_meshes
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import resource
from small import config, egress, load, service

import fsm_egress as fe

SPACES = (*random_meshes.SERVICE_NAMESPACES, "batch", "nowhere")


def subjects(mesh: fe.Snapshot) -> list[str]:
    return list(map(str, fe.subjects_of(mesh)))


@given(random_meshes.meshes(), st.sampled_from(SPACES))
@settings(max_examples=60)
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
