"""The order of matches and routes by comparisons that are no order, as an insertion sort leaves them."""

from __future__ import annotations

from itertools import permutations

import pytest

from fsm_egress.verification.stock_order import RANGES, matches_in_order


def order(*matches: str) -> list[str]:
    """Matches by the ranges that they have, in order; none for every address."""
    listed = matches_in_order([{"text": text, RANGES: dict.fromkeys(text.split())} for text in matches])
    return [str(match["text"]) for match in listed]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("54.1.0.0/16", "54.0.0.0/8"),
        ("55.0.0.0/8 54.1.0.0/16", "54.0.0.0/8 9.0.0.0/16"),
        ("54.0.0.0/8 54.1.0.0/16", "54.1.0.0/16"),
        ("2001:db8::/32", "2001:db8::/16"),
    ],
)
def test_of_matches_that_overlap_the_longest_range_comes_first(first: str, second: str) -> None:
    assert order(first, second, "") == [first, second, ""]
    assert order("", second, first) == [first, second, ""]


def test_of_matches_each_of_which_may_come_first_the_last_does() -> None:
    one, other = "54.1.0.0/24 9.0.0.0/8", "54.1.0.0/16 10.0.0.0/12"
    assert order(one, other) == [other, one]
    assert order(other, one) == [one, other]


def test_matches_that_do_not_overlap_stay_in_their_order() -> None:
    apart = ["54.0.0.0/8", "55.0.0.0/16", "9.0.0.0/24", "10.0.0.0/9 54.1.2.3"]
    for some in permutations(apart[:3]):
        assert order(*some) == list(some)
    assert order(*apart) == apart


def test_a_range_inside_one_of_another_match_is_found_behind_others() -> None:
    wide, apart, inner = "54.0.0.0/8", "54.0.0.0/16 54.1.0.0/16", "54.2.0.0/16"
    assert order(wide, inner) == [inner, wide]
    assert order(f"{wide} {apart}", inner) == [inner, f"{wide} {apart}"]
    assert order(f"9.0.0.0/8 {wide}", inner) == [inner, f"9.0.0.0/8 {wide}"]
