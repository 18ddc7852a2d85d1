"""What was meant by a word that is not known."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.values.spelling import nearest

if TYPE_CHECKING:
    import pytest


def test_a_slip_is_found() -> None:
    assert nearest("Egres", ["Egress", "Ingress"]) == "Egress"


def test_what_is_like_none_is_none_of_them() -> None:
    assert nearest("Gateway", ["Egress", "Secret"]) is None
    assert nearest("Egress", []) is None


def test_how_much_alike_is_asked_for() -> None:
    assert nearest("Egr", ["Egress"]) == "Egress"
    assert nearest("Egr", ["Egress"], 0.8) is None


def test_a_word_that_is_much_longer_is_like_none_and_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("difflib.get_close_matches", None)
    assert nearest("Egress" * 100_000, ["Egress"]) is None


@given(st.text("Egrs", max_size=9), st.lists(st.text("Egrs", max_size=9)), st.sampled_from([0.6, 0.8]))
def test_law_nothing_is_missed_by_that(word: str, known: list[str], alike: float) -> None:
    found = difflib.get_close_matches(word, known, 1, alike)
    assert nearest(word, known, alike) == (found[0] if found else None)
