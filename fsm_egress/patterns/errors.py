"""Why a text is no pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values.errors import InvalidValue

if TYPE_CHECKING:
    from ..values.errors import Problem

__all__ = ["PatternError"]


class PatternError(InvalidValue):
    """A pattern that the sidecar does not compile, or that cannot be given the same meaning here.

    Attributes:
        position: where, as an offset from 0 into the pattern.
        reason: what is wrong there, as a phrase.
        ours: whether it is refused here alone: the sidecar may well compile it.
    """

    def __init__(self, problem: Problem, position: int = 0, reason: str = "", *, ours: bool = False) -> None:
        super().__init__(problem)
        self.position = position
        self.reason = reason
        self.ours = ours
