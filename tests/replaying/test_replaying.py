"""Replaying logs: what is counted, what would change, what cannot be read; by any number of workers."""

from __future__ import annotations

import json
import pickle
import signal
from collections import Counter
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from hypothesis import given, settings
from hypothesis import strategies as st
from thoroughness import examples
from traffic import (
    ENTRY,
    EVENTS,
    GET,
    ISTIO,
    NOWHERE,
    OTHER_TLS,
    PLAIN,
    RECORDS,
    TLS,
    WRITERS,
    as_json,
    log,
    log_of,
    mesh,
)

import fsm_egress as fe
from fsm_egress.replaying import DECIDED, Decider, logs, repeated, replay, streaming, tally
from fsm_egress.replaying.dialects import Format
from fsm_egress.replaying.logs import cut, read
from fsm_egress.replaying.records import FIELDS, Layout, Place, Records, column_of
from fsm_egress.replaying.tally import Ruling, Summary
from fsm_egress.replaying.whose import Whom

if TYPE_CHECKING:
    from collections.abc import Sequence

Document = dict[str, Any]

BEFORE, AFTER = mesh(), mesh(enable_egress=True)


def counted(summary: Summary) -> dict[tuple[str, str, str], int]:
    """How many connections of each identity got each verdict, and why."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for ruling, count in summary.counts.items():
        counts[ruling.identity, ruling.verdict.value, ruling.reason.value] += count
    return counts


@pytest.mark.parametrize("written", list(WRITERS))
def test_connections_are_counted_by_what_becomes_of_them(written: Format) -> None:
    summary = replay(BEFORE, [log_of(*RECORDS, written=written)])
    assert counted(summary) == {
        ("curl.curl", "EGRESS_POLICY", "http_route"): 2,
        ("curl.curl", "EGRESS_POLICY", "tls_server_name"): 1,
        ("curl.curl", "DENIED", "no_server_name"): 1,
        ("wget.shop", "DENIED", "egress_disabled"): 2,
    }
    assert (summary.connections, summary.unreadable, summary.changes) == (6, 1, {})
    assert str(summary.first_unreadable[0].place) == f"access:{6 if written is Format.CSV else 5}"


def test_with_another_mesh_changes_are_counted_and_shown() -> None:
    summary = replay(BEFORE, [log_of(*RECORDS), log_of(PLAIN)], AFTER)
    ((change, changed),) = summary.changes.items()
    assert (str(change.before.verdict), str(change.after.verdict)) == ("DENIED", "PASSTHROUGH")
    assert (change.before.identity, change.differs) == ("wget.shop", ("verdict", "targets"))
    assert (changed.count, summary.changed) == (3, 3)
    assert list(map(str, changed.examples)) == [
        "access:3: 54.9.9.9:9000 TCP",
        "access:7: 54.9.9.9:9000 TCP",
        "access:1: 54.9.9.9:9000 TCP",
    ]
    assert sum(summary.counts_after.values()) == summary.connections
    assert summary.to_mapping()["changes"][0]["examples"][0] == {
        "log": "access",
        "line": 3,
        "connection": {"destination": "54.9.9.9", "port": 9000, "sends": "bytes"},
    }


def test_a_mesh_against_itself_changes_nothing() -> None:
    summary = replay(BEFORE, [log_of(*RECORDS)], mesh())
    assert summary.changes == {}
    assert summary.counts == summary.counts_after


def test_a_mesh_without_any_resource_is_another_mesh_too() -> None:
    summary = replay(AFTER, [log_of(PLAIN)], fe.load())
    assert sum(summary.counts_after.values()) == summary.connections == 1


def test_changes_that_read_alike_are_counted_together() -> None:
    hosts = [fe.load(_host_policy(*names)) for names in (("a.com", "b.com"), ("c.com",))]
    asked = [{**TLS, "server_name": name} for name in ("a.com", "b.com")]
    ((_, changed),) = replay(hosts[0], [log_of(*asked)], hosts[1]).changes.items()
    assert (changed.count, [example.place.line for example in changed.examples]) == (2, [1, 2])


def _host_policy(*hosts: str) -> Document:
    source = random_meshes.account("curl.curl")
    spec = {"sources": [source], "hosts": list(hosts), "ports": [{"number": 443, "protocol": "https"}]}
    return random_meshes.egress_policy("policy.flomesh.io/v1alpha1", "curl", "tls", spec)


def test_columns_and_identity_are_as_they_are_said() -> None:
    record = {"to": "54.9.9.9:80", "authority": "a.com", "path": "/get"}
    columns = {"destination": "to", "host": "authority"}
    for identity in ("curl.curl", fe.ServiceIdentity("curl", "curl")):
        summary = replay(BEFORE, [log_of(record)], columns=columns, identity=identity)
        assert counted(summary) == {("curl.curl", "EGRESS_POLICY", "http_route"): 1}


class TestUnreadable:
    NAMELESS = ({**GET, "identity": None}, {**GET, "identity": 7}, {**GET, "identity": ["curl.curl"]})

    def test_an_identity_that_cannot_be_is_told(self) -> None:
        summary = replay(BEFORE, [log_of(*self.NAMELESS, {**GET, "identity": "Curl"}, GET)])
        assert summary.connections == 1
        assert summary.to_mapping()["problems"] == [
            f"access:{line}:1: identity: expected a service identity `name.namespace`, found {found}"
            for line, found in enumerate(("`null`", "the number `7`", "a list", "the string `Curl`"), 1)
        ]

    def test_the_first_ones_are_told_and_the_others_counted(self) -> None:
        summary = replay(BEFORE, [log_of(*[NOWHERE] * 25)])
        assert (summary.connections, summary.unreadable) == (0, 25)
        assert [record.place.line for record in summary.first_unreadable] == list(range(1, 11))

    @pytest.mark.parametrize("workers", [1, 2])
    def test_strictly_the_first_one_stops_it(self, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logs, "BLOCK", 200)
        with pytest.raises(fe.InvalidValue, match=r"^access:5:1: destination: expected an IP address"):
            replay(BEFORE, [log_of(*RECORDS, NOWHERE)], workers=workers, strict=True)

    def test_strictly_whatever_can_be_read_is(self) -> None:
        assert replay(BEFORE, [log_of(GET, TLS)], strict=True) == replay(BEFORE, [log_of(GET, TLS)])


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.dictionaries(st.text(max_size=3), SCALARS, max_size=2),
    st.sampled_from(["curl.curl", "54.9.9.9", "54.9.9.9:80", "http", "tls", "80", "{}", "a.com"]),
)


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES)), max_size=4))
def test_every_record_is_decided_or_told(records: list[Document]) -> None:
    summary = replay(BEFORE, [log_of(*records)], AFTER)
    assert summary.connections + summary.unreadable == len(records)


@settings(max_examples=examples(50))
@given(random_meshes.cases(12), st.integers(0, 11))
def test_a_summary_counts_decisions(case: tuple[list[Document], str, list[Document]], cut_at: int) -> None:
    snapshot, identity, wires = fe.load(case[0]), case[1], case[2]
    engine = fe.compile(snapshot, identity)
    decisions = [engine.classify(fe.Connection.from_mapping(wire)) for wire in wires]
    given_logs = [log_of(*part) for part in (wires[:cut_at], wires[cut_at:])]
    summary = replay(snapshot, given_logs, identity=identity)
    name = Whom((snapshot,)).whose(identity, "").name  # which is the account where all its pods are alike
    assert summary.counts == Counter(Ruling.of(name, decision) for decision in decisions)


@settings(max_examples=examples(30))
@given(random_meshes.meshes(), st.lists(random_meshes.connections(), min_size=4, max_size=4))
def test_identities_that_nothing_names_are_decided_about_alike(
    listed: list[Document], wires: list[Document]
) -> None:
    snapshot = fe.load(listed)
    strangers = [fe.compile(snapshot, who) for who in ("stranger.nowhere", "other.elsewhere")]
    connections = list(map(fe.Connection.from_mapping, wires))
    first, second = (engine.classify_many(connections) for engine in strangers)
    assert first == second


def test_strangers_share_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def compile_one(policy: Any, *, incomplete: bool) -> fe.Engine:
        assert not incomplete
        compiled.append(str(policy.identity))
        return engine_of(policy)

    engine_of = fe.Engine.compile
    monkeypatch.setattr(fe.Engine, "compile", compile_one)
    strangers = [{**PLAIN, "identity": f"account-{index}.shop"} for index in range(5)]
    summary = replay(BEFORE, [log_of(GET, *strangers)])
    assert compiled == ["curl.curl", "account-0.shop"]
    assert len(summary.counts) == 6


class TestWorkers:
    @pytest.fixture(autouse=True)
    def _small_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logs, "BLOCK", 300)
        monkeypatch.setattr(logs, "PIECE", 3)
        monkeypatch.setattr(repeated, "KEPT", 2)
        monkeypatch.setattr(streaming, "TASK", 2)

    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it is multi-threaded, and may be
    @pytest.mark.parametrize(
        ("written", "start"),
        [(Format.JSON, "spawn"), (Format.CSV, "fork"), (Format.PARQUET, "spawn")],
    )
    def test_their_number_changes_nothing(self, written: Format, start: str) -> None:
        records = RECORDS * 20
        alone = replay(BEFORE, [log_of(*records, written=written)], AFTER)
        shared = replay(
            BEFORE, [log_of(*records, written=written)], AFTER, workers=2, context=get_context(start)
        )
        assert shared == alone
        assert alone.connections == 120

    def test_they_are_not_started_for_a_single_block(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(streaming, "ProcessPoolExecutor", None)
        assert replay(BEFORE, [log_of(GET)], workers=8).connections == 1
        assert replay(BEFORE, [], workers=8) == Summary()

    @pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True, None])
    def test_there_is_at_least_one_worker(self, workers: Any) -> None:
        with pytest.raises(fe.InvalidValue, match="a number of workers from 1 on"):
            replay(BEFORE, [log_of(GET)], workers=workers)

    def test_only_a_few_blocks_are_under_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pool = Pool()
        monkeypatch.setattr(streaming, "ProcessPoolExecutor", lambda *_: pool)
        summary = replay(BEFORE, [log_of(*RECORDS * 20)], workers=2)
        assert summary.connections == 120
        assert (pool.most, pool.under_way, pool.ended) == (4, 0, True)

    def test_what_stops_the_reading_stops_the_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pool = Pool()
        monkeypatch.setattr(streaming, "ProcessPoolExecutor", lambda *_: pool)
        given_logs = [log_of(*RECORDS * 20), log(b"", "parquet")]
        with pytest.raises(fe.InvalidValue, match="a Parquet file"):
            replay(BEFORE, given_logs, workers=2)
        assert pool.ended

    def test_a_worker_keeps_what_decides_and_leaves_ctrl_c_alone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(streaming, "_WORKER", [])
        blocks = list(cut([log_of(*RECORDS * 2)], Layout()))
        before = signal.getsignal(signal.SIGINT)
        try:
            streaming._begin(pickle.dumps(Decider(BEFORE, AFTER)))  # noqa: SLF001  # because it runs where nothing can look
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGINT, before)
        assert streaming._summary_of(blocks) == replay(BEFORE, [log_of(*RECORDS * 2)], AFTER)  # noqa: SLF001  # ditto


class Pool:
    """A pool that works only when it is asked for results, and counts what waits for it."""

    def __init__(self) -> None:
        self.under_way = self.most = 0
        self.ended = False

    def submit(self, _work: object, blocks: Sequence[logs.Block]) -> Pool.Future:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return Pool.Future(self, blocks)

    def shutdown(self, *, cancel_futures: bool) -> None:
        self.ended = cancel_futures

    class Future:
        def __init__(self, pool: Pool, blocks: Sequence[logs.Block]) -> None:
            self.pool, self.blocks = pool, blocks

        def result(self) -> Summary:
            self.pool.under_way -= 1
            decider = Decider(BEFORE)
            return Summary.of(decider.summary(read(block, Layout())) for block in self.blocks)


class TestDecider:
    def records(self, *listed: Document) -> Records:
        return Records.following(column_of(listed), Layout(), Place(0, 3, "rows"), len(listed))

    def test_a_table_has_a_value_for_each_record(self) -> None:
        table = Decider(BEFORE).table(self.records(GET, NOWHERE, PLAIN, OTHER_TLS))
        assert tuple(table) == DECIDED
        assert table["verdict"] == ["EGRESS_POLICY", None, "DENIED", "DENIED"]
        assert table["reason"] == ["http_route", None, "egress_disabled", "no_server_name"]
        assert table["rule"][::3] == ["Egress curl/web spec.ports[0]", "Egress curl/tls spec.ports[0]"]
        assert table["source"] == [None] * 4
        assert table["problem"][1] == "destination: expected an IP address, found the string `54.9.9`"
        assert table["problem"][0] is table["problem"][2] is None

    def test_it_is_pickled_without_what_it_can_make(self) -> None:
        decider = Decider(BEFORE, AFTER)
        unused = len(pickle.dumps(decider))
        summary = decider.summary(self.records(*RECORDS))
        assert len(pickle.dumps(decider)) == unused
        again: Decider = pickle.loads(pickle.dumps(decider))  # noqa: S301  # because it has just been made here
        assert again.summary(self.records(*RECORDS)) == summary


def test_every_format_tells_the_same() -> None:
    records = [record for record in RECORDS if record is not NOWHERE] * 3
    counts = [replay(BEFORE, [log(WRITERS[each](records), each)]).counts for each in WRITERS]
    assert counts[0] == counts[1] == counts[2]
    assert as_json(records)


@given(
    st.lists(
        st.sampled_from([*RECORDS, [ENTRY, {**ENTRY, "type": "inbound"}], 7])
        | st.sampled_from([event for events in EVENTS.values() for event in events])
        | st.just(ISTIO)
    ),
    st.sampled_from(["json", "fsm", "hubble", "envoy"]),
)
def test_law_every_record_is_decided_about_or_left_out_for_a_reason(lines: list[Any], written: str) -> None:
    content = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    summary = replay(BEFORE, [log(content, written)])
    many = [len(line) if isinstance(line, list) and written != "json" else 1 for line in lines]
    assert summary.connections + sum(summary.left_out.values()) == sum(many)
    refused = [count for reason, count in summary.left_out.items() if reason.startswith("cannot be read: ")]
    assert summary.unreadable == sum(refused)


def test_what_was_asked_for_and_denied_is_told_by_name_or_address() -> None:
    loud = {**GET, "host": "C.com:80"}
    summary = replay(
        BEFORE, [log_of(GET, OTHER_TLS, OTHER_TLS, PLAIN, loud, {**PLAIN, "destination": "::1"})]
    )
    assert summary.ordered_denied() == [
        (("curl.curl", "c.com:443"), 2),
        (("curl.curl", "c.com:80"), 1),
        (("wget.shop", "54.9.9.9:9000"), 1),
        (("wget.shop", "[::1]:9000"), 1),
    ]
    assert summary.to_mapping()["denied"][0] == {
        "identity": "curl.curl",
        "destination": "c.com:443",
        "count": 2,
    }
    assert replay(AFTER, [log_of(PLAIN)]).denied == {}


def test_of_too_many_destinations_the_first_by_name_are_told_in_whatever_order_they_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally, "DESTINATIONS", 3)
    records = [{**PLAIN, "destination": f"54.0.0.{number}"} for number in range(1, 9)] * 2
    first = replay(BEFORE, [log_of(record) for record in records])
    assert first.denied == {("wget.shop", f"54.0.0.{number}:9000"): 2 for number in (1, 2, 3)}
    assert replay(BEFORE, [log_of(record) for record in reversed(records)]).denied == first.denied
