"""Needs as documents: the Egress policies and HTTPRouteGroups that grant just these.

A grant is for some accounts to reach some hosts, or some ranges, on some ports. As few of these are made as
can be found, so that every account gets what it needs, and nothing that another needs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..connections.payloads import Sends
from ..patterns import parse_pattern
from ..resources.egress import (
    ROUTE_GROUP,
    EgressMatch,
    EgressPolicy,
    EgressPort,
    EgressSource,
    EgressSpec,
)
from ..resources.resource import ObjectMeta, ServiceIdentity
from ..resources.smi import HTTPMatch, HTTPRouteGroup, HTTPRouteGroupSpec
from ..resources.words import Protocol
from ..values.construction import frozen
from ..values.net import Prefix
from .boxes import fewest_boxes
from .paths import covers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..resources.resource import Resource
    from .evidence import Need

__all__ = ["Grant", "Port", "documents", "granted_hosts", "granted_ranges", "merged"]

Port = tuple[int, Protocol]
Route = tuple[str, tuple[str, ...]]
"""The pattern of a path, and the methods."""

_UNSPEAKABLE = re.compile(r"[^a-z0-9]+")
NAMED = 40  # characters of what a name is made of, before it is cut
_API_GROUP = "specs.smi-spec.io/v1alpha4"


@frozen(order=True, cache_hash=True)
class Grant:
    """What one Egress policy grants, each in order.

    Attributes:
        accounts: to whom, `name.namespace`.
        ports: on which ports, each with its protocol.
        hosts: which names; none for ranges.
        ranges: which addresses; none for names.
        routes: which requests; none for all.
    """

    accounts: tuple[str, ...]
    ports: tuple[Port, ...]
    hosts: tuple[str, ...] = ()
    ranges: tuple[Prefix, ...] = ()
    routes: tuple[Route, ...] = ()


_IN_ORDER = attrgetter("accounts", "ports", "hosts", "ranges", "routes")  # quicker than what attrs compares


def granted_hosts(needs: Iterable[Need], *, routes: bool) -> list[Grant]:
    """The grants of what is needed by name: TLS by its server name, HTTP by its host.

    Args:
        needs: those of TLS with a name, and of HTTP.
        routes: whether requests are granted by method and path, or all to a host.
    """
    asked: dict[tuple[str, int, str, str], set[tuple[str, str]]] = defaultdict(set)
    for need in needs:
        asked[need.identity, need.port, need.sends, need.name].add((need.path, need.method))
    return [
        Grant(
            (identity,),
            ((port, Protocol.HTTP if sends == Sends.HTTP.value else Protocol.HTTPS),),
            hosts=(name,),
            routes=_routes(requests) if routes and sends == Sends.HTTP.value else (),
        )
        for (identity, port, sends, name), requests in sorted(asked.items())
    ]


def granted_ranges(ranges: Mapping[tuple[str, int, Protocol], tuple[Prefix, ...]]) -> list[Grant]:
    """The grants of what is needed by address: the ranges of each account on each port."""
    return [
        Grant((identity,), ((port, protocol),), ranges=prefixes)
        for (identity, port, protocol), prefixes in sorted(ranges.items())
    ]


def _routes(requests: Iterable[tuple[str, str]]) -> tuple[Route, ...]:
    """The fewest routes for requests: none whose every request another lets through."""
    methods: dict[str, set[str]] = defaultdict(set)
    for path, method in requests:
        methods[path].add(method)
    left = {
        path: {
            method
            for method in asked
            if not any(wide != path and method in methods[wide] and covers(wide, path) for wide in methods)
        }
        for path, asked in methods.items()
    }
    return tuple((path, tuple(sorted(asked))) for path, asked in sorted(left.items()) if asked)


def merged(grants: Iterable[Grant]) -> list[Grant]:
    """The same grants in as few as can be found: some accounts, hosts and ports each."""
    cells: dict[tuple[Any, Any], set[tuple[str, str, Port]]] = defaultdict(set)
    for grant in grants:
        for account in grant.accounts:
            for host in grant.hosts or ("",):  # which a grant of ranges has none of
                cells[grant.ranges, grant.routes].update((account, host, port) for port in grant.ports)
    found = (
        Grant(
            tuple(sorted(accounts)),
            tuple(sorted(ports)),
            hosts=() if ranges else tuple(sorted(hosts)),
            ranges=ranges,
            routes=routes,
        )
        for (ranges, routes), some in cells.items()
        for accounts, hosts, ports in fewest_boxes(some)
    )
    return sorted(found, key=_IN_ORDER)


def documents(grants: Iterable[Grant], taken: Iterable[tuple[str, str, str]]) -> tuple[Resource, ...]:
    """The documents of grants, each named after what it grants.

    Args:
        grants: what they grant.
        taken: kind, namespace and name of the resources that there are, whose names are not used again.
    """
    used = set(taken)
    made: list[Resource] = []
    groups: dict[tuple[str, tuple[Route, ...]], HTTPRouteGroup] = {}
    for grant in grants:
        first = ServiceIdentity.parse(grant.accounts[0])
        name = _name_of(grant)
        matches: tuple[EgressMatch, ...] = ()
        if grant.routes:
            group = groups.get((first.namespace, grant.routes))
            if group is None:
                group = _route_group(grant.routes, first.namespace, name, used)
                groups[first.namespace, grant.routes] = group
                made.append(group)
            matches = (EgressMatch(_API_GROUP, ROUTE_GROUP, group.name),)
        metadata = ObjectMeta(_free(name, EgressPolicy.kind, first.namespace, used), first.namespace)
        sources = [ServiceIdentity.parse(account) for account in grant.accounts]
        spec = EgressSpec(
            sources=tuple(
                EgressSource("ServiceAccount", source.name, source.namespace) for source in sources
            ),
            hosts=grant.hosts,
            ip_addresses=grant.ranges,
            ports=tuple(EgressPort(number, protocol) for number, protocol in grant.ports),
            matches=matches,
        )
        made.append(EgressPolicy(metadata=metadata, spec=spec))
    return tuple(made)


def _route_group(
    routes: Iterable[Route], namespace: str, name: str, used: set[tuple[str, str, str]]
) -> HTTPRouteGroup:
    matches = tuple(
        HTTPMatch(name=f"route-{number}", path_regex=parse_pattern(path), methods=methods)
        for number, (path, methods) in enumerate(routes, 1)
    )
    free = _free(name, HTTPRouteGroup.kind, namespace, used)
    return HTTPRouteGroup(metadata=ObjectMeta(free, namespace), spec=HTTPRouteGroupSpec(matches=matches))


def _name_of(grant: Grant) -> str:
    """Who and what, in words: `curl-api-stripe-com-443`."""
    account = grant.accounts[0].partition(".")[0] + ("-and-others" if len(grant.accounts) > 1 else "")
    where = grant.hosts[0] if grant.hosts else str(grant.ranges[0])
    more = "-and-others" if len(grant.hosts or grant.ranges) > 1 else ""
    cut = _UNSPEAKABLE.sub("-", where.lower()).strip("-")[:NAMED].strip("-")
    ports = "-".join(str(number) for number, _ in grant.ports[:3])
    return _UNSPEAKABLE.sub("-", f"{account[:NAMED]}-{cut}{more}-{ports}").strip("-")


def _free(name: str, kind: str, namespace: str, used: set[tuple[str, str, str]]) -> str:
    """A name that nothing has yet, and that is taken from now on."""
    free, number = name, 1
    while (kind, namespace, free) in used:
        number += 1
        free = f"{name}-{number}"
    used.add((kind, namespace, free))
    return free
