"""What an API server with FSM's CRDs and webhook refuses of a mesh that is good enough to be read here.

It needs fields that the models do without: each is a warning, as the resource means the same. So is what it
takes, and FSM makes nothing of: a group of routes that is not there. That a MeshConfig or a Pod is not whole
is an information only: the one is changed by patches, and nobody applies the other.

Source: FSM, `pkg/validator`; Kubernetes, "Labels and Selectors", "Object Names and IDs" and its API; what a
definition requires is in `definitions`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..resources.checks import is_namespace
from ..resources.core import Endpoints, Namespace, Pod, Secret, Service
from ..resources.egress import ROUTE_GROUP, EgressGateway, EgressPolicy, Isolation, UpstreamTrafficSetting
from ..resources.meshconfig import MeshConfig
from ..resources.smi import HTTPRouteGroup, TrafficSplit, TrafficTarget
from ..values.errors import Problem, Severity, show
from ..values.net import Prefix
from .definitions import lacks, limits_of, unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..resources.core import EndpointAddress, EndpointPort, ServicePort
    from ..resources.resource import ObjectMeta, Resource

__all__ = ["at_its_place", "refusals"]

REFUSED = "the API server refuses it"
WEBHOOK = "FSM's webhook refuses it"
WHOLE = "the API server refuses it whole; `kubectl patch` changes the one that FSM was installed with"
FEW = 8  # missing fields of a MeshConfig that are named
ACCOUNT = "ServiceAccount"
POLICIES = "policy.flomesh.io/v1alpha1"
RULE_KINDS = ("HTTPRouteGroup", "TCPRoute", "UDPRoute")
ANNOTATIONS = 2**18  # bytes of all annotations of an object
# The codes that an answer to what is over a limit may have: those that FSM's webhook knows by name.
STATUSES = frozenset(
    {
        *(0, 100),
        *range(200, 209),
        226,
        *(300, 301, 302, 303, 304, 305, 307, 308),
        *range(400, 418),
        *(421, 422, 423, 424, 426, 428, 429, 431),
        *range(500, 509),
        *(510, 511),
    }
)
TRANSPORTS = ("TCP", "UDP", "SCTP")
HEADLESS = "None"
NODE_PORTS = ("NodePort", "LoadBalancer")  # types of a Service whose ports have a `nodePort`
BASIC = "kubernetes.io/basic-auth"
# What no endpoint of a service may be: unspecified, loopback and link-local addresses.
SPECIAL = tuple(
    map(
        Prefix,
        (
            "0.0.0.0/32",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "224.0.0.0/24",
            "::/127",
            "fe80::/10",
            "ff02::/16",
        ),
    )
)
# What a Secret of a type must have.
SECRETS: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
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
_SECRET_KEY = re.compile(r"(?!\.\.)(?!\.$)[-._a-zA-Z0-9]{1,253}", re.ASCII)
_LABEL = re.compile(r"(?=.{1,63}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?", re.ASCII)
_VALUE = re.compile(r"(?=.{0,63}$)(?:[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?)?", re.ASCII)


def refusals(resources: Iterable[Resource]) -> list[Problem]:
    """What there is to be refused of a mesh, or to be without effect there."""
    listed = tuple(resources)
    found: list[Problem] = []
    for resource in listed:
        check = _CHECKS.get(type(resource), _nothing)
        problems = (*_of_metadata(resource.metadata), *_of_definition(resource), *check(resource))
        found += (at_its_place(problem, resource) for problem in problems)
    found += (at_its_place(problem, resource) for resource, problem in _together(listed))
    return found


def at_its_place(problem: Problem, resource: Resource) -> Problem:
    """A problem of a resource, with the place where its field was written."""
    source = resource.source
    document, mark = (source.document, source.mark(problem.path)) if source else (None, None)
    return evolve(problem, resource=resource.ref, document=document, mark=mark)


def _together(resources: tuple[Resource, ...]) -> Iterator[tuple[Resource, Problem]]:
    """What is refused, or without effect, because of what else there is."""
    groups = {(it.namespace, it.name) for it in resources if isinstance(it, HTTPRouteGroup)}
    gateway: EgressGateway | None = None
    hosts: dict[str, UpstreamTrafficSetting] = {}
    for resource in resources:
        if isinstance(resource, EgressPolicy):
            for index, match in enumerate(resource.spec.matches):
                if match.kind == ROUTE_GROUP and (resource.namespace, match.name) not in groups:
                    found, why = f"none of the name `{match.name}`", "it adds no route"
                    path = f"spec.matches[{index}].name"
                    missing = _warning("an HTTPRouteGroup", found, path, None, why)
                    yield resource, evolve(missing, code="FSE002")
        elif isinstance(resource, EgressGateway) and resource.spec.global_:
            if gateway:
                expected, found = "one EgressGateway with `global` in the mesh", _another(gateway)
                yield resource, _warning(expected, found, "spec.global", None, WEBHOOK)
            gateway = gateway or resource
        elif isinstance(resource, UpstreamTrafficSetting):
            first = hosts.setdefault(resource.spec.host, resource)
            if first.name != resource.name:
                yield (
                    resource,
                    _warning("one setting for each host", _another(first), "spec.host", None, WEBHOOK),
                )


def _another(resource: Resource) -> str:
    return f"another one, `{resource.namespace}/{resource.name}`"


def _warning(
    expected: str, found: str, path: str, proposal: str | None = None, why: str = REFUSED
) -> Problem:
    severity = Severity.WARNING
    return Problem(expected, found, path, proposal=proposal, reason=why, severity=severity, code="FSE102")


def _nothing(_: Resource) -> Iterator[Problem]:
    return iter(())


def _of_definition(resource: Resource) -> Iterator[Problem]:
    """What FSM's definition of the kind requires."""
    if isinstance(resource, MeshConfig):
        names = [f"`{path}.{name}`" for path, missing in lacks(resource) for name in missing]
        if names:
            rest = f" and {len(names) - FEW} more" if len(names) > FEW else ""
            found = f"none of {', '.join(names[:FEW])}{rest}"
            whole = _warning("every field that is required", found, "spec", None, WHOLE)
            yield evolve(whole, severity=Severity.INFO)
    else:
        for path, missing in lacks(resource):
            yield _lack(path, *missing)
    for it in unfit(resource):
        yield _warning(it.expected, it.found, it.path)


