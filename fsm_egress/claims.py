"""Egress policies as claims: what each port of each policy claims, and the groups that unite them.

The rules are those of `spec/decision.md` (stage 2) and `spec/pipy-config.md` (canonical form, 2 and 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from .checks import STREAMS, Protocol
from .core import Secret
from .egress import EgressPolicy, SourceMTLS, UpstreamTrafficSetting
from .findings import Code, Finding
from .policy import (
    Claim,
    Cluster,
    EgressGroup,
    Endpoint,
    HTTPRoute,
    ServerName,
    SourceCert,
    VirtualHost,
    WeightedCluster,
)
from .routes import routes_of, to_clusters, united, wildcard
from .smi import HTTPRouteGroup
from .snapshot import SERVICE_ACCOUNT, Snapshot

if TYPE_CHECKING:
    from .egress import ConnectionSettings
    from .net import Prefix
    from .references import FieldRef
    from .resource import ServiceIdentity

__all__ = ["Claims", "groups_of", "host_clusters", "resolve_claims"]


@frozen
class Claims:
    """What an identity's Egress policies claim, by port, and what of them was left out."""

    by_port: Mapping[int, tuple[Claim, ...]]
    findings: tuple[Finding, ...]


def resolve_claims(snapshot: Snapshot, identity: ServiceIdentity) -> Claims:
    """The claims of every policy that names the identity, by namespace, name and port of the policy."""
    findings: list[Finding] = []
    by_port: dict[int, list[Claim]] = {}
    for policy in _policies_in_force(snapshot, identity, findings):
        for claim in _claims_of(snapshot, identity, policy, findings):
            by_port.setdefault(claim.port, []).append(claim)
    return Claims({port: tuple(claims) for port, claims in sorted(by_port.items())}, tuple(findings))


def _policies_in_force(
    snapshot: Snapshot, identity: ServiceIdentity, findings: list[Finding]
) -> Iterator[EgressPolicy]:
    policies = snapshot.policies_for(identity)
    config = snapshot.mesh_config
    flags = config.spec.feature_flags
    flag = config.at("spec.featureFlags.enableEgressPolicy")
    if policies and not flags.egress_policies_apply:
        message = f"the flag is off: {len(policies)} Egress policies of {identity} have no effect"
        findings.append(Finding(Code.EGRESS_POLICIES_SWITCHED_OFF, flag, message))
        return
    if policies and flags.enable_egress_policy is None:
        message = "the flag is absent: this library reads it as true, the stock controller as false"
        findings.append(Finding(Code.EGRESS_POLICY_FLAG_ABSENT, flag, message))
    for policy in policies:
        if not snapshot.monitors(policy.namespace):
            message = f"namespace `{policy.namespace}` is not monitored: the policy does not count"
            findings.append(Finding(Code.UNMONITORED_NAMESPACE, policy.at(), message))
        else:
            yield policy


def _claims_of(
    snapshot: Snapshot, identity: ServiceIdentity, policy: EgressPolicy, findings: list[Finding]
) -> Iterator[Claim]:
    settings, setting_found = _setting_of(snapshot, policy, findings)
    if not setting_found:
        return
    spec = policy.spec
    certificate = _certificate_of(snapshot, identity, policy, findings)
    prefixes = tuple(sorted(set(spec.ip_addresses)))
    hosts = tuple(sorted(set(spec.hosts)))
    findings.extend(_host_findings(policy))
    seen: set[tuple[int, Protocol]] = set()
    for index, port in enumerate(spec.ports):
        if (port.number, port.protocol) in seen:
            continue
        seen.add((port.number, port.protocol))
        rule = policy.at(f"spec.ports[{index}]")
        findings.extend(
            _port_findings(rule, port.protocol, policy, certificate, has_setting=settings is not None)
        )
        yield Claim(
            rule,
            port.number,
            port.protocol,
            prefixes,
            () if port.protocol in STREAMS else hosts,
            tuple(_routes_of(snapshot, policy, rule, findings)) if port.protocol is Protocol.HTTP else (),
            settings,
            certificate.shown if certificate else None,
            broken=certificate is not None and certificate.shown is None,
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
    snapshot: Snapshot, identity: ServiceIdentity, policy: EgressPolicy, findings: list[Finding]
) -> _Certificate | None:
    """What the first source that is the identity says; there is one, as the policy was found by it."""
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
) -> Iterator[HTTPRoute]:
    """The routes of the HTTPRouteGroups that a policy names; the wildcard where it names none."""
    named = [match for match in policy.spec.matches if match.kind == HTTPRouteGroup.kind]
    if not named:
        yield wildcard(rule)
    for match in named:
        group = snapshot.kind(HTTPRouteGroup).get(policy.namespace, match.name)
        if group is None:
            message = f"HTTPRouteGroup `{policy.namespace}/{match.name}` does not exist: it allows nothing"
            findings.append(Finding(Code.MISSING_HTTP_ROUTE_GROUP, rule, message))
        else:
            yield from routes_of(group, rule)


def _host_findings(policy: EgressPolicy) -> Iterator[Finding]:
    for index, host in enumerate(policy.spec.hosts):
        if host.startswith("*."):
            message = f"`{host}` matches nothing but itself: hosts are compared to the letter"
            yield Finding(Code.WILDCARD_HOST, policy.at(f"spec.hosts[{index}]"), message)


