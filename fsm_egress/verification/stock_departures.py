"""What of `controller.json` a mesh touches, and what each would show.

Whether a line is what makes a connection go astray cannot be read from the connection alone: each suspicion
knows the rule that it touches, and which disagreements of policies and sidecar it would bring about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ..connections.connection import socket_address
from ..connections.decision import Reason
from ..connections.findings import Code, Finding
from ..connections.payloads import TLSClientHello
from ..pipy.versions import LATEST
from ..policy.parts import Claim
from ..resolution.mesh_service import hostnames_of
from ..resolution.warming import warmup_of
from ..resources.checks import LAST_PORT
from ..resources.egress import EgressPolicy, Retry
from ..resources.smi import HTTPRouteGroup
from ..resources.words import Protocol
from ..values.errors import InvalidValue
from ..values.net import Address, parse_address
from ..values.references import FieldRef
from .stock_chance import chances
from .stock_config import GRPC, written_protocol
from .stock_mesh import (
    OUTSIDE,
    Ranges,
    Shown,
    StockMesh,
    Suspicion,
    concerning,
    to_claim,
    to_service,
    touching,
)
from .stock_readings import readings
from .stock_splits import StockBackends
from .stock_view import view_of

if TYPE_CHECKING:
    from ..connections.connection import Connection
    from ..manifests.loader import Refused
    from ..resolution.mesh_service import MeshService
    from ..resources.subjects import Subject
    from ..values.net import Prefix

__all__ = ["suspicions"]

IPV6 = 6
PORT_NUMBERS = range(1, LAST_PORT + 1)


def suspicions(mesh: StockMesh) -> Iterator[Suspicion]:
    """Every line that a rule of the mesh touches."""
    yield from _of_refused_policies(mesh)
    yield from _of_claims(mesh)
    yield from _of_services(mesh)
    yield from _of_older(mesh)
    yield from _of_names(mesh)
    yield from readings(mesh)
    yield from chances(mesh)
    for finding in mesh.policy.findings:
        suspects = _OF_FINDINGS.get(finding.code)
        if suspects is not None:
            yield from suspects(mesh, finding)


# --- policies that are refused ---------------------------------------------------------------------------


def _of_refused_policies(mesh: StockMesh) -> Iterator[Suspicion]:
    in_force = mesh.view.snapshot.mesh_config.spec.feature_flags.egress_policies_apply
    named = {policy.ref for policy in mesh.view.snapshot.policies_for(mesh.policy.identity)}
    for refused in mesh.snapshot.refused:
        if in_force and refused.ref in named:
            yield from _of_refused(mesh, refused)
        group = mesh.view.snapshot.kind(HTTPRouteGroup).get(refused.ref.namespace, refused.ref.name)
        if group is not None and refused.ref == group.ref:
            yield from _of_refused_group(mesh, group)


def _of_refused_group(mesh: StockMesh, group: HTTPRouteGroup) -> Iterator[Suspicion]:
    """A route group with patterns that are refused: of policies and of TrafficSplits."""
    claims = [
        claim
        for claim in mesh.claims
        if any(route.route and route.route.resource == group.ref for route in claim.routes)
    ]
    backends = StockBackends(mesh.view)
    services = [
        service
        for service in mesh.services
        if any(
            match.name == group.name for split in backends.splits_of(service) for match in split.spec.matches
        )
    ]
    about = next(iter([*map(to_claim, claims), *map(to_service, services)]), None)
    for port in {*(claim.port for claim in claims), *(service.port for service in services)}:
        yield Suspicion(Code.REFUSED_IN_FORCE, group.at(), lambda it: it.differs, port, about, always=True)


def _of_refused(mesh: StockMesh, refused: Refused) -> Iterator[Suspicion]:
    claims = mesh.claims_of(refused.ref)
    spec = refused.document["spec"]
    for index, text in enumerate(spec.get("ipAddresses") or ()):
        if text in mesh.view.raw[refused.ref]:
            rule = FieldRef(refused.ref, f"spec.ipAddresses[{index}]", refused.source)
            for claim in claims:
                yield _of_no_range(claim, rule, text)
    policies = mesh.view.snapshot.kind(EgressPolicy)
    policy = policies[refused.ref.namespace, refused.ref.name]
    for index, port in enumerate(spec.get("ports") or ()):
        if port["protocol"].lower() == GRPC and port["number"] in PORT_NUMBERS:
            rule = FieldRef(refused.ref, f"spec.ports[{index}]", refused.source)
            about = Claim(rule, port["number"], Protocol.HTTP, policy.spec.ip_addresses, policy.spec.hosts)
            yield Suspicion(Code.GRPC_PORT, rule, concerns=to_claim(about), always=True)
    ports = {claim.port for claim in claims}
    yield Suspicion(Code.REFUSED_IN_FORCE, policy.at(), lambda it: it.differs and it.connection.port in ports)


def _of_no_range(claim: Claim, rule: FieldRef, text: str) -> Suspicion:
    try:
        address = parse_address(text)
    except InvalidValue:
        address = OUTSIDE
    if claim.protocol is Protocol.HTTP:
        code = Code.RANGE_DROPPED
        own = Ranges(frozenset(claim.prefixes))

        def shows(it: Shown) -> bool:
            return it.differs and it.reaches(claim.hosts) and not it.at(own)
    else:
        code = Code.RANGE_PASSED_ON

        def shows(it: Shown) -> bool:
            return it.differs

    return Suspicion(code, rule, shows, claim.port, to_claim(claim, address), always=True)


# --- claims that share a match ---------------------------------------------------------------------------


def _of_claims(mesh: StockMesh) -> Iterator[Suspicion]:
    together: dict[tuple[int, Protocol], list[Claim]] = {}
    streams: dict[int, Claim] = {}
    for claim in mesh.claims:
        together.setdefault((claim.port, claim.protocol), []).append(claim)
        if claim.protocol is not Protocol.HTTP:
            streams.setdefault(claim.port, claim)
    for own in together.values():
        ranges = Ranges(frozenset(it for claim in own if _keeps_ranges(claim) for it in claim.prefixes))
        for claim in own:
            if claim.rule.resource in mesh.view.raw:
                continue
            yield from _of_ranges(mesh, claim, ranges, shared=len(own) > 1)
            first = streams.get(claim.port, claim)
            if claim.protocol is not Protocol.HTTP and claim.source_cert != first.source_cert:
                code, shows = Code.CERTIFICATE_OF_NEIGHBOUR, _certified_otherwise(claim)
                yield Suspicion(
                    code,
                    claim.rule,
                    shows,
                    claim.port,
                    among=(("decides", claim.rule),),
                    hangs_on=(claim.rule,),
                )


def _keeps_ranges(claim: Claim) -> bool:
    """Whether the ranges of a claim get into its match: those of HTTP go with the routes of hosts."""
    return claim.protocol is not Protocol.HTTP or bool(claim.hosts and claim.routes)


def _of_ranges(mesh: StockMesh, claim: Claim, ranges: Ranges, *, shared: bool) -> Iterator[Suspicion]:
    """What sharing a match makes of a claim; `ranges` are those of the match."""
    own, has_default = Ranges(frozenset(claim.prefixes)), mesh.policy.spec.enable_auto_default_route

    def is_elsewhere(it: Shown) -> bool:
        return it.differs and it.concerns(claim.rule) and not it.at(ranges)

    def is_foreign(it: Shown) -> bool:
        is_default = has_default and it.at(ranges)
        return it.differs and not it.at(own) and (it.reaches(claim.hosts) or is_default)

    def is_beyond(it: Shown) -> bool:
        return (it.differs and not it.at(own)) or (bool(ranges) and is_elsewhere(it))

    def is_taken(it: Shown) -> bool:
        return it.differs and it.concerns(claim.rule)

    def is_shut(it: Shown) -> bool:
        match = mesh.match(it.connection)
        is_tls = match is not None and match.protocol == Protocol.HTTPS.value
        return it.differs and it.concerns(claim.rule) and is_tls

    about, concerned = to_claim(claim), concerning(claim.rule)
    if not claim.prefixes and ranges:
        yield Suspicion(
            Code.NEIGHBOURS_RANGES,
            claim.rule,
            is_elsewhere,
            claim.port,
            about,
            always=True,
            among=concerned,
        )
    if claim.prefixes and shared and (claim.hosts or has_default):
        hosts = () if has_default else (("dialled", it) for it in claim.hosts)
        yield Suspicion(Code.NEIGHBOURS_HOSTS, claim.rule, is_foreign, claim.port, among=tuple(hosts))
    if claim.prefixes and not _keeps_ranges(claim):
        yield Suspicion(Code.RANGES_LOST, claim.rule, is_beyond, claim.port, about, always=True)
    if claim.protocol is Protocol.HTTPS and not claim.hosts:
        yield Suspicion(
            Code.TLS_WITHOUT_HOSTS, claim.rule, is_shut, claim.port, about, always=True, among=concerned
        )
    protocol = written_protocol(claim.protocol)
    yield Suspicion(
        Code.PROTOCOLS_OVERLAP, claim.rule, is_taken, claim.port, not_by=protocol, among=concerned
    )
    yield from _of_endpoints(claim.rule, claim.hosts, claim.port)


def _certified_otherwise(claim: Claim) -> Callable[[Shown], bool]:
    return lambda it: it.differs and it.decision.rule == claim.rule and it.is_certified_otherwise


# --- services --------------------------------------------------------------------------------------------


def _of_services(mesh: StockMesh) -> Iterator[Suspicion]:
    claimed: dict[int, list[Prefix]] = {}
    for claim in mesh.claims:
        claimed.setdefault(claim.port, []).extend(claim.prefixes)
    ranges = {port: Ranges(frozenset(prefixes)) for port, prefixes in claimed.items()}
    for service in mesh.services:
        rule, port, addresses = service.rule, service.port, service.reached_at
        yield from _of_warming(mesh, service)
        if any(ranges[port].table.lookup(address.key) for address in addresses if port in ranges):
            yield Suspicion(Code.EGRESS_BEFORE_MESH, rule, _taken_from(mesh, service), port)
        for address in addresses:
            if address.version == IPV6:
                neighbour = Address.from_key(address.key ^ 1)
                about = to_service(service, neighbour)
                yield Suspicion(Code.IPV6_ADDRESS_AS_RANGE, rule, concerns=about, always=True)
        yield from _of_endpoints(rule, map(str, service.endpoints), port)
    forward = mesh.policy.forward
    if forward:
        ends = {endpoint.host for gateway in forward.gateways for endpoint in gateway.endpoints}
        yield from _of_endpoints(forward.rule, ends, None)


def _of_older(mesh: StockMesh) -> Iterator[Suspicion]:
    """Services that an older controller reads otherwise than the latest one."""
    if mesh.view.version is LATEST:
        return
    who = mesh.policy.identity
    latest, here = StockBackends(view_of(mesh.snapshot)), StockBackends(mesh.view)
    known = {_named(it): _reached(latest, who, it) for it in latest.view.services_of(who)}
    for service in mesh.services:
        if known.get(_named(service)) != _reached(here, who, service):
            shows, about = touching(mesh, service), to_service(service)
            yield Suspicion(Code.OLDER_VERSION, service.rule, shows, service.port, about, always=True)


def _named(service: MeshService) -> object:
    return service.rule, service.full_name, service.target_port


def _reached(backends: StockBackends, who: Subject, service: MeshService) -> object:
    """How a service is addressed, and where that leads, in which shares."""
    if not service.is_http:
        return service.reached_at, service.endpoints
    hosts = hostnames_of(backends.snapshot, who, service)
    routes = backends.balanced(backends.routes_of(service) or ())
    return service.reached_at, service.endpoints, hosts, routes


def _of_warming(mesh: StockMesh, service: MeshService) -> Iterator[Suspicion]:
    """Shares of a service's pods that grow with their age; an older controller knows of none."""
    ends = (end for it in mesh.policy.clusters if it.name == service.cluster for end in it.endpoints)
    warmup = warmup_of(mesh.snapshot, service.namespace, service.name)
    if warmup and any(end.growth for end in ends):
        code = Code.SHARES_BY_AGE if mesh.view.version.warms else Code.OLDER_VERSION
        yield Suspicion(code, warmup.rule, concerns=to_service(service), always=True)


