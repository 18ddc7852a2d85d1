"""What is amiss with the policies of one identity, each with a connection that shows it.

The policies are looked at as they are resolved, port by port, at one address of each place where something
else decides; what a connection is to show is read off the engine's decision about it.
"""

from __future__ import annotations

from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.connection import Connection, HTTPRequest, Sends, TLSClientHello
from ..connections.decision import Decision, Reason
from ..connections.findings import Code, Finding
from ..engine import Engine
from ..policy import LOOPBACK, Claim, EgressGroup, HTTPRoute, PortPolicy
from ..resolution import Resolution
from ..resources.checks import LAST_PORT, STREAMS, Protocol
from ..values.construction import frozen
from ..values.net import IPV6_START, Address
from ..values.prefix_table import PrefixTable
from .routes import begins_with_slash, covers, request_of, takes_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from ..connections.connection import Payload
    from ..policy import OutboundPolicy
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot
    from ..values.net import Prefix
    from ..values.references import FieldRef

__all__ = ["View", "disputable_findings", "shown_findings"]

QUERY = "/x?u="  # what may stand before a path that is not anchored
OTHER_PATH = "/other"
OTHER_METHOD = "DELETE"


@frozen(eq=False)
class Place:
    """A run of addresses on a port, by the first of them, and what is decided there about plain bytes.

    Attributes:
        group: the claims that cover the addresses, where there are any.
        decides: whether they get to decide: neither a service nor an exclusion does so before them.
    """

    connection: Connection
    decision: Decision
    group: EgressGroup | None
    decides: bool


@frozen(eq=False)
class Opened:
    """A claim, and where it takes part in the decision: one place of each of its groups."""

    claim: Claim
    places: tuple[Place, ...]


@frozen(eq=False)
class View:
    """The policies of an identity, resolved, and the engine that decides by them."""

    resolution: Resolution
    engine: Engine

    @classmethod
    def of(cls, snapshot: Snapshot, identity: Subject) -> View:
        """The view of an identity."""
        resolution = Resolution.of(snapshot, identity)
        return cls(resolution, Engine.compile(resolution.policy))

    @property
    def policy(self) -> OutboundPolicy:
        """The resolved policy."""
        return self.resolution.policy

    @cached_property
    def ports(self) -> tuple[tuple[PortPolicy, tuple[Place, ...]], ...]:
        """Every port that a policy claims, and its places by address."""
        claimed = self.resolution.claims.by_port
        ports = [port for port in self.policy.ports if port.port in claimed]
        return tuple((port, tuple(self.places(port))) for port in ports)

    @cached_property
    def opened(self) -> tuple[tuple[Opened, ...], ...]:
        """The claims of each port, in their order."""
        return tuple(tuple(self._opened(port.port, places)) for port, places in self.ports)

    def places(self, port: PortPolicy) -> Iterator[Place]:
        """The places of a port, by address."""
        interception = self.policy.interception
        cuts: dict[Prefix, Prefix | None] = {LOOPBACK: LOOPBACK}
        cuts.update((prefix, prefix) for prefix, _ in (*interception.excluded, *interception.included))
        cuts.update((owner.prefix, owner.prefix) for match in port.mesh for owner in match.owners)
        cuts.update((prefix, prefix) for group in port.groups for prefix in group.prefixes)
        ranged = ((prefix, group) for group in port.groups for prefix in group.prefixes)
        anywhere = next((group for group in port.groups if not group.prefixes), None)
        groups = PrefixTable[EgressGroup | None](ranged, anywhere)
        for key in sorted({IPV6_START, *PrefixTable(cuts.items(), None).starts}):
            connection = Connection(Address.from_key(key), port.port, Sends.BYTES)
            decision, group = self.engine.classify(connection), groups.lookup(key)
            decides = group is not None and group.claims[0].rule in decision.considered[:1]
            yield Place(connection, decision, group, decides)

    def _opened(self, port: int, places: Iterable[Place]) -> Iterator[Opened]:
        first: dict[int, Place] = {}
        for place in places:
            if place.decides:
                first.setdefault(id(place.group), place)
        reached: dict[int, list[Place]] = {}
        for place in first.values():
            for claim in place.group.claims if place.group else ():
                reached.setdefault(id(claim), []).append(place)
        for claim in self.resolution.claims.by_port[port]:
            yield Opened(claim, tuple(reached.get(id(claim), ())))

    def finding(self, code: Code, rule: FieldRef, message: str, witness: Connection | None) -> Finding:
        """A finding about this identity."""
        return Finding(code, rule, message, witness=witness, identity=self.policy.identity)

    def sent(self, place: Place, payload: Payload) -> tuple[Connection, Decision]:
        """A connection to a place, and what is decided about it."""
        connection = place.connection.replace(sends=payload)
        return connection, self.engine.classify(connection)


