"""What is allowed and cannot work, whatever the client does (FSE140 to FSE149)."""

from __future__ import annotations

from ...connections.findings import Code
from .examples import GATEWAY, OUTSIDE, egress, joined, routes, service, uses
from .rule import LintRule

__all__ = ["RULES"]

_WAY = service("way", "name: tcp-way, port: 1080")
_SOCKS = _WAY.replace(
    "name: way, namespace: shop}",
    "name: way, namespace: shop, annotations: {flomesh.io/egress-gateway-mode: sock5}}",
    1,
)


RULES = (
    LintRule(
        Code.WEBSOCKET_OVER_HTTP,
        "a WebSocket over `http`",
        "The sidecar takes the header `Connection` off requests and answers: the client asks for an upgrade,"
        " and the server never hears of it, or the client does not of the answer.",
        "open the port with `tcp` for the server's addresses, or speak `wss` to an `https` port",
        joined(
            routes("chat", "name: ws, pathRegex: ^/ws$, methods: [GET]"),
            egress("a", "http 80", "hosts: [a.com]", uses("chat")),
        ),
        (("^/ws$", "^/news$"),),
    ),
    LintRule(
        Code.LINE_TOO_LONG,
        "a header longer than the sidecar reads",
        "The sidecar reads lines of at most 16,384 bytes, of the request and of each header, and closes the"
        " connection at a longer one.",
        "send the value in the body, or in several headers",
        joined(
            routes("long", "name: m, headers: [{x-token: '^(a{128}){128}$'}]"),
            egress("a", "http 80", "hosts: [a.com]", uses("long")),
        ),
        (("{128}){128}", "{128}){16}"),),
    ),
    LintRule(
        Code.GRPC_SUBTYPE,
        "gRPC with a subtype",
        "The sidecar takes the content type `application/grpc` for gRPC, to the letter: with `+proto` or"
        " another subtype the request goes out by HTTP/1.1, which no gRPC server speaks.",
        "have clients send `application/grpc`, as most do, or open the port with `tcp`",
        joined(
            routes(
                "rpc", 'name: m, methods: [POST], headers: [{content-type: "^application/grpc[+]proto$"}]'
            ),
            egress("a", "http 80", "hosts: [a.com]", uses("rpc")),
        ),
        (("[+]proto", ""),),
    ),
    LintRule(
        Code.CONNECTION_HEADER,
        "a route that asks for `connection`",
        "The sidecar takes the header `Connection` off before it looks at any: the route takes no request.",
        "leave the header out of the route",
        joined(
            routes("old", 'name: m, pathRegex: ^/x, headers: [{connection: "^close$"}]'),
            egress("a", "http 80", "hosts: [a.com]", uses("old")),
        ),
        (("connection:", "x-connection:"),),
    ),
    LintRule(
        Code.SERVER_FIRST_IN_TUNNEL,
        "the server is to speak first, through a gateway that waits for the client",
        "A gateway of the mode `http2tunnel` is dialled when the client has sent something. Where the server"
        " greets first, as in MySQL and SMTP, both wait.",
        "keep these ports from the gateway: exclude their ranges, or take the gateway away",
        joined(GATEWAY, _WAY, egress("a", "tcp-server-first 3306", OUTSIDE)),
        (("tcp-server-first", "tcp"),),
    ),
    LintRule(
        Code.SOCKS_GATEWAY,
        "a gateway of the mode `sock5`",
        "With Pipy 1.5.14, which FSM's sidecars run, nothing comes through FSM's SOCKS gateway.",
        "set the service's annotation `flomesh.io/egress-gateway-mode` to `http2tunnel`",
        joined(GATEWAY, _SOCKS, egress("a", "tcp 25", OUTSIDE)),
        (("sock5", "http2tunnel"),),
    ),
    LintRule(
        Code.TLS_AFTER_BYTES,
        "`https` where TLS begins after other bytes",
        "On ports such as 25, 587, 5432 or 3306 clients send or wait for bytes of another protocol before TLS"
        " (StartTLS). There is no server name in what comes first: once it is compared, nothing passes.",
        "use `tcp-server-first` where the server greets (SMTP, MySQL), else `tcp`, with `ipAddresses`",
        egress("a", "https 5432", "hosts: [a.com]"),
        (("number: 5432", "number: 443"),),
    ),
    LintRule(
        Code.SERVER_NAME_IS_ADDRESS,
        "`https` with an address as host",
        "Clients name no server in TLS where they are given an address: the host is never asked for.",
        "name the address in `ipAddresses` instead, with the protocol `tcp`, or `https` without hosts",
        egress("a", "https 443", "hosts: [54.9.9.9]"),
        (("54.9.9.9", "a.com"),),
    ),
    LintRule(
        Code.HOST_WITHOUT_BRACKETS,
        "`http` with an address of IPv6 as host",
        "Clients send the address in brackets, and hosts are compared to the letter: the host is never asked"
        " for.",
        "open the address with `tcp` and `ipAddresses`, or give the server a name",
        egress("a", "http 80", "hosts: ['2001:db8::1']"),
        (("'2001:db8::1'", "a.com"),),
    ),
)
