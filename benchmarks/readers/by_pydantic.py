"""Egress policies read by pydantic in its strict mode, errors with their place."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["reader"]

Network = IPv4Network | IPv6Network
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]


class Model(BaseModel):
    """Frozen, strict, without unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class Metadata(Model):
    name: Name
    namespace: Name


class Source(Model):
    kind: str
    name: Name
    namespace: Name


class Port(Model):
    number: Annotated[int, Field(ge=1, le=65535)]
    protocol: Literal["tcp", "tcp-server-first", "http", "https"]


class Match(Model):
    api_group: Literal["specs.smi-spec.io/v1alpha4", "policy.flomesh.io/v1alpha1"]
    kind: Literal["HTTPRouteGroup", "UpstreamTrafficSetting"]
    name: Name


class Spec(Model):
    sources: tuple[Source, ...]
    ports: tuple[Port, ...]
    hosts: tuple[Name, ...] = ()
    ip_addresses: tuple[Network, ...] = ()
    matches: tuple[Match, ...] = ()


class Egress(Model):
    api_version: Literal["policy.flomesh.io/v1alpha1"]
    kind: Literal["Egress"]
    metadata: Metadata
    spec: Spec


class Items(Model):
    api_version: Literal["v1"]
    kind: Literal["List"]
    items: tuple[Egress, ...]


def reader() -> Callable[[str], object]:
    """Reads the text of a `List`."""
    return Items.model_validate_json
