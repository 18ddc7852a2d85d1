"""The mesh's services as `fsm-controller` counts them, and which of them an identity reaches.

The rules are those of `spec/resources.md` ("Services") and `spec/controller.md` ("Copied").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ..connections.findings import Code, Finding
from ..resources.checks import Protocol, ServiceAccessMode
from ..resources.core import EndpointAddress, Endpoints, Pod, Service, ServicePort
from ..resources.smi import TrafficTarget
from ..snapshot import SERVICE_ACCOUNT, Snapshot
from ..values.net import Address, parse_address
from ..values.references import FieldRef, item_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..resources.resource import ServiceIdentity

__all__ = ["TRUST_DOMAIN", "MeshService", "hostnames_of", "reached_services", "target_port"]

TRUST_DOMAIN = ("cluster", "local")
TARGET_RULES = {"HTTPRouteGroup", "TCPRoute"}
_PREFIXED = (Protocol.TCP_SERVER_FIRST, Protocol.HTTP, Protocol.TCP, Protocol.GRPC)
_BY_NAME = {protocol.value: protocol for protocol in Protocol}


@frozen
class MeshService:
    """One port of one service, or of one named pod of a headless service.

    Attributes:
        name: of the service, or `hostname.service`.
        target_port: where the pods listen; it names the cluster.
        addresses: what connections to the service are addressed to, the ClusterIP first.
        endpoints: the pods' addresses that the source may be sent to.
        rule: the port in the Service.
    """

    name: str
    namespace: str
    port: int
    target_port: int
    protocol: Protocol
    cluster_ip: Address | None
    addresses: tuple[Address, ...]
    endpoints: tuple[Address, ...]
    rule: FieldRef

    @property
    def full_name(self) -> str:
        """`name.namespace`, which also names the service's HTTP rules."""
        return f"{self.name}.{self.namespace}"

    @property
    def cluster(self) -> str:
        """The name of its cluster."""
        return f"{self.namespace}/{self.name}|{self.target_port}"

    @property
    def is_http(self) -> bool:
        """Whether its requests are routed one by one."""
        return self.protocol in {Protocol.HTTP, Protocol.GRPC}


def reached_services(
    snapshot: Snapshot, identity: ServiceIdentity, findings: list[Finding]
) -> Iterator[MeshService]:
    """The services that an identity may reach, port by port, by namespace and name.

    A headless service without ready addresses is among them, though it can be addressed by name only.
    """
    pods = _allowed_pods(snapshot, identity, findings)
    for service in snapshot.kind(Service):
        if not snapshot.monitors(service.namespace):
            continue
        if pods is None:
            yield from _ports_of(snapshot, service, findings)
            continue
        selected = [pod for pod in pods.get(service.namespace, ()) if _selects(service, pod)]
        if selected:
            ips = {entry.ip for pod in selected for entry in pod.status.pod_ips}
            for found in _ports_of(snapshot, service, findings):
                yield evolve(found, endpoints=tuple(ip for ip in found.endpoints if ip in ips))


def _allowed_pods(
    snapshot: Snapshot, identity: ServiceIdentity, findings: list[Finding]
) -> Mapping[str, list[Pod]] | None:
    """The pods by namespace that traffic targets let an identity reach; None where all may be reached."""
    if snapshot.mesh_config.spec.traffic.enable_permissive_traffic_policy_mode:
        return None
    accounts = {
        (target.spec.destination.namespace, target.spec.destination.name)
        for target in snapshot.kind(TrafficTarget)
        if _counts(snapshot, target, findings)
        and any(
            (source.name, source.namespace) == (identity.name, identity.namespace)
            for source in target.spec.sources
        )
    }
    pods: dict[str, list[Pod]] = {}
    for pod in snapshot.kind(Pod):
        if (pod.namespace, pod.spec.service_account_name) in accounts:
            pods.setdefault(pod.namespace, []).append(pod)
    return pods


