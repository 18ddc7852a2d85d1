"""Connections as people describe them: an address, a port, and a URL, a server name or nothing more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..values.errors import InvalidValue
from ..values.frozen import EMPTY
from .connection import (
    BYTES,
    DATAGRAM,
    HTTP,
    NOTHING,
    TLS,
    USUAL_METHODS,
    Connection,
    RequestParts,
    connection_sending,
    hello_parts,
    request_parts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..values.net import Address

__all__ = ["http", "server_first", "split_socket_address", "tcp", "tls", "udp"]

# A URL that needs no more looking at: host, port, path and query of ASCII; `urlsplit` reads all others.
_URL = re.compile(r"(?:http://)?([A-Za-z0-9._-]+(?::[0-9]+)?)(/[!-\"$-~]*(?<!\?))?")
_SOCKET = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:]+)):([0-9]{1,5})", re.ASCII)
_USER = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)?[^/?#]*@")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://", re.ASCII)


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
    try:
        found = _URL.fullmatch(url)
    except TypeError:
        raise InvalidValue.of("a URL", url).at("url") from None
    host, path = found.groups("/") if found else _taken_apart(url)
    if found and not headers and type(method) is str and method in USUAL_METHODS:
        sent: RequestParts = (host.lower(), method, path, EMPTY, host)
    else:
        sent = request_parts(method, host, path, headers or EMPTY)
    return connection_sending(destination, port, HTTP, sent)


def _taken_apart(url: str) -> tuple[str, str]:
    """The Host header and the path of a URL, as clients send them.

    User and password go into a header of their own, which no policy looks at: they are left out, and no
    error shows them. So is the colon of an empty port. A `?` with nothing behind it is sent.
    """
    from urllib.parse import urlsplit  # noqa: PLC0415  # because `_URL` reads nearly all

    url = _USER.sub(r"\1", url, count=1)
    try:
        split = urlsplit(url if _SCHEME.match(url) else f"http://{url}")
    except ValueError as error:
        raise InvalidValue.of("a URL", url, reason=str(error)).at("url") from None
    if split.scheme != "http":
        expected, reason = "a URL with the scheme `http`", "HTTPS is `tls` to the sidecar"
        raise InvalidValue.of(expected, url, reason=reason).at("url")
    is_asked = split.query or url.partition("#")[0].endswith("?")
    return split.netloc.removesuffix(":"), (split.path or "/") + (f"?{split.query}" if is_asked else "")


def tls(destination: Address | str, port: int, server_name: str | None = None) -> Connection:
    """A connection whose client opens TLS, asking for `server_name` or for none.

    Raises:
        InvalidValue: an address, port or server name that cannot be.
    """
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
