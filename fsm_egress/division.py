"""All connections divided into finitely many classes, within which no reading of a policy tells two apart.

A *reading* says what it looks at: on each port, where on the line of all addresses something changes, and at
each *place* between, the server names, the hosts, and the conditions on the requests to each host. The
classes of several readings are those that none of them divides further. Each is shown by a small connection.
Paths and headers are divided by the patterns that are searched in them, exactly (`automata.py`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, product, zip_longest
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, field, frozen

from .automata import Texts, Undecided, witness
from .checks import KNOWN_METHODS
from .connection import Connection, HTTPRequest, Sends, TLSClientHello
from .net import IPV6_START, LAST_KEY, Address
from .patterns import Pattern, escaped

if TYPE_CHECKING:
    from .connection import Payload

__all__ = ["Class", "Condition", "Line", "Place", "Reading", "Span", "asked_of", "divide"]

UNKNOWN_METHOD = "PURGE"
EFFORT = 20_000  # steps in the search for the requests to one host, before what is left is named as undecided
HOST_PATTERNS = 10  # searched in the Host, whose combinations are all tried
ALL_PORTS = range(1, 65_536)
OTHER_HOST = "other.example"
HOST = "host"


@frozen
class Condition:
    """What a route asks of a request.

    Attributes:
        methods: of the known ones.
        path: what is searched in the path; None for any.
        headers: names in lower case, which requests can have, and what is searched in the value of each.
    """

    methods: tuple[str, ...]
    path: Pattern | None = None
    headers: tuple[tuple[str, Pattern], ...] = ()


@frozen(eq=False)
class Place:
    """What a reading looks at where nothing in it depends on the address any more.

    Attributes:
        server_names: in lower case.
        hosts: the conditions on requests to each host, in the order in which the first that holds decides.
        otherwise: those on requests to every other host.
        folds: whether a Host is lower-cased before it is looked up.
        routing: what decides about requests to the listed hosts; places that share it decide them alike, and
            may differ in everything else.
    """

    server_names: frozenset[str] = frozenset()
    hosts: Mapping[str, tuple[Condition, ...]] = field(factory=dict)
    otherwise: tuple[Condition, ...] = ()
    folds: bool = True
    routing: object = field(factory=object, repr=False)

    def lists(self, host: str) -> bool:
        """Whether requests with this Host are looked at apart from those of other hosts."""
        return (host.lower() if self.folds else host) in self.hosts

    def conditions(self, host: str) -> tuple[Condition, ...]:
        """The conditions on requests with this Host."""
        return self.hosts.get(host.lower() if self.folds else host, self.otherwise)


@frozen(eq=False)
class Line:
    """The line of all addresses, cut where the place changes: from `starts[i]` on it is `places[i]`."""

    starts: tuple[int, ...]
    places: tuple[Place, ...]

    def at(self, key: int) -> Place:
        """The place of an address, by its key."""
        return self.places[bisect_right(self.starts, key) - 1]


@frozen(eq=False)
class Reading:
    """What is looked at, on each port that is named, and on every other."""

    ports: Mapping[int, Line]
    other: Line


Span: TypeAlias = tuple[int, int]
"""A run of addresses, by the keys of the first and the last."""


@frozen
class Class:
    """Connections that are alike to all readings.

    Attributes:
        port: the port; None for every port that no reading names.
        spans: the addresses, in order.
        witness: one of the connections: at the first address, with the smallest path and header values for
            the patterns that are found in them.
        undecided: what could not be decided about further classes here; then the witness stands for none.
    """

    port: int | None
    spans: tuple[Span, ...]
    witness: Connection
    undecided: str = ""


def divide(*readings: Reading) -> Iterator[Class]:
    """The classes of these readings, by port; there streams first, by address, then requests, by host."""
    named = sorted({port for reading in readings for port in reading.ports})
    unnamed = next((port for port, name in zip_longest(ALL_PORTS, named) if port != name), None)
    for number in [*named, unnamed]:
        if number is None:
            return  # there is no port without a name
        lines = [reading.ports.get(number, reading.other) for reading in readings]
        port = None if number == unnamed else number
        for spans, payload, undecided in _sent(_together(lines)):
            connection = Connection(Address.from_key(spans[0][0]), number, payload)
            yield Class(port, spans, connection, undecided)


def _sent(
    together: Iterable[tuple[tuple[Span, ...], tuple[Place, ...]]],
) -> Iterator[tuple[tuple[Span, ...], Payload, str]]:
    """What is sent on a port, one of each class, with the addresses and what is undecided there."""
    routed: dict[tuple[object, ...], list[tuple[tuple[Span, ...], tuple[Place, ...]]]] = {}
    for spans, places in together:
        for payload in _streams(places):
            yield spans, payload, ""
        family = spans[0][0] < IPV6_START
        routed.setdefault((family, *(place.routing for place in places)), []).append((spans, places))
    for members in routed.values():
        yield from _routed(members)


def _routed(
    members: list[tuple[tuple[Span, ...], tuple[Place, ...]]],
) -> Iterator[tuple[tuple[Span, ...], Payload, str]]:
    """Requests where routing is the same: to a host that is listed wherever places differ, they are alike."""
    apart = [spans for spans, _ in members]
    together = [tuple(sorted(chain.from_iterable(apart)))]
    first = members[0][1]
    columns = zip(*(places for _, places in members), strict=True)
    differing = [column[0] for column in columns if len(set(column)) > 1]
    for request, undecided in _requests(first):
        alike = all(place.lists(request.host) for place in differing)
        for spans in together if alike else apart:
            yield spans, request, undecided


def _together(lines: list[Line]) -> Iterator[tuple[tuple[Span, ...], tuple[Place, ...]]]:
    """The spans where the lines have the same places, for each combination of places that they have."""
    starts = sorted({IPV6_START, *chain.from_iterable(line.starts for line in lines)})
    found: dict[tuple[bool, tuple[Place, ...]], list[Span]] = {}
    for index, start in enumerate(starts):
        end = starts[index + 1] - 1 if index + 1 < len(starts) else LAST_KEY
        places = tuple(line.at(start) for line in lines)
        found.setdefault((start < IPV6_START, places), []).append((start, end))
    for (_, places), spans in found.items():
        yield tuple(spans), places


def _streams(places: tuple[Place, ...]) -> Iterator[Payload]:
    """What is sent besides requests."""
    yield from (Sends.BYTES, Sends.NOTHING, Sends.DATAGRAM)
    names = sorted(frozenset().union(*(place.server_names for place in places)))
    yield from map(TLSClientHello, [None, *names, _fresh(names)])


def _fresh(names: Iterable[str]) -> str:
    """A host that is none of these, nor one of them in other letters."""
    taken = {name.lower() for name in names}
    name = OTHER_HOST
    while name in taken:
        name = f"an{name}"
    return name


# --- requests --------------------------------------------------------------------------------------------


def _requests(places: tuple[Place, ...]) -> Iterator[tuple[HTTPRequest, str]]:
    listed = sorted(frozenset().union(*(place.hosts for place in places)))
    for host in [*listed, *_respelled(listed), _fresh(listed)]:
        lists = [place.conditions(host) for place in places]
        if any(_asks_host(conditions) for conditions in lists):
            known = host in listed
            yield from _by_host_patterns(host, lists, listed, known=known)
        else:
            yield from _by_method(host, lists)


def _respelled(hosts: list[str]) -> Iterable[str]:
    """Each host with one letter in the other case, unless that is listed as well; of namesakes one."""
    listed = set(hosts)
    found: dict[str, str] = {}
    for host in hosts:
        others = (
            f"{host[:index]}{letter.swapcase()}{host[index + 1 :]}"
            for index, letter in enumerate(host)
            if letter.isascii()
        )
        other = next((text for text in others if text not in listed), None)
        if other is not None:
            found.setdefault(host.lower(), other)
    return found.values()


def _asks_host(conditions: tuple[Condition, ...]) -> bool:
    return any(name == HOST for condition in conditions for name, _ in condition.headers)


def _by_host_patterns(
    host: str, lists: list[tuple[Condition, ...]], listed: list[str], *, known: bool
) -> Iterator[tuple[HTTPRequest, str]]:
    """Requests whose Host is searched as a header too: of a listed host each pattern is found or not."""
    patterns = {
        pattern: None
        for conditions in lists
        for condition in conditions
        for name, pattern in condition.headers
        if name == HOST
    }
    if known:
        texts, undecided = [host], ""
    else:
        texts, undecided = _other_hosts(tuple(patterns), host, listed)
    for text in texts:
        yield from _by_method(text, [asked_of(text, conditions) for conditions in lists])
    if undecided:
        yield HTTPRequest("GET", host), undecided


def _other_hosts(patterns: tuple[Pattern, ...], host: str, listed: list[str]) -> tuple[list[str], str]:
    """Hosts that are not listed, one for each way in which the patterns are found in them.

    A host that is a listed one in other letters stays one.
    """
    folded = {text.lower() for text in listed}
    spelled: list[tuple[Pattern, bool]] = []
    avoid = frozenset(folded)
    if host.lower() in folded:
        exact = [text for text in listed if text.lower() == host.lower()]
        spelled = [(_literal(host, any_case=True), True), *((_literal(text), False) for text in exact)]
        avoid = frozenset()
    texts = [host]
    undecided = ""
    tried = patterns[:HOST_PATTERNS]
    if tried != patterns:
        undecided = f"which hosts more than {HOST_PATTERNS} patterns of `{HOST}` leave"
    for signs in product((False, True), repeat=len(tried)):
        try:
            text = witness([*spelled, *zip(tried, signs, strict=True)], Texts.HOST, avoid)
        except Undecided as error:
            undecided = f"which hosts the patterns of `{HOST}` leave: {error}"
            continue
        if text is not None and tuple(pattern.search(host) for pattern in tried) != signs:
            texts.append(text)
    return texts, undecided


def _literal(text: str, *, any_case: bool = False) -> Pattern:
    letters = (
        f"[{char.lower()}{char.upper()}]" if any_case and char.isascii() and char.isalpha() else escaped(char)
        for char in text
    )
    return Pattern.of_bytes(f"^{''.join(letters)}$")


def asked_of(host: str, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions that are left for a Host, without what they ask of it."""
    return tuple(
        evolve(condition, headers=tuple(header for header in condition.headers if header[0] != HOST))
        for condition in conditions
        if all(pattern.search(host) for name, pattern in condition.headers if name == HOST)
    )


