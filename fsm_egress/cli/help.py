"""What the helps of all commands have in common."""

from __future__ import annotations

__all__ = ["examples"]


def examples(*lines: str) -> str:
    """The end of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
