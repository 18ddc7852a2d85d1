"""The resources as a stock `fsm-controller` reads them, where it reads them otherwise than this library.

It refuses nothing: hosts of any form, numbers that are no ports and texts that are no ranges go their way.
What the models cannot hold stands in them under another name, and beside them as it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import evolve, field

from ..manifests.manifest import structure
from ..patterns import Pattern, PatternError
from ..pipy.versions import LATEST, FSMVersion
from ..policy.parts import SourceCert
from ..resolution.claims import resolve_claims
from ..resolution.routes import WILDCARD_PATH
from ..resolution.services import HEALTH_CHECK, reached_services
from ..resources import checks
from ..resources.checks import LAST_PORT
from ..resources.core import Service
from ..resources.egress import EgressPolicy, Isolation, UpstreamTrafficSetting
from ..resources.meshconfig import ServiceAccessNames, WildcardDN
from ..resources.multicluster import ServiceImport
from ..resources.smi import HTTPRouteGroup
from ..resources.words import EGRESS_PROTOCOLS_BY_NAME, Protocol
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.errors import InvalidValue, LoadError
from ..values.frozen import FrozenMap, thaw
from ..values.net import parse_prefix
from ..values.references import FieldRef, ResourceRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..manifests.loader import Refused
    from ..policy.parts import Claim, HTTPRoute
    from ..resolution.mesh_service import MeshService
    from ..resources.core import ServicePort
    from ..resources.egress import EgressSource, SourceMTLS
    from ..resources.multicluster import ImportedPort
    from ..resources.subjects import Subject

__all__ = ["LEGACY_SETTING", "StockView", "group_as_taken", "is_range", "stock_claims", "view_of"]

KNOWN_PROTOCOLS = {protocol.value for protocol in Protocol}
NO_CERTIFICATE = SourceCert(fsm_issued=False)
LEGACY_SETTING = "policy.openservicemesh.io/v1alpha1"

S = TypeVar("S", Service, ServiceImport)

Spelled = Mapping[str, tuple[str, ...]]


@frozen
class Written:
    """What stands in a policy, where its model has something else.

    Attributes:
        ranges: the texts in `ipAddresses` that are no ranges.
        hosts: the hosts of the model that are written otherwise, each in all its spellings.
        numbers: the ports of the model that stand for numbers which are no ports.
    """

    ranges: tuple[str, ...] = ()
    hosts: Spelled = field(factory=dict)
    numbers: Mapping[int, int] = field(factory=dict)


@frozen
class StockView:
    """The mesh as the controller sees it.

    Attributes:
        snapshot: with the policies that it does not refuse, and ports that it takes for TCP.
        raw: of a policy that this library refuses, the texts in `ipAddresses` that are no ranges.
        written: of a policy, what is written otherwise than its model has it.
        unknown: the protocols of service ports that the sidecar does not know.
        headers: of routes, the headers with their names as written, where these are not in lower case.
        any_service: the setting of an empty host, which is every service's that has none of its own.
        version: the version of FSM.
    """

    snapshot: Snapshot
    raw: Mapping[ResourceRef, tuple[str, ...]]
    written: Mapping[ResourceRef, Written]
    unknown: Mapping[FieldRef, str]
    headers: Mapping[FieldRef, tuple[tuple[str, Pattern], ...]]
    any_service: UpstreamTrafficSetting | None
    version: FSMVersion = LATEST

    @property
    def packs(self) -> bool:
        """Whether the config is packed."""
        flag = self.snapshot.mesh_config.spec.feature_flags.enable_sidecar_pretty_config
        return self.version.packs and flag is False

    def services_of(self, identity: Subject) -> tuple[MeshService, ...]:
        """The services that an identity reaches, those too that only this version keeps."""
        untargeted = self.version.keeps_untargeted
        return tuple(reached_services(self.snapshot, identity, [], untargeted=untargeted))

    def with_headers_as_written(self, route: HTTPRoute) -> HTTPRoute:
        """The sidecar, which compares names in lower case, never finds some of these."""
        written = self.headers.get(route.route) if route.route else None
        return evolve(route, headers=written or route.headers)


def view_of(snapshot: Snapshot, version: FSMVersion = LATEST) -> StockView:
    """A mesh as the controller of a version reads it."""
    snapshot = _known(snapshot, version)
    config = snapshot.mesh_config
    flags = config.spec.feature_flags
    if flags.enable_egress_policy is None:
        flags = evolve(flags, enable_egress_policy=False)
    taken = dict(filter(None, map(_as_taken, snapshot.refused)))
    groups = tuple(filter(None, map(group_as_taken, snapshot.refused)))
    services = [service for service in snapshot.kind(Service) if any(map(_is_odd, service.spec.ports))]
    imports = [service for service in snapshot.kind(ServiceImport) if any(map(_is_odd, service.spec.ports))]
    everyones = (it for it in snapshot.kind(UpstreamTrafficSetting) if not it.spec.host)
    written = {
        **{ref: Written(hosts=hosts) for ref, hosts in _capitals(snapshot).items()},
        **{policy.ref: found for policy, found in taken.items()},
    }
    return StockView(
        snapshot.with_(
            evolve(config, spec=evolve(config.spec, feature_flags=flags)),
            *(_as_read(policy) for policy in (*snapshot.kind(EgressPolicy), *taken)),
            *groups,
            *map(_over_tcp, services),
            *map(_over_tcp, imports),
        ),
        {policy.ref: found.ranges for policy, found in taken.items()},
        written,
        {
            **dict(found for service in services for found in _unknown_protocols(service)),
            **dict(found for service in imports for found in _unknown_protocols(service)),
        },
        {
            group.at(f"spec.matches[{index}]"): tuple(sorted(match.headers.items(), key=itemgetter(0)))
            for group in (*snapshot.kind(HTTPRouteGroup), *groups)
            for index, match in enumerate(group.spec.matches)
            if any(name != name.lower() for name in match.headers)
        },
        next(everyones, None),
        version,
    )


def _known(snapshot: Snapshot, version: FSMVersion) -> Snapshot:
    """A mesh without what the version does not know yet."""
    if not version.isolates:
        snapshot = snapshot.without(*(isolation.ref for isolation in snapshot.kind(Isolation)))
    config = snapshot.mesh_config
    flags = config.spec.feature_flags
    if flags.enable_traffic_warmup_policy and not version.warms:
        flags = evolve(flags, enable_traffic_warmup_policy=False)
        config = evolve(config, spec=evolve(config.spec, feature_flags=flags))
        snapshot = snapshot.with_(config)
    if version.shortens_elsewhere:
        return snapshot
    traffic, sidecar = config.spec.traffic, config.spec.sidecar
    names = evolve(traffic.service_access_names, must_with_namespace=True)
    if version.names_services:
        traffic = evolve(traffic, service_access_names=names)
        return snapshot.with_(evolve(config, spec=evolve(config.spec, traffic=traffic)))
    proxy = evolve(sidecar.local_dns_proxy, wildcard=WildcardDN())
    spec = evolve(
        config.spec,
        traffic=evolve(traffic, service_access_names=ServiceAccessNames()),
        sidecar=evolve(sidecar, local_dns_proxy=proxy),
    )
    checked = [it for it in snapshot.kind(Service) if HEALTH_CHECK in it.metadata.annotations]
    return snapshot.with_(evolve(config, spec=spec), *map(_unchecked, checked))


def _unchecked(service: Service) -> Service:
    """A service without the annotation that it is for health checks."""
    annotations = {name: text for name, text in service.metadata.annotations.items() if name != HEALTH_CHECK}
    return evolve(service, metadata=evolve(service.metadata, annotations=FrozenMap(annotations)))


def stock_claims(view: StockView, identity: Subject) -> Mapping[int, tuple[Claim, ...]]:
    """The claims of an identity's policies by port, as they are written.

    Where a secret is missing, they have an empty certificate. A number may be no port.
    """
    by_port: dict[int, list[Claim]] = {}
    for claims in resolve_claims(view.snapshot, identity).by_port.values():
        for claim in claims:
            taken = _as_written(view, claim)
            by_port.setdefault(taken.port, []).append(taken)
    return {port: tuple(by_port[port]) for port in sorted(by_port)}


def _as_written(view: StockView, claim: Claim) -> Claim:
    if claim.broken:
        claim = evolve(claim, source_cert=NO_CERTIFICATE, broken=False)
    written = view.written.get(claim.rule.resource)
    if written is None:
        return claim
    hosts = {text for host in claim.hosts for text in written.hosts.get(host, (host,))}
    return evolve(claim, port=written.numbers.get(claim.port, claim.port), hosts=tuple(sorted(hosts)))


# --- policies that are read -------------------------------------------------------------------------------


def _capitals(snapshot: Snapshot) -> Mapping[ResourceRef, Spelled]:
    """The hosts of policies that are written with capitals, as the load that made the mesh tells."""
    found: dict[ResourceRef, list[str]] = {}
    for problem in snapshot.problems:
        if problem.written is not None and problem.resource is not None:
            found.setdefault(problem.resource, []).append(problem.written)
    policies = {policy.ref: policy for policy in snapshot.kind(EgressPolicy)} if found else {}
    return {
        ref: _spelled((*texts, *_elsewhere(policies[ref], texts)))
        for ref, texts in found.items()
        if ref in policies
    }


def _elsewhere(policy: EgressPolicy, texts: Iterable[str]) -> Iterable[str]:
    """The hosts of a policy that are written in lower case too."""
    return (Counter(policy.spec.hosts) - Counter(text.lower() for text in texts)).elements()


def _spelled(texts: Iterable[str]) -> Spelled:
    spelled: dict[str, tuple[str, ...]] = {}
    for text in texts:
        spelled[text.lower()] = (*spelled.get(text.lower(), ()), text)
    return spelled


def _as_read(policy: EgressPolicy) -> EgressPolicy:
    """A policy with the certificates and the setting that the controller finds for it."""
    matches = tuple(match for match in policy.spec.matches if match.api_group != LEGACY_SETTING)
    sources = policy.spec.sources
    if any(source.mtls for source in sources):
        first: dict[tuple[str, str], SourceMTLS | None] = {}
        for source in sources:
            first.setdefault((source.name, source.namespace), source.mtls)
        sources = tuple(_certified(source, first[source.name, source.namespace]) for source in sources)
    elif len(matches) == len(policy.spec.matches):
        return policy
    return evolve(policy, spec=evolve(policy.spec, matches=matches, sources=sources))


def _certified(source: EgressSource, mtls: SourceMTLS | None) -> EgressSource:
    """A source with the certificate of the first of its name, of whatever kind.

    A secret without namespace is looked for where none is.
    """
    secret = mtls.cert.secret if mtls and mtls.cert else None
    if mtls and secret and not secret.namespace:
        mtls = evolve(mtls, cert=None)
    return evolve(source, mtls=mtls)


# --- policies that are refused here ----------------------------------------------------------------------


def _as_taken(refused: Refused) -> tuple[EgressPolicy, Written] | None:
    """A policy without the ranges and ports that are not understood, and what is written there.

    None where anything else is wrong with it, or it is no Egress policy.
    """
    document = thaw(refused.document)
    spec = document.get("spec")
    if not isinstance(spec, dict) or refused.ref.kind != EgressPolicy.kind:
        return None
    ranges, hosts = _without_odd_ranges(spec), _with_other_hosts(spec)
    numbers, dropped = _with_other_ports(spec)
    try:
        policy = cast("EgressPolicy", structure(document, refused.source))
    except LoadError:
        return None
    kept = tuple(port for index, port in enumerate(policy.spec.ports) if index not in dropped)
    policy = evolve(policy, spec=evolve(policy.spec, ports=kept))
    return policy, Written(ranges, hosts, numbers)


def _without_odd_ranges(spec: dict[str, Any]) -> tuple[str, ...]:
    """Takes out of `ipAddresses` the texts that are no ranges."""
    listed = spec.get("ipAddresses")
    if not isinstance(listed, list):
        return ()
    odd = tuple(text for text in listed if isinstance(text, str) and not is_range(text))
    spec["ipAddresses"] = [text for text in listed if text not in odd]
    return odd


def _with_other_hosts(spec: dict[str, Any]) -> Spelled:
    """Puts others in the place of hosts that have no form of one."""
    listed = spec.get("hosts")
    if not isinstance(listed, list):
        return {}
    spelled: dict[str, tuple[str, ...]] = {}
    for index, text in enumerate(listed):
        if isinstance(text, str) and text.strip(".:"):
            listed[index] = _host_for(text, index)
            spelled[listed[index]] = (*spelled.get(listed[index], ()), text)
    return spelled


def _host_for(text: str, index: int) -> str:
    try:
        return checks.host(text)
    except InvalidValue:
        return f"h{index}.invalid"


def _with_other_ports(spec: dict[str, Any]) -> tuple[Mapping[int, int], frozenset[int]]:
    """Puts others in the place of numbers that are no ports; tells them, and where a protocol is none."""
    listed = spec.get("ports")
    ports = [port if isinstance(port, dict) else {} for port in listed] if isinstance(listed, list) else []
    taken = {port["number"] for port in ports if type(port.get("number")) is int}
    free = (number for number in range(LAST_PORT, 0, -1) if number not in taken)
    numbers: dict[int, int] = {}
    dropped: set[int] = set()
    for index, port in enumerate(ports):
        number, protocol = port.get("number"), port.get("protocol")
        if type(number) is int and not 1 <= number <= LAST_PORT:
            port["number"] = next(free)
            numbers[port["number"]] = number
        if isinstance(protocol, str) and protocol.lower() not in EGRESS_PROTOCOLS_BY_NAME:
            port["protocol"] = Protocol.HTTP.value  # to see whether anything else is wrong with it
            dropped.add(index)
    return numbers, frozenset(dropped)


def is_range(text: str) -> bool:
    """Whether a text is an address range."""
    try:
        parse_prefix(text)
    except InvalidValue:
        return False
    return True


# --- route groups that are refused here ------------------------------------------------------------------


@frozen(repr=False)
class Unread(Pattern):
    """A pattern that this library refuses, as it is written: the controller passes on any."""

    def __attrs_post_init__(self) -> None:
        """Nothing is wrong with it here."""


def group_as_taken(refused: Refused) -> HTTPRouteGroup | None:
    """A route group with the patterns that are refused, as they are written.

    None where anything else is wrong with it, or it is no HTTPRouteGroup.
    """
    document = thaw(refused.document)
    spec = document.get("spec")
    if not isinstance(spec, dict) or refused.ref.kind != HTTPRouteGroup.kind:
        return None
    listed = spec.get("matches")
    matches = [match for match in listed if isinstance(match, dict)] if isinstance(listed, list) else []
    paths = [_unread_in(match, "pathRegex") for match in matches]
    headers = [list(map(_unread_header, _maps(match.get("headers")))) for match in matches]
    try:
        group = cast("HTTPRouteGroup", structure(document, refused.source))
    except LoadError:
        return None
    read = (
        evolve(
            match,
            path_regex=path or match.path_regex,
            headers=FrozenMap({**match.headers, **dict(filter(None, unread))}),
        )
        for match, path, unread in zip(group.spec.matches, paths, headers, strict=True)
    )
    return evolve(group, spec=evolve(group.spec, matches=tuple(read)))


def _maps(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _unread_header(entry: dict[str, Any]) -> tuple[str, Unread] | None:
    """The header of an entry whose pattern is refused, which is taken out of it."""
    for name in entry:
        pattern = _unread_in(entry, name)
        if pattern is not None:
            return name, pattern
    return None


def _unread_in(holder: dict[str, Any], name: str) -> Unread | None:
    """A text that is no pattern here, which is taken out."""
    text = holder.get(name)
    if not isinstance(text, str):
        return None
    try:
        Pattern(text)
    except PatternError:
        holder[name] = WILDCARD_PATH.text
        return Unread(text)
    return None


# --- services --------------------------------------------------------------------------------------------


def _is_unknown(port: ServicePort | ImportedPort) -> bool:
    return port.app_protocol is not None and port.app_protocol.lower() not in KNOWN_PROTOCOLS


def _unknown_protocols(service: Service | ServiceImport) -> Iterator[tuple[FieldRef, str]]:
    """The ports of a service whose protocol the sidecar does not know, each with that."""
    ports: Sequence[ServicePort | ImportedPort] = service.spec.ports
    for index, port in enumerate(ports):
        if _is_unknown(port):
            yield service.at(f"spec.ports[{index}]"), (port.app_protocol or "").lower()


def _is_odd(port: ServicePort | ImportedPort) -> bool:
    return port.protocol != "TCP" or _is_unknown(port)


def _over_tcp(service: S) -> S:
    """Every port a TCP port, and what is spoken there at least a stream."""
    ports = (
        evolve(port, protocol="TCP", app_protocol="tcp" if _is_unknown(port) else port.app_protocol)
        for port in service.spec.ports
    )
    return evolve(service, spec=evolve(service.spec, ports=tuple(ports)))
