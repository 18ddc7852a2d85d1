"""What a search by backtracking may cost: an upper bound for its steps, as the text grows.

An engine of that kind, as the sidecar's and Python's are, tries one way through a pattern after the other.
Ways are counted only where the next byte is one with which the pattern can go on: `[a-z]+/` leaves one. What
leaves one way may be repeated at no more than the cost of its bytes; what leaves two may double the work with
each iteration.
"""

from __future__ import annotations

from functools import reduce
from itertools import repeat
from math import inf
from operator import add, mul, or_
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..values.construction import frozen
from . import syntax
from .captures import NOTHING, matches_empty, torn
from .core import can_do_without, tails, without_tails

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Cost", "cost"]

STEPS = 1_000_000  # of a search that counts as quick: at most some hundredths of a second
STEPS_BY_BYTE = 500  # of one that is quick in texts of any length
POWERS = 64  # a greater power of a cost counts as infinite
LEAD = 32  # bytes by which the options of an alternation are told apart


@frozen
class Cost:
    """At most `factor * length**degree` steps in a text of that length in bytes, or ways through it.

    Attributes:
        factor: a number that depends on the pattern alone; infinite if it is greater than a float can be.
        degree: 1 where the time grows with the length, 2 where it grows with its square; infinite where every
            byte may multiply it.
    """

    factor: float
    degree: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.factor + other.factor, max(self.degree, other.degree))

    def __mul__(self, other: Cost) -> Cost:
        return Cost(self.factor * other.factor, self.degree + other.degree)

    def __or__(self, other: Cost) -> Cost:
        return Cost(max(self.factor, other.factor), max(self.degree, other.degree))

    def __pow__(self, exponent: int) -> Cost:
        if self == ONE:
            return ONE
        return UNBOUNDED if exponent > POWERS else reduce(mul, repeat(self, exponent), ONE)

    @property
    def longest(self) -> float:
        """The length up to which every text is searched quickly; infinite if that is any length."""
        if self.degree <= 1 and self.factor <= STEPS_BY_BYTE:
            return inf
        return float((STEPS / self.factor) ** (1 / self.degree))

    def __str__(self) -> str:
        if self.degree == inf:
            return "exponential time"
        if self.factor == inf:
            return "more steps than can be counted"
        if self.degree > 1:
            return f"time that grows with the power {self.degree} of the length"
        return f"{self.factor:.6g} steps for each byte"


ONE = Cost(1.0, 0)
BY_BYTE = Cost(1.0, 1)
UNBOUNDED = Cost(inf, inf)

_Set: TypeAlias = frozenset[int]

_END = len(syntax.BYTES)  # stands among the bytes for the end of the text
_ANY = syntax.BYTES | {_END}


def cost(tree: syntax.Node) -> Cost:
    """An upper bound for the steps of a search for the tree by backtracking, whether it succeeds or fails."""
    groups: dict[int, _Length] = {}
    _measured(tree, groups)
    kept = without_tails(tree)
    work = _bound(kept, _Next(_ANY), groups).work
    found = BY_BYTE + _work_of_tails(tree, groups)
    if not _is_anchored(kept):
        apart = work.degree and _attempts_are_apart(kept)
        return found + work * (Cost(2 + _measured(kept, groups).outside, 0) if apart else BY_BYTE)
    # In an attempt at the start of the text, Python recognizes where a look-ahead began by the rest of it.
    return found + work * (BY_BYTE if torn(kept) else ONE)


class _Length(NamedTuple):
    """Bytes at most that a node consumes: in all, and outside repetitions without end."""

    whole: float = 0.0
    outside: float = 0.0


def _measured(node: syntax.Node, groups: dict[int, _Length]) -> _Length:
    """The length of a node; those of its groups are noted, each before any reference to it is read."""
    inner = list(map(_measured, syntax.children(node), repeat(groups)))
    wholes = [length.whole for length in inner]
    outsides = [length.outside for length in inner]
    match node:
        case syntax.Chars():
            return _Length(1.0, 1.0)
        case syntax.Alternation():
            return _Length(max(wholes), max(outsides))
        case syntax.Repeat():
            if node.maximum is None:
                return _Length(inf)
            return (
                _Length(node.maximum * wholes[0], node.maximum * outsides[0]) if node.maximum else _Length()
            )
        case syntax.BackReference():
            return groups.get(node.index, _Length())
        case syntax.LookAhead():
            return _Length()
    length = _Length(float(sum(wholes)), float(sum(outsides)))
    if isinstance(node, syntax.Group):
        groups[node.index] = length
    return length


