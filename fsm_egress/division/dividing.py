"""All connections divided into finitely many classes, within which no reading of a policy tells two apart.

The classes of several readings are those that none of them divides further. Each is shown by a small
connection.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import chain, zip_longest
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from attrs import field

from ..connections.connection import Connection
from ..connections.payloads import Sends, TLSClientHello
from ..values.construction import frozen
from ..values.dialling import Appeal, Dialling, Span
from ..values.identity import Memory
from ..values.net import IPV6_START, LAST_KEY, Address
from .classes import ANYTHING, Among, Class, Deciders, Line, Place, Reading, Scope, Sent, only
from .layers import Layer, Placed, joined, layers_of
from .requests import (
    Asked,
    asked_as,
    asked_exactly,
    asked_otherwise,
    asks_host,
    either,
    requests_to,
    unlisted_host,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence

    from ..connections.payloads import Payload

__all__ = ["Choose", "OnPort", "Rank", "dialled", "divide", "ports_of"]

T = TypeVar("T")
Rank: TypeAlias = tuple[int, int, int]
"""Where a class stands among those of its port: streams by address and kind, then requests by address."""
Choose: TypeAlias = "Callable[[Sequence[Connection], Sequence[Connection]], Iterable[tuple[int, int]]]"
"""Which classes are wanted of server names that the first reading alone lists, and of parts that others tell
apart: there are as many as names times parts. Given are a connection to each name, in the first part, and one
in each part, in their order, to the first name; what comes back are the numbers of a name and a part."""
_Pick: TypeAlias = (
    "Callable[[Sequence[TLSClientHello], Sequence[tuple[Span, ...]]], Iterable[tuple[int, int]]]"
)

ALL_PORTS = range(1, 65_536)
LONGEST_HOST = 300  # of a policy, with a port; a longer one may be of a line that is not read
PLAIN = (Sends.BYTES, Sends.NOTHING, Sends.DATAGRAM)
_ORDER = {kind: number for number, kind in enumerate((*PLAIN, Sends.TLS))}


def divide(*readings: Reading, within: Scope = ANYTHING, choose: Choose | None = None) -> Iterator[Class]:
    """The classes of these readings, by port; there streams first, by address, then requests, by host.

    Args:
        readings: what is looked at.
        within: which connections are divided.
        choose: which classes are wanted where there are many; by default all.
    """
    for port in ports_of(*readings, within=within):
        yield from (part for _, part in port.classes(port.placed, choose))


def dialled(*readings: Reading, within: Scope = ANYTHING, choose: Choose | None = None) -> Iterator[Class]:
    """The classes that hold something which a client can dial; see `divide`."""
    classes = divide(*readings, within=within, choose=choose)
    return (part for part in classes if part.appeal is not Appeal.NOWHERE)


def ports_of(*readings: Reading, within: Scope = ANYTHING) -> Iterator[OnPort]:
    """The ports that are divided, each with what the readings have there; see `divide`."""
    named = sorted({port for reading in readings for port in reading.ports})
    unnamed = next((port for port, name in zip_longest(ALL_PORTS, named) if port != name), None)
    numbers = [*named, unnamed] if within.port is None else [within.port]
    choice = Dialling.of(
        chain.from_iterable(reading.named for reading in readings),
        chain.from_iterable(reading.own for reading in readings),
    )
    for number in numbers:
        if number is None:
            return  # there is no port without a name
        lines = [reading.ports.get(number, reading.other) for reading in readings]
        port = None if number == unnamed and within.port is None else number
        yield OnPort(port, number, tuple(_together(lines, within)), choice, within)


@frozen(eq=False)
class OnPort:
    """What some readings have on a port.

    Attributes:
        port: the port; None for every port that no reading names.
        number: the port, or one of these.
        placed: spans of addresses, each with the place that every reading has there.
    """

    port: int | None
    number: int
    placed: tuple[Placed, ...]
    _choice: Dialling
    _within: Scope
    _known: Memory[tuple[Appeal, int]] = field(init=False, factory=Memory, repr=False)

    def classes(self, placed: Iterable[Placed], choose: Choose | None = None) -> Iterator[tuple[Rank, Class]]:
        """The classes on some of the spans, by rank.

        They are those of all spans but for what is decided alike here and elsewhere, which stands apart.

        Args:
            placed: the spans.
            choose: which are wanted where there are many; by default all.
        """
        pick = None if choose is None else partial(_picked, choose, self._connection)
        for rank, spans, payload, sent, undecided in _sent(placed, self._within, pick):
            appeal, _ = self._best(spans)
            yield rank, Class(self.port, spans, self._connection(spans, payload), undecided, sent, appeal)

    def dialled(self) -> list[Placed]:
        """The spans that hold an address which a client can dial."""
        return [it for it in self.placed if self._best(it[0])[0] is not Appeal.NOWHERE]

    def shown(self, placed: Iterable[Placed]) -> tuple[tuple[Appeal, int], ...]:
        """Which address would be shown of each of these spans."""
        return tuple([self._best(spans) for spans, _ in placed])

    def _connection(self, spans: tuple[Span, ...], payload: Payload) -> Connection:
        """What is shown of some spans."""
        _, key = self._best(spans)
        return Connection(Address.from_key(key), self.number, payload)

    def _best(self, spans: tuple[Span, ...]) -> tuple[Appeal, int]:
        """The address to show of some spans."""
        return self._known.once(spans, self._choice.best)


def _picked(
    choose: Choose,
    connection: Callable[[tuple[Span, ...], Payload], Connection],
    names: Sequence[TLSClientHello],
    parts: Sequence[tuple[Span, ...]],
) -> Iterable[tuple[int, int]]:
    """What is chosen, given the connections."""
    return choose(
        [connection(parts[0], name) for name in names], [connection(spans, names[0]) for spans in parts]
    )


def _sent(
    together: Iterable[Placed], within: Scope, pick: _Pick | None
) -> Iterator[tuple[Rank, tuple[Span, ...], Payload, Sent, str]]:
    """What is sent on a port, one of each class, with the addresses and what is undecided there."""
    families: dict[bool, list[Placed]] = {}
    streams: _Where[tuple[Payload, Sent]] = _Where()
    for spans, places in together:
        is_ipv4 = spans[0][0] < IPV6_START
        families.setdefault(is_ipv4, []).append((spans, places))
        for kind in () if within.is_left_out(places) else PLAIN:
            if kind in within.kinds:
                streams.add((is_ipv4, kind, places), spans, (kind, Sent(kind)))
    if Sends.TLS in within.kinds:
        for is_ipv4, placed in families.items():
            for hello, sent, (what, deciding), spans in _greetings(placed, within, pick):
                if not within.is_left_out(deciding):
                    streams.add((is_ipv4, what, deciding), spans, (hello, sent))
    ranked = [((0, it[0][0][0], _ORDER[it[1][1].kind]), *it) for it in streams.found()]
    ranked.sort(key=itemgetter(0))
    yield from ((rank, spans, payload, sent, "") for rank, spans, (payload, sent) in ranked)
    if Sends.HTTP in within.kinds:
        yield from _requests(families, within)


def _requests(
    families: Mapping[bool, list[Placed]], within: Scope
) -> Iterator[tuple[Rank, tuple[Span, ...], Payload, Sent, str]]:
    """Requests to each host: where the same decides about them they are alike, whatever the address."""
    where: _Where[tuple[Rank, Asked, tuple[Place, ...], Collection[str], tuple[object, ...]]] = _Where()
    for is_ipv4, placed in families.items():
        for start, host, places, listed, spans in _asked(placed, within):
            deciders = tuple([place.decider(host.text) for place in places])
            if within.is_left_out(deciders):
                continue
            rank = (1, int(not is_ipv4), start)
            where.add((is_ipv4, host, deciders), spans, (rank, host, places, listed, deciders))
    alike: dict[Hashable, tuple[Rank, list[Asked], tuple[Span, ...], tuple[Place, ...], Collection[str]]] = {}
    for spans, (rank, host, places, listed, deciders) in where.found():
        key = host.form, id(spans), deciders if _can_be_joined(host, places) else host
        alike.setdefault(key, (rank, [], spans, places, listed))[1].append(host)
    for rank, hosts, spans, places, listed in alike.values():
        for request, sent, undecided in requests_to(either(hosts), places, within, listed):
            yield rank, spans, request, sent, undecided


def _can_be_joined(host: Asked, places: tuple[Place, ...]) -> bool:
    """Whether requests to other hosts are decided alike where what decides about them is equal."""
    return (
        not host.names.but
        and len(host.text) <= LONGEST_HOST
        and all(place.is_said_of(host.text) for place in places)
        and not asks_host(places, host.text)
    )


def _asked(
    placed: list[Placed], within: Scope
) -> Iterator[tuple[int, Asked, tuple[Place, ...], Collection[str], tuple[Span, ...]]]:
    """Hosts, with places where the same decides about requests to them, what is listed there, and where.

    Before each stands the first address of those where it is listed. A listed Host in other letters is apart,
    unless all readings fold it.
    """
    if within.host is not None:
        host = asked_exactly(within.host)
        yield from ((spans[0][0], host, places, (), spans) for spans, places in placed)
        return
    for layer in layers_of(placed, _hosts_of, lambda place: place.routing):
        spelled = not all(place.folds for place in layer.places)
        asked = [(word, asked_as(written, spelled=spelled)) for word, written in layer.own.items()]
        for word, host in chain(
            ((word, host) for word, (listed, _) in asked for host in listed),
            ((word, host) for word, (_, others) in asked for host in others),
        ):
            lists = tuple([place.lists(host.text) for place in layer.places])
            for spans, places in layer.alike(word, lists, _telling(lists, _ELSEWHERE)):
                yield layer.start, host, places, layer.own[word], spans
        host = asked_otherwise(layer.words)
        yield from ((layer.start, host, places, layer.words, spans) for spans, places in layer.here)


def _greetings(
    placed: list[Placed], within: Scope, pick: _Pick | None
) -> Iterator[tuple[TLSClientHello, Sent, tuple[Hashable, Deciders], tuple[Span, ...]]]:
    """TLS by server name, with what decides about it, and where."""
    if within.host is not None:
        hello, sent = TLSClientHello(within.host or None), Sent(Sends.TLS, only(within.host.lower()))
        yield from ((hello, sent, (sent, places), spans) for spans, places in placed)
        return
    unnamed = TLSClientHello(None), Sent(Sends.TLS, only(""))
    yield from ((*unnamed, (Sends.TLS, places), spans) for spans, places in placed)
    layers = layers_of(placed, _names_of, lambda place: place if place.server_names else None)
    listed = Counter(chain.from_iterable(layer.own for layer in layers))
    for layer in layers:
        chosen: dict[str, list[Placed]] = {}
        if pick is not None:
            chosen = _chosen([name for name in layer.own if listed[name] == 1], layer, pick)
        for name in layer.own:
            hello, sent = TLSClientHello(name), Sent(Sends.TLS, only(name))
            for spans, places in chosen[name] if name in chosen else _alike(layer, name):
                deciding = tuple([place.name_decider(name) for place in places])
                yield hello, sent, (name, deciding), spans
        rest = Among(layer.words | {""})
        hello, sent = TLSClientHello(unlisted_host(layer.words)), Sent(Sends.TLS, rest)
        yield from ((hello, sent, (rest, places), spans) for spans, places in layer.here)


def _alike(layer: Layer, name: str) -> list[Placed]:
    """Where one of a layer's own server names is decided as it is there."""
    lists = tuple([name in place.server_names for place in layer.places])
    return layer.alike(name, lists, _telling(lists, _UNNAMED))


