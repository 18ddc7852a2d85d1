"""The words that FSM has for protocols, methods and ways, wherever a field or a rule names one."""

from __future__ import annotations

from ..values.enums import Word

__all__ = [
    "EGRESS_PROTOCOLS",
    "EGRESS_PROTOCOLS_BY_NAME",
    "FORWARDED_METHODS",
    "HTTP_METHODS",
    "KNOWN_METHODS",
    "OTHER_PROTOCOLS",
    "STREAMS",
    "LoadBalancing",
    "Protocol",
    "ServiceAccessMode",
]


class Protocol(Word):
    """The protocol of an Egress port, or of a service port inside the mesh."""

    HTTP = "http"
    HTTPS = "https"
    GRPC = "grpc"
    TCP = "tcp"
    TCP_SERVER_FIRST = "tcp-server-first"


class LoadBalancing(Word):
    """How the clusters share the traffic of a service."""

    LOCALITY = "Locality"
    ACTIVE_ACTIVE = "ActiveActive"
    FAIL_OVER = "FailOver"


class ServiceAccessMode(Word):
    """By what the services of the mesh are addressed (`spec.traffic.serviceAccessMode`)."""

    MIXED = "mixed"
    IP = "ip"
    DOMAIN = "domain"


STREAMS = (Protocol.TCP, Protocol.TCP_SERVER_FIRST)  # carried as they come, without routes
EGRESS_PROTOCOLS = (Protocol.HTTP, Protocol.HTTPS, Protocol.TCP, Protocol.TCP_SERVER_FIRST)
EGRESS_PROTOCOLS_BY_NAME = {protocol.value: protocol for protocol in EGRESS_PROTOCOLS}
OTHER_PROTOCOLS: dict[str, tuple[str | None, str]] = {
    "grpc": ("http", "it carries HTTP/2 and gRPC, and FSM ignores `grpc` in an Egress silently"),
    **dict.fromkeys(("http2", "http/2", "h2", "h2c", "ws"), ("http", "it carries HTTP/2 and WebSocket, too")),
    **dict.fromkeys(("tls", "ssl", "wss"), ("https", "it stands for TLS")),
    "udp": (None, "UDP passes by the sidecar, and no policy governs it"),
}
"""What people write for a protocol: what is proposed instead, and why."""
FORWARDED_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")  # `sidecar-*.json`: of any
KNOWN_METHODS = (*FORWARDED_METHODS, "TRACE", "CONNECT")
HTTP_METHODS = ("*", "GET", "HEAD", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
