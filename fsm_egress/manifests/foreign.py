"""What lies among the documents of a mesh and is none of its own: kinds of others, files without objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..values.errors import Problem, Severity
from .lists import object_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..documents import Document

__all__ = [
    "OF_OTHERS",
    "PASSED_OVER",
    "holds_objects",
    "is_foreign",
    "is_object",
    "more_of_others",
    "no_objects",
]

OF_OTHERS = "a kind that egress depends on"
_OBJECTS = "a Kubernetes object"
PASSED_OVER = "FSE104"

# The keys that an object has on top. One alone may be anybody's: a chart has an `apiVersion`, a pipeline a
# `kind`. Two are no chance, so where one is missing, that is a mistake.
_KEYS = frozenset({"apiVersion", "items", "kind", "metadata", "spec"})
_AT_LEAST = 2
_WORDS = (b"apiVersion", b"kind")  # without which no text is an object


def holds_objects(content: bytes | str, documents: Iterable[Document], problems: Iterable[Problem]) -> bool:
    """Whether a text holds Kubernetes objects, or may hold them where not all of it can be read.

    Args:
        content: the text.
        documents: what can be read of it.
        problems: what keeps the rest from being read.
    """
    if any(is_object(object_of(document.value)) for document in documents):
        return True
    letters = content.encode("utf-8", "replace") if isinstance(content, str) else content.replace(b"\0", b"")
    return any(problems) and all(word in letters for word in _WORDS)


def is_object(value: Any) -> bool:
    """Whether a value is a Kubernetes object, as it has two at least of the keys that these have."""
    return isinstance(value, (dict, Mapping)) and len(_KEYS & value.keys()) >= _AT_LEAST


def no_objects(name: str) -> Problem:
    """What is said of a file that holds none."""
    found = "none: the file is passed over"
    return Problem(_OBJECTS, found, document=name, severity=Severity.INFO, code=PASSED_OVER)


def more_of_others(count: int) -> Problem:
    """What is said of so many documents of other kinds together."""
    return Problem(OF_OTHERS, f"{count} more", "kind", severity=Severity.INFO, code=PASSED_OVER)


def is_foreign(problem: Problem) -> bool:
    """Whether a problem says no more than that something is none of a mesh's own."""
    return problem.severity is Severity.INFO and problem.expected in {OF_OTHERS, _OBJECTS}
