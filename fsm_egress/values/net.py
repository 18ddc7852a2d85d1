"""IP addresses and prefixes as integers on one number line.

The line has the IPv4 addresses first, each at its value, then the IPv6 addresses, each at 2**32 plus its
value; the place of an address is its *key*. So one sorted list serves both families, and a class of
addresses is a few intervals. An IPv4-mapped address (`::ffff:1.2.3.4`) is its IPv4 address, a mapped prefix
(`::ffff:54.0.0.0/104`) its IPv4 prefix; `::/0` is every IPv6 address and no IPv4 address. The keys where the
mapped addresses would be are a gap: no address has them.

What is read is what RFC 4291 and RFC 4632 write, in ASCII, to the letter: no octal and no missing octets, no
space, no netmask, no scope id.
"""

from __future__ import annotations

import re
from _socket import AF_INET, AF_INET6, inet_pton  # which is loaded in a twentieth of the time of `socket`
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .construction import frozen
from .errors import UNREADABLE, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "BY_PLACE",
    "GAP_END",
    "GAP_START",
    "LAST_KEY",
    "UNREADABLE",
    "Address",
    "Prefix",
    "parse_address",
    "parse_interface",
    "parse_prefix",
    "read_key",
    "read_keys",
    "summarize",
]


IPV4_BITS = 32
IPV6_BITS = 128
MAPPED_BITS = IPV6_BITS - IPV4_BITS  # the length of the prefix that all mapped addresses share
IPV6_START = 1 << IPV4_BITS  # the key of `::`
LAST_KEY = IPV6_START + (1 << IPV6_BITS) - 1  # the key of `ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff`
GAP_START = IPV6_START + (0xFFFF << IPV4_BITS)
GAP_END = GAP_START + (1 << IPV4_BITS)  # exclusive

# The 256 spellings of an octet, and what it counts for in each place: stricter than a parser, and no slower.
_FIRST, _SECOND, _THIRD, _FOURTH = (
    {str(octet): octet << shift for octet in range(256)} for shift in (24, 16, 8, 0)
)
_LENGTHS = {str(length): length for length in range(IPV6_BITS + 1)}
_EIGHT_GROUPS = re.compile(r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){7}")
_ZERO_GROUPS = re.compile(r"\b0(?::0)+\b")


@frozen(init=False, order=True, weakref_slot=False)
class Address:
    """An IP address, `Address("54.9.9.9")`; ordered by key, so IPv4 before IPv6, then by value.

    Attributes:
        key: its place on the number line.

    Raises:
        InvalidValue: the text is no address.
    """

    key: int

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "key", _checked_key(text))

    @classmethod
    def from_key(cls, key: int) -> Address:
        """The address at a place of the number line.

        Raises:
            InvalidValue: the place is off the line, or in the gap of the mapped addresses.
        """
        if not 0 <= key <= LAST_KEY or GAP_START <= key < GAP_END:
            raise InvalidValue.of("the key of an address", key)
        return _address(key)

    @property
    def version(self) -> int:
        """4 or 6."""
        return 4 if self.key < IPV6_START else 6

    @property
    def value(self) -> int:
        """The number that its 32 or 128 bits are."""
        return self.key - _family(self.key)[0]

    def __str__(self) -> str:
        """The canonical spelling, for IPv6 that of RFC 5952."""
        return _spelled(self.key)

    def __repr__(self) -> str:
        return f"Address('{self}')"


@frozen(init=False, order=True, weakref_slot=False)
class Prefix:
    """The addresses that share their first bits, `Prefix("54.1.0.0/16")`; host bits are cleared.

    Ordered IPv4 first, then by address, then by length (`docs/design.md`).

    Attributes:
        first: the key of its first address, the network address.
        length: the number of shared bits, 0 to 32 for IPv4, 0 to 128 for IPv6.

    Raises:
        InvalidValue: the text is no prefix in CIDR notation.
    """

    first: int
    length: int

    def __init__(self, text: str) -> None:
        _, first, length = _checked_interface(text)
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "length", length)

    @classmethod
    def around(cls, address: Address, length: int) -> Prefix:
        """The prefix of that length that holds the address.

        Raises:
            InvalidValue: the address has fewer bits than that.
        """
        start, bits = _family(address.key)
        if not 0 <= length <= bits:
            raise InvalidValue.of(f"a prefix length from 0 to {bits}", length)
        return _prefix(start + _network(address.value, bits - length), length)

    @classmethod
    def host(cls, address: Address) -> Prefix:
        """The prefix that holds this address only: its /32 or /128."""
        return _prefix(address.key, _family(address.key)[1])

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.network.version

    @property
    def network(self) -> Address:
        """Its first address."""
        return _address(self.first)

    @property
    def size(self) -> int:
        """How many keys it spans, which is how many addresses it has unless it spans the gap."""
        return 1 << _family(self.first)[1] - self.length

    @property
    def last(self) -> int:
        """The key where it ends, inclusive."""
        return self.first + self.size - 1

    def contains(self, address: Address) -> bool:
        """Whether it holds the address."""
        return self.first <= address.key <= self.last

    def __contains__(self, address: Address) -> bool:
        return self.contains(address)

    def covers(self, other: Prefix) -> bool:
        """Whether it holds every address of the other."""
        return self.first <= other.first and other.last <= self.last

    def overlaps(self, other: Prefix) -> bool:
        """Whether they have an address in common, which is so where one covers the other."""
        return self.covers(other) or other.covers(self)

    def __str__(self) -> str:
        return f"{_spelled(self.first)}/{self.length}"

    def __repr__(self) -> str:
        return f"Prefix('{self}')"


