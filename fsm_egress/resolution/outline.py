"""The policy of an identity in outline: each port is resolved when somebody asks for it.

Who decides about few connections asks for few ports. It is the policy that `resolve` makes, but for the
findings, which are about all ports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from attrs import field

from ..connections.findings import Code
from ..interception.kinds import bound
from ..resources.egress import EgressPolicy
from ..resources.subjects import Subject
from ..snapshot import Snapshot
from ..values.construction import frozen
from .absence import certain
from .claims import claims_on, policies_in_force
from .inmesh import InMesh, resolve_in_mesh
from .plugins import with_plugins
from .ports import resolved_port
from .surroundings import SURROUNDING_KINDS, Surroundings, surroundings_of

if TYPE_CHECKING:
    from ..connections.findings import Finding
    from ..policy import Forward, Interception, PortPolicy, SidecarSpec
    from ..policy.parts import Cluster
    from ..resources.losses import Loss
    from ..values.references import FieldRef

__all__ = ["Outline"]


@frozen(eq=False)
class Outline:
    """What an identity's policy is made of, port by port."""

    _snapshot: Snapshot = field(repr=False)
    identity: Subject
    _mesh: InMesh = field(repr=False)
    _around: Surroundings = field(repr=False)
    _policies: Mapping[int, Sequence[EgressPolicy]] = field(repr=False)

    @classmethod
    def of(cls, snapshot: Snapshot, identity: Subject) -> Outline:
        """The outline of an identity in a mesh.

        Raises:
            InvalidValue: there is no such pod or template.
            IncompleteMesh: it could not be read.
        """
        identity = bound(snapshot, identity)
        policies: dict[int, list[EgressPolicy]] = {}
        for policy in policies_in_force(snapshot, identity, []):
            for number in {port.number for port in policy.spec.ports}:
                policies.setdefault(number, []).append(policy)
        around = snapshot.once(surroundings_of, SURROUNDING_KINDS, identity)
        return cls(snapshot, identity, resolve_in_mesh(snapshot, identity), around, policies)

    @property
    def numbers(self) -> frozenset[int]:
        """The ports on which anything is reached or claimed."""
        return frozenset([*self._mesh.services, *self._policies])

    def port(self, number: int) -> PortPolicy:
        """The policy of a port."""
        matches = with_plugins(self._mesh.on(number), self._around.plugins)
        claims = claims_on(self._snapshot, self.identity, number, self._policies.get(number, ()))
        return resolved_port(self._snapshot, self.identity, number, matches, claims).policy

    def later(self, number: int) -> Callable[[], PortPolicy]:
        """The policy of a port, for when it is needed."""
        return partial(self.port, number)

    @property
    def cluster(self) -> Callable[[str], Cluster | None]:
        """Where matches lead that name it, and nothing of how."""
        return self._mesh.cluster

    @property
    def spec(self) -> SidecarSpec:
        """Switches and settings, mesh-wide."""
        return self._around.spec

    @property
    def switch(self) -> FieldRef:
        """The field that decides about what no rule claims."""
        return self._around.switch

    @property
    def interception(self) -> Interception:
        """What the sidecar never sees."""
        return self._around.interception

    @property
    def forward(self) -> Forward | None:
        """The egress gateways."""
        return self._around.forward

    @property
    def conditions(self) -> tuple[Finding, ...]:
        """What the mesh uses and this library does not model."""
        findings = dict.fromkeys(certain(self._around.findings, self._snapshot.lost))
        return tuple([it for it in findings if it.code is Code.NOT_MODELLED])

    @property
    def lost(self) -> tuple[Loss, ...]:
        """The documents that could not be read, for which it may be another."""
        return self._snapshot.lost_for(self.identity)
