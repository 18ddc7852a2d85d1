"""Wire names: every field that real resources have is read or carried along, and any other is a mistake."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from fsm_egress.manifests.wire_names import FIELDS, carries, wire_name, wire_path
from fsm_egress.resources import core, egress, machines, meshconfig, multicluster, plugins, smi, workloads
from fsm_egress.resources.kinds import KINDS
from fsm_egress.resources.resource import ObjectMeta, Part, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTORS = Path(__file__).parents[1] / "vectors"
MODULES = (core, egress, machines, meshconfig, multicluster, plugins, smi, workloads)


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def documents() -> Iterator[dict[str, Any]]:
    """Every resource of the vectors that is of a kind this library reads."""
    yield vectors("meshconfig-installed.json")
    for name in ("controller.json", "controller-2.json", "documented.json"):
        for case in vectors(name)["cases"]:
            yield from case["resources"]


KIND_OF = {(version, kind.kind): kind for kind in KINDS for version in kind.api_versions}


def unknown_names(kind: type[Part], value: Any, path: str) -> Iterator[str]:
    """The fields of a document that are neither read nor carried along."""
    for name, inner in value.items():
        place = f"{path}.{name}"
        field = FIELDS[kind].get(name)
        if field is None:
            if not carries(kind, name) and not (issubclass(kind, Resource) and name == "kind"):
                yield place
        elif "part" in field.metadata and inner is not None:
            yield from unknown_names(field.metadata["part"], inner, place)
        elif "parts" in field.metadata:
            for item in inner or ():
                yield from unknown_names(field.metadata["parts"], item, place)


def test_every_field_of_the_vectors_is_known_or_carried() -> None:
    seen: Counter[str] = Counter()
    for document in documents():
        kind = KIND_OF.get((document["apiVersion"], document["kind"]))
        if kind is not None:
            seen[kind.__name__] += 1
            assert list(unknown_names(kind, document, document["kind"])) == []
    others = {"ServiceAccount", "Plugin", "PluginChain", "PluginConfig", "ServiceImport"}
    others |= {"GlobalTrafficPolicy", "TrafficWarmup"}
    others |= {kind.__name__ for kind in workloads.MAKERS}
    assert set(seen) >= {kind.__name__ for kind in KINDS} - others


def test_a_mistaken_field_is_neither_known_nor_carried() -> None:
    policy = {
        "kind": "Egress",
        "metadata": {"name": "a", "x": 1},
        "spec": {"hots": [], "ports": [{"numbr": 1}]},
    }
    assert list(unknown_names(egress.EgressPolicy, policy, "Egress")) == [
        "Egress.spec.hots",
        "Egress.spec.ports.numbr",
    ]


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("spec", "spec"),
        ("service_access_mode", "serviceAccessMode"),
        ("http1_per_request_load_balancing", "http1PerRequestLoadBalancing"),
        ("outbound_ip_range_exclusion_list", "outboundIPRangeExclusionList"),
        ("cluster_ip", "clusterIP"),
        ("pod_ips", "podIPs"),
        ("global_", "global"),
        ("inbound_tcp", "inbound-tcp"),
        ("api_version", "apiVersion"),
        ("sn", "sn"),
    ],
)
def test_a_wire_name_is_the_name_in_camel_case_but_for_a_few(name: str, wire: str) -> None:
    assert wire_name(name) == wire


@pytest.mark.parametrize(
    ("path", "wire"),
    [
        ("", ""),
        ("spec.ip_addresses[0]", "spec.ipAddresses[0]"),
        ("spec.plugin_chains.outbound_tcp[10].plugin", "spec.pluginChains.outbound-tcp[10].plugin"),
        ("spec.global_[1]", "spec.global[1]"),
    ],
)
def test_a_path_is_translated_name_by_name(path: str, wire: str) -> None:
    assert wire_path(path) == wire


def test_the_table_holds_every_part_of_the_models() -> None:
    defined = {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Part) and value.__module__ == module.__name__
    }
    assert set(FIELDS) == defined | {ObjectMeta}


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_the_table_holds_every_field_that_a_document_may_have(kind: type[Part]) -> None:
    names = {field.name for field in attrs.fields(kind)}
    beside = {"extra", "explicit"} | ({"source"} if issubclass(kind, Resource) else set())
    assert {field.name for field in FIELDS[kind].values()} == names - beside
    assert all(wire_name(field.name) == name for name, field in FIELDS[kind].items())


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_what_is_read_is_not_carried_too(kind: type[Part]) -> None:
    anything = carries(kind, "a field that nobody has thought of")
    parts = {core.Container, core.SecurityContext, *workloads.MAKERS, *workloads.PARTS}
    assert anything == (kind in {ObjectMeta, core.PodSpec, core.PodStatus, *parts})
    assert anything or not any(carries(kind, name) for name in FIELDS[kind] if name != "status")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_resource_is_written_as_kubectl_writes_it(kind: type[Resource]) -> None:
    assert list(FIELDS[kind])[:2] == ["apiVersion", "metadata"]


def test_the_status_of_a_resource_is_carried_and_that_of_a_part_is_none() -> None:
    assert carries(egress.EgressPolicy, "status")
    assert not carries(egress.EgressSpec, "status")
    assert carries(core.Secret, "immutable")
    assert not carries(core.Secret, "stringData")
