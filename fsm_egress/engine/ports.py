"""The tables of each port, which are laid out when a connection to it is first asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..values.segments import Segments
    from .tables import Leaf

__all__ = ["Line", "Ports", "Shared"]

Line: TypeAlias = "Segments[Leaf]"


class Shared:
    """The line of a port, which is laid out once for all engines that hold it, whichever is asked first.

    Threads that come at once go on with the line of one. What it is made of is held until then.
    """

    __slots__ = ("_lay_out", "_lines")

    def __init__(self, lay_out: Callable[[], Line] | None, *lines: Line) -> None:
        self._lay_out: Callable[[], Line] | None = lay_out
        self._lines: list[Line] = [*lines]

    def line(self) -> Line:
        """What stands at each address."""
        lay_out = self._lay_out
        if lay_out is not None:
            self._lines.append(lay_out())
            self._lay_out = None
        return self._lines[0]

    def __reduce__(self) -> tuple[type[Shared], tuple[Any, ...]]:
        """Pickled whole: what it is made of stays where it is."""
        return Shared, (None, self.line())


class Ports(dict[int, Line]):
    """The line of each port that was asked about; another port is looked up here once, too.

    Attributes:
        named: the ports that a rule names; the changed policy of an engine may share them.
        other: the line of every other port.
    """

    __slots__ = ("named", "other")

    def __init__(self, named: Mapping[int, Shared], other: Line) -> None:
        dict.__init__(self)
        self.named: Mapping[int, Shared] = named
        self.other: Line = other

    def __missing__(self, number: int) -> Line:
        shared = self.named.get(number)
        return self.setdefault(number, self.other if shared is None else shared.line())

    def __reduce__(self) -> tuple[type[Ports], tuple[Any, ...]]:
        return Ports, (self.named, self.other)
