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

from ..connections.connection import KINDS, Connection, HTTPRequest, Sends, TLSClientHello
from ..patterns import Pattern, escaped
from ..patterns.automata import Texts, Undecided, witness
from ..resources.checks import KNOWN_METHODS
from ..values.net import IPV6_START, LAST_KEY, Address

if TYPE_CHECKING:
    from ..connections.connection import Payload

__all__ = [
    "ANYTHING",
    "EVERY",
    "UNKNOWN_METHOD",
    "Among",
    "Class",
    "Condition",
    "Line",
    "Literal",
    "Place",
    "Reading",
    "Scope",
    "Sent",
    "Span",
    "asked_of",
    "divide",
]

UNKNOWN_METHOD = "PURGE"
EFFORT = 20_000  # steps in the search for the requests to one host, before what is left is named as undecided
HOST_PATTERNS = 10  # searched in the Host, whose combinations are all tried
ALL_PORTS = range(1, 65_536)
OTHER_HOST = "other.example"
HOST = "host"
KELVIN = "\u212a"


@frozen(cache_hash=True)
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
        source: what decides about everything; where it is equal, all is decided alike.
    """

    server_names: frozenset[str] = frozenset()
    hosts: Mapping[str, tuple[Condition, ...]] = field(factory=dict)
    otherwise: tuple[Condition, ...] = ()
    folds: bool = True
    routing: object = field(factory=object, repr=False)
    source: object = field(default=None, repr=False)

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

Literal: TypeAlias = tuple[str, Pattern]
"""A pattern, and the header that it is searched in; the path has no name."""
_Found: TypeAlias = tuple[Literal, ...]
_Missing: TypeAlias = tuple[tuple[Literal, ...], ...]


@frozen(cache_hash=True)
class Among:
    """Some words: those that are named or, with `but`, all others; so by default every word."""

    words: frozenset[str] = frozenset()
    but: bool = True

    def __contains__(self, word: str) -> bool:
        return (word in self.words) is not self.but

    def __or__(self, other: Among) -> Among:
        """The words of either."""
        if self.but and other.but:
            return Among(self.words & other.words)
        if self.but:
            return Among(self.words - other.words)
        return other | self if other.but else Among(self.words | other.words, but=False)

    @property
    def every(self) -> bool:
        """Whether all words are among them."""
        return self.but and not self.words


EVERY = Among()


def _only(*words: str) -> Among:
    return Among(frozenset(words), but=False)


@frozen(cache_hash=True)
class Sent:
    """What the connections of a class send.

    Attributes:
        kind: stream, TLS or request.
        names: the server name or Host, in lower case; no server name is the empty word.
        spellings: the Host as it is written.
        methods: of a request.
        hosts: the patterns that are searched in the Host, and whether they are found.
        found: what is found in the path and in headers.
        missing: what is not found there, not all of each at once.
    """

    kind: Sends
    names: Among = EVERY
    spellings: Among = EVERY
    methods: Among = EVERY
    hosts: tuple[tuple[Pattern, bool], ...] = ()
    found: _Found = ()
    missing: _Missing = ()

    def __contains__(self, connection: Connection) -> bool:
        """Whether the connection sends this."""
        if connection.kind is not self.kind:
            return False
        payload = connection.sends
        if isinstance(payload, TLSClientHello):
            return payload.name in self.names
        return not isinstance(payload, HTTPRequest) or self._requested(payload)

    def _requested(self, request: HTTPRequest) -> bool:
        return (
            request.authority in self.names
            and request.host in self.spellings
            and request.method in self.methods
            and all(pattern.search(request.host) is found for pattern, found in self.hosts)
            and all(_is_found(literal, request) for literal in self.found)
            and not any(all(_is_found(literal, request) for literal in rest) for rest in self.missing)
        )


def _is_found(literal: Literal, request: HTTPRequest) -> bool:
    name, pattern = literal
    return pattern.search(request.header(name) if name else request.path)


@frozen(cache_hash=True)
class Scope:
    """Which connections are divided; what is None is open.

    Attributes:
        port: the port.
        span: the addresses.
        kinds: what is sent.
        host: the Host as it is sent, or the server name, of what sends one; empty for none.
        method: of a request.
        path: of a request.
        headers: of a request, all of them, by name in lower case.
    """

    port: int | None = None
    span: Span | None = None
    kinds: tuple[Sends, ...] = KINDS
    host: str | None = None
    method: str | None = None
    path: str | None = None
    headers: Mapping[str, str] | None = None


ANYTHING = Scope()


@frozen
class Class:
    """Connections that are alike to all readings.

    Attributes:
        port: the port; None for every port that no reading names.
        spans: the addresses, in order.
        witness: one of the connections: at the first address, with the smallest path and header values for
            the patterns that are found in them.
        undecided: what could not be decided about further classes here; then the witness stands for none,
            and `sent` holds them and others.
        sent: what they send.
    """

    port: int | None
    spans: tuple[Span, ...]
    witness: Connection
    undecided: str
    sent: Sent


_Asked: TypeAlias = "tuple[str, str, Mapping[str, str], Among, _Found, _Missing, str]"
"""Method, path and headers of a request; all methods that are alike, what else is, and what is undecided."""
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
    for number in numbers:
        if number is None:
            return  # there is no port without a name
        lines = [reading.ports.get(number, reading.other) for reading in readings]
        port = None if number == unnamed and within.port is None else number
        for spans, payload, sent, undecided in _sent(_together(lines, within), within, spelled=spelled):
            connection = Connection(Address.from_key(spans[0][0]), number, payload)
            yield Class(port, spans, connection, undecided, sent)


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
    for request, sent, undecided in _requests(first, within, spelled=spelled):
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
        yield TLSClientHello(within.host or None), Sent(Sends.TLS, _only(within.host.lower()))
        return
    names = sorted(frozenset().union(*(place.server_names for place in places)))
    yield TLSClientHello(None), Sent(Sends.TLS, _only(""))
    for name in names:
        yield TLSClientHello(name), Sent(Sends.TLS, _only(name))
    yield TLSClientHello(_fresh(names)), Sent(Sends.TLS, Among(frozenset(["", *names])))


def _fresh(names: Iterable[str]) -> str:
    """A host that is none of these, nor one of them in other letters."""
    taken = {name.lower() for name in names}
    name = OTHER_HOST
    while name in taken:
        name = f"an{name}"
    return name


# --- requests --------------------------------------------------------------------------------------------


@frozen
class _Host:
    """A Host, and all that are looked at with it.

    Attributes:
        text: one of them.
        names: them, in lower case.
        spellings: them, as they are written.
    """

    text: str
    names: Among
    spellings: Among = EVERY


def _requests(
    places: tuple[Place, ...], within: Scope, *, spelled: bool
) -> Iterator[tuple[HTTPRequest, Sent, str]]:
    listed = sorted(frozenset().union(*(place.hosts for place in places)))
    for host in _hosts(listed, within, spelled=spelled):
        lists = [place.conditions(host.text) for place in places]
        sent = Sent(Sends.HTTP, host.names, host.spellings)
        if not any(_asks_host(conditions) for conditions in lists):
            yield from _by_method(host.text, lists, sent, within)
        elif host.spellings.but:
            yield from _by_host_patterns(host, lists, sent, within, listed)
        else:
            lists = [asked_of(host.text, conditions) for conditions in lists]
            yield from _by_method(host.text, lists, sent, within)


def _hosts(listed: list[str], within: Scope, *, spelled: bool) -> Iterator[_Host]:
    """The Hosts that are listed, in these letters and in others, and all that are not."""
    if within.host is not None:
        yield _Host(within.host, _only(within.host.lower()), _only(within.host))
        return
    if spelled:
        for host in listed:
            yield _Host(host, _only(host.lower()), _only(host))
        for host in _respelled(listed):
            name = host.lower()
            exact = frozenset(text for text in listed if text.lower() == name)
            yield _Host(host, _only(name), Among(exact))
    else:
        for host in listed:
            yield _Host(host, _only(host.lower()))
    yield _Host(_fresh(listed), Among(frozenset(host.lower() for host in listed)))


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
    host: _Host, lists: list[tuple[Condition, ...]], sent: Sent, within: Scope, listed: list[str]
) -> Iterator[tuple[HTTPRequest, Sent, str]]:
    """Requests whose Host is searched as a header too: in each spelling, a pattern is found or not."""
    patterns = tuple(
        dict.fromkeys(
            pattern
            for conditions in lists
            for condition in conditions
            for name, pattern in condition.headers
            if name == HOST
        )
    )
    texts, undecided = _other_hosts(patterns, host, listed)
    for text in texts:
        signs = tuple((pattern, pattern.search(text)) for pattern in patterns)
        left = [asked_of(text, conditions) for conditions in lists]
        yield from _by_method(text, left, evolve(sent, hosts=signs), within)
    if undecided:
        yield HTTPRequest("GET", host.text), sent, undecided


def _other_hosts(patterns: tuple[Pattern, ...], host: _Host, listed: list[str]) -> tuple[list[str], str]:
    """Spellings of a host, or hosts that are not listed, one for each way to find the patterns in them.

    A host that is a listed one in other letters stays one.
    """
    spelled: list[tuple[Pattern, bool]] = []
    avoid = frozenset(text.lower() for text in listed)
    if not host.names.but:
        exact = [text for text in listed if text not in host.spellings]
        spelled = [(_literal(host.text, any_case=True), True), *((_literal(text), False) for text in exact)]
        avoid = frozenset()
    texts = [host.text]
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
        if text is not None and tuple(pattern.search(host.text) for pattern in tried) != signs:
            texts.append(text)
    return texts, undecided


def _literal(text: str, *, any_case: bool = False) -> Pattern:
    letters = (_cased(char) if any_case else escaped(char) for char in text)
    return Pattern.of_bytes(f"^{''.join(letters)}$")


def _cased(char: str) -> str:
    """A pattern of all that is this character in lower case; the sign of kelvin is a `k`, too."""
    if not (char.isascii() and char.isalpha()):
        return escaped(char)
    lower = char.lower()
    return f"(?:[{lower}{char.upper()}]|{KELVIN})" if lower == "k" else f"[{lower}{char.upper()}]"


def asked_of(host: str, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions that are left for a Host, without what they ask of it."""
    return tuple(
        evolve(condition, headers=tuple(header for header in condition.headers if header[0] != HOST))
        for condition in conditions
        if all(pattern.search(host) for name, pattern in condition.headers if name == HOST)
    )


