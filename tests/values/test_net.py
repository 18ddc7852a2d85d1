"""Addresses, prefixes and the longest-prefix table; the standard library's `ipaddress` is the oracle."""

from __future__ import annotations

import copy
import ipaddress
import pickle
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import example, given
from hypothesis import strategies as st
from number_line import (
    GAP,
    V6,
    addresses,
    keys,
    lengths,
    oracle_addresses,
    prefixes,
    refusal,
)

from fsm_egress.values.errors import InvalidValue
from fsm_egress.values.net import (
    LAST_KEY,
    UNREADABLE,
    Address,
    Prefix,
    parse_address,
    parse_interface,
    parse_prefix,
    read_by_hand,
    read_by_libc,
    read_key,
    read_keys,
    rest_of_run,
    strict_reader,
    summarize,
)
from fsm_egress.values.prefix_table import PrefixTable

if TYPE_CHECKING:
    from collections.abc import Callable

IPv4or6 = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def unmapped(address: IPv4or6) -> IPv4or6:
    """What an address is to us: an IPv4-mapped one is its IPv4 address."""
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def key_of(address: IPv4or6) -> int:
    address = unmapped(address)
    return int(address) if address.version == 4 else V6 + int(address)


def unmapped_network(network: Network) -> Network:
    """What a network is to us: an IPv4-mapped one is its IPv4 network."""
    mapped = isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped
    if mapped and network.prefixlen >= 96:
        return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def network_of(prefix: Prefix) -> Network:
    return ipaddress.ip_network(str(prefix))


@st.composite
def spellings(draw: st.DrawFn, address: IPv4or6) -> str:
    """One of the many texts that write an address."""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    value = int(address)
    parts = [f"{value >> shift & 0xFFFF:0{draw(st.integers(1, 4))}x}" for shift in range(112, -1, -16)]
    if draw(st.booleans()):
        parts[6:] = [str(ipaddress.IPv4Address(value & 0xFFFFFFFF))]
    text = ":".join(parts)
    begin = draw(st.integers(0, len(parts) - 1))
    end = draw(st.integers(begin + 1, len(parts)))
    if all(not part.strip("0") for part in parts[begin:end]):
        text = f"{':'.join(parts[:begin])}::{':'.join(parts[end:])}"
    return text.upper() if draw(st.booleans()) else text


spelled = oracle_addresses.flatmap(lambda address: st.tuples(st.just(address), spellings(address)))
spelled_prefixes = st.tuples(spelled, lengths).map(lambda pair: f"{pair[0][1]}/{pair[1]}")


@st.composite
def near_misses(draw: st.DrawFn, valid: st.SearchStrategy[str]) -> str:
    """A valid text with up to three characters taken out, put in or put twice."""
    text = draw(valid)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(text)))
        removed = draw(st.integers(0, 2))
        put = draw(st.sampled_from("0123456789afgAFX:::...///%+-_ \n\x00\u0663\u00b2\uff11") | st.just(""))
        text = text[:place] + (put or text[place : place + 1]) + text[place + removed :]
    return text


# Reading addresses


@given(spelled)
def test_every_spelling_of_an_address_is_that_address(pair: tuple[IPv4or6, str]) -> None:
    address, text = pair
    assert parse_address(text).key == key_of(address)


