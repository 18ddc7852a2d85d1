"""The pods of an account by what they are intercepted for: each kind is a subject of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ..policy import Interception
from ..resources.core import Namespace
from ..resources.meshconfig import MeshConfig
from ..resources.resource import ServiceIdentity
from ..resources.subjects import Pods
from ..values.construction import frozen
from ..values.errors import IncompleteMesh, InvalidValue
from ..values.references import EVERY
from .hosts import HOST_KINDS, Host, hosts_by_name, hosts_of
from .injection import State, injection_of
from .lists import annotated, mesh_lists, together
from .started import started_with

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from ..resources.subjects import Subject
    from ..snapshot import Snapshot
    from ..values.references import ResourceRef
    from .lists import Refusal

__all__ = ["Kind", "alike", "bound", "interception_of", "kinds_of", "lists_of"]

_LOOKED_AT = (MeshConfig, *HOST_KINDS, Namespace)


@frozen(eq=False)
class Kind:
    """Pods of an account that are intercepted alike, by the lists of the first of them."""

    hosts: tuple[Host, ...]
    lists: Interception

    def subject(self) -> Pods:
        """The pods as whom an answer is about."""
        name, namespace = self.hosts[0].account
        return Pods(tuple(host.name for host in self.hosts), namespace, name)


def lists_of(snapshot: Snapshot, host: Host) -> tuple[Interception, tuple[Refusal, ...]]:
    """The lists of mesh and pod as a pod that starts now gets them, and what keeps it from that."""
    own, refused = annotated(host)
    both, more = together(mesh_lists(snapshot.mesh_config), own)
    return both, (*refused, *more)


def kinds_of(snapshot: Snapshot) -> Mapping[tuple[str, str], tuple[Kind, ...]]:
    """The kinds of pods of each account, by its name and namespace; pods that never run are of none."""
    return snapshot.once(_kinds, _LOOKED_AT)


def _kinds(snapshot: Snapshot) -> Mapping[tuple[str, str], tuple[Kind, ...]]:
    found: dict[tuple[str, str], dict[Hashable, tuple[Interception, list[Host]]]] = {}
    for host in hosts_of(snapshot):
        lists = _in_force(snapshot, host)
        if lists is not None:
            kinds = found.setdefault(host.account, {})
            kinds.setdefault(_meaning(lists), (lists, []))[1].append(host)
    return {
        account: tuple(Kind(tuple(hosts), lists) for lists, hosts in kinds.values())
        for account, kinds in found.items()
    }


def _in_force(snapshot: Snapshot, host: Host) -> Interception | None:
    """What a pod is intercepted for, without its own addresses; None for one that never runs."""
    injection = injection_of(snapshot, host)
    if injection.state is State.NO:
        return Interception(without=injection.rule, why=injection.why)
    if injection.state is State.NEVER_CREATED:
        return None
    started = started_with(host)
    if started is not None and not started.unclear:
        return started.lists
    lists, refused = lists_of(snapshot, host)
    return lists if host.is_running or not refused else None


def _meaning(lists: Interception) -> Hashable:
    """What counts of lists: their values, in whatever order, and where they have no say."""
    return (
        lists.without is not None,
        frozenset(value for value, _ in lists.excluded),
        frozenset(value for value, _ in lists.included),
        frozenset(value for value, _ in lists.excluded_ports),
    )


def interception_of(snapshot: Snapshot, subject: Subject) -> Interception:
    """What a subject is intercepted for.

    Of an account whose pods differ in that it is what the mesh lists for all; see `alike`.
    """
    kinds = kinds_of(snapshot).get((subject.name, subject.namespace), ())
    if isinstance(subject, Pods):
        for kind in kinds:
            own = [host.own for host in kind.hosts if host.name in subject.hosts]
            if own:
                return evolve(kind.lists, own=own[0]) if len(subject.hosts) == 1 else kind.lists
    elif len(kinds) == 1:
        return kinds[0].lists
    return mesh_lists(snapshot.mesh_config)


def alike(subjects: Iterable[Subject], *meshes: Snapshot) -> tuple[Subject, ...]:
    """The subjects, but for each account whose pods differ the kinds of its pods, never a mixture."""
    return tuple(dict.fromkeys(it for subject in subjects for it in _apart(subject, meshes)))


def _apart(subject: Subject, meshes: tuple[Snapshot, ...]) -> Iterator[Subject]:
    if isinstance(subject, ServiceIdentity):
        by_mesh = [kinds_of(mesh).get((subject.name, subject.namespace), ()) for mesh in meshes]
        if any(len(kinds) > 1 for kinds in by_mesh):
            yield from (kind.subject() for kinds in by_mesh for kind in kinds)
            return
    yield subject


def bound(snapshot: Snapshot, subject: Subject) -> Subject:
    """The subject, with the account that a pod or a template runs under.

    Raises:
        InvalidValue: there is no such pod or template.
        IncompleteMesh: it could not be read, or may be among what could not.
    """
    if not isinstance(subject, Pods) or subject.name:
        return subject
    (name, *_), namespace = subject.hosts, subject.namespace
    host = hosts_by_name(snapshot).get((namespace, name))
    if host is None:
        lost = [loss for loss in snapshot.lost if _may_be(loss.ref, name, namespace)]
        if lost:
            raise IncompleteMesh(problem for loss in lost for problem in loss.problems)
        listed = [host for host in hosts_of(snapshot) if host.namespace == namespace]
        names = ", ".join(f"`{it.name}.{it.namespace}`" for it in listed[:3])
        raise InvalidValue.of(
            f"a pod or a template of the mesh{names and f', such as {names}'}", str(subject)
        )
    return Pods(subject.hosts, namespace, host.account[0])


def _may_be(ref: ResourceRef | None, name: str, namespace: str) -> bool:
    """Whether what is lost is this pod or template, or all of its kind, or a text of whatever it holds."""
    if ref is None or (ref.name == EVERY and name.startswith(f"{ref.kind.lower()}/")):
        return True
    return (f"{ref.kind.lower()}/{ref.name}", ref.namespace) == (name, namespace)