def _spelled(key: int) -> str:
    """The address of a key in its canonical spelling."""
    if key < IPV6_START:
        return f"{key >> 24}.{key >> 16 & 255}.{key >> 8 & 255}.{key & 255}"
    digits = f"{key - IPV6_START:032x}"
    text = ":".join([digits[at : at + 4].lstrip("0") or "0" for at in range(0, 32, 4)])
    zeros = max(_ZERO_GROUPS.finditer(text), key=lambda run: len(run[0]), default=None)
    if zeros is None:
        return text
    head, tail = text[: zeros.start()], text[zeros.end() :]
    return f"{head.removesuffix(':')}::{tail.removeprefix(':')}"


def parse_address(text: str) -> Address:
    """The address that a text writes: `54.9.9.9`, `2001:db8::1`, `::ffff:54.9.9.9`.

    Raises:
        InvalidValue: the text is no address, or it is no text.
    """
    return _address(_checked_key(text))


def parse_prefix(text: str) -> Prefix:
    """The prefix that a text writes in CIDR notation: `54.1.0.0/16`; host bits are cleared.

    Raises:
        InvalidValue: the text is no prefix (`docs/formats.md`: a bare address is none), or it is no text.
    """
    return parse_interface(text)[1]


def parse_interface(text: str) -> tuple[Address, Prefix]:
    """The address before the `/`, and the prefix around it.

    They tell whether a prefix was written with host bits: then the address is not the prefix's network. (A
    mapped address with a length below 96 is such a case, too: the prefix is one of IPv6 and does not even
    hold it.)

    Raises:
        InvalidValue: the text is no prefix in CIDR notation, or it is no text.
    """
    key, first, length = _checked_interface(text)
    return _address(key), _prefix(first, length)


def rest_of_run(known: Iterable[tuple[int, int]], first: int, last: int) -> tuple[tuple[int, int], ...]:
    """What runs, in their order, leave of a run that holds them."""
    rest: list[tuple[int, int]] = []
    for start, end in known:
        if first < start:
            rest.append((first, start - 1))
        first = end + 1
    return (*rest, (first, last)) if first <= last else tuple(rest)


def summarize(first: int, last: int) -> tuple[Prefix, ...]:
    """The fewest prefixes that together span the keys from `first` to `last`, both included, in order.

    The gap of the mapped addresses gets no prefix of its own; none crosses from IPv4 to IPv6.

    Raises:
        InvalidValue: the range is empty or off the line.
    """
    if not 0 <= first <= last <= LAST_KEY:
        raise InvalidValue.of(f"a range of keys within 0 and {LAST_KEY}", f"{first}-{last}")
    found: list[Prefix] = []
    while first <= last:
        start, bits = _family(first)
        place = (first - start) | 1 << bits  # its lowest one-bit is the size of the largest block from here
        room = last + 1 - first
        host_bits = min((place & -place).bit_length(), room.bit_length()) - 1
        if not GAP_START <= first < GAP_END:
            found.append(_prefix(first, bits - host_bits))
        first += 1 << host_bits
    return tuple(found)


BY_PLACE = attrgetter("first", "length")
"""What prefixes are ordered by, for `sorted`: quicker than comparing them."""

_set_key = Address.__dict__["key"].__set__
_set_first = Prefix.__dict__["first"].__set__
_set_length = Prefix.__dict__["length"].__set__


def _address(key: int) -> Address:
    """An address whose key is known to be right."""
    address = object.__new__(Address)
    _set_key(address, key)
    return address


def _prefix(first: int, length: int) -> Prefix:
    """A prefix whose parts are known to be right."""
    prefix = object.__new__(Prefix)
    _set_first(prefix, first)
    _set_length(prefix, length)
    return prefix


def _family(key: int) -> tuple[int, int]:
    """Where the family of a key starts on the line, and how many bits its addresses have."""
    return (0, IPV4_BITS) if key < IPV6_START else (IPV6_START, IPV6_BITS)


