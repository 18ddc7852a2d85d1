"""One connection of a pod: where to, and what its client sends first (`docs/decision.md`).

Each class keeps its content in one tuple, `parts`, in the order in which an engine looks it up: that is
quicker to make and to read than a field for each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import evolve

from ..resources import checks
from ..resources.checks import LAST_PORT
from ..values.construction import frozen
from ..values.enums import Word
from ..values.errors import InvalidValue, Problem
from ..values.frozen import EMPTY, FrozenMap
from ..values.net import UNREADABLE, Address, read_key

__all__ = [
    "KINDS",
    "Connection",
    "HTTPRequest",
    "Parts",
    "Payload",
    "Sends",
    "TLSClientHello",
    "connection_sending",
    "hello_parts",
    "request_parts",
    "socket_address",
]

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", re.ASCII)
_LINE = re.compile(r"[^\x00-\x20\x7f]+")
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
USUAL_METHODS = frozenset(checks.KNOWN_METHODS)


class Sends(Word):
    """What the client sends first; in the wire form of a connection, the value of `sends`."""

    BYTES = "bytes"
    NOTHING = "nothing"
    DATAGRAM = "datagram"
    TLS = "tls"
    HTTP = "http"


KINDS = tuple(Sends)
BYTES, NOTHING, DATAGRAM, TLS, HTTP = range(len(KINDS))
SLOTS: dict[str, int] = {kind.value: slot for slot, kind in enumerate(KINDS)}
_PLAIN = {kind: slot for kind, slot in SLOTS.items() if slot not in {TLS, HTTP}}


def is_line(text: str) -> bool:
    """Whether a text has a character, and neither spaces nor control characters."""
    if text.isascii():
        return text.isprintable() and " " not in text and text != ""
    return _LINE.fullmatch(text) is not None


def read_method(value: Any) -> str:
    """An HTTP method, exactly as sent."""
    if not isinstance(value, str) or not _METHOD.fullmatch(value):
        raise InvalidValue.of("an HTTP method", value)
    return value


def read_host(value: Any) -> str:
    """A Host header or `:authority`, perhaps empty."""
    if not isinstance(value, str) or (value and not is_line(value)):
        raise InvalidValue.of("a Host header, without spaces or control characters", value)
    return value


def read_asked_host(value: Any) -> str:
    """A Host or server name that somebody asks about: no client sends a URL or a wildcard there."""
    host = read_host(value)
    if "@" in host:
        bare = host.partition("://")[2].partition("/")[0] or host.partition("/")[0]
        proposal = bare.rpartition("@")[2] or None
        raise InvalidValue.of("a host, without who asks for it", host.rpartition("@")[2], proposal=proposal)
    if "/" in host:
        if checks.is_range(host):
            raise InvalidValue.of("a host, not a range of addresses", host, reason="`to` asks for ranges")
        bare = host.partition("://")[2].partition("/")[0] or host.partition("/")[0]
        raise InvalidValue.of("a host, not a URL", host, proposal=bare or None)
    if "*" in host:
        reason = "clients ask for names, and hosts are compared to the letter"
        raise InvalidValue.of("a host that a client asks for, not a wildcard", host, reason=reason)
    if not host.isascii():
        from ..values.hostnames import spelling  # noqa: PLC0415  # because most hosts are ASCII

        spelled = spelling(host)
        proposal = spelled.text if spelled else None
        raise InvalidValue.of("a host in ASCII, as clients send it", host, proposal=proposal)
    return host


def read_path(value: Any) -> str:
    """A request path with its query."""
    if not isinstance(value, str) or not is_line(value):
        raise InvalidValue.of("a request path with query, without spaces or control characters", value)
    return value


SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
NOT_SHOWN = "(not shown)"


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without what those hold by which somebody is known to a server."""
    return {name: NOT_SHOWN if name in SECRET_HEADERS else text for name, text in headers.items()}


def read_headers(value: Any) -> FrozenMap[str]:
    """Headers by name, in lower case.

    `Connection` is none of the request's: the sidecar takes it off before it looks at any, and so it is here.
    """
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
    headers.pop("connection", None)
    return FrozenMap(headers)


def read_server_name(value: Any) -> str | None:
    """A TLS server name, or None where none is asked for."""
    if value is not None and (not isinstance(value, str) or not is_line(value)):
        raise InvalidValue.of("a server name, without spaces or control characters", value)
    return value


RequestParts: TypeAlias = "tuple[str, str, str, FrozenMap[str], str]"
HelloParts: TypeAlias = "tuple[str, str | None]"
Parts: TypeAlias = "tuple[int, int, int, Any]"


def request_parts(method: str, host: str, path: str, headers: Mapping[str, str]) -> RequestParts:
    """The content of an HTTP request: authority, method, path, headers, host.

    Raises:
        InvalidValue: a method, host, path or header that cannot be.
    """
    try:
        is_usual = method in USUAL_METHODS and path and is_line(host + path)
    except (TypeError, AttributeError):
        is_usual = False
    if not is_usual:
        method = _checked("method", read_method, method)
        host = _checked("host", read_host, host)
        path = _checked("path", read_path, path)
    if headers is not EMPTY:
        headers = _checked("headers", read_headers, headers)
    return host.lower(), method, path, headers, host  # type: ignore[return-value]  # because they are frozen now


def _checked(name: str, check: Any, value: Any) -> Any:
    """The value of a field by its check; the error says which field it was."""
    try:
        return check(value)
    except InvalidValue as error:
        raise error.at(name) from None


