"""Which match takes a connection: the line of a port against the order of its matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.pipy.netmask import read_mask
from fsm_egress.pipy.scripts import Cert, Match, Range
from fsm_egress.pipy.taking import taken_line
from fsm_egress.values.net import GAP_END, IPV6_START, LAST_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXTS = (
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.9.0.0/16",
    "10.9.9.9/32",
    "255.255.255.255/32",
    "::/0",
    "2001:db8::/32",
    "2001:db8::5/128",
    "::ffff:10.9.9.9/128",
    "not an address",
)
CERTS = (None, Cert(True, True, "one"), Cert(True, True, "other"))  # as it is written
KEYS = (0, IPV6_START - 1, IPV6_START, GAP_END, LAST_KEY)
ADDRESSES = ("10.0.0.0", "10.8.255.255", "10.9.9.9", "10.9.9.10", "11.0.0.0", "2001:db8::5", "2001:db9::")


def match(ranges: Iterable[tuple[str, Cert | None]] | None) -> Match:
    """A match that takes these ranges, or everything."""
    listed = None if ranges is None else tuple(Range(text, read_mask(text), cert) for text, cert in ranges)
    return Match(80, "http", listed, None, None, {}, allowed=True, gateway="", enforcement=None)


RANGES = st.none() | st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(CERTS)), max_size=3)


@given(st.lists(RANGES, max_size=4))
@settings(max_examples=examples(100))
def test_law_a_match_takes_what_none_before_it_does(
    listed: list[list[tuple[str, Cert | None]] | None],
) -> None:
    matches = tuple(map(match, listed))
    line = taken_line(matches)
    for key in (*KEYS, *(fe.Address(text).key for text in ADDRESSES)):
        entries = (
            (it, entry)
            for it in matches
            for entry in it.ranges or ()
            if entry.mask is not None and entry.mask.contains(key)
        )
        anywhere = next((it for it in matches if it.ranges is None), None)
        taken, entry = next(entries, (anywhere, None))
        found = line.at(key)
        assert found.match is taken
        assert found.cert is (entry and entry.cert)
        assert found.is_egress is (entry is None and taken is not None)


@pytest.mark.parametrize("text", ["::ffff:0:0/96", "::ffff:9.9.9.9/128", "::ffff:909:909/128"])
def test_a_range_of_mapped_addresses_holds_no_address(text: str) -> None:
    mask = read_mask(text)
    assert mask is None or mask.last < mask.first
