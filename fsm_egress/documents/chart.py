"""Where the values of the FSM chart end up in a `MeshConfig`, for `--set` as `helm upgrade` has it.

Plain JSON values go in, frozen or not, and new plain JSON values come out; no argument is ever changed.
What a field may hold is not looked at here: the result is read as strictly as any other document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ..values.frozen import FrozenMap, thaw
from ..values.spelling import nearest
from ..values.typed import takes
from .helm import Path, SetOperation, parse_set, put, remove, set_error, spelled

if TYPE_CHECKING:
    from ..values.errors import PatchError

__all__ = ["CHART_KEYS", "INSTALLED", "PLACED", "helm_set", "placeless"]


def _alike(chart: str, place: str, names: str) -> dict[str, str]:
    """Keys that have the same name in the chart and in the MeshConfig."""
    return {f"{chart}.{name}": f"{place}.{name}" for name in names.split()}


CHART_KEYS: Final[Mapping[str, str]] = FrozenMap(
    _alike("clusterSet", "spec.clusterSet", "isManaged region zone group name controlPlaneUID")
    | {"fsm.sidecar.sidecarLogLevel": "spec.sidecar.logLevel"}
    | _alike(
        "fsm.sidecar",
        "spec.sidecar",
        "compressConfig holdApplicationUntilProxyStarts gracefulExitUntilDownstreamEnds sidecarDisabledMTLS "
        "sidecarTimeout",
    )
    | _alike(
        "fsm",
        "spec.sidecar",
        "enablePrivilegedInitContainer maxDataPlaneConnections configResyncInterval localProxyMode "
        "localDNSProxy xnetDNSProxy",
    )
    | {
        "fsm.trafficInterceptionMode": "spec.traffic.interceptionMode",
        "fsm.enablePermissiveTrafficPolicy": "spec.traffic.enablePermissiveTrafficPolicyMode",
    }
    | _alike(
        "fsm",
        "spec.traffic",
        "enableEgress http1PerRequestLoadBalancing http2PerRequestLoadBalancing serviceAccessMode "
        "outboundPortExclusionList inboundPortExclusionList outboundIPRangeExclusionList "
        "outboundIPRangeInclusionList networkInterfaceExclusionList",
    )
    | _alike("fsm.warmup", "spec.warmup", "enable duration minWeight maxWeight")
    | {"fsm.controllerLogLevel": "spec.observability.fsmLogLevel"}
    | _alike("fsm.tracing", "spec.observability.tracing", "enable port address endpoint sampledFraction")
    | _alike(
        "fsm.remoteLogging",
        "spec.observability.remoteLogging",
        "enable secretName level port address endpoint authorization sampledFraction",
    )
    | _alike("fsm.certificateProvider", "spec.certificate", "serviceCertValidityDuration certKeyBitSize")
    | _alike("fsm.repoServer", "spec.repoServer", "ipaddr port codebase")
    | _alike(
        "fsm.featureFlags",
        "spec.featureFlags",
        "enableEgressPolicy enableRetryPolicy enablePluginPolicy enableAutoDefaultRoute "
        "enableAccessControlPolicy enableAccessCertPolicy enableIngressBackendPolicy "
        "enableTrafficWarmupPolicy enableSnapshotCacheMode enableAsyncProxyServiceMapping "
        "enableSidecarPrettyConfig enableSidecarActiveHealthChecks enableValidateGatewayListenerHostname "
        "enableValidateHTTPRouteHostnames enableValidateGRPCRouteHostnames enableValidateTLSRouteHostnames "
        "useEndpointSlicesForGateway dropRouteRuleIfNoAvailableBackends",
    )
    | {"fsm.pluginChains": "spec.pluginChains"}
    | _alike("fsm.fsmIngress", "spec.ingress", "namespaced logLevel")
    | {
        "fsm.fsmIngress.service.type": "spec.ingress.type",
        "fsm.fsmIngress.http.port": "spec.ingress.http.bind",
        "fsm.fsmIngress.http.containerPort": "spec.ingress.http.listen",
        "fsm.fsmIngress.tls.port": "spec.ingress.tls.bind",
        "fsm.fsmIngress.tls.containerPort": "spec.ingress.tls.listen",
    }
    | _alike("fsm.fsmIngress.http", "spec.ingress.http", "enabled nodePort")
    | _alike("fsm.fsmIngress.tls", "spec.ingress.tls", "enabled nodePort mTLS")
    | _alike("fsm.fsmIngress.tls.sslPassthrough", "spec.ingress.tls.sslPassthrough", "enabled upstreamPort")
    | {"fsm.fsmGateway.logLevel": "spec.gatewayAPI.logLevel"}
    | _alike("fsm.serviceLB", "spec.serviceLB", "enabled")
    | _alike("fsm.flb", "spec.flb", "enabled strictMode upstreamMode secretName")
    | _alike("fsm.egressGateway", "spec.egressGateway", "enabled logLevel mode port adminPort")
    | {"fsm.egressGateway.replicaCount": "spec.egressGateway.replicas"}
    | _alike("fsm.image", "spec.image", "registry tag name digest pullPolicy")
)
"""Value of the FSM chart -> field of the MeshConfig that it becomes, with all that is below it.

