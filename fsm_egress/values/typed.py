"""Arguments that have the wrong type are told so, as data, before anything is made of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import wraps
from types import NoneType
from typing import TYPE_CHECKING, ParamSpec, TypeAlias, TypeVar

from .errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["all_of", "takes"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Kinds: TypeAlias = "type | tuple[type, ...]"


def takes(**kinds: Kinds) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function whose parameters of these names are values of these classes, and nothing else.

    It raises `InvalidValue` for any other, whose path is the name of the parameter.
    """

    def decorate(work: Callable[P, R]) -> Callable[P, R]:
        code = work.__code__
        names = code.co_varnames[: code.co_argcount]

        @wraps(work)
        def with_types(*args: P.args, **kwargs: P.kwargs) -> R:
            for name, value in (*zip(names, args, strict=False), *kwargs.items()):
                kind = kinds.get(name)
                if kind is not None and not isinstance(value, kind):
                    raise InvalidValue.of(_expected(kind), value).at(name)
            return work(*args, **kwargs)

        return with_types

    return decorate


def all_of(kind: type[T], values: object, name: str) -> tuple[T, ...]:
    """Values of a class, of whatever can be gone through.

    Args:
        kind: the class.
        values: what they are.
        name: of the parameter that they are.

    Raises:
        InvalidValue: one of them is none, or they cannot be gone through.
    """
    if not isinstance(values, Iterable):
        raise InvalidValue.of(f"values of type `{kind.__name__}`", values).at(name)
    found = tuple(values)
    for index, value in enumerate(found):
        if not isinstance(value, kind):
            raise InvalidValue.of(_expected(kind), value).at(f"{name}[{index}]")
    return found


def _expected(kind: Kinds) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    names = (f"`{it.__name__}`" for it in kinds if it is not NoneType)
    return f"a value of type {' or '.join(names)}"
