"""What a resolved policy looks at, and what a sidecar's scripts look at: the two sides that are compared."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve

from ..connections.payloads import HTTPRequest
from ..pipy.outcome import Outcome
from ..pipy.taking import is_broken
from ..policy import Forward
from ..policy.parts import MeshMatch
from ..resolution.routes import united
from ..resources.checks import LAST_PORT
from ..resources.words import FORWARDED_METHODS, KNOWN_METHODS, Protocol
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.identity import Memory, Same
from ..values.layered import Layered, parts_of
from ..values.net import IPV6_START, Prefix
from ..values.prefix_table import PrefixTable
from .classes import TLS_NAME, Condition, Line, Place, Reading
from .requests import asked_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..patterns import Pattern
    from ..pipy.rules import ReadRule
    from ..pipy.scripts import Host, Rule
    from ..pipy.sidecar import Sidecar
    from ..pipy.taking import Taken
    from ..policy import Interception, OutboundPolicy
    from ..policy.groups import EgressGroup
    from ..policy.parts import Claim, HTTPRoute, VirtualHost

    Hosts: TypeAlias = Mapping[str, Host]
    Rules: TypeAlias = Mapping[str, tuple[Rule, ...]]

__all__ = ["is_refused_alike", "owner_of", "reading_of_policy", "reading_of_sidecar", "redirected"]


def reading_of_policy(policy: OutboundPolicy) -> Reading:
    """What a resolved policy looks at (`docs/decision.md`), stage by stage."""
    own = tuple((prefix.first, prefix.last) for prefix in policy.interception.own)
    if policy.interception.without is not None:
        return Reading({}, Line((0,), (Place(),)), _named(policy), own)
    seen = _excluded(policy.interception)
    stages = [*seen, *_not_included(policy.interception)]
    around = _Around(policy.spec.enable_auto_default_route, policy.forward)
    unclaimed = Place()
    lines = {
        port.port: _line(
            *stages,
            _table(_owned(port.mesh, around, policy)),
            _table(_claimed(port.groups, groups)),
            PrefixTable((), _anywhere(port.groups, unclaimed, groups)),
        )
        for port in policy.ports
        for groups in (_Groups(around),)
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


def _owned(
    matches: Iterable[MeshMatch], around: _Around, policy: OutboundPolicy
) -> Iterator[tuple[Prefix, Place]]:
    """The place of each in-mesh address; a match has one for each service."""
    for match in matches:
        clusters = tuple([policy.cluster(name) for name in sorted(match.leads_to)])
        it = _routed(match.virtual_hosts, default=around.default)
        places = {
            rule: Place(
                hosts=it.hosts,
                otherwise=it.otherwise,
                routing=it.routing,
                deciding=it.deciding,
                source=(match, rule, around, clusters),
            )
            for rule in dict.fromkeys(owner.rule for owner in match.owners)
        }
        yield from ((owner.prefix, places[owner.rule]) for owner in match.owners)


def owner_of(place: Place) -> MeshMatch | None:
    """The in-mesh match that takes what goes to the addresses of a place of a policy, if one does."""
    match = place.source[0] if place.source else None
    return match if isinstance(match, MeshMatch) else None


def is_refused_alike(one: Place, other: Place) -> bool:
    """Whether the same HTTP service owns two places of policies, and refuses what they do not list."""
    first, second = owner_of(one), owner_of(other)
    if first is None or second is None or not (first.is_http and second.is_http):
        return False
    (_, rule, around, _), (_, other_rule, other_around, _) = one.source, other.source
    is_default = isinstance(around, _Around) and around.default  # then an unknown host is the first one
    return not is_default and (rule, around) == (other_rule, other_around)


def _claimed(groups: Iterable[EgressGroup], places: _Groups) -> Iterator[tuple[Prefix, Place]]:
    for group in groups:
        place = places.of(group)
        yield from ((prefix, place) for prefix in group.prefixes)


def _anywhere(groups: Iterable[EgressGroup], unclaimed: Place, places: _Groups) -> Place:
    rest = (places.of(group) for group in groups if not group.prefixes)
    return next(rest, unclaimed)


class _Groups:
    """The places of a port's groups: what their claims list, those too that allow nothing."""

    def __init__(self, around: _Around) -> None:
        self.around = around
        self.known: Memory[Place] = Memory()
        self.first: dict[Place, tuple[str, ...]] = {}  # of the hosts that a place lists, if it lists any

    def of(self, group: EgressGroup) -> Place:
        """The place of a group."""
        return self.known.once(group, self.made)

    def made(self, group: EgressGroup) -> Place:
        """The same, within that of what lies around, made anew."""
        source = group, self.around
        if group.stream:
            return Place(source=source)
        if group.first("broken") is not None or group.is_entangled:
            return self.whole(group)
        outer = self.of(group.around) if group.around else Place()
        own = {name: _conditions_of(host.routes) for host in group.own_hosts for name in host.hostnames}
        names = _names_of(group.own)
        deciding: dict[str, object] = {
            name: Same(host) for host in group.own_hosts for name in host.hostnames
        }
        if group.any_tls:
            names |= outer.server_names
            deciding.update((TLS_NAME + name, Same(group.any_tls)) for name in names)
        else:
            deciding.update((TLS_NAME + it.host, Same(it)) for it in group.own_names)
        hosts: Mapping[str, tuple[Condition, ...]] = Layered(own, outer.hosts) if group.around else own
        first = min([*own, *self.first.get(outer, ())], default=None)
        place = Place(
            names | outer.server_names,
            hosts,
            hosts[first] if first is not None and self.around.default else (),
            deciding=Layered(deciding, outer.deciding) if group.around else deciding,
            unlisted=None if self.around.default else self.refusing(group),
            source=source,
            around=outer if group.around else None,
            own_hosts=own,
            own_names=names,
        )
        self.first[place] = () if first is None else (first,)
        return place

    def refusing(self, group: EgressGroup) -> object:
        """What decides about requests to hosts that no claim of a group names: by whom they are refused."""
        firsts = group.first("any"), group.first("http"), group.first("stream")
        return (*(Same(claim) for claim in firsts), group.protocols)

    def whole(self, group: EgressGroup) -> Place:
        """The place of a group by itself, with what claims ask that allow nothing without a certificate."""
        place = _routed(group.virtual_hosts, default=self.around.default)
        broken = [claim for claim in group.claims if claim.protocol is Protocol.HTTP and claim.broken]
        hosts = dict(place.hosts)
        for host in {host for claim in broken for host in claim.hosts}:
            refused = united(route for claim in broken if host in claim.hosts for route in claim.routes)
            for text in (host, f"{host}:{group.port}"):
                hosts[text] = (*place.conditions(text), *_conditions_of(tuple(refused)))
        found = Place(_names_of(group.claims), hosts, place.otherwise, source=(group, self.around))
        self.first[found] = tuple(sorted(hosts)[:1])
        return found


