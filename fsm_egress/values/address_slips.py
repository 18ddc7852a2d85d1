"""What people write for an address or a prefix, and mean by it.

A slip that is recognised, and mends the text, gives the reason and the proposal of the error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from socket import inet_ntoa

from .construction import frozen
from .errors import UNREADABLE, InvalidValue

__all__ = ["ADDRESS_SLIPS", "PREFIX_SLIPS", "refusal"]

SLIP_LENGTH = 80  # characters of the longest text that a proposal is looked for


@frozen
class Slip:
    """What people write for an address or a prefix, and what becomes of it.

    Attributes:
        pattern, mend: the rewriting that makes it readable.
        reason: why it is not readable as it stands, where that is not obvious.
        proposed: whether the rewriting is surely what was meant.
    """

    pattern: re.Pattern[str]
    mend: str | Callable[[re.Match[str]], str]
    reason: str | None = None
    proposed: bool = True


_NETMASKS = {inet_ntoa((2**32 - 2 ** (32 - length)).to_bytes(4, "big")): length for length in range(33)}
_OCTAL = "a number with a leading zero is octal to some readers"
_BOUNDS = "a length is 0 to 32 for IPv4 and 0 to 128 for IPv6"

_SLIPS = (
    Slip(re.compile(r"^\s+|\s+$"), ""),
    Slip(re.compile(r"%[^/]*"), "", "a scope id has a meaning on one machine only"),
    Slip(re.compile(r"^\[(.*)\](?::[0-9]+)?(?=/|$)"), r"\1"),
    Slip(re.compile(r"(?<=\.)0+(?=[0-9]\b)|\b0+(?=[0-9]\.)"), "", _OCTAL),  # one digit is the same in both
    Slip(re.compile(r"(?<=\.)0+(?=[0-9])|\b0+(?=[0-9]+\.)"), "", _OCTAL, proposed=False),
)
ADDRESS_SLIPS = (
    *_SLIPS,
    Slip(re.compile(r"^([0-9.]+):[0-9]+$"), r"\1"),
    Slip(re.compile(r"^([0-9.]+)/32$|^(.*:.*)/128$"), r"\1\2"),
)
_SEVERAL = "each range is an entry of its own"
_FROM_TO = "a range is an address and a length, such as `10.0.0.0/29`"
_NAMED = "a name belongs among the `hosts`"

PREFIX_SLIPS = (
    *_SLIPS,
    Slip(re.compile(r"\s*/\s*"), "/"),
    Slip(re.compile(r"^\*$"), "0.0.0.0/0", "every IPv4 address"),
    Slip(re.compile(r"^([^,;\s]+)[,;\s].*$"), r"\1", _SEVERAL, proposed=False),
    Slip(re.compile(r"^([0-9.]+)\s*-\s*[0-9.]+$"), r"\1/32", _FROM_TO, proposed=False),
    Slip(
        re.compile(r"^([a-z]+://)?([\w*-]+\.)+[a-z][\w-]*\.?(:[0-9]+)?(/.*)?$|^localhost$", re.IGNORECASE),
        "0.0.0.0/0",
        _NAMED,
        proposed=False,
    ),
    Slip(re.compile(r"^[0-9.]+$"), r"\g<0>/32", "the sidecar reads a bare IPv4 address as every address"),
    Slip(re.compile(r"^[^/]*:[^/]*$"), r"\g<0>/128"),
    Slip(re.compile(r"/([0-9.]+)$"), lambda mask: f"/{_NETMASKS.get(mask[1], mask[1])}"),
    Slip(re.compile(r"/[+0]+(?=[0-9]+$)"), "/"),
    Slip(re.compile(r"/-?[0-9]+$"), "/0", _BOUNDS, proposed=False),
)


def refusal(
    expected: str, text: str, slips: tuple[Slip, ...], respelled: Callable[[str], str]
) -> InvalidValue:
    """The error for a text that cannot be read, explained by the first slip that it is readable without."""
    if len(text) <= SLIP_LENGTH:
        for slip in slips:
            try:
                proposal = respelled(slip.pattern.sub(slip.mend, text))
            except UNREADABLE:
                continue
            return InvalidValue.of(
                expected, text, proposal=proposal if slip.proposed else None, reason=slip.reason
            )
    return InvalidValue.of(expected, text)
