"""Replaying past one machine with Dask: bags of records and data frames, partition by partition.

Nothing of Dask is needed to import this module; its engines run wherever Dask's workers do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..values.construction import frozen
from . import DECIDED, Decider
from .records import Layout, Place, Records, column_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    return tally.summary(_records(part, tally.layout, number))


def _total(parts: Iterable[T], tally: Tally[T]) -> T:
    return tally.total(parts)


def _decided_frame(frame: Any, decider: Decider) -> Any:
    table = decider.table(_records(frame, decider.layout))
    return frame.assign(**table).astype(dict.fromkeys(DECIDED, "string"))


def _decided_bag(part: Iterable[Mapping[str, Any]], decider: Decider) -> list[dict[str, Any]]:
    records = list(part)
    table = decider.table(_records(records, decider.layout))
    return [
        {**record, **dict(zip(DECIDED, row, strict=True))}
        for record, *row in zip(records, *table.values(), strict=True)
    ]


def _records(part: Any, layout: Layout, number: int = 0) -> Records:
    """The records of a partition: a list of mappings, or a data frame of pandas."""

    def find(name: str) -> Column | None:
        if name not in part.columns:
            return None
        cells = part[name]
        values: Column = cells.astype(object).where(cells.notna(), None).tolist()
        return values

    is_bag = isinstance(part, list)
    first = Place(number, 1, f"partition {number}")
    return Records.following(column_of(part) if is_bag else find, layout, first, len(part))
