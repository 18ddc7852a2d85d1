"""Services of other clusters, and how `fsm-controller` shares the traffic of a service with them.

A ServiceImport says where the others are reached. It counts with a GlobalTrafficPolicy of its name that is
not of the type `Locality`, and where the controller has `--enable-multi-clusters` (`multicluster.json`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..policy.parts import WeightedCluster
from ..resources.control_plane import MULTI_CLUSTERS, is_true
from ..resources.multicluster import GlobalTrafficPolicy, ServiceImport
from ..resources.words import LoadBalancing
from ..snapshot import CONTROL_PLANE_KINDS
from ..values.construction import frozen
from ..values.net import Address
from .routes import WHOLE_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..resources.multicluster import ImportedEndpoint, ImportedPort
    from ..snapshot import Snapshot

__all__ = ["IMPORT_KINDS", "Import", "Remote", "imports_of", "spread"]

IMPORT_KINDS = (*CONTROL_PLANE_KINDS, ServiceImport, GlobalTrafficPolicy)
"""What the services of other clusters depend on."""


@frozen
class Remote:
    """Where another cluster is reached for a service.

    Attributes:
        key: the cluster; empty for one without a name, which counts as this one.
        weight: its share; None where it is there only if this cluster has no endpoint.
        path: what is put before the path of every request.
    """

    address: Address
    port: int
    key: str
    weight: int | None
    path: str


@frozen(eq=False)
class Import:
    """A service that other clusters have, and the policy that lets them take part."""

    service: ServiceImport
    policy: GlobalTrafficPolicy

    @property
    def is_failover(self) -> bool:
        """Whether the others are there for when this cluster fails."""
        return self.policy.spec.lb_type is LoadBalancing.FAIL_OVER

    @property
    def weights(self) -> Mapping[str, int | None]:
        """The weights of the clusters that the policy names; where it names none, all take part."""
        return {target.cluster_key: target.weight for target in self.policy.spec.targets}

    def address_for(self, number: int, target: int) -> Address | None:
        """What connections to a port may be addressed to: the first address with that target port."""
        port = next(self._with_ends(number), None)
        ends = (it.target for it in port.endpoints) if port else iter(())
        return next((it.ip for it in ends if it.port == target), None)

    def taking_part(self, port: ImportedPort) -> Iterator[ImportedEndpoint]:
        """The ends of a port that are of a cluster which takes part."""
        weights = self.weights
        yield from (it for it in port.endpoints if not weights or it.cluster_key in weights)

    def targets(self, number: int) -> tuple[int, ...]:
        """The target ports of a port, in their order."""
        port = next(self._with_ends(number), None)
        return tuple(dict.fromkeys(it.target.port for it in self.taking_part(port))) if port else ()

    def backends(self, number: int) -> tuple[int, ...]:
        """The target ports that a TrafficSplit leads to; it knows weights of no cluster that has a name."""
        named = {key for key in self.weights if self.is_failover or not key}
        ends = (it for port in self._with_ends(number) for it in port.endpoints)
        return tuple(sorted({it.target.port for it in ends if not named or it.cluster_key in named}))

    def remotes(self, target: int) -> tuple[Remote, ...]:
        """Where connections to a target port end. The controller looks at the first port alone."""
        port = next(self._with_ends(None), None)
        ends = self.taking_part(port) if port else iter(())
        weights = self.weights
        return tuple(
            Remote(
                it.target.ip,
                target,
                it.cluster_key,
                None if self.is_failover and it.cluster_key else weights.get(it.cluster_key) or WHOLE_WEIGHT,
                it.target.path,
            )
            for it in ends
            if it.target.port == target
        )

    def share(self, port: ImportedPort) -> int:
        """The weight of the port's clusters beside this one's: that of the last end counts.

        Of a cluster that the policy names twice it is the first; an endpoint has the last.
        """
        key = port.endpoints[-1].cluster_key
        if self.is_failover and key:
            return 0
        named = (it.weight for it in self.policy.spec.targets if key and it.cluster_key == key)
        return next(named, None) or WHOLE_WEIGHT

    def _with_ends(self, number: int | None) -> Iterator[ImportedPort]:
        for port in self.service.spec.ports:
            if port.endpoints and number in {None, port.port}:
                yield port


def imports_of(snapshot: Snapshot) -> Mapping[tuple[str, str], Import]:
    """The services of other clusters that take part, by namespace and name."""
    return snapshot.once(_imports, IMPORT_KINDS)


def _imports(snapshot: Snapshot) -> Mapping[tuple[str, str], Import]:
    told = snapshot.told(MULTI_CLUSTERS)
    if told and not is_true(told[0]):
        return {}
    policies = {(it.namespace, it.name): it for it in snapshot.kind(GlobalTrafficPolicy)}
    return {
        name: Import(service, policies[name])
        for service in snapshot.kind(ServiceImport)
        for name in ((service.namespace, service.name),)
        if name in policies and policies[name].spec.lb_type is not LoadBalancing.LOCALITY
    }


def spread(
    snapshot: Snapshot, namespace: str, name: str, number: int, local: int | None, weight: int
) -> tuple[WeightedCluster, ...]:
    """The clusters of a TrafficSplit's backend, of which one may be local, with their parts of its weight.

    None where there is none. The parts are whole numbers: what is left over is the later ones'.
    """
    shared = imports_of(snapshot).get((namespace, name))
    others = tuple(it for it in shared.backends(number) if it != local) if shared else ()
    active = [] if local is None else [local]
    spare: Iterable[int] = others
    if shared and not shared.is_failover:
        active, spare = [*active, *others], ()
    found: list[WeightedCluster] = []
    for index, target in enumerate(active):
        part = weight // (len(active) - index)
        weight -= part
        found.append(WeightedCluster(f"{namespace}/{name}|{target}", part))
    return (*found, *(WeightedCluster(f"{namespace}/{name}|{target}", 0) for target in spare))
