"""The decision as the pages state it: slow, literal, and sharing nothing with the package.

Input is what a user has before any library reads it: Kubernetes documents as mappings, an identity as
`name.namespace`, a connection in the form of the documented vectors. Every clause stands under the sentence it
was written from, as `page, section: "sentence"`. Where a page is silent, the comment says "settled:" and what holds.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Document = dict[str, Any]
Documents = list[Document]
Targets = list[list[Any]]


class Route(NamedTuple):
    """A request's conditions; no methods means any, header names are in lower case."""

    path: str
    headers: tuple[tuple[str, str], ...]
    methods: tuple[str, ...]


class Part(NamedTuple):
    """One service on the connection's port, or one hostname of a headless service."""

    service: Document
    namespace: str
    name: str
    port: int
    protocol: str
    addresses: list[str]
    endpoints: list[str]
    reachable: bool


class Claim(NamedTuple):
    """One port of one policy that claims the connection's destination."""

    rule: str
    protocol: str
    hosts: list[str]
    routes: list[Route]
    broken: bool


ANY_REQUEST = Route(".*", (), ())


def decide(documents: Documents, identity: str, connection: Document) -> Document:
    """Decide one connection of one identity; the keys of the answer are those of `outcome`."""
    # decision.md, Order: "Each stage either decides or hands on."
    return (
        interception(documents, identity, connection)
        or in_mesh(documents, identity, connection)
        or egress_policies(documents, identity, connection)
        or passthrough(documents, connection)
    )


# Stage 0: interception


def interception(documents: Documents, identity: str, connection: Document) -> Document | None:
    destination = connection["destination"]
    untouched = [[original(connection), Fraction(1)]]
    lists = interception_lists(documents, identity)
    # decision.md, Order 0: "Not intercepted, hence PASSTHROUGH ...: destination 127.0.0.1"
    # settled: that address alone, not its network.
    if address(destination) == address("127.0.0.1"):
        return outcome("PASSTHROUGH", "not_intercepted", None, untouched)
    # decision.md, Order 0: "Exclusions are tested before inclusions."
    for rule, excluded, _, _ in lists:
        if any(inside(destination, prefix) for prefix in excluded):
            return outcome("PASSTHROUGH", "not_intercepted", rule, untouched)
    for rule, _, ports, _ in lists:
        if connection["port"] in ports:
            return outcome("PASSTHROUGH", "not_intercepted", rule, untouched)
    # decision.md, Order 0: "when outboundIPRangeInclusionList is not empty, destination outside it"
    inclusions = [(rule, prefix) for rule, _, _, included in lists for prefix in included]
    if inclusions and not any(inside(destination, prefix) for _, prefix in inclusions):
        return outcome("PASSTHROUGH", "not_intercepted", inclusions[0][0], untouched)
    return None


def interception_lists(
    documents: Documents, identity: str
) -> list[tuple[str | None, list[str], list[int], list[str]]]:
    """Each resource with its excluded prefixes, excluded ports and included prefixes."""
    traffic = mesh_config(documents, "traffic")
    lists = [
        (
            mesh_config_rule(documents),
            traffic.get("outboundIPRangeExclusionList", []),
            traffic.get("outboundPortExclusionList", []),
            traffic.get("outboundIPRangeInclusionList", []),
        )
    ]
    # decision.md, Order 0: "A pod's annotations ... (comma-separated) add to the mesh-wide lists."
    # settled: those of every Pod given that runs as the identity, together.
    for pod in of_kind(documents, "Pod"):
        if f"{account(pod)}.{namespace(pod)}" == identity:
            annotations = pod["metadata"].get("annotations", {})
            excluded, ports, included = (
                [item.strip() for item in annotations.get(f"flomesh.io/outbound-{key}", "").split(",") if item]
                for key in ("ip-range-exclusion-list", "port-exclusion-list", "ip-range-inclusion-list")
            )
            lists.append((reference(pod), excluded, [int(port) for port in ports], included))
    return lists


# Stage 1: in-mesh


