"""Replaying with Spark, which a stand-in plays here; the real one is asked in `spark`, where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from counting import count_classified
from traffic import GET, NOWHERE, PLAIN, RECORDS, TLS, log_of, mesh

import fsm_egress as fe
from fsm_egress import replay_spark
from fsm_egress.replaying import DECIDED, replay

BEFORE, AFTER = mesh(), mesh(enable_egress=True)
Record = dict[str, Any]
Batches = Iterable[pa.RecordBatch]


class Schema:
    """A schema as far as the adapter knows one."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self.fields = fields

    def add(self, name: str, kind: str) -> Schema:
        return Schema([*self.fields, (name, kind)])


class Frame:
    """A data frame of partitions, each of some batches of Arrow."""

    def __init__(self, *partitions: Sequence[pa.RecordBatch], schema: Any = None) -> None:
        self.partitions = partitions
        names: Iterator[list[str]] = (batch.schema.names for part in partitions for batch in part)
        self.columns = next(names, [])
        self.schema = schema or Schema([(name, "any") for name in self.columns])

    def selectExpr(self, everything: str, numbered: str) -> Frame:  # noqa: N802  # because Spark says it
        assert (everything, numbered) == ("*", "spark_partition_id() AS _partition")
        return Frame(
            *(
                [
                    batch.append_column("_partition", pa.array([number] * len(batch), pa.int32()))
                    for batch in part
                ]
                for number, part in enumerate(self.partitions)
            )
        )

    def mapInArrow(self, work: Callable[[Batches], Iterator[Any]], schema: Any) -> Frame:  # noqa: N802  # ditto
        return Frame(*(list(work(iter(part))) for part in self.partitions), schema=schema)

    def rows(self) -> list[Record]:
        return [row for part in self.partitions for batch in part for row in batch.to_pylist()]

    def collect(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(**row) for row in self.rows()]


def batch(*records: Record) -> pa.RecordBatch:
    names = ("identity", "destination", "port", "host", "server_name", "path")
    return pa.RecordBatch.from_pylist([{name: record.get(name) for name in names} for record in records])


def test_a_row_gets_what_is_decided_for_it() -> None:
    frame = replay_spark.decide_frame(Frame([batch(GET, TLS), batch(NOWHERE)], [batch(PLAIN)]), BEFORE)
    assert frame.schema.fields[-5:] == [(name, "string") for name in DECIDED]
    assert [row["verdict"] for row in frame.rows()] == ["EGRESS_POLICY", "EGRESS_POLICY", None, "DENIED"]
    assert frame.rows()[2]["problem"].startswith("destination: expected an IP address")
    assert frame.rows()[0]["host"] == "a.com"


def test_a_frame_and_a_log_tell_the_same() -> None:
    records = RECORDS * 3
    summary = replay(BEFORE, [log_of(*records)], AFTER)
    frame = Frame([batch(*records[:8]), batch(), batch(*records[8:9])], [], [batch(*records[9:])])
    found = replay_spark.replay(frame, BEFORE, AFTER)
    assert (found.counts, found.counts_after) == (summary.counts, summary.counts_after)
    assert (found.changed, found.unreadable) == (summary.changed, summary.unreadable)


def test_examples_are_told_by_partition_and_row() -> None:
    summary = replay_spark.replay(Frame([batch(GET), batch(TLS, PLAIN)], [batch(PLAIN)]), BEFORE, AFTER)
    (changed,) = summary.changes.values()
    assert list(map(str, changed.examples)) == [
        "partition 0:3: 54.9.9.9:9000 TCP",
        "partition 1:1: 54.9.9.9:9000 TCP",
    ]


@pytest.mark.parametrize("ask", [replay_spark.decide_frame, replay_spark.replay])
def test_a_frame_needs_its_columns(ask: Callable[..., Any]) -> None:
    frame = Frame([pa.RecordBatch.from_pylist([{"who": "a.b"}])])
    with pytest.raises(fe.InvalidValue, match="data frame: expected a column `identity`, found `who`"):
        ask(frame, BEFORE)


def test_columns_and_identity_are_as_they_are_said() -> None:
    rows = [{"to": {"ip": "54.9.9.9"}, "port": 443, "name": "b.com"}]
    columns = {"destination": "to.ip", "server_name": "name"}
    frame = Frame([pa.RecordBatch.from_pylist(rows)])
    (row,) = replay_spark.decide_frame(frame, BEFORE, columns=columns, identity="curl.curl").rows()
    assert row["reason"] == "tls_server_name"


def test_what_is_learned_from_partitions_is_what_is_learned_from_logs() -> None:
    partitions = replay_spark.Partitions(Frame([batch(PLAIN, TLS)], [], [batch(PLAIN)]))
    lesson = fe.learn(AFTER, partitions)
    assert lesson.to_documents() == fe.learn(AFTER, [log_of(PLAIN, TLS, PLAIN)]).to_documents() != []
    with pytest.raises(fe.InvalidValue, match="the data frame: expected a column `identity`"):
        fe.learn(AFTER, replay_spark.Partitions(Frame([pa.RecordBatch.from_pylist([{"a": 1}])])))


def test_rows_that_are_alike_are_decided_once_wherever_batches_end(monkeypatch: pytest.MonkeyPatch) -> None:
    classified = count_classified(monkeypatch)
    records = [GET, TLS, NOWHERE, PLAIN] * 50
    batches = [batch(*records[:120]), batch(*records[120:])]
    found = replay_spark.replay(Frame(batches), BEFORE)
    assert (found.connections, found.unreadable) == (150, 50)
    assert sum(classified) < 20
    classified.clear()
    rows = replay_spark.decide_frame(Frame(batches), BEFORE).rows()
    assert [row["verdict"] for row in rows] == ["EGRESS_POLICY", "EGRESS_POLICY", None, "DENIED"] * 50
    assert sum(classified) < 40