def _taken_from(mesh: StockMesh, service: MeshService) -> Callable[[Shown], bool]:
    """Whether a connection to a service is taken by a match that is no service's."""

    def shows(it: Shown) -> bool:
        match = mesh.match(it.connection)
        names = () if match is None else (*match.clusters, *(match.rules or ()))
        is_mesh = any(name == service.full_name or "/" in name for name in names)
        return it.differs and it.connection.destination in service.reached_at and not is_mesh

    return shows


def _of_endpoints(rule: FieldRef, hosts: Iterable[str], port: int | None) -> Iterator[Suspicion]:
    """The sidecar takes the end of an IPv6 address for a port, where none is written."""
    parts = (host.rpartition(":") for host in hosts if ":" in host)
    ends = {socket_address(head, int(tail)) for head, _, tail in parts if tail.isdecimal()}

    def shows(it: Shown) -> bool:
        outcome = it.of.outcome
        dialled = {target.address(it.connection) for target in outcome.targets}
        ways = (outcome, *outcome.others)
        dialled.update(end for way in ways for used in way.gateways for end in used.endpoints)
        return it.differs and not ends.isdisjoint(dialled)

    if ends:
        yield Suspicion(Code.IPV6_ENDPOINT_WITHOUT_PORT, rule, shows, port)


