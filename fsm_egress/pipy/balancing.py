"""What balancing over clusters and endpoints leads to: ways of some weight, which become one outcome."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.decision import Target
from ..values.construction import frozen
from .outcome import Fate, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["DEFAULT_WEIGHT", "Way", "mixed", "positive", "target_of", "united", "weighted"]

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
    return (evolve(way, weight=way.weight * weight) for way in ways)


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
    alike: dict[Outcome, dict[Target | None, Fraction]] = {}
    for way in ways:
        targets = alike.setdefault(way.outcome, {})
        targets[way.target] = targets.get(way.target, Fraction(0)) + way.weight
    total = sum(sum(targets.values()) for targets in alike.values())
    first, *others = (
        evolve(outcome, targets=_targets(targets), share=Fraction(sum(targets.values())) / total, others=())
        for outcome, targets in alike.items()
    )
    if not others:
        return first
    first, *others = sorted(
        [first, *others],
        key=lambda outcome: (outcome.fate is not Fate.DIALLED, -outcome.share, str(outcome)),
    )
    return evolve(first, others=tuple(others))


def _targets(weights: Mapping[Target | None, Fraction]) -> tuple[Target, ...]:
    scale = lcm(*(weight.denominator for weight in weights.values()))
    return tuple(
        sorted(evolve(target, weight=int(weight * scale)) for target, weight in weights.items() if target)
    )
