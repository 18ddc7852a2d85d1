"""The order that a stock `fsm-controller` gives to matches and routes, by comparisons that are no order."""

from __future__ import annotations

from operator import gt
from typing import TYPE_CHECKING, Any, TypeVar

from ..resolution.routes import WILDCARD_PATH, in_order
from ..values.net import Address, Prefix, parse_prefix
from .stock_view import is_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..policy.parts import HTTPRoute

__all__ = ["RANGES", "matches_in_order", "routes_in_order"]

RANGES = "DestinationIPRanges"
ADDRESS_BYTES = {4: 4, 6: 16}

T = TypeVar("T")
Wire = dict[str, Any]


def routes_in_order(routes: Iterable[HTTPRoute]) -> tuple[HTTPRoute, ...]:
    """The routes of a host, each once, of those that are added one after the other.

    They are in canonical order, unless paths differ in the case of letters only.
    """
    added: dict[object, HTTPRoute] = {}
    for route in routes:
        added.setdefault(route.key, route)
    paths = {route.path.text for route in added.values()}
    if len({path.lower() for path in paths}) == len(paths):
        return in_order(added.values())
    return tuple(_sorted(list(added.values()), _route_first))


def _route_first(one: HTTPRoute, other: HTTPRoute) -> bool:
    path, others = one.path.text, other.path.text
    if path.lower() == others.lower():
        return len(one.headers) > len(other.headers) or len(one.methods) > len(other.methods)
    if WILDCARD_PATH.text in {path, others}:
        return others == WILDCARD_PATH.text
    return path < others


def matches_in_order(matches: Iterable[Wire]) -> list[Wire]:
    """The matches of a port, those with ranges first.

    Where ranges of two matches overlap, the order decides, and the controller's own sort is followed: by the
    ranges in pairs, the longest first, and then by their number. Elsewhere it is chance.
    """
    listed = list(matches)
    ranged = [match for match in listed if match[RANGES]]
    rest = [match for match in listed if not match[RANGES]]
    if all(is_range(text) for match in ranged for text in match[RANGES]):
        prefixes = [[parse_prefix(text) for text in match[RANGES]] for match in ranged]
        if _overlap(prefixes):
            ranks = [(_rank(own), match) for own, match in zip(prefixes, ranged, strict=True)]
            ranged = [match for _, match in _sorted(ranks, _match_first)]
    return [*ranged, *rest]


def _overlap(matches: Iterable[Iterable[Prefix]]) -> bool:
    """Whether a range of one match lies inside a range of another."""
    ranges = sorted((prefix, index) for index, own in enumerate(matches) for prefix in own)
    around: list[tuple[Prefix, int]] = []
    for prefix, index in ranges:
        while around and not around[-1][0].covers(prefix):
            around.pop()
        if around and around[-1][1] != index:
            return True
        around.append((prefix, index))
    return False


_Rank = list[tuple[int, bytes]]


def _rank(prefixes: Iterable[Prefix]) -> _Rank:
    """What the controller compares: lengths, then addresses byte by byte, the greatest first."""
    ranks = ((prefix.length, _bytes(prefix.network)) for prefix in prefixes)
    return sorted(ranks, reverse=True)


def _bytes(address: Address) -> bytes:
    return address.value.to_bytes(ADDRESS_BYTES[address.version], "big")


def _match_first(one: tuple[_Rank, Wire], other: tuple[_Rank, Wire]) -> bool:
    """The controller's comparison, which is no order: of two matches, each may come first."""
    return any(map(gt, one[0], other[0])) or len(one[0]) > len(other[0])


def _sorted(items: list[T], comes_first: Callable[[T, T], bool]) -> list[T]:
    """What Go's sort makes of few items: an insertion sort."""
    placed: list[T] = []
    for item in items:
        place = len(placed)
        while place and comes_first(item, placed[place - 1]):
            place -= 1
        placed.insert(place, item)
    return placed
