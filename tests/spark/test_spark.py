"""A real Spark, where there is one: its data frames are decided and replayed as logs are."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import SparkSession
from traffic import GET, NOWHERE, PLAIN, RECORDS, TLS, log_of, mesh

import fsm_egress as fe
from fsm_egress import replay_spark
from fsm_egress.replaying import DECIDED, replay

if TYPE_CHECKING:
    from collections.abc import Iterator

# Spark imports pandas whenever it maps batches of Arrow, and has doubts about the newest.
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

COLUMNS = ("identity", "destination", "port", "host", "server_name", "path")
SCHEMA = "identity string, destination string, port int, host string, server_name string, path string"
BEFORE, AFTER = mesh(), mesh(enable_egress=True)


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    """A session of two threads, whose Python is this one."""
    here = Path(fe.__file__).parents[1]
    os.environ.update(PYSPARK_PYTHON=sys.executable, PYTHONPATH=str(here))
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    yield session
    session.stop()


def test_a_frame_is_decided_and_replayed_as_a_log_is(spark: SparkSession) -> None:
    def frame_of(*records: dict[str, Any]) -> Any:
        rows = [tuple(record.get(name) for name in COLUMNS) for record in records]
        return spark.createDataFrame(rows, SCHEMA)

    rows = replay_spark.decide_frame(frame_of(GET, TLS, NOWHERE, PLAIN), BEFORE).collect()
    assert [row.verdict for row in rows] == ["EGRESS_POLICY", "EGRESS_POLICY", None, "DENIED"]
    assert rows[2].problem.startswith("destination: expected an IP address")
    assert rows[0].__fields__ == [*COLUMNS, *DECIDED]

    records = RECORDS * 3
    summary = replay(BEFORE, [log_of(*records)], AFTER)
    found = replay_spark.replay(frame_of(*records).repartition(2), BEFORE, AFTER)
    assert (found.counts, found.counts_after) == (summary.counts, summary.counts_after)
    assert (found.changed, found.unreadable) == (summary.changed, summary.unreadable)
    (changed,) = found.changes.values()
    assert {example.place.name for example in changed.examples} <= {"partition 0", "partition 1"}
