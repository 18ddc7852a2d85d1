"""Immutable, hashable JSON: mappings and lists as values that nobody can change under you."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

__all__ = ["EMPTY", "FrozenMap", "freeze", "is_unicode", "thaw"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)


class FrozenMap(Mapping[str, V_co]):
    """A mapping with string keys that keeps the order it was given, never changes and can be hashed.

    Equal to any mapping with the same items, whatever the order.
    """

    __slots__ = ("_hash", "_items")

    _items: dict[str, V_co]
    _hash: int | None

    def __init__(self, items: Mapping[str, V_co] | None = None) -> None:
        _set_items(self, dict(items) if items else {})
        _set_hash(self, None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} never changes")

    def __getitem__(self, key: str) -> V_co:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrozenMap):
            return self._items == other._items
        return self._items == other if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            _set_hash(self, hash(frozenset(self._items.items())))
        return self._hash  # type: ignore[return-value]  # because it has just been made

    def __reduce__(self) -> tuple[type[FrozenMap[V_co]], tuple[dict[str, V_co]]]:
        return type(self), (self._items,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._items!r})"


_set_items = vars(FrozenMap)["_items"].__set__
_set_hash = vars(FrozenMap)["_hash"].__set__

EMPTY: FrozenMap[Any] = FrozenMap()


def is_unicode(text: str) -> bool:
    """Whether a string can be written as UTF-8: it holds no half of a character."""
    return text.isascii() or _LONE_SURROGATE.search(text) is None


def freeze(value: Any) -> Any:
    """JSON -> the same with every mapping a `FrozenMap` and every list a tuple."""
    if isinstance(value, Mapping):
        return FrozenMap({key: freeze(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(map(freeze, value))
    return value


def thaw(value: Any) -> Any:
    """Frozen JSON -> plain dictionaries and lists, a copy of one's own."""
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(thaw, value))
    return value
