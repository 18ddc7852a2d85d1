"""A service of the mesh as `fsm-controller` counts it, port by port, and by what names it is addressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ..policy.parts import WeightedCluster
from ..resources.egress import Isolation
from ..resources.words import STREAMS, Protocol, ServiceAccessMode
from ..values.construction import frozen
from ..values.net import Address, Prefix
from ..values.references import FieldRef
from .imports import Remote
from .routes import WHOLE_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = ["MeshService", "hostnames_of", "isolated", "not_isolated", "together", "unique"]


@frozen
class MeshService:
    """One port of one service, or of one named pod of a headless service.

    Attributes:
        name: of the service, or `hostname.service`.
        target_port: where the pods listen; it names the cluster.
        addresses: what connections to the service are addressed to, the ClusterIP first.
        endpoints: the pods' addresses that the source may be sent to.
        rule: the port in the Service.
        outside: those of them that are no pods' addresses after all.
        everyones: addresses that are every service's, as the DNS proxy answers with them to unknown names.
        remotes: where other clusters are reached for it.
        share: the weight of its cluster beside others of the service.
        beside: the same service at other target ports, as other clusters have it.
    """

    name: str
    namespace: str
    port: int
    target_port: int
    protocol: Protocol
    cluster_ip: Address | None
    addresses: tuple[Address, ...]
    endpoints: tuple[Address, ...]
    rule: FieldRef
    outside: frozenset[Address] = frozenset()
    everyones: tuple[Address, ...] = ()
    remotes: tuple[Remote, ...] = ()
    share: int = WHOLE_WEIGHT
    beside: tuple[MeshService, ...] = ()

    @property
    def reached_at(self) -> tuple[Address, ...]:
        """All that connections to the service may be addressed to."""
        return unique((*self.addresses, *self.everyones)) if self.everyones else self.addresses

    @property
    def full_name(self) -> str:
        """`name.namespace`, which also names the service's HTTP rules."""
        return f"{self.name}.{self.namespace}"

    @property
    def cluster(self) -> str:
        """The name of its cluster."""
        return f"{self.namespace}/{self.name}|{self.target_port}"

    @property
    def clusters(self) -> tuple[WeightedCluster, ...]:
        """Its clusters, each once; the last weight counts."""
        own = (self, *self.beside)
        return tuple({it.cluster: WeightedCluster(it.cluster, it.share) for it in own}.values())

    @property
    def is_http(self) -> bool:
        """Whether its requests are routed one by one."""
        return self.protocol in {Protocol.HTTP, Protocol.GRPC}

    @property
    def is_routed(self) -> bool:
        """Whether it has routes at all: streams have none."""
        return self.protocol not in STREAMS


def together(services: Iterable[MeshService]) -> list[MeshService]:
    """Each service once a port and protocol, with what other clusters have of it beside it."""
    found: dict[object, list[MeshService]] = {}
    for service in services:
        key = service.namespace, service.name, service.port, service.protocol
        found.setdefault(key, []).append(service)
    return [
        evolve(
            first,
            addresses=unique(address for it in (first, *rest) for address in it.addresses),
            beside=tuple(rest),
        )
        if rest
        else first
        for first, *rest in found.values()
    ]


def isolated(snapshot: Snapshot) -> tuple[Prefix, ...]:
    """The ranges at which no service is reached, of Isolations in any namespace."""
    return tuple(prefix for isolation in snapshot.kind(Isolation) for prefix in isolation.spec.cidrs)


def not_isolated(closed: tuple[Prefix, ...], addresses: tuple[Address, ...]) -> tuple[Address, ...]:
    """The addresses that are not isolated."""
    if not closed:
        return addresses
    return tuple(ip for ip in addresses if not any(ip in prefix for prefix in closed))


def unique(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Each address once, in their order."""
    return tuple({address.key: address for address in addresses}.values())


def hostnames_of(snapshot: Snapshot, identity: Subject, service: MeshService) -> tuple[str, ...]:
    """The Host headers by which an identity may address a service (`docs/decision.md`)."""
    traffic = snapshot.mesh_config.spec.traffic
    names: list[str] = []
    if traffic.service_access_mode is not ServiceAccessMode.IP:
        if identity.namespace == service.namespace or not traffic.service_access_names.must_with_namespace:
            names.append(service.name)
        names.append(service.full_name)
        if traffic.service_access_names.with_trust_domain:
            names.append(f"{service.full_name}.svc")
            for part in filter(None, snapshot.trust_domain.split(".")):
                names.append(f"{names[-1]}.{part}")
    if traffic.service_access_mode is not ServiceAccessMode.DOMAIN:
        names.extend(map(str, service.addresses))
    bare = () if traffic.service_access_names.must_with_service_port else names
    return tuple(dict.fromkeys((*bare, *(f"{name}:{service.port}" for name in names))))
