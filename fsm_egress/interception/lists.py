"""The lists of a mesh and of a pod's annotations, and what FSM's injector or iptables refuses of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..policy import Interception
from ..resources.redirection import (
    EXCLUDED_PORTS,
    EXCLUDED_RANGES,
    INCLUDED_RANGES,
    LISTS,
    entries_of,
    too_many_ports,
)
from ..values.construction import frozen
from ..values.errors import Problem
from ..values.net import Prefix
from ..values.references import FieldRef
from .injection import NODE_LEVEL, ON_NODES

if TYPE_CHECKING:
    from ..resources.meshconfig import MeshConfig
    from .hosts import Host

__all__ = ["Refusal", "annotated", "mesh_lists", "together"]

T = TypeVar("T")
V = TypeVar("V", int, Prefix)


@frozen
class Refusal:
    """Why a pod is not created, or does not start.

    Attributes:
        rule: the field that is refused.
        problem: what is wrong there.
        by_iptables: whether iptables refuses it when the pod starts; else the injector does at creation.
    """

    rule: FieldRef
    problem: Problem
    by_iptables: bool

    @property
    def effect(self) -> str:
        """What comes of it."""
        return "the pod does not start" if self.by_iptables else "the pod is not created"


def mesh_lists(config: MeshConfig) -> Interception:
    """The lists of the mesh, each entry with its place, as a pod that nobody has described gets them."""
    traffic = config.spec.traffic

    def listed(name: str, values: tuple[T, ...]) -> tuple[tuple[T, FieldRef], ...]:
        return tuple(
            (value, config.at(f"spec.traffic.{name}[{index}]")) for index, value in enumerate(values)
        )

    return Interception(
        listed("outboundIPRangeExclusionList", traffic.outbound_ip_range_exclusion_list),
        listed("outboundIPRangeInclusionList", traffic.outbound_ip_range_inclusion_list),
        listed("outboundPortExclusionList", traffic.outbound_port_exclusion_list),
        interfaces=listed("networkInterfaceExclusionList", traffic.network_interface_exclusion_list),
        unproven=ON_NODES if traffic.interception_mode == NODE_LEVEL else "",
    )


def annotated(host: Host) -> tuple[Interception, tuple[Refusal, ...]]:
    """The lists of a pod's annotations, without what is refused of them, and that.

    One entry that cannot be read keeps the pod from being created; iptables is stricter still.
    """
    if host.annotations.keys().isdisjoint(LISTS):
        return NO_LISTS, ()
    refused: list[Refusal] = []

    def listed(name: str, kind: type[V]) -> tuple[tuple[V, FieldRef], ...]:
        rule = host.at(f"metadata.annotations.{name}")
        entries = tuple(entries_of(host.annotations, name))
        refused.extend(Refusal(rule, it.problem, it.by_iptables) for it in entries if it.problem)
        return tuple((it.value, rule) for it in entries if isinstance(it.value, kind))

    lists = Interception(
        listed(EXCLUDED_RANGES, Prefix), listed(INCLUDED_RANGES, Prefix), listed(EXCLUDED_PORTS, int)
    )
    return lists, tuple(refused)


NO_LISTS = Interception()


def together(mesh: Interception, pod: Interception) -> tuple[Interception, tuple[Refusal, ...]]:
    """The lists of mesh and pod, and what iptables refuses of them together."""
    both = Interception(
        (*mesh.excluded, *pod.excluded),
        (*mesh.included, *pod.included),
        (*mesh.excluded_ports, *pod.excluded_ports),
        interfaces=mesh.interfaces,
    )
    many = too_many_ports(len({port for port, _ in both.excluded_ports}), " of mesh and pod together")
    if many is None:
        return both, ()
    return both, (Refusal(both.excluded_ports[-1][1], many, by_iptables=True),)
