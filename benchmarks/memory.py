"""How many bytes objects take, with all that they hold and share with nothing else."""

from __future__ import annotations

import gc
import sys
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["held", "size_of"]


def size_of(root: object, apart_from: frozenset[int]) -> int:
    """The bytes of an object and of everything inside, without the objects of these ids."""
    return sum(sys.getsizeof(item) for item in _inside([root], apart_from))


def held(roots: Iterable[object]) -> frozenset[int]:
    """The ids of some objects and of everything inside."""
    return frozenset(map(id, _inside([*roots], frozenset())))


def _inside(waiting: list[Any], apart_from: frozenset[int]) -> Iterator[Any]:
    """Each object once; code, classes and modules are there anyway."""
    seen = {*apart_from}
    while waiting:
        item = waiting.pop()
        if id(item) not in seen and not isinstance(item, (type, ModuleType, CodeType)):
            seen.add(id(item))
            yield item
            is_function = isinstance(item, FunctionType)
            waiting += (item.__closure__, item.__defaults__) if is_function else gc.get_referents(item)
