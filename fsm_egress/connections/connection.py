"""One connection of a pod: where to, and what its client sends first (`docs/decision.md`).

A connection keeps its content in one tuple, `parts`, in the order in which an engine looks it up: that is
quicker to make and to read than a field for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import evolve

from ..resources import checks
from ..resources.checks import LAST_PORT
from ..values.construction import frozen, opened
from ..values.errors import InvalidValue, Problem
from ..values.net import UNREADABLE, Address, read_key
from .payloads import (
    HTTP,
    KINDS,
    SLOTS,
    TLS,
    HelloParts,
    HTTPRequest,
    Payload,
    RequestParts,
    Sends,
    TLSClientHello,
    checked,
    set_hello,
    set_request,
    shown_headers,
    shown_host,
    shown_path,
    spoken,
)

__all__ = ["Connection", "Parts", "connection_sending", "socket_address"]

_PLAIN = {kind: slot for kind, slot in SLOTS.items() if slot not in {TLS, HTTP}}

Parts: TypeAlias = "tuple[int, int, int, Any]"


def _plain(value: Any) -> int:
    if isinstance(value, str) and value in _PLAIN:
        return _PLAIN[value]
    raise InvalidValue.of("`bytes`, `nothing`, `datagram`, an HTTP request or a TLS ClientHello", value)


@frozen(init=False, repr=False)
class Connection:
    """One connection that a pod opens: where to, and what its client sends; of HTTP one request of it.

    HTTP is decided request by request, also on a connection that is kept: each request of it is a value of
    this class (`requests`). Anything else is decided once.

    Raises:
        InvalidValue: an address, a port or a payload that cannot be.
    """

    parts: Parts

    def __init__(self, destination: Address | str, port: int, sends: Payload) -> None:
        sent: RequestParts | HelloParts | None = None
        if isinstance(sends, HTTPRequest):
            slot, sent = HTTP, sends.parts
        elif isinstance(sends, TLSClientHello):
            slot, sent = TLS, sends.parts
        else:
            slot = checked("sends", _plain, sends)
        _set_connection(self, connection_sending(destination, port, slot, sent).parts)

    @property
    def destination(self) -> Address:
        """The address; an IPv4-mapped one is its IPv4 address."""
        return Address.from_key(self.parts[1])

    @property
    def port(self) -> int:
        """The destination port."""
        return self.parts[0]

    @property
    def sends(self) -> Payload:
        """The first thing that the client sends.

        `Sends.DATAGRAM` stands for UDP, which passes by the sidecar; everything else is TCP.
        """
        _, _, slot, sent = self.parts
        if slot == HTTP:
            request = object.__new__(HTTPRequest)
            set_request(request, sent)
            return request
        if slot == TLS:
            hello = object.__new__(TLSClientHello)
            set_hello(hello, sent)
            return hello
        return KINDS[slot]

    @property
    def key(self) -> int:
        """The destination's place on the line of all addresses (`values/net.py`)."""
        return self.parts[1]

    @property
    def slot(self) -> int:
        """The index of what is sent in `KINDS`; with `key`, what tables are looked up by."""
        return self.parts[2]

    @property
    def kind(self) -> Sends:
        """What is sent, without its content."""
        return KINDS[self.parts[2]]

    def replace(self, **changes: Any) -> Connection:
        """The connection with other arguments.

        Raises:
            InvalidValue: an address, a port or a payload that cannot be.
        """
        same = {"destination": self.destination, "port": self.port, "sends": self.sends}
        return Connection(**{**same, **changes})

    def __reduce__(self) -> tuple[type[Connection], tuple[Any, ...]]:
        return Connection, (self.destination, self.port, self.sends)

    def __repr__(self) -> str:
        sends = self.sends.value if isinstance(self.sends, Sends) else self.sends
        return f"Connection({str(self.destination)!r}, {self.port}, {sends!r})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """As Hypothesis and IPython show it: by its repr."""
        printer.text(repr(self))

    @classmethod
    def from_mapping(cls, value: Any) -> Connection:
        """A connection in the form of the vectors.

        `{"destination", "port", "sends": "bytes"|"nothing"|"datagram"|"http"|"tls",
        "request": {"method", "host", "path", "headers"}, "sni"}`

        Raises:
            InvalidValue: a key is missing, unknown, or does not go with what is sent, or a value is wrong.
        """
        if not isinstance(value, Mapping):
            raise InvalidValue.of("a connection as a mapping", value)
        kind = checks.one_of(_required(value, "sends"), Sends)
        _only(value, {"destination", "port", "sends", *_OWN_KEYS.get(kind, ())})
        sends: Payload = kind
        if kind is Sends.HTTP:
            request = _required(value, "request")
            if not isinstance(request, Mapping):
                raise InvalidValue.of("a mapping", request).at("request")
            try:
                _only(request, {"method", "host", "path", "headers"})
                sends = HTTPRequest(**request)
            except InvalidValue as error:
                raise error.at("request") from None
        elif kind is Sends.TLS:
            try:
                sends = TLSClientHello(value.get("sni"))
            except InvalidValue as error:
                raise InvalidValue(*(evolve(problem, path="sni") for problem in error.problems)) from None
        return cls(_required(value, "destination"), _required(value, "port"), sends)

    def to_mapping(self) -> dict[str, Any]:
        """The connection in the form of the vectors, as `from_mapping` reads it."""
        wire: dict[str, Any] = {
            "destination": str(self.destination),
            "port": self.port,
            "sends": self.kind.value,
        }
        if isinstance(self.sends, HTTPRequest):
            request = self.sends
            wire["request"] = {
                "method": request.method,
                "host": request.host,
                "path": request.path,
                "headers": dict(request.headers),
            }
        elif isinstance(self.sends, TLSClientHello):
            wire["sni"] = self.sends.server_name
        return wire

    def to_shown(self) -> dict[str, Any]:
        """The same for people and their files: without what says who somebody is to a server."""
        wire = self.to_mapping()
        if isinstance(self.sends, HTTPRequest):
            request = self.sends
            host, path = shown_host(request.host), shown_path(request.path)
            wire["request"] |= {"host": host, "path": path, "headers": shown_headers(request.headers)}
        return wire

    def __str__(self) -> str:
        return f"{socket_address(str(self.destination), self.port)} {spoken(self.sends)}"


_OWN_KEYS = {Sends.HTTP: ("request",), Sends.TLS: ("sni",)}


def _required(value: Mapping[str, Any], key: str) -> Any:
    if key not in value:
        raise InvalidValue(Problem(f"the key `{key}`", found="none"))
    return value[key]


def _only(value: Mapping[str, Any], known: set[str]) -> None:
    for key in value:
        if key not in known:
            names = ", ".join(f"`{name}`" for name in sorted(known))
            raise InvalidValue.of(f"only the keys {names}", key)


def socket_address(host: str, port: int) -> str:
    """`host:port`, with brackets where the host is an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def connection_sending(destination: Address | str, port: int, slot: int, sent: Any) -> Connection:
    """The connection that sends what is known to be right.

    Raises:
        InvalidValue: an address or a port that cannot be.
    """
    try:
        key = read_key(destination)  # type: ignore[arg-type]  # because what is no text is looked at again
    except UNREADABLE:
        key = checked("destination", checks.address, destination).key
    if type(port) is not int or not 0 < port <= LAST_PORT:
        checked("port", checks.port_number, port)
    made: Any = _Open()  # which is quicker than to go around the lock
    made.parts = port, key, slot, sent
    made.__class__ = Connection
    connection: Connection = made
    return connection


_Open: type[Any] = opened(Connection)
_set_connection = Connection.__dict__["parts"].__set__
