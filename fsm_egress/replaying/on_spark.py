"""Replaying past one machine with Spark: data frames, batch by batch of Arrow.

Nothing of Spark is needed to import this module; its engines run wherever Spark's workers do.
"""

from __future__ import annotations

import pickle
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..values.construction import frozen
from . import DECIDED, Decider
from .dialects import Format
from .encoding import repeated
from .logs import PROBE, Block, read
from .records import Layout, Place, Records, column_of_batch
from .repeated import gathered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..resources.resource import ServiceIdentity
    from ..snapshot import Snapshot
    from .streaming import Tally
    from .tally import Summary

__all__ = ["Partitions", "decide_frame", "replay"]

T = TypeVar("T")

PARTITION = "_partition"


def decide_frame(
    frame: Any,
    mesh: Snapshot,
    *,
    columns: Mapping[str, str] | None = None,
    identity: ServiceIdentity | str | None = None,
) -> Any:
    """The data frame with what is decided for each row: `verdict`, `reason`, `rule`, `source`, `problem`.

    Args:
        frame: a Spark data frame with a connection a row.
        mesh: what decides.
        columns: the columns of some fields, as for `replay`.
        identity: whose the connections are, of rows that do not say.

    Raises:
        InvalidValue: the frame lacks a column, or there is no such field.
    """
    decider = Decider.of_frame(frame, mesh, columns=columns, identity=identity)
    schema = type(frame.schema)(list(frame.schema.fields))
    for name in DECIDED:
        schema = schema.add(name, "string")
    return frame.mapInArrow(partial(_decided, decider), schema)


def replay(
    frame: Any,
    mesh: Snapshot,
    after: Snapshot | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    identity: ServiceIdentity | str | None = None,
) -> Summary:
    """What became of the connections in a data frame, as `replay` tells of logs.

    Each partition becomes one summary, and those are collected.

    Raises:
        InvalidValue: the frame lacks a column, or there is no such field.
    """
    return Partitions(frame).tallied(Decider(mesh, after, Layout(columns or {}, identity)))


@frozen
class Partitions:
    """The partitions of a data frame, for `replay` and `learn` in the place of logs.

    Attributes:
        frame: a Spark data frame with a connection a row.
    """

    frame: Any

    def tallied(self, tally: Tally[T]) -> T:
        """What all rows come to: each partition becomes one count, and those are collected.

        Raises:
            InvalidValue: the frame lacks a column.
        """
        tally.layout.check(self.frame.columns, "the data frame")
        numbered = self.frame.selectExpr("*", f"spark_partition_id() AS {PARTITION}")
        rows = numbered.mapInArrow(partial(_summaries, tally), "summary binary").collect()
        return tally.total(pickle.loads(row.summary) for row in rows)  # noqa: S301  # because our workers wrote them


def _decided(decider: Decider, batches: Iterable[Any]) -> Iterator[Any]:
    from pyarrow import array, string  # noqa: PLC0415  # because Arrow is an extra

    for batch in batches:
        wanted = batch.select(decider.layout.columns_of(batch.schema.names, timed=False))
        rows = repeated(wanted)
        find, size = (
            (column_of_batch(batch), batch.num_rows)
            if rows is None
            else (rows.columns(wanted.schema.names).get, rows.different)
        )
        records = Records.following(find, decider.layout, Place(0, 1, ""), size)
        for name, values in decider.table(records).items():
            told = array(values, string())
            batch = batch.append_column(name, told if rows is None else told.take(rows.codes))  # noqa: PLW2901  # because it grows
        yield batch


def _summaries(tally: Tally[Any], batches: Iterable[Any]) -> Iterator[Any]:
    """The summary of a partition, as the only row of the only batch."""
    from pyarrow import RecordBatch  # noqa: PLC0415  # because Arrow is an extra

    blocks = gathered(_blocks(tally, batches))
    summary = tally.total(tally.summary(read(block, tally.layout)) for block in blocks)
    yield RecordBatch.from_pydict({"summary": [pickle.dumps(summary)]})


def _blocks(tally: Tally[Any], batches: Iterable[Any]) -> Iterator[Block]:
    """The blocks of a partition, whose rows are counted from one."""
    line = 1
    for batch in _together(filter(len, batches)):
        number = batch.column(PARTITION)[0].as_py()
        first = Place(number, line, f"partition {number}")
        wanted = batch.select(tally.layout.columns_of(batch.schema.names, timed=tally.timed))
        yield Block(first, Format.PARQUET, wanted)
        line += batch.num_rows


def _together(batches: Iterable[Any]) -> Iterator[Any]:
    """Batches as large as those of a file, as only what stands in one is found to be alike."""
    from pyarrow import Table  # noqa: PLC0415  # ditto

    some: list[Any] = []
    for batch in batches:
        if some and (sum(map(len, some)) >= PROBE or batch.schema != some[0].schema):
            yield from Table.from_batches(some).combine_chunks().to_batches()
            some = []
        some.append(batch)
    if some:
        yield from Table.from_batches(some).combine_chunks().to_batches()
