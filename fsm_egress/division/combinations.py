"""Paths and headers divided by the patterns that are searched in them, exactly (`patterns/automata.py`).

A *way* is a combination of first conditions that hold, one from each of several lists; it is shown by the
smallest path and header values. Of thousands of patterns only those are searched in a text that may be found
there, and automata are asked of those only that turn out to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import chain, islice
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field

from ..patterns import MANY, Pattern, searchable
from ..patterns.automata import Effort, Texts, Undecided, witness
from ..patterns.prefilter import Prefilter, needs
from ..patterns.straight import exclude, imply
from ..values.construction import frozen
from ..values.identity import each_once
from .classes import Found, Literal, Missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .classes import Condition

__all__ = ["Way", "ways_of"]

EFFORT = 20_000  # steps in the search for the requests to one host, before what is left is named as undecided
STATES = 1_000_000  # of single automata that it may go through, before what they are asked is undecided
AT_ONCE = 8  # patterns more of which automata are asked
WHOLE = 64  # patterns all of which are asked where some of them were too many

Fronts: TypeAlias = "tuple[int, ...]"
"""Of each list the first condition that holds; during the search, how many are known to fail."""


@frozen
class Way:
    """A path and headers with which a combination of conditions is the first to hold.

    Attributes:
        headers: by name; one that is empty is left out.
        found: what these conditions ask for.
        missing: what those before them ask for, which is not found.
        undecided: what could not be decided about further ways; then path and headers show nothing.
    """

    path: str
    headers: Mapping[str, str]
    found: Found = ()
    missing: Missing = ()
    undecided: str = ""


@lru_cache(maxsize=1024)
def ways_of(lists: tuple[tuple[Condition, ...], ...]) -> tuple[Way, ...]:
    """A way for each combination of first conditions that can hold, one from each list."""
    search = _Search.of(lists)
    found = [
        Way(
            texts.get("", "/"),
            {name: text for name, text in sorted(texts.items()) if name},
            search.found(fronts),
            search.missing(fronts),
        )
        for fronts, texts in search.ways()
    ]
    if search.undecided:
        found.append(Way("/", {}, undecided=search.undecided))
    return tuple(found)


def _literals(condition: Condition) -> tuple[Literal, ...]:
    path = () if condition.path is None else (("", condition.path),)
    return (*path, *condition.headers)


@define(eq=False)
class _Search:
    """The search for the ways of some lists: one pattern after the other is decided to be found, or not.

    Attributes:
        lists: what each condition asks for.
        places: what is searched in the path, which has no name, and in each header.
        chosen: what is decided so far.
        undecided: what could not be decided about further ways; it is known once all others are found.
    """

    lists: list[list[tuple[Literal, ...]]]
    places: dict[str, _Place]
    chosen: list[Literal] = field(factory=list)
    undecided: str = ""

    @classmethod
    def of(cls, lists: tuple[tuple[Condition, ...], ...]) -> _Search:
        known: dict[tuple[Literal, ...], tuple[Literal, ...]] = {}  # so that equal ones are the same
        each = (map(_literals, conditions) for conditions in lists)
        asked = [[known.setdefault(literals, literals) for literals in some] for some in each]
        patterns: dict[str, dict[Pattern, None]] = {}
        for name, pattern in chain.from_iterable(known):
            patterns.setdefault(name, {})[pattern] = None
        effort = Effort(STATES)
        places = {name: _Place.of(name, tuple(some), effort) for name, some in patterns.items()}
        return cls(asked, places)

    def ways(self) -> Iterator[tuple[Fronts, Mapping[str, str]]]:
        """The fronts of each way, with the texts that show it."""
        shown: set[Fronts] = set()
        pending = [_Open((0,) * len(self.lists), 0, None, {})]
        steps = 0
        while pending:
            steps += 1
            if steps > EFFORT:
                self.undecided = f"more than {EFFORT} steps would be needed for all requests to a host"
                return
            it = pending.pop()
            self.go_back(it.depth)
            if it.choice is not None:
                literal, is_found = it.choice
                self.choose(literal, found=is_found)
            fronts, asked = self.settled(it.fronts)
            if asked is None:
                if fronts not in shown:
                    shown.add(fronts)
                    yield fronts, it.texts
            elif not self.are_shown(fronts, shown):
                pending.extend(self.going_on(fronts, asked, it.texts))

    def going_on(self, fronts: Fronts, asked: Literal, texts: Mapping[str, str]) -> Iterator[_Open]:
        """What is open where a pattern is found, and where it is not; the last is looked at first."""
        name, pattern = asked
        place = self.places[name]
        known = texts.get(name, place.least)
        for found in (True, False):
            try:
                text = place.smallest(pattern, known, found=found)
            except Undecided as error:
                self.undecided = str(error)
                continue
            if text is not None:
                left = texts if text == known else {**texts, name: text}
                yield _Open(fronts, len(self.chosen), (asked, found), left)

    def choose(self, literal: Literal, *, found: bool) -> None:
        """Decide that a pattern is found, or that it is not."""
        name, pattern = literal
        self.places[name].decide(pattern, found=found)
        self.chosen.append(literal)

    def go_back(self, depth: int) -> None:
        """Take back what was decided but for the first so many."""
        while len(self.chosen) > depth:
            name, pattern = self.chosen.pop()
            self.places[name].take_back(pattern)

    def settled(self, fronts: Fronts) -> tuple[Fronts, Literal | None]:
        """The first conditions that may still hold, and the first pattern that they turn on."""
        moved: list[int] = []
        asked: Literal | None = None
        for conditions, start in zip(self.lists, fronts, strict=True):
            front = start
            while front < len(conditions):
                known = [self.places[name].known(pattern) for name, pattern in conditions[front]]
                if False not in known:
                    unknown = (
                        it for it, found in zip(conditions[front], known, strict=True) if found is None
                    )
                    asked = asked or next(unknown, None)
                    break
                front += 1
            moved.append(front)
        return tuple(moved), asked

    def are_shown(self, fronts: Fronts, shown: set[Fronts]) -> bool:
        """Whether every combination from here on has been shown."""
        rest = prod(len(conditions) + 1 - front for conditions, front in zip(self.lists, fronts, strict=True))
        beyond = (all(map(int.__ge__, found, fronts)) for found in shown)
        return rest <= len(shown) and sum(beyond) == rest

    def found(self, fronts: Fronts) -> Found:
        """What the first conditions that hold ask for."""
        firsts = (conditions[front : front + 1] for conditions, front in zip(self.lists, fronts, strict=True))
        return tuple(dict.fromkeys(chain.from_iterable(chain.from_iterable(firsts))))

    def missing(self, fronts: Fronts) -> Missing:
        """What those before them ask for, which is not found."""
        before = [conditions[:front] for conditions, front in zip(self.lists, fronts, strict=True)]
        return tuple(before[0]) if len(before) == 1 else each_once(chain.from_iterable(before))


@frozen
class _Open:
    """What is still to be looked at: from which fronts and choices on, what to choose next, and the texts.

    Texts that are the least of all are left out.
    """

    fronts: Fronts
    depth: int
    choice: tuple[Literal, bool] | None
    texts: Mapping[str, str]


@define(eq=False)
class _Place:
    """What is searched in one text: the path, or the value of a header.

    Attributes:
        least: the smallest text of all.
        decided: which patterns are to be found, and which are not.
        wanted: those that are, in the order of decisions.
    """

    texts: Texts
    least: str
    patterns: tuple[Pattern, ...]
    prefilter: Prefilter | None
    effort: Effort
    decided: dict[Pattern, bool] = field(factory=dict)
    wanted: list[Pattern] = field(factory=list)

    @classmethod
    def of(cls, name: str, patterns: tuple[Pattern, ...], effort: Effort) -> _Place:
        prefilter = Prefilter.of(needs("", it) for it in patterns) if len(patterns) >= MANY else None
        texts, least = (Texts.VALUE, "") if name else (Texts.PATH, "/")
        return cls(texts, least, patterns, prefilter, effort)

    def decide(self, pattern: Pattern, *, found: bool) -> None:
        """Decide about a pattern."""
        self.decided[pattern] = found
        if found:
            self.wanted.append(pattern)

    def take_back(self, pattern: Pattern) -> None:
        """Take the last decision back."""
        if self.decided.pop(pattern):
            self.wanted.pop()

    def known(self, pattern: Pattern) -> bool | None:
        """Whether a pattern is to be found, as far as that is decided or follows from what is."""
        found = self.decided.get(pattern)
        if found is None and any(exclude(it.literals, pattern.literals) for it in self.wanted):
            return False
        return found

    def found_in(self, text: str) -> Iterator[Pattern]:
        """The patterns that are found in a text."""
        searched = searchable(text)
        left: Iterable[Pattern] = self.patterns
        if self.prefilter is not None:
            left = (self.patterns[at] for at in self.prefilter.left([("", searched)]))
        return (pattern for pattern in left if pattern.find(searched))

    def smallest(self, pattern: Pattern, known: str, *, found: bool) -> str | None:
        """The smallest text for all that is decided and one pattern more; None if there is none.

        The smallest for a few patterns is the smallest for all, where it is right for all.

        Args:
            pattern: that pattern.
            known: the smallest for what is decided so far.
            found: whether the pattern is to be found.

        Raises:
            Undecided: if neither a text nor the proof that there is none was found within bounds.
        """
        if pattern.search(known) is found:
            return known
        wanted = [*self.wanted, pattern] if found else self.wanted
        deciding = dict.fromkeys(wanted, True)
        try:
            while (text := self.asked(deciding)) is not None:
                unwanted = (
                    it
                    for it in self.found_in(text)
                    if not (found if it == pattern else self.decided.get(it, True))
                )
                wrong = list(islice(unwanted, AT_ONCE))
                if not wrong:
                    return text
                if any(imply(one.literals, other.literals) for one in wanted for other in wrong):
                    return None
                deciding.update(dict.fromkeys(wrong, False))
        except Undecided:
            if len(self.decided) >= WHOLE:
                raise
            return self.asked({**self.decided, pattern: found})
        return None

    def asked(self, wanted: Mapping[Pattern, bool]) -> str | None:
        """The smallest text for some patterns."""
        return witness(wanted.items(), self.texts, effort=self.effort)