def _lack(path: str, *names: str) -> Problem:
    noun = "field" if len(names) == 1 else "fields"
    return _warning(f"the {noun} {' and '.join(f'`{name}`' for name in names)}", "none", path)


def _of_metadata(metadata: ObjectMeta) -> Iterator[Problem]:
    for name in metadata.extra.keys() - METADATA if metadata.extra else ():
        yield _warning("a known field", f"`{name}`", f"metadata.{name}")
    if metadata.namespace and not is_namespace(metadata.namespace):
        yield _warning("a namespace, without dots", show(metadata.namespace), "metadata.namespace")
    yield from _of_labels(metadata.labels, "metadata.labels")
    for name in metadata.annotations:
        if not _is_key(name.lower()):
            yield _warning("the name of an annotation", show(name), f"metadata.annotations.{name}")
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.annotations.items())
    if size > ANNOTATIONS:
        expected, found = f"annotations of at most {ANNOTATIONS:,} bytes", f"{size:,} bytes"
        yield _warning(expected, found, "metadata.annotations")


def _of_labels(labels: Mapping[str, str], path: str) -> Iterator[Problem]:
    for name, value in labels.items():
        if not _is_key(name):
            yield _warning("the name of a label", show(name), f"{path}.{name}")
        if not _is_value(value):
            yield _warning("the value of a label", show(value), f"{path}.{name}")


@lru_cache(maxsize=4096)
def _is_key(name: str) -> bool:
    return _KEY.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _is_label(name: str) -> bool:
    return _LABEL.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _is_value(value: str) -> bool:
    return _VALUE.fullmatch(value) is not None


