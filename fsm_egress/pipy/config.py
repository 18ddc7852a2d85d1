"""A resolved policy written as the `config.json` that FSM's sidecar scripts read (`docs/design.md`).

Keys are the wire names of FSM's own generator; the bytes are canonical: equal for equal meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from attrs import evolve, field

from ..documents import MAX_DEPTH, MAX_TEXT, excess, number_flaw, too_deep
from ..documents.base import number
from ..documents.compressed import MAGIC, pack, unpack
from ..resources.subjects import account_of
from ..values.construction import frozen
from ..values.errors import InvalidValue, Problem
from ..values.frozen import FrozenMap, freeze
from ..values.identity import Memory
from ..values.layered import Layered
from ..values.secrecy import kept
from .clusters import Wire, cluster_config, forward_config, named_gateway
from .matches import SharedRules, group_matches, mesh_match
from .parts import Parts, canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..policy import OutboundPolicy, PortPolicy, SidecarSpec
    from ..policy.parts import Cluster
    from .versions import FSMVersion

__all__ = [
    "CONFIG_FILES",
    "PipyConfig",
    "PortConfig",
    "assembled",
    "config_tree",
    "in_version",
    "port_matches",
    "read_tree",
    "sealed",
    "write_beside",
    "write_clusters",
    "write_config",
    "write_port",
]

CONFIG_FILES = ("config.json", "config.json.gz")  # of which a sidecar reads the second where both are there
CARRIED = ("Certificate", "Inbound", "AllowedEndpoints", "Probes")
VERSION_DIGITS = 16
NO_DUMP = (
    "so a sidecar answers `fsm proxy get config_dump` that reads `config.json.gz`; that file is in the"
    " controller's repo, at the URL that is the last argument of the container `sidecar`"
)
_TOO_DEEP = Problem(f"a config of at most {MAX_DEPTH} levels", "more")
MAX_VALUES = 1_000_000  # of a config that is read: no mesh has one as large


@frozen
class PipyConfig:
    """A whole `config.json`, as an immutable value.

    Attributes:
        content: its canonical bytes: UTF-8, keys sorted, ports by number.
        compressed: whether the sidecar is meant to read `config.json.gz` (`spec.sidecar.compressConfig`).
    """

    content: bytes
    compressed: bool = field(default=False, eq=False)

    @cached_property
    def tree(self) -> FrozenMap[Any]:
        """The content, in wire names."""
        frozen_tree: FrozenMap[Any] = freeze(json.loads(self.content))
        return frozen_tree

    @property
    def version(self) -> str:
        """A hash of the content, also its ETag: equal for equal content, in any process."""
        return str(self.tree["Version"])

    @property
    def file_name(self) -> str:
        """`config.json`, or `config.json.gz` where it is compressed."""
        return CONFIG_FILES[self.compressed]

    def to_mapping(self) -> Wire:
        """The content as plain dictionaries and lists of one's own."""
        plain: Wire = json.loads(self.content)
        return plain

    def to_json(self) -> bytes:
        """The canonical bytes of `config.json`."""
        return self.content

    def to_gzip(self) -> bytes:
        """The same, compressed; the header names neither a time nor a system."""
        return pack(self.content)

    @classmethod
    def from_bytes(cls, content: bytes) -> PipyConfig:
        """A config read back, compressed or not.

        Raises:
            InvalidValue: the bytes are no JSON object, or no gzip of one.
        """
        tree = read_tree(content)
        if not isinstance(tree, FrozenMap) or not isinstance(tree.get("Version"), str):
            raise InvalidValue.of("a config with its `Version`", tree)
        return cls(_ordered_bytes(tree), content[:2] == MAGIC)

    def __repr__(self) -> str:
        return f"<PipyConfig {self.version}>"


def read_tree(content: bytes) -> Any:
    """The frozen JSON of a config's bytes, compressed or not.

    Raises:
        InvalidValue: they are no JSON, or no gzip of one; they are more than is read; or they are none, as a
            sidecar answers that was given a compressed config.
    """
    if not content.strip():
        raise InvalidValue(Problem("the JSON of a config", "nothing", reason=NO_DUMP))
    try:
        text = _bounded(unpack(content, MAX_TEXT) if content[:2] == MAGIC else content)
        tree = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_number)
    except InvalidValue:
        raise
    except RecursionError:
        raise InvalidValue(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        is_deep = too_deep(error.doc[: error.pos], MAX_DEPTH) is not None
        problem = _TOO_DEEP if is_deep else Problem("the JSON of a config", reason=str(error).lower())
        raise InvalidValue(problem) from None
    except ValueError as error:
        raise InvalidValue(Problem("the JSON of a config", reason=str(error).lower())) from None
    if excess(tree):
        raise InvalidValue(_TOO_DEEP)
    return freeze(tree)


def _bounded(text: bytes) -> bytes:
    if len(text) > MAX_TEXT:
        raise InvalidValue(Problem(f"at most {MAX_TEXT // 2**20} MiB", "more"))
    if sum(map(text.count, (b",", b"[", b"{"))) >= MAX_VALUES:  # one before each value but the first
        raise InvalidValue(Problem(f"at most {MAX_VALUES} values", "more"))
    return text


def _number(text: str) -> Any:
    flaw = number_flaw(text)
    if flaw:
        raise InvalidValue(Problem(*flaw))
    return number(text)


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, sort_keys=True, default=Layered.whole)


