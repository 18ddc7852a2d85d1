"""What may be asked of a connection and of what is decided about it, such that classes answer it exactly.

A predicate says what it looks at as readings (`division/classes.py`). Where connections are divided by them
too, it holds for all connections of a class or for none.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from ..connections.decision import PASSING, Decision, Reason, Verdict, ungoverned
from ..connections.payloads import HTTPRequest, Sends, TLSClientHello, read_asked_host
from ..division.classes import Condition, Line, Place, Reading
from ..resources import checks
from ..resources.words import KNOWN_METHODS
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.net import Address, Prefix
from ..values.prefix_table import PrefixTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..connections.connection import Connection

__all__ = ["Where", "read_range"]


@frozen
class Where:
    """What holds of some connections and of what is decided about them; combined with `&`, `|` and `~`.

    `Where.outside() & ~Where.origin("httpbin.org", 443)` is: it leaves the mesh, but not for there.

    Attributes:
        what: what is looked at, or how the predicates in `values` are combined.
        values: those of which it is to be one.
    """

    what: str
    values: tuple[Any, ...] = ()

    @classmethod
    def allowed(cls) -> Where:
        """The connection gets anywhere."""
        return cls("allowed")

    @classmethod
    def outside(cls) -> Where:
        """It leaves the mesh: the sidecar lets it out, or it passes by the sidecar to more than its own pod.

        In-mesh traffic is, to a service whose endpoints are no pods. With `governed` it is what the sidecar
        lets out.
        """
        return cls("outside")

    @classmethod
    def governed(cls) -> Where:
        """It comes to the sidecar: TCP over IPv4 that no list keeps from it."""
        return cls("governed")

    @classmethod
    def verdict(cls, *verdicts: Verdict | str) -> Where:
        """One of these is decided.

        Raises:
            InvalidValue: a text is no verdict.
        """
        return cls("verdict", tuple(checks.one_of(verdict, Verdict) for verdict in verdicts))

    @classmethod
    def reason(cls, *reasons: Reason | str) -> Where:
        """It is decided for one of these reasons.

        Raises:
            InvalidValue: a text is no reason.
        """
        return cls("reason", tuple(checks.one_of(reason, Reason) for reason in reasons))

    @classmethod
    def port(cls, *ports: int) -> Where:
        """The destination port is one of these.

        Raises:
            InvalidValue: a number is no port.
        """
        return cls("port", tuple(map(checks.port_number, ports)))

    @classmethod
    def to(cls, *ranges: Prefix | Address | str) -> Where:
        """The destination is in one of these ranges, `54.0.0.0/8` or `54.9.9.9`.

        Raises:
            InvalidValue: a text is neither prefix nor address.
        """
        return cls("destination", tuple(dict.fromkeys(map(read_range, ranges))))

    @classmethod
    def host(cls, *hosts: str) -> Where:
        """The Host of the request, or the server name, is one of these, whatever the letter case.

        A Host with a port is another one than without; see `origin`.

        Raises:
            InvalidValue: a text cannot be a Host.
        """
        return cls("host", tuple(read_asked_host(host).lower() for host in hosts))

    @classmethod
    def origin(cls, host: str, port: int) -> Where:
        """To this port, for this Host, with or without the port, or server name.

        Raises:
            InvalidValue: the text cannot be a Host, or the number is no port.
        """
        return cls.port(port) & cls.host(host, f"{host}:{port}")

    @classmethod
    def sends(cls, *kinds: Sends | str) -> Where:
        """One of these is sent first.

        Raises:
            InvalidValue: a text is none of `bytes`, `nothing`, `datagram`, `tls` and `http`.
        """
        return cls("sends", tuple(checks.one_of(kind, Sends) for kind in kinds))

    @classmethod
    def method(cls, *methods: str) -> Where:
        """It is a request with one of these methods.

        Raises:
            InvalidValue: a text is none of those that HTTP defines.
        """
        for method in methods:
            if method not in KNOWN_METHODS:
                names = ", ".join(f"`{known}`" for known in KNOWN_METHODS)
                raise InvalidValue.of(f"one of {names}", method)
        return cls("method", methods)

    def __and__(self, other: Where) -> Where:
        return self._joined("and", other)

    def __or__(self, other: Where) -> Where:
        return self._joined("or", other)

    def _joined(self, what: str, other: Where) -> Where:
        parts = (part.values if part.what == what else (part,) for part in (self, other))
        return Where(what, tuple(chain.from_iterable(parts)))

    def __invert__(self) -> Where:
        return Where("not", (self,))

    def holds(self, connection: Connection, decision: Decision) -> bool:
        """Whether it holds of a connection about which this is decided."""
        return _TESTS[self.what](self.values, connection, decision)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What it looks at, such that it holds for all of a class or for none."""
        if self.what in _COMBINED:
            return tuple(reading for part in self.values for reading in part.readings)
        return (_READINGS[self.what](self.values),) if self.what in _READINGS else ()

    def __str__(self) -> str:
        if self.what == "not":
            return f"not {self.values[0]}"
        if self.what in _COMBINED:
            return f"({f' {self.what} '.join(map(str, self.values))})"
        return f"{self.what} {' or '.join(f'`{value}`' for value in self.values)}".rstrip()


