"""What can be said of a pattern's tree: what it may leave empty, and which captures cannot be relied on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import syntax

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["NOTHING", "abandoned", "groups_in", "matches_empty", "torn", "unsure", "volatile"]

NOTHING: frozenset[int] = frozenset()


def matches_empty(node: syntax.Node, trusted: Callable[[syntax.Node], bool]) -> bool:
    """Whether the node can match the empty text, where `trusted` answers for assertions and references."""
    match node:
        case syntax.Chars():
            return False
        case syntax.Sequence():
            return all(matches_empty(item, trusted) for item in node.items)
        case syntax.Alternation():
            return any(matches_empty(option, trusted) for option in node.options)
        case syntax.Repeat():
            return node.minimum == 0 or matches_empty(node.item, trusted)
        case syntax.Group():
            return matches_empty(node.item, trusted)
        case _:
            return trusted(node)


def _may_be_empty(node: syntax.Node) -> bool:
    return matches_empty(node, lambda _: True)


def _may_consume(node: syntax.Node) -> bool:
    if isinstance(node, syntax.LookAhead):
        return False
    return isinstance(node, (syntax.Chars, syntax.BackReference)) or any(
        map(_may_consume, syntax.children(node))
    )


def _chooses(node: syntax.Node) -> bool:
    """Whether there is more than one way through the node that can be taken up again later."""
    if isinstance(node, syntax.LookAhead):
        return False
    return isinstance(node, (syntax.Alternation, syntax.Repeat)) or any(map(_chooses, syntax.children(node)))


def groups_in(node: syntax.Node) -> frozenset[int]:
    """The indexes of the groups in the node."""
    return frozenset(inner.index for inner in syntax.walk(node) if isinstance(inner, syntax.Group))


def _groups_ahead(node: syntax.Node) -> frozenset[int]:
    """The groups inside look-aheads."""
    return NOTHING.union(
        *(groups_in(inner) for inner in syntax.walk(node) if isinstance(inner, syntax.LookAhead))
    )


def _certain(node: syntax.Node) -> frozenset[int]:
    """The groups that every match of the node has set."""
    if isinstance(node, syntax.Alternation):
        first, *others = map(_certain, node.options)
        return first.intersection(*others)
    if (isinstance(node, syntax.Repeat) and not node.minimum) or (
        isinstance(node, syntax.LookAhead) and node.negative
    ):
        return NOTHING
    own = frozenset({node.index}) if isinstance(node, syntax.Group) else NOTHING
    return own.union(*map(_certain, syntax.children(node)))


def abandoned(node: syntax.Node) -> frozenset[int]:
    """The groups of look-aheads that may run again in an attempt, after a choice before or around them."""
    match node:
        case syntax.Sequence():
            groups = NOTHING
            chosen = False
            for item in node.items:
                chosen = chosen or _chooses(item)
                groups |= _groups_ahead(item) if chosen else abandoned(item)
            return groups
        case syntax.Group() | syntax.LookAhead():
            return abandoned(node.item)
        case _:
            return _groups_ahead(node)


def unsure(
    node: syntax.Node,
    sure: frozenset[int] = NOTHING,
    ahead: frozenset[int] = NOTHING,
) -> Iterator[int]:
    """The groups that are referred to where they need not have been set on the way.

    The sidecar does not forget what a look-ahead captured when it takes back its steps. Inside a repetition,
    where the look-ahead may have run again since, its groups (`ahead`) are sure up to the next choice only.
    """
    match node:
        case syntax.BackReference():
            if node.index not in sure:
                yield node.index
        case syntax.Sequence():
            for item in node.items:
                yield from unsure(item, sure, ahead)
                sure |= _certain(item)
                if _chooses(item):
                    sure -= ahead
        case syntax.Repeat():
            again = node.maximum != 1
            yield from unsure(node.item, sure - ahead, ahead | _groups_ahead(node.item) if again else ahead)
        case syntax.LookAhead():
            yield from unsure(node.item, sure)
        case _:
            chosen = sure - ahead if isinstance(node, syntax.Alternation) else sure
            for child in syntax.children(node):
                yield from unsure(child, chosen, ahead)


def volatile(node: syntax.Node, doubtful: frozenset[int]) -> frozenset[int]:
    """The groups of a repetition that depend on how many iterations match nothing: there two, in Python one.

    One is enough where each iteration sets all groups anew; or where there is a single group, nothing in the
    repetition asks for it, and no condition keeps the iteration that matches nothing from being the last.
    """
    if (
        not isinstance(node, syntax.Repeat)
        or node.maximum in {node.minimum, 1}
        or not _may_be_empty(node.item)
    ):
        return NOTHING
    groups = [
        inner
        for inner in syntax.walk(node.item)
        if isinstance(inner, syntax.Group) and _may_be_empty(inner.item)
    ]
    loose = doubtful.intersection(group.index for group in groups)
    conditional = any(
        isinstance(inner, (syntax.Assertion, syntax.LookAhead)) for inner in syntax.walk(node.item)
    )
    fragile = conditional or len(loose) > 1 or not loose.isdisjoint(unsure(node.item))
    return loose if fragile and not loose <= _certain(node.item) else NOTHING


def torn(node: syntax.Node, moved: bool = False, entry: bool = False) -> bool:
    """Whether the sidecar's look-aheads see the start of the text where it is not (see `LookAhead`).

    `moved`: bytes may have been consumed; `entry`: this may be where a look-ahead begins, after such bytes.
    """
    match node:
        case syntax.Assertion():
            return entry and node.kind is not syntax.AssertionKind.END
        case syntax.Sequence():
            for item in node.items:
                if torn(item, moved, entry):
                    return True
                moved = moved or _may_consume(item)
                entry = entry and _may_be_empty(item)
            return False
        case syntax.LookAhead():
            return torn(node.item, moved, moved)
        case syntax.Repeat():
            return torn(node.item, moved or (node.maximum != 1 and _may_consume(node.item)), entry)
        case _:
            return any(torn(child, moved, entry) for child in syntax.children(node))
