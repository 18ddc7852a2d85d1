"""Identities with the same policy, for which whatever follows from it is worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ..policy import OutboundPolicy

__all__ = ["once_for_all"]

T = TypeVar("T")


def once_for_all(work: Callable[[OutboundPolicy], T]) -> Callable[[OutboundPolicy], T]:
    """The function, which is asked once for policies that differ in nothing but whose they are.

    What it returns is of the identity that was asked for first.
    """
    found: dict[Hashable, list[tuple[OutboundPolicy, T]]] = {}

    def answer(policy: OutboundPolicy) -> T:
        ports = tuple((port.port, len(port.mesh), len(port.groups)) for port in policy.ports)
        alike = found.setdefault(ports, [])
        for known, answered in alike:
            if evolve(policy, identity=known.identity) == known:
                return answered
        alike.append((policy, work(policy)))
        return alike[-1][1]

    return answer
