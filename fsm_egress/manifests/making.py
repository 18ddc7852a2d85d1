"""Resources made from good documents; the only module that knows cattrs.

A good document goes through one function for each class, made once. One that these refuse is read a second
time, slowly, to find everything that is wrong with it, and where.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ..resources.core import Namespace
from ..resources.kinds import READ
from ..resources.resource import ObjectMeta, Part, Resource
from ..values.errors import InvalidValue
from .notes import has_notes
from .readers import UNREADABLE, Reader, Reading, reader
from .wire_names import carries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cattrs import Converter

__all__ = ["BY_KIND", "CLUSTER_SCOPED", "good_reader", "lenient_reader_of", "made"]

BY_KIND = {kind.kind: kind for kind in READ}
CLUSTER_SCOPED = (Namespace,)

# A part is made slot by slot: its `__init__` would check every field a second time.
_set_namespace = vars(ObjectMeta)["namespace"].__set__


def good_reader(reading: Reading, namespace: str) -> Callable[[Any], Resource]:
    """The quick way: it gives the resource that a value stands for, if there is nothing to be said about it.

    If there is, it raises one of `UNREADABLE`, and `read_resource` finds out what. What names no namespace is
    in `namespace`.
    """
    readers = _Readers()

    def read_good(value: Any) -> Resource:
        reading.is_odd = False
        read, is_cluster_scoped = readers[value["kind"]]
        resource: Resource = read(value, reading)
        metadata = resource.metadata
        if reading.is_odd or has_notes(resource):
            raise InvalidValue
        if metadata.namespace:
            if is_cluster_scoped:
                raise InvalidValue
        elif not is_cluster_scoped:
            if "namespace" in metadata.explicit:
                raise InvalidValue
            _set_namespace(metadata, namespace)
        return resource

    return read_good


class _Readers(dict[str, tuple[Reader, bool]]):
    """The reader of each kind, made when it is first needed, and whether the kind is in no namespace."""

    def __missing__(self, name: str) -> tuple[Reader, bool]:
        kind = BY_KIND[name]
        self[name] = _GOOD_READERS[kind], kind in CLUSTER_SCOPED
        return self[name]


class _GoodReaders(dict[type[Part], Reader]):
    """The readers of good values by class, each made when it is first needed."""

    def __missing__(self, kind: type[Part]) -> Reader:
        self[kind] = read = reader(kind, self.__getitem__, carries)
        return read


_GOOD_READERS = _GoodReaders()


@cache
def _converter() -> Converter:
    """The converter for values that are looked at with care; good documents are read without cattrs."""
    from cattrs import Converter  # noqa: PLC0415  # because hardly any document needs it

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook_factory(
        lambda kind: isinstance(kind, type) and issubclass(kind, Part),
        lambda kind: reader(kind, converter.get_structure_hook, _carries_all),
    )
    return converter


def _carries_all(_: type[Part], name: str) -> bool:  # noqa: ARG001  # because it stands for `carries`
    return True


def lenient_reader_of(kind: type[Part]) -> Reader:
    """The reader of a class that carries whatever it does not know."""
    read: Reader = _converter().get_structure_hook(kind)
    return read


def made(kind: type[Resource], value: Mapping[str, Any], *, lenient: bool = False) -> Resource | None:
    """The resource of a good document; None for one that the slow reading has to look at."""
    read = lenient_reader_of(kind) if lenient else _GOOD_READERS[kind]
    try:
        resource: Resource = read(value, Reading())
    except UNREADABLE:
        return None
    return resource
