"""What the admission webhook says of an object: the errors of a strict load, or the linter's findings."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import fsm_egress as fe

from .kinds import CLASSES, HOSTS
from .state import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Executor

    from fsm_egress.resources.workloads import PodTemplate

__all__ = ["MAX_ACCOUNTS", "MAX_WARNING", "around", "looked_at", "warnings_of"]

MAX_WARNING = 256  # characters: a client shows no more
MAX_ACCOUNTS = 50  # that are looked at for one object
LONGEST = 4.0  # seconds, of what an API server waits

BROUGHT = (fe.Code.NO_SIDECAR, fe.Code.LISTS_DIFFER)
"""What a pod brings with it and is said of others: of a policy, or of another pod of its account."""

_Account = tuple[str, str]
"""Its name and its namespace."""


async def looked_at(
    pool: Executor,
    mesh: fe.Snapshot,
    document: Mapping[str, Any],
    *,
    enforce: bool = False,
    seconds: float = LONGEST,
) -> tuple[str, ...]:
    """What the linter warns of, within a time; that an object is valid is always found out.

    Raises:
        LoadError: the object is not valid.
    """
    read(document)
    work = partial(warnings_of, mesh, document, enforce=enforce)
    looking = asyncio.get_running_loop().run_in_executor(pool, work)
    try:
        return await asyncio.wait_for(looking, seconds)
    except asyncio.TimeoutError:
        return (f"not looked at to the end within {seconds} s: `fsm-egress lint` does",)


def warnings_of(mesh: fe.Snapshot, document: Mapping[str, Any], *, enforce: bool = False) -> tuple[str, ...]:
    """What the linter warns of in an object as it would be in a mesh; of a pod all that comes with it.

    The whole comparison with the sidecar takes longer than an API server waits: `fsm-egress lint` has it.

    Raises:
        LoadError: the object is not valid.
    """
    resource = read(document)
    near = around(mesh, resource)
    accounts = accounts_of(resource)
    whom = [fe.ServiceIdentity(*it) for it in accounts] if len(accounts) <= MAX_ACCOUNTS else []

    def found(among: fe.Snapshot) -> fe.Findings:
        return fe.lint(among, identities=whom, sidecar=False, enforce=enforce)

    after = found(near.with_(resource))
    told = [it for it in after if it.rule.resource == resource.ref and it.severity is not fe.Severity.INFO]
    if resource.kind in HOSTS:
        before = set(found(near.without(resource.ref)))
        told += (it for it in after if it.code in BROUGHT and it not in {*before, *told})
    too_many = len(accounts) - len(whom)
    more = [f"it names {too_many} accounts, too many to look at each now: `fsm-egress lint` does"]
    return (*(_words(it, resource.ref)[:MAX_WARNING] for it in told), *(more if too_many else ()))


def _words(finding: fe.Finding, ref: fe.ResourceRef) -> str:
    where = finding.rule.path if finding.rule.resource == ref else str(finding.rule)
    return f"{finding.code} {where}".rstrip() + f": {finding.message}"


def accounts_of(resource: Any) -> frozenset[_Account]:
    """The accounts whose answers an object can change, as far as it names them."""
    if isinstance(resource, fe.EgressPolicy):
        named = (it for it in resource.spec.sources if it.kind == fe.ServiceAccount.kind and it.namespace)
        return frozenset((it.name, it.namespace) for it in named)
    if resource.kind in HOSTS:
        return frozenset({(_spec_of(resource).service_account_name, resource.namespace)})
    return frozenset()


def _spec_of(host: Any) -> Any:
    """The pod that a pod or a template describes."""
    if isinstance(host, fe.Pod):
        return host.spec
    holder = host.spec.job_template if host.kind == "CronJob" else host
    template: PodTemplate = holder.spec.template
    return template.spec


def around(mesh: fe.Snapshot, resource: Any) -> fe.Snapshot:
    """Of a mesh what bears on an object: of policies, route groups and pods all others say nothing of it."""
    policies = {policy.ref: policy for policy in _policies_near(mesh, resource)}
    accounts = accounts_of(resource)
    groups = {
        *((it.namespace, match.name) for it in policies.values() for match in it.spec.matches),
        *((it.namespace, rule.name) for it in mesh.kind(fe.TrafficTarget) for rule in it.spec.rules),
        *((it.namespace, match.name) for it in mesh.kind(fe.TrafficSplit) for match in it.spec.matches),
    }
    if isinstance(resource, fe.EgressPolicy):
        groups |= {(resource.namespace, match.name) for match in resource.spec.matches}
    hosts = [host for kind in HOSTS for host in mesh.kind(CLASSES[kind])]
    strangers = [it.ref for it in hosts if not accounts_of(it) & accounts]
    return mesh.without(
        *(policy.ref for policy in mesh.kind(fe.EgressPolicy) if policy.ref not in policies),
        *(it.ref for it in mesh.kind(fe.HTTPRouteGroup) if (it.namespace, it.name) not in groups),
        *strangers[1:],  # one stays: a mesh that tells of no account at all says of none that it is missing
    )


def _policies_near(mesh: fe.Snapshot, resource: Any) -> Iterator[fe.EgressPolicy]:
    """The policies that share a source with a policy, name a pod's account or refer to routes."""
    table = mesh.kind(fe.EgressPolicy)
    if isinstance(resource, fe.EgressPolicy):
        for source in resource.spec.sources:
            yield from table.sources.get((source.kind, source.name, source.namespace), ())
    for name, namespace in accounts_of(resource):
        yield from mesh.policies_for(fe.ServiceIdentity(name, namespace))
    if isinstance(resource, fe.HTTPRouteGroup):
        for policy in table.by_namespace.get(resource.namespace, ()):
            if any(match.name == resource.name for match in policy.spec.matches):
                yield policy
