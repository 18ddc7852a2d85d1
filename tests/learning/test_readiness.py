"""Whether it is time to close: what would have been denied, the curve, and what came last."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pods import pod
from small import config, load

from fsm_egress.connections.decision import Reason
from fsm_egress.learning import learn
from fsm_egress.learning.readiness import decisions_of
from fsm_egress.replaying.logs import Log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_egress.learning.lessons import Lesson

OPEN = load(config({"enableEgress": True}))
START = 1_790_000_000


def record(after: int, name: str, who: str = "curl.curl") -> dict[str, Any]:
    return {"identity": who, "destination": "54.9.9.9:443", "server_name": name, "time": START + after}


def learned(entries: Iterable[dict[str, Any]], hold_out: float = 0.2) -> Lesson:
    lines = "".join(f"{json.dumps(entry)}\n" for entry in entries)
    return learn(OPEN, [Log(BytesIO(lines.encode()), "a.jsonl")], hold_out=hold_out)


def test_what_came_up_late_would_have_been_denied() -> None:
    entries = [record(second, "a.com") for second in range(40)] + [record(41, "b.com"), record(42, "a.com")]
    mesh, account = learned(entries, hold_out=0.05).readiness
    assert mesh.held_out
    assert (mesh.held_out.connections, mesh.held_out.denied) == (3, 1)
    assert str(mesh.held_out) == "1 of the 3 since 2026-09-21T13:33:59Z would be denied".replace(
        "2026-09-21T13:33:59Z", fe_time(START + 39)
    )
    assert (mesh.account, account.account) == (None, "curl.curl")
    assert not mesh.ready
    assert [it.destination for it in mesh.last] == ["curl.curl to b.com:443", "curl.curl to a.com:443"]


def fe_time(seconds: int) -> str:
    from datetime import datetime, timezone  # noqa: PLC0415  # because it is the judge of one line

    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_has_been_seen_often_is_ready() -> None:
    entries = [record(second, name) for second in range(300) for name in ("a.com", "b.com")]
    mesh, _ = learned(entries).readiness
    assert mesh.ready
    assert mesh.held_out
    assert mesh.held_out.denied == 0
    assert str(mesh).startswith(
        "the mesh: ready; the next connection is to something new with a chance of 0 %"
    )


def test_the_curve_ends_with_all_destinations() -> None:
    entries = [record(day * 86_400, f"{name}.com") for day, name in enumerate("abcab")]
    mesh, _ = learned(entries).readiness
    assert [known for _, known in mesh.curve] == [1, 2, 3, 3, 3]
    assert [end for end, _ in mesh.curve] == sorted(end for end, _ in mesh.curve)


def test_accounts_are_told_apart() -> None:
    entries = [record(0, "a.com"), record(1, "b.com", "wget.shop"), record(200, "b.com", "wget.shop")]
    mesh, curl, wget = learned(entries).readiness
    assert (curl.unseen.connections, wget.unseen.connections, mesh.unseen.connections) == (1, 2, 3)
    assert curl.held_out is None  # nothing of it is in the last part
    assert wget.held_out


def test_without_times_nothing_is_held_out() -> None:
    entry = record(0, "a.com")
    del entry["time"]
    mesh, _ = learned([entry, record(5, "b.com")]).readiness
    assert mesh.held_out is None
    assert [it.destination for it in mesh.last] == ["curl.curl to b.com:443"]
    assert learned([record(0, "a.com"), record(5, "b.com")], hold_out=0).readiness[0].held_out is None


def test_the_last_part_is_never_everything() -> None:
    entries = [record(0, "a.com"), *(record(60, "b.com") for _ in range(9))]
    mesh, _ = learned([*entries, record(90, "b.com")], hold_out=0.99).readiness
    assert mesh.held_out
    assert (mesh.held_out.connections, mesh.held_out.denied) == (10, 10)


def test_it_is_there_for_machines() -> None:
    mapping = [it.to_mapping() for it in learned([record(0, "a.com"), record(9, "a.com")]).readiness]
    assert json.loads(json.dumps(mapping)) == mapping
    assert mapping[0]["sparse"]
    assert mapping[0]["held_out"] == {"since": fe_time(START + 9), "connections": 1, "denied": 0}
    assert learned([]).readiness[0].to_mapping()["held_out"] is None


def test_where_pods_differ_those_count_that_the_sidecar_has_a_say_about() -> None:
    mesh = load(config({"enableEgress": True}), pod("a", sidecar_injection="no"), pod("b"))
    lines = [{**record(second, "a.com"), "pod": "b"} for second in range(3)]
    text = "".join(f"{json.dumps(entry)}\n" for entry in lines)
    lesson = learn(mesh, [Log(BytesIO(text.encode()), "a.jsonl")])
    ((need, decision),) = decisions_of(mesh, lesson.evidence)
    assert (need.identity, decision.reason) == ("curl.curl", Reason.EGRESS_ENABLED)
    bare = load(config({"enableEgress": True}), pod("a", sidecar_injection="no"))
    ((_, passed),) = decisions_of(bare, lesson.evidence)
    assert passed.reason is Reason.NO_SIDECAR