def _by_method(
    host: str, lists: list[tuple[Condition, ...]], sent: Sent, within: Scope
) -> Iterator[tuple[HTTPRequest, Sent, str]]:
    """Requests by method, path and headers."""
    for method, path, headers, methods, found, missing, undecided in _asked_requests(tuple(lists), within):
        asked = Sent(sent.kind, sent.names, sent.spellings, methods, sent.hosts, found, missing)
        yield HTTPRequest(method, host, path, headers), asked, undecided


@lru_cache(maxsize=4096)
def _asked_requests(lists: tuple[tuple[Condition, ...], ...], within: Scope) -> tuple[_Asked, ...]:
    """Requests of which these conditions are asked: methods are alike for which the same ones are left."""
    alike: dict[tuple[bool, tuple[tuple[int, ...], ...]], list[str]] = {}
    for method in (*KNOWN_METHODS, UNKNOWN_METHOD) if within.method is None else (within.method,):
        left = tuple(
            tuple(index for index, condition in enumerate(conditions) if method in condition.methods)
            for conditions in lists
        )
        alike.setdefault((method in KNOWN_METHODS, left), []).append(method)
    found: list[_Asked] = []
    for (known, left), methods in alike.items():
        chosen = (
            tuple(conditions[index] for index in kept) for conditions, kept in zip(lists, left, strict=True)
        )
        open_lists = tuple(dict.fromkeys(_left_open(conditions, within) for conditions in chosen))
        are_all = not known and within.method is None
        spoken = Among(frozenset(KNOWN_METHODS)) if are_all else _only(*methods)
        for path, headers, fronts, undecided in _search(open_lists):
            sent_path = path if within.path is None else within.path
            sent_headers = headers if within.headers is None else within.headers
            narrowed = _narrowed(open_lists, fronts)
            found.append((methods[0], sent_path, sent_headers, spoken, *narrowed, undecided))
    return tuple(found)


