"""Egress policies read by msgspec; it knows no addresses, so a prefix is a text of the right characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct
from msgspec.json import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["reader"]

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
Prefix = Annotated[str, Meta(pattern=r"^[0-9a-f.:]{2,45}/[0-9]{1,3}$")]


class Part(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Frozen, without unknown keys."""


class Metadata(Part, frozen=True):
    name: Name
    namespace: Name


class Source(Part, frozen=True):
    kind: str
    name: Name
    namespace: Name


class Port(Part, frozen=True):
    number: Annotated[int, Meta(ge=1, le=65535)]
    protocol: Literal["tcp", "tcp-server-first", "http", "https"]


class Match(Part, frozen=True):
    api_group: Literal["specs.smi-spec.io/v1alpha4", "policy.flomesh.io/v1alpha1"]
    kind: Literal["HTTPRouteGroup", "UpstreamTrafficSetting"]
    name: Name


class Spec(Part, frozen=True):
    sources: tuple[Source, ...]
    ports: tuple[Port, ...]
    hosts: tuple[Name, ...] = ()
    ip_addresses: tuple[Prefix, ...] = ()
    matches: tuple[Match, ...] = ()


class Egress(Part, frozen=True):
    api_version: Literal["policy.flomesh.io/v1alpha1"]
    kind: Literal["Egress"]
    metadata: Metadata
    spec: Spec


class Items(Part, frozen=True):
    api_version: Literal["v1"]
    kind: Literal["List"]
    items: tuple[Egress, ...]


def reader() -> Callable[[str], object]:
    """Reads the text of a `List`."""
    return Decoder(Items).decode
