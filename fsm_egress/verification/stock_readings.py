"""What else a stock `fsm-controller` reads otherwise: hosts, certificates, settings, splits, order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connections.findings import Code
from ..connections.payloads import HTTPRequest, TLSClientHello
from ..resolution.inmesh import Backends
from ..resolution.mesh_service import isolated
from ..resolution.routes import in_order
from ..resources.core import Pod
from ..resources.egress import EgressGateway
from .stock_mesh import StockMesh, Suspicion, to_claim, to_service, touching
from .stock_order import routes_in_order
from .stock_splits import StockBackends, same_ways
from .stock_view import LEGACY_SETTING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..connections.connection import Connection
    from ..policy.parts import HTTPRoute
    from ..resources.egress import EgressPolicy
    from ..values.references import FieldRef, ResourceRef
    from .stock_mesh import Shown

__all__ = ["readings"]


def readings(mesh: StockMesh) -> Iterator[Suspicion]:
    """Every rule of the mesh that the controller reads otherwise."""
    yield from _of_hosts(mesh)
    read = {policy.ref: policy for policy in mesh.view.snapshot.policies_for(mesh.policy.identity)}
    for policy in mesh.snapshot.policies_for(mesh.policy.identity):
        yield from _of_policy(mesh, policy, read[policy.ref])
    yield from _of_settings(mesh)
    yield from _of_splits(mesh)
    yield from _of_order(mesh)
    yield from _of_gateways(mesh)
    yield from _of_isolation(mesh)


# --- policies --------------------------------------------------------------------------------------------


def _of_hosts(mesh: StockMesh) -> Iterator[Suspicion]:
    """Hosts with capitals, also where they are written in lower case beside."""
    policies = {policy.ref: policy for policy in mesh.snapshot.policies_for(mesh.policy.identity)}
    for problem in mesh.snapshot.problems:
        policy = policies.get(problem.resource) if problem.resource and problem.written else None
        host = (problem.written or "").lower()
        if policy and host in policy.spec.hosts:
            about = next(map(to_claim, mesh.claims_of(policy.ref)), None)
            shows = _asking(host, mesh.view.written[policy.ref].hosts[host])
            yield Suspicion(
                Code.HOST_AS_WRITTEN,
                policy.at(problem.path),
                shows,
                concerns=about,
                always=True,
                hangs_on=(host,),
            )


def _of_policy(mesh: StockMesh, policy: EgressPolicy, read: EgressPolicy) -> Iterator[Suspicion]:
    about = next(map(to_claim, mesh.claims_of(policy.ref)), None)
    for index, (source, as_read) in enumerate(zip(policy.spec.sources, read.spec.sources, strict=True)):
        if source.mtls != as_read.mtls and (source.name, source.namespace) == _account(mesh):
            rule = policy.at(f"spec.sources[{index}].mtls")
            shows = _certified_otherwise(policy.ref)
            yield Suspicion(Code.CERTIFICATE_READ_OTHERWISE, rule, shows, concerns=about, always=True)
    ports = {port.number for port in policy.spec.ports}
    for index, match in enumerate(policy.spec.matches):
        if match.api_group == LEGACY_SETTING:
            rule = policy.at(f"spec.matches[{index}]")
            shows = _on_ports(ports)
            yield Suspicion(Code.SETTING_READ_OTHERWISE, rule, shows, concerns=about, always=True)


def _account(mesh: StockMesh) -> tuple[str, str]:
    return mesh.policy.identity.name, mesh.policy.identity.namespace


def _asking(host: str, written: tuple[str, ...]) -> Callable[[Shown], bool]:
    """Whether the host is asked for, or dialled as it is written."""

    def shows(it: Shown) -> bool:
        sent = it.connection.sends
        asked = sent.authority if isinstance(sent, HTTPRequest) else ""
        named = sent.server_name if isinstance(sent, TLSClientHello) else None
        is_asked = host in {asked.partition(":")[0].lower(), named}
        return it.differs and (is_asked or it.reaches(written))

    return shows


def _certified_otherwise(policy: ResourceRef) -> Callable[[Shown], bool]:
    def shows(it: Shown) -> bool:
        rules = (it.decision.rule, *it.decision.considered)
        return (
            it.differs and policy in {rule.resource for rule in rules if rule} and it.is_certified_otherwise
        )

    return shows


def _on_ports(ports: set[int]) -> Callable[[Shown], bool]:
    return lambda it: it.differs and it.connection.port in ports


# --- services --------------------------------------------------------------------------------------------


def _of_settings(mesh: StockMesh) -> Iterator[Suspicion]:
    setting = mesh.view.any_service
    if setting and mesh.services:
        rule, about = setting.at("spec.host"), to_service(mesh.services[0])
        yield Suspicion(Code.SETTING_READ_OTHERWISE, rule, concerns=about, always=True)


def _of_splits(mesh: StockMesh) -> Iterator[Suspicion]:
    ours, theirs = Backends(mesh.snapshot, []), StockBackends(mesh.view)
    for service in mesh.services:
        splits = [*theirs.splits_of(service), *ours.splits_of(service)]
        if not splits or same_ways(ours, theirs, service):
            continue
        is_silent = service.is_routed and not theirs.answers(service)
        code = Code.SPLIT_WITHOUT_HOST if is_silent else Code.SPLIT_READ_OTHERWISE
        shows, about = touching(mesh, service), to_service(service)
        yield Suspicion(code, splits[0].at("spec"), shows, service.port, about, always=True)


def _of_order(mesh: StockMesh) -> Iterator[Suspicion]:
    hosts: dict[tuple[int, str], tuple[Connection, list[HTTPRoute]]] = {}
    for claim in mesh.claims:
        for host in claim.hosts:
            hosts.setdefault((claim.port, host), (to_claim(claim), []))[1].extend(claim.routes)
    backends = StockBackends(mesh.view)
    for service in mesh.services:
        if service.is_http:
            about = to_service(service)
            hosts[service.port, service.full_name] = about, list(backends.routes_of(service) or ())
    for about, routes in hosts.values():
        moved = _moved([mesh.view.with_headers_as_written(route) for route in routes])
        if moved:
            yield Suspicion(Code.PATHS_LETTER_CASE, moved[0], _through(moved), concerns=about, always=True)


def _moved(routes: list[HTTPRoute]) -> list[FieldRef]:
    """The matches of groups that are not tried when they are due."""
    once = list({route.key: route for route in reversed(routes)}.values())[::-1]
    pairs = zip(routes_in_order(routes), in_order(once), strict=True)
    return [found.route for found, due in pairs if found.key != due.key and found.route]


def _through(routes: list[FieldRef]) -> Callable[[Shown], bool]:
    return lambda it: it.differs and it.decision.route in routes


# --- the rest --------------------------------------------------------------------------------------------


def _of_gateways(mesh: StockMesh) -> Iterator[Suspicion]:
    given = [gateway for gateway in mesh.snapshot.kind(EgressGateway) if gateway.spec.global_]
    about = next(map(to_claim, mesh.claims), None)
    for gateway in given[1:]:
        yield Suspicion(Code.TWO_GLOBAL_GATEWAYS, gateway.at("spec.global"), concerns=about, always=True)


def _of_isolation(mesh: StockMesh) -> Iterator[Suspicion]:
    """Pods of the identity that get no config at all."""
    closed = isolated(mesh.snapshot) if mesh.view.version.isolates_sources else ()
    about = next(map(to_claim, mesh.claims), None)
    for pod in mesh.snapshot.kind(Pod) if closed else ():
        is_own = (pod.spec.service_account_name, pod.namespace) == _account(mesh)
        ips = (entry.ip for entry in pod.status.pod_ips)
        if is_own and any(ip in prefix for ip in ips for prefix in closed):
            yield Suspicion(Code.ISOLATED_SOURCE, pod.at("status.podIPs"), concerns=about, always=True)
