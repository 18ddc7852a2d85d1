"""Matches as the sidecar's config has them: what takes the connections to a port, and where it sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..resources.words import Protocol
from ..values.frozen import thaw
from ..values.identity import Memory
from ..values.layered import Layered
from .clusters import certificate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..policy.groups import EgressGroup
    from ..policy.parts import HTTPRoute, MeshMatch, SourceCert, VirtualHost, WeightedCluster
    from ..values.net import Prefix
    from .clusters import Wire

__all__ = ["SharedRules", "group_matches", "host_rules", "mesh_match"]

HOSTS, RULES = "HttpHostPort2Service", "HttpServiceRouteRules"


def mesh_match(match: MeshMatch) -> Wire:
    """An in-mesh match of `TrafficMatches`."""
    wire: Wire = {
        "DestinationIPRanges": dict.fromkeys(str(owner.prefix) for owner in match.owners),
        "Port": match.port,
        "Protocol": _stream_protocol(match.protocol),
    }
    if match.is_http:
        return wire | host_rules(match.virtual_hosts, {})
    rules: Wire = {"TargetClusters": _weights(match.clusters), "AllowedEgressTraffic": False}
    return wire | {"TcpServiceRouteRules": rules | _told(match.plugins)}


def _told(plugins: Mapping[str, Any]) -> Wire:
    """What plugins are told, where they are."""
    return {"Plugins": thaw(plugins)} if plugins else {}


def _stream_protocol(protocol: Protocol) -> str:
    written: Protocol = Protocol.TCP if protocol is Protocol.TCP_SERVER_FIRST else protocol
    return str(written.value)


def group_matches(group: EgressGroup, gateway: Wire, shared: SharedRules) -> Iterator[Wire]:
    """The matches of a range group: `tcp` alone where a claim opens the stream, else `http`, then `https`.

    Claims that open nothing are written too: their match keeps the connection from passing through.

    Args:
        group: the addresses and what is claimed of them.
        gateway: how rules name the mesh's gateways.
        shared: the hosts of groups, with what many of them have in common.
    """
    if group.stream:
        yield _stream_match(group, Protocol.TCP, None, gateway, cert=group.stream.source_cert, allowed=True)
        return
    if group.has(Protocol.HTTP):
        ranges = dict.fromkeys(map(str, group.prefixes)) or None
        wire = {"DestinationIPRanges": ranges, "Port": group.port, "Protocol": Protocol.HTTP.value}
        yield {**wire, **shared.of(group)}
    if group.has(Protocol.HTTPS):
        anything = group.any_tls is not None
        listed = {group.tls_cluster: 100} if group.server_names and not anything else None
        whole = (claim for claim in group.claims if claim.protocol is Protocol.HTTPS and not claim.broken)
        shown = group.any_tls or next(whole, None)
        cert = shown.source_cert if shown else None
        yield _stream_match(group, Protocol.HTTPS, listed, gateway, cert=cert, allowed=anything)
    if not group.has(Protocol.HTTP, Protocol.HTTPS):
        yield _stream_match(group, Protocol.TCP, None, gateway, cert=None, allowed=False)


def _stream_match(
    group: EgressGroup,
    protocol: Protocol,
    clusters: Wire | None,
    gateway: Wire,
    *,
    cert: SourceCert | None,
    allowed: bool,
) -> Wire:
    return {
        "DestinationIPRanges": _ranges(group.prefixes, cert),
        "Port": group.port,
        "Protocol": protocol.value,
        "TcpServiceRouteRules": {"TargetClusters": clusters, "AllowedEgressTraffic": allowed, **gateway},
    }


def _ranges(prefixes: tuple[Prefix, ...], cert: SourceCert | None) -> Wire | None:
    """Ranges with the certificate that goes with each; null for any address."""
    shown = {"SourceCert": certificate(cert)} if cert else None
    return {str(prefix): shown for prefix in prefixes} or None


class SharedRules:
    """The hosts of range groups and their routes: what is claimed around many ranges is there once."""

    def __init__(self, gateway: Wire) -> None:
        self._gateway = gateway
        self._known: Memory[Wire] = Memory()

    def of(self, group: EgressGroup) -> Mapping[str, Any]:
        """The rules of a group, as `host_rules` has them."""
        return self._known.once(group, self._made)

    def _made(self, group: EgressGroup) -> Wire:
        if group.around is None or group.is_entangled:
            return host_rules(group.virtual_hosts, self._gateway)
        own = host_rules(group.own_hosts, self._gateway)
        around = self.of(group.around)
        return {
            key: Layered(own[key], around[key])
            if key in own and key in around
            else own.get(key, around.get(key))
            for key in (HOSTS, RULES)
            if key in own or key in around
        }


def host_rules(hosts: Iterable[VirtualHost], gateway: Wire) -> Wire:
    """The hostnames of a match and the routes of each host; a match without hosts has neither key."""
    names = {hostname: {"RuleName": host.name} for host in hosts for hostname in host.hostnames}
    rules = {
        host.name: {
            "RouteRules": [_route(route) for route in host.routes] or None,
            **gateway,
            **_told(host.plugins),
        }
        for host in hosts
    }
    wire: Wire = {}
    if names:
        wire[HOSTS] = names
    if rules:
        wire[RULES] = rules
    return wire


def _route(route: HTTPRoute) -> Wire:
    wire: Wire = {
        "Path": route.path.text,
        "Type": "Regex",
        "TargetClusters": _weights(route.clusters),
    }
    if route.headers:
        wire["Headers"] = {name: value.text for name, value in route.headers}
    if route.methods:
        wire["Methods"] = list(route.methods)
    return wire


def _weights(clusters: Iterable[WeightedCluster]) -> Wire | None:
    return {cluster.name: cluster.weight for cluster in clusters} or None
