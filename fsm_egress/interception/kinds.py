"""The pods of an account by what they are intercepted for: each kind is a subject of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve

from ..policy import Interception
from ..resources.core import Namespace
from ..resources.meshconfig import MeshConfig
from ..resources.plugins import PluginChain
from ..resources.redirection import INIT
from ..resources.resource import ServiceIdentity
from ..resources.subjects import Pods, read_subject
from ..values.construction import frozen
from ..values.errors import IncompleteMesh, InvalidValue
from ..values.references import EVERY
from ..values.spelling import nearest
from .hosts import HOST_KINDS, Host, hosts_by_name, hosts_of
from .injection import State, injection_of, unproven_of
from .lists import annotated, mesh_lists, together
from .started import started_with

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from ..resources.subjects import Subject
    from ..snapshot import Snapshot
    from ..values.references import FieldRef, ResourceRef
    from .lists import Refusal

__all__ = [
    "Kind",
    "alike",
    "before_rules",
    "bound",
    "interception_of",
    "kind_of",
    "kinds_of",
    "kinds_of_pods",
    "lists_of",
]

Account: TypeAlias = tuple[str, str]

_LOOKED_AT = (MeshConfig, *HOST_KINDS, Namespace, PluginChain)


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


def kinds_of(snapshot: Snapshot) -> Mapping[Account, tuple[Kind, ...]]:
    """The kinds of pods of each account, by name and namespace; what never runs, or has ended, is in none."""
    return snapshot.once(_kinds, _LOOKED_AT)


def kind_of(snapshot: Snapshot, namespace: str, name: str) -> Kind | None:
    """The kind that a pod or a template is of; None for one that never runs, or is not there."""
    return snapshot.once(_kind_by_name, _LOOKED_AT).get((namespace, name))


def before_rules(snapshot: Snapshot) -> Mapping[Account, Mapping[str, FieldRef]]:
    """The first init container of each pod with a sidecar that runs before its rules stand, by account.

    FSM's injector appends `fsm-init` to the others, which have run by then.
    """
    return snapshot.once(_before_rules, _LOOKED_AT)


def _before_rules(snapshot: Snapshot) -> Mapping[Account, Mapping[str, FieldRef]]:
    return {
        account: {
            host.name: host.at("spec.initContainers[0]")
            for kind in kinds
            if kind.lists.without is None
            for host in kind.hosts
            if host.spec.init_containers and host.spec.init_containers[0].name != INIT
        }
        for account, kinds in kinds_of(snapshot).items()
    }


def _kinds(snapshot: Snapshot) -> Mapping[Account, tuple[Kind, ...]]:
    found: dict[Account, dict[Hashable, tuple[Interception, list[Host]]]] = {}
    for host in hosts_of(snapshot):
        lists = None if host.is_over else _in_force(snapshot, host)
        if lists is not None:
            kinds = found.setdefault(host.account, {})
            meaning = _meaning(lists), _plugged(snapshot, host)
            kinds.setdefault(meaning, (lists, []))[1].append(host)
    return {
        account: tuple(Kind(tuple(hosts), lists) for lists, hosts in kinds.values())
        for account, kinds in found.items()
    }


def _kind_by_name(snapshot: Snapshot) -> Mapping[tuple[str, str], Kind]:
    kinds = (kind for found in kinds_of(snapshot).values() for kind in found)
    return {(host.namespace, host.name): kind for kind in kinds for host in kind.hosts}


def _plugged(snapshot: Snapshot, host: Host) -> Hashable:
    """The chains of plugins that select a pod by its labels."""
    if not snapshot.mesh_config.spec.feature_flags.enable_plugin_policy:
        return ()
    return tuple(
        chain.ref
        for chain in snapshot.kind(PluginChain)
        if chain.spec.selectors.pod_selector and chain.spec.selectors.pod_selector.admits(host.labels)
    )


def _in_force(snapshot: Snapshot, host: Host) -> Interception | None:
    """What a pod is intercepted for, without its own addresses; None for one that never runs."""
    injection = injection_of(snapshot, host)
    if injection.state is State.NO:
        return Interception(without=injection.rule, why=injection.why)
    if injection.state is State.NEVER_CREATED:
        return None
    unproven = unproven_of(host, injection)
    started = started_with(host)
    if started is not None and not started.unclear:
        return evolve(started.lists, unproven=unproven)
    lists, refused = lists_of(snapshot, host)
    if refused and not host.is_running:
        return None
    return evolve(lists, unproven=unproven)


def _meaning(lists: Interception) -> Hashable:
    """What counts of lists: their values, in whatever order, and where they have no say."""
    return (
        lists.without is not None,
        bool(lists.unproven),
        *(
            frozenset(value for value, _ in listed)
            for listed in (lists.excluded, lists.included, lists.excluded_ports, lists.interfaces)
        ),
    )


def interception_of(snapshot: Snapshot, subject: Subject) -> Interception:
    """What a subject is intercepted for.

    Of an account whose pods differ in that it is what the mesh lists for all, with a pod of each kind named.
    """
    mesh = mesh_lists(snapshot.mesh_config)
    if isinstance(subject, Pods):
        found = (hosts_by_name(snapshot).get((subject.namespace, name)) for name in subject.hosts)
        host = next((it for it in found if it), None)
        lists = None if host is None else _in_force(snapshot, host)
        if host is None or lists is None:
            return mesh
        return evolve(lists, own=host.own) if len(subject.hosts) == 1 else lists
    kinds = kinds_of(snapshot).get((subject.name, subject.namespace), ())
    if len(kinds) > 1:
        return evolve(mesh, apart=tuple(kind.subject() for kind in kinds))
    return kinds[0].lists if kinds else mesh


def alike(subjects: Iterable[Subject], *meshes: Snapshot) -> tuple[Subject, ...]:
    """The subjects, but for each account whose pods differ the kinds of its pods, never a mixture."""
    return tuple(dict.fromkeys(it for subject in subjects for it in _apart(subject, meshes)))


def kinds_of_pods(account: Subject | str, *meshes: Snapshot) -> tuple[Subject, ...]:
    """An account as itself where its pods are intercepted alike in these meshes, else the kinds of its pods.

    Args:
        account: `name.namespace`; a pod, a template or any other account is one kind by itself.
        meshes: the resources, before and after a change.

    Raises:
        InvalidValue: the text is no identity.
    """
    return alike([read_subject(account)], *meshes)


def _apart(subject: Subject, meshes: tuple[Snapshot, ...]) -> Iterator[Subject]:
    if not isinstance(subject, ServiceIdentity):
        yield subject
        return
    account = subject.name, subject.namespace
    by_mesh = [kinds_of(mesh).get(account, ()) for mesh in meshes]
    if not any(len(kinds) > 1 for kinds in by_mesh):
        yield subject
        return
    places = [{host.name: at for at, kind in enumerate(kinds) for host in kind.hosts} for kinds in by_mesh]
    meanings = [{_meaning(kind.lists): at for at, kind in enumerate(kinds)} for kinds in by_mesh]
    together: dict[Hashable, list[str]] = {}
    for name in dict.fromkeys(name for named in places for name in named):
        lists = next(
            kinds[named[name]].lists for kinds, named in zip(by_mesh, places, strict=True) if name in named
        )
        # A pod that one of the meshes does not have is there of the kind that is intercepted as it is here.
        key = tuple(
            named.get(name, known.get(_meaning(lists))) for named, known in zip(places, meanings, strict=True)
        )
        together.setdefault(key, []).append(name)
    yield from (Pods(tuple(names), subject.namespace, subject.name) for names in together.values())


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
        listed = [f"{it.name}.{it.namespace}" for it in hosts_of(snapshot)]
        near = [name for name in listed if name.endswith(f".{namespace}")] or listed
        names = ", ".join(f"`{it}`" for it in near[:3])
        raise InvalidValue.of(
            f"a pod or a template of the mesh{names and f', such as {names}'}",
            str(subject),
            proposal=nearest(str(subject), listed),
        )
    return Pods(subject.hosts, namespace, host.account[0])


def _may_be(ref: ResourceRef | None, name: str, namespace: str) -> bool:
    """Whether what is lost is this pod or template, or all of its kind, or a text of whatever it holds."""
    if ref is None or (ref.name == EVERY and name.startswith(f"{ref.kind.lower()}/")):
        return True
    return (f"{ref.kind.lower()}/{ref.name}", ref.namespace) == (name, namespace)
