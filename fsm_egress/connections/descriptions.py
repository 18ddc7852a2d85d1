"""Connections as people describe them: an address, a port, and a URL, a server name or nothing more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..values.errors import InvalidValue, Problem
from ..values.frozen import EMPTY
from .connection import Connection, connection_sending
from .payloads import (
    BYTES,
    DATAGRAM,
    HTTP,
    NOTHING,
    TLS,
    USUAL_METHODS,
    RequestParts,
    hello_parts,
    request_parts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..values.net import Address

__all__ = [
    "Requests",
    "http",
    "last_headers",
    "requests",
    "server_first",
    "split_socket_address",
    "tcp",
    "tls",
    "udp",
]

# A URL that all clients send as it stands; `urls` reads the others.
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_URL = re.compile(
    rf"(?:http://)?((?:(?:[a-z0-9_-][a-z0-9._-]*\.)?[a-z_-][a-z0-9_-]*|(?:{_OCTET}\.){{3}}{_OCTET})"
    r"(?::(?!80\b)[1-9][0-9]{0,3})?)"
    r"(/[A-Za-z0-9._~!$&()*+,;=:@/?-]*)?"
)
_USUAL_NAME = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\.)?[A-Za-z_-][A-Za-z0-9_-]*")
_SENT_AS_ASKED = USUAL_METHODS - {"CONNECT"}
_LISTED = {"cookie": "cookie: a=1; b=2", "set-cookie": None}  # with what clients send instead
_SOCKET = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:]+)):([0-9]{1,5})", re.ASCII)


class Requests(tuple[Connection, ...]):
    """The requests of one HTTP connection, in their order: each is decided on its own.

    A sidecar reads a kept, pipelined or HTTP/2 connection request by request: one may be refused with 403 and
    the next, also to another host, let through. Only where the bytes are passed on as they come, as with
    `tcp` and passthrough, the connection is decided once, and then all its requests fare alike.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Requests {', '.join(map(str, self))}>"


def http(
    destination: Address | str,
    port: int,
    method: str,
    url: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    *,
    through_proxy: bool = False,
    target: str | None = None,
) -> Connection:
    """A connection whose client sends an HTTP request.

    The URL (`http://httpbin.org/get` or just `httpbin.org/get`, `ws://…`, `grpc://…`) becomes what all common
    clients send for it; one for which they send different things is refused, with the one to write instead.

    Args:
        destination: the address that the client dials.
        port: its port.
        method: exactly as sent.
        url: what the client is given; of the method `CONNECT` a host and a port.
        headers: by name, or pairs in the order in which they are sent: of equal names the last counts, as
            the sidecar reads them. `Host` takes the place of the URL's host.
        through_proxy: whether the destination is the client's HTTP proxy: it is sent the whole URL, or a
            `CONNECT` for one that is not `http`.
        target: what is sent in place of the URL's path, such as `*`.

    Raises:
        InvalidValue: an address, port, method or header that cannot be, or a URL that is none of HTTP or of
            which clients send different things.
    """
    try:
        found = _URL.fullmatch(url)
    except TypeError:
        raise InvalidValue.of("a URL", url).at("url") from None
    is_plain = found and not (through_proxy or target or ".." in url or "/." in url)
    if found and is_plain and type(method) is str and method in _SENT_AS_ASKED:
        host, path = found.groups("/")
        sent: RequestParts = (host, method, path, EMPTY, host)
        if headers:
            fields = last_headers(headers)
            sent = request_parts(method, fields.pop("host", host), path, fields or EMPTY)
    else:
        from .urls import read_url  # noqa: PLC0415  # because `_URL` reads nearly all

        asked = read_url(method, url, through_proxy=through_proxy)
        fields = {**asked.headers, **last_headers(headers or ())}
        host = fields.pop("host", asked.host)
        path = asked.path if target is None else target
        sent = request_parts(asked.method, host, path, fields or EMPTY)
    return connection_sending(destination, port, HTTP, sent)