def _port_findings(
    rule: FieldRef,
    protocol: Protocol,
    policy: EgressPolicy,
    certificate: _Certificate | None,
    *,
    has_setting: bool,
) -> Iterator[Finding]:
    if protocol is Protocol.HTTP:
        if not policy.spec.hosts:
            yield Finding(Code.HTTP_WITHOUT_HOSTS, rule, "an `http` port without hosts allows nothing")
        return
    if has_setting:
        message = f"the UpstreamTrafficSetting has no effect on `{protocol}`"
        yield Finding(Code.SETTING_WITHOUT_EFFECT, rule, message)
    if certificate and not policy.spec.ip_addresses:
        message = f"the certificate is lost: on `{protocol}` it goes with `ipAddresses` only"
        yield Finding(Code.CERTIFICATE_LOST, rule, message)
    if certificate and protocol is Protocol.HTTPS:
        message = "the sidecar wraps the client's TLS in TLS of its own"
        yield Finding(Code.TLS_IN_TLS, rule, message)


# --- groups ----------------------------------------------------------------------------------------------


def groups_of(port: int, claims: Iterable[Claim], taken: frozenset[Prefix]) -> tuple[EgressGroup, ...]:
    """The range groups of a port in canonical order; `taken` are the prefixes of its in-mesh addresses."""
    listed = tuple(claims)
    covers = {prefix: cover for prefix, cover in _covers(listed).items() if prefix not in taken}
    by_cover: dict[tuple[int, ...], list[Prefix]] = {}
    for prefix in sorted(covers):
        group = by_cover.setdefault(covers[prefix], [])
        if not (group and group[-1].covers(prefix)):
            group.append(prefix)
    ranged = sorted(by_cover.items(), key=lambda item: (-len(item[0]), item[1][0]))
    anywhere = tuple(index for index, claim in enumerate(listed) if not claim.prefixes)
    sections = [*ranged, *([(anywhere, [])] if anywhere else [])]
    only = len(sections) == 1
    return tuple(
        _group(port, tuple(prefixes), tuple(listed[index] for index in cover), only=only)
        for cover, prefixes in sections
    )


def _covers(claims: tuple[Claim, ...]) -> dict[Prefix, tuple[int, ...]]:
    """For each distinct prefix, the indexes of the claims that cover it, those without prefixes included."""
    own: dict[Prefix, set[int]] = {}
    for index, claim in enumerate(claims):
        for prefix in claim.prefixes:
            own.setdefault(prefix, set()).add(index)
    anywhere = {index for index, claim in enumerate(claims) if not claim.prefixes}
    covers: dict[Prefix, set[int]] = {}
    around: list[Prefix] = []
    for prefix in sorted(own):
        while around and not around[-1].covers(prefix):
            around.pop()
        covers[prefix] = own[prefix] | (covers[around[-1]] if around else anywhere)
        around.append(prefix)
    return {prefix: tuple(sorted(cover)) for prefix, cover in covers.items()}


def _group(port: int, prefixes: tuple[Prefix, ...], claims: tuple[Claim, ...], *, only: bool) -> EgressGroup:
    """The union of what the claims of a group allow; a broken claim allows nothing."""
    whole = [claim for claim in claims if not claim.broken]
    https = [claim for claim in whole if claim.protocol is Protocol.HTTPS]
    names: dict[str, ServerName] = {}
    routes: dict[str, list[HTTPRoute]] = {}
    for claim in whole:
        for host in claim.hosts:
            if claim.protocol is Protocol.HTTPS:
                names.setdefault(host, ServerName(host, claim.rule))
            else:
                routes.setdefault(host, []).extend(claim.routes)
    first_rule = {
        host: next(claim.rule for claim in whole if claim.protocol is Protocol.HTTP and host in claim.hosts)
        for host in routes
    }
    return EgressGroup(
        port,
        prefixes,
        claims,
        next((claim for claim in whole if claim.protocol in STREAMS), None),
        next((claim for claim in https if not claim.hosts), None),
        tuple(names[host] for host in sorted(names)),
        tuple(
            VirtualHost(
                host,
                (host, f"{host}:{port}"),
                to_clusters(united(routes[host]), WeightedCluster(f"{host}:{port}")),
                first_rule[host],
            )
            for host in sorted(routes)
        ),
        str(port) if only or not prefixes else f"{port}@{prefixes[0]}",
    )


def host_clusters(port: int, claims: Iterable[Claim]) -> tuple[dict[str, Cluster], tuple[Finding, ...]]:
    """The clusters of a port's outside hosts; settings and certificate are those of the first policy.

    A policy that differs from the first is reported (`spec/controller.md`: FSM leaves it to chance).
    """
    clusters: dict[str, Cluster] = {}
    findings: list[Finding] = []
    for claim in claims:
        if claim.protocol is not Protocol.HTTP or claim.broken:
            continue
        for host in claim.hosts:
            name = f"{host}:{port}"
            own = Cluster(
                name, (Endpoint(host, port),), claim.rule, claim.connection_settings, None, claim.source_cert
            )
            first = clusters.setdefault(name, own)
            if evolve(first, rule=claim.rule) != own:
                message = f"`{host}` has other settings or another certificate in {first.rule}: those count"
                findings.append(Finding(Code.CONFLICTING_SETTINGS, claim.rule, message))
    return clusters, tuple(findings)
