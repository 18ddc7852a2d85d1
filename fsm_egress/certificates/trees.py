"""Trees of conditions, whose ends are what becomes of a connection, and where they lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from attrs import Factory, field

from ..values.construction import frozen
from .terms import FALSE, TRUE, all_of, any_of, choice, no

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .terms import Definitions

__all__ = ["Fork", "Tree", "among", "ends_of", "fork", "in_order", "mapped", "where_so"]

E = TypeVar("E")
F = TypeVar("F")


@frozen(eq=False)
class Fork(Generic[E]):
    """Where conditions decide: of several that exclude one another the one that holds, else the rest.

    Attributes:
        ends: all that it leads to.
    """

    ways: tuple[tuple[str, Tree[E]], ...]
    otherwise: Tree[E]
    ends: frozenset[E] = field(
        init=False,
        default=Factory(
            lambda self: frozenset().union(*map(ends_of, (*(way for _, way in self.ways), self.otherwise))),
            takes_self=True,
        ),
    )


Tree: TypeAlias = "E | Fork[E]"


def ends_of(tree: Tree[E]) -> frozenset[E]:
    """All that it leads to."""
    return tree.ends if isinstance(tree, Fork) else frozenset([tree])


def fork(ways: Iterable[tuple[str, Tree[E]]], otherwise: Tree[E]) -> Tree[E]:
    """What the one of these ways decides whose condition holds, else the rest."""
    open_ways = tuple((condition, way) for condition, way in ways if condition != FALSE)
    return Fork(open_ways, otherwise) if open_ways else otherwise


def in_order(ways: Iterable[tuple[str, Tree[E]]], otherwise: Tree[E], definitions: Definitions) -> Tree[E]:
    """What the first of these ways decides whose condition holds, else the rest."""
    apart: list[tuple[str, Tree[E]]] = []
    none = TRUE
    for condition, way in ways:
        apart.append((all_of(condition, none), way))
        none = definitions.name("none of the former", all_of(none, no(condition)))
    return fork(apart, otherwise)


def mapped(tree: Tree[E], change: Callable[[E], F]) -> Tree[F]:
    """The same conditions with other ends; what is shared in the tree is shared in the new one."""
    known: dict[int, Tree[F]] = {}

    def changed(old: Tree[E]) -> Tree[F]:
        if not isinstance(old, Fork):
            return change(old)
        if id(old) not in known:
            ways = tuple((condition, changed(way)) for condition, way in old.ways)
            known[id(old)] = Fork(ways, changed(old.otherwise))
        return known[id(old)]

    return changed(tree)


def among(tree: Tree[E], chosen: Callable[[E], bool]) -> str:
    """That what becomes of a connection is one of those chosen."""
    return where_so(tree, frozenset(filter(chosen, ends_of(tree))))


def where_so(tree: Tree[E], chosen: frozenset[E]) -> str:
    """That what becomes of a connection is among these."""
    found = ends_of(tree)
    if found <= chosen:
        return TRUE
    if found.isdisjoint(chosen) or not isinstance(tree, Fork):
        return FALSE
    told = [(condition, where_so(way, chosen)) for condition, way in tree.ways]
    rest = where_so(tree.otherwise, chosen)
    if len(told) == 1:
        return choice(*told[0], rest)
    if rest == TRUE:
        return no(any_of(*(all_of(condition, no(so)) for condition, so in told)))
    here = any_of(*(all_of(condition, so) for condition, so in told))
    return any_of(here, all_of(no(any_of(*(condition for condition, _ in told))), rest))
