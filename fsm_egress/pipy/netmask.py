"""The ranges of a config as Pipy's `Netmask` reads them (`sidecar-*.json`): not always as they are meant."""

from __future__ import annotations

import re
from functools import reduce
from typing import TYPE_CHECKING

from ..values.construction import frozen
from ..values.net import GAP_END, GAP_START, IPV4_BITS, IPV6_BITS, IPV6_START

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Mask", "read_mask"]

CIDR_LENGTH = 100  # characters from which on the sidecar refuses a range
OCTETS, GROUPS = 1 << 8, 1 << 16  # how many values a part of an address has
_OCTET = "(0|[1-9][0-9]{0,2}|)"  # an empty one is zero to it
_OCTETS = re.compile(r"\.".join([_OCTET] * 4))
_GROUPS = re.compile(r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,7}")
_BITS = re.compile(r"\s*[+-]?[0-9]+")


@frozen
class Mask:
    """The addresses of a range, as keys on the line of all addresses (`values/net.py`)."""

    first: int
    last: int

    def contains(self, key: int) -> bool:
        """Whether the address of that key is in the range."""
        return self.first <= key <= self.last


def read_mask(text: str) -> Mask | None:
    """A range as Pipy's `Netmask` reads it; None where it throws.

    Without bits the mask is empty, so that the range holds every address of its family. A word of hexadecimal
    digits (`abc`) is an IPv6 address to it.
    """
    address, slash, tail = text.partition("/")
    found = _BITS.match(tail)
    bits = int(found[0]) if slash and found else 0
    octets = _OCTETS.fullmatch(address)
    parts = [int(octet or "0") for octet in octets.groups()] if octets else []
    if len(text) >= CIDR_LENGTH:
        return None
    if parts and max(parts) < OCTETS:
        return _block(0, _number(parts, OCTETS), IPV4_BITS, bits)
    groups = _ipv6_groups(address)
    return _block(IPV6_START, _number(groups, GROUPS), IPV6_BITS, bits) if groups else None


def _number(digits: Iterable[int], base: int) -> int:
    return reduce(lambda value, digit: value * base + digit, digits, 0)


def _ipv6_groups(text: str) -> list[int] | None:
    """The eight groups; what is missing at the end of a text without `::` is zero."""
    text, scope, _ = text.partition("%")
    head, gap, tail = text.partition("::")
    if not all(part == "" or _GROUPS.fullmatch(part) for part in (head, tail)):
        return None
    if not (gap or (head and not scope)):
        return None
    before, after = ([int(group, 16) for group in part.split(":") if group] for part in (head, tail))
    missing = 8 - len(before) - len(after)
    if missing < 0 or (missing == 0 and before and after):
        return None
    return [*before, *[0] * missing, *after]


def _block(start: int, value: int, width: int, bits: int) -> Mask | None:
    """The keys of the addresses that share their first bits with one of them."""
    if not 0 <= bits <= width:
        return None
    size = 1 << width - bits
    first = start + value // size * size
    last = first + size - 1
    if first >= GAP_START and last < GAP_END:  # only mapped addresses, which no IPv6 connection has
        return Mask(first, first - 1)
    return Mask(first, last)
