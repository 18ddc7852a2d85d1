"""What an API server with FSM's CRDs and webhook refuses of a mesh that is good enough to be read here.

It needs fields that the models do without: each is a warning, as the resource means the same. So is what it
takes, and FSM makes nothing of: a group of routes that is not there.

Source: FSM, `cmd/fsm-bootstrap/crds` and `pkg/validator`; Kubernetes, "Labels and Selectors" and its API.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..resources.core import Service
from ..resources.egress import ROUTE_GROUP, EgressPolicy, Retry, UpstreamTrafficSetting
from ..resources.meshconfig import MeshConfig
from ..resources.smi import HTTPRouteGroup, TrafficSplit, TrafficTarget
from ..values.errors import Problem, Severity, show
from .wire_names import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from ..resources.resource import ObjectMeta, Part, Resource

__all__ = ["at_its_place", "refusals"]

REFUSED = "the API server refuses it"
ACCOUNT = "ServiceAccount"
RULE_KINDS = ("HTTPRouteGroup", "TCPRoute", "UDPRoute")
TRANSPORTS = ("TCP", "UDP", "SCTP")
# What `metadata` may have besides what the models read.
METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
_KEY = re.compile(
    r"(?:(?=.{1,253}/)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*/)?"
    r"(?=.{1,63}$)[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?",
    re.ASCII,
)
_VALUE = re.compile(r"(?=.{0,63}$)(?:[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?)?", re.ASCII)


def refusals(resources: Iterable[Resource]) -> list[Problem]:
    """What there is to be refused of a mesh, or to be without effect there."""
    listed = tuple(resources)
    groups = {(it.namespace, it.name) for it in listed if isinstance(it, HTTPRouteGroup)}
    found: list[Problem] = []
    for resource in listed:
        found += (at_its_place(problem, resource) for problem in _of_metadata(resource.metadata))
        check = _CHECKS.get(type(resource))
        if check is not None:
            found += (at_its_place(problem, resource) for problem in check(resource))
        if isinstance(resource, EgressPolicy):
            found += (at_its_place(problem, resource) for problem in _missing_groups(resource, groups))
    return found


def at_its_place(problem: Problem, resource: Resource) -> Problem:
    """A problem of a resource, with the place where its field was written."""
    source = resource.source
    document, mark = (source.document, source.mark(problem.path)) if source else (None, None)
    return evolve(problem, resource=resource.ref, document=document, mark=mark)


def _missing_groups(policy: EgressPolicy, groups: Collection[tuple[str, str]]) -> Iterator[Problem]:
    for index, match in enumerate(policy.spec.matches):
        if match.kind == ROUTE_GROUP and (policy.namespace, match.name) not in groups:
            found, why = f"none of the name `{match.name}`", "it adds no route"
            yield _warning("an HTTPRouteGroup", found, f"spec.matches[{index}].name", None, why)


def _warning(
    expected: str, found: str, path: str, proposal: str | None = None, why: str = REFUSED
) -> Problem:
    return Problem(expected, found, path, proposal=proposal, reason=why, severity=Severity.WARNING)


def _needed(part: Part, path: str, *names: str) -> Iterator[Problem]:
    """The fields of these wire names that a part does not have."""
    for name in names:
        attribute = FIELDS[type(part)][name]
        if not getattr(part, attribute.name) and name not in part.explicit:
            yield _warning(f"the field `{name}`", "none", path)


def _of_metadata(metadata: ObjectMeta) -> Iterator[Problem]:
    for name in metadata.extra.keys() - METADATA if metadata.extra else ():
        yield _warning("a known field", f"`{name}`", f"metadata.{name}")
    for name, value in metadata.labels.items():
        if not _is_key(name):
            yield _warning("the name of a label", show(name), f"metadata.labels.{name}")
        if not _is_value(value):
            yield _warning("the value of a label", show(value), f"metadata.labels.{name}")
    for name in metadata.annotations:
        if not _is_key(name.lower()):
            yield _warning("the name of an annotation", show(name), f"metadata.annotations.{name}")


@lru_cache(maxsize=4096)
def _is_key(name: str) -> bool:
    return _KEY.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _is_value(value: str) -> bool:
    return _VALUE.fullmatch(value) is not None


def _of_egress(policy: EgressPolicy) -> Iterator[Problem]:
    yield from _needed(policy.spec, "spec", "sources", "ports")
    for index, source in enumerate(policy.spec.sources):
        path = f"spec.sources[{index}]"
        if source.kind != ACCOUNT and source.kind.lower() == ACCOUNT.lower():
            found = show(source.kind)
            yield _warning(f"`{ACCOUNT}`", found, f"{path}.kind", ACCOUNT, "to FSM it is no account")
        if source.mtls is not None and source.mtls.cert is not None:
            cert = source.mtls.cert
            yield from _needed(cert, f"{path}.mtls.cert", "expiration", "secret", "subjectAltNames")
            if cert.sn is None:
                yield _warning("the field `sn`", "none", f"{path}.mtls.cert")


def _of_route_group(group: HTTPRouteGroup) -> Iterator[Problem]:
    if "spec" in group.explicit:
        yield from _needed(group.spec, "spec", "matches")
    for index, match in enumerate(group.spec.matches):
        yield from _needed(match, f"spec.matches[{index}]", "name")


def _of_setting(setting: UpstreamTrafficSetting) -> Iterator[Problem]:
    if "." not in setting.spec.host:
        why = "FSM's webhook refuses it"
        yield _warning("a host of two names at least", show(setting.spec.host), "spec.host", None, why)
    settings = setting.spec.connection_settings
    breaking = settings.http.circuit_breaking if settings and settings.http else None
    if breaking is not None:
        path = "spec.connectionSettings.http.circuitBreaking"
        yield from _needed(breaking, path, "degradedTimeWindow", "minRequestAmount", "statTimeWindow")


def _of_retry(retry: Retry) -> Iterator[Problem]:
    yield from _needed(retry.spec, "spec", "destinations")
    yield from _needed(retry.spec.retry_policy, "spec.retryPolicy", "retryOn")


def _of_target(target: TrafficTarget) -> Iterator[Problem]:
    yield from _needed(target.spec, "spec", "sources", "rules")
    for index, rule in enumerate(target.spec.rules):
        if rule.kind not in RULE_KINDS:
            expected = " or ".join(f"`{kind}`" for kind in RULE_KINDS)
            yield _warning(expected, show(rule.kind), f"spec.rules[{index}].kind")


def _of_split(split: TrafficSplit) -> Iterator[Problem]:
    yield from _needed(split.spec, "spec", "backends")
    has_matches = bool(split.spec.matches) or "matches" in split.spec.explicit
    if has_matches and split.api_version.endswith("/v1alpha2"):
        yield _warning("no field that this version lacks", "`matches`", "spec.matches")


def _of_mesh_config(config: MeshConfig) -> Iterator[Problem]:
    fraction = config.spec.observability.tracing.sampled_fraction
    if isinstance(fraction, (int, float)) and config.api_version.startswith("config.flomesh.io/v1alpha3"):
        path = "spec.observability.tracing.sampledFraction"
        yield _warning("a string", show(fraction), path, f'"{fraction}"')


def _of_service(service: Service) -> Iterator[Problem]:
    names: set[str] = set()
    places: set[tuple[int, str]] = set()
    for index, port in enumerate(service.spec.ports):
        path = f"spec.ports[{index}]"
        if port.protocol not in TRANSPORTS:
            upper = port.protocol.upper()
            proposal = upper if upper in TRANSPORTS else None
            expected = " or ".join(f"`{transport}`" for transport in TRANSPORTS)
            yield _warning(expected, show(port.protocol), f"{path}.protocol", proposal)
        if len(service.spec.ports) > 1 and (not port.name or port.name in names):
            found = f"`{port.name}` again" if port.name else "none"
            yield _warning("a name that no other port has", found, f"{path}.name" if port.name else path)
        if (port.port, port.protocol) in places:
            yield _warning("each port once", f"{port.port} again", f"{path}.port")
        names.add(port.name)
        places.add((port.port, port.protocol))


_CHECKS: Mapping[type[Resource], Callable[[Any], Iterator[Problem]]] = {
    EgressPolicy: _of_egress,
    HTTPRouteGroup: _of_route_group,
    MeshConfig: _of_mesh_config,
    Retry: _of_retry,
    Service: _of_service,
    TrafficSplit: _of_split,
    TrafficTarget: _of_target,
    UpstreamTrafficSetting: _of_setting,
}
