"""The chance of a destination never seen, against universes in which it is known."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from random import Random

import pytest

from fsm_egress.learning.unseen import Unseen

UNIVERSES = {
    "alike": [1.0] * 1_000,
    "few": [1.0] * 5,
    "zipf": [1 / rank for rank in range(1, 201)],
    "geometric": [0.8**rank for rank in range(60)],
    "one that is nearly all": [1_000.0] + [1.0] * 50,
}


def test_the_estimate_is_the_share_of_what_was_seen_once() -> None:
    unseen = Unseen.of([1, 1, 2, 6])
    assert (unseen.connections, unseen.destinations, unseen.estimate) == (10, 4, 0.2)
    assert 0 <= unseen.low < 0.2 < unseen.high <= 1


def test_after_nothing_everything_is_new() -> None:
    assert Unseen.of([]) == Unseen(0, 0, 1.0, 0.0, 1.0)


def test_what_is_sparse_is_said_to_be() -> None:
    assert str(Unseen.of([1, 1, 2, 6])) == "20 % (0 % to 80 %), of 10 connections only"
    assert str(Unseen.of([1, 999])) == "0.1 % (0 % to 0.59 %)"


@pytest.mark.parametrize("name", UNIVERSES)
@pytest.mark.parametrize("size", [30, 100, 400])
def test_the_interval_holds_the_chance_in_nine_of_ten_universes(name: str, size: int) -> None:
    weights = UNIVERSES[name]
    whole, sums, random = sum(weights), list(accumulate(weights)), Random(size)  # noqa: S311  # because it is a simulation
    held = 0
    for _ in range(1_000):
        counts = Counter(random.choices(range(len(weights)), cum_weights=sums, k=size))
        new = 1 - sum(weights[found] for found in counts) / whole
        unseen = Unseen.of(counts.values())
        held += unseen.low - 1e-9 <= new <= unseen.high + 1e-9
    assert held >= 900
