"""What an engine is compiled from: a policy that is whole, or whose ports are resolved when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..connections.findings import Finding
    from ..policy import Forward, Interception, PortPolicy, SidecarSpec
    from ..policy.parts import Cluster
    from ..resources.losses import Loss
    from ..resources.subjects import Subject
    from ..values.references import FieldRef

__all__ = ["Governing"]


class Governing(Protocol):
    """What governs an identity, port by port; see `OutboundPolicy`, which is such a thing."""

    @property
    def identity(self) -> Subject:
        """Whose connections."""
        ...

    @property
    def spec(self) -> SidecarSpec:
        """Switches and settings, mesh-wide."""
        ...

    @property
    def switch(self) -> FieldRef:
        """The field that decides about what no rule claims."""
        ...

    @property
    def interception(self) -> Interception:
        """What the sidecar never sees."""
        ...

    @property
    def forward(self) -> Forward | None:
        """The egress gateways."""
        ...

    @property
    def conditions(self) -> tuple[Finding, ...]:
        """What the mesh uses and this library does not model."""
        ...

    @property
    def lost(self) -> tuple[Loss, ...]:
        """The documents that could not be read."""
        ...

    @property
    def numbers(self) -> frozenset[int]:
        """The ports that it speaks of."""
        ...

    def port(self, number: int) -> PortPolicy:
        """The policy of one of these ports."""
        ...

    def cluster(self, name: str) -> Cluster | None:
        """Where matches lead that name it, if anywhere."""
        ...
