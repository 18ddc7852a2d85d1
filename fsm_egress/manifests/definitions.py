"""What the definitions of kinds require besides: fields, and values that are carried along unread.

A part of a document is a path, with `[]` for each item of a list; what it must have is in words: `name!` is
required, `name:type` is of this type. A field that the definition has a default for is not required.

Source: FSM, `cmd/fsm-bootstrap/crds`; Kubernetes, its API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..resources.core import Secret, Service, ServiceAccount
from ..resources.egress import EgressPolicy, Isolation, Retry, UpstreamTrafficSetting
from ..resources.meshconfig import MeshConfig
from ..resources.resource import Part
from ..resources.smi import HTTPRouteGroup, TrafficSplit, TrafficTarget
from ..values.errors import show
from .readers import default_of
from .wire_names import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resources.resource import Resource

__all__ = ["Amiss", "lacks", "limits_of", "unfit"]

_LEVELS = "trace|debug|info|warn|error|fatal|panic|disabled"
_RESOURCES = "claims:parts limits:quantities requests:quantities"
_CLAIM = "name!:string request:string"
_LISTENER = "bind:1..65535 enabled:boolean listen:1..65535 nodePort:1..65535"
_LIMIT = "burst:integer requests!:integer responseHeadersToAdd:parts responseStatusCode:integer unit!:string"
_ADDRESSES = "ipv4!:string ipv6:string"
_CHAINS = ("inbound-tcp", "inbound-http", "outbound-tcp", "outbound-http")
_GATEWAY_PORTS = ["egressGRPCPort", "egressHTTPPort", "ingressGRPCPort", "ingressHTTPPort"]
_GATEWAY_ADDRESSES = ["clusterIP", "egressAddr", "externalIP", "ingressAddr"]

_CERTIFICATE = {"spec.sources[].mtls.cert": "expiration! secret! sn! subjectAltNames!"}
_EGRESS = {"spec": "sources! ports!", **_CERTIFICATE}
_RETRY = {"spec": "destinations! retryPolicy!", "spec.retryPolicy": "retryOn!"}
_ROUTES = {"spec": "matches!", "spec.matches[]": "name!"}
_ISOLATION = {"spec": "cidrs!"}
_TARGET = {"spec": "sources! rules!"}
_SPLIT = {"spec": "backends!"}
_SETTING = {
    "spec": "httpRoutes:parts rateLimit:part",
    "spec.connectionSettings.http.circuitBreaking": "degradedTimeWindow! minRequestAmount! statTimeWindow!",
    "spec.httpRoutes[]": "path!:string rateLimit:part",
    "spec.httpRoutes[].rateLimit": "local:part",
    "spec.httpRoutes[].rateLimit.local": _LIMIT,
    "spec.httpRoutes[].rateLimit.local.responseHeadersToAdd[]": "name!:string value!:string",
    "spec.rateLimit": "local:part",
    "spec.rateLimit.local": "http:part tcp:part",
    "spec.rateLimit.local.http": _LIMIT,
    "spec.rateLimit.local.http.responseHeadersToAdd[]": "name!:string value!:string",
    "spec.rateLimit.local.tcp": "burst:integer connections!:integer unit!:string",
}
# What all versions of a MeshConfig have in common.
_COMMON = {
    "spec": "certificate:part repoServer:part",
    "spec.certificate": "certKeyBitSize:integer ingressGateway:part serviceCertValidityDuration:string",
    "spec.certificate.ingressGateway": "secret!:part subjectAltNames!:strings validityDuration!:string",
    "spec.certificate.ingressGateway.secret": "name:string namespace:string",
    "spec.clusterSet": "properties!",
    "spec.featureFlags": (
        "enableAccessCertPolicy!:boolean enableAccessControlPolicy!:boolean"
        " enableAsyncProxyServiceMapping!:boolean enableAutoDefaultRoute! enableEgressPolicy!"
        " enableIngressBackendPolicy!:boolean enablePluginPolicy!:boolean enableRetryPolicy!"
        " enableSidecarActiveHealthChecks! enableSnapshotCacheMode!:boolean"
    ),
    "spec.observability": "fsmLogLevel:string",
    "spec.observability.remoteLogging": "enable!",
    "spec.observability.tracing": "enable!",
    "spec.pluginChains": " ".join(f"{chain}!" for chain in _CHAINS),
    **{f"spec.pluginChains.{chain}[]": "disable! plugin! priority!" for chain in _CHAINS},
    "spec.repoServer": "codebase!:string ipaddr!:string",
    "spec.sidecar": (
        "configResyncInterval:string enablePrivilegedInitContainer!:boolean maxDataPlaneConnections:integer"
        " resources:part sidecarDisabledMTLS! sidecarImage:string"
    ),
    "spec.sidecar.resources": _RESOURCES,
    "spec.sidecar.resources.claims[]": _CLAIM,
    "spec.traffic": (
        "enableEgress! enablePermissiveTrafficPolicyMode! http1PerRequestLoadBalancing!"
        " http2PerRequestLoadBalancing! inboundExternalAuthorization:part inboundPortExclusionList!:integers"
        " interceptionMode! outboundIPRangeExclusionList! outboundPortExclusionList!"
    ),
    "spec.traffic.inboundExternalAuthorization": (
        "address:string enable!:boolean failureModeAllow!:boolean port:integer statPrefix:string"
        " timeout:string"
    ),
}
_MESH_CONFIG = {
    **_COMMON,
    "spec": (
        "certificate:part connector!:part egressGateway:part flb:part gatewayAPI:part image!:part"
        " ingress:part misc!:part repoServer:part serviceLB:part warmup:part"
    ),
    "spec.clusterSet": (
        "controlPlaneUID!:string group:string isManaged:boolean name!:string properties! region:string"
        " uid!:string zone:string"
    ),
    "spec.connector": "DO_NOT_EDIT_viaGateway:string lb!:part viaGateway!:part",
    "spec.connector.lb": "masterNamespace:string slaveNamespaces:strings type:ActiveActive|FailOver",
    "spec.connector.viaGateway": " ".join(
        [f"{name}!:string" for name in _GATEWAY_ADDRESSES] + [f"{name}!:integer" for name in _GATEWAY_PORTS]
    ),
    "spec.egressGateway": (
        f"adminPort:1..65535 enabled:boolean logLevel:{_LEVELS} mode:http2tunnel|sock5 port:1..65535"
        " replicas:integer"
    ),
    "spec.featureFlags": (
        f"{_COMMON['spec.featureFlags']} dropRouteRuleIfNoAvailableBackends!:boolean"
        " enableSidecarPrettyConfig!:boolean enableTrafficWarmupPolicy!:boolean"
        " enableValidateGRPCRouteHostnames!:boolean enableValidateGatewayListenerHostname!:boolean"
        " enableValidateHTTPRouteHostnames!:boolean enableValidateTLSRouteHostnames!:boolean"
        " useEndpointSlicesForGateway!:boolean"
    ),
    "spec.flb": ("enabled:boolean secretName:string strictMode:boolean upstreamMode:NodePort|Endpoint"),
    "spec.gatewayAPI": f"enabled:boolean logLevel:{_LEVELS}",
    "spec.image": "digest!:map name!:map pullPolicy:string registry:string tag:string",
    "spec.ingress": (
        f"enabled:boolean http:part logLevel:{_LEVELS} namespaced:boolean tls:part type:LoadBalancer|NodePort"
    ),
    "spec.ingress.http": _LISTENER,
    "spec.ingress.tls": f"{_LISTENER} mTLS:boolean sslPassthrough:part",
    "spec.ingress.tls.sslPassthrough": "enabled:boolean upstreamPort:1..65535",
    "spec.misc": "repoServerImage:string",
    "spec.serviceLB": "enabled:boolean image:string",
    "spec.observability": f"fsmLogLevel:{_LEVELS}",
    "spec.observability.remoteLogging": "enable! sampledFraction:string secretName:string",
    "spec.repoServer": f"{_COMMON['spec.repoServer']} port:integer",
    "spec.sidecar": (
        f"{_COMMON['spec.sidecar']} cipherSuites:strings ecdhCurves:strings"
        " gracefulExitUntilDownstreamEnds:boolean healthcheckResources:part"
        " holdApplicationUntilProxyStarts:boolean initResources:part localProxyMode:Localhost|PodIP"
        " tlsMaxProtocolVersion:string tlsMinProtocolVersion:string xnetDNSProxy:part"
    ),
    "spec.sidecar.healthcheckResources": _RESOURCES,
    "spec.sidecar.healthcheckResources.claims[]": _CLAIM,
    "spec.sidecar.initResources": _RESOURCES,
    "spec.sidecar.initResources.claims[]": _CLAIM,
    "spec.sidecar.localDNSProxy": (
        "db:parts enable! generateIPv6BasedOnIPv4:boolean primaryUpstreamDNSServerIPAddr:string"
        " secondaryUpstreamDNSServerIPAddr:string wildcard!:part"
    ),
    "spec.sidecar.localDNSProxy.db[]": "dn!:string ips!:parts",
    "spec.sidecar.localDNSProxy.db[].ips[]": _ADDRESSES,
    "spec.sidecar.localDNSProxy.wildcard": "enable!:boolean ips!:parts los!:parts",
    "spec.sidecar.localDNSProxy.wildcard.ips[]": _ADDRESSES,
    "spec.sidecar.localDNSProxy.wildcard.los[]": _ADDRESSES,
    "spec.sidecar.xnetDNSProxy": "enable!:boolean upstreams:parts",
    "spec.sidecar.xnetDNSProxy.upstreams[]": "ip:string name:string namespace:string port:integer",
    "spec.traffic": (
        f"{_COMMON['spec.traffic']} interceptionMode:NodeLevel|PodLevel networkInterfaceExclusionList!"
        " outboundIPRangeInclusionList!"
    ),
    "spec.traffic.serviceAccessNames": "cloud:part",
    "spec.traffic.serviceAccessNames.cloud": "withNamespace:boolean",
    "spec.warmup": ("aggression:1.. duration enable:boolean maxWeight:0..100 minWeight:0..100"),
}
_OLDEST_MESH_CONFIG = {
    **_COMMON,
    "spec.traffic": f"{_COMMON['spec.traffic']} serviceAccessMode!",
}
_OLDER_MESH_CONFIG = {
    **_COMMON,
    "spec.sidecar.localDNSProxy": "enable!",
    "spec.traffic": (
        f"{_COMMON['spec.traffic']} networkInterfaceExclusionList! outboundIPRangeInclusionList!"
        " serviceAccessMode!"
    ),
}

_SERVICE = {
    "spec": (
        "allocateLoadBalancerNodePorts:boolean clusterIPs:strings externalIPs:strings externalName:string"
        " externalTrafficPolicy:Cluster|Local healthCheckNodePort:integer internalTrafficPolicy:Cluster|Local"
        " ipFamilies:strings ipFamilyPolicy:SingleStack|PreferDualStack|RequireDualStack"
        " loadBalancerClass:string loadBalancerIP:string loadBalancerSourceRanges:strings"
        " publishNotReadyAddresses:boolean sessionAffinity:None|ClientIP sessionAffinityConfig:part"
        " trafficDistribution:string type:ClusterIP|NodePort|LoadBalancer|ExternalName"
    ),
    "spec.ports[]": "nodePort:integer",
}
_SERVICE_ACCOUNT = {"": "automountServiceAccountToken:boolean imagePullSecrets:parts secrets:parts"}
_SECRET = {"": "immutable:boolean"}

_DEFINITIONS: Mapping[tuple[type[Resource], str], Mapping[str, str]] = {
    **{(EgressPolicy, version): _EGRESS for version in EgressPolicy.api_versions},
    **{(Isolation, version): _ISOLATION for version in Isolation.api_versions},
    **{(Retry, version): _RETRY for version in Retry.api_versions},
    **{(UpstreamTrafficSetting, version): _SETTING for version in UpstreamTrafficSetting.api_versions},
    **{(HTTPRouteGroup, version): _ROUTES for version in HTTPRouteGroup.api_versions},
    **{(TrafficTarget, version): _TARGET for version in TrafficTarget.api_versions},
    **{(TrafficSplit, version): _SPLIT for version in TrafficSplit.api_versions},
    (Service, "v1"): _SERVICE,
    (ServiceAccount, "v1"): _SERVICE_ACCOUNT,
    (Secret, "v1"): _SECRET,
    (MeshConfig, "config.flomesh.io/v1alpha3"): _MESH_CONFIG,
    (MeshConfig, "config.flomesh.io/v1alpha2"): _OLDER_MESH_CONFIG,
    (MeshConfig, "config.flomesh.io/v1alpha1"): _OLDEST_MESH_CONFIG,
}


class Amiss(NamedTuple):
    """What a definition refuses: where, what it expects there, and what stands there."""

    path: str
    expected: str
    found: str


class _Field(NamedTuple):
    name: str
    is_needed: bool
    type: str


def lacks(resource: Resource) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The parts of a resource that lack what they must have: the path of each, and the names."""
    for path, holder, fields in _described(resource):
        missing = [it.name for it in fields if it.is_needed and _written(holder, it.name) is None]
        if missing:
            yield path, tuple(missing)