def shown_findings(view: View, *, enforce: bool) -> Iterator[Finding]:
    """The findings that a connection of the identity shows.

    Args:
        view: the policies of the identity.
        enforce: whether the sidecar has this library's module.
    """
    for opened in view.opened:
        for it in opened:
            yield from _every_address(view, it)
            yield from _taken_from_passthrough(view, it)
            yield from _about_routes(view, it)
            if not enforce:
                yield from _revealed(view, it)
    yield from _passthrough(view)
    yield from _bypassed(view)


def _every_address(view: View, opened: Opened) -> Iterator[Finding]:
    """A port that is open at every address, for anything or for any TLS."""
    claim = opened.claim
    is_stream = claim.protocol in STREAMS
    is_open = is_stream or (claim.protocol is Protocol.HTTPS and not claim.hosts)
    versions = {prefix.version for prefix in claim.prefixes if prefix.length == 0}
    if claim.broken or not is_open or (claim.prefixes and not versions):
        return
    where = "every address" if len(versions) != 1 else f"every IPv{min(versions)} address"
    what = "anything" if is_stream else "any TLS"
    message = f"{what} may be sent to port {claim.port} of {where}"
    for place in opened.places[:1]:
        witness, _ = view.sent(place, Sends.BYTES if is_stream else TLSClientHello())
        yield view.finding(Code.EVERY_ADDRESS, claim.rule, message, witness)


def _taken_from_passthrough(view: View, opened: Opened) -> Iterator[Finding]:
    """With passthrough on, a claim denies what would pass without it."""
    denied = (place for place in opened.places if not place.decision.allowed)
    place = next(denied, None)
    if place is not None and view.policy.spec.enable_egress:
        message = "it claims what passthrough would let out, and denies all of that which it does not allow"
        yield view.finding(Code.TAKEN_FROM_PASSTHROUGH, opened.claim.rule, message, place.connection)


def _revealed(view: View, opened: Opened) -> Iterator[Finding]:
    """The stock sidecar names the caller in a header of every request that it routes (`spec/sidecar.md`)."""
    claim = opened.claim
    pairs = ((route, host) for route in claim.routes for host in claim.hosts)
    requests = (request for route, host in pairs for request in (request_of(route, host),) if request)
    for request in requests:
        for place in opened.places:
            witness, decision = view.sent(place, request)
            if decision.reason is Reason.HTTP_ROUTE:
                header = f"`serviceidentity: {view.policy.identity}`"
                message = f"every request tells `{request.host}` who sends it, in the header {header}"
                finding = view.finding(Code.IDENTITY_REVEALED, claim.rule, message, witness)
                yield evolve(finding, cured=True)
                return


def _about_routes(view: View, opened: Opened) -> Iterator[Finding]:
    """Routes of HTTPRouteGroups that take more than was surely meant."""
    for route in opened.claim.routes:
        if route.route is not None:
            yield from islice(_about_route(view, opened, route, route.route), 1)


def _about_route(view: View, opened: Opened, route: HTTPRoute, rule: FieldRef) -> Iterator[Finding]:
    """The finding with each witness that the route lets out."""
    for host in opened.claim.hosts:
        excess = _excess(route, host)
        if excess is not None:
            code, message, request = excess
            for place in opened.places:
                witness, decision = view.sent(place, request)
                if decision.allowed and decision.route == rule:
                    yield view.finding(code, rule, message, witness)


