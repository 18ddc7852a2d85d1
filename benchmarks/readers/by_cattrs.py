"""Egress policies read by `json.loads` and cattrs: nothing is coerced, every key is known."""

from __future__ import annotations

import json
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen, has
from attrs import validators as must
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["reader"]

Network = IPv4Network | IPv6Network
_name = must.and_(must.instance_of(str), must.matches_re(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"))


@frozen
class Metadata:
    name: str = field(validator=_name)
    namespace: str = field(validator=_name)


@frozen
class Source:
    kind: str = field(validator=must.instance_of(str))
    name: str = field(validator=_name)
    namespace: str = field(validator=_name)


@frozen
class Port:
    number: int = field(validator=[must.instance_of(int), must.ge(1), must.le(65535)])
    protocol: Literal["tcp", "tcp-server-first", "http", "https"]


@frozen
class Match:
    api_group: Literal["specs.smi-spec.io/v1alpha4", "policy.flomesh.io/v1alpha1"] = field(alias="apiGroup")
    kind: Literal["HTTPRouteGroup", "UpstreamTrafficSetting"]
    name: str = field(validator=_name)


@frozen
class Spec:
    sources: tuple[Source, ...]
    ports: tuple[Port, ...]
    hosts: tuple[str, ...] = field(default=(), validator=must.deep_iterable(_name))
    ip_addresses: tuple[Network, ...] = field(default=(), alias="ipAddresses")
    matches: tuple[Match, ...] = ()


@frozen
class Egress:
    api_version: Literal["policy.flomesh.io/v1alpha1"] = field(alias="apiVersion")
    kind: Literal["Egress"]
    metadata: Metadata
    spec: Spec


@frozen
class Items:
    api_version: Literal["v1"] = field(alias="apiVersion")
    kind: Literal["List"]
    items: tuple[Egress, ...]


def reader(*, detailed: bool) -> Callable[[str], object]:
    """Reads the text of a `List`; `detailed` tells where something is wrong."""
    converter = Converter(detailed_validation=detailed)

    def strictly(kind: type) -> Callable[[Any, Any], Any]:
        def structure(value: Any, _: Any) -> Any:
            if type(value) is not kind:
                raise TypeError(f"expected {kind.__name__}, found {value!r}")
            return value

        return structure

    def by_alias(kind: type) -> Any:
        return make_dict_structure_fn(
            kind,
            converter,
            _cattrs_forbid_extra_keys=True,
            _cattrs_detailed_validation=detailed,
            _cattrs_use_alias=True,
        )

    converter.register_structure_hook_factory(has, by_alias)
    converter.register_structure_hook(str, strictly(str))
    converter.register_structure_hook(int, strictly(int))
    converter.register_structure_hook(Network, lambda value, _: ip_network(value))
    return lambda text: converter.structure(json.loads(text), Items)
