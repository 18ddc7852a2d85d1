"""Where a thing was written: resources, the fields inside them, the documents they came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import evolve, field, frozen

__all__ = ["FieldRef", "Mark", "ResourceRef", "Source"]


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


@frozen(eq=False)
class Source:
    """The document that a resource was read from.

    `document` names it as people do (`policies/httpbin.yaml`, `<stdin>`). The marks give the place of each
    field by its path in wire names (`spec.ports[0].number`; the resource itself is ""), or are made on first
    use.
    """

    document: str
    _marks: Mapping[str, Mark] | Callable[[], Mapping[str, Mark]] = field(factory=dict, repr=False)

    def mark(self, path: str) -> Mark | None:
        """The place of `path`, or of the innermost value around it that has one."""
        marks = self.marks()
        while path not in marks:
            if not path:
                return None
            path = parent_path(path)
        return marks[path]

    def marks(self) -> Mapping[str, Mark]:
        """The place of every field by its path."""
        marks = self._marks
        if callable(marks):
            marks = marks()
            object.__setattr__(self, "_marks", marks)
        return marks

    def __getstate__(self) -> tuple[str, Mapping[str, Mark]]:
        """Pickled with its marks made: the text behind them stays where it is."""
        return self.document, self.marks()

    def __setstate__(self, state: tuple[str, Mapping[str, Mark]]) -> None:
        document, marks = state
        object.__setattr__(self, "document", document)
        object.__setattr__(self, "_marks", marks)


@frozen
class FieldRef:
    """A field of a resource, and where it was written: `Egress curl/httpbin-80 spec.ports[0] (a.yaml:14)`."""

    resource: ResourceRef
    path: str = ""
    source: Source | None = field(default=None, eq=False, repr=False)

    @property
    def mark(self) -> Mark | None:
        """Line and column of the field, where its document has such."""
        return self.source.mark(self.path) if self.source else None

    @property
    def location(self) -> str | None:
        """`document:line`, only `document` where it has no lines, or None for what was built in Python."""
        if self.source is None:
            return None
        mark = self.mark
        return f"{self.source.document}:{mark.line}" if mark else self.source.document

    def child(self, path: str) -> FieldRef:
        """The field `path` below this one; `[0]` is an element of it."""
        joined = f"{self.path}{path}" if path.startswith("[") or not self.path else f"{self.path}.{path}"
        return evolve(self, path=joined)

    def __str__(self) -> str:
        text = f"{self.resource} {self.path}" if self.path else str(self.resource)
        location = self.location
        return f"{text} ({location})" if location else text
