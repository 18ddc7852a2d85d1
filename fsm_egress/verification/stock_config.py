"""The `config.json` that a stock `fsm-controller` writes, where it goes its own way (`spec/controller.md`).

The controller reads the same resources, and most of what it makes of them is what this library writes too.
Only what differs is here: the resources are taken as the controller takes them, `Outbound` is put together by
its rules, and everything else is `write_config`'s. What it leaves to chance is written in canonical order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from operator import gt, itemgetter
from types import NoneType
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..manifests.manifest import structure
from ..patterns import Pattern
from ..pipy.clusters import certificate, cluster_config, named_gateway
from ..pipy.config import sealed, write_config
from ..pipy.matches import host_rules, mesh_match
from ..policy import SourceCert, VirtualHost, WeightedCluster
from ..resolution import resolve
from ..resolution.claims import host_clusters, resolve_claims
from ..resolution.inmesh import Backends, clusters_of, matches_on, references_of
from ..resolution.retries import retry_for, service_called
from ..resolution.routes import in_order, to_clusters, united
from ..resolution.services import MeshService, reached_services
from ..resources.checks import Protocol
from ..resources.core import Service
from ..resources.egress import EgressPolicy
from ..resources.smi import HTTPRouteGroup
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.errors import InvalidValue, LoadError
from ..values.frozen import thaw
from ..values.net import Address, Prefix, parse_prefix
from ..values.references import FieldRef, ResourceRef
from ..values.typed import takes

if TYPE_CHECKING:
    from ..manifests.loader import Refused
    from ..pipy.config import PipyConfig
    from ..policy import Claim, HTTPRoute, MeshMatch
    from ..resources.core import ServicePort
    from ..resources.subjects import Subject

__all__ = ["GRPC", "StockView", "stock_claims", "stock_config", "view_of", "written_protocol"]

GRPC = "grpc"
KNOWN_PROTOCOLS = {protocol.value for protocol in Protocol}
NO_CERTIFICATE = SourceCert(fsm_issued=False)
RANGES = "DestinationIPRanges"
ADDRESS_BYTES = {4: 4, 6: 16}

_ENDS_LIKE_A_PORT = re.compile(r"(.*:.*:\d+):\d+")

Wire = dict[str, Any]


@takes(snapshot=Snapshot, carried=(Mapping, NoneType))
def stock_config(
    snapshot: Snapshot, identity: Subject | str, carried: Mapping[str, Any] | None = None
) -> PipyConfig:
    """The config that a stock `fsm-controller` writes for `identity` (`name.namespace`).

    Args:
        snapshot: the mesh. Egress policies that a tolerant load refused for what the controller drops or
            passes on (a range that is none, the protocol `grpc`) count as the controller reads them.
        identity: whose sidecar reads the config.
        carried: `Inbound`, `Certificate`, `AllowedEndpoints` and `Probes`, written as they are given.

    Raises:
        InvalidValue: the text is no identity, or `carried` has another key.
    """
    view = view_of(snapshot)
    policy = resolve(view.snapshot, identity)
    content = write_config(policy, carried).to_mapping()
    gateway = named_gateway(policy)
    content["Outbound"] = _outbound(view, policy.identity, gateway)
    if policy.forward:
        for config in (content["Forward"]["EgressGateways"] or {}).values():
            config["Endpoints"] = _endpoints(config["Endpoints"])
    return sealed(content, compressed=policy.spec.compress_config)


# --- the resources as the controller reads them ----------------------------------------------------------


@frozen
class StockView:
    """The mesh as the controller sees it.

    Attributes:
        snapshot: with the policies that it does not refuse, and ports that it takes for TCP.
        raw: of a policy, the texts in `ipAddresses` that are no ranges.
        unknown: the protocols of service ports that the sidecar does not know.
        headers: of routes, the headers with their names as written, where these are not in lower case.
    """

    snapshot: Snapshot
    raw: Mapping[ResourceRef, tuple[str, ...]]
    unknown: Mapping[FieldRef, str]
    headers: Mapping[FieldRef, tuple[tuple[str, Pattern], ...]]

    def with_headers_as_written(self, route: HTTPRoute) -> HTTPRoute:
        """The sidecar, which compares names in lower case, never finds some of these."""
        written = self.headers.get(route.route) if route.route else None
        return evolve(route, headers=written or route.headers)


def view_of(snapshot: Snapshot) -> StockView:
    """A mesh as the controller reads it."""
    config = snapshot.mesh_config
    flags = config.spec.feature_flags
    if flags.enable_egress_policy is None:
        flags = evolve(flags, enable_egress_policy=False)
    taken = dict(filter(None, map(_as_taken, snapshot.refused)))
    services = [service for service in snapshot.kind(Service) if any(map(_is_odd, service.spec.ports))]
    return StockView(
        snapshot.with_(
            evolve(config, spec=evolve(config.spec, feature_flags=flags)),
            *taken,
            *map(_over_tcp, services),
        ),
        {policy.ref: texts for policy, texts in taken.items()},
        {
            service.at(f"spec.ports[{index}]"): (port.app_protocol or "").lower()
            for service in services
            for index, port in enumerate(service.spec.ports)
            if _is_unknown(port)
        },
        {
            group.at(f"spec.matches[{index}]"): tuple(sorted(match.headers.items(), key=itemgetter(0)))
            for group in snapshot.kind(HTTPRouteGroup)
            for index, match in enumerate(group.spec.matches)
            if any(name != name.lower() for name in match.headers)
        },
    )


def _as_taken(refused: Refused) -> tuple[EgressPolicy, tuple[str, ...]] | None:
    """A policy without the ranges and ports that are not understood, and those ranges.

    None where anything else is wrong with it, or it is no Egress policy.
    """
    document = thaw(refused.document)
    spec = document.get("spec")
    ranges, ports = (spec.get("ipAddresses"), spec.get("ports")) if isinstance(spec, dict) else (None, None)
    raw: tuple[str, ...] = ()
    if isinstance(ranges, list):
        raw = tuple(text for text in ranges if isinstance(text, str) and not _is_range(text))
        spec["ipAddresses"] = [text for text in ranges if text not in raw]
    listed = ports if isinstance(ports, list) else []
    dropped = {index for index, port in enumerate(listed) if _is_grpc(port)}
    for index in dropped:
        listed[index]["protocol"] = Protocol.HTTP.value  # to see whether anything else is wrong with it
    try:
        policy = structure(document, refused.source)
    except LoadError:
        return None
    return (_without_ports(policy, dropped), raw) if isinstance(policy, EgressPolicy) else None


def _without_ports(policy: EgressPolicy, dropped: set[int]) -> EgressPolicy:
    kept = tuple(port for index, port in enumerate(policy.spec.ports) if index not in dropped)
    return evolve(policy, spec=evolve(policy.spec, ports=kept))


def _is_range(text: str) -> bool:
    try:
        parse_prefix(text)
    except InvalidValue:
        return False
    return True


def _is_grpc(port: Any) -> bool:
    protocol = port.get("protocol") if isinstance(port, dict) else None
    return isinstance(protocol, str) and protocol.lower() == GRPC


def _is_unknown(port: ServicePort) -> bool:
    return port.app_protocol is not None and port.app_protocol.lower() not in KNOWN_PROTOCOLS


def _is_odd(port: ServicePort) -> bool:
    return port.protocol != "TCP" or _is_unknown(port)


def _over_tcp(service: Service) -> Service:
    """Every port a TCP port, and what is spoken there at least a stream."""
    ports = (
        evolve(port, protocol="TCP", app_protocol="tcp" if _is_unknown(port) else port.app_protocol)
        for port in service.spec.ports
    )
    return evolve(service, spec=evolve(service.spec, ports=tuple(ports)))


# --- matches ---------------------------------------------------------------------------------------------


def _outbound(view: StockView, identity: Subject, gateway: Wire) -> Wire | None:
    """Matches by port and clusters by name; null when there is nothing to match."""
    matches: dict[int, list[Wire]] = {}
    clusters: Wire = {}
    for port, match in _mesh_matches(view, identity, clusters):
        matches.setdefault(port, []).append(match)
    for port, claims in stock_claims(view, identity).items():
        matches.setdefault(port, []).extend(_egress_matches(view, identity, claims, gateway, clusters))
    if not matches:
        return None
    ordered = {str(port): _in_order_of_choice(listed) for port, listed in matches.items()}
    return {"TrafficMatches": ordered, "ClustersConfigs": clusters or None}


def _mesh_matches(view: StockView, identity: Subject, clusters: Wire) -> Iterator[tuple[int, Wire]]:
    """In-mesh matches: each has all addresses of its services, and no ranges where they have none."""
    services = [*reached_services(view.snapshot, identity, [])]
    together: dict[tuple[int, str], list[MeshService]] = {}
    for service in services:
        kind = "http" if service.is_http else f"{service.full_name} {service.protocol}"
        together.setdefault((service.port, kind), []).append(service)
    backends = Backends(view.snapshot, [])
    matches = [
        (match, group)
        for group in together.values()
        for match in matches_on(view.snapshot, identity, group, backends, [])
    ]
    leading: list[MeshMatch] = []
    for match, group in sorted(matches, key=_lowest):
        wire = mesh_match(_as_written(view, match))
        wire[RANGES] = dict.fromkeys(map(_as_ipv4, wire[RANGES])) or None
        if any(service.protocol is Protocol.GRPC for service in group):
            wire["Protocol"] = GRPC
        unknown = view.unknown.get(group[0].rule)
        if unknown is None:
            leading.append(match)
        else:
            wire["Protocol"] = unknown
            del wire["TcpServiceRouteRules"]
        yield match.port, wire
    for cluster in clusters_of(view.snapshot, identity, services, references_of(leading), []):
        config = cluster_config(cluster)
        clusters[cluster.name] = {**config, "Endpoints": _endpoints(config["Endpoints"])}


def _lowest(found: tuple[MeshMatch, list[MeshService]]) -> tuple[bool, Prefix | None]:
    owners = found[0].owners
    return not owners, owners[0].prefix if owners else None


def _as_ipv4(text: str) -> str:
    """An address as a range of 32 bits, whatever its version."""
    return text.replace("/128", "/32")


def _as_written(view: StockView, match: MeshMatch) -> MeshMatch:
    hosts = (
        evolve(host, routes=in_order(view.with_headers_as_written(route) for route in host.routes))
        for host in match.virtual_hosts
    )
    return evolve(match, virtual_hosts=tuple(hosts))


def _endpoints(endpoints: Wire | None) -> Wire | None:
    """An IPv6 address that ends like a port is taken to have one: it gets none."""
    if endpoints is None:
        return None
    return {_ENDS_LIKE_A_PORT.sub(r"\1", name): weight for name, weight in endpoints.items()}


def stock_claims(view: StockView, identity: Subject) -> Mapping[int, tuple[Claim, ...]]:
    """The claims of an identity's policies by port; where a secret is missing, with an empty certificate."""
    found = resolve_claims(view.snapshot, identity).by_port
    return {port: tuple(map(_certified, claims)) for port, claims in found.items()}


