"""The scan that one writes in an hour with `ipaddress`, and the policies in the plain words it works on."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from fsm_egress import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .workload import Account, Call, Tree

__all__ = ["ANYTHING", "Listener", "Policy", "Route", "Scan", "listeners_of", "policies_of"]

Network: TypeAlias = "IPv4Network | IPv6Network"
IPAddress: TypeAlias = "IPv4Address | IPv6Address"
Decided: TypeAlias = "tuple[Verdict, Reason]"


class Route(NamedTuple):
    """A match of an HTTPRouteGroup."""

    path: str
    methods: Sequence[str]
    headers: Mapping[str, str]


class Policy(NamedTuple):
    """A port of an Egress policy, and whom it is for."""

    sources: Sequence[Account]
    port: int
    protocol: str
    networks: Sequence[Network]
    hosts: Sequence[str]
    routes: Sequence[Route]


class Listener(NamedTuple):
    """A port of a service of the mesh; `hosts` where it speaks HTTP."""

    port: int
    addresses: Sequence[IPAddress]
    hosts: Sequence[str] | None


ANYTHING = Route(".*", ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"), {})


def policies_of(trees: Iterable[Tree]) -> list[Policy]:
    """The Egress policies, with the routes that they refer to."""
    groups = {_name(tree): tree["spec"]["matches"] for tree in trees if tree["kind"] == "HTTPRouteGroup"}
    found: list[Policy] = []
    for tree in trees:
        if tree["kind"] != "Egress":
            continue
        spec, namespace = tree["spec"], tree["metadata"]["namespace"]
        routes = [
            Route(
                match["pathRegex"],
                match["methods"],
                {name: value for header in match.get("headers", []) for name, value in header.items()},
            )
            for reference in spec.get("matches", [])
            for match in groups[namespace, reference["name"]]
        ]
        sources = [(source["name"], source["namespace"]) for source in spec["sources"]]
        networks = [ip_network(text) for text in spec.get("ipAddresses", [])]
        for port in spec["ports"]:
            number, protocol, hosts = port["number"], port["protocol"], spec.get("hosts", [])
            if protocol == "http":
                hosts = _with_port(hosts, number)
            found.append(Policy(sources, number, protocol, networks, hosts, routes or [ANYTHING]))
    return found


def listeners_of(trees: Iterable[Tree], namespace: str) -> list[Listener]:
    """The services of the mesh; the hosts of a port are those of all its services."""
    pods = {
        _name(tree): [ip_address(entry["ip"]) for subset in tree["subsets"] for entry in subset["addresses"]]
        for tree in trees
        if tree["kind"] == "Endpoints"
    }
    found: list[Listener] = []
    hosts: dict[int, list[str]] = {}
    for tree in trees:
        if tree["kind"] != "Service":
            continue
        space, name = _name(tree)
        addresses = [ip_address(tree["spec"]["clusterIP"]), *pods[space, name]]
        names = [f"{name}.{space}{suffix}" for suffix in ("", ".svc", ".svc.cluster", ".svc.cluster.local")]
        names += [*map(str, addresses), *([name] if space == namespace else [])]
        for port in tree["spec"]["ports"]:
            number = port["port"]
            if port["appProtocol"] == "http":
                hosts.setdefault(number, []).extend(_with_port(names, number))
            found.append(
                Listener(number, addresses, hosts[number] if port["appProtocol"] == "http" else None)
            )
    return found


def _name(tree: Tree) -> Account:
    return tree["metadata"]["namespace"], tree["metadata"]["name"]


def _with_port(hosts: Iterable[str], port: int) -> list[str]:
    return [text for host in hosts for text in (host, f"{host}:{port}")]


class Scan:
    """Every policy in turn; at least the networks are made beforehand."""

    def __init__(self, trees: list[Tree], account: Account) -> None:
        self.account = account
        self.policies = policies_of(trees)
        self.listeners = listeners_of(trees, account[1])

    def decide(self, call: Call) -> Decided:
        """The verdict and the reason."""
        address = ip_address(call.destination)
        for listener in self.listeners:
            if listener.port == call.port and address in listener.addresses:
                return self._in_mesh(listener, call)
        claims = [
            policy
            for policy in self.policies
            if self.account in policy.sources
            and policy.port == call.port
            and (not policy.networks or any(address in network for network in policy.networks))
        ]
        if not claims:
            return Verdict.DENIED, Reason.EGRESS_DISABLED
        if any(claim.protocol in {"tcp", "tcp-server-first"} for claim in claims):
            return Verdict.EGRESS_POLICY, Reason.TCP_PORT
        wanted = {"http": "http", "tls": "https"}.get(call.sends)
        claims = [claim for claim in claims if claim.protocol == wanted]
        if not claims:
            return Verdict.DENIED, Reason.PROTOCOL_MISMATCH
        claims = [claim for claim in claims if (call.host or "").lower() in claim.hosts]
        if wanted == "https":
            if claims:
                return Verdict.EGRESS_POLICY, Reason.TLS_SERVER_NAME
            return Verdict.DENIED, Reason.NO_SERVER_NAME
        if not claims:
            return Verdict.DENIED, Reason.NO_HOST
        if any(self._takes(route, call) for claim in claims for route in claim.routes):
            return Verdict.EGRESS_POLICY, Reason.HTTP_ROUTE
        return Verdict.DENIED, Reason.NO_ROUTE

    def _in_mesh(self, listener: Listener, call: Call) -> Decided:
        if listener.hosts is None:
            return Verdict.IN_MESH, Reason.TCP_SERVICE
        if call.sends != "http":
            return Verdict.DENIED, Reason.PROTOCOL_MISMATCH
        if (call.host or "").lower() not in listener.hosts:
            return Verdict.DENIED, Reason.NO_HOST
        if call.method not in ANYTHING.methods:
            return Verdict.DENIED, Reason.NO_ROUTE
        return Verdict.IN_MESH, Reason.HTTP_ROUTE

    def _takes(self, route: Route, call: Call) -> bool:
        headers = call.headers or {}
        return (
            call.method in route.methods
            and re.search(route.path, call.path) is not None
            and all(re.search(look, headers.get(name, "")) for name, look in route.headers.items())
        )
