"""What is measured, and how it is said: options in, figures out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

from .timing import measured

if TYPE_CHECKING:
    from .timing import Contender

__all__ = ["Figure", "Measured", "Options", "Row", "figures"]


@frozen
class Options:
    """How much is measured.

    Attributes:
        sizes: numbers of Egress policies.
        rounds: of everything, unless they take too long.
        calls: connections that are decided in a round.
        crowd: policies where the number does not grow.
        seconds: after which no further round of the same contenders begins, once there were three.
    """

    sizes: tuple[int, ...]
    rounds: int
    calls: int = 3_000
    crowd: int = 10_000
    seconds: float = 10.0


@frozen
class Figure:
    """One cell of a table.

    Attributes:
        case: mostly a number of policies.
        ratio: to the first contender of the row; None of that itself.
    """

    row: str
    contender: str
    case: int | str
    value: float
    unit: str
    ratio: float | None


Measured: TypeAlias = "Iterator[Figure | str]"
"""Figures, and notes on what was left out."""


@frozen
class Row:
    """Something that is measured.

    Attributes:
        name: what the command line calls it.
        aim: what is to be reached, in words.
    """

    name: str
    title: str
    aim: str
    run: Callable[[Options], Measured]


def figures(row: str, case: int | str, contenders: Sequence[Contender], options: Options) -> Iterator[Figure]:
    """The contenders timed against the first."""
    for name, timing in measured(contenders, options.rounds, options.seconds).items():
        is_first = name == contenders[0].name
        yield Figure(row, name, case, timing.nanoseconds, "ns", None if is_first else timing.ratio)
