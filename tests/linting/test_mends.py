"""What lint says to do: it cures what was found, and brings nothing that is as bad."""

from __future__ import annotations

import re
from collections import Counter
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any

import random_meshes
from attrs import evolve
from hypothesis import given, settings
from small import config, egress, load
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.findings import Code, Finding
from fsm_egress.interception.hosts import hosts_of
from fsm_egress.linting import lint
from fsm_egress.linting.rules import RULES
from fsm_egress.resources.core import Endpoints, Secret, Service
from fsm_egress.resources.egress import ROUTE_GROUP, EgressGateway, EgressPolicy, Retry
from fsm_egress.resources.meshconfig import MeshConfig
from fsm_egress.resources.smi import (
    HTTPMatch,
    HTTPRouteGroup,
    HTTPRouteGroupSpec,
    TrafficSplit,
    TrafficTarget,
    TrafficTargetRule,
)
from fsm_egress.values.errors import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = "-own"


def policy_of(mesh: fe.Snapshot, it: Finding) -> EgressPolicy:
    return mesh.kind(EgressPolicy)[it.rule.resource.namespace, it.rule.resource.name]


def number_of(it: Finding) -> int:
    (index,) = re.findall(r"\[(\d+)\]$", it.rule.path)
    return int(index)


def changed(mesh: fe.Snapshot, policy: EgressPolicy, **spec: Any) -> fe.Snapshot:
    return mesh.with_(with_routes_in_effect(evolve(policy, spec=evolve(policy.spec, **spec))))


def with_routes_in_effect(policy: EgressPolicy) -> EgressPolicy:
    """The policy without its routes if none of its ports is http: they go with the last one that is."""
    if fe.Protocol.HTTP in {port.protocol for port in policy.spec.ports}:
        return policy
    kept = tuple(match for match in policy.spec.matches if match.kind != ROUTE_GROUP)
    return evolve(policy, spec=evolve(policy.spec, matches=kept))


def ranges_in(mesh: fe.Snapshot) -> tuple[fe.Prefix, ...]:
    """Ranges for a policy of the mesh: they come to the sidecar, whatever the lists let in."""
    lists = [fe.to_mapping(mesh.mesh_config)["spec"]["traffic"].get("outboundIPRangeInclusionList", [])]
    lists += [
        text.split(",")
        for host in hosts_of(mesh)
        for key, text in host.annotations.items()
        if key.endswith("outbound-ip-range-inclusion-list")
    ]
    return tuple({prefix: None for texts in [["203.0.113.0/24"], *lists] for prefix in map(fe.Prefix, texts)})


