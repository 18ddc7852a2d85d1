"""What can be read off a pattern whose parts stand one behind the other, without an automaton.

Most patterns are such, or a few of them of which one is to be found: `^/(?:v1|v2)/items` is two. Which texts
stand in whatever they are found in follows from their trees alone, and so does the smallest text in which one
of them is found.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeAlias

from ..values.construction import frozen
from . import syntax

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["ANYWHERE", "Literals", "Match", "exclude", "imply", "literals_of", "shortest_matches"]

LONGEST = 4096  # parts that are looked at: what stands behind them is as good as unknown
MOST = 16  # patterns that one is taken for: alternatives beyond them are as good as unknown


class _Gap(Enum):
    """What may stand between two parts."""

    ANYTHING = "anything but line breaks, or nothing"
    OPTIONAL = "something, or nothing"
    UNKNOWN = "something else"


_Part: TypeAlias = syntax.Chars | syntax.Assertion | _Gap

_START = syntax.Assertion(syntax.AssertionKind.START)
_END = syntax.Assertion(syntax.AssertionKind.END)
_LINE = syntax.BYTES - frozenset(b"\n\r")


def _options(node: syntax.Node) -> list[list[_Part]]:
    """What may stand one behind the other; of a repetition what is least, and a gap for more."""
    match node:
        case syntax.Chars() | syntax.Assertion():
            return [[node]]
        case syntax.Sequence():
            return _joined(map(_options, node.items))
        case syntax.Group():
            return _options(node.item)
        case syntax.Alternation():
            options = list(chain.from_iterable(map(_options, node.options)))
            return options if len(options) <= MOST else [[_Gap.UNKNOWN]]
        case syntax.Repeat():
            least = repeat(_options(node.item), node.minimum)
            return _joined(chain(least, [[_more(node)]]))
        case _:
            return [[_Gap.UNKNOWN]]


def _more(node: syntax.Repeat) -> list[_Part]:
    """What a repetition may match beyond what is least."""
    if node.maximum is None and isinstance(node.item, syntax.Chars) and node.item.members >= _LINE:
        return [_Gap.ANYTHING]
    return [] if node.maximum == node.minimum else [_Gap.OPTIONAL]


def _joined(parts: Iterable[list[list[_Part]]]) -> list[list[_Part]]:
    """What may stand one behind the other where each of some parts has several options."""
    joined: list[list[_Part]] = [[]]
    for options in parts:
        told_apart = options if len(joined) * len(options) <= MOST else [[_Gap.UNKNOWN]]
        if len(told_apart) > 1:
            joined = [[*before, *option] for before in joined for option in told_apart]
        else:
            for before in joined:
                before.extend(told_apart[0])
        if max(map(len, joined)) > LONGEST:
            return [[*option[:LONGEST], _Gap.UNKNOWN] for option in joined]
    return joined


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
    def of(cls, parts: list[_Part]) -> _Straight:
        """The pattern of these parts; what may be left out at its ends goes, as it changes nothing."""
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


def _straight(tree: syntax.Node) -> list[_Straight]:
    """The patterns of which one is to be found."""
    return list(map(_Straight.of, _options(tree)))


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
        """Whether it is proved that others, too, stand and suffice in a text without line breaks."""
        skeleton = _ELSE.join(self.runs)
        before, after = "" if self.at_start else _ELSE, "" if self.at_end else _ELSE
        return others.suffice and others.stand_in(f"{before}{skeleton}{after}")

    def exclude(self, others: Literals) -> bool:
        """Whether it is proved that others stand nowhere where these do."""
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


def imply(these: Collection[Literals], others: Collection[Literals]) -> bool:
    """Whether one pattern is proved to be found wherever another is, in texts without line breaks."""
    return all(any(it.imply(other) for other in others) for it in these)


def exclude(these: Collection[Literals], others: Collection[Literals]) -> bool:
    """Whether one pattern is proved to be found nowhere where another is."""
    return all(it.exclude(other) for it in these for other in others)


def literals_of(tree: syntax.Node) -> tuple[Literals, ...]:
    """The texts that a pattern with this tree needs; where it has alternatives, for each of them."""
    return tuple(map(_literals, _straight(tree)))


def _literals(straight: _Straight) -> Literals:
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


ANYWHERE = (Match((), at_start=False),)


def shortest_matches(tree: syntax.Node) -> tuple[Match, ...] | None:
    """The shortest match of a pattern with this tree; where it has alternatives, that of each of them.

    None where that is not known, where nothing is matched, or where only bytes beyond ASCII may stand at some
    place, as these come in groups.
    """
    found = list(map(_shortest, _straight(tree)))
    known = tuple(match for match in found if match is not None)
    return known if len(known) == len(found) else None


def _shortest(straight: _Straight) -> Match | None:
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
