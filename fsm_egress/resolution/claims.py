"""Egress policies as claims: what each port of each policy claims, and the groups that unite them.

The rules are those of `docs/decision.md` (stage 3) and `docs/design.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from ..connections.findings import Code, Finding
from ..policy.parts import Claim, Cluster, HTTPRoute, SourceCert
from ..resources.core import Namespace, Secret
from ..resources.egress import EgressPolicy, SourceMTLS, UpstreamTrafficSetting
from ..resources.smi import HTTPRouteGroup
from ..resources.subjects import account_of
from ..resources.words import STREAMS, Protocol
from ..snapshot.kind import SERVICE_ACCOUNT
from ..values.construction import frozen
from ..values.net import BY_PLACE
from ..values.references import ResourceRef, item_path
from .routes import routes_of, wildcard

if TYPE_CHECKING:
    from ..resources.egress import ConnectionSettings
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot
    from ..values.references import FieldRef

__all__ = [
    "Claims",
    "changed_claims",
    "claims_on",
    "host_clusters",
    "policies_in_force",
    "resolve_claims",
]


@frozen
class Claims:
    """What an identity's Egress policies claim, by port, and what of them was left out.

    Attributes:
        policies: those that count, by namespace and name.
        by_port: their claims on each port, by namespace, name and port of the policy.
        found: the findings about each policy that has any.
        switch: the findings about the flag that puts policies in force.
    """

    policies: tuple[EgressPolicy, ...]
    by_port: Mapping[int, tuple[Claim, ...]]
    found: Mapping[ResourceRef, tuple[Finding, ...]]
    switch: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the policies."""
        return (*self.switch, *(finding for ref in sorted(self.found) for finding in self.found[ref]))


def resolve_claims(snapshot: Snapshot, identity: Subject) -> Claims:
    """The claims of every policy that names the identity, by namespace, name and port of the policy."""
    switch: list[Finding] = []
    policies = policies_in_force(snapshot, identity, switch)
    return _with_claims(snapshot, identity, Claims((), {}, {}, tuple(switch)), policies, policies)


def changed_claims(snapshot: Snapshot, identity: Subject, before: Claims) -> Claims:
    """The claims after a change of Egress policies, and of nothing else; `before` where none has changed."""
    switch: list[Finding] = []
    policies = policies_in_force(snapshot, identity, switch)
    gone, added = _difference(before.policies, policies)
    if not gone and not added and before.switch == tuple(switch):
        return before
    refs = {policy.ref for policy in gone}
    by_port = dict(before.by_port)
    for number in {port.number for policy in gone for port in policy.spec.ports} & set(by_port):
        by_port[number] = tuple([it for it in by_port[number] if it.rule.resource not in refs])
        if not by_port[number]:
            del by_port[number]
    found = {ref: findings for ref, findings in before.found.items() if ref not in refs}
    return _with_claims(snapshot, identity, Claims((), by_port, found, tuple(switch)), policies, added)


def _difference(
    before: tuple[EgressPolicy, ...], after: tuple[EgressPolicy, ...]
) -> tuple[list[EgressPolicy], list[EgressPolicy]]:
    """The policies that are there no longer, and those that were not there before."""
    if len(before) == len(after):
        changed = [(old, new) for old, new in zip(before, after, strict=True) if old is not new]
        before, after = tuple([old for old, _ in changed]), tuple([new for _, new in changed])
    known, kept = set(map(id, before)), set(map(id, after))
    gone = [policy for policy in before if id(policy) not in kept]
    return gone, [policy for policy in after if id(policy) not in known]


def _with_claims(
    snapshot: Snapshot,
    identity: Subject,
    before: Claims,
    policies: tuple[EgressPolicy, ...],
    added: Iterable[EgressPolicy],
) -> Claims:
    """The claims with those of the added policies, each in its place."""
    fresh: dict[int, list[Claim]] = {}
    found = dict(before.found)
    notes = snapshot.once(_notes, CLAIM_KINDS, snapshot.mesh_name)
    for policy in added:
        note = _noted(snapshot, identity, policy, notes)
        for claim in note.claims:
            fresh.setdefault(claim.port, []).append(claim)
        if note.findings:
            found[policy.ref] = note.findings
    by_port = dict(before.by_port)
    for port, listed in fresh.items():
        known = by_port.get(port)
        by_port[port] = tuple(sorted([*known, *listed], key=_of_policy) if known else listed)
    return Claims(policies, dict(sorted(by_port.items())), found, before.switch)


def claims_on(
    snapshot: Snapshot, identity: Subject, port: int, policies: Iterable[EgressPolicy]
) -> tuple[Claim, ...]:
    """What these policies claim on a port, by namespace, name and port of the policy."""
    notes = snapshot.once(_notes, CLAIM_KINDS, snapshot.mesh_name)
    noted = (_noted(snapshot, identity, policy, notes) for policy in policies)
    return tuple([claim for note in noted for claim in note.claims if claim.port == port])


