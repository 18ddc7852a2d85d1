"""What is asked, and the near misses that are proposed for it and tried."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ..connections.connection import Connection, HTTPRequest, TLSClientHello, socket_address
from ..connections.decision import Decision, Reason
from ..patterns.automata import Texts
from ..resources.checks import FORWARDED_METHODS, Protocol
from ..resources.core import Namespace, Secret
from ..resources.egress import EgressPolicy, UpstreamTrafficSetting, UpstreamTrafficSettingSpec
from ..resources.resource import ObjectMeta, Resource, ServiceIdentity
from ..resources.smi import HTTPMatch, HTTPRouteGroup, HTTPRouteGroupSpec
from ..snapshot import SERVICE_ACCOUNT, Snapshot
from ..values.frozen import FrozenMap
from ..values.net import Address, Prefix
from ..values.references import FieldRef
from .nearness import differing, host_nearness, plain_host, unlikeness
from .proposals import (
    Proposal,
    affordable,
    by_order,
    changes_of,
    engine_of,
    identities_in,
    is_account,
    missing_one,
    out_of_force,
    switched,
    text_with,
    usual_first,
)
from .rule_parts import ROUTE_FIELDS, Offer, Unmet, offer_of, unmet_by
from .types import Change, Difference, Edit, NearMiss, Nearness
from .wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..engine import Engine
    from ..policy import Claim, HTTPRoute, MeshMatch, OutboundPolicy

__all__ = ["KIN_BITS", "MONITORED", "NEIGHBOURS", "Question"]

MONITORED = "flomesh.io/monitored-by"
KIN_BITS = {4: 16, 6: 80}  # the last ones, in which addresses of one neighbourhood may differ
NEIGHBOURS = 4  # prefixes or routes


@frozen
class Question:
    """What is asked, with what the looking at it starts from.

    Attributes:
        bare: the mesh without Egress policies.
        own: those of the identity.
        name: the host that the connection asks for, in lower case; empty where it names none.
    """

    mesh: Snapshot
    who: ServiceIdentity
    connection: Connection
    bare: Snapshot
    own: tuple[EgressPolicy, ...]
    name: str

    @classmethod
    def of(cls, mesh: Snapshot, who: ServiceIdentity, connection: Connection) -> Question:
        """The question, taken apart."""
        bare = mesh.without(*[policy.ref for policy in mesh.kind(EgressPolicy)])
        sent = connection.sends
        name = ""
        if isinstance(sent, HTTPRequest):
            name = sent.authority
        elif isinstance(sent, TLSClientHello):
            name = sent.name
        return cls(mesh, who, connection, bare, mesh.policies_for(who), name)

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

    def claiming(self, account: ServiceIdentity, *ports: int) -> Snapshot:
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
            claims = {id(claim): claim for group in port.groups for claim in group.claims}
            yield from map(self.offer_of_claim, claims.values())

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

    def is_taken(self, offer: Offer) -> bool:
        """Whether an offer takes what is sent, wherever it goes."""
        sent = self.connection.sends
        if offer.protocol is Protocol.HTTPS:
            return isinstance(sent, TLSClientHello) and (not offer.hosts or offer.has(self.name))
        if offer.protocol is not Protocol.HTTP:
            return True
        return (
            isinstance(sent, HTTPRequest)
            and offer.has(self.name)
            and (offer.routes is None or any(not unmet_by(route, sent) for route in offer.routes))
        )

    @property
    def place(self) -> str:
        """Where the connection goes, in backticks."""
        return f"`{socket_address(str(self.connection.destination), self.connection.port)}`"

    # --- near misses ---

    def near_misses(
        self, offers: tuple[Offer, ...], decision: Decision, here: Engine
    ) -> tuple[tuple[NearMiss, ...], int]:
        """The near misses of a connection that is denied, and how many proposals were left."""
        made = [*self.by_switch(decision), *(it for offer in offers for it in self.by_offer(offer))]
        if self.mesh.mesh_config.spec.feature_flags.egress_policies_apply:
            made.extend(it for policy in self.mesh.kind(EgressPolicy) for it in self.by_policy(policy))
        proposals = sorted({it.order: it for it in made}.values(), key=by_order)
        chosen = tuple(affordable(proposals))
        return tuple(self.tried(chosen, here)), len(proposals) - len(chosen)

    def tried(self, proposals: tuple[Proposal, ...], here: Engine) -> Iterator[NearMiss]:
        """Those proposals that are allowed by their rules."""
        port = self.connection.port
        ports = {int(it.wanted) for it in proposals if it.difference is Difference.PORT}
        elsewhere = engine_of(self.claiming(self.who, *ports), self.who) if ports else here
        accounts: dict[ServiceIdentity, Engine] = {}
        for proposal in proposals:
            for change in changes_of(proposal):
                if isinstance(change, Connection):
                    decision = (here if change.port == port else elsewhere).classify(change)
                elif isinstance(change, ServiceIdentity):
                    if change not in accounts:
                        accounts[change] = engine_of(self.claiming(change, port), change)
                    decision = accounts[change].classify(self.connection)
                else:
                    edited = self.claiming(self.who, port).with_(change.resource)
                    decision = engine_of(edited, self.who).classify(self.connection)
                rule = decision.rule
                if decision.allowed and rule and proposal.rule in {None, rule}:
                    yield NearMiss(
                        proposal.difference,
                        proposal.nearness,
                        rule,
                        proposal.at,
                        proposal.found,
                        proposal.wanted,
                        change,
                    )
                    break

    def by_switch(self, decision: Decision) -> Iterator[Proposal]:
        """The flags of the mesh that are off, where they matter."""
        config = self.mesh.mesh_config
        spec, traffic = config.spec, config.spec.traffic
        if self.own and not spec.feature_flags.egress_policies_apply:
            flags = evolve(spec.feature_flags, enable_egress_policy=True)
            changed = evolve(config, spec=evolve(spec, feature_flags=flags))
            yield switched(Difference.FEATURE_FLAG, config, changed, "spec.featureFlags.enableEgressPolicy")
        if not traffic.enable_permissive_traffic_policy_mode:
            permissive = evolve(traffic, enable_permissive_traffic_policy_mode=True)
            changed = evolve(config, spec=evolve(spec, traffic=permissive))
            path = "spec.traffic.enablePermissiveTrafficPolicyMode"
            yield switched(Difference.PERMISSIVE_MODE, config, changed, path, str(self.who))
        if decision.reason is Reason.EGRESS_DISABLED:
            changed = evolve(config, spec=evolve(spec, traffic=evolve(traffic, enable_egress=True)))
            yield switched(Difference.ENABLE_EGRESS, config, changed, "spec.traffic.enableEgress")

    def by_offer(self, offer: Offer) -> Iterator[Proposal]:
        """What an offer lacks, where that is one thing."""
        is_elsewhere = offer.port != self.connection.port
        if is_elsewhere and not offer.is_here:
            return
        is_taken = self.is_taken(offer)
        lacks = [is_elsewhere, not offer.is_here, not is_taken, offer.is_broken].count(True)
        if lacks == 0 or (lacks == 1 and offer.is_broken):
            # Lacks nothing: a service of the mesh has the address, which another account may not reach.
            yield from self.other_source(offer.policy, offer) if offer.policy else ()
        if lacks != 1:
            return
        if is_elsewhere:
            yield self.other_port(offer)
        elif not offer.is_here:
            yield self.other_address(offer)
        elif offer.is_broken:
            yield from self.other_certificate(offer)
        else:
            yield from self.other_payload(offer)

    def by_policy(self, policy: EgressPolicy) -> Iterator[Proposal]:
        """What keeps a policy from being an offer: its port, its sources, or what puts it out of force."""
        is_own = any(is_account(source, self.who) for source in policy.spec.sources)
        is_open = self.opens(policy)
        hindrance = self.hindrance(policy) if is_own else None
        if is_own and is_open and not hindrance:
            return
        for offer in self.offers_here(policy):
            if (is_own and not hindrance) or offer.port == self.connection.port:
                if not self.is_taken(offer):
                    continue
                if hindrance:
                    yield evolve(hindrance, rule=offer.rule)
                elif is_own:
                    yield self.other_port(offer)
                else:
                    yield from self.other_source(policy, offer)

    def hindrance(self, policy: EgressPolicy) -> Proposal | None:
        """What puts a policy of the identity out of force."""
        space = policy.namespace
        if not self.mesh.monitors(space):
            namespace = self.mesh.kind(Namespace).get("", space) or Namespace(ObjectMeta(space))
            labels = FrozenMap({**namespace.metadata.labels, MONITORED: "fsm"})
            watched = evolve(namespace, metadata=evolve(namespace.metadata, labels=labels))
            edit = Edit(f"label {watched.ref} with {MONITORED}", watched)
            at = policy.at("metadata.namespace")
            return out_of_force(Difference.NAMESPACE, at, space, MONITORED, edit)
        for at, name in self.missing(policy, UpstreamTrafficSetting):
            spec = UpstreamTrafficSettingSpec(name)
            return missing_one(Difference.SETTING, at, UpstreamTrafficSetting(ObjectMeta(name, space), spec))
        return None

    def missing(self, policy: EgressPolicy, kind: type[Resource]) -> Iterator[tuple[FieldRef, str]]:
        """The resources of a kind that a policy refers to and that are not there: where, and their names."""
        known = self.mesh.kind(kind)
        for index, match in enumerate(policy.spec.matches):
            if match.kind == kind.kind and known.get(policy.namespace, match.name) is None:
                yield policy.at(f"spec.matches[{index}]"), match.name

    # --- one thing each ---

    def other_port(self, offer: Offer) -> Proposal:
        """The port of an offer."""
        found, wanted = str(self.connection.port), str(offer.port)
        is_alike = found.endswith(wanted) or wanted.endswith(found)
        is_meant = offer.hosts or offer.prefixes
        return Proposal(
            Difference.PORT,
            Nearness.PORT if is_meant else Nearness.OTHER,
            0 if is_alike else 1,
            offer.rule,
            offer.rule,
            found,
            wanted,
            lambda: [self.connection.replace(port=offer.port)],
            ("port", offer.port),
        )

    def other_address(self, offer: Offer) -> Proposal:
        """The addresses of an offer."""
        here = self.connection.destination
        ways = sorted((unlikeness(here, prefix), prefix) for prefix in offer.prefixes)
        distance = ways[0][0]
        near = [prefix for _, prefix in ways[:NEIGHBOURS]]
        keys = [key for it in near for key in (min(max(here.key, it.first), it.last), it.first, it.last)]
        is_kin = offer.hosts or distance <= KIN_BITS[here.version]
        return Proposal(
            Difference.ADDRESS,
            Nearness.KIN if is_kin else Nearness.OTHER,
            distance,
            offer.rule,
            offer.beside("spec.ipAddresses"),
            str(here),
            shortened([str(prefix) for _, prefix in ways]),
            lambda: (self.connection.replace(destination=Address.from_key(key)) for key in keys),
        )

    def other_certificate(self, offer: Offer) -> Iterator[Proposal]:
        """The secret that a policy shows to the outside, where it names one."""
        sources = enumerate(offer.policy.spec.sources if offer.policy else ())
        index, source = next((index, it) for index, it in sources if is_account(it, self.who))
        secret = source.mtls.cert.secret if source.mtls and source.mtls.cert else None
        if secret:
            meta = ObjectMeta(secret.name, secret.namespace or offer.rule.resource.namespace)
            at = offer.beside(f"spec.sources[{index}].mtls")
            yield evolve(missing_one(Difference.CERTIFICATE, at, Secret(meta)), rule=offer.rule)

    def other_source(self, policy: EgressPolicy, offer: Offer) -> Iterator[Proposal]:
        """The sources of a policy that are somebody else, or that name nobody for their kind."""
        for index, source in enumerate(policy.spec.sources):
            at = policy.at(f"spec.sources[{index}]")
            is_name, is_space = source.name == self.who.name, source.namespace == self.who.namespace
            account = f"{source.name}.{source.namespace}"
            if source.kind == SERVICE_ACCOUNT and not (is_name and is_space):
                yield Proposal(
                    Difference.ACCOUNT,
                    Nearness.KIN if is_name or is_space else Nearness.OTHER,
                    0 if is_space else 1,
                    offer.rule,
                    at,
                    str(self.who),
                    account,
                    partial(identities_in, source),
                    ("account", account),
                )
            elif source.kind != SERVICE_ACCOUNT and is_name and is_space:
                before, after = policy.spec.sources[:index], policy.spec.sources[index + 1 :]
                sources = (*before, evolve(source, kind=SERVICE_ACCOUNT), *after)
                named = evolve(policy, spec=evolve(policy.spec, sources=sources))
                edit = Edit(f"set {at.path}.kind of {policy.ref} to {SERVICE_ACCOUNT}", named)
                at = policy.at(f"{at.path}.kind")
                found = out_of_force(Difference.SOURCE_KIND, at, source.kind, SERVICE_ACCOUNT, edit)
                yield evolve(found, rule=offer.rule)

    def other_payload(self, offer: Offer) -> Iterator[Proposal]:
        """What is sent: another protocol, another host, or one part of the request."""
        sent = self.connection.sends
        if not isinstance(sent, HTTPRequest if offer.protocol is Protocol.HTTP else TLSClientHello):
            if not (self.name and offer.hosts) or offer.has(self.name):
                yield Proposal(
                    Difference.PROTOCOL,
                    Nearness.PROTOCOL,
                    0,
                    offer.rule,
                    offer.rule,
                    self.connection.kind.value,
                    offer.protocol.value,
                    lambda: (self.connection.replace(sends=it) for it in self.payloads(offer)),
                )
        elif not isinstance(sent, HTTPRequest) or not offer.has(self.name):
            yield from self.other_host(offer)
        else:
            for route in offer.routes or ():
                unmet = unmet_by(route, sent)
                if len(unmet) == 1:
                    yield self.other_request(sent, offer, route, unmet[0])
            if offer.policy:
                for at, name in self.missing(offer.policy, HTTPRouteGroup):
                    everything = HTTPRouteGroupSpec((HTTPMatch("everything"),))
                    group = HTTPRouteGroup(ObjectMeta(name, offer.policy.namespace), everything)
                    yield evolve(missing_one(Difference.ROUTE_GROUP, at, group), rule=offer.rule)

    def payloads(self, offer: Offer) -> Iterator[HTTPRequest | TLSClientHello]:
        """The plainest things that an offer takes; of its hosts the one that is asked for, if any is."""
        asked = [self.name] if self.name else []
        hosts = [it for it in asked or offer.hosts[:1] if offer.has(it)] if offer.hosts else asked
        if offer.protocol is Protocol.HTTPS:
            yield from map(TLSClientHello, hosts)
            if not offer.hosts and not hosts:
                yield TLSClientHello()
            return
        for route in (offer.routes or ())[: NEIGHBOURS if hosts else 0]:
            headers = {name: text_with(pattern, Texts.VALUE) for name, pattern in route.headers}
            path = "/" if route.path.search("/") else text_with(route.path, Texts.PATH)
            yield HTTPRequest(usual_first(route)[0], hosts[0], path, headers)

    def other_host(self, offer: Offer) -> Iterator[Proposal]:
        """The nearest of an offer's hosts; a wildcard only if it was meant for this one."""
        ways = sorted((*host_nearness(self.name, host), host) for host in offer.hosts)
        meant = [it for it in ways if it[0] is Nearness.SPELLING or not it[2].startswith("*.")]
        if not meant:
            return
        nearness, distance, host = meant[0]
        sent, policy = self.connection.sends, offer.policy
        is_request = isinstance(sent, HTTPRequest)

        def changes() -> Iterator[Change]:
            if policy and host.startswith("*."):
                words = f"add {plain_host(self.name)} to spec.hosts of {policy.ref}"
                hosts = (*policy.spec.hosts, plain_host(self.name))
                yield Edit(words, evolve(policy, spec=evolve(policy.spec, hosts=hosts)))
            else:
                changed = sent.replace(host=host) if isinstance(sent, HTTPRequest) else TLSClientHello(host)
                yield self.connection.replace(sends=changed)

        yield Proposal(
            Difference.HOST if is_request else Difference.SERVER_NAME,
            nearness,
            distance,
            offer.rule,
            offer.beside("spec.hosts"),
            self.name,
            shortened([name for _, _, name in ways]),
            changes,
            ("mesh", offer.rule.resource) if host.startswith("*.") else None,
        )

    def other_request(self, sent: HTTPRequest, offer: Offer, route: HTTPRoute, unmet: Unmet) -> Proposal:
        """The one part of a request that a route does not take."""
        kind, name, pattern = unmet
        at = route.route or offer.rule

        def requests() -> Iterator[HTTPRequest]:
            if pattern is None:
                yield from (sent.replace(method=method) for method in usual_first(route))
            elif kind is Difference.PATH:
                yield sent.replace(path=text_with(pattern, Texts.PATH))
            elif name == "host":
                yield from (sent.replace(host=host) for host in offer.hosts if pattern.search(host))
            else:
                yield sent.replace(headers={**sent.headers, name: text_with(pattern, Texts.VALUE)})

        value = {Difference.METHOD: sent.method, Difference.PATH: sent.path}.get(kind) or sent.header(name)
        text = pattern.text if pattern else ", ".join(route.methods or FORWARDED_METHODS)
        header = f"{name}: " if name else ""
        return Proposal(
            kind,
            Nearness.REQUEST,
            differing(value, text) if pattern else 0,
            offer.rule,
            FieldRef(at.resource, f"{at.path}.{ROUTE_FIELDS[kind]}", at.source) if route.route else at,
            header + value,
            header + text,
            lambda: (self.connection.replace(sends=it) for it in requests()),
            ("pattern", text) if pattern else None,
        )