# --- names -----------------------------------------------------------------------------------------------


def _of_names(mesh: StockMesh) -> Iterator[Suspicion]:
    used = _routes_of(mesh) if mesh.view.headers else {}
    for route in mesh.view.headers:
        about = used.get(route)
        is_used = about is not None
        yield Suspicion(Code.HEADER_NAME_AS_WRITTEN, route, _of_route(route), None, about, always=is_used)
    for policy in mesh.snapshot.policies_for(mesh.policy.identity):
        about = next(map(to_claim, mesh.claims_of(policy.ref)), None)
        accounts = [(source.kind, source.name, source.namespace) for source in policy.spec.sources]
        ports = [(port.number, port.protocol) for port in policy.spec.ports]
        for name, entries in (("sources", accounts), ("ports", ports)):
            for index, entry in enumerate(entries):
                if entry in entries[:index]:
                    rule = policy.at(f"spec.{name}[{index}]")
                    yield Suspicion(Code.NAMED_TWICE, rule, concerns=about, always=True)


def _routes_of(mesh: StockMesh) -> dict[FieldRef, Connection]:
    """The matches of route groups that are written, each with a connection that it is for."""
    used: dict[FieldRef, Connection] = {}
    for claim in mesh.claims:
        for route in claim.routes if claim.hosts else ():
            if route.route:
                used.setdefault(route.route, to_claim(claim))
    backends = StockBackends(mesh.view)
    for service in mesh.services:
        for route in (backends.routes_of(service) if service.is_http else None) or ():
            if route.route:
                used.setdefault(route.route, to_service(service))
    return used


