"""Rows of Arrow that are alike: each is the row that its code stands for, and none is lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thoroughness import examples

from fsm_egress.replaying import encoding
from fsm_egress.replaying.encoding import distinct

COLUMNS = {
    "who": (pa.string(), st.sampled_from(["a.b", "c.d", "", None])),
    "long": (pa.large_string(), st.sampled_from(["x", "y", None])),
    "port": (pa.int64(), st.sampled_from([80, 443, None])),
    "nothing": (pa.null(), st.none()),
    "same": (pa.string(), st.just("GET")),
}


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    size = draw(st.integers(1, 20))
    names = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, unique=True))
    arrays = []
    for name in names:
        kind, values = COLUMNS[name]
        array = pa.array(draw(st.lists(values, min_size=size, max_size=size)), kind)
        is_encoded = name != "nothing" and draw(st.booleans())
        arrays.append(array.dictionary_encode() if is_encoded else array)
    batch = pa.RecordBatch.from_arrays(arrays, names=names)
    start = draw(st.integers(0, size - 1))
    return batch.slice(start)  # of which the dictionaries hold more than there is


@settings(max_examples=examples(150))
@given(batches(), st.sampled_from([1, 4, 2**62]), st.sampled_from([1, 3, 2**16]))
def test_law_each_row_is_the_one_that_its_code_stands_for(
    batch: pa.RecordBatch, most: int, size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "MOST", most)
        patch.setattr(encoding, "SLICE", size)
        found = distinct(batch)
        assert found is not None
        values, rows = found.values(), list(zip(*(it.to_pylist() for it in batch.columns), strict=True))
        assert [values[code] for code in found.codes.to_pylist()] == rows
        assert len(values) == found.different
        assert dict(zip(values, found.counts(), strict=True)) == Counter(rows)
        every = [True] * len(values)
        assert [(row, values[code]) for row, code in found.places(every)] == list(enumerate(rows))
        assert not list(found.places([False] * len(values)))


@pytest.mark.parametrize(
    "array",
    [pa.array([0.0, -0.0]), pa.array([[1], [1]]), pa.array([True, False]), pa.array([{"a": 1}, {"a": 1}])],
    ids=["fractions", "lists", "booleans", "others within"],
)
def test_values_that_may_be_equal_and_unlike_are_left_alone(array: Any) -> None:
    assert distinct(pa.RecordBatch.from_arrays([array], names=["a"])) is None


def test_nothing_has_no_rows() -> None:
    assert distinct(pa.RecordBatch.from_pylist([])) is None
    assert distinct(pa.RecordBatch.from_arrays([pa.array([], pa.string())], names=["a"])) is None


def test_what_python_cannot_hold_is_a_value_of_its_own() -> None:
    texts = pa.array([b"a", b"\xff", b"a"]).cast(pa.binary()).view(pa.string())
    found = distinct(pa.RecordBatch.from_arrays([texts], names=["a"]))
    assert found is not None
    assert (found.counts(), found.values()[0]) == ([2, 1], ("a",))


def test_what_is_wanted_no_longer_is_looked_for_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "SLICE", 2)
    found = distinct(pa.RecordBatch.from_arrays([pa.array(["a", "b"] * 9)], names=["a"]))
    assert found is not None
    wanted = [True, False]
    rows = []
    for row, _ in found.places(wanted):
        rows.append(row)
        wanted[0] = row < 4
    assert rows[-1] == 4
