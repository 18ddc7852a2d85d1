"""The decision against the sidecar, and against what a stock `fsm-controller` would write."""

from __future__ import annotations

from ..values.moved import without

__getattr__ = without(__name__, "Verification")
