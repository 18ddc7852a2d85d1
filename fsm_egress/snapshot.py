"""An immutable set of resources with its indexes; a changed one shares what did not change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import evolve, field, frozen

from .core import Namespace, Pod, ServiceAccount
from .egress import EgressPolicy, Retry
from .errors import InvalidValue, PatchError, Problem
from .helm import helm_set
from .loader import Input, NamedText, Refused, load_resources
from .manifest import structure, to_mapping
from .meshconfig import MeshConfig
from .patch import merge_patch, parse_merge_patch
from .resource import Resource, ServiceIdentity
from .smi import TrafficTarget

if TYPE_CHECKING:
    from .references import ResourceRef

__all__ = ["MESH_CONFIG_NAME", "Kind", "Snapshot", "load", "loads"]

R = TypeVar("R", bound=Resource)

MESH_CONFIG_NAME = "fsm-mesh-config"
SERVICE_ACCOUNT = "ServiceAccount"


@frozen(eq=False)
class Kind(Generic[R]):
    """All resources of one kind, by namespace and name, in that order."""

    by_name: Mapping[tuple[str, str], R] = field(factory=dict)

    def __iter__(self) -> Iterator[R]:
        return iter(self.by_name.values())

    def __len__(self) -> int:
        return len(self.by_name)

    def get(self, namespace: str, name: str) -> R | None:
        """The resource of this name, if there is one."""
        return self.by_name.get((namespace, name))

    @cached_property
    def by_namespace(self) -> Mapping[str, tuple[R, ...]]:
        """The resources of each namespace, by name."""
        groups: dict[str, list[R]] = {}
        for resource in self:
            groups.setdefault(resource.namespace, []).append(resource)
        return {namespace: tuple(group) for namespace, group in groups.items()}

    @cached_property
    def by_source(self) -> Mapping[tuple[str, str], tuple[EgressPolicy, ...]]:
        """The Egress policies that name an account as their source, by its name and namespace."""
        groups: dict[tuple[str, str], dict[ResourceRef, EgressPolicy]] = {}
        for policy in self:
            if isinstance(policy, EgressPolicy):
                for source in policy.spec.sources:
                    if source.kind == SERVICE_ACCOUNT:
                        groups.setdefault((source.name, source.namespace), {})[policy.ref] = policy
        return {account: tuple(group.values()) for account, group in groups.items()}


@frozen(eq=False)
class Snapshot:
    """The resources of a mesh at one moment.

    Attributes:
        problems: what the load that made it had to say: warnings, skipped kinds, and, when it was tolerant,
            the resources that were left out and why.
        refused: those resources as they were written, unless there are others of their names.
    """

    _kinds: Mapping[type[Resource], Kind[Any]] = field(factory=dict, alias="kinds", repr=False)
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    refused: tuple[Refused, ...] = field(default=(), repr=False)

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
        seen: set[ResourceRef] = set()
        listed = tuple(resources)
        for resource in listed:
            if resource.ref in seen:
                raise InvalidValue(Problem("each resource once", found="it again", resource=resource.ref))
            seen.add(resource.ref)
        return cls(problems=tuple(problems), refused=tuple(refused)).with_(*listed)

    def with_(self, *resources: Resource) -> Snapshot:
        """The snapshot with these resources added, or put in the place of those with the same name."""
        changed: dict[type[Resource], dict[tuple[str, str], Resource]] = {}
        for resource in resources:
            table = changed.setdefault(type(resource), {})
            table[resource.namespace, resource.name] = resource
        kinds = dict(self._kinds)
        for kind, table in changed.items():
            merged = {**self.kind(kind).by_name, **table}
            kinds[kind] = Kind(dict(sorted(merged.items())))
        return evolve(
            self, kinds=kinds, refused=self._refused_besides(resource.ref for resource in resources)
        )

    def without(self, *references: ResourceRef) -> Snapshot:
        """The snapshot without the resources of these names; one that is not there is no error."""
        kinds = dict(self._kinds)
        for kind, table in self._kinds.items():
            gone = {(ref.namespace, ref.name) for ref in references if ref.kind == kind.kind} & set(
                table.by_name
            )
            if gone:
                kinds[kind] = Kind({key: value for key, value in table.by_name.items() if key not in gone})
        return evolve(self, kinds=kinds, refused=self._refused_besides(references))

    def _refused_besides(self, references: Iterable[ResourceRef]) -> tuple[Refused, ...]:
        names = set(references)
        return tuple(refused for refused in self.refused if refused.ref not in names)

    def kind(self, kind: type[R]) -> Kind[R]:
        """All resources of this kind."""
        found: Kind[R] = self._kinds.get(kind, _NONE)
        return found

    def __iter__(self) -> Iterator[Resource]:
        for table in self._kinds.values():
            yield from table

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def __repr__(self) -> str:
        counts = (f"{len(table)} {kind.kind}" for kind, table in self._kinds.items() if len(table))
        return f"<Snapshot: {', '.join(counts) or 'empty'}>"

    @cached_property
    def mesh_config(self) -> MeshConfig:
        """The MeshConfig named `fsm-mesh-config`, else the first, else one that has every default."""
        table = self.kind(MeshConfig)
        named = (config for config in table if config.name == MESH_CONFIG_NAME)
        return next(named, next(iter(table), MeshConfig()))

    def monitors(self, namespace: str) -> bool:
        """Whether the mesh watches a namespace; without any Namespace object it watches all."""
        namespaces = self.kind(Namespace)
        found = namespaces.get("", namespace)
        return not len(namespaces) or (found is not None and found.monitored)

    def policies_for(self, identity: ServiceIdentity) -> tuple[EgressPolicy, ...]:
        """The Egress policies whose sources name this identity, by namespace and name."""
        return self.kind(EgressPolicy).by_source.get((identity.name, identity.namespace), ())

    def identities(self) -> tuple[ServiceIdentity, ...]:
        """Every identity that some resource names, by namespace and name.

        They are the ServiceAccounts, the accounts that pods run under, and the sources of Egress policies,
        TrafficTargets and Retries.
        """
        named = {(account.name, account.namespace) for account in self.kind(ServiceAccount)}
        named |= {(pod.spec.service_account_name, pod.namespace) for pod in self.kind(Pod)}
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
        possible = (account for account in named if "." not in account[1])  # no namespace has a dot
        ordered = sorted(possible, key=lambda account: (account[1], account[0]))
        return tuple(ServiceIdentity(name, namespace) for name, namespace in ordered)

    def patched(self, patch: Mapping[str, Any] | str | bytes) -> Snapshot:
        """The snapshot with an RFC 7386 merge patch applied to its MeshConfig: a mapping, or its JSON text.

        Raises:
            PatchError: the text is no merge patch.
            LoadError: the patched MeshConfig is not valid.
        """
        tree = parse_merge_patch(patch) if isinstance(patch, (str, bytes)) else patch
        return self._with_mesh_config(merge_patch(to_mapping(self.mesh_config), tree))

    def helm_set(self, text: str) -> Snapshot:
        """The snapshot with `helm install --set` keys (`fsm.enableEgress=true`) applied to its MeshConfig.

        Raises:
            PatchError: the text cannot be read, or a key has no place in a MeshConfig.
            LoadError: the changed MeshConfig is not valid.
        """
        return self._with_mesh_config(helm_set(to_mapping(self.mesh_config), text))

    def _with_mesh_config(self, tree: Any) -> Snapshot:
        """The changed MeshConfig keeps its name: a patch that renames it would make a second one."""
        changed = structure(tree, self.mesh_config.source)
        if changed.ref != self.mesh_config.ref:
            raise PatchError(
                Problem(f"a patch of {self.mesh_config.ref}", f"one that makes it {changed.ref}")
            )
        return self.with_(changed)


_NONE: Kind[Any] = Kind()


def load(*sources: Input, strict: bool = True, lenient_fields: bool = False) -> Snapshot:
    """The snapshot of files, folders, texts, streams and mappings; see `manifest.load_resources`.

    Raises:
        LoadError: with everything that is wrong, when `strict`.
        MissingExtra: a text is YAML, and PyYAML is not installed.
    """
    loaded = load_resources(*sources, strict=strict, lenient_fields=lenient_fields)
    return Snapshot.of(loaded.resources, loaded.problems, loaded.refused)


def loads(
    text: str | bytes, name: str = "<text>", *, strict: bool = True, lenient_fields: bool = False
) -> Snapshot:
    """The snapshot of one text; errors call it `name`.

    Raises:
        LoadError: with everything that is wrong, when `strict`.
        MissingExtra: the text is YAML, and PyYAML is not installed.
    """
    return load(NamedText(text, name), strict=strict, lenient_fields=lenient_fields)
