"""What is allowed and cannot work all the same: what the sidecar, a gateway or the client makes of it.

Each was observed with real clients, FSM's scripts and Pipy 1.5.14 (`tests/vectors/clients.json`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources.checks import is_address
from ..values.construction import frozen
from .decision import Decision, Reason
from .findings import Code
from .payloads import HTTPRequest, Sends, TLSClientHello

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .connection import Connection

__all__ = ["CONNECTION", "LONGEST_LINE", "Obstacle", "has_long_line", "obstacles_to", "words_of"]

CONNECTION = "connection"
"""The header that the sidecar takes off a request before it looks at any: no route ever finds it."""

LONGEST_LINE = 16_384
"""Bytes of the longest line of a request, with its end, that the sidecar reads; a longer one closes."""

TUNNEL = "http2tunnel"
_OVER_TLS = frozenset([Reason.TLS_SERVER_NAME, Reason.TLS_ANY])

STARTTLS_PORTS = {
    21: "FTP",
    25: "SMTP",
    110: "POP3",
    119: "NNTP",
    143: "IMAP",
    389: "LDAP",
    587: "SMTP",
    3306: "MySQL",
    4190: "ManageSieve",
    5222: "XMPP",
    5269: "XMPP",
    5432: "PostgreSQL",
}
"""The ports on which TLS begins after bytes of another protocol, and whose that is."""


@frozen
class Obstacle:
    """Why what is allowed cannot work: the code of the finding that says it of policies, and the words."""

    code: Code
    words: str

    def to_mapping(self) -> dict[str, str]:
        """The obstacle for machines."""
        return {"code": self.code.code, "message": self.words}

    def __str__(self) -> str:
        return f"{self.words} ({self.code})"


def obstacles_to(connection: Connection, decision: Decision) -> tuple[Obstacle, ...]:
    """Why a connection cannot work though it is allowed; nothing of one that is denied."""
    if not decision.allowed:
        return ()
    return tuple(Obstacle(code, words_of(code)) for code, shows in _OBSTACLES if shows(connection, decision))


def words_of(code: Code) -> str:
    """What is the matter, of a code of this module."""
    return _WORDS[code]


def has_long_line(request: HTTPRequest) -> bool:
    """Whether a line of a request is longer than the sidecar reads."""
    return any(len(f"{line}\r\n".encode("utf-8", "replace")) > LONGEST_LINE for line in _lines(request))


def _lines(request: HTTPRequest) -> Iterator[str]:
    yield f"{request.method} {request.path} HTTP/1.1"
    yield f"host: {request.host}"
    yield from (f"{name}: {value}" for name, value in request.headers.items())


def _routed(connection: Connection, decision: Decision) -> HTTPRequest | None:
    """The request of a connection that a route lets out."""
    sent = connection.sends
    return sent if isinstance(sent, HTTPRequest) and decision.reason is Reason.HTTP_ROUTE else None


def _asks_for_websocket(connection: Connection, decision: Decision) -> bool:
    request = _routed(connection, decision)
    return request is not None and "websocket" in request.header("upgrade").lower()


def _has_long_line(connection: Connection, decision: Decision) -> bool:
    request = _routed(connection, decision)
    return request is not None and has_long_line(request)


def _is_grpc_of_a_subtype(connection: Connection, decision: Decision) -> bool:
    request = _routed(connection, decision)
    return request is not None and request.header("content-type").lower().startswith("application/grpc+")


def _waits_in_a_tunnel(connection: Connection, decision: Decision) -> bool:
    return connection.kind is Sends.NOTHING and any(used.mode == TUNNEL for used in decision.gateways)


def _goes_through_socks(_: Connection, decision: Decision) -> bool:
    return any(used.mode != TUNNEL for used in decision.gateways)


def _begins_without_tls(connection: Connection, decision: Decision) -> bool:
    return decision.reason in _OVER_TLS and connection.port in STARTTLS_PORTS


def _names_an_address(connection: Connection, decision: Decision) -> bool:
    sent = connection.sends
    by_name = decision.reason is Reason.TLS_SERVER_NAME
    return by_name and isinstance(sent, TLSClientHello) and is_address(sent.name)


def _has_a_bare_ipv6_host(connection: Connection, decision: Decision) -> bool:
    request = _routed(connection, decision)
    return request is not None and ":" in request.host and is_address(request.host)


_OBSTACLES: tuple[tuple[Code, Callable[[Connection, Decision], bool]], ...] = (
    (Code.WEBSOCKET_OVER_HTTP, _asks_for_websocket),
    (Code.LINE_TOO_LONG, _has_long_line),
    (Code.GRPC_SUBTYPE, _is_grpc_of_a_subtype),
    (Code.SERVER_FIRST_IN_TUNNEL, _waits_in_a_tunnel),
    (Code.SOCKS_GATEWAY, _goes_through_socks),
    (Code.TLS_AFTER_BYTES, _begins_without_tls),
    (Code.SERVER_NAME_IS_ADDRESS, _names_an_address),
    (Code.HOST_WITHOUT_BRACKETS, _has_a_bare_ipv6_host),
)

_WORDS = {
    Code.WEBSOCKET_OVER_HTTP: (
        "the sidecar takes the header `Connection` off, without which no WebSocket is opened"
    ),
    Code.LINE_TOO_LONG: f"the sidecar closes at a line of more than {LONGEST_LINE} bytes",
    Code.GRPC_SUBTYPE: (
        "the sidecar takes `application/grpc` alone for gRPC: one with a subtype goes out by HTTP/1.1"
    ),
    Code.CONNECTION_HEADER: "the sidecar takes the header `connection` off before it looks at any",
    Code.SERVER_FIRST_IN_TUNNEL: (
        "an `http2tunnel` is opened when the client sends something, and here it waits for the server"
    ),
    Code.SOCKS_GATEWAY: "nothing comes through a gateway of the mode `sock5` with Pipy 1.5.14",
    Code.TLS_AFTER_BYTES: (
        "TLS begins after bytes of another protocol on this port, so that no server name comes first"
    ),
    Code.SERVER_NAME_IS_ADDRESS: "clients name no server in TLS where they are given an address",
    Code.HOST_WITHOUT_BRACKETS: (
        "clients send an address of IPv6 in brackets, and hosts are compared to the letter"
    ),
}