@frozen(init=False, repr=False)
class HTTPRequest:
    """An HTTP/1.1, HTTP/2 or gRPC request, as far as a decision depends on it.

    Raises:
        InvalidValue: a method, host, path or header that cannot be.
    """

    parts: RequestParts

    def __init__(
        self, method: str = "GET", host: str = "", path: str = "/", headers: Mapping[str, str] = EMPTY
    ) -> None:
        _set_request(self, request_parts(method, host, path, headers))

    @property
    def method(self) -> str:
        """Exactly as sent."""
        return self.parts[1]

    @property
    def host(self) -> str:
        """The Host header or `:authority`, as sent."""
        return self.parts[4]

    @property
    def path(self) -> str:
        """With the query."""
        return self.parts[2]

    @property
    def headers(self) -> FrozenMap[str]:
        """By name in lower case."""
        return self.parts[3]

    @property
    def authority(self) -> str:
        """The host in lower case, as hosts are compared."""
        return self.parts[0]

    def header(self, name: str) -> str:
        """The value of the header `name` (in lower case); a missing one reads as the empty string."""
        return self.host if name == "host" else self.headers.get(name, "")

    def replace(self, **changes: Any) -> HTTPRequest:
        """The request with other arguments.

        Raises:
            InvalidValue: a method, host, path or header that cannot be.
        """
        _, method, path, headers, host = self.parts
        return HTTPRequest(**{"method": method, "host": host, "path": path, "headers": headers, **changes})

    def without_secrets(self) -> HTTPRequest:
        """The same without what somebody is known by to a server."""
        return self.replace(headers=shown_headers(self.headers))

    def __reduce__(self) -> tuple[type[HTTPRequest], tuple[Any, ...]]:
        _, method, path, headers, host = self.parts
        return HTTPRequest, (method, host, path, headers)

    def __repr__(self) -> str:
        headers = f", {shown_headers(self.headers)!r}" if self.headers else ""
        return f"HTTPRequest({self.method!r}, {self.host!r}, {self.path!r}{headers})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """As Hypothesis and IPython show it: by its repr."""
        printer.text(repr(self))


def hello_parts(server_name: str | None) -> HelloParts:
    """The content of a ClientHello: the name that is compared, and the server name.

    Raises:
        InvalidValue: a server name that cannot be.
    """
    name = _checked("server_name", read_server_name, server_name)
    return (name or "").lower(), name


@frozen(init=False, repr=False)
class TLSClientHello:
    """The start of a TLS connection, with the server name the client asks for, if it names one.

    Raises:
        InvalidValue: a server name that cannot be.
    """

    parts: HelloParts

    def __init__(self, server_name: str | None = None) -> None:
        _set_hello(self, hello_parts(server_name))

    @property
    def server_name(self) -> str | None:
        """As sent; None where none is."""
        return self.parts[1]

    @property
    def name(self) -> str:
        """The server name in lower case, as names are compared; empty where there is none."""
        return self.parts[0]

    def __reduce__(self) -> tuple[type[TLSClientHello], tuple[str | None]]:
        return TLSClientHello, (self.server_name,)

    def __repr__(self) -> str:
        return f"TLSClientHello({self.server_name!r})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """As Hypothesis and IPython show it: by its repr."""
        printer.text(repr(self))


Payload: TypeAlias = "Sends | HTTPRequest | TLSClientHello"


def _plain(value: Any) -> int:
    if isinstance(value, str) and value in _PLAIN:
        return _PLAIN[value]
    raise InvalidValue.of("`bytes`, `nothing`, `datagram`, an HTTP request or a TLS ClientHello", value)


def _parts(destination: Address | str, port: int, slot: int, sent: Any) -> Parts:
    """The content of a connection: port, key, slot, what is sent.

    Raises:
        InvalidValue: an address or a port that cannot be.
    """
    try:
        key = read_key(destination)  # type: ignore[arg-type]  # because what is no text is looked at again
    except UNREADABLE:
        key = _checked("destination", checks.address, destination).key
    if type(port) is not int or not 0 < port <= LAST_PORT:
        _checked("port", checks.port_number, port)
    return port, key, slot, sent


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
            slot = _checked("sends", _plain, sends)
        _set_connection(self, _parts(destination, port, slot, sent))

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
            _set_request(request, sent)
            return request
        if slot == TLS:
            hello = object.__new__(TLSClientHello)
            _set_hello(hello, sent)
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
        """The same for people and their files: without what its headers say of who somebody is."""
        wire = self.to_mapping()
        if isinstance(self.sends, HTTPRequest):
            wire["request"]["headers"] = shown_headers(self.sends.headers)
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
        if payload.path.startswith("/"):
            return f"{payload.method} http://{payload.host}{payload.path}"
        return f"{payload.method} {payload.path} (Host {payload.host})"  # as through a proxy
    if isinstance(payload, TLSClientHello):
        return f"TLS {payload.server_name}" if payload.server_name is not None else "TLS without server name"
    return {Sends.BYTES: "TCP", Sends.NOTHING: "TCP, the server speaks first", Sends.DATAGRAM: "UDP"}[payload]


def socket_address(host: str, port: int) -> str:
    """`host:port`, with brackets where the host is an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def connection_sending(destination: Address | str, port: int, slot: int, sent: Any) -> Connection:
    """The connection that sends what is known to be right."""
    connection = object.__new__(Connection)
    _set_connection(connection, _parts(destination, port, slot, sent))
    return connection


_set_request = HTTPRequest.__dict__["parts"].__set__
_set_hello = TLSClientHello.__dict__["parts"].__set__
_set_connection = Connection.__dict__["parts"].__set__
