"""What logs ask for: counted alike however they are cut, and nothing lost without a reason."""

from __future__ import annotations

import json
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from small import config, egress, load, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.learning.choosing import Choice, Learner
from fsm_egress.learning.evidence import BUCKETS, Evidence, Need, Times
from fsm_egress.replaying import Decider
from fsm_egress.replaying.logs import Log
from fsm_egress.replaying.streaming import streamed

if TYPE_CHECKING:
    from collections.abc import Iterable

Record = dict[str, Any]

OPEN = load(
    config({"enableEgress": True, "outboundPortExclusionList": [6379]}),
    egress("web", "http 80", hosts=["a.com"]),
    egress("cert", "https 8443", hosts=["c.com"], mtls={"issuer": "other"}),
    service("cart", "http 8080", ip="10.96.0.9", pods=()),
    service("mail", "tcp-mail 2525", ip="10.96.0.10"),
)
TO_A = {"identity": "curl.curl", "destination": "54.9.9.9:80", "host": "a.com"}
TO_B = {"identity": "curl.curl", "destination": "54.9.9.9:443", "server_name": "B.com", "time": 1_700_000_000}
REQUEST = {"identity": "wget.shop", "destination": "54.9.9.9:80", "host": "a.com:80", "path": "/u/7"}
PLAIN = {
    "identity": "wget.shop",
    "destination": "54.9.9.8:25",
    "sends": "nothing",
    "time": "2026-11-30T03:34:00Z",
}
BESIDE = {"identity": "curl.curl", "destination": "54.9.9.9:6379"}
INSIDE = {"identity": "curl.curl", "destination": "10.96.0.9:8080", "host": "cart.shop", "path": "/"}
NO_HOST = {"identity": "curl.curl", "destination": "54.9.9.9:80", "host": "other.com", "path": "/"}
NO_CERT = {"identity": "curl.curl", "destination": "54.9.9.9:8443", "server_name": "c.com"}
BROKEN = {"identity": "curl.curl", "destination": "nowhere:80"}
MAIL = {"identity": "curl.curl", "destination": "10.96.0.10:2525"}
RECORDS: list[Record] = [TO_A, TO_B, REQUEST, PLAIN, BESIDE, INSIDE, MAIL, NO_HOST, NO_CERT, BROKEN]


def log(records: Iterable[Record]) -> Log:
    return Log(BytesIO("".join(f"{json.dumps(record)}\n" for record in records).encode()), "a.jsonl")


def gathered(records: Iterable[Record], mesh: fe.Snapshot = OPEN, **choice: Any) -> Evidence:
    return Evidence.of(streamed(Learner(Decider(mesh), Choice(**choice)), [log(records)]))


def test_what_counts_and_what_does_not() -> None:
    evidence = gathered(RECORDS)
    assert [str(need) for need in evidence.seen] == [
        "curl.curl to b.com:443",
        "wget.shop to 54.9.9.8:25",
        r"wget.shop to a.com:80 GET ^/u/[0-9]+$",
    ]
    assert evidence.left_out == {
        "allowed by a policy already": 1,
        "passes by the sidecar": 1,
        "inside the mesh": 1,
        "denied inside the mesh": 1,
        "denied": 1,
        "denied, as the client certificate is missing": 1,
        "cannot be read: destination: expected an IP address": 1,
    }
    assert (evidence.counted, evidence.read, evidence.untimed) == (3, len(RECORDS), 1)
    assert [str(it.place) for it in evidence.first_unreadable] == ["a.jsonl:10"]


def test_denied_ones_count_where_they_are_asked_for() -> None:
    evidence = gathered(RECORDS, verdicts=frozenset({fe.Verdict.DENIED}))
    assert [need.name for need in evidence.seen] == ["other.com"]
    assert evidence.left_out["passes through"] == 3


@pytest.mark.parametrize(
    ("choice", "left", "reason"),
    [
        ({"since": 1_750_000_000.0}, ["54.9.9.8"], "outside of the time asked for"),
        ({"until": 1_750_000_000.0}, ["b.com"], "the record has no time"),
        ({"only": frozenset({"curl.curl"})}, ["b.com"], "another account, host or port"),
        ({"only": frozenset({"a.com"})}, ["a.com"], "another account, host or port"),
        ({"only": frozenset({25})}, ["54.9.9.8"], "another account, host or port"),
        ({"only": frozenset({"54.9.9.8"})}, ["54.9.9.8"], "another account, host or port"),
        ({"without": frozenset({"wget.shop"})}, ["b.com"], "asked to be left out"),
        ({"without": frozenset({"b.com", 25})}, ["a.com"], "asked to be left out"),
    ],
)
def test_records_are_chosen(choice: dict[str, Any], left: list[str], reason: str) -> None:
    evidence = gathered(RECORDS, **choice)
    assert [need.destination[2] for need in evidence.seen] == left
    assert reason in evidence.left_out
    assert evidence.read == len(RECORDS)