def _network(value: int, host_bits: int) -> int:
    return value >> host_bits << host_bits


# Reading: a text that cannot be read raises bare errors; the checked forms below say what is wrong with it.


def _read_ipv4(text: str) -> int:
    """Four octets -> their value."""
    a, b, c, d = text.split(".", 4)
    return _FIRST[a] + _SECOND[b] + _THIRD[c] + _FOURTH[d]


def read_groups(text: str) -> int:
    """Eight groups, some of them written `::`, the last two perhaps as octets -> their value."""
    if "." in text:
        head, _, octets = text.rpartition(":")
        value = _read_ipv4(octets)
        text = f"{head}:{value >> 16:x}:{value & 0xFFFF:x}"
    head, gap, tail = text.partition("::")
    groups = head.split(":") if head else []
    if gap:
        low = tail.split(":") if tail else []
        groups += ["0"] * max(1, 8 - len(groups) - len(low)) + low  # at least one, so that full is too full
    if not _EIGHT_GROUPS.fullmatch(":".join(groups)):
        raise ValueError
    value = 0
    for group in groups:
        value = value << 16 | int(group, 16)
    return value


def read_by_hand(text: str) -> int:
    """The key of the address that a text writes."""
    if ":" not in text:
        return _read_ipv4(text)
    key = IPV6_START + read_groups(text)
    return key - GAP_START if GAP_START <= key < GAP_END else key


def read_by_libc(text: str) -> int:
    """The same, many times faster, where the C library is as strict as RFC 4291."""
    if ":" not in text:
        return _number(inet_pton(AF_INET, text), "big")
    key = IPV6_START + _number(inet_pton(AF_INET6, text), "big")
    return key - GAP_START if GAP_START <= key < GAP_END else key


_number = int.from_bytes
_LAX = (
    *("[::1]", "::1%1", "::1/64", " ::1", "::1 ", "::01.2.3.4", "::1.2.3"),
    *("12345::", "1:2:3:4:5:6:7::8", "1::2::3"),
    *("1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.04", "1.2.3.256", "0x1.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1"),
)


def strict_reader(quick: Callable[[str], int]) -> Callable[[str], int]:
    """The quick reader, unless it takes what some C libraries take for an address."""
    for text in _LAX:
        try:
            quick(text)
        except UNREADABLE:
            continue
        return read_by_hand
    return quick


read_key: Callable[[str], int] = strict_reader(read_by_libc)
"""The key of the address that a text writes, for a caller in a hurry.

Raises:
    AttributeError, LookupError, OSError, TypeError, ValueError: (`UNREADABLE`) it is no address;
        `parse_address` says what is wrong with it.
"""


def read_keys(texts: Iterable[str]) -> list[int]:
    """The keys of addresses; it raises what `read_key` does."""
    return list(map(read_key, texts))


def _read_interface(text: str) -> tuple[int, int, int]:
    """CIDR notation -> the address's key, the prefix's first key, its length."""
    head, _, tail = text.partition("/")
    length = _LENGTHS[tail]
    key = read_key(head)
    if ":" not in head:
        start, bits, value = 0, IPV4_BITS, key
    elif key >= IPV6_START:
        start, bits, value = IPV6_START, IPV6_BITS, key - IPV6_START
    elif length >= MAPPED_BITS:
        start, bits, value, length = 0, IPV4_BITS, key, length - MAPPED_BITS
    else:
        start, bits, value = IPV6_START, IPV6_BITS, GAP_START - IPV6_START + key
    if length > bits:
        raise ValueError
    return key, start + (value >> bits - length << bits - length), length


def _checked_key(text: Any) -> int:
    if not isinstance(text, str):
        raise InvalidValue.of("an IP address", text)
    try:
        return read_key(text)
    except UNREADABLE:
        from .address_slips import ADDRESS_SLIPS, refusal  # noqa: PLC0415  # because good texts need no advice

        raise refusal("an IP address", text, ADDRESS_SLIPS, _respelled_address) from None


def _checked_interface(text: Any) -> tuple[int, int, int]:
    if not isinstance(text, str):
        raise InvalidValue.of("an address range in CIDR notation", text)
    try:
        return _read_interface(text)
    except UNREADABLE:
        from .address_slips import PREFIX_SLIPS, refusal  # noqa: PLC0415  # because good texts need no advice

        raise refusal("an address range in CIDR notation", text, PREFIX_SLIPS, _respelled_prefix) from None


def _respelled_address(text: str) -> str:
    return str(_address(read_key(text)))


def _respelled_prefix(text: str) -> str:
    _, first, length = _read_interface(text)
    return str(_prefix(first, length))
