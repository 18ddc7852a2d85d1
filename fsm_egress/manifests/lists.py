"""What holds objects: a `List`, one of one kind, whose items have their kind from it, an event of a watch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BOOKMARK", "DELETED", "ERROR", "is_event", "is_list", "items_of", "object_of", "whole"]

DELETED = "DELETED"
BOOKMARK = "BOOKMARK"  # says how far the watch has come, and holds nothing else
ERROR = "ERROR"
_TYPES = frozenset({"ADDED", "MODIFIED", DELETED, BOOKMARK, ERROR})


def is_list(value: Any) -> bool:
    """Whether a document is a list of resources; one that is a `List` may have no items at all."""
    if not isinstance(value, (dict, Mapping)):
        return False
    kind, items = value.get("kind"), value.get("items")
    if items is None:
        return kind == "List"
    return isinstance(kind, str) and kind.endswith("List") and isinstance(items, (list, tuple))


def items_of(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The resources of a document: itself, or the items of a `List`, or of a list of one kind.

    Of an event of a watch it is the object.
    """
    if is_event(value):
        path, value = f"{path and path + '.'}object", value["object"]
    if not is_list(value):
        yield path, value
        return
    for index, item in enumerate(value.get("items") or ()):
        yield from items_of(whole(item, value), f"{path and path + '.'}items[{index}]")


def whole(item: Any, holder: Mapping[str, Any]) -> Any:
    """An item of a list, with the kind that it has from the list if the list is one of one kind."""
    kind = holder["kind"].removesuffix("List")
    if not kind or not isinstance(item, (dict, Mapping)) or "kind" in item:
        return item
    return {"apiVersion": holder.get("apiVersion"), "kind": kind, **item}


def is_event(value: Any) -> bool:
    """Whether a document is an event of a watch, as `--output-watch-events` prints them."""
    return (
        isinstance(value, (dict, Mapping))
        and value.keys() == {"type", "object"}
        and isinstance(value["type"], str)
        and value["type"] in _TYPES
        and isinstance(value["object"], (dict, Mapping))
    )


def object_of(value: Any) -> Any:
    """The object that a document holds, be it within an event."""
    return value["object"] if is_event(value) else value
