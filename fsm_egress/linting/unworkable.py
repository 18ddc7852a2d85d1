"""What the policies of one identity allow and cannot work, each with a connection that shows it."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from ..connections.findings import Code
from ..connections.obstacles import CONNECTION, LONGEST_LINE, obstacles_to, words_of
from ..connections.payloads import HTTPRequest, Sends, TLSClientHello
from ..patterns.shortest import least_length, least_text
from ..policy import PortPolicy
from ..resources.words import FORWARDED_METHODS, Protocol
from ..values.errors import InvalidValue
from .routes import LONG, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..connections.findings import Finding
    from ..connections.payloads import Payload
    from ..policy.parts import Claim, HTTPRoute
    from ..values.references import FieldRef
    from .view import Opened, Place, View

__all__ = ["unworkable_findings"]

HOST = "host"
LONGEST_SHOWN = 4 * LONGEST_LINE  # a longer line is no witness that anybody reads
UPGRADE = {"upgrade": "websocket"}
_WEBSOCKETS = re.compile(r"(?:^|[/^(|])(?:wss?|websockets?|socket\.io|socket\\\.io)(?=$|[/?$)|\\])")
"""A path by which hardly anything but a WebSocket is asked for: `^/ws$`, `/api/websocket`."""


def unworkable_findings(view: View) -> Iterator[Finding]:
    """The findings of an identity, each once for a rule."""
    found: set[tuple[Code, FieldRef]] = set()
    for finding in _all_of(view):
        if (finding.code, finding.rule) not in found:
            found.add((finding.code, finding.rule))
            yield finding


def _all_of(view: View) -> Iterator[Finding]:
    for opened in view.opened:
        for it in opened:
            yield from _never_seen(view, it)
            for rule, payload in _sent(it.claim):
                for place in it.places:
                    yield from _shown(view, place, rule, payload)
    around = (place for _, places in view.ports for place in places)
    for place in (*around, *view.places(PortPolicy(view.free_port, (), (), ()))):
        yield from _shown(view, place, view.policy.switch, Sends.BYTES)


def _shown(view: View, place: Place, rule: FieldRef, payload: Payload) -> Iterator[Finding]:
    """What is in the way of a connection to a place; of a gateway it is the gateway's."""
    witness, decision = view.sent(place, payload)
    for obstacle in obstacles_to(witness, decision):
        forward = view.policy.forward
        is_gateways = obstacle.code is Code.SOCKS_GATEWAY and forward is not None
        at = forward.rule if is_gateways and forward else rule
        yield view.finding(obstacle.code, at, obstacle.words, witness)


def _sent(claim: Claim) -> Iterator[tuple[FieldRef, Payload]]:
    """What clients send to a claim, and the rule that would be to blame."""
    if claim.protocol is Protocol.HTTP:
        for route, host in product(claim.routes, claim.hosts):
            yield from ((route.route or claim.rule, request) for request in _requests(route, host))
    elif claim.protocol is Protocol.HTTPS:
        yield from ((claim.rule, TLSClientHello(host)) for host in claim.hosts or (None,))
    else:
        is_first = claim.protocol is Protocol.TCP_SERVER_FIRST
        yield claim.rule, Sends.NOTHING if is_first else Sends.BYTES


def _requests(route: HTTPRoute, host: str) -> Iterator[HTTPRequest]:
    """The smallest request that a route takes, and one for a WebSocket where its path speaks of one."""
    request = request_of(route, host) or _long_request(route, host)
    if request is not None:
        yield request
        if _WEBSOCKETS.search(route.path.text) and "upgrade" not in dict(route.headers):
            yield request.replace(headers={**request.headers, **UPGRADE})


def _long_request(route: HTTPRoute, host: str) -> HTTPRequest | None:
    """A request that a route may well take which asks for a long text, read off its patterns."""
    patterns = (route.path, *(pattern for _, pattern in route.headers))
    lengths = [least_length(pattern.tree) for pattern in patterns]
    if not LONG < max(lengths) <= LONGEST_SHOWN:
        return None
    path, *values = [least_text(pattern.tree).decode("latin-1") for pattern in patterns]
    headers = {name: value for (name, _), value in zip(route.headers, values, strict=True) if name != HOST}
    try:
        whole = path if path.startswith("/") else f"/{path}"
        return HTTPRequest((route.methods or FORWARDED_METHODS)[0], host, whole, headers)
    except InvalidValue:
        return None


def _never_seen(view: View, opened: Opened) -> Iterator[Finding]:
    """Routes that ask for a header which the sidecar takes off; the witness has all that is left."""
    for route, host in product(opened.claim.routes, opened.claim.hosts):
        asks = any(name == CONNECTION and not pattern.search("") for name, pattern in route.headers)
        request = request_of(route, host) if asks else None
        if request is not None and route.route is not None:
            for place in opened.places[:1]:
                witness, _ = view.sent(place, request)
                words = words_of(Code.CONNECTION_HEADER)
                yield view.finding(Code.CONNECTION_HEADER, route.route, words, witness)