def _certified(claim: Claim) -> Claim:
    return evolve(claim, source_cert=NO_CERTIFICATE, broken=False) if claim.broken else claim


def _egress_matches(
    view: StockView, identity: Subject, claims: tuple[Claim, ...], gateway: Wire, clusters: Wire
) -> Iterator[Wire]:
    """One match for all claims of a port that speak the same protocol."""
    for protocol in (Protocol.HTTP, Protocol.HTTPS, Protocol.TCP, Protocol.TCP_SERVER_FIRST):
        own = tuple(claim for claim in claims if claim.protocol is protocol)
        if not own:
            continue
        if protocol is Protocol.HTTP:
            hosts = _hosts(view, own)
            clusters.update(_host_clusters(view, identity, own))
            yield _match(own, protocol, _http_ranges(own)) | host_rules(hosts, gateway)
            continue
        rules: Wire = {"TargetClusters": None, "AllowedEgressTraffic": True}
        if protocol is Protocol.HTTPS:
            name = str(own[0].port)
            rules = {"TargetClusters": {name: 100}, "AllowedEgressTraffic": False}
            hosts_of = sorted({host for claim in own for host in claim.hosts})
            endpoints = {f"{host}:{name}": {"Weight": 100} for host in hosts_of}
            clusters[name] = {"Endpoints": _endpoints(endpoints) or None}
        yield _match(own, protocol, _stream_ranges(view, own, claims)) | {
            "TcpServiceRouteRules": {**rules, **gateway}
        }


