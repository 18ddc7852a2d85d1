"""What clients make of a URL: the Host, the path and the headers that they send.

It is what curl, wget, Go, Node, urllib, requests, httpx and aiohttp send where they agree. A URL of which
they send different things is refused, with the one for which they agree: an answer would hold for some only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..resources.checks import LAST_PORT
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.frozen import EMPTY, FrozenMap
from ..values.hostnames import spelling
from .payloads import USER

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Sent", "read_url", "server_name"]

_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*)://)?([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?")
_SLASHES_LOST = re.compile(r"(https?|wss?):/?(?![/0-9])", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\[([^\[\]]*:[^\[\]]*)\]|([^:\[\]]*))(?::([0-9]*))?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_NO_PART = r"%(?![0-9A-Fa-f]{2})|[^\x21-\x7e]|[\"<>\\^`{|}\[\]]"
_TO_ESCAPE, _TO_ESCAPE_IN_QUERY = re.compile(_NO_PART), re.compile(rf"{_NO_PART}|'")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]", re.ASCII)

_SPACES = "some clients leave out spaces around it, others send or refuse them"
_ESCAPED = "some clients escape what is no part of a URL, others send it or refuse it"
_RESPELLED = "requests and aiohttp write escapes in capitals and undo those that are not needed"
_RESOLVED = "curl, requests and Node leave out `.` and `..`, Go and urllib send them"
_WILDCARD = "clients ask for names, and hosts are compared to the letter"
_ZEROS = "Go and urllib keep the zeros of the port, and FSM then answers 403"

_WEBSOCKET = FrozenMap({"connection": "Upgrade", "sec-websocket-version": "13", "upgrade": "websocket"})
_GRPC = FrozenMap({"content-type": "application/grpc", "te": "trailers"})
_HEADERS: Mapping[str, FrozenMap[str]] = {"http": EMPTY, "ws": _WEBSOCKET, "grpc": _GRPC}
"""The schemes of which the sidecar sees a request, with the headers that go with them."""

_METHODS = {"ws": "GET", "grpc": "POST"}
_DIGITS = len(str(LAST_PORT))
_PORTS = {"http": 80, "ws": 80}  # what is sent without its port; gRPC names the port always

_KINDS: Mapping[str, str] = {
    **dict.fromkeys(
        ("https", "wss", "grpcs", "rediss", "amqps", "mqtts", "ldaps", "imaps", "pop3s", "smtps", "ftps"),
        "tls",
    ),
    **dict.fromkeys(
        ("tcp", "redis", "postgres", "postgresql", "mongodb", "amqp", "mqtt", "ldap", "kafka"), "tcp"
    ),
    **dict.fromkeys(("mysql", "smtp", "imap", "pop3", "ftp", "ssh", "nats"), "server-first"),
    "udp": "udp",
}
"""What the sidecar sees of the others, as the command line names it."""

_WHY = {
    "tls": "which sees a server name and no request",
    "tcp": "which sees the client's own bytes first, also where it asks for TLS with them",
    "server-first": "whose client waits for the server's greeting, also where it asks for TLS later",
    "udp": "which never sees it",
}


@frozen
class Sent:
    """What a client sends for a URL.

    Attributes:
        method: the request's.
        host: the Host header.
        path: with the query; through a proxy the whole URL, and of `CONNECT` the Host.
        headers: those that go with the scheme.
    """

    method: str
    host: str
    path: str
    headers: FrozenMap[str] = EMPTY


@frozen
class _Parts:
    """A URL taken apart, spelled as all clients send it.

    Attributes:
        name: the host; of IPv6 in brackets.
        port: as text; empty where the URL has none.
        reasons: in what clients differ about the URL as it was given.
        has_scheme: whether it names its scheme.
    """

    scheme: str
    name: str
    port: str
    path: str
    reasons: tuple[str, ...]
    has_scheme: bool

    @property
    def host(self) -> str:
        """The Host header."""
        is_left_out = not self.port or int(self.port) == _PORTS.get(self.scheme)
        return self.name if is_left_out else f"{self.name}:{self.port}"


def read_url(method: str, url: str, *, through_proxy: bool = False) -> Sent:
    """What a client sends for a URL.

    User and password go into a header of their own, which no policy looks at: they are left out, and no
    error shows them. So are the port of the scheme, an empty one, and a fragment. A `?` is sent, also with
    nothing behind it.

    Args:
        method: the request's; `CONNECT` is asked of a host and its port, without a scheme.
        url: what the client is given.
        through_proxy: whether the client sends it to an HTTP proxy: the URL as a whole, or where it is none
            of `http` a `CONNECT` to its host.

    Raises:
        InvalidValue: it is no URL of HTTP, or clients differ about what they send for it.
    """
    url = USER.sub(r"\1", url, count=1)
    try:
        if method == "CONNECT":
            return _tunnel(url)
        parts = _taken_apart(url)
        if through_proxy and parts.scheme != "http" and _KINDS.get(parts.scheme, "tls") == "tls":
            return _proxied(parts)
        _sees_requests(url, parts)
    except InvalidValue as error:
        raise error.at("url") from None
    due = _METHODS.get(parts.scheme, method)
    if method != due:
        raise InvalidValue.of(f"the method that goes with `{parts.scheme}`", method, proposal=due).at(
            "method"
        )
    whole = f"http://{parts.host}{parts.path}" if through_proxy else parts.path
    return Sent(method, parts.host, whole, _HEADERS[parts.scheme])


def _sees_requests(url: str, parts: _Parts) -> None:
    """Whether the sidecar sees a request of this URL, the same one of all clients."""
    if parts.scheme not in _HEADERS:
        kind = _KINDS.get(parts.scheme)
        expected = "a URL with the scheme `http`"
        if kind is None:
            raise InvalidValue.of(expected, url)
        proposal = f"--{kind} {parts.name}" if kind == "tls" and not _is_address(parts.name) else f"--{kind}"
        reason = f"{parts.scheme.upper()} is `{kind}` to the sidecar, {_WHY[kind]}"
        raise InvalidValue.of(expected, url, proposal=proposal, reason=reason)
    if parts.reasons:
        scheme = f"{parts.scheme}://" if parts.has_scheme else ""
        proposal = f"{scheme}{parts.host}{parts.path}"
        raise InvalidValue.of(
            "a URL that all clients send alike", url, proposal=proposal, reason="; ".join(parts.reasons)
        )


def _tunnel(url: str) -> Sent:
    """What a client sends that asks a proxy for a connection to `host:port`."""
    parts = _taken_apart(url)
    host = f"{parts.name}:{parts.port or '443'}"
    if url not in {host, f"http://{host}", f"http://{host}/"}:
        reason = "; ".join(parts.reasons) or None
        raise InvalidValue.of("a host and its port, as `CONNECT` is sent", url, proposal=host, reason=reason)
    return Sent("CONNECT", host, host)


def _proxied(parts: _Parts) -> Sent:
    """The `CONNECT` of a client that has anything but HTTP to send through a proxy."""
    host = f"{parts.name}:{parts.port or _PORTS.get(parts.scheme, 443)}"
    return Sent("CONNECT", host, host)


def _taken_apart(url: str) -> _Parts:
    """The parts of a URL without user and password.

    Raises:
        InvalidValue: it has no such parts.
    """
    text = url.strip(" ")
    reasons = [_SPACES] if text != url else []
    lost = _SLASHES_LOST.match(text)
    if lost:
        raise InvalidValue.of("a URL", url, proposal=f"{lost[1].lower()}://{text[lost.end() :]}")
    found = _URL.fullmatch(text)
    if found is None or _CONTROL.search(text):
        raise InvalidValue.of("a URL, without control characters", url)
    scheme, authority, path, query = found.groups("")
    name, port, more = _authority(url, authority, is_needed=not scheme and path.startswith("//"))
    kept = port.lstrip("0")
    if port and not (kept and len(kept) <= _DIGITS and int(kept) <= LAST_PORT):
        raise InvalidValue.of("a port from 1 to 65535 in the URL", url)
    if kept != port and int(kept) != _PORTS.get(scheme.lower() or "http"):
        more = (*more, _ZEROS)
    sent, differing = _path(path or "/", query)
    return _Parts(scheme.lower() or "http", name, kept, sent, (*reasons, *more, *differing), bool(scheme))


def _authority(url: str, authority: str, *, is_needed: bool) -> tuple[str, str, tuple[str, ...]]:
    """The host and the port of a URL, and in what clients differ about the host."""
    found = _AUTHORITY.fullmatch(authority)
    if found and not authority and not is_needed:
        return "", "", ()
    spelled = spelling(found[1] or found[2]) if found else None
    if found is None or spelled is None:
        reason = _WILDCARD if "*" in authority else "its host is none that a client can ask for"
        raise InvalidValue.of("a URL", url, reason=reason)
    name = f"[{spelled.text}]" if ":" in spelled.text else spelled.text
    return name, found[3] or "", spelled.reasons


def _path(path: str, query: str) -> tuple[str, tuple[str, ...]]:
    """What is sent of a path and a query, and in what clients differ about them."""
    escaped = _TO_ESCAPE.sub(_escape, path), _TO_ESCAPE_IN_QUERY.sub(_escape, query)
    respelled = [_ESCAPE.sub(_respelled, part) for part in escaped]
    resolved = _without_dots(respelled[0])
    reasons = (
        (_ESCAPED, escaped != (path, query)),
        (_RESPELLED, respelled != [*escaped]),
        (_RESOLVED, resolved != respelled[0]),
    )
    return resolved + respelled[1], tuple(reason for reason, differs in reasons if differs)


def _escape(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace"))


def _respelled(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return letter if _UNRESERVED.fullmatch(letter) else found[0].upper()


def _without_dots(path: str) -> str:
    """A path without its `.` and `..` (RFC 3986, 5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def server_name(text: str) -> str:
    """The server name that a client asks for, when it is given this name: without a dot at its end, in ASCII.

    Raises:
        InvalidValue: it is a URL, has a port, is a wildcard or an address, or clients differ about it.
    """
    text = USER.sub(r"\1", text, count=1)
    scheme, _, rest = text.rpartition("://")
    host, slash, _ = rest.partition("/")
    found = _AUTHORITY.fullmatch(host)
    bare = (found[1] or found[2]).removesuffix(".") if found else host
    spelled = spelling(bare.lower() if bare.isascii() else bare)
    if spelled is None:
        expected = "a server name that a client asks for"
        if "*" in text:
            raise InvalidValue.of(f"{expected}, not a wildcard", text, reason=_WILDCARD)
        raise InvalidValue.of(expected, text)
    if _is_address(spelled.text):
        reason = "clients name no server where they are given an address: leave it out"
        raise InvalidValue.of("a server name, not an address", text, reason=reason)
    if scheme or slash:
        raise InvalidValue.of("a server name, not a URL", text, proposal=spelled.text)
    if found and found[3] is not None:
        raise InvalidValue.of("a server name without a port", text, proposal=spelled.text)
    if spelled.reasons:
        expected = "a server name that all clients send alike"
        raise InvalidValue.of(expected, text, proposal=spelled.text, reason="; ".join(spelled.reasons))
    return bare if bare.isascii() else spelled.text


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdecimal()
