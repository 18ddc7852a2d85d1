"""Whether a pod has a sidecar: seen from the pod where it runs, else by the rules of FSM's injector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources.core import Namespace
from ..resources.redirection import INIT, INJECTION, SIDECAR, SPELLINGS, asked
from ..values.construction import frozen
from ..values.enums import Word
from ..values.errors import Problem, shortly
from ..values.references import FieldRef
from .hosts import UUID_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..snapshot import Snapshot
    from .hosts import Host

__all__ = [
    "NODE_LEVEL",
    "ON_NODES",
    "Injection",
    "State",
    "injection_of",
    "shares_the_sidecars_user",
    "unproven_of",
]

UID = 1500  # of the sidecar, whose own connections are not redirected
NODE_LEVEL = "NodeLevel"
ON_NODES = f"the mesh intercepts on the nodes (`{NODE_LEVEL}`): no sidecar is in the pod"
NEVER_INJECTED = ("kube-system", "kube-public")
NOT_ASKED = ("flomesh.io/ignore", "control-plane")
"""Labels of namespaces whose pods the injector is not asked about (FSM's `pkg/injector/webhook.go`)."""


class State(Word):
    """Whether a pod has a sidecar."""

    YES = "yes"
    NO = "no"
    NEVER_CREATED = "never created"
    UNKNOWN = "unknown"


@frozen
class Injection:
    """Whether a pod has a sidecar, why, and the field that says so.

    Attributes:
        problem: what is wrong with the annotation of a pod that is never created.
    """

    state: State
    why: str
    rule: FieldRef
    problem: Problem | None = None


def injection_of(snapshot: Snapshot, host: Host) -> Injection:
    """Whether a pod has a sidecar, or would get one if it were created now."""
    if any(it.name == SIDECAR for it in host.spec.containers) and (not host.path or _is_injected(host)):
        return Injection(State.YES, f"it has the container `{SIDECAR}`", host.at("spec.containers"))
    if host.is_running:
        if UUID_LABEL in host.labels:
            why = f"it has the label `{UUID_LABEL}` and no container `{SIDECAR}`: the node intercepts"
            return Injection(State.UNKNOWN, why, host.at("metadata.labels"))
        rule = host.at("spec.hostNetwork" if host.spec.host_network else "spec.containers")
        more = ", and is on the host's network" if host.spec.host_network else ""
        return Injection(State.NO, f"it runs without the container `{SIDECAR}`{more}", rule)
    decided = _decided(snapshot, host)
    config = snapshot.mesh_config
    if decided.state is State.YES and config.spec.traffic.interception_mode == NODE_LEVEL:
        return Injection(State.UNKNOWN, ON_NODES, config.at("spec.traffic.interceptionMode"))
    return decided


def _is_injected(host: Host) -> bool:
    """Whether FSM has changed a pod: in a template a container `sidecar` may be anybody's."""
    return UUID_LABEL in host.labels or any(it.name == INIT for it in host.spec.init_containers)


def _decided(snapshot: Snapshot, host: Host) -> Injection:
    """What FSM's injector decides, in its order."""
    return next(it for it in (_by_place(snapshot, host), _by_annotations(snapshot, host)) if it)


def _by_place(snapshot: Snapshot, host: Host) -> Injection | None:
    """Where nothing is injected, whatever is asked for."""
    if host.spec.host_network:
        return Injection(State.NO, "it is on the host's network", host.at("spec.hostNetwork"))
    if host.namespace in {*NEVER_INJECTED, snapshot.mesh_config.namespace}:
        return Injection(State.NO, f"nothing is injected in namespace `{host.namespace}`", host.at(""))
    namespace = snapshot.kind(Namespace).get("", host.namespace)
    if not snapshot.monitors(host.namespace):
        rule = namespace.at("metadata.labels") if namespace else host.at("")
        return Injection(State.NO, f"the mesh does not watch namespace `{host.namespace}`", rule)
    label = namespace and _not_asked_for(namespace, snapshot.mesh_config.namespace)
    if namespace and label:
        why = f"nothing is injected in namespace `{host.namespace}`, which has the label `{label}`"
        return Injection(State.NO, why, namespace.at(f"metadata.labels.{label}"))
    return None


def _not_asked_for(namespace: Namespace, control_plane: str) -> str | None:
    """The label of a namespace for which the API server does not ask the injector about its pods."""
    labels = namespace.metadata.labels
    found = [*NOT_ASKED] if labels.get("name") != control_plane else [*NOT_ASKED, "name"]
    return next((label for label in found if label in labels), None)


def _by_annotations(snapshot: Snapshot, host: Host) -> Injection:
    """What pod and namespace ask for; the pod's word counts."""
    namespace = snapshot.kind(Namespace).get("", host.namespace)
    own = asked(host.annotations)
    theirs = asked(namespace.metadata.annotations) if namespace else None
    own_rule = host.at(f"metadata.annotations.{INJECTION}")
    their_rule = namespace.at(f"metadata.annotations.{INJECTION}") if namespace else host.at("")
    for said, rule in ((own, own_rule), (theirs, their_rule)):
        if isinstance(said, str):
            names = ", ".join(f"`{name}`" for name in SPELLINGS)
            problem = Problem(f"one of {names}", shortly(said), reason="the pod is not created")
            return Injection(State.NEVER_CREATED, f"{shortly(said)} is none of {names}", rule, problem)
    table = (
        (own is True, State.YES, "its annotation asks for it", own_rule),
        (own is False, State.NO, "its annotation declines it", own_rule),
        (namespace is None, State.YES, "its Namespace is not given, and taken for one that asks", their_rule),
        (theirs is True, State.YES, "the annotation of its namespace asks for it", their_rule),
        (True, State.NO, "neither it nor its namespace asks for a sidecar", host.at("")),
    )
    return next(Injection(state, why, rule) for holds, state, why, rule in table if holds)


def unproven_of(host: Host, injection: Injection) -> str:
    """Why nothing is proven of a pod with these rules; empty where nothing speaks against it."""
    if injection.state is State.UNKNOWN:
        return injection.why
    names = ", ".join(f"`{name}`" for _, name in shares_the_sidecars_user(host))
    return names and f"{names} runs as user {UID}, the sidecar's, whose connections pass by the sidecar"


def shares_the_sidecars_user(host: Host) -> Iterator[tuple[int, str]]:
    """The containers besides the sidecar that run as its user, by their places."""
    for index, container in enumerate(host.spec.containers):
        user = container.security_context.run_as_user
        of_all = host.spec.security_context.run_as_user
        if container.name != SIDECAR and (of_all if user is None else user) == UID:
            yield index, container.name
