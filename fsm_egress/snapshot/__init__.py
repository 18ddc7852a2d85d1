"""An immutable set of resources with its indexes; a changed one shares what did not change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from operator import is_
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, field

from ..manifests.loader import Input, NamedText, Refused, load_resources
from ..manifests.manifest import DEFAULT_NAMESPACE, structure
from ..manifests.writing import to_mapping
from ..resources.checks import is_namespace, one_of
from ..resources.control_plane import (
    DEFAULT_MESH_NAME,
    DEFAULT_TRUST_DOMAIN,
    MESH_NAME,
    TRUST_DOMAIN,
    argument,
)
from ..resources.core import Namespace, Pod, ServiceAccount
from ..resources.egress import EgressPolicy, Retry
from ..resources.losses import Loss
from ..resources.machines import VirtualMachine
from ..resources.meshconfig import INSTALLED, Defaults, MeshConfig
from ..resources.resource import Resource, ServiceIdentity
from ..resources.smi import TrafficTarget
from ..resources.workloads import SETS, CronJob, Deployment
from ..values.construction import frozen
from ..values.errors import InvalidValue, PatchError, Problem
from .kind import SERVICE_ACCOUNT, Kind, name_of

if TYPE_CHECKING:
    from ..resources.core import PodSpec
    from ..resources.subjects import Subject
    from ..values.references import FieldRef, ResourceRef
    from .kind import Name

__all__ = ["CONTROL_PLANE_KINDS", "MESH_CONFIG_NAME", "Snapshot", "load", "loads"]

R = TypeVar("R", bound=Resource)
T = TypeVar("T")

MESH_CONFIG_NAME = "fsm-mesh-config"
_UNSAID = MeshConfig()
_SWITCHES = re.compile(r"[\w.]{1,60}=(true|false|\d{1,5})")  # other settings may hold a credential


class _Known(dict[Any, tuple[tuple[Kind[Any], ...], Any]]):
    """What was worked out from a snapshot: no part of it, and so of no picture of it."""

    def _repr_pretty_(self, printer: Any, _: Any) -> None:
        """As a printer of nested objects, such as Hypothesis's, is to show it: not at all."""
        printer.text("...")


