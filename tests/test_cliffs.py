"""Cost grows as a mesh does: calls of functions are counted, as clocks tell of the machine."""

from __future__ import annotations

import pytest

from benchmarks.cliffs import SHAPES, calls_anew, calls_of, mesh_of

RANGES = ("half http with ranges", "half https with ranges", "few http without ranges", "nested ranges")
PATTERNS = ("anchored paths", "unanchored paths", "patterns of one header")
SIZE = 20
ASKED = [
    *((shape, operation) for shape in RANGES for operation in ("compile", "dump")),
    *((shape, operation) for shape in RANGES[::3] for operation in ("never", "diff")),
    *((shape, "partition") for shape in SHAPES),
    *((shape, "verify") for shape in (*RANGES, "services")),
    *((shape, "stock findings") for shape in RANGES),
]


@pytest.mark.parametrize(("shape", "operation"), ASKED)
def test_twice_the_policies_cost_about_twice_the_calls(shape: str, operation: str) -> None:
    """What is not shared by ranges or patterns would cost up to four times as much."""
    calls_of(operation, mesh_of(shape, SIZE // 4))  # whatever is done once in a process
    small, great = (calls_of(operation, mesh_of(shape, size)) for size in (SIZE, 2 * SIZE))
    assert great < 2.25 * small


@pytest.mark.parametrize(
    ("shape", "operation"),
    [
        *(
            (shape, operation)
            for shape in PATTERNS
            for operation in ("partition", "verify", "stock findings")
        ),
        *((PATTERNS[2], operation) for operation in ("reach", "diff", "never")),
        *(("patterns of many headers", operation) for operation in ("partition", "verify")),
    ],
)
def test_twice_the_patterns_cost_about_twice_the_calls(shape: str, operation: str) -> None:
    """Each pattern searched in the texts of all others would be the square, which shows where many are."""
    calls_of(operation, mesh_of(shape, SIZE // 4))
    small, great = (calls_anew(operation, shape, size) for size in (3 * SIZE, 6 * SIZE))
    assert great < 2.1 * small


@pytest.mark.parametrize(("shape", "size"), [(RANGES[0], 120), ("half http with ranges, in force", 60)])
def test_stock_findings_try_few_rules_on_few_connections(shape: str, size: int) -> None:
    """Each rule on each connection would be the square, which shows where policies are many."""
    calls_of("stock findings", mesh_of(shape, SIZE // 4))
    small, great = (calls_of("stock findings", mesh_of(shape, it)) for it in (size, 2 * size))
    assert great < 2.25 * small


@pytest.mark.parametrize("shape", [RANGES[0], RANGES[3]])
def test_what_holds_around_ranges_is_not_told_for_each_of_them(shape: str) -> None:
    """To keep for other accounts all that a sidecar does in each range would be the square: it shows here."""
    calls_of("verify", mesh_of(shape, SIZE // 4))
    small, great = (calls_of("verify", mesh_of(shape, it)) for it in (120, 240))
    assert great < 2.05 * small


@pytest.mark.parametrize("operation", ["reach", "never", "diff"])
def test_accounts_with_the_same_policies_are_looked_at_once(operation: str) -> None:
    """Fifty accounts cost a few partitions, and not fifty."""
    mesh = mesh_of("50 accounts named by all", SIZE // 2)
    calls_of(operation, mesh_of("50 accounts named by all", 1))
    assert calls_of(operation, mesh) < 4 * calls_of("partition", mesh)
