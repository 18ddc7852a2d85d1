"""Addresses and prefixes to draw: the corners of the number line, and what lies beside them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from fsm_egress.values.errors import InvalidValue
from fsm_egress.values.net import (
    LAST_KEY,
    Address,
    Prefix,
    parse_address,
)

if TYPE_CHECKING:
    from collections.abc import Callable

V6 = 2**32
MAPPED = int(ipaddress.IPv6Address("::ffff:0:0"))
GAP = range(V6 + MAPPED, V6 + MAPPED + 2**32)


def refusal(parse: Callable[[Any], object], text: Any) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        parse(text)
    return caught.value


# Values crowd together, so that prefixes nest, touch and repeat; the rest of the line is seen, too.

octets = st.sampled_from((0, 1, 9, 10, 54, 127, 128, 254, 255)) | st.integers(0, 255)
ipv4_values = st.lists(octets, min_size=4, max_size=4).map(bytes).map(lambda raw: int.from_bytes(raw, "big"))
groups = st.sampled_from((0, 0, 0, 1, 0xFFFE, 0xFFFF)) | st.integers(0, 0xFFFF)
near_mapped = st.tuples(st.sampled_from((0xFFFE, 0xFFFF, 0x10000)), ipv4_values).map(
    lambda p: p[0] << 32 | p[1]
)
ipv6_values = near_mapped | st.lists(groups, min_size=8, max_size=8).map(
    lambda parts: sum(group << 16 * place for place, group in enumerate(parts))
)
oracle_addresses = st.one_of(ipv4_values.map(ipaddress.IPv4Address), ipv6_values.map(ipaddress.IPv6Address))
addresses = oracle_addresses.map(lambda address: parse_address(str(address)))

corners = [
    Address(text)
    for text in (
        "0.0.0.1",
        "54.1.2.3",
        "54.1.255.255",
        "255.255.255.255",
        "::",
        "2001:db8::1",
        "::fffe:ffff:ffff",
        "::1:0:0:0",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    )
]
lengths = st.integers(0, 32) | st.integers(28, 32) | st.integers(0, 128)
prefixes = st.tuples(st.sampled_from(corners) | addresses, lengths).map(
    lambda pair: Prefix.around(pair[0], min(pair[1], 32 if pair[0].version == 4 else 128))
)


@st.composite
def keys(draw: st.DrawFn) -> int:
    """The key of an address, often one where a prefix begins or ends, or its neighbour."""
    prefix = draw(prefixes)
    key = draw(st.sampled_from((prefix.first, prefix.last))) + draw(st.integers(-1, 1))
    return key if 0 <= key <= LAST_KEY and key not in GAP else prefix.first
