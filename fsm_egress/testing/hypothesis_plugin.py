"""What Hypothesis calls when it is imported, so that it knows the types of this package."""

from __future__ import annotations

from importlib import import_module

__all__ = ["setup"]


def setup() -> None:
    """Have the strategies registered, which they do when they are imported, or are about to do."""
    import_module("fsm_egress.strategies")
