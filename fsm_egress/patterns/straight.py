"""What can be read off a pattern whose parts stand one behind the other, without an automaton.

Most patterns are such. Which texts stand in whatever they are found in follows from their trees alone, and so
does the smallest text in which one of them is found.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, TypeAlias

from ..values.construction import frozen
from . import syntax

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ANYWHERE", "Literals", "Match", "literals_of", "shortest_match"]

LONGEST = 4096  # parts that are looked at: what stands behind them is as good as unknown


class _Gap(Enum):
    """What may stand between two parts."""

    ANYTHING = "anything but line breaks, or nothing"
    OPTIONAL = "something, or nothing"
    UNKNOWN = "something else"


_Part: TypeAlias = syntax.Chars | syntax.Assertion | _Gap

_START = syntax.Assertion(syntax.AssertionKind.START)
_END = syntax.Assertion(syntax.AssertionKind.END)
_LINE = syntax.BYTES - frozenset(b"\n\r")


def _parts(node: syntax.Node) -> Iterator[_Part]:
    """What stands one behind the other; of a repetition what is least, and a gap for more."""
    match node:
        case syntax.Chars() | syntax.Assertion():
            yield node
        case syntax.Sequence():
            yield from chain.from_iterable(map(_parts, node.items))
        case syntax.Group():
            yield from _parts(node.item)
        case syntax.Repeat():
            yield from chain.from_iterable(map(_parts, repeat(node.item, node.minimum)))
            if node.maximum is None and isinstance(node.item, syntax.Chars) and node.item.members >= _LINE:
                yield _Gap.ANYTHING
            elif node.maximum != node.minimum:
                yield _Gap.OPTIONAL
        case _:
            yield _Gap.UNKNOWN


@frozen
class _Straight:
    """The parts of a pattern, without its ends.

    Attributes:
        at_start: whether it is found at the start of a text only,
        at_end: or at the end.
    """

    parts: tuple[_Part, ...]
    at_start: bool
    at_end: bool

    @classmethod
    def of(cls, tree: syntax.Node) -> _Straight:
        """The parts of a tree; what may be left out at its ends goes, as it changes nothing."""
        parts = list(islice(_parts(tree), LONGEST + 1))
        if len(parts) > LONGEST:
            parts[LONGEST:] = [_Gap.UNKNOWN]
        at_start, at_end = parts[:1] == [_START], parts[-1:] == [_END]
        parts = parts[int(at_start) : len(parts) - int(at_end)]
        if parts[:1] == [_Gap.ANYTHING]:
            at_start = False
        if parts[-1:] == [_Gap.ANYTHING]:
            at_end = False
        while parts and not at_start and parts[0] in _LEFT_OUT:
            del parts[0]
        while parts and not at_end and parts[-1] in _LEFT_OUT:
            del parts[-1]
        return cls(tuple(parts), at_start, at_end)


_LEFT_OUT = (_Gap.ANYTHING, _Gap.OPTIONAL)


# --- texts that are needed -------------------------------------------------------------------------------

_ELSE = "\uffff"  # stands for all that is between literals: it is no byte, so it is in none of them


@frozen
class Literals:
    """Texts that stand in whatever a pattern is found in, one behind the other.

    Attributes:
        runs: these, as `searchable` texts; none is empty.
        at_start: whether the first one stands at the start.
        at_end: whether the last one stands at the end.
        suffice: whether the pattern is found wherever they stand so, in a text without line breaks.
    """

    runs: tuple[str, ...] = ()
    at_start: bool = False
    at_end: bool = False
    suffice: bool = False

    def stand_in(self, text: str) -> bool:
        """Whether they stand so in a `searchable` text."""
        at, end = 0, len(text)
        runs = list(self.runs)
        if self.at_end:
            last = runs.pop()
            end -= len(last)
            if not text.endswith(last) or (self.at_start and not runs and end):
                return False
        for place, run in enumerate(runs):
            found = text.find(run, at, end)
            if found < 0 or (found and self.at_start and not place):
                return False
            at = found + len(run)
        return True

    def imply(self, others: Literals) -> bool:
        """Whether a pattern is proved to be found, in a text without line breaks, where these stand."""
        skeleton = _ELSE.join(self.runs)
        before, after = "" if self.at_start else _ELSE, "" if self.at_end else _ELSE
        return others.suffice and others.stand_in(f"{before}{skeleton}{after}")

    def exclude(self, others: Literals) -> bool:
        """Whether a pattern with other literals is proved to be found nowhere where these stand."""
        if self.at_start and others.at_start and not _agree(self.runs[0], others.runs[0]):
            return True
        if self.at_end and others.at_end and not _agree(self.runs[-1][::-1], others.runs[-1][::-1]):
            return True
        return self._is_whole and not others.stand_in(self.runs[0])

    @property
    def _is_whole(self) -> bool:
        """Whether they are the only text in which the pattern is found."""
        return self.suffice and self.at_start and self.at_end and len(self.runs) == 1


def _agree(one: str, other: str) -> bool:
    """Whether a text can begin with both."""
    return one.startswith(other) or other.startswith(one)


def literals_of(tree: syntax.Node) -> Literals:
    """The texts that a pattern with this tree needs."""
    straight = _Straight.of(tree)
    texts = [bytearray()]
    suffice = True
    for part in straight.parts:
        if isinstance(part, syntax.Chars) and len(part.members) == 1:
            texts[-1].extend(part.members)
        else:
            texts.append(bytearray())
            suffice = suffice and part is _Gap.ANYTHING
    runs = tuple(text.decode("latin-1") for text in texts if text)
    at_start, at_end = straight.at_start and bool(texts[0]), straight.at_end and bool(texts[-1])
    return Literals(runs, at_start, at_end, suffice and bool(runs))


# --- the shortest match ----------------------------------------------------------------------------------

_VISIBLE = syntax.CLASSES["graph"]
_BEYOND = frozenset(range(0x80, 0x100))


@frozen
class Match:
    """The bytes that may stand at each place of a shortest match; longer ones have them, too.

    Attributes:
        at_start: whether it is at the start of the text.
    """

    sets: tuple[frozenset[int], ...]
    at_start: bool


ANYWHERE = Match((), at_start=False)


def shortest_match(tree: syntax.Node) -> Match | None:
    """The shortest match of a pattern with this tree.

    None where that is not known, where nothing is matched, or where only bytes beyond ASCII may stand at some
    place, as these come in groups.
    """
    straight = _Straight.of(tree)
    sets: list[frozenset[int]] = []
    for part in straight.parts:
        if isinstance(part, syntax.Chars):
            sets.append(part.members)
        elif part not in _LEFT_OUT:
            return None
    begins_with_gap = straight.at_start and straight.parts[:1] and straight.parts[0] in _LEFT_OUT
    if not sets or begins_with_gap or any(map(_is_beyond, sets)):
        return None
    return Match(tuple(sets), straight.at_start)


@lru_cache(maxsize=256)
def _is_beyond(members: frozenset[int]) -> bool:
    return members.isdisjoint(_VISIBLE) and not members.isdisjoint(_BEYOND)