def _excess(route: HTTPRoute, host: str) -> tuple[Code, str, HTTPRequest] | None:
    """What a route takes that was surely not meant."""
    if takes_everything(route):
        message = "it takes every request: the group restricts nothing"
        return Code.EVERY_REQUEST, message, HTTPRequest(OTHER_METHOD, host, OTHER_PATH)
    request = request_of(route, host) if begins_with_slash(route.path.tree) else None
    if request is None:
        return None
    path = f"{QUERY}{request.path}"
    message = f"`{route.path.text}` is found anywhere in path and query: `{path}` is let out too"
    return Code.UNANCHORED_PATH, message, request.replace(path=path)


def _passthrough(view: View) -> Iterator[Finding]:
    """Passthrough beside policies opens all that they do not claim."""
    named = {port.port for port in view.policy.ports}
    other = next((number for number in range(1, LAST_PORT) if number not in named), LAST_PORT)
    around = (place for _, places in view.ports for place in places)
    elsewhere = view.places(PortPolicy(other, (), (), ()))
    passed = (it.connection for it in chain(around, elsewhere) if it.decision.reason is Reason.EGRESS_ENABLED)
    witness = next(passed, None) if view.ports else None
    if witness is not None:
        message = "passthrough is on beside Egress policies: what none of them claims goes anywhere"
        yield view.finding(Code.PASSTHROUGH_BESIDE_POLICIES, view.policy.switch, message, witness)


def _bypassed(view: View) -> Iterator[Finding]:
    """Exclusions, and what the inclusion list leaves out, pass by policies that would deny.

    IPv6 that is not included is no news: FSM redirects none of it.
    """
    included = view.policy.interception.included
    outside = included[0][1] if included else None
    found: set[FieldRef] = set()
    for port, places in view.ports:
        owned = {owner.prefix.first for match in port.mesh for owner in match.owners}
        for place in places:
            group, rule, key = place.group, place.decision.rule, place.connection.key
            if group is None or rule is None or place.decision.reason is not Reason.NOT_INTERCEPTED:
                continue
            is_known = rule in found or (rule == outside and key >= IPV6_START)
            if group.stream is None and key not in owned and not is_known:
                found.add(rule)
                message = f"it lets pass by the sidecar what {group.claims[0].rule} would deny"
                yield view.finding(Code.EXCLUSION_BYPASSES_POLICY, rule, message, place.connection)


# --- what must hold for every identity -------------------------------------------------------------------


def disputable_findings(view: View) -> Iterator[tuple[Code, FieldRef, Finding | None]]:
    """Claims that this identity could do without; no finding where it could not.

    A claim is a mistake only if nobody needs it: these findings count where no identity objects.
    """
    for (port, places), opened in zip(view.ports, view.opened, strict=True):
        reached = [it for it in opened if it.places]
        for it in opened:
            rule = it.claim.rule
            yield Code.NEVER_MATCHES, rule, None if it.places else _unreached(view, it.claim, places)
        shadows = _shadows(port, [it.claim for it in reached])
        for it in reached:
            rule = it.claim.rule
            by = shadows.get(id(it.claim))
            yield Code.SHADOWED_POLICY, rule, _shadowed(view, it, by) if by and _offers(it.claim) else None


def _unreached(view: View, claim: Claim, places: Iterable[Place]) -> Finding:
    """What is decided instead where the claim would hold."""
    own = [place for place in places if _holds(claim, place.connection.destination)]
    witness, decision = own[0].connection, own[0].decision
    message = f"nothing is decided by it: {witness} is {decision}"
    return view.finding(Code.NEVER_MATCHES, claim.rule, message, witness)


def _holds(claim: Claim, address: Address) -> bool:
    return not claim.prefixes or any(address in prefix for prefix in claim.prefixes)