def _by_method(host: str, lists: list[tuple[Condition, ...]]) -> Iterator[tuple[HTTPRequest, str]]:
    """Requests by method: those methods are alike for which the same conditions are left."""
    seen: set[tuple[bool, tuple[tuple[int, ...], ...]]] = set()
    for method in (*KNOWN_METHODS, UNKNOWN_METHOD):
        left = tuple(
            tuple(index for index, condition in enumerate(conditions) if method in condition.methods)
            for conditions in lists
        )
        signature = (method in KNOWN_METHODS, left)
        if signature in seen:
            continue
        seen.add(signature)
        chosen = tuple(
            tuple(conditions[index] for index in kept) for conditions, kept in zip(lists, left, strict=True)
        )
        for path, headers, undecided in _ways(tuple(dict.fromkeys(chosen))):
            yield HTTPRequest(method, host, path, headers), undecided


# --- paths and headers -----------------------------------------------------------------------------------

Literal: TypeAlias = tuple[str, Pattern]
"""A pattern, and the header that it is searched in; the path has no name."""

Chosen: TypeAlias = "Mapping[str, Mapping[Pattern, bool]]"
"""What has been decided to be found and not to be found, by where it is searched."""
Fronts: TypeAlias = "tuple[int, ...]"
Way: TypeAlias = "tuple[str, Mapping[str, str], str]"
"""A path, headers, and what could not be decided about further ways."""