def in_mesh(documents: Documents, identity: str, connection: Document) -> Document | None:
    destination = address(connection["destination"])
    parts = services_on(documents, identity, connection["port"])
    # decision.md, Order 1: "Among services that the source may reach ..., those with the connection's TCP port
    # and an address equal to the destination."
    reachable = [part for part in parts if part.reachable]
    owners = [part for part in reachable if any(address(ip) == destination for ip in part.addresses)]
    if not owners:
        return None
    # decision.md, Order 1: "the one whose ClusterIP it is decides, else the first by namespace and name"
    owner = min(
        owners, key=lambda part: (cluster_ip(part.service) != destination, part.namespace, part.name)
    )
    # decision.md, Order 1: "Protocol tcp, tcp-server-first, https: the service's cluster, or its TrafficSplit's."
    if owner.protocol not in ("http", "grpc"):
        found = endpoints_of_clusters(parts, stream_clusters(documents, parts, owner))
        if not found:
            return outcome("DENIED", "no_endpoints", reference(owner.service))
        return outcome("IN_MESH", "tcp_service", reference(owner.service), found)
    # settled: on an http or grpc match anything but HTTP is closed.
    if connection["sends"] != "http":
        return outcome("DENIED", "protocol_mismatch", reference(owner.service))
    # decision.md, Order 1: "the request's Host is looked up among the hostnames of all HTTP and gRPC services
    # on that port"
    speakers = [part for part in reachable if part.protocol in ("http", "grpc")]
    named = named_service(documents, identity, speakers, connection["request"]["host"].lower())
    # decision.md, Order 1: "no host or no route is DENIED (403)"
    if named is None:
        return outcome("DENIED", "no_host", reference(owner.service), status=403)
    routes = mesh_routes(documents, parts, named)
    for route in sorted(routes, key=route_order):
        if matches(route, connection["request"]):
            found = endpoints_of_clusters(parts, routes[route])
            # decision.md, Order 1: "A cluster without endpoints: DENIED, reason no endpoints (404 for HTTP)."
            if not found:
                return outcome("DENIED", "no_endpoints", reference(named.service), status=404)
            return outcome("IN_MESH", "http_route", reference(named.service), found)
    return outcome("DENIED", "no_route", reference(named.service), status=403)


def services_on(documents: Documents, identity: str, port: int) -> list[Part]:
    """Every service that takes part on this port, the source may reach it or not."""
    mode = mesh_config(documents, "traffic").get("serviceAccessMode", "mixed")
    parts = []
    for service in monitored(documents, "Service"):
        for spec in service["spec"]["ports"]:
            # controller.md, Goes its own way: "UDP service ports ...: left out"
            if spec["port"] != port or spec.get("protocol", "TCP") != "TCP":
                continue
            # controller.md, Goes its own way: "unknown appProtocol ...: left out"
            protocol = protocol_of(spec)
            if protocol not in ("http", "grpc", "tcp", "tcp-server-first", "https"):
                continue
            # resources.md, Services: "a service port with no endpoints has none and takes no part"
            target = target_port(documents, service, spec.get("name", ""))
            if target is None:
                continue
            allowed = reached_pods(documents, identity, service)
            belonging = addresses_of(documents, service, target)

            def part(
                name: str,
                addresses: Iterable[str],
                endpoints: Iterable[str],
                service: Document = service,
                protocol: str = protocol,
                allowed: list[str] | None = allowed,
            ) -> Part:
                # controller.md, Copied: "of their addresses only those among such pods' status.podIPs become
                # endpoints"; settled: destination addresses are not filtered by pods.
                ready = [ip for ip in unique(endpoints) if allowed is not None and ip in allowed]
                return Part(
                    service, namespace(service), name, port, protocol, unique(addresses), ready, allowed is not None
                )

            name = service["metadata"]["name"]
            if cluster_ip(service) is not None:
                # resources.md, Services: "its ClusterIP; in access mode ip or mixed also its endpoint addresses"
                # settled: all ready addresses of all subsets, while endpoints are those that belong to the port.
                everywhere = [] if mode == "domain" else addresses_of(documents, service, None)
                ips = [service["spec"]["clusterIP"], *(item["ip"] for item in everywhere)]
                parts.append(part(name, ips, [item["ip"] for item in belonging]))
                continue
            # controller.md, Copied: "Headless with hostnamed addresses: each counts as a service
            # hostname.service of its own, with its own address"
            hostnames = unique(item["hostname"] for item in belonging if "hostname" in item)
            for hostname in hostnames:
                ips = [item["ip"] for item in belonging if item.get("hostname") == hostname]
                parts.append(part(f"{hostname}.{name}", ips, ips))
            # resources.md, Services: "headless: its endpoint addresses"
            # controller.md, Goes its own way: "a headless service without ready addresses ...: left out"
            if belonging and not hostnames:
                ips = [item["ip"] for item in belonging]
                parts.append(part(name, ips, ips))
    return parts


