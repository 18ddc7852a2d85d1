"""The `config.json` that a stock `fsm-controller` writes, where it goes its own way (`controller.json`).

The controller reads the same resources, and most of what it makes of them is what this library writes too.
Only what differs is here: the resources are taken as the controller takes them, `Outbound` is put together by
its rules, and everything else is `write_config`'s. What it leaves to chance is written in canonical order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..pipy.clusters import certificate, cluster_config, named_gateway
from ..pipy.config import in_version, sealed, write_config
from ..pipy.matches import host_rules, mesh_match
from ..pipy.versions import LATEST, fsm_version
from ..policy.parts import VirtualHost, WeightedCluster
from ..resolution import resolve
from ..resolution.claims import host_clusters
from ..resolution.inmesh import clusters_of, matches_on, references_of
from ..resolution.plugins import plugins_of, with_plugins
from ..resolution.retries import retry_for, service_called
from ..resolution.routes import to_clusters
from ..resources.core import Service
from ..resources.words import Protocol
from ..snapshot import Snapshot
from ..values.typed import takes
from .stock_order import RANGES, matches_in_order, routes_in_order
from .stock_packing import packed
from .stock_splits import StockBackends
from .stock_view import StockView, stock_claims, view_of

if TYPE_CHECKING:
    from ..pipy.config import PipyConfig
    from ..pipy.versions import FSMVersion
    from ..policy.parts import Claim, HTTPRoute, MeshMatch
    from ..resolution.mesh_service import MeshService
    from ..resources.subjects import Subject
    from ..values.net import Prefix

__all__ = ["GRPC", "stock_config", "version_of", "written", "written_port", "written_protocol"]

GRPC = "grpc"
PORTS = 1 << 16

_ENDS_LIKE_A_PORT = re.compile(r"(.*:\d+):\d+")

Wire = dict[str, Any]


@takes(snapshot=Snapshot, carried=(Mapping, NoneType))
def stock_config(
    snapshot: Snapshot,
    identity: Subject | str,
    carried: Mapping[str, Any] | None = None,
    *,
    fsm: str | None = None,
) -> PipyConfig:
    """The config that a stock `fsm-controller` writes for `identity` (`name.namespace`).

    Args:
        snapshot: the mesh. Egress policies that a tolerant load refused for what the controller drops or
            passes on (a range that is none, the protocol `grpc`) count as the controller reads them.
        identity: whose sidecar reads the config.
        carried: `Inbound`, `Certificate`, `AllowedEndpoints` and `Probes`, written as they are given.
        fsm: the version of FSM, `1.4` or `1.3.7`; None for 1.5 to 1.7.

    Raises:
        InvalidValue: the text is no identity, `carried` has another key, or `fsm` is no version.
    """
    return written(view_of(snapshot, version_of(fsm)), identity, carried)


def version_of(fsm: str | None) -> FSMVersion:
    """The version that a text names; the latest where there is none.

    Raises:
        InvalidValue: the text is no version.
    """
    return LATEST if fsm is None else fsm_version(fsm)


def written(
    view: StockView, identity: Subject | str, carried: Mapping[str, Any] | None, *, pretty: bool = False
) -> PipyConfig:
    """The config that the controller writes of its view of a mesh; if `pretty` never packed."""
    policy = resolve(view.snapshot, identity)
    content = write_config(policy, carried).to_mapping()
    outbound = _outbound(view, policy.identity, named_gateway(policy))
    content["Outbound"] = packed(outbound) if outbound and view.packs and not pretty else outbound
    if policy.forward:
        for config in (content["Forward"]["EgressGateways"] or {}).values():
            config["Endpoints"] = _endpoints(config["Endpoints"])
    return in_version(sealed(content, compressed=policy.spec.compress_config), view.version)


# --- matches ---------------------------------------------------------------------------------------------


def _outbound(view: StockView, identity: Subject, gateway: Wire) -> Wire | None:
    """Matches by port and clusters by name; null when there is nothing to match."""
    matches: dict[int, list[Wire]] = {}
    clusters: Wire = {}
    for port, match in _mesh_matches(view, identity, clusters):
        matches.setdefault(port, []).append(match)
    for port, claims in stock_claims(view, identity).items():
        egress = _egress_matches(view, identity, claims, gateway, clusters)
        matches.setdefault(written_port(port), []).extend(egress)
    if not matches:
        return None
    ordered = {str(port): matches_in_order(listed) for port, listed in matches.items()}
    return {"TrafficMatches": ordered, "ClustersConfigs": clusters or None}


def _mesh_matches(view: StockView, identity: Subject, clusters: Wire) -> Iterator[tuple[int, Wire]]:
    """In-mesh matches: each has all addresses of its services, and no ranges where they have none."""
    services = view.services_of(identity)
    together: dict[tuple[int, str], list[MeshService]] = {}
    for service in services:
        kind = "http" if service.is_http else f"{service.full_name} {service.protocol}"
        together.setdefault((service.port, kind), []).append(service)
    backends = StockBackends(view)
    matches = [
        (match, group)
        for group in together.values()
        for match in matches_on(view.snapshot, identity, group, backends, [])
    ]
    leading: list[MeshMatch] = []
    plugins = plugins_of(view.snapshot, identity)
    for match, group in sorted(matches, key=_lowest):
        (told,) = with_plugins((_as_written(view, match),), plugins)
        wire = mesh_match(told)
        wire[RANGES] = dict.fromkeys(map(_as_ipv4, wire[RANGES])) or None
        first = [it for it in group if it.rule.resource.kind == Service.kind] or group  # of this cluster
        if any(service.protocol is Protocol.GRPC for service in first):
            wire["Protocol"] = GRPC
        unknown = view.unknown.get(group[0].rule)
        if unknown is None:
            leading.append(match)
            if match.protocol is Protocol.HTTPS and not backends.answers(group[0]):
                del wire["TcpServiceRouteRules"]
        else:
            wire["Protocol"] = unknown
            del wire["TcpServiceRouteRules"]
        yield match.port, wire
    for cluster in clusters_of(view.snapshot, identity, services, references_of(leading), []):
        if view.any_service and cluster.endpoints and not cluster.connection_settings:
            cluster = evolve(cluster, connection_settings=view.any_service.spec.connection_settings)  # noqa: PLW2901  # because it is the same one, as written
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
        evolve(host, routes=routes_in_order(view.with_headers_as_written(route) for route in host.routes))
        for host in match.virtual_hosts
    )
    return evolve(match, virtual_hosts=tuple(hosts))


def _endpoints(endpoints: Wire | None) -> Wire | None:
    """An IPv6 address that ends like a port is taken to have one: it gets none."""
    if endpoints is None:
        return None
    return {_ENDS_LIKE_A_PORT.sub(r"\1", name): weight for name, weight in endpoints.items()}


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
            port = written_port(own[0].port)
            endpoints = {f"{host}:{port}": {"Weight": 100} for claim in own for host in claim.hosts}
            clusters[name] = {"Endpoints": _endpoints(endpoints) or None}
        yield _match(own, protocol, _stream_ranges(view, own, claims)) | {
            "TcpServiceRouteRules": {**rules, **gateway}
        }


def _match(claims: tuple[Claim, ...], protocol: Protocol, ranges: Wire) -> Wire:
    port = written_port(claims[0].port)
    return {RANGES: ranges or None, "Port": port, "Protocol": written_protocol(protocol)}


def written_port(number: int) -> int:
    """The port of a match: of a number that is none the controller keeps the last 16 bits."""
    return number % PORTS


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
            routes_in_order(to_clusters(routes[host], WeightedCluster(f"{host}:{port}"))),
            rule,
        )
        for host in sorted(routes)
    )


def _host_clusters(view: StockView, identity: Subject, claims: tuple[Claim, ...]) -> Wire:
    routed = {host for claim in claims if claim.routes for host in claim.hosts}
    clusters, _ = host_clusters(claims)
    wire: Wire = {}
    for name, cluster in clusters.items():
        host = cluster.endpoints[0].host
        if host in routed:
            retried = retry_for(view.snapshot, identity, service_called(name))
            wire[name] = cluster_config(evolve(cluster, retry_policy=retried))
    return wire