def without_port(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    policy = policy_of(mesh, it)
    gone = policy.spec.ports[number_of(it)]
    return changed(mesh, policy, ports=tuple(port for port in policy.spec.ports if port != gone))


def with_port(mesh: fe.Snapshot, it: Finding, **port: Any) -> fe.Snapshot:
    """The mesh in which the port alone is in a policy, as it should be."""
    policy = policy_of(mesh, it)
    index = number_of(it)
    spec = {key: port.pop(key) for key in ("hosts", "ip_addresses") if key in port}
    own = evolve(policy.spec.ports[index], **port)
    moved = evolve(
        policy,
        metadata=evolve(policy.metadata, name=f"{policy.name}{OWN}"),
        spec=evolve(policy.spec, ports=(own,), **spec),
    )
    return without_port(mesh, it).with_(with_routes_in_effect(moved))


def without_hosts(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    policy = policy_of(mesh, it)
    return mesh.with_(evolve(policy, spec=evolve(policy.spec, hosts=())))


def without_match(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    group = mesh.kind(HTTPRouteGroup)[it.rule.resource.namespace, it.rule.resource.name]
    matches = left_out(group.spec.matches, number_of(it))
    return mesh.with_(evolve(group, spec=evolve(group.spec, matches=matches)))


def without_entry(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    names = {"ipAddresses": "ip_addresses"}
    policy = policy_of(mesh, it)
    field = it.rule.path.removeprefix("spec.").partition("[")[0]
    field = names.get(field, field)
    return changed(mesh, policy, **{field: left_out(getattr(policy.spec, field), number_of(it))})


def left_out(entries: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    return (*entries[:index], *entries[index + 1 :])


def without_policies(mesh: fe.Snapshot, _: Finding) -> fe.Snapshot:
    return mesh.without(*(policy.ref for policy in mesh.kind(EgressPolicy)))


def switched(**spec: dict[str, object]) -> Callable[[fe.Snapshot, Finding], fe.Snapshot]:
    return lambda mesh, _: mesh.patched({"spec": spec})


def without_service(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    """The mesh without a service and what refers to it, and nothing else."""
    space, name = it.rule.resource.namespace, it.rule.resource.name
    there = (kind.get(space, name) for kind in (mesh.kind(Service), mesh.kind(Endpoints)))
    gone = [resource.ref for resource in there if resource is not None]
    for split in mesh.kind(TrafficSplit):
        backends = tuple(backend for backend in split.spec.backends if backend.service != name)
        if split.namespace == space and split.spec.service == name:
            gone.append(split.ref)
        elif split.namespace == space and backends != split.spec.backends:
            mesh = mesh.with_(evolve(split, spec=evolve(split.spec, backends=backends)))
    for gateway in mesh.kind(EgressGateway):
        entries = gateway.spec.global_ or ()
        kept = tuple(entry for entry in entries if (entry.namespace, entry.service) != (space, name))
        if entries and not kept:
            gone.append(gateway.ref)
        elif kept != entries:
            mesh = mesh.with_(evolve(gateway, spec=evolve(gateway.spec, global_=kept)))
    return mesh.without(*gone)


def without_resource(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    return mesh.without(it.rule.resource)


def without_gateway(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    """The mesh without an entry of a gateway, or without the gateway whose last one it is."""
    gateway = mesh.kind(EgressGateway)[it.rule.resource.namespace, it.rule.resource.name]
    entries = gateway.spec.global_ or ()
    if not entries[1:]:
        return without_resource(mesh, it)
    kept = left_out(entries, number_of(it))
    return mesh.with_(evolve(gateway, spec=evolve(gateway.spec, global_=kept)))


def without_backend(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    split = mesh.kind(TrafficSplit)[it.rule.resource.namespace, it.rule.resource.name]
    kept = left_out(split.spec.backends, number_of(it))
    return mesh.with_(evolve(split, spec=evolve(split.spec, backends=kept)))


def with_group(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    """The mesh in which the groups are there that a policy or a split refers to."""
    space, name = it.rule.resource.namespace, it.rule.resource.name
    user: EgressPolicy | TrafficSplit = (
        mesh.kind(EgressPolicy)[space, name]
        if it.rule.resource.kind == EgressPolicy.kind
        else mesh.kind(TrafficSplit)[space, name]
    )
    wanted = {match.name for match in user.spec.matches if match.kind == ROUTE_GROUP}
    missing = sorted(name for name in wanted if mesh.kind(HTTPRouteGroup).get(space, name) is None)
    match = HTTPMatch("mended", methods=("GET",), path_regex=fe.Pattern("^/mended$"))
    spec = HTTPRouteGroupSpec((match,))
    return mesh.with_(*(HTTPRouteGroup(fe.ObjectMeta(name, space), spec) for name in missing))


def with_secret(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    """The mesh in which the secret is there that a source names, or the source has no certificate."""
    policy = policy_of(mesh, it)
    (index,) = map(int, re.findall(r"sources\[(\d+)\]", it.rule.path))
    source = policy.spec.sources[index]
    secret = source.mtls.cert.secret if source.mtls and source.mtls.cert else None
    if secret is not None:
        meta = fe.ObjectMeta(secret.name, secret.namespace or policy.namespace)
        return mesh.with_(Secret(meta, data=dict.fromkeys(("ca.crt", "tls.crt", "tls.key"), b"pem")))
    sources = (*policy.spec.sources[:index], evolve(source, mtls=None), *policy.spec.sources[index + 1 :])
    return changed(mesh, policy, sources=sources)


def without_certificates(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    policy = policy_of(mesh, it)
    return changed(mesh, policy, sources=tuple(evolve(source, mtls=None) for source in policy.spec.sources))


def without_exclusion(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    """The mesh without the entry of a list, of the mesh or of a pod's annotation, that lets traffic pass."""
    place = it.rule.resource
    if "initContainers" in it.rule.path:
        return mesh.without(place)  # what a pod was started with goes with the pod
    if place.kind != MeshConfig.kind:
        document = next(fe.to_mapping(resource) for resource in mesh if resource.ref == place)
        path, _, name = it.rule.path.partition("annotations.")
        del reduce(getitem, path.split(".")[:-1], document)["annotations"][name]
        return fe.load([*map(fe.to_mapping, mesh.without(place)), document])
    key = it.rule.path.rpartition(".")[2].partition("[")[0]
    listed = fe.to_mapping(mesh.mesh_config)["spec"]["traffic"][key]
    rest = [] if "Inclusion" in key else [*left_out(tuple(listed), number_of(it))]
    return mesh.patched({"spec": {"traffic": {key: rest}}})


def with_rules(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    """The mesh in which a TrafficTarget has rules, is about accounts, and stands where its destination is."""
    place = it.rule.resource
    target = mesh.kind(TrafficTarget)[place.namespace, place.name]
    destination = evolve(target.spec.destination, kind="ServiceAccount")
    sources = tuple(evolve(source, kind="ServiceAccount") for source in target.spec.sources)
    spec = evolve(
        target.spec, destination=destination, sources=sources, rules=(TrafficTargetRule("TCPRoute", "any"),)
    )
    meta = evolve(target.metadata, namespace=destination.namespace, name=f"{target.name}{OWN}")
    return mesh.without(place).with_(evolve(target, metadata=meta, spec=spec))


def with_times(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    retry = mesh.kind(Retry)[it.rule.resource.namespace, it.rule.resource.name]
    policy = evolve(retry.spec.retry_policy, per_try_timeout="1s", retry_backoff_base_interval="1s")
    return mesh.with_(evolve(retry, spec=evolve(retry.spec, retry_policy=policy)))


def with_app_protocol(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    service = mesh.kind(Service)[it.rule.resource.namespace, it.rule.resource.name]
    index = number_of(it)
    ports = service.spec.ports
    mended = (*ports[:index], evolve(ports[index], app_protocol="tcp"), *ports[index + 1 :])
    return mesh.with_(evolve(service, spec=evolve(service.spec, ports=mended)))


def without_matches_of(kind: str) -> Callable[[fe.Snapshot, Finding], fe.Snapshot]:
    """The mesh in which a policy refers to nothing of a kind."""

    def mend(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
        policy = policy_of(mesh, it)
        return changed(mesh, policy, matches=tuple(it for it in policy.spec.matches if it.kind != kind))

    return mend


def with_plain_host(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    policy = policy_of(mesh, it)
    index, hosts = number_of(it), policy.spec.hosts
    return changed(mesh, policy, hosts=(*hosts[:index], f"mended{index}.example", *hosts[index + 1 :]))


def as_it_is_read(mesh: fe.Snapshot, _: Finding) -> fe.Snapshot:
    return fe.load([fe.to_mapping(resource) for resource in mesh])


def anchored(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    group = mesh.kind(HTTPRouteGroup)[it.rule.resource.namespace, it.rule.resource.name]
    index = number_of(it)
    match = group.spec.matches[index]
    assert match.path_regex is not None
    mended = evolve(match, path_regex=fe.Pattern(f"^{match.path_regex.text}"))
    matches = (*group.spec.matches[:index], mended, *group.spec.matches[index + 1 :])
    return mesh.with_(evolve(group, spec=evolve(group.spec, matches=matches)))


# What the fix of a code says, done; what it says besides the module.
MENDS: dict[Code, tuple[Callable[[fe.Snapshot, Finding], fe.Snapshot], ...]] = {
    Code.EGRESS_POLICY_FLAG_ABSENT: (switched(featureFlags={"enableEgressPolicy": True}),),
    Code.EGRESS_POLICIES_SWITCHED_OFF: (without_policies,),
    Code.SERVER_NAME_NOT_COMPARED: (
        lambda mesh, it: with_port(
            mesh, it, protocol=fe.Protocol.TCP, hosts=(), ip_addresses=ranges_in(mesh)
        ),
    ),
    Code.PROTOCOL_NOT_COMPARED: (lambda mesh, it: with_port(mesh, it, protocol=fe.Protocol.TCP),),
    Code.NAMED_TWICE: (without_entry,),
    Code.RANGE_WITHIN_ANOTHER: (without_entry,),
    Code.SHADOWED_POLICY: (without_port,),
    Code.NEVER_MATCHES: (without_port,),
    Code.SHADOWED_ROUTE: (without_match,),
    Code.ROUTE_NEVER_MATCHES: (without_match,),
    Code.PATH_NOT_SENT: (without_match,),
    Code.DUPLICATE_POLICY: (lambda mesh, it: mesh.without(it.rule.resource),),
    Code.EVERY_ADDRESS: (
        lambda mesh, it: with_port(mesh, it, protocol=fe.Protocol.TCP, ip_addresses=ranges_in(mesh)),
    ),
    Code.PASSTHROUGH_BESIDE_POLICIES: (switched(traffic={"enableEgress": False}),),
    Code.UNANCHORED_PATH: (anchored,),
    Code.SERVICE_LEADS_OUTSIDE: (without_service,),
    Code.ROUTES_WITHOUT_HTTP: (without_entry,),
    Code.HOSTS_WITHOUT_NAMES: (without_hosts,),
    Code.UNKNOWN_ACCOUNT: (without_entry,),
    Code.MISSING_HTTP_ROUTE_GROUP: (with_group,),
    Code.MISSING_SECRET: (with_secret,),
    Code.UNUSABLE_GATEWAY: (without_gateway,),
    Code.MISSING_BACKEND: (without_backend,),
    Code.TAKEN_FROM_PASSTHROUGH: (switched(traffic={"enableEgress": False}),),
    Code.EXCLUSION_BYPASSES_POLICY: (without_exclusion,),
    Code.PASSES_BY_SIDECAR: (without_exclusion,),
    Code.CERTIFICATE_LOST: (lambda mesh, it: with_port(mesh, it, ip_addresses=ranges_in(mesh)),),
    Code.TLS_IN_TLS: (without_certificates,),
    Code.UNKNOWN_APP_PROTOCOL: (with_app_protocol,),
    Code.IGNORED_TRAFFIC_TARGET: (with_rules,),
    Code.RETRY_WITHOUT_TIMES: (with_times,),
    Code.HEADLESS_WITHOUT_ADDRESSES: (without_service,),
    Code.MISSING_UPSTREAM_TRAFFIC_SETTING: (without_matches_of("UpstreamTrafficSetting"),),
    Code.SETTING_WITHOUT_EFFECT: (without_matches_of("UpstreamTrafficSetting"),),
    Code.HTTP_WITHOUT_HOSTS: (lambda mesh, it: with_port(mesh, it, hosts=("mended.example",)),),
    Code.WILDCARD_HOST: (with_plain_host,),
    Code.HOST_IN_CAPITALS: (as_it_is_read,),
    Code.HOST_BITS_SET: (as_it_is_read,),
}
BY_MODULE = {code for code, rule in RULES.items() if "the module" in rule.fix}


# What the mistake hid: what is left of a policy whose port has moved may be what another says, and what
# passed by a port that nobody needed passes by its neighbours. What a list let pass comes to a service, and
# what went out anyhow passes by a list once the mesh is closed. A policy that counted for nothing counts.
UNCOVERED = {
    Code.DUPLICATE_POLICY,
    Code.SHADOWED_POLICY,
    Code.EXCLUSION_BYPASSES_POLICY,
    Code.PASSES_BY_SIDECAR,
    Code.SERVICE_LEADS_OUTSIDE,
    Code.MISSING_SECRET,
    Code.MISSING_HTTP_ROUTE_GROUP,
}
# What allowed nothing, or decided about nothing, is looked at once it does: only errors are news then.
INTO_FORCE = {
    Code.EVERY_ADDRESS,  # what was open to all addresses covered the others of its port
    Code.UNKNOWN_ACCOUNT,  # the source may be repeated, with a certificate
    Code.EXCLUSION_BYPASSES_POLICY,
    Code.PASSES_BY_SIDECAR,
    Code.MISSING_UPSTREAM_TRAFFIC_SETTING,
    Code.MISSING_HTTP_ROUTE_GROUP,
    Code.MISSING_SECRET,
    Code.TLS_IN_TLS,
    Code.HTTP_WITHOUT_HOSTS,
    Code.IGNORED_TRAFFIC_TARGET,
    Code.UNKNOWN_APP_PROTOCOL,  # the service takes part, and so do the splits of it
}


def counted(findings: fe.Findings) -> Counter[tuple[Code, str]]:
    """How many findings there are by code and resource, wherever its port has moved to."""
    return Counter((it.code, str(it.rule.resource).removesuffix(OWN)) for it in findings)


@given(random_meshes.meshes())
@settings(max_examples=examples(12), deadline=None)
def test_law_what_a_fix_says_cures_and_brings_nothing_as_bad(entries: random_meshes.Documents) -> None:
    mesh = fe.load(entries)
    findings = lint(mesh, sidecar=False)
    before = counted(findings)
    done: set[Code] = set()
    for it in findings:
        key = it.code, str(it.rule.resource)
        for mend in MENDS.get(it.code, ()) if it.code not in done else ():
            done.add(it.code)
            after = lint(mend(mesh, it), sidecar=False)
            is_gone = it.rule not in {other.rule for other in after if other.code is it.code}
            assert is_gone or counted(after)[key] < before[key], (it, after)
            fresh = {other.code for other in after} - {other.code for other in findings}
            fresh -= UNCOVERED
            if mesh.mesh_config.spec.traffic.enable_egress:
                fresh.discard(Code.TAKEN_FROM_PASSTHROUGH)  # as any port does where all is open
            least = Severity.ERROR if it.code in INTO_FORCE else it.severity
            assert not [code for code in fresh if code.severity.is_at_least(least)], (it, fresh)


@given(random_meshes.meshes(), random_meshes.identities())
@settings(max_examples=examples(6), deadline=None)
def test_law_the_module_cures_what_it_is_said_to(entries: random_meshes.Documents, identity: str) -> None:
    mesh = fe.load(entries)
    before = counted(lint(mesh, identities=[identity]))
    after = counted(lint(mesh, identities=[identity], enforce=True))
    # What the module does not cure comes to light where something else was told in its place.
    assert {code for code, _ in after.keys() - before.keys()} <= {Code.UNKNOWN_METHOD}
    assert not {code for code, _ in after if code in BY_MODULE}


def test_no_fix_says_what_another_takes_back() -> None:
    restricted = egress("a", "https 443", hosts=["a.com"], ipAddresses=["203.0.113.0/24"])
    fixes = {it.code: it.fix for it in lint(load(config(), restricted))}
    assert "ipAddresses" not in fixes[Code.MTLS_TO_OUTSIDE]
    assert not [fix for fix in fixes.values() if "restrict the policy by" in fix]


def test_the_fixes_of_a_comparison_are_those_of_the_table() -> None:
    restricted = egress("a", "https 443", hosts=["a.com", "b.com"])
    for it in fe.enforceability(load(config(), restricted), "curl.curl"):
        assert it.fix == RULES[it.code].fix