def _shadowed(view: View, opened: Opened, by: Iterable[Claim]) -> Finding:
    claim = opened.claim
    others = [str(other.rule) for other in by]
    message = f"it allows nothing that {others[0]}{' and others' if others[1:] else ''} would not"
    tried = (view.sent(place, payload) for place in opened.places for payload in _payloads(claim))
    witness = next((connection for connection, decision in tried if decision.allowed), None)
    return view.finding(Code.SHADOWED_POLICY, claim.rule, message, witness)


def _payloads(claim: Claim) -> Iterator[Payload]:
    """What a claim allows: one thing for each of its routes and hosts."""
    if claim.protocol in STREAMS:
        yield Sends.BYTES
    elif claim.protocol is Protocol.HTTPS:
        yield from map(TLSClientHello, claim.hosts or (None,))
    else:
        pairs = ((route, host) for route in claim.routes for host in claim.hosts)
        yield from (request for route, host in pairs for request in (request_of(route, host),) if request)


def _offers(claim: Claim) -> bool:
    """Whether a claim allows anything at all."""
    return not claim.broken and (claim.protocol is not Protocol.HTTP or bool(claim.hosts and claim.routes))


def _shadows(port: PortPolicy, claims: list[Claim]) -> dict[int, tuple[Claim, ...]]:
    """The claims that may go together without a difference, by `id`, each with those that stay for it.

    The last go first, so that of equal claims the first stays.
    """
    allowances: dict[int, list[Allowance]] = {}
    for group in port.groups:
        allowance = Allowance.of(group)
        for claim in group.claims:
            allowances.setdefault(id(claim), []).append(allowance)
    gone: dict[int, tuple[Claim, ...]] = {}
    for claim in reversed(claims):
        by: dict[int, Claim] = {}
        if all(allowance.can_spare(claim, gone, by) for allowance in allowances[id(claim)]):
            gone[id(claim)] = tuple(by.values())
    return gone


@frozen(eq=False)
class Allowance:
    """What the claims of a group allow, each with the claims that allow it."""

    streams: list[Claim]
    any_tls: list[Claim]
    server_names: dict[str, list[Claim]]
    routes: dict[str, list[tuple[HTTPRoute, Claim]]]

    @classmethod
    def of(cls, group: EgressGroup) -> Allowance:
        """The allowance of a group."""
        found = cls([], [], {}, {})
        for claim in filter(_offers, group.claims):
            if claim.protocol in STREAMS:
                found.streams.append(claim)
            elif claim.protocol is Protocol.HTTP:
                for host in claim.hosts:
                    found.routes.setdefault(host, []).extend((route, claim) for route in claim.routes)
            elif claim.hosts:
                for host in claim.hosts:
                    found.server_names.setdefault(host, []).append(claim)
            else:
                found.any_tls.append(claim)
        return found

    def can_spare(self, claim: Claim, gone: Collection[int], by: dict[int, Claim]) -> bool:
        """Whether others that are not gone allow all that a claim does, and in the same way; `by` those."""

        def stays(other: Claim) -> bool:
            return other is not claim and id(other) not in gone

        def is_alike(other: Claim) -> bool:
            return stays(other) and _manner(other) == _manner(claim)

        def has(others: Iterable[Claim], serves: Callable[[Claim], bool]) -> bool:
            found = next(filter(serves, others), None)
            if found is not None:
                by[id(found)] = found
            return found is not None

        if not _offers(claim):
            return False
        if claim.protocol in STREAMS:
            return has(self.streams, is_alike)
        if has(self.streams, stays):
            return True
        if claim.protocol is Protocol.HTTP:
            return all(
                has((other for wide, other in self.routes[host] if covers(wide, route)), is_alike)
                for host in claim.hosts
                for route in claim.routes
            )
        if not claim.hosts:
            return has(self.any_tls, is_alike)
        return has(self.any_tls, stays) or all(has(self.server_names[host], is_alike) for host in claim.hosts)


def _manner(claim: Claim) -> tuple[object, ...]:
    """How a claim's connections are made."""
    return claim.source_cert, claim.connection_settings
