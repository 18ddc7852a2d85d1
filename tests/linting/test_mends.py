"""What lint says to do: it cures what was found, and brings nothing that is as bad."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import random_meshes
from attrs import evolve
from hypothesis import given, settings
from small import config, egress, load

import fsm_egress as fe
from fsm_egress.connections.findings import Code, Finding
from fsm_egress.linting import lint
from fsm_egress.linting.rules import RULES
from fsm_egress.resources.core import Endpoints, Service
from fsm_egress.resources.egress import ROUTE_GROUP, EgressGateway, EgressPolicy
from fsm_egress.resources.smi import HTTPRouteGroup, TrafficSplit

if TYPE_CHECKING:
    from collections.abc import Callable

RANGES = (fe.Prefix("203.0.113.0/24"),)
OWN = "-own"


def policy_of(mesh: fe.Snapshot, it: Finding) -> EgressPolicy:
    return mesh.kind(EgressPolicy).by_name[it.rule.resource.namespace, it.rule.resource.name]


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


def without_match(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    group = mesh.kind(HTTPRouteGroup).by_name[it.rule.resource.namespace, it.rule.resource.name]
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
    name = it.rule.resource.namespace, it.rule.resource.name
    gone = [kind.by_name[name].ref for kind in (mesh.kind(Service), mesh.kind(Endpoints))]
    users = (*mesh.kind(TrafficSplit), *mesh.kind(EgressGateway))
    return mesh.without(*gone, *(it.ref for it in users))


def anchored(mesh: fe.Snapshot, it: Finding) -> fe.Snapshot:
    group = mesh.kind(HTTPRouteGroup).by_name[it.rule.resource.namespace, it.rule.resource.name]
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
        lambda mesh, it: with_port(mesh, it, protocol=fe.Protocol.TCP, hosts=(), ip_addresses=RANGES),
    ),
    Code.PROTOCOL_NOT_COMPARED: (lambda mesh, it: with_port(mesh, it, protocol=fe.Protocol.TCP),),
    Code.NAMED_TWICE: (without_entry,),
    Code.RANGE_WITHIN_ANOTHER: (without_entry,),
    Code.SHADOWED_POLICY: (without_port,),
    Code.NEVER_MATCHES: (without_port,),
    Code.SHADOWED_ROUTE: (without_match,),
    Code.ROUTE_NEVER_MATCHES: (without_match,),
    Code.DUPLICATE_POLICY: (lambda mesh, it: mesh.without(it.rule.resource),),
    Code.EVERY_ADDRESS: (
        lambda mesh, it: with_port(mesh, it, protocol=fe.Protocol.TCP, ip_addresses=RANGES),
    ),
    Code.PASSTHROUGH_BESIDE_POLICIES: (switched(traffic={"enableEgress": False}),),
    Code.UNANCHORED_PATH: (anchored,),
    Code.SERVICE_LEADS_OUTSIDE: (without_service,),
    Code.ROUTES_WITHOUT_HTTP: (without_entry,),
}
BY_MODULE = {code for code, rule in RULES.items() if "the module" in rule.fix}


# What the mistake hid: what is left of a policy whose port has moved may be what another says, and what
# passed by a port that nobody needed passes by its neighbours.
UNCOVERED = {Code.DUPLICATE_POLICY, Code.SHADOWED_POLICY, Code.EXCLUSION_BYPASSES_POLICY}


def counted(findings: fe.Findings) -> Counter[tuple[Code, str]]:
    """How many findings there are by code and resource, wherever its port has moved to."""
    return Counter((it.code, str(it.rule.resource).removesuffix(OWN)) for it in findings)


@given(random_meshes.meshes())
@settings(max_examples=12, deadline=None)
def test_law_what_a_fix_says_cures_and_brings_nothing_as_bad(entries: random_meshes.Documents) -> None:
    mesh = fe.load(entries)
    findings = lint(mesh, sidecar=False)
    before = counted(findings)
    for it in findings:
        key = it.code, str(it.rule.resource)
        for mend in MENDS.get(it.code, ()):
            after = lint(mend(mesh, it), sidecar=False)
            is_gone = it.rule not in {other.rule for other in after if other.code is it.code}
            assert is_gone or counted(after)[key] < before[key], (it, after)
            fresh = {other.code for other in after} - {other.code for other in findings}
            fresh -= UNCOVERED
            if mesh.mesh_config.spec.traffic.enable_egress:
                fresh.discard(Code.TAKEN_FROM_PASSTHROUGH)  # as any port does where all is open
            assert not [code for code in fresh if code.severity.is_at_least(it.severity)], (it, fresh)


@given(random_meshes.meshes(), random_meshes.identities())
@settings(max_examples=6, deadline=None)
def test_law_the_module_cures_what_it_is_said_to(entries: random_meshes.Documents, identity: str) -> None:
    mesh = fe.load(entries)
    before = counted(lint(mesh, identities=[identity]))
    after = counted(lint(mesh, identities=[identity], enforce=True))
    assert after.keys() <= before.keys()
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
