"""So many of something, in words."""

from __future__ import annotations

__all__ = ["many"]


def many(count: int, what: str) -> str:
    """`1 policy`, `2 policies`, `3 records`."""
    if count == 1:
        return f"1 {what}"
    return f"{count} {what.removesuffix('y')}ies" if what.endswith("cy") else f"{count} {what}s"