Values that the chart computes with have no entry: images are put together from several, and `enabled` of
ingress and gateway look at each other.

Source: FSM, `charts/fsm/templates/preset-mesh-config.yaml`.
"""

_PLACES: Final[Mapping[Path, Path]] = {
    tuple(chart.split(".")): tuple(place.split(".")) for chart, place in CHART_KEYS.items()
}
# How people name a chart value: by its key, by the field that it becomes, by either without its first name.
_MEANT: Final[Mapping[Path, Path]] = {
    name: chart for chart, place in _PLACES.items() for name in (place[1:], chart[1:], place, chart)
}
PLACED: Final = "a chart value that a MeshConfig holds"
_ALIKE = 0.88  # of a slip: below, `fsmGateway` is taken for `egressGateway`


# What else the chart of FSM has below `fsm`: an installation has it, and no MeshConfig.
INSTALLED: Final = frozenset(
    {
        "caBundleSecretName",
        "certificateProvider",
        "certmanager",
        "cleanup",
        "controlPlaneTolerations",
        "deployGrafana",
        "deployJaeger",
        "deployPrometheus",
        "enableFluentbit",
        "enableMultiClusters",
        "enableReconciler",
        "enforceSingleMesh",
        "fluentBit",
        "fsmBootstrap",
        "fsmController",
        "fsmGateway",
        "fsmIngress",
        "fsmNamespace",
        "fsmXnetwork",
        "grafana",
        "image",
        "imagePullSecrets",
        "injector",
        "meshName",
        "preinstall",
        "prometheus",
        "repoServer",
        "sidecar",
        "tracing",
        "trustDomain",
        "validateTrafficTarget",
        "validatorWebhook",
        "vault",
        "webhookConfigNamePrefix",
    }
)


def placeless(text: str) -> tuple[tuple[str, bool], ...]:
    """The keys of a `--set` text that no MeshConfig holds, and of each whether the chart of FSM has it.

    Raises:
        PatchError: the text cannot be read.
    """
    paths = [operation.path for operation in parse_set(text)]
    return tuple((spelled(path), _is_installed(path)) for path in paths if _placed(path) is None)


def _is_installed(path: Path) -> bool:
    return path[0] == "smi" or (len(path) > 1 and path[0] == "fsm" and path[1] in INSTALLED)


@takes(mesh_config=Mapping, text=str)
def helm_set(mesh_config: Mapping[str, Any], text: str, *, lenient: bool = False) -> dict[str, Any]:
    """A `MeshConfig` document as `--set` of the FSM chart changes it: `fsm.enableEgress=true`.

    The keys are those of `CHART_KEYS` and all below them. The text is applied to the fields as they are, as
    `apply_set` does it: `[0]` changes one element and keeps the others. (At an installation nothing is there
    yet: a list that is given by its elements replaces the chart's whole.) `null` removes a field.

    Args:
        mesh_config: the document.
        text: what stands behind `--set`.
        lenient: pass over keys that have no place in a MeshConfig, which `placeless` names.

    Raises:
        PatchError: as `apply_set` does; and for a key without a place in a MeshConfig, with the nearest key.
    """
    changed: dict[str, Any] = thaw(mesh_config)
    for operation in parse_set(text):
        path = _placed(operation.path)
        if path is None:
            if lenient:
                continue
            raise _without_place(operation)
        removes = operation.value is None and isinstance(path[-1], str)
        (remove if removes else put)(changed, path, operation)
    return changed


def _placed(path: Path) -> Path | None:
    """The path in the MeshConfig that a key of the chart stands for, if it has one."""
    for cut in range(len(path), 0, -1):
        if path[:cut] in _PLACES:
            return _PLACES[path[:cut]] + path[cut:]
    return None


def _without_place(operation: SetOperation) -> PatchError:
    path = operation.path
    return set_error(operation.mark.column - 1, path, PLACED, proposal=_nearest(path))


def _nearest(path: Path) -> str | None:
    """The key that is meant by another name of the value, by a slip in one, or by its last name alone."""
    cuts = range(min(len(path), max(map(len, _MEANT))), 0, -1)
    for cut in cuts:
        if path[:cut] in _MEANT:
            return spelled(_MEANT[path[:cut]] + path[cut:])
    for cut in cuts:
        names = {spelled(name): chart for name, chart in _MEANT.items() if len(name) == cut}
        near = nearest(spelled(path[:cut]), names, _ALIKE)
        if near:
            return spelled(names[near] + path[cut:])
    same = [chart for chart in _PLACES if path[-1] == chart[-1]]
    return spelled(same[0]) if len(same) == 1 and len(path) <= len(same[0]) else None
