"""Whom the answers about a mesh look at: the accounts that it names, and any other account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..interception.kinds import alike
from ..resources.core import Pod, ServiceAccount
from ..resources.egress import EgressPolicy, Retry
from ..resources.machines import VirtualMachine
from ..resources.resource import ServiceIdentity
from ..resources.smi import TrafficTarget
from ..resources.subjects import AnyOtherAccount, Subject, Unnamed
from ..resources.words import ServiceAccessMode
from ..resources.workloads import MAKERS
from ..values.errors import InvalidValue
from ..values.references import EVERY
from ..values.spelling import nearest
from .services import reached_services

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..resources.resource import Resource
    from ..snapshot import Snapshot

__all__ = ["may_name_more", "subjects_of", "unnamed"]


def subjects_of(*meshes: Snapshot) -> tuple[Subject, ...]:
    """Everyone whose connections some meshes can decide about otherwise than about the rest's.

    These are the accounts that a resource of one of the meshes names, by namespace and name, and then any
    other account: one of each namespace whose services have a shorter name there, and one of the others.
    """
    named = {identity for mesh in meshes for identity in (*mesh.identities(), *_besides(mesh))}
    near = {namespace for mesh in meshes for namespace in _with_short_names(mesh)}
    others = (AnyOtherAccount(namespace) for namespace in (*sorted(near), ""))
    ordered = sorted(named, key=lambda identity: (identity.namespace, identity.name))
    return *alike(ordered, *meshes), *others


def unnamed(subjects: Iterable[Subject], *meshes: Snapshot) -> tuple[Unnamed, ...]:
    """Those of some subjects whom no document of the meshes names; any other account is meant so."""
    named: set[ServiceIdentity] = set()
    for mesh in meshes:
        named |= mesh.once(_named, NAMING_KINDS)
        named.update(_besides(mesh))
    found = (it for it in subjects if isinstance(it, ServiceIdentity) and it not in named)
    spelled = {str(identity): identity for identity in named}
    return tuple(Unnamed(it, spelled.get(nearest(str(it), spelled) or "")) for it in found)


def may_name_more(*meshes: Snapshot) -> bool:
    """Whether something is lost that may name any account: a text, or all of a kind that names some."""
    kinds = {kind.kind for kind in NAMING_KINDS}
    lost = [loss.ref for mesh in meshes for loss in mesh.lost]
    return any(ref is None or (ref.name == EVERY and ref.kind in kinds) for ref in lost)


NAMING_KINDS: tuple[type[Resource], ...] = (
    ServiceAccount,
    Pod,
    *MAKERS,
    VirtualMachine,
    EgressPolicy,
    TrafficTarget,
    Retry,
)


def _named(mesh: Snapshot) -> frozenset[ServiceIdentity]:
    return frozenset(mesh.identities())


def _besides(mesh: Snapshot) -> Iterator[ServiceIdentity]:
    """The accounts that TrafficTargets name, whatever kind they say, and those that lost policies name."""
    sources = [source for target in mesh.kind(TrafficTarget) for source in target.spec.sources]
    named = {(source.name, source.namespace) for source in sources}
    for name, namespace in named.union(*(loss.accounts or () for loss in mesh.lost)):
        try:
            yield ServiceIdentity(name, namespace)
        except InvalidValue:  # because there can be no account of this name
            continue


def _with_short_names(mesh: Snapshot) -> set[str]:
    """The namespaces whose services any other account there may call by their name alone."""
    traffic = mesh.mesh_config.spec.traffic
    is_local = traffic.service_access_names.must_with_namespace
    if traffic.service_access_mode is ServiceAccessMode.IP or not is_local:
        return set()
    return {it.namespace for it in reached_services(mesh, AnyOtherAccount(), []) if it.is_http}
