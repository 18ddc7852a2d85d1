"""Whether there is a text in which some patterns are found and others are not, and the smallest such text.

Each pattern becomes an automaton over bytes that has found it once it stands at a certain place; so do the
texts that count, and those that do not. All automata read the same text, in states that are made as they are
needed, until the patterns can no longer come out as they are wanted. What automata cannot say of
look-aheads and back-references, `Pattern.search` says of the texts that they let pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial, reduce
from heapq import heappop, heappush
from itertools import chain, compress, islice, product
from math import inf, prod
from operator import and_
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, field

from ..values.construction import frozen
from . import syntax
from .captures import torn
from .core import core
from .machines import SPELLED, Automaton, State, Undecided
from .search import steps_by_byte
from .straight import ANYWHERE, Match, shortest_matches
from .texts import Texts, smallest_with, trees_of

if TYPE_CHECKING:
    from . import Pattern

__all__ = ["Effort", "Texts", "Undecided", "witness"]

STATES = 50_000  # of all automata together
SIZE = 2_000_000  # places in all these states
WAYS = 64  # in which look-aheads come out, before they are only tried
ATTEMPTS = 300  # texts, and beginnings of texts, that are tried with all bytes,
MORE_ATTEMPTS = 3_000  # and with one byte of each kind,
TRIED = 1_000_000  # steps of all searches that this takes, however slow the patterns
KEPT = 4_096  # states that one question may leave behind for the next


class Effort:
    """What several questions may take together.

    Attributes:
        left: how many states of single automata they may still go through.
    """

    def __init__(self, states: float = inf) -> None:
        self.left: float = states

    def spend(self, states: int) -> None:
        """Go through some states; raises `Undecided` if they are too many."""
        self.left -= states
        if self.left <= 0:
            raise Undecided("the patterns have too many states for all questions about them")


@lru_cache(maxsize=1024)
def _steps(pattern: Pattern) -> float:
    """The steps that a search takes for each byte of a text."""
    return steps_by_byte(pattern.tree)


_START = syntax.Assertion(syntax.AssertionKind.START)
_END = syntax.Assertion(syntax.AssertionKind.END)


_Part: TypeAlias = tuple[Automaton, bool]


_Way: TypeAlias = tuple[_Part, ...]


@lru_cache(maxsize=1024)
def _ways(pattern: Pattern) -> dict[bool, tuple[_Way, ...]]:
    """The ways in which a pattern is found, or is not: what automata find, or do not find, in each."""
    if pattern.matches_everything:
        return {True: ((),), False: ()}
    trees, exact = _parts(core(pattern.tree))
    parts = tuple((Automaton.of(_regular(tree)), finds) for tree, finds in trees)
    missed = tuple(((automaton, not finds),) for automaton, finds in parts)
    return {True: (parts,), False: missed if exact else ((),)}


def _parts(tree: syntax.Node) -> tuple[tuple[tuple[syntax.Node, bool], ...], bool]:
    """Trees that are found, or are not, where the given one is found; and whether nowhere else.

    A look-ahead is a tree of its own if what stands before it begins at the start of the text and has a fixed
    length: then there is one place only from which it looks.
    """
    while isinstance(tree, syntax.Group):
        tree = tree.item
    plain: list[syntax.Node] = []
    ahead: list[tuple[syntax.Node, bool]] = []
    asked_once = True
    for item in tree.items if isinstance(tree, syntax.Sequence) else (tree,):
        if isinstance(item, syntax.LookAhead):
            asked_once = asked_once and plain[:1] == [_START] and all(map(_has_fixed_length, plain))
            ahead.append((syntax.Sequence((*plain, item.item)), not item.negative))
        else:
            plain.append(item)
    parts = ((syntax.Sequence(tuple(plain)), True), *ahead)
    irregular = any(
        isinstance(node, (syntax.LookAhead, syntax.BackReference))
        for part, _ in parts
        for node in syntax.walk(part)
    )
    exact = asked_once and not irregular and not torn(tree)
    return (parts if exact else ((tree, True),)), exact


_ANYTHING = syntax.Repeat(syntax.Chars(syntax.BYTES), 0, None)


def _regular(tree: syntax.Node) -> syntax.Node:
    """A tree without look-aheads and references, which is found at least where the given one is."""
    groups = {node.index: node.item for node in syntax.walk(tree) if isinstance(node, syntax.Group)}
    return _loosened(tree, groups, copied=False)


def _loosened(node: syntax.Node, groups: Mapping[int, syntax.Node], *, copied: bool) -> syntax.Node:
    """The node, in which a reference matches whatever the group could; `copied`, it is what a group could."""
    loosened = partial(_loosened, groups=groups, copied=copied)
    match node:
        case syntax.Sequence():
            return syntax.Sequence(tuple(map(loosened, node.items)))
        case syntax.Alternation():
            return syntax.Alternation(tuple(map(loosened, node.options)))
        case syntax.Repeat() | syntax.Group():
            return evolve(node, item=loosened(node.item))
        case syntax.BackReference():
            return _ANYTHING if copied else _loosened(groups[node.index], groups, copied=True)
        case syntax.Assertion() if copied:
            return syntax.Sequence(())
        case syntax.LookAhead():
            return syntax.Sequence(())
        case _:
            return node


def _has_fixed_length(node: syntax.Node) -> bool:
    if isinstance(node, syntax.Alternation) or (
        isinstance(node, syntax.Repeat) and node.minimum != node.maximum
    ):
        return False
    return all(map(_has_fixed_length, syntax.children(node)))


@lru_cache
def _counted(texts: Texts) -> tuple[Automaton, ...]:
    return tuple(Automaton.of(syntax.Sequence((_START, tree, _END))) for tree in trees_of(texts))


@lru_cache
def _avoided(texts: frozenset[str]) -> Automaton:
    """The automaton that finds a text that is one of these, whatever the case of ASCII letters."""
    cased = [syntax.Chars(frozenset(bytes([byte]).lower() + bytes([byte]).upper())) for byte in range(256)]
    encoded = sorted(text.encode("utf-8", "surrogatepass") for text in texts)
    trees = tuple(syntax.Sequence(tuple(cased[byte] for byte in text)) for text in encoded)
    return Automaton.of(syntax.Sequence((_START, syntax.Alternation(trees), _END)))


@frozen
class _Row:
    """Where one automaton goes from a state, for each kind of byte.

    Attributes:
        states: the next states.
        alive: in which of them it can still say what it is to say, as a number with a byte for each kind.
    """

    states: tuple[State, ...]
    alive: int


@frozen(eq=False)
class _Alphabet:
    """The kinds of bytes that some of the automata tell apart.

    Attributes:
        members: the ranks of each kind, ascending; the kinds, by their first rank.
        kinds: for each automaton, its own name of each kind.
        rows: by what an automaton is to say in the end, those that have been needed so far.
    """

    members: tuple[bytes, ...]
    kinds: Mapping[Automaton, tuple[int, ...]]
    rows: dict[bool, dict[State, _Row]] = field(factory=lambda: {True: {}, False: {}})

    def row(self, automaton: Automaton, finds: bool, state: State) -> _Row:
        own = automaton.row(state)
        states = tuple(own[kind] for kind in self.kinds[automaton])
        alive = bytes(state.outcome in {None, finds} for state in states)
        row = self.rows[finds][state] = _Row(states, int.from_bytes(alive, "little"))
        return row


@lru_cache(maxsize=64)
def _alphabet(automata: tuple[Automaton, ...]) -> _Alphabet:
    members: dict[tuple[int, ...], list[int]] = {}
    for rank, kind in enumerate(zip(*[automaton.ranks for automaton in automata], strict=True)):
        members.setdefault(kind, []).append(rank)
    kinds = dict(zip(automata, zip(*members, strict=True), strict=True))
    return _Alphabet(tuple(map(bytes, members.values())), kinds)


_Joint: TypeAlias = tuple[State, ...]


@frozen
class _Search:
    """The automata of one way, as one; its texts are made of ranks."""

    parts: _Way
    alphabet: _Alphabet
    effort: Effort

    @property
    def start(self) -> _Joint:
        return tuple(automaton.start for automaton, _ in self.parts)

    def accepts(self, here: _Joint) -> bool:
        return all(
            automaton.follow(state, automaton.end).found is finds
            for state, (automaton, finds) in zip(here, self.parts, strict=True)
        )

    def steps(self, here: _Joint) -> Iterator[tuple[int, _Joint]]:
        """Where each kind of byte leads, unless an automaton can no longer say what it is to say."""
        rows = [
            self.alphabet.rows[finds].get(state) or self.alphabet.row(automaton, finds, state)
            for state, (automaton, finds) in zip(here, self.parts, strict=True)
        ]
        alive = reduce(and_, [row.alive for row in rows]).to_bytes(len(self.alphabet.members), "little")
        return compress(enumerate(zip(*[row.states for row in rows], strict=True)), alive)

    def reached(self) -> Iterator[tuple[_Joint, bytes]]:
        """All states, each with the smallest text that leads there; in the order of these texts."""
        start = self.start
        texts = {start: b""}
        pending = [start]
        size = 0
        yield start, b""
        for here in pending:
            self.effort.spend(len(here))
            size += sum(state.places.bit_count() for state in here)
            if len(pending) > STATES or size > SIZE:
                raise Undecided("the patterns have too many states together")
            for kind, there in self.steps(here):
                if there not in texts:
                    texts[there] = texts[here] + self.alphabet.members[kind][:1]
                    pending.append(there)
                    yield there, texts[there]

    def smallest(self, is_right: Callable[[bytes], bool]) -> bytes | None:
        """The smallest text that the automata let pass and that is right; `None` if there is none."""
        text = next((text for here, text in self.reached() if self.accepts(here)), None)
        if text is None or is_right(text):
            return text
        left = self.left()
        every = self.alphabet.members
        for members, attempts in ((every, ATTEMPTS), (tuple(ranks[:1] for ranks in every), MORE_ATTEMPTS)):
            texts = self.texts(left, members)
            for here, longer in islice(texts, attempts):
                if self.accepts(here) and is_right(longer):
                    return longer
            if members is every and next(texts, None) is None:
                return None
        raise Undecided("look-aheads, back-references or texts to avoid stand against all texts tried")

    def left(self) -> dict[_Joint, int]:
        """How many bytes are still needed, for each state from which a text can be completed."""
        origins: dict[_Joint, list[_Joint]] = {here: [] for here, _ in self.reached()}
        for here in origins:
            for there in {there for _, there in self.steps(here)}:
                origins[there].append(here)
        pending = [here for here in origins if self.accepts(here)]
        left = dict.fromkeys(pending, 0)
        for there in pending:
            for here in origins[there]:
                if here not in left:
                    left[here] = left[there] + 1
                    pending.append(here)
        return left

    def texts(self, left: Mapping[_Joint, int], members: tuple[bytes, ...]) -> Iterator[tuple[_Joint, bytes]]:
        """Texts and their beginnings, of these bytes of each kind; the texts in their order."""
        pending = [(0, b"", self.start)]  # no text is there twice, so states are never compared
        while pending:
            _, text, here = heappop(pending)
            yield here, text
            for kind, there in self.steps(here):
                if there in left:
                    for rank in members[kind]:
                        longer = text + bytes([rank])
                        heappush(pending, (len(longer) + left[there], longer, there))


def witness(
    wanted: Iterable[tuple[Pattern, bool]],
    texts: Texts,
    avoid: frozenset[str] = frozenset(),
    effort: Effort | None = None,
) -> str | None:
    """The smallest text in which exactly those patterns are found that are wanted.

    Args:
        wanted: patterns, and whether each is to be found.
        texts: which texts count.
        avoid: texts that do not count, whatever their letter case.
        effort: what this question and others may take together; None for as much as one may take.

    Returns:
        The text; `None` if there is none. A path that begins with `/` is smaller than one that does not; then
        fewer bytes are; then the order of bytes decides. Where look-aheads or back-references had to be
        tried, it need not be the smallest.

    Raises:
        Undecided: if neither a text nor the proof that there is none was found within bounds.
    """
    asked: dict[Pattern, bool] = {}
    for pattern, found in wanted:
        if asked.setdefault(pattern, found) is not found:
            return None
    avoid = frozenset(map(str.lower, avoid))
    if not avoid:
        matches = _only_matches(asked)
        if matches is not None:
            return smallest_with(matches, texts)
    effort = effort or Effort()
    effort.spend(1)  # which is less than it takes to begin

    left: float = TRIED

    def is_right(ranks: bytes) -> bool:
        nonlocal left
        left -= (len(ranks) + 1) * sum(map(_steps, asked))
        if left < 0:
            raise Undecided("to try texts takes too many steps")
        text = _text(ranks)
        return text.lower() not in avoid and all(item.search(text) is found for item, found in asked.items())

    meanings = [(_ways(pattern), found) for pattern, found in asked.items()]
    ways = [meaning[found] for meaning, found in meanings]
    if prod(map(len, ways)) > WAYS:
        ways = [way if len(way) == 1 else ((),) for way in ways]
    counted = _counted(texts)
    avoided: _Way = ((_avoided(avoid), False),) if avoid else ()
    parts = chain(avoided, *(way for meaning, _ in meanings for way in chain(*meaning.values())))
    alphabet = _alphabet((*counted, *dict.fromkeys(automaton for automaton, _ in parts)))
    rounds = [
        [_Search(((automaton, True), *avoided, *chain(*way)), alphabet, effort) for way in product(*ways)]
        for automaton in counted
    ]
    try:
        return _best(rounds, is_right)
    finally:
        if sum(map(len, alphabet.rows.values())) > KEPT:
            for cached in (_ways, _avoided, _alphabet):
                cached.cache_clear()


def _only_matches(asked: Mapping[Pattern, bool]) -> tuple[Match, ...] | None:
    """The shortest matches of all that is asked for, where that is one pattern or none."""
    if len(asked) > 1 or False in asked.values():
        return None
    return next((shortest_matches(pattern.tree) for pattern in asked), ANYWHERE)


def _best(rounds: Iterable[Iterable[_Search]], is_right: Callable[[bytes], bool]) -> str | None:
    """The smallest text of the first round that has one; if the last cannot say, this is not decided."""
    undecided: Undecided | None = None
    for searches in rounds:
        undecided = None
        found: list[bytes] = []
        for search in searches:
            try:
                text = search.smallest(is_right)
            except Undecided as reason:
                undecided = reason
            else:
                found += [] if text is None else [text]
        if found:
            return _text(min(found, key=lambda text: (len(text), text)))
    if undecided:
        raise undecided
    return None


def _text(ranks: bytes) -> str:
    return ranks.translate(SPELLED).decode()
