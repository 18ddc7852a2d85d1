"""What a good document says to nobody: fields, labels and groups that FSM does not read, or reads no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..resources.meshconfig import LEGACY_VERSIONS, MeshConfig
from ..values.errors import Problem, Severity
from ..values.frozen import EMPTY
from .wire_names import FIELDS, without_effect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..resources.resource import Part, Resource

__all__ = ["NOT_READ", "is_of_osm", "notes"]

OSM, FSM = "openservicemesh.io", "flomesh.io"
_PREFIX = f"{OSM}/"
NOT_READ = "FSE103"


def is_of_osm(resource: Resource) -> bool:
    """Whether a resource has names of Open Service Mesh: its labels, its annotations, its MeshConfig."""
    metadata = resource.metadata
    if resource.api_version in LEGACY_VERSIONS:
        return True
    if metadata.labels is EMPTY and metadata.annotations is EMPTY:
        return False
    return any(name.startswith(_PREFIX) for name in (*metadata.labels, *metadata.annotations))


def notes(kind: type[Resource], value: Mapping[str, Any]) -> Iterator[Problem]:
    """What there is to say of the document of a resource that is read as it stands."""
    version = value["apiVersion"]
    if version in LEGACY_VERSIONS:
        yield Problem(
            f"a MeshConfig of `{MeshConfig.api_versions[0]}`",
            f"one of `{version}`",
            "apiVersion",
            reason="it is read here as one of FSM, and passed by there",
            severity=Severity.WARNING,
            code=NOT_READ,
        )
    metadata = value.get("metadata") or {}
    for table in ("labels", "annotations"):
        for name in metadata.get(table) or ():
            if name.startswith(_PREFIX):
                yield Problem(
                    f"a name of `{FSM}`",
                    f"`{name}`",
                    f"metadata.{table}.{name}",
                    proposal=name.replace(OSM, FSM),
                    reason="FSM does not read it, and it counts for nothing",
                    severity=Severity.WARNING,
                    code=NOT_READ,
                )
    if kind is MeshConfig:
        yield from _without_effect(kind, value, "")


def _without_effect(kind: type[Part], value: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for name in without_effect(kind) & value.keys():
        yield Problem(
            "a field that FSM reads",
            f"`{name}`, which is without effect since FSM 1.5",
            f"{path}.{name}",
            severity=Severity.INFO,
            code=NOT_READ,
        )
    for name, attribute in FIELDS[kind].items():
        part, inner = attribute.metadata.get("part"), value.get(name)
        if part is not None and inner is not None:
            yield from _without_effect(part, inner, f"{path}.{name}" if path else name)
