"""The tables of each port, which are laid out when a connection to it is first asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..values.segments import Segments
    from .tables import Leaf

__all__ = ["Line", "Ports"]

Line: TypeAlias = "Segments[Leaf]"


class Ports(dict[int, Line]):
    """The line of each port that was asked about; another port is looked up here once, too.

    What is laid out only depends on what was given: threads that come at once go on with the line of one.

    Attributes:
        waiting: the ports that are not laid out yet.
        lay_out: the line of one of these, which holds on to all that it is made of.
        other: the line of every port that no rule names.
    """

    __slots__ = ("lay_out", "other", "waiting")

    def __init__(
        self,
        numbers: Iterable[int],
        lay_out: Callable[[int], Line] | None,
        other: Line,
        known: Mapping[int, Line] | None = None,
    ) -> None:
        dict.__init__(self, known or {})
        self.other: Line = other
        self.waiting: set[int] = {*numbers}.difference(self)
        self.lay_out: Callable[[int], Line] | None = lay_out if self.waiting else None

    def __missing__(self, number: int) -> Line:
        lay_out = self.lay_out
        if lay_out is None or number not in self.waiting:
            return self.setdefault(number, self.other)
        line = self.setdefault(number, lay_out(number))
        self.waiting.discard(number)
        if not self.waiting:
            self.lay_out = None
        return line

    def __reduce__(self) -> tuple[type[Ports], tuple[Any, ...]]:
        """Pickled whole: what it is made of stays where it is."""
        for number in tuple(self.waiting):
            self[number]
        named = {number: line for number, line in self.items() if line is not self.other}
        return Ports, ((), None, self.other, named)
