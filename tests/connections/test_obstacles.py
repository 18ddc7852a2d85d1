"""What is allowed and cannot work: each obstacle by a connection that meets it, and one that does not."""

from __future__ import annotations

import pytest

import fsm_egress as fe
from fsm_egress.connections.decision import UsedGateway
from fsm_egress.connections.findings import Code
from fsm_egress.connections.obstacles import LONGEST_LINE, Obstacle, has_long_line, obstacles_to, words_of


def decision(reason: str, *gateways: str, verdict: str = "EGRESS_POLICY") -> fe.Decision:
    used = tuple(UsedGateway(f"shop/way-{mode}", 100, mode, ("10.0.0.1:1080",)) for mode in gateways)
    return fe.Decision(fe.Verdict(verdict), fe.Reason(reason), gateways=used)


def request(*, host: str = "a.com", path: str = "/", **headers: str) -> fe.Connection:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return fe.Connection("54.9.9.9", 80, fe.HTTPRequest("GET", host, path, named))


def line_of(length: int, name: str = "x-a") -> str:
    """A header's value that makes its line, with its end, so many bytes long."""
    return "a" * (length - len(f"{name}: \r\n"))


ROUTED, NAMED, ANY_TLS = decision("http_route"), decision("tls_server_name"), decision("tls_any")
STREAM = decision("tcp_port")
TLS = fe.tls("54.9.9.9", 5432, "a.com")
NUMBERED = fe.Connection("54.9.9.9", 443, fe.TLSClientHello("54.9.9.9"))
WAITS = fe.server_first("54.9.9.9", 3306)
TUNNEL, SOCKS = decision("tcp_port", "http2tunnel"), decision("tcp_port", "sock5")


@pytest.mark.parametrize(
    ("connection", "decided", "codes"),
    [
        (request(upgrade="WebSocket"), ROUTED, [Code.WEBSOCKET_OVER_HTTP]),
        (request(upgrade="h2c"), ROUTED, []),
        (request(upgrade="websocket"), STREAM, []),
        (request(x_a=line_of(LONGEST_LINE)), ROUTED, []),
        (request(x_a=line_of(LONGEST_LINE + 1)), ROUTED, [Code.LINE_TOO_LONG]),
        (request(path="/" + "a" * LONGEST_LINE), ROUTED, [Code.LINE_TOO_LONG]),
        (request(x_a=line_of(LONGEST_LINE + 1)), STREAM, []),
        (request(content_type="application/grpc+proto"), ROUTED, [Code.GRPC_SUBTYPE]),
        (request(content_type="application/grpc"), ROUTED, []),
        (request(host="2001:db8::1"), ROUTED, [Code.HOST_WITHOUT_BRACKETS]),
        (request(host="[2001:db8::1]"), ROUTED, []),
        (request(host="a.com:80"), ROUTED, []),
        (WAITS, TUNNEL, [Code.SERVER_FIRST_IN_TUNNEL]),
        (fe.tcp("54.9.9.9", 3306), TUNNEL, []),
        (WAITS, STREAM, []),
        (WAITS, SOCKS, [Code.SOCKS_GATEWAY]),
        (request(), decision("http_route", "http2tunnel", "sock5"), [Code.SOCKS_GATEWAY]),
        (TLS, NAMED, [Code.TLS_AFTER_BYTES]),
        (TLS, ANY_TLS, [Code.TLS_AFTER_BYTES]),
        (TLS, STREAM, []),
        (TLS.replace(port=443), NAMED, []),
        (NUMBERED, NAMED, [Code.SERVER_NAME_IS_ADDRESS]),
        (NUMBERED, ANY_TLS, []),
    ],
)
def test_what_is_in_the_way(connection: fe.Connection, decided: fe.Decision, codes: list[Code]) -> None:
    assert [it.code for it in obstacles_to(connection, decided)] == codes


def test_nothing_is_in_the_way_of_what_is_denied() -> None:
    assert obstacles_to(request(upgrade="websocket"), decision("no_route", verdict="DENIED")) == ()


def test_an_obstacle_in_words_and_for_machines() -> None:
    obstacle = Obstacle(Code.SERVER_NAME_IS_ADDRESS, words_of(Code.SERVER_NAME_IS_ADDRESS))
    words = "clients name no server in TLS where they are given an address"
    assert str(obstacle) == f"{words} (FSE147)"
    assert obstacle.to_mapping() == {"code": "FSE147", "message": words}


def test_several_long_headers_are_several_lines() -> None:
    """As observed: three of 8,000 bytes are read, and one of 16,300."""
    value = "a" * 8_000
    assert not has_long_line(fe.HTTPRequest(headers={"x-1": value, "x-2": value, "x-3": value}))
    assert not has_long_line(fe.HTTPRequest(headers={"x-a": "a" * 16_300}))
    assert has_long_line(fe.HTTPRequest(host="a" * LONGEST_LINE))
    assert has_long_line(fe.HTTPRequest(headers={"x-a": "ü" * 8_200}))


def test_connection_is_no_header_of_a_request() -> None:
    assert fe.HTTPRequest(headers={"Connection": "close", "x": "1"}) == fe.HTTPRequest(headers={"x": "1"})
