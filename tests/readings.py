"""A reading that is the same everywhere, and which of its conditions is the first to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_egress.division.classes import Condition, Line, Place, Reading

if TYPE_CHECKING:
    from fsm_egress.connections.payloads import HTTPRequest

GET = ("GET",)


def everywhere(place: Place) -> Reading:
    """A reading that sees the same at every address and port."""
    return Reading({}, Line((0,), (place,)))


def first(conditions: tuple[Condition, ...], request: HTTPRequest) -> int:
    """Which condition is the first that holds, by the letter; -1 if none is."""
    return next(
        (
            index
            for index, condition in enumerate(conditions)
            if request.method in condition.methods
            and (condition.path is None or condition.path.search(request.path))
            and all(pattern.search(request.header(name)) for name, pattern in condition.headers)
        ),
        -1,
    )
