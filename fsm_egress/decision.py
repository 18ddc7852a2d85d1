"""One connection, and what is decided for it (`spec/decision.md`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from attrs import Factory, evolve, field, frozen

from . import checks
from .errors import InvalidValue, Problem
from .frozen import EMPTY, FrozenMap
from .net import Address, Prefix, parse_address
from .references import FieldRef
from .resource import checked
from .words import Word

__all__ = [
    "ORIGINAL_DESTINATION",
    "Connection",
    "Decision",
    "HTTPRequest",
    "Reason",
    "Sends",
    "TLSClientHello",
    "Target",
    "TrafficMatch",
    "UsedGateway",
    "Verdict",
    "http",
    "server_first",
    "tcp",
    "tls",
    "udp",
]

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", re.ASCII)
_LINE = re.compile(r"[^\x00-\x20\x7f]+")
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


class Verdict(Word):
    """What becomes of a connection."""

    IN_MESH = "IN_MESH"
    EGRESS_POLICY = "EGRESS_POLICY"
    PASSTHROUGH = "PASSTHROUGH"
    DENIED = "DENIED"


class Reason(Word):
    """Why, from a closed set."""

    NOT_INTERCEPTED = "not_intercepted"
    TCP_SERVICE = "tcp_service"
    HTTP_ROUTE = "http_route"
    TCP_PORT = "tcp_port"
    TLS_SERVER_NAME = "tls_server_name"
    TLS_ANY = "tls_any"
    NO_HOST = "no_host"
    NO_ROUTE = "no_route"
    NO_ENDPOINTS = "no_endpoints"
    NO_SERVER_NAME = "no_server_name"
    NO_CERTIFICATE = "no_certificate"
    PROTOCOL_MISMATCH = "protocol_mismatch"
    EGRESS_ENABLED = "egress_enabled"
    EGRESS_DISABLED = "egress_disabled"


class Sends(Word):
    """What the client sends first; in the wire form of a connection, the value of `sends`."""

    BYTES = "bytes"
    NOTHING = "nothing"
    DATAGRAM = "datagram"
    TLS = "tls"
    HTTP = "http"


def _method(value: Any) -> str:
    if not isinstance(value, str) or not _METHOD.fullmatch(value):
        raise InvalidValue.of("an HTTP method", value)
    return value


def _request_host(value: Any) -> str:
    if not isinstance(value, str) or (value and not _LINE.fullmatch(value)):
        raise InvalidValue.of("a Host header, without spaces or control characters", value)
    return value


def _request_path(value: Any) -> str:
    if not isinstance(value, str) or not _LINE.fullmatch(value):
        raise InvalidValue.of("a request path with query, without spaces or control characters", value)
    return value


def _request_headers(value: Any) -> FrozenMap[str]:
    if not isinstance(value, Mapping):
        raise InvalidValue.of("a mapping of header names to values", value)
    headers: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(name, str) or not _METHOD.fullmatch(name):
            raise InvalidValue.of("a header name", name)
        if not isinstance(text, str) or not _FIELD_VALUE.fullmatch(text):
            raise InvalidValue.of("a header value, without control characters", text).at(name)
        if name.lower() in headers:
            raise InvalidValue(Problem("each header once, whatever its letter case", found=f"`{name}` again"))
        headers[name.lower()] = text
    return FrozenMap(headers)


def _server_name(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not _LINE.fullmatch(value)):
        raise InvalidValue.of("a server name, without spaces or control characters", value)
    return value


def _of_self(make: Callable[[Any], Any]) -> Any:
    """A default that is made from the fields before it."""
    return Factory(make, takes_self=True)


@frozen(field_transformer=checked)
class HTTPRequest:
    """An HTTP/1.1, HTTP/2 or gRPC request, as far as a decision depends on it.

    Attributes:
        method: exactly as sent.
        host: the Host header or `:authority`, as sent.
        path: with the query.
        headers: by name in lower case.
    """

    method: str = field(default="GET", converter=_method)
    host: str = field(default="", converter=_request_host)
    path: str = field(default="/", converter=_request_path)
    headers: FrozenMap[str] = field(default=EMPTY, converter=_request_headers)
    authority: str = field(init=False, eq=False, repr=False, default=_of_self(lambda it: it.host.lower()))

    def header(self, name: str) -> str:
        """The value of the header `name` (in lower case); a missing one reads as the empty string."""
        return self.host if name == "host" else self.headers.get(name, "")


@frozen(field_transformer=checked)
class TLSClientHello:
    """The start of a TLS connection, with the server name the client asks for, if it names one."""

    server_name: str | None = field(default=None, converter=_server_name)
    name: str = field(
        init=False, eq=False, repr=False, default=_of_self(lambda it: (it.server_name or "").lower())
    )


Payload: TypeAlias = "Sends | HTTPRequest | TLSClientHello"
KINDS = tuple(Sends)
_PLAIN = (Sends.BYTES, Sends.NOTHING, Sends.DATAGRAM)


def _destination(value: Any) -> Address:
    return value if isinstance(value, Address) else parse_address(value)


def _payload(value: Any) -> Payload:
    if isinstance(value, (HTTPRequest, TLSClientHello)) or value in _PLAIN:
        return value if isinstance(value, (HTTPRequest, TLSClientHello)) else Sends(value)
    raise InvalidValue.of("`bytes`, `nothing`, `datagram`, an HTTP request or a TLS ClientHello", value)


@frozen(field_transformer=checked)
class Connection:
    """One connection that a pod opens: where to, and what its client sends.

    Attributes:
        destination: the address; an IPv4-mapped one is its IPv4 address.
        port: the destination port.
        sends: the first thing that the client sends. `Sends.DATAGRAM` stands for UDP, which passes by
            the sidecar; everything else is TCP.
        key: the destination's place on the line of all addresses (`net.py`).
        slot: the index of what is sent in `KINDS`; with `key`, what tables are looked up by.
    """

    destination: Address = field(converter=_destination)
    port: int = field(converter=checks.port_number)
    sends: Payload = field(converter=_payload)
    key: int = field(init=False, eq=False, repr=False, default=_of_self(lambda it: it.destination.key))
    slot: int = field(init=False, eq=False, repr=False, default=_of_self(lambda it: KINDS.index(it.kind)))

    @property
    def kind(self) -> Sends:
        """What is sent, without its content."""
        if isinstance(self.sends, HTTPRequest):
            return Sends.HTTP
        return Sends.TLS if isinstance(self.sends, TLSClientHello) else self.sends

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

    def __str__(self) -> str:
        return f"{socket_address(str(self.destination), self.port)} {_spoken(self.sends)}"


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


def _spoken(payload: Payload) -> str:
    if isinstance(payload, HTTPRequest):
        return f"{payload.method} http://{payload.host}{payload.path}"
    if isinstance(payload, TLSClientHello):
        return f"TLS {payload.server_name}" if payload.server_name is not None else "TLS without server name"
    return {Sends.BYTES: "TCP", Sends.NOTHING: "TCP, the server speaks first", Sends.DATAGRAM: "UDP"}[payload]


def socket_address(host: str, port: int) -> str:
    """`host:port`, with brackets where the host is an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def http(
    destination: Address | str,
    port: int,
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
) -> Connection:
    """A connection whose client sends an HTTP request.

    The Host header is what `url` has before its path (`http://httpbin.org/get` or just `httpbin.org/get`).

    Raises:
        InvalidValue: an address, port, method, URL or header that cannot be.
    """
    if not isinstance(url, str):
        raise InvalidValue.of("a URL", url).at("url")
    try:
        split = urlsplit(url if "://" in url else f"http://{url}")
    except ValueError as error:
        raise InvalidValue.of("a URL", url, reason=str(error)).at("url") from None
    if split.scheme.lower() != "http":
        raise InvalidValue.of("a URL with the scheme `http`", url, reason="HTTPS is `tls` to the sidecar").at(
            "url"
        )
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")
    return Connection(destination, port, HTTPRequest(method, split.netloc, path, headers or EMPTY))


