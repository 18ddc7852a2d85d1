"""Pods and the templates of pods, in one form."""

from __future__ import annotations

from typing import Any

import pytest
from small import load

import fsm_egress as fe
from fsm_egress.interception.hosts import hosts_of
from fsm_egress.interception.kinds import kinds_of
from fsm_egress.manifests.manifest import structure
from fsm_egress.manifests.writing import to_mapping

Wire = dict[str, Any]
TEMPLATE: Wire = {
    "metadata": {"labels": {"app": "cart"}, "annotations": {"a": "b"}},
    "spec": {"serviceAccountName": "cart", "hostNetwork": True, "containers": [{"name": "c", "image": "x"}]},
}
JOB = {"jobTemplate": {"spec": {"template": TEMPLATE}}, "schedule": "@daily"}


def made(kind: str, version: str, spec: Wire, **metadata: Any) -> Wire:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "cart", "namespace": "shop", **metadata},
        "spec": spec,
        "status": {"replicas": 1},
    }


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (made("Deployment", "apps/v1", {"template": TEMPLATE, "replicas": 2}), "spec.template.spec"),
        (made("StatefulSet", "apps/v1", {"template": TEMPLATE}), "spec.template.spec"),
        (made("DaemonSet", "apps/v1", {"template": TEMPLATE}), "spec.template.spec"),
        (made("ReplicaSet", "apps/v1", {"template": TEMPLATE}), "spec.template.spec"),
        (made("ReplicationController", "v1", {"template": TEMPLATE}), "spec.template.spec"),
        (made("Rollout", "argoproj.io/v1alpha1", {"template": TEMPLATE}), "spec.template.spec"),
        (made("Job", "batch/v1", {"template": TEMPLATE}), "spec.template.spec"),
        (made("CronJob", "batch/v1", JOB), "spec.jobTemplate.spec.template.spec"),
    ],
)
def test_what_makes_pods_has_a_template(document: Wire, field: str) -> None:
    (host,) = hosts_of(load(document))
    assert host.name == f"{document['kind'].lower()}/cart"
    assert host.namespace == "shop"
    assert host.account == ("cart", "shop")
    assert (host.labels["app"], host.annotations["a"]) == ("cart", "b")
    assert host.spec.host_network
    assert (host.own, host.is_running) == ((), False)
    assert str(host.at("spec")) == f"{document['kind']} shop/cart {field}"
    assert to_mapping(structure(document)) == document


def test_what_something_else_made_is_that_one_s() -> None:
    owners = [{"kind": "Deployment", "name": "cart"}]
    owned = made("ReplicaSet", "apps/v1", {"template": TEMPLATE}, ownerReferences=owners)
    assert hosts_of(load(owned)) == ()


def test_the_pods_of_a_rollout_that_refers_to_a_deployment_are_described_there() -> None:
    refers = {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}}
    mesh = load(made("Rollout", "argoproj.io/v1alpha1", refers))
    assert hosts_of(mesh) == ()
    assert mesh.identities() == ()
    assert [str(it) for it in load(made("Rollout", "argoproj.io/v1alpha1", {})).identities()] == [
        "default.shop"
    ]


@pytest.mark.parametrize(
    ("kind", "version"), [("ReplicationController", "v1"), ("Rollout", "argoproj.io/v1alpha1")]
)
def test_nothing_is_proven_over_the_template_of_a_kind_that_few_clusters_have(
    kind: str, version: str
) -> None:
    excluded = {"flomesh.io/outbound-port-exclusion-list": "5432"}
    template = {"metadata": {"annotations": excluded}, "spec": {"serviceAccountName": "cart"}}
    mesh = load(made(kind, version, {"template": template}))
    assert not fe.never(mesh, fe.Where.outside())
    for subject in ("cart.shop", f"{kind.lower()}/cart.shop"):
        decision = fe.compile(mesh, subject).classify(fe.tcp("203.0.113.9", 5432))
        assert decision.reason is fe.Reason.NOT_INTERCEPTED
        assert str(decision.rule).startswith(f"{kind} shop/cart spec.template.metadata.annotations.")


def test_a_pod_has_its_addresses_each_once() -> None:
    status = {"podIPs": [{"ip": "10.244.1.5"}, {"ip": "2001:db8::5"}, {"ip": "10.244.1.5"}]}
    (host,) = hosts_of(load({**made("Pod", "v1", TEMPLATE["spec"]), "status": status}))
    assert list(map(str, host.own)) == ["10.244.1.5/32", "2001:db8::5/128"]
    assert host.name == "pod/cart"
    assert host.is_running


@pytest.mark.parametrize(
    ("phase", "count"), [("Succeeded", 0), ("Failed", 0), ("Running", 1), ("Pending", 1)]
)
def test_a_pod_that_has_ended_opens_no_connections(phase: str, count: int) -> None:
    status = {"podIPs": [{"ip": "10.244.1.5"}], "phase": phase}
    mesh = load({**made("Pod", "v1", TEMPLATE["spec"]), "status": status})
    assert len(kinds_of(mesh)) == count
    assert str(fe.compile(mesh, pod="cart.shop").classify(fe.tcp("203.0.113.9", 80)).reason) == "no_sidecar"
    assert bool(fe.never(mesh, fe.Where.outside())) is not bool(count)
    assert bool(fe.lint(mesh, only=["FSE111"], sidecar=False)) is bool(count)
    assert [str(it) for it in mesh.identities()] == ["cart.shop"]


def test_the_arguments_of_a_container_are_in_no_repr() -> None:
    spec = {"containers": [{"name": "c", "args": ["hunter2"], "env": [{"name": "A", "value": "hunter2"}]}]}
    mesh = fe.load(made("Pod", "v1", spec))
    assert "hunter2" not in f"{mesh!r}{next(iter(mesh))!r}"
