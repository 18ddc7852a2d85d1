"""The fewest boxes, against every set of boxes over small cells."""

from __future__ import annotations

from itertools import chain, combinations, product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_egress.learning import boxes
from fsm_egress.learning.boxes import fewest_boxes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from random import Random

    from fsm_egress.learning.boxes import Box, Cell

SMALL = st.frozensets(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 2)), min_size=1
)
LARGE = st.frozensets(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("pqrstuvw"), st.integers(1, 3)), min_size=1
)


def held(box: Iterable[Any]) -> set[Any]:
    return set(product(*box))


def some_of(values: Iterable[Any]) -> Iterator[frozenset[Any]]:
    listed = sorted(set(values))
    return (frozenset(it) for size in range(1, len(listed) + 1) for it in combinations(listed, size))


def least(cells: frozenset[Cell]) -> int:
    """How many boxes it takes: every set of boxes is tried, the small sets first."""
    sides = [list(some_of(cell[axis] for cell in cells)) for axis in range(3)]
    every = [frozenset(it) for it in map(held, product(*sides)) if it <= cells]
    largest = [box for box in every if not any(box < other for other in every)]
    return next(
        size
        for size in range(1, len(cells) + 1)
        if any(cells == frozenset(chain(*chosen)) for chosen in combinations(largest, size))
    )


@given(SMALL)
@settings(max_examples=60)
def test_law_there_are_no_fewer(cells: frozenset[Cell]) -> None:
    assert len(fewest_boxes(cells)) == least(cells)


@given(SMALL | LARGE)
@settings(max_examples=60)
def test_law_they_hold_the_cells_and_no_others_and_all_of_it_is_needed(cells: frozenset[Cell]) -> None:
    found = fewest_boxes(cells)
    assert set().union(*map(held, found)) == cells
    for at, box in enumerate(found):
        others = set().union(*map(held, found[:at] + found[at + 1 :]))
        for axis, values in enumerate(box):
            for value in values:
                assert not {cell for cell in held(box) if cell[axis] == value} <= others


@given(LARGE, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_law_the_order_of_cells_does_not_count(cells: frozenset[Cell], random: Random) -> None:
    shuffled = sorted(cells)
    random.shuffle(shuffled)
    assert in_order(fewest_boxes(shuffled)) == in_order(fewest_boxes(sorted(cells)))


def in_order(found: Iterable[Box]) -> list[list[Any]]:
    return sorted([sorted(side) for side in box] for box in found)


def cells_of(**needs: str) -> Collection[Cell]:
    return {(account, host, 443) for account, hosts in needs.items() for host in hosts}


@pytest.mark.parametrize(
    ("needs", "fewest"),
    [
        ({"a": "12", "b": "13"}, [[["a"], ["1", "2"], [443]], [["b"], ["1", "3"], [443]]]),
        (
            {"a": "12", "b": "23", "c": "123"},
            [[["a", "c"], ["1", "2"], [443]], [["b", "c"], ["2", "3"], [443]]],
        ),
        ({"a": "12", "b": "12", "c": "3"}, [[["a", "b"], ["1", "2"], [443]], [["c"], ["3"], [443]]]),
    ],
)
def test_an_account_may_have_its_hosts_from_several(needs: dict[str, str], fewest: list[Any]) -> None:
    assert in_order(fewest_boxes(cells_of(**needs))) == fewest


@pytest.mark.parametrize(("limit", "value"), [("STEPS", 0), ("SUBSETS", 1), ("CELLS", 2)])
def test_where_it_takes_too_long_the_best_that_is_known_is_taken(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxes, limit, value)
    needs = cells_of(a="12", b="23", c="123")
    found = fewest_boxes(needs)
    assert set().union(*map(held, found)) == needs
    assert len(found) == 3
