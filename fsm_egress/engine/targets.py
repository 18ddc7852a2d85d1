"""Where connections into the mesh go, and in what proportion."""

from __future__ import annotations

from math import gcd, lcm
from operator import attrgetter
from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.decision import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from ..policy import Cluster

__all__ = ["streamed", "targets_of"]

SOCKET = attrgetter("host", "port")
STREAM_WEIGHT = 100  # of an endpoint that has none


def streamed(clusters: Iterable[tuple[Cluster, int]]) -> list[tuple[Cluster, int]]:
    """Clusters as streams are shared over them: an endpoint without weight counts as any other."""
    return [
        (cluster if all(it.weight for it in cluster.endpoints) else _evenly(cluster), share)
        for cluster, share in clusters
    ]


def _evenly(cluster: Cluster) -> Cluster:
    endpoints = (evolve(it, weight=it.weight or STREAM_WEIGHT) for it in cluster.endpoints)
    return evolve(cluster, endpoints=tuple(endpoints))


def targets_of(clusters: Sequence[tuple[Cluster, int]]) -> tuple[Target, ...]:
    """All endpoints of weighted clusters, with whole weights in proportion; no weight, no target."""
    if len(clusters) == 1:
        ((only, weight),) = clusters
        if weight and len({endpoint.weight for endpoint in only.endpoints}) == 1:
            part = weight // gcd(weight, len(only.endpoints))
            return tuple([Target(it.host, it.port, part) for it in sorted(only.endpoints, key=SOCKET)])
    from fractions import Fraction  # noqa: PLC0415  # because most targets have one share

    shares: dict[tuple[str, int], Fraction] = {}
    for cluster, weight in clusters:
        total = sum(endpoint.weight for endpoint in cluster.endpoints)
        for endpoint in cluster.endpoints:
            place = endpoint.host, endpoint.port
            shares[place] = shares.get(place, Fraction(0)) + Fraction(weight * endpoint.weight, total)
    scale = lcm(*(share.denominator for share in shares.values()))
    return tuple(
        Target(host, port, int(share * scale)) for (host, port), share in sorted(shares.items()) if share
    )
