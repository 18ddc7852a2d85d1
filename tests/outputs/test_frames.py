"""Answers as rows and data frames."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from shown import LINE, MESH, OPEN, report
from small import WHO

import fsm_egress as fe

GET = fe.http("54.9.9.9", 80, "GET", "a.com/x")
TLS = fe.tls("54.9.9.9", 443, "b.com")


def test_connections_with_their_decisions() -> None:
    engine = fe.compile(MESH, WHO)
    frame = fe.frame([(it, engine.classify(it)) for it in (GET, TLS, fe.tcp("9.9.9.9", 1))])
    assert list(frame["verdict"]) == ["EGRESS_POLICY", "DENIED", "DENIED"]
    assert list(frame["host"].isna()) == [False, False, True]
    assert frame["rule"][0] == "Egress curl/web spec.ports[0]"
    assert frame["port"].sum() == 524


@pytest.mark.parametrize(
    ("answer", "columns", "count"),
    [
        (lambda: fe.resolve(MESH, WHO), {"port", "protocol", "hosts", "rule"}, 2),
        (lambda: fe.partition(MESH, WHO), {"ports", "addresses", "verdict", "witness"}, None),
        (lambda: fe.residual(MESH, WHO, fe.Partial(port=80)), {"ports", "ranges", "sends"}, None),
        (lambda: fe.reachable(MESH, port=80), {"identity", "addresses", "rule"}, 1),
        (lambda: fe.diff(MESH, OPEN), {"effect", "verdict_before", "verdict_after"}, 2),
        (lambda: fe.verify(MESH, WHO), {"connection", "due", "sidecar"}, None),
        (lambda: fe.lint(MESH, only=["FSE083"]), {"code", "severity", "witness", "fix"}, 1),
        (lambda: fe.replay(MESH, [fe.Log(io.BytesIO(LINE), "a.jsonl")]), {"identity", "count"}, 1),
        (report, {"test", "passed", "failures"}, 1),
        (list, set(), 0),
    ],
)
def test_a_row_for_each_part_of_an_answer(answer: Any, columns: set[str], count: int | None) -> None:
    given = answer()
    frame, rows = fe.frame(given), fe.rows(given)
    assert columns <= set(frame.columns)
    assert len(frame) == len(rows)
    assert count in (None, len(rows))
    assert all(isinstance(value, (str, int, type(None))) for row in rows for value in row.values())


def test_numbers_stay_numbers() -> None:
    frame = fe.frame(fe.reachable(MESH, "54.0.0.0/8", 80))
    assert int(frame["addresses"].sum()) == 2**24


@pytest.mark.parametrize("wrong", [1, "text", [1], [(GET, 1)], [(1, 2)], [GET]])
def test_what_is_no_answer_is_refused(wrong: Any) -> None:
    with pytest.raises(fe.InvalidValue):
        fe.frame(wrong)


def test_without_pandas_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(fe.MissingExtra, match="frames"):
        fe.frame([])
