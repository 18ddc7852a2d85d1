"""Frozen classes and objects that are made quickly."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import frozen  # to a type checker it is the decorator of attrs
else:

    def frozen(
        kind: type[Any] | None = None,
        *,
        eq: bool = True,
        order: bool = False,
        repr: bool = True,  # noqa: A002  # as attrs says it
        cache_hash: bool = False,
        **others: Any,
    ) -> Any:
        """The class that `attrs.frozen` makes, in half of the time.

        attrs writes and compiles how the objects of each class are compared, hashed and shown. Here, that is
        said once for all of them: a command loads a hundred classes, and most never compare anything.
        Objects whose fields are checked are what meshes are made of: as these are very many, they have no
        room for weak references, which is 16 bytes of each.
        """
        others.setdefault("weakref_slot", "field_transformer" not in others)

        def made(kind: type[Any]) -> type[Any]:
            if cache_hash:
                return attrs.frozen(eq=eq, order=order, repr=repr, cache_hash=True, **others)(kind)
            own = vars(kind)
            known = {"__eq__": eq, "__hash__": eq, "__repr__": repr}
            wanted = [name for name, is_wanted in known.items() if is_wanted and name not in own]
            kind = attrs.frozen(eq=False, repr=False, **others)(kind)
            methods = _methods(kind)
            for name in (*wanted, *(_ORDER if order else ())):
                setattr(kind, name, methods[name])
            return kind

        return made if kind is None else made(kind)


__all__ = ["frozen", "opened"]

_ORDER = ("__lt__", "__le__", "__gt__", "__ge__")


def _methods(kind: type[Any]) -> dict[str, Callable[..., Any]]:
    """How objects of a class are compared, hashed and shown, by what their fields hold."""
    fields = attrs.fields(kind)
    compared = [field.name for field in fields if field.eq]
    key: Callable[[Any], Any] = attrgetter(*compared) if compared else lambda _: ()

    def is_equal(self: Any, other: Any) -> Any:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(key(self))

    def shown(self: Any) -> str:
        named = ((field.name, getattr(self, field.name)) for field in fields if field.repr)
        return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in named)})"

    def is_less(self: Any, other: Any) -> Any:
        return key(self) < key(other) if other.__class__ is self.__class__ else NotImplemented

    def is_at_most(self: Any, other: Any) -> Any:
        return key(self) <= key(other) if other.__class__ is self.__class__ else NotImplemented

    def is_more(self: Any, other: Any) -> Any:
        return key(self) > key(other) if other.__class__ is self.__class__ else NotImplemented

    def is_at_least(self: Any, other: Any) -> Any:
        return key(self) >= key(other) if other.__class__ is self.__class__ else NotImplemented

    found = (is_equal, hashed, shown, is_less, is_at_most, is_more, is_at_least)
    return dict(zip(("__eq__", "__hash__", "__repr__", *_ORDER), found, strict=True))


def opened(kind: type[Any]) -> type[Any]:
    """The same class without its lock.

    What is made of it has no fields yet. They are set as those of any object, and then it is given the class
    `kind`, which Python allows as both have the same slots: `made.__class__ = kind`. Nobody else has seen it
    open. It takes a third of the time of an `__init__` that has to go around the lock.
    """
    unlocked = {name: vars(object)[name] for name in ("__init__", "__setattr__", "__delattr__")}
    return type(f"Open{kind.__name__}", (kind,), {"__slots__": (), **unlocked})