def test_a_verdict_that_no_policy_changes_cannot_be_asked_for() -> None:
    with pytest.raises(fe.InvalidValue, match="`PASSTHROUGH` or `DENIED`, found the string `IN_MESH`"):
        Choice(verdicts=frozenset({fe.Verdict.IN_MESH}))
    with pytest.raises(fe.InvalidValue, match="`PASSTHROUGH` or `DENIED`"):
        Choice(verdicts=frozenset())


def test_a_time_that_cannot_be_read_is_no_time() -> None:
    assert gathered([{**TO_B, "time": "yesterday"}]).untimed == 1


def test_a_host_that_is_not_the_server_name_is_counted() -> None:
    both = {**REQUEST, "server_name": "CDN.example"}
    evidence = gathered([both, both, {**REQUEST, "server_name": "a.com"}])
    assert evidence.unlike == {("a.com", "cdn.example"): 2}


def test_tls_without_a_name_and_udp_are_needed_by_address() -> None:
    nameless = {"identity": "wget.shop", "destination": "54.9.9.8:443", "sends": "tls"}
    udp = {**nameless, "sends": "datagram"}
    assert [need.sends for need in gathered([nameless]).seen] == ["bytes"]
    assert gathered([udp]).left_out == {"passes by the sidecar": 1}


@given(st.lists(st.sampled_from(RECORDS), max_size=20), st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=examples(25))
def test_law_however_records_are_cut_and_ordered_they_count_alike(
    records: list[Record], random: Any, parts: int
) -> None:
    whole = gathered(records)
    shuffled = list(records)
    random.shuffle(shuffled)
    learner = Learner(Decider(OPEN))
    logs = [log(shuffled[part::parts]) for part in range(parts)]
    pieces = [Evidence.of(streamed(learner, [each])) for each in logs]
    again = learner.total(reversed(pieces))
    assert {need: (one.count, one.times) for need, one in again.seen.items()} == {
        need: (one.count, one.times) for need, one in whole.seen.items()
    }
    assert list(again.seen) == list(whole.seen) == sorted(whole.seen)
    assert (again.left_out, again.untimed, again.read) == (whole.left_out, whole.untimed, len(records))


@given(st.lists(st.integers(0, 2**33), max_size=30), st.integers(1, 5))
def test_law_times_are_the_same_in_whatever_parts(moments: list[int], parts: int) -> None:
    whole = Times.of(Counter(moments))
    pieces = [Times.of(Counter(moments[part::parts])) for part in range(parts)]
    assert Times.together(pieces) == whole
    assert sum(whole.counts.values()) == len(moments)
    assert not whole.counts or max(whole.counts) - min(whole.counts) < BUCKETS


def test_parts_are_let_go_as_they_are_added() -> None:
    kept: list[Any] = []
    (whole,) = streamed(Learner(Decider(OPEN)), [log(RECORDS)])

    def parts() -> Iterable[Evidence]:
        for _ in range(20):
            part = Evidence({need: evolve(one) for need, one in whole.seen.items()})
            kept.append([ref(one) for one in part.seen.values()])
            yield part

    assert Evidence.of(parts()).counted == 20 * whole.counted
    assert sum(one() is not None for ones in kept for one in ones) == 0


def test_paths_are_told_apart_where_routes_are_asked_for_alone() -> None:
    records = [{**REQUEST, "path": f"/{word}"} for word in ("a", "b", "c")]
    whole = Evidence.of(streamed(Learner(Decider(OPEN), routes=False), [log(records)]))
    assert [str(need) for need in whole.seen] == ["wget.shop to a.com:80 GET"]
    assert len(gathered(records).seen) == 3


def test_a_request_whose_path_is_not_said_teaches_no_route() -> None:
    bare = {key: value for key, value in REQUEST.items() if key != "path"}
    assert gathered([bare]).left_out == gathered([bare, REQUEST]).left_out == {"its path is not said": 1}
    whole = Evidence.of(streamed(Learner(Decider(OPEN), routes=False), [log([bare, REQUEST])]))
    assert (whole.counted, whole.left_out) == (2, {})


def test_only_some_needs_can_be_looked_at() -> None:
    evidence = gathered(RECORDS)
    first = next(iter(evidence.seen))
    assert list(evidence.only([first]).seen) == [first]


def test_a_need_of_a_request_has_the_host_without_the_port_that_it_goes_to() -> None:
    def name(host: str) -> str:
        return Need.of("curl.curl", fe.Connection("54.9.9.9", 80, fe.HTTPRequest("GET", host, "/"))).name

    assert (name("A.com"), name("a.com:80"), name("a.com:81")) == ("a.com", "a.com", "a.com:81")
