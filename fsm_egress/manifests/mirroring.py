"""EndpointSlices -> the Endpoints that a cluster would have beside them.

Source: Kubernetes, "EndpointSlices": a slice names its service by a label, an endpoint is ready unless it
says otherwise, and Endpoints have the addresses of one family.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ..resources.core import (
    IP_FAMILIES,
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    Service,
    SliceEndpoint,
)
from ..resources.resource import ObjectMeta, Resource
from ..values.net import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["mirrored"]

SERVICE_NAME = "kubernetes.io/service-name"

Name = tuple[str, str]


def mirrored(
    slices: Iterable[EndpointSlice], tables: Mapping[type[Resource], Mapping[Name, Resource]]
) -> Iterator[Endpoints]:
    """The Endpoints of the services of these slices, where there are none of their names in the tables."""
    known = tables.get(Endpoints, {})
    by_service: dict[Name, list[EndpointSlice]] = defaultdict(list)
    for one in slices:
        name = one.namespace, one.metadata.labels.get(SERVICE_NAME, "")
        if name[1] and name not in known and one.address_type in IP_FAMILIES:
            by_service[name].append(one)
    for name, several in by_service.items():
        family = _family(tables.get(Service, {}).get(name), several)
        subsets = [_subset(one) for one in several if one.address_type == family]
        namespace, service = name
        yield Endpoints(ObjectMeta(service, namespace), tuple(subsets), source=several[0].source)


def _family(service: Any, slices: Iterable[EndpointSlice]) -> str:
    """The family that a service has by its address; without one it is IPv4, if it has any of that."""
    if isinstance(service, Service) and not service.spec.headless:
        return f"IPv{parse_address(service.spec.cluster_ip).version}"
    return min(one.address_type for one in slices)


def _subset(one: EndpointSlice) -> EndpointSubset:
    ready: list[EndpointAddress] = []
    others: list[EndpointAddress] = []
    for endpoint in one.endpoints:
        (others if endpoint.conditions.ready is False else ready).extend(_addresses(endpoint))
    ports = [
        EndpointPort(port.port, port.name, port.protocol, port.app_protocol)
        for port in one.ports
        if port.port is not None
    ]
    return EndpointSubset(tuple(ready), tuple(others), tuple(ports))


def _addresses(endpoint: SliceEndpoint) -> Iterator[EndpointAddress]:
    for address in endpoint.addresses:
        yield EndpointAddress(parse_address(address), endpoint.hostname)