def _match(claims: tuple[Claim, ...], protocol: Protocol, ranges: Wire) -> Wire:
    return {RANGES: ranges or None, "Port": claims[0].port, "Protocol": written_protocol(protocol)}


def written_protocol(protocol: Protocol) -> str:
    """The protocol of the match of a claim."""
    return str(Protocol.TCP if protocol is Protocol.TCP_SERVER_FIRST else protocol)


def _http_ranges(claims: tuple[Claim, ...]) -> Wire:
    """The ranges go with the routes of a policy's hosts: without such they are lost."""
    prefixes = {prefix for claim in claims if claim.hosts and claim.routes for prefix in claim.prefixes}
    return dict.fromkeys(map(str, sorted(prefixes)))


def _stream_ranges(view: StockView, own: tuple[Claim, ...], claims: tuple[Claim, ...]) -> Wire:
    """All ranges, also those that are none, each with the certificate of the port's first stream policy."""
    prefixes = sorted({prefix for claim in own for prefix in claim.prefixes})
    raw = sorted({text for claim in own for text in view.raw.get(claim.rule.resource, ())})
    first = next(claim for claim in claims if claim.protocol is not Protocol.HTTP)
    shown = {"SourceCert": certificate(first.source_cert)} if first.source_cert else None
    return dict.fromkeys((*map(str, prefixes), *raw), shown)