def _is_anchored(node: syntax.Node) -> bool:
    """Whether an attempt that does not begin at the start of the text fails at once."""
    match node:
        case syntax.Assertion():
            return node.kind is syntax.AssertionKind.START
        case syntax.Sequence(items=(first, *_)):
            return _is_anchored(first)
        case syntax.Alternation():
            return all(map(_is_anchored, node.options))
        case syntax.Group():
            return _is_anchored(node.item)
        case _:
            return False


def _attempts_are_apart(tree: syntax.Node) -> bool:
    """Whether no attempt gets on where a repetition of another has come, so that few read the same byte."""
    looks = any(isinstance(node, syntax.LookAhead) for node in syntax.walk(tree))
    return not looks and _next(tree, _Next(_ANY)).first.isdisjoint(_repeated(tree))


def _repeated(node: syntax.Node) -> _Set:
    """The bytes that repetitions without end may consume."""
    if not isinstance(node, syntax.Repeat) or node.maximum is not None:
        return NOTHING.union(*map(_repeated, syntax.children(node)))
    inner = list(syntax.walk(node.item))
    if any(isinstance(item, syntax.BackReference) for item in inner):
        return syntax.BYTES
    return NOTHING.union(*[item.members for item in inner if isinstance(item, syntax.Chars)])


class _Next(NamedTuple):
    """What comes next: the bytes with which it can begin, and after how many steps it fails on any other."""

    first: _Set
    steps: float = 1.0


def _next(node: syntax.Node, then: _Next) -> _Next:
    """What comes where a node does, and after it `then`: anything, after a look-ahead or a reference."""
    match node:
        case syntax.Chars():
            return _Next(node.members)
        case syntax.Sequence():
            return reduce(lambda later, item: _next(item, later), reversed(node.items), then)
        case syntax.Alternation():
            options = list(map(_next, node.options, repeat(then)))
            first = NOTHING.union(*[option.first for option in options])
            return _Next(first, 1 + sum([option.steps for option in options]))
        case syntax.Repeat():
            item = _next(node.item, then)
            passed = _Next(NOTHING, 0.0) if node.minimum else then
            times = max(1, node.minimum) if _may_be_empty(node.item) else 1
            return _Next(item.first | passed.first, 1 + times * item.steps + passed.steps)
        case syntax.Group():
            return _next(node.item, then)
        case syntax.Assertion():
            at_end = node.kind is syntax.AssertionKind.END
            return _Next(frozenset({_END}) if at_end else then.first, 1 + then.steps)
        case _:
            return _Next(_ANY, 1 + then.steps)


def _may_be_empty(node: syntax.Node) -> bool:
    return matches_empty(node, lambda _: True)


class _Bound(NamedTuple):
    """How many ways a node leaves open from one place on, and the steps to try them all."""

    ways: Cost
    work: Cost


def _bound(node: syntax.Node, then: _Next, groups: Mapping[int, _Length]) -> _Bound:
    match node:
        case syntax.Sequence():
            return _bound_in_turn(node, then, groups)
        case syntax.Alternation():
            return _bound_of_options(node, then, groups)
        case syntax.Repeat():
            return _bound_again(node, then, groups)
        case syntax.Group():
            return _bound(node.item, then, groups)
        case syntax.LookAhead():
            work = _bound(without_tails(node.item), _Next(_ANY), groups).work
            return _Bound(ONE, work + _work_of_tails(node.item, groups))
        case syntax.BackReference():
            length = groups.get(node.index, _Length()).whole
            return _Bound(ONE, BY_BYTE if length == inf else Cost(1 + length, 0))
        case _:
            return _Bound(ONE, ONE)


