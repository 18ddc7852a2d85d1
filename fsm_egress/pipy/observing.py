"""The config for a sidecar that logs what it sees, and what policies that are not in force yet would refuse.

This library's module (`enforce.js`, with `observe.js`) reads it from the key `Observe`, which FSM's scripts
ignore: of the config, what is logged and where to, with a table of the policies that are asked; of a traffic
match, the verdict on what it lets through.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import field

from ..connections.decision import Verdict
from ..policy import OutboundPolicy
from ..resources.words import Protocol
from ..values.construction import frozen
from ..values.errors import IncompleteMesh, InvalidValue
from .config import sealed
from .enforcement import HTTP_CHAIN, TCP_CHAIN, script, with_module
from .rules import FORWARDED_METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..policy.groups import EgressGroup
    from ..policy.parts import HTTPRoute, MeshMatch
    from .clusters import Wire
    from .config import PipyConfig

__all__ = ["OBSERVE", "Observation", "observed_config", "observer_source"]

OBSERVE = "Observe"
HTTP_PORT = 80
EVERYWHERE = "0.0.0.0/0"

# What the observer reads is said by these modules of FSM.
NEEDED = {
    TCP_CHAIN: ("outbound-tcp-routing", "outbound-tcp-load-balancing"),
    HTTP_CHAIN: ("outbound-http-routing", "outbound-http-load-balancing"),
}

_URL = re.compile(r"http://([A-Za-z0-9._-]+)(?::([0-9]{1,5}))?(/[!-~]*)?", re.ASCII)


def _endpoint(value: Any) -> str | None:
    if value is None:
        return None
    found = _URL.fullmatch(value) if isinstance(value, str) else None
    if found is None or not 0 < int(found[2] or HTTP_PORT) < 2**16:
        expected = "the URL of an HTTP endpoint, such as `http://logs.monitoring:8080/egress`"
        raise InvalidValue.of(expected, value).at("log_to")
    return str(value)


def _sample(value: Any) -> float:
    if type(value) not in {int, float} or not 0 < value <= 1:
        raise InvalidValue.of("a share of connections, above 0 and up to 1", value).at("log_sample")
    return float(value)


@frozen
class Observation:
    """What a sidecar logs, and where to.

    Attributes:
        every: whether every connection is logged; else those alone that `shadow` would refuse.
        shadow: the policies that are asked, and not obeyed.
        endpoint: the URL that batches of JSON lines are posted to; None for standard output.
        sample: the share of connections that is looked at, chosen by chance.

    Raises:
        InvalidValue: the endpoint is no URL of HTTP, or the sample no share.
    """

    every: bool
    shadow: OutboundPolicy | None
    endpoint: str | None = field(default=None, converter=_endpoint)
    sample: float = field(default=1.0, converter=_sample)


def observer_source() -> bytes:
    """What the module logs by, as the file `modules/fsm-egress-observing.js` of a codebase."""
    return script("observe.js")


def observed_config(config: PipyConfig, policy: OutboundPolicy, observation: Observation) -> PipyConfig:
    """A config that makes the sidecar do what it did, and log what it sees.

    Args:
        config: what the sidecar goes on doing, with this library's module or without.
        policy: what the config was written from.
        observation: what is logged.

    Raises:
        InvalidValue: a chain lacks modules of FSM that say what becomes of a connection.
        IncompleteMesh: documents could not be read on which it may hang what the shadow refuses.
    """
    shadow = observation.shadow
    if shadow is not None and shadow.lost:
        raise IncompleteMesh(problem for loss in shadow.lost for problem in loss.problems)
    content = config.to_mapping()
    chains: dict[str, list[str]] = content["Chains"]
    for chain, needed in NEEDED.items():
        for name in needed:
            if f"modules/{name}.js" not in chains.get(chain, ()):
                raise InvalidValue.of(f"a chain `{chain}` with FSM's module `{name}`", chains.get(chain))
    content["Chains"] = with_module(chains)
    for port in policy.ports:
        for index, match in enumerate(content["Outbound"]["TrafficMatches"][str(port.port)]):
            verdict = Verdict.IN_MESH if index < len(port.mesh) else Verdict.EGRESS_POLICY
            match[OBSERVE] = verdict.value
    content[OBSERVE] = {
        "Every": observation.every,
        "Sample": observation.sample,
        "Headers": sorted({name for each in (policy, shadow) if each for name in _headers(each)}),
        **({"Endpoint": _endpoint_wire(observation.endpoint)} if observation.endpoint else {}),
        **({"Shadow": _shadow(shadow)} if shadow else {}),
    }
    return sealed(content, compressed=config.compressed)


def _endpoint_wire(url: str) -> Wire:
    """An endpoint as the module dials it: a URL that was checked."""
    host, _, path = url.removeprefix("http://").partition("/")
    address = host if ":" in host else f"{host}:{HTTP_PORT}"
    return {"Address": address, "Host": host, "Path": f"/{path}"}


def _headers(policy: OutboundPolicy) -> Iterator[str]:
    """The headers that routes look at: no others are logged, as they can hold secrets."""
    for port in policy.ports:
        parts: tuple[MeshMatch | EgressGroup, ...] = (*port.mesh, *port.groups)
        hosts = [host for part in parts for host in part.virtual_hosts]
        yield from (name for host in hosts for route in host.routes for name, _ in route.headers)


# --- the policies that are asked ---------------------------------------------------------------------------


def _shadow(policy: OutboundPolicy) -> Wire:
    """What is decided, as a table: ports, of each its matches in order, of each what it lets through."""
    interception = policy.interception
    ranges = [str(prefix) for prefix, _ in interception.excluded]
    living = {cluster.name for cluster in policy.clusters if any(it.weight for it in cluster.endpoints)}
    default = policy.spec.enable_auto_default_route
    return {
        "Passes": policy.spec.enable_egress,
        "Unseen": {
            "Ports": [port for port, _ in interception.excluded_ports],
            "Ranges": ranges if interception.without is None else [EVERYWHERE],
            "Included": [str(prefix) for prefix, _ in interception.included],
        },
        "Ports": {
            str(port.port): [
                *(_mesh_policy(match, living, default=default) for match in port.mesh),
                *(_group_policy(group, default=default) for group in port.groups),
            ]
            for port in policy.ports
        },
    }


def _mesh_policy(match: MeshMatch, living: set[str], *, default: bool) -> Wire:
    wire: Wire = {
        "Verdict": Verdict.IN_MESH.value,
        "Ranges": [str(owner.prefix) for owner in match.owners],
    }
    if not match.is_http:
        open_ = any(cluster.weight and cluster.name in living for cluster in match.clusters)
        return {**wire, "Bytes": open_, "TLS": open_, "HTTP": open_}
    hosts = {
        hostname: [_route(route, allowed=_leads(route, living)) for route in host.routes]
        for host in match.virtual_hosts
        for hostname in host.hostnames
    }
    return {**wire, "Hosts": hosts, **({"Otherwise": min(hosts)} if default and hosts else {})}


def _leads(route: HTTPRoute, living: set[str]) -> bool:
    """Whether a request of a route inside the mesh has somewhere to go."""
    return any(cluster.weight and cluster.name in living for cluster in route.clusters)


def _group_policy(group: EgressGroup, *, default: bool) -> Wire:
    wire: Wire = {"Verdict": Verdict.EGRESS_POLICY.value}
    if group.prefixes:
        wire["Ranges"] = [str(prefix) for prefix in group.prefixes]
    if group.stream:
        return {**wire, "Bytes": True, "TLS": True, "HTTP": True}
    if group.has(Protocol.HTTPS):
        wire |= {"TLS": True} if group.any_tls else {"ServerNames": [it.host for it in group.server_names]}
    if group.has(Protocol.HTTP):
        hosts = {
            hostname: [_route(route, allowed=True) for route in host.routes]
            for host in group.virtual_hosts
            for hostname in host.hostnames
        }
        first = min((host.name for host in group.virtual_hosts), default=None) if default else None
        wire |= {"Hosts": hosts, **({} if first is None else {"Otherwise": first})}
    return wire


def _route(route: HTTPRoute, *, allowed: bool) -> Wire:
    wire: Wire = {"Methods": list(route.methods or FORWARDED_METHODS), "Allowed": allowed}
    if not route.path.matches_everything:
        wire["Path"] = route.path.text
    if route.headers:
        wire["Headers"] = {name: pattern.text for name, pattern in route.headers}
    return wire
