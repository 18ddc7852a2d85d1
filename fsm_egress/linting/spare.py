"""Ports of policies that nobody needs: others allow all that they do, or they decide nothing.

A port is a mistake only if no identity needs it, and of two that do for one another one stays. So each
identity says which ports it could do without; then they are taken out one after the other, the last first,
and each time it is proved that the same becomes of every connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ..answers.comparison import equivalent
from ..connections.findings import Code
from ..connections.payloads import Sends, TLSClientHello
from ..policy.parts import Claim, HTTPRoute
from ..resources.egress import EgressPolicy
from ..resources.words import STREAMS, Protocol
from ..values.construction import frozen
from .routes import covered, request_of
from .view import Opened, Place, View

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from ..connections.findings import Finding
    from ..connections.payloads import Payload
    from ..policy.groups import EgressGroup
    from ..snapshot import Snapshot
    from ..values.net import Address
    from ..values.references import FieldRef

__all__ = ["Spare", "proved_findings", "spare_ports"]


@frozen(eq=False)
class Spare:
    """A port of a policy that one identity could do without.

    Attributes:
        around: all places of the port.
        allowances: what is allowed where it takes part.
    """

    view: View
    opened: Opened
    around: tuple[Place, ...]
    allowances: tuple[Allowance, ...]

    def stand_ins(self, gone: Collection[FieldRef]) -> tuple[Claim, ...] | None:
        """The claims, of those that are not gone, that do for it; None where it is needed.

        There are none where it decides nothing.
        """
        by: dict[int, Claim] = {}
        if all(allowance.can_spare(self.opened.claim, gone, by) for allowance in self.allowances):
            return tuple(by.values())
        return None

    def finding(self, by: Sequence[Claim]) -> Finding:
        """What there is to say of it, and a connection that shows it."""
        return _shadowed(self.view, self.opened, by) if by else _unreached(self)


def spare_ports(view: View) -> Iterator[tuple[FieldRef, Spare | None]]:
    """Each port of a policy of an identity: None where the identity needs it, if only to be told so."""
    for (_, places), opened in zip(view.ports, view.opened, strict=True):
        groups = {id(place.group): place.group for it in opened for place in it.places if place.group}
        allowances = {key: Allowance.of(group) for key, group in groups.items()}
        for it in opened:
            spare = Spare(view, it, places, tuple(allowances[id(place.group)] for place in it.places))
            is_needed = spare.stand_ins(()) is None
            yield it.claim.rule, None if is_needed else spare


def proved_findings(mesh: Snapshot, spares: Mapping[FieldRef, Sequence[Spare]]) -> Iterator[Finding]:
    """The ports that may all go together without a difference; of equal ones the first stays.

    Args:
        mesh: the resources.
        spares: the ports that no identity needs, each as all identities see it.
    """
    gone: set[FieldRef] = set()
    for rule in sorted(spares, key=_in_order, reverse=True):
        stand_ins = [spare.stand_ins(gone) for spare in spares[rule]]
        identities = [spare.view.policy.identity for spare in spares[rule]]
        smaller = _without(mesh, spares[rule][0].opened.claim)
        if None not in stand_ins and equivalent(mesh, smaller, identities):
            gone.add(rule)
            mesh = smaller
            shown = zip(spares[rule], stand_ins, strict=True)
            spare, by = max(shown, key=lambda pair: bool(pair[1]))
            yield spare.finding(by or ())


def _in_order(rule: FieldRef) -> tuple[str, str, int, str]:
    return rule.resource.namespace, rule.resource.name, len(rule.path), rule.path


def _without(mesh: Snapshot, claim: Claim) -> Snapshot:
    """The mesh without what a policy says of a port and protocol."""
    resource = claim.rule.resource
    policy = mesh.kind(EgressPolicy)[resource.namespace, resource.name]
    gone = claim.port, claim.protocol
    ports = tuple(port for port in policy.spec.ports if (port.number, port.protocol) != gone)
    if not ports:
        return mesh.without(resource)
    return mesh.with_(evolve(policy, spec=evolve(policy.spec, ports=ports)))


# --- what is said ----------------------------------------------------------------------------------------


def _unreached(spare: Spare) -> Finding:
    """What is decided instead where the claim would hold."""
    claim = spare.opened.claim
    own = next((place for place in spare.around if _holds(claim, place.connection.destination)), None)
    if own is None:
        message = "nothing is decided by it: no client can dial what it claims"
        return spare.view.finding(Code.NEVER_MATCHES, claim.rule, message, None)
    message = f"nothing is decided by it: {own.connection} is {own.decision}"
    return spare.view.finding(Code.NEVER_MATCHES, claim.rule, message, own.connection)


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


# --- what does for what ----------------------------------------------------------------------------------


def _offers(claim: Claim) -> bool:
    """Whether a claim allows anything at all."""
    return not claim.broken and (claim.protocol is not Protocol.HTTP or bool(claim.hosts and claim.routes))


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

    def can_spare(self, claim: Claim, gone: Collection[FieldRef], by: dict[int, Claim]) -> bool:
        """Whether others that are not gone allow all that a claim does, and in the same way; `by` those."""

        def stays(other: Claim) -> bool:
            return other is not claim and other.rule not in gone

        def is_alike(other: Claim) -> bool:
            return stays(other) and _manner(other) == _manner(claim)

        def has(others: Iterable[Claim], serves: Callable[[Claim], bool]) -> bool:
            found = next(filter(serves, others), None)
            if found is not None:
                by[id(found)] = found
            return found is not None

        def has_routes(host: str) -> bool:
            owners = {id(route): owner for route, owner in self.routes[host] if is_alike(owner)}
            wide = [route for route, _ in self.routes[host] if id(route) in owners]
            taken = [covered(route, wide) for route in claim.routes]
            by.update((id(owners[id(it)]), owners[id(it)]) for found in taken for it in found)
            return all(taken)

        if claim.protocol in STREAMS or not _offers(claim):
            return _offers(claim) and has(self.streams, is_alike)
        if has(self.streams, stays):
            return True
        if claim.protocol is Protocol.HTTP:
            return all(map(has_routes, claim.hosts))
        if not claim.hosts:
            return has(self.any_tls, is_alike)
        return has(self.any_tls, stays) or all(has(self.server_names[host], is_alike) for host in claim.hosts)


def _manner(claim: Claim) -> tuple[object, ...]:
    """How a claim's connections are made."""
    return claim.source_cert, claim.connection_settings
