"""How many examples a law is tried with."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples"]


def examples(count: int) -> int:
    """The part of `count` that the profile asks for: all of it where the profile itself has a hundred."""
    return max(1, count * settings().max_examples // 100)
