"""Findings that something is missing: nobody knows where it may be among what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connections.findings import Code
from ..resources.core import Endpoints, Namespace, Pod, Secret, Service, ServiceAccount
from ..resources.egress import UpstreamTrafficSetting
from ..resources.meshconfig import MeshConfig
from ..resources.smi import HTTPRouteGroup
from ..resources.workloads import MAKERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..connections.findings import Finding
    from ..resources.losses import Loss
    from ..resources.resource import Resource

__all__ = ["ABSENT", "certain"]

ABSENT: dict[Code, tuple[type[Resource], ...]] = {
    Code.MISSING_UPSTREAM_TRAFFIC_SETTING: (UpstreamTrafficSetting,),
    Code.MISSING_HTTP_ROUTE_GROUP: (HTTPRouteGroup,),
    Code.MISSING_SECRET: (Secret,),
    Code.EGRESS_POLICY_FLAG_ABSENT: (MeshConfig,),
    Code.EGRESS_POLICIES_SWITCHED_OFF: (MeshConfig,),
    Code.HEADLESS_WITHOUT_ADDRESSES: (Endpoints,),
    Code.MISSING_BACKEND: (Service,),
    Code.UNMONITORED_NAMESPACE: (Namespace,),
    Code.NO_ENDPOINTS: (Endpoints,),
    Code.BACKEND_WITHOUT_ENDPOINTS: (Endpoints,),
    Code.UNKNOWN_ACCOUNT: (ServiceAccount, Pod, *MAKERS),
    Code.SERVICE_LEADS_OUTSIDE: (Pod, *MAKERS),
    Code.NO_SIDECAR: (Namespace,),
}
"""What each finding would not be if there were more of these kinds."""


def certain(findings: Iterable[Finding], lost: Iterable[Loss]) -> Iterator[Finding]:
    """The findings that stand whatever is in what could not be read."""
    told = [loss.ref for loss in lost if loss.bearing or not loss.fields]
    kinds = {None if ref is None else ref.kind for ref in told}
    for finding in findings:
        absent = {kind.kind for kind in ABSENT.get(finding.code, ())}
        if not absent or (None not in kinds and kinds.isdisjoint(absent)):
            yield finding
