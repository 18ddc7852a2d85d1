"""What of FSM this library does not model, where a mesh uses it: its answers stand under that condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..connections.findings import Code, Finding
from ..interception.hosts import HOST_KINDS
from ..interception.kinds import before_rules, interception_of
from ..resources.control_plane import DEFAULT_TRUST_DOMAIN, MESH_NAME, MULTI_CLUSTERS, TRUST_DOMAIN
from ..resources.core import MONITORED_BY, Namespace, Pod, Service
from ..resources.egress import EgressGateway, TrafficWarmup, UpstreamTrafficSetting
from ..resources.machines import VirtualMachine
from ..resources.smi import TrafficSplit
from ..resources.subjects import Pods
from ..resources.words import LoadBalancing
from ..snapshot import CONTROL_PLANE_KINDS
from ..values.errors import Severity
from .imports import IMPORT_KINDS, imports_of
from .plugins import PLUGIN_KINDS, plugins_of
from .services import left_out
from .warming import warmups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..resources.subjects import Subject
    from ..snapshot import Snapshot
    from ..values.references import FieldRef

__all__ = ["CONDITION_KINDS", "conditions_of"]

NODE_LEVEL = "NodeLevel"
FAIL_OVER = LoadBalancing.FAIL_OVER.value
CONNECTED = ("flomesh.io/cloud-endpoint-addr", "flomesh.io/cloud-service-inherited-from")
NOT_MODELLED = "which is not modelled: what is decided stands under the condition that it is not so"

NOTHING_YOUNG = (
    "pods have no share at some age, and requests to a service whose pods are all of that age get 404: what"
    " is decided stands under the condition that one of them has a share"
)

BEFORE_RULES = (
    "init containers run before `fsm-init` sets the rules of their pod: their connections pass by the"
    " sidecar, and what is decided is about all others"
)

GENERAL_KINDS = (
    *CONTROL_PLANE_KINDS,
    Service,
    UpstreamTrafficSetting,
    *IMPORT_KINDS,
    TrafficWarmup,
    EgressGateway,
    TrafficSplit,
)
CONDITION_KINDS = (*GENERAL_KINDS, VirtualMachine, *HOST_KINDS, *PLUGIN_KINDS)
"""The kinds that conditions are read from."""


def conditions_of(subjects: Iterable[Subject], *meshes: Snapshot) -> tuple[Finding, ...]:
    """A finding for each thing that a mesh uses and that could change what is decided for any of these."""
    found: dict[Finding, None] = {}
    whom = tuple(subjects)
    accounts = {(subject.name, subject.namespace) for subject in whom}
    for mesh in meshes:
        found.update(dict.fromkeys(mesh.once(_for_all, GENERAL_KINDS)))
        for machine in mesh.kind(VirtualMachine):
            if (machine.spec.service_account_name, machine.namespace) in accounts:
                what = "what the machine redirects to its sidecar is set up on the machine"
                found[_not_modelled(machine.at(), what)] = None
        found.update(dict.fromkeys((*_of_pods(mesh, whom), *_of_starts(mesh, whom))))
        for subject in whom:
            found.update((_not_modelled(*told), None) for told in plugins_of(mesh, subject).in_force)
    return tuple(found)


def _for_all(snapshot: Snapshot) -> tuple[Finding, ...]:
    """What could change answers about anybody."""
    parts = (_of_config, _of_services, _of_namespaces)
    used = (told for part in parts for told in part(snapshot))
    warming = ((warmup.rule, NOTHING_YOUNG) for warmup in warmups(snapshot) if not warmup.least)
    unsaid = (*warming, *_of_names(snapshot), *_of_trust(snapshot), *_of_clusters(snapshot))
    return (
        *(_not_modelled(rule, what) for rule, what in used),
        *(Finding(Code.NOT_MODELLED, rule, message) for rule, message in unsaid),
    )


def _not_modelled(rule: FieldRef, what: str) -> Finding:
    return Finding(Code.NOT_MODELLED, rule, f"{what}, {NOT_MODELLED}")


def _of_pods(mesh: Snapshot, subjects: Iterable[Subject]) -> Iterator[Finding]:
    """Interfaces that running pods were started without, besides those of the mesh."""
    for subject in subjects:
        for name, rule in interception_of(mesh, subject).interfaces:
            if rule.resource.kind == Pod.kind:
                yield _not_modelled(rule, f"connections by interface `{name}` are not redirected")


def _of_starts(mesh: Snapshot, subjects: Iterable[Subject]) -> Iterator[Finding]:
    """An init container of each subject's pods that runs before their rules stand."""
    for subject in subjects:
        rules = before_rules(mesh).get((subject.name, subject.namespace), {})
        names = subject.hosts if isinstance(subject, Pods) else rules
        rule = next((rules[name] for name in names if name in rules), None)
        if rule is not None:
            yield Finding(Code.NOT_MODELLED, rule, BEFORE_RULES, severity=Severity.INFO)


