"""The config for a sidecar that has this library's module, which ends the shortcomings of FSM's own scripts.

The matches say by the key `Enforce` what the module (`enforce.js`) does with their connections; FSM's scripts
ignore the key. Backends and gateways that have no endpoints are left out, as a balancer would pick them.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..resources.words import Protocol
from .clusters import Wire, certificate
from .config import config_tree, sealed
from .matches import SharedRules, group_matches, mesh_match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..policy import OutboundPolicy, PortPolicy
    from ..policy.groups import EgressGroup
    from ..policy.parts import HTTPRoute, MeshMatch, WeightedCluster
    from .config import PipyConfig
    from .parts import Parts

__all__ = [
    "ENFORCE",
    "HTTP_CHAIN",
    "MODULE",
    "OBSERVER",
    "TCP_CHAIN",
    "enforced_tree",
    "module_source",
    "script",
    "with_module",
    "write_enforced_config",
]

MODULE, OBSERVER = "modules/fsm-egress.js", "modules/fsm-egress-observing.js"
ENFORCE = "Enforce"
TCP_CHAIN, HTTP_CHAIN = "outbound-tcp", "outbound-http"
HTTP_ROUTING = "modules/outbound-http-routing.js"
NO_HOST = ""


def module_source() -> bytes:
    """The module, as the file `modules/fsm-egress.js` of a codebase."""
    return script("enforce.js")


def script(name: str) -> bytes:
    """A script of this package."""
    return files(__name__.rpartition(".")[0]).joinpath(name).read_bytes()


def write_enforced_config(policy: OutboundPolicy, carried: Mapping[str, Any] | None = None) -> PipyConfig:
    """The config of a policy whose decisions the module enforces.

    Args:
        policy: what is enforced.
        carried: `Inbound`, `Certificate`, `AllowedEndpoints` and `Probes`, written as they are given.

    Raises:
        InvalidValue: `carried` has another key.
    """
    return sealed(enforced_tree(policy, carried), compressed=policy.spec.compress_config)


def enforced_tree(
    policy: OutboundPolicy, carried: Mapping[str, Any] | None = None, parts: Parts | None = None
) -> Wire:
    """What `write_enforced_config` writes; see `config_tree`."""
    content = config_tree(policy, carried, parts, _matches(policy))
    if content["Outbound"]:
        clusters = {**(content["Outbound"]["ClustersConfigs"] or {}), **_server_name_clusters(policy)}
        content["Outbound"]["ClustersConfigs"] = clusters or None
    if "Forward" in content:
        usable = content["Forward"]["EgressGateways"] or {}
        matches = content["Forward"]["ForwardMatches"]
        content["Forward"]["ForwardMatches"] = {
            key: {name: weight for name, weight in weights.items() if name in usable}
            for key, weights in matches.items()
        }
    content["Chains"] = with_module(content["Chains"])
    return content


def with_module(chains: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Chains with the module where it belongs, and nowhere else."""
    return {
        name: _with_module(name, [module for module in modules if module != MODULE])
        for name, modules in chains.items()
    }


def _with_module(chain: str, modules: list[str]) -> list[str]:
    """A chain with the module at the head, and behind the routing of requests."""
    if chain not in {TCP_CHAIN, HTTP_CHAIN}:
        return modules
    placed = [MODULE]
    for module in modules:
        placed.append(module)
        if module == HTTP_ROUTING:
            placed.append(MODULE)
    return placed


# --- matches ---------------------------------------------------------------------------------------------


def _matches(policy: OutboundPolicy) -> Callable[[PortPolicy, Wire, Parts], list[Wire]]:
    """How the matches of a port are written."""
    living = {cluster.name for cluster in policy.clusters if cluster.endpoints}
    default = policy.spec.enable_auto_default_route

    def matches(port: PortPolicy, gateway: Wire, parts: Parts) -> list[Wire]:
        shared = SharedRules(gateway)
        inside = [_mesh_match(match, living, parts) for match in port.mesh]
        outside = [_group_match(group, gateway, shared, default=default) for group in port.groups]
        return [*inside, *outside]

    return matches


def _mesh_match(match: MeshMatch, living: set[str], parts: Parts) -> Wire:
    """An in-mesh match without backends that have no endpoints; a stream that has no other is refused."""
    is_whole = living.issuperset(match.leads_to)
    if match.is_http and not is_whole:
        hosts = tuple(
            evolve(host, routes=tuple(_living_route(route, living) for route in host.routes))
            for host in match.virtual_hosts
        )
        return mesh_match(evolve(match, virtual_hosts=hosts))
    left = _living(match.clusters, living)
    if match.is_http or any(cluster.weight for cluster in left):
        return parts.match(match) if is_whole else mesh_match(evolve(match, clusters=left))
    return {**mesh_match(match), ENFORCE: {"Accept": []}}


def _living_route(route: HTTPRoute, living: set[str]) -> HTTPRoute:
    """A route to what is left of its clusters; where nothing is, it stays, and answers 404."""
    return evolve(route, clusters=_living(route.clusters, living) or route.clusters)


def _living(clusters: Iterable[WeightedCluster], living: set[str]) -> tuple[WeightedCluster, ...]:
    return tuple(cluster for cluster in clusters if cluster.name in living)


def _group_match(group: EgressGroup, gateway: Wire, shared: SharedRules, *, default: bool) -> Wire:
    """The one match of a range group: the `https` match if there is one, with the hosts of the `http` one."""
    wire: Wire = {}
    for match in group_matches(group, gateway, shared):
        wire |= match
    if default and group.has(Protocol.HTTP) and not group.virtual_hosts and not group.stream:
        # The scripts take the first host for an unknown one, and break where there is none.
        wire["HttpHostPort2Service"] = {NO_HOST: {"RuleName": NO_HOST}}
    return {**wire, ENFORCE: _rules(group)}


def _rules(group: EgressGroup) -> Wire:
    rules: Wire = {"Egress": True}
    if group.stream:
        cert = group.stream.source_cert
        return rules | ({"SourceCert": certificate(cert)} if cert else {})
    if group.has(Protocol.HTTPS):
        rules["Accept"] = ["tls", "http"] if group.has(Protocol.HTTP) else ["tls"]
        if group.any_tls is None:
            rules["ServerNames"] = {name.host: _cluster_of(group, name.host) for name in group.server_names}
    elif not group.has(Protocol.HTTP):
        rules["Accept"] = []
    return rules


def _cluster_of(group: EgressGroup, host: str) -> str:
    return f"{group.port}/{host}"


def _server_name_clusters(policy: OutboundPolicy) -> Wire:
    """A cluster for each server name, with that one endpoint."""
    groups = (group for port in policy.ports for group in port.groups if not group.any_tls)
    return {
        _cluster_of(group, name.host): {"Endpoints": {f"{name.host}:{group.port}": {"Weight": 100}}}
        for group in groups
        for name in group.server_names
    }