@given(near_misses(spelled.map(lambda pair: pair[1])) | st.text(max_size=12))
@example("")
@example("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
@example("1:2:3:4:5:6:7::")
@example("::2:3:4:5:6:7:8")
@example("1::2:3:4:5:6:7:8")
@example("1:2:3:4:5:6::1.2.3.4")
@example("1.2.3.4::")
@example("::1::")
@example(":::")
def test_an_address_is_read_exactly_where_ipaddress_reads_one_without_scope(text: str) -> None:
    try:
        expected = ipaddress.ip_address(text)
    except ValueError:
        refusal(parse_address, text)
    else:
        if "%" in text:
            refusal(parse_address, text)
        else:
            assert parse_address(text).key == key_of(expected)


@given(oracle_addresses)
@example(ipaddress.IPv6Address("1:0:0:2:0:0:0:3"))
@example(ipaddress.IPv6Address("1:0:0:2:3:0:0:4"))
@example(ipaddress.IPv6Address("10:0:1:2:3:4:5:6"))
@example(ipaddress.IPv6Address("10:0:1:0:0:0:5:6"))
def test_an_address_is_written_as_ipaddress_writes_it(address: IPv4or6) -> None:
    assert str(parse_address(str(address))) == str(unmapped(address))


@given(oracle_addresses)
def test_an_address_has_the_version_and_the_value_of_the_one_it_is(address: IPv4or6) -> None:
    ours, theirs = parse_address(str(address)), unmapped(address)
    assert (ours.version, ours.value) == (theirs.version, int(theirs))


@given(addresses)
def test_a_mapped_address_is_its_ipv4_address(address: Address) -> None:
    if address.version == 4:
        assert Address(f"::ffff:{address}") == Address(
            f"::FFFF:{address.value >> 16:x}:{address.value & 0xFFFF:x}"
        )
        assert Address(f"::ffff:{address}") == address


@given(addresses)
def test_constructor_and_function_read_alike(address: Address) -> None:
    assert Address(str(address)) == parse_address(str(address)) == Address.from_key(address.key)


@pytest.mark.parametrize("key", [-1, LAST_KEY + 1, GAP.start, GAP.stop - 1])
def test_a_key_that_no_address_has_is_refused(key: int) -> None:
    assert "expected the key of an address" in str(refusal(Address.from_key, key))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (0, "0.0.0.0"),
        (1, "0.0.0.1"),
        (V6 - 1, "255.255.255.255"),
        (V6, "::"),
        (GAP.start - 1, "::fffe:ffff:ffff"),
        (GAP.stop, "::1:0:0:0"),
        (LAST_KEY, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_the_number_line_has_ipv4_first_and_a_gap_for_the_mapped_addresses(key: int, text: str) -> None:
    assert Address.from_key(key) == Address(text)
    assert str(Address.from_key(key)) == text


# Reading prefixes


@given(spelled_prefixes | near_misses(spelled_prefixes) | near_misses(spelled.map(lambda pair: pair[1])))
@example("10.0.0.0/33")
@example("::ffff:54.0.0.0/104")
@example("::ffff:54.0.0.0/95")
@example("::ffff:0:0/96")
@example("::fffe:0:0/95")
@example("::/0")
@example("::/129")
def test_a_prefix_is_read_where_ipaddress_reads_one_with_a_plain_length(text: str) -> None:
    _, slash, length = text.partition("/")
    plain = slash and "%" not in text and "." not in length and (length == "0" or not length.startswith("0"))
    try:
        expected = ipaddress.ip_network(text, strict=False)
    except ValueError:
        plain = False
    if plain:
        assert network_of(parse_prefix(text)) == unmapped_network(expected)
    else:
        refusal(parse_prefix, text)


@given(spelled, lengths)
def test_an_interface_is_the_address_as_written_and_the_prefix_around_it(
    pair: tuple[IPv4or6, str], length: int
) -> None:
    theirs, text = pair
    if length <= theirs.max_prefixlen:
        address, prefix = parse_interface(f"{text}/{length}")
        assert address == parse_address(text)
        assert prefix == parse_prefix(f"{text}/{length}") == Prefix(f"{text}/{length}")
        assert (address in prefix) == (address.version == prefix.version)


@pytest.mark.parametrize(
    ("text", "host_bits"),
    [
        ("54.1.0.0/16", False),
        ("54.1.2.3/16", True),
        ("54.1.2.3/32", False),
        ("2001:db8::/32", False),
        ("2001:db8::1/32", True),
        ("::ffff:54.0.0.0/104", False),
        ("::ffff:54.0.0.1/104", True),
        ("::ffff:0:0/95", True),
    ],
)
def test_an_interface_tells_whether_host_bits_are_set(text: str, host_bits: bool) -> None:
    address, prefix = parse_interface(text)
    assert (address != prefix.network) == host_bits


@given(st.integers(0, 32), addresses)
def test_a_mapped_prefix_is_its_ipv4_prefix(length: int, address: Address) -> None:
    if address.version == 4:
        assert Prefix(f"::ffff:{address}/{96 + length}") == Prefix(f"{address}/{length}")


def test_the_whole_of_ipv6_holds_no_ipv4_address() -> None:
    everything = Prefix("::/0")
    assert everything.contains(Address("2001:db8::1"))
    assert not everything.contains(Address("::ffff:1.2.3.4"))
    assert not everything.overlaps(Prefix("0.0.0.0/0"))


# What a refusal says


@pytest.mark.parametrize(
    ("text", "proposal", "reason"),
    [
        (" 1.2.3.4\n", "1.2.3.4", None),
        ("1.2.3.4\u00a0", "1.2.3.4", None),
        ("1.2.3.4:80", "1.2.3.4", None),
        ("[2001:DB8::1]:443", "2001:db8::1", None),
        ("[::1]", "::1", None),
        ("1.2.3.4/32", "1.2.3.4", None),
        ("::1/128", "::1", None),
        ("fe80::1%eth0", "fe80::1", "a scope id has a meaning on one machine only"),
        ("001.2.3.09", "1.2.3.9", "a number with a leading zero is octal to some readers"),
        ("::ffff:1.02.3.4", "1.2.3.4", "a number with a leading zero is octal to some readers"),
        ("010.0.0.1", None, "a number with a leading zero is octal to some readers"),
        ("10.0.010.01", None, "a number with a leading zero is octal to some readers"),
        ("1.2.3.4/24", None, None),
        ("2001:db8::/32", None, None),
        ("1.2.3", None, None),
        ("1.2.3.256", None, None),
        ("localhost%eth0", None, None),
        ("", None, None),
        ("1.2.3.4" + " " * 100, None, None),
    ],
)
def test_a_refused_address_comes_with_what_was_surely_meant(
    text: str, proposal: str | None, reason: str | None
) -> None:
    (problem,) = refusal(parse_address, text).problems
    assert (problem.expected, problem.proposal, problem.reason) == ("an IP address", proposal, reason)


BARE = "the sidecar reads a bare IPv4 address as every address"
BOUNDS = "a length is 0 to 32 for IPv4 and 0 to 128 for IPv6"


@pytest.mark.parametrize(
    ("text", "proposal", "reason"),
    [
        ("54.1.2.3", "54.1.2.3/32", BARE),
        ("2001:db8::1", "2001:db8::1/128", None),
        ("::ffff:54.1.2.3", "54.1.2.3/32", None),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8", None),
        ("10.1.2.3/255.255.255.255", "10.1.2.3/32", None),
        ("10.0.0.0/0.0.0.0", "0.0.0.0/0", None),
        ("10.0.0.0/255.0.255.0", None, None),
        ("10.0.0.0/0.0.0.255", None, None),
        ("10.0.0.0/08", "10.0.0.0/8", None),
        ("10.0.0.0/00", "0.0.0.0/0", None),
        ("10.0.0.0/+8", "10.0.0.0/8", None),
        ("10.0.0.0/33", None, BOUNDS),
        ("10.0.0.0/-1", None, BOUNDS),
        ("::/129", None, BOUNDS),
        ("::/99999999999999999999", None, BOUNDS),
        (" 10.0.0.0/8 ", "10.0.0.0/8", None),
        ("10.0.0.0 /8", "10.0.0.0/8", None),
        ("*", "0.0.0.0/0", "every IPv4 address"),
        ("10.0.0.0/8, 10.1.0.0/16", None, "each range is an entry of its own"),
        ("10.0.0.0/8 2001:db8::/32", None, "each range is an entry of its own"),
        ("10.0.0.0/8,x", None, "each range is an entry of its own"),
        ("10.0.0.1-10.0.0.9", None, "a range is an address and a length, such as `10.0.0.0/29`"),
        ("https://api.example.com/x", None, "a name belongs among the `hosts`"),
        ("*.example.com", None, "a name belongs among the `hosts`"),
        ("localhost", None, "a name belongs among the `hosts`"),
        ("a,b", None, None),
        ("10.0.0.0/", None, None),
        ("10.0.0.0/8/8", None, None),
        ("10/8", None, None),
        ("54.01.0.0/16", "54.1.0.0/16", "a number with a leading zero is octal to some readers"),
        ("054.1.0.0/16", None, "a number with a leading zero is octal to some readers"),
        ("fe80::%eth0/64", "fe80::/64", "a scope id has a meaning on one machine only"),
        ("[2001:db8::]/32", "2001:db8::/32", None),
        ("example.com", None, "a name belongs among the `hosts`"),
        ("", None, None),
    ],
)
def test_a_refused_prefix_comes_with_what_was_surely_meant(
    text: str, proposal: str | None, reason: str | None
) -> None:
    (problem,) = refusal(parse_prefix, text).problems
    assert (problem.expected, problem.proposal, problem.reason) == (
        "an address range in CIDR notation",
        proposal,
        reason,
    )


@given(near_misses(spelled.map(lambda pair: pair[1]) | spelled_prefixes))
def test_a_proposal_is_accepted_and_canonical(text: str) -> None:
    readers: tuple[Callable[[str], object], ...] = (parse_address, parse_prefix)
    for parse in readers:
        try:
            parse(text)
        except InvalidValue as error:
            proposal = error.problems[0].proposal
            assert proposal is None or str(parse(proposal)) == proposal


def test_a_refusal_reads_as_a_sentence() -> None:
    assert str(refusal(parse_prefix, "54.1.2.3")) == (
        "expected an address range in CIDR notation, found the string `54.1.2.3`; write `54.1.2.3/32`:"
        " the sidecar reads a bare IPv4 address as every address"
    )


@pytest.mark.parametrize("parse", [parse_address, Address, parse_prefix, Prefix, parse_interface])
@pytest.mark.parametrize("value", [None, 1, True, b"1.2.3.4", ["::"], Address("::1")])
def test_what_is_no_text_is_refused(parse: Callable[[Any], object], value: Any) -> None:
    assert "found" in str(refusal(parse, value))


@pytest.mark.parametrize("parse", [parse_address, parse_prefix])
@pytest.mark.parametrize("unit", ["1", ".", ":", "1.", "1:", " ", "/", "%", "0", "[", "1.2.3.4/"])
def test_an_enormous_text_is_refused_at_once_and_shown_short(
    parse: Callable[[Any], object], unit: str
) -> None:
    message = str(refusal(parse, unit * 1_000_000))
    assert len(message) < 250


# Values


@given(addresses | prefixes)
def test_a_repr_evaluates_to_an_equal_value(value: Address | Prefix) -> None:
    assert eval(repr(value)) == value  # noqa: S307  # because this is what a round trip is
    assert repr(value) == f"{type(value).__name__}('{value}')"


@given(addresses | prefixes)
def test_pickles_and_copies_are_equal_and_hash_alike(value: Address | Prefix) -> None:
    for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):  # noqa: S301  # because it is our own
        assert again == value
        assert hash(again) == hash(value)


@given(st.lists(oracle_addresses))
def test_addresses_are_ordered_ipv4_first_then_by_value(theirs: list[IPv4or6]) -> None:
    expected = sorted(map(unmapped, theirs), key=lambda address: (address.version, int(address)))
    assert sorted(parse_address(str(address)) for address in theirs) == [
        parse_address(str(a)) for a in expected
    ]


@given(st.lists(prefixes))
def test_prefixes_are_ordered_ipv4_first_then_by_address_then_by_length(ours: list[Prefix]) -> None:
    assert sorted(ours) == sorted(ours, key=lambda p: (p.version, p.network.value, p.length))


@pytest.mark.parametrize("value", [Address("1.2.3.4"), Prefix("1.2.3.0/24"), PrefixTable([], None)])
@pytest.mark.parametrize("name", ["key", "first", "length", "starts", "values", "more"])
def test_values_never_change(value: object, name: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, 0)
    assert not hasattr(value, "__dict__")


# Prefixes as sets


@given(prefixes)
def test_a_prefix_has_the_bounds_of_its_network(prefix: Prefix) -> None:
    network = network_of(prefix)
    base = 0 if network.version == 4 else V6
    assert (prefix.version, prefix.length, prefix.size) == (
        network.version,
        network.prefixlen,
        network.num_addresses,
    )
    assert (prefix.first, prefix.last) == (
        base + int(network.network_address),
        base + int(network.broadcast_address),
    )
    assert str(prefix.network) == str(network.network_address)


@given(prefixes, prefixes)
def test_covering_is_being_a_supernet(one: Prefix, other: Prefix) -> None:
    mine, theirs = network_of(one), network_of(other)
    assert one.covers(other) == (theirs.network_address in mine and mine.prefixlen <= theirs.prefixlen)
    assert one.overlaps(other) == mine.overlaps(theirs)


@given(prefixes, keys())
def test_containing_is_covering_the_host_prefix(prefix: Prefix, key: int) -> None:
    address = Address.from_key(key)
    assert prefix.contains(address) == (address in prefix) == prefix.covers(Prefix.host(address))
    assert prefix.contains(address) == (ipaddress.ip_address(str(address)) in network_of(prefix))


@given(addresses)
def test_a_host_prefix_is_the_longest_around_its_address(address: Address) -> None:
    host = Prefix.host(address)
    assert host == Prefix.around(address, host.length)
    assert (host.network, host.size) == (address, 1)
    assert "to" in str(refusal(lambda length: Prefix.around(address, length), host.length + 1))


def test_a_negative_length_is_refused() -> None:
    assert "a prefix length from 0 to 32" in str(refusal(lambda n: Prefix.around(Address("1.2.3.4"), n), -1))


# Key ranges as prefixes


@given(keys(), keys())
@example(0, LAST_KEY)
@example(GAP.start - 5, GAP.stop + 5)
def test_a_range_is_summarized_as_ipaddress_does_each_family_for_itself(one: int, other: int) -> None:
    first, last = sorted((one, other))
    expected: list[Network] = []
    if first < V6:
        low, high = ipaddress.IPv4Address(first), ipaddress.IPv4Address(min(last, V6 - 1))
        expected += ipaddress.summarize_address_range(low, high)
    if last >= V6:
        low6, high6 = ipaddress.IPv6Address(max(first - V6, 0)), ipaddress.IPv6Address(last - V6)
        expected += (
            network
            for network in ipaddress.summarize_address_range(low6, high6)
            if unmapped_network(network) == network
        )
    assert [network_of(prefix) for prefix in summarize(first, last)] == expected


@given(prefixes)
def test_a_prefix_is_the_summary_of_its_range(prefix: Prefix) -> None:
    assert summarize(prefix.first, prefix.last) == (prefix,)


def test_the_gap_is_summarized_as_nothing() -> None:
    assert summarize(GAP.start, GAP.stop - 1) == ()


@pytest.mark.parametrize(("first", "last"), [(-1, 5), (5, 4), (0, LAST_KEY + 1)])
def test_a_range_that_is_empty_or_off_the_line_is_refused(first: int, last: int) -> None:
    assert f"found the string `{first}-{last}`" in str(refusal(lambda f: summarize(f, last), first))


# --- reading by the C library ----------------------------------------------------------------------------


@given(
    st.text("0123456789abcdefF:.%/[] ", max_size=24)
    | st.ip_addresses().map(str)
    | st.lists(
        st.sampled_from(["0", "1", "9", "01", "255", "256", "0x1", "", " 1"]), min_size=3, max_size=5
    ).map(".".join)
)
@example("::ffff:54.9.9.9")
@example("54.9.9.9\0")
@example("٥٤.9.9.9")
@example("\ud800")
@example("1:2:3:4:5:6:255.255.255.255")
@example("1" * 46)
@example(":" * 46)
@example("12345::")
def test_law_the_c_library_reads_what_we_read(text: str) -> None:
    def key(read: Callable[[str], int]) -> int | None:
        try:
            return read(text)
        except UNREADABLE:
            return None

    assert key(read_by_libc) == key(read_by_hand)


def test_a_c_library_that_is_lax_is_not_asked() -> None:
    assert strict_reader(read_by_libc) is read_key
    assert strict_reader(lambda text: 1 if "%" in text else read_by_libc(text)) is read_by_hand
    assert strict_reader(lambda text: 1 if text == "1.2.3" else read_by_libc(text)) is read_by_hand


@given(st.lists(addresses))
def test_law_many_are_read_as_each_is(listed: list[Address]) -> None:
    assert read_keys(map(str, listed)) == [address.key for address in listed]


def test_those_of_both_families_are_read_together() -> None:
    assert read_keys(["54.9.9.9", "2001:db8::1", "0.0.0.1"]) == [0x36090909, Address("2001:db8::1").key, 1]


@given(st.sets(st.integers(0, 24)), st.integers(0, 12), st.integers(12, 24))
@example({0, 1, 23, 24}, 0, 24)
@example(set(), 3, 20)
@example({3, 20}, 3, 20)
def test_law_runs_and_what_they_leave_are_the_whole_run(held: set[int], first: int, last: int) -> None:
    inside = sorted(it for it in held if first <= it <= last)
    rest = rest_of_run([(it, it) for it in inside], first, last)
    assert [it for start, end in rest for it in range(start, end + 1)] == sorted(
        {*range(first, last + 1)} - {*inside}
    )
    assert all(one[1] + 1 < other[0] for one, other in pairwise(rest))
