"""What is remembered of objects by which they are, not by what they equal.

`id()` names an object only while it lasts: what is kept by it is wrong once the object is gone and another
has its number. So a memory holds each object beside what it remembers of it, and of two threads that come at
once both go on with the answer of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Compared", "Memory", "Same", "each_once"]

K = TypeVar("K")
V = TypeVar("V")


class Same:
    """An object as a key, which only it equals; the key holds it."""

    __slots__ = ("it",)

    def __init__(self, it: object) -> None:
        self.it: object = it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.it is other.it

    def __hash__(self) -> int:
        return id(self.it)


class Memory(Generic[V]):
    """What something came to for each object, equal ones apart; threads may share it."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, V]] = {}

    def once(self, it: K, work: Callable[[K], V]) -> V:
        """What the work comes to for an object; it is done for the first time only."""
        known = self._known.get(id(it))
        if known is None:
            known = self._known.setdefault(id(it), (it, work(it)))
        return known[1]

    def after(self, items: Iterable[K], work: Callable[[K], V]) -> Memory[V]:
        """What the work comes to for these objects: known of those of this memory, and of no others kept."""
        found: Memory[V] = type(self)()
        known = self._known
        found._known = {id(it): known.get(id(it)) or (it, work(it)) for it in items}  # because it is one
        return found

    def values(self) -> list[V]:
        """What is remembered, in the order of the objects."""
        return [value for _, value in self._known.values()]

    def __reduce__(self) -> tuple[type[Memory[V]], tuple[Any, ...]]:
        """Pickled without what is known: elsewhere, objects have other numbers."""
        return type(self), ()


class Compared:
    """Whether an object equals the one that it was last compared with, which may be gone meanwhile."""

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        self._latest: tuple[Callable[[], object], bool] = (lambda: None, False)

    def with_(self, other: object, work: Callable[[], bool]) -> bool:
        """Whether they are equal; the work is done unless it was for the same other object just before."""
        to, is_equal = self._latest
        if to() is not other:
            is_equal = work()
            self._latest = ref(other), is_equal
        return is_equal

    def __reduce__(self) -> tuple[type[Compared], tuple[Any, ...]]:
        """Pickled without what is known."""
        return type(self), ()


def each_once(items: Iterable[K]) -> tuple[K, ...]:
    """The objects in their order, each where it first comes; equal ones are not the same."""
    return tuple({id(it): it for it in items}.values())
