"""All resources of one kind, by namespace and name; Egress policies also by the sources that they name."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Generic, TypeVar

from attrs import field

from ..resources.egress import EgressPolicy
from ..resources.resource import Resource
from ..values.construction import frozen

__all__ = ["SERVICE_ACCOUNT", "Kind", "Name", "name_of"]

R = TypeVar("R", bound=Resource)

SERVICE_ACCOUNT = "ServiceAccount"

Name = tuple[str, str]
"""A namespace and a name, or of an account its name and namespace."""
SourceName = tuple[str, str, str]
"""Kind, name and namespace of a source."""


@frozen(eq=False)
class Kind(Generic[R]):
    """All resources of one kind, by namespace and name, in that order."""

    _spaces: Mapping[str, Mapping[str, R]] = field(factory=dict)
    _sources: Mapping[SourceName, tuple[EgressPolicy, ...]] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, resources: Mapping[Name, R]) -> Kind[R]:
        """The kind of these resources, which are given by namespace and name."""
        return cls(_by_space(resources.items(), {}))

    def __iter__(self) -> Iterator[R]:
        return chain.from_iterable([space.values() for space in self._spaces.values()])

    def __len__(self) -> int:
        return sum(map(len, self._spaces.values()))

    def __eq__(self, other: object) -> bool:
        return self._spaces == other._spaces if isinstance(other, Kind) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple([(namespace, len(space)) for namespace, space in self._spaces.items()]))

    def __getitem__(self, name: Name) -> R:
        return self._spaces[name[0]][name[1]]

    def get(self, namespace: str, name: str) -> R | None:
        """The resource of this name, if there is one."""
        space = self._spaces.get(namespace)
        return None if space is None else space.get(name)

    def __reduce__(self) -> tuple[type[Kind[R]], tuple[Mapping[str, Mapping[str, R]]]]:
        """Pickled without what is known of it: it can be worked out again."""
        return Kind, (self._spaces,)

    def changed(self, put: Mapping[Name, R], gone: Iterable[Name] = ()) -> Kind[R]:
        """The kind with these resources put in, and without those; what is known is followed up."""
        found = ((name, self.get(*name)) for name in dict.fromkeys((*put, *gone)))
        before = {name: resource for name, resource in found if resource is not None}
        spaces = _by_space(put.items(), self._spaces)
        away: dict[str, set[str]] = {}
        for namespace, name in gone:
            away.setdefault(namespace, set()).add(name)
        for namespace, names in away.items():
            spaces[namespace] = {name: it for name, it in spaces[namespace].items() if name not in names}
            if not spaces[namespace]:
                del spaces[namespace]
        if self._sources is None:
            return Kind(spaces)
        touched = _sources_of([*before.values(), *put.values()])
        sources = dict(self._sources)
        for source, policies in touched.items():
            named = list(sources.pop(source, ()))
            for policy in policies:
                at = bisect_left(named, name_of(policy), key=name_of)
                there = at < len(named) and name_of(named[at]) == name_of(policy)
                named[at : at + there] = [policy] if put.get(name_of(policy)) is policy else []
            if named:
                sources[source] = tuple(named)
        return Kind(spaces, sources)

    @cached_property
    def by_namespace(self) -> Mapping[str, tuple[R, ...]]:
        """The resources of each namespace, by name."""
        return {namespace: tuple(space.values()) for namespace, space in self._spaces.items()}

    @property
    def sources(self) -> Mapping[SourceName, tuple[EgressPolicy, ...]]:
        """The Egress policies by each source that they name, whatever its kind."""
        sources = self._sources
        if sources is None:
            sources = {source: tuple(policies) for source, policies in _sources_of(self).items()}
            object.__setattr__(self, "_sources", sources)
        return sources

    @property
    def by_source(self) -> Mapping[Name, tuple[EgressPolicy, ...]]:
        """The Egress policies that name an account as their source, by its name and namespace."""
        accounts = self.sources.items()
        return {
            (name, space): policies for (kind, name, space), policies in accounts if kind == SERVICE_ACCOUNT
        }


def _sources_of(resources: Iterable[Resource]) -> dict[SourceName, list[EgressPolicy]]:
    """The Egress policies among some resources by each source that they name, each once."""
    found: dict[SourceName, list[EgressPolicy]] = {}
    for policy in resources:
        if isinstance(policy, EgressPolicy):
            for source in policy.spec.sources:
                named = found.setdefault((source.kind, source.name, source.namespace), [])
                if not named or named[-1] is not policy:
                    named.append(policy)
    return found


def name_of(resource: Resource) -> Name:
    """The namespace and the name of a resource."""
    return resource.metadata.namespace, resource.metadata.name


def _by_space(
    put: Iterable[tuple[Name, R]], before: Mapping[str, Mapping[str, R]]
) -> dict[str, Mapping[str, R]]:
    """Resources by namespace, then by name, each in its order: those before, and these."""
    fresh: dict[str, dict[str, R]] = {}
    for (namespace, name), resource in put:
        fresh.setdefault(namespace, {})[name] = resource
    spaces = dict(before)
    for namespace, resources in fresh.items():
        known = spaces.get(namespace, {})
        merged = {**known, **resources}
        is_longer = len(merged) > len(known)
        spaces[namespace] = dict(sorted(merged.items(), key=_FIRST)) if is_longer else merged
    return dict(sorted(spaces.items(), key=_FIRST)) if len(spaces) > len(before) else spaces


_FIRST = itemgetter(0)