def tls(destination: Address | str, port: int, server_name: str | None = None) -> Connection:
    """A connection whose client opens TLS, asking for `server_name` or for none."""
    return Connection(destination, port, TLSClientHello(server_name))


def tcp(destination: Address | str, port: int) -> Connection:
    """A connection whose client sends bytes that are neither HTTP nor TLS."""
    return Connection(destination, port, Sends.BYTES)


def server_first(destination: Address | str, port: int) -> Connection:
    """A connection whose client waits for the server to speak, such as MySQL's."""
    return Connection(destination, port, Sends.NOTHING)


def udp(destination: Address | str, port: int) -> Connection:
    """A UDP datagram: FSM intercepts TCP only."""
    return Connection(destination, port, Sends.DATAGRAM)


@frozen(order=True)
class Target:
    """Where a connection goes, and its weight relative to the other targets.

    `host` is an address or a DNS name; `ORIGINAL_DESTINATION` stands for the connection's own destination.
    """

    host: str
    port: int
    weight: int = 100

    @property
    def original(self) -> bool:
        """Whether this is the connection's own destination."""
        return not self.host

    def address(self, connection: Connection) -> str:
        """`host:port` of the target, for this connection."""
        if self.original:
            return socket_address(str(connection.destination), connection.port)
        return socket_address(self.host, self.port)

    def to_mapping(self, connection: Connection) -> dict[str, Any]:
        """The target for machines, for this connection."""
        original = {"original": True} if self.original else {}
        return {"address": self.address(connection), "weight": self.weight, **original}

    def spoken(self, *, with_weight: bool = False) -> str:
        """The target in words, whatever the connection."""
        place = "the original destination" if self.original else socket_address(self.host, self.port)
        return f"{place} ({self.weight})" if with_weight else place