def last_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by name in lower case, of equal names the last: that is the one that the sidecar reads.

    Of several cookies it makes a list, which no pattern of a route reads: a request that comes to one is
    closed, or by HTTP/2 answered with 502, and one that does not is passed on.

    Raises:
        InvalidValue: it is neither a mapping nor pairs, a name cannot be, or there are several cookies.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    try:
        named: list[tuple[Any, Any]] = [(name, value) for name, value in pairs]
    except (TypeError, ValueError):
        raise InvalidValue.of("headers by name, or pairs of names and values", headers).at(
            "headers"
        ) from None
    for name, _ in named:
        if not isinstance(name, str):
            raise InvalidValue.of("a header name", name).at("headers")
    lowered = [name.lower() for name, _ in named]
    for cookie, proposal in _LISTED.items():
        count = lowered.count(cookie)
        if count > 1:
            reason = (
                "of a list of them no route reads anything: it closes the connection, by HTTP/2 answers 502"
            )
            expected = f"one header `{cookie}`"
            raise InvalidValue(Problem(expected, str(count), "headers", reason=reason, proposal=proposal))
    return {name: value for name, (_, value) in zip(lowered, named, strict=True)}


def requests(
    destination: Address | str, port: int, *sent: tuple[str, str] | tuple[str, str, Mapping[str, str]]
) -> Requests:
    """Several requests of one connection, each of which is decided on its own.

    Args:
        destination: the address that the client dials.
        port: its port.
        sent: of each request the method, the URL and, where there are some, the headers, as `http` takes
            them.

    Raises:
        InvalidValue: as `http` does; its path has the index of the request.
    """
    tcp(destination, port)  # which are looked at of no requests, too
    listed: list[Connection] = []
    for index, request in enumerate(sent):
        try:
            if not isinstance(request, tuple) or not 2 <= len(request) <= 3:  # noqa: PLR2004  # because they are named above
                raise InvalidValue.of("a method, a URL and perhaps headers, as a tuple", request)
            method, url, *headers = request
            listed.append(http(destination, port, method, url, *headers))
        except InvalidValue as error:
            raise error.at(f"sent[{index}]") from None
    return Requests(listed)


def tls(destination: Address | str, port: int, server_name: str | None = None) -> Connection:
    """A connection whose client opens TLS, asking for `server_name` or for none.

    A dot at the end of the name is left out, as clients do.

    Raises:
        InvalidValue: an address or port that cannot be, or a server name that no client asks for: a URL, one
            with a port, a wildcard, an address.
    """
    if isinstance(server_name, str):
        if _USUAL_NAME.fullmatch(server_name) and ".." not in server_name:
            return connection_sending(destination, port, TLS, (server_name.lower(), server_name))
        from .urls import server_name as asked  # noqa: PLC0415  # because HTTP needs none

        try:
            server_name = asked(server_name)
        except InvalidValue as error:
            raise error.at("server_name") from None
    return connection_sending(destination, port, TLS, hello_parts(server_name))


def tcp(destination: Address | str, port: int) -> Connection:
    """A connection whose client sends bytes that are neither HTTP nor TLS.

    Raises:
        InvalidValue: an address or port that cannot be.
    """
    return connection_sending(destination, port, BYTES, None)


def server_first(destination: Address | str, port: int) -> Connection:
    """A connection whose client waits for the server to speak, such as MySQL's.

    Raises:
        InvalidValue: an address or port that cannot be.
    """
    return connection_sending(destination, port, NOTHING, None)


def udp(destination: Address | str, port: int) -> Connection:
    """A UDP datagram: FSM intercepts TCP only.

    Raises:
        InvalidValue: an address or port that cannot be.
    """
    return connection_sending(destination, port, DATAGRAM, None)


def split_socket_address(text: str) -> tuple[str, int] | None:
    """The address and port of `54.9.9.9:443` or `[2001:db8::5]:443`, unchecked; None for another form."""
    found = _SOCKET.fullmatch(text)
    return (found[1] or found[2], int(found[3])) if found else None
