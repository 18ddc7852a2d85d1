"""What was meant by a word that is not known."""

from __future__ import annotations

from fsm_egress.values.spelling import nearest


def test_a_slip_is_found() -> None:
    assert nearest("Egres", ["Egress", "Ingress"]) == "Egress"


def test_what_is_like_none_is_none_of_them() -> None:
    assert nearest("Gateway", ["Egress", "Secret"]) is None
    assert nearest("Egress", []) is None


def test_how_much_alike_is_asked_for() -> None:
    assert nearest("Egr", ["Egress"]) == "Egress"
    assert nearest("Egr", ["Egress"], 0.8) is None
