"""A snapshot and an identity -> the one policy that governs the identity's outbound connections.

The only place where order, union, claims, owners of addresses, hostnames, splits, retries, certificates and
gateways are settled. What is left out or cannot be honoured becomes a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import is_
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, frozen

from ..connections.findings import Code, Finding
from ..policy import (
    Claim,
    Cluster,
    EgressGroup,
    Endpoint,
    Forward,
    Gateway,
    Interception,
    OutboundPolicy,
    PortPolicy,
    SidecarSpec,
)
from ..resources import checks
from ..resources.checks import STREAMS, Protocol
from ..resources.core import Endpoints, Pod, Service
from ..resources.egress import EgressGateway, EgressPolicy, Retry
from ..resources.kinds import KINDS
from ..resources.meshconfig import MeshConfig
from ..resources.resource import ServiceIdentity
from ..snapshot import SERVICE_ACCOUNT, Kind, Snapshot
from ..values.errors import InvalidValue
from ..values.frozen import FrozenMap
from ..values.references import FieldRef
from .claims import Claims, changed_claims, groups_of, host_clusters, resolve_claims
from .inmesh import resolve_in_mesh, retries_of, retry_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..policy import MeshMatch
    from ..resources.meshconfig import PluginChainEntry, RemoteLogging, Tracing
    from ..values.net import Prefix

__all__ = ["Resolution", "resolve"]

T = TypeVar("T")

EXCLUDED_RANGES = "flomesh.io/outbound-ip-range-exclusion-list"
INCLUDED_RANGES = "flomesh.io/outbound-ip-range-inclusion-list"
EXCLUDED_PORTS = "flomesh.io/outbound-port-exclusion-list"
GATEWAY_MODE = "flomesh.io/egress-gateway-mode"
GATEWAY_MODES = ("http2tunnel", "sock5")

DEFAULT_CHAINS: dict[str, tuple[str, ...]] = {
    "inbound-tcp": (
        "inbound-tls-termination",
        "inbound-tcp-routing",
        "inbound-tcp-load-balancing",
        "inbound-tcp-default",
    ),
    "inbound-http": (
        "inbound-tls-termination",
        "inbound-http-routing",
        "inbound-metrics-http",
        "inbound-tracing-http",
        "inbound-logging-http",
        "inbound-throttle-service",
        "inbound-throttle-route",
        "inbound-http-load-balancing",
        "inbound-http-default",
    ),
    "outbound-tcp": ("outbound-tcp-routing", "outbound-tcp-load-balancing", "outbound-tcp-default"),
    "outbound-http": (
        "outbound-http-routing",
        "outbound-metrics-http",
        "outbound-tracing-http",
        "outbound-logging-http",
        "outbound-circuit-breaker",
        "outbound-http-load-balancing",
        "outbound-http-default",
    ),
}


def resolve(snapshot: Snapshot, identity: ServiceIdentity | str) -> OutboundPolicy:
    """Everything that governs the outbound connections of `identity` (`name.namespace`).

    Raises:
        InvalidValue: the text is no identity.
    """
    who = identity if isinstance(identity, ServiceIdentity) else ServiceIdentity.parse(identity)
    return Resolution.of(snapshot, who).policy


@frozen(eq=False)
class Resolution:
    """A resolved policy with what it was made of, so that a change of few policies costs little.

    Attributes:
        basis: all that it depends on besides the Egress policies, as tables of the snapshot.
        claims: of the policies that name the identity.
        ports: the policy of each port.
        sources: what was found out about the sources of all policies.
        policy: the whole.
    """

    basis: tuple[Kind[Any], ...]
    claims: Claims
    ports: Mapping[int, ResolvedPort]
    sources: tuple[Finding, ...]
    policy: OutboundPolicy

    @classmethod
    def of(cls, snapshot: Snapshot, identity: ServiceIdentity) -> Resolution:
        """The policy of an identity, from the beginning."""
        return _resolved(snapshot, identity, resolve_claims(snapshot, identity), {})

    def after(self, snapshot: Snapshot) -> Resolution:
        """The policy in a changed snapshot; itself where nothing has changed for the identity.

        Ports that no changed Egress policy opens keep their objects. Where other kinds have changed, all is
        made anew.
        """
        who = self.policy.identity
        if not all(map(is_, self.basis, _basis(snapshot))):
            return Resolution.of(snapshot, who)
        claims = changed_claims(snapshot, who, self.claims)
        if claims is self.claims and self.sources == _source_findings(snapshot):
            return self
        return _resolved(snapshot, who, claims, self.ports)


def _basis(snapshot: Snapshot) -> tuple[Kind[Any], ...]:
    return tuple([snapshot.kind(kind) for kind in KINDS if kind is not EgressPolicy])


def _resolved(
    snapshot: Snapshot, identity: ServiceIdentity, claims: Claims, known: Mapping[int, ResolvedPort]
) -> Resolution:
    """The policy of these claims, with the known ports wherever they are still right."""
    mesh = resolve_in_mesh(snapshot, identity)
    around = snapshot.once(_surroundings, SURROUNDING_KINDS, identity)
    ports: dict[int, ResolvedPort] = {}
    for port in sorted({*mesh.matches, *claims.by_port}):
        matches, claimed = mesh.matches.get(port, ()), claims.by_port.get(port, ())
        old = known.get(port)
        is_same = old is not None and old.policy.mesh is matches and old.claims is claimed
        ports[port] = old if old and is_same else _port(snapshot, identity, port, matches, claimed)
    sources = _source_findings(snapshot)
    findings = [*sources, *claims.findings, *mesh.findings, *around.findings]
    policy = OutboundPolicy(
        identity,
        around.spec,
        around.switch,
        around.interception,
        mesh.clusters,
        tuple([resolved.policy for resolved in ports.values()]),
        around.forward,
        around.forwarded,
        (
            *dict.fromkeys(findings),
            *(finding for resolved in ports.values() for finding in resolved.findings),
        ),
    )
    return Resolution(_basis(snapshot), claims, ports, sources, policy)


@frozen(eq=False)
class ResolvedPort:
    """The policy of a port, the claims that it was made of, and what was found out about them."""

    claims: tuple[Claim, ...]
    policy: PortPolicy
    findings: tuple[Finding, ...]


def _port(
    snapshot: Snapshot,
    identity: ServiceIdentity,
    port: int,
    matches: tuple[MeshMatch, ...],
    claims: tuple[Claim, ...],
) -> ResolvedPort:
    taken = frozenset([owner.prefix for match in matches for owner in match.owners])
    groups = groups_of(port, claims, taken)
    hosts, findings = host_clusters(port, claims)
    clusters: dict[str, Cluster] = {}
    is_retried = any(True for _ in retries_of(snapshot, identity))
    for group in groups:
        if group.stream is None:
            for host in group.virtual_hosts:
                if host.routes:
                    name = f"{host.name}:{port}"
                    clusters[name] = hosts[name]
                    if is_retried:
                        retried = retry_for(snapshot, identity, _service_named(host.name))
                        clusters[name] = evolve(hosts[name], retry_policy=retried)
            if group.server_names and group.any_tls is None:
                clusters[group.tls_cluster] = Cluster(
                    group.tls_cluster,
                    tuple([Endpoint(name.host, port) for name in group.server_names]),
                    group.server_names[0].rule,
                )
    policy = PortPolicy(port, matches, groups, tuple([clusters[name] for name in sorted(clusters)]))
    met = [finding for group in groups for finding in _meetings(group)]
    return ResolvedPort(claims, policy, tuple(dict.fromkeys([*findings, *met])))


def _service_named(host: str) -> tuple[str, str]:
    """An outside host that reads like `name.namespace` of a service gets that service's retries."""
    name, _, namespace = host.partition(".")
    return name, namespace


