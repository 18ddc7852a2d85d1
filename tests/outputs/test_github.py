"""Workflow commands: one line for each problem or finding, which GitHub reads back as it was meant."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from small import egress, load

import fsm_egress as fe
from fsm_egress.outputs.github import github_findings, github_problems
from fsm_egress.values.errors import Severity
from fsm_egress.values.references import Mark

CODES = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


def decoded(text: str) -> str:
    return re.sub("%0D|%0A|%3A|%2C|%25", lambda found: CODES[found[0]], text)


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner reads it: what kind it is, its properties, its message."""
    _, head, message = line.split("::", 2)
    kind, _, listed = head.partition(" ")
    properties = dict(entry.split("=", 1) for entry in listed.split(","))
    return kind, {key: decoded(value) for key, value in properties.items()}, decoded(message)


def test_a_problem_stands_at_its_line() -> None:
    wrong = """{"apiVersion": "policy.flomesh.io/v1alpha1", "kind": "Egress",
      "metadata": {"name": "a", "namespace": "curl"},
      "spec": {"ports": [{"number": 0, "protocol": "tcp"}]}}"""
    mesh = fe.loads(wrong, "a,b:c.json", strict=False)
    kind, properties, message = read(next(iter(github_problems(mesh.problems))))
    assert kind == "error"
    assert properties == {"title": "fsm-egress", "file": "a,b:c.json", "line": "3", "col": "37"}
    assert message.startswith("Egress curl/a spec.ports[0].number: expected a port number")


def test_a_problem_of_no_file_has_no_place() -> None:
    problems = [
        fe.Problem("a mesh", document="<stdin>", severity=Severity.INFO),
        fe.Problem("a file", document="a"),
    ]
    assert [read(line) for line in github_problems(problems)] == [
        ("notice", {"title": "fsm-egress"}, "expected a mesh"),
        ("error", {"title": "fsm-egress", "file": "a"}, "expected a file"),
    ]


def test_a_finding_has_its_code_and_what_to_do() -> None:
    findings = fe.lint(load(egress("a", "http 80")), sidecar=False)
    lines = [read(line) for line in github_findings(findings)]
    assert ("warning", "fsm-egress FSE013") in [(kind, properties["title"]) for kind, properties, _ in lines]
    assert all("; to do: " in message for _, _, message in lines)


@given(st.text(max_size=20), st.text("ab%:,\r\n", min_size=1, max_size=20), st.sampled_from(Severity))
def test_law_any_text_is_one_line_that_reads_back(text: str, name: str, severity: Severity) -> None:
    problem = fe.Problem(text, document=name, mark=Mark(3, 5), severity=severity)
    (line,) = github_problems([problem])
    assert "\n" not in line
    assert "\r" not in line
    _, properties, message = read(line)
    assert properties == {"title": "fsm-egress", "file": name, "line": "3", "col": "5"}
    assert message == problem.message
