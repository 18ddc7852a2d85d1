"""What balancing over clusters and endpoints leads to: ways of some weight, which become one outcome."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm
from operator import attrgetter
from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.decision import Target
from ..values.construction import frozen
from ..values.identity import Memory
from .outcome import Fate, Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

__all__ = ["DEFAULT_WEIGHT", "Way", "mixed", "positive", "spread", "target_of", "united", "weighted"]

DEFAULT_WEIGHT = 100


@frozen
class Way:
    """What balancing leads to with some weight: a target dialled in some way, or an outcome without one."""

    weight: Fraction
    outcome: Outcome
    target: Target | None = None


def positive(weights: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """The names that a balancer ever picks, with their weights."""
    return ((name, weight) for name, weight in weights.items() if weight)


def weighted(ways: Iterable[Way], weight: Fraction) -> Iterator[Way]:
    """The ways, each with so much of its weight."""
    return (Way(way.weight * weight, way.outcome, way.target) for way in ways)


def spread(ways: Collection[Way], targets: Iterable[tuple[Target, int]], unit: Fraction) -> Iterator[Way]:
    """The ways that lead to some target, to each of these instead, with so many units of their weight."""
    known: dict[int, list[Way]] = {}
    for target, count in targets:
        if count not in known:
            known[count] = list(weighted(ways, unit * count))
        for way in known[count]:
            yield Way(way.weight, way.outcome, way.target and target)


@lru_cache(maxsize=4096)
def target_of(address: str) -> Target:
    """The target that a config names: `host:port`, the host perhaps an IPv6 address without brackets."""
    host, _, port = address.rpartition(":")
    return Target(host.strip("[]"), int(port) if port.isdecimal() else 0)


def mixed(ways: Iterable[tuple[Outcome, Target]]) -> Outcome:
    """One outcome for targets that are reached in unlike ways, each with its weight."""
    return united(
        Way(Fraction(target.weight), how, evolve(target, weight=DEFAULT_WEIGHT)) for how, target in ways
    )


def united(ways: Iterable[Way]) -> Outcome:
    """One outcome for all ways that end alike, the most frequent first; the others beside it."""
    listed = list(ways)
    whole = lcm(*(way.weight.denominator for way in listed))
    alike: dict[Outcome, dict[Target | None, int]] = {}
    known: Memory[dict[Target | None, int]] = Memory()  # as there are few outcomes, each of many ways
    for way in listed:
        targets = known.once(way.outcome, lambda it: alike.setdefault(it, {}))
        weight = way.weight.numerator * (whole // way.weight.denominator)
        targets[way.target] = targets.get(way.target, 0) + weight
    total = sum(sum(targets.values()) for targets in alike.values())
    outcomes = [
        evolve(outcome, targets=_targets(targets, whole), share=Fraction(sum(targets.values()), total))
        for outcome, targets in alike.items()
    ]
    if len(outcomes) > 1:
        outcomes.sort(key=lambda outcome: (outcome.fate is not Fate.DIALLED, -outcome.share, str(outcome)))
    return evolve(outcomes[0], others=tuple(outcomes[1:]))


def _targets(weights: Mapping[Target | None, int], whole: int) -> tuple[Target, ...]:
    """Targets with the smallest whole numbers that are their weights, or as many times these."""
    common = gcd(whole, *weights.values())
    found = (_weighing(target, weight // common) for target, weight in weights.items() if target)
    return tuple(sorted(found, key=_ORDER))


def _weighing(target: Target, weight: int) -> Target:
    return target if target.weight == weight else evolve(target, weight=weight)


_ORDER = attrgetter("host", "port", "weight")
