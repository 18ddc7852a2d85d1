"""The line of all addresses, cut where what stands on it changes."""

from __future__ import annotations

from bisect import bisect_right
from typing import Generic, TypeVar

from .construction import frozen

__all__ = ["Segments"]

V_co = TypeVar("V_co", covariant=True)


@frozen(eq=False)
class Segments(Generic[V_co]):
    """From the key `starts[i]` on it is `values[i]`; the first is 0. A caller in a hurry inlines `at`."""

    starts: tuple[int, ...]
    values: tuple[V_co, ...]

    def at(self, key: int) -> V_co:
        """What stands at an address, by its key."""
        return self.values[bisect_right(self.starts, key) - 1]
