"""How much of the work that a test is about is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fsm_egress as fe

if TYPE_CHECKING:
    import pytest

__all__ = ["count_classified"]


def count_classified(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many connections engines are given at once, each time."""
    classified: list[int] = []
    classify = fe.Engine.classify_many

    def counting(engine: fe.Engine, connections: Any) -> list[fe.Decision]:
        classified.append(len(connections))
        return classify(engine, connections)

    monkeypatch.setattr(fe.Engine, "classify_many", counting)
    return classified
