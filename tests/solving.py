"""A solver that knows nothing of meshes, as the tests of certificates ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 60_000  # milliseconds for one question of the tests


def many(usual: int, long: int) -> settings:
    """So many examples, and so many in the long run."""
    is_long = settings.default is not None and settings.default.max_examples > 1_000
    return settings(max_examples=long if is_long else usual, deadline=None)


def solved(script: str) -> str:
    """What the solver says of a script: `sat`, `unsat` or `unknown`."""
    solver = z3.Solver()
    solver.set("timeout", PATIENCE)
    solver.from_string(script)
    return str(solver.check())


def holds(declared: Iterable[str], term: str) -> bool:
    """Whether a term that leaves nothing open is true."""
    answer = solved("\n".join([*declared, f"(assert {term})"]))
    assert answer in {"sat", "unsat"}
    return answer == "sat"