def _of_config(snapshot: Snapshot) -> Iterator[tuple[FieldRef, str]]:
    config = snapshot.mesh_config
    spec = config.spec
    traffic = spec.traffic
    used = {
        "spec.traffic.interceptionMode": (
            traffic.interception_mode == NODE_LEVEL,
            "connections are redirected by the node",
        ),
        "spec.traffic.networkInterfaceExclusionList": (
            bool(traffic.network_interface_exclusion_list),
            "connections by some network interfaces are not redirected",
        ),
    }
    for path, (is_used, what) in used.items():
        if is_used:
            yield config.at(path), what


def _of_services(snapshot: Snapshot) -> Iterator[tuple[FieldRef, str]]:
    """Services of connectors, which count as others do: in the mesh, as gateways, or as backends."""
    gateways = [it for gateway in snapshot.kind(EgressGateway) for it in gateway.spec.global_ or ()]
    led_to = {*_backends(snapshot), *((it.namespace, it.service) for it in gateways)}
    for service in snapshot.kind(Service):
        if left_out(snapshot, service) and (service.namespace, service.name) not in led_to:
            continue
        for name in CONNECTED:
            if name in service.metadata.annotations:
                yield service.at(f"metadata.annotations.{name}"), "the service comes from a connector"


def _of_namespaces(snapshot: Snapshot) -> Iterator[tuple[FieldRef, str]]:
    """Namespaces that stand in for another one, in which a TrafficSplit has a backend."""
    config = snapshot.mesh_config
    connector = config.spec.extra.get("connector")
    shared = connector.get("lb") if isinstance(connector, Mapping) else None
    if isinstance(shared, Mapping) and shared.get("type") == FAIL_OVER and shared.get("slaveNamespaces"):
        master = str(shared.get("masterNamespace", "")).lower()
        if any(namespace.lower() == master for namespace, _ in _backends(snapshot)):
            what = f"services that `{master}` lacks are looked for in the namespaces that stand in for it"
            yield config.at("spec.connector.lb"), what


def _backends(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """The services that TrafficSplits lead to, by namespace and name."""
    for split in snapshot.kind(TrafficSplit):
        for backend in split.spec.backends:
            before, slash, after = backend.service.partition("/")
            yield (before, after) if slash else (split.namespace, before)


# --- what only the control plane knows -------------------------------------------------------------------


def _of_names(snapshot: Snapshot) -> Iterator[tuple[FieldRef, str]]:
    """Namespaces of several meshes, of which one is taken for this one, as no document says which it is."""
    taken, told = snapshot.mesh_name, snapshot.told(MESH_NAME)
    for space in () if told else snapshot.kind(Namespace):
        mesh = space.monitored_by
        if mesh not in {None, taken}:
            message = f"mesh `{mesh}` watches the namespace, and this one is taken for `{taken}`"
            yield space.at(f"metadata.labels.{MONITORED_BY}"), f"{message}, {_untold(MESH_NAME)}"


def _of_trust(snapshot: Snapshot) -> Iterator[tuple[FieldRef, str]]:
    """Settings of services in another trust domain than FSM's own, where no document says the mesh's."""
    for setting in () if snapshot.told(TRUST_DOMAIN) else snapshot.kind(UpstreamTrafficSetting):
        domain = _domain_in(snapshot, setting.spec.host)
        if domain:
            message = f"the host is a service in trust domain `{domain}`, the mesh's is taken for"
            yield setting.at("spec.host"), f"{message} `{DEFAULT_TRUST_DOMAIN}`, {_untold(TRUST_DOMAIN)}"


def _of_clusters(snapshot: Snapshot) -> Iterator[tuple[FieldRef, str]]:
    """Services of other clusters, where no document says whether the controller looks at any."""
    for shared in () if snapshot.told(MULTI_CLUSTERS) else imports_of(snapshot).values():
        if any(port.endpoints for port in shared.service.spec.ports):
            message = "other clusters are taken to have a share of the service"
            yield shared.policy.at("spec.lbType"), f"{message}, {_untold(MULTI_CLUSTERS)}"


def _untold(flag: str) -> str:
    return (
        f"as no document of `fsm-controller` says its `{flag}`: what is decided stands under the condition"
        " that it is so"
    )


def _domain_in(snapshot: Snapshot, host: str) -> str:
    """Another trust domain in the hostname of a service; empty where there is none."""
    match host.split("."):
        case [name, space, "svc", _, *_] | [_, name, space, "svc", _, *_]:
            domain = host.partition(".svc.")[2]
            is_own = domain == DEFAULT_TRUST_DOMAIN
            return "" if is_own or snapshot.kind(Service).get(space, name) is None else domain
    return ""
