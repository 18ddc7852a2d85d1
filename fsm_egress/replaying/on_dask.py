"""Replaying past one machine with Dask: bags of records and data frames, partition by partition.

Nothing of Dask is needed to import this module; its engines run wherever Dask's workers do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..values.construction import frozen
from . import DECIDED, Decider
from .encoding import repeated
from .records import Layout, Place, Records, column_of
from .repeated import different

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..resources.resource import ServiceIdentity
    from ..snapshot import Snapshot
    from .records import Column
    from .streaming import Tally
    from .tally import Summary

__all__ = ["Partitions", "decide_bag", "decide_frame", "replay"]

T = TypeVar("T")

MERGED = 16  # summaries that are added up at a time


def decide_frame(
    frame: Any,
    mesh: Snapshot,
    *,
    columns: Mapping[str, str] | None = None,
    identity: ServiceIdentity | str | None = None,
) -> Any:
    """The data frame with what is decided for each row: `verdict`, `reason`, `rule`, `source`, `problem`.

    Args:
        frame: a Dask data frame with a connection a row.
        mesh: what decides.
        columns: the columns of some fields, as for `replay`.
        identity: whose the connections are, of rows that do not say.

    Raises:
        InvalidValue: the frame lacks a column, or there is no such field.
    """
    decider = Decider.of_frame(frame, mesh, columns=columns, identity=identity)
    return frame.map_partitions(_decided_frame, decider)


def decide_bag(
    bag: Any,
    mesh: Snapshot,
    *,
    columns: Mapping[str, str] | None = None,
    identity: ServiceIdentity | str | None = None,
) -> Any:
    """The bag, each record with what is decided for it: `verdict`, `reason`, `rule`, `source`, `problem`.

    Args:
        bag: a Dask bag of mappings.
        mesh: what decides.
        columns: the columns of some fields, as for `replay`.
        identity: whose the connections are, of records that do not say.

    Raises:
        InvalidValue: there is no such field.
    """
    return bag.map_partitions(_decided_bag, Decider(mesh, layout=Layout(columns or {}, identity)))


def replay(
    collection: Any,
    mesh: Snapshot,
    after: Snapshot | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    identity: ServiceIdentity | str | None = None,
) -> Summary:
    """What became of the connections in a bag or a data frame, as `replay` tells of logs.

    Raises:
        InvalidValue: there is no such field.
    """
    return Partitions(collection).tallied(Decider(mesh, after, Layout(columns or {}, identity)))


@frozen
class Partitions:
    """The partitions of a bag or a data frame, for `replay` and `learn` in the place of logs.

    Attributes:
        collection: a bag of mappings, or a data frame with a connection a row.
    """

    collection: Any

    def tallied(self, tally: Tally[T]) -> T:
        """What all records come to: each partition is counted where it is, and the counts are added up."""
        from dask.delayed import delayed  # noqa: PLC0415  # because Dask is an extra

        counter = delayed(tally)
        listed = enumerate(self.collection.to_delayed())
        parts = [delayed(_summary)(part, counter, number) for number, part in listed]
        while len(parts) > 1:
            slices = (parts[at : at + MERGED] for at in range(0, len(parts), MERGED))
            parts = [delayed(_total)(some, counter) for some in slices]
        total: T = parts[0].compute()
        return total


def _summary(part: Any, tally: Tally[T], number: int) -> T:
    first = Place(number, 1, f"partition {number}")
    found = _different(part, tally, first)
    return (
        tally.summary(_records(part, tally.layout, first))
        if found is None
        else tally.total(map(tally.summary, found))
    )


def _total(parts: Iterable[T], tally: Tally[T]) -> T:
    return tally.total(parts)


def _different(part: Any, tally: Tally[Any], first: Place) -> Iterator[Records] | None:
    """The different records of a partition; None where they are not found, or where most are different."""
    batch = _batch(part, tally.layout, timed=tally.timed)
    if batch is None or (rows := repeated(batch)) is None:
        return None
    return different(rows, batch.schema.names, tally.layout, first)


def _batch(part: Any, layout: Layout, *, timed: bool) -> Any:
    """What is read of a partition as a record batch of Arrow; None where Arrow cannot hold it as it is."""
    try:
        from pyarrow import ArrowException, RecordBatch  # noqa: PLC0415  # because Arrow is an extra
    except ModuleNotFoundError:
        return None
    present = (
        dict.fromkeys(name for record in part for name in record) if isinstance(part, list) else part.columns
    )
    names = layout.columns_of(present, timed=timed)
    try:
        if isinstance(part, list):
            find = column_of(part)
            columns = {name: find(name) for name in names}
            return RecordBatch.from_pydict(columns) if all(map(_is_plain, columns.values())) else None
        return RecordBatch.from_pandas(part[names], preserve_index=False)
    except (ArrowException, OverflowError, ValueError):
        return None


def _is_plain(column: Column | None) -> bool:
    """Whether a column is of texts, or of whole numbers."""
    kinds = {*map(type, column or ())} - {type(None)}
    return kinds in ({str}, {int}, set())


def _decided_frame(frame: Any, decider: Decider) -> Any:
    table = _table(frame, decider)
    return frame.assign(**table).astype(dict.fromkeys(DECIDED, "string"))


def _decided_bag(part: Iterable[Mapping[str, Any]], decider: Decider) -> list[dict[str, Any]]:
    records = list(part)
    table = _table(records, decider)
    return [
        {**record, **dict(zip(DECIDED, row, strict=True))}
        for record, *row in zip(records, *table.values(), strict=True)
    ]


def _table(part: Any, decider: Decider) -> dict[str, list[str | None]]:
    """The columns of `DECIDED` for a partition, of which each different record is decided about once."""
    batch, first = _batch(part, decider.layout, timed=False), Place(0, 1, "partition 0")
    if batch is None or (rows := repeated(batch)) is None:
        return decider.table(_records(part, decider.layout, first))
    find, codes = rows.columns(batch.schema.names).get, rows.codes.to_pylist()
    table = decider.table(Records.following(find, decider.layout, first, rows.different))
    return {name: list(map(values.__getitem__, codes)) for name, values in table.items()}


def _records(part: Any, layout: Layout, first: Place) -> Records:
    """The records of a partition: a list of mappings, or a data frame of pandas."""

    def find(name: str) -> Column | None:
        if name not in part.columns:
            return None
        cells = part[name]
        values: Column = cells.astype(object).where(cells.notna(), None).tolist()
        return values

    return Records.following(column_of(part) if isinstance(part, list) else find, layout, first, len(part))
