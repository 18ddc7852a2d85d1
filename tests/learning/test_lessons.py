"""Lessons: what is learned is allowed, nothing beyond is hidden, and nothing that is written is needless."""

from __future__ import annotations

import json
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from seen import LOGS, MANNERS, OPEN, Record, learned, log
from shown import Page
from small import config, egress, load
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.decision import Reason, Verdict
from fsm_egress.learning import learn
from fsm_egress.learning.documents import documents
from fsm_egress.learning.readiness import CLOSED
from fsm_egress.replaying import logs, repeated, streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fsm_egress.learning.documents import Grant

OTHER_MESHES = st.sampled_from(
    [
        OPEN,
        load(
            config({"enableEgress": True}),
            egress("web", "http 80", "https 443", hosts=["a.com"]),
            egress("wide", "tcp 443", ipAddresses=["203.0.113.0/24"]),
        ),
    ]
)


def closed(mesh: fe.Snapshot, grants: Iterable[Grant]) -> fe.Snapshot:
    taken = ((it.kind, it.namespace, it.name) for it in mesh)
    return mesh.patched(CLOSED).with_(*documents(grants, taken))


def verdicts(mesh: fe.Snapshot, entries: Sequence[Record]) -> list[tuple[str, str]]:
    """What each record is decided, one after the other, without anything of learning."""
    decided = []
    for entry in entries:
        summary = fe.replay(mesh, [log([entry])])
        ((ruling, _),) = summary.counts.items()
        decided.append((ruling.verdict.value, ruling.reason.value))
    return decided


@given(LOGS, OTHER_MESHES, MANNERS)
@settings(max_examples=examples(40))
def test_law_all_that_counted_is_allowed_and_by_a_policy(
    entries: list[Record], mesh: fe.Snapshot, manner: Record
) -> None:
    lesson = learned(entries, mesh, **manner)
    assert (lesson.denied, lesson.allowed) == ((), lesson.evidence.counted)
    passing = [
        entry
        for entry, found in zip(entries, verdicts(mesh, entries), strict=True)
        if found == (Verdict.PASSTHROUGH.value, Reason.EGRESS_ENABLED.value)
    ]
    assert len(passing) == lesson.evidence.counted
    assert {verdict for verdict, _ in verdicts(lesson.closed, passing)} <= {Verdict.EGRESS_POLICY.value}


@given(LOGS, OTHER_MESHES, MANNERS, st.integers(1, 3))
@settings(max_examples=25)
def test_law_replayed_each_record_that_counts_is_allowed_by_a_policy(
    entries: list[Record], mesh: fe.Snapshot, manner: Record, enough: int
) -> None:
    lesson = learned(entries, mesh, seen_at_least=enough, **manner).proven([log(entries)])
    assert lesson.replayed
    assert lesson.replayed.connections == lesson.evidence.counted
    assert lesson.replayed.left_out == dict(sorted(lesson.evidence.left_out.items()))
    assert lesson.still_denied == lesson.evidence.counted - lesson.allowed
    assert sum(lesson.replayed.denied.values()) == lesson.still_denied
    assert lesson.still_denied == 0 or enough > 1


@given(LOGS, OTHER_MESHES, MANNERS)
@settings(max_examples=examples(8))
def test_law_nothing_but_what_passes_through_changes(
    entries: list[Record], mesh: fe.Snapshot, manner: Record
) -> None:
    lesson = learned(entries, mesh, **manner)
    for change in (*lesson.changes.changes, *lesson.changes.attributions):
        assert change.before.reason in {Reason.EGRESS_ENABLED, *_REFUSALS}
        assert change.after.rule is not None
    assert not lesson.changes.undecided


_REFUSALS = (Reason.NO_HOST, Reason.NO_ROUTE, Reason.NO_SERVER_NAME, Reason.PROTOCOL_MISMATCH)


@given(LOGS, MANNERS)
@settings(max_examples=examples(30))
def test_law_from_what_is_allowed_nothing_is_learned(entries: list[Record], manner: Record) -> None:
    lesson = learned(entries, **manner)
    again = learned(entries, lesson.after, **manner)
    assert again.resources == ()
    assert again.evidence.counted == 0


@given(LOGS, MANNERS, st.randoms(use_true_random=False), st.integers(1, 3))
@settings(max_examples=examples(30))
def test_law_neither_order_nor_files_change_a_byte(
    entries: list[Record], manner: Record, random: Any, parts: int
) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)
    files = [log(shuffled[part::parts], f"{part}.jsonl") for part in range(parts)]
    one, other = learned(entries, **manner), learn(OPEN, files, **manner)
    assert one.to_yaml() == other.to_yaml()
    assert list(map(str, one.readiness)) == list(map(str, other.readiness))
    assert one.remarks == other.remarks


