"""Resources written as documents of Kubernetes."""

from __future__ import annotations

from base64 import b64encode
from enum import Enum
from typing import Any

from ..patterns import Pattern
from ..resources import checks
from ..resources.resource import Part, Resource
from ..values.frozen import FrozenMap, thaw
from ..values.net import Address, Prefix
from ..values.typed import takes
from .readers import default_of
from .wire_names import FIELDS

__all__ = ["to_mapping"]


@takes(resource=Resource)
def to_mapping(resource: Resource) -> dict[str, Any]:
    """The resource in Kubernetes' wire form, as `kubectl apply` takes it: plain dictionaries and lists."""
    wire = _wire_of(resource)
    head = {"apiVersion": wire.pop("apiVersion"), "kind": resource.kind}
    return {**head, "metadata": _wire_of(resource.metadata), **wire}


def _wire_of(part: Part) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    for name, attribute in FIELDS[type(part)].items():
        value = getattr(part, attribute.name)
        if value != default_of(attribute) or name in part.explicit:
            is_header_list = attribute.metadata.get("check") is checks.header_patterns
            wire[name] = (
                [{key: item.text} for key, item in value.items()] if is_header_list else _plain(value)
            )
    wire.update(thaw(part.extra))
    return wire


def _plain(value: Any) -> Any:
    """A field's value as JSON."""
    if isinstance(value, Part):
        return _wire_of(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, FrozenMap):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Pattern):
        return value.text
    if isinstance(value, (Address, Prefix)):
        return str(value)
    return b64encode(value).decode() if isinstance(value, bytes) else value
