"""The policy of a port is resolved once for all who reach and claim the same there."""

from __future__ import annotations

from typing import Any

import random_meshes
from hypothesis import given, settings
from small import config, egress, load
from thoroughness import examples

import fsm_egress as fe

NAMES = ("a", "b")


def _mesh(*more: dict[str, Any], **flags: bool) -> fe.Snapshot:
    policy = egress("out", "http 80", hosts=["api.shop"])
    policy["spec"]["sources"] = [
        {"kind": "ServiceAccount", "name": name, "namespace": "shop"} for name in NAMES
    ]
    return load(config({"enableEgress": False}, featureFlags=dict(flags)), policy, *more)


def _ports(mesh: fe.Snapshot) -> tuple[object, object]:
    one, other = (fe.resolve(mesh, f"{name}.shop").ports[0] for name in NAMES)
    return one, other


def test_accounts_that_claim_the_same_share_the_policy_of_a_port() -> None:
    one, other = _ports(_mesh())
    assert one is other


def test_retries_are_said_of_an_account() -> None:
    retry = {
        "apiVersion": "policy.flomesh.io/v1alpha1",
        "kind": "Retry",
        "metadata": {"name": "again", "namespace": "shop"},
        "spec": {
            "source": {"kind": "ServiceAccount", "name": "a", "namespace": "shop"},
            "destinations": [{"kind": "Service", "name": "api", "namespace": "shop"}],
            "retryPolicy": {
                "retryOn": "5xx",
                "numRetries": 2,
                "perTryTimeout": "1s",
                "retryBackoffBaseInterval": "1s",
            },
        },
    }
    mesh = _mesh(retry, enableRetryPolicy=True)
    retried = [fe.resolve(mesh, f"{name}.shop").ports[0].clusters[0].retry_policy for name in (*NAMES, "a")]
    assert [it is None for it in retried] == [False, True, False]


def test_what_another_claims_is_not_taken_for_it() -> None:
    mesh = _mesh()
    changed = mesh.without(next(it.ref for it in mesh if it.kind == "Egress"))
    assert [len(fe.resolve(it, "a.shop").ports) for it in (mesh, changed, mesh)] == [1, 0, 1]


def test_a_policy_that_was_moved_in_its_file_has_its_new_line() -> None:
    text = (
        "{kind: Egress, apiVersion: policy.flomesh.io/v1alpha1,\n"
        "metadata: {name: out, namespace: shop}, spec: {\n"
        "sources: [{kind: ServiceAccount, name: a, namespace: shop}], hosts: [api.shop],\n"
        "ports: [{number: 80, protocol: http}]}}"
    )
    mesh = fe.load(text)
    assert _line(mesh) == "<text>:4"  # what is known of it goes on to what it is changed into
    assert _line(mesh.with_(*fe.load(f"# moved\n\n{text}"))) == "<text>:6"
    assert _line(mesh) == "<text>:4"


def _line(mesh: fe.Snapshot) -> str | None:
    return fe.resolve(mesh, "a.shop").ports[0].groups[0].claims[0].rule.location


@settings(max_examples=examples(40))
@given(random_meshes.meshes_and_more(), random_meshes.identities(), random_meshes.identities())
def test_law_who_was_resolved_before_has_no_say(mesh: Any, one: Any, other: Any) -> None:
    shared = fe.load(mesh)
    first, *_ = random_meshes.subjects_of(mesh, one)
    second, *_ = random_meshes.subjects_of(mesh, other)
    fe.resolve(shared, first)
    assert fe.resolve(shared, second) == fe.resolve(fe.load(mesh), second)
