"""What `kubectl get -w` prints: an object anew whenever it changes, plain or as the event of a watch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..values.errors import Problem, Severity
from .foreign import PASSED_OVER
from .lists import BOOKMARK, DELETED, ERROR, is_event, object_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ..documents import Document

__all__ = ["latest"]


def latest(documents: Sequence[Document]) -> tuple[Sequence[Document], Sequence[Problem]]:
    """The documents of a text as the last of them have the objects, and what is to be said of that.

    An object that is there several times, each time with its `uid` and a `resourceVersion`, is one that has
    changed: the last counts, none where it was deleted. Two that do not say so are two.

    Args:
        documents: of one text, in order.
    """
    times: dict[Hashable, list[int]] = {}
    left_out: set[int] = set()
    problems: list[Problem] = []
    for at, document in enumerate(documents):
        event = document.value["type"] if is_event(document.value) else None
        if event in {BOOKMARK, ERROR}:
            left_out.add(at)
            if event == ERROR:
                message = object_of(document.value).get("message")
                problems.append(Problem("the objects of a watch", f"{message}", document=document.name))
            continue
        whose = _whose(object_of(document.value), is_event=event is not None)
        if whose is not None:
            times.setdefault(whose, []).append(at)
        if event == DELETED and whose is None:
            left_out.add(at)
    for places in times.values():
        *before, last = places
        left_out.update(before)
        value = documents[last].value
        is_gone = is_event(value) and value["type"] == DELETED
        if is_gone:
            left_out.add(last)
        if before or is_gone:
            problems.append(_told(documents[last], len(places), is_gone=is_gone))
    return [document for at, document in enumerate(documents) if at not in left_out], problems


def _whose(value: Any, *, is_event: bool) -> Hashable | None:
    """What an object is known by while it changes; None for one that does not say."""
    metadata = value.get("metadata") if isinstance(value, (dict, Mapping)) else None
    if not isinstance(metadata, (dict, Mapping)):
        return None
    named = (value.get("apiVersion"), value.get("kind"), metadata.get("namespace"), metadata.get("name"))
    if not is_event and not metadata.get("resourceVersion"):
        return None
    whose = (*named, None if is_event else metadata.get("uid"))
    return whose if all(it is None or isinstance(it, str) for it in whose) else None


def _told(document: Document, times: int, *, is_gone: bool) -> Problem:
    value = object_of(document.value)
    metadata = value["metadata"]
    name = "/".join(filter(None, (metadata.get("namespace"), metadata.get("name"))))
    printed = "once" if times == 1 else f"{times} times"
    counts = "it was deleted, and counts for nothing" if is_gone else "the last counts"
    return Problem(
        "each resource once",
        f"{value.get('kind')} {name} {printed}, as a watch prints what changes: {counts}",
        document=document.name,
        severity=Severity.INFO,
        code=PASSED_OVER,
    )