def protocol_of(spec: Document) -> str:
    # resources.md, Services: "appProtocol, else the port name's prefix before - among ..., else http"
    # settled: in any letter case; the prefix needs its dash.
    if "appProtocol" in spec:
        return str(spec["appProtocol"]).lower()
    for protocol in ("tcp-server-first", "http", "tcp", "grpc"):
        if spec.get("name", "").startswith(f"{protocol}-"):
            return protocol
    return "http"


def target_port(documents: Documents, service: Document, name: str) -> int | None:
    # resources.md, Services: "Target port: from Endpoints by port name"
    # settled: the first of that name, subset by subset; a missing name is the empty one.
    for subset in subsets_of(documents, service):
        for port in subset.get("ports", []):
            if port.get("name", "") == name:
                return int(port["port"])
    return None


def addresses_of(documents: Documents, service: Document, target: int | None) -> Documents:
    """The ready addresses of the subsets that have the target port; of all subsets without one."""
    return [
        item
        for subset in subsets_of(documents, service)
        if target is None or any(port["port"] == target for port in subset.get("ports", []))
        for item in subset.get("addresses", [])
    ]


def reached_pods(documents: Documents, identity: str, service: Document) -> list[str] | None:
    """The pod addresses behind a service that the source may be sent to; None: it may not reach the service."""
    # decision.md, Order 1: "all of them in permissive mode"
    if mesh_config(documents, "traffic").get("enablePermissiveTrafficPolicyMode", False):
        return [item["ip"] for item in addresses_of(documents, service, None)]
    reached: list[str] | None = None
    for target in of_kind(documents, "TrafficTarget"):
        destination, rules = target["spec"]["destination"], target["spec"].get("rules", [])
        # decision.md, Order 1: "else those behind an SMI TrafficTarget that names the source"
        if not any(names(source, identity) for source in target["spec"].get("sources", [])):
            continue
        # controller.md, Copied: "A TrafficTarget counts when its namespace is its destination's and it has rules,
        # all of kind HTTPRouteGroup or TCPRoute."
        if namespace(target) != destination["namespace"] or destination["kind"] != "ServiceAccount":
            continue
        if not rules or not all(rule["kind"] in ("HTTPRouteGroup", "TCPRoute") for rule in rules):
            continue
        # controller.md, Copied: "The destination's services are those of its namespace whose selector matches a
        # Pod running under that service account"
        for pod in of_kind(documents, "Pod"):
            if (
                namespace(pod) == namespace(service) == destination["namespace"]
                and account(pod) == destination["name"]
                and selects(service, pod)
            ):
                ips = [item["ip"] for item in pod.get("status", {}).get("podIPs", [])]
                reached = [*(reached or []), *ips]
    return reached


def selects(service: Document, pod: Document) -> bool:
    selector, labels = service["spec"].get("selector", {}), pod["metadata"].get("labels", {})
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def named_service(documents: Documents, identity: str, speakers: list[Part], host: str) -> Part | None:
    hostnames = {part: hostnames_of(documents, identity, part) for part in map(Hashed, speakers)}
    known = {hostname for names_ in hostnames.values() for hostname in names_}
    # decision.md, Matching details: "With enableAutoDefaultRoute, a Host that is unknown on an HTTP match takes the
    # routes of the first hostname by code point."
    if host not in known and known and mesh_config(documents, "featureFlags").get("enableAutoDefaultRoute", False):
        host = min(known)
    claimants = [part.part for part, names_ in hostnames.items() if host in names_]
    # controller.md, Copied: "One claimed by two services goes to the shorter name.namespace, then by code point."
    full = [(len(f"{part.name}.{part.namespace}"), f"{part.name}.{part.namespace}", part) for part in claimants]
    return min(full, key=lambda item: item[:2])[2] if full else None
