"""Places in layers: what many places share about hosts and server names is looked at once, and not in each.

A layer is a combination of places, one of each reading. What the places around it list is decided there as it
is around, but for the words that one of its places lists itself (`Place.around`).
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping

    from ..values.dialling import Span
    from .classes import Place

__all__ = ["Layer", "Placed", "layers_of"]

Placed: TypeAlias = "tuple[tuple[Span, ...], tuple[Place, ...]]"
"""Spans of addresses, and the place that each reading has there."""
_Group: TypeAlias = "dict[tuple[Place, ...], tuple[Span, ...]]"
Tell: TypeAlias = "Callable[[tuple[Place, ...]], Hashable]"


class Layer:
    """Places that list the same words, in the midst of others that list these and more.

    Attributes:
        start: the first address where it is, or what lies within.
        places: one of each reading.
        own: the words that are not decided as they are around, in lower case, each as it is written.
        words: all that are listed, in lower case.
        here: where exactly these are listed.
    """

    def __init__(
        self, start: int, places: tuple[Place, ...], around: Layer | None, own: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.start: int = start
        self.places: tuple[Place, ...] = places
        self.own: Mapping[str, tuple[str, ...]] = own
        self.words: frozenset[str] = frozenset(own) | (around.words if around else frozenset())
        self.here: list[Placed] = []
        self.around = around
        self.within: list[Layer] = []
        self.apart: dict[str, list[Layer]] = {}
        self.groups: dict[Hashable, dict[Hashable, _Group]] = {}
        self.parts: dict[Hashable, list[Placed]] = {}
        if around is not None:
            around.within.append(self)
            for word in own:
                self._set_apart(word)

    def _set_apart(self, word: str) -> None:
        """Tells the layers around in which a word is listed that it is decided otherwise here."""
        at = self.around
        while at is not None and word in at.words:
            if word in at.own:
                at.apart.setdefault(word, []).append(self)
                return
            at = at.around

    def written(self, word: str) -> tuple[str, ...]:
        """How a word is written that is listed here."""
        at: Layer | None = self
        while at is not None:
            if word in at.own:
                return at.own[word]
            at = at.around
        return ()

    def alike(self, word: str, told: Hashable, tell: Tell) -> list[Placed]:
        """Where one of its own words is decided as it is here, in as many parts as are told apart.

        Args:
            word: in lower case.
            told: what tells places apart, by name.
            tell: the same, of some places.
        """
        if told not in self.groups:
            self.groups[told] = groups = _groups(self.placed(), tell)
            self.parts[told] = [_part(group) for group in groups.values()]
        apart = self.apart.get(word)
        if not apart:
            return self.parts[told]
        gone = _groups((it for layer in apart for it in layer.placed()), tell)
        left: list[Placed] = []
        for (key, group), part in zip(self.groups[told].items(), self.parts[told], strict=True):
            if key not in gone:
                left.append(part)
            elif len(gone[key]) < len(group):
                left.append(_part({it: group[it] for it in group if it not in gone[key]}))
        return left

    def placed(self) -> Iterator[Placed]:
        """Where it is, with all layers within."""
        pending: list[Layer] = [self]
        while pending:
            layer = pending.pop()
            yield from layer.here
            pending.extend(reversed(layer.within))


def _groups(placed: Iterable[Placed], tell: Tell) -> dict[Hashable, _Group]:
    """Where places are, by what tells them apart."""
    groups: dict[Hashable, _Group] = {}
    for spans, places in placed:
        groups.setdefault(tell(places), {})[places] = spans
    return groups


def _part(group: _Group) -> Placed:
    """The spans of all places of a group, with the first of these places."""
    return joined(list(group.values())), next(iter(group))


def joined(several: list[tuple[Span, ...]]) -> tuple[Span, ...]:
    """Spans of several in order."""
    return several[0] if len(several) == 1 else tuple(sorted(chain.from_iterable(several)))


def layers_of(
    placed: Iterable[Placed],
    listing: Callable[[Place], tuple[Place | None, Collection[str]]],
    shared: Callable[[Place], Hashable],
) -> Collection[Layer]:
    """The layers of some places, each behind those around it.

    Args:
        placed: where they are, by their first address.
        listing: the place that lies around one, and the words that it lists beside that.
        shared: what is the same of places without one around them that decide alike about what they list.
    """
    layers: dict[Hashable, Layer] = {}

    def layer_of(start: int, places: tuple[Place, ...]) -> Layer:
        listed = [listing(place) for place in places]
        is_inner = any(around is not None for around, _ in listed)
        key = places if is_inner else tuple([shared(place) for place in places])
        if key not in layers:
            outer = tuple([around or place for place, (around, _) in zip(places, listed, strict=True)])
            around = layer_of(start, outer) if is_inner else None
            own = [words for it, words in listed if it is not None or not is_inner]
            layers[key] = Layer(start, places, around, _written(chain.from_iterable(own), around))
        return layers[key]

    for spans, places in placed:
        layer_of(spans[0][0], places).here.append((spans, places))
    return layers.values()


def _written(words: Iterable[str], around: Layer | None) -> dict[str, tuple[str, ...]]:
    """The words by how they are in lower case, with those around that are so, too."""
    found: dict[str, set[str]] = {}
    for word in words:
        found.setdefault(word.lower(), set()).add(word)
    if around is not None:
        for word in around.words.intersection(found):
            found[word].update(around.written(word))
    return {word: tuple(sorted(found[word])) for word in sorted(found)}
