"""What a client sends first: a request, a ClientHello, bytes, or nothing.

HTTPRequest and TLSClientHello keep their content in one tuple each, `parts`, in the order in which an engine
looks it up: that is quicker to make and to read than a field for each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..resources import checks
from ..resources.words import KNOWN_METHODS
from ..values.construction import frozen
from ..values.enums import Word
from ..values.errors import InvalidValue, Problem, kind_of
from ..values.frozen import EMPTY, FrozenMap

__all__ = [
    "KINDS",
    "USER",
    "HTTPRequest",
    "Payload",
    "Sends",
    "TLSClientHello",
    "hello_parts",
    "read_asked_host",
    "request_parts",
    "shown_headers",
    "shown_host",
    "shown_path",
]

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", re.ASCII)
_LINE = re.compile(r"[^\x00-\x20\x7f]+")
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
USUAL_METHODS = frozenset(KNOWN_METHODS)


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
        raise InvalidValue.of("a Host header, without spaces or control characters", shown_host(value))
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
        raise InvalidValue.of(
            "a request path with query, without spaces or control characters", shown_path(value)
        )
    return value


SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
NOT_SHOWN = "(not shown)"
USER: re.Pattern[str] = re.compile(r"^((?:[A-Za-z][A-Za-z0-9+.-]*:)?//)?[^/?#]*@")  # before a host
_USER_OF_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")


def shown_host(host: Any) -> Any:
    """A host as it is shown: without a user and a password before it."""
    return USER.sub(rf"\1{NOT_SHOWN}@", host) if isinstance(host, str) and "@" in host else host


def shown_path(path: Any) -> Any:
    """A path as it is shown: where it is a URL, as through a proxy, without user and password."""
    return _USER_OF_URL.sub(rf"\1{NOT_SHOWN}@", path) if isinstance(path, str) and "@" in path else path


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without what those hold by which somebody is known to a server."""
    return {name: NOT_SHOWN if name in SECRET_HEADERS else text for name, text in headers.items()}


def read_headers(value: Any) -> FrozenMap[str]:
    """Headers by name, in lower case.

    `Connection` is none of the request's: the sidecar takes it off before it looks at any, and so it is here.
    """
    if not isinstance(value, Mapping):
        raise InvalidValue(Problem("a mapping of header names to values", kind_of(value)))
    headers: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(name, str) or not _METHOD.fullmatch(name):
            named = f"{name.partition(':')[0]}:…" if isinstance(name, str) and ":" in name else name
            raise InvalidValue.of("a header name", named)
        if not isinstance(text, str) or not _FIELD_VALUE.fullmatch(text):
            expected = "a header value, without control characters"
            found = "a string with some" if isinstance(text, str) else kind_of(text)
            raise InvalidValue(Problem(expected, found)).at(name)
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
        method = checked("method", read_method, method)
        host = checked("host", read_host, host)
        path = checked("path", read_path, path)
    if headers is not EMPTY:
        headers = checked("headers", read_headers, headers)
    return host.lower(), method, path, headers, host  # type: ignore[return-value]  # because they are frozen now


def checked(name: str, check: Any, value: Any) -> Any:
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
        set_request(self, request_parts(method, host, path, headers))

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
        host, path = shown_host(self.host), shown_path(self.path)
        return f"HTTPRequest({self.method!r}, {host!r}, {path!r}{headers})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """As Hypothesis and IPython show it: by its repr."""
        printer.text(repr(self))


def hello_parts(server_name: str | None) -> HelloParts:
    """The content of a ClientHello: the name that is compared, and the server name.

    Raises:
        InvalidValue: a server name that cannot be.
    """
    name = checked("server_name", read_server_name, server_name)
    return (name or "").lower(), name


@frozen(init=False, repr=False)
class TLSClientHello:
    """The start of a TLS connection, with the server name the client asks for, if it names one.

    Raises:
        InvalidValue: a server name that cannot be.
    """

    parts: HelloParts

    def __init__(self, server_name: str | None = None) -> None:
        set_hello(self, hello_parts(server_name))

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


def spoken(payload: Payload) -> str:
    """What is sent, in a few words."""
    if isinstance(payload, HTTPRequest):
        host = shown_host(payload.host)
        if payload.path.startswith("/"):
            return f"{payload.method} http://{host}{payload.path}"
        return f"{payload.method} {shown_path(payload.path)} (Host {host})"  # as through a proxy
    if isinstance(payload, TLSClientHello):
        return f"TLS {payload.server_name}" if payload.server_name is not None else "TLS without server name"
    return {Sends.BYTES: "TCP", Sends.NOTHING: "TCP, the server speaks first", Sends.DATAGRAM: "UDP"}[payload]


# They fill an instance that was made without its checks, with what passed them before.
set_request: Callable[[HTTPRequest, RequestParts], None] = HTTPRequest.__dict__["parts"].__set__
set_hello: Callable[[TLSClientHello, HelloParts], None] = TLSClientHello.__dict__["parts"].__set__