def _chosen(names: Sequence[str], layer: Layer, pick: _Pick) -> dict[str, list[Placed]]:
    """The same of those that the first reading alone lists, and no other layer: only what is wanted of it."""
    first, *others = layer.places
    alone = [
        name
        for name in names
        if name in first.server_names and not any(name in place.server_names for place in others)
    ]
    parts = sorted(_alike(layer, alone[0]), key=itemgetter(0)) if alone else []
    if min(len(alone), len(parts)) < 2:  # noqa: PLR2004  # because there are no more than of the other
        return {}
    found: dict[str, list[Placed]] = {name: [] for name in alone}
    pairs = pick([TLSClientHello(name) for name in alone], [spans for spans, _ in parts])
    for name, part in pairs:
        found[alone[name]].append(parts[part])
    return found


def _hosts_of(place: Place) -> tuple[Place | None, Collection[str]]:
    return (None, place.hosts) if place.around is None else (place.around, place.own_hosts)


def _names_of(place: Place) -> tuple[Place | None, Collection[str]]:
    return (None, place.server_names) if place.around is None else (place.around, place.own_names)


_ELSEWHERE = attrgetter("elsewhere")
_UNNAMED = attrgetter("unnamed")


def _telling(
    lists: tuple[bool, ...], what: Callable[[Place], object]
) -> Callable[[tuple[Place, ...]], Hashable]:
    """What tells places apart about what only some of them list: that which decides in the others."""
    return lambda places: tuple(
        [what(it) for it, is_listed in zip(places, lists, strict=True) if not is_listed]
    )


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
                known[key] = joined(apart)
            yield known[key], thing


def _together(lines: list[Line], within: Scope) -> Iterator[Placed]:
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
