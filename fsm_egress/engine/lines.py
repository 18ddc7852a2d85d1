"""Lines of addresses laid one over the other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, TypeVar

from ..values.net import LAST_KEY
from ..values.segments import Segments

if TYPE_CHECKING:
    from ..values.prefix_table import PrefixTable

__all__ = ["cut", "over"]

V = TypeVar("V")


def cut(table: PrefixTable[V]) -> Segments[V]:
    """The line of a table of prefixes."""
    return Segments(table.starts, table.values)


def over(top: Segments[V | None], bottom: Segments[V]) -> Segments[V]:
    """The values of `top` where it has any, else those of `bottom`."""
    if top.values == (None,):
        return bottom
    starts: list[int] = []
    values: list[V] = []
    for start, end, value in zip(top.starts, (*top.starts[1:], LAST_KEY + 1), top.values, strict=True):
        if value is None:
            first = bisect_right(bottom.starts, start) - 1
            last = bisect_left(bottom.starts, end)
            pieces = bottom.values[first:last]
            places = (start, *bottom.starts[first + 1 : last])
        else:
            pieces, places = (value,), (start,)
        same = bool(values) and values[-1] is pieces[0]
        starts.extend(places[same:])
        values.extend(pieces[same:])
    return Segments(tuple(starts), tuple(values))
