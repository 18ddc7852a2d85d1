"""Rows of Arrow that are alike, found by Arrow itself: dictionary-encoded columns are used as they come.

Each row becomes one number: the place of its value in the dictionary of each column, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..values.construction import frozen
from .records import values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Rows", "by_column", "distinct", "repeated"]

MOST = 2**62  # numbers that a combination of values may have
SLICE = 2**16  # rows that are looked through at a time


@frozen(eq=False)
class Rows:
    """The rows of a record batch, those that are alike as one.

    Attributes:
        codes: an array of Arrow: for each row, which of the different ones it is; these are numbered as they
            come.
        different: how many there are.
    """

    codes: Any
    different: int
    _columns: Sequence[Any]
    _numbers: Any
    _steps: Sequence[tuple[Any, int]]

    def values(self) -> list[tuple[Any, ...]]:
        """The different rows, each with a value for each column."""
        columns = zip(self._columns, _divided(self._numbers, self._steps), strict=True)
        told: list[list[Any]] = []
        for column, places in columns:
            known = [*values_of(column.dictionary), None]
            told.append(list(map(known.__getitem__, places)))
        return list(zip(*told, strict=True))

    def columns(self, names: Sequence[str]) -> dict[str, Sequence[Any]]:
        """The different rows by column."""
        return by_column(names, self.values())

    def counts(self) -> list[int]:
        """How many rows each of them stands for."""
        found: list[int] = self.codes.value_counts().field(1).to_pylist()
        return found

    def places(self, wanted: Sequence[bool]) -> Iterator[tuple[int, int]]:
        """The rows of those that are wanted: where they are, and which.

        What is wanted may change meanwhile, and is looked at now and then.
        """
        from pyarrow import array  # noqa: PLC0415  # because Arrow is an extra
        from pyarrow.compute import call_function  # noqa: PLC0415  # ditto

        for start in range(0, len(self.codes), SLICE):
            if not any(wanted):
                return
            codes = self.codes.slice(start, SLICE)
            rows = call_function("indices_nonzero", [array(wanted).take(codes)])
            for row, code in zip(rows.to_pylist(), codes.take(rows).to_pylist(), strict=True):
                yield start + row, code


def by_column(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Rows as columns, by the names of these."""
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def distinct(batch: Any) -> Rows | None:
    """The rows of a record batch of Arrow, those that are alike as one.

    None where there are none, or where a column holds values that may be equal and yet unlike, such as
    numbers with fractions, or others within them.
    """
    from pyarrow import int64  # noqa: PLC0415  # ditto
    from pyarrow.compute import call_function  # noqa: PLC0415  # ditto

    columns = [_encoded(column) for column in batch.columns]
    if not batch.num_rows or not columns or any(column is None for column in columns):
        return None
    steps: list[tuple[Any, int]] = []  # what a number is, from the first column to the last
    (numbers, size), *others = [_places(column, int64()) for column in columns]
    for places, count in others:
        if size * count > MOST:
            encoded = numbers.dictionary_encode()
            steps.append((encoded.dictionary, 0))
            numbers, size = encoded.indices.cast(int64()), len(encoded.dictionary)
        steps.append((None, count))
        size *= count
        if count > 1:
            numbers = call_function("add", [call_function("multiply", [numbers, count]), places])
    encoded = numbers.dictionary_encode()
    return Rows(encoded.indices, len(encoded.dictionary), columns, encoded.dictionary, steps)


def repeated(batch: Any) -> Rows | None:
    """The rows of a record batch of which most are like others; None for another."""
    rows = distinct(batch)
    return rows if rows is not None and rows.different * 2 <= batch.num_rows else None


def _encoded(column: Any) -> Any:
    """A column of a few types as a dictionary and places in it; None for another."""
    from pyarrow import string, types  # noqa: PLC0415  # ditto

    if types.is_null(column.type):
        column = column.cast(string())
    is_encoded = types.is_dictionary(column.type)
    kind = column.type.value_type if is_encoded else column.type
    if not any(is_of(kind) for is_of in (types.is_string, types.is_large_string, types.is_integer)):
        return None
    if is_encoded and len(column.dictionary) > len(column):  # of a whole of which this is a small part
        column, is_encoded = column.dictionary_decode(), False
    return column if is_encoded else column.dictionary_encode()


def _places(column: Any, kind: Any) -> tuple[Any, int]:
    """The place of each row in the dictionary of a column, behind it for null, and how many there are."""
    places, behind = column.indices.cast(kind), len(column.dictionary)
    return (places.fill_null(behind), behind + 1) if places.null_count else (places, max(1, behind))


def _divided(numbers: Any, steps: Iterable[tuple[Any, int]]) -> list[list[int]]:
    """The places that numbers are made of, by column."""
    from pyarrow.compute import call_function  # noqa: PLC0415  # ditto

    places: list[list[int]] = []
    for known, count in reversed([*steps]):
        if known is not None:
            numbers = known.take(numbers)
        elif count == 1:
            places.append([0] * len(numbers))
        else:
            whole = call_function("divide", [numbers, count])
            rest = call_function("subtract", [numbers, call_function("multiply", [whole, count])])
            places.append(rest.to_pylist())
            numbers = whole
    return [numbers.to_pylist(), *reversed(places)]
