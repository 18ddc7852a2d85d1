"""How likely the next connection goes to a destination that was never seen: the Good-Turing estimate.

Of `n` connections the share that goes to what was seen once is what new ones are expected to bring (Good,
"The population frequencies of species and the estimation of population parameters", 1953). The interval is
Esty's ("A normal limit law for a nonparametric estimator of the coverage of a random sample", 1983), widened
for samples in which few destinations, or nearly all, were seen once. Both take connections as drawn
independently, which those of a day are only roughly.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from ..values.construction import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Unseen"]

Z = 1.96  # of a normal distribution: 95 of 100 lie within
SPARSE = 100  # connections: the interval of fewer says little


@frozen
class Unseen:
    """The chance that the next connection is to a destination never seen.

    Attributes:
        connections: how many were seen.
        destinations: to how many destinations they went.
        estimate: the chance, 0 to 1; 1 where nothing was seen.
        low: where the interval of 95 % begins.
        high: where it ends.
    """

    connections: int
    destinations: int
    estimate: float
    low: float
    high: float

    @classmethod
    def of(cls, counts: Iterable[int]) -> Unseen:
        """The chance after so many connections to each destination, each at least one."""
        total, destinations, once, twice = 0, 0, 0, 0
        for count in counts:
            total += count
            destinations += 1
            once += count == 1
            twice += count == 2  # noqa: PLR2004  # because the estimate looks at what was seen twice
        if not total:
            return cls(0, 0, 1.0, 0.0, 1.0)
        estimate = once / total
        spread = Z * sqrt(once + 2 * (twice + 1) - once * estimate + Z * Z / 4) / total
        high = estimate + spread + Z * Z / 4 / total
        return cls(total, destinations, estimate, max(0.0, estimate - spread), min(1.0, high))

    @property
    def sparse(self) -> bool:
        """Whether too little was seen to go by."""
        return self.connections < SPARSE

    def __str__(self) -> str:
        told = f"{_percent(self.estimate)} ({_percent(self.low)} to {_percent(self.high)})"
        return f"{told}, of {self.connections} connections only" if self.sparse else told


def _percent(share: float) -> str:
    """A share in words: two digits that count."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 or not percent else f"{percent:.2g} %"  # noqa: PLR2004  # because from 10 on two digits are whole
