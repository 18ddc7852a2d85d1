"""Replaying with Dask, whose own schedulers run here: bags and data frames, partition by partition."""

from __future__ import annotations

import sys
from typing import Any

import dask
import dask.bag
import dask.dataframe
import pandas as pd
import pytest
from counting import count_classified
from hypothesis import given, settings
from hypothesis import strategies as st
from thoroughness import examples
from traffic import GET, NOWHERE, PLAIN, RECORDS, TLS, log_of, mesh

import fsm_egress as fe
from fsm_egress import replay_dask
from fsm_egress.replaying import DECIDED, replay

BEFORE, AFTER = mesh(), mesh(enable_egress=True)
Record = dict[str, Any]


@pytest.fixture(autouse=True, params=["synchronous", "threads"])
def _scheduler(request: pytest.FixtureRequest) -> Any:
    with dask.config.set(scheduler=request.param):
        yield


def bag_of(*records: Record, partitions: int = 3) -> Any:
    return dask.bag.from_sequence(records, npartitions=partitions)


def frame_of(*records: Record, partitions: int = 3) -> Any:
    return dask.dataframe.from_pandas(pd.DataFrame(records), npartitions=partitions, sort=False)


class TestDecide:
    def test_a_record_gets_what_is_decided_for_it(self) -> None:
        first, second = replay_dask.decide_bag(bag_of(GET, NOWHERE), BEFORE).compute()
        assert first == {
            **GET,
            "verdict": "EGRESS_POLICY",
            "reason": "http_route",
            "rule": "Egress curl/web spec.ports[0]",
            "source": None,
            "problem": None,
        }
        assert [name for name in DECIDED if second[name] is not None] == ["problem"]

    def test_a_row_gets_what_is_decided_for_it(self) -> None:
        lazy = replay_dask.decide_frame(frame_of(GET, TLS, NOWHERE, PLAIN), BEFORE)
        frame = lazy.compute()
        assert list(frame.columns[-5:]) == list(DECIDED)
        assert frame["verdict"].astype(object).where(frame["verdict"].notna(), None).tolist() == [
            "EGRESS_POLICY",
            "EGRESS_POLICY",
            None,
            "DENIED",
        ]
        assert frame["problem"][2].startswith("destination: expected an IP address")
        assert lazy.dtypes.tolist() == frame.dtypes.tolist()

    def test_columns_and_identity_are_as_they_are_said(self) -> None:
        records = [{"to": {"ip": "54.9.9.9"}, "port": 443, "name": "b.com"}]
        columns = {"destination": "to.ip", "server_name": "name"}
        bag = replay_dask.decide_bag(bag_of(*records), BEFORE, columns=columns, identity="curl.curl")
        assert bag.compute()[0]["reason"] == "tls_server_name"

    def test_a_frame_needs_its_columns(self) -> None:
        with pytest.raises(fe.InvalidValue, match="data frame: expected a column `identity`, found `who`"):
            replay_dask.decide_frame(frame_of({"who": "a.b"}), BEFORE)


class TestReplay:
    def test_a_bag_a_frame_and_a_log_tell_the_same(self) -> None:
        records = RECORDS * 9
        summary = replay(BEFORE, [log_of(*records)], AFTER)
        for collection in (bag_of(*records, partitions=20), frame_of(*records, partitions=20)):
            found = replay_dask.replay(collection, BEFORE, AFTER)
            assert (found.counts, found.counts_after) == (summary.counts, summary.counts_after)
            assert (found.changed, found.unreadable) == (summary.changed, summary.unreadable)

    def test_examples_are_told_by_partition_and_row(self) -> None:
        summary = replay_dask.replay(bag_of(PLAIN, GET, GET, PLAIN, partitions=2), BEFORE, AFTER)
        (changed,) = summary.changes.values()
        assert list(map(str, changed.examples)) == [
            "partition 0:1: 54.9.9.9:9000 TCP",
            "partition 1:2: 54.9.9.9:9000 TCP",
        ]

    def test_one_partition_is_enough(self) -> None:
        assert replay_dask.replay(bag_of(GET, partitions=1), BEFORE).connections == 1


@settings(max_examples=examples(10))
@given(st.lists(st.sampled_from(RECORDS), min_size=1, max_size=12), st.integers(1, 12))
def test_partitions_change_no_count(records: list[Record], partitions: int) -> None:
    whole = replay(BEFORE, [log_of(*records)], AFTER)
    found = replay_dask.replay(bag_of(*records, partitions=partitions), BEFORE, AFTER)
    assert (found.counts, found.changed) == (whole.counts, whole.changed)


@pytest.mark.parametrize("partitions", [1, 3, 40])
def test_what_is_learned_from_partitions_is_what_is_learned_from_logs(partitions: int) -> None:
    listed = enumerate((PLAIN, TLS, PLAIN) * 20)
    records = [{**record, "time": 1790000000 + number} for number, record in listed]
    bag = bag_of(*records, partitions=partitions)
    lesson = fe.learn(AFTER, replay_dask.Partitions(bag), workers=2)
    assert lesson.to_documents() == fe.learn(AFTER, [log_of(*records)]).to_documents() != []
    assert fe.replay(AFTER, replay_dask.Partitions(bag)).counts == replay_dask.replay(bag, AFTER).counts


CATEGORIES = ("identity", "host", "server_name")


@pytest.mark.parametrize("made", ["a bag", "a frame", "a frame with categories"])
def test_records_that_are_alike_are_decided_once(made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    classified = count_classified(monkeypatch)
    records = [GET, TLS, NOWHERE, PLAIN] * 50
    if made == "a bag":
        collection = bag_of(*records, partitions=2)
        decided = replay_dask.decide_bag(collection, BEFORE)
    else:
        data = pd.DataFrame(records)
        kinds = dict.fromkeys(CATEGORIES, "category") if "categories" in made else {}
        collection = dask.dataframe.from_pandas(data.astype(kinds), npartitions=2, sort=False)
        decided = replay_dask.decide_frame(collection, BEFORE)
    found = replay_dask.replay(collection, BEFORE)
    assert (found.connections, found.unreadable, found.first_unreadable[0].place.line) == (150, 50, 3)
    assert sum(classified) < 40
    classified.clear()
    rows = decided.compute()
    verdicts = [row["verdict"] for row in rows] if made == "a bag" else rows["verdict"].tolist()
    assert [it if isinstance(it, str) else None for it in verdicts] == [
        "EGRESS_POLICY",
        "EGRESS_POLICY",
        None,
        "DENIED",
    ] * 50
    assert sum(classified) < 40


ODD: dict[str, Record] = {
    "large": {"port": 2**70},
    "mixed": {"port": "80"},
    "fraction": {"port": 1.5},
    "object": {"port": {"a": 1}},
    "truth": {"port": True},
    "surrogate": {"host": "\ud800"},
}


@pytest.mark.parametrize("odd", list(ODD))
def test_what_arrow_cannot_hold_is_decided_record_by_record(odd: str) -> None:
    records = [*[GET] * 4, {**GET, **ODD[odd]}]
    made = (
        [bag_of] if odd in {"surrogate", "fraction"} else [bag_of, frame_of]
    )  # as frames hold them otherwise
    for collection in (make(*records, partitions=1) for make in made):
        found = replay_dask.replay(collection, BEFORE)
        assert (found.connections + found.unreadable, found.connections >= 4) == (5, True)


def test_without_arrow_records_are_decided_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert replay_dask.replay(bag_of(*[GET] * 4, partitions=1), BEFORE).connections == 4