def unfit(resource: Resource) -> Iterator[Amiss]:
    """What a resource carries along unread, and its definition has not, or not so."""
    for path, holder, fields in _described(resource):
        for field in fields:
            value = _written(holder, field.name)
            is_read = isinstance(holder, Part) and field.name in FIELDS[type(holder)] and field.type in _TYPES
            if field.type and value is not None and not is_read:  # of what is read, the type is known
                expected, is_good = _type_of(field.type)
                if not is_good(value):
                    yield Amiss(f"{path}.{field.name}".lstrip("."), expected, show(value))
        if not isinstance(holder, Part):
            for name in holder.keys() - {field.name for field in fields}:
                yield Amiss(f"{path}.{name}", "a known field", f"`{name}`")


def limits_of(setting: UpstreamTrafficSetting) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The limits of a setting for requests, each with its path."""
    for path in ("spec.rateLimit.local.http", "spec.httpRoutes[].rateLimit.local"):
        yield from _parts(setting, path.split("."), "")


def _described(resource: Resource) -> Iterator[tuple[str, Any, tuple[_Field, ...]]]:
    """The parts of a resource that its definition says something about."""
    described = _DEFINITIONS.get((type(resource), resource.api_version), {})
    for path, text in described.items():
        for place, holder in _parts(resource, path.split(".") if path else [], ""):
            yield place, holder, _fields(text)


@cache
def _fields(text: str) -> tuple[_Field, ...]:
    words = (word.partition(":") for word in text.split())
    return tuple(_Field(name.rstrip("!"), name.endswith("!"), of) for name, _, of in words)


def _parts(holder: Any, steps: Sequence[str], at: str) -> Iterator[tuple[str, Any]]:
    """The parts at a path, each with its place."""
    if not steps:
        yield at.lstrip("."), holder
        return
    name = steps[0].removesuffix("[]")
    value = _written(holder, name)
    places = [(f"{at}.{name}", value)]
    if name != steps[0]:
        items = value if isinstance(value, (list, tuple)) else ()
        places = [(f"{at}.{name}[{index}]", item) for index, item in enumerate(items)]
    for place, part in places:
        if isinstance(part, (Part, Mapping)):
            yield from _parts(part, steps[1:], place)


def _written(holder: Any, name: str) -> Any:
    """What a part has by a name; None where nothing is written, and where null is, as that is no value."""
    if not isinstance(holder, Part):
        return holder.get(name)
    attribute = FIELDS[type(holder)].get(name)
    if attribute is None:
        return holder.extra.get(name)
    value = getattr(holder, attribute.name)
    return value if value != default_of(attribute) or name in holder.explicit else None


# --- types -----------------------------------------------------------------------------------------------


def _is_whole(value: Any) -> bool:
    return type(value) is int or (isinstance(value, float) and value.is_integer())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, tuple)
        and all(isinstance(item, kind) and not isinstance(item, bool) for item in value)
    )


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(item, (str, NoneType)) for item in value.values())


def _is_quantity(value: Any) -> bool:
    is_text = isinstance(value, str) and _QUANTITY.fullmatch(value) is not None
    return value is None or is_text or (isinstance(value, int) and not isinstance(value, bool))


_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_QUANTITY = re.compile(rf"[+-]?{_NUMBER}(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?{_NUMBER})?", re.ASCII)
_Type = tuple[str, Callable[[Any], bool]]
_TYPES: Mapping[str, _Type] = {
    "boolean": ("a boolean", lambda value: isinstance(value, bool)),
    "integer": ("a whole number", _is_whole),
    "integers": ("a list of whole numbers", _is_list_of(int)),
    "map": ("a mapping of strings", _is_map),
    "part": ("a mapping", lambda value: isinstance(value, Mapping)),
    "parts": ("a list of mappings", _is_list_of(Mapping)),
    "quantities": (
        "a mapping of quantities",
        lambda value: isinstance(value, Mapping) and all(map(_is_quantity, value.values())),
    ),
    "string": ("a string", lambda value: isinstance(value, str)),
    "strings": ("a list of strings", _is_list_of(str)),
}


@cache
def _type_of(text: str) -> _Type:
    """What a type expects in words, and whether a value is of it."""
    low, is_range, high = text.partition("..")
    if is_range:
        lowest = int(low)
        if not high:
            return f"a number from {low} on", lambda value: _is_number(value) and value >= lowest
        highest = int(high)
        return (
            f"a number from {low} to {high}",
            lambda value: _is_whole(value) and lowest <= value <= highest,
        )
    if "|" in text:
        choices = tuple(text.split("|"))
        return " or ".join(f"`{choice}`" for choice in choices), lambda value: value in choices
    return _TYPES[text]
