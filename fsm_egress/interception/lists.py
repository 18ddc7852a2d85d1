"""The lists of a mesh and of a pod's annotations, and what FSM's injector or iptables refuses of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from ..policy import Interception
from ..resources.checks import LAST_PORT, MULTIPORT
from ..values.construction import frozen
from ..values.errors import InvalidValue, shortly
from ..values.net import parse_prefix
from ..values.references import FieldRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..resources.meshconfig import MeshConfig
    from ..values.net import Prefix
    from .hosts import Host

__all__ = [
    "EXCLUDED_PORTS",
    "EXCLUDED_RANGES",
    "INCLUDED_RANGES",
    "Refusal",
    "annotated",
    "mesh_lists",
    "together",
]

T = TypeVar("T")

EXCLUDED_RANGES = "flomesh.io/outbound-ip-range-exclusion-list"
INCLUDED_RANGES = "flomesh.io/outbound-ip-range-inclusion-list"
EXCLUDED_PORTS = "flomesh.io/outbound-port-exclusion-list"

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)  # what Go's `strconv.Atoi` reads


@frozen
class Refusal:
    """Why a pod is not created, or does not start.

    Attributes:
        rule: the field that is refused.
        message: what is wrong there.
        by_iptables: whether iptables refuses it when the pod starts; else the injector does at creation.
    """

    rule: FieldRef
    message: str
    by_iptables: bool


def mesh_lists(config: MeshConfig) -> Interception:
    """The lists of the mesh, each entry with its place."""
    traffic = config.spec.traffic

    def listed(name: str, values: tuple[T, ...]) -> tuple[tuple[T, FieldRef], ...]:
        return tuple(
            (value, config.at(f"spec.traffic.{name}[{index}]")) for index, value in enumerate(values)
        )

    return Interception(
        listed("outboundIPRangeExclusionList", traffic.outbound_ip_range_exclusion_list),
        listed("outboundIPRangeInclusionList", traffic.outbound_ip_range_inclusion_list),
        listed("outboundPortExclusionList", traffic.outbound_port_exclusion_list),
    )


def annotated(host: Host) -> tuple[Interception, tuple[Refusal, ...]]:
    """The lists of a pod's annotations, without what is refused of them, and that.

    One entry that cannot be read keeps the pod from being created; iptables is stricter still.
    """
    refused: list[Refusal] = []

    def listed(name: str, read: Callable[[str], T]) -> Iterator[tuple[T, FieldRef]]:
        text = host.annotations.get(name)
        if text is None:
            return
        rule = host.at(f"metadata.annotations.{name}")
        for entry in text.split(","):
            try:
                yield read(entry.strip()), rule
            except InvalidValue as error:
                refused.append(Refusal(rule, error.problems[0].message, by_iptables=False))
            except _IptablesError as error:
                refused.append(Refusal(rule, str(error), by_iptables=True))

    lists = Interception(
        tuple(listed(EXCLUDED_RANGES, _range)),
        tuple(listed(INCLUDED_RANGES, _range)),
        tuple(listed(EXCLUDED_PORTS, _port)),
    )
    return lists, tuple(refused)


def together(mesh: Interception, pod: Interception) -> tuple[Interception, tuple[Refusal, ...]]:
    """The lists of mesh and pod, and what iptables refuses of them together."""
    both = Interception(
        (*mesh.excluded, *pod.excluded),
        (*mesh.included, *pod.included),
        (*mesh.excluded_ports, *pod.excluded_ports),
    )
    ports = dict(reversed(both.excluded_ports))
    if len(ports) <= MULTIPORT:
        return both, ()
    rule = both.excluded_ports[-1][1]
    message = f"mesh and pod together exclude {len(ports)} different ports: iptables takes {MULTIPORT}"
    return both, (Refusal(rule, message, by_iptables=True),)


class _IptablesError(ValueError):
    """What the injector takes and iptables does not."""


def _range(text: str) -> Prefix:
    found = parse_prefix(text)
    if ":" in text:
        message = f"{shortly(text)} is a range of IPv6, which iptables refuses"
        raise _IptablesError(message)
    return found


def _port(text: str) -> int:
    number = int(text) if _NUMBER.fullmatch(text) else 0
    if number <= 0:
        raise InvalidValue.of("a port number from 1 to 65535", text)
    if number > LAST_PORT:
        message = f"port {number} is above {LAST_PORT}, which iptables refuses"
        raise _IptablesError(message)
    return number
