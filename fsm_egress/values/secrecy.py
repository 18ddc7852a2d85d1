"""Pickles of answers that hold no secrets: keys of certificates, credentials, what somebody is known by."""

from __future__ import annotations

import pickle
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from .errors import InvalidValue, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NOT_KEPT", "Discreet", "bare", "kept", "unless_empty"]

T = TypeVar("T")

NOT_KEPT = "(not kept by a pickled answer)"


class _Pickler(pickle.Pickler):
    """Pickles each object that has secrets without them: as what its `without_secrets` makes of it."""

    def reducer_override(self, it: Any) -> Any:
        plain = getattr(type(it), "without_secrets", None)
        return NotImplemented if plain is None else plain(it).__reduce_ex__(pickle.HIGHEST_PROTOCOL)


def _pickled(it: object) -> bytes:
    content = BytesIO()
    _Pickler(content, pickle.HIGHEST_PROTOCOL).dump(it)
    return content.getvalue()


def bare(it: T) -> T:
    """A copy of what can be pickled, with `NOT_KEPT` in the place of each secret that is anywhere in it."""
    copy: T = pickle.loads(_pickled(it))  # noqa: S301  # because it has just been made
    return copy


def unless_empty(text: str) -> str:
    """What stands for a secret: whether there is one is none."""
    return NOT_KEPT if text else text


def kept(text: str) -> str:
    """A secret that is to be written for those that need it.

    Raises:
        InvalidValue: it comes from a pickled answer, and is not there.
    """
    if text == NOT_KEPT:
        expected = "a mesh that was loaded, with the data of its Secrets"
        raise InvalidValue(Problem(expected, "one out of a pickled answer, which holds none"))
    return text


class Discreet:
    """An answer, whose pickle holds no secret of what it was asked about; it is its own copy."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Callable[..., Discreet], tuple[type[Discreet], bytes]]:
        fields: Any = attrs.fields(type(self))  # type: ignore[arg-type,unused-ignore]  # because answers have some
        return _restored, (type(self), _pickled([getattr(self, field.name) for field in fields]))

    def __copy__(self) -> Discreet:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Discreet:
        return self


def _restored(kind: type[Discreet], content: bytes) -> Discreet:
    restored = object.__new__(kind)
    values = pickle.loads(content)  # noqa: S301  # because what holds it was unpickled, too
    for field, value in zip(attrs.fields(kind), values, strict=True):  # type: ignore[arg-type,unused-ignore]  # ditto
        object.__setattr__(restored, field.name, value)
    return restored
