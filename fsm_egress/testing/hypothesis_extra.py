"""Hypothesis's own strategies, or the error that says how to get them."""

from __future__ import annotations

from ..values.errors import MissingExtra

try:
    from hypothesis import strategies as st
except ImportError:
    raise MissingExtra("fsm_egress.strategies", "hypothesis") from None

__all__ = ["st"]
