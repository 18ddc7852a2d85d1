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

__all__ = ["Needed", "Prefilter", "needs"]

LONGEST = 32  # characters of a text that is looked for anywhere

Text: TypeAlias = tuple[str, bool, str]
"""Where a `searchable` text stands, whether at the start there, and the text."""
Needed: TypeAlias = tuple[Text, ...]
"""Texts of which one is needed."""


def needs(where: str, pattern: Pattern) -> Iterator[Needed]:
    """What a pattern needs where it is searched; of alternatives, the longest text of each."""
    options = [
        [(where, not at and it.at_start, run) for at, run in enumerate(it.runs)] for it in pattern.literals
    ]
    if len(options) == 1:
        yield from ((text,) for text in options[0])
    elif all(options):
        yield tuple(max(texts, key=_length) for texts in options)


def _length(text: Text) -> int:
    return len(text[2])


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
        needed = [[tuple(map(_cut, texts)) for texts in condition] for condition in conditions]
        often = Counter(text for condition in needed for texts in condition for text in texts)
        always: list[int] = []
        lookups: dict[str, _Lookup] = {}

        def how_good(texts: Needed) -> tuple[int, int]:
            return -max(often[text] for text in texts), min(map(_length, texts))

        for number, condition in enumerate(needed):
            texts = max(filter(_is_some, condition), key=how_good, default=())
            for where, is_at_start, text in texts:
                lookups.setdefault(where, _Lookup()).add(number, text, is_at_start=is_at_start)
            if not texts:
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


def _is_some(texts: Needed) -> bool:
    return all(map(_length, texts))


def _cut(text: Text) -> Text:
    """What is looked up of a text: of one that may stand anywhere the end, as many begin alike."""
    where, is_at_start, whole = text
    return text if is_at_start else (where, False, whole[-LONGEST:])
