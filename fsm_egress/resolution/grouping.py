"""The claims of a port -> the groups of addresses that the same ones cover, and what they allow together.

The rules are those of `docs/decision.md` (stage 3) and `docs/design.md`. Where claims change, what they come
nowhere near is kept: claims of ranges that share no address, in one step or in several, have no group in
common.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, field

from ..policy.groups import EgressGroup, ServerName
from ..policy.parts import Claim, VirtualHost, WeightedCluster
from ..resources.words import Protocol
from ..values.construction import frozen
from ..values.identity import Memory, Same
from ..values.net import BY_PLACE, LAST_KEY, Prefix
from .routes import to_clusters, united

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..policy.parts import HTTPRoute
    from ..values.references import FieldRef

__all__ = ["NOTHING", "Grouping", "grouped"]

_Layer: TypeAlias = "tuple[EgressGroup, EgressGroup | None]"
"""A group without addresses, and the same at those that it has, if it has any."""
_NO_LAYER = (None, None)


@frozen(eq=False)
class Grouping:
    """The groups of a port, and what they are made of.

    Attributes:
        groups: in canonical order.
    """

    groups: tuple[EgressGroup, ...] = ()
    _claims: tuple[Claim, ...] = field(default=(), repr=False)
    _taken: frozenset[Prefix] = field(default=frozenset(), repr=False)
    _layers: tuple[_Layer, ...] = field(default=(), repr=False)

    @cached_property
    def _known(self) -> Mapping[tuple[Same, ...], _Layer]:
        return {(Same(it[0].around), *map(Same, it[0].own)): it for it in self._layers}

    def layer(self, own: tuple[Claim, ...], around: EgressGroup | None) -> _Layer | tuple[None, None]:
        """What there was of these claims around which that layer lies."""
        known = self._known
        return known.get((Same(around), *map(Same, own)), _NO_LAYER) if known else _NO_LAYER

    def after(
        self, claims: tuple[Claim, ...], taken: frozenset[Prefix]
    ) -> tuple[tuple[Claim, ...], list[_Layer]]:
        """Which of these claims are to be looked at, and the layers of all others, which are as they were."""
        before, now = set(map(id, self._claims)), set(map(id, claims))
        differing = before ^ now
        both = (*claims, *(claim for claim in self._claims if id(claim) not in now))
        everywhere = (claim for claim in both if id(claim) in differing and not claim.prefixes)
        if taken != self._taken or not before or any(True for _ in everywhere):
            return claims, []
        islands = [it for it in _islands(both) if any(id(claim) in differing for claim in it)]
        near = {id(claim) for island in islands for claim in island}
        leads = ((layer, layer[0].own[0]) for layer in self._layers)
        return (
            tuple([claim for claim in claims if not claim.prefixes or id(claim) in near]),
            [layer for layer, lead in leads if lead.prefixes and id(lead) not in near],
        )


NOTHING = Grouping()


def grouped(
    port: int, claims: Iterable[Claim], taken: frozenset[Prefix], before: Grouping = NOTHING
) -> Grouping:
    """The range groups of a port.

    Args:
        port: its number.
        claims: by namespace, name and port of the policy.
        taken: the prefixes of its in-mesh addresses, which no group has.
        before: those of earlier claims: what the same ones still cover is the same object.
    """
    every = tuple(claims)
    again, kept = before.after(every, taken)
    covers = _Covers(again)
    layers = _Layers(port, again, before, kept)
    for cover, prefixes in covers.ranged():
        outer: list[Prefix] = []
        for prefix in prefixes:
            if prefix not in taken and not (outer and outer[-1].covers(prefix)):
                outer.append(prefix)
        if outer:
            layers.put(cover, tuple(outer))
    elsewhere = [layers.layer(covers.anywhere)] if covers.anywhere else []
    ranged = layers.groups(is_alone=not elsewhere)
    ranged.sort(key=lambda group: (-group.size, BY_PLACE(group.prefixes[0])))
    return Grouping((*ranged, *elsewhere), every, taken, tuple(layers.layers))


def _islands(claims: tuple[Claim, ...]) -> list[list[Claim]]:
    """Claims of ranges; those that share an address, in one step or in several, are together."""
    spans = [(prefix.first, prefix.last, at) for at, claim in enumerate(claims) for prefix in claim.prefixes]
    islands = {at: [at] for _, _, at in spans}
    reached, last = -1, 0
    for start, end, at in sorted(spans):
        if start <= reached and islands[last] is not islands[at]:
            small, large = sorted((islands[last], islands[at]), key=len)
            large += small
            islands.update(dict.fromkeys(small, large))
        reached, last = max(reached, end), at
    return [[claims[it] for it in island] for at, island in islands.items() if island[0] == at]


@frozen(eq=False)
class _Cover:
    """The claims that cover some addresses, by their places: its own, and those of what lies around."""

    own: tuple[int, ...]
    around: _Cover | None
    size: int
    mark: int

    def __contains__(self, place: int) -> bool:
        return place in self.own or (self.around is not None and place in self.around)

    def places(self) -> frozenset[int]:
        """All of them."""
        return frozenset(self.own) | (self.around.places() if self.around else frozenset())


class _Covers:
    """The covers of a port's addresses, each once, however it comes about."""

    def __init__(self, claims: tuple[Claim, ...]) -> None:
        self.claims = claims
        self.known: dict[tuple[int, int], list[_Cover]] = {}
        everywhere = tuple(index for index, claim in enumerate(claims) if not claim.prefixes)
        self.anywhere: _Cover | None = None
        if everywhere:
            self.anywhere = self.cover(everywhere, None)

    def cover(self, own: Iterable[int], around: _Cover | None) -> _Cover:
        """The cover of these claims, which are in their order, and those of what lies around."""
        more = tuple(own)
        if around is not None and around is not self.anywhere:  # in which no claim of ranges is
            more = tuple([it for it in more if it not in around])
        if around is not None and not more:
            return around
        size, mark = (around.size, around.mark) if around else (0, 0)
        size, mark = size + len(more), mark + sum(hash((place, place)) for place in more)
        found = _Cover(more, around, size, mark)
        listed = self.known.setdefault((size, mark), [])
        alike = (
            it for it in listed if (it.own == more and it.around is around) or it.places() == found.places()
        )
        same = next(alike, None)
        if same is None:
            listed.append(found)
        return same or found

    def ranged(self) -> Iterable[tuple[_Cover, list[Prefix]]]:
        """Each cover of ranges, with those in their order."""
        own: dict[Prefix, list[int]] = {}
        for index, claim in enumerate(self.claims):
            for prefix in claim.prefixes:
                own.setdefault(prefix, []).append(index)
        inside: list[tuple[int, _Cover | None]] = [(LAST_KEY, self.anywhere)]  # the ends of prefixes
        found: dict[int, tuple[_Cover, list[Prefix]]] = {}
        for prefix in sorted(own, key=BY_PLACE):
            while inside[-1][0] < prefix.first:
                inside.pop()
            cover = self.cover(own[prefix], inside[-1][1])
            inside.append((prefix.last, cover))
            found.setdefault(id(cover), (cover, []))[1].append(prefix)
        return found.values()


