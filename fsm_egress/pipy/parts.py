"""The canonical order of a config, and the parts of it that the configs of many identities have.

What is reached in the mesh is the same for many. It is written once, in canonical order, and read once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..values.identity import Memory
from ..values.layered import Layered
from .clusters import cluster_config
from .matches import mesh_match

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..policy.parts import Cluster, MeshMatch
    from .clusters import Wire

__all__ = ["Ordered", "Parts", "canonical"]


class Ordered(dict[str, Any]):
    """A part of a config that is in canonical order, with all that is in it; nobody changes it."""


class Parts:
    """The parts that configs share, by what they are written from; threads may share them.

    Attributes:
        read: what each has been read as.
    """

    def __init__(self) -> None:
        self.read: Memory[Any] = Memory()
        self._written: Memory[Ordered] = Memory()

    def match(self, match: MeshMatch) -> Wire:
        """An in-mesh match of `TrafficMatches`."""
        return self._once(match, mesh_match)

    def cluster(self, cluster: Cluster) -> Wire:
        """A cluster of `ClustersConfigs`."""
        return self._once(cluster, cluster_config)

    def _once(self, it: Any, write: Callable[[Any], Wire]) -> Wire:
        return self._written.once(it, lambda _: Ordered(canonical(write(it))))


def canonical(tree: Wire) -> Wire:
    """A tree in the order in which it is written: with sorted keys, of `TrafficMatches` by number.

    Lists keep their order: it is the sidecar's.
    """
    found: Wire = _ordered(tree, Memory())
    return found


def _ordered(value: Any, known: Memory[Any], *, ports: bool = False) -> Any:
    if isinstance(value, (str, Ordered)):  # what most are
        return value
    if isinstance(value, Layered):
        around = known.once(value.around, lambda it: _ordered(it, known))
        return Layered(_ordered(value.own, known), around)
    if isinstance(value, (dict, Mapping)):
        keys = sorted(value, key=int) if ports else sorted(value)
        return {key: _ordered(value[key], known, ports=key == "TrafficMatches") for key in keys}
    if isinstance(value, (list, tuple)):
        return [_ordered(item, known) for item in value]
    return value