def _left_open(conditions: tuple[Condition, ...], within: Scope) -> tuple[Condition, ...]:
    """What is left to ask where the path or the headers are known."""
    path, headers = within.path, within.headers
    if path is not None:
        conditions = tuple(
            evolve(condition, path=None)
            for condition in conditions
            if condition.path is None or condition.path.search(path)
        )
    if headers is not None:
        conditions = tuple(
            evolve(condition, headers=())
            for condition in conditions
            if all(pattern.search(headers.get(name, "")) for name, pattern in condition.headers)
        )
    return conditions


def _narrowed(lists: tuple[tuple[Condition, ...], ...], fronts: Fronts) -> tuple[_Found, _Missing]:
    """What is found, and what is missing, where these conditions are the first to hold."""
    found: dict[Literal, None] = {}
    missing: dict[tuple[Literal, ...], None] = {}
    for conditions, front in zip(lists, fronts, strict=False):
        missing.update(dict.fromkeys(map(_literals, conditions[:front])))
        found.update(dict.fromkeys(chain.from_iterable(map(_literals, conditions[front : front + 1]))))
    return tuple(found), tuple(missing)


# --- paths and headers -----------------------------------------------------------------------------------

Chosen: TypeAlias = "Mapping[str, Mapping[Pattern, bool]]"
"""What has been decided to be found and not to be found, by where it is searched."""
Fronts: TypeAlias = "tuple[int, ...]"
Way: TypeAlias = "tuple[str, Mapping[str, str], Fronts, str]"
"""A path, headers, the first conditions that hold, and what could not be decided about further ways."""


def _search(lists: tuple[tuple[Condition, ...], ...]) -> Iterator[Way]:
    """A path and headers for each combination of first conditions that can hold, one from each list.

    One pattern after the other is decided to be found, or not to be.
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
                path = texts.pop("", "/")
                yield path, {name: text for name, text in texts.items() if text}, fronts, ""
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
        yield "/", {}, (), undecided


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
