"""Which of many conditions may hold of some texts, told by the literal texts that they need.

Searched one after the other, thousands of patterns are thousands of searches. Nearly all need some text that
few others need: it is looked up, and only where it stands is the pattern itself worth searching.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from attrs import field

from ..values.construction import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from . import Pattern

__all__ = ["MANY", "Needed", "Prefilter", "needs"]

MANY = 16  # conditions, from which on it is worth its making
LONGEST = 32  # characters of a text that is looked for anywhere

Needed: TypeAlias = tuple[str, bool, str]
"""Where a `searchable` text is needed, whether at the start there, and the text."""


def needs(where: str, pattern: Pattern) -> Iterator[Needed]:
    """The texts that a pattern needs where it is searched."""
    literals = pattern.literals
    for place, text in enumerate(literals.runs):
        yield where, literals.at_start and not place, text


@frozen(eq=False)
class _Lookup:
    """What needs a text in one place, by its length and then by the text."""

    at_start: dict[int, dict[str, list[int]]] = field(factory=dict)
    anywhere: dict[int, dict[str, list[int]]] = field(factory=dict)

    def add(self, number: int, text: str, *, is_at_start: bool) -> None:
        by_length = self.at_start if is_at_start else self.anywhere
        by_length.setdefault(len(text), {}).setdefault(text, []).append(number)

    def found(self, text: str) -> Iterator[int]:
        for length, known in self.at_start.items():
            yield from known.get(text[:length], ())
        for length, known in self.anywhere.items():
            parts = {text[at : at + length] for at in range(len(text) - length + 1)}
            for part in known.keys() & parts:
                yield from known[part]


@frozen(eq=False)
class Prefilter:
    """Conditions, each by one of the texts that it needs.

    Attributes:
        always: those that need none.
        lookups: the others, by where their text is needed.
    """

    always: tuple[int, ...]
    lookups: Mapping[str, _Lookup]

    @classmethod
    def of(cls, conditions: Iterable[Iterable[Needed]]) -> Prefilter:
        """The filter of some conditions, each given as all that it needs.

        Of this, that is looked up which the fewest others need, and of such texts the longest.
        """
        needed = [list(map(_cut, texts)) for texts in conditions]
        often = Counter(it for texts in needed for it in texts)
        always: list[int] = []
        lookups: dict[str, _Lookup] = {}
        for number, texts in enumerate(needed):
            where, is_at_start, text = min(texts, key=lambda it: (often[it], -len(it[2])), default=_NOTHING)
            if text:
                lookups.setdefault(where, _Lookup()).add(number, text, is_at_start=is_at_start)
            else:
                always.append(number)
        return cls(tuple(always), lookups)

    def left(self, texts: Iterable[tuple[str, str]]) -> Sequence[int]:
        """The numbers of the conditions that may hold, in order.

        Args:
            texts: the `searchable` texts, each after where it stands; an empty one may be left out.
        """
        found = {*self.always}
        for where, text in texts:
            if where in self.lookups:
                found.update(self.lookups[where].found(text))
        return sorted(found)


_NOTHING: Needed = ("", False, "")


def _cut(needed: Needed) -> Needed:
    """What is looked up of a text: of one that may stand anywhere the end, as many begin alike."""
    where, is_at_start, text = needed
    return needed if is_at_start else (where, False, text[-LONGEST:])
