"""Names that FSM does not read, or reads no more: they are kept, and that is said."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_egress.manifests.loader import load_resources
from fsm_egress.manifests.writing import to_mapping
from fsm_egress.values.errors import Severity


def mesh_config(spec: dict[str, Any], version: str = "config.flomesh.io/v1alpha3") -> dict[str, Any]:
    metadata = {"name": "fsm-mesh-config", "namespace": "fsm-system"}
    return {"apiVersion": version, "kind": "MeshConfig", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("observability", "enableDebugServer"),
        ("observability", "osmLogLevel"),
        ("featureFlags", "enableGatewayAgentService"),
        ("featureFlags", "enableGatewayProxyTag"),
        ("featureFlags", "enableMulticlusterMode"),
        ("featureFlags", "enableWASMStats"),
        ("sidecar", "envoyImage"),
    ],
)
def test_fields_of_older_meshes_are_kept_and_said_to_be_without_effect(place: str, name: str) -> None:
    document = mesh_config({place: {name: True}})
    loaded = load_resources(document)
    assert to_mapping(loaded.resources[0]) == document
    (problem,) = loaded.problems
    assert problem.severity is Severity.INFO
    assert problem.path == f"spec.{place}.{name}"
    assert problem.found == f"`{name}`, which is without effect since FSM 1.5"


@pytest.mark.parametrize("version", ["v1alpha1", "v1alpha2", "v1alpha3"])
def test_the_mesh_config_of_open_service_mesh_is_read_and_that_is_said(version: str) -> None:
    document = mesh_config({"traffic": {"enableEgress": True}}, f"config.openservicemesh.io/{version}")
    loaded = load_resources(document)
    assert to_mapping(loaded.resources[0]) == document
    (problem,) = loaded.problems
    assert (problem.path, problem.severity) == ("apiVersion", Severity.WARNING)
    assert problem.reason == "it is read here as one of FSM, and passed by there"


def test_labels_and_annotations_of_open_service_mesh_count_for_nothing() -> None:
    names = {"openservicemesh.io/monitored-by": "osm", "flomesh.io/x": "y"}
    metadata = {
        "name": "shop",
        "labels": names,
        "annotations": {"openservicemesh.io/sidecar-injection": "enabled"},
    }
    loaded = load_resources({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    assert len(loaded.resources) == 1
    assert [(it.path, it.proposal, it.severity) for it in loaded.problems] == [
        ("metadata.labels.openservicemesh.io/monitored-by", "flomesh.io/monitored-by", Severity.WARNING),
        (
            "metadata.annotations.openservicemesh.io/sidecar-injection",
            "flomesh.io/sidecar-injection",
            Severity.WARNING,
        ),
    ]


def made(kind: str, version: str, own: dict[str, str], pods: dict[str, str]) -> dict[str, Any]:
    """What makes pods, with annotations of its own and of the pods, which have them as labels, too."""
    spec: dict[str, Any] = {"template": {"metadata": {"annotations": pods}, "spec": {}}}
    spec = {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec
    metadata = {"name": "cart", "namespace": "shop", "annotations": own}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


PORTS = "flomesh.io/outbound-port-exclusion-list"


@pytest.mark.parametrize(
    ("kind", "version", "place"),
    [
        ("Deployment", "apps/v1", "spec.template.metadata"),
        ("Rollout", "argoproj.io/v1alpha1", "spec.template.metadata"),
        ("CronJob", "batch/v1", "spec.jobTemplate.spec.template.metadata"),
    ],
)
def test_names_of_the_pods_that_are_made_are_looked_at_too(kind: str, version: str, place: str) -> None:
    (problem,) = load_resources(
        made(kind, version, {}, {PORTS.replace("flomesh", "openservicemesh"): "25"})
    ).problems
    assert problem.path == f"{place}.annotations.openservicemesh.io/outbound-port-exclusion-list"
    assert (problem.proposal, problem.severity) == (PORTS, Severity.WARNING)
    (problem,) = load_resources(made(kind, version, {PORTS: "25"}, {})).problems
    assert problem.path == f"metadata.annotations.{PORTS}"
    assert problem.reason == f"FSM reads it in `{place}.annotations`, and here it counts for nothing"
    assert load_resources(made(kind, version, {PORTS: "25"}, {PORTS: "25"})).problems == ()
    owned = made(kind, version, {PORTS: "25"}, {})
    owned["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": "cart"}]
    assert load_resources(owned).problems == ()


def named(kind: str, table: str, name: str) -> dict[str, Any]:
    spec = {"spec": {"ports": [{"port": 80}]}} if kind == "Service" else {}
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", table: {name: "25"}}, **spec}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("outbound-port-exclusion", "outbound-port-exclusion-list"),
        ("outbound-ports-exclusion-list", "outbound-port-exclusion-list"),
        ("outbound-port-exclusion-List", "outbound-port-exclusion-list"),
        ("outbound-ip-exclusion-list", "outbound-ip-range-exclusion-list"),
        ("outbound-ip-ranges-inclusion-list", "outbound-ip-range-inclusion-list"),
        ("outbound-port-inclusion-list", None),
        ("outbound-everything", None),
        ("sidecar-inject", "sidecar-injection"),
    ],
)
def test_a_misspelled_annotation_is_told_with_what_may_be_meant(written: str, meant: str | None) -> None:
    (problem,) = load_resources(named("Pod", "annotations", f"flomesh.io/{written}")).problems
    assert problem.found == f"`flomesh.io/{written}`"
    assert problem.proposal == (meant and f"flomesh.io/{meant}")
    assert (problem.severity, problem.code) == (Severity.WARNING, "FSE103")


@pytest.mark.parametrize(
    ("kind", "table", "name", "where"),
    [
        (
            "Namespace",
            "annotations",
            "outbound-port-exclusion-list",
            "annotations of a Pod or a VirtualMachine",
        ),
        (
            "ServiceAccount",
            "annotations",
            "sidecar-injection",
            "annotations of a Pod or a VirtualMachine or a Namespace",
        ),
        (
            "Namespace",
            "labels",
            "sidecar-injection",
            "annotations of a Pod or a VirtualMachine or a Namespace",
        ),
        ("Namespace", "annotations", "monitored-by", "labels of a Namespace"),
        ("Pod", "annotations", "egress-gateway-mode", "annotations of a Service"),
        ("Namespace", "annotations", "service-exclusion", "annotations of a Service"),
    ],
)
def test_a_name_that_stands_where_fsm_does_not_look_is_told(
    kind: str, table: str, name: str, where: str
) -> None:
    (problem,) = load_resources(named(kind, table, f"flomesh.io/{name}")).problems
    assert problem.path == f"metadata.{table}.flomesh.io/{name}"
    assert problem.reason == f"FSM reads it in the {where}, and here it counts for nothing"
    assert problem.proposal is None


@pytest.mark.parametrize(
    ("kind", "table", "name"),
    [
        ("Pod", "annotations", "flomesh.io/sidecar-injection"),
        ("Namespace", "annotations", "flomesh.io/sidecar-injection"),
        ("Namespace", "labels", "flomesh.io/monitored-by"),
        ("Namespace", "labels", "flomesh.io/ignore"),
        ("Namespace", "annotations", "flomesh.io/metrics"),
        ("Pod", "annotations", "flomesh.io/inbound-port-exclusion-list"),
        ("Pod", "annotations", "flomesh.io/team"),
        ("Pod", "annotations", "flomesh.iodine/outbound-port-exclusion"),
        ("Service", "annotations", "flomesh.io/service-exclusion"),
    ],
)
def test_of_a_name_that_is_read_or_somebody_elses_nothing_is_said(kind: str, table: str, name: str) -> None:
    assert load_resources(named(kind, table, name)).problems == ()


def test_a_mesh_config_without_metadata_has_nothing_to_be_said() -> None:
    assert load_resources({"apiVersion": "config.flomesh.io/v1alpha3", "kind": "MeshConfig"}).problems == ()
