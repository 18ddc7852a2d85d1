"""What is amiss with pods: those without a sidecar, and those that are not intercepted as one would think."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connections.findings import Code, Finding
from ..interception.hosts import hosts_of
from ..interception.injection import UID, State, injection_of, shares_the_sidecars_user
from ..interception.kinds import kinds_of
from ..interception.stale import stale
from ..interception.started import started_with
from ..resources.resource import ServiceIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..interception.hosts import Host
    from ..interception.injection import Injection
    from ..snapshot import Snapshot

__all__ = ["pod_findings"]


def pod_findings(snapshot: Snapshot) -> Iterator[Finding]:
    """The findings about pods and templates, and about accounts whose pods differ."""
    for host in (it for it in hosts_of(snapshot) if not it.is_over):
        injection = injection_of(snapshot, host)
        yield from _without_sidecar(snapshot, host, injection)
        yield from _of_sidecar(snapshot, host, injection)
    for kinds in kinds_of(snapshot).values():
        if len(kinds) > 1:
            first, second = kinds[0].hosts[0], kinds[1].hosts[0]
            message = (
                f"it is intercepted otherwise than `{first.name}`, which runs as the same account "
                f"`{'.'.join(first.account)}`: each of {len(kinds)} kinds is answered for by itself"
            )
            yield Finding(Code.LISTS_DIFFER, second.at(""), message)


def _without_sidecar(snapshot: Snapshot, host: Host, injection: Injection) -> Iterator[Finding]:
    if injection.state is State.UNKNOWN:
        message = f"no sidecar is in the pod, and nothing here is proven of it: {injection.why}"
        yield Finding(Code.NODE_LEVEL, host.at(""), message)
    if injection.state is State.NEVER_CREATED:
        yield Finding(Code.BAD_ANNOTATION, injection.rule, f"{injection.why}: the pod is not created")
    if injection.state is not State.NO:
        return
    policies = snapshot.policies_for(ServiceIdentity(*host.account))
    if host.spec.host_network:
        message = (
            "it is on the host's network and has no sidecar: it reaches everything, whatever the mesh says"
        )
        yield Finding(Code.HOST_NETWORK, host.at("spec.hostNetwork"), message)
    for policy in policies:
        message = f"it is for `{'.'.join(host.account)}`, but `{host.name}` has no sidecar: {injection.why}"
        yield Finding(Code.NO_SIDECAR, policy.at("spec.sources"), message)


def _of_sidecar(snapshot: Snapshot, host: Host, injection: Injection) -> Iterator[Finding]:
    if injection.state is not State.YES:
        return
    for index, name in shares_the_sidecars_user(host):
        message = f"container `{name}` runs as user {UID}, the sidecar's: its connections pass by the sidecar"
        yield Finding(Code.SIDECAR_USER, host.at(f"spec.containers[{index}]"), message)
    started = started_with(host)
    if started is not None and started.refused:
        message = f"iptables refuses its rules, and it never starts: {', '.join(started.refused[:3])}"
        yield Finding(Code.LIST_REFUSED, host.at("spec.initContainers"), message)
    elif started is not None and started.unclear:
        lines = ", ".join(started.unclear[:3])
        message = f"its rules are not understood, and it is read as if it started now: {lines}"
        yield Finding(Code.RULES_NOT_UNDERSTOOD, host.at("spec.initContainers"), message)
    connection = stale(snapshot, host)
    if connection is not None:
        message = "it was started with other lists than a pod would get now: start it again"
        yield Finding(Code.STALE_RULES, host.at("spec.initContainers"), message, witness=connection)
