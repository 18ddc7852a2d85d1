"""Helm's `--set` grammar, and where the values of the FSM chart end up in a `MeshConfig`.

Plain JSON values go in, frozen or not, and new plain JSON values come out; no argument is ever changed.
What a field may hold is not looked at here: the result is read as strictly as any other document.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..values.construction import frozen
from ..values.errors import PatchError, Problem, show
from ..values.frozen import FrozenMap, thaw
from ..values.references import Mark
from ..values.spelling import nearest
from .patch import SHOWN, readable, rest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "CHART_KEYS",
    "INSTALLED",
    "PLACED",
    "SetOperation",
    "apply_set",
    "helm_set",
    "parse_set",
    "placeless",
]

Path: TypeAlias = tuple[str | int, ...]

MAX_INDEX: Final = 65536  # as in Helm
MAX_LEVELS: Final = 30  # dots in a key, as in Helm; and indexes, of which Helm takes any number
MAX_PLACES: Final = 2**22  # all indexes of a text added up: each may make a list of its size

_SET: Final = "--set"


@frozen
class SetOperation:
    """One `key=value` of a `--set` text.

    Attributes:
        path: the key, taken apart: names, and indexes as numbers (`a.b[0]` is `("a", "b", 0)`).
        value: a string, integer, boolean or None; or a tuple of such.
        mark: where the key begins.
    """

    path: Path
    value: Any
    mark: Mark

    @property
    def key(self) -> str:
        """The key as Helm reads it, with a backslash before a sign that is part of a name."""
        return _spelled(self.path)


def _until(stops: str) -> re.Pattern[str]:
    r"""What goes on to a stop that has no `\` before it, or to a `\` that ends the text."""
    return re.compile(rf"[^\\{stops}]*(?:\\.[^\\{stops}]*)*", re.DOTALL)


_NAME, _VALUE, _ITEM = _until(r"=\[,."), _until(","), _until(",}")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r"[\\=\[,.]")
_INDEX = re.compile(r"([+-]?)([0-9]+)\]")
_INTEGER = re.compile(r"([+-]?)([0-9]+)")
_WORDS = {"true": True, "false": False, "null": None, "0": 0}
_INT64 = range(-(2**63), 2**63)


def parse_set(text: str) -> tuple[SetOperation, ...]:
    r"""The operations of a Helm `--set` text (`a.b=1,c[0].d=x,e={y,z}`), in its order.

    Values are typed as Helm types them: `true`, `false` and `null` in any letter case, and integers of 64
    bits without leading zeros; all else is a string, floats and `[]` too, and `{}` is a list of one empty
    string. A `\` takes the meaning from the sign after it. Spaces belong to the key or the value they are in.

    What Helm loses in silence is an error here: a setting without a name (`=1`, `a..b=1`) and a text that
    breaks off (`a.`, `a[`, `a[0]`, `a=b\`); and so is `a={x}b=1`, which Helm reads as two settings. An empty
    value at the end counts everywhere; Helm loses that of `a[0].b=`.

    Source: Helm, `pkg/strvals/parser.go`.

    Raises:
        PatchError: the text does not follow the grammar, or exceeds `MAX_TEXT`, `MAX_INDEX`, `MAX_LEVELS` or
            `MAX_PLACES`.
    """
    readable(text, _SET)
    operations: list[SetOperation] = []
    at = places = 0
    while at < len(text):
        start = at
        path, at = _read_key(text, at)
        places += sum(step for step in path if isinstance(step, int))
        if places > MAX_PLACES:
            raise _set_error(start, path, f"indexes that add up to at most {MAX_PLACES}", f"{places}")
        value, at = (_read_list if text.startswith("{", at) else _read_value)(text, at, path)
        operations.append(SetOperation(path, value, Mark(1, start + 1)))
    return tuple(operations)


def _read_key(text: str, start: int) -> tuple[Path, int]:
    """The key that begins at `start`, and where its value begins."""
    path: list[str | int] = []
    at, read = start, _STEPS["."]
    while read:
        step, at = read(text, at, path)
        path.append(step)
        sign = text[at : at + 1]
        if sign not in _STEPS:
            raise _set_error(at, path, "`=` and a value", rest_of(text, at))
        at, read = at + 1, _STEPS[sign]
    indexes = sum(isinstance(step, int) for step in path)
    for count, what in ((len(path) - indexes - 1, "dots"), (indexes, "indexes")):
        if count > MAX_LEVELS:
            raise _set_error(start, path, f"at most {MAX_LEVELS} {what} in a key", f"{count}")
    return tuple(path), at


def _read_name(text: str, at: int, path: Sequence[str | int]) -> tuple[str, int]:
    name, end = _matched(_NAME, text, at)
    if not name:
        raise _set_error(at, path, "a name", rest_of(text, at))
    return _unescaped(name), end


def _read_index(text: str, at: int, path: Sequence[str | int]) -> tuple[int, int]:
    index = _INDEX.match(text, at)
    number = _integer(*index.groups()) if index else None
    if index is None or number is None or not 0 <= number <= MAX_INDEX:
        raise _set_error(at, path, f"an index from 0 to {MAX_INDEX} and `]`", rest_of(text, at))
    return number, index.end()


# The sign after a name or an index -> what reads the next step of the key.
_STEPS: Final[Mapping[str, Callable[[str, int, Sequence[str | int]], tuple[str | int, int]] | None]] = {
    ".": _read_name,
    "[": _read_index,
    "=": None,
}


def _read_value(text: str, at: int, path: Path) -> tuple[Any, int]:
    value, end = _matched(_VALUE, text, at)
    if text.startswith("\\", end):
        raise _set_error(end, path, "a sign after the `\\`", rest_of(text, end + 1))
    return _typed(value), end + 1


def _read_list(text: str, at: int, path: Path) -> tuple[Any, int]:
    items: list[Any] = []
    sign = ","
    while sign == ",":
        item, at = _matched(_ITEM, text, at + 1)
        items.append(_typed(item))
        sign = text[at : at + 1]
    if sign != "}":
        raise _set_error(at, path, "`}` at the end of the list", rest_of(text, at))
    at += 1
    if text[at : at + 1] not in {"", ","}:
        raise _set_error(at, path, "a comma after the list", rest_of(text, at))
    return tuple(items), at + 1


def _matched(pattern: re.Pattern[str], text: str, at: int) -> tuple[str, int]:
    found = pattern.match(text, at)
    end = found.end() if found else at
    return text[at:end], end


def _typed(raw: str) -> str | int | None:
    text = _unescaped(raw)
    word = text.casefold()
    if word in _WORDS:
        return _WORDS[word]
    number = None if text.startswith("0") else _INTEGER.fullmatch(text)
    value = _integer(*number.groups()) if number else None
    return text if value is None or value not in _INT64 else value


def _integer(sign: str, digits: str) -> int | None:
    """The number, unless it is far beyond 64 bits, where Python's own conversion is slow, or refuses."""
    digits = digits.lstrip("0") or "0"
    return int(sign + digits) if len(digits) < len(str(2**64)) else None


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _spelled(path: Sequence[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else "." + _SPECIAL.sub(r"\\\g<0>", step) for step in path)
    return "".join(steps).removeprefix(".")


def _set_error(
    offset: int, path: Sequence[str | int], expected: str, found: str = "", proposal: str | None = None
) -> PatchError:
    key = _spelled(path)
    short = key if len(key) <= SHOWN else key[: SHOWN - 1] + "…"
    shown = short if short.isprintable() else ascii(short)[1:-1]
    mark = Mark(1, offset + 1)
    return PatchError(Problem(expected, found, shown, document=_SET, mark=mark, proposal=proposal))


def apply_set(values: Mapping[str, Any], text: str) -> dict[str, Any]:
    """`values` as a Helm `--set` text changes them; all of the text counts, or it is an error.

    `{x,y}` replaces a list; `[0]` changes one element of the list that is there, or extends it, with null for
    the elements that nobody named. `null` sets null. A key leads through null as if nothing were there, but
    through no other value that is no mapping (before a name) or no list (before an index).

    Source: Helm, `strvals.ParseInto`. That fails where a key leads through null, and lets a mapping take the
    place of any other element of a list.

    Raises:
        PatchError: as `parse_set` does, and for a key that leads through a value of another kind.
    """
    changed: dict[str, Any] = thaw(values)
    for operation in parse_set(text):
        _put(changed, operation.path, operation)
    return changed


def _put(root: dict[str, Any], path: Path, operation: SetOperation) -> None:
    _assign(_holder(root, path, operation, make=True), path[-1], thaw(operation.value))


def _remove(root: dict[str, Any], path: Path, operation: SetOperation) -> None:
    holder = _holder(root, path, operation, make=False)
    if holder is not None:
        holder.pop(path[-1], None)


def _holder(root: dict[str, Any], path: Path, operation: SetOperation, *, make: bool) -> Any:
    """The mapping or list that the last step of `path` is in; None where there is none and none is made."""
    holder: Any = root
    for depth, (step, below) in enumerate(pairwise(path), start=1):
        expected = list if isinstance(below, int) else dict
        child = _child(holder, step)
        if child is None:
            if not make:
                return None
            child = expected()
            _assign(holder, step, child)
        elif not isinstance(child, expected):
            raise _set_error(operation.mark.column - 1, path[:depth], _KINDS[expected], show(child))
        holder = child
    return holder


_KINDS = {list: "a list", dict: "a mapping"}


def _child(holder: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return holder[step] if step < len(holder) else None
    return holder.get(step)


def _assign(holder: Any, step: str | int, value: Any) -> None:
    if isinstance(step, int):
        holder.extend([None] * (step + 1 - len(holder)))
    holder[step] = value


# The FSM chart


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
    return tuple((_spelled(path), _is_installed(path)) for path in paths if _placed(path) is None)


def _is_installed(path: Path) -> bool:
    return path[0] == "smi" or (len(path) > 1 and path[0] == "fsm" and path[1] in INSTALLED)


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
        (_remove if removes else _put)(changed, path, operation)
    return changed


def _placed(path: Path) -> Path | None:
    """The path in the MeshConfig that a key of the chart stands for, if it has one."""
    for cut in range(len(path), 0, -1):
        if path[:cut] in _PLACES:
            return _PLACES[path[:cut]] + path[cut:]
    return None


def _without_place(operation: SetOperation) -> PatchError:
    path = operation.path
    return _set_error(operation.mark.column - 1, path, PLACED, proposal=_nearest(path))


def _nearest(path: Path) -> str | None:
    """The key that is meant by another name of the value, by a slip in one, or by its last name alone."""
    cuts = range(min(len(path), max(map(len, _MEANT))), 0, -1)
    for cut in cuts:
        if path[:cut] in _MEANT:
            return _spelled(_MEANT[path[:cut]] + path[cut:])
    for cut in cuts:
        names = {_spelled(name): chart for name, chart in _MEANT.items() if len(name) == cut}
        near = nearest(_spelled(path[:cut]), names, _ALIKE)
        if near:
            return _spelled(names[near] + path[cut:])
    same = [chart for chart in _PLACES if path[-1] == chart[-1]]
    return _spelled(same[0]) if len(same) == 1 and len(path) <= len(same[0]) else None
