"""The decision against the sidecar, and against what a stock `fsm-controller` would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values.moved import without

if TYPE_CHECKING:
    from collections.abc import Callable

__getattr__: Callable[[str], object] = without(__name__, "Verification")
