"""All connections divided into finitely many classes, within which no reading of a policy tells two apart.

The classes of several readings are those that none of them divides further. Each is shown by a small
connection.
"""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from ..connections.connection import Connection
from ..connections.payloads import Sends, TLSClientHello
from ..values.dialling import Appeal, Dialling, Span
from ..values.identity import Memory
from ..values.net import IPV6_START, LAST_KEY, Address
from .classes import ANYTHING, Among, Class, Line, Place, Reading, Scope, Sent, only
from .requests import Asked, hosts_of, requests_to, unlisted_host

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from ..connections.payloads import Payload

__all__ = ["dialled", "divide"]

T = TypeVar("T")

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
    placed = list(together)
    streams: _Where[tuple[Payload, Sent]] = _Where()
    for spans, places in placed:
        for payload, sent, key in _streams(places, within):
            streams.add((spans[0][0] < IPV6_START, *key), spans, (payload, sent))
    for spans, (payload, sent) in streams.found():
        yield spans, payload, sent, ""
    if Sends.HTTP in within.kinds:
        yield from _requests(placed, within, spelled=spelled)


def _requests(
    placed: list[_Placed], within: Scope, *, spelled: bool
) -> Iterator[tuple[tuple[Span, ...], Payload, Sent, str]]:
    """Requests to each host: where the same decides about them they are alike, whatever the address."""
    where: _Where[tuple[Asked, tuple[Place, ...], list[str]]] = _Where()
    routed: dict[tuple[object, ...], list[_Placed]] = {}
    for spans, places in placed:
        key = (spans[0][0] < IPV6_START, *(place.routing for place in places))
        routed.setdefault(key, []).append((spans, places))
    for (family, *_), alike in routed.items():
        parts: dict[tuple[bool, ...], list[_Placed]] = {}
        listed = sorted(frozenset().union(*(place.hosts for place in alike[0][1])))
        for host in hosts_of(listed, within, spelled=spelled):
            lists = tuple([place.lists(host.text) for place in alike[0][1]])
            if lists not in parts:
                parts[lists] = _unlisted_alike(alike, lists)
            for spans, places in parts[lists]:
                deciders = [place.decider(host.text) for place in places]
                where.add((family, host, *deciders), spans, (host, places, listed))
    for spans, (host, places, listed) in where.found():
        for request, sent, undecided in requests_to(host, places, within, listed):
            yield spans, request, sent, undecided


def _unlisted_alike(alike: list[_Placed], lists: tuple[bool, ...]) -> list[_Placed]:
    """The places that decide alike about a host which some of them list, the others by what is unlisted."""
    where: _Where[tuple[Place, ...]] = _Where()
    for spans, places in alike:
        rest = (place.elsewhere for place, is_listed in zip(places, lists, strict=True) if not is_listed)
        where.add(tuple(rest), spans, places)
    return list(where.found())


class _Where(Generic[T]):
    """What is looked at, by what decides about it, with the addresses where that does."""

    def __init__(self) -> None:
        self.things: dict[Hashable, tuple[T, list[tuple[Span, ...]]]] = {}

    def add(self, key: Hashable, spans: tuple[Span, ...], thing: T) -> None:
        """Put it where it belongs."""
        self.things.setdefault(key, (thing, []))[1].append(spans)

    def found(self) -> Iterator[tuple[tuple[Span, ...], T]]:
        """The addresses of each, joined once for all that have the same."""
        known: dict[tuple[int, ...], tuple[Span, ...]] = {}
        for thing, apart in self.things.values():
            key = tuple(map(id, apart))
            if key not in known:
                known[key] = apart[0] if len(apart) == 1 else tuple(sorted(chain.from_iterable(apart)))
            yield known[key], thing


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


def _streams(
    places: tuple[Place, ...], within: Scope
) -> Iterator[tuple[Payload, Sent, tuple[Hashable, ...]]]:
    """What is sent besides requests, and what decides about it."""
    plain = (Sends.BYTES, Sends.NOTHING, Sends.DATAGRAM)
    yield from ((kind, Sent(kind), (kind, places)) for kind in plain if kind in within.kinds)
    if Sends.TLS not in within.kinds:
        return
    if within.host is not None:
        sent = Sent(Sends.TLS, only(within.host.lower()))
        yield TLSClientHello(within.host or None), sent, (sent, places)
        return
    names = sorted(frozenset().union(*(place.server_names for place in places)))
    yield TLSClientHello(None), Sent(Sends.TLS, only("")), (Sends.TLS, places)
    for name in names:
        deciding = tuple([place.name_decider(name) for place in places])
        yield TLSClientHello(name), Sent(Sends.TLS, only(name)), (name, deciding)
    rest = Among(frozenset(["", *names]))
    yield TLSClientHello(unlisted_host(names)), Sent(Sends.TLS, rest), (rest, places)