@frozen(eq=False)
class Snapshot:
    """The resources of a mesh at one moment; equal to another of the same resources.

    Attributes:
        problems: what the load that made it had to say: warnings, skipped kinds, and, when it was tolerant,
            the resources that were left out and why.
        refused: those resources as they were written, unless there are others of their names.
        lost: what the load left out, and how decisions may differ for it.
    """

    _kinds: Mapping[type[Resource], Kind[Any]] = field(factory=dict, alias="kinds", repr=False)
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    refused: tuple[Refused, ...] = field(default=(), repr=False)
    lost: tuple[Loss, ...] = field(default=(), repr=False, kw_only=True)
    _known: _Known = field(factory=_Known, repr=False, alias="known")

    @classmethod
    def of(
        cls,
        resources: Iterable[Resource] = (),
        problems: Iterable[Problem] = (),
        refused: Iterable[Refused] = (),
    ) -> Snapshot:
        """A snapshot of these resources.

        Raises:
            InvalidValue: two of them have the same kind, namespace and name.
        """
        listed = tuple(resources)
        snapshot = cls(problems=tuple(problems), refused=tuple(refused)).with_(*listed)
        if len(snapshot) < len(listed):
            counts = Counter(resource.ref for resource in listed)
            twin = next(ref for ref, count in counts.items() if count > 1)
            raise InvalidValue(Problem("each resource once", found="it again", resource=twin))
        return snapshot

    def with_(self, *resources: Resource) -> Snapshot:
        """The snapshot with these resources added, or put in the place of those with the same name."""
        put: dict[type[Resource], dict[Name, Resource]] = {}
        for resource in resources:
            put.setdefault(type(resource), {})[name_of(resource)] = resource
        kinds = {**self._kinds, **{kind: self.kind(kind).changed(table) for kind, table in put.items()}}
        return self._besides([resource.ref for resource in resources], kinds)

    def without(self, *references: ResourceRef) -> Snapshot:
        """The snapshot without the resources of these names; one that is not there is no error."""
        kinds = dict(self._kinds)
        for kind, table in self._kinds.items():
            names = {(ref.namespace, ref.name) for ref in references if ref.kind == kind.kind}
            gone = [name for name in names if table.get(*name) is not None]
            if gone:
                kinds[kind] = table.changed({}, gone)
        return self._besides(references, kinds)

    def _besides(
        self, references: Iterable[ResourceRef], kinds: Mapping[type[Resource], Kind[Any]]
    ) -> Snapshot:
        """The snapshot with other resources, in which these are known: what was left out of them is not."""
        refused, lost = self.refused, self.lost
        if refused or lost:
            names = set(references)
            refused = tuple(it for it in refused if it.ref not in names)
            lost = tuple(it for it in lost if it.ref not in names)
        return evolve(self, kinds=kinds, refused=refused, lost=lost, known=_Known(self._known))

    def lost_for(self, subject: Subject) -> tuple[Loss, ...]:
        """What was left out that may bear on decisions about the connections of an account."""
        return tuple(loss for loss in self.lost if loss.bearing and loss.concerns(subject))

    def kind(self, kind: type[R]) -> Kind[R]:
        """All resources of this kind."""
        found: Kind[R] = self._kinds.get(kind, _NONE)
        return found

    def once(self, work: Callable[..., T], kinds: Sequence[type[Resource]], *arguments: Any) -> T:
        """What a pure function makes of the resources of these kinds: it is asked once, and sees no others.

        A changed snapshot keeps the answer as long as none of these kinds has changed.
        """
        tables = tuple([self.kind(kind) for kind in kinds])
        question = (work, *arguments)
        known = self._known.get(question)
        if known is None or not all(map(is_, known[0], tables)):
            view = Snapshot(dict(zip(kinds, tables, strict=True)), known=self._known)
            known = self._known[question] = tables, work(view, *arguments)
        answer: T = known[1]
        return answer

    def __reduce__(self) -> tuple[Callable[..., Snapshot], tuple[Any, ...]]:
        """Pickled without what is known: it can be worked out again."""
        return partial(Snapshot, lost=self.lost), (self._kinds, self.problems, self.refused)

    def __iter__(self) -> Iterator[Resource]:
        for table in self._kinds.values():
            yield from table

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def __eq__(self, other: object) -> bool:
        """Whether the other one has the same resources and lacks the same, wherever they were written."""
        if not isinstance(other, Snapshot):
            return NotImplemented
        if {it.ref for it in self.refused} != {it.ref for it in other.refused}:
            return False
        if {(it.ref, it.fields) for it in self.lost} != {(it.ref, it.fields) for it in other.lost}:
            return False
        kinds = {**self._kinds, **other._kinds}
        return all(self.kind(kind) == other.kind(kind) for kind in kinds)

    def __hash__(self) -> int:
        return hash(frozenset((kind, len(table)) for kind, table in self._kinds.items() if len(table)))

    def __repr__(self) -> str:
        counts = (f"{len(table)} {kind.kind}" for kind, table in self._kinds.items() if len(table))
        return f"<Snapshot: {', '.join(counts) or 'empty'}>"

    @cached_property
    def mesh_config(self) -> MeshConfig:
        """The MeshConfig named `fsm-mesh-config`, else the first, else one that has every default.

        Of several of that name it is the one in `fsm-system`, else the first.
        """
        table = self.kind(MeshConfig)
        named = [config for config in table if config.name == MESH_CONFIG_NAME]
        usual = (config for config in named if config.namespace == _UNSAID.namespace)
        return next(chain(usual, named, table), _UNSAID)

    def with_defaults(self, defaults: Defaults | str = Defaults.FSM) -> Snapshot:
        """The snapshot with what is assumed where it has no MeshConfig; itself where it has one.

        Args:
            defaults: `fsm`, as the documentation has them, which is assumed anyway, or `chart`, as FSM's
                chart installs them: egress and permissive mode are on.

        Raises:
            InvalidValue: the text is neither.
        """
        is_installed = one_of(defaults, Defaults) is Defaults.CHART
        return self.with_(INSTALLED) if is_installed and not len(self.kind(MeshConfig)) else self

    def monitors(self, namespace: str) -> bool:
        """Whether the mesh watches a namespace, which names it in a label; without any Namespace, all."""
        namespaces = self.kind(Namespace)
        found = namespaces.get("", namespace)
        return not len(namespaces) or (found is not None and found.monitored_by == self.mesh_name)

    @property
    def mesh_name(self) -> str:
        """The name of the mesh, as `fsm-controller` is told by `--mesh-name`.

        Where no document says so it is the name that the namespaces' labels have; of several it is `fsm`, as
        FSM's chart has it, else the first.
        """
        return self.once(_mesh_name, CONTROL_PLANE_KINDS)

    @property
    def trust_domain(self) -> str:
        """What hostnames of services end with, as `fsm-controller` is told by `--trust-domain`."""
        told = self.told(TRUST_DOMAIN)
        return told[0] if told else DEFAULT_TRUST_DOMAIN

    def told(self, flag: str) -> tuple[str, FieldRef] | None:
        """What `fsm-controller` is told by a flag, and where; None where no document says so.

        Its Deployment counts before its pods; those beside the MeshConfig, where there is one.
        """
        return self.once(_told, CONTROL_PLANE_KINDS, flag)

    def policies_for(self, identity: Subject) -> tuple[EgressPolicy, ...]:
        """The Egress policies whose sources name this identity, by namespace and name."""
        source = (SERVICE_ACCOUNT, identity.name, identity.namespace)
        return self.kind(EgressPolicy).sources.get(source, ())

    def identities(self) -> tuple[ServiceIdentity, ...]:
        """Every identity that some resource names, by namespace and name.

        They are the ServiceAccounts, the accounts that pods, their templates and machines name, and the
        sources of Egress policies, TrafficTargets and Retries.
        """
        named = {(account.name, account.namespace) for account in self.kind(ServiceAccount)}
        named |= {(pod.spec.service_account_name, pod.namespace) for pod in self.kind(Pod)}
        machines = ((it.spec.service_account_name, it.namespace) for it in self.kind(VirtualMachine))
        named |= {account for account in machines if account[0]}
        makers = (it for kind in SETS for it in self.kind(kind) if it.spec.has_template)
        named |= {(it.spec.template.spec.service_account_name, it.namespace) for it in makers}
        jobs = ((it.spec.job_template.spec.template.spec, it.namespace) for it in self.kind(CronJob))
        named |= {(spec.service_account_name, namespace) for spec, namespace in jobs}
        named |= set(self.kind(EgressPolicy).by_source)
        sources = [
            (source.kind, source.name, source.namespace)
            for target in self.kind(TrafficTarget)
            for source in target.spec.sources
        ]
        sources += [
            (retry.spec.source.kind, retry.spec.source.name, retry.spec.source.namespace)
            for retry in self.kind(Retry)
        ]
        named |= {(name, namespace) for kind, name, namespace in sources if kind == SERVICE_ACCOUNT}
        possible = (account for account in named if is_namespace(account[1]))
        ordered = sorted(possible, key=lambda account: (account[1], account[0]))
        return tuple(ServiceIdentity(name, namespace) for name, namespace in ordered)

    def namespaces(self) -> frozenset[str]:
        """Every namespace that is a resource, has one, or has an identity."""
        found = {resource.namespace for table in self._kinds.values() for resource in table}
        found |= {namespace.name for namespace in self.kind(Namespace)}
        found |= {identity.namespace for identity in self.identities()}
        return frozenset(found - {""})

    def patched(self, patch: Mapping[str, Any] | str | bytes) -> Snapshot:
        """The snapshot with an RFC 7386 merge patch applied to its MeshConfig: a mapping, or its JSON text.

        Raises:
            PatchError: the text is no merge patch.
            LoadError: the patched MeshConfig is not valid.
        """
        from ..documents.patch import merge_patch, parse_merge_patch  # noqa: PLC0415  # because few meshes are patched

        tree = parse_merge_patch(patch) if isinstance(patch, (str, bytes)) else patch
        return self._with_mesh_config(partial(merge_patch, patch=tree), "patch")

    def helm_set(self, text: str, *, lenient: bool = False) -> Snapshot:
        """The snapshot with `helm install --set` keys (`fsm.enableEgress=true`) applied to its MeshConfig.

        Args:
            text: what stands behind `--set`.
            lenient: pass over keys that have no place in a MeshConfig.

        Raises:
            PatchError: the text cannot be read, or a key has no place in a MeshConfig.
            LoadError: the changed MeshConfig is not valid.
        """
        from ..documents.chart import helm_set  # noqa: PLC0415  # because few meshes are changed so

        return self._with_mesh_config(
            partial(helm_set, text=text, lenient=lenient),
            f"set {text}" if _SWITCHES.fullmatch(text) else "set",
        )

    def _with_mesh_config(self, change: Callable[[Any], Any], by: str) -> Snapshot:
        """The changed MeshConfig keeps its name: a patch that renames it would make a second one."""
        from ..documents.patch import differing  # noqa: PLC0415  # because few meshes are changed so

        before, source = to_mapping(self.mesh_config), self.mesh_config.source
        after = change(before)
        changed = structure(after, source.changed(differing(before, after), by) if source else None)
        if changed.ref != self.mesh_config.ref:
            raise PatchError(
                Problem(f"a patch of {self.mesh_config.ref}", f"one that makes it {changed.ref}")
            )
        return evolve(self.with_(changed), lost=self.lost)  # what could not be read of it is still unknown