def _of_route(route: FieldRef) -> Callable[[Shown], bool]:
    return lambda it: it.differs and (it.decision.route == route or it.decision.reason is Reason.NO_ROUTE)


# --- what resolving has found already --------------------------------------------------------------------

_Suspect = Callable[[StockMesh, Finding], Iterator[Suspicion]]


def _about(rule: FieldRef, shows: Callable[[Shown, FieldRef], bool]) -> Callable[[Shown], bool]:
    return lambda it: shows(it, rule)


def _on_policy(shows: Callable[[Shown, FieldRef], bool] | None = None, *, decides: bool = False) -> _Suspect:
    """The finding is about a field of an Egress policy: a port of it, or all of it; perhaps nothing shows it.

    With `decides` it is shown only by what the field itself decides.
    """

    def suspects(mesh: StockMesh, finding: Finding) -> Iterator[Suspicion]:
        claims = mesh.claims_of(finding.rule.resource)
        about = next((claim for claim in claims if claim.rule == finding.rule), next(iter(claims), None))
        if about is not None:
            yield Suspicion(
                finding.code,
                finding.rule,
                None if shows is None else _about(finding.rule, shows),
                concerns=to_claim(about),
                always=True,
                hangs_on=(finding.rule,) if decides else (),
            )

    return suspects