def read_range(value: Prefix | Address | str) -> Prefix:
    """The prefix that is meant: an address is the prefix that holds it alone.

    Raises:
        InvalidValue: a text is neither prefix nor address.
    """
    if isinstance(value, Prefix):
        return value
    if isinstance(value, str) and "/" in value:
        return checks.prefix(value)
    return Prefix.host(value if isinstance(value, Address) else checks.address(value))


# --- what holds ------------------------------------------------------------------------------------------

_Test: TypeAlias = "Callable[[tuple[Any, ...], Connection, Decision], bool]"


def _asks_for(hosts: tuple[str, ...], connection: Connection) -> bool:
    sent = connection.sends
    if isinstance(sent, HTTPRequest):
        return sent.authority in hosts
    return isinstance(sent, TLSClientHello) and sent.name in hosts


def _leaves(connection: Connection, decision: Decision) -> bool:
    if decision.verdict in {Verdict.EGRESS_POLICY, Verdict.PASSTHROUGH}:
        return not any(connection.destination in prefix for prefix in _LOOPBACK)
    return decision.leads_outside


_LOOPBACK = (Prefix("127.0.0.0/8"), Prefix("::1/128"))


def _is_governed(connection: Connection, decision: Decision) -> bool:
    return not ungoverned(connection) and decision.reason not in PASSING


def _is_request(methods: tuple[str, ...], connection: Connection) -> bool:
    return isinstance(connection.sends, HTTPRequest) and connection.sends.method in methods


_TESTS: dict[str, _Test] = {
    "allowed": lambda _, __, decision: decision.allowed,
    "outside": lambda _, connection, decision: _leaves(connection, decision),
    "governed": lambda _, connection, decision: _is_governed(connection, decision),
    "verdict": lambda values, _, decision: decision.verdict in values,
    "reason": lambda values, _, decision: decision.reason in values,
    "port": lambda values, connection, _: connection.port in values,
    "destination": lambda values, connection, _: any(connection.destination in it for it in values),
    "host": lambda values, connection, _: _asks_for(values, connection),
    "sends": lambda values, connection, _: connection.kind in values,
    "method": lambda values, connection, _: _is_request(values, connection),
    "and": lambda parts, connection, decision: all(part.holds(connection, decision) for part in parts),
    "or": lambda parts, connection, decision: any(part.holds(connection, decision) for part in parts),
    "not": lambda parts, connection, decision: not parts[0].holds(connection, decision),
}
_COMBINED = ("and", "or", "not")


# --- what is looked at -----------------------------------------------------------------------------------


def _everywhere(place: Place) -> Line:
    return Line((0,), (place,))


def _of_ports(ports: tuple[int, ...]) -> Reading:
    return Reading({port: _everywhere(Place()) for port in ports}, _everywhere(Place()))


def _of_ranges(prefixes: tuple[Prefix, ...]) -> Reading:
    table = PrefixTable(((prefix, Place()) for prefix in prefixes), Place())
    return Reading({}, Line(table.starts, table.values))


def _of_hosts(hosts: tuple[str, ...]) -> Reading:
    return Reading({}, _everywhere(Place(frozenset(filter(None, hosts)), dict.fromkeys(hosts, ()))))


def _of_methods(methods: tuple[str, ...]) -> Reading:
    return Reading({}, _everywhere(Place(otherwise=(Condition(methods),))))


_READINGS: dict[str, Callable[[tuple[Any, ...]], Reading]] = {
    "governed": lambda _: _of_ranges(tuple(_LOOPBACK)),
    "outside": lambda _: _of_ranges(tuple(_LOOPBACK)),
    "port": _of_ports,
    "destination": _of_ranges,
    "host": _of_hosts,
    "method": _of_methods,
}