def _noted(snapshot: Snapshot, identity: Subject, policy: EgressPolicy, notes: dict[str, _Note]) -> _Note:
    """The claims of a policy, from the notebook where they are in it."""
    name = f"{policy.metadata.name}.{policy.metadata.namespace}"
    note = notes.get(name)
    if note is None or note.policy is not policy:
        findings: list[Finding] = []
        claims = tuple(_claims_of(snapshot, identity, policy, findings))
        note = _Note(policy, claims, tuple(findings))
        if not any(source.mtls for source in policy.spec.sources):
            notes[name] = note
    return note


CLAIM_KINDS = (Namespace, HTTPRouteGroup, UpstreamTrafficSetting, Secret)
"""What the claims of a policy depend on besides the policy."""


@frozen(eq=False)
class _Note:
    """The claims of a policy, which are the same for all whom it names unless it has their certificates."""

    policy: EgressPolicy
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]


def _notes(_: Snapshot, mesh_name: str) -> dict[str, _Note]:  # noqa: ARG001  # because of another mesh they are others
    """An empty notebook, in which the claims of each policy are kept as they are worked out."""
    return {}


def _of_policy(claim: Claim) -> tuple[str, str]:
    return claim.rule.resource.namespace, claim.rule.resource.name


def policies_in_force(
    snapshot: Snapshot, identity: Subject, findings: list[Finding]
) -> tuple[EgressPolicy, ...]:
    """The policies of the identity that count at all, and what there is to say about the flag."""
    policies = snapshot.policies_for(identity)
    config = snapshot.mesh_config
    flags = config.spec.feature_flags
    flag = config.at("spec.featureFlags.enableEgressPolicy")
    if policies and not flags.egress_policies_apply:
        message = f"the flag is off: {len(policies)} Egress policies of {account_of(identity)} have no effect"
        findings.append(Finding(Code.EGRESS_POLICIES_SWITCHED_OFF, flag, message))
        return ()
    if policies and flags.enable_egress_policy is None:
        message = "the flag is absent: this library reads it as true, the stock controller as false"
        findings.append(Finding(Code.EGRESS_POLICY_FLAG_ABSENT, flag, message))
    return policies


def _claims_of(
    snapshot: Snapshot, identity: Subject, policy: EgressPolicy, findings: list[Finding]
) -> Iterator[Claim]:
    if not snapshot.monitors(policy.namespace):
        message = f"namespace `{policy.namespace}` is not monitored: the policy does not count"
        findings.append(Finding(Code.UNMONITORED_NAMESPACE, policy.at(), message))
        return
    spec = policy.spec
    settings, setting_found = _setting_of(snapshot, policy, findings)
    if not setting_found:
        return
    certificate = _certificate_of(snapshot, identity, policy, findings)
    prefixes = tuple(sorted(set(spec.ip_addresses), key=BY_PLACE))
    hosts = tuple(sorted(set(spec.hosts)))
    findings.extend(_host_findings(policy))
    seen: set[tuple[int, Protocol]] = set()
    for index, port in enumerate(spec.ports):
        number, protocol = port.number, port.protocol
        if (number, protocol) in seen:
            continue
        seen.add((number, protocol))
        rule = policy.at(item_path("spec.ports", index))
        if protocol is Protocol.HTTP and not hosts:
            message = "an `http` port without hosts allows nothing"
            findings.append(Finding(Code.HTTP_WITHOUT_HOSTS, rule, message))
        elif protocol is not Protocol.HTTP:
            findings.extend(_without_effect(rule, protocol, policy, certificate, settings))
        yield Claim(
            rule,
            number,
            protocol,
            prefixes,
            () if protocol in STREAMS else hosts,
            _routes_of(snapshot, policy, rule, findings) if protocol is Protocol.HTTP else (),
            settings,
            certificate.shown if certificate else None,
            broken=certificate is not None and certificate.shown is None,
            place=(policy.namespace, policy.metadata.name, index),
        )


def _setting_of(
    snapshot: Snapshot, policy: EgressPolicy, findings: list[Finding]
) -> tuple[ConnectionSettings | None, bool]:
    """The connection settings that a policy refers to, and whether the reference leads anywhere."""
    for index, match in enumerate(policy.spec.matches):
        if match.kind != UpstreamTrafficSetting.kind:
            continue
        setting = snapshot.kind(UpstreamTrafficSetting).get(policy.namespace, match.name)
        if setting is None:
            name = f"{policy.namespace}/{match.name}"
            message = f"UpstreamTrafficSetting `{name}` does not exist: the policy is disabled"
            rule = policy.at(f"spec.matches[{index}]")
            findings.append(Finding(Code.MISSING_UPSTREAM_TRAFFIC_SETTING, rule, message))
            return None, False
        return setting.spec.connection_settings, True
    return None, True


