"""The fewest addresses that a bounded number of ranges opens around those that were seen: an exact optimum.

Each range of an optimal set is the longest prefix around the addresses that it is there for, so it is a node
of the tree of their common prefixes. A node is either a range itself, or its two sides share what ranges
there are: a dynamic programme over the tree, whose cost is the addresses times the ranges.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeAlias

from attrs import field

from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.net import IPV6_START, LAST_KEY, Address, Prefix

__all__ = ["WIDEST", "fewest_addresses"]

WIDEST = (Prefix("0.0.0.0/24"), Prefix("::/64"))

# How many addresses are opened by some ranges, and how many of these go to the left side: 0 for one range
# around both. The first entry is for one range.
_Costs: TypeAlias = "list[tuple[int, int] | None]"


@frozen(eq=False)
class _Node:
    """The addresses that share a prefix, in two sides unless there is but one."""

    around: Prefix | None
    costs: _Costs = field(repr=False)
    sides: tuple[_Node, ...] = ()


def fewest_addresses(
    seen: Collection[Address],
    ranges: int,
    *,
    widest: Iterable[Prefix] = WIDEST,
    never: Iterable[Prefix] = (),
) -> tuple[Prefix, ...]:
    """The ranges, at most so many, that hold every address seen and the fewest others; in order.

    Among sets that open equally few, one of the fewest ranges is given, always the same for the same
    addresses.

    Args:
        seen: the addresses to hold, in any order.
        ranges: how many there may be, at least 1.
        widest: for IPv4 and for IPv6, a prefix as long as the shortest that is allowed.
        never: what no range may touch, such as the mesh's own services and pods.

    Raises:
        InvalidValue: no such set exists: there are too few ranges for addresses that lie so far apart, or one
            of them is among those that may never be opened.
    """
    keys = sorted({address.key for address in seen})
    if not keys:
        return ()
    shortest = {prefix.version: prefix.length for prefix in widest}
    tree = _Tree(keys, ranges, shortest, _merged(never))
    forbidden = next((key for key in keys if tree.touched(key, key)), None)
    if forbidden is not None:
        expected = "an address that may be opened"
        raise InvalidValue.of(expected, str(Address.from_key(forbidden)))
    root = tree.root()
    possible = [(cost[0], count) for count, cost in enumerate(root.costs, 1) if cost]
    if not possible:
        needed = _Tree(keys, len(keys), shortest, tree.never).root()
        least = next(count for count, cost in enumerate(needed.costs, 1) if cost)
        raise InvalidValue.of(f"at least {least} ranges", ranges, proposal=str(least))
    _, count = min(possible)
    return tuple(_chosen(root, count))


def _merged(prefixes: Iterable[Prefix]) -> Sequence[tuple[int, int]]:
    """The keys that prefixes hold, as runs in order that do not meet."""
    runs: list[tuple[int, int]] = []
    for prefix in sorted(prefixes):
        if runs and prefix.first <= runs[-1][1]:
            continue  # prefixes lie apart or inside one another
        runs.append((prefix.first, prefix.last))
    return runs


@frozen(eq=False)
class _Tree:
    """Addresses in order, and what ranges around them may be."""

    keys: Sequence[int]
    ranges: int
    shortest: dict[int, int]
    never: Sequence[tuple[int, int]]

    def touched(self, first: int, last: int) -> bool:
        """Whether some key from `first` to `last` may never be opened."""
        at = bisect_left(self.never, (first, LAST_KEY + 1))
        before = at > 0 and self.never[at - 1][1] >= first
        return before or (at < len(self.never) and self.never[at][0] <= last)

    def root(self) -> _Node:
        """The tree of all addresses; IPv4 and IPv6 have no prefix in common."""
        border = bisect_left(self.keys, IPV6_START)
        sides = [self.node(*part) for part in ((0, border), (border, len(self.keys))) if part[0] < part[1]]
        return sides[0] if len(sides) == 1 else _Node(None, self.shared(*sides), tuple(sides))

    def node(self, low: int, high: int) -> _Node:
        """The tree of the addresses from `low` up to `high`, of one family."""
        first, last = self.keys[low], self.keys[high - 1]
        host = Prefix.host(Address.from_key(first))
        if first == last:
            return _Node(host, [(1, 0)])
        apart = (
            first ^ last if first < IPV6_START else (first - IPV6_START) ^ (last - IPV6_START)
        ).bit_length()
        around = Prefix.around(Address.from_key(first), host.length - apart)
        middle = bisect_left(self.keys, around.first + around.size // 2, low, high)
        sides = self.node(low, middle), self.node(middle, high)
        costs = self.shared(*sides)
        if around.length >= self.shortest[around.version] and not self.touched(around.first, around.last):
            costs[0] = (around.size, 0)
        return _Node(around, costs, sides)

    def shared(self, left: _Node, right: _Node) -> _Costs:
        """The least cost of each number of ranges, where each side has some of them."""
        most = min(self.ranges, len(left.costs) + len(right.costs))
        costs: _Costs = [None] * most
        for some, one in enumerate(left.costs, 1):
            if one is None:
                continue
            for others, other in enumerate(right.costs[: max(0, most - some)], 1):
                if other is None:
                    continue
                cost = one[0] + other[0]
                known = costs[some + others - 1]
                if known is None or cost < known[0]:
                    costs[some + others - 1] = (cost, some)
        return costs


def _chosen(node: _Node, ranges: int) -> Iterator[Prefix]:
    """The ranges that the least cost of a node stands for."""
    cost = node.costs[ranges - 1]
    assert cost is not None  # noqa: S101  # because only what has a cost was chosen
    if not cost[1]:
        assert node.around is not None  # noqa: S101  # because the two families share no range
        yield node.around
        return
    left, right = node.sides
    yield from _chosen(left, cost[1])
    yield from _chosen(right, ranges - cost[1])
