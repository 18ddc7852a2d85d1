"""In-mesh traffic as `fsm-controller` routes it: matches, routes, splits and clusters.

The rules are those of `controller.json` and `docs/decision.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from attrs import field

from ..connections.findings import Code, Finding
from ..policy.parts import Cluster, Endpoint, HTTPRoute, MeshMatch, Owner, VirtualHost, WeightedCluster
from ..resources.core import Endpoints, Namespace, Pod, Service
from ..resources.egress import Isolation, Retry, TrafficWarmup, UpstreamTrafficSetting
from ..resources.machines import VirtualMachine
from ..resources.meshconfig import MeshConfig
from ..resources.smi import HTTPRouteGroup, TrafficSplit, TrafficTarget
from ..resources.subjects import AnyOtherAccount, Subject
from ..resources.words import STREAMS, Protocol
from ..resources.workloads import Deployment
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.net import Prefix
from .imports import IMPORT_KINDS, spread
from .mesh_service import MeshService, hostnames_of, together
from .retries import Account, retry_for
from .routes import WHOLE_WEIGHT, balanced, routes_of, to_clusters, united, wildcard
from .services import reached_services, target_port
from .warming import grows, warmup_of

if TYPE_CHECKING:
    from ..resources.egress import RetryPolicy
    from ..values.net import Address

__all__ = [
    "Backends",
    "InMesh",
    "clusters_of",
    "matches_on",
    "references_of",
    "resolve_in_mesh",
    "settings_for",
]

Owned: TypeAlias = "tuple[MeshService, list[Address]]"
"""A service, and the addresses of a port that are its own."""


@frozen(eq=False)
class InMesh:
    """What an identity reaches inside the mesh, port by port; each port is worked out when it is asked for.

    Attributes:
        services: those that are reached, by port.
    """

    _snapshot: Snapshot = field(repr=False)
    _identity: Subject
    _reached: tuple[MeshService, ...] = field(repr=False)
    services: Mapping[int, Sequence[MeshService]] = field(repr=False)
    _amiss: tuple[Finding, ...] = field(repr=False)
    _known: dict[int, OnPort] = field(factory=dict, init=False, repr=False)

    def on(self, port: int) -> tuple[MeshMatch, ...]:
        """The matches of a port."""
        return self._on(port).matches if port in self.services else ()

    def cluster(self, name: str) -> Cluster | None:
        """Where a match leads, and nothing of how: settings and retries are those of `clusters`."""
        services = self._behind.get(name)
        return Cluster(name, _endpoints(self._snapshot, services), services[0].rule) if services else None

    @cached_property
    def matches(self) -> Mapping[int, tuple[MeshMatch, ...]]:
        """Those of every port."""
        return {port: self.on(port) for port in sorted(self.services)}

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """Where all matches lead."""
        return self._clusters[0]

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What was left out."""
        about_ports = (finding for port in sorted(self.services) for finding in self._on(port).findings)
        return (*self._amiss, *about_ports, *self._clusters[1])

    def _on(self, port: int) -> OnPort:
        return self._known.get(port) or self._known.setdefault(port, self._worked_out(port))

    def _worked_out(self, port: int) -> OnPort:
        findings: list[Finding] = []
        backends = Backends(self._snapshot, findings, self._splits)
        matches = matches_on(self._snapshot, self._identity, self.services[port], backends, findings)
        return OnPort(_in_order(matches), tuple(findings))

    @cached_property
    def _splits(self) -> Mapping[Account, list[TrafficSplit]]:
        return splits_by_apex(self._snapshot)

    @cached_property
    def _behind(self) -> Mapping[str, list[MeshService]]:
        return behind_clusters(self._reached)

    @cached_property
    def _clusters(self) -> tuple[tuple[Cluster, ...], tuple[Finding, ...]]:
        findings: list[Finding] = []
        used = references_of(match for listed in self.matches.values() for match in listed)
        clusters = clusters_of(self._snapshot, self._identity, self._reached, used, findings)
        return clusters, tuple(findings)


@frozen(eq=False)
class OnPort:
    """The matches of a port, and what was left out there."""

    matches: tuple[MeshMatch, ...]
    findings: tuple[Finding, ...]


IN_MESH_KINDS = (
    MeshConfig,
    Namespace,
    Service,
    Endpoints,
    Pod,
    VirtualMachine,
    Deployment,
    TrafficTarget,
    TrafficSplit,
    HTTPRouteGroup,
    UpstreamTrafficSetting,
    Isolation,
    Retry,
    TrafficWarmup,
    *IMPORT_KINDS,
)
"""What the in-mesh part of a policy depends on."""


