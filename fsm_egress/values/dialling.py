"""Addresses that a client can dial: the one to show of some, as people try what they are shown."""

from __future__ import annotations

from bisect import bisect_left
from enum import IntEnum
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from attrs import Factory, field

from .construction import frozen
from .net import GAP_END, GAP_START, IPV6_START, LAST_KEY, Prefix

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Appeal", "Dialling", "Span", "can_be_dialled"]

Span: TypeAlias = tuple[int, int]
"""A run of addresses, by the keys of the first and the last."""


class Appeal(IntEnum):
    """How gladly an address is shown: the smaller, the better."""

    NAMED = 0  # by what is looked at
    DOCUMENTATION = 1  # RFC 5737 and RFC 3849: nobody is dialled by mistake
    ANY = 2
    NOWHERE = 3  # this host, a group of hosts, or nobody


def _spans(*texts: str) -> tuple[Span, ...]:
    return tuple((prefix.first, prefix.last) for prefix in map(Prefix, texts))


NOWHERE = (
    *_spans("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "ff00::/8"),
    (GAP_START, GAP_END - 1),
)
DOCUMENTATION = tuple(
    (first + 1, last)
    for first, last in _spans("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def _rest(holes: Iterable[Span]) -> tuple[Span, ...]:
    """What runs leave of the line of all addresses; none crosses from IPv4 to IPv6."""
    found: list[Span] = []
    start = 0
    for first, last in sorted([*holes, (IPV6_START, IPV6_START - 1)]):
        if start < first:
            found.append((start, first - 1))
        start = max(start, last + 1)
    return (*found, (start, LAST_KEY)) if start <= LAST_KEY else tuple(found)


def _all_but(own: tuple[Span, ...]) -> tuple[Span, ...]:
    return _rest([*NOWHERE, *own]) if own else _OPEN


@frozen
class Dialling:
    """Which address of some is to be shown.

    Attributes:
        named: the keys of addresses that are named, in order.
        own: addresses that are the client's own, which it reaches without leaving.
    """

    named: tuple[int, ...] = ()
    own: tuple[Span, ...] = ()
    _open: tuple[Span, ...] = field(
        default=Factory(lambda self: _all_but(self.own), takes_self=True), init=False, repr=False
    )

    @classmethod
    def of(cls, named: Iterable[int], own: Iterable[Span] = ()) -> Dialling:
        """The choice among addresses where these are named."""
        return cls(tuple(sorted(set(named))), tuple(sorted(set(own))))

    def best(self, spans: Iterable[Span]) -> tuple[Appeal, int]:
        """The address to show of some runs in order, by its key, and how gladly it is shown."""
        runs = tuple(spans)
        documentation = anything = None
        for first, last in chain.from_iterable(map(self._dialled, runs)):
            at = bisect_left(self.named, first)
            if at < len(self.named) and self.named[at] <= last:
                return Appeal.NAMED, self.named[at]
            if documentation is None:
                documentation = next(
                    (max(first, low) for low, high in DOCUMENTATION if first <= high and low <= last), None
                )
            if anything is None:
                anything = first
        if documentation is not None:
            return Appeal.DOCUMENTATION, documentation
        return (Appeal.NOWHERE, runs[0][0]) if anything is None else (Appeal.ANY, anything)

    def _dialled(self, span: Span) -> Iterable[Span]:
        """What of a run can be dialled."""
        first, last = span
        return (
            (max(first, low), min(last, high)) for low, high in self._open if first <= high and low <= last
        )


_OPEN = _rest(NOWHERE)


def can_be_dialled(key: int, own: Iterable[Span] = ()) -> bool:
    """Whether a client can reach another host by this address: it is no group, not itself, not nobody."""
    return not any(first <= key <= last for first, last in (*NOWHERE, *own))