def _of_egress(policy: EgressPolicy) -> Iterator[Problem]:
    for index, source in enumerate(policy.spec.sources):
        if source.kind != ACCOUNT and source.kind.lower() == ACCOUNT.lower():
            found, path = show(source.kind), f"spec.sources[{index}].kind"
            kind = _warning(f"`{ACCOUNT}`", found, path, ACCOUNT, "to FSM it is no account")
            yield evolve(kind, code="FSE003")
    for index, match in enumerate(policy.spec.matches if policy.api_version == POLICIES else ()):
        if match.kind != ROUTE_GROUP and match.api_group != POLICIES:
            found, path = show(match.api_group), f"spec.matches[{index}].apiGroup"
            yield _warning(f"`{POLICIES}`", found, path, POLICIES, WEBHOOK)


def _of_setting(setting: UpstreamTrafficSetting) -> Iterator[Problem]:
    if "." not in setting.spec.host:
        yield _warning("a host of two names at least", show(setting.spec.host), "spec.host", None, WEBHOOK)
    for path, limit in limits_of(setting):
        status = limit.get("responseStatusCode")
        if isinstance(status, int) and status not in STATUSES:
            place = f"{path}.responseStatusCode"
            yield _warning("the code of a status", show(status), place, None, WEBHOOK)


def _of_isolation(isolation: Isolation) -> Iterator[Problem]:
    if not isolation.spec.cidrs and "cidrs" in isolation.spec.explicit:
        yield _warning("one range at least", "an empty list", "spec.cidrs")


def _of_target(target: TrafficTarget) -> Iterator[Problem]:
    destination = target.spec.destination
    if destination.namespace != target.namespace:
        found, path = show(destination.namespace), "spec.destination.namespace"
        yield _warning(f"its own namespace, `{target.namespace}`", found, path, target.namespace, WEBHOOK)
    for index, rule in enumerate(target.spec.rules):
        if rule.kind not in RULE_KINDS:
            expected = " or ".join(f"`{kind}`" for kind in RULE_KINDS)
            yield _warning(expected, show(rule.kind), f"spec.rules[{index}].kind")


def _of_split(split: TrafficSplit) -> Iterator[Problem]:
    has_matches = bool(split.spec.matches) or "matches" in split.spec.explicit
    if has_matches and split.api_version.endswith("/v1alpha2"):
        yield _warning("no field that this version lacks", "`matches`", "spec.matches")
    for index, match in enumerate(split.spec.matches):
        path = f"spec.matches[{index}]"
        if match.kind != ROUTE_GROUP:
            yield _warning(f"`{ROUTE_GROUP}`", show(match.kind), f"{path}.kind", ROUTE_GROUP)
        if match.api_group is not None:
            yield _warning("a known field", "`apiGroup`", f"{path}.apiGroup")


def _of_mesh_config(config: MeshConfig) -> Iterator[Problem]:
    fraction = config.spec.observability.tracing.sampled_fraction
    if isinstance(fraction, (int, float)) and config.api_version.startswith("config.flomesh.io/v1alpha3"):
        path = "spec.observability.tracing.sampledFraction"
        yield _warning("a string", show(fraction), path, f'"{fraction}"')


def _of_service(service: Service) -> Iterator[Problem]:
    if not _is_label(service.name) or not service.name[0].isalpha():
        expected = "a name of letters, digits and `-` that begins with a letter"
        yield _warning(expected, show(service.name), "metadata.name")
    of_another = service.spec.extra.get("type") == "ExternalName"
    if of_another and not service.spec.extra.get("externalName"):
        yield _lack("spec", "externalName")
    if not service.spec.ports and service.spec.cluster_ip != HEADLESS and not of_another:
        yield _lack("spec", "ports")
    yield from _of_labels(service.spec.selector, "spec.selector")
    names: set[str] = set()
    places: set[tuple[int, str]] = set()
    for index, port in enumerate(service.spec.ports):
        path = f"spec.ports[{index}]"
        if (port.port, port.protocol) in places:
            yield _warning("each port once", f"{port.port} again", f"{path}.port")
        places.add((port.port, port.protocol))
        if port.extra.get("nodePort") and service.spec.extra.get("type", "ClusterIP") not in NODE_PORTS:
            expected = "a Service of type `NodePort` or `LoadBalancer`"
            yield _warning(expected, "`nodePort` of another", f"{path}.nodePort")
        if port.name and port.name in names:
            yield _warning("a name that no other port has", f"`{port.name}` again", f"{path}.name")
        names.add(port.name)
        if port.app_protocol is not None and not _is_key(port.app_protocol):
            expected = "a name, with or without a domain and `/` before it"
            yield _warning(expected, show(port.app_protocol), f"{path}.appProtocol")
    yield from _of_ports(service.spec.ports, "spec.ports")