def _encode(value: Any) -> bytes:
    """JSON with sorted keys; of mappings and lists that are plain."""
    return _ENCODER.encode(value).encode()


def write_config(policy: OutboundPolicy, carried: Mapping[str, Any] | None = None) -> PipyConfig:
    """The config of a policy.

    Args:
        policy: what is enforced.
        carried: `Inbound`, `Certificate`, `AllowedEndpoints` and `Probes`, written as they are given.

    Raises:
        InvalidValue: `carried` has another key.
    """
    gateway = named_gateway(policy)
    ports = [write_port(port, gateway) for port in policy.ports]
    clusters, beside = write_clusters(policy.clusters), write_beside(policy, carried)
    return assembled(beside, clusters, ports, compressed=policy.spec.compress_config)


@frozen(eq=False)
class PortConfig:
    """What a port contributes to a config.

    Attributes:
        matches: its list of matches, as the member of an object.
        clusters: the clusters of its outside hosts, likewise, by name.
    """

    matches: bytes
    clusters: Mapping[str, bytes]
    _parts: tuple[Memory[bytes], Memory[bytes], Memory[bytes]] = field(repr=False)


def write_port(port: PortPolicy, gateway: Wire, before: PortConfig | None = None) -> PortConfig:
    """The part of the config that depends on one port alone.

    Args:
        port: its policy.
        gateway: how rules of egress name the gateways of the mesh.
        before: the port of an earlier policy, with the same gateway: what they share is not written again.
    """
    inside, outside, clusters = before._parts if before else (Memory(), Memory(), Memory())  # noqa: SLF001  # because it is one
    shared = SharedRules(gateway)
    inside = inside.after(port.mesh, lambda match: _encode(mesh_match(match)))
    outside = outside.after(
        port.groups, lambda group: b",".join(map(_encode, group_matches(group, gateway, shared)))
    )
    clusters = clusters.after(port.clusters, _cluster_member)
    matches = b"[%b]" % b",".join([*inside.values(), *outside.values()])
    named = dict(zip([cluster.name for cluster in port.clusters], clusters.values(), strict=True))
    return PortConfig(_member(str(port.port), matches), named, (inside, outside, clusters))


def port_matches(port: PortPolicy, gateway: Wire, parts: Parts | None = None) -> list[Wire]:
    """The matches of a port: those of the mesh, then those of egress, which share what is alike.

    Args:
        port: its policy.
        gateway: how rules of egress name the gateways of the mesh.
        parts: what is written of the mesh already.
    """
    shared = SharedRules(gateway)
    outside = (match for group in port.groups for match in group_matches(group, gateway, shared))
    return [*map(mesh_match if parts is None else parts.match, port.mesh), *outside]


def write_clusters(clusters: Iterable[Cluster]) -> Mapping[str, bytes]:
    """Each cluster as a member of `ClustersConfigs`, by name."""
    return {cluster.name: _cluster_member(cluster) for cluster in clusters}


def _cluster_member(cluster: Cluster) -> bytes:
    return _member(cluster.name, _encode(cluster_config(cluster)))


def write_beside(policy: OutboundPolicy, carried: Mapping[str, Any] | None = None) -> Mapping[str, bytes]:
    """What hangs on the identity, the spec and the gateways of a policy alone, as members of the config.

    Args:
        policy: what is enforced.
        carried: as for `write_config`.

    Raises:
        InvalidValue: `carried` has another key.
    """
    return {key: _member(key, _ordered_bytes(value)) for key, value in _beside(policy, carried).items()}


def assembled(
    beside: Mapping[str, bytes],
    inside: Mapping[str, bytes],
    ports: Iterable[PortConfig],
    *,
    compressed: bool,
) -> PipyConfig:
    """The config of a policy of which the parts are written already.

    Args:
        beside: all members but `Outbound` and `Version`.
        inside: the clusters of the services inside the mesh.
        ports: those of the policy, in its order.
        compressed: whether the sidecar is meant to read `config.json.gz`.
    """
    members = {**beside, "Outbound": b'"Outbound":' + _outbound(inside, tuple(ports))}
    ordered = [members[key] for key in sorted(members)]
    return _versioned(b"{" + b",".join([*ordered, b'"Version":""}']), compressed=compressed)