def _names_of(claims: Iterable[Claim]) -> frozenset[str]:
    return frozenset(host for claim in claims if claim.protocol is Protocol.HTTPS for host in claim.hosts)


def _routed(hosts: Iterable[VirtualHost], *, default: bool) -> Place:
    """The place where the routes of these hosts are looked at; by `default` an unknown one is the first."""
    by_host: dict[str, tuple[Condition, ...]] = {}
    deciding: dict[str, object] = {}
    for host in hosts:
        by_host.update(dict.fromkeys(host.hostnames, _conditions_of(host.routes)))
        deciding.update(dict.fromkeys(host.hostnames, Same(host)))
    otherwise = by_host[min(by_host)] if by_host and default else ()
    return Place(frozenset(), by_host, otherwise, deciding=deciding)


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


def reading_of_sidecar(sidecar: Sidecar) -> Reading:
    """What the scripts look at with a config; where no match takes a connection, the same on every port."""
    nothing = Place(folds=False)
    lines = {
        port: _taken_line(sidecar, port, Place(folds=False) if is_broken(matches) else nothing)
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
    other = Line((0,), (nothing,))
    return Reading(lines, other, frozenset(mask.first for mask in masks if mask is not None))


def redirected(reading: Reading) -> Reading:
    """What a sidecar looks at of the connections that are redirected to it: none to IPv6 is."""
    unseen = Place()

    def cut(line: Line) -> Line:
        end = bisect_left(line.starts, IPV6_START)
        return Line((*line.starts[:end], IPV6_START), (*line.values[:end], unseen))

    ports = {port: cut(line) for port, line in reading.ports.items()}
    return evolve(reading, ports=ports, other=cut(reading.other))


def _taken_line(sidecar: Sidecar, port: int, nothing: Place) -> Line:
    """The line of a port, cut where another match is taken, or another certificate shown.

    Args:
        sidecar: with a config.
        port: the port.
        nothing: the place where none of them is taken.
    """
    places: dict[tuple[object, ...], Place] = {}
    starts: list[int] = []
    listed: list[Place] = []
    known = _Matches(sidecar, nothing)
    line = sidecar.line(port)
    for start, taken in zip(line.starts, line.values, strict=True):
        key = taken.match, taken.cert
        if key not in places:
            places[key] = known.of(taken)
        if not listed or listed[-1] is not places[key]:
            starts.append(start)
            listed.append(places[key])
    return Line(tuple(starts), tuple(listed))


class _Matches:
    """The places of a port's matches, and that where none of them is taken."""

    def __init__(self, sidecar: Sidecar, nothing: Place) -> None:
        self.sidecar = sidecar
        self.nothing = nothing
        self.around: dict[tuple[object, ...], Place] = {}
        self.named: Memory[dict[str, list[str]]] = Memory()
        self.keys: Memory[tuple[object, ...]] = Memory()
        self.asked: Memory[tuple[Condition, ...]] = Memory()

    def of(self, taken: Taken) -> Place:
        """The place of a match; with what decides about each host, so that others may do the same."""
        match = taken.match
        if match is None:
            return self.nothing
        rules = match.enforcement
        names = frozenset((rules.server_names if rules else None) or ())
        if not match.routes_requests:
            return Place(names, folds=False)
        otherwise: tuple[Condition, ...] = ()
        default = match.first_host if self.sidecar.config.auto_default_route else None
        if default is not None:
            otherwise = asked_of(
                default.service or default.rule_name, self.conditions(default, match.rules or {})
            )
        way = taken.cert, taken.is_egress, match.protocol, match.gateway, match.asked_of_module
        unlisted = None if default is not None else (*way, bool(match.hosts))
        place = self.routed(match.hosts or {}, match.rules or {}, way)
        own_names = names if place.around else frozenset[str]()
        return evolve(place, server_names=names, otherwise=otherwise, unlisted=unlisted, own_names=own_names)

    def routed(self, hosts: Hosts, rules: Rules, way: object) -> Place:
        """The place of hosts with their rules, within what lies around them."""
        outer: Place | None = None
        own: Iterable[str] = hosts
        if isinstance(hosts, Layered) and isinstance(rules, Layered):
            outer = self.outer(hosts.around, rules.around, way)
            known = (self.named.once(part, _by_rule) for part, _ in parts_of(hosts.around))
            own = {
                *hosts.own,
                *(text for by_rule in known for name in rules.own for text in by_rule.get(name, ())),
            }
        listed = {text: hosts[text] for text in own if _can_be_host(text)}
        conditions = {text: self.conditions(host, rules) for text, host in listed.items()}
        deciding: dict[str, object] = {}
        for text, host in listed.items():
            deciding[text] = way, host.plain, self.keys.once(rules.get(host.rule_name, ()), _keys)
        if outer is None:
            return Place(hosts=conditions, folds=False, deciding=deciding)
        return Place(
            hosts=Layered(conditions, outer.hosts),
            folds=False,
            deciding=Layered(deciding, outer.deciding),
            around=outer,
            own_hosts=conditions,
        )

    def outer(self, hosts: Hosts, rules: Rules, way: object) -> Place:
        """The place of what lies around the hosts of several matches, which open connections in one way."""
        key = Same(hosts), Same(rules), way
        if key not in self.around:
            self.around[key] = self.routed(hosts, rules, way)
        return self.around[key]

    def conditions(self, host: Host, rules: Rules) -> tuple[Condition, ...]:
        """What the rules of a host ask for; nothing where all of them break on a pattern."""
        read = self.sidecar.rules(host, rules)
        return () if isinstance(read, Outcome) else self.asked.once(read, _asked_by)


def _by_rule(hosts: Hosts) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text, host in hosts.items():
        found.setdefault(host.rule_name, []).append(text)
    return found


def _keys(rules: tuple[Rule, ...]) -> tuple[object, ...]:
    return tuple([rule.key for rule in rules])


@lru_cache(maxsize=65536)
def _can_be_host(text: str) -> bool:
    return _can_be(host=text)


def _asked_by(rules: tuple[ReadRule, ...]) -> tuple[Condition, ...]:
    return tuple(
        condition
        for rule in rules
        if rule.breaks or not rule.never
        for condition in (
            _asked(rule.methods, None, ()) if rule.breaks else _asked(rule.methods, rule.path, rule.headers)
        )
    )
