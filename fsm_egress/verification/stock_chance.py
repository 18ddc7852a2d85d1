"""What a stock `fsm-controller` leaves to chance: which of several unlike things it comes upon first.

It lists resources in the order of a Go map, which is another at each run. The models take them by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connections.findings import Code
from ..resolution.inmesh import references_of, settings_for
from ..resolution.retries import SERVICE_KIND, retries_of, retry_for, service_called, whole
from ..resources.words import Protocol
from .stock_mesh import StockMesh, Suspicion, to_claim, to_service
from .stock_splits import StockBackends, same_ways

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..connections.connection import Connection
    from ..policy.parts import Claim
    from ..resolution.mesh_service import MeshService
    from ..resolution.retries import Account
    from ..resources.smi import TrafficSplit
    from ..values.references import FieldRef

__all__ = ["chances"]


def chances(mesh: StockMesh) -> Iterator[Suspicion]:
    """Every rule of the mesh that counts or not by chance."""
    yield from _of_certificates(mesh)
    yield from _of_settings(mesh)
    yield from _of_retries(mesh)
    yield from _of_leading(mesh)
    yield from _of_splits(mesh)
    yield from _of_parts(mesh)
    yield from _of_imports(mesh)


def _by_chance(code: Code, rule: FieldRef, about: Connection) -> Suspicion:
    return Suspicion(code, rule, concerns=about, always=True)


def _of_certificates(mesh: StockMesh) -> Iterator[Suspicion]:
    """Stream policies of a port with other certificates: all of its ranges have that of one of them."""
    streams: dict[int, list[Claim]] = {}
    for claim in mesh.claims:
        if claim.protocol is not Protocol.HTTP:
            streams.setdefault(claim.port, []).append(claim)
    for claims in streams.values():
        ranged = [claim for claim in claims if claim.prefixes]
        if ranged and any(claim.source_cert != ranged[0].source_cert for claim in claims):
            yield _by_chance(Code.CONFLICTING_SETTINGS, ranged[0].rule, to_claim(ranged[0]))


def _of_settings(mesh: StockMesh) -> Iterator[Suspicion]:
    """Services with several UpstreamTrafficSettings that say unlike things."""
    for service in mesh.services:
        settings = settings_for(mesh.snapshot, service)
        for setting in settings[1:]:
            if setting.spec.connection_settings != settings[0].spec.connection_settings:
                rule = setting.at("spec.host")
                yield _by_chance(Code.CONFLICTING_SETTINGS, rule, to_service(service))


def _of_retries(mesh: StockMesh) -> Iterator[Suspicion]:
    """Destinations of several Retry resources that say unlike things."""
    about: dict[Account, Connection] = {}
    for service in mesh.services:
        about.setdefault(whole((service.name, service.namespace)), to_service(service))
    for claim in mesh.claims:
        for host in claim.hosts if claim.protocol is Protocol.HTTP else ():
            called = service_called(f"{host}:{claim.port}")
            if called is not None:
                about.setdefault(whole(called), to_claim(claim))
    first: dict[Account, object] = {}
    for retry in retries_of(mesh.snapshot, mesh.policy.identity):
        for index, to in enumerate(retry.spec.destinations):
            account = whole((to.name, to.namespace))
            policy = retry.spec.retry_policy
            is_one = to.kind == SERVICE_KIND and account in about
            if is_one and first.setdefault(account, policy) != policy:
                rule = retry.at(f"spec.destinations[{index}]")
                yield _by_chance(Code.RETRY_BY_CHANCE, rule, about[account])


def _of_leading(mesh: StockMesh) -> Iterator[Suspicion]:
    """Clusters that services with other retries lead to."""
    by_account = {(it.name, it.namespace): it for it in mesh.services}
    matches = (match for port in mesh.policy.ports for match in port.mesh)
    for accounts in references_of(matches).values():
        policies = {retry_for(mesh.snapshot, mesh.policy.identity, account) for account in accounts}
        services = [by_account[account] for account in accounts if account in by_account]
        if len(policies) > 1 and services:
            yield _by_chance(Code.RETRY_BY_CHANCE, services[0].rule, to_service(services[0]))


class _Backwards(StockBackends):
    """Where a service's traffic goes, if its splits are come upon in the opposite order."""

    def splits_of(self, service: MeshService) -> list[TrafficSplit]:
        return super().splits_of(service)[::-1]


def _of_splits(mesh: StockMesh) -> Iterator[Suspicion]:
    """Several splits of a service that give a route or a cluster unlike shares."""
    backends, backwards = StockBackends(mesh.view), _Backwards(mesh.view)
    for service in mesh.services:
        splits = backends.splits_of(service)
        is_told = service.is_routed and not backends.answers(service)
        if len(splits) > 1 and not is_told and not same_ways(backends, backwards, service):
            yield _by_chance(Code.SPLIT_READ_OTHERWISE, splits[0].at("spec"), to_service(service))


def _of_parts(mesh: StockMesh) -> Iterator[Suspicion]:
    """Backends of splits whose weight is no multiple of the clusters: one of these has the odd part."""
    backends = StockBackends(mesh.view)
    for service in mesh.services:
        for split in backends.splits_of(service):
            for index, backend in enumerate(split.spec.backends):
                local, parts = backends.parts_of(service, backend.service, backend.weight)
                if len({part.weight for part in parts[0 if local is None else 1 :]}) > 1:
                    rule = split.at(f"spec.backends[{index}]")
                    yield _by_chance(Code.SHARE_BY_CHANCE, rule, to_service(service))


def _of_imports(mesh: StockMesh) -> Iterator[Suspicion]:
    """Services that are here and in other clusters, opened by other TrafficTargets: the last share counts."""
    if mesh.snapshot.mesh_config.spec.traffic.enable_permissive_traffic_policy_mode:
        return
    backends = StockBackends(mesh.view)
    first: dict[object, MeshService] = {}
    for service in mesh.services:
        key = service.cluster, service.port, service.protocol
        if first.setdefault(key, service).share != service.share and not backends.splits_of(service):
            yield _by_chance(Code.SHARE_BY_CHANCE, service.rule, to_service(service))
