"""HTTPRouteGroups as the routes of a policy: one form, one order, each route once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ..patterns import Pattern, parse_pattern
from ..policy.parts import HTTPRoute, WeightedCluster
from ..values.references import item_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..policy.parts import RouteKey
    from ..resources.smi import HTTPMatch, HTTPRouteGroup
    from ..values.references import FieldRef

__all__ = [
    "WHOLE_WEIGHT",
    "WILDCARD_PATH",
    "balanced",
    "in_order",
    "routes_of",
    "to_clusters",
    "united",
    "wildcard",
]

WILDCARD_PATH = parse_pattern(".*")
WHOLE_WEIGHT = 100


def wildcard(rule: FieldRef) -> HTTPRoute:
    """The route that takes every request."""
    return HTTPRoute(WILDCARD_PATH, (), (), (), rule)


def routes_of(group: HTTPRouteGroup, rule: FieldRef) -> tuple[HTTPRoute, ...]:
    """The routes that a group contributes to `rule`, without clusters yet."""
    return tuple(
        _route(match, rule, group.at(item_path("spec.matches", index)))
        for index, match in enumerate(group.spec.matches)
    )


def _route(match: HTTPMatch, rule: FieldRef, route: FieldRef) -> HTTPRoute:
    """A match in the form of the sidecar: no path is `.*`, no methods or `*` are any, names in lower case."""
    path = match.path_regex if match.path_regex and match.path_regex.text else WILDCARD_PATH
    methods = () if "*" in match.methods else tuple(sorted(set(match.methods)))
    headers = {name.lower(): value for name, value in match.headers.items()}
    return HTTPRoute(path, methods, tuple(sorted(headers.items(), key=_name)), (), rule, route)


def _name(header: tuple[str, Pattern]) -> str:
    return header[0]


def to_clusters(routes: Iterable[HTTPRoute], *clusters: WeightedCluster) -> tuple[HTTPRoute, ...]:
    """The routes, leading to these clusters."""
    return tuple([HTTPRoute(it.path, it.methods, it.headers, clusters, it.rule, it.route) for it in routes])


def united(routes: Iterable[HTTPRoute]) -> tuple[HTTPRoute, ...]:
    """Each route once, in canonical order; clusters of equal routes come together, the later weight counts.

    The rule of a route is that of the first of its equals (`controller.json`: written once).
    """
    given = tuple(routes)
    if len(given) == 1:
        return given
    found: dict[RouteKey, HTTPRoute] = {}
    for route in given:
        first = found.setdefault(route.key, route)
        if first.clusters != route.clusters:
            weights = {cluster.name: cluster for cluster in (*first.clusters, *route.clusters)}
            found[route.key] = evolve(first, clusters=tuple(weights.values()))
    return in_order(found.values())


def balanced(routes: Iterable[HTTPRoute]) -> tuple[HTTPRoute, ...]:
    """The routes; where the weights of one are all zero, each of its clusters has 100."""
    return tuple([_balanced(route) for route in routes])


def _balanced(route: HTTPRoute) -> HTTPRoute:
    if any(cluster.weight for cluster in route.clusters):
        return route
    return evolve(route, clusters=tuple(evolve(cluster, weight=WHOLE_WEIGHT) for cluster in route.clusters))


def in_order(routes: Iterable[HTTPRoute]) -> tuple[HTTPRoute, ...]:
    """The canonical order of routes (`docs/design.md`)."""
    return tuple(sorted(routes, key=_rank))


def _rank(route: HTTPRoute) -> tuple[bool, str, int, int, tuple[tuple[str, str], ...], tuple[str, ...]]:
    path = route.path.text
    headers = tuple((name, value.text) for name, value in route.headers)
    return path == WILDCARD_PATH.text, path, -len(headers), -len(route.methods), headers, route.methods
