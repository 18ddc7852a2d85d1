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


def test_a_mesh_config_without_metadata_has_nothing_to_be_said() -> None:
    assert load_resources({"apiVersion": "config.flomesh.io/v1alpha3", "kind": "MeshConfig"}).problems == ()
