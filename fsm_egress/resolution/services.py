"""The mesh's services as `fsm-controller` counts them, and which of them an identity reaches.

The rules are those of `docs/decision.md` and `controller.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.findings import Code, Finding
from ..resources.core import EndpointAddress, Endpoints, Namespace, Pod, Service, ServicePort
from ..resources.machines import VirtualMachine
from ..resources.multicluster import ServiceImport
from ..resources.redirection import is_yes
from ..resources.smi import TrafficTarget
from ..resources.words import Protocol, ServiceAccessMode
from ..snapshot import Snapshot
from ..snapshot.kind import SERVICE_ACCOUNT
from ..values.construction import frozen
from ..values.net import Address, Prefix, parse_address
from ..values.references import item_path
from .imports import Import, imports_of
from .mesh_service import MeshService, isolated, not_isolated, unique

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..resources.multicluster import ImportedPort
    from ..resources.subjects import Subject
    from ..values.references import FieldRef


__all__ = [
    "HEALTH_CHECK",
    "UNTARGETED",
    "left_out",
    "port_target",
    "reached_services",
    "target_port",
]

UNTARGETED = 0
ANY_ACCOUNT = "*"
TARGET_RULES = {"HTTPRouteGroup", "TCPRoute"}
_PREFIXED = (Protocol.TCP_SERVER_FIRST, Protocol.HTTP, Protocol.TCP, Protocol.GRPC)
_BY_NAME = {protocol.value: protocol for protocol in Protocol}
EXCLUSION = "flomesh.io/service-exclusion"
EXCLUSION_LIST = "flomesh.io/service-exclusion-list"
HEALTH_CHECK = "flomesh.io/cloud-health-check-service"


def reached_services(
    snapshot: Snapshot, identity: Subject, findings: list[Finding], *, untargeted: bool = False
) -> Iterator[MeshService]:
    """The services that an identity may reach, port by port, by namespace and name.

    With `untargeted` a port without a target port counts, with the target port 0, as before FSM 1.5.

    A service without addresses is among them, though it can be addressed by name only: one that is headless
    and has no ready pods, or whose addresses are all isolated.
    """
    allowed, mesh = _allowed(snapshot, identity, findings), _Mesh.of(snapshot)
    for service in snapshot.kind(Service):
        if left_out(snapshot, service):
            continue
        if allowed is None:
            yield from _ports_of(mesh, service, findings, untargeted=untargeted)
        elif any(_selects(service, pod) for pod in allowed.pods.get(service.namespace, ())):
            for found in _ports_of(mesh, service, findings, untargeted=untargeted):
                yield _restricted(found, allowed.addresses)
    for name, shared in mesh.imports.items():
        if allowed is None or name in allowed.imports:
            for found in _imported(mesh, shared, findings):
                yield found if allowed is None else _restricted(found, allowed.addresses)


@frozen(eq=False)
class _Mesh:
    """What each service of a mesh is looked at with, found once for all of them.

    Attributes:
        closed: the ranges at which no service is reached.
        everyones: the addresses that every service has besides its own.
        imports: what other clusters have of services.
        pods: what is known of the addresses of pods.
        is_by_name: whether services are addressed by their names and ClusterIPs alone.
    """

    snapshot: Snapshot
    closed: tuple[Prefix, ...]
    everyones: tuple[Address, ...]
    imports: Mapping[tuple[str, str], Import]
    pods: _Pods
    is_by_name: bool

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Mesh:
        spec = snapshot.mesh_config.spec
        return cls(
            snapshot,
            isolated(snapshot),
            spec.sidecar.local_dns_proxy.everyones,
            imports_of(snapshot),
            snapshot.once(_Pods.of, (Pod, VirtualMachine)),
            spec.traffic.service_access_mode is ServiceAccessMode.DOMAIN,
        )


def _restricted(service: MeshService, addresses: frozenset[Address]) -> MeshService:
    """A service with those of its ends alone that are at these addresses."""
    return evolve(
        service,
        endpoints=tuple(ip for ip in service.endpoints if ip in addresses),
        remotes=tuple(it for it in service.remotes if it.address in addresses),
    )


def left_out(snapshot: Snapshot, service: Service) -> str:
    """Why traffic to a service is no in-mesh traffic, in words; empty where it may be."""
    if not snapshot.monitors(service.namespace):
        return f"namespace `{service.namespace}` is not monitored"
    annotations = service.metadata.annotations
    if EXCLUSION in annotations:
        is_excluded = is_yes(annotations[EXCLUSION])
        return f"annotation `{EXCLUSION}` takes it out of the mesh" if is_excluded else ""
    space = snapshot.kind(Namespace).get("", service.namespace)
    listed = space.metadata.annotations.get(EXCLUSION_LIST, "") if space else ""
    if service.name in {name.strip().lower() for name in listed.split(",")}:
        return f"annotation `{EXCLUSION_LIST}` of namespace `{service.namespace}` takes it out of the mesh"
    is_open = snapshot.mesh_config.spec.traffic.enable_permissive_traffic_policy_mode
    if is_open and HEALTH_CHECK in annotations:
        return f"annotation `{HEALTH_CHECK}` says that it is there for health checks only"
    return ""


@frozen
class _Allowed:
    """What traffic targets let an identity reach.

    Attributes:
        pods: pods and machines by namespace: what has one of them behind it is reached.
        addresses: of those that connections may end at.
        imports: the services of other clusters that are reached, by namespace and name.
    """

    pods: Mapping[str, list[Pod | VirtualMachine]]
    addresses: frozenset[Address]
    imports: frozenset[tuple[str, str]]


def _allowed(snapshot: Snapshot, identity: Subject, findings: list[Finding]) -> _Allowed | None:
    """The pods that traffic targets let an identity reach; None where all may be reached.

    A target that is not from account to account shows the services, and none of their pods.
    """
    if snapshot.mesh_config.spec.traffic.enable_permissive_traffic_policy_mode:
        return None
    shown: set[tuple[str, str]] = set()
    opened: set[tuple[str, str]] = set()
    for target in snapshot.kind(TrafficTarget):
        kinds = {
            source.kind
            for source in target.spec.sources
            if (source.name, source.namespace) == (identity.name, identity.namespace)
        }
        destination = target.spec.destination
        if _counts(snapshot, target, findings) and kinds:
            shown.add((destination.namespace, destination.name))
            if SERVICE_ACCOUNT in kinds and destination.kind == SERVICE_ACCOUNT:
                opened.add((destination.namespace, destination.name))
    return _behind(snapshot, shown, opened)


def _behind(snapshot: Snapshot, shown: set[tuple[str, str]], opened: set[tuple[str, str]]) -> _Allowed:
    """What runs under accounts that are shown, and the addresses of those of them that are opened."""
    pods: dict[str, list[Pod | VirtualMachine]] = {}
    addresses: set[Address] = set()
    running: tuple[Pod | VirtualMachine, ...] = (*snapshot.kind(Pod), *snapshot.kind(VirtualMachine))
    for pod in running:
        account = pod.namespace, pod.spec.service_account_name
        if account in shown:
            pods.setdefault(pod.namespace, []).append(pod)
            if account in opened:
                addresses.update(_addresses_of(pod))
    imports: set[tuple[str, str]] = set()
    for service in snapshot.kind(ServiceImport):
        if _is_of(service, shown):
            imports.add((service.namespace, service.name))
        if _is_of(service, opened):
            addresses.update(end.target.ip for port in service.spec.ports for end in port.endpoints)
    return _Allowed(pods, frozenset(addresses), frozenset(imports))


def _is_of(service: ServiceImport, accounts: set[tuple[str, str]]) -> bool:
    """Whether what other clusters have of a service runs under one of these accounts."""
    name = service.spec.service_account_name
    return any(
        service.namespace == namespace and name in {account, ANY_ACCOUNT} for namespace, account in accounts
    )


def _addresses_of(running: Pod | VirtualMachine) -> Iterator[Address]:
    """The addresses of a pod or a machine."""
    if isinstance(running, VirtualMachine):
        yield running.spec.machine_ip
    else:
        yield from (entry.ip for entry in running.status.pod_ips)


def _counts(snapshot: Snapshot, target: TrafficTarget, findings: list[Finding]) -> bool:
    """Whether a traffic target allows anything at all."""
    if not snapshot.monitors(target.namespace):
        return False
    why = None
    if target.namespace != target.spec.destination.namespace:
        why = f"its destination is in namespace `{target.spec.destination.namespace}`"
    elif not target.spec.rules:
        why = "it has no rules"
    elif not {rule.kind for rule in target.spec.rules} <= TARGET_RULES:
        why = "a rule of it is neither an `HTTPRouteGroup` nor a `TCPRoute`"
    if why:
        message = f"it allows nothing, since {why}"
        findings.append(Finding(Code.IGNORED_TRAFFIC_TARGET, target.at("spec"), message))
        return False
    named = [("destination", target.spec.destination)]
    named += [(item_path("sources", index), source) for index, source in enumerate(target.spec.sources)]
    for path, reference in named:
        if reference.kind != SERVICE_ACCOUNT:
            message = (
                f"kind `{reference.kind}` opens services without endpoints: only `{SERVICE_ACCOUNT}` has any"
            )
            rule = target.at(f"spec.{path}.kind")
            findings.append(Finding(Code.IGNORED_TRAFFIC_TARGET, rule, message))
        elif not reference.namespace:
            message = f"`{reference.name}` without a namespace is no account, and opens nothing to anybody"
            findings.append(Finding(Code.IGNORED_TRAFFIC_TARGET, target.at(f"spec.{path}"), message))
    return True


def _ports_of(
    mesh: _Mesh, service: Service, findings: list[Finding], *, untargeted: bool
) -> Iterator[MeshService]:
    written = mesh.snapshot.kind(Endpoints).get(service.namespace, service.name)
    endpoints = written or Endpoints(service.metadata)
    closed, everyones = mesh.closed, mesh.everyones
    shared = mesh.imports.get((service.namespace, service.name))
    for index, port in enumerate(service.spec.ports):
        rule = service.at(item_path("spec.ports", index))
        protocol = _protocol(port, rule, findings)
        target = port_target(endpoints, port.name)
        if target is None and untargeted:
            target = UNTARGETED
        if protocol is None or target is None:
            continue
        entries = tuple(_entries(endpoints, target))
        outside = frozenset(entry.ip for entry in entries if not _is_of_a_pod(mesh.pods, service, entry))
        found: list[MeshService] = []
        unready: list[str] = []
        if service.spec.headless:
            for name, listed in _named_pods(service.name, endpoints, entries).items():
                ips = not_isolated(closed, listed)
                if not listed:
                    unready.append(name)
                found.append(
                    MeshService(
                        name,
                        service.namespace,
                        port.port,
                        target,
                        protocol,
                        None,
                        ips,
                        ips,
                        rule,
                        outside,
                        everyones,
                    )
                )
        else:
            found.append(
                MeshService(
                    service.name,
                    service.namespace,
                    port.port,
                    target,
                    protocol,
                    parse_address(service.spec.cluster_ip),
                    not_isolated(closed, _resolved(mesh, service, endpoints, entries)),
                    not_isolated(closed, unique(entry.ip for entry in entries)),
                    rule,
                    outside,
                    everyones,
                )
            )
        if shared:
            found = [_joined(it, shared, closed) if it.name == service.name else it for it in found]
        if not all(it.reached_at for it in found):
            findings.append(_unreached(rule, unready))
        yield from found


def _unreached(rule: FieldRef, unready: list[str]) -> Finding:
    """That a service takes no part, as nobody can address it."""
    if unready:
        message = f"a headless service without ready addresses takes no part: {', '.join(unready)}"
        return Finding(Code.HEADLESS_WITHOUT_ADDRESSES, rule, message)
    message = "every address of the service is isolated: it takes no part"
    return Finding(Code.ISOLATED_SERVICE, rule, message)


def _resolved(
    mesh: _Mesh, service: Service, endpoints: Endpoints | None, entries: Iterable[EndpointAddress]
) -> tuple[Address, ...]:
    """What connections to a service are addressed to: its ClusterIP, and in some modes those of its pods."""
    if service.spec.headless:
        return tuple(entry.ip for entry in entries)
    subsets = endpoints.subsets if endpoints and not mesh.is_by_name else ()
    ready = (entry.ip for subset in subsets for entry in subset.addresses)
    return unique((parse_address(service.spec.cluster_ip), *ready))


def _joined(service: MeshService, shared: Import, closed: tuple[Prefix, ...]) -> MeshService:
    """A service with what other clusters have of it at its target port."""
    other = shared.address_for(service.port, service.target_port)
    return evolve(
        service,
        addresses=not_isolated(closed, unique((*service.addresses, *([other] if other else ())))),
        remotes=tuple(
            it for it in shared.remotes(service.target_port) if not_isolated(closed, (it.address,))
        ),
    )


def _imported(mesh: _Mesh, shared: Import, findings: list[Finding]) -> Iterator[MeshService]:
    """What other clusters have of a service, port by port and target port by target port.

    The service itself may be there too, also where it would take no part by itself.
    """
    imported, closed = shared.service, mesh.closed
    service = mesh.snapshot.kind(Service).get(imported.namespace, imported.name)
    endpoints = mesh.snapshot.kind(Endpoints).get(imported.namespace, imported.name)
    for index, port in enumerate(imported.spec.ports):
        rule = imported.at(item_path("spec.ports", index))
        protocol = _protocol(port, rule, findings) if port.endpoints else None
        if protocol is None:
            continue
        for target in shared.targets(port.port):
            entries = tuple(_entries(endpoints, target)) if endpoints else ()
            found = MeshService(
                imported.name,
                imported.namespace,
                port.port,
                target,
                protocol,
                parse_address(service.spec.cluster_ip) if service and not service.spec.headless else None,
                _resolved(mesh, service, endpoints, entries) if service else (),
                not_isolated(closed, unique(entry.ip for entry in entries)),
                rule,
                frozenset(entry.ip for entry in entries if not _is_of_a_pod(mesh.pods, service, entry)),
                mesh.everyones,
                share=shared.share(port),
            )
            yield _joined(found, shared, closed)


@frozen
class _Pods:
    """What is known of the addresses of pods: them, and the namespaces with a pod that has any.

    Those of machines in the mesh are among them.
    """

    addresses: frozenset[Address]
    namespaces: frozenset[str]

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Pods:
        pods = [pod for pod in snapshot.kind(Pod) if pod.status.pod_ips]
        return cls(
            frozenset(ip for it in (*pods, *snapshot.kind(VirtualMachine)) for ip in _addresses_of(it)),
            frozenset(pod.namespace for pod in pods),
        )


def _is_of_a_pod(pods: _Pods, service: Service | None, entry: EndpointAddress) -> bool:
    """Whether the address of an endpoint is a pod's, as far as is known.

    It is if a pod has it. Where the pods of the namespace are not known, those of a service with a selector
    are believed, as Kubernetes writes them, and those that name a pod.
    """
    if entry.ip in pods.addresses:
        return True
    reference = entry.extra.get("targetRef")
    is_named = isinstance(reference, Mapping) and reference.get("kind") == Pod.kind
    if service is None:
        return is_named
    return service.namespace not in pods.namespaces and (bool(service.spec.selector) or is_named)


def _named_pods(
    name: str, endpoints: Endpoints, entries: tuple[EndpointAddress, ...]
) -> Mapping[str, tuple[Address, ...]]:
    """The addresses of a headless service at a port: by `hostname.service` where any has one, else together.

    A pod that has a hostname counts at every port, also where it has no ready address.
    """
    named = {entry.hostname for subset in endpoints.subsets for entry in subset.addresses}
    hostnames = sorted(filter(None, named))
    if not hostnames:
        return {name: unique(entry.ip for entry in entries)}
    return {
        f"{hostname}.{name}": unique(entry.ip for entry in entries if entry.hostname == hostname)
        for hostname in hostnames
    }


def _protocol(port: ServicePort | ImportedPort, rule: FieldRef, findings: list[Finding]) -> Protocol | None:
    """`appProtocol`, else the prefix of the port's name, else HTTP; None for what takes no part."""
    if port.protocol != "TCP":
        message = f"a {port.protocol} port takes no part: the sidecar proxies TCP only"
        findings.append(Finding(Code.NOT_TCP, rule, message))
        return None
    if port.app_protocol is None:
        named = (protocol for protocol in _PREFIXED if port.name.startswith(f"{protocol}-"))
        return next(named, Protocol.HTTP)
    protocol = _BY_NAME.get(port.app_protocol.lower())
    if protocol is None:
        message = f"appProtocol `{port.app_protocol}` is unknown to the sidecar, the port takes no part"
        findings.append(Finding(Code.UNKNOWN_APP_PROTOCOL, rule, message))
    return protocol


def _selects(service: Service, pod: Pod | VirtualMachine) -> bool:
    selector = service.spec.selector
    return bool(selector) and all(pod.metadata.labels.get(key) == value for key, value in selector.items())


def port_target(endpoints: Endpoints | None, name: str) -> int | None:
    """Where the pods listen for a port of the service: the first endpoints port of its name.

    The only port of a subset stands for every port of the service, and any for one without a name.
    """
    for subset in endpoints.subsets if endpoints else ():
        for port in subset.ports:
            if not name or len(subset.ports) == 1 or port.name == name:
                return port.port
    return None


def target_port(endpoints: Endpoints | None, name: str) -> int | None:
    """Where the pods listen for the port of a split's backend: the first endpoints port of its name."""
    ports = (port for subset in endpoints.subsets for port in subset.ports) if endpoints else iter(())
    return next((port.port for port in ports if port.name == name), None)


def _entries(endpoints: Endpoints, target: int) -> Iterator[EndpointAddress]:
    for subset in endpoints.subsets:
        if any(target in {UNTARGETED, port.port} for port in subset.ports):
            yield from subset.addresses