def _hosts(view: StockView, claims: tuple[Claim, ...]) -> tuple[VirtualHost, ...]:
    routes: dict[str, list[HTTPRoute]] = {}
    for claim in claims:
        for host in claim.hosts:
            routes.setdefault(host, []).extend(map(view.with_headers_as_written, claim.routes))
    port, rule = claims[0].port, claims[0].rule
    return tuple(
        VirtualHost(
            host,
            (host, f"{host}:{port}"),
            to_clusters(united(routes[host]), WeightedCluster(f"{host}:{port}")),
            rule,
        )
        for host in sorted(routes)
    )


def _host_clusters(view: StockView, identity: Subject, claims: tuple[Claim, ...]) -> Wire:
    routed = {host for claim in claims if claim.routes for host in claim.hosts}
    clusters, _ = host_clusters(claims[0].port, claims)
    wire: Wire = {}
    for name, cluster in clusters.items():
        host = cluster.endpoints[0].host
        if host in routed:
            retried = retry_for(view.snapshot, identity, service_called(name))
            wire[name] = cluster_config(evolve(cluster, retry_policy=retried))
    return wire


# --- order -----------------------------------------------------------------------------------------------


def _in_order_of_choice(matches: Iterable[Wire]) -> list[Wire]:
    """The matches of a port, those with ranges first.

    Where ranges of two matches overlap, the order decides, and the controller's own sort is followed: by the
    ranges in pairs, the longest first, and then by their number. Elsewhere it is chance.
    """
    ranged = [match for match in matches if match[RANGES]]
    rest = [match for match in matches if not match[RANGES]]
    if all(_is_range(text) for match in ranged for text in match[RANGES]):
        prefixes = [[parse_prefix(text) for text in match[RANGES]] for match in ranged]
        if _overlap(prefixes):
            ranged = [ranged[index] for index in _sorted_by_controller([_rank(own) for own in prefixes])]
    return [*ranged, *rest]


def _overlap(matches: Iterable[Iterable[Prefix]]) -> bool:
    """Whether a range of one match lies inside a range of another."""
    ranges = sorted((prefix, index) for index, own in enumerate(matches) for prefix in own)
    around: list[tuple[Prefix, int]] = []
    for prefix, index in ranges:
        while around and not around[-1][0].covers(prefix):
            around.pop()
        if around and around[-1][1] != index:
            return True
        around.append((prefix, index))
    return False


_Rank = list[tuple[int, bytes]]


def _rank(prefixes: Iterable[Prefix]) -> _Rank:
    """What the controller compares: lengths, then addresses byte by byte, the greatest first."""
    ranks = ((prefix.length, _bytes(prefix.network)) for prefix in prefixes)
    return sorted(ranks, reverse=True)


def _bytes(address: Address) -> bytes:
    return address.value.to_bytes(ADDRESS_BYTES[address.version], "big")


def _comes_first(one: _Rank, other: _Rank) -> bool:
    """The controller's comparison, which is no order: of two matches, each may come first."""
    return any(map(gt, one, other)) or len(one) > len(other)


def _sorted_by_controller(ranks: list[_Rank]) -> list[int]:
    """The places of the matches after Go's sort, which is an insertion sort for so few."""
    placed: list[int] = []
    for index, rank in enumerate(ranks):
        place = len(placed)
        while place and _comes_first(rank, ranks[placed[place - 1]]):
            place -= 1
        placed.insert(place, index)
    return placed