ORIGINAL_DESTINATION = Target("", 0)


@frozen
class UsedGateway:
    """An egress gateway that the connection is tunnelled through, with its share."""

    name: str
    weight: int
    mode: str
    endpoints: tuple[str, ...]

    def to_mapping(self) -> dict[str, Any]:
        """The gateway for machines."""
        return {
            "name": self.name,
            "weight": self.weight,
            "mode": self.mode,
            "endpoints": list(self.endpoints),
        }


@frozen
class TrafficMatch:
    """The port, protocol and addresses by which a connection was taken; no ranges: any address."""

    port: int
    protocol: str
    ranges: tuple[Prefix, ...]

    def __str__(self) -> str:
        where = ", ".join(map(str, self.ranges)) or "any address"
        return f"{self.protocol} port {self.port}, {where}"


@frozen
class Decision:
    """What is decided, and by what. It belongs to its rule, not to the connection, and is made once.

    Attributes:
        verdict: what becomes of the connection.
        reason: why.
        rule: the field of the resource that decided; None where nothing but the absence of a rule did.
        match: the traffic match that took the connection.
        targets: where it goes; empty when it is denied.
        gateways: the egress gateways that carry it.
        status: the HTTP status that the client gets when it is denied; None where the connection is closed.
        route: the match of an HTTPRouteGroup that let the request through.
        considered: all rules that claim the destination, the deciding one among them.
    """

    verdict: Verdict
    reason: Reason
    rule: FieldRef | None = None
    match: TrafficMatch | None = None
    targets: tuple[Target, ...] = ()
    gateways: tuple[UsedGateway, ...] = ()
    status: int | None = None
    route: FieldRef | None = None
    considered: tuple[FieldRef, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the connection gets anywhere."""
        return self.verdict is not Verdict.DENIED

    def to_mapping(self, connection: Connection) -> dict[str, Any]:
        """The decision for machines, as `fsm-egress decide -o json` prints it for this connection."""
        return {
            "verdict": self.verdict.value,
            "reason": self.reason.value,
            "status": self.status,
            "targets": [target.to_mapping(connection) for target in self.targets],
            "gateway": [used.to_mapping() for used in self.gateways] or None,
            "rule": f"{self.rule.resource} {self.rule.path}".rstrip() if self.rule else None,
            "source": self.rule.location if self.rule else None,
        }

    def __str__(self) -> str:
        text = f"{self.verdict} ({self.reason})"
        return f"{text} by {self.rule}" if self.rule else text

    def __repr__(self) -> str:
        return f"<Decision {self}>"
