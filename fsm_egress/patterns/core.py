"""The part of a pattern's tree that decides whether it is found, without what its ends need not match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from . import syntax
from .captures import matches_empty, torn

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["can_do_without", "core", "tails", "without_tails"]

_EMPTY = syntax.Sequence(())
_HEAD, _TAIL = 0, -1


def core(tree: syntax.Node) -> syntax.Node:
    """The part that is found in the same texts as the tree: of `.*/v1/[a-z]+`, it is `/v1/[a-z]`.

    It is the whole where groups are referred to. The head may go because an attempt begins at every byte; it
    stays where they are not alike, as look-aheads of one see the start of the text where it is not.
    """
    if any(isinstance(node, syntax.BackReference) for node in syntax.walk(tree)):
        return tree
    kept = without_tails(tree)
    return kept if torn(kept) else _trimmed(kept, _HEAD)


def can_do_without(node: syntax.Node) -> bool:
    """Whether the node can match nothing, wherever it stands."""
    return matches_empty(node, lambda _: False)


def without_tails(tree: syntax.Node) -> syntax.Node:
    """The tree without what can match nothing at its end: who comes so far has found it."""
    return _trimmed(tree, _TAIL)


def _trimmed(node: syntax.Node, end: int) -> syntax.Node:
    if can_do_without(node):
        return _EMPTY
    match node:
        case syntax.Sequence():
            items = list(node.items)
            while can_do_without(items[end]):
                del items[end]
            items[end] = _trimmed(items[end], end)
            return items[0] if len(items) == 1 else syntax.Sequence(tuple(items))
        case syntax.Alternation():
            return syntax.Alternation(tuple([_trimmed(option, end) for option in node.options]))
        case syntax.Repeat(minimum=1):
            return _trimmed(node.item, end)
        case syntax.Repeat():
            return evolve(node, maximum=node.minimum)
        case syntax.Group():
            return evolve(node, item=_trimmed(node.item, end))
        case _:
            return node


def tails(node: syntax.Node) -> Iterator[syntax.Node]:
    """What `without_tails` leaves away, one after the other."""
    if can_do_without(node):
        yield node
        return
    match node:
        case syntax.Sequence():
            kept = max(at for at, item in enumerate(node.items) if not can_do_without(item))
            yield from tails(node.items[kept])
            yield from node.items[kept + 1 :]
        case syntax.Alternation():
            for option in node.options:
                yield from tails(option)
        case syntax.Repeat():
            yield evolve(node, minimum=0, maximum=node.maximum and node.maximum - node.minimum)
            if node.minimum == 1:
                yield from tails(node.item)
        case syntax.Group():
            yield from tails(node.item)
