"""What notebooks show: small tables, escaped, of everything that is an answer."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from shown import LINE, MESH, OPEN, Balanced, report
from small import WHO, egress, load, routes

import fsm_egress as fe
from fsm_egress.values.notebook import MOST, Shown, Table, as_html, listed

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = '<script>alert("x")</script> & \u202e\'"'
GET = fe.http("54.9.9.9", 80, "GET", "a.com/x")
ANSWERS: dict[str, Callable[[], Any]] = {
    "DENIED": lambda: fe.compile(MESH, WHO).classify(fe.tls("54.9.9.9", 443, "b.com")),
    "EGRESS_POLICY": lambda: fe.compile(MESH, WHO).classify(GET),
    "dialled": lambda: fe.Sidecar.read(fe.pipy_config(MESH, WHO)).handle(GET),
    "OutboundPolicy": lambda: fe.resolve(MESH, WHO),
    "findings": lambda: fe.lint(MESH),
    "finding": lambda: fe.lint(MESH)[0],
    "stock": lambda: fe.stock_findings(MESH, WHO),
    "enforceability": lambda: fe.enforceability(MESH, WHO),
    "explanation": lambda: fe.explain(MESH, WHO, fe.tls("54.9.9.9", 443, "b.com")),
    "differ": lambda: fe.verify(MESH, WHO),
    "agree": lambda: fe.verify(OPEN, WHO, enforce=True),
    "connections": lambda: fe.replay(MESH, [fe.Log(io.BytesIO(LINE), "a.jsonl")], after=OPEN),
    "partition": lambda: fe.partition(MESH, WHO),
    "portion": lambda: fe.partition(MESH, WHO).portions[0],
    "residual": lambda: fe.residual(MESH, WHO, fe.Partial(port=80)),
    "reach": lambda: fe.reachable(MESH, port=80),
    "diff": lambda: fe.diff(MESH, OPEN),
    "answer": lambda: fe.implies(OPEN, MESH),
    "proof": lambda: fe.implies(MESH, OPEN),
    "tests": report,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_is_shown_as_a_small_table(name: str) -> None:
    shown = ANSWERS[name]()
    html = shown._repr_html_()  # because notebooks call it so
    read = Balanced(html)
    assert read.tags <= {"div", "b", "table", "thead", "tbody", "tr", "th", "td"}
    table = shown.table()
    assert table.headline
    assert all(len(row) == len(table.columns or row) for row in table.rows)
    for text in table.rows[0] if table.rows else ():
        assert text in read.said


@pytest.mark.usefixtures("few_states")
def test_what_is_not_decided_is_shown() -> None:
    named = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}
    group = routes("r", {"methods": ["GET"], "pathRegex": "^/(?:a|b)*a(?:a|b){16}$"})
    mesh = load(egress("web", "http 80", hosts=["a.com"], matches=[named]), group)
    assert "not decided for some: " in str(fe.partition(mesh, WHO).table().rows)
    assert "too many states" in str(fe.verify(mesh, WHO).table().rows)


def test_everything_is_escaped() -> None:
    html = as_html(Table(HOSTILE, (HOSTILE,), ((HOSTILE,), (HOSTILE,))))
    read = Balanced(html)
    assert "script" not in read.tags
    assert read.said.count(HOSTILE) == 3
    assert as_html(Table("DENIED <b>", (), ())) == (
        '<div style="overflow-x:auto"><div><b style="color:#dc2626">DENIED</b> &lt;b&gt;</div></div>'
    )


def test_an_explanation_says_once_what_becomes_of_a_connection() -> None:
    assert (
        fe.explain(MESH, WHO, GET)
        ._repr_html_()
        .startswith(
            '<div style="overflow-x:auto"><div><b style="color:#16a34a">allowed:</b> Egress curl/web takes '
        )
    )
    assert (
        ANSWERS["explanation"]()
        ._repr_html_()
        .startswith('<div style="overflow-x:auto"><div><b style="color:#dc2626">denied</b> (closed): ')
    )


def test_rows_beyond_the_first_few_are_counted() -> None:
    rows = tuple((str(number),) for number in range(MOST + 7))
    html = as_html(Table("many", ("n",), rows))
    assert html.count("<tr>") == MOST + 1
    assert "and 7 more" in html


def test_a_word_has_its_colour() -> None:
    assert '<td style="' in as_html(Table("x", ("a",), (("DENIED",),)))
    assert "color:#dc2626" in as_html(Table("x", ("a",), (("DENIED",),)))


def test_values_with_commas() -> None:
    assert (listed([]), listed([1, 2])) == ("-", "1, 2")


def test_what_has_no_table_says_so() -> None:
    with pytest.raises(NotImplementedError):
        Shown().table()


def test_findings_stay_a_tuple() -> None:
    findings = fe.lint(MESH)
    assert isinstance(findings, tuple)
    assert findings == tuple(findings)
    assert findings.table().headline == f"{len(findings)} findings"
    assert fe.Findings(findings[:1]).table().headline == "1 finding"
    assert repr(fe.Findings(findings[:1])) == f"<1 finding: {findings[0].code.code}>"
    assert repr(fe.Findings()) == "<0 findings>"
    assert repr(fe.verify(OPEN, WHO, enforce=True)).startswith("<Verification of curl.curl: ")
    assert fe.Findings(fe.resolve(MESH, "nobody.nowhere").findings).table().rows == ()
