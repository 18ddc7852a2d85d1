"""Shares that grow with the age of pods, as `fsm-controller` has them since FSM 1.5.

It weighs a pod by the time since it was made, and writes the config anew until all are grown up. The rules
are FSM's: `pkg/catalog/trafficwarmup.go`, and `Weight` of a `TrafficWarmupSpec`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import evolve

from ..policy.parts import Growth
from ..resources.checks import duration, seconds
from ..resources.core import Namespace, Pod
from ..resources.egress import TrafficWarmup
from ..resources.machines import VirtualMachine
from ..resources.meshconfig import TrafficWarmupSpec
from ..resources.redirection import is_yes
from ..snapshot import CONTROL_PLANE_KINDS
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.net import Address
from ..values.references import FieldRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..policy.parts import Endpoint
    from ..snapshot import Snapshot
    from .mesh_service import MeshService

__all__ = ["Warmup", "grows", "warmup_of", "warmups"]

ANNOTATION = "flomesh.io/traffic-warmup-"
DEFAULTS = TrafficWarmupSpec()
IPV4 = 4
_WEIGHT = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,9}\.?[0-9]{0,9}|\.[0-9]{1,9})")


@frozen
class Warmup:
    """How the weights of a service's pods grow.

    Attributes:
        least: the least weight that a pod has at any age; `most` is the greatest.
        grown: that of one that is grown up.
        rule: what says so.
    """

    least: int
    most: int
    grown: int
    rule: FieldRef

    @classmethod
    def of(cls, spec: TrafficWarmupSpec, rule: FieldRef) -> Warmup:
        """What a spec says: fractions of a weight are left out; with a duration below zero weights fall."""
        young, most = spec.min_weight, spec.max_weight
        first = min(int(most * (young / most)), most) if most else 0
        falls = spec.aggression < 0 or seconds(spec.duration) < 0
        ages = young, first, most
        return cls(min(ages), max(ages), first if falls else most, rule)

    def grow(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint with the weight that it has when it is grown up, and those that it has before."""
        weight = endpoint.weight
        least, most = min(self.least, weight), min(self.most, weight)
        growth = Growth(least, most) if least < most else None
        return evolve(endpoint, weight=min(self.grown, weight), growth=growth)


def warmups(snapshot: Snapshot) -> Iterator[Warmup]:
    """How weights grow, wherever they do."""
    if _is_on(snapshot):
        spaces = (_of_namespace(space) for space in snapshot.kind(Namespace) if _says_so(space))
        resources = (_of_resource(snapshot, warmup) for warmup in snapshot.kind(TrafficWarmup))
        yield from filter(None, (*_of_mesh(snapshot), *spaces, *resources))


def warmup_of(snapshot: Snapshot, namespace: str, name: str) -> Warmup | None:
    """How the weights of a service's pods grow; None where they do not.

    The TrafficWarmup of its name counts, else its namespace's annotations, else the mesh's `warmup`. A named
    pod of a headless service goes with the service.
    """
    if not _is_on(snapshot):
        return None
    own = snapshot.kind(TrafficWarmup).get(namespace, name.rpartition(".")[2])
    found = _of_resource(snapshot, own) if own else None
    if found:
        return found
    space = snapshot.kind(Namespace).get("", namespace)
    if space and _says_so(space):
        return _of_namespace(space)
    return next(_of_mesh(snapshot), None)


def grows(snapshot: Snapshot, service: MeshService, address: Address, *, elsewhere: bool = False) -> bool:
    """Whether an endpoint has an age: it is a pod's, and not one of IPv6, which the controller never finds.

    Where no pod of the namespace is known, its service's endpoints are taken for pods, but for those that
    other clusters have.
    """
    if address.version != IPV4:
        return False
    pods = snapshot.once(_Ages.of, (*CONTROL_PLANE_KINDS, Namespace, Pod, VirtualMachine))
    if address in pods.aging:
        return True
    is_unknown = not elsewhere and service.namespace not in pods.namespaces
    return is_unknown and address not in pods.ageless and address not in service.outside


@frozen
class _Ages:
    """The addresses of pods that the mesh watches, the namespaces with any, and the addresses of machines."""

    aging: frozenset[Address]
    namespaces: frozenset[str]
    ageless: frozenset[Address]

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Ages:
        pods = [pod for pod in snapshot.kind(Pod) if pod.status.pod_ips and snapshot.monitors(pod.namespace)]
        return cls(
            frozenset(entry.ip for pod in pods for entry in pod.status.pod_ips),
            frozenset(pod.namespace for pod in pods),
            frozenset(machine.spec.machine_ip for machine in snapshot.kind(VirtualMachine)),
        )


# --- where it is said ------------------------------------------------------------------------------------


def _is_on(snapshot: Snapshot) -> bool:
    return snapshot.mesh_config.spec.feature_flags.enable_traffic_warmup_policy


def _of_mesh(snapshot: Snapshot) -> Iterator[Warmup]:
    config = snapshot.mesh_config
    if config.spec.warmup.enable:
        yield Warmup.of(config.spec.warmup, config.at("spec.warmup"))


def _of_resource(snapshot: Snapshot, warmup: TrafficWarmup) -> Warmup | None:
    counts = warmup.spec.enable and snapshot.monitors(warmup.namespace)
    return Warmup.of(warmup.spec, warmup.at("spec")) if counts else None


def _says_so(space: Namespace) -> bool:
    return is_yes(space.metadata.annotations.get(f"{ANNOTATION}enable", ""))


def _of_namespace(space: Namespace) -> Warmup | None:
    """What annotations say; None where one cannot be read: then the mesh's `warmup` does not count either."""
    said = space.metadata.annotations
    try:
        spec = TrafficWarmupSpec(
            duration=duration(said.get(f"{ANNOTATION}duration", DEFAULTS.duration)),
            min_weight=int(_read(_WEIGHT, said, "minweight", DEFAULTS.min_weight)),
            max_weight=int(_read(_WEIGHT, said, "maxweight", DEFAULTS.max_weight)),
            aggression=float(_read(_NUMBER, said, "aggression", DEFAULTS.aggression)),
        )
    except InvalidValue:
        return None
    return Warmup.of(spec, space.at(f"metadata.annotations.{ANNOTATION}enable"))


def _read(form: re.Pattern[str], said: Mapping[str, str], name: str, default: float) -> str:
    text = said.get(f"{ANNOTATION}{name}", str(default))
    if not form.fullmatch(text):
        raise InvalidValue.of("a number", text)
    return text
