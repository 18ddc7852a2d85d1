"""Strategies for connections that are aimed at what the rules of a mesh say."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from ..connections.connection import Connection
from ..connections.payloads import HTTPRequest, Payload, Sends, TLSClientHello
from ..patterns.automata import Texts, Undecided, witness
from ..resolution import resolve
from ..resources.checks import LAST_PORT
from ..values.net import GAP_END, GAP_START, LAST_KEY, Address, Prefix
from .hypothesis_extra import st
from .parts import HEADERS, HOSTS, METHODS, PATHS, PORTS, VALUES, T, payloads_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hypothesis.strategies import SearchStrategy

    from ..patterns import Pattern
    from ..policy import OutboundPolicy
    from ..policy.parts import HTTPRoute, VirtualHost
    from ..resources.resource import ServiceIdentity
    from ..snapshot import Snapshot

__all__ = ["connections_near"]


def connections_near(mesh: Snapshot, identity: ServiceIdentity | str) -> SearchStrategy[Connection]:
    """Connections of an identity that its rules tell apart, and their neighbours.

    They go to ports that are named or the next ones, to the first and last address of each range or the ones
    beside, for hosts that are listed or nearly so, with methods, paths and headers that routes ask for.

    Args:
        mesh: the resources.
        identity: `name.namespace`.

    Raises:
        InvalidValue: the text is no identity.
    """
    policy = resolve(mesh, identity)
    routes = list(_routes(policy))
    names = _some([*_listed_hosts(policy), *HOSTS[:1]])
    sent = st.builds(
        HTTPRequest,
        _some([*chain.from_iterable(route.methods for route in routes), *METHODS]),
        names.flatmap(_spelled),
        _some([*filter(None, (_found(route.path, Texts.PATH) for route in routes)), *PATHS]),
        st.fixed_dictionaries({}, optional=_headers(routes)),
    )
    places = [_edges(prefix) for prefix in _ranges(policy)]
    keys = _some([*chain.from_iterable(places), Address("9.9.9.9").key, Address("2001:db8::9").key])
    numbers = [number for port in policy.ports for number in (port.port, port.port + 1)]
    anywhere = st.builds(
        Connection,
        keys.map(Address.from_key),
        _some([*(number for number in numbers if number <= LAST_PORT), *PORTS[:1]]),
        payloads_of(names.map(_as_server_name), sent),
    )
    aims = list(dict.fromkeys(_aims(policy)))
    if not aims:
        return anywhere
    aimed = st.sampled_from(aims)
    return aimed | st.builds(_mixed, aimed, anywhere, st.sampled_from(_PARTS)) | anywhere


_PARTS = ("destination", "port", "sends", "method", "host", "path", "headers")


def _mixed(aim: Connection, other: Connection, part: str) -> Connection:
    """What a rule is there for, but for one part."""
    if hasattr(aim, part):
        return aim.replace(**{part: getattr(other, part)})
    if isinstance(aim.sends, HTTPRequest) and isinstance(other.sends, HTTPRequest):
        return aim.replace(sends=aim.sends.replace(**{part: getattr(other.sends, part)}))
    return other


def _aims(policy: OutboundPolicy) -> Iterator[Connection]:
    """A connection for each rule, host and route: what it is there for, where that is known."""
    for port in policy.ports:
        for match in port.mesh:
            for owner in match.owners[:1]:
                payloads: list[Payload] = [Sends.BYTES, *_asked(match.virtual_hosts)]
                for payload in payloads:
                    yield Connection(owner.prefix.network, port.port, payload)
        for group in port.groups:
            place = group.prefixes[0].network if group.prefixes else Address("9.9.9.9")
            names = (host for claim in group.claims for host in claim.hosts)
            named = map(TLSClientHello, names)
            opened: list[Payload] = [Sends.BYTES, *named, *_asked(group.virtual_hosts)]
            for payload in opened:
                yield Connection(place, port.port, payload)


def _asked(hosts_: Iterable[VirtualHost]) -> Iterator[HTTPRequest]:
    """A request for each route of these hosts."""
    for host in hosts_:
        for route in host.routes:
            path = _found(route.path, Texts.PATH)
            headers = {
                name: _found(pattern, Texts.VALUE) for name, pattern in route.headers if name != "host"
            }
            if path is not None and None not in headers.values():
                method = route.methods[0] if route.methods else "GET"
                given = {name: text for name, text in headers.items() if text}
                yield HTTPRequest(method, min(host.hostnames), path, given)


def _some(values: Iterable[T]) -> SearchStrategy[T]:
    return st.sampled_from(list(dict.fromkeys(values)))


def _virtual_hosts(policy: OutboundPolicy) -> Iterator[VirtualHost]:
    for port in policy.ports:
        for match in port.mesh:
            yield from match.virtual_hosts
        for group in port.groups:
            yield from group.virtual_hosts


def _routes(policy: OutboundPolicy) -> Iterator[HTTPRoute]:
    for host in _virtual_hosts(policy):
        yield from host.routes


def _listed_hosts(policy: OutboundPolicy) -> Iterator[str]:
    for host in _virtual_hosts(policy):
        yield from host.hostnames
    for port in policy.ports:
        for group in port.groups:
            for claim in group.claims:
                yield from claim.hosts


def _spelled(host: str) -> SearchStrategy[str]:
    """A host as it is listed, or nearly so."""
    return st.sampled_from(
        (
            host,
            host,
            host.upper(),
            f"{host.partition(':')[0]}:80",
            f"www.{host}",
            f"{host}.",
            "other.example",
            "",
        )
    )


def _as_server_name(host: str) -> str:
    return host.partition(":")[0]


def _ranges(policy: OutboundPolicy) -> Iterator[Prefix]:
    for port in policy.ports:
        yield from (owner.prefix for match in port.mesh for owner in match.owners)
        for group in port.groups:
            yield from group.prefixes
    excluded, included = policy.interception.excluded, policy.interception.included
    yield from (prefix for prefix, _ in (*excluded, *included))


def _edges(prefix: Prefix) -> Iterator[int]:
    """The first and the last address of a range, and the ones beside."""
    first, last = prefix.network.key, prefix.last
    near = (first, last, first - 1, last + 1)
    return (key for key in near if 0 <= key <= LAST_KEY and not GAP_START <= key < GAP_END)


def _found(pattern: Pattern, texts: Texts) -> str | None:
    """The smallest text in which a pattern is found, where that is known."""
    try:
        return witness([(pattern, True)], texts)
    except Undecided:
        return None


def _headers(routes: Iterable[HTTPRoute]) -> dict[str, SearchStrategy[str]]:
    """A strategy for each header that a route asks for."""
    asked: dict[str, list[str]] = {name: list(VALUES) for name in HEADERS[:1]}
    for route in routes:
        for name, pattern in route.headers:
            text = _found(pattern, Texts.VALUE)
            asked.setdefault(name, list(VALUES)).extend([text] if text else [])
    asked.pop("host", None)
    return {name: _some(values) for name, values in asked.items()}