def _of_ports(ports: Sequence[ServicePort | EndpointPort], path: str) -> Iterator[Problem]:
    """What is wrong with protocols and names of ports, of a Service or of a subset of Endpoints."""
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        if port.protocol not in TRANSPORTS:
            upper = port.protocol.upper()
            proposal = upper if upper in TRANSPORTS else None
            expected = " or ".join(f"`{transport}`" for transport in TRANSPORTS)
            yield _warning(expected, show(port.protocol), f"{at}.protocol", proposal)
        if port.name and not _is_label(port.name):
            lower = port.name.lower()
            proposal = lower if _is_label(lower) else None
            expected = "a name of lower-case letters, digits and `-`"
            yield _warning(expected, show(port.name), f"{at}.name", proposal)
        if len(ports) > 1 and not port.name:
            yield _warning("a name that no other port has", "none", at)


def _of_endpoints(endpoints: Endpoints) -> Iterator[Problem]:
    for index, subset in enumerate(endpoints.subsets):
        path = f"subsets[{index}]"
        if not subset.addresses and not subset.not_ready_addresses:
            yield _lack(path, "addresses")
        for name, addresses in (
            ("addresses", subset.addresses),
            ("notReadyAddresses", subset.not_ready_addresses),
        ):
            for place, address in enumerate(addresses):
                yield from _of_address(address, f"{path}.{name}[{place}]")
        yield from _of_ports(subset.ports, f"{path}.ports")


def _of_address(address: EndpointAddress, path: str) -> Iterator[Problem]:
    if any(address.ip in special for special in SPECIAL):
        yield _warning("an address of a pod", f"`{address.ip}`", f"{path}.ip")
    if address.hostname and not _is_label(address.hostname):
        yield _warning(
            "a name of lower-case letters, digits and `-`", show(address.hostname), f"{path}.hostname"
        )


def _of_secret(secret: Secret) -> Iterator[Problem]:
    for key in secret.data:
        if not _SECRET_KEY.fullmatch(key):
            yield _warning("a key of letters, digits, `-`, `_` and `.`", show(key), "data")
    missing = [key for key in SECRETS.get(secret.type, ()) if key not in secret.data]
    if secret.type == BASIC and not secret.data.keys() & {"username", "password"}:
        missing = ["username"]
    if missing:
        yield _lack("data", *missing)


def _of_namespace(namespace: Namespace) -> Iterator[Problem]:
    if not is_namespace(namespace.name):
        yield _warning("a name without dots", show(namespace.name), "metadata.name")


def _of_pod(pod: Pod) -> Iterator[Problem]:
    if not pod.spec.containers:
        yield evolve(_lack("spec", "containers"), severity=Severity.INFO)
    for index, container in enumerate(pod.spec.containers):
        parts = {"name": container.name, "image": container.extra.get("image")}
        missing = [name for name, value in parts.items() if not value]
        if missing:
            yield evolve(_lack(f"spec.containers[{index}]", *missing), severity=Severity.INFO)


_CHECKS: Mapping[type[Resource], Callable[[Any], Iterator[Problem]]] = {
    EgressPolicy: _of_egress,
    Endpoints: _of_endpoints,
    Isolation: _of_isolation,
    MeshConfig: _of_mesh_config,
    Namespace: _of_namespace,
    Pod: _of_pod,
    Secret: _of_secret,
    Service: _of_service,
    TrafficSplit: _of_split,
    TrafficTarget: _of_target,
    UpstreamTrafficSetting: _of_setting,
}
