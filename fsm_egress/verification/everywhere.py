"""What is amiss in every mesh, as it lies in the sidecar and no policy can mend it: how bad it is in one.

IPv6 passes by every sidecar. That is news only where somebody could use it, or takes it for governed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.findings import Code, Findings
from ..resources.core import Endpoints, Pod, Service
from ..resources.egress import EgressPolicy
from ..values.errors import Severity
from ..values.net import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..connections.findings import Finding
    from ..snapshot import Snapshot
    from ..values.net import Prefix

__all__ = ["EVERYWHERE", "judged", "severity_in"]

EVERYWHERE = frozenset({Code.IPV6_NOT_INTERCEPTED, Code.HOST_LETTER_CASE, Code.UNKNOWN_METHOD})
"""The codes of what no policy can mend: whatever the rule, they are the mesh's."""

IPV6 = 6


def severity_in(snapshot: Snapshot, code: Code) -> Severity:
    """How bad a finding of this code is in a mesh.

    That IPv6 passes by the sidecar is an information where no pod and no service has an address of it, and
    no policy names one.
    """
    if code is Code.IPV6_NOT_INTERCEPTED and not _has_ipv6(snapshot):
        return Severity.INFO
    return code.severity


def judged(snapshot: Snapshot, findings: Iterable[Finding]) -> Findings:
    """The findings, each as bad as it is in a mesh."""
    severities = {code: severity_in(snapshot, code) for code in EVERYWHERE}
    return Findings(
        evolve(it, severity=severities[it.code]) if it.code in severities else it for it in findings
    )


def _has_ipv6(snapshot: Snapshot) -> bool:
    return snapshot.once(_any_ipv6, (Service, Endpoints, Pod, EgressPolicy))


def _any_ipv6(snapshot: Snapshot) -> bool:
    return any(it.version == IPV6 for it in _addresses(snapshot))


def _addresses(snapshot: Snapshot) -> Iterator[Address | Prefix]:
    """All addresses of pods and services, and all ranges that policies name."""
    for service in snapshot.kind(Service):
        if not service.spec.headless:
            yield Address(service.spec.cluster_ip)
    for endpoints in snapshot.kind(Endpoints):
        for subset in endpoints.subsets:
            yield from (it.ip for it in (*subset.addresses, *subset.not_ready_addresses))
    for pod in snapshot.kind(Pod):
        yield from (it.ip for it in pod.status.pod_ips)
    for policy in snapshot.kind(EgressPolicy):
        yield from policy.spec.ip_addresses