def _bound_in_turn(node: syntax.Sequence, then: _Next, groups: Mapping[int, _Length]) -> _Bound:
    following = [then]
    for item in reversed(node.items[1:]):
        following.append(_next(item, following[-1]))
    ways = work = ONE
    for item, after in zip(node.items, reversed(following), strict=False):
        bound = _bound(item, after, groups)
        work += ways * bound.work
        ways *= bound.ways
    return _Bound(ways, work)


def _bound_of_options(node: syntax.Alternation, then: _Next, groups: Mapping[int, _Length]) -> _Bound:
    bounds = list(map(_bound, node.options, repeat(then), repeat(groups)))
    told_apart = _told_apart([_lead(option, then) for option in node.options])
    combined = or_ if told_apart else add
    ways = reduce(combined, [bound.ways for bound in bounds])
    work = reduce(combined, [bound.work for bound in bounds])
    return _Bound(ways, work + Cost(len(bounds) * (told_apart or 1), 0))


def _bound_again(node: syntax.Repeat, then: _Next, groups: Mapping[int, _Length]) -> _Bound:
    if node.maximum == 0:
        return _Bound(ONE, ONE)
    again = _next(node.item, then)
    after = then if node.maximum == 1 else _Next(again.first | then.first, again.steps + then.steps)
    item = _bound(node.item, after, groups)
    own = _next(node.item, _Next(NOTHING)).first
    decided = own.isdisjoint(then.first) and not _may_be_empty(node.item)
    once = item.work + Cost(1 + then.steps, 0)
    if node.maximum is not None:
        ways = item.ways**node.maximum
        ends = 1 if decided else 1 + node.maximum - node.minimum
        return _Bound(ways * Cost(ends, 0), ways * Cost(node.maximum, 0) * once)
    if item.ways != ONE:
        return _Bound(UNBOUNDED, UNBOUNDED)
    looks = any(isinstance(inner, syntax.LookAhead) for inner in syntax.walk(node.item))
    # Iterations share the bytes, so their work does not multiply; only look-aheads read the same ones again.
    return _Bound(ONE if decided else Cost(2, 1), BY_BYTE * once if looks else BY_BYTE | once)


def _work_of_tails(node: syntax.Node, groups: Mapping[int, _Length]) -> Cost:
    """The steps through the tails of a node, which are made once only: then it has been found."""
    return reduce(add, [_work_of_tail(tail, groups) for tail in tails(node)], ONE)


def _work_of_tail(tail: syntax.Node, groups: Mapping[int, _Length]) -> Cost:
    """The steps until a node has matched that can match nothing: no way through it has to be taken back."""
    if not can_do_without(tail):
        return _bound(tail, _Next(_ANY), groups).work
    if not isinstance(tail, syntax.Repeat):
        return reduce(add, [_work_of_tail(child, groups) for child in syntax.children(tail)], ONE)
    kept = _bound(without_tails(tail.item), _Next(_ANY), groups)
    once = kept.work + _work_of_tails(tail.item, groups)
    if tail.maximum is not None:
        return Cost(1 + tail.maximum, 0) * once
    looks = any(isinstance(inner, syntax.LookAhead) for inner in syntax.walk(tail))
    return BY_BYTE * once if looks or kept.ways != ONE else BY_BYTE | once


def _lead(option: syntax.Node, then: _Next) -> tuple[_Set, ...]:
    """The bytes with which an option begins, as far as their number is fixed."""
    items = option.items if isinstance(option, syntax.Sequence) else (option,)
    lead: list[_Set] = []
    for item in items[:LEAD]:
        if not isinstance(item, syntax.Chars):
            break
        lead.append(item.members)
    return (*lead, _next(syntax.Sequence(items[len(lead) :]), then).first)


def _told_apart(leads: list[tuple[_Set, ...]], at: int = 0) -> int:
    """How many bytes tell which one of these goes on; 0 if more than one may."""
    if len(leads) == 1:
        return at
    if any(len(lead) == at for lead in leads):
        return 0
    alike: dict[_Set, list[tuple[_Set, ...]]] = {}
    for lead in leads:
        alike.setdefault(lead[at], []).append(lead)
    if sum(map(len, alike)) > len(NOTHING.union(*alike)):
        return 0
    needed = [_told_apart(some, at + 1) for some in alike.values()]
    return max(needed) if all(needed) else 0
