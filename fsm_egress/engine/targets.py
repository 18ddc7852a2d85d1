"""Where weighted clusters lead: their endpoints, each with its share, which may hang on the age of pods."""

from __future__ import annotations

from math import gcd, lcm
from operator import attrgetter
from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.decision import ByAge, Target
from ..policy.parts import Growth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from fractions import Fraction

    from ..policy.parts import Cluster, Endpoint

    Place = tuple[str, int]

__all__ = ["streamed", "targets_of"]

SOCKET = attrgetter("host", "port")
STREAM_WEIGHT = 100  # of an endpoint that has none


def targets_of(clusters: Sequence[tuple[Cluster, int]]) -> tuple[Target, ...]:
    """All endpoints of weighted clusters, with whole weights in proportion; no weight, no target."""
    grows = any(it.growth for cluster, _ in clusters for it in cluster.endpoints)
    if len(clusters) == 1 and not grows:
        ((only, weight),) = clusters
        weights = {endpoint.weight for endpoint in only.endpoints}
        if weight and len(weights) == 1 and weights != {0}:
            part = weight // gcd(weight, len(only.endpoints))
            return tuple([Target(it.host, it.port, part) for it in sorted(only.endpoints, key=SOCKET)])
    from fractions import Fraction  # noqa: PLC0415  # because most targets have one share

    shares: dict[Place, Fraction] = {}
    leading: list[tuple[Cluster, int]] = []
    for cluster, weight in clusters:
        total = sum(endpoint.weight for endpoint in cluster.endpoints)
        if not total:
            continue
        leading.append((cluster, weight))
        for endpoint in cluster.endpoints:
            place = endpoint.host, endpoint.port
            shares[place] = shares.get(place, Fraction(0)) + Fraction(weight * endpoint.weight, total)
    scale = lcm(*(share.denominator for share in shares.values()))
    whole = sum(weight for _, weight in leading)
    by_age = _by_age(leading, whole) if grows and whole else {}
    return tuple(
        Target(*place, int(share * scale), by_age.get(place))
        for place, share in sorted(shares.items())
        if share
    )


def streamed(clusters: Iterable[tuple[Cluster, int]]) -> list[tuple[Cluster, int]]:
    """Clusters as streams are shared over them: an endpoint without weight counts as any other."""
    return [
        (cluster if all(_least(it) for it in cluster.endpoints) else _evenly(cluster), share)
        for cluster, share in clusters
    ]


def _evenly(cluster: Cluster) -> Cluster:
    return evolve(cluster, endpoints=tuple([_as_any_other(it) for it in cluster.endpoints]))


def _as_any_other(endpoint: Endpoint) -> Endpoint:
    growth = endpoint.growth
    if growth and not growth.least:
        growth = Growth(1, max(growth.most, STREAM_WEIGHT))
    return evolve(endpoint, weight=endpoint.weight or STREAM_WEIGHT, growth=growth)


def _least(endpoint: Endpoint) -> int:
    return endpoint.growth.least if endpoint.growth else endpoint.weight


def _most(endpoint: Endpoint) -> int:
    return endpoint.growth.most if endpoint.growth else endpoint.weight


def _by_age(clusters: Sequence[tuple[Cluster, int]], whole: int) -> Mapping[Place, ByAge]:
    """What part of the connections each place gets at least, and at most, whatever the ages of the pods.

    A pod gets least while it is young and the others of its cluster are not; a cluster keeps its own part.
    """
    from fractions import Fraction  # noqa: PLC0415  # because few shares grow

    bounds: dict[Place, tuple[Fraction, Fraction]] = {}
    for cluster, weight in clusters:
        part = Fraction(weight, whole)
        all_least, all_most = sum(map(_least, cluster.endpoints)), sum(map(_most, cluster.endpoints))
        for endpoint in cluster.endpoints:
            least, most = _least(endpoint), _most(endpoint)
            others_least, others_most = all_least - least, all_most - most
            low, high = bounds.get((endpoint.host, endpoint.port), (Fraction(0), Fraction(0)))
            bounds[endpoint.host, endpoint.port] = (
                low + part * (Fraction(least, least + others_most) if others_most else 1),
                high + part * (Fraction(most, most + others_least) if others_least else 1),
            )
    return {place: ByAge(low, high) for place, (low, high) in bounds.items() if low < high}
