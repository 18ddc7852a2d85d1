"""The optimum of ranges, against every set of ranges there is over small trees."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thoroughness import examples

from fsm_egress.learning.ranges import fewest_addresses
from fsm_egress.values.errors import InvalidValue
from fsm_egress.values.net import Address, Prefix

if TYPE_CHECKING:
    from random import Random

TREE = [
    Prefix(f"10.0.0.{first}/{length}") for length in range(28, 33) for first in range(0, 16, 1 << 32 - length)
]


def seen(*octets: int) -> list[Address]:
    return [Address(f"10.0.0.{octet}") for octet in octets]


def opened(ranges: tuple[Prefix, ...]) -> int:
    return sum(prefix.size for prefix in ranges)


@cache
def sets_of_ranges() -> tuple[tuple[Prefix, ...], ...]:
    """Every set of at most three prefixes of the small tree that lie apart."""
    return tuple(
        chosen
        for count in (1, 2, 3)
        for chosen in combinations(TREE, count)
        if not any(a.overlaps(b) for a, b in combinations(chosen, 2))
    )


@given(
    st.sets(st.integers(0, 15), min_size=1, max_size=6),
    st.integers(1, 3),
    st.integers(28, 32),
    st.sets(st.integers(0, 15), max_size=3),
)
@settings(max_examples=examples(150))
def test_law_no_set_of_ranges_opens_fewer(
    octets: set[int], most: int, shortest: int, closed: set[int]
) -> None:
    never = [Prefix.host(address) for address in seen(*closed)]
    fitting = [
        chosen
        for chosen in sets_of_ranges()
        if len(chosen) <= most
        and all(prefix.length >= shortest for prefix in chosen)
        and not any(prefix.overlaps(other) for prefix in chosen for other in never)
        and all(any(address in prefix for prefix in chosen) for address in seen(*octets))
    ]
    widest = [Prefix.around(Address("10.0.0.0"), shortest)]
    if not fitting:
        with pytest.raises(InvalidValue):
            fewest_addresses(seen(*octets), most, widest=widest, never=never)
        return
    found = fewest_addresses(seen(*octets), most, widest=widest, never=never)
    assert set(found) in [set(chosen) for chosen in fitting]
    least = min(map(opened, fitting))
    assert opened(found) == least
    assert len(found) == min(len(chosen) for chosen in fitting if opened(chosen) == least)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=30), st.integers(1, 8), st.randoms())
@settings(max_examples=examples(60))
def test_law_the_order_of_addresses_does_not_count(keys: list[int], most: int, random: Random) -> None:
    addresses = [Address.from_key(key) for key in keys]
    shuffled = addresses * 2
    random.shuffle(shuffled)
    everything = [Prefix("0.0.0.0/0")]
    found = fewest_addresses(addresses, most, widest=everything)
    assert found == fewest_addresses(shuffled, most, widest=everything)
    assert list(found) == sorted(found)
    assert len(found) <= most


def test_nothing_seen_needs_no_range() -> None:
    assert fewest_addresses([], 3) == ()


def test_one_range_more_is_spent_where_it_saves_most() -> None:
    addresses = seen(1, 2, 130, 131, 132)
    assert fewest_addresses(addresses, 1) == (Prefix("10.0.0.0/24"),)
    assert fewest_addresses(addresses, 2) == (Prefix("10.0.0.0/30"), Prefix("10.0.0.128/29"))
    assert fewest_addresses(addresses, 3) == (
        Prefix("10.0.0.0/30"),
        Prefix("10.0.0.130/31"),
        Prefix("10.0.0.132/32"),
    )


def test_a_range_that_is_full_is_not_divided() -> None:
    assert fewest_addresses(seen(4, 5, 6, 7), 9) == (Prefix("10.0.0.4/30"),)


def test_ipv6_has_ranges_of_its_own() -> None:
    addresses = [*seen(1), Address("2001:db8::1"), Address("2001:db8::2")]
    assert fewest_addresses(addresses, 2) == (Prefix("10.0.0.1/32"), Prefix("2001:db8::/126"))
    with pytest.raises(InvalidValue, match="at least 2 ranges, found the number `1`; write `2`"):
        fewest_addresses(addresses, 1)


def test_too_few_ranges_say_how_many_are_needed() -> None:
    far = [Address("10.0.0.1"), Address("10.0.1.1"), Address("10.9.0.1")]
    with pytest.raises(InvalidValue, match="at least 3 ranges, found the number `2`"):
        fewest_addresses(far, 2)
    assert len(fewest_addresses(far, 2, widest=[Prefix("10.0.0.0/16")])) == 2


def test_an_address_of_the_mesh_cannot_be_opened() -> None:
    with pytest.raises(InvalidValue, match=r"found the string `10\.0\.0\.5`"):
        fewest_addresses(seen(4, 5), 2, never=[Prefix("10.0.0.5/32"), Prefix("10.0.0.5/32")])
    assert fewest_addresses(seen(4, 7), 2, never=[Prefix("10.0.0.5/32")]) == (
        Prefix("10.0.0.4/32"),
        Prefix("10.0.0.7/32"),
    )
