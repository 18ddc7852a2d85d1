"""Where a thing was written: resources, the fields inside them, the documents they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from attrs import field

from .construction import frozen, opened

__all__ = ["EVERY", "FieldRef", "Mark", "ResourceRef", "Source", "item_path", "joined", "parent_path"]


EVERY = "*"
"""The name that stands for every object of a kind, or of a namespace: no object can have it."""


@frozen(order=True)
class ResourceRef:
    """The name of a resource: kind, namespace (empty where the kind has none) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@frozen(order=True)
class Mark:
    """A place in a text: line and column, both counted from one."""

    line: int
    column: int


def parent_path(path: str) -> str:
    """The path of the value that holds `path`: of `spec.ports[0].number`, `spec.ports[0]`."""
    cut = max(path.rfind("."), path.rfind("["))
    return path[:cut] if cut > 0 else ""


def joined(path: str, inner: str) -> str:
    """The path of `inner` below `path`; an inner path may be an element, `[0]`."""
    return f"{path}{inner}" if inner.startswith("[") or not (path and inner) else f"{path}.{inner}"


@lru_cache(maxsize=4096)
def item_path(path: str, index: int) -> str:
    """The path of an item of a list: thousands of rules share one text."""
    return f"{path}[{index}]"


@frozen(eq=False)
class Source:
    """The document that a resource was read from.

    `document` names it as people do (`policies/httpbin.yaml`, `<stdin>`). The marks give the place of each
    value of the document by its path in wire names, or are made when they are first asked for; `base` is the
    path of the resource in its document, or its number there: 3 is `items[3]`. What has been changed since
    has no place there: it is known by its path, with what changed it.
    """

    document: str
    _marks: Mapping[str, Mark] | Callable[[], Mapping[str, Mark]] = field(factory=dict, repr=False)
    _base: str | int = field(default="", repr=False)
    _changed: Mapping[str, str] = field(factory=dict, repr=False)

    def changed(self, paths: Iterable[str], by: str) -> Source:
        """The source of the resource in which the values at these paths are no longer those of the document.

        Args:
            paths: of the resource.
            by: what changed them, such as `set fsm.enableEgress=true`.
        """
        return Source(self.document, self._marks, self._base, {**self._changed, **dict.fromkeys(paths, by)})

    def changed_by(self, path: str) -> str:
        """What changed the value at a path, or one around it, since it was read; empty if nothing did."""
        while self._changed and path not in self._changed and path:
            path = parent_path(path)
        return self._changed.get(path, "")

    def mark(self, path: str = "") -> Mark | None:
        """The place of the resource's field `path`, or of the innermost value around it that has one.

        What was changed after the document was read has none.
        """
        if self.changed_by(path):
            return None
        marks = self.marks()
        place = joined(self._path, path)
        while place not in marks:
            if not place:
                return None
            place = parent_path(place)
        return marks[place]

    def marks(self) -> Mapping[str, Mark]:
        """The place of every value of the document by its path."""
        marks = self._marks
        if callable(marks):
            marks = marks()
            object.__setattr__(self, "_marks", marks)
        return marks

    def below(self, path: str) -> Source:
        """The source of a resource that stands at `path` of this one; the marks are shared."""
        return Source(self.document, self.marks, joined(self._path, path))

    def items(self) -> Iterator[Source]:
        """The sources of `items[0]`, `items[1]` and so on, where this is the source of a `List`."""
        marks = self.marks
        number = 0
        while True:
            made: Any = _OpenSource()
            made.document = self.document
            made._marks = marks  # noqa: SLF001  # because it is one of ours
            made._base = number  # noqa: SLF001  # ditto
            made._changed = _UNCHANGED  # noqa: SLF001  # ditto
            made.__class__ = Source
            yield made
            number += 1

    @property
    def _path(self) -> str:
        return self._base if isinstance(self._base, str) else f"items[{self._base}]"

    def only(self, path: str) -> Source:
        """The same source with the place of the field `path` alone."""
        mark, by = self.mark(path), self.changed_by(path)
        return Source(self.document, {path: mark} if mark else {}, "", {path: by} if by else {})

    def __getstate__(self) -> tuple[str, Mapping[str, Mark], str | int, Mapping[str, str]]:
        """Pickled with its marks made: the text behind them stays where it is."""
        return self.document, self.marks(), self._base, self._changed

    def __setstate__(self, state: tuple[str, Mapping[str, Mark], str | int, Mapping[str, str]]) -> None:
        for name, value in zip(("document", "_marks", "_base", "_changed"), state, strict=True):
            object.__setattr__(self, name, value)


_OpenSource = opened(Source)
_UNCHANGED: Mapping[str, str] = {}


@frozen
class FieldRef:
    """A field of a resource, and where it was written: `Egress curl/httpbin-80 spec.ports[0] (a.yaml:14)`."""

    resource: ResourceRef
    path: str = ""
    source: Source | None = field(default=None, eq=False)

    @property
    def mark(self) -> Mark | None:
        """Line and column of the field, where its document has such."""
        return self.source.mark(self.path) if self.source else None

    @property
    def location(self) -> str | None:
        """`document:line`, only `document` where it has no lines, or None for what was built in Python.

        What was changed after it was read has what changed it instead: `set fsm.enableEgress=true`.
        """
        if self.source is None:
            return None
        if by := self.source.changed_by(self.path):
            return by
        mark = self.mark
        return f"{self.source.document}:{mark.line}" if mark else self.source.document

    def __reduce__(self) -> tuple[type[FieldRef], tuple[ResourceRef, str, Source | None]]:
        """Pickled with the place of this field alone, not with those of its whole document."""
        return FieldRef, (self.resource, self.path, self.source.only(self.path) if self.source else None)

    def __str__(self) -> str:
        text = f"{self.resource} {self.path}" if self.path else str(self.resource)
        location = self.location
        return f"{text} ({location})" if location else text

    def __repr__(self) -> str:
        return f"<{self}>"
