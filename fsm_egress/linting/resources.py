"""What is amiss with resources whoever they concern: names that lead nowhere, repetitions, empty routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..connections.findings import Code, Finding
from ..resolution.routes import routes_of
from ..resources.core import Pod, ServiceAccount
from ..resources.egress import ROUTE_GROUP, EgressPolicy, UpstreamTrafficSetting
from ..resources.meshconfig import MeshConfig
from ..resources.smi import HTTPRouteGroup, TrafficTarget
from ..resources.words import STREAMS, Protocol
from ..snapshot.kind import SERVICE_ACCOUNT
from ..values.net import BY_PLACE
from .routes import covered, never, unusual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resources.resource import Resource
    from ..snapshot import Snapshot

__all__ = ["missing_elsewhere", "resource_findings"]

POWER = 3  # of the length of a text, that the time of a search may grow with
DEFAULT_ACCOUNT = "default"  # every namespace has it


def resource_findings(snapshot: Snapshot) -> Iterator[Finding]:
    """The findings that no identity needs to be known for."""
    yield from _read_otherwise(snapshot)
    yield from _spare_configs(snapshot)
    yield from _duplicates(snapshot)
    accounts = _accounts(snapshot)
    for policy in snapshot.kind(EgressPolicy):
        yield from _repeated(policy)
        yield from _within_another(policy)
        yield from _routes_without_http(policy)
        yield from _hosts_without_names(policy)
        yield from _other_kinds(policy)
        yield from _unknown_accounts(policy, accounts)
        yield from _across_namespaces(policy)
    used = _names_of_used_groups(snapshot)
    for group in snapshot.kind(HTTPRouteGroup):
        yield from _empty_routes(group)
        yield from _costly_patterns(group)
        if (group.namespace, group.name) in used:
            yield from _shadowed_routes(group)


# --- what was read otherwise than it is written ----------------------------------------------------------


def _read_otherwise(snapshot: Snapshot) -> Iterator[Finding]:
    """What the load that made the mesh warned of, for resources that are in it."""
    told = [(_WARNED[it.code], it) for it in snapshot.problems if it.code in _WARNED]
    resources = {resource.ref: resource for resource in snapshot} if told else {}
    for code, problem in told:
        resource = resources.get(problem.resource) if problem.resource else None
        if resource is not None:
            yield Finding(code, resource.at(problem.path), problem.message)


_WARNED = {code.code: code for code in (Code.HOST_IN_CAPITALS, Code.HOST_BITS_SET)}


def _spare_configs(snapshot: Snapshot) -> Iterator[Finding]:
    """MeshConfigs beside the one that counts."""
    for config in snapshot.kind(MeshConfig):
        if config.ref != snapshot.mesh_config.ref:
            message = f"it counts for nothing: {snapshot.mesh_config.ref} is taken"
            yield Finding(Code.SPARE_MESH_CONFIG, config.at(), message)


# --- repetitions -----------------------------------------------------------------------------------------


def _duplicates(snapshot: Snapshot) -> Iterator[Finding]:
    first: dict[Any, EgressPolicy] = {}
    for policy in snapshot.kind(EgressPolicy):
        other = first.setdefault(_content(policy), policy)
        if other is not policy:
            message = f"it says what {other.at()} says"
            yield Finding(Code.DUPLICATE_POLICY, policy.at(), message)


def _content(policy: EgressPolicy) -> tuple[object, ...]:
    """What a policy says, whatever the order; its references are to its own namespace."""
    spec = policy.spec
    sources = {(it.kind, it.name, it.namespace): it for it in reversed(spec.sources)}
    secrets = any(it.mtls is not None for it in spec.sources)
    return (
        frozenset(sources.values()),
        frozenset(spec.hosts),
        frozenset(spec.ip_addresses),
        frozenset((port.number, port.protocol) for port in spec.ports),
        frozenset((match.kind, match.name) for match in spec.matches),
        policy.namespace if spec.matches or secrets else None,
        spec.extra,
    )


def _repeated(policy: EgressPolicy) -> Iterator[Finding]:
    spec = policy.spec
    lists: dict[str, list[Any]] = {
        "sources": [(source.kind, source.name, source.namespace) for source in spec.sources],
        "hosts": list(spec.hosts),
        "ipAddresses": list(spec.ip_addresses),
        "ports": [(port.number, port.protocol) for port in spec.ports],
        "matches": [(match.kind, match.name) for match in spec.matches],
    }
    for name, entries in lists.items():
        first: dict[Any, int] = {}
        for index, entry in enumerate(entries):
            before = first.setdefault(entry, index)
            if before != index:
                message = f"it repeats `{name}[{before}]`, and counts once"
                yield Finding(Code.NAMED_TWICE, policy.at(f"spec.{name}[{index}]"), message)


def _within_another(policy: EgressPolicy) -> Iterator[Finding]:
    """Ranges inside a wider one of the same list."""
    places = {prefix: index for index, prefix in reversed([*enumerate(policy.spec.ip_addresses)])}
    around: list[Any] = []
    for prefix in sorted(places, key=BY_PLACE):
        while around and not around[-1].covers(prefix):
            around.pop()
        if around:
            rule = policy.at(f"spec.ipAddresses[{places[prefix]}]")
            message = f"`{prefix}` lies inside `{around[0]}`, and adds nothing"
            yield Finding(Code.RANGE_WITHIN_ANOTHER, rule, message)
        around.append(prefix)


# --- routes and hosts where nothing compares them ---------------------------------------------------------


def _routes_without_http(policy: EgressPolicy) -> Iterator[Finding]:
    """Route groups of a policy none of whose ports is of the protocol that routes are for."""
    spoken = sorted({port.protocol for port in policy.spec.ports})
    if not spoken or Protocol.HTTP in spoken:
        return
    for index, match in enumerate(policy.spec.matches):
        if match.kind == ROUTE_GROUP:
            listed = " and ".join(f"`{protocol}`" for protocol in spoken)
            message = f"the routes of `{match.name}` have no effect on {listed}"
            yield Finding(Code.ROUTES_WITHOUT_HTTP, policy.at(f"spec.matches[{index}]"), message)


def _hosts_without_names(policy: EgressPolicy) -> Iterator[Finding]:
    """Hosts of a policy none of whose ports is of a protocol that has names."""
    spoken = sorted({port.protocol for port in policy.spec.ports})
    if policy.spec.hosts and spoken and all(protocol in STREAMS for protocol in spoken):
        listed = " and ".join(f"`{protocol}`" for protocol in spoken)
        message = f"`hosts` have no effect on {listed}: whatever is sent to its ports"
        where = "in its ranges goes out" if policy.spec.ip_addresses else "of any address goes out"
        yield Finding(Code.HOSTS_WITHOUT_NAMES, policy.at("spec.hosts"), f"{message} {where}")


# --- accounts and namespaces -----------------------------------------------------------------------------


def _accounts(snapshot: Snapshot) -> set[tuple[str, str]] | None:
    """The accounts that are there, by name and namespace; None where the mesh tells of none at all."""
    found = {(account.name, account.namespace) for account in snapshot.kind(ServiceAccount)}
    found |= {(pod.spec.service_account_name, pod.namespace) for pod in snapshot.kind(Pod)}
    return found or None


def _other_kinds(policy: EgressPolicy) -> Iterator[Finding]:
    for index, source in enumerate(policy.spec.sources):
        if source.kind != SERVICE_ACCOUNT:
            message = f"kind `{source.kind}` names nobody: only `{SERVICE_ACCOUNT}` does"
            yield Finding(Code.SOURCE_KIND, policy.at(f"spec.sources[{index}].kind"), message)


def _unknown_accounts(policy: EgressPolicy, accounts: set[tuple[str, str]] | None) -> Iterator[Finding]:
    for index, source in enumerate(policy.spec.sources):
        is_account = source.kind == SERVICE_ACCOUNT and source.name != DEFAULT_ACCOUNT
        if is_account and accounts is not None and (source.name, source.namespace) not in accounts:
            message = f"no ServiceAccount and no Pod is `{source.name}` in namespace `{source.namespace}`"
            yield Finding(Code.UNKNOWN_ACCOUNT, policy.at(f"spec.sources[{index}]"), message)


def _across_namespaces(policy: EgressPolicy) -> Iterator[Finding]:
    home = policy.namespace
    for index, source in enumerate(policy.spec.sources):
        if source.namespace != home:
            message = f"a policy in namespace `{home}` opens egress for one in `{source.namespace}`"
            yield Finding(Code.ACROSS_NAMESPACES, policy.at(f"spec.sources[{index}].namespace"), message)
        secret = source.mtls.cert.secret if source.mtls and source.mtls.cert else None
        if secret is not None and secret.namespace not in {"", home}:
            path = f"spec.sources[{index}].mtls.cert.secret.namespace"
            message = f"a policy in namespace `{home}` shows a certificate of `{secret.namespace}`"
            yield Finding(Code.ACROSS_NAMESPACES, policy.at(path), message)


def missing_elsewhere(snapshot: Snapshot, finding: Finding) -> str:
    """Where a reference that leads nowhere would lead if it could cross namespaces, as advice."""
    kinds: dict[Code, type[Resource]] = {
        Code.MISSING_HTTP_ROUTE_GROUP: HTTPRouteGroup,
        Code.MISSING_UPSTREAM_TRAFFIC_SETTING: UpstreamTrafficSetting,
    }
    kind = kinds.get(finding.code)
    home = finding.rule.resource
    policy = snapshot.kind(EgressPolicy).get(home.namespace, home.name) if home.kind == "Egress" else None
    if kind is None or policy is None:
        return ""
    wanted = {match.name for match in policy.spec.matches if match.kind == kind.kind}
    there = [it for it in snapshot.kind(kind) if it.name in wanted and it.namespace != home.namespace]
    found = [it for it in there if snapshot.kind(kind).get(home.namespace, it.name) is None]
    if not found:
        return ""
    return f"create it in `{home.namespace}`: references do not reach {found[0].at()}"


# --- routes ----------------------------------------------------------------------------------------------


def _names_of_used_groups(snapshot: Snapshot) -> set[tuple[str, str]]:
    """The route groups that policies refer to, but those of which a TrafficTarget names single matches."""
    used = {
        (policy.namespace, match.name)
        for policy in snapshot.kind(EgressPolicy)
        for match in policy.spec.matches
        if match.kind == ROUTE_GROUP
    }
    return used - {
        (target.namespace, rule.name)
        for target in snapshot.kind(TrafficTarget)
        for rule in target.spec.rules
        if rule.matches
    }


def _empty_routes(group: HTTPRouteGroup) -> Iterator[Finding]:
    for route in routes_of(group, group.at()):
        for code, look in ((Code.ROUTE_NEVER_MATCHES, never), (Code.PATH_NOT_SENT, unusual)):
            why = look(route)
            if why and route.route is not None:
                yield Finding(code, route.route, why)


def _costly_patterns(group: HTTPRouteGroup) -> Iterator[Finding]:
    """Patterns whose search, by backtracking as the sidecar does it, is out of all bounds for some text."""
    for index, match in enumerate(group.spec.matches):
        place = f"spec.matches[{index}]"
        listed = [(f"{place}.pathRegex", match.path_regex)] if match.path_regex else []
        listed += [(f"{place}.headers", pattern) for pattern in match.headers.values()]
        for path, pattern in listed:
            if pattern.cost.degree > POWER:
                message = f"a search for `{pattern.text}` may take {pattern.cost}"
                yield Finding(Code.CATASTROPHIC_PATTERN, group.at(path), message)


def _shadowed_routes(group: HTTPRouteGroup) -> Iterator[Finding]:
    """Matches without which the group allows the same; of equal ones the first stays."""
    routes = routes_of(group, group.at())
    gone: set[int] = set()
    for index in reversed(range(len(routes))):
        others = [at for at in range(len(routes)) if at != index and at not in gone]
        wide = covered(routes[index], [routes[at] for at in others])
        if wide and not never(routes[index]):
            gone.add(index)
            named = [f"`spec.matches[{at}]`" for at in others if any(routes[at] is it for it in wide)]
            do = "does" if len(named) == 1 else "do"
            message = f"it allows an Egress policy nothing that {' and '.join(named)} {do} not"
            yield Finding(Code.SHADOWED_ROUTE, group.at(f"spec.matches[{index}]"), message)
