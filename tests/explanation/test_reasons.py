"""The table of reasons: each is there, is given for the decisions that it names, and can be looked up."""

from __future__ import annotations

from typing import Any

import random_meshes
from hypothesis import given, settings
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.explanation.reasons import REASONS, reasons_markdown


def test_every_reason_has_a_page() -> None:
    assert set(REASONS) == set(fe.Reason)
    assert all(page.verdicts and page.title and page.why.endswith(".") for page in REASONS.values())
    assert not any(page.fix.endswith(".") for page in REASONS.values())


def test_a_page_says_what_it_means_and_what_to_do() -> None:
    assert REASONS[fe.Reason.EGRESS_DISABLED].markdown == (
        "### egress_disabled: no rule claims the destination, and `enableEgress` is off\n\n"
        "*Reason of `DENIED`*\n\n"
        "The connection is closed.\n\n"
        "What to do: write an Egress policy for the destination; `explain` names those that would do with one"
        " change.\n"
    )
    assert reasons_markdown().count("\n### ") == len(fe.Reason) - 1


@given(random_meshes.meshes())
@settings(max_examples=examples(15))
def test_law_a_reason_is_given_for_the_verdicts_of_its_page(mesh: list[dict[str, Any]]) -> None:
    loaded = fe.load(mesh)
    for who in fe.subjects_of(loaded)[:2]:
        for portion in fe.partition(loaded, who).portions:
            assert portion.decision.verdict in REASONS[portion.decision.reason].verdicts
