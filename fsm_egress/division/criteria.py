"""What a resolved policy looks at, and what a sidecar's scripts look at: the two sides that are compared."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..connections.payloads import HTTPRequest
from ..pipy.outcome import Outcome
from ..pipy.taking import taken_line
from ..policy import Forward
from ..policy.parts import Cluster
from ..resolution.routes import united
from ..resources.checks import LAST_PORT
from ..resources.words import FORWARDED_METHODS, KNOWN_METHODS, Protocol
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.net import Prefix
from ..values.prefix_table import PrefixTable
from .classes import TLS_NAME, Condition, Line, Place, Reading
from .requests import asked_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..patterns import Pattern
    from ..pipy.scripts import Host, Match
    from ..pipy.sidecar import Sidecar
    from ..pipy.taking import Taken
    from ..policy import Interception, OutboundPolicy
    from ..policy.groups import EgressGroup
    from ..policy.parts import HTTPRoute, MeshMatch, VirtualHost

__all__ = ["reading_of_policy", "reading_of_sidecar"]


def reading_of_policy(policy: OutboundPolicy) -> Reading:
    """What a resolved policy looks at (`docs/decision.md`), stage by stage."""
    own = tuple((prefix.first, prefix.last) for prefix in policy.interception.own)
    if policy.interception.without is not None:
        return Reading({}, Line((0,), (Place(),)), _named(policy), own)
    seen = _excluded(policy.interception)
    stages = [*seen, *_not_included(policy.interception)]
    around = _Around(policy.spec.enable_auto_default_route, policy.forward, policy.clusters)
    unclaimed = Place()
    lines = {
        port.port: _line(
            *stages,
            _table(_owned(port.mesh, around)),
            _table(_claimed(port.groups, around)),
            PrefixTable((), _anywhere(port.groups, unclaimed, around)),
        )
        for port in policy.ports
    }
    passed = _line(*seen, PrefixTable((), Place()))
    lines.update((number, passed) for number, _ in policy.interception.excluded_ports if number)
    return Reading(lines, _line(*stages, PrefixTable((), unclaimed)), _named(policy), own)


def _named(policy: OutboundPolicy) -> frozenset[int]:
    """The first address of each range that a policy names."""
    lists = policy.interception
    listed = (prefix for prefix, _ in (*lists.excluded, *lists.included))
    owned = (owner.prefix for port in policy.ports for match in port.mesh for owner in match.owners)
    claimed = (prefix for port in policy.ports for group in port.groups for prefix in group.prefixes)
    return frozenset(prefix.first for prefix in (*listed, *owned, *claimed))


def _line(*layers: PrefixTable[Place | None]) -> Line:
    """The line on which the first layer that has a place counts; the last one has a place everywhere."""
    starts: list[int] = []
    places: list[Place] = []
    for start in sorted(frozenset().union(*(layer.starts for layer in layers))):
        place = next(place for layer in layers for place in (layer.lookup(start),) if place is not None)
        if not places or places[-1] is not place:
            starts.append(start)
            places.append(place)
    return Line(tuple(starts), tuple(places))


def _table(pairs: Iterable[tuple[Prefix, Place]]) -> PrefixTable[Place | None]:
    return PrefixTable(dict[Prefix, "Place | None"](pairs).items(), None)


def _excluded(interception: Interception) -> list[PrefixTable[Place | None]]:
    local = Place()
    return [
        _table((prefix, local) for prefix in interception.local),
        _table((prefix, Place()) for prefix, _ in interception.excluded),
    ]


def _not_included(interception: Interception) -> Iterator[PrefixTable[Place | None]]:
    if interception.included:
        inside: dict[Prefix, Place | None] = dict.fromkeys(prefix for prefix, _ in interception.included)
        yield PrefixTable(inside.items(), Place())


@frozen
class _Around:
    """What decisions by rules depend on besides the rules."""

    default: bool
    forward: Forward | None
    clusters: tuple[Cluster, ...]


def _owned(matches: Iterable[MeshMatch], around: _Around) -> Iterator[tuple[Prefix, Place]]:
    """The place of each in-mesh address; a match has one for each service."""
    for match in matches:
        routed = _routed(match.virtual_hosts, default=around.default)
        places = {owner.rule: evolve(routed, source=(match, owner.rule, around)) for owner in match.owners}
        yield from ((owner.prefix, places[owner.rule]) for owner in match.owners)


def _claimed(groups: Iterable[EgressGroup], around: _Around) -> Iterator[tuple[Prefix, Place]]:
    for group in groups:
        place = _group_place(group, around)
        yield from ((prefix, place) for prefix in group.prefixes)


def _anywhere(groups: Iterable[EgressGroup], unclaimed: Place, around: _Around) -> Place:
    rest = (_group_place(group, around) for group in groups if not group.prefixes)
    return next(rest, unclaimed)


def _group_place(group: EgressGroup, around: _Around) -> Place:
    """A group's place: what its claims list, those too that allow nothing for want of a certificate."""
    source = group, around
    if group.stream:
        return Place(source=source)
    https = (claim for claim in group.claims if claim.protocol is Protocol.HTTPS)
    names = frozenset(host for claim in https for host in claim.hosts)
    place = _routed(group.virtual_hosts, default=around.default)
    if group.first("broken") is None:
        return evolve(place, server_names=names, deciding=_deciding(group), source=source)
    broken = [claim for claim in group.claims if claim.protocol is Protocol.HTTP and claim.broken]
    hosts = dict(place.hosts)
    for host in {host for claim in broken for host in claim.hosts}:
        refused = united(route for claim in broken if host in claim.hosts for route in claim.routes)
        for text in (host, f"{host}:{group.port}"):
            hosts[text] = (*place.conditions(text), *_conditions_of(tuple(refused)))
    return Place(names, hosts, place.otherwise, source=source)


