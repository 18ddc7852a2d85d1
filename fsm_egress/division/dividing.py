"""All connections divided into finitely many classes, within which no reading of a policy tells two apart.

The classes of several readings are those that none of them divides further. Each is shown by a small
connection.
"""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING, TypeAlias

from ..connections.connection import Connection, Sends, TLSClientHello
from ..values.dialling import Appeal, Dialling, Span
from ..values.identity import Memory
from ..values.net import IPV6_START, LAST_KEY, Address
from .classes import ANYTHING, Among, Class, Line, Place, Reading, Scope, Sent, only
from .requests import requests_of, unlisted_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..connections.connection import Payload

__all__ = ["dialled", "divide"]

ALL_PORTS = range(1, 65_536)
_Placed: TypeAlias = "tuple[tuple[Span, ...], tuple[Place, ...]]"


def divide(*readings: Reading, within: Scope = ANYTHING, spelled: bool = True) -> Iterator[Class]:
    """The classes of these readings, by port; there streams first, by address, then requests, by host.

    Args:
        readings: what is looked at.
        within: which connections are divided.
        spelled: whether a listed Host in other letters is a class of its own; it need not be where all
            readings fold it.
    """
    named = sorted({port for reading in readings for port in reading.ports})
    unnamed = next((port for port, name in zip_longest(ALL_PORTS, named) if port != name), None)
    numbers = [*named, unnamed] if within.port is None else [within.port]
    choice = Dialling.of(
        chain.from_iterable(reading.named for reading in readings),
        chain.from_iterable(reading.own for reading in readings),
    )
    for number in numbers:
        shown: Memory[tuple[Appeal, int]] = Memory()
        if number is None:
            return  # there is no port without a name
        lines = [reading.ports.get(number, reading.other) for reading in readings]
        port = None if number == unnamed and within.port is None else number
        for spans, payload, sent, undecided in _sent(_together(lines, within), within, spelled=spelled):
            appeal, key = shown.once(spans, choice.best)
            connection = Connection(Address.from_key(key), number, payload)
            yield Class(port, spans, connection, undecided, sent, appeal)


def dialled(*readings: Reading, within: Scope = ANYTHING, spelled: bool = True) -> Iterator[Class]:
    """The classes that hold something which a client can dial; see `divide`."""
    return (
        part
        for part in divide(*readings, within=within, spelled=spelled)
        if part.appeal is not Appeal.NOWHERE
    )


def _sent(
    together: Iterable[_Placed], within: Scope, *, spelled: bool
) -> Iterator[tuple[tuple[Span, ...], Payload, Sent, str]]:
    """What is sent on a port, one of each class, with the addresses and what is undecided there."""
    routed: dict[tuple[object, ...], list[_Placed]] = {}
    for spans, places in together:
        for payload, sent in _streams(places, within):
            yield spans, payload, sent, ""
        family = spans[0][0] < IPV6_START
        routed.setdefault((family, *(place.routing for place in places)), []).append((spans, places))
    if Sends.HTTP in within.kinds:
        for members in routed.values():
            yield from _routed(members, within, spelled=spelled)


def _routed(
    members: list[_Placed], within: Scope, *, spelled: bool
) -> Iterator[tuple[tuple[Span, ...], Payload, Sent, str]]:
    """Requests where routing is the same: to a host that is listed wherever places differ, they are alike."""
    apart = [spans for spans, _ in members]
    together = [tuple(sorted(chain.from_iterable(apart)))]
    first = members[0][1]
    columns = zip(*(places for _, places in members), strict=True)
    differing = [column[0] for column in columns if len(set(column)) > 1]
    for request, sent, undecided in requests_of(first, within, spelled=spelled):
        alike = all(place.lists(request.host) for place in differing)
        for spans in together if alike else apart:
            yield spans, request, sent, undecided


def _together(lines: list[Line], within: Scope) -> Iterator[_Placed]:
    """The spans where the lines have the same places, for each combination of places that they have."""
    first, last = within.span or (0, LAST_KEY)
    cuts = {first, IPV6_START, *chain.from_iterable(line.starts for line in lines)}
    starts = sorted(start for start in cuts if first <= start <= last)
    found: dict[tuple[bool, tuple[Place, ...]], list[Span]] = {}
    for start, following in zip_longest(starts, starts[1:], fillvalue=last + 1):
        places = tuple(line.at(start) for line in lines)
        found.setdefault((start < IPV6_START, places), []).append((start, following - 1))
    for (_, places), spans in found.items():
        yield tuple(spans), places


def _streams(places: tuple[Place, ...], within: Scope) -> Iterator[tuple[Payload, Sent]]:
    """What is sent besides requests."""
    plain = (Sends.BYTES, Sends.NOTHING, Sends.DATAGRAM)
    yield from ((kind, Sent(kind)) for kind in plain if kind in within.kinds)
    if Sends.TLS not in within.kinds:
        return
    if within.host is not None:
        yield TLSClientHello(within.host or None), Sent(Sends.TLS, only(within.host.lower()))
        return
    names = sorted(frozenset().union(*(place.server_names for place in places)))
    yield TLSClientHello(None), Sent(Sends.TLS, only(""))
    for name in names:
        yield TLSClientHello(name), Sent(Sends.TLS, only(name))
    yield TLSClientHello(unlisted_host(names)), Sent(Sends.TLS, Among(frozenset(["", *names])))
