"""Where a Kubernetes API server has each kind that the library reads."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from ..manifests.making import CLUSTER_SCOPED
from ..values.construction import frozen

if TYPE_CHECKING:
    from ..resources.resource import Resource

__all__ = ["Served", "served"]


@frozen
class Served:
    """A kind in one version of its API group.

    Attributes:
        group: `policy.flomesh.io`; empty for the core of Kubernetes.
        plural: the name of the kind in paths.
        in_namespaces: whether its objects are in namespaces.
    """

    kind: str
    group: str
    version: str
    plural: str
    in_namespaces: bool

    @property
    def api_version(self) -> str:
        """`v1`, `policy.flomesh.io/v1alpha1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of all objects, of those of a namespace, or of one object."""
        root = f"/{'apis' if self.group else 'api'}/{self.api_version}"
        space = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{space}/{self.plural}{f'/{name}' if name else ''}"


def served(kind: type[Resource]) -> tuple[tuple[Served, ...], ...]:
    """Where a kind may be: for each API group that has had it, the current one first, its versions."""
    parts = [version.rpartition("/") for version in kind.api_versions]
    return tuple(
        tuple(
            Served(kind.kind, group, version, _plural(kind.kind), kind not in CLUSTER_SCOPED)
            for _, _, version in versions
        )
        for group, versions in groupby(parts, key=lambda it: it[0])
    )


def _plural(kind: str) -> str:
    """The name of a kind in paths, as Kubernetes makes it of the kind."""
    word = kind.lower()
    if word == "endpoints":
        return word
    if word.endswith("y") and word[-2] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("s") else f"{word}s"
