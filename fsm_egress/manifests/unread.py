"""What is known to be missing of a mesh: objects that an account may not read, kinds that a cluster lacks.

A snapshot of a cluster keeps it as a document of its own, so that what hangs on it stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..values.construction import frozen
from ..values.errors import InvalidValue, Problem, show
from ..values.references import EVERY, ResourceRef

__all__ = ["LEFT_OUT", "Unread", "is_unread", "unread_in"]

LEFT_OUT = "fsm-egress/left-out"
"""The annotation of a Secret that is kept without what it holds."""

_KIND = {"apiVersion": "fsm-egress/v1", "kind": "Unread"}
_TEXTS = ("kind", "namespace", "name", "why")


@frozen
class Unread:
    """What could not be read.

    Attributes:
        kind: of the objects.
        why: in words.
        namespace: of the one object that is meant; or the one namespace whose objects were read all the same.
        name: of the one object that is meant; empty where it is all of them.
    """

    kind: str
    why: str
    namespace: str = ""
    name: str = ""

    @property
    def ref(self) -> ResourceRef:
        """The object, or every object of the kind."""
        return ResourceRef(self.kind, self.namespace if self.name else EVERY, self.name or EVERY)

    @property
    def problem(self) -> Problem:
        """What is wrong with a mesh that lacks it."""
        if self.name:
            return Problem(f"a {self.kind} that can be read", f"none: {self.why}", resource=self.ref)
        found = f"those of namespace `{self.namespace}` alone" if self.namespace else "none"
        return Problem(f"every {self.kind}", f"{found}: {self.why}", resource=self.ref)

    def to_mapping(self) -> dict[str, Any]:
        """The document that keeps it."""
        told = {key: getattr(self, key) for key in _TEXTS}
        return {**_KIND, "unread": {key: it for key, it in told.items() if it}}

    def __str__(self) -> str:
        if self.name:
            what = f"{self.kind} {self.namespace}/{self.name}"
        else:
            what = f"{self.kind} outside namespace {self.namespace}" if self.namespace else self.kind
        return f"{what}: {self.why}"


def is_unread(document: Mapping[str, Any]) -> bool:
    """Whether a document is one that says what could not be read."""
    return all(document.get(key) == value for key, value in _KIND.items())


def unread_in(document: Mapping[str, Any]) -> Unread:
    """What a document says could not be read.

    Raises:
        InvalidValue: it says nothing of the kind.
    """
    told = document.get("unread")
    if not isinstance(told, (dict, Mapping)):
        raise InvalidValue(Problem("a mapping", show(told), "unread"))
    for key, value in told.items():
        if key not in _TEXTS or not isinstance(value, str):
            names = ", ".join(f"`{name}`" for name in _TEXTS)
            raise InvalidValue(Problem(f"one of {names}, as a string", show(value), f"unread.{key}"))
    if not (told.get("kind") and told.get("why")):
        raise InvalidValue(Problem("`kind` and `why`", path="unread"))
    return Unread(**told)