def _on_service(mesh: StockMesh, finding: Finding) -> Iterator[Suspicion]:
    """The finding is about a port of a service: what goes to its addresses or hosts; without them, to any.

    So does what a TrafficSplit leads to its pods.
    """
    for service in mesh.services:
        if service.rule == finding.rule:
            shows, about = _leading(mesh, service), to_service(service)
            yield Suspicion(finding.code, finding.rule, shows, service.port, about, always=True)


def _leading(mesh: StockMesh, service: MeshService) -> Callable[[Shown], bool]:
    touches, ends = touching(mesh, service), frozenset(map(str, service.endpoints))
    return lambda it: touches(it) or (it.differs and it.reaches(ends))


def _on_isolated(mesh: StockMesh, finding: Finding) -> Iterator[Suspicion]:
    """The finding is about a service whose addresses are isolated, where the version knows that."""
    if mesh.view.version.isolates:
        yield from _on_service(mesh, finding)


def _on_any_egress(mesh: StockMesh, finding: Finding) -> Iterator[Suspicion]:
    """The finding is about all egress."""
    about = next(map(to_claim, mesh.claims), None)
    yield Suspicion(finding.code, finding.rule, concerns=about, always=True)


def _on_the_flag(_: StockMesh, finding: Finding) -> Iterator[Suspicion]:
    def shows(it: Shown) -> bool:
        rule = it.decision.rule
        return it.differs and rule is not None and rule.resource.kind == EgressPolicy.kind

    yield Suspicion(finding.code, finding.rule, shows, always=True)


def _on_retry(mesh: StockMesh, finding: Finding) -> Iterator[Suspicion]:
    resource = finding.rule.resource
    retry = mesh.snapshot.kind(Retry)[resource.namespace, resource.name]
    names = {(to.name, to.namespace) for to in retry.spec.destinations}
    services = (service for service in mesh.services if (service.name, service.namespace) in names)
    about = next(map(to_service, services), None)
    yield Suspicion(finding.code, finding.rule, concerns=about, always=True)


_OF_FINDINGS: dict[Code, _Suspect] = {
    Code.MISSING_SECRET: _on_policy(
        lambda it, rule: (
            it.differs and any(claim.resource == rule.resource for claim in it.decision.considered)
        )
    ),
    Code.CERTIFICATE_LOST: _on_policy(
        lambda it, rule: it.decision.rule == rule and it.of.due.mtls and not it.of.outcome.mtls,
        decides=True,
    ),
    Code.TLS_IN_TLS: _on_policy(
        lambda it, rule: (
            it.decision.rule == rule
            and it.decision.allowed
            and isinstance(it.connection.sends, TLSClientHello)
            and it.of.outcome.mtls
        ),
        decides=True,
    ),
    Code.SETTING_WITHOUT_EFFECT: _on_policy(),
    Code.PROTOCOLS_MEET: _on_policy(),
    Code.CONFLICTING_SETTINGS: _on_policy(
        lambda it, rule: it.differs and it.decision.rule == rule and it.is_certified_otherwise,
        decides=True,
    ),
    Code.UNKNOWN_APP_PROTOCOL: _on_service,
    Code.NOT_TCP: _on_service,
    Code.SHARED_ADDRESS: _on_service,
    Code.HTTP_AND_GRPC: _on_service,
    Code.HEADLESS_WITHOUT_ADDRESSES: _on_service,
    Code.ISOLATED_SERVICE: _on_isolated,
    Code.GATEWAY_MODE: _on_any_egress,
    Code.UNUSABLE_GATEWAY: _on_any_egress,
    Code.RETRY_WITHOUT_TIMES: _on_retry,
    Code.EGRESS_POLICY_FLAG_ABSENT: _on_the_flag,
}