def resolve_in_mesh(snapshot: Snapshot, identity: Subject) -> InMesh:
    """The in-mesh part of an identity's policy, made once for all identities that it is the same for."""
    spec = snapshot.mesh_config.spec
    is_own = not spec.traffic.enable_permissive_traffic_policy_mode or spec.feature_flags.enable_retry_policy
    is_local = spec.traffic.service_access_names.must_with_namespace
    anyone = AnyOtherAccount(identity.namespace if is_local else "")
    return snapshot.once(_in_mesh, IN_MESH_KINDS, identity if is_own else anyone)


def _in_mesh(snapshot: Snapshot, identity: Subject) -> InMesh:
    findings: list[Finding] = []
    found = reached_services(snapshot, identity, findings)
    reached = tuple([service for service in found if service.reached_at])
    by_port: dict[int, list[MeshService]] = {}
    for service in reached:
        by_port.setdefault(service.port, []).append(service)
    return InMesh(snapshot, identity, reached, by_port, tuple(findings))


# --- routes and splits -----------------------------------------------------------------------------------


def splits_by_apex(snapshot: Snapshot) -> Mapping[Account, list[TrafficSplit]]:
    """The TrafficSplits of the mesh by the namespace and name of their apex."""
    splits: dict[Account, list[TrafficSplit]] = {}
    for split in snapshot.kind(TrafficSplit):
        if snapshot.monitors(split.namespace):
            apex = split.spec.service.partition(".")[0]
            splits.setdefault((split.namespace, apex), []).append(split)
    return splits


