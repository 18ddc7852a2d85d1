"""Wire names: how Kubernetes spells the fields of the models, and which others a real object may have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from ..resources import (
    checks,
    core,
    egress,
    machines,
    meshconfig,
    multicluster,
    plugins,
    smi,
    workloads,
)
from ..resources.kinds import READ
from ..resources.resource import ObjectMeta, Part, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["FIELDS", "carried", "carries", "check_of", "wire_name", "wire_path", "without_effect"]

Fields: TypeAlias = "dict[str, attrs.Attribute[Any]]"

_SPECIAL = {
    "api_version": "apiVersion",
    "cluster_ip": "clusterIP",
    "global_": "global",
    "inbound_http": "inbound-http",
    "inbound_tcp": "inbound-tcp",
    "ip_addresses": "ipAddresses",
    "local_dns_proxy": "localDNSProxy",
    "machine_ip": "machineIP",
    "outbound_http": "outbound-http",
    "outbound_ip_range_exclusion_list": "outboundIPRangeExclusionList",
    "outbound_ip_range_inclusion_list": "outboundIPRangeInclusionList",
    "outbound_tcp": "outbound-tcp",
    "pod_ip": "podIP",
    "pod_ips": "podIPs",
    "sidecar_disabled_mtls": "sidecarDisabledMTLS",
}
_NO_FIELDS = {"extra", "explicit"}
_STEP = re.compile(r"(?:\[[0-9]+\])?(?:\.|$)")
_SNAKE = re.compile(r"[a-z][a-z0-9_]*")

ANYTHING: frozenset[str] = frozenset("*")
# What this library carries along unread: the fields of FSM's CRDs and of Kubernetes' own kinds that have
# nothing to do with egress. Any other unknown name is a mistake.
_CARRIED: dict[type[Part], frozenset[str]] = {
    ObjectMeta: ANYTHING,
    **dict.fromkeys((*workloads.MAKERS, *workloads.PARTS), ANYTHING),
    meshconfig.MeshConfigSpec: frozenset(
        {
            "certificate",
            "connector",
            "egressGateway",
            "flb",
            "gatewayAPI",
            "image",
            "ingress",
            "misc",
            "repoServer",
            "serviceLB",
        }
    ),
    meshconfig.Traffic: frozenset(
        {
            "inboundExternalAuthorization",
            "inboundPortExclusionList",
        }
    ),
    meshconfig.ServiceAccessNames: frozenset({"cloud"}),
    meshconfig.Sidecar: frozenset(
        {
            "cipherSuites",
            "configResyncInterval",
            "ecdhCurves",
            "enablePrivilegedInitContainer",
            "gracefulExitUntilDownstreamEnds",
            "healthcheckResources",
            "holdApplicationUntilProxyStarts",
            "initContainerImage",
            "initResources",
            "localProxyMode",
            "maxDataPlaneConnections",
            "resources",
            "sidecarClass",
            "sidecarDrivers",
            "sidecarImage",
            "tlsMaxProtocolVersion",
            "tlsMinProtocolVersion",
            "xnetDNSProxy",
        }
    ),
    meshconfig.LocalDNSProxy: frozenset(
        {
            "db",
            "generateIPv6BasedOnIPv4",
            "primaryUpstreamDNSServerIPAddr",
            "searchesWithNamespace",
            "searchesWithTrustDomain",
            "secondaryUpstreamDNSServerIPAddr",
        }
    ),
    meshconfig.FeatureFlags: frozenset(
        {
            "dropRouteRuleIfNoAvailableBackends",
            "enableAccessCertPolicy",
            "enableAccessControlPolicy",
            "enableAsyncProxyServiceMapping",
            "enableIngressBackendPolicy",
            "enableSnapshotCacheMode",
            "enableValidateGRPCRouteHostnames",
            "enableValidateGatewayListenerHostname",
            "enableValidateHTTPRouteHostnames",
            "enableValidateTLSRouteHostnames",
            "useEndpointSlicesForGateway",
        }
    ),
    meshconfig.Observability: frozenset({"fsmLogLevel"}),
    meshconfig.RemoteLogging: frozenset({"sampledFraction", "secretName"}),
    meshconfig.ClusterSet: frozenset(
        {"controlPlaneUID", "group", "isManaged", "name", "region", "uid", "zone"}
    ),
    egress.UpstreamTrafficSettingSpec: frozenset({"httpRoutes", "rateLimit"}),
    machines.VirtualMachineSpec: frozenset(
        {"ipFamily", "livenessProbe", "readinessProbe", "services", "startupProbe"}
    ),
    multicluster.ServiceImportSpec: frozenset({"ips", "sessionAffinity", "sessionAffinityConfig", "type"}),
    plugins.PluginDestination: frozenset({"apiVersion", "fieldPath", "resourceVersion", "uid"}),
    smi.SplitMatch: frozenset({"namespace"}),
    core.ServiceSpec: frozenset(
        {
            "allocateLoadBalancerNodePorts",
            "clusterIPs",
            "externalIPs",
            "externalName",
            "externalTrafficPolicy",
            "healthCheckNodePort",
            "internalTrafficPolicy",
            "ipFamilies",
            "ipFamilyPolicy",
            "loadBalancerClass",
            "loadBalancerIP",
            "loadBalancerSourceRanges",
            "publishNotReadyAddresses",
            "sessionAffinity",
            "sessionAffinityConfig",
            "trafficDistribution",
            "type",
        }
    ),
    core.ServicePort: frozenset({"nodePort"}),
    core.EndpointAddress: frozenset({"nodeName", "targetRef"}),
    core.Container: ANYTHING,
    core.SliceConditions: frozenset({"serving", "terminating"}),
    core.SliceEndpoint: frozenset(
        {"deprecatedTopology", "hints", "nodeName", "targetRef", "topology", "zone"}
    ),
    core.PodSpec: ANYTHING,
    core.SecurityContext: ANYTHING,
    core.PodStatus: ANYTHING,
    core.Namespace: frozenset({"spec"}),
    core.ServiceAccount: frozenset({"automountServiceAccountToken", "imagePullSecrets", "secrets"}),
    core.Secret: frozenset({"immutable"}),
}


# What MeshConfigs of FSM 1.0 to 1.4 have, and those of Open Service Mesh, and FSM makes nothing of since 1.5.
_WITHOUT_EFFECT: dict[type[Part], frozenset[str]] = {
    meshconfig.FeatureFlags: frozenset(
        {
            "enableEnvoyActiveHealthChecks",
            "enableGatewayAgentService",
            "enableGatewayProxyTag",
            "enableMeshRootCertificate",
            "enableMulticlusterMode",
            "enableWASMStats",
        }
    ),
    meshconfig.Observability: frozenset({"enableDebugServer", "osmLogLevel"}),
    meshconfig.Sidecar: frozenset({"envoyImage", "envoyWindowsImage"}),
}
_CARRIED |= {kind: _CARRIED[kind] | names for kind, names in _WITHOUT_EFFECT.items()}


def without_effect(kind: type[Part]) -> frozenset[str]:
    """The fields of a class that FSM read once, or its forerunner, and reads no more."""
    return _WITHOUT_EFFECT.get(kind, frozenset())


def wire_name(name: str) -> str:
    """The wire name of a field: `service_access_mode` is `serviceAccessMode`."""
    first, *rest = name.split("_")
    return _SPECIAL.get(name) or first + "".join(map(str.capitalize, rest))


def wire_path(path: str) -> str:
    """A path in Python names as a path in wire names: `spec.ip_addresses[0]` is `spec.ipAddresses[0]`."""
    return _SNAKE.sub(lambda found: wire_name(found[0]), path)


def _fields_of(kind: type[Part]) -> Fields:
    """The fields of a class that have a place in a document, in the order they are written."""
    own = _NO_FIELDS | ({"source"} if issubclass(kind, Resource) else set())
    found = {wire_name(field.name): field for field in attrs.fields(kind) if field.name not in own}
    first = [name for name in ("apiVersion", "metadata") if name in found]
    return {name: found[name] for name in (*first, *(name for name in found if name not in first))}


def _table(kinds: Iterable[type[Part]]) -> dict[type[Part], Fields]:
    """The fields of these classes and of all classes below them."""
    table: dict[type[Part], Fields] = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if kind not in table:
            table[kind] = _fields_of(kind)
            for field in table[kind].values():
                inner = field.metadata.get("part") or field.metadata.get("parts")
                waiting.extend([inner] if inner else [])
    return table


FIELDS: Mapping[type[Part], Fields] = _table(READ)
"""The fields of every class, by wire name."""


def check_of(kind: type[Part], path: str) -> Any:
    """The check of the field that a value at this path belongs to; None for what is carried along.

    Of a path that ends at a part it is the class of that part.
    """
    for name in filter(None, _STEP.split(path)):
        field = FIELDS[kind].get(name)
        if field is None:
            return None
        inner = field.metadata.get("part") or field.metadata.get("parts")
        if inner is None:
            return field.metadata.get("check", checks.string)
        kind = inner
    return kind


def carried(kind: type[Part]) -> frozenset[str] | None:
    """The fields that an object of this class may have besides those that are read; None for any."""
    found = _CARRIED.get(kind, frozenset())
    return None if found is ANYTHING else found


def carries(kind: type[Part], name: str) -> bool:
    """Whether an object of this class may have a field that the class does not read."""
    carried = _CARRIED.get(kind, frozenset())
    return carried is ANYTHING or name in carried or (name == "status" and issubclass(kind, Resource))
