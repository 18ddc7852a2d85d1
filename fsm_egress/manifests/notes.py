"""What a good document says to nobody: fields, labels and groups that FSM does not read, or reads no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..resources.meshconfig import LEGACY_VERSIONS, MeshConfig
from ..values.errors import Problem, Severity
from .names import NOT_READ, has_names_to_tell, names_to_tell
from .wire_names import FIELDS, without_effect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..resources.resource import Part, Resource

__all__ = ["has_notes", "notes"]


def has_notes(resource: Resource) -> bool:
    """Whether there is something to say of a resource that is read as it stands, but for its fields."""
    return resource.api_version in LEGACY_VERSIONS or has_names_to_tell(resource)


def notes(resource: Resource, value: Mapping[str, Any]) -> Iterator[Problem]:
    """What there is to say of a resource that is read as it stands in its document."""
    version = resource.api_version
    if version in LEGACY_VERSIONS:
        yield Problem(
            f"a MeshConfig of `{MeshConfig.api_versions[0]}`",
            f"one of `{version}`",
            "apiVersion",
            reason="it is read here as one of FSM, and passed by there",
            severity=Severity.WARNING,
            code=NOT_READ,
        )
    yield from names_to_tell(resource)
    if isinstance(resource, MeshConfig):
        yield from _without_effect(MeshConfig, value, "")


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
