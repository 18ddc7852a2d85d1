"""The resolved policy of one identity: everything that is enforced for it, in canonical order.

Made by `resolution` and read twice, independently: by the engine, which decides, and by `pipy/config.py`,
which writes what the sidecar reads. `parts` has what it is made of, `groups` the egress of a port.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from attrs import evolve, field

from ..connections.findings import Code, Finding
from ..resources.losses import Loss
from ..resources.subjects import Pods, Subject
from ..values.construction import frozen
from ..values.frozen import FrozenMap
from ..values.net import Prefix
from ..values.notebook import Shown, Table, listed
from ..values.references import FieldRef
from ..values.secrecy import unless_empty
from .groups import EgressGroup
from .parts import Claim, Cluster, Endpoint, MeshMatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LOOPBACK", "Forward", "Gateway", "Interception", "OutboundPolicy", "PortPolicy", "SidecarSpec"]


@frozen
class PortPolicy:
    """Everything that is decided on one destination port, in the order of the config.

    Attributes:
        mesh: the in-mesh matches.
        groups: the range groups of egress, the one without ranges last.
        outside: the clusters of the outside hosts that requests go to, by name.
    """

    port: int
    mesh: tuple[MeshMatch, ...]
    groups: tuple[EgressGroup, ...]
    outside: tuple[Cluster, ...]

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """Those of the outside hosts, and of the server names of each group, by name."""
        named = (group.cluster for group in self.groups)
        found = {cluster.name: cluster for cluster in (*self.outside, *named) if cluster}
        return tuple([found[name] for name in sorted(found)])


LOOPBACK = (Prefix("0.0.0.0/32"), Prefix("127.0.0.0/8"))  # what leaves by `lo` is never redirected


@frozen
class Interception:
    """Which connections the sidecar never sees; each entry with the place where it was written.

    Attributes:
        excluded: ranges that pass by it.
        included: ranges outside of which everything passes by it; none: there is no such list.
        excluded_ports: ports that pass by it.
        own: the addresses of the pod itself, which leave by the loopback interface.
        without: the field by which the pod has no sidecar at all, if it has none; then nothing else counts.
        why: why it has none.
        interfaces: network interfaces by which connections pass by it: which one a connection takes, no
            address tells.
        unproven: why nothing here is proven, where no sidecar is in the pod and yet it is intercepted.
        apart: a pod of each kind, where those of an account are not intercepted alike: then the lists are
            those of the mesh alone, and decide for none of them.
    """

    excluded: tuple[tuple[Prefix, FieldRef], ...] = ()
    included: tuple[tuple[Prefix, FieldRef], ...] = ()
    excluded_ports: tuple[tuple[int, FieldRef], ...] = ()
    own: tuple[Prefix, ...] = ()
    without: FieldRef | None = None
    why: str = ""
    interfaces: tuple[tuple[str, FieldRef], ...] = ()
    unproven: str = ""
    apart: tuple[Pods, ...] = field(default=(), eq=False)

    @property
    def local(self) -> tuple[Prefix, ...]:
        """What leaves by the loopback interface, whatever the lists say."""
        return (*LOOPBACK, *self.own)


@frozen
class Gateway:
    """A service that egress is tunnelled through: its weight, mode and endpoints."""

    name: str
    weight: int
    mode: str
    endpoints: tuple[Endpoint, ...]


@frozen
class Forward:
    """The egress gateways of the mesh; those without endpoints carry nothing."""

    gateways: tuple[Gateway, ...]
    rule: FieldRef


@frozen
class SidecarSpec:
    """What the sidecar is told besides the policy; times in seconds."""

    log_level: str
    timeout: int
    enable_egress: bool
    http1_per_request_load_balancing: bool
    http2_per_request_load_balancing: bool
    enable_sidecar_active_health_checks: bool
    enable_auto_default_route: bool
    compress_config: bool
    tracing: FrozenMap[str] | None
    remote_logging: FrozenMap[str | int] | None = field(repr=False)  # it holds a credential
    cluster_set: FrozenMap[str] | None
    chains: FrozenMap[tuple[str, ...]]

    def without_secrets(self) -> SidecarSpec:
        """The same without the credential."""
        if self.remote_logging is None:
            return self
        credential = unless_empty(str(self.remote_logging["authorization"]))
        return evolve(self, remote_logging=FrozenMap({**self.remote_logging, "authorization": credential}))


@frozen
class OutboundPolicy(Shown):
    """All that governs the outbound connections of one identity.

    Attributes:
        identity: whose connections.
        spec: switches and settings, mesh-wide.
        switch: the field `spec.traffic.enableEgress` that decides about what no rule claims.
        interception: what the sidecar never sees.
        clusters: those of the services inside the mesh, by name.
        ports: one policy a port, by port number.
        forward: the egress gateways, where a usable resource names any.
        forwarded: whether egress rules name the gateways at all (`EgressForwardGateway`).
        findings: what was left out or cannot be honoured.
        lost: the documents that could not be read, for which it may be another.
    """

    identity: Subject
    spec: SidecarSpec
    switch: FieldRef
    interception: Interception
    clusters: tuple[Cluster, ...]
    ports: tuple[PortPolicy, ...]
    forward: Forward | None
    forwarded: bool
    findings: tuple[Finding, ...]
    lost: tuple[Loss, ...] = ()

    @property
    def numbers(self) -> frozenset[int]:
        """The ports that it speaks of."""
        return frozenset(self._by_number)

    def port(self, number: int) -> PortPolicy:
        """The policy of one of these ports."""
        return self._by_number[number]

    def later(self, number: int) -> Callable[[], PortPolicy]:
        """The policy of one of these ports, for when it is needed; the others may be gone then."""
        port = self.port(number)
        return lambda: port

    @property
    def cluster(self) -> Callable[[str], Cluster | None]:
        """The cluster of services of a name, if there is one."""
        return self._by_name.get

    @cached_property
    def _by_number(self) -> Mapping[int, PortPolicy]:
        return {port.port: port for port in self.ports}

    @cached_property
    def _by_name(self) -> Mapping[str, Cluster]:
        return {cluster.name: cluster for cluster in self.clusters}

    @property
    def conditions(self) -> tuple[Finding, ...]:
        """What the mesh uses and this library does not model: what is decided stands under these."""
        return tuple(it for it in self.findings if it.code is Code.NOT_MODELLED)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims of Egress policies, by port."""
        groups = (group for port in self.ports for group in port.groups)
        return tuple(dict.fromkeys(claim for group in groups for claim in group.claims))

    def table(self) -> Table:
        """What a notebook shows of it: a row for each claim of an Egress policy."""
        rows = tuple(
            (
                str(claim.port),
                claim.protocol.value,
                listed(claim.prefixes),
                listed(claim.hosts),
                str(len(claim.routes) or "-"),
                str(claim.rule),
            )
            for claim in self.claims
        )
        columns = ("port", "protocol", "addresses", "hosts", "routes", "rule")
        return Table(repr(self)[1:-1], columns, rows)

    def __repr__(self) -> str:
        counts = {"port": len(self.ports), "finding": len(self.findings)}
        said = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
        return f"<OutboundPolicy of {self.identity}: {said}>"