def _meetings(group: EgressGroup) -> Iterator[Finding]:
    """Claims of several protocols on the same addresses: the stock sidecar uses one match only."""
    kinds = [name for name, protocols in _MATCHED_AS if group.has(*protocols)]
    if len(kinds) > 1:
        where = ", ".join(map(str, group.prefixes)) or "any address"
        met = " and ".join(f"`{kind}`" for kind in kinds)
        message = f"{met} claims meet on port {group.port}, {where}: the stock sidecar uses `{kinds[0]}` only"
        yield Finding(Code.PROTOCOLS_MEET, group.claims[0].rule, message)


_MATCHED_AS = (("tcp", STREAMS), ("http", (Protocol.HTTP,)), ("https", (Protocol.HTTPS,)))


def _source_findings(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Sources of another kind than accounts, of any policy: they name nobody."""
    sources = snapshot.kind(EgressPolicy).sources.items()
    odd = {
        policy.ref: policy for (kind, _, _), named in sources if kind != SERVICE_ACCOUNT for policy in named
    }
    return tuple(
        [
            Finding(
                Code.SOURCE_KIND,
                odd[ref].at(f"spec.sources[{index}].kind"),
                f"kind `{source.kind}` names nobody: only `{SERVICE_ACCOUNT}` does",
            )
            for ref in sorted(odd)
            for index, source in enumerate(odd[ref].spec.sources)
            if source.kind != SERVICE_ACCOUNT
        ]
    )


# --- what does not depend on Egress policies -------------------------------------------------------------


@frozen
class Surroundings:
    """What governs an identity besides services and Egress policies."""

    spec: SidecarSpec
    switch: FieldRef
    interception: Interception
    forward: Forward | None
    forwarded: bool
    findings: tuple[Finding, ...]


SURROUNDING_KINDS = (MeshConfig, Pod, EgressGateway, Service, Endpoints, Retry)


def _surroundings(snapshot: Snapshot, identity: ServiceIdentity) -> Surroundings:
    findings = list(_retry_findings(snapshot, identity))
    config = snapshot.mesh_config
    interception = _interception(snapshot, identity, findings)
    forward, forwarded = _forward(snapshot, findings)
    spec = _sidecar_spec(config, findings)
    switch = config.at("spec.traffic.enableEgress")
    return Surroundings(spec, switch, interception, forward, forwarded, tuple(findings))


def _retry_findings(snapshot: Snapshot, identity: ServiceIdentity) -> Iterator[Finding]:
    for retry in retries_of(snapshot, identity):
        policy = retry.spec.retry_policy
        if policy.per_try_timeout is None or policy.retry_backoff_base_interval is None:
            message = "without `perTryTimeout` or `retryBackoffBaseInterval` the stock controller crashes"
            yield Finding(Code.RETRY_WITHOUT_TIMES, retry.at("spec.retryPolicy"), message)


# --- interception ----------------------------------------------------------------------------------------


def _interception(snapshot: Snapshot, identity: ServiceIdentity, findings: list[Finding]) -> Interception:
    """The mesh-wide lists, and what the annotations of the identity's pods add to them."""
    config = snapshot.mesh_config
    traffic = config.spec.traffic
    pods = [
        pod
        for pod in snapshot.kind(Pod)
        if (pod.spec.service_account_name, pod.namespace) == (identity.name, identity.namespace)
    ]

    def listed(
        name: str, values: Iterable[T], annotation: str, read: Callable[[str], T]
    ) -> tuple[tuple[T, FieldRef], ...]:
        found = [(value, config.at(f"spec.traffic.{name}[{index}]")) for index, value in enumerate(values)]
        for pod in pods:
            found.extend(_annotated(pod, annotation, read, findings))
        return tuple(found)

    ranges, inclusions = traffic.outbound_ip_range_exclusion_list, traffic.outbound_ip_range_inclusion_list
    ports = traffic.outbound_port_exclusion_list
    return Interception(
        listed("outboundIPRangeExclusionList", ranges, EXCLUDED_RANGES, _read_prefix),
        listed("outboundIPRangeInclusionList", inclusions, INCLUDED_RANGES, _read_prefix),
        listed("outboundPortExclusionList", ports, EXCLUDED_PORTS, _read_port),
    )


def _annotated(
    pod: Pod, annotation: str, read: Callable[[str], T], findings: list[Finding]
) -> Iterator[tuple[T, FieldRef]]:
    rule = pod.at(f"metadata.annotations.{annotation}")
    for text in pod.metadata.annotations.get(annotation, "").split(","):
        if text.strip():
            try:
                yield read(text.strip()), rule
            except InvalidValue as error:
                message = f"{error.problems[0].message}: the entry is left out"
                findings.append(Finding(Code.BAD_ANNOTATION, rule, message))


def _read_prefix(text: str) -> Prefix:
    return checks.prefix(text)


def _read_port(text: str) -> int:
    digits = text.isascii() and text.isdecimal() and len(text) <= checks.NUMBER_LENGTH
    return checks.port_number(int(text) if digits else text)


# --- gateways --------------------------------------------------------------------------------------------


def _forward(snapshot: Snapshot, findings: list[Finding]) -> tuple[Forward | None, bool]:
    """The mesh's egress gateways, and whether egress rules name them at all (`spec/controller.md`)."""
    gateways: dict[str, Gateway] = {}
    resources = [gateway for gateway in snapshot.kind(EgressGateway) if gateway.spec.global_ is not None]
    for resource in resources:
        if not resource.spec.global_:
            message = "the list is empty: egress rules name a gateway, and there is none"
            findings.append(Finding(Code.UNUSABLE_GATEWAY, resource.at("spec.global"), message))
        for index, entry in enumerate(resource.spec.global_ or ()):
            rule = resource.at(f"spec.global[{index}]")
            name = f"{entry.service}.{entry.namespace}"
            service = snapshot.kind(Service).get(entry.namespace, entry.service)
            if service is None:
                message = f"service `{entry.namespace}/{entry.service}` does not exist: it carries nothing"
                findings.append(Finding(Code.UNUSABLE_GATEWAY, rule, message))
                continue
            endpoints = _gateway_endpoints(snapshot, service)
            if not endpoints:
                message = f"service `{entry.namespace}/{entry.service}` has no endpoints: it carries nothing"
                findings.append(Finding(Code.UNUSABLE_GATEWAY, rule, message))
            weight = 100 if entry.weight is None else entry.weight
            gateways[name] = Gateway(name, weight, _gateway_mode(service, findings), endpoints)
    forward = (
        Forward(tuple(gateways[name] for name in sorted(gateways)), resources[0].at("spec.global"))
        if gateways
        else None
    )
    return forward, bool(resources)


def _gateway_endpoints(snapshot: Snapshot, service: Service) -> tuple[Endpoint, ...]:
    endpoints = snapshot.kind(Endpoints).get(service.namespace, service.name)
    return tuple(
        sorted(
            {
                Endpoint(str(entry.ip), port.port)
                for subset in (endpoints.subsets if endpoints else ())
                for port in subset.ports
                for entry in subset.addresses
            }
        )
    )


def _gateway_mode(service: Service, findings: list[Finding]) -> str:
    mode = service.metadata.annotations.get(GATEWAY_MODE, GATEWAY_MODES[0])
    if mode in GATEWAY_MODES:
        return mode
    message = f"mode `{mode}` is read as `{GATEWAY_MODES[0]}`; SOCKS5 is spelled `sock5`"
    findings.append(Finding(Code.GATEWAY_MODE, service.at(f"metadata.annotations.{GATEWAY_MODE}"), message))
    return GATEWAY_MODES[0]


# --- what the sidecar is told besides --------------------------------------------------------------------


def _sidecar_spec(config: MeshConfig, findings: list[Finding]) -> SidecarSpec:
    spec = config.spec
    properties = {entry.name: entry.value for entry in spec.cluster_set.properties}
    return SidecarSpec(
        log_level=spec.sidecar.log_level,
        timeout=spec.sidecar.sidecar_timeout,
        enable_egress=spec.traffic.enable_egress,
        http1_per_request_load_balancing=spec.traffic.http1_per_request_load_balancing,
        http2_per_request_load_balancing=spec.traffic.http2_per_request_load_balancing,
        enable_sidecar_active_health_checks=spec.feature_flags.enable_sidecar_active_health_checks,
        enable_auto_default_route=spec.feature_flags.enable_auto_default_route,
        compress_config=spec.sidecar.compress_config,
        tracing=_tracing(spec.observability.tracing, config.namespace),
        remote_logging=_remote_logging(spec.observability.remote_logging),
        cluster_set=FrozenMap(properties) if properties else None,
        chains=_chains(config, findings),
    )


def _tracing(tracing: Tracing, namespace: str) -> FrozenMap[str] | None:
    """Where spans go, with the controller's defaults for what is not said."""
    if not tracing.enable:
        return None
    host = tracing.address or f"jaeger.{namespace}.svc.cluster.local"
    fraction = 1.0 if tracing.sampled_fraction is None else float(tracing.sampled_fraction)
    return FrozenMap(
        {
            "address": f"{host}:{tracing.port or 9411}",
            "endpoint": tracing.endpoint or "/api/v2/spans",
            "sampledFraction": f"{fraction:.2f}",
        }
    )


def _remote_logging(logging: RemoteLogging) -> FrozenMap[str | int] | None:
    if not logging.enable:
        return None
    entries: dict[str, Any] = {
        "level": logging.level,
        "address": f"{logging.address}:{logging.port}",
        "endpoint": logging.endpoint,
        "authorization": logging.authorization,
    }
    return FrozenMap({key: value for key, value in entries.items() if value})


def _chains(config: MeshConfig, findings: list[Finding]) -> FrozenMap[tuple[str, ...]]:
    """The modules of each chain, by descending priority; FSM's own where a chain is not configured.

    A chain without modules would make the sidecar echo the client's bytes back: FSM's own is used instead.
    """
    configured = {
        "inbound-tcp": config.spec.plugin_chains.inbound_tcp,
        "inbound-http": config.spec.plugin_chains.inbound_http,
        "outbound-tcp": config.spec.plugin_chains.outbound_tcp,
        "outbound-http": config.spec.plugin_chains.outbound_http,
    }
    chains: dict[str, tuple[str, ...]] = {}
    for name, entries in configured.items():
        modules = _modules(entries or ())
        if entries is not None and not modules:
            message = "no module is left, and the sidecar would echo: FSM's own chain is used"
            rule = config.at(f"spec.pluginChains.{name}")
            findings.append(Finding(Code.EMPTY_PLUGIN_CHAIN, rule, message))
        chains[name] = modules or tuple(f"modules/{module}.js" for module in DEFAULT_CHAINS[name])
    return FrozenMap(chains)


def _modules(entries: Iterable[PluginChainEntry]) -> tuple[str, ...]:
    enabled = [entry for entry in entries if not entry.disable]
    return tuple(f"{entry.plugin}.js" for entry in sorted(enabled, key=lambda entry: -entry.priority))
