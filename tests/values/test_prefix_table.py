"""The table of the longest prefix, against a search of all of them."""

from __future__ import annotations

import pickle
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from number_line import (
    GAP,
    V6,
    keys,
    prefixes,
    refusal,
)

from fsm_egress.values.net import (
    LAST_KEY,
    Address,
    Prefix,
)
from fsm_egress.values.prefix_table import PrefixTable

tables = st.dictionaries(prefixes, st.sampled_from(("red", "green", "blue")), max_size=12)


# The table


def longest(entries: dict[Prefix, str], key: int, default: str) -> str:
    """The rule to the letter: of all prefixes that hold the address, the longest decides."""
    around = [prefix for prefix in entries if Address.from_key(key) in prefix]
    return entries[max(around, key=lambda prefix: prefix.length)] if around else default


@given(tables, st.lists(keys(), min_size=1))
@example({Prefix("::fffe:0:0/96"): "red", Prefix("::/64"): "green"}, [GAP.start - 1, GAP.stop])
@example({Prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/128"): "red"}, [LAST_KEY])
def test_the_longest_prefix_decides(entries: dict[Prefix, str], probes: list[int]) -> None:
    table = PrefixTable(entries.items(), "blue")
    ends = [
        end for prefix in entries for end in (prefix.first - 1, prefix.first, prefix.last, prefix.last + 1)
    ]
    for key in (key for key in (*probes, *ends) if 0 <= key <= LAST_KEY and key not in GAP):
        assert table.lookup(key) == longest(entries, key, "blue")


@given(tables)
def test_the_order_of_the_pairs_means_nothing(entries: dict[Prefix, str]) -> None:
    backwards = PrefixTable(reversed(entries.items()), "blue")
    assert PrefixTable(entries.items(), "blue") == backwards
    assert hash(PrefixTable(entries.items(), "blue")) == hash(backwards)


@given(tables)
def test_the_intervals_are_the_whole_line_and_neighbours_differ(entries: dict[Prefix, str]) -> None:
    table = PrefixTable(entries.items(), "blue")
    pieces = list(table.intervals())
    assert (pieces[0][0], pieces[-1][1]) == (0, LAST_KEY)
    assert all(left[1] + 1 == right[0] and left[2] is not right[2] for left, right in pairwise(pieces))
    assert ([start for start, _, _ in pieces], [value for _, _, value in pieces]) == (
        list(table.starts),
        list(table.values),
    )


@given(tables)
@example({Prefix("::fffe:0:0/96"): "red"})
@example({Prefix("::fffe:0:0/96"): "red", Prefix("::1:0:0:0/128"): "green"})
def test_every_interval_begins_with_an_address_that_has_its_value(entries: dict[Prefix, str]) -> None:
    for first, last, value in PrefixTable(entries.items(), "blue").intervals():
        assert first <= last
        assert longest(entries, Address.from_key(first).key, "blue") == value


def test_only_the_same_object_makes_no_cut() -> None:
    half, other_half = Prefix("0.0.0.0/1"), Prefix("128.0.0.0/1")
    one, equal = ["value"], ["value"]
    assert PrefixTable([(half, one), (other_half, one)], ["default"]).starts == (0, V6)
    assert PrefixTable([(half, one), (other_half, equal)], ["default"]).starts == (0, 2**31, V6)


def test_a_prefix_given_twice_is_refused() -> None:
    pairs = [(Prefix("10.0.0.0/8"), 1), (Prefix("10.0.0.0/9"), 2), (Prefix("::ffff:10.0.0.0/104"), 3)]
    assert str(refusal(lambda pairs: PrefixTable(pairs, 0), pairs)) == (
        "expected each prefix once, found the string `10.0.0.0/8`"
    )


@given(tables)
def test_a_table_survives_pickling(entries: dict[Prefix, str]) -> None:
    table = PrefixTable(entries.items(), "blue")
    assert pickle.loads(pickle.dumps(table)) == table  # noqa: S301  # because it is our own


def test_a_table_shows_its_size_and_not_its_content() -> None:
    assert repr(PrefixTable([(Prefix("10.0.0.0/8"), "secret")], None)) == "<PrefixTable of 3 intervals>"


def test_ten_thousand_prefixes_are_no_matter() -> None:
    spots = [Address.from_key(number * 2_654_435_761 % V6) for number in range(10_000)]
    entries = {Prefix.around(spot, 8 + place % 25): place for place, spot in enumerate(spots)}
    table = PrefixTable(entries.items(), -1)
    for prefix in list(entries)[:500]:
        longer = (Prefix.around(prefix.network, length) for length in range(32, prefix.length - 1, -1))
        assert table.lookup(prefix.first) == next(entries[p] for p in longer if p in entries)
