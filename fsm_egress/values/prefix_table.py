"""The table of the longest prefix: from the key of an address to a value."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, TypeVar

from .construction import frozen
from .errors import InvalidValue
from .net import BY_PLACE, GAP_END, GAP_START, LAST_KEY, Prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["PrefixTable"]

V = TypeVar("V")


@frozen(init=False)
class PrefixTable(Generic[V]):
    """From the key of an address to the value of the longest prefix that holds it, else the default.

    The line is cut where the value changes: from `starts[i]` up to the next start it is `values[i]`. The same
    value object on both sides of a cut makes no cut. Each start is the key of an address, as the gap of the
    mapped addresses counts to what is before it. A caller in a hurry inlines `lookup`.

    Attributes:
        starts: the keys where the line is cut, ascending; the first is 0.
        values: the value that holds from each start on.

    Raises:
        InvalidValue: a prefix is given twice.
    """

    starts: tuple[int, ...]
    values: tuple[V, ...]

    def __init__(self, pairs: Iterable[tuple[Prefix, V]], default: V) -> None:
        starts, values = _line(sorted(pairs, key=lambda pair: BY_PLACE(pair[0])), default)
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "values", values)

    def lookup(self, key: int) -> V:
        """The value at the key of an address."""
        return self.values[bisect_right(self.starts, key) - 1]

    def intervals(self) -> Iterator[tuple[int, int, V]]:
        """The pieces of the whole line in order: first key, last key, value."""
        for (start, end), value in zip(pairwise([*self.starts, LAST_KEY + 1]), self.values, strict=True):
            yield start, end - 1, value

    def __repr__(self) -> str:
        return f"<PrefixTable of {len(self.starts)} intervals>"


def _line(pairs: Iterable[tuple[Prefix, V]], default: V) -> tuple[tuple[int, ...], tuple[V, ...]]:
    """Where the line is cut by prefixes in their order, and the value from each cut on."""
    starts, values = [0], [default]
    around: list[tuple[int, V]] = [(LAST_KEY + 1, default)]  # the prefixes around the place: end and value
    last, length = -1, -1

    def cut(start: int, value: V) -> None:
        if starts[-1] == start:
            starts.pop()
            values.pop()
        if not values or values[-1] is not value:
            starts.append(start)
            values.append(value)

    for prefix, value in pairs:
        first = prefix.first
        if first == last and prefix.length == length:
            raise InvalidValue.of("each prefix once", str(prefix))
        last, length = first, prefix.length
        while around[-1][0] <= first:
            end, _ = around.pop()
            cut(end, around[-1][1])
        cut(first, value)
        end = prefix.last + 1
        around.append((GAP_END if end == GAP_START else end, value))
    while around:
        end, _ = around.pop()
        if end <= LAST_KEY:
            cut(end, around[-1][1])
    return tuple(starts), tuple(values)