class _Layers:
    """The groups of covers, each made of what it adds to the one around it, first without addresses."""

    def __init__(self, port: int, claims: tuple[Claim, ...], before: Grouping, kept: list[_Layer]) -> None:
        self.port = port
        self.claims = claims
        self.before = before
        self.layers = kept
        self.known: Memory[tuple[int, EgressGroup | None]] = Memory()

    def put(self, cover: _Cover, prefixes: tuple[Prefix, ...]) -> None:
        """The group of a cover stands at these addresses; it is the one of before if it stood there, too."""
        at, group = self.known.once(cover, self.found)
        layer, _ = self.layers[at]
        if group is None or group.prefixes != prefixes:
            group = evolve(layer, prefixes=prefixes)
        self.layers[at] = layer, group

    def groups(self, *, is_alone: bool) -> list[EgressGroup]:
        """Those that have addresses; where it is one, and nothing else is there, it says so."""
        placed = [(at, layer, group) for at, (layer, group) in enumerate(self.layers) if group]
        is_only = is_alone and len(placed) == 1
        for at, layer, group in placed:
            if group.is_only is not is_only:
                self.layers[at] = layer, evolve(group, is_only=is_only)
        return [group for _, group in self.layers if group]

    def layer(self, cover: _Cover) -> EgressGroup:
        """The group of a cover without addresses."""
        at, _ = self.known.once(cover, self.found)
        return self.layers[at][0]

    def found(self, cover: _Cover) -> tuple[int, EgressGroup | None]:
        """Which layer it is, as before or worked out, and the group that it was at addresses before."""
        around = self.layer(cover.around) if cover.around else None
        own = tuple([self.claims[place] for place in cover.own])
        layer, group = self.before.layer(own, around)
        self.layers.append((layer or self.laid(own, around), None))
        return len(self.layers) - 1, group

    def laid(self, own: tuple[Claim, ...], around: EgressGroup | None) -> EgressGroup:
        """It without addresses, worked out."""
        group = EgressGroup(self.port, (), own, around, (), ())
        return group if group.stream else self.opened(group)

    def opened(self, group: EgressGroup) -> EgressGroup:
        """The group with what its claims allow of the hosts that its own name; broken ones allow nothing."""
        names: list[ServerName] = []
        hosts: list[VirtualHost] = []
        for protocol, host in sorted(group.named):
            whole = [claim for _, claim in group.naming(protocol, host) if not claim.broken]
            if whole and protocol is Protocol.HTTP:
                routes = (route for claim in whole for route in claim.routes)
                hosts.append(_virtual_host(host, self.port, routes, whole[0].rule))
            elif whole:
                names.append(ServerName(host, self.port, whole[0].rule))
        return evolve(group, own_names=tuple(names), own_hosts=tuple(hosts))


def _virtual_host(host: str, port: int, routes: Iterable[HTTPRoute], rule: FieldRef) -> VirtualHost:
    name = f"{host}:{port}"
    return VirtualHost(host, (host, name), to_clusters(united(routes), WeightedCluster(name)), rule)
