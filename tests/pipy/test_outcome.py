"""What becomes of a connection in words, for machines and in a notebook."""

from __future__ import annotations

from fractions import Fraction

from attrs import evolve

import fsm_egress as fe
from fsm_egress.pipy.outcome import Fate, Outcome, answered

PART = Outcome(
    Fate.DIALLED, (fe.Target("a.com", 80),), share=Fraction(1, 3), others=(answered(404),), mtls=True
)


def test_a_notebook_shows_the_most_frequent_outcome_and_then_the_others() -> None:
    shown = PART.table()
    assert shown.headline == str(evolve(PART, others=())) == "dialled to a.com:80 with mTLS"
    assert shown.rows == (("else", "answered HTTP 404"),)
    assert str(PART) == "dialled to a.com:80 with mTLS; else answered HTTP 404"


def test_a_part_is_told_to_machines_with_its_share() -> None:
    asked = fe.http("54.9.9.9", 80, "GET", "a.com/")
    told = PART.to_mapping(asked)
    assert (told["share"], [it["status"] for it in told["others"]]) == (0.333333, [404])
    assert {"cause", "either", "share", "others"}.isdisjoint(answered(404).to_mapping(asked))