def _without_one(grants: tuple[Grant, ...]) -> Iterable[tuple[Grant, ...]]:
    """The grants with one account, host, port, range or route less."""
    for at, grant in enumerate(grants):
        for name in ("accounts", "hosts", "ports", "ranges", "routes"):
            values = getattr(grant, name)
            for value in values:
                rest = tuple(it for it in values if it != value)
                less = [evolve(grant, **{name: rest})] if rest else []
                yield (*grants[:at], *less, *grants[at + 1 :])


@given(LOGS, MANNERS)
@settings(max_examples=examples(12))
def test_law_without_any_part_of_it_something_is_denied(entries: list[Record], manner: Record) -> None:
    lesson = learned(entries, **manner)
    for fewer in _without_one(lesson.grants):
        mesh = closed(OPEN, fewer)
        decided = [
            fe.compile(mesh, need.identity).classify(seen.example.connection)
            for need, seen in lesson.evidence.seen.items()
        ]
        assert any(decision.verdict is Verdict.DENIED for decision in decided)


@given(LOGS)
@settings(max_examples=examples(10))
def test_law_denied_traffic_alone_teaches_nothing(entries: list[Record]) -> None:
    lesson = learned(entries, OPEN.patched(CLOSED))
    assert lesson.resources == ()
    assert lesson.evidence.left_out == {"denied": len(entries)}
    assert lesson.readiness[0].unseen.connections == 0


@given(st.lists(st.sampled_from(["10.96.0.9:80", "10.0.0.7:9"]), min_size=1, max_size=5))
@settings(max_examples=10)
def test_law_traffic_inside_the_mesh_alone_teaches_nothing(destinations: list[str]) -> None:
    entries = [
        {"identity": "curl.curl", "destination": where, **({"host": "cart.shop"} if ":80" in where else {})}
        for where in destinations
    ]
    lesson = learned(entries)
    assert lesson.resources == ()
    assert lesson.evidence.left_out.keys() <= {"inside the mesh", "denied inside the mesh"}
    assert lesson.evidence.read == len(entries)
    assert lesson.proven([log(entries)]).proof.startswith("Replayed with enableEgress off: 0 of 0 records")


@given(LOGS, MANNERS)
@settings(max_examples=examples(15))
def test_law_what_is_denied_can_be_learned_as_well(entries: list[Record], manner: Record) -> None:
    shut = OPEN.patched(CLOSED)
    lesson = learned(entries, shut, verdicts=["DENIED"], **manner)
    assert lesson.denied == ()
    assert lesson.to_yaml() == learned(entries, **manner).to_yaml()


class Pool:
    """Workers that do their work in this process, on what was pickled for them."""

    def __init__(self, _workers: int, _context: object, begin: Callable[..., None], given: Any) -> None:
        begin(*given)

    def submit(self, work: Callable[[Any], Any], task: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(task))
        return done

    def shutdown(self, *, cancel_futures: bool) -> None:
        assert cancel_futures


