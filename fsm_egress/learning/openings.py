"""What grants open beyond what was seen: which addresses, and which requests to which hosts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ..values.construction import frozen
from ..values.net import Prefix, rest_of_run, summarize
from .documents import Grant

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from .grants import Granted

__all__ = ["Opening", "openings_of"]

NOTHING_MORE = "nothing beyond what was seen"
LISTED = 16  # addresses, hosts or routes that a text names before it counts the rest


@frozen(order=True)
class Opening:
    """What a grant opens beyond what was seen.

    Attributes:
        beyond: how many addresses not all of the accounts were seen to reach, on each of the ports; infinite
            where a name stands for whatever address has it.
        grant: the grant.
        text: in words; a long list is cut short.
        addresses: which addresses these are, as the fewest prefixes.
    """

    beyond: float
    grant: Grant
    text: str
    addresses: tuple[Prefix, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        """The opening for machines: nothing is cut short."""
        return {
            "beyond": None if self.beyond == float("inf") else int(self.beyond),
            "addresses": list(map(str, self.addresses)),
            "hosts": list(self.grant.hosts),
            "routes": [{"path": path, "methods": list(methods)} for path, methods in self.grant.routes],
            "text": self.text,
        }

    def __str__(self) -> str:
        return self.text


def openings_of(learned: Granted) -> Iterator[Opening]:
    """What each grant opens beyond what was seen."""
    reached: dict[tuple[str, int], set[int]] = defaultdict(set)
    for need in learned.needs:
        reached[need.identity, need.port].add(need.address)
    for grant in learned.grants:
        ports = ", ".join(f"{number} ({protocol})" for number, protocol in grant.ports)
        if grant.ranges:
            seen = set.intersection(
                *(reached[account, number] for account in grant.accounts for number, _ in grant.ports)
            )
            others = tuple(_but(grant.ranges, seen))
            count = sum(prefix.size for prefix in others)
            more = f"{count} addresses beyond those seen: {_listed(others)}" if count else NOTHING_MORE
            yield Opening(count, grant, f"{_listed(grant.ranges)} on port {ports}: {more}", others)
            continue
        routes = [f"{'/'.join(methods)} {path}" for path, methods in grant.routes]
        asked = f"{_listed(routes)}, " if routes else ""
        text = f"{_listed(grant.hosts)} on port {ports}: {asked}at whatever address has the name"
        yield Opening(float("inf"), grant, text)


def _but(ranges: Iterable[Prefix], seen: Collection[int]) -> Iterator[Prefix]:
    """The addresses of ranges without some, given by their keys."""
    keys = sorted(seen)
    for prefix in ranges:
        inside = keys[bisect_left(keys, prefix.first) : bisect_right(keys, prefix.last)]
        for run in rest_of_run(zip(inside, inside, strict=True), prefix.first, prefix.last):
            yield from summarize(*run)


def _listed(values: Sequence[object]) -> str:
    """The values in a row, the first ones if there are many."""
    more = [f"{len(values) - LISTED} more"] if len(values) > LISTED else []
    return ", ".join([*map(str, values[:LISTED]), *more])