class Backends:
    """Where a service's traffic goes: to its own cluster, or to the backends of its TrafficSplits."""

    def __init__(
        self,
        snapshot: Snapshot,
        findings: list[Finding],
        splits: Mapping[Account, list[TrafficSplit]] | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.findings = findings
        known = splits_by_apex(snapshot) if splits is None else splits
        self.splits: Mapping[Account, list[TrafficSplit]] = known

    def clusters_of(self, service: MeshService) -> tuple[WeightedCluster, ...]:
        """The clusters of a stream service."""
        splits = self.splits_of(service)
        if not splits:
            return service.clusters
        weights = {cluster.name: cluster for split in splits for cluster in self._backends(service, split)}
        return tuple(weights.values())

    def routes_of(self, service: MeshService) -> tuple[HTTPRoute, ...] | None:
        """The routes of an HTTP service: the wildcard, after those that its splits add.

        None where it answers to no host, as may be under a stock controller.
        """
        splits = self.splits_of(service)
        everything = wildcard(service.rule)
        if not splits:
            return to_clusters((everything,), *service.clusters)
        routes: list[HTTPRoute] = []
        rest: dict[str, WeightedCluster] = {}
        for split in splits:
            clusters = self._backends(service, split)
            routes.extend(to_clusters(self._split_routes(service, split), *clusters))
            if not split.spec.matches:
                rest.update((cluster.name, cluster) for cluster in clusters if cluster.name not in rest)
        if all(split.spec.matches for split in splits):
            rest = {
                cluster.name: WeightedCluster(cluster.name)
                for split in splits
                for cluster in self._backends(service, split)
            }
        if not any(route.path == everything.path for route in routes):
            routes.extend(to_clusters((everything,), *rest.values()))
        return united(routes)

    def balanced(self, routes: tuple[HTTPRoute, ...]) -> tuple[HTTPRoute, ...]:
        """The routes with the weights that count."""
        return balanced(routes)

    def splits_of(self, service: MeshService) -> list[TrafficSplit]:
        """The TrafficSplits whose apex a service is."""
        return self.splits.get((service.namespace, service.name), [])

    def _backends(self, service: MeshService, split: TrafficSplit) -> tuple[WeightedCluster, ...]:
        clusters: dict[str, WeightedCluster] = {}
        for index, backend in enumerate(split.spec.backends):
            before, slash, after = backend.service.partition("/")
            namespace, name = (before, after) if slash else (service.namespace, backend.service)
            target = self._target_port(namespace, name, service.port)
            found = spread(self.snapshot, namespace, name, service.port, target, backend.weight)
            if not found:
                message = f"service `{namespace}/{name}` has no endpoints for port {service.port}"
                rule = split.at(f"spec.backends[{index}]")
                self.findings.append(Finding(Code.MISSING_BACKEND, rule, message))
            clusters.update((cluster.name, cluster) for cluster in found)
        return tuple(clusters.values())

    def _target_port(self, namespace: str, name: str, port: int) -> int | None:
        service = self.snapshot.kind(Service).get(namespace, name)
        names = (entry.name for entry in service.spec.ports if entry.port == port) if service else iter(())
        endpoints = self.snapshot.kind(Endpoints).get(namespace, name)
        return next((target_port(endpoints, port_name) for port_name in names), None)

    def _split_routes(self, service: MeshService, split: TrafficSplit) -> Iterator[HTTPRoute]:
        for index, match in enumerate(split.spec.matches):
            group = self.snapshot.kind(HTTPRouteGroup).get(split.namespace, match.name)
            if group is None:
                message = f"HTTPRouteGroup `{split.namespace}/{match.name}` does not exist: it adds no route"
                rule = split.at(f"spec.matches[{index}]")
                self.findings.append(Finding(Code.MISSING_HTTP_ROUTE_GROUP, rule, message))
            else:
                yield from routes_of(group, service.rule)


# --- matches ---------------------------------------------------------------------------------------------


def _in_order(matches: Iterable[MeshMatch]) -> tuple[MeshMatch, ...]:
    """The matches that own an address, by their lowest one."""
    owning = (match for match in matches if match.owners)
    return tuple(sorted(owning, key=lambda match: match.owners[0].prefix.first))


def matches_on(
    snapshot: Snapshot,
    identity: Subject,
    services: Iterable[MeshService],
    backends: Backends,
    findings: list[Finding],
) -> list[MeshMatch]:
    """The matches of one port: all HTTP services together, each stream service by itself."""
    services = together(services)
    owned = _owned_addresses(services, findings)
    http = [service for service in services if service.is_http]
    matches = [
        MeshMatch(
            service.port,
            service.protocol,
            _owners([(service, addresses)]),
            clusters=backends.clusters_of(service),
        )
        for service, addresses in owned
        if not service.is_http
    ]
    if http:
        protocols = {service.protocol for service in http}
        if len(protocols) > 1:
            message = f"HTTP and gRPC services share port {http[0].port}: the match is written as `http`"
            findings.append(Finding(Code.HTTP_AND_GRPC, http[0].rule, message))
        protocol = Protocol.HTTP if Protocol.HTTP in protocols else Protocol.GRPC
        hosts = _virtual_hosts(snapshot, identity, http, backends, findings)
        matches.append(
            MeshMatch(
                http[0].port,
                protocol,
                _owners([(it, addresses) for it, addresses in owned if it.is_http]),
                hosts,
            )
        )
    return matches


def _owned_addresses(services: list[MeshService], findings: list[Finding]) -> list[Owned]:
    """The services of a port, each with the addresses of it that it owns.

    An address is the service's whose ClusterIP it is, else that of the first by name.
    """
    owners: dict[int, int] = {}
    for index in sorted(range(len(services)), key=lambda at: (services[at].namespace, services[at].name)):
        service = services[index]
        for address in service.reached_at:
            first = owners.setdefault(address.key, index)
            if first == index:
                continue
            owner = services[first]
            if service.cluster_ip == address != owner.cluster_ip:
                owners[address.key] = index
            if not (owner.is_http and service.is_http):
                winner = services[owners[address.key]]
                both = f"{owner.full_name} and {service.full_name}"
                message = f"{address} is behind {both}: {winner.full_name} has it"
                findings.append(Finding(Code.SHARED_ADDRESS, service.rule, message))
    return [
        (service, [address for address in service.reached_at if owners[address.key] == index])
        for index, service in enumerate(services)
    ]


def _owners(owned: Iterable[Owned]) -> tuple[Owner, ...]:
    owners = [
        Owner(Prefix.host(address), service.rule) for service, addresses in owned for address in addresses
    ]
    return tuple(sorted(owners, key=lambda owner: owner.prefix.first))


def _virtual_hosts(
    snapshot: Snapshot,
    identity: Subject,
    services: list[MeshService],
    backends: Backends,
    findings: list[Finding],
) -> tuple[VirtualHost, ...]:
    """The HTTP services of a port; a hostname of two goes to the shorter full name, then by code point."""
    named = [(service.full_name, service) for service in services]
    holder: dict[str, str] = {}
    hosts: dict[str, VirtualHost] = {}
    for name, service in sorted(named, key=lambda pair: (len(pair[0]), pair[0])):
        routes = backends.routes_of(service)
        if routes is None:
            continue
        own: list[str] = []
        for hostname in hostnames_of(snapshot, identity, service):
            if holder.setdefault(hostname, name) == name:
                own.append(hostname)
            else:
                message = f"hostname `{hostname}` belongs to {holder[hostname]}, not to {name}"
                findings.append(Finding(Code.SHARED_HOSTNAME, service.rule, message))
        known = hosts.get(name)
        hosts[name] = VirtualHost(
            name,
            tuple(sorted({*own, *(known.hostnames if known else ())})),
            backends.balanced(united((*known.routes, *routes)) if known else routes),
            known.rule if known else service.rule,
        )
    return tuple(hosts[name] for name in sorted(hosts))


# --- clusters --------------------------------------------------------------------------------------------


def references_of(matches: Iterable[MeshMatch]) -> Mapping[str, tuple[Account, ...]]:
    """The clusters that matches lead to, each with the services whose routes do."""
    used: dict[str, dict[Account, None]] = {}
    for match in matches:
        for cluster in match.clusters:
            named = used.setdefault(cluster.name, {})
            if match.protocol not in STREAMS:
                named.update(
                    ((owner.rule.resource.name, owner.rule.resource.namespace), None)
                    for owner in match.owners
                )
        for host in match.virtual_hosts:
            name, _, namespace = host.name.rpartition(".")
            for route in host.routes:
                for cluster in route.clusters:
                    used.setdefault(cluster.name, {})[name, namespace] = None
    return {name: tuple(accounts) for name, accounts in used.items()}


def clusters_of(
    snapshot: Snapshot,
    identity: Subject,
    services: Iterable[MeshService],
    used: Mapping[str, tuple[Account, ...]],
    findings: list[Finding],
) -> tuple[Cluster, ...]:
    """The clusters that matches lead to, as `references_of` gives them.

    A backend that the source may not reach has none.
    """
    behind = behind_clusters(services)
    return tuple(
        _cluster(snapshot, identity, name, behind[name], used[name], findings)
        for name in sorted(used)
        if name in behind
    )


def behind_clusters(services: Iterable[MeshService]) -> Mapping[str, list[MeshService]]:
    """Services by the clusters that stand for them."""
    behind: dict[str, list[MeshService]] = {}
    for service in services:
        behind.setdefault(service.cluster, []).append(service)
    return behind


def _cluster(
    snapshot: Snapshot,
    identity: Subject,
    name: str,
    services: list[MeshService],
    leading: tuple[Account, ...],
    findings: list[Finding],
) -> Cluster:
    endpoints = _endpoints(snapshot, services)
    if not endpoints:
        message = f"{services[0].full_name} has no ready endpoint that the source may reach"
        findings.append(Finding(Code.NO_ENDPOINTS, services[0].rule, message))
        return Cluster(name, (), services[0].rule)
    first = services[0]
    settings = settings_for(snapshot, first)
    return Cluster(
        name,
        endpoints,
        first.rule,
        settings[0].spec.connection_settings if settings else None,
        _retry_of(snapshot, identity, (first.name, first.namespace), leading),
    )


def _endpoints(snapshot: Snapshot, services: Iterable[MeshService]) -> tuple[Endpoint, ...]:
    """Where connections to a cluster end, each once: here by the port of the service, elsewhere by theirs."""
    listed = list(services)
    warmup = warmup_of(snapshot, listed[0].namespace, listed[0].name)
    outside = {ip.key for service in listed for ip in service.outside}
    found: dict[tuple[int, int], Endpoint] = {}
    for service in listed:
        for ip in service.endpoints:
            end = Endpoint(str(ip), service.port, outside=ip.key in outside)
            if warmup and grows(snapshot, service, ip):
                end = warmup.grow(end)
            found[ip.key, service.port] = end
    has_own = bool(found) or any(not it.key for service in listed for it in service.remotes)
    for service in listed:
        for it in service.remotes:
            port = it.port if it.key else service.port
            spare = 0 if has_own else WHOLE_WEIGHT
            weight = spare if it.weight is None else it.weight
            end = Endpoint(str(it.address), port, weight, outside=True, key=it.key, path=it.path)
            if warmup and grows(snapshot, service, it.address, elsewhere=True):
                end = warmup.grow(end)
            found[it.address.key, port] = end
    return tuple(found[place] for place in sorted(found))


def _retry_of(
    snapshot: Snapshot, identity: Subject, own: Account, leading: tuple[Account, ...]
) -> RetryPolicy | None:
    """What is tried again on a cluster: by the policy of a service split onto it, else its own service's."""
    others_first = sorted(leading, key=lambda account: (account == own, account))
    policies = (retry_for(snapshot, identity, account) for account in others_first)
    return next((policy for policy in policies if policy is not None), None)


def settings_for(snapshot: Snapshot, service: MeshService) -> tuple[UpstreamTrafficSetting, ...]:
    """The UpstreamTrafficSettings in its namespace whose host is the service; the first counts."""
    names = {service.full_name, f"{service.full_name}.svc.{snapshot.trust_domain}"}
    settings = snapshot.kind(UpstreamTrafficSetting).by_namespace.get(service.namespace, ())
    return tuple(setting for setting in settings if setting.spec.host in names)