def _deciding(group: EgressGroup) -> dict[str, object]:
    """What decides about each host and server name, which several groups may share."""
    hosts = {name: id(host) for host in group.virtual_hosts for name in host.hostnames}
    if group.any_tls:
        return dict(hosts)
    return {**hosts, **{TLS_NAME + name: id(it) for name, it in group.names.items()}}


def _routed(hosts: Iterable[VirtualHost], *, default: bool) -> Place:
    """The place where the routes of these hosts are looked at; by `default` an unknown one is the first."""
    by_host: dict[str, tuple[Condition, ...]] = {}
    for host in hosts:
        by_host.update(dict.fromkeys(host.hostnames, _conditions_of(host.routes)))
    return Place(frozenset(), by_host, by_host[min(by_host)] if by_host and default else ())


@lru_cache(maxsize=4096)
def _conditions_of(routes: tuple[HTTPRoute, ...]) -> tuple[Condition, ...]:
    return tuple(
        condition
        for route in routes
        for path in (None if route.path.matches_everything else route.path,)
        for condition in _asked(route.methods or FORWARDED_METHODS, path, route.headers)
    )


def _asked(
    methods: tuple[str, ...], path: Pattern | None, headers: tuple[tuple[str, Pattern], ...]
) -> Iterator[Condition]:
    """What is asked of a request that can be; nothing, if a header is asked for that no request can have."""
    unsent = [pattern for name, pattern in headers if not _can_be(headers={name: ""})]
    if all(pattern.search("") for pattern in unsent):
        known = tuple(method for method in KNOWN_METHODS if method in methods)
        sent = tuple(header for header in headers if _can_be(headers={header[0]: ""}))
        yield Condition(known, path, sent)


def _can_be(**parts: Any) -> bool:
    """Whether a request can have these parts: a header of that name, that Host."""
    try:
        HTTPRequest(**parts)
    except InvalidValue:
        return False
    return True


# --- the sidecar -----------------------------------------------------------------------------------------


def reading_of_sidecar(sidecar: Sidecar, *, apart: bool = False) -> Reading:
    """What the scripts look at with a config.

    Args:
        sidecar: with its config.
        apart: whether each match is one by itself, though others do the same with requests to a host.
    """
    nothing = Line((0,), (Place(folds=False),))
    lines = {
        port: _taken_line(sidecar, matches, apart=apart)
        for text, matches in sidecar.config.matches.items()
        for port in (int(text),)
        if 0 < port <= LAST_PORT and str(port) == text  # others are never looked up
    }
    masks = (
        entry.mask
        for matches in sidecar.config.matches.values()
        for match in matches
        for entry in match.ranges or ()
    )
    return Reading(lines, nothing, frozenset(mask.first for mask in masks if mask is not None))


def _taken_line(sidecar: Sidecar, matches: tuple[Match, ...], *, apart: bool) -> Line:
    """The line of a port, cut where another match is taken, or another certificate shown."""
    places: dict[tuple[object, ...], Place] = {}
    starts: list[int] = []
    listed: list[Place] = []
    line = taken_line(matches)
    for start, taken in zip(line.starts, line.values, strict=True):
        key = taken.match, taken.cert
        if key not in places:
            place = _place(sidecar, taken)
            places[key] = place if apart else _shared(sidecar, taken, place)
        if not listed or listed[-1] is not places[key]:
            starts.append(start)
            listed.append(places[key])
    return Line(tuple(starts), tuple(listed))


def _place(sidecar: Sidecar, taken: Taken) -> Place:
    match = taken.match
    if match is None:
        return Place(folds=False)
    rules = match.enforcement
    names = frozenset((rules.server_names if rules else None) or ())
    if not match.routes_requests:
        return Place(names, folds=False)
    hosts = match.hosts or {}
    by_host = {text: _conditions(sidecar, match, host) for text, host in hosts.items() if _can_be_host(text)}
    otherwise: tuple[Condition, ...] = ()
    if hosts and sidecar.config.auto_default_route:
        default = next(iter(hosts.values()))
        otherwise = asked_of(default.service or default.rule_name, _conditions(sidecar, match, default))
    return Place(names, by_host, otherwise, folds=False)


@lru_cache(maxsize=65536)
def _can_be_host(text: str) -> bool:
    return _can_be(host=text)


def _shared(sidecar: Sidecar, taken: Taken, place: Place) -> Place:
    """The place, with what decides about requests to each host, so that other matches may do the same."""
    match = taken.match
    if match is None or not match.routes_requests:
        return place
    way = taken.cert, taken.is_egress, match.protocol, match.gateway, match.asked_of_module
    deciding: dict[str, object] = {}
    for text in place.hosts:
        host = (match.hosts or {})[text]
        rules = tuple([rule.key for rule in (match.rules or {}).get(host.rule_name, ())])
        deciding[text] = way, host.plain, rules
    has_default = bool(match.hosts) and sidecar.config.auto_default_route
    unlisted = None if has_default else (*way, bool(match.hosts))
    return evolve(place, deciding=deciding, unlisted=unlisted)


def _conditions(sidecar: Sidecar, match: Match, host: Host) -> tuple[Condition, ...]:
    """What the rules of a host ask for; nothing where all of them break on a pattern."""
    rules = sidecar.rules(match, host)
    if isinstance(rules, Outcome):
        return ()
    return tuple(
        condition
        for rule in rules
        if rule.breaks or not rule.never
        for condition in (
            _asked(rule.methods, None, ()) if rule.breaks else _asked(rule.methods, rule.path, rule.headers)
        )
    )