@frozen
class _Certificate:
    """The `mtls` of a source: the certificate it shows, or None where its secret is missing."""

    shown: SourceCert | None


def _certificate_of(
    snapshot: Snapshot, identity: Subject, policy: EgressPolicy, findings: list[Finding]
) -> _Certificate | None:
    """What the first source that is the identity says; there is one, as the policy was found by it."""
    if not any(source.mtls for source in policy.spec.sources):
        return None
    account = (SERVICE_ACCOUNT, identity.name, identity.namespace)
    index, source = next(
        (index, source)
        for index, source in enumerate(policy.spec.sources)
        if (source.kind, source.name, source.namespace) == account
    )
    if source.mtls is None:
        return None
    rule = policy.at(f"spec.sources[{index}].mtls")
    shown = _source_cert(snapshot, policy, source.mtls)
    if shown is None:
        message = "the secret of the certificate does not exist: what the policy claims is denied"
        findings.append(Finding(Code.MISSING_SECRET, rule, message))
    return _Certificate(shown)


def _source_cert(snapshot: Snapshot, policy: EgressPolicy, mtls: SourceMTLS) -> SourceCert | None:
    if mtls.issued_by_fsm:
        return SourceCert(fsm_issued=True)
    if mtls.cert is None or mtls.cert.secret is None:
        return None
    reference = mtls.cert.secret
    secret = snapshot.kind(Secret).get(reference.namespace or policy.namespace, reference.name)
    if secret is None:
        return None
    pem = {key: value.decode("utf-8", "replace") for key, value in secret.data.items()}
    return SourceCert(
        fsm_issued=False,
        subject_alt_names=mtls.cert.subject_alt_names,
        expiration=mtls.cert.expiration,
        cert_chain=pem.get("tls.crt", ""),
        private_key=pem.get("tls.key", ""),
        issuing_ca=pem.get("ca.crt", ""),
    )


def _routes_of(
    snapshot: Snapshot, policy: EgressPolicy, rule: FieldRef, findings: list[Finding]
) -> tuple[HTTPRoute, ...]:
    """The routes of the HTTPRouteGroups that a policy names; the wildcard where it names none."""
    named = [match.name for match in policy.spec.matches if match.kind == HTTPRouteGroup.kind]
    routes: list[HTTPRoute] = [] if named else [wildcard(rule)]
    for name in named:
        group = snapshot.kind(HTTPRouteGroup).get(policy.namespace, name)
        if group is None:
            message = f"HTTPRouteGroup `{policy.namespace}/{name}` does not exist: it allows nothing"
            findings.append(Finding(Code.MISSING_HTTP_ROUTE_GROUP, rule, message))
        else:
            routes.extend(routes_of(group, rule))
    return tuple(routes)


def _host_findings(policy: EgressPolicy) -> Iterator[Finding]:
    for index, host in enumerate(policy.spec.hosts):
        if host.startswith("*."):
            message = f"`{host}` matches nothing but itself: hosts are compared to the letter"
            yield Finding(Code.WILDCARD_HOST, policy.at(f"spec.hosts[{index}]"), message)


def _without_effect(
    rule: FieldRef,
    protocol: Protocol,
    policy: EgressPolicy,
    certificate: _Certificate | None,
    settings: ConnectionSettings | None,
) -> Iterator[Finding]:
    """What settings and a certificate do not do on a port whose requests nobody reads."""
    if settings:
        message = f"the UpstreamTrafficSetting has no effect on `{protocol}`"
        yield Finding(Code.SETTING_WITHOUT_EFFECT, rule, message)
    if certificate and not policy.spec.ip_addresses:
        message = f"the certificate is lost: on `{protocol}` it goes with `ipAddresses` only"
        yield Finding(Code.CERTIFICATE_LOST, rule, message)
    if certificate and protocol is Protocol.HTTPS:
        message = "the sidecar wraps the client's TLS in TLS of its own"
        yield Finding(Code.TLS_IN_TLS, rule, message)


def host_clusters(claims: Iterable[Claim]) -> tuple[dict[str, Cluster], tuple[Finding, ...]]:
    """The clusters of a port's outside hosts; settings and certificate are those of the first policy.

    A policy that differs from the first is reported (`controller.json`: FSM leaves it to chance).
    """
    clusters: dict[str, Cluster] = {}
    findings: list[Finding] = []
    for claim in claims:
        if claim.protocol is not Protocol.HTTP or claim.broken:
            continue
        settings, cert = claim.connection_settings, claim.source_cert
        for host, cluster in zip(claim.hosts, claim.clusters, strict=True):
            first = clusters.setdefault(cluster.name, cluster)
            if first is not cluster and (first.connection_settings, first.source_cert) != (settings, cert):
                message = f"`{host}` has other settings or another certificate in {first.rule}: those count"
                findings.append(Finding(Code.CONFLICTING_SETTINGS, claim.rule, message))
    return clusters, tuple(findings)
