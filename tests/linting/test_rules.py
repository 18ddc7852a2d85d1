"""The table of findings: every code has its rule, and every example does what it says."""

from __future__ import annotations

from typing import Any

import pytest

import fsm_egress as fe
from fsm_egress.connections.findings import Code
from fsm_egress.linting import lint
from fsm_egress.linting.rules import RULES, rules_markdown
from fsm_egress.linting.rules.rule import LintRule, Side
from fsm_egress.manifests.admission import refusals


def codes_in(text: str, rule: LintRule) -> set[Code]:
    """The codes that are found in documents, by the comparisons that a rule needs alone."""
    mesh = fe.loads(text, strict=False)
    if rule.sides == {Side.DOCUMENTS}:
        known = {code.code: code for code in Code}
        return {known[it.code] for it in (*mesh.problems, *refusals(mesh)) if it.code}
    sidecar, stock = rule.sides == {Side.SIDECAR}, rule.sides == {Side.CONTROLLER}
    return {it.code for it in lint(mesh, sidecar=sidecar, stock=stock, fsm=rule.fsm)}


def test_every_code_is_in_the_table_in_its_order() -> None:
    assert list(RULES) == list(Code)
    assert [code for code, rule in RULES.items() if not rule.example] == [Code.NOT_ENFORCED]


@pytest.mark.parametrize("code", [code for code in Code if RULES[code].example], ids=lambda code: code.name)
def test_an_example_triggers_its_code_and_the_near_case_does_not(code: Code) -> None:
    rule = RULES[code]
    near = codes_in(rule.near, rule)
    assert codes_in(rule.example, rule) - near == {code, *rule.along}
    assert code not in near


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code.name)
def test_near_cases_are_valid(rule: Any) -> None:
    assert fe.loads(rule.near, strict=False).refused == ()


def test_the_documentation_is_made_from_the_table() -> None:
    text = rules_markdown()
    assert text.count("\n### ") == len(Code) - 1
    assert RULES[Code.SHADOWED_ROUTE].markdown == (
        "### FSE071: a match allows nothing of its own\n"
        "\n"
        "*warning*, found by the policies\n"
        "\n"
        "Another match of the group allows all that it does: what it seems to restrict is not restricted.\n"
        "\n"
        "What to do: delete the match, or narrow the other.\n"
        "\n"
        "```yaml\n"
        "apiVersion: specs.smi-spec.io/v1alpha4\n"
        "kind: HTTPRouteGroup\n"
        "metadata: {name: get, namespace: curl}\n"
        "spec:\n"
        "  matches:\n"
        "    - {name: all, pathRegex: ^/get}\n"
        "    - {name: some, pathRegex: '^/get/v[0-9]'}\n"
        "---\n"
        "apiVersion: policy.flomesh.io/v1alpha1\n"
        "kind: Egress\n"
        "metadata: {name: a, namespace: curl}\n"
        "spec:\n"
        "  sources: [{kind: ServiceAccount, name: curl, namespace: curl}]\n"
        "  hosts: [a.com]\n"
        "  matches: [{apiGroup: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, name: get}]\n"
        "  ports: [{number: 80, protocol: http}]\n"
        "```\n"
        "\n"
        "Not with `^/got/v` in place of `^/get/v`.\n"
    )
    assert "found by the stock controller's view, with `--fsm 1.4.6`" in RULES[Code.OLDER_VERSION].markdown
    assert "With it goes FSE055." in RULES[Code.REFUSED_IN_FORCE].markdown
    assert "found by the policies and the stock controller's view" in RULES[Code.NAMED_TWICE].markdown
