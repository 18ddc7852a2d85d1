"""Mappings laid over others: a thousand that differ in little share what they have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from .construction import frozen

__all__ = ["Layered", "parts_of"]

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)


@frozen(eq=False, repr=False)
class Layered(Mapping[str, V_co]):
    """What a mapping holds itself, and for every other key what is held around it; its keys are in order.

    Attributes:
        own: what it holds itself.
        around: what lies around it, perhaps in layers, too.
    """

    own: Mapping[str, V_co]
    around: Mapping[str, V_co]

    def __getitem__(self, key: str) -> V_co:
        layer: Layered[V_co] = self
        while key not in layer.own:
            if not isinstance(layer.around, Layered):
                return layer.around[key]
            layer = layer.around
        return layer.own[key]

    def __contains__(self, key: object) -> bool:
        return key in self.own or key in self.around

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self.own, *self.around}))

    def __len__(self) -> int:
        return len({*self.own, *self.around})

    def __bool__(self) -> bool:
        return bool(self.own or self.around)

    def parts(self) -> Iterator[tuple[Mapping[str, V_co], frozenset[str]]]:
        """Each layer from the inmost on, with those of its keys that another layer has before it."""
        layer: Layered[V_co] = self
        seen: set[str] = set()
        while True:
            yield layer.own, frozenset(key for key in seen if key in layer.own)
            seen.update(layer.own)
            if not isinstance(layer.around, Layered):
                around = layer.around
                yield around, frozenset(key for key in seen if key in around)
                return
            layer = layer.around

    def whole(self) -> dict[str, V_co]:
        """All of it as a plain dictionary."""
        at: Mapping[str, V_co] = self
        found: dict[str, V_co] = {}
        while isinstance(at, Layered):
            found = {**at.own, **found}
            at = at.around
        return dict(sorted({**at, **found}.items()))


def parts_of(mapping: Mapping[str, V]) -> Iterator[tuple[Mapping[str, V], frozenset[str]]]:
    """The layers of any mapping, as `Layered.parts` has them."""
    if isinstance(mapping, Layered):
        yield from mapping.parts()
    else:
        yield mapping, frozenset()
