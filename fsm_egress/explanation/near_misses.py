"""The near misses that are proposed for a connection, and tried."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.connection import Connection
from ..connections.decision import Decision, Reason
from ..resources.core import Namespace, Secret
from ..resources.egress import EgressPolicy, UpstreamTrafficSetting, UpstreamTrafficSettingSpec
from ..resources.resource import ObjectMeta
from ..resources.words import Protocol
from ..snapshot.kind import SERVICE_ACCOUNT
from ..values.frozen import FrozenMap
from ..values.net import GAP_START, IPV6_START, Address
from .nearness import plain_host, unlikeness
from .otherwise_sent import other_payloads, payloads
from .proposals import (
    Proposal,
    affordable,
    by_order,
    changes_of,
    engine_of,
    engines_of,
    identities_in,
    is_account,
    missing_one,
    out_of_force,
    switched,
)
from .question import missing_references
from .types import Change, Difference, Edit, NearMiss, Nearness
from .wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..engine import Engine
    from ..resources.subjects import Subject
    from .question import Question
    from .rule_parts import Offer

__all__ = ["near_misses_of"]

MONITORED = "flomesh.io/monitored-by"
KIN_BITS = {4: 16, 6: 80}  # the last ones, in which addresses of one neighbourhood may differ
NEIGHBOURS = 4  # prefixes
EVERY = {4: (0, IPV6_START - 1), 6: (IPV6_START, GAP_START - 1)}  # the keys of addresses


def near_misses_of(
    question: Question, offers: tuple[Offer, ...], decision: Decision, here: Engine
) -> tuple[tuple[NearMiss, ...], int]:
    """The near misses of a connection that is denied, and how many proposals were left."""
    made = [*_by_switch(question, decision)]
    for reading in question.readings:
        made.extend(it for offer in offers for it in _by_offer(reading, offer, offers))
        if question.mesh.mesh_config.spec.feature_flags.egress_policies_apply:
            policies = question.mesh.kind(EgressPolicy)
            made.extend(it for policy in policies for it in _by_policy(reading, policy))
    if decision.reason is not Reason.EGRESS_DISABLED:  # else something takes the port, and is nearer
        made = [it for it in made if it.difference is not Difference.PORT_AND_PROTOCOL]
    proposals = sorted({it.order: it for it in made}.values(), key=by_order)
    chosen = tuple(affordable(proposals))
    return tuple(_tried(question, chosen, here)), len(proposals) - len(chosen)


def _tried(question: Question, proposals: tuple[Proposal, ...], here: Engine) -> Iterator[NearMiss]:
    """Those proposals that are allowed by their rules."""
    port = question.connection.port
    ports = {int(str(it.need[1])) for it in proposals if it.need and it.need[0] == "port"}
    elsewhere = engine_of(question.claiming(question.who, *ports), question.who) if ports else here
    accounts: dict[Subject, tuple[tuple[Subject, Engine], ...]] = {}
    for proposal in proposals:
        for way in changes_of(proposal):
            change: Change = way
            if isinstance(change, Connection):
                decision = (here if change.port == port else elsewhere).classify(change)
            elif isinstance(change, Edit):
                edited = question.claiming(question.who, port).with_(change.resource)
                decision = engine_of(edited, question.who).classify(question.connection)
            else:
                if change not in accounts:
                    accounts[change] = tuple(engines_of(question.claiming(change, port), change))
                # What some of its pods are not intercepted for its policies have no say about.
                decided = [(who, engine.classify(question.connection)) for who, engine in accounts[change]]
                change, decision = next((it for it in decided if it[1].rule == proposal.rule), decided[0])
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


def _by_switch(question: Question, decision: Decision) -> Iterator[Proposal]:
    """The flags of the mesh that are off, where they matter."""
    config = question.mesh.mesh_config
    spec, traffic = config.spec, config.spec.traffic
    if question.own and not spec.feature_flags.egress_policies_apply:
        flags = evolve(spec.feature_flags, enable_egress_policy=True)
        changed = evolve(config, spec=evolve(spec, feature_flags=flags))
        yield switched(Difference.FEATURE_FLAG, config, changed, "spec.featureFlags.enableEgressPolicy")
    if not traffic.enable_permissive_traffic_policy_mode:
        permissive = evolve(traffic, enable_permissive_traffic_policy_mode=True)
        changed = evolve(config, spec=evolve(spec, traffic=permissive))
        path = "spec.traffic.enablePermissiveTrafficPolicyMode"
        yield switched(Difference.PERMISSIVE_MODE, config, changed, path, question.account)
    if decision.reason is Reason.EGRESS_DISABLED:
        changed = evolve(config, spec=evolve(spec, traffic=evolve(traffic, enable_egress=True)))
        yield switched(Difference.ENABLE_EGRESS, config, changed, "spec.traffic.enableEgress")


def _by_offer(question: Question, offer: Offer, offers: tuple[Offer, ...]) -> Iterator[Proposal]:
    """What an offer lacks, where that is one thing; others of narrower ranges may come before it."""
    is_elsewhere = offer.port != question.connection.port
    if is_elsewhere and not offer.is_here:
        return
    is_taken = question.is_taken(offer)
    lacks = [is_elsewhere, not offer.is_here, not is_taken, offer.is_broken].count(True)
    if lacks == 0 or (lacks == 1 and offer.is_broken):
        # Lacks nothing: a service of the mesh has the address, which another account may not reach.
        yield from _other_source(question, offer.policy, offer) if offer.policy else ()
    if lacks == 0:
        yield from _outside_of_others(question, offer, offers)
    if is_elsewhere and not is_taken and not offer.is_broken:
        yield from _other_port_and_protocol(question, offer)
    if lacks != 1:
        return
    if is_elsewhere:
        yield _other_port(question, offer)
    elif not offer.is_here:
        yield _other_address(question, offer)
    elif offer.is_broken:
        yield from _other_certificate(question, offer)
    else:
        yield from other_payloads(question, offer)


def _by_policy(question: Question, policy: EgressPolicy) -> Iterator[Proposal]:
    """What keeps a policy from being an offer: its port, its sources, or what puts it out of force."""
    is_own = any(is_account(source, question.who) for source in policy.spec.sources)
    is_open = question.opens(policy)
    hindrance = _hindrance(question, policy) if is_own else None
    if is_own and is_open and not hindrance:
        return
    for offer in question.offers_here(policy):
        if (is_own and not hindrance) or offer.port == question.connection.port:
            if not question.is_taken(offer):
                if is_own and not hindrance:
                    yield from _other_port_and_protocol(question, offer)
                continue
            if hindrance:
                yield evolve(hindrance, rule=offer.rule)
            elif is_own:
                yield _other_port(question, offer)
            else:
                yield from _other_source(question, policy, offer)


def _hindrance(question: Question, policy: EgressPolicy) -> Proposal | None:
    """What puts a policy of the identity out of force."""
    space = policy.namespace
    if not question.mesh.monitors(space):
        namespace = question.mesh.kind(Namespace).get("", space) or Namespace(ObjectMeta(space))
        labels = FrozenMap({**namespace.metadata.labels, MONITORED: question.mesh.mesh_name})
        watched = evolve(namespace, metadata=evolve(namespace.metadata, labels=labels))
        edit = Edit(f"label {watched.ref} with {MONITORED}", watched)
        at = policy.at("metadata.namespace")
        return out_of_force(Difference.NAMESPACE, at, space, MONITORED, edit)
    for at, name in missing_references(question, policy, UpstreamTrafficSetting):
        spec = UpstreamTrafficSettingSpec(name)
        return missing_one(Difference.SETTING, at, UpstreamTrafficSetting(ObjectMeta(name, space), spec))
    return None


# --- one thing each --------------------------------------------------------------------------------------


def _other_port(question: Question, offer: Offer) -> Proposal:
    """The port of an offer."""
    found, wanted = str(question.connection.port), str(offer.port)
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
        lambda: [question.connection.replace(port=offer.port), question.at_port(offer.port)],
        ("port", offer.port),
    )


def _other_port_and_protocol(question: Question, offer: Offer) -> Iterator[Proposal]:
    """The port and the protocol of an offer that has the host: they go together."""
    is_read = offer.protocol in {Protocol.HTTP, Protocol.HTTPS}
    is_host = bool(question.name) and offer.has(plain_host(question.name))
    if is_read and is_host and question.connection.kind.value != _SENT_BY[offer.protocol]:
        asked = evolve(question, name=plain_host(question.name))
        yield Proposal(
            Difference.PORT_AND_PROTOCOL,
            Nearness.PORT,
            2,
            offer.rule,
            offer.rule,
            f"{question.connection.kind.value} to port {question.connection.port}",
            f"{offer.protocol.value} on port {offer.port}",
            lambda: (question.connection.replace(port=offer.port, sends=it) for it in payloads(asked, offer)),
            ("port", offer.port),
        )


_SENT_BY = {Protocol.HTTP: "http", Protocol.HTTPS: "tls"}


def _other_address(question: Question, offer: Offer) -> Proposal:
    """The addresses of an offer."""
    here = question.connection.destination
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
        lambda: (question.connection.replace(destination=Address.from_key(key)) for key in keys),
    )


def _outside_of_others(question: Question, offer: Offer, offers: tuple[Offer, ...]) -> Iterator[Proposal]:
    """The addresses of an offer that no other one has for itself, where another one has the destination."""
    here, others = question.connection.destination, {prefix for it in offers for prefix in it.prefixes}
    narrower = sorted(others.difference(offer.prefixes), key=lambda prefix: unlikeness(here, prefix))
    before = [str(prefix) for prefix in narrower if question.is_in((prefix,))]
    around = [(it.first, it.last) for it in offer.prefixes] or [EVERY[here.version]]
    edges = {key for it in narrower for key in (it.first - 1, it.last + 1)}
    keys = [key for key in edges if any(first <= key <= last for first, last in around)]
    keys.sort(key=lambda key: abs(key - here.key))
    if before and keys:
        own = shortened([str(prefix) for prefix in offer.prefixes]) if offer.prefixes else "all addresses"
        yield Proposal(
            Difference.ADDRESS,
            Nearness.OTHER,
            abs(keys[0] - here.key).bit_length(),
            offer.rule,
            offer.beside("spec.ipAddresses"),
            str(here),
            f"{own} except {shortened(before)}",
            lambda: (question.connection.replace(destination=Address.from_key(key)) for key in keys),
        )


def _other_certificate(question: Question, offer: Offer) -> Iterator[Proposal]:
    """The secret that a policy shows to the outside, where it names one."""
    sources = enumerate(offer.policy.spec.sources if offer.policy else ())
    index, source = next((index, it) for index, it in sources if is_account(it, question.who))
    secret = source.mtls.cert.secret if source.mtls and source.mtls.cert else None
    if secret:
        meta = ObjectMeta(secret.name, secret.namespace or offer.rule.resource.namespace)
        at = offer.beside(f"spec.sources[{index}].mtls")
        yield evolve(missing_one(Difference.CERTIFICATE, at, Secret(meta)), rule=offer.rule)


def _other_source(question: Question, policy: EgressPolicy, offer: Offer) -> Iterator[Proposal]:
    """The sources of a policy that are somebody else, or that name nobody for their kind."""
    for index, source in enumerate(policy.spec.sources):
        at = policy.at(f"spec.sources[{index}]")
        is_name, is_space = source.name == question.who.name, source.namespace == question.who.namespace
        account = f"{source.name}.{source.namespace}"
        if source.kind == SERVICE_ACCOUNT and not (is_name and is_space):
            yield Proposal(
                Difference.ACCOUNT,
                Nearness.KIN if is_name or is_space else Nearness.OTHER,
                0 if is_space else 1,
                offer.rule,
                at,
                question.account,
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