_NONE: Kind[Any] = Kind()

CONTROL_PLANE_KINDS = (MeshConfig, Namespace, Deployment, Pod)
"""What the name of the mesh and its trust domain depend on."""


def _mesh_name(snapshot: Snapshot) -> str:
    told = snapshot.told(MESH_NAME)
    if told:
        return told[0]
    names = [space.monitored_by for space in snapshot.kind(Namespace) if space.monitored_by is not None]
    return DEFAULT_MESH_NAME if DEFAULT_MESH_NAME in names or not names else names[0]


def _told(snapshot: Snapshot, flag: str) -> tuple[str, FieldRef] | None:
    config = snapshot.mesh_config if len(snapshot.kind(MeshConfig)) else None
    pods: list[tuple[Resource, PodSpec, str]] = [
        *((it, it.spec.template.spec, "spec.template.spec.") for it in snapshot.kind(Deployment)),
        *((it, it.spec, "spec.") for it in snapshot.kind(Pod)),
    ]
    for resource, spec, path in pods:
        found = argument(spec, flag) if config is None or resource.namespace == config.namespace else None
        if found:
            return found[0], resource.at(f"{path}{found[1]}")
    return None


def load(
    *sources: Input, strict: bool = True, lenient_fields: bool = False, namespace: str = DEFAULT_NAMESPACE
) -> Snapshot:
    """The snapshot of files, folders, texts, streams and mappings; see `manifest.load_resources`.

    Args:
        sources: in a folder, files that hold no Kubernetes objects are passed over, and told.
        strict: whether anything wrong is an error; else it is left out, and told.
        lenient_fields: whether unknown fields are carried along, with a warning.
        namespace: of the documents that name none, as that of `kubectl apply -n`.

    Raises:
        LoadError: with everything that is wrong, when `strict`.
        InvalidValue: `namespace` is none.
        MissingExtra: a text is YAML, and PyYAML is not installed.
    """
    loaded = load_resources(*sources, strict=strict, lenient_fields=lenient_fields, namespace=namespace)
    tables = {kind: Kind.of(table) for kind, table in loaded.tables.items()}
    return Snapshot(tables, loaded.problems, loaded.refused, lost=loaded.lost)


def loads(
    text: str | bytes,
    name: str = "<text>",
    *,
    strict: bool = True,
    lenient_fields: bool = False,
    namespace: str = DEFAULT_NAMESPACE,
) -> Snapshot:
    """The snapshot of one text; errors call it `name`. See `load`.

    Raises:
        LoadError: with everything that is wrong, when `strict`.
        MissingExtra: the text is YAML, and PyYAML is not installed.
    """
    return load(NamedText(text, name), strict=strict, lenient_fields=lenient_fields, namespace=namespace)
