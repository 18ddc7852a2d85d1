"""TrafficSplits as a stock `fsm-controller` reads them (`controller-2.json`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..policy.parts import WeightedCluster
from ..resolution.imports import spread
from ..resolution.inmesh import Backends
from ..resolution.routes import WILDCARD_PATH, balanced, routes_of, to_clusters, united, wildcard
from ..resolution.services import target_port
from ..resources.core import Endpoints, Namespace, Service
from ..resources.smi import HTTPRouteGroup
from ..resources.words import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..policy.parts import HTTPRoute
    from ..resolution.mesh_service import MeshService
    from ..resources.smi import TrafficSplit
    from ..snapshot import Snapshot
    from .stock_view import StockView

__all__ = ["StockBackends", "apex_named", "same_ways"]


class StockBackends(Backends):
    """Where the controller sends a service's traffic."""

    def __init__(self, view: StockView) -> None:
        super().__init__(view.snapshot, [])
        self.view = view
        self.spaces: frozenset[str] = _spaces(view.snapshot)

    def clusters_of(self, service: MeshService) -> tuple[WeightedCluster, ...]:
        """The clusters of a stream service; of one that speaks TLS those of its routes, the last weight."""
        if service.protocol is not Protocol.HTTPS:
            return super().clusters_of(service)
        weights = {cluster.name: cluster for route in self._added(service) for cluster in route.clusters}
        return tuple(weights.values())

    def routes_of(self, service: MeshService) -> tuple[HTTPRoute, ...] | None:
        """The routes of an HTTP service; None where it answers to no host.

        That is so where no route leads to exactly the backends of one of its splits.
        """
        return self._added(service) or None

    def balanced(self, routes: tuple[HTTPRoute, ...]) -> tuple[HTTPRoute, ...]:
        """The routes with the weights that the controller's version gives them."""
        return routes if self.view.version.keeps_zero_weights else super().balanced(routes)

    def answers(self, service: MeshService) -> bool:
        """Whether a service that is routed answers at all."""
        return bool(self._added(service))

    def _added(self, service: MeshService) -> tuple[HTTPRoute, ...]:
        """The routes in the order in which they are added; the first of equals counts."""
        splits = self.splits_of(service)
        everything = wildcard(service.rule)
        if not splits:
            return to_clusters((everything,), *service.clusters)
        ways = [(split, self._listed(service, split)) for split in splits]
        routes: dict[object, HTTPRoute] = {}
        for split, clusters in ways:
            for route in to_clusters(self._split_routes(service, split), *clusters):
                routes.setdefault(self.view.with_headers_as_written(route).key, route)
        if not any(route.path == WILDCARD_PATH for route in routes.values()):
            (rest,) = to_clusters((everything,), *_rest(ways))
            routes[rest.key] = rest
        answers = any(_same(clusters, route.clusters) for _, clusters in ways for route in routes.values())
        return tuple(routes.values()) if answers else ()

    def splits_of(self, service: MeshService) -> list[TrafficSplit]:
        """The TrafficSplits whose apex the controller takes a service for."""
        names = {service.name, f"{service.namespace}/{service.name.rpartition('.')[2]}"}
        return [
            split
            for listed in self.splits.values()
            for split in listed
            if split.namespace == service.namespace and apex_named(split.spec.service, self.spaces) in names
        ]

    def _backends(self, service: MeshService, split: TrafficSplit) -> tuple[WeightedCluster, ...]:
        return tuple({cluster.name: cluster for cluster in self._listed(service, split)}.values())

    def _listed(self, service: MeshService, split: TrafficSplit) -> tuple[WeightedCluster, ...]:
        """The backends in their order, one that is named twice twice."""
        return tuple(
            cluster
            for backend in split.spec.backends
            for cluster in self.parts_of(service, backend.service, backend.weight)[1]
        )

    def parts_of(
        self, service: MeshService, text: str, weight: int
    ) -> tuple[int | None, tuple[WeightedCluster, ...]]:
        """The clusters of a backend with their parts of its weight, and the target port of a local one."""
        before, slash, after = text.partition("/")
        namespace, name = (before, after) if slash else (service.namespace, text)
        target = self._target_port(namespace, name, service.port)
        return target, spread(self.snapshot, namespace, name, service.port, target, weight)

    def _target_port(self, namespace: str, name: str, port: int) -> int | None:
        """A port that the service does not have is looked for without a name."""
        service = self.snapshot.kind(Service).get(namespace, name)
        if service is None:
            return None
        names = (entry.name for entry in service.spec.ports if entry.port == port)
        return target_port(self.snapshot.kind(Endpoints).get(namespace, name), next(names, ""))

    def _split_routes(self, service: MeshService, split: TrafficSplit) -> Iterator[HTTPRoute]:
        """The routes of every group of the name, in whatever namespace."""
        named = [match.name for match in split.spec.matches]
        for group in self.snapshot.kind(HTTPRouteGroup):
            if group.name in named and self.snapshot.monitors(group.namespace):
                yield from routes_of(group, service.rule)


def _rest(ways: Iterable[tuple[TrafficSplit, tuple[WeightedCluster, ...]]]) -> Iterable[WeightedCluster]:
    """Where requests go that no route takes: to the splits without routes, else to all, in equal shares."""
    listed = list(ways)
    plain = [clusters for split, clusters in listed if not split.spec.matches]
    rest: dict[str, WeightedCluster] = {}
    for clusters in plain or [clusters for _, clusters in listed]:
        for cluster in clusters:
            rest.setdefault(cluster.name, cluster if plain else WeightedCluster(cluster.name))
    return rest.values()


def _same(listed: tuple[WeightedCluster, ...], routed: tuple[WeightedCluster, ...]) -> bool:
    """Whether a list is a set of the same clusters and weights; one with repetitions is none."""
    return len(listed) == len(set(routed)) and set(listed) == set(routed)


def _spaces(snapshot: Snapshot) -> frozenset[str]:
    """The namespaces that the controller knows; without Namespace objects those that something is in."""
    given = snapshot.kind(Namespace)
    if len(given):
        return frozenset(space.name for space in given if snapshot.monitors(space.name))
    return frozenset(resource.namespace for resource in snapshot if resource.namespace)


def apex_named(text: str, spaces: frozenset[str]) -> str:
    """The service that `spec.service` of a split names: of `x.y` it is `y` where that is no namespace."""
    parts = text.partition(":")[0].split(".")
    match parts:
        case [_, second] if second not in spaces:
            return second
        case [_, second, space] if space in spaces:
            return second
        case [_, second, _, _] | [_, second, _, _, _, _]:
            return second
    return parts[0]


# --- compared ----------------------------------------------------------------------------------------------


def same_ways(ours: Backends, theirs: StockBackends, service: MeshService) -> bool:
    """Whether a service goes the same ways by both."""
    if not service.is_http:
        alike = dict(_pairs(ours, service)) == dict(_pairs(theirs, service))
        return alike and (not service.is_routed or theirs.answers(service))
    return _ways(ours.routes_of(service)) == _ways(theirs.routes_of(service))


def _pairs(backends: Backends, service: MeshService) -> Iterator[tuple[str, int]]:
    return ((cluster.name, cluster.weight) for cluster in backends.clusters_of(service))


def _ways(routes: Iterable[HTTPRoute] | None) -> dict[object, dict[str, int]] | None:
    if routes is None:
        return None
    return {
        route.key: {cluster.name: cluster.weight for cluster in route.clusters}
        for route in balanced(united(routes))
    }