@lru_cache(maxsize=4096)
def _ways(lists: tuple[tuple[Condition, ...], ...]) -> tuple[Way, ...]:
    """A path and headers for each combination of first conditions that can hold, one from each list."""
    return tuple(_search(lists))


def _search(lists: tuple[tuple[Condition, ...], ...]) -> Iterator[Way]:
    """The search for the combinations, by deciding one pattern after the other.

    The fronts say how many conditions of each list are known to fail: in the end, which is the first to hold.
    """
    shown: set[Fronts] = set()
    undecided = ""
    pending: list[tuple[Fronts, Chosen]] = [((0,) * len(lists), {})]
    steps = 0
    while pending:
        steps += 1
        if steps > EFFORT:
            undecided = f"more than {EFFORT} steps would be needed for all requests to a host"
            break
        fronts, chosen = pending.pop()
        fronts, asked = _settled(lists, fronts, chosen)
        if asked is None:
            if fronts not in shown:
                shown.add(fronts)
                texts = {name: _text(name, chosen) or "" for name in sorted(chosen)}
                yield texts.pop("", "/"), {name: text for name, text in texts.items() if text}, ""
        elif not _exhausted(lists, fronts, shown):
            name, pattern = asked
            for found in (True, False):  # what is put last is gone on with first
                further = {**chosen, name: {**chosen.get(name, {}), pattern: found}}
                try:
                    possible = _text(name, further) is not None
                except Undecided as error:
                    undecided = str(error)
                    continue
                if possible:
                    pending.append((fronts, further))
    if undecided:
        yield "/", {}, undecided


def _settled(
    lists: tuple[tuple[Condition, ...], ...], fronts: Fronts, chosen: Chosen
) -> tuple[Fronts, Literal | None]:
    """The first conditions that may still hold, and the first pattern that they turn on."""
    moved: list[int] = []
    asked: Literal | None = None
    for conditions, start in zip(lists, fronts, strict=True):
        front = start
        while front < len(conditions):
            known = {
                (name, item): chosen.get(name, {}).get(item) for name, item in _literals(conditions[front])
            }
            if False not in known.values():
                unknown = (literal for literal, found in known.items() if found is None)
                asked = asked or next(unknown, None)
                break
            front += 1
        moved.append(front)
    return tuple(moved), asked


def _exhausted(lists: tuple[tuple[Condition, ...], ...], fronts: Fronts, shown: set[Fronts]) -> bool:
    """Whether every combination from here on has been shown."""
    rest = prod(len(conditions) + 1 - front for conditions, front in zip(lists, fronts, strict=True))
    beyond = (all(map(int.__ge__, found, fronts)) for found in shown)
    return rest <= len(shown) and sum(beyond) == rest


def _literals(condition: Condition) -> tuple[Literal, ...]:
    path = () if condition.path is None else (("", condition.path),)
    return (*path, *condition.headers)


def _text(name: str, chosen: Chosen) -> str | None:
    """The smallest path or header value in which is found what has been chosen; None if there is none."""
    return _smallest(frozenset(chosen[name].items()), Texts.VALUE if name else Texts.PATH)


@lru_cache(maxsize=65536)
def _smallest(wanted: frozenset[tuple[Pattern, bool]], texts: Texts) -> str | None:
    return witness(sorted(wanted, key=lambda pair: pair[0].text), texts)
