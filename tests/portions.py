"""Connections of which not all is known, to draw, and the portions that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from small import ROUTES, config, egress, load, routes
from universe import drawn

import fsm_egress as fe
from fsm_egress.connections.payloads import HTTPRequest, Sends, TLSClientHello

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import SearchStrategy

FORWARDED = "GET/HEAD/POST/PUT/DELETE/PATCH/OPTIONS"


def holding(portions: Iterable[fe.Portion], connection: fe.Connection) -> list[fe.Portion]:
    return [portion for portion in portions if connection in portion]


def assert_alike(portion: fe.Portion, decision: fe.Decision) -> None:
    """One connection of a portion is decided so: as its witness, which may be taken by another range."""
    shown = portion.decision
    assert shown == decision
    assert (shown.match and shown.match.port) == (decision.match and decision.match.port)
    assert bool(shown.considered) is bool(decision.considered)


def named(name: str) -> dict[str, str]:
    return {"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": name}


RESTRICTED = (
    config({"enableEgress": False}),
    egress("web", "http 80", hosts=["a.com"], ipAddresses=["54.9.0.0/16", "10.0.0.7/32"]),
)


BEYOND = "^/(?:a|b)*a(?:a|b){16}$"  # more states than are looked at


def beyond(*patterns: str) -> fe.Snapshot:
    """A mesh with a route for each pattern."""
    listed = [{"methods": ["GET"], "pathRegex": pattern} for pattern in patterns]
    policy = egress("web", "http 80", hosts=["a.com"], matches=[named("r")])
    return load(policy, routes("r", *listed))


def partials() -> SearchStrategy[tuple[fe.Partial, fe.Connection]]:
    """A connection, and what may be known of it."""
    return st.tuples(drawn(1), st.frozensets(st.sampled_from(FIELDS), max_size=6)).map(
        lambda pair: (fe.Partial(**known(pair[0][0], pair[1])), pair[0][0])
    )


FIELDS = ("to", "range", "port", "sends", "host", "method", "path", "headers")


def known(connection: fe.Connection, fields: frozenset[str]) -> dict[str, Any]:
    """These fields of a connection, as far as it has them."""
    found: dict[str, Any] = {}
    if "to" in fields:
        found["to"] = connection.destination
    elif "range" in fields:
        length = 8 if connection.destination.version == 4 else 32
        found["to"] = fe.Prefix.around(connection.destination, length)
    if "port" in fields:
        found["port"] = connection.port
    if "sends" in fields:
        found["sends"] = connection.kind
    sent = connection.sends
    if isinstance(sent, TLSClientHello) and "host" in fields:
        found["host"] = sent.name or ""
    if isinstance(sent, HTTPRequest):
        found.update(
            {name: getattr(sent, name) for name in ("host", "method", "path", "headers") if name in fields}
        )
    return found


def fits(partial: fe.Partial, connection: fe.Connection) -> bool:
    """Whether all that is known is so of a connection."""
    sent = connection.sends
    if partial.sends is None and connection.kind is Sends.DATAGRAM:
        return False
    if partial.sends is not None and connection.kind is not partial.sends:
        return False
    if partial.to is not None and connection.destination not in partial.to:
        return False
    if partial.port is not None and connection.port != partial.port:
        return False
    if partial.host is not None:
        if isinstance(sent, TLSClientHello):
            if (sent.name or "") != partial.host.lower():
                return False
        elif not isinstance(sent, HTTPRequest) or sent.host != partial.host:
            return False
    asked = {name: getattr(partial, name) for name in ("method", "path", "headers")}
    return all(
        value is None or (isinstance(sent, HTTPRequest) and getattr(sent, name) == value)
        for name, value in asked.items()
    )
