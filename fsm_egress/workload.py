"""An identity with all that a mesh means for it, policy, engine and config, through changes of the mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field

from .engine import Engine
from .pipy.clusters import named_gateway
from .pipy.config import (
    PipyConfig,
    PortConfig,
    assembled,
    write_beside,
    write_clusters,
    write_port,
)
from .resolution import Resolution
from .resources.subjects import Subject, read_subject
from .values.construction import frozen

if TYPE_CHECKING:
    from .policy import OutboundPolicy
    from .snapshot import Snapshot

__all__ = ["Workload"]


@frozen(eq=False)
class Workload:
    """An identity and both readings of its policy; `after` follows the mesh at the cost of what has changed.

    Attributes:
        config: what its sidecar reads.
    """

    _resolution: Resolution = field(repr=False)
    _engine: Engine | None
    config: PipyConfig
    _clusters: Mapping[str, bytes] = field(repr=False)
    _ports: Mapping[int, PortConfig] = field(repr=False)
    _beside: Mapping[str, bytes] = field(repr=False)
    _carried: Mapping[str, Any] | None = field(repr=False)

    @classmethod
    def of(
        cls, mesh: Snapshot, identity: Subject | str, carried: Mapping[str, Any] | None = None
    ) -> Workload:
        """The workload of an identity, from the beginning.

        Args:
            mesh: the resources.
            identity: `name.namespace`.
            carried: `Inbound`, `Certificate`, `AllowedEndpoints` and `Probes`, written as they are given.

        Raises:
            InvalidValue: the text is no identity, or `carried` has another key.
            IncompleteMesh: a document was left out that may bear on the identity's connections.
        """
        who = read_subject(identity)
        resolution = Resolution.of(mesh, who)
        policy = resolution.policy
        gateway = named_gateway(policy)
        ports = {port.port: write_port(port, gateway) for port in policy.ports}
        clusters, beside = write_clusters(policy.clusters), write_beside(policy, carried)
        config = assembled(beside, clusters, ports.values(), compressed=policy.spec.compress_config)
        engine = None if policy.interception.apart else Engine.compile(policy)
        return cls(resolution, engine, config, clusters, ports, beside, carried)

    @property
    def identity(self) -> Subject:
        """Whose it is."""
        return self.policy.identity

    @property
    def engine(self) -> Engine:
        """Decides about the identity's connections.

        Raises:
            InvalidValue: it is an account whose pods are not intercepted alike (`kinds_of_pods`); the config
                is the same for all of them.
        """
        return self._engine or Engine.compile(self.policy)

    @property
    def policy(self) -> OutboundPolicy:
        """What engine and config are two readings of."""
        return self._resolution.policy

    def after(self, mesh: Snapshot) -> Workload:
        """The workload in a changed mesh: itself where nothing has changed for the identity.

        Where only Egress policies have changed, the ports that none of them opens keep what was made for
        them. The result is the same as that of `Workload.of`.
        """
        before = self.policy
        resolution = self._resolution.after(mesh)
        policy = resolution.policy
        if policy is before:
            return self
        gateway = named_gateway(policy)
        written = self._ports if gateway == named_gateway(before) else {}
        same = set(map(id, before.ports)) if written else set()
        ports = {
            port.port: written[port.port]
            if id(port) in same
            else write_port(port, gateway, written.get(port.port))
            for port in policy.ports
        }
        is_same = policy.clusters is before.clusters
        clusters = self._clusters if is_same else write_clusters(policy.clusters)
        is_same = policy.spec is before.spec and policy.forward is before.forward
        beside = self._beside if is_same else write_beside(policy, self._carried)
        config = assembled(beside, clusters, ports.values(), compressed=policy.spec.compress_config)
        engine = None
        if not policy.interception.apart:
            engine = self._engine.recompiled(before, policy) if self._engine else Engine.compile(policy)
        return Workload(resolution, engine, config, clusters, ports, beside, self._carried)

    def __repr__(self) -> str:
        return f"<Workload {self.identity}: {len(self.policy.ports)} ports, config {self.config.version}>"
