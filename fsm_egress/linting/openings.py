"""What the policies of one identity open that was hardly meant, each with a connection that shows it."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.connection import Connection
from ..connections.decision import Reason
from ..connections.findings import Code
from ..connections.payloads import HTTPRequest, Sends, TLSClientHello
from ..policy import PortPolicy
from ..policy.parts import Claim, HTTPRoute
from ..resources.subjects import account_of
from ..resources.words import STREAMS, Protocol
from ..values.net import BY_PLACE, Address, Prefix
from ..values.references import FieldRef, ResourceRef
from .passing import passing_findings
from .routes import ORIGIN_FORM, begins_with_slash, covered, request_of, takes_everything
from .unworkable import unworkable_findings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..connections.findings import Finding
    from ..connections.payloads import Payload
    from ..policy.parts import MeshMatch, VirtualHost
    from .view import Opened, View

__all__ = ["shown_findings"]

EVERYTHING = HTTPRoute(ORIGIN_FORM, (), (), (), FieldRef(ResourceRef("", "", "")))  # every request for a path
QUERY = "/x?u="  # what may stand before a path that is not anchored
OTHER_PATH = "/other"
OTHER_METHOD = "DELETE"
WHOLE = {4: Prefix("0.0.0.0/0"), 6: Prefix("::/0")}


def shown_findings(view: View, *, enforce: bool) -> Iterator[Finding]:
    """The findings that a connection of the identity shows.

    Args:
        view: the policies of the identity.
        enforce: whether the sidecar has this library's module.
    """
    for opened in view.opened:
        yield from _every_address(view, opened)
        for it in opened:
            yield from _taken_from_passthrough(view, it)
            yield from _about_routes(view, it)
            if not enforce:
                yield from _revealed(view, it)
        yield from _every_request_together(view, opened)
    yield from _passthrough(view)
    yield from passing_findings(view)
    yield from _led_outside(view)
    yield from unworkable_findings(view)


def _every_address(view: View, opened: Sequence[Opened]) -> Iterator[Finding]:
    """A port that is open at every address, for anything or for any TLS: by one policy, or by several."""
    streams = [it for it in opened if it.places and it.claim.protocol in STREAMS and not it.claim.broken]
    any_tls = [it for it in opened if it.places and _is_any_tls(it.claim)]
    known: set[int] = set()
    for what, own, others in (("anything", streams, []), ("any TLS", any_tls, streams)):
        for it in own:
            alone = _open_versions([it.claim])
            if alone:
                known |= alone
                yield _open(view, what, [it], alone)
        together = [it for it in opened if it in own or it in others]
        left = _open_versions([it.claim for it in together]) - known
        if left:
            known |= left
            part = [it for it in together if any(prefix.version in left for prefix in it.claim.prefixes)]
            yield _open(view, what, part, left)


def _is_any_tls(claim: Claim) -> bool:
    return claim.protocol is Protocol.HTTPS and not claim.hosts and not claim.broken


def _open_versions(claims: Sequence[Claim]) -> set[int]:
    """The versions of IP of which claims hold all addresses."""
    if not all(claim.prefixes for claim in claims):
        return set(WHOLE)
    held = sorted((prefix for claim in claims for prefix in claim.prefixes), key=BY_PLACE)
    return {version for version, whole in WHOLE.items() if _fill(whole, held)}


def _fill(whole: Prefix, ordered: Iterable[Prefix]) -> bool:
    """Whether ranges in their order fill another one."""
    reached = whole.first
    for prefix in ordered:
        if whole.first <= prefix.first <= reached:
            reached = max(reached, prefix.last + 1)
    return reached > whole.last


def _open(view: View, what: str, opened: Sequence[Opened], versions: set[int]) -> Finding:
    """That some claims open a port together, at the first of them."""
    first, *others = opened
    where = "every address" if len(versions) > 1 else f"every IPv{min(versions)} address"
    message = f"{what} may be sent to port {first.claim.port} of {where}"
    if others:
        message += f", together with {', '.join(str(it.claim.rule) for it in others)}"
    sent = Sends.BYTES if first.claim.protocol in STREAMS else TLSClientHello()
    witness, _ = view.sent(first.places[0], sent)
    return view.finding(Code.EVERY_ADDRESS, first.claim.rule, message, witness)


def _taken_from_passthrough(view: View, opened: Opened) -> Iterator[Finding]:
    """With passthrough on, a claim denies what would pass without it."""
    denied = (place for place in opened.places if not place.decision.allowed)
    place = next(denied, None)
    if place is not None and view.policy.spec.enable_egress:
        message = "it claims what passthrough would let out, and denies all of that which it does not allow"
        yield view.finding(Code.TAKEN_FROM_PASSTHROUGH, opened.claim.rule, message, place.connection)


def _revealed(view: View, opened: Opened) -> Iterator[Finding]:
    """The stock sidecar names the caller in a header of every request that it routes (`sidecar-*.json`)."""
    claim = opened.claim
    pairs = ((route, host) for route in claim.routes for host in claim.hosts)
    requests = (request for route, host in pairs for request in (request_of(route, host),) if request)
    for request in requests:
        for place in opened.places:
            witness, decision = view.sent(place, request)
            if decision.reason is Reason.HTTP_ROUTE:
                header = f"`serviceidentity: {account_of(view.policy.identity)}`"
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


def _every_request_together(view: View, opened: Sequence[Opened]) -> Iterator[Finding]:
    """Routes of one host, of whichever policies, none of which takes every request, and all of them do."""
    found: set[FieldRef] = set()
    for place in {id(it.group): it for one in opened for it in one.places}.values():
        for host in place.group.virtual_hosts if place.group else ():
            together = [] if any(map(takes_everything, host.routes)) else covered(EVERYTHING, host.routes)
            if not together:
                continue
            witness, decision = view.sent(place, HTTPRequest(OTHER_METHOD, min(host.hostnames), OTHER_PATH))
            others = [it.route for it in together if it.route and it.route != decision.route]
            if decision.route is not None and decision.route not in found and others:
                found.add(decision.route)
                named = " and ".join(map(str, others))
                message = f"together with {named} it takes every request: they restrict nothing"
                yield view.finding(Code.EVERY_REQUEST, decision.route, message, witness)


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
    around = (place for _, places in view.ports for place in places)
    elsewhere = view.places(PortPolicy(view.free_port, (), (), ()))
    passed = (it.connection for it in chain(around, elsewhere) if it.decision.reason is Reason.EGRESS_ENABLED)
    witness = next(passed, None) if view.ports else None
    if witness is not None:
        message = "passthrough is on beside Egress policies: what none of them claims goes anywhere"
        yield view.finding(Code.PASSTHROUGH_BESIDE_POLICIES, view.policy.switch, message, witness)


def _led_outside(view: View) -> Iterator[Finding]:
    """Services whose endpoints are no pods: what is sent to them leaves the cluster, by no policy."""
    outside = {it.name for it in view.policy.clusters if any(target.outside for target in it.endpoints)}
    for port in view.policy.ports:
        for match in port.mesh:
            if outside.intersection(_clusters_of(match)):
                yield from _led_outside_by(view, match)


def _clusters_of(match: MeshMatch) -> Iterator[str]:
    routes = chain.from_iterable(host.routes for host in match.virtual_hosts)
    clusters = chain(match.clusters, chain.from_iterable(route.clusters for route in routes))
    yield from (cluster.name for cluster in clusters)


def _led_outside_by(view: View, match: MeshMatch) -> Iterator[Finding]:
    found: set[FieldRef] = set()
    for owner in match.owners:
        for sent in _sent_in_mesh(match):
            witness = Connection(Address.from_key(owner.prefix.first), match.port, sent)
            decision = view.engine.classify(witness)
            if decision.leads_outside and decision.rule is not None and decision.rule not in found:
                found.add(decision.rule)
                where = ", ".join(target.spoken() for target in decision.targets)
                message = f"what is sent to it leaves the cluster, by no policy: {where} is no pod"
                yield view.finding(Code.SERVICE_LEADS_OUTSIDE, decision.rule, message, witness)


def _sent_in_mesh(match: MeshMatch) -> Iterator[Payload]:
    """What the services of a match take: bytes, or a request for each of their routes."""
    if not match.is_http:
        yield Sends.BYTES
    pairs = ((route, host) for host in match.virtual_hosts for route in host.routes)
    found = (request_of(route, _spoken(host)) for route, host in pairs if host.hostnames)
    yield from filter(None, found)


def _spoken(host: VirtualHost) -> str:
    return host.name if host.name in host.hostnames else min(host.hostnames)
