"""The decision against the sidecar, and against what a stock `fsm-controller` would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # to a type checker a name that is not there is an error
    from ..values.moved import without

    __getattr__ = without(__name__, "Verification")
