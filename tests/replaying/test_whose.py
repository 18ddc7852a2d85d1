"""Whose the connections of records are: accounts, and pods by their names."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pods import pod
from pyarrow import parquet
from small import config, egress, load
from traffic import log_of

import fsm_egress as fe
from fsm_egress.replaying import replay
from fsm_egress.replaying.dialects import Format
from fsm_egress.replaying.logs import Log

if TYPE_CHECKING:
    from fsm_egress.replaying.tally import Summary

Wire = dict[str, Any]
TO: Wire = {"destination": "54.9.9.9", "port": 25}
ELSEWHERE: Wire = {"destination": "54.9.9.9", "port": 443}
PODS = (
    pod("a", "10.244.0.5", None, "sidecar"),
    pod("b", outbound_port_exclusion_list="25"),
    pod("c", outbound_port_exclusion_list="25"),
    pod("d", sidecar_injection="odd"),
)
MESH = load(config(), egress("e", "tcp 25"), *PODS)
ALIKE = load(config(), egress("e", "tcp 25"), PODS[0])


def counted(summary: Summary) -> list[tuple[str, str]]:
    return [(it.identity, it.reason.value) for it, _ in sorted(summary.counts.items(), key=str)]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"pod": "a.curl"}, ("pod/a.curl", "tcp_port")),
        ({"pod": "pod/a.curl"}, ("pod/a.curl", "tcp_port")),
        ({"pod": "curl/a"}, ("pod/a.curl", "tcp_port")),
        ({"pod": "a", "pod_namespace": "curl"}, ("pod/a.curl", "tcp_port")),
        ({"pod": {"name": "a", "ns": "curl", "ip": "10.244.0.5"}}, ("pod/a.curl", "tcp_port")),
        ({"pod": "a", "identity": "curl.curl"}, ("pod/a.curl", "tcp_port")),
        ({"identity": "pod/a.curl"}, ("pod/a.curl", "tcp_port")),
        ({"pod": "b.curl"}, ("curl.curl (pod/b, pod/c)", "not_intercepted")),
        ({"pod": "a.curl", "destination": "10.244.0.5"}, ("pod/a.curl", "not_intercepted")),
    ],
)
def test_a_record_is_of_the_pod_that_it_names(record: Wire, expected: tuple[str, str]) -> None:
    assert counted(replay(MESH, [log_of({**TO, **record})])) == [expected]


def test_pods_that_are_alike_are_counted_by_their_account() -> None:
    assert counted(replay(ALIKE, [log_of({**TO, "pod": "a.curl"})])) == [("curl.curl", "tcp_port")]


def test_a_pod_that_is_gone_is_taken_for_one_of_its_account() -> None:
    for gone in ("z", "d"):
        record = {**TO, "pod": gone, "identity": "curl.curl"}
        assert counted(replay(ALIKE, [log_of(record)])) == [("curl.curl", "tcp_port")]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"pod": "z.curl"}, "pod: expected a pod of the mesh, found the string `pod/z.curl`"),
        ({"pod": "d.curl"}, "pod: expected a pod of the mesh, found the string `pod/d.curl`"),
        ({"pod": "z"}, "pod: expected a pod `name.namespace`, with one of"),
        (
            {"pod": "a.curl", "identity": "wget.curl"},
            "identity: expected `curl.curl`, the account of `pod/a.curl`, found the string `wget.curl`",
        ),
        ({"pod": {}, "identity": None}, "identity: expected a service identity `name.namespace`, found"),
        (
            {"identity": "curl.curl"},
            "pod: expected a pod of `curl.curl`, as those are not intercepted alike, found none",
        ),
        (
            {"pod": "z", "identity": "curl.curl"},
            "pod: expected a pod of `curl.curl`, as those are not intercepted alike, found none",
        ),
    ],
)
def test_whose_a_record_is_that_cannot_be_known_is_said(record: Wire, problem: str) -> None:
    summary = replay(MESH, [log_of({**TO, **record})])
    assert (summary.connections, summary.unreadable) == (0, 1)
    assert f": {problem}" in summary.to_mapping()["problems"][0]


def test_where_all_pods_fare_alike_the_account_is_enough() -> None:
    record = {"identity": "curl.curl"}
    summary = replay(MESH, [log_of({**ELSEWHERE, **record}, {**TO, **record}, {**ELSEWHERE, **record})])
    assert (counted(summary), summary.connections) == ([("curl.curl", "egress_disabled")], 2)
    assert summary.unreadable == 1


def test_pods_are_those_of_either_mesh() -> None:
    records = [{**TO, "pod": f"{name}.curl"} for name in "ab"]
    summary = replay(ALIKE, [log_of(*records)], MESH)
    assert counted(summary) == [("pod/a.curl", "tcp_port"), ("curl.curl (pod/b, pod/c)", "tcp_port")][::-1]
    ((change, _),) = summary.changes.items()
    assert change.after.reason is fe.Reason.NOT_INTERCEPTED


def test_who_is_asked_for_may_be_a_pod_and_a_record_says_it_better() -> None:
    assert counted(replay(MESH, [log_of(TO)], identity="pod/a.curl")) == [("pod/a.curl", "tcp_port")]
    records = log_of({**TO, "pod": "b.curl"})
    assert counted(replay(MESH, [records], identity="curl.curl"))[0][1] == "not_intercepted"


def test_a_table_with_pods_needs_no_identities() -> None:
    for column, columns in (("pod", {}), ("who", {"pod": "who"})):
        text = f"destination,port,{column}\n54.9.9.9,25,a.curl\n"
        found = replay(MESH, [Log(BytesIO(text.encode()), "flows.csv", Format.CSV)], columns=columns)
        assert counted(found) == [("pod/a.curl", "tcp_port")]
    table = pa.Table.from_pylist([{**TO, "pod": {"name": "a", "ns": "curl"}}])
    parquet.write_table(table, stream := BytesIO())
    stream.seek(0)
    assert counted(replay(MESH, [Log(stream, "flows.parquet", Format.PARQUET)])) == [
        ("pod/a.curl", "tcp_port")
    ]
    with pytest.raises(fe.InvalidValue, match="a column `identity`"):
        replay(MESH, [Log(BytesIO(b"destination,port\n54.9.9.9,25\n"), "flows.csv", Format.CSV)])


# --- source addresses ------------------------------------------------------------------------------------

NODE = "192.0.2.4"


def _on_node(document: Wire) -> Wire:
    return {**document, "spec": {**document["spec"], "hostNetwork": True, "serviceAccountName": "node"}}


ADDRESSED = load(
    config(),
    egress("e", "tcp 25"),
    pod("a", "10.244.0.5", None, "sidecar"),
    pod("b", "10.244.0.6", None, "sidecar"),
    pod("late", "10.244.0.6", None, "sidecar"),
    pod("v6", "2001:db8::5", None, "sidecar"),
    _on_node(pod("n", NODE, None)),
)


@pytest.mark.parametrize("source", ["10.244.0.5", "2001:db8:0::5"])
def test_a_source_address_is_that_of_a_pod(source: str) -> None:
    ((who, reason),) = counted(replay(ADDRESSED, [log_of({**TO, "source": source})]))
    assert (who.partition(" ")[0], reason) == ("curl.curl", "tcp_port")


def test_a_pod_or_an_account_that_is_named_says_more_than_an_address() -> None:
    for whose in ({"pod": "a.curl"}, {"identity": "curl.curl"}):
        record = {**TO, **whose, "source": "10.244.0.6"}
        assert replay(ADDRESSED, [log_of(record)]).connections == 1
    assert replay(ADDRESSED, [log_of({**TO, "source": NODE})], identity="curl.curl").connections == 1


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("10.244.0.6", "found `10.244.0.6`, that of `pod/b.curl` and `pod/late.curl`"),
        (NODE, "found `192.0.2.4`, a node's"),
        ("10.9.9.9", "found `10.9.9.9`, nobody's"),
        ("somewhere", "expected an IP address, found the string `somewhere`"),
    ],
)
def test_an_address_that_is_not_one_pod_s_is_told_and_never_guessed(source: str, found: str) -> None:
    summary = replay(ADDRESSED, [log_of({**TO, "source": source})])
    ((problem,),) = [record.problems for record in summary.first_unreadable]
    assert str(problem).startswith("access:1:1: source: ")
    assert str(problem).endswith(found)
    ((reason, count),) = summary.left_out.items()
    assert (reason.startswith("cannot be read: source: expected"), count) == (True, 1)


def test_a_table_with_sources_needs_no_identities() -> None:
    content = b"source,destination,port\n10.244.0.5,54.9.9.9,25\n"
    assert replay(ADDRESSED, [Log(BytesIO(content), "access")]).connections == 1
