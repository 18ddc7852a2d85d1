"""Replaying past one machine with Spark: data frames, batch by batch of Arrow.

Nothing of Spark is needed to import this module; its engines run wherever Spark's workers do.
"""

from __future__ import annotations

import pickle
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..values.construction import frozen
from . import DECIDED, Decider
from .records import Layout, Place, Records, column_of_batch

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
        records = Records.following(column_of_batch(batch), decider.layout, Place(0, 1, ""), batch.num_rows)
        for name, values in decider.table(records).items():
            batch = batch.append_column(name, array(values, string()))  # noqa: PLW2901  # because it grows
        yield batch


def _summaries(tally: Tally[Any], batches: Iterable[Any]) -> Iterator[Any]:
    """The summary of a partition, as the only row of the only batch."""
    from pyarrow import RecordBatch  # noqa: PLC0415  # because Arrow is an extra

    summary = tally.total(map(tally.summary, _records(tally.layout, batches)))
    yield RecordBatch.from_pydict({"summary": [pickle.dumps(summary)]})


def _records(layout: Layout, batches: Iterable[Any]) -> Iterator[Records]:
    """The records of a partition, whose rows are counted from one."""
    line = 1
    for batch in filter(len, batches):
        number = batch.column(PARTITION)[0].as_py()
        first = Place(number, line, f"partition {number}")
        yield Records.following(column_of_batch(batch), layout, first, batch.num_rows)
        line += batch.num_rows
