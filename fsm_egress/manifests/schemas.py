"""JSON Schemas of the documents, made from the models: for editors, and for who checks documents elsewhere.

A schema is never stricter than the loader about a kind that it knows: it has the fields, their types and
which are needed. What it cannot say, the loader does: patterns of the sidecar's dialect, names, ranges, and
what one field says about another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..resources import checks
from ..resources.kinds import READ
from ..resources.resource import Part, Resource
from ..resources.words import EGRESS_PROTOCOLS, LoadBalancing, ServiceAccessMode
from ..values.errors import InvalidValue
from .wire_names import FIELDS, carried

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["json_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}
_STRINGS: Schema = {"type": "array", "items": _STRING}
_PORT: Schema = {"type": "integer", "minimum": 1, "maximum": checks.LAST_PORT}
_UNSIGNED: Schema = {"type": "integer", "minimum": 0, "maximum": checks.UINT32_MAX}
_MAP: Schema = {"type": "object", "additionalProperties": _STRING}
_MODES: Schema = {"enum": [mode.value for mode in ServiceAccessMode]}

# What a value is, by its check; one that is not here may be anything, for the loader to judge.
_BY_CHECK: dict[Callable[..., Any], Schema] = {
    checks.address: _STRING,
    checks.boolean: {"type": "boolean"},
    checks.cluster_ip: _STRING,
    checks.number: {"type": "number"},
    checks.egress_protocol: {"type": "string", "examples": [it.value for it in EGRESS_PROTOCOLS]},
    checks.hosts: _STRINGS,
    checks.http_methods: _STRINGS,
    checks.optional_boolean: {"type": "boolean"},
    checks.optional_duration: {"type": "string", "examples": ["5s", "1m30s"]},
    checks.optional_ipv4: _STRING,
    checks.json_map: {"type": "object"},
    checks.optional_name: _STRING,
    checks.optional_pattern: {
        "type": "string",
        "description": "A regular expression of the sidecar's dialect.",
    },
    checks.optional_ratio: {"type": "number", "minimum": 0, "maximum": 1},
    checks.optional_string: _STRING,
    checks.optional_unsigned: _UNSIGNED,
    checks.port_number: _PORT,
    checks.excluded_ports: {
        "type": "array",
        "items": {"type": "integer", "minimum": 0, "maximum": checks.LAST_PORT},
    },
    checks.listed_ranges: {**_STRINGS, "examples": [["10.0.0.0/8", "54.9.9.9"]]},
    checks.prefixes: {**_STRINGS, "examples": [["54.0.0.0/8"]]},
    checks.resource_name: _STRING,
    checks.service_access_mode: _MODES,
    checks.load_balancing: {"enum": [it.value for it in LoadBalancing]},
    checks.string: _STRING,
    checks.string_map: _MAP,
    checks.strings: _STRINGS,
    checks.unsigned: _UNSIGNED,
}


def json_schema(kind: str | None = None) -> Schema:
    """The JSON Schema (2020-12) of documents of a kind, or of any document of a mesh.

    Args:
        kind: `Egress`, `MeshConfig` and so on; None for any of them, and for a `List` of them. Documents of
            other kinds, which the loader skips, are in no schema.

    Raises:
        InvalidValue: there is no such kind.
    """
    definitions: dict[str, Schema] = {}
    if kind is not None:
        found = next((it for it in READ if it.kind == kind), None)
        if found is None:
            raise InvalidValue.of(f"one of {', '.join(f'`{it.kind}`' for it in READ)}", kind)
        top: Schema = _reference(found, definitions)
        title = kind
    else:
        top = {"anyOf": [*(_reference(it, definitions) for it in READ), {"$ref": "#/$defs/List"}]}
        items = {"type": "array", "items": {"$ref": "#"}}
        definitions["List"] = {
            "type": "object",
            "description": "Several documents in one.",
            "properties": {"apiVersion": _STRING, "kind": {"const": "List"}, "metadata": {}, "items": items},
            "required": ["kind", "items"],
        }
        title = "A document of a Flomesh Service Mesh"
    return {"$schema": DIALECT, "title": title, **top, "$defs": dict(sorted(definitions.items()))}


def _reference(kind: type[Part], definitions: dict[str, Schema]) -> Schema:
    """A reference to the definition of a class, which is made where it is not yet there."""
    name = kind.kind if issubclass(kind, Resource) else kind.__name__
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _definition(kind, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _definition(kind: type[Part], definitions: dict[str, Schema]) -> Schema:
    properties: dict[str, Schema] = {}
    needed: list[str] = []
    for name, attribute in FIELDS[kind].items():
        is_needed = attribute.default is attrs.NOTHING or name == "apiVersion"
        properties[name] = _value(kind, name, attribute, definitions, is_needed=is_needed)
        if is_needed:
            needed.append(name)
    if issubclass(kind, Resource):
        properties = {"status": {}, **properties, "kind": {"const": kind.kind}}
        needed.append("kind")
    others = carried(kind)
    if others is not None:
        properties |= {name: {} for name in sorted(others)}
    return {
        "type": "object",
        "description": _summary(kind),
        "properties": properties,
        "required": needed,
        **({} if others is None else {"additionalProperties": False}),
    }


def _value(
    kind: type[Part],
    name: str,
    attribute: attrs.Attribute[Any],
    definitions: dict[str, Schema],
    *,
    is_needed: bool,
) -> Schema:
    """The schema of a field; null stands for the default, where there is one."""
    metadata = attribute.metadata
    if name == "apiVersion" and issubclass(kind, Resource):
        return {"enum": list(kind.api_versions)}
    if "part" in metadata:
        found = _reference(metadata["part"], definitions)
    elif "parts" in metadata:
        found = {"type": "array", "items": _reference(metadata["parts"], definitions)}
    else:
        found = _BY_CHECK.get(metadata.get("check", checks.string), {})
    return found if is_needed or not found else {"anyOf": [found, {"type": "null"}]}


def _summary(kind: type[Part]) -> str:
    """The first sentence of a class's docstring."""
    return (kind.__doc__ or "").strip().split("\n")[0]
