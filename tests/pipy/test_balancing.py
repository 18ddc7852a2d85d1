"""Balancing: weights become shares, and none is lost."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.connections.decision import Target
from fsm_egress.pipy.balancing import Way, mixed, positive, spread, target_of, united, weighted
from fsm_egress.pipy.outcome import CLOSED, WHOLE, Fate, Outcome, answered

ENDS = [CLOSED, answered(404), Outcome(Fate.DIALLED), Outcome(Fate.DIALLED, mtls=True)]
WEIGHTS = st.integers(1, 1000).map(Fraction)
TARGETS = st.integers(1, 5).map(lambda number: Target(f"10.0.0.{number}", 80))
WAYS = st.builds(Way, WEIGHTS, st.sampled_from(ENDS[:2])) | st.builds(
    Way, WEIGHTS, st.sampled_from(ENDS[2:]), TARGETS
)


@given(st.lists(WAYS, min_size=1, max_size=8))
def test_law_the_shares_of_one_outcome_and_of_the_others_are_the_whole(ways: list[Way]) -> None:
    total = sum(way.weight for way in ways)
    outcome = united(ways)
    every = [outcome, *outcome.others]
    assert sum(it.share for it in every) == WHOLE
    for it in every:
        alike = [way for way in ways if (way.outcome.fate, way.outcome.mtls) == (it.fate, it.mtls)]
        assert it.share == sum(way.weight for way in alike) / total
        of_all = sum(target.weight for target in it.targets)
        for target in it.targets:
            led = sum(way.weight for way in alike if way.target and way.target.host == target.host)
            assert Fraction(target.weight, of_all) == led / sum(way.weight for way in alike)


@given(st.permutations([Way(Fraction(1), CLOSED), Way(Fraction(2), ENDS[2], Target("a.com", 80))]))
def test_law_what_is_dialled_comes_first_in_any_order(ways: list[Way]) -> None:
    outcome = united(ways)
    assert (outcome.fate, outcome.share) == (Fate.DIALLED, Fraction(2, 3))
    assert [it.fate for it in outcome.others] == [Fate.CLOSED]


def test_a_weight_of_zero_is_never_picked_and_others_count_as_they_are() -> None:
    assert list(positive({"a": 0, "b": 3})) == [("b", 3)]
    halves = weighted([Way(Fraction(1), CLOSED), Way(Fraction(3), CLOSED)], Fraction(1, 2))
    assert [way.weight for way in halves] == [Fraction(1, 2), Fraction(3, 2)]


@pytest.mark.parametrize(
    ("shares", "weights"),
    [
        (["25", "25"], [25, 25]),
        (["1/6", "1/4"], [2, 3]),
        (["50", "25/2"], [100, 25]),
        (["2", "4"], [2, 4]),
        (["1/3", "1/3", "4/3"], [1, 1, 4]),
    ],
)
def test_weights_are_whole_numbers_made_as_small_as_their_parts_allow(
    shares: list[str], weights: list[int]
) -> None:
    ways = [Way(Fraction(it), ENDS[2], Target(f"{at}.com", 80)) for at, it in enumerate(shares)]
    assert [it.weight for it in united(ways).targets] == weights
    assert united(reversed(ways)) == united(ways)


def test_each_target_is_led_to_in_all_ways_with_its_part() -> None:
    ways = [Way(Fraction(3), ENDS[2], Target("", 0)), Way(Fraction(1), CLOSED)]
    a, b = Target("a.com", 80), Target("b.com", 80)
    assert list(spread(ways, [(a, 1), (b, 2)], Fraction(1, 2))) == [
        Way(Fraction(3, 2), ENDS[2], a),
        Way(Fraction(1, 2), CLOSED),
        Way(Fraction(3), ENDS[2], b),
        Way(Fraction(1), CLOSED),
    ]


def test_targets_in_unlike_ways_keep_their_weights() -> None:
    plain, own_tls = ENDS[2:]
    outcome = mixed([(plain, Target("a.com", 80, 1)), (own_tls, Target("b.com", 80, 3))])
    assert [(it.mtls, it.share) for it in (outcome, *outcome.others)] == [
        (True, Fraction(3, 4)),
        (False, Fraction(1, 4)),
    ]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.0.0.1:80", "10.0.0.1", 80),
        ("fd00::1:80", "fd00::1", 80),
        ("[fd00::1]:80", "fd00::1", 80),
        ("a.com:http", "a.com", 0),
    ],
)
def test_a_target_is_split_at_its_last_colon(text: str, host: str, port: int) -> None:
    assert target_of(text) == Target(host, port)