@pytest.mark.parametrize("routes", [True, False])
def test_the_number_of_workers_changes_no_byte(*, routes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(streaming, "_WORKER", [])
    monkeypatch.setattr("fsm_egress.replaying.streaming.signal.signal", lambda *_: None)
    monkeypatch.setattr(logs, "BLOCK", 300)
    monkeypatch.setattr(repeated, "KEPT", 2)
    monkeypatch.setattr(streaming, "TASK", 2)
    entries = [{**entry, "time": 1_790_000_000 + at} for at, entry in enumerate([TLS, HTTP, BYTES] * 9)]
    alone = learned(entries, routes=routes).proven([log(entries)])
    shared = learned(entries, routes=routes, workers=2)
    monkeypatch.setattr(streaming, "_WORKER", [])  # because other processes begin
    shared = shared.proven([log(entries)], workers=2)
    assert shared.to_yaml() == alone.to_yaml()
    assert shared.to_mapping() == alone.to_mapping()


TLS = {"identity": "curl.curl", "destination": "54.9.9.1", "port": 443, "server_name": "a.com"}
HTTP = {"identity": "curl.curl", "destination": "54.9.9.1", "port": 80, "host": "a.com", "path": "/users/7"}
BYTES = {"identity": "db.shop", "destination": "54.9.9.1", "port": 5432}


def test_accounts_with_the_same_needs_share_a_policy() -> None:
    lesson = learned([TLS, {**TLS, "identity": "wget.shop"}, {**TLS, "server_name": "b.com"}])
    assert [(it.kind, it.name) for it in lesson.resources] == [
        ("Egress", "curl-b-com-443"),
        ("Egress", "curl-and-others-a-com-443"),
    ]


def test_a_document_that_has_the_name_already_stays() -> None:
    mesh = load(config({"enableEgress": True}), egress("curl-a-com-443", "tcp 1"))
    lesson = learned([TLS], mesh)
    assert [it.name for it in lesson.resources] == ["curl-a-com-443-2"]
    assert len(lesson.after.kind(fe.EgressPolicy)) == 2


def test_route_groups_are_shared_in_a_namespace() -> None:
    entries = [
        HTTP,
        {**HTTP, "port": 8080, "host": "b.com"},
        {**HTTP, "port": 8080, "path": "/users/8", "host": "b.com"},
    ]
    lesson = learned(entries, routes=True)
    kinds = [it.kind for it in lesson.resources]
    assert kinds == ["HTTPRouteGroup", "Egress", "Egress"]


def test_a_client_that_waits_gets_a_port_where_the_server_speaks_first() -> None:
    lesson = learned([BYTES, {**BYTES, "sends": "nothing"}])
    assert [port.protocol.value for it in lesson.after.kind(fe.EgressPolicy) for port in it.spec.ports] == [
        "tcp-server-first"
    ]


def test_too_few_ranges_are_an_error_that_says_whose_they_are() -> None:
    far = [{**BYTES, "destination": f"54.{octet}.0.1"} for octet in range(4)]
    with pytest.raises(fe.InvalidValue) as error:
        learned(far, ranges=2)
    assert str(error.value) == (
        "the addresses that db.shop reaches on port 5432: "
        "expected at least 4 ranges, found the number `2`; write `4`"
    )


def test_no_range_touches_the_mesh_itself() -> None:
    lesson = learned([{**BYTES, "destination": "10.0.0.4"}, {**BYTES, "destination": "10.0.0.6"}], ranges=2)
    assert [str(it) for it in lesson.grants[0].ranges] == ["10.0.0.4/32", "10.0.0.6/32"]


def test_what_no_policy_can_grant_is_a_remark() -> None:
    pod = {**BYTES, "destination": "10.0.0.5"}
    lesson = learned([pod, {**HTTP, "host": "a.com:81"}, {**HTTP, "method": "PURGE"}, TLS])
    assert [(it.about, it.count) for it in lesson.remarks[:3]] == [("not granted", 1)] * 3
    assert "an address of the mesh's own services or pods" in lesson.remarks[2].text
    assert (lesson.allowed, lesson.evidence.counted, len(lesson.denied)) == (1, 4, 3)
    assert str(lesson) == "1 policy allows 1 of 4 connections of 2 accounts, 3 that no policy can allow"


@pytest.mark.parametrize("routes", [False, True])
def test_for_a_method_that_the_sidecar_never_forwards_no_host_is_opened(*, routes: bool) -> None:
    lesson = learned([{**HTTP, "method": "TRACE"}], routes=routes)
    assert (lesson.resources, lesson.allowed, len(lesson.denied)) == ((), 0, 1)
    (remark,) = lesson.remarks
    assert remark.text.endswith(": the sidecar forwards no `TRACE` where a policy says `http`")
    assert str(lesson) == "0 policies allow 0 of 1 connection of 1 account, 1 that no policy can allow"


def test_what_was_seen_too_seldom_is_not_granted() -> None:
    lesson = learned([TLS, TLS, {**TLS, "server_name": "b.com"}], seen_at_least=2)
    assert [it.hosts for it in lesson.grants] == [("a.com",)]
    assert str(lesson.remarks[0]) == "not granted: curl.curl to b.com:443: seen less than 2 times (1 record)"


def test_people_are_told_what_they_will_ask() -> None:
    names = [{**TLS, "server_name": f"{letter}.s3.example.com"} for letter in "abc"]
    host = {**HTTP, "host": "54.9.9.1"}
    lesson = learned(
        [
            *names,
            {**names[0], "destination": "54.9.9.2"},
            {**names[1], "destination": "54.9.9.2"},
            host,
            {**HTTP, "server_name": "b.com"},
        ]
    )
    assert {it.about for it in lesson.remarks} == {
        "a host that is an address",
        "a Host that is not the server name",
        "one address with many names",
        "a wildcard that FSM does not have",
    }
    same = [{**name, "destination": address} for name in names[:2] for address in ("54.1.1.1", "54.1.1.2")]
    assert "and 1 more addresses have the names" in learned(same).remarks[0].text


def test_findings_are_those_of_the_documents() -> None:
    lesson = learned(
        [TLS, {**TLS, "server_name": "b.com"}], load(config({"enableEgress": True}), egress("e", "tcp 1"))
    )
    assert {it.rule.resource.name for it in lesson.findings if it.rule} == {"curl-a-com-and-others-443"}
    assert "FSE029" in {it.code.code for it in lesson.findings}


def test_everything_is_there_for_machines_and_in_a_notebook() -> None:
    lesson = learned([TLS, BYTES, {**BYTES, "destination": "10.0.0.5"}])
    mapping = json.loads(json.dumps(lesson.to_mapping()))
    assert mapping["records"] == {"read": 3, "counted": 3, "left_out": {}}
    assert mapping["allowed"] == 2
    assert mapping["denied"] == [
        {
            "need": "db.shop to 10.0.0.5:5432",
            "count": 1,
            "why": "an address of the mesh's own services or pods",
        }
    ]
    assert {
        "documents",
        "remarks",
        "openings",
        "opened",
        "changes",
        "findings",
        "readiness",
    } <= mapping.keys()
    assert lesson.table().rows == (
        ("54.9.9.1/32 on port 5432 (tcp): nothing beyond what was seen", "db.shop"),
        ("a.com on port 443 (https): at whatever address has the name", "curl.curl"),
    )
    assert repr(lesson) == f"<Lesson: {lesson}>"
    assert fe.load(*lesson.to_documents()).kind(fe.EgressPolicy)


def test_what_is_opened_is_exact() -> None:
    lesson = learned([BYTES])
    (opened,) = lesson.opened.changes
    assert opened.region.addresses == 1
    assert opened.effect is fe.Effect.ALLOWED


def test_what_the_replay_shows_is_said_with_what_it_leaves_open() -> None:
    entries = [TLS, TLS, {**HTTP, "method": "PURGE"}]
    lesson = learned(entries)
    assert lesson.proof == "Not replayed: of each need one record is allowed, or no policy can allow it"
    assert (lesson.still_denied, lesson.to_mapping()["replayed"]) == (0, None)
    proven = lesson.proven([log(entries)])
    assert proven.proof == "Replayed with enableEgress off: 2 of 3 records are allowed, each by a policy"
    assert proven.still_denied == 1
    assert proven.to_mapping()["replayed"]["denied"] == [
        {"identity": "curl.curl", "destination": "a.com:80", "count": 1}
    ]
    assert proven.proof in "".join(Page(proven.as_page()).said)


def test_records_that_came_since_are_denied_by_the_replay() -> None:
    proven = learned([TLS]).proven([log([TLS, {**TLS, "server_name": "b.com"}])])
    assert proven.proof == "Replayed with enableEgress off: 1 of 2 records are allowed, each by a policy"
    assert proven.replayed
    assert proven.replayed.denied == {("curl.curl", "b.com:443"): 1}


def test_what_came_last_is_told_of_the_mesh_and_of_each_account_that_is_not_ready() -> None:
    often = [{**BYTES, "time": 1_790_000_000 + second} for second in range(600)]
    seldom = [{**TLS, "time": 1_790_000_000 + second, "server_name": f"{second}.com"} for second in range(7)]
    lesson = learned([*often, *seldom])
    assert [it.ready for it in lesson.readiness] == [False, False, True]
    assert [it.destination for it in lesson.readiness[2].last] == ["db.shop to 54.9.9.1:5432"]
    assert [it.destination for it in lesson.came_last] == [
        f"curl.curl to {second}.com:443" for second in range(5)
    ]


class TestThePage:
    def test_it_has_everything_that_people_must_agree_on(self) -> None:
        lesson = learned(
            [
                TLS,
                {**TLS, "time": 1_790_000_000},
                {**BYTES, "time": 1_790_000_300},
                {**BYTES, "sends": "tls"},
                {**HTTP, "method": "PURGE"},
            ]
        )
        page = Page(lesson.as_page())
        said = "\n".join(page.said)
        assert {"svg", "polyline", "pre", "table"} <= page.tags
        assert "From open to closed" in page.said
        assert "Denied at once, though passthrough is on" in page.said
        assert "kind: Egress" in said
        assert "What to know" in page.said
        assert "db.shop to 54.9.9.1:5432" in page.said
        assert f"{lesson.headline}. {lesson.proof}." in page.said

    def test_a_notebook_has_the_curve(self) -> None:
        lesson = learned([{**TLS, "time": 1_790_000_000}, {**BYTES, "time": 1_790_000_300}])
        assert "<svg" in lesson._repr_html_()  # because notebooks call it so
        assert "<svg" not in learned([TLS])._repr_html_()  # ditto

    def test_what_would_be_denied_at_once_is_what_a_policy_claims(self) -> None:
        assert {it.region.ports for it in learned([TLS]).denied_at_once} == {((443, 443),)}


def test_a_lesson_is_a_data_frame() -> None:
    rows = fe.rows(learned([TLS, BYTES]))
    assert [(row["hosts"], row["ranges"], row["beyond"]) for row in rows] == [
        (None, "54.9.9.1/32", 0),
        ("a.com", None, None),
    ]