def _counts(snapshot: Snapshot, target: TrafficTarget, findings: list[Finding]) -> bool:
    """Whether a traffic target allows anything at all."""
    if not snapshot.monitors(target.namespace):
        return False
    why = None
    if target.namespace != target.spec.destination.namespace:
        why = f"its destination is in namespace `{target.spec.destination.namespace}`"
    elif target.spec.destination.kind != SERVICE_ACCOUNT:
        why = f"its destination is no `{SERVICE_ACCOUNT}`"
    elif not target.spec.rules:
        why = "it has no rules"
    elif not {rule.kind for rule in target.spec.rules} <= TARGET_RULES:
        why = "a rule of it is neither an `HTTPRouteGroup` nor a `TCPRoute`"
    if why:
        message = f"it allows nothing, since {why}"
        findings.append(Finding(Code.IGNORED_TRAFFIC_TARGET, target.at("spec"), message))
    return why is None


def _ports_of(snapshot: Snapshot, service: Service, findings: list[Finding]) -> Iterator[MeshService]:
    endpoints = snapshot.kind(Endpoints).get(service.namespace, service.name)
    domain = snapshot.mesh_config.spec.traffic.service_access_mode is ServiceAccessMode.DOMAIN
    for index, port in enumerate(service.spec.ports):
        rule = service.at(item_path("spec.ports", index))
        protocol = _protocol(port, rule, findings)
        target = target_port(endpoints, port.name)
        if protocol is None or target is None or endpoints is None:
            continue
        entries = tuple(_entries(endpoints, target))
        if service.spec.headless:
            if not entries:
                message = "a headless service without ready addresses takes no part"
                findings.append(Finding(Code.HEADLESS_WITHOUT_ADDRESSES, rule, message))
            for name, ips in _named_pods(service.name, entries).items():
                yield MeshService(name, service.namespace, port.port, target, protocol, None, ips, ips, rule)
        else:
            cluster_ip = parse_address(service.spec.cluster_ip)
            ready = () if domain else (entry.ip for subset in endpoints.subsets for entry in subset.addresses)
            yield MeshService(
                service.name,
                service.namespace,
                port.port,
                target,
                protocol,
                cluster_ip,
                _unique((cluster_ip, *ready)),
                _unique(entry.ip for entry in entries),
                rule,
            )


def _named_pods(name: str, entries: tuple[EndpointAddress, ...]) -> Mapping[str, tuple[Address, ...]]:
    """The addresses of a headless service: by `hostname.service` where any has a hostname, else together."""
    hostnames = sorted({entry.hostname for entry in entries if entry.hostname})
    if not hostnames:
        return {name: _unique(entry.ip for entry in entries)}
    return {
        f"{hostname}.{name}": _unique(entry.ip for entry in entries if entry.hostname == hostname)
        for hostname in hostnames
    }


def _protocol(port: ServicePort, rule: FieldRef, findings: list[Finding]) -> Protocol | None:
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


def _selects(service: Service, pod: Pod) -> bool:
    selector = service.spec.selector
    return bool(selector) and all(pod.metadata.labels.get(key) == value for key, value in selector.items())


def target_port(endpoints: Endpoints | None, name: str) -> int | None:
    """Where the pods listen for the service port of this name: the first endpoints port of that name."""
    ports = (port for subset in endpoints.subsets for port in subset.ports) if endpoints else iter(())
    return next((port.port for port in ports if port.name == name), None)


def _entries(endpoints: Endpoints, target: int) -> Iterator[EndpointAddress]:
    for subset in endpoints.subsets:
        if any(port.port == target for port in subset.ports):
            yield from subset.addresses


def _unique(addresses: Iterable[Address]) -> tuple[Address, ...]:
    return tuple({address.key: address for address in addresses}.values())


def hostnames_of(snapshot: Snapshot, identity: ServiceIdentity, service: MeshService) -> tuple[str, ...]:
    """The Host headers by which an identity may address a service (`spec/resources.md`, "Services")."""
    traffic = snapshot.mesh_config.spec.traffic
    names: list[str] = []
    if traffic.service_access_mode is not ServiceAccessMode.IP:
        if identity.namespace == service.namespace or not traffic.service_access_names.must_with_namespace:
            names.append(service.name)
        names.append(service.full_name)
        if traffic.service_access_names.with_trust_domain:
            names.append(f"{service.full_name}.svc")
            for part in TRUST_DOMAIN:
                names.append(f"{names[-1]}.{part}")
    if traffic.service_access_mode is not ServiceAccessMode.DOMAIN:
        names.extend(map(str, service.addresses))
    bare = () if traffic.service_access_names.must_with_service_port else names
    return tuple(dict.fromkeys((*bare, *(f"{name}:{service.port}" for name in names))))
