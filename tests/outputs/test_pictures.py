"""Who reaches what, as a page and as graphs: complete, escaped, from nowhere else."""

from __future__ import annotations

import re

import pytest
from shown import Page
from small import WHO, config, egress, load, routes, service

import fsm_egress as fe
from fsm_egress.outputs.pictures import _dot, _mermaid

MESH = load(
    config({"enableEgress": False}),
    egress("web", "http 80", hosts=["a.com"]),
    egress("raw", "tcp 3306", ipAddresses=["54.0.0.0/8"]),
    service("web", "http-web 80"),
    routes("r"),
)
NOBODY = "job.batch"


def test_a_page_shows_who_reaches_what_by_which_rule() -> None:
    found = fe.reachable(MESH, identities=[WHO, NOBODY])
    page = Page(fe.as_page(found, fe.lint(MESH, only=["FSE034", "FSE070"])))
    assert {"html", "head", "body", "style", "h1", "h2", "table", "nav", "a"} <= page.tags
    assert not page.tags & {"script", "link", "img", "iframe"}
    text = "\n".join(page.said)
    for way in found.ways:
        for cell in way.portion.row:
            assert cell in page.said
    assert "Findings" in page.said
    assert NOBODY in page.said
    assert "Not decided" not in page.said
    assert "url(" not in text


def test_an_identity_that_reaches_nothing_is_there() -> None:
    page = Page(fe.as_page(fe.reachable(MESH, "9.9.9.9", 25, identities=NOBODY)))
    assert "nothing of this" in page.said
    assert "Findings" not in page.said


@pytest.mark.usefixtures("few_states")
def test_what_is_not_decided_is_on_the_page() -> None:
    named = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}
    group = routes("r", {"methods": ["GET"], "pathRegex": "^/(?:a|b)*a(?:a|b){16}$"})
    mesh = load(egress("web", "http 80", hosts=["a.com"], matches=[named]), group)
    assert "Not decided" in Page(fe.as_page(fe.reachable(mesh, port=80))).said


def test_a_mermaid_chart() -> None:
    assert fe.as_mermaid(fe.reachable(MESH, identities=[WHO, NOBODY])).splitlines() == [
        "flowchart LR",
        '  n0["curl.curl"]',
        '  n1["job.batch"]',
        '  n2["10.0.0.1:80"]',
        '  n3["a.com:80"]',
        '  n4["54.0.0.0/8 (16,777,216), port 3306"]',
        '  n0 -->|"Service shop/web"| n2',
        '  n0 -->|"Egress curl/web"| n3',
        '  n0 -->|"Egress curl/raw"| n4',
        '  n1 -->|"Service shop/web"| n2',
    ]


def test_a_graph_of_graphviz() -> None:
    text = fe.as_dot(fe.reachable(MESH, port=3306))
    assert text == (
        "digraph egress {\n  rankdir=LR\n"
        '  node [shape=box, fontname="sans-serif"]\n'
        '  n0 [label="curl.curl"]\n'
        '  n1 [label="any other account of shop"]\n'
        '  n2 [label="any other account"]\n'
        '  n3 [label="54.0.0.0/8 (16,777,216), port 3306"]\n'
        '  n0 -> n3 [label="Egress curl/raw"]\n'
        "}\n"
    )


def test_what_passes_through_by_the_switch_has_no_target_of_its_own() -> None:
    opened = MESH.patched({"spec": {"traffic": {"enableEgress": True}}})
    chart = fe.as_mermaid(fe.reachable(opened, "9.9.9.9", 25))
    assert '"9.9.9.9, port 25"' in chart
    assert '|"MeshConfig fsm-system/fsm-mesh-config"|' in chart


@pytest.mark.parametrize(
    "text", ['a"b', "a]b", "a|b", "<b>", "a\\", "a#b", "é\u202e", "a\nb", "`x`", "_a_", "**a**"]
)
def test_no_text_ends_a_label(text: str) -> None:
    assert not set(_mermaid(text)) & set('"|<>[]{}\\\n`_*\u202e')
    assert re.fullmatch(r'"(?:[^"\\\n]|\\.)*"', _dot(text))


def test_texts_of_graphs_are_read_as_they_are() -> None:
    assert _dot("&lt;b&#8238;\u202e") == '"&amp;lt;b&amp;#8238; "'
    assert _mermaid("&lt;b\u202e#8238;") == "#38;lt;b #35;8238;"