def config_tree(
    policy: OutboundPolicy,
    carried: Mapping[str, Any] | None = None,
    parts: Parts | None = None,
    write: Callable[[PortPolicy, Wire, Parts], list[Wire]] = port_matches,
) -> Wire:
    """What `write_config` writes but for its `Version`; ranges share what is alike (`Layered`).

    Args:
        policy: what is enforced.
        carried: as for `write_config`.
        parts: what is written of the mesh already.
        write: the matches of a port, as `port_matches` does.

    Raises:
        InvalidValue: `carried` has another key.
    """
    gateway, parts = named_gateway(policy), parts or Parts()
    matches = {str(port.port): write(port, gateway, parts) for port in policy.ports}
    written = {cluster.name: parts.cluster(cluster) for cluster in policy.clusters}
    for port in policy.ports:
        written.update((cluster.name, cluster_config(cluster)) for cluster in port.clusters)
    outbound = {"ClustersConfigs": written or None, "TrafficMatches": matches} if matches else None
    return {**_beside(policy, carried), "Outbound": outbound}


def _beside(policy: OutboundPolicy, carried: Mapping[str, Any] | None) -> Wire:
    """The content of a config besides `Outbound` and `Version`."""
    given = dict(carried or {})
    for key in given:
        if key not in CARRIED:
            raise InvalidValue.of("one of " + ", ".join(f"`{name}`" for name in CARRIED), key)
    return {
        "Ts": None,
        "Metrics": False,
        "Spec": _spec(policy, given.get("Probes", {})),
        "Certificate": given.get("Certificate"),
        "Inbound": given.get("Inbound"),
        **({"Forward": forward_config(policy.forward)} if policy.forward else {}),
        "AllowedEndpoints": given.get("AllowedEndpoints", {}),
        "Chains": policy.spec.chains,
    }


def _outbound(inside: Mapping[str, bytes], ports: Sequence[PortConfig]) -> bytes:
    """Matches by port and clusters by name; null when there is nothing to match."""
    if not ports:
        return b"null"
    clusters = dict(inside)
    for port in ports:
        clusters.update(port.clusters)
    listed = b"{%b}" % b",".join([clusters[name] for name in sorted(clusters)]) if clusters else b"null"
    matches = b",".join([port.matches for port in ports])
    return b'{"ClustersConfigs":%b,"TrafficMatches":{%b}}' % (listed, matches)


def _member(name: str, value: bytes) -> bytes:
    """A member of a JSON object, from a value that is JSON already."""
    return _encode(name) + b":" + value


def _versioned(content: bytes, *, compressed: bool) -> PipyConfig:
    """The config of bytes that end with an empty `Version`."""
    version = sha256(content).hexdigest()[:VERSION_DIGITS]
    return PipyConfig(b'%b%b"}' % (content[:-2], version.encode()), compressed)


def sealed(content: Wire, *, compressed: bool) -> PipyConfig:
    """The config of this content, in canonical order and with the version that goes with it."""
    return _versioned(_ordered_bytes({**content, "Version": ""}), compressed=compressed)


def _ordered_bytes(value: Any) -> bytes:
    """JSON in canonical order."""
    return json.dumps(
        canonical(value), separators=(",", ":"), ensure_ascii=False, default=Layered.whole
    ).encode()


def _spec(policy: OutboundPolicy, probes: Any) -> Wire:
    spec: SidecarSpec = policy.spec
    observability: Wire = {}
    if spec.tracing is not None:
        observability["tracing"] = spec.tracing
    if spec.remote_logging is not None:
        kept(str(spec.remote_logging["authorization"]))
        observability["remoteLogging"] = spec.remote_logging
    return {
        "ServiceIdentity": account_of(policy.identity),
        "SidecarLogLevel": spec.log_level,
        "SidecarTimeout": spec.timeout,
        "Traffic": {
            "EnableEgress": spec.enable_egress,
            "HTTP1PerRequestLoadBalancing": spec.http1_per_request_load_balancing,
            "HTTP2PerRequestLoadBalancing": spec.http2_per_request_load_balancing,
        },
        "FeatureFlags": {
            "EnableSidecarActiveHealthChecks": spec.enable_sidecar_active_health_checks,
            "EnableAutoDefaultRoute": spec.enable_auto_default_route,
        },
        "Probes": probes,
        "Observability": observability,
        **({"ClusterSet": spec.cluster_set} if spec.cluster_set is not None else {}),
    }


def in_version(config: PipyConfig, version: FSMVersion) -> PipyConfig:
    """The config as the scripts of an FSM read it; see `versions`."""
    if not version.plain_hosts:
        return evolve(config, compressed=config.compressed and version.reads_gzip)
    content = config.to_mapping()
    for matches in ((content["Outbound"] or {}).get("TrafficMatches") or {}).values():
        for match in matches:
            hosts = match.get("HttpHostPort2Service")
            if hosts:
                match["HttpHostPort2Service"] = {host: rule["RuleName"] for host, rule in hosts.items()}
    return sealed(content, compressed=False)
