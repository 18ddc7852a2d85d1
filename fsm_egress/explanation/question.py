"""What is asked: a connection of an identity of a mesh, and what the mesh offers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.connection import Connection, socket_address
from ..connections.payloads import HTTPRequest, TLSClientHello
from ..resources.egress import EgressPolicy
from ..resources.subjects import Subject, account_of
from ..resources.words import Protocol
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.identity import each_once
from .rule_parts import Offer, offer_of, unmet_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..connections.payloads import Payload
    from ..policy import OutboundPolicy
    from ..policy.parts import Claim, MeshMatch
    from ..resources.resource import Resource
    from ..values.net import Prefix
    from ..values.references import FieldRef

__all__ = ["Question", "missing_references"]


@frozen
class Question:
    """What is asked, with what the looking at it starts from.

    Attributes:
        bare: the mesh without Egress policies.
        own: those of the identity.
        name: the host that the connection asks for, in lower case; empty where it names none.
        by_default: whether any host counts as listed, as `enableAutoDefaultRoute` may have it.
    """

    mesh: Snapshot
    who: Subject
    connection: Connection
    bare: Snapshot
    own: tuple[EgressPolicy, ...]
    name: str
    by_default: bool = False

    @classmethod
    def of(cls, mesh: Snapshot, who: Subject, connection: Connection) -> Question:
        """The question, taken apart."""
        bare = mesh.without(*[policy.ref for policy in mesh.kind(EgressPolicy)])
        sent = connection.sends
        name = ""
        if isinstance(sent, HTTPRequest):
            name = sent.authority
        elif isinstance(sent, TLSClientHello):
            name = sent.name
        return cls(mesh, who, connection, bare, mesh.policies_for(who), name)

    @property
    def readings(self) -> tuple[Question, ...]:
        """The question as it is, and with the default route where hosts that nobody lists have one."""
        has_default = self.mesh.mesh_config.spec.feature_flags.enable_auto_default_route
        return (self, evolve(self, by_default=True)) if has_default else (self,)

    @property
    def account(self) -> str:
        """Whose policies count, in words: of pods, those of their account."""
        return account_of(self.who)

    # --- parts of the mesh: what no decision on the port depends on is left out ---

    def is_in(self, prefixes: tuple[Prefix, ...]) -> bool:
        """Whether the destination is among these addresses; none are all."""
        key = self.connection.key
        return not prefixes or any(prefix.first <= key <= prefix.last for prefix in prefixes)

    def opens(self, policy: EgressPolicy) -> bool:
        """Whether a policy has the connection's port."""
        return any(port.number == self.connection.port for port in policy.spec.ports)

    def here(self) -> Snapshot:
        """The mesh with the policies of the identity on the connection's port."""
        return self.bare.with_(*[policy for policy in self.own if self.opens(policy)])

    def claiming(self, account: Subject, *ports: int) -> Snapshot:
        """The mesh with the policies of an account that claim the destination address on some ports."""
        numbers = frozenset(ports)
        return self.bare.with_(
            *[
                policy
                for policy in self.mesh.policies_for(account)
                if self.is_in(policy.spec.ip_addresses)
                and not numbers.isdisjoint([port.number for port in policy.spec.ports])
            ]
        )

    # --- offers ---

    def offers_of(self, policy: OutboundPolicy) -> Iterator[Offer]:
        """What services and Egress policies let out, by port."""
        for port in policy.ports:
            for match in port.mesh:
                yield from self.offers_of_match(match)
            claims = each_once(claim for group in port.groups for claim in group.claims)
            yield from map(self.offer_of_claim, claims)

    def offers_of_match(self, match: MeshMatch) -> Iterator[Offer]:
        """What the services of a match let in: by host where they read requests, else anything."""
        own: dict[FieldRef, list[Prefix]] = {}
        for owner in match.owners:
            own.setdefault(owner.rule, []).append(owner.prefix)
        if not match.is_http:
            for rule, prefixes in own.items():
                is_here = self.is_in(tuple(prefixes))
                yield offer_of(rule, match.port, Protocol.TCP, tuple(prefixes), is_here=is_here)
            return
        is_here = self.is_in(tuple([owner.prefix for owner in match.owners]))
        for host in match.virtual_hosts:
            prefixes = own.get(host.rule, [])
            if prefixes:
                yield offer_of(
                    host.rule,
                    match.port,
                    Protocol.HTTP,
                    tuple(prefixes),
                    is_here=is_here,
                    hosts=host.hostnames,
                    routes=host.routes,
                )

    def offer_of_claim(self, claim: Claim) -> Offer:
        """What a port of an Egress policy lets out."""
        return offer_of(
            claim.rule,
            claim.port,
            claim.protocol,
            claim.prefixes,
            is_here=self.is_in(claim.prefixes),
            hosts=claim.hosts,
            routes=claim.routes,
            is_broken=claim.broken,
            policy=self.mesh.kind(EgressPolicy).get(claim.rule.resource.namespace, claim.rule.resource.name),
        )

    def offers_here(self, policy: EgressPolicy) -> Iterator[Offer]:
        """What a policy would let out at the destination on any port, whatever its routes."""
        spec = policy.spec
        if self.is_in(spec.ip_addresses):
            for index, port in enumerate(spec.ports):
                rule = policy.at(f"spec.ports[{index}]")
                number, protocol, prefixes = port.number, port.protocol, spec.ip_addresses
                yield offer_of(
                    rule, number, protocol, prefixes, is_here=True, hosts=spec.hosts, policy=policy
                )

    def is_listed(self, offer: Offer, name: str) -> bool:
        """Whether an offer has a host, by its list or by default."""
        return offer.has(name) or (self.by_default and offer.protocol is Protocol.HTTP)

    def is_taken(self, offer: Offer) -> bool:
        """Whether an offer takes what is sent, wherever it goes; a Host may have the offer's port."""
        return any(self._takes(offer, it.sends) for it in (self.connection, self.at_port(offer.port)))

    def _takes(self, offer: Offer, sent: Payload) -> bool:
        if offer.protocol is Protocol.HTTPS:
            return isinstance(sent, TLSClientHello) and (not offer.hosts or offer.has(self.name))
        if offer.protocol is not Protocol.HTTP:
            return True
        return (
            isinstance(sent, HTTPRequest)
            and self.is_listed(offer, sent.authority)
            and (offer.routes is None or any(not unmet_by(route, sent) for route in offer.routes))
        )

    def at_port(self, port: int) -> Connection:
        """The connection to another port; a Host that has the port has the other one then."""
        sent, own = self.connection.sends, f":{self.connection.port}"
        if isinstance(sent, HTTPRequest) and sent.host.endswith(own):
            sent = sent.replace(host=f"{sent.host.removesuffix(own)}:{port}")
        return self.connection.replace(port=port, sends=sent)

    @property
    def place(self) -> str:
        """Where the connection goes, in backticks."""
        return f"`{socket_address(str(self.connection.destination), self.connection.port)}`"


def missing_references(
    question: Question, policy: EgressPolicy, kind: type[Resource]
) -> Iterator[tuple[FieldRef, str]]:
    """The resources of a kind that a policy refers to and that are not there: where, and their names."""
    known = question.mesh.kind(kind)
    for index, match in enumerate(policy.spec.matches):
        if match.kind == kind.kind and known.get(policy.namespace, match.name) is None:
            yield policy.at(f"spec.matches[{index}]"), match.name
