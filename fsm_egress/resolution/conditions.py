"""What of FSM this library does not model, where a mesh uses it: its answers stand under that condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connections.findings import Code, Finding
from ..interception.hosts import hosts_of
from ..resources.core import Namespace, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..snapshot import Snapshot
    from ..values.references import FieldRef

__all__ = ["conditions_of"]

NODE_LEVEL = "NodeLevel"
MONITORED_BY = "flomesh.io/monitored-by"
CONNECTED = ("flomesh.io/cloud-endpoint-addr", "flomesh.io/cloud-service-inherited-from")


def conditions_of(snapshot: Snapshot) -> Iterator[Finding]:
    """A finding for each thing that the mesh uses and that could change what is decided."""
    for rule, what in (*_of_config(snapshot), *_of_resources(snapshot)):
        message = (
            f"{what}, which is not modelled: what is decided stands under the condition that it is not so"
        )
        yield Finding(Code.NOT_MODELLED, rule, message)


def _of_config(snapshot: Snapshot) -> Iterator[tuple[FieldRef, str]]:
    config = snapshot.mesh_config
    spec = config.spec
    traffic, flags, dns = spec.traffic, spec.feature_flags.extra, spec.sidecar.local_dns_proxy
    wildcard = dns.extra.get("wildcard") or {}
    used = {
        "spec.traffic.interceptionMode": (
            # Where there are pods, a finding says it of each.
            traffic.interception_mode == NODE_LEVEL and not any(True for _ in hosts_of(snapshot)),
            "connections are redirected by the node",
        ),
        "spec.traffic.networkInterfaceExclusionList": (
            bool(traffic.network_interface_exclusion_list),
            "connections by some network interfaces are not redirected",
        ),
        "spec.sidecar.localDNSProxy.wildcard": (
            dns.enable and bool(wildcard.get("enable")),
            "unknown names are resolved to addresses that every service has besides",
        ),
        "spec.featureFlags.enablePluginPolicy": (
            flags.get("enablePluginPolicy") is True,
            "plugins may stand in the sidecar's chains",
        ),
        "spec.featureFlags.enableTrafficWarmupPolicy": (
            flags.get("enableTrafficWarmupPolicy") is True,
            "shares may grow with the age of pods",
        ),
    }
    for path, (is_used, what) in used.items():
        if is_used:
            yield config.at(path), what


def _of_resources(snapshot: Snapshot) -> Iterator[tuple[FieldRef, str]]:
    first: str | None = None
    for space in snapshot.kind(Namespace):
        mesh = space.metadata.labels.get(MONITORED_BY)
        first = first or mesh
        if mesh != first and mesh is not None:
            what = f"the namespace is monitored by mesh `{mesh}`, others are by `{first}`"
            yield space.at(f"metadata.labels.{MONITORED_BY}"), what
    for service in snapshot.kind(Service):
        for name in CONNECTED:
            if name in service.metadata.annotations:
                yield service.at(f"metadata.annotations.{name}"), "the service comes from a connector"
