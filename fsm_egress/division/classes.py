"""What readings look at, and the classes of connections that they divide.

A *reading* says what it looks at: on each port, where on the line of all addresses something changes, and at
each *place* between, the server names, the hosts, and the conditions on the requests to each host.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from attrs import field

from ..connections.connection import Connection
from ..connections.payloads import KINDS, HTTPRequest, Sends, TLSClientHello
from ..patterns import Pattern
from ..values.construction import frozen
from ..values.dialling import Appeal, Span
from ..values.segments import Segments

__all__ = [
    "ANYTHING",
    "EVERY",
    "HOST",
    "TLS_NAME",
    "UNKNOWN_METHOD",
    "Among",
    "Class",
    "Condition",
    "Found",
    "Line",
    "Literal",
    "Missing",
    "Place",
    "Reading",
    "Scope",
    "Sent",
    "Span",
    "only",
]

UNKNOWN_METHOD = "PURGE"
TLS_NAME = "tls://"
HOST = "host"


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
        deciding: what does instead, of single hosts; and of single server names, by `TLS_NAME` and the name.
            Requests to hosts for which it is equal are decided alike, too.
        unlisted: what decides about requests to all other hosts; by default each place by itself.
        source: what decides about everything; where each of it is equal, all is decided alike.
        around: a place where all is decided alike about the hosts and server names that are listed there, but
            for those of its own: it lists what that lists, and these; None where it shares with none.
        own_hosts: these, of its hosts.
        own_names: of its server names.
    """

    server_names: frozenset[str] = frozenset()
    hosts: Mapping[str, tuple[Condition, ...]] = field(factory=dict)
    otherwise: tuple[Condition, ...] = ()
    folds: bool = True
    routing: object = field(factory=object, repr=False)
    deciding: Mapping[str, object] = field(factory=dict, repr=False)
    unlisted: object = field(default=None, repr=False)
    source: tuple[object, ...] = field(default=(), repr=False)
    around: Place | None = field(default=None, repr=False)
    own_hosts: Collection[str] = field(default=(), repr=False)
    own_names: Collection[str] = field(default=(), repr=False)

    def lists(self, host: str) -> bool:
        """Whether requests with this Host are looked at apart from those of other hosts."""
        return (host.lower() if self.folds else host) in self.hosts

    def decider(self, host: str) -> object:
        """What decides about requests with this Host: places with an equal one decide them alike."""
        text = host.lower() if self.folds else host
        if text in self.hosts:
            return self.deciding.get(text, self.routing)
        return self.elsewhere

    def is_said_of(self, host: str) -> bool:
        """Whether requests to other hosts are decided alike where the same decides about them."""
        text = host.lower() if self.folds else host
        return text in self.deciding or text not in self.hosts

    @property
    def elsewhere(self) -> object:
        """What decides about requests to a host that is not listed."""
        return self if self.unlisted is None else self.unlisted

    @property
    def unnamed(self) -> object:
        """What decides about TLS connections that ask for a server name which is not listed."""
        return self

    def name_decider(self, name: str) -> object:
        """What decides about TLS connections that ask for this server name, likewise."""
        return self.deciding.get(TLS_NAME + name, self)

    def conditions(self, host: str) -> tuple[Condition, ...]:
        """The conditions on requests with this Host."""
        return self.hosts.get(host.lower() if self.folds else host, self.otherwise)


Line: TypeAlias = Segments[Place]


@frozen(eq=False)
class Reading:
    """What is looked at, on each port that is named, and on every other.

    Attributes:
        named: the keys of addresses that are named, which are shown rather than others.
        own: the addresses of who connects.
    """

    ports: Mapping[int, Line]
    other: Line
    named: frozenset[int] = field(default=frozenset(), repr=False)
    own: tuple[Span, ...] = ()


Literal: TypeAlias = tuple[str, Pattern]
"""A pattern, and the header that it is searched in; the path has no name."""
Found: TypeAlias = tuple[Literal, ...]
Missing: TypeAlias = tuple[tuple[Literal, ...], ...]


@frozen(cache_hash=True)
class Among:
    """Some words: those that are named or, with `but`, all others; so by default every word."""

    words: frozenset[str] = field(default=frozenset(), eq=lambda it: (it,))  # as a tuple sees who is the same
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


def only(*words: str) -> Among:
    """These words, and no others."""
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
        missing: what is not found there, not all of each at once; with many routes there is much of it.
    """

    kind: Sends
    names: Among = EVERY
    spellings: Among = EVERY
    methods: Among = EVERY
    hosts: tuple[tuple[Pattern, bool], ...] = ()
    found: Found = ()
    missing: Missing = field(default=(), hash=False)

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


Deciders: TypeAlias = tuple[object, ...]
"""What decides in each reading about requests to a host, or else a place."""


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
        leaves_out: what is not looked at, by what decides about it; None for nothing.
    """

    port: int | None = None
    span: Span | None = None
    kinds: tuple[Sends, ...] = KINDS
    host: str | None = None
    method: str | None = None
    path: str | None = None
    headers: Mapping[str, str] | None = None
    leaves_out: Callable[[Deciders], bool] | None = field(default=None, eq=False, repr=False)

    def is_left_out(self, deciders: Deciders) -> bool:
        """Whether that about which these decide is not looked at."""
        return self.leaves_out is not None and self.leaves_out(deciders)


ANYTHING = Scope()


@frozen
class Class:
    """Connections that are alike to all readings.

    Attributes:
        port: the port; None for every port that no reading names.
        spans: the addresses, in order.
        witness: one of the connections: to the address that is best to show (`dialling.py`), with the
            smallest path and header values for the patterns that are found in them.
        undecided: what could not be decided about further classes here; then the witness stands for none,
            and `sent` holds them and others.
        sent: what they send.
        appeal: how gladly the witness is shown.
    """

    port: int | None
    spans: tuple[Span, ...]
    witness: Connection
    undecided: str
    sent: Sent
    appeal: Appeal = Appeal.ANY
